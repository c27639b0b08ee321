//! From a plan to stages: operators are fused into the stage below until one needs all rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::calls::Calls;
use super::shared::Shared;
use super::{Graph, GraphResult, Stage, StageSink, StageSource, StageTransform};
use crate::error::{Error, Result};
use crate::expr::{self, AggCall, Expr, Foremost, JoinKind};
use crate::kernel::carry::carrier;
use crate::kernel::{names, types};
use crate::operate::aggregate::AggregateSpec;
use crate::operate::join::{AsOfSpec, JoinSpec};
use crate::operate::sort::{SortKey, SortSpec};
use crate::plan::{self, AsOf, LogicalPlan, OrderBy, Table};

/// Lowers a checked and optimised plan.
pub fn lower(plan: &LogicalPlan) -> Result<Graph> {
    let mut graph = lower_all(&[plan], 1)?;
    if let Some(only) = graph.results.pop() {
        (graph.skip, graph.take) = (only.skip, only.take);
    }
    Ok(graph)
}

/// Lowers several plans to one graph, which computes once what they have in common, and in which up to
/// `most` of them share the scan of a table.
pub fn lower_all(plans: &[&LogicalPlan], most: usize) -> Result<Graph> {
    let mut l = Lowering {
        shared: Shared::of(plans),
        ..Lowering::default()
    };
    let mut results = Vec::new();
    for plan in plans {
        let (inner, skip, take) = match plan {
            LogicalPlan::Limit { input, skip, take } => (input.as_ref(), *skip, *take),
            other => (*other, 0, None),
        };
        let mut open = l.open(inner)?;
        if let Some(take) = take {
            let rows = skip.saturating_add(take);
            open.transforms.push(StageTransform::Limit {
                skip: 0,
                take: Some(rows),
            });
            open.rows_needed = Some(rows);
        }
        let stage = l.close(open, StageSink::Batches);
        results.push(GraphResult { stage, skip, take });
    }
    let mut graph = Graph {
        tables: l.tables,
        stages: l.stages,
        skip: 0,
        take: None,
        results,
    };
    graph.mark_unused()?;
    graph.find_keys(&l.shares)?;
    if most > 1 {
        graph.share_scans(most);
    }
    Ok(graph)
}

/// The part of the keys that a build side is thought to have at least where only the other side's range
/// of values says that it lacks some.
const UNSURE_SHARE: f64 = 0.5;

#[derive(Default)]
pub(super) struct Lowering {
    tables: Vec<Table>,
    stages: Vec<Stage>,
    shared: Shared,
    /// About which part of the keys there might be a build side has, by its stage and column.
    shares: HashMap<(usize, usize), f64>,
}

/// A stage that still takes operators.
pub(super) struct Open {
    source: StageSource,
    pub(super) transforms: Vec<StageTransform>,
    source_schema: SchemaRef,
    pub(super) schema: SchemaRef,
    rows_needed: Option<u64>,
}

impl Open {
    pub(super) fn new(source: StageSource, schema: SchemaRef) -> Self {
        Open {
            source,
            transforms: Vec::new(),
            source_schema: schema.clone(),
            schema,
            rows_needed: None,
        }
    }
}

impl Open {
    /// The stages that it reads in turn, if it does no more than giving their columns other names.
    fn only_reads(&self) -> Option<&[usize]> {
        let StageSource::Concat { inputs } = &self.source else {
            return None;
        };
        let mut names: Vec<&String> = self.source_schema.fields().iter().map(|f| f.name()).collect();
        for t in &self.transforms {
            let StageTransform::Project { exprs } = t else {
                return None;
            };
            let in_place =
                |((_, e), name): (&(String, Expr), &String)| matches!(e, Expr::Column(c) if c == name);
            if exprs.len() != names.len() || !exprs.iter().zip(names).all(in_place) {
                return None;
            }
            names = exprs.iter().map(|(name, _)| name).collect();
        }
        self.rows_needed.is_none().then_some(inputs)
    }
}

impl Lowering {
    /// The stage that yields the rows of a plan, or reads them where another use of the same has left them.
    pub(super) fn open(&mut self, plan: &LogicalPlan) -> Result<Open> {
        let Some(part) = self.shared.find(plan) else {
            return self.open_own(plan);
        };
        let schema = plan.schema()?;
        if let Some((stage, places)) = self.shared.made(&part) {
            let fields = self.stages[stage].schema.fields().iter().enumerate();
            let hidden = fields.map(|(i, f)| f.as_ref().clone().with_name(format!("\u{0}shared{i}")));
            let hidden: SchemaRef = Arc::new(Schema::new(hidden.collect::<Vec<_>>()));
            let named = schema.fields().iter().zip(places);
            let exprs = named.map(|(f, i)| (f.name().clone(), Expr::column(hidden.field(i).name())));
            let exprs = exprs.collect();
            let mut open = Open::new(StageSource::Concat { inputs: vec![stage] }, hidden.clone());
            project(&mut open, exprs, schema);
            return Ok(open);
        }
        let open = self.open_own(plan)?;
        let stage = self.close(open, StageSink::Batches);
        self.shared.make(part, stage);
        Ok(Open::new(StageSource::Concat { inputs: vec![stage] }, schema))
    }

    fn open_own(&mut self, plan: &LogicalPlan) -> Result<Open> {
        match plan {
            LogicalPlan::Scan {
                table,
                columns,
                filter,
                limit,
            } => {
                let all = table.dataset.schema();
                let indices = match columns {
                    None => (0..all.fields().len()).collect(),
                    Some(names) => names
                        .iter()
                        .map(|n| {
                            names::place(all, n)
                                .ok_or_else(|| Error::defect("a scan of a column that there is not"))
                        })
                        .collect::<Result<Vec<_>>>()?,
                };
                self.tables.push(table.clone());
                let (table, columns) = (self.tables.len() - 1, indices);
                let source = StageSource::Scan {
                    table,
                    columns,
                    filter: filter.clone(),
                    limit: *limit,
                    keys: Vec::new(),
                };
                Ok(Open::new(source, plan.schema()?))
            }
            LogicalPlan::Filter { input, predicate } => {
                let mut open = self.open(input)?;
                open.transforms.push(StageTransform::Filter {
                    predicate: predicate.clone(),
                });
                Ok(open)
            }
            LogicalPlan::Project { input, exprs } => {
                let mut open = self.open(input)?;
                project(&mut open, exprs.clone(), plan.schema()?);
                Ok(open)
            }
            LogicalPlan::Aggregate { input, keys, aggs } => self.aggregate(input, keys, aggs, plan.schema()?),
            LogicalPlan::Sort { input, keys, limit } => self.sort(input, keys, *limit),
            LogicalPlan::Window {
                input,
                order,
                ties,
                calls,
                foremost,
            } => {
                let by = (order.as_slice(), ties.as_slice(), foremost.as_ref());
                self.window(input, by, calls, plan.schema()?)
            }
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => {
                let how = (*kind, filter.as_ref(), asof.as_ref());
                self.join(left, right, how, on, plan.schema()?)
            }
            LogicalPlan::Union { inputs } => {
                let mut stages = Vec::new();
                for input in inputs {
                    let open = self.open(input)?;
                    match open.only_reads() {
                        // a union within a union; a stage that stands there twice is read by a stage of its own
                        Some(more) if !more.iter().any(|s| stages.contains(s)) => {
                            stages.extend_from_slice(more)
                        }
                        _ => stages.push(self.close(open, StageSink::Batches)),
                    }
                }
                Ok(Open::new(StageSource::Concat { inputs: stages }, plan.schema()?))
            }
            LogicalPlan::Expand {
                input, lists, times, ..
            } => {
                let mut open = match input.as_ref() {
                    LogicalPlan::Aggregate { keys, .. } => self.groups_in_any_order(input, keys.len())?,
                    _ => self.open(input)?,
                };
                open.transforms.push(StageTransform::Expand {
                    lists: lists.clone(),
                    times: times.clone(),
                });
                open.schema = plan.schema()?;
                open.rows_needed = None;
                Ok(open)
            }
            LogicalPlan::Limit { input, skip, take } => {
                let mut open = self.open(input)?;
                if let Some(take) = take {
                    let rows = skip.saturating_add(*take);
                    open.transforms.push(StageTransform::Limit {
                        skip: 0,
                        take: Some(rows),
                    });
                    open.rows_needed = Some(rows);
                }
                let schema = open.schema.clone();
                let input = self.close(open, StageSink::Batches);
                let mut open = Open::new(StageSource::Gather { input }, schema);
                open.transforms.push(StageTransform::Limit {
                    skip: *skip,
                    take: *take,
                });
                Ok(open)
            }
        }
    }

    fn aggregate(
        &mut self,
        input: &LogicalPlan,
        keys: &[(String, Expr)],
        aggs: &[(String, AggCall)],
        schema: SchemaRef,
    ) -> Result<Open> {
        let mut open = match input {
            LogicalPlan::Aggregate { keys, .. } => self.groups_in_any_order(input, keys.len())?,
            _ => self.open(input)?,
        };
        let mut needed: Vec<Expr> = Vec::new();
        let mut place = |e: Expr| match needed.iter().position(|x| *x == e) {
            Some(i) => i,
            None => {
                needed.push(e);
                needed.len() - 1
            }
        };
        let carried: Vec<Option<DataType>> = keys
            .iter()
            .map(|(_, e)| expr::needs_carrier(e, &open.schema))
            .collect::<Result<_>>()?;
        let key = |e: &Expr, c: &Option<DataType>| match c {
            Some(_) => expr::carried(e.clone()),
            None => e.clone(),
        };
        let key_columns = keys.iter().zip(&carried);
        let key_columns = key_columns.map(|((_, e), c)| place(key(e, c))).collect();
        let calls = Calls::new(aggs, keys, &open.schema)?;
        let unpacking = calls.unpacked(&schema, &carried)?;
        let engine = calls.aggs.into_iter();
        let engine = engine.map(|(f, arg)| (f, arg.map(&mut place))).collect();
        let totals = match input {
            LogicalPlan::Expand {
                totals: Some((name, values)),
                ..
            } => {
                let at = keys
                    .iter()
                    .position(|(_, e)| matches!(e, Expr::Column(c) if c == name));
                at.map(|at| (at, values.clone()))
            }
            _ => None,
        };
        let spec = AggregateSpec {
            keys: key_columns,
            aggs: engine,
            totals,
        };
        // Different expressions have different texts; the texts serve in messages.
        let exprs: Vec<(String, Expr)> = needed.into_iter().map(|e| (e.to_string(), e)).collect();
        let fields: Result<Vec<Field>> = exprs
            .iter()
            .map(|(n, e)| Ok(Field::new(n, e.data_type(&open.schema)?, true)))
            .collect();
        project(&mut open, exprs, Arc::new(Schema::new(fields?)));
        let input = self.close(open, StageSink::PartialAggregate { spec: spec.clone() });
        let source = StageSource::AggregateBuckets { input, spec };
        let Some(unpacking) = unpacking else {
            return Ok(Open::new(source, schema));
        };
        let mut open = Open::new(source, unpacking.schema);
        project(&mut open, unpacking.exprs, schema);
        Ok(open)
    }

    /// Groups whose order nobody sees: where they are nearly as many as rows, they are made by sorting
    /// codes rather than in a table.
    fn groups_in_any_order(&mut self, groups: &LogicalPlan, keys: usize) -> Result<Open> {
        let open = self.open(groups)?;
        if keys == 0 || !matches!(open.source, StageSource::AggregateBuckets { .. }) {
            return Ok(open);
        }
        let schema = open.schema.clone();
        let key = |column| SortKey {
            column,
            descending: false,
            nulls_first: false,
        };
        let spec = SortSpec {
            keys: (0..keys).map(key).collect(),
            limit: None,
            whole: None,
            foremost: None,
            loose: true,
        };
        let input = self.close(open, StageSink::SortRuns { spec: spec.clone() });
        Ok(Open::new(StageSource::SortedRuns { input, spec }, schema))
    }

    fn sort(&mut self, input: &LogicalPlan, keys: &[OrderBy], limit: Option<u64>) -> Result<Open> {
        let open = self.open(input)?;
        let visible = open.schema.clone();
        let (mut open, _) = self.sorted(open, keys, limit, (None, None))?;
        if open.schema.fields().len() > visible.fields().len() {
            project(&mut open, Expr::columns_of(&visible), visible);
        }
        Ok(open)
    }

    /// The rows of `open`, sorted, and what their columns are of: keys that are no columns yet stand
    /// behind those. Rows that agree in the first `whole` keys stay in one task, and of these only the
    /// foremost are wanted.
    pub(super) fn sorted(
        &mut self,
        mut open: Open,
        keys: &[OrderBy],
        limit: Option<u64>,
        (whole, foremost): (Option<usize>, Option<Foremost>),
    ) -> Result<(Open, Vec<(String, Expr)>)> {
        let visible = open.schema.clone();
        let mark = types::hidden('\u{0}', &types::names_of(&visible));
        let mut exprs = Expr::columns_of(&visible);
        let mut sort_keys: Vec<SortKey> = Vec::new();
        for k in keys {
            let key = sortable(&k.expr, &visible)?;
            let column = match exprs.iter().position(|(_, e)| *e == key) {
                Some(i) => i,
                None => {
                    exprs.push((format!("{mark}sort{}", exprs.len()), key));
                    exprs.len() - 1
                }
            };
            sort_keys.push(SortKey {
                column,
                descending: k.descending,
                nulls_first: k.nulls_first,
            });
        }
        if exprs.len() > visible.fields().len() {
            let mut fields: Vec<Field> = visible.fields().iter().map(|f| f.as_ref().clone()).collect();
            for (name, e) in &exprs[fields.len()..] {
                fields.push(Field::new(name, e.data_type(&visible)?, true));
            }
            project(&mut open, exprs.clone(), Arc::new(Schema::new(fields)));
        }
        let schema = open.schema.clone();
        let spec = SortSpec {
            keys: sort_keys,
            limit,
            whole,
            foremost,
            loose: false,
        };
        let input = self.close(open, StageSink::SortRuns { spec: spec.clone() });
        Ok((Open::new(StageSource::SortedRuns { input, spec }, schema), exprs))
    }

    /// The build side becomes a stage of its own, and the probe a transform in the stage of the left.
    fn join(
        &mut self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        (kind, filter, asof): (JoinKind, Option<&Expr>, Option<&AsOf>),
        on: &[(Expr, Expr)],
        schema: SchemaRef,
    ) -> Result<Open> {
        let mut build = self.open(right)?;
        let mut probe = self.open(left)?;
        let right_width = build.schema.fields().len();
        let left_schema = probe.schema.clone();
        let nearest = asof.iter().map(|a| (&a.left, &a.right));
        let keys: Vec<(&Expr, &Expr)> = on.iter().map(|(l, r)| (l, r)).chain(nearest.clone()).collect();
        let equal = on
            .iter()
            .map(|(l, r)| plan::key_type(l, &left_schema, r, &build.schema));
        let nearest = nearest.map(|(l, r)| plan::common_type(l, &left_schema, r, &build.schema));
        let types = equal.chain(nearest).collect::<Result<Vec<_>>>()?;
        let (ls, rs): (Vec<&Expr>, Vec<&Expr>) = keys.into_iter().unzip();
        let mut left_keys = with_keys(&mut probe, &ls, &types)?;
        let mut right_keys = with_keys(&mut build, &rs, &types)?;
        let asof = asof.and_then(|a| {
            let (left, right) = left_keys.pop().zip(right_keys.pop())?;
            Some(AsOfSpec {
                left,
                right,
                op: a.op,
            })
        });
        let spec = JoinSpec {
            kind,
            left_keys,
            right_keys,
            left_columns: left_schema.fields().len(),
            right_columns: right_width,
            filter: filter.cloned(),
            asof,
            unused: Vec::new(),
        };
        let build = self.close(build, StageSink::Build { spec: spec.clone() });
        let rows = right.estimated_rows();
        for (&key, (l, r)) in spec.right_keys.iter().zip(on) {
            let share = |plan: &LogicalPlan, e: &Expr| (rows / plan.distinct(e).max(1.0)).min(1.0);
            // what a side has lost is surer than what it never had
            let (own, of_left) = (share(right, r), share(left, l));
            self.shares
                .insert((build, key), own.min(of_left.max(UNSURE_SHARE)));
        }
        probe.transforms.push(StageTransform::Probe { build, spec });
        probe.schema = schema;
        probe.rows_needed = None;
        Ok(probe)
    }

    pub(super) fn close(&mut self, open: Open, sink: StageSink) -> usize {
        let id = self.stages.len();
        let Open {
            source,
            transforms,
            source_schema,
            schema,
            rows_needed,
        } = open;
        self.stages.push(Stage {
            id,
            source,
            transforms,
            sink,
            rows_needed,
            source_schema,
            schema,
        });
        id
    }
}

/// An expression as one that can be sorted by, and compared with peers.
pub(super) fn sortable(e: &Expr, schema: &Schema) -> Result<Expr> {
    Ok(match expr::needs_carrier(e, schema)? {
        Some(_) => expr::carried(e.clone()),
        None => e.clone(),
    })
}

/// Sees that each key is a column of its common type; those that are not yet are added at the end.
fn with_keys(open: &mut Open, keys: &[&Expr], types: &[DataType]) -> Result<Vec<usize>> {
    let fields = open.schema.fields().clone();
    let mark = types::hidden('\u{0}', &types::names_of(&open.schema));
    let mut exprs = Expr::columns_of(&open.schema);
    let mut all: Vec<Field> = fields.iter().map(|f| f.as_ref().clone()).collect();
    let mut places = Vec::new();
    for (key, ty) in keys.iter().zip(types) {
        let mut key = expr::as_compared((*key).clone(), &open.schema, ty)?;
        let mut ty = ty.clone();
        if let Some(carrier) = carrier(&ty) {
            (key, ty) = (expr::carried(key), carrier);
        }
        places.push(match exprs.iter().position(|(_, e)| *e == key) {
            Some(i) => i,
            None => {
                let name = format!("{mark}key{}", exprs.len());
                all.push(Field::new(&name, ty, true));
                exprs.push((name, key));
                exprs.len() - 1
            }
        });
    }
    if all.len() > fields.len() {
        project(open, exprs, Arc::new(Schema::new(all)));
    }
    Ok(places)
}

/// Adds a projection, unless it would hand on exactly what comes in.
pub(super) fn project(open: &mut Open, exprs: Vec<(String, Expr)>, schema: SchemaRef) {
    let fields = open.schema.fields();
    let same = exprs.len() == fields.len()
        && exprs
            .iter()
            .zip(fields)
            .all(|((n, e), f)| n == f.name() && matches!(e, Expr::Column(c) if c == n));
    if !same {
        open.transforms.push(StageTransform::Project { exprs });
    }
    open.schema = schema;
}
