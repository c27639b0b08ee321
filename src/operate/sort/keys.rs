//! Keys as numbers: 128 bits of each row that compare as its keys do.
//!
//! ```text
//!   head of a row:  | code of key 0 | code of key 1 | …            | inexact |
//!   integer code:     null or 1 + (value - least), clamped           set where a code was cut
//!   text code:        first bytes, then min(length, bytes + 1) + 1   (a longer text, a huge integer)
//! ```
//!
//! Descending codes are complemented; a null is the least or greatest code. Once a code of a row is
//! cut, the codes behind it are zero; a code is cut in all rows that have it or in none, lest what is
//! behind it decide between different values. So different heads always tell the order, and equal heads
//! need a look at the values ([`Codec::compare`]) only if their inexact bit is set.

use std::cmp::Ordering;

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};

use super::SortSpec;
use super::cells::{Block, Cells, Int, ints};
use super::packing::KeyColumn;
use crate::error::{Error, Result};

/// The code bits of all keys together; one more says inexact.
const BITS: u32 = 127;
/// A code narrower than this tells too little.
const LEAST_BITS: u32 = 16;
/// Bits of a text code that hold the length.
const LENGTH_BITS: u32 = 5;
/// How cells hold -0.0.
const MINUS_ZERO: i128 = -1;

#[derive(Debug, Clone)]
struct Key {
    column: usize,
    descending: bool,
    nulls_first: bool,
    /// Bits in the head, zero if it has no place there.
    bits: u32,
    float: bool,
}

/// Turns rows into heads and compares them.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    keys: Vec<Key>,
    /// Schema columns whose keys are hidden columns of bytes, made by `arrow::row`.
    pub(super) hidden: Vec<usize>,
}

/// How cells hold a type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Int,
    Text,
    Other,
}

/// How cells hold values of `ty`.
pub(super) fn kind(ty: &DataType) -> Kind {
    use DataType::*;
    match ty {
        Null | Boolean | Int64 | Float64 | Decimal128(..) | Date32 => Kind::Int,
        Timestamp(TimeUnit::Microsecond, _) => Kind::Int,
        Utf8View => Kind::Text,
        _ => Kind::Other,
    }
}

fn wanted_bits(ty: &DataType) -> u32 {
    match ty {
        DataType::Null | DataType::Boolean => 3,
        DataType::Date32 => 33,
        DataType::Int64 | DataType::Timestamp(..) | DataType::Float64 => 65,
        _ => BITS,
    }
}

impl Codec {
    pub(super) fn new(spec: &SortSpec, schema: &SchemaRef) -> Result<Codec> {
        let mut keys: Vec<Key> = Vec::new();
        let mut hidden = Vec::new();
        let mut left = BITS;
        for k in &spec.keys {
            if k.column >= schema.fields().len() {
                return Err(Error::defect("a sort key beyond the columns"));
            }
        }
        let types: Vec<&DataType> = spec
            .keys
            .iter()
            .map(|k| schema.field(k.column).data_type())
            .collect();
        for (i, k) in spec.keys.iter().enumerate() {
            let after: u32 = types[i + 1..].iter().map(|t| wanted_bits(t)).sum();
            let share = (left / (types.len() - i) as u32).max(left.saturating_sub(after));
            let want = wanted_bits(types[i]);
            let mut bits = want.min(share);
            if bits < want && bits < LEAST_BITS {
                (bits, left) = (0, 0);
            }
            let mut key = Key {
                column: k.column,
                descending: k.descending,
                nulls_first: k.nulls_first,
                bits,
                float: *types[i] == DataType::Float64,
            };
            match kind(types[i]) {
                Kind::Int => {}
                Kind::Text => key.bits = text_bits(bits),
                Kind::Other => {
                    key.column = schema.fields().len() + hidden.len();
                    key.bits = text_bits(bits);
                    // The hidden bytes have direction and nulls within them.
                    (key.descending, key.nulls_first) = (false, true);
                    hidden.push(i);
                }
            }
            left -= key.bits;
            keys.push(key);
        }
        Ok(Codec { keys, hidden })
    }

    /// Bits of a head, short of the last one, behind those of the first `keys`.
    pub(super) fn bits_behind(&self, keys: usize) -> u32 {
        self.keys.iter().skip(keys).map(|k| k.bits).sum()
    }

    /// The columns of a block that hold keys.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().map(|k| k.column)
    }

    /// Column, descending, nulls first of each key; none if a key is a float, whose values span too
    /// much to be packed.
    pub(super) fn packable(&self) -> Option<Vec<(usize, bool, bool)>> {
        let keys = self.keys.iter();
        keys.map(|k| (!k.float).then_some((k.column, k.descending, k.nulls_first)))
            .collect()
    }

    /// The keys, for exact codes.
    pub(super) fn key_columns(&self) -> Vec<KeyColumn> {
        let keys = self.keys.iter().map(|k| KeyColumn {
            column: k.column,
            descending: k.descending,
            nulls_first: k.nulls_first,
            float: k.float,
        });
        keys.collect()
    }

    /// The heads of the rows `from..to`.
    pub(super) fn heads(&self, block: &Block, from: usize, to: usize) -> Vec<u128> {
        let mut heads = vec![0u128; to - from];
        // 1 where a code of the row was cut.
        let mut cut = vec![0u8; to - from];
        for key in &self.keys {
            if key.bits == 0 {
                cut.fill(1);
                break;
            }
            match &block.columns[key.column] {
                Cells::Bytes(a) => {
                    let n = ((key.bits - LENGTH_BITS) / 8) as usize;
                    let null = |i: usize| a.is_null(i + from);
                    let code = |i: usize| text_code(a.value(i + from), n);
                    key.append(&mut heads, &mut cut, null, code);
                }
                cells => {
                    ints!(cells, v => {
                        let v = &v[from..to];
                        let null = |i: usize| v[i].wide() == i128::MIN;
                        if key.float && key.bits < 65 {
                            // the last bit tells a float that was cut from the one it was cut to
                            let shift = 66 - key.bits;
                            let code = |i: usize| {
                                let all = (key.value(v[i]) - i64::MIN as i128) as u128;
                                let cut = all & ((1 << shift) - 1) != 0;
                                ((all >> shift) << 1 | u128::from(cut), cut)
                            };
                            key.append(&mut heads, &mut cut, null, code);
                        } else {
                            let most = 1i128 << (key.bits - 1);
                            let code = |i: usize| {
                                let x = key.value(v[i]);
                                let c = x.clamp(1 - most, most - 2);
                                // a value at a bound looks like those beyond it
                                ((c + most) as u128, c <= 1 - most || c >= most - 2)
                            };
                            key.append(&mut heads, &mut cut, null, code);
                        }
                    }, _ => cut.fill(1))
                }
            }
        }
        for (h, c) in heads.iter_mut().zip(&cut) {
            *h = (*h << 1) | *c as u128;
        }
        heads
    }

    /// The order of two rows by their keys alone.
    pub(super) fn compare(&self, a: &Block, i: usize, b: &Block, j: usize) -> Ordering {
        for key in &self.keys {
            let order = match (&a.columns[key.column], &b.columns[key.column]) {
                (Cells::Bytes(x), Cells::Bytes(y)) => {
                    let x = x.is_valid(i).then(|| x.value(i));
                    let y = y.is_valid(j).then(|| y.value(j));
                    key.compare(x, y)
                }
                (x, y) => {
                    let zero = |v: i128| if key.float && v == MINUS_ZERO { 0 } else { v };
                    key.compare(x.int(i).map(zero), y.int(j).map(zero))
                }
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl Key {
    /// The value to compare by: minus zero equals zero.
    #[inline(always)]
    fn value<T: Int>(&self, x: T) -> i128 {
        let v = x.wide();
        if self.float && v == MINUS_ZERO { 0 } else { v }
    }

    fn append(
        &self,
        heads: &mut [u128],
        cut: &mut [u8],
        null: impl Fn(usize) -> bool,
        code: impl Fn(usize) -> (u128, bool),
    ) {
        let all = (1u128 << self.bits) - 1;
        let null_code = if self.nulls_first { 0 } else { all };
        let flip = if self.descending { all } else { 0 };
        for (i, (h, c)) in heads.iter_mut().zip(cut).enumerate() {
            let (code, cut_now) = match null(i) {
                true => (null_code, false),
                false => {
                    let (code, cut_now) = code(i);
                    (code ^ flip, cut_now)
                }
            };
            let code = if *c == 0 { code } else { 0 };
            *h = (*h << self.bits) | code;
            *c |= cut_now as u8;
        }
    }

    fn compare<T: Ord>(&self, x: Option<T>, y: Option<T>) -> Ordering {
        match (x, y) {
            (Some(x), Some(y)) if self.descending => y.cmp(&x),
            (Some(x), Some(y)) => x.cmp(&y),
            (None, None) => Ordering::Equal,
            (None, Some(_)) if self.nulls_first => Ordering::Less,
            (Some(_), None) if !self.nulls_first => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

fn text_bits(bits: u32) -> u32 {
    match bits {
        0 => 0,
        _ => (bits - LENGTH_BITS) / 8 * 8 + LENGTH_BITS,
    }
}

/// The first `n` bytes and the length, and whether bytes were cut.
#[inline]
fn text_code(text: &[u8], n: usize) -> (u128, bool) {
    let mut first = [0u8; 16];
    let m = text.len().min(n);
    first[16 - n..16 - n + m].copy_from_slice(&text[..m]);
    let length = text.len().min(n + 1) as u128 + 1;
    (
        (u128::from_be_bytes(first) << LENGTH_BITS) | length,
        text.len() > n,
    )
}
