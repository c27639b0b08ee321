//! The trait of those who watch runs, and what they are told.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::{StageMeter, StageRun, Warning};

/// Sees a run. All methods do nothing unless written: write those that matter.
///
/// `start`, `stage_planned`, `stage_end` and `finish` come from the thread that runs the query, in this
/// order; `pretask`, `posttask` and `spill` from its workers, at any time between, several at once. A
/// method that is slow slows the query, so it should note what it is told and return.
///
/// A query that has to begin anew, because a value does not fit the type that was sampled, says `start`
/// again; what was told before no longer holds.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use ddf::observe::{Observer, TaskEnd};
///
/// #[derive(Default)]
/// struct Tasks(AtomicU64);
///
/// impl Observer for Tasks {
///     fn posttask(&self, task: &TaskEnd) {
///         self.0.fetch_add(u64::from(!task.closing), Relaxed);
///         assert!(task.begin <= task.end);
///     }
/// }
///
/// let tasks = Arc::new(Tasks::default());
/// let rows = ddf::Frame::read("testdata/nycflights/*.csv")?
///     .observed(tasks.clone())
///     .groupby(["Origin"])?
///     .agg(["mean(DepDelay)"])?
///     .collect()?;
/// assert_eq!(tasks.0.load(Relaxed), rows.report.tasks);
/// # Ok::<(), ddf::Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// A run begins, or begins anew.
    fn start(&self, _run: &RunStart) {}
    /// The tasks of a stage are known and about to run.
    fn stage_planned(&self, _stage: &StagePlan) {}
    /// A worker takes a task.
    fn pretask(&self, _task: &TaskStart) {}
    /// It is done with it.
    fn posttask(&self, _task: &TaskEnd) {}
    /// A worker is done with what came behind its last task of a stage, or of a span of tasks: sorting,
    /// spilling or handing over what they gathered. `part` is the first of those tasks.
    fn closed(&self, _work: &TaskEnd) {}
    /// Bytes were written to spill files.
    fn spill(&self, _bytes: u64) {}
    /// All tasks of a stage are done.
    fn stage_end(&self, _stage: &StageRun) {}
    /// The run is over, well or not.
    fn finish(&self, _end: &RunEnd) {}
    /// Whether [`StagePlan::meter`] should count by operator. Asked once for each run.
    fn wants_operators(&self) -> bool {
        false
    }
}

/// A run that begins.
#[derive(Clone)]
pub struct RunStart {
    /// Worker threads.
    pub threads: usize,
    /// The most bytes that may be reserved, if there is a limit.
    pub memory_limit: Option<u64>,
    /// The optimised plan as text; empty where there is none.
    pub plan: String,
    /// The stages that are known so far; a join that turns out too large makes further ones.
    pub stages: Vec<StageInfo>,
    /// What the run holds and has done, at the moment of the call.
    pub gauge: Arc<dyn Fn() -> Gauge + Send + Sync>,
}

impl fmt::Debug for RunStart {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("RunStart")
            .field("threads", &self.threads)
            .field("memory_limit", &self.memory_limit)
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}

/// What a run holds and has done by now, in bytes and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Bytes now reserved.
    pub reserved: u64,
    /// Bytes now in spill files.
    pub spilled_now: u64,
    /// Bytes written to spill files so far.
    pub spilled_total: u64,
    /// Rows that scans have read so far, before their filters.
    pub rows_read: u64,
    /// Bytes read from input files so far.
    pub bytes_read: u64,
}

/// What a stage is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageInfo {
    /// Its number.
    pub id: usize,
    /// In short: `scan flights.csv ► aggregate`.
    pub name: String,
    /// The stages whose rows it reads.
    pub inputs: Vec<usize>,
    /// Its operators, first the source, last the sink.
    pub operators: Vec<String>,
}

/// A stage whose tasks are known.
#[derive(Clone)]
pub struct StagePlan {
    /// What it is; it may differ from what [`RunStart`] said.
    pub stage: StageInfo,
    /// How many tasks.
    pub tasks: usize,
    /// When work on it began: making its inputs ready may take time.
    pub begun: Instant,
    /// Counts by operator, in the order of [`StageInfo::operators`], where an observer wants them.
    pub meter: Option<Arc<StageMeter>>,
    /// What a task reads: `data/a.csv, bytes 0 to 4194304`.
    pub describe: Arc<dyn Fn(usize) -> String + Send + Sync>,
}

impl fmt::Debug for StagePlan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("StagePlan")
            .field("stage", &self.stage)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// A task that begins.
#[derive(Debug, Clone, Copy)]
pub struct TaskStart<'a> {
    /// The worker, from zero.
    pub thread: usize,
    /// The stage; zero for graphs without stages.
    pub stage: usize,
    /// Its number within the stage.
    pub part: usize,
    /// Its name, where it has one of its own.
    pub name: &'a str,
    /// When.
    pub begin: Instant,
}

/// A task that is over.
#[derive(Debug, Clone, Copy)]
pub struct TaskEnd<'a> {
    /// The worker, from zero.
    pub thread: usize,
    /// The stage; zero for graphs without stages.
    pub stage: usize,
    /// Its number within the stage.
    pub part: usize,
    /// Its name, where it has one of its own.
    pub name: &'a str,
    /// When it began.
    pub begin: Instant,
    /// When it ended.
    pub end: Instant,
    /// Rows that it took in; counted where an observer wants operators.
    pub rows: u64,
    /// Bytes that it read from input files.
    pub bytes: u64,
    /// Whether it ended with an error.
    pub failed: bool,
    /// Not a task, but what came behind some: see [`Observer::closed`].
    pub closing: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// What went wrong, if it did.
    pub error: Option<String>,
    /// Whether it was stopped from outside.
    pub cancelled: bool,
    /// Rows of the result.
    pub rows: u64,
    /// Facts for the user.
    pub warnings: Vec<Warning>,
}

/// Any number of observers.
#[derive(Clone, Default)]
pub struct Observers(Arc<Vec<Arc<dyn Observer>>>);

impl Observers {
    /// One more.
    pub fn add(&mut self, observer: Arc<dyn Observer>) {
        Arc::make_mut(&mut self.0).push(observer);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells each of them.
    pub fn each(&self, mut tell: impl FnMut(&dyn Observer)) {
        self.0.iter().for_each(|o| tell(o.as_ref()));
    }

    /// Whether one of them wants counts by operator.
    pub fn want_operators(&self) -> bool {
        self.0.iter().any(|o| o.wants_operators())
    }

    /// The observers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter()
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
