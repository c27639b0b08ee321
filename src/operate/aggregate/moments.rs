//! Variances of floats: exact sums of values and of their squares, so that neither order nor grouping matters.
//!
//! ```text
//!   Σ(x - mean)² = (n·Σx² - (Σx)²) / n       exact up to the division, so equal values have none at all
//! ```

use super::big::Big;
use super::codec::{put_varint, take, varint};
use super::fixed::{Products, Units, add_units, limbs, put_limbs, units, wide_units};
use super::held::{Held, Sums};
use super::scaled::Scaled;

/// What is kept of the values of a group.
pub type ExactMoments = Held<MomentSums, 5>;

/// Groups are many: see the module [`super::held`].
const _: () = assert!(size_of::<ExactMoments>() <= 56);

/// The sums of many values.
#[derive(Debug, Clone)]
pub enum MomentSums {
    /// Of values of usual size.
    Fixed {
        /// The values.
        sum: [u64; 2],
        /// Their squares.
        squares: Products,
    },
    /// Of any.
    Wide(Box<WideSums>),
}

/// Sums of any values.
#[derive(Debug, Clone, Default)]
pub struct WideSums {
    sum: Big,
    squares: Big,
    /// How many were no finite numbers.
    odd: u64,
}

impl Default for MomentSums {
    fn default() -> Self {
        MomentSums::Fixed {
            sum: [0; 2],
            squares: Products::default(),
        }
    }
}

impl MomentSums {
    /// Adds a value or takes it off where that takes no more memory; false, and nothing is done, elsewhere.
    #[inline(always)]
    fn change_in_place(&mut self, x: f64, minus: bool) -> bool {
        if let MomentSums::Fixed { sum, squares } = self
            && let Some(units) = Units::of(x)
        {
            let (before, count) = (*sum, units.count());
            if add_units(sum, if minus { -count } else { count }) {
                if squares.add(units, units, minus) {
                    return true;
                }
                *sum = before;
            }
        }
        false
    }

    fn change(&mut self, x: f64, minus: bool) {
        if !self.change_in_place(x, minus) {
            self.change_wide(x, minus);
        }
    }

    #[cold]
    #[inline(never)]
    fn change_wide(&mut self, x: f64, minus: bool) {
        let mut sums = self.take_wide();
        match (x.is_finite(), minus) {
            (false, false) => sums.odd += 1,
            (false, true) => sums.odd -= 1,
            (true, _) => {
                sums.sum.change_float(x, minus);
                sums.squares.change_product(x, x, minus);
            }
        }
        *self = MomentSums::Wide(sums);
    }

    /// The sums, to be put back when they are changed.
    fn take_wide(&mut self) -> Box<WideSums> {
        match std::mem::take(self) {
            MomentSums::Wide(sums) => sums,
            fixed => Box::new(fixed.as_wide()),
        }
    }

    fn as_wide(&self) -> WideSums {
        match self {
            MomentSums::Wide(sums) => (**sums).clone(),
            MomentSums::Fixed { sum, squares } => WideSums {
                sum: wide_units(*sum),
                squares: squares.wide(),
                odd: 0,
            },
        }
    }

    /// `n·Σx² - (Σx)²` over `n` values.
    pub fn deviations(&self, n: u64) -> Scaled {
        let sums = self.as_wide();
        match sums.odd {
            0 => n_times_deviations(n, &sums.sum, &sums.squares).scaled(),
            _ => Scaled::NAN,
        }
    }
}

/// `n·Σx² - (Σx)²`.
pub fn n_times_deviations(n: u64, sum: &Big, squares: &Big) -> Big {
    let mut out = squares.by(n);
    out.subtract(&sum.times(sum));
    out
}

impl Sums for MomentSums {
    type Value = f64;

    #[inline(always)]
    fn add_in_place(&mut self, x: f64) -> bool {
        self.change_in_place(x, false)
    }

    fn add(&mut self, x: f64) {
        self.change(x, false);
    }

    fn remove(&mut self, x: f64) {
        self.change(x, true);
    }

    fn merge(&mut self, other: &MomentSums) {
        if let (
            MomentSums::Fixed { sum, squares },
            MomentSums::Fixed {
                sum: more,
                squares: others,
            },
        ) = (&mut *self, other)
        {
            let before = *sum;
            if add_units(sum, units(*more)) {
                if squares.merge(others) {
                    return;
                }
                *sum = before;
            }
        }
        let other = other.as_wide();
        let mut own = self.take_wide();
        own.sum.add(&other.sum);
        own.squares.add(&other.squares);
        own.odd += other.odd;
        *self = MomentSums::Wide(own);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            MomentSums::Fixed { sum, squares } => {
                out.push(0);
                put_limbs(out, sum);
                squares.encode(out);
            }
            MomentSums::Wide(sums) => {
                out.push(1);
                put_varint(out, u128::from(sums.odd));
                sums.sum.encode(out);
                sums.squares.encode(out);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<MomentSums> {
        Some(match take(bytes, 1)?[0] {
            0 => MomentSums::Fixed {
                sum: limbs(bytes)?,
                squares: Products::decode(bytes)?,
            },
            _ => MomentSums::Wide(Box::new(WideSums {
                odd: u64::try_from(varint(bytes)?).ok()?,
                sum: Big::decode(bytes)?,
                squares: Big::decode(bytes)?,
            })),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            MomentSums::Fixed { .. } => 0,
            MomentSums::Wide(sums) => size_of::<WideSums>() + sums.sum.bytes() + sums.squares.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> ExactMoments {
        let mut all = ExactMoments::default();
        values.iter().for_each(|&x| all.add(x));
        all
    }

    fn std(values: &[f64]) -> f64 {
        let n = values.len() as u64;
        let ways = Scaled::of((n * (n - 1)) as f64);
        of(values).look(|s| s.deviations(n)).over(ways).sqrt().to_f64()
    }

    #[test]
    fn known_deviations() {
        let near: Vec<f64> = (0..10).map(|i| 1e9 + f64::from(i)).collect();
        assert_eq!(std(&near), 3.0276503540974917);
        assert_eq!(std(&[0.1; 3]), 0.0);
        assert_eq!(std(&[1e200; 9]), 0.0);
        assert_eq!(std(&[0.0, 2f64.powi(700)]), 2f64.sqrt() * 2f64.powi(699));
        assert_eq!(std(&[0.0, 2f64.powi(-800)]), 2f64.sqrt() * 2f64.powi(-801));
        assert_eq!(std(&[-f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(std(&[f64::MAX, 0.0]).is_finite());
        assert!(std(&[1.0, f64::INFINITY]).is_nan() && std(&[f64::NAN, 0.0]).is_nan());
    }

    #[test]
    fn one_value_takes_few_bytes() {
        for x in [0.1, 1e200, 1e-300, -7.0, f64::NAN] {
            let mut bytes = Vec::new();
            of(&[x]).encode(&mut bytes);
            assert!(bytes.len() <= 16 && of(&[x]).bytes() == 0, "{x} {bytes:?}");
        }
        let (mut bytes, many) = (Vec::new(), vec![0.1; 1000]);
        of(&many).encode(&mut bytes);
        assert!(bytes.len() <= 64 && of(&many).bytes() == 0, "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn grouping_and_taking_back_leave_no_trace(
            values in prop::collection::vec(prop_oneof![any::<f64>(), -1e6f64..1e6, Just(0.1)], 1..30),
            others in prop::collection::vec(prop_oneof![any::<f64>(), -1e6f64..1e6], 0..9), cut in 0usize..30,
        ) {
            let cut = cut.min(values.len());
            let n = values.len() as u64;
            let mut bytes = Vec::new();
            of(&values[cut..]).encode(&mut bytes);
            let mut rest = bytes.as_slice();
            let mut parts = ExactMoments::decode(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            parts.merge(&of(&others));
            parts.merge(&of(&values[..cut]));
            others.iter().for_each(|&x| parts.remove(x));
            let (a, b) = (parts.look(|s| s.deviations(n)), of(&values).look(|s| s.deviations(n)));
            prop_assert_eq!(a.to_f64().to_bits(), b.to_f64().to_bits());
        }

        /// Against sums of squares of differences in whole numbers.
        #[test]
        fn as_in_whole_numbers(values in prop::collection::vec(-1_000_000i64..1_000_000, 2..40), unit in -40i32..40) {
            let floats: Vec<f64> = values.iter().map(|&v| v as f64 * 2f64.powi(unit)).collect();
            let n = values.len() as i128;
            let sum: i128 = values.iter().map(|&v| i128::from(v)).sum();
            // Σ(n·x - Σx)² / n = n·Σx² - (Σx)²
            let want: i128 = values.iter().map(|&v| (n * i128::from(v) - sum).pow(2)).sum::<i128>() / n;
            let ours = of(&floats).look(|s| s.deviations(n as u64));
            prop_assert_eq!(ours, Scaled::new(want as f64, 2 * unit));
        }
    }
}
