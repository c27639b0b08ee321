//! Inputs that can be read only once: read as they come where one pass is enough, and else over a copy.
//!
//! ```text
//!   the frame is run again, or reads the input twice       a copy of all of it first
//!   one scan, types may turn out wider                     as it comes; what was read is kept for a second look
//!   one scan, nothing hangs on a type                      as it comes; nothing is kept
//! ```

use std::slice;
use std::sync::Arc;

use super::{Frame, Settings};
use crate::error::{Error, Kind, Result};
use crate::graph::{Graph, StageSource};
use crate::memory::Again;
use crate::pipeline::RunContext;
use crate::plan::Table;
use crate::source::{Dataset, Live};

/// Decides how a run reads the live inputs of a frame; answers the frame to run instead, where one must be copied.
pub(super) fn prepare(
    settings: &Settings,
    frame: &Frame,
    graph: &Graph,
    cx: &RunContext,
) -> Result<Option<Frame>> {
    let mut seen: Vec<&Arc<Live>> = Vec::new();
    let live = graph.tables.iter().filter_map(|t| t.dataset.live());
    for live in live {
        if seen.iter().any(|l| Arc::ptr_eq(l, live)) {
            continue;
        }
        if !settings.last_run || !live.is_untouched() || scans(graph, live).count() != 1 {
            return kept(frame, cx).map(Some);
        }
        seen.push(live);
    }
    for live in seen {
        let widens = scans(graph, live).any(|(dataset, columns)| dataset.may_widen(&columns));
        live.begin(match widens {
            true => Again::Perhaps,
            false => Again::Never,
        })?;
    }
    Ok(None)
}

/// The scans of a live input: tables, and the columns that each looks at.
fn scans<'a>(
    graph: &'a Graph,
    live: &'a Arc<Live>,
) -> impl Iterator<Item = (&'a dyn Dataset, Vec<usize>)> + 'a {
    graph.stages.iter().filter_map(move |stage| {
        let StageSource::Scan {
            table,
            columns,
            filter,
            ..
        } = &stage.source
        else {
            return None;
        };
        let dataset = graph.tables[*table].dataset.as_ref();
        if !dataset.live().is_some_and(|l| Arc::ptr_eq(l, live)) {
            return None;
        }
        let filtered = filter.iter().flat_map(|f| f.columns());
        let filtered = filtered.filter_map(|c| dataset.schema().index_of(&c).ok());
        Some((dataset, columns.iter().copied().chain(filtered).collect()))
    })
}

/// The same frame over copies of its live inputs.
pub(super) fn kept(frame: &Frame, cx: &RunContext) -> Result<Frame> {
    let kept = all_kept(slice::from_ref(frame), cx)?.pop();
    kept.ok_or_else(|| Error::defect("a frame went astray"))
}

/// The same frames over copies of their live inputs, of each table one.
pub(super) fn all_kept(frames: &[Frame], cx: &RunContext) -> Result<Vec<Frame>> {
    let mut known: Vec<(Arc<dyn Dataset>, Arc<dyn Dataset>)> = Vec::new();
    let mut copied = |t: &Table| {
        let name = t.name.clone();
        if let Some((_, kept)) = known.iter().find(|(old, _)| Arc::ptr_eq(old, &t.dataset)) {
            let dataset = kept.clone();
            return Ok(Table { name, dataset });
        }
        let dataset = match t.dataset.clone().kept(&cx.cancelled)? {
            Some(kept) => kept,
            None => t.dataset.clone(),
        };
        known.push((t.dataset.clone(), dataset.clone()));
        Ok(Table { name, dataset })
    };
    frames.iter().map(|f| f.replace_tables(&mut copied)).collect()
}

/// What to say where a second look is needed for what went wrong, and there is none.
pub(super) fn no_second_look(frame: &Frame, e: &Error, refused: Error) -> Error {
    let live = frame.plan().tables().iter().any(|t| t.dataset.live().is_some());
    match live && refused.kind() == Kind::Limit {
        true => Error::limit(format!("{}; {}", e.what(), refused.what())).help(
            "give its type with --types, allow a copy with --max-spill, or name a file, which needs none",
        ),
        false => refused,
    }
}
