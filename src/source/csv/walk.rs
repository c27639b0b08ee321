//! One record in pieces, of which nothing is kept: does it end, and which quote is it that swallows it?

use super::exact::Marks;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    AfterQuote,
    Escaped { quoted: bool },
}

/// Walks over the bytes of a record; each byte is looked at once.
#[derive(Debug)]
pub(super) struct Walk {
    marks: Marks,
    state: State,
    comment: bool,
    at: usize,
    /// Where the last quote opened.
    opened: usize,
}

impl Walk {
    /// At the start of a record.
    pub(super) fn new(marks: Marks) -> Self {
        Walk {
            marks,
            state: State::FieldStart,
            comment: false,
            at: 0,
            opened: 0,
        }
    }

    /// Whether the record goes on behind these bytes, which follow those before.
    pub(super) fn goes_on(&mut self, bytes: &[u8]) -> bool {
        if self.at == 0 {
            self.comment = self.marks.is_comment(bytes);
        }
        bytes.iter().all(|&b| self.step(b))
    }

    /// Whether the next byte is inside quotes.
    pub(super) fn is_inside(&self) -> bool {
        matches!(self.state, State::Quoted | State::Escaped { quoted: true })
    }

    /// Where in the record the quote opened that is open, or was last.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    fn step(&mut self, b: u8) -> bool {
        let at = self.at;
        self.at += 1;
        let quote = Some(b) == self.marks.quote;
        self.state = match self.state {
            State::Escaped { quoted: true } => State::Quoted,
            State::Escaped { quoted: false } => State::Plain,
            State::Quoted if Some(b) == self.marks.escape => State::Escaped { quoted: true },
            State::Quoted if quote => State::AfterQuote,
            State::Quoted => State::Quoted,
            _ if b == b'\n' || b == b'\r' => return false,
            state if self.comment => state,
            _ if b == self.marks.delimiter => State::FieldStart,
            State::FieldStart if quote => {
                self.opened = at;
                State::Quoted
            }
            State::AfterQuote if quote => State::Quoted,
            state @ (State::FieldStart | State::AfterQuote) if self.marks.is_blank(b) => state,
            _ if Some(b) == self.marks.escape => State::Escaped { quoted: false },
            _ => State::Plain,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact;
    use super::*;
    use proptest::prelude::*;

    fn marks(escape: Option<u8>, trim: bool) -> Marks {
        Marks {
            delimiter: b',',
            quote: Some(b'"'),
            escape,
            comment: exact::Prefix::new(b"#"),
            trim,
        }
    }

    proptest! {
        /// The same as the scanner says, in any pieces.
        #[test]
        fn it_agrees_with_the_scanner(
            bytes in prop::collection::vec(prop::sample::select(b"ab,\"\\ #\n".to_vec()), 0..30),
            cut in 0usize..30, escaped: bool, trim: bool,
        ) {
            let marks = marks(escaped.then_some(b'\\'), trim);
            let mut ends = Vec::new();
            let seen = exact::scan(&bytes, 0, &marks, &mut ends);
            let cut = cut.min(bytes.len());
            // the scanner takes an escape that is the last byte for a character
            prop_assume!(!escaped || bytes.last() != Some(&b'\\'));
            let mut walk = Walk::new(marks);
            let goes_on = match cut {
                0 => walk.goes_on(&bytes),
                _ => walk.goes_on(&bytes[..cut]) && walk.goes_on(&bytes[cut..]),
            };
            prop_assert_eq!(goes_on, seen.newlines == 0);
            if goes_on {
                prop_assert_eq!(walk.is_inside(), seen.inside);
                if seen.inside && !trim {
                    prop_assert_eq!(walk.opened(), ends.last().map_or(0, |e| *e as usize + 1));
                }
            }
        }
    }
}
