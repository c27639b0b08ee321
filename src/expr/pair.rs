//! Two columns as one: what aggregates of pairs, such as a correlation, look at.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};
use serde::{Deserialize, Serialize};

use super::eval::Value;
use super::functions::Func;
use crate::error::Result;

/// An aggregate of pairs. In `regr_…(y, x)` x explains y, as in the SQL standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairFunc {
    /// Pearson's correlation.
    Corr,
    /// Covariance of a population.
    CovarPop,
    /// Covariance of a sample.
    CovarSamp,
    /// Number of pairs without a null.
    Count,
    /// Slope of the line through the pairs that least squares give.
    Slope,
    /// Where that line meets x = 0.
    Intercept,
    /// Share of the variance of y that the line explains.
    R2,
    /// Sum of squared deviations of x.
    Sxx,
    /// Sum of squared deviations of y.
    Syy,
    /// Sum of products of deviations.
    Sxy,
    /// Mean of x.
    AvgX,
    /// Mean of y.
    AvgY,
}

impl PairFunc {
    /// The name in the expression language.
    pub fn name(self) -> &'static str {
        use PairFunc::*;
        match self {
            Corr => "corr",
            CovarPop => "covar_pop",
            CovarSamp => "covar_samp",
            Count => "regr_count",
            Slope => "regr_slope",
            Intercept => "regr_intercept",
            R2 => "regr_r2",
            Sxx => "regr_sxx",
            Syy => "regr_syy",
            Sxy => "regr_sxy",
            AvgX => "regr_avgx",
            AvgY => "regr_avgy",
        }
    }
}

/// The type of a pair: its 128 bits are those of both floats, the first one on top.
pub(super) const PAIR: DataType = DataType::Decimal128(38, 0);

/// Calls [`Func::Pair`]; none for other functions. A pair with a null is null.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<Option<ArrayRef>> {
    if func != Func::Pair {
        return Ok(None);
    }
    let (a, b) = (Column::of(&args[0]), Column::of(&args[1]));
    let pairs: Vec<i128> = (0..rows).map(|i| (a.bits(i) << 64 | b.bits(i)) as i128).collect();
    let nulls = NullBuffer::union(a.nulls(rows).as_ref(), b.nulls(rows).as_ref());
    let pairs = Decimal128Array::new(pairs.into(), nulls);
    Ok(Some(Arc::new(pairs.with_data_type(PAIR))))
}

/// One of the two columns.
struct Column<'a> {
    all: &'a Float64Array,
    values: &'a [f64],
    /// From one row to the next: none where there is one value for all rows.
    step: usize,
}

impl<'a> Column<'a> {
    fn of(value: &'a Value) -> Column<'a> {
        let all = value.array().as_primitive::<Float64Type>();
        Column {
            all,
            values: all.values(),
            step: usize::from(matches!(value, Value::Array(_))),
        }
    }

    fn bits(&self, row: usize) -> u128 {
        u128::from(self.values[row * self.step].to_bits())
    }

    fn nulls(&self, rows: usize) -> Option<NullBuffer> {
        match self.step {
            0 if self.all.null_count() > 0 => Some(NullBuffer::new_null(rows)),
            0 => None,
            _ => self.all.nulls().cloned(),
        }
    }
}
