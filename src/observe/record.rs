//! The observer that keeps a run: an event goes into the buffer of its thread, and whoever wants to see
//! the run takes a copy.
//!
//! A buffer is locked by its worker for as long as it takes to add a row, and by a reader for as long as
//! it takes to copy its rows, of which there are a few thousand at most.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::lane::{Done, Lane, Span, StageSum};
use super::model::{
    Cursor, FORMAT, Model, OperatorModel, Sample, SlowTask, StageModel, StageState, State, Update,
};
use super::sample::Samples;
use super::{
    Gauge, Observer, OperatorCounts, RunEnd, RunStart, Sampler, StageInfo, StageMeter, StagePlan, StageRun,
    TaskEnd,
};

/// How many of the slowest tasks are told.
const SLOWEST: usize = 10;
/// How often memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Threads that have a buffer of their own; beyond, several share one.
const MOST_THREADS: usize = 4096;

/// A thread's buffer on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct OwnLane(Mutex<Lane>);

type Describe = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// Keeps what a run tells, as a [`Model`], in memory that follows the number of threads and stages, not
/// that of tasks. Subscribe it to a run ([`crate::Frame::observed`]) and look at it then or later.
pub struct Recorder {
    begun: Instant,
    started: String,
    command: String,
    again: Option<String>,
    /// Counts runs that began: what readers have seen of another is of no use.
    generation: AtomicU64,
    run: Mutex<Run>,
    lanes: Vec<OnceLock<Box<OwnLane>>>,
    samples: Arc<Mutex<Samples>>,
}

/// What the thread that runs the query tells.
#[derive(Default)]
struct Run {
    threads: usize,
    memory_limit: Option<u64>,
    plan: String,
    stages: Vec<Stage>,
    gauge: Option<Arc<dyn Fn() -> Gauge + Send + Sync>>,
    end: Option<(Duration, RunEnd)>,
}

#[derive(Default, Clone)]
struct Stage {
    info: StageInfo,
    begin: Option<Duration>,
    end: Option<Duration>,
    tasks: Option<u64>,
    meter: Option<Arc<StageMeter>>,
    describe: Option<Describe>,
    done: Option<StageRun>,
    /// Bytes spilled when it began.
    spilled_before: u64,
}

fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// A recorder of a command, whose time begins now. `again` is the command that runs a part of a
    /// table alone, with `{}` for its number.
    pub fn new(command: impl Into<String>, again: Option<String>) -> Arc<Recorder> {
        Arc::new(Recorder {
            begun: Instant::now(),
            started: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: command.into(),
            again,
            generation: AtomicU64::new(0),
            run: Mutex::default(),
            lanes: (0..MOST_THREADS).map(|_| OnceLock::new()).collect(),
            samples: Arc::default(),
        })
    }

    /// Looks at memory ten times a second, in a thread of its own, for as long as the answer lives.
    pub fn sample(self: &Arc<Self>) -> Sampler {
        let recorder = Arc::downgrade(self);
        Sampler::start(SAMPLE_EVERY, move || match recorder.upgrade() {
            Some(r) => {
                r.look();
                true
            }
            None => false,
        })
    }

    /// Takes a sample now, if a run goes on.
    pub fn look(&self) {
        let (gauge, over) = {
            let run = locked(&self.run);
            (run.gauge.clone(), run.end.is_some())
        };
        if let (Some(gauge), false) = (gauge, over) {
            let seconds = self.begun.elapsed().as_secs_f64();
            locked(&self.samples).add(Sample::of(seconds, super::sample::resident(), gauge()));
        }
    }

    /// The newest sample, taken now.
    pub fn now(&self) -> Sample {
        let gauge = locked(&self.run).gauge.clone();
        let seconds = self.begun.elapsed().as_secs_f64();
        Sample::of(
            seconds,
            super::sample::resident(),
            gauge.map_or_else(Gauge::default, |g| g()),
        )
    }

    /// Facts for the user that came up after the run was over.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if let Some((_, end)) = &mut locked(&self.run).end {
            let key = text.clone();
            end.warnings.push(super::Warning { key, text });
        }
    }

    /// Everything so far.
    pub fn model(&self) -> Model {
        let mut cursor = Cursor::default();
        let update = self.news(&mut cursor);
        let run = locked(&self.run);
        Model {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command: self.command.clone(),
            started: self.started.clone(),
            threads: run.threads,
            memory_limit: run.memory_limit,
            elapsed: update.elapsed,
            state: update.state,
            error: update.error,
            plan: run.plan.clone(),
            stages: update.stages,
            tasks: update.tasks,
            samples: update.samples,
            slowest: update.slowest,
            warnings: update.warnings,
        }
    }

    /// The whole model and where a reader stands that has seen it: the beginning of a live view.
    pub fn snapshot(&self) -> (Model, Cursor) {
        // The cursor first: what happens in between comes twice rather than never, and so a task that
        // is drawn twice in the same place is all that can go wrong.
        let mut cursor = Cursor::default();
        let update = self.news(&mut cursor);
        let mut model = self.model();
        model.tasks = update.tasks;
        model.samples = update.samples;
        (model, cursor)
    }

    /// What became new since the reader looked last, in work that follows what is new.
    pub fn since(&self, cursor: &mut Cursor) -> Update {
        let anew = cursor.generation != self.generation.load(Relaxed);
        Update {
            anew,
            ..self.news(cursor)
        }
    }

    fn news(&self, cursor: &mut Cursor) -> Update {
        let generation = self.generation.load(Relaxed);
        if cursor.generation != generation {
            *cursor = Cursor {
                generation,
                ..Cursor::default()
            };
        }
        let lanes: Vec<_> = self.lanes.iter().map_while(|l| l.get()).collect();
        cursor.lanes.resize(lanes.len(), Done::default());
        let (mut tasks, mut slowest) = (Vec::new(), Vec::new());
        let mut sums: Vec<StageSum> = Vec::new();
        for (thread, (lane, seen)) in lanes.iter().zip(&mut cursor.lanes).enumerate() {
            let lane = locked(&lane.0);
            lane.since(thread, seen, &mut tasks);
            slowest.extend_from_slice(lane.slowest());
            if sums.len() < lane.sums().len() {
                sums.resize(lane.sums().len(), StageSum::default());
            }
            for (sum, of_lane) in sums.iter_mut().zip(lane.sums()) {
                sum.tasks += of_lane.tasks;
                sum.rows += of_lane.rows;
                sum.bytes += of_lane.bytes;
                sum.busy += of_lane.busy;
            }
        }
        let samples = locked(&self.samples).since(&mut cursor.sampled);
        let run = locked(&self.run);
        let stages = run.stages.iter().enumerate().map(|(i, s)| {
            let sum = sums.get(i).copied().unwrap_or_default();
            s.model(&sum, &run)
        });
        let stages: Vec<StageModel> = stages.collect();
        let changed = stages.iter().enumerate();
        let changed = changed.filter(|(i, s)| cursor.stages.get(*i) != Some(s));
        let update = Update {
            elapsed: run
                .end
                .as_ref()
                .map_or_else(|| self.begun.elapsed(), |(at, _)| *at)
                .as_secs_f64(),
            state: run.state(),
            error: run.end.as_ref().and_then(|(_, e)| e.error.clone()),
            stages: changed.map(|(_, s)| s.clone()).collect(),
            tasks,
            samples,
            slowest: self.slowest(slowest, &run),
            warnings: match &run.end {
                Some((_, end)) => end.warnings.iter().map(|w| w.text.clone()).collect(),
                None => Vec::new(),
            },
            anew: false,
        };
        cursor.stages = stages;
        update
    }

    fn slowest(&self, mut all: Vec<SlowTask>, run: &Run) -> Vec<SlowTask> {
        all.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        all.truncate(SLOWEST);
        for slow in &mut all {
            let stage = run.stages.get(slow.stage);
            let describe = stage.and_then(|s| s.describe.as_ref());
            slow.what = describe.map_or_else(String::new, |d| d(slow.part as usize));
            let scans = stage.is_some_and(|s| s.info.inputs.is_empty());
            let again = self.again.as_ref().filter(|_| scans);
            slow.again = again.map(|a| a.replace("{}", &slow.part.to_string()));
        }
        all
    }

    fn since_begun(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begun)
    }

    fn span(&self, t: &TaskEnd) -> Span {
        Span {
            stage: t.stage,
            part: t.part,
            begin: self.since_begun(t.begin).as_micros() as u64,
            end: self.since_begun(t.end).as_micros() as u64,
            rows: t.rows,
            bytes: t.bytes,
            closing: t.closing,
        }
    }
}

impl Run {
    fn state(&self) -> State {
        match &self.end {
            None => State::Running,
            Some((_, e)) if e.cancelled => State::Cancelled,
            Some((_, e)) if e.error.is_some() => State::Failed,
            Some(_) => State::Finished,
        }
    }

    fn stage(&mut self, id: usize) -> &mut Stage {
        if self.stages.len() <= id {
            let from = self.stages.len();
            let new = |id| Stage {
                info: StageInfo {
                    id,
                    ..StageInfo::default()
                },
                ..Stage::default()
            };
            self.stages.extend((from..=id).map(new));
        }
        &mut self.stages[id]
    }
}

impl Stage {
    fn model(&self, sum: &StageSum, run: &Run) -> StageModel {
        let state = match (&self.done, self.begin, &run.end) {
            (Some(_), ..) => StageState::Done,
            (None, Some(_), None) => StageState::Running,
            (None, Some(_), Some((_, end))) if end.error.is_none() && !end.cancelled => StageState::Done,
            (None, Some(_), Some(_)) => StageState::Failed,
            (None, None, _) => StageState::Waiting,
        };
        let done = self.done.clone().unwrap_or_default();
        let over = self.done.is_some();
        let counts = self.meter.as_ref().map(|m| m.totals()).unwrap_or_default();
        let ended = self.end.or(match state {
            StageState::Failed | StageState::Done => run.end.as_ref().map(|(at, _)| *at),
            _ => None,
        });
        let gauge = (self.begin.is_some() && !over).then(|| run.gauge.as_ref().map(|g| g()));
        let gauge = gauge.flatten().unwrap_or_default();
        StageModel {
            id: self.info.id,
            name: self.info.name.clone(),
            inputs: self.info.inputs.clone(),
            state,
            begin: self.begin.map(|d| d.as_secs_f64()),
            end: ended.map(|d| d.as_secs_f64()),
            tasks: self.tasks,
            done: sum.tasks,
            rows_in: if over { done.rows_in } else { sum.rows },
            rows_out: done.rows_out,
            bytes_read: if over { done.bytes_read } else { sum.bytes },
            bytes_out: done.bytes_out,
            spilled: match over {
                true => done.bytes_spilled,
                false => gauge.spilled_total.saturating_sub(self.spilled_before),
            },
            peak_reserved: if over {
                done.peak_reserved as u64
            } else {
                gauge.reserved
            },
            busy: sum.busy as f64 / 1e6,
            operators: operators(&self.info, &counts, &done),
        }
    }
}

/// The operators of a stage: what enters one has left the one before it.
fn operators(stage: &StageInfo, counts: &[OperatorCounts], done: &StageRun) -> Vec<OperatorModel> {
    let names = &stage.operators;
    let mut counts = counts.to_vec();
    let last = names.len().saturating_sub(1);
    // a source that hands on something else than batches, such as spread rows or a bucket, passes none
    let next_has = counts.get(1).is_some_and(|c| c.batches > 0) || (last == 1 && done.rows_out > 0);
    let moved = !stage.inputs.is_empty() && next_has;
    if let Some(source) = counts.first_mut().filter(|c| moved && c.batches == 0) {
        source.rows_out = done.rows_in;
    }
    let count = |i: usize| counts.get(i).copied().unwrap_or_default();
    let each = names.iter().enumerate().map(|(i, name)| {
        let own = count(i);
        let before = i.checked_sub(1).map_or(own, count);
        OperatorModel {
            name: name.clone(),
            rows_in: match i {
                0 => done.rows_in.max(own.rows_out),
                _ => before.rows_out,
            },
            rows_out: if i == last { done.rows_out } else { own.rows_out },
            batches: if i == last { before.batches } else { own.batches },
            busy: own.nanos as f64 / 1e9,
            spilled: own.spilled,
            peak_reserved: own.peak_reserved,
        }
    });
    each.collect()
}

impl Observer for Recorder {
    fn start(&self, run: &RunStart) {
        // All there may be, so that no thread has to make its own.
        for (i, slot) in self.lanes.iter().enumerate() {
            match (slot.get(), i < run.threads.max(1)) {
                (Some(lane), _) => *locked(&lane.0) = Lane::default(),
                (None, true) => drop(slot.set(Box::default())),
                (None, false) => break,
            }
        }
        let stage = |s: &StageInfo| Stage {
            info: s.clone(),
            ..Stage::default()
        };
        *locked(&self.run) = Run {
            threads: run.threads,
            memory_limit: run.memory_limit,
            plan: run.plan.clone(),
            stages: run.stages.iter().map(stage).collect(),
            gauge: Some(run.gauge.clone()),
            end: None,
        };
        self.generation.fetch_add(1, Relaxed);
        self.look();
    }

    fn stage_planned(&self, plan: &StagePlan) {
        let mut run = locked(&self.run);
        let spilled = run.gauge.as_ref().map_or(0, |g| g().spilled_total);
        *run.stage(plan.stage.id) = Stage {
            info: plan.stage.clone(),
            begin: Some(self.since_begun(plan.begun)),
            end: None,
            tasks: Some(plan.tasks as u64),
            meter: plan.meter.clone(),
            describe: Some(plan.describe.clone()),
            done: None,
            spilled_before: spilled,
        };
    }

    fn posttask(&self, task: &TaskEnd) {
        if let Some(lane) = self.lanes[task.thread % MOST_THREADS].get() {
            locked(&lane.0).add(&self.span(task));
        }
    }

    fn closed(&self, work: &TaskEnd) {
        self.posttask(work);
    }

    fn stage_end(&self, done: &StageRun) {
        let now = self.begun.elapsed();
        let mut run = locked(&self.run);
        let stage = run.stage(done.stage);
        stage.done = Some(done.clone());
        stage.end = Some(now);
    }

    fn finish(&self, end: &RunEnd) {
        self.look();
        let mut run = locked(&self.run);
        if run.end.is_none() {
            run.end = Some((self.begun.elapsed(), end.clone()));
        }
        // it holds the counters of the run, which hold this
        run.gauge = None;
    }

    fn wants_operators(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::TaskRow;
    use crate::observe::lane::CAP;

    fn start(threads: usize) -> RunStart {
        let stage = |id| StageInfo {
            id,
            name: format!("stage {id}"),
            ..StageInfo::default()
        };
        RunStart {
            threads,
            memory_limit: None,
            plan: String::new(),
            stages: (0..2).map(stage).collect(),
            gauge: Arc::new(Gauge::default),
        }
    }

    fn work(recorder: &Recorder, thread: usize, tasks: usize) {
        for part in 0..tasks {
            let begin = Instant::now();
            recorder.posttask(&TaskEnd {
                thread,
                stage: part * 2 / tasks,
                part,
                name: "",
                begin,
                end: Instant::now(),
                rows: 2,
                bytes: 3,
                failed: false,
                closing: false,
            });
        }
    }

    #[test]
    fn memory_follows_threads_not_tasks_while_somebody_reads() {
        const TASKS: usize = 60_000;
        const THREADS: usize = 4;
        let recorder = Recorder::new("", None);
        recorder.start(&start(THREADS));
        let mut cursor = recorder.snapshot().1;
        let mut seen: Vec<TaskRow> = Vec::new();
        std::thread::scope(|s| {
            let workers: Vec<_> = (0..THREADS)
                .map(|t| {
                    let recorder = &recorder;
                    s.spawn(move || work(recorder, t, TASKS))
                })
                .collect();
            while !workers.iter().all(|w| w.is_finished()) {
                seen.extend(recorder.since(&mut cursor).tasks);
            }
        });
        seen.extend(recorder.since(&mut cursor).tasks);
        let model = recorder.model();
        assert!(model.tasks.len() < THREADS * CAP);
        for rows in [&seen, &model.tasks] {
            for thread in 0..THREADS as u32 {
                let own: Vec<&TaskRow> = rows.iter().filter(|r| r.thread == thread).collect();
                assert!(own.windows(2).all(|w| w[0].end_us <= w[1].begin_us));
                let sum = own
                    .iter()
                    .fold((0, 0, 0), |(c, r, b), t| (c + t.count, r + t.rows, b + t.bytes));
                assert_eq!(sum, (TASKS as u64, 2 * TASKS as u64, 3 * TASKS as u64));
            }
        }
        let done: Vec<u64> = model.stages.iter().map(|s| s.done).collect();
        assert_eq!(done, [(THREADS * TASKS / 2) as u64; 2]);
        assert_eq!(model.slowest.len(), SLOWEST);
    }

    #[test]
    fn stages_that_come_up_later_are_known_by_number() {
        let recorder = Recorder::new("", None);
        recorder.start(&start(1));
        recorder.stage_planned(&StagePlan {
            stage: StageInfo {
                id: 4,
                name: "later".into(),
                ..StageInfo::default()
            },
            tasks: 7,
            begun: Instant::now(),
            meter: None,
            describe: Arc::new(|part| format!("part {part}")),
        });
        let model = recorder.model();
        assert_eq!(
            model.stages.iter().map(|s| s.id).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(
            (model.stages[4].tasks, model.stages[4].state),
            (Some(7), StageState::Running)
        );
        assert_eq!(model.stages[3].state, StageState::Waiting);
        recorder.finish(&RunEnd {
            error: Some("no".into()),
            ..RunEnd::default()
        });
        recorder.finish(&RunEnd::default()); // the first end counts
        let model = recorder.model();
        assert_eq!(
            (model.state, model.stages[4].state),
            (State::Failed, StageState::Failed)
        );
    }
}
