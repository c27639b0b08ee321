//! Runs a task graph: stage after stage, the tasks of each on all threads.
//!
//! ```text
//!   coordinator (the calling thread)          worker (one for each thread, on rayon)
//!     for each stage, inputs first:             loop:
//!       decide its tasks from its inputs          take the next task number   (one atomic add)
//!       start the workers  ───────────────────►   source ► transforms ► sink
//!       last stage: append results, in order ◄──  send encoded rows           (bounded channel)
//!       drop the inputs                         finish the parked sink, leave its partition
//! ```
//!
//! Tasks are taken in order of their number, so that results come in order and at most a window of
//! them waits for its turn; a task costs an atomic add, and a million empty ones a fraction of a
//! second. A worker parks one sink (hash table, sort buffer) across all its tasks: there are never
//! more of them than threads, and none holds a share of memory while idle. One stage runs at a
//! time, so at most one blocking operator holds much memory. A panic in a task is caught and
//! becomes an error that names the task.

mod branch;
mod joins;
mod observed;
mod results;
mod watch;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::{Error, Result};
use crate::graph::{Graph, GraphResult, KeySets, Stage, StageInputs, StageSink, StageTransform};
use crate::kernel::Batch;
use crate::kernel::raw::allocator;
use crate::observe::{Observers, Progress};
use crate::pipeline::{Partition, RunContext};
use crate::write::Output;

use observed::Observed;

pub use crate::tasks::{Cancel, Scheduler};
pub use results::ResultSink;

/// Runs a graph and hands its rows, in order, to `result`.
///
/// # Errors
/// Whatever goes wrong in a task, or with the result.
pub fn run(graph: &Graph, how: Scheduler, cx: &Arc<RunContext>, result: &mut ResultSink) -> Result<()> {
    let last = graph.stages.len().saturating_sub(1);
    let mut run = Run::new(graph, how, cx)?;
    while let Some(id) = run.todo.pop_front() {
        run.stage(id, (id == last).then_some(&mut *result))?;
    }
    Ok(())
}

/// Runs a graph of several results; answers the rows of each.
///
/// # Errors
/// As [`run`].
pub fn run_all(graph: &Graph, how: Scheduler, cx: &Arc<RunContext>) -> Result<Vec<Vec<Batch>>> {
    let mut run = Run::new(graph, how, cx)?;
    while let Some(id) = run.todo.pop_front() {
        run.stage(id, None)?;
    }
    let rows = |r: &GraphResult| {
        let partitions = run.left.get(&r.stage).cloned().unwrap_or_default();
        results::collect((r.skip, r.take), partitions, cx)
    };
    graph.results.iter().map(rows).collect()
}

/// What is left to do of a graph, and what has been done.
struct Run<'a> {
    /// Joins that do not fit into memory become further stages, behind the ones that are there.
    graph: Graph,
    todo: VecDeque<usize>,
    left: HashMap<usize, Vec<Arc<Partition>>>,
    keys: KeySets,
    pool: Option<rayon::ThreadPool>,
    observers: Observers,
    cx: &'a Arc<RunContext>,
}

impl<'a> Run<'a> {
    fn new(graph: &Graph, how: Scheduler, cx: &'a Arc<RunContext>) -> Result<Run<'a>> {
        Progress::add(&cx.progress.stages, graph.stages.len() as u64);
        let little = is_little(graph);
        if !little {
            allocator::expect_much();
        }
        Ok(Run {
            todo: graph.run_order().into(),
            graph: graph.clone(),
            left: HashMap::new(),
            keys: KeySets::default(),
            pool: match how {
                Scheduler::Sync => None,
                // starting threads would take longer than the work
                Scheduler::Threads if little => None,
                Scheduler::Threads => Some(pool(cx.threads)?),
            },
            observers: cx.progress.observers(),
            cx,
        })
    }

    /// Takes a stage's first join that does not fit into memory apart; answers the stages to run instead.
    fn split(&mut self, id: usize) -> Result<Option<Vec<usize>>> {
        let (graph, left) = (&mut self.graph, &mut self.left);
        let Some(at) = joins::too_large(graph, &graph.stages[id], left, self.cx)? else {
            return Ok(None);
        };
        joins::spread(graph, id, at, left, self.pool.as_ref(), self.cx)?;
        let stages = graph.split_join(id, at)?;
        Progress::add(&self.cx.progress.stages, stages.len() as u64 - 1);
        Ok(Some(stages))
    }

    /// The work of a stage whose tasks are known, counted and told to the observers.
    fn job<'s>(&'s self, stage: &'s Stage, inputs: &'s StageInputs, watch: &watch::Watch) -> worker::Job<'s> {
        let (graph, cx) = (&self.graph, self.cx);
        Progress::add(&cx.progress.tasks_total, inputs.tasks.len() as u64);
        let mut job = worker::Job::new(graph, stage, inputs, cx);
        let when = (watch.begun(), cx.threads);
        job.observed = Observed::plan(&self.observers, graph, stage, inputs, when);
        job
    }

    /// Runs a stage; the rows of the last one go to `result`.
    fn stage(&mut self, id: usize, result: Option<&mut ResultSink>) -> Result<()> {
        if let StageSink::Branches = self.graph.stages[id].sink {
            return self.branches(id);
        }
        if let Some(stages) = self.split(id)? {
            stages.into_iter().rev().for_each(|s| self.todo.push_front(s));
            return Ok(());
        }
        let watch = watch::Watch::start(&self.graph, &self.graph.stages[id], &self.left, self.cx);
        let inputs = self.inputs(id)?;
        let (graph, stage, cx) = (&self.graph, &self.graph.stages[id], self.cx);
        let job = self.job(stage, &inputs, &watch);
        if let Some(result) = result {
            results::run_last(&job, self.pool.as_ref(), graph, result)?;
            watch.stop(graph, stage, None, cx);
            return Ok(());
        }
        let partitions = worker::run_stage(&job, self.pool.as_ref())?;
        let partitions = inputs.leave(stage, partitions);
        self.keys.add(graph, id, &partitions, cx)?;
        watch.stop(graph, stage, Some(&partitions), cx);
        self.left.insert(id, partitions);
        Ok(())
    }

    /// Runs a scan and the stages that branch off it.
    fn branches(&mut self, id: usize) -> Result<()> {
        for branch in self.graph.branches(id) {
            // what spreads the left rows of a join that does not fit branches off in its place
            while let Some(stages) = self.split(branch)? {
                let place = self.todo.iter().position(|s| *s == branch);
                let between = stages.iter().skip(1).rev().skip(1);
                between.for_each(|&s| self.todo.insert(place.unwrap_or(0), s));
                if self.graph.stages[branch].branches_off().is_none() {
                    break;
                }
            }
        }
        let ids = self.graph.branches(id);
        self.todo.retain(|s| !ids.contains(s));
        ids.iter().rev().for_each(|&b| self.todo.push_front(b));
        let watch = watch::Watch::start(&self.graph, &self.graph.stages[id], &self.left, self.cx);
        let mut inputs = self.inputs(id)?;
        let mut branches = Vec::with_capacity(ids.len());
        let mut planned = Vec::with_capacity(ids.len());
        for &b in &ids {
            self.todo.pop_front(); // what the others read as well stays
            planned.push(self.inputs(b)?);
        }
        let (graph, stage, cx) = (&self.graph, &self.graph.stages[id], self.cx);
        for (&b, of_branch) in ids.iter().zip(planned) {
            inputs.tasks = of_branch.tasks;
            branches.push(branch::Branch {
                stage: &graph.stages[b],
                inputs: of_branch,
            });
        }
        let job = self.job(stage, &inputs, &watch);
        let before = Progress::get(&cx.progress.rows_read);
        let left = branch::run(&job, &branches, self.pool.as_ref())?;
        let rows = Progress::get(&cx.progress.rows_read) - before;
        watch.stop(graph, stage, Some(&[]), cx);
        for (branch, partitions) in branches.iter().zip(left) {
            let watch = watch::Watch::start(graph, branch.stage, &self.left, cx).of_scan(rows);
            let at = (watch.begun(), cx.threads);
            Observed::plan(&self.observers, graph, branch.stage, &branch.inputs, at);
            let partitions = branch.inputs.leave(branch.stage, partitions);
            self.keys.add(graph, branch.stage.id, &partitions, cx)?;
            watch.stop(graph, branch.stage, Some(&partitions), cx);
            self.left.insert(branch.stage.id, partitions);
        }
        Ok(())
    }

    /// What a stage reads, which is let go unless others need it as well.
    fn inputs(&mut self, id: usize) -> Result<StageInputs> {
        let (graph, todo, left) = (&self.graph, &self.todo, &mut self.left);
        let again = |i: &usize| {
            let read = todo.iter().any(|&s| s != id && graph.stages[s].reads(*i));
            read || graph.results.iter().any(|r| r.stage == *i)
        };
        let mut take = |i: usize| match again(&i) {
            true => left.get(&i).cloned().unwrap_or_default(),
            false => left.remove(&i).unwrap_or_default(),
        };
        StageInputs::plan(graph, &graph.stages[id], &mut take, &self.keys, self.cx)
    }
}

/// Runs just one task of one stage, given the partitions of its input; for workers of another
/// process (`ddf __task`) and for reruns of a failed task.
pub fn run_task(
    graph: &Graph,
    stage: &Stage,
    inputs: &StageInputs,
    part: usize,
    cx: &Arc<RunContext>,
) -> Result<Partition> {
    let job = worker::Job::new(graph, stage, inputs, cx);
    let mut sink = stage.new_sink(cx)?;
    let task = job.task(part);
    worker::guarded_task(&job, part, || job.run_into(part, &mut |b| sink.push(b, &task)))?;
    sink.finish(&task)
}

/// Writes partitions of the last stage that came from elsewhere, in their order.
///
/// # Errors
/// The output cannot be written, or a spill file not be read.
pub fn write_partitions(
    graph: &Graph,
    partitions: &[Arc<Partition>],
    output: Output,
    cx: &Arc<RunContext>,
) -> Result<Output> {
    results::write_partitions(graph, partitions, output, cx)
}

/// Bytes and rows of tables that are read in about a millisecond.
const LITTLE: (u64, u64) = (512 << 10, 20_000);

/// Whether all tables together are small, and nothing makes more rows of theirs.
fn is_little(graph: &Graph) -> bool {
    let expands = |t: &StageTransform| matches!(t, StageTransform::Expand { .. });
    let makes_more = |s: &Stage| !s.builds().is_empty() || s.transforms.iter().any(expands);
    if graph.stages.iter().any(makes_more) {
        return false;
    }
    let datasets = || graph.tables.iter().map(|t| &t.dataset);
    let bytes = datasets().fold(0u64, |all, d| all.saturating_add(d.bytes()));
    let rows = datasets().fold(0u64, |all, d| all.saturating_add(d.estimated_rows()));
    bytes <= LITTLE.0 && rows <= LITTLE.1
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("ddf-{i}"))
        .build()
        .map_err(|e| {
            Error::new(
                crate::error::Kind::Environment,
                format!("cannot start {threads} threads: {e}"),
            )
        })
}

/// Asks every task of the run to stop soon.
pub fn cancel(cx: &RunContext) {
    cx.cancelled.store(true, Relaxed);
}
