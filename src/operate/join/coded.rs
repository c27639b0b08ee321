//! Keys that come as the codes of a dictionary: each code is looked up once, however many rows have it.
//!
//! A row group of Parquet has one dictionary for a column, so that nearly all batches find their codes
//! known, and a row costs a look into a short list.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int32Type;

use super::index::Index;
use crate::error::{Error, Result};
use crate::kernel::group::NONE;
use crate::operate::aggregate::{Col, KeyEncoder};

/// A code that was not looked up yet; no build side has so many rows.
const UNKNOWN: u32 = NONE - 1;

/// The groups of the codes of the dictionary that was seen last.
#[derive(Debug, Default)]
pub(super) struct Coded {
    dictionary: Option<ArrayRef>,
    groups: Vec<u32>,
}

impl Coded {
    /// The groups of a key column, [`NONE`] where there is none; false if it has no codes.
    ///
    /// # Errors
    /// A code points beyond its dictionary.
    pub(super) fn find(
        &mut self,
        column: &ArrayRef,
        index: &Index,
        encoder: &mut KeyEncoder,
        out: &mut Vec<u32>,
    ) -> Result<bool> {
        let Some(array) = column.as_dictionary_opt::<Int32Type>() else {
            return Ok(false);
        };
        let same = |d: &ArrayRef| Arc::ptr_eq(d, array.values());
        if !self.dictionary.as_ref().is_some_and(same) {
            self.groups.clear();
            self.groups.resize(array.values().len(), UNKNOWN);
            self.dictionary = Some(array.values().clone());
        }
        let codes = array.keys().values();
        let group = |c: &i32| self.groups.get(*c as usize).copied().unwrap_or(UNKNOWN);
        out.clear();
        out.extend(codes.iter().map(group));
        if let Some(nulls) = array.keys().nulls().filter(|n| n.null_count() > 0) {
            // the code of a null may be anything
            let rows = out.iter_mut().zip(nulls.iter());
            rows.filter(|(_, valid)| !valid).for_each(|(g, _)| *g = NONE);
        }
        if out.contains(&UNKNOWN) {
            self.look_up(codes, array.values(), index, encoder, out)?;
        }
        Ok(true)
    }

    /// Fills in the groups of rows whose codes come for the first time.
    fn look_up(
        &mut self,
        codes: &[i32],
        values: &ArrayRef,
        index: &Index,
        encoder: &mut KeyEncoder,
        out: &mut [u32],
    ) -> Result<()> {
        let mut new = Vec::new();
        let unknown = out.iter().zip(codes).filter(|(g, _)| **g == UNKNOWN);
        for (_, &code) in unknown {
            let group = self.groups.get_mut(code as usize);
            let group =
                group.ok_or_else(|| Error::defect("a dictionary code points beyond its dictionary"))?;
            if *group == UNKNOWN {
                *group = NONE;
                new.push(code as u32);
            }
        }
        let texts = take(values, &UInt32Array::from(new.clone()), None)?;
        let mut found = Vec::new();
        index.find(&[Col::new(&texts)?], new.len(), encoder, &mut found);
        for (&code, &group) in new.iter().zip(&found) {
            self.groups[code as usize] = group;
        }
        let unknown = out.iter_mut().zip(codes).filter(|(g, _)| **g == UNKNOWN);
        unknown.for_each(|(group, &code)| *group = self.groups[code as usize]);
        Ok(())
    }
}
