//! The first half of an aggregate: rows into groups, groups into buckets.
//!
//! ```text
//!   batch ─► Groups (table + states) ── refused memory, or no longer fits the cache ──┐
//!                                                                                      ▼
//!   finish() ─────────────────────────────────────────────► export, split by hash into 256 buckets
//!                                                             in memory, or one spill file, a block a bucket
//! ```

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::groups::{Groups, Layout};
use super::spec::AggregateSpec;
use crate::error::Result;
use crate::kernel::Batch;
use crate::memory::{Reservation, SpillWriter};
use crate::pipeline::{Bucket, Flow, Partition, RunContext, Sink, TaskContext};

/// Buckets of a partial aggregate: enough that one of them fits into memory when all are 256
/// times as large.
pub const BUCKETS: usize = 256;
/// Few groups go into one bucket: merging them is less work than handling 256 buckets.
const SMALL: usize = 4096;
/// A table of more groups than this leaves the cache; if it hardly unites rows any more, it is
/// emptied into the buckets, which are merged one by one within the cache.
const CACHE_GROUPS: usize = 1 << 18;

/// The bucket of a hash, of [`BUCKETS`].
pub fn bucket_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

/// Groups rows; one instance serves all tasks of a thread.
pub struct PartialAggregate {
    groups: Groups,
    layout: Arc<Layout>,
    run: Arc<RunContext>,
    reservation: Reservation,
    buckets: Vec<Bucket>,
    flushed: bool,
    /// Bytes of batches in `buckets`, reserved beside the table.
    in_buckets: usize,
    writer: Option<SpillWriter>,
    rows_since_flush: usize,
}

impl PartialAggregate {
    /// Groups rows of `input`.
    ///
    /// # Errors
    /// None at present.
    pub fn new(spec: &AggregateSpec, input: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        let layout = Arc::new(Layout::new(spec, input));
        Ok(PartialAggregate {
            groups: Groups::new(layout.clone()),
            layout,
            reservation: run.budget.reservation("grouping"),
            run: run.clone(),
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
            flushed: false,
            in_buckets: 0,
            writer: None,
            rows_since_flush: 0,
        })
    }

    /// Makes sure that a batch of `rows` can be taken in: spills what is here if it must.
    fn make_room(&mut self, rows: usize) -> Result<()> {
        let needed = self.groups.bytes() + self.groups.growth(rows) + self.in_buckets;
        if self.reservation.try_resize(needed).is_ok() {
            return Ok(());
        }
        self.flush(true)?;
        let needed = self.groups.bytes() + self.groups.growth(rows);
        let held = self.reservation.bytes();
        if needed > held && self.reservation.try_grow(needed - held).is_err() {
            // The least that any progress needs.
            self.reservation.grow_anyway(needed - held);
        }
        Ok(())
    }

    /// Empties the groups into the buckets, in memory or onto disk.
    fn flush(&mut self, spill: bool) -> Result<()> {
        self.groups.settle();
        let n = self.groups.table.groups();
        if n > 0 {
            for (b, list) in self.split(n).into_iter().enumerate() {
                if !list.is_empty() {
                    self.flush_bucket(b, &list, spill)?;
                }
            }
        }
        self.groups = Groups::new(self.layout.clone());
        self.flushed = true;
        self.rows_since_flush = 0;
        if spill {
            self.spill_buckets()?;
            self.reservation.free();
        }
        Ok(())
    }

    /// Group numbers by bucket; few groups stay together in the first one.
    fn split(&self, n: usize) -> Vec<Vec<u32>> {
        if n <= SMALL && !self.flushed {
            return vec![(0..n as u32).collect()];
        }
        let mut lists = vec![Vec::new(); BUCKETS];
        for g in 0..n as u32 {
            lists[bucket_of(self.groups.table.hash(g))].push(g);
        }
        lists
    }

    fn flush_bucket(&mut self, b: usize, list: &[u32], spill: bool) -> Result<()> {
        for part in list.chunks(Batch::TARGET_ROWS) {
            let batch = self.groups.export(part)?;
            let bucket = &mut self.buckets[b];
            bucket.rows += part.len() as u64;
            if spill {
                let writer = match &mut self.writer {
                    Some(w) => w,
                    none => none.insert(self.run.spill.create()?),
                };
                let block = writer.write(&batch)?;
                bucket.bytes += block.bytes() as u64;
                bucket.spilled.push((writer.file(), block));
            } else {
                let batch = Batch::new(batch.columns().to_vec(), part.len(), 0);
                bucket.bytes += batch.bytes() as u64;
                self.in_buckets += batch.bytes();
                bucket.batches.push(batch);
            }
        }
        Ok(())
    }

    /// Moves what lies in memory of all buckets onto disk.
    fn spill_buckets(&mut self) -> Result<()> {
        for bucket in &mut self.buckets {
            for batch in std::mem::take(&mut bucket.batches) {
                let writer = match &mut self.writer {
                    Some(w) => w,
                    none => none.insert(self.run.spill.create()?),
                };
                let record = arrow::array::RecordBatch::try_new(self.layout.exported.clone(), batch.columns)?;
                let block = writer.write(&record)?;
                bucket.spilled.push((writer.file(), block));
            }
        }
        self.in_buckets = 0;
        Ok(())
    }
}

impl Sink for PartialAggregate {
    fn push(&mut self, batch: Batch, _cx: &TaskContext) -> Result<Flow> {
        self.make_room(batch.rows)?;
        self.rows_since_flush += batch.rows;
        self.groups.update(&batch)?;
        let n = self.groups.table.groups();
        if n > CACHE_GROUPS && n * 2 > self.rows_since_flush {
            self.flush(false)?;
        }
        Ok(Flow::More)
    }

    fn finish(mut self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        if self.layout.spec.keys.is_empty() {
            self.groups.single(0);
        }
        self.groups.settle();
        let held = self.groups.bytes() + self.in_buckets;
        let fits = self
            .reservation
            .try_resize(held + self.groups.bytes() * 2)
            .is_ok();
        self.flush(!fits)?;
        let bytes = self.in_buckets;
        if self.reservation.try_resize(bytes).is_err() {
            self.reservation
                .grow_anyway(bytes.saturating_sub(self.reservation.bytes()));
        }
        let rows = self.buckets.iter().map(|b| b.rows).sum();
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets[0].reservation = Some(self.reservation.split(bytes));
        Ok(Partition {
            buckets,
            rows,
            notes: None,
        })
    }
}
