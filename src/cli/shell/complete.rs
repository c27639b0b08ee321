//! What Tab offers: commands, files within quotes, and else keywords, functions, tables and columns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper as IsHelper};

use super::commands;
use super::scan::{self, Inside};
use crate::expr;
use crate::sql::Sql;

const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANTI",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "CUBE",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXCLUDE",
    "EXISTS",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FALSE",
    "FILTER",
    "FIRST",
    "FROM",
    "FULL",
    "GROUP",
    "GROUP BY",
    "GROUPING SETS",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "ORDER BY",
    "OUTER",
    "OVER",
    "PARTITION BY",
    "QUALIFY",
    "REPLACE",
    "RIGHT",
    "ROLLUP",
    "SELECT",
    "SEMI",
    "SUMMARIZE",
    "THEN",
    "TIMESTAMP",
    "TO",
    "TRUE",
    "UNION",
    "UNION ALL",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Columns by table, as far as they have been asked for.
type Columns = HashMap<String, Vec<String>>;

/// What rustyline asks while a line is typed.
pub(super) struct Helper {
    sql: Sql,
    columns: RefCell<Columns>,
}

impl Helper {
    pub(super) fn new(sql: &Sql) -> Helper {
        Helper {
            sql: sql.clone(),
            columns: RefCell::default(),
        }
    }

    /// The columns of the tables and files that the line names.
    fn columns(&self, line: &str) -> Vec<String> {
        let mut tables: Vec<String> = quoted(line);
        let words: Vec<&str> = line.split(|c: char| !is_word(c)).collect();
        let named = self.sql.names().into_iter();
        tables.extend(named.filter(|n| words.contains(n)).map(str::to_string));
        let mut known = self.columns.borrow_mut();
        let of = |t: String| {
            let found = known.entry(t.clone()).or_insert_with(|| {
                let columns = commands::columns(&self.sql, &t).unwrap_or_default();
                columns.into_iter().map(|(n, _)| n).collect()
            });
            found.clone()
        };
        tables.into_iter().flat_map(of).collect()
    }

    /// Where the replaced part begins, and what may stand there.
    fn offers(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = &line[..pos];
        if let Inside::Quotes(_, start) = scan::inside(before) {
            return (start + 1, files(&before[start + 1..]));
        }
        if before.trim_start().starts_with('.') {
            return command(before);
        }
        let start = before.rfind(|c| !is_word(c)).map_or(0, |i| {
            let c = before[i..].chars().next().map_or(1, char::len_utf8);
            i + c
        });
        let typed = &before[start..];
        let lower = typed.to_lowercase();
        let fits = |n: &str| n.to_lowercase().starts_with(&lower);
        let names = self.sql.names().into_iter().map(str::to_string);
        let mut own: Vec<String> = self
            .columns(line)
            .into_iter()
            .chain(names)
            .filter(|n| fits(n))
            .collect();
        own.sort();
        own.dedup();
        own.iter_mut().for_each(|n| *n = name(n));
        if typed.is_empty() {
            return (start, own);
        }
        let functions = expr::functions().iter().map(|f| f.name);
        let functions = functions.filter(|n| fits(n)).map(|n| format!("{n}("));
        // in the letters that were typed
        let small = typed.chars().all(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|k| fits(k)).map(|k| match small {
            true => k.to_lowercase(),
            false => k.to_string(),
        });
        own.extend(keywords.chain(functions));
        (start, own)
    }
}

/// A name as it must be written: in quotes where it is no plain word, or one of SQL.
fn name(n: &str) -> String {
    let plain = n.chars().all(is_word) && !n.starts_with(|c: char| c.is_numeric());
    match plain && !KEYWORDS.contains(&n.to_uppercase().as_str()) {
        true => n.to_string(),
        false => format!("\"{}\"", n.replace('"', "\"\"")),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The texts in quotes that stand in a line and are closed.
fn quoted(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for quote in ['\'', '"'] {
        let parts: Vec<&str> = line.split(quote).collect();
        let inner = parts.iter().skip(1).step_by(2);
        let closed = parts.len().saturating_sub(1) / 2;
        out.extend(inner.take(closed).map(|t| t.to_string()));
    }
    out.retain(|t| t.contains(['.', '/', '*']));
    out
}

/// Commands, or the files that some take.
fn command(before: &str) -> (usize, Vec<String>) {
    let from = before.len() - before.trim_start().len();
    let typed = &before[from..];
    match typed.rfind(char::is_whitespace) {
        None => {
            let all = commands::names().filter(|n| n.starts_with(typed));
            (from, all.map(str::to_string).collect())
        }
        Some(i) => {
            let start = from + i + 1;
            let takes_files = typed.starts_with(".read") || typed.starts_with(".table ");
            let found = if takes_files {
                files(&before[start..])
            } else {
                Vec::new()
            };
            (start, found)
        }
    }
}

/// Files whose path begins so; folders end with a slash.
fn files(typed: &str) -> Vec<String> {
    let (folder, name) = match typed.rfind('/') {
        Some(i) => typed.split_at(i + 1),
        None => ("", typed),
    };
    let list = std::fs::read_dir(Path::new(if folder.is_empty() { "." } else { folder }));
    let entries = list.into_iter().flatten().flatten().filter_map(|e| {
        let own = e.file_name().into_string().ok()?;
        let hidden = own.starts_with('.') && !name.starts_with('.');
        let slash = if e.path().is_dir() { "/" } else { "" };
        (own.starts_with(name) && !hidden).then(|| format!("{folder}{own}{slash}"))
    });
    let mut all: Vec<String> = entries.collect();
    all.sort();
    all
}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, offers) = self.offers(line, pos);
        let pair = |o: String| Pair {
            display: o.clone(),
            replacement: o,
        };
        Ok((start, offers.into_iter().map(pair).collect()))
    }
}

impl Validator for Helper {
    fn validate(&self, cx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match scan::is_complete(cx.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Helper {
    type Hint = String;
}

impl Highlighter for Helper {}

impl IsHelper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn offers(line: &str) -> (usize, Vec<String>) {
        let sql = Sql::new(Settings::default()).with_table("emp", "tests/sql/data/emp.csv");
        Helper::new(&sql).offers(line, line.len())
    }

    #[test]
    fn the_word_at_the_end_is_completed() {
        let (start, all) = offers("SELECT sal FROM emp WHERE na");
        assert_eq!((start, all.first().map(String::as_str)), (26, Some("name")));
        assert!(offers("SELECT * FROM em").1.contains(&"emp".to_string()));
        assert!(offers("SELEC").1.contains(&"SELECT".to_string()));
        assert!(offers("selec").1.contains(&"select".to_string()));
        assert!(offers("select uppe").1.contains(&"upper(".to_string()));
        let (_, columns) = offers("FROM 'tests/sql/data/dept.csv' SELECT ci");
        assert_eq!(columns.first().map(String::as_str), Some("city"));
        assert!(offers("SELECT é").1.is_empty());
        let quoted = ["plain", "group", "two words", "1st"].map(name);
        assert_eq!(quoted, ["plain", "\"group\"", "\"two words\"", "\"1st\""]);
    }

    #[test]
    fn quotes_hold_files_and_points_commands() {
        let (start, all) = offers("SELECT * FROM 'tests/sql/da");
        assert_eq!(
            (start, all.join(" ").as_str()),
            (15, "tests/sql/data/ tests/sql/dates.slt")
        );
        let (_, all) = offers("COPY x TO \"tests/sql/data/em");
        assert_eq!(all, ["tests/sql/data/emp.csv"]);
        assert_eq!(offers(".ti").1, [".timer"]);
        assert_eq!(offers(".read tests/sql/mak").1, ["tests/sql/make.py"]);
        assert!(offers("SELECT 'no such folder/x").1.is_empty());
    }
}
