//! Grouping and aggregating, exactly, in parallel, and beyond memory.
//!
//! ```text
//!   rows ─► keys as bytes ─► table ─► group numbers ─► states        PartialAggregate, one a thread
//!                                         │ export as Arrow, by hash
//!                                         ▼
//!                256 buckets, in memory or spilled                   Partition
//!                                         │ the same bucket of all threads
//!                                         ▼
//!                merged states ─► answers                            merge_buckets, in parallel
//! ```
//!
//! `keys` turns the key columns of a batch into short byte strings, `table` numbers them,
//! `states` holds what is remembered for each group and `bag` the heavy kind of it (all values, for
//! medians and distinct counts), `groups` puts them together, `partial` and `merge` are the two
//! halves, and `finish` makes the answers. Every state merges to the same bits in any order, so an
//! answer never depends on threads, block sizes or spilling.

mod bag;
mod columns;
mod finish;
mod groups;
mod keys;
mod merge;
mod partial;
mod spec;
mod states;
mod table;
#[cfg(test)]
mod tests;

pub use merge::merge_buckets;
pub use partial::{BUCKETS, PartialAggregate};
pub use spec::{Agg, AggregateSpec};
