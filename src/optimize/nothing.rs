//! What yields no row is not run: `LIMIT 0`, a condition that never holds, and what hangs on their rows.
//!
//! ```text
//!   a ⋈ (σ false (b))   ─►  nothing            a ∪ nothing  ─►  a
//!   a ▷ nothing         ─►  a                  groups of nothing  ─►  nothing (one row, without keys)
//! ```

use super::Rule;
use crate::error::Result;
use crate::expr::{Expr, JoinKind};
use crate::kernel::Scalar;
use crate::kernel::types::names_of;
use crate::plan::LogicalPlan;

/// See the module.
pub struct Nothing;

impl Rule for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if yields_none(&plan) {
            return LogicalPlan::nothing(&plan.schema()?);
        }
        let plan = plan.map_inputs(&mut |p| self.rewrite(p))?;
        if hangs_on_nothing(&plan) {
            return LogicalPlan::nothing(&plan.schema()?);
        }
        shortened(plan)
    }
}

/// Whether a node yields no row whatever its input.
fn yields_none(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Limit { take, .. } => *take == Some(0),
        LogicalPlan::Sort { limit, .. } => *limit == Some(0),
        LogicalPlan::Filter { predicate, .. } => never(predicate),
        LogicalPlan::Join {
            kind: JoinKind::Inner | JoinKind::Semi,
            filter: Some(filter),
            ..
        } => never(filter),
        _ => false,
    }
}

/// Whether a condition holds for no row.
fn never(condition: &Expr) -> bool {
    let mut parts = condition.clone().conjuncts().into_iter();
    parts.any(|p| matches!(p, Expr::Literal(Scalar::Bool(false) | Scalar::Null)))
}

/// Whether a node has no row because its inputs have none.
fn hangs_on_nothing(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan { .. } => false,
        LogicalPlan::Aggregate { input, keys, .. } => input.is_nothing() && !keys.is_empty(),
        LogicalPlan::Expand { input, totals, .. } => input.is_nothing() && totals.is_none(),
        LogicalPlan::Join {
            left, right, kind, ..
        } => {
            let needs_right = matches!(kind, JoinKind::Inner | JoinKind::Semi);
            left.is_nothing() || needs_right && right.is_nothing()
        }
        other => other.inputs().into_iter().all(LogicalPlan::is_nothing),
    }
}

/// A node without those of its inputs that have no row.
fn shortened(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Join {
            left,
            right,
            kind: JoinKind::Anti,
            ..
        } if right.is_nothing() => Ok(*left),
        LogicalPlan::Union { inputs } if inputs.iter().any(LogicalPlan::is_nothing) => {
            let rest = inputs.iter().filter(|p| !p.is_nothing()).cloned().collect();
            let whole = LogicalPlan::Union { inputs };
            let before = whole.schema()?;
            let plan = united(rest, names_of(&before))?;
            // an input that is left alone may have narrower types than all had together
            Ok(if plan.schema()? == before { plan } else { whole })
        }
        other => Ok(other),
    }
}

/// A union whose columns have these names.
fn united(mut inputs: Vec<LogicalPlan>, names: Vec<String>) -> Result<LogicalPlan> {
    let first = inputs.remove(0);
    let own = names_of(&*first.schema()?);
    let exprs = names.into_iter().zip(own.into_iter().map(Expr::Column));
    let first = LogicalPlan::Project {
        exprs: exprs.collect(),
        input: Box::new(first),
    };
    inputs.insert(0, first);
    Ok(match inputs.len() {
        1 => inputs.remove(0),
        _ => LogicalPlan::Union { inputs },
    })
}
