//! The rules that rewrite a plan into a cheaper one with the same answer.
//!
//! ```text
//!   LogicalPlan ─ fold ─ nothing ─ push_filter ─ limit_ranks ─ drop_sorts ─ order_joins ─ push_limit ─ prune_columns ─► LogicalPlan
//! ```
//!
//! One file a rule; [`rules`] is their order, and each runs once, because each walks the whole
//! plan. A rule never changes an answer, an error or an order of rows that was promised: the property test in
//! `tests/` runs queries with and without them.

mod drop_sorts;
mod fold;
mod limit_ranks;
mod nothing;
mod order_joins;
mod prune_columns;
mod push_filter;
mod push_limit;
mod row_order;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::plan::LogicalPlan;

/// A rewrite of plans.
pub trait Rule: Sync {
    /// Its name in `ddf explain -v`.
    fn name(&self) -> &'static str;
    /// A plan with the same answer.
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan>;
}

/// What is promised of the order of the result's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// That of the input, or of the left input of a join.
    Promised,
    /// None but what the plan sorts by: SQL.
    Any,
}

/// All rules, in the order in which they run.
pub fn rules(order: RowOrder) -> [&'static dyn Rule; 8] {
    let order: &dyn Rule = match order {
        RowOrder::Promised => &order_joins::OrderJoins { promised: true },
        RowOrder::Any => &order_joins::OrderJoins { promised: false },
    };
    [
        &fold::Fold,
        &nothing::Nothing,
        &push_filter::PushFilter,
        &limit_ranks::LimitRanks,
        &drop_sorts::DropSorts,
        order,
        &push_limit::PushLimit,
        &prune_columns::PruneColumns,
    ]
}

/// Runs every rule once.
///
/// # Errors
/// A fault of a rule.
pub fn optimize(mut plan: LogicalPlan, order: RowOrder) -> Result<LogicalPlan> {
    for rule in rules(order) {
        plan = rule.rewrite(plan)?;
    }
    Ok(plan)
}
