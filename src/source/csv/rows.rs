//! Which field of a window belongs to which row and column.
//!
//! In a regular window every record has as many fields as the header, and field `c` of row `r`
//! ends at `ends[r * n + c]`: nothing needs to be built. Any other window gets a table of spans,
//! in which blank lines, comments, surplus empty fields and bad rows are dealt with.

use super::columns::{MISSING, Span};
use super::exact::Marks;
use super::windows::Windows;
use crate::kernel::parse::Column;

/// The rows of a window.
#[derive(Debug)]
pub(crate) enum Rows {
    /// All records are complete: the number of rows.
    Regular(usize),
    /// `fields` spans for each row.
    Table(Vec<Span>),
}

/// What to do with a record of too few or too many fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    Stop,
    Drop,
    Pad,
}

/// A record with too few or too many fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BadRow {
    pub start: u32,
    pub end: u32,
    pub fields: usize,
    /// Surplus fields that are not empty.
    pub cut: usize,
}

fn is_newline(data: &[u8], end: u32) -> bool {
    matches!(data[end as usize], b'\n' | b'\r')
}

/// A field without the CR of its CRLF.
#[inline]
pub(super) fn span(data: &[u8], start: u32, end: u32) -> Span {
    let crlf = end > start && data[end as usize] == b'\n' && data[end as usize - 1] == b'\r';
    (start, end - u32::from(crlf))
}

impl Rows {
    /// Finds the rows of the window; each bad one is told to `bad`.
    pub(crate) fn of(w: &Windows, fields: usize, marks: &Marks, bad: impl FnMut(BadRow) -> Bad) -> Rows {
        let (data, ends) = (&w.data[..], &w.ends[..]);
        let regular = ends.len() == w.records * fields
            && marks.comment.is_none()
            && !marks.trim
            && ends
                .chunks_exact(fields)
                .all(|record| is_newline(data, record[fields - 1]));
        if regular {
            return Rows::Regular(w.records);
        }
        Rows::table(w, fields, marks, bad)
    }

    /// Writes down where each field is: blank lines and comments are no rows.
    fn table(w: &Windows, fields: usize, marks: &Marks, mut bad: impl FnMut(BadRow) -> Bad) -> Rows {
        let (data, ends) = (&w.data[..], &w.ends[..]);
        let field = |start, end| marks.trimmed(data, span(data, start, end));
        let mut table = Vec::with_capacity(w.records * fields);
        let (mut at, mut start) = (0, w.first as u32);
        while at < ends.len() {
            let n = ends[at..]
                .iter()
                .position(|e| is_newline(data, *e))
                .map_or(ends.len() - at, |i| i + 1);
            let record = &ends[at..at + n];
            let last = record[n - 1];
            let (_, content_end) = span(data, start, last);
            let (from, to) = field(start, last);
            let blank = n == 1 && fields > 1 && from == to;
            if !blank && !marks.is_comment(data.get(start as usize..).unwrap_or_default()) {
                let surplus = (fields.max(1)..n)
                    .filter(|&c| !marks.is_empty(data, field(record[c - 1] + 1, record[c])));
                // Surplus fields are fine when all of them are empty.
                let what = match surplus.count() {
                    0 if n >= fields => Bad::Pad,
                    cut => bad(BadRow {
                        start,
                        end: content_end,
                        fields: n,
                        cut,
                    }),
                };
                match what {
                    Bad::Stop => return Rows::Table(table),
                    Bad::Drop => {}
                    Bad::Pad => {
                        let mut from = start;
                        for c in 0..fields {
                            table.push(record.get(c).map_or(MISSING, |&end| field(from, end)));
                            from = record.get(c).map_or(from, |&end| end + 1);
                        }
                    }
                }
            }
            at += n;
            start = last + 1;
        }
        Rows::Table(table)
    }

    /// The number of rows.
    pub(crate) fn len(&self, fields: usize) -> usize {
        match self {
            Rows::Regular(n) => *n,
            Rows::Table(spans) => spans.len() / fields,
        }
    }

    /// Column `c` of a range of rows, where every record is complete: nothing is written down.
    pub(crate) fn column<'a>(
        &self,
        w: &'a Windows,
        fields: usize,
        c: usize,
        rows: std::ops::Range<usize>,
    ) -> Option<Column<'a>> {
        let Rows::Regular(_) = self else { return None };
        let (from, to) = (rows.start * fields, rows.end * fields);
        let start = if from == 0 {
            w.first
        } else {
            w.ends[from - 1] as usize + 1
        };
        Some(Column::new(&w.data, &w.ends[from..to], start, fields, c).known(w.text()))
    }

    /// The spans of column `c` in the given rows.
    pub(crate) fn spans(
        &self,
        w: &Windows,
        fields: usize,
        c: usize,
        rows: impl Iterator<Item = usize>,
        out: &mut Vec<Span>,
    ) {
        out.clear();
        match self {
            Rows::Table(spans) => out.extend(rows.map(|r| spans[r * fields + c])),
            Rows::Regular(_) => {
                let (data, ends) = (&w.data[..], &w.ends[..]);
                let start = |i: usize| if i == 0 { w.first as u32 } else { ends[i - 1] + 1 };
                if c + 1 < fields {
                    out.extend(rows.map(|r| (start(r * fields + c), ends[r * fields + c])));
                } else {
                    out.extend(rows.map(|r| span(data, start(r * fields + c), ends[r * fields + c])));
                }
            }
        }
    }
}
