//! The whole aggregation against a simple reference, with random inputs, splits and budgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;
use proptest::prelude::*;

use super::*;
use crate::kernel::Batch;
use crate::pipeline::{Partition, RunContext, Sink, TaskContext};

pub(super) fn run(limit: usize) -> Arc<RunContext> {
    RunContext::of_test(limit, 2)
}

/// A value of the reference; floats as the bits of their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Int(i128),
    Float(i64),
    Text(String),
    Null,
}

pub(super) fn cell(column: &ArrayRef, i: usize) -> Cell {
    if column.is_null(i) || *column.data_type() == DataType::Null {
        return Cell::Null;
    }
    match column::Col::new(column).unwrap() {
        column::Col::Text(a) => Cell::Text(a.value(i).into()),
        column::Col::Float(a) => Cell::Float(column::ordered(a.value(i))),
        column::Col::Dec(a) => Cell::Int(a.value(i)),
        other => Cell::Int(other.ints()[i] as i128),
    }
}

fn float(v: f64) -> Cell {
    Cell::Float(column::ordered(v))
}

/// Runs `sinks` sinks over the batches in turn and merges bucket by bucket.
fn aggregate(
    spec: &AggregateSpec,
    schema: &SchemaRef,
    batches: &[Batch],
    sinks: usize,
    limit: usize,
    together: bool,
) -> Result<Vec<Vec<Cell>>> {
    let run = run(limit);
    let cx = TaskContext {
        run: run.clone(),
        part: 0,
    };
    let mut all: Vec<Box<PartialAggregate>> = Vec::new();
    for _ in 0..sinks {
        all.push(Box::new(PartialAggregate::new(spec, schema, &run)?));
    }
    for (i, b) in batches.iter().enumerate() {
        all[i % sinks].push(b.clone(), &cx)?;
    }
    let parts: Vec<Arc<Partition>> = all
        .into_iter()
        .map(|s| Ok(Arc::new(s.finish(&cx)?)))
        .collect::<Result<_>>()?;
    let mut sources = match together {
        true => vec![merge_buckets(spec, schema, 0..BUCKETS, &parts, &run)?],
        false => (0..BUCKETS)
            .map(|b| merge_bucket(spec, schema, b, &parts, &run))
            .collect::<Result<_>>()?,
    };
    let names: Vec<String> = spec.aggs.iter().map(|_| "x".to_string()).collect();
    let fields = spec.output_fields(schema, &names)?;
    let mut rows = Vec::new();
    for source in &mut sources {
        while let Some(batch) = source.next(&cx)? {
            assert!(batch.rows <= Batch::TARGET_ROWS);
            for (c, f) in batch.columns.iter().zip(&fields) {
                assert_eq!(c.data_type(), f.data_type());
            }
            rows.extend(
                (0..batch.rows).map(|i| batch.columns.iter().map(|c| cell(c, i)).collect::<Vec<_>>()),
            );
        }
    }
    drop((sources, parts));
    assert_eq!(run.budget.used(), 0, "all memory is given back");
    rows.sort();
    Ok(rows)
}

/// Slow and plain: all values of every group in a tree.
pub(super) fn reference(spec: &AggregateSpec, batches: &[Batch]) -> Vec<Vec<Cell>> {
    let mut groups: BTreeMap<Vec<Cell>, Vec<(usize, usize)>> = BTreeMap::new();
    if spec.keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for (b, batch) in batches.iter().enumerate() {
        for i in 0..batch.rows {
            let key = spec.keys.iter().map(|&k| cell(&batch.columns[k], i)).collect();
            groups.entry(key).or_default().push((b, i));
        }
    }
    let mut out = Vec::new();
    for (key, rows) in groups {
        let mut line = key;
        for (agg, column) in &spec.aggs {
            let values: Vec<Cell> = match column {
                None => rows.iter().map(|_| Cell::Int(0)).collect(),
                Some(c) => (rows.iter().map(|&(b, i)| cell(&batches[b].columns[*c], i)))
                    .filter(|v| *v != Cell::Null || matches!(agg, AggFunc::First | AggFunc::Last))
                    .collect(),
            };
            line.push(plain(*agg, values));
        }
        out.push(line);
    }
    out.sort();
    out
}

fn plain(agg: AggFunc, mut v: Vec<Cell>) -> Cell {
    if let AggFunc::Count = agg {
        return Cell::Int(v.len() as i128);
    }
    if agg == AggFunc::NUnique {
        v.sort();
        v.dedup();
        return Cell::Int(v.len() as i128);
    }
    if v.is_empty() {
        return Cell::Null;
    }
    let floats = || -> Vec<f64> {
        let one = |c: &Cell| match c {
            Cell::Int(i) => *i as f64,
            Cell::Float(k) => column::unordered(*k),
            _ => f64::NAN,
        };
        v.iter().map(one).collect()
    };
    let n = v.len() as f64;
    let total = || {
        let mut s = exact::ExactSum::default();
        floats().iter().for_each(|&x| _ = s.add(x));
        s.to_f64()
    };
    match agg {
        AggFunc::Sum => match v[0] {
            Cell::Float(_) => float(total()),
            _ => Cell::Int(v.iter().map(|c| if let Cell::Int(i) = c { *i } else { 0 }).sum()),
        },
        AggFunc::Mean => float(total() / n),
        AggFunc::Min => v.into_iter().min().unwrap(),
        AggFunc::Max => v.into_iter().max().unwrap(),
        AggFunc::First | AggFunc::FirstKnown => v[0].clone(),
        AggFunc::Last | AggFunc::LastKnown => v[v.len() - 1].clone(),
        AggFunc::Median => {
            let mut f = floats();
            f.sort_by_key(|&x| column::ordered(x));
            let m = f.len() / 2;
            float(if f.len() % 2 == 1 || f[m - 1] == f[m] {
                f[m]
            } else {
                (f[m - 1] + f[m]) / 2.0
            })
        }
        other => panic!("no reference for {other:?}"),
    }
}

pub(super) fn schema() -> SchemaRef {
    let f = |name: &str, ty| Field::new(name, ty, true);
    Arc::new(Schema::new(vec![
        f("i", DataType::Int64),
        f("t", DataType::Utf8View),
        f("f", DataType::Float64),
        f("b", DataType::Boolean),
        f("d", DataType::Date32),
        f("m", DataType::Decimal128(20, 2)),
        f("n", DataType::Null),
    ]))
}

pub(super) type Line = (Option<i64>, Option<String>, Option<f64>, Option<bool>);

pub(super) fn line() -> impl Strategy<Value = Line> {
    let int = prop_oneof![4 => -3i64..3, 1 => -(1i64 << 40)..(1 << 40)];
    let text = prop_oneof![3 => "[a-c]{0,2}", 1 => "[aé日]{0,9}", 1 => "prefix that is long [ab]{1,2}"];
    let number = prop_oneof![
        3 => (-40i32..40).prop_map(|v| v as f64 / 8.0),
        1 => Just(f64::NAN),
        1 => Just(-0.0),
        1 => Just(1e-30),
        1 => Just(1e200),
    ];
    (
        prop::option::weighted(0.8, int),
        prop::option::weighted(0.8, text),
        prop::option::weighted(0.8, number),
        prop::option::weighted(0.8, any::<bool>()),
    )
}

fn batch(lines: &[Line], position: u64, dictionary: bool) -> Batch {
    let text: StringViewArray = lines.iter().map(|l| l.1.as_deref()).collect();
    let text: ArrayRef = match dictionary {
        false => Arc::new(text),
        true => {
            let mut seen: Vec<&str> = lines.iter().filter_map(|l| l.1.as_deref()).collect();
            seen.sort();
            seen.dedup();
            let keys = lines
                .iter()
                .map(|l| l.1.as_deref().map(|t| seen.binary_search(&t).unwrap() as i32));
            let values = Arc::new(StringViewArray::from_iter_values(&seen));
            Arc::new(DictionaryArray::<Int32Type>::new(
                Int32Array::from_iter(keys),
                values,
            ))
        }
    };
    let ints: Int64Array = lines.iter().map(|l| l.0).collect();
    let dates: Date32Array = lines.iter().map(|l| l.0.map(|v| v as i32 % 50)).collect();
    let decimals: Decimal128Array = lines.iter().map(|l| l.0.map(|v| v as i128 * 7)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ints),
        text,
        Arc::new(lines.iter().map(|l| l.2).collect::<Float64Array>()),
        Arc::new(lines.iter().map(|l| l.3).collect::<BooleanArray>()),
        Arc::new(dates),
        Arc::new(decimals.with_precision_and_scale(20, 2).unwrap()),
        Arc::new(NullArray::new(lines.len())),
    ];
    Batch::new(columns, lines.len(), position)
}

pub(super) fn batches(lines: &[Line], size: usize) -> Vec<Batch> {
    let chunks = lines.chunks(size.max(1)).enumerate();
    chunks
        .map(|(i, c)| batch(c, (i * size.max(1)) as u64, i % 2 == 1))
        .collect()
}

const ALL: [AggFunc; 11] = [
    AggFunc::Count,
    AggFunc::NUnique,
    AggFunc::First,
    AggFunc::Last,
    AggFunc::FirstKnown,
    AggFunc::LastKnown,
    AggFunc::Min,
    AggFunc::Max,
    AggFunc::Sum,
    AggFunc::Mean,
    AggFunc::Median,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn same_as_the_reference(
        lines in prop::collection::vec(line(), 0..300),
        keys in prop::collection::vec(0usize..7, 0..4),
        size in 1usize..120,
        sinks in 1usize..4,
        tiny: bool,
        together: bool,
    ) {
        let mut aggs: Vec<(AggFunc, Option<usize>)> = vec![(AggFunc::Count, None)];
        for agg in ALL {
            for c in [0usize, 1, 2, 4, 5] {
                let of_decimals = matches!(agg, AggFunc::Mean | AggFunc::Median) && c == 5;
                let of_dates = agg == AggFunc::Median && c == 4;
                if agg.output_type(schema().field(c).data_type()).is_ok() && !of_decimals && !of_dates {
                    aggs.push((agg, Some(c)));
                }
            }
        }
        let spec = AggregateSpec { keys, aggs, totals: None };
        let input = batches(&lines, size);
        let limit = if tiny { 1 } else { 1 << 30 };
        let ours = aggregate(&spec, &schema(), &input, sinks, limit, together).unwrap();
        prop_assert_eq!(ours, reference(&spec, &input));
    }
}

fn ints(name: &str, values: Vec<i64>) -> (SchemaRef, Vec<Batch>) {
    let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, true)]));
    let rows = values.len();
    (
        schema,
        vec![Batch::new(vec![Arc::new(Int64Array::from(values))], rows, 0)],
    )
}

#[test]
fn variance_is_stable() {
    let (schema, input) = ints("x", (0..10).map(|i| 1_000_000_000 + i).collect());
    let floats = Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]));
    let values = Float64Array::from_iter_values((0..10).map(|i| 1e9 + i as f64));
    let input2 = vec![Batch::new(vec![Arc::new(values)], 10, 0)];
    let spec = AggregateSpec {
        totals: None,
        keys: vec![],
        aggs: vec![(AggFunc::Std, Some(0)), (AggFunc::VarPop, Some(0))],
    };
    let want = vec![vec![float(3.0276503540974917), float(8.25)]];
    assert_eq!(aggregate(&spec, &schema, &input, 1, 1 << 30, true).unwrap(), want);
    assert_eq!(
        aggregate(&spec, &floats, &input2, 1, 1 << 30, true).unwrap(),
        want
    );
    let (schema, input) = ints("x", vec![i64::MIN; 9]);
    let zero = vec![vec![float(0.0), float(0.0)]];
    assert_eq!(aggregate(&spec, &schema, &input, 1, 1 << 30, true).unwrap(), zero);
    let (schema, input) = ints("x", vec![5]);
    assert_eq!(
        aggregate(&spec, &schema, &input, 1, 1 << 30, true).unwrap(),
        vec![vec![Cell::Null, float(0.0)]]
    );
}

#[test]
fn overflow_and_bad_types_are_errors() {
    let (schema, input) = ints("x", vec![i64::MAX, 1]);
    let spec = |agg| AggregateSpec {
        totals: None,
        keys: vec![],
        aggs: vec![(agg, Some(0))],
    };
    let e = aggregate(&spec(AggFunc::Sum), &schema, &input, 1, 1 << 30, true).unwrap_err();
    assert_eq!(e.what(), "sum of x overflows int64");
    let (_, fine) = ints("x", vec![i64::MAX, 1, -1]);
    assert_eq!(
        aggregate(&spec(AggFunc::Sum), &schema, &fine, 1, 1 << 30, true).unwrap(),
        vec![vec![Cell::Int(i64::MAX as i128)]]
    );
    let text = Schema::new(vec![Field::new("t", DataType::Utf8View, true)]);
    assert!(spec(AggFunc::Mean).output_fields(&text, &[]).is_err());
    assert!(spec(AggFunc::Quantile(1.5)).output_fields(&schema, &[]).is_err());
}

#[test]
fn no_rows() {
    let mut spec = AggregateSpec {
        totals: None,
        keys: vec![],
        aggs: vec![
            (AggFunc::Count, None),
            (AggFunc::Sum, Some(0)),
            (AggFunc::Median, Some(2)),
        ],
    };
    let want = vec![vec![Cell::Int(0), Cell::Null, Cell::Null]];
    for together in [false, true] {
        assert_eq!(
            aggregate(&spec, &schema(), &[], 2, 1 << 30, together).unwrap(),
            want
        );
    }
    spec.keys = vec![1];
    assert!(
        aggregate(&spec, &schema(), &[], 2, 1 << 30, true)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn quantiles_interpolate() {
    let (schema, input) = ints("x", vec![1, 2, 3, 4, 100_000]);
    let at = |q| (AggFunc::Quantile(q), Some(0));
    let spec = AggregateSpec {
        totals: None,
        keys: vec![],
        aggs: vec![at(0.0), at(0.25), at(0.9), at(1.0)],
    };
    let got = aggregate(&spec, &schema, &input, 1, 1 << 30, true).unwrap();
    assert_eq!(
        got,
        vec![vec![
            float(1.0),
            float(2.0),
            float(4.0 + 99_996.0 * (4.0 * 0.9 - 3.0)),
            float(100_000.0)
        ]]
    );
}

/// A million groups: with room, without, and where the early grouping is given up.
#[test]
fn a_million_groups() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Float64, true),
    ]));
    let n = 1_000_000i64;
    let input: Vec<Batch> = (0..(n + n / 2) / 8000)
        .map(|b| {
            let rows = (b * 8000)..((b + 1) * 8000);
            let keys = Int64Array::from_iter_values(rows.clone().map(|i| i % n));
            let values = Float64Array::from_iter_values(rows.clone().map(|i| i as f64 / 10.0));
            Batch::new(vec![Arc::new(keys), Arc::new(values)], 8000, rows.start as u64)
        })
        .collect();
    let aggs = vec![
        (AggFunc::Count, None),
        (AggFunc::Sum, Some(1)),
        (AggFunc::Last, Some(1)),
    ];
    let spec = AggregateSpec {
        keys: vec![0],
        aggs,
        totals: None,
    };
    let free = aggregate(&spec, &schema, &input, 2, 1 << 30, false).unwrap();
    assert_eq!(free.len(), n as usize);
    assert_eq!(
        free,
        aggregate(&spec, &schema, &input, 3, 24 << 20, false).unwrap()
    );
    assert_eq!(free[..1000], reference(&spec, &input)[..1000]);
}

/// One group's values in less memory than they need, beside small groups.
#[test]
fn a_heavy_group() {
    let fields = [
        ("k", DataType::Int64),
        ("i", DataType::Int64),
        ("t", DataType::Utf8View),
        ("f", DataType::Float64),
    ];
    let schema = Arc::new(Schema::new(fields.map(|(n, t)| Field::new(n, t, true)).to_vec()));
    let rows = 0..80_000i64;
    let spread = |i: i64| (i * 7_919_777) % 1_000_003 - 500_000;
    let input: Vec<Batch> = (rows.step_by(8000))
        .map(|start| {
            let all = start..start + 8000;
            let keys =
                Int64Array::from_iter_values(all.clone().map(|i| if i % 1000 == 0 { i / 1000 } else { -1 }));
            let ints = Int64Array::from_iter_values(all.clone().map(|i| spread(i) << 22));
            let text = StringViewArray::from_iter_values(
                all.clone().map(|i| format!("a long text {}", spread(i) % 40_000)),
            );
            let floats = Float64Array::from_iter_values(all.map(|i| spread(i) as f64 / 64.0));
            let columns: Vec<ArrayRef> =
                vec![Arc::new(keys), Arc::new(ints), Arc::new(text), Arc::new(floats)];
            Batch::new(columns, 8000, start as u64)
        })
        .collect();
    for keys in [vec![], vec![0]] {
        let aggs = [
            (AggFunc::Median, 1),
            (AggFunc::NUnique, 2),
            (AggFunc::Median, 3),
            (AggFunc::NUnique, 1),
            (AggFunc::Sum, 1),
        ];
        let spec = AggregateSpec {
            totals: None,
            keys,
            aggs: aggs.map(|(a, c)| (a, Some(c))).to_vec(),
        };
        let want = reference(&spec, &input);
        for limit in [1, 4 << 20, 1 << 30] {
            assert_eq!(
                aggregate(&spec, &schema, &input, 2, limit, false).unwrap(),
                want,
                "limit {limit}"
            );
        }
    }
}

/// Keys that look new at first and then repeat: grouping is given up and taken up again.
#[test]
fn grouping_is_taken_up_again() {
    let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
    let n = 200_000i64;
    let input: Vec<Batch> = (0..8 * n / 8000)
        .map(|b| {
            let keys = Int64Array::from_iter_values((b * 8000..(b + 1) * 8000).map(|i| i % n));
            Batch::new(vec![Arc::new(keys)], 8000, (b * 8000) as u64)
        })
        .collect();
    let run = run(1 << 30);
    let cx = TaskContext {
        run: run.clone(),
        part: 0,
    };
    let spec = AggregateSpec {
        totals: None,
        keys: vec![0],
        aggs: vec![(AggFunc::Count, None)],
    };
    let mut sink = Box::new(PartialAggregate::new(&spec, &schema, &run).unwrap());
    input
        .iter()
        .for_each(|b| assert_eq!(sink.push(b.clone(), &cx).unwrap(), crate::pipeline::Flow::More));
    let rows = sink.finish(&cx).unwrap().rows;
    assert!((n as u64 * 4..n as u64 * 7).contains(&rows), "{rows} rows");
    let got = aggregate(&spec, &schema, &input, 1, 1 << 30, false).unwrap();
    assert_eq!(got.len(), n as usize);
    assert!(got.iter().all(|line| line[1] == Cell::Int(8)));
}

/// Nanoseconds a row on one thread: `cargo test --profile fast --lib aggregate_speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn aggregate_speed() {
    use AggFunc::*;
    let rows = 4_000_000;
    let mut state = 7u64;
    let mut random = |n: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    let fields = ["short", "two", "station", "int", "float", "id6", "id3", "dict"].map(|n| match n {
        "int" | "id6" => Field::new(n, DataType::Int64, true),
        "float" => Field::new(n, DataType::Float64, true),
        _ => Field::new(n, DataType::Utf8View, true),
    });
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let mut input = Vec::new();
    let dictionary: ArrayRef = Arc::new(StringViewArray::from_iter_values(
        (0..300).map(|i| format!("{i:03}")),
    ));
    for b in 0..rows / 8192 {
        let codes = Int32Array::from_iter_values((0..8192).map(|_| random(300) as i32));
        let dict = DictionaryArray::<Int32Type>::new(codes, dictionary.clone());
        let text = |f: &mut dyn FnMut() -> String| -> ArrayRef {
            Arc::new(StringViewArray::from_iter_values((0..8192).map(|_| f())))
        };
        let short = text(&mut || format!("{:03}", random(300)));
        let two = text(&mut || format!("{:02}", random(14)));
        let station = text(&mut || format!("station{:05}", random(413)));
        let id3 = text(&mut || format!("id{:010}", random(100_000)));
        let ints = Int64Array::from_iter_values((0..8192).map(|_| random(1000) as i64 - 60));
        let floats = Float64Array::from_iter_values((0..8192).map(|_| random(1000) as f64 / 10.0));
        let id6 = Int64Array::from_iter_values((0..8192).map(|_| random(1 << 40) as i64));
        let columns: Vec<ArrayRef> = vec![
            short,
            two,
            station,
            Arc::new(ints),
            Arc::new(floats),
            Arc::new(id6),
            id3,
            Arc::new(dict),
        ];
        input.push(Batch::new(columns, 8192, b * 8192));
    }
    let n = (input.len() * 8192) as f64;
    type Case = (&'static str, Vec<usize>, Vec<(AggFunc, Option<usize>)>);
    let cases: Vec<Case> = vec![
        (
            "300 text of a dictionary, mean int",
            vec![7],
            vec![(Mean, Some(3))],
        ),
        ("300 text, mean int", vec![0], vec![(Mean, Some(3))]),
        (
            "2 texts, 5 of int",
            vec![1, 0],
            vec![
                (Count, None),
                (Mean, Some(3)),
                (Min, Some(3)),
                (Max, Some(3)),
                (Std, Some(3)),
            ],
        ),
        (
            "413 text, min mean max float",
            vec![2],
            vec![(Min, Some(4)), (Mean, Some(4)), (Max, Some(4))],
        ),
        ("300 text, std float", vec![0], vec![(Std, Some(4))]),
        ("no key, sum float", vec![], vec![(Sum, Some(4))]),
        ("4000 groups, median int", vec![1, 0], vec![(Median, Some(3))]),
        ("1e5 text of 12, sum int", vec![6], vec![(Sum, Some(3))]),
        (
            "6 keys, all new, sum float, count",
            vec![0, 1, 2, 3, 6, 5],
            vec![(Sum, Some(4)), (Count, None)],
        ),
        ("1 int key, all new, sum int", vec![5], vec![(Sum, Some(3))]),
        ("nunique of 1e5 texts by 14", vec![1], vec![(NUnique, Some(6))]),
    ];
    for (name, keys, aggs) in cases {
        let spec = AggregateSpec {
            keys,
            aggs,
            totals: None,
        };
        let run = run(8 << 30);
        let cx = TaskContext {
            run: run.clone(),
            part: 0,
        };
        let mut sink = Box::new(PartialAggregate::new(&spec, &schema, &run).unwrap());
        let start = std::time::Instant::now();
        input
            .iter()
            .for_each(|b| assert_eq!(sink.push(b.clone(), &cx).unwrap(), crate::pipeline::Flow::More));
        let pushed = start.elapsed();
        let parts = vec![Arc::new(sink.finish(&cx).unwrap())];
        let finished = start.elapsed();
        let mut source = merge_buckets(&spec, &schema, 0..BUCKETS, &parts, &run).unwrap();
        let mut groups = 0;
        while let Some(b) = source.next(&cx).unwrap() {
            groups += b.rows;
        }
        let all = start.elapsed();
        let ns = |d: std::time::Duration| d.as_secs_f64() * 1e9 / n;
        println!(
            "{name}: push {:.1}, finish {:.1}, merge {:.1} ns/row, {groups} groups, peak {} MiB",
            ns(pushed),
            ns(finished - pushed),
            ns(all - finished),
            run.budget.peak() >> 20
        );
    }
}
