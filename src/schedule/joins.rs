//! Which joins do not fit into memory, and what is done to their build sides then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::worker::on_all;
use crate::error::{Error, Result};
use crate::graph::{self, Graph, Stage, StageTransform};
use crate::pipeline::{Partition, RunContext};

/// The indexes of a stage's joins may fill the memory up to so many eighths: what its sink needs at
/// least comes on top.
const MOST_EIGHTHS: usize = 6;

type Left = HashMap<usize, Vec<Arc<Partition>>>;
type Numbered = (usize, Arc<Partition>);

/// The first join of a stage whose build side has no room beside those before it.
pub fn too_large(graph: &Graph, stage: &Stage, left: &Left, cx: &RunContext) -> Result<Option<usize>> {
    let most = cx.budget.limit() / 8 * MOST_EIGHTHS;
    let mut used = cx.budget.used();
    for (at, t) in stage.transforms.iter().enumerate() {
        let StageTransform::Probe { build, spec } = t else {
            continue;
        };
        let partitions = left.get(build).map_or(&[][..], Vec::as_slice);
        match graph::build_bytes(spec, &graph.stages[*build].schema, partitions)? {
            Some(more) if used + more <= most => used += more,
            Some(0) => {}
            _ => return Ok(Some(at)),
        }
    }
    Ok(None)
}

/// Spreads the build side of a join over buckets on disk, where it does not lie there already.
pub fn spread(
    graph: &Graph,
    stage: usize,
    at: usize,
    left: &mut Left,
    pool: Option<&rayon::ThreadPool>,
    cx: &Arc<RunContext>,
) -> Result<()> {
    let Some(StageTransform::Probe { build, spec }) = graph.stages[stage].transforms.get(at) else {
        return Err(Error::defect("a join went astray"));
    };
    let schema = &graph.stages[*build].schema;
    let partitions = left.remove(build).unwrap_or_default();
    let partitions: Vec<_> = partitions.into_iter().map(|p| Mutex::new(Some(p))).collect();
    let next = AtomicUsize::new(0);
    let out: Mutex<Vec<Result<Numbered>>> = Mutex::default();
    on_all(pool, || {
        loop {
            let i = next.fetch_add(1, Relaxed);
            let Some(slot) = partitions.get(i) else { return };
            let Some(partition) = slot.lock().ok().and_then(|mut p| p.take()) else {
                return;
            };
            let spread = graph::scatter_build(spec, schema, partition, cx);
            if let Ok(mut out) = out.lock() {
                out.push(spread.map(|p| (i, p)));
            }
        }
    });
    let out = out.into_inner().map_err(|_| Error::defect("a worker died"))?;
    let mut out = out.into_iter().collect::<Result<Vec<_>>>()?;
    out.sort_by_key(|(i, _)| *i);
    left.insert(*build, out.into_iter().map(|(_, p)| p).collect());
    Ok(())
}
