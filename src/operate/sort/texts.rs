//! The dictionary of a key column: texts by id while rows come in, by rank once they are sorted.
//!
//! ```text
//!   push:  "LAX" ─► id 0    "ATL" ─► id 1    "JFK" ─► id 2      (in the order of arrival)
//!   sort:  rank of id:  0 ─► 2,  1 ─► 0,  2 ─► 1                 (in the order of the bytes)
//! ```
//!
//! Ranks compare as texts do, and take few bits. A column of too many different texts leaves its
//! dictionary, and is kept as bytes from then on.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;

use super::cells::{Cells, Width};

/// Never more texts than this, whatever the memory.
const MOST_TEXTS: usize = 1 << 20;
/// From so many texts on, a text must come twice on the average.
const MANY_TEXTS: usize = 100_000;
/// A text no longer than this lies within its view.
const SHORT: usize = 12;
/// What a text takes besides its bytes: its place, rank and share of a hash table.
const BYTES_A_TEXT: usize = 72;

/// Different texts of a key column.
#[derive(Debug, Default)]
pub(in crate::operate) struct KeyTexts {
    short: HashMap<u128, u32, foldhash::fast::FixedState>,
    long: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
    data: Vec<u8>,
    ends: Vec<usize>,
    rows: usize,
    most_bytes: usize,
    /// The ranks of the first ids, from when they were last sorted.
    ranks: Vec<i32>,
    /// The values array that was translated last, and its ids (-1 where null).
    last: Option<(ArrayRef, Vec<i64>)>,
    /// Left by its column: the run in the making needs it, later rows do not.
    pub(super) closed: bool,
}

/// The view of a short text: its length and bytes.
fn view(text: &[u8]) -> u128 {
    let mut bytes = [0u8; 16];
    bytes[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    bytes[4..4 + text.len()].copy_from_slice(text);
    u128::from_le_bytes(bytes)
}

impl KeyTexts {
    pub(in crate::operate) fn new(most_bytes: usize) -> Self {
        KeyTexts {
            most_bytes,
            ..Self::default()
        }
    }

    /// The number of texts.
    pub(in crate::operate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes held.
    pub(in crate::operate) fn bytes(&self) -> usize {
        let last = self.last.as_ref().map_or(0, |l| 8 * l.1.len());
        2 * self.data.len() + self.len() * BYTES_A_TEXT + last
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
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.data[start..self.ends[id]]
    }

    fn add(&mut self, text: &[u8]) -> Option<u32> {
        let n = self.len();
        let full = n >= MOST_TEXTS
            || self.bytes() + 2 * text.len() + BYTES_A_TEXT > self.most_bytes
            || n >= MANY_TEXTS && n > self.rows / 2;
        if full {
            return None;
        }
        self.data.extend_from_slice(text);
        self.ends.push(self.data.len());
        Some(n as u32)
    }

    fn id_of_short(&mut self, view: u128) -> Option<i64> {
        if let Some(&id) = self.short.get(&view) {
            return Some(id as i64);
        }
        let bytes = view.to_le_bytes();
        let len = (view as u32 as usize).min(SHORT);
        let id = self.add(&bytes[4..4 + len])?;
        self.short.insert(view, id);
        Some(id as i64)
    }

    fn id(&mut self, text: &[u8]) -> Option<i64> {
        if text.len() <= SHORT {
            return self.id_of_short(view(text));
        }
        if let Some(&id) = self.long.get(text) {
            return Some(id as i64);
        }
        let id = self.add(text)?;
        self.long.insert(text.into(), id);
        Some(id as i64)
    }

    /// A column as ids; none once there are too many texts.
    pub(in crate::operate) fn encode(&mut self, array: &ArrayRef, at_least: Width) -> Option<Cells> {
        self.rows += array.len();
        let nulls = array.logical_nulls().filter(|n| n.null_count() > 0);
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        let mut all = vec![-1i64; array.len()];
        if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
            let values = dictionary.values();
            if !matches!(&self.last, Some((last, _)) if Arc::ptr_eq(last, values)) {
                self.last = Some((values.clone(), vec![-2; values.len()]));
            }
            // Only texts that rows have get an id: a dictionary may hold many more.
            let texts = values.as_string_view_opt()?;
            let mut last = self.last.take()?;
            let keys = dictionary.keys().values();
            for (i, to) in all.iter_mut().enumerate().filter(|(i, _)| valid(*i)) {
                let key = keys[i] as usize;
                if last.1[key] == -2 {
                    last.1[key] = self.id(texts.value(key).as_bytes())?;
                }
                *to = last.1[key];
            }
            self.last = Some(last);
        } else {
            let texts = array.as_string_view_opt()?;
            let views = texts.views();
            for (i, to) in all.iter_mut().enumerate().filter(|(i, _)| valid(*i)) {
                *to = match views[i] as u32 as usize <= SHORT {
                    true => self.id_of_short(views[i])?,
                    false => self.id(texts.value(i).as_bytes())?,
                };
            }
        }
        let nulls = nulls.map(|_| NullBuffer::from_iter(all.iter().map(|&i| i >= 0)));
        Some(Cells::narrow(&all, nulls.as_ref(), at_least.max(self.width())))
    }

    fn sorted_ids(&self) -> Vec<u32> {
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
