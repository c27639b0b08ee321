//! Memory is a promise (DESIGN §5): whatever is allocated was reserved, up to a stated slack.
//!
//! An allocator that counts stands below everything here. At each allocation it compares what the
//! process holds with what the run's budget has granted, and keeps the greatest difference. Each
//! query writes more rows than its limit can hold.

#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicIsize, AtomicPtr, Ordering::Relaxed};

use ddf::memory::Budget;
use ddf::source::ReadOptions;
use ddf::write::{Format, Target, WriteOptions};
use ddf::{Frame, Settings};

struct Counting;

/// Bytes allocated now, and the most since [`begin`].
static NOW: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);
/// The most by which they exceeded what was reserved.
static GAP: AtomicIsize = AtomicIsize::new(0);
/// The budget of the run (never freed; a few bytes a query).
static BUDGET: AtomicPtr<Budget> = AtomicPtr::new(ptr::null_mut());

fn grown(by: usize) {
    let now = NOW.fetch_add(by as isize, Relaxed) + by as isize;
    MOST.fetch_max(now, Relaxed);
    // SAFETY: null, or a budget that lives for ever.
    if let Some(budget) = unsafe { BUDGET.load(Relaxed).as_ref() } {
        GAP.fetch_max(now - budget.used() as isize, Relaxed);
    }
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() {
            grown(size - layout.size());
        } else {
            NOW.fetch_sub((layout.size() - size) as isize, Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a thread may hold unreserved: batches on their way, and what encodes and decodes them.
const SLACK_A_THREAD: isize = 4 << 20;
/// And all together: the plan, the files, the threads themselves.
const SLACK: isize = 4 << 20;
const MIB: f64 = (1 << 20) as f64;

/// Rows of an almost unique integer, a text of few values, a text of many, a float: 18 MB.
fn input(folder: &Path) -> String {
    let mut text = String::from("id,few,many,x\n");
    for i in 0..400_000u64 {
        let id = i.wrapping_mul(2_654_435_761) % 4_294_967_296;
        writeln!(
            text,
            "{id},group {},the text {},{}.25",
            i % 50,
            id % 300_000,
            i % 1000
        )
        .unwrap();
    }
    let path = folder.join("input.csv");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Runs a query; gives the most bytes allocated, and the most allocated and not reserved.
fn run(frame: &Frame, to: &Path, format: Format) -> (isize, isize, u64) {
    let base = NOW.load(Relaxed);
    MOST.store(base, Relaxed);
    GAP.store(0, Relaxed);
    let watch = |cx: &std::sync::Arc<ddf::pipeline::RunContext>| {
        BUDGET.store(Box::into_raw(Box::new(cx.budget.clone())), Relaxed);
    };
    let options = WriteOptions::default();
    let report = frame
        .write_to(Target::File(to.to_path_buf()), format, &options, watch)
        .unwrap();
    BUDGET.store(ptr::null_mut(), Relaxed);
    (
        MOST.load(Relaxed) - base,
        GAP.load(Relaxed) - base,
        report.bytes_spilled,
    )
}

/// One test, since the counters are those of the process.
#[test]
fn what_is_allocated_was_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let file = input(folder.path());
    for threads in [1, 2] {
        let memory = (16 + 8 * threads) << 20;
        let settings = Settings {
            threads,
            memory,
            ..Settings::default()
        };
        let read = || Frame::read_with([file.as_str()], &ReadOptions::default(), settings.clone()).unwrap();
        let queries = [
            ("sort", read().sort(["many"]).unwrap()),
            (
                "group",
                // first() keeps the groups in a hash table
                read().groupby(["id"]).unwrap().agg(["n = first(many)"]).unwrap(),
            ),
            (
                "ordered",
                read().groupby(["id"]).unwrap().agg(["n = count(*)"]).unwrap(),
            ),
            ("rows", read()),
        ];
        for (name, frame) in queries {
            for format in [Format::Csv, Format::Parquet] {
                let (most, gap, spilled) = run(&frame, &folder.path().join("out"), format);
                let told = format!(
                    "{name} to {format:?}, {threads} threads: {:.1} MiB allocated, {:.1} not reserved",
                    most as f64 / MIB,
                    gap as f64 / MIB
                );
                println!("{told}, {} MiB spilled", spilled >> 20);
                let slack = SLACK + SLACK_A_THREAD * threads as isize;
                assert!(gap <= slack, "{told}");
                assert!(most <= memory as isize + slack, "{told}");
                match name {
                    "sort" | "group" => assert!(spilled > 0, "{told}"),
                    "rows" => assert_eq!(spilled, 0, "{told}"),
                    _ => {}
                }
            }
        }
    }
}
