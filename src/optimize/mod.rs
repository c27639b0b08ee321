//! The rules that rewrite a plan into a cheaper one with the same answer.
//!
//! ```text
//!   LogicalPlan ─ fold ─ push_filter ─ push_limit ─ prune_columns ─► LogicalPlan
//! ```
//!
//! One file a rule; [`RULES`] is their order, and each runs once, because each walks the whole
//! plan. A rule never changes an answer, an error or the order of rows: the property test in
//! `tests/` runs queries with and without them.

mod fold;
mod prune_columns;
mod push_filter;
mod push_limit;

use crate::error::Result;
use crate::plan::LogicalPlan;

/// A rewrite of plans.
pub trait Rule: Sync {
    /// Its name in `ddf explain -v`.
    fn name(&self) -> &'static str;
    /// A plan with the same answer.
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan>;
}

/// All rules, in the order in which they run.
pub const RULES: &[&dyn Rule] = &[
    &fold::Fold,
    &push_filter::PushFilter,
    &push_limit::PushLimit,
    &prune_columns::PruneColumns,
];

/// Runs every rule once.
pub fn optimize(mut plan: LogicalPlan) -> Result<LogicalPlan> {
    for rule in RULES {
        plan = rule.rewrite(plan)?;
    }
    Ok(plan)
}
