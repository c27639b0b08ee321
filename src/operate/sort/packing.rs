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

use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::cells::{Block, Cells, Int, ints};

/// Bits of a code; one more says inexact in a head, which a packed code never is.
const MOST_BITS: u32 = 127;

/// Column, direction, place of nulls, and whether it is a float, of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::operate) struct KeyColumn {
    pub(in crate::operate) column: usize,
    pub(in crate::operate) descending: bool,
    pub(in crate::operate) nulls_first: bool,
    pub(in crate::operate) float: bool,
}

/// The values that a key has: the least and the greatest, none if all are null.
pub(in crate::operate) type Range = Option<(i128, i128)>;

#[derive(Debug, Clone)]
struct Span {
    key: KeyColumn,
    min: i128,
    max: i128,
    bits: u32,
}

/// An integer that holds a code.
pub(in crate::operate) trait Code:
    Copy + Ord + Default + Send + Sync + std::fmt::Debug
{
    /// The code with one more key behind it.
    fn push(self, bits: u32, code: u128) -> Self;
    /// So many bits above the lowest `shift`, at most 64.
    fn field(self, shift: u32, bits: u32) -> u64;
    /// As the widest code.
    fn wide(self) -> u128;
}

impl Code for u64 {
    #[inline(always)]
    fn push(self, bits: u32, code: u128) -> u64 {
        self.checked_shl(bits).unwrap_or(0) | code as u64
    }
    #[inline(always)]
    fn field(self, shift: u32, bits: u32) -> u64 {
        self.checked_shr(shift).unwrap_or(0) & (u64::MAX >> (64 - bits))
    }
    fn wide(self) -> u128 {
        self as u128
    }
}

impl Code for u128 {
    #[inline(always)]
    fn push(self, bits: u32, code: u128) -> u128 {
        (self << bits) | code
    }
    #[inline(always)]
    fn field(self, shift: u32, bits: u32) -> u64 {
        (self >> shift) as u64 & (u64::MAX >> (64 - bits))
    }
    fn wide(self) -> u128 {
        self
    }
}

/// How the keys of a row become one number.
#[derive(Debug, Clone)]
pub(in crate::operate) struct Packing {
    spans: Vec<Span>,
    bits: u32,
}

/// The least range with the values of both.
pub(in crate::operate) fn union(a: Range, b: Range) -> Range {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

impl Packing {
    /// None if the keys need too many bits.
    pub(in crate::operate) fn new(keys: &[KeyColumn], ranges: &[Range]) -> Option<Packing> {
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
    pub(in crate::operate) fn bits(&self) -> u32 {
        self.bits
    }

    /// Bits of the codes behind those of the first `keys`.
    pub(in crate::operate) fn bits_behind(&self, keys: usize) -> u32 {
        self.spans.iter().skip(keys).map(|s| s.bits).sum()
    }

    /// The codes of all rows of a block; `map` gives the ranks of a column's ids, if its values are
    /// ids that have others. None if a key is not kept as integers.
    pub(in crate::operate) fn codes<'a>(
        &self,
        block: &Block,
        map: impl Fn(usize) -> Option<&'a [i32]>,
    ) -> Option<Vec<u128>> {
        let mut out = Vec::with_capacity(block.rows());
        if self.bits <= 64 {
            let mut short = Vec::with_capacity(block.rows());
            self.append_codes::<u64>(&block.columns, block.rows(), map, &mut short)?;
            out.extend(short.into_iter().map(u128::from));
            return Some(out);
        }
        self.append_codes::<u128>(&block.columns, block.rows(), map, &mut out)?;
        Some(out)
    }

    /// Appends the codes of `rows` rows, as [`Packing::codes`].
    pub(in crate::operate) fn append_codes<'a, C: Code>(
        &self,
        columns: &[Cells],
        rows: usize,
        map: impl Fn(usize) -> Option<&'a [i32]>,
        out: &mut Vec<C>,
    ) -> Option<()> {
        let start = out.len();
        out.resize(start + rows, C::default());
        let out = &mut out[start..];
        for span in &self.spans {
            let cells = &columns[span.key.column];
            span.append(cells, map(span.key.column), |i, code| {
                out[i] = out[i].push(span.bits, code)
            })?;
        }
        Some(())
    }

    /// The values of the `k`-th key of some codes, and its nulls; none where the values need more
    /// than 64 bits.
    pub(in crate::operate) fn longs<C: Code>(
        &self,
        k: usize,
        codes: &[C],
    ) -> Option<(Vec<i64>, Option<NullBuffer>)> {
        let span = &self.spans[k];
        let (min, max) = (i64::try_from(span.min).ok()?, i64::try_from(span.max).ok()?);
        if span.bits > 64 {
            return None;
        }
        let shift: u32 = self.spans[k + 1..].iter().map(|s| s.bits).sum();
        let null = span.null() as u64;
        let mut nulls = false;
        let values = codes.iter().map(|code| {
            let code = code.field(shift, span.bits);
            nulls |= code == null;
            match span.key.descending {
                true => max.wrapping_sub(code.wrapping_sub(1) as i64),
                false => min.wrapping_add(code.wrapping_sub(1) as i64),
            }
        });
        let values = values.collect();
        let valid = |i: usize| codes[i].field(shift, span.bits) != null;
        let nulls = nulls.then(|| NullBuffer::new(BooleanBuffer::collect_bool(codes.len(), valid)));
        Some((values, nulls))
    }

    /// The values of each key of a code.
    pub(in crate::operate) fn unpack(&self, code: u128) -> Vec<Option<i128>> {
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
            let (min, max) = (self.min as i64, self.max as i64);
            ints!(cells, v => for (i, &x) in v.iter().enumerate() {
                let code = match x.long() {
                    i64::MIN => null,
                    // An id behind the map is newer than the ranks: such codes order roughly.
                    id => map.get(id as usize).map_or(1, |&rank| match self.key.descending {
                        true => max.wrapping_sub(rank as i64) as u64 as u128 + 1,
                        false => (rank as i64).wrapping_sub(min) as u64 as u128 + 1,
                    }),
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
