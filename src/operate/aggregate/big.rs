//! Binary fixed-point numbers of any width, for sums that must be exact whatever is summed.
//!
//! ```text
//!   limbs[0]·2^(64·low) + limbs[1]·2^(64·(low+1)) + …       two's complement: the last limb has the sign
//! ```
//!
//! A float is a whole number of 53 bits times a power of two; so sums of floats, of their powers and of their
//! products are such numbers, and so is what variances and correlations are the quotients of. Only limbs between
//! the lowest and the highest bit are there: one value takes a limb or two, not the 4200 bits of the whole range.

use super::codec::{put_signed, put_varint, signed, take, varint};
use super::exact::round;
use super::scaled::Scaled;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Big {
    limbs: Vec<u64>,
    low: i32,
}

/// The bits of a finite float: `±m · 2^exponent`.
#[inline(always)]
pub fn parts_of(x: f64) -> (bool, u64, i32) {
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
    match exponent {
        0 => (x < 0.0, fraction, -1074),
        e => (x < 0.0, fraction | 1 << 52, e - 1075),
    }
}

impl Big {
    /// A whole number times `2^exponent`.
    pub fn of(value: i128, exponent: i32) -> Big {
        let mut out = Big::default();
        out.add_bits(&halves(value.unsigned_abs()), value < 0, exponent);
        out
    }

    /// A whole number without a sign.
    pub fn whole(value: u128) -> Big {
        let mut out = Big::default();
        out.add_bits(&halves(value), false, 0);
        out
    }

    /// Adds `±bits · 2^exponent`, the lowest limb first.
    pub fn add_bits(&mut self, bits: &[u64], negative: bool, exponent: i32) {
        let Some(top) = bits.iter().rposition(|&l| l != 0) else {
            return;
        };
        let bits = &bits[..=top];
        let (start, shift) = (exponent.div_euclid(64), exponent.rem_euclid(64) as u32);
        // what is shifted out leaves the highest bit of the limb it goes to clear, for the sign
        let used = bits.len() + 1;
        self.cover(start, start + used as i32);
        let was_negative = self.is_negative();
        let from = (start - self.low) as usize;
        let shifted = |i: usize| {
            let (here, below) = (
                bits.get(i).copied().unwrap_or(0),
                if i > 0 { bits[i - 1] } else { 0 },
            );
            match shift {
                0 => here,
                s => here << s | below >> (64 - s),
            }
        };
        let mut carry = false;
        for (i, limb) in self.limbs[from..].iter_mut().enumerate() {
            if i >= used && !carry {
                break;
            }
            let part = if i < used { shifted(i) } else { 0 };
            (*limb, carry) = match negative {
                false => plus(*limb, part, carry),
                true => minus(*limb, part, carry),
            };
        }
        if was_negative == negative && self.is_negative() != negative {
            self.limbs.push(if negative { u64::MAX } else { 0 });
        }
    }

    /// Makes limbs of the places `from..to` be there.
    fn cover(&mut self, from: i32, to: i32) {
        if self.limbs.is_empty() {
            self.low = from;
        }
        if from < self.low {
            let more = (self.low - from) as usize;
            self.limbs.reserve_exact(more);
            self.limbs.splice(0..0, std::iter::repeat_n(0, more));
            self.low = from;
        }
        let want = (to - self.low) as usize;
        if want > self.limbs.len() {
            let sign = if self.is_negative() { u64::MAX } else { 0 };
            self.limbs.reserve_exact(want - self.limbs.len());
            self.limbs.resize(want, sign);
        }
    }

    fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|&l| l >> 63 == 1)
    }

    /// Adds a finite float, or with `minus` takes it off.
    pub fn change_float(&mut self, x: f64, minus: bool) {
        let (negative, m, exponent) = parts_of(x);
        self.add_bits(&[m], negative != minus, exponent);
    }

    /// Adds the product of two finite floats, or with `minus` takes it off.
    pub fn change_product(&mut self, a: f64, b: f64, minus: bool) {
        let ((sa, ma, ea), (sb, mb, eb)) = (parts_of(a), parts_of(b));
        let bits = halves(u128::from(ma) * u128::from(mb));
        self.add_bits(&bits, (sa != sb) != minus, ea + eb);
    }

    /// Adds another number.
    pub fn add(&mut self, other: &Big) {
        let (negative, bits) = other.magnitude();
        self.add_bits(&bits, negative, other.low * 64);
    }

    /// Takes another number off.
    pub fn subtract(&mut self, other: &Big) {
        let (negative, bits) = other.magnitude();
        self.add_bits(&bits, !negative, other.low * 64);
    }

    /// The number without its sign, and whether that is minus.
    fn magnitude(&self) -> (bool, Vec<u64>) {
        let mut limbs = self.limbs.clone();
        let negative = self.is_negative();
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = plus(!*limb, 0, carry);
            }
        }
        (negative, limbs)
    }

    /// The product of two numbers.
    pub fn times(&self, other: &Big) -> Big {
        let ((sa, a), (sb, b)) = (self.magnitude(), other.magnitude());
        let bits = multiply(&a, &b);
        let mut out = Big::default();
        out.add_bits(&bits, sa != sb, (self.low + other.low) * 64);
        out
    }

    /// As many times a whole number.
    pub fn by(&self, n: u64) -> Big {
        self.times(&Big::whole(n.into()))
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.limbs.iter().all(|&l| l == 0)
    }

    /// Whether it is less than zero.
    pub fn is_below_zero(&self) -> bool {
        self.is_negative()
    }

    /// The nearest float with an exponent of its own.
    pub fn scaled(&self) -> Scaled {
        match self.top() {
            None => Scaled::of(0.0),
            Some((negative, bits, sticky, exponent)) => {
                let m = round(bits, sticky, 0);
                Scaled::new(if negative { -m } else { m }, exponent)
            }
        }
    }

    /// The nearest float, ties to even.
    pub fn to_f64(&self) -> f64 {
        match self.top() {
            None => 0.0,
            Some((negative, bits, sticky, exponent)) => {
                let value = round(bits, sticky, exponent);
                if negative { -value } else { value }
            }
        }
    }

    /// The sign, up to 128 bits from the highest one on, whether anything is below them, and the exponent of
    /// the lowest of them; none of zero.
    fn top(&self) -> Option<(bool, u128, bool, i32)> {
        let (negative, limbs) = self.magnitude();
        let top = limbs.iter().rposition(|&l| l != 0)?;
        let limb = |k: usize| if top >= k { u128::from(limbs[top - k]) } else { 0 };
        let shift = limbs[top].leading_zeros();
        let mut bits = limb(0) << 64 | limb(1);
        let mut below = limb(2) as u64;
        if shift > 0 {
            bits = bits << shift | u128::from(below >> (64 - shift));
            below <<= shift;
        }
        let sticky = below != 0 || top >= 3 && limbs[..top - 2].iter().any(|&l| l != 0);
        let exponent = (self.low + top as i32 - 1) * 64 - shift as i32;
        Some((negative, bits, sticky, exponent))
    }

    /// Bytes held besides itself.
    pub fn bytes(&self) -> usize {
        self.limbs.capacity() * 8
    }

    /// Appends it to `out`, without limbs that say nothing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let zeros = self.limbs.iter().take_while(|&&l| l == 0).count();
        let mut limbs = &self.limbs[zeros..];
        while let [rest @ .., before, last] = limbs
            && (*last == 0 && before >> 63 == 0 || *last == u64::MAX && before >> 63 == 1)
        {
            limbs = &limbs[..rest.len() + 1];
        }
        put_varint(out, limbs.len() as u128);
        if !limbs.is_empty() {
            put_signed(out, i128::from(self.low) + zeros as i128);
            limbs.iter().for_each(|l| out.extend_from_slice(&l.to_le_bytes()));
        }
    }

    /// Reads one from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<Big> {
        let n = usize::try_from(varint(bytes)?).ok()?;
        if n == 0 {
            return Some(Big::default());
        }
        let low = i32::try_from(signed(bytes)?).ok()?;
        let limbs = take(bytes, n.checked_mul(8)?)?;
        let limb = |b: &[u8]| Some(u64::from_le_bytes(b.try_into().ok()?));
        let limbs = limbs.chunks_exact(8).map(limb).collect::<Option<Vec<u64>>>()?;
        Some(Big { limbs, low })
    }
}

fn halves(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

#[inline(always)]
fn plus(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, one) = a.overflowing_add(b);
    let (sum, two) = sum.overflowing_add(carry.into());
    (sum, one | two)
}

#[inline(always)]
fn minus(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (left, one) = a.overflowing_sub(b);
    let (left, two) = left.overflowing_sub(borrow.into());
    (left, one | two)
}

/// The product of two numbers without signs, the lowest limb first.
pub fn multiply(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut out = vec![0; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate().filter(|(_, x)| **x != 0) {
        let mut carry = 0;
        for (j, &y) in b.iter().enumerate() {
            let t = u128::from(x) * u128::from(y) + u128::from(out[i + j]) + carry;
            out[i + j] = t as u64;
            carry = t >> 64;
        }
        out[i + b.len()] = carry as u64;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = (i128, i32)> {
        (any::<i128>(), 0u32..120, -70i32..70).prop_map(|(v, shift, e)| (v >> shift, e))
    }

    /// Small numbers are checked by whole numbers of 128 bits.
    fn as_whole(b: &Big) -> i128 {
        let (negative, bits) = b.magnitude();
        let at = |i: i32| {
            u128::from(
                usize::try_from(i - b.low)
                    .ok()
                    .and_then(|i| bits.get(i))
                    .copied()
                    .unwrap_or(0),
            )
        };
        let v = (at(0) | at(1) << 64) as i128;
        if negative { -v } else { v }
    }

    proptest! {
        #[test]
        fn sums_and_products_are_those_of_whole_numbers(
            all in prop::collection::vec((any::<i64>(), 0u32..60), 0..20), a: i64, b: i64,
        ) {
            let (mut sum, mut want) = (Big::default(), 0i128);
            for &(v, shift) in &all {
                let (v, shift) = (i128::from(v >> 3), shift);
                sum.add_bits(&halves(v.unsigned_abs()), v < 0, shift as i32);
                want += v << shift;
            }
            prop_assert_eq!(as_whole(&sum), want);
            let product = Big::of(a.into(), 0).times(&Big::of(b.into(), 0));
            prop_assert_eq!(as_whole(&product), i128::from(a) * i128::from(b));
        }

        #[test]
        fn what_is_added_and_taken_off_leaves_nothing(all in prop::collection::vec(value(), 1..20)) {
            let mut sum = Big::default();
            let each: Vec<Big> = all.iter().map(|&(v, e)| Big::of(v, e)).collect();
            each.iter().for_each(|b| sum.add(b));
            let mut bytes = Vec::new();
            sum.encode(&mut bytes);
            let mut back = Big::decode(&mut bytes.as_slice()).unwrap();
            prop_assert_eq!(back.to_f64().to_bits(), sum.to_f64().to_bits());
            each.iter().rev().for_each(|b| back.subtract(b));
            prop_assert!(back.is_zero());
        }

        #[test]
        fn rounded_as_the_processor_does(a: f64, b: f64) {
            prop_assume!(a.is_finite() && b.is_finite());
            let (mut sum, mut product) = (Big::default(), Big::default());
            sum.change_float(a, false);
            product.change_float(b, false);
            let product = product.times(&sum);
            sum.change_float(b, false);
            let mut at_once = product.clone();
            at_once.change_product(a, b, true);
            prop_assert!(at_once.is_zero());
            prop_assert_eq!(sum.to_f64(), a + b);
            prop_assert_eq!(product.to_f64(), a * b);
            if (a * b).is_normal() {
                prop_assert_eq!(product.scaled().to_f64(), a * b);
            }
        }
    }
}
