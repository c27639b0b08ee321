//! Asof joins against a plain reference: every pair is looked at. The same rows, in the same order,
//! whatever the memory, threads and blocks.

#![allow(clippy::unwrap_used)]

mod common;

use std::cmp::Ordering;
use std::sync::atomic::Ordering::Relaxed;

use arrow::util::display::array_value_to_string;
use common::{Folder, Random, run};
use ddf::expr::AsOfOp;
use ddf::schedule::{self, ResultSink, Scheduler};
use ddf::source::ReadOptions;
use ddf::{AsOf, Direction, Frame, Settings, Sql};

/// A row of either table: a key, the asof key as text, and its place among the values of its type.
#[derive(Debug, Clone)]
struct Row {
    k: Option<i64>,
    text: String,
    order: Option<i64>,
}

/// How the `i`-th value of a type is written.
type Spelled = fn(i64) -> String;

const TYPES: [(&str, Spelled); 6] = [
    ("int64", |i| (i * 3 - 20).to_string()),
    ("float64", |i| match i {
        29 => "1e300".into(),
        _ => format!("{:?}", (i - 7) as f64 * 1.25),
    }),
    ("decimal(30,2)", |i| format!("{}.{:02}", i / 4, i % 4 * 25)),
    ("date", |i| format!("2024-01-{:02}", i + 1)),
    ("timestamp", |i| {
        format!("19{:02}-12-31T23:59:59.{:06}", 60 + i / 3, i % 3)
    }),
    ("text", |i| match i % 2 {
        0 => format!("{:02}", i),
        _ => format!("{:02} and much more text than fits é", i - 1),
    }),
];

fn rows(r: &mut Random, n: usize, keys: usize, spelled: Spelled) -> Vec<Row> {
    let row = |r: &mut Random| {
        let order = (r.below(9) > 0).then(|| r.below(30) as i64);
        Row {
            k: (r.below(12) > 0).then(|| r.below(keys) as i64),
            text: order.map_or(String::new(), spelled),
            order,
        }
    };
    (0..n).map(|_| row(r)).collect()
}

fn csv(rows: &[Row], value: &str) -> String {
    let mut out = format!("k,a,{value}\n");
    for (v, row) in rows.iter().enumerate() {
        let k = row.k.map_or(String::new(), |k| k.to_string());
        out += &format!("{k},{},{v}\n", row.text);
    }
    out
}

/// The place of the right row that belongs to `l`.
fn nearest(l: &Row, right: &[Row], op: AsOfOp, keyed: bool) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, r) in right.iter().enumerate() {
        let (Some(a), Some(b)) = (l.order, r.order) else {
            continue;
        };
        let holds = match op {
            AsOfOp::Ge => a >= b,
            AsOfOp::Gt => a > b,
            AsOfOp::Le => a <= b,
            AsOfOp::Lt => a < b,
        };
        if !holds || keyed && (l.k.is_none() || l.k != r.k) {
            continue;
        }
        let better = best.is_none_or(|at| match b.cmp(&right[at].order.unwrap()) {
            Ordering::Equal => op.is_backward(),
            Ordering::Greater => op.is_backward(),
            Ordering::Less => !op.is_backward(),
        });
        best = if better { Some(i) } else { best };
    }
    best
}

fn settings(threads: usize, memory: usize) -> Settings {
    Settings {
        threads,
        memory,
        ..Settings::default()
    }
}

fn options(ty: &str, block: u64) -> ReadOptions {
    let mut options = ReadOptions {
        blocksize: Some(block),
        ..ReadOptions::default()
    };
    options.types = vec![("a".into(), ty.into())];
    options
}

/// The columns `lv` and `rv` of a frame's rows, and the bytes that were spilled. The frame itself would
/// refuse such small limits.
fn values(frame: &Frame, s: &Settings) -> (Vec<[Option<i64>; 2]>, u64) {
    let graph = frame.graph().unwrap();
    let (cx, mut result) = (s.context(), ResultSink::Collect(Vec::new()));
    schedule::run(&graph, Scheduler::Threads, &cx, &mut result).unwrap();
    assert_eq!(cx.budget.used(), 0);
    let ResultSink::Collect(batches) = result else {
        panic!("rows elsewhere")
    };
    let schema = graph.schema();
    let mut out = Vec::new();
    for b in &batches {
        let cell = |name: &str, row: usize| {
            let column = &b.columns[schema.index_of(name).unwrap()];
            array_value_to_string(column, row).unwrap().parse().ok()
        };
        out.extend((0..b.rows).map(|i| [cell("lv", i), cell("rv", i)]));
    }
    (out, cx.progress.bytes_spilled.load(Relaxed))
}

/// Threads, memory, block size.
const WAYS: [(usize, usize, u64); 6] = [
    (1, 1 << 30, 1 << 20),
    (1, 1, 4096),
    (2, 1, 300),
    (8, 1, 100),
    (2, 100_000, 1000),
    (8, 1 << 30, 100),
];

#[test]
fn each_left_row_meets_the_nearest() {
    let f = Folder::new();
    let mut r = Random(2024);
    for (ty, spelled) in TYPES {
        for (nl, nr, keys) in [(120, 150, 4), (60, 200, 1), (50, 40, 30), (20, 0, 2), (0, 20, 2)] {
            let (left, right) = (rows(&mut r, nl, keys, spelled), rows(&mut r, nr, keys, spelled));
            f.file("l.csv", csv(&left, "lv"));
            // zeros of both signs are equal
            f.file("r.csv", csv(&right, "rv").replace(",0.0,", ",-0.0,"));
            for op in [AsOfOp::Ge, AsOfOp::Gt, AsOfOp::Le, AsOfOp::Lt] {
                for (keyed, inner) in [(true, false), (true, true), (false, false)] {
                    let pair = |(v, l): (usize, &Row)| {
                        let found = nearest(l, &right, op, keyed).map(|i| i as i64);
                        (!inner || found.is_some()).then_some([Some(v as i64), found])
                    };
                    let want: Vec<_> = left.iter().enumerate().filter_map(pair).collect();
                    let equal = if keyed { "l.k = r.k AND" } else { "" };
                    let join = if inner { "ASOF JOIN" } else { "ASOF LEFT JOIN" };
                    let text = format!("SELECT lv, rv FROM l {join} r ON {equal} l.a {} r.a", op.symbol());
                    for (threads, memory, block) in WAYS {
                        let s = settings(threads, memory);
                        let sql = Sql::new(s.clone())
                            .with_options(options(ty, block))
                            .with_table("l", &f.at("l.csv"))
                            .with_table("r", &f.at("r.csv"));
                        let (got, spilled) = values(&sql.query(&text).unwrap(), &s);
                        let case =
                            format!("{ty}: {text}, {threads} threads, {memory} bytes, blocks of {block}");
                        assert_eq!(got, want, "{case}");
                        assert!(memory > 1 || nl * nr == 0 || spilled > 0, "{case}");
                    }
                }
            }
        }
    }
}

/// The nearest of both directions, by whole numbers.
fn either_way(l: &Row, right: &[Row], tolerance: Option<i64>) -> Option<usize> {
    let far = |i: Option<usize>| i.map(|i| (right[i].order.unwrap() - l.order.unwrap()).abs());
    let back = nearest(l, right, AsOfOp::Ge, true);
    let ahead = nearest(l, right, AsOfOp::Le, true);
    let found = match (far(back), far(ahead)) {
        (Some(b), Some(a)) if a < b => ahead,
        (None, _) => ahead,
        _ => back,
    };
    found.filter(|_| tolerance.is_none_or(|t| far(found).unwrap() <= t))
}

#[test]
fn directions_and_tolerances_of_frames() {
    let f = Folder::new();
    let mut r = Random(7);
    let distances: [(&str, Spelled, &[&str]); 4] = [
        ("int64", |i| (i * 3 - 20).to_string(), &["6", "0", "3"]),
        (
            "float64",
            |i| format!("{:?}", i as f64 / 2.0),
            &["1", "0.0", "0.5"],
        ),
        ("date", |i| format!("2024-01-{:02}", i + 1), &["2", "0", "1"]),
        (
            "timestamp",
            |i| format!("2024-01-01T00:00:{:02}", i * 2),
            &["4 seconds", "0 seconds", "2 second"],
        ),
    ];
    for (ty, spelled, tolerances) in distances {
        let (left, right) = (rows(&mut r, 100, 4, spelled), rows(&mut r, 60, 4, spelled));
        f.file("l.csv", csv(&left, "lv"));
        f.file("r.csv", csv(&right, "rv"));
        let steps = [2, 0, 1]
            .map(Some)
            .into_iter()
            .zip(tolerances)
            .map(|(n, t)| (n, Some(*t)));
        for (steps, text) in steps.chain([(None, None)]) {
            for direction in [Direction::Backward, Direction::Forward, Direction::Nearest] {
                let find = |l: &Row| {
                    let op = match direction {
                        Direction::Backward => AsOfOp::Ge,
                        Direction::Forward => AsOfOp::Le,
                        Direction::Nearest => return either_way(l, &right, steps),
                    };
                    let far = |i: &usize| (right[*i].order.unwrap() - l.order.unwrap()).abs();
                    nearest(l, &right, op, true).filter(|i| steps.is_none_or(|n| far(i) <= n))
                };
                let pair = |(v, l)| [Some(v as i64), find(l).map(|i| i as i64)];
                let want: Vec<_> = left.iter().enumerate().map(pair).collect();
                for (threads, memory, block) in [WAYS[0], WAYS[2], WAYS[5]] {
                    let s = settings(threads, memory);
                    let read =
                        |name| Frame::read_with([&*f.at(name)], &options(ty, block), s.clone()).unwrap();
                    let how = AsOf {
                        direction,
                        strict: false,
                        tolerance: text.map(|t| AsOf::distance(t).unwrap()),
                    };
                    let joined = read("l.csv").join_asof(read("r.csv"), ["k", "a"], &how);
                    let case = format!("{ty}: {how:?}, {threads} threads, {memory} bytes");
                    assert_eq!(values(&joined.unwrap(), &s).0, want, "{case}");
                }
            }
        }
    }
}

#[test]
fn flags_of_query_and_join() {
    let f = Folder::new();
    f.file("t.csv", "sym,ts,qty\nA,3,1\nB,1,2\nA,5,3\n,5,4\nA,,5\n");
    f.file(
        "q.csv",
        "px,ts,sym\n7.5,0,A\n7.6,5,A\n7.7,5,A\n3.1,2,B\n9.1,2,\n9.2,,A\n",
    );
    let (t, q) = (&*f.at("t.csv"), &*f.at("q.csv"));
    let asof = |more: &[&str]| {
        let flags = [
            &["query", t, "--join", q, "--on", "sym,ts", "--how", "asof"],
            more,
        ]
        .concat();
        let by_query = run(flags).done().text().to_string();
        let flags = [&["join", t, q, "--on", "sym,ts", "--how", "ASOF"], more].concat();
        assert_eq!(run(flags).done().text(), by_query);
        by_query
    };
    assert_eq!(
        asof(&[]),
        "sym,ts,qty,px,ts_right\nA,3,1,7.5,0\nB,1,2,,\nA,5,3,7.7,5\n,5,4,,\nA,,5,,\n"
    );
    assert_eq!(
        asof(&["--asof-direction", "forward", "-w", "px > 0"]),
        "sym,ts,qty,px,ts_right\nA,3,1,7.6,5\nB,1,2,3.1,2\nA,5,3,7.6,5\n"
    );
    assert_eq!(
        asof(&["--asof-direction=nearest", "--tolerance=1", "-s", "qty,px"]),
        "qty,px\n1,\n2,3.1\n3,7.7\n4,\n5,\n"
    );
    run(["explain", t, "--join", q, "--on", "sym,ts", "--how", "asof"]).done();
    let wrong = |flags: &[&str], says: &[&str]| {
        run([&["query", t], flags].concat()).failed(2).says(says);
    };
    let join = ["--join", q, "--on", "sym,ts"];
    wrong(&[&join[..], &["--tolerance", "1"]].concat(), &["--how asof"]);
    wrong(
        &[&join[..], &["--how", "left", "--asof-direction", "forward"]].concat(),
        &["--how asof"],
    );
    let asof = [&join[..], &["--how", "asof"]].concat();
    wrong(&[&asof[..], &["--tolerance=-1"]].concat(), &["distance"]);
    wrong(&[&asof[..], &["--tolerance", "soon"]].concat(), &["distance"]);
    wrong(
        &[&asof[..], &["--asof-direction", "up"]].concat(),
        &["backward, forward and nearest"],
    );
    wrong(&["--tolerance", "1"], &["no --join"]);
    let failed = |flags: &[&str], says: &[&str]| {
        run([&["query", t], flags].concat()).failed(1).says(says);
    };
    failed(&["--join", q, "--how", "asof"], &["--on id,time"]);
    failed(&["--join", q, "--on", "qty,sym", "--how", "asof"], &["qty"]);
    failed(
        &["--join", q, "--on", "ts,sym=px", "--how", "asof"],
        &["cannot join on"],
    );
    failed(&[&asof[..], &["--tolerance", "1 second"]].concat(), &["interval"]);
    let by_text = [
        "--join",
        q,
        "--on",
        "sym",
        "--how",
        "asof",
        "--asof-direction",
        "nearest",
    ];
    failed(&by_text, &["nearest", "text"]);
}

#[test]
fn what_is_no_asof_join_in_sql() {
    let f = Folder::new();
    f.file("t.csv", "sym,ts,qty\nA,3,1\n");
    let sql = Sql::new(Settings::default()).with_table("t", &f.at("t.csv"));
    let wrong = |join: &str, says: &str| {
        let e = sql.query(&format!("SELECT * FROM t a {join}")).unwrap_err();
        let text = format!("{e} {:?}", e);
        assert!(text.contains(says), "{join}: {text}");
    };
    wrong("ASOF JOIN t b ON a.sym = b.sym", "without an inequality");
    wrong(
        "ASOF JOIN t b ON a.ts >= b.ts AND a.qty >= b.qty",
        "is not supported",
    );
    wrong("ASOF JOIN t b ON a.ts >= b.ts AND a.qty > 1", "is not supported");
    wrong(
        "ASOF JOIN t b ON a.ts >= b.ts OR a.qty = b.qty",
        "is not supported",
    );
    wrong("ASOF JOIN t b ON a.ts >= a.qty", "is not supported");
    wrong("ASOF JOIN t b ON a.ts <> b.ts", "is not supported");
    wrong("ASOF JOIN t b ON a.sym >= b.ts", "cannot join on");
    wrong("ASOF JOIN t b", "without ON or USING");
    wrong("ASOF RIGHT JOIN t b ON a.ts >= b.ts", "kind of ASOF join");
    wrong("ASOF FULL JOIN t b USING (ts)", "kind of ASOF join");
    wrong(
        "ASOF JOIN LATERAL (SELECT a.ts AS b) b ON a.ts >= b.b",
        "ASOF JOIN LATERAL",
    );
    wrong("GLOBAL JOIN t b USING (ts)", "GLOBAL");
    assert!(
        sql.query("SELECT \"ASOF\".ts FROM t \"ASOF\" JOIN t b ON true")
            .is_ok()
    );
}
