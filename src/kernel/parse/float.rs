//! Floats: short decimals as integer mantissa and power of ten, the rest by `fast-float2`.
//!
//! A mantissa of at most 2^53 and a power of ten up to 10^22 are both doubles, so that one
//! division rounds once and correctly (W. D. Clinger, "How to read floating point numbers
//! accurately", 1990).

use super::int::{POWERS, align, all_digits, eight_digits, load8};

/// 10^0 to 10^16, all exact.
const TENS: [f64; 17] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
];

/// The double nearest to what `bytes` write: `-?` digits with at most one point and an optional
/// exponent (`1`, `-0.5`, `.5`, `5.`, `1e5`), or `inf`, `Inf`, `Infinity`, `infinity` with an
/// optional `-`.
///
/// Not taken: `+`, spaces, hex, `nan` (the null tokens decide about it), leading zeros (`01.5`),
/// finite digits that overflow (`1e999`), and integers that a double does not hold exactly
/// (`9007199254740993`), since an integer is never rounded.
#[inline]
pub fn float(bytes: &[u8]) -> Option<f64> {
    let mut padded = [0u8; 32];
    match padded.get_mut(..bytes.len()) {
        Some(to) if bytes.len() <= 16 => {
            to.copy_from_slice(bytes);
            float_at(&padded, 0, bytes.len())
        }
        _ => slow(bytes),
    }
}

/// [`float`] of `buf[start..end]`, faster where at least 17 bytes follow `start` in the buffer.
#[inline(always)]
pub fn float_at(buf: &[u8], start: usize, end: usize) -> Option<f64> {
    let negative = start < end && *buf.get(start)? == b'-';
    let from = start + usize::from(negative);
    let n = end.wrapping_sub(from);
    if n.wrapping_sub(1) < 8
        && let Some(word) = load8(buf, from)
    {
        if let Some(value) = short(word, n) {
            return Some(if negative { -value } else { value });
        }
    } else if n.wrapping_sub(1) < 16
        && let (Some(low), Some(high)) = (load8(buf, from), load8(buf, from + 8))
        && let Some(value) = medium(low, high, n)
    {
        return Some(if negative { -value } else { value });
    }
    slow(buf.get(start..end)?)
}

/// One to eight digits with at most one point among or before or after them.
#[inline(always)]
fn short(word: u64, n: usize) -> Option<f64> {
    let used = !0u64 >> (64 - 8 * n);
    let point = point(word) & used;
    if point == 0 {
        let values = align(word, n);
        let leading = word as u8 == b'0' && n > 1;
        return (all_digits(values) && !leading).then(|| eight_digits(values) as f64);
    }
    let before = point.trailing_zeros() as usize / 8;
    let digits = n - 1;
    if digits == 0 || (word as u8 == b'0' && before > 1) {
        return None;
    }
    // Close the gap that the point leaves; a second point is no digit.
    let below = (1u64 << (8 * before)) - 1;
    let values = align((word & below) | ((word >> 8) & !below), digits);
    all_digits(values).then(|| eight_digits(values) as f64 / TENS[digits - before])
}

/// Nine to sixteen bytes of the same.
#[inline(always)]
fn medium(low: u64, high: u64, n: usize) -> Option<f64> {
    let word = u128::from(low) | (u128::from(high) << 64);
    let at = if point(low) != 0 {
        point(low).trailing_zeros() as usize / 8
    } else {
        8 + point(high).trailing_zeros() as usize / 8
    };
    let (word, digits, scale) = if at < n {
        let below = (1u128 << (8 * at)) - 1;
        ((word & below) | ((word >> 8) & !below), n - 1, n - 1 - at)
    } else {
        (word, n, 0)
    };
    if low as u8 == b'0' && at > 1 {
        return None;
    }
    // `digits` is 8 to 16; the first eight and the rest.
    let (head, rest) = (word as u64, (word >> 64) as u64);
    let head = align(head, 8);
    let tail = if digits > 8 { align(rest, digits - 8) } else { 0 };
    if !all_digits(head) || !all_digits(tail) {
        return None;
    }
    let mantissa = eight_digits(head) * POWERS[digits - 8] + eight_digits(tail);
    (mantissa <= 1 << 53).then(|| mantissa as f64 / TENS[scale])
}

/// The top bit of the first byte that is a point (later bits may err, as in the classic test for
/// a zero byte).
#[inline(always)]
fn point(word: u64) -> u64 {
    let x = word ^ 0x2e2e_2e2e_2e2e_2e2e;
    x.wrapping_sub(0x0101_0101_0101_0101) & !x & 0x8080_8080_8080_8080
}

#[inline(never)]
fn slow(bytes: &[u8]) -> Option<f64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if matches!(digits, b"inf" | b"Inf" | b"infinity" | b"Infinity") {
        return Some(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    match digits {
        [b'0'..=b'9'] => {}
        [b'0', b'0'..=b'9', ..] => return None,
        [b'0'..=b'9' | b'.', ..] => {}
        _ => return None,
    }
    let value: f64 = fast_float2::parse(bytes).ok().filter(|v: &f64| v.is_finite())?;
    if digits.len() > 15 && digits.iter().all(u8::is_ascii_digit) {
        // An integer: only if the double is that integer. Doubles above 2^127 are multiples of
        // great powers of two; nobody means such a literal, and it stays text.
        let exact: u128 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        return (value.abs() < 1e38 && value.abs() as u128 == exact).then_some(value);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference(text: &str) -> Option<f64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if ["inf", "Inf", "infinity", "Infinity"].contains(&digits) {
            return text.parse().ok();
        }
        let b = digits.as_bytes();
        let plain = b.iter().all(|c| b"0123456789.eE+-".contains(c))
            && b.first().is_some_and(|c| *c != b'+' && *c != b'-');
        let leading = b.len() > 1 && b[0] == b'0' && b[1].is_ascii_digit();
        if !plain || leading {
            return None;
        }
        let value: f64 = text.parse().ok().filter(|v: &f64| v.is_finite())?;
        let integer = b.iter().all(u8::is_ascii_digit);
        let held = !integer
            || digits
                .parse::<u128>()
                .is_ok_and(|i| value.abs() as u128 == i && value.abs() < 1e38);
        held.then_some(value)
    }

    fn check(text: &str) {
        let expected = reference(text).map(f64::to_bits);
        assert_eq!(float(text.as_bytes()).map(f64::to_bits), expected, "{text:?}");
        for (before, after) in [("", ""), ("1,", ",.5"), (".", ".999999999999999999999")] {
            let buf = format!("{before}{text}{after}");
            let got = float_at(buf.as_bytes(), before.len(), before.len() + text.len());
            assert_eq!(got.map(f64::to_bits), expected, "{text:?} in {buf:?}");
        }
    }

    #[test]
    fn edges() {
        for text in [
            "",
            "-",
            ".",
            "-.",
            "0",
            "-0",
            "00",
            "01.5",
            "007",
            "0.",
            "-0.0",
            ".5",
            "5.",
            "1e5",
            "1E-5",
            "0e5",
            "1e",
            "e5",
            "+1",
            "1.2.3",
            "..1",
            "1e999",
            "-1e999",
            "1e-999",
            "inf",
            "-inf",
            "Inf",
            "INF",
            "Infinity",
            "nan",
            "NaN",
            "0x10",
            " 1",
            "1 ",
            "12345678",
            "1234567.8",
            "12345678.9",
            "123456789.0123456",
            "9007199254740992",
            "9007199254740993",
            "0.9007199254740993",
            "12345678901234567890",
            "18446744073709551616",
            "--1",
            "1-",
            "0.1234567890123456789",
            "100000000000000000000000000000000000000000",
            "12345678.",
            ".12345678",
            "a.b",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn as_std(value: f64, small in -1e6..1e6f64, places in 0usize..12) {
            check(&format!("{value}"));
            check(&format!("{value:e}"));
            check(&format!("{small:.places$}"));
        }
        #[test]
        fn as_std_on_junk(text in "[-.0-9]{0,20}", other in "-?[0-9]{0,9}[.e:/,x]?[-+]?[0-9.]{0,9}") {
            check(&text);
            check(&other);
        }
    }
}
