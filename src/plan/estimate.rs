//! How many rows a plan will yield, guessed from metadata and samples: only the choice among equal plans hangs on it.
//!
//! ```text
//!   scan        rows that Parquet's metadata or a sample of CSV tell, times the part that passes (see `share`)
//!   filter      x = c: one of the distinct values;  ranges: their part of min..max;  else a usual part
//!   join        |left| · |right| / distinct values of all keys together, on the side that has more
//!   aggregate   the distinct values of its keys, at most the rows
//! ```
//!
//! The rules are those of System R (Selinger and others, "Access path selection in a relational
//! database management system", 1979). Several keys of one side have no more different values together than
//! that side has rows: an order's number and line are no more than the lines of all orders.

use std::collections::HashMap;

use super::LogicalPlan;
use super::share::{EQUAL, UNKNOWN};
use crate::expr::{Expr, Func, JoinKind};

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

    /// About how many rows there were before any were left out: no keys together have more different values.
    pub fn all_rows(&self) -> f64 {
        Guess::default().all(self)
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
            LogicalPlan::Scan { filter, limit, .. } => {
                let part = filter.as_ref().map_or(1.0, |f| plan.share(f));
                limited(plan.table_rows() * part, *limit)
            }
            LogicalPlan::Expand { input, lists, .. } => self.rows(input) * lists.len() as f64,
            LogicalPlan::Filter { input, predicate } => self.rows(input) * input.share(predicate),
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
                let (a, b) = on.iter().cloned().unzip::<_, _, Vec<_>, Vec<_>>();
                let (of_left, of_right) = (self.together(left, &a), self.together(right, &b));
                let (distinct, unsure) = (
                    of_left.max(of_right),
                    if filter.is_some() { UNKNOWN } else { 1.0 },
                );
                let both = l * r / distinct * unsure;
                // how often a key is on the right does not matter
                let met = l * (r.min(of_right) / distinct * unsure).min(1.0);
                match kind {
                    // one row at most for each of the left
                    JoinKind::Inner | JoinKind::Left if asof.is_some() => l,
                    JoinKind::Inner => both,
                    JoinKind::Left => both.max(l),
                    JoinKind::Semi => met,
                    JoinKind::Anti => (l - met).max(l * EQUAL),
                }
            }
        }
    }

    /// The different values that keys have together.
    fn together(&mut self, plan: &LogicalPlan, keys: &[Expr]) -> f64 {
        let each: f64 = keys.iter().map(|e| self.distinct(plan, e).max(1.0)).product();
        match keys.len() {
            0 | 1 => each,
            _ => each.min(self.all(plan)).max(1.0),
        }
    }

    /// The rows before any were left out.
    fn all(&mut self, plan: &LogicalPlan) -> f64 {
        match plan {
            LogicalPlan::Scan { .. } => plan.table_rows(),
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Project { input, .. }
            | LogicalPlan::Window { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Limit { input, .. } => self.all(input),
            LogicalPlan::Join {
                left, right, kind, ..
            } => match kind {
                JoinKind::Semi | JoinKind::Anti => self.all(left),
                JoinKind::Inner | JoinKind::Left => self.all(left).max(self.all(right)).max(self.rows(plan)),
            },
            LogicalPlan::Aggregate { .. } | LogicalPlan::Union { .. } | LogicalPlan::Expand { .. } => {
                self.rows(plan)
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
            e => {
                let rows = self.rows(plan).max(1.0);
                return plan.sampled_distinct(e).map_or(rows, |d| d.min(rows));
            }
        };
        let found = match plan {
            LogicalPlan::Scan { .. } => plan.scanned_distinct(name),
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
