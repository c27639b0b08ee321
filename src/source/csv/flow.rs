//! An input that is read as it comes, in partitions: one task at a time goes on reading, all parse.
//!
//! ```text
//!   Live ─► windows of whole records, one after the other ─► cut where a partition begins ─► the task that asks for it
//!                 (whoever needs more reads)                           └► waits for the task whose it is
//! ```
//!
//! Finding the ends of fields takes a tenth of the time that parsing does, so that several threads are busy behind one
//! that reads. Partitions begin at fixed offsets of the decoded input, as those of a file do, however it comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::buffer::Buffer;

use super::file::CsvFile;
use super::lines::Counter;
use super::windows::{Pool, Windows};
use crate::error::{Error, Kind, Result};
use crate::memory::{Live, Waits};

/// Nobody knows how much comes: there are so many partitions, and the last one takes the rest.
pub(crate) const PARTS: usize = 1 << 20;
/// The size of what has no known one.
pub(crate) const UNKNOWN: u64 = u64::MAX;
/// Bytes that may wait for the tasks whose they are.
const WAITING: usize = 4 << 20;
/// How long is waited before a look at whether the task is still needed.
const LOOK: Duration = Duration::from_millis(20);

/// Some whole records of one partition.
pub(super) struct Piece {
    pub data: Buffer,
    /// The offset of the buffer in the decoded input.
    pub base: u64,
    /// Where the records begin in the buffer, and what follows them.
    pub first: usize,
    pub pos: usize,
    pub ends: Vec<u32>,
    pub records: usize,
    pub non_ascii: bool,
    pub irregular: bool,
    pub joined: Vec<u32>,
    pub bytes_read: u64,
}

/// Who reads now.
enum Reader {
    /// Nobody did yet.
    Unopened,
    /// Whoever takes it.
    Idle(Box<Windows>),
    /// A task.
    Busy,
    /// Nobody any more.
    Over,
}

struct State {
    reader: Reader,
    /// The partition of the next record.
    at: usize,
    ready: BTreeMap<usize, VecDeque<Piece>>,
    /// Bytes that are ready.
    waiting: usize,
    /// What went wrong, and in which partition.
    failed: Option<(usize, Error)>,
    counter: Option<Counter>,
}

/// One reading of a live input.
pub(crate) struct Flow {
    live: Arc<Live>,
    state: Mutex<State>,
    changed: Condvar,
    /// The last partition that has anything, once it is known.
    last: AtomicUsize,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Flow").field("last", &self.last).finish()
    }
}

impl Flow {
    pub(super) fn new(live: &Arc<Live>) -> Flow {
        Flow {
            live: live.clone(),
            state: Mutex::new(State {
                reader: Reader::Unopened,
                at: 0,
                ready: BTreeMap::new(),
                waiting: 0,
                failed: None,
                counter: None,
            }),
            changed: Condvar::new(),
            last: AtomicUsize::new(usize::MAX),
        }
    }

    /// Whether the input is known to end before a partition begins.
    pub(crate) fn ends_before(&self, part: usize) -> bool {
        part > self.last.load(Relaxed)
    }

    /// Whether all that came was read, and more may come.
    pub(crate) fn is_idle(&self) -> bool {
        self.live.is_idle() && self.state().waiting == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next records of a partition; none when it is over.
    pub(super) fn take(
        &self,
        file: &Arc<CsvFile>,
        pool: &Arc<Pool>,
        record_bytes: u64,
        part: usize,
        waits: &Waits,
    ) -> Result<Option<Piece>> {
        let mut state = self.state();
        loop {
            if let Some(piece) = state.pop(part) {
                self.changed.notify_all();
                return Ok(Some(piece));
            }
            if state.at > part {
                return Ok(None);
            }
            match &state.failed {
                Some((at, e)) if *at == part => return Err(e.clone()),
                Some(_) => return Ok(None),
                None => {}
            }
            if waits.are_over() {
                return Err(Waits::error());
            }
            let ahead = state.at < part && state.waiting >= WAITING;
            let reader = match ahead {
                true => Reader::Busy,
                false => std::mem::replace(&mut state.reader, Reader::Busy),
            };
            let mut windows = match reader {
                Reader::Idle(windows) => windows,
                Reader::Unopened => Box::new(Windows::live(file, record_bytes, pool)?),
                Reader::Over => {
                    state.reader = Reader::Over;
                    return Ok(None);
                }
                Reader::Busy => {
                    let waited = self.changed.wait_timeout(state, LOOK);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            drop(state);
            self.live.set_waits(waits);
            let more = windows.next();
            state = self.state();
            match more {
                Ok(true) => {
                    state.put(&mut windows, file);
                    state.reader = Reader::Idle(windows);
                }
                Ok(false) => self.end(&mut state),
                // this task is not needed any more; another may be
                Err(e) if e.kind() == Kind::Interrupted => {
                    state.reader = Reader::Idle(windows);
                    self.changed.notify_all();
                    return Err(e);
                }
                Err(e) => {
                    state.failed = Some((state.at, e));
                    self.end(&mut state);
                }
            }
            self.changed.notify_all();
        }
    }

    fn end(&self, state: &mut State) {
        state.reader = Reader::Over;
        self.last.store(state.at, Relaxed);
    }
}

impl State {
    fn pop(&mut self, part: usize) -> Option<Piece> {
        let queue = self.ready.get_mut(&part)?;
        let piece = queue.pop_front();
        if queue.is_empty() {
            self.ready.remove(&part);
        }
        self.waiting -= piece.as_ref().map_or(0, |p| p.pos - p.first);
        piece
    }

    /// Takes the window apart where partitions begin in it, and puts the pieces where their tasks find them.
    fn put(&mut self, windows: &mut Windows, file: &CsvFile) {
        let mut rest = windows.lend();
        loop {
            let next = file.bound(self.at + 1);
            if rest.base + rest.first as u64 >= next {
                self.at += 1;
                continue;
            }
            let behind = rest.split(next);
            self.lend(file, &rest);
            self.waiting += rest.pos - rest.first;
            self.ready.entry(self.at).or_default().push_back(rest);
            match behind {
                Some(behind) => rest = behind,
                None => return,
            }
        }
    }

    fn lend(&mut self, file: &CsvFile, piece: &Piece) {
        let counter = *self.counter.get_or_insert(file.lines.begin);
        file.lines.lend(&piece.data, piece.first, piece.pos, counter);
        self.counter
            .get_or_insert(file.lines.begin)
            .pass(&piece.data[piece.first..piece.pos]);
    }
}

impl Piece {
    /// Cuts off the records that begin at an offset of the input or behind it.
    fn split(&mut self, offset: u64) -> Option<Piece> {
        let at = |pos: usize| self.base + pos as u64;
        if at(self.pos) <= offset {
            return None;
        }
        let (mut records, mut cut) = (0, None);
        for (i, end) in self.ends.iter().enumerate() {
            if !matches!(self.data[*end as usize], b'\n' | b'\r') {
                continue;
            }
            records += 1;
            if at(*end as usize + 1) >= offset {
                cut = Some(i + 1);
                break;
            }
        }
        let cut = cut.filter(|cut| *cut < self.ends.len())?;
        let pos = self.ends[cut - 1] as usize + 1;
        let joined = self.joined.iter().position(|j| *j as usize >= pos);
        let behind = Piece {
            data: self.data.clone(),
            base: self.base,
            first: pos,
            pos: self.pos,
            ends: self.ends.split_off(cut),
            records: self.records - records,
            non_ascii: self.non_ascii,
            irregular: self.irregular,
            joined: self.joined.split_off(joined.unwrap_or(self.joined.len())),
            bytes_read: 0,
        };
        self.pos = pos;
        self.records = records;
        Some(behind)
    }
}
