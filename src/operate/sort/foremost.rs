//! Leaves out rows, before they are sorted, that stand too far back in their partition.
//!
//! ```text
//!   head of a row's partition ─► entry: the head of the k-th row of it so far ─► behind it: left out
//!                                  └► heads of the foremost k rows so far      ─► among them: takes its place
//! ```
//!
//! What passes are the foremost rows and some more: heads may tie where the values do not, and early rows
//! pass before those that come ahead of them are known. Each sink looks at its own rows only, and gives
//! up where too few are left out, be it that partitions are about as many as rows or that rows come from
//! the last to the first.

use super::SortSpec;
use super::cells::Block;
use super::heads::{Heads, Values};
use super::keys::{Codec, Key};
use crate::error::Result;
use crate::expr::Rank;
use crate::kernel::hash::hash_u128;
use crate::memory::Reservation;
use crate::pipeline::RunContext;

use arrow::datatypes::SchemaRef;

/// More rows of each partition are sorted with all others.
const MOST_RANK: u64 = 1024;
/// Entries of a new table; a power of two.
const FIRST_ENTRIES: usize = if cfg!(test) { 2 } else { 64 };
/// The table may take this part of a thread's share of the memory.
const SHARE: usize = 8;
/// Whether it pays is asked after so many rows.
const STRETCH: u64 = if cfg!(test) { 100 } else { 1 << 15 };
/// It pays as long as at least one row of so many is left out.
const PAYS: u64 = 8;
/// Heads whose bounds most values leave are made anew so often: not for values that no head tells whole.
const MOST_FITS: u32 = 8;

/// What is known of a partition.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The head of its keys, the last bit set; zero where there is none.
    key: u128,
    /// Rows behind this head are not wanted.
    last: u128,
    /// Its number: where its heads are.
    at: u32,
    /// How many of them there are.
    seen: u32,
}

const VACANT: Entry = Entry {
    key: 0,
    last: u128::MAX,
    at: 0,
    seen: 0,
};

/// The foremost rows of each partition so far.
pub(super) struct Foremost {
    partition: Look,
    order: Look,
    rank: Rank,
    most: usize,
    entries: Vec<Entry>,
    /// Of each partition `most` heads, of which those seen are in order.
    heads: Vec<u128>,
    partitions: usize,
    /// How often heads were made to suit the rows.
    fits: u32,
    /// The greatest order of a row so far.
    order_seen: Option<u64>,
    stretch: Stretch,
    reservation: Reservation,
    most_bytes: usize,
}

/// Keys and how their heads are made, from when the first rows told their bounds.
struct Look {
    keys: Vec<Key>,
    values: Vec<Values>,
    heads: Heads,
}

impl Look {
    fn new(keys: &[Key]) -> Look {
        Look {
            keys: keys.to_vec(),
            values: vec![Values::None; keys.len()],
            heads: Heads::new(&[], &[]),
        }
    }

    /// Makes heads anew, with room for the values of these rows and some beyond.
    fn fit(&mut self, rows: &Block) {
        for (values, key) in self.values.iter_mut().zip(&self.keys) {
            let new = Values::of(&rows.columns[key.column]).brief();
            *values = std::mem::take(values).with(new);
        }
        let values: Vec<Values> = self.values.iter().map(|v| v.clone().widened()).collect();
        self.heads = Heads::new(&self.keys, &values);
    }
}

/// What happened since it was last asked whether it pays.
#[derive(Debug, Default)]
struct Stretch {
    rows: u64,
    passed: u64,
    /// Rows that passed whose heads did not tell all.
    inexact: u64,
    partitions: usize,
    /// Rows in all.
    all: u64,
}

impl Foremost {
    /// None where nothing is to be left out, or too much would have to be remembered.
    pub(super) fn new(spec: &SortSpec, schema: &SchemaRef, run: &RunContext) -> Result<Option<Foremost>> {
        let (Some(wanted), Some(whole)) = (&spec.foremost, spec.whole) else {
            return Ok(None);
        };
        let keys = spec.keys.len();
        let (whole, to) = (whole.min(keys), wanted.keys.clamp(whole.min(keys), keys));
        let codec = Codec::new(spec, schema)?;
        if wanted.most > MOST_RANK || codec.hidden.iter().any(|&k| k < to) {
            return Ok(None);
        }
        let mut foremost = Foremost {
            partition: Look::new(&codec.keys[..whole]),
            order: Look::new(&codec.keys[whole..to]),
            fits: 0,
            rank: wanted.rank,
            most: wanted.most.max(1) as usize,
            entries: Vec::new(),
            heads: Vec::new(),
            partitions: 0,
            order_seen: None,
            stretch: Stretch::default(),
            reservation: run.budget.reservation("the foremost rows of partitions"),
            most_bytes: run.budget.limit() / run.threads.max(1) / SHARE,
        };
        Ok(foremost.grow().map(|()| foremost))
    }

    /// Which rows may be wanted, `keys` being their keys and `orders` their places in the input; none
    /// once it does not pay.
    pub(super) fn wanted(&mut self, keys: &Block, orders: &[u64]) -> Option<Vec<bool>> {
        if self.fits == 0 {
            self.fit(keys);
        }
        let partitions = self.partition.heads.of(keys);
        let heads = self.order.heads.of(keys);
        let mut wanted = Vec::with_capacity(orders.len());
        for ((&partition, &head), &order) in partitions.iter().zip(&heads).zip(orders) {
            let later = self.order_seen.is_none_or(|seen| seen < order);
            self.order_seen = self.order_seen.max(Some(order));
            let passes = self.take(partition, head, later)?;
            self.stretch.inexact += u64::from(passes && (partition | head) & 1 == 1);
            wanted.push(passes);
        }
        self.stretch.rows += orders.len() as u64;
        self.stretch.passed += wanted.iter().filter(|&&w| w).count() as u64;
        let most = self.stretch.rows / PAYS;
        if self.fits < MOST_FITS && self.stretch.rows >= STRETCH && self.stretch.inexact > most {
            self.fit(keys);
            return Some(wanted);
        }
        self.pays().then_some(wanted)
    }

    /// Makes heads that suit these rows, and forgets all others.
    fn fit(&mut self, keys: &Block) {
        self.fits += 1;
        self.partition.fit(keys);
        self.order.fit(keys);
        self.entries.fill(VACANT);
        self.heads.clear();
        (self.partitions, self.stretch) = (0, Stretch::default());
    }

    /// Whether a row may be wanted; `later` if it comes behind all rows so far in the input. None if
    /// there is no room for its partition.
    #[inline(always)]
    fn take(&mut self, partition: u128, head: u128, later: bool) -> Option<bool> {
        if partition & 1 == 1 {
            return Some(true); // partitions may differ that look alike
        }
        let at = self.find(partition | 1)?;
        let entry = self.entries[at];
        if head < entry.last {
            self.insert(at, head);
            return Some(true);
        }
        // of rows with the same keys the first in the input counts
        let behind = head > entry.last || (self.rank == Rank::Row && later && head & 1 == 0);
        Some(!behind)
    }

    /// The entry of a partition, a new one if need be.
    #[inline(always)]
    fn find(&mut self, key: u128) -> Option<usize> {
        let mask = self.entries.len() - 1;
        let mut at = (hash_u128(key) >> 32) as usize & mask;
        loop {
            match self.entries[at].key {
                k if k == key => return Some(at),
                0 => return self.add(at, key),
                _ => at = (at + 1) & mask,
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, at: usize, key: u128) -> Option<usize> {
        if 2 * (self.partitions + 1) > self.entries.len() {
            self.grow()?;
            return self.find(key);
        }
        let number = u32::try_from(self.partitions).ok()?;
        self.entries[at] = Entry {
            key,
            at: number,
            ..VACANT
        };
        self.partitions += 1;
        self.heads.resize(self.partitions * self.most, 0);
        Some(at)
    }

    /// Twice as many entries, if there is memory for them and for their heads.
    fn grow(&mut self) -> Option<()> {
        let entries = (2 * self.entries.len()).max(FIRST_ENTRIES);
        let bytes = entries * size_of::<Entry>() + entries / 2 * self.most * size_of::<u128>();
        if bytes > self.most_bytes {
            return None;
        }
        self.reservation
            .try_grow(bytes.saturating_sub(self.reservation.bytes()))
            .ok()?;
        let old = std::mem::replace(&mut self.entries, vec![VACANT; entries]);
        let mask = entries - 1;
        for entry in old.into_iter().filter(|e| e.key != 0) {
            let mut at = (hash_u128(entry.key) >> 32) as usize & mask;
            while self.entries[at].key != 0 {
                at = (at + 1) & mask;
            }
            self.entries[at] = entry;
        }
        self.heads
            .reserve_exact((entries / 2 * self.most).saturating_sub(self.heads.len()));
        Some(())
    }

    /// Takes in a head that comes before the last one, or while there are too few.
    #[inline(always)]
    fn insert(&mut self, at: usize, head: u128) {
        let entry = &mut self.entries[at];
        let start = entry.at as usize * self.most;
        let heads = &mut self.heads[start..start + self.most];
        let seen = entry.seen as usize;
        let place = heads[..seen].partition_point(|&h| h <= head);
        if self.rank == Rank::Dense && place > 0 && heads[place - 1] == head {
            return; // another peer
        }
        let end = (seen + 1).min(self.most);
        heads.copy_within(place..end - 1, place + 1);
        heads[place] = head;
        entry.seen = end as u32;
        if end == self.most {
            entry.last = heads[end - 1];
        }
    }

    /// Whether to go on. Partitions must have had the chance to fill, unless they keep coming.
    fn pays(&mut self) -> bool {
        let s = &mut self.stretch;
        if s.rows < STRETCH {
            return true;
        }
        s.all += s.rows;
        let new = (self.partitions - s.partitions) as u64;
        let filled = s.all > 4 * (self.partitions * self.most) as u64;
        let keeps_all = s.passed > s.rows / PAYS * (PAYS - 1);
        // of a hundred thousand partitions, which pay, the first stretch sees one row in seven again
        let keep_coming = 20 * new > 19 * s.rows;
        let pays = !(keeps_all && (filled || keep_coming));
        *s = Stretch {
            partitions: self.partitions,
            all: s.all,
            ..Stretch::default()
        };
        pays
    }
}
