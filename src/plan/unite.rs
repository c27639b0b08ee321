//! Inputs of unions get the united types of their columns.
//!
//! It happens late, each time a plan is about to run, and not where the union is written: when a
//! column turns out wider than its sample said, the plan is made again over wider tables, and casts
//! that were written down before would be to types that no longer do.

use super::{LogicalPlan, check};
use crate::error::Result;
use crate::expr::Expr;

/// The plan with casts below its unions wherever types differ.
///
/// # Errors
/// The plan does not hold together.
pub fn unite(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.map_inputs(&mut unite)?;
    let LogicalPlan::Union { inputs } = plan else {
        return Ok(plan);
    };
    let mut types = Vec::new();
    for input in &inputs {
        let schema = input.schema()?;
        for (i, f) in schema.fields().iter().enumerate() {
            match types.get_mut(i) {
                None => types.push(f.data_type().clone()),
                Some(ty) => *ty = check::united(ty, f.data_type()),
            }
        }
    }
    let cast = |input: LogicalPlan| -> Result<LogicalPlan> {
        let schema = input.schema()?;
        let same = |(f, ty): (&std::sync::Arc<arrow::datatypes::Field>, &_)| {
            check::united(f.data_type(), f.data_type()) == *ty
        };
        if schema.fields().iter().zip(&types).all(same) {
            return Ok(input);
        }
        let exprs = schema.fields().iter().zip(&types).map(|(f, ty)| {
            let column = Expr::column(f.name());
            let e = match same((f, ty)) {
                true => column,
                false => column.cast_to(ty)?,
            };
            Ok((f.name().clone(), e))
        });
        Ok(LogicalPlan::Project {
            exprs: exprs.collect::<Result<_>>()?,
            input: Box::new(input),
        })
    };
    let inputs = inputs.into_iter().map(cast).collect::<Result<_>>()?;
    Ok(LogicalPlan::Union { inputs })
}
