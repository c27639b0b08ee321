//! Parquet: each partition's encoder compresses its own row groups inside the parallel tasks; the
//! coordinator only splices the finished column chunks into the file.
//!
//! ```text
//!   Encoder of partitions:    batches ─► (256 Ki rows or 64 MiB) ─► all columns at once ─► row group
//!                             fewer than 32 Ki rows at the end ─► handed on as batches
//!   Output:                   batches of small partitions are gathered into one row group
//! ```
//!
//! Tasks of sorted rows cut row groups by the numbers of their rows, and hand on what lies in a row
//! group of which a neighbour has the rest.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescPtr, Type};

use super::arrow_file::written_schema;
use super::chunk::{self, Chunk};
use super::destination::Destination;
use super::format::WriteOptions;
use super::rare;
use crate::error::{Error, Result};
use crate::kernel::Batch;

/// Rows of a full row group: enough for readers, and held unencoded until it is full.
pub(super) const GROUP_ROWS: usize = 256 << 10;
/// Unencoded bytes at which a row group is closed early, so that memory stays bounded; fewer where
/// the run's memory limit asks for it,
const GROUP_BYTES: usize = 64 << 20;
/// but not fewer than these.
const LEAST_GROUP_BYTES: usize = 1 << 20;
/// Rows of a row group of sorted rows, all of which are numbered.
const RANKED_ROWS: u64 = 64 << 10;
/// Rows that the general writer gets at once.
const EVEN_ROWS: usize = 8192;
/// Fewer rows are not worth a row group of their own,
const SMALL_ROWS: usize = 32 << 10;
/// unless they are as large as this.
const SMALL_BYTES: usize = 16 << 20;

/// Where row groups end. Their bytes must not depend on who encoded what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Where enough rows are together, or at the end of a span of tasks, which always have the same
    /// rows.
    Full,
    /// After each [`RANKED_ROWS`] of all rows, whose numbers are the positions of batches; for sorted
    /// rows, whose tasks are cut anew with each number of threads and each memory limit.
    Ranked,
}

/// What a [`GroupEncoder`] hands on.
pub(super) enum Ready {
    Group(RowGroup),
    /// Rows of a row group of which other tasks have the rest.
    Part(Vec<Batch>),
}

/// A finished row group, ready to be spliced in.
pub(super) struct RowGroup {
    chunks: Vec<Chunks>,
    rows: u64,
}

/// The chunks of one column, which has several leaves where it is nested.
enum Chunks {
    General(Vec<ArrowColumnChunk>),
    Flat(Box<Chunk>),
}

impl RowGroup {
    /// Rows in it.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
    /// Bytes of its compressed pages.
    pub(super) fn bytes(&self) -> usize {
        let of = |c: &Chunks| match c {
            Chunks::General(c) => c.iter().map(|c| c.close().bytes_written as usize).sum(),
            Chunks::Flat(c) => c.bytes.len(),
        };
        self.chunks.iter().map(of).sum()
    }
}

/// What partitions and the coordinator share.
pub(super) struct ParquetFormat {
    schema: SchemaRef,
    /// For each column what makes its general writer. One for all columns together would make all their
    /// writers at once, each with a compressor and a hash table: 16 MB for a hundred columns.
    factories: Vec<ArrowRowGroupWriterFactory>,
    described: SchemaDescPtr,
    /// The first leaf of each column, and behind the last.
    leaves: Vec<usize>,
    codec: Compression,
    /// Unencoded bytes at which a row group is closed.
    group_bytes: usize,
}

/// An open Parquet file.
pub(super) type FileWriter = SerializedFileWriter<Destination>;

/// Starts a file.
pub(super) fn create(
    to: Destination,
    schema: &SchemaRef,
    options: &WriteOptions,
) -> Result<(FileWriter, Arc<ParquetFormat>)> {
    let schema = written_schema(schema);
    if schema.fields().is_empty() {
        return Err(Error::query("a Parquet file needs at least one column"));
    }
    if let Some(field) = schema
        .fields()
        .iter()
        .find(|f| rare::has_spans_within(f.data_type()))
    {
        return Err(Error::query(format!(
            "Parquet cannot hold the intervals within column {:?}",
            field.name()
        ))
        .help("write Arrow or JSON, or leave the column out"));
    }
    let codec = parse_compression(options.compression.as_deref())?;
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(codec)
        .set_created_by(concat!("ddf version ", env!("CARGO_PKG_VERSION")).to_string())
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(rare::notes(&schema))
        .build();
    let (schema, described) = rare::described(&schema).map_err(cannot)?;
    let failure = to.failure();
    let properties = Arc::new(properties);
    let writer = SerializedFileWriter::new(to, described.root_schema_ptr(), properties.clone())
        .map_err(|e| failure.or(|| cannot(e)))?;
    let columns = described.root_schema().get_fields();
    let factories = schema.fields().iter().zip(columns);
    let factories = factories.map(|(field, column)| factory(field, column, &properties));
    let factories = factories.collect::<Result<Vec<_>>>()?;
    let root = |leaf: &usize| described.get_column_root_idx(*leaf);
    let columns = schema.fields().len();
    let leaves = (0..=columns)
        .map(|c| (0..described.num_columns()).filter(|leaf| root(leaf) < c).count())
        .collect();
    let format = ParquetFormat {
        schema,
        factories,
        described: Arc::new(described),
        leaves,
        codec,
        group_bytes: options
            .encoder_bytes
            .map_or(GROUP_BYTES, |b| b.clamp(LEAST_GROUP_BYTES, GROUP_BYTES)),
    };
    Ok((writer, Arc::new(format)))
}

/// What makes the general writer of a column, as the file's schema describes it. Types that Parquet lacks are an
/// error now, not after the work.
fn factory(
    field: &FieldRef,
    column: &Arc<Type>,
    properties: &Arc<WriterProperties>,
) -> Result<ArrowRowGroupWriterFactory> {
    let root = Type::group_type_builder("schema").with_fields(vec![column.clone()]);
    let root = Arc::new(root.build().map_err(cannot)?);
    let nowhere = SerializedFileWriter::new(Vec::new(), root, properties.clone()).map_err(cannot)?;
    let schema = Arc::new(Schema::new(vec![field.clone()]));
    let factory = ArrowRowGroupWriterFactory::new(&nowhere, schema);
    factory.create_column_writers(0).map_err(cannot)?;
    Ok(factory)
}

fn parse_compression(name: Option<&str>) -> Result<Compression> {
    let name = name.unwrap_or("zstd").to_lowercase();
    let (codec, level) = match name.split_once(':') {
        Some((c, l)) => (c, Some(l)),
        None => (name.as_str(), None),
    };
    let wrong = || {
        Error::usage(format!("unknown Parquet compression {name:?}"))
            .help("use zstd, zstd:LEVEL, snappy, gzip, lz4, brotli or none")
    };
    let level = level.map(|l| l.parse::<i32>().map_err(|_| wrong())).transpose()?;
    Ok(match codec {
        "zstd" | "zst" => Compression::ZSTD(match level {
            Some(l) => ZstdLevel::try_new(l).map_err(|_| wrong())?,
            None => ZstdLevel::try_new(1).map_err(|_| wrong())?,
        }),
        "gzip" | "gz" => Compression::GZIP(match level {
            Some(l) => GzipLevel::try_new(l.max(0) as u32).map_err(|_| wrong())?,
            None => GzipLevel::default(),
        }),
        "brotli" => Compression::BROTLI(BrotliLevel::default()),
        "snappy" => Compression::SNAPPY,
        "lz4" | "lz4_raw" => Compression::LZ4_RAW,
        "none" | "uncompressed" => Compression::UNCOMPRESSED,
        _ => return Err(wrong()),
    })
}

/// Parquet's refusal in our words.
pub(super) fn cannot(e: ParquetError) -> Error {
    let text = e.to_string();
    match text.strip_prefix("Parquet error: ").unwrap_or(&text) {
        t if t.starts_with("NYI: ") => Error::query(format!("Parquet cannot hold this column: {}", &t[5..])),
        t => Error::query(format!("cannot write this as Parquet: {t}")),
    }
}

/// Makes row groups of batches. Used by each task, and by the coordinator for small partitions.
pub(super) struct GroupEncoder {
    format: Arc<ParquetFormat>,
    cut: Cut,
    /// Whether it has the first rows of the present row group.
    from_start: bool,
    waiting: Vec<Batch>,
    rows: usize,
    bytes: usize,
}

impl GroupEncoder {
    /// For one task, or some that follow one another.
    pub(super) fn of_task(format: Arc<ParquetFormat>, cut: Cut) -> Self {
        GroupEncoder {
            format,
            cut,
            from_start: cut == Cut::Full,
            waiting: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// For all that tasks hand on.
    pub(super) fn of_all(format: Arc<ParquetFormat>, cut: Cut) -> Self {
        GroupEncoder {
            from_start: true,
            ..Self::of_task(format, cut)
        }
    }

    /// Takes a batch; gives what is complete.
    pub(super) fn push(&mut self, batch: &Batch) -> Result<Vec<Ready>> {
        let mut ready = Vec::new();
        let mut at = 0;
        while at < batch.rows {
            let place = batch.position + at as u64;
            let rows = match self.cut {
                Cut::Full => batch.rows,
                Cut::Ranked => (batch.rows - at).min((RANKED_ROWS - place % RANKED_ROWS) as usize),
            };
            self.from_start |= place.is_multiple_of(RANKED_ROWS);
            let part = batch.slice(at, rows);
            at += rows;
            self.rows += rows;
            self.bytes += part.payload();
            self.waiting.push(part);
            let full = match self.cut {
                Cut::Full => self.rows >= GROUP_ROWS || self.bytes >= self.format.group_bytes,
                // Rows of more than 2 KiB each, or a tiny limit: memory counts more than equal bytes.
                Cut::Ranked => {
                    (place + rows as u64).is_multiple_of(RANKED_ROWS)
                        || self.bytes >= 3 * self.format.group_bytes
                }
            };
            if full && self.from_start {
                ready.extend(self.close()?.map(Ready::Group));
            } else if full {
                self.bytes = 0;
                self.rows = 0;
                ready.push(Ready::Part(std::mem::take(&mut self.waiting)));
            }
        }
        Ok(ready)
    }

    /// The end: a row group, or the batches where they are too few or others have the rest.
    pub(super) fn finish(&mut self) -> Result<Option<Ready>> {
        let small = self.rows < SMALL_ROWS && self.bytes < SMALL_BYTES.min(self.format.group_bytes / 4);
        Ok(match small || self.cut == Cut::Ranked {
            true if self.rows == 0 => None,
            true => Some(Ready::Part(std::mem::take(&mut self.waiting))),
            false => self.close()?.map(Ready::Group),
        })
    }

    /// Closes the row group, however small it is.
    pub(super) fn close(&mut self) -> Result<Option<RowGroup>> {
        let batches = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        match std::mem::take(&mut self.rows) {
            0 => Ok(None),
            rows => self.format.encode(batches, rows as u64).map(Some),
        }
    }

    /// Bytes held, with what their encoded form will take on top of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes / 2 * 3
    }
}

impl ParquetFormat {
    /// Encodes a row group, column after column.
    fn encode(&self, mut batches: Vec<Batch>, rows: u64) -> Result<RowGroup> {
        let mut compressor = chunk::Compressor::new(self.codec)?;
        let mut chunks = Vec::with_capacity(self.schema.fields().len());
        let nothing: ArrayRef = Arc::new(NullArray::new(0));
        for (i, field) in self.schema.fields().iter().enumerate() {
            // what is encoded is let go, so that the rows and what they become are never there as a whole
            let arrays = batches
                .iter_mut()
                .map(|b| {
                    writable(
                        std::mem::replace(&mut b.columns[i], nothing.clone()),
                        field.data_type(),
                    )
                })
                .collect::<Result<Vec<_>>>()?;
            let leaf = self.described.column(self.leaves[i]);
            if let Some(compressor) = &mut compressor
                && arrays.iter().all(|a| chunk::takes(a, &leaf))
            {
                let chunk = chunk::encode(&arrays, &leaf, compressor)?;
                chunks.push(Chunks::Flat(Box::new(chunk)));
                continue;
            }
            let writers = self.factories[i].create_column_writers(0).map_err(cannot)?;
            chunks.push(Chunks::General(general(field, &arrays, writers)?));
        }
        Ok(RowGroup { chunks, rows })
    }
}

/// A column through the general writer. Its pages depend on how many rows it gets at once, and the
/// file must not depend on how rows came in batches: it always gets the same.
fn general(
    field: &Field,
    arrays: &[ArrayRef],
    mut writers: Vec<ArrowColumnWriter>,
) -> Result<Vec<ArrowColumnChunk>> {
    let lost = || Error::defect("more Parquet leaves than column writers");
    for array in evenly(field, arrays)? {
        let mut to = writers.iter_mut();
        for leaf in compute_leaves(field, &array).map_err(cannot)? {
            to.next().ok_or_else(lost)?.write(&leaf).map_err(cannot)?;
        }
    }
    let closed = writers.into_iter().map(|w| w.close().map_err(cannot));
    closed.collect()
}

/// A column's arrays, cut anew into [`EVEN_ROWS`] rows each.
fn evenly(field: &Field, arrays: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let (mut even, mut open, mut rows) = (Vec::new(), Vec::new(), 0);
    let mixed = arrays.windows(2).any(|w| w[0].data_type() != w[1].data_type());
    for array in arrays {
        let array = match mixed {
            true => cast(array, field.data_type())?,
            false => array.clone(),
        };
        let mut at = 0;
        while at < array.len() {
            let n = (EVEN_ROWS - rows).min(array.len() - at);
            open.push(array.slice(at, n));
            (at, rows) = (at + n, rows + n);
            if rows == EVEN_ROWS {
                even.push(joined(&std::mem::take(&mut open))?);
                rows = 0;
            }
        }
    }
    if rows > 0 {
        even.push(joined(&open)?);
    }
    Ok(even)
}

fn joined(parts: &[ArrayRef]) -> Result<ArrayRef> {
    if let [one] = parts {
        return Ok(one.clone());
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

/// The column as its writer takes it: text views and dictionaries as they are, which saves a copy.
fn writable(column: ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if let DataType::Interval(_) = column.data_type() {
        return rare::intervals(&column);
    }
    let text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let as_is = match column.data_type() {
        DataType::Dictionary(_, value) => text(value) && text(to),
        ty => ty == to || (text(ty) && text(to)),
    };
    match as_is {
        true => Ok(column),
        false => Ok(cast(&column, to)?),
    }
}

/// Puts a row group at the end of the file.
pub(super) fn splice(file: &mut FileWriter, group: RowGroup) -> Result<(), ParquetError> {
    let mut writer = file.next_row_group()?;
    for column in group.chunks {
        match column {
            Chunks::Flat(c) => writer.append_column(&c.bytes, c.close)?,
            Chunks::General(chunks) => {
                for c in chunks {
                    c.append_to_row_group(&mut writer)?;
                }
            }
        }
    }
    writer.close()?;
    Ok(())
}
