//! Truth values: one bit each, or runs of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;

use super::column::{Piece, Values, Wanted};
use super::fixed::{short, unlisted};
use super::wrong;
use crate::kernel::bits::BitVec;
use crate::kernel::hybrid::Hybrid;

/// The decoder of truth values.
#[derive(Default)]
pub(super) struct Truths {
    body: Body,
    out: BitVec,
    read: BitVec,
}

#[derive(Default)]
enum Body {
    #[default]
    None,
    Plain(Bytes, usize),
    Runs(Hybrid),
}

impl Truths {
    /// Puts the next values into `read`.
    fn take(&mut self, n: usize) -> Result<(), ParquetError> {
        self.read.clear();
        match &mut self.body {
            Body::None => Err(short()),
            Body::Plain(bytes, at) => {
                if bytes.len() * 8 < *at + n {
                    return Err(short());
                }
                for i in *at..*at + n {
                    self.read.push((bytes[i / 8] >> (i % 8)) as u64, 1);
                }
                *at += n;
                Ok(())
            }
            Body::Runs(stream) => stream.read_bits(&mut self.read, n).map(|_| ()).ok_or_else(short),
        }
    }
}

/// Appends a bit for each row of a piece, in order, and 0 where there is a gap.
fn spread(values: &BitVec, piece: &Piece, out: &mut BitVec) {
    let mut k = 0;
    for i in 0..piece.rows {
        let here = piece.gaps().is_none_or(|g| g.get(piece.start + i));
        out.push((here && values.get(k)) as u64, 1);
        k += here as usize;
    }
}

impl Values for Truths {
    fn dictionary_bytes(&self, _: &Bytes, _: usize) -> usize {
        0 // there is none
    }

    fn reset(&mut self) {
        self.body = Body::None;
        self.out.clear();
    }

    fn dictionary(&mut self, _: Bytes, _: usize) -> Result<(), ParquetError> {
        Err(wrong("truth values have no dictionary"))
    }

    fn page(&mut self, body: Bytes, encoding: Encoding) -> Result<(), ParquetError> {
        self.body = match encoding {
            Encoding::PLAIN => Body::Plain(body, 0),
            Encoding::RLE => {
                let runs = match body.first_chunk::<4>() {
                    Some(head) => {
                        let end = (u32::from_le_bytes(*head) as usize).saturating_add(4);
                        if end > body.len() {
                            return Err(short());
                        }
                        body.slice(4..end)
                    }
                    None => Bytes::new(), // a page of nulls only
                };
                Body::Runs(Hybrid::new(runs, 1).ok_or_else(short)?)
            }
            other => return Err(unlisted(other)),
        };
        Ok(())
    }

    fn read(&mut self, piece: &Piece) -> Result<(), ParquetError> {
        self.take(piece.values)?;
        spread(&self.read, piece, &mut self.out);
        Ok(())
    }

    fn read_some(&mut self, piece: &Piece, wanted: &Wanted, _: Option<&BitVec>) -> Result<(), ParquetError> {
        self.take(piece.values)?;
        let mut all = BitVec::with_capacity(piece.rows);
        spread(&self.read, piece, &mut all);
        wanted.places().for_each(|i| self.out.push(all.get(i) as u64, 1));
        Ok(())
    }

    fn skip(&mut self, values: usize) -> Result<(), ParquetError> {
        self.take(values)
    }

    fn finish(&mut self, _: usize, valid: Option<BitVec>) -> Result<ArrayRef, ParquetError> {
        let values = std::mem::take(&mut self.out).finish();
        Ok(Arc::new(BooleanArray::new(values, valid.and_then(BitVec::nulls))))
    }
}
