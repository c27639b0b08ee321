//! Rows, batches, own time, spilling and memory by operator.
//!
//! ```text
//!   worker 0   [source][filter][project][sink]    one writer each, so that counting is a plain store
//!   worker 1   [source][filter][project][sink]
//!                  └── summed by whoever looks
//! ```
//!
//! A thread is at one operator at a time. A [`Clock`] stands at that operator; when a batch crosses
//! from one to the next, what went by goes to the one that is left. That is one look at the system's
//! clock (some 30 ns) for each crossing of a batch of some thousand rows, and none for a row.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::tally;

/// Counters of a stage's operators: for each worker, for each operator, first the source, last the sink.
#[derive(Debug)]
pub struct StageMeter {
    workers: Vec<WorkerMeter>,
}

/// One worker's counters. Only that worker adds to them.
#[derive(Debug)]
pub struct WorkerMeter {
    operators: Box<[Cells]>,
}

#[derive(Debug, Default)]
struct Cells {
    rows: AtomicU64,
    batches: AtomicU64,
    nanos: AtomicU64,
    spilled: AtomicU64,
    reserved: AtomicI64,
    peak: AtomicI64,
}

/// What an operator did, on all workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorCounts {
    /// Rows that left it for the next operator.
    pub rows_out: u64,
    /// Batches that did.
    pub batches: u64,
    /// Nanoseconds of all workers together, without those of the operators before and after it.
    pub nanos: u64,
    /// Bytes it wrote to spill files.
    pub spilled: u64,
    /// The most bytes that its workers reserved, each at its own peak.
    pub peak_reserved: u64,
}

impl StageMeter {
    /// Zeros for so many workers and operators.
    pub fn new(workers: usize, operators: usize) -> StageMeter {
        let worker = || WorkerMeter {
            operators: (0..operators).map(|_| Cells::default()).collect(),
        };
        StageMeter {
            workers: (0..workers).map(|_| worker()).collect(),
        }
    }

    /// The counters of one worker, if there are so many.
    pub fn worker(&self, worker: usize) -> Option<&WorkerMeter> {
        self.workers.get(worker)
    }

    /// The sums over all workers, by operator.
    pub fn totals(&self) -> Vec<OperatorCounts> {
        let count = self.workers.first().map_or(0, |w| w.operators.len());
        let mut out = vec![OperatorCounts::default(); count];
        for worker in &self.workers {
            for (sum, c) in out.iter_mut().zip(&worker.operators) {
                sum.rows_out += c.rows.load(Relaxed);
                sum.batches += c.batches.load(Relaxed);
                sum.nanos += c.nanos.load(Relaxed);
                sum.spilled += c.spilled.load(Relaxed);
                sum.peak_reserved += c.peak.load(Relaxed).max(0) as u64;
            }
        }
        out
    }
}

/// Adds to a counter that only this thread writes: cheaper than a read-modify-write.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

impl WorkerMeter {
    /// Rows that have left the source so far.
    pub fn rows_in(&self) -> u64 {
        self.operators.first().map_or(0, |c| c.rows.load(Relaxed))
    }

    /// The place of the last operator.
    pub fn last(&self) -> usize {
        self.operators.len().saturating_sub(1)
    }

    /// Forgets what operators hold; `all` of them, or all but the last, the sink. What is behind a task in time,
    /// or was handed to other threads, is given back where no clock stands at the operator that reserved it.
    fn let_go(&self, all: bool) {
        let kept = usize::from(!all).min(self.operators.len());
        for c in &self.operators[..self.operators.len() - kept] {
            c.reserved.store(0, Relaxed);
        }
    }

    fn settle(&self, at: usize, nanos: u64) {
        let Some(c) = self.operators.get(at) else {
            return;
        };
        let taken = tally::take();
        add(&c.nanos, nanos.saturating_sub(taken.idle));
        if taken.spilled > 0 {
            add(&c.spilled, taken.spilled);
        }
        if taken.reserved != 0 || taken.high != 0 {
            let before = c.reserved.load(Relaxed);
            c.peak
                .store(c.peak.load(Relaxed).max(before + taken.high), Relaxed);
            c.reserved.store(before + taken.reserved, Relaxed);
        }
    }
}

/// Stands at the operator that the thread is working for.
pub struct Clock<'a> {
    meter: &'a WorkerMeter,
    at: Cell<usize>,
    since: Cell<Instant>,
}

impl<'a> Clock<'a> {
    /// Starts at operator `at`; what the thread did before is nobody's.
    pub fn start(meter: &'a WorkerMeter, at: usize) -> Clock<'a> {
        tally::take();
        Clock {
            meter,
            at: Cell::new(at),
            since: Cell::new(Instant::now()),
        }
    }

    /// Goes to operator `to`; answers the one it stood at.
    pub fn switch(&self, to: usize) -> usize {
        let (now, from) = (Instant::now(), self.at.replace(to));
        let passed = now.saturating_duration_since(self.since.replace(now));
        self.meter.settle(from, passed.as_nanos() as u64);
        from
    }

    /// A batch of `rows` leaves operator `from`.
    pub fn passes(&self, from: usize, rows: usize) {
        if let Some(c) = self.meter.operators.get(from) {
            add(&c.rows, rows as u64);
            add(&c.batches, 1);
        }
    }

    /// When it was started or last switched.
    pub fn since(&self) -> Instant {
        self.since.get()
    }

    /// Stops it at the end of a task, of which only the sink outlives it; answers when.
    pub fn stop(self) -> Instant {
        self.switch(0);
        self.meter.let_go(false);
        self.since.get()
    }

    /// Stops it when the sink, too, has handed over what it held; answers when.
    pub fn close(self) -> Instant {
        self.switch(0);
        self.meter.let_go(true);
        self.since.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_goes_to_the_operator_that_is_left() {
        let meter = StageMeter::new(2, 3);
        let worker = meter.worker(1).unwrap();
        tally::reserved(5); // before it started: nobody's
        let clock = Clock::start(worker, 0);
        clock.passes(0, 100);
        assert_eq!(clock.switch(1), 0);
        std::thread::sleep(Duration::from_millis(5));
        tally::spilled(9);
        tally::reserved(40);
        tally::returned(30);
        clock.passes(1, 10);
        assert_eq!(clock.switch(2), 1);
        std::thread::sleep(Duration::from_millis(5));
        tally::idle(Duration::from_secs(1));
        clock.switch(1);
        tally::reserved(20);
        clock.stop();
        let all = meter.totals();
        assert_eq!((all[0].rows_out, all[0].batches), (100, 1));
        assert_eq!(
            (all[1].rows_out, all[1].spilled, all[1].peak_reserved),
            (10, 9, 40)
        );
        assert!(all[1].nanos >= 5_000_000);
        assert_eq!(all[2].nanos, 0, "waiting is nobody's work");
        assert_eq!(worker.rows_in(), 100);
    }

    #[test]
    fn peaks_are_of_one_task_for_sources_and_of_all_until_it_closes_for_a_sink() {
        let meter = StageMeter::new(1, 2);
        let worker = meter.worker(0).unwrap();
        for _ in 0..3 {
            for _ in 0..4 {
                let clock = Clock::start(worker, 0);
                tally::reserved(100);
                clock.switch(1);
                tally::reserved(10);
                clock.stop();
                tally::returned(100); // the source goes behind the task
            }
            Clock::start(worker, 1).close();
            tally::returned(40); // by whoever got it
        }
        let peaks: Vec<u64> = meter.totals().iter().map(|c| c.peak_reserved).collect();
        assert_eq!(peaks, [100, 40]);
    }
}
