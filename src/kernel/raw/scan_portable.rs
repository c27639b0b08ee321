//! The scanner for every processor: eight bytes at a time in a 64-bit word.

use crate::kernel::raw::scan_walk::{self, Block, Masks};
use crate::kernel::scan::{Counted, Dialect, Scanned};

/// Eight words of eight bytes a block.
#[derive(Clone, Copy)]
struct Portable;

/// A 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All bits of each byte but the top one.
const LOW7: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// One bit for each byte of `word` that equals the byte repeated in `wanted`.
#[inline(always)]
fn equal_bytes(word: u64, wanted: u64) -> u64 {
    let x = word ^ wanted;
    // The top bit of each byte is set if the byte is zero; exact, since nothing is carried over.
    let zero = !(((x & LOW7) + LOW7) | x | LOW7);
    // Gathers the eight top bits into one byte.
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Block for Portable {
    type High = u64;

    #[inline(always)]
    unsafe fn no_high() -> u64 {
        0
    }

    #[inline(always)]
    unsafe fn any_high(high: u64) -> bool {
        high & !LOW7 != 0
    }

    #[inline(always)]
    unsafe fn masks(at: *const u8, delimiter: u8, quote: u8, high: &mut u64) -> Masks {
        let (q, d) = (ONES * u64::from(quote), ONES * u64::from(delimiter));
        let (lf, cr) = (ONES * u64::from(b'\n'), ONES * u64::from(b'\r'));
        let mut m = Masks {
            quote: 0,
            delimiter: 0,
            lf: 0,
            cr: 0,
        };
        for i in 0..8 {
            // SAFETY: the caller vouches for 64 readable bytes; the load is unaligned.
            let word = u64::from_le(unsafe { at.cast::<u64>().add(i).read_unaligned() });
            *high |= word;
            m.quote |= equal_bytes(word, q) << (8 * i);
            m.delimiter |= equal_bytes(word, d) << (8 * i);
            m.lf |= equal_bytes(word, lf) << (8 * i);
            m.cr |= equal_bytes(word, cr) << (8 * i);
        }
        m
    }

    #[inline(always)]
    unsafe fn prefix_xor(mut mask: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            mask ^= mask << shift;
        }
        mask
    }

    #[inline(always)]
    unsafe fn write_positions(mut mask: u64, base: u32, mut to: *mut u32) {
        while mask != 0 {
            // SAFETY: as many values are written as the mask has bits, at most 64, for which the
            // caller vouches.
            unsafe {
                *to = base.wrapping_add(mask.trailing_zeros());
                to = to.add(1);
            }
            mask &= mask - 1;
        }
    }
}

/// [`crate::kernel::scan::scan`].
pub fn scan(bytes: &[u8], base: u32, dialect: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
    // SAFETY: every processor can do this.
    unsafe { scan_walk::scan::<Portable>(bytes, base, dialect, inside, ends) }
}

/// [`crate::kernel::scan::count`].
pub fn count(bytes: &[u8], dialect: &Dialect, inside: bool) -> Counted {
    // SAFETY: every processor can do this.
    unsafe { scan_walk::count::<Portable>(bytes, dialect, inside) }
}
