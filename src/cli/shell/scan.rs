//! Where a statement ends: at a `;` that stands in no quotes and no comment.

/// What a place in a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Plain SQL.
    Nothing,
    /// Text or a name in these quotes, which begin at that byte.
    Quotes(char, usize),
    /// `-- …`
    Line,
    /// `/* … */`
    Block,
}

/// Whether text can be run: a command, blank, or statements whose last one ends with `;`.
pub(super) fn is_complete(text: &str) -> bool {
    let trimmed = text.trim_start();
    if trimmed.is_empty() || trimmed.starts_with('.') {
        return true;
    }
    let (inside, last) = walk(text);
    let closed = matches!(inside, Inside::Nothing | Inside::Line);
    closed && matches!(last, None | Some(';'))
}

/// What the end of the text is in.
pub(super) fn inside(text: &str) -> Inside {
    walk(text).0
}

/// What the end is in, and the last character that is neither blank nor in a comment.
fn walk(text: &str) -> (Inside, Option<char>) {
    let (mut at, mut last) = (Inside::Nothing, None);
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        match at {
            Inside::Nothing => match (c, next) {
                ('\'' | '"', _) => {
                    at = Inside::Quotes(c, i);
                    last = Some(c);
                }
                ('-', Some('-')) => at = Inside::Line,
                ('/', Some('*')) => {
                    chars.next();
                    at = Inside::Block;
                }
                (c, _) if c.is_whitespace() => {}
                (c, _) => last = Some(c),
            },
            // a doubled quote closes and opens again at once
            Inside::Quotes(q, _) if c == q => at = Inside::Nothing,
            Inside::Line if c == '\n' => at = Inside::Nothing,
            Inside::Block if c == '*' && next == Some('/') => {
                chars.next();
                at = Inside::Nothing;
            }
            _ => {}
        }
    }
    (at, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_a_semicolon() {
        for text in [
            "",
            "  \n",
            ".help",
            "SELECT 1;",
            "SELECT ';';",
            "SELECT 1; -- done",
            "SELECT 'it''s'\n;\n",
            "/* ; */ SELECT 1 /* x */ ; ",
            "-- only a comment",
            "SELECT \"a;b\" FROM t;",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT ';",
            "SELECT 1; SELECT 2",
            "SELECT 1 -- ;",
            "/* ; ",
            "SELECT 'a'';",
            "SELECT 1; /* open",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }

    #[test]
    fn the_end_is_in_quotes_or_not() {
        assert_eq!(inside("FROM 'da"), Inside::Quotes('\'', 5));
        assert_eq!(inside("FROM 'a' x"), Inside::Nothing);
        assert_eq!(inside("x -- 'a"), Inside::Line);
        assert_eq!(inside("x /* 'a"), Inside::Block);
    }
}
