//! Quantiles by linear interpolation, from the two values around them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use super::column::unordered;
use crate::error::{Error, Result};
use crate::expr::temporal::DAY_US;
use crate::kernel::types;

/// The neighbours of a quantile as [`super::column::Col::ints`] has them, and the share of the way from the lower to
/// the upper one.
pub type Around = (i64, i64, f64);

/// What the values are that are interpolated.
#[derive(Debug, Clone, PartialEq)]
pub enum Between {
    /// Floats, and decimals as floats.
    Floats,
    /// Whole numbers.
    Ints,
    /// Dates: between them lie moments.
    Days,
    /// Timestamps of this type.
    Moments(DataType),
}

impl Between {
    /// Values of a column of a logical type.
    pub fn of(ty: &DataType) -> Between {
        match ty {
            DataType::Int64 | DataType::Boolean => Between::Ints,
            DataType::Date32 => Between::Days,
            DataType::Timestamp(..) => Between::Moments(ty.clone()),
            _ => Between::Floats,
        }
    }

    /// The quantiles; null where there is none.
    ///
    /// # Errors
    /// One between dates is no timestamp.
    pub fn column(&self, all: impl Iterator<Item = Option<Around>>) -> Result<ArrayRef> {
        Ok(match self {
            Between::Days => moments(all, DAY_US, &types::timestamp())?,
            Between::Moments(ty) => moments(all, 1, ty)?,
            Between::Ints | Between::Floats => {
                let whole = *self == Between::Ints;
                let all = all.map(|a| a.map(|(lo, hi, t)| number(lo, hi, t, whole)));
                Arc::new(all.collect::<Float64Array>())
            }
        })
    }
}

fn moments(all: impl Iterator<Item = Option<Around>>, unit: i64, ty: &DataType) -> Result<ArrayRef> {
    let us = |n: i64| {
        let far = || Error::query("a quantile of dates beyond what microseconds since 1970 tell");
        n.checked_mul(unit).ok_or_else(far)
    };
    let one = |(lo, hi, t)| Ok(moment(us(lo)?, us(hi)?, t));
    let all = all.map(|a| a.map(one).transpose());
    let column = all.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(Arc::new(column.with_data_type(ty.clone())))
}

/// The rank of the quantile's lower neighbour among `n` > 0 values, and the way to the upper one.
pub fn place(n: u64, q: f64) -> (u64, f64) {
    let place = (n - 1) as f64 * q;
    let at = (place.floor() as u64).min(n - 1);
    (at, place - at as f64)
}

/// The number between two neighbours.
fn number(lo: i64, hi: i64, t: f64, whole: bool) -> f64 {
    if lo == hi || t <= 0.0 {
        return if whole { lo as f64 } else { unordered(lo) };
    }
    if whole {
        // the difference is exact in 128 bits
        let gap = hi as i128 - lo as i128;
        if t == 0.5 {
            return (lo as i128 + hi as i128) as f64 / 2.0;
        }
        return lo as f64 + gap as f64 * t;
    }
    let (lo, hi) = (unordered(lo), unordered(hi));
    match t == 0.5 && (lo + hi).is_finite() {
        true => (lo + hi) / 2.0,
        false => lo * (1.0 - t) + hi * t,
    }
}

/// The microsecond between two neighbours.
fn moment(lo: i64, hi: i64, t: f64) -> i64 {
    let gap = i128::from(hi) - i128::from(lo);
    let way = (gap as f64 * t).round() as i128;
    (i128::from(lo) + way.min(gap)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

    #[test]
    fn between_two() {
        let days = Between::of(&DataType::Date32)
            .column([Some((1, 2, 0.5)), None].into_iter())
            .unwrap();
        let days = days.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(days.iter().collect::<Vec<_>>(), [Some(DAY_US * 3 / 2), None]);
        let far = [Some((i32::MAX.into(), i32::MAX.into(), 0.0))];
        assert!(Between::Days.column(far.into_iter()).is_err());
        let ends = (i64::MIN, i64::MAX, 0.5);
        let moments = Between::of(&types::timestamp_utc())
            .column([Some(ends)].into_iter())
            .unwrap();
        assert_eq!(*moments.data_type(), types::timestamp_utc());
        let whole = Between::of(&DataType::Int64)
            .column([Some(ends), Some((1, 2, 0.25))].into_iter())
            .unwrap();
        assert_eq!(whole.as_primitive::<Float64Type>().values()[..], [-0.5, 1.25]);
    }
}
