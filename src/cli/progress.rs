//! The progress bar: a thread that looks at the counters ten times a second.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sizes;
use crate::observe::Progress;

/// Work shorter than this shows no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// A bar that lives until it is dropped.
pub struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Starts watching. With `at_once`, also work under a second shows a bar.
    pub fn start(progress: Arc<Progress>, at_once: bool) -> Bar {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let wait = if at_once { Duration::ZERO } else { QUIET_FOR };
            let timed_out = |d| stopped.recv_timeout(d) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
            if !timed_out(wait) {
                return;
            }
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} tasks {msg} {elapsed}") {
                bar.set_style(style);
            }
            loop {
                bar.set_length(Progress::get(&progress.tasks_total));
                bar.set_position(Progress::get(&progress.tasks_done));
                bar.set_message(message(&progress));
                bar.tick();
                if !timed_out(Duration::from_millis(100)) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Bar {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

fn message(p: &Progress) -> String {
    let mut s = format!(
        "{} rows {}",
        Progress::get(&p.rows_read),
        sizes::show(Progress::get(&p.bytes_read))
    );
    let spilled = Progress::get(&p.spill_now);
    if spilled > 0 {
        s += &format!(" spill {}", sizes::show(spilled));
    }
    s
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}
