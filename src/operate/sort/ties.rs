//! Rows whose heads tie: sorted by heads of their own, whose bounds are those of the tied values.
//!
//! ```text
//!   head  0 7 7 7 9                    the keys that heads tell whole are out of the way,
//!   tied    └─┬─┘                      of the next one the bits or bytes that all tied rows share
//!   their own heads  3 1 2  ─► places
//! ```

use std::cmp::Ordering;
use std::ops::Range;

use super::cells::Block;
use super::heads::{Heads, Values};
use super::keys::{Key, compare};
use crate::error::Result;

/// So few rows are compared one by one.
pub(super) const FEW: usize = 24;

/// The order of the rows of a block by some keys; rows that tie come in the order of the input.
pub(super) fn sorted(keys: &[Key], block: &Block) -> Result<Vec<u32>> {
    let values: Vec<Values> = keys
        .iter()
        .map(|k| Values::of(&block.columns[k.column]))
        .collect();
    let heads = Heads::new(keys, &values);
    let all = heads.of(block).into_iter().zip(block.orders.iter()).zip(0u32..);
    let mut all: Vec<(u128, u64, u32)> = all.map(|((h, &o), row)| (h, o, row)).collect();
    all.sort_unstable();
    let keys = &keys[heads.whole_keys()..];
    for tied in runs(&all, |a, b| a.0 == b.0) {
        let tied = &mut all[tied];
        if tied[0].0 & 1 == 0 {
            continue;
        }
        if tied.len() <= FEW {
            tied.sort_unstable_by(|a, b| {
                compare(keys, block, a.2 as usize, block, b.2 as usize).then(a.1.cmp(&b.1))
            });
            continue;
        }
        let at: Vec<(u32, u32)> = tied.iter().map(|t| (0, t.2)).collect();
        let order = sorted(keys, &gather(keys, &[block], &at)?)?;
        let places: Vec<u32> = order.iter().map(|&i| tied[i as usize].2).collect();
        tied.iter_mut().zip(places).for_each(|(t, place)| t.2 = place);
    }
    Ok(all.into_iter().map(|t| t.2).collect())
}

/// The keys of the rows at some places, all other columns empty.
pub(super) fn gather(keys: &[Key], parts: &[&Block], at: &[(u32, u32)]) -> Result<Block> {
    Block::gather_columns(parts, at, |c| keys.iter().any(|k| k.column == c))
}

/// Where neighbours are alike: the ranges of more than one.
pub(super) fn runs<T>(all: &[T], alike: impl Fn(&T, &T) -> bool) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut out = Vec::new();
    for run in all.chunk_by(alike) {
        if run.len() > 1 {
            out.push(start..start + run.len());
        }
        start += run.len();
    }
    out
}

/// The order of two rows, by keys and then as they came.
pub(super) fn order(keys: &[Key], (a, i): (&Block, usize), (b, j): (&Block, usize)) -> Ordering {
    compare(keys, a, i, b, j).then_with(|| a.orders[i].cmp(&b.orders[j]))
}
