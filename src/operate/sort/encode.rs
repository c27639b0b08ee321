//! From batches to blocks of cells: narrowing, dictionaries of repeated texts, hidden keys.
//!
//! A text column that is no key and repeats itself is kept as ids of a dictionary, which belongs to
//! the sink and only grows, so that ids of different runs mean the same. Too many different texts,
//! and the column is kept as bytes from then on.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, StringArray, StringViewArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::row::{RowConverter, SortField};

use super::SortSpec;
use super::cells::{Block, Cells, Width};
use super::keys::{Codec, Kind, kind};
use super::texts::KeyTexts;
use crate::error::{Error, Result};
use crate::kernel::Batch;

/// A dictionary has at most so many texts, so that ids fit 16 bits.
pub(super) const MOST_TEXTS: usize = 32_000;
/// And at most so many bytes, because each run and merge holds it;
const MOST_BYTES: usize = 1 << 20;
/// fewer where those of all columns would take more than this part of a thread's share of the memory:
/// each run opens with them, and a merge of many runs holds them all.
const DICTIONARIES_SHARE: usize = 32;
/// But one of so many bytes is worth its place.
const LEAST_BYTES: usize = 8 << 10;

/// Different texts and their ids.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    ids: HashMap<Box<[u8]>, i64, foldhash::fast::FixedState>,
    texts: Vec<Box<[u8]>>,
    bytes: usize,
    most_bytes: usize,
    /// The values array that was translated last, and its ids (-1 where null).
    last: Option<(ArrayRef, Vec<i64>)>,
}

impl Dictionary {
    fn new(most_bytes: usize) -> Dictionary {
        Dictionary {
            most_bytes,
            ..Dictionary::default()
        }
    }

    /// The id, none once the dictionary is full.
    fn id(&mut self, text: &[u8]) -> Option<i64> {
        if let Some(&id) = self.ids.get(text) {
            return Some(id);
        }
        if self.texts.len() >= MOST_TEXTS || self.bytes + text.len() > self.most_bytes {
            return None;
        }
        let id = self.texts.len() as i64;
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        self.bytes += text.len() + 96;
        Some(id)
    }

    /// A column as ids.
    fn encode(&mut self, array: &ArrayRef, at_least: Width) -> Option<Cells> {
        if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
            let values = dictionary.values();
            if !matches!(&self.last, Some((last, _)) if Arc::ptr_eq(last, values)) {
                let texts = values.as_string_view();
                let ids: Option<Vec<i64>> = (0..texts.len())
                    .map(|i| {
                        if texts.is_null(i) {
                            Some(-1)
                        } else {
                            self.id(texts.value(i).as_bytes())
                        }
                    })
                    .collect();
                self.last = Some((values.clone(), ids?));
            }
            let (_, ids) = self.last.as_ref()?;
            let keys = dictionary.keys();
            let id = |i: usize| {
                if keys.is_null(i) {
                    -1
                } else {
                    ids[keys.value(i) as usize]
                }
            };
            let all: Vec<i64> = (0..keys.len()).map(id).collect();
            return Some(with_nulls(&all, at_least));
        }
        let texts = array.as_string_view_opt()?;
        let mut all = Vec::with_capacity(texts.len());
        for i in 0..texts.len() {
            all.push(if texts.is_null(i) {
                -1
            } else {
                self.id(texts.value(i).as_bytes())?
            });
        }
        Some(with_nulls(&all, at_least))
    }
}

fn with_nulls(ids: &[i64], at_least: Width) -> Cells {
    let nulls = NullBuffer::from_iter(ids.iter().map(|&i| i >= 0));
    Cells::narrow(ids, Some(&nulls), at_least)
}

/// Turns batches into blocks.
pub(super) struct Encoder {
    schema: SchemaRef,
    codec: Arc<Codec>,
    hidden_keys: Vec<(RowConverter, usize)>,
    dictionaries: Vec<Option<Dictionary>>,
    /// The texts of key columns, where there are few.
    key_texts: Vec<Option<KeyTexts>>,
    /// Full dictionaries that the run in the making still needs.
    full: Vec<(usize, Dictionary)>,
}

impl Encoder {
    /// Each key column of texts may have a dictionary of so many bytes; none if zero. `share` are the bytes that
    /// a thread may take for everything.
    pub(super) fn new(
        spec: &SortSpec,
        schema: &SchemaRef,
        codec: &Arc<Codec>,
        most_bytes: usize,
        share: usize,
    ) -> Result<Encoder> {
        let key_texts = schema.fields().iter().enumerate().map(|(i, f)| {
            let key = spec.keys.iter().any(|k| k.column == i);
            let wanted = kind(f.data_type()) == Kind::Text && key && most_bytes > 0;
            wanted.then(|| KeyTexts::new(most_bytes))
        });
        let plain = |i: usize| {
            let key = spec.keys.iter().any(|k| k.column == i);
            kind(schema.field(i).data_type()) == Kind::Text && !key
        };
        let columns = schema.fields().len();
        let texts = (0..columns).filter(|&i| plain(i)).count().max(1);
        let of_one = (share / DICTIONARIES_SHARE / texts).clamp(LEAST_BYTES, MOST_BYTES);
        let dictionaries = (0..columns).map(|i| plain(i).then(|| Dictionary::new(of_one)));
        let mut hidden_keys = Vec::new();
        for &k in &codec.hidden {
            let key = &spec.keys[k];
            let options = compute::SortOptions {
                descending: key.descending,
                nulls_first: key.nulls_first,
            };
            let field = schema.field(key.column);
            let converter = RowConverter::new(vec![SortField::new_with_options(
                field.data_type().clone(),
                options,
            )])
            .map_err(|e| {
                Error::query(format!("cannot sort by {}: {e}", field.name()))
                    .help("sort by a column of numbers, text or times")
            })?;
            hidden_keys.push((converter, key.column));
        }
        Ok(Encoder {
            schema: schema.clone(),
            codec: codec.clone(),
            hidden_keys,
            dictionaries: dictionaries.collect(),
            key_texts: key_texts.collect(),
            full: Vec::new(),
        })
    }

    /// A new run begins.
    pub(super) fn next_run(&mut self) {
        self.full.clear();
        for texts in &mut self.key_texts {
            if texts.as_ref().is_some_and(|t| t.closed) {
                *texts = None;
            }
        }
    }

    /// The dictionaries of key columns, by column.
    pub(super) fn key_texts(&mut self) -> &mut [Option<KeyTexts>] {
        &mut self.key_texts
    }

    /// Bytes of all dictionaries.
    pub(super) fn bytes(&self) -> usize {
        let keys: usize = self.key_texts.iter().flatten().map(KeyTexts::bytes).sum();
        let known = self.dictionaries.iter().flatten();
        let all = known.chain(self.full.iter().map(|(_, d)| d));
        all.map(|d| 2 * d.bytes).sum::<usize>() + keys
    }

    /// The block of a batch whose rows have these orders. `widths` are the least widths; a text
    /// column whose dictionary is full changes to bytes, which `changed` tells: a run must not mix.
    pub(super) fn encode(
        &mut self,
        batch: &Batch,
        orders: Vec<u64>,
        widths: &[Width],
        changed: &mut bool,
    ) -> Result<Block> {
        let mut columns = Vec::with_capacity(batch.columns.len() + self.hidden_keys.len());
        for (c, array) in batch.columns.iter().enumerate() {
            let at_least = widths.get(c).copied().unwrap_or(0);
            let ty = self.schema.field(c).data_type();
            if let Some(texts) = self
                .key_texts
                .get_mut(c)
                .and_then(Option::as_mut)
                .filter(|t| !t.closed)
            {
                match texts.encode(array, at_least) {
                    Some(cells) => columns.push(cells),
                    None => {
                        *changed = true;
                        texts.closed = true;
                        columns.push(cells(array, ty, 0)?);
                    }
                }
                continue;
            }
            let dictionary = self.dictionaries.get_mut(c).and_then(Option::as_mut);
            let cells = match dictionary.map(|d| d.encode(array, at_least)) {
                Some(Some(cells)) => cells,
                None => cells(array, self.schema.field(c).data_type(), at_least)?,
                Some(None) => {
                    *changed = true;
                    self.full.extend(self.dictionaries[c].take().map(|d| (c, d)));
                    cells(array, self.schema.field(c).data_type(), at_least)?
                }
            };
            columns.push(cells);
        }
        for hidden in 0..self.hidden_keys.len() {
            columns.push(self.key_cells(batch, batch.columns.len() + hidden)?);
        }
        Ok(Block {
            columns,
            orders: orders.into(),
        })
    }

    /// A block that has only the key columns (others are empty), for a first look.
    pub(super) fn encode_keys(&self, batch: &Batch) -> Result<Block> {
        let count = batch.columns.len() + self.hidden_keys.len();
        let mut columns = vec![Cells::I8(Vec::new().into()); count];
        for c in self.codec.columns() {
            columns[c] = self.key_cells(batch, c)?;
        }
        Ok(Block {
            columns,
            orders: vec![0; batch.rows].into(),
        })
    }

    /// The key that is column `c` of a block; texts are never ids.
    pub(super) fn key_cells(&self, batch: &Batch, c: usize) -> Result<Cells> {
        let hidden = c.checked_sub(batch.columns.len());
        let Some((converter, column)) = hidden.and_then(|h| self.hidden_keys.get(h)) else {
            return cells(&batch.columns[c], self.schema.field(c).data_type(), 0);
        };
        let rows = converter.convert_columns(&[batch.columns[*column].clone()])?;
        let bytes = rows.iter().map(|r| r.data().to_vec());
        Ok(Cells::Bytes(BinaryArray::from_iter_values(bytes)))
    }

    /// One row with the texts of each column's dictionary as a list, null for a column without one.
    /// It opens each run; [`is_header`] knows it.
    pub(super) fn header(&self) -> Vec<ArrayRef> {
        let of = |(i, d): (usize, &Option<Dictionary>)| {
            let full = self.full.iter().find(|(c, _)| *c == i).map(|(_, d)| d);
            header_of(d.as_ref().or(full))
        };
        let mut arrays: Vec<ArrayRef> = self.dictionaries.iter().enumerate().map(of).collect();
        for (array, texts) in arrays.iter_mut().zip(&self.key_texts) {
            if let Some(texts) = texts {
                *array = list_of(Some(texts.sorted()));
            }
        }
        let extra = self.hidden_keys.len() + 2;
        arrays.extend((0..extra).map(|_| header_of(None)));
        arrays
    }
}

fn header_of(dictionary: Option<&Dictionary>) -> ArrayRef {
    list_of(dictionary.map(|d| BinaryArray::from_iter_values(&d.texts)))
}

fn list_of(values: Option<BinaryArray>) -> ArrayRef {
    let nulls = NullBuffer::from(vec![values.is_some()]);
    let values = values.unwrap_or_else(|| BinaryArray::from_iter_values([[]; 0]));
    let field = Arc::new(Field::new_list_field(DataType::Binary, true));
    Arc::new(ListArray::new(
        field,
        OffsetBuffer::from_lengths([values.len()]),
        Arc::new(values),
        Some(nulls),
    ))
}

/// Whether these columns are those of a header: one more than any block of the run has.
pub(super) fn is_header(arrays: &[ArrayRef], block_columns: usize) -> bool {
    arrays.len() == block_columns + 1
}

/// The dictionaries of a header.
pub(super) fn read_header(arrays: &[ArrayRef], columns: usize) -> Result<Vec<Option<BinaryArray>>> {
    let read = |a: &ArrayRef| {
        let list = a
            .as_list_opt::<i32>()
            .ok_or_else(|| Error::defect("sort: a damaged header"))?;
        let texts = list.is_valid(0).then(|| list.value(0));
        Ok(texts.map(|t| t.as_binary::<i32>().clone()))
    };
    arrays.iter().take(columns).map(read).collect()
}

/// The bits of a float as an integer of the same order, all NaN alike. Never the null.
pub(super) fn float_to_int(x: f64) -> i64 {
    let bits = if x.is_nan() {
        f64::NAN.to_bits() & !(1 << 63)
    } else {
        x.to_bits()
    } as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The inverse of [`float_to_int`].
pub(super) fn int_to_float(i: i64) -> f64 {
    f64::from_bits((i ^ (((i >> 63) as u64) >> 1) as i64) as u64)
}

/// A column as cells.
pub(in crate::operate) fn cells(array: &ArrayRef, ty: &DataType, at_least: Width) -> Result<Cells> {
    let wrong = || Error::defect(format!("sort: a column of {ty} came as {}", array.data_type()));
    let nulls = array.nulls();
    Ok(match ty {
        DataType::Null => Cells::narrow(
            &vec![0; array.len()],
            Some(&NullBuffer::new_null(array.len())),
            at_least,
        ),
        DataType::Boolean => {
            let a = array.as_boolean_opt().ok_or_else(wrong)?;
            let all: Vec<i64> = a.values().iter().map(i64::from).collect();
            Cells::narrow(&all, nulls, at_least)
        }
        DataType::Int64 => {
            let a = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            Cells::narrow(a.values(), nulls, at_least)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let a = array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(wrong)?;
            Cells::narrow(a.values(), nulls, at_least)
        }
        DataType::Date32 => {
            let a = array.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            let all: Vec<i64> = a.values().iter().map(|&d| d as i64).collect();
            Cells::narrow(&all, nulls, at_least)
        }
        DataType::Float64 => {
            let a = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            let all: Vec<i64> = a.values().iter().map(|&x| float_to_int(x)).collect();
            Cells::narrow(&all, nulls, at_least)
        }
        DataType::Decimal128(..) => {
            let a = array.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?;
            Cells::narrow_wide(a.values(), nulls, at_least)
        }
        DataType::Utf8View => {
            let plain = match array.data_type() {
                DataType::Dictionary(_, values) => compute::cast(array, values)?,
                _ => array.clone(),
            };
            let texts: &StringViewArray = plain.as_string_view_opt().ok_or_else(wrong)?;
            let total: usize = texts.lengths().map(|l| l as usize).sum();
            if total > i32::MAX as usize {
                return Err(Error::limit("the texts of 8192 rows exceed 2 GiB"));
            }
            let texts: StringArray = texts.iter().collect();
            Cells::Bytes(texts.into())
        }
        _ => Cells::Other(array.clone()),
    })
}
