//! Aggregates over the different values of a frame: `sum(DISTINCT x) OVER (…)`.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::counts::Distinct;
use super::slide::State;
use crate::error::Result;

/// Hands a value to another state when the first row with it comes, and takes it back with the last. That state
/// must forget a value wherever it stood, as sums do.
pub(super) struct Once<S> {
    state: S,
    seen: Distinct,
}

impl<S: State> Once<S> {
    pub fn new(state: S) -> Once<S> {
        Once {
            state,
            seen: Distinct::new(),
        }
    }
}

impl<S: State> State for Once<S> {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.seen.load(column)?;
        self.state.load(column)
    }

    fn clear(&mut self) {
        self.seen.clear();
        self.state.clear();
    }

    fn add(&mut self, at: usize) {
        if self.seen.enter(at) {
            self.state.add(at);
        }
    }

    fn remove(&mut self, at: usize) {
        if self.seen.leave(at) {
            self.state.remove(at);
        }
    }

    fn put(&mut self, rows: &[Range<usize>]) {
        self.state.put(rows);
    }

    fn again(&mut self) {
        self.state.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.state.finish()
    }

    fn bytes(&self) -> usize {
        self.state.bytes() + self.seen.bytes()
    }
}
