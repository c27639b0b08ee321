//! The records of a partition, window by window.
//!
//! ```text
//!  file   ...|·····partition·····|...      read once into a buffer that text views may share
//!  buffer    ~~[ window ][ window ]~~►     a window holds whole records and their field ends;
//!            └ the record before's         the last record is read on past the partition's end
//! ```
//!
//! A partition owns the records that *start* in it. A streamed file (packed, transcoded) is one
//! partition, whose buffer is refilled; what is left of an open record moves to its front.

use std::io::Read;
use std::sync::{Arc, Mutex};

use arrow::buffer::Buffer;

use super::exact::{self, Marks};
use super::file::{CsvFile, Handle, read_error, stream};
use crate::error::{Error, Kind, Result};
use crate::kernel::parse::Text;
use crate::kernel::scan::{self, Dialect};

/// Bytes scanned at once: their field ends stay in the second-level cache.
pub(super) const WINDOW: usize = 256 << 10;
/// Bytes read at once from a file: their quotes are counted while they are in the second-level cache.
const PIECE: usize = 256 << 10;
/// Bytes read at once from a stream, and first past a partition's end.
pub(super) const STREAM: usize = 1 << 20;
const TAIL: usize = 16 << 10;
/// The same where partitions are tiny.
const TINY_TAIL: usize = 512;

/// Buffers that are free again once nobody's views share them; fresh memory costs page faults.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    buffers: Mutex<Vec<Buffer>>,
    /// Room for field ends, one for each partition that is read at a time: grown from nothing it
    /// would be copied many times over for each partition.
    ends: Mutex<Vec<Vec<u32>>>,
    /// The file of several partitions that was opened last.
    last: Mutex<Option<(Arc<CsvFile>, Handle)>>,
}

impl Pool {
    /// Most buffers kept; more means that somebody collects views, and they are not coming back.
    const KEEP: usize = 64;

    fn take(&self, at_least: usize) -> Vec<u8> {
        if let Ok(mut all) = self.buffers.lock() {
            for i in (0..all.len()).rev() {
                match all.swap_remove(i).into_vec::<u8>() {
                    Ok(vec) if vec.capacity() >= at_least => return vec,
                    Ok(_) => {}
                    Err(shared) => all.push(shared),
                }
            }
        }
        Vec::with_capacity(at_least)
    }

    /// An open file: for tiny partitions opening it again would be most of the work.
    fn handle(&self, file: &Arc<CsvFile>) -> Result<Handle> {
        if let Ok(last) = self.last.lock()
            && let Some((whose, open)) = &*last
            && Arc::ptr_eq(whose, file)
        {
            return Ok(open.clone());
        }
        let open = file.handle()?;
        if let Ok(mut last) = self.last.lock() {
            *last = Some((file.clone(), open.clone()));
        }
        Ok(open)
    }

    fn ends(&self) -> Vec<u32> {
        self.ends
            .lock()
            .ok()
            .and_then(|mut all| all.pop())
            .unwrap_or_default()
    }

    fn give_ends(&self, mut ends: Vec<u32>) {
        ends.clear();
        if let Ok(mut all) = self.ends.lock()
            && all.len() < Self::KEEP
        {
            all.push(ends);
        }
    }

    fn give(&self, buffer: Buffer) {
        if let Ok(mut all) = self.buffers.lock()
            && all.len() < Self::KEEP
        {
            all.push(buffer);
        }
    }
}

enum Input {
    File(Handle),
    Stream(Box<dyn Read + Send>),
}

/// Reads the records that start in one byte range.
pub(crate) struct Windows {
    file: Arc<CsvFile>,
    input: Input,
    pool: Option<Arc<Pool>>,
    /// The buffer, its offset in the decoded file, and its part that was read.
    pub data: Buffer,
    pub base: u64,
    filled: usize,
    /// The next record.
    pos: usize,
    /// Records that start here or later belong to another partition.
    end: u64,
    at_end: bool,
    exact: bool,
    /// Quotes among all bytes read so far, if anyone will ask for them.
    quotes: Option<usize>,
    /// Field ends of the window's whole records, as offsets in the buffer.
    pub ends: Vec<u32>,
    /// Where the window's first record begins.
    pub first: usize,
    /// The number of records in the window.
    pub records: usize,
    /// Whether the window has a byte above 127.
    pub non_ascii: bool,
    /// Whether the exact reader met a quote where none should be.
    pub saw_irregular: bool,
    /// Bytes taken from the file since last asked.
    pub bytes_read: u64,
}

impl Drop for Windows {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.give(std::mem::replace(
                &mut self.data,
                Buffer::from_vec(Vec::<u8>::new()),
            ));
            pool.give_ends(std::mem::take(&mut self.ends));
        }
    }
}

impl Windows {
    fn new(file: &Arc<CsvFile>, pool: Option<&Arc<Pool>>, start: u64, end: u64) -> Result<Self> {
        let handle = match pool {
            Some(pool) if file.parts() > 1 => pool.handle(file)?,
            _ => file.handle()?,
        };
        let input = if file.info.streamed() {
            let mut from = stream(handle, file.info.packing, file.info.encoding.as_deref())?;
            let skipped = std::io::copy(&mut (&mut from).take(start), &mut std::io::sink())
                .map_err(|e| read_error(&file.info.path, &e))?;
            debug_assert!(skipped <= start);
            Input::Stream(from)
        } else {
            Input::File(handle)
        };
        Ok(Windows {
            file: file.clone(),
            input,
            pool: pool.cloned(),
            data: Buffer::from_vec(Vec::<u8>::new()),
            base: start,
            filled: 0,
            pos: 0,
            end,
            at_end: false,
            exact: false,
            quotes: None,
            ends: pool.map_or_else(Vec::new, |p| p.ends()),
            first: 0,
            records: 0,
            non_ascii: false,
            saw_irregular: false,
            bytes_read: 0,
        })
    }

    /// All records of a file, by the exact reader.
    pub(crate) fn whole(file: &Arc<CsvFile>) -> Result<Self> {
        let mut all = Self::new(file, None, file.bound(0), u64::MAX)?;
        all.exact = true;
        Ok(all)
    }

    /// The records of partition `part` of the file.
    pub(crate) fn partition(file: &Arc<CsvFile>, part: usize, pool: &Arc<Pool>) -> Result<Self> {
        if file.is_irregular() && file.parts() > 1 {
            let starts = file.exact_starts()?;
            let mut own = Self::new(file, Some(pool), starts[part], starts[part + 1])?;
            own.exact = true;
            own.fill((own.end - own.base) as usize)?;
            return Ok(own);
        }
        let (start, end) = (file.bound(part), file.bound(part + 1));
        let mut own = Self::new(file, Some(pool), start.saturating_sub(u64::from(part > 0)), end)?;
        own.exact = file.is_irregular();
        own.quotes = (file.parts() > 1).then_some(0);
        if !file.info.streamed() {
            own.fill((end - own.base) as usize)?;
        }
        if file.parts() > 1 {
            own.find_start(part, start)?;
        }
        Ok(own)
    }

    /// Publishes the partition's quote parity and finds its first record.
    fn find_start(&mut self, part: usize, start: u64) -> Result<()> {
        let mut inside = false;
        if let Some(quote) = self.file.marks.quote {
            // the byte before the partition was read, too
            let before = start > self.base && self.data[0] == quote;
            let quotes = self.quotes.take().unwrap_or_default() - usize::from(before);
            self.file.chain().publish(part, quotes);
            inside = self.file.chain().inside(part, |p| self.count_quotes(p, quote))?;
        }
        if part > 0 {
            let from = (start - self.base) as usize;
            let before = self.data[from - 1];
            self.pos = first_record(
                &self.data[..self.filled],
                from,
                before,
                inside,
                self.file.marks.quote,
            );
        }
        Ok(())
    }

    fn count_quotes(&self, part: usize, quote: u8) -> Result<usize> {
        let (mut at, end) = (self.file.bound(part), self.file.bound(part + 1));
        let mut buf = vec![0; ((end - at) as usize).min(STREAM)];
        let mut quotes = 0;
        while let (true, Input::File(handle)) = (at < end, &self.input) {
            let most = buf.len().min((end - at) as usize);
            let n = handle
                .read_at(&mut buf[..most], at)
                .map_err(|e| read_error(&self.file.info.path, &e))?;
            if n == 0 {
                self.file.check_end(at)?;
                break;
            }
            quotes += count_byte(&buf[..n], quote);
            at += n as u64;
        }
        Ok(quotes)
    }

    /// Reads about `more` bytes; what lies before `pos` is let go.
    fn fill(&mut self, more: usize) -> Result<()> {
        let kept = self.filled - self.pos;
        let need = kept + more + 1;
        let old = std::mem::replace(&mut self.data, Buffer::from_vec(Vec::<u8>::new()));
        let mut vec = match old.into_vec::<u8>() {
            Ok(mut vec) => {
                vec.copy_within(self.pos..self.filled, 0);
                vec
            }
            Err(shared) => {
                let mut vec = self.pool.as_ref().map_or_else(Vec::new, |p| p.take(need));
                if vec.len() < kept {
                    vec.resize(kept, 0);
                }
                vec[..kept].copy_from_slice(&shared[self.pos..self.filled]);
                if let Some(pool) = &self.pool {
                    pool.give(shared);
                }
                vec
            }
        };
        if vec.capacity() == 0 {
            vec = self.pool.as_ref().map_or_else(Vec::new, |p| p.take(need));
        }
        if need > u32::MAX as usize {
            return Err(self
                .file
                .error_at("a row is longer than 4 GiB", self.base + self.pos as u64));
        }
        if vec.len() < need {
            vec.resize(need, 0);
        }
        self.base += self.pos as u64;
        self.pos = 0;
        let to = &mut vec[kept..kept + more];
        let n = match &mut self.input {
            Input::File(handle) => {
                let quote = self.file.marks.quote;
                let counted = self.quotes.as_mut().and_then(|count| quote.map(|q| (count, q)));
                read_pieces(handle, to, self.base + kept as u64, counted)
            }
            Input::Stream(from) => read_full(from, to),
        };
        let n = n.map_err(|e| read_error(&self.file.info.path, &e))?;
        if let (Input::File(_), true) = (&self.input, n < more) {
            self.file.check_end(self.base + (kept + n) as u64)?;
        }
        self.filled = kept + n;
        self.bytes_read += n as u64;
        if n < more {
            self.at_end = true;
            if self.filled > 0 && vec[self.filled - 1] != b'\n' {
                vec[self.filled] = b'\n'; // so that the last record ends like all others
                self.filled += 1;
            }
        }
        self.data = Buffer::from_vec(vec);
        Ok(())
    }

    /// Goes to the next window; false when there are no more records.
    ///
    /// # Errors
    /// `Input` for a quote that is never closed, `Replan` when quotes turn out irregular in a
    /// file of several partitions.
    pub(crate) fn next(&mut self) -> Result<bool> {
        let mut window = WINDOW;
        let mut more = if self.file.info.streamed() || self.end == u64::MAX {
            STREAM
        } else {
            (4 * self.filled).clamp(TINY_TAIL, TAIL)
        };
        let mut past_end = false;
        loop {
            if self.base + self.pos as u64 >= self.end {
                return Ok(false);
            }
            let stop = self.filled.min(self.pos.saturating_add(window));
            if self.pos < stop {
                let seen = self.scan(self.pos, stop)?;
                self.records = seen.newlines;
                if self.records > 0 {
                    self.first = self.pos;
                    self.non_ascii = seen.non_ascii;
                    self.close(past_end);
                    return Ok(true);
                }
                if stop < self.filled {
                    window *= 2;
                    continue;
                }
                if self.at_end {
                    return Err(self.unclosed(self.base + self.pos as u64));
                }
            } else if self.at_end {
                return Ok(false);
            }
            past_end = self.end != u64::MAX && self.base + self.filled as u64 >= self.end;
            window = WINDOW.max(2 * (self.filled - self.pos));
            self.fill(more)?;
            more *= 2;
        }
    }

    /// Cuts the window after its last whole record, or after its first if it was read past the end.
    fn close(&mut self, past_end: bool) {
        let newline = |e: &u32| matches!(self.data[*e as usize], b'\n' | b'\r');
        let last = if past_end {
            self.records = 1;
            self.ends.iter().position(newline)
        } else {
            self.ends.iter().rposition(newline)
        };
        self.ends.truncate(last.map_or(0, |i| i + 1));
        self.pos = self.ends.last().map_or(self.pos, |e| *e as usize + 1);
    }

    fn scan(&mut self, from: usize, to: usize) -> Result<exact::Seen> {
        self.ends.clear();
        let bytes = &self.data[from..to];
        if !self.exact {
            let seen = fast_scan(bytes, from as u32, &self.file.marks, &mut self.ends);
            if !seen.irregular {
                return Ok(seen);
            }
            self.file.set_irregular();
            if self.file.parts() > 1 {
                return Err(Error::new(Kind::Replan, "quotes within fields"));
            }
            self.exact = true;
            self.ends.clear();
        }
        let seen = exact::scan(bytes, from as u32, &self.file.marks, &mut self.ends);
        self.saw_irregular |= seen.irregular;
        Ok(seen)
    }

    /// The error for a quote that is never closed, in the record at `record`.
    fn unclosed(&self, record: u64) -> Error {
        let from = (record - self.base) as usize;
        let bytes = &self.data[from..self.filled];
        let open = open_quote(bytes, &self.file.marks);
        self.file
            .error_at("a quote is never closed", record + open as u64)
            .excerpt(bytes.get(open..).unwrap_or_default())
            .help("close it, or use --quote none if quotes are plain characters here")
    }

    /// What is known of the window's text.
    pub(crate) fn text(&self) -> Text {
        let marks = &self.file.marks;
        match (self.non_ascii, marks.delimiter, marks.quote.unwrap_or_default()) {
            (false, ..) => Text::Ascii,
            (true, 0..=127, 0..=127) => Text::Marked,
            _ => Text::Unknown,
        }
    }

    /// The file offsets of the window's records.
    pub(crate) fn record_starts(&self) -> impl Iterator<Item = u64> + '_ {
        let later = self
            .ends
            .iter()
            .filter(|e| matches!(self.data[**e as usize], b'\n' | b'\r'));
        let all = std::iter::once(self.first as u64).chain(later.map(|e| u64::from(*e) + 1));
        all.take(self.records).map(|at| self.base + at)
    }
}

/// The structural scan without escapes and comments.
fn fast_scan(bytes: &[u8], base: u32, marks: &Marks, ends: &mut Vec<u32>) -> exact::Seen {
    if marks.escape.is_some() || marks.comment.is_some() {
        return exact::scan(bytes, base, marks, ends);
    }
    let dialect = Dialect {
        delimiter: marks.delimiter,
        quote: marks.quote,
    };
    let seen = scan::scan(bytes, base, &dialect, false, ends);
    exact::Seen {
        inside: seen.inside,
        newlines: seen.newlines,
        irregular: seen.irregular,
        non_ascii: seen.non_ascii,
    }
}

/// How often `byte` occurs.
fn count_byte(bytes: &[u8], byte: u8) -> usize {
    scan::count_byte(bytes, byte)
}

/// Reads from a place of a file, and counts quotes if asked to.
fn read_pieces(
    handle: &Handle,
    to: &mut [u8],
    at: u64,
    mut counted: Option<(&mut usize, u8)>,
) -> std::io::Result<usize> {
    let mut done = 0;
    for piece in to.chunks_mut(PIECE) {
        let n = handle.read_at(piece, at + done as u64)?;
        if let Some((count, quote)) = &mut counted {
            **count += count_byte(&piece[..n], *quote);
        }
        done += n;
        if n < piece.len() {
            break;
        }
    }
    Ok(done)
}

fn read_full(from: &mut dyn Read, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match from.read(&mut buf[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Where the first record at or after `from` begins; the length of `bytes` if there is none.
fn first_record(bytes: &[u8], from: usize, before: u8, mut inside: bool, quote: Option<u8>) -> usize {
    if !inside && before == b'\n' {
        return from;
    }
    if !inside && before == b'\r' {
        return from + usize::from(bytes.get(from) == Some(&b'\n'));
    }
    for i in from..bytes.len() {
        let b = bytes[i];
        if Some(b) == quote {
            inside = !inside;
        } else if !inside && (b == b'\n' || b == b'\r') {
            return i + 1 + usize::from(b == b'\r' && bytes.get(i + 1) == Some(&b'\n'));
        }
    }
    bytes.len()
}

/// Where the quote opens that swallows the rest of a record.
fn open_quote(bytes: &[u8], marks: &Marks) -> usize {
    let mut ends = Vec::new();
    exact::scan(bytes, 0, marks, &mut ends);
    ends.last().map_or(0, |e| *e as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_begin_after_line_ends_outside_quotes() {
        let text = b"a\r\nb,\"x\ny\"\nc\n";
        let q = Some(b'"');
        assert_eq!(first_record(text, 2, b'\r', false, q), 3);
        assert_eq!(first_record(text, 3, b'\n', false, q), 3);
        assert_eq!(first_record(text, 1, b'a', false, q), 3);
        assert_eq!(first_record(text, 4, b'b', false, q), 11);
        assert_eq!(first_record(text, 8, b'\n', true, q), 11);
        assert_eq!(first_record(text, 12, b'c', false, q), 13);
    }
}
