//! What observers are told of a stage's tasks, by the workers that run them.

use std::sync::Arc;
use std::time::Instant;

use crate::error::Result;
use crate::graph::{self, Graph, Stage, StageInputs};
use crate::observe::{Clock, Observers, StageMeter, StagePlan, TaskEnd, TaskStart, tally};

/// A stage that somebody watches.
pub struct Observed {
    observers: Observers,
    stage: usize,
    meter: Option<Arc<StageMeter>>,
}

impl Observed {
    /// Tells the observers that the tasks of a stage are known; none if there are no observers.
    pub fn plan(
        observers: &Observers,
        graph: &Graph,
        stage: &Stage,
        inputs: &StageInputs,
        (begun, threads): (Instant, usize),
    ) -> Option<Observed> {
        if observers.is_empty() {
            return None;
        }
        let info = graph::stage_info(graph, stage, Some(inputs));
        let meter = observers
            .want_operators()
            .then(|| Arc::new(StageMeter::new(threads, info.operators.len())));
        let plan = StagePlan {
            stage: info,
            tasks: inputs.tasks.len(),
            begun,
            meter: meter.clone(),
            describe: graph::describer(graph, stage, inputs.tasks),
        };
        observers.each(|o| o.stage_planned(&plan));
        Some(Observed {
            observers: observers.clone(),
            stage: stage.id,
            meter,
        })
    }

    /// Runs a task.
    pub fn task(&self, part: usize, run: impl FnOnce(Option<&Clock>) -> Result<()>) -> Result<()> {
        let thread = thread();
        let meter = self.meter.as_ref().and_then(|m| m.worker(thread));
        let clock = meter.map(|m| Clock::start(m, 0));
        let begin = clock.as_ref().map_or_else(Instant::now, Clock::since);
        let start = TaskStart {
            thread,
            stage: self.stage,
            part,
            name: "",
            begin,
        };
        self.observers.each(|o| o.pretask(&start));
        let (left, rows) = (meter.map_or(0, |m| m.rows_in()), tally::rows_read());
        let bytes = tally::bytes_read();
        let outcome = run(clock.as_ref());
        let end = TaskEnd {
            thread,
            stage: self.stage,
            part,
            name: "",
            begin,
            end: clock.map_or_else(Instant::now, Clock::stop),
            // a scan says how many rows it looked at; of other sources those that left them were read
            rows: match tally::rows_read() - rows {
                0 => meter.map_or(0, |m| m.rows_in()) - left,
                read => read,
            },
            bytes: tally::bytes_read() - bytes,
            failed: outcome.is_err(),
            closing: false,
        };
        self.observers.each(|o| o.posttask(&end));
        outcome
    }

    /// Runs what comes behind the tasks of a worker, of which `part` was the first.
    pub fn closing<T>(&self, part: usize, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let thread = thread();
        let meter = self.meter.as_ref().and_then(|m| m.worker(thread));
        let clock = meter.map(|m| Clock::start(m, m.last()));
        let begin = clock.as_ref().map_or_else(Instant::now, Clock::since);
        let outcome = run();
        let end = TaskEnd {
            thread,
            stage: self.stage,
            part,
            name: "",
            begin,
            end: clock.map_or_else(Instant::now, Clock::close),
            rows: 0,
            bytes: 0,
            failed: outcome.is_err(),
            closing: true,
        };
        self.observers.each(|o| o.closed(&end));
        outcome
    }
}

/// The number of this worker; the calling thread, where it works alone, is the first.
fn thread() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}
