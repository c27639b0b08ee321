//! Short numbers, 64 rows at a time and without branches, so that the compiler makes vectors of it.
//!
//! ```text
//!   words   the first 8 bytes of each field        "-12.5,AA"
//!   bounds  and where they begin and end            5 bytes
//!             │ drop the sign, close the gap of the point, shift out what follows
//!             ▼
//!   digits  "….125" ──► pairs ──► fours ──► 125 / TENS[1], sign ──► value, and a bit: it was one
//! ```
//!
//! A row whose bit is zero (empty, longer than 8 bytes, null text, no number) has no meaning in
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
        let absent = if texts.len() == 64 { 0 } else { !0 << texts.len() };
        assert_eq!((good_ints | good_floats) & absent, 0);
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
        ];
        check(&texts.map(String::from));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_scalar_parsers(
            texts in prop::collection::vec(prop_oneof!["-?[0-9]{0,9}", "-?[0-9]{0,5}\\.[0-9]{0,5}", "[-0-9.eN/:]{0,9}"], 0..64),
        ) {
            check(&texts);
        }
    }
}
