//! Moments cut to the start of a unit or of a bucket: `date_trunc`, `time_bucket`.
//!
//! With a time zone the units are those of its clocks; a date, or a timestamp without a zone, is what they show already.
//! An hour that its clocks show twice is two hours: units less
//! than a day are cut by the offset of the moment itself, longer ones begin when the clocks show their start.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono_tz::Tz;

use super::dates::{Moments, Unit};
use super::eval::Value;
use super::functions::Func;
use super::temporal::{DAY_US, civil, days_from_civil};
use super::text::Text;
use super::tree::Expr;
use super::{cast, zones};
use crate::error::{Error, Result};
use crate::kernel::Scalar;

/// Where buckets begin: those of months, and others, a Monday.
const ORIGINS: (i64, i64) = (10_957 * DAY_US, 10_959 * DAY_US);

fn far() -> Error {
    Error::query("a bucket beyond the calendar's range")
}

fn is_moment(ty: &DataType) -> bool {
    matches!(ty, DataType::Timestamp(_, Some(_)))
}

/// The width of a bucket in months, or in microseconds.
pub(super) fn width(e: &Expr) -> Result<(i64, i64)> {
    let wrong = |what: &str| {
        let what = format!("the width of a bucket must be {what}, not {e}");
        Error::query(what).help("time_bucket('15 minutes', x), time_bucket('1 month', x)")
    };
    let Expr::Literal(Scalar::Interval(months, days, us)) = e else {
        return Err(wrong("a constant interval"));
    };
    let us = i64::from(*days)
        .checked_mul(DAY_US)
        .and_then(|d| d.checked_add(*us));
    let (months, us) = (i64::from(*months), us.ok_or_else(|| wrong("in range"))?);
    if months < 0 || us < 0 || (months == 0) == (us == 0) {
        return Err(wrong("positive, of months or of days and less"));
    }
    Ok((months, us))
}

/// The functions of this module.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<ArrayRef> {
    let (at, zone_at) = if func == Func::DateTrunc { (1, 2) } else { (2, 4) };
    let (unit, x) = (&args[0], Moments::of(&args[at]));
    let zones = args.get(zone_at).map(Text::of);
    let origin = args.get(3).filter(|_| func == Func::Bucket).map(Moments::of);
    let int = |k: usize, row: usize| {
        let i = args[k].at(row);
        let a = args[k].array().as_primitive::<Int64Type>();
        a.is_valid(i).then(|| a.value(i))
    };
    let mut last: Option<(String, Tz)> = None;
    let ahead = |zone: Tz, us: i64| Some(zones::seconds_at(zone, us)? * 1_000_000);
    let moment = is_moment(args[at].data_type());
    let origin_moment = args.get(3).is_some_and(|o| is_moment(o.data_type()));
    let mut one = |row: usize| -> Result<Option<i64>> {
        let Some(us) = x.get(row)? else { return Ok(None) };
        let zone = match zones.as_ref().map(|z| z.get(row)) {
            None => None,
            Some(None) => return Ok(None),
            Some(Some(name)) => Some(match &last {
                Some((n, zone)) if n == name => *zone,
                _ => last.insert((name.to_string(), zones::parse(name)?)).1,
            }),
        };
        let shown = zone.filter(|_| moment);
        let off = shown.map_or(Some(0), |z| ahead(z, us)).ok_or_else(far)?;
        let clock = us + off;
        let (start, of_clock) = match func {
            Func::DateTrunc => {
                let Some(name) = Text::of(unit).get(row) else {
                    return Ok(None);
                };
                let unit = Unit::parse(name)?;
                (unit.floor(clock), unit.is_of_clock())
            }
            _ => {
                let (Some(months), Some(width)) = (int(0, row), int(1, row)) else {
                    return Ok(None);
                };
                let mut origin = match &origin {
                    Some(o) => o.get(row)?,
                    None => None,
                };
                if let (Some(from), Some(zone), true) = (&mut origin, zone, origin_moment) {
                    *from += ahead(zone, *from).ok_or_else(far)?;
                }
                (
                    bucket(clock, months, width, origin).ok_or_else(far)?,
                    width % DAY_US != 0,
                )
            }
        };
        Ok(Some(match shown {
            None => start,
            Some(_) if of_clock => start - off,
            Some(zone) => start - zones::seconds_ahead(zone, start).ok_or_else(far)? * 1_000_000,
        }))
    };
    let out = (0..rows)
        .map(&mut one)
        .collect::<Result<TimestampMicrosecondArray>>()?;
    let ty = args[at].data_type();
    match ty {
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(Arc::new(out.with_data_type(ty.clone()))),
        ty => cast::array(&(Arc::new(out) as ArrayRef), ty, false),
    }
}

/// The start of the bucket that a moment lies in.
fn bucket(us: i64, months: i64, width: i64, origin: Option<i64>) -> Option<i64> {
    if months == 0 {
        let origin = origin.unwrap_or(ORIGINS.1);
        let into = us.checked_sub(origin)?.rem_euclid(width);
        return us.checked_sub(into);
    }
    // of an origin only the month counts, as in DuckDB
    let index = |us: i64| {
        let (y, m, _) = civil(us.div_euclid(DAY_US));
        y * 12 + i64::from(m) - 1
    };
    let from = index(origin.unwrap_or(ORIGINS.0));
    let begins = from + (index(us) - from).div_euclid(months) * months;
    let (y, m) = (begins.div_euclid(12), begins.rem_euclid(12) as u32 + 1);
    days_from_civil(y, m, 1).checked_mul(DAY_US)
}

#[cfg(test)]
mod tests {
    use super::super::temporal::{parse_timestamp, timestamp_text};
    use super::*;

    #[test]
    fn buckets_begin_at_their_origin() {
        const MINUTE: i64 = 60_000_000;
        let us = |t: &str| parse_timestamp(t).unwrap().0;
        let table = [
            ("2024-05-01 10:14:59", 0, 15 * MINUTE, None, "2024-05-01T10:00:00"),
            ("1969-12-31 23:59:59", 0, 15 * MINUTE, None, "1969-12-31T23:45:00"),
            ("2024-05-01", 0, 7 * DAY_US, None, "2024-04-29T00:00:00"),
            ("2024-05-01", 3, 0, None, "2024-04-01T00:00:00"),
            ("1999-12-31", 1, 0, None, "1999-12-01T00:00:00"),
            (
                "2024-05-01 10:14:59",
                0,
                15 * MINUTE,
                Some("2024-01-01 00:05"),
                "2024-05-01T10:05:00",
            ),
            ("2024-05-09", 3, 0, Some("2024-02-10"), "2024-05-01T00:00:00"),
        ];
        for (t, months, width, origin, want) in table {
            let start = bucket(us(t), months, width, origin.map(us)).unwrap();
            assert_eq!(timestamp_text(start, false), want, "{t}");
        }
    }
}
