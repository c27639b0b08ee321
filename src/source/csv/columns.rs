//! From spans of bytes to Arrow arrays, one column at a time.
//!
//! ```text
//!  spans of one column's fields ──► unquote ──► null? ──► strict parse ──► array
//!                                                 └ a text column: views into the shared buffer
//! ```

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, NullArray,
    NullBufferBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::DataType;

use super::exact::{Marks, unquote};
use super::numbers::NumberStyle;
use super::values::{self, Kinds};
use crate::error::{Error, Result};
use crate::kernel::parse::{self, Spans, Validity};
use crate::kernel::raw::text_views::ViewBuilder;

/// Where a field lies in the buffer, without the delimiter or newline that ends it. A missing
/// field is [`MISSING`].
pub(crate) type Span = (u32, u32);

/// The field of a padded row: null in every type.
pub(crate) const MISSING: Span = (u32::MAX, u32::MAX);

/// The texts that mean null unless the user says otherwise, in columns that are not text.
const NULLS: [&[u8]; 8] = [b"NA", b"N/A", b"NaN", b"nan", b"null", b"NULL", b"None", b"\\N"];

/// How a field's bytes become a value.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub marks: Marks,
    /// The user's null texts; empty: the usual ones.
    pub nulls: Vec<Vec<u8>>,
    /// How numbers are written, if not as usual.
    pub style: Option<NumberStyle>,
}

/// Why a column could not be built: at which of the spans.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The value does not fit the type.
    Type(usize),
    /// The text is not UTF-8.
    Encoding(usize),
}

impl Reading {
    /// Whether an unquoted field means null in a column that is not text.
    pub(crate) fn is_null(&self, bytes: &[u8]) -> bool {
        bytes.is_empty()
            || match self.nulls.is_empty() {
                true => bytes.len() <= 4 && NULLS.contains(&bytes),
                false => self.is_own_null(bytes),
            }
    }

    fn is_own_null(&self, bytes: &[u8]) -> bool {
        self.nulls.iter().any(|n| n == bytes)
    }

    /// Whether an unquoted field means null in a text column. Where backslashes escape, `\N` is how the same
    /// programs write null.
    fn is_null_text(&self, bytes: &[u8]) -> bool {
        bytes.is_empty()
            || (!self.nulls.is_empty() && self.is_own_null(bytes))
            || (bytes == b"\\N" && self.marks.escape == Some(b'\\'))
    }

    /// Whether the text of a field, without its quotes, means null in a column that is not text: there the quotes
    /// tell nothing, since many programs put them around everything.
    pub(crate) fn means_null(&self, text: &[u8]) -> bool {
        text.is_empty() || self.is_null(text)
    }

    pub(crate) fn is_quoted(&self, bytes: &[u8]) -> bool {
        self.marks.quote.is_some() && bytes.first().copied() == self.marks.quote
    }

    fn needs_unquoting(&self, bytes: &[u8]) -> bool {
        self.is_quoted(bytes)
            || self
                .marks
                .escape
                .is_some_and(|e| memchr::memchr(e, bytes).is_some())
    }

    /// Calls `take` with the field's text, unquoted in `side` if need be.
    pub(crate) fn with_text<R>(&self, field: &[u8], side: &mut Vec<u8>, take: impl FnOnce(&[u8]) -> R) -> R {
        if self.needs_unquoting(field) {
            side.clear();
            unquote(field, &self.marks, side);
            take(side)
        } else {
            take(field)
        }
    }

    /// A number as most files write it; none if it is no number in the file's style.
    fn in_style<T>(&self, text: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        match &self.style {
            None => parse(text),
            Some(style) => style.plain(text).and_then(|plain| parse(&plain)),
        }
    }

    fn int(&self, text: &[u8]) -> Option<i64> {
        self.in_style(text, values::int)
    }

    fn float(&self, text: &[u8]) -> Option<f64> {
        self.in_style(text, values::float)
    }

    /// See [`values::decimal`].
    pub(crate) fn decimal(&self, text: &[u8], precision: u8, scale: i8) -> Option<i128> {
        self.in_style(text, |plain| values::decimal(plain, precision, scale))
    }

    /// The kind of a field's text.
    pub(crate) fn kind_of_text(&self, text: &[u8]) -> Kinds {
        match &self.style {
            None => Kinds::of(text),
            Some(style) => match style.plain(text) {
                Some(plain) => Kinds::of(&plain),
                None => Kinds::of(text).without_numbers(),
            },
        }
    }

    /// Builds the column of type `ty`; `range` holds all spans.
    pub(crate) fn build(
        &self,
        ty: &DataType,
        data: &Buffer,
        spans: &[Span],
        range: std::ops::Range<usize>,
    ) -> Result<Result<ArrayRef, Misfit>> {
        use values::{boolean, date, timestamp};
        macro_rules! column {
            ($array:ty, $parse:expr) => {
                self.parse(data, spans, $parse)
                    .map(|(v, nulls)| Arc::new(<$array>::new(v.into(), nulls)) as ArrayRef)
            };
        }
        Ok(match ty {
            DataType::Utf8View => self.text(data, spans, range),
            DataType::Int64 => column!(Int64Array, |b| self.int(b)),
            DataType::Float64 => column!(Float64Array, |b| self.float(b)),
            DataType::Date32 => column!(Date32Array, date),
            DataType::Boolean => column!(BooleanArray, boolean),
            DataType::Timestamp(_, zone) => {
                let utc = zone.is_some();
                let parse = |b: &[u8]| match timestamp(b) {
                    Some((t, z)) => (z == utc).then_some(t),
                    None => date(b).map(|d| i64::from(d) * 86_400_000_000),
                };
                self.parse(data, spans, parse).map(|(v, nulls)| {
                    let array = TimestampMicrosecondArray::new(v.into(), nulls);
                    Arc::new(array.with_timezone_opt(zone.clone())) as ArrayRef
                })
            }
            DataType::Decimal128(p, s) => match self.parse(data, spans, |b| self.decimal(b, *p, *s)) {
                Ok((v, nulls)) => Ok(Arc::new(
                    Decimal128Array::new(v.into(), nulls).with_precision_and_scale(*p, *s)?,
                ) as ArrayRef),
                Err(misfit) => Err(misfit),
            },
            // `""` is a value here, which makes the column text.
            DataType::Null => self
                .parse(data, spans, |_| None::<bool>)
                .and_then(|found| {
                    match spans.iter().position(|s| {
                        self.is_quoted(data.get(s.0 as usize..s.1 as usize).unwrap_or_default())
                    }) {
                        Some(row) => Err(Misfit::Type(row)),
                        None => Ok(found),
                    }
                })
                .map(|_| Arc::new(NullArray::new(spans.len())) as _),
            other => return Err(Error::defect(format!("CSV has no type {other}"))),
        })
    }

    /// The column of complete records, for the common types in the plain dialect; `None` asks for
    /// [`Reading::build`].
    pub(crate) fn build_regular(
        &self,
        ty: &DataType,
        data: &Buffer,
        column: &parse::Column,
    ) -> Option<Result<ArrayRef, Misfit>> {
        if !self.nulls.is_empty() || self.marks.escape.is_some() || self.style.is_some() {
            return None;
        }
        match ty {
            DataType::Utf8View => self.plain_text(data, column),
            DataType::Int64 => Some(
                self.numbers(data, column, values::int, parse::ints)
                    .map(|(v, nulls)| Arc::new(Int64Array::new(v.into(), nulls)) as ArrayRef),
            ),
            DataType::Float64 => Some(
                self.numbers(data, column, values::float, parse::floats)
                    .map(|(v, nulls)| Arc::new(Float64Array::new(v.into(), nulls)) as ArrayRef),
            ),
            _ => None,
        }
    }

    /// Numbers by the fast driver; only what it cannot read is looked at again.
    #[inline]
    fn numbers<T: Copy + Default, S: Spans + ?Sized>(
        &self,
        data: &[u8],
        spans: &S,
        parse: impl Fn(&[u8]) -> Option<T>,
        drive: impl Fn(&[u8], &S, Option<u8>, &mut Vec<T>, &mut Validity, &mut Vec<u32>),
    ) -> Result<(Vec<T>, Option<NullBuffer>), Misfit> {
        let mut values = Vec::with_capacity(spans.len());
        let (mut valid, mut misfits, mut side) = (Validity::default(), Vec::new(), Vec::new());
        drive(
            data,
            spans,
            self.marks.quote,
            &mut values,
            &mut valid,
            &mut misfits,
        );
        for row in misfits {
            let (start, end) = spans.span(row as usize);
            let field = data.get(start..end).unwrap_or_default();
            if self.is_null(field) {
                continue;
            }
            let read = |text: &[u8]| match self.means_null(text) {
                true => Some(None),
                false => parse(text).map(Some),
            };
            match self.with_text(field, &mut side, read) {
                Some(Some(value)) => {
                    values[row as usize] = value;
                    valid.set_valid(row as usize);
                }
                Some(None) => {}
                None => return Err(Misfit::Type(row as usize)),
            }
        }
        Ok((values, valid.into_nulls()))
    }

    #[inline]
    fn parse<T: Default>(
        &self,
        data: &[u8],
        spans: &[Span],
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<(Vec<T>, Option<arrow::buffer::NullBuffer>), Misfit> {
        let mut values = Vec::with_capacity(spans.len());
        let mut nulls = NullBufferBuilder::new(spans.len());
        let own = !self.nulls.is_empty();
        let mut side = Vec::new();
        for (row, &(start, end)) in spans.iter().enumerate() {
            let field = data.get(start as usize..end as usize).unwrap_or_default();
            if !own && let Some(value) = parse(field) {
                values.push(value);
                nulls.append_non_null();
                continue;
            }
            if self.is_null(field) {
                values.push(T::default());
                nulls.append_null();
                continue;
            }
            match self.with_text(field, &mut side, |text| match self.means_null(text) {
                true => Some(None),
                false => parse(text).map(Some),
            }) {
                Some(Some(value)) => {
                    values.push(value);
                    nulls.append_non_null();
                }
                Some(None) => {
                    values.push(T::default());
                    nulls.append_null();
                }
                None => return Err(Misfit::Type(row)),
            }
        }
        Ok((values, nulls.finish()))
    }

    /// Text by the fast driver, for valid UTF-8 in the plain dialect.
    fn plain_text<S: Spans + ?Sized>(&self, data: &Buffer, spans: &S) -> Option<Result<ArrayRef, Misfit>> {
        let mut views = ViewBuilder::new(data, spans.len() + 1);
        let (mut valid, mut escaped, mut side) = (Validity::default(), Vec::new(), Vec::new());
        if !views.push_spans(spans, self.marks.quote, &mut valid, &mut escaped) {
            return None;
        }
        for row in escaped {
            let (start, end) = spans.span(row as usize);
            side.clear();
            unquote(&data[start..end], &self.marks, &mut side);
            if !views.replace(row as usize, &side) {
                return Some(Err(Misfit::Encoding(row as usize)));
            }
        }
        Some(Ok(Arc::new(views.finish(valid.into_nulls()))))
    }

    fn text(&self, data: &Buffer, spans: &[Span], range: std::ops::Range<usize>) -> Result<ArrayRef, Misfit> {
        let mut views = ViewBuilder::new(data, spans.len());
        let mut nulls = NullBufferBuilder::new(spans.len());
        let mut side = Vec::new();
        views.check(range);
        for (row, &(start, end)) in spans.iter().enumerate() {
            let (start, end) = (start as usize, end as usize);
            let field = data.get(start..end).unwrap_or_default();
            if self.is_null_text(field) {
                views.push_empty();
                nulls.append_null();
                continue;
            }
            nulls.append_non_null();
            let done = if !self.needs_unquoting(field) {
                views.push(start, end)
            } else if self.is_plainly_quoted(field) {
                views.push(start + 1, end - 1)
            } else {
                side.clear();
                unquote(field, &self.marks, &mut side);
                views.push_copied(&side)
            };
            if !done {
                return Err(Misfit::Encoding(row));
            }
        }
        Ok(Arc::new(views.finish(nulls.finish())))
    }

    /// Quoted, with nothing special within the quotes.
    fn is_plainly_quoted(&self, field: &[u8]) -> bool {
        let (Some(quote), None) = (self.marks.quote, self.marks.escape) else {
            return false;
        };
        field.len() >= 2 && memchr::memchr(quote, &field[1..]) == Some(field.len() - 2)
    }
}
