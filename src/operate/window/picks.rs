//! Functions that pick a row and yield its value: lag and lead, the first, the last and the n-th row of
//! a frame. Each tells the number of the row; the values are taken in one go ([`super::call`]).

use std::ops::Range;

use arrow::array::{Array, ArrayRef};

use super::frames::Frames;
use super::rows::{Rows, Spans, UNKNOWN};
use super::{Edge, FrameSpec, Func};
use crate::expr::Exclude;

/// The rows of a frame without those that are left out: at most three stretches, in order.
pub(super) fn members(
    (start, end): (u64, u64),
    exclude: Exclude,
    row: u64,
    peers: &Spans,
) -> [Range<u64>; 3] {
    let cut = |from: u64, to: u64| {
        let from = from.clamp(start, end);
        from..to.clamp(from, end)
    };
    let none = || end..end;
    match exclude {
        Exclude::NoOthers => [start..end, none(), none()],
        Exclude::CurrentRow => [cut(start, row), cut(row + 1, end), none()],
        Exclude::Group => [cut(start, peers.start(row)), cut(peers.end(row), end), none()],
        Exclude::Ties => [
            cut(start, peers.start(row)),
            cut(row, row + 1),
            cut(peers.end(row), end),
        ],
    }
}

/// The rows whose value is not null.
fn valid_rows(column: &ArrayRef, base: u64) -> Vec<u64> {
    match column.logical_nulls() {
        None => (base..base + column.len() as u64).collect(),
        Some(n) => n.valid_indices().map(|i| base + i as u64).collect(),
    }
}

/// `lag` and `lead`.
#[derive(Debug)]
pub(super) struct Shift {
    pub by: i64,
    pub ignore_nulls: bool,
}

impl Shift {
    /// The first row that must wait.
    pub fn ready(&self, rows: &Rows, column: &ArrayRef) -> u64 {
        let Some((part, end)) = rows.parts.last().filter(|_| self.by > 0) else {
            return rows.end;
        };
        if end == rows.end {
            return end;
        }
        let by = self.by.unsigned_abs();
        if !self.ignore_nulls {
            return part.max(rows.end.saturating_sub(by));
        }
        let valid = valid_rows(column, rows.base);
        let i = valid.len().checked_sub(usize::try_from(by).unwrap_or(usize::MAX));
        i.map_or(part, |i| part.max(valid[i]))
    }

    /// The rows picked.
    pub fn pick(&self, rows: &Rows, column: &ArrayRef, of: Range<u64>) -> Vec<Option<u64>> {
        let within = |row: u64, at: u64| at >= rows.parts.start(row) && at < rows.parts.end(row);
        if !self.ignore_nulls || self.by == 0 {
            let at = |row: u64| row.checked_add_signed(self.by).filter(|&at| within(row, at));
            return of.map(at).collect();
        }
        let valid = valid_rows(column, rows.base);
        let by = usize::try_from(self.by.unsigned_abs()).unwrap_or(usize::MAX);
        let at = |row: u64| {
            let i = match self.by < 0 {
                true => valid.partition_point(|&v| v < row).checked_sub(by),
                false => valid.partition_point(|&v| v <= row).checked_add(by - 1),
            };
            i.and_then(|i| valid.get(i).copied())
                .filter(|&at| within(row, at))
        };
        of.map(at).collect()
    }

    /// The first row that rows from `next` on look at.
    pub fn keep(&self, part: u64, next: u64) -> u64 {
        match self.by < 0 {
            true if self.ignore_nulls => part,
            true => part.max(next.saturating_sub(self.by.unsigned_abs())),
            false => next,
        }
    }
}

/// `first_value`, `last_value`, `nth_value`.
#[derive(Debug)]
pub(super) struct Pick {
    pub func: Func,
    /// Whether frames grow from the start of the partition and leave out nothing: then one row tells all.
    grows: bool,
    /// In such frames: the partition, the row found in it, and how far was looked.
    part: u64,
    pub found: Option<u64>,
    seen: u64,
}

impl Pick {
    pub fn new(func: Func, frame: &FrameSpec) -> Pick {
        let plain = frame.exclude == Exclude::NoOthers && frame.start == Edge::Unbounded;
        let nth = matches!(
            func,
            Func::Nth {
                ignore_nulls: true,
                ..
            }
        );
        Pick {
            func,
            grows: plain && !nth,
            part: UNKNOWN,
            found: None,
            seen: 0,
        }
    }

    /// Whether it can do with what it saw of a partition that is read again.
    pub fn can_see_all(&self) -> bool {
        self.grows
    }

    /// Looks at rows of a partition that will be read again.
    pub fn see(&mut self, part: u64, from: u64, column: &ArrayRef) {
        let to = from + column.len() as u64;
        self.grow(part, to, &mut Valid::new(column, from));
    }

    fn grow(&mut self, part: u64, end: u64, valid: &mut Valid) {
        if self.part != part {
            (self.part, self.found, self.seen) = (part, None, part);
        }
        match self.func {
            Func::First { ignore_nulls: false } => self.found = (end > part).then_some(part),
            Func::Last { ignore_nulls: false } => self.found = (end > part).then(|| end - 1),
            Func::Nth { n, .. } => {
                self.found = Some(part.saturating_add(n - 1)).filter(|&at| at < end);
            }
            Func::First { .. } => {
                while self.found.is_none() && self.seen < end {
                    self.found = valid.is(self.seen).then_some(self.seen);
                    self.seen += 1;
                }
            }
            _ => {
                while self.seen < end {
                    if valid.is(self.seen) {
                        self.found = Some(self.seen);
                    }
                    self.seen += 1;
                }
            }
        }
    }

    /// The rows picked.
    pub fn pick(
        &mut self,
        rows: &Rows,
        column: &ArrayRef,
        frames: &Frames,
        (exclude, peers): (Exclude, &Spans),
        of: Range<u64>,
    ) -> Vec<Option<u64>> {
        if self.grows {
            let mut valid = Valid::new(column, rows.base);
            let each = of.map(|row| {
                let (part, end) = frames.of(row);
                self.grow(part, end, &mut valid);
                self.found
            });
            return each.collect();
        }
        let ignore = matches!(
            self.func,
            Func::First { ignore_nulls: true }
                | Func::Last { ignore_nulls: true }
                | Func::Nth {
                    ignore_nulls: true,
                    ..
                }
        );
        let valid = match ignore {
            true => valid_rows(column, rows.base),
            false => Vec::new(),
        };
        // the rows of a stretch that may be picked: their number, and one of them
        let count = |r: &Range<u64>| match ignore {
            true => (valid.partition_point(|&v| v < r.end) - valid.partition_point(|&v| v < r.start)) as u64,
            false => r.end - r.start,
        };
        let nth = |r: &Range<u64>, n: u64| match ignore {
            true => valid[valid.partition_point(|&v| v < r.start) + n as usize],
            false => r.start + n,
        };
        let each = of.map(|row| {
            let stretches = members(frames.of(row), exclude, row, peers);
            let all: u64 = stretches.iter().map(count).sum();
            let mut at = match self.func {
                Func::Last { .. } => all.checked_sub(1)?,
                Func::Nth { n, .. } => n - 1,
                _ => 0,
            };
            for s in &stretches {
                let here = count(s);
                if at < here {
                    return Some(nth(s, at));
                }
                at -= here;
            }
            None
        });
        each.collect()
    }

    /// The first row that rows after one with this frame look at; a row found earlier is held apart.
    pub fn keep(&self, (start, end): (u64, u64)) -> u64 {
        match (self.grows, self.func) {
            (true, Func::Last { ignore_nulls: false }) => end.saturating_sub(1),
            (true, _) => end,
            (false, _) => start,
        }
    }
}

/// Which rows of a column have values.
struct Valid {
    nulls: Option<arrow::buffer::NullBuffer>,
    base: u64,
}

impl Valid {
    fn new(column: &ArrayRef, base: u64) -> Valid {
        Valid {
            nulls: column.logical_nulls(),
            base,
        }
    }

    /// Rows before the column were looked at when they were there.
    fn is(&self, row: u64) -> bool {
        row >= self.base
            && self
                .nulls
                .as_ref()
                .is_none_or(|n| n.is_valid((row - self.base) as usize))
    }
}
