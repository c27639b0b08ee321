//! Key columns that come as dictionary codes: codes → group, looked up once for each dictionary
//! (a row group of Parquet has one for a column, so most batches find all their codes known).
//! Several columns make one code together, as the digits of a number, where that stays small.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int32Type;

use super::column::Col;
use super::keys::KeyEncoder;
use crate::error::{Error, Result};
use crate::kernel::group::KeyTable;

const UNKNOWN: u32 = u32::MAX;

/// Codes of several columns together: more would not stay in the cache, and most might never come.
const MOST_TOGETHER: usize = 64 << 10;

/// Groups by the codes of the dictionaries seen last.
#[derive(Debug, Default)]
pub struct Direct {
    dictionaries: Vec<ArrayRef>,
    /// By code; the last digit of a column is that of null.
    groups: Vec<u32>,
}

fn coded(column: &ArrayRef) -> Option<&DictionaryArray<Int32Type>> {
    column.as_any().downcast_ref()
}

impl Direct {
    /// Whether key columns can be grouped this way.
    pub fn accepts<'a>(columns: impl IntoIterator<Item = &'a ArrayRef>) -> bool {
        let (mut n, mut together) = (0, Some(1usize));
        for column in columns {
            let Some(array) = coded(column) else { return false };
            n += 1;
            together = together.and_then(|t| t.checked_mul(array.values().len() + 1));
        }
        n == 1 || n > 1 && together.is_some_and(|t| t <= MOST_TOGETHER)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.groups.capacity() * 4
    }

    /// Forgets the dictionaries; to be called when the groups are forgotten.
    pub fn clear(&mut self) {
        *self = Direct::default();
    }

    /// The groups of all rows; codes seen for the first time open groups in `table`.
    pub fn groups(
        &mut self,
        columns: &[&ArrayRef],
        encoder: &mut KeyEncoder,
        table: &mut KeyTable,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let broken = || Error::defect("a dictionary code points beyond its dictionary");
        let arrays: Vec<_> = columns.iter().filter_map(|c| coded(c)).collect();
        if arrays.is_empty() || arrays.len() < columns.len() {
            return Err(Error::defect("a key column is no dictionary"));
        }
        let known = self.dictionaries.iter();
        let same = self.dictionaries.len() == arrays.len()
            && known.zip(&arrays).all(|(d, a)| Arc::ptr_eq(d, a.values()));
        if !same {
            self.groups.clear();
            let codes = arrays.iter().map(|a| a.values().len() + 1).product();
            self.groups.resize(codes, UNKNOWN);
            self.dictionaries = arrays.iter().map(|a| a.values().clone()).collect();
        }
        let group = |groups: &[u32], c: u32| groups.get(c as usize).copied().unwrap_or(UNKNOWN);
        let simple = arrays.len() == 1 && arrays[0].null_count() == 0;
        if simple {
            let groups = self.groups.as_slice();
            out.clear();
            out.extend(arrays[0].keys().values().iter().map(|&c| group(groups, c as u32)));
            if out.iter().fold(0, |most, g| (*g).max(most)) != UNKNOWN {
                return Ok(());
            }
        }
        codes(&arrays, out);
        let mut new = Vec::new();
        for &code in out.iter() {
            let group = self.groups.get_mut(code as usize).ok_or_else(broken)?;
            if *group == UNKNOWN {
                new.push(code);
                *group = 0;
            }
        }
        if !new.is_empty() {
            let found = values(&arrays, &new)?;
            encoder.encode(&found, new.len());
            let mut ids = Vec::new();
            table.groups(&encoder.keys, &encoder.hashes, &encoder.scratch, &mut ids);
            let pairs = new.iter().zip(ids);
            pairs.for_each(|(&c, id)| self.groups[c as usize] = id);
        }
        let groups = self.groups.as_slice();
        out.iter_mut().for_each(|c| *c = group(groups, *c));
        Ok(())
    }
}

/// The codes of all rows, the columns' own ones taken together.
fn codes(arrays: &[&DictionaryArray<Int32Type>], out: &mut Vec<u32>) {
    out.clear();
    out.resize(arrays.first().map_or(0, |a| a.len()), 0);
    for array in arrays {
        let null = array.values().len() as u32;
        let keys = array.keys().values().iter();
        match array.nulls().filter(|n| n.null_count() > 0) {
            None => (out.iter_mut().zip(keys)).for_each(|(o, &c)| *o = *o * (null + 1) + c as u32),
            Some(nulls) => {
                for ((o, &c), valid) in out.iter_mut().zip(keys).zip(nulls.iter()) {
                    *o = *o * (null + 1) + if valid { c as u32 } else { null };
                }
            }
        }
    }
}

/// The key columns' values that `codes` stand for.
fn values(arrays: &[&DictionaryArray<Int32Type>], codes: &[u32]) -> Result<Vec<Col>> {
    let mut rest = codes.to_vec();
    let mut columns = Vec::with_capacity(arrays.len());
    for array in arrays.iter().rev() {
        let null = array.values().len() as u32;
        let digits = rest.iter().map(|c| c % (null + 1));
        let at = UInt32Array::from_iter(digits.map(|d| (d != null).then_some(d)));
        columns.push(Col::new(&take(array.values(), &at, None)?)?);
        rest.iter_mut().for_each(|c| *c /= null + 1);
    }
    columns.reverse();
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::types::TEXT;
    use arrow::array::{Int32Array, StringViewArray};
    use arrow::compute::cast;
    use proptest::prelude::*;

    type Rows = Vec<(Option<i32>, Option<i32>)>;

    /// A batch of two key columns; the dictionaries repeat a value, and differ from batch to batch.
    fn columns(rows: &Rows, size: usize) -> [ArrayRef; 2] {
        let values: Vec<String> = (0..size).map(|i| format!("some value {}", i % 4)).collect();
        let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
        let column = |codes: Vec<Option<i32>>| {
            let codes = codes.into_iter().map(|c| c.map(|c| c % size as i32));
            let array = DictionaryArray::new(Int32Array::from_iter(codes), values.clone());
            Arc::new(array) as ArrayRef
        };
        [
            column(rows.iter().map(|r| r.0).collect()),
            column(rows.iter().map(|r| r.1).collect()),
        ]
    }

    proptest! {
        /// Groups of codes are those of the texts.
        #[test]
        fn codes_group_as_their_texts(
            batches in prop::collection::vec((prop::collection::vec((prop::option::of(0i32..9), prop::option::of(0i32..9)), 0..30), 1usize..9), 1..4),
            both in any::<bool>(),
        ) {
            let keys = if both { 2 } else { 1 };
            let types = vec![TEXT; keys];
            let mut direct = Direct::default();
            let mut encoder = KeyEncoder::new(types.clone()).unwrap();
            let (mut table, mut plain) = (KeyTable::default(), KeyTable::default());
            for (rows, size) in &batches {
                let columns = columns(rows, *size);
                let keys: Vec<&ArrayRef> = columns[..keys].iter().collect();
                prop_assert!(Direct::accepts(keys.iter().copied()));
                let mut got = Vec::new();
                direct.groups(&keys, &mut encoder, &mut table, &mut got).unwrap();
                let texts: Vec<Col> = keys.iter().map(|k| Col::new(&cast(k, &TEXT).unwrap()).unwrap()).collect();
                encoder.encode(&texts, rows.len());
                let mut want = Vec::new();
                plain.groups(&encoder.keys, &encoder.hashes, &encoder.scratch, &mut want);
                prop_assert_eq!(got, want);
            }
            prop_assert_eq!(table.len(), plain.len());
        }
    }

    #[test]
    fn many_codes_together_are_not_taken() {
        let column = |n: i32| {
            let values = StringViewArray::from_iter_values((0..n).map(|i| i.to_string()));
            let array = DictionaryArray::new(Int32Array::from(vec![0]), Arc::new(values));
            Arc::new(array) as ArrayRef
        };
        let (few, many) = (column(100), column(1000));
        assert!(Direct::accepts([&few, &few]));
        assert!(Direct::accepts([&many]));
        assert!(!Direct::accepts([&many, &few]));
        assert!(!Direct::accepts([]));
    }
}
