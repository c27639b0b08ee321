//! What the first bytes of a file tell: packing, encoding, delimiter, names of columns.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::exact::{self, Marks, Prefix};
use super::file::{FileInfo, Packing, open, read_error, stream};
use super::flow;
use super::header::{Header, Note};
use super::lines::Counter;
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::source::stdin::Once;
use crate::source::{ReadOptions, foreign};

/// Decoded bytes that are looked at; more if the header is longer.
const SAMPLE: usize = 64 << 10;
/// A header may take this part of the memory.
const HEADER_SHARE: usize = 8;

/// A file's facts, the first of its data, and notes for the user.
pub(crate) struct Sniffed {
    pub info: FileInfo,
    /// The lines before the data.
    pub begin: Counter,
    /// Whole records after the header (or the only one, closed).
    pub sample: Vec<u8>,
    pub notes: Vec<Note>,
}

/// The marks that the options give, for a delimiter.
pub(crate) fn marks(options: &ReadOptions, delimiter: u8) -> Marks {
    Marks {
        delimiter,
        quote: options.quote,
        // a quote that escapes quotes is a doubled one
        escape: options.escape.filter(|e| Some(*e) != options.quote),
        comment: options.comment.as_ref().and_then(|c| Prefix::new(c.as_bytes())),
        trim: options.trim,
    }
}

/// Looks at one file.
pub(crate) fn sniff(path: &Path, once: Option<&Once>, options: &ReadOptions) -> Result<Sniffed> {
    let handle = open(path, once, &options.retries)?;
    let mut magic = [0; 8];
    let n = handle.read_at(&mut magic, 0).map_err(|e| read_error(path, &e))?;
    let packing = Packing::of(&magic[..n]);
    let mut from = stream(handle.clone(), packing, None)?;
    let mut head = Vec::new();
    read_more(&mut from, &mut head, SAMPLE, path)?;
    if options.format.is_none() {
        foreign::check(path, &head)?;
    }
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
        from = stream(open(path, once, &options.retries)?, packing, encoding.as_deref())?;
        head.clear();
        read_more(&mut from, &mut head, SAMPLE, path)?;
        at = 0;
    }
    let mut want = SAMPLE;
    let (delimiter, header) = loop {
        let at_end = head.len() < want;
        if at_end && head.last().is_some_and(|b| *b != b'\n') {
            head.push(b'\n');
        }
        if let Some(found) = find_header(&head, at, path, options) {
            break found;
        }
        if at_end {
            if head.len() > at
                && !head[at..].iter().all(|b| matches!(b, b'\n' | b'\r'))
                && options.skip_rows == 0
                && options.comment.is_none()
            {
                return Err(unclosed(path, &head[at..]));
            }
            break (options.delimiter.unwrap_or(b','), head.len()..head.len());
        }
        if options.memory.is_some_and(|m| want > m / HEADER_SHARE) {
            return Err(too_long(path, &mut from, &head, at, options));
        }
        want *= 2;
        let more = want - head.len();
        read_more(&mut from, &mut head, more, path)?;
    };
    let marks = marks(options, delimiter);
    let found = Header {
        head: &head,
        record: header.clone(),
        path,
        marks: &marks,
        options,
    };
    if options.header != Some(false) && options.names.is_none() {
        check_utf8(&head, header.clone(), path)?;
    }
    let data_start = match options.header {
        Some(false) => header.start,
        _ => header.end,
    };
    let mut ends = Vec::new();
    exact::scan(&head[data_start..], 0, &marks, &mut ends);
    let records_end = ends
        .iter()
        .rposition(|e| matches!(head[data_start + *e as usize], b'\n' | b'\r'))
        .map_or(data_start, |i| data_start + ends[i] as usize + 1);
    let mut names = found.names(data_start..records_end);
    if header.is_empty() {
        names
            .notes
            .push(Note::new("empty", format!("{} is empty", path.display())));
    }
    let mut begin = Counter::default();
    begin.pass(&head[..data_start]);
    let sample = head[data_start..records_end].to_vec();
    let size = handle.size()?.unwrap_or(flow::UNKNOWN);
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
        names: names.names,
        lines_before_header: names.lines_before_header,
    };
    Ok(Sniffed {
        info,
        begin,
        sample,
        notes: names.notes,
    })
}

fn unclosed(path: &Path, header: &[u8]) -> Error {
    Error::input("a quote in the header is never closed")
        .at(path, 1, 1)
        .excerpt(header)
        .help("close it, or use --quote none if quotes are plain characters here")
}

/// The error for a header that takes more memory than there is; if it is inside quotes that nothing closes, for that.
fn too_long(path: &Path, from: &mut dyn Read, head: &[u8], at: usize, options: &ReadOptions) -> Error {
    let mut walk = Walk::new(marks(options, options.delimiter.unwrap_or(b',')));
    if options.skip_rows == 0 && walk.goes_on(&head[at..]) && walk.is_inside() {
        let mut piece = Vec::new();
        loop {
            piece.clear();
            match read_more(from, &mut piece, SAMPLE, path) {
                Err(e) => return e,
                Ok(()) if piece.is_empty() => return unclosed(path, &head[at..]),
                Ok(()) if walk.goes_on(&piece) => {}
                Ok(()) => break,
            }
        }
    }
    Error::limit("the first row is longer than the memory limit allows")
        .at(path, 1, 1)
        .excerpt(&head[at..head.len().min(at + 201)])
        .help("give it more with --memory")
}

fn read_more(from: &mut dyn Read, to: &mut Vec<u8>, more: usize, path: &Path) -> Result<()> {
    from.take(more as u64)
        .read_to_end(to)
        .map_err(|e| read_error(path, &e))?;
    Ok(())
}

/// Delimiter and place of the header record, if `head` holds all of it.
fn find_header(head: &[u8], mut at: usize, path: &Path, options: &ReadOptions) -> Option<(u8, Range<usize>)> {
    for _ in 0..options.skip_rows {
        at = line_end(head, at)?;
    }
    let plain = marks(options, b',');
    loop {
        let rest = head.get(at..)?;
        match rest.first()? {
            b'\n' | b'\r' => at += 1,
            _ if plain.is_comment(rest) => at = line_end(head, at)?,
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
    Some((delimiter, at..at + *end as usize + 1))
}

/// Where the line after that at `at` begins. A CR that is the last byte ends nothing: its LF may come next.
fn line_end(head: &[u8], at: usize) -> Option<usize> {
    let end = at + memchr::memchr2(b'\n', b'\r', head.get(at..)?)?;
    match (head[end], head.get(end + 1)) {
        (b'\r', None) => None,
        (b'\r', Some(b'\n')) => Some(end + 2),
        _ => Some(end + 1),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_any_way() {
        let all = b"a\nb\r\nc\rd\r";
        let mut at = 0;
        let mut starts = vec![];
        while let Some(next) = line_end(all, at) {
            starts.push(next);
            at = next;
        }
        assert_eq!(starts, [2, 5, 7]);
    }

    #[test]
    fn delimiters() {
        let o = ReadOptions::default();
        assert_eq!(guess(b"a;b;\"c,d,e\"\n,,,,", Path::new("x.csv"), &o), b';');
        assert_eq!(guess(b"a,b\n", Path::new("x.tsv.gz"), &o), b'\t');
        assert_eq!(guess(b"a\n;;", Path::new("x.csv"), &o), b',');
    }
}
