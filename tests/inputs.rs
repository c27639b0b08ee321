//! Inputs that are not simply files of UTF-8: standard input, pipes, headers in other encodings; and files
//! that cannot be written, which are noticed before the work is done.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, run, run_with_input};

const TABLE: &[u8] = b"a,b\n1,2\n3,4\n";

#[test]
fn standard_input_is_the_same_table_for_everyone_who_asks() {
    let two = "SELECT count(*) AS n FROM '-'; SELECT sum(b) AS s FROM '-'";
    let ran = run_with_input(["sql", two], TABLE).done().quietly();
    assert_eq!(ran.text(), "n\n2\ns\n6\n");
    let joined = ["query", "-", "--join", "-", "--on", "a", "--sum", "b_right"];
    let ran = run_with_input(joined, TABLE).done().quietly();
    assert_eq!(ran.text(), "b_right_sum\n6\n");
}

#[test]
fn statements_on_standard_input_are_no_table() {
    let text = b"SELECT 1 AS a;\nSELECT count(*) FROM '-';\nSELECT 2 AS b;\n";
    let ran = run_with_input(["shell"], text).failed(2);
    assert_eq!(ran.text(), "a\n1\nb\n2\n");
    ran.says(&["standard input holds the statements"]);
    let ran = run_with_input(["sql"], text).failed(2);
    ran.says(&["standard input holds the statements", "--file"]);
}

#[test]
fn a_pipe_with_a_name_is_read() {
    let flags = ["query", "/dev/stdin", "--sort", "a:desc", "--blocksize", "4KiB"];
    let ran = run_with_input(flags, TABLE).done().quietly();
    assert_eq!(ran.text(), "a,b\n3,4\n1,2\n");
}

#[test]
fn a_header_that_is_not_utf8_is_an_error_with_its_place() {
    let folder = Folder::new();
    let file = folder.file("latin.csv", b"# about\na,caf\xe9,b\n1,2,3\n");
    let commented = ["query", &file, "--comment", "#"];
    let ran = run(commented).failed(1);
    ran.says(&["the header is not UTF-8", "latin.csv:2:6", "--encoding"]);
    let named = run(commented.into_iter().chain(["--encoding", "latin1"])).done();
    assert_eq!(named.text(), "a,café,b\n1,2,3\n");
    let given = run(commented.into_iter().chain(["--names", "x,y,z"])).done();
    assert_eq!(given.text(), "x,y,z\n1,2,3\n");
    let headless = folder.file("data.csv", b"1,caf\xe9\n2,x\n");
    let ran = run(["query", &headless, "-H", "--sum", "column_1"]).done();
    assert_eq!(ran.text(), "column_1_sum\n3\n");
}

#[test]
fn a_table_without_columns_says_so() {
    let folder = Folder::new();
    let file = folder.file("empty.csv", "");
    run(["query", &file, "--sum", "a"])
        .failed(1)
        .says(&["no column \"a\"", "the table has no columns"]);
}

#[test]
fn a_column_beside_an_aggregate_is_named() {
    let folder = Folder::new();
    let file = folder.file("t.csv", TABLE);
    run(["query", &file, "-g", "a", "--agg", "x = sum(b) + b"])
        .failed(1)
        .says(&[
            "column \"b\" is neither a key of the groups nor in an aggregate",
            "first(b)",
        ]);
    run(["query", &file, "--agg", "x = sum(b) + c"])
        .failed(1)
        .says(&["no column \"c\"", "the columns are a, b"]);
    let ran = run([
        "query",
        &file,
        "-g",
        "a",
        "--agg",
        "s = sum(b)",
        "--agg",
        "x = s + a + max(b)",
    ])
    .done();
    assert_eq!(ran.text(), "a,s,x\n1,2,5\n3,4,11\n");
}

#[test]
fn a_file_that_cannot_be_written_is_noticed_before_the_query_runs() {
    let folder = Folder::new();
    let file = folder.file("t.csv", TABLE);
    let gone = |name: &str| folder.at(&format!("gone/{name}"));
    let (profile, graph) = (gone("p.json"), gone("g.svg"));
    for flags in [
        vec!["query", &file, "--profile", &profile],
        vec!["query", &file, "--graph", &graph],
        vec!["query", &file, "--graph", &graph, "--color-by", "time"],
        vec!["graph", &file, "--color-by", "time", "-o", &graph],
    ] {
        let ran = run(&flags).failed(1);
        assert_eq!(ran.text(), "", "{flags:?}");
        ran.says(&["cannot create", "no such file or directory"]);
    }
    assert_eq!(folder.names(), ["t.csv"]);
}

#[test]
fn rejected_rows_take_no_other_files_place() {
    let folder = Folder::new();
    let file = folder.file("t.csv", "a,b\n1,2\n3\n");
    let (gone, out) = (folder.at("gone/r.csv"), folder.at("o.csv"));
    let reject = |to: &str| format!("reject={to}");
    for (to, more, says) in [
        (&file, vec![], "is read, so rejected rows cannot be written there"),
        (&out, vec!["-o", &out], "cannot be one file"),
        (&gone, vec![], "no such file or directory"),
        (&String::new(), vec![], "--on-bad-row cannot be"),
    ] {
        let to = reject(to);
        let flags = ["query", &file, "--on-bad-row", &to];
        let ran = run(flags.into_iter().chain(more));
        assert!(ran.status != Some(0) && ran.out.is_empty(), "{to}: {ran:?}");
        ran.says(&[says]);
    }
    assert_eq!(folder.names(), ["t.csv"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\n1,2\n3\n");
    run(["query", &file, "--on-bad-row", &reject(&out)]).done();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "3\n");
}
