//! The command line: flags become a frame, its rows go where they should, errors become an exit
//! status.
//!
//! ```text
//!   args.rs  what can be typed        output.rs   where rows go, in which format
//!   query.rs flags ► frame            progress.rs the bar on stderr
//!   select.rs the little language of --select     messages.rs errors and warnings
//!   record.rs --profile                           graphs.rs   --graph and ddf graph
//!   explain.rs plans, and what runs took
//! ```
//!
//! Only results go to standard output; everything else goes to standard error.

mod again;
mod args;
mod dashboard;
mod explain;
mod graphs;
mod join;
mod messages;
mod output;
mod progress;
mod query;
mod record;
mod select;
mod shell;
mod signals;
mod sizes;
mod sql;
mod task;

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::error::{Error, Result};
use crate::frame::{Frame, Report};
use crate::kernel::raw::allocator;
use crate::observe::Model;
use crate::pipeline::RunContext;
use crate::write::{Format, Target, WriteOptions};
use args::{Cli, Command, ErrorsAs, OutputArgs, QueryArgs, RunArgs, When};
use progress::Show;
use record::Recording;
use signals::Signals;

/// Runs the program with the process's arguments, and ends the process.
pub fn main() -> ! {
    allocator::leave(obey())
}

/// Does what the process's arguments say; answers the exit status.
fn obey() -> u8 {
    let words = args::joined(std::env::args_os());
    let parsed = Cli::command()
        .try_get_matches_from(&words)
        .and_then(|m| Ok((Cli::from_arg_matches(&m)?, m)));
    let (cli, matches) = match parsed {
        Ok(both) => both,
        Err(e) => {
            match e.use_stderr() && messages::asks_for_json(&words) {
                true => messages::print_error(&messages::of_usage(&e), true),
                false => drop(e.print()),
            }
            return e.exit_code() as u8;
        }
    };
    let json = matches!(run_args(&cli.command).map(|a| a.errors), Some(ErrorsAs::Json));
    let sub = matches.subcommand().map(|(_, m)| m);
    let ran = AssertUnwindSafe(|| match &cli.command {
        Command::Shell(args) => shell::run(args),
        other => run(other, sub.unwrap_or(&matches)).map(|()| 0),
    });
    let ran = catch_unwind(ran).unwrap_or_else(|_| Err(Error::defect("ddf failed in a way it should not")));
    if let Err(e) = &ran {
        messages::print_error(e, json);
    }
    dashboard::finish(ran.as_ref().err());
    ran.unwrap_or_else(|e| e.exit_status())
}

fn run_args(command: &Command) -> Option<&RunArgs> {
    match command {
        Command::Query(a) | Command::Join(a) | Command::Head(a) | Command::Count(a) | Command::Schema(a) => {
            Some(&a.run)
        }
        Command::Plan(a) => Some(&a.query.run),
        Command::Explain(a) => Some(&a.query.run),
        Command::Graph(a) => Some(&a.query.run),
        Command::Sql(a) => Some(&a.run),
        Command::Shell(a) => Some(&a.run),
        _ => None,
    }
}

fn run(command: &Command, matches: &ArgMatches) -> Result<()> {
    check_flags(command)?;
    match command {
        Command::Query(args) => ask(args, query::frame(args, matches)?),
        Command::Sql(args) => sql::run(args),
        Command::Shell(args) => shell::run(args).map(drop),
        Command::Join(args) => ask(args, query::join_frame(args, matches)?),
        Command::Head(args) => {
            let f = query::frame(args, matches)?;
            ask(
                args,
                if args.ask.limit.is_some() {
                    f
                } else {
                    f.limit(args.ask.offset, Some(10))?
                },
            )
        }
        Command::Count(args) => ask(args, query::frame(args, matches)?.agg(["count = count(*)"])?),
        Command::Schema(args) => schema(&args.write, &query::frame(args, matches)?),
        Command::Explain(args) => explain::run(args, matches),
        Command::Graph(args) => graphs::run(args, matches),
        Command::Plan(args) => {
            let f = query::frame(&args.query, matches)?;
            let args::Emit::Taskgraph = args.emit;
            print(&(serde_json::to_string_pretty(&f.graph()?.to_json()).unwrap_or_default() + "\n"))
        }
        Command::Functions { pattern } => functions(pattern.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "ddf", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Task => task::run(),
    }
}

/// What colours tell, and where they are drawn (only `ddf graph` draws without `--graph`); and that rejected rows
/// and the result do not go to one file.
fn check_flags(command: &Command) -> Result<()> {
    let (write, run) = match command {
        Command::Query(a) | Command::Join(a) | Command::Head(a) | Command::Count(a) | Command::Schema(a) => {
            query::check_reject(&a.read, &a.write)?;
            (&a.write, &a.run)
        }
        Command::Plan(a) => (&a.query.write, &a.query.run),
        Command::Explain(a) => (&a.query.write, &a.query.run),
        Command::Sql(a) => {
            query::check_reject(&a.read, &a.write)?;
            (&a.write, &a.run)
        }
        Command::Shell(a) => (&a.write, &a.run),
        _ => return Ok(()),
    };
    if run.color.by().is_some() {
        let e = Error::usage("--color is auto, always or never");
        return Err(e.help("--graph FILE --color-by time colours the stages by what the run took"));
    }
    match (write.color_by, &write.graph) {
        (Some(_), None) => Err(Error::usage("--color-by colours a graph").help("add --graph FILE")),
        _ => Ok(()),
    }
}

/// Runs a query and sends its rows where the flags say.
fn ask(args: &QueryArgs, frame: Frame) -> Result<()> {
    answer(&args.write, &args.run, frame)
}

/// Runs a frame and sends its rows where the flags say.
fn answer(write: &OutputArgs, run: &RunArgs, frame: Frame) -> Result<()> {
    draw(write, &frame)?;
    let chosen = output::choose(write, run.color)?;
    write_rows((write, run), &frame.run_once(), chosen, &Signals::of_process())
}

fn write_rows(
    (write, run): (&OutputArgs, &RunArgs),
    frame: &Frame,
    chosen: (Target, Format, WriteOptions),
    signals: &Signals,
) -> Result<()> {
    let (target, format, options) = chosen;
    // rows that stream into the terminal leave no room for a bar
    let streams =
        matches!(target, Target::Stdout) && format != Format::Table && std::io::stdout().is_terminal();
    let mut run = run.clone();
    if streams && run.progress == When::Auto {
        run.progress = When::Never;
    }
    let run = &run;
    let colored = write.graph.as_ref().zip(write.color_by);
    let (report, model) = watched(run, colored.is_some(), signals, |watch| {
        frame.write_to(target, format, &options, watch)
    })?;
    if let (Some((path, by)), Some(model)) = (colored, model) {
        graphs::draw_run(&model, by, path)?;
    }
    if run.stats {
        print_stats(&report);
    }
    Ok(())
}

/// What lets a run be watched: it gets the run's context as it starts.
type Watcher<'a> = &'a mut dyn FnMut(&Arc<RunContext>);

/// Runs something with a bar, stopped by signals, and prints its warnings. What it was is recorded if a
/// flag asks for it, or `record` is set.
fn watched(
    run: &RunArgs,
    record: bool,
    signals: &Signals,
    go: impl FnOnce(Watcher) -> Result<Report>,
) -> Result<(Report, Option<Model>)> {
    let recording = Recording::start(run, record)?;
    let (mut bar, mut cancelling, kept) = (None, None, signals.kept());
    let outcome = go(&mut |cx| {
        drop(bar.take());
        if let Some(recording) = &recording {
            recording.watch(cx);
        }
        if let Some(show) = wanted_progress(run) {
            bar = Some(progress::Bar::start(cx, show));
        }
        cancelling = Some(signals.cancel(cx));
    });
    drop((bar, cancelling, kept));
    let model = recording.map(|r| r.end(run, outcome.as_ref()));
    let report = outcome.map_err(|e| signals.or(e))?;
    if !run.quiet {
        messages::print_warnings(&report.warnings, run.errors == ErrorsAs::Json);
    }
    Ok((report, model.transpose()?))
}

fn wanted_progress(run: &RunArgs) -> Option<Show> {
    let terminal = std::io::stderr().is_terminal();
    match run.progress {
        When::Always if terminal => Some(Show::AtOnce),
        When::Always => Some(Show::Lines),
        When::Auto if terminal && !run.quiet => Some(Show::Soon),
        When::Auto | When::Never => None,
    }
}

fn print_stats(r: &Report) {
    let text = format!(
        "rows {}  read {} rows, {}  tasks {}  time {:.3} s  peak reserved {}  peak resident {}  spilled {}\n",
        r.rows,
        r.rows_read,
        sizes::show(r.bytes_read),
        r.tasks,
        r.elapsed.as_secs_f64(),
        sizes::show(r.peak_reserved as u64),
        sizes::show(peak_resident()),
        sizes::show(r.bytes_spilled),
    );
    let text = match r.retries {
        0 => text,
        n => format!("{}  reads tried again {n}\n", text.trim_end()),
    };
    let text = match r.streamed {
        false => text,
        true => format!("{}  input read as it came\n", text.trim_end()),
    };
    let text = match r.bytes_copied {
        0 => text,
        n => format!("{}  input copied to disk {}\n", text.trim_end(), sizes::show(n)),
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The most memory the process was seen with by the system, in bytes.
fn peak_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Draws the plan of a query, where it is not drawn after the run.
fn draw(write: &OutputArgs, frame: &Frame) -> Result<()> {
    match (&write.graph, write.color_by) {
        (Some(path), None) => graphs::draw_plan(&frame.graph()?, path),
        (Some(path), Some(_)) => graphs::check(path),
        (None, _) => Ok(()),
    }
}

fn schema(write: &OutputArgs, frame: &Frame) -> Result<()> {
    let schema = frame.schema()?;
    let rows = schema
        .fields()
        .iter()
        .map(|f| (f.name().as_str(), crate::kernel::width::name_of(f)));
    if write.json {
        let list: Vec<_> = rows
            .map(|(n, t)| serde_json::json!({"name": n, "type": t}))
            .collect();
        return print(&(serde_json::Value::from(list).to_string() + "\n"));
    }
    let width = schema
        .fields()
        .iter()
        .map(|f| f.name().chars().count())
        .max()
        .unwrap_or(0);
    print(
        &rows
            .map(|(n, t)| format!("{n:width$}  {t}\n"))
            .collect::<String>(),
    )
}

fn functions(pattern: Option<&str>) -> Result<()> {
    let wanted = pattern.unwrap_or("").to_lowercase();
    let mut out = String::new();
    for (heading, list) in crate::expr::listing() {
        let lines = list.iter().map(|l| format!("{l}\n"));
        let lines: String = lines.filter(|l| l.to_lowercase().contains(&wanted)).collect();
        if lines.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        if heading != "Functions" {
            let rows = crate::expr::EXAMPLE_ROWS.map(|(x, y)| match x {
                Some(x) => format!("({x}, {y})"),
                None => format!("(NULL, {y})"),
            });
            out += &format!("{heading}, over the rows (x, y) = {}:\n", rows.join(", "));
        }
        out += &lines;
    }
    print(&out)
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("write", std::path::Path::new("standard output"), &e))
}
