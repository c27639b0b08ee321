//! Leaves out rows, before they are sorted, that stand too far back in their partition.
//!
//! ```text
//!   head of a row's partition ─► its number ─► heads of its foremost k rows so far
//!                                                 behind the last of them: left out     before it: takes its place
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
use crate::kernel::group::KeyTable;
use crate::kernel::hash::hash_u128;
use crate::kernel::raw::prefetch::prefetch;
use crate::memory::Reservation;
use crate::pipeline::RunContext;

use arrow::datatypes::SchemaRef;

/// More rows of each partition are sorted with all others.
const MOST_RANK: u64 = 1024;
/// What is remembered may take this part of a thread's share of the memory.
const SHARE: usize = 8;
/// So many rows before it is looked at the last head of a partition is asked for.
const AHEAD: usize = 16;
/// In place of the heads of rows that a partition does not have yet: behind all others.
const NO_ROW: u128 = u128::MAX;
/// Whether it pays is asked after so many rows.
const STRETCH: u64 = if cfg!(test) { 100 } else { 1 << 15 };
/// It pays as long as at least one row of so many is left out.
const PAYS: u64 = 8;
/// Heads whose bounds most values leave are made anew so often: not for values that no head tells whole.
const MOST_FITS: u32 = 8;

/// The foremost rows of each partition so far.
pub(super) struct Foremost {
    partition: Look,
    order: Look,
    rank: Rank,
    most: usize,
    /// The partitions' heads, and the number of each.
    partitions: KeyTable,
    /// Of each partition the heads of its foremost `most` rows, in order.
    heads: Vec<u128>,
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
        Ok(Some(Foremost {
            partition: Look::new(&codec.keys[..whole]),
            order: Look::new(&codec.keys[whole..to]),
            fits: 0,
            rank: wanted.rank,
            most: wanted.most.max(1) as usize,
            partitions: KeyTable::default(),
            heads: Vec::new(),
            order_seen: None,
            stretch: Stretch::default(),
            reservation: run.budget.reservation("the foremost rows of partitions"),
            most_bytes: run.budget.limit() / run.threads.max(1) / SHARE,
        }))
    }

    /// Which rows may be wanted, `keys` being their keys and `orders` their places in the input; none
    /// once it does not pay.
    pub(super) fn wanted(&mut self, keys: &Block, orders: &[u64]) -> Option<Vec<bool>> {
        if self.fits == 0 {
            self.fit(keys);
        }
        let partitions = self.partition.heads.of(keys);
        let heads = self.order.heads.of(keys);
        let numbers = self.numbers(&partitions)?;
        let mut wanted = Vec::with_capacity(orders.len());
        let mut at = 0;
        for ((&partition, &head), &order) in partitions.iter().zip(&heads).zip(orders) {
            let later = self.order_seen.is_none_or(|seen| seen < order);
            self.order_seen = self.order_seen.max(Some(order));
            let passes = if is_exact(partition) {
                if let Some(&soon) = numbers.get(at + AHEAD) {
                    prefetch(&self.heads, (soon as usize + 1) * self.most - 1);
                }
                at += 1;
                self.take(numbers[at - 1] as usize, head, later)
            } else {
                true // partitions may differ that look alike
            };
            self.stretch.inexact += u64::from(passes && !(is_exact(partition) && is_exact(head)));
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
        self.partitions.recycle();
        self.heads.clear();
        self.stretch = Stretch::default();
    }

    /// The numbers of those partitions that a head tells apart from all others. None if there is no room for them.
    fn numbers(&mut self, partitions: &[u128]) -> Option<Vec<u32>> {
        let keys: Vec<u128> = partitions.iter().copied().filter(|&p| is_exact(p)).collect();
        let hashes: Vec<u64> = keys.iter().map(|&k| hash_u128(k)).collect();
        self.reserve(self.partitions.bytes() + self.partitions.growth(keys.len(), 0))?;
        let mut numbers = Vec::new();
        // an exact head is even, so that the table takes none for a long key
        self.partitions.groups(&keys, &hashes, &[], &mut numbers);
        let heads = self.partitions.len() * self.most;
        if heads > self.heads.capacity() {
            let more = heads.max(2 * self.heads.capacity());
            self.reserve(self.partitions.bytes() + more * size_of::<u128>())?;
            self.heads.reserve_exact(more - self.heads.len());
        }
        self.heads.resize(heads, NO_ROW);
        Some(numbers)
    }

    /// Takes memory for so many bytes, besides the heads there is room for; none if that is too much.
    fn reserve(&mut self, bytes: usize) -> Option<()> {
        let bytes = bytes + self.heads.capacity() * size_of::<u128>();
        if bytes > self.most_bytes {
            return None;
        }
        self.reservation
            .try_grow(bytes.saturating_sub(self.reservation.bytes()))
            .ok()
    }

    /// Whether a row of a partition may be wanted; `later` if it comes behind all rows so far in the input.
    #[inline(always)]
    fn take(&mut self, partition: usize, head: u128, later: bool) -> bool {
        let heads = &mut self.heads[partition * self.most..][..self.most];
        let last = heads[self.most - 1];
        if head < last {
            insert(heads, head, self.rank);
            return true;
        }
        // of rows with the same keys the first in the input counts
        let behind = head > last || (self.rank == Rank::Row && later && is_exact(head));
        !behind
    }

    /// Whether to go on. Partitions must have had the chance to fill, unless they keep coming.
    fn pays(&mut self) -> bool {
        let s = &mut self.stretch;
        if s.rows < STRETCH {
            return true;
        }
        s.all += s.rows;
        let partitions = self.partitions.len();
        let new = (partitions - s.partitions) as u64;
        let filled = s.all > 4 * (partitions * self.most) as u64;
        let keeps_all = s.passed > s.rows / PAYS * (PAYS - 1);
        // of a hundred thousand partitions, which pay, the first stretch sees one row in seven again
        let keep_coming = 20 * new > 19 * s.rows;
        let pays = !(keeps_all && (filled || keep_coming));
        *s = Stretch {
            partitions,
            all: s.all,
            ..Stretch::default()
        };
        pays
    }
}

/// Whether a head tells all of what it stands for.
fn is_exact(head: u128) -> bool {
    head & 1 == 0
}

/// Takes in a head that comes before the last one.
#[inline(always)]
fn insert(heads: &mut [u128], head: u128, rank: Rank) {
    if rank == Rank::Dense && heads.binary_search(&head).is_ok() {
        return; // another peer
    }
    let mut place = heads.len() - 1;
    while place > 0 && heads[place - 1] > head {
        heads[place] = heads[place - 1];
        place -= 1;
    }
    heads[place] = head;
}
