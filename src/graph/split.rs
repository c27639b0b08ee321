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

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Graph, Stage, StageSink, StageSource, StageTransform};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::operate::aggregate::Agg;
use crate::operate::join::{BuildSide, JoinSpec, ORDER};
use crate::operate::project::Project;
use crate::operate::sort::{SortKey, SortSpec};
use crate::pipeline::Partition;

/// The bytes that a build side over these partitions takes on top of what they hold; none where some
/// of them lie on disk already.
pub fn build_bytes(partitions: &[Arc<Partition>]) -> Option<usize> {
    BuildSide::more_bytes(partitions)
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
        let (build, spec, sink) = (*build, spec.clone(), whole.sink.clone());
        let before = whole.transforms[..at].to_vec();
        let after = whole.transforms[at + 1..].to_vec();
        let left = self.schema_after(whole, at)?;
        let joined = self.joined(&left, build, &spec);
        let drop_places = project_to(&joined, &spec);
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
        let (right, places) = (build, spec.left_columns);
        let mut source = StageSource::JoinBuckets { left, right, spec };
        if !sees_order(&after, &sink) {
            self.rest(stage, source, joined, drop_places, after);
        } else {
            let spec = SortSpec {
                keys: vec![SortKey {
                    column: places,
                    descending: false,
                    nulls_first: false,
                }],
                limit: None,
            };
            let input = self.stages.len();
            self.stages.push(Stage {
                id: input,
                source,
                transforms: Vec::new(),
                sink: StageSink::SortRuns { spec: spec.clone() },
                rows_needed: None,
                source_schema: joined.clone(),
                schema: joined.clone(),
            });
            ids.push(input);
            source = StageSource::SortedRuns { input, spec };
            self.rest(stage, source, joined, drop_places, after);
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
        first: StageTransform,
        after: Vec<StageTransform>,
    ) {
        let stage = &mut self.stages[stage];
        stage.source = source;
        stage.source_schema = schema;
        stage.transforms = std::iter::once(first).chain(after).collect();
    }

    /// The columns that enter transform `at` of a stage.
    fn schema_after(&self, stage: &Stage, at: usize) -> Result<SchemaRef> {
        let mut schema = stage.source_schema.clone();
        for t in &stage.transforms[..at] {
            schema = match t {
                StageTransform::Filter { .. } | StageTransform::Limit { .. } => schema,
                StageTransform::Project { exprs } => Project::new(exprs, &schema)?.schema().clone(),
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

/// Drops the places again.
fn project_to(joined: &Schema, spec: &JoinSpec) -> StageTransform {
    let fields = joined.fields().iter().enumerate();
    let names = fields.filter(|(i, _)| *i != spec.left_columns);
    let exprs = names.map(|(_, f)| (f.name().clone(), Expr::Column(f.name().clone())));
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
        StageTransform::Limit { .. } => true,
    };
    transforms.iter().any(through)
        || match sink {
            StageSink::PartialAggregate { spec } => {
                let first = |(a, _): &(Agg, Option<usize>)| matches!(a, Agg::First | Agg::Last);
                spec.aggs.iter().any(first)
            }
            // of rows that match only that they are there counts
            StageSink::Build { spec } => spec.kind.yields_right() || spec.filter.is_some(),
            StageSink::SortRuns { .. } | StageSink::Scatter { .. } | StageSink::Batches => true,
        }
}

/// Whether an expression depends on a row's place in the input.
fn names_place(e: &Expr) -> bool {
    matches!(e, Expr::Place) || e.children().into_iter().any(names_place)
}
