//! The progress line: a thread that looks at the counters ten times a second.
//!
//! ```text
//!   step 1/2 ██████████████░░░░░░░░░░░░░░░░  48%  5.4 M rows  434.6 MiB  70.1 MiB/s  7s, about 8s left
//! ```
//!
//! A step is a stage of the task graph; how many tasks the next one will have is known when it
//! begins, so that shares and times are those of the step.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sizes;
use crate::observe::Progress;

/// Work shorter than this shows no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// Columns at the right that stay free, so that a typed ^C does not break the line.
const MARGIN: usize = 4;

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
            let mut watch = Watch::new(Instant::now());
            let timed_out = |d| stopped.recv_timeout(d) == Err(RecvTimeoutError::Timeout);
            if !timed_out(wait) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            loop {
                let seen = watch.look(&progress, Instant::now());
                let width = terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(w, _)| w.0);
                bar.set_message(line(&seen, usize::from(width).saturating_sub(MARGIN)));
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

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

/// What the line shows.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    step: u64,
    steps: u64,
    tasks: u64,
    done: u64,
    rows: u64,
    bytes: u64,
    /// Bytes a second, of late.
    rate: f64,
    spilled: u64,
    elapsed: Duration,
    in_step: Duration,
}

/// The counters over time.
struct Watch {
    begun: Instant,
    step: u64,
    step_begun: Instant,
    /// Tasks of all steps so far, and of those before this one.
    tasks: u64,
    before: u64,
    /// When bytes were looked at, the last few times.
    lately: Vec<(Instant, u64)>,
}

impl Watch {
    fn new(now: Instant) -> Watch {
        Watch {
            begun: now,
            step: 0,
            step_begun: now,
            tasks: 0,
            before: 0,
            lately: Vec::new(),
        }
    }

    fn look(&mut self, p: &Progress, now: Instant) -> Seen {
        let tasks = Progress::get(&p.tasks_total);
        if tasks != self.tasks {
            (self.before, self.tasks) = (self.tasks, tasks);
            (self.step, self.step_begun) = (self.step + 1, if self.step == 0 { self.begun } else { now });
        }
        let bytes = Progress::get(&p.bytes_read);
        self.lately.push((now, bytes));
        if self.lately.len() > 20 {
            self.lately.remove(0);
        }
        let (then, before) = self.lately.first().copied().unwrap_or((now, bytes));
        let seconds = (now - then).as_secs_f64();
        Seen {
            step: self.step,
            steps: Progress::get(&p.stages),
            tasks: tasks - self.before,
            done: Progress::get(&p.tasks_done).saturating_sub(self.before),
            rows: Progress::get(&p.rows_read),
            bytes,
            rate: if seconds > 0.0 {
                (bytes - before) as f64 / seconds
            } else {
                0.0
            },
            spilled: Progress::get(&p.spill_now),
            elapsed: now - self.begun,
            in_step: now - self.step_begun,
        }
    }
}

/// The line, in at most `width` columns: what matters least goes first.
fn line(s: &Seen, width: usize) -> String {
    let share = s.done as f64 / s.tasks.max(1) as f64;
    let mut time = format!("{}s", s.elapsed.as_secs());
    if s.done > 0 && s.done < s.tasks && s.tasks >= 8 {
        let left = s.in_step.as_secs_f64() * (1.0 / share - 1.0);
        time += &format!(", about {:.0}s left", left.ceil());
    }
    let step = match s.steps {
        0 | 1 => String::new(),
        n => format!("step {}/{n} ", s.step),
    };
    let percent = format!("{:3.0}%", (share * 100.0).floor());
    // in the order of the line; the number says when to leave it out
    let mut parts = vec![(5, format!("{} rows", short(s.rows))), (3, sizes::show(s.bytes))];
    if s.rate >= 1.0 {
        parts.push((1, format!("{}/s", sizes::show(s.rate as u64))));
    }
    if s.spilled > 0 {
        parts.push((2, format!("spill {}", sizes::show(s.spilled))));
    }
    parts.push((4, time));
    loop {
        let text: String = parts.iter().map(|(_, p)| format!("  {p}")).collect();
        let rest = width.saturating_sub(step.len() + percent.len() + text.len() + 1);
        if rest >= 8 || parts.is_empty() {
            let cells = rest.min(30);
            let full = (share.min(1.0) * cells as f64) as usize;
            let bar = "█".repeat(full) + &"░".repeat(cells - full);
            return format!("{step}{bar} {percent}{text}");
        }
        let least = parts.iter().map(|(when, _)| *when).min();
        parts.retain(|(when, _)| Some(*when) != least);
    }
}

/// `999`, `12.3 k`, `2.0 M`.
fn short(n: u64) -> String {
    let units = ["", " k", " M", " G", " T"];
    let (mut x, mut i) = (n as f64, 0);
    while x >= 999.95 && i + 1 < units.len() {
        x /= 1000.0;
        i += 1;
    }
    match i {
        0 => n.to_string(),
        _ => format!("{x:.1}{}", units[i]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            step: 1,
            steps: 2,
            tasks: 200,
            done: 96,
            rows: 5_416_194,
            bytes: 455_711_949,
            rate: 73_505_177.0,
            spilled: 201_431_450,
            elapsed: Duration::from_secs(7),
            in_step: Duration::from_secs(7),
        }
    }

    #[test]
    fn the_line_fits_any_width() {
        let wide = line(&seen(), 196);
        assert!(wide.starts_with("step 1/2 ██████████████░"), "{wide}");
        assert!(
            wide.ends_with("  48%  5.4 M rows  434.6 MiB  70.1 MiB/s  spill 192.1 MiB  7s, about 8s left"),
            "{wide}"
        );
        for width in 20..200 {
            let text = line(&seen(), width);
            assert!(text.chars().count() <= width.max(14), "{width}: {text}");
        }
        assert_eq!(
            line(&seen(), 46),
            "step 1/2 █████████░░░░░░░░░░░  48%  5.4 M rows"
        );
        assert_eq!(line(&Seen::default(), 22), "░░░░░░░░░   0%  0 rows");
    }

    #[test]
    fn steps_are_told_by_new_tasks() {
        let (p, now) = (Progress::default(), Instant::now());
        let mut w = Watch::new(now);
        Progress::add(&p.stages, 2);
        Progress::add(&p.tasks_total, 10);
        Progress::add(&p.tasks_done, 4);
        let s = w.look(&p, now);
        assert_eq!((s.step, s.tasks, s.done), (1, 10, 4));
        Progress::add(&p.tasks_done, 6);
        Progress::add(&p.tasks_total, 3);
        Progress::add(&p.tasks_done, 1);
        let s = w.look(&p, now + Duration::from_secs(2));
        assert_eq!((s.step, s.tasks, s.done), (2, 3, 1));
        assert_eq!((s.elapsed.as_secs(), s.in_step.as_secs()), (2, 0));
    }

    #[test]
    fn numbers_are_short() {
        let all = [0, 999, 1000, 12_345, 999_949, 999_951, 2_000_000_000].map(short);
        assert_eq!(all, ["0", "999", "1.0 k", "12.3 k", "999.9 k", "1.0 M", "2.0 G"]);
    }
}
