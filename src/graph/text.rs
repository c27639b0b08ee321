//! The stages as text, for `ddf explain`.

use super::{Graph, Stage, StageSink, StageSource, StageTransform};
use crate::operate::aggregate::AggregateSpec;

/// One paragraph a stage, inputs first.
pub fn text(graph: &Graph) -> String {
    let mut out = String::new();
    for s in &graph.stages {
        let tasks = match graph.known_tasks(s) {
            Some(n) => format!("{n} tasks"),
            None => "tasks decided from the bytes of its input".to_string(),
        };
        out += &format!("stage {}: {tasks}\n", s.id);
        for step in steps(graph, s) {
            out += &format!("  {step}\n");
        }
    }
    if graph.skip > 0 || graph.take.is_some() {
        let take = graph.take.map_or("all".to_string(), |n| n.to_string());
        out += &format!("result: skip {}, take {take}\n", graph.skip);
    }
    out
}

/// What a stage does, a line for each operator, as it is drawn in every form.
pub fn steps(graph: &Graph, s: &Stage) -> Vec<String> {
    let mut out = vec![source(graph, s)];
    out.extend(s.transforms.iter().map(transform));
    out.push(match &s.sink {
        StageSink::PartialAggregate { spec } => format!("partial aggregate {}", aggregate(spec)),
        StageSink::SortRuns { spec } if spec.loose => "keep groups".to_string(),
        StageSink::SortRuns { spec } => match (spec.limit, &spec.foremost) {
            (Some(n), _) => format!("keep the first {n} in order"),
            (None, Some(f)) => format!("sort into runs, of each partition those of {f}"),
            (None, None) => "sort into runs".to_string(),
        },
        StageSink::Build { .. } => "build side of a join".to_string(),
        StageSink::Scatter { .. } => "spread over buckets for a join".to_string(),
        StageSink::Branches => {
            let to: Vec<String> = graph.branches(s.id).iter().map(usize::to_string).collect();
            format!("hand rows to stages {}", to.join(", "))
        }
        StageSink::Batches => "result".to_string(),
    });
    out
}

/// A transform as it is drawn.
pub(super) fn transform(t: &StageTransform) -> String {
    match t {
        StageTransform::Filter { predicate } => format!("filter {predicate}"),
        StageTransform::Project { exprs } => {
            let items: Vec<String> = exprs.iter().map(|(n, e)| format!("{n} = {e}")).collect();
            format!("project {}", items.join(", "))
        }
        StageTransform::Expand { lists, times } => match times {
            None => format!("expand into {} rows each", lists.len()),
            Some(t) => format!("expand into {t} rows each"),
        },
        StageTransform::Probe { build, spec } => format!(
            "{}{} join with stage {build} on {} keys",
            spec.kind.name(),
            if spec.asof.is_some() { " asof" } else { "" },
            spec.left_keys.len()
        ),
        StageTransform::Window { spec } => {
            let names: Vec<&str> = spec.calls.iter().map(|c| c.name.as_str()).collect();
            format!("window functions {}", names.join(", "))
        }
        StageTransform::Limit { skip, take } => match take {
            Some(n) => format!("limit {n} offset {skip}"),
            None => format!("offset {skip}"),
        },
    }
}

fn source(graph: &Graph, s: &Stage) -> String {
    match &s.source {
        StageSource::Scan {
            table,
            columns,
            filter,
            limit,
            keys,
        } => {
            let t = &graph.tables[*table];
            let all = t.dataset.schema().fields().len();
            let mut text = format!("scan {} ({} of {all} columns)", t.name, columns.len());
            if let Some(f) = filter {
                text += &format!(" where {f}");
            }
            for k in keys {
                let column = t.dataset.schema().field(k.column).name();
                text += &format!(" with {column} among the keys of stage {}", k.build);
            }
            if let Some(n) = limit {
                text += &format!(" limit {n}");
            }
            text
        }
        StageSource::AggregateBuckets { input, spec } => {
            format!("merge aggregate of stage {input} {}", aggregate(spec))
        }
        StageSource::SortedRuns { input, spec } if spec.loose => format!("read groups of stage {input}"),
        StageSource::SortedRuns { input, .. } => format!("merge sorted runs of stage {input}"),
        StageSource::Concat { inputs } => {
            let all: Vec<String> = inputs.iter().map(usize::to_string).collect();
            format!("read stages {} one after the other", all.join(", "))
        }
        StageSource::JoinBuckets { left, right, spec } => format!(
            "{} join of buckets of stages {left} and {right} on {} keys",
            spec.kind.name(),
            spec.left_keys.len()
        ),
        StageSource::Branch { of } => format!("rows of the scan of stage {of}, as they come"),
        StageSource::Gather { input } => format!("read stage {input} in order"),
    }
}

fn aggregate(spec: &AggregateSpec) -> String {
    format!("({} keys, {} aggregates)", spec.keys.len(), spec.aggs.len())
}
