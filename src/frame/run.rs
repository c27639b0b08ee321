//! Running a frame: once, or again with wider types when the data asked for them.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::{Frame, Settings, events, once, resume};
use crate::error::{Error, Kind, Result};
use crate::graph::{self, Graph};
use crate::kernel::Batch;
use crate::kernel::names::place;
use crate::kernel::types::names_of;
use crate::observe::{Progress, StageRun, Warning};
use crate::pipeline::RunContext;
use crate::plan::Table;
use crate::schedule::{self, ResultSink};
use crate::write::{self, Format, Output, Target, WriteOptions};

/// A frame is planned again at most this often: each time a column widens or a file turns out to
/// need the exact scanner, and both can happen only so many times.
pub(super) const MAX_REPLANS: usize = 64;

/// An encoder may gather this part of a thread's share of the memory: its rows may hold more
/// (whole read buffers), and their encoded form comes on top.
const ENCODER_SHARE: usize = 10;

/// The rows of a result, in memory.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Names and types.
    pub schema: SchemaRef,
    /// The rows, in order.
    pub batches: Vec<RecordBatch>,
    /// How the run went.
    pub report: Report,
}

impl Rows {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(|b| b.num_rows()).sum()
    }
}

impl AsRef<Report> for Rows {
    fn as_ref(&self) -> &Report {
        &self.report
    }
}

impl AsRef<Report> for Report {
    fn as_ref(&self) -> &Report {
        self
    }
}

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows of the result.
    pub rows: u64,
    /// Rows that scans read, before their filters; those that statistics left out were not read.
    pub rows_read: u64,
    /// Bytes read from input files.
    pub bytes_read: u64,
    /// Bytes written to spill files.
    pub bytes_spilled: u64,
    /// Bytes on disk of copies of inputs that can be read only once.
    pub bytes_copied: u64,
    /// Whether an input that can be read only once was read as it came.
    pub streamed: bool,
    /// The most bytes that were reserved at once.
    pub peak_reserved: usize,
    /// Tasks that ran.
    pub tasks: u64,
    /// Reads that failed for a moment and were tried again, since the files were opened.
    pub retries: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// What each stage did, in the order in which they ran.
    pub stages: Vec<StageRun>,
    /// Facts to tell the user.
    pub warnings: Vec<Warning>,
}

/// Runs frames.
pub(super) struct Runner {
    pub(super) settings: Arc<Settings>,
    pub(super) warnings: Vec<Warning>,
    begun: Instant,
}

impl Runner {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Runner {
            settings,
            warnings: Vec::new(),
            begun: Instant::now(),
        }
    }

    pub(super) fn collect(mut self, frame: &Frame) -> Result<Rows> {
        self.settings.check()?;
        self.repeat(frame, &mut |_| {}, |runner, frame, graph, cx| {
            let mut sink = ResultSink::Collect(Vec::new());
            let outcome = schedule::run(graph, runner.settings.scheduler, cx, &mut sink);
            let report = runner.report(frame, cx);
            outcome?;
            write_aside(frame.plan().tables(), cx)?;
            let ResultSink::Collect(batches) = sink else {
                return Err(Error::defect("rows went astray"));
            };
            let schema = graph.schema();
            let batches = batches
                .iter()
                .map(|b| record_batch(&schema, b))
                .collect::<Result<Vec<_>>>()?;
            Ok(Rows {
                schema,
                batches,
                report,
            })
        })
    }

    /// Runs it for what the run itself tells.
    pub(super) fn count(mut self, frame: &Frame, mut watch: impl FnMut(&Arc<RunContext>)) -> Result<Report> {
        self.settings.check()?;
        self.repeat(frame, &mut watch, |runner, frame, graph, cx| {
            schedule::run(graph, runner.settings.scheduler, cx, &mut ResultSink::Count)?;
            Ok(runner.report(frame, cx))
        })
    }

    pub(super) fn write(
        mut self,
        frame: &Frame,
        target: Target,
        format: Format,
        options: &WriteOptions,
        mut watch: impl FnMut(&Arc<RunContext>),
    ) -> Result<Report> {
        self.settings.check()?;
        let streams = target.streams() && format != Format::Table;
        let frame = match streams {
            true => self.rehearse(frame, &mut watch)?,
            false => frame.clone(),
        };
        let options = &WriteOptions {
            encoder_bytes: Some(self.settings.memory() / self.settings.threads() / ENCODER_SHARE),
            ..options.clone()
        };
        let first = frame.clone();
        // what a run left whose records began elsewhere than it took for granted, or whose filter needs a wider type
        let mut left: Option<Box<Output>> = None;
        self.repeat(&frame, &mut watch, |runner, frame, graph, cx| {
            let output = match left.take() {
                Some(output) => output,
                None => Box::new(Output::create(target.clone(), format, &graph.schema(), options)?),
            };
            let written = output.rows();
            if written > 0 {
                resume::check(&first, frame, written)?;
            }
            let behind = resume::behind(graph, written);
            let mut sink = ResultSink::Write(output);
            let outcome = schedule::run(&behind, runner.settings.scheduler, cx, &mut sink);
            let mut report = runner.report(frame, cx);
            let ResultSink::Write(output) = sink else {
                return Err(Error::defect("an output went astray"));
            };
            if let Err(e) = outcome {
                left = (streams && output.rows() > 0).then_some(output);
                return Err(e);
            }
            write_aside(frame.plan().tables(), cx)?;
            cx.progress.rows_follow();
            let written = output.finish()?;
            report.rows = written.rows;
            report.warnings.extend(not_told_apart(written.nans));
            report.elapsed = runner.begun.elapsed();
            Ok(report)
        })
    }

    /// Rows that stream out cannot be taken back when a column turns out wider than sampled. So what is read
    /// while they do is read once before, for nothing else. Answers the frame with types that hold.
    fn rehearse(&mut self, frame: &Frame, watch: &mut dyn FnMut(&Arc<RunContext>)) -> Result<Frame> {
        let mut frame = frame.clone();
        for _ in 0..MAX_REPLANS {
            let plan = frame.optimized()?;
            let Some(graph) = resume::rehearsal(graph::lower(&plan)?) else {
                return Ok(frame);
            };
            let cx = self.context();
            watch(&cx);
            // what is run after it needs it again
            if graph.tables.iter().any(|t| t.dataset.live().is_some()) {
                frame = once::kept(&frame, &cx)?;
                continue;
            }
            events::begin(&cx.progress.observers(), &self.settings, &plan, &graph, &cx);
            let outcome = schedule::run(&graph, self.settings.scheduler, &cx, &mut ResultSink::Count)
                .map_err(|e| e.renumbered(|t| table_of(&frame, &graph, t)));
            let Err(e) = outcome else { return Ok(frame) };
            frame = self.again(&frame, &e)?.ok_or(e)?;
        }
        Err(unsettled())
    }

    /// What to run instead after an error that only means that types or starts of records were taken wrong.
    fn again(&mut self, frame: &Frame, e: &Error) -> Result<Option<Frame>> {
        if e.kind() == Kind::Replan || !guesses_hold(slice::from_ref(frame), e)? {
            let refined = self.refine(frame);
            return refined.map(Some).map_err(|r| once::no_second_look(frame, e, r));
        }
        let certain = self.certain(slice::from_ref(frame), e)?;
        Ok(certain.and_then(|mut frames| frames.pop()))
    }

    /// Calls `once` until it succeeds without finding that a scan must be planned again.
    fn repeat<T: AsRef<Report>>(
        &mut self,
        frame: &Frame,
        watch: &mut dyn FnMut(&Arc<RunContext>),
        mut once: impl FnMut(&Self, &Frame, &Graph, &Arc<RunContext>) -> Result<T>,
    ) -> Result<T> {
        let mut frame = frame.clone();
        for _ in 0..MAX_REPLANS {
            let cx = self.context();
            watch(&cx);
            let plan = frame.optimized()?;
            let graph = graph::lower(&plan)?;
            if let Some(kept) = once::prepare(&self.settings, &frame, &graph, &cx)? {
                frame = kept;
                continue;
            }
            let observers = cx.progress.observers();
            events::begin(&observers, &self.settings, &plan, &graph, &cx);
            let outcome =
                once(self, &frame, &graph, &cx).map_err(|e| e.renumbered(|t| table_of(&frame, &graph, t)));
            let again = match &outcome {
                Err(e) => self.again(&frame, e)?,
                Ok(_) => None,
            };
            match again {
                Some(refined) => frame = refined,
                None => {
                    events::end(&observers, outcome.as_ref().map(AsRef::as_ref));
                    return outcome;
                }
            }
        }
        Err(unsettled())
    }

    /// The frame over datasets whose types hold all values of the columns it uses, where one did not.
    fn refine(&mut self, frame: &Frame) -> Result<Frame> {
        let refined = self.refine_all(slice::from_ref(frame))?.pop();
        refined.ok_or_else(|| Error::defect("a frame went astray"))
    }

    pub(super) fn context(&self) -> Arc<RunContext> {
        self.settings.context()
    }

    pub(super) fn report(&self, frame: &Frame, cx: &RunContext) -> Report {
        let p = &cx.progress;
        let mut warnings = [&frame.notes[..], &self.warnings[..]].concat();
        for w in frame.plan().tables().iter().flat_map(|t| t.dataset.warnings()) {
            if !warnings.iter().any(|x| x.key == w.key) {
                warnings.push(w);
            }
        }
        if let Ok(found) = cx.warnings.lock() {
            warnings.extend(found.iter().cloned());
        }
        warnings.extend(cx.spill.retries().warning());
        Report {
            rows: Progress::get(&p.rows_out),
            rows_read: Progress::get(&p.rows_read),
            bytes_read: Progress::get(&p.bytes_read),
            bytes_spilled: Progress::get(&p.bytes_spilled),
            bytes_copied: self.settings.copies.bytes().max(Progress::get(&p.bytes_copied)),
            streamed: frame.plan().tables().iter().any(|t| t.dataset.live().is_some()),
            peak_reserved: cx.budget.peak(),
            tasks: Progress::get(&p.tasks_done),
            retries: retried(frame, cx),
            elapsed: self.begun.elapsed(),
            stages: p.stage_runs.lock().map(|s| s.clone()).unwrap_or_default(),
            warnings,
        }
    }
}

/// What must be said of NaN in a CSV file: it is one of the texts that mean null there.
fn not_told_apart(nans: u64) -> Option<Warning> {
    let what = match nans {
        0 => return None,
        1 => "a value is NaN".to_string(),
        n => format!("{n} values are NaN"),
    };
    Some(Warning {
        key: "NaN in CSV".to_string(),
        text: format!("{what}, which CSV does not tell from null when it is read again; Parquet does"),
    })
}

/// Whether what tasks took for granted while they read holds, so that an error is to be believed.
pub(super) fn guesses_hold(frames: &[Frame], e: &Error) -> Result<bool> {
    if matches!(e.kind(), Kind::Interrupted | Kind::BrokenPipe) {
        return Ok(true);
    }
    let mut hold = true;
    for frame in frames {
        for table in frame.plan().tables() {
            hold &= table.dataset.guesses_hold()?;
        }
    }
    Ok(hold)
}

/// The error for types that are still not right after planning again and again.
pub(super) fn unsettled() -> Error {
    Error::defect("the types of the input would not settle")
}

/// The number that table `t` of a graph has among those of the frame's plan.
pub(super) fn table_of(frame: &Frame, graph: &Graph, t: usize) -> Option<usize> {
    let dataset = &graph.tables.get(t)?.dataset;
    let plan = frame.plan();
    let tables = plan.tables();
    tables.iter().position(|t| Arc::ptr_eq(&t.dataset, dataset))
}

/// Reads of inputs and spill files that were tried again.
fn retried(frame: &Frame, cx: &RunContext) -> u64 {
    let plan = frame.plan();
    let mut tables = plan.tables();
    let place = |t: &&Table| Arc::as_ptr(&t.dataset).cast::<()>() as usize;
    tables.sort_by_key(place);
    tables.dedup_by_key(|t| place(&&**t));
    let of_tables: u64 = tables.iter().map(|t| t.dataset.retries()).sum();
    of_tables + cx.spill.retries().made()
}

/// Writes the file of rejected rows, if the user asked for one.
///
/// # Errors
/// As reading and writing do.
pub fn write_aside<'a>(tables: impl IntoIterator<Item = &'a Table>, cx: &RunContext) -> Result<()> {
    for table in tables {
        if let Some(path) = table.dataset.set_aside(cx)? {
            write::write_whole(&path, |take| cx.aside.in_order(take))?;
        }
    }
    Ok(())
}

/// The columns that the scans of a frame read, for each table: indices in its schema.
pub(super) fn used_columns(frame: &Frame) -> Result<Vec<Vec<usize>>> {
    use crate::plan::LogicalPlan;
    let plan = frame.optimized()?;
    let mut out = Vec::new();
    let mut todo = vec![&plan];
    while let Some(n) = todo.pop() {
        if let LogicalPlan::Scan {
            table,
            columns,
            filter,
            ..
        } = n
        {
            let schema = table.dataset.schema();
            let mut names: Vec<String> = match columns {
                Some(c) => c.clone(),
                None => names_of(schema),
            };
            names.extend(filter.iter().flat_map(|f| f.columns()));
            let mut indices: Vec<usize> = names.iter().filter_map(|n| place(schema, n)).collect();
            indices.sort_unstable();
            indices.dedup();
            out.push(indices);
        }
        todo.extend(n.inputs().into_iter().rev());
    }
    Ok(out)
}

/// A batch with names; text that came as a dictionary becomes plain text.
pub(super) fn record_batch(schema: &SchemaRef, batch: &Batch) -> Result<RecordBatch> {
    let columns = batch.columns.iter().zip(schema.fields()).map(|(c, f)| {
        if c.data_type() == f.data_type() {
            Ok(c.clone())
        } else {
            Ok(arrow::compute::cast(c, f.data_type())?)
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}
