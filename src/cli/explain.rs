//! `ddf explain`: what a query is going to do, and with `--analyze` what it did.

use clap::ArgMatches;

use super::args::{ExplainArgs, OutputArgs, QueryArgs, RunArgs, StatementArgs};
use super::signals::Signals;
use super::{draw, graphs, print, query, sql, watched};
use crate::error::{Error, Result};
use crate::frame::{Analysis, Frame};
use crate::sql::Answer;

/// Explains what the flags or the statement ask for.
pub fn run(args: &ExplainArgs, matches: &ArgMatches) -> Result<()> {
    let frame = frame(&args.query, &args.statement, matches)?;
    let (write, run) = (&args.query.write, &args.query.run);
    if args.pressure {
        draw(write, &frame)?;
        let pressure = frame.pressure()?;
        return print(&if is_json(write)? {
            pressure.json()
        } else {
            pressure.text()
        });
    }
    match args.analyze {
        true => analyze((write, run), &frame.run_once(), &Signals::of_process()),
        false => plan(write, &frame),
    }
}

/// The frame of a question by flags, or of a statement.
pub(super) fn frame(args: &QueryArgs, statement: &StatementArgs, matches: &ArgMatches) -> Result<Frame> {
    let Some(text) = &statement.sql else {
        return query::frame(args, matches);
    };
    let mut sql = sql::open(&statement.tables, &args.read, &args.run, None)?;
    let mut found = None;
    for s in sql.statements(text)? {
        match sql.plan(&s)? {
            Answer::View(view) => sql = sql.with_view(view),
            Answer::Rows(f) | Answer::Explain(f) | Answer::Analyze(f) | Answer::Copy(f, ..) => {
                if found.replace(f).is_some() {
                    return Err(Error::usage("--sql takes one query"));
                }
            }
            Answer::Describe(_) => return Err(Error::usage("DESCRIBE has no plan")),
        }
    }
    let found = found.ok_or_else(|| Error::usage("--sql has no query"))?;
    query::only_partition(&args.run, found)
}

/// Prints the plan, optimised, and its stages; as JSON the graph of stages.
pub fn plan(write: &OutputArgs, frame: &Frame) -> Result<()> {
    draw(write, frame)?;
    match is_json(write)? {
        true => print(&graphs::plan_json(&frame.graph()?)),
        false => print(&frame.explain()?),
    }
}

/// Runs it and prints what every operator took; as JSON the whole model of the run.
pub fn analyze((write, run): (&OutputArgs, &RunArgs), frame: &Frame, signals: &Signals) -> Result<()> {
    let json = is_json(write)?;
    draw(write, frame)?;
    let (report, model) = watched(run, true, signals, |watch| frame.dry_run(watch))?;
    let model = model.ok_or_else(|| Error::defect("a recording went astray"))?;
    if let (Some(path), Some(by)) = (&write.graph, write.color_by) {
        graphs::draw_run(&model, by, path)?;
    }
    let analysis = Analysis { report, model };
    print(&if json { analysis.json() } else { analysis.text() })
}

/// Whether it is to be JSON; text is the other way there is.
fn is_json(write: &OutputArgs) -> Result<bool> {
    match write.format.as_deref() {
        None => Ok(write.json),
        Some("json") => Ok(true),
        Some("text" | "table") => Ok(false),
        Some(other) => {
            Err(Error::usage(format!("cannot explain as {other:?}")).help("--format is text or json"))
        }
    }
}
