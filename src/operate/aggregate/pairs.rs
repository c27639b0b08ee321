//! Pairs of floats for correlation and regression: exact sums, so that neither order nor grouping matters.
//!
//! ```text
//!   A = n·Σx² - (Σx)²    B = n·Σy² - (Σy)²    C = n·Σxy - Σx·Σy       exact
//!   corr = C / √(A·B)    slope = C / A        r² = C² / (A·B) = 1 - (A·B - C²) / (A·B)
//! ```
//!
//! A pair arrives as one decimal of 128 bits that holds the bits of both floats: two columns as one,
//! so that the call of an aggregate stays a function of one column.

use std::borrow::Cow;

use super::big::Big;
use super::codec::{put_varint, take, varint};
use super::exact::UNIT;
use super::fixed::{Products, Units, add_units, limbs, put_limbs, units, wide_units, words};
use super::held::{Held, Sums};
use super::moments::n_times_deviations;
use super::scaled::Scaled;
use super::whole::WholePairs;
use crate::expr::PairFunc;

/// The two floats of a packed pair.
pub fn unpacked(pair: i128) -> (f64, f64) {
    let bits = pair as u128;
    (f64::from_bits((bits >> 64) as u64), f64::from_bits(bits as u64))
}

/// What is kept of the pairs of a group; of `regr_…(y, x)` the first of a pair is y.
pub type ExactPairs = Held<PairSums, 3>;

/// Groups are many: see the module [`super::held`].
const _: () = assert!(size_of::<ExactPairs>() <= 56);

/// The sums of many pairs.
#[derive(Debug, Clone)]
pub enum PairSums {
    /// Of whole numbers.
    Whole(WholePairs),
    /// Of numbers of usual size.
    Fixed(Box<FixedSums>),
    /// Of any.
    Wide(Box<WideSums>),
}

/// Sums of pairs of usual size.
#[derive(Debug, Clone, Default)]
pub struct FixedSums {
    sums: [[u64; 2]; 2],
    /// Squares of the first, of the second, and what they are together.
    products: [Products; 3],
}

impl Default for PairSums {
    fn default() -> Self {
        PairSums::Whole(WholePairs::default())
    }
}

/// Sums of any pairs.
#[derive(Debug, Clone, Default)]
pub struct WideSums {
    sums: [Big; 2],
    products: [Big; 3],
    /// How many of the first, and of the second, were NaN, infinite, and infinite below zero.
    odd: [[u64; 3]; 2],
}

/// NaN, infinity, minus infinity; none for finite numbers.
fn odd_kind(x: f64) -> Option<usize> {
    match x {
        x if x.is_finite() => None,
        x if x.is_nan() => Some(0),
        x => Some(if x > 0.0 { 1 } else { 2 }),
    }
}

impl WideSums {
    fn is_odd(&self, column: usize) -> bool {
        self.odd[column] != [0; 3]
    }

    fn mean(&self, column: usize, n: u64) -> f64 {
        match self.odd[column] {
            [0, 0, 0] => self.sums[column].scaled().over(Scaled::of(n as f64)).to_f64(),
            [0, _, 0] => f64::INFINITY,
            [0, 0, _] => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

impl FixedSums {
    /// The same sums; all that whole ones hold is of usual size.
    fn of(whole: &WholePairs) -> FixedSums {
        FixedSums {
            sums: whole.sums.map(|s| words(i128::from(s) << UNIT)),
            products: whole.products.map(Products::of),
        }
    }

    /// Adds a pair or takes it off; false, and nothing is done, where that does not fit.
    #[inline(always)]
    fn change(&mut self, (a, b): (f64, f64), minus: bool) -> bool {
        let (Some(u), Some(v)) = (Units::of(a), Units::of(b)) else {
            return false;
        };
        let (mut sums, mut products) = (self.sums, self.products);
        let count = |u: Units| if minus { -u.count() } else { u.count() };
        let fits = add_units(&mut sums[0], count(u))
            && add_units(&mut sums[1], count(v))
            && products[0].add(u, u, minus)
            && products[1].add(v, v, minus)
            && products[2].add(u, v, minus);
        if fits {
            (self.sums, self.products) = (sums, products);
        }
        fits
    }

    /// Adds other sums; false, and nothing is done, where that does not fit.
    fn merge(&mut self, other: &FixedSums) -> bool {
        let (mut sums, mut products) = (self.sums, self.products);
        let fits = (sums.iter_mut().zip(other.sums)).all(|(s, o)| add_units(s, units(o)))
            && (products.iter_mut().zip(&other.products)).all(|(p, o)| p.merge(o));
        if fits {
            (self.sums, self.products) = (sums, products);
        }
        fits
    }

    fn as_wide(&self) -> WideSums {
        WideSums {
            sums: self.sums.map(wide_units),
            products: self.products.map(|p| p.wide()),
            odd: Default::default(),
        }
    }
}

impl WideSums {
    fn change(&mut self, (a, b): (f64, f64), minus: bool) {
        for (column, x) in [a, b].into_iter().enumerate() {
            match odd_kind(x) {
                None => {
                    self.sums[column].change_float(x, minus);
                    self.products[column].change_product(x, x, minus);
                }
                Some(kind) if minus => self.odd[column][kind] -= 1,
                Some(kind) => self.odd[column][kind] += 1,
            }
        }
        if a.is_finite() && b.is_finite() {
            self.products[2].change_product(a, b, minus);
        }
    }

    fn merge(&mut self, other: &WideSums) {
        let sums = self.sums.iter_mut().chain(&mut self.products);
        (sums.zip(other.sums.iter().chain(&other.products))).for_each(|(a, b)| a.add(b));
        let counts = self.odd.as_flattened_mut().iter_mut();
        counts.zip(other.odd.as_flattened()).for_each(|(a, b)| *a += b);
    }
}

impl PairSums {
    /// Adds a pair or takes it off where that takes no more memory; false, and nothing is done, elsewhere.
    #[inline(always)]
    fn change_in_place(&mut self, pair: (f64, f64), minus: bool) -> bool {
        match self {
            PairSums::Whole(sums) => match sums.changed(pair, minus) {
                Some(changed) => {
                    *sums = changed;
                    true
                }
                None => false,
            },
            PairSums::Fixed(sums) => sums.change(pair, minus),
            PairSums::Wide(_) => false,
        }
    }

    fn change(&mut self, pair: (f64, f64), minus: bool) {
        if self.change_in_place(pair, minus) {
            return;
        }
        if let PairSums::Whole(sums) = self {
            let mut fixed = Box::new(FixedSums::of(sums));
            if fixed.change(pair, minus) {
                *self = PairSums::Fixed(fixed);
                return;
            }
        }
        let mut wide = self.take_wide();
        wide.change(pair, minus);
        *self = PairSums::Wide(wide);
    }

    /// The sums of all pairs, to be put back when they are changed.
    fn take_wide(&mut self) -> Box<WideSums> {
        match std::mem::take(self) {
            PairSums::Wide(sums) => sums,
            other => Box::new(other.as_wide().into_owned()),
        }
    }

    fn as_fixed(&self) -> Option<Cow<'_, FixedSums>> {
        match self {
            PairSums::Whole(sums) => Some(Cow::Owned(FixedSums::of(sums))),
            PairSums::Fixed(sums) => Some(Cow::Borrowed(sums)),
            PairSums::Wide(_) => None,
        }
    }

    fn as_wide(&self) -> Cow<'_, WideSums> {
        match self {
            PairSums::Whole(sums) => Cow::Owned(FixedSums::of(sums).as_wide()),
            PairSums::Fixed(sums) => Cow::Owned(sums.as_wide()),
            PairSums::Wide(sums) => Cow::Borrowed(sums),
        }
    }

    /// What a function makes of `n` pairs; none where it has no value.
    pub fn value(&self, func: PairFunc, n: u64) -> Option<f64> {
        use PairFunc::*;
        if n == 0 {
            return None;
        }
        let all = &*self.as_wide();
        if matches!(func, CovarSamp) && n < 2 {
            return None;
        }
        let line = Line { all, n };
        let count = |k: u64| Scaled::of((u128::from(n) * u128::from(k)) as f64);
        let odd = match func {
            Sxx => all.is_odd(1),
            Syy => all.is_odd(0),
            Count | AvgX | AvgY => false,
            _ => all.is_odd(0) || all.is_odd(1),
        };
        Some(match func {
            Intercept | R2 if !all.is_odd(1) && line.a().is_zero() => return None,
            _ if odd => f64::NAN,
            Count => n as f64,
            CovarPop => line.c().scaled().over(count(n)).to_f64(),
            CovarSamp => line.c().scaled().over(count(n - 1)).to_f64(),
            Sxx => line.a().scaled().over(count(1)).to_f64(),
            Syy => line.b().scaled().over(count(1)).to_f64(),
            Sxy => line.c().scaled().over(count(1)).to_f64(),
            AvgX => all.mean(1, n),
            AvgY => all.mean(0, n),
            Corr => line.correlation(),
            Slope => line.c().scaled().over(line.a().scaled()).to_f64(),
            Intercept => line.intercept(),
            R2 => line.share(),
        })
    }
}

/// The line that least squares give.
struct Line<'a> {
    all: &'a WideSums,
    n: u64,
}

impl Line<'_> {
    fn a(&self) -> Big {
        n_times_deviations(self.n, &self.all.sums[1], &self.all.products[1])
    }

    fn b(&self) -> Big {
        n_times_deviations(self.n, &self.all.sums[0], &self.all.products[0])
    }

    fn c(&self) -> Big {
        let mut c = self.all.products[2].by(self.n);
        c.subtract(&self.all.sums[0].times(&self.all.sums[1]));
        c
    }

    /// `A·B`, and what `C²` lacks to it: nothing exactly where all pairs lie on a line.
    fn lack(&self, c: &Big) -> (Big, Big) {
        let product = self.a().times(&self.b());
        let mut lack = product.clone();
        lack.subtract(&c.times(c));
        (product, lack)
    }

    fn correlation(&self) -> f64 {
        let c = self.c();
        let (product, lack) = self.lack(&c);
        if product.is_zero() {
            return f64::NAN;
        }
        let lack = lack.scaled().over(product.scaled()).to_f64();
        let r = match lack < 0.5 {
            // near a line what is left out is known better than the quotient
            true => (1.0 - lack).sqrt(),
            false => c.scaled().over(product.scaled().sqrt()).to_f64().abs(),
        };
        if c.is_below_zero() { -r } else { r }
    }

    fn share(&self) -> f64 {
        let c = self.c();
        let (product, lack) = self.lack(&c);
        if product.is_zero() {
            return 1.0; // y never changes, as the line says
        }
        let lack = lack.scaled().over(product.scaled()).to_f64();
        match lack < 0.5 {
            true => 1.0 - lack,
            false => c.times(&c).scaled().over(product.scaled()).to_f64(),
        }
    }

    /// `(Σy·A - Σx·C) / (n·A)`.
    fn intercept(&self) -> f64 {
        let [y, x] = &self.all.sums;
        let a = self.a();
        let mut above = y.times(&a);
        above.subtract(&x.times(&self.c()));
        above.scaled().over(a.by(self.n).scaled()).to_f64()
    }
}

impl Sums for PairSums {
    type Value = (f64, f64);

    #[inline(always)]
    fn add_in_place(&mut self, pair: (f64, f64)) -> bool {
        self.change_in_place(pair, false)
    }

    fn add(&mut self, pair: (f64, f64)) {
        self.change(pair, false);
    }

    fn remove(&mut self, pair: (f64, f64)) {
        self.change(pair, true);
    }

    fn merge(&mut self, other: &Self) {
        if let (PairSums::Whole(own), PairSums::Whole(others)) = (&mut *self, other)
            && let Some(all) = own.with(others)
        {
            *own = all;
            return;
        }
        if let Some(mut own) = self.as_fixed()
            && let Some(others) = other.as_fixed()
            && own.to_mut().merge(&others)
        {
            *self = PairSums::Fixed(Box::new(own.into_owned()));
            return;
        }
        let mut own = self.take_wide();
        own.merge(&other.as_wide());
        *self = PairSums::Wide(own);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            PairSums::Fixed(fixed) => {
                out.push(0);
                fixed.sums.iter().for_each(|s| put_limbs(out, s));
                fixed.products.iter().for_each(|p| p.encode(out));
            }
            PairSums::Wide(wide) => {
                out.push(1);
                (wide.odd.as_flattened().iter()).for_each(|&n| put_varint(out, n.into()));
                wide.sums.iter().chain(&wide.products).for_each(|b| b.encode(out));
            }
            PairSums::Whole(whole) => {
                out.push(2);
                whole.encode(out);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes, 1)?[0] {
            0 => {
                let mut all = FixedSums::default();
                for sum in &mut all.sums {
                    *sum = limbs(bytes)?;
                }
                for products in &mut all.products {
                    *products = Products::decode(bytes)?;
                }
                Some(PairSums::Fixed(Box::new(all)))
            }
            1 => {
                let mut wide = WideSums::default();
                for n in wide.odd.as_flattened_mut() {
                    *n = u64::try_from(varint(bytes)?).ok()?;
                }
                for b in wide.sums.iter_mut().chain(&mut wide.products) {
                    *b = Big::decode(bytes)?;
                }
                Some(PairSums::Wide(Box::new(wide)))
            }
            2 => WholePairs::decode(bytes).map(PairSums::Whole),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            PairSums::Whole(_) => 0,
            PairSums::Fixed(_) => size_of::<FixedSums>(),
            PairSums::Wide(w) => {
                let numbers = w.sums.iter().chain(&w.products);
                size_of::<WideSums>() + numbers.map(Big::bytes).sum::<usize>()
            }
        }
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
        let r = |p: &[(f64, f64)]| of(p).look(|s| s.value(PairFunc::Corr, 10)).unwrap();
        assert!((r(&pairs) - r(&near)).abs() < 1e-15, "{} {}", r(&pairs), r(&near));
        assert_eq!(
            of(&pairs)
                .look(|s| s.value(PairFunc::Slope, 10))
                .map(|s| (s / 1e7).round()),
            Some(10.0)
        );
    }

    #[test]
    fn nothing_and_one_pair() {
        assert_eq!(of(&[]).look(|s| s.value(PairFunc::Corr, 0)), None);
        assert_eq!(of(&[(1.0, 2.0)]).look(|s| s.value(PairFunc::CovarSamp, 1)), None);
        assert!(
            of(&[(1.0, 2.0)])
                .look(|s| s.value(PairFunc::Corr, 1))
                .unwrap()
                .is_nan()
        );
    }

    #[test]
    fn what_is_no_number_spoils_its_own_column_alone() {
        let all = of(&[(f64::NAN, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0)]);
        let value = |f| all.look(|s| s.value(f, 4)).unwrap();
        assert_eq!((value(PairFunc::AvgX), value(PairFunc::Sxx)), (4.0, 20.0));
        for f in [
            PairFunc::AvgY,
            PairFunc::Syy,
            PairFunc::Sxy,
            PairFunc::Corr,
            PairFunc::Slope,
        ] {
            assert!(value(f).is_nan(), "{f:?}");
        }
        let mut all = of(&[(1.0, f64::INFINITY), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0)]);
        assert_eq!(all.look(|s| s.value(PairFunc::AvgX, 4)), Some(f64::INFINITY));
        all.remove((1.0, f64::INFINITY));
        assert_eq!(all.look(|s| s.value(PairFunc::Corr, 3)), Some(1.0));
    }

    #[test]
    fn pairs_on_a_line() {
        let r = |f: fn(f64) -> f64| {
            let pairs: Vec<(f64, f64)> = (0..7).map(|i| (f(f64::from(i)), f64::from(i))).collect();
            let value = |func| of(&pairs).look(|s| s.value(func, 7));
            [PairFunc::Corr, PairFunc::R2, PairFunc::Slope, PairFunc::Intercept].map(value)
        };
        assert_eq!(r(|x| x), [Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
        assert_eq!(
            r(|x| -3.0 * x + 0.5),
            [Some(-1.0), Some(1.0), Some(-3.0), Some(0.5)]
        );
        let huge = 2f64.powi(700);
        assert_eq!(
            r(|x| x * 2f64.powi(700)),
            [Some(1.0), Some(1.0), Some(huge), Some(0.0)]
        );
        assert_eq!(r(|x| 0.1 * x)[..2], [Some(1.0), Some(1.0)]);
        assert_eq!(r(|_| 0.1)[1..], [Some(1.0), Some(0.0), Some(0.1)]);
        let same = of(&[(1.0, 0.1); 5]);
        assert!(same.look(|s| s.value(PairFunc::Slope, 5)).unwrap().is_nan());
        assert_eq!(same.look(|s| s.value(PairFunc::Sxx, 5)), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_column_with_itself(values in prop::collection::vec(any::<f64>(), 2..30)) {
            prop_assume!(values.iter().all(|v| v.is_finite()) && values.iter().any(|v| *v != values[0]));
            let pairs: Vec<(f64, f64)> = values.iter().map(|&v| (v, v)).collect();
            let n = values.len() as u64;
            let value = |f| of(&pairs).look(|s| s.value(f, n));
            prop_assert_eq!((value(PairFunc::Corr), value(PairFunc::R2)), (Some(1.0), Some(1.0)));
            prop_assert_eq!((value(PairFunc::Slope), value(PairFunc::Intercept)), (Some(1.0), Some(0.0)));
        }

        /// Whole numbers, others of usual size and any at all go from one kind of sums to the next.
        #[test]
        fn all_kinds_of_sums_agree(
            pairs in prop::collection::vec((
                prop_oneof![8 => (-9i32..9).prop_map(f64::from), 2 => any::<i32>().prop_map(f64::from), 1 => -1e3f64..1e3],
                prop_oneof![8 => (-9i32..9).prop_map(f64::from), 2 => any::<i32>().prop_map(f64::from), 1 => -1e30f64..1e30],
            ), 1..40),
            cut in 0usize..40,
        ) {
            let cut = cut.min(pairs.len());
            let n = pairs.len() as u64;
            let mut wide = WideSums::default();
            pairs.iter().for_each(|&p| wide.change(p, false));
            let wide = PairSums::Wide(Box::new(wide));
            let mut bytes = Vec::new();
            let mut parts = of(&pairs[cut..]);
            parts.merge(&of(&pairs[..cut]));
            parts.encode(&mut bytes);
            let again = ExactPairs::decode(&mut bytes.as_slice()).unwrap();
            let mut taken = again.clone();
            taken.add((0.25, 7.0));
            taken.remove((0.25, 7.0));
            for f in [PairFunc::CovarPop, PairFunc::Corr, PairFunc::Slope, PairFunc::AvgX, PairFunc::Syy] {
                let bits = |x: Option<f64>| x.map(f64::to_bits);
                let wanted = bits(wide.value(f, n));
                prop_assert_eq!(bits(again.look(|s| s.value(f, n))), wanted);
                prop_assert_eq!(bits(taken.look(|s| s.value(f, n))), wanted);
            }
        }

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
                prop_assert_eq!(parts.look(|s| s.value(f, n)), of(&pairs).look(|s| s.value(f, n)));
            }
            let plain: f64 = {
                let m = |f: fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>() / n as f64;
                let (a, b) = (m(|p| p.0), m(|p| p.1));
                pairs.iter().map(|p| (p.0 - a) * (p.1 - b)).sum()
            };
            let ours = parts.look(|s| s.value(PairFunc::Sxy, n)).unwrap();
            prop_assert!((ours - plain).abs() <= 1e-9 * (1.0 + plain.abs()), "{} {}", ours, plain);
        }
    }
}
