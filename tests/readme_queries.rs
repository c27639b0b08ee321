//! The six questions of the README about the real flights of 2013, asked of the CSV files and of the
//! Parquet files, against the answers that DuckDB computed (`testdata/make_expected.py`).

#![allow(clippy::unwrap_used)]

mod common;

use serde_json::Value;

fn flights(flags: &[&str], expected: &str) {
    let text = std::fs::read_to_string(common::testdata("nycflights/expected.json")).unwrap();
    let expected = serde_json::from_str::<Value>(&text).unwrap()[expected].clone();
    let columns: Vec<&str> = expected["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    let rows = expected["rows"].as_array().unwrap();
    for kind in ["csv", "parquet"] {
        let input = format!("testdata/nycflights/*.{kind}");
        let ran = common::run(["query", &input].iter().chain(flags))
            .done()
            .quietly();
        let got = common::cells(ran.text());
        let last = columns.len() - 1;
        assert_eq!(got[0][last], columns[last], "{kind}: {:?}", got[0]);
        assert_eq!(got.len() - 1, rows.len(), "{kind}");
        for (g, e) in got[1..].iter().zip(rows) {
            for (g, e) in g.iter().zip(e.as_array().unwrap()) {
                assert!(same(g, e), "{kind}: {g} is not {e}");
            }
        }
    }
}

/// The same text, or the same number to 1e-12 of its size.
fn same(got: &str, expected: &Value) -> bool {
    match expected {
        Value::String(s) => got == s,
        Value::Number(n) if n.is_f64() => {
            let (g, e) = (got.parse::<f64>().unwrap(), n.as_f64().unwrap());
            (g - e).abs() <= 1e-12 * e.abs()
        }
        other => {
            let text = other.to_string();
            got == text
        }
    }
}

#[test]
fn mean_delay_by_origin() {
    flights(
        &["--groupby", "Origin", "--mean", "DepDelay"],
        "mean_depdelay_by_origin",
    );
}

#[test]
fn count() {
    flights(&["--count"], "count");
}

#[test]
fn max_of_those_that_flew() {
    flights(
        &["--where", "Cancelled = 0", "--max", "DepDelay"],
        "max_depdelay_not_cancelled",
    );
}

#[test]
fn count_of_those_that_flew_by_origin() {
    let flags = ["--where", "Cancelled = 0", "--groupby", "Origin", "--count"];
    flights(&flags, "count_not_cancelled_by_origin");
}

#[test]
fn mean_delay_by_day_of_week() {
    let date = "Date = make_date(Year, Month, DayofMonth)";
    let flags = [
        "--with",
        date,
        "--groupby",
        "dayofweek(Date)",
        "--mean",
        "DepDelay",
    ];
    flights(&flags, "mean_depdelay_by_day_of_week");
}

#[test]
fn carriers_and_destinations() {
    let aggregates = ["--count", "--mean", "ArrDelay", "--std", "ArrDelay"];
    let flags = [
        &["--groupby", "UniqueCarrier,Dest"],
        &aggregates[..],
        &["--sort", "count:desc", "-n", "10"],
    ]
    .concat();
    flights(&flags, "arrdelay_by_carrier_and_dest");
}

/// The join that the README shows, to the letter.
#[test]
fn flights_by_the_names_of_their_airlines() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let args = "query testdata/nycflights/*.csv --join testdata/airlines.csv --on UniqueCarrier=carrier \
                --how left --groupby name --count --mean ArrDelay --sort count:desc -n 3";
    let ran = common::run(args.split_whitespace()).done().quietly();
    assert!(
        readme.contains(&format!("```text\n{}```", ran.text())),
        "{}",
        ran.text()
    );
}

/// The SQL that the README shows, to the letter.
#[test]
fn the_sql_of_the_readme() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let begin = readme.find("ddf sql \"").unwrap() + 9;
    let query = &readme[begin..begin + readme[begin..].find("\"\n").unwrap()];
    let ran = common::run(["sql", query]).done().quietly();
    assert!(
        readme.contains(&format!("```text\n{}```", ran.text())),
        "{}",
        ran.text()
    );
}
