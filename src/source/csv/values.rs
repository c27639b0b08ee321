//! The strict parsers of values, used alike by the sampler and by the scanner.
//!
//! A parser takes the whole field or nothing; what it takes reads back the same. So `007`, `+5`,
//! ` 5` and integers beyond int64 are no integers, an integer that a float would round is no
//! float, and 30 February is no date.

use arrow::datatypes::DataType;

use crate::kernel::types;

/// `true` or `false`, in lower, upper or title case.
pub(crate) fn boolean(b: &[u8]) -> Option<bool> {
    match b {
        b"true" | b"True" | b"TRUE" => Some(true),
        b"false" | b"False" | b"FALSE" => Some(false),
        _ => None,
    }
}

/// An integer of 64 bits without leading zeros.
#[inline]
pub(crate) fn int(b: &[u8]) -> Option<i64> {
    let (negative, digits) = match b {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, b),
    };
    if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut n: u64 = 0;
    for &c in digits {
        let d = c.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        n = n * 10 + u64::from(d); // at most 19 digits: below 2^64
    }
    if negative {
        (n <= 1 << 63).then_some((n as i64).wrapping_neg())
    } else {
        i64::try_from(n).ok()
    }
}

/// Whether a float holds the integer unchanged.
pub(crate) fn exact_in_float(n: i64) -> bool {
    (n as f64) as i128 == i128::from(n)
}

/// A float: digits with a point or an exponent, an integer that it holds unchanged, or infinity.
pub(crate) fn float(b: &[u8]) -> Option<f64> {
    let digits = b.strip_prefix(b"-").unwrap_or(b);
    if !digits.first()?.is_ascii_digit() && digits[0] != b'.' {
        return match digits {
            b"inf" | b"Inf" | b"Infinity" | b"infinity" => Some(if b[0] == b'-' {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }),
            _ => None,
        };
    }
    let whole = digits
        .iter()
        .position(|c| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    if whole == digits.len() {
        if b == b"-0" {
            return Some(-0.0);
        }
        return int(b).filter(|&n| exact_in_float(n)).map(|n| n as f64);
    }
    if whole > 1 && digits[0] == b'0' {
        return None;
    }
    let value: f64 = fast_float2::parse(b).ok()?;
    value.is_finite().then_some(value)
}

/// Two decimal digits.
fn two(b: &[u8]) -> Option<u32> {
    match b {
        [x @ b'0'..=b'9', y @ b'0'..=b'9'] => Some(u32::from(x - b'0') * 10 + u32::from(y - b'0')),
        _ => None,
    }
}

/// Days since 1970 of a date (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: u32, day: u32) -> i32 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    (era * 146_097 + doe - 719_468) as i32
}

/// `YYYY-MM-DD`, a day that exists.
pub(crate) fn date(b: &[u8]) -> Option<i32> {
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let year = i64::from(two(&b[..2])? * 100 + two(&b[2..4])?);
    let (month, day) = (two(&b[5..7])?, two(&b[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days(year, month, day))
}

/// A timestamp in microseconds, and whether it has an offset (then it is in UTC).
pub(crate) fn timestamp(b: &[u8]) -> Option<(i64, bool)> {
    if b.len() < 16 || !matches!(b[10], b'T' | b' ') || b[13] != b':' {
        return None;
    }
    let day = i64::from(date(&b[..10])?);
    let (hour, minute) = (two(&b[11..13])?, two(&b[14..16])?);
    let mut rest = &b[16..];
    let (mut second, mut micros) = (0, 0i64);
    if let [b':', x, y, tail @ ..] = rest {
        second = two(&[*x, *y])?;
        rest = tail;
        if let [b'.', tail @ ..] = rest {
            let n = tail
                .iter()
                .position(|c| !c.is_ascii_digit())
                .unwrap_or(tail.len());
            if n == 0 || n > 9 || tail.get(6..n).is_some_and(|more| more.iter().any(|&c| c != b'0')) {
                return None;
            }
            for i in 0..6 {
                micros = micros * 10 + tail[..n].get(i).map_or(0, |c| i64::from(c - b'0'));
            }
            rest = &tail[n..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match rest {
        [] => None,
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), tail @ ..] => {
            let (h, m) = match tail {
                [a, b] => (two(&[*a, *b])?, 0),
                [a, b, b':', c, d] | [a, b, c, d] => (two(&[*a, *b])?, two(&[*c, *d])?),
                _ => return None,
            };
            if h > 23 || m > 59 {
                return None;
            }
            let minutes = i64::from(h * 60 + m);
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => return None,
    };
    let seconds = day * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some((
        (seconds - offset.unwrap_or(0) * 60) * 1_000_000 + micros,
        offset.is_some(),
    ))
}

/// A decimal of the precision and scale, if it can hold the value unchanged.
pub(crate) fn decimal(b: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let digits = b.strip_prefix(b"-").unwrap_or(b);
    let (whole, fraction) = match digits.iter().position(|&c| c == b'.') {
        Some(i) => (&digits[..i], &digits[i + 1..]),
        None => (digits, &digits[..0]),
    };
    if whole.is_empty() || (whole[0] == b'0' && whole.len() > 1) {
        return None;
    }
    let scale = scale.max(0) as usize;
    let kept = &fraction[..fraction.len().min(scale)];
    if fraction[kept.len()..].iter().any(|&c| c != b'0') {
        return None;
    }
    let mut n: i128 = 0;
    for &c in whole.iter().chain(kept) {
        if !c.is_ascii_digit() {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(i128::from(c - b'0'))?;
    }
    n = n.checked_mul(10i128.checked_pow((scale - kept.len()) as u32)?)?;
    (n < 10i128.checked_pow(u32::from(precision))?).then_some(if b.len() > digits.len() { -n } else { n })
}

/// The kinds of values that a column holds, as a set: merging two samples is a union, so the
/// type does not depend on any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    const BOOL: u16 = 1;
    const INT: u16 = 2;
    const BIG_INT: u16 = 4;
    const FLOAT: u16 = 8;
    const DATE: u16 = 16;
    const NAIVE: u16 = 32;
    const UTC: u16 = 64;
    const TEXT: u16 = 128;
    /// `""`: makes a column text if there is nothing else.
    const EMPTY: u16 = 256;

    /// The kind of a quoted empty field.
    pub(crate) const QUOTED_EMPTY: Kinds = Kinds(Self::EMPTY);

    /// The kind of one value that is not null.
    pub(crate) fn of(b: &[u8]) -> Kinds {
        Kinds(match b.first() {
            Some(b'0'..=b'9' | b'-' | b'.' | b'i' | b'I') => match int(b) {
                Some(n) if exact_in_float(n) => Self::INT,
                Some(_) => Self::BIG_INT,
                None if float(b).is_some() => Self::FLOAT,
                None if date(b).is_some() => Self::DATE,
                None => match timestamp(b) {
                    Some((_, false)) => Self::NAIVE,
                    Some((_, true)) => Self::UTC,
                    None => Self::TEXT,
                },
            },
            _ if boolean(b).is_some() => Self::BOOL,
            _ => Self::TEXT,
        })
    }

    /// What a column that was sampled as `ty` is known to hold at least.
    pub(crate) fn of_type(ty: &DataType) -> Kinds {
        use arrow::datatypes::DataType as T;
        Kinds(match ty {
            T::Null => 0,
            T::Boolean => Self::BOOL,
            T::Int64 => Self::INT,
            // a decimal is law, or comes of Parquet files; a value that it cannot hold makes it a float
            T::Float64 | T::Decimal128(..) => Self::FLOAT,
            T::Date32 => Self::DATE,
            T::Timestamp(_, None) => Self::NAIVE,
            T::Timestamp(_, Some(_)) => Self::UTC,
            _ => Self::TEXT,
        })
    }

    /// Both.
    pub(crate) fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// The narrowest type that holds them all unchanged.
    pub(crate) fn data_type(self) -> DataType {
        let only = |set: u16| self.0 & !(set | Self::EMPTY) == 0;
        match self.0 {
            Self::EMPTY => types::TEXT,
            0 => DataType::Null,
            _ if only(Self::BOOL) => DataType::Boolean,
            _ if only(Self::INT | Self::BIG_INT) => DataType::Int64,
            _ if only(Self::INT | Self::FLOAT) => DataType::Float64,
            _ if only(Self::DATE) => DataType::Date32,
            _ if only(Self::DATE | Self::NAIVE) => types::timestamp(),
            _ if only(Self::DATE | Self::UTC) => types::timestamp_utc(),
            _ => types::TEXT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_rounded() {
        assert_eq!(int(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(int(b"-9223372036854775808"), Some(i64::MIN));
        for no in [
            "",
            "-",
            "007",
            "-0",
            "+5",
            " 5",
            "5 ",
            "9223372036854775808",
            "1_0",
            "99999999999999999999",
        ] {
            assert_eq!(int(no.as_bytes()), None, "{no}");
        }
        assert_eq!(float(b"9007199254740993"), None);
        assert_eq!(float(b"9007199254740992"), Some(9007199254740992.0));
        assert_eq!(float(b"-1.5e3"), Some(-1500.0));
        for no in [
            "",
            "-",
            "00.5",
            "1.2.3",
            "nan",
            "1e999",
            "99999999999999999999",
            "0x1",
            "1,5",
            ".",
        ] {
            assert_eq!(float(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"2024-02-30"), None);
        assert_eq!(date(b"2023-02-29"), None);
        assert_eq!(timestamp(b"1970-01-01T00:00:01.5"), Some((1_500_000, false)));
        assert_eq!(timestamp(b"1970-01-01 01:00+01:00"), Some((0, true)));
        assert_eq!(timestamp(b"1970-01-01T24:00:00"), None);
        assert_eq!(timestamp(b"1970-01-01T00:00:00.1234567"), None);
        assert_eq!(decimal(b"-12.3", 5, 2), Some(-1230));
        assert_eq!(decimal(b"12.345", 5, 2), None);
        assert_eq!(decimal(b"1234.5", 5, 2), None);
    }

    #[test]
    fn kinds_unite() {
        let of = |all: &[&str]| {
            all.iter()
                .fold(Kinds::default(), |k, v| k.and(Kinds::of(v.as_bytes())))
                .data_type()
        };
        assert_eq!(of(&[]), DataType::Null);
        assert_eq!(of(&["1", "9007199254740993"]), DataType::Int64);
        assert_eq!(of(&["1", "2.5"]), DataType::Float64);
        assert_eq!(of(&["9007199254740993", "2.5"]), types::TEXT);
        assert_eq!(of(&["2024-01-01", "2024-01-01 10:00"]), types::timestamp());
        assert_eq!(of(&["true", "1"]), types::TEXT);
        assert_eq!(of(&["01/02/2024"]), types::TEXT);
    }

    proptest! {
        #[test]
        fn ints_read_back(n: i64) {
            prop_assert_eq!(int(n.to_string().as_bytes()), Some(n));
        }
        #[test]
        fn floats_read_back(x in proptest::num::f64::NORMAL) {
            let text = format!("{x:e}");
            prop_assert_eq!(float(text.as_bytes()).or_else(|| int(text.as_bytes()).map(|n| n as f64)), Some(x));
        }
        #[test]
        fn days_are_chronos(d in -700_000i32..2_900_000) {
            let day = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Duration::days(d.into());
            let text = day.format("%Y-%m-%d").to_string();
            if text.len() == 10 { prop_assert_eq!(date(text.as_bytes()), Some(d)); }
        }
    }
}
