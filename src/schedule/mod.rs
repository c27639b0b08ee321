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

mod joins;
mod observed;
mod results;
mod watch;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::{Error, Result};
use crate::graph::{Graph, KeySets, Stage, StageInputs};
use crate::observe::Progress;
use crate::pipeline::{Partition, RunContext};
use crate::write::Output;

use observed::Observed;
pub use results::ResultSink;

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// As many threads as the run has.
    #[default]
    Threads,
    /// The calling thread alone, task after task: for debugging and profiles.
    Sync,
}

/// Runs a graph and hands its rows, in order, to `result`.
pub fn run(graph: &Graph, how: Scheduler, cx: &Arc<RunContext>, result: &mut ResultSink) -> Result<()> {
    let mut left: HashMap<usize, Vec<Arc<Partition>>> = HashMap::new();
    let last = graph.stages.len().saturating_sub(1);
    let pool = match how {
        Scheduler::Sync => None,
        Scheduler::Threads => Some(pool(cx.threads)?),
    };
    Progress::add(&cx.progress.stages, graph.stages.len() as u64);
    let observers = cx.progress.observers();
    // joins that do not fit into memory become further stages, behind the ones that are there
    let mut graph = graph.clone();
    let mut todo: VecDeque<usize> = graph.run_order().into();
    let mut keys = KeySets::default();
    while let Some(id) = todo.pop_front() {
        if let Some(at) = joins::too_large(&graph, &graph.stages[id], &left, cx)? {
            joins::spread(&graph, id, at, &mut left, pool.as_ref(), cx)?;
            let stages = graph.split_join(id, at)?;
            Progress::add(&cx.progress.stages, stages.len() as u64 - 1);
            stages.into_iter().rev().for_each(|s| todo.push_front(s));
            continue;
        }
        let stage = &graph.stages[id];
        let watch = watch::Watch::start(&graph, stage, &left, cx);
        // what several stages read stays until the last of them
        let again = |i: &usize| todo.iter().any(|&s| graph.stages[s].reads(*i));
        let mut take = |i: usize| match again(&i) {
            true => left.get(&i).cloned().unwrap_or_default(),
            false => left.remove(&i).unwrap_or_default(),
        };
        let inputs = StageInputs::plan(&graph, stage, &mut take, &keys, cx)?;
        Progress::add(&cx.progress.tasks_total, inputs.tasks.len() as u64);
        let mut job = worker::Job::new(&graph, stage, &inputs, cx);
        job.observed = Observed::plan(&observers, &graph, stage, &inputs, (watch.begun(), cx.threads));
        if id == last {
            results::run_last(&job, pool.as_ref(), &graph, result)?;
            watch.stop(&graph, stage, None, cx);
        } else {
            let partitions = worker::run_stage(&job, pool.as_ref())?;
            let partitions = inputs.leave(stage, partitions);
            keys.add(&graph, id, &partitions, cx)?;
            watch.stop(&graph, stage, Some(&partitions), cx);
            left.insert(id, partitions);
        }
    }
    Ok(())
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
    worker::guarded(&job, part, || job.run_into(part, &mut |b| sink.push(b, &task)))?;
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
