//! Window functions: a pass over rows that come sorted by partition and order.
//!
//! ```text
//!   sorted rows ─► Rows: a stretch of them, where partitions and groups of peers begin
//!                    │ frames: for each row the rows that count, as far as they are there
//!                    ▼
//!          one evaluator a call: ranks, picks (lag, first_value …), extremes, sliding aggregates
//!                    │ rows that all calls know go out; rows that no later frame needs are forgotten
//!                    ▼
//!          the rows as they came, with a column for each call
//! ```
//!
//! Memory follows the frames, not the partitions: a running sum keeps a batch, `100 PRECEDING` a hundred
//! rows more. A call that must see the end of the partition waits for it; where the partition does not
//! fit, its rows go to disk while each such call takes in what it needs (a total, a count, the last
//! value), and then they are read again ([`spool`]). What even then needs all rows at once, such as the
//! median of a partition, is refused with an error.
//!
//! Frames only move forward within a partition, so that sums add and remove each row once. All
//! states are the exact ones of [`super::aggregate`]: nothing is lost when a row is removed, and a
//! window's sum has the same bytes as that of a group.
//!
//! | file | subject |
//! |---|---|
//! | `rows` | the stretch of rows, partitions and peers in it |
//! | `frames` | where each row's frame starts and ends |
//! | `ranks`, `picks`, `extreme`, `slide` | the evaluators |
//! | `sums`, `counts`, `order`, `pairs`, `shapes`, `modes` | states that slide |
//! | `call` | one call with its evaluator |
//! | `pass` | the operator |
//! | `spool` | partitions that do not fit |

mod call;
mod counts;
mod extreme;
mod frames;
mod modes;
mod once;
mod order;
mod pairs;
mod pass;
mod picks;
mod ranks;
mod rows;
mod shapes;
mod slide;
mod spool;
mod sums;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::expr::{AggFunc, Exclude};
use crate::kernel::Width;

pub use pass::Window;

/// Window functions over rows in the order of one window.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// So many leading columns are handed on; those behind them serve the calls.
    pub kept: usize,
    /// The columns by which rows are sorted: those of the partitions, then those of the order.
    pub keys: Vec<usize>,
    /// How many of the keys are the partition's.
    pub partition: usize,
    /// What is computed.
    pub calls: Vec<CallSpec>,
}

impl WindowSpec {
    /// The columns that come out.
    pub fn schema(&self, input: &SchemaRef) -> SchemaRef {
        let fields = input.fields().iter().take(self.kept).cloned();
        let calls = self.calls.iter();
        let calls = calls.map(|c| {
            let field = Field::new(&c.name, c.ty.clone(), true);
            Arc::new(Width::noted(c.width, field))
        });
        Arc::new(Schema::new(fields.chain(calls).collect::<Vec<_>>()))
    }
}

/// One window function.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CallSpec {
    /// The name of its column.
    pub name: String,
    /// What is computed.
    pub func: Func,
    /// Whether equal values count once.
    #[serde(default)]
    pub distinct: bool,
    /// The column it looks at.
    pub arg: Option<usize>,
    /// The column with what a shift yields where there is no row.
    pub default: Option<usize>,
    /// Rows that agree in so many leading keys are peers.
    pub peers: usize,
    /// The rows that count.
    pub frame: FrameSpec,
    /// The type of the result.
    pub ty: DataType,
    /// Its width, where that is narrower.
    #[serde(default)]
    pub width: Option<Width>,
}

/// What is computed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // as their names say; see `expr::WindowFunc`
pub enum Func {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile(u64),
    /// The value so many rows further on (back, where negative).
    Shift {
        by: i64,
        ignore_nulls: bool,
    },
    First {
        ignore_nulls: bool,
    },
    Last {
        ignore_nulls: bool,
    },
    Nth {
        n: u64,
        ignore_nulls: bool,
    },
    Aggregate(AggFunc),
}

/// The rows of a frame, from `start` to `end`, the latter included.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct FrameSpec {
    /// The first row.
    pub start: Edge,
    /// The last row.
    pub end: Edge,
    /// Rows between them that do not count.
    pub exclude: Exclude,
    /// The key that edges of kind `Value` are compared with.
    pub key: Option<usize>,
    /// Whether that key descends.
    pub descending: bool,
    /// Whether its nulls come first.
    pub nulls_first: bool,
}

/// One edge of a frame.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The partition's.
    Unbounded,
    /// The row so many rows further on.
    Row(i64),
    /// The group of peers so many groups further on.
    Group(i64),
    /// The row whose key reaches the value in this column.
    Value(usize),
}
