//! Exact sums of the first four powers, for skewness and kurtosis.
//!
//! ```text
//!   M₂ = n·Σx² - (Σx)²      M₃ = n²·Σx³ - 3n·Σx·Σx² + 2·(Σx)³
//!   M₄ = n³·Σx⁴ - 4n²·Σx·Σx³ + 6n·(Σx)²·Σx² - 3·(Σx)⁴               Mₖ = nᵏ · central moment k
//! ```

use super::big::{Big, multiply, parts_of};
use super::codec::{put_varint, varint};
use super::held::{Held, Sums};
use crate::expr::AggFunc;

/// What is kept of the values of a group.
pub type ExactPowers = Held<Box<PowerSums>, 6>;

/// Groups are many: see the module [`super::held`].
const _: () = assert!(size_of::<ExactPowers>() <= 56);

/// The sums of the powers of many values.
#[derive(Debug, Clone, Default)]
pub struct PowerSums {
    sums: [Big; 4],
    /// How many were no finite numbers.
    odd: u64,
}

impl PowerSums {
    fn change(&mut self, x: f64, minus: bool) {
        match (x.is_finite(), minus) {
            (false, false) => self.odd += 1,
            (false, true) => self.odd -= 1,
            (true, _) => {
                let (negative, m, exponent) = parts_of(x);
                let mut power = vec![m];
                for (sum, k) in self.sums.iter_mut().zip(1..) {
                    sum.add_bits(&power, (negative && k % 2 == 1) != minus, k * exponent);
                    power = multiply(&power, &[m]);
                }
            }
        }
    }

    /// The central moments 2, 3 and 4 of `n` values, times `nᵏ`.
    fn central(&self, n: u64) -> [Big; 3] {
        let [s1, s2, s3, s4] = &self.sums;
        let square = s1.times(s1);
        let mut two = s2.by(n);
        two.subtract(&square);
        let mut three = s3.by(n).by(n);
        three.subtract(&s1.times(s2).by(n).by(3));
        three.add(&square.times(s1).by(2));
        let mut four = s4.by(n).by(n).by(n);
        four.subtract(&s1.times(s3).by(n).by(n).by(4));
        four.add(&square.times(s2).by(n).by(6));
        four.subtract(&square.times(&square).by(3));
        [two, three, four]
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
        if self.odd > 0 {
            return Some(f64::NAN);
        }
        let [two, three, four] = self.central(n);
        if two.is_zero() {
            return None; // equal values have no shape
        }
        let two = two.scaled();
        let n = n as f64;
        let fourth = || four.scaled().over(two.times(two)).to_f64();
        Some(match func {
            AggFunc::Skewness => {
                let third = three.scaled().over(two.times(two.sqrt())).to_f64();
                (n * (n - 1.0)).sqrt() / (n - 2.0) * third
            }
            AggFunc::Kurtosis => {
                let ratio = (n + 1.0) * fourth() - 3.0 * (n - 1.0);
                (n - 1.0) * ratio / ((n - 2.0) * (n - 3.0))
            }
            _ => fourth() - 3.0,
        })
    }
}

impl Sums for Box<PowerSums> {
    type Value = f64;

    fn add(&mut self, x: f64) {
        self.change(x, false);
    }

    fn remove(&mut self, x: f64) {
        self.change(x, true);
    }

    fn merge(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| a.add(b));
        self.odd += other.odd;
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u128::from(self.odd));
        self.sums.iter().for_each(|s| s.encode(out));
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut all = PowerSums {
            odd: u64::try_from(varint(bytes)?).ok()?,
            ..PowerSums::default()
        };
        for sum in &mut all.sums {
            *sum = Big::decode(bytes)?;
        }
        Some(Box::new(all))
    }

    fn bytes(&self) -> usize {
        size_of::<PowerSums>() + self.sums.iter().map(Big::bytes).sum::<usize>()
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
            let (a, b) = (
                of(&near).look(|s| s.value(f, 6)).unwrap(),
                of(&far).look(|s| s.value(f, 6)).unwrap(),
            );
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn sizes_do_not_matter() {
        let near = [0.0, 1.0, 1.0, 2.0, 7.0, 9.5];
        for f in [AggFunc::Skewness, AggFunc::Kurtosis, AggFunc::KurtosisPop] {
            let plain = of(&near).look(|s| s.value(f, 6));
            for unit in [2f64.powi(900), 2f64.powi(-1000)] {
                assert_eq!(of(&near.map(|x| x * unit)).look(|s| s.value(f, 6)), plain);
            }
        }
        assert_eq!(of(&[0.1; 9]).look(|s| s.value(AggFunc::Skewness, 9)), None);
        assert!(
            of(&[0.1, f64::NAN, 1.0, 2.0])
                .look(|s| s.value(AggFunc::Skewness, 4))
                .unwrap()
                .is_nan()
        );
    }

    #[test]
    fn too_few_and_equal_values() {
        assert_eq!(of(&[1.0, 2.0]).look(|s| s.value(AggFunc::Skewness, 2)), None);
        assert_eq!(of(&[1.0, 2.0, 4.0]).look(|s| s.value(AggFunc::Kurtosis, 3)), None);
        assert_eq!(of(&[2.0; 4]).look(|s| s.value(AggFunc::Kurtosis, 4)), None);
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
                let (ours, whole) = (all.look(|s| s.value(f, n)).unwrap(), of(&values).look(|s| s.value(f, n)).unwrap());
                prop_assert_eq!(ours.to_bits(), whole.to_bits());
            }
            let mean = values.iter().sum::<f64>() / n as f64;
            let plain = |k: i32| values.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n as f64;
            let ours = all.look(|s| s.value(AggFunc::KurtosisPop, n)).unwrap();
            let theirs = plain(4) / plain(2).powi(2) - 3.0;
            prop_assert!((ours - theirs).abs() <= 1e-8 * (1.0 + theirs.abs()), "{} {}", ours, theirs);
        }
    }
}
