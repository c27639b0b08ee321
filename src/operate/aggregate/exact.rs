//! Sums of floats that are exact, so that neither order nor grouping matters.
//!
//! ```text
//!   x ─► is it a whole multiple of 2^-80 below 2^46?  yes ─► i128 += x · 2^80
//!                                                     no  ─► superaccumulator (68 limbs of 32 bits)
//! ```
//!
//! The superaccumulator is Kulisch's long accumulator with delayed carries (Neal, "Fast exact
//! summation using small and large superaccumulators", 2015).

use std::collections::HashMap;

use super::ahead::each_state;

const UNIT: i32 = 80;
const LIMBS: usize = 70;
/// Binary exponent of the lowest bit of limb 0.
const LOW: i32 = -1088;

#[derive(Debug, Clone)]
struct Long {
    limbs: [i64; LIMBS],
    pending: u32,
    nan: bool,
    pos_inf: bool,
    neg_inf: bool,
}

/// The exact sum of floats.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    short: i128,
    long: Option<Box<Long>>,
}

impl ExactSum {
    /// Adds one value. True when this needed a long accumulator for the first time.
    #[inline(always)]
    pub fn add(&mut self, x: f64) -> bool {
        match add_fast(&mut self.short, x) {
            true => false,
            false => self.add_slow(x),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_slow(&mut self, x: f64) -> bool {
        let new = self.long.is_none();
        let long = &mut self.long;
        let went = add_slow(&mut self.short, x, || long.get_or_insert_with(Long::zero));
        went && new
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        match self.short.checked_add(other.short) {
            Some(sum) => self.short = sum,
            None => {
                let long = self.long.get_or_insert_with(Long::zero);
                long.add(other.short < 0, other.short.unsigned_abs(), -UNIT);
            }
        }
        if let Some(theirs) = &other.long {
            let ours = self.long.get_or_insert_with(Long::zero);
            ours.carry();
            let mut theirs = theirs.clone();
            theirs.carry();
            ours.limbs
                .iter_mut()
                .zip(&theirs.limbs)
                .for_each(|(a, b)| *a += b);
            ours.carry();
            ours.nan |= theirs.nan;
            ours.pos_inf |= theirs.pos_inf;
            ours.neg_inf |= theirs.neg_inf;
        }
    }

    /// The sum, rounded once to the nearest float (ties to even).
    pub fn to_f64(&self) -> f64 {
        match &self.long {
            None => scale(self.short as f64, -UNIT),
            Some(long) => {
                let mut all = long.clone();
                all.add(self.short < 0, self.short.unsigned_abs(), -UNIT);
                all.to_f64()
            }
        }
    }

    /// Appends the state to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.long {
            None if self.short == 0 => out.push(0),
            None => {
                // trailing zero bytes are common: short decimals and whole numbers
                let zero = self.short.trailing_zeros() / 8;
                let bytes = self.short.to_le_bytes();
                out.push(1 + zero as u8);
                out.extend_from_slice(&bytes[zero as usize..]);
            }
            Some(long) => {
                let mut long = long.clone();
                long.carry();
                out.push(255);
                out.extend_from_slice(&self.short.to_le_bytes());
                out.push(long.nan as u8 | (long.pos_inf as u8) << 1 | (long.neg_inf as u8) << 2);
                long.limbs
                    .iter()
                    .for_each(|l| out.extend_from_slice(&l.to_le_bytes()));
            }
        }
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<ExactSum> {
        let (&tag, rest) = bytes.split_first()?;
        *bytes = rest;
        let mut sum = ExactSum::default();
        if tag == 0 {
            return Some(sum);
        }
        let zero = if tag == 255 { 0 } else { tag as usize - 1 };
        let (value, rest) = bytes.split_at_checked(16usize.checked_sub(zero)?)?;
        *bytes = rest;
        let mut short = [0; 16];
        short[zero..].copy_from_slice(value);
        sum.short = i128::from_le_bytes(short);
        if tag == 255 {
            let (&flags, rest) = bytes.split_first()?;
            let (limbs, rest) = rest.split_at_checked(LIMBS * 8)?;
            *bytes = rest;
            let mut long = Long::zero();
            long.nan = flags & 1 != 0;
            long.pos_inf = flags & 2 != 0;
            long.neg_inf = flags & 4 != 0;
            for (limb, b) in long.limbs.iter_mut().zip(limbs.chunks_exact(8)) {
                *limb = i64::from_le_bytes(b.try_into().ok()?);
            }
            sum.long = Some(long);
        }
        Some(sum)
    }
}

/// Adds a number of usual size; false if it is none, or there is no room for it.
#[inline(always)]
fn add_fast(short: &mut i128, x: f64) -> bool {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i32 & 0x7ff;
    // lowest bit of x is 2^(exponent - 1075); its place above the unit:
    let shift = exponent - 1075 + UNIT;
    if (0..=46).contains(&shift) {
        let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i128;
        let sign = (bits as i64 >> 63) as i128;
        let value = ((mantissa << shift) ^ sign) - sign;
        if let Some(sum) = short.checked_add(value) {
            *short = sum;
            return true;
        }
    }
    false
}

/// Adds what the fast way does not take; true if that needed the long accumulator.
fn add_slow<'a>(short: &mut i128, x: f64, long: impl FnOnce() -> &'a mut Box<Long>) -> bool {
    if x == 0.0 {
        return false;
    }
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i32 & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if exponent == 0 {
        fraction
    } else {
        fraction | 1 << 52
    };
    let lowest = exponent.max(1) - 1075 + UNIT;
    let zeros = mantissa.trailing_zeros() as i32;
    if exponent != 0x7ff && lowest + zeros >= 0 && lowest <= 46 {
        let m = mantissa as i128;
        let m = if lowest >= 0 { m << lowest } else { m >> -lowest };
        if let Some(sum) = short.checked_add(if x < 0.0 { -m } else { m }) {
            *short = sum;
            return false;
        }
    }
    let long = long();
    if exponent == 0x7ff {
        long.nan |= x.is_nan();
        long.pos_inf |= x == f64::INFINITY;
        long.neg_inf |= x == f64::NEG_INFINITY;
    } else {
        long.add(x < 0.0, mantissa as u128, exponent.max(1) - 1075);
    }
    true
}

#[cold]
#[inline(never)]
fn add_slow_to(short: &mut i128, long: &mut HashMap<u32, Box<Long>>, group: u32, x: f64) {
    add_slow(short, x, || long.entry(group).or_insert_with(Long::zero));
}

/// The exact sums of many groups: what is short side by side, since each addition finds its group
/// anywhere, and the few long ones aside.
#[derive(Debug, Default)]
pub struct ExactSums {
    short: Vec<i128>,
    long: HashMap<u32, Box<Long>>,
}

impl ExactSums {
    /// Adds values to the sums of their groups.
    pub fn add(&mut self, groups: &[u32], values: &[f64]) {
        let long = &mut self.long;
        each_state(&mut self.short, groups, values, |short, group, x| {
            if !add_fast(short, x) {
                add_slow_to(short, long, group, x);
            }
        });
    }

    /// Adds values to the sum of one group.
    pub fn add_all(&mut self, group: usize, values: &[f64]) {
        let short = &mut self.short[group];
        // a copy whose address nobody has can stay in registers
        let mut sum = *short;
        for &x in values {
            if !add_fast(&mut sum, x) {
                *short = sum;
                add_slow_to(short, &mut self.long, group as u32, x);
                sum = *short;
            }
        }
        *short = sum;
    }

    /// Adds another sum to a group's.
    pub fn merge(&mut self, group: usize, other: &ExactSum) {
        let mut own = ExactSum {
            short: self.short[group],
            long: self.long.remove(&(group as u32)),
        };
        own.merge(other);
        self.short[group] = own.short;
        if let Some(long) = own.long {
            self.long.insert(group as u32, long);
        }
    }

    fn get(&self, group: usize) -> ExactSum {
        ExactSum {
            short: self.short[group],
            long: self.long.get(&(group as u32)).cloned(),
        }
    }

    /// The sum of a group, rounded once.
    pub fn to_f64(&self, group: usize) -> f64 {
        self.get(group).to_f64()
    }

    /// Appends the state of a group to `out`.
    pub fn encode(&self, group: usize, out: &mut Vec<u8>) {
        self.get(group).encode(out);
    }

    /// Makes it `groups` groups long.
    pub fn resize(&mut self, groups: usize) {
        if groups < self.short.len() {
            self.long.retain(|&g, _| (g as usize) < groups);
        }
        self.short.resize(groups, 0);
    }

    /// The bytes of the long ones.
    pub fn long_bytes(&self) -> usize {
        self.long.capacity() * 16 + self.long.len() * size_of::<Long>()
    }
}

/// `x · 2^e` for results far from the ends of the range.
fn scale(x: f64, e: i32) -> f64 {
    x * f64::from_bits(((1023 + e) as u64) << 52)
}

impl Long {
    fn zero() -> Box<Long> {
        Box::new(Long {
            limbs: [0; LIMBS],
            pending: 0,
            nan: false,
            pos_inf: false,
            neg_inf: false,
        })
    }

    /// Adds `±m · 2^exponent`.
    fn add(&mut self, negative: bool, m: u128, exponent: i32) {
        let offset = (exponent - LOW) as u32;
        let (mut limb, shift) = ((offset / 32) as usize, offset % 32);
        let mut add = |part: u64| {
            self.limbs[limb] += if negative { -(part as i64) } else { part as i64 };
            limb += 1;
        };
        add(((m << shift) as u64) & 0xffff_ffff);
        let mut rest = m >> (32 - shift);
        while rest != 0 {
            add(rest as u64 & 0xffff_ffff);
            rest >>= 32;
        }
        self.pending += 1;
        if self.pending == 1 << 30 {
            self.carry();
        }
    }

    /// Brings all limbs but the last into 0..2^32.
    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let v = *limb + carry;
            carry = v >> 32;
            *limb = v & 0xffff_ffff;
        }
        self.limbs[LIMBS - 1] += carry;
        self.pending = 0;
    }

    fn to_f64(&self) -> f64 {
        if self.nan || self.pos_inf && self.neg_inf {
            return f64::NAN;
        }
        if self.pos_inf || self.neg_inf {
            return if self.pos_inf {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            };
        }
        let mut v = self.clone();
        v.carry();
        let negative = v.limbs[LIMBS - 1] < 0;
        if negative {
            v.limbs.iter_mut().for_each(|l| *l = -*l);
            v.carry();
        }
        let Some(top) = v.limbs.iter().rposition(|&l| l != 0) else {
            return 0.0;
        };
        // the top 96..128 bits, with all below folded into a sticky lowest bit
        let mut bits = 0u128;
        for k in 0..4 {
            let limb = if top >= k { v.limbs[top - k] as u128 } else { 0 };
            bits = bits << 32 | limb;
        }
        let sticky = top >= 4 && v.limbs[..top - 3].iter().any(|&l| l != 0);
        let exponent = (top as i32 - 3) * 32 + LOW;
        let value = round(bits, sticky, exponent);
        if negative { -value } else { value }
    }
}

/// `bits · 2^exponent` rounded to the nearest float, ties to even; `sticky`: a little more.
pub fn round(bits: u128, sticky: bool, exponent: i32) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let length = 128 - bits.leading_zeros() as i32;
    // keep 53 bits, fewer where the result is subnormal
    let drop = (length - 53).max(-1074 - exponent);
    if drop <= 0 {
        // exact: fewer than 54 bits, all above the smallest subnormal
        return two_steps(bits as f64, exponent);
    }
    if drop > 127 {
        // less than the smallest subnormal: what is more than half of it becomes it
        let half = 1u128 << 127;
        return match drop == 128 && (bits > half || bits == half && sticky) {
            true => two_steps(1.0, exponent + drop),
            false => 0.0,
        };
    }
    let kept = bits >> drop;
    let rest = bits & ((1u128 << drop) - 1);
    let half = 1u128 << (drop - 1);
    let up = rest > half || rest == half && (sticky || kept & 1 == 1);
    two_steps((kept + up as u128) as f64, exponent + drop)
}

/// `x · 2^e` where the result is exact or infinite.
fn two_steps(x: f64, e: i32) -> f64 {
    let mut x = x;
    let mut e = e;
    while e > 900 {
        x = scale(x, 900);
        e -= 900;
    }
    while e < -900 {
        x = scale(x, -900);
        e += 900;
    }
    scale(x, e)
}

/// Exact sums of values and of their squares, for variances.
#[derive(Debug, Clone, Default)]
pub struct ExactMoments {
    sum: ExactSum,
    squares: ExactSum,
}

impl ExactMoments {
    /// Adds one value. The number of long accumulators that this newly needed.
    #[inline]
    pub fn add(&mut self, x: f64) -> usize {
        let (hi, lo) = square(x);
        let mut new = self.sum.add(x) as usize + self.squares.add(hi) as usize;
        if lo != 0.0 && lo.is_finite() {
            new += self.squares.add(lo) as usize;
        }
        new
    }
    /// Takes a value out again that was added; its square must be finite.
    pub fn remove(&mut self, x: f64) {
        let (hi, lo) = square(x);
        let _ = self.sum.add(-x);
        let _ = self.squares.add(-hi);
        if lo != 0.0 && lo.is_finite() {
            let _ = self.squares.add(-lo);
        }
    }
    /// Adds another state.
    pub fn merge(&mut self, other: &ExactMoments) {
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }
    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.sum.encode(out);
        self.squares.encode(out);
    }
    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<ExactMoments> {
        Some(ExactMoments {
            sum: ExactSum::decode(bytes)?,
            squares: ExactSum::decode(bytes)?,
        })
    }
    /// The sum, and what its rounding left over.
    pub fn sum(&self) -> (f64, f64) {
        let s = self.sum.to_f64();
        let mut rest = self.sum.clone();
        let _ = rest.add(-s);
        (s, rest.to_f64())
    }
    /// `Σ(x - mean)²` over `n` values.
    pub fn deviations(&self, n: u64) -> f64 {
        // Σx² - (Σx)²/n from an exact remainder: Σx² - mean·Σx with the products split exactly
        let (s, rest) = self.sum();
        let mean = s / n as f64;
        let mut total = self.squares.clone();
        // Σ(x-m)² = Σx² - 2mΣx + n·m², exact for the rounded m: products of two floats are two floats
        for (a, b) in [(-2.0 * mean, s), (-2.0 * mean, rest), (mean * n as f64, mean)] {
            let (hi, lo) = product(a, b);
            let _ = total.add(hi);
            let _ = total.add(lo);
        }
        let (_, lo) = product(mean, n as f64);
        let _ = total.add(lo * mean);
        let total = total.to_f64();
        if total < 0.0 { 0.0 } else { total }
    }
}

/// `x² = hi + lo` exactly (Dekker 1971), short of overflow and underflow.
#[inline(always)]
fn square(x: f64) -> (f64, f64) {
    let hi = x * x;
    let c = 134_217_729.0 * x;
    let high = c - (c - x);
    let low = x - high;
    (hi, ((high * high - hi) + 2.0 * high * low) + low * low)
}

/// `a · b` as an unevaluated sum of two floats (Dekker).
pub fn product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let c = 134_217_729.0 * x;
        let high = c - (c - x);
        (high, x - high)
    };
    let p = a * b;
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    let e = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    (p, if e.is_finite() { e } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_sums() {
        let sum = |v: &[f64]| {
            let mut s = ExactSum::default();
            v.iter().for_each(|&x| _ = s.add(x));
            s.to_f64()
        };
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[1.0, 1e-16, 1e-16]), 1.0000000000000002);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        let mut m = ExactMoments::default();
        (0..10).for_each(|i| _ = m.add(1e9 + i as f64));
        assert_eq!((m.deviations(10) / 9.0).sqrt(), 3.0276503540974917);
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(v in prop::collection::vec(any::<f64>(), 0..40), cut in 0usize..40) {
            let of = |v: &[f64]| { let mut s = ExactSum::default(); v.iter().for_each(|&x| _ = s.add(x)); s };
            let cut = cut.min(v.len());
            let mut parts = of(&v[cut..]);
            let mut bytes = Vec::new();
            of(&v[..cut]).encode(&mut bytes);
            let mut rest = bytes.as_slice();
            parts.merge(&ExactSum::decode(&mut rest).unwrap());
            prop_assert!(rest.is_empty());
            let mut back = v.clone();
            back.reverse();
            prop_assert_eq!(parts.to_f64().to_bits(), of(&v).to_f64().to_bits());
            prop_assert_eq!(of(&back).to_f64().to_bits(), of(&v).to_f64().to_bits());
        }
        #[test]
        fn two_values_round_as_the_processor_does(a: f64, b: f64) {
            let mut s = ExactSum::default();
            let _ = s.add(a);
            let _ = s.add(b);
            let (ours, theirs) = (s.to_f64(), a + b);
            prop_assert!(ours == theirs || ours.is_nan() && theirs.is_nan());
        }
    }
}
