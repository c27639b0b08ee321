//! Footers: read in parallel, checked against the length of the file, kept for all tasks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader,
};
use parquet::file::reader::{ChunkReader, Length};

use super::ParquetOptions;
use super::file::FileReader;
use super::guard::{damaged, guarded};
use super::layout::ColumnFrom;
use super::meaning;
use super::mend::walk;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::kernel::types;
use crate::memory::Retries;
use crate::source::ALL_COLUMNS;
use crate::source::options::parse_type;

/// What is known of a file without reading its data.
pub(super) struct FileFooter {
    pub path: PathBuf,
    pub bytes: u64,
    pub metadata: Arc<ParquetMetaData>,
    /// The top-level columns as Arrow sees them, with what the file says of their bytes.
    pub schema: SchemaRef,
    /// The same as the decoder has them.
    pub decoded: SchemaRef,
    /// The first leaf of each top-level column, and where the last one ends.
    pub leaves: Vec<std::ops::Range<usize>>,
    /// The top-level columns of bytes that are read as text.
    pub as_text: Vec<bool>,
    pub writer: Writer,
}

impl FileFooter {
    /// Whether a column's bytes are read as text because the user says so.
    pub(super) fn reads_as_text(&self, column: &ColumnFrom) -> bool {
        matches!(column, ColumnFrom::File(root) if self.as_text[*root])
    }

    /// Rows of a row group (checked to be at least zero).
    pub(super) fn rows(&self, group: usize) -> u64 {
        self.metadata.row_group(group).num_rows().max(0) as u64
    }
}

/// The footers of all files, in their order; the error of the first bad one.
pub(super) fn read_all(paths: &[PathBuf], options: &ParquetOptions) -> Result<Vec<FileFooter>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Relaxed);
            let Some(path) = paths.get(i) else { return done };
            done.push((i, read(path, options)));
        }
    };
    let threads = options.threads.clamp(1, 16).min(paths.len());
    let mut all = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for handle in handles {
            all.extend(handle.join().unwrap_or_default());
        }
        all
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, footer)| footer).collect()
}

const MAGIC: &[u8] = b"PAR1";
/// Of files whose footers are encrypted.
const ENCRYPTED: &[u8] = b"PARE";
/// The length of the footer, and the magic.
const TAIL: u64 = 8;

fn read(path: &Path, options: &ParquetOptions) -> Result<FileFooter> {
    let reader = FileReader::open(path, &options.retries)?;
    let bytes = reader.len();
    let footer = footer_bytes(path, &reader)?;
    let metadata = guarded(path, "the footer", || parsed(&footer))?;
    let writer = Writer::of(metadata.file_metadata().created_by());
    let metadata = Arc::new(guarded(path, "the footer", || {
        corrected(metadata, &writer, bytes)
    })?);
    guarded(path, "the footer", || check(&metadata, bytes))?;
    let leaves = guarded(path, "the footer", || Ok(leaves(&metadata)))?;
    let loaded = guarded(path, "the footer", || {
        ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())
    })?;
    let (schema, as_text) = texts(loaded.schema(), options);
    let meant = guarded(path, "the footer", || meaning::of(&metadata, &schema, &leaves))?;
    Ok(FileFooter {
        path: path.to_path_buf(),
        bytes,
        schema: meant.schema,
        decoded: meant.decoded,
        metadata: meant.metadata,
        leaves,
        as_text,
        writer,
    })
}

/// The schema with columns of bytes as the text that the user says they are, and which those are.
fn texts(schema: &SchemaRef, options: &ParquetOptions) -> (SchemaRef, Vec<bool>) {
    let law = |name: &str| {
        let of = |wanted: &str| options.types.iter().rfind(|(n, _)| n == wanted);
        let ty = of(name).or_else(|| of(ALL_COLUMNS));
        ty.is_some_and(|(_, ty)| parse_type(ty).is_ok_and(|ty| ty == types::TEXT))
    };
    let is_text = |f: &Field| is_bytes(f.data_type()) && law(f.name());
    let changed = |f: &Field| match options.binary_as_text || is_text(f) {
        true => f.clone().with_data_type(text_of(f.data_type())),
        false => f.clone(),
    };
    let fields: Vec<Field> = schema.fields().iter().map(|f| changed(f)).collect();
    let pairs = fields.iter().zip(schema.fields());
    let as_text = pairs
        .map(|(new, old)| new.data_type() != old.data_type())
        .collect();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    (Arc::new(schema), as_text)
}

fn is_bytes(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// The type with all bytes in it as text.
fn text_of(ty: &DataType) -> DataType {
    let field = |f: &Arc<Field>| Arc::new(Field::clone(f).with_data_type(text_of(f.data_type())));
    match ty {
        ty if is_bytes(ty) => DataType::Utf8,
        DataType::List(f) => DataType::List(field(f)),
        DataType::LargeList(f) => DataType::LargeList(field(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(field(f), *n),
        DataType::Map(f, sorted) => DataType::Map(field(f), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Dictionary(_, value) if is_bytes(value) => DataType::Utf8,
        other => other.clone(),
    }
}

/// The bytes of the footer, between what tells its length.
fn footer_bytes(path: &Path, reader: &FileReader) -> Result<Bytes> {
    let bytes = reader.len();
    if bytes < TAIL + 4 {
        let why = format!("{bytes} bytes are too few for a Parquet file");
        return Err(damaged(path, "the footer", &why));
    }
    let read = |e: io::Error| Error::io("read", path, &e);
    let (mut head, mut tail) = ([0; 4], [0; TAIL as usize]);
    reader.read_exact(&mut head, 0).map_err(read)?;
    reader.read_exact(&mut tail, bytes - TAIL).map_err(read)?;
    let (length, magic) = tail.split_at(4);
    if magic == ENCRYPTED {
        return Err(encrypted(path, "its footer"));
    }
    if head != MAGIC && head != ENCRYPTED {
        let why = "it does not begin as a Parquet file does";
        return Err(damaged(path, "the footer", why));
    }
    if magic != MAGIC {
        let why = "it does not end as a Parquet file does, so its end may be missing";
        return Err(damaged(path, "the footer", why));
    }
    let length = u64::from(length.first_chunk().map_or(0, |b| u32::from_le_bytes(*b)));
    if length > bytes - TAIL {
        let why = format!("it claims {length} bytes in a file of {bytes}");
        return Err(damaged(path, "the footer", &why));
    }
    guarded(path, "the footer", || {
        reader.get_bytes(bytes - TAIL - length, length as usize)
    })
}

/// The footer, if need be without details that the decoder does not know.
fn parsed(footer: &Bytes) -> Result<ParquetMetaData, ParquetError> {
    let first = ParquetMetaDataReader::decode_metadata(footer);
    let Err(e) = first else { return first };
    match walk(footer) {
        Some(walked) if walked.changed => ParquetMetaDataReader::decode_metadata(&walked.bytes),
        _ => Err(e),
    }
}

/// The most bytes that the header of a dictionary takes.
const DICTIONARY_HEADER: i64 = 100;

/// The same with the places of chunks that some writers are known to get wrong put right.
fn corrected(
    metadata: ParquetMetaData,
    writer: &Writer,
    bytes: u64,
) -> Result<ParquetMetaData, ParquetError> {
    // no dictionary lies at the file's magic, or behind the data; the data begin with it then
    let misplaced = |c: &ColumnChunkMetaData| {
        let at = c.dictionary_page_offset();
        at.is_some_and(|at| at <= 0 || at >= c.data_page_offset())
    };
    let cut = writer.cuts_chunks();
    let file = metadata.file_metadata();
    let rows = metadata.row_groups().iter().map(|g| g.num_rows()).sum();
    // some writers leave it empty
    let uncounted = file.num_rows() == 0 && rows > 0;
    let chunks = metadata.row_groups().iter().flat_map(|g| g.columns());
    if !cut && !uncounted && !chunks.clone().any(misplaced) {
        return Ok(metadata);
    }
    let counted = FileMetaData::new(
        file.version(),
        if uncounted { rows } else { file.num_rows() },
        file.created_by().map(str::to_string),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let groups = metadata.row_groups();
    let mut builder = ParquetMetaDataBuilder::new(counted);
    for group in groups {
        let mut columns = Vec::with_capacity(group.num_columns());
        for chunk in group.columns() {
            let wrong = misplaced(chunk);
            let (start, length) = (chunk.data_page_offset(), chunk.compressed_size());
            let mut chunk = chunk.clone().into_builder();
            if wrong {
                chunk = chunk.set_dictionary_page_offset(None);
            }
            if cut {
                let left = (bytes as i64).saturating_sub(start.saturating_add(length));
                let more = left.clamp(0, DICTIONARY_HEADER);
                chunk = chunk.set_total_compressed_size(length.saturating_add(more));
            }
            columns.push(chunk.build()?);
        }
        builder = builder.add_row_group(
            group
                .clone()
                .into_builder()
                .set_column_metadata(columns)
                .build()?,
        );
    }
    Ok(builder.build())
}

/// The error for what cannot be read without a key.
fn encrypted(path: &Path, what: &str) -> Error {
    Error::input(format!("{what} is encrypted"))
        .at(path, 0, 0)
        .help("ddf has no keys: write the file anew without encryption")
}

impl FileFooter {
    /// The error of a read, or, where the file has encrypted columns, that.
    pub(super) fn or_encrypted(&self, e: Error, retries: &Retries) -> Error {
        if e.kind() != crate::error::Kind::Input {
            return e;
        }
        let footer = FileReader::open(&self.path, retries).and_then(|r| footer_bytes(&self.path, &r));
        let Some(walked) = footer.ok().and_then(|f| walk(&f)) else {
            return e;
        };
        let mut names: Vec<&str> = Vec::new();
        for (group, leaf) in walked.encrypted {
            let chunk = self
                .metadata
                .row_groups()
                .get(group)
                .and_then(|g| g.columns().get(leaf));
            if let Some(name) = chunk.and_then(|c| c.column_path().parts().first())
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        match names.as_slice() {
            [] => e,
            names => encrypted(&self.path, &format!("column {}", names.join(", column ")))
                .help("ddf has no keys: read the other columns, or write the file anew without encryption"),
        }
    }
}

fn leaves(metadata: &ParquetMetaData) -> Vec<std::ops::Range<usize>> {
    let descr = metadata.file_metadata().schema_descr();
    let roots = descr.root_schema().get_fields().len();
    let mut ranges = vec![0..0; roots];
    for leaf in 0..descr.num_columns() {
        let range = &mut ranges[descr.get_column_root_idx(leaf)];
        if range.end == 0 {
            range.start = leaf;
        }
        range.end = leaf + 1;
    }
    ranges
}

/// Whether the numbers of the footer can be true for a file of that length.
fn check(metadata: &ParquetMetaData, bytes: u64) -> Result<(), ParquetError> {
    let wrong = |text: String| Err(ParquetError::General(text));
    let mut rows = 0i64;
    for (g, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() < 0 || group.num_rows() > 1 << 40 {
            return wrong(format!("row group {g} claims {} rows", group.num_rows()));
        }
        rows += group.num_rows();
        for column in group.columns() {
            let name = column.column_path().string();
            let start = column
                .dictionary_page_offset()
                .unwrap_or(column.data_page_offset())
                .min(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            if start < 0 || column.compressed_size() < 0 || end.is_none_or(|e| e as u64 > bytes) {
                return wrong(format!("column {name} of row group {g} lies outside the file"));
            }
            let flat = column.column_descr().max_rep_level() == 0;
            if flat && column.num_values() != group.num_rows() {
                let (values, rows) = (column.num_values(), group.num_rows());
                return wrong(format!(
                    "column {name} of row group {g} has {values} values for {rows} rows"
                ));
            }
        }
    }
    let claimed = metadata.file_metadata().num_rows();
    if claimed != rows {
        return wrong(format!("it claims {claimed} rows, its row groups {rows}"));
    }
    Ok(())
}
