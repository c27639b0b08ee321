//! The numbers of groups among all groups, for outputs that are cut by them.
//!
//! ```text
//!   range      0     1     2     3          a task publishes the groups of its range as soon as it has
//!   groups    31    28     ?    30          sorted its codes, and needs those of all ranges before it;
//!   before     0    31    59     ?          one that nobody has begun it sorts itself, and leaves what
//!                                           it found to that range's task
//! ```
//!
//! Nobody waits: a range that another task is just sorting is sorted twice. As with the quotes of CSV
//! files.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use super::chunk::{Chunk, Slice};
use super::ranges::{Entry, number};
use super::room::Room;
use super::spread::Spread;
use super::wide;
use crate::error::{Error, Result};
use crate::memory::{Budget, Reservation};

/// Codes are left to their range's task while more than this part of the memory is free.
const FREE_SHARE: usize = 4;

/// The codes of a range in their order, and for each row the number of its code.
#[derive(Debug)]
pub(super) struct Numbered<C> {
    pub(super) codes: Vec<C>,
    pub(super) ids: Vec<u32>,
    /// Keeps the memory reserved until the range's task has it.
    _held: Option<Reservation>,
}

/// What is known of a range.
#[derive(Debug)]
pub(super) struct Known<C> {
    /// Somebody sorts its codes, or has.
    claimed: AtomicBool,
    groups: OnceLock<u64>,
    before: OnceLock<u64>,
    left: Mutex<Left<C>>,
}

/// What a range's task finds.
#[derive(Debug)]
enum Left<C> {
    Nothing,
    Sorted(Numbered<C>),
    /// The task has come.
    Taken,
}

impl<C> Default for Known<C> {
    fn default() -> Self {
        Known {
            claimed: AtomicBool::new(false),
            groups: OnceLock::new(),
            before: OnceLock::new(),
            left: Mutex::new(Left::Nothing),
        }
    }
}

impl<C: Entry> Known<C> {
    /// For the range's own task: its rows by group.
    pub(super) fn take(&self, slices: &[Slice<'_, C>], rows: usize) -> Numbered<C> {
        self.claimed.store(true, Relaxed);
        let left = match self.left.lock() {
            Ok(mut left) => std::mem::replace(&mut *left, Left::Taken),
            Err(_) => Left::Nothing,
        };
        let numbered = match left {
            Left::Sorted(numbered) => numbered,
            _ => sort(slices, rows),
        };
        self.tell(numbered.codes.len());
        numbered
    }

    fn tell(&self, groups: usize) {
        // whoever tells it, it is the same number
        let _ = self.groups.set(groups as u64);
    }
}

fn sort<C: Entry>(slices: &[Slice<'_, C>], rows: usize) -> Numbered<C> {
    let (codes, ids) = number(slices.iter().map(|s| &s.codes[..]), rows);
    Numbered {
        codes,
        ids,
        _held: None,
    }
}

impl<C: Entry> Spread<C> {
    /// The chunks that have rows of a range, and how many.
    pub(super) fn of_range(&self, range: usize) -> Result<(Vec<&Chunk<C>>, usize)> {
        let early = || Error::defect("a range of rows that are not spread yet");
        let (mut chunks, mut rows) = (Vec::with_capacity(self.chunks.len()), 0);
        for chunk in &self.chunks {
            let chunk = chunk.get().ok_or_else(early)?;
            let of_range = chunk.rows(range);
            rows += of_range;
            if of_range > 0 {
                chunks.push(chunk);
            }
        }
        Ok((chunks, rows))
    }

    /// The groups of all ranges before this one.
    pub(super) fn before(&self, range: usize, room: &Room, budget: &Budget) -> Result<u64> {
        if let Some(before) = self.known[range].before.get() {
            return Ok(*before);
        }
        let known = |r: &usize| self.known[*r].before.get().is_some();
        let from = (0..range).rev().find(known).unwrap_or(0);
        let mut busy = Vec::new();
        for (r, known) in (from..range).zip(&self.known[from..range]) {
            if known.groups.get().is_some() {
                continue;
            }
            match known.claimed.swap(true, Relaxed) {
                true => busy.push(r),
                false => self.count(r, room, budget, true)?,
            }
        }
        for r in busy {
            if self.known[r].groups.get().is_none() {
                self.count(r, room, budget, false)?;
            }
        }
        let mut sum = self.known[from].before.get().copied().unwrap_or(0);
        for known in &self.known[from..range] {
            let _ = known.before.set(sum);
            sum += known.groups.get().copied().unwrap_or(0);
        }
        let _ = self.known[range].before.set(sum);
        Ok(sum)
    }

    /// Counts the groups of a range whose task has not come to it yet.
    fn count(&self, range: usize, room: &Room, budget: &Budget, keep: bool) -> Result<()> {
        let known = &self.known[range];
        let (chunks, rows) = self.of_range(range)?;
        let mut held = budget.reservation("grouping in order");
        held.grow_anyway(rows.min(room.at_once) * room.a_row_to_group);
        if rows > room.at_once {
            known.tell(wide::count(&chunks, range, room.at_once)?);
            return Ok(());
        }
        let slices = chunks
            .iter()
            .map(|c| c.slice(range))
            .collect::<Result<Vec<_>>>()?;
        let mut numbered = sort(&slices, rows);
        drop(slices);
        known.tell(numbered.codes.len());
        let free = budget.available() > budget.limit() / FREE_SHARE;
        if keep
            && free
            && let Ok(mut left) = known.left.lock()
            && let Left::Nothing = *left
        {
            held.resize_anyway(rows * 4 + numbered.codes.capacity() * size_of::<C>());
            numbered._held = Some(held);
            *left = Left::Sorted(numbered);
        }
        Ok(())
    }
}
