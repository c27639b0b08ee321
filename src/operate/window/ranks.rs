//! Functions of a row's place within its partition.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};

use super::Func;
use super::rows::{Rows, Spans, UNKNOWN};
use crate::error::{Error, Result};

/// Counts groups of peers.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// The partition and the group of the last row, and the group's number.
    part: Option<u64>,
    group: u64,
    number: i64,
}

/// The first row that must wait.
pub(super) fn ready(func: Func, rows: &Rows, peers: &Spans) -> u64 {
    let unless_known = |spans: &Spans| match spans.last() {
        Some((start, UNKNOWN)) => start,
        _ => rows.end,
    };
    match func {
        Func::PercentRank | Func::Ntile(_) => unless_known(&rows.parts),
        Func::CumeDist => unless_known(&rows.parts).min(unless_known(peers)),
        _ => rows.end,
    }
}

impl Ranks {
    pub fn eval(&mut self, func: Func, rows: &Rows, peers: &Spans, of: Range<u64>) -> Result<ArrayRef> {
        let parts = &rows.parts;
        let rank = |row: u64| (peers.start(row) - parts.start(row)) as i64 + 1;
        let size = |row: u64| parts.end(row) - parts.start(row);
        Ok(match func {
            Func::RowNumber => ints(of.map(|r| (r - parts.start(r)) as i64 + 1)),
            Func::Rank => ints(of.map(rank)),
            Func::DenseRank => ints(of.map(|r| self.dense(parts.start(r), peers.start(r)))),
            Func::PercentRank => floats(of.map(|r| match size(r) {
                1 => 0.0,
                n => (rank(r) - 1) as f64 / (n - 1) as f64,
            })),
            Func::CumeDist => floats(of.map(|r| (peers.end(r) - parts.start(r)) as f64 / size(r) as f64)),
            Func::Ntile(n) => ints(of.map(|r| tile(r - parts.start(r), size(r), n) as i64)),
            _ => return Err(Error::defect("a window function that is no rank")),
        })
    }

    fn dense(&mut self, part: u64, group: u64) -> i64 {
        if self.part != Some(part) {
            (self.part, self.group, self.number) = (Some(part), group, 1);
        } else if self.group != group {
            (self.group, self.number) = (group, self.number + 1);
        }
        self.number
    }
}

/// The part, from 1, of row `at` of `size` rows dealt out to `n` parts, the first ones longer by a row
/// where they cannot be alike.
fn tile(at: u64, size: u64, n: u64) -> u64 {
    let (short, longer) = (size / n, size % n);
    let in_longer = longer * (short + 1);
    match at < in_longer {
        true => at / (short + 1) + 1,
        false => longer + (at - in_longer) / short.max(1) + 1,
    }
}

fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}
