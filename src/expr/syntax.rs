//! Mistakes in the text of a query: where they are, and what was meant.

use std::ops::Range;

use sqlparser::tokenizer::{Location, Token};

use super::parse::{offset, raw_tokens, too_deep};
use crate::error::{Error, did_you_mean};

/// Words that are often misspelt and then taken for a name.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "QUALIFY",
    "WINDOW",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "LATERAL",
    "USING",
    "DISTINCT",
    "BETWEEN",
    "VALUES",
    "PARTITION",
    "WITH",
    "EXPLAIN",
    "DESCRIBE",
    "SUMMARIZE",
    "COPY",
    "NULL",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
];

/// The parser's message in our words; it gives the place as "at Line: 1, Column: 5".
pub fn syntax_error(text: &str, message: &str) -> Error {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    if message.contains("recursion limit") {
        return too_deep();
    }
    let (what, place) = message.split_once(" at Line: ").unwrap_or((message, ""));
    let mut numbers = place
        .split(", Column: ")
        .map_while(|n| n.trim().parse::<u64>().ok());
    let at = match (numbers.next(), numbers.next()) {
        (Some(line), Some(column)) => offset(text, Location { line, column }),
        _ => text.len(),
    };
    let token = tokens(text).into_iter().find(|(range, _)| range.start == at);
    let typed = token.as_ref().map(|(range, _)| &text[range.clone()]);
    let expected = ["Expected: ", "Expected an ", "Expected "].iter();
    let expected = expected.filter_map(|p| what.strip_prefix(p)).next();
    let what = match expected.and_then(|w| w.split_once(", found: ")) {
        Some((_, "EOF")) if what.contains("an expression") => {
            "the text ends where an expression is needed".to_string()
        }
        Some((wanted, "EOF")) => format!("the text ends where {} is needed", short(wanted)),
        Some((wanted, found)) => format!("{found} where {} is needed", short(wanted)),
        None if what.starts_with("No infix parser") => {
            format!("{} is no operator here", typed.unwrap_or("what follows"))
        }
        None => format!("the text cannot be read from here on ({})", what.to_lowercase()),
    };
    let range = token.map_or(at..text.len().max(at), |(range, _)| range);
    let help = meant(text, at).unwrap_or_else(|| "names in double quotes, text in single quotes".to_string());
    Error::query(what).span(text, range).help(help)
}

/// What is wrong where a text cannot be cut into words, in our words.
pub fn token_error(message: &str) -> String {
    match message {
        m if m.contains("comment") => "a comment has no end: */ is missing".to_string(),
        m if m.contains("delimiter") => "Unterminated name: its closing quote is missing".to_string(),
        m if m.starts_with("Unterminated") => "Unterminated text: its closing quote is missing".to_string(),
        m if m.contains("character '_'") => "_ stands between two digits of a number".to_string(),
        m => format!("the text cannot be read from here on ({})", m.to_lowercase()),
    }
}

/// What the parser would take, without its longest lists.
fn short(wanted: &str) -> &str {
    match wanted {
        w if w.starts_with("[NOT] NULL") => "NULL, TRUE, FALSE or DISTINCT FROM",
        "an SQL statement" => "a statement",
        w => w,
    }
}

/// The error for what stands behind a whole statement or expression.
pub fn left_over(text: &str, range: Range<usize>, found: &Token, of: &str) -> Error {
    let help = match found {
        _ if meant(text, range.start).is_some() => meant(text, range.start).unwrap_or_default(),
        Token::Div | Token::Period => {
            "the name of a file stands in single quotes: FROM 'folder/file.csv'".into()
        }
        Token::RParen => "there is no ( for it".into(),
        Token::Number(..) | Token::SingleQuotedString(_) => {
            "a comma or an operator may be missing before it".into()
        }
        _ if of == "statement" => "statements are separated by ;".into(),
        _ => "an operator may be missing before it".into(),
    };
    Error::query(format!("unexpected {found} after the {of}"))
        .span(text, range)
        .help(help)
}

/// A keyword that a word at this place, or one of the two before it, may have been meant for.
fn meant(text: &str, at: usize) -> Option<String> {
    let all = tokens(text);
    let here = all
        .iter()
        .position(|(range, _)| range.start >= at)
        .unwrap_or(all.len());
    let near = all.get(here.saturating_sub(2)..(here + 1).min(all.len()))?;
    near.iter().rev().find_map(|(range, token)| {
        let Token::Word(w) = token else { return None };
        let upper = w.value.to_uppercase();
        if w.quote_style.is_some() || KEYWORDS.contains(&upper.as_str()) || upper.len() < 3 {
            return None;
        }
        let near = did_you_mean(&upper, KEYWORDS.iter().copied())?;
        Some(format!(
            "did you mean {near} in place of {}?",
            &text[range.clone()]
        ))
    })
}

/// The words and signs of a text and where they stand; none where it cannot be cut into them.
fn tokens(text: &str) -> Vec<(Range<usize>, Token)> {
    let all = raw_tokens(text).unwrap_or_default();
    // places come in order: one walk over the text finds them all
    let mut chars = text.char_indices().peekable();
    let (mut line, mut column) = (1, 1);
    let mut byte = |at: Location| {
        while let Some(&(i, c)) = chars.peek() {
            if (line, column) >= (at.line, at.column) {
                return i;
            }
            (line, column) = if c == '\n' {
                (line + 1, 1)
            } else {
                (line, column + 1)
            };
            chars.next();
        }
        text.len()
    };
    let mut out = Vec::with_capacity(all.len());
    for t in all {
        let range = byte(t.span.start)..byte(t.span.end);
        if !matches!(t.token, Token::Whitespace(_)) {
            out.push((range, t.token));
        }
    }
    out
}

/// Gives an error that names something in double quotes its place in the typed text.
pub fn point_at(error: Error, text: &str) -> Error {
    point_within(error, text, 0..text.len())
}

/// `part` with the closing parentheses that belong to it: the places of the parser end calls at their last
/// argument.
pub fn closed(text: &str, part: Range<usize>) -> Range<usize> {
    let mut open = 0_usize;
    let mut end = part.end;
    for (range, token) in tokens(text).into_iter().filter(|(r, _)| part.start <= r.start) {
        let inside = range.end <= part.end;
        match token {
            Token::LParen if inside => open += 1,
            Token::RParen if inside => open = open.saturating_sub(1),
            Token::RParen if open > 0 => (open, end) = (open - 1, range.end),
            _ if inside => {}
            _ => break,
        }
    }
    part.start..end
}

/// The same for a part of the text: the name's place in it, if it is there.
pub fn point_within(error: Error, text: &str, part: Range<usize>) -> Error {
    if error.span_text().is_some() {
        return error;
    }
    let Some(name) = error.what().split('"').nth(1).filter(|n| !n.is_empty()) else {
        return error;
    };
    let named = |t: &Token| matches!(t, Token::Word(w) if w.value.eq_ignore_ascii_case(name));
    let inside = |r: &Range<usize>| part.start <= r.start && r.end <= part.end;
    let hit = tokens(text)
        .into_iter()
        .find(|(range, token)| inside(range) && named(token));
    match hit {
        Some((range, _)) => error.span(text, range),
        None => error,
    }
}
