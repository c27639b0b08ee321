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
//! (most real keys do: dates, ids, counts), or a `u128`; else heads of 128 bits are sorted, and rows
//! whose heads tie by heads of their own.

use super::cells::{Block, Cells, Width, ints, min_max};
use super::heads::{Heads, Values};
use super::keys::Codec;
use super::packing::{Packing, Range, union};
use super::texts::KeyTexts;
use super::ties;
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
    fresh_bytes: usize,
    /// So many bytes of fresh rows are sorted at once at most: while they are, they are there twice.
    settle_bytes: usize,
    rows: usize,
    /// Bytes of the columns that are no integers.
    other_bytes: usize,
    /// The widest integers of each column so far.
    widths: Vec<Width>,
}

impl Store {
    /// A store that sorts about so many bytes at once.
    pub(super) fn new(settle_bytes: usize) -> Store {
        Store {
            settle_bytes,
            ..Store::default()
        }
    }

    /// An empty one of the same kind.
    pub(super) fn anew(&self) -> Store {
        Store::new(self.settle_bytes)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the rows and sorting them takes, once all chunks have the widths of the widest.
    pub(super) fn cost(&self) -> usize {
        let own = self.rows * (self.fixed_bytes() + SORT_BYTES_A_ROW) + self.other_bytes;
        own + own.min(self.settle_bytes)
    }

    /// The same once `block` is pushed.
    pub(super) fn cost_with(&self, block: &Block) -> usize {
        let widths = self.widths.iter().copied().chain(std::iter::repeat(0));
        let widths = widths.zip(&block.columns).map(|(w, c)| w.max(c.width()) as usize);
        let own = (self.rows + block.rows()) * (widths.sum::<usize>() + 8 + SORT_BYTES_A_ROW)
            + self.other_bytes
            + other_bytes(block);
        own + own.min(self.settle_bytes)
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
        self.fresh_bytes += block.bytes();
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
        if self.fresh_rows >= SETTLE_ROWS || self.fresh_bytes >= self.settle_bytes {
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
        (self.fresh_rows, self.fresh_bytes) = (0, 0);
        fresh.orders = fresh.blocks.iter().map(|b| ends(&b.orders)).collect();
        let in_order = fresh.blocks.iter().all(|b| b.orders.is_sorted());
        texts.iter_mut().flatten().for_each(|t| t.rank(false));
        let places = fresh.sort_blocks(codec, in_order, texts, true)?;
        let least = fresh.orders.iter().map(|o| o.0).min().unwrap_or(0);
        let most = fresh.orders.iter().map(|o| o.1).max().unwrap_or(0);
        self.blocks.push(fresh.gather(&places)?);
        self.orders.push((least, most));
        Ok(())
    }

    /// The places of all rows in order.
    ///
    /// From then on the texts that a key column has by its dictionary are their ranks there.
    pub(super) fn sort(&mut self, codec: &Codec, texts: &mut [Option<KeyTexts>]) -> Result<Vec<u32>> {
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
    ) -> Result<Vec<u32>> {
        let mut all: Vec<((u64, u64), Block)> = std::mem::take(&mut self.orders)
            .into_iter()
            .zip(std::mem::take(&mut self.blocks))
            .collect();
        all.sort_by_key(|(orders, _)| *orders);
        (self.orders, self.blocks) = all.into_iter().unzip();
        let ascending = in_order && self.orders.windows(2).all(|w| w[0].1 < w[1].0);
        if ascending
            && let Some(packing) = self.packing(codec, texts)
            && let Some(places) = self.sort_codes(&packing, texts, fresh)
        {
            return Ok(places);
        }
        self.sort_heads(codec, ascending)
    }

    /// The rows at `places`, gathered.
    pub(super) fn gather(&self, places: &[u32]) -> Result<Block> {
        let at: Vec<(u32, u32)> = places.iter().copied().map(split).collect();
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
        // codes that have room for the place behind them
        macro_rules! sorted {
            ($code:ty) => {{
                let mut all: Vec<$code> = Vec::with_capacity(self.rows);
                for (i, chunk) in self.blocks.iter().enumerate() {
                    let start = all.len();
                    packing.append_codes(&chunk.columns, chunk.rows(), map, &mut all)?;
                    let place = (i as $code) << ROW_BITS;
                    for (code, place) in all[start..].iter_mut().zip(place..) {
                        *code = *code << place_bits | place;
                    }
                }
                all.sort_unstable();
                Some(all.into_iter().map(|x| (x as u64 & mask) as u32).collect())
            }};
        }
        match packing.bits() + place_bits {
            0..=64 => sorted!(u64),
            65..=128 => sorted!(u128),
            _ => {
                let mut all = Vec::with_capacity(self.rows);
                for (i, chunk) in self.blocks.iter().enumerate() {
                    let place = (i as u32) << ROW_BITS;
                    let codes = packing.codes(chunk, map)?.into_iter().zip(place..);
                    all.extend(codes.map(|(code, place)| ((code >> 64) as u64, code as u64, place)));
                }
                all.sort_unstable();
                Some(all.into_iter().map(|x| x.2).collect())
            }
        }
    }

    /// Sorts chunks by heads, where the keys fit no exact code or the orders do not ascend.
    fn sort_heads(&self, codec: &Codec, ascending: bool) -> Result<Vec<u32>> {
        let values = codec.keys.iter().map(|key| {
            let chunks = self.blocks.iter().map(|b| Values::of(&b.columns[key.column]));
            chunks.fold(Values::None, Values::with)
        });
        let heads = Heads::new(&codec.keys, &values.collect::<Vec<_>>());
        let mut all: Vec<(u64, u64, u32)> = Vec::with_capacity(self.rows);
        for (i, chunk) in self.blocks.iter().enumerate() {
            let place = (i as u32) << ROW_BITS;
            let rows = heads.of(chunk).into_iter().zip(place..);
            all.extend(rows.map(|(h, place)| ((h >> 64) as u64, h as u64, place)));
        }
        all.sort_unstable();
        let keys = &codec.keys[heads.whole_keys()..];
        let blocks: Vec<&Block> = self.blocks.iter().collect();
        for tied in ties::runs(&all, |a, b| (a.0, a.1) == (b.0, b.1)) {
            let tied = &mut all[tied];
            let exact = tied[0].1 & 1 == 0;
            if exact && ascending {
                continue;
            }
            let keys = if exact { &[] } else { keys };
            if tied.len() <= ties::FEW {
                let at = |place: u32| (blocks[(place >> ROW_BITS) as usize], row_of(place));
                tied.sort_unstable_by(|a, b| ties::order(keys, at(a.2), at(b.2)));
                continue;
            }
            let at: Vec<(u32, u32)> = tied.iter().map(|t| split(t.2)).collect();
            let order = ties::sorted(keys, &ties::gather(keys, &blocks, &at)?)?;
            let places: Vec<u32> = order.iter().map(|&i| tied[i as usize].2).collect();
            tied.iter_mut().zip(places).for_each(|(t, place)| t.2 = place);
        }
        Ok(all.into_iter().map(|e| e.2).collect())
    }
}

/// The chunk and the row of a place.
fn split(place: u32) -> (u32, u32) {
    (place >> ROW_BITS, place & ((1 << ROW_BITS) - 1))
}

fn row_of(place: u32) -> usize {
    split(place).1 as usize
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
