//! Intervals as they are written: `3 days`, `1 month 2 hours`, `1.5 hours`, `1 day 02:30:00`.

use crate::error::{Error, Result};
use crate::kernel::Scalar;

use super::temporal::DAY_US;

/// What a unit of time is made of.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Micros(i64),
}

fn unit(name: &str) -> Option<Unit> {
    use Unit::{Days, Micros, Months};
    let lower = name.to_lowercase();
    let one = match lower.as_str() {
        "ms" | "us" | "s" => &lower,
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
        "hour" | "hr" | "h" => Micros(3_600_000_000),
        "minute" | "min" | "m" => Micros(60_000_000),
        "second" | "sec" | "s" => Micros(1_000_000),
        "millisecond" | "msec" | "ms" => Micros(1_000),
        "microsecond" | "usec" | "us" => Micros(1),
        _ => return None,
    })
}

/// A number and what follows it.
fn number(text: &str) -> Option<(f64, i64, &str)> {
    let signed = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = signed
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let (number, rest) = text.split_at(text.len() - signed.len() + digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole {
        "" | "+" | "-" if !fraction.is_empty() => 0,
        whole => whole.parse().ok()?,
    };
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    let fraction = if text.starts_with('-') {
        -fraction
    } else {
        fraction
    };
    Some((fraction, whole, rest))
}

/// `02:30`, `02:30:00.5` in microseconds.
fn clock(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let whole = |t: &str| {
        t.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| t.parse::<i64>().ok())?
    };
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let (fraction, seconds, rest) = parts.next().map_or(Some((0.0, 0, "")), number)?;
    let fits = (0..60).contains(&minutes) && (0..60).contains(&seconds) && rest.is_empty();
    if !fits || parts.next().is_some() {
        return None;
    }
    let below = (minutes * 60 + seconds) * 1_000_000 + (fraction * 1e6).round() as i64;
    let us = hours.checked_mul(3_600_000_000)?.checked_add(below)?;
    Some(sign * us)
}

/// The interval that a text means. What is a fraction of a month is days of thirty, and what is one of a day hours, as
/// PostgreSQL has it.
pub(super) fn parse(text: &str) -> Result<Scalar> {
    let bad = || {
        Error::query(format!("INTERVAL '{text}' is no interval"))
            .help("write INTERVAL '3 days', '2 months', '1.5 hours', '1 hour 30 minutes'")
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (mut months, mut days, mut us) = (0_i64, 0_i64, 0_i64);
    let mut add = |fraction: f64, whole: i64, unit: Unit| -> Option<()> {
        let to = |sum: &mut i64, more: i64| -> Option<()> {
            *sum = sum.checked_add(more)?;
            Some(())
        };
        // what is left of a unit goes to the next smaller one
        let (of_days, of_micros) = match unit {
            Unit::Months(n) => {
                let part = fraction * n as f64;
                to(&mut months, whole.checked_mul(n)?)?;
                to(&mut months, part.trunc() as i64)?;
                (part.fract() * 30.0, 0.0)
            }
            Unit::Days(n) => {
                to(&mut days, whole.checked_mul(n)?)?;
                (fraction * n as f64, 0.0)
            }
            Unit::Micros(n) => {
                to(&mut us, whole.checked_mul(n)?)?;
                (0.0, fraction * n as f64)
            }
        };
        to(&mut days, of_days.trunc() as i64)?;
        to(
            &mut us,
            (of_days.fract() * DAY_US as f64 + of_micros).round() as i64,
        )
    };
    let mut words = words.into_iter().peekable();
    if words.peek().is_none() {
        return Err(bad());
    }
    while let Some(word) = words.next() {
        if word.contains(':') {
            add(0.0, clock(word).ok_or_else(bad)?, Unit::Micros(1)).ok_or_else(bad)?;
            continue;
        }
        let (fraction, whole, rest) = number(word).ok_or_else(bad)?;
        let name = match rest {
            "" => words.next().ok_or_else(bad)?,
            rest => rest,
        };
        let unit = unit(name).ok_or_else(bad)?;
        add(fraction, whole, unit).ok_or_else(bad)?;
    }
    let narrow = |n: i64| i32::try_from(n).map_err(|_| bad());
    Ok(Scalar::Interval(narrow(months)?, narrow(days)?, us))
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
        ];
        for (text, (m, d, us)) in table {
            assert_eq!(parse(text).unwrap(), Scalar::Interval(m, d, us), "{text}");
            assert_eq!(
                parse(&shown(m, d, us)).unwrap(),
                Scalar::Interval(m, d, us),
                "{text}"
            );
        }
        for text in [
            "",
            "3",
            "days",
            "1 day 2",
            "x days",
            "1 fortnight",
            "25:61",
            "1..5 hours",
            "9999999999 years",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
