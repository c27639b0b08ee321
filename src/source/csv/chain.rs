//! Which partitions begin inside quotes: the parities of quotes, chained over a file.
//!
//! ```text
//!  partition      0      1      2      3          a task publishes its own parity as soon as it has
//!  quotes        12      7      ?      4          read its bytes, and needs those of all before it;
//!  known prefix ───────►|                         one not yet published it counts itself
//! ```
//!
//! Nobody waits: the worst that happens is that two tasks count the same bytes. The known prefix
//! is kept, so that the whole costs as many steps as there are partitions.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::error::Result;

const UNKNOWN: u8 = 2;

/// The parities of one file's partitions.
#[derive(Debug)]
pub(crate) struct Chain {
    /// Of each partition, and of all before it.
    parts: Vec<(AtomicU8, AtomicU8)>,
    /// So many partitions are known in a row, and the parity of their sum.
    prefix: Mutex<(usize, u8)>,
}

impl Chain {
    pub(crate) fn new(parts: usize) -> Self {
        let unknown = || AtomicU8::new(UNKNOWN);
        Chain {
            parts: (0..parts).map(|_| (unknown(), unknown())).collect(),
            prefix: Mutex::new((0, 0)),
        }
    }

    /// Tells the number of quotes in a partition.
    pub(crate) fn publish(&self, part: usize, quotes: usize) {
        self.parts[part].0.store((quotes & 1) as u8, Relaxed);
    }

    /// Whether partition `part` begins inside quotes; `count` counts those of an unpublished one.
    pub(crate) fn inside(&self, part: usize, mut count: impl FnMut(usize) -> Result<usize>) -> Result<bool> {
        let before = self.parts[part].1.load(Relaxed);
        if before != UNKNOWN {
            return Ok(before == 1);
        }
        let (mut at, mut parity) = match self.prefix.lock() {
            Ok(known) if known.0 <= part => *known,
            _ => (0, 0),
        };
        while at < part {
            let (own, before) = &self.parts[at];
            before.store(parity, Relaxed);
            let mut quotes = own.load(Relaxed);
            if quotes == UNKNOWN {
                quotes = (count(at)? & 1) as u8;
                own.store(quotes, Relaxed);
            }
            parity ^= quotes;
            at += 1;
        }
        self.parts[part].1.store(parity, Relaxed);
        if let Ok(mut known) = self.prefix.lock()
            && known.0 < at
        {
            *known = (at, parity);
        }
        Ok(parity == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_gives_the_same_parities() {
        let quotes = [3usize, 0, 2, 1, 5, 4];
        for first in 0..quotes.len() {
            let chain = Chain::new(quotes.len());
            chain.publish(first, quotes[first]);
            for part in (0..quotes.len()).rev() {
                let expected = quotes[..part].iter().sum::<usize>() % 2 == 1;
                let got = chain.inside(part, |p| {
                    assert_ne!(p, first);
                    Ok(quotes[p])
                });
                assert_eq!(got.unwrap(), expected);
            }
        }
    }
}
