//! How much memory a graph holds at most, stage after stage, before it runs.
//!
//! ```text
//!   stage 0  scan ► aggregate     2 threads × (a block + batches)    always
//!                                 groups                             up to the limit, then on disk
//!   stage 1  merge ► sort         what stage 0 left, rows            up to the limit, then on disk
//! ```
//!
//! Nothing here counts partitions: a task holds a block, there are as many tasks at once as threads, and
//! whatever follows the data has a limit beyond which it lies on disk.

use serde::Serialize;

use super::describe::stage_name;
use super::{Graph, Stage, StageSink, StageSource, StageTransform};
use crate::kernel::{Batch, row_bytes};
use crate::pipeline::batch_bytes;

/// Indexes of joins may fill this part of the limit before their build sides go to disk.
const JOIN_EIGHTHS: u64 = 6;
/// What is kept between stages may fill this part.
const KEPT_SHARE: u64 = 2;
/// What waits to be written may fill this part, or so many bytes if that is more.
const WAITING_SHARE: u64 = 16;
const WAITING_BYTES: u64 = 2 << 20;
/// A merge of sorted runs holds a block of each run that it reads.
const MERGE_BYTES: u64 = 8 << 20;

/// Something that a stage holds while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What it is.
    pub what: String,
    /// Its bytes: exactly so many or fewer, estimated from types and blocks.
    pub bytes: u64,
    /// Whether it grows with the data, up to `bytes`, and lies on disk beyond.
    pub grows: bool,
}

/// What a stage holds at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StagePressure {
    /// Its number.
    pub stage: usize,
    /// In short.
    pub name: String,
    /// What is held while it runs.
    pub held: Vec<Held>,
    /// The stages before it whose rows are still held then, by itself or for later ones.
    pub before: Vec<usize>,
}

/// What a graph holds at most over its run, in the order in which its stages run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pressure {
    /// Worker threads.
    pub threads: usize,
    /// The memory limit in bytes.
    pub limit: u64,
    /// The stages, in the order in which they run.
    pub stages: Vec<StagePressure>,
}

impl StagePressure {
    /// Bytes that are held whatever the data are.
    pub fn fixed(&self) -> u64 {
        self.held.iter().filter(|h| !h.grows).map(|h| h.bytes).sum()
    }

    /// The most bytes that are held at once under a limit, which what grows keeps to.
    pub fn most(&self, limit: u64) -> u64 {
        let grows: u64 = self.held.iter().filter(|h| h.grows).map(|h| h.bytes).sum();
        let before = if self.before.is_empty() { 0 } else { limit };
        self.fixed().max((self.fixed() + grows + before).min(limit))
    }
}

impl Pressure {
    /// The most bytes that are held at once.
    pub fn most(&self) -> u64 {
        self.stages.iter().map(|s| s.most(self.limit)).max().unwrap_or(0)
    }

    /// As JSON: these fields.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As text, for people.
    pub fn text(&self) -> String {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        let mut out = format!("{} {threads}, memory limit {}\n", self.threads, size(self.limit));
        for s in &self.stages {
            out += &format!("stage {}  {}\n", s.stage, s.name);
            for h in &s.held {
                let bytes = match h.grows {
                    false => size(h.bytes),
                    true => format!("up to {}, then on disk", size(h.bytes)),
                };
                out += &format!("  {}: {bytes}\n", h.what);
            }
            if !s.before.is_empty() {
                let all: Vec<String> = s.before.iter().map(usize::to_string).collect();
                let stages = if all.len() == 1 { "stage" } else { "stages" };
                out += &format!(
                    "  rows of {stages} {}: within the limit, else on disk\n",
                    all.join(", ")
                );
            }
            let (fixed, most) = (s.fixed(), s.most(self.limit));
            out += &match fixed == most {
                true => format!("  at once: {}\n", size(most)),
                false => format!("  at once: {} to {}\n", size(fixed), size(most)),
            };
        }
        out + &format!("at most: {}\n", size(self.most()))
    }
}

impl Graph {
    /// What the graph holds at most with so many threads under a memory limit.
    pub fn pressure(&self, threads: usize, limit: u64) -> Pressure {
        let order = self.run_order();
        let stages = order.iter().enumerate().map(|(at, &id)| {
            let stage = &self.stages[id];
            let later = |s: usize| order[at..].iter().any(|&t| self.stages[t].reads(s));
            let results = |s: usize| self.results.iter().any(|r| r.stage == s);
            let leaves = |s: usize| !matches!(self.stages[s].sink, StageSink::Branches);
            let before = order[..at].iter().copied();
            StagePressure {
                stage: id,
                name: stage_name(self, stage),
                held: self.held(stage, threads as u64, limit),
                before: before
                    .filter(|&s| leaves(s) && (later(s) || results(s)))
                    .collect(),
            }
        });
        Pressure {
            threads,
            limit,
            stages: stages.collect(),
        }
    }

    fn held(&self, stage: &Stage, threads: u64, limit: u64) -> Vec<Held> {
        let mut out = Vec::new();
        let fixed = |what: String, bytes: u64| Held {
            what,
            bytes,
            grows: false,
        };
        let grows = |what: &str, bytes: u64| Held {
            what: what.to_string(),
            bytes,
            grows: true,
        };
        match &stage.source {
            StageSource::Scan { table, columns, .. } => {
                let block = self.tables[*table].dataset.block_bytes(columns);
                out.push(fixed(
                    format!("{threads} × a block of {}", size(block)),
                    threads * block,
                ));
            }
            StageSource::AggregateBuckets { .. } => out.push(grows("groups that are merged", limit)),
            StageSource::SortedRuns { spec, .. } if spec.loose => {}
            StageSource::SortedRuns { .. } => {
                let bytes = threads * MERGE_BYTES.min(limit / threads.max(1) / 4);
                out.push(fixed(
                    format!("{threads} × blocks of the runs that are merged"),
                    bytes,
                ));
            }
            StageSource::JoinBuckets { .. } => out.push(grows("a bucket for each thread", limit)),
            StageSource::Concat { .. } | StageSource::Gather { .. } | StageSource::Branch { .. } => {}
        }
        let row = row_bytes(&stage.source_schema).max(row_bytes(&stage.schema));
        let most = batch_bytes(limit as usize, threads as usize);
        let rows = (Batch::TARGET_ROWS * row).min(most.max(row)) as u64;
        // one on its way through each operator at most
        let batches = threads * (stage.transforms.len() as u64 + 1);
        let bytes = batches * rows;
        if !matches!(stage.sink, StageSink::Branches) {
            out.push(fixed(format!("{batches} batches of {}", size(rows)), bytes));
        }
        for t in &stage.transforms {
            match t {
                StageTransform::Probe { build, .. } => {
                    let what = format!("the index of stage {build}");
                    out.push(grows(&what, limit / 8 * JOIN_EIGHTHS));
                }
                StageTransform::Window { .. } => out.push(grows("rows of the frames of windows", limit)),
                StageTransform::Filter { .. }
                | StageTransform::Project { .. }
                | StageTransform::Expand { .. }
                | StageTransform::Limit { .. } => {}
            }
        }
        match &stage.sink {
            StageSink::PartialAggregate { spec } if spec.keys.is_empty() => {}
            StageSink::PartialAggregate { .. } => out.push(grows("groups, a table for each thread", limit)),
            StageSink::SortRuns { spec } if spec.loose => {}
            StageSink::SortRuns { spec } => match spec.limit {
                Some(n) => {
                    let bytes = threads
                        .saturating_mul(n)
                        .saturating_mul(2 * row_bytes(&stage.schema) as u64);
                    out.push(match bytes < limit {
                        true => fixed(format!("{threads} × the first {n} rows"), bytes),
                        false => grows("the first rows", limit),
                    });
                }
                None => out.push(grows("rows to be sorted", limit)),
            },
            StageSink::Build { .. } => out.push(grows("rows of the build side", limit)),
            StageSink::Scatter { .. } => out.push(grows("rows on their way to buckets", limit)),
            StageSink::Branches => {}
            StageSink::Batches if stage.id + 1 == self.stages.len() && self.results.is_empty() => {
                let bytes = (limit / WAITING_SHARE).max(WAITING_BYTES);
                out.push(fixed(
                    "rows that wait for their turn in the result".into(),
                    bytes.min(limit),
                ));
            }
            StageSink::Batches => out.push(grows("rows that are kept", limit / KEPT_SHARE)),
        }
        out
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}
