//! Numbers as people write them: `12.345,60`, `1,234`, `1 234,5`.

use std::borrow::Cow;

/// How numbers are written, where it is not as `12345.6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberStyle {
    /// A comma is what others have a point for.
    decimal_comma: bool,
    /// Between groups of digits, as UTF-8.
    thousands: Option<([u8; 4], usize)>,
}

impl NumberStyle {
    /// None where it is the usual one.
    pub(crate) fn new(decimal_comma: bool, thousands: Option<char>) -> Option<NumberStyle> {
        let encoded = thousands.map(|c| {
            let mut bytes = [0; 4];
            let len = c.encode_utf8(&mut bytes).len();
            (bytes, len)
        });
        (decimal_comma || encoded.is_some()).then_some(NumberStyle {
            decimal_comma,
            thousands: encoded,
        })
    }

    /// The text with a point and without groups; none if that is no way to write a number here. What does not
    /// begin as a number stays as it is.
    pub(crate) fn plain<'a>(&self, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        if !unsigned.first().is_some_and(u8::is_ascii_digit) {
            let other = unsigned.first().is_some_and(|b| matches!(b, b'.' | b','));
            return (!other).then_some(Cow::Borrowed(text));
        }
        let point = if self.decimal_comma { b',' } else { b'.' };
        let digits = |b: &[u8]| b.iter().take_while(|b| b.is_ascii_digit()).count();
        let mut out = text[..text.len() - unsigned.len()].to_vec();
        let mut rest = unsigned;
        let first = digits(rest);
        out.extend_from_slice(&rest[..first]);
        rest = &rest[first..];
        let mut last = None;
        if let Some((mark, len)) = &self.thousands {
            while let Some(group) = rest.strip_prefix(&mark[..*len]) {
                let n = digits(group);
                // all groups but the last may have two digits, as in India
                let complete = last.is_none_or(|n| n == 2 || n == 3) && first <= 3;
                if !complete || !(2..=3).contains(&n) {
                    return None;
                }
                out.extend_from_slice(&group[..n]);
                rest = &group[n..];
                last = Some(n);
            }
        }
        if last == Some(2) {
            return None;
        }
        if let Some(fraction) = rest.strip_prefix(&[point]) {
            let n = digits(fraction);
            out.push(b'.');
            out.extend_from_slice(&fraction[..n]);
            rest = &fraction[n..];
        }
        if rest.iter().any(|b| matches!(b, b'.' | b',')) {
            return None;
        }
        out.extend_from_slice(rest);
        Some(Cow::Owned(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(comma: bool, thousands: Option<char>, text: &str) -> Option<String> {
        let style = NumberStyle::new(comma, thousands).unwrap();
        style
            .plain(text.as_bytes())
            .map(|b| String::from_utf8(b.into_owned()).unwrap())
    }

    #[test]
    fn groups_and_commas() {
        let german = |t: &str| plain(true, Some('.'), t);
        assert_eq!(german("12.345,60").as_deref(), Some("12345.60"));
        assert_eq!(german("-4,30").as_deref(), Some("-4.30"));
        assert_eq!(german("1.234.567").as_deref(), Some("1234567"));
        assert_eq!(german("1,5e3").as_deref(), Some("1.5e3"));
        assert_eq!(german("Stadtwerke").as_deref(), Some("Stadtwerke"));
        for no in ["1.5", "1.2345", "1234.567", "1,2,3", "1.23,4", ",5", "01.02.2024"] {
            assert_eq!(german(no), None, "{no}");
        }
        let english = |t: &str| plain(false, Some(','), t);
        assert_eq!(english("1,234").as_deref(), Some("1234"));
        assert_eq!(english("2,345,678.5").as_deref(), Some("2345678.5"));
        assert_eq!(english("12,34,567").as_deref(), Some("1234567"));
        assert_eq!(english("1,23"), None);
        assert_eq!(plain(true, None, "1.234,5"), None);
        assert_eq!(
            plain(true, Some('\u{202f}'), "1\u{202f}234,5").as_deref(),
            Some("1234.5")
        );
    }
}
