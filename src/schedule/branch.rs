//! A scan whose rows go several ways: each batch is pushed through every branch, in one pass.
//!
//! ```text
//!                           ┌► transforms ► sink of stage 0
//!   task: scan ► batch ─────┼► transforms ► sink of stage 1      arrays are shared, not copied
//!                           └► transforms ► sink of stage 2
//! ```
//!
//! Sinks are those that the stages would have by themselves: parked by each worker over all its tasks, or
//! one for each task where the order of the tasks is that of the rows.

use std::sync::{Arc, Mutex};

use super::worker::{Job, guarded, guarded_task, on_all};
use crate::error::{Error, Result};
use crate::graph::{Stage, StageInputs};
use crate::kernel::Batch;
use crate::pipeline::{self, Flow, Partition, Sink, TaskContext, Transform};

/// A stage that branches off.
pub struct Branch<'a> {
    pub stage: &'a Stage,
    pub inputs: StageInputs,
}

type Failure = (usize, Error);
/// What a branch left: its number, the (first) task, the rows.
type Left = (usize, usize, Arc<Partition>);

/// Runs the tasks of a scan and what branches off it; answers what each branch left, in order of the tasks.
pub fn run(
    job: &Job,
    branches: &[Branch],
    pool: Option<&rayon::ThreadPool>,
) -> Result<Vec<Vec<Arc<Partition>>>> {
    let left: Mutex<Vec<Left>> = Mutex::default();
    let keep = |branch: usize, part: usize, p: Partition| {
        if let Ok(mut left) = left.lock() {
            left.push((branch, part, Arc::new(p)));
        }
    };
    on_all(pool, || {
        if let Err((part, e)) = work(job, branches, &keep) {
            job.fail(part, 0, e);
        }
    });
    job.outcome()?;
    let mut left = left.into_inner().map_err(|_| Error::defect("a worker died"))?;
    left.sort_by_key(|(branch, part, _)| (*branch, *part));
    let mut out = vec![Vec::new(); branches.len()];
    for (branch, _, p) in left {
        out[branch].push(p);
    }
    Ok(out)
}

/// A sink that serves all tasks of a worker, and the first of them.
type Parked = Option<(usize, Box<dyn Sink>)>;

fn work(job: &Job, branches: &[Branch], keep: &impl Fn(usize, usize, Partition)) -> Result<(), Failure> {
    let mut parked: Vec<Parked> = branches.iter().map(|_| None).collect();
    while let Some(part) = job.take() {
        let left = guarded_task(job, part, || one(job, branches, part, &mut parked));
        for (branch, p) in left.map_err(|e| (part, e))? {
            keep(branch, part, p);
        }
        job.done(part, 0);
    }
    if job.stopped() {
        return Ok(());
    }
    for (i, (branch, sink)) in branches.iter().zip(parked).enumerate() {
        let (first, sink) = match sink {
            Some(parked) => parked,
            // without any task an aggregate still has to leave its (empty) state
            None if job.inputs.tasks.is_empty() && branch.stage.parks_sinks() => {
                (0, branch.sink(job).map_err(|e| (0, e))?)
            }
            None => continue,
        };
        let p = guarded(job, first, || job.close(first, || sink.finish(&job.task(first))));
        keep(i, first, p.map_err(|e| (first, e))?);
    }
    Ok(())
}

/// One branch within a task.
struct Way {
    transforms: Vec<Box<dyn Transform>>,
    sink: Box<dyn Sink>,
    /// Whether it wants more.
    flow: Flow,
}

impl Way {
    fn push(&mut self, batch: Batch, task: &TaskContext) -> Result<()> {
        if self.flow == Flow::More {
            let sink = &mut self.sink;
            self.flow = pipeline::push(&mut self.transforms, batch, &mut |b| sink.push(b, task), task)?;
        }
        Ok(())
    }
}

/// Runs one task; answers what those branches left whose sinks serve just it.
fn one(
    job: &Job,
    branches: &[Branch],
    part: usize,
    parked: &mut [Parked],
) -> Result<Vec<(usize, Partition)>> {
    let task = job.task(part);
    let mut ways = Vec::with_capacity(branches.len());
    let mut firsts = Vec::with_capacity(branches.len());
    for (branch, parked) in branches.iter().zip(parked.iter_mut()) {
        let (first, sink) = match parked.take() {
            Some(parked) => parked,
            None => (part, branch.sink(job)?),
        };
        firsts.push(first);
        ways.push(Way {
            transforms: branch.stage.build_transforms(&branch.inputs, job.cx)?,
            sink,
            flow: Flow::More,
        });
    }
    job.run_into(part, &mut |batch| {
        for way in &mut ways {
            way.push(batch.clone(), &task)?;
        }
        let more = ways.iter().any(|w| w.flow == Flow::More);
        Ok(if more { Flow::More } else { Flow::Enough })
    })?;
    let mut left = Vec::new();
    for (i, mut way) in ways.into_iter().enumerate() {
        let sink = &mut way.sink;
        pipeline::finish(&mut way.transforms, &mut |b| sink.push(b, &task), &task, None)?;
        match branches[i].stage.parks_sinks() {
            true => parked[i] = Some((firsts[i], way.sink)),
            false => left.push((i, way.sink.finish(&task)?)),
        }
    }
    Ok(left)
}

impl Branch<'_> {
    fn sink(&self, job: &Job) -> Result<Box<dyn Sink>> {
        self.stage.new_local_sink(&self.inputs, job.cx)
    }
}
