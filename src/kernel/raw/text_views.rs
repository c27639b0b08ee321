//! Text arrays from views that are known to be right.

use std::ops::Range;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;

use crate::kernel::parse::{Spans, Text, Validity, views};

/// A text array of `views` into `buffers`, without checking them again.
///
/// # Safety
/// Each view was made by [`arrow::array::builder::make_view`] from valid UTF-8 that lies at that
/// offset of that buffer (or is at most 12 bytes long), and `nulls`, if any, is as long as `views`.
#[allow(unsafe_code)]
pub unsafe fn text_views(
    views: Vec<u128>,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
) -> StringViewArray {
    // SAFETY: as the caller vouches.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers.into(), nulls) }
}

/// Values of a dictionary by their codes; `None` if a code of a row that is not null lies beyond it.
///
/// The checking constructor looks at row after row and its validity; one maximum over all codes
/// nearly always tells as much.
pub fn coded(
    codes: Vec<i32>,
    nulls: Option<NullBuffer>,
    values: ArrayRef,
) -> Option<DictionaryArray<Int32Type>> {
    let keys = Int32Array::try_new(codes.into(), nulls).ok()?;
    let most = keys.values().iter().fold(0, |most, &c| (c as u32).max(most));
    if most <= i32::MAX as u32 && (most as usize) < values.len() {
        // SAFETY: every code, those of nulls included, is at least zero (taken without a sign, none
        // is above i32::MAX) and less than the number of values.
        #[allow(unsafe_code)]
        return Some(unsafe { DictionaryArray::new_unchecked(keys, values) });
    }
    DictionaryArray::try_new(keys, values).ok()
}

/// Builds a text array whose views point into one shared buffer of text.
///
/// The safe face of [`text_views`]: a range is checked to lie in the buffer, and the text to be
/// UTF-8 unless it is a piece of a range that was found valid by [`ViewBuilder::check`].
#[derive(Debug)]
pub struct ViewBuilder {
    buffer: Buffer,
    valid: Range<usize>,
    views: Vec<u128>,
    side: Vec<u8>,
}

impl ViewBuilder {
    /// Views into `buffer`, at most `rows` of them without growing.
    pub fn new(buffer: &Buffer, rows: usize) -> Self {
        ViewBuilder {
            buffer: buffer.clone(),
            valid: 0..0,
            views: Vec::with_capacity(rows),
            side: Vec::new(),
        }
    }

    /// Checks a range at once; if it is valid UTF-8, pieces of it are not checked again.
    pub fn check(&mut self, range: Range<usize>) {
        let valid = self
            .buffer
            .get(range.clone())
            .is_some_and(|b| simdutf8::basic::from_utf8(b).is_ok());
        self.valid = if valid { range } else { 0..0 };
    }

    /// Appends the text at `start..end` of the buffer; false if it is not UTF-8 or not there.
    #[inline]
    #[must_use]
    pub fn push(&mut self, start: usize, end: usize) -> bool {
        let Some(bytes) = self.buffer.get(start..end) else {
            return false;
        };
        // A piece of valid text is valid if it begins and ends at character boundaries.
        let whole = |at: usize| self.buffer.get(at).is_none_or(|b| (*b as i8) >= -0x40);
        let known = start >= self.valid.start && end <= self.valid.end && whole(start) && whole(end);
        if !known && simdutf8::basic::from_utf8(bytes).is_err() {
            return false;
        }
        self.views
            .push(arrow::array::builder::make_view(bytes, 0, start as u32));
        true
    }

    /// Appends one view for each span, if all of them are UTF-8 and in the buffer; answers whether
    /// it did. Empty spans are null; spans that begin with a quote and are more than quoted text go to
    /// `escaped`, to be [replaced](ViewBuilder::replace).
    #[must_use]
    pub fn push_spans(
        &mut self,
        spans: &(impl Spans + ?Sized),
        quote: Option<u8>,
        valid: &mut Validity,
        escaped: &mut Vec<u32>,
    ) -> bool {
        let before = self.views.len();
        views(
            &self.buffer,
            spans,
            quote,
            (0, 0),
            &mut self.views,
            valid,
            escaped,
        );
        let valid = spans.text() == Text::Ascii
            || spans.text() == Text::Marked && self.all_between(spans)
            || self.views[before..]
                .iter()
                .fold(true, |all, v| all & self.is_ascii(*v))
            || self.views[before..].iter().all(|v| self.is_utf8(*v));
        if !valid {
            self.views.truncate(before);
        }
        valid
    }

    /// Whether what lies from the first to the last span is UTF-8 as a whole.
    fn all_between(&self, spans: &(impl Spans + ?Sized)) -> bool {
        let Some(last) = spans.len().checked_sub(1) else {
            return true;
        };
        self.buffer
            .get(spans.span(0).0..spans.span(last).1)
            .is_some_and(|b| simdutf8::basic::from_utf8(b).is_ok())
    }

    /// Whether the text of a view of buffer 0 is ASCII: of a short one the view itself tells.
    #[inline(always)]
    fn is_ascii(&self, view: u128) -> bool {
        const HIGH: u128 = 0x8080_8080_8080_8080_8080_8080 << 32;
        match view as u32 {
            0..=12 => view & HIGH == 0,
            _ => self.text_of(view).is_some_and(<[u8]>::is_ascii),
        }
    }

    fn is_utf8(&self, view: u128) -> bool {
        match view as u32 {
            n @ 0..=12 => simdutf8::basic::from_utf8(&view.to_le_bytes()[4..4 + n as usize]).is_ok(),
            _ => self
                .text_of(view)
                .is_some_and(|t| simdutf8::basic::from_utf8(t).is_ok()),
        }
    }

    fn text_of(&self, view: u128) -> Option<&[u8]> {
        let (start, n) = ((view >> 96) as usize, view as u32 as usize);
        self.buffer.get(start..start + n)
    }

    /// Puts a copy of `text` in the place of view `row`; false if it is not UTF-8.
    #[must_use]
    pub fn replace(&mut self, row: usize, text: &[u8]) -> bool {
        if !self.push_copied(text) {
            return false;
        }
        self.views.swap_remove(row);
        true
    }

    /// Appends a null's empty view.
    #[inline]
    pub fn push_empty(&mut self) {
        self.views.push(0);
    }

    /// Appends a copy of a text; false if it is not UTF-8.
    #[must_use]
    pub fn push_copied(&mut self, text: &[u8]) -> bool {
        let start = self.side.len();
        let valid = start <= u32::MAX as usize && simdutf8::basic::from_utf8(text).is_ok();
        if valid {
            self.side.extend_from_slice(text);
            self.views
                .push(arrow::array::builder::make_view(text, 1, start as u32));
        }
        valid
    }

    /// The array.
    pub fn finish(self, nulls: Option<NullBuffer>) -> StringViewArray {
        assert!(
            nulls.as_ref().is_none_or(|n| n.len() == self.views.len()),
            "as many nulls as views"
        );
        let buffers = match self.side.is_empty() {
            true => vec![self.buffer],
            false => vec![self.buffer, Buffer::from_vec(self.side)],
        };
        // SAFETY: `push` and `push_copied` made each view of checked text at its place in buffer
        // 0 or 1, and so did `push_spans`; `push_empty` made empty ones. The side buffer only ever grows.
        #[allow(unsafe_code)]
        unsafe {
            text_views(self.views, buffers, nulls)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;
    use std::sync::Arc;

    #[test]
    fn codes_are_checked() {
        let values = |n: usize| Arc::new(StringViewArray::from(vec!["some text"; n])) as ArrayRef;
        let valid = |v: &[bool]| Some(NullBuffer::from(v.to_vec()));
        let all = coded(vec![0, 2, 1], valid(&[true, true, false]), values(3)).unwrap();
        all.to_data().validate_full().unwrap();
        assert_eq!((all.len(), all.null_count()), (3, 1));
        assert!(coded(vec![0, 3], None, values(3)).is_none());
        assert!(coded(vec![0, -1], None, values(3)).is_none());
        assert!(coded(vec![0, 1], valid(&[true]), values(3)).is_none());
        // what a null's code is does not matter
        assert!(coded(vec![0, 9], valid(&[true, false]), values(1)).is_some());
        assert!(coded(vec![0, 0], valid(&[false, false]), values(0)).is_some());
        assert!(coded(vec![], None, values(0)).is_some());
        assert!(coded(vec![0], None, values(0)).is_none());
    }
}
