//! Constant folding: what needs no row is computed once, and filters that are always true go.

use super::Rule;
use crate::error::Result;
use crate::expr::{self, Expr};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

/// See the module.
pub struct Fold;

impl Rule for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = plan.map_inputs(&mut |p| self.rewrite(p))?;
        Ok(match plan {
            LogicalPlan::Filter { input, predicate } => match expr::fold(predicate) {
                Expr::Literal(Scalar::Bool(true)) => *input,
                predicate => LogicalPlan::Filter { input, predicate },
            },
            LogicalPlan::Project { input, exprs } => {
                let exprs = exprs.into_iter().map(|(n, e)| (n, expr::fold(e))).collect();
                LogicalPlan::Project { input, exprs }
            }
            LogicalPlan::Aggregate {
                input,
                keys,
                mut aggs,
            } => {
                for (_, call) in &mut aggs {
                    call.arg = call.arg.take().map(expr::fold);
                    call.filter = call.filter.take().map(expr::fold);
                }
                LogicalPlan::Aggregate { input, keys, aggs }
            }
            LogicalPlan::Expand {
                input,
                lists,
                times,
                totals,
            } => {
                let folded = |l: Vec<(String, Expr)>| l.into_iter().map(|(n, e)| (n, expr::fold(e))).collect();
                LogicalPlan::Expand {
                    input,
                    lists: lists.into_iter().map(folded).collect(),
                    times: times.map(expr::fold),
                    totals,
                }
            }
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
            } => LogicalPlan::Join {
                left,
                right,
                kind,
                on: on
                    .into_iter()
                    .map(|(l, r)| (expr::fold(l), expr::fold(r)))
                    .collect(),
                filter: filter.map(expr::fold),
            },
            other => other,
        })
    }
}
