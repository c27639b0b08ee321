//! How a run that is ended from outside ends: its exit status, and what is left of its output.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{Folder, Ran, command, query, run, run_with_input};

/// Starts to write a large file, and waits until its temporary file is there.
fn writing(f: &Folder, file: &str, out: &str, wrap: &[&str]) -> Child {
    let before: BTreeSet<String> = f.names().into_iter().collect();
    let mut c = match wrap {
        [] => command(),
        [program, args @ ..] => {
            let mut c = Command::new(program);
            c.args(args).arg(env!("CARGO_BIN_EXE_ddf")).stdin(Stdio::null());
            c
        }
    };
    c.args(["query", file, "-o", out])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = c.spawn().unwrap();
    while f.names().into_iter().all(|n| before.contains(&n)) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "written too fast to be caught"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn large(f: &Folder) -> String {
    f.file(
        "large.csv",
        format!("a,b\n{}", "123456,abcdefgh\n".repeat(1_000_000)),
    )
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn each_signal_has_its_status_and_leaves_nothing() {
    let f = Folder::new();
    let file = large(&f);
    let out = f.file("out.csv", "the old file");
    let before = f.names();
    for (signal, status, word) in [
        ("-TERM", 143, "SIGTERM"),
        ("-HUP", 129, "SIGHUP"),
        ("-INT", 130, "interrupted"),
    ] {
        // whoever runs the tests may have been started by nohup
        let child = writing(&f, &file, &out, &["env", "--default-signal=HUP,INT,TERM"]);
        send(signal, &child);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.status, Some(status), "{signal}: {}", ran.err);
        assert!(ran.err.contains(word), "{signal}: {}", ran.err);
        assert_eq!(f.names(), before, "{signal}");
        assert_eq!(std::fs::read(&out).unwrap(), b"the old file", "{signal}");
    }
}

/// `nohup` asks that a closed terminal be of no account.
#[test]
fn a_hangup_that_was_to_be_ignored_is() {
    let f = Folder::new();
    let (file, out) = (large(&f), f.at("out.csv"));
    let child = writing(&f, &file, &out, &["nohup"]);
    send("-HUP", &child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 1_000_001);
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let f = Folder::new();
    let (file, out) = (large(&f), f.at("out.csv"));
    let mut killed = writing(&f, &file, &out, &[]);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = || f.names().into_iter().filter(|n| n.ends_with(".tmp")).count();
    assert_eq!(left(), 1, "{:?}", f.names());

    // a run that still writes the same file is left alone
    let alive = writing(&f, &file, &out, &[]);
    run(["query", &file, "-n", "1", "-o", &out]).done();
    let ran = Ran::from(alive.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(f.names(), ["large.csv", "out.csv"]);

    // files that only look alike are nobody's business
    let other = f.file(".out.csv.backup.tmp", "mine");
    run(["query", &file, "-n", "1", "-o", &out]).done();
    assert_eq!(std::fs::read(other).unwrap(), b"mine");
}

/// An open file of the process is written where it stands, as a shell's redirection means it.
#[test]
fn descriptors_append_where_they_stand() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\n1\n");
    let log = f.file("log", "before\n");
    let program = env!("CARGO_BIN_EXE_ddf");
    for script in [
        r#""$0" query "$1" -o /dev/fd/1 --csv >> "$2""#,
        r#""$0" query "$1" -o /proc/self/fd/1 --csv >> "$2""#,
        r#""$0" query "$1" -o /dev/stdout --csv >> "$2""#,
        r#""$0" query "$1" -o /dev/fd/2 --csv 2>> "$2""#,
        r#"{ "$0" query "$1" -o /dev/fd/3 --csv; } 3>> "$2""#,
    ] {
        std::fs::write(&log, "before\n").unwrap();
        for _ in 0..2 {
            let done = Command::new("bash")
                .args(["-c", script, program, &file, &log])
                .status();
            assert!(done.unwrap().success(), "{script}");
        }
        assert_eq!(
            std::fs::read_to_string(&log).unwrap(),
            "before\na\n1\na\n1\n",
            "{script}"
        );
    }
    let script = r#"{ echo one >&3; "$0" query "$1" -o /dev/fd/3 --csv; echo two >&3; } 3> "$2""#;
    assert!(
        Command::new("bash")
            .args(["-c", script, program, &file, &log])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\na\n1\ntwo\n");
    run(["query", &file, "--csv", "-o", "/dev/fd/77"])
        .failed(1)
        .says(&["/dev/fd/77"]);
    assert_eq!(query(&file, ""), "a\n1\n");
}

/// A copy of standard input takes disk as spill files do, and says so.
#[test]
fn a_copy_of_standard_input_counts() {
    let input = format!("a,b\n{}", "1234567,abcdefgh\n".repeat(100_000)).into_bytes();
    // rows that stream out and hang on types are looked at before
    let computed = ["query", "-", "--select", "x = a + 1", "--stats", "--max-spill"];
    let with = |most: &'static str| computed.into_iter().chain([most]);
    let ran = run_with_input(with("1MiB"), &input).failed(4);
    ran.says(&[
        "the copy of standard input in",
        "would exceed 1 MiB",
        "--max-spill",
    ]);
    let statement = "select a + 1 as x from '/dev/stdin'";
    run_with_input(["sql", statement, "--max-spill", "1MiB"], &input)
        .failed(4)
        .says(&["the copy of /dev/stdin in", "would exceed 1 MiB"]);

    let all = input.len().to_string();
    let ran = run_with_input(computed.into_iter().chain([all.as_str()]), &input).done();
    assert_eq!(ran.text().lines().count(), 100_001);
    ran.says(&["spilled 0 B", "input copied to disk 1.6 MiB"]);

    // spill files get what the copy leaves of it
    let sorts = "with s as (select a, b from '-' order by b, a desc) select a + 1 as x, b from s";
    let sorts = [
        "sql",
        "select 1 as one",
        "-c",
        sorts,
        "-c",
        "select 1",
        "--memory",
        "24MiB",
    ];
    let large = format!("a,b\n{}", "1234567,abcdefgh abcdefgh\n".repeat(1_500_000)).into_bytes();
    let most = (large.len() + (1 << 20)).to_string();
    run_with_input(sorts.into_iter().chain(["--max-spill", &most]), &large)
        .failed(4)
        .says(&["spill files in", "--max-spill"]);

    // a file needs none
    let f = Folder::new();
    let file = f.file("t.csv", &input);
    let ran = run(["query", &file, "--count", "--stats", "--max-spill", "1"]).done();
    assert!(!ran.err.contains("copied"), "{}", ran.err);
}

/// Whoever waits for an input that does not come can be ended.
#[test]
fn a_signal_ends_what_waits_for_its_input() {
    for (signal, status) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let mut c = Command::new("env");
        c.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_ddf")]);
        c.args(["sql", "select count(*) from '-'"]);
        c.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = c.spawn().unwrap();
        let input = child.stdin.take();
        let tasks = format!("/proc/{}/task", child.id());
        let copies = || {
            let all = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
            let names = all.filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok());
            names.into_iter().any(|n| n.trim() == "ddf-input")
        };
        while !copies() {
            assert!(child.try_wait().unwrap().is_none(), "it did not wait");
            std::thread::sleep(Duration::from_millis(5));
        }
        send(signal, &child);
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{signal} does not end it"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(input);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.status, Some(status), "{signal}: {}", ran.err);
    }
}

/// A terminal that closes ends it as the other signals do.
#[test]
fn a_signal_ends_a_dashboard_that_lingers() {
    let f = Folder::new();
    let file = f.file("t.csv", "a\n1\n");
    for (signal, status) in [("-TERM", 0), ("-HUP", 0)] {
        let mut c = Command::new("env");
        c.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_ddf")]);
        c.args(["query", &file, "--dashboard=127.0.0.1:0", "--linger"]);
        c.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = c.spawn().unwrap();
        let mut rows = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        while rows.lines().count() < 2 {
            assert!(
                std::io::BufRead::read_line(&mut out, &mut rows).unwrap() > 0,
                "{rows}"
            );
        }
        assert_ended(&mut child, signal, status);
    }
}

/// Sends a signal, after which the program is to end soon, with that status.
fn assert_ended(child: &mut Child, signal: &str, status: i32) {
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    send(signal, child);
    let begun = std::time::Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None if begun.elapsed() > Duration::from_secs(20) => {
                let _ = child.kill();
                panic!("{signal} does not end it");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!(ended.code(), Some(status), "{signal}");
}

/// A pipe that nobody writes into is waited for while the query is planned, before there is a run to stop.
#[test]
fn a_signal_ends_what_waits_before_there_is_a_run() {
    let f = Folder::new();
    let pipe = f.at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (signal, status) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let mut c = Command::new("env");
        c.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_ddf")]);
        c.args(["sql", &format!("select count(*) from '{pipe}'")]);
        let mut child = c.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // it sleeps in the call that opens the pipe
        let sleeps = || {
            let syscall = std::fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
            syscall.contains("fifo")
        };
        let begun = std::time::Instant::now();
        while !sleeps() && begun.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(5));
        }
        send(signal, &child);
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(10) {
                let _ = child.kill();
                panic!("{signal} does not end it");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let ran = Ran::from(child.wait_with_output().unwrap());
        // before the handlers are there, the signal itself ends it
        assert!(
            ran.status == Some(status) || ran.status.is_none(),
            "{signal}: {}",
            ran.err
        );
    }
}
