//! SQL by topics: the records of `tests/sql/*.slt`, whose answers DuckDB gave (`tests/sql/make.py`),
//! run through the library under several settings that must not change an answer.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ddf::frame::Settings;
use ddf::sql::{Answer, Sql};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

const TABLES: [&str; 6] = ["emp", "dept", "sales", "nums", "trades", "quotes"];

struct Ddf(Settings);

impl DB for Ddf {
    type Error = ddf::Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, text: &str) -> Result<DBOutput<DefaultColumnType>, ddf::Error> {
        let mut sql = Sql::new(self.0.clone());
        for t in TABLES {
            sql = sql.with_table(t, &format!("tests/sql/data/{t}.csv"));
        }
        let mut out = DBOutput::StatementComplete(0);
        for s in sql.statements(text)? {
            let Answer::Rows(frame) = sql.plan(&s)? else {
                continue;
            };
            let result = frame.collect()?;
            let rows = result.batches.iter().flat_map(rows).collect();
            let types = vec![DefaultColumnType::Any; result.schema.fields().len()];
            out = DBOutput::Rows { types, rows };
        }
        Ok(out)
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let row = |i| batch.columns().iter().map(|c| cell(c.as_ref(), i)).collect();
    (0..batch.num_rows()).map(row).collect()
}

/// As `text` of make.py writes values.
fn cell(a: &dyn Array, i: usize) -> String {
    if a.is_null(i) || a.data_type() == &DataType::Null {
        return "NULL".into();
    }
    match a.data_type() {
        DataType::Utf8View => match a.as_string_view().value(i) {
            "" => "(empty)".into(),
            t => t.into(),
        },
        DataType::Float64 => float(a.as_primitive::<Float64Type>().value(i)),
        DataType::Decimal128(..) => number(&a.as_primitive::<Decimal128Type>().value_as_string(i)),
        DataType::Date32 => {
            let date = a.as_primitive::<Date32Type>().value_as_date(i).unwrap();
            date.to_string()
        }
        DataType::Timestamp(..) => {
            let t = a
                .as_primitive::<TimestampMicrosecondType>()
                .value_as_datetime(i)
                .unwrap();
            let t = t.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
            t.strip_suffix("T00:00:00").unwrap_or(&t).to_string()
        }
        _ => {
            let format = ArrayFormatter::try_new(a, &FormatOptions::default()).unwrap();
            format.value(i).to_string()
        }
    }
}

fn float(x: f64) -> String {
    let y: f64 = format!("{x:.11e}").parse().unwrap();
    match y {
        y if !y.is_finite() => y.to_string(),
        y if y != 0.0 && !(1e-4..1e16).contains(&y.abs()) => {
            let text = format!("{y:.11e}");
            let (m, e) = text.split_once('e').unwrap();
            format!("{}e{e}", number(m))
        }
        y => number(&format!("{y}")),
    }
}

fn number(t: &str) -> String {
    let t = match t.contains('.') {
        true => t.trim_end_matches('0').trim_end_matches('.'),
        false => t,
    };
    if matches!(t, "-0" | "") {
        "0".into()
    } else {
        t.into()
    }
}

/// Runs all files and names every record that fails.
fn all(settings: &Settings) {
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut files: Vec<PathBuf> = (std::fs::read_dir("tests/sql").unwrap())
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "slt"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    let (mut failed, mut count) = (Vec::new(), 0);
    for file in files {
        for record in sqllogictest::parse_file(&file).unwrap() {
            count += matches!(record, sqllogictest::Record::Query { .. }) as usize;
            let mut runner = Runner::new(|| async { Ok(Ddf(settings.clone())) });
            if let Err(e) = runner.run(record) {
                failed.push(e.display(false).to_string());
            }
        }
    }
    assert!(count > 500, "{count} records");
    let n = failed.len();
    assert!(
        failed.is_empty(),
        "{n} of {count} records failed:\n{}",
        failed.join("\n\n")
    );
}

#[test]
fn records_hold() {
    all(&Settings {
        threads: 2,
        ..Settings::default()
    });
}

#[test]
fn records_hold_without_optimizer_on_one_thread() {
    all(&Settings {
        threads: 1,
        optimize: false,
        ..Settings::default()
    });
}

/// The error of a statement over the tables of the records.
fn error(text: &str) -> ddf::Error {
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    match Ddf(Settings::default()).run(text) {
        Err(e) => e,
        Ok(DBOutput::Rows { rows, .. }) => panic!("{text}: {rows:?} instead of an error"),
        Ok(_) => panic!("{text}: no error"),
    }
}

#[test]
fn errors_name_the_place_and_what_was_meant() {
    for (text, what, marked, help) in [
        (
            "SELECT nme FROM emp",
            "no column \"nme\"",
            "nme",
            "did you mean name?",
        ),
        (
            "SELECT e.id\nFROM emp e\nWHERE e.salry > 1",
            "no column \"salry\"",
            "salry",
            "salary",
        ),
        (
            "SELECT x.id FROM emp e",
            "no table \"x\" in FROM",
            "x",
            "did you mean e?",
        ),
        (
            "SELECT id FROM epm",
            "no table \"epm\"",
            "epm",
            "did you mean emp?",
        ),
        (
            "SELECT id FROM emp WHERE name = \"Ada\"",
            "no column \"Ada\"",
            "\"Ada\"",
            "'Ada'",
        ),
        (
            "SELECT id FROM emp a, emp b",
            "could be several columns",
            "id",
            "a.id or b.id",
        ),
        (
            "SELECT name FROM emp GROUP BY dept",
            "neither a key",
            "name",
            "add it to GROUP BY",
        ),
        (
            "SELECT * EXCLUDE (nme) FROM emp",
            "no column \"nme\"",
            "nme",
            "did you mean name?",
        ),
        (
            "SELECT * FROM emp JOIN dept USING (dpt)",
            "no column \"dpt\"",
            "dpt",
            "did you mean dept?",
        ),
        (
            "SELECT * FROM read_csv('x', delm = ';')",
            "no option \"delm\"",
            "delm",
            "did you mean delim?",
        ),
        (
            "SELECT f.name + 1 FROM emp e JOIN emp f ON e.id = f.id",
            "\"name\" + 1",
            "name",
            "try_cast",
        ),
    ] {
        let e = error(text);
        assert!(e.what().contains(what), "{text}: {}", e.what());
        let (typed, range) = e.span_text().unwrap_or_else(|| panic!("{text}: no place"));
        assert_eq!(&typed[range], marked, "{text}");
        assert!(
            e.help_text().unwrap_or("").contains(help),
            "{text}: {:?}",
            e.help_text()
        );
    }
}

#[test]
fn what_is_not_supported_says_so() {
    for (text, what) in [
        (
            "SELECT rank() OVER (ORDER BY id) FROM emp",
            "window function rank",
        ),
        ("SELECT dept FROM emp GROUP BY ROLLUP (dept)", "ROLLUP"),
        ("SELECT DISTINCT ON (dept) id FROM emp", "DISTINCT ON"),
        ("SELECT id FROM emp QUALIFY id > 1", "QUALIFY"),
        ("SELECT id FROM emp TABLESAMPLE (10)", "TABLESAMPLE"),
        (
            "SELECT dept FROM emp INTERSECT ALL SELECT dept FROM dept",
            "INTERSECT ALL",
        ),
        ("WITH RECURSIVE t AS (SELECT 1) SELECT * FROM t", "RECURSIVE"),
        ("SELECT id FROM emp e, LATERAL (SELECT e.id) x", "LATERAL"),
        ("INSERT INTO emp VALUES (1)", "INSERT"),
        ("SELECT INTERVAL '1' DAY", "interval"),
        ("SELECT avg(id), sum(DISTINCT id) FROM emp", "DISTINCT"),
        ("SELECT first(id ORDER BY name) FROM emp", "ORDER BY"),
        ("SELECT id FROM emp e WHERE 1 < ANY (SELECT 1)", "= ANY"),
    ] {
        let e = error(text);
        assert!(e.what().contains(what), "{text}: {}", e.what());
    }
}

#[test]
fn a_value_of_two_rows_is_an_error() {
    for text in [
        "SELECT (SELECT id FROM emp)",
        "SELECT id FROM emp WHERE id = (SELECT dept FROM dept)",
        "SELECT title, (SELECT e.name FROM emp e WHERE e.dept = d.dept) FROM dept d",
    ] {
        assert!(error(text).what().contains("more than one row"), "{text}");
    }
}

#[test]
fn depth_and_length_are_errors_not_crashes() {
    let n = 20_000;
    for text in [
        format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("SELECT 1{}", " + 1".repeat(n)),
        format!("SELECT {}1", "- ".repeat(n)),
        format!("SELECT {}true", "NOT ".repeat(n)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(n)),
        format!("SELECT 1 FROM emp{}", " JOIN emp USING (id)".repeat(n)),
        format!("SELECT 1 FROM emp{}", ", emp".repeat(n)),
        format!("{}SELECT 1{}", "SELECT * FROM (".repeat(n), ")".repeat(n)),
        format!("SELECT 1 WHERE {}true", "false OR ".repeat(n)),
        format!("SELECT CASE {} END", "WHEN true THEN CASE ".repeat(n)),
    ] {
        error(&text);
    }
}

#[test]
fn records_hold_on_eight_threads() {
    all(&Settings {
        threads: 8,
        ..Settings::default()
    });
}
