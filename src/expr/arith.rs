//! `+ - * / // %`: integers are checked, floats follow IEEE 754, decimals are exact.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DataType, Date32Type, Decimal128Type, Float64Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::cast;
use super::eval::Value;
use super::temporal::{self, DAY_US};
use super::tree::BinaryOp;
use crate::error::{Error, Result};
use crate::kernel::types;

/// Applies an operator to two values of the same type (decimals may differ in scale).
pub(super) fn apply(op: BinaryOp, l: &Value, r: &Value) -> Result<ArrayRef> {
    match l.data_type() {
        DataType::Int64 => integers(op, l, r),
        DataType::Float64 => floats(op, l, r),
        _ => decimals(op, l, r),
    }
}

/// Combines two primitive values row by row, at nulls too; the second result says "this failed".
fn combine<T: ArrowPrimitiveType>(
    l: &Value,
    r: &Value,
    f: impl Fn(T::Native, T::Native) -> (T::Native, bool),
) -> (PrimitiveArray<T>, Option<usize>) {
    let (x, y) = (
        l.array().as_primitive::<T>().values(),
        r.array().as_primitive::<T>().values(),
    );
    let n = l.rows_with(r);
    let mut bad = false;
    let mut note = |(v, b): (T::Native, bool)| {
        bad |= b;
        v
    };
    let values: Vec<T::Native> = match (l, r) {
        (Value::Array(_), Value::Scalar(_)) => x.iter().map(|a| note(f(*a, y[0]))).collect(),
        (Value::Scalar(_), Value::Array(_)) => y.iter().map(|b| note(f(x[0], *b))).collect(),
        _ => x.iter().zip(y.iter()).map(|(a, b)| note(f(*a, *b))).collect(),
    };
    let nulls = l.nulls_with(r, n);
    let failed = if bad {
        (0..n).find(|&i| nulls.as_ref().is_none_or(|v| v.is_valid(i)) && f(x[l.at(i)], y[r.at(i)]).1)
    } else {
        None
    };
    (PrimitiveArray::new(values.into(), nulls), failed)
}

fn integers(op: BinaryOp, l: &Value, r: &Value) -> Result<ArrayRef> {
    let divide =
        |f: fn(i64, i64) -> (i64, bool)| move |a: i64, b: i64| if b == 0 { (0, true) } else { f(a, b) };
    let (out, failed) = match op {
        BinaryOp::Add => combine::<Int64Type>(l, r, i64::overflowing_add),
        BinaryOp::Sub => combine::<Int64Type>(l, r, i64::overflowing_sub),
        BinaryOp::Mul => combine::<Int64Type>(l, r, i64::overflowing_mul),
        BinaryOp::IntDiv => combine::<Int64Type>(l, r, divide(i64::overflowing_div)),
        _ => combine::<Int64Type>(l, r, divide(|a, b| (a.wrapping_rem(b), false))),
    };
    let Some(i) = failed else { return Ok(Arc::new(out)) };
    let value = |v: &Value| v.array().as_primitive::<Int64Type>().value(v.at(i));
    let (a, b) = (value(l), value(r));
    Err(if b == 0 && matches!(op, BinaryOp::IntDiv | BinaryOp::Mod) {
        Error::query(format!("division by zero: {a} {} 0", op.symbol()))
            .help("nullif(x, 0) makes the result null there")
    } else {
        Error::query(format!("{a} {} {b} does not fit int64", op.symbol()))
            .help("cast one side to double or decimal(38,0)")
    })
}

fn floats(op: BinaryOp, l: &Value, r: &Value) -> Result<ArrayRef> {
    let out = match op {
        BinaryOp::Add => combine::<Float64Type>(l, r, |a, b| (a + b, false)).0,
        BinaryOp::Sub => combine::<Float64Type>(l, r, |a, b| (a - b, false)).0,
        BinaryOp::Mul => combine::<Float64Type>(l, r, |a, b| (a * b, false)).0,
        BinaryOp::Div => combine::<Float64Type>(l, r, |a, b| (a / b, false)).0,
        _ => {
            let f = if op == BinaryOp::IntDiv {
                |a: f64, b: f64| (a / b).trunc()
            } else {
                |a, b| a % b
            };
            let (out, failed) = combine::<Float64Type>(l, r, |a, b| (f(a, b), b == 0.0));
            if failed.is_some() {
                return Err(Error::query(format!("division by zero: x {} 0.0", op.symbol()))
                    .help("nullif(x, 0) makes the result null there"));
            }
            out
        }
    };
    Ok(Arc::new(out))
}

/// Exact, by Arrow's rules of precision and scale.
pub(super) fn decimals(op: BinaryOp, l: &Value, r: &Value) -> Result<ArrayRef> {
    if let Some(out) = narrow_decimals(op, l, r)? {
        return Ok(out);
    }
    let (a, b) = (l.datum(), r.datum());
    let (a, b) = (a.as_ref(), b.as_ref());
    let out = match op {
        BinaryOp::Add => numeric::add(a, b),
        BinaryOp::Sub => numeric::sub(a, b),
        BinaryOp::Mul => numeric::mul(a, b),
        _ => numeric::rem(a, b),
    };
    let out = out.map_err(|e| match e {
        ArrowError::DivideByZero => Error::query(format!("division by zero: x {} 0", op.symbol()))
            .help("nullif(x, 0) makes the result null there"),
        ArrowError::ArithmeticOverflow(_) => Error::query(format!(
            "a decimal {} another has more than 38 digits",
            op.symbol()
        ))
        .help("cast one side to double"),
        _ => {
            let (l, r) = (types::name(l.data_type()), types::name(r.data_type()));
            Error::query(format!("{l} {} {r} has more than 38 digits", op.symbol()))
                .help("cast one side to double, or to a decimal of fewer digits")
        }
    })?;
    // Arrow keeps within 128 bits, which are more than 38 digits
    let values = out.as_primitive_opt::<Decimal128Type>();
    if let Some(i) = values.and_then(|v| (0..v.len()).find(|&i| v.is_valid(i) && !fits_digits(v.value(i)))) {
        let text = |v: &Value| cast::scalar_text(&cast::array_scalar(v.array(), v.at(i)));
        let what = format!("{} {} {} has more than 38 digits", text(l), op.symbol(), text(r));
        return Err(Error::query(what).help("cast one side to double"));
    }
    Ok(out)
}

/// Whether a decimal has at most the 38 digits that all have.
pub fn fits_digits(value: i128) -> bool {
    const MOST: u128 = 10u128.pow(DECIMAL128_MAX_PRECISION as u32) - 1;
    value.unsigned_abs() <= MOST
}

/// Sums, differences and products of decimals that all fit 64 bits, as most do: then nothing can overflow
/// 128 bits, and no product needs more than one multiplication. `None` for others.
fn narrow_decimals(op: BinaryOp, l: &Value, r: &Value) -> Result<Option<ArrayRef>> {
    let (DataType::Decimal128(p, s), DataType::Decimal128(q, t)) = (l.data_type(), r.data_type()) else {
        return Ok(None);
    };
    let (p, s, q, t) = (*p as i32, *s as i32, *q as i32, *t as i32);
    let most = DECIMAL128_MAX_PRECISION as i32;
    let scale = match op {
        BinaryOp::Mul => s + t,
        _ => s.max(t),
    };
    let (up, down) = match op {
        BinaryOp::Mul => (0, 0),
        _ => (scale - s, scale - t),
    };
    let precision = match op {
        BinaryOp::Mul => p + q + 1,
        BinaryOp::Add | BinaryOp::Sub => scale + (p - s).max(q - t) + 1,
        _ => return Ok(None),
    };
    // 64 bits times 10^18 twice still fit 128
    if up > 18 || down > 18 || scale > most || scale < 0 {
        return Ok(None);
    }
    let (x, y) = (
        l.array().as_primitive::<Decimal128Type>().values(),
        r.array().as_primitive::<Decimal128Type>().values(),
    );
    let beyond = |v: &[i128]| v.iter().fold(0, |all, &v| all | (v ^ v as i64 as i128));
    if beyond(x) != 0 || beyond(y) != 0 {
        return Ok(None);
    }
    let (up, down) = (10i64.pow(up as u32), 10i64.pow(down as u32));
    let wide = |a: i128, by: i64| a as i64 as i128 * by as i128;
    let (out, _) = match op {
        BinaryOp::Mul => combine::<Decimal128Type>(l, r, |a, b| (wide(a, b as i64), false)),
        BinaryOp::Add if up == 1 && down == 1 => {
            combine::<Decimal128Type>(l, r, |a, b| (a.wrapping_add(b), false))
        }
        BinaryOp::Sub if up == 1 && down == 1 => {
            combine::<Decimal128Type>(l, r, |a, b| (a.wrapping_sub(b), false))
        }
        BinaryOp::Add => {
            combine::<Decimal128Type>(l, r, |a, b| (wide(a, up).wrapping_add(wide(b, down)), false))
        }
        _ => combine::<Decimal128Type>(l, r, |a, b| (wide(a, up).wrapping_sub(wide(b, down)), false)),
    };
    let out = out.with_precision_and_scale(precision.min(most) as u8, scale as i8)?;
    Ok(Some(Arc::new(out)))
}

/// `-x`.
pub(super) fn negate(a: &ArrayRef) -> Result<ArrayRef> {
    Ok(match a.data_type() {
        DataType::Int64 => {
            let zero = Value::Scalar(Arc::new(Int64Array::from(vec![0])));
            integers(BinaryOp::Sub, &zero, &Value::Array(a.clone()))?
        }
        DataType::Float64 => Arc::new(a.as_primitive::<Float64Type>().unary::<_, Float64Type>(|x| -x)),
        ty if super::spans::is_span(ty) => super::spans::negated(a)?,
        _ => numeric::neg(a)?,
    })
}

fn out_of_range() -> Error {
    Error::query("a date beyond the calendar's range")
}

/// A span of time: months, days, microseconds.
pub(super) type Span = (i64, i64, i64);

/// A date or timestamp a span later. Dates stay dates unless there are microseconds to add.
pub(super) fn shift(a: &ArrayRef, span: Span) -> Result<ArrayRef> {
    shift_each(a, span.2 != 0, &|_| Some(span))
}

/// As [`shift`] by `times` spans, of each row; null where that is null.
pub(super) fn shift_by(a: &ArrayRef, times: &ArrayRef, span: Span) -> Result<ArrayRef> {
    let times = times.as_primitive::<Int64Type>();
    let known = arrow::compute::nullif(a, &arrow::compute::is_null(times)?)?;
    let (months, days, us) = span;
    shift_each(&known, us != 0, &|i| {
        let n = times.value(i);
        Some((months.checked_mul(n)?, days.checked_mul(n)?, us.checked_mul(n)?))
    })
}

fn shift_each(a: &ArrayRef, to_time: bool, span: &dyn Fn(usize) -> Option<Span>) -> Result<ArrayRef> {
    let move_days = |d: i64, (months, days, _): Span| temporal::add_months(d, months)?.checked_add(days);
    if *a.data_type() == DataType::Date32 && !to_time {
        let x = a.as_primitive::<Date32Type>();
        let out = x.iter().enumerate().map(|(i, d)| match d {
            None => Ok(None),
            Some(d) => {
                let moved = span(i).and_then(|s| move_days(i64::from(d), s));
                let moved = moved.and_then(|d| i32::try_from(d).ok());
                moved.map(Some).ok_or_else(out_of_range)
            }
        });
        return Ok(Arc::new(out.collect::<Result<Date32Array>>()?));
    }
    let to = match a.data_type() {
        DataType::Date32 => crate::kernel::types::timestamp(),
        other => other.clone(),
    };
    let (a, rest) = super::spans::micros(&super::cast::array(a, &to, false)?)?;
    let x = a.as_primitive::<TimestampMicrosecondType>();
    let out = x.iter().enumerate().map(|(i, t)| match t {
        None => Ok(None),
        Some(t) => {
            let moved = span(i).and_then(|s| {
                let day = move_days(t.div_euclid(DAY_US), s)?.checked_mul(DAY_US)?;
                day.checked_add(t.rem_euclid(DAY_US))?.checked_add(s.2)
            });
            moved.map(Some).ok_or_else(out_of_range)
        }
    });
    let out = out.collect::<Result<TimestampMicrosecondArray>>()?;
    let out = Arc::new(out.with_data_type(a.data_type().clone()));
    super::spans::with_nanos(out, rest)
}

/// A date some days later, or earlier with `sign` -1.
pub(super) fn add_days(dates: &ArrayRef, days: &ArrayRef, sign: i64) -> Result<ArrayRef> {
    let (x, y) = (
        dates.as_primitive::<Date32Type>(),
        days.as_primitive::<Int64Type>(),
    );
    let out = x.iter().zip(y.iter()).map(|(d, n)| match (d, n) {
        (Some(d), Some(n)) => {
            let moved = n.checked_mul(sign).and_then(|n| n.checked_add(i64::from(d)));
            moved
                .and_then(|d| i32::try_from(d).ok())
                .map(Some)
                .ok_or_else(out_of_range)
        }
        _ => Ok(None),
    });
    Ok(Arc::new(out.collect::<Result<Date32Array>>()?))
}

/// The days between two dates.
pub(super) fn days_between(a: &ArrayRef, b: &ArrayRef) -> ArrayRef {
    let (x, y) = (a.as_primitive::<Date32Type>(), b.as_primitive::<Date32Type>());
    let out = x
        .iter()
        .zip(y.iter())
        .map(|(a, b)| Some(i64::from(a?) - i64::from(b?)));
    Arc::new(out.collect::<Int64Array>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
        let array = Decimal128Array::from(values);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    }

    proptest! {
        /// Whether by 64 bits or by Arrow: the same values and the same type.
        #[test]
        fn narrow_decimals_are_those_of_arrow(
            pairs in prop::collection::vec((prop::option::of(any::<i32>()), prop::option::of(any::<i64>())), 1..50),
            scales in (0i8..6, 0i8..9),
            wide in prop::bool::weighted(0.2),
            scalar in any::<bool>(),
        ) {
            let a = column(pairs.iter().map(|(a, _)| a.map(i128::from)).collect(), 12, scales.0);
            let factor = if wide { 1i128 << 40 } else { 1 };
            let b = pairs.iter().map(|(_, b)| b.map(|b| i128::from(b) / if wide { 1 << 20 } else { 1 } * factor));
            let b = column(b.collect(), 30, scales.1);
            let one = b.slice(0, 1);
            for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul] {
                let right = if scalar { Value::Scalar(one.clone()) } else { Value::Array(b.clone()) };
                let left = Value::Array(a.clone());
                let got = decimals(op, &left, &right);
                let (x, y) = (left.datum(), right.datum());
                let want = match op {
                    BinaryOp::Add => numeric::add(x.as_ref(), y.as_ref()),
                    BinaryOp::Sub => numeric::sub(x.as_ref(), y.as_ref()),
                    _ => numeric::mul(x.as_ref(), y.as_ref()),
                };
                match want {
                    Ok(want) => prop_assert_eq!(&got.unwrap(), &want),
                    Err(_) => prop_assert!(got.is_err()),
                }
            }
        }
    }
}
