//! Groups by sorting, for results in key order whose groups are nearly as many as the rows.
//!
//! ```text
//!   scan     rows ─► Kept: columns as narrow integers, texts as ids of a dictionary      (one a thread)
//!   between  all dictionaries and spans united ─► each key a code that orders as keys do (Spread)
//!   spread   64k rows at once ─► their codes and values, by range of codes               (in parallel)
//!   result   range ─► sort codes ─► equal neighbours are groups ─► states ─► rows        (in parallel)
//! ```
//!
//! Where almost every row opens a group, hashing them early gains nothing, and sorting the groups
//! afterwards moves all rows thrice more. Here each row moves twice, as one integer and its values.
//! A sink that is refused memory writes what it kept to disk, as it came; then what is spread goes
//! there as well, each range a part of a chunk (`disk`, `chunk`), and a range of too many rows is
//! grouped in several rounds (`wide`). Only the dictionaries of texts must stay in memory.
//!
//! The road is taken only within one process. A sink whose texts are too many, or that finds its
//! keys repeating, regroups what it kept in the usual way, and so does the plan where keys do not
//! fit a code. Answers cannot differ: the states are the same.
//!
//! What the codes are, and why equal codes are equal keys: [`crate::operate::sort`]'s `packing`.

mod chunk;
mod disk;
mod kept;
mod numbers;
mod ranges;
mod room;
mod spread;
mod stored;
#[cfg(test)]
mod tests;
mod unite;
mod wide;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::datatypes::DataType;

use super::plan::{Kind, Plan};
use crate::operate::sort::SortKey;

pub use kept::Kept;
pub use ranges::OrderedSource;
pub use spread::{Ordered, Spreading, plan};

/// The order in which groups are wanted, and what the sinks of a stage agree on.
#[derive(Debug, Clone)]
pub struct Order {
    /// All keys, by their place among the keys of the aggregate.
    pub keys: Vec<SortKey>,
    /// Set once a sink has found that grouping early pays; the others follow.
    pub pays: Arc<AtomicBool>,
    /// Set once a sink has found that it does not; the others need not look.
    pub never_pays: Arc<AtomicBool>,
}

impl Order {
    /// Groups wanted in the order of `keys`.
    pub fn new(keys: Vec<SortKey>) -> Self {
        Order {
            keys,
            pays: Arc::default(),
            never_pays: Arc::default(),
        }
    }

    /// Whether rows of such a plan can be kept: the order has all keys, and every state comes from
    /// integers in any order.
    pub(super) fn fits(&self, plan: &Plan) -> bool {
        use Kind::*;
        let integers = |ty: &DataType| *ty != DataType::Utf8View;
        let simple = |kind: &Kind| !matches!(kind, MinText | MaxText | Edge(_) | Texts | Pairs);
        let all = (0..plan.keys.len()).all(|k| self.keys.iter().any(|s| s.column == k));
        !plan.keys.is_empty()
            && all
            && plan.lists.is_empty()
            && plan.sets.is_empty()
            && plan.merged.is_empty()
            && plan.types.iter().all(integers)
            && plan.states.iter().all(|(kind, _)| simple(kind))
    }
}
