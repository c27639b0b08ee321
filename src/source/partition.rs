//! One partition of a table as a table of its own: to run again what failed, and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Dataset, Sample, ScanRequest, Values};
use crate::error::{Error, Result};
use crate::kernel::Scalar;
use crate::observe::Warning;
use crate::pipeline::{RunContext, Source};

/// A table of which only one partition is read.
pub struct OnePartition {
    of: Arc<dyn Dataset>,
    part: usize,
}

impl OnePartition {
    /// Partition `part` of `of`.
    ///
    /// # Errors
    /// Of kind `Usage`: there are not so many.
    pub fn new(of: Arc<dyn Dataset>, part: usize) -> Result<OnePartition> {
        let all = of.partitions();
        if part >= all {
            let what = match all {
                0 => format!("there is no partition {part}: the table has none"),
                1 => format!("there is no partition {part}: the table has only partition 0"),
                n => format!(
                    "there is no partition {part}: the table has partitions 0 to {}",
                    n - 1
                ),
            };
            return Err(Error::usage(what));
        }
        Ok(OnePartition { of, part })
    }

    /// What [`Dataset::to_json`] described.
    pub(super) fn from_json(value: &serde_json::Value) -> Result<OnePartition> {
        let of = super::from_json(value.get("of").unwrap_or(&serde_json::Value::Null))?;
        let part = value.get("part").and_then(|p| p.as_u64()).unwrap_or(u64::MAX);
        OnePartition::new(of, usize::try_from(part).unwrap_or(usize::MAX))
    }
}

impl Dataset for OnePartition {
    fn schema(&self) -> &SchemaRef {
        self.of.schema()
    }
    fn partitions(&self) -> usize {
        1
    }
    fn open(self: Arc<Self>, _part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        let alone = ScanRequest {
            alone: true,
            ..request.clone()
        };
        self.of.clone().open(self.part, &alone)
    }
    fn bytes(&self) -> u64 {
        self.of.bytes() / self.of.partitions().max(1) as u64
    }
    fn may_widen(&self, columns: &[usize]) -> bool {
        self.of.may_widen(columns)
    }
    fn with_written(self: Arc<Self>, columns: &[usize]) -> Option<Arc<dyn Dataset>> {
        let of = self.of.clone().with_written(columns)?;
        Some(Arc::new(OnePartition { of, part: self.part }))
    }
    fn takes_keys(&self) -> bool {
        self.of.takes_keys()
    }
    fn estimated_rows(&self) -> u64 {
        self.of.estimated_rows() / self.of.partitions().max(1) as u64
    }
    fn range(&self, column: usize) -> Option<(Scalar, Scalar)> {
        self.of.range(column)
    }
    fn sample(&self, columns: &[usize]) -> Option<Sample> {
        let mut sample = self.of.sample(columns)?;
        sample.of = (sample.of / self.of.partitions().max(1) as f64).max(sample.rows() as f64);
        Some(sample)
    }
    fn values(&self, column: usize) -> Option<Values> {
        self.of.values(column)
    }
    fn block_bytes(&self, columns: &[usize]) -> u64 {
        self.of.block_bytes(columns)
    }
    fn describe(&self, _part: usize) -> String {
        self.of.describe(self.part)
    }
    fn doubt(&self) {
        self.of.doubt();
    }
    fn refine(self: Arc<Self>, columns: &[usize], run: &RunContext) -> Result<Arc<dyn Dataset>> {
        let of = self.of.clone().refine(columns, run)?;
        Ok(Arc::new(OnePartition { of, part: self.part }))
    }
    fn set_aside(&self, run: &RunContext) -> Result<Option<PathBuf>> {
        // the others are not wanted, so they need not be looked through
        let others = (0..self.of.partitions()).filter(|p| *p != self.part);
        others.for_each(|p| run.aside.finished(p));
        self.of.set_aside(run)
    }
    fn guesses_hold(&self) -> Result<bool> {
        self.of.guesses_hold()
    }
    fn retries(&self) -> u64 {
        self.of.retries()
    }
    fn warnings(&self) -> Vec<Warning> {
        self.of.warnings()
    }
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"format": "partition", "part": self.part, "of": self.of.to_json()})
    }
}
