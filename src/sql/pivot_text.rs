//! The statements PIVOT and UNPIVOT, which the parser does not know, in words that it knows.
//!
//! ```text
//!   PIVOT t ON p IN (1, 2) USING sum(x) GROUP BY k ORDER BY k
//!   SELECT * FROM t PIVOT (sum(x) FOR p IN (1, 2)) AS "␁groups" (k) ORDER BY k
//!
//!   UNPIVOT t ON a, b INTO NAME n VALUE v
//!   SELECT * FROM t UNPIVOT (v FOR n IN (a, b))
//! ```
//!
//! All tokens keep their places, so that messages point at what was written.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use crate::error::{Error, Result};

/// The name of a table whose columns are those by which a PIVOT groups. Nobody can type it.
pub(super) const GROUPS: &str = "\u{1}groups";

/// Words that end the clauses of a PIVOT; what stands from there on belongs to the query.
const TAIL: [Keyword; 6] = [
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::UNION,
    Keyword::INTERSECT,
    Keyword::EXCEPT,
];

/// See the module.
///
/// # Errors
/// A statement without ON, or with lists for several expressions.
pub(super) fn pivots(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut all: Vec<TokenWithSpan> = tokens;
    // what stands within another one comes behind it, and is rewritten before it
    for at in (0..all.len()).rev() {
        let unpivots = match keyword(&all[at]) {
            Some(Keyword::PIVOT) => false,
            Some(Keyword::UNPIVOT) => true,
            _ => continue,
        };
        if !begins(&all, at) {
            continue;
        }
        let end = end_of(&all, at + 1);
        let parts = Parts::of(&all[at + 1..end]);
        let Some(parts) = parts else { continue };
        let place = all[at].span;
        let new = match unpivots {
            true => parts.unpivot(place)?,
            false => parts.pivot(place)?,
        };
        all.splice(at..end, new);
    }
    Ok(all)
}

fn keyword(t: &TokenWithSpan) -> Option<Keyword> {
    match &t.token {
        Token::Word(w) if w.quote_style.is_none() => Some(w.keyword),
        _ => None,
    }
}

fn is_space(t: &TokenWithSpan) -> bool {
    matches!(t.token, Token::Whitespace(_))
}

/// Whether a query may begin at a place: behind `PIVOT (` the words of a table's own PIVOT follow.
fn begins(tokens: &[TokenWithSpan], at: usize) -> bool {
    // a table follows: elsewhere it is a column's name
    let next = tokens[at + 1..].iter().find(|t| !is_space(t));
    let table = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) => w.quote_style.is_some() || w.keyword == Keyword::NoKeyword,
        other => matches!(other, Token::LParen | Token::SingleQuotedString(_)),
    };
    if !next.is_some_and(table) {
        return false;
    }
    let Some(before) = tokens[..at].iter().rev().find(|t| !is_space(t)) else {
        return true;
    };
    match (&before.token, keyword(before)) {
        (Token::LParen, _) => true,
        (Token::RParen, _) => next.is_some_and(|t| t.token != Token::LParen),
        (_, Some(k)) => matches!(
            k,
            Keyword::AS | Keyword::EXPLAIN | Keyword::ANALYZE | Keyword::DESCRIBE
        ),
        _ => false,
    }
}

/// Where the parentheses around a place close, or the end.
fn end_of(tokens: &[TokenWithSpan], from: usize) -> usize {
    let mut depth = 0;
    for (i, t) in tokens.iter().enumerate().skip(from) {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return i,
            Token::RParen => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The clauses of a statement.
struct Parts {
    table: Vec<TokenWithSpan>,
    on: Vec<TokenWithSpan>,
    using: Vec<TokenWithSpan>,
    groups: Vec<TokenWithSpan>,
    into: Vec<TokenWithSpan>,
    tail: Vec<TokenWithSpan>,
}

impl Parts {
    /// None without ON.
    fn of(tokens: &[TokenWithSpan]) -> Option<Parts> {
        let mut parts = Parts {
            table: Vec::new(),
            on: Vec::new(),
            using: Vec::new(),
            groups: Vec::new(),
            into: Vec::new(),
            tail: Vec::new(),
        };
        let (mut depth, mut found) = (0, false);
        let mut clause = Clause::Table;
        for t in tokens.iter().filter(|t| !is_space(t)) {
            match t.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            let begun = match keyword(t) {
                _ if depth != 0 || clause == Clause::Tail => None,
                Some(Keyword::ON) => Some(Clause::On),
                Some(Keyword::USING) => Some(Clause::Using),
                Some(Keyword::GROUP) => Some(Clause::Groups),
                Some(Keyword::INTO) => Some(Clause::Into),
                Some(k) if TAIL.contains(&k) => Some(Clause::Tail),
                _ => None,
            };
            found |= begun == Some(Clause::On);
            if let Some(next) = begun {
                clause = next;
                if clause != Clause::Tail {
                    continue;
                }
            }
            match clause {
                Clause::Table => parts.table.push(t.clone()),
                Clause::On => parts.on.push(t.clone()),
                Clause::Using => parts.using.push(t.clone()),
                Clause::Groups if keyword(t) == Some(Keyword::BY) && parts.groups.is_empty() => {}
                Clause::Groups => parts.groups.push(t.clone()),
                Clause::Into => parts.into.push(t.clone()),
                Clause::Tail => parts.tail.push(t.clone()),
            }
        }
        found.then_some(parts)
    }

    fn pivot(self, place: Span) -> Result<Vec<TokenWithSpan>> {
        let mut depth = 0;
        let (mut each, mut values) = (vec![Vec::new()], None);
        for t in self.on {
            match t.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            let within = depth == 0 && keyword(&t) == Some(Keyword::IN);
            match (&mut values, each.last_mut()) {
                (None, _) if within => values = Some(vec![t]),
                (None, _) if depth == 0 && t.token == Token::Comma => each.push(Vec::new()),
                (None, Some(last)) => last.push(t),
                (None, None) => {}
                (Some(list), _) => list.push(t),
            }
        }
        let ends = |list: &Vec<TokenWithSpan>| list.last().is_some_and(|t| t.token == Token::RParen);
        if values.is_some() && each.len() > 1 || values.as_ref().is_some_and(|list| !ends(list)) {
            return Err(
                Error::query("PIVOT ON several expressions with IN is not supported").help(
                    "leave IN out, and filter the rows in a subquery: PIVOT (SELECT … WHERE …) ON a, b",
                ),
            );
        }
        let w = |text: &str| word(text, place);
        let sign = |token: Token| TokenWithSpan::new(token, place);
        let mut out = vec![w("SELECT"), sign(Token::Mul), w("FROM")];
        out.extend(self.table);
        out.extend([w("PIVOT"), sign(Token::LParen)]);
        match self.using.is_empty() {
            true => out.extend([
                w("count"),
                sign(Token::LParen),
                sign(Token::Mul),
                sign(Token::RParen),
            ]),
            false => out.extend(self.using),
        }
        out.push(w("FOR"));
        // in parentheses of their own, any expressions will do
        for (i, expr) in each.into_iter().enumerate() {
            out.push(sign(if i == 0 { Token::LParen } else { Token::Comma }));
            out.push(sign(Token::LParen));
            out.extend(expr);
            out.push(sign(Token::RParen));
        }
        out.push(sign(Token::RParen));
        match values {
            Some(values) => out.extend(values),
            None => out.extend([w("IN"), sign(Token::LParen), w("ANY"), sign(Token::RParen)]),
        }
        out.push(sign(Token::RParen));
        if !self.groups.is_empty() {
            let name = Token::Word(Word {
                value: GROUPS.to_string(),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            });
            out.extend([w("AS"), sign(name), sign(Token::LParen)]);
            out.extend(self.groups);
            out.push(sign(Token::RParen));
        }
        out.extend(self.tail);
        Ok(out)
    }

    fn unpivot(self, place: Span) -> Result<Vec<TokenWithSpan>> {
        let w = |text: &str| word(text, place);
        let sign = |token: Token| TokenWithSpan::new(token, place);
        let (mut name, mut value) = (w("name"), w("value"));
        match self.into.as_slice() {
            [] => {}
            [n, own, v, values] if said(n, "NAME") && said(v, "VALUE") => {
                (name, value) = (own.clone(), values.clone());
            }
            _ => {
                return Err(
                    Error::query("INTO of UNPIVOT names a column for names and one for values")
                        .help("write UNPIVOT t ON a, b INTO NAME n VALUE v"),
                );
            }
        }
        let mut out = vec![w("SELECT"), sign(Token::Mul), w("FROM")];
        out.extend(self.table);
        out.extend([
            w("UNPIVOT"),
            sign(Token::LParen),
            value,
            w("FOR"),
            name,
            w("IN"),
            sign(Token::LParen),
        ]);
        out.extend(self.on);
        out.extend([sign(Token::RParen), sign(Token::RParen)]);
        out.extend(self.tail);
        Ok(out)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Table,
    On,
    Using,
    Groups,
    Into,
    Tail,
}

fn word(text: &str, place: Span) -> TokenWithSpan {
    TokenWithSpan::new(Token::make_word(text, None), place)
}

fn said(t: &TokenWithSpan, text: &str) -> bool {
    matches!(&t.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
}
