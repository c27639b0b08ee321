//! Our own decoder of flat columns, from pages straight to the engine's arrays.
//!
//! ```text
//!   Pages ──► levels  (one bit a row) ────────────────┐
//!     │       body ── codes ── dictionary ──► values ─┴─► Int64, Float64, Date32, text, …
//!     │            └─ plain ────────────────► values ─┘   of as many rows as asked for
//!     └ skipped unread where no row of them is wanted
//! ```
//!
//! The general reader decodes to the file's types, pads nulls and converts, each in a pass of its
//! own; here 32-bit integers are widened as they are unpacked, nulls find their place in the same
//! pass, and dictionary codes of text stay codes. [`FlatGroup::open`] takes a row group if all
//! wanted columns are top-level, of the common types and in the two encodings that nearly all
//! files use; the others are left to the general reader.
//!
//! `pages` cuts pages into levels and body and checks their sizes, `column` walks over pages,
//! `fixed`, `text` and `truth` are the values.

mod column;
mod decompress;
mod fixed;
mod pages;
#[cfg(test)]
mod tests;
mod text;
mod truth;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::{Encoding, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

use self::column::{Column, Values};
use self::pages::Chunk;
use super::ParquetDataset;
use super::convert::{Converter, constant, failed, no_text};
use super::file::FileReader;
use super::footer::FileFooter;
use super::guard::guarded;
use super::held::Held;
use super::layout::ColumnFrom;
use crate::error::Result;
use crate::kernel::{Scalar, types};

/// Columns of a row group; all are at the same row once a round of reading or skipping is over.
pub(super) struct FlatGroup {
    columns: Vec<Slot>,
    group: usize,
    held: Arc<Held>,
}

struct Slot {
    from: From,
    name: String,
    ty: DataType,
    /// Bytes that the user says are text.
    as_text: bool,
    converter: Converter,
}

enum From {
    File(Box<Column>),
    Constant(Scalar),
}

impl FlatGroup {
    /// A reader of `columns` (of the dataset's schema) of a row group; `None` if any of them must
    /// be left to the general reader.
    pub(super) fn open(
        dataset: &ParquetDataset,
        reader: &FileReader,
        (file, group): (usize, usize),
        columns: &[usize],
        held: &Arc<Held>,
    ) -> Result<Option<FlatGroup>> {
        let footer = &dataset.files[file];
        let mut slots = Vec::with_capacity(columns.len());
        for &c in columns {
            let field = dataset.layout.schema.field(c);
            let from = match dataset.column(file, c) {
                ColumnFrom::Constant(value) => From::Constant(value.clone()),
                ColumnFrom::File(root) => {
                    let Some(values) = decoder(footer, group, *root) else {
                        return Ok(None);
                    };
                    let leaf = footer.leaves[*root].start;
                    let what = place(field.name(), group);
                    let chunk = Chunk {
                        file: reader.clone(),
                        metadata: footer.metadata.clone(),
                        group,
                        leaf,
                        slot: Arc::new(held.slot()),
                    };
                    let opened = guarded(&footer.path, &what, || Column::new(chunk, values))?;
                    From::File(Box::new(opened))
                }
            };
            slots.push(Slot {
                from,
                name: field.name().clone(),
                ty: field.data_type().clone(),
                as_text: footer.reads_as_text(dataset.column(file, c)),
                converter: Converter::default(),
            });
        }
        Ok(Some(FlatGroup {
            columns: slots,
            group,
            held: held.clone(),
        }))
    }

    /// The next `rows` rows of the columns at `which`.
    pub(super) fn read(
        &mut self,
        footer: &FileFooter,
        which: std::ops::Range<usize>,
        rows: usize,
    ) -> Result<Vec<ArrayRef>> {
        which.map(|at| self.read_one(footer, at, rows, None)).collect()
    }

    /// The next `rows` rows of the column at `at`: all of them, or those that `wanted` names, ascending
    /// from 0 on. Where memory is short, pages of other columns give way.
    pub(super) fn read_one(
        &mut self,
        footer: &FileFooter,
        at: usize,
        rows: usize,
        wanted: Option<&[u32]>,
    ) -> Result<ArrayRef> {
        loop {
            let read = self.try_read(footer, at, rows, wanted);
            let Err(e) = read else { return read };
            let Some((refusal, asked)) = self.held.take_refusal() else {
                return Err(e);
            };
            if !self.make_room(footer, at, asked)? {
                return Err(refusal.at(&footer.path, 0, 0));
            }
        }
    }

    /// Lets go of pages of other columns than the one at `at`, whose read was refused so many bytes; that
    /// one is where it was before. False if there are none.
    fn make_room(&mut self, footer: &FileFooter, at: usize, asked: usize) -> Result<bool> {
        let all = self.columns.len();
        let mut freed = 0;
        // columns are read in turn: the one just read is wanted last
        for i in (1..=all).map(|k| (at + all - k) % all) {
            if i != at && freed >= asked {
                continue;
            }
            let slot = &mut self.columns[i];
            if let From::File(column) = &mut slot.from {
                let what = place(&slot.name, self.group);
                let bytes = guarded(&footer.path, &what, || column.suspend())?;
                freed += if i == at { 0 } else { bytes };
            }
        }
        Ok(freed > 0)
    }

    fn try_read(
        &mut self,
        footer: &FileFooter,
        at: usize,
        rows: usize,
        wanted: Option<&[u32]>,
    ) -> Result<ArrayRef> {
        let group = self.group;
        let slot = &mut self.columns[at];
        match &mut slot.from {
            From::Constant(value) => constant(value, &slot.ty, wanted.map_or(rows, <[u32]>::len)),
            From::File(column) => {
                let what = place(&slot.name, group);
                let array = guarded(&footer.path, &what, || match wanted {
                    None => column.read(rows),
                    Some(wanted) => column.read_some(rows, wanted),
                });
                let array = if slot.as_text {
                    array.map_err(no_text)?
                } else {
                    array?
                };
                let converted = slot.converter.convert(&array, &slot.ty);
                converted.map_err(|e| failed(&footer.path, &what, &e))
            }
        }
    }

    /// Passes over the next `rows` rows of the columns at `which`; pages without a wanted row are
    /// never read.
    pub(super) fn skip(&mut self, which: std::ops::Range<usize>, rows: usize) {
        for slot in &mut self.columns[which] {
            if let From::File(column) = &mut slot.from {
                column.skip(rows);
            }
        }
    }
}

fn place(column: &str, group: usize) -> String {
    format!("column {column} of row group {group}")
}

/// The decoder of a top-level column of a row group; `None` for those of the general reader.
fn decoder(footer: &FileFooter, group: usize, root: usize) -> Option<Box<dyn Values>> {
    let leaves = &footer.leaves[root];
    let chunk = footer.metadata.row_group(group).columns().get(leaves.start)?;
    let descr = chunk.column_descr();
    let flat = leaves.len() == 1 && descr.max_rep_level() == 0 && descr.max_def_level() <= 1;
    if !flat || chunk.file_path().is_some() || !plain_or_dictionary(chunk) {
        return None;
    }
    let ty = footer.schema.field(root).data_type();
    use DataType::*;
    Some(match (chunk.column_type(), ty) {
        (Physical::INT32, Int8) => fixed::values::<i8>(ty),
        (Physical::INT32, Int16) => fixed::values::<i16>(ty),
        (Physical::INT32, Int32) => fixed::values::<i32>(ty),
        (Physical::INT32, UInt8) => fixed::values::<u8>(ty),
        (Physical::INT32, UInt16) => fixed::values::<u16>(ty),
        (Physical::INT32, UInt32) => fixed::values::<u32>(ty),
        (Physical::INT32, Decimal32(..) | Decimal64(..) | Decimal128(..)) => {
            fixed::values::<fixed::Decimal<i32>>(ty)
        }
        (Physical::INT64, Decimal64(..) | Decimal128(..)) => fixed::values::<fixed::Decimal<i64>>(ty),
        (Physical::INT32, Date32) => fixed::values::<fixed::Days>(ty),
        (Physical::INT64, Int64) => fixed::values::<i64>(ty),
        (Physical::INT64, Timestamp(unit, _)) if *unit != TimeUnit::Second => fixed::values::<i64>(ty),
        (Physical::FLOAT, Float32) => fixed::values::<f32>(ty),
        (Physical::DOUBLE, Float64) => fixed::values::<f64>(ty),
        (Physical::BOOLEAN, Boolean) => Box::new(truth::Truths::default()),
        (Physical::BYTE_ARRAY, ty) if types::logical(ty) == types::TEXT => Box::new(text::Texts::default()),
        _ => return None,
    })
}

/// Whether the chunk says that it has no other encodings (those of levels are always known).
fn plain_or_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    #[expect(deprecated, reason = "files of old writers have it, for levels")]
    let known = [
        Encoding::PLAIN,
        Encoding::PLAIN_DICTIONARY,
        Encoding::RLE_DICTIONARY,
        Encoding::RLE,
        Encoding::BIT_PACKED,
    ];
    chunk.encodings().all(|e| known.contains(&e))
}

/// An error that says why a chunk makes no sense.
fn wrong(why: impl Into<String>) -> ParquetError {
    ParquetError::General(why.into())
}
