//! The first half of a sort: rows come in, sorted runs come out.
//!
//! ```text
//!   push ─► encode ─► store ──(memory refused)──► sort, spill as a run ─► empty store
//!                       │
//!                       └──(top-n: 2n rows)─────► sort, keep n; later rows behind the n-th are dropped unseen
//!   push ─(of each partition few)─► rows too far back are dropped unseen ─► encode
//!   many runs ─► merged into one of the next level, as soon as merging all could not hold their blocks
//!   finish ─► the last run stays in memory as far as three quarters of the limit allow, half if others are on disk
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::SchemaRef;

use super::SortSpec;
use super::bound::Bound;
use super::cells::{Block, Cells, record_batch};
use super::encode::Encoder;
use super::foremost::Foremost;
use super::heads::{Values, shortened};
use super::keys::{Codec, Key};
use super::merge::merge_blocks;
use super::store::{CHUNK_ROWS, Store};
use super::ties;
use crate::error::Result;
use crate::kernel::Batch;
use crate::memory::{Reservation, SpillWriter};
use crate::pipeline::{Bucket, Flow, Partition, RunContext, Sink, TaskContext};

/// Up to this limit a sink keeps candidates only.
const TOP_ROWS: u64 = 100_000;
/// A spilled block is about so large, where memory allows: long enough to be read at full speed.
const BLOCK_BYTES: usize = 512 << 10;
/// The dictionary of a key column may take this part of a thread's share of the memory,
const TEXTS_SHARE: usize = 16;
/// but at least so many bytes,
const LEAST_TEXTS: usize = 512 << 10;
/// and at most so many.
const MOST_TEXTS: usize = 128 << 20;
/// Blocks a merge task should be able to hold within its share of the memory.
const BLOCKS_A_SHARE: usize = 128;
/// Rows that are sorted into a chunk may take this part of a thread's share,
const SETTLE_SHARE: usize = 16;
/// but at least so many bytes,
const LEAST_SETTLE: usize = 512 << 10;
/// and at most so many: beyond, they are more rows than fit the cache anyway.
const MOST_SETTLE: usize = 32 << 20;

/// Bytes of a row's head in a merge.
const HEAD_BYTES: usize = 16;
/// So many runs may always be merged at once: fewer would mean endless levels.
const LEAST_FAN: usize = 4;
/// The level of a run that is not on disk.
const IN_MEMORY: u32 = u32::MAX;

/// The first row of a block: head, and input order where the head is exact (zero where not).
pub(super) type Mark = (u128, u64);

/// So many first rows of blocks become one block of keys: a block of one row takes a hundred times the bytes of
/// its keys where there are a hundred columns.
const FIRSTS: usize = 64;

/// The mark of a row.
pub(super) fn mark(head: u128, order: u64) -> Mark {
    (head, if head & 1 == 1 { 0 } else { order })
}

/// Where the blocks of a run begin, and what lies between.
#[derive(Debug, Default)]
pub(super) struct RunIndex {
    /// The keys of the first row of each block, as far as heads look at them, [`FIRSTS`] rows together.
    pub(super) firsts: Vec<Block>,
    /// Those that are not yet as many.
    last_firsts: Vec<Block>,
    /// The bounds of each key's values.
    pub(super) values: Vec<Values>,
    pub(super) rows: Vec<u32>,
}

impl RunIndex {
    /// Notes the next block of the run.
    fn note(&mut self, keys: &[Key], block: &Block) -> Result<()> {
        let mut first = ties::gather(keys, &[block], &[(0, 0)])?;
        self.values.resize(keys.len(), Values::None);
        for (values, key) in self.values.iter_mut().zip(keys) {
            let cells = &block.columns[key.column];
            *values = std::mem::take(values).with(Values::of(cells)).brief();
            if let Cells::Bytes(texts) = &mut first.columns[key.column] {
                *texts = texts.iter().map(|t| t.map(shortened)).collect();
            }
        }
        self.last_firsts.push(first);
        self.rows.push(block.rows() as u32);
        match self.last_firsts.len() {
            FIRSTS => self.put_together(keys),
            _ => Ok(()),
        }
    }

    /// Makes one block of the last first rows, once there are enough, or the run ends.
    fn put_together(&mut self, keys: &[Key]) -> Result<()> {
        let last = std::mem::take(&mut self.last_firsts);
        if !last.is_empty() {
            let at: Vec<(u32, u32)> = (0..last.len() as u32).map(|part| (part, 0)).collect();
            let parts: Vec<&Block> = last.iter().collect();
            self.firsts.push(ties::gather(keys, &parts, &at)?);
        }
        Ok(())
    }
}

/// The notes of a sink's partition: an index for each bucket.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) runs: Vec<RunIndex>,
}

/// Takes batches, leaves a [`Partition`] whose buckets are sorted runs.
///
/// May be fed by many tasks one after the other. What it keeps is reserved from the run's budget
/// beforehand; when refused it sorts and spills what it has.
pub struct SortSink {
    codec: Arc<Codec>,
    encoder: Encoder,
    store: Store,
    limit: usize,
    top: Option<Top>,
    foremost: Option<Foremost>,
    runs: Vec<Bucket>,
    /// How often the rows of each run were merged.
    levels: Vec<u32>,
    index: Vec<RunIndex>,
    spec: SortSpec,
    schema: SchemaRef,
    writer: Option<SpillWriter>,
    block_bytes: usize,
    /// Rows of a block, and how many runs may be merged at once, as of the last run.
    merging: Option<(usize, usize)>,
    reservation: Reservation,
    dictionaries: Reservation,
    run: Arc<RunContext>,
}

/// The state of a top-n.
struct Top {
    rows: usize,
    /// The n-th row so far.
    bound: Option<Bound>,
}

impl SortSink {
    /// A sink for rows of `schema`. Fails for key columns of a type that has no order.
    pub fn new(spec: &SortSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        let codec = Arc::new(Codec::new(spec, schema)?);
        let share = run.budget.limit() / run.threads.max(1);
        let texts = (share / TEXTS_SHARE).clamp(LEAST_TEXTS, MOST_TEXTS);
        let top = spec.limit.filter(|&n| n <= TOP_ROWS).map(|n| Top {
            rows: n as usize,
            bound: None,
        });
        Ok(SortSink {
            encoder: Encoder::new(spec, schema, &codec, if top.is_some() { 0 } else { texts }, share)?,
            codec,
            store: Store::new((share / SETTLE_SHARE).clamp(LEAST_SETTLE, MOST_SETTLE)),
            limit: spec
                .limit
                .map_or(usize::MAX, |n| n.min(usize::MAX as u64) as usize),
            top,
            foremost: Foremost::new(spec, schema, run)?,
            runs: Vec::new(),
            levels: Vec::new(),
            index: Vec::new(),
            spec: spec.clone(),
            schema: schema.clone(),
            writer: None,
            merging: None,
            block_bytes: (share / BLOCKS_A_SHARE).clamp(4 << 10, BLOCK_BYTES),
            reservation: run.budget.reservation("sorting"),
            dictionaries: run.budget.reservation("sorting"),
            run: run.clone(),
        })
    }

    fn push_piece(&mut self, mut batch: Batch) -> Result<()> {
        let mut orders: Vec<u64> = (batch.position..batch.position + batch.rows as u64).collect();
        if let Some(bound) = self.top.as_ref().and_then(|t| t.bound.as_ref()) {
            let before = bound.before(&self.codec.keys, &self.encoder, &batch, &orders)?;
            retain(&mut batch, &mut orders, before)?;
        }
        if !orders.is_empty() {
            self.leave_out(&mut batch, &mut orders)?;
        }
        if orders.is_empty() {
            return Ok(());
        }
        let mut changed = false;
        let block = self
            .encoder
            .encode(&batch, orders, self.store.widths(), &mut changed)?;
        drop(batch);
        if changed && self.store.rows() > 0 {
            self.seal(self.most_in_memory())?;
        } else if changed || self.store.is_full() {
            self.spill()?;
        }
        self.dictionaries.resize_anyway(self.encoder.bytes());
        let mut granted = self.grow(&block).is_ok();
        if !granted && self.store.rows() > 0 {
            self.spill()?;
            granted = self.grow(&block).is_ok();
        }
        if !granted {
            // One batch must be held to make progress; it goes to disk at once.
            self.reservation.grow_anyway(self.store.cost_with(&block));
        }
        self.store.push(block, &self.codec, self.encoder.key_texts())?;
        if !granted {
            self.spill()?;
        }
        self.prune()
    }

    /// Leaves out rows that stand too far back in their partition, if only the foremost are wanted.
    fn leave_out(&mut self, batch: &mut Batch, orders: &mut Vec<u64>) -> Result<()> {
        let Some(foremost) = &mut self.foremost else {
            return Ok(());
        };
        let Some(wanted) = foremost.wanted(&self.encoder.encode_keys(batch)?, orders) else {
            self.foremost = None;
            return Ok(());
        };
        retain(batch, orders, wanted)
    }

    /// Reserves what the store takes with `block`.
    fn grow(&mut self, block: &Block) -> Result<()> {
        let cost = self.store.cost_with(block);
        self.reservation
            .try_grow(cost.saturating_sub(self.reservation.bytes()))
    }

    /// Forgets the rows of a top-n that cannot be in the result.
    fn prune(&mut self) -> Result<()> {
        let Some(top) = &mut self.top else {
            return Ok(());
        };
        if self.store.rows() < 2 * top.rows + CHUNK_ROWS {
            return Ok(());
        }
        let mut places = self.store.sort(&self.codec, self.encoder.key_texts())?;
        places.truncate(top.rows);
        if let Some(last) = places.last() {
            top.bound = Some(Bound::new(self.store.gather(&[*last])?));
        }
        let mut kept = self.store.anew();
        for part in places.chunks(CHUNK_ROWS) {
            let block = self.store.gather(part)?;
            kept.push(block, &self.codec, self.encoder.key_texts())?;
        }
        self.store = kept;
        let less = self.reservation.bytes().saturating_sub(self.store.cost());
        self.reservation.shrink(less);
        Ok(())
    }

    fn block_rows(&self) -> usize {
        (self.block_bytes / self.store.row_bytes().max(1)).clamp(1, Batch::TARGET_ROWS)
    }

    /// Sorts what there is and writes it to disk as a run.
    fn spill(&mut self) -> Result<()> {
        self.seal(0)
    }

    /// So many bytes may be taken by rows that stay in memory until they are merged: of runs on disk, blocks will be
    /// there beside them.
    fn most_in_memory(&self) -> usize {
        let quarter = self.run.budget.limit() / 4;
        if self.runs.is_empty() {
            3 * quarter
        } else {
            2 * quarter
        }
    }

    /// Ends a run; its head stays in memory as long as no more than `most_used` bytes are taken.
    fn seal(&mut self, most_used: usize) -> Result<()> {
        let block_rows = self.block_rows();
        let mut places = self.store.sort(&self.codec, self.encoder.key_texts())?;
        places.truncate(self.limit);
        let mut bucket = Bucket::default();
        let mut index = RunIndex::default();
        let mut kept = self.run.budget.reservation("sorted rows");
        let mut buffer = self.run.budget.reservation("sorting");
        let header = self.encoder.header();
        let mut in_memory = most_used > 0;
        for part in places.chunks(block_rows) {
            let block = self.store.gather(part)?;
            index.note(&self.codec.keys, &block)?;
            bucket.rows += part.len() as u64;
            if in_memory {
                let fits = self.run.budget.used() + block.bytes() <= most_used;
                in_memory = fits && kept.try_grow(block.bytes()).is_ok();
            }
            if in_memory {
                if bucket.batches.is_empty() {
                    bucket.batches.push(Batch::new(header.clone(), 1, 0));
                }
                bucket.bytes += block.bytes() as u64;
                bucket.batches.push(Batch::new(block.to_arrays(), part.len(), 0));
                continue;
            }
            if bucket.batches.is_empty() && bucket.spilled.is_empty() {
                self.write(header.clone(), &mut bucket)?;
            }
            if buffer.bytes() == 0 {
                buffer.grow_anyway(2 * block.bytes());
            }
            self.write_block(&block, &mut bucket)?;
        }
        index.put_together(&self.codec.keys)?;
        bucket.reservation = Some(kept);
        if bucket.rows > 0 {
            let on_disk = bucket.batches.is_empty();
            self.runs.push(bucket);
            self.levels.push(if on_disk { 0 } else { IN_MEMORY });
            self.index.push(index);
        }
        let block_bytes = block_rows * (self.store.row_bytes() + HEAD_BYTES);
        let header_bytes = header.iter().map(|a| a.get_array_memory_size()).sum();
        let fan = self.fan(block_bytes, header_bytes);
        self.store = self.store.anew();
        self.encoder.next_run();
        self.reservation.free();
        drop((places, buffer));
        self.merging = Some((block_rows, fan));
        self.merge_levels(block_rows, fan)
    }

    /// Merges the last runs into one where so many have been merged equally often that the merge of
    /// all would need too much.
    fn merge_levels(&mut self, block_rows: usize, fan: usize) -> Result<()> {
        while let Some(&level) = self.levels.last() {
            let first = self.levels.len() - self.levels.iter().rev().take_while(|&&l| l == level).count();
            if level == IN_MEMORY || self.levels.len() - first < fan {
                break;
            }
            self.merge_from(first, level + 1, block_rows)?;
        }
        Ok(())
    }

    /// So many runs of a sink may be there when all are merged: every thread holds a block of each run of every
    /// sink, and all threads together the dictionaries that each run opens with, in a quarter of the memory; what
    /// the rows become takes the rest.
    fn fan(&self, block_bytes: usize, header_bytes: usize) -> usize {
        let threads = self.run.threads.max(1);
        let of_run = threads * block_bytes + header_bytes;
        (self.run.budget.limit() / 4 / threads / of_run.max(1)).max(LEAST_FAN)
    }

    /// Merges the runs of all levels until no more are left than can be merged at once, those first that have been
    /// merged least.
    fn merge_rest(&mut self) -> Result<()> {
        let Some((block_rows, fan)) = self.merging else {
            return Ok(());
        };
        let on_disk = self.levels.iter().rev().take_while(|&&l| l != IN_MEMORY).count();
        // of those to come, one will be in memory
        let too_many = (self.runs.len() + 1).saturating_sub(fan);
        match too_many.min(on_disk.saturating_sub(1)) {
            0 => Ok(()),
            n => {
                let first = self.runs.len() - n - 1;
                self.merge_from(first, self.levels[first] + 1, block_rows)
            }
        }
    }

    /// Merges all runs from the `first` into one of that level.
    fn merge_from(&mut self, first: usize, level: u32, block_rows: usize) -> Result<()> {
        let notes = Notes {
            runs: self.index.drain(first..).collect(),
        };
        let partition = Partition {
            buckets: self.runs.drain(first..).collect(),
            notes: Some(Arc::new(notes)),
            ..Partition::default()
        };
        self.levels.truncate(first);
        // Each level has its own file, so that the space of merged runs is given back.
        self.writer = None;
        let mut merged = merge_blocks(&self.spec, &self.schema, partition, &self.run)?;
        let (mut bucket, mut index) = (Bucket::default(), RunIndex::default());
        while let Some(block) = merged.next(block_rows)? {
            index.note(&self.codec.keys, &block)?;
            bucket.rows += block.rows() as u64;
            self.write_block(&block, &mut bucket)?;
        }
        index.put_together(&self.codec.keys)?;
        self.writer = None;
        self.runs.push(bucket);
        self.levels.push(level);
        self.index.push(index);
        Ok(())
    }

    fn write_block(&mut self, block: &Block, bucket: &mut Bucket) -> Result<()> {
        self.write(block.to_arrays(), bucket)
    }

    fn write(&mut self, arrays: Vec<ArrayRef>, bucket: &mut Bucket) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.run.spill.create()?),
        };
        let block = writer.write(&record_batch(arrays)?)?;
        bucket.bytes += block.bytes() as u64;
        bucket.spilled.push((writer.file(), block));
        Ok(())
    }
}

/// Keeps the rows of a batch that are wanted.
fn retain(batch: &mut Batch, orders: &mut Vec<u64>, wanted: Vec<bool>) -> Result<()> {
    let mut keep = wanted.iter();
    orders.retain(|_| keep.next().is_some_and(|&w| w));
    if !orders.is_empty() && orders.len() < batch.rows {
        *batch = batch.filter(&BooleanArray::from(wanted))?;
    }
    Ok(())
}

impl Sink for SortSink {
    fn push(&mut self, batch: Batch, cx: &TaskContext) -> Result<Flow> {
        if self.limit == 0 {
            return Ok(Flow::Enough);
        }
        for start in (0..batch.rows).step_by(CHUNK_ROWS) {
            cx.check()?;
            self.push_piece(batch.slice(start, CHUNK_ROWS.min(batch.rows - start)))?;
        }
        Ok(Flow::More)
    }

    fn finish(mut self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        self.foremost = None;
        self.merge_rest()?;
        if self.store.rows() > 0 {
            self.seal(self.most_in_memory())?;
        }
        Ok(Partition {
            rows: self.runs.iter().map(|b| b.rows).sum(),
            buckets: self.runs,
            notes: Some(Arc::new(Notes { runs: self.index })),
            local: None,
        })
    }
}
