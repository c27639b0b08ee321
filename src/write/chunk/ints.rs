//! Integers, dates and times: a dictionary in ascending order where it makes the chunk smaller.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

/// Values that span less than this are looked up in a table rather than hashed.
const TABLE_SPAN: u64 = 1 << 16;
/// Distinct values of a hashed dictionary, at most.
const MOST_DISTINCT: usize = 1 << 15;
/// Values that are looked at before a dictionary is hashed.
const SAMPLE: usize = 2048;

/// A dictionary and the code of each value.
pub(super) struct Dictionary {
    pub values: Vec<i64>,
    pub codes: Vec<u32>,
}

/// The values that are not null, one behind the other; `None` where the type is another.
pub(super) fn gather(arrays: &[ArrayRef], rows: usize) -> Option<Vec<i64>> {
    let mut out = Vec::with_capacity(rows);
    for array in arrays {
        let data = array.to_data();
        match array.data_type() {
            DataType::Int64 | DataType::Timestamp(_, _) => {
                compact(array, &data.buffer::<i64>(0)[..array.len()], &mut out, |v| v);
            }
            DataType::Int32 | DataType::Date32 => {
                compact(array, &data.buffer::<i32>(0)[..array.len()], &mut out, i64::from);
            }
            DataType::Int16 => compact(array, &data.buffer::<i16>(0)[..array.len()], &mut out, i64::from),
            DataType::Int8 => compact(array, &data.buffer::<i8>(0)[..array.len()], &mut out, i64::from),
            DataType::UInt16 => compact(array, &data.buffer::<u16>(0)[..array.len()], &mut out, i64::from),
            DataType::UInt8 => compact(array, &data.buffer::<u8>(0)[..array.len()], &mut out, i64::from),
            _ => return None,
        }
    }
    Some(out)
}

fn compact<T: Copy>(array: &ArrayRef, values: &[T], out: &mut Vec<i64>, to: impl Fn(T) -> i64) {
    match array.nulls().filter(|n| n.null_count() > 0) {
        None => out.extend(values.iter().map(|&v| to(v))),
        Some(nulls) => {
            for (start, end) in nulls.valid_slices() {
                out.extend(values[start..end].iter().map(|&v| to(v)));
            }
        }
    }
}

/// The smallest and largest value.
pub(super) fn min_max(values: &[i64]) -> Option<(i64, i64)> {
    let first = *values.first()?;
    let wider = |(min, max): (i64, i64), &v: &i64| (min.min(v), max.max(v));
    Some(values.iter().fold((first, first), wider))
}

/// A dictionary, if one pays.
pub(super) fn dictionary(values: &[i64], (min, max): (i64, i64)) -> Option<Dictionary> {
    let span = max.wrapping_sub(min) as u64;
    if span < TABLE_SPAN && span < (values.len() as u64).max(256) {
        return Some(by_table(values, min, span as usize)).filter(|d| 2 * d.values.len() <= values.len());
    }
    let step = (values.len() / SAMPLE).max(1);
    let sample: std::collections::HashSet<i64, foldhash::fast::RandomState> =
        values.iter().step_by(step).take(SAMPLE).copied().collect();
    match 4 * sample.len() > values.len().min(SAMPLE) {
        true => None,
        false => by_hash(values),
    }
}

fn by_table(values: &[i64], min: i64, span: usize) -> Dictionary {
    let at = |v: i64| v.wrapping_sub(min) as usize;
    let mut table = vec![0u32; span + 1];
    for &v in values {
        table[at(v)] = 1;
    }
    let mut distinct = Vec::new();
    for (i, code) in table.iter_mut().enumerate() {
        if *code != 0 {
            *code = distinct.len() as u32;
            distinct.push(min + i as i64);
        }
    }
    let codes = values.iter().map(|&v| table[at(v)]).collect();
    Dictionary {
        values: distinct,
        codes,
    }
}

fn by_hash(values: &[i64]) -> Option<Dictionary> {
    let most = MOST_DISTINCT.min(values.len() / 2);
    let mut of: HashMap<i64, u32, foldhash::fast::RandomState> = HashMap::default();
    let mut codes = Vec::with_capacity(values.len());
    let mut distinct = Vec::new();
    for &v in values {
        let code = *of.entry(v).or_insert_with(|| {
            distinct.push(v);
            distinct.len() as u32 - 1
        });
        codes.push(code);
        if distinct.len() > most {
            return None;
        }
    }
    Some(Dictionary {
        values: distinct,
        codes,
    })
}

/// The plain encoding, with `width` (4 or 8) bytes for each value.
pub(super) fn plain(values: &[i64], width: usize, out: &mut Vec<u8>) {
    out.reserve(values.len() * width);
    match width {
        4 => values
            .iter()
            .for_each(|&v| out.extend_from_slice(&(v as i32).to_le_bytes())),
        _ => values
            .iter()
            .for_each(|v| out.extend_from_slice(&v.to_le_bytes())),
    }
}
