//! Text arrays from views that are known to be right.

use std::ops::Range;

use arrow::array::StringViewArray;
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

/// A text array of `views` into `buffers`, without checking them again.
///
/// # Safety
/// Each view was made by [`arrow::array::builder::make_view`] from valid UTF-8 that lies at that
/// offset of that buffer (or is at most 12 bytes long), and `nulls`, if any, is as long as `views`.
pub unsafe fn text_views(
    views: Vec<u128>,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
) -> StringViewArray {
    // SAFETY: as the caller vouches.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers.into(), nulls) }
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
        // 0 or 1; `push_empty` made empty ones. The side buffer only ever grows.
        unsafe { text_views(self.views, buffers, nulls) }
    }
}
