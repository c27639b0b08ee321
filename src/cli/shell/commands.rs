//! The commands of the shell that are no SQL; they begin with a point.

use std::path::Path;

use super::{Next, Shell};
use crate::cli::{print, sql};
use crate::error::{Error, Result, did_you_mean};
use crate::kernel::width::name_of;
use crate::sql::Sql;
use crate::write::Format;

/// Files that `.read` may name within one another.
const MAX_READING: usize = 16;

const COMMANDS: [(&str, &str, &str); 9] = [
    (".help", "", "Show this list"),
    (
        ".mode",
        "FORMAT",
        "Print rows as table, csv, tsv, json, jsonl, markdown or html",
    ),
    (".quit", "", "Leave the shell, as Ctrl-D does"),
    (".exit", "", "The same"),
    (".read", "FILE", "Run the statements and commands of a file"),
    (
        ".schema",
        "[NAME]",
        "Show the columns of a table, or of all tables",
    ),
    (".table", "NAME FILES", "Give files a name, as -t NAME=FILES does"),
    (".tables", "", "List the named tables and views"),
    (".timer", "on|off", "Tell how long each statement took"),
];

/// The names of all commands, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(n, ..)| *n)
}

impl Shell<'_> {
    /// Runs what was typed behind the point.
    pub(super) fn command(&mut self, text: &str) -> Result<Next> {
        let text = text.trim_end().trim_end_matches(';').trim_end();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match name {
            "quit" | "exit" | "q" => return Ok(Next::Leave),
            "help" => help()?,
            "mode" => self.mode(rest)?,
            "timer" => {
                self.timer = match rest {
                    "on" => true,
                    "off" => false,
                    _ => return Err(Error::usage(".timer is on or off")),
                }
            }
            "tables" => {
                let names: String = self.sql.names().iter().map(|n| format!("{n}\n")).collect();
                print(&names)?;
            }
            "table" => {
                let (name, files) = rest.split_once(char::is_whitespace).ok_or_else(|| {
                    Error::usage(".table takes a name and files").help(".table flights data/*.csv")
                })?;
                let files = unquoted(files.trim());
                self.sql = self.sql.clone().with_table(name, files);
            }
            "schema" => self.schema(unquoted(rest))?,
            "read" if rest.is_empty() => return Err(Error::usage(".read takes a file")),
            "read" => return self.read(Path::new(unquoted(rest))),
            _ => {
                let known = COMMANDS.iter().map(|(n, ..)| &n[1..]);
                let e = Error::usage(format!("no command .{name}"));
                return Err(match did_you_mean(name, known) {
                    Some(near) => e.help(format!("did you mean .{near}?")),
                    None => e.help(".help lists all commands"),
                });
            }
        }
        Ok(Next::Go)
    }

    fn mode(&mut self, name: &str) -> Result<()> {
        let format = Format::from_name(match name {
            "markdown" => "md",
            "ndjson" => "jsonl",
            other => other,
        })?;
        if format.is_binary() {
            return Err(
                Error::usage(format!("{} would garble the terminal", format.name()))
                    .help("COPY (SELECT …) TO 'file' writes it"),
            );
        }
        self.write.format = Some(format.name().to_string());
        Ok(())
    }

    fn schema(&self, name: &str) -> Result<()> {
        let names: Vec<&str> = match name {
            "" => self.sql.names(),
            one => vec![one],
        };
        let mut out = String::new();
        for n in names {
            if name.is_empty() {
                out += &format!("{n}\n");
            }
            let columns = columns(&self.sql, n)?;
            let width = columns.iter().map(|(c, _)| c.chars().count()).max().unwrap_or(0);
            let indent = if name.is_empty() { "  " } else { "" };
            for (c, ty) in columns {
                out += &format!("{indent}{c:width$}  {ty}\n");
            }
        }
        print(&out)
    }

    fn read(&mut self, path: &Path) -> Result<Next> {
        if self.reading == MAX_READING {
            return Err(Error::usage(format!(
                "files read files {MAX_READING} deep: one may read itself"
            )));
        }
        let text = sql::read(path)?;
        self.reading += 1;
        let next = self.lines(text.as_bytes(), &path.display().to_string());
        self.reading -= 1;
        next
    }
}

/// Names and types of the columns of a table, a view, or files.
pub(super) fn columns(sql: &Sql, table: &str) -> Result<Vec<(String, String)>> {
    let name = table.replace('"', "\"\"");
    let frame = sql.query(&format!("SELECT * FROM \"{name}\""))?;
    let schema = frame.schema()?;
    let each = schema.fields().iter();
    Ok(each.map(|f| (f.name().clone(), name_of(f))).collect())
}

fn help() -> Result<()> {
    let head = |n: &str, a: &str| format!("{n} {a}").trim_end().to_string();
    let line = |(n, a, what): &(&str, &str, &str)| format!("{:20} {what}\n", head(n, a));
    let mut out: String = COMMANDS.iter().map(line).collect();
    out += "\nStatements end with ; and may have several lines. FROM 'data/*.csv' names files.\n";
    out += "CREATE VIEW name AS SELECT … names a query. Ctrl-C stops what runs, Ctrl-D leaves.\n";
    print(&out)
}

fn unquoted(text: &str) -> &str {
    let inner = |q| text.strip_prefix(q).and_then(|t: &str| t.strip_suffix(q));
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}
