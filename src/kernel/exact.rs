//! Exact sums of floats: the same to the last bit in any order, any grouping, on any threads.
//!
//! ```text
//!   x = mantissa · 2^e      |x| < 2^46 and no bit below 2^-80:  one 128-bit integer, unit 2^-80
//!                           anything else, or overflow:         a long fixed-point number, boxed
//! ```
//!
//! The long number spans the whole range of doubles, as in Kulisch's accumulator and R. Neal,
//! "Fast exact summation using small and large superaccumulators" (2015), with 32 bits to a limb so
//! that carries can wait. Rounding happens once, when the sum is read.

/// Exponent of the unit of the short accumulator.
const UNIT: i32 = -80;
/// Bits of a limb of the long number.
const LIMB: i32 = 32;
/// Carries are settled after so many additions, before a limb could overflow.
const SETTLE: u32 = 1 << 28;

/// The exact sum of floats.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    short: i128,
    long: Option<Box<Long>>,
}

/// `(signed mantissa, exponent)` of a finite float: `x = m · 2^e`.
#[inline]
fn parts(x: f64) -> (i64, i32) {
    let bits = x.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let (m, e) = if biased == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, biased - 1075)
    };
    (if bits >> 63 == 1 { -m } else { m }, e)
}

impl ExactSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, x: f64) {
        let (m, e) = parts(x);
        let shift = e - UNIT;
        if (0..74).contains(&shift)
            && let Some(sum) = self.short.checked_add((m as i128) << shift)
        {
            self.short = sum;
        } else if x != 0.0 {
            self.add_long(x);
        }
    }

    #[cold]
    fn add_long(&mut self, x: f64) {
        self.long
            .get_or_insert_with(|| Box::new(Long::new(-1088, 70)))
            .add_float(x);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        match self.short.checked_add(other.short) {
            Some(s) => self.short = s,
            None => {
                let long = self.long.get_or_insert_with(|| Box::new(Long::new(-1088, 70)));
                long.add(self.short, UNIT);
                self.short = other.short;
            }
        }
        if let Some(theirs) = &other.long {
            match &mut self.long {
                Some(mine) => mine.merge(theirs),
                None => self.long = Some(theirs.clone()),
            }
        }
    }

    /// The sum, rounded once (ties to even).
    pub fn to_f64(&self) -> f64 {
        match &self.long {
            None => self.short as f64 * 2f64.powi(UNIT),
            Some(long) => {
                let mut all = long.as_ref().clone();
                all.add(self.short, UNIT);
                all.to_f64()
            }
        }
    }

    /// Appends the state as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.short.to_le_bytes());
        if let Some(long) = &self.long {
            long.encode(out);
        }
    }

    /// The state of [`ExactSum::encode`]; `None` if the bytes are no state.
    pub fn decode(bytes: &[u8]) -> Option<ExactSum> {
        let (short, rest) = bytes.split_first_chunk::<16>()?;
        let long = if rest.is_empty() {
            None
        } else {
            Some(Box::new(Long::decode(rest)?))
        };
        Some(ExactSum {
            short: i128::from_le_bytes(*short),
            long,
        })
    }
}

/// Count, exact sum and exact sum of squares of floats.
#[derive(Debug, Clone, Default)]
pub struct ExactMoments {
    n: u64,
    sum: ExactSum,
    /// Σx² in units of 2^-160, low and high half.
    low: u128,
    high: u128,
    long: Option<Box<Long>>,
}

impl ExactMoments {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, x: f64) {
        self.n += 1;
        self.sum.add(x);
        let (m, e) = parts(x);
        let shift = e - UNIT;
        if !(0..73).contains(&shift) {
            if x != 0.0 {
                self.add_long(x);
            }
            return;
        }
        let square = m.unsigned_abs() as u128 * m.unsigned_abs() as u128;
        let shift = 2 * shift as u32;
        let (low, high) = match shift {
            0 => (square, 0),
            1..128 => (square << shift, square >> (128 - shift)),
            _ => (0, square << (shift - 128)),
        };
        self.add_wide(low, high);
    }

    #[inline]
    fn add_wide(&mut self, low: u128, high: u128) {
        let (l, carry) = self.low.overflowing_add(low);
        match self
            .high
            .checked_add(high)
            .and_then(|h| h.checked_add(carry as u128))
        {
            Some(h) => (self.low, self.high) = (l, h),
            None => {
                let long = self.long.get_or_insert_with(|| Box::new(Long::new(-2176, 140)));
                add_halves(long, self.low, self.high);
                (self.low, self.high) = (low, high);
            }
        }
    }

    #[cold]
    fn add_long(&mut self, x: f64) {
        let long = self.long.get_or_insert_with(|| Box::new(Long::new(-2176, 140)));
        if !x.is_finite() {
            return long.add_float(x);
        }
        let (m, e) = parts(x);
        long.add((m as i128) * (m as i128), 2 * e);
    }

    /// Adds other moments.
    pub fn merge(&mut self, other: &ExactMoments) {
        self.n += other.n;
        self.sum.merge(&other.sum);
        self.add_wide(other.low, other.high);
        if let Some(theirs) = &other.long {
            match &mut self.long {
                Some(mine) => mine.merge(theirs),
                None => self.long = Some(theirs.clone()),
            }
        }
    }

    /// The variance with `ddof` degrees of freedom taken off; `None` of too few numbers. It is
    /// `(n·Σx² − (Σx)²) / n / (n − ddof)` with an exact numerator.
    pub fn variance(&self, ddof: u64) -> Option<f64> {
        if self.n <= ddof {
            return None;
        }
        let mut sum = Long::new(-1088, 70);
        sum.add(self.sum.short, UNIT);
        if let Some(l) = &self.sum.long {
            sum.merge(l);
        }
        let mut squares = Long::new(-2176, 140);
        add_halves(&mut squares, self.low, self.high);
        if let Some(l) = &self.long {
            squares.merge(l);
        }
        if sum.special().is_some() || squares.special().is_some() {
            return Some(f64::NAN);
        }
        let spread = squares.times(self.n).minus_square(&sum);
        Some(spread.to_f64() / self.n as f64 / (self.n - ddof) as f64)
    }

    /// Appends the state as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.n.to_le_bytes());
        out.extend_from_slice(&self.low.to_le_bytes());
        out.extend_from_slice(&self.high.to_le_bytes());
        let mut sum = Vec::new();
        self.sum.encode(&mut sum);
        out.extend_from_slice(&(sum.len() as u32).to_le_bytes());
        out.extend_from_slice(&sum);
        if let Some(long) = &self.long {
            long.encode(out);
        }
    }

    /// The state of [`ExactMoments::encode`]; `None` if the bytes are no state.
    pub fn decode(bytes: &[u8]) -> Option<ExactMoments> {
        let (n, rest) = bytes.split_first_chunk::<8>()?;
        let (low, rest) = rest.split_first_chunk::<16>()?;
        let (high, rest) = rest.split_first_chunk::<16>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let long = if rest.is_empty() {
            None
        } else {
            Some(Box::new(Long::decode(rest)?))
        };
        Some(ExactMoments {
            n: u64::from_le_bytes(*n),
            sum: ExactSum::decode(sum)?,
            low: u128::from_le_bytes(*low),
            high: u128::from_le_bytes(*high),
            long,
        })
    }
}

fn add_halves(long: &mut Long, low: u128, high: u128) {
    for (i, half) in [low, high].into_iter().enumerate() {
        for j in 0..2 {
            let word = (half >> (64 * j)) as u64;
            long.add(word as i128, 2 * UNIT + 128 * i as i32 + 64 * j);
        }
    }
}

/// A long fixed-point number: limb `i` counts units of `2^(base + 32·i)`.
#[derive(Debug, Clone, PartialEq)]
struct Long {
    base: i32,
    limbs: Vec<i64>,
    pending: u32,
    plus_inf: bool,
    minus_inf: bool,
    nan: bool,
}

impl Long {
    fn new(base: i32, limbs: usize) -> Long {
        Long {
            base,
            limbs: vec![0; limbs],
            pending: 0,
            plus_inf: false,
            minus_inf: false,
            nan: false,
        }
    }

    fn add_float(&mut self, x: f64) {
        if x.is_nan() {
            self.nan = true;
        } else if x.is_infinite() {
            if x > 0.0 {
                self.plus_inf = true
            } else {
                self.minus_inf = true
            }
        } else {
            let (m, e) = parts(x);
            self.add(m as i128, e);
        }
    }

    /// Adds `m · 2^e`.
    fn add(&mut self, m: i128, e: i32) {
        let sign = if m < 0 { -1 } else { 1 };
        let mut rest = m.unsigned_abs();
        let mut at = ((e - self.base) / LIMB) as usize;
        let offset = (e - self.base) % LIMB;
        while rest > 0 {
            let piece = ((rest as u32 as u64) << offset) as i128;
            self.limbs[at] += sign * (piece as u32 as i64);
            self.limbs[at + 1] += sign * ((piece >> LIMB) as i64);
            rest >>= LIMB;
            at += 1;
        }
        self.pending += 1;
        if self.pending >= SETTLE {
            self.settle();
        }
    }

    fn merge(&mut self, other: &Long) {
        let mut theirs = other.clone();
        theirs.settle();
        self.settle();
        let shift = ((theirs.base - self.base) / LIMB) as usize;
        for (i, l) in theirs.limbs.iter().enumerate().filter(|(_, l)| **l != 0) {
            self.limbs[i + shift] += l;
        }
        self.plus_inf |= other.plus_inf;
        self.minus_inf |= other.minus_inf;
        self.nan |= other.nan;
    }

    /// Carries until every limb but the last lies in `0..2^32`; the last one has the sign.
    fn settle(&mut self) {
        let mut carry = 0i64;
        let last = self.limbs.len() - 1;
        for l in &mut self.limbs[..last] {
            let v = *l + carry;
            *l = v & 0xffff_ffff;
            carry = v >> LIMB;
        }
        self.limbs[last] += carry;
        self.pending = 0;
    }

    fn special(&self) -> Option<f64> {
        match (
            self.nan || (self.plus_inf && self.minus_inf),
            self.plus_inf,
            self.minus_inf,
        ) {
            (true, ..) => Some(f64::NAN),
            (_, true, _) => Some(f64::INFINITY),
            (_, _, true) => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }

    /// Sign and magnitude, as limbs of 32 bits.
    fn magnitude(&self) -> (bool, Vec<u32>) {
        let mut n = self.clone();
        n.settle();
        let negative = n.limbs.last().is_some_and(|l| *l < 0);
        if negative {
            n.limbs.iter_mut().for_each(|l| *l = -*l);
            n.settle();
        }
        let mut out: Vec<u32> = n.limbs.iter().map(|l| *l as u32).collect();
        out.push((n.limbs[n.limbs.len() - 1] >> LIMB) as u32);
        (negative, out)
    }

    fn to_f64(&self) -> f64 {
        if let Some(x) = self.special() {
            return x;
        }
        let (negative, limbs) = self.magnitude();
        let x = round(&limbs, self.base);
        if negative { -x } else { x }
    }

    /// `n` times this number, with room for the carry.
    fn times(&self, n: u64) -> Magnitude {
        let (_, limbs) = self.magnitude();
        let mut out = vec![0u32; limbs.len() + 3];
        multiply_into(&mut out, &limbs, &[n as u32, (n >> 32) as u32]);
        Magnitude {
            base: self.base,
            limbs: out,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut n = self.clone();
        n.settle();
        out.extend_from_slice(&n.base.to_le_bytes());
        out.push(n.plus_inf as u8 | (n.minus_inf as u8) << 1 | (n.nan as u8) << 2);
        n.limbs
            .iter()
            .for_each(|l| out.extend_from_slice(&l.to_le_bytes()));
    }

    fn decode(bytes: &[u8]) -> Option<Long> {
        let (base, rest) = bytes.split_first_chunk::<4>()?;
        let (flags, rest) = rest.split_first()?;
        let limbs: Vec<i64> = rest
            .chunks_exact(8)
            .filter_map(|c| c.try_into().ok().map(i64::from_le_bytes))
            .collect();
        let base = i32::from_le_bytes(*base);
        let known = matches!((base, limbs.len()), (-1088, 70) | (-2176, 140)) && rest.len() % 8 == 0;
        known.then(|| Long {
            base,
            limbs,
            pending: 0,
            plus_inf: flags & 1 > 0,
            minus_inf: flags & 2 > 0,
            nan: flags & 4 > 0,
        })
    }
}

/// A long number that is not negative.
struct Magnitude {
    base: i32,
    limbs: Vec<u32>,
}

impl Magnitude {
    /// This minus the square of a sum; by Cauchy and Schwarz that is not negative.
    fn minus_square(mut self, sum: &Long) -> Magnitude {
        let (_, s) = sum.magnitude();
        let mut square = vec![0u32; 2 * s.len()];
        multiply_into(&mut square, &s, &s);
        debug_assert_eq!(2 * sum.base, self.base);
        let mut borrow = 0i64;
        for i in 0..self.limbs.len() {
            let v = self.limbs[i] as i64 - square.get(i).copied().unwrap_or(0) as i64 - borrow;
            borrow = (v < 0) as i64;
            self.limbs[i] = v as u32;
        }
        self
    }

    fn to_f64(&self) -> f64 {
        round(&self.limbs, self.base)
    }
}

fn multiply_into(out: &mut [u32], a: &[u32], b: &[u32]) {
    for (i, &x) in a.iter().enumerate().filter(|(_, x)| **x != 0) {
        let mut carry = 0u64;
        for (j, &y) in b.iter().enumerate() {
            let v = out[i + j] as u64 + x as u64 * y as u64 + carry;
            out[i + j] = v as u32;
            carry = v >> 32;
        }
        let mut k = i + b.len();
        while carry > 0 && k < out.len() {
            let v = out[k] as u64 + carry;
            out[k] = v as u32;
            carry = v >> 32;
            k += 1;
        }
    }
}

/// The float nearest to `limbs · 2^base`, ties to even.
fn round(limbs: &[u32], base: i32) -> f64 {
    let Some(top) = limbs.iter().rposition(|l| *l != 0) else {
        return 0.0;
    };
    let at = |i: isize| if i < 0 { 0 } else { limbs[i as usize] as u128 };
    let t = top as isize;
    let head = at(t) << 96 | at(t - 1) << 64 | at(t - 2) << 32 | at(t - 3);
    let lowest = base + LIMB * (top as i32 - 3);
    let sticky = limbs[..top.saturating_sub(3)].iter().any(|l| *l != 0) as u128;
    let bits = 128 - head.leading_zeros() as i32;
    // Bits that a double has at this exponent (fewer when it is subnormal).
    let keep = 53.min(bits + lowest + 1074).max(0);
    let drop = bits - keep;
    if drop <= 0 {
        return scale(head as f64, lowest);
    }
    let kept = if drop >= 128 { 0 } else { head >> drop };
    let rest = if drop >= 128 {
        head
    } else {
        head & ((1u128 << drop) - 1)
    };
    let half = if drop > 128 {
        return 0.0;
    } else {
        1u128 << (drop - 1)
    };
    let up = rest > half || (rest == half && (sticky > 0 || kept & 1 == 1));
    scale((kept + up as u128) as f64, lowest + drop)
}

/// `x · 2^e` in steps that neither overflow nor round twice.
fn scale(mut x: f64, mut e: i32) -> f64 {
    while e > 900 {
        x *= 2f64.powi(900);
        e -= 900;
    }
    while e < -900 {
        // `x` is an integer of at most 53 bits that is exact at its final exponent.
        x *= 2f64.powi(-537);
        e += 537;
    }
    x * 2f64.powi(e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(xs: &[f64]) -> f64 {
        let mut s = ExactSum::default();
        xs.iter().for_each(|x| s.add(*x));
        s.to_f64()
    }

    #[test]
    fn sums_that_cancel() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum(&[]), 0.0);
    }

    #[test]
    fn variance_of_large_close_numbers() {
        let mut m = ExactMoments::default();
        (0..10).for_each(|i| m.add(1e9 + i as f64));
        assert_eq!(m.variance(1).map(f64::sqrt), Some(3.0276503540974917));
        let mut wild = ExactMoments::default();
        [1e200, -1e200, 1e-200].iter().for_each(|x| wild.add(*x));
        assert_eq!(wild.variance(1), Some(f64::INFINITY));
        let mut one = ExactMoments::default();
        one.add(2.0);
        assert_eq!((one.variance(1), one.variance(0)), (None, Some(0.0)));
    }

    /// Any finite float, often of ordinary size.
    fn float() -> impl Strategy<Value = f64> {
        prop_oneof![
            -1e6..1e6f64,
            any::<i32>().prop_map(|i| i as f64 / 100.0),
            any::<f64>().prop_filter("finite", |x| x.is_finite() && x.abs() < 1e290),
        ]
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(mut xs in prop::collection::vec(float(), 0..60), cut in 0usize..60) {
            let once = sum(&xs);
            let (mut moments, mut a, mut b) = (ExactMoments::default(), ExactMoments::default(), ExactMoments::default());
            xs.iter().for_each(|x| moments.add(*x));
            xs.reverse();
            let cut = cut.min(xs.len());
            let (mut left, mut right) = (ExactSum::default(), ExactSum::default());
            xs[..cut].iter().for_each(|x| { left.add(*x); a.add(*x) });
            xs[cut..].iter().for_each(|x| { right.add(*x); b.add(*x) });
            let mut bytes = Vec::new();
            right.encode(&mut bytes);
            left.merge(&ExactSum::decode(&bytes).unwrap());
            prop_assert_eq!(left.to_f64().to_bits(), once.to_bits());
            bytes.clear();
            b.encode(&mut bytes);
            a.merge(&ExactMoments::decode(&bytes).unwrap());
            prop_assert_eq!(a.variance(1).map(f64::to_bits), moments.variance(1).map(f64::to_bits));
        }

        #[test]
        fn integers_sum_as_integers(xs in prop::collection::vec(-1_000_000_000_000i64..1_000_000_000_000, 0..50)) {
            let floats: Vec<f64> = xs.iter().map(|x| *x as f64).collect();
            prop_assert_eq!(sum(&floats), xs.iter().sum::<i64>() as f64);
        }

        #[test]
        fn two_numbers_round_as_the_hardware_does(a in any::<f64>(), b in any::<f64>()) {
            let (x, y) = (sum(&[a, b]), a + b);
            prop_assert!(x == y || (x.is_nan() && y.is_nan()));
        }
    }
}
