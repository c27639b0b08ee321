//! From what a file holds to the logical types: wide ints, text views, microseconds.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, StringViewArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, Int32Type, IntervalMonthDayNano, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::FormatOptions;
use parquet::basic::{Encoding, Type as Physical};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::footer::FileFooter;
use super::guard::damaged;
use super::meaning::INTERVAL_BYTES;
use crate::error::{Error, Kind, Result};
use crate::kernel::{Scalar, types};

/// Larger dictionaries (stored bytes) are not kept: they no longer stay in the cache, and few rows
/// share a value.
pub(super) const DICTIONARY_BYTES: usize = 1 << 20;

/// The schema to ask the decoder for: text as a dictionary where the row group has it so, else as
/// views.
pub(super) fn wanted_schema(footer: &FileFooter, group: &RowGroupMetaData) -> SchemaRef {
    let fields = footer
        .decoded
        .fields()
        .iter()
        .zip(&footer.leaves)
        .zip(footer.schema.fields())
        .map(|((field, leaves), meant)| {
            let leaf = group.columns().get(leaves.start);
            let ty = match (field.data_type(), leaf) {
                (ty, Some(leaf)) if types::logical(ty) == types::TEXT => match all_dictionary(leaf) {
                    true => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                    false => types::TEXT,
                },
                (DataType::Timestamp(..), Some(leaf)) if leaf.column_type() == Physical::INT96 => {
                    meant.data_type().clone()
                }
                (other, _) => other.clone(),
            };
            Field::clone(field).with_data_type(ty)
        });
    let fields: Vec<Field> = fields.collect();
    Arc::new(arrow::datatypes::Schema::new_with_metadata(
        fields,
        footer.decoded.metadata().clone(),
    ))
}

/// Whether every data page of the chunk refers to its dictionary.
fn all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let Some(dictionary) = chunk.dictionary_page_offset() else {
        return false;
    };
    if chunk.data_page_offset().saturating_sub(dictionary) > DICTIONARY_BYTES as i64 {
        return false;
    }
    match chunk.page_encoding_stats_mask() {
        Some(mask) => mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY),
        // without statistics of pages: version 1 files name PLAIN only for data pages
        None => {
            let mut encodings = chunk.encodings();
            #[expect(deprecated, reason = "files of old writers have it")]
            let levels = [Encoding::RLE, Encoding::BIT_PACKED];
            encodings.all(|e| e == Encoding::PLAIN_DICTIONARY || levels.contains(&e))
        }
    }
}

/// A value that does not fit is an error.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// Converts the arrays of one column, remembering the last dictionary.
#[derive(Default)]
pub(super) struct Converter {
    dictionary: Option<(ArrayRef, ArrayRef)>,
}

impl Converter {
    /// The array in the logical type `to` (text may stay a dictionary).
    pub(super) fn convert(&mut self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        if array.data_type() == to {
            return Ok(array.clone());
        }
        if let DataType::Dictionary(key, value) = array.data_type()
            && (&**key, &**value, to) == (&DataType::Int32, &types::TEXT, &types::TEXT)
        {
            return Ok(array.clone());
        }
        if let DataType::Dictionary(key, value) = array.data_type()
            && *to == types::TEXT
            && **key == DataType::Int32
            && types::logical(value) == types::TEXT
        {
            return self.dictionary(array);
        }
        if let (DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Timestamp(_, Some(zone))) =
            (array.data_type(), to)
        {
            // INT96 has no zone of its own; a cast would take what it counts, UTC, for another clock
            let moments = array.as_primitive::<TimestampMicrosecondType>().clone();
            return Ok(Arc::new(moments.with_timezone(zone.clone())));
        }
        if to.is_nested() && types::without_notes(array.data_type()) == types::without_notes(to) {
            return Ok(cast_with_options(array, to, &STRICT)?);
        }
        if let (DataType::FixedSizeBinary(INTERVAL_BYTES), DataType::Interval(_)) = (array.data_type(), to) {
            return Ok(Arc::new(intervals(array.as_fixed_size_binary())));
        }
        let from = types::logical(array.data_type());
        let narrows = types::unite(&from, to) != *to || (from == DataType::Boolean && *to == types::TEXT);
        if narrows && types::logical(to) == *to {
            // a type by law: the cast of the language
            let plain = cast_with_options(array, &from, &STRICT)?;
            return crate::expr::cast::array(&plain, to, false);
        }
        Ok(cast_with_options(array, to, &STRICT)?)
    }

    fn dictionary(&mut self, array: &ArrayRef) -> Result<ArrayRef> {
        let typed = array.as_dictionary::<Int32Type>();
        let known = self
            .dictionary
            .as_ref()
            .filter(|(from, _)| same(from, typed.values()));
        let values = match known {
            Some((_, views)) => views.clone(),
            None => {
                let views = arrow::compute::cast(typed.values(), &types::TEXT)?;
                self.dictionary = Some((typed.values().clone(), views.clone()));
                views
            }
        };
        Ok(Arc::new(DictionaryArray::try_new(typed.keys().clone(), values)?))
    }
}

/// Months, days and milliseconds of 32 bits each.
fn intervals(array: &FixedSizeBinaryArray) -> IntervalMonthDayNanoArray {
    let part = |v: &[u8], at: usize| v[4 * at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
    let span = |v: &[u8]| {
        let nanos = i64::from(part(v, 2)) * 1_000_000;
        IntervalMonthDayNano::new(part(v, 0) as i32, part(v, 1) as i32, nanos)
    };
    array.iter().map(|v| v.map(span)).collect()
}

/// Whether both are the same memory (the first is kept alive, so an address is not used twice).
fn same(a: &ArrayRef, b: &ArrayRef) -> bool {
    Arc::ptr_eq(a, b) || (a.len() == b.len() && a.to_data().ptr_eq(&b.to_data()))
}

/// `rows` times the same value.
pub(super) fn constant(value: &Scalar, ty: &DataType, rows: usize) -> Result<ArrayRef> {
    let array: ArrayRef = match value {
        Scalar::Bool(b) => Arc::new(BooleanArray::from(vec![*b; rows])),
        Scalar::Int(i) => Arc::new(Int64Array::from_value(*i, rows)),
        Scalar::Float(x) => Arc::new(Float64Array::from_value(*x, rows)),
        Scalar::Decimal(d, p, s) => {
            Arc::new(Decimal128Array::from_value(*d, rows).with_precision_and_scale(*p, *s)?)
        }
        Scalar::Date(d) => Arc::new(Date32Array::from_value(*d, rows)),
        Scalar::Timestamp(t, utc) => {
            let array = TimestampMicrosecondArray::from_value(*t, rows);
            Arc::new(array.with_timezone_opt(utc.then_some("UTC")))
        }
        Scalar::Text(t) => {
            let values = Arc::new(StringViewArray::from_iter_values([t]));
            Arc::new(DictionaryArray::try_new(Int32Array::from_value(0, rows), values)?)
        }
        Scalar::Null | Scalar::Interval(..) | Scalar::Other(..) => new_null_array(ty, rows),
    };
    Converter::default().convert(&array, ty)
}

/// The error of a conversion: values that are not of the type that is law, or else the file's fault.
pub(super) fn failed(path: &Path, what: &str, e: &Error) -> Error {
    match e.kind() {
        Kind::Query => Error::input(format!("{what}: {}", e.what().trim_start_matches("arrow: ")))
            .at(path, 0, 0)
            .help("the type is that of --types: use another, or text"),
        _ => damaged(path, what, e.what()),
    }
}

/// The error of reading a column of bytes as text, which says so.
pub(super) fn no_text(e: Error) -> Error {
    match e.what().contains("UTF-8") || e.what().contains("UTF8") {
        true => e.help("its bytes are read as text by --types or --binary-as-text: without, they are binary"),
        false => e,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_no_zone_are_utc_where_the_schema_has_a_zone() {
        let plain: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(-5), None, Some(7)]));
        let zoned = TimestampMicrosecondArray::from(vec![Some(-5), None, Some(7)]).with_timezone("UTC");
        let to = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let got = Converter::default().convert(&plain, &to).unwrap();
        assert_eq!(got.as_primitive::<TimestampMicrosecondType>(), &zoned);
    }
}
