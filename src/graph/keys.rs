//! Rows of scans that no join further on can use, and the order of stages that makes it known in time.
//!
//! ```text
//!   lineitem ► probe orders on l_orderkey ► probe part on l_partkey ► probe totals by partkey
//!      ▲                      │                      │                       ▲
//!      ├── keys of orders ◄───┘                      │                       │ aggregate by l_partkey
//!      └── keys of part ◄────────────────────────────┴── keys of part ──► lineitem, again
//! ```
//!
//! An inner or semi join keeps only left rows whose key the build side has. So, once the build side is
//! there, its keys may go wherever that column of the left comes from: through projections, other joins,
//! groups by that column, down to scans. And what all left rows must have, the build sides of other
//! joins on the same column need not hold beyond. Rows that are left out this way would have met
//! nothing; answers and their order stay what they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

use super::{Graph, ScanKeys, Stage, StageSource, StageTransform};
use crate::error::Result;
use crate::expr::{Expr, JoinKind};
use crate::kernel::{KeySet, types};
use crate::memory::Reservation;
use crate::operate::join;
use crate::pipeline::{Partition, RunContext};
use crate::source::{ColumnKeys, ExprFilter, RowFilter};

/// The sets of keys of one join may take this part of the memory limit.
const SHARE: usize = 64;

/// Keys are of no use to others where a build side has more than this part of those there might be.
const MOST_SHARE: f64 = 0.9;

/// The keys of build sides that are complete.
#[derive(Debug, Default)]
pub struct KeySets {
    sets: HashMap<(usize, usize), Arc<KeySet>>,
    held: Vec<Reservation>,
}

impl KeySets {
    /// Takes those keys of the rows that stage `build` left which some scan of the graph waits for; none
    /// where they lie on disk or would take too much memory.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn add(
        &mut self,
        graph: &Graph,
        build: usize,
        partitions: &[Arc<Partition>],
        run: &RunContext,
    ) -> Result<()> {
        for key in graph.wanted_keys(build) {
            let Some(set) = join::key_set(key, partitions)? else {
                continue;
            };
            let mut held = run.budget.reservation("the keys of a join");
            if set.bytes() > run.budget.limit() / SHARE || held.try_grow(set.bytes()).is_err() {
                continue;
            }
            self.held.push(held);
            self.sets.insert((build, key), Arc::new(set));
        }
        Ok(())
    }
}

/// Where keys come from: a stage that leaves a build side, and the column there.
type Origin = (usize, usize);
/// Where they may go: a stage that scans, and the column of its table.
type Goal = (usize, usize);

impl Graph {
    /// Notes at each scan the joins whose keys its rows must have.
    /// `shares`: about which part of the keys there might be a build side has.
    pub(super) fn find_keys(&mut self, shares: &HashMap<Origin, f64>) -> Result<()> {
        let mut found: Vec<(Origin, Goal)> = Vec::new();
        for stage in &self.stages {
            for (at, t) in stage.transforms.iter().enumerate() {
                let StageTransform::Probe { build, spec } = t else {
                    continue;
                };
                if !matches!(spec.kind, JoinKind::Inner | JoinKind::Semi) {
                    continue;
                }
                for (&left, &right) in spec.left_keys.iter().zip(&spec.right_keys) {
                    let from = (*build, right);
                    if !makes_set(self.stages[*build].schema.field(right).data_type()) {
                        continue;
                    }
                    self.seek(stage, at, left, from, &mut found)?;
                    let mut equal = vec![left];
                    if spec.kind.yields_right() && right < spec.right_columns {
                        equal.push(spec.left_columns + right);
                    }
                    equal.retain(|&c| c != left || left < spec.left_columns);
                    self.seek_behind(stage, at + 1, equal, from, &mut found)?;
                }
            }
        }
        // the keys that leave out most go first: a stage cannot wait for one that waits for it
        while !found.is_empty() {
            let share = |&(from, _): &(Origin, Goal)| self.share(from, shares);
            let least = found
                .iter()
                .map(share)
                .enumerate()
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((at, share)) = least else { break };
            if share > MOST_SHARE {
                break;
            }
            let (from, to) = found.remove(at);
            self.attach(from, to);
        }
        Ok(())
    }

    /// About which part of the keys there might be a build side has, the keys considered that its own scan
    /// waits for.
    fn share(&self, (build, key): Origin, shares: &HashMap<Origin, f64>) -> f64 {
        let own = shares.get(&(build, key)).copied().unwrap_or(1.0);
        match &self.stages[build].source {
            StageSource::Scan { keys, .. } => {
                let others = keys.iter().map(|k| self.share((k.build, k.key), shares));
                own * others.product::<f64>()
            }
            _ => own,
        }
    }

    /// Follows column `column`, as it enters transform `upto`, back to where it comes from.
    fn seek(
        &self,
        stage: &Stage,
        upto: usize,
        mut column: usize,
        from: Origin,
        out: &mut Vec<(Origin, Goal)>,
    ) -> Result<()> {
        for at in (0..upto).rev() {
            match &stage.transforms[at] {
                StageTransform::Filter { .. } => {}
                StageTransform::Project { exprs } => {
                    let Some((_, Expr::Column(name))) = exprs.get(column) else {
                        return Ok(());
                    };
                    column = self.schema_after(stage, at)?.index_of(name)?;
                }
                StageTransform::Probe { build, spec } if column >= spec.left_columns => {
                    return match spec.kind {
                        JoinKind::Inner => self.seek_in(*build, column - spec.left_columns, from, out),
                        _ => Ok(()),
                    };
                }
                StageTransform::Probe { build, spec } => {
                    for (&left, &right) in spec.left_keys.iter().zip(&spec.right_keys) {
                        if left == column {
                            self.seek_in(*build, right, from, out)?;
                        }
                    }
                }
                // fewer rows below would be other windows, other totals
                StageTransform::Limit { .. }
                | StageTransform::Window { .. }
                | StageTransform::Expand { .. } => return Ok(()),
            }
        }
        match &stage.source {
            StageSource::Scan {
                columns, limit: None, ..
            } => out.extend(columns.get(column).map(|&c| (from, (stage.id, c)))),
            StageSource::AggregateBuckets { input, spec } => {
                if let Some(&key) = spec.keys.get(column) {
                    self.seek_in(*input, key, from, out)?;
                }
            }
            StageSource::SortedRuns { input, spec } if spec.limit.is_none() && spec.foremost.is_none() => {
                self.seek_in(*input, column, from, out)?;
            }
            StageSource::Concat { inputs } => {
                for &input in inputs {
                    self.seek_in(input, column, from, out)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The same for a column that a stage leaves, unless others read it as well.
    fn seek_in(
        &self,
        stage: usize,
        column: usize,
        from: Origin,
        out: &mut Vec<(Origin, Goal)>,
    ) -> Result<()> {
        let reads = |s: &&Stage| s.reads(stage);
        if stage == from.0 || self.stages.iter().filter(reads).count() != 1 {
            return Ok(());
        }
        let stage = &self.stages[stage];
        self.seek(stage, stage.transforms.len(), column, from, out)
    }

    /// Finds joins from transform `at` on that are on one of `columns`, which are equal to the key.
    fn seek_behind(
        &self,
        stage: &Stage,
        at: usize,
        mut columns: Vec<usize>,
        from: Origin,
        out: &mut Vec<(Origin, Goal)>,
    ) -> Result<()> {
        for at in at..stage.transforms.len() {
            match &stage.transforms[at] {
                // a window adds its columns behind the others
                StageTransform::Filter { .. } | StageTransform::Window { .. } => {}
                StageTransform::Limit { .. } | StageTransform::Expand { .. } => return Ok(()),
                StageTransform::Project { exprs } => {
                    let schema: SchemaRef = self.schema_after(stage, at)?;
                    let names: Vec<&String> = columns.iter().map(|&c| schema.field(c).name()).collect();
                    let is_one = |(_, (_, e)): &(usize, &(String, Expr))| matches!(e, Expr::Column(n) if names.contains(&n));
                    columns = exprs.iter().enumerate().filter(is_one).map(|(i, _)| i).collect();
                }
                StageTransform::Probe { build, spec } => {
                    for (left, &right) in spec.left_keys.iter().zip(&spec.right_keys) {
                        if columns.contains(left) {
                            self.seek_in(*build, right, from, out)?;
                        }
                    }
                    columns.retain(|&c| c < spec.left_columns);
                }
            }
        }
        Ok(())
    }

    /// Lets a scan wait for keys, unless their stage waits for the scan.
    fn attach(&mut self, (build, key): Origin, (stage, column): Goal) {
        if build == stage || self.needs(build, stage) {
            return;
        }
        let key_type = types::logical(self.stages[build].schema.field(key).data_type());
        let StageSource::Scan { table, keys, .. } = &mut self.stages[stage].source else {
            return;
        };
        let dataset = &self.tables[*table].dataset;
        let new = ScanKeys { build, key, column };
        let same_type = *dataset.schema().field(column).data_type() == key_type;
        if same_type && dataset.takes_keys() && !keys.contains(&new) {
            keys.push(new);
        }
    }

    /// Whether a stage cannot run before another has.
    fn needs(&self, stage: usize, other: usize) -> bool {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![stage]);
        while let Some(s) = todo.pop() {
            if s == other {
                return true;
            }
            if seen.insert(s) {
                todo.extend(self.stages[s].waits_for());
            }
        }
        false
    }

    /// The columns of a build side whose keys some scan waits for.
    fn wanted_keys(&self, build: usize) -> BTreeSet<usize> {
        let keys = self.stages.iter().flat_map(|s| match &s.source {
            StageSource::Scan { keys, .. } => keys.as_slice(),
            _ => &[],
        });
        keys.filter(|k| k.build == build).map(|k| k.key).collect()
    }

    /// The stages in an order in which each finds what it waits for: that of their numbers where it can be.
    pub fn run_order(&self) -> Vec<usize> {
        let mut left: Vec<usize> = (0..self.stages.len()).collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let ready = |&s: &usize| {
                let own = self.stages[s].waits_for();
                // a shared scan runs what branches off
                let branches = self.branches(s).into_iter().flat_map(|b| self.stages[b].builds());
                own.into_iter().chain(branches).all(|d| order.contains(&d))
            };
            let next = left.iter().position(ready).unwrap_or(0);
            order.push(left.remove(next));
        }
        order
    }

    /// The rows that the scan of a stage keeps, as far as keys are known.
    pub(super) fn row_filter(&self, stage: &Stage, known: &KeySets) -> Result<Option<Arc<dyn RowFilter>>> {
        let StageSource::Scan {
            table, filter, keys, ..
        } = &stage.source
        else {
            return Ok(None);
        };
        let set = |k: &ScanKeys| Some((k.column, known.sets.get(&(k.build, k.key))?.clone()));
        let keys: Vec<ColumnKeys> = keys.iter().filter_map(set).collect();
        if filter.is_none() && keys.is_empty() {
            return Ok(None);
        }
        let schema = self.tables[*table].dataset.schema();
        Ok(Some(Arc::new(ExprFilter::new(filter.as_ref(), &keys, schema)?)))
    }
}

impl Stage {
    /// The stages that must have run before.
    fn waits_for(&self) -> Vec<usize> {
        let mut all = self.inputs();
        all.extend(self.builds());
        if let StageSource::Scan { keys, .. } = &self.source {
            all.extend(keys.iter().map(|k| k.build));
        }
        all
    }
}

fn makes_set(ty: &DataType) -> bool {
    matches!(
        types::logical(ty),
        DataType::Int64 | DataType::Date32 | DataType::Timestamp(..) | DataType::Utf8View
    )
}
