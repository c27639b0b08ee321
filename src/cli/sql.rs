//! `ddf sql`: statements from the command line, from files or from standard input, one after the other.

use std::io::{IsTerminal, Read};
use std::path::Path;

use super::args::{InputArgs, OutputArgs, RunArgs, SqlArgs};
use super::signals::Signals;
use super::{draw, explain, output, query, schema, write_rows};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::source::{self, TypesOf};
use crate::sql::{Answer, Sql, Statement};
use crate::write::{Format, Target};

/// Runs all statements; the first that fails ends it.
pub fn run(args: &SqlArgs) -> Result<()> {
    let texts = texts(args)?;
    let signals = Signals::of_process();
    let mut sql = open(&args.tables, &args.read, &args.run, Some(&signals))?;
    let mut statements = Vec::new();
    for text in texts {
        statements.extend(sql.statements(&text)?);
    }
    if statements.is_empty() {
        return Err(Error::usage("no statement").help("as in: ddf sql \"SELECT count(*) FROM 'data/*.csv'\""));
    }
    if statements.len() > 1 && args.write.output.is_some() {
        return Err(Error::usage("--output with several statements")
            .help("COPY (SELECT …) TO 'file' writes the rows of one statement"));
    }
    if statements.len() > 1 {
        sql = sql.for_several_statements();
    }
    for (i, s) in statements.iter().enumerate() {
        let turn = match i + 1 == statements.len() {
            true => Turn::Last,
            false => Turn::OneOfMany,
        };
        sql = run_one(sql, (s, turn), &args.write, &args.run, &signals)?;
    }
    Ok(())
}

/// SQL over the tables that were named with `-t`. What it runs while it plans, the steps of recursive queries,
/// is stopped by `signals`.
pub(super) fn open(
    tables: &[String],
    read: &InputArgs,
    run: &RunArgs,
    signals: Option<&Signals>,
) -> Result<Sql> {
    let mut settings = query::settings(run)?;
    settings.cancel = signals.map(Signals::stops);
    let mut options = query::read_options(read)?;
    options.types_of = TypesOf::AnyTable;
    let mut sql = Sql::new(settings).with_options(options);
    for t in tables {
        let (name, files) = t.split_once('=').ok_or_else(|| {
            Error::usage(format!("-t {t:?} is not NAME=FILES")).help("as in -t flights='data/*.csv'")
        })?;
        sql = sql.with_table(name.trim(), files);
    }
    Ok(sql)
}

/// Whether others follow that may ask for the same tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    OneOfMany,
    Last,
}

impl Turn {
    fn of(self, frame: Frame) -> Frame {
        match self {
            Turn::OneOfMany => frame,
            Turn::Last => frame.run_once(),
        }
    }
}

/// Runs one statement; what it defines is there for the next.
pub(super) fn run_one(
    sql: Sql,
    (statement, turn): (&Statement, Turn),
    write: &OutputArgs,
    run: &RunArgs,
    signals: &Signals,
) -> Result<Sql> {
    match sql.plan(statement).map_err(|e| signals.or(e))? {
        Answer::Rows(frame) => {
            let frame = query::only_partition(run, frame)?;
            let frame = turn.of(frame);
            draw(write, &frame)?;
            write_rows((write, run), &frame, output::choose(write, run.color)?, signals)?;
        }
        Answer::Explain(frame) => {
            let frame = query::only_partition(run, frame)?;
            draw(write, &frame)?;
            explain::plan(write, &frame)?;
        }
        Answer::Analyze(frame) => {
            let frame = query::only_partition(run, frame)?;
            explain::analyze((write, run), &turn.of(frame), signals)?;
        }
        Answer::View(view) => return Ok(sql.with_view(view)),
        Answer::Describe(frame) => schema(write, &frame)?,
        Answer::Copy(frame, path, format) => {
            let frame = query::only_partition(run, frame)?;
            let format = match format.or_else(|| Format::from_path(&path)) {
                Some(f) => f,
                None => {
                    let what = format!("cannot tell a format from the name {}", path.display());
                    return Err(Error::query(what).help("COPY (…) TO 'file' (FORMAT csv)"));
                }
            };
            let (_, _, options) = output::choose(write, run.color)?;
            write_rows(
                (write, run),
                &turn.of(frame),
                (Target::File(path), format, options),
                signals,
            )?;
        }
    }
    Ok(sql)
}

fn texts(args: &SqlArgs) -> Result<Vec<String>> {
    // of a text that begins with a comment, the space that tells it from a flag ([`super::args::joined`])
    let typed = |t: &String| {
        t.strip_prefix(' ')
            .filter(|t| t.starts_with("--"))
            .unwrap_or(t)
            .to_string()
    };
    let mut out: Vec<String> = args.text.iter().chain(&args.commands).map(typed).collect();
    for path in &args.file {
        out.push(read(path)?);
    }
    if out.is_empty() && !std::io::stdin().is_terminal() {
        out.push(read(Path::new("-"))?);
    }
    Ok(out)
}

pub(super) fn read(path: &Path) -> Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e));
    }
    source::stdin_has_statements();
    let mut text = String::new();
    let from = Path::new("standard input");
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::io("read", from, &e))?;
    Ok(text)
}
