//! Groups as bytes, in buckets by hash; in memory while the budget grants it, else spilled.
//!
//! ```text
//!   row:    length: u32 │ hash: u64 │ key: 16 bytes, or LONG length bytes │ what: u8 │ payload
//!   what:   0 = all states │ 1 + i = values of list i │ 1 + lists + i = values of set i
//!   chunk:  many rows of one bucket = one value of a Binary column (so it can travel as Arrow IPC)
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::{Reservation, SpillBlock, SpillFile, SpillWriter};
use crate::pipeline::{Bucket, Partition, RunContext};

use super::values::put_key;

/// Buckets of a partition.
pub const BUCKETS: usize = 256;
/// Bits of the hash that choose among them.
const BITS: u32 = 8;
/// How often buckets can be split again: 32 of the hash's bits serve for it.
pub const LEVELS: u32 = 4;
/// Bytes of a chunk: [`BUCKETS`] open ones make 4 MiB;
const CHUNK: usize = 16 << 10;
/// smaller where these would take more than this part of a thread's share of the memory,
const CHUNKS_SHARE: usize = 8;
/// but not smaller than this.
const LEAST_CHUNK: usize = 4 << 10;
/// Bytes of a block on disk, at most, where chunks in memory are spilled together.
const BLOCK: usize = 512 << 10;

/// The bucket of a hash at a level (0 for the buckets of a partition).
pub fn bucket_of(hash: u64, level: u32) -> usize {
    (hash >> (BITS * level)) as usize & (BUCKETS - 1)
}

#[derive(Debug, Default)]
struct Open {
    chunk: Vec<u8>,
    full: Vec<Vec<u8>>,
    spilled: Vec<(Arc<SpillFile>, SpillBlock)>,
    rows: u64,
    bytes: u64,
}

/// What remembering a block on disk takes: an entry of a list that doubles as it grows.
const ENTRY: usize = 2 * size_of::<(Arc<SpillFile>, SpillBlock)>();

/// Writes rows into buckets.
pub struct BucketWriter {
    run: Arc<RunContext>,
    buckets: Vec<Open>,
    level: u32,
    /// Bytes of a chunk.
    chunk: usize,
    file: Option<SpillWriter>,
    /// Full chunks in memory.
    held: Reservation,
    /// The open chunks and one block, so that spilling never needs more.
    own: Reservation,
    /// Once spilled, everything is.
    spilling: bool,
}

impl BucketWriter {
    /// A writer by the `level`-th bits of the hash.
    pub fn new(run: &Arc<RunContext>, level: u32) -> Self {
        BucketWriter {
            run: run.clone(),
            buckets: (0..BUCKETS).map(|_| Open::default()).collect(),
            level,
            chunk: (run.budget.limit() / run.threads.max(1) / CHUNKS_SHARE / BUCKETS)
                .clamp(LEAST_CHUNK, CHUNK),
            file: None,
            held: run.budget.reservation("grouping"),
            own: run.budget.reservation("grouping"),
            spilling: false,
        }
    }

    /// An empty writer of the same kind.
    pub fn anew(&self) -> Self {
        Self::new(&self.run, self.level)
    }

    /// From now on chunks go to disk.
    pub fn spill(&mut self) -> Result<()> {
        if self.spilling {
            return Ok(());
        }
        self.spilling = true;
        for b in 0..BUCKETS {
            let full = std::mem::take(&mut self.buckets[b].full);
            let mut block = Vec::new();
            self.held.shrink(full.iter().map(Vec::capacity).sum());
            for chunk in full {
                if !block.is_empty() && block.len() + chunk.len() > BLOCK {
                    self.write(b, std::mem::take(&mut block))?;
                }
                block.extend_from_slice(&chunk);
            }
            if !block.is_empty() {
                self.write(b, block)?;
            }
        }
        Ok(())
    }

    /// Writes one row; `payload` appends what follows `what`.
    pub fn row<'a>(
        &mut self,
        hash: u64,
        key: u128,
        long: impl FnOnce(u128) -> &'a [u8],
        what: u8,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        let b = bucket_of(hash, self.level);
        let chunk = self.begin(b);
        let start = chunk.len();
        chunk.extend_from_slice(&[0; 4]);
        chunk.extend_from_slice(&hash.to_le_bytes());
        put_key(chunk, key, long);
        chunk.push(what);
        payload(chunk);
        let len = (chunk.len() - start) as u32;
        chunk[start..start + 4].copy_from_slice(&len.to_le_bytes());
        self.end(b)
    }

    /// Copies a row that [`Rows`] read.
    pub fn copy(&mut self, row: &[u8], hash: u64) -> Result<()> {
        let b = bucket_of(hash, self.level);
        self.begin(b).extend_from_slice(row);
        self.end(b)
    }

    fn begin(&mut self, b: usize) -> &mut Vec<u8> {
        let (open, chunk) = (&mut self.buckets[b], self.chunk);
        if open.chunk.capacity() == 0 {
            // the first chunk of a bucket may stay small; later ones will be full
            let room = if open.bytes == 0 { 256 } else { chunk };
            open.chunk.reserve_exact(room);
            self.own.grow_anyway(chunk);
        }
        &mut open.chunk
    }

    fn end(&mut self, b: usize) -> Result<()> {
        let open = &mut self.buckets[b];
        open.rows += 1;
        // closing at three quarters leaves room for a usual row
        if open.chunk.len() >= self.chunk - self.chunk / 4 {
            self.close(b)?;
        }
        Ok(())
    }

    fn close(&mut self, b: usize) -> Result<()> {
        let chunk = std::mem::take(&mut self.buckets[b].chunk);
        if chunk.capacity() == 0 {
            return Ok(());
        }
        self.own.shrink(self.chunk);
        self.buckets[b].bytes += chunk.len() as u64;
        if !self.spilling && self.held.try_grow(chunk.capacity()).is_err() {
            self.spill()?;
        }
        if self.spilling {
            return self.write(b, chunk);
        }
        self.buckets[b].full.push(chunk);
        Ok(())
    }

    fn write(&mut self, b: usize, chunk: Vec<u8>) -> Result<()> {
        if self.file.is_none() {
            self.file = Some(self.run.spill.create()?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let block = file.write(&RecordBatch::try_new(schema(), vec![chunk_array(chunk)?])?)?;
        self.buckets[b].spilled.push((file.file(), block));
        self.held.grow_anyway(ENTRY);
        Ok(())
    }

    /// All buckets.
    pub fn finish(mut self) -> Result<Partition> {
        let mut partition = Partition::default();
        for b in 0..BUCKETS {
            if self.buckets[b].chunk.len() < self.chunk / 2 {
                self.buckets[b].chunk.shrink_to_fit();
            }
            self.close(b)?;
        }
        for open in self.buckets {
            let mut bucket = Bucket {
                spilled: open.spilled,
                ..Bucket::default()
            };
            let mut bytes = bucket.spilled.len() * ENTRY;
            for chunk in open.full {
                bytes += chunk.capacity();
                bucket.batches.push(Batch::new(vec![chunk_array(chunk)?], 1, 0));
            }
            bucket.reservation = Some(self.held.split(bytes));
            bucket.rows = open.rows;
            bucket.bytes = open.bytes;
            partition.rows += open.rows;
            partition.buckets.push(bucket);
        }
        Ok(partition)
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("groups", DataType::Binary, false)]))
}

fn chunk_array(chunk: Vec<u8>) -> Result<ArrayRef> {
    let end = i32::try_from(chunk.len())
        .map_err(|_| Error::limit("a group's key or text value is longer than 2 GiB"))?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, end]));
    Ok(Arc::new(BinaryArray::try_new(
        offsets,
        Buffer::from_vec(chunk),
        None,
    )?))
}

/// The chunks of a batch that a [`BucketWriter`] made.
pub fn chunks(column: &ArrayRef) -> Result<Vec<Buffer>> {
    let array = column.as_any().downcast_ref::<BinaryArray>().ok_or_else(broken)?;
    let range = |i: usize| (array.value_offsets()[i] as usize, array.value_length(i) as usize);
    Ok((0..array.len())
        .map(|i| array.values().slice_with_length(range(i).0, range(i).1))
        .collect())
}

/// The error for bytes that no [`BucketWriter`] wrote.
pub fn broken() -> Error {
    Error::defect("partial groups came back broken")
}

/// One row of a chunk: where it lies, its hash, and where its key begins.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Hash of the key.
    pub hash: u64,
}

impl Row {
    /// Bytes before the key.
    pub const HEAD: usize = 12;
}

/// Walks over the rows of a chunk.
pub struct Rows<'a> {
    chunk: &'a [u8],
    at: usize,
}

impl<'a> Rows<'a> {
    /// All rows of `chunk`.
    pub fn new(chunk: &'a [u8]) -> Self {
        Rows { chunk, at: 0 }
    }
    /// The next row.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        if self.at == self.chunk.len() {
            return Ok(None);
        }
        let head = self.chunk.get(self.at..self.at + Row::HEAD).ok_or_else(broken)?;
        let (len, hash) = head.split_at(4);
        let len = u32::from_le_bytes(len.try_into().map_err(|_| broken())?) as usize;
        let hash = u64::from_le_bytes(hash.try_into().map_err(|_| broken())?);
        let row = Row {
            start: self.at,
            end: self.at + len,
            hash,
        };
        if len <= Row::HEAD || row.end > self.chunk.len() {
            return Err(broken());
        }
        self.at = row.end;
        Ok(Some(row))
    }
}
