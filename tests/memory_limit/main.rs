//! The memory limit is a limit: no question takes more than it, a tenth, and 40 MB.
//!
//! ```text
//!   tables.rs  a narrow table, one of 105 columns, the right side of joins: the same bytes each time
//!   jobs.txt   about fifty questions, one a line; those with a star are asked in each run of the tests
//! ```
//!
//! All questions, at five limits, with one and eight threads, of tables that none of the limits can hold, take
//! some minutes of an optimised build:
//!
//!     cargo test --release --test memory_limit -- --ignored --nocapture
//!     DDF_LIMITS_JOBS=sort DDF_LIMITS_MB=100 cargo test --release --test memory_limit -- --ignored --nocapture

#![cfg(target_os = "linux")]
// a child is waited for by wait4, which tells what it took
#![allow(
    clippy::unwrap_used,
    clippy::zombie_processes,
    clippy::print_stdout,
    unsafe_code
)]

mod tables;

use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

const JOBS: &str = include_str!("jobs.txt");

/// One question.
struct Job {
    name: &'static str,
    words: &'static str,
    always: bool,
}

fn jobs() -> impl Iterator<Item = Job> {
    let lines = JOBS.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.map(|line| {
        let (name, words) = line.split_once(':').unwrap();
        Job {
            name: name.trim_start_matches(['*', ' ']),
            words: words.trim(),
            always: line.starts_with('*'),
        }
    })
}

/// What a run may take.
fn bound(limit_mib: u64) -> u64 {
    let limit = limit_mib << 20;
    limit + limit / 10 + 40_000_000
}

/// How a question went.
struct Ran {
    status: i32,
    /// The most bytes that were resident.
    peak: u64,
    complaint: String,
}

/// Asks a question in a process of its own.
fn ask(job: &Job, tables: &Path, out: &Path, limits: &str) -> Ran {
    let complaint = out.join("complaint");
    let line = format!("exec \"$DDF\" {} {limits}", job.words);
    let mut command = Command::new("sh");
    command
        .args(["-c", &line])
        .env("DDF", env!("CARGO_BIN_EXE_ddf"))
        .env("D", tables)
        .env("O", out.join("answer"))
        .env_remove("DDF_THREADS")
        .env_remove("DDF_MEMORY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&complaint).unwrap());
    // a group of its own, so that whoever stops the tests can stop all of it
    let child = command.process_group(0).spawn().unwrap();
    // SAFETY: zeros are a value of this type of integers.
    let (mut status, mut used) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: a child of ours that nobody else waits for, and two places for the answers.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut used) };
    assert_eq!(waited, child.id() as libc::pid_t);
    // the kernel counts the size of whoever starts a process into its peak: we must be smaller than what is told
    assert!(own_peak() < bound(32) / 2, "the tests themselves are too large");
    Ran {
        status: if libc::WIFEXITED(status) {
            libc::WEXITSTATUS(status)
        } else {
            -1
        },
        peak: (used.ru_maxrss as u64) << 10,
        complaint: std::fs::read_to_string(complaint).unwrap_or_default(),
    }
}

/// The most bytes of this program that were resident. Not by `getrusage`, which counts what started it, too.
fn own_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Makes the tables, CSV of so many bytes and the same as Parquet.
fn tables(bytes: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let csv = |name: &str| folder.path().join(name).with_extension("csv");
    tables::narrow(&csv("narrow"), bytes).unwrap();
    tables::wide(&csv("wide"), bytes).unwrap();
    tables::other(&csv("other"), bytes / 4).unwrap();
    for name in ["narrow", "wide"] {
        let ran = Command::new(env!("CARGO_BIN_EXE_ddf"))
            .arg("query")
            .arg(csv(name))
            .arg("-o")
            .arg(folder.path().join(name).with_extension("parquet"))
            .status();
        assert!(ran.unwrap().success());
    }
    folder
}

/// Asks a question with each of the limits (MiB) and numbers of threads; tells of those over the bound, those that
/// failed, those that a lower limit could answer and a higher one not, and answers that differ.
fn check(job: &Job, tables: &Path, limits: &[u64], threads: &[u32]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told = format!("{:26}", job.name);
    let mut answer: Option<Vec<u8>> = None;
    for &threads in threads {
        for &limit in limits {
            let out = tempfile::tempdir().unwrap();
            let ran = ask(
                job,
                tables,
                out.path(),
                &format!("--memory {limit}MiB -j {threads}"),
            );
            let at = format!("{} at {limit} MiB, {threads} threads", job.name);
            let mib = ran.peak as f64 / 1_048_576.0;
            let _ = write!(told, "  {limit}/{threads}: {mib:.0}");
            match ran.status {
                0 => {}
                4 if limit == limits[0] => {
                    let _ = write!(told, " (refused)");
                }
                status => wrong.push(format!("{at}: status {status}, {}", ran.complaint.trim())),
            }
            if ran.peak > bound(limit) {
                wrong.push(format!("{at}: {mib:.1} MiB"));
            }
            if ran.status == 0 && !job.words.contains(".parquet\"") {
                let new = digest(out.path());
                if answer.get_or_insert_with(|| new.clone()) != &new {
                    wrong.push(format!("{at}: another answer"));
                }
            }
        }
    }
    println!("{told}");
    wrong
}

/// The length of the answer and a hash of its bytes, read piece by piece.
fn digest(folder: &Path) -> Vec<u8> {
    use std::hash::Hasher;
    use std::io::Read;
    let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let answer: PathBuf = all
        .into_iter()
        .find(|p| {
            p.file_stem()
                .is_some_and(|n| n.to_string_lossy().starts_with("answer"))
        })
        .unwrap();
    let mut from = std::fs::File::open(answer).unwrap();
    let (mut hash, mut length) = (std::hash::DefaultHasher::new(), 0u64);
    let mut piece = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut piece).unwrap();
        if n == 0 {
            return [length.to_le_bytes(), hash.finish().to_le_bytes()].concat();
        }
        length += n as u64;
        hash.write(&piece[..n]);
    }
}

#[test]
fn the_limit_is_a_limit() {
    let tables = tables(16 << 20);
    let jobs: Vec<Job> = jobs().filter(|j| j.always).collect();
    let next = Mutex::new(jobs.iter());
    let wrong = Mutex::new(Vec::new());
    // two at a time, as there may be no more processors
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                loop {
                    let Some(job) = next.lock().unwrap().next() else {
                        return;
                    };
                    let found = check(job, tables.path(), &[32], &[8]);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.extend(one_text_of_all(tables.path()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text that has no room is refused before it is made, leaves nothing, and is made where there is room.
fn one_text_of_all(tables: &Path) -> Vec<String> {
    let job = Job {
        name: "one-text-of-all",
        words: r#"sql "select string_agg(text || text || text || text, ',') from '$D/narrow.csv'" -o "$O.csv""#,
        always: true,
    };
    let out = tempfile::tempdir().unwrap();
    let ran = ask(&job, tables, out.path(), "--memory 32MiB -j 8");
    let told = format!(
        "{}: status {}, {}, {}",
        job.name, ran.status, ran.peak, ran.complaint
    );
    let left = std::fs::read_dir(out.path()).unwrap().count();
    // what it complained with is there, and nothing else
    let refused = ran.status == 4 && ran.complaint.contains("string_agg puts") && left == 1;
    let mut wrong: Vec<String> = (!refused || ran.peak > bound(32))
        .then_some(told)
        .into_iter()
        .collect();
    wrong.extend(check(&job, tables, &[128], &[8]));
    wrong
}

#[test]
#[ignore = "takes minutes, and an optimised build"]
fn all_of_it_under_all_limits() {
    let named = std::env::var("DDF_LIMITS_JOBS").unwrap_or_default();
    let mb = std::env::var("DDF_LIMITS_MB").map_or(300, |n| n.parse().unwrap());
    let tables = tables(mb << 20);
    let wrong: Vec<String> = jobs()
        .filter(|j| j.name.contains(&named))
        .flat_map(|j| check(&j, tables.path(), &[32, 64, 128, 256, 512], &[1, 8]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
