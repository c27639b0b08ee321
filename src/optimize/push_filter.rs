//! Filters sink towards the files: through projections (with their expressions put in place of
//! the names), sorts, and the keys of aggregates, into the scan.

use std::collections::HashMap;

use super::Rule;
use crate::error::Result;
use crate::expr::Expr;
use crate::plan::LogicalPlan;

/// See the module.
pub struct PushFilter;

impl Rule for PushFilter {
    fn name(&self) -> &'static str {
        "push_filter"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Filter { input, predicate } => {
                let mut pushed = *input;
                let mut kept = Vec::new();
                for part in predicate.conjuncts() {
                    let (p, rest) = push(pushed, part)?;
                    pushed = p;
                    kept.extend(rest);
                }
                let input = self.rewrite(pushed)?;
                Ok(rewrap(input, conjunction(kept)))
            }
            other => other.map_input(|p| self.rewrite(p)),
        }
    }
}

/// Puts a conjunct as deep into `plan` as it can go; gives it back if it cannot enter at all.
fn push(plan: LogicalPlan, part: Expr) -> Result<(LogicalPlan, Option<Expr>)> {
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit: None,
        } => {
            let filter = conjunction(filter.into_iter().chain([part]).collect());
            Ok((
                LogicalPlan::Scan {
                    table,
                    columns,
                    filter,
                    limit: None,
                },
                None,
            ))
        }
        LogicalPlan::Filter { input, predicate } => {
            let (input, rest) = push(*input, part)?;
            let predicate = conjunction([predicate].into_iter().chain(rest).collect());
            Ok((rewrap(input, predicate), None))
        }
        LogicalPlan::Sort {
            input,
            keys,
            limit: None,
        } => {
            let (input, rest) = push(*input, part)?;
            let input = Box::new(rewrap(input, rest));
            Ok((
                LogicalPlan::Sort {
                    input,
                    keys,
                    limit: None,
                },
                None,
            ))
        }
        LogicalPlan::Project { input, exprs } => {
            let part = substitute(part, &exprs)?;
            let (input, rest) = push(*input, part)?;
            Ok((
                LogicalPlan::Project {
                    input: Box::new(rewrap(input, rest)),
                    exprs,
                },
                None,
            ))
        }
        LogicalPlan::Aggregate { input, keys, aggs } if only_uses(&part, &keys) => {
            let below = substitute(part, &keys)?;
            let (input, rest) = push(*input, below)?;
            Ok((
                LogicalPlan::Aggregate {
                    input: Box::new(rewrap(input, rest)),
                    keys,
                    aggs,
                },
                None,
            ))
        }
        other => Ok((other, Some(part))),
    }
}

fn rewrap(input: LogicalPlan, predicate: Option<Expr>) -> LogicalPlan {
    match predicate {
        None => input,
        Some(predicate) => LogicalPlan::Filter {
            input: Box::new(input),
            predicate,
        },
    }
}

fn conjunction(parts: Vec<Expr>) -> Option<Expr> {
    (!parts.is_empty()).then(|| Expr::and(parts))
}

/// A filter without columns must not sink below an aggregate without keys (which yields a row even
/// of nothing), so at least one key is asked for.
fn only_uses(part: &Expr, keys: &[(String, Expr)]) -> bool {
    let columns = part.columns();
    !columns.is_empty() && columns.iter().all(|c| keys.iter().any(|(k, _)| k == c))
}

fn substitute(part: Expr, exprs: &[(String, Expr)]) -> Result<Expr> {
    let by_name: HashMap<&str, &Expr> = exprs.iter().map(|(n, e)| (n.as_str(), e)).collect();
    part.map(&mut |e| {
        Ok(match &e {
            Expr::Column(c) => by_name.get(c.as_str()).map(|x| (*x).clone()).unwrap_or(e),
            _ => e,
        })
    })
}
