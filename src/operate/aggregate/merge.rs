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
use super::groups::{Groups, TextSizes};
use super::heavy;
use super::plan::Plan;
use super::rows::{BUCKETS, BucketWriter, LEVELS, Rows, broken, bucket_of, chunks};
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::kernel::hash::hash_u128;
use crate::memory::{Reservation, SpillBlock, SpillFile};
use crate::pipeline::{Bucket, Partition, RunContext, Source, TaskContext};

/// Bytes of partial groups up to which neighbouring buckets are merged in one table.
const TOGETHER: u64 = 1 << 20;

/// What a value takes in a batch, about.
const CELL: usize = 16;

/// What texts that are put together take at once: as they came, their places, the result, and what the
/// operators behind make of it.
const TEXT_COPIES: usize = 4;
/// A place among them.
const TEXT_PLACE: usize = 4;

/// Bytes of a table that is kept from one job to the next.
const RECYCLE: usize = 16 << 20;

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
    let nothing = inputs.iter().all(|p| p.bytes() == 0);
    let totals = spec.totals.clone().filter(|_| nothing && buckets.contains(&0));
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
    if job.bytes > 0 || unit || totals.is_some() {
        work.push_back(job);
    }
    Ok(Box::new(Merge {
        groups: Groups::new(&plan)?,
        held: run.budget.reservation("merging groups"),
        rows: run.rows_of(CELL * (plan.keys.len() + plan.finals.len())),
        run: run.clone(),
        work,
        unit,
        totals,
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
    /// Of a batch, at most.
    rows: usize,
    run: Arc<RunContext>,
    work: VecDeque<Job>,
    unit: bool,
    /// What groups there are although there is no row.
    totals: Option<(usize, Vec<i64>)>,
    ready: Option<Ready>,
}

impl Source for Merge {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            if let Some(ready) = &mut self.ready {
                let end = self.groups.some(ready.at, self.rows, self.run.batch_bytes());
                let rows = end - ready.at;
                let columns = match rows {
                    0 => Vec::new(),
                    _ => self.groups.output(&mut ready.finals, ready.at..end)?,
                };
                ready.at = end;
                if end == self.groups.len() {
                    self.ready = None;
                    // the next job is likely of the same size; a large table is given back
                    match self.groups.bytes() < RECYCLE {
                        true => self.groups.recycle(),
                        false => self.forget(),
                    }
                }
                if rows > 0 {
                    return Ok(Some(Batch::new(columns, rows, 0)));
                }
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
        let mut full = false;
        each_input(&job, cx, &mut |chunk| {
            if !full {
                full = !self.take(chunk, job.level, &mut split)?;
            }
            Ok(())
        })?;
        full |= split.is_none() && self.grow(self.groups.finals_bytes()).is_err();
        if full && !single_key(&job, cx)? && job.level + 1 < LEVELS {
            // begin again, distributing all rows
            self.forget();
            let out = split.insert(self.split(job.level)?);
            each_input(&job, cx, &mut |chunk| distribute(chunk, out))?;
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
        let finals = match full && single_key(&job, cx)? {
            true => self.heavy(&job, cx)?,
            false => self.finals(full, &job, cx)?,
        };
        self.ready = Some(Ready { finals, at: 0 });
        Ok(())
    }

    fn finals(&mut self, full: bool, job: &Job, cx: &TaskContext) -> Result<Finals> {
        if full {
            // keys that agree in 32 bits of their hash, and too much memory: not by chance
            self.forget();
            each_input(job, cx, &mut |chunk| self.groups.merge(chunk, true))?;
            let want = self.groups.bytes() + self.groups.finals_bytes();
            self.held.grow_anyway(want);
        }
        if std::mem::take(&mut self.unit) {
            self.groups.ensure_unit();
        }
        if let Some((key, values)) = self.totals.take() {
            self.groups.ensure_totals(key, values)?;
        }
        Ok(self.groups.finals())
    }

    /// The one group of a job whose values exceed the memory.
    fn heavy(&mut self, job: &Job, cx: &TaskContext) -> Result<Finals> {
        self.forget();
        if self.groups.has_texts() {
            self.make_room_for_texts(job, cx)?;
        }
        each_input(job, cx, &mut |chunk| self.groups.merge(chunk, false))?;
        self.unit = false;
        let besides = self.groups.bytes().saturating_sub(self.held.bytes());
        self.held.grow_anyway(besides);
        let plan = self.groups.plan.clone();
        let mut finals = self.groups.finals();
        let mut pass = |take: &mut dyn FnMut(&[u8]) -> Result<()>| each_input(job, cx, take);
        finals.heavy = heavy::quantiles(&plan, &mut pass)?;
        for (set, counts) in finals.counts.iter_mut().enumerate() {
            *counts = vec![heavy::distinct(&plan, set, &mut self.held, &mut pass)?];
        }
        Ok(finals)
    }

    /// Counts the texts that one group puts together, and takes room for just them. No passes over the input
    /// make this smaller: the result is as large.
    fn make_room_for_texts(&mut self, job: &Job, cx: &TaskContext) -> Result<()> {
        let mut sizes = TextSizes::default();
        each_input(job, cx, &mut |chunk| {
            self.groups.merge(chunk, false)?;
            self.groups.count_texts(&mut sizes).ok_or_else(broken)
        })?;
        let need = TEXT_COPIES * sizes.bytes() + TEXT_PLACE * sizes.texts;
        let limit = self.run.budget.limit();
        if need > limit {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20);
            return Err(Error::limit(format!(
                "string_agg puts {} texts of {} MiB together in one group, which takes {} MiB of memory; there are {}",
                sizes.texts,
                mib(sizes.bytes()),
                mib(need),
                mib(limit),
            ))
            .help("give it more with --memory, or group by more columns"));
        }
        self.held.grow_anyway(need);
        self.groups.reserve_texts(&sizes);
        Ok(())
    }

    fn forget(&mut self) {
        self.groups.clear();
        self.held.free();
    }

    fn grow(&mut self, more: usize) -> Result<()> {
        self.held.try_resize(self.groups.bytes() + more)
    }

    /// Begins to split: all groups so far go into sub-buckets.
    fn split(&mut self, level: u32) -> Result<BucketWriter> {
        let mut out = BucketWriter::new(&self.run, level + 1);
        out.spill()?;
        self.groups.export(&mut out)?;
        self.forget();
        Ok(out)
    }

    /// Merges a chunk or sends it on to the sub-buckets. False where neither can be done.
    fn take(&mut self, chunk: &[u8], level: u32, split: &mut Option<BucketWriter>) -> Result<bool> {
        if split.is_none() {
            let mut rows = Rows::new(chunk);
            let mut count = 0;
            while rows.next_row()?.is_some() {
                count += 1;
            }
            // a listed value takes a byte or more here and at most 12 there; a set's 16 and 96
            let values = if self.groups.has_values() {
                chunk.len() * 16
            } else {
                0
            };
            let need = self.groups.growth(count, chunk.len()) + values;
            if self.grow(need).is_err() {
                match self.groups.len() {
                    0 => {
                        let want = self.groups.bytes() + need;
                        self.held.grow_anyway(want.saturating_sub(self.held.bytes()));
                    }
                    1 => return Ok(false),
                    _ if level + 1 < LEVELS => *split = Some(self.split(level)?),
                    _ => return Ok(false),
                }
            }
        }
        match split {
            None => self.groups.merge(chunk, true)?,
            Some(out) => distribute(chunk, out)?,
        }
        Ok(true)
    }
}

fn distribute(chunk: &[u8], out: &mut BucketWriter) -> Result<()> {
    let mut rows = Rows::new(chunk);
    while let Some(row) = rows.next_row()? {
        out.copy(&chunk[row.start..row.end], row.hash)?;
    }
    Ok(())
}

/// Whether all rows of a job have one key (by the whole 64 bits of its hash).
fn single_key(job: &Job, cx: &TaskContext) -> Result<bool> {
    let (mut first, mut single) = (None, true);
    each_input(job, cx, &mut |chunk| {
        let mut rows = Rows::new(chunk);
        while let Some(row) = rows.next_row()? {
            single &= *first.get_or_insert(row.hash) == row.hash;
        }
        Ok(())
    })?;
    Ok(single)
}

fn each_input(job: &Job, cx: &TaskContext, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    for (partition, b) in &job.inputs {
        let Some(bucket) = partition.buckets.get(*b) else {
            continue;
        };
        each_chunk(bucket, &mut |chunk| {
            cx.check()?;
            take(chunk)
        })?;
    }
    Ok(())
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
