//! Medians and quantiles of frames that slide: a tree of counts over the ranks of the values.
//!
//! The values of the stretch are sorted once, and each row knows its place among them. The rows of the
//! frame are counted in a tree of partial sums over these places (Fenwick 1994), in which adding,
//! removing and finding the k-th cost a step for each bit of the number of rows.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use super::slide::State;
use super::sums::argument;
use crate::error::Result;
use crate::operate::aggregate::Col;
use crate::operate::aggregate::column::ordered;
use crate::operate::aggregate::quantile::{Around, Between, place};

/// A quantile.
#[derive(Debug)]
pub(super) struct Quantile {
    q: f64,
    between: Between,
    nulls: Option<NullBuffer>,
    /// The values in order, and the place of each row's among them.
    sorted: Vec<i64>,
    ranks: Vec<u32>,
    tree: Vec<u32>,
    rows: u64,
    out: Vec<Option<Around>>,
}

impl Quantile {
    /// The quantile `q` of values of type `ty`.
    pub fn new(q: f64, ty: &DataType) -> Quantile {
        Quantile {
            q,
            between: Between::of(ty),
            nulls: None,
            sorted: Vec::new(),
            ranks: Vec::new(),
            tree: Vec::new(),
            rows: 0,
            out: Vec::new(),
        }
    }

    fn change(&mut self, at: usize, by: u32) {
        let mut k = self.ranks[at] as usize + 1;
        while k < self.tree.len() {
            self.tree[k] = self.tree[k].wrapping_add(by);
            k += k & k.wrapping_neg();
        }
    }

    /// The value with `n` smaller or equal ones before it.
    fn nth(&self, n: u64) -> i64 {
        let (mut left, mut at) = (n as u32, 0);
        let mut step = (self.tree.len().max(1)).next_power_of_two();
        while step > 0 {
            if at + step < self.tree.len() && self.tree[at + step] <= left {
                at += step;
                left -= self.tree[at];
            }
            step /= 2;
        }
        self.sorted[at]
    }
}

impl State for Quantile {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let col = Col::new(argument(column)?)?;
        let values: Vec<i64> = match &col {
            Col::Dec(a) => {
                let unit = 10f64.powi(i32::from(a.scale()));
                a.values().iter().map(|&v| ordered(v as f64 / unit)).collect()
            }
            other => other.ints().into_owned(),
        };
        self.nulls = col.nulls().cloned();
        let mut by_value: Vec<(i64, u32)> = values.iter().copied().zip(0..).collect();
        by_value.sort_unstable();
        self.ranks = vec![0; values.len()];
        for (rank, &(_, at)) in by_value.iter().enumerate() {
            self.ranks[at as usize] = rank as u32;
        }
        self.sorted = by_value.into_iter().map(|(v, _)| v).collect();
        self.tree = vec![0; values.len() + 1];
        self.rows = 0;
        Ok(())
    }

    fn clear(&mut self) {
        self.tree.fill(0);
        self.rows = 0;
    }

    fn add(&mut self, at: usize) {
        if self.nulls.as_ref().is_none_or(|n| n.is_valid(at)) {
            self.change(at, 1);
            self.rows += 1;
        }
    }

    fn remove(&mut self, at: usize) {
        if self.nulls.as_ref().is_none_or(|n| n.is_valid(at)) {
            self.change(at, 1u32.wrapping_neg());
            self.rows -= 1;
        }
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let value = (self.rows > 0).then(|| {
            let (at, t) = place(self.rows, self.q);
            let above = if t > 0.0 { at + 1 } else { at };
            (self.nth(at), self.nth(above.min(self.rows - 1)), t)
        });
        self.out.push(value);
    }

    fn again(&mut self) {
        self.out.extend(self.out.last().copied());
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.between.column(self.out.drain(..))
    }

    fn is_by_place(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.tree.len() * 16
    }
}
