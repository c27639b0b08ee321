//! A join that does not fit into memory, taken apart while its graph runs.
//!
//! ```text
//!   stage s     source ► before ► probe ► after ► sink
//!
//!   becomes     source ► before ► spread left rows over buckets            (new)
//!               join buckets ► sort by the places of the left rows         (new)
//!   stage s     merge ► drop the places ► after ► sink
//!
//!   or, where the sink cannot tell in which order rows come
//!   stage s     join buckets ► drop the places ► after ► sink
//! ```
//!
//! Stage `s` keeps its number, so that whoever reads it need not know.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Graph, Stage, StageSink, StageSource, StageTransform};
use crate::error::{Error, Result};
use crate::expr::{AggFunc, Expr};
use crate::operate::join::{BuildSide, JoinSpec, ORDER};
use crate::operate::project::Project;
use crate::operate::sort::{SortKey, SortSpec};
use crate::pipeline::Partition;

/// The bytes that a build side over these partitions takes on top of what they hold; none where some
/// of them lie on disk already.
///
/// # Errors
/// A key is of a type that nothing is joined on.
pub fn build_bytes(spec: &JoinSpec, schema: &Schema, partitions: &[Arc<Partition>]) -> Result<Option<usize>> {
    BuildSide::more_bytes(spec, schema, partitions)
}

impl Graph {
    /// Takes the join that is transform `at` of stage `stage` apart; answers the stages to run in
    /// its place, in order, the last of which is `stage` itself.
    ///
    /// # Errors
    /// There is no such join.
    pub fn split_join(&mut self, stage: usize, at: usize) -> Result<Vec<usize>> {
        let whole = &self.stages[stage];
        let Some(StageTransform::Probe { build, spec }) = whole.transforms.get(at) else {
            return Err(Error::defect("a join went astray"));
        };
        let (build, mut spec, sink) = (*build, spec.clone(), whole.sink.clone());
        let before = whole.transforms[..at].to_vec();
        let after = whole.transforms[at + 1..].to_vec();
        let left = self.schema_after(whole, at)?;
        // the next join finds its columns by place: none of them may go before it
        let projected = |t: &&StageTransform| matches!(t, StageTransform::Project { .. });
        let mut direct = after.iter().take_while(|t| !projected(t));
        if direct.any(|t| matches!(t, StageTransform::Probe { .. })) {
            spec.unused.clear();
        }
        let joined = self.joined(&left, build, &spec);
        let kept = kept(&joined, &spec);
        let projects = matches!(
            after.first(),
            Some(StageTransform::Project { .. } | StageTransform::Expand { .. })
        );
        let spread = Stage {
            id: self.stages.len(),
            source: whole.source.clone(),
            transforms: before,
            sink: StageSink::Scatter { spec: spec.clone() },
            rows_needed: None,
            source_schema: whole.source_schema.clone(),
            schema: left,
        };
        let (left, mut ids) = (spread.id, vec![spread.id]);
        self.stages.push(spread);
        let right = build;
        let mut source = StageSource::JoinBuckets { left, right, spec };
        if !sees_order(&after, &sink) {
            let drop_places = (!projects).then(|| select(&kept));
            self.rest(stage, source, joined, drop_places, after);
        } else {
            let (sorted, mut columns) = with_places(&joined, &kept)?;
            let spec = SortSpec {
                keys: vec![SortKey {
                    column: kept.len(),
                    descending: false,
                    nulls_first: false,
                }],
                limit: None,
                whole: None,
                foremost: None,
                loose: false,
            };
            let input = self.stages.len();
            self.stages.push(Stage {
                id: input,
                source,
                transforms: vec![select(&columns)],
                sink: StageSink::SortRuns { spec: spec.clone() },
                rows_needed: None,
                source_schema: joined,
                schema: sorted.clone(),
            });
            ids.push(input);
            source = StageSource::SortedRuns { input, spec };
            columns.pop();
            let drop_places = (!projects).then(|| select(&columns));
            self.rest(stage, source, sorted, drop_places, after);
        }
        ids.push(stage);
        Ok(ids)
    }

    /// What is left of a stage once its join comes from elsewhere.
    fn rest(
        &mut self,
        stage: usize,
        source: StageSource,
        schema: SchemaRef,
        first: Option<StageTransform>,
        after: Vec<StageTransform>,
    ) {
        let stage = &mut self.stages[stage];
        stage.source = source;
        stage.source_schema = schema;
        stage.transforms = first.into_iter().chain(after).collect();
    }

    /// Finds the columns of joins that nobody reads, such as keys that only the join itself needs.
    pub(super) fn mark_unused(&mut self) -> Result<()> {
        for s in 0..self.stages.len() {
            for at in 0..self.stages[s].transforms.len() {
                let StageTransform::Probe { build, spec } = &self.stages[s].transforms[at] else {
                    continue;
                };
                let Some(read) = self.read_after(&self.stages[s], at + 1)? else {
                    continue;
                };
                let left = self.schema_after(&self.stages[s], at)?;
                let left = left.fields().iter().take(spec.left_columns);
                let right = self.stages[*build].schema.fields().iter();
                let own = spec.filter.as_ref().map(Expr::columns).unwrap_or_default();
                let fields = left.chain(right.take(spec.right_columns));
                let unused = fields.map(|f| !read.contains(f.name()) && !own.contains(f.name()));
                let unused = unused.collect();
                if let StageTransform::Probe { spec, .. } = &mut self.stages[s].transforms[at] {
                    spec.unused = unused;
                }
            }
        }
        Ok(())
    }

    /// The columns that transforms from `from` on read; none where the sink reads all.
    fn read_after(&self, stage: &Stage, from: usize) -> Result<Option<BTreeSet<String>>> {
        let mut names = BTreeSet::new();
        for at in from..stage.transforms.len() {
            match &stage.transforms[at] {
                StageTransform::Filter { predicate } => names.extend(predicate.columns()),
                StageTransform::Limit { .. } => {}
                StageTransform::Window { .. } => return Ok(None),
                StageTransform::Project { exprs } => {
                    names.extend(exprs.iter().flat_map(|(_, e)| e.columns()));
                    return Ok(Some(names));
                }
                StageTransform::Expand { lists, times } => {
                    let all = lists.iter().flatten().map(|(_, e)| e).chain(times);
                    names.extend(all.flat_map(|e| e.columns()));
                    return Ok(Some(names));
                }
                StageTransform::Probe { spec, .. } => {
                    let left = self.schema_after(stage, at)?;
                    let nearest = spec.asof.iter().map(|a| &a.left);
                    let keys = spec.left_keys.iter().chain(nearest);
                    names.extend(keys.map(|&k| left.field(k).name().clone()));
                    names.extend(spec.filter.iter().flat_map(|f| f.columns()));
                }
            }
        }
        Ok(None)
    }

    /// The columns that enter transform `at` of a stage.
    pub(super) fn schema_after(&self, stage: &Stage, at: usize) -> Result<SchemaRef> {
        let mut schema = stage.source_schema.clone();
        for t in &stage.transforms[..at] {
            schema = match t {
                StageTransform::Filter { .. } | StageTransform::Limit { .. } => schema,
                StageTransform::Project { exprs } => Project::new(exprs, &schema)?.schema().clone(),
                StageTransform::Window { spec } => spec.schema(&schema),
                StageTransform::Expand { lists, .. } => match lists.first() {
                    Some(first) => Project::new(first, &schema)?.schema().clone(),
                    None => schema,
                },
                StageTransform::Probe { build, spec } => {
                    let fields = schema.fields().iter().take(spec.left_columns).cloned();
                    let right = self.stages[*build].schema.fields().iter();
                    let right = right.take(match spec.kind.yields_right() {
                        true => spec.right_columns,
                        false => 0,
                    });
                    Arc::new(Schema::new(fields.chain(right.cloned()).collect::<Vec<_>>()))
                }
            };
        }
        Ok(schema)
    }

    /// What comes out of a join of buckets: left columns, the place, right columns.
    fn joined(&self, left: &Schema, build: usize, spec: &JoinSpec) -> SchemaRef {
        let mut fields: Vec<_> = left.fields().iter().take(spec.left_columns).cloned().collect();
        fields.push(Arc::new(Field::new(ORDER, DataType::Int64, true)));
        if spec.kind.yields_right() {
            let right = self.stages[build].schema.fields().iter();
            fields.extend(right.take(spec.right_columns).cloned());
        }
        Arc::new(Schema::new(fields))
    }
}

/// The columns of a join that somebody reads, without the places.
fn kept(joined: &Schema, spec: &JoinSpec) -> Vec<String> {
    let at = spec.left_columns;
    let unused = |i: usize| match i {
        _ if i < at => spec.is_unused(i),
        _ => spec.is_unused(i - 1),
    };
    let fields = joined.fields().iter().enumerate();
    fields
        .filter(|&(i, _)| i != at && !unused(i))
        .map(|(_, f)| f.name().clone())
        .collect()
}

/// Columns of a join and the places behind them: their schema and their names.
fn with_places(joined: &Schema, columns: &[String]) -> Result<(SchemaRef, Vec<String>)> {
    let mut names = columns.to_vec();
    names.push(ORDER.to_string());
    let fields = names
        .iter()
        .map(|n| Ok(joined.field_with_name(n)?.clone()))
        .collect::<Result<Vec<_>>>()?;
    Ok((Arc::new(Schema::new(fields)), names))
}

fn select(columns: &[String]) -> StageTransform {
    let exprs = columns.iter().map(|n| (n.clone(), Expr::Column(n.clone())));
    StageTransform::Project {
        exprs: exprs.collect(),
    }
}

/// Whether the order of the rows can be seen in what the sink leaves.
fn sees_order(transforms: &[StageTransform], sink: &StageSink) -> bool {
    let through = |t: &StageTransform| match t {
        StageTransform::Filter { predicate } => names_place(predicate),
        StageTransform::Project { exprs } => exprs.iter().any(|(_, e)| names_place(e)),
        StageTransform::Probe { spec, .. } => spec.filter.as_ref().is_some_and(names_place),
        StageTransform::Expand { lists, times } => {
            let mut all = lists.iter().flatten().map(|(_, e)| e).chain(times);
            all.any(names_place)
        }
        StageTransform::Limit { .. } | StageTransform::Window { .. } => true,
    };
    transforms.iter().any(through)
        || match sink {
            StageSink::PartialAggregate { spec } => {
                let first = |(a, _): &(AggFunc, Option<usize>)| a.sees_order();
                spec.aggs.iter().any(first)
            }
            // of rows that match only that they are there counts
            StageSink::Build { spec } => spec.kind.yields_right() || spec.filter.is_some(),
            StageSink::SortRuns { .. }
            | StageSink::Scatter { .. }
            | StageSink::Branches
            | StageSink::Batches => true,
        }
}

/// Whether an expression depends on a row's place in the input.
fn names_place(e: &Expr) -> bool {
    matches!(e, Expr::Place) || e.children().into_iter().any(names_place)
}
