//! The readable reference of the structural scan: one byte at a time, right for every dialect.
//!
//! A quote is special only at the start of a field. This scanner reads what the fast one calls
//! irregular (`5" pipe`), escapes and comments, and is what the fast one is tested against.

/// How records and fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
}

/// What a scan saw besides the ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Whether the window ends inside quotes.
    pub inside: bool,
    /// Record ends.
    pub newlines: usize,
    /// A quote opens or closes where it should not.
    pub irregular: bool,
    /// There is a byte above 127.
    pub non_ascii: bool,
    /// There are quotes; only the fast scan tells.
    pub quotes: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    AfterQuote,
    Comment,
}

/// Appends to `ends` the place (`base` + offset) of every field end of `bytes`, which begin at
/// the start of a record. A CR that is the last byte ends nothing: its LF may come next.
pub(crate) fn scan(bytes: &[u8], base: u32, marks: &Marks, ends: &mut Vec<u32>) -> Seen {
    let mut seen = Seen::default();
    let mut state = State::FieldStart;
    let mut record_start = 0;
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        seen.non_ascii |= b > 127;
        if state == State::FieldStart && i == record_start && Some(b) == marks.comment {
            state = State::Comment;
        }
        if state == State::Quoted {
            if Some(b) == marks.escape && i + 1 < bytes.len() {
                i += 1;
                seen.non_ascii |= bytes[i] > 127;
            } else if Some(b) == marks.quote {
                state = State::AfterQuote;
            }
        } else if b == b'\n' || b == b'\r' {
            if b == b'\r' && matches!(bytes.get(i + 1), None | Some(b'\n')) {
                // the LF ends the record
            } else {
                ends.push(base + i as u32);
                seen.newlines += 1;
                state = State::FieldStart;
                record_start = i + 1;
            }
        } else if state == State::Comment {
        } else if b == marks.delimiter {
            ends.push(base + i as u32);
            state = State::FieldStart;
        } else if Some(b) == marks.quote && state == State::FieldStart {
            state = State::Quoted;
        } else if Some(b) == marks.quote && state == State::AfterQuote && marks.escape != marks.quote {
            state = State::Quoted; // the second of a doubled quote
        } else {
            seen.irregular |= Some(b) == marks.quote || state == State::AfterQuote;
            if Some(b) == marks.escape && i + 1 < bytes.len() && !matches!(bytes[i + 1], b'\n' | b'\r') {
                i += 1;
                seen.non_ascii |= bytes[i] > 127;
            }
            state = State::Plain;
        }
        i += 1;
    }
    seen.inside = state == State::Quoted;
    seen
}

/// The value of a quoted or escaped field (`bytes` as in the file, without its end), appended to `out`.
pub(crate) fn unquote(bytes: &[u8], marks: &Marks, out: &mut Vec<u8>) {
    let quoted = marks.quote.is_some() && bytes.first().copied() == marks.quote;
    let mut inside = quoted;
    let mut i = usize::from(quoted);
    while i < bytes.len() {
        let b = bytes[i];
        if Some(b) == marks.escape && i + 1 < bytes.len() {
            i += 1;
            out.push(bytes[i]);
        } else if inside && Some(b) == marks.quote {
            if bytes.get(i + 1).copied() == marks.quote {
                i += 1;
                out.push(b);
            } else {
                inside = false;
            }
        } else {
            out.push(b);
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Marks = Marks {
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        comment: None,
    };

    fn ends(text: &str, marks: &Marks) -> (Vec<u32>, Seen) {
        let mut ends = vec![];
        let seen = scan(text.as_bytes(), 0, marks, &mut ends);
        (ends, seen)
    }

    #[test]
    fn quotes_are_special_at_field_starts_only() {
        let (e, s) = ends("a,\"x\n\"\"y\",5\" pipe\r\nb\r", &COMMA);
        assert_eq!(e, [1, 9, 18]);
        assert!(s.irregular && !s.inside && s.newlines == 1);
        assert!(ends("a,\"b\n", &COMMA).1.inside);
    }

    #[test]
    fn escapes_and_comments() {
        let marks = Marks {
            escape: Some(b'\\'),
            comment: Some(b'#'),
            ..COMMA
        };
        assert_eq!(ends("#a,\"b\n\"x\\\",y\",z\\,\n", &marks).0, [5, 13, 17]);
        let mut out = vec![];
        unquote(br#""x\",y""#, &marks, &mut out);
        assert_eq!(out, b"x\",y");
    }

    #[test]
    fn doubled_quotes_become_one() {
        let mut out = vec![];
        unquote(b"\"a\"\"b\"c", &COMMA, &mut out);
        assert_eq!(out, b"a\"bc");
    }
}
