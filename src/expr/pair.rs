//! Two columns as one: what aggregates of pairs, such as a correlation, look at.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
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
    let [a, b] = [&args[0], &args[1]].map(|v| (v, v.array().as_primitive::<Float64Type>()));
    let bits = |(v, a): (&Value, &arrow::array::Float64Array), i: usize| {
        let at = v.at(i);
        a.is_valid(at).then(|| u128::from(a.value(at).to_bits()))
    };
    let pairs = (0..rows).map(|i| Some((bits(a, i)? << 64 | bits(b, i)?) as i128));
    let pairs: Decimal128Array = pairs.collect();
    Ok(Some(Arc::new(pairs.with_data_type(PAIR))))
}
