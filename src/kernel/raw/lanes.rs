//! [`crate::kernel::parse::lanes`] compiled for the vectors of the machine it runs on.

use crate::kernel::parse::lanes::{self, Block, ROWS};

macro_rules! versions {
    ($name:ident, $ty:ty, $doc:literal) => {
        #[doc = $doc]
        #[inline]
        pub fn $name(block: &Block, out: &mut [$ty; ROWS]) -> u64 {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(
                    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,popcnt,bmi1,bmi2"
                )]
                fn avx512(block: &Block, out: &mut [$ty; ROWS]) -> u64 {
                    lanes::$name(block, out)
                }
                #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
                fn avx2(block: &Block, out: &mut [$ty; ROWS]) -> u64 {
                    lanes::$name(block, out)
                }
                if super::scan_avx512::supported()
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                {
                    // SAFETY: `supported` tells of AVX-512 F, BW, VL and of BMI; the rest was asked for here.
                    return unsafe { avx512(block, out) };
                }
                if super::scan_avx2::supported() {
                    // SAFETY: `supported` tells of AVX2, POPCNT and BMI.
                    return unsafe { avx2(block, out) };
                }
            }
            lanes::$name(block, out)
        }
    };
}

versions!(
    ints,
    i64,
    "Integers; bit `i` of the answer tells whether row `i` was one."
);
versions!(
    floats,
    f64,
    "Floats; bit `i` of the answer tells whether row `i` was one."
);
