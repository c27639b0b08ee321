//! The least or greatest value of a frame, as the row that has it.
//!
//! Frames that grow from the start of the partition have one best row. Sliding ones keep a queue of the
//! rows that may yet be the best: each is better than all behind it that are still to come (the monotone
//! queue of sliding minima). Frames with holes ask a tree of best rows (each node the better of its two
//! children) for at most three stretches.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::buffer::NullBuffer;

use super::frames::Frames;
use super::picks::members;
use super::rows::{Rows, Spans, UNKNOWN};
use super::{Edge, FrameSpec};
use crate::error::Result;
use crate::expr::Exclude;
use crate::operate::aggregate::Col;

/// Values in their order.
enum Values {
    Long(Vec<i64>),
    Wide(Vec<i128>),
    Text(StringViewArray),
}

/// The values of a stretch of rows, and one that lies before it.
struct Ranked {
    values: Values,
    nulls: Option<NullBuffer>,
    greatest: bool,
    base: u64,
    rows: usize,
}

impl Ranked {
    /// `column` may have one value more than there are rows: that of a row that is held apart.
    fn new(column: &ArrayRef, base: u64, rows: usize, greatest: bool) -> Result<Ranked> {
        let col = Col::new(column)?;
        let nulls = col.nulls().cloned();
        let values = match col {
            Col::Dec(a) => Values::Wide(a.values().to_vec()),
            Col::Text(a) => Values::Text(a),
            other => Values::Long(other.ints().into_owned()),
        };
        Ok(Ranked {
            values,
            nulls,
            greatest,
            base,
            rows,
        })
    }

    fn at(&self, row: u64) -> usize {
        match row >= self.base {
            true => (row - self.base) as usize,
            false => self.rows,
        }
    }

    fn is_valid(&self, row: u64) -> bool {
        self.nulls.as_ref().is_none_or(|n| n.is_valid(self.at(row)))
    }

    /// Whether the value of row `a` is better than that of row `b`.
    #[inline(always)]
    fn better(&self, a: u64, b: u64) -> bool {
        let (i, j) = (self.at(a), self.at(b));
        let order = match &self.values {
            Values::Long(v) => v[i].cmp(&v[j]),
            Values::Wide(v) => v[i].cmp(&v[j]),
            Values::Text(v) => v.value(i).as_bytes().cmp(v.value(j).as_bytes()),
        };
        if self.greatest {
            order.is_gt()
        } else {
            order.is_lt()
        }
    }

    fn best(&self, a: Option<u64>, b: Option<u64>) -> Option<u64> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if self.better(b, a) { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

/// `min` and `max`.
#[derive(Debug)]
pub(super) struct Extreme {
    greatest: bool,
    grows: bool,
    part: u64,
    /// The best row of a frame that grows.
    pub found: Option<u64>,
    queue: VecDeque<u64>,
    /// The rows before this one were taken in.
    seen: u64,
}

impl Extreme {
    pub fn new(greatest: bool, frame: &FrameSpec) -> Extreme {
        Extreme {
            greatest,
            grows: frame.exclude == Exclude::NoOthers && frame.start == Edge::Unbounded,
            part: UNKNOWN,
            found: None,
            queue: VecDeque::new(),
            seen: 0,
        }
    }

    pub fn can_see_all(&self) -> bool {
        self.grows
    }

    /// Looks at rows of a partition that will be read again; behind them in the column stands the value
    /// of the row found before, if there is one.
    pub fn see(&mut self, part: u64, from: u64, rows: usize, column: &ArrayRef) -> Result<()> {
        let ranked = Ranked::new(column, from, rows, self.greatest)?;
        self.grow(part, from + rows as u64, &ranked);
        Ok(())
    }

    fn grow(&mut self, part: u64, end: u64, ranked: &Ranked) {
        if self.part != part {
            (self.part, self.found, self.seen) = (part, None, part);
        }
        while self.seen < end {
            if ranked.is_valid(self.seen) {
                self.found = ranked.best(self.found, Some(self.seen));
            }
            self.seen += 1;
        }
    }

    fn slide(&mut self, (start, end): (u64, u64), ranked: &Ranked) -> Option<u64> {
        while self.queue.front().is_some_and(|&f| f < start) {
            self.queue.pop_front();
        }
        for row in self.seen.max(start)..end {
            if !ranked.is_valid(row) {
                continue;
            }
            while self.queue.back().is_some_and(|&b| ranked.better(row, b)) {
                self.queue.pop_back();
            }
            self.queue.push_back(row);
        }
        self.seen = self.seen.max(end);
        self.queue.front().copied()
    }

    /// The rows picked.
    pub fn pick(
        &mut self,
        rows: &Rows,
        column: &ArrayRef,
        frames: &Frames,
        (exclude, peers): (Exclude, &Spans),
        of: Range<u64>,
    ) -> Result<Vec<Option<u64>>> {
        let ranked = Ranked::new(column, rows.base, rows.len() as usize, self.greatest)?;
        if self.grows {
            let each = of.map(|row| {
                let (part, end) = frames.of(row);
                self.grow(part, end, &ranked);
                self.found
            });
            return Ok(each.collect());
        }
        if exclude == Exclude::NoOthers {
            return Ok(of.map(|row| self.slide(frames.of(row), &ranked)).collect());
        }
        let tree = Tree::new(&ranked);
        let each = of.map(|row| {
            let stretches = members(frames.of(row), exclude, row, peers);
            let best = stretches.into_iter().map(|s| tree.best(s, &ranked));
            best.fold(None, |a, b| ranked.best(a, b))
        });
        Ok(each.collect())
    }

    /// The first row that rows after one with this frame look at; the best row is held apart.
    pub fn keep(&self, (start, end): (u64, u64)) -> u64 {
        match self.grows {
            true => end,
            false => start,
        }
    }
}

/// A tree of best rows: leaf `n + i` is row `i`, node `k` the better of `2k` and `2k + 1`.
struct Tree {
    nodes: Vec<Option<u64>>,
    base: u64,
}

impl Tree {
    fn new(ranked: &Ranked) -> Tree {
        let n = ranked.rows;
        let leaf = |i: usize| {
            let row = ranked.base + i as u64;
            ranked.is_valid(row).then_some(row)
        };
        let mut nodes: Vec<Option<u64>> = vec![None; n];
        nodes.extend((0..n).map(leaf));
        for k in (1..n).rev() {
            nodes[k] = ranked.best(nodes[2 * k], nodes[2 * k + 1]);
        }
        Tree {
            nodes,
            base: ranked.base,
        }
    }

    fn best(&self, of: Range<u64>, ranked: &Ranked) -> Option<u64> {
        let n = self.nodes.len() / 2;
        if of.is_empty() {
            return None;
        }
        let (mut from, mut to) = (
            (of.start - self.base) as usize + n,
            (of.end - self.base) as usize + n,
        );
        let mut best = None;
        while from < to {
            if from & 1 == 1 {
                best = ranked.best(best, self.nodes[from]);
                from += 1;
            }
            if to & 1 == 1 {
                to -= 1;
                best = ranked.best(best, self.nodes[to]);
            }
            (from, to) = (from / 2, to / 2);
        }
        best
    }
}
