//! What a run tells about itself: counters for anyone who looks, events for whoever subscribes.
//!
//! ```text
//!   tasks, sources, spill files ──add──► Progress (atomics) ──read──► progress bar, --stats
//!   scheduler ──start, pretask, posttask, spill, finish──► Observer ─┬─ Recorder ─► Model ─► profile, graph
//!             ──counts by operator──► StageMeter ──read──────────────┘                    └► dashboard
//! ```
//!
//! Workers only ever add to relaxed atomics, or to a buffer of their own, so that observing costs
//! next to nothing and a slow reader (a terminal, a browser) never slows the query. Without a
//! subscribed [`Observer`] nothing is timed and no event is made.
//!
//! - `observer` is the trait and its events, open to users of the library;
//! - `meter` counts rows, batches and time by operator; `tally` is what a thread adds up for it;
//! - `record` is the observer that keeps a run, in memory that follows the number of threads, not of
//!   tasks (`lane`), `sample` the thread that looks at memory ten times a second;
//! - `model` is what it kept as plain data, `ddf.profile/1`; `trace` the same for trace viewers.

mod lane;
mod meter;
mod model;
mod observer;
mod record;
mod sample;
mod stages;
pub mod tally;
mod trace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

pub use meter::{Clock, OperatorCounts, StageMeter, WorkerMeter};
pub use model::{
    Cursor, Model, OperatorModel, Sample, SlowTask, StageModel, StageState, State, TaskRow, Update,
};
pub use observer::{Gauge, Observer, Observers, RunEnd, RunStart, StageInfo, StagePlan, TaskEnd, TaskStart};
pub use record::Recorder;
pub use sample::{Sampler, resident};
pub use stages::StageRun;
pub use trace::trace;

/// Counters of one run, shared by all its tasks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows that scans looked at, before their filters; of those that statistics left out, none.
    pub rows_read: AtomicU64,
    /// Bytes taken from input files, as stored.
    pub bytes_read: AtomicU64,
    /// Bytes written to spill files.
    pub bytes_spilled: AtomicU64,
    /// Bytes of inputs that can be read only once, which were copied to disk before.
    pub bytes_copied: AtomicU64,
    /// Bytes now in spill files.
    pub spill_now: AtomicU64,
    /// Stages of the graph.
    pub stages: AtomicU64,
    /// Tasks that were planned so far.
    pub tasks_total: AtomicU64,
    /// Tasks that are done.
    pub tasks_done: AtomicU64,
    /// Rows of the result.
    pub rows_out: AtomicU64,
    /// What the stage that runs is called.
    pub stage_name: Mutex<String>,
    /// The stages that are done.
    pub stage_runs: Mutex<Vec<StageRun>>,
    observed: AtomicBool,
    observers: Mutex<Observers>,
    before_rows: Mutex<Option<BeforeRows>>,
}

/// What is done once, before rows are shown.
struct BeforeRows(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for BeforeRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BeforeRows")
    }
}

impl Progress {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }
    /// Reads a counter.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }

    /// Counts bytes that were read from input files, for the run and for the task of this thread.
    pub fn add_read(&self, bytes: u64) {
        Self::add(&self.bytes_read, bytes);
        tally::read(bytes);
    }

    /// Counts rows that were read from input files.
    pub fn add_rows(&self, rows: u64) {
        Self::add(&self.rows_read, rows);
        tally::rows(rows);
    }

    /// Counts bytes that were written to spill files, and tells the observers.
    pub fn add_spilled(&self, bytes: u64) {
        Self::add(&self.bytes_spilled, bytes);
        Self::add(&self.spill_now, bytes);
        tally::spilled(bytes);
        if self.observed.load(Relaxed) {
            self.observers().each(|o| o.spill(bytes));
        }
    }

    /// Lets a display in the terminal that gets the rows make room for them: it would clear them with itself.
    pub fn before_rows(&self, clear: impl FnOnce() + Send + 'static) {
        if let Ok(mut held) = self.before_rows.lock() {
            *held = Some(BeforeRows(Box::new(clear)));
        }
    }

    /// To be called when rows that were held back until the end are about to be shown.
    pub fn rows_follow(&self) {
        let held = self.before_rows.lock().ok().and_then(|mut held| held.take());
        if let Some(BeforeRows(clear)) = held {
            clear();
        }
    }

    /// Lets an observer see the run; to be called before it starts.
    pub fn subscribe(&self, observer: Arc<dyn Observer>) {
        if let Ok(mut all) = self.observers.lock() {
            all.add(observer);
            self.observed.store(true, Relaxed);
        }
    }

    /// Those that see the run.
    pub fn observers(&self) -> Observers {
        if !self.observed.load(Relaxed) {
            return Observers::default();
        }
        self.observers.lock().map(|o| o.clone()).unwrap_or_default()
    }
}

/// A fact for the user about the run, shown on stderr after the work: a column that was widened,
/// a file without rows. `key` unites repetitions: one warning for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Equal keys are shown once. A key `kind subject`, such as `widened DepDelay`, lets all warnings of a kind
    /// be shown as one; a warning without others of its kind has its text as key.
    pub key: String,
    /// The text, without `warning: ` before it.
    pub text: String,
}

impl Warning {
    /// The kind and the subject, where there may be more of the kind.
    fn kind(&self) -> Option<(&str, &str)> {
        self.key.split_once(' ').filter(|_| self.key != self.text)
    }

    /// The first warning of each kind, with the subjects of the others.
    pub fn by_kind(all: &[Warning]) -> Vec<(&Warning, Vec<&str>)> {
        let mut out: Vec<(&Warning, Vec<&str>)> = Vec::new();
        let mut first: HashMap<&str, usize> = HashMap::new();
        for w in all {
            if let Some((kind, subject)) = w.kind() {
                if let Some(&at) = first.get(kind) {
                    out[at].1.push(subject);
                    continue;
                }
                first.insert(kind, out.len());
            }
            out.push((w, Vec::new()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_a_kind_are_one() {
        let of = |key: &str, text: &str| Warning {
            key: key.into(),
            text: text.into(),
        };
        let all = [
            of("widened a", "column 'a' is float64"),
            of("b.csv is empty", "b.csv is empty"),
            of("widened b c", "column 'b c' is text"),
            of("c.csv is empty", "c.csv is empty"),
        ];
        let shown = Warning::by_kind(&all);
        let shown: Vec<_> = shown
            .iter()
            .map(|(w, others)| (w.text.as_str(), others.clone()))
            .collect();
        let want = [
            ("column 'a' is float64", vec!["b c"]),
            ("b.csv is empty", vec![]),
            ("c.csv is empty", vec![]),
        ];
        assert_eq!(shown, want);
    }
}
