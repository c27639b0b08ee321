//! The full outer join, made of the joins that the engine has.

use super::LogicalPlan;
use crate::error::Result;
use crate::expr::{Expr, JoinKind};

impl LogicalPlan {
    /// Pairs that match, left rows without a match, and then the right rows without one, nulls on the
    /// other side. No name stands on both sides.
    ///
    /// # Errors
    /// An input does not hold together, or has a column of a type that has no null of its own.
    pub fn full_join(
        left: LogicalPlan,
        right: LogicalPlan,
        on: Vec<(Expr, Expr)>,
        filter: Option<Expr>,
    ) -> Result<LogicalPlan> {
        let (ls, rs) = (left.schema()?, right.schema()?);
        let nulls = ls
            .fields()
            .iter()
            .map(|f| Ok((f.name().clone(), Expr::null_of(f.data_type())?)));
        let mut alone = nulls.collect::<Result<Vec<_>>>()?;
        alone.extend(Expr::columns_of(&rs));
        let unmatched = LogicalPlan::Join {
            left: Box::new(right.clone()),
            right: Box::new(left.clone()),
            kind: JoinKind::Anti,
            on: on.iter().map(|(l, r)| (r.clone(), l.clone())).collect(),
            filter: filter.clone(),
            asof: None,
        };
        let matched = LogicalPlan::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind: JoinKind::Left,
            on,
            filter,
            asof: None,
        };
        let unmatched = LogicalPlan::Project {
            input: Box::new(unmatched),
            exprs: alone,
        };
        Ok(LogicalPlan::Union {
            inputs: vec![matched, unmatched],
        })
    }
}
