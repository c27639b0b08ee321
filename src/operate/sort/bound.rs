//! The last row that a top-n still wants: rows behind it are dropped before anything is made of them.
//!
//! Keys are looked at one by one, and the next one only for rows that tie with the bound so far: most
//! rows are behind by their first key.

use super::cells::{Block, Cells, Int, ints};
use super::encode::Encoder;
use super::keys::Key;
use crate::error::Result;
use crate::kernel::Batch;

use std::cmp::Ordering;

use arrow::array::{Array, AsArray};

/// The keys of a row, and its place in the input.
#[derive(Debug)]
pub(super) struct Bound {
    row: Block,
}

/// How a row stands to the bound.
const BEFORE: u8 = 0;
const TIED: u8 = 1;
const BEHIND: u8 = 2;

impl Bound {
    /// The bound that the only row of a block makes.
    pub(super) fn new(row: Block) -> Bound {
        Bound { row }
    }

    /// Which rows of a batch come before the bound.
    pub(super) fn before(
        &self,
        keys: &[Key],
        encoder: &Encoder,
        batch: &Batch,
        orders: &[u64],
    ) -> Result<Vec<bool>> {
        let mut all = vec![TIED; batch.rows];
        let mut own = vec![TIED; batch.rows];
        for key in keys {
            if !all.contains(&TIED) {
                break;
            }
            match batch.columns.get(key.column).map(|a| a.as_string_view_opt()) {
                Some(Some(texts)) => {
                    self.place_texts(key, texts.iter().map(|t| t.map(str::as_bytes)), &mut own)
                }
                _ => self.place(key, &encoder.key_cells(batch, key.column)?, &mut own),
            }
            for (so_far, own) in all.iter_mut().zip(&own) {
                *so_far = if *so_far == TIED { *own } else { *so_far };
            }
        }
        let rows = all.iter().zip(orders);
        Ok(rows
            .map(|(&p, &order)| p == BEFORE || p == TIED && order < self.row.orders[0])
            .collect())
    }

    /// [`Bound::place`] of texts.
    fn place_texts<'a>(&self, key: &Key, texts: impl Iterator<Item = Option<&'a [u8]>>, out: &mut [u8]) {
        let Cells::Bytes(bound) = &self.row.columns[key.column] else {
            return out.fill(TIED);
        };
        let bound = bound.is_valid(0).then(|| bound.value(0));
        for (place, text) in out.iter_mut().zip(texts) {
            *place = match key.compare(text, bound) {
                Ordering::Less => BEFORE,
                Ordering::Equal => TIED,
                Ordering::Greater => BEHIND,
            };
        }
    }

    /// How each row stands to the bound by one key.
    fn place(&self, key: &Key, cells: &Cells, out: &mut [u8]) {
        let bound = &self.row.columns[key.column];
        if let Cells::Bytes(texts) = cells {
            return self.place_texts(key, texts.iter(), out);
        }
        let bound = key.value(bound.int(0));
        ints!(cells, v => ints_place(key, v, bound, out), _ => out.fill(TIED));
    }
}

/// [`Bound::place`] of integers.
fn ints_place<T: Int>(key: &Key, values: &[T], bound: Option<i128>, out: &mut [u8]) {
    let null = match (bound, key.nulls_first) {
        (None, _) => TIED,
        (Some(_), true) => BEFORE,
        (Some(_), false) => BEHIND,
    };
    let Some(bound) = bound else {
        let value = if key.nulls_first { BEHIND } else { BEFORE };
        for (place, &x) in out.iter_mut().zip(values) {
            *place = if x == T::NULL { null } else { value };
        }
        return;
    };
    let flip = |place: u8| if key.descending { 2 - place } else { place };
    match i64::try_from(bound) {
        // most columns: 64 bits, and minus zero is far from the bound or has been made zero
        Ok(bound) if size_of::<T>() <= 8 && !(key.float && bound == 0) => {
            for (place, &x) in out.iter_mut().zip(values) {
                let long = x.long();
                let value = flip(u8::from(long > bound) + u8::from(long >= bound));
                *place = if x == T::NULL { null } else { value };
            }
        }
        _ => {
            for (place, &x) in out.iter_mut().zip(values) {
                *place = match key.value(Some(x.wide())) {
                    Some(value) if x != T::NULL => flip(u8::from(value > bound) + u8::from(value >= bound)),
                    _ => null,
                };
            }
        }
    }
}
