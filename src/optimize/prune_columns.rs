//! Column pruning: scans read only what someone above them looks at, projections compute only
//! what is used, aggregates that nobody reads go.

use std::collections::BTreeSet;

use super::Rule;
use crate::error::Result;
use crate::expr::{AggCall, Expr};
use crate::plan::{LogicalPlan, OrderBy};

/// See the module.
pub struct PruneColumns;

type Names = BTreeSet<String>;

impl Rule for PruneColumns {
    fn name(&self) -> &'static str {
        "prune_columns"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let all: Names = plan.schema()?.fields().iter().map(|f| f.name().clone()).collect();
        Ok(prune(plan, &all))
    }
}

/// The plan, yielding at least the columns in `used`.
fn prune(plan: LogicalPlan, used: &Names) -> LogicalPlan {
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit,
        } => {
            let all = || {
                table
                    .dataset
                    .schema()
                    .fields()
                    .iter()
                    .map(|f| f.name().clone())
                    .collect()
            };
            let kept: Vec<String> = columns
                .unwrap_or_else(all)
                .into_iter()
                .filter(|c| used.contains(c))
                .collect();
            LogicalPlan::Scan {
                table,
                columns: Some(kept),
                filter,
                limit,
            }
        }
        LogicalPlan::Filter { input, predicate } => {
            let below = with(used, predicate.columns());
            LogicalPlan::Filter {
                input: Box::new(prune(*input, &below)),
                predicate,
            }
        }
        LogicalPlan::Project { input, exprs } => {
            let exprs: Vec<(String, Expr)> = exprs.into_iter().filter(|(n, _)| used.contains(n)).collect();
            let below = exprs.iter().flat_map(|(_, e)| e.columns()).collect();
            LogicalPlan::Project {
                input: Box::new(prune(*input, &below)),
                exprs,
            }
        }
        LogicalPlan::Aggregate { input, keys, aggs } => {
            let aggs: Vec<(String, AggCall)> = aggs.into_iter().filter(|(n, _)| used.contains(n)).collect();
            let keys_use = keys.iter().flat_map(|(_, e)| e.columns());
            let aggs_use = aggs
                .iter()
                .flat_map(|(_, a)| a.arg.iter().chain(&a.filter).flat_map(Expr::columns));
            let below = keys_use.chain(aggs_use).collect();
            LogicalPlan::Aggregate {
                input: Box::new(prune(*input, &below)),
                keys,
                aggs,
            }
        }
        LogicalPlan::Sort { input, keys, limit } => {
            let below = with(used, keys.iter().flat_map(|k: &OrderBy| k.expr.columns()));
            LogicalPlan::Sort {
                input: Box::new(prune(*input, &below)),
                keys,
                limit,
            }
        }
        LogicalPlan::Limit { input, skip, take } => LogicalPlan::Limit {
            input: Box::new(prune(*input, used)),
            skip,
            take,
        },
    }
}

fn with(used: &Names, more: impl IntoIterator<Item = String>) -> Names {
    used.iter().cloned().chain(more).collect()
}
