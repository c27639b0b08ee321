//! `--tz`: moments by the clocks of a time zone, when they are truncated, taken apart and shown.

use arrow::datatypes::{DataType, Schema};

use super::Frame;
use crate::error::Result;
use crate::expr::{Expr, Func, zones};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

fn is_moment(ty: &DataType) -> bool {
    matches!(ty, DataType::Timestamp(_, Some(_)))
}

/// The plan with local clocks in all its expressions; names and types stay as they are.
pub(super) fn localize(plan: LogicalPlan, zone: &str) -> Result<LogicalPlan> {
    let plan = plan.map_inputs(&mut |p| localize(p, zone))?;
    let mut fields = Vec::new();
    for input in plan.inputs() {
        fields.extend(input.schema()?.fields().iter().cloned());
    }
    let schema = Schema::new(fields);
    let moment = |e: &Expr| e.data_type(&schema).is_ok_and(|t| is_moment(&t));
    let local = |e: Expr| zones::localized(e, zone, &moment);
    plan.map_exprs(&mut |e| local(e))
}

/// The frame with moments as text, by local clocks and with their offset.
pub(super) fn shown(frame: Frame, zone: &str) -> Result<Frame> {
    let schema = frame.schema()?;
    if !schema.fields().iter().any(|f| is_moment(f.data_type())) {
        return Ok(frame);
    }
    let columns = schema.fields().iter().map(|f| {
        let column = Expr::Column(f.name().clone());
        let shown = match is_moment(f.data_type()) {
            true => Expr::Function {
                func: Func::Zoned,
                args: vec![column, Expr::Literal(Scalar::Text(zone.to_string()))],
            },
            false => column,
        };
        (f.name().clone(), shown)
    });
    let columns = columns.collect();
    frame.select_exprs(columns)
}
