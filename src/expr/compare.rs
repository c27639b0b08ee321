//! Comparisons. Floats: NaN equals itself and is greater than every number, `-0.0 = 0.0`.

use arrow::array::*;
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Float64Type};

use super::eval::Value;
use super::tree::BinaryOp;
use crate::error::Result;
use crate::kernel::carry::carry;

/// Compares two values of the same type; the result has one row where both are scalars.
pub(super) fn compare(op: BinaryOp, l: &Value, r: &Value) -> Result<BooleanArray> {
    use BinaryOp::*;
    if *l.data_type() == DataType::Float64 {
        return Ok(floats(op, l, r));
    }
    if l.data_type().is_nested() || matches!(l.data_type(), DataType::Interval(_)) {
        let carried = |v: &Value| -> Result<Value> {
            Ok(match v {
                Value::Array(a) => Value::Array(carry(a)?),
                Value::Scalar(a) => Value::Scalar(carry(a)?),
            })
        };
        let (l, r) = (carried(l)?, carried(r)?);
        if !l.data_type().is_nested() {
            return compare(op, &l, &r);
        }
    }
    let (a, b) = (l.datum(), r.datum());
    let (a, b) = (a.as_ref(), b.as_ref());
    Ok(match op {
        Eq => cmp::eq(a, b),
        NotEq => cmp::neq(a, b),
        Lt => cmp::lt(a, b),
        LtEq => cmp::lt_eq(a, b),
        Gt => cmp::gt(a, b),
        GtEq => cmp::gt_eq(a, b),
        Distinct => cmp::distinct(a, b),
        _ => cmp::not_distinct(a, b),
    }?)
}

fn eq(a: f64, b: f64) -> bool {
    (a == b) | (a.is_nan() & b.is_nan())
}

fn lt(a: f64, b: f64) -> bool {
    (a < b) | (!a.is_nan() & b.is_nan())
}

fn floats(op: BinaryOp, l: &Value, r: &Value) -> BooleanArray {
    use BinaryOp::*;
    match op {
        Eq => zip(l, r, eq),
        NotEq => zip(l, r, |a, b| !eq(a, b)),
        Lt => zip(l, r, lt),
        GtEq => zip(l, r, |a, b| !lt(a, b)),
        Gt => zip(l, r, |a, b| lt(b, a)),
        LtEq => zip(l, r, |a, b| !lt(b, a)),
        _ => {
            let (x, y) = (
                l.array().as_primitive::<Float64Type>(),
                r.array().as_primitive::<Float64Type>(),
            );
            let n = l.rows_with(r);
            let same = (0..n).map(|i| {
                let (i, j) = (l.at(i), r.at(i));
                match (x.is_valid(i), y.is_valid(j)) {
                    (true, true) => eq(x.value(i), y.value(j)),
                    (a, b) => a == b,
                }
            });
            let flip = op == Distinct;
            BooleanArray::from(same.map(|s| s != flip).collect::<Vec<_>>())
        }
    }
}

/// Two float values by a function; null where either is.
fn zip(l: &Value, r: &Value, f: impl Fn(f64, f64) -> bool) -> BooleanArray {
    let (x, y) = (
        l.array().as_primitive::<Float64Type>(),
        r.array().as_primitive::<Float64Type>(),
    );
    let n = l.rows_with(r);
    let (xs, ys) = (x.values(), y.values());
    let bits = match (l, r) {
        (Value::Array(_), Value::Scalar(_)) => {
            let c = ys[0];
            BooleanBuffer::collect_bool(n, |i| f(xs[i], c))
        }
        (Value::Scalar(_), Value::Array(_)) => {
            let c = xs[0];
            BooleanBuffer::collect_bool(n, |i| f(c, ys[i]))
        }
        _ => BooleanBuffer::collect_bool(n, |i| f(xs[i], ys[i])),
    };
    BooleanArray::new(bits, l.nulls_with(r, n))
}
