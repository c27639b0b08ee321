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
    let named = |list: Vec<(String, Expr)>| -> Result<Vec<(String, Expr)>> {
        list.into_iter().map(|(n, e)| Ok((n, local(e)?))).collect()
    };
    Ok(match plan {
        LogicalPlan::Filter { input, predicate } => LogicalPlan::Filter {
            input,
            predicate: local(predicate)?,
        },
        LogicalPlan::Project { input, exprs } => LogicalPlan::Project {
            input,
            exprs: named(exprs)?,
        },
        LogicalPlan::Expand {
            input,
            lists,
            times,
            totals,
        } => LogicalPlan::Expand {
            input,
            lists: lists.into_iter().map(named).collect::<Result<_>>()?,
            times,
            totals,
        },
        LogicalPlan::Aggregate {
            input,
            keys,
            mut aggs,
        } => {
            for (_, call) in &mut aggs {
                call.arg = call.arg.take().map(local).transpose()?;
                call.filter = call.filter.take().map(local).transpose()?;
            }
            LogicalPlan::Aggregate {
                input,
                keys: named(keys)?,
                aggs,
            }
        }
        LogicalPlan::Sort {
            input,
            mut keys,
            limit,
        } => {
            for key in &mut keys {
                key.expr = local(key.expr.clone())?;
            }
            LogicalPlan::Sort { input, keys, limit }
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
            on: (on.into_iter())
                .map(|(l, r)| Ok((local(l)?, local(r)?)))
                .collect::<Result<_>>()?,
            filter: filter.map(local).transpose()?,
        },
        other => other,
    })
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
