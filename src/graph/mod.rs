//! Task graphs: your own, and those that queries become.
//!
//! A program builds a [`TaskGraph`] of its own functions, with [`TaskGraph::delayed`], and computes it, or
//! submits them one by one to a [`Pool`]; [`crate::tasks`] shows how. The rest of this module is
//! what a query is lowered to:
//!
//! # The graph of a query: stages of tasks, as plain data
//!
//! ```text
//!   stage 0  scan ► filter ► project ► partial aggregate     × partitions of the table
//!   stage 1  merge aggregate buckets ► project ► sort runs   × ranges of buckets
//!   stage 2  merge sorted runs ► limit ► output              × ranges of keys
//! ```
//!
//! Where groups are about as many as rows and wanted in the order of their keys, the tasks of stage
//! 1 only spread rows over ranges of keys, and those of stage 2 group them and do the rest
//! ([`crate::operate::aggregate`], `ordered`). The graph is the same: it is decided from the rows.
//!
//! A stage is a fused run of operators; its tasks differ only in their index. So the graph is as
//! large as the plan, never as large as the data: a million partitions cost nothing to plan. How
//! many tasks a merging stage has is decided when its inputs are complete, from the rows and bytes
//! they really hold.
//!
//! A join whose build side does not fit into memory is taken apart into further stages while the
//! graph runs ([`Graph::split_join`]).
//!
//! Stages are drawn by `draw` from a [`Picture`], which is of a plan or of a run, in a layered `layout`;
//! `fold` makes many stages that look alike one box.
//!
//! Everything here is plain, serialisable data (`ddf.taskgraph/1`, see [`Graph::to_json`]); the
//! tables are named by index and travel as their own JSON.

mod build;
mod calls;
mod describe;
mod draw;
mod fold;
mod keys;
mod layout;
mod lower;
mod picture;
mod pressure;
mod share;
mod shared;
mod split;
mod text;
mod window;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::operate::aggregate::AggregateSpec;
use crate::operate::join::{JoinSpec, bucket_tasks};
use crate::operate::sort::{SortKey, SortSpec};
use crate::operate::window::WindowSpec;
use crate::plan::Table;
use crate::source;

pub use crate::operate::join::scatter_build;
pub use build::{StageInputs, TaskRange, Tasks, keeps_rows};
pub use describe::{describe_task, describer, stage_info, stage_name};
pub use draw::{dot, plain, svg};
pub use keys::KeySets;
pub use layout::{Edge, Layout, layout};
pub use lower::{lower, lower_all};
pub use picture::{Drawn, Measure, Part, Picture};
pub use pressure::{Held, Pressure, StagePressure};
pub use split::build_bytes;
pub use text::{steps, text};

#[doc(inline)]
pub use crate::tasks::{
    AsCompleted, Cancel, Delayed, Handle, InGraph, InPool, Inputs, Outputs, Pool, RunOptions, Scheduler,
    Status, TaskGraph, World, as_completed,
};

/// Where the batches of a stage's tasks come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageSource {
    /// One task for each partition of a table.
    Scan {
        /// Index into [`Graph::tables`].
        table: usize,
        /// The columns read, by index in the table's schema.
        columns: Vec<usize>,
        /// Rows to keep.
        filter: Option<Expr>,
        /// Rows needed of each partition.
        limit: Option<u64>,
        /// Joins further on whose keys are known by then: rows without them need not be read. Only
        /// speed hangs on it.
        #[serde(default)]
        keys: Vec<ScanKeys>,
    },
    /// One task for each range of hash buckets of the aggregate in stage `input`.
    AggregateBuckets {
        /// The stage that left the buckets.
        input: usize,
        /// What is aggregated.
        spec: AggregateSpec,
    },
    /// One task for each range of keys of the runs in stage `input`.
    SortedRuns {
        /// The stage that left the runs.
        input: usize,
        /// The order.
        spec: SortSpec,
    },
    /// One task for each partition of several stages, one stage after the other.
    Concat {
        /// The stages that left the partitions.
        inputs: Vec<usize>,
    },
    /// One task for each bucket of a join that does not fit into memory.
    JoinBuckets {
        /// The stage that spread the left rows.
        left: usize,
        /// The stage that left the build side, spread as well.
        right: usize,
        /// What matches, and what comes out.
        spec: JoinSpec,
    },
    /// The rows of a scan that several stages share: its tasks run within those of the scan.
    Branch {
        /// The stage that scans.
        of: usize,
    },
    /// A single task that reads the partitions of stage `input` in order.
    Gather {
        /// The stage that left the partitions.
        input: usize,
    },
}

/// The keys of a join that rows of a scan must have to be of any use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanKeys {
    /// The stage that left the build side.
    pub build: usize,
    /// Its column, by place.
    pub key: usize,
    /// The scan's column: index in the table's schema.
    pub column: usize,
}

/// What happens to batches on their way through a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageTransform {
    /// Keeps rows.
    Filter {
        /// The condition.
        predicate: Expr,
    },
    /// Computes columns.
    Project {
        /// Names and expressions.
        exprs: Vec<(String, Expr)>,
    },
    /// Meets each row with the rows of a build side that match it.
    Probe {
        /// The stage that left the build side.
        build: usize,
        /// What matches, and what comes out.
        spec: JoinSpec,
    },
    /// Adds the columns of window functions to rows that come in the order of their windows; a task has
    /// all rows of its partitions.
    Window {
        /// What is computed.
        spec: WindowSpec,
    },
    /// Makes several rows of each.
    Expand {
        /// Names and expressions of each row that is made.
        lists: Vec<Vec<(String, Expr)>>,
        /// How many copies of each there are; one if not given.
        times: Option<Expr>,
    },
    /// Skips rows, then takes some, within one task.
    Limit {
        /// Rows to leave out.
        skip: u64,
        /// Rows to take at most.
        take: Option<u64>,
    },
}

/// What a stage's tasks leave behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageSink {
    /// Buckets of partial aggregate states.
    PartialAggregate {
        /// What is aggregated.
        spec: AggregateSpec,
    },
    /// Sorted runs.
    SortRuns {
        /// The order.
        spec: SortSpec,
    },
    /// The build side of a join.
    Build {
        /// Of this join.
        spec: JoinSpec,
    },
    /// The left rows of a join, spread over buckets.
    Scatter {
        /// Of this join.
        spec: JoinSpec,
    },
    /// Nothing: its rows go to the stages that branch off, as they come.
    Branches,
    /// Batches as they are, in order of the tasks.
    Batches,
}

/// A fused run of operators, executed once for each of its tasks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// Index in [`Graph::stages`].
    pub id: usize,
    /// Where batches come from.
    pub source: StageSource,
    /// What they go through.
    pub transforms: Vec<StageTransform>,
    /// What is left behind.
    pub sink: StageSink,
    /// Once the first tasks, in order, have left this many rows, the rest need not run.
    pub rows_needed: Option<u64>,
    /// The columns that enter the transforms.
    pub source_schema: SchemaRef,
    /// The columns that enter the sink.
    pub schema: SchemaRef,
}

impl Stage {
    /// The stages whose partitions its source reads.
    pub fn inputs(&self) -> Vec<usize> {
        match &self.source {
            StageSource::Scan { .. } => Vec::new(),
            StageSource::AggregateBuckets { input, .. }
            | StageSource::SortedRuns { input, .. }
            | StageSource::Gather { input } => vec![*input],
            StageSource::Concat { inputs } => inputs.clone(),
            StageSource::Branch { of } => vec![*of],
            StageSource::JoinBuckets { left, .. } => vec![*left],
        }
    }

    /// The stages whose partitions are the build sides of its joins.
    pub fn builds(&self) -> Vec<usize> {
        let bucketed = match &self.source {
            StageSource::JoinBuckets { right, .. } => Some(*right),
            _ => None,
        };
        let build = |t: &StageTransform| match t {
            StageTransform::Probe { build, .. } => Some(*build),
            _ => None,
        };
        let probed = self.transforms.iter().filter_map(build);
        bucketed.into_iter().chain(probed).collect()
    }

    /// Whether it reads what another stage leaves.
    pub fn reads(&self, stage: usize) -> bool {
        self.inputs().contains(&stage) || self.builds().contains(&stage)
    }

    /// Whether tasks may share a sink: one for each thread then serves all of a thread's tasks.
    pub fn parks_sinks(&self) -> bool {
        !matches!(self.sink, StageSink::Batches | StageSink::Branches)
    }
}

/// One of several results of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphResult {
    /// The stage whose partitions, in order, it is.
    pub stage: usize,
    /// Rows to leave out.
    pub skip: u64,
    /// Rows to take at most.
    pub take: Option<u64>,
}

/// A query, ready to run. The last stage's partitions, in order, are its result, unless it has several.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The tables that scans name by index.
    pub tables: Vec<Table>,
    /// The stages, inputs first.
    pub stages: Vec<Stage>,
    /// Rows of the result to leave out, and to take.
    pub skip: u64,
    /// Rows of the result to take at most.
    pub take: Option<u64>,
    /// The results of several queries that run together; else empty.
    pub results: Vec<GraphResult>,
}

impl Graph {
    /// Names and types of the result.
    pub fn schema(&self) -> SchemaRef {
        self.stages
            .last()
            .map(|s| s.schema.clone())
            .unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty()))
    }

    /// The graph as the documented JSON `ddf.taskgraph/1`: `tables` (as their sources describe
    /// themselves), `stages` in the order of their `id`, each with `source`, `transforms`, `sink`,
    /// and the number of `tasks` where it is known before the run; where several queries run together,
    /// their `results`: `stage`, `skip`, `take` for each.
    pub fn to_json(&self) -> serde_json::Value {
        let stages: Vec<_> = self.stages.iter().map(|s| self.stage_json(s)).collect();
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|t| serde_json::json!({"name": t.name, "dataset": t.dataset.to_json()}))
            .collect();
        let mut json = serde_json::json!({
            "format": "ddf.taskgraph/1",
            "tables": tables,
            "stages": stages,
            "skip": self.skip,
            "take": self.take,
        });
        if let (false, Some(o)) = (self.results.is_empty(), json.as_object_mut()) {
            let results = self.results.iter().map(|r| serde_json::json!(r));
            o.insert("results".into(), results.collect());
        }
        json
    }

    /// The graph that [`Graph::to_json`] described; files are opened without being sniffed again.
    ///
    /// # Errors
    /// It is no such description, or a file has changed since.
    pub fn from_json(value: &serde_json::Value) -> Result<Graph> {
        if value.get("format").and_then(|f| f.as_str()) != Some("ddf.taskgraph/1") {
            return Err(Error::usage(
                "this is no task graph of the format ddf.taskgraph/1",
            ));
        }
        let list = |key: &str| {
            value
                .get(key)
                .and_then(|v| v.as_array())
                .cloned()
                .unwrap_or_default()
        };
        let tables = list("tables").into_iter().map(|t| {
            let name = t
                .get("name")
                .and_then(|n| n.as_str())
                .unwrap_or_default()
                .to_string();
            let dataset = source::from_json(t.get("dataset").unwrap_or(&serde_json::Value::Null))?;
            Ok(Table { name, dataset })
        });
        let tables = tables.collect::<Result<Vec<_>>>()?;
        let stages = list("stages").into_iter().map(|s| {
            serde_json::from_value(s)
                .map_err(|e| Error::usage(format!("a stage of the task graph is wrong: {e}")))
        });
        let stages = stages.collect::<Result<Vec<Stage>>>()?;
        let results = list("results").into_iter().map(|r| {
            serde_json::from_value(r)
                .map_err(|e| Error::usage(format!("a result of the task graph is wrong: {e}")))
        });
        let results = results.collect::<Result<Vec<GraphResult>>>()?;
        let number = |key: &str| value.get(key).and_then(|v| v.as_u64());
        Ok(Graph {
            tables,
            stages,
            skip: number("skip").unwrap_or(0),
            take: number("take"),
            results,
        })
    }

    fn stage_json(&self, stage: &Stage) -> serde_json::Value {
        let mut v = serde_json::to_value(stage).unwrap_or_default();
        if let Some(o) = v.as_object_mut() {
            o.insert("tasks".into(), self.known_tasks(stage).into());
            let schema: Vec<_> = stage
                .schema
                .fields()
                .iter()
                .map(|f| serde_json::json!({"name": f.name(), "type": crate::kernel::types::name(f.data_type())}))
                .collect();
            o.insert("columns".into(), schema.into());
        }
        v
    }

    /// The order in which the groups of an aggregating stage are sorted next, by their keys' places
    /// among the keys; none where it takes more than the keys, or not all of them.
    pub fn group_order(&self, stage: &Stage) -> Option<Vec<SortKey>> {
        let StageSink::PartialAggregate { spec } = &stage.sink else {
            return None;
        };
        let merges =
            |s: &&Stage| matches!(s.source, StageSource::AggregateBuckets { input, .. } if input == stage.id);
        let merging = self.stages.iter().find(merges)?;
        let StageSink::SortRuns { spec: sort } = &merging.sink else {
            return None;
        };
        if sort.whole.is_some() {
            return None; // ranges of groups would be cut within a window's partition
        }
        if !merging.builds().is_empty() {
            return None; // a join follows: what is sorted are no longer the groups
        }
        let mut keys: Vec<SortKey> = Vec::new();
        for key in &sort.keys {
            if keys.len() == spec.keys.len() {
                break;
            }
            let mut name = merging.schema.field(key.column).name();
            for transform in merging.transforms.iter().rev() {
                if let StageTransform::Expand { .. } = transform {
                    return None; // what is sorted are more rows than groups
                }
                if let StageTransform::Project { exprs } = transform {
                    match exprs.iter().find(|(n, _)| n == name) {
                        Some((_, Expr::Column(column))) => name = column,
                        _ => return None,
                    }
                }
            }
            let column = merging.source_schema.index_of(name).ok()?;
            if column >= spec.keys.len() {
                return None;
            }
            if keys.iter().all(|k| k.column != column) {
                keys.push(SortKey {
                    column,
                    ..key.clone()
                });
            }
        }
        (keys.len() == spec.keys.len()).then_some(keys)
    }

    /// The number of tasks of a stage, where it is known before the run.
    pub fn known_tasks(&self, stage: &Stage) -> Option<usize> {
        let partitions = |t: usize| {
            let dataset = &self.tables[t].dataset;
            // of what comes nobody knows how much
            dataset.live().is_none().then(|| dataset.partitions())
        };
        match &stage.source {
            StageSource::Scan { table, .. } => partitions(*table),
            StageSource::Branch { .. } => self.scanned(stage).and_then(partitions),
            StageSource::Gather { .. } => Some(1),
            StageSource::JoinBuckets { .. } => Some(bucket_tasks()),
            _ => None,
        }
    }
}
