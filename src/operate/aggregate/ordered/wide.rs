//! A range of more rows than may be grouped at once: its groups in several rounds.
//!
//! ```text
//!   round:  all rows ─► the least so many codes behind those of the round before ─► their groups
//!           all rows ─► states of these groups
//! ```
//!
//! Ranges are placed by a sample, so wide ones are rare; but all rows of a heavy key lie in one.

use super::super::plan::Plan;
use super::chunk::Chunk;
use super::ranges::{Entry, Grouped, new_states, update};
use crate::error::Result;
use crate::operate::sort::cells::Cells;

/// The first groups, at most `most`, of `range` whose codes are behind `after`.
pub(super) fn group<C: Entry>(
    plan: &Plan,
    chunks: &[&Chunk<C>],
    range: usize,
    after: Option<C>,
    most: usize,
) -> Result<Grouped<C>> {
    let mut least = Least::new(after, most);
    for chunk in chunks {
        chunk.slice(range)?.codes.iter().for_each(|&code| least.see(code));
    }
    let codes = least.finish();
    let mut states = new_states(plan, codes.len());
    for chunk in chunks {
        let slice = chunk.slice(range)?;
        let (mut ids, mut at) = (Vec::new(), Vec::new());
        for (code, row) in slice.codes.iter().zip(slice.rows.start as u32..) {
            if let Ok(id) = codes.binary_search(code) {
                ids.push(id as u32);
                at.push((0, row));
            }
        }
        let columns = slice.values.iter().map(|cells| Cells::gather(&[cells], &at));
        update(plan, &mut states, &columns.collect::<Result<Vec<_>>>()?, &ids)?;
    }
    let more = codes.len() == most;
    Ok((codes, states, more))
}

/// The number of groups of such a range.
pub(super) fn count<C: Entry>(chunks: &[&Chunk<C>], range: usize, most: usize) -> Result<usize> {
    let (mut groups, mut after) = (0, None);
    loop {
        let mut least = Least::new(after, most);
        for chunk in chunks {
            chunk.slice(range)?.codes.iter().for_each(|&code| least.see(code));
        }
        let codes = least.finish();
        groups += codes.len();
        after = codes.last().copied();
        if codes.len() < most {
            return Ok(groups);
        }
    }
}

/// The least different codes of those it sees.
struct Least<C> {
    after: Option<C>,
    /// Greater ones are not among them.
    bound: Option<C>,
    most: usize,
    /// Twice as many at most.
    found: Vec<C>,
}

impl<C: Entry> Least<C> {
    fn new(after: Option<C>, most: usize) -> Self {
        Least {
            after,
            bound: None,
            most,
            found: Vec::new(),
        }
    }

    fn see(&mut self, code: C) {
        if self.after.is_some_and(|a| code <= a) || self.bound.is_some_and(|b| code > b) {
            return;
        }
        self.found.push(code);
        if self.found.len() >= 2 * self.most {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.found.sort_unstable();
        self.found.dedup();
        if self.found.len() >= self.most {
            self.found.truncate(self.most);
            self.bound = self.found.last().copied();
        }
    }

    fn finish(mut self) -> Vec<C> {
        self.settle();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounds_find_all_codes_in_order(codes in prop::collection::vec(0u64..60, 0..200), most in 1usize..20) {
            let mut want = codes.clone();
            want.sort_unstable();
            want.dedup();
            let mut found: Vec<u64> = Vec::new();
            loop {
                let mut least = Least::new(found.last().copied(), most);
                codes.iter().for_each(|&c| least.see(c));
                let some = least.finish();
                prop_assert!(some.len() <= most);
                found.extend(&some);
                if some.len() < most {
                    break;
                }
            }
            prop_assert_eq!(found, want);
        }
    }
}
