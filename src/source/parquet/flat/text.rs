//! Text: codes of a dictionary, which stay codes where all rows of an array are such, else views.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, UInt32Array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::{concat, take};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;

use super::super::convert::DICTIONARY_BYTES;
use super::column::{Piece, Values, Wanted};
use super::fixed::{codes, short, unlisted};
use super::wrong;
use crate::kernel::bits::{BitVec, low};
use crate::kernel::hybrid::Hybrid;
use crate::kernel::raw::text_views::{ViewBuilder, coded};

/// The decoder of text.
#[derive(Default)]
pub(super) struct Texts {
    dictionary: Option<ArrayRef>,
    /// Arrays may refer to the dictionary.
    kept: bool,
    body: Body,
    /// Finished rows of the array, before those of `codes`.
    parts: Vec<ArrayRef>,
    done: usize,
    /// A code for each row, 0 for nulls.
    codes: Vec<i32>,
    dense: Vec<i32>,
    spans: Vec<(usize, usize)>,
}

#[derive(Default)]
enum Body {
    #[default]
    None,
    /// The page, and where the next value begins.
    Plain(Buffer, usize),
    Codes(Hybrid),
}

/// The place of the next text of plain values, after its length; moves `at` behind it.
fn next_span(bytes: &[u8], at: &mut usize) -> Option<(usize, usize)> {
    let head = bytes.get(*at..)?.first_chunk::<4>()?;
    let start = *at + 4;
    let end = start.checked_add(u32::from_le_bytes(*head) as usize)?;
    if end > bytes.len() {
        return None;
    }
    *at = end;
    Some((start, end))
}

/// Views of `spans` of a page; where `gaps` has bits of zero, nulls are put between them.
fn views(
    page: &Buffer,
    spans: &[(usize, usize)],
    gaps: Option<NullBuffer>,
) -> Result<StringViewArray, ParquetError> {
    let rows = gaps.as_ref().map_or(spans.len(), NullBuffer::len);
    let mut views = ViewBuilder::new(page, rows);
    if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
        // few texts of a page are better looked at by themselves
        let own: usize = spans.iter().map(|(start, end)| end - start + 4).sum();
        if last.1 - first.0 <= 2 * own {
            views.check(first.0..last.1);
        }
    }
    let bad = || wrong("a text is not UTF-8");
    let mut put = |&(start, end): &(usize, usize)| views.push(start, end).then_some(()).ok_or_else(bad);
    match &gaps {
        None => spans.iter().try_for_each(put)?,
        Some(gaps) => {
            let mut next = spans.iter();
            for valid in gaps.iter() {
                match valid {
                    true => put(next.next().ok_or_else(short)?)?,
                    false => put(&(0, 0))?,
                }
            }
        }
    }
    Ok(views.finish(gaps))
}

/// Validity of some rows of an array; `None` if all have values.
fn nulls(valid: Option<&BitVec>, start: usize, rows: usize) -> Option<NullBuffer> {
    let all = valid?;
    let mut bits = BitVec::with_capacity(rows);
    for at in (0..rows).step_by(64) {
        bits.push(all.word(start + at), (rows - at).min(64));
    }
    bits.nulls()
}

impl Texts {
    /// The rows that are codes so far, as an array.
    fn coded(&mut self, valid: Option<&BitVec>) -> Result<ArrayRef, ParquetError> {
        let room = Vec::with_capacity(self.codes.len());
        let codes = std::mem::replace(&mut self.codes, room);
        let nulls = nulls(valid, self.done, codes.len());
        // pages of nulls only need none
        let none = || Arc::new(StringViewArray::from(Vec::<&str>::new())) as ArrayRef;
        let values = self.dictionary.clone().unwrap_or_else(none);
        let array = coded(codes, nulls, values)
            .ok_or_else(|| wrong("a code lies beyond the end of the dictionary"))?;
        match self.kept {
            true => Ok(Arc::new(array)),
            false => Ok(take(array.values(), array.keys(), None)?),
        }
    }

    /// Closes the codes read so far, since other rows follow.
    fn close_codes(&mut self, valid: Option<&BitVec>) -> Result<(), ParquetError> {
        if !self.codes.is_empty() {
            let array = self.coded(valid)?;
            let array = match self.kept {
                true => arrow::compute::cast(&array, &crate::kernel::types::TEXT)?,
                false => array,
            };
            self.done += array.len();
            self.parts.push(array);
        }
        Ok(())
    }
}

impl Values for Texts {
    fn dictionary_bytes(&self, bytes: &Bytes, count: usize) -> usize {
        // the page stays, for the views; the spans go when they are made
        let (view, span) = (size_of::<u128>(), size_of::<(usize, usize)>());
        bytes.len() + count.min(bytes.len() / 4) * (view + span)
    }

    fn reset(&mut self) {
        self.body = Body::None;
        self.parts.clear();
        self.done = 0;
        self.codes.clear();
    }

    fn dictionary(&mut self, bytes: Bytes, count: usize) -> Result<(), ParquetError> {
        self.kept = bytes.len() <= DICTIONARY_BYTES;
        let (page, mut at) = (Buffer::from(bytes), 0);
        if count > page.len() / 4 {
            return Err(wrong(format!(
                "a dictionary of {count} texts has {} bytes",
                page.len()
            )));
        }
        self.spans.clear();
        for _ in 0..count {
            self.spans.push(next_span(&page, &mut at).ok_or_else(short)?);
        }
        self.dictionary = Some(Arc::new(views(&page, &self.spans, None)?));
        Ok(())
    }

    fn page(&mut self, body: Bytes, encoding: Encoding) -> Result<(), ParquetError> {
        self.body = match encoding {
            Encoding::PLAIN => Body::Plain(Buffer::from(body), 0),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => Body::Codes(codes(&body)?),
            other => return Err(unlisted(other)),
        };
        Ok(())
    }

    fn read(&mut self, piece: &Piece) -> Result<(), ParquetError> {
        match &mut self.body {
            Body::None => Err(short()),
            Body::Codes(stream) => {
                let Some(gaps) = piece.gaps() else {
                    return stream.read(&mut self.codes, piece.rows).ok_or_else(short);
                };
                self.dense.clear();
                stream.read(&mut self.dense, piece.values).ok_or_else(short)?;
                self.dense.push(0);
                spread(&self.dense, gaps, piece, &mut self.codes);
                Ok(())
            }
            Body::Plain(page, at) => {
                self.spans.clear();
                for _ in 0..piece.values {
                    self.spans.push(next_span(page, at).ok_or_else(short)?);
                }
                let nulls = nulls(piece.gaps(), piece.start, piece.rows);
                let array = views(page, &self.spans, nulls)?;
                self.close_codes(piece.valid)?;
                self.done += array.len();
                self.parts.push(Arc::new(array));
                Ok(())
            }
        }
    }

    fn read_some(
        &mut self,
        piece: &Piece,
        wanted: &Wanted,
        kept: Option<&BitVec>,
    ) -> Result<(), ParquetError> {
        match &mut self.body {
            Body::None => Err(short()),
            Body::Codes(stream) => {
                self.dense.clear();
                stream.read(&mut self.dense, piece.values).ok_or_else(short)?;
                match piece.gaps() {
                    None => {
                        let dense = &self.dense;
                        let code = |k: usize| dense.get(k).copied().unwrap_or_default();
                        self.codes.extend(wanted.places().map(code));
                    }
                    Some(gaps) => {
                        let start = self.codes.len();
                        self.dense.push(0);
                        spread(&self.dense, gaps, piece, &mut self.codes);
                        wanted.keep(&mut self.codes, start);
                    }
                }
                Ok(())
            }
            Body::Plain(page, at) => {
                self.spans.clear();
                for _ in 0..piece.values {
                    self.spans.push(next_span(page, at).ok_or_else(short)?);
                }
                let array: ArrayRef = match piece.gaps() {
                    None => {
                        wanted.keep(&mut self.spans, 0);
                        Arc::new(views(page, &self.spans, None)?)
                    }
                    Some(_) => {
                        let nulls = nulls(piece.gaps(), piece.start, piece.rows);
                        let all = views(page, &self.spans, nulls)?;
                        let rows = wanted.places().map(|i| i as u32);
                        take(&all, &UInt32Array::from_iter_values(rows), None)?
                    }
                };
                self.close_codes(kept)?;
                self.done += array.len();
                self.parts.push(array);
                Ok(())
            }
        }
    }

    fn skip(&mut self, values: usize) -> Result<(), ParquetError> {
        match &mut self.body {
            Body::None => return Err(short()),
            Body::Codes(stream) => stream.skip(values).ok_or_else(short)?,
            Body::Plain(page, at) => {
                for _ in 0..values {
                    next_span(page, at).ok_or_else(short)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: usize, valid: Option<BitVec>) -> Result<ArrayRef, ParquetError> {
        let array = if self.parts.is_empty() {
            self.coded(valid.as_ref())?
        } else {
            self.close_codes(valid.as_ref())?;
            match self.parts.as_slice() {
                [one] => one.clone(),
                parts => {
                    let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
                    concat(&parts)?
                }
            }
        };
        self.parts.clear();
        self.done = 0;
        Ok(array)
    }
}

/// Appends a code for each row of a piece, in order, and 0 where there is a gap.
fn spread(dense: &[i32], gaps: &BitVec, piece: &Piece, out: &mut Vec<i32>) {
    let start = out.len();
    out.resize(start + piece.rows, 0);
    let mut k = 0;
    for (i, to) in out[start..].chunks_mut(64).enumerate() {
        let mut word = gaps.word(piece.start + i * 64) & low(to.len());
        for to in to {
            let here = (word & 1) as i32;
            *to = dense.get(k).copied().unwrap_or_default() * here;
            k += here as usize;
            word >>= 1;
        }
    }
}
