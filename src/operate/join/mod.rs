//! Hash joins: the right side is built into a table, the left side probes it, batch by batch.
//!
//! ```text
//!   right rows ──► BuildSink ──► BuildSide   keys ─► KeyTable ─► group ─► rows, in input order
//!                                    ▲
//!   left rows  ──► Probe ── keys ────┘ ──► left columns │ right columns   in the order of the left
//! ```
//!
//! A probe is a transform: rows that come out flow on in the same task, and any number of joins
//! stand one after the other in one stage. Of several matches the rows come in the order of the
//! right input, so the answer does not depend on threads. Null keys match nothing. An outer join to
//! the right and a full one are made of these four kinds when the frame is built.
//!
//! An **asof join** gives each left row the nearest of the right rows that have its keys: the lists of
//! the index are sorted by the asof key, and a binary search makes the one row of the group ([`asof`]).
//!
//! A build side that does not fit into memory is spread over buckets on disk, and so is then the left
//! side; each bucket is joined by itself, and what comes out is sorted by the places of the left rows:
//!
//! ```text
//!   right ─► BuildSink ─────► buckets ─┐
//!   left  ─► ScatterSink ───► buckets ─┴─► BucketJoin ─► sorted runs ─► merge ─► as if it had fitted
//! ```

mod asof;
mod bucket;
mod build;
mod coded;
mod collect;
mod index;
mod probe;
mod scatter;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::expr::{AsOfOp, Expr, JoinKind};

pub use bucket::{BucketJoin, Start, bucket_bytes, bucket_tasks};
pub use build::{BuildSide, key_set};
pub use collect::{BuildSink, is_scattered, scatter_build};
pub use probe::Probe;
pub use scatter::{ORDER, ScatterSink};

/// What a join does, in columns by place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinSpec {
    /// Which rows come out.
    pub kind: JoinKind,
    /// The key columns of the left.
    pub left_keys: Vec<usize>,
    /// The key columns of the right, of the same types.
    pub right_keys: Vec<usize>,
    /// So many columns of the left come out; what follows are computed keys.
    pub left_columns: usize,
    /// So many columns of the right come out, unless the kind yields none.
    pub right_columns: usize,
    /// A further condition over the columns that come out of an inner join.
    pub filter: Option<Expr>,
    /// Of the rows that match only the nearest by this key: of inner and left joins without a condition.
    #[serde(default)]
    pub asof: Option<AsOfSpec>,
    /// Which of the columns that come out, left then right, nobody reads: in their place come nulls.
    /// Empty where all are read.
    #[serde(default)]
    pub unused: Vec<bool>,
}

/// The key of an asof join, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOfSpec {
    /// The left column.
    pub left: usize,
    /// The right column, of the same type.
    pub right: usize,
    /// `left op right` must hold.
    pub op: AsOfOp,
}

impl JoinSpec {
    /// Whether nobody reads a column that comes out.
    pub fn is_unused(&self, column: usize) -> bool {
        self.unused.get(column).copied().unwrap_or(false)
    }

    /// What left rows with null keys are good for.
    fn left_nulls(&self) -> scatter::Nulls {
        match self.kind {
            JoinKind::Inner | JoinKind::Semi => scatter::Nulls::Drop,
            JoinKind::Left | JoinKind::Anti => scatter::Nulls::Keep,
        }
    }
}
