//! Keys as bytes: each row's key becomes a short byte string that is equal just where the keys are.
//!
//! ```text
//!   one text column:      the text itself, null apart
//!   anything else:        per column  tag/length byte + bytes      e.g. carrier, dest = 02 'A' 'A' 03 'J' 'F' 'K'
//!   a KeyView (16 bytes): length | first 12 bytes                  at most 12 bytes: all of the key
//!                         length | 4 bytes | offset in `data`      longer: rest in a side buffer
//! ```
//!
//! This is the layout of Arrow's string views ("German strings"), so a text column's views are used
//! as they are, and most keys compare as one 128-bit integer.

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder,
    Int64Builder, StringViewBuilder, new_null_array,
};
use arrow::datatypes::{DataType, TimeUnit};
use std::sync::Arc;

use super::columns::{Column, Values, bits_float, float_bits};
use crate::error::{Error, Result};

/// The longest key that lies in its view.
pub const INLINE: usize = 12;
/// The view of a null key of a single text column.
pub const NULL: u128 = u32::MAX as u128;
/// Marks a null column within a key of several.
const NULL_TAG: u8 = 0xff;
/// Marks a text longer than [`LONG`]: four bytes of length follow.
const LONG_TAG: u8 = 0xfe;
const LONG: usize = 0xfd;

/// The length of a key.
#[inline]
pub fn len(view: u128) -> usize {
    view as u32 as usize
}

/// A view of `bytes`; `offset` says where a long key lies in its buffer.
#[inline]
pub fn view(bytes: &[u8], offset: usize) -> u128 {
    let n = bytes.len();
    if n <= INLINE {
        let mut b = [0u8; 16];
        b[..4].copy_from_slice(&(n as u32).to_le_bytes());
        b[4..4 + n].copy_from_slice(bytes);
        return u128::from_le_bytes(b);
    }
    let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    n as u128 | (prefix as u128) << 32 | (offset as u128) << 64
}

/// The bytes of a key.
#[inline]
pub fn bytes<'a>(view: &'a [u8; 16], data: &'a [u8]) -> &'a [u8] {
    let n = u32::from_le_bytes([view[0], view[1], view[2], view[3]]) as usize;
    if n <= INLINE {
        return &view[4..4 + n];
    }
    let offset = (u128::from_le_bytes(*view) >> 64) as usize;
    &data[offset..offset + n]
}

/// The keys of a batch.
#[derive(Default)]
pub struct Keys {
    /// One for each row.
    pub views: Vec<u128>,
    /// Where long keys lie.
    pub data: Vec<u8>,
    lengths: Vec<u8>,
}

/// Whether keys are the plain text of a single column.
pub fn is_plain_text(types: &[DataType]) -> bool {
    matches!(types, [DataType::Utf8View])
}

impl Keys {
    /// Encodes the key columns of a batch.
    pub fn encode(&mut self, columns: &[Column], rows: usize, plain_text: bool) {
        self.views.clear();
        self.data.clear();
        match columns {
            [c] if plain_text => self.text(c, rows),
            _ => self.several(columns, rows),
        }
    }

    fn text(&mut self, c: &Column, rows: usize) {
        let take = |data: &mut Vec<u8>, v: u128, a: &arrow::array::StringViewArray, i: usize| {
            if len(v) <= INLINE {
                return v;
            }
            let text = a.value(i).as_bytes();
            let offset = data.len();
            data.extend_from_slice(text);
            view(text, offset)
        };
        match &c.values {
            Values::Text(a) => {
                let all = a.views().iter().enumerate();
                match c.nulls {
                    None => self
                        .views
                        .extend(all.map(|(i, &v)| take(&mut self.data, v, a, i))),
                    Some(nulls) => self.views.extend(all.map(|(i, &v)| {
                        if nulls.is_null(i) {
                            NULL
                        } else {
                            take(&mut self.data, v, a, i)
                        }
                    })),
                }
            }
            Values::Dictionary(codes, a) => {
                let distinct: Vec<u128> = a
                    .views()
                    .iter()
                    .enumerate()
                    .map(|(i, &v)| take(&mut self.data, v, a, i))
                    .collect();
                let get = |i: usize| {
                    let null = c.is_null(i) || a.is_null(codes[i] as usize);
                    if null { NULL } else { distinct[codes[i] as usize] }
                };
                self.views.extend((0..rows).map(get));
            }
            _ => self.views.resize(rows, NULL),
        }
    }

    fn several(&mut self, columns: &[Column], rows: usize) {
        self.views.resize(rows, 0);
        self.lengths.clear();
        self.lengths.resize(rows, 0);
        for c in columns {
            self.short_column(c, rows);
        }
        for i in 0..rows {
            let n = self.lengths[i];
            if n as usize <= INLINE {
                self.views[i] = self.views[i] << 32 | n as u128;
            } else {
                let offset = self.data.len();
                columns.iter().for_each(|c| append(c, i, &mut self.data));
                self.views[i] = view(&self.data[offset..], offset);
            }
        }
    }

    /// Adds a column to the keys that still fit into a view; the others are marked.
    fn short_column(&mut self, c: &Column, rows: usize) {
        let put = |view: &mut u128, length: &mut u8, (value, n): (u128, usize)| {
            let at = *length as usize;
            if at + n > INLINE {
                *length = u8::MAX;
            } else {
                *view |= value << (8 * at);
                *length = (at + n) as u8;
            }
        };
        let slots = self
            .views
            .iter_mut()
            .zip(&mut self.lengths)
            .enumerate()
            .take(rows);
        match &c.values {
            Values::Int(v) => {
                for (i, (s, l)) in slots {
                    put(
                        s,
                        l,
                        if c.is_null(i) {
                            (NULL_TAG as u128, 1)
                        } else {
                            short_int(v[i])
                        },
                    );
                }
            }
            Values::Text(a) => {
                let views = a.views();
                for (i, (s, l)) in slots {
                    put(
                        s,
                        l,
                        if c.is_null(i) {
                            (NULL_TAG as u128, 1)
                        } else {
                            short_text(views[i])
                        },
                    );
                }
            }
            Values::Dictionary(codes, a) => {
                let distinct: Vec<_> = a.views().iter().map(|v| short_text(*v)).collect();
                for (i, (s, l)) in slots {
                    let null = c.is_null(i) || a.is_null(codes[i] as usize);
                    put(
                        s,
                        l,
                        if null {
                            (NULL_TAG as u128, 1)
                        } else {
                            distinct[codes[i] as usize]
                        },
                    );
                }
            }
            _ => {
                let mut buffer = Vec::new();
                for (i, (s, l)) in slots {
                    buffer.clear();
                    append(c, i, &mut buffer);
                    let mut b = [0u8; 16];
                    let n = buffer.len().min(16);
                    b[..n].copy_from_slice(&buffer[..n]);
                    put(s, l, (u128::from_le_bytes(b), buffer.len()));
                }
            }
        }
    }
}

/// Length byte and text, if it is short enough to matter.
#[inline]
fn short_text(view: u128) -> (u128, usize) {
    let n = len(view);
    if n <= INLINE {
        ((view >> 32) << 8 | n as u128, n + 1)
    } else {
        (0, 99)
    }
}

/// Number of significant bytes, then those bytes.
#[inline]
fn short_int(x: i64) -> (u128, usize) {
    let z = zigzag(x);
    let n = 8 - z.leading_zeros() as usize / 8;
    ((z as u128) << 8 | n as u128, n + 1)
}

fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

/// Appends one column's part of a key, in the layout of the short path.
fn append(c: &Column, row: usize, out: &mut Vec<u8>) {
    if c.is_null(row) {
        return out.push(NULL_TAG);
    }
    match &c.values {
        Values::Int(v) => append_int(v[row], out),
        Values::Date(v) => append_int(v[row] as i64, out),
        Values::Bool(v) => append_int(v.value(row) as i64, out),
        Values::Float(v) => {
            out.push(8);
            out.extend_from_slice(&float_bits(v[row]).to_le_bytes());
        }
        Values::Decimal(v) => {
            out.push(16);
            out.extend_from_slice(&v[row].to_le_bytes());
        }
        Values::Text(a) => append_text(a.value(row).as_bytes(), out),
        Values::Dictionary(codes, a) => {
            let code = codes[row] as usize;
            if a.is_null(code) {
                out.push(NULL_TAG)
            } else {
                append_text(a.value(code).as_bytes(), out)
            }
        }
        Values::Null => out.push(NULL_TAG),
    }
}

fn append_int(x: i64, out: &mut Vec<u8>) {
    let (v, n) = short_int(x);
    out.extend_from_slice(&v.to_le_bytes()[..n]);
}

fn append_text(text: &[u8], out: &mut Vec<u8>) {
    if text.len() <= LONG {
        out.push(text.len() as u8);
    } else {
        out.push(LONG_TAG);
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(text);
}

/// One value as bytes, the way keys hold it; `None` for null.
pub fn value_bytes(c: &Column, row: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    if c.is_null(row) {
        return false;
    }
    append(c, row, out);
    out.first() != Some(&NULL_TAG)
}

enum Builder {
    Int(Int64Builder, DataType),
    Date(Date32Builder),
    Bool(BooleanBuilder),
    Float(Float64Builder),
    Decimal(Decimal128Builder, DataType),
    Text(StringViewBuilder),
    Null(usize),
}

impl Builder {
    fn new(ty: &DataType) -> Result<Builder> {
        Ok(match ty {
            DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Builder::Int(Int64Builder::new(), ty.clone())
            }
            DataType::Date32 => Builder::Date(Date32Builder::new()),
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Float64 => Builder::Float(Float64Builder::new()),
            DataType::Decimal128(..) => Builder::Decimal(Decimal128Builder::new(), ty.clone()),
            DataType::Utf8View => Builder::Text(StringViewBuilder::new()),
            DataType::Null => Builder::Null(0),
            other => return Err(Error::query(format!("cannot group by a column of type {other}"))),
        })
    }

    /// Takes one column's part off the front of a key.
    fn take(&mut self, key: &mut &[u8]) -> Result<()> {
        let tag = take_n(key, 1)?[0];
        if tag == NULL_TAG {
            match self {
                Builder::Int(b, _) => b.append_null(),
                Builder::Date(b) => b.append_null(),
                Builder::Bool(b) => b.append_null(),
                Builder::Float(b) => b.append_null(),
                Builder::Decimal(b, _) => b.append_null(),
                Builder::Text(b) => b.append_null(),
                Builder::Null(n) => *n += 1,
            }
            return Ok(());
        }
        let n = match (tag, &self) {
            (LONG_TAG, Builder::Text(_)) => {
                let b = take_n(key, 4)?;
                u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize
            }
            (n, _) => n as usize,
        };
        let b = take_n(key, n)?;
        match self {
            Builder::Int(x, _) => x.append_value(int(b)),
            Builder::Date(x) => x.append_value(int(b) as i32),
            Builder::Bool(x) => x.append_value(int(b) != 0),
            Builder::Float(x) => x.append_value(bits_float(word(b) as u64)),
            Builder::Decimal(x, _) => x.append_value(word(b) as i128),
            Builder::Text(x) => x.append_value(utf8(b)?),
            Builder::Null(n) => *n += 1,
        }
        Ok(())
    }

    fn finish(self) -> Result<ArrayRef> {
        Ok(match self {
            Builder::Int(mut b, DataType::Int64) => Arc::new(b.finish()),
            Builder::Int(mut b, ty) => arrow::compute::cast(&b.finish(), &ty)?,
            Builder::Date(mut b) => Arc::new(b.finish()),
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Float(mut b) => Arc::new(b.finish()),
            Builder::Decimal(mut b, ty) => Arc::new(b.finish().with_data_type(ty)),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::Null(n) => new_null_array(&DataType::Null, n),
        })
    }
}

fn take_n<'a>(key: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let (head, rest) = key
        .split_at_checked(n)
        .ok_or_else(|| Error::defect("a key ends early"))?;
    *key = rest;
    Ok(head)
}

fn word(b: &[u8]) -> u128 {
    let mut w = [0u8; 16];
    w[..b.len().min(16)].copy_from_slice(&b[..b.len().min(16)]);
    u128::from_le_bytes(w)
}

fn int(b: &[u8]) -> i64 {
    let z = word(b) as u64;
    (z >> 1) as i64 ^ -((z & 1) as i64)
}

fn utf8(b: &[u8]) -> Result<&str> {
    std::str::from_utf8(b).map_err(|_| Error::defect("a key is not UTF-8"))
}

/// The key columns that the encoded `keys` stand for.
pub fn decode<'a>(
    keys: impl Iterator<Item = Option<&'a [u8]>>,
    types: &[DataType],
    plain_text: bool,
) -> Result<Vec<ArrayRef>> {
    if plain_text {
        let mut b = StringViewBuilder::new();
        for k in keys {
            b.append_option(k.map(utf8).transpose()?);
        }
        return Ok(vec![Arc::new(b.finish())]);
    }
    let mut builders = types.iter().map(Builder::new).collect::<Result<Vec<_>>>()?;
    for k in keys {
        let mut k = k.unwrap_or_default();
        for b in &mut builders {
            b.take(&mut k)?;
        }
    }
    builders.into_iter().map(Builder::finish).collect()
}

/// One value of [`value_bytes`] each (null for `None`), as a column.
pub fn decode_values<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, ty: &DataType) -> Result<ArrayRef> {
    let mut b = Builder::new(ty)?;
    for v in values {
        b.take(&mut v.unwrap_or(&[NULL_TAG]))?;
    }
    b.finish()
}

/// Views into a column of encoded keys.
pub fn views_of(array: &BinaryArray, out: &mut Keys) {
    out.views.clear();
    out.data.clear();
    for i in 0..array.len() {
        if array.is_null(i) {
            out.views.push(NULL);
            continue;
        }
        let b = array.value(i);
        let offset = out.data.len();
        if b.len() > INLINE {
            out.data.extend_from_slice(b);
        }
        out.views.push(view(b, offset));
    }
}
