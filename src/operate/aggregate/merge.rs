//! The other end: the groups of a bucket, merged from all partial aggregates.
//!
//! ```text
//!   bucket b of every partition ─► chunks ─► Groups ─ fits ─► batches of keys and results
//!                                              └ refused ─► 256 sub-buckets by the next 8 hash bits ─► each the same way
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;

use super::AggregateSpec;
use super::finals::Finals;
use super::groups::Groups;
use super::plan::Plan;
use super::rows::{BUCKETS, BucketWriter, LEVELS, Rows, bucket_of, chunks};
use crate::error::Result;
use crate::kernel::Batch;
use crate::kernel::hash::hash_u128;
use crate::memory::{Reservation, SpillBlock, SpillFile};
use crate::pipeline::{Bucket, Partition, RunContext, Source, TaskContext};

/// Bytes of partial groups up to which neighbouring buckets are merged in one table.
const TOGETHER: u64 = 1 << 20;

/// The final groups of one bucket: batches of key and result columns, at most
/// [`Batch::TARGET_ROWS`] rows each, in no order.
///
/// Without keys there is one row, even of no input; it comes from the bucket of the empty key.
pub fn merge_bucket(
    spec: &AggregateSpec,
    input: &SchemaRef,
    bucket: usize,
    inputs: &[Arc<Partition>],
    run: &Arc<RunContext>,
) -> Result<Box<dyn Source>> {
    merge_buckets(spec, input, bucket..bucket + 1, inputs, run)
}

/// The final groups of several buckets, as [`merge_bucket`]; for small inputs all buckets in one
/// task.
pub fn merge_buckets(
    spec: &AggregateSpec,
    input: &SchemaRef,
    buckets: Range<usize>,
    inputs: &[Arc<Partition>],
    run: &Arc<RunContext>,
) -> Result<Box<dyn Source>> {
    let plan = Arc::new(Plan::new(spec, input)?);
    let unit = plan.keys.is_empty() && buckets.contains(&bucket_of(hash_u128(0), 0));
    let mut work = VecDeque::new();
    let mut job = Job::default();
    for b in buckets {
        let bytes: u64 = inputs
            .iter()
            .filter_map(|p| p.buckets.get(b))
            .map(|b| b.bytes)
            .sum();
        if job.bytes + bytes > TOGETHER && job.bytes > 0 {
            work.push_back(std::mem::take(&mut job));
        }
        job.bytes += bytes;
        job.inputs.extend(inputs.iter().map(|p| (p.clone(), b)));
    }
    if job.bytes > 0 || unit {
        work.push_back(job);
    }
    Ok(Box::new(Merge {
        groups: Groups::new(&plan)?,
        held: run.budget.reservation("merging groups"),
        run: run.clone(),
        work,
        unit,
        ready: None,
    }))
}

/// Some buckets that are merged in one table.
#[derive(Default)]
struct Job {
    inputs: Vec<(Arc<Partition>, usize)>,
    bytes: u64,
    level: u32,
}

struct Ready {
    finals: Finals,
    at: usize,
}

struct Merge {
    groups: Groups,
    held: Reservation,
    run: Arc<RunContext>,
    work: VecDeque<Job>,
    unit: bool,
    ready: Option<Ready>,
}

impl Source for Merge {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            if let Some(ready) = &mut self.ready {
                let end = (ready.at + Batch::TARGET_ROWS).min(self.groups.len());
                if ready.at < end {
                    let columns = self.groups.output(&mut ready.finals, ready.at..end)?;
                    let rows = end - ready.at;
                    ready.at = end;
                    return Ok(Some(Batch::new(columns, rows, 0)));
                }
                self.ready = None;
                self.groups.clear();
                self.held.free();
            }
            let Some(job) = self.work.pop_front() else {
                return Ok(None);
            };
            self.merge(job, cx)?;
        }
    }
}

impl Merge {
    fn merge(&mut self, job: Job, cx: &TaskContext) -> Result<()> {
        let mut split = None;
        for (partition, b) in &job.inputs {
            let Some(bucket) = partition.buckets.get(*b) else {
                continue;
            };
            each_chunk(bucket, &mut |chunk| {
                cx.check()?;
                self.take(chunk, job.level, &mut split)
            })?;
        }
        if split.is_none() && self.grow(self.groups.finals_bytes()).is_err() && job.level + 1 < LEVELS {
            split = Some(self.split(job.level)?);
        }
        if let Some(out) = split {
            let partition = Arc::new(out.finish()?);
            for b in 0..BUCKETS {
                let bytes = partition.buckets[b].bytes;
                if bytes > 0 {
                    let inputs = vec![(partition.clone(), b)];
                    self.work.push_front(Job {
                        inputs,
                        bytes,
                        level: job.level + 1,
                    });
                }
            }
            return Ok(());
        }
        if std::mem::take(&mut self.unit) {
            self.groups.ensure_unit();
        }
        let finals = self.groups.finals();
        self.ready = Some(Ready { finals, at: 0 });
        Ok(())
    }

    fn grow(&mut self, more: usize) -> Result<()> {
        self.held.try_resize(self.groups.bytes() + more)
    }

    /// Begins to split: all groups so far go into sub-buckets.
    fn split(&mut self, level: u32) -> Result<BucketWriter> {
        let mut out = BucketWriter::new(&self.run, level + 1);
        out.spill()?;
        self.groups.export(&mut out)?;
        self.groups.clear();
        self.held.free();
        Ok(out)
    }

    fn take(&mut self, chunk: &[u8], level: u32, split: &mut Option<BucketWriter>) -> Result<()> {
        let mut rows = Rows::new(chunk);
        if split.is_none() {
            let mut count = 0;
            while rows.next_row()?.is_some() {
                count += 1;
            }
            // values come encoded in one byte or more and are held in at most 16, sets in 64
            let need = self.groups.growth(count, chunk.len()) + chunk.len() * 4;
            if self.grow(need).is_err() {
                if level + 1 < LEVELS && self.groups.len() > 1 {
                    *split = Some(self.split(level)?);
                } else {
                    let want = self.groups.bytes() + need;
                    self.held.grow_anyway(want.saturating_sub(self.held.bytes()));
                }
            }
        }
        let Some(out) = split else {
            return self.groups.merge(chunk);
        };
        let mut rows = Rows::new(chunk);
        while let Some(row) = rows.next_row()? {
            out.copy(&chunk[row.start..row.end], row.hash)?;
        }
        Ok(())
    }
}

fn each_chunk(bucket: &Bucket, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let each = |all: Vec<Buffer>, take: &mut dyn FnMut(&[u8]) -> Result<()>| {
        all.iter().try_for_each(|chunk| take(chunk.as_slice()))
    };
    for batch in &bucket.batches {
        each(chunks(&batch.columns[0])?, take)?;
    }
    for (file, block) in &bucket.spilled {
        each(read(file, block)?, take)?;
    }
    Ok(())
}

fn read(file: &Arc<SpillFile>, block: &SpillBlock) -> Result<Vec<Buffer>> {
    chunks(file.read(block)?.column(0))
}
