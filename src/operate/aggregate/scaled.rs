//! Floats with a wide exponent: what lies between exact sums and a result may be far out of a float's range
//! where the result is not. The variance of values about 1e200 is no finite float; their deviation is.

use super::exact::two_steps;

/// `m · 2^exponent`, with m of 1 to below 2, zero, or no number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled {
    m: f64,
    exponent: i32,
}

impl Scaled {
    /// No number.
    pub const NAN: Scaled = Scaled {
        m: f64::NAN,
        exponent: 0,
    };

    /// `x · 2^exponent`.
    pub fn new(x: f64, exponent: i32) -> Scaled {
        if x == 0.0 || !x.is_finite() {
            return Scaled { m: x, exponent: 0 };
        }
        let mut scaled = Scaled { m: x, exponent };
        if !x.is_normal() {
            scaled.m *= 2f64.powi(64);
            scaled.exponent -= 64;
        }
        let bits = scaled.m.to_bits();
        scaled.exponent += (bits >> 52 & 0x7ff) as i32 - 1023;
        scaled.m = f64::from_bits(bits & !(0x7ff << 52) | 1023 << 52);
        scaled
    }

    /// A float.
    pub fn of(x: f64) -> Scaled {
        Scaled::new(x, 0)
    }

    /// The product.
    pub fn times(self, other: Scaled) -> Scaled {
        Scaled::new(self.m * other.m, self.exponent + other.exponent)
    }

    /// The quotient.
    pub fn over(self, other: Scaled) -> Scaled {
        Scaled::new(self.m / other.m, self.exponent - other.exponent)
    }

    /// The square root.
    pub fn sqrt(self) -> Scaled {
        let odd = self.exponent & 1;
        Scaled::new((self.m * f64::from(1 + odd)).sqrt(), (self.exponent - odd) / 2)
    }

    /// The nearest float; infinite or zero where it is out of a float's range.
    pub fn to_f64(self) -> f64 {
        two_steps(self.m, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_of_the_range() {
        let huge = Scaled::of(1e300).times(Scaled::of(1e300));
        assert_eq!(huge.to_f64(), f64::INFINITY);
        assert_eq!(huge.sqrt().to_f64(), 1e300);
        let tiny = Scaled::of(5e-324).times(Scaled::of(5e-324));
        assert_eq!((tiny.to_f64(), tiny.sqrt().to_f64()), (0.0, 5e-324));
        assert!(Scaled::NAN.times(huge).sqrt().to_f64().is_nan());
        assert!(Scaled::of(0.0).over(Scaled::of(0.0)).to_f64().is_nan());
    }

    proptest! {
        #[test]
        fn as_floats_within_their_range(a in -1e100f64..1e100, b in -1e100f64..1e100) {
            prop_assume!(b != 0.0);
            let (x, y) = (Scaled::of(a), Scaled::of(b));
            prop_assert_eq!(x.to_f64(), a);
            prop_assert_eq!(x.times(y).to_f64(), a * b);
            prop_assert_eq!(x.over(y).to_f64(), a / b);
            prop_assert_eq!(Scaled::of(a.abs()).sqrt().to_f64(), a.abs().sqrt());
        }
    }
}
