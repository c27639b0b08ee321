//! A task that fails says which partition it read and how to run only that one again.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn ddf(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddf"));
    command.current_dir(folder).args(args).output().unwrap()
}

/// Runs what the help line of an error says, without a shell.
fn again(folder: &Path, stderr: &str) -> Output {
    let line = stderr.lines().find(|l| l.contains(" alone: ddf ")).unwrap();
    let command = line.split_once(" alone: ddf ").unwrap().1;
    // quotes stand around whole words here
    let words: Vec<&str> = command.split('\'').collect();
    let mut args: Vec<&str> = Vec::new();
    for (i, w) in words.iter().enumerate() {
        match i % 2 {
            1 => args.push(w),
            _ => args.extend(w.split_whitespace()),
        }
    }
    ddf(folder, &args)
}

/// Two files; in the second, row 700 has a text among numbers, of which many partitions come before.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bad) in [("a.csv", None), ("b.csv", Some(700))] {
        let row = |i| match Some(i) == bad {
            true => format!("{i},oops\n"),
            false => format!("{i},{}\n", i * 2),
        };
        let text: String = (0..1000).map(row).collect();
        std::fs::write(folder.path().join(name), format!("k,v\n{text}")).unwrap();
    }
    folder
}

#[test]
fn user_errors_keep_their_place_and_get_one_line() {
    let folder = folder();
    let flags = ["--types", "v=int64", "--blocksize", "1000"];
    for asked in [
        &["query", "*.csv", "--sum", "v"][..],
        &["query", "*.csv", "-w", "v > 3"],
        &["query", "*.csv", "-g", "k % 7", "--mean", "v", "-j", "3"],
        &["sql", "SELECT sum(v) FROM \"*.csv\"", "--scheduler", "threads"],
    ] {
        let out = ddf(folder.path(), &[asked, &flags[..]].concat());
        let text = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1));
        assert!(text.contains("b.csv:702:"), "{text}");
        assert_eq!(
            text.lines().filter(|l| l.contains("partition")).count(),
            1,
            "{text}"
        );
        let line = text.lines().find(|l| l.contains(" alone: ")).unwrap();
        assert!(line.contains("(b.csv, bytes "), "{line}");
        assert!(line.ends_with("--scheduler sync"), "{line}");
        let rerun = again(folder.path(), &text);
        let same = String::from_utf8(rerun.stderr).unwrap();
        assert_eq!(rerun.status.code(), Some(1), "{same}");
        // the same error, with nothing more to narrow down
        assert_eq!(
            same,
            text.lines()
                .filter(|l| *l != line)
                .map(|l| format!("{l}\n"))
                .collect::<String>()
        );
    }
}

#[test]
fn errors_as_json_have_it_as_fields() {
    let folder = folder();
    let asked = [
        "query",
        "b.csv",
        "--sum",
        "v",
        "--types",
        "v=int64",
        "--blocksize",
        "1000",
        "--errors",
        "json",
    ];
    let out = ddf(folder.path(), &asked);
    let error: serde_json::Value = serde_json::from_slice(&out.stderr).unwrap();
    let part = error["partition"].as_u64().unwrap();
    assert!(part > 3, "{error}");
    assert!(
        error["reads"].as_str().unwrap().starts_with("b.csv, bytes "),
        "{error}"
    );
    let wanted = format!("--partition {part} --scheduler sync");
    assert!(error["rerun"].as_str().unwrap().ends_with(&wanted), "{error}");
}

#[test]
fn partitions_of_each_table_can_be_run_alone() {
    let folder = folder();
    let ask = |more: &[&str]| {
        let asked = "query a.csv --join b.csv --on k --count --blocksize 1000 --csv".split(' ');
        ddf(
            folder.path(),
            &asked.chain(more.iter().copied()).collect::<Vec<_>>(),
        )
    };
    let rows = |out: &Output| {
        let text = String::from_utf8(out.stdout.clone()).unwrap();
        text.lines().nth(1).unwrap().parse::<usize>().unwrap()
    };
    let all = ask(&[]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    assert_eq!(rows(&all), 1000);
    // the partitions of a table are all of it
    for table in ["", "1:"] {
        let mut sum = 0;
        let mut part = 0;
        loop {
            let name = format!("{table}{part}");
            let out = ask(&["--partition", &name]);
            if out.status.code() == Some(2) {
                let text = String::from_utf8(out.stderr).unwrap();
                assert!(
                    text.contains(&format!(
                        "there is no partition {part}: the table has partitions 0 to"
                    )),
                    "{text}"
                );
                break;
            }
            sum += rows(&out);
            part += 1;
        }
        assert!(part > 5);
        assert_eq!(sum, 1000);
    }
    for wrong in ["x", "7:0", "1:x", "-1"] {
        let out = ddf(
            folder.path(),
            &["query", "a.csv", "--count", &format!("--partition={wrong}")],
        );
        assert_eq!(out.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn parquet_partitions_and_rejected_rows() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = |more: &[&str]| {
        let asked = ["query", "testdata/nycflights/*.parquet", "--count", "--csv"];
        let out = ddf(here, &[&asked[..], more].concat());
        assert!(out.status.success());
        String::from_utf8(out.stdout)
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let parts: Vec<u64> = (0..12).map(|p| count(&["--partition", &p.to_string()])).collect();
    assert_eq!(parts.iter().sum::<u64>(), count(&[]));

    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..500)
        .map(|i| {
            if i % 50 == 0 {
                format!("{i}\n")
            } else {
                format!("{i},1\n")
            }
        })
        .collect();
    std::fs::write(folder.path().join("a.csv"), format!("k,v\n{text}")).unwrap();
    let asked = [
        "query",
        "a.csv",
        "--sum",
        "v",
        "--on-bad-row",
        "reject=bad.csv",
        "--blocksize",
        "500",
    ];
    let all = ddf(folder.path(), &asked);
    assert!(all.status.success(), "{}", String::from_utf8(all.stderr).unwrap());
    let whole = std::fs::read_to_string(folder.path().join("bad.csv")).unwrap();
    assert_eq!(whole.lines().count(), 10);
    assert!(
        ddf(folder.path(), &[&asked[..], &["--partition", "1"]].concat())
            .status
            .success()
    );
    let one = std::fs::read_to_string(folder.path().join("bad.csv")).unwrap();
    assert!(
        whole.contains(&one) && (1..4).contains(&one.lines().count()),
        "{one}"
    );
}
