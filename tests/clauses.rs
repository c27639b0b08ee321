//! Clauses of SQL under settings that must not change an answer, against references in a few lines.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use common::{Folder, Random, run};
use ddf::frame::{Rows, Settings};
use ddf::source::ReadOptions;
use ddf::sql::{Answer, Sql};

/// Rows as CSV text.
fn text(rows: &Rows) -> Vec<String> {
    let show = |a: &dyn Array, i| match a.is_null(i) {
        true => "NULL".to_string(),
        false => arrow::util::display::array_value_to_string(a, i).unwrap(),
    };
    let batch = |b: &arrow::array::RecordBatch| -> Vec<String> {
        let row = |i| {
            b.columns()
                .iter()
                .map(|c| show(c.as_ref(), i))
                .collect::<Vec<_>>()
        };
        (0..b.num_rows()).map(|i| row(i).join(",")).collect()
    };
    rows.batches.iter().flat_map(batch).collect()
}

fn settings() -> Vec<(Settings, Option<u64>)> {
    let of = |threads, memory| Settings {
        threads,
        memory,
        ..Settings::default()
    };
    vec![
        (of(1, 0), None),
        (of(8, 0), Some(10_000)),
        (of(1, 24 << 20), Some(50_000)),
        (of(3, 48 << 20), None),
        (
            Settings {
                optimize: false,
                ..of(2, 0)
            },
            None,
        ),
    ]
}

fn sql((settings, blocksize): &(Settings, Option<u64>), file: &str) -> Sql {
    let options = ReadOptions {
        blocksize: *blocksize,
        ..ReadOptions::default()
    };
    Sql::new(settings.clone())
        .with_options(options)
        .with_table("t", file)
}

/// Groups, orders and texts, with nulls and ties.
struct Row {
    g: Option<u64>,
    y: Option<i64>,
    x: Option<String>,
}

fn rows(n: usize) -> Vec<Row> {
    let mut r = Random(7);
    let row = |_| Row {
        g: (r.below(50) > 0).then(|| r.next() % 3000),
        y: (r.below(9) > 0).then(|| r.below(40) as i64 - 20),
        x: (r.below(7) > 0).then(|| format!("{}é{}", r.below(1000), "x".repeat(r.below(200)))),
    };
    (0..n).map(row).collect()
}

fn write(folder: &Folder, rows: &[Row]) -> String {
    let cell = |v: Option<String>| v.unwrap_or_default();
    let line = |r: &Row| {
        let (g, y) = (r.g.map(|g| g.to_string()), r.y.map(|y| y.to_string()));
        format!("{},{},{}\n", cell(g), cell(y), cell(r.x.clone()))
    };
    let lines: String = rows.iter().map(line).collect();
    folder.file("t.csv", format!("g,y,x\n{lines}"))
}

#[test]
fn orders_within_aggregates_hold_whatever_the_memory() {
    let (folder, rows) = (Folder::new(), rows(90_000));
    let file = write(&folder, &rows);
    let mut groups: BTreeMap<(bool, Option<u64>), Vec<&Row>> = BTreeMap::new();
    for r in &rows {
        groups.entry((r.g.is_none(), r.g)).or_default().push(r);
    }
    let show = |v: Option<String>| v.unwrap_or("NULL".into());
    let mut want = Vec::new();
    for ((_, g), mut all) in groups {
        // descending, nulls last, ties as they came
        all.sort_by_key(|r| (r.y.is_none(), r.y.map(|y| -y)));
        let joined: Vec<String> = all.iter().filter_map(|r| r.x.clone()).collect();
        let joined = (!joined.is_empty()).then(|| joined.join("; "));
        let (first, last) = (all[0].x.clone(), all[all.len() - 1].x.clone());
        let most = all.iter().find(|r| r.y.is_some() && r.x.is_some());
        let most = most.and_then(|r| r.x.clone());
        let cells = [g.map(|g| g.to_string()), joined, first, last, most].map(show);
        want.push(cells.join(","));
    }
    let question = "SELECT g, string_agg(x, '; ' ORDER BY y DESC), first(x ORDER BY y DESC), last(x ORDER BY y DESC), \
                    arg_max(x, y) FROM t GROUP BY g ORDER BY g";
    for s in settings() {
        let got = sql(&s, &file).query(question).unwrap().collect().unwrap();
        assert!(text(&got) == want, "{s:?}");
        if s.0.memory == 24 << 20 {
            assert!(got.report.bytes_spilled > 0, "nothing was spilled");
        }
    }
}

#[test]
fn a_text_larger_than_the_memory_is_an_error() {
    let folder = Folder::new();
    let line = format!("{}\n", "y".repeat(1000));
    let file = folder.file("t.csv", format!("x\n{}", line.repeat(60_000)));
    let small = (
        Settings {
            threads: 1,
            memory: 32 << 20,
            ..Settings::default()
        },
        None,
    );
    let e = sql(&small, &file)
        .query("SELECT string_agg(x, ',') FROM t")
        .unwrap();
    let e = e.collect().unwrap_err();
    assert_eq!(e.exit_status(), 4, "{e}");
    let long = "SELECT length(string_agg(x, ',')) FROM t";
    let large = (Settings::default(), None);
    let got = sql(&large, &file).query(long).unwrap().collect().unwrap();
    assert_eq!(text(&got), [(60_000 * 1001 - 1).to_string()]);
}

#[test]
fn grouping_sets_hold_whatever_the_memory() {
    let (folder, rows) = (Folder::new(), rows(40_000));
    let file = write(&folder, &rows);
    // (keys that are there, g, y) with the rows, the sum of y and the distinct x
    type Seen = (usize, i64, std::collections::BTreeSet<String>);
    let mut want: BTreeMap<(u8, Option<u64>, Option<i64>), Seen> = BTreeMap::new();
    for r in &rows {
        for (mask, g, y) in [(0, r.g, r.y), (1, None, r.y), (2, r.g, None), (3, None, None)] {
            let seen = want.entry((mask, g, y)).or_default();
            seen.0 += 1;
            seen.1 += r.y.unwrap_or(0);
            seen.2.extend(r.x.clone());
        }
    }
    let want: Vec<String> = want
        .into_iter()
        .map(|((mask, g, y), (n, sum, x))| {
            let show = |v: Option<String>| v.unwrap_or("NULL".into());
            let (g, y) = (show(g.map(|g| g.to_string())), show(y.map(|y| y.to_string())));
            format!("{mask},{g},{y},{n},{sum},{}", x.len())
        })
        .collect();
    let mut sorted = want.clone();
    sorted.sort();
    for aggregate in ["count(DISTINCT x)", "nunique(x)"] {
        let question = format!(
            "SELECT grouping(y) * 2 + grouping(g) AS m, g, y, count(*), coalesce(sum(y), 0), {aggregate} \
             FROM t GROUP BY CUBE (g, y)"
        );
        for s in settings() {
            let got = sql(&s, &file).query(&question).unwrap().collect().unwrap();
            let mut got = text(&got);
            got.sort();
            assert!(got == sorted, "{s:?}");
        }
    }
}

/// A column of integers that turns out otherwise far down.
fn late(value: &str) -> String {
    let lines: String = (1..=200_010)
        .map(|i| match i {
            200_000 => format!("{i},{value}\n"),
            _ => format!("{i},1\n"),
        })
        .collect();
    format!("id,x\n{lines}")
}

#[test]
fn a_union_widens_with_its_columns() {
    let folder = Folder::new();
    let (word, half) = (
        folder.file("word.csv", late("word")),
        folder.file("half.csv", late("0.5")),
    );
    let plain = folder.file("plain.csv", "x\n7\n9007199254740993\n");
    let s = &settings()[1];
    let ask = |q: String| text(&sql(s, &plain).query(&q).unwrap().collect().unwrap());
    for (other, least, most) in [(&word, "1", "word"), (&half, "0.5", "9007199254740992.0")] {
        for (a, b) in [(&plain, other), (other, &plain)] {
            let all = format!("SELECT x FROM '{a}' UNION ALL SELECT x FROM '{b}'");
            let got = ask(format!("SELECT min(x), max(x), count(*) FROM ({all})"));
            assert_eq!(got, [format!("{least},{most},200012")], "{all}");
            let got = ask(format!(
                "SELECT count(*) FROM (SELECT x FROM '{a}' UNION SELECT x FROM '{b}')"
            ));
            assert_eq!(got, ["4"]);
        }
        let got = ask(format!(
            "SELECT x FROM '{other}' EXCEPT SELECT x FROM '{plain}' ORDER BY 1 LIMIT 1"
        ));
        assert_eq!(got, [if *least == *"1" { "1" } else { "0.5" }]);
    }
    // a filter above goes below, to values of either type
    let all = format!("SELECT id, x FROM '{word}' UNION ALL SELECT x, x FROM '{plain}'");
    let got = ask(format!(
        "SELECT id, x FROM ({all}) WHERE id IN (7, 200000) ORDER BY x, id"
    ));
    assert_eq!(got, ["7,1", "7,7", "200000,word"]);
    // what needs a number cannot go on, and says why
    let all = format!("SELECT sum(x) FROM (SELECT x FROM '{plain}' UNION ALL SELECT x FROM '{word}')");
    let e = sql(s, &plain).query(&all).unwrap().collect().unwrap_err();
    assert!(e.what().contains("sum of text"), "{e}");
    // frames go the same way
    let frame = |f: &str| ddf::Frame::read(f).unwrap();
    let both = frame(&plain).concat(frame(&word)).unwrap();
    let got = text(
        &both
            .agg(["max(x)", "max(id)", "count(*)"])
            .unwrap()
            .collect()
            .unwrap(),
    );
    assert_eq!(got, ["word,200010,200012"]);
}

#[test]
fn summaries_are_exact() {
    let s = (Settings::default(), None);
    let got = sql(&s, "tests/sql/data/emp.csv").query("SUMMARIZE t").unwrap();
    let got = got.collect().unwrap();
    let names: Vec<_> = got.schema.fields().iter().map(|f| f.name().as_str()).collect();
    let want = "column_name column_type min max nunique avg std q25 q50 q75 count null_percentage";
    assert_eq!(names, want.split(' ').collect::<Vec<_>>());
    let rows = text(&got);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[1], "name,text,Ada,ida,10,NULL,NULL,NULL,NULL,NULL,10,0.0");
    assert_eq!(
        rows[2],
        "dept,int64,10,40,4,21.25,11.259916264596033,10.0,20.0,30.0,10,20.0"
    );
    assert!(
        rows[4].starts_with("hired,date,2012-11-30,2022-09-09,8,NULL"),
        "{}",
        rows[4]
    );
    let got = sql(&s, "tests/sql/data/emp.csv")
        .query("SUMMARIZE SELECT salary > 4000 AS s, 1 AS one FROM t WHERE false");
    let got = text(&got.unwrap().collect().unwrap());
    assert_eq!(got[0], "s,bool,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,0,NULL");
    let quantiles = got[1].split(',').collect::<Vec<_>>();
    assert_eq!(quantiles[1], "int64");
}

#[test]
fn explain_analyze_runs_the_query_and_counts() {
    let ran = run([
        "sql",
        "EXPLAIN ANALYZE SELECT dept, count(*) FROM 'tests/sql/data/emp.csv' GROUP BY dept",
    ])
    .done();
    let out = ran.text();
    assert!(out.contains("stage 0: 1 task"), "{out}");
    assert!(
        out.contains("partial aggregate") && out.contains("10      →  5 "),
        "{out}"
    );
    assert!(out.contains("total: 5 rows"), "{out}");
    let failed = run([
        "sql",
        "EXPLAIN ANALYZE SELECT cast(name AS int) FROM 'tests/sql/data/emp.csv'",
    ]);
    failed.failed(1).says(&["Ada"]);
}

#[test]
fn views_are_known_to_later_statements() {
    let mut sql = Sql::new(Settings::default());
    let text = "CREATE VIEW v(a, b) AS SELECT id, name FROM 'tests/sql/data/emp.csv' WHERE dept = 10; \
                SELECT a FROM v WHERE b = 'Ben'; WITH v AS (SELECT 9 AS a) SELECT a FROM v; \
                SELECT x.a + y.a AS s FROM v x JOIN v y USING (b) ORDER BY s DESC LIMIT 1";
    let mut got = Vec::new();
    for s in sql.statements(text).unwrap() {
        match sql.plan(&s).unwrap() {
            Answer::View(v) => sql = sql.with_view(v),
            Answer::Rows(frame) => {
                let rows = frame.collect().unwrap();
                let column = rows.batches[0].column(0).as_primitive::<Int64Type>().clone();
                got.extend(column.values().iter().copied());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, [2, 9, 18]);
    let e = sql.query("SELECT nme FROM v").unwrap_err();
    assert!(e.what().contains("nme"), "{e}");
}

#[test]
fn a_recursion_that_grows_for_ever_is_an_error() {
    let text = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT t.n FROM t, (VALUES (1), (2)) v(x)) \
                SELECT count(*) FROM t";
    run(["sql", "--memory", "32MiB", text])
        .failed(4)
        .says(&["recursive query \"t\"", "--memory"]);
}

#[test]
fn a_small_left_side_of_a_semi_join_is_built_first() {
    let folder = Folder::new();
    let lines: String = (0..150_000).map(|i| format!("{},{}\n", i % 70_000, i)).collect();
    let large = folder.file("large.csv", format!("k,v\n{lines}"));
    let small = folder.file("small.csv", "k,w\n5,a\n69999,b\n70000,c\n,d\n5,e\n");
    for (kind, want) in [("EXISTS", "a,b,e"), ("NOT EXISTS", "c,d")] {
        let text = format!(
            "SELECT w FROM '{small}' s WHERE {kind} (SELECT 1 FROM '{large}' l WHERE l.k = s.k AND l.v > 3) ORDER BY w"
        );
        let plan = Sql::new(Settings::default()).query(&text).unwrap();
        assert!(
            plan.explain().unwrap().contains("met0"),
            "{}",
            plan.explain().unwrap()
        );
        let plain = Settings {
            optimize: false,
            ..Settings::default()
        };
        for settings in [Settings::default(), plain] {
            let rows = Sql::new(settings).query(&text).unwrap().collect().unwrap();
            assert_eq!(text_of(&rows), want);
        }
    }
}

fn text_of(rows: &Rows) -> String {
    text(rows).join(",")
}

/// Each aggregate that groups first, or keeps a wide state, against one in a few lines.
#[test]
fn modes_products_and_shapes_hold_whatever_the_memory() {
    let (folder, rows) = (Folder::new(), rows(90_000));
    let file = write(&folder, &rows);
    let mut groups: BTreeMap<(bool, Option<u64>), Vec<&Row>> = BTreeMap::new();
    for r in &rows {
        groups.entry((r.g.is_none(), r.g)).or_default().push(r);
    }
    let mode = |all: &[&Row]| {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        all.iter()
            .filter_map(|r| r.y)
            .for_each(|y| *counts.entry(y).or_default() += 1);
        // of several the least
        counts
            .into_iter()
            .max_by_key(|&(y, n)| (n, -y))
            .map(|(y, _)| y.to_string())
    };
    let distinct = |all: &[&Row]| {
        let values: std::collections::BTreeSet<i64> = all.iter().filter_map(|r| r.y).collect();
        (!values.is_empty()).then(|| values.iter().sum::<i64>().to_string())
    };
    let mut want = Vec::new();
    for ((_, g), all) in &groups {
        let cells = [
            g.map(|g| g.to_string()),
            mode(all),
            distinct(all),
            Some(all.len().to_string()),
        ];
        want.push(cells.map(|c| c.unwrap_or("NULL".into())).join(","));
    }
    let question = "SELECT g, mode(y), sum(DISTINCT y), count(*) FROM t GROUP BY g ORDER BY g";
    let shapes = "SELECT g, product(y + 30), skewness(y), kurtosis(y), mode(x), geomean(y + 30) FROM t GROUP BY g ORDER BY g";
    let mut first = None;
    for s in settings() {
        let got = sql(&s, &file).query(question).unwrap().collect().unwrap();
        assert!(text(&got) == want, "{s:?}");
        let got = text(&sql(&s, &file).query(shapes).unwrap().collect().unwrap());
        assert!(first.get_or_insert(got.clone()) == &got, "{s:?}");
    }
}

#[test]
fn frames_take_what_sql_takes_of_distinct_values() {
    let (folder, rows) = (Folder::new(), rows(5_000));
    let file = write(&folder, &rows);
    let aggs = [
        "s = sum(DISTINCT y)",
        "a = avg(DISTINCT y)",
        "m = mode(y)",
        "n = count()",
        "d = median(y)",
        "r = sum(DISTINCT y) - min(y)",
    ];
    let question = "SELECT g, sum(DISTINCT y) s, avg(DISTINCT y) a, mode(y) m, count(*) n, median(y) d, \
                    sum(DISTINCT y) - min(y) r FROM t GROUP BY g ORDER BY g";
    for s in settings() {
        let want = sql(&s, &file).query(question).unwrap().collect().unwrap();
        let frame = ddf::Frame::read(&file).unwrap();
        let got = frame
            .groupby(["g"])
            .unwrap()
            .agg(aggs)
            .unwrap()
            .collect()
            .unwrap();
        assert!(text(&got) == text(&want), "{s:?}");
    }
    let all = ddf::Frame::read(&file).unwrap();
    let all = all
        .groupby([] as [&str; 0])
        .unwrap()
        .agg(["sum(DISTINCT y)"])
        .unwrap();
    assert_eq!(text(&all.collect().unwrap()), ["-20"]);
}

#[test]
fn a_sample_is_the_same_whatever_the_settings() {
    let (folder, rows) = (Folder::new(), rows(60_000));
    let file = write(&folder, &rows);
    let ask = |s: &(Settings, Option<u64>), text_of: &str| {
        text(&sql(s, &file).query(text_of).unwrap().collect().unwrap())
    };
    let (mut first, mut filtered) = (None, None);
    for s in settings() {
        let some = ask(&s, "SELECT * FROM t TABLESAMPLE 10 PERCENT");
        assert!((5_000..7_000).contains(&some.len()), "{}", some.len());
        assert!(first.get_or_insert(some.clone()) == &some, "{s:?}");
        // a condition chooses among the sampled rows, not the rows that are sampled
        let few = ask(&s, "SELECT y FROM t TABLESAMPLE 10 PERCENT WHERE g < 100");
        let want = some.iter().filter(|r| {
            let g = r.split(',').next().unwrap();
            g.parse::<u64>().is_ok_and(|g| g < 100)
        });
        assert_eq!(few.len(), want.count(), "{s:?}");
        assert!(filtered.get_or_insert(few.clone()) == &few, "{s:?}");
    }
    let s = &settings()[0];
    let other = ask(
        s,
        "SELECT * FROM t TABLESAMPLE BERNOULLI (10 PERCENT) REPEATABLE (42)",
    );
    assert!(first != Some(other));
}

#[test]
fn a_long_series_takes_little_memory() {
    let question = "SELECT count(*), sum(i), max(i) FROM generate_series(1, 30000000) s(i) WHERE i % 3 = 0";
    let s = Settings {
        threads: 2,
        memory: 32 << 20,
        ..Settings::default()
    };
    let got = Sql::new(s).query(question).unwrap().collect().unwrap();
    assert_eq!(text(&got), ["10000000,150000015000000,30000000"]);
    let count = Sql::new(Settings::default()).query("SELECT count(*) FROM range(100000000)");
    assert_eq!(text(&count.unwrap().collect().unwrap()), ["100000000"]);
}
