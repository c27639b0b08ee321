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

#[test]
fn records_hold_where_everything_spills() {
    all(&Settings {
        threads: 2,
        reserved: Some(0),
        ..Settings::default()
    });
}

#[test]
fn records_hold_in_batches_of_one_row() {
    all(&Settings {
        threads: 2,
        batch_rows: 1,
        ..Settings::default()
    });
}

#[test]
fn records_hold_in_batches_of_seven_rows_on_eight_threads() {
    all(&Settings {
        threads: 8,
        batch_rows: 7,
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
            "SELECT uper(name) FROM emp",
            "no function \"uper\"",
            "uper",
            "did you mean upper?",
        ),
        (
            "SELECT strin_agg(name, ',') FROM emp",
            "no function \"strin_agg\"",
            "strin_agg",
            "did you mean string_agg?",
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
            "SELECT id FROM emp WHERE sum(id) > 3",
            "an aggregate in WHERE",
            "sum(id) > 3",
            "HAVING",
        ),
        (
            "SELECT id FORM emp",
            "unexpected emp",
            "emp",
            "did you mean FROM in place of FORM?",
        ),
        (
            "SELCT id FROM emp",
            "SELCT where a statement",
            "SELCT",
            "did you mean SELECT",
        ),
        (
            "SELECT id FROM emp WERE id = 1",
            "unexpected id",
            "id",
            "did you mean WHERE",
        ),
        (
            "SELECT (1 + 2 FROM emp",
            "FROM where ) is needed",
            "FROM",
            "quotes",
        ),
        ("SELECT 1 + 2) FROM emp", "unexpected )", ")", "there is no ("),
        (
            "SELECT id FROM tests/sql/data/emp.csv",
            "unexpected /",
            "/",
            "in single quotes",
        ),
        ("SELECT id FROM emp WHERE name = 'Ada", "Unterminated", "'Ada", ""),
        ("SELECT id FROM emp ORDER BY 5", "the list has 1 column", "5", ""),
        ("SELECT id FROM emp GROUP BY 7", "the list has 1 column", "7", ""),
        (
            "SELECT id FROM emp LIMIT -1",
            "no number of rows",
            "1",
            "not negative",
        ),
        (
            "SELECT id FROM emp WHERE id = 'abc'",
            "'abc' is no int64",
            "id = 'abc'",
            "cast(x AS text)",
        ),
        (
            "SELECT id, hired + hired FROM emp",
            "no date + date",
            "hired + hired",
            "date_diff",
        ),
        (
            "SELECT id FROM emp WHERE hired > 2015",
            "cannot compare",
            "hired > 2015",
            "",
        ),
        (
            "SELECT sum(name) FROM emp",
            "needs a number",
            "sum(name)",
            "cast(",
        ),
        (
            "SELECT id, round('x') FROM emp",
            "not a number",
            "round('x')",
            "round(x[, digits])",
        ),
        (
            "SELECT * FROM emp JOIN dept",
            "JOIN without ON",
            "dept",
            "ON a.id = b.id",
        ),
        (
            "SELECT id FROM emp UNION SELECT id, name FROM emp",
            "has 1 columns, this one 2",
            "SELECT id, name FROM emp",
            "by their place",
        ),
        (
            "SELECT id FROM emp WHERE id IN (SELECT id, name FROM emp)",
            "has 2 columns",
            "SELECT id, name FROM emp",
            "must have one",
        ),
        (
            "SELECT id FROM emp WHERE EXISTS (SELECT 1 FROM sales s WHERE s.emp = emp.idd)",
            "no column \"idd\"",
            "idd",
            "did you mean id?",
        ),
        (
            "SELECT to_date(name) FROM emp",
            "no function \"to_date\"",
            "to_date",
            "cast(x AS date)",
        ),
        (
            "SELECT rank() OVER w FROM emp",
            "no window \"w\"",
            "w",
            "WINDOW w AS",
        ),
        (
            "SELECT f.name + 1 FROM emp e JOIN emp f ON e.id = f.id",
            "\"name\" + 1",
            "name",
            "cast(",
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
            "SELECT median(DISTINCT id) OVER (ORDER BY id) FROM emp",
            "median(DISTINCT",
        ),
        ("SELECT grouping(dept) FROM emp", "GROUPING"),
        (
            "SELECT grouping(boss) FROM emp GROUP BY ROLLUP (dept)",
            "GROUPING of",
        ),
        ("SELECT id FROM emp QUALIFY id > 1", "QUALIFY"),
        ("SELECT id FROM emp TABLESAMPLE (10)", "TABLESAMPLE"),
        (
            "WITH RECURSIVE t AS (SELECT * FROM t) SELECT * FROM t",
            "names itself",
        ),
        ("INSERT INTO emp VALUES (1)", "INSERT"),
        ("SELECT string_agg(name, name) FROM emp", "separator"),
        ("SELECT id FROM emp WHERE (id, dept) = 3", "a row of 2 values"),
        (
            "SELECT id FROM emp WHERE (id, dept) IN ((1, 2, 3))",
            "compared with one of 3",
        ),
        (
            "SELECT id FROM emp WHERE (id, dept) IN (SELECT 1)",
            "of 1 columns",
        ),
        ("SELECT (id, dept) FROM emp", "a row of values"),
        ("SELECT id FROM emp WHERE hired = '2015-02-30'", "is no date"),
        ("SELECT id FROM emp WHERE id = '7.5'", "is no int64"),
        ("SELECT id FROM emp WHERE id IN ('7', 'x')", "'x' is no int64"),
        (
            "SELECT coalesce(dept, 'x') FROM emp",
            "'x' is no int64, as the other values of coalesce are",
        ),
        (
            "SELECT id FROM emp e JOIN dept d ON e.dept IN (dept, 1)",
            "could be several columns",
        ),
        ("SELECT 7 FROM emp WHERE id IN (e.id)", "no table \"e\""),
        ("SELECT id FROM emp INTERSECT BY NAME SELECT 1 AS id", "BY NAME"),
        ("SELECT upper(name ORDER BY id) FROM emp", "no aggregate"),
        ("SELECT id FROM emp e WHERE 1 < ANY (1)", "ANY"),
        ("SELECT id FROM emp TABLESAMPLE 10 ROWS", "so many rows"),
        ("SELECT id FROM emp TABLESAMPLE 110 PERCENT", "between 0 and 100"),
        ("SELECT id FROM emp TABLESAMPLE SYSTEM (10 PERCENT)", "SYSTEM"),
        ("SELECT -id ^ 2 FROM emp", "a minus before a power"),
        ("SELECT 2 ^ 3 ** 2", "a power of a power"),
        ("SELECT 1 | 2 & 3", "& | << >>"),
        ("SELECT 1 << 63", "does not fit"),
        ("SELECT 1 << 64", "0 to 63"),
        ("SELECT id ^@ 2 FROM emp", "^@"),
        ("SELECT * FROM range(1, 5, 0)", "step of 0"),
        ("SELECT * FROM range('a')", "wrong arguments"),
        ("SELECT * FROM rang(3)", "rang"),
        (
            "SELECT * FROM generate_series(DATE '2024-01-31', DATE '2024-06-01', INTERVAL 1 MONTH)",
            "end of a month",
        ),
        (
            "PIVOT emp ON dept, boss IN (1) USING sum(id)",
            "several expressions with IN",
        ),
        ("PIVOT emp ON dept USING upper(name)", "not an aggregate"),
        ("UNPIVOT emp ON name, id", "UNPIVOT of columns"),
        ("UNPIVOT emp ON id INTO n", "INTO of UNPIVOT"),
    ] {
        let e = error(text);
        assert!(e.what().contains(what), "{text}: {}", e.what());
    }
}

#[test]
fn columns_of_windows_are_called_as_they_were_typed() {
    let text = "SELECT sum(id) OVER (ORDER BY (id) ROWS 1 PRECEDING EXCLUDE TIES) + 1, count(*) OVER (w ROWS 2 PRECEDING EXCLUDE GROUP) FROM 'tests/sql/data/emp.csv' WINDOW w AS (ORDER BY id)";
    let schema = Sql::new(Settings::default())
        .query(text)
        .unwrap()
        .schema()
        .unwrap();
    let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let want = [
        "sum(id) OVER (ORDER BY (id) ROWS 1 PRECEDING EXCLUDE TIES) + 1",
        "count(*) OVER (w ROWS 2 PRECEDING EXCLUDE GROUP)",
    ];
    assert_eq!(names, want);
}

#[test]
fn windows_are_the_same_in_little_memory() {
    // six columns of 26 000 flights, whole partitions larger than what is left of the limit
    let text = "SELECT FlightNum, TailNum, Dest, row_number() OVER w AS r, sum(DepDelay) OVER w AS s,
            avg(ArrDelay) OVER (PARTITION BY Origin) AS a, ntile(5) OVER (ORDER BY DepDelay, FlightNum) AS n,
            lag(TailNum, 2, '?') OVER w AS l, last_value(Dest) OVER (PARTITION BY Origin ORDER BY DepTime, FlightNum
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS e
        FROM 'testdata/nycflights/*.csv' WINDOW w AS (PARTITION BY Origin ORDER BY DepDelay DESC)";
    let answer = |memory: usize, threads: usize, optimize: bool| {
        let settings = Settings {
            memory,
            threads,
            optimize,
            ..Settings::default()
        };
        let rows = Sql::new(settings).query(text).unwrap().collect().unwrap();
        let all = rows.batches.iter().flat_map(self::rows);
        all.collect::<Vec<_>>()
    };
    let want = answer(1 << 30, 1, true);
    assert!(want.len() > 10_000, "{}", want.len());
    for (memory, threads, optimize) in [(1 << 30, 3, true), (24 << 20, 1, true), (24 << 20, 8, false)] {
        assert!(answer(memory, threads, optimize) == want, "{memory} {threads}");
    }
}

#[test]
fn window_functions_say_what_is_wrong() {
    let over = |rest: &str| format!("SELECT {rest} FROM emp");
    for (text, what, help) in [
        (
            "SELECT id FROM emp WHERE rank() OVER (ORDER BY id) = 1".into(),
            "rank in WHERE",
            "QUALIFY",
        ),
        (
            "SELECT count(*) FROM emp GROUP BY rank() OVER (ORDER BY id)".into(),
            "rank in GROUP BY",
            "subquery",
        ),
        (
            "SELECT dept FROM emp GROUP BY dept HAVING sum(dept) OVER () > 1".into(),
            "sum in HAVING",
            "QUALIFY",
        ),
        (
            "SELECT id FROM emp JOIN dept ON rank() OVER (ORDER BY id) = 1".into(),
            "cannot stand here",
            "",
        ),
        (
            over("sum(rank() OVER (ORDER BY id))"),
            "cannot stand here",
            "SELECT, ORDER BY and QUALIFY",
        ),
        (
            over("rank() OVER (ORDER BY rank() OVER (ORDER BY id))"),
            "inside a window function",
            "subquery",
        ),
        (
            over("rnk() OVER (ORDER BY id)"),
            "no window function \"rnk\"",
            "did you mean rank?",
        ),
        (
            over("upper(name) OVER (ORDER BY id)"),
            "no window function \"upper\"",
            "all aggregates",
        ),
        (over("rank()"), "needs a window", "OVER (PARTITION BY"),
        (over("rank() OVER w"), "no window \"w\"", "WINDOW w AS"),
        (
            "SELECT rank() OVER wn FROM emp WINDOW win AS (ORDER BY id)".into(),
            "no window \"wn\"",
            "did you mean win?",
        ),
        (
            "SELECT rank() OVER (w ORDER BY id) FROM emp WINDOW w AS (ORDER BY id)".into(),
            "has an ORDER BY already",
            "",
        ),
        (
            "SELECT rank() OVER (w PARTITION BY id) FROM emp WINDOW w AS (ORDER BY id)".into(),
            "cannot be added",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)"),
            "cannot end before it",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW)"),
            "cannot start with",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id ROWS -1 PRECEDING)"),
            "negative offset",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id ROWS dept PRECEDING)"),
            "must be constant",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id ROWS 1.5 PRECEDING)"),
            "whole number",
            "",
        ),
        (
            over("sum(id) OVER (ORDER BY id, dept RANGE 1 PRECEDING)"),
            "exactly one key",
            "",
        ),
        (over("sum(id) OVER (RANGE 1 PRECEDING)"), "exactly one key", ""),
        (over("sum(id) OVER (GROUPS 1 PRECEDING)"), "needs ORDER BY", ""),
        (over("sum(id) OVER (ORDER BY name RANGE 1 PRECEDING)"), "text", ""),
        (
            over("sum(id) OVER (ORDER BY hired RANGE '1' PRECEDING)"),
            "no interval",
            "",
        ),
        (over("sum(name) OVER ()"), "sum needs a number", "cast("),
        (over("ntile(0) OVER (ORDER BY id)"), "from 1 on", ""),
        (over("ntile(id) OVER (ORDER BY id)"), "constant whole number", ""),
        (
            over("lag() OVER (ORDER BY id)"),
            "wrong arguments of lag",
            "lag(x, 1, default)",
        ),
        (
            over("lag(name, 1, 5) OVER (ORDER BY id)"),
            "with a default of int64",
            "",
        ),
        (
            over("rank(id) OVER (ORDER BY id)"),
            "wrong arguments of rank",
            "rank()",
        ),
        (
            over("rank() FILTER (WHERE true) OVER (ORDER BY id)"),
            "no *, DISTINCT or FILTER",
            "",
        ),
        ("SELECT id FROM emp QUALIFY id > 1".into(), "QUALIFY", "WHERE"),
    ] {
        let e = error(&text);
        assert!(e.what().contains(what), "{text}: {}", e.what());
        assert!(
            e.help_text().unwrap_or("").contains(help),
            "{text}: {:?}",
            e.help_text()
        );
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
    let n = 60_000;
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
