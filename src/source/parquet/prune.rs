//! Proofs that a row group holds no row that a filter keeps.

use super::ParquetDataset;
use crate::source::Bound;

/// Whether statistics prove that no row of the group satisfies all of `bounds`.
pub(super) fn group_is_empty(
    _dataset: &ParquetDataset,
    _file: usize,
    _group: usize,
    _bounds: &[Bound],
) -> bool {
    false
}
