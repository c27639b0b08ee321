//! Sums of floats that are exact, so that neither order nor grouping matters.
//!
//! ```text
//!   x ─► is it a whole multiple of 2^-80 below 2^43?  yes ─► i128 += x · 2^80
//!                                                     no  ─► a number as wide as it takes (`Big`)
//! ```

use std::collections::HashMap;

use super::ahead::each_state;
use super::big::{Big, parts_of};
use super::scaled::Scaled;

/// Short sums count in units of `2^-UNIT`.
pub const UNIT: i32 = 80;
/// The most places that the 53 bits of a float are moved up in a short sum.
const MOST: i32 = super::fixed::MOST as i32;

/// What does not fit a short sum, and whether there were values that are no numbers.
#[derive(Debug, Clone, Default)]
struct Long {
    sum: Big,
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
        let went = add_slow(&mut self.short, x, || long.get_or_insert_default());
        went && new
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        match self.short.checked_add(other.short) {
            Some(sum) => self.short = sum,
            None => self.long().sum.add(&Big::of(other.short, -UNIT)),
        }
        if let Some(theirs) = &other.long {
            let ours = self.long();
            ours.sum.add(&theirs.sum);
            ours.nan |= theirs.nan;
            ours.pos_inf |= theirs.pos_inf;
            ours.neg_inf |= theirs.neg_inf;
        }
    }

    fn long(&mut self) -> &mut Long {
        self.long.get_or_insert_default()
    }

    /// The sum, rounded once to the nearest float (ties to even).
    pub fn to_f64(&self) -> f64 {
        match &self.long {
            None => scale(self.short as f64, -UNIT),
            Some(long) => long.with(self.short).to_f64(),
        }
    }

    /// The sum divided by a count, rounded once more: a mean of values whose sum is no finite float is one.
    pub fn mean(&self, n: u64) -> f64 {
        match &self.long {
            Some(long) if !(long.nan || long.pos_inf || long.neg_inf) => {
                let sum = long.with(self.short).sum;
                sum.scaled().over(Scaled::of(n as f64)).to_f64()
            }
            _ => self.to_f64() / n as f64,
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
                out.push(255);
                out.push(long.nan as u8 | (long.pos_inf as u8) << 1 | (long.neg_inf as u8) << 2);
                long.with(self.short).sum.encode(out);
            }
        }
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<ExactSum> {
        let (&tag, rest) = bytes.split_first()?;
        *bytes = rest;
        let mut sum = ExactSum::default();
        if tag == 255 {
            let (&flags, rest) = bytes.split_first()?;
            *bytes = rest;
            sum.long = Some(Box::new(Long {
                nan: flags & 1 != 0,
                pos_inf: flags & 2 != 0,
                neg_inf: flags & 4 != 0,
                sum: Big::decode(bytes)?,
            }));
        } else if tag > 0 {
            let zero = tag as usize - 1;
            let (value, rest) = bytes.split_at_checked(16usize.checked_sub(zero)?)?;
            *bytes = rest;
            let mut short = [0; 16];
            short[zero..].copy_from_slice(value);
            sum.short = i128::from_le_bytes(short);
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
    if (0..=MOST).contains(&shift) {
        let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i128;
        let sign = (bits as i64 >> 63) as i128;
        let value = ((mantissa << shift) ^ sign) - sign;
        if let Some(sum) = short.checked_add(value) {
            *short = sum;
            return true;
        }
    }
    x == 0.0
}

/// Adds what the fast way does not take; true if that needed the long sum.
fn add_slow<'a>(short: &mut i128, x: f64, long: impl FnOnce() -> &'a mut Box<Long>) -> bool {
    if x == 0.0 {
        return false;
    }
    if !x.is_finite() {
        let long = long();
        long.nan |= x.is_nan();
        long.pos_inf |= x == f64::INFINITY;
        long.neg_inf |= x == f64::NEG_INFINITY;
        return true;
    }
    let (negative, mantissa, exponent) = parts_of(x);
    let lowest = exponent + UNIT;
    let zeros = mantissa.trailing_zeros() as i32;
    if lowest + zeros >= 0 && lowest <= MOST {
        let m = mantissa as i128;
        let m = if lowest >= 0 { m << lowest } else { m >> -lowest };
        if let Some(sum) = short.checked_add(if negative { -m } else { m }) {
            *short = sum;
            return false;
        }
    }
    long().sum.add_bits(&[mantissa], negative, exponent);
    true
}

/// The exact sums of many groups: what is short side by side, since each addition finds its group
/// anywhere, and the few long ones aside.
#[derive(Debug, Default)]
pub struct ExactSums {
    short: Vec<i128>,
    long: Longs,
}

#[derive(Debug, Default)]
struct Longs {
    by_group: HashMap<u32, Box<Long>>,
    /// Bytes of the sums.
    bytes: usize,
}

impl Longs {
    #[cold]
    #[inline(never)]
    fn add(&mut self, short: &mut i128, group: u32, x: f64) {
        let by_group = &mut self.by_group;
        let mut before = 0;
        let went = add_slow(short, x, || {
            let long = by_group.entry(group).or_default();
            before = long.sum.bytes();
            long
        });
        if went && let Some(long) = by_group.get(&group) {
            self.bytes += long.sum.bytes() - before;
        }
    }

    fn take(&mut self, group: u32) -> Option<Box<Long>> {
        let long = self.by_group.remove(&group)?;
        self.bytes -= long.sum.bytes();
        Some(long)
    }

    fn put(&mut self, group: u32, long: Box<Long>) {
        self.bytes += long.sum.bytes();
        self.by_group.insert(group, long);
    }
}

impl ExactSums {
    /// Adds values to the sums of their groups.
    pub fn add(&mut self, groups: &[u32], values: &[f64]) {
        let long = &mut self.long;
        each_state(&mut self.short, groups, values, |short, group, x| {
            if !add_fast(short, x) {
                long.add(short, group, x);
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
                self.long.add(short, group as u32, x);
                sum = *short;
            }
        }
        *short = sum;
    }

    /// Adds another sum to a group's.
    pub fn merge(&mut self, group: usize, other: &ExactSum) {
        let mut own = ExactSum {
            short: self.short[group],
            long: self.long.take(group as u32),
        };
        own.merge(other);
        self.short[group] = own.short;
        if let Some(long) = own.long {
            self.long.put(group as u32, long);
        }
    }

    fn get(&self, group: usize) -> ExactSum {
        ExactSum {
            short: self.short[group],
            long: self.long.by_group.get(&(group as u32)).cloned(),
        }
    }

    /// The sum of a group, rounded once.
    pub fn to_f64(&self, group: usize) -> f64 {
        self.get(group).to_f64()
    }

    /// The mean of the `n` values of a group.
    pub fn mean(&self, group: usize, n: u64) -> f64 {
        self.get(group).mean(n)
    }

    /// Appends the state of a group to `out`.
    pub fn encode(&self, group: usize, out: &mut Vec<u8>) {
        self.get(group).encode(out);
    }

    /// Makes it `groups` groups long.
    pub fn resize(&mut self, groups: usize) {
        if groups < self.short.len() {
            self.long.by_group.retain(|&g, _| (g as usize) < groups);
            self.long.bytes = self.long.by_group.values().map(|l| l.sum.bytes()).sum();
        }
        self.short.resize(groups, 0);
    }

    /// The bytes of the long ones.
    pub fn long_bytes(&self) -> usize {
        let longs = &self.long.by_group;
        longs.capacity() * 16 + longs.len() * size_of::<Long>() + self.long.bytes
    }
}

/// `x · 2^e` for results far from the ends of the range.
fn scale(x: f64, e: i32) -> f64 {
    x * f64::from_bits(((1023 + e) as u64) << 52)
}

impl Long {
    /// The whole sum.
    fn with(&self, short: i128) -> Long {
        let mut all = self.clone();
        all.sum.add_bits(
            &[short.unsigned_abs() as u64, (short.unsigned_abs() >> 64) as u64],
            short < 0,
            -UNIT,
        );
        all
    }

    fn to_f64(&self) -> f64 {
        match (self.nan, self.pos_inf, self.neg_inf) {
            (false, false, false) => self.sum.to_f64(),
            (false, true, false) => f64::INFINITY,
            (false, false, true) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
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

/// `x · 2^e` for x about 1: rounded at most once, where it is less than the smallest normal float.
pub fn two_steps(x: f64, e: i32) -> f64 {
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
