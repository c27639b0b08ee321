//! Keys as exact numbers: all keys of a row in the least bits that the values at hand need.
//!
//! ```text
//!   code of a row:  | key 0 | key 1 | … |     each 1 + (value - least), null the least or greatest
//!   value of a text: its rank among the sorted texts of the dictionary
//! ```
//!
//! Unlike the heads of [`super::keys::Codec`], which must fit any value, the codes are exact: equal
//! codes are equal keys. But they mean something only together with the spans of the values, which
//! differ from run to run; a merge packs anew, with spans that hold the values of all runs.

use super::cells::{Block, Cells, Int, ints};

/// Bits of a code; one more says inexact in a head, which a packed code never is.
const MOST_BITS: u32 = 127;

/// Column, direction, place of nulls, and whether it is a float, of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KeyColumn {
    pub(super) column: usize,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    pub(super) float: bool,
}

/// The values that a key has: the least and the greatest, none if all are null.
pub(super) type Range = Option<(i128, i128)>;

#[derive(Debug, Clone)]
struct Span {
    key: KeyColumn,
    min: i128,
    max: i128,
    bits: u32,
}

/// How the keys of a row become one number.
#[derive(Debug, Clone)]
pub(super) struct Packing {
    spans: Vec<Span>,
    bits: u32,
}

/// The least range with the values of both.
pub(super) fn union(a: Range, b: Range) -> Range {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

impl Packing {
    /// None if the keys need too many bits.
    pub(super) fn new(keys: &[KeyColumn], ranges: &[Range]) -> Option<Packing> {
        let mut spans = Vec::with_capacity(keys.len());
        let mut all = 0;
        for (&key, range) in keys.iter().zip(ranges) {
            let (min, mut max) = range.unwrap_or((0, 0));
            if key.float && max == -1 {
                // Minus zero, which counts as zero.
                max = 0;
            }
            let span = u128::try_from(max.checked_sub(min)?).ok()?;
            // Codes 1..=span+1 for values, and one below or above for null.
            let bits = 128 - span.checked_add(2)?.leading_zeros();
            all += bits;
            if all > MOST_BITS {
                return None;
            }
            spans.push(Span { key, min, max, bits });
        }
        Some(Packing { spans, bits: all })
    }

    /// Bits of all codes together.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// The codes of all rows of a block; `map` gives the ranks of a column's ids, if its values are
    /// ids that have others. None if a key is not kept as integers.
    pub(super) fn codes<'a>(
        &self,
        block: &Block,
        map: impl Fn(usize) -> Option<&'a [i32]>,
    ) -> Option<Vec<u128>> {
        let mut out = vec![0u128; block.rows()];
        if self.bits <= 64 {
            let mut short = vec![0u64; block.rows()];
            for span in &self.spans {
                let cells = &block.columns[span.key.column];
                span.append(cells, map(span.key.column), |i, code| {
                    short[i] = (short[i] << span.bits) | code as u64
                })?;
            }
            out.iter_mut().zip(short).for_each(|(o, s)| *o = s as u128);
            return Some(out);
        }
        for span in &self.spans {
            let cells = &block.columns[span.key.column];
            span.append(cells, map(span.key.column), |i, code| {
                out[i] = (out[i] << span.bits) | code
            })?;
        }
        Some(out)
    }

    /// The values of each key of a code.
    pub(super) fn unpack(&self, code: u128) -> Vec<Option<i128>> {
        let mut left = self.bits;
        let values = self.spans.iter().map(|s| {
            left -= s.bits;
            let code = (code >> left) & ((1 << s.bits) - 1);
            match code == s.null() {
                true => None,
                false if s.key.descending => Some(s.max - (code as i128 - 1)),
                false => Some(s.min + (code as i128 - 1)),
            }
        });
        values.collect()
    }

    /// The code of one value for each key.
    pub(super) fn pack(&self, values: &[Option<i128>]) -> u128 {
        let codes = self.spans.iter().zip(values);
        codes.fold(0, |all, (s, v)| {
            (all << s.bits) | v.map_or(s.null(), |v| s.code(v))
        })
    }

    /// The values that the keys may have, at least.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> {
        self.spans.iter().map(|s| Some((s.min, s.max)))
    }
}

impl Span {
    fn null(&self) -> u128 {
        if self.key.nulls_first {
            0
        } else {
            (1u128 << self.bits) - 1
        }
    }

    #[inline(always)]
    fn code(&self, value: i128) -> u128 {
        match self.key.descending {
            true => self.max.wrapping_sub(value) as u128 + 1,
            false => value.wrapping_sub(self.min) as u128 + 1,
        }
    }

    /// Gives the code of each row.
    fn append(&self, cells: &Cells, map: Option<&[i32]>, mut to: impl FnMut(usize, u128)) -> Option<()> {
        let null = self.null();
        if let Some(map) = map {
            let codes: Vec<u64> = map.iter().map(|&r| self.code(r as i128) as u64).collect();
            ints!(cells, v => for (i, &x) in v.iter().enumerate() {
                let code = match x.long() {
                    i64::MIN => null,
                    // An id behind the map is newer than the ranks: such codes order roughly.
                    id => codes.get(id as usize).map_or(1, |&c| c as u128),
                };
                to(i, code);
            }, _ => return None);
            return Some(());
        }
        let long = self.bits <= 64 && i64::try_from(self.min).is_ok() && i64::try_from(self.max).is_ok();
        let (min, max) = (self.min as i64, self.max as i64);
        ints!(cells, v => {
            if self.key.float || !long || cells.width() > 8 {
                for (i, &x) in v.iter().enumerate() {
                    let value = if self.key.float && x.wide() == -1 { 0 } else { x.wide() };
                    to(i, if x.wide() == i128::MIN { null } else { self.code(value) });
                }
            } else if self.key.descending {
                for (i, &x) in v.iter().enumerate() {
                    to(i, if x.long() == i64::MIN { null } else { max.wrapping_sub(x.long()) as u64 as u128 + 1 });
                }
            } else {
                for (i, &x) in v.iter().enumerate() {
                    to(i, if x.long() == i64::MIN { null } else { x.long().wrapping_sub(min) as u64 as u128 + 1 });
                }
            }
        }, _ => return None);
        Some(())
    }
}
