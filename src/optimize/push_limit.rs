//! Limits sink: through projections, into sorts (which become top-n) and scans (which stop).

use super::Rule;
use crate::error::Result;
use crate::plan::LogicalPlan;

/// See the module.
pub struct PushLimit;

impl Rule for PushLimit {
    fn name(&self) -> &'static str {
        "push_limit"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = match plan {
            LogicalPlan::Limit {
                input,
                skip,
                take: Some(take),
            } => {
                let rows = skip.saturating_add(take);
                LogicalPlan::Limit {
                    input: Box::new(hint(*input, rows)),
                    skip,
                    take: Some(take),
                }
            }
            other => other,
        };
        plan.map_inputs(&mut |p| self.rewrite(p))
    }
}

/// Tells the operators below that only the first `rows` rows are looked at.
fn hint(plan: LogicalPlan, rows: u64) -> LogicalPlan {
    let least = |limit: Option<u64>| Some(limit.map_or(rows, |n| n.min(rows)));
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit,
        } => LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit: least(limit),
        },
        LogicalPlan::Sort { input, keys, limit } => LogicalPlan::Sort {
            input,
            keys,
            limit: least(limit),
        },
        LogicalPlan::Project { input, exprs } => LogicalPlan::Project {
            input: Box::new(hint(*input, rows)),
            exprs,
        },
        LogicalPlan::Union { inputs } => LogicalPlan::Union {
            inputs: inputs.into_iter().map(|p| hint(p, rows)).collect(),
        },
        other => other,
    }
}
