//! Against definitions read off row by row, however the rows come cut; and under little memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use proptest::prelude::*;

use super::*;
use crate::kernel::Batch;
use crate::pipeline::{Emit, Flow, RunContext, TaskContext, Transform};

/// A row: partition, key, an integer, a float; and its number.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    p: Option<i64>,
    k: Option<i64>,
    v: Option<i64>,
    x: Option<f64>,
}

/// What a function yields, printed.
type Answer = String;

fn ints(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

/// Columns: number, p, k, v, x, text of v, k - 1, k + 1.
fn batch(rows: &[Row], from: usize) -> Batch {
    let text = |r: &Row| r.v.map(|v| format!("text number {v}"));
    let columns: Vec<ArrayRef> = vec![
        ints((from..from + rows.len()).map(|i| Some(i as i64))),
        ints(rows.iter().map(|r| r.p)),
        ints(rows.iter().map(|r| r.k)),
        ints(rows.iter().map(|r| r.v)),
        Arc::new(rows.iter().map(|r| r.x).collect::<Float64Array>()),
        Arc::new(rows.iter().map(text).collect::<StringViewArray>()),
        ints(rows.iter().map(|r| r.k.map(|k| k - 1))),
        ints(rows.iter().map(|r| r.k.map(|k| k + 1))),
    ];
    Batch::new(columns, rows.len(), from as u64)
}

fn call(func: Func, arg: Option<usize>, frame: FrameSpec, ty: DataType) -> CallSpec {
    CallSpec {
        name: "c".to_string(),
        func,
        distinct: false,
        arg,
        default: None,
        peers: 2,
        frame,
        ty,
        width: None,
    }
}

fn frame(start: Edge, end: Edge, exclude: Exclude) -> FrameSpec {
    FrameSpec {
        start,
        end,
        exclude,
        key: Some(2),
        descending: false,
        nulls_first: false,
    }
}

fn run(rows: &[Row], sizes: &[usize], calls: &[CallSpec], memory: usize) -> crate::error::Result<Vec<Batch>> {
    let spec = WindowSpec {
        kept: 1,
        keys: vec![1, 2],
        partition: 1,
        calls: calls.to_vec(),
    };
    let cx = TaskContext {
        run: RunContext::of_test(memory, 1),
        part: 0,
    };
    let mut out = Vec::new();
    let mut window = Window::new(&spec, &cx.run)?;
    let mut keep = |b: Batch| {
        out.push(b);
        Ok(Flow::More)
    };
    let emit: &mut Emit = &mut keep;
    let (mut at, mut sizes) = (0, sizes.iter().cycle());
    while at < rows.len() {
        let n = (*sizes.next().unwrap()).clamp(1, rows.len() - at);
        window.push(batch(&rows[at..at + n], at), emit, &cx)?;
        at += n;
    }
    window.finish(emit, &cx)?;
    drop(window);
    assert_eq!(cx.run.budget.used(), 0);
    Ok(out)
}

fn shown(column: &ArrayRef, i: usize) -> Answer {
    if column.is_null(i) {
        return "null".to_string();
    }
    match column.data_type() {
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(i)),
        DataType::Utf8View => column.as_string_view().value(i).to_string(),
        DataType::Boolean => column.as_boolean().value(i).to_string(),
        _ => column.as_primitive::<Int64Type>().value(i).to_string(),
    }
}

fn answers(out: &[Batch], column: usize) -> Vec<Answer> {
    let mut all = Vec::new();
    for b in out {
        let numbers = b.columns[0].as_primitive::<Int64Type>();
        for i in 0..b.rows {
            assert_eq!(numbers.value(i), all.len() as i64);
            assert_eq!(b.position + i as u64, all.len() as u64);
            all.push(shown(&b.columns[1 + column], i));
        }
    }
    all
}

/// The rows that count for row `i`, by the words of the standard.
fn members(rows: &[Row], i: usize, f: &FrameSpec) -> Vec<usize> {
    let part: Vec<usize> = (0..rows.len()).filter(|&j| rows[j].p == rows[i].p).collect();
    let mut groups: Vec<Option<i64>> = part.iter().map(|&j| rows[j].k).collect();
    groups.dedup();
    let group = |j: usize| groups.iter().position(|g| *g == rows[j].k).unwrap() as i64;
    // how far a row lies behind (or before) an edge: negative is before it
    let side = |j: usize, e: Edge, start: bool| -> i64 {
        match e {
            Edge::Unbounded if start => 1,
            Edge::Unbounded => -1,
            Edge::Row(n) => j as i64 - (i as i64 + n),
            Edge::Group(n) => group(j) - (group(i) + n),
            Edge::Value(c) => match (rows[j].k, rows[i].k) {
                (Some(a), Some(b)) => a - (b + if c == 6 { -1 } else { 1 }),
                (None, None) => 0,
                (None, Some(_)) => 1,
                (Some(_), None) => -1,
            },
        }
    };
    let within = |j: &usize| side(*j, f.start, true) >= 0 && side(*j, f.end, false) <= 0;
    let peer = |j: usize| rows[j].k == rows[i].k;
    let left = |j: &usize| match f.exclude {
        Exclude::NoOthers => true,
        Exclude::CurrentRow => *j != i,
        Exclude::Group => !peer(*j),
        Exclude::Ties => *j == i || !peer(*j),
    };
    part.into_iter().filter(within).filter(left).collect()
}

fn expected(rows: &[Row], i: usize, c: &CallSpec) -> Answer {
    let of = members(rows, i, &c.frame);
    let v = |j: usize| rows[j].v;
    let values: Vec<i64> = of.iter().filter_map(|&j| v(j)).collect();
    let floats: Vec<f64> = of.iter().filter_map(|&j| rows[j].x).collect();
    let int = |x: Option<i64>| x.map_or("null".to_string(), |x| x.to_string());
    let float = |x: Option<f64>| x.map_or("null".to_string(), |x| format!("{x:?}"));
    let part: Vec<usize> = (0..rows.len()).filter(|&j| rows[j].p == rows[i].p).collect();
    let before = part.iter().filter(|&&j| j < i).count() as i64;
    let peers = |j: &&usize| rows[**j].k == rows[i].k;
    let first_peer = part.iter().position(|j| peers(&j)).unwrap() as i64;
    let n = part.len() as f64;
    let mean = |v: &[f64]| {
        // quarters of small numbers: any order gives the exact sum
        (!v.is_empty()).then(|| v.iter().sum::<f64>() / v.len() as f64)
    };
    match c.func {
        Func::RowNumber => (before + 1).to_string(),
        Func::Rank => (first_peer + 1).to_string(),
        Func::DenseRank => {
            let mut keys: Vec<_> = part.iter().take_while(|&&j| j < i).map(|&j| rows[j].k).collect();
            keys.push(rows[i].k);
            keys.dedup();
            keys.len().to_string()
        }
        Func::PercentRank => float(Some(if part.len() == 1 {
            0.0
        } else {
            first_peer as f64 / (n - 1.0)
        })),
        Func::CumeDist => {
            let upto = part.iter().rposition(|j| peers(&j)).unwrap() as f64 + 1.0;
            float(Some(upto / n))
        }
        Func::Ntile(tiles) => {
            let (size, tiles) = (part.len() as i64, tiles as i64);
            // deal the rows out one by one, and see in whose heap this one is
            let heap = |t: i64| size / tiles + i64::from(t < size % tiles);
            let mut end = 0;
            let tile = (0..).find(|&t| {
                end += heap(t);
                before < end
            });
            int(tile.map(|t| t + 1))
        }
        Func::Shift {
            by,
            ignore_nulls: false,
        } => {
            let at = part.iter().position(|&j| j == i).unwrap() as i64 + by;
            int(usize::try_from(at)
                .ok()
                .and_then(|a| part.get(a))
                .and_then(|&j| v(j)))
        }
        Func::Shift { by, .. } => {
            let there: Vec<usize> = match by < 0 {
                true => part
                    .iter()
                    .rev()
                    .filter(|&&j| j < i && v(j).is_some())
                    .copied()
                    .collect(),
                false => part
                    .iter()
                    .filter(|&&j| j > i && v(j).is_some())
                    .copied()
                    .collect(),
            };
            int(there.get(by.unsigned_abs() as usize - 1).and_then(|&j| v(j)))
        }
        Func::First { ignore_nulls: true } => int(values.first().copied()),
        Func::Last { ignore_nulls: true } => int(values.last().copied()),
        Func::Nth {
            n,
            ignore_nulls: true,
        } => int(values.get(n as usize - 1).copied()),
        Func::First { .. } => int(of.first().and_then(|&j| v(j))),
        Func::Last { .. } => int(of.last().and_then(|&j| v(j))),
        Func::Nth { n, .. } => int(of.get(n as usize - 1).and_then(|&j| v(j))),
        Func::Aggregate(a) => match a {
            AggFunc::Count if c.arg.is_none() => of.len().to_string(),
            AggFunc::Count => values.len().to_string(),
            AggFunc::NUnique => {
                let mut all = values.clone();
                all.sort_unstable();
                all.dedup();
                all.len().to_string()
            }
            AggFunc::Sum if c.arg == Some(3) => int((!values.is_empty()).then(|| values.iter().sum())),
            AggFunc::Sum => float((!floats.is_empty()).then(|| floats.iter().sum())),
            AggFunc::Mean => float(mean(&floats)),
            AggFunc::Min if c.arg == Some(5) => {
                let texts = values.iter().map(|v| format!("text number {v}"));
                texts.min().unwrap_or("null".to_string())
            }
            AggFunc::Min => int(values.iter().min().copied()),
            AggFunc::Max => {
                let most = floats.iter().copied().reduce(|a, b| if b > a { b } else { a });
                float(most.map(|m| m + 0.0))
            }
            AggFunc::VarPop => {
                // (n Σx² - (Σx)²) / n², all exact
                let n = values.len() as i64;
                let (s, q) = (
                    values.iter().sum::<i64>(),
                    values.iter().map(|v| v * v).sum::<i64>(),
                );
                float((n > 0).then(|| (n * q - s * s) as f64 / (n * n) as f64))
            }
            AggFunc::Median => {
                let mut all = values.clone();
                all.sort_unstable();
                let m = all.len() / 2;
                float((!all.is_empty()).then(|| match all.len() % 2 {
                    1 => all[m] as f64,
                    _ => (all[m - 1] + all[m]) as f64 / 2.0,
                }))
            }
            other => panic!("no reference of {other:?}"),
        },
    }
}

fn edges() -> impl Strategy<Value = (Edge, Edge)> {
    let n = -3i64..4;
    prop_oneof![
        Just((Edge::Unbounded, Edge::Unbounded)),
        n.clone().prop_map(|b| (Edge::Unbounded, Edge::Row(b))),
        n.clone().prop_map(|a| (Edge::Row(a), Edge::Unbounded)),
        (n.clone(), n.clone()).prop_map(|(a, b)| (Edge::Row(a), Edge::Row(b))),
        n.clone().prop_map(|b| (Edge::Unbounded, Edge::Group(b))),
        n.clone().prop_map(|a| (Edge::Group(a), Edge::Unbounded)),
        (n.clone(), n).prop_map(|(a, b)| (Edge::Group(a), Edge::Group(b))),
        Just((Edge::Value(6), Edge::Value(7))),
        Just((Edge::Value(6), Edge::Group(0))),
        Just((Edge::Unbounded, Edge::Value(6))),
        Just((Edge::Value(7), Edge::Unbounded)),
    ]
}

fn functions() -> impl Strategy<Value = (Func, Option<usize>, DataType)> {
    use DataType::{Float64, Int64};
    let both = [false, true];
    let mut all = vec![
        (Func::RowNumber, None, Int64),
        (Func::Rank, None, Int64),
        (Func::DenseRank, None, Int64),
        (Func::PercentRank, None, Float64),
        (Func::CumeDist, None, Float64),
        (Func::Ntile(1), None, Int64),
        (Func::Ntile(3), None, Int64),
        (Func::Ntile(40), None, Int64),
        (Func::Aggregate(AggFunc::Count), None, Int64),
        (Func::Aggregate(AggFunc::Count), Some(3), Int64),
        (Func::Aggregate(AggFunc::NUnique), Some(3), Int64),
        (Func::Aggregate(AggFunc::NUnique), Some(5), Int64),
        (Func::Aggregate(AggFunc::Sum), Some(3), Int64),
        (Func::Aggregate(AggFunc::Sum), Some(4), Float64),
        (Func::Aggregate(AggFunc::Mean), Some(4), Float64),
        (Func::Aggregate(AggFunc::Min), Some(3), Int64),
        (Func::Aggregate(AggFunc::Min), Some(5), DataType::Utf8View),
        (Func::Aggregate(AggFunc::Max), Some(4), Float64),
        (Func::Aggregate(AggFunc::VarPop), Some(3), Float64),
        (Func::Aggregate(AggFunc::Median), Some(3), Float64),
    ];
    for ignore_nulls in both {
        for by in [-3, -1, 1, 2] {
            all.push((Func::Shift { by, ignore_nulls }, Some(3), Int64));
        }
        all.push((Func::First { ignore_nulls }, Some(3), Int64));
        all.push((Func::Last { ignore_nulls }, Some(3), Int64));
        all.push((Func::Nth { n: 2, ignore_nulls }, Some(3), Int64));
    }
    prop::sample::select(all)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let small = |n: i64| prop::option::weighted(0.85, 0..n);
    let row = (
        small(3),
        small(6),
        small(5),
        prop::option::weighted(0.8, -20i64..20),
    )
        .prop_map(|(p, k, v, x)| Row {
            p,
            k,
            v,
            x: x.map(|x| x as f64 / 4.0),
        });
    prop::collection::vec(row, 0..60).prop_map(|mut rows| {
        rows.sort_by_key(|r| (r.p.unwrap_or(i64::MAX), r.k.unwrap_or(i64::MAX)));
        rows
    })
}

fn excludes() -> impl Strategy<Value = Exclude> {
    use Exclude::*;
    prop::sample::select(vec![NoOthers, NoOthers, NoOthers, CurrentRow, Group, Ties])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn rows_are_what_the_definitions_say(
        rows in rows(),
        sizes in prop::collection::vec(1usize..20, 1..4),
        calls in prop::collection::vec((functions(), edges(), excludes()), 1..5),
    ) {
        let calls: Vec<CallSpec> = calls
            .into_iter()
            .map(|((f, arg, ty), (start, end), exclude)| call(f, arg, frame(start, end, exclude), ty))
            .collect();
        let out = run(&rows, &sizes, &calls, 1 << 30).unwrap();
        for (n, c) in calls.iter().enumerate() {
            let want: Vec<Answer> = (0..rows.len()).map(|i| expected(&rows, i, c)).collect();
            prop_assert_eq!(answers(&out, n), want, "{:?}", c);
        }
    }
}

/// Two partitions, the first of many rows, with ties and nulls.
fn many() -> Vec<Row> {
    let row = |i: i64| Row {
        p: Some(i / 60_000),
        k: Some(i / 7),
        v: (i % 11 > 0).then_some(i * 7919 % 1013),
        x: (i % 13 > 0).then_some((i * 31 % 1009) as f64 / 8.0 - 40.0),
    };
    (0..70_000).map(row).collect()
}

/// Calls that do not need all rows of a partition at once.
fn modest() -> Vec<CallSpec> {
    use DataType::{Float64, Int64};
    let all = || frame(Edge::Unbounded, Edge::Unbounded, Exclude::NoOthers);
    let rest = || frame(Edge::Row(0), Edge::Unbounded, Exclude::NoOthers);
    let upto = || frame(Edge::Unbounded, Edge::Group(0), Exclude::NoOthers);
    let near = || frame(Edge::Row(-50), Edge::Row(50), Exclude::Ties);
    let agg = |a, arg, f, ty| call(Func::Aggregate(a), Some(arg), f, ty);
    vec![
        call(Func::Ntile(7), None, all(), Int64),
        call(Func::CumeDist, None, all(), Float64),
        call(Func::DenseRank, None, all(), Int64),
        agg(AggFunc::Sum, 3, all(), Int64),
        agg(AggFunc::Sum, 4, rest(), Float64),
        agg(AggFunc::Mean, 4, upto(), Float64),
        agg(AggFunc::NUnique, 3, rest(), Int64),
        agg(AggFunc::Min, 5, all(), DataType::Utf8View),
        agg(AggFunc::Max, 4, upto(), Float64),
        agg(AggFunc::Std, 4, near(), Float64),
        agg(AggFunc::Median, 3, near(), Float64),
        call(Func::First { ignore_nulls: true }, Some(3), all(), Int64),
        call(Func::Last { ignore_nulls: false }, Some(3), all(), Int64),
        call(
            Func::Nth {
                n: 5,
                ignore_nulls: false,
            },
            Some(3),
            upto(),
            Int64,
        ),
        call(
            Func::Shift {
                by: -100,
                ignore_nulls: false,
            },
            Some(3),
            all(),
            Int64,
        ),
        call(
            Func::Shift {
                by: 3,
                ignore_nulls: true,
            },
            Some(5),
            all(),
            DataType::Utf8View,
        ),
    ]
}

#[test]
fn little_memory_gives_the_same_rows() {
    let (rows, calls) = (many(), modest());
    let want = run(&rows, &[8192], &calls, 1 << 30).unwrap();
    for sizes in [&[8192][..], &[1000, 1, 3000]] {
        // the first partition alone would take four times as much
        let got = run(&rows, sizes, &calls, 8 << 20).unwrap();
        for (c, call) in calls.iter().enumerate() {
            assert!(answers(&got, c) == answers(&want, c), "{call:?}");
        }
    }
}

#[test]
fn what_needs_all_rows_at_once_is_an_error_of_the_limit() {
    let all = frame(Edge::Unbounded, Edge::Unbounded, Exclude::NoOthers);
    let median = call(
        Func::Aggregate(AggFunc::Median),
        Some(3),
        all.clone(),
        DataType::Float64,
    );
    let rest = frame(Edge::Row(0), Edge::Unbounded, Exclude::NoOthers);
    let least = call(Func::Aggregate(AggFunc::Min), Some(3), rest, DataType::Int64);
    for c in [median, least] {
        let e = run(&many(), &[8192], std::slice::from_ref(&c), 2 << 20).unwrap_err();
        assert_eq!(e.kind(), crate::error::Kind::Limit);
        assert!(e.what().contains(&c.func_name()), "{}", e.what());
        assert!(run(&many(), &[8192], &[c], 1 << 30).is_ok());
    }
}

#[test]
fn rows_that_leave_a_frame_leave_no_trace() {
    let values = [
        1e300,
        f64::INFINITY,
        1.0,
        f64::NAN,
        -1e300,
        2.0,
        3.0,
        f64::NEG_INFINITY,
        0.1,
        0.2,
    ];
    let rows: Vec<Row> = (values.iter().zip(0..))
        .map(|(&x, i)| Row {
            p: None,
            k: Some(i),
            v: None,
            x: Some(x),
        })
        .collect();
    let f = || frame(Edge::Row(-1), Edge::Row(0), Exclude::NoOthers);
    let agg = |a| call(Func::Aggregate(a), Some(4), f(), DataType::Float64);
    let out = run(&rows, &[3], &[agg(AggFunc::Sum), agg(AggFunc::VarPop)], 1 << 30).unwrap();
    let sums = [
        "1e300",
        "inf",
        "inf",
        "NaN",
        "NaN",
        "-1e300",
        "5.0",
        "-inf",
        "-inf",
        "0.30000000000000004",
    ];
    assert_eq!(answers(&out, 0), sums);
    assert_eq!(answers(&out, 1)[6], "0.25");
}

impl CallSpec {
    fn func_name(&self) -> String {
        match self.func {
            Func::Aggregate(a) => a.name().to_string(),
            _ => String::new(),
        }
    }
}
