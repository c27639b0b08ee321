//! Filters on ranks: rows that stand too far back go before they are sorted, and no answer tells.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use arrow::util::display::array_value_to_string;
use ddf::frame::Settings;
use ddf::{Frame, Sql};
use proptest::prelude::*;

/// Two keys, a number to order by, a text to order by.
type Row = (Option<u8>, u8, Option<u8>, u8);

const NUMBERS: &[&str] = &["0.0", "-0.0", "nan", "1.5", "-7.25", "1e300", "1e-300", "3"];
const TEXTS: &[&str] = &[
    "a",
    "",
    "a text of more than sixteen bytes",
    "a text of more than sixteen letters",
    "b",
];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::option::weighted(0.9, 0u8..6),
        0u8..5,
        prop::option::weighted(0.8, 0u8..8),
        0u8..5,
    );
    prop::collection::vec(row, 0..400)
}

fn csv(rows: &[Row]) -> String {
    let mut out = "n,p,q,x,t\n1000000,9,zz,0.5,last\n".to_string();
    for (i, (p, q, x, t)) in rows.iter().enumerate() {
        let p = p.map_or(String::new(), |p| p.to_string());
        let x = x.map_or("", |x| NUMBERS[x as usize]);
        let (q, t) = (TEXTS[*q as usize], TEXTS[*t as usize]);
        writeln!(out, "{i},{p},\"{q}\",{x},\"{t}\"").unwrap();
    }
    out
}

fn shown(frame: &Frame) -> Vec<String> {
    let rows = frame.collect().unwrap();
    let mut out = Vec::new();
    for batch in &rows.batches {
        for i in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|c| array_value_to_string(c, i).unwrap());
            out.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    out
}

/// Settings that must not change an answer; the first runs the plan as it is written.
fn settings() -> Vec<Settings> {
    let of = |threads, batch_rows, reserved| Settings {
        threads,
        batch_rows,
        reserved,
        ..Settings::default()
    };
    let mut written = of(1, usize::MAX, None);
    written.optimize = false;
    vec![
        written,
        of(1, usize::MAX, None),
        of(3, 7, None),
        of(2, 50, Some(20_000)),
    ]
}

const WINDOWS: &[&str] = &[
    "PARTITION BY p ORDER BY x DESC",
    "PARTITION BY p ORDER BY x NULLS FIRST, t",
    "PARTITION BY q, p ORDER BY t DESC NULLS FIRST",
    "PARTITION BY q ORDER BY x, n DESC",
    "PARTITION BY x ORDER BY p",
    "ORDER BY t, x",
    "PARTITION BY p, q, x, t",
    "PARTITION BY n ORDER BY x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn filters_on_ranks_change_no_answer(rows in rows(), window in 0..WINDOWS.len(), most in 0u64..4) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.csv");
        std::fs::write(&file, csv(&rows)).unwrap();
        let file = file.to_str().unwrap();
        let window = WINDOWS[window];
        for rank in ["row_number()", "rank()", "dense_rank()"] {
            let texts = [
                format!("SELECT n, x FROM t QUALIFY {rank} OVER ({window}) <= {most}"),
                format!("SELECT n, p, r FROM (SELECT *, {rank} OVER ({window}) r FROM t) WHERE r < {most} AND x > 0"),
                format!("SELECT n, lag(n) OVER w, rank() OVER w FROM t WINDOW w AS ({window}) QUALIFY {rank} OVER w = {most}"),
            ];
            for text in texts {
                let answer = |s: Settings| shown(&Sql::new(s).with_table("t", file).query(&text).unwrap());
                let mut answers = settings().into_iter().map(answer);
                let want = answers.next().unwrap();
                for got in answers {
                    prop_assert_eq!(&got, &want, "{}", text);
                }
            }
            let answer = |s: Settings| {
                let frame = Frame::read(file).unwrap().with_settings(s);
                let frame = frame.with(&format!("r = {rank} OVER ({window})")).unwrap();
                shown(&frame.filter(&format!("r <= {most} AND p IS NOT NULL")).unwrap())
            };
            let mut answers = settings().into_iter().map(answer);
            let want = answers.next().unwrap();
            for got in answers {
                prop_assert_eq!(&got, &want, "{} OVER ({}) <= {}", rank, window, most);
            }
        }
    }
}

/// The line of the optimised plan that has the window.
fn plan(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.csv");
    std::fs::write(&file, csv(&[])).unwrap();
    let sql = Sql::new(Settings::default()).with_table("t", file.to_str().unwrap());
    let text = sql.query(text).unwrap().explain().unwrap();
    let optimized = text.split("\noptimized").nth(1).unwrap();
    optimized
        .lines()
        .find(|l| l.contains("Window "))
        .unwrap()
        .to_string()
}

#[test]
fn what_looks_ahead_needs_all_rows() {
    let of = |calls: &str, bound: &str| {
        plan(&format!(
            "SELECT n{calls} FROM t WINDOW w AS (PARTITION BY p ORDER BY x) QUALIFY {bound}"
        ))
    };
    assert!(of("", "rank() OVER w <= 2").contains(" rank <= 2 "));
    assert!(of("", "3 > row_number() OVER w AND n > 1").contains(" row number <= 2 "));
    assert!(of("", "dense_rank() OVER w = 4").contains(" dense rank <= 4 "));
    assert!(of(", lag(n) OVER w", "rank() OVER w <= 2").contains(" rank <= 2 "));
    for (calls, bound) in [
        ("", "rank() OVER w >= 2"),
        ("", "rank() OVER w <= 2 OR n = 1"),
        ("", "percent_rank() OVER w <= 2"),
        (", lead(n) OVER w", "rank() OVER w <= 2"),
        (", sum(n) OVER w", "row_number() OVER w <= 2"),
        (", lag(CAST(t AS INT)) OVER w", "row_number() OVER w <= 2"),
    ] {
        assert!(!of(calls, bound).contains("<= 2 ["), "{calls} {bound}");
    }
}
