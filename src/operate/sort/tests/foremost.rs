//! Rows that stand too far back in their partition, against ranks counted one by one.

use super::*;
use crate::expr::{Foremost, Rank};

/// The foremost of sorted rows, ranked one by one.
fn foremost(keys: &[SortKey], whole: usize, wanted: &Foremost, rows: &[Vec<V>]) -> Vec<Vec<V>> {
    let alike = |a: &[V], b: &[V], keys: &[SortKey]| {
        keys.iter().all(|k| order(&a[k.column], &b[k.column], k).is_eq())
    };
    let (mut row, mut first, mut dense) = (0, 0, 0);
    let mut out = Vec::new();
    for (i, r) in rows.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| &rows[i]);
        if !before.is_some_and(|b| alike(b, r, &keys[..whole])) {
            (row, first, dense) = (0, 0, 0);
        }
        row += 1;
        if row == 1 || !before.is_some_and(|b| alike(b, r, &keys[..wanted.keys])) {
            (first, dense) = (row, dense + 1);
        }
        let rank = match wanted.rank {
            Rank::Row => row,
            Rank::First => first,
            Rank::Dense => dense,
        };
        if rank <= wanted.most {
            out.push(r.clone());
        }
    }
    out
}

proptest! {
    /// Among the rows that come out, those that rank foremost are those that do among all rows.
    #[test]
    fn the_foremost_of_partitions_stay(
        case in case(),
        whole in 0usize..3,
        most in 1u64..5,
        rank in prop::sample::select(vec![Rank::Row, Rank::First, Rank::Dense]),
    ) {
        let case = Case { limit: None, ..case };
        let whole = whole.min(case.keys.len());
        let keys = match rank {
            Rank::Row => case.keys.len(),
            _ => case.keys.len().saturating_sub(case.batches.len() % 2).max(whole),
        };
        let wanted = Foremost { rank, most, keys };
        let spec = SortSpec {
            keys: case.keys.clone(),
            limit: None,
            whole: Some(whole),
            foremost: Some(wanted.clone()),
            loose: false,
        };
        let rows = rows_of(&case);
        let got = sort_to(&spec, &case, &rows);
        prop_assert!(got.len() <= rows.len());
        let got = foremost(&case.keys, whole, &wanted, &got);
        let want = foremost(&case.keys, whole, &wanted, &sort_plainly(&case, &rows));
        prop_assert_eq!(show(&got), show(&want));
    }
}

/// What is left out, and what is not: rows that tie, and rows where it does not pay.
#[test]
fn rows_too_far_back_are_left_out() {
    // keys of few bits, and such as lie far from zero
    let left_of = |far: [u64; 2], partitions: u64, rank: Rank| {
        let keys: Vec<SortKey> = (0..2)
            .map(|column| SortKey {
                column,
                descending: false,
                nulls_first: false,
            })
            .collect();
        let spec = SortSpec {
            keys,
            limit: None,
            whole: Some(1),
            foremost: Some(Foremost {
                rank,
                most: 2,
                keys: 2,
            }),
            loose: false,
        };
        let field = |n: &str| Field::new(n, DataType::Int64, true);
        let schema = Arc::new(Schema::new(vec![field("p"), field("o")]));
        let cx = context(1 << 30, 1);
        let mut sink = Box::new(SortSink::new(&spec, &schema, &cx.run).unwrap());
        for start in (0..10_000u64).step_by(100) {
            let column = |f: &dyn Fn(u64) -> u64| -> ArrayRef {
                Arc::new(
                    (start..start + 100)
                        .map(|i| Some(f(i) as i64))
                        .collect::<Int64Array>(),
                )
            };
            let columns = vec![
                column(&|i| far[0] + i % partitions),
                column(&|i| far[1] + i / partitions / 3),
            ];
            sink.push(Batch::new(columns, 100, start), &cx).unwrap();
        }
        sink.finish(&cx).unwrap().rows
    };
    let left = |partitions, rank| {
        let far = left_of([1 << 62, 1 << 61], partitions, rank);
        assert_eq!(far, left_of([0, 0], partitions, rank));
        far
    };
    assert_eq!(left(10, Rank::Row), 20);
    assert_eq!(left(10, Rank::First), 30, "three rows tie");
    assert_eq!(left(10, Rank::Dense), 60);
    assert_eq!(left(10_000, Rank::Row), 10_000);
}
