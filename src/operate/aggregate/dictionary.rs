//! A single key column that comes as a dictionary: each distinct value is looked up once, each
//! row is one step from its code to its group.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::Int32Type;

use super::column::Col;
use super::keys::KeyEncoder;
use crate::kernel::group::KeyTable;

/// A code without a group so far.
const NONE: u32 = u32::MAX;

/// The dictionary that keys came with last, and the groups of its values.
#[derive(Debug, Default)]
pub struct DictionaryKeys {
    /// Kept, so that no other dictionary can come to lie in its place.
    values: Option<StringViewArray>,
    /// Keys and hashes of the values, the last ones those of null.
    keys: Vec<u128>,
    hashes: Vec<u64>,
    pub scratch: Vec<u8>,
    groups: Vec<u32>,
}

impl DictionaryKeys {
    /// Encodes the values of a dictionary column, unless they are those of the last batch; false
    /// if the column is no dictionary of text.
    pub fn encode(&mut self, column: &ArrayRef, encoder: &mut KeyEncoder) -> bool {
        let Some(d) = column.as_dictionary_opt::<Int32Type>() else {
            return false;
        };
        let Some(values) = d.values().as_string_view_opt() else {
            return false;
        };
        let same = |old: &StringViewArray| {
            old.len() == values.len() && old.views().as_ptr() == values.views().as_ptr()
        };
        if self.values.as_ref().is_some_and(same) {
            return true;
        }
        // One more value than there are, which is null, stands for rows without a code.
        let mut with_null = arrow::array::StringViewBuilder::with_capacity(1);
        with_null.append_null();
        let null = with_null.finish();
        encoder.encode(&[Col::Text(null)], 1);
        let (null_key, null_hash) = (encoder.keys[0], encoder.hashes[0]);
        encoder.encode(&[Col::Text(values.clone())], values.len());
        self.keys.clone_from(&encoder.keys);
        self.hashes.clone_from(&encoder.hashes);
        self.scratch.clone_from(&encoder.scratch);
        self.keys.push(null_key);
        self.hashes.push(null_hash);
        self.values = Some(values.clone());
        self.forget();
        true
    }

    /// The table was emptied: no value has a group.
    pub fn forget(&mut self) {
        self.groups.clear();
        self.groups.resize(self.keys.len(), NONE);
    }

    /// The group of each row, new ones where a value is new.
    pub fn groups(&mut self, column: &ArrayRef, table: &mut KeyTable, out: &mut Vec<u32>) {
        out.clear();
        let Some(d) = column.as_dictionary_opt::<Int32Type>() else {
            return;
        };
        let last = self.keys.len() - 1;
        table.reserve(self.keys.len());
        let (keys, hashes, scratch, groups) = (&self.keys, &self.hashes, &self.scratch, &mut self.groups);
        let mut find = |code: usize| {
            let g = groups[code];
            if g != NONE {
                return g;
            }
            groups[code] = table.find_or_add(keys[code], hashes[code], scratch);
            groups[code]
        };
        let codes = d.keys().values();
        match d.keys().nulls().filter(|n| n.null_count() > 0) {
            None => out.extend(codes.iter().map(|&c| find(c as usize))),
            Some(n) => {
                let rows = codes.iter().zip(n.iter());
                out.extend(rows.map(|(&c, valid)| find(if valid { c as usize } else { last })));
            }
        }
    }

    /// Writes each row's key out into the encoder, for rows that are not grouped now.
    pub fn expand(&self, column: &ArrayRef, encoder: &mut KeyEncoder) {
        let Some(d) = column.as_dictionary_opt::<Int32Type>() else {
            return;
        };
        let last = self.keys.len() - 1;
        let code = |i: usize| {
            if d.is_null(i) {
                last
            } else {
                d.keys().value(i) as usize
            }
        };
        encoder.keys.clear();
        encoder.keys.extend((0..d.len()).map(|i| self.keys[code(i)]));
        encoder.hashes.clear();
        encoder.hashes.extend((0..d.len()).map(|i| self.hashes[code(i)]));
        encoder.scratch.clone_from(&self.scratch);
    }
}
