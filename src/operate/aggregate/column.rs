//! Columns as the aggregation sees them: a few physical kinds instead of Arrow's many.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::kernel::types;

/// A column of one of the logical types; dictionaries of text are unpacked (views only).
#[derive(Debug, Clone)]
pub enum Col {
    /// Only nulls.
    Null(NullArray, NullBuffer),
    /// Truth values.
    Bool(BooleanArray),
    /// Integers.
    Int(Int64Array),
    /// Floats.
    Float(Float64Array),
    /// Decimals.
    Dec(Decimal128Array),
    /// Dates.
    Date(Date32Array),
    /// Timestamps.
    Time(TimestampMicrosecondArray),
    /// Text.
    Text(StringViewArray),
}

impl Col {
    /// Looks at an array; an error for types that the engine does not compute with.
    pub fn new(array: &ArrayRef) -> Result<Col> {
        let any = array.as_any();
        let unknown = || {
            Error::query(format!(
                "cannot aggregate a column of type {}",
                types::name(array.data_type())
            ))
        };
        macro_rules! get {
            ($kind:ident, $array:ty) => {
                any.downcast_ref::<$array>()
                    .map(|a| Col::$kind(a.clone()))
                    .ok_or_else(unknown)
            };
        }
        match array.data_type() {
            DataType::Null => Ok(Col::Null(
                NullArray::new(array.len()),
                NullBuffer::new_null(array.len()),
            )),
            DataType::Boolean => get!(Bool, BooleanArray),
            DataType::Int64 => get!(Int, Int64Array),
            DataType::Float64 => get!(Float, Float64Array),
            DataType::Decimal128(..) => get!(Dec, Decimal128Array),
            DataType::Date32 => get!(Date, Date32Array),
            DataType::Timestamp(TimeUnit::Microsecond, _) => get!(Time, TimestampMicrosecondArray),
            DataType::Utf8View => get!(Text, StringViewArray),
            DataType::Dictionary(_, v) if types::logical(v) == types::TEXT => {
                Col::new(&cast(array, &types::TEXT)?)
            }
            _ => Err(unknown()),
        }
    }

    /// The nulls, if any.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        let nulls = match self {
            Col::Null(_, n) => Some(n),
            Col::Bool(a) => a.nulls(),
            Col::Int(a) => a.nulls(),
            Col::Float(a) => a.nulls(),
            Col::Dec(a) => a.nulls(),
            Col::Date(a) => a.nulls(),
            Col::Time(a) => a.nulls(),
            Col::Text(a) => a.nulls(),
        };
        nulls.filter(|n| n.null_count() > 0)
    }

    /// Numbers as 64 bits that are equal exactly when the values are.
    pub fn bits(&self) -> Cow<'_, [u64]> {
        match self {
            Col::Float(a) => Cow::Owned(a.values().iter().map(|&v| canonical(v)).collect()),
            _ => match self.ints() {
                Cow::Borrowed(v) => Cow::Owned(v.iter().map(|&x| x as u64).collect()),
                Cow::Owned(v) => Cow::Owned(v.into_iter().map(|x| x as u64).collect()),
            },
        }
    }

    /// One of [`Col::bits`].
    pub fn bit(&self, i: usize) -> u64 {
        match self {
            Col::Bool(a) => a.value(i) as u64,
            Col::Int(a) => a.value(i) as u64,
            Col::Float(a) => canonical(a.value(i)),
            Col::Date(a) => a.value(i) as i64 as u64,
            Col::Time(a) => a.value(i) as u64,
            Col::Null(..) | Col::Dec(_) | Col::Text(_) => 0,
        }
    }

    /// One of [`Col::ints`]; none of decimals and text.
    pub fn int(&self, i: usize) -> Option<i64> {
        match self {
            Col::Bool(a) => Some(a.value(i).into()),
            Col::Int(a) => Some(a.value(i)),
            Col::Float(a) => Some(ordered(a.value(i))),
            Col::Date(a) => Some(a.value(i).into()),
            Col::Time(a) => Some(a.value(i)),
            Col::Null(..) | Col::Dec(_) | Col::Text(_) => None,
        }
    }

    /// Numbers as integers in the order of the values (floats: NaN greatest, no `-0.0`).
    pub fn ints(&self) -> Cow<'_, [i64]> {
        match self {
            Col::Int(a) => Cow::Borrowed(a.values()),
            Col::Time(a) => Cow::Borrowed(a.values()),
            Col::Date(a) => Cow::Owned(a.values().iter().map(|&v| v as i64).collect()),
            Col::Bool(a) => Cow::Owned(a.values().iter().map(|v| v as i64).collect()),
            Col::Float(a) => Cow::Owned(a.values().iter().map(|&v| ordered(v)).collect()),
            Col::Null(a, _) => Cow::Owned(vec![0; a.len()]),
            Col::Dec(_) | Col::Text(_) => Cow::Owned(Vec::new()),
        }
    }
}

/// The bits of a float with one NaN and without `-0.0`.
#[inline(always)]
pub fn canonical(v: f64) -> u64 {
    if v.is_nan() {
        f64::NAN.to_bits()
    } else {
        (v + 0.0).to_bits()
    }
}

/// An integer that is ordered like the float (NaN greatest).
#[inline(always)]
pub fn ordered(v: f64) -> i64 {
    let bits = canonical(v) as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The float that [`ordered`] stands for.
#[inline(always)]
pub fn unordered(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64)
}

fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    valid.contains(&false).then(|| NullBuffer::from(valid))
}

/// A column of the logical type `ty` from [`Col::bits`].
pub fn from_bits(ty: &DataType, bits: Vec<u64>, valid: Vec<bool>) -> Result<ArrayRef> {
    if let DataType::Float64 = ty {
        let floats: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
        return Ok(Arc::new(Float64Array::new(floats.into(), nulls(valid))));
    }
    from_ints(ty, bits.into_iter().map(|b| b as i64).collect(), valid)
}

/// A column of the logical type `ty` from [`Col::ints`].
pub fn from_ints(ty: &DataType, ints: Vec<i64>, valid: Vec<bool>) -> Result<ArrayRef> {
    from_longs(ty, ints, nulls(valid))
}

/// The same with the nulls as Arrow has them.
pub fn from_longs(ty: &DataType, ints: Vec<i64>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let rows = ints.len();
    Ok(match ty {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => Arc::new(BooleanArray::new(ints.iter().map(|&v| v != 0).collect(), nulls)),
        DataType::Int64 => Arc::new(Int64Array::new(ints.into(), nulls)),
        DataType::Float64 => {
            let floats: Vec<f64> = ints.into_iter().map(unordered).collect();
            Arc::new(Float64Array::new(floats.into(), nulls))
        }
        DataType::Date32 => {
            let days: Vec<i32> = ints.into_iter().map(|v| v as i32).collect();
            Arc::new(Date32Array::new(days.into(), nulls))
        }
        DataType::Timestamp(_, zone) => Arc::new(
            PrimitiveArray::<TimestampMicrosecondType>::new(ints.into(), nulls)
                .with_timezone_opt(zone.clone()),
        ),
        other => return Err(Error::defect(format!("no column of type {other} from integers"))),
    })
}

/// A decimal column.
pub fn decimals(ty: &DataType, values: Vec<i128>, valid: Vec<bool>) -> Result<ArrayRef> {
    let array = Decimal128Array::new(values.into(), nulls(valid));
    Ok(Arc::new(array.with_data_type(ty.clone())))
}
