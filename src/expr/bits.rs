//! Functions of whole numbers: bits, common divisors, and which rows are of a sample.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Float64Type, Int64Type};

use super::eval::Value;
use super::functions::Func;
use crate::error::{Error, Result};

/// Calls a function of this file; none if it is of another.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<Option<ArrayRef>> {
    use Func::*;
    let out: Int64Array = match func {
        BitAnd => pairs(args, rows, |a, b| Ok(a & b))?,
        BitOr => pairs(args, rows, |a, b| Ok(a | b))?,
        BitXor => pairs(args, rows, |a, b| Ok(a ^ b))?,
        ShiftLeft => pairs(args, rows, shift_left)?,
        ShiftRight => pairs(args, rows, |a, n| Ok(a >> places(">>", a, n)?))?,
        Gcd => pairs(args, rows, |a, b| {
            let divisor = i64::try_from(gcd(a.unsigned_abs(), b.unsigned_abs()));
            divisor.map_err(|_| too_large(format!("gcd({a}, {b})")))
        })?,
        Lcm => pairs(args, rows, lcm)?,
        BitNot | BitCount => {
            let a = args[0].array().as_primitive::<Int64Type>();
            match func {
                BitNot => a.unary(|x: i64| !x),
                _ => a.unary(|x: i64| i64::from(x.count_ones())),
            }
        }
        Sampled => return Ok(Some(Arc::new(sampled(args, rows)))),
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(out)))
}

/// A function of two numbers, row by row.
fn pairs(args: &[Value], rows: usize, f: impl Fn(i64, i64) -> Result<i64>) -> Result<Int64Array> {
    let get = |k: usize, i: usize| {
        let (a, i) = (args[k].array().as_primitive::<Int64Type>(), args[k].at(i));
        a.is_valid(i).then(|| a.value(i))
    };
    let each = (0..rows).map(|i| match (get(0, i), get(1, i)) {
        (Some(a), Some(b)) => f(a, b).map(Some),
        _ => Ok(None),
    });
    each.collect()
}

/// Whether rows are of a sample, by their numbers.
fn sampled(args: &[Value], rows: usize) -> BooleanArray {
    let int = |k: usize, i: usize| args[k].array().as_primitive::<Int64Type>().value(args[k].at(i));
    let share = args[2].array().as_primitive::<Float64Type>();
    let each = (0..rows).map(|i| {
        // the upper 53 bits as a number from 0 to 1, which 1 is not part of
        let chance = (mixed(int(0, i) as u64 ^ mixed(int(1, i) as u64)) >> 11) as f64 / (1u64 << 53) as f64;
        Some(chance * 100.0 < share.value(args[2].at(i)))
    });
    each.collect()
}

/// A number whose bits depend on all bits of another (the finalizer of SplitMix64: Steele and others, 2014).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn too_large(what: String) -> Error {
    Error::query(format!("{what} does not fit int64"))
}

fn places(op: &str, a: i64, n: i64) -> Result<u32> {
    match u32::try_from(n) {
        Ok(n) if n < 64 => Ok(n),
        _ => Err(Error::query(format!("{a} {op} {n}: bits move by 0 to 63 places"))),
    }
}

fn shift_left(a: i64, n: i64) -> Result<i64> {
    let out = a << places("<<", a, n)?;
    match out >> n == a {
        true => Ok(out),
        false => Err(too_large(format!("{a} << {n}"))),
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i64, b: i64) -> Result<i64> {
    let (x, y) = (a.unsigned_abs(), b.unsigned_abs());
    if x == 0 || y == 0 {
        return Ok(0);
    }
    let all = (x / gcd(x, y)).checked_mul(y);
    all.and_then(|m| i64::try_from(m).ok())
        .ok_or_else(|| too_large(format!("lcm({a}, {b})")))
}
