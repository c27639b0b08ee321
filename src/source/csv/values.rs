//! The strict parsers of values, used alike by the sampler and by the scanner: those of
//! [`crate::kernel::parse`], decimals, and what a set of values has for a type.
//!
//! A parser takes the whole field or nothing; what it takes reads back the same. So `007`, `+5`,
//! ` 5` and integers beyond int64 are no integers, an integer that a float would round is no
//! float, and 30 February is no date.

use arrow::datatypes::DataType;

pub(crate) use crate::kernel::parse::{bool as boolean, date, float, int, timestamp};
use crate::kernel::types;

/// Whether a float holds the integer unchanged.
pub(crate) fn exact_in_float(n: i64) -> bool {
    (n as f64) as i128 == i128::from(n)
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

    /// The same where what looks like a number is none.
    pub(crate) fn without_numbers(self) -> Kinds {
        match self.0 & (Self::INT | Self::BIG_INT | Self::FLOAT) {
            0 => self,
            _ => Kinds(Self::TEXT),
        }
    }

    /// Whether one of the values keeps the column from being of numbers.
    pub(crate) fn has_text(self) -> bool {
        self.0 & Self::TEXT != 0
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
