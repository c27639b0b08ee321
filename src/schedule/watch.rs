//! Notes what each stage did: the counters before it and after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::graph::{self, Graph, Stage};
use crate::observe::{Progress, StageRun};
use crate::pipeline::{Partition, RunContext};

/// A stage that runs.
pub(super) struct Watch {
    begun: Instant,
    before: [u64; 4],
    rows_in: Option<u64>,
}

impl Watch {
    /// A stage begins that reads what other stages have `left`.
    pub fn start(
        graph: &Graph,
        stage: &Stage,
        left: &HashMap<usize, Vec<Arc<Partition>>>,
        cx: &RunContext,
    ) -> Watch {
        let inputs = stage.inputs();
        let all = inputs.iter().filter_map(|i| left.get(i)).flatten();
        let rows_in = (!inputs.is_empty()).then(|| all.map(|p| p.rows).sum());
        cx.budget.take_peak();
        if let Ok(mut name) = cx.progress.stage_name.lock() {
            *name = graph::stage_name(graph, stage);
        }
        Watch {
            begun: Instant::now(),
            before: counters(&cx.progress),
            rows_in,
        }
    }

    /// When it began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// It is done, and left these partitions; the last one leaves rows of the result.
    pub fn stop(self, graph: &Graph, stage: &Stage, left: Option<&[Arc<Partition>]>, cx: &RunContext) {
        let now = counters(&cx.progress);
        let [tasks, read, bytes_read, spilled] = std::array::from_fn(|i| now[i] - self.before[i]);
        let rows_out = match left {
            Some(all) => all.iter().map(|p| p.rows).sum(),
            None => Progress::get(&cx.progress.rows_out),
        };
        let run = StageRun {
            stage: stage.id,
            steps: graph::steps(graph, stage),
            tasks,
            rows_in: self.rows_in.unwrap_or(read),
            rows_out,
            bytes_read,
            bytes_out: left.map_or(0, |all| all.iter().map(|p| p.bytes()).sum()),
            bytes_spilled: spilled,
            peak_reserved: cx.budget.take_peak(),
            elapsed: self.begun.elapsed(),
        };
        cx.progress.observers().each(|o| o.stage_end(&run));
        if let Ok(mut all) = cx.progress.stage_runs.lock() {
            all.push(run);
        }
    }
}

fn counters(p: &Progress) -> [u64; 4] {
    [&p.tasks_done, &p.rows_read, &p.bytes_read, &p.bytes_spilled].map(Progress::get)
}
