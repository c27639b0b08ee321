//! Values of the rarer types as those of the common ones, and back ([`crate::kernel::carry`]): how
//! keys, extremes and first values of any type reach operators that know the common types only.

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Schema};

use super::alike;
use super::eval::Value;
use super::functions::Func;
use super::tree::Expr;
use crate::error::{Error, Result};
use crate::kernel::carry::{self, carrier};
use crate::kernel::{Scalar, Width};

/// The type of `e`, if operators know it only as its carrier.
///
/// # Errors
/// As of [`Expr::data_type`].
pub fn needs_carrier(e: &Expr, schema: &Schema) -> Result<Option<DataType>> {
    let ty = e.data_type(schema)?;
    Ok(carrier(&ty).map(|_| ty))
}

/// The expression as its carrier.
pub fn carried(e: Expr) -> Expr {
    Expr::Function {
        func: Func::Carry,
        args: vec![e],
    }
}

/// The expression as its carrier, from which the value comes back as it was.
pub fn carried_exactly(e: Expr) -> Expr {
    Expr::Function {
        func: Func::CarryExactly,
        args: vec![e],
    }
}

/// The value of type `ty` that `e` carries.
///
/// # Errors
/// None that a user can cause.
pub fn restored(e: Expr, ty: &DataType) -> Result<Expr> {
    Ok(Expr::Function {
        func: Func::Carried,
        args: vec![e, Expr::Literal(Scalar::Text(named_type(ty)?))],
    })
}

/// A type as a text within a plan.
pub(super) fn named_type(ty: &DataType) -> Result<String> {
    serde_json::to_string(ty).map_err(|e| Error::defect(format!("a type without a name: {e}")))
}

/// The type that [`named_type`] wrote down.
pub(super) fn type_named(text: &str) -> Result<DataType> {
    serde_json::from_str(text).map_err(|_| Error::query("a function that is for plans alone"))
}

/// The functions of this module; none for others.
pub(super) fn call(func: Func, values: &[Value], ty: &DataType, rows: usize) -> Result<Option<ArrayRef>> {
    let Some(first) = values.first().map(Value::array) else {
        return Ok(None);
    };
    // one value for all rows stays one
    let whole = |a: ArrayRef| match a.len() == rows {
        true => Ok(a),
        false => Value::Scalar(a).spread(rows),
    };
    match func {
        Func::Carry => whole(carry::carry(first)?).map(Some),
        Func::CarryExactly => whole(carry::carry_exactly(first)?).map(Some),
        Func::Carried if *first.data_type() == DataType::Null => Ok(Some(new_null_array(ty, rows))),
        Func::Carried => whole(carry::restore(first, ty)?).map(Some),
        Func::ReadAs => whole(alike::values(first, ty)?).map(Some),
        Func::Short16 => whole(Width::Float16.printed(first)).map(Some),
        Func::Short32 => whole(Width::Float32.printed(first)).map(Some),
        Func::Nearest16 => whole(Width::Float16.rounded(first)).map(Some),
        Func::Nearest32 => whole(Width::Float32.rounded(first)).map(Some),
        _ => Ok(None),
    }
}
