//! From one task of a stage to the pipeline and the sink that run it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Graph, KeySets, Stage, StageSink, StageSource, StageTransform};
use crate::error::{Error, Result};
use crate::expr::Evaluator;
use crate::kernel::row_bytes;
use crate::memory::Reservation;
use crate::operate::aggregate::{self, Order, Ordered, OrderedSource, PartialAggregate, Spreading};
use crate::operate::join::{self, BuildSide, BuildSink, Probe, ScatterSink};
use crate::operate::limit::Limit;
use crate::operate::sort::{self, MergePlan, SortSink};
use crate::operate::window::Window;
use crate::operate::{expand::Expand, filter::Filter, project::Project};
use crate::pipeline::{Batches, Collect, Partition, Pipeline, RunContext, Sink, Source, Transform};
use crate::source::{ScanRequest, Stop};

/// Which buckets or ranges of the input a task of a merging stage takes.
pub type TaskRange = Range<usize>;

/// Merging this many bytes is a task's worth: small enough to balance, large enough not to count.
const MERGE_BYTES: u64 = 16 << 20;
/// Below this, one task merges all: starting threads would cost more.
const SMALL_BYTES: u64 = 1 << 20;

/// A stage whose inputs are complete, with its tasks decided.
pub struct StageInputs {
    /// The partitions of the input stage.
    pub partitions: Vec<Arc<Partition>>,
    /// What each task takes of them.
    pub tasks: Tasks,
    merge: Option<Arc<MergePlan>>,
    builds: HashMap<usize, Arc<BuildSide>>,
    /// The right rows of a join of buckets, and the memory kept free for them.
    bucketed: Vec<Arc<Partition>>,
    _held: Reservation,
    /// Rows that become groups in order, in place of `partitions`.
    ordered: Option<Arc<Ordered>>,
    /// The order in which the groups that the stage makes are wanted, if by all their keys.
    order: Option<Order>,
    /// Whether no group is left out between the stage that makes them and the one that sorts them.
    all_groups: bool,
    /// What a scan's tasks open their partitions with.
    request: ScanRequest,
}

impl StageInputs {
    /// Decides the tasks of `stage` from what its inputs really hold; `left` gives what a stage left.
    ///
    /// # Errors
    /// A build side does not fit the memory limit.
    pub fn plan(
        graph: &Graph,
        stage: &Stage,
        left: &mut dyn FnMut(usize) -> Vec<Arc<Partition>>,
        keys: &KeySets,
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let mut builds = HashMap::new();
        for t in &stage.transforms {
            if let StageTransform::Probe { build, spec } = t {
                let side = BuildSide::new(spec, &graph.stages[*build].schema, left(*build), run)?;
                builds.insert(*build, Arc::new(side));
            }
        }
        let mut held = run.budget.reservation("joining buckets");
        let bucketed = match &stage.source {
            StageSource::JoinBuckets { right, .. } => {
                held.grow_anyway(join::bucket_bytes(run.budget.limit()));
                left(*right)
            }
            _ => Vec::new(),
        };
        let partitions: Vec<Arc<Partition>> = stage.inputs().into_iter().flat_map(left).collect();
        let (partitions, ordered) = match &stage.source {
            StageSource::AggregateBuckets { .. } => aggregate::plan_ordered(partitions)?,
            _ => {
                let ordered = Ordered::of(&partitions);
                (partitions, ordered)
            }
        };
        let bytes: u64 = partitions.iter().map(|p| p.bytes()).sum();
        let mut merge = None;
        let tasks = match &stage.source {
            // what branches off runs in the tasks of the scan
            StageSource::Scan { .. } if matches!(stage.sink, StageSink::Branches) => Tasks::singles(0),
            StageSource::Scan { .. } | StageSource::Branch { .. } => {
                let table = graph.scanned(stage).map(|t| &graph.tables[t]);
                Tasks::singles(table.map_or(0, |t| t.dataset.partitions()))
            }
            StageSource::Gather { .. } => Tasks::singles(1),
            StageSource::JoinBuckets { .. } => Tasks::singles(join::bucket_tasks()),
            StageSource::Concat { .. } => Tasks::singles(partitions.len()),
            StageSource::SortedRuns { spec, .. } if spec.loose && ordered.is_none() => {
                Tasks::singles(partitions.len())
            }
            StageSource::AggregateBuckets { .. } if ordered.is_some() => {
                Tasks::singles(ordered.as_ref().map_or(0, |o| o.tasks()))
            }
            StageSource::SortedRuns { .. } if ordered.is_some() => {
                Tasks::singles(ordered.as_ref().map_or(0, |o| o.ranges()))
            }
            StageSource::AggregateBuckets { .. } => {
                let buckets = partitions
                    .iter()
                    .map(|p| p.buckets.len())
                    .max()
                    .unwrap_or(0)
                    .max(1);
                let tasks = if bytes <= SMALL_BYTES {
                    1
                } else {
                    (bytes / MERGE_BYTES).max(16) as usize
                };
                Tasks {
                    items: buckets,
                    tasks: tasks.min(buckets),
                }
            }
            StageSource::SortedRuns { spec, .. } => {
                let plan = sort::plan_ranges(spec, &stage.source_schema, &partitions, MERGE_BYTES, run)?;
                let ranges = plan.ranges();
                merge = Some(Arc::new(plan));
                Tasks::singles(ranges)
            }
        };
        Ok(StageInputs {
            partitions,
            tasks,
            merge,
            builds,
            bucketed,
            _held: held,
            ordered,
            order: graph.group_order(stage).map(Order::new),
            all_groups: (stage.inputs().iter()).all(|&s| graph.stages[s].transforms.iter().all(keeps_rows)),
            request: request(graph, stage, keys)?,
        })
    }

    /// Whether the positions of the source's batches can number all its rows from 0 on: those of
    /// merged runs do, those of groups in order if asked to.
    pub fn can_number(&self) -> bool {
        match &self.ordered {
            Some(_) => self.all_groups,
            None => self.merge.is_some(),
        }
    }

    /// Whether groups are made in the order of their keys, range by range.
    pub fn in_order(&self) -> bool {
        self.ordered.is_some()
    }

    /// Which of the tasks need not run: whoever runs them says so.
    pub fn stop(&self) -> Arc<Stop> {
        self.request.stop.clone()
    }

    /// Sees that they do; to be called before any task is run.
    pub fn number_rows(&self) {
        if let Some(ordered) = &self.ordered {
            ordered.number_groups();
        }
    }

    /// What a stage leaves whose tasks left `partitions`.
    pub fn leave(&self, stage: &Stage, partitions: Vec<Arc<Partition>>) -> Vec<Arc<Partition>> {
        match (&self.ordered, &stage.source) {
            (Some(o), StageSource::AggregateBuckets { .. }) => vec![Arc::new(o.partition())],
            _ => partitions,
        }
    }
}

/// Items spread over tasks; nothing is written down for each, so that a million cost no more than
/// ten.
#[derive(Debug, Clone, Copy)]
pub struct Tasks {
    items: usize,
    tasks: usize,
}

impl Tasks {
    /// One item for each task.
    fn singles(n: usize) -> Tasks {
        Tasks { items: n, tasks: n }
    }

    /// The number of tasks.
    pub fn len(&self) -> usize {
        self.tasks
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks == 0
    }

    /// What the task takes.
    pub fn range(&self, task: usize) -> TaskRange {
        let start = |t: usize| (t as u128 * self.items as u128 / self.tasks.max(1) as u128) as usize;
        start(task)..start(task + 1)
    }
}

/// Whether just as many rows come out as went in, in the same order.
pub fn keeps_rows(transform: &StageTransform) -> bool {
    matches!(transform, StageTransform::Project { .. })
}

/// What the tasks of a scan ask for: the filter is bound once for all of them.
fn request(graph: &Graph, stage: &Stage, keys: &KeySets) -> Result<ScanRequest> {
    if let StageSource::Branch { of } = &stage.source {
        return request(graph, &graph.stages[*of], keys);
    }
    let StageSource::Scan { columns, limit, .. } = &stage.source else {
        return Ok(ScanRequest::default());
    };
    Ok(ScanRequest {
        columns: columns.clone(),
        filter: graph.row_filter(stage, keys)?,
        limit: *limit,
        ..ScanRequest::default()
    })
}

impl Stage {
    /// The pipeline of task `part`, without its sink.
    pub fn pipeline(
        &self,
        graph: &Graph,
        part: usize,
        inputs: &StageInputs,
        run: &Arc<RunContext>,
    ) -> Result<Pipeline> {
        if let Some(ordered) = &inputs.ordered {
            return self.ordered_pipeline(graph, part, (ordered, inputs), run);
        }
        let range = inputs.tasks.range(part);
        let source: Box<dyn Source> = match &self.source {
            StageSource::Scan { .. } | StageSource::Branch { .. } => {
                let table = graph
                    .scanned(self)
                    .ok_or_else(|| Error::defect("a scan without a table"))?;
                let dataset = graph.tables[table].dataset.clone();
                dataset.open(range.start, &inputs.request)?
            }
            StageSource::AggregateBuckets { input, spec } => {
                let schema = &graph.stages[*input].schema;
                aggregate::merge_buckets(spec, schema, range, &inputs.partitions, run)?
            }
            StageSource::SortedRuns { spec, .. } if spec.loose => {
                Box::new(Batches::new(inputs.partitions[range].to_vec()))
            }
            StageSource::SortedRuns { spec, .. } => {
                let plan = inputs
                    .merge
                    .as_ref()
                    .ok_or_else(|| Error::defect("a merge without a plan"))?;
                sort::merge_range(
                    spec,
                    &self.source_schema,
                    plan,
                    range.start,
                    &inputs.partitions,
                    run,
                )?
            }
            StageSource::JoinBuckets { left, right, spec } => {
                let schema = |s: usize| &graph.stages[s].schema;
                let sides = (inputs.partitions.as_slice(), inputs.bucketed.as_slice());
                let schemas = (schema(*left), schema(*right));
                let bucket = join::BucketJoin::new(spec, schemas, sides, range.start, run)?;
                let mut transforms: Vec<Box<dyn Transform>> = vec![Box::new(bucket)];
                transforms.extend(self.build_transforms(inputs, run)?);
                return Ok(Pipeline {
                    source: Box::new(join::Start::new()),
                    transforms,
                    rows: self.batch_rows(run),
                });
            }
            StageSource::Gather { .. } => Box::new(Batches::new(inputs.partitions.clone())),
            StageSource::Concat { .. } => Box::new(Batches::new(inputs.partitions[range].to_vec())),
        };
        Ok(Pipeline {
            source,
            transforms: self.build_transforms(inputs, run)?,
            rows: self.batch_rows(run),
        })
    }

    /// Rows of a batch that the memory has room for where its widest rows are those that come or go.
    fn batch_rows(&self, run: &RunContext) -> usize {
        run.rows_of(row_bytes(&self.source_schema).max(row_bytes(&self.schema)))
    }

    /// The pipeline of a task for rows that become groups in order: the merging stage only spreads
    /// them, and what it would do to its groups is left to the stage that would sort them.
    fn ordered_pipeline(
        &self,
        graph: &Graph,
        part: usize,
        (ordered, inputs): (&Arc<Ordered>, &StageInputs),
        run: &Arc<RunContext>,
    ) -> Result<Pipeline> {
        let StageSource::SortedRuns { input, .. } = &self.source else {
            return Ok(Pipeline {
                source: Box::new(Spreading(ordered.clone())),
                transforms: Vec::new(),
                rows: usize::MAX,
            });
        };
        let mut transforms = graph.stages[*input].build_transforms(inputs, run)?;
        transforms.extend(self.build_transforms(inputs, run)?);
        Ok(Pipeline {
            source: Box::new(OrderedSource::new(ordered, part)),
            transforms,
            rows: self.batch_rows(run),
        })
    }

    /// What its rows go through.
    ///
    /// # Errors
    /// The stage does not fit its inputs.
    pub fn build_transforms(
        &self,
        inputs: &StageInputs,
        run: &Arc<RunContext>,
    ) -> Result<Vec<Box<dyn Transform>>> {
        let mut schema = self.source_schema.clone();
        let mut out: Vec<Box<dyn Transform>> = Vec::new();
        for t in &self.transforms {
            out.push(match t {
                StageTransform::Filter { predicate } => {
                    Box::new(Filter::new(Evaluator::bind(predicate, &schema)?))
                }
                StageTransform::Project { exprs } => {
                    let p = Project::new(exprs, &schema)?;
                    schema = p.schema().clone();
                    Box::new(p)
                }
                StageTransform::Expand { lists, times } => {
                    let e = Expand::new(lists, times.as_ref(), &schema)?;
                    schema = e.schema().clone();
                    Box::new(e)
                }
                StageTransform::Probe { build, spec } => {
                    let side = inputs.builds.get(build);
                    let side = side.ok_or_else(|| Error::defect("a join without its build side"))?;
                    let probe = Probe::new(spec, &schema, side.clone())?;
                    schema = probe.schema().clone();
                    Box::new(probe)
                }
                StageTransform::Window { spec } => {
                    schema = spec.schema(&schema);
                    Box::new(Window::new(spec, run)?)
                }
                StageTransform::Limit { skip, take } => Box::new(Limit::new(*skip, *take)),
            });
        }
        Ok(out)
    }

    /// A new sink whose partition stays in this process: it may leave groups in a quicker form.
    pub fn new_local_sink(&self, inputs: &StageInputs, run: &Arc<RunContext>) -> Result<Box<dyn Sink>> {
        match (&self.sink, &inputs.order) {
            (StageSink::PartialAggregate { spec }, Some(order)) => {
                let sink = PartialAggregate::in_order(spec, &self.schema, order, run)?;
                Ok(Box::new(sink))
            }
            _ => self.new_sink(run),
        }
    }

    /// A new sink for this stage.
    pub fn new_sink(&self, run: &Arc<RunContext>) -> Result<Box<dyn Sink>> {
        Ok(match &self.sink {
            StageSink::PartialAggregate { spec } => Box::new(PartialAggregate::new(spec, &self.schema, run)?),
            StageSink::SortRuns { spec } if spec.loose => Box::new(Collect::default()),
            StageSink::SortRuns { spec } => Box::new(SortSink::new(spec, &self.schema, run)?),
            StageSink::Build { spec } => Box::new(BuildSink::new(spec, &self.schema, run)?),
            StageSink::Scatter { spec } => Box::new(ScatterSink::new(spec, &self.schema, run)?),
            StageSink::Branches | StageSink::Batches => Box::new(Collect::default()),
        })
    }
}
