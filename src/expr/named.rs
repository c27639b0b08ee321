//! Columns by the texts that people type in flags, where the table is known.
//!
//! ```text
//!   `Unit Price ($)`      is exactly a column, so it is that column, whatever it looks like
//!   `2022`, no column     a number alone is nothing to group or add up: an error, never 2022 for each row
//!   `max(Item Name)`      an argument may be such a name too, and a word of SQL: `user = 'a'`
//!   `depdelay > 15`       else an expression; a name may differ by case if only one does
//! ```

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::display::quote_name;
use super::parse::{self, parse_tokens};
use super::tree::Expr;
use crate::error::{Error, Result, no_column};

/// The place of a name among others: exactly, else the only one that differs by case.
pub fn column_named<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<usize> {
    let lower = name.to_lowercase();
    let (mut alike, mut several) = (None, false);
    for (i, n) in names.into_iter().enumerate() {
        if n == name {
            return Some(i);
        }
        if n.to_lowercase() == lower {
            several = alike.is_some();
            alike = alike.or(Some(i));
        }
    }
    alike.filter(|_| !several)
}

/// The columns of a table, for what is typed of them.
#[derive(Debug, Clone)]
pub struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    /// Those of a schema.
    pub fn of(schema: &'a arrow::datatypes::Schema) -> Self {
        Columns(schema.fields().iter().map(|f| f.name().as_str()).collect())
    }

    /// These.
    pub fn new(names: Vec<&'a str>) -> Self {
        Columns(names)
    }

    /// The column that a text is: exactly, with or without the blanks around it, else the only one that differs by
    /// case.
    pub fn find(&self, text: &str) -> Option<&'a str> {
        let exact = |t: &str| self.0.iter().find(|n| **n == t).copied();
        let alike = |t: &str| column_named(t, self.0.iter().copied()).map(|i| self.0[i]);
        exact(text)
            .or_else(|| exact(text.trim()))
            .or_else(|| alike(text.trim()))
    }

    /// The error for a text that is none of them.
    pub fn missing(&self, text: &str) -> Error {
        no_column(text, self.0.iter().copied())
    }

    /// A column, or an expression over them.
    ///
    /// # Errors
    /// As of [`parse::parse`].
    pub fn expr(&self, text: &str) -> Result<Expr> {
        match self.find(text) {
            Some(name) => Ok(Expr::column(name)),
            None => self.parse(text, |own| Ok((None, own))).map(|(_, e)| e),
        }
    }

    /// `name = expression`, or as [`Columns::expr`].
    ///
    /// # Errors
    /// As of [`parse::parse`].
    pub fn named(&self, text: &str) -> Result<(Option<String>, Expr)> {
        if let Some(name) = self.find(text) {
            return Ok((None, Expr::column(name)));
        }
        if let Some((name, value)) = self.assigned(text) {
            return Ok((Some(name.to_string()), self.expr(value)?));
        }
        self.parse(text, |own| Ok(parse::split_name(own)))
    }

    /// As [`Columns::named`], where a number alone must be a column.
    ///
    /// # Errors
    /// As of [`parse::parse`], and a number that is no column.
    pub fn key(&self, text: &str) -> Result<(Option<String>, Expr)> {
        let number = |c: char| c.is_ascii_digit() || c == '.';
        let unsigned = text.trim().trim_start_matches(['-', '+']);
        if unsigned.starts_with(number) && unsigned.parse::<f64>().is_ok() && self.find(text).is_none() {
            return Err(self.missing(text.trim()));
        }
        self.named(text)
    }

    /// The items of a list: commas part them that are not within a column's name, parentheses or quotes. A name may
    /// have one of `tails` behind it, from its first character on.
    pub fn split(&self, text: &str, tails: &[char]) -> Vec<String> {
        let mut items = Vec::new();
        let mut rest = text;
        loop {
            let blank = rest.len() - rest.trim_start().len();
            let item = &rest[blank..];
            // the longest name that stands here
            let ends = |tail: &str| {
                let tail = tail.trim_start();
                tail.is_empty() || tail.starts_with(',') || tail.starts_with(tails)
            };
            let fits = |from: &str, n: &&str| from.strip_prefix(*n).is_some_and(ends);
            let longest = |from: &'_ str| self.0.iter().filter(|n| fits(from, n)).map(|n| n.len()).max();
            let name = longest(item).unwrap_or(0);
            let end = name + next_comma(&item[name..]);
            let (own, after) = item.split_at(end);
            // blanks at the ends of a name are its own
            let own = match longest(rest).filter(|n| *n > blank + name) {
                Some(whole) => &rest[..whole],
                None if name == own.len() => own,
                None => own.trim(),
            };
            if !own.is_empty() {
                items.push(own.to_string());
            }
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => return items,
            }
        }
    }

    /// `name = value` where the name is no word but a column's, or the value exactly a column.
    fn assigned<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (name, value) = text.split_once('=')?;
        let name = name.trim();
        if value.starts_with('=') || name.ends_with(['<', '>', '!']) {
            return None;
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let is_word =
            !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit());
        let known = self.0.contains(&name);
        (known && !is_word || is_word && self.0.contains(&value.trim())).then_some((name, value))
    }

    fn parse(
        &self,
        text: &str,
        split: impl Fn(Vec<TokenWithSpan>) -> Result<(Option<String>, Vec<TokenWithSpan>)>,
    ) -> Result<(Option<String>, Expr)> {
        let quoted = self.quoted_argument(text);
        let text = quoted.as_deref().unwrap_or(text);
        let mut tokens = parse::tokens(text)?;
        self.quote_words(&mut tokens);
        let (name, tokens) = split(tokens)?;
        let e = parse_tokens(text, tokens)?;
        Ok((name, e.map(&mut |e| Ok(self.with_case(e)))?))
    }

    /// `f(Item Name)` with the name in quotes, where the argument is exactly a column.
    fn quoted_argument(&self, text: &str) -> Option<String> {
        let inner = text.trim_end().strip_suffix(')')?;
        let open = inner.find('(')?;
        let (call, argument) = (&inner[..=open], &inner[open + 1..]);
        let bare = argument.trim();
        let distinct = bare.get(..9).is_some_and(|w| w.eq_ignore_ascii_case("distinct "));
        let name = if distinct { bare[9..].trim() } else { bare };
        let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        let is_name = self.0.contains(&name) && !is_word;
        let word = if distinct { "distinct " } else { "" };
        is_name.then(|| format!("{call}{word}{}", quote_name(name)) + ")")
    }

    /// Puts words of SQL that are columns in quotes, where they stand as operands: `user = 'a'`.
    fn quote_words(&self, tokens: &mut [TokenWithSpan]) {
        let real: Vec<usize> = (0..tokens.len())
            .filter(|&i| !matches!(tokens[i].token, Token::Whitespace(_)))
            .collect();
        for (at, &i) in real.iter().enumerate() {
            let before = at.checked_sub(1).map(|b| &tokens[real[b]].token);
            let after = real.get(at + 1).map(|&a| &tokens[a].token);
            let alone = before.is_none_or(opens_operand) && after.is_none_or(ends_operand);
            if let Token::Word(w) = &tokens[i].token
                && alone
                && w.quote_style.is_none()
                && !matches!(
                    w.keyword,
                    Keyword::NoKeyword | Keyword::NULL | Keyword::TRUE | Keyword::FALSE
                )
                && self.0.contains(&w.value.as_str())
                && let Token::Word(w) = &mut tokens[i].token
            {
                (w.quote_style, w.keyword) = (Some('"'), Keyword::NoKeyword);
            }
        }
    }

    fn with_case(&self, e: Expr) -> Expr {
        match e {
            Expr::Column(c) if !self.0.contains(&c.as_str()) => {
                match column_named(&c, self.0.iter().copied()) {
                    Some(i) => Expr::column(self.0[i]),
                    None => Expr::Column(c),
                }
            }
            other => other,
        }
    }
}

/// Whether an operand may follow.
fn opens_operand(token: &Token) -> bool {
    match token {
        Token::Word(w) => matches!(
            w.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::CASE
                | Keyword::BETWEEN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::WHERE
                | Keyword::BY
                | Keyword::DISTINCT
        ),
        token => is_symbol(token) || matches!(token, Token::LParen | Token::LBracket),
    }
}

/// Whether it may follow an operand.
fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Word(w) => matches!(
            w.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::END
                | Keyword::ASC
                | Keyword::DESC
                | Keyword::AS
        ),
        token => is_symbol(token) || matches!(token, Token::RParen | Token::RBracket),
    }
}

/// Commas and operators between two operands.
fn is_symbol(token: &Token) -> bool {
    matches!(
        token,
        Token::Comma
            | Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
    )
}

/// Where the next comma outside parentheses and quotes stands; the end where there is none. Parentheses and quotes
/// that do not close are characters.
fn next_comma(text: &str) -> usize {
    let (mut depth, mut quote) = (0usize, None);
    let (mut found, mut plain) = (None, None);
    for (i, c) in text.char_indices() {
        if c == ',' {
            plain = plain.or(Some(i));
        }
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                found = Some(i);
                break;
            }
            _ => {}
        }
    }
    let closed = depth == 0 && quote.is_none();
    found.or(plain.filter(|_| !closed)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "Item Name",
        "Unit Price ($)",
        "2nd",
        "2022",
        "user",
        "Total-Net",
        "Origin",
        "a,b",
        " Amount",
        "2020 ",
        "5\" pipe",
        "40346_00060",
    ];

    fn columns() -> Columns<'static> {
        Columns::new(NAMES.to_vec())
    }

    #[test]
    fn exactly_a_column_is_that_column() {
        for name in NAMES {
            assert_eq!(columns().expr(name).unwrap(), Expr::column(name));
            assert_eq!(columns().key(name).unwrap(), (None, Expr::column(name)));
        }
        assert_eq!(columns().expr("origin").unwrap(), Expr::column("Origin"));
        let (name, e) = columns().named("x = Total-Net").unwrap();
        assert_eq!((name.as_deref(), e), (Some("x"), Expr::column("Total-Net")));
        assert_eq!(
            columns().named("Item Name = 5").unwrap().0.as_deref(),
            Some("Item Name")
        );
    }

    #[test]
    fn a_number_is_no_column() {
        for n in ["2021", "-1", "1.5", "2020"] {
            assert!(columns().key(n).unwrap_err().what().contains("no column"), "{n}");
        }
        assert!(columns().named("x = 2021").is_ok() && columns().key("2022 + 1").is_ok());
        assert!(
            columns()
                .key("2020")
                .unwrap_err()
                .help_text()
                .unwrap()
                .contains("did you mean \"2020 \"")
        );
    }

    #[test]
    fn words_and_arguments() {
        let same = |text: &str, plain: &str| {
            assert_eq!(
                columns().expr(text).unwrap(),
                parse::parse(plain).unwrap(),
                "{text}"
            );
        };
        same("user = 'a'", "\"user\" = 'a'");
        same("sum(user) > 1 and not user", "sum(\"user\") > 1 and not \"user\"");
        same("max(Item Name)", "max(\"Item Name\")");
        same("count(distinct Total-Net)", "count(distinct \"Total-Net\")");
        same("sum(2022)", "sum(\"2022\")");
        same("sum(origin)", "sum(\"Origin\")");
        same("a = 'user'", "a = 'user'");
    }

    #[test]
    fn lists() {
        let split = |text: &str| columns().split(text, &[':']);
        assert_eq!(
            split("Item Name, Unit Price ($) ,2nd"),
            ["Item Name", "Unit Price ($)", "2nd"]
        );
        assert_eq!(split("a,b,Origin"), ["a,b", "Origin"]);
        assert_eq!(split("5\" pipe,Origin"), ["5\" pipe", "Origin"]);
        assert_eq!(split("5\" pipe:desc,x"), ["5\" pipe:desc", "x"]);
        assert_eq!(
            split("round(x,2), 'p,q',\"x,y\""),
            ["round(x,2)", "'p,q'", "\"x,y\""]
        );
        assert_eq!(split("Item Name2, c"), ["Item Name2", "c"]);
        assert_eq!(split(" Amount,2020 "), [" Amount", "2020 "]);
        assert_eq!(split("x(,y"), ["x(", "y"]);
        assert_eq!(split(""), Vec::<String>::new());
    }
}
