//! The readable reference of the structural scan: one byte at a time, right for every dialect.
//!
//! A quote is special only at the start of a field. This scanner reads what the fast one calls
//! irregular (`5" pipe`), escapes, comments and blanks around fields, and is what the fast one is
//! tested against.

/// What lines that are comments begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix {
    bytes: [u8; Prefix::MOST],
    len: u8,
}

impl Prefix {
    /// The most bytes.
    pub(crate) const MOST: usize = 15;

    /// The prefix of these bytes; none if they are empty or too many.
    pub(crate) fn new(text: &[u8]) -> Option<Prefix> {
        let mut bytes = [0; Self::MOST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        (!text.is_empty()).then_some(Prefix {
            bytes,
            len: text.len() as u8,
        })
    }

    fn starts(&self, record: &[u8]) -> bool {
        record.starts_with(&self.bytes[..usize::from(self.len)])
    }
}

/// How records and fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<Prefix>,
    /// Blanks around fields, also around their quotes, are no part of them.
    pub trim: bool,
}

impl Marks {
    /// Whether only this scanner reads the dialect.
    pub(crate) fn are_rare(&self) -> bool {
        self.escape.is_some() || self.comment.is_some() || self.trim
    }

    /// Whether a record is a comment.
    pub(crate) fn is_comment(&self, record: &[u8]) -> bool {
        self.comment.is_some_and(|c| c.starts(record))
    }

    /// Whether a byte is a blank that is no part of a field it stands beside.
    pub(super) fn is_blank(&self, b: u8) -> bool {
        self.trim && (b == b' ' || b == b'\t') && b != self.delimiter
    }

    /// The bounds of a field without the blanks around it, if they are no part of it.
    pub(crate) fn trimmed(&self, data: &[u8], (mut start, mut end): (u32, u32)) -> (u32, u32) {
        while start < end && self.is_blank(data[start as usize]) {
            start += 1;
        }
        while start < end && self.is_blank(data[end as usize - 1]) {
            end -= 1;
        }
        (start, end)
    }

    /// Whether a field has no text, in quotes or not.
    pub(crate) fn is_empty(&self, data: &[u8], (start, end): (u32, u32)) -> bool {
        match data.get(start as usize..end as usize) {
            Some([first, last]) => Some(*first) == self.quote && first == last,
            field => field.is_none_or(<[u8]>::is_empty),
        }
    }

    /// Whether text follows the closing quote of a field (without the blanks around it), which joins the
    /// field.
    pub(crate) fn has_joined_text(&self, field: &[u8]) -> bool {
        self.quote.is_some() && field.first().copied() == self.quote && self.closing(field) + 1 < field.len()
    }

    /// Where the quote closes that a field begins with; the length of the field if it does not.
    fn closing(&self, field: &[u8]) -> usize {
        let mut i = 1;
        while i < field.len() {
            let b = field[i];
            if Some(b) == self.escape && i + 1 < field.len() {
                i += 1;
            } else if Some(b) == self.quote {
                if field.get(i + 1).copied() != self.quote {
                    return i;
                }
                i += 1;
            }
            i += 1;
        }
        field.len()
    }
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
        if state == State::FieldStart && i == record_start && marks.is_comment(&bytes[i..]) {
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
        } else if marks.is_blank(b) && matches!(state, State::FieldStart | State::AfterQuote) {
            // it may be all that stands around quotes
        } else {
            seen.irregular |= Some(b) == marks.quote || state == State::AfterQuote;
            if Some(b) == marks.escape && i + 1 < bytes.len() {
                // of a CRLF both, so that the record goes on
                i += 1 + usize::from(bytes[i + 1] == b'\r' && bytes.get(i + 2) == Some(&b'\n'));
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
        trim: false,
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
            comment: Prefix::new(b"#"),
            ..COMMA
        };
        assert_eq!(ends("#a,\"b\n\"x\\\",y\",z\\,\n", &marks).0, [5, 13, 17]);
        // line ends too, outside quotes as well
        assert_eq!(ends("a\\\nb,c\\\r\nd\\\\\n", &marks).0, [4, 12]);
        let two = Marks {
            comment: Prefix::new(b"##"),
            ..COMMA
        };
        assert_eq!(ends("##a,b\n#c,d\n", &two).0, [5, 8, 10]);
        let mut out = vec![];
        unquote(br#""x\",y""#, &marks, &mut out);
        assert_eq!(out, b"x\",y");
    }

    #[test]
    fn blanks_around_quotes_may_be_left_out() {
        let marks = Marks { trim: true, ..COMMA };
        let text = "a, \"b, c\" , d \n";
        let found = ends(text, &marks).0;
        assert_eq!(found, [1, 10, 14]);
        assert_eq!(marks.trimmed(text.as_bytes(), (2, 10)), (3, 9));
        assert_eq!(ends("a, \"b, c\"\n", &COMMA).0, [1, 5, 9]);
    }

    #[test]
    fn text_after_a_closing_quote_is_seen() {
        for (field, joined) in [
            ("\"x\"y", true),
            ("\"x\"\"y\"", false),
            ("\"x\" ", true),
            ("x\"y\"", false),
            ("\"\"", false),
            ("\"\"\"\"", false),
            ("\"x\"y\"", true),
        ] {
            assert_eq!(COMMA.has_joined_text(field.as_bytes()), joined, "{field}");
        }
    }

    #[test]
    fn doubled_quotes_become_one() {
        let mut out = vec![];
        unquote(b"\"a\"\"b\"c", &COMMA, &mut out);
        assert_eq!(out, b"a\"bc");
    }
}
