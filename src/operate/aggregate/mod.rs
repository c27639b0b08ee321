//! Group-by: partial aggregation in every task, then one merge for each hash bucket.
//!
//! ```text
//!  batches ─► keys ─► group numbers ─► states ┐ full, or finished
//!             (u128)   (KeyTable)   (by group)└─► rows: hash │ key │ states ─► 256 buckets by hash
//!                                                                   │ in memory, else spilled
//!      finished groups ◄─ merge_bucket(b): the same table and states over all rows of bucket b
//! ```
//!
//! Every state is exact and order-independent: integers are summed in 64 bits, and beside in 128
//! where those do not do; floats in long accumulators; first and last go by row position. So
//! threads, batch limits, spilling and the memory limit cannot be seen in the answer. When nearly
//! every row opens a new group, grouping is put off: each row goes to its bucket as a group of its own.
//!
//! | file | subject |
//! |---|---|
//! | `column` | columns reduced to a few kinds |
//! | `keys` | key columns ⇄ 16-byte keys |
//! | `plan` | which states the aggregates need (mean and std share one sum), and final columns |
//! | `state` | the states, by group; `exact`, `int_sums`, `moments`, `pairs`, `powers`, `products`: what some are made of |
//! | `big`, `fixed`, `held`, `scaled` | numbers of any width, of 256 bits, few values as they are, floats with a wide exponent |
//! | `values`, `quantile` | all values of a group: medians, quantiles, distinct counts |
//! | `rows` | groups as bytes in buckets, in memory or spilled |
//! | `heavy` | one group whose values exceed the memory, in several passes |
//! | `partial`, `merge` | the two ends |
//! | `ordered` | another road, by sorting, where groups are as many as rows and wanted in order |

mod ahead;
mod big;
mod codec;
pub(in crate::operate) mod column;
mod direct;
pub(in crate::operate) mod exact;
pub(in crate::operate) mod finals;
mod fixed;
mod groups;
mod heavy;
mod held;
mod int_sums;
mod keys;
mod merge;
pub(in crate::operate) mod moments;
mod ordered;
pub(in crate::operate) mod pairs;
mod partial;
mod plan;
pub(in crate::operate) mod powers;
pub(in crate::operate) mod products;
pub(in crate::operate) mod quantile;
mod rows;
pub(in crate::operate) mod scaled;
mod state;
#[cfg(test)]
mod tests;
pub(in crate::operate) mod values;
mod whole;

use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::expr::AggFunc;

pub(crate) use column::Col;
pub(crate) use keys::KeyEncoder;
pub use merge::{merge_bucket, merge_buckets};
pub use ordered::{Order, Ordered, OrderedSource, Spreading, plan as plan_ordered};
pub use partial::PartialAggregate;
pub use rows::BUCKETS;

/// A group-by: key columns and aggregates over columns, by index in the input.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct AggregateSpec {
    /// The key columns; none: one group of all rows.
    pub keys: Vec<usize>,
    /// The aggregates and the column of each (`None`: rows are counted).
    pub aggs: Vec<(AggFunc, Option<usize>)>,
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
            let ty = output_type(*agg, column.map(|c| input.field(c).data_type()))?;
            let name = names.get(i).cloned().unwrap_or_else(|| agg.name().to_string());
            fields.push(Field::new(name, ty, true));
        }
        Ok(fields)
    }
}

/// The type of an aggregate over a column of type `ty`, or over whole rows; query errors where it does not fit.
fn output_type(agg: AggFunc, ty: Option<&DataType>) -> Result<DataType> {
    match ty {
        Some(ty) => agg.output_type(ty),
        None if agg == AggFunc::Count => Ok(DataType::Int64),
        None => Err(Error::query(format!("{} needs a column", agg.name()))),
    }
}
