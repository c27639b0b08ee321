//! The hash table from keys to group numbers.
//!
//! Open addressing with linear probing, a power of two of slots, at most half of them taken
//! (LIMITS 9). A slot holds the whole 16-byte view of its key, so that a key of up to twelve bytes
//! is found and compared without leaving the slot's cache line.

use super::keys::{INLINE, Keys, NULL, bytes, len};

/// The most groups that one table may hold.
const MAX_GROUPS: usize = u32::MAX as usize - 1;
/// Makes the hashes of one run differ from those that an attacker could have prepared for.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone, Copy)]
struct Slot {
    view: u128,
    hash: u32,
    /// Group number plus one; zero marks an empty slot.
    group: u32,
}

const EMPTY: Slot = Slot {
    view: 0,
    hash: 0,
    group: 0,
};

/// Keys and their group numbers, `0..groups()`, in order of first appearance.
pub struct Table {
    slots: Vec<Slot>,
    mask: usize,
    /// The view of each group's key, long ones pointing into `data`.
    views: Vec<u128>,
    hashes: Vec<u64>,
    data: Vec<u8>,
    scratch: Vec<u64>,
}

/// 64 × 64 → 128 bit multiply, folded.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let p = a as u128 * b as u128;
    p as u64 ^ (p >> 64) as u64
}

/// The hash of a key; its highest bits choose buckets, its lowest ones slots.
#[inline]
pub fn hash(view: u128, data: &[u8]) -> u64 {
    if len(view) <= INLINE || view == NULL {
        return fold(
            fold(view as u64 ^ SEED, 0xa076_1d64_78bd_642f),
            (view >> 64) as u64 ^ 0xe703_7ed1_a0b4_28db,
        );
    }
    let b = view.to_le_bytes();
    let mut h = SEED;
    let mut chunks = bytes(&b, data).chunks_exact(16);
    for c in &mut chunks {
        let w = u128::from_le_bytes(c.try_into().unwrap_or([0; 16]));
        h = fold(h ^ w as u64, (w >> 64) as u64 ^ 0x8ebc_6af0_9c88_c6e3);
    }
    let mut tail = [0u8; 16];
    tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    let w = u128::from_le_bytes(tail);
    fold(
        fold(h ^ w as u64, (w >> 64) as u64 ^ 0x5899_65cc_7537_4cc3),
        len(view) as u64 ^ SEED,
    )
}

impl Default for Table {
    fn default() -> Self {
        Table {
            slots: vec![EMPTY; 64],
            mask: 63,
            views: vec![],
            hashes: vec![],
            data: vec![],
            scratch: vec![],
        }
    }
}

impl Table {
    /// The number of groups.
    pub fn groups(&self) -> usize {
        self.views.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.views.capacity() * 16
            + self.hashes.capacity() * 8
            + self.data.capacity()
    }

    /// Bytes that taking in `keys` may need at most on top.
    pub fn growth(&self, keys: &Keys) -> usize {
        let groups = self.groups() + keys.views.len();
        let slots = (2 * groups).next_power_of_two();
        let table = if slots > self.slots.len() {
            slots * size_of::<Slot>()
        } else {
            0
        };
        let lists = if groups > self.views.capacity() {
            self.views.capacity().max(groups) * 24
        } else {
            0
        };
        let data = self.data.len() + keys.data.len();
        table
            + lists
            + if data > self.data.capacity() {
                data.max(2 * self.data.capacity())
            } else {
                0
            }
    }

    /// The group number of each key, new ones where a key is new.
    pub fn find_or_insert(&mut self, keys: &Keys, groups: &mut Vec<u32>) {
        groups.clear();
        let mut hashes = std::mem::take(&mut self.scratch);
        hashes.clear();
        hashes.extend(keys.views.iter().map(|&v| hash(v, &keys.data)));
        if (self.groups() + keys.views.len()) * 2 > self.slots.len() {
            self.grow_for(keys.views.len());
        }
        if keys.data.is_empty() {
            groups.extend(
                keys.views
                    .iter()
                    .zip(&hashes)
                    .map(|(&v, &h)| self.one::<false>(v, h, &[])),
            );
        } else {
            groups.extend(
                keys.views
                    .iter()
                    .zip(&hashes)
                    .map(|(&v, &h)| self.one::<true>(v, h, &keys.data)),
            );
        }
        self.scratch = hashes;
    }

    #[inline(always)]
    fn one<const LONG_KEYS: bool>(&mut self, view: u128, hash: u64, data: &[u8]) -> u32 {
        let mut at = hash as usize & self.mask;
        let long = LONG_KEYS && len(view) > INLINE && view != NULL;
        loop {
            let slot = self.slots[at & self.mask];
            if slot.group == 0 {
                return self.insert(at & self.mask, view, hash, data);
            }
            let same = if long {
                slot.hash == (hash >> 32) as u32
                    && slot.view as u64 == view as u64
                    && self.same_long(slot.view, view, data)
            } else {
                slot.view == view
            };
            if same {
                return slot.group - 1;
            }
            at += 1;
        }
    }

    #[cold]
    fn same_long(&self, mine: u128, other: u128, data: &[u8]) -> bool {
        bytes(&mine.to_le_bytes(), &self.data) == bytes(&other.to_le_bytes(), data)
    }

    fn insert(&mut self, at: usize, view: u128, hash: u64, data: &[u8]) -> u32 {
        let group = self.views.len();
        let mut own = view;
        if len(view) > INLINE && view != NULL {
            let offset = self.data.len();
            let b = view.to_le_bytes();
            self.data.extend_from_slice(bytes(&b, data));
            own = view as u64 as u128 | (offset as u128) << 64;
        }
        self.views.push(own);
        self.hashes.push(hash);
        self.slots[at] = Slot {
            view: own,
            hash: (hash >> 32) as u32,
            group: group as u32 + 1,
        };
        group as u32
    }

    fn grow_for(&mut self, more: usize) {
        let wanted = ((self.groups() + more) * 2)
            .next_power_of_two()
            .min(MAX_GROUPS.next_power_of_two());
        self.slots = vec![EMPTY; wanted];
        self.mask = wanted - 1;
        for (g, (&view, &hash)) in self.views.iter().zip(&self.hashes).enumerate() {
            let mut at = hash as usize & self.mask;
            while self.slots[at].group != 0 {
                at = (at + 1) & self.mask;
            }
            self.slots[at] = Slot {
                view,
                hash: (hash >> 32) as u32,
                group: g as u32 + 1,
            };
        }
    }

    /// The hash of a group's key.
    pub fn hash(&self, group: u32) -> u64 {
        self.hashes[group as usize]
    }

    /// Hands the bytes of a group's key to `f` (`None` for a null key).
    pub fn with_key<T>(&self, group: u32, f: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let v = self.views[group as usize];
        if v == NULL {
            return f(None);
        }
        f(Some(bytes(&v.to_le_bytes(), &self.data)))
    }

    /// The keys of some groups as one Arrow column (null for a null key).
    pub fn key_column(&self, groups: &[u32]) -> arrow::array::BinaryArray {
        let mut b = arrow::array::BinaryBuilder::with_capacity(groups.len(), groups.len() * 12);
        for &g in groups {
            self.with_key(g, |k| b.append_option(k));
        }
        b.finish()
    }
}
