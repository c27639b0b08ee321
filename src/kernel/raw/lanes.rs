//! [`crate::kernel::parse::lanes`] compiled for the vectors of the machine it runs on.

use crate::kernel::parse::Bounds;
use crate::kernel::parse::lanes::{self, Block, ROWS};

macro_rules! versions {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*)) => {
        $(#[$doc])*
        #[inline]
        pub fn $name($($arg: $ty),*) -> u64 {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,popcnt,bmi1,bmi2")]
                fn avx512($($arg: $ty),*) -> u64 {
                    lanes::$name($($arg),*)
                }
                #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
                fn avx2($($arg: $ty),*) -> u64 {
                    lanes::$name($($arg),*)
                }
                if super::scan_avx512::supported()
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                {
                    // SAFETY: `supported` tells of AVX-512 F, BW, VL and of BMI; the rest was asked for here.
                    return unsafe { avx512($($arg),*) };
                }
                if super::scan_avx2::supported() {
                    // SAFETY: `supported` tells of AVX2, POPCNT and BMI.
                    return unsafe { avx2($($arg),*) };
                }
            }
            lanes::$name($($arg),*)
        }
    };
}

versions!(
    /// Integers; bit `i` of the answer tells whether row `i` was one.
    ints(block: &Block, out: &mut [i64; ROWS]));
versions!(
    /// Floats; bit `i` of the answer tells whether row `i` was one.
    floats(block: &Block, out: &mut [f64; ROWS]));
versions!(
    /// Floats of up to sixteen bytes, `next` being the second eight.
    long_floats(block: &Block, next: &[u64; ROWS], out: &mut [f64; ROWS]));
versions!(
    /// Bit `i` tells whether field `i` is not empty.
    present(bounds: &Bounds));
