//! Rows of key columns ⇄ 16-byte keys of the [`KeyTable`].
//!
//! ```text
//!  one number     lowest byte 8, value in the upper half          null: lowest byte NULL
//!  one text       the Utf8View itself where ≤ 12 bytes            longer: LONG, bytes in scratch
//!  several        lowest byte length, then per column             over 15 bytes: LONG
//!                 0 = null │ 1+n, n bytes │ text: 1+n or 255 u32 n, n bytes
//! ```
//!
//! Encodings are canonical: equal keys, and only they, have equal bytes (one NaN, no `-0.0`).

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::DataType;

use super::column::Col;
use crate::error::{Error, Result};
use crate::kernel::group::{KeyTable, LONG, NULL, is_long, long_key};
use crate::kernel::hash::{hash_bytes, hash_u128};
use crate::kernel::types;

/// How rows become keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unit,
    Number,
    Text,
    Rows,
}

/// Encodes the key columns of a batch.
#[derive(Debug)]
pub struct KeyEncoder {
    types: Vec<DataType>,
    mode: Mode,
    /// A key for each row of the last batch.
    pub keys: Vec<u128>,
    /// Their hashes.
    pub hashes: Vec<u64>,
    /// The bytes of long keys.
    pub scratch: Vec<u8>,
    used: Vec<u8>,
}

fn supported(ty: &DataType) -> bool {
    use DataType::*;
    matches!(
        ty,
        Null | Boolean | Int64 | Float64 | Decimal128(..) | Date32 | Timestamp(..) | Utf8View
    )
}

impl KeyEncoder {
    /// An encoder for key columns of these logical types.
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        if let Some(bad) = types.iter().find(|t| !supported(t)) {
            return Err(Error::query(format!(
                "cannot group by a column of type {}",
                types::name(bad)
            )));
        }
        use DataType::*;
        let mode = match types.as_slice() {
            [] => Mode::Unit,
            [Utf8View] => Mode::Text,
            [Boolean | Int64 | Float64 | Date32 | Timestamp(..)] => Mode::Number,
            _ => Mode::Rows,
        };
        let (keys, hashes, scratch, used) = Default::default();
        Ok(KeyEncoder {
            types,
            mode,
            keys,
            hashes,
            scratch,
            used,
        })
    }

    /// Encodes `rows` rows of the key columns.
    pub fn encode(&mut self, columns: &[Col], rows: usize) {
        self.keys.clear();
        self.hashes.clear();
        self.scratch.clear();
        match self.mode {
            Mode::Unit => self.keys.resize(rows, 0),
            Mode::Number => self.numbers(&columns[0]),
            Mode::Text => return self.texts(&columns[0]),
            Mode::Rows => self.rows(columns, rows),
        }
        let keys = &self.keys;
        self.hashes.extend(keys.iter().map(|&k| hash_u128(k)));
        if !self.scratch.is_empty() {
            self.long_hashes();
        }
    }

    fn long_hashes(&mut self) {
        for (key, hash) in self.keys.iter_mut().zip(&mut self.hashes) {
            if is_long(*key) {
                *hash = hash_bytes(crate::kernel::group::scratch_bytes(&self.scratch, *key));
                *key = long_key(*hash, (*key >> 64) as u64);
            }
        }
    }

    fn numbers(&mut self, column: &Col) {
        let values = column.bits();
        self.keys.extend(values.iter().map(|&v| 8 | (v as u128) << 64));
        if let Some(nulls) = column.nulls() {
            for (key, valid) in self.keys.iter_mut().zip(nulls.iter()) {
                if !valid {
                    *key = NULL as u128;
                }
            }
        }
    }

    /// Keys and hashes in one pass: a short text's view is its key.
    fn texts(&mut self, column: &Col) {
        let Col::Text(array) = column else { return };
        let scratch = &mut self.scratch;
        let both = array.views().iter().enumerate().map(|(i, &view)| {
            if view as u32 <= 12 {
                return (view, hash_u128(view));
            }
            // a null's view may be anything, and its value is looked at by no one
            let text = array.value(i).as_bytes();
            let hash = hash_bytes(text);
            (long_key(hash, push_counted(scratch, text)), hash)
        });
        self.keys.reserve(array.len());
        self.hashes.reserve(array.len());
        for (key, hash) in both {
            self.keys.push(key);
            self.hashes.push(hash);
        }
        if let Some(nulls) = array.nulls().filter(|n| n.null_count() > 0) {
            let hash = hash_u128(NULL as u128);
            for i in (0..array.len()).filter(|&i| nulls.is_null(i)) {
                (self.keys[i], self.hashes[i]) = (NULL as u128, hash);
            }
        }
    }

    /// Column by column into 15 bytes; the rows that do not fit are done again, row by row.
    fn rows(&mut self, columns: &[Col], rows: usize) {
        self.keys.resize(rows, 0);
        self.used.clear();
        self.used.resize(rows, 0);
        for column in columns {
            pack(column, &mut self.keys, &mut self.used);
        }
        for i in 0..rows {
            let used = self.used[i];
            if used <= 15 {
                self.keys[i] = self.keys[i] << 8 | used as u128;
                continue;
            }
            let at = self.scratch.len();
            self.scratch.extend_from_slice(&[0; 4]);
            for column in columns {
                encode_one(column, i, &mut self.scratch);
            }
            let len = (self.scratch.len() - at - 4) as u32;
            self.scratch[at..at + 4].copy_from_slice(&len.to_le_bytes());
            self.keys[i] = long_key(0, at as u64);
        }
    }

    /// Turns groups of a table back into key columns.
    pub fn decode(&self, table: &KeyTable, groups: std::ops::Range<usize>) -> Result<Vec<ArrayRef>> {
        let mut out: Vec<Decoder> = self.types.iter().map(|t| Decoder::new(t, groups.len())).collect();
        for &key in &table.keys()[groups] {
            let inline = key.to_le_bytes();
            match self.mode {
                Mode::Unit => {}
                _ if key == NULL as u128 && self.mode != Mode::Rows => out[0].null(),
                Mode::Number => out[0].bits((key >> 64) as u64),
                Mode::Text if is_long(key) => out[0].text(table.long_bytes(key))?,
                Mode::Text => out[0].text(&inline[4..4 + inline[0] as usize])?,
                Mode::Rows => {
                    let mut bytes = match is_long(key) {
                        true => table.long_bytes(key),
                        false => &inline[1..1 + inline[0] as usize],
                    };
                    for d in &mut out {
                        d.read(&mut bytes)?;
                    }
                }
            }
        }
        out.into_iter()
            .zip(&self.types)
            .map(|(d, t)| d.finish(t))
            .collect()
    }
}

/// Appends `length: u32, bytes`; gives the offset.
pub fn push_counted(buffer: &mut Vec<u8>, bytes: &[u8]) -> u64 {
    let at = buffer.len() as u64;
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
    at
}

const FULL: u8 = 255;

#[inline(always)]
fn put(key: &mut u128, used: &mut u8, bytes: u128, len: u32) {
    if *used as u32 + len > 15 {
        *used = FULL;
    } else {
        *key |= bytes << (8 * *used as u32);
        *used += len as u8;
    }
}

#[inline(always)]
fn number_bytes(bits: u64) -> (u128, u32) {
    let z = (bits << 1) ^ ((bits as i64 >> 63) as u64);
    let n = 8 - z.leading_zeros() / 8;
    ((1 + n) as u128 | (z as u128) << 8, n + 1)
}

fn pack(column: &Col, keys: &mut [u128], used: &mut [u8]) {
    let null = |i: usize| column.nulls().is_some_and(|n| n.is_null(i));
    match column {
        Col::Text(array) => {
            for (i, &view) in array.views().iter().enumerate() {
                let len = view as u32;
                if null(i) {
                    put(&mut keys[i], &mut used[i], 0, 1);
                } else if len <= 12 {
                    let bytes = (view >> 32 << 8) | (len + 1) as u128;
                    put(&mut keys[i], &mut used[i], bytes, len + 1);
                } else {
                    used[i] = FULL;
                }
            }
        }
        Col::Dec(_) => used.fill(FULL),
        Col::Null(..) => used.iter_mut().for_each(|u| *u = u.saturating_add(1)),
        _ => {
            for (i, &bits) in column.bits().iter().enumerate() {
                let (bytes, len) = if null(i) { (0, 1) } else { number_bytes(bits) };
                put(&mut keys[i], &mut used[i], bytes, len);
            }
        }
    }
}

fn encode_one(column: &Col, i: usize, out: &mut Vec<u8>) {
    if column.nulls().is_some_and(|n| n.is_null(i)) {
        return out.push(0);
    }
    match column {
        Col::Null(..) => out.push(0),
        Col::Text(array) => {
            let text = array.value(i).as_bytes();
            if text.len() < 254 {
                out.push(text.len() as u8 + 1);
            } else {
                out.push(LONG);
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            }
            out.extend_from_slice(text);
        }
        Col::Dec(values) => {
            out.push(17);
            out.extend_from_slice(&values.value(i).to_le_bytes());
        }
        _ => {
            let (bytes, len) = number_bytes(column.bit(i));
            out.extend_from_slice(&bytes.to_le_bytes()[..len as usize]);
        }
    }
}

/// Builds one key column from encoded values.
struct Decoder {
    bits: Vec<u64>,
    decimals: Vec<i128>,
    valid: Vec<bool>,
    text: StringViewBuilder,
    is_text: bool,
    is_decimal: bool,
}

fn broken() -> Error {
    Error::defect("an encoded group key is broken")
}

impl Decoder {
    fn new(ty: &DataType, rows: usize) -> Self {
        Decoder {
            bits: Vec::with_capacity(rows),
            decimals: Vec::new(),
            valid: Vec::with_capacity(rows),
            text: StringViewBuilder::new(),
            is_text: *ty == DataType::Utf8View,
            is_decimal: matches!(ty, DataType::Decimal128(..)),
        }
    }
    fn null(&mut self) {
        if self.is_text {
            return self.text.append_null();
        }
        self.bits.push(0);
        if self.is_decimal {
            self.decimals.push(0);
        }
        self.valid.push(false);
    }
    fn bits(&mut self, bits: u64) {
        self.bits.push(bits);
        self.valid.push(true);
    }
    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        self.text
            .append_value(std::str::from_utf8(bytes).map_err(|_| broken())?);
        Ok(())
    }
    fn read(&mut self, bytes: &mut &[u8]) -> Result<()> {
        let (&tag, rest) = bytes.split_first().ok_or_else(broken)?;
        *bytes = rest;
        if tag == 0 {
            self.null();
            return Ok(());
        }
        let mut len = tag as usize - 1;
        if self.is_text && tag == LONG {
            let (n, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
            len = u32::from_le_bytes(*n) as usize;
            *bytes = rest;
        }
        let (value, rest) = bytes.split_at_checked(len).ok_or_else(broken)?;
        *bytes = rest;
        if self.is_text {
            return self.text(value);
        }
        if self.is_decimal {
            self.decimals
                .push(i128::from_le_bytes(value.try_into().map_err(|_| broken())?));
            self.valid.push(true);
            return Ok(());
        }
        let mut z = [0; 8];
        z.get_mut(..len).ok_or_else(broken)?.copy_from_slice(value);
        let z = u64::from_le_bytes(z);
        self.bits((z >> 1) ^ (z & 1).wrapping_neg());
        Ok(())
    }
    fn finish(mut self, ty: &DataType) -> Result<ArrayRef> {
        if self.is_text {
            return Ok(Arc::new(self.text.finish()));
        }
        if self.is_decimal {
            return super::column::decimals(ty, self.decimals, self.valid);
        }
        super::column::from_bits(ty, self.bits, self.valid)
    }
}
