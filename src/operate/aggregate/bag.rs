//! Bags: for each group its distinct values and how often each occurs, for exact medians,
//! quantiles and distinct counts.
//!
//! ```text
//!   update ─► log of (group, value)  ── full ──► sort ─► equal ones united ─► merged into `bag`
//!                                                        (group, value) → count, ascending
//! ```
//!
//! Values are order-preserving 64-bit integers (text: the number of its first appearance in a
//! [`Table`]), so a bag is a sorted list of 96-bit keys with counts. Real columns repeat their
//! values: 24 million delays by 4,000 aircraft are 1.6 million pairs. So memory follows distinct
//! pairs rather than rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, UInt64Builder};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, UInt64Type};

use super::columns::{Column, Values, float_bits};
use super::keys::{self, Keys};
use super::states::int_bits;
use super::table::Table;
use crate::error::{Error, Result};

/// Pairs that are collected before they are sorted into the bag.
const LOG: usize = 1 << 19;

/// A value's part of a pair.
const VALUE_BITS: u32 = 64;

/// The distinct values of each group, with counts.
pub struct Bag {
    /// Pairs of values seen once each: `group << 64 | value`.
    log: Vec<u128>,
    /// Pairs with counts from merged states.
    counted: Vec<(u128, u64)>,
    /// Sorted pairs and their counts.
    pairs: Vec<u128>,
    counts: Vec<u64>,
    /// Values that are no numbers, by their number.
    interned: Option<Table>,
    keys: Keys,
    ids: Vec<u32>,
}

impl Bag {
    /// An empty bag of values of a type.
    pub fn new(ty: &DataType) -> Bag {
        let numeric = !matches!(ty, DataType::Utf8View | DataType::Decimal128(..));
        Bag {
            log: Vec::new(),
            counted: Vec::new(),
            pairs: Vec::new(),
            counts: Vec::new(),
            interned: (!numeric).then(Table::default),
            keys: Keys::default(),
            ids: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.log.capacity() * 16
            + self.counted.capacity() * 32
            + self.pairs.capacity() * 16
            + self.counts.capacity() * 8
            + self.interned.as_ref().map_or(0, Table::bytes)
    }

    /// Takes the values of a batch in.
    pub fn update(&mut self, groups: &[u32], c: &Column) -> Result<()> {
        if matches!(c.values, Values::Null) {
            return Ok(());
        }
        match &mut self.interned {
            Some(table) => {
                let plain = matches!(c.values, Values::Text(_) | Values::Dictionary(..));
                let column = Column {
                    values: c.values.reborrow(),
                    nulls: c.nulls,
                };
                self.keys.encode(&[column], groups.len(), plain);
                table.find_or_insert(&self.keys, &mut self.ids);
                for (i, &g) in groups.iter().enumerate() {
                    if self.keys.views[i] != keys::NULL && !c.is_null(i) {
                        self.log.push(pair(g, self.ids[i] as u64));
                    }
                }
            }
            None => {
                for (i, &g) in groups.iter().enumerate() {
                    if !c.is_null(i) {
                        self.log.push(pair(g, ordered(c, i)?));
                    }
                }
            }
        }
        if self.log.len() >= LOG {
            self.settle();
        }
        Ok(())
    }

    /// Sorts what was collected into the bag.
    pub fn settle(&mut self) {
        self.log.sort_unstable();
        let mut new: Vec<(u128, u64)> = std::mem::take(&mut self.counted);
        new.extend(runs(&self.log));
        self.log.clear();
        new.sort_unstable_by_key(|p| p.0);
        if new.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.pairs)
            .into_iter()
            .zip(std::mem::take(&mut self.counts));
        let capacity = old.len() + new.len();
        let (mut pairs, mut counts) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        merge_sorted(old, new.into_iter(), |p, n| match pairs.last() {
            Some(last) if *last == p => {
                if let Some(c) = counts.last_mut() {
                    *c += n;
                }
            }
            _ => {
                pairs.push(p);
                counts.push(n);
            }
        });
        (self.pairs, self.counts) = (pairs, counts);
    }

    /// The values of a group (ascending, for numbers) and their counts. Settle first.
    pub fn group(&self, group: u32) -> (&[u128], &[u64]) {
        let from = self.pairs.partition_point(|p| ((p >> VALUE_BITS) as u32) < group);
        let to = from + self.pairs[from..].partition_point(|p| ((p >> VALUE_BITS) as u32) == group);
        (&self.pairs[from..to], &self.counts[from..to])
    }

    /// Two list columns: values as bytes, and counts.
    pub fn export(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let mut values = BinaryBuilder::new();
        let mut counts = UInt64Builder::new();
        let mut lengths = Vec::with_capacity(groups.len());
        for &g in groups {
            let (pairs, n) = self.group(g);
            lengths.push(pairs.len());
            counts.append_slice(n);
            for p in pairs {
                match &self.interned {
                    None => values.append_value((*p as u64).to_le_bytes()),
                    Some(t) => t.with_key(*p as u32, |k| values.append_option(k)),
                }
            }
        }
        vec![
            list(Arc::new(values.finish()), &lengths),
            list(Arc::new(counts.finish()), &lengths),
        ]
    }

    /// Takes exported lists in.
    pub fn merge(&mut self, groups: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let (values, counts) = (columns[0].as_list::<i32>(), columns[1].as_list::<i32>());
        let bytes = values.values().as_binary::<i32>();
        let n = counts.values().as_primitive::<UInt64Type>().values();
        let offsets = values.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[groups.len()] as usize);
        let ids: Vec<u64> = match &mut self.interned {
            None => (first..last)
                .map(|i| bytes.value(i).try_into().map(u64::from_le_bytes).unwrap_or(0))
                .collect(),
            Some(table) => {
                keys::views_of(&bytes.slice(first, last - first), &mut self.keys);
                table.find_or_insert(&self.keys, &mut self.ids);
                self.ids.iter().map(|&i| i as u64).collect()
            }
        };
        for (i, &g) in groups.iter().enumerate() {
            for at in offsets[i] as usize..offsets[i + 1] as usize {
                self.counted.push((pair(g, ids[at - first]), n[at]));
            }
        }
        if self.counted.len() >= LOG {
            self.settle();
        }
        Ok(())
    }
}

#[inline]
fn pair(group: u32, value: u64) -> u128 {
    (group as u128) << VALUE_BITS | value as u128
}

/// A number as bits that sort like it.
#[inline]
fn ordered(c: &Column, row: usize) -> Result<u64> {
    Ok(match &c.values {
        Values::Int(v) => int_bits(v[row]),
        Values::Date(v) => int_bits(v[row] as i64),
        Values::Bool(v) => int_bits(v.value(row) as i64),
        Values::Float(v) => float_bits(v[row]),
        _ => return Err(Error::defect("a bag of values that are no numbers")),
    })
}

/// Equal neighbours of a sorted list, counted.
fn runs(sorted: &[u128]) -> impl Iterator<Item = (u128, u64)> + '_ {
    sorted
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len() as u64))
}

fn merge_sorted(
    a: impl Iterator<Item = (u128, u64)>,
    b: impl Iterator<Item = (u128, u64)>,
    mut out: impl FnMut(u128, u64),
) {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => {
                if x.0 <= y.0 {
                    a.next()
                } else {
                    b.next()
                }
            }
            (Some(_), None) => a.next(),
            (None, _) => b.next(),
        };
        match next {
            Some((p, n)) => out(p, n),
            None => return,
        }
    }
}

fn list(values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Arc::new(ListArray::new(
        field,
        OffsetBuffer::from_lengths(lengths.iter().copied()),
        values,
        None,
    ))
}

impl Bag {
    /// The decimal behind an interned value.
    pub fn decimal(&self, pair: u128) -> i128 {
        let Some(t) = &self.interned else { return 0 };
        t.with_key(pair as u32, |k| {
            let b = k
                .and_then(|k| k.get(1..17))
                .and_then(|b| <[u8; 16]>::try_from(b).ok());
            b.map_or(0, i128::from_le_bytes)
        })
    }

    /// The pairs of a group in the order of their values, where interned numbers hide it.
    pub fn sorted(&self, pairs: &[u128], counts: &[u64], ty: &DataType) -> Option<(Vec<u128>, Vec<u64>)> {
        if !matches!(ty, DataType::Decimal128(..)) {
            return None;
        }
        let mut both: Vec<(u128, u64)> = pairs.iter().copied().zip(counts.iter().copied()).collect();
        both.sort_by_key(|(p, _)| self.decimal(*p));
        Some(both.into_iter().unzip())
    }
}
