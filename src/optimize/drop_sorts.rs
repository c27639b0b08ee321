//! Sorts that nobody sees go, and a sort over a sort becomes one.
//!
//! ```text
//!   Aggregate [x]              Aggregate [x]         Sort [n]             Sort [n k]
//!     Sort [k]           ─►      Aggregate [k]         Project       ─►     Project
//!       Aggregate [k]                                    Sort [k]             Aggregate [k]
//! ```
//!
//! Rows that tie keep their order, so the keys of the lower sort stand behind those of the upper one. A key that
//! the projection between them leaves behind goes along under a name of its own.

use super::Rule;
use super::row_order::{Seen, below, names_place, sees_ties};
use crate::error::Result;
use crate::expr::{Expr, OrderBy};
use crate::plan::LogicalPlan;

/// See the module.
pub struct DropSorts;

impl Rule for DropSorts {
    fn name(&self) -> &'static str {
        "drop_sorts"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        rewrite(plan, &Seen::all())
    }
}

fn rewrite(plan: LogicalPlan, seen: &Seen) -> Result<LogicalPlan> {
    let plan = match plan {
        LogicalPlan::Sort {
            input,
            keys,
            limit: None,
        } if decides_nothing(&keys, seen) => return rewrite(*input, seen),
        LogicalPlan::Sort { input, keys, limit } => merged(*input, keys, limit)?,
        other => other,
    };
    let mut seen = below(&plan, seen).into_iter();
    plan.map_inputs(&mut |input| rewrite(input, &seen.next().unwrap_or_else(Seen::all)))
}

/// Whether rows whose order is seen all tie.
fn decides_nothing(keys: &[OrderBy], seen: &Seen) -> bool {
    match seen {
        Seen::Nothing => true,
        Seen::Among(agree) => {
            let tied = |k: &OrderBy| matches!(&k.expr, Expr::Column(c) if agree.contains(c));
            keys.iter().all(tied)
        }
    }
}

/// A sort, with the keys of the one below it behind its own, where the order of its input is seen.
fn merged(input: LogicalPlan, mut keys: Vec<OrderBy>, limit: Option<u64>) -> Result<LogicalPlan> {
    let before = input.schema()?;
    let mut hidden = 0;
    let (input, more) = match sees_ties(&before, &keys) {
        true => lift(input, &mut hidden),
        false => (input, Vec::new()),
    };
    for k in more {
        if !keys.iter().any(|own| own.expr == k.expr) {
            keys.push(k);
        }
    }
    let plan = LogicalPlan::Sort {
        input: Box::new(input),
        keys,
        limit,
    };
    Ok(match hidden {
        0 => plan,
        _ => LogicalPlan::Project {
            input: Box::new(plan),
            exprs: Expr::columns_of(&before),
        },
    })
}

/// The rows of a plan in no order, and the keys that give them the one they had.
fn lift(plan: LogicalPlan, hidden: &mut usize) -> (LogicalPlan, Vec<OrderBy>) {
    if names_place(&plan) {
        return (plan, Vec::new());
    }
    match plan {
        LogicalPlan::Sort {
            input,
            mut keys,
            limit: None,
        } => {
            let (input, more) = lift(*input, hidden);
            keys.extend(more);
            (input, keys)
        }
        LogicalPlan::Filter { input, predicate } => {
            let (input, keys) = lift(*input, hidden);
            let plan = LogicalPlan::Filter {
                input: Box::new(input),
                predicate,
            };
            (plan, keys)
        }
        LogicalPlan::Project { input, mut exprs } => {
            let (input, keys) = lift(*input, hidden);
            let keys = keys.into_iter().map(|k| {
                let name = match exprs.iter().find(|(_, e)| *e == k.expr) {
                    Some((name, _)) => name.clone(),
                    None => {
                        *hidden += 1;
                        let name = format!("\u{1}order{hidden}");
                        exprs.push((name.clone(), k.expr));
                        name
                    }
                };
                OrderBy {
                    expr: Expr::Column(name),
                    ..k
                }
            });
            let keys = keys.collect();
            let plan = LogicalPlan::Project {
                input: Box::new(input),
                exprs,
            };
            (plan, keys)
        }
        other => (other, Vec::new()),
    }
}
