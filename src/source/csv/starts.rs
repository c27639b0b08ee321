//! Where the first record of a partition begins: known where the quotes before it are, else guessed.

use crate::kernel::scan;

/// Where the first record of a partition begins whose bytes follow the first of `bytes`; the length
/// of `bytes` if there is none. `inside` says whether the partition begins inside quotes.
pub(super) fn first_record(bytes: &[u8], mut inside: bool, quote: Option<u8>) -> usize {
    match bytes.first() {
        Some(b'\n') if !inside => return 1,
        Some(b'\r') if !inside => return 1 + usize::from(bytes.get(1) == Some(&b'\n')),
        _ => {}
    }
    for (i, &b) in bytes.iter().enumerate().skip(1) {
        if Some(b) == quote {
            inside = !inside;
        } else if !inside && (b == b'\n' || b == b'\r') {
            return i + 1 + usize::from(b == b'\r' && bytes.get(i + 1) == Some(&b'\n'));
        }
    }
    bytes.len()
}

/// As [`first_record`] where nobody knows yet whether the partition begins inside quotes, and what of the
/// two was taken for granted.
///
/// Newlines within quotes are rare, so that the first newline should end a record; unless what follows it
/// is no record of so many fields, and what follows the other candidate is.
pub(super) fn guess(bytes: &[u8], quote: u8, delimiter: u8, fields: usize) -> (usize, bool) {
    let newline = match bytes.first() {
        Some(b'\n' | b'\r') => 0,
        _ => memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len()),
    };
    let own = bytes.get(1..newline).unwrap_or_default();
    let likely = scan::count_byte(own, quote) & 1 == 1;
    let start = first_record(bytes, likely, Some(quote));
    let fits = |start: usize| has_fields(&bytes[start..], quote, delimiter, fields);
    if fits(start) != Some(true) {
        let other = first_record(bytes, !likely, Some(quote));
        if fits(other) == Some(true) {
            return (other, !likely);
        }
    }
    (start, likely)
}

/// Whether the record at the start of `bytes` has so many fields; nothing if it does not end there.
fn has_fields(bytes: &[u8], quote: u8, delimiter: u8, fields: usize) -> Option<bool> {
    let (mut inside, mut seen) = (false, 1);
    for &b in bytes {
        if b == quote {
            inside = !inside;
        } else if !inside && b == delimiter {
            seen += 1;
        } else if !inside && (b == b'\n' || b == b'\r') {
            return Some(seen == fields);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_begin_after_line_ends_outside_quotes() {
        let first = |text: &[u8], inside| first_record(text, inside, Some(b'"'));
        assert_eq!(first(b"\r\nb", false), 2);
        assert_eq!(first(b"\nb", false), 1);
        assert_eq!(first(b"a\r\nb,c\n", false), 3);
        assert_eq!(first(b"b,\"x\ny\"\nc\n", false), 8);
        assert_eq!(first(b"\ny\"\nc\n", true), 4);
        assert_eq!(first(b"x\ny\"\nc\n", true), 5);
        assert_eq!(first(b"c", false), 1);
        assert_eq!(first(b"", false), 0);
    }

    #[test]
    fn guesses_go_by_newlines_and_fields() {
        let guess = |text: &[u8], fields| guess(text, b'"', b',', fields);
        assert_eq!(guess(b"b,c\n1,2\n", 2), (4, false));
        assert_eq!(guess(b"\n1,2\n", 2), (1, false));
        assert_eq!(guess(b"x\",c\n1,2\n", 2), (5, true));
        // two lines of a text in quotes: the first newline is in it, and then come too few fields
        assert_eq!(guess(b"one\ntwo\",7\n1,2\n", 2), (11, true));
        assert_eq!(guess(b"\ntwo\",7\n1,2\n", 2), (8, true));
        // nothing to go by
        assert_eq!(guess(b"one\ntwo", 2), (4, false));
        assert_eq!(guess(b"one", 2), (3, false));
    }
}
