//! One column of a row group: walks over its pages and hands out as many rows as asked for.

use arrow::array::ArrayRef;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;

use super::super::held::REFUSED;
use super::pages::{Chunk, FlatPage, Levels, Next, PagePlace, Pages};
use super::wrong;
use crate::kernel::bits::BitVec;

/// Some rows of a page, and which of them have values.
pub(super) struct Piece<'a> {
    pub rows: usize,
    /// Rows that have a value.
    pub values: usize,
    /// Bits of all rows of the array so far, those of this piece last; `None` if the column has
    /// no nulls.
    pub valid: Option<&'a BitVec>,
    /// The place of the first row in the array.
    pub start: usize,
}

impl Piece<'_> {
    /// The bits, if any row of the piece lacks a value.
    pub(super) fn gaps(&self) -> Option<&BitVec> {
        self.valid.filter(|_| self.values < self.rows)
    }
}

/// Some rows of a piece, ascending.
pub(super) struct Wanted<'a> {
    rows: &'a [u32],
    /// What the first row of the piece counts as in `rows`.
    first: u32,
}

impl Wanted<'_> {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
    /// Their places within the piece.
    #[inline(always)]
    pub(super) fn places(&self) -> impl ExactSizeIterator<Item = usize> {
        self.rows.iter().map(|r| (r - self.first) as usize)
    }
    /// Of the rows that were appended from `start` on, only these stay.
    pub(super) fn keep<T: Copy>(&self, all: &mut Vec<T>, start: usize) {
        for (to, from) in self.places().enumerate() {
            all[start + to] = all[start + from];
        }
        all.truncate(start + self.len());
    }
}

/// Decodes values of one kind.
pub(super) trait Values: Send {
    /// Bytes that a dictionary of `count` plain values takes when it is decoded.
    fn dictionary_bytes(&self, bytes: &Bytes, count: usize) -> usize;
    /// Forgets the page in hand, and rows that were appended to no finished array.
    fn reset(&mut self);
    /// Takes `count` plain values for codes to refer to.
    fn dictionary(&mut self, bytes: Bytes, count: usize) -> Result<(), ParquetError>;
    /// Begins a page.
    fn page(&mut self, body: Bytes, encoding: Encoding) -> Result<(), ParquetError>;
    /// Appends rows of the page to the array.
    fn read(&mut self, piece: &Piece) -> Result<(), ParquetError>;
    /// As [`Values::read`], but appends only the `wanted` rows of the piece; `kept` has the bits of all
    /// rows appended before, where the column has nulls.
    fn read_some(
        &mut self,
        piece: &Piece,
        wanted: &Wanted,
        kept: Option<&BitVec>,
    ) -> Result<(), ParquetError>;
    /// Passes over that many values of the page.
    fn skip(&mut self, values: usize) -> Result<(), ParquetError>;
    /// The array of all `rows` rows appended.
    fn finish(&mut self, rows: usize, valid: Option<BitVec>) -> Result<ArrayRef, ParquetError>;
}

/// A column of a row group.
pub(super) struct Column {
    pages: Pages,
    page: Option<Open>,
    values: Box<dyn Values>,
    /// Rows to pass over before the next one is read.
    pending: usize,
    /// Rows that were read or passed over.
    row: usize,
    /// The page in hand when the last read began.
    begun: Option<PagePlace>,
}

/// The page that is being read.
struct Open {
    left: usize,
    levels: Option<Levels>,
}

impl Open {
    /// Moves over `n` rows; appends their bits and gives the number of values.
    fn take(&mut self, n: usize, bits: &mut BitVec) -> Result<usize, ParquetError> {
        self.left -= n;
        match &mut self.levels {
            None => Ok(n),
            Some(levels) => levels
                .read(bits, n)
                .ok_or_else(|| wrong("a page has too few levels")),
        }
    }
}

impl Column {
    pub(super) fn new(chunk: Chunk, values: Box<dyn Values>) -> Result<Column, ParquetError> {
        Ok(Column {
            pages: Pages::new(chunk)?,
            page: None,
            values,
            pending: 0,
            row: 0,
            begun: None,
        })
    }

    /// Passes over rows, later.
    pub(super) fn skip(&mut self, rows: usize) {
        self.pending += rows;
        self.row += rows;
    }

    /// Lets go of the page in hand, which is read again when its rows are wanted, and of what a read that
    /// failed left. The bytes given back.
    pub(super) fn suspend(&mut self) -> Result<usize, ParquetError> {
        self.values.reset();
        self.page = None;
        self.pages.go_to(self.begun)?;
        self.pending = self.row - self.begun.map_or(0, |p| p.row);
        Ok(self.pages.slot().free_page())
    }

    /// The next `rows` rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<ArrayRef, ParquetError> {
        self.begun = self.pages.place();
        let mut valid: Option<BitVec> = None;
        let mut done = 0;
        while done < rows {
            let page = self.open_page()?;
            let now = page.left.min(rows - done);
            if page.levels.is_some() && valid.is_none() {
                let mut bits = BitVec::with_capacity(rows);
                bits.fill(true, done);
                valid = Some(bits);
            }
            let values = match (&mut valid, &page.levels) {
                (Some(bits), Some(_)) => page.take(now, bits)?,
                (Some(bits), None) => {
                    bits.fill(true, now);
                    page.take(now, &mut BitVec::default())?
                }
                (None, _) => page.take(now, &mut BitVec::default())?,
            };
            self.values.read(&Piece {
                rows: now,
                values,
                valid: valid.as_ref(),
                start: done,
            })?;
            done += now;
        }
        self.finish(rows, rows, valid)
    }

    /// The array of the rows appended, `read` rows after the last one.
    fn finish(&mut self, read: usize, rows: usize, valid: Option<BitVec>) -> Result<ArrayRef, ParquetError> {
        let array = self.values.finish(rows, valid)?;
        self.row += read;
        self.begun = self.pages.place();
        Ok(array)
    }

    /// Of the next `rows` rows those that `wanted` names, ascending from 0 on. Pages that hold none of
    /// them are never read.
    pub(super) fn read_some(&mut self, rows: usize, wanted: &[u32]) -> Result<ArrayRef, ParquetError> {
        self.begun = self.pages.place();
        let mut kept: Option<BitVec> = None;
        let (mut done, mut from) = (0, 0);
        while let Some(&next) = wanted.get(from) {
            self.pending += next as usize - done;
            done = next as usize;
            let page = self.open_page()?;
            let now = page.left.min(rows - done);
            let to = from + wanted[from..].partition_point(|&w| (w as usize) < done + now);
            let mut valid = page.levels.is_some().then(|| BitVec::with_capacity(now));
            let values = match &mut valid {
                Some(bits) => page.take(now, bits)?,
                None => page.take(now, &mut BitVec::default())?,
            };
            if valid.is_some() && kept.is_none() {
                let mut bits = BitVec::with_capacity(wanted.len());
                bits.fill(true, from);
                kept = Some(bits);
            }
            let piece = Piece {
                rows: now,
                values,
                valid: valid.as_ref(),
                start: 0,
            };
            let some = Wanted {
                rows: &wanted[from..to],
                first: done as u32,
            };
            self.values.read_some(&piece, &some, kept.as_ref())?;
            if let Some(kept) = &mut kept {
                match piece.gaps() {
                    None => kept.fill(true, some.len()),
                    Some(gaps) => some.places().for_each(|i| kept.push(gaps.get(i) as u64, 1)),
                }
            }
            (done, from) = (done + now, to);
        }
        self.pending += rows - done;
        self.finish(rows, wanted.len(), kept)
    }

    /// The page that holds the next wanted row.
    fn open_page(&mut self) -> Result<&mut Open, ParquetError> {
        loop {
            match &mut self.page {
                Some(page) if page.left > 0 && self.pending == 0 => break,
                Some(page) if page.left > 0 => {
                    let now = page.left.min(self.pending);
                    let values = page.take(now, &mut BitVec::with_capacity(now))?;
                    if page.left > 0 {
                        self.values.skip(values)?;
                    }
                    self.pending -= now;
                }
                _ => self.next_page()?,
            }
        }
        self.page.as_mut().ok_or_else(|| wrong("it has no page"))
    }

    /// Reads the next page, or passes over it if none of its rows is wanted.
    fn next_page(&mut self) -> Result<(), ParquetError> {
        self.page = None;
        if self.pending > 0
            && let Next::Data(rows) = self.pages.peek()?
            && rows <= self.pending
        {
            self.pending -= rows;
            return self.pages.skip(rows);
        }
        match self.pages.next()? {
            FlatPage::Dictionary(bytes, count) => {
                if !self
                    .pages
                    .slot()
                    .dictionary(self.values.dictionary_bytes(&bytes, count))
                {
                    return Err(wrong(REFUSED));
                }
                self.values.dictionary(bytes, count)
            }
            FlatPage::Data(page) => {
                self.values.page(page.body, page.encoding)?;
                self.page = Some(Open {
                    left: page.rows,
                    levels: page.levels,
                });
                Ok(())
            }
        }
    }
}
