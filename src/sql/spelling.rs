//! What other systems spell in ways that the parser does not know, in words that it knows.
//!
//! ```text
//!   WITH x AS [NOT] MATERIALIZED (…)     WITH x AS (…)            each use is planned anew, equal plans run once
//!   7 DIV 2                              7 // 2
//!   TABLESAMPLE 10%                      TABLESAMPLE 10 PERCENT
//!   sum(x) FILTER (x > 1)                sum(x) FILTER (WHERE x > 1)
//! ```
//!
//! Tokens keep their places, so that messages point at what was written.

use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// See the module.
pub(super) fn respelt(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let real: Vec<usize> = (0..tokens.len())
        .filter(|&i| !matches!(tokens[i].token, Token::Whitespace(_)))
        .collect();
    let (mut gone, mut opened) = (Vec::new(), Vec::new());
    for at in 0..real.len() {
        let token = |i: Option<usize>| i.and_then(|i| real.get(i)).map(|&i| &tokens[i].token);
        let before = token(at.checked_sub(1));
        let next = token(Some(at + 1));
        let said = |t: Option<&Token>, k: Keyword| t.is_some_and(|t| keyword(t) == Some(k));
        match token(Some(at)) {
            Some(t) if keyword(t) == Some(Keyword::MATERIALIZED) && next == Some(&Token::LParen) => {
                if said(before, Keyword::AS) {
                    gone.push(real[at]);
                } else if said(before, Keyword::NOT) && said(token(at.checked_sub(2)), Keyword::AS) {
                    gone.extend([real[at - 1], real[at]]);
                }
            }
            Some(t)
                if keyword(t) == Some(Keyword::DIV)
                    && before.is_some_and(ends_operand)
                    && next.is_some_and(begins_operand) =>
            {
                tokens[real[at]].token = Token::DuckIntDiv;
            }
            Some(Token::Mod) if matches!(before, Some(Token::Number(..))) => {
                let back = |n: usize| token(at.checked_sub(n));
                let sample = |t| said(t, Keyword::TABLESAMPLE) || said(t, Keyword::SAMPLE);
                let bare = sample(back(2));
                // `sample * (10 % 3)` is arithmetic
                let closed = next == Some(&Token::RParen) && back(2) == Some(&Token::LParen);
                if bare || (closed && (sample(back(3)) || sample(back(4)))) {
                    tokens[real[at]].token = Token::make_keyword("PERCENT");
                }
            }
            Some(t)
                if keyword(t) == Some(Keyword::FILTER)
                    && before == Some(&Token::RParen)
                    && next == Some(&Token::LParen)
                    && !said(token(Some(at + 2)), Keyword::WHERE)
                    && !is_table(&tokens, &real, at - 1) =>
            {
                opened.push(real[at + 1]);
            }
            _ => {}
        }
    }
    if gone.is_empty() && opened.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + opened.len());
    for (i, t) in tokens.into_iter().enumerate() {
        if gone.contains(&i) {
            continue;
        }
        let span = t.span;
        out.push(t);
        if opened.contains(&i) {
            let token = Token::make_keyword("WHERE");
            out.push(TokenWithSpan { token, span });
        }
    }
    out
}

/// Whether what ends with that parenthesis is a table, behind which stands its name: `FROM f(3) filter(x)`.
fn is_table(tokens: &[TokenWithSpan], real: &[usize], end: usize) -> bool {
    let mut depth = 0;
    let begin = (0..=end).rev().find(|&i| {
        match tokens[real[i]].token {
            Token::RParen => depth += 1,
            Token::LParen => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let word = |back: usize| {
        let at = begin?.checked_sub(back)?;
        keyword(&tokens[real[at]].token)
    };
    let table = |k| matches!(k, Some(Keyword::FROM | Keyword::JOIN | Keyword::LATERAL));
    table(word(1)) || table(word(2))
}

fn keyword(t: &Token) -> Option<Keyword> {
    match t {
        Token::Word(w) if w.quote_style.is_none() => Some(w.keyword),
        _ => None,
    }
}

/// Words that an operator, and no value, may stand behind or before.
const BETWEEN_VALUES: [Keyword; 19] = [
    Keyword::ALL,
    Keyword::AND,
    Keyword::AS,
    Keyword::ASC,
    Keyword::BETWEEN,
    Keyword::BY,
    Keyword::DESC,
    Keyword::DISTINCT,
    Keyword::ELSE,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::NULLS,
    Keyword::ON,
    Keyword::OR,
    Keyword::THEN,
    Keyword::WHEN,
];

/// Whether a word is, or may be, the name of a column or function: most keywords may.
fn is_name(t: &Token) -> bool {
    let Token::Word(w) = t else { return false };
    let reserved = [
        RESERVED_FOR_COLUMN_ALIAS,
        RESERVED_FOR_TABLE_ALIAS,
        &BETWEEN_VALUES,
    ];
    w.quote_style.is_some()
        || !reserved.iter().any(|r| r.contains(&w.keyword))
        || w.keyword == Keyword::SAMPLE
}

/// Whether an operator may stand behind it.
fn ends_operand(t: &Token) -> bool {
    let closes = matches!(t, Token::RParen | Token::RBracket);
    closes || is_value(t) || is_name(t) || keyword(t) == Some(Keyword::END)
}

/// Whether it may stand behind an operator.
fn begins_operand(t: &Token) -> bool {
    is_value(t) || is_name(t) || matches!(t, Token::LParen | Token::Minus | Token::Plus)
}

fn is_value(t: &Token) -> bool {
    matches!(
        t,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_)
    )
}
