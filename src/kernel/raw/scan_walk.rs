//! The walk over a window that all versions of the scanner share, generic over how a block of 64
//! bytes becomes masks ([`Block`]) and what becomes of the masks ([`Output`]).
//!
//! Each version instantiates it inside a function compiled for its instruction set; everything
//! here is `#[inline(always)]`, so that it is compiled for that set too.

use crate::kernel::scan::{Counted, Dialect, Scanned};

/// One bit for each of 64 bytes.
#[derive(Clone, Copy)]
pub struct Masks {
    /// Quotes.
    pub quote: u64,
    /// Delimiters.
    pub delimiter: u64,
    /// Line feeds.
    pub lf: u64,
    /// Carriage returns.
    pub cr: u64,
}

/// How one instruction set does it.
pub trait Block: Copy {
    /// What the bytes seen so far have in their top bits.
    type High: Copy;
    /// None so far.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn no_high() -> Self::High;
    /// Whether any byte had its top bit set.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn any_high(high: Self::High) -> bool;
    /// The masks of 64 bytes; the third argument is the quote.
    ///
    /// # Safety
    /// The processor has the instruction set, and 64 bytes at `at` can be read.
    unsafe fn masks(at: *const u8, delimiter: u8, quote: u8, high: &mut Self::High) -> Masks;
    /// Bit i of the result is the parity of bits 0 to i.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn prefix_xor(mask: u64) -> u64;
    /// Writes `base` + the position of each set bit, in order.
    ///
    /// # Safety
    /// The processor has the instruction set, and 64 values at `to` can be written.
    unsafe fn write_positions(mask: u64, base: u32, to: *mut u32);
}

/// What the masks are good for.
pub trait Output {
    /// Blocks between two calls of [`Output::reserve`].
    const STEP: usize = 64;
    /// Makes room for what `blocks` blocks can give.
    fn reserve(&mut self, blocks: usize);
    /// Takes a block's delimiters, record ends and CRs outside quotes.
    ///
    /// # Safety
    /// The processor has the instruction set of `B`, and room for the block was reserved.
    unsafe fn block<B: Block>(&mut self, delimiters: u64, records: u64, crs: u64, base: u32);
}

/// What is carried from block to block.
struct Carry {
    /// All ones inside quotes, else zero.
    inside: u64,
    /// Bit 0: the last byte was a delimiter, LF, CR or quote, so that a quote may open.
    separator: u64,
    /// Bit 0: the last byte was a closing quote, so that a separator must follow.
    closed: u64,
    irregular: u64,
    crs: u64,
    quotes: usize,
}

/// Everything after the masks, for one block. `followed` gives the bits that count as
/// followed by LF for a reason that the block does not show (asked only if there is a CR).
///
/// # Safety
/// As for [`Output::block`].
#[inline(always)]
unsafe fn digest<B: Block, O: Output>(
    m: Masks,
    valid: u64,
    followed: impl FnOnce() -> u64,
    carry: &mut Carry,
    base: u32,
    out: &mut O,
) {
    let separator = m.delimiter | m.lf | m.cr | m.quote;
    let mut outside = !0u64;
    if (m.quote | carry.inside | carry.closed) != 0 {
        // SAFETY: the caller vouches for the instruction set.
        let inside = unsafe { B::prefix_xor(m.quote) } ^ carry.inside;
        let (opening, closing) = (m.quote & inside, m.quote & !inside);
        carry.irregular |= opening & !((separator << 1) | carry.separator);
        carry.irregular |= ((closing << 1) | carry.closed) & !separator & valid;
        carry.closed = closing >> 63;
        carry.quotes += m.quote.count_ones() as usize;
        carry.inside = ((inside as i64) >> 63) as u64;
        outside = !inside;
    }
    carry.separator = separator >> 63;
    let delimiters = m.delimiter & outside;
    let mut records = m.lf & outside;
    let mut crs = 0;
    if m.cr != 0 {
        crs = m.cr & outside;
        carry.crs |= crs;
        records |= crs & !((m.lf >> 1) | followed());
    }
    // SAFETY: the caller vouches for the instruction set and the room.
    unsafe { out.block::<B>(delimiters, records, crs, base) };
}

/// After a block that was not plain so many are digested before looking for plain ones again: where
/// most have quotes that would be done in vain.
const PATIENCE: usize = 4;

impl Carry {
    /// Whether a block without quotes and CRs needs no [`digest`].
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.inside | self.closed == 0
    }
}

/// Blocks from `at` on, up to `most`, without quotes and CRs, where those before them left nothing
/// open. Gives how many there are. Nearly all blocks are such, and this loop has few enough
/// variables to keep all of them in registers.
///
/// # Safety
/// As for [`Output::block`], for `most` blocks of 64 readable bytes.
#[inline(always)]
unsafe fn plain_run<B: Block, O: Output>(
    at: *const u8,
    most: usize,
    (delimiter, quote, quotes_matter): (u8, u8, u64),
    high: &mut B::High,
    base: u32,
    out: &mut O,
) -> usize {
    for block in 0..most {
        // SAFETY: the caller vouches for the bytes, the instruction set and the room.
        unsafe {
            let mut seen = *high;
            let m = B::masks(at.add(block * 64), delimiter, quote, &mut seen);
            if (m.quote & quotes_matter) | m.cr != 0 {
                return block;
            }
            *high = seen;
            out.block::<B>(m.delimiter, m.lf, 0, base.wrapping_add((block * 64) as u32));
        }
    }
    most
}

/// Walks over `bytes`; what `out` gathers is filled in by the callers.
///
/// # Safety
/// The processor has the instruction set of `B`.
#[inline(always)]
pub unsafe fn walk<B: Block, O: Output>(
    bytes: &[u8],
    base: u32,
    dialect: &Dialect,
    inside: bool,
    out: &mut O,
) -> Scanned {
    let (quote, quotes_matter) = match dialect.quote {
        Some(q) => (q, !0u64),
        None => (0, 0),
    };
    let mut carry = Carry {
        inside: if inside { !0 } else { 0 },
        separator: 1,
        closed: 0,
        irregular: 0,
        crs: 0,
        quotes: 0,
    };
    // SAFETY: the caller vouches for the instruction set.
    let mut high = unsafe { B::no_high() };
    // The last block, whole or not, is read from a padded copy, so that every other one has a
    // byte after it.
    let whole = bytes.len().saturating_sub(1) / 64;
    let (mut block, mut again) = (0, 0);
    while block < whole {
        let stop = whole.min(block + O::STEP);
        out.reserve(stop - block);
        while block < stop {
            if carry.is_plain() && block >= again {
                let marks = (dialect.delimiter, quote, quotes_matter);
                let offset = base.wrapping_add((block * 64) as u32);
                // SAFETY: the blocks before `whole` lie within the slice; the instruction set is
                // there; room was reserved above.
                let run = unsafe {
                    let at = bytes.as_ptr().add(block * 64);
                    plain_run::<B, O>(at, stop - block, marks, &mut high, offset, out)
                };
                block += run;
                if run > 0 {
                    let last = bytes[block * 64 - 1];
                    carry.separator = u64::from(last == dialect.delimiter || last == b'\n');
                }
                if block == stop {
                    break;
                }
                if run == 0 {
                    again = block + PATIENCE;
                }
            }
            // SAFETY: block < whole, so these 64 bytes and one more lie within the slice; the
            // instruction set is there; room was reserved above.
            unsafe {
                let at = bytes.as_ptr().add(block * 64);
                let mut m = B::masks(at, dialect.delimiter, quote, &mut high);
                m.quote &= quotes_matter;
                let followed = || u64::from(*at.add(64) == b'\n') << 63;
                let offset = base.wrapping_add((block * 64) as u32);
                digest::<B, O>(m, !0, followed, &mut carry, offset, out);
            }
            block += 1;
        }
    }
    let tail = &bytes[whole * 64..];
    let mut ends_in_cr = false;
    if !tail.is_empty() {
        let mut padded = [0u8; 64];
        padded[..tail.len()].copy_from_slice(tail);
        let valid = !0u64 >> (64 - tail.len());
        out.reserve(1);
        // SAFETY: the copy has 64 bytes; the instruction set is there; room was reserved.
        unsafe {
            let mut m = B::masks(padded.as_ptr(), dialect.delimiter, quote, &mut high);
            m.quote &= quotes_matter & valid;
            m.delimiter &= valid;
            // A CR at the very end waits for what follows: as if an LF did.
            let last = 1u64 << (tail.len() - 1);
            let at = base.wrapping_add((whole * 64) as u32);
            digest::<B, O>(m, valid, || last, &mut carry, at, out);
            ends_in_cr = m.cr & last != 0 && carry.inside == 0;
        }
    }
    // SAFETY: the caller vouches for the instruction set.
    let non_ascii = unsafe { B::any_high(high) };
    Scanned {
        inside: carry.inside != 0,
        newlines: 0,
        quotes: carry.quotes,
        irregular: carry.irregular != 0,
        carriage_returns: carry.crs != 0,
        ends_in_cr,
        non_ascii,
    }
}

/// Room at a vector's end. Writing through the vector itself would have it look up its place and
/// store its length each time.
struct Room<'a> {
    vec: &'a mut Vec<u32>,
    at: *mut u32,
    len: usize,
}

impl<'a> Room<'a> {
    fn new(vec: &'a mut Vec<u32>) -> Self {
        let (at, len) = (vec.as_mut_ptr(), vec.len());
        Room { vec, at, len }
    }

    /// For what `blocks` blocks can give: each writes at most 64 values beyond the last one kept,
    /// whatever it keeps.
    #[inline(always)]
    fn reserve(&mut self, blocks: usize) {
        self.keep();
        self.vec.reserve(blocks * 64 + 64);
        self.at = self.vec.as_mut_ptr();
    }

    /// Makes what was written part of the vector.
    #[inline(always)]
    fn keep(&mut self) {
        // SAFETY: `write` alone moves `len`, over values that it has written within the capacity.
        unsafe { self.vec.set_len(self.len) }
    }

    /// Writes the places of a block's bits.
    ///
    /// # Safety
    /// The processor has the instruction set of `B`, and room for the block was reserved.
    #[inline(always)]
    unsafe fn write<B: Block>(&mut self, mask: u64, base: u32) {
        // SAFETY: `reserve` left room for 64 values for each block and 64 more, so 64 values can
        // be written here, of which the first `count_ones` are initialised and kept.
        unsafe {
            B::write_positions(mask, base, self.at.add(self.len));
        }
        self.len += mask.count_ones() as usize;
    }
}

/// Keeps the places of field ends.
struct Ends<'a> {
    to: Room<'a>,
    newlines: usize,
}

impl Output for Ends<'_> {
    #[inline(always)]
    fn reserve(&mut self, blocks: usize) {
        self.to.reserve(blocks);
    }

    #[inline(always)]
    unsafe fn block<B: Block>(&mut self, delimiters: u64, records: u64, _crs: u64, base: u32) {
        self.newlines += records.count_ones() as usize;
        // SAFETY: as the caller vouches.
        unsafe { self.to.write::<B>(delimiters | records, base) }
    }
}

/// Only counts.
pub struct Counts {
    newlines: usize,
    delimiters: usize,
    blank_lines: usize,
    /// Bit 0: a record starts at the next byte.
    starts: u64,
    /// Bit 0: the last byte was a CR at the start of a record.
    cr_at_start: u64,
}

impl Output for Counts {
    #[inline(always)]
    fn reserve(&mut self, _blocks: usize) {}

    #[inline(always)]
    unsafe fn block<B: Block>(&mut self, delimiters: u64, records: u64, crs: u64, _base: u32) {
        self.newlines += records.count_ones() as usize;
        self.delimiters += delimiters.count_ones() as usize;
        let starts = (records << 1) | self.starts;
        let cr_at_start = crs & starts;
        // A CR that is itself a record end makes the next byte a start, not the second of CRLF:
        // there the two masks agree, and the union is right for both.
        let blank = records & (starts | (cr_at_start << 1) | self.cr_at_start);
        self.blank_lines += blank.count_ones() as usize;
        self.starts = records >> 63;
        self.cr_at_start = cr_at_start >> 63;
    }
}

/// [`crate::kernel::scan::scan`].
///
/// # Safety
/// The processor has the instruction set of `B`.
#[inline(always)]
pub unsafe fn scan<B: Block>(
    bytes: &[u8],
    base: u32,
    dialect: &Dialect,
    inside: bool,
    ends: &mut Vec<u32>,
) -> Scanned {
    let mut out = Ends {
        to: Room::new(ends),
        newlines: 0,
    };
    // SAFETY: the caller vouches for the instruction set.
    let seen = unsafe { walk::<B, _>(bytes, base, dialect, inside, &mut out) };
    out.to.keep();
    Scanned {
        newlines: out.newlines,
        ..seen
    }
}

/// [`crate::kernel::scan::count`].
///
/// # Safety
/// The processor has the instruction set of `B`.
#[inline(always)]
pub unsafe fn count<B: Block>(bytes: &[u8], dialect: &Dialect, inside: bool) -> Counted {
    let starts = u64::from(!inside);
    let mut out = Counts {
        newlines: 0,
        delimiters: 0,
        blank_lines: 0,
        starts,
        cr_at_start: 0,
    };
    // SAFETY: the caller vouches for the instruction set.
    let seen = unsafe { walk::<B, _>(bytes, 0, dialect, inside, &mut out) };
    Counted {
        newlines: out.newlines,
        delimiters: out.delimiters,
        quotes: seen.quotes,
        inside: seen.inside,
        irregular: seen.irregular,
        blank_lines: out.blank_lines,
        carriage_returns: seen.carriage_returns,
        ends_in_cr: seen.ends_in_cr,
        non_ascii: seen.non_ascii,
    }
}
