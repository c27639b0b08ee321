//! Keys of many bits: heads that tell them whole, and rows that tie.

use super::super::heads::{Heads, Values};
use super::super::keys::Codec;
use super::*;

/// Timestamps, large ids and three keys at once: their heads tell them whole, so that nothing else is
/// looked at to sort, merge or leave out rows.
#[test]
fn wide_keys_within_bounds_have_exact_heads() {
    let field = |n: &str, t: DataType| Field::new(n, t, true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        field("user", DataType::Int64),
        field("item", DataType::Int64),
        field("at", types::timestamp()),
        field("price", DataType::Float64),
        field("url", types::TEXT),
    ]));
    let key = |column| SortKey {
        column,
        descending: column == 2,
        nulls_first: false,
    };
    let exact = |columns: &[usize]| {
        let spec = SortSpec {
            keys: columns.iter().map(|&c| key(c)).collect(),
            limit: None,
            whole: None,
            foremost: None,
            loose: false,
        };
        let keys = Codec::new(&spec, &schema).unwrap().keys;
        let values: Vec<Values> = columns
            .iter()
            .map(|c| match c {
                0 => Values::Ints(1 << 41, (1 << 41) + 3_000_000_000),
                1 => Values::Ints(5_000_000_000_000, 5_000_400_000_000),
                2 => Values::Ints(1_640_995_200_000_000, 1_704_067_200_000_000),
                3 => Values::Ints(
                    4_576_918_229_304_087_675, // 0.01 and 99.99 by their bits
                    4_636_737_291_354_636_288,
                ),
                _ => Values::Texts(b"https://www.example.com/item/".to_vec(), 36),
            })
            .collect();
        Heads::new(&keys, &values).whole_keys()
    };
    assert_eq!(exact(&[0, 1, 2]), 3);
    assert_eq!(exact(&[2, 0]), 2);
    assert_eq!(exact(&[3, 2]), 2);
    assert_eq!(exact(&[4, 2]), 2);
    assert_eq!(exact(&[3, 3, 2]), 2);
}

/// Texts that share long beginnings, and many rows whose heads tie.
#[test]
fn rows_that_tie_far_back() {
    let row = |i: u64| {
        let mut row: Vec<V> = (0..9).map(|c| value(c, i * 7 + 1)).collect();
        row[1] = V::F([0.1, 0.1000000000000001, 1e300, -7.5][i as usize % 4]);
        row[6] = V::I([10i128.pow(37), -(10i128.pow(37)), 3][i as usize / 4 % 3]);
        row[7] = V::S(format!(
            "{}{}",
            "x".repeat(300 + i as usize / 2 % 2),
            i * 7919 % 200
        ));
        row
    };
    let rows: Vec<Vec<V>> = (0..3000).map(row).collect();
    for keys in [&[1, 6, 1, 7][..], &[7, 1], &[6, 6, 7]] {
        for (memory, descending) in [(1 << 30, false), (100 << 10, true)] {
            let key = |&column: &usize| SortKey {
                column,
                descending,
                nulls_first: descending,
            };
            let case = Case {
                seeds: Vec::new(),
                keys: keys.iter().map(key).collect(),
                limit: None,
                batches: vec![(500, 0, false), (700, 1, false)],
                memory,
                target: 5000,
                reversed: descending,
            };
            check(&case, &rows).unwrap();
        }
    }
}

/// A text key that has no value at all in one run, or in all.
#[test]
fn text_keys_of_nothing_but_null() {
    for some in [0, 40] {
        let row = |i: u64| {
            let mut row: Vec<V> = (0..9).map(|c| value(c, i * 7 + 1)).collect();
            row[7] = if i < some {
                V::S(format!("t{}", i % 5))
            } else {
                V::Null
            };
            row
        };
        let rows: Vec<Vec<V>> = (0..120).map(row).collect();
        for (limit, descending) in [(None, false), (Some(7), true)] {
            let key = |column| SortKey {
                column,
                descending,
                nulls_first: descending,
            };
            let case = Case {
                seeds: Vec::new(),
                keys: vec![key(7), key(0)],
                limit,
                batches: vec![(40, 0, false), (40, 1, false), (40, 2, false)],
                memory: 1 << 30,
                target: 1 << 40,
                reversed: false,
            };
            check(&case, &rows).unwrap();
        }
    }
}
