//! Products of floats that do not depend on the order of their factors.
//!
//! ```text
//!   ± 256 bits · 2^exponent      bits below are cut off, and remembered as "a little more"
//! ```
//!
//! A product of up to 256 bits is exact, so any order gives the same. A longer one is cut by less than one
//! part in 2^255 a factor, while the result keeps 53 bits: an order could be seen only where the two hundred
//! bits behind these are all alike.

use super::exact::round;

/// The product of floats.
#[derive(Debug, Clone, PartialEq)]
pub struct WideProduct {
    /// Lowest word first; the highest bit is set.
    bits: [u64; 4],
    exponent: i64,
    negative: bool,
    /// Whether something was cut off.
    more: bool,
    zero: bool,
    infinite: bool,
    nan: bool,
}

impl Default for WideProduct {
    fn default() -> Self {
        WideProduct {
            bits: [0, 0, 0, 1 << 63],
            exponent: -255,
            negative: false,
            more: false,
            zero: false,
            infinite: false,
            nan: false,
        }
    }
}

impl WideProduct {
    /// Multiplies by a value.
    pub fn add(&mut self, x: f64) {
        self.negative ^= x.is_sign_negative() && !x.is_nan();
        let bits = x.to_bits();
        let (exponent, fraction) = ((bits >> 52) as i64 & 0x7ff, bits & ((1 << 52) - 1));
        match exponent {
            0x7ff => {
                self.nan |= fraction != 0;
                self.infinite |= fraction == 0;
            }
            0 if fraction == 0 => self.zero = true,
            0 => self.multiply(&[fraction], -1074),
            e => self.multiply(&[fraction | 1 << 52], e - 1075),
        }
    }

    /// Multiplies by another product.
    pub fn merge(&mut self, other: &WideProduct) {
        self.negative ^= other.negative;
        self.more |= other.more;
        self.zero |= other.zero;
        self.infinite |= other.infinite;
        self.nan |= other.nan;
        self.multiply(&other.bits, other.exponent);
    }

    fn multiply(&mut self, by: &[u64], exponent: i64) {
        let mut all = [0u64; 8];
        for (i, &a) in self.bits.iter().enumerate() {
            let mut carry = 0u128;
            for (j, &b) in by.iter().enumerate() {
                let sum = u128::from(a) * u128::from(b) + u128::from(all[i + j]) + carry;
                all[i + j] = sum as u64;
                carry = sum >> 64;
            }
            all[i + by.len()] = carry as u64;
        }
        let top = all.iter().rposition(|&w| w != 0).unwrap_or(0);
        // the highest bit goes to the top of the highest of four words
        let drop = 64 * (top as i64 - 3) - i64::from(all[top].leading_zeros());
        let word = |at: i64| {
            usize::try_from(at)
                .ok()
                .and_then(|i| all.get(i))
                .copied()
                .unwrap_or(0)
        };
        let (words, shift) = (drop.div_euclid(64), drop.rem_euclid(64) as u32);
        for (i, out) in self.bits.iter_mut().enumerate() {
            let at = words + i as i64;
            *out = match shift {
                0 => word(at),
                s => word(at) >> s | word(at + 1) << (64 - s),
            };
        }
        self.more |= (0..words).any(|w| word(w) != 0);
        self.more |= shift > 0 && words >= 0 && word(words) << (64 - shift) != 0;
        self.exponent += exponent + drop;
    }

    /// The product, rounded once.
    pub fn to_f64(&self) -> f64 {
        if self.nan || self.zero && self.infinite {
            return f64::NAN;
        }
        let sign = |x: f64| if self.negative { -x } else { x };
        if self.zero {
            return 0.0;
        }
        if self.infinite {
            return sign(f64::INFINITY);
        }
        let top = u128::from(self.bits[3]) << 64 | u128::from(self.bits[2]);
        let more = self.more || self.bits[0] != 0 || self.bits[1] != 0;
        // far beyond the range of floats either way is as good as farther
        let exponent = (self.exponent + 128).clamp(-4000, 4000) as i32;
        sign(round(top, more, exponent)) + 0.0
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flags = [self.negative, self.more, self.zero, self.infinite, self.nan];
        let flags = flags.iter().enumerate();
        out.push(flags.fold(0, |all, (i, &f)| all | u8::from(f) << i));
        out.extend_from_slice(&self.exponent.to_le_bytes());
        self.bits
            .iter()
            .for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<WideProduct> {
        let (head, rest) = bytes.split_at_checked(41)?;
        *bytes = rest;
        let word = |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let flag = |i: u8| head[0] >> i & 1 == 1;
        Some(WideProduct {
            bits: [word(9)?, word(17)?, word(25)?, word(33)?],
            exponent: word(1)? as i64,
            negative: flag(0),
            more: flag(1),
            zero: flag(2),
            infinite: flag(3),
            nan: flag(4),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> WideProduct {
        let mut all = WideProduct::default();
        values.iter().for_each(|&x| all.add(x));
        all
    }

    #[test]
    fn known_products() {
        let product = |v: &[f64]| of(v).to_f64();
        assert_eq!(product(&[]), 1.0);
        assert_eq!(product(&[2.0, 3.0, -7.0]), -42.0);
        assert_eq!(
            product(&(1..=20).map(f64::from).collect::<Vec<_>>()),
            2432902008176640000.0
        );
        // far beyond the range of floats and back
        let (large, small) = (2f64.powi(1000), 2f64.powi(-1000));
        assert_eq!(product(&[large, large, 3.0, small, small]), 3.0);
        assert_eq!(product(&[1e300; 5]), f64::INFINITY);
        assert_eq!(product(&[1e-300; 5]), 0.0);
        assert_eq!(product(&[5e-324, 0.5, 2.0]), 5e-324);
        assert_eq!(product(&[0.0, -3.0]).to_bits(), 0);
        assert!(product(&[0.0, f64::INFINITY]).is_nan());
        assert_eq!(product(&[-1.0, f64::INFINITY]), f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(v in prop::collection::vec(any::<f64>(), 0..40), cut in 0usize..40) {
            let cut = cut.min(v.len());
            let mut bytes = Vec::new();
            of(&v[..cut]).encode(&mut bytes);
            let mut rest = bytes.as_slice();
            let mut parts = of(&v[cut..]);
            parts.merge(&WideProduct::decode(&mut rest).unwrap());
            prop_assert!(rest.is_empty());
            let mut back = v.clone();
            back.reverse();
            prop_assert_eq!(parts.to_f64().to_bits(), of(&v).to_f64().to_bits());
            prop_assert_eq!(of(&back).to_f64().to_bits(), of(&v).to_f64().to_bits());
        }
        #[test]
        fn two_values_round_as_the_processor_does(a: f64, b: f64) {
            let (ours, theirs) = (of(&[a, b]).to_f64(), a * b + 0.0);
            prop_assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "{} {}", ours, theirs);
        }
    }
}
