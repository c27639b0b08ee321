//! Joins bucket by bucket, where the build side does not fit into memory.
//!
//! ```text
//!   bucket b: right rows, left rows (both on disk)
//!     right fits the task's share ─► index it, probe it with the left rows, block by block
//!     it does not                 ─► spread both sides by further bits of the hash, each part the same way
//!     one key is most of it       ─► index as much of the right as fits, probe, and again (nested loops);
//!                                    for asof joins the right is sorted first, nearest parts first
//! ```
//!
//! What comes out is not in the order of the left: each row brings its left row's place along, by
//! which the next stage sorts. Rows of one left row come in the order of the right.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::take;
use arrow::datatypes::SchemaRef;

use super::asof;
use super::build::{Build, TABLE_BYTES};
use super::scatter::{
    BUCKETS, InOrder, Keyless, LEVELS, Nulls, Piece, Scatter, ordered_left, read, with_order,
};
use super::{AsOfSpec, BuildSide, JoinSpec, Probe};
use crate::error::Result;
use crate::kernel::Batch;
use crate::operate::sort::{SortKey, SortSink, SortSpec, merge_range, plan_ranges};
use crate::pipeline::{Bucket, Emit, Flow, Partition, RunContext, Sink, Source, TaskContext, Transform};

/// The right rows of all tasks together may take this part of the limit.
const RIGHT_SHARE: usize = 3;
/// A part that holds so many percent of the rows is not worth spreading again: it is one key.
const HEAVY_PERCENT: u64 = 80;

/// Rows of one bucket.
struct Job {
    left: Vec<Piece>,
    /// What each task left; places ascend in each list.
    right: Vec<Vec<Piece>>,
    rows: u64,
    bytes: u64,
    level: u32,
    /// One key is most of it.
    heavy: bool,
}

/// Joins the rows of one bucket. It makes its rows itself: what is pushed only says that it is time.
pub struct BucketJoin {
    spec: JoinSpec,
    left: SchemaRef,
    right: SchemaRef,
    work: VecDeque<Job>,
    share: usize,
    run: Arc<RunContext>,
}

/// Emits a single batch of nothing, to start a [`BucketJoin`].
pub struct Start(bool);

impl Start {
    /// One batch is still to come.
    pub fn new() -> Self {
        Start(true)
    }
}

impl Default for Start {
    fn default() -> Self {
        Start::new()
    }
}

impl Source for Start {
    fn next(&mut self, _cx: &TaskContext) -> Result<Option<Batch>> {
        Ok(std::mem::take(&mut self.0).then(|| Batch::new(Vec::new(), 0, 0)))
    }
}

/// The number of tasks that join buckets.
pub fn bucket_tasks() -> usize {
    BUCKETS
}

/// What the right rows of all tasks together take, to be reserved before they begin: what sinks are
/// granted while the tasks run they do not give back.
pub fn bucket_bytes(limit: usize) -> usize {
    limit / RIGHT_SHARE
}

impl BucketJoin {
    /// The join of bucket `bucket` of what the sinks of both sides left; `left` and `right` are the
    /// schemas that those sinks took.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn new(
        spec: &JoinSpec,
        (left, right): (&SchemaRef, &SchemaRef),
        (lefts, rights): (&[Arc<Partition>], &[Arc<Partition>]),
        bucket: usize,
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let (ordered, left) = ordered_left(spec, left);
        // without keys every left row meets all right ones, which lie in the first bucket
        let right_bucket = if spec.right_keys.is_empty() { 0 } else { bucket };
        let of = |all: &[Arc<Partition>], b: usize| -> Vec<Vec<Piece>> {
            let buckets = all.iter().filter_map(|p| p.buckets.get(b));
            buckets.map(|b: &Bucket| b.spilled.clone()).collect()
        };
        let buckets = || rights.iter().filter_map(|p| p.buckets.get(right_bucket));
        let job = Job {
            left: of(lefts, bucket).concat(),
            right: of(rights, right_bucket),
            rows: buckets().map(|b| b.rows).sum(),
            bytes: buckets().map(|b| b.bytes).sum(),
            level: 0,
            heavy: spec.right_keys.is_empty(),
        };
        Ok(BucketJoin {
            spec: ordered,
            left,
            right: with_order(right),
            work: VecDeque::from([job]),
            share: bucket_bytes(run.budget.limit()) / run.threads.max(1),
            run: run.clone(),
        })
    }

    /// The column of places in right rows.
    fn order(&self) -> usize {
        self.right.fields().len() - 1
    }

    fn probe(&self, right: Vec<Batch>) -> Result<Probe> {
        let side = BuildSide::of(&self.spec, &self.right, right, Build::Slim)?;
        Probe::new(&self.spec, &self.left, Arc::new(side))
    }

    fn run(&mut self, job: Job, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        cx.check()?;
        if job.left.is_empty() {
            return Ok(Flow::More);
        }
        let need = job.bytes * 2 + job.rows * (TABLE_BYTES + asof::row_bytes(&self.spec)) as u64;
        if need <= self.share as u64 {
            self.whole(job, emit, cx)
        } else if job.heavy || job.level + 1 >= LEVELS {
            self.nested(job, emit, cx)
        } else {
            self.split(job, cx)?;
            Ok(Flow::More)
        }
    }

    /// All right rows fit.
    fn whole(&mut self, job: Job, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let mut right = Vec::new();
        let mut rows = InOrder::new(job.right, self.order())?;
        while let Some(batch) = rows.next()? {
            right.push(batch);
        }
        let mut probe = self.probe(right)?;
        for piece in &job.left {
            cx.check()?;
            if probe.push(read(piece)?, emit, cx)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    /// Spreads both sides by further bits of the hash.
    fn split(&mut self, job: Job, cx: &TaskContext) -> Result<()> {
        let level = job.level + 1;
        let (run, spec) = (&self.run, &self.spec);
        let how = (Nulls::Drop, Keyless::First);
        let mut scatter = Scatter::new(&spec.right_keys, &self.right, how, level, run)?;
        let mut rows = InOrder::new(job.right, self.order())?;
        while let Some(batch) = rows.next()? {
            cx.check()?;
            scatter.push(batch)?;
        }
        let right = scatter.finish()?;
        let how = (spec.left_nulls(), Keyless::First);
        let mut scatter = Scatter::new(&spec.left_keys, &self.left, how, level, run)?;
        for piece in &job.left {
            cx.check()?;
            scatter.push(read(piece)?)?;
        }
        let left = scatter.finish()?;
        for (left, right) in left.buckets.into_iter().zip(right.buckets) {
            self.work.push_back(Job {
                left: left.spilled,
                heavy: right.rows * 100 >= job.rows * HEAVY_PERCENT,
                rows: right.rows,
                bytes: right.bytes,
                right: vec![right.spilled],
                level,
            });
        }
        Ok(())
    }

    /// As many right rows as fit, and all left rows; then the next right rows.
    fn nested(&mut self, job: Job, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let mut held = self.run.budget.reservation("a bucket of a join");
        let row_bytes =
            2 * (job.bytes / job.rows.max(1)) as usize + TABLE_BYTES + asof::row_bytes(&self.spec);
        let mut marks: Vec<Vec<bool>> = job
            .left
            .iter()
            .map(|(_, block)| vec![false; block.rows as usize])
            .collect();
        held.grow_anyway(marks.iter().map(Vec::len).sum());
        let (mut rows, backward) = match self.spec.asof {
            None => (Parts::InOrder(InOrder::new(job.right, self.order())?), false),
            Some(a) => (self.nearest_first(job.right, a, cx)?, a.op.is_backward()),
        };
        loop {
            let (mut right, mut need) = (Vec::new(), 0);
            while (need < self.share || right.is_empty())
                && let Some(batch) = rows.next(cx)?
            {
                need += batch.rows * row_bytes;
                right.push(batch);
            }
            if backward {
                right = right.iter().rev().map(reversed).collect::<Result<_>>()?;
            }
            let last = right.is_empty();
            let mut probe = self.probe(right)?;
            for (piece, marks) in job.left.iter().zip(&mut marks) {
                cx.check()?;
                // nothing more is owed to these
                if self.spec.asof.is_some() && marks.iter().all(|m| *m) {
                    continue;
                }
                let batch = read(piece)?;
                let flow = match last {
                    false => probe.push_part(&batch, marks, emit, cx)?,
                    true => probe.rest(&batch, marks, emit, cx)?,
                };
                if flow == Flow::Enough {
                    return Ok(flow);
                }
            }
            if last {
                return Ok(Flow::More);
            }
        }
    }
}

/// The right rows of a bucket that does not fit.
enum Parts {
    /// As they came in.
    InOrder(InOrder),
    /// In an order of their own.
    Sorted(Box<dyn Source>),
}

impl Parts {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        match self {
            Parts::InOrder(rows) => rows.next(),
            Parts::Sorted(rows) => rows.next(cx),
        }
    }
}

/// The rows of a batch, last first.
fn reversed(batch: &Batch) -> Result<Batch> {
    let rows = UInt32Array::from_iter_values((0..batch.rows as u32).rev());
    let columns = batch.columns.iter().map(|c| Ok(take(c, &rows, None)?));
    Ok(Batch::new(
        columns.collect::<Result<_>>()?,
        batch.rows,
        batch.position,
    ))
}

impl BucketJoin {
    /// Right rows by their asof key, so that of several parts the first that has a match for a left row
    /// has its nearest one: for `>=` descending, those of one key last first.
    fn nearest_first(&self, right: Vec<Vec<Piece>>, asof: AsOfSpec, cx: &TaskContext) -> Result<Parts> {
        let key = |column: usize| SortKey {
            column,
            descending: asof.op.is_backward(),
            nulls_first: false,
        };
        let spec = SortSpec {
            keys: vec![key(asof.right), key(self.order())],
            limit: None,
            whole: None,
            foremost: None,
            loose: false,
        };
        let mut sink = Box::new(SortSink::new(&spec, &self.right, &self.run)?);
        let (mut rows, mut position) = (InOrder::new(right, self.order())?, 0);
        while let Some(mut batch) = rows.next()? {
            cx.check()?;
            batch.position = position;
            position += batch.rows as u64;
            sink.push(batch, cx)?;
        }
        let runs = [Arc::new(sink.finish(cx)?)];
        let plan = Arc::new(plan_ranges(&spec, &self.right, &runs, u64::MAX, &self.run)?);
        let rows = merge_range(&spec, &self.right, &plan, 0, &runs, &self.run)?;
        Ok(Parts::Sorted(rows))
    }
}

impl Transform for BucketJoin {
    fn push(&mut self, _start: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        // rows are numbered in the order in which they come: that of the right for each left row
        let mut rows = u64::from(cx.part) << 40;
        let mut numbered = |mut batch: Batch| {
            batch.position = rows;
            rows += batch.rows as u64;
            emit(batch)
        };
        while let Some(job) = self.work.pop_front() {
            if self.run(job, &mut numbered, cx)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }
}
