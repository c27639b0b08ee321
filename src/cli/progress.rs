//! Progress: a thread that looks at the counters ten times a second, and a few lines on a terminal.
//!
//! ```text
//!   step 1/2 scan *.csv ► sort ██████████████░░░░░░░░░░░░░░  48%  7s, about 8s left
//!   5.4 M rows, 0.8 M/s   read 434.6 MiB, 70.1 MiB/s
//!   memory 312.4 MiB resident, 256.0 MiB of 1.0 GiB reserved
//!   spill 192.1 MiB, 1.2 GiB written, 80.0 MiB/s
//! ```
//!
//! In a file, where `--progress always` asks for it, the same is one line each ten seconds, and one at the end:
//!
//! ```text
//!   progress: step 1/2 scan *.csv ► sort 48%, 7s, about 8s left; 5.4 M rows, 0.8 M/s; read 434.6 MiB; memory 312.4 MiB
//! ```
//!
//! A step is a stage of the task graph; how many tasks the next one will have is known when it
//! begins, so that shares and times are those of the step. The last line is there once anything was
//! spilled.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sizes;
use crate::observe::{Progress, resident};
use crate::pipeline::RunContext;

/// Work shorter than this shows no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// How often a line is written where there is no terminal.
const LINE_EACH: Duration = Duration::from_secs(10);
/// Columns at the right that stay free, so that a typed ^C does not break the line.
const MARGIN: usize = 4;
/// The narrowest and the widest bar.
const LEAST_BAR: usize = 8;
const MOST_BAR: usize = 30;
/// Rates are of so many looks.
const LATELY: usize = 20;

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// On a terminal, once the work took a second.
    Soon,
    /// On a terminal, from the beginning.
    AtOnce,
    /// In a log, line by line.
    Lines,
}

/// A bar that lives until it is dropped, or rows are shown.
pub struct Bar(Arc<Mutex<Shown>>);

/// The thread that draws, until it is told to clear what it drew.
struct Shown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    fn clear(&mut self) {
        drop(self.stop.take());
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

impl Bar {
    /// Starts watching.
    pub fn start(cx: &Arc<RunContext>, show: Show) -> Bar {
        let look = Look {
            run: cx.clone(),
            watch: Watch::new(Instant::now()),
        };
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || match show {
            Show::Soon => draw(look, &stopped, QUIET_FOR),
            Show::AtOnce => draw(look, &stopped, Duration::ZERO),
            Show::Lines => log(look, &stopped, LINE_EACH, &mut std::io::stderr()),
        });
        let shown = Arc::new(Mutex::new(Shown {
            stop: Some(stop),
            thread: Some(thread),
        }));
        let own = shown.clone();
        cx.progress.before_rows(move || clear(&own));
        Bar(shown)
    }
}

/// What is looked at again and again.
struct Look {
    run: Arc<RunContext>,
    watch: Watch,
}

impl Look {
    fn now(&mut self) -> Seen {
        let mut seen = self.watch.look(&self.run.progress, Instant::now());
        seen.resident = resident();
        seen.reserved = self.run.budget.used() as u64;
        seen.limit = self.run.budget.limit() as u64;
        seen
    }
}

/// Whether the time went by without a word to stop.
fn waited(stopped: &Receiver<()>, time: Duration) -> bool {
    stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}

/// Draws a few lines on the terminal over and over, and clears them at the end.
fn draw(mut look: Look, stopped: &Receiver<()>, wait: Duration) {
    if !waited(stopped, wait) {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    loop {
        let seen = look.now();
        let width = terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(w, _)| w.0);
        bar.set_message(lines(&seen, usize::from(width).saturating_sub(MARGIN)));
        bar.tick();
        if !waited(stopped, Duration::from_millis(100)) {
            break;
        }
    }
    bar.finish_and_clear();
}

/// Writes a line now and then, and how far it came at the end.
fn log(mut look: Look, stopped: &Receiver<()>, each: Duration, to: &mut dyn Write) {
    loop {
        let on = waited(stopped, each);
        let _ = to.write_all(log_line(&look.now()).as_bytes());
        if !on {
            break;
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        clear(&self.0);
    }
}

fn clear(shown: &Mutex<Shown>) {
    shown.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What the lines show.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    step: u64,
    steps: u64,
    name: String,
    tasks: u64,
    done: u64,
    rows: u64,
    bytes: u64,
    spilled: u64,
    spill_now: u64,
    copied: u64,
    /// Rows, bytes read and bytes spilled in a second, of late.
    rates: [f64; 3],
    resident: u64,
    reserved: u64,
    limit: u64,
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
    /// When rows, bytes read and bytes spilled were looked at, the last few times.
    lately: VecDeque<(Instant, [u64; 3])>,
}

impl Watch {
    fn new(now: Instant) -> Watch {
        Watch {
            begun: now,
            step: 0,
            step_begun: now,
            tasks: 0,
            before: 0,
            lately: VecDeque::new(),
        }
    }

    fn look(&mut self, p: &Progress, now: Instant) -> Seen {
        let tasks = Progress::get(&p.tasks_total);
        if tasks != self.tasks {
            (self.before, self.tasks) = (self.tasks, tasks);
            (self.step, self.step_begun) = (self.step + 1, if self.step == 0 { self.begun } else { now });
        }
        let counts = [&p.rows_read, &p.bytes_read, &p.bytes_spilled].map(Progress::get);
        self.lately.push_back((now, counts));
        if self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        let (then, before) = self.lately.front().copied().unwrap_or((now, counts));
        let seconds = (now - then).as_secs_f64();
        let rate = |i: usize| match seconds > 0.0 {
            true => (counts[i] - before[i]) as f64 / seconds,
            false => 0.0,
        };
        Seen {
            step: self.step,
            steps: Progress::get(&p.stages),
            name: p.stage_name.lock().map(|n| n.clone()).unwrap_or_default(),
            tasks: tasks - self.before,
            done: Progress::get(&p.tasks_done).saturating_sub(self.before),
            rows: counts[0],
            bytes: counts[1],
            spilled: counts[2],
            spill_now: Progress::get(&p.spill_now),
            copied: Progress::get(&p.bytes_copied),
            rates: std::array::from_fn(rate),
            elapsed: now - self.begun,
            in_step: now - self.step_begun,
            ..Seen::default()
        }
    }
}

/// At most four lines of at most `width` columns.
fn lines(s: &Seen, width: usize) -> String {
    let mut out = vec![step(s, width)];
    let rate = |show: String, rate: f64| {
        if rate >= 1.0 {
            format!(", {show}/s")
        } else {
            String::new()
        }
    };
    let bytes_rate = |i: usize| rate(sizes::show(s.rates[i] as u64), s.rates[i]);
    let read = |rates: bool| {
        let rows = format!("{} rows", short(s.rows));
        let read = format!("read {}{}", sizes::show(s.bytes), copied(s));
        match rates {
            true => format!(
                "{rows}{}   {read}{}",
                rate(short(s.rates[0] as u64), s.rates[0]),
                bytes_rate(1)
            ),
            false => format!("{rows}   {read}"),
        }
    };
    out.push(fitting(
        &[read(true), read(false), format!("{} rows", short(s.rows))],
        width,
    ));
    let resident = format!("memory {}", sizes::show(s.resident));
    let reserved = format!("{} of {} reserved", sizes::show(s.reserved), sizes::show(s.limit));
    out.push(fitting(
        &[format!("{resident} resident, {reserved}"), resident],
        width,
    ));
    if s.spilled > 0 {
        let now = format!("spill {}", sizes::show(s.spill_now));
        let written = format!("{now}, {} written", sizes::show(s.spilled));
        out.push(fitting(&[written.clone() + &bytes_rate(2), written, now], width));
    }
    out.retain(|l| !l.is_empty());
    out.join("\n")
}

/// All of it in one line.
fn log_line(s: &Seen) -> String {
    let mut out = format!("progress: {}", step_number(s));
    if !s.name.is_empty() {
        out += &format!("{} ", s.name);
    }
    out += &format!("{:.0}%, {}", (share(s) * 100.0).floor(), time(s));
    out += &format!("; {} rows", short(s.rows));
    if s.rates[0] >= 1.0 {
        out += &format!(", {}/s", short(s.rates[0] as u64));
    }
    out += &format!(
        "; read {}{}; memory {}",
        sizes::show(s.bytes),
        copied(s),
        sizes::show(s.resident)
    );
    if s.spilled > 0 {
        out += &format!("; spill {}", sizes::show(s.spill_now));
    }
    out + "\n"
}

/// What of the input lies on disk a second time.
fn copied(s: &Seen) -> String {
    match s.copied {
        0 => String::new(),
        n => format!(" (input copied: {})", sizes::show(n)),
    }
}

/// The first of these that is no wider, or nothing.
fn fitting(all: &[String], width: usize) -> String {
    all.iter()
        .find(|t| t.chars().count() <= width)
        .cloned()
        .unwrap_or_default()
}

/// The line of the step, in at most `width` columns: what matters least goes first.
fn step(s: &Seen, width: usize) -> String {
    let (share, time, number) = (share(s), time(s), step_number(s));
    let elapsed = format!("{}s", s.elapsed.as_secs());
    let percent = format!("{:3.0}%", (share * 100.0).floor());
    let named = match s.name.is_empty() {
        true => number.clone(),
        false => format!("{number}{} ", s.name),
    };
    let ways = [(&named, &time), (&number, &time), (&number, &elapsed)];
    for (head, time) in ways {
        let rest = width.saturating_sub(head.chars().count() + percent.len() + time.len() + 3);
        if rest >= LEAST_BAR {
            return format!("{head}{} {percent}  {time}", bar(share, rest));
        }
    }
    let rest = width.saturating_sub(percent.len() + 1);
    format!("{} {percent}", bar(share, rest))
}

/// How much of the step is done, of one.
fn share(s: &Seen) -> f64 {
    s.done as f64 / s.tasks.max(1) as f64
}

/// Since the beginning, and what is left of the step where that can be told.
fn time(s: &Seen) -> String {
    let elapsed = format!("{}s", s.elapsed.as_secs());
    if s.done == 0 || s.done >= s.tasks || s.tasks < 8 {
        return elapsed;
    }
    let left = s.in_step.as_secs_f64() * (1.0 / share(s) - 1.0);
    format!("{elapsed}, about {:.0}s left", left.ceil())
}

fn step_number(s: &Seen) -> String {
    match s.steps {
        0 | 1 => String::new(),
        n => format!("step {}/{n} ", s.step),
    }
}

fn bar(share: f64, rest: usize) -> String {
    let cells = rest.min(MOST_BAR);
    let full = (share.min(1.0) * cells as f64) as usize;
    "█".repeat(full) + &"░".repeat(cells - full)
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
            name: "scan *.csv ► sort".into(),
            tasks: 200,
            done: 96,
            rows: 5_416_194,
            bytes: 455_711_949,
            spilled: 1_201_431_450,
            spill_now: 201_431_450,
            copied: 0,
            rates: [773_742.0, 73_505_177.0, 20_000_000.0],
            resident: 1 << 29,
            reserved: 300 << 20,
            limit: 1 << 30,
            elapsed: Duration::from_secs(7),
            in_step: Duration::from_secs(7),
        }
    }

    #[test]
    fn the_lines_fit_any_width() {
        let wide = lines(&seen(), 196);
        let all: Vec<&str> = wide.lines().collect();
        assert!(
            all[0].starts_with("step 1/2 scan *.csv ► sort ██████████████░"),
            "{wide}"
        );
        assert!(all[0].ends_with("  48%  7s, about 8s left"), "{wide}");
        assert_eq!(
            all[1..],
            [
                "5.4 M rows, 773.7 k/s   read 434.6 MiB, 70.1 MiB/s",
                "memory 512.0 MiB resident, 300.0 MiB of 1.0 GiB reserved",
                "spill 192.1 MiB, 1.1 GiB written, 19.1 MiB/s"
            ]
        );
        let piped = Seen {
            copied: 101_431_450,
            ..seen()
        };
        let shown = "read 434.6 MiB (input copied: 96.7 MiB)";
        assert!(lines(&piped, 196).contains(shown), "{}", lines(&piped, 196));
        assert!(log_line(&piped).contains(shown), "{}", log_line(&piped));
        for width in 10..200 {
            let text = lines(&seen(), width);
            assert!(text.lines().count() <= 4);
            assert!(
                text.lines().all(|l| l.chars().count() <= width),
                "{width}: {text}"
            );
        }
        assert_eq!(
            lines(&seen(), 30).lines().next(),
            Some("step 1/2 █████░░░░░░░  48%  7s")
        );
        let quiet = lines(&Seen::default(), 60);
        assert_eq!(quiet.lines().count(), 3, "{quiet}");
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
    fn a_bar_is_gone_before_rows_are_shown() {
        let cx = RunContext::of_test(1 << 20, 1);
        let bar = Bar::start(&cx, Show::Soon);
        assert!(bar.0.lock().unwrap().thread.is_some());
        cx.progress.rows_follow();
        assert!(bar.0.lock().unwrap().thread.is_none());
    }

    #[test]
    fn a_log_gets_a_line_now_and_then_and_one_at_the_end() {
        assert_eq!(
            log_line(&seen()),
            "progress: step 1/2 scan *.csv ► sort 48%, 7s, about 8s left; 5.4 M rows, 773.7 k/s; \
             read 434.6 MiB; memory 512.0 MiB; spill 192.1 MiB\n"
        );
        let cx = RunContext::of_test(1 << 20, 1);
        let look = || Look {
            run: cx.clone(),
            watch: Watch::new(Instant::now()),
        };
        let (stop, stopped) = channel::<()>();
        let writer = std::thread::spawn({
            let look = look();
            move || {
                let mut text = Vec::new();
                log(look, &stopped, Duration::from_millis(5), &mut text);
                text
            }
        });
        std::thread::sleep(Duration::from_millis(200));
        drop(stop);
        let many = String::from_utf8(writer.join().unwrap()).unwrap();
        assert!(many.lines().count() >= 2, "{many}");
        assert!(many.lines().all(|l| l.starts_with("progress: ")), "{many}");

        let (stop, stopped) = channel::<()>();
        drop(stop);
        let mut text = Vec::new();
        log(look(), &stopped, Duration::from_secs(60), &mut text);
        assert_eq!(text.iter().filter(|b| **b == b'\n').count(), 1);
    }

    #[test]
    fn numbers_are_short() {
        let all = [0, 999, 1000, 12_345, 999_949, 999_951, 2_000_000_000].map(short);
        assert_eq!(all, ["0", "999", "1.0 k", "12.3 k", "999.9 k", "1.0 M", "2.0 G"]);
    }
}
