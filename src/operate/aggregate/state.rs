//! The states of aggregates: one vector by group number for each, updated in tight typed loops.
//!
//! A batch's column reaches the loops as [`Arg`]: group numbers and values of the rows that are
//! not null, compacted once for all states over the column, so that no loop looks at nulls.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::StringViewArray;
use arrow::buffer::NullBuffer;

use super::ahead::each_state;
use super::column::Col;
use super::exact::ExactSums;
use super::int_sums::IntSums;
use super::moments::ExactMoments;
use super::pairs::{ExactPairs, unpacked};
use super::plan::Kind;
use super::powers::ExactPowers;
use super::products::WideProduct;

/// The values of one column that are not null, with their groups.
pub struct Arg<'a> {
    /// The column, with its nulls.
    pub column: &'a Col,
    /// Groups of the values.
    pub groups: Cow<'a, [u32]>,
    /// Row numbers of the values, where some rows are null.
    pub rows: Option<Vec<u32>>,
    /// [`Col::ints`] of the values (empty for decimals and text).
    pub ints: Cow<'a, [i64]>,
    /// Order of the batch's first row.
    pub position: u64,
}

/// What anyone will look at of an [`Arg`].
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// [`Arg::ints`].
    pub ints: bool,
    /// [`Arg::rows`], and what is found through them: floats, decimals, texts, positions.
    pub rows: bool,
}

impl<'a> Arg<'a> {
    /// Drops the nulls.
    pub fn new(column: &'a Col, groups: &'a [u32], position: u64, needs: Needs) -> Self {
        let all = if needs.ints {
            column.ints()
        } else {
            Cow::Borrowed(&[][..])
        };
        let Some(nulls) = column.nulls() else {
            return Arg {
                column,
                groups: Cow::Borrowed(groups),
                rows: None,
                ints: all,
                position,
            };
        };
        if !needs.ints && !needs.rows {
            return Arg {
                column,
                groups: Cow::Borrowed(&[]),
                rows: None,
                ints: all,
                position,
            };
        }
        let rows = match needs.rows {
            true => nulls.valid_indices().map(|i| i as u32).collect(),
            false => Vec::new(),
        };
        let ints = match all.is_empty() {
            true => Vec::new(),
            false => compact(&all, nulls),
        };
        Arg {
            column,
            groups: compact(groups, nulls).into(),
            rows: Some(rows),
            ints: ints.into(),
            position,
        }
    }
    fn row(&self, i: usize) -> usize {
        self.rows.as_ref().map_or(i, |r| r[i] as usize)
    }
    fn floats(&self) -> Cow<'_, [f64]> {
        let all = match self.column {
            Col::Float(a) => Cow::Borrowed(&a.values()[..]),
            Col::Dec(a) => {
                let unit = 10f64.powi(a.scale() as i32);
                a.values().iter().map(|&v| v as f64 / unit).collect()
            }
            // whole numbers: the nulls are dropped already
            _ => return self.ints.iter().map(|&v| v as f64).collect(),
        };
        match &self.rows {
            None => all,
            Some(rows) => rows.iter().map(|&i| all[i as usize]).collect(),
        }
    }
    /// Values for quantiles: integers, or floats as ordered integers.
    pub fn listed(&self) -> Cow<'_, [i64]> {
        match self.column {
            Col::Dec(_) => self.floats().iter().map(|&v| super::column::ordered(v)).collect(),
            _ => Cow::Borrowed(&self.ints),
        }
    }
    fn decimals(&self) -> Cow<'_, [i128]> {
        match (self.column, &self.rows) {
            (Col::Dec(a), None) => Cow::Borrowed(&a.values()[..]),
            (Col::Dec(a), Some(rows)) => rows.iter().map(|&i| a.value(i as usize)).collect(),
            _ => Cow::Owned(Vec::new()),
        }
    }
    fn texts(&self) -> Option<&StringViewArray> {
        if let Col::Text(a) = self.column {
            Some(a)
        } else {
            None
        }
    }
}

/// The values that are not null. Without a branch on single nulls, which nobody can foresee.
fn compact<T: Copy + Default>(values: &[T], nulls: &NullBuffer) -> Vec<T> {
    let mut out = vec![T::default(); values.len()];
    let mut k = 0;
    let words = nulls.inner().bit_chunks();
    for (from, word) in values.chunks(64).zip(words.iter_padded()) {
        if word == u64::MAX && from.len() == 64 {
            out[k..k + 64].copy_from_slice(from);
            k += 64;
            continue;
        }
        let mut word = word;
        // what is written for a null is overwritten by the next value, or cut off
        let to = &mut out[k..k + from.len()];
        let mut n = 0;
        for &value in from {
            to[n] = value;
            n += (word & 1) as usize;
            word >>= 1;
        }
        k += n;
    }
    out.truncate(k);
    out
}

type Text = Option<Box<[u8]>>;

/// A value of any type, for first and last.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// [`Col::ints`].
    Int(i64),
    /// A decimal.
    Dec(i128),
    /// Text.
    Text(Box<[u8]>),
    /// The row has none.
    Null,
}

/// Which row of a group an [`State::Edge`] keeps the value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The last one, not the first.
    pub last: bool,
    /// Of those that have a value.
    pub known: bool,
}

impl Value {
    /// The value of a row.
    fn of(column: &Col, row: usize) -> Value {
        if column.nulls().is_some_and(|n| n.is_null(row)) {
            return Value::Null;
        }
        match column {
            Col::Text(a) => Value::Text(a.value(row).as_bytes().into()),
            Col::Dec(a) => Value::Dec(a.value(row)),
            other => other.int(row).map_or(Value::Null, Value::Int),
        }
    }
}

/// One state for all groups.
#[derive(Debug)]
pub enum State {
    /// Numbers of rows.
    Rows(Vec<u64>),
    /// Numbers of nulls, as far as a group has some.
    Nulls(Vec<u64>),
    /// Sums of integers.
    Ints(IntSums),
    /// Sums of decimals, and multiples of 2^128 that did not fit.
    Sum(Vec<i128>, HashMap<u32, i64>),
    /// Sums of squares, and multiples of 2^128.
    Squares(Vec<u128>, HashMap<u32, u64>),
    /// Sums of floats.
    Float(ExactSums),
    /// Moments of floats, and the bytes they own.
    Moments(Vec<ExactMoments>, usize),
    /// Four powers of floats, and the bytes they own.
    Powers(Vec<ExactPowers>, usize),
    /// Products of floats.
    Product(Vec<WideProduct>),
    /// Moments of pairs of floats, and the bytes they own.
    Pairs(Vec<ExactPairs>, usize),
    /// Least values.
    Min(Vec<i64>),
    /// Greatest values.
    Max(Vec<i64>),
    /// Least decimals.
    MinDec(Vec<i128>),
    /// Greatest decimals.
    MaxDec(Vec<i128>),
    /// Text extremes (true: the greatest) and the bytes they own.
    Text(Vec<Text>, bool, usize),
    /// First or last values with their position, and the bytes they own.
    Edge(Vec<Option<(u64, Value)>>, End, usize),
    /// All texts of a group, each behind its length, in any order, and the bytes they own.
    Texts(Vec<Vec<u8>>, usize),
}

use State::*;

impl State {
    /// An empty state.
    pub fn new(kind: Kind) -> State {
        match kind {
            Kind::Rows => Rows(Vec::new()),
            Kind::Nulls => Nulls(Vec::new()),
            Kind::SumInt => Ints(IntSums::default()),
            Kind::SumDec => Sum(Vec::new(), HashMap::new()),
            Kind::SquaresInt => Squares(Vec::new(), HashMap::new()),
            Kind::SumFloat => Float(ExactSums::default()),
            Kind::Moments => Moments(Vec::new(), 0),
            Kind::Powers => Powers(Vec::new(), 0),
            Kind::Product => Product(Vec::new()),
            Kind::Pairs => Pairs(Vec::new(), 0),
            Kind::MinInt => Min(Vec::new()),
            Kind::MaxInt => Max(Vec::new()),
            Kind::MinDec => MinDec(Vec::new()),
            Kind::MaxDec => MaxDec(Vec::new()),
            Kind::MinText => Text(Vec::new(), false, 0),
            Kind::MaxText => Text(Vec::new(), true, 0),
            Kind::Edge(end) => Edge(Vec::new(), end, 0),
            Kind::Texts => Texts(Vec::new(), 0),
        }
    }

    /// Bytes for each group, and bytes owned besides.
    pub fn bytes(&self) -> (usize, usize) {
        match self {
            Rows(_) | Min(_) | Max(_) => (8, 0),
            Nulls(v) => (0, 8 * v.capacity()),
            Ints(v) => (8, v.bytes_besides()),
            Sum(_, m) => (16, m.capacity() * 24),
            Squares(_, m) => (16, m.capacity() * 24),
            MinDec(_) | MaxDec(_) => (16, 0),
            Float(v) => (16, v.long_bytes()),
            Moments(_, owned) => (size_of::<ExactMoments>(), *owned),
            Powers(_, owned) => (size_of::<ExactPowers>(), *owned),
            Product(_) => (size_of::<WideProduct>(), 0),
            Pairs(_, owned) => (size_of::<ExactPairs>(), *owned),
            Text(_, _, owned) => (16, *owned),
            Edge(_, _, owned) => (size_of::<Option<(u64, Value)>>(), *owned),
            // vectors that grow hold up to twice what is in them
            Texts(_, owned) => (size_of::<Vec<u8>>(), 2 * *owned),
        }
    }

    /// Whether it holds texts.
    pub fn has_texts(&self) -> bool {
        matches!(self, Text(..) | Edge(..) | Texts(..))
    }

    /// Bytes of a group's texts.
    pub fn text_len(&self, group: usize) -> usize {
        match self {
            Text(v, ..) => v.get(group).and_then(Option::as_ref).map_or(0, |t| t.len()),
            Edge(v, ..) => match v.get(group) {
                Some(Some((_, Value::Text(t)))) => t.len(),
                _ => 0,
            },
            Texts(v, _) => v.get(group).map_or(0, Vec::len),
            _ => 0,
        }
    }

    /// Makes it `groups` groups long.
    pub fn resize(&mut self, groups: usize) {
        match self {
            Rows(v) => v.resize(groups, 0),
            Nulls(v) => v.truncate(groups),
            Ints(v) => v.resize(groups),
            Sum(v, _) => v.resize(groups, 0),
            Squares(v, _) => v.resize(groups, 0),
            Float(v) => v.resize(groups),
            Moments(v, _) => v.resize(groups, ExactMoments::default()),
            Powers(v, _) => v.resize(groups, ExactPowers::default()),
            Product(v) => v.resize(groups, WideProduct::default()),
            Pairs(v, _) => v.resize(groups, ExactPairs::default()),
            Min(v) => v.resize(groups, i64::MAX),
            Max(v) => v.resize(groups, i64::MIN),
            MinDec(v) => v.resize(groups, i128::MAX),
            MaxDec(v) => v.resize(groups, i128::MIN),
            Text(v, ..) => v.resize(groups, None),
            Edge(v, ..) => v.resize(groups, None),
            Texts(v, _) => v.resize(groups, Vec::new()),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self, keep: bool) {
        if keep {
            self.resize(0);
            match self {
                Ints(v) => v.clear_besides(),
                Sum(_, m) => m.clear(),
                Squares(_, m) => m.clear(),
                Text(_, _, owned) | Edge(_, _, owned) => *owned = 0,
                Texts(_, owned) | Moments(_, owned) | Powers(_, owned) | Pairs(_, owned) => *owned = 0,
                _ => {}
            }
            return;
        }
        *self = match self {
            Rows(_) => Rows(Vec::new()),
            Nulls(_) => Nulls(Vec::new()),
            Ints(_) => Ints(IntSums::default()),
            Sum(..) => Sum(Vec::new(), HashMap::new()),
            Squares(..) => Squares(Vec::new(), HashMap::new()),
            Float(_) => Float(ExactSums::default()),
            Moments(..) => Moments(Vec::new(), 0),
            Powers(..) => Powers(Vec::new(), 0),
            Product(_) => Product(Vec::new()),
            Pairs(..) => Pairs(Vec::new(), 0),
            Min(_) => Min(Vec::new()),
            Max(_) => Max(Vec::new()),
            MinDec(_) => MinDec(Vec::new()),
            MaxDec(_) => MaxDec(Vec::new()),
            Text(_, max, _) => Text(Vec::new(), *max, 0),
            Edge(_, end, _) => Edge(Vec::new(), *end, 0),
            Texts(..) => Texts(Vec::new(), 0),
        };
    }

    /// Takes a batch's column where there is but one group; false where that is no other work than
    /// [`State::update`].
    ///
    /// Changing one state in memory row after row waits for the row before each time.
    pub fn update_only(&mut self, arg: Option<&Arg>, rows: usize) -> bool {
        if let Rows(v) = self {
            v[0] += rows as u64;
            return true;
        }
        let Some(arg) = arg else { return true };
        match self {
            Nulls(v) => match arg.column.nulls().map_or(0, NullBuffer::null_count) {
                0 => {}
                n => *null_count(v, 0) += n as u64,
            },
            Ints(v) => v.merge(0, sum(&arg.ints)),
            Float(v) => v.add_all(0, &arg.floats()),
            Min(v) => v[0] = arg.ints.iter().fold(v[0], |least, &x| least.min(x)),
            Max(v) => v[0] = arg.ints.iter().fold(v[0], |most, &x| most.max(x)),
            _ => return false,
        }
        true
    }

    /// Takes a batch's column; `all` are the groups of all rows.
    pub fn update(&mut self, arg: Option<&Arg>, all: &[u32]) {
        if let Rows(v) = self {
            return all.iter().for_each(|&g| v[g as usize] += 1);
        }
        let Some(arg) = arg else { return };
        let groups = &*arg.groups;
        let pairs = || groups.iter().zip(arg.ints.iter());
        match self {
            Rows(_) => {}
            Nulls(v) => {
                let Some(nulls) = arg.column.nulls() else { return };
                for row in (!nulls.inner()).set_indices() {
                    *null_count(v, all[row]) += 1;
                }
            }
            Ints(v) => pairs().for_each(|(&g, &x)| v.add(g, x)),
            Sum(v, carry) => {
                each_state(v, groups, &arg.decimals(), |sum, g, x| {
                    add_carry(sum, carry, g, x)
                });
            }
            Squares(v, carry) => {
                each_state(v, groups, &arg.ints, |squares, g, x| {
                    let x = x.unsigned_abs();
                    // most squares fit 64 bits; 128-bit products cost little anyway
                    let (sum, over) = squares.overflowing_add(x as u128 * x as u128);
                    *squares = sum;
                    if over {
                        *carry.entry(g).or_default() += 1;
                    }
                });
            }
            Float(v) => v.add(groups, &arg.floats()),
            Moments(v, owned) => each_state(v, groups, &arg.floats(), |moments, _, x| {
                moments.add_owning(owned, x);
            }),
            Powers(v, owned) => each_state(v, groups, &arg.floats(), |powers, _, x| {
                powers.add_owning(owned, x);
            }),
            Product(v) => each_state(v, groups, &arg.floats(), |product, _, x| product.add(x)),
            Pairs(v, owned) => each_state(v, groups, &arg.decimals(), |pairs, _, x| {
                pairs.add_owning(owned, unpacked(x));
            }),
            Min(v) => pairs().for_each(|(&g, &x)| {
                let least = &mut v[g as usize];
                *least = x.min(*least);
            }),
            Max(v) => pairs().for_each(|(&g, &x)| {
                let most = &mut v[g as usize];
                *most = x.max(*most);
            }),
            MinDec(v) => {
                each_state(v, groups, &arg.decimals(), |least, _, x| *least = x.min(*least));
            }
            MaxDec(v) => {
                each_state(v, groups, &arg.decimals(), |most, _, x| *most = x.max(*most));
            }
            Text(v, max, owned) => {
                let Some(texts) = arg.texts() else { return };
                for (i, &g) in groups.iter().enumerate() {
                    text_extreme(
                        &mut v[g as usize],
                        texts.value(arg.row(i)).as_bytes(),
                        *max,
                        owned,
                    );
                }
            }
            Edge(v, end, owned) => {
                let mut keep = |row: usize, group: u32| {
                    let (held, at) = (&mut v[group as usize], arg.position + row as u64);
                    keep_edge(held, at, end.last, owned, || Value::of(arg.column, row));
                };
                match end.known {
                    true => (groups.iter().enumerate()).for_each(|(i, &g)| keep(arg.row(i), g)),
                    false => (all.iter().enumerate()).for_each(|(row, &g)| keep(row, g)),
                }
            }
            Texts(v, owned) => {
                let Some(texts) = arg.texts() else { return };
                for (i, &g) in groups.iter().enumerate() {
                    let text = texts.value(arg.row(i)).as_bytes();
                    let all = &mut v[g as usize];
                    let before = all.len();
                    super::codec::put_varint(all, text.len() as u128);
                    all.extend_from_slice(text);
                    *owned += all.len() - before;
                }
            }
        }
    }
}

/// The sum of some integers, in halves of 32 bits whose sums fit 64.
fn sum(values: &[i64]) -> i128 {
    let halves = |part: &[i64]| {
        let add = |(low, high): (u64, i64), &x: &i64| (low + u64::from(x as u32), high + (x >> 32));
        let (low, high) = part.iter().fold((0, 0), add);
        (i128::from(high) << 32) + i128::from(low)
    };
    values.chunks(1 << 20).map(halves).sum()
}

/// The number of nulls of a group; groups without any may lie beyond the end.
pub fn null_count(nulls: &mut Vec<u64>, group: u32) -> &mut u64 {
    let group = group as usize;
    if nulls.len() <= group {
        nulls.resize(group + 1, 0);
    }
    &mut nulls[group]
}

/// Adds into 128 bits and remembers what does not fit, in multiples of 2^128.
pub fn add_carry(total: &mut i128, carry: &mut HashMap<u32, i64>, g: u32, x: i128) {
    let (sum, over) = total.overflowing_add(x);
    *total = sum;
    if over {
        *carry.entry(g).or_default() += if x < 0 { -1 } else { 1 };
    }
}

/// Keeps the lesser or greater text.
pub fn text_extreme(best: &mut Text, text: &[u8], max: bool, owned: &mut usize) {
    let better = best
        .as_deref()
        .is_none_or(|b| if max { text > b } else { text < b });
    if better {
        *owned = *owned + text.len() + 8 - best.as_ref().map_or(0, |b| b.len() + 8);
        *best = Some(text.into());
    }
}

/// Keeps the earlier or later value.
pub fn keep_edge(
    held: &mut Option<(u64, Value)>,
    at: u64,
    last: bool,
    owned: &mut usize,
    value: impl FnOnce() -> Value,
) {
    let better = held
        .as_ref()
        .is_none_or(|(p, _)| if last { at > *p } else { at < *p });
    if better {
        let size = |v: &Value| if let Value::Text(t) = v { t.len() + 8 } else { 0 };
        let value = value();
        *owned = *owned + size(&value) - held.as_ref().map_or(0, |(_, v)| size(v));
        *held = Some((at, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float64Array, Int64Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn compact_drops_the_nulls(valid in prop::collection::vec(prop::bool::weighted(0.9), 0..400), offset in 0usize..70) {
            let offset = offset.min(valid.len());
            let nulls = NullBuffer::from(valid.clone()).slice(offset, valid.len() - offset);
            let values: Vec<i64> = (1..=nulls.len() as i64).collect();
            let want: Vec<i64> = values.iter().zip(&valid[offset..]).filter(|(_, v)| **v).map(|(x, _)| *x).collect();
            prop_assert_eq!(compact(&values, &nulls), want);
        }

        /// One group that is known to be the only one is as any other.
        #[test]
        fn one_group_is_as_one_of_many(
            ints in prop::collection::vec(prop_oneof![any::<i64>(), -9i64..9, Just(i64::MIN), Just(i64::MAX)], 1..200),
            valid in prop::collection::vec(any::<bool>(), 200),
            floats: bool, with_nulls: bool,
        ) {
            let n = ints.len();
            let valid = |i: usize| !with_nulls || valid[i];
            let array: ArrayRef = match floats {
                false => Arc::new(Int64Array::from_iter((0..n).map(|i| valid(i).then_some(ints[i])))),
                true => Arc::new(Float64Array::from_iter((0..n).map(|i| valid(i).then_some(f64::from_bits(ints[i] as u64))))),
            };
            let column = Col::new(&array).unwrap();
            let groups = vec![0; n];
            let arg = Arg::new(&column, &groups, 0, Needs { ints: true, rows: true });
            let sum = if floats { Kind::SumFloat } else { Kind::SumInt };
            for kind in [Kind::Rows, Kind::Nulls, sum, Kind::MinInt, Kind::MaxInt] {
                let (mut one, mut other) = (State::new(kind), State::new(kind));
                one.resize(1);
                other.resize(1);
                for _ in 0..2 {
                    prop_assert!(one.update_only(Some(&arg), n));
                    other.update(Some(&arg), &groups);
                }
                let (mut a, mut b) = (vec![], vec![]);
                one.encode(0, &mut a);
                other.encode(0, &mut b);
                prop_assert_eq!(a, b, "{:?}", kind);
            }
        }
    }
}
