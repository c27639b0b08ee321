//! Spill files: batches written once in blocks, read back by block, gone with their last reader.
//!
//! ```text
//!   SpillWriter.write(batch) ─► SpillBlock { offset, bytes, rows, checksum }   (plain data, kept in memory)
//!   SpillFile.read(&block)   ─► batch                                          (pread; any order, any thread)
//!   SpillFile.append_parts(bytes, ends) ─► SpillParts ─ read(i) ─► bytes       (one write, many small reads)
//! ```
//!
//! A file is created in a private place and unlinked at once (`O_TMPFILE` by `tempfile`), so a
//! kill leaves nothing behind. One writer serves many buckets: a bucket is a list of blocks. So
//! the number of open files is that of tasks at work, never that of buckets. A block is an Arrow
//! IPC stream (uncompressed, 4 GB/s) whose integer columns were first made as narrow as their
//! values allow, or plain bytes.

use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{Copies, Retries};
use crate::error::{Error, Kind, Result, plain_io};
use crate::observe::Progress;

/// Where spill files go, how much they may hold, and how much they hold now.
#[derive(Debug)]
pub struct SpillDir {
    path: PathBuf,
    max_bytes: u64,
    now: AtomicU64,
    /// What is on the same disk before.
    copies: Copies,
    progress: Arc<Progress>,
    retries: Retries,
    /// The file of [`SpillDir::write_shared`] while somebody holds a block of it.
    shared: Mutex<Weak<SpillFile>>,
}

impl SpillDir {
    /// Spill files below `path` (created when first needed), at most `max_bytes` in all.
    pub fn new(path: impl Into<PathBuf>, max_bytes: u64, progress: Arc<Progress>) -> Arc<Self> {
        SpillDir::with_retries(path, max_bytes, progress, Retries::default())
    }

    /// The same, where copies of inputs count too.
    pub fn beside(
        copies: &Copies,
        path: impl Into<PathBuf>,
        max_bytes: u64,
        progress: Arc<Progress>,
    ) -> Arc<Self> {
        Arc::new(SpillDir {
            copies: copies.clone(),
            ..SpillDir::empty(path.into(), max_bytes, progress, Retries::default())
        })
    }

    /// The same, with a number of times that a read is tried again.
    pub fn with_retries(
        path: impl Into<PathBuf>,
        max_bytes: u64,
        progress: Arc<Progress>,
        retries: Retries,
    ) -> Arc<Self> {
        Arc::new(SpillDir::empty(path.into(), max_bytes, progress, retries))
    }

    fn empty(path: PathBuf, max_bytes: u64, progress: Arc<Progress>, retries: Retries) -> Self {
        SpillDir {
            path,
            max_bytes,
            now: AtomicU64::new(0),
            copies: Copies::default(),
            progress,
            retries,
            shared: Mutex::default(),
        }
    }

    /// Writes a batch as one block into a file that all tasks share: for tasks by the thousand that
    /// each leave a little, of which none may keep a file open.
    ///
    /// # Errors
    /// The disk is full, or the limit of all spill files is reached.
    pub fn write_shared(self: &Arc<Self>, batch: &RecordBatch) -> Result<(Arc<SpillFile>, SpillBlock)> {
        let bytes = ipc_bytes(batch)?;
        let mut shared = self.shared.lock().unwrap_or_else(|e| e.into_inner());
        let mut writer = match shared.upgrade() {
            Some(file) => SpillWriter { file },
            None => self.create()?,
        };
        *shared = Arc::downgrade(&writer.file);
        drop(shared);
        let block = writer.write_bytes(&bytes, batch.num_rows() as u32)?;
        Ok((writer.file, block))
    }

    /// A new, empty spill file.
    pub fn create(self: &Arc<Self>) -> Result<SpillWriter> {
        let file = tempfile::tempfile_in(&self.path).map_err(|e| {
            Error::io("create a spill file in", &self.path, &e).help("choose another folder with --spill-dir")
        })?;
        let shared = SpillFile {
            file,
            dir: self.clone(),
            written: AtomicU64::new(0),
        };
        Ok(SpillWriter {
            file: Arc::new(shared),
        })
    }

    /// How often reads were tried again.
    pub fn retries(&self) -> &Retries {
        &self.retries
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn take(&self, bytes: u64) -> Result<()> {
        let now = self.now.fetch_add(bytes, Relaxed) + bytes;
        let is_over = || now.saturating_add(self.copies.bytes()) > self.max_bytes;
        if is_over() {
            self.copies.give_up();
        }
        if is_over() {
            self.now.fetch_sub(bytes, Relaxed);
            return Err(Error::limit(format!(
                "spill files in {} would exceed {} MiB",
                self.path.display(),
                self.max_bytes >> 20
            ))
            .help("allow more with --max-spill, or more memory with --memory"));
        }
        self.progress.add_spilled(bytes);
        Ok(())
    }
}

/// Where one block lies in its file.
#[derive(Debug, Clone, Copy)]
pub struct SpillBlock {
    offset: u64,
    bytes: u32,
    checksum: u32,
    /// Rows in the block (zero for plain bytes).
    pub rows: u32,
}

impl SpillBlock {
    /// Bytes on disk.
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

/// A spill file that is being written.
#[derive(Debug)]
pub struct SpillWriter {
    file: Arc<SpillFile>,
}

impl SpillWriter {
    /// Appends a batch as one block (keep blocks between 64 KiB and 8 MiB).
    pub fn write(&mut self, batch: &RecordBatch) -> Result<SpillBlock> {
        self.write_bytes(&ipc_bytes(batch)?, batch.num_rows() as u32)
    }

    /// Appends plain bytes as one block.
    pub fn write_bytes(&mut self, bytes: &[u8], rows: u32) -> Result<SpillBlock> {
        Ok(SpillBlock {
            bytes: short(bytes.len())?,
            offset: self.file.append(bytes)?,
            checksum: checksum(bytes),
            rows,
        })
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.file.written.load(Relaxed)
    }

    /// The file, for reading; may be taken before the writing is over.
    pub fn file(&self) -> Arc<SpillFile> {
        self.file.clone()
    }
}

fn ipc_bytes(batch: &RecordBatch) -> Result<Vec<u8>> {
    let capacity = batch.get_array_memory_size();
    let mut w = StreamWriter::try_new(Vec::with_capacity(capacity), batch.schema_ref())?;
    w.write(batch)?;
    Ok(w.into_inner()?)
}

/// A spill file for reading. The disk space is freed with the last handle.
#[derive(Debug)]
pub struct SpillFile {
    file: File,
    dir: Arc<SpillDir>,
    /// Its length: whoever writes takes the place behind.
    written: AtomicU64,
}

/// Parts that were written with one write and are read one by one.
#[derive(Debug)]
pub struct SpillParts {
    file: Arc<SpillFile>,
    offset: u64,
    ends: Vec<u32>,
    checksums: Vec<u32>,
}

impl SpillParts {
    /// What remembering a part takes.
    pub const ENTRY: usize = 8;

    /// Bytes of a part.
    pub fn bytes(&self, part: usize) -> usize {
        let range = self.range(part);
        range.end - range.start
    }

    fn range(&self, part: usize) -> std::ops::Range<usize> {
        let before = part.checked_sub(1).map_or(0, |p| self.ends[p] as usize);
        before..self.ends[part] as usize
    }

    /// Reads a part in place of what `into` holds.
    ///
    /// # Errors
    /// The file cannot be read, or has changed.
    pub fn read(&self, part: usize, into: &mut Vec<u8>) -> Result<()> {
        let range = self.range(part);
        into.resize(range.len(), 0);
        self.file.read_at(into, self.offset + range.start as u64)?;
        match checksum(into) == self.checksums[part] {
            true => Ok(()),
            false => Err(self.file.damaged()),
        }
    }
}

impl SpillFile {
    /// Appends bytes of which parts will be read: where each of them ends, in ascending order. Any
    /// number of threads may do so at once.
    ///
    /// # Errors
    /// The disk is full, or the limit of all spill files is reached.
    pub fn append_parts(self: &Arc<Self>, bytes: &[u8], ends: Vec<u32>) -> Result<SpillParts> {
        short(bytes.len())?;
        let offset = self.append(bytes)?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let checksums = (starts.zip(&ends)).map(|(from, &to)| checksum(&bytes[from as usize..to as usize]));
        Ok(SpillParts {
            offset,
            checksums: checksums.collect(),
            file: self.clone(),
            ends,
        })
    }

    /// Appends bytes; answers where they lie.
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        self.dir.take(bytes.len() as u64)?;
        let offset = self.written.fetch_add(bytes.len() as u64, Relaxed);
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| self.write_error(&e))?;
        Ok(offset)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<()> {
        let what = || format!("a spill file in {}", self.dir.path.display());
        (self.dir.retries)
            .read(what, offset, || self.file.read_exact_at(into, offset))
            .map_err(|e| Error::io("read back a spill file in", &self.dir.path, &e))
    }

    /// Reads a block written by [`SpillWriter::write`].
    pub fn read(&self, block: &SpillBlock) -> Result<RecordBatch> {
        let bytes = self.read_bytes(block)?;
        let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
        match reader.next() {
            Some(batch) => Ok(batch?),
            None => Err(self.damaged()),
        }
    }

    /// Reads the bytes of a block.
    pub fn read_bytes(&self, block: &SpillBlock) -> Result<Vec<u8>> {
        let mut bytes = vec![0; block.bytes as usize];
        self.read_at(&mut bytes, block.offset)?;
        if checksum(&bytes) != block.checksum {
            return Err(self.damaged());
        }
        Ok(bytes)
    }

    fn damaged(&self) -> Error {
        Error::new(
            Kind::Environment,
            format!("a spill file in {} came back damaged", self.dir.path.display()),
        )
        .help("check the disk, or choose another folder with --spill-dir")
    }

    fn write_error(&self, e: &std::io::Error) -> Error {
        let kind = if e.raw_os_error() == Some(libc::ENOSPC) {
            Kind::Limit
        } else {
            Kind::Environment
        };
        Error::new(
            kind,
            format!(
                "cannot write a spill file in {}: {}",
                self.dir.path.display(),
                plain_io(e)
            ),
        )
        .help("free some disk space, choose another folder with --spill-dir, or give more --memory")
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        let bytes = self.written.load(Relaxed);
        self.dir.now.fetch_sub(bytes, Relaxed);
        self.dir.progress.spill_now.fetch_sub(bytes, Relaxed);
    }
}

fn short(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::defect("a spill block over 4 GiB"))
}

fn checksum(bytes: &[u8]) -> u32 {
    use std::hash::{BuildHasher, Hasher};
    let mut h = foldhash::fast::FixedState::with_seed(0x5b1).build_hasher();
    h.write(bytes);
    h.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::record_batch::RecordBatch;

    fn dir(max: u64) -> Arc<SpillDir> {
        SpillDir::new(std::env::temp_dir(), max, Arc::default())
    }

    #[test]
    fn batches_come_back_in_any_order() {
        let mut w = dir(1 << 20).create().unwrap();
        let batch = |n: i64| {
            let ints = Int64Array::from_iter((0..n).map(|i| (i % 3 > 0).then_some(i)));
            let text = StringViewArray::from_iter_values((0..n).map(|i| format!("a longer text {i}")));
            RecordBatch::try_from_iter([("i", Arc::new(ints) as _), ("t", Arc::new(text) as _)]).unwrap()
        };
        let (a, b) = (w.write(&batch(100)).unwrap(), w.write(&batch(7)).unwrap());
        let file = w.file();
        drop(w);
        assert_eq!(file.read(&b).unwrap(), batch(7));
        assert_eq!(file.read(&a).unwrap(), batch(100));
    }

    #[test]
    fn the_limit_is_an_error_and_space_returns() {
        let dir = dir(1000);
        let mut w = dir.create().unwrap();
        w.write_bytes(&[1; 900], 0).unwrap();
        assert_eq!(w.write_bytes(&[1; 200], 0).unwrap_err().kind(), Kind::Limit);
        drop(w);
        dir.create().unwrap().write_bytes(&[1; 900], 0).unwrap();
    }

    #[test]
    fn one_file_for_all_until_nobody_needs_it() {
        let dir = dir(1 << 20);
        let batch = |n: i64| {
            let ints = Int64Array::from_iter_values(0..n);
            RecordBatch::try_from_iter([("i", Arc::new(ints) as _)]).unwrap()
        };
        let (file, a) = dir.write_shared(&batch(10)).unwrap();
        let (again, b) = dir.write_shared(&batch(20)).unwrap();
        assert!(Arc::ptr_eq(&file, &again));
        assert_eq!(
            (file.read(&a).unwrap(), file.read(&b).unwrap()),
            (batch(10), batch(20))
        );
        drop((file, again));
        assert_eq!(dir.now.load(Relaxed), 0);
        let (file, c) = dir.write_shared(&batch(5)).unwrap();
        assert_eq!((c.offset, file.read(&c).unwrap()), (0, batch(5)));
    }

    #[test]
    fn parts_are_read_one_by_one() {
        let dir = dir(1 << 20);
        let file = dir.create().unwrap().file();
        let first = file.append_parts(b"onethree", vec![3, 3, 8]).unwrap();
        let second = file.append_parts(b"five", vec![4]).unwrap();
        let mut bytes = Vec::new();
        for (parts, part, want) in [
            (&second, 0, "five"),
            (&first, 2, "three"),
            (&first, 1, ""),
            (&first, 0, "one"),
        ] {
            parts.read(part, &mut bytes).unwrap();
            assert_eq!(
                (bytes.as_slice(), parts.bytes(part)),
                (want.as_bytes(), want.len())
            );
        }
        let wrong = SpillParts {
            checksums: vec![1],
            ..second
        };
        assert!(wrong.read(0, &mut bytes).is_err());
    }

    #[test]
    fn reads_that_fail_for_a_moment_are_tried_again() {
        let calls = Arc::new(AtomicU64::new(0));
        let count = calls.clone();
        // every read fails twice
        let fault = move |_| {
            (count.fetch_add(1, Relaxed) % 3 < 2).then(|| std::io::Error::from_raw_os_error(libc::EIO))
        };
        let temp = std::env::temp_dir();
        let dir = SpillDir::with_retries(&temp, 1000, Arc::default(), Retries::with_faults(2, fault));
        let mut w = dir.create().unwrap();
        let block = w.write_bytes(b"hello", 0).unwrap();
        assert_eq!(w.file().read_bytes(&block).unwrap(), b"hello");
        assert_eq!((dir.retries().made(), calls.load(Relaxed)), (2, 3));
        let always = |_| Some(std::io::Error::from_raw_os_error(libc::EIO));
        let dir = SpillDir::with_retries(&temp, 1000, Arc::default(), Retries::with_faults(2, always));
        let mut w = dir.create().unwrap();
        let block = w.write_bytes(b"hello", 0).unwrap();
        let e = w.file().read_bytes(&block).unwrap_err();
        assert_eq!((e.kind(), dir.retries().made()), (Kind::Environment, 2));
    }

    #[test]
    fn damage_is_noticed() {
        let mut w = dir(1000).create().unwrap();
        let mut block = w.write_bytes(b"hello", 0).unwrap();
        block.checksum ^= 1;
        assert!(w.file().read_bytes(&block).is_err());
    }
}
