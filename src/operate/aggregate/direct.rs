//! One key column that comes as dictionary codes: code → group, looked up once for each
//! dictionary (a row group of Parquet has one, so most batches find all their codes known).

use arrow::array::{Array, ArrayRef, DictionaryArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int32Type;

use super::column::Col;
use super::keys::KeyEncoder;
use crate::error::{Error, Result};
use crate::kernel::group::KeyTable;

const UNKNOWN: u32 = u32::MAX;

/// Groups by the codes of the dictionary seen last.
#[derive(Debug, Default)]
pub struct Direct {
    dictionary: Option<ArrayRef>,
    /// By code; the last entry is that of null.
    groups: Vec<u32>,
}

impl Direct {
    /// Whether a column can be grouped this way.
    pub fn accepts(&self, column: &ArrayRef) -> bool {
        column.as_any().is::<DictionaryArray<Int32Type>>()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.groups.capacity() * 4
    }

    /// Forgets the dictionary; to be called when the groups are forgotten.
    pub fn clear(&mut self) {
        *self = Direct::default();
    }

    /// The groups of all rows; codes seen for the first time open groups in `table`.
    pub fn groups(
        &mut self,
        column: &ArrayRef,
        encoder: &mut KeyEncoder,
        table: &mut KeyTable,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let broken = || Error::defect("a dictionary code points beyond its dictionary");
        let array = column
            .as_any()
            .downcast_ref::<DictionaryArray<Int32Type>>()
            .ok_or_else(broken)?;
        let values = array.values();
        let same = self
            .dictionary
            .as_ref()
            .is_some_and(|d| std::sync::Arc::ptr_eq(d, values));
        if !same {
            self.groups.clear();
            self.groups.resize(values.len() + 1, UNKNOWN);
            self.dictionary = Some(values.clone());
        }
        let null = values.len() as u32;
        let keys = array.keys();
        out.clear();
        match keys.nulls().filter(|n| n.null_count() > 0) {
            None => out.extend(keys.values().iter().map(|&c| c as u32)),
            Some(nulls) => {
                let codes = keys.values().iter().zip(nulls.iter());
                out.extend(codes.map(|(&c, valid)| if valid { c as u32 } else { null }));
            }
        }
        let known = |groups: &[u32], c: u32| groups.get(c as usize).copied().ok_or_else(broken);
        let mut new = Vec::new();
        for &code in out.iter() {
            if known(&self.groups, code)? == UNKNOWN {
                new.push(code);
                self.groups[code as usize] = 0;
            }
        }
        if !new.is_empty() {
            let at = UInt32Array::from_iter(new.iter().map(|&c| (c != null).then_some(c)));
            let found = Col::new(&take(values, &at, None)?)?;
            encoder.encode(&[found], new.len());
            let mut ids = Vec::new();
            table.groups(&encoder.keys, &encoder.hashes, &encoder.scratch, &mut ids);
            new.iter()
                .zip(ids)
                .for_each(|(&c, id)| self.groups[c as usize] = id);
        }
        let groups = self.groups.as_slice();
        out.iter_mut().for_each(|c| *c = groups[*c as usize]);
        Ok(())
    }
}
