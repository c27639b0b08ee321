//! What the first bytes of a file tell: packing, encoding, delimiter, names of columns.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::exact::{self, Marks};
use super::file::{FileInfo, Packing, open, read_error, stream};
use crate::error::{Error, Result};
use crate::source::ReadOptions;

/// Decoded bytes that are looked at; more if the header is longer.
const SAMPLE: usize = 64 << 10;

/// A file's facts, the first of its data, and notes for the user.
pub(crate) struct Sniffed {
    pub info: FileInfo,
    /// Whole records after the header (or the only one, closed).
    pub sample: Vec<u8>,
    pub notes: Vec<String>,
}

/// The marks that the options give, for a delimiter.
pub(crate) fn marks(options: &ReadOptions, delimiter: u8) -> Marks {
    Marks {
        delimiter,
        quote: options.quote,
        escape: options.escape,
        comment: options.comment,
    }
}

/// Looks at one file.
pub(crate) fn sniff(path: &Path, spooled: Option<&Arc<File>>, options: &ReadOptions) -> Result<Sniffed> {
    let handle = open(path, spooled, &options.retries)?;
    let mut magic = [0; 8];
    let n = handle.read_at(&mut magic, 0).map_err(|e| read_error(path, &e))?;
    let packing = Packing::of(&magic[..n]);
    let size = (handle.file.metadata())
        .map_err(|e| Error::io("read", path, &e))?
        .len();
    let mut from = stream(handle, packing, None)?;
    let mut head = Vec::new();
    read_more(&mut from, &mut head, SAMPLE, path)?;
    let (bom, mark) = match head[..] {
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        [0xff, 0xfe, ..] => (2, Some("utf-16le")),
        [0xfe, 0xff, ..] => (2, Some("utf-16be")),
        _ => (0, None),
    };
    let named = options.encoding.as_deref().map(str::to_ascii_lowercase);
    let encoding = match named.as_deref() {
        Some("utf8" | "utf-8") | None => mark.map(str::to_owned),
        Some(label) => Some(label.to_owned()),
    };
    let mut at = bom;
    if encoding.is_some() {
        from = stream(
            open(path, spooled, &options.retries)?,
            packing,
            encoding.as_deref(),
        )?;
        head.clear();
        read_more(&mut from, &mut head, SAMPLE, path)?;
        at = 0;
    }
    let mut want = SAMPLE;
    let (delimiter, header_at, header_end, at_end) = loop {
        let at_end = head.len() < want;
        if at_end && head.last().is_some_and(|b| *b != b'\n') {
            head.push(b'\n');
        }
        if let Some((delimiter, start, end)) = find_header(&head, at, path, options) {
            break (delimiter, start, end, at_end);
        }
        if at_end {
            if head.len() > at
                && !head[at..].iter().all(|b| matches!(b, b'\n' | b'\r'))
                && options.skip_rows == 0
                && options.comment.is_none()
            {
                return Err(Error::input("a quote in the header is never closed")
                    .at(path, 1, 1)
                    .excerpt(&head[at..]));
            }
            break (options.delimiter.unwrap_or(b','), head.len(), head.len(), true);
        }
        want *= 2;
        let more = want - head.len();
        read_more(&mut from, &mut head, more, path)?;
    };
    let marks = marks(options, delimiter);
    if options.header != Some(false) && options.names.is_none() {
        check_utf8(&head, header_at..header_end, path)?;
    }
    let mut fields = split(&head[header_at..header_end], &marks);
    let mut data_start = header_end;
    let mut notes = Vec::new();
    if options.header == Some(false) {
        data_start = header_at;
        fields = (1..=fields.len()).map(|i| format!("column_{i}")).collect();
    }
    if header_at == header_end {
        fields.clear();
    }
    if let Some(names) = &options.names {
        for (field, name) in fields.iter_mut().zip(names) {
            field.clone_from(name);
        }
    }
    let names = unique(fields, path, &mut notes);
    let mut ends = Vec::new();
    exact::scan(&head[data_start..], 0, &marks, &mut ends);
    let records_end = ends
        .iter()
        .rposition(|e| matches!(head[data_start + *e as usize], b'\n' | b'\r'))
        .map_or(data_start, |i| data_start + ends[i] as usize + 1);
    let sample = head[data_start..records_end].to_vec();
    let _ = at_end;
    let data_start = (data_start as u64).min(if packing == Packing::Plain && encoding.is_none() {
        size
    } else {
        u64::MAX
    });
    let info = FileInfo {
        path: path.to_owned(),
        size,
        packing,
        encoding,
        delimiter,
        data_start,
        names,
    };
    Ok(Sniffed { info, sample, notes })
}

fn read_more(from: &mut dyn Read, to: &mut Vec<u8>, more: usize, path: &Path) -> Result<()> {
    from.take(more as u64)
        .read_to_end(to)
        .map_err(|e| read_error(path, &e))?;
    Ok(())
}

/// Delimiter, start and end of the header record, if `head` holds all of it.
fn find_header(head: &[u8], mut at: usize, path: &Path, options: &ReadOptions) -> Option<(u8, usize, usize)> {
    for _ in 0..options.skip_rows {
        at += head.get(at..)?.iter().position(|b| *b == b'\n')? + 1;
    }
    loop {
        let rest = head.get(at..)?;
        match rest.first()? {
            b'\n' | b'\r' => at += 1,
            b if Some(*b) == options.comment => at += rest.iter().position(|b| *b == b'\n')? + 1,
            _ => break,
        }
    }
    let delimiter = options
        .delimiter
        .unwrap_or_else(|| guess(&head[at..], path, options));
    let mut ends = Vec::new();
    exact::scan(&head[at..], 0, &marks(options, delimiter), &mut ends);
    let end = ends
        .iter()
        .find(|e| matches!(head[at + **e as usize], b'\n' | b'\r'))?;
    Some((delimiter, at, at + *end as usize + 1))
}

/// The delimiter, by extension, or the one that the header has most of.
fn guess(header: &[u8], path: &Path, options: &ReadOptions) -> u8 {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".zst", ".bz2", ".xz", ".lz4"]
        .iter()
        .find_map(|e| name.strip_suffix(e))
        .unwrap_or(&name);
    if name.ends_with(".tsv") || name.ends_with(".tab") {
        return b'\t';
    }
    if name.ends_with(".psv") {
        return b'|';
    }
    let (mut counts, mut inside) = ([0usize; 4], false);
    for &b in header {
        if Some(b) == options.quote {
            inside = !inside;
        } else if !inside && (b == b'\n' || b == b'\r') {
            break;
        } else if let (false, Some(i)) = (inside, b",\t;|".iter().position(|d| *d == b)) {
            counts[i] += 1;
        }
    }
    // The first of the most frequent ones.
    (0..4)
        .rev()
        .max_by_key(|&i| counts[i])
        .map_or(b',', |i| b",\t;|"[i])
}

/// An error where the header is no text: columns would have names that nobody wrote.
fn check_utf8(head: &[u8], header: Range<usize>, path: &Path) -> Result<()> {
    let Err(e) = simdutf8::compat::from_utf8(&head[header.clone()]) else {
        return Ok(());
    };
    let line = 1 + memchr::memchr_iter(b'\n', &head[..header.start]).count() as u64;
    let shown = header.start + e.valid_up_to()..header.end;
    let column = 1 + String::from_utf8_lossy(&head[header.start..shown.start])
        .chars()
        .count() as u64;
    Err(Error::input("the header is not UTF-8")
        .at(path, line, column)
        .excerpt(&head[shown])
        .help("name its encoding with --encoding, such as latin1 or utf8-lossy"))
}

/// The texts of one record's fields.
fn split(record: &[u8], marks: &Marks) -> Vec<String> {
    let mut record = record.to_vec();
    if let Some(last @ b'\r') = record.last_mut() {
        *last = b'\n'; // to the scanner, a CR at the very end might be half of a CRLF
    }
    let mut ends = Vec::new();
    exact::scan(&record, 0, marks, &mut ends);
    let mut start = 0;
    let mut fields = Vec::new();
    for end in ends {
        let end = end as usize;
        let mut text = &record[start..end];
        if record[end] == b'\n' {
            text = text.strip_suffix(b"\r").unwrap_or(text);
        }
        let mut out = Vec::new();
        exact::unquote(text, marks, &mut out);
        fields.push(String::from_utf8_lossy(&out).into_owned());
        start = end + 1;
    }
    fields
}

/// Names made unique: `x`, `x_2`; an empty one is `column_2`.
fn unique(fields: Vec<String>, path: &Path, notes: &mut Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(fields.len());
    let mut taken: std::collections::HashSet<String> = fields.iter().cloned().collect();
    let mut seen = std::collections::HashSet::new();
    for (i, field) in fields.into_iter().enumerate() {
        let wanted = if field.is_empty() {
            format!("column_{}", i + 1)
        } else {
            field
        };
        let mut name = wanted.clone();
        let mut k = 1;
        while seen.contains(&name) || (k > 1 && taken.contains(&name)) {
            k += 1;
            name = format!("{wanted}_{k}");
        }
        if k > 1 {
            notes.push(format!(
                "{}: the second column '{wanted}' is called '{name}'",
                path.display()
            ));
        }
        seen.insert(name.clone());
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_unique() {
        let fields = ["x", "", "x", "x_2", "x"].map(String::from).to_vec();
        let mut notes = vec![];
        assert_eq!(
            unique(fields, Path::new("f"), &mut notes),
            ["x", "column_2", "x_3", "x_2", "x_4"]
        );
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn delimiters() {
        let o = ReadOptions::default();
        assert_eq!(guess(b"a;b;\"c,d,e\"\n,,,,", Path::new("x.csv"), &o), b';');
        assert_eq!(guess(b"a,b\n", Path::new("x.tsv.gz"), &o), b'\t');
        assert_eq!(guess(b"a\n;;", Path::new("x.csv"), &o), b',');
    }
}
