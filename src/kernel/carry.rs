//! The rarer types as values of the common ones that are equal, and in order, exactly when they are.
//!
//! ```text
//!   timestamp (ns), time, duration ─► int64                 its ticks
//!   interval                       ─► decimal(38,0)         its nanoseconds, a month as 30 days
//!                                  ─► text                  where it comes back: these, then its parts
//!   binary, UUID                   ─► text                  a character for each byte, U+0000..=U+00FF
//!   decimal of over 38 digits      ─► text                  of its 32 bytes, the sign bit turned
//!   list, struct, map              ─► text                  of the bytes that `arrow::row` makes
//! ```
//!
//! Whoever has keys, extremes or first values (groups, sorts, joins, windows, in memory and spilled)
//! sees only the common types; the graph puts [`carry`] before them and [`restore`] behind
//! (`graph::carry`). UTF-8 keeps the order of code points, so texts of bytes sort as the bytes do.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::*;
use arrow::row::{RowConverter, SortField};

use super::types::TEXT;
use crate::error::{Error, Result};

/// The precision of an interval's nanoseconds.
const NANOS: DataType = DataType::Decimal128(38, 0);
const DAY: i128 = 86_400_000_000_000;

/// The type that carries values of `ty`; none for those that need no other, and for those that there is
/// none for.
pub fn carrier(ty: &DataType) -> Option<DataType> {
    use DataType as D;
    Some(match ty {
        D::Timestamp(TimeUnit::Nanosecond, _) | D::Time64(_) | D::Duration(_) => D::Int64,
        D::Interval(IntervalUnit::MonthDayNano) => NANOS,
        D::Binary | D::Decimal256(..) => TEXT,
        D::FixedSizeBinary(_) => TEXT,
        D::List(_) | D::LargeList(_) | D::FixedSizeList(..) | D::Struct(_) | D::Map(..)
            if RowConverter::supports_fields(&[SortField::new(ty.clone())]) =>
        {
            TEXT
        }
        _ => return None,
    })
}

/// The type that carries values of `ty` so that they come back as they were: intervals of 1 month and of 30 days are
/// equal, but not the same.
pub fn exact_carrier(ty: &DataType) -> Option<DataType> {
    match ty {
        DataType::Interval(_) => carrier(ty).map(|_| TEXT),
        ty => carrier(ty),
    }
}

/// A column as its [`exact_carrier`]; in the same order, and equal ones of it side by side.
///
/// # Errors
/// As of [`carry`].
pub fn carry_exactly(array: &ArrayRef) -> Result<ArrayRef> {
    let Some(spans) = array.as_primitive_opt::<IntervalMonthDayNanoType>() else {
        return carry(array);
    };
    let bytes = |i: usize| {
        let v = spans.value(i);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&((nanos(v) as u128) ^ 1 << 127).to_be_bytes());
        bytes[16..20].copy_from_slice(&v.months.to_be_bytes());
        bytes[20..24].copy_from_slice(&v.days.to_be_bytes());
        bytes[24..].copy_from_slice(&v.nanoseconds.to_be_bytes());
        bytes
    };
    Ok(texts(array.len(), array.nulls().cloned(), bytes))
}

/// The interval that 32 bytes of [`carry_exactly`] tell.
fn span_of(bytes: &[u8]) -> Option<IntervalMonthDayNano> {
    let (months, rest) = bytes.get(16..)?.split_first_chunk::<4>()?;
    let (days, rest) = rest.split_first_chunk::<4>()?;
    let nanoseconds = i64::from_be_bytes(rest.try_into().ok()?);
    Some(IntervalMonthDayNano::new(
        i32::from_be_bytes(*months),
        i32::from_be_bytes(*days),
        nanoseconds,
    ))
}

/// A column as its carrier; itself where it needs none.
///
/// # Errors
/// Values of a nested type that cannot be ordered.
pub fn carry(array: &ArrayRef) -> Result<ArrayRef> {
    use DataType as D;
    let nulls = || array.nulls().cloned();
    Ok(match array.data_type() {
        ty if carrier(ty).is_none() => array.clone(),
        D::Interval(_) => {
            let spans = array.as_primitive::<IntervalMonthDayNanoType>();
            let values = spans.unary::<_, Decimal128Type>(nanos);
            Arc::new(values.with_data_type(NANOS))
        }
        D::Binary => texts(array.len(), nulls(), |i| array.as_binary::<i32>().value(i)),
        D::FixedSizeBinary(_) => texts(array.len(), nulls(), |i| array.as_fixed_size_binary().value(i)),
        D::Decimal256(..) => {
            let values = array.as_primitive::<Decimal256Type>();
            let bytes = |i: usize| {
                let mut bytes = values.value(i).to_be_bytes();
                bytes[0] ^= 0x80;
                bytes
            };
            texts(array.len(), nulls(), bytes)
        }
        D::Timestamp(..) | D::Time64(_) | D::Duration(_) => cast(&without_zone(array), &D::Int64)?,
        ty => {
            let converter = RowConverter::new(vec![field(ty)])?;
            let rows = converter.convert_columns(std::slice::from_ref(array))?;
            texts(array.len(), array.logical_nulls(), |i| rows.row(i).data())
        }
    })
}

/// The column of type `ty` that was carried.
///
/// # Errors
/// It was not.
pub fn restore(array: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    use DataType as D;
    let wrong = || Error::defect(format!("{} does not carry {ty}", array.data_type()));
    let own = Some(array.data_type());
    if carrier(ty).as_ref() != own && exact_carrier(ty).as_ref() != own {
        return match array.data_type() == ty {
            true => Ok(array.clone()),
            false => Err(wrong()),
        };
    }
    let each = || (0..array.len()).map(|i| bytes_of(array.as_string_view(), i));
    Ok(match ty {
        D::Interval(_) if *array.data_type() == TEXT => {
            let spans = each().map(|v| v.map(|v| span_of(&v).ok_or_else(wrong)).transpose());
            Arc::new(spans.collect::<Result<IntervalMonthDayNanoArray>>()?)
        }
        D::Interval(_) => {
            let values = array.as_primitive::<Decimal128Type>();
            Arc::new(values.unary::<_, IntervalMonthDayNanoType>(span))
        }
        D::Binary => Arc::new(each().collect::<BinaryArray>()),
        D::FixedSizeBinary(n) => {
            let fits = |v: Option<Vec<u8>>| v.filter(|v| v.len() == *n as usize);
            let mut out = FixedSizeBinaryBuilder::with_capacity(array.len(), *n);
            for v in each() {
                match (v.is_some(), fits(v)) {
                    (_, Some(v)) => out.append_value(v)?,
                    (false, _) => out.append_null(),
                    (true, None) => return Err(wrong()),
                }
            }
            Arc::new(out.finish())
        }
        D::Decimal256(..) => {
            let value = |v: Vec<u8>| -> Option<i256> {
                let mut bytes: [u8; 32] = v.try_into().ok()?;
                bytes[0] ^= 0x80;
                Some(i256::from_be_bytes(bytes))
            };
            let values = each().map(|v| v.and_then(value));
            Arc::new(values.collect::<Decimal256Array>().with_data_type(ty.clone()))
        }
        D::Timestamp(unit, zone) => {
            let there = cast(array, &D::Timestamp(*unit, None))?;
            cast_zone(&there, zone.clone())
        }
        D::Time64(_) | D::Duration(_) => cast(array, ty)?,
        ty => {
            let converter = RowConverter::new(vec![field(ty)])?;
            let parser = converter.parser();
            // a null has bytes of its own, which a null of any type becomes again
            let none = new_null_array(ty, 1);
            let none = converter.convert_columns(&[none])?;
            let rows: Vec<Vec<u8>> = each()
                .map(|v| v.unwrap_or_else(|| none.row(0).data().to_vec()))
                .collect();
            let rows = rows.iter().map(|r| parser.parse(r));
            let columns = converter.convert_rows(rows)?;
            let column = columns.into_iter().next().ok_or_else(wrong)?;
            match column.data_type() == ty {
                true => column,
                false => cast(&column, ty)?,
            }
        }
    })
}

/// How a nested type is ordered: nulls within it come last, as those of columns do.
fn field(ty: &DataType) -> SortField {
    SortField::new_with_options(ty.clone(), SortOptions::new(false, false))
}

/// A moment's ticks do not hang on its zone.
fn without_zone(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => cast_zone(array, None),
        _ => array.clone(),
    }
}

fn cast_zone(array: &ArrayRef, zone: Option<Arc<str>>) -> ArrayRef {
    match array.as_primitive_opt::<TimestampNanosecondType>() {
        Some(moments) => Arc::new(moments.clone().with_timezone_opt(zone)),
        None => array.clone(),
    }
}

/// The nanoseconds of an interval whose months have 30 days.
pub fn nanos(v: IntervalMonthDayNano) -> i128 {
    (i128::from(v.months) * 30 + i128::from(v.days)) * DAY + i128::from(v.nanoseconds)
}

/// An interval of so many nanoseconds, in whole days and a rest: the difference of two moments as it
/// was, a month as 30 days.
fn span(nanos: i128) -> IntervalMonthDayNano {
    let days = i32::try_from(nanos / DAY).unwrap_or(if nanos < 0 { i32::MIN } else { i32::MAX });
    let months = (nanos / DAY - i128::from(days)) / 30;
    let rest = nanos - (i128::from(days) + months * 30) * DAY;
    IntervalMonthDayNano::new(months as i32, days, rest as i64)
}

/// Texts with a character for each byte.
fn texts<B: AsRef<[u8]>>(rows: usize, nulls: Option<NullBuffer>, value: impl Fn(usize) -> B) -> ArrayRef {
    let mut out = StringViewBuilder::with_capacity(rows);
    let mut text = String::new();
    for i in 0..rows {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            out.append_null();
            continue;
        }
        let value = value(i);
        text.clear();
        text.extend(value.as_ref().iter().map(|&b| char::from(b)));
        out.append_value(&text);
    }
    Arc::new(out.finish())
}

/// The bytes that a text of [`texts`] stands for.
fn bytes_of(texts: &StringViewArray, i: usize) -> Option<Vec<u8>> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    texts
        .is_valid(i)
        .then(|| texts.value(i).chars().map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::types::{self, INTERVAL, UUID};
    use proptest::prelude::*;

    /// Equal and in order as `key` is, and back again.
    fn check<T: Ord>(array: ArrayRef, keys: &[Option<T>]) {
        let carried = carry(&array).unwrap();
        assert_eq!(Some(carried.data_type()), carrier(array.data_type()).as_ref());
        let order = arrow::array::make_comparator(&carried, &carried, Default::default()).unwrap();
        for i in 0..keys.len() {
            for j in 0..keys.len() {
                if let (Some(a), Some(b)) = (&keys[i], &keys[j]) {
                    assert_eq!(order(i, j), a.cmp(b), "{i} {j} of {array:?}");
                }
                assert_eq!(carried.is_null(i), keys[i].is_none());
            }
        }
        let back = restore(&carried, array.data_type()).unwrap();
        if *array.data_type() != INTERVAL {
            assert_eq!(&back, &array);
        }
        assert_eq!(&carry(&back).unwrap(), &carried);
        let exact = carry_exactly(&array).unwrap();
        assert_eq!(Some(exact.data_type()), exact_carrier(array.data_type()).as_ref());
        assert_eq!(&restore(&exact, array.data_type()).unwrap(), &array);
        let order = arrow::array::make_comparator(&exact, &exact, Default::default()).unwrap();
        for i in 0..keys.len() {
            for j in 0..keys.len() {
                if let (Some(a), Some(b), false) = (&keys[i], &keys[j], keys[i] == keys[j]) {
                    assert_eq!(order(i, j), a.cmp(b), "{i} {j} of {array:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn carriers_are_in_order(
            ints in prop::collection::vec(prop::option::of(prop_oneof![any::<i64>(), -3i64..3]), 6),
            bytes in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 6),
            utc: bool,
        ) {
            let moments = TimestampNanosecondArray::from(ints.clone());
            check(Arc::new(moments.with_timezone_opt(utc.then_some("UTC"))), &ints);
            check(Arc::new(Time64NanosecondArray::from(ints.clone())), &ints);
            check(Arc::new(DurationMicrosecondArray::from(ints.clone())), &ints);
            check(Arc::new(BinaryArray::from_iter(bytes.iter().map(|b| b.as_ref()))), &bytes);
            let mut ids: Vec<Option<[u8; 16]>> = ints.iter().map(|v| v.map(|v| (v as u128).wrapping_mul(7).to_le_bytes())).collect();
            ids[0] = Some([0; 16]);
            let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.iter().cloned(), 16).unwrap();
            check(Arc::new(array), &ids);
            let wide: Vec<Option<i256>> = ints.iter().map(|v| v.map(|v| i256::from_parts(7, v.into()))).collect();
            let array = Decimal256Array::from(wide.clone()).with_precision_and_scale(76, 3).unwrap();
            check(Arc::new(array), &wide);
            let part = |v: i64| IntervalMonthDayNano::new((v % 7) as i32, (v % 50) as i32, v);
            let spans: Vec<Option<i128>> = ints.iter().map(|v| v.map(|v| nanos(part(v)))).collect();
            let array = IntervalMonthDayNanoArray::from_iter(ints.iter().map(|v| v.map(part)));
            check(Arc::new(array), &spans);
            let lists: Vec<Option<Vec<Option<i64>>>> = ints.iter().map(|v| v.map(|v| vec![Some(v), None, Some(1)])).collect();
            let array = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
            check(Arc::new(array), &ints);
        }
    }

    #[test]
    fn common_types_need_none() {
        for ty in [
            DataType::Int64,
            TEXT,
            types::timestamp(),
            DataType::Boolean,
            DataType::Null,
        ] {
            assert_eq!(carrier(&ty), None);
        }
        assert_eq!(carrier(&UUID), Some(TEXT));
        assert_eq!(carrier(&INTERVAL), Some(NANOS));
    }
}
