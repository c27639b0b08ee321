//! An open Parquet file: reads at places, tried again where they failed for a moment, counted.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::error::{Error, Result};
use crate::memory::Retries;

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

    pub(super) fn read_exact(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.retry(offset, |f| f.read_exact_at(into, offset))
    }

    /// Bytes read since the last call.
    pub(super) fn take_bytes_read(&self) -> u64 {
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
    /// Bytes of the file from here on.
    pub(super) fn bytes_left(&self) -> u64 {
        let ahead = (self.buffer.len() - self.at) as u64;
        self.reader.length.saturating_sub(self.next) + ahead
    }

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
