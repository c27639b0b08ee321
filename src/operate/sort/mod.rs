//! Sorting, of more rows than fit into memory.
//!
//! ```text
//!   tasks ──► SortSink (at most one a thread) ──► Partition: each bucket one sorted run
//!                                                   │ plan_ranges: cut the keys into R ranges
//!                       merge_range(0) … merge_range(R-1), in parallel ──► the sorted rows
//! ```
//!
//! Rows that tie in all keys keep the order of the input ([`crate::kernel::Batch::position`] plus row), so the
//! result does not depend on threads, batch boundaries or the memory limit. Nulls come last unless
//! asked for first, NaN is greater than every number, text goes by its bytes.
//!
//! Cells, dictionaries of key texts and packed codes serve groups in order too
//! ([`super::aggregate`]).

mod bound;
pub(in crate::operate) mod cells;
pub(in crate::operate) mod encode;
mod foremost;
mod gather;
mod heads;
mod keys;
mod merge;
pub(in crate::operate) mod packing;
mod plan;
mod sink;
mod store;
#[cfg(test)]
mod tests;
pub(in crate::operate) mod texts;
mod ties;

use serde::{Deserialize, Serialize};

use crate::expr::Foremost;

pub use merge::merge_range;
pub use plan::{MergePlan, plan_ranges};
pub use sink::SortSink;

/// One column to sort by.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SortKey {
    /// Index in the schema.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// Nulls before all values (otherwise after them), whatever the direction.
    pub nulls_first: bool,
}

/// What to sort by, and how many rows are wanted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// The keys, most significant first; none means input order.
    pub keys: Vec<SortKey>,
    /// Only the first rows of the result are needed (offset + limit).
    pub limit: Option<u64>,
    /// Rows that agree in so many leading keys come out of one task; none: the result may be cut
    /// anywhere.
    #[serde(default)]
    pub whole: Option<usize>,
    /// Of the rows that agree in these `whole` keys only the foremost are wanted, whose peers agree in
    /// so many leading keys of all; others may come out too, in their places.
    #[serde(default)]
    pub foremost: Option<Foremost>,
    /// Nobody sees the order: it is that of groups which are made in it only if that is quicker.
    #[serde(default)]
    pub loose: bool,
}
