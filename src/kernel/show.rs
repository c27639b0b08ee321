//! Values as text: dates and times of any unit, spans, bytes, UUIDs, decimals.
//!
//! ```text
//!   2024-01-02T03:04:05.000000006Z   03:04:05.5   PT1.5S   1 year 2 days 03:04:05
//!   caf\xE9   018f3c2e-7b1a-7000-8000-0123456789ab   -0.05
//! ```

use arrow::array::{Array, AsArray};
use arrow::datatypes::*;

/// Ticks of a unit in a second.
pub fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn two(n: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]);
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar
/// (civil-from-days by Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// `2024-01-02`; years outside 0000..=9999 have a sign, as ISO 8601 has it.
pub fn date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
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
    two(month.into(), out);
    out.push(b'-');
    two(day.into(), out);
}

/// A fraction of a second behind its point; nothing where it is zero.
fn fraction(ticks: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    if ticks > 0 {
        let digits = per_second(unit).ilog10() as usize;
        let text = format!(".{ticks:0digits$}");
        out.extend_from_slice(text.trim_end_matches('0').as_bytes());
    }
}

/// A moment, of ticks since 1970.
pub fn timestamp(ticks: i64, unit: TimeUnit, utc: bool, out: &mut Vec<u8>) {
    let second = per_second(unit);
    let seconds = ticks.div_euclid(second);
    date(seconds.div_euclid(86_400), out);
    out.push(b'T');
    clock(seconds.rem_euclid(86_400), out);
    fraction(ticks.rem_euclid(second), unit, out);
    if utc {
        out.push(b'Z');
    }
}

fn clock(seconds: i64, out: &mut Vec<u8>) {
    two(seconds / 3600, out);
    out.push(b':');
    two(seconds / 60 % 60, out);
    out.push(b':');
    two(seconds % 60, out);
}

/// A time of day. What lies outside of a day, as files may have it, shows as such.
pub fn time(ticks: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    if ticks < 0 {
        out.push(b'-');
    }
    let second = per_second(unit) as u64;
    let (seconds, rest) = (ticks.unsigned_abs() / second, ticks.unsigned_abs() % second);
    match seconds < 360_000 {
        true => clock(seconds as i64, out),
        false => {
            let (m, s) = (seconds / 60 % 60, seconds % 60);
            out.extend_from_slice(format!("{}:{m:02}:{s:02}", seconds / 3600).as_bytes());
        }
    }
    fraction(rest as i64, unit, out);
}

/// A span of time as ISO 8601 has it: `PT1.5S`.
pub fn duration(ticks: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let second = per_second(unit) as u64;
    let sign = if ticks < 0 { "-" } else { "" };
    out.extend_from_slice(format!("{sign}PT{}", ticks.unsigned_abs() / second).as_bytes());
    fraction((ticks.unsigned_abs() % second) as i64, unit, out);
    out.push(b'S');
}

/// A span of months, days and nanoseconds: `1 year 2 months -3 days 04:05:06.7`.
pub fn interval(months: i32, days: i32, nanos: i64, out: &mut Vec<u8>) {
    let from = out.len();
    let mut part = |n: i32, what: &str| {
        if n != 0 {
            let s = if n == 1 { "" } else { "s" };
            out.extend_from_slice(format!("{n} {what}{s} ").as_bytes());
        }
    };
    part(months / 12, "year");
    part(months % 12, "month");
    part(days, "day");
    match nanos == 0 && out.len() > from {
        true => out.truncate(out.len() - 1),
        false => time(nanos, TimeUnit::Nanosecond, out),
    }
}

/// A decimal with all its digits; `digits` are those of the number without sign and point.
fn pointed(negative: bool, digits: &str, scale: i8, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let scale_len = scale.unsigned_abs() as usize;
    if scale <= 0 {
        out.extend_from_slice(digits.as_bytes());
        if digits != "0" {
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

/// A decimal.
pub fn decimal(x: i128, scale: i8, out: &mut Vec<u8>) {
    pointed(x < 0, itoa::Buffer::new().format(x.unsigned_abs()), scale, out);
}

/// Bytes as text: what is printable as it is, each other byte as `\xNN`. A backslash that looks like
/// the start of such a code is one itself, so that [`unescaped`] finds the same bytes.
pub fn bytes(value: &[u8], out: &mut Vec<u8>) {
    let code = |b: &u8, out: &mut Vec<u8>| out.extend_from_slice(format!("\\x{b:02X}").as_bytes());
    for chunk in value.utf8_chunks() {
        let text = chunk.valid();
        for (i, c) in text.char_indices() {
            let part = &text[i..i + c.len_utf8()];
            match c.is_control() || (c == '\\' && code_at(&text.as_bytes()[i..]).is_some()) {
                true => part.as_bytes().iter().for_each(|b| code(b, out)),
                false => out.extend_from_slice(part.as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|b| code(b, out));
    }
}

/// The byte that `\xNN` at the start stands for.
fn code_at(text: &[u8]) -> Option<u8> {
    let [b'\\', b'x' | b'X', a, b, ..] = text else {
        return None;
    };
    hex_byte(*a, *b)
}

/// The byte that two hexadecimal digits stand for.
pub fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16);
    Some((digit(high)? * 16 + digit(low)?) as u8)
}

/// The bytes that a text stands for; see [`bytes()`].
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(&b) = rest.first() {
        let (byte, used) = code_at(rest).map_or((b, 1), |code| (code, 4));
        out.push(byte);
        rest = &rest[used..];
    }
    out
}

/// A UUID with its dashes.
pub fn uuid(value: &[u8], out: &mut Vec<u8>) {
    for (i, b) in value.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend_from_slice(format!("{b:02x}").as_bytes());
    }
}

/// Appends the text of a value that is not null; false for types that are not of this module.
pub fn value(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> bool {
    use DataType as D;
    macro_rules! get {
        ($ty:ty) => {
            array.as_primitive::<$ty>().value(row)
        };
    }
    match array.data_type() {
        D::Date32 => date(get!(Date32Type).into(), out),
        D::Date64 => date(get!(Date64Type).div_euclid(86_400_000), out),
        D::Timestamp(unit, zone) => {
            let ticks = match unit {
                TimeUnit::Second => get!(TimestampSecondType),
                TimeUnit::Millisecond => get!(TimestampMillisecondType),
                TimeUnit::Microsecond => get!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => get!(TimestampNanosecondType),
            };
            timestamp(ticks, *unit, zone.is_some(), out);
        }
        D::Time32(TimeUnit::Second) => time(get!(Time32SecondType).into(), TimeUnit::Second, out),
        D::Time32(unit) => time(get!(Time32MillisecondType).into(), *unit, out),
        D::Time64(TimeUnit::Microsecond) => time(get!(Time64MicrosecondType), TimeUnit::Microsecond, out),
        D::Time64(unit) => time(get!(Time64NanosecondType), *unit, out),
        D::Duration(unit) => {
            let ticks = match unit {
                TimeUnit::Second => get!(DurationSecondType),
                TimeUnit::Millisecond => get!(DurationMillisecondType),
                TimeUnit::Microsecond => get!(DurationMicrosecondType),
                TimeUnit::Nanosecond => get!(DurationNanosecondType),
            };
            duration(ticks, *unit, out);
        }
        D::Interval(IntervalUnit::MonthDayNano) => {
            let v = get!(IntervalMonthDayNanoType);
            interval(v.months, v.days, v.nanoseconds, out);
        }
        D::Interval(IntervalUnit::DayTime) => {
            let v = get!(IntervalDayTimeType);
            interval(0, v.days, i64::from(v.milliseconds) * 1_000_000, out);
        }
        D::Interval(IntervalUnit::YearMonth) => interval(get!(IntervalYearMonthType), 0, 0, out),
        D::Decimal32(_, s) => decimal(get!(Decimal32Type).into(), *s, out),
        D::Decimal64(_, s) => decimal(get!(Decimal64Type).into(), *s, out),
        D::Decimal128(_, s) => decimal(get!(Decimal128Type), *s, out),
        D::Decimal256(_, s) => {
            let text = get!(Decimal256Type).to_string();
            let digits = text.strip_prefix('-');
            pointed(digits.is_some(), digits.unwrap_or(&text), *s, out);
        }
        D::Binary => bytes(array.as_binary::<i32>().value(row), out),
        D::LargeBinary => bytes(array.as_binary::<i64>().value(row), out),
        D::BinaryView => bytes(array.as_binary_view().value(row), out),
        D::FixedSizeBinary(16) => uuid(array.as_fixed_size_binary().value(row), out),
        D::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row), out),
        _ => return false,
    }
    true
}

/// The text of a value as [`value`] has it; empty for types that are not of this module.
pub fn text(array: &dyn Array, row: usize) -> String {
    let mut out = Vec::new();
    value(array, row, &mut out);
    // what is written is text: bytes are escaped where they are none
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
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
            assert_eq!(shown(|o| decimal(x, s, o)), want);
        }
    }

    #[test]
    fn dates_agree_with_chrono() {
        for days in (-800_000..800_000).step_by(37) {
            let want = chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap();
            if (0..=9999).contains(&chrono::Datelike::year(&want)) {
                assert_eq!(shown(|o| date(days as i64, o)), want.to_string());
            }
        }
        assert_eq!(shown(|o| date(2_932_897, o)), "+10000-01-01");
    }

    #[test]
    fn times_of_all_units() {
        use TimeUnit::*;
        for (ticks, unit, utc, want) in [
            (-1, Microsecond, true, "1969-12-31T23:59:59.999999Z"),
            (1_500_000, Microsecond, false, "1970-01-01T00:00:01.5"),
            (1, Nanosecond, false, "1970-01-01T00:00:00.000000001"),
            (-1, Nanosecond, false, "1969-12-31T23:59:59.999999999"),
            (1_001, Millisecond, false, "1970-01-01T00:00:01.001"),
            (86_400, Second, true, "1970-01-02T00:00:00Z"),
        ] {
            assert_eq!(shown(|o| timestamp(ticks, unit, utc, o)), want);
        }
        assert_eq!(shown(|o| time(3_661_000_500, Microsecond, o)), "01:01:01.0005");
        assert_eq!(shown(|o| time(-1_000, Millisecond, o)), "-00:00:01");
        assert_eq!(shown(|o| time(360_000, Second, o)), "100:00:00");
        assert_eq!(shown(|o| duration(-1_500, Millisecond, o)), "-PT1.5S");
        assert_eq!(
            shown(|o| interval(14, -3, 1_000_000_000, o)),
            "1 year 2 months -3 days 00:00:01"
        );
        assert_eq!(shown(|o| interval(0, 1, 0, o)), "1 day");
        assert_eq!(shown(|o| interval(0, 0, 0, o)), "00:00:00");
        // the ends of the types must not overflow
        for unit in [Second, Millisecond, Microsecond, Nanosecond] {
            shown(|o| timestamp(i64::MIN, unit, false, o));
            shown(|o| time(i64::MIN, unit, o));
            shown(|o| duration(i64::MIN, unit, o));
        }
        shown(|o| date(i32::MIN as i64, o));
        shown(|o| interval(i32::MIN, i32::MIN, i64::MIN, o));
    }

    #[test]
    fn bytes_are_told_apart() {
        for (value, want) in [
            (&b"caf\xc3\xa9 \\n"[..], "café \\n"),
            (b"\x00a\xff", "\\x00a\\xFF"),
            (b"\\x41", "\\x5Cx41"),
            (b"\xc3", "\\xC3"),
        ] {
            assert_eq!(shown(|o| bytes(value, o)), want);
        }
        let id: Vec<u8> = (0..16).collect();
        assert_eq!(shown(|o| uuid(&id, o)), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    proptest! {
        #[test]
        fn bytes_come_back(value in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\\xX41a".to_vec())], 0..20)) {
            prop_assert_eq!(unescaped(&shown(|o| bytes(&value, o))), value);
        }
    }
}
