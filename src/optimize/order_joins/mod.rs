//! The order of inner joins: what leaves few rows comes first, what is small is built, no cross product
//! stands where an equality connects.
//!
//! ```text
//!          ⋈                 inner joins one above the other are taken apart into their inputs, the
//!        ⋈   c               equalities between these and further conditions ([`parts`]); the rows of any
//!      a   b                 set of inputs, joined, are guessed ([`rows`]), and of all trees over sets that
//!   ─► {a, b, c}, a.x = c.x  equalities connect the cheapest is laid ([`search`])
//!   ─► (c ⋈ a) ⋈ b
//! ```
//!
//! A join hands on the rows of its left in their order, and queries by flags promise that order. So joins
//! are reordered only where nobody can see it: below groups, on the right of semi and anti joins, and
//! everywhere in SQL, which promises no order but that of ORDER BY. Outer, semi and anti joins stay where
//! they are; what lies below them is ordered by itself.

mod parts;
mod rows;
mod search;

use super::Rule;
use super::row_order::names_place;
use crate::error::Result;
use crate::expr::{AggCall, Expr, JoinKind};
use crate::kernel::types;
use crate::plan::LogicalPlan;

/// See the module.
pub struct OrderJoins {
    /// Whether the order of the result's rows is promised.
    pub promised: bool,
}

/// The right side of a semi or anti join is built as it is if it has fewer rows than this,
const MANY: f64 = 20_000.0;
/// or not so many times those of the left.
const MUCH_SMALLER: f64 = 16.0;

impl Rule for OrderJoins {
    fn name(&self) -> &'static str {
        "order_joins"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let seen = self.promised || has_place(&plan);
        rewrite(plan, seen)
    }
}

/// Whether something in the plan depends on the places of rows.
fn has_place(plan: &LogicalPlan) -> bool {
    names_place(plan) || plan.inputs().into_iter().any(has_place)
}

/// Of the right side of a semi or anti join the rows that have a key of the left, where the left is much smaller:
/// its keys are built, the right goes by, and only what is left of it is built as well.
fn met(left: &LogicalPlan, right: LogicalPlan, on: &[(Expr, Expr)]) -> Result<LogicalPlan> {
    let rows = right.estimated_rows();
    if on.is_empty() || rows < MANY || left.estimated_rows() * MUCH_SMALLER > rows {
        return Ok(right);
    }
    let mark = types::hidden('\u{1}', &types::names_of(&*right.schema()?));
    let name = |i: usize| format!("{mark}met{i}");
    let keys = on.iter().enumerate().map(|(i, (l, _))| (name(i), l.clone()));
    let keys = LogicalPlan::Project {
        exprs: keys.collect(),
        input: Box::new(left.clone()),
    };
    let equal = on.iter().enumerate();
    let equal = equal.map(|(i, (_, r))| (r.clone(), Expr::Column(name(i))));
    Ok(LogicalPlan::Join {
        on: equal.collect(),
        left: Box::new(right),
        right: Box::new(keys),
        kind: JoinKind::Semi,
        filter: None,
        asof: None,
    })
}

/// Reorders joins below `plan`; `seen`: the order in which its rows come can be seen.
fn rewrite(plan: LogicalPlan, seen: bool) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Aggregate { input, keys, aggs } => {
            let by_order = |(_, a): &(String, AggCall)| a.func.sees_order();
            let seen = aggs.iter().any(by_order);
            Ok(LogicalPlan::Aggregate {
                input: Box::new(rewrite(*input, seen)?),
                keys,
                aggs,
            })
        }
        LogicalPlan::Join {
            left,
            right,
            kind: kind @ (JoinKind::Semi | JoinKind::Anti),
            on,
            filter,
            asof: None,
        } => {
            let left = rewrite(*left, seen)?;
            let right = met(&left, rewrite(*right, false)?, &on)?;
            Ok(LogicalPlan::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind,
                on,
                filter,
                asof: None,
            })
        }
        // which of two rows that are equally near is taken depends on the order of the right
        LogicalPlan::Join {
            left,
            right,
            kind,
            on,
            filter,
            asof: asof @ Some(_),
        } => Ok(LogicalPlan::Join {
            left: Box::new(rewrite(*left, seen)?),
            right: Box::new(rewrite(*right, true)?),
            kind,
            on,
            filter,
            asof,
        }),
        join @ LogicalPlan::Join {
            kind: JoinKind::Inner,
            ..
        } if !seen => parts::reorder(join),
        other => other.map_inputs(&mut |p| rewrite(p, seen)),
    }
}
