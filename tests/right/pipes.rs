//! Standard input and pipes: read as they come where one pass is enough, with the answers of a file.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Folder, Ran, command, run, run_with_input};

/// Rows of a key, a text (some with newlines in quotes) and a number that is no integer beyond the sample.
fn table() -> String {
    let mut text = String::from("id,name,v\n");
    for i in 0..40_000 {
        let name = match i % 50 {
            0 => format!("\"x{},\n\"\"y\"\"\"", i % 7),
            _ => format!("name{}", i % 7),
        };
        let v = if i < 30_000 {
            format!("{i}")
        } else {
            format!("{i}.5")
        };
        text += &format!("{i},{name},{v}\n");
    }
    text
}

/// Runs a query of a file, and of the same bytes in a pipe.
fn both(file: &str, bytes: &[u8], flags: &[&str]) -> (Ran, Ran) {
    let of_file = run(["query", file].iter().chain(flags));
    let of_pipe = run_with_input(["query", "-"].iter().chain(flags), bytes);
    (of_file, of_pipe)
}

#[test]
fn one_pass_needs_no_copy() {
    let f = Folder::new();
    let text = table();
    let file = f.file("t.csv", &text);
    for flags in [
        vec![],
        vec!["--count"],
        vec!["-g", "name", "--count"],
        vec!["--where", "name = 'name3'"],
        vec!["--select", "v,name"],
        vec!["--sort", "name:desc", "--select", "name"],
        vec!["--nunique", "name"],
        vec![
            "--types",
            "id=int,v=float",
            "-g",
            "name",
            "--mean",
            "v",
            "--max",
            "id",
        ],
        vec!["--offset", "20000", "--limit", "7"],
    ] {
        for blocks in [
            &[][..],
            &["--blocksize", "5000"],
            &["--blocksize", "300", "--threads", "4"],
        ] {
            let flags = [&flags[..], blocks, &["--max-spill", "1", "--stats"]].concat();
            let (of_file, of_pipe) = both(&file, text.as_bytes(), &flags);
            let (of_file, of_pipe) = (of_file.done(), of_pipe.done());
            assert_eq!(of_pipe.text(), of_file.text(), "{flags:?}");
            assert!(of_pipe.err.contains("input read as it came"), "{}", of_pipe.err);
            assert!(!of_pipe.err.contains("copied"), "{flags:?}: {}", of_pipe.err);
            assert!(!of_file.err.contains("as it came"), "{}", of_file.err);
        }
    }
}

#[test]
fn packed_input_is_read_as_it_comes() {
    let f = Folder::new();
    let text = table();
    let file = f.file("t.csv", &text);
    let plain = run(["query", &file, "-g", "name", "--count"]).done();
    for program in ["gzip", "zstd"] {
        let Ok(packed) = Command::new(program).args(["-c", &file]).output() else {
            continue; // it is not there
        };
        let flags = [
            "query",
            "-",
            "-g",
            "name",
            "--count",
            "--max-spill",
            "1",
            "--stats",
        ];
        let ran = run_with_input(flags, &packed.stdout).done();
        assert_eq!(ran.text(), plain.text());
        assert!(!ran.err.contains("copied"), "{}", ran.err);
        // half of it is an error, not fewer rows
        run_with_input(flags, &packed.stdout[..packed.stdout.len() / 2])
            .failed(1)
            .says(&["is truncated"]);
    }
}

#[test]
fn types_that_widen_late_are_those_of_a_file() {
    let f = Folder::new();
    let text = table();
    let file = f.file("t.csv", &text);
    for flags in [
        vec!["--sum", "v"],
        vec!["-g", "v", "--count", "--limit", "5"],
        vec!["--where", "v > 29990"],
        vec!["--select", "x = v * 2"],
        vec!["--select", "x = v * 2", "--limit", "9"],
        vec!["--select", "x = v * 2", "--limit", "35000"],
        vec!["--sort", "v:desc", "--limit", "3"],
        vec!["-g", "name", "--mean", "v", "--last", "v"],
    ] {
        let (of_file, of_pipe) = both(&file, text.as_bytes(), &flags);
        let (of_file, of_pipe) = (of_file.done(), of_pipe.done());
        assert_eq!(of_pipe.text(), of_file.text(), "{flags:?}");
        assert_eq!(of_pipe.err, of_file.err.replace(&file, "-"), "{flags:?}");
    }
    // without room for a copy there is no second look, and no wrong answer
    let ran = run_with_input(["query", "-", "--sum", "v", "--max-spill", "1"], text.as_bytes()).failed(4);
    let ran = ran.says(&[
        "column 'v' is int64, but here is '30000.5'",
        "--types",
        "--max-spill",
    ]);
    assert_eq!(ran.text(), "");
    let flags = ["query", "-", "--sum", "id", "--max-spill", "1", "--stats"];
    let ran = run_with_input(flags, text.as_bytes()).done();
    assert_eq!(ran.text(), "id_sum\n799980000\n");
    assert!(!ran.err.contains("copied"), "{}", ran.err);
    let ran = run_with_input(["query", "-", "--sum", "id", "--stats"], text.as_bytes()).done();
    ran.says(&["input copied to disk"]);
}

/// What is wrong is told with its line, though nothing is kept.
#[test]
fn lines_are_told_of_what_is_not_kept() {
    let f = Folder::new();
    let text = format!("{}40000,z\n{}\n", table(), "1,\"a\"b,2\n".repeat(3));
    let file = f.file("t.csv", &text);
    for flags in [
        vec!["--count"],
        vec!["--count", "--on-bad-row", "skip"],
        vec![
            "--on-bad-row",
            "pad",
            "-g",
            "name",
            "--count",
            "--blocksize",
            "7000",
        ],
    ] {
        let flags = [&flags[..], &["--max-spill", "1", "--threads", "3"]].concat();
        let (of_file, of_pipe) = both(&file, text.as_bytes(), &flags);
        assert_eq!(of_pipe.err, of_file.err.replace(&file, "-"), "{flags:?}");
        assert_eq!((of_pipe.text(), of_pipe.status), (of_file.text(), of_file.status));
    }
}

/// A query whose standard input stays open.
fn open(args: &[&str]) -> Child {
    let mut c = command();
    c.args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    c.spawn().unwrap()
}

/// Waits for the end of a run, which is near.
#[track_caller]
fn ended(child: &mut Child) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it waits for its input"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn enough_rows_end_it_while_the_input_is_open() {
    let text = table();
    for flags in [
        &["--select", "id", "--limit", "3"][..],
        &["--where", "name = 'name3'", "--limit", "3", "--threads", "4"],
        &["--select", "x = 1", "--limit", "3"],
    ] {
        let mut child = open(&[&["query", "-"], flags].concat());
        let mut input = child.stdin.take().unwrap();
        input.write_all(&text.as_bytes()[..200_000]).unwrap();
        ended(&mut child);
        drop(input);
        let ran = Ran::from(child.wait_with_output().unwrap()).done();
        assert_eq!(ran.text().lines().count(), 4, "{}", ran.text());
    }
    // whoever reads its rows has enough
    let mut child = open(&["query", "-"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&text.as_bytes()[..200_000]).unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 1000]).unwrap();
    drop(out);
    // it is found out with the next rows
    let _ = input.write_all(&text.as_bytes()[200_000..]);
    ended(&mut child);
    let ran = Ran::from(child.wait_with_output().unwrap()).done().quietly();
    assert_eq!(ran.status, Some(0));
}
