//! `--graph FILE` and `ddf graph`: the stages of a query as a picture, as text or as JSON, as they are
//! planned or coloured by what a run of them took.

use std::path::Path;

use clap::ArgMatches;

use super::args::{ColorBy, GraphArgs};
use super::signals::Signals;
use super::{explain, print, watched};
use crate::error::{Error, Result};
use crate::graph::{Graph, Measure, Picture, dot, plain, svg};
use crate::observe::Model;
use crate::write::{can_write, write_whole};

/// What can be drawn.
#[derive(Clone, Copy)]
enum Kind {
    Svg,
    Dot,
    Json,
    Text,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        match name {
            "svg" => Some(Kind::Svg),
            "dot" => Some(Kind::Dot),
            "json" => Some(Kind::Json),
            "txt" | "text" => Some(Kind::Text),
            _ => None,
        }
    }

    fn of_file(path: &Path) -> Result<Kind> {
        let extension = path.extension().and_then(|e| e.to_str());
        extension.and_then(Kind::of).ok_or_else(|| {
            Error::usage(format!("cannot draw a graph into {}", path.display()))
                .help("end the name in .svg, .dot, .json or .txt")
        })
    }

    fn draw(self, p: &Picture) -> String {
        match self {
            Kind::Svg => svg(p),
            Kind::Dot => dot(p),
            Kind::Json => p.json(),
            Kind::Text => plain(p),
        }
    }
}

/// Draws what the flags or the statement ask for.
pub fn run(args: &GraphArgs, matches: &ArgMatches) -> Result<()> {
    let (write, run) = (&args.query.write, &args.query.run);
    let file = (write.output.as_deref().or(write.graph.as_deref())).filter(|p| *p != Path::new("-"));
    let kind = match (write.format.as_deref(), write.json, file) {
        (Some(name), ..) => Kind::of(name).ok_or_else(|| {
            Error::usage(format!("cannot draw a graph as {name:?}")).help("--format is svg, dot, json or txt")
        })?,
        (None, true, _) => Kind::Json,
        (None, false, Some(path)) => Kind::of_file(path)?,
        (None, false, None) => Kind::Text,
    };
    if let Some(path) = file {
        can_write(path)?;
    }
    let frame = explain::frame(&args.query, &args.statement, matches)?;
    let picture = match write.color_by.or(run.color.by()) {
        None => Picture::of_plan(&frame.graph()?),
        Some(by) => {
            let (_, model) = watched(run, true, &Signals::of_process(), |watch| frame.dry_run(watch))?;
            let model = model.ok_or_else(|| Error::defect("a recording went astray"))?;
            Picture::of_run(&model, by.into())
        }
    };
    let text = kind.draw(&picture);
    match file {
        Some(path) => write_whole(path, |write| write(text.as_bytes())),
        None => print(&text),
    }
}

/// Whether a graph can be drawn into a file of that name.
pub fn check(path: &Path) -> Result<()> {
    Kind::of_file(path)?;
    can_write(path)
}

/// Draws stages as they are planned.
pub fn draw_plan(g: &Graph, path: &Path) -> Result<()> {
    let text = Kind::of_file(path)?.draw(&Picture::of_plan(g));
    write_whole(path, |write| write(text.as_bytes()))
}

/// Stages as they are planned, as JSON.
pub fn plan_json(g: &Graph) -> String {
    Picture::of_plan(g).json()
}

/// Draws the stages of a run, coloured by what it took.
pub fn draw_run(model: &Model, by: ColorBy, path: &Path) -> Result<()> {
    let text = Kind::of_file(path)?.draw(&Picture::of_run(model, by.into()));
    write_whole(path, |write| write(text.as_bytes()))
}

impl From<ColorBy> for Measure {
    fn from(by: ColorBy) -> Measure {
        match by {
            ColorBy::Time => Measure::Time,
            ColorBy::Memory => Measure::Memory,
            ColorBy::Rows => Measure::Rows,
            ColorBy::Spill => Measure::Spill,
        }
    }
}
