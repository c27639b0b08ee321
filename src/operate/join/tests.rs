use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::expr;
use crate::kernel::{Batch, types};
use crate::pipeline::{Flow, RunContext, Sink, TaskContext, Transform};

fn context() -> TaskContext {
    TaskContext {
        run: RunContext::of_test(1 << 30, 1),
        part: 0,
    }
}

type Row = (Option<i64>, String, i64);

fn batch(rows: &[Row], position: u64) -> Batch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.0))),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| &r.1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.2))),
    ];
    Batch::new(columns, rows.len(), position)
}

fn schema(side: &str) -> Arc<Schema> {
    let field = |n: &str, t: DataType| Field::new(format!("{side}{n}"), t, true);
    Arc::new(Schema::new(vec![
        field("k", DataType::Int64),
        field("t", types::TEXT),
        field("v", DataType::Int64),
    ]))
}

/// What a join is: every left row beside every right row that matches.
fn reference(
    kind: JoinKind,
    keys: usize,
    less: bool,
    left: &[Row],
    right: &[Row],
) -> Vec<(i64, Option<i64>)> {
    let matches = |l: &Row, r: &Row| {
        (keys < 1 || l.0.is_some() && l.0 == r.0) && (keys < 2 || l.1 == r.1) && (!less || l.2 < r.2)
    };
    let mut out = vec![];
    for l in left {
        let found: Vec<&Row> = right.iter().filter(|r| matches(l, r)).collect();
        match kind {
            JoinKind::Semi if !found.is_empty() => out.push((l.2, None)),
            JoinKind::Anti if found.is_empty() => out.push((l.2, None)),
            JoinKind::Left if found.is_empty() => out.push((l.2, None)),
            JoinKind::Inner | JoinKind::Left => out.extend(found.iter().map(|r| (l.2, Some(r.2)))),
            _ => {}
        }
    }
    out
}

fn joined(
    kind: JoinKind,
    keys: usize,
    less: bool,
    left: &[Row],
    right: &[Row],
    size: usize,
) -> Vec<(i64, Option<i64>)> {
    let cx = context();
    let spec = JoinSpec {
        kind,
        left_keys: (0..keys).collect(),
        right_keys: (0..keys).collect(),
        left_columns: 3,
        right_columns: 3,
        filter: less.then(|| expr::parse("lv < rv").unwrap()),
        asof: None,
        unused: Vec::new(),
    };
    let mut sink = Box::new(BuildSink::new(&spec, &schema("r"), &cx.run).unwrap());
    // as two workers would bring them: later batches first
    let batches: Vec<Batch> = right
        .chunks(size)
        .enumerate()
        .map(|(i, r)| batch(r, (i * size) as u64))
        .collect();
    for (part, b) in batches.into_iter().enumerate().rev() {
        let task = TaskContext {
            part: part as u32,
            ..cx.clone()
        };
        sink.push(b, &task).unwrap();
    }
    let mut built = Arc::new(sink.finish(&cx).unwrap());
    if size.is_multiple_of(2) {
        built = scatter_build(&spec, &schema("r"), built, &cx.run).unwrap();
    }
    let side = BuildSide::new(&spec, &schema("r"), vec![built], &cx.run).unwrap();
    let mut probe = Probe::new(&spec, &schema("l"), Arc::new(side)).unwrap();
    let mut out = vec![];
    let mut next = 0;
    for (i, rows) in left.chunks(size).enumerate() {
        let mut take = |b: Batch| {
            assert_eq!(b.position, next);
            next += b.rows as u64;
            assert!(b.rows <= Batch::TARGET_ROWS + size);
            let lv = b.columns[2].as_primitive::<Int64Type>();
            let rv = b.columns.get(5).map(|c| c.as_primitive::<Int64Type>());
            out.extend((0..b.rows).map(|i| (lv.value(i), rv.and_then(|c| c.iter().nth(i).flatten()))));
            Ok(Flow::More)
        };
        probe
            .push(batch(rows, (i * size) as u64), &mut take, &cx)
            .unwrap();
    }
    out
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::option::weighted(0.8, 0i64..6),
        "[ab]{0,2}|a long text key [ab]",
        any::<i64>(),
    );
    prop::collection::vec(row, 0..40)
}

proptest! {
    #[test]
    fn joins_are_what_they_should_be(left in rows(), right in rows(), keys in 0usize..3, less: bool, size in 1usize..20) {
        for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Semi, JoinKind::Anti] {
            let expected = reference(kind, keys, less, &left, &right);
            prop_assert_eq!(joined(kind, keys, less, &left, &right, size), expected);
        }
    }
}

#[test]
fn one_row_with_very_many_matches() {
    let right: Vec<Row> = (0..30_000).map(|i| (Some(1), String::new(), i)).collect();
    let left = [
        (Some(1), String::new(), -1),
        (Some(2), String::new(), 5),
        (Some(1), String::new(), 20_000),
    ];
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Semi, JoinKind::Anti] {
        let expected = reference(kind, 1, true, &left, &right);
        assert_eq!(joined(kind, 1, true, &left, &right, 1000), expected);
    }
}
