//! Sums of pairs of whole numbers of usual size, in registers' width: what correlations of counts, prices in cents and
//! the like need. They are as exact as the wide ones, at a fifth of the work and without memory of their own.
//!
//! ```text
//!   |x|, |y| < 2^31: products below 2^62        a sum that leaves its bounds ─► the wide sums take over
//! ```

use super::codec::{put_signed, signed};

/// Values from here on are none of usual size.
const LEAST_LARGE: f64 = (1u64 << 31) as f64;
/// Sums of values stay below, so that the wide sums can take them over.
const LEAST_LARGE_SUM: u64 = 1 << 46;

/// The sums of pairs of whole numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WholePairs {
    /// Of the first, and of the second.
    pub sums: [i64; 2],
    /// Of squares of the first, of the second, and of what they are together.
    pub products: [i64; 3],
}

/// A float as a whole number of usual size, if it is one.
#[inline(always)]
fn whole(x: f64) -> Option<i64> {
    let n = x as i64;
    (n as f64 == x && x.abs() < LEAST_LARGE).then_some(n)
}

impl WholePairs {
    /// The sums with a pair more, or with `minus` one less; none where they cannot hold it.
    #[inline(always)]
    pub fn changed(&self, (a, b): (f64, f64), minus: bool) -> Option<WholePairs> {
        let (a, b) = (whole(a)?, whole(b)?);
        let one = WholePairs {
            sums: [a, b],
            products: [a * a, b * b, a * b],
        };
        let of = |sum: i64, x: i64| match minus {
            true => sum.checked_sub(x),
            false => sum.checked_add(x),
        };
        self.each(&one, of)
    }

    /// Both together; none where these sums cannot hold that.
    pub fn with(&self, other: &WholePairs) -> Option<WholePairs> {
        self.each(other, i64::checked_add)
    }

    #[inline(always)]
    fn each(&self, other: &WholePairs, of: impl Fn(i64, i64) -> Option<i64>) -> Option<WholePairs> {
        let sum = |k: usize| of(self.sums[k], other.sums[k]).filter(|s| s.unsigned_abs() < LEAST_LARGE_SUM);
        let product = |k: usize| of(self.products[k], other.products[k]);
        Some(WholePairs {
            sums: [sum(0)?, sum(1)?],
            products: [product(0)?, product(1)?, product(2)?],
        })
    }

    /// Appends the sums.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for &x in self.sums.iter().chain(&self.products) {
            put_signed(out, x.into());
        }
    }

    /// Reads sums from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<WholePairs> {
        let mut all = WholePairs::default();
        for x in all.sums.iter_mut().chain(&mut all.products) {
            *x = i64::try_from(signed(bytes)?).ok()?;
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_too_large_is_left_to_others() {
        let empty = WholePairs::default();
        for x in [0.5, 2f64.powi(31), -2f64.powi(31), 1e300, f64::NAN, f64::INFINITY] {
            assert!(empty.changed((x, 1.0), false).is_none() && empty.changed((1.0, x), false).is_none());
        }
        let most = 2f64.powi(31) - 1.0;
        let mut all = empty;
        let mut n = 0;
        while let Some(more) = all.changed((most, -1.0), false) {
            (all, n) = (more, n + 1);
        }
        assert_eq!(n, 2); // two squares of 62 bits
        assert_eq!(
            all.changed((most, -1.0), true)
                .and_then(|a| a.changed((most, -1.0), true)),
            Some(empty)
        );
    }

    proptest! {
        #[test]
        fn bytes_and_back(sums: [i64; 2], products: [i64; 3]) {
            let all = WholePairs { sums, products };
            let mut bytes = Vec::new();
            all.encode(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(WholePairs::decode(&mut rest), Some(all));
            prop_assert!(rest.is_empty());
        }
    }
}
