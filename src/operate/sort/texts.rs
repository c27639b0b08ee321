//! The dictionary of a key column: texts by id while rows come in, by rank once they are sorted.
//!
//! ```text
//!   push:  "LAX" ─► id 0    "ATL" ─► id 1    "JFK" ─► id 2      (in the order of arrival)
//!   sort:  rank of id:  0 ─► 2,  1 ─► 0,  2 ─► 1                 (in the order of the bytes)
//! ```
//!
//! Ranks compare as texts do, and take few bits. A column of too many different texts leaves its
//! dictionary, and is kept as bytes from then on.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Int32Type, ToByteSlice};

use super::cells::{Cells, Width};
use crate::kernel::group::{KeyTable, is_long, long_key, scratch_bytes};
use crate::kernel::hash::{hash_bytes, hash_u128};

/// Never more texts than this, whatever the memory.
const MOST_TEXTS: usize = 1 << 20;
/// From so many texts on, a text must come twice on the average.
const MANY_TEXTS: usize = 100_000;
/// A text no longer than this lies within its view.
const SHORT: usize = 12;
/// What a text takes besides the table: its rank, and its place among the sorted ones.
const BYTES_A_TEXT: usize = 40;

/// Different texts of a key column.
#[derive(Debug, Default)]
pub(in crate::operate) struct KeyTexts {
    /// Each text's id is its group number; short ones are their own views.
    table: KeyTable,
    rows: usize,
    most_bytes: usize,
    /// The ranks of the first ids, from when they were last sorted.
    ranks: Vec<i32>,
    /// The values array that was translated last, and its ids ([`UNKNOWN`] where not looked up).
    last: Option<(ArrayRef, Vec<i64>)>,
    /// Left by its column: the run in the making needs it, later rows do not.
    pub(super) closed: bool,
    room: Room,
}

/// The keys of a batch and their ids, kept to be used again.
#[derive(Debug, Default)]
struct Room {
    keys: Vec<u128>,
    hashes: Vec<u64>,
    long: Vec<u8>,
    ids: Vec<u32>,
}

/// A value of a dictionary array without an id yet.
const UNKNOWN: i64 = -2;

impl KeyTexts {
    pub(in crate::operate) fn new(most_bytes: usize) -> Self {
        KeyTexts {
            most_bytes,
            ..Self::default()
        }
    }

    /// The number of texts.
    pub(in crate::operate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes held.
    pub(in crate::operate) fn bytes(&self) -> usize {
        let last = self.last.as_ref().map_or(0, |l| 8 * l.1.len());
        // besides the table: ranks, and the sorted texts that the runs open with
        self.table.bytes() + self.len() * BYTES_A_TEXT + last
    }

    /// The least width of integers for the ids.
    pub(in crate::operate) fn width(&self) -> Width {
        match self.len() {
            n if n <= i8::MAX as usize => 1,
            n if n <= i16::MAX as usize => 2,
            _ => 4,
        }
    }

    /// A text by its id.
    pub(in crate::operate) fn text(&self, id: usize) -> &[u8] {
        let keys = self.table.keys();
        match is_long(keys[id]) {
            true => self.table.long_bytes(keys[id]),
            // a view is its length in four bytes, then the text
            false => &keys[id..=id].to_byte_slice()[4..4 + (keys[id] as u32 as usize).min(SHORT)],
        }
    }

    /// Whether there are too many texts now.
    fn is_full(&self) -> bool {
        let n = self.len();
        n > MOST_TEXTS || n > MANY_TEXTS && n > self.rows / 2 || self.bytes() > self.most_bytes
    }

    /// Finds the ids of the texts in `room`.
    fn look_up(&mut self) {
        let room = &mut self.room;
        room.hashes.clear();
        room.hashes.extend(room.keys.iter().map(|&k| hash_u128(k)));
        if !room.long.is_empty() {
            for (key, hash) in room.keys.iter_mut().zip(&mut room.hashes) {
                if is_long(*key) {
                    *hash = hash_bytes(scratch_bytes(&room.long, *key));
                    *key = long_key(*hash, (*key >> 64) as u64);
                }
            }
        }
        self.table
            .groups(&room.keys, &room.hashes, &room.long, &mut room.ids);
    }

    /// A column as ids; none once there are too many texts.
    pub(in crate::operate) fn encode(&mut self, array: &ArrayRef, at_least: Width) -> Option<Cells> {
        self.rows += array.len();
        let nulls = array.logical_nulls().filter(|n| n.null_count() > 0);
        let all = match array.as_dictionary_opt::<Int32Type>() {
            Some(dictionary) => self.dictionary_ids(dictionary, nulls.as_ref())?,
            None => self.view_ids(array.as_string_view_opt()?, nulls.as_ref()),
        };
        if self.is_full() {
            return None;
        }
        Some(Cells::narrow(&all, nulls.as_ref(), at_least.max(self.width())))
    }

    fn view_ids(&mut self, texts: &StringViewArray, nulls: Option<&NullBuffer>) -> Vec<i64> {
        let room = &mut self.room;
        room.keys.clear();
        room.long.clear();
        let mut key = |i: usize, view: u128| match view as u32 as usize <= SHORT {
            true => room.keys.push(view),
            false => {
                let at = room.long.len() as u64;
                let text = texts.value(i).as_bytes();
                room.long.extend_from_slice(&(text.len() as u32).to_le_bytes());
                room.long.extend_from_slice(text);
                room.keys.push(long_key(0, at));
            }
        };
        match nulls {
            None => (texts.views().iter().enumerate()).for_each(|(i, &v)| key(i, v)),
            Some(nulls) => nulls.valid_indices().for_each(|i| key(i, texts.views()[i])),
        }
        self.look_up();
        let ids = self.room.ids.iter().map(|&id| id as i64);
        match nulls {
            None => ids.collect(),
            Some(nulls) => {
                let mut all = vec![-1; texts.len()];
                nulls.valid_indices().zip(ids).for_each(|(i, id)| all[i] = id);
                all
            }
        }
    }

    /// Only texts that rows have get an id: a dictionary may hold many more.
    fn dictionary_ids(
        &mut self,
        array: &DictionaryArray<Int32Type>,
        nulls: Option<&NullBuffer>,
    ) -> Option<Vec<i64>> {
        let values = array.values();
        if !matches!(&self.last, Some((last, _)) if Arc::ptr_eq(last, values)) {
            self.last = Some((values.clone(), vec![UNKNOWN; values.len()]));
        }
        let texts = values.as_string_view_opt()?;
        let (values, mut known) = self.last.take()?;
        let valid = |i: &usize| nulls.is_none_or(|n| n.is_valid(*i));
        let keys = array.keys().values();
        let mut new: Vec<i32> = Vec::new();
        for i in (0..keys.len()).filter(valid) {
            let id = known.get_mut(keys[i] as usize)?;
            if *id == UNKNOWN {
                *id = 0;
                new.push(keys[i]);
            }
        }
        if !new.is_empty() {
            let views = new.iter().map(|&k| texts.value(k as usize));
            let ids = self.view_ids(&StringViewArray::from_iter_values(views), None);
            new.iter().zip(ids).for_each(|(&k, id)| known[k as usize] = id);
        }
        let id = |i: usize| if valid(&i) { known[keys[i] as usize] } else { -1 };
        let all = (0..keys.len()).map(id).collect();
        self.last = Some((values, known));
        Some(all)
    }

    fn sorted_ids(&self) -> Vec<u32> {
        let keys = self.table.keys();
        if keys.iter().all(|&k| !is_long(k)) {
            // the bytes from the first on, zeros behind, then the length: as the texts compare
            let order = |k: u128| (k.swap_bytes() << 32) | k as u32 as u128;
            let mut all: Vec<(u128, u32)> = (keys.iter().zip(0..)).map(|(&k, id)| (order(k), id)).collect();
            all.sort_unstable();
            return all.into_iter().map(|(_, id)| id).collect();
        }
        let mut ids: Vec<u32> = (0..self.len() as u32).collect();
        ids.sort_unstable_by(|&a, &b| self.text(a as usize).cmp(self.text(b as usize)));
        ids
    }

    /// Ranks all texts, or only if there are many new ones since the last time.
    pub(in crate::operate) fn rank(&mut self, exactly: bool) {
        let known = self.ranks.len();
        if self.len() == known || !exactly && self.len() < known + known / 4 + 64 {
            return;
        }
        self.ranks = vec![0; self.len()];
        for (rank, id) in self.sorted_ids().into_iter().enumerate() {
            self.ranks[id as usize] = rank as i32;
        }
    }

    /// The ranks of the first ids, as [`KeyTexts::rank`] found them.
    pub(in crate::operate) fn ranks(&self) -> &[i32] {
        &self.ranks
    }

    /// The texts by rank.
    pub(in crate::operate) fn sorted(&self) -> BinaryArray {
        let mut ids = vec![0; self.len()];
        match self.ranks.len() == ids.len() {
            true => (self.ranks.iter().zip(0..)).for_each(|(&rank, id)| ids[rank as usize] = id),
            false => ids = self.sorted_ids(),
        }
        BinaryArray::from_iter_values(ids.into_iter().map(|id| self.text(id as usize)))
    }
}
