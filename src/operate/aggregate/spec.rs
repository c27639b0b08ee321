//! What is aggregated, and how it is made of primitives.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

use super::states::Primitive;
use crate::error::{Error, Result};
use crate::kernel::types;

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agg {
    /// Rows.
    Count,
    /// Values that are not null.
    CountOf,
    /// Exact sum.
    Sum,
    /// Mean: the exact sum, divided once.
    Mean,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Number of distinct values.
    NUnique,
    /// Sample standard deviation.
    Std,
    /// Sample variance.
    Var,
    /// Standard deviation of the whole.
    StdPop,
    /// Variance of the whole.
    VarPop,
    /// Exact median.
    Median,
    /// Exact quantile, linearly interpolated, `0..=1`.
    Quantile(f64),
    /// First value in input order.
    First,
    /// Last value in input order.
    Last,
    /// Whether all are true.
    BoolAnd,
    /// Whether any is true.
    BoolOr,
}

/// Keys and aggregates over the columns of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateSpec {
    /// The key columns.
    pub keys: Vec<usize>,
    /// Functions and their argument columns.
    pub aggs: Vec<(Agg, Option<usize>)>,
}

impl AggregateSpec {
    /// The output columns: keys, then aggregates, named by `names`.
    ///
    /// # Errors
    /// A function does not take its column's type.
    pub fn output_fields(&self, input: &Schema, names: &[String]) -> Result<Vec<Field>> {
        let keys = self.keys.iter().map(|&k| Ok(input.field(k).data_type().clone()));
        let aggs = self
            .aggs
            .iter()
            .map(|(a, arg)| a.output_type(&argument_type(input, *arg)));
        keys.chain(aggs)
            .zip(names)
            .map(|(ty, name)| Ok(Field::new(name, ty?, true)))
            .collect()
    }
}

/// The type of an argument column.
pub fn argument_type(input: &Schema, arg: Option<usize>) -> DataType {
    arg.map_or(DataType::Null, |i| input.field(i).data_type().clone())
}

impl Agg {
    /// The type of the result over a column.
    ///
    /// # Errors
    /// The function makes no sense for that type.
    pub fn output_type(self, arg: &DataType) -> Result<DataType> {
        use Agg::*;
        let number = matches!(arg, DataType::Boolean) || types::is_numeric(arg);
        let fits = match self {
            Sum | Mean | Std | Var | StdPop | VarPop | Median | Quantile(_) => number,
            BoolAnd | BoolOr => matches!(arg, DataType::Boolean | DataType::Null),
            _ => true,
        };
        if !fits {
            return Err(
                Error::query(format!("cannot compute this of {}", types::name(arg)))
                    .help("cast it to a number first, as in try_cast(x as float)"),
            );
        }
        Ok(match self {
            Count | CountOf | NUnique => DataType::Int64,
            Sum => match arg {
                DataType::Float64 => DataType::Float64,
                DataType::Decimal128(_, s) => DataType::Decimal128(38, *s),
                _ => DataType::Int64,
            },
            Mean | Std | Var | StdPop | VarPop | Median | Quantile(_) => DataType::Float64,
            Min | Max | First | Last => arg.clone(),
            BoolAnd | BoolOr => DataType::Boolean,
        })
    }

    /// The primitives it is made of, over a column of a type.
    pub fn primitives(self, arg: &DataType) -> Vec<Primitive> {
        use Agg::*;
        let float = matches!(arg, DataType::Float64);
        let sum = if float {
            Primitive::SumFloat
        } else {
            Primitive::SumInt
        };
        match self {
            Count | CountOf => vec![Primitive::Count],
            Sum | Mean => vec![sum, Primitive::Count],
            Std | Var | StdPop | VarPop if float => vec![Primitive::MomentsFloat],
            Std | Var | StdPop | VarPop => vec![Primitive::MomentsInt],
            Min | BoolAnd => vec![Primitive::Min],
            Max | BoolOr => vec![Primitive::Max],
            NUnique | Median | Quantile(_) => vec![Primitive::Bag],
            First => vec![Primitive::First],
            Last => vec![Primitive::Last],
        }
    }
}

/// Whether a type's ordered bits stand for an integer.
pub fn is_integral(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int64
            | DataType::Boolean
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}
