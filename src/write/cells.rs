//! One value to text, as every text format shows it: the shortest text that reads back the same.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringViewArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::json;
use super::numbers::{write_int, write_shortest};
use crate::error::Result;
use crate::kernel::types::TEXT;
use crate::kernel::{Width, show};

/// A column, ready to print its values.
pub(super) struct Column {
    nulls: Option<NullBuffer>,
    kind: Values,
}

enum Values {
    Null,
    Bool(BooleanArray),
    Int(ScalarBuffer<i64>),
    Float(ScalarBuffer<f64>, Option<usize>),
    Decimal(ScalarBuffer<i128>, i8),
    Date(ScalarBuffer<i32>),
    Timestamp(ScalarBuffer<i64>, TimeUnit, bool),
    Text(StringViewArray),
    Dictionary(Int32Array, StringViewArray),
    Other(ArrayRef),
}

impl Column {
    pub(super) fn new(array: &ArrayRef, float_digits: Option<usize>) -> Result<Column> {
        use DataType::*;
        let kind = match array.data_type() {
            Null => Values::Null,
            Boolean => Values::Bool(array.as_boolean().clone()),
            Int64 => Values::Int(array.as_primitive::<Int64Type>().values().clone()),
            Float64 => Values::Float(array.as_primitive::<Float64Type>().values().clone(), float_digits),
            Float32 | Float16 => {
                let floats = cast(array, &Float64)?;
                let printed = Width::of(array.data_type()).map(|w| w.printed(&floats));
                return Column::new(&printed.unwrap_or(floats), float_digits);
            }
            Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => {
                return Column::new(&cast(array, &Int64)?, float_digits);
            }
            Decimal128(_, s) => Values::Decimal(array.as_primitive::<Decimal128Type>().values().clone(), *s),
            Date32 => Values::Date(array.as_primitive::<Date32Type>().values().clone()),
            Timestamp(unit @ TimeUnit::Microsecond, zone) => Values::Timestamp(
                array.as_primitive::<TimestampMicrosecondType>().values().clone(),
                *unit,
                zone.is_some(),
            ),
            Timestamp(unit @ TimeUnit::Nanosecond, zone) => Values::Timestamp(
                array.as_primitive::<TimestampNanosecondType>().values().clone(),
                *unit,
                zone.is_some(),
            ),
            Utf8View => Values::Text(array.as_string_view().clone()),
            Utf8 | LargeUtf8 => return Column::new(&cast(array, &TEXT)?, float_digits),
            Dictionary(key, value) if **key == Int32 && **value == Utf8View => {
                let d = array.as_dictionary::<Int32Type>();
                Values::Dictionary(d.keys().clone(), d.values().as_string_view().clone())
            }
            Dictionary(_, value) => return Column::new(&cast(array, value)?, float_digits),
            _ => Values::Other(array.clone()),
        };
        Ok(Column {
            nulls: array.logical_nulls(),
            kind,
        })
    }

    /// A column whose floats print as those of their width.
    pub(super) fn of_width(
        array: &ArrayRef,
        width: Option<Width>,
        float_digits: Option<usize>,
    ) -> Result<Column> {
        match width.filter(|w| w.is_float()) {
            Some(width) => Column::new(&width.printed(array), float_digits),
            None => Column::new(array, float_digits),
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Values::Null) || self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// The text of a text column (of a value that is not null).
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        match &self.kind {
            Values::Text(a) => Some(a.value(row)),
            Values::Dictionary(keys, values) => Some(values.value(keys.value(row) as usize)),
            _ => None,
        }
    }

    /// Whether it is a text column none of whose values is empty or has one of these bytes. Asked
    /// once for many rows: then none of them needs to be looked at before it is written.
    pub(super) fn has_none_of(&self, special: [u8; 4]) -> bool {
        let clean = |texts: &StringViewArray| {
            let null = |i: usize| texts.is_null(i);
            (texts.views().iter().enumerate()).all(|(i, &view)| match view as u32 {
                0 => null(i),
                1..=SHORT => !special.iter().any(|&b| has_byte(view >> 32, b)),
                _ => null(i) || !texts.value(i).bytes().any(|b| special.contains(&b)),
            })
        };
        match &self.kind {
            Values::Text(texts) => clean(texts),
            Values::Dictionary(keys, texts) => texts.len() <= keys.len() && clean(texts),
            _ => false,
        }
    }

    /// Appends the text of a text column (of a value that is not null) as it is.
    #[inline]
    pub(super) fn write_text(&self, row: usize, out: &mut Vec<u8>) {
        let (texts, at) = match &self.kind {
            Values::Text(texts) => (texts, row),
            Values::Dictionary(keys, texts) => (texts, keys.value(row) as usize),
            _ => return,
        };
        let view = texts.views()[at];
        match view as u32 {
            n @ 0..=SHORT => {
                // sixteen bytes always, since copying so many needs no call
                out.extend((view >> 32).to_le_bytes());
                out.truncate(out.len() - 16 + n as usize);
            }
            _ => out.extend_from_slice(texts.value(at).as_bytes()),
        }
    }

    /// Whether its texts are never in need of quotes or escapes.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(
            self.kind,
            Values::Text(_) | Values::Dictionary(..) | Values::Other(_)
        )
    }

    /// Whether JSON writes it without quotes.
    pub(super) fn is_json_literal(&self, row: usize) -> bool {
        match &self.kind {
            Values::Bool(_) | Values::Int(_) | Values::Decimal(..) => true,
            Values::Float(v, _) => v[row].is_finite(),
            _ => false,
        }
    }

    /// Whether the value is a float that JSON cannot write.
    pub(super) fn is_not_finite(&self, row: usize) -> bool {
        matches!(&self.kind, Values::Float(v, _) if !v[row].is_finite())
    }

    /// How many of its floats are NaN.
    pub(super) fn nans(&self) -> u64 {
        match &self.kind {
            Values::Float(v, _) if v.iter().any(|x| x.is_nan()) => (0..v.len())
                .filter(|&i| v[i].is_nan() && !self.is_null(i))
                .count() as u64,
            _ => 0,
        }
    }

    /// The array of a rarer type (nested, binary, times of day).
    pub(super) fn other(&self) -> Option<&ArrayRef> {
        match &self.kind {
            Values::Other(a) => Some(a),
            _ => None,
        }
    }

    /// Appends the text of a value that is not null.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        use DataType::{FixedSizeList, LargeList, List, Map, Struct};
        match &self.kind {
            Values::Null => {}
            Values::Bool(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Values::Int(v) => write_int(v[row], out),
            Values::Float(v, digits) => write_float(v[row], *digits, out),
            Values::Decimal(v, scale) => show::decimal(v[row], *scale, out),
            Values::Date(v) => show::date(v[row] as i64, out),
            Values::Timestamp(v, unit, utc) => show::timestamp(v[row], *unit, *utc, out),
            Values::Text(_) | Values::Dictionary(..) => {
                out.extend_from_slice(self.text(row).unwrap_or_default().as_bytes());
            }
            Values::Other(a) if show::value(a, row, out) => {}
            // JSON tells nulls, texts and numbers apart
            Values::Other(a)
                if matches!(
                    a.data_type(),
                    Struct(_) | List(_) | LargeList(_) | FixedSizeList(..) | Map(..)
                ) =>
            {
                json::nested(a, row, out)?
            }
            Values::Other(a) => {
                let formatter = ArrayFormatter::try_new(a.as_ref(), &FormatOptions::new())?;
                out.extend_from_slice(formatter.value(row).try_to_string()?.as_bytes());
            }
        }
        Ok(())
    }
}

/// Texts of at most so many bytes lie within their views.
const SHORT: u32 = 12;

/// Whether one of the lower twelve bytes is `b`, which is not zero (zeros may follow a short text).
#[inline]
fn has_byte(bytes: u128, b: u8) -> bool {
    const ONES: u128 = u128::MAX / 255;
    let x = bytes ^ (ONES * b as u128);
    x.wrapping_sub(ONES) & !x & (ONES << 7) != 0
}

fn write_float(x: f64, digits: Option<usize>, out: &mut Vec<u8>) {
    if x.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if x.is_infinite() {
        out.extend_from_slice(if x > 0.0 { b"inf" } else { b"-inf" });
    } else if let Some(n) = digits {
        out.extend_from_slice(format!("{x:.n$}").as_bytes());
    } else {
        write_shortest(x, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_shortest() {
        for (x, want) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "1e16"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(text(|o| write_float(x, None, o)), want);
        }
        assert_eq!(text(|o| write_float(2.0 / 3.0, Some(2), o)), "0.67");
    }
}
