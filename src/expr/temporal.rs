//! Dates, timestamps, decimals: from text, to text, and the calendar between them.
//!
//! The calendar is the proleptic Gregorian one; the conversions between days and civil dates are
//! Howard Hinnant's (“chrono-compatible low-level date algorithms”).

pub use crate::kernel::show::civil;

/// Microseconds in a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Days since 1970-01-01 of a civil date, which must exist.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (i64::from(month) + 9) % 12;
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The number of days of a month.
pub fn month_days(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of a date that may not exist.
pub fn checked_days(year: i64, month: i64, day: i64) -> Option<i32> {
    if !(-99_999..=99_999).contains(&year) || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    (day <= i64::from(month_days(year, month as u32)))
        .then(|| days_from_civil(year, month as u32, day as u32) as i32)
}

/// A date some months later; the day is cut to the month's last.
pub fn add_months(days: i64, months: i64) -> Option<i64> {
    let (y, m, d) = civil(days);
    let total = y
        .checked_mul(12)?
        .checked_add(i64::from(m) - 1)?
        .checked_add(months)?;
    let (y, m) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    (-200_000..200_000)
        .contains(&y)
        .then(|| days_from_civil(y, m, d.min(month_days(y, m))))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

/// An ISO 8601 date, `2013-02-28`.
pub fn parse_date(text: &str) -> Option<i32> {
    let b = text.trim_ascii().as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    checked_days(digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..])?)
}

/// An ISO 8601 timestamp: a date, then `T` or a space, `HH:MM[:SS[.fraction]]`, then perhaps `Z` or
/// an offset. Gives microseconds and whether there was an offset (then they are in UTC).
pub fn parse_timestamp(text: &str) -> Option<(i64, bool)> {
    parse_moment(text).map(|(us, _, utc)| (us, utc))
}

/// As [`parse_timestamp`] with the nanoseconds behind the microseconds.
pub fn parse_moment(text: &str) -> Option<(i64, i64, bool)> {
    let t = text.trim_ascii();
    let date = i64::from(parse_date(t.get(..10)?)?);
    let rest = &t.as_bytes()[10..];
    if rest.is_empty() {
        return Some((date * DAY_US, 0, false));
    }
    if !matches!(rest[0], b'T' | b't' | b' ') {
        return None;
    }
    let (clock, offset) = split_offset(&rest[1..])?;
    let clock = parse_clock(clock)?;
    let us = date * DAY_US + clock / 1_000 - offset.unwrap_or(0);
    Some((us, clock % 1_000, offset.is_some()))
}

/// A time of day, `HH:MM[:SS[.fraction]]`, in nanoseconds.
pub fn parse_time(text: &str) -> Option<i64> {
    parse_clock(text.trim_ascii().as_bytes())
}

/// A date as people write it in queries: as in files, where months and days of one digit may stand without a 0.
pub fn date_of(text: &str) -> Option<i32> {
    let t = text.trim_ascii();
    if let Some(days) = parse_date(t) {
        return Some(days);
    }
    let mut parts = t.splitn(3, '-').map(str::as_bytes);
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if y.len() != 4 || m.len() > 2 || d.len() > 2 {
        return None;
    }
    checked_days(digits(y)?, digits(m)?, digits(d)?)
}

/// A timestamp as people write it in queries; see [`date_of`].
pub fn timestamp_of(text: &str) -> Option<(i64, bool)> {
    let t = text.trim_ascii();
    if let Some(found) = parse_timestamp(t) {
        return Some(found);
    }
    let cut = t.find(['T', 't', ' ']).unwrap_or(t.len());
    let (date, clock) = t.split_at(cut);
    let date = date_text(date_of(date)?);
    let one_digit = |c: &str| matches!(c.as_bytes(), [h, b':', ..] if h.is_ascii_digit());
    match clock.split_at_checked(1) {
        None => parse_timestamp(&date),
        Some((_, clock)) if one_digit(clock) => parse_timestamp(&format!("{date}T0{clock}")),
        Some((_, clock)) => parse_timestamp(&format!("{date}T{clock}")),
    }
}

/// The clock and the offset in microseconds of what follows the date.
fn split_offset(b: &[u8]) -> Option<(&[u8], Option<i64>)> {
    if let [clock @ .., b'Z' | b'z'] = b {
        return Some((clock, Some(0)));
    }
    let Some(i) = b.iter().position(|c| matches!(c, b'+' | b'-')) else {
        return Some((b, None));
    };
    let (h, m) = match &b[i + 1..] {
        [a, b] => (digits(&[*a, *b])?, 0),
        [a, b, b':', c, d] | [a, b, c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    if h > 23 || m > 59 {
        return None;
    }
    let us = (h * 60 + m) * 60_000_000;
    Some((b[..i].trim_ascii_end(), Some(if b[i] == b'-' { -us } else { us })))
}

/// `HH:MM[:SS[.fraction]]` in nanoseconds.
fn parse_clock(b: &[u8]) -> Option<i64> {
    if b.len() < 5 || b[2] != b':' {
        return None;
    }
    let (h, m) = (digits(&b[..2])?, digits(&b[3..5])?);
    let (mut s, mut ns) = (0, 0);
    match &b[5..] {
        [] => {}
        [b':', x, y, rest @ ..] => {
            s = digits(&[*x, *y])?;
            match rest {
                [] => {}
                [b'.', frac @ ..] if !frac.is_empty() && frac.len() <= 9 => {
                    let value = digits(frac)?;
                    let scale = 10_i64.pow(frac.len() as u32);
                    ns = value * (1_000_000_000 / scale);
                }
                _ => return None,
            }
        }
        _ => return None,
    }
    (h < 24 && m < 60 && s < 60).then(|| ((h * 60 + m) * 60 + s) * 1_000_000_000 + ns)
}

/// A date as ISO 8601.
pub fn date_text(days: i32) -> String {
    let (y, m, d) = civil(i64::from(days));
    if (0..=9999).contains(&y) {
        format!("{y:04}-{m:02}-{d:02}")
    } else {
        format!("{y:+05}-{m:02}-{d:02}")
    }
}

/// A timestamp as ISO 8601; the fraction only where there is one.
pub fn timestamp_text(us: i64, utc: bool) -> String {
    moment_text(us, 0, utc)
}

/// As [`timestamp_text`] with nanoseconds behind the microseconds.
pub fn moment_text(us: i64, nanos: i64, utc: bool) -> String {
    let (days, clock) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let (s, frac) = (clock / 1_000_000, clock % 1_000_000 * 1_000 + nanos);
    let (y, m, d) = civil(days);
    let mut out = format!(
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}",
        s / 3600,
        s / 60 % 60,
        s % 60
    );
    if frac != 0 {
        out += format!(".{frac:09}").trim_end_matches('0');
    }
    if utc {
        out.push('Z');
    }
    out
}

/// A decimal as text.
pub fn decimal_text(value: i128, scale: i8) -> String {
    if scale <= 0 {
        return format!(
            "{value}{}",
            if value == 0 {
                String::new()
            } else {
                "0".repeat(-scale as usize)
            }
        );
    }
    let (digits, scale) = (value.unsigned_abs().to_string(), scale as usize);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, frac) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{frac}", if value < 0 { "-" } else { "" })
}

/// As [`parse_decimal`], also of a number with an exponent: `1.5e3`.
pub fn parse_scientific(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let t = text.trim_ascii();
    let Some((number, exponent)) = t.split_once(['e', 'E']) else {
        return parse_decimal(t, precision, scale);
    };
    let exponent: i32 = exponent.parse().ok().filter(|e| (-400..=400).contains(e))?;
    let (sign, digits) = match number.as_bytes().first()? {
        b'-' | b'+' => number.split_at(1),
        _ => ("", number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (digits, point) = (format!("{whole}{fraction}"), whole.len() as i32 + exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let plain = match usize::try_from(point) {
        Ok(point) if point <= digits.len() => format!("{}.{}", &digits[..point], &digits[point..]),
        Ok(point) => format!("{digits:0<point$}"),
        Err(_) => format!(".{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    };
    parse_decimal(&format!("{sign}{plain}"), precision, scale)
}

/// A decimal of that precision and scale from text; further digits are rounded half away from
/// zero. None if it is no number or does not fit.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let t = text.trim_ascii();
    let (negative, t) = match t.as_bytes().first()? {
        b'-' => (true, &t[1..]),
        b'+' => (false, &t[1..]),
        _ => (false, t),
    };
    let (whole, frac) = t.split_once('.').unwrap_or((t, ""));
    let all = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && frac.is_empty()) || !all(whole) || !all(frac) || scale < 0 {
        return None;
    }
    let scale = scale as usize;
    let mut value = 0_i128;
    for b in whole
        .bytes()
        .chain(frac.bytes().chain(std::iter::repeat(b'0')).take(scale))
    {
        value = value.checked_mul(10)?.checked_add(i128::from(b - b'0'))?;
    }
    if frac.as_bytes().get(scale).is_some_and(|b| *b >= b'5') {
        value += 1;
    }
    (value < 10_i128.checked_pow(u32::from(precision.min(38)))?).then_some(if negative {
        -value
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_with_an_exponent() {
        for (text, want) in [
            ("1e3", Some(100_000)),
            ("-1.5E2", Some(-15_000)),
            ("12.345e-1", Some(123)),
            ("5e-2", Some(5)),
            ("5e-3", Some(1)),
            (".5e1", Some(500)),
            ("1e9", None),
            ("e3", None),
            ("1e", None),
            ("é5e1", None),
            ("1e3x", None),
            ("1e99999999999", None),
        ] {
            assert_eq!(parse_scientific(text, 10, 2), want, "{text}");
        }
    }
}
