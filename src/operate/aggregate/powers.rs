//! Exact sums of the first four powers, for skewness and kurtosis.
//!
//! ```text
//!   Σ(x-m)³ = Σx³ - 3m·Σx² + 3m²·Σx - n·m³       exact for the rounded mean m, rounded once
//!   μ₃ = Σ(x-m)³/n - 3δ·Σ(x-m)²/n + 2δ³           for what m is off the mean: δ = Σ(x-m)/n
//! ```
//!
//! Powers of a float are sums of a few floats (an *expansion*), so that nothing is lost before the end.

use super::exact::{ExactSum, product};
use crate::expr::AggFunc;

/// What is kept of the values of a group: sums of their powers.
#[derive(Debug, Clone, Default)]
pub struct ExactPowers {
    sums: [ExactSum; 4],
}

impl ExactPowers {
    /// Adds a value.
    pub fn add(&mut self, x: f64) {
        self.change(x, 1.0);
    }

    /// Takes a value out again that was added; see [`is_huge`] for those that cannot be.
    pub fn remove(&mut self, x: f64) {
        self.change(x, -1.0);
    }

    fn change(&mut self, x: f64, sign: f64) {
        let mut power = vec![x];
        for sum in &mut self.sums {
            power.iter().for_each(|&part| _ = sum.add(sign * part));
            power = times(&power, x);
        }
    }

    /// Adds another state.
    pub fn merge(&mut self, other: &ExactPowers) {
        for (own, other) in self.sums.iter_mut().zip(&other.sums) {
            own.merge(other);
        }
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.sums.iter().for_each(|s| s.encode(out));
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<ExactPowers> {
        let mut all = ExactPowers::default();
        for sum in &mut all.sums {
            *sum = ExactSum::decode(bytes)?;
        }
        Some(all)
    }

    /// The central moments 2, 3 and 4 of `n` values.
    fn central(&self, n: u64) -> [f64; 3] {
        let n = n as f64;
        let mean = self.sums[0].to_f64() / n;
        let [off, two, three, four] = [1, 2, 3, 4].map(|k| self.around(mean, k, n) / n);
        [
            two - off * off,
            three - 3.0 * off * two + 2.0 * off.powi(3),
            four - 4.0 * off * three + 6.0 * off * off * two - 3.0 * off.powi(4),
        ]
    }

    /// `Σ(x-m)^k`, rounded once.
    fn around(&self, m: f64, k: usize, n: f64) -> f64 {
        const BINOMIAL: [[f64; 5]; 5] = [
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 1.0, 0.0, 0.0, 0.0],
            [1.0, 2.0, 1.0, 0.0, 0.0],
            [1.0, 3.0, 3.0, 1.0, 0.0],
            [1.0, 4.0, 6.0, 4.0, 1.0],
        ];
        let mut total = ExactSum::default();
        for (i, &choices) in BINOMIAL[k].iter().enumerate().take(k + 1) {
            // the power k - i of the values times that of -m
            let mut parts = match k - i {
                0 => vec![n],
                power => parts(&self.sums[power - 1]),
            };
            for _ in 0..i {
                parts = times(&parts, -m);
            }
            times(&parts, choices).iter().for_each(|&p| _ = total.add(p));
        }
        total.to_f64()
    }

    /// What a function makes of `n` values; none where it has no value.
    pub fn value(&self, func: AggFunc, n: u64) -> Option<f64> {
        let least = match func {
            AggFunc::Skewness => 3,
            AggFunc::Kurtosis => 4,
            _ => 2,
        };
        if n < least {
            return None;
        }
        let [two, three, four] = self.central(n);
        if two <= 0.0 {
            return None; // equal values have no shape
        }
        let n = n as f64;
        Some(match func {
            AggFunc::Skewness => (n * (n - 1.0)).sqrt() / (n - 2.0) * three / two.powf(1.5),
            AggFunc::Kurtosis => {
                let ratio = (n + 1.0) * four / (two * two) - 3.0 * (n - 1.0);
                (n - 1.0) * ratio / ((n - 2.0) * (n - 3.0))
            }
            _ => four / (two * two) - 3.0,
        })
    }
}

/// Whether a value leaves sums that are no finite floats, from which nothing can be taken back.
pub fn is_huge(x: f64) -> bool {
    !x.powi(4).is_finite()
}

/// An expansion times a float: twice as many parts.
fn times(parts: &[f64], by: f64) -> Vec<f64> {
    let pairs = parts.iter().map(|&p| product(p, by));
    pairs
        .flat_map(|(hi, lo)| [hi, lo])
        .filter(|&p| p != 0.0)
        .collect()
}

/// An exact sum as an expansion.
fn parts(sum: &ExactSum) -> Vec<f64> {
    let (mut rest, mut out) = (sum.clone(), Vec::new());
    loop {
        let part = rest.to_f64();
        if part == 0.0 {
            return out;
        }
        out.push(part);
        if !part.is_finite() {
            return out;
        }
        let _ = rest.add(-part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> ExactPowers {
        let mut all = ExactPowers::default();
        values.iter().for_each(|&x| all.add(x));
        all
    }

    #[test]
    fn means_far_from_zero_do_no_harm() {
        let near = [0.0, 1.0, 1.0, 2.0, 7.0, 9.5];
        let far = near.map(|x| x + 1e9);
        for f in [AggFunc::Skewness, AggFunc::Kurtosis, AggFunc::KurtosisPop] {
            let (a, b) = (of(&near).value(f, 6).unwrap(), of(&far).value(f, 6).unwrap());
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn too_few_and_equal_values() {
        assert_eq!(of(&[1.0, 2.0]).value(AggFunc::Skewness, 2), None);
        assert_eq!(of(&[1.0, 2.0, 4.0]).value(AggFunc::Kurtosis, 3), None);
        assert_eq!(of(&[2.0; 4]).value(AggFunc::Kurtosis, 4), None);
    }

    proptest! {
        #[test]
        fn grouping_and_taking_back_leave_no_trace(
            values in prop::collection::vec(-1e6f64..1e6, 4..30), cut in 0usize..30,
        ) {
            let cut = cut.min(values.len());
            let n = values.len() as u64;
            let mut bytes = Vec::new();
            of(&values[cut..]).encode(&mut bytes);
            let mut all = ExactPowers::decode(&mut bytes.as_slice()).unwrap();
            all.merge(&of(&values[..cut]));
            all.add(3.5e7);
            all.remove(3.5e7);
            for f in [AggFunc::Skewness, AggFunc::Kurtosis, AggFunc::KurtosisPop] {
                let (ours, whole) = (all.value(f, n).unwrap(), of(&values).value(f, n).unwrap());
                prop_assert_eq!(ours.to_bits(), whole.to_bits());
            }
            let mean = values.iter().sum::<f64>() / n as f64;
            let plain = |k: i32| values.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n as f64;
            let ours = all.value(AggFunc::KurtosisPop, n).unwrap();
            let theirs = plain(4) / plain(2).powi(2) - 3.0;
            prop_assert!((ours - theirs).abs() <= 1e-8 * (1.0 + theirs.abs()), "{} {}", ours, theirs);
        }
    }
}
