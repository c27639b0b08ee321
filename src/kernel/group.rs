//! The hash table that gives each distinct key a group number 0, 1, 2, …
//!
//! ```text
//!  slots: [ hash's upper half : group + 1 ]  power of two, at most half full, linear probing
//!                                 │
//!  keys:  [ u128 ] by group ◄─────┘     lowest byte LONG ─► (hash32, offset) into the arena
//! ```
//!
//! A key is 16 bytes. Keys that do not fit are *long*: lowest byte [`LONG`], bits 32..64 a part of
//! the hash, bits 64.. an offset to `length: u32, bytes` in a scratch buffer (a batch's keys) or in
//! the arena (the table's). Batches are probed in phases, first all slots, then all keys, so that
//! cache misses overlap: with 100,000 keys slots and keys lie anywhere in 4 MB, and what is read
//! between two batches has driven most of them out of the second-level cache.

use arrow::array::{Array, StringViewArray};

use super::hash::{hash_bytes, hash_u128};
use super::raw::prefetch::prefetch;

/// Lowest byte of a long key.
pub const LONG: u8 = 0xff;
/// Lowest byte of the key of null (single-column keys only).
pub const NULL: u8 = 0xfe;

/// No group.
pub const NONE: u32 = u32::MAX;

/// Rows whose slots are all found before any key is compared.
const TOGETHER: usize = 1024;
/// So many rows before it is compared a key is asked for.
const AHEAD: usize = 16;

/// The slots of some rows.
type Found = [u64; TOGETHER];

/// The group in a slot, [`NONE`] of an empty one.
#[inline(always)]
fn group_of(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

const CHUNK: usize = 64 << 10;

/// Whether a key's bytes lie elsewhere.
#[inline(always)]
pub fn is_long(key: u128) -> bool {
    key as u8 == LONG
}

/// The long key for `length, bytes` at `offset` of some buffer.
pub fn long_key(hash: u64, offset: u64) -> u128 {
    LONG as u128 | ((hash as u32 as u128) << 32) | ((offset as u128) << 64)
}

/// The bytes that a long key of a batch means in its scratch buffer.
pub fn scratch_bytes(scratch: &[u8], key: u128) -> &[u8] {
    counted(scratch, (key >> 64) as usize)
}

fn counted(buffer: &[u8], at: usize) -> &[u8] {
    let len = u32::from_le_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]) as usize;
    &buffer[at + 4..at + 4 + len]
}

/// Long keys, in chunks so that growing never copies.
#[derive(Debug, Default)]
struct Arena {
    chunks: Vec<Vec<u8>>,
    /// Chunks of usual size that a recycled table may use again.
    free: Vec<Vec<u8>>,
    bytes: usize,
}

impl Arena {
    fn add(&mut self, bytes: &[u8]) -> u64 {
        let need = bytes.len() + 4;
        let full = self.chunks.last().is_none_or(|c| c.capacity() - c.len() < need);
        if full {
            let again = if need <= CHUNK { self.free.pop() } else { None };
            self.chunks.push(again.unwrap_or_else(|| {
                self.bytes += need.max(CHUNK);
                Vec::with_capacity(need.max(CHUNK))
            }));
        }
        let index = self.chunks.len() - 1;
        let chunk = &mut self.chunks[index];
        let at = chunk.len();
        chunk.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        chunk.extend_from_slice(bytes);
        ((index as u64) << 32) | at as u64
    }
    fn get(&self, at: u64) -> &[u8] {
        counted(&self.chunks[(at >> 32) as usize], at as u32 as usize)
    }
}

/// Distinct keys and their group numbers; see the module's picture.
#[derive(Debug, Default)]
pub struct KeyTable {
    slots: Vec<u64>,
    shift: u32,
    keys: Vec<u128>,
    arena: Arena,
}

impl KeyTable {
    /// The number of groups.
    pub fn len(&self) -> usize {
        self.keys.len()
    }
    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
    /// The keys by group.
    pub fn keys(&self) -> &[u128] {
        &self.keys
    }
    /// The bytes of a long key of this table.
    pub fn long_bytes(&self, key: u128) -> &[u8] {
        self.arena.get((key >> 64) as u64)
    }
    /// The hash of a key of this table.
    pub fn hash(&self, key: u128) -> u64 {
        if is_long(key) {
            hash_bytes(self.long_bytes(key))
        } else {
            hash_u128(key)
        }
    }
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * 8 + self.keys.capacity() * 16 + self.arena.bytes
    }
    /// Bytes that would be held besides after [`KeyTable::reserve`] and `long` bytes of new long keys.
    pub fn growth(&self, more: usize, long: usize) -> usize {
        let groups = self.len() + more;
        let slots = (groups * 2).next_power_of_two().max(64);
        let mut bytes = if long > 0 { long + CHUNK } else { 0 };
        if slots > self.slots.len() {
            bytes += slots * 8;
        }
        if groups > self.keys.capacity() {
            bytes += groups.max(self.keys.capacity() * 2) * 16;
        }
        bytes
    }
    /// Makes room for `more` groups.
    pub fn reserve(&mut self, more: usize) {
        let groups = self.len() + more;
        self.keys.reserve(more);
        let want = (groups * 2).next_power_of_two().max(64);
        if want <= self.slots.len() {
            return;
        }
        let shift = 64 - want.trailing_zeros();
        let mut slots = vec![0u64; want];
        for &slot in self.slots.iter().filter(|&&s| s != 0) {
            // the slot carries the upper half of the hash, which is all that the index needs
            let mut at = (slot >> shift) as usize;
            while slots[at] != 0 {
                at = (at + 1) & (want - 1);
            }
            slots[at] = slot;
        }
        self.slots = slots;
        self.shift = shift;
    }
    /// Forgets all groups and keeps the memory for the next ones.
    pub fn recycle(&mut self) {
        self.slots.fill(0);
        self.keys.clear();
        let arena = &mut self.arena;
        arena.free.append(&mut arena.chunks);
        arena.free.retain(|c| c.capacity() == CHUNK);
        arena.free.iter_mut().for_each(Vec::clear);
        arena.bytes = arena.free.len() * CHUNK;
    }
    /// Forgets all groups and gives the memory back.
    pub fn clear(&mut self) {
        *self = KeyTable::default();
    }

    /// For each hash the first slot from its place on that is empty or carries its upper half.
    ///
    /// Nearly one row in four finds another key's slot first. A branch on that cannot be foreseen,
    /// and each wrong guess throws away the cache misses that are under way; so those rows are listed
    /// without one, and all of them take the next step together.
    fn probe(&self, hashes: &[u64], found: &mut Found) {
        let (mask, shift) = (self.slots.len() - 1, self.shift);
        let at = |hash: u64, step: usize| ((hash >> shift) as usize + step) & mask;
        let taken = |slot: u64, hash: u64| slot != 0 && (slot ^ hash) >> 32 != 0;
        for (slot, &hash) in found.iter_mut().zip(hashes) {
            *slot = self.slots[at(hash, 0)];
        }
        let mut pending = [0u16; TOGETHER];
        let mut n = 0;
        for (i, (&slot, &hash)) in found.iter().zip(hashes).enumerate() {
            pending[n] = i as u16;
            n += taken(slot, hash) as usize;
        }
        let mut step = 1;
        while n > 0 {
            let mut still = 0;
            for j in 0..n {
                let i = pending[j] as usize;
                let slot = self.slots[at(hashes[i], step)];
                found[i] = slot;
                pending[still] = i as u16;
                still += taken(slot, hashes[i]) as usize;
            }
            (n, step) = (still, step + 1);
        }
    }

    /// The groups of many keys, new ones for those not seen before. `scratch` holds the bytes of
    /// the long ones.
    pub fn groups(&mut self, keys: &[u128], hashes: &[u64], scratch: &[u8], out: &mut Vec<u32>) {
        self.reserve(keys.len());
        out.clear();
        out.reserve(keys.len());
        let mut found = [0; TOGETHER];
        for (keys, hashes) in keys.chunks(TOGETHER).zip(hashes.chunks(TOGETHER)) {
            self.probe(hashes, &mut found);
            for (i, (&key, &hash)) in keys.iter().zip(hashes).enumerate() {
                out.push(match self.compare(&found, i, key, scratch) {
                    Some(group) => group,
                    None => self.find_or_add(key, hash, scratch),
                });
            }
        }
    }

    /// As [`KeyTable::groups`] without adding any: [`NONE`] for keys that are not there.
    pub fn find_all(&self, keys: &[u128], hashes: &[u64], scratch: &[u8], out: &mut Vec<u32>) {
        out.clear();
        if self.slots.is_empty() {
            return out.resize(keys.len(), NONE);
        }
        out.reserve(keys.len());
        let mut found = [0; TOGETHER];
        for (keys, hashes) in keys.chunks(TOGETHER).zip(hashes.chunks(TOGETHER)) {
            self.probe(hashes, &mut found);
            for (i, (&key, &hash)) in keys.iter().zip(hashes).enumerate() {
                out.push(match self.compare(&found, i, key, scratch) {
                    Some(group) => group,
                    None if found[i] == 0 => NONE,
                    // two keys that agree in half of their hashes
                    None => self.find(key, hash, scratch),
                });
            }
        }
    }

    /// The group in the slot of row `i`, if its key is the row's. Has the processor fetch the key that a
    /// later row will be compared with.
    #[inline(always)]
    fn compare(&self, found: &Found, i: usize, key: u128, scratch: &[u8]) -> Option<u32> {
        if let Some(&slot) = found.get(i + AHEAD) {
            prefetch(&self.keys, group_of(slot) as usize);
        }
        let group = group_of(found[i]);
        let ours = *self.keys.get(group as usize)?;
        self.same(ours, key, scratch).then_some(group)
    }

    fn find(&self, key: u128, hash: u64, scratch: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return NONE;
            }
            let group = slot as u32 - 1;
            if (slot ^ hash) >> 32 == 0 && self.same(self.keys[group as usize], key, scratch) {
                return group;
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether the table is so small that it lies in the processor's caches, and finding many keys
    /// at once in phases would gain nothing.
    pub fn is_small(&self) -> bool {
        self.keys.len() <= 1 << 14
    }

    /// As [`KeyTable::groups`], for texts of which none is null: keys and hashes are never written
    /// down. For [small](KeyTable::is_small) tables.
    pub fn texts(&mut self, array: &StringViewArray, out: &mut Vec<u32>) {
        self.reserve(array.len());
        out.clear();
        out.resize(array.len(), 0);
        let mask = self.slots.len() - 1;
        for (i, (&view, group)) in array.views().iter().zip(out.iter_mut()).enumerate() {
            if view as u32 <= 12 {
                let hash = hash_u128(view);
                let slot = self.slots[(hash >> self.shift) as usize & mask];
                let found = group_of(slot);
                let hit = (slot ^ hash) >> 32 == 0 && self.keys.get(found as usize) == Some(&view);
                *group = if hit {
                    found
                } else {
                    self.find_or_add(view, hash, &[])
                };
            } else {
                *group = self.long_text(array.value(i).as_bytes());
            }
        }
    }

    fn long_text(&mut self, text: &[u8]) -> u32 {
        let hash = hash_bytes(text);
        let slot = self.slots[(hash >> self.shift) as usize & (self.slots.len() - 1)];
        let found = group_of(slot);
        if (slot ^ hash) >> 32 == 0
            && let Some(&key) = self.keys.get(found as usize)
            && key as u64 == long_key(hash, 0) as u64
            && self.long_bytes(key) == text
        {
            return found;
        }
        let mut scratch = (text.len() as u32).to_le_bytes().to_vec();
        scratch.extend_from_slice(text);
        self.find_or_add(long_key(hash, 0), hash, &scratch)
    }

    /// The group of one key; call [`KeyTable::reserve`] before.
    pub fn find_or_add(&mut self, key: u128, hash: u64, scratch: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            if (slot ^ hash) >> 32 == 0 {
                let group = slot as u32 - 1;
                if self.same(self.keys[group as usize], key, scratch) {
                    return group;
                }
            }
            at = (at + 1) & mask;
        }
        let stored = if is_long(key) {
            long_key(hash, self.arena.add(scratch_bytes(scratch, key)))
        } else {
            key
        };
        self.keys.push(stored);
        self.slots[at] = (hash >> 32 << 32) | self.keys.len() as u64;
        self.keys.len() as u32 - 1
    }

    #[inline(always)]
    fn same(&self, ours: u128, key: u128, scratch: &[u8]) -> bool {
        if !is_long(key) {
            return ours == key;
        }
        ours as u64 == key as u64 && self.long_bytes(ours) == scratch_bytes(scratch, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keys_in_order_of_first_sight() {
        let mut table = KeyTable::default();
        let mut scratch = Vec::new();
        let (mut keys, mut hashes) = (Vec::new(), Vec::new());
        for i in (0..40_000u32).chain(0..40_000) {
            if i % 3 == 0 {
                let text = format!("a long text key, number {i}");
                hashes.push(hash_bytes(text.as_bytes()));
                keys.push(long_key(*hashes.last().unwrap(), scratch.len() as u64));
                scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
                scratch.extend_from_slice(text.as_bytes());
            } else {
                keys.push((i as u128) << 64 | 8);
                hashes.push(hash_u128(*keys.last().unwrap()));
            }
        }
        let mut out = Vec::new();
        let mut all = Vec::new();
        for (k, h) in keys.chunks(1000).zip(hashes.chunks(1000)) {
            table.groups(k, h, &scratch, &mut out);
            all.extend_from_slice(&out);
        }
        let want: Vec<u32> = (0..40_000u32).chain(0..40_000).collect();
        assert_eq!(all, want);
        assert!(
            table
                .keys()
                .iter()
                .zip(&hashes)
                .all(|(&k, &h)| table.hash(k) == h)
        );
    }

    #[test]
    fn texts_are_found_as_keys_are() {
        let texts: Vec<String> = (0..500)
            .map(|i| format!("{}{}", "é".repeat(i % 11), i % 97))
            .collect();
        let array = StringViewArray::from_iter_values(&texts);
        let (mut table, mut groups) = (KeyTable::default(), vec![]);
        table.texts(&array, &mut groups);
        let mut seen: Vec<&String> = vec![];
        for (text, &group) in texts.iter().zip(&groups) {
            if !seen.contains(&text) {
                seen.push(text);
            }
            assert_eq!(seen[group as usize], text);
        }
        // the other way to the same groups: views and scratch
        let (mut keys, mut hashes, mut scratch, mut again) = (vec![], vec![], vec![], vec![]);
        for (text, &view) in texts.iter().zip(array.views().iter()) {
            let long = text.len() > 12;
            hashes.push(if long {
                hash_bytes(text.as_bytes())
            } else {
                hash_u128(view)
            });
            keys.push(if long {
                long_key(hashes[hashes.len() - 1], scratch.len() as u64)
            } else {
                view
            });
            if long {
                scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
                scratch.extend_from_slice(text.as_bytes());
            }
        }
        table.groups(&keys, &hashes, &scratch, &mut again);
        assert_eq!((groups, seen.len()), (again, table.len()));
    }
}
