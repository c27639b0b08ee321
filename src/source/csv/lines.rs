//! Lines of an input that is not kept: counted as it comes, and told for what readers hold of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::buffer::Buffer;

/// Places that stay known when nobody holds them any more: those that notes tell when all is read.
const REMEMBERED: usize = 64;
/// Bytes that stay known of each.
const EXCERPT: usize = 4096;

/// Counts lines; of a CRLF only the LF ends one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    line: u64,
    /// The offset of the line's first byte.
    start: u64,
    /// The offset that comes next.
    at: u64,
    /// The last line end was a CR.
    cr: bool,
}

impl Default for Counter {
    fn default() -> Self {
        Counter {
            line: 1,
            start: 0,
            at: 0,
            cr: false,
        }
    }
}

impl Counter {
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        if !self.cr && memchr::memchr(b'\r', bytes).is_none() {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            if let Some(last) = memchr::memrchr(b'\n', bytes) {
                self.start = self.at + last as u64 + 1;
            }
        } else {
            for i in memchr::memchr2_iter(b'\n', b'\r', bytes) {
                let end = self.at + i as u64;
                let crlf = bytes[i] == b'\n' && self.cr && end == self.start;
                self.line += u64::from(!crlf);
                self.start = end + 1;
                self.cr = bytes[i] == b'\r';
            }
        }
        self.at += bytes.len() as u64;
    }

    /// Line and column of the offset that comes next, from one.
    fn place(&self) -> (u64, u64) {
        (self.line, self.at - self.start.min(self.at) + 1)
    }
}

/// What a reader holds.
#[derive(Debug)]
struct Lent {
    data: Buffer,
    from: usize,
    to: usize,
    counter: Counter,
}

#[derive(Debug, Default)]
struct Known {
    lent: BTreeMap<u64, Lent>,
    told: BTreeMap<u64, ((u64, u64), Vec<u8>)>,
}

/// Lines and text of the places that are known.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    known: Mutex<Known>,
    /// Where the records begin.
    pub(super) begin: Counter,
}

impl Lines {
    /// Of records that begin behind what was counted.
    pub(super) fn behind(begin: Counter) -> Lines {
        Lines {
            begin,
            ..Lines::default()
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // whoever panicked left whole entries
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a reader gets: bytes of a buffer, and the count at the first of them.
    pub(super) fn lend(&self, data: &Buffer, from: usize, to: usize, counter: Counter) {
        let lent = Lent {
            data: data.clone(),
            from,
            to,
            counter,
        };
        self.known().lent.insert(counter.at, lent);
    }

    /// The reader of what begins at this offset is done with it.
    pub(super) fn give_back(&self, offset: u64) {
        self.known().lent.remove(&offset);
    }

    /// Line and column of an offset, if they are known.
    pub(super) fn of(&self, offset: u64) -> Option<(u64, u64)> {
        let known = self.known();
        known.find(offset, 0).map(|(place, _)| place)
    }

    /// At most so many bytes from an offset on, if they are known.
    pub(super) fn text(&self, offset: u64, most: usize) -> Option<Vec<u8>> {
        let known = self.known();
        known.find(offset, most).map(|(_, text)| text)
    }

    /// Keeps what is known of an offset; of many the first.
    pub(super) fn remember(&self, offset: u64) {
        let mut known = self.known();
        let last = known.told.last_key_value().map(|(at, _)| *at);
        if known.told.len() >= REMEMBERED && last.is_some_and(|last| last < offset) {
            return;
        }
        if let Some(found) = known.find(offset, EXCERPT) {
            known.told.insert(offset, found);
        }
        if known.told.len() > REMEMBERED {
            known.told.pop_last();
        }
    }
}

impl Known {
    fn find(&self, offset: u64, most: usize) -> Option<((u64, u64), Vec<u8>)> {
        if let Some((place, text)) = self.told.get(&offset) {
            return Some((*place, text[..text.len().min(most)].to_vec()));
        }
        let (base, lent) = self.lent.range(..=offset).next_back()?;
        let bytes = lent.data.get(lent.from..lent.to)?;
        let (before, text) = bytes.split_at_checked(usize::try_from(offset - base).ok()?)?;
        if text.is_empty() {
            return None;
        }
        let mut counter = lent.counter;
        counter.pass(before);
        Some((counter.place(), text[..text.len().min(most)].to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_known_as_long_as_somebody_holds_them_or_they_are_remembered() {
        let (lines, mut counter) = (Lines::default(), Counter::default());
        counter.pass(b"a,b\n1,2\r");
        let data = Buffer::from(b"xx\n3,4\r\n5,6\r7\n".to_vec());
        lines.lend(&data, 2, 14, counter);
        // the LF at 8 belongs to the CR before
        assert_eq!(lines.of(9), Some((3, 1)));
        assert_eq!(lines.of(11), Some((3, 3)));
        assert_eq!(lines.of(14), Some((4, 1)));
        assert_eq!(lines.of(18), Some((5, 1)));
        assert_eq!((lines.of(7), lines.of(20)), (None, None));
        assert_eq!(lines.text(14, 3).unwrap(), b"5,6");
        lines.remember(14);
        lines.give_back(8);
        assert_eq!((lines.of(9), lines.of(14)), (None, Some((4, 1))));
        assert_eq!(lines.text(14, 100).unwrap(), b"5,6\r7\n");
    }
}
