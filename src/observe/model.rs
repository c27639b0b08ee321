//! A run as plain data, `ddf.profile/1`: what profiles, graphs and the dashboard show.
//!
//! Times are seconds since the recorder began, but those of tasks, which are microseconds. Sizes are
//! bytes. Fields may be added in later versions; what is here keeps its meaning.

use serde::{Deserialize, Serialize};

use super::lane::Done;

/// The name of the format.
pub const FORMAT: &str = "ddf.profile/1";

/// A whole run, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Always `ddf.profile/1`.
    pub format: String,
    /// The version of `ddf` that ran.
    pub version: String,
    /// The command, as it was typed; empty for a program.
    pub command: String,
    /// When it began, in UTC, as RFC 3339 writes it.
    pub started: String,
    /// Worker threads.
    pub threads: usize,
    /// The most bytes that may be reserved.
    pub memory_limit: Option<u64>,
    /// Seconds from the beginning to now or the end.
    pub elapsed: f64,
    /// How it stands.
    pub state: State,
    /// What went wrong.
    pub error: Option<String>,
    /// The optimised plan as `ddf explain` prints it.
    pub plan: String,
    /// The stages, by their number.
    pub stages: Vec<StageModel>,
    /// The tasks, by thread and time.
    pub tasks: Vec<TaskRow>,
    /// What the process held, over time.
    pub samples: Vec<Sample>,
    /// The slowest tasks, slowest first.
    pub slowest: Vec<SlowTask>,
    /// Facts for the user.
    pub warnings: Vec<String>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    #[default]
    Running,
    /// It has ended well.
    Finished,
    /// It has ended with an error.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// How a stage stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// Its inputs are not complete.
    #[default]
    Waiting,
    /// Its tasks run.
    Running,
    /// They are done.
    Done,
    /// One of them failed, or the run ended before they were done.
    Failed,
}

/// What a stage does and did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageModel {
    /// Its number.
    pub id: usize,
    /// In short: `scan flights.csv ► aggregate`.
    pub name: String,
    /// The stages whose rows it reads.
    pub inputs: Vec<usize>,
    /// How it stands.
    pub state: StageState,
    /// When it began, in seconds.
    pub begin: Option<f64>,
    /// When it ended, in seconds.
    pub end: Option<f64>,
    /// How many tasks it has, once that is known.
    pub tasks: Option<u64>,
    /// How many are done.
    pub done: u64,
    /// Rows that entered it: out of files, or out of the stages before.
    pub rows_in: u64,
    /// Rows that it left.
    pub rows_out: u64,
    /// Bytes read from input files.
    pub bytes_read: u64,
    /// Bytes that it left to the next stages.
    pub bytes_out: u64,
    /// Bytes written to spill files.
    pub spilled: u64,
    /// The most bytes reserved at once while it ran, by all that is kept.
    pub peak_reserved: u64,
    /// Seconds that threads spent in its tasks, together.
    pub busy: f64,
    /// Its operators, first the source, last the sink.
    pub operators: Vec<OperatorModel>,
}

/// What an operator did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatorModel {
    /// What it does.
    pub name: String,
    /// Rows that entered it.
    pub rows_in: u64,
    /// Rows that left it.
    pub rows_out: u64,
    /// Batches that left it; of a sink those that entered it.
    pub batches: u64,
    /// Seconds of all threads together, without those of the operators before and after it.
    pub busy: f64,
    /// Bytes that it wrote to spill files.
    pub spilled: u64,
    /// The most bytes that it reserved: the sum of its threads' peaks.
    pub peak_reserved: u64,
}

/// A task, or several neighbouring short ones of a thread and a stage. As JSON a list:
/// `[thread, stage, part, begin_us, end_us, rows, bytes, count]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Plain", from = "Plain")]
pub struct TaskRow {
    /// The worker.
    pub thread: u32,
    /// The stage.
    pub stage: u32,
    /// The number of the (first) task within the stage.
    pub part: u32,
    /// When it began, in microseconds.
    pub begin_us: u64,
    /// When it (or the last of them) ended, in microseconds.
    pub end_us: u64,
    /// Rows that it took in.
    pub rows: u64,
    /// Bytes that it read from input files.
    pub bytes: u64,
    /// How many tasks this is. Zero for what a thread does behind its last task of a stage: sorting,
    /// spilling or handing over what its tasks gathered.
    pub count: u64,
}

type Plain = (u32, u32, u32, u64, u64, u64, u64, u64);

impl From<TaskRow> for Plain {
    fn from(t: TaskRow) -> Plain {
        (
            t.thread, t.stage, t.part, t.begin_us, t.end_us, t.rows, t.bytes, t.count,
        )
    }
}

impl From<Plain> for TaskRow {
    fn from((thread, stage, part, begin_us, end_us, rows, bytes, count): Plain) -> TaskRow {
        TaskRow {
            thread,
            stage,
            part,
            begin_us,
            end_us,
            rows,
            bytes,
            count,
        }
    }
}

/// What the process held at a moment. As JSON a list: `[seconds, resident, reserved, spilled_now,
/// spilled_total, rows_read, bytes_read]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "PlainSample", from = "PlainSample")]
pub struct Sample {
    /// When, in seconds.
    pub seconds: f64,
    /// Bytes of the process in memory, as the system counts them.
    pub resident: u64,
    /// Bytes reserved from the memory limit.
    pub reserved: u64,
    /// Bytes in spill files.
    pub spilled_now: u64,
    /// Bytes written to spill files so far.
    pub spilled_total: u64,
    /// Rows that scans have read so far, before their filters.
    pub rows_read: u64,
    /// Bytes read from input files so far.
    pub bytes_read: u64,
}

type PlainSample = (f64, u64, u64, u64, u64, u64, u64);

impl From<Sample> for PlainSample {
    fn from(s: Sample) -> PlainSample {
        let seconds = (s.seconds * 1e6).round() / 1e6;
        (
            seconds,
            s.resident,
            s.reserved,
            s.spilled_now,
            s.spilled_total,
            s.rows_read,
            s.bytes_read,
        )
    }
}

impl From<PlainSample> for Sample {
    fn from(p: PlainSample) -> Sample {
        let (seconds, resident, reserved, spilled_now, spilled_total, rows_read, bytes_read) = p;
        Sample {
            seconds,
            resident,
            reserved,
            spilled_now,
            spilled_total,
            rows_read,
            bytes_read,
        }
    }
}

/// One of the slowest tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SlowTask {
    /// Its stage.
    pub stage: usize,
    /// Its number within the stage.
    pub part: u64,
    /// How long it took.
    pub seconds: f64,
    /// Rows that it took in.
    pub rows: u64,
    /// What it reads: `data/a.csv, bytes 0 to 4194304`.
    pub what: String,
    /// The command that runs only it, where there is one.
    pub again: Option<String>,
}

/// What became new since a reader looked last; see [`super::Recorder::since`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Seconds from the beginning to now or the end.
    pub elapsed: f64,
    /// How the run stands.
    pub state: State,
    /// What went wrong.
    pub error: Option<String>,
    /// The stages that changed, whole.
    pub stages: Vec<StageModel>,
    /// New tasks, and what rows of several tasks have grown by.
    pub tasks: Vec<TaskRow>,
    /// New samples.
    pub samples: Vec<Sample>,
    /// The slowest tasks so far.
    pub slowest: Vec<SlowTask>,
    /// Facts for the user so far.
    pub warnings: Vec<String>,
    /// The run has begun anew, or the reader has seen nothing yet: what was sent before no longer
    /// holds, and the whole [`Model`] should be taken.
    #[serde(skip)]
    pub anew: bool,
}

/// How far a reader has seen a run. The default has seen nothing.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    pub(super) generation: u64,
    pub(super) lanes: Vec<Done>,
    pub(super) sampled: Option<f64>,
    pub(super) stages: Vec<StageModel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_samples_are_lists() {
        let task = TaskRow {
            thread: 1,
            stage: 2,
            part: 3,
            begin_us: 4,
            end_us: 5,
            rows: 6,
            bytes: 7,
            count: 8,
        };
        let text = serde_json::to_string(&task).unwrap();
        assert_eq!(text, "[1,2,3,4,5,6,7,8]");
        assert_eq!(serde_json::from_str::<TaskRow>(&text).unwrap(), task);
        let sample = Sample {
            seconds: 0.5,
            resident: 1,
            rows_read: 9,
            ..Sample::default()
        };
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(text, "[0.5,1,0,0,0,9,0]");
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
        let state = serde_json::to_string(&(State::Cancelled, StageState::Waiting)).unwrap();
        assert_eq!(state, r#"["cancelled","waiting"]"#);
    }
}
