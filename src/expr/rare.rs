//! Casts of the rarer types: moments in nanoseconds, times of day, spans of time, bytes, UUIDs and
//! decimals of over 38 digits.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;

use super::cast::{Shown, each, none, numbers, quoted};
use super::tree::CastType;
use super::{interval, temporal};
use crate::error::Result;
use crate::kernel::{carry, show};

/// Nanoseconds in a day.
const DAY: i64 = 86_400_000_000_000;

/// Whether values of the type are casts of this module.
pub(super) fn is_rare(ty: &DataType) -> bool {
    carry::carrier(ty).is_some() && CastType::of(ty).is_some()
}

fn nanos_in(unit: TimeUnit) -> i64 {
    1_000_000_000 / show::per_second(unit)
}

/// Casts between a rarer type and another.
///
/// # Errors
/// A value does not fit and `try_` is false, or there is no such cast.
pub(super) fn array(a: &ArrayRef, to: &DataType, try_: bool) -> Result<ArrayRef> {
    use DataType as D;
    let from = a.data_type();
    match (from, to) {
        (D::Utf8View, _) => return from_text(a.as_string_view(), to, try_),
        (_, D::Utf8View) => return Ok(to_text(a)),
        (D::Binary, D::FixedSizeBinary(16)) | (D::FixedSizeBinary(16), D::Binary) => {
            return bytes(a, to, try_);
        }
        (D::Decimal256(..), D::Int64 | D::Float64 | D::Decimal128(..) | D::Decimal256(..))
        | (D::Int64 | D::Float64 | D::Decimal128(..), D::Decimal256(..)) => {
            return numbers(a, to, try_);
        }
        _ => {}
    }
    if let (D::Interval(_), D::Interval(_)) | (D::Timestamp(..), D::Duration(_) | D::Interval(_)) = (from, to)
    {
        return Err(none(from, to));
    }
    let is_span = |t: &D| matches!(t, D::Duration(_) | D::Interval(_) | D::Time64(_));
    let is_moment = |t: &D| matches!(t, D::Timestamp(..) | D::Date32);
    match (from, to) {
        (f, t) if is_span(f) && is_span(t) => {}
        (f, t) if is_moment(f) && (is_moment(t) || matches!(t, D::Time64(_))) => {}
        _ => return Err(none(from, to)),
    }
    let values = (0..a.len()).map(|i| a.is_valid(i).then(|| (i, nanos(a, i))));
    let of_day = matches!(to, D::Time64(_));
    let value = |(_, n): (usize, i128)| match of_day {
        true if is_moment(from) => Some(n.rem_euclid(DAY.into())),
        true => Some(n).filter(|n| (0..DAY.into()).contains(n)),
        false => Some(n),
    };
    let shown = |(i, _): (usize, i128)| Shown::Value(show::text(a, i));
    made(each(values, to, try_, shown, |v| made_one(value(v)?, to))?, to)
}

/// Nanoseconds of a moment since 1970, of a time since midnight, of a span.
pub(super) fn nanos(a: &ArrayRef, i: usize) -> i128 {
    use DataType as D;
    let (ticks, unit): (i64, i64) = match a.data_type() {
        D::Date32 => (a.as_primitive::<Date32Type>().value(i).into(), DAY),
        D::Timestamp(TimeUnit::Nanosecond, _) => (a.as_primitive::<TimestampNanosecondType>().value(i), 1),
        D::Timestamp(..) => (a.as_primitive::<TimestampMicrosecondType>().value(i), 1_000),
        D::Time64(TimeUnit::Nanosecond) => (a.as_primitive::<Time64NanosecondType>().value(i), 1),
        D::Time64(_) => (a.as_primitive::<Time64MicrosecondType>().value(i), 1_000),
        D::Duration(TimeUnit::Nanosecond) => (a.as_primitive::<DurationNanosecondType>().value(i), 1),
        D::Duration(_) => (a.as_primitive::<DurationMicrosecondType>().value(i), 1_000),
        D::Interval(_) => return carry::nanos(a.as_primitive::<IntervalMonthDayNanoType>().value(i)),
        _ => (0, 1),
    };
    i128::from(ticks) * i128::from(unit)
}

/// A value of type `to` in 64 bits; of an interval its nanoseconds.
pub(super) fn made_one(nanos: i128, to: &DataType) -> Option<i64> {
    let unit = match to {
        DataType::Date32 => DAY,
        DataType::Timestamp(u, _) | DataType::Time64(u) | DataType::Duration(u) => nanos_in(*u),
        _ => 1,
    };
    let ticks = i64::try_from(nanos.div_euclid(unit.into())).ok()?;
    match to {
        DataType::Date32 => i32::try_from(ticks).ok().map(i64::from),
        _ => Some(ticks),
    }
}

/// A column of type `to` of what [`made_one`] made.
pub(super) fn made(ticks: Vec<Option<i64>>, to: &DataType) -> Result<ArrayRef> {
    use DataType as D;
    let ints = Int64Array::from(ticks);
    let whole = |days: i64| IntervalMonthDayNano::new(0, (days / DAY) as i32, days % DAY);
    Ok(match to {
        D::Date32 => Arc::new(ints.unary::<_, Date32Type>(|d| d as i32)),
        D::Interval(_) => Arc::new(ints.unary::<_, IntervalMonthDayNanoType>(whole)),
        D::Timestamp(TimeUnit::Microsecond, zone) => Arc::new(
            ints.reinterpret_cast::<TimestampMicrosecondType>()
                .with_timezone_opt(zone.clone()),
        ),
        _ => carry::restore(&(Arc::new(ints) as ArrayRef), to)?,
    })
}

/// The ticks of a duration, time or moment in nanoseconds.
pub(super) fn ticks(a: &ArrayRef) -> Result<Int64Array> {
    Ok(carry::carry(a)?.as_primitive::<Int64Type>().clone())
}

/// What [`ticks`] has taken apart.
pub(super) fn of_ticks(ticks: Int64Array, ty: &DataType) -> Result<ArrayRef> {
    carry::restore(&(Arc::new(ticks) as ArrayRef), ty)
}

fn to_text(a: &ArrayRef) -> ArrayRef {
    let mut out = StringViewBuilder::with_capacity(a.len());
    for i in 0..a.len() {
        match a.is_null(i) {
            true => out.append_null(),
            false => out.append_value(show::text(a, i)),
        }
    }
    Arc::new(out.finish())
}

fn bytes(a: &ArrayRef, to: &DataType, try_: bool) -> Result<ArrayRef> {
    if let Some(ids) = a.as_fixed_size_binary_opt() {
        return Ok(Arc::new(BinaryArray::from_iter(ids.iter())));
    }
    let values = a.as_binary::<i32>().iter();
    let shown = |v: &[u8]| {
        let mut out = Vec::new();
        show::bytes(v, &mut out);
        Shown::Value(format!("'{}'", String::from_utf8_lossy(&out)))
    };
    uuids(each(values, to, try_, shown, |v| <[u8; 16]>::try_from(v).ok())?)
}

fn uuids(values: Vec<Option<[u8; 16]>>) -> Result<ArrayRef> {
    let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), 16)?;
    Ok(Arc::new(array))
}

/// Text as a rarer type.
///
/// # Errors
/// A text is no such value and `try_` is false.
pub(super) fn from_text(a: &StringViewArray, to: &DataType, try_: bool) -> Result<ArrayRef> {
    use DataType as D;
    let v = a.iter();
    Ok(match to {
        D::Binary => Arc::new(BinaryArray::from_iter(v.map(|t| t.map(show::unescaped)))),
        D::FixedSizeBinary(_) => uuids(each(v, to, try_, quoted, parse_uuid)?)?,
        D::Decimal256(..) => numbers(&(Arc::new(a.clone()) as ArrayRef), to, try_)?,
        D::Interval(_) => Arc::new(IntervalMonthDayNanoArray::from(each(v, to, try_, quoted, |t| {
            interval::read(t).ok()
        })?)),
        _ => {
            let value = |t: &str| made_one(parse_nanos(t, to)?, to);
            made(each(v, to, try_, quoted, value)?, to)?
        }
    })
}

fn parse_nanos(text: &str, to: &DataType) -> Option<i128> {
    match to {
        DataType::Timestamp(..) => {
            let (us, rest, _) = temporal::parse_moment(text)?;
            Some(i128::from(us) * 1_000 + i128::from(rest))
        }
        DataType::Time64(_) => temporal::parse_time(text).map(i128::from),
        _ => {
            let span = interval::read(text).ok()?;
            Some(span).filter(|s| s.months == 0).map(carry::nanos)
        }
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_ascii();
    let inner = text
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .unwrap_or(text);
    let digits: Vec<u8> = inner.bytes().filter(|b| *b != b'-').collect();
    let plain = digits.len() == inner.len();
    let dashed = inner.len() == 36 && [8, 13, 18, 23].iter().all(|&i| inner.as_bytes()[i] == b'-');
    if digits.len() != 32 || !(plain || dashed) {
        return None;
    }
    let mut out = [0; 16];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = show::hex_byte(pair[0], pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::cast;
    use crate::kernel::types;

    fn there_and_back(text: &str, ty: &DataType) -> String {
        let from: ArrayRef = Arc::new(StringViewArray::from(vec![text]));
        match cast::array(&from, ty, false) {
            Ok(a) => cast::array(&a, &types::TEXT, false)
                .unwrap()
                .as_string_view()
                .value(0)
                .to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn texts_are_values() {
        let nanos = types::timestamp_nanos(false);
        for (text, ty, want) in [
            (
                "2020-05-24 15:48:50.162702714",
                &nanos,
                "2020-05-24T15:48:50.162702714",
            ),
            (
                "1969-12-31T23:59:59.999999999",
                &nanos,
                "1969-12-31T23:59:59.999999999",
            ),
            (
                "12:34:56.7",
                &DataType::Time64(TimeUnit::Microsecond),
                "12:34:56.7",
            ),
            ("PT1.5S", &DataType::Duration(TimeUnit::Nanosecond), "PT1.5S"),
            ("-PT2M", &DataType::Duration(TimeUnit::Microsecond), "-PT120S"),
            (
                "1 year 3 months -2 days 01:02:03.5",
                &types::INTERVAL,
                "1 year 3 months -2 days 01:02:03.5",
            ),
            ("P1Y2DT3H", &types::INTERVAL, "1 year 2 days 03:00:00"),
            ("36 hours", &types::INTERVAL, "36:00:00"),
            ("1.5 days", &types::INTERVAL, "1 day 12:00:00"),
            ("15min", &types::INTERVAL, "00:15:00"),
            ("-00:30", &types::INTERVAL, "-00:30:00"),
            (
                "{00112233-4455-6677-8899-AABBCCDDEEFF}",
                &types::UUID,
                "00112233-4455-6677-8899-aabbccddeeff",
            ),
            (
                "00112233445566778899aabbccddeeff",
                &types::UUID,
                "00112233-4455-6677-8899-aabbccddeeff",
            ),
            ("a\\xFF", &DataType::Binary, "a\\xFF"),
            (
                "-12345678901234567890123456789012345678901.25",
                &DataType::Decimal256(50, 2),
                "-12345678901234567890123456789012345678901.25",
            ),
        ] {
            assert_eq!(there_and_back(text, ty), want);
        }
        for (text, ty) in [
            ("2300-01-01", &nanos),
            ("25:00", &DataType::Time64(TimeUnit::Nanosecond)),
            ("1 month", &DataType::Duration(TimeUnit::Nanosecond)),
            ("0-0112233445566778899aabbccddeeff", &types::UUID),
            ("x", &types::INTERVAL),
            ("25:61", &types::INTERVAL),
            ("2147483648 days", &types::INTERVAL),
            ("x", &DataType::Decimal256(50, 2)),
        ] {
            let told = there_and_back(text, ty);
            assert_eq!(told, format!("cannot cast '{text}' to {}", types::name(ty)));
        }
    }

    #[test]
    fn moments_change_their_unit() {
        let moments: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![Some(-1), None, Some(1_001)]));
        let coarse = cast::array(&moments, &types::timestamp(), false).unwrap();
        assert_eq!(
            coarse.as_primitive::<TimestampMicrosecondType>(),
            &TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)])
        );
        let far: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX]));
        assert!(cast::array(&far, &types::timestamp_nanos(false), false).is_err());
        assert!(
            cast::array(&far, &types::timestamp_nanos(false), true)
                .unwrap()
                .is_null(0)
        );
        let time = cast::array(&moments, &DataType::Time64(TimeUnit::Nanosecond), false).unwrap();
        assert_eq!(show::text(&time, 0), "23:59:59.999999999");
    }
}
