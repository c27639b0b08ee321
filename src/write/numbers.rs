//! Numbers to text, quickly where they are short: most integers and decimals of real tables are.
//!
//! ```text
//!   1234567 ─► 1234 | 4567 ─► 12|34|45|67 ─► 1|2|3|4|4|5|6|7     eight digits, three multiplications
//! ```
//!
//! Eight digits come from halving twice within one word (Khuong, "How to print integers really
//! fast", 2017). What is longer, or has more than six decimals, is left to `itoa` and `ryu`.

/// The first number that has more than eight digits.
const EIGHT: u64 = 100_000_000;
/// Decimals that the quick way for floats knows.
const UNIT: f64 = 1e6;

/// The digits of a number below [`EIGHT`], one a byte, the first in the lowest byte.
#[inline]
fn eight_digits(v: u32) -> u64 {
    let x = (v / 10_000) as u64 | ((v % 10_000) as u64) << 32;
    let hundreds = ((x * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let x = hundreds | ((x - 100 * hundreds) << 16);
    let tens = ((x * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((x - 10 * tens) << 8)
}

/// Appends the lowest `n` of eight bytes; always eight are copied, since that needs no call.
#[inline]
fn put(bytes: u64, n: usize, out: &mut Vec<u8>) {
    out.extend(bytes.to_le_bytes());
    out.truncate(out.len() - 8 + n);
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends a number below [`EIGHT`].
#[inline]
fn put_short(v: u32, out: &mut Vec<u8>) {
    let digits = eight_digits(v);
    let skip = (digits.trailing_zeros() / 8).min(7);
    put((digits | ZEROS) >> (8 * skip), 8 - skip as usize, out);
}

/// Appends an integer.
#[inline]
pub(super) fn write_int(v: i64, out: &mut Vec<u8>) {
    if (0..EIGHT as i64).contains(&v) {
        put_short(v as u32, out);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes());
    }
}

/// Appends the shortest text that reads back as the same finite float.
#[inline]
pub(super) fn write_shortest(x: f64, out: &mut Vec<u8>) {
    if !write_decimal(x, out) {
        out.extend_from_slice(ryu::Buffer::new().format_finite(x).as_bytes());
    }
}

/// Appends a float that is the nearest to a decimal with at most six places and fourteen digits.
///
/// No other decimal with at most fifteen digits is read as that float (a double tells them all
/// apart), so without its trailing zeros it is the shortest text.
#[inline]
fn write_decimal(x: f64, out: &mut Vec<u8>) -> bool {
    let m = x.abs();
    // below, `ryu` writes an exponent; zero has its own sign
    if !(1e-5..EIGHT as f64).contains(&m) {
        return false;
    }
    let scaled = (m * UNIT + 0.5) as u64;
    // a quotient is rounded as a decimal is read
    if scaled as f64 / UNIT != m {
        return false;
    }
    if x < 0.0 {
        out.push(b'-');
    }
    put_short((scaled / UNIT as u64) as u32, out);
    let digits = eight_digits((scaled % UNIT as u64) as u32 * 100);
    let n = 8 - (digits.leading_zeros() / 8).min(7) as usize;
    out.push(b'.');
    put(digits | ZEROS, n, out);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before".to_vec();
        f(&mut out);
        String::from_utf8(out).unwrap().split_off(6)
    }

    #[test]
    fn all_lengths() {
        for digits in 0..19 {
            for v in [10i64.pow(digits) - 1, 10i64.pow(digits), -(10i64.pow(digits))] {
                assert_eq!(text(|o| write_int(v, o)), v.to_string());
                let (x, mut ryu) = (v as f64 / 1e6, ryu::Buffer::new());
                assert_eq!(text(|o| write_shortest(x, o)), ryu.format(x));
            }
        }
        for v in 0..200_000 {
            assert_eq!(text(|o| write_int(v, o)), v.to_string());
        }
    }

    proptest! {
        #[test]
        fn integers_as_itoa(v: i64, shift in 0u32..64) {
            prop_assert_eq!(text(|o| write_int(v >> shift, o)), (v >> shift).to_string());
        }
        #[test]
        fn floats_as_ryu(bits: u64, whole in -1_000_000_000i64..1_000_000_000, places in 0i32..9, step in -2i64..3) {
            let near = f64::from_bits(((whole as f64 / 10f64.powi(places)).to_bits() as i64 + step) as u64);
            for x in [f64::from_bits(bits), whole as f64 / 10f64.powi(places), near] {
                if x.is_finite() {
                    let mut ryu = ryu::Buffer::new();
                    prop_assert_eq!(text(|o| write_shortest(x, o)), ryu.format_finite(x));
                }
            }
        }
    }
}
