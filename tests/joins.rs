//! Joins against a plain reference, and the same bytes whatever the memory, threads and blocks.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::array_value_to_string;
use common::{Folder, Random};
use ddf::expr::JoinKind;
use ddf::graph::{self, Graph};
use ddf::plan::LogicalPlan;
use ddf::schedule::{self, ResultSink, Scheduler};
use ddf::source::ReadOptions;
use ddf::{Frame, How, Settings};

/// A row of either table: a key that may be null, a text that may be empty, a number.
#[derive(Debug, Clone)]
struct Row {
    k: Option<i64>,
    t: Option<String>,
    v: i64,
}

fn rows(r: &mut Random, n: usize, keys: usize, heavy: usize) -> Vec<Row> {
    let row = |i: usize, r: &mut Random| Row {
        k: match r.below(100) {
            x if x < heavy => Some(3),
            x if x >= 95 => None,
            _ => Some(r.below(keys) as i64 - 2),
        },
        t: match r.below(12) {
            0 => None,
            x if x < 4 => Some(format!("a rather long text {}", r.below(5))),
            _ => Some(format!("t{}", r.below(keys / 3 + 1))),
        },
        v: i as i64,
    };
    (0..n).map(|i| row(i, r)).collect()
}

fn csv(rows: &[Row], value: &str, key: fn(i64) -> String) -> String {
    let mut out = format!("k,t,{value}\n");
    for row in rows {
        let k = row.k.map_or(String::new(), key);
        out += &format!("{k},{},{}\n", row.t.as_deref().unwrap_or(""), row.v);
    }
    out
}

fn whole(k: i64) -> String {
    k.to_string()
}

fn float(k: i64) -> String {
    format!("{k}.0")
}

/// The numbers of the rows of both sides that belong together, in order.
fn pairs(how: How, same: &dyn Fn(&Row, &Row) -> bool, l: &[Row], r: &[Row]) -> Vec<[Option<i64>; 2]> {
    let matches = |a: &Row, b: &Row| how == How::Cross || same(a, b);
    let mut out = Vec::new();
    if how == How::Right {
        let turned = pairs(How::Left, &|a, b| same(b, a), r, l);
        return turned.into_iter().map(|[a, b]| [b, a]).collect();
    }
    for a in l {
        let found: Vec<&Row> = r.iter().filter(|b| matches(a, b)).collect();
        match how {
            How::Semi if !found.is_empty() => out.push([Some(a.v), None]),
            How::Anti | How::Left | How::Full if found.is_empty() => out.push([Some(a.v), None]),
            How::Semi | How::Anti => {}
            _ => out.extend(found.iter().map(|b| [Some(a.v), Some(b.v)])),
        }
    }
    if how == How::Full {
        let alone = r.iter().filter(|b| !l.iter().any(|a| matches(a, b)));
        out.extend(alone.map(|b| [None, Some(b.v)]));
    }
    out
}

fn number(column: &ArrayRef, row: usize) -> Option<i64> {
    array_value_to_string(column, row).unwrap().parse().ok()
}

/// The columns `lv` and `rv` of a result.
fn values(batches: &[RecordBatch]) -> Vec<[Option<i64>; 2]> {
    let mut out = Vec::new();
    for b in batches {
        let (l, r) = (b.column_by_name("lv"), b.column_by_name("rv"));
        out.extend((0..b.num_rows()).map(|i| [l, r].map(|c| c.and_then(|c| number(c, i)))));
    }
    out
}

/// The same by place: the third column, and the sixth where there is one.
fn numbers(batches: &[RecordBatch], kind: JoinKind) -> Vec<[Option<i64>; 2]> {
    let mut out = Vec::new();
    for b in batches {
        let right = |i: usize| kind.yields_right().then(|| number(b.column(5), i)).flatten();
        out.extend((0..b.num_rows()).map(|i| [number(b.column(2), i), right(i)]));
    }
    out
}

/// Runs a graph within a limit that the frame itself would refuse as too small; answers the rows and
/// the bytes spilled.
fn run(graph: &Graph, s: &Settings) -> (Vec<RecordBatch>, u64) {
    let (cx, mut result) = (s.context(), ResultSink::Collect(Vec::new()));
    schedule::run(graph, Scheduler::Threads, &cx, &mut result).unwrap();
    let ResultSink::Collect(batches) = result else {
        panic!("rows elsewhere")
    };
    assert_eq!(cx.budget.used(), 0);
    let (names, spilled) = (graph.schema(), cx.progress.bytes_spilled.load(Relaxed));
    let record = |b: &ddf::kernel::Batch| {
        let fields = names.fields().iter().zip(&b.columns);
        let fields = fields.map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), b.columns.clone()).unwrap()
    };
    (batches.iter().map(record).collect(), spilled)
}

fn all_text(batches: &[RecordBatch]) -> Vec<String> {
    let mut out = Vec::new();
    for b in batches {
        for i in 0..b.num_rows() {
            let cells = b.columns().iter().map(|c| array_value_to_string(c, i).unwrap());
            out.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    out
}

fn settings(threads: usize, memory: usize) -> Settings {
    Settings {
        threads,
        memory,
        ..Settings::default()
    }
}

fn read(path: &str, block: u64, s: &Settings) -> Frame {
    let options = ReadOptions {
        blocksize: Some(block),
        ..ReadOptions::default()
    };
    Frame::read_with([path], &options, s.clone()).unwrap()
}

/// Threads, memory, block size: the first is how it should be.
const WAYS: &[(usize, usize, u64)] = &[
    (1, 1 << 30, 1 << 20),
    (1, 1, 4096),
    (2, 1, 500),
    (8, 1, 100),
    (2, 100_000, 1000),
    (3, 1 << 20, 300),
    (8, 1 << 30, 100),
];

const KINDS: [How; 7] = [
    How::Inner,
    How::Left,
    How::Right,
    How::Full,
    How::Semi,
    How::Anti,
    How::Cross,
];

type Same = fn(&Row, &Row) -> bool;

#[test]
fn all_kinds_in_any_memory_are_as_the_reference_says() {
    let mut r = Random(5);
    // key columns and what they mean
    let ons: [(&[&str], Same); 3] = [
        (&["k"], |a, b| a.k.is_some() && a.k == b.k),
        (&["t"], |a, b| a.t.is_some() && a.t == b.t),
        (&["k", "t"], |a, b| {
            a.k.is_some() && a.k == b.k && a.t.is_some() && a.t == b.t
        }),
    ];
    // rows of both sides, different keys, percent of one key
    for (nl, nr, keys, heavy) in [
        (90, 60, 20, 0),
        (60, 90, 200, 0),
        (50, 70, 20, 70),
        (0, 50, 9, 0),
        (50, 0, 9, 0),
    ] {
        let f = Folder::new();
        let (left, right) = (rows(&mut r, nl, keys, heavy), rows(&mut r, nr, keys, heavy));
        f.file("l.csv", csv(&left, "lv", whole));
        f.file("r.csv", csv(&right, "rv", whole));
        f.file("rf.csv", csv(&right, "rv", float));
        for how in KINDS {
            for (on, same) in ons {
                let on: &[&str] = if how == How::Cross { &[] } else { on };
                let want = pairs(how, &same, &left, &right);
                let mut first = None;
                for &(threads, memory, block) in WAYS {
                    // empty columns and numbers that are floats have other types: as in no other file
                    let file = if on == ["k"] && nl + nr == 120 {
                        "rf.csv"
                    } else {
                        "r.csv"
                    };
                    let s = settings(threads, memory);
                    if (nl == 0 || nr == 0) && on.contains(&"t") {
                        continue;
                    }
                    let l = read(&f.at("l.csv"), block, &s);
                    let joined = l.join(read(&f.at(file), block, &s), on.iter().copied(), how);
                    let (got, spilled) = run(&joined.unwrap().graph().unwrap(), &s);
                    let case =
                        format!("{how:?} on {on:?}, {nl}+{nr} rows, {threads} threads, {memory} bytes");
                    assert_eq!(values(&got), want, "{case}");
                    let text = all_text(&got);
                    assert_eq!(&text, first.get_or_insert_with(|| text.clone()), "{case}");
                    if memory == 1 && nl * nr > 0 {
                        assert!(spilled > 0, "{case}");
                    }
                }
                if how == How::Cross {
                    break;
                }
            }
        }
    }
}

#[test]
fn further_conditions_in_any_memory() {
    let f = Folder::new();
    let mut r = Random(77);
    for heavy in [0, 75] {
        let (left, right) = (rows(&mut r, 250, 30, heavy), rows(&mut r, 180, 30, heavy));
        f.file("l.csv", csv(&left, "lv", whole));
        f.file("r.csv", csv(&right, "rv", whole).replacen("k,t", "rk,rt", 1));
        let kinds = [
            (JoinKind::Inner, How::Inner),
            (JoinKind::Left, How::Left),
            (JoinKind::Semi, How::Semi),
            (JoinKind::Anti, How::Anti),
        ];
        for (kind, how) in kinds {
            for keys in [0, 1] {
                let same = |a: &Row, b: &Row| (keys == 0 || a.k.is_some() && a.k == b.k) && a.v < b.v;
                let want = pairs(how, &same, &left, &right);
                for &(threads, memory, block) in WAYS {
                    let s = settings(threads, memory);
                    let on = [(ddf::expr::parse("k").unwrap(), ddf::expr::parse("rk").unwrap())];
                    let plan = LogicalPlan::Join {
                        left: Box::new(read(&f.at("l.csv"), block, &s).plan()),
                        right: Box::new(read(&f.at("r.csv"), block, &s).plan()),
                        kind,
                        on: on[..keys].to_vec(),
                        filter: Some(ddf::expr::parse("lv < rv").unwrap()),
                        asof: None,
                    };
                    let graph = graph::lower(&plan).unwrap();
                    let (batches, _) = run(&graph, &s);
                    let got = numbers(&batches, kind);
                    assert_eq!(
                        got, want,
                        "{kind:?}, {keys} keys, {threads} threads, {memory} bytes"
                    );
                }
            }
        }
    }
}

#[test]
fn what_follows_a_join_does_not_see_how_it_was_made() {
    let f = Folder::new();
    let mut r = Random(9);
    let (left, right) = (rows(&mut r, 150, 40, 20), rows(&mut r, 100, 40, 5));
    f.file("l.csv", csv(&left, "lv", whole));
    f.file("r.csv", csv(&right, "rv", whole));
    f.file("s.csv", csv(&right[..40], "sv", whole));
    type Then = fn(Frame) -> ddf::Result<Frame>;
    let queries: [Then; 6] = [
        |j| j.groupby(["t"])?.agg(["sum(lv)", "max(rv)", "count()"]),
        |j| j.groupby(["t"])?.agg(["first(lv)", "last(rv)"]),
        |j| j.filter("rv > 10")?.limit(3, Some(20)),
        |j| j.sort(["t", "k"]),
        |j| j.select(["t"])?.distinct(),
        |j| {
            let all = j.clone();
            j.concat(all)?.agg(["count()", "sum(rv)", "first(rv)"])
        },
    ];
    for then in queries {
        for (a, b) in [
            (How::Inner, How::Left),
            (How::Left, How::Semi),
            (How::Full, How::Anti),
        ] {
            let mut first = None;
            for &(threads, memory, block) in WAYS {
                let s = settings(threads, memory);
                let side = |n: &str| read(&f.at(n), block, &s);
                let joined = side("l.csv").join(side("r.csv"), ["k"], a).unwrap();
                let joined = joined.join(side("s.csv"), ["k", "t"], b).unwrap();
                let got = all_text(&run(&then(joined).unwrap().graph().unwrap(), &s).0);
                assert!(!got.is_empty());
                let want = first.get_or_insert_with(|| got.clone());
                assert_eq!(&got, want, "{threads} threads, {memory} bytes, {block}");
            }
        }
    }
}

#[test]
fn joins_in_a_row_of_columns_that_nobody_reads() {
    let f = Folder::new();
    let mut r = Random(31);
    let (left, right) = (rows(&mut r, 150, 30, 10), rows(&mut r, 80, 30, 5));
    f.file("l.csv", csv(&left, "lv", whole));
    f.file("r.csv", csv(&right, "rv", whole));
    f.file("s.csv", csv(&right[..40], "sv", whole));
    let text = "SELECT l.lv, s.sv FROM l JOIN r ON l.k = r.k LEFT JOIN s ON l.t = s.t \
                ASOF LEFT JOIN r q ON r.t = q.t AND s.sv >= q.rv WHERE r.rv IS NOT NULL";
    let mut first = None;
    for &(threads, memory, block) in WAYS {
        let s = settings(threads, memory);
        let options = ReadOptions {
            blocksize: Some(block),
            ..ReadOptions::default()
        };
        let mut sql = ddf::Sql::new(s.clone()).with_options(options);
        for name in ["l", "r", "s"] {
            sql = sql.with_table(name, &f.at(&format!("{name}.csv")));
        }
        let got = all_text(&run(&sql.query(text).unwrap().graph().unwrap(), &s).0);
        assert!(got.len() > 100);
        let want = first.get_or_insert_with(|| got.clone());
        assert_eq!(&got, want, "{threads} threads, {memory} bytes, {block}");
    }
}
