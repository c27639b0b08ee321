//! Which partitions begin inside quotes: the parities of quotes, chained over a file.
//!
//! ```text
//!  partition      0      1      2      3          a task publishes its partition's parity when it has
//!  quotes        12      7      ?      4          read the bytes; the known prefix grows over them
//!  claims         .     out     ?     in          a task may begin on a guess and claim what it took
//!  known prefix ───────►|                         for granted: checked once the prefix arrives there
//! ```
//!
//! Nobody waits. Who must be certain counts the quotes of the partitions that are not published
//! yet; the worst that happens is that two tasks count the same bytes. The known prefix is kept, so
//! that the whole costs as many steps as there are partitions.

use std::sync::{Mutex, MutexGuard};

use crate::error::Result;

/// The parities of one file's partitions.
#[derive(Debug)]
pub(crate) struct Chain {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parts: Vec<Part>,
    /// So many partitions are known in a row, and whether what follows them begins inside quotes.
    known: usize,
    inside: bool,
}

/// What is known of a partition.
#[derive(Debug, Default, Clone, Copy)]
struct Part {
    /// Whether the number of its quotes is odd.
    odd: Option<bool>,
    /// Whether it begins inside quotes.
    inside: Option<bool>,
    /// The same as somebody took it for granted.
    claim: Option<bool>,
}

impl State {
    fn new(parts: usize) -> State {
        let mut state = State {
            parts: vec![Part::default(); parts],
            ..State::default()
        };
        state.advance();
        state
    }

    /// Goes on over the partitions that are published; false if a claim turns out wrong.
    fn advance(&mut self) -> bool {
        let mut hold = true;
        while let Some(part) = self.parts.get_mut(self.known) {
            part.inside = Some(self.inside);
            hold &= part.claim.is_none_or(|claim| claim == self.inside);
            let Some(odd) = part.odd else { break };
            self.inside ^= odd;
            self.known += 1;
        }
        if !hold {
            // they are told once: the next run makes none
            self.parts.iter_mut().for_each(|p| p.claim = None);
        }
        hold
    }
}

impl Chain {
    pub(crate) fn new(parts: usize) -> Self {
        Chain {
            state: Mutex::new(State::new(parts)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // whoever panicked left whole entries
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Tells the number of quotes in a partition; false if a claim turns out wrong by it, or if it was told
    /// otherwise before: then the file has changed, and all is forgotten.
    #[must_use]
    pub(crate) fn publish(&self, part: usize, quotes: usize) -> bool {
        let mut state = self.state();
        let odd = quotes & 1 == 1;
        match state.parts[part].odd.replace(odd) {
            Some(before) if before != odd => {
                *state = State::new(state.parts.len());
                false
            }
            _ => state.advance(),
        }
    }

    /// Whether a partition begins inside quotes, if it is known yet.
    pub(crate) fn known(&self, part: usize) -> Option<bool> {
        self.state().parts[part].inside
    }

    /// Takes for granted that a partition begins inside quotes, or that it does not; false if it
    /// is known to be otherwise by now.
    #[must_use]
    pub(crate) fn claim(&self, part: usize, inside: bool) -> bool {
        let mut state = self.state();
        match state.parts[part].inside {
            Some(known) => known == inside,
            None => {
                state.parts[part].claim = Some(inside);
                true
            }
        }
    }

    /// Whether a partition begins inside quotes; `count` counts those of an unpublished one.
    pub(crate) fn inside(&self, part: usize, mut count: impl FnMut(usize) -> Result<usize>) -> Result<bool> {
        let (mut at, mut inside) = {
            let state = self.state();
            match state.parts[part].inside {
                Some(inside) => return Ok(inside),
                None => (state.known, state.inside),
            }
        };
        while at < part {
            let published = self.state().parts[at].odd;
            inside ^= match published {
                Some(odd) => odd,
                None => {
                    let odd = count(at)? & 1 == 1;
                    self.state().parts[at].odd = Some(odd); // claims are judged when its task is done
                    odd
                }
            };
            at += 1;
        }
        Ok(inside)
    }

    /// Whether all claims hold, as far as they can be told by counting the quotes of what nobody read.
    pub(crate) fn holds(&self, mut count: impl FnMut(usize) -> Result<usize>) -> Result<bool> {
        loop {
            let (missing, last) = {
                let state = self.state();
                (state.known, state.parts.iter().rposition(|p| p.claim.is_some()))
            };
            // the claim of a partition hangs on those before it
            if last.is_none_or(|last| missing >= last) {
                return Ok(true);
            }
            if !self.publish(missing, count(missing)?) {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The truth about a partition.
    fn truth(quotes: &[usize], part: usize) -> bool {
        quotes[..part].iter().sum::<usize>() % 2 == 1
    }

    #[test]
    fn any_order_gives_the_same_parities() {
        let quotes = [3usize, 0, 2, 1, 5, 4];
        for first in 0..quotes.len() {
            let chain = Chain::new(quotes.len());
            assert!(chain.publish(first, quotes[first]));
            for part in (0..quotes.len()).rev() {
                let got = chain.inside(part, |p| {
                    assert_ne!(p, first);
                    Ok(quotes[p])
                });
                assert_eq!(got.unwrap(), truth(&quotes, part));
            }
        }
    }

    #[test]
    fn a_file_that_changed_is_noticed() {
        let chain = Chain::new(3);
        assert!(chain.publish(0, 1) && chain.publish(1, 0));
        assert_eq!(chain.known(2), Some(true));
        assert!(chain.publish(0, 3));
        assert!(!chain.publish(0, 2));
        assert_eq!((chain.known(0), chain.known(2)), (Some(false), None));
    }

    proptest! {
        /// Whatever the order in which tasks claim and publish: exactly a wrong claim is found out,
        /// at the latest when all are done or when somebody asks.
        #[test]
        fn wrong_claims_are_found_out(
            quotes in prop::collection::vec(0usize..4, 1..12),
            wrong in prop::option::of(0usize..12),
            steps in prop::collection::vec((0usize..12, any::<bool>()), 0..40),
            finish in any::<bool>(),
        ) {
            let n = quotes.len();
            let chain = Chain::new(n);
            let wrong = wrong.filter(|w| *w < n);
            let (mut claimed, mut published) = (vec![false; n], vec![false; n]);
            let mut found = false;
            let claim = |part: usize| chain.claim(part, truth(&quotes, part) ^ (Some(part) == wrong));
            for (part, publishes) in steps.into_iter().filter(|s| s.0 < n) {
                if publishes {
                    found |= !chain.publish(part, quotes[part]);
                    published[part] = true;
                } else {
                    found |= !claim(part);
                    claimed[part] = true;
                }
                if found {
                    break;
                }
                if let Some(known) = chain.known(part) {
                    prop_assert_eq!(known, truth(&quotes, part));
                }
            }
            let expected = wrong.is_some_and(|w| claimed[w]);
            if !found && finish {
                for (part, &quotes) in quotes.iter().enumerate() {
                    found |= !chain.publish(part, quotes);
                }
            } else if !found {
                found = !chain.holds(|p| Ok(quotes[p])).unwrap();
            }
            prop_assert_eq!(found, expected);
        }
    }
}
