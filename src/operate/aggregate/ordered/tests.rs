//! Groups in order against the reference of the hashed ones.

use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::super::tests::{Cell, Line, batches, cell, line, reference, run, schema};
use super::super::{AggregateSpec, BUCKETS, PartialAggregate, merge_buckets};
use super::spread::{Sizes, plan_with};
use super::*;
use crate::expr::AggFunc;
use crate::kernel::Batch;
use crate::pipeline::{Partition, RunContext, Sink, Source, TaskContext};

const SMALL: Sizes = Sizes {
    spread: 40,
    range: 16,
    sample: 3,
};

fn ascending(keys: usize) -> Vec<SortKey> {
    let key = |column| SortKey {
        column,
        descending: false,
        nulls_first: false,
    };
    (0..keys).map(key).collect()
}

/// How a sink of a test is set up.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    /// As in earnest, but deciding after so many groups.
    Deciding(usize),
    /// Keeps rows from the first one on.
    Keeping,
    /// Groups from the first row on.
    Grouping,
}

/// Bytes of spill files that are now there.
fn on_disk(run: &RunContext) -> u64 {
    run.progress.spill_now.load(std::sync::atomic::Ordering::Relaxed)
}

/// All groups, and whether they were made in order.
fn groups(
    spec: &AggregateSpec,
    input: &[Batch],
    order: &[SortKey],
    starts: &[Start],
    limit: usize,
) -> (Vec<Vec<Cell>>, bool) {
    groups_in(spec, input, order, starts, &run(limit))
}

fn groups_in(
    spec: &AggregateSpec,
    input: &[Batch],
    order: &[SortKey],
    starts: &[Start],
    run: &Arc<RunContext>,
) -> (Vec<Vec<Cell>>, bool) {
    let cx = |part| TaskContext {
        run: run.clone(),
        part,
    };
    let order = Order::new(order.to_vec());
    let new = |start: &Start| {
        let mut sink = match start {
            Start::Grouping => PartialAggregate::new(spec, &schema(), run).unwrap(),
            _ => PartialAggregate::in_order(spec, &schema(), &order, run).unwrap(),
        };
        match start {
            Start::Deciding(many) => sink.many = *many,
            _ => sink.only_kept = true,
        }
        Box::new(sink)
    };
    let mut sinks: Vec<Box<PartialAggregate>> = starts.iter().map(new).collect();
    for (i, batch) in input.iter().enumerate() {
        let at = i % sinks.len();
        sinks[at].push(batch.clone(), &cx(0)).unwrap();
    }
    let left = sinks.into_iter().map(|s| Arc::new(s.finish(&cx(0)).unwrap()));
    let left: Vec<Arc<Partition>> = left.collect();
    let (left, ordered) = plan_with(left, SMALL).unwrap();
    let mut rows: Vec<(u64, Vec<Cell>)> = Vec::new();
    let mut take = |mut source: Box<dyn Source>, cx: TaskContext| {
        while let Some(batch) = source.next(&cx).unwrap() {
            let row = |i: usize| batch.columns.iter().map(|c| cell(c, i)).collect();
            rows.extend((0..batch.rows).map(|i| (batch.position + i as u64, row(i))));
        }
    };
    match &ordered {
        None => take(
            merge_buckets(spec, &schema(), 0..BUCKETS, &left, run).unwrap(),
            cx(0),
        ),
        Some(ordered) => {
            (0..ordered.tasks()).for_each(|t| take(Box::new(Spreading(ordered.clone())), cx(t as u32)));
            let next = [Arc::new(ordered.partition())];
            let ordered = Ordered::of(&next).unwrap();
            let numbered = input.len().is_multiple_of(2);
            if numbered {
                ordered.number_groups();
            }
            // as if several threads did it, each some neighbouring ranges
            let mut ranges: Vec<usize> = (0..ordered.ranges()).collect();
            ranges.sort_by_key(|r| (r % 5, *r));
            for r in ranges {
                take(Box::new(OrderedSource::new(&ordered, r)), cx(r as u32));
            }
            rows.sort_by_key(|row| row.0);
            if numbered {
                assert!(
                    rows.iter().map(|r| r.0).eq(0..rows.len() as u64),
                    "rows are numbered"
                );
            }
        }
    }
    let rows = rows.into_iter().map(|r| r.1).collect();
    let in_order = ordered.is_some();
    drop((left, ordered));
    assert_eq!(on_disk(run), 0, "no file is left");
    assert_eq!(run.budget.used(), 0, "all memory is given back");
    (rows, in_order)
}

fn spec(keys: Vec<usize>) -> AggregateSpec {
    let mut aggs = vec![(AggFunc::Count, None)];
    for c in [0, 2, 3, 4, 5] {
        for agg in [
            AggFunc::Count,
            AggFunc::Sum,
            AggFunc::Min,
            AggFunc::Max,
            AggFunc::Mean,
        ] {
            let of_decimals = agg == AggFunc::Mean && c == 5;
            if agg.output_type(schema().field(c).data_type()).is_ok() && !of_decimals {
                aggs.push((agg, Some(c)));
            }
        }
    }
    AggregateSpec {
        keys,
        aggs,
        totals: None,
    }
}

/// Sorts rows of the reference as an order asks for; its own is ascending with nulls last.
fn sort(rows: &mut [Vec<Cell>], order: &[SortKey]) {
    rows.sort_by(|a, b| {
        let one = |k: &SortKey| {
            let (x, y) = (&a[k.column], &b[k.column]);
            match (*x == Cell::Null, *y == Cell::Null) {
                (false, false) if k.descending => y.cmp(x),
                (false, false) => x.cmp(y),
                (x, y) if k.nulls_first => y.cmp(&x),
                (x, y) => x.cmp(&y),
            }
        };
        order
            .iter()
            .map(one)
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        6 => Just(Start::Keeping),
        2 => (0usize..60).prop_map(Start::Deciding),
        1 => Just(Start::Grouping),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn same_as_the_reference(
        lines in prop::collection::vec(line(), 0..300),
        keys in prop::collection::vec(0usize..7, 1..4),
        turns in prop::collection::vec(any::<(bool, bool)>(), 4),
        backwards: bool,
        size in 1usize..60,
        starts in prop::collection::vec(start(), 1..4),
        limit in prop_oneof![3 => Just(1usize << 30), 1 => Just(20_000), 2 => Just(100_000)],
    ) {
        let mut order = ascending(keys.len());
        for (key, &(descending, nulls_first)) in order.iter_mut().zip(&turns) {
            (key.descending, key.nulls_first) = (descending, nulls_first);
        }
        if backwards {
            order.reverse();
        }
        let spec = spec(keys);
        let input = batches(&lines, size);
        let (mut ours, in_order) = groups(&spec, &input, &order, &starts, limit);
        let mut theirs = reference(&spec, &input);
        sort(&mut theirs, &order);
        if !in_order {
            sort(&mut ours, &order);
        }
        prop_assert_eq!(ours, theirs);
    }
}

fn lines(rows: i64, repeat: i64) -> Vec<Line> {
    let one = |i: i64| {
        let key = i * 7919 % rows / repeat;
        (
            Some(key),
            Some(format!("text {key}")),
            Some(key as f64 / 4.0),
            Some(key % 3 == 0),
        )
    };
    (0..rows).map(one).collect()
}

#[test]
fn distinct_keys_are_kept_and_cut_into_ranges() {
    let input = batches(&lines(1000, 1), 50);
    for keys in [vec![0], vec![1], vec![2], vec![5, 1], vec![3, 0, 1]] {
        let (spec, order) = (spec(keys.clone()), ascending(keys.len()));
        let (ours, in_order) = groups(&spec, &input, &order, &[Start::Deciding(100); 2], 1 << 30);
        assert!(in_order, "{keys:?}");
        assert!(ours == reference(&spec, &input), "{keys:?}");
    }
}

#[test]
fn repeating_keys_are_grouped() {
    let spec = spec(vec![0, 1]);
    let order = ascending(2);
    let input = batches(&lines(1000, 10), 50);
    let (mut ours, in_order) = groups(&spec, &input, &order, &[Start::Deciding(100)], 1 << 30);
    sort(&mut ours, &order);
    assert!(!in_order);
    assert!(ours == reference(&spec, &input));
    // found out late: all rows so far are taken back
    let mut late = lines(20_000, 1);
    (0..20).for_each(|_| late.extend(lines(4000, 4000)));
    let input = batches(&late, 500);
    let (mut ours, in_order) = groups(&spec, &input, &order, &[Start::Deciding(1000); 2], 1 << 30);
    sort(&mut ours, &order);
    assert!(!in_order);
    assert!(ours == reference(&spec, &input));
}

#[test]
fn mixed_sinks_and_too_many_texts_end_in_hashed_groups() {
    let spec = spec(vec![1, 0]);
    let order = ascending(2);
    let input = batches(&lines(3000, 1), 100);
    let mixed = [Start::Keeping, Start::Grouping, Start::Keeping];
    for (starts, limit) in [(&mixed[..], 1 << 30), (&mixed[..1], 60_000)] {
        let (mut ours, in_order) = groups(&spec, &input, &order, starts, limit);
        sort(&mut ours, &order);
        assert!(!in_order);
        assert!(ours == reference(&spec, &input));
    }
}

/// Rows of which nine in ten have keys of their own; the rest share three.
fn heavy(rows: i64) -> Vec<Line> {
    let key = |i: i64| if i % 10 > 0 { i * 7919 % rows } else { -1 - i % 3 };
    let line = |i: i64| {
        (
            Some(key(i)),
            Some(format!("text {}", i % 5)),
            Some(i as f64),
            Some(true),
        )
    };
    (0..rows).map(line).collect()
}

#[test]
fn refused_memory_goes_to_disk_and_groups_stay_in_order() {
    let deciding = [Start::Deciding(50)];
    let keeping = [Start::Keeping; 3];
    for (lines, keys, starts) in [
        (lines(6000, 1), vec![0], &deciding[..]),
        (lines(6000, 1), vec![2, 0, 5], &keeping[..2]),
        (heavy(6000), vec![0, 1], &keeping[..]),
        (heavy(6000), vec![0], &keeping[..2]),
    ] {
        let (spec, order) = (spec(keys.clone()), ascending(keys.len()));
        let input = batches(&lines, 100);
        let run = run(150_000);
        let (ours, in_order) = groups_in(&spec, &input, &order, starts, &run);
        assert!(in_order, "{keys:?}");
        let spilled = run
            .progress
            .bytes_spilled
            .load(std::sync::atomic::Ordering::Relaxed);
        assert!(spilled > 0, "{keys:?}");
        let mut theirs = reference(&spec, &input);
        sort(&mut theirs, &order);
        assert!(ours == theirs, "{keys:?}");
    }
}

#[test]
fn rows_on_disk_are_given_back_when_keys_turn_out_to_repeat() {
    let mut late = lines(20_000, 1);
    (0..20).for_each(|_| late.extend(lines(4000, 4000)));
    let (spec, order) = (spec(vec![0]), ascending(1));
    let input = batches(&late, 500);
    let run = run(400_000);
    let (mut ours, in_order) = groups_in(&spec, &input, &order, &[Start::Keeping; 2], &run);
    sort(&mut ours, &order);
    assert!(!in_order);
    assert!(ours == reference(&spec, &input));
}

#[test]
fn only_states_of_integers_in_any_order_are_kept() {
    let run = run(1 << 30);
    let fits = |keys: Vec<usize>, aggs, order: &[SortKey]| {
        let spec = AggregateSpec {
            keys,
            aggs,
            totals: None,
        };
        let plan = Arc::new(Plan::new(&spec, &schema()).unwrap());
        Kept::new(&plan, &Order::new(order.to_vec()), &run).is_some()
    };
    let both = ascending(2);
    assert!(fits(vec![0, 1], vec![(AggFunc::Sum, Some(2))], &both));
    assert!(!fits(vec![0, 1], vec![(AggFunc::Sum, Some(2))], &both[..1]));
    assert!(!fits(vec![], vec![(AggFunc::Count, None)], &[]));
    for (agg, c) in [
        (AggFunc::First, 0),
        (AggFunc::Last, 2),
        (AggFunc::Median, 0),
        (AggFunc::NUnique, 0),
        (AggFunc::Max, 1),
        (AggFunc::Count, 1),
    ] {
        assert!(!fits(vec![0, 1], vec![(agg, Some(c))], &both), "{agg:?}");
    }
}

#[test]
fn grouping_taken_up_again_counts_no_row_twice() {
    let (spec, order) = (spec(vec![0]), Order::new(ascending(1)));
    let input = batches(&lines(400, 1), 50);
    let run = run(1 << 30);
    let cx = |part| TaskContext {
        run: run.clone(),
        part,
    };
    let mut sink = PartialAggregate::in_order(&spec, &schema(), &order, &run).unwrap();
    sink.many = 120;
    for (i, batch) in input.iter().enumerate() {
        match i {
            // as when memory is refused while rows are both kept and grouped
            2 => sink.flush().unwrap(),
            // as when another sink finds that grouping pays
            7 => order.pays.store(true, Relaxed),
            _ => {}
        }
        sink.push(batch.clone(), &cx(0)).unwrap();
        if i == 6 {
            assert!(sink.only_kept);
        }
    }
    let left = [Arc::new(Box::new(sink).finish(&cx(0)).unwrap())];
    let mut source = merge_buckets(&spec, &schema(), 0..BUCKETS, &left, &run).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = source.next(&cx(0)).unwrap() {
        let row = |i: usize| batch.columns.iter().map(|c| cell(c, i)).collect::<Vec<_>>();
        rows.extend((0..batch.rows).map(row));
    }
    sort(&mut rows, &ascending(1));
    assert!(rows == reference(&spec, &input));
}
