//! The states of aggregates: one array of them for each primitive, indexed by group number.
//!
//! `mean(x)`, `sum(x)` and `count(x)` are made of the same primitives, so a spec is first taken
//! apart into [`Primitive`]s without repetition. A state can be *exported* as Arrow columns and
//! *merged* back in any order and any grouping with the same result to the last bit: integers are
//! summed in 128 bits, floats exactly (`kernel::exact`), first and last carry their row's place.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Decimal128Array, Int64Array, UInt64Array,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, UInt64Type};

use super::bag::Bag;
use super::columns::{Column, Values, float_bits};
use super::keys;
use crate::error::{Error, Result};
use crate::kernel::exact::{ExactMoments, ExactSum};

/// What is remembered of a column for each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// Rows, or values that are not null.
    Count,
    /// Exact sum of integers, booleans or decimals.
    SumInt,
    /// Exact sum of floats.
    SumFloat,
    /// Count, sum and sum of squares of integers.
    MomentsInt,
    /// The same of floats.
    MomentsFloat,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// First value in input order.
    First,
    /// Last value in input order.
    Last,
    /// All distinct values and how often each occurs.
    Bag,
}

/// The states of one primitive.
pub enum States {
    Count(Vec<i64>),
    SumInt(Vec<i128>),
    SumFloat(Vec<ExactSum>),
    MomentsInt(Vec<(i64, i128, i128)>),
    MomentsFloat(Vec<ExactMoments>),
    /// Least (or greatest) number as ordered bits, for all types but text.
    Extreme {
        best: Vec<Option<u64>>,
        wide: Vec<Option<i128>>,
        greatest: bool,
    },
    ExtremeText {
        best: Vec<Option<Box<[u8]>>>,
        greatest: bool,
        held: usize,
    },
    Place {
        best: Vec<Option<(u64, Box<[u8]>)>>,
        last: bool,
        held: usize,
    },
    Bag(Box<Bag>),
}

impl States {
    /// No states yet, for values of a type.
    pub fn new(p: Primitive, ty: &DataType) -> States {
        match p {
            Primitive::Count => States::Count(vec![]),
            Primitive::SumInt => States::SumInt(vec![]),
            Primitive::SumFloat => States::SumFloat(vec![]),
            Primitive::MomentsInt => States::MomentsInt(vec![]),
            Primitive::MomentsFloat => States::MomentsFloat(vec![]),
            Primitive::Min | Primitive::Max => {
                let greatest = p == Primitive::Max;
                match ty {
                    DataType::Utf8View => States::ExtremeText {
                        best: vec![],
                        greatest,
                        held: 0,
                    },
                    _ => States::Extreme {
                        best: vec![],
                        wide: vec![],
                        greatest,
                    },
                }
            }
            Primitive::First | Primitive::Last => States::Place {
                best: vec![],
                last: p == Primitive::Last,
                held: 0,
            },
            Primitive::Bag => States::Bag(Box::new(Bag::new(ty))),
        }
    }

    /// The Arrow columns that [`States::export`] makes.
    pub fn exported_types(p: Primitive) -> Vec<DataType> {
        let list = |t: DataType| DataType::List(Arc::new(Field::new_list_field(t, true)));
        match p {
            Primitive::Count => vec![DataType::Int64],
            Primitive::SumInt => vec![DataType::Decimal128(38, 0)],
            Primitive::MomentsInt => {
                vec![
                    DataType::Int64,
                    DataType::Decimal128(38, 0),
                    DataType::Decimal128(38, 0),
                ]
            }
            Primitive::First | Primitive::Last => vec![DataType::UInt64, DataType::Binary],
            Primitive::Bag => vec![list(DataType::Binary), list(DataType::UInt64)],
            _ => vec![DataType::Binary],
        }
    }

    /// Room for `groups` groups.
    pub fn resize(&mut self, groups: usize) {
        match self {
            States::Count(v) => v.resize(groups, 0),
            States::SumInt(v) => v.resize(groups, 0),
            States::SumFloat(v) => v.resize_with(groups, ExactSum::default),
            States::MomentsInt(v) => v.resize(groups, (0, 0, 0)),
            States::MomentsFloat(v) => v.resize_with(groups, ExactMoments::default),
            States::Extreme { best, wide, .. } => {
                best.resize(groups, None);
                if !wide.is_empty() {
                    wide.resize(groups, None);
                }
            }
            States::ExtremeText { best, .. } => best.resize(groups, None),
            States::Place { best, .. } => best.resize(groups, None),
            States::Bag(_) => {}
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match self {
            States::Count(v) => v.capacity() * 8,
            States::SumInt(v) => v.capacity() * 16,
            States::SumFloat(v) => v.capacity() * size_of::<ExactSum>(),
            States::MomentsInt(v) => v.capacity() * size_of::<(i64, i128, i128)>(),
            States::MomentsFloat(v) => v.capacity() * size_of::<ExactMoments>(),
            States::Extreme { best, wide, .. } => best.capacity() * 16 + wide.capacity() * 32,
            States::ExtremeText { best, held, .. } => best.capacity() * 16 + held,
            States::Place { best, held, .. } => best.capacity() * 24 + held,
            States::Bag(b) => b.bytes(),
        }
    }

    /// Bytes for one more group, and for one more row, at most (beyond the growth of doubling).
    pub fn cost(&self) -> (usize, usize) {
        match self {
            States::Count(_) => (8, 0),
            States::SumInt(_) => (16, 0),
            States::SumFloat(_) => (size_of::<ExactSum>(), 0),
            States::MomentsInt(_) => (48, 0),
            States::MomentsFloat(_) => (size_of::<ExactMoments>(), 0),
            States::Extreme { .. } => (16, 0),
            States::ExtremeText { .. } => (48, 0),
            States::Place { .. } => (56, 0),
            States::Bag(_) => (0, 24),
        }
    }

    /// Takes the rows of a batch in: row `i` belongs to `groups[i]`. Without an argument, rows
    /// count.
    pub fn update(&mut self, groups: &[u32], position: u64, arg: Option<&Column>) -> Result<()> {
        let Some(c) = arg else {
            if let States::Count(v) = self {
                groups.iter().for_each(|&g| v[g as usize] += 1);
            }
            return Ok(());
        };
        match self {
            States::Count(v) => each(c, groups, |_, g| v[g] += 1),
            States::SumInt(v) => match &c.values {
                Values::Int(x) => each(c, groups, |i, g| v[g] += x[i] as i128),
                Values::Bool(x) => each(c, groups, |i, g| v[g] += x.value(i) as i128),
                Values::Decimal(x) => each(c, groups, |i, g| v[g] += x[i]),
                _ => {}
            },
            States::SumFloat(v) => {
                if let Values::Float(x) = &c.values {
                    each(c, groups, |i, g| v[g].add(x[i]));
                }
            }
            States::MomentsInt(v) => {
                let mut failed = false;
                let mut add = |g: usize, x: i128| {
                    let s = &mut v[g];
                    s.0 += 1;
                    s.1 += x;
                    match x.checked_mul(x).and_then(|q| s.2.checked_add(q)) {
                        Some(q) => s.2 = q,
                        None => failed = true,
                    }
                };
                match &c.values {
                    Values::Int(x) => each(c, groups, |i, g| add(g, x[i] as i128)),
                    Values::Bool(x) => each(c, groups, |i, g| add(g, x.value(i) as i128)),
                    _ => {}
                }
                if failed {
                    return Err(Error::query("the sum of squares overflows 128 bits")
                        .help("cast the column to float"));
                }
            }
            States::MomentsFloat(v) => match &c.values {
                Values::Float(x) => each(c, groups, |i, g| v[g].add(x[i])),
                _ => return Err(Error::defect("moments of something that is no float")),
            },
            States::Extreme { best, wide, greatest } => extreme(best, wide, *greatest, c, groups),
            States::ExtremeText { best, greatest, held } => {
                let mut keep = |g: usize, t: &[u8]| better_text(&mut best[g], t, *greatest, held);
                match &c.values {
                    Values::Text(a) => each(c, groups, |i, g| keep(g, a.value(i).as_bytes())),
                    Values::Dictionary(codes, a) => each(c, groups, |i, g| {
                        let code = codes[i] as usize;
                        if a.is_valid(code) {
                            keep(g, a.value(code).as_bytes())
                        }
                    }),
                    _ => {}
                }
            }
            States::Place { best, last, held } => {
                let mut buffer = Vec::new();
                each(c, groups, |i, g| {
                    let at = position + i as u64;
                    let wins = best[g]
                        .as_ref()
                        .is_none_or(|(p, _)| if *last { at > *p } else { at < *p });
                    if wins && keys::value_bytes(c, i, &mut buffer) {
                        *held += buffer.len() + 16;
                        best[g] = Some((at, buffer.as_slice().into()));
                    }
                });
            }
            States::Bag(b) => b.update(groups, c)?,
        }
        Ok(())
    }

    /// The states of some groups as Arrow columns.
    pub fn export(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let of = groups.iter().map(|&g| g as usize);
        match self {
            States::Count(v) => vec![Arc::new(Int64Array::from_iter_values(of.map(|g| v[g])))],
            States::SumInt(v) => vec![decimals(of.map(|g| v[g]))],
            States::SumFloat(v) => vec![encoded(of, |g, out| v[g].encode(out))],
            States::MomentsInt(v) => vec![
                Arc::new(Int64Array::from_iter_values(of.clone().map(|g| v[g].0))),
                decimals(of.clone().map(|g| v[g].1)),
                decimals(of.map(|g| v[g].2)),
            ],
            States::MomentsFloat(v) => vec![encoded(of, |g, out| v[g].encode(out))],
            States::Extreme { best, wide, .. } => {
                let mut b = BinaryBuilder::new();
                for g in of {
                    match (best[g], wide.get(g).copied().flatten()) {
                        (_, Some(w)) => b.append_value(w.to_le_bytes()),
                        (Some(x), None) => b.append_value(x.to_le_bytes()),
                        (None, None) => b.append_null(),
                    }
                }
                vec![Arc::new(b.finish())]
            }
            States::ExtremeText { best, .. } => {
                vec![Arc::new(of.map(|g| best[g].as_deref()).collect::<BinaryArray>())]
            }
            States::Place { best, .. } => vec![
                Arc::new(
                    of.clone()
                        .map(|g| best[g].as_ref().map(|b| b.0))
                        .collect::<UInt64Array>(),
                ),
                Arc::new(
                    of.map(|g| best[g].as_ref().map(|b| &*b.1))
                        .collect::<BinaryArray>(),
                ),
            ],
            States::Bag(b) => b.export(groups),
        }
    }

    /// Takes exported states in: row `i` belongs to `groups[i]`.
    pub fn merge(&mut self, groups: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let to = groups.iter().map(|&g| g as usize).enumerate();
        match self {
            States::Count(v) => {
                let x = columns[0].as_primitive::<Int64Type>().values();
                to.for_each(|(i, g)| v[g] += x[i]);
            }
            States::SumInt(v) => {
                let x = columns[0].as_primitive::<Decimal128Type>().values();
                to.for_each(|(i, g)| v[g] += x[i]);
            }
            States::SumFloat(v) => {
                let x = columns[0].as_binary::<i32>();
                for (i, g) in to {
                    v[g].merge(&ExactSum::decode(x.value(i)).ok_or_else(damaged)?);
                }
            }
            States::MomentsInt(v) => {
                let n = columns[0].as_primitive::<Int64Type>().values();
                let s = columns[1].as_primitive::<Decimal128Type>().values();
                let q = columns[2].as_primitive::<Decimal128Type>().values();
                for (i, g) in to {
                    let state = &mut v[g];
                    state.0 += n[i];
                    state.1 += s[i];
                    state.2 = state
                        .2
                        .checked_add(q[i])
                        .ok_or_else(|| Error::query("the sum of squares overflows 128 bits"))?;
                }
            }
            States::MomentsFloat(v) => {
                let x = columns[0].as_binary::<i32>();
                for (i, g) in to {
                    v[g].merge(&ExactMoments::decode(x.value(i)).ok_or_else(damaged)?);
                }
            }
            States::Extreme { best, wide, greatest } => {
                merge_extreme(best, wide, *greatest, to, columns[0].as_binary())
            }
            States::ExtremeText { best, greatest, held } => {
                let x = columns[0].as_binary::<i32>();
                to.filter(|(i, _)| x.is_valid(*i))
                    .for_each(|(i, g)| better_text(&mut best[g], x.value(i), *greatest, held));
            }
            States::Place { best, last, held } => {
                let at = columns[0].as_primitive::<UInt64Type>();
                let x = columns[1].as_binary::<i32>();
                for (i, g) in to.filter(|(i, _)| at.is_valid(*i)) {
                    let p = at.value(i);
                    if best[g]
                        .as_ref()
                        .is_none_or(|(q, _)| if *last { p > *q } else { p < *q })
                    {
                        *held += x.value(i).len() + 16;
                        best[g] = Some((p, x.value(i).into()));
                    }
                }
            }
            States::Bag(b) => b.merge(groups, columns)?,
        }
        Ok(())
    }
}

fn damaged() -> Error {
    Error::defect("a damaged aggregate state")
}

/// Calls `f(row, group)` for each row that is not null.
#[inline(always)]
fn each(c: &Column, groups: &[u32], mut f: impl FnMut(usize, usize)) {
    match (&c.values, c.nulls) {
        (Values::Null, _) => {}
        (_, None) => groups.iter().enumerate().for_each(|(i, &g)| f(i, g as usize)),
        (_, Some(nulls)) => {
            for (i, &g) in groups.iter().enumerate() {
                if nulls.is_valid(i) {
                    f(i, g as usize);
                }
            }
        }
    }
}

/// Signed integers as bits that compare in the same order.
#[inline]
pub fn int_bits(x: i64) -> u64 {
    x as u64 ^ (1 << 63)
}

/// The integer of [`int_bits`].
#[inline]
pub fn bits_int(b: u64) -> i64 {
    (b ^ (1 << 63)) as i64
}

fn extreme(
    best: &mut [Option<u64>],
    wide: &mut Vec<Option<i128>>,
    greatest: bool,
    c: &Column,
    groups: &[u32],
) {
    let keep = |slot: &mut Option<u64>, x: u64| {
        let wins = slot.is_none_or(|b| if greatest { x > b } else { x < b });
        if wins {
            *slot = Some(x);
        }
    };
    match &c.values {
        Values::Int(x) => each(c, groups, |i, g| keep(&mut best[g], int_bits(x[i]))),
        Values::Date(x) => each(c, groups, |i, g| keep(&mut best[g], int_bits(x[i] as i64))),
        Values::Bool(x) => each(c, groups, |i, g| keep(&mut best[g], int_bits(x.value(i) as i64))),
        Values::Float(x) => each(c, groups, |i, g| keep(&mut best[g], float_bits(x[i]))),
        Values::Decimal(x) => {
            wide.resize(best.len(), None);
            each(c, groups, |i, g| keep_wide(&mut wide[g], x[i], greatest));
        }
        _ => {}
    }
}

fn keep_wide(slot: &mut Option<i128>, x: i128, greatest: bool) {
    if slot.is_none_or(|b| if greatest { x > b } else { x < b }) {
        *slot = Some(x);
    }
}

fn merge_extreme(
    best: &mut [Option<u64>],
    wide: &mut Vec<Option<i128>>,
    greatest: bool,
    to: impl Iterator<Item = (usize, usize)>,
    x: &BinaryArray,
) {
    for (i, g) in to.filter(|(i, _)| x.is_valid(*i)) {
        let b = x.value(i);
        if let Ok(w) = <[u8; 16]>::try_from(b) {
            wide.resize(best.len(), None);
            keep_wide(&mut wide[g], i128::from_le_bytes(w), greatest);
        } else if let Ok(w) = <[u8; 8]>::try_from(b) {
            let v = u64::from_le_bytes(w);
            if best[g].is_none_or(|b| if greatest { v > b } else { v < b }) {
                best[g] = Some(v);
            }
        }
    }
}

fn better_text(slot: &mut Option<Box<[u8]>>, t: &[u8], greatest: bool, held: &mut usize) {
    let wins = slot
        .as_deref()
        .is_none_or(|b| if greatest { t > b } else { t < b });
    if wins {
        *held += t.len();
        *held -= slot.as_deref().map_or(0, <[u8]>::len);
        *slot = Some(t.into());
    }
}

fn decimals(v: impl Iterator<Item = i128>) -> ArrayRef {
    Arc::new(Decimal128Array::from_iter_values(v).with_data_type(DataType::Decimal128(38, 0)))
}

fn encoded(groups: impl Iterator<Item = usize>, encode: impl Fn(usize, &mut Vec<u8>)) -> ArrayRef {
    let mut b = BinaryBuilder::new();
    let mut buffer = Vec::new();
    for g in groups {
        buffer.clear();
        encode(g, &mut buffer);
        b.append_value(&buffer);
    }
    Arc::new(b.finish())
}
