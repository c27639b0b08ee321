//! Column pruning: scans read only what someone above them looks at, projections compute only
//! what is used, aggregates that nobody reads go.

use std::collections::BTreeSet;

use super::Rule;
use super::drop_sorts::DropSorts;
use crate::error::Result;
use crate::expr::{AggCall, Expr, Foremost, WindowCall};
use crate::kernel::types::names_of;
use crate::plan::{LogicalPlan, OrderBy, partition_of};

/// See the module.
pub struct PruneColumns;

type Names = BTreeSet<String>;

impl Rule for PruneColumns {
    fn name(&self) -> &'static str {
        "prune_columns"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let all = names_of(&*plan.schema()?).into_iter().collect();
        // windows that nobody reads leave sorts behind
        DropSorts.rewrite(prune(plan, &all))
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
            let all = || names_of(table.dataset.schema());
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
        LogicalPlan::Window {
            input,
            order,
            ties,
            calls,
            foremost,
        } => window(*input, (order, ties, foremost), calls, used),
        LogicalPlan::Join {
            left,
            right,
            kind,
            on,
            filter,
            asof,
        } => {
            let mut below = with(used, filter.iter().flat_map(|f| f.columns()));
            below.extend(
                on.iter()
                    .map(|(l, r)| (l, r))
                    .chain(asof.iter().map(|a| (&a.left, &a.right)))
                    .flat_map(|(l, r)| l.columns().into_iter().chain(r.columns())),
            );
            LogicalPlan::Join {
                left: Box::new(prune_to(*left, &below)),
                right: Box::new(prune_to(*right, &below)),
                kind,
                on,
                filter,
                asof,
            }
        }
        LogicalPlan::Union { inputs } => union(inputs, used),
        LogicalPlan::Expand {
            input,
            mut lists,
            times,
            totals,
        } => {
            lists.iter_mut().for_each(|l| l.retain(|(n, _)| used.contains(n)));
            let all = lists.iter().flatten().map(|(_, e)| e).chain(&times);
            let below = all.flat_map(Expr::columns).collect();
            LogicalPlan::Expand {
                input: Box::new(prune(*input, &below)),
                lists,
                times,
                totals,
            }
        }
        LogicalPlan::Limit { input, skip, take } => LogicalPlan::Limit {
            input: Box::new(prune(*input, used)),
            skip,
            take,
        },
    }
}

/// Calls that nobody reads go; the order that the last of them gave the rows stays.
fn window(
    input: LogicalPlan,
    (order, ties, foremost): (Vec<OrderBy>, Vec<OrderBy>, Option<Foremost>),
    calls: Vec<(String, WindowCall)>,
    used: &Names,
) -> LogicalPlan {
    let partition = partition_of(&calls).to_vec();
    let calls: Vec<_> = calls.into_iter().filter(|(n, _)| used.contains(n)).collect();
    let by_keys = order.iter().chain(&ties).flat_map(|k| k.expr.columns());
    let mut below = with(used, by_keys);
    below.extend(partition.iter().flat_map(Expr::columns));
    below.extend((calls.iter()).flat_map(|(_, c)| c.children().into_iter().flat_map(Expr::columns)));
    // by name a call's column may stand among those used, but never below its own node
    let input = prune_to(input, &below);
    if calls.is_empty() {
        let ascending = partition.into_iter().map(|expr| OrderBy {
            expr,
            descending: false,
            nulls_first: false,
        });
        return input.sorted(ascending.chain(order).chain(ties).collect());
    }
    LogicalPlan::Window {
        input: Box::new(input),
        order,
        ties,
        calls,
        foremost,
    }
}

/// The inputs of a union keep the same columns, by place.
fn union(inputs: Vec<LogicalPlan>, used: &Names) -> LogicalPlan {
    let names = |p: &LogicalPlan| p.schema().map_or_else(|_| Vec::new(), |s| names_of(&s));
    let first = inputs.first().map(names).unwrap_or_default();
    let kept: Vec<bool> = first.iter().map(|n| used.contains(n)).collect();
    let inputs = inputs.into_iter().map(|input| {
        let own = names(&input);
        let wanted: Vec<String> = own
            .into_iter()
            .zip(&kept)
            .filter(|(_, k)| **k)
            .map(|(n, _)| n)
            .collect();
        let input = prune(input, &wanted.iter().cloned().collect());
        // exactly these, in this order
        let exprs = wanted.into_iter().map(|n| (n.clone(), Expr::Column(n))).collect();
        LogicalPlan::Project {
            input: Box::new(input),
            exprs,
        }
    });
    LogicalPlan::Union {
        inputs: inputs.collect(),
    }
}

/// As [`prune`], for names that may belong to another input.
fn prune_to(plan: LogicalPlan, used: &Names) -> LogicalPlan {
    let own: Names = match plan.schema() {
        Ok(s) => names_of(&s).into_iter().filter(|n| used.contains(n)).collect(),
        Err(_) => used.clone(),
    };
    prune(plan, &own)
}

fn with(used: &Names, more: impl IntoIterator<Item = String>) -> Names {
    used.iter().cloned().chain(more).collect()
}
