//! Rows of too few or too many fields: the error, and what is told where they are left out or padded.

use std::sync::Arc;

use super::file::CsvFile;
use super::header;
use super::met::{Oddities, SHOWN};
use super::rows::{Bad, BadRow, Rows};
use super::windows::Windows;
use crate::error::Error;
use crate::source::OnBadRow;

/// The error for rows of too few or too many fields: the first three places and the count. `row`, of the
/// window, is one.
pub(super) fn error(file: &Arc<CsvFile>, windows: &Windows, row: BadRow) -> Error {
    let wanted = file.info.names.len();
    let (mut places, mut count) = (Vec::new(), 0u64);
    // what comes and is not kept cannot be looked at again
    let all = file.live().is_none().then(|| Windows::whole(file)).transpose();
    let pass = all.and_then(|all| {
        let Some(mut all) = all else { return Ok(()) };
        while all.next()? {
            Rows::of(&all, wanted, &file.marks, |bad| {
                count += 1;
                if places.len() < SHOWN {
                    let excerpt = all.data[bad.start as usize..bad.end as usize].to_vec();
                    places.push((all.base + u64::from(bad.start), bad.fields, excerpt));
                }
                Bad::Drop
            });
        }
        Ok(())
    });
    let fallback = || {
        let excerpt = windows.data[row.start as usize..row.end as usize].to_vec();
        (windows.base + u64::from(row.start), row.fields, excerpt)
    };
    let (offset, fields, excerpt) = places.first().cloned().unwrap_or_else(fallback);
    let many = if fields > wanted { "many" } else { "few" };
    let mut what = format!("too {many} fields: {fields} instead of {wanted}");
    if count > 1 {
        let offsets: Vec<u64> = places.iter().map(|p| p.0).collect();
        let lines: Vec<String> = file.places(&offsets).iter().map(|p| p.0.to_string()).collect();
        what.push_str(&format!(
            "; {count} rows of the file are so, the first at lines {}",
            lines.join(", ")
        ));
    }
    if let Err(e) = pass {
        what.push_str(&format!(" ({})", e.what()));
    }
    file.error_at(what, offset)
        .excerpt(&excerpt)
        .help(help(file, &excerpt))
}

/// What to do about it.
fn help(file: &CsvFile, row: &[u8]) -> String {
    if let Some(lines) = file.info.lines_before_header {
        return header::better_line(&file.info.path, lines);
    }
    if !file.marks.trim
        && file.marks.delimiter != b' '
        && let Some(quote) = file.marks.quote
        && row.windows(2).any(|w| w[0] == b' ' && w[1] == quote)
    {
        return "a quote behind a blank is a character: --trim leaves blanks around fields out".into();
    }
    "fix the rows, or use --on-bad-row skip, pad or reject=FILE".into()
}

/// What to tell of rows that were left out or padded, and of text after closing quotes; files and what was met
/// in them.
pub(super) fn notes(files: &[Arc<CsvFile>], policy: &OnBadRow) -> Vec<String> {
    let met: Vec<(&Arc<CsvFile>, Oddities)> = files.iter().map(|f| (f, f.met.together())).collect();
    let sum = |of: fn(&Oddities) -> u64| met.iter().map(|(_, odd)| of(odd)).sum::<u64>();
    let mut out = Vec::new();
    let bad = sum(|odd| odd.bad.count);
    let bad_rows = |verb: &str, verbs: &str| match bad {
        1 => format!("1 row of too few or too many fields {verb}"),
        n => format!("{n} rows of too few or too many fields {verbs}"),
    };
    if bad > 0 {
        let what = match policy {
            OnBadRow::Pad => {
                let missing = counted(
                    sum(|odd| odd.missing),
                    "missing field is null",
                    "missing fields are null",
                );
                let cut = counted(
                    sum(|odd| odd.cut),
                    "surplus field was cut",
                    "surplus fields were cut",
                );
                let done: Vec<String> = [missing, cut].into_iter().flatten().collect();
                format!("{}: {}", bad_rows("was padded", "were padded"), done.join(", "))
            }
            OnBadRow::Reject(path) => {
                format!("{} set aside in {}", bad_rows("was", "were"), path.display())
            }
            _ => format!("{} left out", bad_rows("was", "were")),
        };
        out.push(format!("{what}; {}", first(&met, |odd| &odd.bad.first)));
    }
    let joined = sum(|odd| odd.joined.count);
    let texts = counted(
        joined,
        "field has text after its closing quote, which joins it",
        "fields have text after their closing quote, which joins them",
    );
    if let Some(what) = texts {
        let escape = met.iter().any(|(f, odd)| ends_in_escape(f, &odd.joined.first));
        let help = if escape {
            "; if backslashes escape quotes here, use --escape '\\'"
        } else {
            ""
        };
        out.push(format!("{what}; {}{help}", first(&met, |odd| &odd.joined.first)));
    }
    out
}

/// So many of them, if there are any.
fn counted(n: u64, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

/// `the first at a.csv:3, a.csv:7`.
fn first(met: &[(&Arc<CsvFile>, Oddities)], of: fn(&Oddities) -> &Vec<u64>) -> String {
    let mut places = Vec::new();
    for (file, odd) in met {
        let offsets = &of(odd)[..of(odd).len().min(SHOWN - places.len())];
        let lines = file.places(offsets);
        places.extend(
            lines
                .iter()
                .map(|p| format!("{}:{}", file.info.path.display(), p.0)),
        );
        if places.len() == SHOWN {
            break;
        }
    }
    format!("the first at {}", places.join(", "))
}

/// Whether one of the fields at these offsets closes behind a backslash.
fn ends_in_escape(file: &CsvFile, offsets: &[u64]) -> bool {
    let Some(quote) = file.marks.quote.filter(|_| file.marks.escape.is_none()) else {
        return false;
    };
    offsets.iter().any(|&at| {
        file.bytes_at(at, 4096)
            .is_ok_and(|text| text.windows(2).any(|w| w == [b'\\', quote]))
    })
}
