//! The ten group-by and five join questions of the h2o.ai benchmark, in SQL and in flags, over CSV and
//! Parquet, against stored answers of another engine (`tests/h2o/make.py`).

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

const TABLES: [&str; 5] = ["groupby", "x", "small", "medium", "big"];

/// The questions and how flags ask them: the table, then what follows it ({E} is the ending of a file).
const FLAGS: [(&str, &str, &[&str]); 15] = [
    ("g01", "groupby", &["--groupby", "id1", "--agg", "v1=sum(v1)"]),
    ("g02", "groupby", &["--groupby", "id1,id2", "--sum", "v1"]),
    (
        "g03",
        "groupby",
        &["--groupby", "id3", "--sum", "v1", "--mean", "v3"],
    ),
    ("g04", "groupby", &["--groupby", "id4", "--mean", "v1,v2,v3"]),
    ("g05", "groupby", &["--groupby", "id6", "--sum", "v1,v2,v3"]),
    (
        "g06",
        "groupby",
        &["--groupby", "id4,id5", "--median", "v3", "--std", "v3"],
    ),
    (
        "g07",
        "groupby",
        &["--groupby", "id3", "--agg", "range_v1_v2 = max(v1) - min(v2)"],
    ),
    (
        "g08",
        "groupby",
        &[
            "--with",
            "o = row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC)",
            "--where",
            "o <= 2 AND v3 IS NOT NULL",
            "--select",
            "id6,v3",
        ],
    ),
    (
        "g09",
        "groupby",
        &["--groupby", "id2,id4", "--agg", "r2 = pow(corr(v1, v2), 2)"],
    ),
    (
        "g10",
        "groupby",
        &["--groupby", "id1,id2,id3,id4,id5,id6", "--sum", "v3", "--count"],
    ),
    (
        "j01",
        "x",
        &[
            "--join",
            "testdata/h2o/small.{E}",
            "--on",
            "id1",
            "--select",
            "id1,id2,id3,id4,id5,id6,v1,id4_right,v2",
        ],
    ),
    (
        "j02",
        "x",
        &[
            "--join",
            "testdata/h2o/medium.{E}",
            "--on",
            "id2",
            "--select",
            "id1,id2,id3,id4,id5,id6,v1,id1_right,id4_right,id5_right,v2",
        ],
    ),
    (
        "j03",
        "x",
        &[
            "--join",
            "testdata/h2o/medium.{E}",
            "--on",
            "id2",
            "--how",
            "left",
            "--select",
            "id1,id2,id3,id4,id5,id6,v1,id1_right,id4_right,id5_right,v2",
        ],
    ),
    (
        "j04",
        "x",
        &[
            "--join",
            "testdata/h2o/medium.{E}",
            "--on",
            "id5",
            "--select",
            "id1,id2,id3,id4,id5,id6,v1,id1_right,id2_right,id4_right,v2",
        ],
    ),
    (
        "j05",
        "x",
        &[
            "--join",
            "testdata/h2o/big.{E}",
            "--on",
            "id3",
            "--select",
            "id1,id2,id3,id4,id5,id6,v1,id1_right,id2_right,id4_right,id5_right,id6_right,v2",
        ],
    ),
];

/// The rows of a CSV text in an order of their own. Floats keep twelve digits: the other engine adds them
/// in any order.
fn rows(text: &[u8]) -> Vec<Vec<String>> {
    let value = |t: &str| match t.parse::<f64>() {
        Ok(x) => format!("{x:.11e}"),
        Err(_) => t.to_string(),
    };
    let mut reader = csv::Reader::from_reader(text);
    let mut all: Vec<Vec<String>> = (reader.records())
        .map(|r| r.unwrap().iter().map(value).collect())
        .collect();
    all.sort();
    all
}

fn compare(what: &str, command: &mut std::process::Command, question: &str) {
    let ran = common::Ran::from(command.output().unwrap()).done();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/h2o/answers/{question}.csv"));
    let want = rows(&std::fs::read(stored).unwrap());
    assert!(!want.is_empty());
    assert_eq!(rows(&ran.out), want, "{question} {what}");
}

fn sql(ending: &str, more: &[&str]) {
    for (question, ..) in FLAGS {
        let mut command = common::command();
        command.args(["sql", "--csv"]).args(more);
        for t in TABLES {
            command.args(["-t", &format!("{t}=testdata/h2o/{t}.{ending}")]);
        }
        command.args(["-f", &format!("tests/h2o/{question}.sql")]);
        compare(&format!("from {ending} with {more:?}"), &mut command, question);
    }
}

fn flags(ending: &str, more: &[&str]) {
    for (question, table, asked) in FLAGS {
        let mut command = common::command();
        command.args(["query", &format!("testdata/h2o/{table}.{ending}"), "--csv"]);
        command
            .args(asked.iter().map(|a| a.replace("{E}", ending)))
            .args(more);
        compare(&format!("from {ending} with {more:?}"), &mut command, question);
    }
}

#[test]
fn questions_in_sql() {
    sql("csv", &["-j", "2"]);
    sql("parquet", &["-j", "2"]);
}

#[test]
fn questions_in_flags() {
    flags("csv", &["-j", "2"]);
    flags("parquet", &["-j", "2"]);
}

#[test]
fn questions_with_next_to_no_memory() {
    sql("parquet", &["-j", "2", "--memory", "24MiB"]);
    flags("csv", &["-j", "2", "--memory", "24MiB", "--blocksize", "4096"]);
}

#[test]
fn questions_with_eight_threads_and_small_blocks() {
    sql("csv", &["-j", "8", "--blocksize", "1000"]);
    flags("csv", &["-j", "8", "--blocksize", "1000"]);
}
