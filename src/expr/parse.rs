//! From text to tree: `sqlparser` reads SQL, this turns what it found into [`Expr`].
//!
//! ```text
//!  text ─ tokens ─ `&&`, `!` become AND, NOT ─ sqlparser's tree ─ convert ─► Expr
//! ```
//!
//! Long chains are no danger to the stack: the number of operators is limited before parsing, the parser's own
//! tree is walked where there is room for it ([`mod@super::stack`]), chains of AND and OR become balanced trees,
//! other long chains one node, and the depth of the result is limited.

use std::ops::Range;

use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use super::syntax::token_error;
pub use super::syntax::{point_at, syntax_error};

use super::convert::convert;
use super::pair::PairFunc;
use super::stack::deep;
use super::tree::{AggFunc, Expr, MAX_DEPTH};
use super::window_sql::rewritten;
use crate::error::{Error, Result};

/// The most operators in one expression; more would be walked too deeply by the parser's own tree.
const MAX_OPERATORS: usize = 25_000;
/// How deeply parentheses and calls may nest.
const MAX_NESTING: usize = 128;

/// The names of aggregates. `quantile` is told apart by its second argument.
pub(super) const AGGREGATES: &[(&str, AggFunc)] = &[
    ("count", AggFunc::Count),
    ("sum", AggFunc::Sum),
    ("mean", AggFunc::Mean),
    ("avg", AggFunc::Mean),
    ("favg", AggFunc::Mean),
    ("fsum", AggFunc::Sum),
    ("kahan_sum", AggFunc::Sum),
    ("sumkahan", AggFunc::Sum),
    ("min", AggFunc::Min),
    ("max", AggFunc::Max),
    ("nunique", AggFunc::NUnique),
    ("std", AggFunc::Std),
    ("stddev", AggFunc::Std),
    ("stddev_samp", AggFunc::Std),
    ("var", AggFunc::Var),
    ("variance", AggFunc::Var),
    ("var_samp", AggFunc::Var),
    ("stddev_pop", AggFunc::StdPop),
    ("var_pop", AggFunc::VarPop),
    ("skewness", AggFunc::Skewness),
    ("kurtosis", AggFunc::Kurtosis),
    ("kurtosis_pop", AggFunc::KurtosisPop),
    ("product", AggFunc::Product),
    ("mode", AggFunc::Mode),
    ("median", AggFunc::Median),
    ("quantile", AggFunc::Quantile(0.5)),
    ("quantile_cont", AggFunc::Quantile(0.5)),
    ("percentile_cont", AggFunc::Quantile(0.5)),
    ("first", AggFunc::First),
    ("last", AggFunc::Last),
    ("any_value", AggFunc::FirstKnown),
    ("arbitrary", AggFunc::FirstKnown),
    ("bool_and", AggFunc::BoolAnd),
    ("every", AggFunc::BoolAnd),
    ("bool_or", AggFunc::BoolOr),
    ("corr", AggFunc::Pair(PairFunc::Corr)),
    ("covar_pop", AggFunc::Pair(PairFunc::CovarPop)),
    ("covar_samp", AggFunc::Pair(PairFunc::CovarSamp)),
    ("regr_count", AggFunc::Pair(PairFunc::Count)),
    ("regr_slope", AggFunc::Pair(PairFunc::Slope)),
    ("regr_intercept", AggFunc::Pair(PairFunc::Intercept)),
    ("regr_r2", AggFunc::Pair(PairFunc::R2)),
    ("regr_sxx", AggFunc::Pair(PairFunc::Sxx)),
    ("regr_syy", AggFunc::Pair(PairFunc::Syy)),
    ("regr_sxy", AggFunc::Pair(PairFunc::Sxy)),
    ("regr_avgx", AggFunc::Pair(PairFunc::AvgX)),
    ("regr_avgy", AggFunc::Pair(PairFunc::AvgY)),
];

/// Parses an expression.
///
/// # Errors
/// The text is no expression, or too large a one; the error has a span into the text.
pub fn parse(text: &str) -> Result<Expr> {
    parse_tokens(text, tokens(text)?)
}

/// Parses `name = expression`, or an expression alone. What stands before the first `=` is the name
/// if it is nothing but an identifier; write `(a = b)` to compare instead.
///
/// # Errors
/// As [`parse`].
pub fn parse_named(text: &str) -> Result<(Option<String>, Expr)> {
    let (name, rest) = split_name(tokens(text)?);
    Ok((name, parse_tokens(text, rest)?))
}

/// The name before `=`, if there is one, and what follows.
pub(super) fn split_name(mut all: Vec<TokenWithSpan>) -> (Option<String>, Vec<TokenWithSpan>) {
    let mut real = (0..all.len()).filter(|&i| !matches!(all[i].token, Token::Whitespace(_)));
    let (first, second) = (real.next(), real.next());
    if let (Some(i), Some(j)) = (first, second)
        && let (Token::Word(w), Token::Eq) = (&all[i].token, &all[j].token)
        && w.quote_style != Some('\'')
    {
        let name = w.value.clone();
        all.drain(..=j);
        return (Some(name), all);
    }
    (None, all)
}

pub(super) fn parse_tokens(text: &str, tokens: Vec<TokenWithSpan>) -> Result<Expr> {
    deep(|| parse_deep(text, tokens))
}

fn parse_deep(text: &str, tokens: Vec<TokenWithSpan>) -> Result<Expr> {
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(MAX_NESTING * 2)
        .with_tokens_with_locations(tokens);
    let ast = parser
        .parse_expr()
        .map_err(|e| syntax_error(text, &e.to_string()))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let range = range_of(text, rest.span.start, rest.span.end);
        return Err(super::left_over(text, range, &rest.token, "expression"));
    }
    let expr = convert(&ast).map_err(|e| point_at(e, text))?;
    if expr.depth() > MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(expr)
}

/// The error of an expression that nests too deeply.
pub(super) fn too_deep() -> Error {
    Error::query(format!("the expression nests more than {MAX_DEPTH} deep"))
        .help("split it into several columns with --with")
}

/// The tokens of a text, one list for each statement of it (`;` ends one), none for empty ones.
/// Spans are places in the whole text.
///
/// # Errors
/// Quotes that do not close, and statements too large to parse.
pub fn statements(text: &str) -> Result<Vec<Vec<TokenWithSpan>>> {
    let mut out = Vec::new();
    for part in raw_tokens(text)?.split(|t| t.token == Token::SemiColon) {
        let mut part = part.to_vec();
        if part.iter().all(|t| matches!(t.token, Token::Whitespace(_))) {
            continue;
        }
        check(&mut part)?;
        out.push(powers(rewritten(part)));
    }
    Ok(out)
}

pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let mut all = raw_tokens(text)?;
    check(&mut all)?;
    let mut all = powers(rewritten(all));
    // of the operators that this dialect knows, only that one binds as tightly as a power
    for t in all.iter_mut().filter(|t| t.token == Token::Caret) {
        t.token = Token::CaretAt;
    }
    Ok(all)
}

pub(super) fn raw_tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let found = Tokenizer::new(&super::lexer::Lexer, text).tokenize_with_location();
    let tokens = found.map_err(|e| {
        let at = offset(text, e.location);
        Error::query(token_error(&e.message)).span(text, at..text.len().max(at))
    })?;
    super::lexer::numbers(text, tokens)
}

/// Puts `^` for `**`.
fn powers(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for t in tokens {
        match out.last_mut() {
            Some(last)
                if last.token == Token::Mul && t.token == Token::Mul && last.span.end == t.span.start =>
            {
                last.token = Token::Caret;
                last.span.end = t.span.end;
            }
            _ => out.push(t),
        }
    }
    out
}

/// Puts AND and NOT for `&&` and `!`, and refuses what would be walked too deeply.
fn check(all: &mut [TokenWithSpan]) -> Result<()> {
    let (mut operators, mut open, mut deepest) = (0_usize, 0_usize, 0_usize);
    for t in all {
        match &t.token {
            Token::Overlap => t.token = keyword("AND", Keyword::AND),
            Token::ExclamationMark => t.token = keyword("NOT", Keyword::NOT),
            // the token stands for powers from here on
            Token::CaretAt => {
                return Err(Error::query("there is no operator ^@").help("write starts_with(s, t)"));
            }
            Token::DoubleExclamationMark => {
                return Err(Error::query("!! is no operator").help("write NOT, or nothing for two of them"));
            }
            _ => {}
        }
        match &t.token {
            Token::LParen => open += 1,
            Token::RParen => open = open.saturating_sub(1),
            Token::Word(w) if w.keyword == Keyword::CASE => open += 1,
            Token::Word(w) if w.keyword == Keyword::END => open = open.saturating_sub(1),
            Token::Word(w)
                if matches!(w.keyword, Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IS) =>
            {
                operators += 1;
            }
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Comma | Token::Period | Token::Whitespace(_) => {}
            _ => operators += 1,
        }
        deepest = deepest.max(open);
    }
    if deepest > MAX_NESTING {
        return Err(Error::query(format!(
            "parentheses nest {deepest} deep; {MAX_NESTING} is the most"
        )));
    }
    if operators > MAX_OPERATORS {
        return Err(Error::query(format!(
            "{operators} operators in one expression; {MAX_OPERATORS} is the most"
        ))
        .help("x IN (a, b, …) takes any number of values"));
    }
    Ok(())
}

fn keyword(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word {
        value: value.into(),
        quote_style: None,
        keyword,
    })
}

/// The byte offset of a place that counts lines and characters from one.
pub(super) fn offset(text: &str, at: Location) -> usize {
    let mut start = 0;
    for _ in 1..at.line {
        start += text[start..].find('\n').map_or(text.len() - start, |i| i + 1);
    }
    let skip = at.column.saturating_sub(1) as usize;
    text[start..]
        .char_indices()
        .nth(skip)
        .map_or(text.len(), |(i, _)| start + i)
}

/// The bytes between two places of a text.
pub fn range_of(text: &str, start: Location, end: Location) -> Range<usize> {
    let from = offset(text, start);
    from..offset(text, end).max(from)
}
