//! A stage's tasks on its workers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::observed::Observed;
use crate::error::{Error, FailedTask, Kind, Result, panic_text};
use crate::graph::{self, Graph, Stage, StageInputs};
use crate::memory::Stop;
use crate::observe::{Clock, Progress};
use crate::pipeline::{Emit, Partition, RunContext, Sink, TaskContext};

/// A stage that is ready to run, and what its workers share.
pub struct Job<'a> {
    pub graph: &'a Graph,
    pub stage: &'a Stage,
    pub inputs: &'a StageInputs,
    pub cx: &'a Arc<RunContext>,
    /// Whom to tell of its tasks.
    pub observed: Option<Observed>,
    /// The next task to take.
    next: AtomicUsize,
    /// All remaining tasks, where there was an error, or there are enough rows; where the first tasks may leave enough,
    /// those from one on that failed.
    stop: Arc<Stop>,
    /// The table that is scanned, where its input is read as it comes.
    live: Option<usize>,
    /// The first tasks left enough rows, so that it does not matter whether later ones failed.
    satisfied: AtomicBool,
    /// The result could not be taken.
    aborted: AtomicBool,
    failure: Mutex<Option<(usize, Error)>>,
    left: Mutex<Enough>,
}

/// Rows of the tasks done so far, to find out when the first ones have left enough.
#[derive(Default)]
struct Enough {
    rows: Vec<Option<u64>>,
    counted: usize,
    sum: u64,
}

impl<'a> Job<'a> {
    pub fn new(graph: &'a Graph, stage: &'a Stage, inputs: &'a StageInputs, cx: &'a Arc<RunContext>) -> Self {
        Job {
            graph,
            stage,
            inputs,
            cx,
            observed: None,
            next: AtomicUsize::new(0),
            stop: inputs.stop(),
            live: (graph.scanned(stage)).filter(|t| graph.tables[*t].dataset.live().is_some()),
            satisfied: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            failure: Mutex::new(None),
            left: Mutex::default(),
        }
    }

    /// The next task's number, until there are no more or the rest need not run.
    pub fn take(&self) -> Option<usize> {
        if self.stopped() {
            return None;
        }
        let i = self.next.fetch_add(1, Relaxed);
        (i < self.inputs.tasks.len() && !self.is_needless(i) && !self.ends_before(i)).then_some(i)
    }

    /// The numbers of the next up to `wanted` neighbouring tasks, fewer where there are few in all.
    pub fn take_span(&self, wanted: usize) -> std::ops::Range<usize> {
        let total = self.inputs.tasks.len();
        if self.stopped() {
            return total..total;
        }
        // The same spans whatever the threads do: row groups follow them.
        let n = wanted.min(total / 16).max(1);
        let first = self.next.fetch_add(n, Relaxed).min(total);
        if self.is_needless(first) || self.ends_before(first) {
            return total..total;
        }
        first..(first + n).min(total)
    }

    /// Whether a task would read what is behind the end of an input, which nobody knew when tasks were made.
    fn ends_before(&self, task: usize) -> bool {
        self.live
            .is_some_and(|t| self.graph.tables[t].dataset.ends_before(task))
    }

    /// Whether all that came of a live input was read, and more may come.
    pub fn is_idle(&self) -> bool {
        self.live.is_some_and(|t| self.graph.tables[t].dataset.is_idle())
    }

    /// Whether its table is read as it comes.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    fn new_sink(&self) -> Result<Box<dyn Sink>> {
        self.stage.new_local_sink(self.inputs, self.cx)
    }

    pub fn task(&self, part: usize) -> TaskContext {
        TaskContext {
            run: self.cx.clone(),
            part: part as u32,
        }
    }

    /// Runs one task into a sink, without finishing the sink.
    pub fn run_into(&self, part: usize, last: &mut Emit) -> Result<()> {
        let mut run = |clock: Option<&Clock>| {
            let task = self.task(part);
            task.check()?;
            self.stage
                .pipeline(self.graph, part, self.inputs, self.cx)?
                .run(last, &task, clock)
        };
        match &self.observed {
            None => run(None),
            Some(observed) => observed.task(part, run),
        }
    }

    /// Does what comes behind the tasks of a worker, of which `part` was the first.
    pub fn close<T>(&self, part: usize, run: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.observed {
            None => run(),
            Some(observed) => observed.closing(part, run),
        }
    }

    /// Notes that a task is done and left `rows`; stops the rest once enough are there.
    pub fn done(&self, part: usize, rows: u64) {
        Progress::add(&self.cx.progress.tasks_done, 1);
        self.count(part, rows);
    }

    fn count(&self, part: usize, rows: u64) {
        let Some(needed) = self.stage.rows_needed else {
            return;
        };
        let Ok(mut e) = self.left.lock() else { return };
        if e.rows.len() <= part {
            e.rows.resize(part + 1, None);
        }
        e.rows[part] = Some(rows);
        // those behind one that failed are not the next rows
        let until = self.stop.first();
        while e.counted <= until
            && let Some(Some(n)) = e.rows.get(e.counted).copied()
        {
            e.sum += n;
            e.counted += 1;
        }
        if e.sum >= needed {
            self.enough();
        }
    }

    /// Whether the first tasks may leave enough rows, so that it does not matter what becomes of the rest.
    /// What matters must hang neither on who was faster nor on where partitions begin: so rows that a task
    /// left before it failed count as well.
    pub fn is_in_order(&self) -> bool {
        let last = self.graph.stages.last().map(|s| s.id) == Some(self.stage.id);
        self.stage.rows_needed.is_some() || last && self.graph.take.is_some()
    }

    /// Keeps the failure of the earliest task (an interruption tells least), which left `rows` before. Stops
    /// the rest, or those behind it, if the first ones may do.
    pub fn fail(&self, part: usize, rows: u64, e: Error) {
        let behind = self.is_in_order() && e.kind() != Kind::Interrupted;
        self.keep_failure(part, e);
        match behind {
            true => {
                self.stop.from(part);
                self.count(part, rows);
            }
            false => self.stop.all(),
        }
    }

    /// Stops everything, because the result cannot be taken.
    pub fn abort(&self, part: usize, e: Error) {
        self.stop.all();
        self.aborted.store(true, Relaxed);
        self.keep_failure(part, e);
    }

    fn keep_failure(&self, part: usize, e: Error) {
        if let Ok(mut f) = self.failure.lock() {
            let better = match f.as_ref() {
                None => true,
                Some((p, old)) => rank(&e, part) < rank(old, *p),
            };
            if better {
                *f = Some((part, e));
            }
        }
    }

    /// The rows that are there are enough; stops the rest.
    pub fn enough(&self) {
        self.satisfied.store(true, Relaxed);
        self.stop.all();
    }

    /// Whether a task need not run, or go on.
    pub fn is_needless(&self, part: usize) -> bool {
        self.stop.holds(part)
    }

    /// Whether all is stopped because the first tasks left enough rows.
    pub fn has_enough(&self) -> bool {
        self.satisfied.load(Relaxed)
    }

    pub fn stopped(&self) -> bool {
        self.stop.is_all()
    }

    /// The failure, if there was one that matters.
    pub fn outcome(&self) -> Result<()> {
        let taken = !self.aborted.load(Relaxed) && !self.cx.cancelled.load(Relaxed);
        if taken && self.satisfied.load(Relaxed) {
            return Ok(());
        }
        match self.failure.lock().ok().and_then(|mut f| f.take()) {
            Some((_, e)) => Err(e),
            None => Ok(()),
        }
    }
}

fn rank(e: &Error, part: usize) -> (bool, usize) {
    (e.kind() == Kind::Interrupted, part)
}

/// Runs `f`; a panic becomes an error that names the task.
pub fn guarded<T>(job: &Job, part: usize, f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic_text(&*panic).unwrap_or_else(|| "unknown panic".into());
        let stage = job.stage.id;
        Err(
            Error::defect(format!("task {part} of stage {stage} panicked: {text}"))
                .help("this is a fault of ddf; --threads 1 may avoid it; please report the command"),
        )
    })
}

/// [`guarded`] for a task: its error names it.
pub fn guarded_task<T>(job: &Job, part: usize, f: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(job, part, f).map_err(|e| e.in_task(|| job.failed_task(part)))
}

/// Runs `work` once on every worker and waits for all of them.
pub fn on_all(pool: Option<&rayon::ThreadPool>, work: impl Fn() + Sync) {
    match pool {
        None => work(),
        Some(pool) => pool.scope(|s| {
            for _ in 0..pool.current_num_threads() {
                s.spawn(|_| work());
            }
        }),
    }
}

/// Runs all tasks of a stage that is not the last.
pub fn run_stage(job: &Job, pool: Option<&rayon::ThreadPool>) -> Result<Vec<Arc<Partition>>> {
    let out: Mutex<Vec<(usize, Arc<Partition>)>> = Mutex::default();
    let keep = |part: usize, p: Partition| {
        if let Ok(mut out) = out.lock() {
            out.push((part, Arc::new(p)));
        }
    };
    on_all(pool, || {
        let result = if job.stage.parks_sinks() {
            parked(job, &keep)
        } else {
            separate(job, &keep)
        };
        if let Err((part, e)) = result {
            job.fail(part, 0, e);
        }
    });
    job.outcome()?;
    let mut out = out.into_inner().map_err(|_| Error::defect("a worker died"))?;
    out.sort_by_key(|(part, _)| *part);
    Ok(out.into_iter().map(|(_, p)| p).collect())
}

type Failure = (usize, Error);

/// One sink serves all tasks of this worker.
fn parked(job: &Job, keep: &impl Fn(usize, Partition)) -> Result<(), Failure> {
    let mut sink: Option<Box<dyn Sink>> = None;
    let mut first = 0;
    while let Some(part) = job.take() {
        let at = |e| (part, e);
        if sink.is_none() {
            first = part;
            sink = Some(job.new_sink().map_err(at)?);
        }
        if let Some(s) = sink.as_deref_mut() {
            let task = job.task(part);
            guarded_task(job, part, || job.run_into(part, &mut |b| s.push(b, &task))).map_err(at)?;
        }
        job.done(part, 0);
    }
    // Without any task an aggregate still has to leave its (empty) state.
    let sink = match sink {
        Some(s) => s,
        None if job.inputs.tasks.is_empty() && !job.stopped() => job.new_sink().map_err(|e| (0, e))?,
        None => return Ok(()),
    };
    if job.stopped() && job.failed() {
        return Ok(());
    }
    let p =
        guarded(job, first, || job.close(first, || sink.finish(&job.task(first)))).map_err(|e| (first, e))?;
    keep(first, p);
    Ok(())
}

/// Every task has its own sink.
fn separate(job: &Job, keep: &impl Fn(usize, Partition)) -> Result<(), Failure> {
    while let Some(part) = job.take() {
        let task = job.task(part);
        let mut sink = guarded_task(job, part, || job.new_sink()).map_err(|e| (part, e))?;
        let run = guarded_task(job, part, || job.run_into(part, &mut |b| sink.push(b, &task)));
        if let (Err(_), false) = (&run, job.is_in_order()) {
            return run.map_err(|e| (part, e));
        }
        let p = guarded_task(job, part, || sink.finish(&task)).map_err(|e| (part, e))?;
        if let Err(e) = run {
            job.fail(part, p.rows, e);
            keep(part, p);
            return Ok(());
        }
        job.done(part, p.rows);
        keep(part, p);
    }
    Ok(())
}

impl Job<'_> {
    /// What an error says of the task it arose in; nothing where that is the only one of its kind.
    fn failed_task(&self, part: usize) -> Option<FailedTask> {
        let table = self.graph.scanned(self.stage);
        // of what is gone none can be run again
        (self.inputs.tasks.len() > 1 && !self.is_live()).then(|| FailedTask {
            stage: self.stage.id,
            part,
            what: graph::describe_task(self.graph, self.stage, self.inputs.tasks, part),
            table,
        })
    }

    fn failed(&self) -> bool {
        self.failure.lock().map(|f| f.is_some()).unwrap_or(true)
    }
}
