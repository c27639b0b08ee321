//! The keys of a sort: where their values lie, and how rows compare by them.

use std::cmp::Ordering;

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};

use super::SortSpec;
use super::cells::{Block, Cells};
use super::packing::KeyColumn;
use crate::error::{Error, Result};

/// How cells hold -0.0.
pub(super) const MINUS_ZERO: i128 = -1;

/// One key of a sort.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The column of a block that holds it.
    pub(super) column: usize,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    pub(super) float: bool,
}

/// The keys, and which of them are made of other columns.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    pub(super) keys: Vec<Key>,
    /// Keys that are hidden columns of bytes, made by `arrow::row`.
    pub(super) hidden: Vec<usize>,
}

/// How cells hold a type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Int,
    Text,
    Other,
}

/// How cells hold values of `ty`.
pub(super) fn kind(ty: &DataType) -> Kind {
    use DataType::*;
    match ty {
        Null | Boolean | Int64 | Float64 | Decimal128(..) | Date32 => Kind::Int,
        Timestamp(TimeUnit::Microsecond, _) => Kind::Int,
        Utf8View => Kind::Text,
        _ => Kind::Other,
    }
}

impl Codec {
    pub(super) fn new(spec: &SortSpec, schema: &SchemaRef) -> Result<Codec> {
        let mut keys: Vec<Key> = Vec::new();
        let mut hidden = Vec::new();
        for (i, k) in spec.keys.iter().enumerate() {
            if k.column >= schema.fields().len() {
                return Err(Error::defect("a sort key beyond the columns"));
            }
            let ty = schema.field(k.column).data_type();
            let mut key = Key {
                column: k.column,
                descending: k.descending,
                nulls_first: k.nulls_first,
                float: *ty == DataType::Float64,
            };
            if kind(ty) == Kind::Other {
                key.column = schema.fields().len() + hidden.len();
                // The hidden bytes have direction and nulls within them.
                (key.descending, key.nulls_first) = (false, true);
                hidden.push(i);
            }
            keys.push(key);
        }
        Ok(Codec { keys, hidden })
    }

    /// The columns of a block that hold keys.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().map(|k| k.column)
    }

    /// The keys, for exact codes.
    pub(super) fn key_columns(&self) -> Vec<KeyColumn> {
        let keys = self.keys.iter().map(|k| KeyColumn {
            column: k.column,
            descending: k.descending,
            nulls_first: k.nulls_first,
            float: k.float,
        });
        keys.collect()
    }
}

/// The order of two rows by some keys alone.
pub(super) fn compare(keys: &[Key], a: &Block, i: usize, b: &Block, j: usize) -> Ordering {
    for key in keys {
        let order = match (&a.columns[key.column], &b.columns[key.column]) {
            (Cells::Bytes(x), Cells::Bytes(y)) => {
                let x = x.is_valid(i).then(|| x.value(i));
                let y = y.is_valid(j).then(|| y.value(j));
                key.compare(x, y)
            }
            (x, y) => key.compare(key.value(x.int(i)), key.value(y.int(j))),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

impl Key {
    /// The value to compare by: minus zero equals zero.
    pub(super) fn value(&self, x: Option<i128>) -> Option<i128> {
        match x {
            Some(MINUS_ZERO) if self.float => Some(0),
            x => x,
        }
    }

    pub(super) fn compare<T: Ord>(&self, x: Option<T>, y: Option<T>) -> Ordering {
        match (x, y) {
            (Some(x), Some(y)) if self.descending => y.cmp(&x),
            (Some(x), Some(y)) => x.cmp(&y),
            (None, None) => Ordering::Equal,
            (None, Some(_)) if self.nulls_first => Ordering::Less,
            (Some(_), None) if !self.nulls_first => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}
