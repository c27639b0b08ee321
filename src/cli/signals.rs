//! Ctrl-C and a polite kill: they stop the tasks of a run, so that no half of an output is left.
//!
//! A command ends with them, and a second one ends it at once. The shell only loses the query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::pipeline::RunContext;
use crate::schedule::{self, Cancel};

/// What has come in so far.
pub struct Signals {
    interrupted: Arc<AtomicBool>,
    watched: &'static [i32],
}

impl Signals {
    /// A command's: the second signal ends the program.
    pub fn of_process() -> Signals {
        let signals = Signals {
            interrupted: Arc::default(),
            watched: &[SIGINT, SIGTERM],
        };
        for &signal in signals.watched {
            let flag = signals.interrupted.clone();
            let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, flag.clone());
            let _ = signal_hook::flag::register(signal, flag);
        }
        signals
    }

    /// A shell's: Ctrl-C stops what runs, and nothing else.
    pub fn of_shell() -> Signals {
        let signals = Signals {
            interrupted: Arc::default(),
            watched: &[SIGINT],
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

    /// Forgets those that have come.
    pub fn clear(&self) {
        self.interrupted.store(false, Relaxed);
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

/// While it lives, signals stop a run.
pub struct Cancelling(Vec<SigId>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
