//! How many rows a plan will yield, guessed from metadata: only the choice among equal plans hangs on it.
//!
//! ```text
//!   scan        rows that Parquet's metadata or a sample of CSV tell, times the part that passes
//!   filter      x = c: one of the distinct values;  ranges: their part of min..max;  else a usual part
//!   join        |left| · |right| / distinct values of the key, on the side that has more
//!   aggregate   the distinct values of its keys, at most the rows
//! ```
//!
//! The rules are those of System R (Selinger and others, "Access path selection in a relational
//! database management system", 1979).

use std::collections::HashMap;

use super::LogicalPlan;
use crate::expr::{BinaryOp, CompareOp, Expr, Func, JoinKind};
use crate::kernel::Scalar;

/// The part of the rows that pass a condition of which nothing is known,
const UNKNOWN: f64 = 0.25;
/// one that compares a text or the like with a constant,
const EQUAL: f64 = 0.1;
/// one that is a range with an end,
const RANGE: f64 = 0.33;
/// and one that looks for text within text.
const LIKE: f64 = 0.1;

impl LogicalPlan {
    /// About how many rows it yields.
    pub fn estimated_rows(&self) -> f64 {
        Guess::default().rows(self)
    }

    /// About how many different values an expression has over the rows, before any were left out: of
    /// keys, those that are left out of one side of a join are usually missed by the other.
    pub fn distinct(&self, e: &Expr) -> f64 {
        Guess::default().distinct(self, e)
    }

    /// How many values lie between the least and the greatest of a whole-numbered column of a scan.
    fn span(&self, name: &str) -> Option<f64> {
        match self.range(name)? {
            (Scalar::Int(a), Scalar::Int(b)) => Some(b as f64 - a as f64 + 1.0),
            (Scalar::Date(a), Scalar::Date(b)) => Some(f64::from(b) - f64::from(a) + 1.0),
            _ => None,
        }
    }

    /// The least and the greatest value of a column of a scan.
    fn range(&self, name: &str) -> Option<(Scalar, Scalar)> {
        let LogicalPlan::Scan { table, .. } = self else {
            return None;
        };
        let column = table.dataset.schema().index_of(name).ok()?;
        table.dataset.range(column)
    }

    /// The part of the rows for which a condition is true.
    fn part(&self, e: &Expr) -> f64 {
        if let Some((name, op, value)) = e.as_comparison() {
            return self.compared(&name, op, &value);
        }
        let part = match e {
            Expr::Binary { op, left, right } => match op {
                BinaryOp::And => self.part(left) * self.part(right),
                BinaryOp::Or => self.part(left) + self.part(right),
                BinaryOp::Eq => EQUAL,
                _ => RANGE,
            },
            Expr::InList { list, negated, .. } => {
                let part = (list.len() as f64 * EQUAL).min(0.5);
                if *negated { 1.0 - part } else { part }
            }
            Expr::Like { negated, .. } => {
                if *negated {
                    1.0 - LIKE
                } else {
                    LIKE
                }
            }
            Expr::Literal(Scalar::Bool(true)) => 1.0,
            Expr::Literal(_) => 0.0,
            _ => UNKNOWN,
        };
        part.clamp(0.0, 1.0)
    }

    /// The same for `column op constant`.
    fn compared(&self, name: &str, op: CompareOp, value: &Scalar) -> f64 {
        let below = self.below(name, value);
        match op {
            CompareOp::Eq => self.span(name).map_or(EQUAL, |s| (1.0 / s.max(1.0)).min(EQUAL)),
            CompareOp::NotEq => 1.0 - EQUAL,
            CompareOp::Lt | CompareOp::LtEq => below.unwrap_or(RANGE),
            CompareOp::Gt | CompareOp::GtEq => below.map_or(RANGE, |b| 1.0 - b),
            CompareOp::IsNull => EQUAL,
            CompareOp::IsNotNull => 1.0,
        }
    }

    /// The part of a column's range that lies below a value.
    fn below(&self, name: &str, value: &Scalar) -> Option<f64> {
        let (min, max) = self.range(name)?;
        let (min, max, at) = (number(&min)?, number(&max)?, number(value)?);
        (min < max).then(|| ((at - min) / (max - min)).clamp(0.0, 1.0))
    }
}

/// What was guessed already: rows hang on distinct values and these on rows, at every node.
#[derive(Default)]
struct Guess {
    rows: HashMap<*const LogicalPlan, f64>,
}

impl Guess {
    fn rows(&mut self, plan: &LogicalPlan) -> f64 {
        if let Some(known) = self.rows.get(&std::ptr::from_ref(plan)) {
            return *known;
        }
        let rows = self.rows_of(plan);
        self.rows.insert(plan, rows);
        rows
    }

    fn rows_of(&mut self, plan: &LogicalPlan) -> f64 {
        match plan {
            LogicalPlan::Scan {
                table, filter, limit, ..
            } => {
                let all = table.dataset.estimated_rows() as f64;
                let part = filter.as_ref().map_or(1.0, |f| plan.part(f));
                limited(all * part, *limit)
            }
            LogicalPlan::Expand { input, lists, .. } => self.rows(input) * lists.len() as f64,
            LogicalPlan::Filter { input, predicate } => self.rows(input) * input.part(predicate),
            LogicalPlan::Project { input, .. } | LogicalPlan::Window { input, .. } => self.rows(input),
            LogicalPlan::Aggregate { input, keys, .. } => {
                let rows = self.rows(input);
                let distinct = keys.iter().map(|(_, e)| self.distinct(input, e));
                distinct.product::<f64>().min(rows)
            }
            LogicalPlan::Sort { input, limit, .. } => limited(self.rows(input), *limit),
            LogicalPlan::Limit { input, take, .. } => limited(self.rows(input), *take),
            LogicalPlan::Union { inputs } => inputs.iter().map(|p| self.rows(p)).sum(),
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => {
                let (l, r) = (self.rows(left), self.rows(right));
                let distinct = on
                    .iter()
                    .map(|(a, b)| self.distinct(left, a).max(self.distinct(right, b)).max(1.0));
                let both = l * r / distinct.product::<f64>().max(1.0);
                let both = if filter.is_some() { both * UNKNOWN } else { both };
                match kind {
                    // one row at most for each of the left
                    JoinKind::Inner | JoinKind::Left if asof.is_some() => l,
                    JoinKind::Inner => both,
                    JoinKind::Left => both.max(l),
                    JoinKind::Semi => both.min(l),
                    JoinKind::Anti => (l - both).max(l * EQUAL),
                }
            }
        }
    }

    fn distinct(&mut self, plan: &LogicalPlan, e: &Expr) -> f64 {
        let name = match e {
            Expr::Column(name) => name,
            Expr::IsNull { .. } => return 2.0,
            // as of keys that are equal where both are null
            Expr::Function {
                func: Func::Coalesce,
                args,
            } if matches!(args.as_slice(), [Expr::Column(_), Expr::Literal(_)]) => {
                return self.distinct(plan, &args[0]);
            }
            e if e.columns().is_empty() => return 1.0,
            _ => return self.rows(plan).max(1.0),
        };
        let found = match plan {
            LogicalPlan::Scan { table, .. } => {
                let all = table.dataset.estimated_rows() as f64;
                plan.span(name).map_or(all, |s| s.min(all))
            }
            LogicalPlan::Project { input, exprs } => match exprs.iter().find(|(n, _)| n == name) {
                Some((_, e)) => self.distinct(input, e),
                None => self.rows(plan),
            },
            LogicalPlan::Aggregate { input, keys, .. } => match keys.iter().find(|(n, _)| n == name) {
                Some((_, e)) => self.distinct(input, e),
                None => self.rows(plan),
            },
            LogicalPlan::Window { calls, .. } if calls.iter().any(|(n, _)| n == name) => self.rows(plan),
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Window { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Limit { input, .. } => self.distinct(input, e),
            LogicalPlan::Join { left, right, .. } => {
                let of = |side: &LogicalPlan| side.schema().is_ok_and(|s| s.index_of(name).is_ok());
                match () {
                    _ if of(left) => self.distinct(left, e),
                    _ if of(right) => self.distinct(right, e),
                    _ => self.rows(plan),
                }
            }
            LogicalPlan::Union { .. } | LogicalPlan::Expand { .. } => self.rows(plan),
        };
        found.max(1.0)
    }
}

fn limited(rows: f64, limit: Option<u64>) -> f64 {
    limit.map_or(rows, |n| rows.min(n as f64))
}

fn number(value: &Scalar) -> Option<f64> {
    Some(match value {
        Scalar::Int(v) => *v as f64,
        Scalar::Float(v) if v.is_finite() => *v,
        Scalar::Date(v) => f64::from(*v),
        Scalar::Timestamp(v, _) => *v as f64,
        Scalar::Decimal(v, _, scale) => *v as f64 / 10f64.powi(i32::from(*scale)),
        _ => return None,
    })
}
