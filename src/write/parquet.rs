//! Parquet: each partition's encoder compresses its own row groups inside the parallel tasks; the
//! coordinator only splices the finished column chunks into the file.
//!
//! ```text
//!   Encoder of a partition:   batches ─► column writers ─► (1 Mi rows or 48 MiB) ─► row group
//!                             fewer than 64 Ki rows at the end ─► handed on as batches
//!   Output:                   batches of small partitions are gathered into one row group
//! ```

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;

use super::arrow_file::written_schema;
use super::destination::Destination;
use crate::error::{Error, Result};
use crate::kernel::Batch;

/// Rows of a full row group: what readers like, and small enough for every column to be decoded
/// by one task.
const GROUP_ROWS: usize = 1 << 20;
/// Bytes of encoded pages at which a row group is closed early, so that memory stays bounded.
const GROUP_BYTES: usize = 48 << 20;
/// Fewer rows are not worth a row group of their own.
const SMALL_ROWS: usize = 64 << 10;
/// Unencoded bytes that are held at most while waiting for `SMALL_ROWS`.
const SMALL_BYTES: usize = 16 << 20;

/// A finished row group, ready to be spliced in.
pub(super) struct RowGroup {
    chunks: Vec<ArrowColumnChunk>,
    rows: u64,
}

impl RowGroup {
    /// Rows in it.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
    /// Bytes of its compressed pages.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.close().bytes_written as usize).sum()
    }
}

/// What partitions and the coordinator share.
pub(super) struct ParquetFormat {
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

/// An open Parquet file.
pub(super) type FileWriter = SerializedFileWriter<Destination>;

/// Starts a file.
pub(super) fn create(
    to: Destination,
    schema: &SchemaRef,
    compression: Option<&str>,
) -> Result<(FileWriter, Arc<ParquetFormat>)> {
    let schema = written_schema(schema);
    if schema.fields().is_empty() {
        return Err(Error::query("a Parquet file needs at least one column"));
    }
    let lacking = |f: &&arrow::datatypes::FieldRef| {
        matches!(f.data_type(), DataType::Interval(IntervalUnit::MonthDayNano))
    };
    if let Some(field) = schema.fields().iter().find(lacking) {
        return Err(Error::query(format!(
            "Parquet cannot hold the intervals of column {:?}",
            field.name()
        ))
        .help("cast the column to text"));
    }
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(parse_compression(compression)?)
        .set_created_by(concat!("ddf version ", env!("CARGO_PKG_VERSION")).to_string())
        .set_max_row_group_row_count(None)
        .build();
    let described = ArrowSchemaConverter::new().convert(&schema).map_err(cannot)?;
    let failure = to.failure();
    let writer = SerializedFileWriter::new(to, described.root_schema_ptr(), Arc::new(properties))
        .map_err(|e| failure.or(|| cannot(e)))?;
    let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
    // types that Parquet lacks are an error now, not after the work
    factory.create_column_writers(0).map_err(cannot)?;
    Ok((writer, Arc::new(ParquetFormat { schema, factory })))
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

/// Makes row groups of batches. Used by each partition, and by the coordinator for small ones.
pub(super) struct GroupEncoder {
    format: Arc<ParquetFormat>,
    waiting: Vec<Batch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    writers: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl GroupEncoder {
    pub(super) fn new(format: Arc<ParquetFormat>) -> Self {
        GroupEncoder {
            format,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            writers: Vec::new(),
            rows: 0,
        }
    }

    /// Takes a batch; gives a row group when one is full.
    pub(super) fn push(&mut self, batch: &Batch) -> Result<Option<RowGroup>> {
        if self.rows > 0 {
            self.encode(batch)?;
        } else {
            self.waiting_rows += batch.rows;
            self.waiting_bytes += batch.bytes();
            self.waiting.push(batch.clone());
            if self.waiting_rows >= SMALL_ROWS || self.waiting_bytes >= SMALL_BYTES {
                self.encode_waiting()?;
            }
        }
        match self.rows >= GROUP_ROWS || self.encoded_bytes() >= GROUP_BYTES {
            true => self.close(),
            false => Ok(None),
        }
    }

    /// The end: a row group, or the batches where they are too few.
    pub(super) fn finish(&mut self) -> Result<(Option<RowGroup>, Vec<Batch>)> {
        match self.rows {
            0 => Ok((None, std::mem::take(&mut self.waiting))),
            _ => Ok((self.close()?, Vec::new())),
        }
    }

    /// Closes the row group, however small it is.
    pub(super) fn close(&mut self) -> Result<Option<RowGroup>> {
        self.encode_waiting()?;
        if self.rows == 0 {
            return Ok(None);
        }
        let rows = std::mem::take(&mut self.rows) as u64;
        let chunks = std::mem::take(&mut self.writers)
            .into_iter()
            .map(|w| w.close().map_err(cannot))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(RowGroup { chunks, rows }))
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.waiting_bytes + self.writers.iter().map(|w| w.memory_size()).sum::<usize>()
    }

    fn encoded_bytes(&self) -> usize {
        self.writers.iter().map(|w| w.memory_size()).sum()
    }

    fn encode_waiting(&mut self) -> Result<()> {
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        for batch in std::mem::take(&mut self.waiting) {
            self.encode(&batch)?;
        }
        Ok(())
    }

    fn encode(&mut self, batch: &Batch) -> Result<()> {
        if batch.rows == 0 {
            return Ok(());
        }
        if self.writers.is_empty() {
            self.writers = self.format.factory.create_column_writers(0).map_err(cannot)?;
        }
        let mut writers = self.writers.iter_mut();
        for (field, column) in self.format.schema.fields().iter().zip(&batch.columns) {
            let column = writable(column, field.data_type())?;
            for leaf in compute_leaves(field, &column).map_err(cannot)? {
                let writer = writers
                    .next()
                    .ok_or_else(|| Error::defect("more Parquet leaves than column writers"))?;
                writer.write(&leaf).map_err(cannot)?;
            }
        }
        self.rows += batch.rows;
        Ok(())
    }
}

/// The column as its writer takes it: text views and dictionaries as they are, which saves a copy.
fn writable(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let as_is = match column.data_type() {
        DataType::Dictionary(_, value) => text(value) && text(to),
        ty => ty == to || (text(ty) && text(to)),
    };
    match as_is {
        true => Ok(column.clone()),
        false => Ok(cast(column, to)?),
    }
}

/// Puts a row group at the end of the file.
pub(super) fn splice(file: &mut FileWriter, group: RowGroup) -> Result<(), ParquetError> {
    let mut writer = file.next_row_group()?;
    for chunk in group.chunks {
        chunk.append_to_row_group(&mut writer)?;
    }
    writer.close()?;
    Ok(())
}
