//! Integers: eight digits at a time in a 64-bit word.

/// `'0'` in each byte.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The number that eight digits write (the first one in the lowest byte), each byte holding the
/// digit's value 0 to 9: neighbours are joined to pairs, pairs to fours, fours to the eight.
#[inline(always)]
pub(super) fn eight_digits(values: u64) -> u64 {
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// Whether each byte is 0 to 9.
#[inline(always)]
pub(super) fn all_digits(values: u64) -> bool {
    (values | (values & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080
        == 0
}

/// The first `n` (1 to 8) bytes of a word of text as digit values, moved to the high end so that
/// zeros lead.
#[inline(always)]
pub(super) fn align(word: u64, n: usize) -> u64 {
    (word ^ ZEROS) << (64 - 8 * n)
}

#[inline(always)]
pub(super) fn load8(buf: &[u8], at: usize) -> Option<u64> {
    let bytes = buf.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The integer that `bytes` write: an optional `-` and digits, no leading zeros, no `+`, no
/// spaces, within 64 bits.
#[inline]
pub fn int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let first = *digits.first()?;
    if (first == b'0' && (digits.len() > 1 || negative)) || digits.len() > 19 {
        return None;
    }
    let mut value = 0u64; // 19 digits fit
    for &b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative {
        0i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// [`int`] of `buf[start..end]`, faster where at least 16 bytes follow `start` in the buffer.
#[inline(always)]
pub fn int_at(buf: &[u8], start: usize, end: usize) -> Option<i64> {
    let negative = *buf.get(start)? == b'-' && start < end;
    let from = start + usize::from(negative);
    let n = end.wrapping_sub(from);
    if n.wrapping_sub(1) >= 16 {
        return slow(buf, start, end);
    }
    let (Some(low), Some(high)) = (load8(buf, from), load8(buf, from + 8)) else {
        return slow(buf, start, end);
    };
    if low as u8 == b'0' && (n > 1 || negative) {
        return None;
    }
    let value = if n <= 8 {
        let values = align(low, n);
        if !all_digits(values) {
            return None;
        }
        eight_digits(values)
    } else {
        let rest = align(high, n - 8);
        if !all_digits(low ^ ZEROS) || !all_digits(rest) {
            return None;
        }
        eight_digits(low ^ ZEROS) * POWERS[n - 8] + eight_digits(rest)
    } as i64;
    Some(if negative { -value } else { value })
}

/// Powers of ten up to eight digits.
pub(super) const POWERS: [u64; 9] = [
    1,
    10,
    100,
    1000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

#[cold]
#[inline(never)]
fn slow(buf: &[u8], start: usize, end: usize) -> Option<i64> {
    int(buf.get(start..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What std reads, less what we do not take for an integer.
    fn reference(text: &str) -> Option<i64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let odd = text.starts_with('+') || text == "-0" || (digits.starts_with('0') && digits != "0");
        text.parse().ok().filter(|_| !odd)
    }

    fn check(text: &str) {
        let expected = reference(text);
        assert_eq!(int(text.as_bytes()), expected, "{text:?}");
        for (before, after) in [("", ""), (",,", ",1"), ("7", "99999999999999999999")] {
            let buf = format!("{before}{text}{after}");
            let (start, end) = (before.len(), before.len() + text.len());
            assert_eq!(
                int_at(buf.as_bytes(), start, end),
                expected,
                "{text:?} in {buf:?}"
            );
        }
    }

    #[test]
    fn edges() {
        for text in [
            "",
            "-",
            "0",
            "-0",
            "00",
            "007",
            "-01",
            "+5",
            " 5",
            "5 ",
            "--5",
            "1-2",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "99999999",
            "100000000",
            "9999999999999999",
            "10000000000000000",
            "123456789012345678901234567890",
            "1:",
            "/1",
            "é1",
            "1e5",
            "1.",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn as_std(value: i64, digits in 1u32..20) {
            check(&value.to_string());
            check(&(value % 10i64.pow(digits.min(18))).to_string());
        }
        #[test]
        fn as_std_on_junk(text in "[-+0-9]{0,22}", other in "[-0-9:/a\u{b0}\u{80}]{0,18}") {
            check(&text);
            check(&other);
        }
    }
}
