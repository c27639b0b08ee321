//! Footers: read in parallel, checked against the length of the file, kept for all tasks.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::ParquetOptions;
use super::guard::{damaged, guarded};
use crate::error::{Error, Result};
use crate::memory::Retries;

/// What is known of a file without reading its data.
pub(super) struct FileFooter {
    pub path: PathBuf,
    pub bytes: u64,
    pub metadata: Arc<ParquetMetaData>,
    /// The top-level columns as Arrow sees them.
    pub schema: SchemaRef,
    /// The first leaf of each top-level column, and where the last one ends.
    pub leaves: Vec<std::ops::Range<usize>>,
}

impl FileFooter {
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
            done.push((i, read(path, &options.retries)));
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

fn read(path: &Path, retries: &Retries) -> Result<FileFooter> {
    let reader = FileReader::open(path, retries)?;
    let bytes = reader.len();
    if bytes < 12 {
        let why = format!("{bytes} bytes are too few for a Parquet file");
        return Err(damaged(path, "the footer", &why));
    }
    let mut magic = [0; 4];
    let read = |e: io::Error| Error::io("read", path, &e);
    reader.read_exact(&mut magic, 0).map_err(read)?;
    if &magic != b"PAR1" {
        return Err(damaged(
            path,
            "the footer",
            "it does not begin as a Parquet file does",
        ));
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    let loaded = guarded(path, "the footer", || ArrowReaderMetadata::load(&reader, options))?;
    let metadata = loaded.metadata().clone();
    guarded(path, "the footer", || check(&metadata, bytes))?;
    let leaves = guarded(path, "the footer", || Ok(leaves(&metadata)))?;
    Ok(FileFooter {
        path: path.to_path_buf(),
        bytes,
        schema: loaded.schema().clone(),
        metadata,
        leaves,
    })
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

/// An open file that counts the bytes read; never reads, or allocates for, more than the file holds.
#[derive(Clone)]
pub(super) struct FileReader {
    file: Arc<File>,
    path: Arc<Path>,
    length: u64,
    read: Arc<AtomicU64>,
    retries: Retries,
}

impl FileReader {
    pub(super) fn open(path: &Path, retries: &Retries) -> Result<FileReader> {
        let fail = |e: &io::Error| Error::io("open", path, e);
        let what = || format!("opening {}", path.display());
        let file = retries.read(what, 0, || File::open(path)).map_err(|e| fail(&e))?;
        let meta = file.metadata().map_err(|e| fail(&e))?;
        if meta.is_dir() {
            return Err(Error::input("this is a folder, not a Parquet file").at(path, 0, 0));
        }
        Ok(FileReader {
            file: Arc::new(file),
            path: path.into(),
            length: meta.len(),
            read: Arc::default(),
            retries: retries.clone(),
        })
    }

    /// Reads from a place; from the file opened anew where a server has forgotten the open one.
    fn retry<T>(&self, offset: u64, mut read: impl FnMut(&File) -> io::Result<T>) -> io::Result<T> {
        let what = || self.path.display().to_string();
        self.retries.read(what, offset, || match read(&self.file) {
            Err(e) if e.raw_os_error() == Some(libc::ESTALE) => read(&File::open(&self.path)?),
            other => other,
        })
    }

    fn read_exact(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.retry(offset, |f| f.read_exact_at(into, offset))
    }

    /// Bytes read since the last call.
    pub(in crate::source::parquet) fn take_bytes_read(&self) -> u64 {
        self.read.swap(0, Relaxed)
    }
}

impl Length for FileReader {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FileReader {
    type T = HeaderReader;

    fn get_read(&self, start: u64) -> Result<HeaderReader, ParquetError> {
        Ok(HeaderReader {
            reader: self.clone(),
            next: start,
            buffer: Vec::new(),
            at: 0,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} lie beyond the end of the file"
            )));
        }
        let mut bytes = vec![0; length];
        self.read_exact(&mut bytes, start)?;
        self.read.fetch_add(length as u64, Relaxed);
        Ok(bytes.into())
    }
}

/// Reads a page header: small reads that the parser asks for byte by byte.
pub(super) struct HeaderReader {
    reader: FileReader,
    next: u64,
    buffer: Vec<u8>,
    at: usize,
}

/// Most page headers fit; a longer one takes another read.
const HEADER_BYTES: usize = 512;

impl HeaderReader {
    /// What is read but not handed out; reads more where that is nothing. Empty: the file ends.
    pub(super) fn fill(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() {
            self.buffer.resize(HEADER_BYTES, 0);
            let (buffer, next) = (&mut self.buffer, self.next);
            let n = self.reader.retry(next, |f| f.read_at(buffer, next))?;
            self.buffer.truncate(n);
            self.next += n as u64;
            self.at = 0;
        }
        Ok(&self.buffer[self.at..])
    }
}

impl Read for HeaderReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let n = out.len().min(self.buffer.len() - self.at);
        out[..n].copy_from_slice(&self.buffer[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
