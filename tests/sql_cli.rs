//! `ddf sql` from the command line: where statements come from and where rows go.

#![allow(clippy::unwrap_used)]

mod common;

use common::{command, interrupt_at_work};

const EMP: &str = "emp=tests/sql/data/emp.csv";

fn sql(args: &[&str]) -> (Option<i32>, String, String) {
    let out = command().arg("sql").args(args).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn statements_come_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q.sql");
    std::fs::write(&file, "-- two\nSELECT 3;\n\nSELECT 4;").unwrap();
    let file = file.to_str().unwrap();
    let (status, out, _) = sql(&[
        "SELECT 1 AS a; SELECT 2",
        "-c",
        "SELECT count(*) FROM emp",
        "-t",
        EMP,
        "-f",
        file,
    ]);
    assert_eq!(status, Some(0));
    assert_eq!(out, "a\n1\n2\n2\ncount(*)\n10\n3\n3\n4\n4\n");
}

#[test]
fn copy_writes_and_later_statements_read() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("o.parquet");
    let target = target.to_str().unwrap();
    let text = format!(
        "COPY (SELECT id, name FROM emp WHERE dept = 20) TO '{target}'; SELECT max(id) AS m FROM '{target}'"
    );
    let (status, out, err) = sql(&[&text, "-t", EMP]);
    assert_eq!((status, out.as_str()), (Some(0), "m\n4\n"), "{err}");
}

#[test]
fn describe_and_explain_run_nothing() {
    let (_, out, _) = sql(&["DESCRIBE SELECT id, name AS n FROM emp", "-t", EMP]);
    assert_eq!(out, "id  int64\nn   text\n");
    let (_, out, _) = sql(&["EXPLAIN SELECT id FROM emp LIMIT 1", "-t", EMP]);
    assert!(out.contains("stages") && out.contains("limit 1"), "{out}");
}

#[test]
fn errors_show_line_and_column() {
    let (status, out, err) = sql(&["SELECT id\nFROM emp\nWHERE idd = 1", "-t", EMP]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("--> line 3, column 7"), "{err}");
    assert!(err.contains("   |  WHERE idd = 1\n   |        ^^^\n"), "{err}");
    assert!(err.contains("did you mean id?"), "{err}");
    let (status, _, err) = sql(&["SELECT 1; SELECT 2", "-o", "x.csv"]);
    assert_eq!(status, Some(2), "{err}");
}

#[test]
fn a_recursion_that_does_not_end_can_be_interrupted() {
    let mut child = command()
        .args([
            "sql",
            "WITH RECURSIVE w AS (SELECT 1 AS n UNION ALL SELECT n FROM w) SELECT * FROM w",
        ])
        .args(["-j", "1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    if !interrupt_at_work(&mut child) {
        return; // no such program here
    }
    let out = child.wait_with_output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!(
        (out.status.code(), err.as_str()),
        (Some(130), "error: interrupted\n")
    );
}
