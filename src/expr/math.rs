//! Functions of numbers, and the greatest and least of anything.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::compare;
use super::eval::Value;
use super::functions::Func;
use super::tree::BinaryOp;
use crate::error::{Error, Result};

/// Calls a function of this file; none if it is of another.
pub(super) fn call(func: Func, args: &[Value], ty: &DataType, rows: usize) -> Result<Option<ArrayRef>> {
    use Func::*;
    let f1: fn(f64) -> f64 = match func {
        Sqrt => f64::sqrt,
        Ln => f64::ln,
        Log10 => f64::log10,
        Log2 => f64::log2,
        Exp => f64::exp,
        Cbrt => f64::cbrt,
        Degrees => f64::to_degrees,
        Radians => f64::to_radians,
        Sinh => f64::sinh,
        Cosh => f64::cosh,
        Tanh => f64::tanh,
        Cot => |x| x.tan().recip(),
        Sin => f64::sin,
        Cos => f64::cos,
        Tan => f64::tan,
        Asin => f64::asin,
        Acos => f64::acos,
        Atan => f64::atan,
        _ => return special(func, args, ty, rows),
    };
    Ok(Some(Arc::new(
        args[0]
            .array()
            .as_primitive::<Float64Type>()
            .unary::<_, Float64Type>(f1),
    )))
}

fn special(func: Func, args: &[Value], ty: &DataType, rows: usize) -> Result<Option<ArrayRef>> {
    use Func::*;
    let float = || args[0].array().as_primitive::<Float64Type>();
    Ok(Some(match func {
        Pi => Arc::new(Float64Array::from(vec![std::f64::consts::PI; rows])),
        IsNan => Arc::new(BooleanArray::from_unary(float(), f64::is_nan)),
        IsFinite => Arc::new(BooleanArray::from_unary(float(), f64::is_finite)),
        Pow => float2(args, rows, f64::powf),
        Atan2 => float2(args, rows, f64::atan2),
        Sign => sign(args[0].array()),
        Abs | Round | Floor | Ceil | Trunc => rounding(func, args, rows)?,
        Greatest | Least => extreme(func == Greatest, args, ty, rows)?,
        _ => return super::bits::call(func, args, rows),
    }))
}

fn float2(args: &[Value], rows: usize, f: fn(f64, f64) -> f64) -> ArrayRef {
    let (x, y) = (
        args[0].array().as_primitive::<Float64Type>(),
        args[1].array().as_primitive::<Float64Type>(),
    );
    let get = |a: &Float64Array, i: usize| a.is_valid(i).then(|| a.value(i));
    let out = (0..rows).map(|i| Some(f(get(x, args[0].at(i))?, get(y, args[1].at(i))?)));
    Arc::new(out.collect::<Float64Array>())
}

fn sign(a: &ArrayRef) -> ArrayRef {
    let out: Int64Array = match a.data_type() {
        DataType::Int64 => a.as_primitive::<Int64Type>().unary(i64::signum),
        DataType::Float64 => a
            .as_primitive::<Float64Type>()
            .unary(|x| i64::from(x > 0.0) - i64::from(x < 0.0)),
        _ => a.as_primitive::<Decimal128Type>().unary(|x| x.signum() as i64),
    };
    Arc::new(out)
}

/// A float rounded half away from zero to that many digits.
fn round_float(x: f64, digits: i64) -> f64 {
    to_digits(x, digits, f64::round)
}

/// A float cut off behind that many digits. What is as near to a number of that many digits as floats come is
/// that number: 1.15 is no 1.14.
fn trunc_float(x: f64, digits: i64) -> f64 {
    let cut = |scaled: f64| match scaled.round() {
        whole if (scaled - whole).abs() <= scaled.abs() * f64::EPSILON => whole,
        _ => scaled.trunc(),
    };
    match digits {
        0 => x.trunc(),
        digits => to_digits(x, digits, cut),
    }
}

fn to_digits(x: f64, digits: i64, round: impl Fn(f64) -> f64) -> f64 {
    if digits == 0 || !x.is_finite() {
        return round(x);
    }
    if digits > 0 {
        let factor = 10_f64.powi(digits.min(400) as i32);
        let scaled = x * factor;
        // 2^52 and above there is no fraction to round
        if !scaled.is_finite() || scaled.abs() >= 4_503_599_627_370_496.0 {
            x
        } else {
            round(scaled) / factor
        }
    } else {
        let factor = 10_f64.powi((-digits).min(400) as i32);
        if factor.is_finite() {
            round(x / factor) * factor
        } else {
            0.0
        }
    }
}

/// An integer divided by a power of ten and multiplied again, as `how` rounds.
fn round_int(how: Func, x: i128, unit: i128) -> Option<i128> {
    let (whole, rest) = (x.div_euclid(unit), x.rem_euclid(unit));
    let up = match how {
        Func::Floor => false,
        Func::Ceil => rest > 0,
        Func::Trunc => x < 0 && rest > 0,
        // half away from zero: a negative half goes down
        _ => rest > unit - rest || (rest == unit - rest && x > 0),
    };
    (whole + i128::from(up)).checked_mul(unit)
}

fn rounding(func: Func, args: &[Value], rows: usize) -> Result<ArrayRef> {
    let digits = |i: usize| match args.get(1) {
        None => Some(0),
        Some(v) => {
            let d = v.array().as_primitive::<Int64Type>();
            d.is_valid(v.at(i)).then(|| d.value(v.at(i)))
        }
    };
    let unit = |n: i64| u32::try_from(n).ok().and_then(|n| 10_i128.checked_pow(n));
    let over = |x: String| Error::query(format!("{}({x}) does not fit its type", func.info().name));
    let a = &args[0];
    Ok(match a.data_type() {
        DataType::Float64 => {
            let x = a.array().as_primitive::<Float64Type>();
            let f: fn(f64, i64) -> f64 = match func {
                Func::Abs => |x, _| x.abs(),
                Func::Floor => |x, _| x.floor(),
                Func::Ceil => |x, _| x.ceil(),
                Func::Trunc => trunc_float,
                _ => round_float,
            };
            let at = |i| x.is_valid(a.at(i)).then(|| x.value(a.at(i)));
            Arc::new(
                (0..rows)
                    .map(|i| Some(f(at(i)?, digits(i)?)))
                    .collect::<Float64Array>(),
            )
        }
        DataType::Int64 => {
            let x = a.array().as_primitive::<Int64Type>();
            let one = |v: i64, d: i64| match func {
                Func::Abs => v.checked_abs(),
                Func::Round | Func::Trunc if d < 0 => match unit(-d) {
                    Some(u) => round_int(func, i128::from(v), u).and_then(|r| i64::try_from(r).ok()),
                    None => Some(0),
                },
                _ => Some(v),
            };
            let out = (0..rows).map(|i| match (x.is_valid(a.at(i)), digits(i)) {
                (true, Some(d)) => {
                    let v = x.value(a.at(i));
                    one(v, d).map(Some).ok_or_else(|| over(v.to_string()))
                }
                _ => Ok(None),
            });
            Arc::new(out.collect::<Result<Int64Array>>()?)
        }
        ty => {
            let DataType::Decimal128(_, s) = *ty else {
                return Err(Error::defect("rounding of no number"));
            };
            let x = a.array().as_primitive::<Decimal128Type>();
            let out = (0..rows).map(|i| match (x.is_valid(a.at(i)), digits(i)) {
                (true, Some(d)) => {
                    let v = x.value(a.at(i));
                    let r = match (func, i64::from(s) - d) {
                        (Func::Abs, _) => Some(v.abs()),
                        (_, drop) if drop <= 0 => Some(v),
                        (_, drop) => unit(drop).map_or(Some(0), |u| round_int(func, v, u)),
                    };
                    let shown = || super::temporal::decimal_text(v, s);
                    r.filter(|r| super::arith::fits_digits(*r))
                        .map(Some)
                        .ok_or_else(|| over(shown()))
                }
                _ => Ok(None),
            });
            Arc::new(
                out.collect::<Result<Decimal128Array>>()?
                    .with_data_type(ty.clone()),
            )
        }
    })
}

fn extreme(greatest: bool, args: &[Value], ty: &DataType, rows: usize) -> Result<ArrayRef> {
    let op = if greatest { BinaryOp::Gt } else { BinaryOp::Lt };
    let mut best = args[0].spread(rows)?;
    if *ty == DataType::Null {
        return Ok(best);
    }
    for v in &args[1..] {
        let next = v.spread(rows)?;
        let wins = compare::compare(op, &Value::Array(next.clone()), &Value::Array(best.clone()))?;
        let pick = |i: usize| next.is_valid(i) && (best.is_null(i) || wins.value(i));
        let mask: BooleanArray = (0..rows).map(|i| Some(pick(i))).collect();
        best = compute::kernels::zip::zip(&mask, &next, &best)?;
    }
    Ok(best)
}
