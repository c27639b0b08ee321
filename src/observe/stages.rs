//! What each stage of a run did, for `EXPLAIN ANALYZE`.

use std::time::Duration;

/// One stage of a run. Stages run one after the other, so that what is counted while one runs is its.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageRun {
    /// Its number in the graph.
    pub stage: usize,
    /// Its operators, a line for each.
    pub steps: Vec<String>,
    /// Tasks that ran.
    pub tasks: u64,
    /// Rows that entered it: out of files, or out of the stages before.
    pub rows_in: u64,
    /// Rows that it left: of groups and runs those of all its threads.
    pub rows_out: u64,
    /// Bytes read from input files.
    pub bytes_read: u64,
    /// Bytes that it left to the next stages.
    pub bytes_out: u64,
    /// Bytes written to spill files.
    pub bytes_spilled: u64,
    /// The most bytes reserved at once while it ran, by all that is kept.
    pub peak_reserved: usize,
    /// Wall time.
    pub elapsed: Duration,
}
