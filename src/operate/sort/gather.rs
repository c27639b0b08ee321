//! From rows scattered over blocks of cells to the columns of a batch.
//!
//! A run is sorted, so the rows that an output batch takes of a block lie side by side: each column
//! is read straight through, block by block, and written to where the merge wants the rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, NullArray, PrimitiveArray, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute;
use arrow::datatypes::{ArrowPrimitiveType, DataType, TimeUnit};

use super::cells::{Block, Cells, Int, ints};
use super::encode::{MOST_TEXTS, int_to_float};
use super::plan::MergePlan;
use crate::error::{Error, Result};

/// Neighbouring rows of a block and where they go.
#[derive(Debug)]
pub(super) struct Slot {
    /// The run it is of.
    pub(super) run: usize,
    pub(super) block: Arc<Block>,
    /// The first row taken.
    pub(super) start: usize,
    /// Where the rows from `start` go.
    pub(super) to: Vec<u32>,
}

/// Column `c` of `rows` rows that lie in `slots`.
pub(super) fn column(
    plan: &MergePlan,
    slots: &[Slot],
    c: usize,
    ty: &DataType,
    rows: usize,
) -> Result<ArrayRef> {
    Ok(match ty {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let v = longs(slots, c, rows)?;
            let values = BooleanBuffer::collect_bool(rows, |i| v[i] == 1);
            Arc::new(BooleanArray::new(values, nulls(&v)))
        }
        DataType::Int64 if is_wide(slots, c) => {
            let v = wides(slots, c, rows)?;
            let values: Vec<i64> = v.iter().map(|&x| x as i64).collect();
            Arc::new(Int64Array::new(values.into(), nulls(&v)))
        }
        DataType::Int64 => {
            let v = longs(slots, c, rows)?;
            let nulls = nulls(&v);
            Arc::new(Int64Array::new(v.into(), nulls))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let v = wides_or_longs(slots, c, rows)?;
            Arc::new(TimestampMicrosecondArray::new(v.0, v.1).with_timezone_opt(zone.clone()))
        }
        DataType::Date32 => {
            let v = longs(slots, c, rows)?;
            Arc::new(mapped(&v, |x| x as i32, Date32Array::new))
        }
        DataType::Float64 => {
            let v = longs(slots, c, rows)?;
            Arc::new(mapped(&v, int_to_float, Float64Array::new))
        }
        DataType::Decimal128(p, s) => {
            let v = wides(slots, c, rows)?;
            let nulls = nulls(&v);
            Arc::new(Decimal128Array::new(v.into(), nulls).with_precision_and_scale(*p, *s)?)
        }
        DataType::Utf8View => match &plan.unions[c] {
            Some(values) => {
                let ids = union_ids(plan, slots, c, rows)?;
                match values.len() > MOST_TEXTS {
                    // What comes after may look at all values of a dictionary.
                    true => compute::take(values.as_ref(), &ids, None)?,
                    false => Arc::new(DictionaryArray::try_new(ids, values.clone())?),
                }
            }
            None => texts(plan, slots, c, rows)?,
        },
        _ => {
            let arrays: Option<Vec<&dyn Array>> = slots
                .iter()
                .map(|s| match &s.block.columns[c] {
                    Cells::Other(a) => Some(a.as_ref()),
                    _ => None,
                })
                .collect();
            compute::interleave(&arrays.ok_or_else(mixed)?, &places(slots, rows))?
        }
    })
}

fn mixed() -> Error {
    Error::defect("sort: a column came back in another form")
}

fn is_wide(slots: &[Slot], c: usize) -> bool {
    slots.iter().any(|s| matches!(s.block.columns[c], Cells::I128(_)))
}

fn scatter<T: Int, U>(slot: &Slot, from: &[T], out: &mut [U], map: impl Fn(T) -> U) {
    for (&to, &x) in slot.to.iter().zip(&from[slot.start..]) {
        out[to as usize] = map(x);
    }
}

fn longs(slots: &[Slot], c: usize, rows: usize) -> Result<Vec<i64>> {
    let mut out = vec![i64::MIN; rows];
    for s in slots {
        ints!(&s.block.columns[c], v => scatter(s, v, &mut out, Int::long), _ => return Err(mixed()));
    }
    Ok(out)
}

fn wides(slots: &[Slot], c: usize, rows: usize) -> Result<Vec<i128>> {
    let mut out = vec![i128::MIN; rows];
    for s in slots {
        ints!(&s.block.columns[c], v => scatter(s, v, &mut out, Int::wide), _ => return Err(mixed()));
    }
    Ok(out)
}

fn wides_or_longs(slots: &[Slot], c: usize, rows: usize) -> Result<(ScalarBuffer<i64>, Option<NullBuffer>)> {
    if is_wide(slots, c) {
        let v = wides(slots, c, rows)?;
        let values: Vec<i64> = v.iter().map(|&x| x as i64).collect();
        return Ok((values.into(), nulls(&v)));
    }
    let v = longs(slots, c, rows)?;
    let nulls = nulls(&v);
    Ok((v.into(), nulls))
}

fn nulls<T: Int>(values: &[T]) -> Option<NullBuffer> {
    if !values.contains(&T::NULL) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |i| {
        values[i] != T::NULL
    })))
}

fn mapped<A: ArrowPrimitiveType>(
    values: &[i64],
    map: impl Fn(i64) -> A::Native,
    make: impl Fn(ScalarBuffer<A::Native>, Option<NullBuffer>) -> PrimitiveArray<A>,
) -> PrimitiveArray<A> {
    let mapped: Vec<A::Native> = values
        .iter()
        .map(|&x| {
            if x == i64::MIN {
                A::Native::default()
            } else {
                map(x)
            }
        })
        .collect();
    make(mapped.into(), nulls(values))
}

/// The slot and row of each output row.
fn places(slots: &[Slot], rows: usize) -> Vec<(usize, usize)> {
    let mut out = vec![(0, 0); rows];
    for (i, s) in slots.iter().enumerate() {
        for (j, &to) in s.to.iter().enumerate() {
            out[to as usize] = (i, s.start + j);
        }
    }
    out
}

fn union_ids(plan: &MergePlan, slots: &[Slot], c: usize, rows: usize) -> Result<Int32Array> {
    let mut out = vec![-1i32; rows];
    for s in slots {
        let map = &plan.runs[s.run].to_union[c];
        let id = |i: i64| {
            if i < 0 {
                -1
            } else {
                map.get(i as usize).copied().unwrap_or(-1)
            }
        };
        ints!(&s.block.columns[c], v => scatter(s, v, &mut out, |x| id(x.long())), _ => return Err(mixed()));
    }
    let nulls = out
        .contains(&-1)
        .then(|| NullBuffer::from_iter(out.iter().map(|&i| i >= 0)));
    Ok(Int32Array::new(out.into(), nulls))
}

fn texts(plan: &MergePlan, slots: &[Slot], c: usize, rows: usize) -> Result<ArrayRef> {
    let arrays: Vec<BinaryArray> = slots
        .iter()
        .map(|s| match &s.block.columns[c] {
            Cells::Bytes(a) => Ok(a.clone()),
            cells => {
                let dictionary = plan.runs[s.run].dictionaries[c].as_ref().ok_or_else(mixed)?;
                let text = |i: usize| cells.int(i).map(|id| dictionary.value(id as usize));
                Ok((0..cells.len()).map(text).collect())
            }
        })
        .collect::<Result<_>>()?;
    let arrays: Vec<&dyn Array> = arrays.iter().map(|a| a as &dyn Array).collect();
    let all = compute::interleave(&arrays, &places(slots, rows))?;
    let all = all.as_any().downcast_ref::<BinaryArray>().ok_or_else(mixed)?;
    let all = StringArray::try_from_binary(all.clone())?;
    Ok(Arc::new(StringViewArray::from(&all)))
}
