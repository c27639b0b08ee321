//! Rows in the order of their ranges: in memory, or with each range a part of a spill file.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::stored::{Stored, get, put, put_codes};
use crate::error::{Error, Result};
use crate::memory::{SpillFile, SpillParts};
use crate::operate::sort::cells::{Cells, Width};
use crate::operate::sort::packing::Code;

/// Some rows that were spread together.
#[derive(Debug)]
pub(super) enum Chunk<C> {
    Here {
        codes: Vec<C>,
        values: Vec<Cells>,
        /// Where each range begins, and the end.
        starts: Vec<u32>,
    },
    OnDisk {
        /// Of each range: codes, then column by column.
        parts: SpillParts,
        widths: Vec<Width>,
    },
}

/// The rows of one range in a chunk.
pub(super) struct Slice<'a, C: Clone> {
    pub(super) codes: Cow<'a, [C]>,
    pub(super) values: Cow<'a, [Cells]>,
    /// Where they lie among the values.
    pub(super) rows: Range<usize>,
}

impl<C: Code + Stored> Chunk<C> {
    /// Writes rows whose ranges begin at `starts`.
    pub(super) fn store(
        codes: &[C],
        values: &[Cells],
        starts: &[u32],
        file: &Arc<SpillFile>,
    ) -> Result<Self> {
        let widths: Vec<Width> = values.iter().map(Cells::width).collect();
        let mut bytes = Vec::with_capacity(codes.len() * row_bytes::<C>(&widths));
        let mut ends = Vec::with_capacity(starts.len());
        for range in starts.windows(2) {
            let rows = range[0] as usize..range[1] as usize;
            put_codes(&codes[rows.clone()], &mut bytes);
            for (cells, &width) in values.iter().zip(&widths) {
                put(cells, rows.clone(), width, &mut bytes)?;
            }
            let end = u32::try_from(bytes.len()).map_err(|_| Error::defect("a chunk over 4 GiB"))?;
            ends.push(end);
        }
        let parts = file.append_parts(&bytes, ends)?;
        Ok(Chunk::OnDisk { parts, widths })
    }

    /// Rows of a range.
    pub(super) fn rows(&self, range: usize) -> usize {
        match self {
            Chunk::Here { starts, .. } => (starts[range + 1] - starts[range]) as usize,
            Chunk::OnDisk { parts, widths } => parts.bytes(range) / row_bytes::<C>(widths),
        }
    }

    /// The rows of a range.
    pub(super) fn slice(&self, range: usize) -> Result<Slice<'_, C>> {
        let rows = self.rows(range);
        match self {
            Chunk::Here {
                codes,
                values,
                starts,
            } => {
                let start = starts[range] as usize;
                Ok(Slice {
                    codes: codes[start..start + rows].into(),
                    values: values.into(),
                    rows: start..start + rows,
                })
            }
            Chunk::OnDisk { parts, widths } => {
                let mut bytes = Vec::new();
                parts.read(range, &mut bytes)?;
                let (first, mut rest) = bytes.split_at(rows * size_of::<C>());
                let mut codes = Vec::with_capacity(rows);
                Stored::append(first, &mut codes);
                let values = widths.iter().map(|&width| {
                    let (column, behind) = rest.split_at(rows * width as usize);
                    rest = behind;
                    get(column, width)
                });
                Ok(Slice {
                    values: values.collect(),
                    codes: codes.into(),
                    rows: 0..rows,
                })
            }
        }
    }
}

fn row_bytes<C>(widths: &[Width]) -> usize {
    size_of::<C>() + widths.iter().map(|&w| w as usize).sum::<usize>()
}
