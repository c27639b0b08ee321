//! Several frames in one run: tables that are the same become one, their plans one graph.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::run::{self, MAX_REPLANS, Rows, Runner, record_batch, used_columns, write_aside};
use super::{Frame, Settings, events, once};
use crate::error::{Error, Kind, Result};
use crate::graph::{self, Graph};
use crate::plan::Table;
use crate::schedule;
use crate::source::Dataset;

/// What each branch of a scan may hold however small the limit is, for each thread.
const BRANCH_BYTES: usize = 8 << 20;
/// What a run holds besides.
const SHARED_BYTES: usize = 16 << 20;

/// The graph of frames that run together with `settings`.
pub(super) fn graph(frames: &[Frame], settings: &Settings) -> Result<Graph> {
    let plans = (united(frames)?.iter())
        .map(Frame::optimized)
        .collect::<Result<Vec<_>>>()?;
    graph::lower_all(&plans.iter().collect::<Vec<_>>(), most_branches(settings))
}

/// So many may share a scan, so that their sinks can spill within the memory limit.
fn most_branches(settings: &Settings) -> usize {
    let room = settings.memory().saturating_sub(SHARED_BYTES);
    (room / (BRANCH_BYTES * settings.threads())).max(1)
}

/// The frames, with one table where several have opened the same files in the same way.
fn united(frames: &[Frame]) -> Result<Vec<Frame>> {
    let mut seen: Vec<(serde_json::Value, Arc<dyn Dataset>)> = Vec::new();
    let mut known = |dataset: &Arc<dyn Dataset>| {
        if let Some((_, same)) = seen.iter().find(|(_, d)| Arc::ptr_eq(d, dataset)) {
            return same.clone();
        }
        let json = dataset.to_json();
        match seen.iter().find(|(j, _)| !json.is_null() && *j == json) {
            Some((_, same)) => same.clone(),
            None => {
                seen.push((json, dataset.clone()));
                dataset.clone()
            }
        }
    };
    let mut table = |t: &Table| {
        Ok(Table {
            name: t.name.clone(),
            dataset: known(&t.dataset),
        })
    };
    frames.iter().map(|f| f.replace_tables(&mut table)).collect()
}

impl Runner {
    /// Runs frames together and keeps their rows in memory.
    pub(super) fn together(mut self, frames: &[Frame]) -> Result<Vec<Rows>> {
        self.settings.check()?;
        let mut frames = once::all_kept(&united(frames)?, &self.context())?;
        for _ in 0..MAX_REPLANS {
            match self.once(&frames) {
                Err(e) if e.kind() == Kind::Replan || !run::guesses_hold(&frames, &e)? => {
                    frames = self.refine_all(&frames)?;
                }
                Err(e) => match self.certain(&frames, &e)? {
                    Some(certain) => frames = certain,
                    None => return Err(e),
                },
                other => return other,
            }
        }
        Err(run::unsettled())
    }

    fn once(&self, frames: &[Frame]) -> Result<Vec<Rows>> {
        let cx = self.context();
        let graph = graph(frames, &self.settings)?;
        let observers = cx.progress.observers();
        if let Some(first) = frames.first() {
            events::begin(&observers, &self.settings, &first.optimized()?, &graph, &cx);
        }
        let outcome = schedule::run_all(&graph, self.settings.scheduler, &cx);
        let mut report = match frames.first() {
            Some(first) => self.report(first, &cx),
            None => run::Report::default(),
        };
        for w in frames.iter().skip(1).flat_map(|f| f.all_warnings()) {
            if !report.warnings.iter().any(|x| x.key == w.key) {
                report.warnings.push(w);
            }
        }
        let replan = matches!(&outcome, Err(e) if e.kind() == Kind::Replan);
        let outcome = outcome.map_err(|e| {
            // which table of which frame would be hard to say
            e.renumbered(|_| None)
        });
        if !replan {
            events::end(&observers, outcome.as_ref().map(|_| &report));
        }
        let results = outcome?;
        write_aside(&distinct_tables(frames), &cx)?;
        let rows = |(batches, result): (Vec<_>, &graph::GraphResult)| {
            let schema = graph.stages[result.stage].schema.clone();
            let batches = batches.iter().map(|b| record_batch(&schema, b));
            Ok(Rows {
                batches: batches.collect::<Result<_>>()?,
                schema,
                report: report.clone(),
            })
        };
        results.into_iter().zip(&graph.results).map(rows).collect()
    }

    /// The frames with types that hold all values, after an error about types which came of a sample: a text that is
    /// no number need not be one where the column beside it turns out to be text too. None where that changes nothing.
    pub(super) fn certain(&mut self, frames: &[Frame], e: &Error) -> Result<Option<Vec<Frame>>> {
        if !e.is_of_types() {
            return Ok(None);
        }
        let types = |frames: &[Frame]| -> Vec<SchemaRef> {
            let plans = frames.iter().map(|f| f.plan());
            plans
                .flat_map(|p| {
                    p.tables()
                        .into_iter()
                        .map(|t| t.dataset.schema().clone())
                        .collect::<Vec<_>>()
                })
                .collect()
        };
        for frame in frames {
            frame.plan().tables().iter().for_each(|t| t.dataset.doubt());
        }
        let certain = self.refine_all(frames)?;
        Ok((types(&certain) != types(frames)).then_some(certain))
    }

    /// The frames over tables whose types hold all values of the columns that any of them uses.
    pub(super) fn refine_all(&mut self, frames: &[Frame]) -> Result<Vec<Frame>> {
        let cx = self.context();
        let mut used: Vec<(Arc<dyn Dataset>, BTreeSet<usize>)> = Vec::new();
        for frame in frames {
            let (plan, columns) = (frame.optimized()?, used_columns(frame)?);
            for (table, columns) in plan.tables().into_iter().zip(columns) {
                match used.iter_mut().find(|(d, _)| Arc::ptr_eq(d, &table.dataset)) {
                    Some((_, all)) => all.extend(columns),
                    None => used.push((table.dataset.clone(), columns.into_iter().collect())),
                }
            }
        }
        let mut refined = Vec::new();
        for (dataset, columns) in used {
            let columns: Vec<usize> = columns.into_iter().collect();
            refined.push((dataset.clone(), dataset.refine(&columns, &cx)?));
        }
        if let Ok(mut found) = cx.warnings.lock() {
            self.warnings.append(&mut found);
        }
        let mut table = |t: &Table| {
            let new = refined.iter().find(|(old, _)| Arc::ptr_eq(old, &t.dataset));
            Ok(Table {
                name: t.name.clone(),
                dataset: new.map_or_else(|| t.dataset.clone(), |(_, new)| new.clone()),
            })
        };
        frames.iter().map(|f| f.replace_tables(&mut table)).collect()
    }
}

/// Each table once.
fn distinct_tables(frames: &[Frame]) -> Vec<Table> {
    let mut all: Vec<Table> = Vec::new();
    for frame in frames {
        for t in frame.plan().tables() {
            if !all.iter().any(|x| Arc::ptr_eq(&x.dataset, &t.dataset)) {
                all.push(t.clone());
            }
        }
    }
    all
}

impl Frame {
    /// What there is to tell of its files.
    fn all_warnings(&self) -> Vec<crate::observe::Warning> {
        let plan = self.plan();
        let of_tables = plan.tables().into_iter().flat_map(|t| t.dataset.warnings());
        self.notes.iter().cloned().chain(of_tables).collect()
    }
}
