//! A batch: some rows of some columns, as Arrow arrays, and their place in the input order.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute;

use crate::error::Result;

/// Rows that travel together through a pipeline; about [`Batch::TARGET_ROWS`] of them.
///
/// Columns have no names here: a stage's schema gives them. The *logical* types are the ones of
/// [`crate::kernel::types`]; a text column may physically be `Utf8View` or
/// `Dictionary<Int32, Utf8View>` (dictionary-encoded Parquet), and each operator takes both.
///
/// `position` orders rows across the whole input whatever the threads do: row `i` has the order
/// `position + i`, positions grow along the sorted files and rows, and no two rows share one.
/// The source sets it; transforms that drop rows keep the batch's own.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The columns, all of length `rows`.
    pub columns: Vec<ArrayRef>,
    /// The number of rows (there may be no column at all, as in a bare count).
    pub rows: usize,
    /// Order of the first row: `(partition << 40) | row within the partition`.
    pub position: u64,
}

impl Batch {
    /// What the general engine runs best with: one thousand rows cost 10 to 40 % more, more rows
    /// leave the cache.
    pub const TARGET_ROWS: usize = 8192;

    /// A batch at a position.
    pub fn new(columns: Vec<ArrayRef>, rows: usize, position: u64) -> Self {
        debug_assert!(columns.iter().all(|c| c.len() == rows));
        Batch {
            columns,
            rows,
            position,
        }
    }

    /// The bytes its arrays hold on to, shared buffers counted once for each column.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|c| c.get_array_memory_size()).sum()
    }

    /// The rows where `mask` is true (null counts as false).
    pub fn filter(&self, mask: &BooleanArray) -> Result<Batch> {
        let predicate = compute::FilterBuilder::new(mask).optimize().build();
        let columns = self
            .columns
            .iter()
            .map(|c| predicate.filter(c))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Batch {
            columns,
            rows: predicate.count(),
            position: self.position,
        })
    }

    /// `len` rows from `offset`, without copying.
    pub fn slice(&self, offset: usize, len: usize) -> Batch {
        let columns = self.columns.iter().map(|c| c.slice(offset, len)).collect();
        Batch {
            columns,
            rows: len,
            position: self.position + offset as u64,
        }
    }

    /// The columns at `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Batch {
        let columns = indices.iter().map(|&i| self.columns[i].clone()).collect();
        Batch {
            columns,
            rows: self.rows,
            position: self.position,
        }
    }
}
