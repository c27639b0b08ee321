//! One run of a graph: results, failures, retries, and who is told of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::inputs::{Cell, Outputs, Value, Values};
use super::order::Plan;
use super::queue::{Next, Queue};
use super::{Cancel, Scheduler, TaskGraph, Work};
use crate::error::{Error, Kind, Result, panic_text};
use crate::observe::{
    Observer, Observers, RunEnd, RunStart, StageInfo, StagePlan, StageRun, TaskEnd, TaskStart,
};

/// How a graph is run. Nothing here changes a result.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Who runs the tasks.
    pub scheduler: Scheduler,
    /// Threads; zero means one for each processor.
    pub threads: usize,
    /// How often a task that failed is tried again. One that panicked is not.
    pub retries: u32,
    /// The pause before the first retry of a task; before each further one it is twice as long.
    pub backoff: Duration,
    /// How many results may wait for their readers, for each thread, beyond what one thread alone would
    /// hold. More keeps threads busy where tasks take very different times, less saves memory.
    pub ahead: usize,
    /// The most tasks that a thread takes at once, where they take well below a microsecond each.
    pub chunk: usize,
    /// Stops the run.
    pub cancel: Cancel,
    /// Those that are told of its tasks.
    pub observers: Observers,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            scheduler: Scheduler::Threads,
            threads: 0,
            retries: 0,
            backoff: Duration::from_millis(50),
            ahead: 4,
            chunk: 64,
            cancel: Cancel::new(),
            observers: Observers::default(),
        }
    }
}

impl RunOptions {
    /// One thread, the calling one: for debugging.
    pub fn sync() -> Self {
        RunOptions {
            scheduler: Scheduler::Sync,
            ..RunOptions::default()
        }
    }

    /// So many threads.
    pub fn threads(n: usize) -> Self {
        RunOptions {
            threads: n,
            ..RunOptions::default()
        }
    }

    /// The same, watched.
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    fn workers(&self, tasks: usize) -> usize {
        match (self.scheduler, self.threads) {
            (Scheduler::Sync, _) => 1,
            (Scheduler::Threads, 0) => std::thread::available_parallelism().map_or(1, |n| n.get()),
            (Scheduler::Threads, n) => n,
        }
        .min(tasks)
        .max(1)
    }
}

/// What tasks may know of their run.
pub(crate) struct Scope {
    pub cancel: Cancel,
    pub observers: Observers,
}

/// Chunks that take longer are made smaller,
const LONG: Duration = Duration::from_micros(100);
/// and those that take less larger.
const SHORT: Duration = Duration::from_micros(40);
/// Pauses before retries are slept in slices, so that a cancelled run ends soon.
const SLICE: Duration = Duration::from_millis(5);

impl TaskGraph {
    /// Runs what `outputs` need, each task once, on all processors; a handle, a tuple or a list of handles
    /// gives a result, a tuple or a list.
    ///
    /// # Errors
    /// That of the first task that failed or panicked, with its name.
    pub fn compute<O: Outputs>(&self, outputs: O) -> Result<O::Results> {
        self.compute_with(outputs, &RunOptions::default())
    }

    /// [`TaskGraph::compute`] with threads, retries, observers and a way to cancel it.
    ///
    /// ```
    /// use ddf::graph::{RunOptions, TaskGraph};
    /// let mut g = TaskGraph::new();
    /// let a = g.delayed("one", |()| 1, ());
    /// assert_eq!(g.compute_with(a, &RunOptions { retries: 3, ..RunOptions::sync() })?, 1);
    /// # Ok::<(), ddf::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`TaskGraph::compute`]; of kind `Interrupted` where it was cancelled.
    pub fn compute_with<O: Outputs>(&self, outputs: O, options: &RunOptions) -> Result<O::Results> {
        let mut wanted = Vec::new();
        let mut foreign = false;
        outputs.each(&mut |(graph, id)| {
            foreign |= graph != self.id || id as usize >= self.len();
            wanted.push(id);
        });
        if foreign {
            return Err(Error::usage(
                "a handle of another graph cannot be computed by this one",
            ));
        }
        let plan = Plan::of(self, &wanted);
        let scope = Scope {
            cancel: options.cancel.clone(),
            observers: options.observers.clone(),
        };
        let mut values = Values {
            graph: self,
            cells: self.cells(&plan, &wanted),
            scope: &scope,
        };
        let run = Run::new(&plan, &values, options);
        run.told(|| run.all())?;
        outputs
            .take(&mut values)
            .ok_or_else(|| Error::defect("a result went astray"))
    }

    fn cells(&self, plan: &Plan, wanted: &[u32]) -> Vec<Cell> {
        let cell = |task: &bool| if *task { Cell::default() } else { Cell::kept() };
        let mut cells: Vec<Cell> = self.is_task.iter().map(cell).collect();
        for (rank, &node) in plan.node_of.iter().enumerate() {
            *cells[node as usize].uses.get_mut() = plan.consumers(rank).len() as u32;
        }
        for &w in wanted {
            if self.is_task[w as usize] {
                *cells[w as usize].uses.get_mut() += 1;
            }
        }
        cells
    }
}

struct Run<'a> {
    graph: &'a TaskGraph,
    plan: &'a Plan,
    values: &'a Values<'a>,
    options: &'a RunOptions,
    threads: usize,
    /// What each rank waits for: its inputs, and being passed by the cursor.
    waiting: Vec<AtomicU32>,
    queue: Queue,
    failure: Mutex<Option<(u32, Error)>>,
    observers: Option<&'a Observers>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, values: &'a Values<'a>, options: &'a RunOptions) -> Self {
        let tasks = plan.node_of.len();
        let threads = options.workers(tasks);
        let room = plan.peak + threads * options.ahead.max(1);
        Run {
            graph: values.graph,
            plan,
            values,
            options,
            threads,
            waiting: plan.waits.iter().map(|w| AtomicU32::new(w + 1)).collect(),
            queue: Queue::new(tasks, threads, room),
            failure: Mutex::new(None),
            observers: Some(&options.observers).filter(|o| !o.is_empty()),
        }
    }

    /// Runs all tasks.
    fn all(&self) -> Result<()> {
        if self.threads == 1 {
            self.in_order();
        } else {
            std::thread::scope(|s| {
                for i in 1..self.threads {
                    let thread = std::thread::Builder::new().name(format!("task-{i}"));
                    if thread.spawn_scoped(s, move || self.work(i)).is_err() {
                        self.queue.absent();
                    }
                }
                self.work(0);
            });
        }
        match self.failure.lock().ok().and_then(|mut f| f.take()) {
            Some((_, e)) => Err(e),
            None => Ok(()),
        }
    }

    /// One thread needs no queue.
    fn in_order(&self) {
        for rank in 0..self.plan.node_of.len() as u32 {
            if !self.execute(rank, 0) {
                return;
            }
            self.release_inputs(rank);
        }
    }

    fn work(&self, thread: usize) {
        let _stop = StopOnPanic(&self.queue);
        let mut chunk = 1;
        loop {
            match self.queue.next(thread, chunk) {
                Next::Over => return,
                Next::Ready(rank) => self.follow(rank, thread),
                Next::Chunk => {
                    let begun = Instant::now();
                    while let Some(rank) = self.queue.next_of_chunk(thread) {
                        if self.waiting[rank as usize].fetch_sub(1, AcqRel) == 1 {
                            self.follow(rank, thread);
                        }
                    }
                    chunk = match begun.elapsed() {
                        e if e > LONG => (chunk / 4).max(1),
                        e if e < SHORT => (chunk * 2).min(self.options.chunk.max(1)),
                        _ => chunk,
                    };
                }
            }
        }
    }

    /// Runs a task, then what it made ready, and so on.
    fn follow(&self, rank: u32, thread: usize) {
        let mut next = Some(rank);
        while let Some(rank) = next {
            if self.queue.stopped() || !self.execute(rank, thread) {
                return;
            }
            next = self.after(rank);
        }
    }

    /// Drops what nobody else reads and finds out what can run now.
    fn after(&self, rank: u32) -> Option<u32> {
        let kept = i64::from(self.waits_for_readers(rank));
        self.queue.add_live(kept - self.release_inputs(rank));
        let mut first = None;
        let mut others = Vec::new();
        for &c in self.plan.consumers(rank as usize) {
            if self.waiting[c as usize].fetch_sub(1, AcqRel) == 1 {
                match first {
                    None => first = Some(c),
                    Some(_) => others.push(c),
                }
            }
        }
        if first.is_some() && !self.queue.has_room() {
            others.extend(first.take());
        }
        if !others.is_empty() {
            self.queue.share(others);
        } else if self.queue.anyone_idle() {
            self.queue.poke();
        }
        first
    }

    /// Whether the result is held for readers and nobody else.
    fn waits_for_readers(&self, rank: u32) -> bool {
        let cell = &self.values.cells[self.plan.node_of[rank as usize] as usize];
        let readers = self.plan.consumers(rank as usize).len() as u32;
        readers > 0 && cell.uses.load(Relaxed) == readers
    }

    /// The number of results of which this was the last reader.
    fn release_inputs(&self, rank: u32) -> i64 {
        let inputs = self.graph.inputs(self.plan.node_of[rank as usize] as usize);
        let last = inputs
            .iter()
            .filter(|&&d| self.values.cells[d as usize].release());
        last.count() as i64
    }

    /// Makes the result of a task; false if that failed.
    fn execute(&self, rank: u32, thread: usize) -> bool {
        let node = self.plan.node_of[rank as usize] as usize;
        let result = match self.observers {
            None => self.attempts(node),
            Some(observers) => self.watched(node, thread, observers),
        };
        match result {
            Ok(value) => {
                self.values.cells[node].put(value);
                true
            }
            Err(e) => {
                self.fail(rank, e);
                false
            }
        }
    }

    fn watched(&self, node: usize, thread: usize, observers: &Observers) -> Result<Value> {
        let (name, begin) = (&**self.graph.name(node), Instant::now());
        observers.each(|o| {
            o.pretask(&TaskStart {
                thread,
                stage: 0,
                part: node,
                name,
                begin,
            });
        });
        let result = self.attempts(node);
        let end = Instant::now();
        observers.each(|o| {
            o.posttask(&TaskEnd {
                thread,
                stage: 0,
                part: node,
                name,
                begin,
                end,
                rows: 0,
                bytes: 0,
                failed: result.is_err(),
                closing: false,
            });
        });
        result
    }

    /// Calls a task's function until it succeeds or has failed too often.
    fn attempts(&self, node: usize) -> Result<Value> {
        let Work::Task(call) = &self.graph.work[node] else {
            let what = format!(
                "task {} depends on a handle of another graph",
                self.graph.name(node)
            );
            return Err(Error::usage(what));
        };
        let mut pause = self.options.backoff;
        let mut left = self.options.retries;
        loop {
            if self.options.cancel.is_cancelled() {
                return Err(Cancel::error());
            }
            let named = || format!("task {} (number {node})", self.graph.name(node));
            let error = match catch_unwind(AssertUnwindSafe(|| call(self.values))) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(e)) => e,
                Err(panic) => return Err(panicked(&named(), &*panic)),
            };
            if left == 0 || matches!(error.kind(), Kind::Interrupted | Kind::Defect) {
                return Err(match error.kind() {
                    Kind::Interrupted => error,
                    _ => error.context(named()),
                });
            }
            left -= 1;
            self.sleep(pause);
            pause = pause.saturating_mul(2);
        }
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now().checked_add(pause);
        let left = || until.map_or(SLICE, |u| u.saturating_duration_since(Instant::now()));
        while !left().is_zero() && !self.options.cancel.is_cancelled() && !self.queue.stopped() {
            std::thread::sleep(left().min(SLICE));
        }
    }

    /// Keeps the failure of the earliest task (an interruption tells least) and stops the rest.
    fn fail(&self, rank: u32, e: Error) {
        if let Ok(mut failure) = self.failure.lock() {
            let order = |e: &Error, rank: u32| (e.kind() == Kind::Interrupted, rank);
            if failure
                .as_ref()
                .is_none_or(|(r, old)| order(&e, rank) < order(old, *r))
            {
                *failure = Some((rank, e));
            }
        }
        self.queue.stop();
    }

    /// Tells observers that the run begins and how it ends.
    fn told(&self, go: impl FnOnce() -> Result<()>) -> Result<()> {
        let Some(observers) = self.observers else {
            return go();
        };
        let begun = Instant::now();
        let tasks = self.plan.node_of.len();
        let stage = StageInfo {
            id: 0,
            name: "tasks".into(),
            inputs: Vec::new(),
            operators: vec![format!("{tasks} tasks")],
        };
        let start = RunStart {
            threads: self.threads,
            memory_limit: None,
            plan: String::new(),
            stages: vec![stage.clone()],
            gauge: Arc::new(crate::observe::Gauge::default),
        };
        observers.each(|o| o.start(&start));
        let names = Arc::new(self.graph.names.clone());
        let of: Arc<Vec<u32>> = Arc::new(self.graph.name_of.clone());
        let describe = move |node: usize| {
            let name = of.get(node).map_or("", |n| &*names[*n as usize]);
            format!("{name} (number {node})")
        };
        let planned = StagePlan {
            stage,
            tasks,
            begun,
            meter: None,
            describe: Arc::new(describe),
        };
        observers.each(|o| o.stage_planned(&planned));
        let outcome = go();
        let stage_run = StageRun {
            tasks: tasks as u64,
            steps: planned.stage.operators.clone(),
            elapsed: begun.elapsed(),
            ..StageRun::default()
        };
        observers.each(|o| o.stage_end(&stage_run));
        let end = RunEnd {
            error: outcome.as_ref().err().map(|e| e.to_string()),
            cancelled: self.options.cancel.is_cancelled(),
            ..RunEnd::default()
        };
        observers.each(|o| o.finish(&end));
        outcome
    }
}

/// Tasks cannot panic out of their thread, but observers can, and results when they are dropped. Then the other
/// threads must not wait for what this one would have made; the panic goes on to whoever called `compute`.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// The error of a task that panicked.
pub(super) fn panicked(named: &str, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic_text(panic).unwrap_or_else(|| "unknown panic".into());
    Error::new(Kind::Task, format!("{named} panicked: {text}"))
}
