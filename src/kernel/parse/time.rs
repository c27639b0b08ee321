//! Dates and timestamps of ISO 8601, real ones only.

use super::int::POWERS;

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is
/// the last one).
fn days(year: i32, month: i32, day: i32) -> i32 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn two(bytes: &[u8], at: usize) -> Option<i32> {
    let tens = bytes.get(at)?.wrapping_sub(b'0');
    let ones = bytes.get(at + 1)?.wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| i32::from(tens) * 10 + i32::from(ones))
}

/// Days since 1970-01-01 of `YYYY-MM-DD`; `None` for a date that does not exist.
#[inline]
pub fn date(bytes: &[u8]) -> Option<i32> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
    let (month, day) = (two(bytes, 5)?, two(bytes, 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days(year, month, day))
}

/// Microseconds since 1970-01-01 of `YYYY-MM-DD[T ]HH:MM[:SS[.f{1,9}]]` with optional `Z`, `±HH`,
/// `±HHMM` or `±HH:MM`, and whether it has such an offset (the value is then in UTC).
///
/// Digits beyond the microsecond must be zeros, since nothing is rounded. A second of 60 does not
/// exist here.
pub fn timestamp(bytes: &[u8]) -> Option<(i64, bool)> {
    if bytes.len() < 16 || !matches!(bytes[10], b'T' | b' ') || bytes[13] != b':' {
        return None;
    }
    let day = date(&bytes[..10])?;
    let (hour, minute) = (two(bytes, 11)?, two(bytes, 14)?);
    let (mut second, mut micros, mut at) = (0, 0i64, 16);
    if bytes.get(at) == Some(&b':') {
        second = two(bytes, at + 1)?;
        at += 3;
        if bytes.get(at) == Some(&b'.') {
            let rest = &bytes[at + 1..];
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            let (kept, beyond) = rest[..digits].split_at(digits.min(6));
            if beyond.iter().any(|&b| b != b'0') {
                return None;
            }
            micros = kept.iter().fold(0, |v, b| v * 10 + i64::from(b - b'0')) * POWERS[6 - kept.len()] as i64;
            at += 1 + digits;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (offset, has_offset) = match &bytes[at..] {
        [] => (0, false),
        [b'Z' | b'z'] => (0, true),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let minutes = match rest {
                [_, _] => 0,
                [_, _, b':', _, _] => two(rest, 3)?,
                [_, _, _, _] => two(rest, 2)?,
                _ => return None,
            };
            let hours = two(rest, 0)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = hours * 60 + minutes;
            (if *sign == b'-' { -total } else { total }, true)
        }
        _ => return None,
    };
    let seconds = i64::from(day) * 86_400 + i64::from(hour * 3600 + (minute - offset) * 60 + second);
    Some((seconds * 1_000_000 + micros, has_offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_date_that_could_be() {
        for year in [
            0, 1, 1600, 1899, 1900, 1969, 1970, 1999, 2000, 2023, 2024, 2100, 9999,
        ] {
            for (month, day) in (0..14).flat_map(|m| (0..33).map(move |d| (m, d))) {
                let expected = chrono::NaiveDate::from_ymd_opt(year, month, day)
                    .map(|d| (d - chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days() as i32);
                assert_eq!(
                    date(format!("{year:04}-{month:02}-{day:02}").as_bytes()),
                    expected
                );
            }
        }
        for bad in [
            "",
            "2024-1-01",
            "2024/01/01",
            "2024-01-011",
            "02024-01-01",
            "2024-0a-01",
            "-024-01-01",
        ] {
            assert_eq!(date(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn forms_of_timestamps() {
        let of = |s: &str| timestamp(s.as_bytes());
        assert_eq!(of("1970-01-02 00:00"), Some((86_400_000_000, false)));
        assert_eq!(of("1970-01-01T00:00:01.5Z"), Some((1_500_000, true)));
        assert_eq!(of("1970-01-01T02:00:00+02:00"), Some((0, true)));
        assert_eq!(of("1970-01-01T00:00-0130"), Some((5_400_000_000, true)));
        assert_eq!(of("1970-01-01T00:00:00.123456000+00"), Some((123_456, true)));
        assert_eq!(of("1969-12-31T23:59:59.999999"), Some((-1, false)));
        for bad in [
            "2024-02-30 00:00",
            "2024-02-03 24:00",
            "2024-02-03 00:60",
            "2024-02-03 00:00:60",
            "2024-02-03 00:00:",
            "2024-02-03 00:00:00.",
            "2024-02-03 00:00:00.1234567890",
            "2024-02-03 00:00:00.1234567",
            "2024-02-03x00:00",
            "2024-02-03 00:00:00+",
            "2024-02-03 00:00:00+1",
            "2024-02-03 00:00:00+24:00",
            "2024-02-03 00:00 ",
            "2024-02-03",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn as_chrono(micros in -62_000_000_000_000_000i64..250_000_000_000_000_000) {
            let text = chrono::DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            prop_assert_eq!(timestamp(text.as_bytes()), Some((micros, false)));
        }
        #[test]
        fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[-0-9T :.Z+]{0,36}") {
            let _ = (date(&bytes), timestamp(&bytes), date(text.as_bytes()), timestamp(text.as_bytes()));
        }
    }
}
