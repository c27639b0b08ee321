//! Results arrive whole or not at all.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Folder, Ran, command, interrupted, query, run};

#[test]
fn a_full_device_is_an_error() {
    let f = Folder::new();
    let small = f.file("small.csv", "a,b\n1,2\n");
    let large = f.file(
        "large.csv",
        format!("a,b\n{}", "123456,abcdefgh\n".repeat(50_000)),
    );
    for file in [&small, &large] {
        run(["query", file, "-o", "/dev/full", "--csv"])
            .failed(1)
            .says(&["/dev/full"]);
        for format in ["csv", "json", "jsonl", "parquet", "table", "md"] {
            let full = std::fs::File::create("/dev/full").unwrap();
            let mut c = command();
            c.args(["query", file, "--format", format]).stdout(full);
            let ran = Ran::from(c.output().unwrap());
            assert_eq!(ran.status, Some(1), "{format}: {}", ran.err);
            assert!(ran.err.contains("no space left"), "{format}: {}", ran.err);
        }
    }
}

#[test]
fn other_commands_notice_a_full_device_too() {
    let f = Folder::new();
    let file = f.file("a.csv", "a,b\n1,2\n");
    for args in [
        vec!["schema", &file],
        vec!["functions"],
        vec!["count", &file],
        vec!["explain", &file],
        vec!["plan", &file],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let ran = Ran::from(command().args(&args).stdout(full).output().unwrap());
        assert_eq!(ran.status, Some(1), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let f = Folder::new();
    let file = f.file(
        "large.csv",
        format!("a,b\n{}", "123456,abcdefgh\n".repeat(50_000)),
    );
    let program = env!("CARGO_BIN_EXE_ddf");
    let script = "set -o pipefail; \"$0\" query \"$1\" $2 | head -n 2";
    for flags in ["", "--sort a", "--format jsonl", "--table"] {
        let mut c = std::process::Command::new("bash");
        let ran = Ran::from(c.args(["-c", script, program, &file, flags]).output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{flags}");
        assert_eq!(ran.text().lines().count(), 2);
    }
}

#[test]
fn killed_while_writing_the_old_file_is_whole() {
    let f = Folder::new();
    let file = f.file(
        "large.csv",
        format!("a,b\n{}", "123456,abcdefgh\n".repeat(1_000_000)),
    );
    for name in ["out.csv", "out.parquet"] {
        let out = f.file(name, "the old file");
        let before = f.names();
        let mut c = command();
        c.args(["query", &file, "-o", &out, "-j", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = c.spawn().unwrap();
        let start = Instant::now();
        while f.names() == before {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no temporary file was seen beside {name}"
            );
            assert!(
                child.try_wait().unwrap().is_none(),
                "{name} was written too fast to be caught"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        child.kill().unwrap();
        assert_eq!(
            child.wait().unwrap().code(),
            None,
            "{name}: it ended before the kill"
        );
        assert_eq!(std::fs::read(&out).unwrap(), b"the old file", "{name}");
        for extra in f.names().iter().filter(|n| !before.contains(n)) {
            std::fs::remove_file(f.at(extra)).unwrap();
        }
    }
}

#[test]
fn interrupted_it_leaves_nothing_behind() {
    interrupt(1, &"123456,abcdefgh\n".repeat(1_000_000));
}

/// A value late in the file makes the query begin again.
#[test]
fn interrupted_in_a_second_run_it_leaves_nothing_behind() {
    let rows = "123456,abcdefgh\n".repeat(300_000);
    interrupt(2, &format!("{rows}1.5,x\n{rows}{rows}{rows}"));
}

/// Interrupts a query once it writes its `run`-th temporary file.
fn interrupt(run: usize, rows: &str) {
    let f = Folder::new();
    let file = f.file("large.csv", format!("a,b\n{rows}"));
    let out = f.file("out.csv", "the old file");
    let before = f.names();
    let mut c = command();
    c.args(["query", &file, "--normalize", "-o", &out])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = c.spawn().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < run {
        seen.extend(f.names().into_iter().filter(|n| !before.contains(n)));
        assert!(
            child.try_wait().unwrap().is_none(),
            "written too fast to be caught"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(interrupted(child.id()));
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(130), "{}", ran.err);
    assert_eq!(f.names(), before);
    assert_eq!(std::fs::read(&out).unwrap(), b"the old file");
}

#[test]
fn a_query_that_fails_leaves_the_old_file() {
    let f = Folder::new();
    let rows = "1,2\n".repeat(20_000);
    let file = f.file("bad.csv", format!("a,b\n{rows}3\n"));
    for name in ["out.csv", "out.parquet", "out.json", "out.arrow"] {
        let out = f.file(name, "the old file");
        let before = f.names();
        run(["query", &file, "-o", &out])
            .failed(1)
            .says(&["bad.csv:20002"]);
        assert_eq!(std::fs::read(&out).unwrap(), b"the old file", "{name}");
        assert_eq!(f.names(), before, "{name}");
    }
}

#[test]
fn reading_and_writing_the_same_file() {
    let f = Folder::new();
    let rows: String = (0..20_000).rev().map(|i| format!("{i},x\n")).collect();
    let file = f.file("same.csv", format!("a,b\n{rows}"));
    run(["query", &file, "--sort", "a", "-o", &file]).done();
    let sorted: String = (0..20_000).map(|i| format!("{i},x\n")).collect();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("a,b\n{sorted}"));
    run(["query", &file, "-w", "a < 2", "-o", &file]).done();
    assert_eq!(query(&file, ""), "a,b\n0,x\n1,x\n");
    let parquet = f.at("same.parquet");
    run(["query", &file, "-o", &parquet]).done();
    run(["query", &parquet, "--with", "c = a + 1", "-o", &parquet]).done();
    assert_eq!(query(&parquet, ""), "a,b,c\n0,x,1\n1,x,2\n");
    assert_eq!(f.names(), ["same.csv", "same.parquet"]);
}

#[test]
fn the_target_cannot_be_written() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\n1\n");
    run(["query", &file, "-o", &f.at("no/such/folder/x.csv")])
        .failed(1)
        .says(&["x.csv"]);
    std::fs::create_dir(f.at("dir.csv")).unwrap();
    run(["query", &file, "-o", &f.at("dir.csv")])
        .failed(1)
        .says(&["dir.csv"]);
}
