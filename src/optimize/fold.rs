//! Constant folding: what needs no row is computed once, and filters that are always true go.

use super::Rule;
use crate::error::{Error, Result};
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
        let plan = plan.map_exprs(&mut |e| Ok::<_, Error>(expr::fold(e)))?;
        Ok(match plan {
            LogicalPlan::Filter {
                input,
                predicate: Expr::Literal(Scalar::Bool(true)),
            } => *input,
            other => other,
        })
    }
}
