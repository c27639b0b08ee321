//! What a stage, its operators and its tasks are called where people look at a run.

use std::sync::Arc;

use super::build::Tasks;
use super::text::{steps, transform};
use super::{Graph, Stage, StageInputs, StageSink, StageSource};
use crate::observe::StageInfo;

/// A stage as observers are told of it; once its inputs are complete, with the operators that really run.
pub fn stage_info(graph: &Graph, stage: &Stage, inputs: Option<&StageInputs>) -> StageInfo {
    let mut reads = stage.inputs();
    reads.extend(stage.builds());
    StageInfo {
        id: stage.id,
        name: stage_name(graph, stage),
        inputs: reads,
        operators: {
            let names = match inputs {
                Some(inputs) if inputs.in_order() => ordered_operators(graph, stage),
                _ => operators(graph, stage),
            };
            names.iter().map(|n| visible(n)).collect()
        },
    }
}

/// A text without the marks by which inner names are kept apart: invisible characters, with a number behind
/// a name.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut numbered = false;
    for c in text.chars() {
        if c.is_control() {
            numbered = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        } else if !(numbered && c.is_ascii_digit()) {
            numbered = false;
            out.push(c);
        }
    }
    out
}

/// A stage in short: `scan flights.csv ► aggregate`.
pub fn stage_name(graph: &Graph, stage: &Stage) -> String {
    let source = match &stage.source {
        StageSource::Scan { table, .. } => format!("scan {}", short(&graph.tables[*table].name)),
        StageSource::AggregateBuckets { .. } => "merge groups".to_string(),
        StageSource::SortedRuns { spec, .. } if spec.loose => "read".to_string(),
        StageSource::SortedRuns { .. } => "merge sorted".to_string(),
        StageSource::Concat { inputs } if inputs.len() > 1 => "read in turn".to_string(),
        StageSource::Concat { .. } | StageSource::Gather { .. } => "read".to_string(),
        StageSource::Branch { of } => format!("rows of stage {of}"),
        StageSource::JoinBuckets { .. } => "join buckets".to_string(),
    };
    let joins = stage.builds().len() - usize::from(matches!(stage.source, StageSource::JoinBuckets { .. }));
    let middle = match joins {
        0 => "",
        1 => " ► join",
        _ => " ► joins",
    };
    let sink = match &stage.sink {
        StageSink::PartialAggregate { .. } => "aggregate",
        StageSink::SortRuns { spec } if spec.limit.is_some() => "keep first",
        StageSink::SortRuns { spec } if spec.loose => "keep",
        StageSink::SortRuns { .. } => "sort",
        StageSink::Build { .. } => "build side",
        StageSink::Scatter { .. } => "spread",
        StageSink::Branches => "branches",
        StageSink::Batches if stage.id + 1 == graph.stages.len() => "result",
        StageSink::Batches => "keep",
    };
    format!("{source}{middle} ► {sink}")
}

/// The last part of a path, and no more than fits a title.
fn short(name: &str) -> String {
    const MOST: usize = 40;
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    match last.chars().count() > MOST {
        true => last.chars().take(MOST - 1).chain(['…']).collect(),
        false => last.to_string(),
    }
}

fn operators(graph: &Graph, stage: &Stage) -> Vec<String> {
    let mut names = steps(graph, stage);
    if let StageSource::JoinBuckets { .. } = stage.source {
        names.insert(0, "take a bucket".into());
    }
    names
}

/// Where groups are made in the order of their keys, one stage only spreads the rows and the next does
/// what both would have done.
fn ordered_operators(graph: &Graph, stage: &Stage) -> Vec<String> {
    let mut names = steps(graph, stage);
    let sink = names.pop().unwrap_or_default();
    let StageSource::SortedRuns { input, .. } = &stage.source else {
        return vec!["spread rows over ranges of keys".into(), sink];
    };
    let mut out = vec![format!("group the rows of stage {input} range by range")];
    out.extend(graph.stages[*input].transforms.iter().map(transform));
    out.extend(names.into_iter().skip(1));
    out.push(sink);
    out
}

/// What task `part` of a stage reads, such as `data/a.csv, bytes 0 to 4194304`, or
/// `data/a.parquet, row group 3`.
pub fn describe_task(graph: &Graph, stage: &Stage, tasks: Tasks, part: usize) -> String {
    describer(graph, stage, tasks)(part)
}

/// [`describe_task`] as something that outlives the graph.
pub fn describer(graph: &Graph, stage: &Stage, tasks: Tasks) -> Arc<dyn Fn(usize) -> String + Send + Sync> {
    match &stage.source {
        StageSource::Scan { .. } | StageSource::Branch { .. } => {
            let Some(table) = graph.scanned(stage) else {
                return Arc::new(|part| format!("partition {part}"));
            };
            let dataset = graph.tables[table].dataset.clone();
            Arc::new(move |part| dataset.describe(part))
        }
        StageSource::AggregateBuckets { input, .. } => {
            let input = *input;
            Arc::new(move |part| {
                let range = tasks.range(part);
                match range.len() {
                    1 => format!("groups of stage {input}, bucket {}", range.start),
                    _ => format!(
                        "groups of stage {input}, buckets {} to {}",
                        range.start,
                        range.end.max(1) - 1
                    ),
                }
            })
        }
        StageSource::SortedRuns { input, spec } if spec.loose => {
            let input = *input;
            Arc::new(move |part| format!("groups of stage {input}, part {part}"))
        }
        StageSource::SortedRuns { input, .. } => {
            let input = *input;
            Arc::new(move |part| format!("rows of stage {input} in order, range {part} of {}", tasks.len()))
        }
        StageSource::JoinBuckets { left, right, .. } => {
            let (left, right) = (*left, *right);
            Arc::new(move |part| format!("rows of stages {left} and {right}, bucket {part}"))
        }
        StageSource::Concat { inputs } => {
            let inputs: Vec<_> = inputs.iter().map(usize::to_string).collect();
            let all = inputs.join(", ");
            Arc::new(move |part| format!("what stage {all} left, partition {part}"))
        }
        StageSource::Gather { input } => {
            let input = *input;
            Arc::new(move |_| format!("all rows of stage {input}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_names_are_shown_as_they_were_written() {
        let text = visible("project Origin\u{2}40 = \"\u{0}shared0\", n\u{2}3 = \u{1}12");
        assert_eq!(text, "project Origin = \"shared0\", n = 12");
    }
}
