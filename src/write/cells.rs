//! One value to text, as every text format shows it: the shortest text that reads back the same.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringViewArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};

use super::numbers::{write_int, write_shortest};
use crate::error::Result;
use crate::kernel::types::TEXT;

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
    Timestamp(ScalarBuffer<i64>, bool),
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
            Float32 | Float16 => return Column::new(&cast(array, &Float64)?, float_digits),
            Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => {
                return Column::new(&cast(array, &Int64)?, float_digits);
            }
            Decimal128(_, s) => Values::Decimal(array.as_primitive::<Decimal128Type>().values().clone(), *s),
            Date32 => Values::Date(array.as_primitive::<Date32Type>().values().clone()),
            Timestamp(TimeUnit::Microsecond, zone) => Values::Timestamp(
                array.as_primitive::<TimestampMicrosecondType>().values().clone(),
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

    /// The array of a type that only Arrow's formatter knows (nested, binary, times of day).
    pub(super) fn other(&self) -> Option<&ArrayRef> {
        match &self.kind {
            Values::Other(a) => Some(a),
            _ => None,
        }
    }

    /// Appends the text of a value that is not null.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match &self.kind {
            Values::Null => {}
            Values::Bool(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Values::Int(v) => write_int(v[row], out),
            Values::Float(v, digits) => write_float(v[row], *digits, out),
            Values::Decimal(v, scale) => write_decimal(v[row], *scale, out),
            Values::Date(v) => write_date(v[row] as i64, out),
            Values::Timestamp(v, utc) => write_timestamp(v[row], *utc, out),
            Values::Text(_) | Values::Dictionary(..) => {
                out.extend_from_slice(self.text(row).unwrap_or_default().as_bytes());
            }
            Values::Other(a) => {
                let options = FormatOptions::new().with_duration_format(DurationFormat::ISO8601);
                let formatter = ArrayFormatter::try_new(a.as_ref(), &options)?;
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

fn write_decimal(x: i128, scale: i8, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(x.unsigned_abs());
    if x < 0 {
        out.push(b'-');
    }
    let scale_len = scale.unsigned_abs() as usize;
    if scale <= 0 {
        out.extend_from_slice(digits.as_bytes());
        if x != 0 {
            out.resize(out.len() + scale_len, b'0');
        }
        return;
    }
    let whole = digits.len().saturating_sub(scale_len);
    if whole == 0 {
        out.push(b'0');
    }
    out.extend_from_slice(&digits.as_bytes()[..whole]);
    out.push(b'.');
    let fraction = &digits.as_bytes()[whole..];
    out.resize(out.len() + scale_len - fraction.len(), b'0');
    out.extend_from_slice(fraction);
}

fn two(n: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]);
}

/// `2024-01-02`; years outside 0000..=9999 have a sign, as ISO 8601 has it. The calendar is the
/// proleptic Gregorian one (civil-from-days by Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn write_date(days: i64, out: &mut Vec<u8>) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    match year {
        0..=9999 => {
            two(year / 100, out);
            two(year % 100, out);
        }
        _ => {
            let sign = if year < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("{sign}{:04}", year.abs()).as_bytes());
        }
    }
    out.push(b'-');
    two(month, out);
    out.push(b'-');
    two(day, out);
}

fn write_timestamp(micros: i64, utc: bool, out: &mut Vec<u8>) {
    const DAY: i64 = 86_400_000_000;
    write_date(micros.div_euclid(DAY), out);
    let of_day = micros.rem_euclid(DAY);
    let seconds = of_day / 1_000_000;
    out.push(b'T');
    two(seconds / 3600, out);
    out.push(b':');
    two(seconds / 60 % 60, out);
    out.push(b':');
    two(seconds % 60, out);
    let fraction = of_day % 1_000_000;
    if fraction > 0 {
        let text = format!(".{fraction:06}");
        out.extend_from_slice(text.trim_end_matches('0').as_bytes());
    }
    if utc {
        out.push(b'Z');
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

    #[test]
    fn decimals_are_exact() {
        for (x, s, want) in [
            (12345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (7, 0, "7"),
            (7, -2, "700"),
            (0, -2, "0"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            assert_eq!(text(|o| write_decimal(x, s, o)), want);
        }
    }

    #[test]
    fn dates_agree_with_chrono() {
        for days in (-800_000..800_000).step_by(37) {
            let want = chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap();
            if (0..=9999).contains(&chrono::Datelike::year(&want)) {
                assert_eq!(text(|o| write_date(days as i64, o)), want.to_string());
            }
        }
        assert_eq!(text(|o| write_date(2_932_897, o)), "+10000-01-01");
        assert_eq!(
            text(|o| write_timestamp(-1, true, o)),
            "1969-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            text(|o| write_timestamp(1_500_000, false, o)),
            "1970-01-01T00:00:01.5"
        );
        // the ends of the type must not overflow
        text(|o| write_timestamp(i64::MIN, false, o));
        text(|o| write_date(i32::MIN as i64, o));
    }
}
