//! `strptime` and `strftime`: dates and times by the formats of POSIX and Python.
//!
//! Chrono reads and writes nearly all of them. What it reads in another way is taken out of the format first: `%f` is
//! a fraction of any length, `%z` and `%Z` make a moment of a clock, `%y` from 69 on is of the last century, and
//! what a format does not have is the first of it: the first month, the first day, midnight.

use std::ops::Range;
use std::str::FromStr;

use arrow::array::*;
use arrow::datatypes::DataType;
use chrono::format::{Item, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::eval::Value;
use super::functions::Func;
use super::text::Text;
use super::{dates, zones};
use crate::error::{Error, Result};

const HELP: &str = "%Y year, %m month, %d day, %H hour, %M minute, %S second, %f fraction, %z offset";

/// A format, made ready.
struct Format {
    parts: Vec<Part>,
}

enum Part {
    /// What chrono reads.
    Items(Vec<Item<'static>>),
    /// `%f`
    Fraction,
    /// `%z`
    Offset,
    /// `%Z`
    Zone,
}

/// The conversions of a format: where each stands, and what follows its `%`.
fn conversions(format: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + format[from..].find('%')?;
        let tail = &format[at + 1..];
        // what may stand before the letter: `%:z`, `%.3f`, `%-d`
        let letter = tail.find(|c: char| !matches!(c, ':' | '#' | '.' | '-' | '_' | '0'..='9'))?;
        let end = letter + tail[letter..].chars().next()?.len_utf8();
        from = at + 1 + end;
        Some((at..from, &tail[..end]))
    })
}

/// Whether a conversion tells how far a clock is ahead of UTC, in some form: `%z`, `%:z`, `%#z`, `%Z`, `%+`.
fn tells_offset(conversion: &str) -> bool {
    conversion.ends_with(['z', 'Z', '+'])
}

/// Whether what a format reads is a moment, not just what a clock shows.
pub(super) fn has_offset(format: &str) -> bool {
    conversions(format).any(|(_, conversion)| tells_offset(conversion))
}

impl Format {
    fn new(format: &str) -> Result<Format> {
        let bad = |_| Error::query(format!("'{format}' is no format of dates and times")).help(HELP);
        let (mut parts, mut from) = (Vec::new(), 0);
        for (at, conversion) in conversions(format) {
            let part = match conversion {
                "f" => Part::Fraction,
                "z" => Part::Offset,
                "Z" => Part::Zone,
                _ => continue,
            };
            let before = StrftimeItems::new(&format[from..at.start]).parse_to_owned();
            parts.push(Part::Items(before.map_err(bad)?));
            parts.push(part);
            from = at.end;
        }
        let rest = StrftimeItems::new(&format[from..]).parse_to_owned();
        parts.push(Part::Items(rest.map_err(bad)?));
        Ok(Format { parts })
    }

    /// Microseconds since 1970 of what the text means; in UTC where it tells an offset.
    fn read(&self, text: &str) -> Option<i64> {
        let (mut parsed, mut rest) = (Parsed::new(), text);
        let (mut fraction, mut offset, mut zone) = (0, 0, None);
        for part in &self.parts {
            match part {
                Part::Items(items) => rest = parse_and_remainder(&mut parsed, rest, items.iter()).ok()?,
                Part::Fraction => (fraction, rest) = take_fraction(rest)?,
                Part::Offset => (offset, rest) = take_offset(rest)?,
                Part::Zone => {
                    let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
                    zone = Some(named_zone(&rest[..end])?);
                    rest = &rest[end..];
                }
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let fraction = match parsed.nanosecond() {
            Some(ns) => i64::from(ns) / 1_000,
            None => fraction,
        };
        if let Some(seconds) = parsed.timestamp() {
            return seconds.checked_mul(1_000_000)?.checked_add(fraction);
        }
        complete(&mut parsed)?;
        let date = parsed.to_naive_date().ok()?.and_time(chrono::NaiveTime::MIN);
        let clock = date.and_utc().timestamp_micros() + clock_of(&parsed) * 1_000_000 + fraction;
        let offset = match zone {
            Some(zone) => zones::seconds_ahead(zone, clock)?,
            // what chrono itself reads: `%:z`, `%+`
            None => parsed.offset().map_or(offset, i64::from),
        };
        Some(clock - offset * 1_000_000)
    }
}

/// Fills in what a format does not have.
fn complete(parsed: &mut Parsed) -> Option<()> {
    let year = parsed.year().or(parsed.year_div_100());
    if let (None, Some(of_century)) = (year, parsed.year_mod_100()) {
        parsed
            .set_year_div_100(if of_century >= 69 { 19 } else { 20 })
            .ok()?;
    }
    let iso = parsed.isoyear().or(parsed.isoyear_mod_100());
    if year.or(parsed.year_mod_100()).or(iso).is_none() {
        parsed.set_year(1900).ok()?;
    }
    let by_week = parsed
        .week_from_sun()
        .or(parsed.week_from_mon())
        .or(parsed.isoweek());
    if by_week.or(parsed.ordinal()).is_some() || iso.is_some() {
        return Some(());
    }
    if parsed.month().is_none() {
        let quarter = parsed.quarter().unwrap_or(1);
        parsed.set_month(i64::from(quarter) * 3 - 2).ok()?;
    }
    if parsed.day().is_none() {
        parsed.set_day(1).ok()?;
    }
    Some(())
}

/// The seconds that the clock shows; the second 60 is the first of the next minute.
fn clock_of(parsed: &Parsed) -> i64 {
    let of = |part: Option<u32>| i64::from(part.unwrap_or(0));
    let hour = of(parsed.hour_div_12()) * 12 + of(parsed.hour_mod_12());
    hour * 3600 + of(parsed.minute()) * 60 + of(parsed.second())
}

/// A fraction of a second in microseconds; what is behind the sixth digit is cut off.
fn take_fraction(text: &str) -> Option<(i64, &str)> {
    let n = text.bytes().take_while(u8::is_ascii_digit).count();
    if n == 0 {
        return None;
    }
    let digits = text.bytes().take(n).chain(std::iter::repeat(b'0')).take(6);
    let us = digits.fold(0, |us, d| us * 10 + i64::from(d - b'0'));
    Some((us, &text[n..]))
}

/// `Z`, `+01`, `+0100`, `+01:00` or `+01:00:00` in seconds.
fn take_offset(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let two = |t: &str| -> Option<i64> {
        let t = t.get(..2)?;
        t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse().ok())?
    };
    let hours = two(rest)?;
    rest = &rest[2..];
    let (mut seconds, mut unit) = (hours * 3600, 60);
    while unit > 0 {
        let Some(n) = two(rest.strip_prefix(':').unwrap_or(rest)) else {
            break;
        };
        if n > 59 {
            return None;
        }
        seconds += n * unit;
        rest = &rest.strip_prefix(':').unwrap_or(rest)[2..];
        unit /= 60;
    }
    (hours < 24).then_some((sign * seconds, rest))
}

fn named_zone(name: &str) -> Option<Tz> {
    match name {
        "Z" | "z" => Some(Tz::UTC),
        _ => Tz::from_str(name).ok(),
    }
}

/// The functions of this module; none for others. `ty` is the type of the result.
pub(super) fn call(func: Func, args: &[Value], ty: &DataType, rows: usize) -> Result<Option<ArrayRef>> {
    match func {
        Func::Strptime | Func::TryStrptime => {
            read_all(args, ty, rows, func == Func::TryStrptime).map(|a| Some(std::sync::Arc::new(a) as _))
        }
        Func::Strftime => write_all(args, rows).map(Some),
        _ => Ok(None),
    }
}

/// The format of a row, which mostly is that of the row before.
struct Formats<T> {
    last: Option<(String, T)>,
}

impl<T> Formats<T> {
    fn get(&mut self, format: &str, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        if self.last.as_ref().is_none_or(|(f, _)| f != format) {
            self.last = Some((format.to_string(), make()?));
        }
        let (_, made) = self.last.as_ref().ok_or_else(|| Error::defect("no format"))?;
        Ok(made)
    }
}

fn read_all(args: &[Value], ty: &DataType, rows: usize, try_: bool) -> Result<TimestampMicrosecondArray> {
    let (text, format) = (Text::of(&args[0]), Text::of(&args[1]));
    let is_moment = matches!(ty, DataType::Timestamp(_, Some(_)));
    let mut formats = Formats { last: None };
    let out = (0..rows).map(|i| {
        let (Some(t), Some(f)) = (text.get(i), format.get(i)) else {
            return Ok(None);
        };
        let ready = formats.get(f, || match has_offset(f) && !is_moment {
            true => Err(
                Error::query(format!("the format '{f}' has an offset, so it must be constant"))
                    .help("write it in single quotes: strptime(s, '%Y-%m-%d %z')"),
            ),
            false => Format::new(f),
        })?;
        match ready.read(t) {
            None if !try_ => Err(Error::query(format!("'{t}' does not have the format '{f}'")).help(HELP)),
            moment => Ok(moment),
        }
    });
    let out = out.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(match is_moment {
        true => out.with_timezone("UTC"),
        false => out,
    })
}

/// A format of Python as chrono writes it: `%f` has six digits, and a clock without a zone no offset.
fn written(format: &str, zoned: bool) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for (at, conversion) in conversions(format) {
        let instead = match conversion {
            "f" => "%6f",
            "+" if !zoned => "%Y-%m-%dT%H:%M:%S%.f",
            c if tells_offset(c) && !zoned => "",
            _ => continue,
        };
        out += &format[from..at.start];
        out += instead;
        from = at.end;
    }
    out + &format[from..]
}

fn write_all(args: &[Value], rows: usize) -> Result<ArrayRef> {
    use std::fmt::Write;
    let (x, format) = (dates::Moments::of(&args[0]), Text::of(&args[1]));
    let zones = args.get(2).map(Text::of);
    let is_moment = matches!(args[0].data_type(), DataType::Timestamp(_, Some(_)));
    let (mut formats, mut known) = (Formats { last: None }, Formats { last: None });
    let mut out = StringViewBuilder::with_capacity(rows);
    let mut buffer = String::new();
    for i in 0..rows {
        let zone = zones.as_ref().map(|z| z.get(i));
        let (Some(us), Some(f), true) = (x.get(i)?, format.get(i), zone != Some(None)) else {
            out.append_null();
            continue;
        };
        let bad = || Error::query(format!("cannot format by '{f}'")).help(HELP);
        let zoned = is_moment || zone.is_some();
        let ready = formats.get(f, || Ok(written(f, zoned)))?;
        buffer.clear();
        let done = match zone.flatten() {
            None => write!(
                buffer,
                "{}",
                DateTime::from_timestamp_micros(us).ok_or_else(bad)?.format(ready)
            ),
            Some(name) => {
                let zone = *known.get(name, || zones::parse(name))?;
                let utc = match is_moment {
                    true => us,
                    // the clock of that zone
                    false => us - zones::seconds_ahead(zone, us).ok_or_else(bad)? * 1_000_000,
                };
                let utc: DateTime<Utc> = DateTime::from_timestamp_micros(utc).ok_or_else(bad)?;
                write!(
                    buffer,
                    "{}",
                    zone.from_utc_datetime(&utc.naive_utc()).format(ready)
                )
            }
        };
        done.map_err(|_| bad())?;
        out.append_value(&buffer);
    }
    Ok(std::sync::Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, format: &str) -> Option<String> {
        let us = Format::new(format).unwrap().read(text)?;
        Some(super::super::temporal::timestamp_text(us, has_offset(format)))
    }

    #[test]
    fn formats_of_posix_and_python() {
        let table = [
            ("00.5", "%S.%f", "1900-01-01T00:00:00.5"),
            (
                "2020-01-01 00:00:00.123456",
                "%Y-%m-%d %H:%M:%S.%f",
                "2020-01-01T00:00:00.123456",
            ),
            (
                "2020-01-01 00:00:00,1234567899",
                "%Y-%m-%d %H:%M:%S,%f",
                "2020-01-01T00:00:00.123456",
            ),
            ("69-01-01", "%y-%m-%d", "1969-01-01T00:00:00"),
            ("68-01-01", "%y-%m-%d", "2068-01-01T00:00:00"),
            ("16-Jul-69", "%d-%b-%y", "1969-07-16T00:00:00"),
            ("2024", "%Y", "2024-01-01T00:00:00"),
            ("2024-03", "%Y-%m", "2024-03-01T00:00:00"),
            ("2024-Q3", "%Y-Q%q", "2024-07-01T00:00:00"),
            ("Mar 2024", "%b %Y", "2024-03-01T00:00:00"),
            ("2024-060", "%Y-%j", "2024-02-29T00:00:00"),
            ("20240229", "%Y%m%d", "2024-02-29T00:00:00"),
            ("2020-W53-7", "%G-W%V-%u", "2021-01-03T00:00:00"),
            ("12:30 AM", "%I:%M %p", "1900-01-01T00:30:00"),
            (
                "2024-01-01 10:00 +0130",
                "%Y-%m-%d %H:%M %z",
                "2024-01-01T08:30:00Z",
            ),
            (
                "2024-01-01 10:00-05:00",
                "%Y-%m-%d %H:%M%z",
                "2024-01-01T15:00:00Z",
            ),
            ("2024-01-01 10:00Z", "%Y-%m-%d %H:%M%z", "2024-01-01T10:00:00Z"),
            ("2024-01-01 10:00+02", "%Y-%m-%d %H:%M%z", "2024-01-01T08:00:00Z"),
            (
                "2024-07-01 10:00 Europe/Berlin",
                "%Y-%m-%d %H:%M %Z",
                "2024-07-01T08:00:00Z",
            ),
            ("1714557600", "%s", "2024-05-01T10:00:00"),
            ("100% 2024", "100%% %Y", "2024-01-01T00:00:00"),
        ];
        for (text, format, want) in table {
            assert_eq!(read(text, format).as_deref(), Some(want), "{text} {format}");
        }
        let none = [
            ("2024-02-30", "%Y-%m-%d"),
            ("2024-01-01 x", "%Y-%m-%d"),
            ("2024-01-01 10:00+25", "%Y-%m-%d %H:%M%z"),
            ("2024-01-01 10:00 Mars/City", "%Y-%m-%d %H:%M %Z"),
            ("00.", "%S.%f"),
            ("", "%Y"),
        ];
        for (text, format) in none {
            assert_eq!(read(text, format), None, "{text} {format}");
        }
        assert!(Format::new("%Q").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(us in -60_000_000_000_000_000i64..200_000_000_000_000_000) {
            let moment = DateTime::from_timestamp_micros(us).unwrap();
            for format in ["%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %I:%M:%S.%f %p", "%Y-%j %T,%f %z", "%G-W%V-%u %T.%f"] {
                let text = moment.format(&written(format, true)).to_string();
                prop_assert_eq!(Format::new(format).unwrap().read(&text), Some(us), "{} {}", format, text);
            }
        }

        #[test]
        fn no_text_harms(text in ".{0,20}", format in "(%[a-zA-Z%]|[-: .]){0,6}") {
            if let Ok(f) = Format::new(&format) {
                let _ = f.read(&text);
            }
        }
    }
}
