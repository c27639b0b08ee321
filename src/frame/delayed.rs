//! Frames as tasks of a graph of one's own, beside functions.
//!
//! ```
//! use ddf::{Frame, graph::TaskGraph};
//! let flights = Frame::read("testdata/nycflights/*.csv")?;
//! let by_origin = flights.clone().groupby(["Origin"])?.agg(["count()"])?;
//! let all = flights.agg(["count()"])?;
//!
//! let mut g = TaskGraph::new();
//! let (by_origin, all) = (g.frame(by_origin), g.frame(all));
//! let report = g.delayed("report", |(a, b)| format!("{} origins, {} row", a.rows(), b.rows()), (by_origin, all));
//! assert_eq!(g.compute(report)?, "3 origins, 1 row");
//! # Ok::<(), ddf::Error>(())
//! ```

use std::sync::Arc;

use super::{Frame, Rows, run};
use crate::error::{Error, Result};
use crate::observe::Observer;
use crate::tasks::{Delayed, InGraph, Inputs, Scope, TaskGraph};

/// Tells the observers of a task graph what its frames spill; their stages are not the graph's.
struct Spills(crate::observe::Observers);

impl Observer for Spills {
    fn spill(&self, bytes: u64) {
        self.0.each(|o| o.spill(bytes));
    }
}

/// The frame within a run: cancelled with it, seen by whoever sees it.
fn within(frame: &Frame, scope: &Scope) -> Frame {
    let mut settings = (*frame.settings).clone();
    settings.cancel = Some(scope.cancel.clone());
    let frame = frame.clone().with_settings(settings);
    match scope.observers.is_empty() {
        true => frame,
        false => frame.observed(Arc::new(Spills(scope.observers.clone()))),
    }
}

impl TaskGraph {
    /// A task that runs a frame, with the frame's own threads and memory limit, and has its rows.
    pub fn frame(&mut self, frame: Frame) -> Delayed<Rows> {
        self.task("frame", (), move |(), scope| within(&frame, scope).collect())
    }

    /// A task that runs several frames in one pass over what they have in common, as
    /// [`Frame::compute_all`] does.
    pub fn frames(&mut self, frames: Vec<Frame>) -> Delayed<Vec<Rows>> {
        self.task("frames", (), move |(), scope| {
            let frames: Vec<Frame> = frames.iter().map(|f| within(f, scope)).collect();
            Frame::compute_all(&frames)
        })
    }

    /// A task that makes a frame of what other tasks found out, and runs it.
    ///
    /// ```
    /// use ddf::{Frame, graph::TaskGraph};
    /// let mut g = TaskGraph::new();
    /// let month = g.delayed("month", |()| 2 + 2, ());
    /// let rows = g.frame_of("one month", |m| {
    ///     Frame::read("testdata/nycflights/*.csv")?.filter(&format!("Month = {m}"))?.agg(["count()"])
    /// }, month);
    /// assert_eq!(g.compute(rows)?.rows(), 1);
    /// # Ok::<(), ddf::Error>(())
    /// ```
    pub fn frame_of<D, F>(&mut self, name: &str, f: F, inputs: D) -> Delayed<Rows>
    where
        D: Inputs<InGraph>,
        F: for<'a> Fn(<D as Inputs<InGraph>>::Refs<'a>) -> Result<Frame> + Send + Sync + 'static,
    {
        self.task(name, inputs, move |refs, scope| {
            within(&f(refs)?, scope).collect()
        })
    }
}

impl Frame {
    /// Runs several frames together, with the settings of the first: the scan of a table that several of
    /// them read is made once, and so is whatever else they have in common. The results are those that
    /// each frame has by itself; the report in each is that of the whole run.
    ///
    /// ```
    /// use ddf::Frame;
    /// let flights = Frame::read("testdata/nycflights/*.csv")?;
    /// let by_carrier = flights.clone().groupby(["UniqueCarrier"])?.agg(["mean(ArrDelay)"])?;
    /// let latest = flights.sort(["DepDelay:desc"])?.limit(0, Some(3))?;
    /// let results = Frame::compute_all(&[by_carrier.clone(), latest])?;
    /// assert_eq!(results[1].rows(), 3);
    /// // the files were read once
    /// assert_eq!(results[0].report.bytes_read, by_carrier.collect()?.report.bytes_read);
    /// # Ok::<(), ddf::Error>(())
    /// ```
    ///
    /// Each frame that shares a scan holds memory of its own while it runs, so under small memory limits
    /// fewer share one.
    ///
    /// # Errors
    /// As [`Frame::collect`]; a frame that fails, fails all.
    pub fn compute_all(frames: &[Frame]) -> Result<Vec<Rows>> {
        match frames {
            [] => Ok(Vec::new()),
            [first, ..] => run::Runner::new(first.settings.clone()).together(frames),
        }
    }

    /// The graph of several frames that run together, as [`Frame::compute_all`] does it.
    ///
    /// # Errors
    /// As [`Frame::graph`]; there are no frames.
    pub fn graph_of_all(frames: &[Frame]) -> Result<crate::graph::Graph> {
        let first = frames.first().ok_or_else(|| Error::usage("no frames"))?;
        super::together::graph(frames, &first.settings)
    }
}
