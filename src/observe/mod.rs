//! Events of a run, as counters that anyone may read while it goes on.
//!
//! ```text
//!   tasks, sources, spill files ──add──► Progress (atomics) ──read──► progress bar, --stats, profile
//! ```
//!
//! Workers only ever add to relaxed atomics, so that observing costs next to nothing and a slow
//! reader (a terminal, later a browser) never slows the query.

mod stages;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use stages::StageRun;

/// Counters of one run, shared by all its tasks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows that left the sources (after pushed-down filters).
    pub rows_read: AtomicU64,
    /// Bytes taken from input files, as stored.
    pub bytes_read: AtomicU64,
    /// Bytes written to spill files.
    pub bytes_spilled: AtomicU64,
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
    /// The stages that are done.
    pub stage_runs: Mutex<Vec<StageRun>>,
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
}

/// A fact for the user about the run, shown on stderr after the work: a column that was widened,
/// a file without rows. `key` unites repetitions: one warning for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Equal keys are shown once.
    pub key: String,
    /// The text, without `warning: ` before it.
    pub text: String,
}
