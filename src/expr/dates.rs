//! Functions of dates and timestamps.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::eval::Value;
use super::functions::Func;
use super::temporal::{DAY_US, checked_days, civil, days_from_civil};
use super::text::Text;
use crate::error::{Error, Result, did_you_mean};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Unit {
    pub(super) fn parse(text: &str) -> Result<Unit> {
        use Unit::*;
        let names = [
            ("millennium", Millennium),
            ("century", Century),
            ("decade", Decade),
            ("year", Year),
            ("quarter", Quarter),
            ("month", Month),
            ("week", Week),
            ("day", Day),
            ("hour", Hour),
            ("minute", Minute),
            ("second", Second),
            ("millisecond", Millisecond),
            ("microsecond", Microsecond),
        ];
        let lower = text.to_lowercase();
        let wanted = lower.strip_suffix('s').unwrap_or(&lower);
        names
            .iter()
            .find(|(n, _)| *n == wanted)
            .map(|(_, u)| *u)
            .ok_or_else(|| {
                let near = did_you_mean(wanted, names.iter().map(|n| n.0));
                let all = "the units are millennium, century, decade, year, quarter, month, week, day, hour, minute, second, millisecond, microsecond";
                let help = near.map_or(all.to_string(), |n| format!("did you mean {n}? {all}"));
                Error::query(format!("no unit of time '{text}'")).help(help)
            })
    }

    /// How many borders of the unit lie between 1970 and that moment.
    fn index(self, us: i64) -> i64 {
        let days = us.div_euclid(DAY_US);
        let (y, m, _) = civil(days);
        match self {
            Unit::Millennium => y.div_euclid(1000),
            Unit::Century => y.div_euclid(100),
            Unit::Decade => y.div_euclid(10),
            Unit::Year => y,
            Unit::Quarter => y * 4 + (i64::from(m) - 1) / 3,
            Unit::Month => y * 12 + i64::from(m) - 1,
            Unit::Week => (days + 3).div_euclid(7), // 1970-01-01 is a Thursday
            Unit::Day => days,
            Unit::Hour => us.div_euclid(3_600_000_000),
            Unit::Minute => us.div_euclid(60_000_000),
            Unit::Second => us.div_euclid(1_000_000),
            Unit::Millisecond => us.div_euclid(1_000),
            Unit::Microsecond => us,
        }
    }

    /// The start of the unit that the moment lies in.
    pub(super) fn floor(self, us: i64) -> i64 {
        let n = self.index(us);
        match self {
            Unit::Millennium => days_from_civil(n * 1000, 1, 1) * DAY_US,
            Unit::Century => days_from_civil(n * 100, 1, 1) * DAY_US,
            Unit::Decade => days_from_civil(n * 10, 1, 1) * DAY_US,
            Unit::Year => days_from_civil(n, 1, 1) * DAY_US,
            Unit::Quarter => days_from_civil(n.div_euclid(4), n.rem_euclid(4) as u32 * 3 + 1, 1) * DAY_US,
            Unit::Month => days_from_civil(n.div_euclid(12), n.rem_euclid(12) as u32 + 1, 1) * DAY_US,
            Unit::Week => (n * 7 - 3) * DAY_US,
            Unit::Day => n * DAY_US,
            Unit::Hour => n * 3_600_000_000,
            Unit::Minute => n * 60_000_000,
            Unit::Second => n * 1_000_000,
            Unit::Millisecond => n * 1_000,
            Unit::Microsecond => n,
        }
    }
}

impl Unit {
    /// How many whole units lie between two moments.
    fn between(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Unit::Millennium => Some(months_between(a, b) / 12_000),
            Unit::Century => Some(months_between(a, b) / 1_200),
            Unit::Decade => Some(months_between(a, b) / 120),
            Unit::Year => Some(months_between(a, b) / 12),
            Unit::Quarter => Some(months_between(a, b) / 3),
            Unit::Month => Some(months_between(a, b)),
            _ => Some(b.checked_sub(a)? / self.length()),
        }
    }

    /// Whether it is less than a day.
    pub(super) fn is_of_clock(self) -> bool {
        self.length() < DAY_US
    }

    /// Microseconds of a unit that is always as long.
    fn length(self) -> i64 {
        match self {
            Unit::Week => 7 * DAY_US,
            Unit::Hour => 3_600_000_000,
            Unit::Minute => 60_000_000,
            Unit::Second => 1_000_000,
            Unit::Millisecond => 1_000,
            Unit::Microsecond => 1,
            _ => DAY_US,
        }
    }
}

/// Whole months between two moments, negative where b comes first: a month is over on the same day of the next
/// one, or on its last day where it has no such day.
fn months_between(a: i64, b: i64) -> i64 {
    if b < a {
        return -months_between(b, a);
    }
    let months = Unit::Month.index(b) - Unit::Month.index(a);
    let place = |us: i64| {
        let (_, _, day) = civil(us.div_euclid(DAY_US));
        (i64::from(day), us.rem_euclid(DAY_US))
    };
    let (y, m, last) = civil(b.div_euclid(DAY_US));
    let (from, to) = (place(a), place(b));
    let ends = i64::from(last) == month_days(y, i64::from(m)) && from.0 > to.0;
    let over = match ends {
        true => from.1 <= to.1,
        false => from <= to,
    };
    months - i64::from(!over)
}

/// Moments in microseconds since 1970, of dates and timestamps alike.
pub(super) struct Moments<'a> {
    value: &'a Value,
}

impl<'a> Moments<'a> {
    pub fn of(value: &'a Value) -> Moments<'a> {
        Moments { value }
    }

    /// # Errors
    /// The moment is none that microseconds in 64 bits tell.
    pub fn get(&self, row: usize) -> Result<Option<i64>> {
        self.day_and_clock(row).map(micros).transpose()
    }

    /// The day, and the microseconds since it began: of any date.
    fn day_and_clock(&self, row: usize) -> Option<(i64, i64)> {
        let (a, i) = (self.value.array(), self.value.at(row));
        if a.is_null(i) {
            return None;
        }
        Some(match a.data_type() {
            DataType::Date32 => (a.as_primitive::<Date32Type>().value(i).into(), 0),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let us = a.as_primitive::<TimestampMicrosecondType>().value(i);
                (us.div_euclid(DAY_US), us.rem_euclid(DAY_US))
            }
            // days of an interval of 2^31 months are a number of 37 bits
            _ => {
                let us = super::rare::nanos(a, i).div_euclid(1_000);
                let day = i128::from(DAY_US);
                (us.div_euclid(day) as i64, us.rem_euclid(day) as i64)
            }
        })
    }
}

fn micros((days, clock): (i64, i64)) -> Result<i64> {
    let us = days.checked_mul(DAY_US).and_then(|us| us.checked_add(clock));
    us.ok_or_else(|| {
        Error::query("a date beyond what microseconds since 1970 tell")
            .help("they tell those of the years -290307 to 294246")
    })
}

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The week by ISO 8601: that of the Thursday of the same week.
fn iso_week(days: i64) -> i64 {
    let thursday = (days + 3).div_euclid(7) * 7;
    let (y, ..) = civil(thursday);
    (thursday - days_from_civil(y, 1, 1)) / 7 + 1
}

/// The year that the Thursday of the same week lies in.
fn iso_year(days: i64) -> i64 {
    civil((days + 3).div_euclid(7) * 7).0
}

/// Centuries and the like begin with the year 1; before it they count down from -1.
fn periods(year: i64, length: i64) -> i64 {
    match year {
        y if y > 0 => (y - 1) / length + 1,
        y => y / length - 1,
    }
}

/// The days of a month, which counts from 1.
fn month_days(year: i64, month: i64) -> i64 {
    let (next, first) = match month {
        12 => (year + 1, 1),
        m => (year, m as u32 + 1),
    };
    days_from_civil(next, first, 1) - days_from_civil(year, month as u32, 1)
}

fn part(func: Func, days: i64, clock: i64) -> Option<i64> {
    use Func::*;
    let monday = (days + 3).rem_euclid(7);
    let (y, m, d) = civil(days);
    Some(match func {
        Year => y,
        Quarter => (i64::from(m) + 2) / 3,
        Month => i64::from(m),
        Week => iso_week(days),
        Day => i64::from(d),
        DayOfYear => days - days_from_civil(y, 1, 1) + 1,
        DayOfWeek => monday,
        IsoDow => monday + 1,
        Dow => (monday + 1) % 7,
        Hour => clock / 3_600_000_000,
        Minute => clock / 60_000_000 % 60,
        Second => clock / 1_000_000 % 60,
        Millisecond => clock / 1_000 % 60_000,
        Microsecond => clock % 60_000_000,
        IsoYear => iso_year(days),
        YearWeek => iso_year(days) * 100 + iso_week(days),
        Decade => y.div_euclid(10),
        Century => periods(y, 100),
        Millennium => periods(y, 1000),
        DaysInMonth => month_days(y, i64::from(m)),
        EpochMs => days * (DAY_US / 1_000) + clock / 1_000,
        _ => return None,
    })
}

/// Whether what it tells of a moment depends on the clock that shows it.
pub(super) fn reads_clock(func: Func) -> bool {
    use Func::*;
    match func {
        EpochMs => false,
        DayName | MonthName | LastDay | DateDiff | DateSub => true,
        func => part(func, 0, 0).is_some(),
    }
}

/// The last day of the month that a moment lies in, in days since 1970.
fn last_day(days: i64) -> Result<i32> {
    let (y, m, _) = civil(days);
    let day = days_from_civil(y, m, 1) + month_days(y, i64::from(m)) - 1;
    i32::try_from(day).map_err(|_| Error::query("last_day beyond the calendar's range"))
}

/// Calls a function of this file; none if it is of another.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<Option<ArrayRef>> {
    use Func::*;
    let moment = |i: usize| Moments { value: &args[i] };
    if part(func, 0, 0).is_some() {
        let x = moment(0);
        let out = (0..rows).map(|i| {
            let (days, clock) = x.day_and_clock(i)?;
            part(func, days, clock)
        });
        return Ok(Some(Arc::new(out.collect::<Int64Array>())));
    }
    Ok(Some(match func {
        DayName => {
            let x = moment(0);
            let name = |(days, _): (i64, i64)| DAYS[(days + 3).rem_euclid(7) as usize];
            let names = (0..rows).map(|i| x.day_and_clock(i).map(name));
            Arc::new(names.collect::<StringViewArray>())
        }
        MonthName => {
            let x = moment(0);
            let name = |(days, _): (i64, i64)| MONTHS[civil(days).1 as usize - 1];
            let names = (0..rows).map(|i| x.day_and_clock(i).map(name));
            Arc::new(names.collect::<StringViewArray>())
        }
        LastDay => {
            let x = moment(0);
            let last = |i| x.day_and_clock(i).map(|(days, _)| last_day(days)).transpose();
            Arc::new((0..rows).map(last).collect::<Result<Date32Array>>()?)
        }
        Epoch => {
            let x = moment(0);
            let seconds = |(days, clock): (i64, i64)| {
                let us = i128::from(days) * i128::from(DAY_US) + i128::from(clock);
                us as f64 / 1e6
            };
            let all = (0..rows).map(|i| x.day_and_clock(i).map(seconds));
            Arc::new(all.collect::<Float64Array>())
        }
        EpochUs => {
            let x = moment(0);
            Arc::new((0..rows).map(|i| x.get(i)).collect::<Result<Int64Array>>()?)
        }
        EpochNs => {
            let value = &args[0];
            let out = (0..rows).map(|i| {
                let at = value.at(i);
                let nanos = || i64::try_from(super::rare::nanos(value.array(), at));
                let far = |_| Error::query("epoch_ns of a moment before 1677 or after 2262");
                value.array().is_valid(at).then(nanos).transpose().map_err(far)
            });
            Arc::new(out.collect::<Result<Int64Array>>()?)
        }
        DateTrunc | Bucket => super::buckets::call(func, args, rows)?,
        DateDiff | DateSub => {
            let (u, a, b) = (Text::of(&args[0]), moment(1), moment(2));
            let out = (0..rows).map(|i| match (u.get(i), a.get(i)?, b.get(i)?) {
                (Some(u), Some(a), Some(b)) => {
                    let u = Unit::parse(u)?;
                    let n = match func {
                        DateSub => u.between(a, b),
                        _ => u.index(b).checked_sub(u.index(a)),
                    };
                    let far = || Error::query("moments too far apart to count microseconds between");
                    n.map(Some).ok_or_else(far)
                }
                _ => Ok(None),
            });
            Arc::new(out.collect::<Result<Int64Array>>()?)
        }
        MakeDate | MakeTimestamp => make(func, args, rows)?,
        AtTimeZone | Zoned => super::zones::call(func, args, rows)?,
        ToTimestamp => {
            let x = args[0].array().as_primitive::<Float64Type>();
            let out = (0..rows).map(|i| {
                let i = args[0].at(i);
                if x.is_null(i) {
                    return Ok(None);
                }
                let us = super::cast::float_to_int((x.value(i) * 1e6).round());
                us.map(Some)
                    .ok_or_else(|| Error::query(format!("to_timestamp({:?}) is out of range", x.value(i))))
            });
            Arc::new(out.collect::<Result<TimestampMicrosecondArray>>()?)
        }
        _ => return Ok(None),
    }))
}

fn make(func: Func, args: &[Value], rows: usize) -> Result<ArrayRef> {
    let int = |k: usize, i: usize| {
        let (a, i) = (args[k].array().as_primitive::<Int64Type>(), args[k].at(i));
        a.is_valid(i).then(|| a.value(i))
    };
    let day = |i: usize| -> Result<Option<i32>> {
        match (int(0, i), int(1, i), int(2, i)) {
            (Some(y), Some(m), Some(d)) => checked_days(y, m, d)
                .map(Some)
                .ok_or_else(|| Error::query(format!("there is no date {y:04}-{m:02}-{d:02}"))),
            _ => Ok(None),
        }
    };
    if func == Func::MakeDate {
        return Ok(Arc::new((0..rows).map(day).collect::<Result<Date32Array>>()?));
    }
    let seconds = args[5].array().as_primitive::<Float64Type>();
    let out = (0..rows).map(|i| {
        let k = args[5].at(i);
        let second = seconds.is_valid(k).then(|| seconds.value(k));
        match (day(i)?, int(3, i), int(4, i), second) {
            (Some(d), Some(h), Some(m), Some(s)) => {
                if !(0..24).contains(&h) || !(0..60).contains(&m) || !(0.0..60.0).contains(&s) {
                    return Err(Error::query(format!("there is no time {h:02}:{m:02}:{s}")));
                }
                Ok(Some(
                    i64::from(d) * DAY_US + (h * 60 + m) * 60_000_000 + (s * 1e6).round() as i64,
                ))
            }
            _ => Ok(None),
        }
    });
    Ok(Arc::new(out.collect::<Result<TimestampMicrosecondArray>>()?))
}
