//! Statements: queries, EXPLAIN, DESCRIBE, SUMMARIZE, COPY, CREATE VIEW.

use std::path::PathBuf;
use std::sync::Arc;

use sqlparser::ast::{self, CopySource, CopyTarget, DescribeAlias};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Answer, Sql, View, unsupported};
use crate::error::{Error, Result};
use crate::expr::parse as lexer;
use crate::expr::stack::{Deep, deep};
use crate::write::Format;

/// How deeply the parser may go: some steps for each pair of parentheses.
const MAX_RECURSION: usize = 300;
/// The most SELECTs, set operations and joins in one statement: plans are walked recursively.
const MAX_PARTS: usize = 200;

/// A parsed statement and the text that it is of.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Arc<str>,
    ast: Deep<ast::Statement>,
    /// SUMMARIZE stands before it.
    summarize: bool,
}

/// The statements of a text; none if it has none.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>> {
    let shared: Arc<str> = text.into();
    let each = lexer::statements(text)?.into_iter().map(|mut tokens| {
        let summarize = summarized(&mut tokens);
        Ok(Statement {
            text: shared.clone(),
            ast: Deep::new(deep(|| parse_one(text, tokens))?),
            summarize,
        })
    });
    each.collect()
}

/// Puts GLOBAL, which the parser takes before any kind of join and which means nothing here, for ASOF,
/// which it only takes in the form of another dialect.
fn mark_asof(text: &str, tokens: &mut [TokenWithSpan]) -> Result<()> {
    use Keyword::{ASOF, FULL, GLOBAL, INNER, JOIN, LEFT, RIGHT};
    let word = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) if w.quote_style.is_none() => Some(w.keyword),
        _ => None,
    };
    let mut next = None;
    for t in tokens.iter_mut().rev() {
        if matches!(t.token, Token::Whitespace(_)) {
            continue;
        }
        let this = word(t);
        if matches!(next, Some(INNER | JOIN | LEFT | RIGHT | FULL)) {
            match this {
                Some(ASOF) => t.token = Token::make_keyword("GLOBAL"),
                Some(GLOBAL) => {
                    let range = lexer::range_of(text, t.span.start, t.span.end);
                    return Err(unsupported("GLOBAL").span(text, range));
                }
                _ => {}
            }
        }
        next = this;
    }
    Ok(())
}

/// Whether a join was written as `ASOF JOIN`.
pub(super) fn is_asof(join: &ast::Join) -> bool {
    join.global
}

/// Takes SUMMARIZE off the front, which the parser does not know; a table behind it becomes a query.
fn summarized(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let real = |t: &TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
    let is_word = |t: &TokenWithSpan, name: &str| matches!(&t.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(name));
    let mut places = (0..tokens.len()).filter(|&i| real(&tokens[i]));
    let (Some(first), Some(second)) = (places.next(), places.next()) else {
        return false;
    };
    if !is_word(&tokens[first], "SUMMARIZE") {
        return false;
    }
    let queries = ["SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT"];
    let query = tokens[second].token == Token::LParen || queries.iter().any(|q| is_word(&tokens[second], q));
    match query {
        true => drop(tokens.drain(..second)),
        false => {
            let from = Token::make_word("FROM", None);
            tokens.drain(..first);
            tokens[0].token = from;
        }
    }
    true
}

fn parse_one(text: &str, mut tokens: Vec<TokenWithSpan>) -> Result<ast::Statement> {
    tokens = super::pivot_text::pivots(super::spelling::respelt(tokens))?;
    mark_asof(text, &mut tokens)?;
    let counts = |t: &&TokenWithSpan| {
        use Keyword::{EXCEPT, INTERSECT, JOIN, SELECT, UNION};
        matches!(&t.token, Token::Word(w) if matches!(w.keyword, SELECT | UNION | EXCEPT | INTERSECT | JOIN))
    };
    let parts = tokens.iter().filter(counts).count();
    if parts > MAX_PARTS {
        return Err(Error::query(format!(
            "{parts} SELECTs, joins and set operations in one statement; {MAX_PARTS} is the most"
        )));
    }
    let mut parser = Parser::new(&super::dialect::Statements)
        .with_recursion_limit(MAX_RECURSION)
        .with_tokens_with_locations(tokens);
    let ast = parser
        .parse_statement()
        .map_err(|e| lexer::syntax_error(text, &e.to_string()))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let range = lexer::range_of(text, rest.span.start, rest.span.end);
        return Err(crate::expr::left_over(text, range, &rest.token, "statement"));
    }
    Ok(ast)
}

/// What a statement asks for.
pub(super) fn plan(sql: &Sql, s: &Statement) -> Result<Answer> {
    deep(|| plan_deep(sql, s))
}

fn plan_deep(sql: &Sql, s: &Statement) -> Result<Answer> {
    use ast::Statement as S;
    match s.ast.get()? {
        S::Query(q) if s.summarize => Ok(Answer::Rows(sql.frame(q, &s.text)?.summarize()?)),
        _ if s.summarize => Err(unsupported("SUMMARIZE of anything but a table or a query")),
        S::Query(q) => Ok(Answer::Rows(sql.frame(q, &s.text)?)),
        S::CreateView(view) => Ok(Answer::View(create_view(sql, view, &s.text)?)),
        S::Explain {
            describe_alias,
            analyze,
            statement,
            ..
        } => {
            let S::Query(q) = statement.as_ref() else {
                return Err(unsupported("EXPLAIN of anything but a query"));
            };
            let frame = sql.frame(q, &s.text)?;
            match describe_alias {
                _ if *analyze => Ok(Answer::Analyze(frame)),
                DescribeAlias::Explain => Ok(Answer::Explain(frame)),
                _ => Ok(Answer::Describe(frame)),
            }
        }
        S::ExplainTable { table_name, .. } => {
            let all = format!("SELECT * FROM {table_name}");
            Ok(Answer::Describe(sql.query(&all)?))
        }
        S::Copy {
            source,
            to: true,
            target: CopyTarget::File { filename },
            options,
            legacy_options,
            ..
        } => {
            let frame = match source {
                CopySource::Query(q) => sql.frame(q, &s.text)?,
                CopySource::Table { table_name, columns } if columns.is_empty() => {
                    sql.query(&format!("SELECT * FROM {table_name}"))?
                }
                CopySource::Table { .. } => return Err(unsupported("COPY of some columns of a table")),
            };
            let mut format = None;
            for o in options {
                match o {
                    ast::CopyOption::Format(f) => format = Some(Format::from_name(&f.value.to_lowercase())?),
                    other => return Err(unsupported(&format!("COPY with {other}"))),
                }
            }
            if let Some(o) = legacy_options.first() {
                return Err(unsupported(&format!("COPY with {o}")));
            }
            Ok(Answer::Copy(frame, PathBuf::from(filename), format))
        }
        other => {
            let first = other.to_string();
            let first = first.split_whitespace().next().unwrap_or_default().to_string();
            Err(unsupported(&format!("the statement {first}"))
                .help("there are SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SUMMARIZE, CREATE VIEW and COPY (…) TO 'file'"))
        }
    }
}

/// A view whose query holds together.
fn create_view(sql: &Sql, v: &ast::CreateView, text: &Arc<str>) -> Result<View> {
    let odd = v.materialized || v.secure || v.to.is_some() || v.with_no_schema_binding;
    if odd || !v.cluster_by.is_empty() {
        return Err(unsupported("CREATE VIEW with options"));
    }
    let [ast::ObjectNamePart::Identifier(name)] = v.name.0.as_slice() else {
        return Err(Error::query(format!("{} is no name of a view", v.name)));
    };
    let view = View {
        name: name.value.clone(),
        columns: v.columns.iter().map(|c| c.name.value.clone()).collect(),
        query: Arc::new(Deep::new(v.query.as_ref().clone())),
        text: text.clone(),
    };
    let taken = sql.views.iter().any(|o| o.name.eq_ignore_ascii_case(&view.name));
    if taken && !v.or_replace && !v.if_not_exists {
        return Err(Error::query(format!("there is a view \"{}\" already", view.name))
            .help("CREATE OR REPLACE VIEW puts another in its place"));
    }
    if taken && v.if_not_exists {
        let there = sql.views.iter().find(|o| o.name.eq_ignore_ascii_case(&view.name));
        return there.cloned().ok_or_else(|| Error::defect("a view went astray"));
    }
    let frame = sql.frame(&v.query, text)?;
    if view.columns.len() > frame.schema()?.fields().len() {
        let what = format!("the view \"{}\" names more columns than its query has", view.name);
        return Err(Error::query(what));
    }
    Ok(view)
}
