//! From states to result columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Float64Array, Int64Array, StringViewBuilder, new_null_array};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

use super::exact::round;
use super::plan::{Count, Final};
use super::quantile::Around;
use super::scaled::Scaled;
use super::state::{State, Value};
use super::values::ByGroup;
use super::{codec, column};
use crate::error::{Error, Result};
use crate::expr::{PairFunc, packed_text};

/// Value lists by group and distinct counts.
#[derive(Debug)]
pub struct Finals {
    /// Lists, sorted by group.
    pub lists: Vec<ByGroup>,
    /// Distinct counts.
    pub counts: Vec<Vec<i64>>,
    /// Quantiles of a single heavy group: list, quantile, what is around it.
    pub heavy: Vec<(usize, f64, Option<Around>)>,
}

fn mixed() -> Error {
    Error::defect("an aggregate's state has another kind than planned")
}

/// How many values each group had.
struct Counts<'a> {
    rows: &'a [u64],
    /// Empty where there were none at all, and perhaps shorter than the groups.
    nulls: &'a [u64],
}

impl Counts<'_> {
    fn of(&self, group: usize) -> u64 {
        self.rows[group] - self.nulls.get(group).copied().unwrap_or(0)
    }
}

fn counts(states: &[State], count: Count) -> Result<Counts<'_>> {
    let nulls = match count.nulls {
        Some(at) => match &states[at] {
            State::Nulls(v) => &v[..],
            _ => return Err(mixed()),
        },
        None => &[],
    };
    match &states[count.rows] {
        State::Rows(rows) => Ok(Counts { rows, nulls }),
        _ => Err(mixed()),
    }
}

fn float_column(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

impl Finals {
    /// One result column for some groups.
    pub fn column(&mut self, last: &Final, states: &[State], groups: Range<usize>) -> Result<ArrayRef> {
        let valid = |count: Count| -> Result<Vec<bool>> {
            let n = counts(states, count)?;
            Ok(groups.clone().map(|g| n.of(g) > 0).collect())
        };
        Ok(match last {
            Final::Null(ty) => new_null_array(ty, groups.len()),
            Final::Count(count) => {
                let n = counts(states, *count)?;
                Arc::new(Int64Array::from_iter_values(groups.map(|g| n.of(g) as i64)))
            }
            Final::Distinct(set) => Arc::new(Int64Array::from_iter_values(
                self.counts[*set][groups].iter().copied(),
            )),
            Final::Quantile(list, q, between) if !self.heavy.is_empty() => {
                let found = self.heavy.iter().find(|h| h.0 == *list && h.1 == *q);
                between.column(groups.map(|_| found.and_then(|h| h.2)))?
            }
            Final::Quantile(list, q, between) => {
                let list = &mut self.lists[*list];
                between.column(groups.map(|g| list.quantile(g, *q)))?
            }
            Final::SumInt(sum, count, name) => {
                let State::Ints(sums) = &states[*sum] else {
                    return Err(mixed());
                };
                let fit = |g: usize| {
                    i64::try_from(sums.get(g)).map_err(|_| {
                        Error::query(format!("{} overflows int64", sum_of(name)))
                            .help("cast the column to float64 or decimal(38,0) to sum it")
                    })
                };
                let values = groups.clone().map(fit).collect::<Result<Vec<i64>>>()?;
                column::from_ints(&DataType::Int64, values, valid(*count)?)?
            }
            Final::SumDec(sum, count, ty, name) => {
                let State::Sum(sums, carry) = &states[*sum] else {
                    return Err(mixed());
                };
                const MOST: u128 = 10u128.pow(38) - 1;
                let fit = |g: usize| {
                    let whole = carry.get(&(g as u32)).is_none_or(|&c| c == 0);
                    match whole && sums[g].unsigned_abs() <= MOST {
                        true => Ok(sums[g]),
                        false => Err(Error::query(format!("{} overflows decimal(38)", sum_of(name)))
                            .help("cast the column to float64 to sum it")),
                    }
                };
                let values = groups.clone().map(fit).collect::<Result<Vec<i128>>>()?;
                column::decimals(ty, values, valid(*count)?)?
            }
            Final::SumFloat(sum, count) => {
                let (State::Float(sums), n) = (&states[*sum], counts(states, *count)?) else {
                    return Err(mixed());
                };
                float_column(groups.map(|g| (n.of(g) > 0).then(|| sums.to_f64(g))))
            }
            Final::MeanFloat(sum, count) => {
                let (State::Float(sums), n) = (&states[*sum], counts(states, *count)?) else {
                    return Err(mixed());
                };
                float_column(groups.map(|g| (n.of(g) > 0).then(|| sums.mean(g, n.of(g)))))
            }
            Final::MeanInt(sum, count, scale) => {
                let n = counts(states, *count)?;
                let sum_of = |g: usize| match &states[*sum] {
                    State::Ints(sums) => Ok((sums.get(g), 0)),
                    State::Sum(sums, carry) => Ok((sums[g], carry.get(&(g as u32)).copied().unwrap_or(0))),
                    _ => Err(mixed()),
                };
                let means = groups.map(|g| {
                    let (sum, more) = sum_of(g)?;
                    Ok((n.of(g) > 0).then(|| mean(sum, more, n.of(g), *scale)))
                });
                float_column(means.collect::<Result<Vec<_>>>()?.into_iter())
            }
            Final::VarFloat(moments, count, ddof, root) => {
                let (State::Moments(m, _), n) = (&states[*moments], counts(states, *count)?) else {
                    return Err(mixed());
                };
                float_column(groups.map(|g| {
                    let n = n.of(g);
                    spread(n, *ddof, *root, || m[g].look(|m| m.deviations(n)))
                }))
            }
            Final::Shape(powers, count, func) => {
                let (State::Powers(p, _), n) = (&states[*powers], counts(states, *count)?) else {
                    return Err(mixed());
                };
                float_column(groups.map(|g| p[g].look(|p| p.value(*func, n.of(g)))))
            }
            Final::Product(products, count) => {
                let (State::Product(p), n) = (&states[*products], counts(states, *count)?) else {
                    return Err(mixed());
                };
                float_column(groups.map(|g| (n.of(g) > 0).then(|| p[g].to_f64())))
            }
            Final::Pair(pairs, count, func) => {
                let (State::Pairs(p, _), n) = (&states[*pairs], counts(states, *count)?) else {
                    return Err(mixed());
                };
                match func {
                    PairFunc::Count => Arc::new(Int64Array::from_iter_values(groups.map(|g| n.of(g) as i64))),
                    _ => float_column(groups.map(|g| p[g].look(|p| p.value(*func, n.of(g))))),
                }
            }
            Final::VarInt(sum, squares, count, ddof, root) => {
                let (State::Ints(s), State::Squares(q, carry)) = (&states[*sum], &states[*squares]) else {
                    return Err(mixed());
                };
                let n = counts(states, *count)?;
                float_column(groups.map(|g| {
                    let more = carry.get(&(g as u32)).copied().unwrap_or(0);
                    spread(n.of(g), *ddof, *root, || {
                        deviations(n.of(g), s.get(g), q[g], more)
                    })
                }))
            }
            Final::Extreme(state, count, ty) => extreme(&states[*state], ty, groups.clone(), valid(*count)?)?,
            Final::Edge(state, ty) => edge(&states[*state], ty, groups)?,
            Final::States(which) => {
                let mut bytes = Vec::new();
                let mut all = BinaryBuilder::with_capacity(groups.len(), 16 * groups.len());
                for g in groups {
                    bytes.clear();
                    which.iter().for_each(|&s| states[s].encode(g as u32, &mut bytes));
                    all.append_value(&bytes);
                }
                Arc::new(all.finish())
            }
            Final::Texts(state, once) => texts(&states[*state], *once, groups)?,
        })
    }
}

/// The sum of a column, in messages: columns of plans have names that nobody gave.
fn sum_of(name: &str) -> String {
    match name.starts_with(char::is_control) {
        true => "a sum".to_string(),
        false => format!("sum of {name}"),
    }
}

/// `(sum + more·2^128) / n / 10^scale`.
pub(in crate::operate) fn mean(sum: i128, more: i64, n: u64, scale: i8) -> f64 {
    let unit = 10f64.powi(scale as i32);
    if more != 0 {
        return (more as f64 * 2f64.powi(128) + sum as f64) / n as f64 / unit;
    }
    // whole part and remainder: one rounding, where sum as f64 would be a second one
    let whole = sum / n as i128;
    let rest = sum % n as i128;
    if whole.unsigned_abs() < 1 << 53 && scale == 0 && sum.unsigned_abs() >= 1 << 53 {
        return whole as f64 + rest as f64 / n as f64;
    }
    sum as f64 / n as f64 / unit
}

/// A variance or its root, of `deviations`: `n·Σx² - (Σx)²`.
pub(in crate::operate) fn spread(
    n: u64,
    ddof: u64,
    root: bool,
    deviations: impl FnOnce() -> Scaled,
) -> Option<f64> {
    if n <= ddof {
        return None;
    }
    let ways = u128::from(n) * u128::from(n - ddof);
    let variance = deviations().over(Scaled::of(ways as f64));
    Some(if root { variance.sqrt() } else { variance }.to_f64())
}

/// `n·Σx² - (Σx)²`, rounded once.
pub(in crate::operate) fn deviations(n: u64, sum: i128, squares: u128, more: u64) -> Scaled {
    let (lo, hi) = wide_product(squares, n as u128);
    let hi = hi + more as u128 * n as u128;
    let (lo2, hi2) = wide_product(sum.unsigned_abs(), sum.unsigned_abs());
    let (lo, borrow) = lo.overflowing_sub(lo2);
    let hi = hi.wrapping_sub(hi2).wrapping_sub(borrow as u128);
    Scaled::of(match hi {
        0 => lo as f64,
        _ => {
            // 128 bits from the first one on, and whether anything is below
            let shift = hi.leading_zeros();
            let (top, below) = match shift {
                0 => (hi, lo),
                s => (hi << s | lo >> (128 - s), lo << s),
            };
            round(top, below != 0, 128 - shift as i32)
        }
    })
}

/// The low and high half of a 256-bit product.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a0, a1, b0, b1) = (a & LOW, a >> 64, b & LOW, b >> 64);
    let (p00, p01, p10, p11) = (a0 * b0, a0 * b1, a1 * b0, a1 * b1);
    let middle = (p00 >> 64) + (p01 & LOW) + (p10 & LOW);
    let high = p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64);
    ((p00 & LOW) | middle << 64, high)
}

fn text_column(values: impl Iterator<Item = Option<Box<[u8]>>>) -> Result<ArrayRef> {
    let mut b = StringViewBuilder::new();
    for value in values {
        match value {
            None => b.append_null(),
            Some(t) => {
                b.append_value(std::str::from_utf8(&t).map_err(|_| Error::defect("text is not UTF-8"))?)
            }
        }
    }
    Ok(Arc::new(b.finish()))
}

fn extreme(state: &State, ty: &DataType, groups: Range<usize>, valid: Vec<bool>) -> Result<ArrayRef> {
    match state {
        State::Min(v) | State::Max(v) => {
            // the sentinel of an empty group must not reach a narrow type
            let all = v[groups]
                .iter()
                .zip(&valid)
                .map(|(&x, &ok)| if ok { x } else { 0 })
                .collect();
            column::from_ints(ty, all, valid)
        }
        State::MinDec(v) | State::MaxDec(v) => {
            let all = v[groups]
                .iter()
                .zip(&valid)
                .map(|(&x, &ok)| if ok { x } else { 0 })
                .collect();
            column::decimals(ty, all, valid)
        }
        State::Text(v, ..) => text_column(v[groups].iter().cloned()),
        _ => Err(mixed()),
    }
}

/// The longest text that is put together.
const MOST_TEXT: usize = 1 << 30;

/// Packed texts in their order, without what orders them, one behind the other.
fn texts(state: &State, once: bool, groups: Range<usize>) -> Result<ArrayRef> {
    let State::Texts(v, _) = state else {
        return Err(mixed());
    };
    let v = &v[groups];
    // what they are put together in is what the array keeps
    let mut together: Vec<u8> = Vec::with_capacity(v.iter().map(Vec::len).sum());
    let mut ends = Vec::with_capacity(v.len());
    for packed in v {
        let start = together.len();
        put_together(packed, once, &mut together)?;
        if together.len() - start > MOST_TEXT {
            return Err(Error::limit("string_agg makes a text of more than 1 GiB"));
        }
        ends.push(together.len());
    }
    if u32::try_from(together.len()).is_err() {
        return Err(Error::limit(
            "the texts that string_agg makes have more than 4 GiB",
        ));
    }
    let mut b = StringViewBuilder::with_capacity(v.len());
    let block = b.append_block(Buffer::from_vec(together));
    let mut start = 0;
    for (packed, end) in v.iter().zip(ends) {
        match packed.is_empty() {
            true => b.append_null(),
            false => b
                .try_append_view(block, start as u32, (end - start) as u32)
                .map_err(|_| Error::defect("text is not UTF-8"))?,
        }
        start = end;
    }
    Ok(Arc::new(b.finish()))
}

/// Appends the texts of a group in their order.
fn put_together(packed: &[u8], once: bool, to: &mut Vec<u8>) -> Result<()> {
    let broken = || Error::defect("a list of texts is broken");
    let part = |at: u32| {
        let mut rest = packed.get(at as usize..)?;
        let n = codec::varint(&mut rest)? as usize;
        codec::take(&mut rest, n)
    };
    let last = u32::try_from(packed.len());
    let last = last.map_err(|_| Error::limit("string_agg puts texts of more than 4 GiB together"))?;
    let behind = |at: u32| -> Result<u32> {
        let text = part(at).ok_or_else(broken)?;
        Ok((text.as_ptr().addr() - packed.as_ptr().addr() + text.len()) as u32)
    };
    let (mut count, mut at) = (0, 0);
    while at < last {
        (count, at) = (count + 1, behind(at)?);
    }
    // their places take a quarter of what the texts as slices would
    let (mut places, mut at) = (Vec::with_capacity(count), 0);
    while at < last {
        places.push(at);
        at = behind(at)?;
    }
    places.sort_unstable_by_key(|&at| part(at));
    let mut seen = hashbrown::HashSet::new();
    for at in places {
        let text = packed_text(part(at).ok_or_else(broken)?);
        if !once || seen.insert(text) {
            to.extend_from_slice(text);
        }
    }
    Ok(())
}

fn edge(state: &State, ty: &DataType, groups: Range<usize>) -> Result<ArrayRef> {
    let State::Edge(v, ..) = state else {
        return Err(mixed());
    };
    let held = || {
        v[groups.clone()]
            .iter()
            .map(|h| h.as_ref().map(|(_, value)| value))
    };
    let valid: Vec<bool> = held().map(|h| h.is_some_and(|v| *v != Value::Null)).collect();
    match ty {
        DataType::Utf8View => text_column(held().map(|h| match h {
            Some(Value::Text(t)) => Some(t.clone()),
            _ => None,
        })),
        DataType::Decimal128(..) => {
            let all = held()
                .map(|h| if let Some(Value::Dec(d)) = h { *d } else { 0 })
                .collect();
            column::decimals(ty, all, valid)
        }
        _ => {
            let all = held()
                .map(|h| if let Some(Value::Int(d)) = h { *d } else { 0 })
                .collect();
            column::from_ints(ty, all, valid)
        }
    }
}
