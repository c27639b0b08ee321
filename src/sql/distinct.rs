//! DISTINCT ON: the first row of each key.

use super::Planner;
use crate::error::Result;
use crate::expr::{AggCall, AggFunc, Expr, ordered_by};
use crate::plan::{LogicalPlan, OrderBy};

impl Planner<'_> {
    /// Of the rows that have the same keys the first by an order, and the order of the keys.
    pub(super) fn first_of_each(
        &mut self,
        plan: LogicalPlan,
        on: Vec<Expr>,
        order: &[OrderBy],
    ) -> Result<(LogicalPlan, Vec<OrderBy>)> {
        let schema = plan.schema()?;
        let keys: Vec<(String, Expr)> = on.into_iter().map(|e| (self.fresh("key"), e)).collect();
        let terms = || {
            order
                .iter()
                .map(|k| (k.expr.clone(), k.descending, k.nulls_first))
        };
        let first = |name: &String| AggCall {
            func: AggFunc::First,
            arg: Some(ordered_by(Expr::column(name), terms())),
            distinct: false,
            filter: None,
        };
        let columns = schema.fields().iter().map(|f| f.name());
        let aggs = columns.map(|n| (n.clone(), first(n))).collect();
        let by_key = keys.iter().map(|(n, _)| OrderBy::ascending(n)).collect();
        let plan = LogicalPlan::Aggregate {
            input: Box::new(plan),
            keys,
            aggs,
        };
        plan.schema()?;
        Ok((plan, by_key))
    }
}
