//! Window functions: what is computed of each row from the rows around it.
//!
//! ```text
//!   sum(x) OVER (PARTITION BY p ORDER BY k ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES)
//!   func args    partition      order      frame: unit, start, end                 exclude
//! ```
//!
//! A [`WindowCall`] stands in expressions only until a plan is made of them: the plan computes it in a
//! node of its own, and a column takes its place.

use std::fmt;

use arrow::datatypes::{DataType, Schema};
use serde::{Deserialize, Serialize};

use super::bind::common;
use super::literals::type_beside;
use super::tree::{AggFunc, BinaryOp, Expr};
use crate::error::{Error, Result};
use crate::kernel::{Scalar, types};

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderBy {
    /// What is compared.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
    /// Nulls before all values; they come last otherwise, in both directions.
    pub nulls_first: bool,
}

impl OrderBy {
    /// Ascending by a column, nulls last.
    pub fn ascending(column: &str) -> Self {
        OrderBy {
            expr: Expr::Column(column.to_string()),
            descending: false,
            nulls_first: false,
        }
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { " DESC" } else { "" };
        let nulls = if self.nulls_first { " NULLS FIRST" } else { "" };
        write!(f, "{}{direction}{nulls}", self.expr)
    }
}

/// A window function with its arguments and its window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowCall {
    /// Which.
    pub func: WindowFunc,
    /// The value (none for those that only count rows), and what `lag` and `lead` yield where there is
    /// no row.
    pub args: Vec<Expr>,
    /// Only rows for which this is true count; for aggregates.
    pub filter: Option<Expr>,
    /// Equal values count once; for aggregates.
    #[serde(default)]
    pub distinct: bool,
    /// Rows whose value is null are passed over.
    pub ignore_nulls: bool,
    /// Rows that agree in these see each other.
    pub partition: Vec<Expr>,
    /// The order within a partition; rows that tie in all keys are peers.
    pub order: Vec<OrderBy>,
    /// The rows that count for a row.
    pub frame: WindowFrame,
}

/// What a window function computes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WindowFunc {
    /// The number of the row within its partition, from 1.
    RowNumber,
    /// The number of its first peer.
    Rank,
    /// The number of its group of peers.
    DenseRank,
    /// `(rank - 1) / (rows - 1)`.
    PercentRank,
    /// The share of rows up to its last peer.
    CumeDist,
    /// The number of its part where the rows are dealt out to so many parts of like size.
    Ntile(u64),
    /// The value so many rows before.
    Lag(i64),
    /// The value so many rows after.
    Lead(i64),
    /// The value of the frame's first row.
    FirstValue,
    /// The value of the frame's last row.
    LastValue,
    /// The value of the frame's n-th row, from 1.
    NthValue(u64),
    /// An aggregate of the frame.
    Aggregate(AggFunc),
}

impl WindowFunc {
    /// The name in the expression language.
    pub fn name(&self) -> &'static str {
        use WindowFunc::*;
        match self {
            RowNumber => "row_number",
            Rank => "rank",
            DenseRank => "dense_rank",
            PercentRank => "percent_rank",
            CumeDist => "cume_dist",
            Ntile(_) => "ntile",
            Lag(_) => "lag",
            Lead(_) => "lead",
            FirstValue => "first_value",
            LastValue => "last_value",
            NthValue(_) => "nth_value",
            Aggregate(a) => a.name(),
        }
    }

    /// Whether its result for rows that are peers under a coarser order does not depend on how a finer
    /// one orders them, as long as the frame goes by values and not by rows.
    fn is_blind_to_order(&self) -> bool {
        use WindowFunc::*;
        match self {
            Rank | DenseRank | PercentRank | CumeDist => true,
            Aggregate(a) => !matches!(a, AggFunc::First | AggFunc::Last),
            _ => false,
        }
    }

    fn uses_frame(&self) -> bool {
        use WindowFunc::*;
        matches!(self, FirstValue | LastValue | NthValue(_) | Aggregate(_))
    }
}

/// Of each partition only the foremost rows are wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Foremost {
    /// How rows are counted.
    pub rank: Rank,
    /// The ranks from 1 to this one are wanted.
    pub most: u64,
    /// Where peers are counted alike: they agree in so many leading keys of the order.
    pub keys: usize,
}

/// A rank that grows along the order of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Each row has its own number.
    Row,
    /// Peers have the number of the first of them.
    First,
    /// Groups of peers are counted.
    Dense,
}

impl fmt::Display for Foremost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.rank {
            Rank::Row => "row number",
            Rank::First => "rank",
            Rank::Dense => "dense rank",
        };
        write!(f, "{what} <= {}", self.most)
    }
}

/// How the ends of a frame are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameUnit {
    /// In rows.
    Rows,
    /// In values of the one key of the order.
    Range,
    /// In groups of peers.
    Groups,
}

/// One end of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FrameBound {
    /// The first row of the partition.
    UnboundedPreceding,
    /// So far before the row.
    Preceding(Scalar),
    /// The row itself; in values and groups also its peers.
    CurrentRow,
    /// So far after the row.
    Following(Scalar),
    /// The last row of the partition.
    UnboundedFollowing,
}

/// Rows of a frame that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Exclude {
    /// None.
    #[default]
    NoOthers,
    /// The row itself.
    CurrentRow,
    /// The row and its peers.
    Group,
    /// Its peers, but not the row itself.
    Ties,
}

/// The rows that count for a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowFrame {
    /// How the ends are counted.
    pub unit: FrameUnit,
    /// The first row.
    pub start: FrameBound,
    /// The last row.
    pub end: FrameBound,
    /// Rows between them that do not count.
    pub exclude: Exclude,
}

impl Default for WindowFrame {
    /// The standard's: all rows up to the last peer.
    fn default() -> Self {
        WindowFrame {
            unit: FrameUnit::Range,
            start: FrameBound::UnboundedPreceding,
            end: FrameBound::CurrentRow,
            exclude: Exclude::NoOthers,
        }
    }
}

impl WindowFrame {
    /// Whether an end lies so far off in values.
    pub fn has_value_offset(&self) -> bool {
        let offset = |b: &FrameBound| matches!(b, FrameBound::Preceding(_) | FrameBound::Following(_));
        self.unit == FrameUnit::Range && (offset(&self.start) || offset(&self.end))
    }

    /// Checks that the ends go together and with so many keys of the order.
    ///
    /// # Errors
    /// They do not.
    pub fn check(&self, keys: usize) -> Result<()> {
        use FrameBound::*;
        let bad = |what: &str| Err(Error::query(format!("a frame {what}: {self}")));
        match (&self.start, &self.end) {
            (UnboundedFollowing, _) => return bad("cannot start with UNBOUNDED FOLLOWING"),
            (_, UnboundedPreceding) => return bad("cannot end with UNBOUNDED PRECEDING"),
            (CurrentRow, Preceding(_)) => {
                return bad("that starts with the current row cannot end before it");
            }
            (Following(_), CurrentRow | Preceding(_)) => {
                return bad("that starts after the current row cannot end before that");
            }
            _ => {}
        }
        for b in [&self.start, &self.end] {
            let (Preceding(v) | Following(v)) = b else {
                continue;
            };
            let fits = match (self.unit, v) {
                (FrameUnit::Rows | FrameUnit::Groups, Scalar::Int(n)) => *n >= 0,
                (FrameUnit::Rows | FrameUnit::Groups, _) => {
                    return bad("in rows or groups needs a whole number that is not negative");
                }
                (FrameUnit::Range, Scalar::Int(n)) => *n >= 0,
                (FrameUnit::Range, Scalar::Float(x)) => *x >= 0.0,
                (FrameUnit::Range, Scalar::Decimal(x, ..)) => *x >= 0,
                (FrameUnit::Range, Scalar::Interval(m, d, us)) => *m >= 0 && *d >= 0 && *us >= 0,
                (FrameUnit::Range, _) => return bad("in values needs a number or an interval"),
            };
            if !fits {
                return bad("has a negative offset");
            }
        }
        if self.has_value_offset() && keys != 1 {
            return bad("with an offset in values needs ORDER BY with exactly one key");
        }
        if self.unit == FrameUnit::Groups && keys == 0 {
            return bad("in groups of peers needs ORDER BY");
        }
        Ok(())
    }
}

impl WindowCall {
    /// The direct parts of it, in reading order.
    pub fn children(&self) -> Vec<&Expr> {
        (self.args.iter())
            .chain(&self.filter)
            .chain(&self.partition)
            .chain(self.order.iter().map(|k| &k.expr))
            .collect()
    }

    /// The same to be changed in place.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        (self.args.iter_mut())
            .chain(&mut self.filter)
            .chain(&mut self.partition)
            .chain(self.order.iter_mut().map(|k| &mut k.expr))
            .collect()
    }

    /// Whether it may be computed from rows in a finer order than its own.
    pub fn takes_finer_order(&self) -> bool {
        let by_rows = self.func.uses_frame() && self.frame.unit == FrameUnit::Rows;
        self.func.is_blind_to_order() && !by_rows
    }

    /// For a frame that is measured in values: the key of the order, and the values at which the frame
    /// starts and ends where these lie so far off, all of one type.
    ///
    /// # Errors
    /// The offset does not fit the key.
    pub fn range_bounds(&self, schema: &Schema) -> Result<Option<(Expr, [Option<Expr>; 2])>> {
        let [key] = self.order.as_slice() else {
            return Ok(None);
        };
        if !self.frame.has_value_offset() {
            return Ok(None);
        }
        let ty = key.expr.data_type(schema)?;
        // integers near the ends of int64 must not overflow
        let from = match ty {
            DataType::Int64 => key.expr.clone().cast_to(&DataType::Decimal128(19, 0))?,
            _ => key.expr.clone(),
        };
        let at = |b: &FrameBound| -> Result<Option<Expr>> {
            let (v, before) = match b {
                FrameBound::Preceding(v) => (v, true),
                FrameBound::Following(v) => (v, false),
                _ => return Ok(None),
            };
            let v = match (v, &ty) {
                (Scalar::Int(n), DataType::Int64) => Scalar::Decimal(i128::from(*n), 19, 0),
                (v, _) => v.clone(),
            };
            let op = if before == key.descending {
                BinaryOp::Add
            } else {
                BinaryOp::Sub
            };
            Ok(Some(Expr::binary(op, from.clone(), Expr::Literal(v))))
        };
        let bounds = [at(&self.frame.start)?, at(&self.frame.end)?];
        let mut ty = ty;
        for b in bounds.iter().flatten() {
            let own = b.data_type(schema)?;
            ty = common(&ty, &own).ok_or_else(|| Error::query(format!("a frame of {b}")))?;
        }
        let [low, high] = bounds;
        let as_type = |e: Option<Expr>| e.map(|e| e.as_type(schema, &ty)).transpose();
        Ok(Some((
            key.expr.clone().as_type(schema, &ty)?,
            [as_type(low)?, as_type(high)?],
        )))
    }

    /// The type of its result over a table of that schema.
    ///
    /// # Errors
    /// A column is unknown, or a type does not fit.
    pub fn data_type(&self, schema: &Schema) -> Result<DataType> {
        use WindowFunc::*;
        if let Some(f) = &self.filter {
            match f.data_type(schema)? {
                DataType::Boolean | DataType::Null => {}
                other => {
                    let other = types::name(&other);
                    return Err(Error::query(format!(
                        "FILTER needs a condition, but {f} is {other}"
                    )));
                }
            }
        }
        for key in self.partition.iter().chain(self.order.iter().map(|k| &k.expr)) {
            key.data_type(schema)?;
        }
        self.range_bounds(schema)?;
        let args = self.args.iter().map(|e| e.data_type(schema));
        let args = args.collect::<Result<Vec<_>>>()?;
        match (&self.func, args.as_slice()) {
            (RowNumber | Rank | DenseRank | Ntile(_), []) => Ok(DataType::Int64),
            (PercentRank | CumeDist, []) => Ok(DataType::Float64),
            (Lag(_) | Lead(_), [ty, default]) => {
                let misfit = || {
                    Error::query(format!(
                        "{} of {} with a default of {}",
                        self.func.name(),
                        types::name(ty),
                        types::name(default)
                    ))
                    .of_types()
                };
                let role = format!("of which {} is taken", self.func.name());
                let default = type_beside(&self.args[1], default, ty, &role)?;
                common(ty, &default).ok_or_else(misfit)
            }
            (Lag(_) | Lead(_) | FirstValue | LastValue | NthValue(_), [ty]) => Ok(ty.clone()),
            (Aggregate(AggFunc::Count), []) => Ok(DataType::Int64),
            (Aggregate(AggFunc::Std | AggFunc::Var | AggFunc::StdPop | AggFunc::VarPop), [ty])
                if self.distinct && !matches!(ty, DataType::Int64 | DataType::Boolean) =>
            {
                let what = format!(
                    "{}(DISTINCT …) OVER of {} is not supported",
                    self.func.name(),
                    types::name(ty)
                );
                Err(Error::query(what).help("of whole numbers it is"))
            }
            (Aggregate(a), [ty]) => {
                let told = |e| super::tree::about_text(e, ty, self.args.first());
                a.output_type(ty).map_err(told)
            }
            _ => Err(Error::defect(format!("{} of {} arguments", self, args.len()))),
        }
    }
}

struct Bound<'a>(&'a FrameBound);

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = |v: &Scalar| Expr::Literal(v.clone());
        match self.0 {
            FrameBound::UnboundedPreceding => f.write_str("UNBOUNDED PRECEDING"),
            FrameBound::Preceding(v) => write!(f, "{} PRECEDING", offset(v)),
            FrameBound::CurrentRow => f.write_str("CURRENT ROW"),
            FrameBound::Following(v) => write!(f, "{} FOLLOWING", offset(v)),
            FrameBound::UnboundedFollowing => f.write_str("UNBOUNDED FOLLOWING"),
        }
    }
}

impl fmt::Display for WindowFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        };
        write!(
            f,
            "{unit} BETWEEN {} AND {}",
            Bound(&self.start),
            Bound(&self.end)
        )?;
        f.write_str(match self.exclude {
            Exclude::NoOthers => "",
            Exclude::CurrentRow => " EXCLUDE CURRENT ROW",
            Exclude::Group => " EXCLUDE GROUP",
            Exclude::Ties => " EXCLUDE TIES",
        })
    }
}

impl fmt::Display for WindowCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use WindowFunc::*;
        let text = |list: Vec<String>| list.join(", ");
        let mut args: Vec<String> = self.args.iter().map(Expr::to_string).collect();
        match self.func {
            Ntile(n) | NthValue(n) => args.push(n.to_string()),
            Lag(n) | Lead(n) if n != 1 || args.len() > 1 => args.insert(1, n.to_string()),
            Aggregate(AggFunc::Quantile(q)) => args.push(format!("{q:?}")),
            Aggregate(AggFunc::Count) if args.is_empty() => args.push("*".to_string()),
            _ => {}
        }
        if self.distinct {
            args.insert(0, format!("DISTINCT {}", args.first().map_or("", String::as_str)));
            args.truncate(1);
        }
        let nulls = if self.ignore_nulls { " IGNORE NULLS" } else { "" };
        write!(f, "{}({}{nulls})", self.func.name(), text(args))?;
        if let Some(e) = &self.filter {
            write!(f, " FILTER (WHERE {e})")?;
        }
        let mut parts = Vec::new();
        if !self.partition.is_empty() {
            let keys = self.partition.iter().map(Expr::to_string).collect();
            parts.push(format!("PARTITION BY {}", text(keys)));
        }
        if !self.order.is_empty() {
            let keys = self.order.iter().map(OrderBy::to_string).collect();
            parts.push(format!("ORDER BY {}", text(keys)));
        }
        if self.func.uses_frame() && self.frame != WindowFrame::default() {
            parts.push(self.frame.to_string());
        }
        write!(f, " OVER ({})", parts.join(" "))
    }
}
