//! Some columns of one row group, decoded batch by batch under guard.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::errors::ParquetError;

use super::checked::Checked;
use super::convert::{Converter, constant, failed, no_text, wanted_schema};
use super::file::FileReader;
use super::footer::FileFooter;
use super::guard::{damaged, guarded};
use super::held::{Held, Slot};
use super::layout::ColumnFrom;
use super::{ParquetDataset, scan::BATCH_ROWS};
use crate::error::{Error, Result};

/// Reads columns of a row group in the logical types of the dataset. Each column has a decoder of its own,
/// so that what fails has a name.
pub(super) struct GroupReader {
    columns: Vec<Wanted>,
    group: usize,
    rows_left: u64,
    held: Arc<Held>,
    /// The batch that was handed out last.
    batch: Slot,
}

struct Wanted {
    from: From,
    name: String,
    ty: DataType,
    /// Bytes that the user says are text.
    as_text: bool,
    converter: Converter,
}

enum From {
    File(ParquetRecordBatchReader),
    Constant(crate::kernel::Scalar),
}

impl GroupReader {
    /// A reader of `columns` (of the dataset's schema), of all rows or those of `selection`.
    pub(super) fn open(
        dataset: &ParquetDataset,
        reader: &FileReader,
        (file, group): (usize, usize),
        columns: &[usize],
        selection: Option<RowSelection>,
        (held, most): (&Arc<Held>, usize),
    ) -> Result<GroupReader> {
        let footer = &dataset.files[file];
        let rows = footer.rows(group);
        let rows_left = selection.as_ref().map_or(rows, |s| s.row_count() as u64);
        // a chunk that may reach into the next one is left when its rows are read
        let selection = selection.or_else(|| {
            let all = || RowSelection::from(vec![RowSelector::select(rows as usize)]);
            footer.writer.cuts_chunks().then(all)
        });
        let roots = columns.iter().filter_map(|&c| match dataset.column(file, c) {
            ColumnFrom::File(root) => Some(*root),
            ColumnFrom::Constant(_) => None,
        });
        let batch_rows = batch_rows(footer, group, roots, most);
        let mut wanted = Vec::with_capacity(columns.len());
        for &c in columns {
            let field = dataset.layout.schema.field(c);
            let from = match dataset.column(file, c) {
                ColumnFrom::File(root) => {
                    let what = place(field.name(), group);
                    let build = || {
                        let slots = || Arc::new(held.slot());
                        build(
                            footer,
                            (reader, &slots),
                            (group, *root),
                            batch_rows,
                            selection.clone(),
                        )
                    };
                    let built = guarded(&footer.path, &what, build);
                    From::File(built.map_err(|e| refused(held, footer, e))?)
                }
                ColumnFrom::Constant(value) => From::Constant(value.clone()),
            };
            wanted.push(Wanted {
                from,
                name: field.name().clone(),
                ty: field.data_type().clone(),
                as_text: footer.reads_as_text(dataset.column(file, c)),
                converter: Converter::default(),
            });
        }
        Ok(GroupReader {
            columns: wanted,
            group,
            rows_left,
            held: held.clone(),
            batch: held.slot(),
        })
    }

    /// The next rows, at most [`BATCH_ROWS`], with their number.
    pub(super) fn next(&mut self, footer: &FileFooter) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        if self.rows_left == 0 {
            return Ok(None);
        }
        let mut rows = None;
        let mut arrays: Vec<Option<ArrayRef>> = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let From::File(decoder) = &mut column.from else {
                arrays.push(None);
                continue;
            };
            let what = place(&column.name, self.group);
            let next = guarded(&footer.path, &what, || {
                decoder.next().transpose().map_err(ParquetError::from)
            });
            let next = next.map_err(|e| refused(&self.held, footer, e));
            let next = if column.as_text {
                next.map_err(no_text)?
            } else {
                next?
            };
            let array = next.filter(|b| b.num_columns() == 1).map(|b| b.column(0).clone());
            let got = array.as_ref().map_or(0, |a| a.len());
            if got == 0 || got as u64 > self.rows_left || got != *rows.get_or_insert(got) {
                let why = format!("{got} rows came where {} are left", self.rows_left);
                return Err(damaged(&footer.path, &what, &why));
            }
            let converted = array
                .map(|a| column.converter.convert(&a, &column.ty))
                .transpose();
            arrays.push(converted.map_err(|e| failed(&footer.path, &what, &e))?);
        }
        let rows = rows.unwrap_or(self.rows_left.min(BATCH_ROWS as u64) as usize);
        self.rows_left -= rows as u64;
        let filled = arrays
            .into_iter()
            .zip(&self.columns)
            .map(|(a, column)| match (a, &column.from) {
                (Some(array), _) => Ok(array),
                (None, From::Constant(value)) => constant(value, &column.ty, rows),
                (None, From::File(_)) => Err(damaged(
                    &footer.path,
                    &place(&column.name, self.group),
                    "it has no rows",
                )),
            });
        let filled = filled.collect::<Result<Vec<_>>>()?;
        self.batch
            .hold_anyway(filled.iter().map(|a| a.get_array_memory_size()).sum());
        Ok(Some((filled, rows)))
    }
}

fn place(column: &str, group: usize) -> String {
    format!("column {column} of row group {group}")
}

/// The error of a decoder, or why it was refused memory.
fn refused(held: &Held, footer: &FileFooter, e: Error) -> Error {
    held.take_refusal()
        .map_or(e, |(refusal, _)| refusal.at(&footer.path, 0, 0))
}

/// Rows of a batch: fewer where they are large, so that decoded they take about `most` bytes, as far as
/// the footer tells.
fn batch_rows(footer: &FileFooter, group: usize, roots: impl Iterator<Item = usize>, most: usize) -> usize {
    let rows = footer.rows(group).max(1);
    let chunks = footer.metadata.row_group(group).columns();
    let leaves = roots.flat_map(|root| footer.leaves[root].clone());
    let bytes = leaves.filter_map(|leaf| Some(chunks.get(leaf)?.uncompressed_size().max(0) as u64));
    let a_row = (bytes.sum::<u64>() / rows).max(1);
    (most as u64 / a_row).clamp(1, BATCH_ROWS as u64) as usize
}

fn build(
    footer: &FileFooter,
    (reader, slots): (&FileReader, &dyn Fn() -> Arc<Slot>),
    (group, root): (usize, usize),
    batch_rows: usize,
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let metadata = footer.metadata.clone();
    let schema = wanted_schema(footer, metadata.row_group(group));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let loaded = ArrowReaderMetadata::try_new(metadata.clone(), options)?;
    let mask = ProjectionMask::roots(metadata.file_metadata().schema_descr(), [root]);
    let leaves = footer.leaves[root].clone();
    let chunks = leaves.map(|leaf| (metadata.row_group(group).column(leaf), slots()));
    let checked = Checked::new(reader, chunks);
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(checked, loaded)
        .with_batch_size(batch_rows)
        .with_row_groups(vec![group])
        .with_projection(mask);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build()
}
