//! Scans of the same table that become one, whose rows go several ways.
//!
//! ```text
//!   before   s0  scan t (a, b) where p ► aggregate        after   s2  scan t (a, b, c) where p or q ► branches
//!            s1  scan t (b, c) where q ► sort                      s0  rows of s2 ► filter p ► project ► aggregate
//!                                                                  s1  rows of s2 ► filter q ► project ► sort
//! ```
//!
//! The stages that branch off keep their numbers, so that whoever reads them need not know. The scheduler
//! runs them all in the tasks of the scan, which reads each file once. Run for itself, as `ddf __task` does,
//! a task of such a stage reads the scan's partition on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::{Graph, Stage, StageSink, StageSource, StageTransform};
use crate::expr::{BinaryOp, Expr};

/// Filters of so many scans are tested together before rows are handed on; of more it does not pay.
const MOST_FILTERS: usize = 4;

impl Graph {
    /// Lets scans of the same table that can run at the same time be one, at most `most` at once: each
    /// of their sinks holds memory.
    pub fn share_scans(&mut self, most: usize) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for stage in (0..self.stages.len()).filter(|&s| self.can_share(s)) {
            let fits = |group: &&Vec<usize>| {
                group.len() < most
                    && self.same_table(group[0], stage)
                    && self.acyclic(&groups, group[0], stage)
            };
            let found = groups.iter().position(|g| fits(&g));
            match found {
                Some(i) => groups[i].push(stage),
                None => groups.push(vec![stage]),
            }
        }
        for group in groups.iter().filter(|g| g.len() > 1) {
            self.unite(group);
        }
    }

    /// The stages that branch off the scan of a stage.
    pub fn branches(&self, stage: usize) -> Vec<usize> {
        let all = self.stages.iter().map(|s| s.id);
        all.filter(|&s| self.stages[s].branches_off() == Some(stage))
            .collect()
    }

    /// Whether a stage reads a table to its end: where few rows are enough, others should not go on.
    fn can_share(&self, stage: usize) -> bool {
        let s = &self.stages[stage];
        matches!(s.source, StageSource::Scan { limit: None, .. }) && s.rows_needed.is_none()
    }

    fn same_table(&self, a: usize, b: usize) -> bool {
        let dataset = |s: usize| {
            self.scanned(&self.stages[s])
                .map(|t| self.tables[t].dataset.clone())
        };
        match (dataset(a), dataset(b)) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a, &b),
            _ => false,
        }
    }

    /// Whether no stage would wait for itself if `stage` ran together with the group of `first`.
    fn acyclic(&self, groups: &[Vec<usize>], first: usize, stage: usize) -> bool {
        let group_of = |s: usize| match s == stage {
            true => first,
            false => groups.iter().find(|g| g.contains(&s)).map_or(s, |g| g[0]),
        };
        let mut waits: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.stages.len()];
        for s in &self.stages {
            let shared = group_of(s.id) != s.id || s.id == first;
            let mut before = s.inputs();
            before.extend(s.builds());
            if let (StageSource::Scan { keys, .. }, false) = (&s.source, shared) {
                before.extend(keys.iter().map(|k| k.build));
            }
            waits[group_of(s.id)].extend(before.into_iter().map(group_of));
        }
        let mut left: BTreeSet<usize> = (0..self.stages.len()).map(group_of).collect();
        while let Some(&next) = left.iter().find(|&&s| waits[s].is_disjoint(&left)) {
            left.remove(&next);
        }
        left.is_empty()
    }

    /// Makes the scans of `group` one.
    fn unite(&mut self, group: &[usize]) {
        let id = self.stages.len();
        let mut filters: Vec<Option<Expr>> = Vec::new();
        for &s in group {
            let StageSource::Scan { filter, .. } = &self.stages[s].source else {
                return;
            };
            if !filters.contains(filter) {
                filters.push(filter.clone());
            }
        }
        let (table, shared) = match (self.scanned(&self.stages[group[0]]), either(&filters)) {
            (Some(table), shared) => (table, shared),
            (None, _) => return,
        };
        let dataset = self.tables[table].dataset.clone();
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        for &s in group {
            let StageSource::Scan { columns, filter, .. } = &self.stages[s].source else {
                return;
            };
            wanted.extend(columns);
            if let Some(f) = filter.as_ref().filter(|f| Some(*f) != shared.as_ref()) {
                wanted.extend(
                    f.columns()
                        .iter()
                        .filter_map(|c| dataset.schema().index_of(c).ok()),
                );
            }
        }
        let columns: Vec<usize> = wanted.into_iter().collect();
        let fields: Vec<_> = columns
            .iter()
            .map(|&c| dataset.schema().fields()[c].clone())
            .collect();
        let schema = Arc::new(Schema::new(fields));
        for &s in group {
            let stage = &mut self.stages[s];
            let own = StageSource::Branch { of: id };
            let StageSource::Scan { filter, .. } = std::mem::replace(&mut stage.source, own) else {
                return;
            };
            let mut first: Vec<StageTransform> = Vec::new();
            if let Some(predicate) = filter.filter(|f| Some(f) != shared.as_ref()) {
                first.push(StageTransform::Filter { predicate });
            }
            if stage.source_schema.fields() != schema.fields() {
                let exprs = Expr::columns_of(&stage.source_schema);
                first.push(StageTransform::Project { exprs });
            }
            stage.source_schema = schema.clone();
            stage.transforms.splice(0..0, first);
        }
        self.stages.push(Stage {
            id,
            source: StageSource::Scan {
                table,
                columns,
                filter: shared,
                limit: None,
                keys: Vec::new(),
            },
            transforms: Vec::new(),
            sink: StageSink::Branches,
            rows_needed: None,
            source_schema: schema.clone(),
            schema,
        });
    }

    /// The table that a stage reads rows of, itself or by branching off a scan.
    pub fn scanned(&self, stage: &Stage) -> Option<usize> {
        match &stage.source {
            StageSource::Scan { table, .. } => Some(*table),
            StageSource::Branch { of } => self.scanned(&self.stages[*of]),
            _ => None,
        }
    }
}

impl Stage {
    /// The stage whose scan it branches off, if it does.
    pub fn branches_off(&self) -> Option<usize> {
        match &self.source {
            StageSource::Branch { of } => Some(*of),
            _ => None,
        }
    }
}

/// What passes one of the filters; none: all rows.
fn either(filters: &[Option<Expr>]) -> Option<Expr> {
    if filters.len() > MOST_FILTERS {
        return None;
    }
    let all: Option<Vec<Expr>> = filters.iter().cloned().collect();
    all?.into_iter().reduce(|a, b| Expr::Binary {
        op: BinaryOp::Or,
        left: Box::new(a),
        right: Box::new(b),
    })
}
