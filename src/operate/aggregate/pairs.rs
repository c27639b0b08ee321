//! Pairs of floats for correlation and regression: exact sums, so that neither order nor grouping matters.
//!
//! ```text
//!   Σ(x-mx)(y-my) = Σxy - mx·Σy - my·Σx + n·mx·my     exact for the rounded means mx and my, rounded once
//! ```
//!
//! A pair arrives as one decimal of 128 bits that holds the bits of both floats: two columns as one,
//! so that the call of an aggregate stays a function of one column.

use super::exact::{ExactMoments, ExactSum, product};
use crate::expr::PairFunc;

/// The two floats of a packed pair.
pub fn unpacked(pair: i128) -> (f64, f64) {
    let bits = pair as u128;
    (f64::from_bits((bits >> 64) as u64), f64::from_bits(bits as u64))
}

/// What is kept of the pairs of a group.
#[derive(Debug, Clone, Default)]
pub struct ExactPairs {
    first: ExactMoments,
    second: ExactMoments,
    products: ExactSum,
}

impl ExactPairs {
    /// Adds a pair.
    pub fn add(&mut self, (a, b): (f64, f64)) {
        let _ = self.first.add(a);
        let _ = self.second.add(b);
        add_product(&mut self.products, a, b);
    }

    /// Takes a pair out again that was added; see [`is_huge`] for those that cannot be.
    pub fn remove(&mut self, (a, b): (f64, f64)) {
        self.first.remove(a);
        self.second.remove(b);
        add_product(&mut self.products, -a, b);
    }

    /// Adds another state.
    pub fn merge(&mut self, other: &ExactPairs) {
        self.first.merge(&other.first);
        self.second.merge(&other.second);
        self.products.merge(&other.products);
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.first.encode(out);
        self.second.encode(out);
        self.products.encode(out);
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<ExactPairs> {
        Some(ExactPairs {
            first: ExactMoments::decode(bytes)?,
            second: ExactMoments::decode(bytes)?,
            products: ExactSum::decode(bytes)?,
        })
    }

    /// `Σ(a - mean a)(b - mean b)` over `n` pairs.
    fn together(&self, n: u64) -> f64 {
        let (sa, ra) = self.first.sum();
        let (sb, rb) = self.second.sum();
        let (ma, mb) = (sa / n as f64, sb / n as f64);
        let mut total = self.products.clone();
        for (x, y) in [(-ma, sb), (-ma, rb), (-mb, sa), (-mb, ra)] {
            add_product(&mut total, x, y);
        }
        let (hi, lo) = product(ma, n as f64);
        add_product(&mut total, hi, mb);
        let _ = total.add(lo * mb);
        total.to_f64()
    }

    /// What a function makes of `n` pairs; none where it has no value. Of `regr_…(y, x)` the first of
    /// a pair is y.
    pub fn value(&self, func: PairFunc, n: u64) -> Option<f64> {
        use PairFunc::*;
        if n == 0 {
            return None;
        }
        let deviations = |m: &ExactMoments| m.deviations(n);
        let mean = |m: &ExactMoments| m.sum().0 / n as f64;
        let slope = || self.together(n) / deviations(&self.second);
        Some(match func {
            Count => n as f64,
            CovarPop => self.together(n) / n as f64,
            CovarSamp if n < 2 => return None,
            CovarSamp => self.together(n) / (n - 1) as f64,
            Corr => {
                let scale = deviations(&self.first).sqrt() * deviations(&self.second).sqrt();
                let r = self.together(n) / scale;
                // rounding must not lead out of the range of a correlation
                if scale == 0.0 {
                    f64::NAN
                } else {
                    r.clamp(-1.0, 1.0)
                }
            }
            Slope => slope(),
            Intercept | R2 if deviations(&self.second) == 0.0 => return None,
            Intercept => mean(&self.first) - slope() * mean(&self.second),
            R2 if deviations(&self.first) == 0.0 => 1.0,
            R2 => self.value(Corr, n)?.powi(2),
            Sxx => deviations(&self.second),
            Syy => deviations(&self.first),
            Sxy => self.together(n),
            AvgX => mean(&self.second),
            AvgY => mean(&self.first),
        })
    }
}

/// Whether a pair leaves sums that are no finite floats, from which nothing can be taken back.
pub fn is_huge((a, b): (f64, f64)) -> bool {
    !((a * a).is_finite() && (b * b).is_finite() && (a * b).is_finite())
}

fn add_product(sum: &mut ExactSum, a: f64, b: f64) {
    let (hi, lo) = product(a, b);
    let _ = sum.add(hi);
    if lo != 0.0 {
        let _ = sum.add(lo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pairs: &[(f64, f64)]) -> ExactPairs {
        let mut all = ExactPairs::default();
        pairs.iter().for_each(|&p| all.add(p));
        all
    }

    #[test]
    fn means_far_from_zero_do_no_harm() {
        let pairs: Vec<(f64, f64)> = (0..10)
            .map(|i| (1e9 + f64::from(i), 1e-9 * f64::from(i * i)))
            .collect();
        let near: Vec<(f64, f64)> = pairs.iter().map(|p| (p.0 - 1e9, p.1 * 1e9)).collect();
        let r = |p: &[(f64, f64)]| of(p).value(PairFunc::Corr, 10).unwrap();
        assert!((r(&pairs) - r(&near)).abs() < 1e-15, "{} {}", r(&pairs), r(&near));
        assert_eq!(
            of(&pairs).value(PairFunc::Slope, 10).map(|s| (s / 1e7).round()),
            Some(10.0)
        );
    }

    #[test]
    fn nothing_and_one_pair() {
        assert_eq!(of(&[]).value(PairFunc::Corr, 0), None);
        assert_eq!(of(&[(1.0, 2.0)]).value(PairFunc::CovarSamp, 1), None);
        assert!(of(&[(1.0, 2.0)]).value(PairFunc::Corr, 1).unwrap().is_nan());
    }

    proptest! {
        #[test]
        fn grouping_and_taking_back_leave_no_trace(
            pairs in prop::collection::vec((-1e6f64..1e6, -1e-3f64..1e-3), 1..30), cut in 0usize..30,
        ) {
            let cut = cut.min(pairs.len());
            let n = pairs.len() as u64;
            let mut bytes = Vec::new();
            of(&pairs[cut..]).encode(&mut bytes);
            let mut parts = ExactPairs::decode(&mut bytes.as_slice()).unwrap();
            parts.merge(&of(&pairs[..cut]));
            parts.add((3.5, 1e7));
            parts.remove((3.5, 1e7));
            for f in [PairFunc::CovarPop, PairFunc::Sxy, PairFunc::AvgX, PairFunc::Syy] {
                prop_assert_eq!(parts.value(f, n), of(&pairs).value(f, n));
            }
            let plain: f64 = {
                let m = |f: fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>() / n as f64;
                let (a, b) = (m(|p| p.0), m(|p| p.1));
                pairs.iter().map(|p| (p.0 - a) * (p.1 - b)).sum()
            };
            let ours = parts.value(PairFunc::Sxy, n).unwrap();
            prop_assert!((ours - plain).abs() <= 1e-9 * (1.0 + plain.abs()), "{} {}", ours, plain);
        }
    }
}
