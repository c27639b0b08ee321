//! How a query runs: nothing here changes an answer.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::memory::{Budget, Copies, CopyDir, SpillDir};
use crate::observe::{Observers, Progress};
use crate::pipeline::{Aside, RunContext};
use crate::schedule::Scheduler;
use crate::tasks::Cancel;

/// Threads, memory, disk. [`Settings::default`] takes all processors and 60 % of the memory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Worker threads; zero means one for each processor.
    pub threads: usize,
    /// The memory limit in bytes; zero means 60 % of what the machine (or its control group) has.
    pub memory: usize,
    /// Where spill files go; the system's folder for temporary files if not given.
    pub spill_dir: Option<PathBuf>,
    /// The most bytes that spill files and copies of standard input may hold at once.
    pub max_spill: u64,
    /// Who runs the tasks.
    pub scheduler: Scheduler,
    /// The time zone by whose clocks moments (timestamps in UTC) are shown, truncated and taken apart.
    pub time_zone: Option<String>,
    /// Whether the plan is optimised (only tests say no).
    pub optimize: bool,
    /// What operators may reserve, in bytes, if not what the memory limit leaves them (only tests say
    /// so little that everything spills).
    pub reserved: Option<usize>,
    /// The most rows of a batch (only tests say less than as many as a source likes).
    pub batch_rows: usize,
    /// Who sees its runs.
    pub observers: Observers,
    /// Stops its runs, from anywhere.
    pub cancel: Option<Cancel>,
    /// The copies of inputs that can be read only once, which all clones of the settings count together.
    pub copies: Copies,
    /// Whether inputs that can be read only once are not needed after the next run ([`crate::Frame::run_once`]).
    pub last_run: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            threads: 0,
            memory: 0,
            spill_dir: None,
            max_spill: u64::MAX,
            scheduler: Scheduler::Threads,
            time_zone: None,
            optimize: true,
            reserved: None,
            batch_rows: usize::MAX,
            observers: Observers::default(),
            cancel: None,
            copies: Copies::default(),
            last_run: false,
        }
    }
}

/// What a run holds besides what its threads hold.
const SHARED_BYTES: usize = 16 << 20;
/// What a thread holds however small the limit is.
const THREAD_BYTES: usize = 8 << 20;
/// What a thread that works beside others should have: of less, too much goes to a hundred columns' pages, blocks
/// of runs and what the allocator keeps for each thread.
const ROOM_A_THREAD: usize = 12 << 20;
/// This part of the limit is kept back for what nobody reserves,
const UNCOUNTED_SHARE: usize = 16;
/// but no more than this,
const UNCOUNTED_MOST: usize = 16 << 20;
/// and this for each thread.
const UNCOUNTED_A_THREAD: usize = 3 << 20;

impl Settings {
    /// The least memory limit, in bytes: enough for one thread.
    pub const LEAST_MEMORY: usize = SHARED_BYTES + THREAD_BYTES;

    /// Worker threads, at least one: as many as were asked for, fewer where the memory limit has
    /// no room for what each holds whatever it does (its read buffer, its open buckets or runs).
    pub fn threads(&self) -> usize {
        let wanted = match self.threads {
            0 => *PROCESSORS,
            n => n,
        };
        wanted
            .min(self.memory().saturating_sub(SHARED_BYTES) / ROOM_A_THREAD)
            .max(1)
    }

    /// Whether the memory limit allows any run.
    ///
    /// # Errors
    /// Of kind `Limit` where it is below [`Settings::LEAST_MEMORY`].
    pub fn check(&self) -> Result<()> {
        let limit = self.memory();
        if limit >= Self::LEAST_MEMORY {
            return Ok(());
        }
        let least = Self::LEAST_MEMORY >> 20;
        Err(
            Error::limit(format!("a memory limit of {} KiB is too little", limit >> 10))
                .help(format!("the least is --memory {least}MiB")),
        )
    }

    /// The memory limit in bytes.
    pub fn memory(&self) -> usize {
        match self.memory {
            0 => *MACHINE_MEMORY / 10 * 6,
            n => n,
        }
    }

    /// A fresh context for one run.
    pub fn context(&self) -> Arc<RunContext> {
        let progress: Arc<Progress> = Arc::default();
        Progress::add(&progress.bytes_copied, self.copies.bytes());
        self.observers.iter().for_each(|o| progress.subscribe(o.clone()));
        Arc::new(RunContext {
            budget: Budget::new(self.budget()),
            spill: SpillDir::beside(&self.copies, self.spill_dir(), self.max_spill, progress.clone()),
            progress,
            cancelled: self.cancelled(),
            threads: self.threads(),
            batch_rows: self.batch_rows,
            warnings: Mutex::default(),
            aside: Aside::default(),
        })
    }

    /// What operators may reserve, in bytes: the limit without room for what nobody reserves (a
    /// batch on its way, pages of the allocator that are in part free).
    fn budget(&self) -> usize {
        if let Some(bytes) = self.reserved {
            return bytes;
        }
        let limit = self.memory();
        let shared = (limit / UNCOUNTED_SHARE).min(UNCOUNTED_MOST);
        limit.saturating_sub(shared + self.threads() * UNCOUNTED_A_THREAD)
    }

    /// Where copies of inputs go that can be read only once.
    pub(super) fn copy_dir(&self) -> CopyDir {
        CopyDir {
            folder: self.spill_dir(),
            max_bytes: self.max_spill,
            copies: self.copies.clone(),
            cancelled: self.cancelled(),
        }
    }

    fn cancelled(&self) -> Arc<AtomicBool> {
        self.cancel.as_ref().map_or_else(Arc::default, |c| c.0.clone())
    }

    /// The folder of spill files.
    pub fn spill_dir(&self) -> PathBuf {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

// Asked once: reading these files took a tenth of the time of a tiny query.
static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
static MACHINE_MEMORY: LazyLock<usize> = LazyLock::new(physical_memory);

/// The machine's memory, or the control group's if that is less; 4 GiB where neither can be read.
fn physical_memory() -> usize {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace()
            .nth(1)?
            .parse::<usize>()
            .ok()?
            .checked_mul(1024)
    });
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|t| t.trim().parse().ok());
    match (machine, group) {
        (Some(a), Some(b)) => a.min(b),
        (Some(a), None) | (None, Some(a)) => a,
        (None, None) => 4 << 30,
    }
}
