//! Exact sums of products of floats of usual size, in 256 bits: no carry beyond, no memory besides.
//!
//! ```text
//!   x is m·2^k units of 2^-80, k at most 70: below 2^43      x·y is m·m'·2^(k+k') units of 2^-160: below 2^246
//! ```

use super::big::{Big, parts_of};
use super::codec::take;
use super::exact::UNIT;

/// A float as a whole number of units, as long as it is one.
#[derive(Debug, Clone, Copy)]
pub struct Units {
    m: u64,
    shift: u32,
    negative: bool,
}

/// The most places that a mantissa is moved up.
pub const MOST: u32 = 70;

impl Units {
    /// None for what is too large, or no whole number of units.
    #[inline(always)]
    pub fn of(x: f64) -> Option<Units> {
        let bits = x.to_bits();
        let shift = ((bits >> 52) as i32 & 0x7ff) - 1075 + UNIT;
        match (0..=MOST as i32).contains(&shift) {
            true => Some(Units {
                m: bits & ((1 << 52) - 1) | 1 << 52,
                shift: shift as u32,
                negative: bits >> 63 == 1,
            }),
            false => Units::small(x),
        }
    }

    #[cold]
    fn small(x: f64) -> Option<Units> {
        let (negative, m, exponent) = parts_of(x);
        let below = -(exponent + UNIT);
        if m == 0 {
            return Some(Units {
                m,
                shift: 0,
                negative: false,
            });
        }
        let whole = below > 0 && m.trailing_zeros() as i32 >= below;
        whole.then(|| Units {
            m: m >> below,
            shift: 0,
            negative,
        })
    }

    /// As many units.
    #[inline(always)]
    pub fn count(self) -> i128 {
        let m = i128::from(self.m) << self.shift;
        if self.negative { -m } else { m }
    }
}

/// A sum of units as one number.
#[inline(always)]
pub fn units(sum: [u64; 2]) -> i128 {
    (u128::from(sum[1]) << 64 | u128::from(sum[0])) as i128
}

/// A number of units in words, the lowest first: they need not lie where a number of 128 bits must.
#[inline(always)]
pub fn words(units: i128) -> [u64; 2] {
    [units as u64, (units as u128 >> 64) as u64]
}

/// Adds to a sum of units; false, and nothing is done, where that does not fit.
#[inline(always)]
pub fn add_units(sum: &mut [u64; 2], x: i128) -> bool {
    match units(*sum).checked_add(x) {
        Some(v) => {
            *sum = words(v);
            true
        }
        None => false,
    }
}

/// A sum of units as a number of any width.
pub fn wide_units(sum: [u64; 2]) -> Big {
    Big::of(units(sum), -UNIT)
}

/// A sum of products, in two's complement, the lowest limb first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Products([u64; 4]);

impl Products {
    /// A whole number.
    pub fn of(x: i64) -> Products {
        // 2^160 units: two words and a half
        let moved = i128::from(x) << 32;
        let [low, high] = words(moved);
        Products([0, 0, low, high])
    }

    /// Adds a product, or with `minus` takes it off; false, and nothing is done, where that does not fit.
    #[inline(always)]
    pub fn add(&mut self, a: Units, b: Units, minus: bool) -> bool {
        let product = u128::from(a.m) * u128::from(b.m);
        let shift = a.shift + b.shift;
        let (word, bit) = (shift / 64, shift % 64);
        let low = u128::from(product as u64) << bit;
        let high = (product >> 64) << bit;
        let limbs = [low as u64, (low >> 64) as u64 | high as u64, (high >> 64) as u64];
        let limbs = match word {
            0 => [limbs[0], limbs[1], limbs[2], 0],
            1 => [0, limbs[0], limbs[1], limbs[2]],
            // at most 140 places: the highest limb is empty
            _ => [0, 0, limbs[0], limbs[1]],
        };
        self.add_limbs(limbs, a.negative ^ b.negative ^ minus)
    }

    #[inline(always)]
    fn add_limbs(&mut self, limbs: [u64; 4], minus: bool) -> bool {
        let mask = if minus { u64::MAX } else { 0 };
        let mut out = [0; 4];
        let mut carry = minus;
        for i in 0..4 {
            let (sum, one) = self.0[i].overflowing_add(limbs[i] ^ mask);
            let (sum, two) = sum.overflowing_add(carry.into());
            (out[i], carry) = (sum, one | two);
        }
        let part = limbs[3] ^ mask;
        let fits = (self.0[3] ^ out[3]) & (part ^ out[3]) >> 63 << 63 == 0;
        if fits {
            self.0 = out;
        }
        fits
    }

    /// Adds another sum; false, and nothing is done, where that does not fit.
    pub fn merge(&mut self, other: &Products) -> bool {
        self.add_limbs(other.0, false)
    }

    /// Appends the sum.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_limbs(out, &self.0);
    }

    /// Reads a sum from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<Products> {
        limbs(bytes).map(Products)
    }

    /// The sum as a number of any width.
    pub fn wide(&self) -> Big {
        let negative = self.0[3] >> 63 == 1;
        let mut size = Products::default();
        let mut out = Big::default();
        match negative {
            true => _ = size.add_limbs(self.0, true),
            false => size = *self,
        }
        out.add_bits(&size.0, negative, -2 * UNIT);
        out
    }
}

/// Appends a number in two's complement, the lowest limb first, without bytes that say nothing at its ends.
pub fn put_limbs<const N: usize>(out: &mut Vec<u8>, limbs: &[u64; N]) {
    let bytes: Vec<u8> = limbs.iter().flat_map(|l| l.to_le_bytes()).collect();
    let from = bytes.iter().take_while(|&&b| b == 0).count();
    let sign = if limbs[N - 1] >> 63 == 1 { 0xff } else { 0 };
    let mut to = bytes.len();
    while to > from && bytes[to - 1] == sign && (to == from + 1 || (bytes[to - 2] ^ sign) < 0x80) {
        to -= 1;
    }
    if to == from && sign != 0 {
        to = from + 1;
    }
    out.extend([from as u8, (to - from) as u8]);
    out.extend_from_slice(&bytes[from..to]);
}

/// Reads such a number from the front of `bytes`.
pub fn limbs<const N: usize>(bytes: &mut &[u8]) -> Option<[u64; N]> {
    let head = take(bytes, 2)?;
    let (from, n) = (usize::from(head[0]), usize::from(head[1]));
    let part = take(bytes, n)?;
    let sign = if part.last().is_some_and(|b| *b >= 0x80) {
        0xff
    } else {
        0
    };
    let mut all = vec![0; from];
    all.extend_from_slice(part);
    if all.len() > N * 8 {
        return None;
    }
    all.resize(N * 8, sign);
    let mut out = [0; N];
    for (limb, b) in out.iter_mut().zip(all.chunks_exact(8)) {
        *limb = u64::from_le_bytes(b.try_into().ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_numbers_of_any_width(
            all in prop::collection::vec((prop_oneof![-8e12f64..8e12, -1e3f64..1e3], -8e12f64..8e12, any::<bool>()), 0..30),
        ) {
            let (mut sum, mut products) = ([0; 2], Products::default());
            let (mut wide_sum, mut wide) = (Big::default(), Big::default());
            for &(a, b, minus) in &all {
                let (Some(u), Some(v)) = (Units::of(a), Units::of(b)) else { continue };
                prop_assert!(add_units(&mut sum, u.count()));
                wide_sum.change_float(a, false);
                prop_assert!(products.add(u, v, minus));
                wide.change_product(a, b, minus);
            }
            wide_sum.subtract(&wide_units(sum));
            wide.subtract(&products.wide());
            prop_assert!(wide_sum.is_zero() && wide.is_zero());
        }
    }

    proptest! {
        #[test]
        fn bytes_and_back(a: i128, shift in 0u32..127, up in 0u32..100) {
            let v = (a >> shift).wrapping_shl(up);
            let sum = [v as u64, (v as u128 >> 64) as u64];
            let mut bytes = Vec::new();
            put_limbs(&mut bytes, &sum);
            prop_assert_eq!(limbs::<2>(&mut bytes.as_slice()), Some(sum));
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let most = Units::of(8e12).unwrap();
        let mut products = Products::default();
        let mut n = 0u64;
        while products.add(most, most, true) {
            n += 1;
            assert!(products.wide().is_below_zero());
            let twice = products;
            if !products.merge(&twice) {
                break;
            }
        }
        assert!(n > 4, "{n}");
        assert!(Units::of(1e-30).is_none() && Units::of(1e30).is_none() && Units::of(f64::NAN).is_none());
        assert_eq!(Units::of(0.0).unwrap().count(), 0);
        assert_eq!(Units::of(-(2f64.powi(-80))).unwrap().count(), -1);
    }
}
