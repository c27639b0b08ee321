//! Aggregates whose state takes rows in and gives them back, sliding along with the frame.
//!
//! ```text
//!   frame of row i      [────────)
//!   frame of row i+1       [────────)      remove what fell off the start, add what came at the end
//! ```
//!
//! Rows that a frame leaves out in its middle are removed for the moment. Frames that are alike, as
//! those of peers, are computed once.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::frames::Frames;
use super::picks::members;
use super::rows::{Rows, Spans};
use super::{Edge, FrameSpec};
use crate::error::Result;
use crate::expr::Exclude;

/// The state of an aggregate over rows that come and go.
pub(super) trait State: Send {
    /// The values of the rows that follow; none for an aggregate of whole rows.
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()>;
    /// Forgets all rows.
    fn clear(&mut self);
    /// Takes in the row at a place of the column.
    fn add(&mut self, at: usize);
    /// Gives back a row.
    fn remove(&mut self, at: usize);
    /// Writes the result over the rows that are in, which are those at these places as far as they
    /// are still there.
    fn put(&mut self, rows: &[Range<usize>]);
    /// Writes the last result again.
    fn again(&mut self);
    /// The results written.
    fn finish(&mut self) -> Result<ArrayRef>;
    /// Whether the state speaks of places in the column, and must be made anew with every one.
    fn is_by_place(&self) -> bool {
        false
    }
    /// Bytes held besides the rows.
    fn bytes(&self) -> usize {
        0
    }
}

/// An aggregate that slides.
pub(super) trait Slide: Send {
    /// The aggregate of the frame of each row.
    fn eval(
        &mut self,
        rows: &Rows,
        column: Option<&ArrayRef>,
        frames: &Frames,
        peers: &Spans,
        of: Range<u64>,
    ) -> Result<ArrayRef>;
    /// Takes in rows of a partition that will be read again.
    fn see(&mut self, part: u64, rows: u64, column: Option<&ArrayRef>) -> Result<()>;
    /// Whether [`Slide::see`] helps.
    fn can_see_all(&self) -> bool;
    /// The first row that rows after one with this frame look at.
    fn keep(&self) -> u64;
    /// Bytes held besides the rows.
    fn bytes(&self) -> usize;
}

/// A state and the rows that are in it.
pub(super) struct Sliding<S> {
    state: S,
    grows: bool,
    exclude: Exclude,
    start: u64,
    end: u64,
}

impl<S: State> Sliding<S> {
    pub fn new(state: S, frame: &FrameSpec) -> Self {
        Sliding {
            state,
            grows: frame.start == Edge::Unbounded,
            exclude: frame.exclude,
            start: 0,
            end: 0,
        }
    }

    /// Brings the state to a frame.
    fn go_to(&mut self, (start, end): (u64, u64), base: u64) {
        if start >= self.end {
            match self.state.is_by_place() {
                true => (self.start..self.end).for_each(|r| self.state.remove((r - base) as usize)),
                false => self.state.clear(),
            }
            (self.start, self.end) = (start, start);
        }
        while self.end < end {
            self.state.add((self.end - base) as usize);
            self.end += 1;
        }
        while self.start < start {
            self.state.remove((self.start - base) as usize);
            self.start += 1;
        }
    }
}

impl<S: State> Slide for Sliding<S> {
    fn eval(
        &mut self,
        rows: &Rows,
        column: Option<&ArrayRef>,
        frames: &Frames,
        peers: &Spans,
        of: Range<u64>,
    ) -> Result<ArrayRef> {
        self.state.load(column)?;
        let base = rows.base;
        if self.state.is_by_place() {
            if self.start < base {
                (self.start, self.end) = (base, base); // those were of another partition
            }
            (self.start..self.end).for_each(|r| self.state.add((r - base) as usize));
        }
        // rows before the base are in the state for good
        let place = |r: Range<u64>| (r.start.max(base) - base) as usize..(r.end.max(base) - base) as usize;
        let mut last = None;
        for row in of {
            let frame = frames.of(row);
            if self.exclude == Exclude::NoOthers {
                if last == Some(frame) {
                    self.state.again();
                    continue;
                }
                last = Some(frame);
                self.go_to(frame, base);
                self.state.put(&[place(frame.0..frame.1)]);
                continue;
            }
            self.go_to(frame, base);
            let left = members(frame, self.exclude, row, peers);
            // all rows but those of the stretches left, one gap before the next
            let mut gaps = [0..0, 0..0, 0..0];
            let mut at = left[0].end;
            for (gap, next) in gaps.iter_mut().zip([&left[1], &left[2]]) {
                *gap = at..next.start.max(at);
                at = at.max(next.end);
            }
            gaps[2] = at..frame.1.max(at);
            let out = || gaps.iter().cloned().flatten().map(|r| (r - base) as usize);
            out().for_each(|r| self.state.remove(r));
            self.state.put(&left.clone().map(place));
            out().for_each(|r| self.state.add(r));
        }
        self.state.finish()
    }

    fn see(&mut self, part: u64, rows: u64, column: Option<&ArrayRef>) -> Result<()> {
        if self.start != part || self.end < part {
            self.state.clear();
            (self.start, self.end) = (part, part);
        }
        self.state.load(column)?;
        (0..rows as usize).for_each(|r| self.state.add(r));
        self.end += rows;
        Ok(())
    }

    fn can_see_all(&self) -> bool {
        !self.state.is_by_place()
    }

    fn keep(&self) -> u64 {
        match self.grows && !self.state.is_by_place() {
            true => self.end,
            false => self.start,
        }
    }

    fn bytes(&self) -> usize {
        self.state.bytes()
    }
}
