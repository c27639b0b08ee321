//! The scanner for AVX-512 with VBMI2: one register a block, positions by compressing 0..63.

use crate::kernel::scan::{Counted, Dialect, Scanned};

pub use version::{count, scan, supported};

#[cfg(not(target_arch = "x86_64"))]
mod version {
    use super::*;
    use crate::kernel::raw::scan_portable;

    /// Never on this architecture.
    pub fn supported() -> bool {
        false
    }
    /// [`crate::kernel::scan::scan`].
    pub fn scan(b: &[u8], base: u32, d: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
        scan_portable::scan(b, base, d, inside, ends)
    }
    /// [`crate::kernel::scan::count`].
    pub fn count(b: &[u8], d: &Dialect, inside: bool) -> Counted {
        scan_portable::count(b, d, inside)
    }
}

#[cfg(target_arch = "x86_64")]
mod version {
    use super::*;
    use crate::kernel::raw::scan_walk::{self, Block, Masks};
    use std::arch::x86_64::*;

    /// One register of 64 bytes a block.
    #[derive(Clone, Copy)]
    struct Avx512;

    /// The bytes 0 to 63, to be compressed by a mask into the positions of its bits.
    static POSITIONS: [u8; 64] = {
        let mut all = [0; 64];
        let mut i = 0;
        while i < 64 {
            all[i] = i as u8;
            i += 1;
        }
        all
    };

    impl Block for Avx512 {
        type High = __m512i;

        #[inline(always)]
        unsafe fn no_high() -> __m512i {
            // SAFETY: the caller vouches for AVX-512.
            unsafe { _mm512_setzero_si512() }
        }

        #[inline(always)]
        unsafe fn any_high(high: __m512i) -> bool {
            // SAFETY: the caller vouches for AVX-512.
            unsafe { _mm512_movepi8_mask(high) != 0 }
        }

        #[inline(always)]
        unsafe fn masks(at: *const u8, delimiter: u8, quote: u8, high: &mut __m512i) -> Masks {
            // SAFETY: the caller vouches for AVX-512 and 64 readable bytes; the load is unaligned.
            unsafe {
                let block = _mm512_loadu_si512(at.cast());
                *high = _mm512_or_si512(*high, block);
                let find = |byte: u8| _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8));
                Masks {
                    quote: find(quote),
                    delimiter: find(delimiter),
                    lf: find(b'\n'),
                    cr: find(b'\r'),
                }
            }
        }

        #[inline(always)]
        unsafe fn prefix_xor(mask: u64) -> u64 {
            // Multiplying without carries by all ones adds (xors) all left shifts of the mask.
            // SAFETY: the caller vouches for PCLMULQDQ.
            unsafe {
                let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, mask as i64), _mm_set1_epi8(-1));
                _mm_cvtsi128_si64(product) as u64
            }
        }

        #[inline(always)]
        unsafe fn write_positions(mask: u64, base: u32, to: *mut u32) {
            // Thirty-two at a time, needed or not: whether a block has more than sixteen is poorly
            // predicted, more than thirty-two is rare. What lies beyond the last set bit is
            // overwritten by the next block.
            // SAFETY: the caller vouches for AVX-512 and for 64 writable values; the stores are
            // unaligned.
            unsafe {
                let all = _mm512_loadu_si512(POSITIONS.as_ptr().cast());
                let found = _mm512_maskz_compress_epi8(mask, all);
                let base = _mm512_set1_epi32(base as i32);
                let widen = |part| _mm512_add_epi32(_mm512_cvtepu8_epi32(part), base);
                _mm512_storeu_si512(to.cast(), widen(_mm512_castsi512_si128(found)));
                _mm512_storeu_si512(to.add(16).cast(), widen(_mm512_extracti32x4_epi32::<1>(found)));
                if mask.count_ones() > 32 {
                    let third = widen(_mm512_extracti32x4_epi32::<2>(found));
                    let fourth = widen(_mm512_extracti32x4_epi32::<3>(found));
                    _mm512_storeu_si512(to.add(32).cast(), third);
                    _mm512_storeu_si512(to.add(48).cast(), fourth);
                }
            }
        }
    }

    /// Whether this processor can run it.
    pub fn supported() -> bool {
        super::super::scan_avx2::supported()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi2")
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    fn scan_here(b: &[u8], base: u32, d: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
        // SAFETY: this function runs only where its instruction set is.
        unsafe { scan_walk::scan::<Avx512>(b, base, d, inside, ends) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    fn count_here(b: &[u8], d: &Dialect, inside: bool) -> Counted {
        // SAFETY: this function runs only where its instruction set is.
        unsafe { scan_walk::count::<Avx512>(b, d, inside) }
    }

    /// [`crate::kernel::scan::scan`].
    ///
    /// # Panics
    /// If [`supported`] is false.
    pub fn scan(b: &[u8], base: u32, d: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
        assert!(supported());
        // SAFETY: checked in the line above.
        unsafe { scan_here(b, base, d, inside, ends) }
    }

    /// [`crate::kernel::scan::count`].
    ///
    /// # Panics
    /// If [`supported`] is false.
    pub fn count(b: &[u8], d: &Dialect, inside: bool) -> Counted {
        assert!(supported());
        // SAFETY: checked in the line above.
        unsafe { count_here(b, d, inside) }
    }
}
