//! The nearest row of a group: the rows of the build side by group and, within each, by their asof key.
//!
//! ```text
//!   group      0              1
//!   values     3  7  7  9  │  1  4          7 >= ?   in group 0: the last value that is not above 7
//!   rows       5  0  2  8  │  1  6                   ─► row 2
//! ```
//!
//! Rows of one key lie in the order of the input, and the search ends at the last of them (`>=`, `>`) or
//! at the first (`<=`, `<`). Null keys are not among them. NaN is the greatest number and equals itself.

use arrow::array::{Array, StringViewArray};
use arrow::compute::concat;
use arrow::datatypes::DataType;

use super::JoinSpec;
use super::index::grouped;
use crate::error::{Error, Result};
use crate::expr::AsOfOp;
use crate::kernel::group::NONE;
use crate::kernel::{Batch, types};
use crate::operate::aggregate::Col;

/// What an asof key takes for each row of the build side while it is put in order, about.
const ROW_BYTES: usize = 32;

/// The bytes that the index of an asof join takes for each row on top of others.
pub(super) fn row_bytes(spec: &JoinSpec) -> usize {
    match spec.asof {
        Some(_) => ROW_BYTES,
        None => 0,
    }
}

/// The rows of all groups, each in the order of its values.
#[derive(Debug)]
pub(super) struct Nearest {
    /// Group `g` is `rows[starts[g]..starts[g + 1]]`.
    starts: Vec<u32>,
    rows: Vec<u32>,
    values: Values,
}

/// The values of [`Nearest::rows`].
#[derive(Debug)]
enum Values {
    Ints(Vec<i64>),
    Wide(Vec<i128>),
    /// Those of all rows of the build side, by row.
    Texts(StringViewArray),
}

impl Nearest {
    /// Puts the rows of `groups` groups in order; `of_row` tells the group of each row, [`NONE`] of
    /// those whose key is null.
    pub(super) fn new(column: usize, groups: usize, mut of_row: Vec<u32>, batches: &[Batch]) -> Result<Self> {
        let columns = batches.iter().map(|b| Col::new(&b.columns[column]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut first = 0;
        for (c, batch) in columns.iter().zip(batches) {
            if let Some(nulls) = c.nulls() {
                let rows = of_row[first..].iter_mut().zip(nulls.iter());
                rows.filter(|(_, valid)| !valid).for_each(|(g, _)| *g = NONE);
            }
            first += batch.rows;
        }
        let (starts, mut rows) = grouped(groups, &of_row);
        drop(of_row);
        let ty = batches
            .first()
            .map(|b| types::logical(b.columns[column].data_type()));
        let values = match ty {
            Some(DataType::Decimal128(..)) => {
                let mut all: Vec<i128> = Vec::with_capacity(first);
                for c in &columns {
                    match c {
                        Col::Dec(a) => all.extend_from_slice(a.values()),
                        _ => return Err(Error::defect("an asof key of two types")),
                    }
                }
                Values::Wide(arrange(&starts, &mut rows, &all))
            }
            Some(types::TEXT) => {
                let parts = columns.iter().map(|c| match c {
                    Col::Text(a) => Ok(a as &dyn Array),
                    _ => Err(Error::defect("an asof key of two types")),
                });
                let all = concat(&parts.collect::<Result<Vec<_>>>()?)?;
                let all = match Col::new(&all)? {
                    Col::Text(a) => a.gc(),
                    _ => return Err(Error::defect("text became something else")),
                };
                for part in parts_of(&starts, &mut rows) {
                    part.sort_by(|&a, &b| all.value(a as usize).cmp(all.value(b as usize)));
                }
                Values::Texts(all)
            }
            _ => {
                let mut all: Vec<i64> = Vec::with_capacity(first);
                columns.iter().for_each(|c| all.extend_from_slice(&c.ints()));
                Values::Ints(arrange(&starts, &mut rows, &all))
            }
        };
        Ok(Nearest { starts, rows, values })
    }

    /// Puts the nearest row in place of each group; [`NONE`] where there is none, or the value is null.
    pub(super) fn find(&self, op: AsOfOp, column: &Col, groups: &mut [u32]) {
        match (&self.values, column) {
            (Values::Wide(values), Col::Dec(a)) => {
                let value = |row: usize| a.value(row);
                self.search(op, groups, value, |i, v| values[i].cmp(v));
            }
            (Values::Texts(texts), Col::Text(a)) => {
                let value = |row: usize| a.value(row);
                self.search(op, groups, value, |i, v| {
                    texts.value(self.rows[i] as usize).cmp(v)
                });
            }
            (Values::Ints(values), _) if !self.rows.is_empty() => {
                let ints = column.ints();
                self.search(op, groups, |row| ints[row], |i, v| values[i].cmp(v));
            }
            // of a build side without rows the type is not known
            _ => groups.fill(NONE),
        }
        if let Some(nulls) = column.nulls() {
            let rows = groups.iter_mut().zip(nulls.iter());
            rows.filter(|(_, valid)| !valid).for_each(|(g, _)| *g = NONE);
        }
    }

    /// The same by the value of a row, and by how the `i`-th value compares with it.
    #[inline]
    fn search<T>(
        &self,
        op: AsOfOp,
        groups: &mut [u32],
        value: impl Fn(usize) -> T,
        compare: impl Fn(usize, &T) -> std::cmp::Ordering,
    ) {
        // how many values of the group lie before the place
        let passes_equal = matches!(op, AsOfOp::Ge | AsOfOp::Lt);
        for (row, group) in groups.iter_mut().enumerate() {
            if *group == NONE {
                continue;
            }
            let g = *group as usize;
            let (start, end) = (self.starts[g] as usize, self.starts[g + 1] as usize);
            let v = value(row);
            let (mut low, mut high) = (start, end);
            while low < high {
                let middle = low.midpoint(high);
                let order = compare(middle, &v);
                match order.is_lt() || passes_equal && order.is_eq() {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }
            *group = match op.is_backward() {
                true if low > start => self.rows[low - 1],
                false if low < end => self.rows[low],
                _ => NONE,
            };
        }
    }
}

/// The rows of each group.
fn parts_of<'a>(starts: &'a [u32], rows: &'a mut [u32]) -> impl Iterator<Item = &'a mut [u32]> {
    let mut rest = rows;
    starts.windows(2).map(move |w| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut((w[1] - w[0]) as usize);
        rest = after;
        part
    })
}

/// Sorts the rows of each group by their values, and gives the values in that order.
fn arrange<T: Copy + Ord>(starts: &[u32], rows: &mut [u32], all: &[T]) -> Vec<T> {
    let mut pairs: Vec<(T, u32)> = Vec::new();
    for part in parts_of(starts, rows) {
        // what comes by time mostly is in order
        if part.is_sorted_by_key(|&row| all[row as usize]) {
            continue;
        }
        pairs.clear();
        pairs.extend(part.iter().map(|&row| (all[row as usize], row)));
        pairs.sort_unstable();
        part.iter_mut().zip(&pairs).for_each(|(row, pair)| *row = pair.1);
    }
    rows.iter().map(|&row| all[row as usize]).collect()
}
