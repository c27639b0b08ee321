//! `ddf __task`: one task of a task graph in a process of its own.
//!
//! ```text
//!   stdin   {"graph": …, "stage": 1, "task": 0, "inputs": ["p0", "p1"]}      stdout  the task's partition
//!           {"graph": …, "stage": 1, "inputs": […]}                          stdout  {"tasks": 4}
//!           {"graph": …, "inputs": [partitions of the last stage, in order]} stdout  the result as CSV
//! ```
//!
//! `graph` is what `ddf plan --emit taskgraph` prints; inputs are files with what earlier tasks
//! printed, those of the stage's input stages in order of their tasks; `builds` maps the stages that
//! are build sides of its joins to files of the same kind.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::frame::{Settings, write_aside};
use crate::graph::{Graph, KeySets, StageInputs};
use crate::pipeline::wire::{read_partition, write_partition};
use crate::pipeline::{Partition, RunContext};
use crate::schedule;
use crate::write::{Format, Output, Target, WriteOptions};

#[derive(Deserialize)]
struct Request {
    graph: serde_json::Value,
    stage: Option<usize>,
    task: Option<usize>,
    #[serde(default)]
    inputs: Vec<PathBuf>,
    /// The partitions of build sides, by stage.
    #[serde(default)]
    builds: HashMap<usize, Vec<PathBuf>>,
    #[serde(default)]
    threads: usize,
    #[serde(default)]
    memory: usize,
}

/// Runs what standard input describes.
pub fn run() -> Result<()> {
    let mut text = String::new();
    let stdin = Path::new("standard input");
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::io("read", stdin, &e))?;
    let request: Request = serde_json::from_str(&text)
        .map_err(|e| Error::usage(format!("standard input describes no task: {e}")))?;
    let graph = Graph::from_json(&request.graph)?;
    let settings = Settings {
        threads: request.threads,
        memory: request.memory,
        ..Settings::default()
    };
    settings.check()?;
    let cx = settings.context();
    let partitions = read_all(&request.inputs, &cx)?;
    let Some(stage) = request.stage else {
        return finish(&graph, &partitions, &cx);
    };
    let stage = graph
        .stages
        .get(stage)
        .ok_or_else(|| Error::usage(format!("the graph has no stage {stage}")))?;
    let mut builds = HashMap::new();
    for (stage, paths) in &request.builds {
        builds.insert(*stage, read_all(paths, &cx)?);
    }
    // the files of all input stages stand in one list, in order
    let (sides, mut partitions) = (stage.builds(), Some(partitions));
    let mut left = |i: usize| match sides.contains(&i) {
        true => builds.remove(&i).unwrap_or_default(),
        false => partitions.take().unwrap_or_default(),
    };
    let inputs = StageInputs::plan(&graph, stage, &mut left, &KeySets::default(), &cx)?;
    let mut out = std::io::stdout().lock();
    let sent = |r: std::io::Result<()>| r.map_err(|e| Error::io("write", Path::new("standard output"), &e));
    match request.task {
        None => sent(writeln!(
            out,
            "{}",
            serde_json::json!({"tasks": inputs.tasks.len()})
        ))?,
        Some(part) if part < inputs.tasks.len() => {
            let partition = schedule::run_task(&graph, stage, &inputs, part, &cx)?;
            write_partition(&partition, &mut out)?;
        }
        Some(part) => return Err(Error::usage(format!("the stage has no task {part}"))),
    }
    sent(out.flush())
}

fn read_all(paths: &[PathBuf], cx: &RunContext) -> Result<Vec<Arc<Partition>>> {
    let read = |p: &PathBuf| {
        let file = File::open(p).map_err(|e| Error::io("read", p, &e))?;
        Ok(Arc::new(read_partition(BufReader::new(file), &cx.spill)?))
    };
    paths.iter().map(read).collect()
}

/// Writes the rows of the last stage's partitions, with the query's own skip and take.
fn finish(graph: &Graph, partitions: &[Arc<Partition>], cx: &Arc<RunContext>) -> Result<()> {
    let output = Output::create(
        Target::Stdout,
        Format::Csv,
        &graph.schema(),
        &WriteOptions::default(),
    )?;
    let output = schedule::write_partitions(graph, partitions, output, cx)?;
    write_aside(&graph.tables, cx)?;
    output.finish()?;
    Ok(())
}
