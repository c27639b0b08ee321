//! The 22 queries of TPC-H over small tables, in memory and with next to none, against stored answers of
//! another engine (`tests/tpch/make.py`).

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

/// Equal texts; of floats, which the other engine sums in any order, 12 digits.
fn same(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    let (Ok(a), Ok(b)) = (ours.parse::<f64>(), theirs.parse::<f64>()) else {
        return false;
    };
    let exact = |t: &str| !t.contains(['.', 'e', 'E']);
    if exact(ours) && exact(theirs) {
        return a == b;
    }
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

fn records(text: &[u8]) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(text)
        .records()
        .map(|r| r.unwrap())
        .collect()
}

/// Runs one query with further flags and compares its rows, in their order.
fn check(query: &str, flags: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sql = folder.join(format!("tests/tpch/{query}.sql"));
    let mut command = common::command();
    command.args(["sql", "--csv"]).args(flags);
    for table in TABLES {
        command.args(["-t", &format!("{table}=testdata/tpch/{table}.parquet")]);
    }
    let ran = common::Ran::from(command.arg("-f").arg(sql).output().unwrap()).done();
    let want = std::fs::read(folder.join(format!("tests/tpch/answers/{query}.csv"))).unwrap();
    let (got, want) = (records(&ran.out), records(&want));
    assert_eq!(got.len(), want.len(), "rows of {query} with {flags:?}");
    for (got, want) in got.iter().zip(&want) {
        let alike = got.len() == want.len() && got.iter().zip(want).all(|(a, b)| same(a, b));
        assert!(
            alike,
            "{query} with {flags:?}\n  ours   {got:?}\n  theirs {want:?}"
        );
    }
}

fn all(flags: &[&str]) {
    for n in 1..=22 {
        check(&format!("q{n:02}"), flags);
    }
}

#[test]
fn agrees_in_memory() {
    all(&["-j", "2"]);
}

#[test]
fn agrees_with_next_to_no_memory() {
    all(&["-j", "2", "--memory", "24MiB"]);
}

#[test]
fn agrees_with_many_threads() {
    all(&["-j", "8"]);
}
