//! How a text is cut into words, numbers and signs: as `sqlparser`'s generic dialect does it, but with the
//! numbers of DuckDB and PostgreSQL.
//!
//! ```text
//!   1_000_000   0x1f   0b101   0o17      numbers
//!   1abc   2_                            nothing: most systems read `1 AS abc`, and nobody means it
//! ```

use std::any::TypeId;

use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parse::range_of;
use crate::error::{Error, Result};

/// See the module.
#[derive(Debug)]
pub(super) struct Lexer;

/// Answers like the generic dialect.
macro_rules! as_generic {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            GenericDialect {}.$name()
        })*
    };
}

impl Dialect for Lexer {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        GenericDialect {}.is_delimited_identifier_start(c)
    }

    fn is_identifier_start(&self, c: char) -> bool {
        GenericDialect {}.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        GenericDialect {}.is_identifier_part(c)
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    as_generic! {
        supports_unicode_string_literal
        supports_string_escape_constant
        supports_pipe_operator
        supports_nested_comments
        supports_string_literal_backslash_escape
        supports_triple_quoted_string
        supports_dollar_placeholder
    }
}

/// Numbers in other bases and with `_` between their digits as plain ones, and so texts with escapes, `E'\n'`.
///
/// # Errors
/// Letters right behind a number.
pub(super) fn numbers(text: &str, tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for mut t in tokens {
        match &t.token {
            Token::Number(n, _) if n.contains('_') => {
                t.token = Token::Number(n.replace('_', ""), false);
            }
            Token::HexStringLiteral(digits) => {
                // `0x1f` is two wider than its digits, `x'1f'` three
                let width = t.span.end.column.checked_sub(t.span.start.column);
                let is_number = width == Some(digits.chars().count() as u64 + 2);
                if t.span.start.line == t.span.end.line && is_number {
                    t.token = based(digits, 16).ok_or_else(|| no_number(text, &t, &t))?;
                }
            }
            // the lexer has read their escapes already
            Token::EscapedStringLiteral(s) | Token::UnicodeStringLiteral(s) => {
                t.token = Token::SingleQuotedString(s.clone());
            }
            Token::Word(w) if w.quote_style.is_none() => {
                if let Some(last) = out.last_mut()
                    && let Token::Number(n, false) = &last.token
                    && last.span.end == t.span.start
                {
                    let base = match w.value.as_bytes().first() {
                        Some(b'b' | b'B') => 2,
                        Some(b'o' | b'O') => 8,
                        Some(b'X') => 16,
                        _ => 0,
                    };
                    let number = match n == "0" && base > 0 {
                        true => based(&w.value[1..], base),
                        false => None,
                    };
                    last.token = number.ok_or_else(|| no_number(text, last, &t))?;
                    last.span.end = t.span.end;
                    continue;
                }
            }
            _ => {}
        }
        out.push(t);
    }
    Ok(out)
}

/// A whole number in a base.
fn based(digits: &str, base: u32) -> Option<Token> {
    let value = u128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(Token::Number(value.to_string(), false))
}

fn no_number(text: &str, first: &TokenWithSpan, last: &TokenWithSpan) -> Error {
    let range = range_of(text, first.span.start, last.span.end);
    let typed = text[range.clone()].to_string();
    Error::query(format!("{typed} is no number"))
        .span(text, range)
        .help("a space may be missing; a name that begins with a digit stands in double quotes")
}
