//! The tree that an expression is: plain data that can be written down, compared and rewritten.
//!
//! ```text
//!  DepDelay > 15 AND Origin = 'JFK'        Binary And
//!                                          ├─ Binary Gt ── Column DepDelay, Literal 15
//!                                          └─ Binary Eq ── Column Origin,   Literal 'JFK'
//! ```

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

pub use super::cast_type::CastType;
use super::functions::Func;
use super::window::WindowCall;
use crate::error::{Error, Result};
use crate::kernel::{Scalar, types};

/// The deepest tree that is accepted: everything that walks a tree may recurse.
pub const MAX_DEPTH: usize = 256;

/// An expression over the columns of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A column by name.
    Column(String),
    /// A constant.
    Literal(Scalar),
    /// The row's place in the input, an int64 that grows along files and rows. Only plans use it:
    /// no text means it.
    Place,
    /// `-x`, `NOT x`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        expr: Box<Expr>,
    },
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `a + b - c + …`: a long chain of operators of one rank, computed from the left.
    Chain {
        /// The first operand.
        first: Box<Expr>,
        /// The operators, each with its right operand.
        rest: Vec<(BinaryOp, Expr)>,
    },
    /// A function of its arguments.
    Function {
        /// Which.
        func: Func,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `CASE [operand] WHEN … THEN … [ELSE …] END`.
    Case {
        /// Compared with each `WHEN`; without it each `WHEN` is a condition.
        operand: Option<Box<Expr>>,
        /// `WHEN` and `THEN`.
        branches: Vec<(Expr, Expr)>,
        /// `ELSE`; null without it.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(expr AS to)`, `TRY_CAST`.
    Cast {
        /// What is cast.
        expr: Box<Expr>,
        /// The type to cast to.
        to: CastType,
        /// Null instead of an error where a value does not fit.
        try_: bool,
    },
    /// `expr [NOT] IN (list)`.
    InList {
        /// What is looked for.
        expr: Box<Expr>,
        /// Where.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `expr [NOT] [I]LIKE pattern [ESCAPE c]`.
    Like {
        /// The text.
        expr: Box<Expr>,
        /// `%` stands for any text, `_` for one character.
        pattern: Box<Expr>,
        /// `ILIKE`.
        case_insensitive: bool,
        /// `NOT LIKE`.
        negated: bool,
        /// The character that takes the meaning from the next one.
        escape: Option<char>,
    },
    /// `expr IS [NOT] NULL`.
    IsNull {
        /// What is tested.
        expr: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// An aggregate over the rows of a group.
    Aggregate(Box<AggCall>),
    /// A function of the rows around a row. Plans have nodes for them; nothing evaluates one in place.
    Window(Box<WindowCall>),
}

/// An aggregate function with its argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggCall {
    /// Which.
    pub func: AggFunc,
    /// Its argument; none for `count(*)`.
    pub arg: Option<Expr>,
    /// Each different value counts once (`count(DISTINCT x)` is `NUnique` instead).
    pub distinct: bool,
    /// Only rows for which this is true count.
    pub filter: Option<Expr>,
}

impl AggCall {
    /// Whether DISTINCT makes a difference that the function itself does not make.
    pub fn counts_each_once(&self) -> bool {
        use AggFunc::*;
        let once = matches!(
            self.func,
            Count | NUnique | Min | Max | First | Last | FirstKnown | LastKnown | BoolAnd | BoolOr
        );
        self.distinct && !once
    }

    /// The type of its result over a table of that schema.
    ///
    /// # Errors
    /// As those of its argument, and those of [`AggFunc::output_type`].
    pub fn data_type(&self, schema: &Schema) -> Result<DataType> {
        let ty = match &self.arg {
            Some(e) => e.data_type(schema)?,
            None => DataType::Null,
        };
        let arg = self.arg.as_ref();
        self.func.output_type(&ty).map_err(|e| about_text(e, &ty, arg))
    }

    /// Whether it looks at each different value of its argument once.
    pub fn looks_once(&self) -> bool {
        let counts = self.func == AggFunc::NUnique || self.func == AggFunc::Count && self.distinct;
        self.counts_each_once() || counts && self.arg.is_some()
    }

    /// What each different one counts of; null where the filter does not hold.
    ///
    /// # Errors
    /// It has no argument.
    pub fn once(&self) -> Result<Expr> {
        let arg = self.arg.clone();
        let arg = arg.ok_or_else(|| Error::defect("an aggregate of distinct nothings"))?;
        Ok(match &self.filter {
            None => arg,
            Some(f) => Expr::Case {
                operand: None,
                branches: vec![(f.clone(), arg)],
                otherwise: None,
            },
        })
    }

    /// Whether its argument must become a key of groups first, over which it is computed.
    pub fn groups_first(&self) -> bool {
        self.counts_each_once() || self.func == AggFunc::Mode
    }
}

/// What an aggregate computes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum AggFunc {
    /// Rows, or values that are not null.
    Count,
    /// Exact sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Number of different values, nulls ignored.
    NUnique,
    /// Standard deviation of a sample.
    Std,
    /// Variance of a sample.
    Var,
    /// Standard deviation of a population.
    StdPop,
    /// Variance of a population.
    VarPop,
    /// Skewness of a sample.
    Skewness,
    /// Excess kurtosis of a sample.
    Kurtosis,
    /// Excess kurtosis of a population.
    KurtosisPop,
    /// Product, as a float.
    Product,
    /// The most frequent value, of several the least. Plans find it by grouping twice.
    Mode,
    /// The middle value, interpolated.
    Median,
    /// The value below which this share of the values lies, interpolated.
    Quantile(f64),
    /// The value of the first row in input order, null or not.
    First,
    /// The value of the last row in input order, null or not.
    Last,
    /// The first value in input order that is not null.
    FirstKnown,
    /// The last value in input order that is not null.
    LastKnown,
    /// All texts in their order, one behind the other; if so said, each different one once.
    StringAgg(bool),
    /// Of pairs of numbers.
    Pair(super::PairFunc),
    /// Whether all are true.
    BoolAnd,
    /// Whether any is true.
    BoolOr,
    /// One step of an aggregate over groups of groups.
    Stepped(super::Stepped),
}

impl AggFunc {
    /// The name in the expression language.
    pub fn name(&self) -> &'static str {
        use AggFunc::*;
        match self {
            Count => "count",
            Sum => "sum",
            Mean => "mean",
            Min => "min",
            Max => "max",
            NUnique => "nunique",
            Std => "std",
            Var => "var",
            StdPop => "stddev_pop",
            VarPop => "var_pop",
            Skewness => "skewness",
            Kurtosis => "kurtosis",
            KurtosisPop => "kurtosis_pop",
            Product => "product",
            Mode => "mode",
            Median => "median",
            Quantile(_) => "quantile",
            First => "first",
            FirstKnown => "any_value",
            Last | LastKnown => "last",
            StringAgg(_) => "string_agg",
            Pair(p) => p.name(),
            BoolAnd => "bool_and",
            BoolOr => "bool_or",
            Stepped(s) => match s.step {
                super::Step::First => "states",
                super::Step::Middle => "merged_states",
                super::Step::Last => "of_states",
            },
        }
    }

    /// Whether it counts, so that of nothing it is 0.
    pub fn is_count(&self) -> bool {
        use AggFunc::*;
        matches!(self, Count | NUnique | Pair(super::PairFunc::Count))
    }

    /// Whether the result depends on the order of the rows.
    pub fn sees_order(&self) -> bool {
        use AggFunc::*;
        matches!(self, First | Last | FirstKnown | LastKnown | StringAgg(_))
    }

    /// The type of the result for an argument's type. Bools are summed as int64.
    ///
    /// # Errors
    /// The aggregate makes no sense for that type.
    pub fn output_type(&self, arg: &DataType) -> Result<DataType> {
        use AggFunc::*;
        let numeric = types::is_numeric(arg) || *arg == DataType::Boolean;
        match self {
            Count | NUnique | Pair(super::PairFunc::Count) => Ok(DataType::Int64),
            Pair(_) => Ok(DataType::Float64),
            Min | Max | First | Last | FirstKnown | LastKnown | Mode => Ok(arg.clone()),
            StringAgg(_) if matches!(arg, DataType::Null) || *arg == types::TEXT => Ok(types::TEXT),
            StringAgg(_) => Err(self.misfit(arg, "text")),
            BoolAnd | BoolOr if matches!(arg, DataType::Boolean | DataType::Null) => Ok(DataType::Boolean),
            BoolAnd | BoolOr => Err(self.misfit(arg, "bool")),
            Quantile(q) if !(0.0..=1.0).contains(q) => {
                Err(Error::query(format!("quantile {q} is not between 0 and 1")))
            }
            Median | Quantile(_) if *arg == DataType::Date32 => Ok(types::timestamp()),
            Median | Quantile(_) if matches!(arg, DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                Ok(arg.clone())
            }
            // as long as all together, or as each on average
            Sum | Mean if matches!(arg, DataType::Duration(_) | DataType::Interval(_)) => Ok(arg.clone()),
            Stepped(s) if s.step == super::Step::Last => s.whole().output_type(&s.arg_type()),
            Stepped(_) => Ok(DataType::Binary),
            _ if !numeric => Err(self.misfit(arg, "a number")),
            Sum => Ok(match arg {
                DataType::Float64 => DataType::Float64,
                DataType::Decimal128(_, s) => DataType::Decimal128(38, *s),
                _ => DataType::Int64,
            }),
            _ => Ok(DataType::Float64),
        }
    }

    fn misfit(&self, arg: &DataType, wanted: &str) -> Error {
        let (f, t) = (self.name(), types::name(arg));
        let error = Error::query(format!("{f} of {t}: {f} needs {wanted}"));
        match wanted {
            "a number" if *arg == types::TEXT => error.help(super::advice::unknown("x")),
            "a number" => error.help("epoch(x) makes numbers of dates, cast(x AS int) of others"),
            "text" => error.help("cast(x AS text) makes text of it"),
            _ => error.help(format!("write a condition: {f}(x > 0)")),
        }
    }
}

/// The error about an operand, which names the column where that is one of text.
pub(super) fn about_text(e: Error, ty: &DataType, operand: Option<&Expr>) -> Error {
    match operand {
        Some(Expr::Column(name)) if *ty == types::TEXT => e.about_text(Some(name)),
        Some(Expr::Function {
            func: Func::Ordered,
            args,
        }) => about_text(e, ty, args.first()),
        _ => e,
    }
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnaryOp {
    /// `-x`
    Neg,
    /// `NOT x`
    Not,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, a float for integers
    Div,
    /// `//`
    IntDiv,
    /// `%`, with the sign of the dividend
    Mod,
    /// `||`
    Concat,
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `IS DISTINCT FROM`
    Distinct,
    /// `IS NOT DISTINCT FROM`
    NotDistinct,
    /// `AND`
    And,
    /// `OR`
    Or,
}

impl BinaryOp {
    /// As it is written in SQL.
    pub fn symbol(self) -> &'static str {
        use BinaryOp::*;
        match self {
            Add => "+",
            Sub => "-",
            Mul => "*",
            Div => "/",
            IntDiv => "//",
            Mod => "%",
            Concat => "||",
            Eq => "=",
            NotEq => "<>",
            Lt => "<",
            LtEq => "<=",
            Gt => ">",
            GtEq => ">=",
            Distinct => "IS DISTINCT FROM",
            NotDistinct => "IS NOT DISTINCT FROM",
            And => "AND",
            Or => "OR",
        }
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | NotEq | Lt | LtEq | Gt | GtEq | Distinct | NotDistinct)
    }

    /// Whether it asks no more than whether both are the same.
    pub fn is_equality(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | NotEq | Distinct | NotDistinct)
    }

    /// The comparison with its sides exchanged.
    pub fn flipped(self) -> Self {
        use BinaryOp::*;
        match self {
            Lt => Gt,
            LtEq => GtEq,
            Gt => Lt,
            GtEq => LtEq,
            other => other,
        }
    }
}

/// A comparison of a column with a constant, as statistics can judge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `IS NULL` (the value is `Null`)
    IsNull,
    /// `IS NOT NULL` (the value is `Null`)
    IsNotNull,
}

impl Expr {
    /// A column.
    pub fn column(name: impl Into<String>) -> Expr {
        Expr::Column(name.into())
    }

    /// `left op right`.
    pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        Expr::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        }
    }

    /// `op expr`.
    pub fn unary(op: UnaryOp, expr: Expr) -> Expr {
        Expr::Unary {
            op,
            expr: Box::new(expr),
        }
    }

    /// Every column of a schema under its own name.
    pub fn columns_of(schema: &Schema) -> Vec<(String, Expr)> {
        let all = schema.fields().iter();
        all.map(|f| (f.name().clone(), Expr::column(f.name()))).collect()
    }

    /// A null of a type.
    ///
    /// # Errors
    /// Nothing is cast to that type.
    pub fn null_of(ty: &DataType) -> Result<Expr> {
        match types::logical(ty) {
            DataType::Null => Ok(Expr::Literal(Scalar::Null)),
            ty => Expr::Literal(Scalar::Null).cast_to(&ty),
        }
    }

    /// The expression over `schema` as a value of type `ty`: itself where it is of that type already.
    ///
    /// # Errors
    /// A column is unknown, or nothing is cast to that type.
    pub fn as_type(self, schema: &Schema, ty: &DataType) -> Result<Expr> {
        match self.data_type(schema)? == *ty {
            true => Ok(self),
            false => self.cast_to(ty),
        }
    }

    /// The expression cast to a logical type.
    ///
    /// # Errors
    /// Nothing is cast to that type.
    pub fn cast_to(self, ty: &DataType) -> Result<Expr> {
        let to =
            CastType::of(ty).ok_or_else(|| Error::query(format!("cannot cast to {}", types::name(ty))))?;
        let (expr, try_) = (Box::new(self), false);
        Ok(Expr::Cast { expr, to, try_ })
    }

    /// The direct parts of it, in reading order.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column(_) | Expr::Literal(_) | Expr::Place => vec![],
            Expr::Unary { expr, .. } | Expr::Cast { expr, .. } | Expr::IsNull { expr, .. } => vec![expr],
            Expr::Binary { left, right, .. } => vec![left, right],
            Expr::Chain { first, rest } => std::iter::once(&**first)
                .chain(rest.iter().map(|(_, e)| e))
                .collect(),
            Expr::Function { args, .. } => args.iter().collect(),
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => (operand.iter().map(|e| &**e))
                .chain(branches.iter().flat_map(|(w, t)| [w, t]))
                .chain(otherwise.iter().map(|e| &**e))
                .collect(),
            Expr::InList { expr, list, .. } => std::iter::once(&**expr).chain(list).collect(),
            Expr::Like { expr, pattern, .. } => vec![expr, pattern],
            Expr::Aggregate(a) => a.arg.iter().chain(&a.filter).collect(),
            Expr::Window(w) => w.children(),
        }
    }

    /// The names of all columns in it.
    pub fn columns(&self) -> BTreeSet<String> {
        let (mut out, mut todo) = (BTreeSet::new(), vec![self]);
        while let Some(e) = todo.pop() {
            if let Expr::Column(name) = e {
                out.insert(name.clone());
            }
            todo.extend(e.children());
        }
        out
    }

    /// Whether an aggregate occurs in it.
    pub fn has_aggregate(&self) -> bool {
        let mut todo = vec![self];
        while let Some(e) = todo.pop() {
            if matches!(e, Expr::Aggregate(_)) {
                return true;
            }
            todo.extend(e.children());
        }
        false
    }

    /// The first window function in it.
    pub fn window(&self) -> Option<&WindowCall> {
        let mut todo = vec![self];
        while let Some(e) = todo.pop() {
            if let Expr::Window(w) = e {
                return Some(w);
            }
            todo.extend(e.children().into_iter().rev());
        }
        None
    }

    /// The length of the longest path from the root to a leaf.
    pub fn depth(&self) -> usize {
        let (mut deepest, mut todo) = (0, vec![(self, 1)]);
        while let Some((e, d)) = todo.pop() {
            deepest = deepest.max(d);
            todo.extend(e.children().into_iter().map(|c| (c, d + 1)));
        }
        deepest
    }

    /// Its type over a table of that schema.
    ///
    /// # Errors
    /// Unknown columns, operands that do not go together.
    pub fn data_type(&self, schema: &Schema) -> Result<DataType> {
        super::bind::type_of(self, schema)
    }

    /// Rewrites it from the leaves up.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map(self, change: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Expr> {
        let mapped = self.map_children(&mut |e| e.map(change))?;
        change(mapped)
    }

    /// The same with `change` applied to each of its direct parts.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map_children(self, change: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Expr> {
        Ok(match self {
            leaf @ (Expr::Column(_) | Expr::Literal(_) | Expr::Place) => leaf,
            Expr::Unary { op, expr } => Expr::Unary {
                op,
                expr: map_box(expr, change)?,
            },
            Expr::Binary { op, left, right } => Expr::Binary {
                op,
                left: map_box(left, change)?,
                right: map_box(right, change)?,
            },
            Expr::Chain { first, rest } => Expr::Chain {
                first: map_box(first, change)?,
                rest: (rest.into_iter())
                    .map(|(op, e)| Ok((op, change(e)?)))
                    .collect::<Result<_>>()?,
            },
            Expr::Function { func, args } => Expr::Function {
                func,
                args: map_all(args, change)?,
            },
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => Expr::Case {
                operand: operand.map(|e| map_box(e, change)).transpose()?,
                branches: (branches.into_iter())
                    .map(|(w, t)| Ok((change(w)?, change(t)?)))
                    .collect::<Result<_>>()?,
                otherwise: otherwise.map(|e| map_box(e, change)).transpose()?,
            },
            Expr::Cast { expr, to, try_ } => Expr::Cast {
                expr: map_box(expr, change)?,
                to,
                try_,
            },
            Expr::InList { expr, list, negated } => Expr::InList {
                expr: map_box(expr, change)?,
                list: map_all(list, change)?,
                negated,
            },
            Expr::Like {
                expr,
                pattern,
                case_insensitive,
                negated,
                escape,
            } => Expr::Like {
                expr: map_box(expr, change)?,
                pattern: map_box(pattern, change)?,
                case_insensitive,
                negated,
                escape,
            },
            Expr::IsNull { expr, negated } => Expr::IsNull {
                expr: map_box(expr, change)?,
                negated,
            },
            Expr::Aggregate(a) => Expr::Aggregate(Box::new(AggCall {
                func: a.func,
                arg: a.arg.map(&mut *change).transpose()?,
                distinct: a.distinct,
                filter: a.filter.map(&mut *change).transpose()?,
            })),
            Expr::Window(mut w) => {
                for e in w.children_mut() {
                    *e = change(std::mem::replace(e, Expr::Place))?;
                }
                Expr::Window(w)
            }
        })
    }

    /// The parts of a chain of `AND`s, left to right.
    pub fn conjuncts(self) -> Vec<Expr> {
        self.chain(BinaryOp::And)
    }

    /// The parts of a chain of one operator, left to right.
    pub(super) fn chain(self, of: BinaryOp) -> Vec<Expr> {
        let (mut out, mut todo) = (vec![], vec![self]);
        while let Some(e) = todo.pop() {
            match e {
                Expr::Binary { op, left, right } if op == of => {
                    todo.push(*right);
                    todo.push(*left);
                }
                other => out.push(other),
            }
        }
        out
    }

    /// The conjunction of the parts; true for none. The tree is balanced, so that long chains
    /// stay shallow.
    pub fn and(list: Vec<Expr>) -> Expr {
        balanced(BinaryOp::And, list).unwrap_or(Expr::Literal(Scalar::Bool(true)))
    }

    /// `column op constant`, if it is that, or the same with the sides exchanged.
    pub fn as_comparison(&self) -> Option<(String, CompareOp, Scalar)> {
        match self {
            Expr::IsNull { expr, negated } => match &**expr {
                Expr::Column(c) => {
                    let op = if *negated {
                        CompareOp::IsNotNull
                    } else {
                        CompareOp::IsNull
                    };
                    Some((c.clone(), op, Scalar::Null))
                }
                _ => None,
            },
            Expr::Binary { op, left, right } => {
                let (column, op, value) = match (&**left, &**right) {
                    (Expr::Column(c), Expr::Literal(v)) => (c, *op, v),
                    (Expr::Literal(v), Expr::Column(c)) => (c, op.flipped(), v),
                    _ => return None,
                };
                let op = match op {
                    BinaryOp::Eq => CompareOp::Eq,
                    BinaryOp::NotEq => CompareOp::NotEq,
                    BinaryOp::Lt => CompareOp::Lt,
                    BinaryOp::LtEq => CompareOp::LtEq,
                    BinaryOp::Gt => CompareOp::Gt,
                    BinaryOp::GtEq => CompareOp::GtEq,
                    _ => return None,
                };
                (*value != Scalar::Null).then(|| (column.clone(), op, value.clone()))
            }
            _ => None,
        }
    }

    /// The name of a result column that nobody named: the column's own, `DepDelay_mean` for
    /// `mean(DepDelay)`, otherwise the text of the expression.
    pub fn default_name(&self) -> String {
        match self {
            Expr::Column(name) => name.clone(),
            Expr::Aggregate(a) if a.filter.is_none() && !a.distinct => match (&a.arg, a.func) {
                (None, _) => a.func.name().to_string(),
                (Some(Expr::Column(c)), AggFunc::Quantile(q)) => format!("{c}_quantile_{q}"),
                (Some(Expr::Column(c)), f) => format!("{c}_{}", f.name()),
                _ => self.to_string(),
            },
            other => other.to_string(),
        }
    }
}

#[allow(clippy::boxed_local)] // the box is what the tree holds
fn map_box(e: Box<Expr>, change: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Box<Expr>> {
    Ok(Box::new(change(*e)?))
}

fn map_all(list: Vec<Expr>, change: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Vec<Expr>> {
    list.into_iter().map(change).collect()
}

/// A balanced tree of one associative operator over the parts.
pub(super) fn balanced(op: BinaryOp, mut list: Vec<Expr>) -> Option<Expr> {
    if list.len() <= 1 {
        return list.pop();
    }
    let right = list.split_off(list.len().div_ceil(2));
    Some(Expr::binary(op, balanced(op, list)?, balanced(op, right)?))
}
