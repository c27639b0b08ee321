//! Casts between the logical types, and scalars as arrays of one.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};

use super::rare;
use super::temporal::{self, DAY_US};
use super::tree::CastType;
use crate::error::{Error, Result};
use crate::kernel::{Scalar, show, types};

/// An array of just that value.
pub fn scalar_array(v: &Scalar) -> ArrayRef {
    match v {
        Scalar::Null => Arc::new(NullArray::new(1)),
        Scalar::Bool(b) => Arc::new(BooleanArray::from(vec![*b])),
        Scalar::Int(i) => Arc::new(Int64Array::from(vec![*i])),
        Scalar::Float(x) => Arc::new(Float64Array::from(vec![*x])),
        Scalar::Decimal(d, p, s) => {
            Arc::new(Decimal128Array::from(vec![*d]).with_data_type(DataType::Decimal128(*p, *s)))
        }
        Scalar::Date(d) => Arc::new(Date32Array::from(vec![*d])),
        Scalar::Timestamp(t, _) => {
            Arc::new(TimestampMicrosecondArray::from(vec![*t]).with_data_type(v.data_type()))
        }
        Scalar::Interval(m, d, us) => {
            // what is too long for nanoseconds is mostly days of 24 hours
            let (more, rest) = match us.checked_mul(1_000) {
                Some(ns) => (0, ns),
                None => (us / DAY_US, us % DAY_US * 1_000),
            };
            let days = i64::from(*d).saturating_add(more);
            let days = days.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            let span = IntervalMonthDayNano::new(*m, days, rest);
            Arc::new(IntervalMonthDayNanoArray::from(vec![span]))
        }
        Scalar::Text(t) => Arc::new(StringViewArray::from(vec![t.as_str()])),
        Scalar::Other(t, ty) => {
            let text = StringViewArray::from(vec![t.as_str()]);
            rare::from_text(&text, ty, true).unwrap_or_else(|_| new_null_array(ty, 1))
        }
    }
}

/// The value of a row. Null also stands for types without scalars.
pub fn array_scalar(a: &ArrayRef, i: usize) -> Scalar {
    if a.is_null(i) {
        return Scalar::Null;
    }
    match a.data_type() {
        DataType::Boolean => Scalar::Bool(a.as_boolean().value(i)),
        DataType::Int64 => Scalar::Int(a.as_primitive::<Int64Type>().value(i)),
        DataType::Float64 => Scalar::Float(a.as_primitive::<Float64Type>().value(i)),
        DataType::Decimal128(p, s) => Scalar::Decimal(a.as_primitive::<Decimal128Type>().value(i), *p, *s),
        DataType::Date32 => Scalar::Date(a.as_primitive::<Date32Type>().value(i)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => Scalar::Timestamp(
            a.as_primitive::<TimestampMicrosecondType>().value(i),
            zone.is_some(),
        ),
        DataType::Utf8View => Scalar::Text(a.as_string_view().value(i).to_string()),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let v = a.as_primitive::<IntervalMonthDayNanoType>().value(i);
            match v.nanoseconds % 1_000 {
                0 => Scalar::Interval(v.months, v.days, v.nanoseconds / 1_000),
                _ => Scalar::Other(show::text(a, i), types::INTERVAL),
            }
        }
        ty if rare::is_rare(ty) => Scalar::Other(show::text(a, i), ty.clone()),
        _ => Scalar::Null,
    }
}

/// Casts one value.
///
/// # Errors
/// The value does not fit.
pub fn scalar(v: &Scalar, to: CastType) -> Result<Scalar> {
    Ok(array_scalar(&array(&scalar_array(v), &to.data_type(), false)?, 0))
}

/// A text as a float: a decimal number, `inf` or `nan`.
pub(super) fn parse_float(t: &str) -> Option<f64> {
    let t = t.trim_ascii();
    fast_float2::parse(t)
        .ok()
        .filter(|x: &f64| x.is_finite() || t.bytes().any(|b| b.is_ascii_alphabetic()))
}

fn parse_int(t: &str) -> Option<i64> {
    t.trim_ascii().parse().ok()
}

fn parse_bool(t: &str) -> Option<bool> {
    match t.trim_ascii().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The date that a text tells, with or without a time of day.
fn date_of(t: &str) -> Option<i32> {
    temporal::date_of(t).or_else(|| {
        temporal::timestamp_of(t)?;
        temporal::date_of(t.trim_ascii().split(['T', 't', ' ']).next()?)
    })
}

/// A float as an integer, without its fraction.
pub(super) fn float_to_int(x: f64) -> Option<i64> {
    let t = x.trunc();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&t)
        .then_some(t as i64)
}

/// A value in messages.
pub(super) enum Shown {
    /// A text, whole.
    Text(String),
    /// Any other.
    Value(String),
}

/// The error about a value that does not fit.
pub(super) fn misfit(value: Shown, to: &DataType) -> Error {
    let (shown, help) = match &value {
        Shown::Text(t) => (format!("'{}'", start(t)), super::advice::about("x", t, to)),
        Shown::Value(v) if super::advice::is_number(to) => {
            (v.clone(), super::advice::MORE_DIGITS.to_string())
        }
        Shown::Value(v) => (v.clone(), super::advice::IN_CASE.to_string()),
    };
    Error::query(format!("cannot cast {shown} to {}", types::name(to))).help(help)
}

/// The beginning of a text.
fn start(t: &str) -> &str {
    t.char_indices().nth(60).map_or(t, |(end, _)| &t[..end])
}

/// Applies a conversion that may refuse a value.
pub(super) fn each<A: Clone, B>(
    values: impl Iterator<Item = Option<A>>,
    to: &DataType,
    try_: bool,
    show: impl Fn(A) -> Shown,
    f: impl Fn(A) -> Option<B>,
) -> Result<Vec<Option<B>>> {
    let mut out = Vec::with_capacity(values.size_hint().0);
    for v in values {
        out.push(match v {
            None => None,
            Some(v) => match f(v.clone()) {
                None if !try_ => return Err(misfit(show(v), to)),
                other => other,
            },
        });
    }
    Ok(out)
}

/// Casts an array to a logical type.
///
/// # Errors
/// A value does not fit and `try_` is false, or there is no such cast.
pub fn array(a: &ArrayRef, to: &DataType, try_: bool) -> Result<ArrayRef> {
    use DataType as D;
    if a.data_type() == to {
        return Ok(a.clone());
    }
    let a = &plain(a)?;
    let from = a.data_type();
    if from == to {
        return Ok(a.clone());
    }
    if *from == D::Null {
        return Ok(new_null_array(to, a.len()));
    }
    if rare::is_rare(from) || rare::is_rare(to) {
        return rare::array(a, to, try_);
    }
    Ok(match (from, to) {
        (D::Utf8View, _) => from_text(a.as_string_view(), to, try_)?,
        (_, D::Utf8View) => to_text(a)?,
        (D::Float64, D::Int64) => {
            let v = a.as_primitive::<Float64Type>().iter();
            Arc::new(Int64Array::from(each(
                v,
                to,
                try_,
                |x| Shown::Value(format!("{x:?}")),
                float_to_int,
            )?))
        }
        (D::Boolean, D::Int64) => Arc::new(
            a.as_boolean()
                .iter()
                .map(|b| b.map(i64::from))
                .collect::<Int64Array>(),
        ),
        (D::Boolean, D::Float64) => Arc::new(
            a.as_boolean()
                .iter()
                .map(|b| b.map(|b| f64::from(u8::from(b))))
                .collect::<Float64Array>(),
        ),
        (D::Int64, D::Boolean) => Arc::new(
            a.as_primitive::<Int64Type>()
                .iter()
                .map(|b| b.map(|b| b != 0))
                .collect::<BooleanArray>(),
        ),
        (D::Date32, D::Timestamp(..)) => {
            let days = a.as_primitive::<Date32Type>();
            let us = |d: i32| i64::from(d).checked_mul(DAY_US);
            let t = match days.values().iter().all(|d| us(*d).is_some()) {
                true => days.unary::<_, TimestampMicrosecondType>(|d| i64::from(d) * DAY_US),
                false => {
                    let shown = |d| Shown::Value(temporal::date_text(d));
                    TimestampMicrosecondArray::from(each(days.iter(), to, try_, shown, us)?)
                }
            };
            Arc::new(t.with_data_type(to.clone()))
        }
        (D::Timestamp(..), D::Date32) => {
            let t = a.as_primitive::<TimestampMicrosecondType>();
            Arc::new(t.unary::<_, Date32Type>(|t| t.div_euclid(DAY_US) as i32))
        }
        (D::Timestamp(..), D::Timestamp(..)) => Arc::new(
            a.as_primitive::<TimestampMicrosecondType>()
                .clone()
                .with_data_type(to.clone()),
        ),
        (D::Decimal128(_, s), D::Int64) => {
            let (v, s) = (a.as_primitive::<Decimal128Type>().iter(), *s);
            let f = |d: i128| i64::try_from(d / 10_i128.checked_pow(s.max(0) as u32)?).ok();
            Arc::new(Int64Array::from(each(
                v,
                to,
                try_,
                |d| Shown::Value(temporal::decimal_text(d, s)),
                f,
            )?))
        }
        (D::Int64 | D::Decimal128(..), D::Float64 | D::Decimal128(..)) | (D::Float64, D::Decimal128(..)) => {
            numbers(a, to, try_)?
        }
        _ => {
            return Err(none(from, to));
        }
    })
}

/// Casts by Arrow.
///
/// # Errors
/// The first value that does not fit, and `try_` is false.
pub(super) fn numbers(a: &ArrayRef, to: &DataType, try_: bool) -> Result<ArrayRef> {
    let cast = |safe: bool| {
        let options = compute::CastOptions {
            safe,
            ..Default::default()
        };
        compute::cast_with_options(a, to, &options)
    };
    let failed = match cast(try_) {
        Ok(done) => return Ok(done),
        Err(e) if try_ => return Err(e.into()),
        Err(e) => e,
    };
    let known = cast(true)?;
    let misses = |i: &usize| a.is_valid(*i) && known.is_null(*i);
    let Some(i) = (0..a.len()).find(misses) else {
        return Err(failed.into());
    };
    let value = match a.as_string_view_opt() {
        Some(texts) => quoted(texts.value(i)),
        None => Shown::Value(scalar_text(&array_scalar(a, i))),
    };
    Err(misfit(value, to))
}

/// The error that there is no such cast.
pub(super) fn none(from: &DataType, to: &DataType) -> Error {
    let (from, to) = (types::name(from), types::name(to));
    Error::query(format!("no cast from {from} to {to}"))
}

/// Whether there is a cast between the types at all.
pub(super) fn exists(from: &DataType, to: &DataType) -> bool {
    array(&new_empty_array(from), to, true).is_ok()
}

/// Text physically as `Utf8View`, whatever it came as.
pub(super) fn plain(a: &ArrayRef) -> Result<ArrayRef> {
    match a.data_type() {
        DataType::Dictionary(..) => {
            let d = a.as_any_dictionary();
            let values = if *d.values().data_type() == types::TEXT {
                d.values().clone()
            } else {
                compute::cast(d.values(), &types::TEXT)?
            };
            Ok(compute::take(&values, d.keys(), None)?)
        }
        DataType::Utf8 | DataType::LargeUtf8 => Ok(compute::cast(a, &types::TEXT)?),
        _ => Ok(a.clone()),
    }
}

/// A text in messages.
pub(super) fn quoted(t: &str) -> Shown {
    Shown::Text(t.to_string())
}

fn from_text(a: &StringViewArray, to: &DataType, try_: bool) -> Result<ArrayRef> {
    let (show, v) = (quoted, a.iter());
    Ok(match to {
        DataType::Int64 => Arc::new(Int64Array::from(each(v, to, try_, show, parse_int)?)),
        DataType::Float64 => Arc::new(Float64Array::from(each(v, to, try_, show, parse_float)?)),
        DataType::Boolean => Arc::new(BooleanArray::from(each(v, to, try_, show, parse_bool)?)),
        DataType::Date32 => Arc::new(Date32Array::from(each(v, to, try_, show, date_of)?)),
        DataType::Timestamp(..) => {
            let f = |t: &str| temporal::timestamp_of(t).map(|(us, _)| us);
            let out = TimestampMicrosecondArray::from(each(v, to, try_, show, f)?);
            Arc::new(out.with_data_type(to.clone()))
        }
        DataType::Decimal128(p, s) => {
            let out = each(v, to, try_, show, |t| temporal::parse_scientific(t, *p, *s))?;
            Arc::new(Decimal128Array::from(out).with_data_type(to.clone()))
        }
        _ => return Err(Error::query(format!("no cast from text to {}", types::name(to)))),
    })
}

fn to_text(a: &ArrayRef) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(a.len());
    for i in 0..a.len() {
        match array_scalar(a, i) {
            Scalar::Null => out.append_null(),
            v => out.append_value(scalar_text(&v)),
        }
    }
    if array_scalar(&new_null_array(a.data_type(), 1), 0) == Scalar::Null
        && matches!(
            a.data_type(),
            DataType::List(_) | DataType::Struct(_) | DataType::Binary | DataType::Map(..)
        )
    {
        return Err(Error::query(format!(
            "no cast from {} to text",
            types::name(a.data_type())
        )));
    }
    Ok(Arc::new(out.finish()))
}

/// A value as the text that a cast to text gives.
pub fn scalar_text(v: &Scalar) -> String {
    match v {
        Scalar::Null => String::new(),
        Scalar::Bool(b) => b.to_string(),
        Scalar::Int(i) => i.to_string(),
        Scalar::Float(x) => format!("{x:?}"),
        Scalar::Decimal(d, _, s) => temporal::decimal_text(*d, *s),
        Scalar::Date(d) => temporal::date_text(*d),
        Scalar::Timestamp(t, utc) => temporal::timestamp_text(*t, *utc),
        Scalar::Interval(..) => show::text(&scalar_array(v), 0),
        Scalar::Text(t) | Scalar::Other(t, _) => t.clone(),
    }
}
