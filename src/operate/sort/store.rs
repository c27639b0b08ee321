//! The rows of a run before it is sorted, and the sorting itself.
//!
//! ```text
//!   fresh blocks ──24k rows──► settled chunk, sorted within the cache
//!                                 └► keys of all rows, packed into a u64 with the row's place
//!                                      └ sort_unstable ─► places in order ─► gather block by block
//! ```
//!
//! Because each chunk is sorted, an output block takes neighbouring rows of each: gathering from
//! unsorted rows would cost a cache and a TLB miss for every value (six times the time).
//!
//! Where the values of integer keys in this run span few enough bits, keys and place fit one `u64`
//! (most real keys do: dates, ids, counts); else heads of 128 bits are sorted.

use std::cmp::Ordering;

use super::cells::{Block, Cells, Int, Width, ints, min_max};
use super::keys::Codec;
use super::packing::{Packing, Range, union};
use super::texts::KeyTexts;
use crate::error::Result;

/// Rows of the largest block that is pushed.
pub(super) const CHUNK_ROWS: usize = 8192;
/// So many fresh rows are sorted into a chunk; about as many as fit the second-level cache.
const SETTLE_ROWS: usize = 24 << 10;
/// A place is a chunk and a row in it.
const ROW_BITS: u32 = 15;
/// A place has 32 bits.
const MOST_CHUNKS: usize = 1 << (32 - ROW_BITS);
/// What sorting takes for each row at most, besides the row: its head and place.
pub(super) const SORT_BYTES_A_ROW: usize = 24;

/// The rows of a run to be.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Sorted chunks.
    blocks: Vec<Block>,
    /// The least and greatest order of each.
    orders: Vec<(u64, u64)>,
    fresh: Vec<Block>,
    fresh_rows: usize,
    rows: usize,
    /// Bytes of the columns that are no integers.
    other_bytes: usize,
    /// The widest integers of each column so far.
    widths: Vec<Width>,
}

impl Store {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the rows and sorting them takes, once all chunks have the widths of the widest.
    pub(super) fn cost(&self) -> usize {
        self.rows * (self.fixed_bytes() + SORT_BYTES_A_ROW) + self.other_bytes
    }

    /// The same once `block` is pushed.
    pub(super) fn cost_with(&self, block: &Block) -> usize {
        let widths = self.widths.iter().copied().chain(std::iter::repeat(0));
        let widths = widths.zip(&block.columns).map(|(w, c)| w.max(c.width()) as usize);
        (self.rows + block.rows()) * (widths.sum::<usize>() + 8 + SORT_BYTES_A_ROW)
            + self.other_bytes
            + other_bytes(block)
    }

    fn fixed_bytes(&self) -> usize {
        self.widths.iter().map(|&w| w as usize).sum::<usize>() + 8
    }

    /// Bytes of the cells of a row, on the average.
    pub(super) fn row_bytes(&self) -> usize {
        self.fixed_bytes() + self.other_bytes / self.rows.max(1)
    }

    pub(super) fn widths(&self) -> &[Width] {
        &self.widths
    }

    pub(super) fn is_full(&self) -> bool {
        self.blocks.len() + 1 >= MOST_CHUNKS
    }

    /// Keeps a block of at most [`CHUNK_ROWS`] rows.
    pub(super) fn push(
        &mut self,
        mut block: Block,
        codec: &Codec,
        texts: &mut [Option<KeyTexts>],
    ) -> Result<()> {
        self.rows += block.rows();
        self.fresh_rows += block.rows();
        self.other_bytes += other_bytes(&block);
        self.widths.resize(block.columns.len(), 0);
        for (w, c) in self.widths.iter_mut().zip(&block.columns) {
            *w = (*w).max(c.width());
        }
        // Small blocks are united with their neighbours.
        while let Some(last) = self.fresh.last() {
            if last.rows() >= 2 * block.rows() || last.rows() + block.rows() > CHUNK_ROWS / 2 {
                break;
            }
            block = Block::concat(last, &block)?;
            self.fresh.pop();
        }
        self.fresh.push(block);
        if self.fresh_rows >= SETTLE_ROWS {
            self.settle(codec, texts)?;
        }
        Ok(())
    }

    /// Sorts the fresh rows into a chunk.
    fn settle(&mut self, codec: &Codec, texts: &mut [Option<KeyTexts>]) -> Result<()> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let mut fresh = Store {
            rows: self.fresh_rows,
            blocks: std::mem::take(&mut self.fresh),
            ..Store::default()
        };
        self.fresh_rows = 0;
        fresh.orders = fresh.blocks.iter().map(|b| ends(&b.orders)).collect();
        let in_order = fresh.blocks.iter().all(|b| b.orders.is_sorted());
        texts.iter_mut().flatten().for_each(|t| t.rank(false));
        let (places, _) = fresh.sort_blocks(codec, in_order, texts, true)?;
        let least = fresh.orders.iter().map(|o| o.0).min().unwrap_or(0);
        let most = fresh.orders.iter().map(|o| o.1).max().unwrap_or(0);
        self.blocks.push(fresh.gather(&places)?);
        self.orders.push((least, most));
        Ok(())
    }

    /// The places of all rows in order.
    ///
    /// From then on the texts that a key column has by its dictionary are their ranks there. If all
    /// keys with their values in this run fit a code, it tells how.
    pub(super) fn sort(
        &mut self,
        codec: &Codec,
        texts: &mut [Option<KeyTexts>],
    ) -> Result<(Vec<u32>, Option<Packing>)> {
        self.settle(codec, texts)?;
        texts.iter_mut().flatten().for_each(|t| t.rank(true));
        // Gathering is quick only where all chunks of a column have the same width.
        for block in &mut self.blocks {
            for (c, (cells, &width)) in block.columns.iter_mut().zip(&self.widths).enumerate() {
                if let Some(texts) = texts.get(c).and_then(Option::as_ref) {
                    *cells = cells.mapped(texts.ranks(), width.max(texts.width()));
                    continue;
                }
                if cells.width() < width {
                    *cells = cells.widened(width);
                }
            }
        }
        self.sort_blocks(codec, true, texts, false)
    }

    /// Sorts blocks; `in_order` if within each block, rows of equal keys have ascending orders.
    /// Where key columns have `texts`, their cells are ids if `fresh`, else ranks; the order by ids
    /// is a rough one, which is enough for chunks.
    fn sort_blocks(
        &mut self,
        codec: &Codec,
        in_order: bool,
        texts: &[Option<KeyTexts>],
        fresh: bool,
    ) -> Result<(Vec<u32>, Option<Packing>)> {
        let mut all: Vec<((u64, u64), Block)> = std::mem::take(&mut self.orders)
            .into_iter()
            .zip(std::mem::take(&mut self.blocks))
            .collect();
        all.sort_by_key(|(orders, _)| *orders);
        (self.orders, self.blocks) = all.into_iter().unzip();
        let ascending = in_order && self.orders.windows(2).all(|w| w[0].1 < w[1].0);
        let packing = match texts.iter().any(Option::is_some) {
            true => self.packing(codec, texts),
            false => None,
        };
        if let Some(packing) = packing {
            let places = match ascending {
                true => self.sort_codes(&packing, texts, fresh),
                false => None,
            };
            let places = places.unwrap_or_else(|| self.sort_heads(codec, ascending));
            return Ok((places, Some(packing)));
        }
        if ascending && let Some(places) = self.sort_packed(codec) {
            return Ok((places, None));
        }
        Ok((self.sort_heads(codec, ascending), None))
    }

    /// The rows at `places`, gathered.
    pub(super) fn gather(&self, places: &[u32]) -> Result<Block> {
        let mask = (1 << ROW_BITS) - 1;
        let at: Vec<(u32, u32)> = places.iter().map(|&p| (p >> ROW_BITS, p & mask)).collect();
        Block::gather(&self.blocks, &at)
    }

    /// How the keys that the rows have fit a code.
    fn packing(&self, codec: &Codec, texts: &[Option<KeyTexts>]) -> Option<Packing> {
        let keys = codec.key_columns();
        let mut ranges: Vec<Range> = Vec::with_capacity(keys.len());
        for key in &keys {
            if let Some(texts) = texts.get(key.column).and_then(Option::as_ref) {
                ranges.push(Some((0, texts.len() as i128)));
                continue;
            }
            let mut range: Range = None;
            for chunk in &self.blocks {
                let new = ints!(&chunk.columns[key.column], v => min_max(v), _ => return None);
                range = union(range, (new.0 <= new.1).then_some(new));
            }
            ranges.push(range);
        }
        Packing::new(&keys, &ranges)
    }

    /// Sorts chunks whose orders ascend by exact codes.
    fn sort_codes(&self, packing: &Packing, texts: &[Option<KeyTexts>], fresh: bool) -> Option<Vec<u32>> {
        let map = |c: usize| {
            texts
                .get(c)
                .and_then(Option::as_ref)
                .filter(|_| fresh)
                .map(KeyTexts::ranks)
        };
        let place_bits = usize::BITS - self.blocks.len().leading_zeros() + ROW_BITS;
        let mask = (1u64 << place_bits) - 1;
        macro_rules! sorted {
            ($make:expr, $place:expr) => {{
                let mut all = Vec::with_capacity(self.rows);
                for (i, chunk) in self.blocks.iter().enumerate() {
                    let codes = packing.codes(chunk, map)?;
                    let place = (i as u64) << ROW_BITS;
                    all.extend(
                        codes
                            .iter()
                            .enumerate()
                            .map(|(r, &code)| $make(code, place | r as u64)),
                    );
                }
                all.sort_unstable();
                Some(all.into_iter().map($place).collect())
            }};
        }
        match packing.bits() + place_bits {
            0..=64 => sorted!(
                |code: u128, place: u64| (code as u64) << place_bits | place,
                |x: u64| (x & mask) as u32
            ),
            65..=128 => sorted!(
                |code: u128, place: u64| code << place_bits | place as u128,
                |x: u128| (x as u64 & mask) as u32
            ),
            _ => sorted!(
                |code: u128, place: u64| ((code >> 64) as u64, code as u64, place as u32),
                |x: (u64, u64, u32)| x.2
            ),
        }
    }

    fn sort_packed(&self, codec: &Codec) -> Option<Vec<u32>> {
        let chunk_bits = usize::BITS - self.blocks.len().leading_zeros();
        let mut left = 64u32.checked_sub(chunk_bits + ROW_BITS)?;
        let mut spans = Vec::new();
        for (column, descending, nulls_first) in codec.packable()? {
            let (mut min, mut max) = (i128::MAX, i128::MIN);
            for chunk in &self.blocks {
                let (low, high) = ints!(&chunk.columns[column], v => min_max(v), _ => return None);
                min = min.min(low);
                max = max.max(high);
            }
            let span = if min > max { 0 } else { max.checked_sub(min)? };
            // Codes 1..=span+1 for values, and one below or above for null.
            let bits = 128 - ((span as u128) + 2).leading_zeros();
            left = left.checked_sub(bits)?;
            spans.push((column, descending, nulls_first, min.min(max), max, bits));
        }
        let mut packed: Vec<u64> = Vec::with_capacity(self.rows);
        for (i, chunk) in self.blocks.iter().enumerate() {
            let start = packed.len();
            packed.resize(start + chunk.rows(), 0);
            let out = &mut packed[start..];
            for &(column, descending, nulls_first, min, max, bits) in &spans {
                let null = if nulls_first { 0 } else { (1u64 << bits) - 1 };
                ints!(&chunk.columns[column], v => {
                    pack(v, out, bits, null, descending, min as i64, max as i64)
                }, _ => return None);
            }
            let place = (i as u64) << ROW_BITS;
            for (row, o) in out.iter_mut().enumerate() {
                *o = (*o << (chunk_bits + ROW_BITS)) | place | row as u64;
            }
        }
        packed.sort_unstable();
        let mask = (1u64 << (chunk_bits + ROW_BITS)) - 1;
        Some(packed.into_iter().map(|p| (p & mask) as u32).collect())
    }

    fn sort_heads(&self, codec: &Codec, ascending: bool) -> Vec<u32> {
        let mut all: Vec<(u64, u64, u32)> = Vec::with_capacity(self.rows);
        for (i, chunk) in self.blocks.iter().enumerate() {
            let heads = codec.heads(chunk, 0, chunk.rows());
            let place = (i as u32) << ROW_BITS;
            all.extend(
                heads
                    .iter()
                    .enumerate()
                    .map(|(r, h)| ((h >> 64) as u64, *h as u64, place | r as u32)),
            );
        }
        all.sort_unstable();
        let mut start = 0;
        while start < all.len() {
            let (high, low, _) = all[start];
            let len = all[start..]
                .iter()
                .take_while(|e| (e.0, e.1) == (high, low))
                .count();
            if len > 1 && (low & 1 == 1 || !ascending) {
                all[start..start + len].sort_unstable_by(|a, b| self.compare(codec, a.2, b.2, low & 1 == 1));
            }
            start += len;
        }
        all.into_iter().map(|e| e.2).collect()
    }

    fn compare(&self, codec: &Codec, a: u32, b: u32, by_value: bool) -> Ordering {
        let at = |p: u32| {
            (
                &self.blocks[(p >> ROW_BITS) as usize],
                (p & ((1 << ROW_BITS) - 1)) as usize,
            )
        };
        let ((x, i), (y, j)) = (at(a), at(b));
        let order = if by_value {
            codec.compare(x, i, y, j)
        } else {
            Ordering::Equal
        };
        order.then_with(|| x.orders[i].cmp(&y.orders[j]))
    }
}

/// The least and the greatest order.
fn ends(orders: &[u64]) -> (u64, u64) {
    let least = orders.iter().copied().min().unwrap_or(0);
    (least, orders.iter().copied().max().unwrap_or(0))
}

fn other_bytes(block: &Block) -> usize {
    block
        .columns
        .iter()
        .filter(|c| c.width() == 0)
        .map(Cells::bytes)
        .sum()
}

fn pack<T: Int>(values: &[T], out: &mut [u64], bits: u32, null: u64, descending: bool, min: i64, max: i64) {
    let code = |x: i64| match descending {
        true => max.wrapping_sub(x) as u64 + 1,
        false => x.wrapping_sub(min) as u64 + 1,
    };
    for (o, &v) in out.iter_mut().zip(values) {
        *o = (*o << bits) | if v == T::NULL { null } else { code(v.wide() as i64) };
    }
}
