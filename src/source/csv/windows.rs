//! The records of a partition, window by window.
//!
//! ```text
//!  file   ...|·········partition·········|...   read in pieces that stay in the second-level cache
//!  buffer    ~~[ window ]~  ~[ window ]~~►      a window holds whole records and their field ends;
//!            └ the record before's              the last record is read on past the partition's end
//! ```
//!
//! A partition owns the records that *start* in it. What is left of an open record moves to the front
//! of the buffer, or of the next one if text views share it.
//!
//! Where a partition's first record starts hangs on whether the partition begins inside quotes, and
//! that on all quotes before it, which other tasks are reading meanwhile. Unless it is known by then it
//! is guessed from the record's look, and the guess is checked before the run is over
//! ([`super::chain`]); one wrong guess, and the query is run again without guesses.

use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow::buffer::Buffer;

use super::exact::{self, Marks};
use super::file::{CsvFile, Handle, read_error, stream};
use super::flow::{Flow, Piece};
use super::rows;
use super::starts::{first_record, guess};
use super::walk::Walk;
use crate::error::{Error, Kind, Result};
use crate::kernel::parse::Text;
use crate::kernel::scan::{self, Dialect};
use crate::memory::{Live, Reservation, Waits};

/// Bytes read and scanned at once: they and their field ends stay in the second-level cache.
pub(super) const WINDOW: usize = 256 << 10;
/// Where records are long, a window is to hold so many; but it takes at most so many bytes.
const WINDOW_RECORDS: u64 = 1024;
pub(super) const MOST_WINDOW: usize = 1 << 20;
/// Bytes of a window where records take so many on average; 0: unknown.
pub(super) fn window_bytes(record_bytes: u64) -> usize {
    let wanted = usize::try_from(record_bytes.saturating_mul(WINDOW_RECORDS)).unwrap_or(MOST_WINDOW);
    wanted.clamp(WINDOW, MOST_WINDOW)
}

/// Bytes read at once from a stream, and first past a partition's end.
pub(super) const STREAM: usize = 1 << 20;
const TAIL: usize = 16 << 10;
/// The same where partitions are tiny.
const TINY_TAIL: usize = 512;

/// What a buffer and its field ends take as a rule: it is counted, and taken in any case. Only a longer record
/// needs more, and that must be granted before it is read.
const USUAL_BYTES: usize = 2 * MOST_WINDOW;

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
        // room for what the next record leaves over, so that the buffer serves again
        Vec::with_capacity((at_least + at_least / 8).next_multiple_of(64 << 10))
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
    /// As it comes: what is there is read, and more is waited for only where nothing is.
    Live(Box<dyn Read + Send>, Arc<Live>),
    /// What others read as well.
    Shared(Arc<Flow>, usize),
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
    pub pos: usize,
    /// Records that start here or later belong to another partition.
    end: u64,
    at_end: bool,
    exact: bool,
    /// Bytes read and scanned at once.
    window: usize,
    /// The partition whose quotes are counted while it is read, and their number so far.
    quotes: Option<(usize, usize)>,
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
    /// Fields of the window with text after their closing quote, as offsets in the buffer.
    pub joined: Vec<u32>,
    /// The memory of the buffer and the field ends.
    held: Option<Reservation>,
    /// No more than the partition's own bytes are read, which are taken in any case.
    within_block: bool,
    /// Bytes taken from the file since last asked.
    pub bytes_read: u64,
    /// What ends the wait for an input that comes.
    pub waits: Waits,
    record_bytes: u64,
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.give_back();
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
        let input = if file.info.streamed() || file.live().is_some() {
            let mut from = stream(handle, file.info.packing, file.info.encoding.as_deref())?;
            let skipped = std::io::copy(&mut (&mut from).take(start), &mut std::io::sink())
                .map_err(|e| read_error(&file.info.path, &e))?;
            debug_assert!(skipped <= start);
            match file.live() {
                Some(live) => Input::Live(from, live.clone()),
                None => Input::Stream(from),
            }
        } else {
            Input::File(handle)
        };
        Ok(Self::with(file, pool, (start, end), input))
    }

    fn with(
        file: &Arc<CsvFile>,
        pool: Option<&Arc<Pool>>,
        (start, end): (u64, u64),
        input: Input,
    ) -> Windows {
        Windows {
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
            window: WINDOW,
            quotes: None,
            ends: pool.map_or_else(Vec::new, |p| p.ends()),
            first: 0,
            records: 0,
            non_ascii: false,
            saw_irregular: false,
            joined: Vec::new(),
            held: file.budget().map(|b| b.reservation("reading CSV")),
            within_block: false,
            bytes_read: 0,
            waits: Waits::default(),
            record_bytes: 0,
        }
    }

    /// All records of an input that is read as it comes, for a flow.
    pub(super) fn live(file: &Arc<CsvFile>, record_bytes: u64, pool: &Arc<Pool>) -> Result<Self> {
        let mut own = Self::new(file, Some(pool), file.bound(0), u64::MAX)?;
        own.exact = file.is_irregular();
        own.window = window_bytes(record_bytes);
        Ok(own)
    }

    /// The records of a partition of such an input.
    pub(super) fn shared(
        file: &Arc<CsvFile>,
        flow: &Arc<Flow>,
        part: usize,
        record_bytes: u64,
        pool: &Arc<Pool>,
    ) -> Self {
        let range = (file.bound(part), file.bound(part + 1));
        let input = Input::Shared(flow.clone(), part);
        let mut own = Self::with(file, Some(pool), range, input);
        own.record_bytes = record_bytes;
        own
    }

    /// What the window has, for the task whose it is.
    pub(super) fn lend(&mut self) -> Piece {
        Piece {
            data: self.data.clone(),
            base: self.base,
            first: self.first,
            pos: self.pos,
            ends: std::mem::take(&mut self.ends),
            records: self.records,
            non_ascii: self.non_ascii,
            irregular: self.saw_irregular,
            joined: std::mem::take(&mut self.joined),
            bytes_read: std::mem::take(&mut self.bytes_read),
        }
    }

    /// Takes the next records of its partition that whoever reads has found.
    fn borrow(&mut self) -> Result<bool> {
        let (Input::Shared(flow, part), Some(pool)) = (&self.input, &self.pool) else {
            return Err(Error::defect("nobody shares this input"));
        };
        let taken = flow.take(&self.file, pool, self.record_bytes, *part, &self.waits)?;
        self.give_back();
        let Some(piece) = taken else { return Ok(false) };
        if let Some(pool) = &self.pool {
            pool.give(std::mem::replace(&mut self.data, piece.data));
            pool.give_ends(std::mem::replace(&mut self.ends, piece.ends));
        }
        (self.base, self.first, self.pos, self.filled) = (piece.base, piece.first, piece.pos, piece.pos);
        (self.records, self.non_ascii, self.joined) = (piece.records, piece.non_ascii, piece.joined);
        self.saw_irregular |= piece.irregular;
        self.bytes_read += piece.bytes_read;
        let bytes = self.data.len() + 4 * self.ends.capacity();
        if let Some(held) = &mut self.held {
            held.resize_anyway(bytes);
        }
        Ok(true)
    }

    /// Is done with what it has of others.
    fn give_back(&mut self) {
        if matches!(self.input, Input::Shared(..)) && self.records > 0 {
            self.file.lines.give_back(self.base + self.first as u64);
        }
    }

    /// All records of a file, by the exact reader.
    pub(crate) fn whole(file: &Arc<CsvFile>) -> Result<Self> {
        let mut all = Self::new(file, None, file.bound(0), u64::MAX)?;
        all.exact = true;
        Ok(all)
    }

    /// The records of partition `part` of the file; they take `record_bytes` on average, if that is known.
    /// Where it is read `alone`, nobody would check a guess, and none is made.
    pub(crate) fn partition(
        file: &Arc<CsvFile>,
        part: usize,
        alone: bool,
        record_bytes: u64,
        pool: &Arc<Pool>,
    ) -> Result<Self> {
        // asked once: another task may find out meanwhile
        let exact = file.is_irregular();
        let (start, end) = match exact && file.parts() > 1 {
            true => {
                let starts = file.exact_starts()?;
                (starts[part], starts[part + 1])
            }
            false => (file.bound(part), file.bound(part + 1)),
        };
        // the byte before tells whether a record starts at once
        let one_of_many = file.parts() > 1 && !exact;
        let from = start - u64::from(one_of_many && part > 0);
        let mut own = Self::new(file, Some(pool), from, end)?;
        own.exact = exact;
        own.window = window_bytes(record_bytes);
        if one_of_many && file.marks.quote.is_some() {
            own.quotes = Some((part, 0));
        }
        if one_of_many && part > 0 {
            own.within_block = true;
            own.find_start(part, alone || !file.guesses())?;
            own.within_block = false;
        }
        Ok(own)
    }

    /// Finds the partition's first record.
    fn find_start(&mut self, part: usize, certainly: bool) -> Result<()> {
        let file = self.file.clone();
        // without quotes there is nothing to guess
        let quote = file.marks.quote;
        let mut known = quote.map_or(Some(false), |_| file.chain().known(part));
        if let (None, true, Some(quote), Input::File(handle)) = (known, certainly, quote, &self.input) {
            let count = |p| count_quotes(&file, handle, p, quote);
            known = Some(file.chain().inside(part, count)?);
        }
        let mut more = self.window;
        loop {
            more = more.min(self.left());
            self.fill(more)?;
            let bytes = &self.data[..self.filled];
            let all = self.left() == 0;
            let start = match (known, quote) {
                (None, Some(quote)) => {
                    let (start, inside) = guess(bytes, quote, file.marks.delimiter, file.info.names.len());
                    if start < self.filled || all {
                        file.judge(file.chain().claim(part, inside))?;
                    }
                    start
                }
                (inside, _) => first_record(bytes, inside.unwrap_or_default(), quote),
            };
            // a record that starts where the bytes end may as well be the LF of a CR
            if start < self.filled || all {
                self.pos = start;
                return self.passed(1..start, true); // the byte before the partition is not its own
            }
            more = self.filled;
        }
    }

    /// Counts the quotes of bytes that are done with, if `any` are there, and publishes the partition's number
    /// once it has all of them.
    fn passed(&mut self, bytes: Range<usize>, any: bool) -> Result<()> {
        let (Some((part, quotes)), Some(quote)) = (&mut self.quotes, self.file.marks.quote) else {
            return Ok(());
        };
        let own = usize::try_from(self.end - self.base).map_or(bytes.end, |end| bytes.end.min(end));
        if any {
            *quotes += scan::count_byte(self.data.get(bytes.start..own).unwrap_or_default(), quote);
        }
        if self.base + (self.pos as u64) < self.end {
            return Ok(());
        }
        let holds = self.file.chain().publish(*part, *quotes);
        self.quotes = None;
        self.file.judge(holds)
    }

    /// Bytes of the partition that are not read yet.
    fn left(&self) -> usize {
        let left = self.end.saturating_sub(self.base + self.filled as u64);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Reads about `more` bytes; what lies before `pos` is let go.
    fn fill(&mut self, more: usize) -> Result<()> {
        let kept = self.filled - self.pos;
        let need = kept + more + 1;
        self.hold(need)?;
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
        if vec.len() < need {
            vec.reserve_exact(need - vec.len());
            vec.resize(need, 0);
        }
        self.base += self.pos as u64;
        self.pos = 0;
        let to = &mut vec[kept..kept + more];
        let at = self.base + kept as u64;
        let mut over = None;
        let n = match &mut self.input {
            Input::File(handle) => handle.read_at(to, at),
            Input::Stream(from) => read_full(from, to),
            Input::Live(from, live) => read_live(from, live, to, kept).map(|(n, ended)| {
                over = Some(ended);
                n
            }),
            Input::Shared(..) => Ok(0),
        };
        let n = n.map_err(|e| read_error(&self.file.info.path, &e))?;
        if let (Input::File(_), true) = (&self.input, n < more) {
            self.file.check_end(at + n as u64)?;
        }
        self.filled = kept + n;
        self.bytes_read += n as u64;
        if over.unwrap_or(n < more) {
            self.at_end = true;
            if self.filled > 0 && vec[self.filled - 1] != b'\n' {
                vec[self.filled] = b'\n'; // so that the last record ends like all others
                self.filled += 1;
            }
        }
        self.data = Buffer::from_vec(vec);
        self.settle();
        Ok(())
    }

    /// Asks for the memory of a buffer of so many bytes and its field ends: what is more than the usual must be
    /// granted, and what was the usual is counted only.
    fn hold(&mut self, bytes: usize) -> Result<()> {
        if bytes > u32::MAX as usize {
            return Err(self
                .file
                .error_at("a row is longer than 4 GiB", self.base + self.pos as u64));
        }
        // the old buffer is there until the new one is filled; field ends are as many as they were so far
        let buffers = match bytes.checked_sub(self.data.len()) {
            Some(1..) => bytes + self.data.len(),
            _ => self.data.len(),
        };
        let dense = match self.records {
            0 => self.ends.len() as u64 * bytes as u64 / (self.filled - self.pos).max(1) as u64,
            _ => 0,
        };
        let all = buffers + 4 * self.ends.capacity().max(dense as usize);
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        if all <= USUAL_BYTES || self.within_block {
            held.resize_anyway(all);
            return Ok(());
        }
        held.try_resize(all.max(held.bytes()))
            .map_err(|e| self.too_long(&e))
    }

    /// Holds no more than what is there after all.
    fn settle(&mut self) {
        let all = self.data.len() + 4 * self.ends.capacity();
        if let Some(held) = &mut self.held
            && all < held.bytes()
        {
            held.resize_anyway(all);
        }
    }

    /// The error for a record that the memory does not hold. If it is inside quotes that nothing closes, that is
    /// what is wrong with it.
    fn too_long(&mut self, refusal: &Error) -> Error {
        let marks = self.file.marks;
        let record = self.base + self.pos as u64;
        let open = self.data.get(self.pos..self.filled).unwrap_or_default();
        let mut walk = Walk::new(marks);
        if walk.goes_on(open) && walk.is_inside() {
            let (excerpt, mut at) = (open[walk.opened()..].to_vec(), self.base + self.filled as u64);
            let opened = record + walk.opened() as u64;
            let mut piece = vec![0; WINDOW];
            loop {
                let n = match &mut self.input {
                    Input::File(handle) => handle.read_at(&mut piece, at),
                    Input::Stream(from) | Input::Live(from, _) => read_full(from, &mut piece),
                    Input::Shared(..) => Ok(0),
                };
                match n {
                    Ok(0) => return unclosed(&self.file, opened, &excerpt),
                    Ok(n) if walk.goes_on(&piece[..n]) => at += n as u64,
                    Ok(_) => break,
                    Err(e) => return read_error(&self.file.info.path, &e),
                }
            }
        }
        let (line, column) = self.file.line_column(record);
        Error::limit(format!(
            "a row is longer than the memory limit allows: {}",
            refusal.what()
        ))
        .at(&self.file.info.path, line, column)
        .excerpt(&open[..open.len().min(201)])
        .help("give it more with --memory, or use --quote none if quotes are plain characters here")
    }

    /// Goes to the next window; false when there are no more records.
    ///
    /// # Errors
    /// `Input` for a quote that is never closed, `Limit` for a record that the memory does not hold, `Replan`
    /// when quotes turn out irregular in a file of several partitions.
    pub(crate) fn next(&mut self) -> Result<bool> {
        if let Input::Shared(..) = self.input {
            return self.borrow();
        }
        let mut window = self.window;
        let live = matches!(self.input, Input::Live(..));
        let mut tail = if live {
            self.window
        } else if self.file.info.streamed() || self.end == u64::MAX {
            STREAM
        } else {
            (4 * self.filled).clamp(TINY_TAIL, TAIL)
        };
        let mut past_end = false;
        loop {
            if self.base + self.pos as u64 >= self.end {
                return Ok(false);
            }
            // what the record before left over is no window of its own
            let all = self.filled - self.pos <= window + window / 4;
            let stop = if all { self.filled } else { self.pos + window };
            if self.pos < stop {
                let seen = self.scan(self.pos, stop)?;
                self.records = seen.newlines;
                if self.records > 0 {
                    self.first = self.pos;
                    self.non_ascii = seen.non_ascii;
                    self.close(past_end);
                    self.passed(self.first..self.pos, seen.quotes)?;
                    return Ok(true);
                }
                if stop < self.filled {
                    window *= 2;
                    continue;
                }
                if self.at_end && !seen.inside {
                    self.end_last(); // an escaped newline is its last byte
                    continue;
                }
                if self.at_end {
                    return Err(self.unclosed(self.base + self.pos as u64));
                }
            } else if self.at_end {
                return Ok(false);
            }
            let open = self.filled - self.pos;
            window = self.window.max(2 * open);
            let left = if self.end == u64::MAX { 0 } else { self.left() };
            if left > 0 {
                // a long record is scanned again each time, so that each time it must grow well
                self.fill(self.window.max(open).min(left))?;
                continue;
            }
            past_end = self.end != u64::MAX;
            self.fill(tail)?;
            tail = match live {
                // what comes is little at a time
                true => self.window.max(self.filled - self.pos),
                false => tail * 2,
            };
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
        self.joined.clear();
        if self.exact && self.saw_irregular {
            self.find_joined();
        }
    }

    /// Lists the window's fields that have text after their closing quote.
    #[cold]
    fn find_joined(&mut self) {
        let (marks, mut start) = (self.file.marks, self.first as u32);
        for &end in &self.ends {
            let (from, to) = marks.trimmed(&self.data, rows::span(&self.data, start, end));
            if marks.has_joined_text(&self.data[from as usize..to as usize]) {
                self.joined.push(from);
            }
            start = end + 1;
        }
    }

    /// Puts a line end behind the last record of the file, where it has one but an escape takes it away.
    #[cold]
    fn end_last(&mut self) {
        let mut bytes = self.data[..self.filled].to_vec();
        bytes.push(b'\n');
        self.filled = bytes.len();
        self.data = Buffer::from_vec(bytes);
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
            if self.file.is_cut_by_tasks() {
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
        unclosed(
            &self.file,
            record + open as u64,
            bytes.get(open..).unwrap_or_default(),
        )
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

/// The error for a quote that opens at a place of the file and is never closed.
fn unclosed(file: &CsvFile, open: u64, text: &[u8]) -> Error {
    file.error_at("a quote is never closed", open)
        .excerpt(text)
        .help("close it, or use --quote none if quotes are plain characters here")
}

/// The structural scan of the common dialects.
fn fast_scan(bytes: &[u8], base: u32, marks: &Marks, ends: &mut Vec<u32>) -> exact::Seen {
    if marks.are_rare() {
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
        quotes: seen.quotes > 0,
    }
}

/// The number of quotes in a partition that nobody has read.
pub(super) fn count_quotes(file: &CsvFile, handle: &Handle, part: usize, quote: u8) -> Result<usize> {
    let (mut at, end) = (file.bound(part), file.bound(part + 1));
    let mut buf = vec![0; ((end - at) as usize).min(WINDOW)];
    let mut quotes = 0;
    while at < end {
        let most = buf.len().min((end - at) as usize);
        let n = handle
            .read_at(&mut buf[..most], at)
            .map_err(|e| read_error(&file.info.path, &e))?;
        if n == 0 {
            file.check_end(at)?;
            break;
        }
        quotes += scan::count_byte(&buf[..n], quote);
        at += n as u64;
    }
    Ok(quotes)
}

/// Reads what is there of a live input, and at least one byte, or as many as there are `already`: a long record is
/// scanned again each time. Also whether it is over.
fn read_live(
    from: &mut dyn Read,
    live: &Live,
    buf: &mut [u8],
    already: usize,
) -> std::io::Result<(usize, bool)> {
    let (mut done, enough) = (0, if already > WINDOW { already } else { 1 });
    while done < buf.len() {
        match from.read(&mut buf[done..]) {
            Ok(0) => return Ok((done, true)),
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if done >= enough && live.is_idle() {
            break;
        }
    }
    Ok((done, false))
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

/// Where the quote opens that swallows the rest of a record.
fn open_quote(bytes: &[u8], marks: &Marks) -> usize {
    let mut ends = Vec::new();
    exact::scan(bytes, 0, marks, &mut ends);
    ends.last().map_or(0, |e| *e as usize + 1)
}
