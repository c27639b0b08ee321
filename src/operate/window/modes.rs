//! The most frequent value of a frame; of several the least, as in groups.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder, new_null_array};
use arrow::datatypes::DataType;

use super::slide::State;
use super::sums::argument;
use crate::error::Result;
use crate::operate::aggregate::Col;
use crate::operate::aggregate::column::{decimals, from_ints};

/// Values in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Long(i64),
    Wide(i128),
    Text(Box<str>),
}

/// What [`BTreeMap`] and [`BTreeSet`] hold for each different value, about.
const ENTRY: usize = 96;

/// See the module.
#[derive(Debug)]
pub(super) struct Mode {
    ty: DataType,
    column: Option<Col>,
    ints: Vec<i64>,
    counts: BTreeMap<Key, u64>,
    /// By count; the last is the mode.
    order: BTreeSet<(u64, Reverse<Key>)>,
    /// Bytes of the texts.
    bytes: usize,
    out: Vec<Option<Key>>,
}

impl Mode {
    /// `ty` is the type of the values.
    pub fn new(ty: &DataType) -> Mode {
        Mode {
            ty: ty.clone(),
            column: None,
            ints: Vec::new(),
            counts: BTreeMap::new(),
            order: BTreeSet::new(),
            bytes: 0,
            out: Vec::new(),
        }
    }

    fn key(&self, at: usize) -> Option<Key> {
        let column = self.column.as_ref()?;
        if column.nulls().is_some_and(|n| n.is_null(at)) {
            return None;
        }
        match column {
            Col::Null(..) => None,
            Col::Text(a) => Some(Key::Text(a.value(at).into())),
            Col::Dec(a) => Some(Key::Wide(a.value(at))),
            _ => self.ints.get(at).map(|&v| Key::Long(v)),
        }
    }

    /// Changes how often a value is there.
    fn change(&mut self, at: usize, to: impl Fn(u64) -> u64) {
        let Some(key) = self.key(at) else { return };
        let own = match &key {
            Key::Text(t) => 2 * t.len(),
            _ => 0,
        };
        let before = self.counts.get(&key).copied().unwrap_or(0);
        let after = to(before);
        if before > 0 {
            self.order.remove(&(before, Reverse(key.clone())));
        }
        match after {
            0 => {
                self.counts.remove(&key);
                self.bytes = self.bytes.saturating_sub(own);
            }
            _ => {
                self.bytes += if before == 0 { own } else { 0 };
                self.order.insert((after, Reverse(key.clone())));
                self.counts.insert(key, after);
            }
        }
    }
}

impl State for Mode {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let column = Col::new(argument(column)?)?;
        self.ints = column.ints().into_owned();
        self.column = Some(column);
        Ok(())
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.order.clear();
        self.bytes = 0;
    }

    fn add(&mut self, at: usize) {
        self.change(at, |n| n + 1);
    }

    fn remove(&mut self, at: usize) {
        self.change(at, |n| n.saturating_sub(1));
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        self.out.push(self.order.last().map(|(_, key)| key.0.clone()));
    }

    fn again(&mut self) {
        if let Some(last) = self.out.last() {
            self.out.push(last.clone());
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let found = std::mem::take(&mut self.out);
        let valid = found.iter().map(Option::is_some).collect();
        match self.ty {
            DataType::Utf8View => {
                let mut out = StringViewBuilder::with_capacity(found.len());
                for key in &found {
                    match key {
                        Some(Key::Text(t)) => out.append_value(t),
                        _ => out.append_null(),
                    }
                }
                Ok(Arc::new(out.finish()))
            }
            DataType::Decimal128(..) => {
                let value = |k: &Option<Key>| if let Some(Key::Wide(v)) = k { *v } else { 0 };
                decimals(&self.ty, found.iter().map(value).collect(), valid)
            }
            DataType::Null => Ok(new_null_array(&self.ty, found.len())),
            _ => {
                let value = |k: &Option<Key>| if let Some(Key::Long(v)) = k { *v } else { 0 };
                from_ints(&self.ty, found.iter().map(value).collect(), valid)
            }
        }
    }

    fn bytes(&self) -> usize {
        self.counts.len() * ENTRY + self.bytes
    }
}
