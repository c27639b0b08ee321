//! What the optimiser and the graph make of joins: which side is built, which keys reach which scan, what
//! is computed once; and that none of it changes an answer.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use ddf::frame::Settings;
use ddf::{Frame, How, Sql};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

/// Rows of a table: a key, another, a day, a text (the third is a long one, the fourth is null).
type Rows = Vec<(Option<i64>, Option<i64>, Option<i32>, u8)>;

/// Writes a table as Parquet, in small row groups, and as CSV.
fn write(folder: &Path, name: &str, rows: &Rows) {
    let texts = rows.iter().map(|r| match r.3 {
        2 => Some("text 2, of more than twelve bytes".to_string()),
        4 => None,
        n => Some(format!("text {n}")),
    });
    let columns: Vec<(String, ArrayRef)> = vec![
        (
            "k",
            Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.0))) as ArrayRef,
        ),
        ("m", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.1)))),
        ("d", Arc::new(Date32Array::from_iter(rows.iter().map(|r| r.2)))),
        ("t", Arc::new(StringArray::from_iter(texts))),
    ]
    .into_iter()
    .map(|(column, array)| (format!("{name}_{column}"), array))
    .collect();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(40))
        .set_data_page_row_count_limit(10)
        .set_write_batch_size(5)
        .build();
    let file = File::create(folder.join(format!("{name}.parquet"))).unwrap();
    let mut w = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    w.write(&batch).unwrap();
    w.close().unwrap();
    let file = File::create(folder.join(format!("{name}.csv"))).unwrap();
    arrow_csv_of(&batch, file);
}

fn arrow_csv_of(batch: &RecordBatch, file: File) {
    let mut w = csv::Writer::from_writer(file);
    let fields = batch.schema();
    w.write_record(fields.fields().iter().map(|f| f.name())).unwrap();
    for i in 0..batch.num_rows() {
        let cell = |c: &ArrayRef| arrow::util::display::array_value_to_string(c, i).unwrap();
        w.write_record(batch.columns().iter().map(cell)).unwrap();
    }
    w.flush().unwrap();
}

fn sql(folder: &Path, extension: &str, settings: &Settings) -> Sql {
    let mut sql = Sql::new(settings.clone());
    for t in ["a", "b", "c"] {
        let path = folder.join(format!("{t}.{extension}"));
        sql = sql.with_table(t, path.to_str().unwrap());
    }
    sql
}

fn threads(threads: usize) -> Settings {
    Settings {
        threads,
        ..Settings::default()
    }
}

fn answer(sql: &Sql, query: &str) -> Vec<String> {
    let mut out = in_order(sql, query);
    out.sort();
    out
}

/// Joins of all kinds, on keys that come from scans, other joins, groups and unions.
const QUERIES: &[&str] = &[
    "SELECT a_k, b_m, c_t FROM a, b, c WHERE a_k = b_k AND b_m = c_m",
    "SELECT a_t, b_t FROM a JOIN b ON a_k = b_k AND a_d = b_d WHERE b_t = 'text 1'",
    "SELECT a_t, b_t, c_t FROM a JOIN b ON a_k = b_k LEFT JOIN c ON a_k = c_k WHERE b_m > 3",
    "SELECT a_k FROM a WHERE a_k IN (SELECT b_k FROM b WHERE b_m < 4) AND a_d NOT IN (SELECT c_d FROM c WHERE c_d IS NOT NULL)",
    "SELECT a_k, s FROM a JOIN b ON a_k = b_k LEFT JOIN (SELECT c_k, sum(c_m) s FROM c GROUP BY c_k) ON c_k = a_k WHERE b_t LIKE 'text 2%'",
    "SELECT a_k, (SELECT max(c_m) FROM c WHERE c_k = a_k) FROM a JOIN b ON a_k = b_k WHERE b_m = 2",
    "SELECT a_k FROM a JOIN b ON a_k = b_k WHERE NOT EXISTS (SELECT 1 FROM c WHERE c_k = a_k AND c_m <> b_m)",
    "SELECT u, b_t FROM (SELECT a_k u FROM a UNION ALL SELECT c_k FROM c) JOIN b ON u = b_k WHERE b_m > 5",
    "SELECT n, b_t FROM (SELECT a_d, count(*) n FROM a GROUP BY a_d) JOIN b ON a_d = b_d WHERE b_k < 3",
    "WITH t AS (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) SELECT x.a_k, y.s FROM t x JOIN t y ON x.s = y.s JOIN b ON b_k = x.a_k",
    "SELECT count(*) FROM a JOIN b ON a_k = b_k WHERE (a_m = 1 AND b_m > 2) OR (a_m = 2 AND b_t = 'text 0')",
    "SELECT a_k, a_t FROM a WHERE a_m IN (1, 5, 70) AND a_t LIKE '%1' AND a_d < DATE '1970-01-06'",
    "SELECT a_k, b_k FROM a JOIN b ON a_t = b_t WHERE b_m = 2",
    "SELECT a_k, a_t FROM a WHERE a_t IN (SELECT b_t FROM b WHERE b_k = 1) AND a_m > 1",
    "SELECT a_k, b_m, c_m FROM a JOIN b ON a_t = b_t AND a_k = b_k JOIN c ON a_t = c_t WHERE c_k = 3",
    "SELECT n, b_t FROM (SELECT a_t, count(*) n FROM a GROUP BY a_t) JOIN b ON a_t = b_t WHERE b_k < 3",
    "SELECT a_k FROM a JOIN (SELECT b_k FROM b ORDER BY b_k, b_m, b_d, b_t LIMIT 3) ON a_k = b_k",
];

fn table() -> impl Strategy<Value = Rows> {
    let key =
        || prop_oneof![1 => Just(None), 8 => (-3i64..12).prop_map(Some), 1 => any::<i64>().prop_map(Some)];
    let day = prop_oneof![1 => Just(None), 6 => (0i32..9).prop_map(Some)];
    prop::collection::vec((key(), prop::option::weighted(0.9, 0i64..9), day, 0u8..5), 0..130)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Parquet, whose scans take keys of joins, gives the rows that CSV does, which takes none, and those
    /// of the plan as it is written.
    #[test]
    fn keys_and_orders_change_no_answer(a in table(), b in table(), c in table()) {
        let folder = tempfile::tempdir().unwrap();
        for (name, rows) in [("a", &a), ("b", &b), ("c", &c)] {
            // a row of each kind, so that CSV has the types of Parquet
            let mut rows = rows.clone();
            rows.push((Some(1), Some(2), Some(3), 1));
            write(folder.path(), name, &rows);
        }
        let parquet = sql(folder.path(), "parquet", &threads(2));
        let csv = sql(folder.path(), "csv", &Settings::default());
        let mut written = threads(1);
        written.optimize = false;
        let written = sql(folder.path(), "parquet", &written);
        for query in QUERIES {
            let want = answer(&csv, query);
            prop_assert_eq!(&answer(&parquet, query), &want, "{}", query);
            prop_assert_eq!(&answer(&written, query), &want, "as written: {}", query);
        }
    }
}

/// Three tables of 1000, 100 and 10 rows whose keys meet.
fn three(folder: &Path) {
    for (name, rows) in [("a", 1000), ("b", 100), ("c", 10)] {
        let row = |i: i64| (Some(i % 100), Some(i % 10), Some(i as i32), (i % 4) as u8);
        write(folder, name, &(0..rows).map(row).collect());
    }
}

fn explained(folder: &Path, query: &str) -> String {
    sql(folder, "parquet", &Settings::default())
        .query(query)
        .unwrap()
        .explain()
        .unwrap()
}

fn scans(text: &str) -> Vec<char> {
    let plan = text
        .split("optimized")
        .nth(1)
        .unwrap()
        .split("stages")
        .next()
        .unwrap();
    let name = |l: &str| l.split(".parquet").next().and_then(|p| p.chars().last()).unwrap();
    plan.lines().filter(|l| l.contains("Scan ")).map(name).collect()
}

#[test]
fn the_larger_side_leads_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    for from in [
        "c JOIN b ON b_m = c_m JOIN a ON a_k = b_k",
        "c, b, a WHERE b_m = c_m AND a_k = b_k",
        "a, c, b WHERE b_m = c_m AND a_k = b_k",
    ] {
        let text = explained(folder.path(), &format!("SELECT count(*) FROM {from}"));
        assert_eq!(scans(&text), ['a', 'b', 'c'], "{text}");
    }
}

#[test]
fn by_flags_the_left_leads_unless_nobody_can_tell() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let read = |t: &str| Frame::read(folder.path().join(format!("{t}.parquet")).to_str().unwrap()).unwrap();
    let joined = || read("c").join(read("a"), ["c_k=a_k"], How::Inner).unwrap();
    assert_eq!(scans(&joined().explain().unwrap()), ['c', 'a']);
    let counted = joined().agg(["count()"]).unwrap();
    assert_eq!(scans(&counted.explain().unwrap()), ['a', 'c']);
    let first = joined().agg(["first(a_t)"]).unwrap();
    assert_eq!(scans(&first.explain().unwrap()), ['c', 'a']);
}

#[test]
fn keys_reach_scans_through_joins_and_groups() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let query = "SELECT a_t, n FROM a JOIN c ON a_k = c_k JOIN (SELECT b_k, count(*) n FROM b GROUP BY b_k) ON b_k = a_k";
    let text = explained(folder.path(), query);
    let keyed = |scan: &str| {
        let line = text
            .lines()
            .find(|l| l.contains("scan ") && l.contains(scan))
            .unwrap();
        line.contains("among the keys of stage")
    };
    assert!(keyed("a.parquet") && keyed("b.parquet"), "{text}");
    assert!(!keyed("c.parquet"), "{text}");
    // what a limit stands on keeps its rows
    let query = "SELECT a_t FROM (SELECT * FROM a LIMIT 5) JOIN c ON a_k = c_k";
    let text = explained(folder.path(), query);
    let mut scans = text
        .lines()
        .filter(|l| l.contains("scan ") && l.contains("a.parquet"));
    assert!(scans.all(|l| !l.contains("among the keys")), "{text}");
}

#[test]
fn a_query_that_is_used_twice_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let query = "WITH t AS (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) SELECT a_k FROM t WHERE s = (SELECT max(s) FROM t)";
    let text = explained(folder.path(), query);
    let stages = text.split("\nstages").nth(1).unwrap();
    assert_eq!(stages.matches("scan ").count(), 1, "{text}");
    // other rows: nothing is shared
    let query =
        "SELECT * FROM (SELECT max(a_k) x FROM a WHERE a_m > 1), (SELECT max(a_k) y FROM a WHERE a_m > 2)";
    let text = explained(folder.path(), query);
    let stages = text.split("\nstages").nth(1).unwrap();
    assert_eq!(stages.matches("scan ").count(), 2, "{text}");
}

/// Two joins in a row that do not fit, of which the first leaves columns that nobody reads behind.
#[test]
fn joins_in_a_row_spill_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: i64| {
        (
            Some(i * 7919 % 400_000),
            Some(i % 1000),
            Some(i as i32),
            (i % 4) as u8,
        )
    };
    for (name, rows) in [("a", 200_000), ("b", 400_000), ("c", 400_000)] {
        write(folder.path(), name, &(0..rows).map(row).collect());
    }
    let query = "SELECT count(*), sum(a_d - DATE '1970-01-01') FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b_k = a_k AND b_m <> a_m + 1) AND NOT EXISTS (SELECT 1 FROM c WHERE c_k = a_k AND c_d > a_d)";
    let small = Settings {
        memory: 24 << 20,
        threads: 2,
        ..Settings::default()
    };
    let want = answer(&sql(folder.path(), "parquet", &threads(2)), query);
    assert_eq!(answer(&sql(folder.path(), "parquet", &small), query), want);
}

/// Rows as they come.
fn in_order(sql: &Sql, query: &str) -> Vec<String> {
    let rows = sql.query(query).unwrap().collect().unwrap();
    let mut out = Vec::new();
    for batch in &rows.batches {
        for i in 0..batch.num_rows() {
            let cell = |c: &ArrayRef| arrow::util::display::array_value_to_string(c, i).unwrap();
            out.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    out
}

/// Sorts below others, below groups, sets, joins and windows; rows that nobody sees.
const SORTS: &[&str] = &[
    "SELECT DISTINCT s FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k)",
    "SELECT a_k, sum(a_m) s FROM a GROUP BY a_k UNION SELECT b_k, sum(b_m) FROM b GROUP BY b_k",
    "SELECT a_k, sum(a_m) s FROM a GROUP BY a_k UNION ALL SELECT b_k, sum(b_m) FROM b GROUP BY b_k",
    "SELECT * FROM (SELECT a_k, a_t, sum(a_m) s FROM a GROUP BY a_k, a_t) ORDER BY s",
    "SELECT * FROM (SELECT a_k, a_t, sum(a_m) s FROM a GROUP BY a_k, a_t) ORDER BY s DESC LIMIT 7",
    "SELECT s FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) ORDER BY s DESC NULLS FIRST",
    "SELECT n, a_t FROM (SELECT a_k, a_t, count(*) n FROM a GROUP BY a_k, a_t HAVING count(*) > 1) WHERE n < 9 ORDER BY a_t",
    "SELECT n + 1 AS n FROM (SELECT a_k, count(*) n FROM a GROUP BY a_k) ORDER BY n, a_k DESC",
    "SELECT x.a_k, x.s, b_t FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) x LEFT JOIN b ON x.a_k = b_k ORDER BY x.a_k",
    "SELECT x.a_k, x.s, b_t FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) x LEFT JOIN b ON x.a_k = b_k ORDER BY x.s",
    "SELECT a_m, g.s FROM a LEFT JOIN (SELECT b_k, sum(b_m) s FROM b GROUP BY b_k) g ON a_k = g.b_k",
    "SELECT a_m, g.b_k FROM a LEFT JOIN (SELECT b_k, sum(b_m) s FROM b GROUP BY b_k) g ON a_m = g.s",
    "SELECT s, sum(n) FROM (SELECT a_k, sum(a_m) s, count(*) n FROM a GROUP BY a_k) GROUP BY s",
    "SELECT s, first(a_k) f FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k ORDER BY a_k DESC) GROUP BY s",
    "SELECT a_k, s, row_number() OVER (ORDER BY s) r FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k)",
    "SELECT a_k, s, rank() OVER (ORDER BY s) r FROM (SELECT a_k, sum(a_m) s FROM a GROUP BY a_k) ORDER BY r",
    "SELECT count(*) FROM (SELECT a_k, row_number() OVER (ORDER BY a_t) FROM a)",
    "SELECT a_k FROM (SELECT a_k, row_number() OVER (ORDER BY a_t, a_m) FROM a) LIMIT 5",
    "SELECT a_k FROM a WHERE a_k = 1 AND FALSE UNION ALL SELECT b_k FROM b ORDER BY 1",
    "SELECT a_m, x.b_t FROM a LEFT JOIN (SELECT * FROM b LIMIT 0) x ON a_k = x.b_k",
    "SELECT a_m FROM a WHERE a_k NOT IN (SELECT b_k FROM b LIMIT 0)",
    "SELECT count(*), sum(a_m) FROM (SELECT * FROM a LIMIT 0)",
    "SELECT a_t, count(*) FROM a WHERE NULL GROUP BY ROLLUP (a_t)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// The same rows in the same order, with the rules and without.
    #[test]
    fn sorts_that_nobody_sees_change_no_byte(a in table(), b in table()) {
        let folder = tempfile::tempdir().unwrap();
        for (name, rows) in [("a", &a), ("b", &b), ("c", &Vec::new())] {
            let mut rows = rows.clone();
            rows.push((Some(1), Some(2), Some(3), 1));
            write(folder.path(), name, &rows);
        }
        let written = Settings { optimize: false, ..threads(1) };
        let written = sql(folder.path(), "csv", &written);
        for settings in [threads(1), threads(3)] {
            let optimized = sql(folder.path(), "csv", &settings);
            for query in SORTS {
                prop_assert_eq!(in_order(&optimized, query), in_order(&written, query), "{}", query);
            }
        }
    }
}

#[test]
fn what_nobody_sees_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let sql = sql(folder.path(), "csv", &Settings::default());
    for query in [
        "SELECT * FROM a WHERE FALSE",
        "SELECT a_t, count(*) n FROM a JOIN b ON a_k = b_k GROUP BY a_t LIMIT 0",
        "SELECT a_k FROM a JOIN b ON a_k = b_k WHERE b_k > 3 AND FALSE",
        "SELECT a_k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b_k = a_k AND FALSE)",
        "SELECT count(*) FROM (SELECT * FROM a LIMIT 0)",
    ] {
        let rows = sql.query(query).unwrap().collect().unwrap();
        assert_eq!(rows.report.bytes_read, 0, "{query}");
    }
}

#[test]
fn a_recursion_ends_with_its_last_row_that_is_wanted() {
    let sql = Sql::new(Settings::default());
    // it goes on for ever
    let endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)";
    let answer = |text: &str| in_order(&sql, &format!("{endless} {text}"));
    assert_eq!(answer("SELECT n FROM t LIMIT 5"), ["1", "2", "3", "4", "5"]);
    assert_eq!(
        answer("SELECT n * 2 FROM t WHERE n % 2 = 0 LIMIT 2 OFFSET 1"),
        ["8", "12"]
    );
    assert_eq!(
        answer("SELECT count(*) FROM (SELECT * FROM t LIMIT 100)"),
        ["100"]
    );
    assert_eq!(answer("SELECT n FROM t LIMIT 0"), [""; 0]);
    assert_eq!(answer("SELECT n FROM t WHERE FALSE"), [""; 0]);
    // both uses see the same rows
    let twice =
        "SELECT a.n, b.n FROM (SELECT n FROM t LIMIT 3) a JOIN (SELECT n FROM t LIMIT 4) b ON a.n + 2 = b.n";
    assert_eq!(answer(twice), ["1|3", "2|4"]);
    // a step that fails is the query's error, if it is reached
    let failing = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT 6 // (n - 1) FROM t) SELECT n FROM t";
    assert_eq!(in_order(&sql, &format!("{failing} LIMIT 1")), ["1"]);
    let failed = sql.query(&format!("{failing} LIMIT 2")).unwrap().collect();
    assert!(failed.unwrap_err().to_string().contains("zero"));
}

/// Facts with two keys of the same dimension, whose rows agree in texts of few values: as TPC-DS asks in query 85.
#[test]
fn few_different_texts_join_last() {
    let folder = tempfile::tempdir().unwrap();
    let statuses = ["S", "M", "D", "W", "U"];
    let degrees = [
        "Primary",
        "Secondary",
        "College",
        "2 yr",
        "4 yr",
        "Advanced",
        "Unknown",
    ];
    let mut people = String::from("k,status,degree\n");
    for i in 0..20_000 {
        people += &format!("{i},{},{}\n", statuses[i % 5], degrees[i / 5 % 7]);
    }
    let mut facts = String::from("who,whom,v\n");
    for i in 0..2000 {
        facts += &format!("{},{},{i}\n", i * 7919 % 20_000, i * 104_729 % 20_000);
    }
    std::fs::write(folder.path().join("people.csv"), people).unwrap();
    std::fs::write(folder.path().join("facts.csv"), facts).unwrap();
    let table = |t: &str| folder.path().join(t).to_str().unwrap().to_string();
    let sql = Sql::new(Settings::default())
        .with_table("people", &table("people.csv"))
        .with_table("facts", &table("facts.csv"));
    let query = "SELECT count(*) FROM people p, people q, facts WHERE p.status = q.status AND p.degree = q.degree \
                 AND who = p.k AND whom = q.k";
    let text = sql.query(query).unwrap().explain().unwrap();
    let optimized = text.split("optimized").nth(1).unwrap();
    // people never meet people by these texts alone
    let mut joins = optimized.lines().filter(|l| l.contains("Join "));
    assert!(joins.all(|l| l.contains("who")), "{text}");
}
