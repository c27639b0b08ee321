//! Short numbers, and floats of up to 16 bytes, 64 rows at a time and without branches, so that the compiler makes vectors of it.
//!
//! ```text
//!   words   the first 8 bytes of each field        "-12.5,AA"
//!   bounds  and where they begin and end            5 bytes
//!             │ drop the sign, close the gap of the point, shift out what follows
//!             ▼
//!   digits  "….125" ──► pairs ──► fours ──► 125 / TENS[1], sign ──► value, and a bit: it was one
//! ```
//!
//! A row whose bit is zero (empty, too long, null text, no number) has no meaning in
//! the output: the caller looks at it by the scalar parser. [`crate::kernel::raw::lanes`] compiles
//! these bodies for the machine's vectors.

use super::Bounds;
use super::int::{ZEROS, eight_digits};

/// Rows of a block.
pub const ROWS: usize = 64;

/// The fields of up to 64 rows.
#[derive(Debug, Clone)]
pub struct Block {
    /// The first eight bytes of each, the first one lowest.
    pub words: [u64; ROWS],
    /// Where they lie; rows that do not exist have empty ones.
    pub bounds: Bounds,
}

impl Default for Block {
    fn default() -> Self {
        Block {
            words: [0; ROWS],
            bounds: Bounds::default(),
        }
    }
}

impl Block {
    #[inline(always)]
    fn len(&self, i: usize) -> u64 {
        u64::from(self.bounds.ends[i].wrapping_sub(self.bounds.starts[i]))
    }
}

/// A bit for each field: whether it is not empty.
#[inline(always)]
pub fn present(bounds: &Bounds) -> u64 {
    let mut some = [0u64; ROWS];
    for (some, (start, end)) in some.iter_mut().zip(bounds.starts.iter().zip(&bounds.ends)) {
        *some = u64::from(start != end);
    }
    gather(&some)
}

/// Powers of ten for up to seven digits after the point; 8 entries so that an index needs no check.
const TENS: [f64; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

const HIGHS: u64 = 0x8080_8080_8080_8080;

/// All ones if the condition holds.
#[inline(always)]
fn mask(condition: bool) -> u64 {
    (condition as u64).wrapping_neg()
}

/// The word and length without a leading `-`, and whether there was one.
#[inline(always)]
fn unsigned(word: u64, len: u64) -> (u64, u64, u64) {
    let negative = (word as u8 == b'-') as u64;
    (word >> (8 * negative), len.wrapping_sub(negative), negative)
}

/// The `n` (1 to 8) digits at the low end of a word as a number, and 0 if all are digits.
#[inline(always)]
fn number(word: u64, n: u64) -> (u64, u64) {
    let values = (word ^ ZEROS) << (64u64.wrapping_sub(n.wrapping_mul(8)) & 63);
    let bad = (values | (values & !HIGHS).wrapping_add(0x7676_7676_7676_7676)) & HIGHS;
    (eight_digits(values), bad)
}

/// Integers by the rules of `super::int`: up to eight bytes with the sign.
#[inline(always)]
pub fn ints(block: &Block, out: &mut [i64; ROWS]) -> u64 {
    let mut good = [0u64; ROWS];
    for i in 0..ROWS {
        let (word, n, negative) = unsigned(block.words[i], block.len(i));
        let (value, bad) = number(word, n);
        // a leading zero, also of "-0", is for the scalar parser to refuse
        let leading = (word as u8 == b'0') & (n.wrapping_add(negative) > 1);
        let fits = (block.len(i) <= 8) & (n.wrapping_sub(1) < 8);
        good[i] = (fits & (bad == 0) & !leading) as u64;
        let sign = negative.wrapping_neg();
        out[i] = ((value ^ sign).wrapping_sub(sign)) as i64;
    }
    gather(&good)
}

/// Floats by the rules of `super::float`: up to eight bytes with sign and point, no exponent.
#[inline(always)]
pub fn floats(block: &Block, out: &mut [f64; ROWS]) -> u64 {
    let mut good = [0u64; ROWS];
    for i in 0..ROWS {
        let (word, n, negative) = unsigned(block.words[i], block.len(i));
        let used = !0u64 >> (64u64.wrapping_sub(n.wrapping_mul(8)) & 63);
        let x = word ^ 0x2e2e_2e2e_2e2e_2e2e;
        let points = x.wrapping_sub(0x0101_0101_0101_0101) & !x & HIGHS & used;
        // the lowest set bit is the first point; without one `below` is all ones
        let first = points & points.wrapping_neg();
        let below = (first >> 7).wrapping_sub(1);
        let has_point = (points != 0) as u64;
        let joined = (word & below) | ((word >> 8) & !below);
        let digits = n.wrapping_sub(has_point);
        let before = ((below & used).count_ones() / 8) as u64;
        let scale = digits.wrapping_sub(before) & mask(points != 0);
        let (value, bad) = number(joined, digits);
        let leading = (word as u8 == b'0') & (before > 1);
        let fits = (block.len(i) <= 8) & (digits.wrapping_sub(1) < 8);
        good[i] = (fits & (bad == 0) & !leading) as u64;
        let size = value as u32 as i32 as f64 / TENS[(scale & 7) as usize];
        out[i] = f64::from_bits(size.to_bits() ^ (negative << 63));
    }
    gather(&good)
}

/// Powers of ten for up to fifteen digits after the point, all exact.
const LONG_TENS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// A word's `<<`, where 64 and more shift everything out.
#[inline(always)]
fn up(word: u64, bits: u64) -> u64 {
    if bits < 64 { word << bits } else { 0 }
}

/// A word's `>>`, where 64 and more shift everything out.
#[inline(always)]
fn down(word: u64, bits: u64) -> u64 {
    if bits < 64 { word >> bits } else { 0 }
}

/// The top bit of the first point in a word, or zero, and all bits below its byte.
#[inline(always)]
fn first_point(word: u64, used: u64) -> (u64, u64) {
    let x = word ^ 0x2e2e_2e2e_2e2e_2e2e;
    let points = x.wrapping_sub(0x0101_0101_0101_0101) & !x & HIGHS & used;
    let first = points & points.wrapping_neg();
    (first, (first >> 7).wrapping_sub(1))
}

/// As [`floats`], for up to sixteen bytes; `next` are the eight bytes after each word.
///
/// ```text
///   low, next   "-87.3533" "21,5…"      sixteen digits with zeros before them; the upper and the
///   digits      "00000000" "87353321"   lower eight become a number each
/// ```
#[inline(always)]
pub fn long_floats(block: &Block, next: &[u64; ROWS], out: &mut [f64; ROWS]) -> u64 {
    let mut good = [0u64; ROWS];
    for i in 0..ROWS {
        let negative = (block.words[i] as u8 == b'-') as u64;
        let (sign, n) = (negative.wrapping_neg(), block.len(i).wrapping_sub(negative));
        let low = (block.words[i] & !sign) | (((block.words[i] >> 8) | (next[i] << 56)) & sign);
        let high = (next[i] & !sign) | ((next[i] >> 8) & sign);
        // the bytes of the number in either word
        let bits = n.wrapping_mul(8);
        let used_low = !up(!0, bits);
        let used_high = !up(!0, bits.saturating_sub(64));
        let (in_low, below) = first_point(low, used_low);
        let (in_high, below_high) = first_point(high, used_high & mask(in_low == 0));
        let above_high = below_high & mask(in_low == 0);
        let joined_low = (low & below) | (((low >> 8) | (high << 56)) & !below);
        let joined_high = (high & above_high) | ((high >> 8) & !above_high);
        let has_point = ((in_low | in_high) != 0) as u64;
        let digits = n.wrapping_sub(has_point);
        let whole = (below & used_low).count_ones() + (above_high & used_high).count_ones();
        let before = u64::from(whole / 8);
        let scale = digits.wrapping_sub(before) & has_point.wrapping_neg();
        // all sixteen places, the last digit in the last
        let shift = 128u64.wrapping_sub(digits.wrapping_mul(8));
        let (a, b) = (joined_low ^ ZEROS, joined_high ^ ZEROS);
        let upper = up(a, shift);
        let lower = up(b, shift) | down(a, 64u64.wrapping_sub(shift)) | up(a, shift.wrapping_sub(64));
        let bad = |v: u64| (v | (v & !HIGHS).wrapping_add(0x7676_7676_7676_7676)) & HIGHS;
        let mantissa = eight_digits(upper) * 100_000_000 + eight_digits(lower);
        let leading = (low as u8 == b'0') & (before > 1);
        let fits = (block.len(i) <= 16) & (digits.wrapping_sub(1) < 16) & (mantissa <= 1 << 53);
        good[i] = (fits & (bad(upper) | bad(lower) == 0) & !leading) as u64;
        let size = mantissa as i64 as f64 / LONG_TENS[(scale & 15) as usize];
        out[i] = f64::from_bits(size.to_bits() ^ (negative << 63));
    }
    gather(&good)
}

#[inline(always)]
fn gather(good: &[u64; ROWS]) -> u64 {
    good.iter().enumerate().fold(0, |bits, (i, g)| bits | g << i)
}

#[cfg(test)]
mod tests {
    use super::super::{float, int};
    use super::*;
    use crate::kernel::raw::lanes;
    use proptest::prelude::*;

    fn block(texts: &[String]) -> Block {
        let mut block = Block::default();
        for (i, t) in texts.iter().enumerate() {
            let mut bytes = t.clone().into_bytes();
            block.bounds.ends[i] = bytes.len() as u32;
            bytes.extend(b",7.-5-.9"); // what follows a field must not matter
            block.words[i] = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        }
        block
    }

    fn check(texts: &[String]) {
        let block = block(texts);
        let (mut whole, mut real) = ([0; ROWS], [0.0; ROWS]);
        let (good_ints, good_floats) = (lanes::ints(&block, &mut whole), lanes::floats(&block, &mut real));
        for (i, t) in texts.iter().enumerate() {
            let digits = t.trim_start_matches('-').len();
            let (a, b) = (int(t.as_bytes()), float(t.as_bytes()));
            if good_ints >> i & 1 == 1 {
                assert_eq!(Some(whole[i]), a, "{t:?}");
            } else {
                assert!(a.is_none() || t.len() > 8, "{t:?}");
            }
            if good_floats >> i & 1 == 1 {
                assert_eq!(Some(real[i].to_bits()), b.map(f64::to_bits), "{t:?}");
            } else {
                let plain = t.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
                assert!(b.is_none() || t.len() > 8 || !plain || digits == 0, "{t:?}");
            }
        }
        let mut next = [0; ROWS];
        for (to, t) in next.iter_mut().zip(texts) {
            let mut bytes = t.clone().into_bytes();
            bytes.extend(b",7.-5-.9,7.-5-.9");
            *to = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
        }
        let good_long = lanes::long_floats(&block, &next, &mut real);
        for (i, t) in texts.iter().enumerate() {
            let b = float(t.as_bytes());
            let plain = t.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
            let digits = t.trim_matches(['-', '.']).len();
            if good_long >> i & 1 == 1 {
                assert_eq!(Some(real[i].to_bits()), b.map(f64::to_bits), "{t:?}");
            } else {
                assert!(b.is_none() || t.len() > 16 || !plain || digits > 15, "{t:?}");
            }
        }
        let absent = if texts.len() == 64 { 0 } else { !0 << texts.len() };
        assert_eq!((good_ints | good_floats | good_long) & absent, 0);
    }

    #[test]
    fn corners() {
        let texts = [
            "",
            "0",
            "-0",
            "-",
            ".",
            "-.",
            "5.",
            ".5",
            "-.5",
            "0.5",
            "00.5",
            "01",
            "1.2.3",
            "--1",
            "1-",
            "NA",
            "12345678",
            "-1234567",
            "123456789",
            "-12345678",
            "1234567.",
            ".1234567",
            "0.000001",
            "-0.0",
            "1e5",
            "99999999",
            "12.34567",
            "/1",
            ":1",
            "1/",
            "1:",
            "+1",
            " 1",
            "1 ",
            "inf",
            "1.5NA",
            "\u{e9}1",
            "87.353321",
            "-87.353321",
            "123456789.5",
            "0.00000000000001",
            ".000000000000001",
            "9007199254740992",
            "9007199254740993",
            "900719925474099.3",
            "-12345678.1234567",
            "12345678.",
            "1234567.8.1",
            "12345678.1.2",
            "012345678.5",
            "1234567890-",
        ];
        check(&texts.map(String::from));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_scalar_parsers(
            texts in prop::collection::vec(prop_oneof!["-?[0-9]{0,9}", "-?[0-9]{0,5}\\.[0-9]{0,5}", "[-0-9.eN/:]{0,9}", "-?[0-9]{0,10}\\.[0-9]{0,9}", "[-0-9.eN/:]{7,18}"], 0..64),
        ) {
            check(&texts);
        }
    }
}
