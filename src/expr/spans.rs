//! Arithmetic with spans of time: the difference of two moments, spans added to moments and to each
//! other, spans several times.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;

use super::eval::Value;
use super::temporal::{self, DAY_US};
use super::tree::BinaryOp;
use super::{cast, rare};
use crate::error::{Error, Result};
use crate::kernel::types;

/// The type of the result, if the operands are such; and the types that they are cast to first.
pub(super) fn result(op: BinaryOp, l: &DataType, r: &DataType) -> Option<(DataType, DataType, DataType)> {
    use BinaryOp::{Add, Mul, Sub};
    use DataType as D;
    let same = |t: D| Some((t.clone(), t.clone(), t));
    match (op, l, r) {
        (Sub, D::Timestamp(..), D::Timestamp(..) | D::Date32) | (Sub, D::Date32, D::Timestamp(..)) => {
            let common = super::common(l, r)?;
            Some((common.clone(), common, types::INTERVAL))
        }
        (Sub, D::Time64(_), D::Time64(_)) => {
            let common = super::common(l, r)?;
            Some((common.clone(), common, types::INTERVAL))
        }
        (Add | Sub, D::Duration(_), D::Duration(_)) => same(types::unite(l, r)),
        (Add | Sub, a, b) if is_span(a) && is_span(b) => same(types::INTERVAL),
        (Add | Sub, D::Timestamp(..) | D::Time64(_), b) if is_span(b) => {
            Some((l.clone(), types::INTERVAL, l.clone()))
        }
        (Add | Sub, D::Date32, b) if is_span(b) => {
            Some((types::timestamp(), types::INTERVAL, types::timestamp()))
        }
        (Add, a, D::Timestamp(..) | D::Time64(_)) if is_span(a) => {
            Some((types::INTERVAL, r.clone(), r.clone()))
        }
        (Add, a, D::Date32) if is_span(a) => Some((types::INTERVAL, types::timestamp(), types::timestamp())),
        (Mul, a, D::Int64) if is_span(a) => Some((a.clone(), D::Int64, a.clone())),
        (Mul, D::Int64, b) if is_span(b) => Some((D::Int64, b.clone(), b.clone())),
        _ => None,
    }
}

/// The operation, with operands of the types of [`result`].
pub(super) fn apply(op: BinaryOp, l: &Value, r: &Value, ty: &DataType, rows: usize) -> Result<ArrayRef> {
    let (l, r) = (l.spread(rows)?, r.spread(rows)?);
    let (l, r) = match matches!(l.data_type(), DataType::Interval(_) | DataType::Int64) && l.data_type() != ty
    {
        true if op != BinaryOp::Sub => (r, l),
        _ => (l, r),
    };
    let sign = if op == BinaryOp::Sub { -1 } else { 1 };
    match (op, l.data_type(), r.data_type()) {
        (BinaryOp::Mul, _, DataType::Int64) => times(&l, &r),
        (_, DataType::Interval(_), _) => sums(&l, &r, sign),
        (_, DataType::Duration(_), _) => ticks(&l, &r, ty, sign),
        (_, _, DataType::Interval(_)) => shifted(&l, &r, sign),
        _ => differences(&l, &r),
    }
}

fn too_long() -> Error {
    Error::query("a span of time beyond its type")
}

fn spans(a: &ArrayRef) -> &IntervalMonthDayNanoArray {
    a.as_primitive::<IntervalMonthDayNanoType>()
}

/// Each row of two columns by a function that may find no value; null where either is.
fn each<T>(l: &ArrayRef, r: &ArrayRef, f: impl Fn(usize) -> Option<T>) -> Result<Vec<Option<T>>> {
    let value = |i| match l.is_valid(i) && r.is_valid(i) {
        true => f(i).map(Some).ok_or_else(too_long),
        false => Ok(None),
    };
    (0..l.len()).map(value).collect()
}

/// A number of spans; `n` is their number, or how they are added.
fn sum(a: IntervalMonthDayNano, b: IntervalMonthDayNano, n: i64) -> Option<IntervalMonthDayNano> {
    let narrow = |a: i32, b: i32| i32::try_from(i64::from(b).checked_mul(n)?.checked_add(i64::from(a))?).ok();
    Some(IntervalMonthDayNano::new(
        narrow(a.months, b.months)?,
        narrow(a.days, b.days)?,
        b.nanoseconds.checked_mul(n)?.checked_add(a.nanoseconds)?,
    ))
}

fn sums(l: &ArrayRef, r: &ArrayRef, sign: i64) -> Result<ArrayRef> {
    let (a, b) = (spans(l), spans(r));
    let out = each(l, r, |i| sum(a.value(i), b.value(i), sign))?;
    Ok(Arc::new(IntervalMonthDayNanoArray::from(out)))
}

fn times(l: &ArrayRef, r: &ArrayRef) -> Result<ArrayRef> {
    let n = r.as_primitive::<Int64Type>();
    if let DataType::Interval(_) = l.data_type() {
        let zero = IntervalMonthDayNano::new(0, 0, 0);
        let out = each(l, r, |i| sum(zero, spans(l).value(i), n.value(i)))?;
        return Ok(Arc::new(IntervalMonthDayNanoArray::from(out)));
    }
    let ty = l.data_type();
    let ticks = rare::ticks(l)?;
    let out = each(l, r, |i| ticks.value(i).checked_mul(n.value(i)))?;
    rare::of_ticks(Int64Array::from(out), ty)
}

fn ticks(l: &ArrayRef, r: &ArrayRef, ty: &DataType, sign: i64) -> Result<ArrayRef> {
    let (a, b) = (rare::ticks(l)?, rare::ticks(r)?);
    let out = each(l, r, |i| b.value(i).checked_mul(sign)?.checked_add(a.value(i)))?;
    rare::of_ticks(Int64Array::from(out), ty)
}

/// The days and the rest between two moments or times.
fn differences(l: &ArrayRef, r: &ArrayRef) -> Result<ArrayRef> {
    let out = each(l, r, |i| {
        let nanos = rare::nanos(l, i) - rare::nanos(r, i);
        let day = i128::from(DAY_US) * 1_000;
        let days = i32::try_from(nanos / day).ok()?;
        Some(IntervalMonthDayNano::new(0, days, (nanos % day) as i64))
    })?;
    Ok(Arc::new(IntervalMonthDayNanoArray::from(out)))
}

/// Moments and times of day, spans later.
fn shifted(l: &ArrayRef, r: &ArrayRef, sign: i64) -> Result<ArrayRef> {
    let ty = l.data_type().clone();
    let by = spans(r);
    let day = i128::from(DAY_US) * 1_000;
    let is_time = matches!(ty, DataType::Time64(_));
    let out = each(l, r, |i| {
        let span = sum(IntervalMonthDayNano::new(0, 0, 0), by.value(i), sign)?;
        let nanos = rare::nanos(l, i);
        let moved = match is_time {
            true => (nanos + i128::from(span.nanoseconds)).rem_euclid(day),
            false => {
                let days = i64::try_from(nanos.div_euclid(day)).ok()?;
                let days = temporal::add_months(days, span.months.into())?.checked_add(span.days.into())?;
                i128::from(days) * day + nanos.rem_euclid(day) + i128::from(span.nanoseconds)
            }
        };
        rare::made_one(moved, &ty)
    })?;
    rare::made(out, &ty)
}

/// A span the other way round.
pub(super) fn negated(a: &ArrayRef) -> Result<ArrayRef> {
    let minus = Value::Scalar(Arc::new(Int64Array::from(vec![-1])));
    let rows = a.len();
    apply(
        BinaryOp::Mul,
        &Value::Array(a.clone()),
        &minus,
        a.data_type(),
        rows,
    )
}

/// Whether a value of it can be [`negated`].
pub(super) fn is_span(ty: &DataType) -> bool {
    matches!(ty, DataType::Duration(_) | DataType::Interval(_))
}

/// A column of moments in microseconds, and the nanoseconds behind them where it has such.
pub(super) fn micros(a: &ArrayRef) -> Result<(ArrayRef, Option<Vec<i64>>)> {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = a.data_type() else {
        return Ok((a.clone(), None));
    };
    let nanos = a.as_primitive::<TimestampNanosecondType>();
    let rest = nanos.values().iter().map(|v| v.rem_euclid(1_000)).collect();
    let to = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    Ok((cast::array(a, &to, false)?, Some(rest)))
}

/// What [`micros`] has taken apart, of the zone of the microseconds.
pub(super) fn with_nanos(a: ArrayRef, rest: Option<Vec<i64>>) -> Result<ArrayRef> {
    let Some(rest) = rest else { return Ok(a) };
    let utc = matches!(a.data_type(), DataType::Timestamp(_, Some(_)));
    let whole = cast::array(&a, &types::timestamp_nanos(utc), false)?;
    let whole = whole.as_primitive::<TimestampNanosecondType>();
    let each = whole
        .iter()
        .zip(&rest)
        .map(|(t, r)| t.map(|t| t.saturating_add(*r)));
    let out: TimestampNanosecondArray = each.collect();
    Ok(Arc::new(out.with_data_type(types::timestamp_nanos(utc))))
}
