//! What readers of a file met on their way that its user should know: rows that were left out or cut, and
//! text after closing quotes.
//!
//! Tasks end in any order, and a file may be read several times (another scan, a run that begins again): so
//! what was met is kept by partition, and whoever came furthest in it is believed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Places that a message shows.
pub(super) const SHOWN: usize = 3;

/// How often something was met, and where first: offsets in the decoded file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub count: u64,
    pub first: Vec<u64>,
}

impl Places {
    pub(crate) fn add(&mut self, offset: u64) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(offset);
        }
    }

    fn join(&mut self, later: &Places) {
        self.count += later.count;
        let room = SHOWN - self.first.len().min(SHOWN);
        self.first.extend(later.first.iter().take(room));
    }
}

/// What was met in a part of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Oddities {
    /// Rows of too few or too many fields.
    pub bad: Places,
    /// Fields of such rows that are not empty and were cut.
    pub cut: u64,
    /// Fields that were missing in them.
    pub missing: u64,
    /// Text after a closing quote.
    pub joined: Places,
}

impl Oddities {
    fn join(&mut self, later: &Oddities) {
        self.bad.join(&later.bad);
        self.cut += later.cut;
        self.missing += later.missing;
        self.joined.join(&later.joined);
    }
}

/// What was met in the partitions of one file.
#[derive(Debug, Default)]
pub(crate) struct Met {
    parts: Mutex<BTreeMap<usize, (u64, Oddities)>>,
    readings: AtomicU64,
}

impl Met {
    fn all(&self) -> MutexGuard<'_, BTreeMap<usize, (u64, Oddities)>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the reading that begins now.
    pub(crate) fn reading(&self) -> u64 {
        self.readings.load(Relaxed)
    }

    /// What a reader of partition `part` met up to the offset `upto`, in a reading that may be over.
    pub(crate) fn put(&self, reading: u64, part: usize, upto: u64, odd: &Oddities) {
        let mut all = self.all();
        if reading != self.reading() {
            return;
        }
        match all.get_mut(&part) {
            Some(known) if known.0 > upto => {}
            Some(known) => *known = (upto, odd.clone()),
            // partitions without any need not be remembered
            None if *odd == Oddities::default() => {}
            None => {
                all.insert(part, (upto, odd.clone()));
            }
        }
    }

    /// Forgets what readers met who may have begun in the wrong places, and what they still will.
    pub(crate) fn forget(&self) {
        let mut all = self.all();
        self.readings.fetch_add(1, Relaxed);
        all.clear();
    }

    /// What was met in all of the file, as far as it was read.
    pub(crate) fn together(&self) -> Oddities {
        let mut sum = Oddities::default();
        self.all().values().for_each(|(_, odd)| sum.join(odd));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offsets: &[u64]) -> Oddities {
        let mut odd = Oddities::default();
        offsets.iter().for_each(|o| odd.bad.add(*o));
        odd
    }

    #[test]
    fn who_came_furthest_is_believed() {
        let met = Met::default();
        met.put(0, 1, 20, &at(&[12, 14]));
        met.put(0, 0, 9, &at(&[3]));
        met.put(0, 0, 10, &at(&[3, 7]));
        met.put(0, 0, 4, &at(&[3]));
        met.put(0, 2, 30, &at(&[]));
        let sum = met.together().bad;
        assert_eq!((sum.count, sum.first), (4, vec![3, 7, 12]));
        met.put(0, 1, 20, &at(&[]));
        assert_eq!(met.together().bad.count, 2);
        met.forget();
        met.put(0, 1, 20, &at(&[12]));
        assert_eq!(met.together(), Oddities::default());
    }
}
