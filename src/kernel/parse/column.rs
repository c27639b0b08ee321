//! Where the fields of one column lie, and the validity bits that a column grows.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// The bounds of some fields in a buffer.
pub trait Spans {
    /// How many fields.
    fn len(&self) -> usize;
    /// Start and end of field `i`, quotes included, record ends not.
    fn span(&self, i: usize) -> (usize, usize);
    /// Whether there is no field.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bounds of fields `first..first + n`, for `n` up to 64; the rest of `to` is as it was.
    #[inline(always)]
    fn block(&self, first: usize, n: usize, to: &mut Bounds) {
        for i in 0..n.min(64) {
            let (start, end) = self.span(first + i);
            (to.starts[i], to.ends[i]) = (start as u32, end as u32);
        }
    }
    /// What is known of the bytes of the fields.
    fn text(&self) -> Text {
        Text::Unknown
    }
}

/// Starts and ends of up to 64 fields.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Where each field begins.
    pub starts: [u32; 64],
    /// Where it ends.
    pub ends: [u32; 64],
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            starts: [0; 64],
            ends: [0; 64],
        }
    }
}

impl Bounds {
    /// Makes fields `n` and later empty.
    #[inline(always)]
    pub fn empty_from(&mut self, n: usize) {
        self.starts[n..].fill(0);
        self.ends[n..].fill(0);
    }
}

/// What is known of the bytes of a column's fields before looking at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Nothing.
    Unknown,
    /// ASCII marks stand before and after each field, so that fields of valid UTF-8 are valid.
    Marked,
    /// All of it is ASCII.
    Ascii,
}

/// Bounds found otherwise than by stride, for instance by the slow reader.
impl Spans for [(u32, u32)] {
    fn len(&self) -> usize {
        <[(u32, u32)]>::len(self)
    }
    #[inline(always)]
    fn span(&self, i: usize) -> (usize, usize) {
        (self[i].0 as usize, self[i].1 as usize)
    }
}

/// One column of regular records: every record has `fields` fields.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    buf: &'a [u8],
    /// The end of each field, relative to `buf`; a whole number of records.
    ends: &'a [u32],
    start: usize,
    fields: usize,
    index: usize,
    text: Text,
}

impl<'a> Column<'a> {
    /// Column `index` of records of `fields` fields whose `ends` (relative to `buf`, as
    /// [`crate::kernel::scan::scan`] gives them with base 0) are regular; the first record
    /// begins at `start`. Ends beyond the last whole record are left out.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn new(buf: &'a [u8], ends: &'a [u32], start: usize, fields: usize, index: usize) -> Self {
        assert!(index < fields);
        let ends = &ends[..ends.len() / fields * fields];
        Column {
            buf,
            ends,
            start,
            fields,
            index,
            text: Text::Unknown,
        }
    }

    /// The same, with what is known of the text.
    pub fn known(self, text: Text) -> Self {
        Column { text, ..self }
    }
}

impl Spans for Column<'_> {
    fn len(&self) -> usize {
        self.ends.len() / self.fields
    }
    fn text(&self) -> Text {
        self.text
    }
    #[inline(always)]
    fn span(&self, i: usize) -> (usize, usize) {
        let k = i * self.fields + self.index;
        let start = if k == 0 {
            self.start
        } else {
            self.ends[k - 1] as usize + 1
        };
        let mut end = self.ends[k] as usize;
        // The CR of a CRLF is part of neither.
        if self.index + 1 == self.fields
            && end > start
            && self.buf.get(end - 1) == Some(&b'\r')
            && self.buf.get(end) == Some(&b'\n')
        {
            end -= 1;
        }
        (start, end)
    }
    #[inline(always)]
    fn block(&self, first: usize, n: usize, to: &mut Bounds) {
        let n = n.min(64);
        let (mut at, fields) = (first * self.fields + self.index, self.fields);
        let mut done = 0;
        if at == 0 && n > 0 {
            (to.starts[0], to.ends[0]) = (self.start as u32, self.ends[0]);
            (at, done) = (fields, 1);
        }
        for (start, end) in to.starts[done..n].iter_mut().zip(&mut to.ends[done..n]) {
            (*start, *end) = (self.ends[at - 1] + 1, self.ends[at]);
            at += fields;
        }
        if self.index + 1 == fields {
            for (&start, end) in to.starts[..n].iter().zip(&mut to.ends[..n]) {
                let at = *end as usize;
                let crlf =
                    *end > start && self.buf.get(at - 1) == Some(&b'\r') && self.buf.get(at) == Some(&b'\n');
                *end -= u32::from(crlf);
            }
        }
    }
}

/// A field without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trimmed {
    /// It has none.
    Bare,
    /// The bounds within the quotes; nothing inside is doubled.
    Quoted(usize, usize),
    /// More than that: doubled quotes inside, which must be made single, or text after the closing one.
    Escaped,
}

/// Looks for quotes around `buf[start..end]`.
#[inline]
pub fn trim_quotes(buf: &[u8], start: usize, end: usize, quote: u8) -> Trimmed {
    match buf.get(start..end) {
        Some([first, inner @ .., last]) if *first == quote => {
            if *last == quote && memchr::memchr(quote, inner).is_none() {
                Trimmed::Quoted(start + 1, end - 1)
            } else {
                Trimmed::Escaped
            }
        }
        _ => Trimmed::Bare,
    }
}

/// Validity bits of a growing column: 1 is a value, 0 is null.
#[derive(Debug, Clone, Default)]
pub struct Validity {
    words: Vec<u64>,
    len: usize,
    nulls: usize,
}

impl Validity {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is no row yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Nulls so far.
    pub fn nulls(&self) -> usize {
        self.nulls
    }
    /// Whether row `i` has a value.
    pub fn get(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }
    /// One more row.
    pub fn push(&mut self, valid: bool) {
        self.push_bits(u64::from(valid), 1);
    }
    /// `n` (1 to 64) more rows; bits of `bits` from `n` on are zero.
    #[inline(always)]
    pub fn push_bits(&mut self, bits: u64, n: usize) {
        let shift = self.len % 64;
        if shift == 0 {
            self.words.push(bits);
        } else {
            if let Some(last) = self.words.last_mut() {
                *last |= bits << shift;
            }
            if shift + n > 64 {
                self.words.push(bits >> (64 - shift));
            }
        }
        self.len += n;
        self.nulls += n - bits.count_ones() as usize;
    }
    /// Makes a null row valid: a misfit that the caller could read after all.
    pub fn set_valid(&mut self, i: usize) {
        if !self.get(i) {
            self.words[i / 64] |= 1 << (i % 64);
            self.nulls -= 1;
        }
    }
    /// Arrow's form; `None` if there are no nulls.
    pub fn into_nulls(self) -> Option<NullBuffer> {
        let (len, nulls) = (self.len, self.nulls);
        (nulls > 0).then(|| NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(self.words), 0, len)))
    }
}
