//! A batch: some rows of some columns, as Arrow arrays, and their place in the input order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute;
use arrow::datatypes::{DataType, Field, Schema};

use super::types;
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

    /// The bytes of its own values, without what else their buffers hold.
    pub fn payload(&self) -> usize {
        self.columns.iter().map(payload).sum()
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

    /// The same rows as they are kept for long or written down: plain text instead of dictionaries,
    /// and without the bytes of the file around it.
    pub fn compacted(self) -> Result<Batch> {
        let columns = self.columns.iter().map(compacted);
        Ok(Batch {
            columns: columns.collect::<Result<_>>()?,
            ..self
        })
    }

    /// The bytes of just these rows, for what is compacted.
    pub fn own_bytes(&self) -> usize {
        let own = |c: &ArrayRef| match c.as_string_view_opt() {
            Some(text) => 16 * text.len() + text.data_buffers().iter().map(|b| b.len()).sum::<usize>(),
            None => c
                .to_data()
                .get_slice_memory_size()
                .unwrap_or_else(|_| c.get_array_memory_size()),
        };
        self.columns.iter().map(own).sum()
    }

    /// The batch as Arrow has it, with columns of no name.
    pub fn record(&self) -> Result<RecordBatch> {
        let field = |c: &ArrayRef| Field::new("", c.data_type().clone(), true);
        let schema = Schema::new(self.columns.iter().map(field).collect::<Vec<_>>());
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::new(schema),
            self.columns.clone(),
            &options,
        )?)
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

/// About what a row of a schema takes, in bytes.
pub fn row_bytes(schema: &Schema) -> usize {
    /// What a text is thought to take besides its 16 bytes of view.
    const TEXT_BYTES: usize = 16;
    let of = |ty: &DataType| match ty.primitive_width() {
        Some(n) => n,
        None if *ty == DataType::Boolean => 1,
        None => 16 + TEXT_BYTES,
    };
    let all = schema.fields().iter().map(|f| of(f.data_type()));
    all.sum::<usize>().max(1)
}

/// Bytes of a column's own values, without what else its buffers hold.
pub fn payload(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8View => {
            let views = column.as_string_view().views();
            views.iter().map(|v| 16 + (*v as u32 as usize)).sum()
        }
        DataType::Dictionary(_, _) => 4 * column.len(),
        ty => match ty.primitive_width() {
            Some(width) => width * column.len(),
            None => {
                let own = column.to_data().get_slice_memory_size();
                own.unwrap_or_else(|_| column.get_array_memory_size())
            }
        },
    }
}

fn compacted(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::Dictionary(_, v) if types::logical(v) == types::TEXT => {
            Arc::new(compute::cast(column, &types::TEXT)?.as_string_view().gc())
        }
        _ => column.clone(),
    })
}
