//! From states to answers.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringViewArray, new_null_array,
};
use arrow::compute;
use arrow::datatypes::DataType;

use super::bag::Bag;
use super::columns::bits_float;
use super::groups::Groups;
use super::keys;
use super::spec::{Agg, is_integral};
use super::states::{States, bits_int};
use crate::error::{Error, Result};

/// Keys and aggregates of a range of groups.
///
/// # Errors
/// A sum does not fit its type.
pub fn output(groups: &Groups, range: Range<usize>) -> Result<Vec<ArrayRef>> {
    let layout = &groups.layout;
    let mut columns = Vec::new();
    if !layout.spec.keys.is_empty() {
        let numbers: Vec<u32> = range.clone().map(|g| g as u32).collect();
        let encoded = groups.table.key_column(&numbers);
        let each = (0..encoded.len()).map(|i| encoded.is_valid(i).then(|| encoded.value(i)));
        columns = keys::decode(each, &layout.key_types, layout.plain_text)?;
    }
    for (i, (agg, _)) in layout.spec.aggs.iter().enumerate() {
        let parts: Vec<&States> = layout.parts[i].iter().map(|&p| &groups.states[p]).collect();
        columns.push(finish(*agg, &layout.arg_types[i], &parts, range.clone())?);
    }
    Ok(columns)
}

fn finish(agg: Agg, ty: &DataType, parts: &[&States], range: Range<usize>) -> Result<ArrayRef> {
    use Agg::*;
    Ok(match (agg, parts) {
        (Count | CountOf, [States::Count(n)]) => Arc::new(Int64Array::from_iter_values(range.map(|g| n[g]))),
        (Sum, [sum, States::Count(n)]) => sums(sum, n, ty, range)?,
        (Mean, [sum, States::Count(n)]) => means(sum, n, ty, range),
        (Std | Var | StdPop | VarPop, [moments]) => {
            let ddof = if matches!(agg, Std | Var) { 1 } else { 0 };
            let root = matches!(agg, Std | StdPop);
            let values = range.map(|g| variance(moments, g, ddof).map(|v| if root { v.sqrt() } else { v }));
            Arc::new(values.collect::<Float64Array>())
        }
        (Min | Max | BoolAnd | BoolOr, [state]) => extremes(state, ty, range)?,
        (First | Last, [States::Place { best, .. }]) => {
            keys::decode_values(best[range].iter().map(|b| b.as_ref().map(|(_, v)| &**v)), ty)?
        }
        (NUnique, [States::Bag(b)]) => Arc::new(Int64Array::from_iter_values(
            range.map(|g| b.group(g as u32).0.len() as i64),
        )),
        (Median, [States::Bag(b)]) => quantiles(b, 0.5, ty, range),
        (Quantile(q), [States::Bag(b)]) => quantiles(b, q, ty, range),
        _ => return Err(Error::defect(format!("{agg:?} has the wrong states"))),
    })
}

fn sums(sum: &States, n: &[i64], ty: &DataType, range: Range<usize>) -> Result<ArrayRef> {
    Ok(match (sum, ty) {
        (States::SumFloat(s), _) => Arc::new(
            range
                .map(|g| (n[g] > 0).then(|| s[g].to_f64()))
                .collect::<Float64Array>(),
        ),
        (States::SumInt(s), DataType::Decimal128(_, scale)) => {
            let a: Decimal128Array = range.map(|g| (n[g] > 0).then_some(s[g])).collect();
            Arc::new(a.with_precision_and_scale(38, *scale)?)
        }
        (States::SumInt(s), _) => {
            let narrow = |g: usize| match (n[g], i64::try_from(s[g])) {
                (0, _) => Ok(None),
                (_, Ok(x)) => Ok(Some(x)),
                (_, Err(_)) => Err(Error::query(format!(
                    "a sum of integers overflows int64: it is {}",
                    s[g]
                ))
                .help("sum them as decimals or floats, as in sum(cast(x as decimal(38,0)))")),
            };
            Arc::new(range.map(narrow).collect::<Result<Int64Array>>()?)
        }
        _ => return Err(Error::defect("a sum has the wrong states")),
    })
}

fn means(sum: &States, n: &[i64], ty: &DataType, range: Range<usize>) -> ArrayRef {
    let scale = if let DataType::Decimal128(_, s) = ty {
        10f64.powi(*s as i32)
    } else {
        1.0
    };
    let mean = |g: usize| {
        if n[g] == 0 {
            return None;
        }
        match sum {
            States::SumInt(s) => Some(divide(s[g], n[g]) / scale),
            States::SumFloat(s) => Some(s[g].to_f64() / n[g] as f64),
            _ => None,
        }
    };
    Arc::new(range.map(mean).collect::<Float64Array>())
}

/// The quotient of an exact sum and a count, rounded about once: the whole part and the rest are
/// divided apart, so that sums beyond 2^53 lose nothing before the division.
fn divide(sum: i128, n: i64) -> f64 {
    if sum.unsigned_abs() < 1 << 53 {
        return sum as f64 / n as f64;
    }
    let (whole, rest) = (sum / n as i128, sum % n as i128);
    whole as f64 + rest as f64 / n as f64
}

fn variance(state: &States, g: usize, ddof: u64) -> Option<f64> {
    match state {
        States::MomentsFloat(m) => m[g].variance(ddof),
        States::MomentsInt(m) => {
            let (n, s, q) = m[g];
            if n <= ddof as i64 {
                return None;
            }
            // n·Σx² − (Σx)² in integers: nothing cancels. Where that overflows 128 bits, the
            // numbers are taken relative to their mean, which leaves the variance as it is.
            let exact = (n as i128)
                .checked_mul(q)
                .zip(s.checked_mul(s))
                .and_then(|(a, b)| a.checked_sub(b));
            let spread = match exact {
                Some(x) => x as f64 / n as f64,
                None => {
                    let mean = s as f64 / n as f64;
                    (q as f64 - mean * s as f64).max(0.0)
                }
            };
            Some(spread / (n - ddof as i64) as f64)
        }
        _ => None,
    }
}

fn extremes(state: &States, ty: &DataType, range: Range<usize>) -> Result<ArrayRef> {
    Ok(match state {
        States::ExtremeText { best, .. } => {
            let texts = best[range]
                .iter()
                .map(|b| b.as_deref().map(|t| String::from_utf8_lossy(t).into_owned()));
            Arc::new(texts.collect::<StringViewArray>())
        }
        States::Extreme { wide, .. } if matches!(ty, DataType::Decimal128(..)) => {
            let a: Decimal128Array = range.map(|g| wide.get(g).copied().flatten()).collect();
            Arc::new(a.with_data_type(ty.clone()))
        }
        States::Extreme { best, .. } => match ty {
            DataType::Float64 => Arc::new(
                best[range]
                    .iter()
                    .map(|b| b.map(bits_float))
                    .collect::<Float64Array>(),
            ),
            DataType::Boolean => Arc::new(
                best[range]
                    .iter()
                    .map(|b| b.map(|x| bits_int(x) != 0))
                    .collect::<BooleanArray>(),
            ),
            DataType::Null => new_null_array(ty, range.len()),
            DataType::Date32 => {
                let days = best[range].iter().map(|b| b.map(|x| bits_int(x) as i32));
                Arc::new(days.collect::<arrow::array::Date32Array>())
            }
            _ => {
                let ints: Int64Array = best[range].iter().map(|b| b.map(bits_int)).collect();
                compute::cast(&ints, ty)?
            }
        },
        _ => return Err(Error::defect("min or max has the wrong states")),
    })
}

/// Exact quantiles by linear interpolation between the closest ranks (numpy's default, Hyndman
/// and Fan's type 7).
fn quantiles(bag: &Bag, q: f64, ty: &DataType, range: Range<usize>) -> ArrayRef {
    let value = |bits: u128| match ty {
        t if is_integral(t) => bits_int(bits as u64) as f64,
        DataType::Decimal128(_, s) => bag.decimal(bits) as f64 / 10f64.powi(*s as i32),
        _ => bits_float(bits as u64),
    };
    let one = |g: usize| {
        let (pairs, counts) = bag.group(g as u32);
        let sorted = bag.sorted(pairs, counts, ty);
        let (pairs, counts) = sorted
            .as_ref()
            .map_or((pairs, counts), |(p, c)| (p.as_slice(), c.as_slice()));
        let n: u64 = counts.iter().sum();
        if n == 0 {
            return None;
        }
        let rank = q * (n - 1) as f64;
        let (low, fraction) = (rank.floor() as u64, rank.fract());
        let a = value(nth(pairs, counts, low));
        if fraction == 0.0 {
            return Some(a);
        }
        let b = value(nth(pairs, counts, low + 1));
        Some(if a == b { a } else { a + (b - a) * fraction })
    };
    Arc::new(range.map(one).collect::<Float64Array>())
}

fn nth(pairs: &[u128], counts: &[u64], mut rank: u64) -> u128 {
    for (p, n) in pairs.iter().zip(counts) {
        if rank < *n {
            return *p;
        }
        rank -= n;
    }
    pairs.last().copied().unwrap_or(0)
}
