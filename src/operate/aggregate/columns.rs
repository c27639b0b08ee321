//! Typed views of the columns that aggregates look at, whatever their physical encoding.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use crate::error::{Error, Result};

/// The values of a column, by what aggregates make of them.
pub enum Values<'a> {
    /// `Int64`, timestamps.
    Int(&'a [i64]),
    /// Dates.
    Date(&'a [i32]),
    /// `Boolean`.
    Bool(&'a arrow::array::BooleanArray),
    /// `Float64`.
    Float(&'a [f64]),
    /// Decimals, unscaled.
    Decimal(&'a [i128]),
    /// Text.
    Text(&'a StringViewArray),
    /// Text behind dictionary codes.
    Dictionary(&'a [i32], &'a StringViewArray),
    /// Nothing but nulls.
    Null,
}

impl<'a> Values<'a> {
    /// The same values again.
    pub fn reborrow(&self) -> Values<'a> {
        match *self {
            Values::Int(v) => Values::Int(v),
            Values::Date(v) => Values::Date(v),
            Values::Bool(v) => Values::Bool(v),
            Values::Float(v) => Values::Float(v),
            Values::Decimal(v) => Values::Decimal(v),
            Values::Text(v) => Values::Text(v),
            Values::Dictionary(k, v) => Values::Dictionary(k, v),
            Values::Null => Values::Null,
        }
    }
}

/// A column with its nulls.
pub struct Column<'a> {
    /// The values.
    pub values: Values<'a>,
    /// The nulls, if there are any (those inside a dictionary's values do not occur).
    pub nulls: Option<&'a NullBuffer>,
}

impl<'a> Column<'a> {
    /// Looks at an array of one of the logical types.
    pub fn new(array: &'a ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Int64 => Values::Int(array.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Int(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Float64 => Values::Float(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal128(..) => Values::Decimal(array.as_primitive::<Decimal128Type>().values()),
            DataType::Utf8View => Values::Text(array.as_string_view()),
            DataType::Dictionary(..) => {
                let d = array.as_dictionary::<Int32Type>();
                match d.values().as_string_view_opt() {
                    Some(v) => Values::Dictionary(d.keys().values(), v),
                    None => return Err(unsupported(array.data_type())),
                }
            }
            DataType::Null => Values::Null,
            other => return Err(unsupported(other)),
        };
        Ok(Column {
            values,
            nulls: array.nulls().filter(|n| n.null_count() > 0),
        })
    }

    /// Whether the value of a row is missing.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.is_some_and(|n| n.is_null(row))
    }
}

fn unsupported(ty: &DataType) -> Error {
    Error::query(format!("cannot group by or aggregate a column of type {ty}"))
        .help("cast it to text or a number first")
}

/// The bits of a float such that integers compare as the floats do: `-0.0` is `0.0`, all NaN are
/// one, greater than everything.
#[inline]
pub fn float_bits(x: f64) -> u64 {
    let x = if x.is_nan() { f64::NAN.abs() } else { x + 0.0 };
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// The float of [`float_bits`].
#[inline]
pub fn bits_float(b: u64) -> f64 {
    f64::from_bits(if b >> 63 == 1 { b & !(1 << 63) } else { !b })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_bits_order_and_return() {
        let sorted = [
            f64::NEG_INFINITY,
            -1.5,
            -1e-300,
            0.0,
            1e-300,
            2.0,
            f64::INFINITY,
            f64::NAN,
        ];
        assert!(sorted.windows(2).all(|w| float_bits(w[0]) < float_bits(w[1])));
        assert_eq!(float_bits(-0.0), float_bits(0.0));
        assert_eq!(float_bits(-f64::NAN), float_bits(f64::NAN));
        assert!(sorted[..7].iter().all(|x| bits_float(float_bits(*x)) == *x));
        assert!(bits_float(float_bits(f64::NAN)).is_nan());
    }
}
