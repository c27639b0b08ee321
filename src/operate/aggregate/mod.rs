//! Group-by: partial aggregation in every task, then one merge for each hash bucket.
//!
//! ```text
//!  batches ─► keys ─► group numbers ─► states ┐ full, or finished
//!             (u128)   (KeyTable)   (by group)└─► rows: hash │ key │ states ─► 256 buckets by hash
//!                                                                   │ in memory, else spilled
//!      finished groups ◄─ merge_bucket(b): the same table and states over all rows of bucket b
//! ```
//!
//! Every state is exact and order-independent: integers are summed in 128 bits, floats in long
//! accumulators, first and last go by row position. So threads, batch limits, spilling and the
//! memory limit cannot be seen in the answer. When nearly every row opens a new group, grouping
//! is put off: each row goes to its bucket as a group of its own.
//!
//! | file | subject |
//! |---|---|
//! | `column` | columns reduced to a few kinds |
//! | `keys` | key columns ⇄ 16-byte keys |
//! | `plan` | which states the aggregates need (mean and std share one sum), and final columns |
//! | `state` | the states, by group |
//! | `values` | all values of a group: medians, quantiles, distinct counts |
//! | `rows` | groups as bytes in buckets, in memory or spilled |
//! | `heavy` | one group whose values exceed the memory, in several passes |
//! | `partial`, `merge` | the two ends |
//! | `ordered` | another road, by sorting, where groups are as many as rows and wanted in order |

mod codec;
mod column;
mod direct;
mod exact;
mod finals;
mod groups;
mod heavy;
mod keys;
mod merge;
mod ordered;
mod partial;
mod plan;
mod rows;
mod state;
#[cfg(test)]
mod tests;
mod values;

use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::types;

pub(crate) use column::Col;
pub(crate) use keys::KeyEncoder;
pub use merge::{merge_bucket, merge_buckets};
pub use ordered::{Order, Ordered, OrderedSource, Spreading, plan as plan_ordered};
pub use partial::PartialAggregate;
pub use rows::BUCKETS;

/// An aggregate function.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub enum Agg {
    /// Rows of the group.
    Count,
    /// Values that are not null.
    CountOf,
    /// Sum; null of nothing.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Smallest value (NaN is greatest; text by bytes).
    Min,
    /// Greatest value.
    Max,
    /// Distinct values that are not null.
    NUnique,
    /// Standard deviation of a sample (ddof 1).
    Std,
    /// Variance of a sample (ddof 1).
    Var,
    /// Standard deviation of a population (ddof 0).
    StdPop,
    /// Variance of a population (ddof 0).
    VarPop,
    /// Median.
    Median,
    /// Quantile between 0 and 1, interpolated linearly.
    Quantile(f64),
    /// The first value that is not null, in row order.
    First,
    /// The last value that is not null, in row order.
    Last,
    /// Whether all are true.
    BoolAnd,
    /// Whether any is true.
    BoolOr,
}

impl Agg {
    /// The name people know it by.
    pub fn name(&self) -> &'static str {
        match self {
            Agg::Count | Agg::CountOf => "count",
            Agg::Sum => "sum",
            Agg::Mean => "mean",
            Agg::Min => "min",
            Agg::Max => "max",
            Agg::NUnique => "nunique",
            Agg::Std => "std",
            Agg::Var => "var",
            Agg::StdPop => "std_pop",
            Agg::VarPop => "var_pop",
            Agg::Median => "median",
            Agg::Quantile(_) => "quantile",
            Agg::First => "first",
            Agg::Last => "last",
            Agg::BoolAnd => "bool_and",
            Agg::BoolOr => "bool_or",
        }
    }

    /// The type of its result over a column of type `ty` (`None`: no column), or a query error.
    pub fn output_type(&self, ty: Option<&DataType>) -> Result<DataType> {
        use DataType::*;
        if let Agg::Count = self {
            return Ok(Int64);
        }
        let ty = ty.ok_or_else(|| Error::query(format!("{} needs a column", self.name())))?;
        let no = || {
            let what = format!("{} of a column of type {}", self.name(), types::name(ty));
            Err(Error::query(format!("there is no {what}")).help("cast the column to another type"))
        };
        let number = types::is_numeric(ty) || *ty == Boolean;
        match self {
            Agg::Count | Agg::CountOf => Ok(Int64),
            Agg::NUnique if known(ty) => Ok(Int64),
            Agg::Min | Agg::Max | Agg::First | Agg::Last if known(ty) => Ok(ty.clone()),
            Agg::BoolAnd | Agg::BoolOr if matches!(ty, Boolean | Null) => Ok(Boolean),
            Agg::Sum if number => Ok(match ty {
                Float64 => Float64,
                Decimal128(_, s) => Decimal128(38, *s),
                _ => Int64,
            }),
            Agg::Quantile(q) if !(0.0..=1.0).contains(q) => Err(Error::query(format!(
                "a quantile lies between 0 and 1, not at {q}"
            ))),
            Agg::Mean | Agg::Std | Agg::Var | Agg::StdPop | Agg::VarPop if number => Ok(Float64),
            Agg::Median | Agg::Quantile(_) if number => Ok(Float64),
            _ => no(),
        }
    }
}

fn known(ty: &DataType) -> bool {
    use DataType::*;
    matches!(
        ty,
        Null | Boolean | Int64 | Float64 | Decimal128(..) | Date32 | Timestamp(..) | Utf8View
    )
}

/// A group-by: key columns and aggregates over columns, by index in the input.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct AggregateSpec {
    /// The key columns; none: one group of all rows.
    pub keys: Vec<usize>,
    /// The aggregates and the column of each (`None` for [`Agg::Count`]).
    pub aggs: Vec<(Agg, Option<usize>)>,
    /// Groups that are there even of no row: which of the keys, an int64, has a value, and the value
    /// for each such group; their other keys are null.
    #[serde(default)]
    pub totals: Option<(usize, Vec<i64>)>,
}

impl AggregateSpec {
    /// The columns of the result: the keys with their own names, then the aggregates with `names`.
    pub fn output_fields(&self, input: &Schema, names: &[String]) -> Result<Vec<Field>> {
        let mut fields = Vec::with_capacity(self.keys.len() + self.aggs.len());
        for &k in &self.keys {
            fields.push(input.field(k).clone().with_nullable(true));
        }
        for (i, (agg, column)) in self.aggs.iter().enumerate() {
            let ty = agg.output_type(column.map(|c| input.field(c).data_type()))?;
            let name = names.get(i).cloned().unwrap_or_else(|| agg.name().to_string());
            fields.push(Field::new(name, ty, true));
        }
        Ok(fields)
    }
}
