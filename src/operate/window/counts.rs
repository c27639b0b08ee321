//! Counts of rows, of values, of truths and of different values.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::buffer::NullBuffer;

use super::slide::State;
use super::sums::{Out, argument};
use crate::error::Result;
use crate::operate::aggregate::Col;

type Map<K> = HashMap<K, u64, foldhash::fast::FixedState>;

fn ints(out: &mut Out<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(out.take().0))
}

/// Rows, or values that are not null.
#[derive(Debug, Default)]
pub(super) struct Count {
    nulls: Option<NullBuffer>,
    rows: i64,
    out: Out<i64>,
}

impl State for Count {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.nulls = column.and_then(|c| c.logical_nulls());
        Ok(())
    }

    fn clear(&mut self) {
        self.rows = 0;
    }

    #[inline]
    fn add(&mut self, at: usize) {
        self.rows += i64::from(self.nulls.as_ref().is_none_or(|n| n.is_valid(at)));
    }

    #[inline]
    fn remove(&mut self, at: usize) {
        self.rows -= i64::from(self.nulls.as_ref().is_none_or(|n| n.is_valid(at)));
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        self.out.push(Some(self.rows));
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(ints(&mut self.out))
    }
}

/// `bool_and` and `bool_or`.
#[derive(Debug)]
pub(super) struct Truth {
    any: bool,
    values: Option<BooleanArray>,
    /// False and true values.
    seen: [u64; 2],
    out: Out<bool>,
}

impl Truth {
    pub fn new(any: bool) -> Truth {
        Truth {
            any,
            values: None,
            seen: [0; 2],
            out: Out::default(),
        }
    }

    fn value(&self, at: usize) -> Option<bool> {
        let v = self.values.as_ref()?;
        v.is_valid(at).then(|| v.value(at))
    }
}

impl State for Truth {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.values = match Col::new(argument(column)?)? {
            Col::Bool(a) => Some(a),
            _ => None,
        };
        Ok(())
    }

    fn clear(&mut self) {
        self.seen = [0; 2];
    }

    fn add(&mut self, at: usize) {
        if let Some(v) = self.value(at) {
            self.seen[usize::from(v)] += 1;
        }
    }

    fn remove(&mut self, at: usize) {
        if let Some(v) = self.value(at) {
            self.seen[usize::from(v)] -= 1;
        }
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let [no, yes] = self.seen;
        let value = if self.any { yes > 0 } else { no == 0 };
        self.out.push((no + yes > 0).then_some(value));
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (values, valid) = self.out.take();
        Ok(Arc::new(BooleanArray::new(
            values.into(),
            Some(NullBuffer::from(valid)),
        )))
    }
}

/// How often each value is there.
#[derive(Debug)]
enum Seen {
    Long(Map<u64>),
    Wide(Map<i128>),
    Text(Map<Box<[u8]>>),
}

/// The number of different values.
#[derive(Debug)]
pub(super) struct Distinct {
    column: Option<Col>,
    seen: Seen,
    /// Bytes of the texts.
    bytes: usize,
    out: Out<i64>,
}

impl Distinct {
    pub fn new() -> Distinct {
        Distinct {
            column: None,
            seen: Seen::Long(Map::default()),
            bytes: 0,
            out: Out::default(),
        }
    }

    /// Takes in the row at a place; whether its value is the first of its kind.
    pub fn enter(&mut self, at: usize) -> bool {
        let Some(col) = (self.column.as_ref()).filter(|c| c.nulls().is_none_or(|n| n.is_valid(at))) else {
            return false;
        };
        let first = |n: &mut u64| {
            *n += 1;
            *n == 1
        };
        match (col, &mut self.seen) {
            (Col::Text(a), Seen::Text(m)) => {
                let text = a.value(at).as_bytes();
                match m.get_mut(text) {
                    Some(n) => first(n),
                    None => {
                        m.insert(text.into(), 1);
                        self.bytes += text.len() + 16;
                        true
                    }
                }
            }
            (Col::Dec(a), Seen::Wide(m)) => first(m.entry(a.value(at)).or_default()),
            (other, Seen::Long(m)) => first(m.entry(other.bit(at)).or_default()),
            _ => false,
        }
    }

    /// Gives back a row; whether its value was the last of its kind.
    pub fn leave(&mut self, at: usize) -> bool {
        let Some(col) = (self.column.as_ref()).filter(|c| c.nulls().is_none_or(|n| n.is_valid(at))) else {
            return false;
        };
        match (col, &mut self.seen) {
            (Col::Text(a), Seen::Text(m)) => {
                let text: Box<[u8]> = a.value(at).as_bytes().into();
                let bytes = text.len() + 16;
                let gone = less(m, text);
                self.bytes -= if gone { bytes } else { 0 };
                gone
            }
            (Col::Dec(a), Seen::Wide(m)) => less(m, a.value(at)),
            (other, Seen::Long(m)) => less(m, other.bit(at)),
            _ => false,
        }
    }
}

fn less<K: Hash + Eq>(map: &mut Map<K>, key: K) -> bool {
    let Some(n) = map.get_mut(&key) else { return false };
    *n -= 1;
    let gone = *n == 0;
    if gone {
        map.remove(&key);
    }
    gone
}

impl State for Distinct {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let col = Col::new(argument(column)?)?;
        match (&col, &self.seen) {
            (Col::Text(_), Seen::Text(_)) | (Col::Dec(_), Seen::Wide(_)) => {}
            (Col::Text(_), _) => self.seen = Seen::Text(Map::default()),
            (Col::Dec(_), _) => self.seen = Seen::Wide(Map::default()),
            _ => {}
        }
        self.column = Some(col);
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes = 0;
        match &mut self.seen {
            Seen::Long(m) => m.clear(),
            Seen::Wide(m) => m.clear(),
            Seen::Text(m) => m.clear(),
        }
    }

    fn add(&mut self, at: usize) {
        let _ = self.enter(at);
    }

    fn remove(&mut self, at: usize) {
        let _ = self.leave(at);
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let n = match &self.seen {
            Seen::Long(m) => m.len(),
            Seen::Wide(m) => m.len(),
            Seen::Text(m) => m.len(),
        };
        self.out.push(Some(n as i64));
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(ints(&mut self.out))
    }

    fn bytes(&self) -> usize {
        self.bytes
            + match &self.seen {
                Seen::Long(m) => m.capacity() * 20,
                Seen::Wide(m) => m.capacity() * 36,
                Seen::Text(m) => m.capacity() * 28,
            }
    }
}
