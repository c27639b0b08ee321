//! What happens inside one task: batches from a source, through transforms, into a sink.
//!
//! ```text
//!   Source ──next()──► Batch ──► Transform ──► Transform ──push()──► Sink ──finish()──► Partition
//!                        └────────── one loop on one thread: run() ──────────┘
//! ```
//!
//! Nothing waits inside a task: there are no channels, no locks across work, no nested
//! parallelism. A transform that has seen enough says [`Flow::Enough`] and the loop ends. What a
//! task leaves behind is a finished [`Partition`], in memory or spilled, split into buckets when
//! the next stage works by bucket.

mod aside;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Kind, Result};
use crate::kernel::Batch;
use crate::memory::{Budget, SpillBlock, SpillDir, SpillFile};
use crate::observe::{Clock, Progress, Warning};

pub use aside::Aside;

/// Whether a receiver wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    More,
    /// Whatever comes now changes nothing; stop producing.
    Enough,
}

/// Hands a batch to the next operator.
pub type Emit<'a> = dyn FnMut(Batch) -> Result<Flow> + 'a;

/// What a run shares with its tasks.
#[derive(Debug)]
pub struct RunContext {
    /// The memory limit.
    pub budget: Budget,
    /// Where spilling goes.
    pub spill: Arc<SpillDir>,
    /// Counters for whoever watches.
    pub progress: Arc<Progress>,
    /// Set to stop every task soon.
    pub cancelled: Arc<AtomicBool>,
    /// Worker threads of the run; a sink may assume at most this many tasks at once.
    pub threads: usize,
    /// The most rows of a batch that a source hands on.
    pub batch_rows: usize,
    /// Facts to tell the user when the run is over.
    pub warnings: std::sync::Mutex<Vec<Warning>>,
    /// Bad rows that the user wants in a file of their own.
    pub aside: Aside,
}

/// Of a thread's share of the memory a batch may take this part: some are on their way at once, and their forms
/// to come stand beside them.
const BATCHES_A_SHARE: usize = 32;
/// Smaller ones would only cost,
const LEAST_BATCH: usize = 512 << 10;
/// and rows that take more than this are cut into smaller batches however much memory there is.
const MOST_BATCH: usize = 16 << 20;

/// About how many bytes a batch takes at most: where rows are wide it has fewer of them.
pub fn batch_bytes(limit: usize, threads: usize) -> usize {
    (limit / threads.max(1) / BATCHES_A_SHARE).clamp(LEAST_BATCH, MOST_BATCH)
}

impl RunContext {
    /// About how many bytes a batch takes at most.
    pub fn batch_bytes(&self) -> usize {
        batch_bytes(self.budget.limit(), self.threads)
    }

    /// Rows of a batch whose rows take so many bytes.
    pub fn rows_of(&self, row_bytes: usize) -> usize {
        (self.batch_bytes() / row_bytes.max(1)).clamp(1, Batch::TARGET_ROWS)
    }

    /// Remembers a warning (once for each key).
    pub fn warn(&self, key: impl Into<String>, text: impl Into<String>) {
        let w = Warning {
            key: key.into(),
            text: text.into(),
        };
        if let Ok(mut all) = self.warnings.lock()
            && !all.iter().any(|x| x.key == w.key)
        {
            all.push(w);
        }
    }

    /// The surroundings of a test's tasks: spill files in the temporary folder, as many as it takes.
    #[cfg(test)]
    pub(crate) fn of_test(memory: usize, threads: usize) -> Arc<RunContext> {
        let progress = Arc::new(Progress::default());
        Arc::new(RunContext {
            budget: Budget::new(memory),
            spill: SpillDir::new(std::env::temp_dir(), u64::MAX, progress.clone()),
            progress,
            cancelled: Arc::default(),
            threads,
            batch_rows: usize::MAX,
            warnings: Default::default(),
            aside: Default::default(),
        })
    }
}

/// What a task knows of its surroundings.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The run.
    pub run: Arc<RunContext>,
    /// The task's index within its stage.
    pub part: u32,
}

impl TaskContext {
    /// An error of kind `Interrupted` once the run is cancelled; call it between batches.
    pub fn check(&self) -> Result<()> {
        if self.run.cancelled.load(Relaxed) {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        Ok(())
    }
}

/// Gives batches until there are no more.
pub trait Source: Send {
    /// The next batch.
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>>;
}

/// Changes batches on their way (filter, project, limit).
pub trait Transform: Send {
    /// Takes a batch and emits any number.
    fn push(&mut self, batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow>;
    /// No more will come; emits what was held back.
    fn finish(&mut self, _emit: &mut Emit, _cx: &TaskContext) -> Result<()> {
        Ok(())
    }
}

/// Swallows batches and leaves a partition (aggregate, sort run, collect).
pub trait Sink: Send {
    /// Takes a batch.
    fn push(&mut self, batch: Batch, cx: &TaskContext) -> Result<Flow>;
    /// No more will come.
    fn finish(self: Box<Self>, cx: &TaskContext) -> Result<Partition>;
}

/// What a finished task leaves to the next stage.
#[derive(Debug, Default)]
pub struct Partition {
    /// One bucket, or as many as the next stage has tasks.
    pub buckets: Vec<Bucket>,
    /// Rows in all buckets.
    pub rows: u64,
    /// What the stage that made it wants to tell the next one (samples of sorted runs). May be
    /// lost on the way to another process: only speed may hang on it.
    pub notes: Option<Arc<dyn std::any::Any + Send + Sync>>,
    /// Rows in a shape that cannot leave this process. Only sinks that are asked for it, where the
    /// next stage runs here too, leave such.
    pub local: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

impl Partition {
    /// A partition of one bucket that lies in memory.
    pub fn in_memory(batches: Vec<Batch>) -> Self {
        let rows = batches.iter().map(|b| b.rows as u64).sum();
        Partition {
            buckets: vec![Bucket::in_memory(batches)],
            rows,
            ..Partition::default()
        }
    }
    /// Bytes in all buckets.
    pub fn bytes(&self) -> u64 {
        self.buckets.iter().map(|b| b.bytes).sum()
    }
}

/// Rows of a partition that belong together (same hash bucket, same key range, or all).
#[derive(Debug, Default)]
pub struct Bucket {
    /// Rows that stayed in memory, in order.
    pub batches: Vec<Batch>,
    /// Rows that were spilled: block by block, each with its file.
    pub spilled: Vec<(Arc<SpillFile>, SpillBlock)>,
    /// Rows in both.
    pub rows: u64,
    /// Bytes in both.
    pub bytes: u64,
    /// Keeps the memory of `batches` reserved while they live.
    pub reservation: Option<crate::memory::Reservation>,
}

impl Bucket {
    /// A bucket of batches in memory.
    pub fn in_memory(batches: Vec<Batch>) -> Self {
        let rows = batches.iter().map(|b| b.rows as u64).sum();
        let bytes = batches.iter().map(|b| b.bytes() as u64).sum();
        Bucket {
            batches,
            rows,
            bytes,
            ..Bucket::default()
        }
    }
}

/// What is kept between stages may take this part of the memory limit, so that the stages that read
/// it have some as well.
const COLLECT_SHARE: usize = 2;

/// A sink that keeps the batches as they come: in memory while there is some, else on disk.
#[derive(Debug, Default)]
pub struct Collect {
    bucket: Bucket,
}

impl Sink for Collect {
    fn push(&mut self, batch: Batch, cx: &TaskContext) -> Result<Flow> {
        if batch.rows == 0 {
            return Ok(Flow::More);
        }
        let (bucket, run) = (&mut self.bucket, &cx.run);
        bucket.rows += batch.rows as u64;
        let bytes = batch.bytes();
        let held = bucket
            .reservation
            .get_or_insert_with(|| run.budget.reservation("the result"));
        let fits = bucket.spilled.is_empty()
            && run.budget.used() + bytes <= run.budget.limit() / COLLECT_SHARE
            && held.try_grow(bytes).is_ok();
        if fits {
            bucket.bytes += bytes as u64;
            bucket.batches.push(batch);
            return Ok(Flow::More);
        }
        // once one batch is on disk all are, so that their order holds
        let (file, block) = run.spill.write_shared(&batch.compacted()?.record()?)?;
        bucket.bytes += block.bytes() as u64;
        bucket.spilled.push((file, block));
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        Ok(Partition {
            rows: self.bucket.rows,
            buckets: vec![self.bucket],
            ..Partition::default()
        })
    }
}

/// A source that hands out finished partitions, in order, reading spilled rows back block by block.
/// The batches are numbered anew: what several stages left may share positions.
pub struct Batches {
    partitions: Vec<Arc<Partition>>,
    at: (usize, usize, usize),
    rows: u64,
}

impl Batches {
    /// All rows of `partitions`.
    pub fn new(partitions: Vec<Arc<Partition>>) -> Self {
        Batches {
            partitions,
            at: (0, 0, 0),
            rows: 0,
        }
    }

    fn read(&mut self) -> Result<Option<Batch>> {
        loop {
            let (p, b, i) = self.at;
            let Some(partition) = self.partitions.get(p) else {
                return Ok(None);
            };
            let Some(bucket) = partition.buckets.get(b) else {
                self.at = (p + 1, 0, 0);
                continue;
            };
            self.at.2 += 1;
            if let Some(batch) = bucket.batches.get(i) {
                return Ok(Some(batch.clone()));
            }
            let Some((file, block)) = bucket.spilled.get(i - bucket.batches.len()) else {
                self.at = (p, b + 1, 0);
                continue;
            };
            let (batch, rows) = (file.read(block)?, block.rows as usize);
            return Ok(Some(Batch::new(batch.columns().to_vec(), rows, 0)));
        }
    }
}

impl Source for Batches {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        let Some(mut batch) = self.read()? else {
            return Ok(None);
        };
        batch.position = u64::from(cx.part) << 40 | self.rows;
        self.rows += batch.rows as u64;
        Ok(Some(batch))
    }
}

/// A task's inside, ready to run.
pub struct Pipeline {
    /// Where batches come from.
    pub source: Box<dyn Source>,
    /// What they go through, in order.
    pub transforms: Vec<Box<dyn Transform>>,
    /// The most rows that go through them at once.
    pub rows: usize,
}

impl Pipeline {
    /// Hands everything to `last`, such as a sink that outlives the task. A clock, which stands at the
    /// source when this begins, goes along with the batches.
    pub fn run(&mut self, last: &mut Emit, cx: &TaskContext, clock: Option<&Clock>) -> Result<()> {
        let mut left = None;
        loop {
            let Some(batch) = left
                .take()
                .map_or_else(|| self.source.next(cx), |b| Ok(Some(b)))?
            else {
                break;
            };
            cx.check()?;
            let (batch, more) = cut(batch, cx.run.batch_rows.min(self.rows));
            left = more;
            if push_through((&mut self.transforms, 1), batch, last, cx, clock)? == Flow::Enough {
                break;
            }
        }
        finish(&mut self.transforms, last, cx, clock)
    }
}

/// Pushes a batch through transforms, for rows that go several ways.
///
/// # Errors
/// Theirs, and those of `last`.
pub fn push(
    transforms: &mut [Box<dyn Transform>],
    batch: Batch,
    last: &mut Emit,
    cx: &TaskContext,
) -> Result<Flow> {
    push_through((transforms, 1), batch, last, cx, None)
}

/// Tells transforms, one after the other, that no more will come.
///
/// # Errors
/// Theirs, and those of `last`.
pub fn finish(
    transforms: &mut [Box<dyn Transform>],
    last: &mut Emit,
    cx: &TaskContext,
    clock: Option<&Clock>,
) -> Result<()> {
    for i in 0..transforms.len() {
        let (head, rest) = transforms.split_at_mut(i + 1);
        if let Some(c) = clock {
            c.switch(i + 1);
        }
        let mut emit = |b: Batch| push_through((&mut *rest, i + 2), b, last, cx, clock);
        head[i].finish(&mut emit, cx)?;
    }
    Ok(())
}

/// The first rows of a batch and those behind them, if there are more than `rows`.
fn cut(batch: Batch, rows: usize) -> (Batch, Option<Batch>) {
    match batch.rows.checked_sub(rows) {
        None | Some(0) => (batch, None),
        Some(more) => (batch.slice(0, rows), Some(batch.slice(rows, more))),
    }
}

/// Pushes a batch through transforms, of which the first is operator `at` of the task.
fn push_through(
    (transforms, at): (&mut [Box<dyn Transform>], usize),
    batch: Batch,
    last: &mut Emit,
    cx: &TaskContext,
    clock: Option<&Clock>,
) -> Result<Flow> {
    let from = clock.map(|c| {
        c.passes(at - 1, batch.rows);
        c.switch(at)
    });
    let flow = match transforms.split_first_mut() {
        None => last(batch),
        Some((first, rest)) => {
            let mut emit = |b| push_through((&mut *rest, at + 1), b, last, cx, clock);
            first.push(batch, &mut emit, cx)
        }
    };
    if let (Some(c), Some(from)) = (clock, from) {
        c.switch(from);
    }
    flow
}

/// A schema with the logical types of [`crate::kernel::types`].
pub type Schema = SchemaRef;

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, DictionaryArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    fn context(memory: usize) -> TaskContext {
        TaskContext {
            run: RunContext::of_test(memory, 1),
            part: 7,
        }
    }

    /// Plain text, text by dictionary, and rows without any column.
    fn batches() -> Vec<Batch> {
        let texts =
            |i: usize| StringViewArray::from_iter_values((0..20).map(|k| format!("a long text {i} {k}")));
        let plain = (0..5).map(|i| Batch::new(vec![Arc::new(texts(i)) as ArrayRef], 20, 0));
        let by_dictionary = (0..5).map(|i| {
            let keys = arrow::array::Int32Array::from_iter_values((0..30).map(|k| k % 20));
            let column = DictionaryArray::<Int32Type>::new(keys, Arc::new(texts(i)));
            Batch::new(vec![Arc::new(column) as ArrayRef], 30, 0)
        });
        plain
            .chain(by_dictionary)
            .chain([Batch::new(vec![], 9, 0)])
            .collect()
    }

    #[test]
    fn what_is_collected_comes_back_in_order_from_memory_and_disk() {
        let text = |b: Batch| -> (usize, u64, Vec<String>) {
            let b = b.compacted().unwrap();
            let column = b.columns.first().map(|c| c.as_string_view().clone());
            let rows = column.map_or(Vec::new(), |c| c.iter().map(|t| t.unwrap().to_string()).collect());
            (b.rows, b.position, rows)
        };
        let mut results = Vec::new();
        for memory in [0, 40_000, 1 << 20] {
            let cx = context(memory);
            let mut sink = Box::new(Collect::default());
            for b in batches() {
                sink.push(b, &cx).unwrap();
            }
            let p = sink.finish(&cx).unwrap();
            assert_eq!(p.buckets[0].batches.is_empty(), memory == 0);
            assert_eq!(p.buckets[0].spilled.is_empty(), memory == 1 << 20);
            assert!(cx.run.budget.used() <= memory / COLLECT_SHARE);
            let mut source = Batches::new(vec![Arc::new(p)]);
            let mut rows = Vec::new();
            while let Some(b) = source.next(&cx).unwrap() {
                rows.push(text(b));
            }
            results.push(rows);
        }
        let mut place = 7 << 40;
        for (b, (rows, position, _)) in batches().iter().zip(&results[0]) {
            assert_eq!((b.rows, place), (*rows, *position));
            place += b.rows as u64;
        }
        assert_eq!(results[0].len(), 11);
        assert!(results.iter().all(|r| *r == results[0]));
    }
}
