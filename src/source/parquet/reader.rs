//! Some columns of one row group, decoded batch by batch under guard.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::errors::ParquetError;

use super::convert::{Converter, constant, wanted_schema};
use super::footer::{FileFooter, FileReader};
use super::guard::{damaged, guarded};
use super::layout::ColumnFrom;
use super::{ParquetDataset, scan::BATCH_ROWS};
use crate::error::Result;

/// Reads columns of a row group in the logical types of the dataset.
pub(super) struct GroupReader {
    /// `None` where no column comes from the file.
    decoder: Option<ParquetRecordBatchReader>,
    columns: Vec<Wanted>,
    what: String,
    rows_left: u64,
}

struct Wanted {
    from: From,
    ty: DataType,
    converter: Converter,
}

enum From {
    /// Index in the decoder's batches.
    Decoder(usize),
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
    ) -> Result<GroupReader> {
        let footer = &dataset.files[file];
        let mut roots: Vec<usize> = Vec::new();
        for &c in columns {
            if let ColumnFrom::File(root) = dataset.column(file, c) {
                roots.push(*root);
            }
        }
        roots.sort_unstable();
        roots.dedup();
        let wanted = columns.iter().map(|&c| Wanted {
            from: match dataset.column(file, c) {
                ColumnFrom::File(root) => From::Decoder(roots.partition_point(|r| r < root)),
                ColumnFrom::Constant(value) => From::Constant(value.clone()),
            },
            ty: dataset.layout.schema.field(c).data_type().clone(),
            converter: Converter::default(),
        });
        let what = format!("row group {group}");
        let rows_left = match &selection {
            Some(s) => s.row_count() as u64,
            None => footer.rows(group),
        };
        let decoder = match roots.is_empty() {
            true => None,
            false => Some(guarded(&footer.path, &what, || {
                build(footer, reader, group, &roots, selection)
            })?),
        };
        Ok(GroupReader {
            decoder,
            columns: wanted.collect(),
            what,
            rows_left,
        })
    }

    /// The next rows, at most [`BATCH_ROWS`], with their number.
    pub(super) fn next(&mut self, footer: &FileFooter) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        let (decoded, rows) = match &mut self.decoder {
            None => (None, self.rows_left.min(BATCH_ROWS as u64) as usize),
            Some(decoder) => {
                let next = guarded(&footer.path, &self.what, || {
                    decoder.next().transpose().map_err(ParquetError::from)
                })
                .map_err(|e| self.blame_column(e))?;
                match next {
                    Some(batch) => {
                        let rows = batch.num_rows();
                        (Some(batch), rows)
                    }
                    None => (None, 0),
                }
            }
        };
        if rows as u64 > self.rows_left || (rows == 0 && self.rows_left > 0) {
            let why = format!("it ends with {} rows missing or too many", self.rows_left);
            return Err(damaged(&footer.path, &self.what, &why));
        }
        if rows == 0 {
            return Ok(None);
        }
        self.rows_left -= rows as u64;
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            arrays.push(match (&column.from, &decoded) {
                (From::Decoder(i), Some(batch)) => {
                    let name = batch.schema_ref().field(*i).name().clone();
                    let mut convert = || column.converter.convert(batch.column(*i), &column.ty);
                    convert().map_err(|e| {
                        damaged(&footer.path, &format!("column {name} of {}", self.what), e.what())
                    })?
                }
                (From::Constant(value), _) => constant(value, &column.ty, rows)?,
                (From::Decoder(_), None) => return Err(damaged(&footer.path, &self.what, "it has no rows")),
            });
        }
        Ok(Some((arrays, rows)))
    }

    /// Decoders rarely say which column failed; with a single one it is clear.
    fn blame_column(&self, e: crate::Error) -> crate::Error {
        match &self.decoder {
            Some(d) => {
                use arrow::record_batch::RecordBatchReader;
                let schema = d.schema();
                let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                e.context(format!("column {}", names.join(" or ")))
            }
            None => e,
        }
    }
}

fn build(
    footer: &FileFooter,
    reader: &FileReader,
    group: usize,
    roots: &[usize],
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let metadata = footer.metadata.clone();
    let schema = wanted_schema(footer, metadata.row_group(group));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let loaded = ArrowReaderMetadata::try_new(metadata.clone(), options)?;
    let mask = ProjectionMask::roots(metadata.file_metadata().schema_descr(), roots.iter().copied());
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(reader.clone(), loaded)
        .with_batch_size(BATCH_ROWS)
        .with_row_groups(vec![group])
        .with_projection(mask);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build()
}
