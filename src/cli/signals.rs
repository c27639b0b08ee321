//! Ctrl-C, a polite kill, and a terminal that closes: they stop the tasks of a run, so that no half of an
//! output is left.
//!
//! A command ends with them, and a second one ends it at once, as the first does where no run could hear of it: its
//! exit status is 128 and the number of the signal, as shells report it. The shell only loses the query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::{Error, Kind};
use crate::pipeline::RunContext;
use crate::schedule::{self, Cancel};

/// What has come in so far.
pub struct Signals {
    interrupted: Arc<AtomicBool>,
    /// The number of the last signal, zero before any.
    last: Arc<AtomicUsize>,
    watched: Vec<i32>,
    runs: Arc<Runs>,
}

/// The runs that signals stop.
struct Runs {
    number: AtomicUsize,
    /// Whether there is none: then a signal ends the program itself.
    none: Arc<AtomicBool>,
}

impl Default for Runs {
    fn default() -> Runs {
        let (number, none) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(true)));
        Runs { number, none }
    }
}

/// The exit status of a program that a signal ended.
const fn status(signal: i32) -> u8 {
    128 + signal as u8
}

impl Signals {
    /// A command's: the second signal ends the program.
    pub fn of_process() -> Signals {
        let mut signals = Signals {
            interrupted: Arc::default(),
            last: Arc::default(),
            watched: vec![SIGINT, SIGTERM],
            runs: Arc::default(),
        };
        if !hangups_are_ignored() {
            signals.watched.push(SIGHUP);
        }
        for &signal in &signals.watched {
            let flag = signals.interrupted.clone();
            let ends = i32::from(status(signal));
            for alone in [&flag, &signals.runs.none] {
                let _ = signal_hook::flag::register_conditional_shutdown(signal, ends, alone.clone());
            }
            let _ = signal_hook::flag::register(signal, flag);
            let _ = signal_hook::flag::register_usize(signal, signals.last.clone(), signal as usize);
        }
        signals
    }

    /// A shell's: Ctrl-C stops what runs, and nothing else.
    pub fn of_shell() -> Signals {
        let signals = Signals {
            interrupted: Arc::default(),
            last: Arc::default(),
            watched: vec![SIGINT],
            runs: Arc::default(),
        };
        let _ = signal_hook::flag::register(SIGINT, signals.interrupted.clone());
        signals
    }

    /// What stops all runs that it is given to.
    pub fn stops(&self) -> Cancel {
        Cancel::by(self.interrupted.clone())
    }

    /// Whether one has come.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// The error of a run that one has stopped.
    pub fn error(&self) -> Error {
        match self.last.load(Relaxed) as i32 {
            signal @ (SIGTERM | SIGHUP) => {
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGHUP" };
                Error::new(Kind::Terminated(status(signal)), format!("ended by {name}"))
            }
            _ => Error::new(Kind::Interrupted, "interrupted"),
        }
    }

    /// What to tell of something that failed: the signal that stopped it, if one came.
    pub fn or(&self, error: Error) -> Error {
        match self.interrupted() {
            true => self.error(),
            false => error,
        }
    }

    /// Forgets those that have come.
    pub fn clear(&self) {
        self.interrupted.store(false, Relaxed);
    }

    /// While it lives, a signal is kept for the runs that are to come, instead of ending the program.
    pub fn kept(&self) -> Kept {
        self.runs.number.fetch_add(1, SeqCst);
        self.runs.none.store(false, SeqCst);
        Kept(self.runs.clone())
    }

    /// Lets signals stop the tasks of a run, also one that came between two runs of a query.
    pub fn cancel(&self, cx: &RunContext) -> Cancelling {
        let each = self.watched.iter();
        let ids = each.filter_map(|&s| signal_hook::flag::register(s, cx.cancelled.clone()).ok());
        let ids = ids.collect();
        if self.interrupted() {
            schedule::cancel(cx);
        }
        Cancelling(ids)
    }
}

impl Drop for Signals {
    /// The command is done: who stays for those who watch hears of signals alone.
    fn drop(&mut self) {
        self.runs.none.store(false, SeqCst);
    }
}

/// See [`Signals::kept`].
pub struct Kept(Arc<Runs>);

impl Drop for Kept {
    fn drop(&mut self) {
        if self.0.number.fetch_sub(1, SeqCst) == 1 {
            self.0.none.store(true, SeqCst);
        }
    }
}

/// While it lives, signals stop a run.
pub struct Cancelling(Vec<SigId>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Whether the process was started with SIGHUP ignored, as `nohup` does: that choice is kept.
pub(super) fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    mask.is_some_and(|m| m >> (SIGHUP - 1) & 1 == 1)
}
