//! How the sort keeps rows: each column as plain integers of the least width, or as bytes.
//!
//! ```text
//!   Int64, Date32, Timestamp, Boolean, Float64*, Decimal, ids of a dictionary ─► I8 I16 I32 I64 I128
//!   text (as a key, or with too many different values)                        ─► Bytes
//!   anything else (nested, binary, intervals)                                 ─► Other
//!
//!   null = the smallest integer of the width;   * floats by their order-preserving bits
//! ```
//!
//! A null costs no bitmap and a float needs no special comparison, so that sorting, gathering and
//! merging move plain integers. A [`Block`] of such cells is what lies in a run: in memory, or as
//! one block of a spill file.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Decimal128Array, Int8Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, UInt64Array,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt64Type,
};

use crate::error::{Error, Result};

/// One column of some rows.
#[derive(Debug, Clone)]
pub(in crate::operate) enum Cells {
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
    I128(ScalarBuffer<i128>),
    Bytes(BinaryArray),
    Other(ArrayRef),
}

/// Runs `$body` with `$v` the integers of `$cells`; `$other` when it has none.
macro_rules! ints {
    ($cells:expr, $v:ident => $body:expr, $other:pat => $else:expr) => {
        match $cells {
            Cells::I8($v) => $body,
            Cells::I16($v) => $body,
            Cells::I32($v) => $body,
            Cells::I64($v) => $body,
            Cells::I128($v) => $body,
            $other => $else,
        }
    };
}
pub(in crate::operate) use ints;

/// An integer of any width with the null of its width.
pub(in crate::operate) trait Int: Copy + Ord + arrow::datatypes::ArrowNativeType {
    const NULL: Self;
    /// As i64, null staying null; only for widths up to 64 bits meaningful.
    fn long(self) -> i64;
    /// As i128, null staying null.
    fn wide(self) -> i128;
}

macro_rules! impl_int {
    ($($t:ty),*) => {$(
        impl Int for $t {
            const NULL: $t = <$t>::MIN;
            #[inline(always)]
            fn long(self) -> i64 {
                if self == Self::NULL { i64::MIN } else { self as i64 }
            }
            #[inline(always)]
            fn wide(self) -> i128 {
                if self == Self::NULL { i128::MIN } else { self as i128 }
            }
        }
    )*};
}
impl_int!(i8, i16, i32, i64, i128);

/// The least and the greatest value, crossed if all are null.
pub(in crate::operate) fn min_max<T: Int>(values: &[T]) -> (i128, i128) {
    let mut low: Option<T> = None;
    let mut high = T::NULL;
    for &v in values {
        high = high.max(v);
        if v != T::NULL {
            low = Some(low.map_or(v, |l| l.min(v)));
        }
    }
    match low {
        Some(low) => (low.wide(), high.wide()),
        None => (i128::MAX, i128::MIN),
    }
}

/// The width of integer cells, ordered.
pub(in crate::operate) type Width = u8;

fn width_of(min: i128, max: i128) -> Width {
    let fits = |low: i128, high: i128| min > low && max <= high;
    match () {
        _ if fits(i8::MIN as i128, i8::MAX as i128) => 1,
        _ if fits(i16::MIN as i128, i16::MAX as i128) => 2,
        _ if fits(i32::MIN as i128, i32::MAX as i128) => 4,
        _ if fits(i64::MIN as i128, i64::MAX as i128) => 8,
        _ => 16,
    }
}

impl Cells {
    /// The least width, but `at_least`, for 64-bit values.
    pub(in crate::operate) fn narrow(values: &[i64], nulls: Option<&NullBuffer>, at_least: Width) -> Cells {
        let nulls = nulls.filter(|n| n.null_count() > 0);
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        match nulls {
            None => {
                for &v in values {
                    min = min.min(v);
                    max = max.max(v);
                }
            }
            Some(nulls) => {
                for i in nulls.valid_indices() {
                    min = min.min(values[i]);
                    max = max.max(values[i]);
                }
            }
        }
        let width = match min > max {
            true => at_least.max(1),
            false => width_of(min as i128, max as i128).max(at_least),
        };
        macro_rules! pack {
            ($t:ty) => {{
                match nulls {
                    None => values.iter().map(|&v| v as $t).collect::<Vec<$t>>().into(),
                    Some(n) => {
                        let pick = |(&v, ok)| if ok { v as $t } else { <$t>::MIN };
                        values
                            .iter()
                            .zip(n.iter())
                            .map(pick)
                            .collect::<Vec<$t>>()
                            .into()
                    }
                }
            }};
        }
        match width {
            1 => Cells::I8(pack!(i8)),
            2 => Cells::I16(pack!(i16)),
            4 => Cells::I32(pack!(i32)),
            8 => Cells::I64(pack!(i64)),
            _ => Cells::I128(pack!(i128)),
        }
    }

    /// The same for 128-bit values.
    pub(in crate::operate) fn narrow_wide(
        values: &[i128],
        nulls: Option<&NullBuffer>,
        at_least: Width,
    ) -> Cells {
        let valid = |i: usize| nulls.is_none_or(|n| n.is_valid(i));
        let fits = |&v: &i128| v > i64::MIN as i128 && v <= i64::MAX as i128;
        if at_least < 16 && values.iter().enumerate().all(|(i, v)| !valid(i) || fits(v)) {
            let long: Vec<i64> = values.iter().map(|&v| v as i64).collect();
            return Cells::narrow(&long, nulls, at_least);
        }
        let wide = values
            .iter()
            .enumerate()
            .map(|(i, &v)| if valid(i) { v } else { i128::MIN });
        Cells::I128(wide.collect::<Vec<_>>().into())
    }

    pub(in crate::operate) fn len(&self) -> usize {
        ints!(self, v => v.len(), other => match other {
            Cells::Bytes(a) => a.len(),
            Cells::Other(a) => a.len(),
            _ => 0,
        })
    }

    /// Bytes of an integer cell; zero for others.
    pub(in crate::operate) fn width(&self) -> Width {
        match self {
            Cells::I8(_) => 1,
            Cells::I16(_) => 2,
            Cells::I32(_) => 4,
            Cells::I64(_) => 8,
            Cells::I128(_) => 16,
            _ => 0,
        }
    }

    /// Bytes held.
    pub(in crate::operate) fn bytes(&self) -> usize {
        match self {
            Cells::Bytes(a) => {
                let data = a.value_offsets();
                (data[a.len()] - data[0]) as usize + 5 * a.len() + 64
            }
            Cells::Other(a) => a.get_array_memory_size(),
            ints => ints.len() * ints.width() as usize + 64,
        }
    }

    /// An integer cell; none for null.
    pub(in crate::operate) fn int(&self, row: usize) -> Option<i128> {
        ints!(self, v => Some(v[row].wide()).filter(|&x| x != i128::MIN), _ => None)
    }

    /// The same integers, wider.
    pub(in crate::operate) fn widened(&self, width: Width) -> Cells {
        let at: Vec<(u32, u32)> = (0..self.len() as u32).map(|r| (0, r)).collect();
        match self.width() {
            0 => self.clone(),
            _ => gather_ints(&[self], &at, width),
        }
    }

    /// Ids as what `map` has for them, at least so wide; null stays null.
    pub(in crate::operate) fn mapped(&self, map: &[i32], width: Width) -> Cells {
        macro_rules! go {
            ($variant:ident, $t:ty) => {{
                let map: Vec<$t> = map.iter().map(|&x| x as $t).collect();
                let new: Vec<$t> = ints!(self, v => v.iter().map(|&x| match x.long() {
                    i64::MIN => <$t>::MIN,
                    id => map[id as usize],
                }).collect(), _ => return self.clone());
                Cells::$variant(new.into())
            }};
        }
        match width.max(self.width()) {
            1 => go!(I8, i8),
            2 => go!(I16, i16),
            4 => go!(I32, i32),
            _ => go!(I64, i64),
        }
    }

    /// Ranks or ids as the texts of a dictionary that they stand for.
    pub(in crate::operate) fn spelled(&self, dictionary: &BinaryArray) -> Cells {
        let text = |i: usize| self.int(i).map(|id| dictionary.value(id as usize));
        Cells::Bytes((0..self.len()).map(text).collect())
    }

    /// The cells of `parts` at `(part, row)`, in that order. The parts are all integers, all bytes
    /// or all other.
    pub(in crate::operate) fn gather(parts: &[&Cells], at: &[(u32, u32)]) -> Result<Cells> {
        let Some(first) = parts.first() else {
            return Err(Error::defect("sort: nothing to gather from"));
        };
        if first.width() > 0 {
            let width = parts.iter().map(|p| p.width()).max().unwrap_or(1);
            if parts.iter().any(|p| p.width() == 0) {
                return Err(Error::defect("sort: a column is kept in two ways"));
            }
            return Ok(gather_ints(parts, at, width));
        }
        let at: Vec<(usize, usize)> = at.iter().map(|&(p, r)| (p as usize, r as usize)).collect();
        let arrays: Option<Vec<&dyn Array>> = parts
            .iter()
            .map(|p| match p {
                Cells::Bytes(a) => Some(a as &dyn Array),
                Cells::Other(a) => Some(a.as_ref()),
                _ => None,
            })
            .collect();
        let arrays = arrays.ok_or_else(|| Error::defect("sort: a column is kept in two ways"))?;
        let array = compute::interleave(&arrays, &at)?;
        Ok(match first {
            Cells::Bytes(_) => Cells::Bytes(array.as_binary::<i32>().clone()),
            _ => Cells::Other(array),
        })
    }

    /// The integers in some rows of each part, one part after the other.
    pub(in crate::operate) fn concat_ranges(parts: &[(&Cells, Range<usize>)]) -> Result<Cells> {
        let rows = parts.iter().map(|(_, r)| r.len()).sum();
        macro_rules! concat {
            ($variant:ident, $t:ty) => {{
                let mut out: Vec<$t> = Vec::with_capacity(rows);
                for (cells, range) in parts {
                    if let Cells::$variant(v) = cells {
                        out.extend_from_slice(&v[range.clone()]);
                        continue;
                    }
                    let narrow = |x: i128| if x == i128::MIN { <$t>::MIN } else { x as $t };
                    ints!(cells, v => out.extend(v[range.clone()].iter().map(|x| narrow(x.wide()))),
                        _ => return Err(Error::defect("sort: no integers to concatenate")));
                }
                Cells::$variant(out.into())
            }};
        }
        Ok(match parts.iter().map(|(c, _)| c.width()).max().unwrap_or(1) {
            1 => concat!(I8, i8),
            2 => concat!(I16, i16),
            4 => concat!(I32, i32),
            8 => concat!(I64, i64),
            _ => concat!(I128, i128),
        })
    }

    fn to_array(&self) -> ArrayRef {
        match self {
            Cells::I8(v) => Arc::new(Int8Array::new(v.clone(), None)),
            Cells::I16(v) => Arc::new(Int16Array::new(v.clone(), None)),
            Cells::I32(v) => Arc::new(Int32Array::new(v.clone(), None)),
            Cells::I64(v) => Arc::new(Int64Array::new(v.clone(), None)),
            Cells::I128(v) => Arc::new(Decimal128Array::new(v.clone(), None)),
            Cells::Bytes(a) => Arc::new(a.clone()),
            Cells::Other(a) => a.clone(),
        }
    }

    fn from_array(a: &ArrayRef, other: bool) -> Cells {
        match a.data_type() {
            _ if other => Cells::Other(a.clone()),
            DataType::Int8 => Cells::I8(a.as_primitive::<Int8Type>().values().clone()),
            DataType::Int16 => Cells::I16(a.as_primitive::<Int16Type>().values().clone()),
            DataType::Int32 => Cells::I32(a.as_primitive::<Int32Type>().values().clone()),
            DataType::Int64 => Cells::I64(a.as_primitive::<Int64Type>().values().clone()),
            DataType::Decimal128(..) => Cells::I128(a.as_primitive::<Decimal128Type>().values().clone()),
            DataType::Binary => Cells::Bytes(a.as_binary::<i32>().clone()),
            _ => Cells::Other(a.clone()),
        }
    }
}

/// Gathers integers into cells of `width`; one tight loop where all parts have that width.
fn gather_ints(parts: &[&Cells], at: &[(u32, u32)], width: Width) -> Cells {
    macro_rules! gather {
        ($variant:ident, $t:ty) => {{
            let same: Option<Vec<&[$t]>> =
                parts.iter().map(|p| if let Cells::$variant(v) = p { Some(v.as_ref()) } else { None }).collect();
            let out: Vec<$t> = match same {
                Some(slices) => at.iter().map(|&(p, r)| slices[p as usize][r as usize]).collect(),
                None => at
                    .iter()
                    .map(|&(p, r)| {
                        let x = ints!(parts[p as usize], v => v[r as usize].wide(), _ => i128::MIN);
                        if x == i128::MIN { <$t>::MIN } else { x as $t }
                    })
                    .collect(),
            };
            Cells::$variant(out.into())
        }};
    }
    match width {
        1 => gather!(I8, i8),
        2 => gather!(I16, i16),
        4 => gather!(I32, i32),
        8 => gather!(I64, i64),
        _ => gather!(I128, i128),
    }
}

/// Some rows: the columns of the schema, then hidden key columns, and each row's input order.
#[derive(Debug, Clone)]
pub(in crate::operate) struct Block {
    pub(in crate::operate) columns: Vec<Cells>,
    pub(in crate::operate) orders: ScalarBuffer<u64>,
}

impl Block {
    pub(in crate::operate) fn rows(&self) -> usize {
        self.orders.len()
    }

    pub(in crate::operate) fn bytes(&self) -> usize {
        self.columns.iter().map(Cells::bytes).sum::<usize>() + self.orders.len() * 8 + 64
    }

    /// The rows of `parts` at `(part, row)`.
    pub(in crate::operate) fn gather(parts: &[Block], at: &[(u32, u32)]) -> Result<Block> {
        Block::gather_columns(parts, at, |_| true)
    }

    /// The same of the columns that are wanted; the others are empty.
    pub(super) fn gather_columns(
        parts: &[impl Borrow<Block>],
        at: &[(u32, u32)],
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Block> {
        let parts: Vec<&Block> = parts.iter().map(Borrow::borrow).collect();
        let count = parts.first().map_or(0, |p| p.columns.len());
        let columns = (0..count).map(|c| {
            if !wanted(c) {
                return Ok(Cells::I8(Vec::new().into()));
            }
            let cells: Vec<&Cells> = parts.iter().map(|p| &p.columns[c]).collect();
            Cells::gather(&cells, at)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let orders: Vec<u64> = at
            .iter()
            .map(|&(p, r)| parts[p as usize].orders[r as usize])
            .collect();
        Ok(Block {
            columns,
            orders: orders.into(),
        })
    }

    /// All rows of both.
    pub(in crate::operate) fn concat(a: &Block, b: &Block) -> Result<Block> {
        let at: Vec<(u32, u32)> = (0..a.rows() as u32)
            .map(|r| (0, r))
            .chain((0..b.rows() as u32).map(|r| (1, r)))
            .collect();
        Block::gather(&[a.clone(), b.clone()], &at)
    }

    /// As Arrow arrays, the orders last.
    pub(in crate::operate) fn to_arrays(&self) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = self.columns.iter().map(Cells::to_array).collect();
        arrays.push(Arc::new(UInt64Array::new(self.orders.clone(), None)));
        arrays
    }

    /// The inverse of [`Block::to_arrays`]; `other` says which columns are kept as they are.
    pub(in crate::operate) fn from_arrays(arrays: &[ArrayRef], other: &[bool]) -> Result<Block> {
        let Some((orders, columns)) = arrays.split_last() else {
            return Err(Error::defect("sort: a block without columns"));
        };
        let Some(orders) = orders.as_primitive_opt::<UInt64Type>() else {
            return Err(Error::defect("sort: a block without orders"));
        };
        let columns = columns
            .iter()
            .enumerate()
            .map(|(i, a)| Cells::from_array(a, other.get(i) == Some(&true)));
        Ok(Block {
            columns: columns.collect(),
            orders: orders.values().clone(),
        })
    }
}

/// Nameless columns as a record batch, for a spill file.
pub(in crate::operate) fn record_batch(arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields: Vec<Field> = arrays
        .iter()
        .map(|a| Field::new("", a.data_type().clone(), a.is_nullable()))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
