//! Intervals as they are written: `3 days`, `1 month 2 hours`, `1.5 hours`, `1 day 02:30:00`, and `P1DT2H` as
//! ISO 8601 has it. Literals and casts of text read the same.

use arrow::datatypes::IntervalMonthDayNano;

use super::temporal::{self, DAY_US};
use crate::error::{Error, Result};
use crate::kernel::{Scalar, show, types};

/// What a unit of time is made of.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Nanos(i64),
}

/// Why a text is no interval.
#[derive(Debug, PartialEq)]
pub(super) enum Misread {
    /// It is not written like one.
    Form,
    /// There is none so long.
    Range,
}

/// Numbers are read in billionths.
const ONE: i128 = 1_000_000_000;
const SECOND: i64 = 1_000_000_000;
const DAY: i128 = DAY_US as i128 * 1_000;

fn unit(name: &str) -> Option<Unit> {
    use Unit::{Days, Months, Nanos};
    let lower = name.to_lowercase();
    let one = match lower.as_str() {
        "ms" | "us" | "ns" | "s" => &lower,
        other => other.strip_suffix('s').unwrap_or(other),
    };
    Some(match one {
        "millennium" | "millennia" => Months(12_000),
        "century" | "centurie" => Months(1_200),
        "decade" => Months(120),
        "year" | "yr" | "y" => Months(12),
        "quarter" => Months(3),
        "month" | "mon" => Months(1),
        "week" | "w" => Days(7),
        "day" | "d" => Days(1),
        "hour" | "hr" | "h" => Nanos(3_600 * SECOND),
        "minute" | "min" | "m" => Nanos(60 * SECOND),
        "second" | "sec" | "s" => Nanos(SECOND),
        "millisecond" | "msec" | "ms" => Nanos(1_000_000),
        "microsecond" | "usec" | "us" => Nanos(1_000),
        "nanosecond" | "nsec" | "ns" => Nanos(1),
        _ => return None,
    })
}

/// The parts of an interval, while they are added up.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanos: i128,
}

impl Sum {
    /// Adds billionths of a unit. What is a fraction of a month is days of thirty, and what is one of a day hours, as
    /// PostgreSQL has it.
    fn add(&mut self, billionths: i128, unit: Unit) -> Option<()> {
        let add = |to: &mut i128, more: i128| {
            *to = to.checked_add(more)?;
            Some(())
        };
        let of = |n: i64| billionths.checked_mul(n.into());
        match unit {
            Unit::Months(n) => {
                let all = of(n)?;
                add(&mut self.months, all / ONE)?;
                self.add(all % ONE * 30, Unit::Days(1))
            }
            Unit::Days(n) => {
                let all = of(n)?;
                add(&mut self.days, all / ONE)?;
                add(&mut self.nanos, all % ONE * (DAY / ONE))
            }
            Unit::Nanos(n) => add(&mut self.nanos, of(n)? / ONE),
        }
    }

    /// What it comes to: what nanoseconds in 64 bits do not tell is mostly days of 24 hours.
    fn interval(self, sign: i128) -> Option<IntervalMonthDayNano> {
        let (more, nanos) = match i64::try_from(self.nanos) {
            Ok(_) => (0, self.nanos),
            Err(_) => (self.nanos / DAY, self.nanos % DAY),
        };
        let days = self.days.checked_add(more)?;
        Some(IntervalMonthDayNano::new(
            i32::try_from(sign * self.months).ok()?,
            i32::try_from(sign * days).ok()?,
            i64::try_from(sign * nanos).ok()?,
        ))
    }
}

/// A number with up to nine decimals, in billionths.
fn billionths(text: &str) -> Result<i128, Misread> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.matches('.').count() < 2;
    match is_number {
        true => temporal::parse_decimal(text, 38, 9).ok_or(Misread::Range),
        false => Err(Misread::Form),
    }
}

/// `02:30`, `-02:30:00.5` in nanoseconds.
fn clock(text: &str) -> Result<i128, Misread> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let mut part = |most: i128| -> Result<Option<i128>, Misread> {
        let Some(text) = parts.next() else { return Ok(None) };
        let n = match text.as_bytes().first() {
            Some(b'0'..=b'9') => billionths(text)?,
            _ => return Err(Misread::Form),
        };
        (n < most).then_some(Some(n)).ok_or(Misread::Form)
    };
    let (hours, minutes, seconds) = (part(i128::MAX)?, part(60 * ONE)?, part(60 * ONE)?);
    let whole = |n: Option<i128>| n.filter(|n| n % ONE == 0).map(|n| n / ONE).ok_or(Misread::Form);
    let (hours, minutes) = (whole(hours)?, whole(minutes)?);
    if parts.next().is_some() {
        return Err(Misread::Form);
    }
    let below = minutes * 60 * ONE + seconds.unwrap_or(0);
    let nanos = hours.checked_mul(3_600 * ONE).and_then(|h| h.checked_add(below));
    Ok(sign * nanos.ok_or(Misread::Range)?)
}

/// The interval that a text means.
pub(super) fn read(text: &str) -> Result<IntervalMonthDayNano, Misread> {
    let text = text.trim_ascii();
    let mut sum = Sum::default();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) if rest.starts_with(['P', 'p']) => (-1, rest),
        _ => (1, text),
    };
    match rest.strip_prefix(['P', 'p']) {
        Some(iso) => of_letters(iso, &mut sum)?,
        None => of_words(rest, &mut sum)?,
    }
    sum.interval(sign).ok_or(Misread::Range)
}

fn of_words(text: &str, sum: &mut Sum) -> Result<(), Misread> {
    let mut words = text.split_whitespace().peekable();
    words.peek().ok_or(Misread::Form)?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            let nanos = clock(word)?;
            sum.nanos = sum.nanos.checked_add(nanos).ok_or(Misread::Range)?;
            continue;
        }
        let signed = word.strip_prefix(['-', '+']).unwrap_or(word);
        let digits = signed.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, name) = word.split_at(word.len() - signed.len() + digits.unwrap_or(signed.len()));
        let name = match name {
            "" => words.next().ok_or(Misread::Form)?,
            name => name,
        };
        let (unit, n) = (unit(name).ok_or(Misread::Form)?, billionths(number)?);
        sum.add(n, unit).ok_or(Misread::Range)?;
    }
    Ok(())
}

/// What follows the `P` of ISO 8601.
fn of_letters(text: &str, sum: &mut Sum) -> Result<(), Misread> {
    let (mut number, mut clock, mut any) = (String::new(), false, false);
    for c in text.chars() {
        let unit = match (c.to_ascii_uppercase(), clock) {
            ('0'..='9' | '.' | '-', _) => {
                number.push(c);
                continue;
            }
            ('T', false) => {
                clock = true;
                continue;
            }
            ('Y', false) => Unit::Months(12),
            ('M', false) => Unit::Months(1),
            ('W', false) => Unit::Days(7),
            ('D', false) => Unit::Days(1),
            ('H', true) => Unit::Nanos(3_600 * SECOND),
            ('M', true) => Unit::Nanos(60 * SECOND),
            ('S', true) => Unit::Nanos(SECOND),
            _ => return Err(Misread::Form),
        };
        let n = billionths(&std::mem::take(&mut number))?;
        sum.add(n, unit).ok_or(Misread::Range)?;
        any = true;
    }
    (any && number.is_empty()).then_some(()).ok_or(Misread::Form)
}

/// The interval of a literal.
pub(super) fn parse(text: &str) -> Result<Scalar> {
    let v = read(text).map_err(|why| match why {
        Misread::Form => Error::query(format!("INTERVAL '{text}' is no interval"))
            .help("write INTERVAL '3 days', '2 months', '1.5 hours', '1 hour 30 minutes'"),
        Misread::Range => Error::query(format!("INTERVAL '{text}' is too long"))
            .help("intervals have less than 2147483648 months, and days"),
    })?;
    if v.nanoseconds % 1_000 == 0 {
        return Ok(Scalar::Interval(v.months, v.days, v.nanoseconds / 1_000));
    }
    let mut text = Vec::new();
    show::interval(v.months, v.days, v.nanoseconds, &mut text);
    Ok(Scalar::Other(
        String::from_utf8_lossy(&text).into_owned(),
        types::INTERVAL,
    ))
}

/// An interval as it is written, in the largest units that fit.
pub(super) fn shown(months: i32, days: i32, us: i64) -> String {
    let mut parts = Vec::new();
    let mut put = |n: i64, unit: &str| match n {
        0 => {}
        1 => parts.push(format!("1 {unit}")),
        n => parts.push(format!("{n} {unit}s")),
    };
    put(i64::from(months) / 12, "year");
    put(i64::from(months) % 12, "month");
    put(days.into(), "day");
    put(us / 3_600_000_000, "hour");
    put(us / 60_000_000 % 60, "minute");
    put(us / 1_000_000 % 60, "second");
    put(us % 1_000_000, "microsecond");
    match parts.is_empty() {
        true => "0 days".to_string(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgresql_has_it() {
        const HOUR: i64 = 3_600_000_000;
        let table = [
            ("3 days", (0, 3, 0)),
            ("1 month 2 hours", (1, 0, 2 * HOUR)),
            ("1.5 hours", (0, 0, HOUR * 3 / 2)),
            ("-1.5 hours", (0, 0, -HOUR * 3 / 2)),
            (".5 day", (0, 0, 12 * HOUR)),
            ("1.5 weeks", (0, 10, 12 * HOUR)),
            ("1.5 years", (18, 0, 0)),
            ("1.5 months", (1, 15, 0)),
            ("1 day 02:30:00.5", (0, 1, 2 * HOUR + HOUR / 2 + 500_000)),
            ("-00:30", (0, 0, -HOUR / 2)),
            ("15min", (0, 0, HOUR / 4)),
            ("0.1 seconds", (0, 0, 100_000)),
            ("2 centuries", (2400, 0, 0)),
            ("0.1 month", (0, 3, 0)),
            ("-1.5 months", (-1, -15, 0)),
            ("P1Y2DT3H", (12, 2, 3 * HOUR)),
            ("-P1DT0.5S", (0, -1, -500_000)),
            ("3000000 hours", (0, 125_000, 0)),
            ("2562047788:15:30", (0, 106_751_991, 4 * HOUR + 930_000_000)),
        ];
        for (text, (m, d, us)) in table {
            assert_eq!(parse(text).unwrap(), Scalar::Interval(m, d, us), "{text}");
            assert_eq!(
                parse(&shown(m, d, us)).unwrap(),
                Scalar::Interval(m, d, us),
                "{text}"
            );
        }
        assert_eq!(
            parse("1 day 1.5 ns 0.0000002 seconds").unwrap(),
            Scalar::Other("1 day 00:00:00.000000201".to_string(), types::INTERVAL)
        );
        for text in [
            "9999999999 years",
            "2147483648 days",
            "2147483647 days 3000000 hours",
            "99999999999999999999999999999999 hours",
            "99999999999999999999999999999999999999999 hours",
        ] {
            assert_eq!(read(text), Err(Misread::Range), "{text}");
        }
        for text in [
            "P",
            "P1",
            "PT",
            "P1H",
            "1:2:3:4",
            "1.5:30",
            ":30",
            "--1 day",
            "",
            "3",
            "days",
            "1 day 2",
            "x days",
            "1 fortnight",
            "25:61",
            "1..5 hours",
        ] {
            assert_eq!(read(text), Err(Misread::Form), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
