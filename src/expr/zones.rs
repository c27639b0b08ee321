//! Time zones: moments (UTC) as clocks show them somewhere, and back.
//!
//! ```text
//!   2013-07-05T12:00:00Z ── at_time_zone(x, 'Europe/Berlin') ──► 2013-07-05T14:00:00      a clock
//!                        ◄── at_time_zone(x, 'Europe/Berlin') ──
//! ```
//!
//! A clock that is set back shows an hour twice: the second is meant, standard time, as PostgreSQL has it. One that
//! is set forward leaves an hour out: such a time is read by the offset before, as if the clock had not been set yet.
//! The machine's own zone is never used.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::dates::{self, Unit};
use super::eval::Value;
use super::functions::Func;
use super::temporal;
use super::text::Text;
use super::tree::{CastType, Expr};
use crate::error::{Error, Result, did_you_mean};
use crate::kernel::Scalar;

/// The time zone of that name in the IANA database.
///
/// # Errors
/// There is none.
pub fn parse(name: &str) -> Result<Tz> {
    Tz::from_str(name).map_err(|_| {
        let near = did_you_mean(name, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()));
        let help = "zones have names such as UTC, Europe/Berlin or America/New_York";
        Error::query(format!("there is no time zone '{name}'")).help(match near {
            Some(near) => format!("did you mean {near}? {help}"),
            None => help.to_string(),
        })
    })
}

/// Seconds that the zone's clocks are ahead of UTC at a moment.
fn offset(zone: Tz, utc: NaiveDateTime) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// The same where its clocks show `local`.
fn offset_of_clock(zone: Tz, local: NaiveDateTime) -> i64 {
    let seconds = |o: chrono::FixedOffset| i64::from(o.local_minus_utc());
    match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(o) | LocalResult::Ambiguous(_, o) => seconds(o.fix()),
        // left out: a day before, the old offset was in force
        LocalResult::None => offset(zone, local - Duration::days(1)),
    }
}

/// Seconds that the zone's clocks are ahead of UTC at a moment, in microseconds since 1970.
pub(super) fn seconds_at(zone: Tz, us: i64) -> Option<i64> {
    Some(offset(zone, naive(us)?))
}

/// Seconds that the zone's clocks are ahead of UTC where they show `clock`, in microseconds since 1970.
pub(super) fn seconds_ahead(zone: Tz, clock: i64) -> Option<i64> {
    Some(offset_of_clock(zone, naive(clock)?))
}

fn naive(us: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(us).map(|t| t.naive_utc())
}

/// `at_time_zone` and `zoned`.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<ArrayRef> {
    let (whole, rest) = super::spans::micros(args[0].array())?;
    let (array, zones) = (
        whole.as_primitive::<TimestampMicrosecondType>(),
        Text::of(&args[1]),
    );
    let is_moment = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let mut last: Option<(String, Tz)> = None;
    let mut shift = |row: usize| -> Result<Option<(i64, i64)>> {
        let i = args[0].at(row);
        let (Some(name), true) = (zones.get(row), array.is_valid(i)) else {
            return Ok(None);
        };
        let zone = match &last {
            Some((n, zone)) if n == name => *zone,
            _ => last.insert((name.to_string(), parse(name)?)).1,
        };
        let us = array.value(i);
        let time = naive(us).ok_or_else(|| Error::query("a timestamp is out of range"))?;
        Ok(Some((
            us,
            match is_moment {
                true => offset(zone, time),
                false => offset_of_clock(zone, time),
            },
        )))
    };
    if func == Func::Zoned {
        let nanos = |row| rest.as_ref().map_or(0, |r: &Vec<i64>| r[args[0].at(row)]);
        let text = |row| Ok(shift(row)?.map(|(us, seconds)| with_offset(us, nanos(row), seconds)));
        let all = (0..rows).map(text).collect::<Result<Vec<Option<String>>>>()?;
        return Ok(Arc::new(StringViewArray::from_iter(all)));
    }
    let moved = |row| {
        Ok(shift(row)?.map(|(us, seconds)| match is_moment {
            true => us + seconds * 1_000_000,
            false => us - seconds * 1_000_000,
        }))
    };
    let all = (0..rows)
        .map(moved)
        .collect::<Result<TimestampMicrosecondArray>>()?;
    let all: ArrayRef = match is_moment {
        true => Arc::new(all),
        false => Arc::new(all.with_timezone("UTC")),
    };
    let rest = rest.map(|r| (0..rows).map(|row| r[args[0].at(row)]).collect());
    super::spans::with_nanos(all, rest)
}

/// `2013-07-05T14:00:00+02:00`.
fn with_offset(us: i64, nanos: i64, seconds: i64) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!(
        "{}{sign}{:02}:{:02}",
        temporal::moment_text(us + seconds * 1_000_000, nanos, false),
        minutes / 60,
        minutes % 60
    )
}

/// The expression with parts of dates, truncation and casts to dates by the clocks of `zone`, where
/// they look at moments; all else is as it was. `is_moment` tells of an expression whether it is one.
pub fn localized(e: Expr, zone: &str, is_moment: &dyn Fn(&Expr) -> bool) -> Result<Expr> {
    let zoned = |x: Expr| Expr::Function {
        func: Func::AtTimeZone,
        args: vec![x, Expr::Literal(Scalar::Text(zone.to_string()))],
    };
    let local = |x: Expr| if is_moment(&x) { zoned(x) } else { x };
    e.map(&mut |e| {
        use Func::*;
        Ok(match e {
            Expr::Function {
                func: func @ (DateTrunc | TimeBucket),
                mut args,
            } => {
                let places = if func == DateTrunc { 2 } else { 3 };
                if args.len() <= places && args.get(1).is_some_and(is_moment) {
                    args.resize(places, Expr::Literal(Scalar::Null));
                    args.push(Expr::Literal(Scalar::Text(zone.to_string())));
                }
                Expr::Function { func, args }
            }
            Expr::Function {
                func: func @ (DateDiff | DateSub),
                args,
            } if spans_hours(&args) && args[1..].iter().all(is_moment) => Expr::Function {
                func,
                args: match func {
                    // borders of its hours, but as many as went by
                    DateDiff => borders(args, zone),
                    _ => args,
                },
            },
            Expr::Function { func, args } if dates::reads_clock(func) => Expr::Function {
                func,
                args: args.into_iter().map(local).collect(),
            },
            Expr::Function {
                func: Strftime,
                mut args,
            } => {
                if args.len() == 2 && is_moment(&args[0]) {
                    args.push(Expr::Literal(Scalar::Text(zone.to_string())));
                }
                Expr::Function { func: Strftime, args }
            }
            Expr::Cast {
                expr,
                to:
                    to @ (CastType::Date
                    | CastType::Timestamp
                    | CastType::TimestampNanos(false)
                    | CastType::Time(_)),
                try_,
            } => Expr::Cast {
                expr: Box::new(local(*expr)),
                to,
                try_,
            },
            other => other,
        })
    })
}

/// Whether the unit between two moments is less than a day: a clock that is put on or back shows other hours than went
/// by.
fn spans_hours(args: &[Expr]) -> bool {
    let [Expr::Literal(Scalar::Text(unit)), _, _] = args else {
        return false;
    };
    Unit::parse(unit).is_ok_and(Unit::is_of_clock)
}

/// The arguments of `date_diff` with moments at the start of their units by the clocks of `zone`.
fn borders(mut args: Vec<Expr>, zone: &str) -> Vec<Expr> {
    let unit = args[0].clone();
    for x in &mut args[1..] {
        let zone = Expr::Literal(Scalar::Text(zone.to_string()));
        let whole = std::mem::replace(x, Expr::Literal(Scalar::Null));
        *x = Expr::Function {
            func: Func::DateTrunc,
            args: vec![unit.clone(), whole, zone],
        };
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_change() {
        let berlin = parse("Europe/Berlin").unwrap();
        let at = |t: &str| NaiveDateTime::parse_from_str(t, "%Y-%m-%d %H:%M").unwrap();
        assert_eq!(offset(berlin, at("2024-03-31 00:59")), 3600);
        assert_eq!(offset(berlin, at("2024-03-31 01:00")), 7200);
        assert_eq!(offset_of_clock(berlin, at("2024-03-31 01:59")), 3600);
        assert_eq!(offset_of_clock(berlin, at("2024-03-31 02:30")), 3600); // is left out
        assert_eq!(offset_of_clock(berlin, at("2024-03-31 03:00")), 7200);
        assert_eq!(offset_of_clock(berlin, at("2024-10-27 01:59")), 7200);
        assert_eq!(offset_of_clock(berlin, at("2024-10-27 02:30")), 3600); // comes twice
        assert_eq!(offset_of_clock(berlin, at("2024-10-27 03:00")), 3600);
        assert_eq!(with_offset(0, 0, -12_600), "1969-12-31T20:30:00-03:30");
        let e = parse("Europe/Berlim").unwrap_err();
        assert!(e.help_text().unwrap().contains("Europe/Berlin"));
    }
}
