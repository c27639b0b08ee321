//! Sorting against a stable sort of plain values.

mod foremost;
mod wide;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use proptest::prelude::*;

use super::*;
use crate::kernel::{Batch, types};
use crate::pipeline::{Flow, Partition, RunContext, Sink, TaskContext};

fn context(memory: usize, threads: usize) -> TaskContext {
    TaskContext {
        run: RunContext::of_test(memory, threads),
        part: 0,
    }
}

/// A value whose `Debug` text tells it apart.
#[derive(Debug, Clone)]
enum V {
    Null,
    I(i128),
    F(f64),
    S(String),
}

fn order(a: &V, b: &V, key: &SortKey) -> Ordering {
    use V::*;
    let null = if key.nulls_first {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    let plain = match (a, b) {
        (Null, Null) => return Ordering::Equal,
        (Null, _) => return null,
        (_, Null) => return null.reverse(),
        (I(a), I(b)) => a.cmp(b),
        (S(a), S(b)) => a.as_bytes().cmp(b.as_bytes()),
        (F(a), F(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        _ => unreachable!(),
    };
    if key.descending { plain.reverse() } else { plain }
}

fn data_types() -> Vec<DataType> {
    use DataType::*;
    vec![
        Int64,
        Float64,
        Utf8View,
        Boolean,
        Date32,
        types::timestamp(),
        Decimal128(30, 2),
        Utf8View,
        Binary,
    ]
}

fn schema() -> SchemaRef {
    let fields = data_types()
        .into_iter()
        .enumerate()
        .map(|(i, t)| Field::new(format!("c{i}"), t, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A value of column `c` from a random number.
fn value(c: usize, seed: u64) -> V {
    let s = seed >> 8;
    if seed.is_multiple_of(7) {
        return V::Null;
    }
    let texts = [
        "",
        "a",
        "a\0",
        "a\0\0",
        "ab",
        "é",
        "zürich",
        "a rather long text, the first",
        "日本",
    ];
    let ends = [
        "a rather long text, the second",
        "a rather long text",
        "abcdefghijklmno",
        "abcdefghijklmnop",
    ];
    match c {
        0 => V::I(
            [
                s as i64 % 5,
                i64::MIN,
                i64::MAX,
                s as i64,
                -(s as i64 % 300),
                1 << 61,
            ][seed as usize / 7 % 6] as i128,
        ),
        1 => V::F(
            [
                0.0,
                -0.0,
                f64::NAN,
                -f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                s as f64 / 7.0,
                -1.5,
            ][seed as usize / 7 % 8],
        ),
        2 => match seed as usize / 7 % 14 {
            i if i < texts.len() => V::S(texts[i].into()),
            i if i - texts.len() < ends.len() => V::S(ends[i - texts.len()].into()),
            _ => V::S(format!("https://example.org/{}", s % 50)),
        },
        3 => V::I((s % 2) as i128),
        4 => V::I([s as i32 % 100, i32::MAX, i32::MIN, -3][seed as usize / 7 % 4] as i128),
        5 => V::I(
            [s as i64 % 9, 1_600_000_000_000_000 + s as i64 % 1000, i64::MIN][seed as usize / 7 % 3] as i128,
        ),
        6 => V::I([s as i128 % 4, -(10i128.pow(29)) + s as i128 % 3, 10i128.pow(29)][seed as usize / 7 % 3]),
        7 => V::S(format!("city {}", s % 20)),
        _ => V::S(texts[s as usize % texts.len()].into()),
    }
}

fn array(c: usize, values: &[V], dictionary: bool) -> ArrayRef {
    let int = |v: &V| if let V::I(i) = v { Some(*i) } else { None };
    let text = |v: &V| if let V::S(s) = v { Some(s.clone()) } else { None };
    let float = |v: &V| if let V::F(f) = v { Some(*f) } else { None };
    let v = values.iter();
    match c {
        0 => Arc::new(v.map(|v| int(v).map(|i| i as i64)).collect::<Int64Array>()),
        1 => Arc::new(v.map(float).collect::<Float64Array>()),
        3 => Arc::new(v.map(|v| int(v).map(|i| i == 1)).collect::<BooleanArray>()),
        4 => Arc::new(v.map(|v| int(v).map(|i| i as i32)).collect::<Date32Array>()),
        5 => Arc::new(
            v.map(|v| int(v).map(|i| i as i64))
                .collect::<TimestampMicrosecondArray>(),
        ),
        6 => {
            let a = v.map(int).collect::<Decimal128Array>();
            Arc::new(a.with_precision_and_scale(30, 2).unwrap())
        }
        8 => Arc::new(v.map(text).collect::<BinaryArray>()),
        _ if dictionary => {
            let mut texts: Vec<String> = values.iter().filter_map(text).collect();
            texts.sort();
            texts.dedup();
            let id = |v: &V| text(v).map(|t| texts.binary_search(&t).unwrap() as i32);
            let keys: Int32Array = v.map(id).collect();
            let values = Arc::new(StringViewArray::from_iter_values(&texts));
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).unwrap())
        }
        _ => Arc::new(v.map(text).collect::<StringViewArray>()),
    }
}

fn read(c: usize, a: &ArrayRef) -> Vec<V> {
    use arrow::datatypes::*;
    let plain = match a.data_type() {
        DataType::Dictionary(_, v) => arrow::compute::cast(a, v).unwrap(),
        _ => a.clone(),
    };
    let nulls = plain
        .logical_nulls()
        .unwrap_or(NullBuffer::new_valid(plain.len()));
    let get = |i: usize| match c {
        _ if nulls.is_null(i) => V::Null,
        0 => V::I(plain.as_primitive::<Int64Type>().value(i) as i128),
        1 => V::F(plain.as_primitive::<Float64Type>().value(i)),
        3 => V::I(plain.as_boolean().value(i) as i128),
        4 => V::I(plain.as_primitive::<Date32Type>().value(i) as i128),
        5 => V::I(plain.as_primitive::<TimestampMicrosecondType>().value(i) as i128),
        6 => V::I(plain.as_primitive::<Decimal128Type>().value(i)),
        8 => V::S(String::from_utf8(plain.as_binary::<i32>().value(i).to_vec()).unwrap()),
        _ => V::S(plain.as_string_view().value(i).to_string()),
    };
    (0..plain.len()).map(get).collect()
}

/// Rows as text: NaN of any sign is one value, -0.0 is not 0.0.
fn show(rows: &[Vec<V>]) -> Vec<String> {
    rows.iter().map(|r| format!("{r:?}")).collect()
}

#[derive(Debug, Clone)]
struct Case {
    seeds: Vec<u64>,
    keys: Vec<SortKey>,
    limit: Option<u64>,
    /// Rows of each batch, the sink it goes to, whether as a dictionary.
    batches: Vec<(usize, usize, bool)>,
    memory: usize,
    target: u64,
    reversed: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let key =
        (0usize..9, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| SortKey {
            column,
            descending,
            nulls_first,
        });
    (
        prop::collection::vec(any::<u64>(), 0..600),
        prop::collection::vec(key, 0..5),
        prop::option::of(0u64..300),
        prop::collection::vec((1usize..120, 0usize..3, any::<bool>()), 1..20),
        prop::sample::select(vec![1usize << 10, 30 << 10, 100 << 10, 1 << 30]),
        prop::sample::select(vec![500u64, 5000, 1 << 40]),
        any::<bool>(),
    )
        .prop_map(|(seeds, keys, limit, batches, memory, target, reversed)| Case {
            seeds,
            keys,
            limit,
            batches,
            memory,
            target,
            reversed,
        })
}

fn rows_of(case: &Case) -> Vec<Vec<V>> {
    let mix = |s: u64, c: u64| (s ^ c.wrapping_mul(0x9E37_79B9)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 16;
    case.seeds
        .iter()
        .map(|&s| {
            (0..9)
                .map(|c| value(c, mix(s % 97 + (s >> 60), c as u64)))
                .collect()
        })
        .collect()
}

fn sort_with_sinks(case: &Case, rows: &[Vec<V>]) -> Vec<Vec<V>> {
    let spec = SortSpec {
        keys: case.keys.clone(),
        limit: case.limit,
        // half of the cases keep rows together that agree in some keys
        foremost: None,
        whole: (case.limit.is_none() && case.seeds.len().is_multiple_of(2))
            .then(|| case.batches.len() % (case.keys.len() + 1)),
        loose: false,
    };
    sort_to(&spec, case, rows)
}

fn sort_to(spec: &SortSpec, case: &Case, rows: &[Vec<V>]) -> Vec<Vec<V>> {
    let (schema, cx) = (schema(), context(case.memory, 3));
    let mut pieces = Vec::new();
    let mut start = 0;
    for &(n, sink, dictionary) in case.batches.iter().cycle() {
        let end = rows.len().min(start + n);
        let columns = (0..9).map(|c| {
            let values: Vec<V> = rows[start..end].iter().map(|r| r[c].clone()).collect();
            array(c, &values, dictionary)
        });
        pieces.push((
            sink,
            Batch::new(columns.collect(), end - start, start as u64 + (3 << 40)),
        ));
        start = end;
        if start == rows.len() {
            break;
        }
    }
    if case.reversed {
        pieces.reverse();
    }
    let mut sinks: Vec<Box<SortSink>> = (0..3)
        .map(|_| Box::new(SortSink::new(spec, &schema, &cx.run).unwrap()))
        .collect();
    for (sink, batch) in pieces {
        if sinks[sink].push(batch, &cx).unwrap() == Flow::Enough {
            assert_eq!(case.limit, Some(0));
        }
    }
    let inputs: Vec<Arc<Partition>> = sinks
        .into_iter()
        .map(|s| Arc::new(s.finish(&cx).unwrap()))
        .collect();
    let plan = Arc::new(plan_ranges(spec, &schema, &inputs, case.target, &cx.run).unwrap());
    let mut out: Vec<Vec<V>> = Vec::new();
    for range in 0..plan.ranges() {
        let mut source = merge_range(spec, &schema, &plan, range, &inputs, &cx.run).unwrap();
        let before = out.len();
        while let Some(batch) = source.next(&cx).unwrap() {
            assert!(batch.rows > 0 && batch.rows <= Batch::TARGET_ROWS);
            let columns: Vec<Vec<V>> = batch
                .columns
                .iter()
                .enumerate()
                .map(|(c, a)| read(c, a))
                .collect();
            out.extend((0..batch.rows).map(|i| columns.iter().map(|c| c[i].clone()).collect::<Vec<V>>()));
        }
        if let (Some(whole), true) = (spec.whole, before > 0 && before < out.len()) {
            let same = |k: &SortKey| order(&out[before - 1][k.column], &out[before][k.column], k).is_eq();
            assert!(!case.keys[..whole].iter().all(same), "cut within {whole} keys");
        }
    }
    drop((inputs, plan));
    assert_eq!(cx.run.budget.used(), 0, "all reservations are given back");
    out
}

fn sort_plainly(case: &Case, rows: &[Vec<V>]) -> Vec<Vec<V>> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| {
        let by = case.keys.iter().map(|k| order(&a[k.column], &b[k.column], k));
        by.fold(Ordering::Equal, Ordering::then)
    });
    rows
}

fn check(case: &Case, rows: &[Vec<V>]) -> Result<(), TestCaseError> {
    let mut want = sort_plainly(case, rows);
    let mut got = sort_with_sinks(case, rows);
    if let Some(limit) = case.limit {
        want.truncate(limit as usize);
        got.truncate(limit as usize);
    }
    prop_assert_eq!(show(&got), show(&want));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn sorts_as_a_plain_stable_sort(case in case()) {
        let rows = rows_of(&case);
        check(&case, &rows)?;
    }
}

/// Many keys of few values: texts by dictionary, small numbers, dates, nulls, in any direction.
fn few_values() -> impl Strategy<Value = Case> {
    let column = prop::sample::select(vec![7usize, 2, 3, 4, 0, 7, 1, 5]);
    let key = (column, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| SortKey {
        column,
        descending,
        nulls_first,
    });
    let keys = prop::collection::vec(key, 2..7);
    (case(), keys).prop_map(|(case, keys)| Case { keys, ..case })
}

fn rows_of_few_values(case: &Case) -> Vec<Vec<V>> {
    let row = |s: u64| -> Vec<V> {
        let digit = |c: u64| (s.rotate_left(11 * c as u32) ^ c).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 40;
        let some = |c: u64, v: V| if digit(c + 20) % 11 == 0 { V::Null } else { v };
        vec![
            some(0, V::I(digit(0) as i128 % 3 - 1)),
            some(1, V::F([0.0, -0.0, 1.5, f64::NAN][digit(1) as usize % 4])),
            some(
                2,
                V::S(format!(
                    "{}{}",
                    ["", "a rather long text "][digit(2) as usize % 2],
                    digit(12) % 4
                )),
            ),
            some(3, V::I(digit(3) as i128 % 2)),
            some(4, V::I(digit(4) as i128 % 3 + 15_000)),
            some(5, V::I(digit(5) as i128 % 2 + 1_600_000_000_000_000)),
            V::I(digit(6) as i128),
            some(7, V::S(format!("id{:03}", digit(7) % 5))),
            V::S(format!("{s}")),
        ]
    };
    case.seeds.iter().map(|&s| row(s)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn many_keys_of_few_values(case in few_values()) {
        let rows = rows_of_few_values(&case);
        check(&case, &rows)?;
    }
}

/// Keys too many for exact codes, with values that lose their last bits: the rows behind a value that
/// was cut and the one it was cut to must not decide.
#[test]
fn values_next_to_each_other_under_many_keys() {
    let close = [
        0.5,
        0.5000001,
        0.5 + f64::EPSILON,
        -0.5,
        -0.5000001,
        1e300,
        1e300 * (1.0 + 1e-9),
    ];
    let edge = [
        (1i64 << 20) - 2,
        (1 << 20) - 1,
        1 << 20,
        1 - (1 << 20),
        -(1 << 20),
        3,
        i64::MAX,
        i64::MIN + 1,
    ];
    for descending in [false, true] {
        for first in [1, 0] {
            let columns = [first, 0, 1, 3, 0, 1];
            let key = |column| SortKey {
                column,
                descending,
                nulls_first: descending,
            };
            let keys = columns.map(key).to_vec();
            let row = |i: usize| {
                let (x, n) = (close[i * 5 % 7], edge[i * 3 % 8]);
                let rest = (i * 7 % 5) as i128;
                vec![
                    V::I(n as i128),
                    V::F(x),
                    V::S(format!("{rest}")),
                    V::I(rest % 2),
                    V::I(rest),
                    V::I(rest),
                    V::I(rest),
                    V::S(String::new()),
                    V::S(format!("{i}")),
                ]
            };
            let case = Case {
                seeds: Vec::new(),
                keys,
                limit: None,
                batches: vec![(10, 0, false), (7, 1, false)],
                memory: 1 << 30,
                target: 1 << 40,
                reversed: false,
            };
            let rows: Vec<_> = (0..56).map(row).collect();
            check(&case, &rows).unwrap();
        }
    }
}

fn ints(n: usize, columns: usize, seed: u64) -> Vec<ArrayRef> {
    let mut x = seed | 1;
    (0..columns)
        .map(|c| {
            let span = [12, 31, 3000, 7, 5000, 300, 2000][c % 7];
            Arc::new(Int64Array::from_iter_values((0..n).map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x % span) as i64 - 5
            }))) as ArrayRef
        })
        .collect()
}

fn run_ints(rows: usize, limit: Option<u64>, memory: usize) -> (TaskContext, Vec<(i64, i64, i64)>) {
    let schema: SchemaRef = Arc::new(Schema::new(
        (0..3)
            .map(|i| Field::new(format!("{i}"), DataType::Int64, true))
            .collect::<Vec<_>>(),
    ));
    let key = |column, descending| SortKey {
        column,
        descending,
        nulls_first: false,
    };
    let spec = SortSpec {
        keys: vec![key(1, true), key(0, false)],
        limit,
        whole: None,
        foremost: None,
        loose: false,
    };
    let cx = context(memory, 1);
    let mut sink = Box::new(SortSink::new(&spec, &schema, &cx.run).unwrap());
    for (i, start) in (0..rows).step_by(10_000).enumerate() {
        let n = 10_000.min(rows - start);
        let mut columns = ints(n, 2, i as u64 * 77 + 1);
        columns.push(Arc::new(Int64Array::from_iter_values(
            start as i64..(start + n) as i64,
        )));
        sink.push(Batch::new(columns, n, start as u64), &cx).unwrap();
    }
    let inputs = vec![Arc::new(sink.finish(&cx).unwrap())];
    let plan = Arc::new(plan_ranges(&spec, &schema, &inputs, 100_000, &cx.run).unwrap());
    let mut out = Vec::new();
    for range in 0..plan.ranges() {
        let mut source = merge_range(&spec, &schema, &plan, range, &inputs, &cx.run).unwrap();
        while let Some(b) = source.next(&cx).unwrap() {
            let c = |i: usize| {
                b.columns[i]
                    .as_primitive::<arrow::datatypes::Int64Type>()
                    .values()
            };
            out.extend((0..b.rows).map(|i| (c(1)[i], c(0)[i], c(2)[i])));
        }
    }
    (cx, out)
}

#[test]
fn many_rows_in_little_memory_and_top_n() {
    let (_, all) = run_ints(200_000, None, 1 << 30);
    assert_eq!(all.len(), 200_000);
    assert!(
        all.windows(2)
            .all(|w| (-w[0].0, w[0].1, w[0].2) < (-w[1].0, w[1].1, w[1].2))
    );
    let (cx, spilled) = run_ints(200_000, None, 1 << 20);
    assert!(spilled == all);
    assert!(crate::observe::Progress::get(&cx.run.progress.bytes_spilled) > 100_000);
    let (cx, mut top) = run_ints(200_000, Some(100), 1 << 20);
    top.truncate(100);
    assert!(top == all[..100]);
    assert_eq!(crate::observe::Progress::get(&cx.run.progress.bytes_spilled), 0);
}

#[test]
fn too_many_texts_leave_the_dictionary() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("t", types::TEXT, true),
    ]));
    let spec = SortSpec {
        keys: vec![SortKey {
            column: 0,
            descending: true,
            nulls_first: false,
        }],
        limit: None,
        whole: None,
        foremost: None,
        loose: false,
    };
    let cx = context(1 << 30, 1);
    let mut sink = Box::new(SortSink::new(&spec, &schema, &cx.run).unwrap());
    let rows = 50_000i64;
    for start in (0..rows).step_by(5000) {
        let k = Int64Array::from_iter_values(start..start + 5000);
        let t = StringViewArray::from_iter_values((start..start + 5000).map(|i| format!("text number {i}")));
        sink.push(
            Batch::new(vec![Arc::new(k), Arc::new(t)], 5000, start as u64),
            &cx,
        )
        .unwrap();
    }
    let inputs = vec![Arc::new(sink.finish(&cx).unwrap())];
    assert_eq!(inputs[0].buckets.len(), 2);
    let plan = Arc::new(plan_ranges(&spec, &schema, &inputs, 1 << 40, &cx.run).unwrap());
    let mut source = merge_range(&spec, &schema, &plan, 0, &inputs, &cx.run).unwrap();
    let mut next = rows;
    while let Some(b) = source.next(&cx).unwrap() {
        for v in read(2, &b.columns[1]) {
            next -= 1;
            assert_eq!(
                format!("{v:?}"),
                format!("{:?}", V::S(format!("text number {next}")))
            );
        }
    }
    assert_eq!(next, 0);
}

/// Rows of a key with ties, a text with few values and one with many, sorted with so much memory.
fn run_texts(rows: usize, keys: &[usize], memory: usize) -> (TaskContext, usize, Vec<String>) {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("few", types::TEXT, true),
        Field::new("many", types::TEXT, true),
    ]));
    let key = |&column: &usize| SortKey {
        column,
        descending: column == 1,
        nulls_first: false,
    };
    let spec = SortSpec {
        keys: keys.iter().map(key).collect(),
        limit: None,
        whole: None,
        foremost: None,
        loose: false,
    };
    let cx = context(memory, 1);
    let mut sink = Box::new(SortSink::new(&spec, &schema, &cx.run).unwrap());
    for start in (0..rows).step_by(1000) {
        let all = start..start + 1000;
        let k = Int64Array::from_iter(
            all.clone()
                .map(|i| (i % 7 > 0).then_some((i * 7919 % 101) as i64)),
        );
        let few =
            StringViewArray::from_iter(all.clone().map(|i| (i % 11 > 0).then(|| format!("f{}", i % 5))));
        let many = StringViewArray::from_iter_values(all.map(|i| format!("text number {i}")));
        let columns: Vec<ArrayRef> = vec![Arc::new(k), Arc::new(few), Arc::new(many)];
        sink.push(Batch::new(columns, 1000, start as u64), &cx).unwrap();
    }
    let inputs = vec![Arc::new(sink.finish(&cx).unwrap())];
    let plan = Arc::new(plan_ranges(&spec, &schema, &inputs, 200_000, &cx.run).unwrap());
    let mut out = Vec::new();
    for range in 0..plan.ranges() {
        let mut source = merge_range(&spec, &schema, &plan, range, &inputs, &cx.run).unwrap();
        while let Some(b) = source.next(&cx).unwrap() {
            let columns: Vec<Vec<V>> = [0, 2, 2]
                .iter()
                .zip(&b.columns)
                .map(|(&c, a)| read(c, a))
                .collect();
            out.extend(
                (0..b.rows).map(|i| format!("{:?} {:?} {:?}", columns[0][i], columns[1][i], columns[2][i])),
            );
        }
    }
    (cx, inputs[0].buckets.len(), out)
}

#[test]
fn many_runs_are_merged_in_levels() {
    for keys in [&[0][..], &[1, 0], &[2]] {
        let (_, _, plain) = run_texts(40_000, keys, 1 << 30);
        assert_eq!(plain.len(), 40_000);
        let (cx, runs, spilled) = run_texts(40_000, keys, 64 << 10);
        assert!(spilled == plain, "{keys:?}");
        // Each batch of 1000 rows is a run of its own; about five of a level become one of the next.
        assert!(runs <= 15, "{runs} runs");
        let written = crate::observe::Progress::get(&cx.run.progress.bytes_spilled);
        let now = crate::observe::Progress::get(&cx.run.progress.spill_now);
        assert_eq!(now, 0, "merged runs are given back, and so are all at the end");
        assert!(
            written > 2 * 40_000 * 20,
            "{written} bytes: rows are written more than once"
        );
    }
}

/// 8 M rows of 23 columns, two of them keys, in a third of the benchmark's memory.
#[test]
#[ignore = "a measurement; run with --profile fast"]
fn speed_of_a_wide_sort() {
    let threads = 2;
    let rows_a_task = 4_000_000usize;
    let mut fields: Vec<Field> = (0..19)
        .map(|i| Field::new(format!("i{i}"), DataType::Int64, true))
        .collect();
    fields.extend((0..4).map(|i| Field::new(format!("t{i}"), types::TEXT, true)));
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let key = |column, descending| SortKey {
        column,
        descending,
        nulls_first: false,
    };
    let spec = SortSpec {
        keys: vec![key(2, true), key(4, false)],
        limit: None,
        whole: None,
        foremost: None,
        loose: false,
    };
    let cx = context(340 << 20, threads);
    let names: Vec<String> = (0..300).map(|i| format!("A{i}")).collect();
    let made: Vec<Batch> = (0..16)
        .map(|b| {
            let mut columns = ints(8192, 19, b + 1);
            for c in 0..4 {
                let text = (0..8192).map(|i| names[(i * 7 + b as usize * 13 + c * 29) % 300].as_str());
                columns.push(Arc::new(StringViewArray::from_iter_values(text)));
            }
            Batch::new(columns, 8192, 0)
        })
        .collect();
    let t = std::time::Instant::now();
    let inputs: Vec<Arc<Partition>> = std::thread::scope(|s| {
        let tasks: Vec<_> = (0..threads)
            .map(|t| {
                let (spec, schema, cx, made) = (&spec, &schema, &cx, &made);
                s.spawn(move || {
                    let mut sink = Box::new(SortSink::new(spec, schema, &cx.run).unwrap());
                    for i in 0..rows_a_task / 8192 {
                        let mut b = made[i % 16].clone();
                        b.position = ((t as u64) << 40) + (i * 8192) as u64;
                        sink.push(b, cx).unwrap();
                    }
                    Arc::new(sink.finish(cx).unwrap())
                })
            })
            .collect();
        tasks.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let runs = t.elapsed();
    let bytes: u64 = inputs.iter().map(|p| p.bytes()).sum();
    let plan = Arc::new(plan_ranges(&spec, &schema, &inputs, 32 << 20, &cx.run).unwrap());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let total = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                loop {
                    let range = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if range >= plan.ranges() {
                        break;
                    }
                    let mut m = merge_range(&spec, &schema, &plan, range, &inputs, &cx.run).unwrap();
                    while let Some(b) = m.next(&cx).unwrap() {
                        total.fetch_add(b.rows, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    println!(
        "{} rows: runs {:.2?}, merge {:.2?}; {} runs, {} ranges, {} MB, peak {} MB",
        total.load(std::sync::atomic::Ordering::Relaxed),
        runs,
        t.elapsed() - runs,
        inputs.iter().map(|p| p.buckets.len()).sum::<usize>(),
        plan.ranges(),
        bytes >> 20,
        cx.run.budget.peak() >> 20
    );
}
