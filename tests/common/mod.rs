//! Helpers of the tests that drive the real binary: run it, keep a folder of files, read its CSV.

#![allow(dead_code, clippy::unwrap_used)]

pub mod live;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The command `ddf`, with nothing of the caller's environment that could change an answer.
pub fn command() -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_ddf"));
    for name in [
        "DDF_THREADS",
        "DDF_MEMORY",
        "DDF_SPILL_DIR",
        "DDF_MAX_SPILL",
        "NO_COLOR",
        "COLUMNS",
    ] {
        c.env_remove(name);
    }
    c.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    c
}

/// Interrupts a process as Ctrl-C does; false where the system has no `kill`.
pub fn interrupted(id: u32) -> bool {
    let ran = Command::new("kill").args(["-INT", &id.to_string()]).status();
    ran.is_ok_and(|s| s.success())
}

/// Interrupts a run once its worker is there: so are its handlers of signals then. False where the system has
/// no `kill`; then it is killed.
pub fn interrupt_at_work(child: &mut Child) -> bool {
    let tasks = format!("/proc/{}/task", child.id());
    let works = || {
        let all = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
        let names = all.filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok());
        names.into_iter().any(|n| n.trim() == "ddf-0")
    };
    while !works() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = interrupted(child.id());
    if !sent {
        let _ = child.kill();
        let _ = child.wait();
    }
    sent
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error, as text.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(o: Output) -> Self {
        let err = String::from_utf8_lossy(&o.stderr).into_owned();
        Ran {
            status: o.status.code(),
            out: o.stdout,
            err,
        }
    }
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Fails the test unless the run ended with status 0.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(
            self.status,
            Some(0),
            "{}\n{}",
            self.err,
            String::from_utf8_lossy(&self.out)
        );
        self
    }

    /// Fails the test unless the run ended with `status`, an error on stderr and no panic.
    #[track_caller]
    pub fn failed(self, status: i32) -> Self {
        let out = String::from_utf8_lossy(&self.out);
        assert_eq!(
            self.status,
            Some(status),
            "stdout: {out:.500}\nstderr: {}",
            self.err
        );
        assert!(self.err.contains("error:"), "no error was printed: {}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Fails the test unless stderr holds all of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for p in parts {
            assert!(self.err.contains(p), "{p:?} is not in stderr:\n{}", self.err);
        }
        self
    }

    /// Fails the test if anything was said on stderr.
    #[track_caller]
    pub fn quietly(self) -> Self {
        assert_eq!(self.err, "");
        self
    }
}

/// Runs `ddf` with these arguments and no standard input.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    command().args(args).output().unwrap().into()
}

/// Runs `ddf` with bytes on standard input (a pipe).
pub fn run_with_input<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    let mut c = command();
    c.args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = c.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // a program that fails early closes its end: that is for the test to judge
        let _ = pipe.write_all(&input);
    });
    let out = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    out.into()
}

/// Runs `ddf query` on one input with flags split at spaces, and answers the CSV it printed.
#[track_caller]
pub fn query(input: &str, flags: &str) -> String {
    ask(input, flags).done().text().to_string()
}

/// Like [`query`], with whatever came of it.
pub fn ask(input: &str, flags: &str) -> Ran {
    run(["query", input].into_iter().chain(flags.split_whitespace()))
}

/// A folder for the files of one test, deleted with it.
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        Folder(TempDir::new().unwrap())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of something in it, as an argument.
    pub fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_string()
    }

    /// Writes a file and answers its path.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.at(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The names of its files, sorted.
    pub fn names(&self) -> Vec<String> {
        let list = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = list
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A file of the repository's test data.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The cells of CSV text by the `csv` crate; the first row is the header.
pub fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|r| r.unwrap().iter().map(str::to_string).collect())
        .collect()
}

/// A small generator of repeatable random numbers (SplitMix64, Steele et al. 2014).
pub struct Random(pub u64);

impl Random {
    /// The next 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
