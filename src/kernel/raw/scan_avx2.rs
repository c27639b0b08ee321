//! The scanner for AVX2: two registers a block, positions by counting trailing zeros.

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

    /// Two registers of 32 bytes a block.
    #[derive(Clone, Copy)]
    struct Avx2;

    impl Block for Avx2 {
        type High = __m256i;

        #[inline(always)]
        unsafe fn no_high() -> __m256i {
            // SAFETY: the caller vouches for AVX2.
            unsafe { _mm256_setzero_si256() }
        }

        #[inline(always)]
        unsafe fn any_high(high: __m256i) -> bool {
            // SAFETY: the caller vouches for AVX2.
            unsafe { _mm256_movemask_epi8(high) != 0 }
        }

        #[inline(always)]
        unsafe fn masks(at: *const u8, delimiter: u8, quote: u8, high: &mut __m256i) -> Masks {
            // SAFETY: the caller vouches for AVX2 and for 64 readable bytes; the loads are unaligned.
            unsafe {
                let low = _mm256_loadu_si256(at.cast());
                let top = _mm256_loadu_si256(at.add(32).cast());
                *high = _mm256_or_si256(*high, _mm256_or_si256(low, top));
                let find = |byte: u8| {
                    let byte = _mm256_set1_epi8(byte as i8);
                    let l = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte)) as u32;
                    let t = _mm256_movemask_epi8(_mm256_cmpeq_epi8(top, byte)) as u32;
                    u64::from(l) | (u64::from(t) << 32)
                };
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
            // Eight at a time, needed or not (the count is poorly predicted); what lies beyond
            // the last set bit is overwritten by the next block.
            let (mut rest, mut done) = (mask, 0);
            while rest != 0 {
                for i in 0..8 {
                    // SAFETY: done + i < 64 since done counts bits taken in whole eights; the
                    // caller vouches for 64 writable values.
                    unsafe { *to.add(done + i) = base.wrapping_add(rest.trailing_zeros()) };
                    rest &= rest.wrapping_sub(1);
                }
                done += 8;
            }
        }
    }

    /// Whether this processor can run it.
    pub fn supported() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("pclmulqdq")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    fn scan_here(b: &[u8], base: u32, d: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
        // SAFETY: this function runs only where its instruction set is.
        unsafe { scan_walk::scan::<Avx2>(b, base, d, inside, ends) }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    fn count_here(b: &[u8], d: &Dialect, inside: bool) -> Counted {
        // SAFETY: this function runs only where its instruction set is.
        unsafe { scan_walk::count::<Avx2>(b, d, inside) }
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
