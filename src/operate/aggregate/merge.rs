//! The second half of an aggregate: the same bucket of all partitions becomes final groups.
//!
//! A bucket whose groups do not fit the memory is merged in several passes: each reads the whole
//! bucket and keeps the groups whose hash has one of the next bits' values, so that nothing has to
//! be written again.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute;
use arrow::datatypes::SchemaRef;

use super::finish::output;
use super::groups::{Groups, Layout, hashes};
use super::partial::{BUCKETS, bucket_of};
use super::spec::AggregateSpec;
use crate::error::{Kind, Result};
use crate::kernel::Batch;
use crate::memory::Reservation;
use crate::pipeline::{Partition, RunContext, Source, TaskContext};

/// A bucket is never read more often than this.
const MAX_PASSES: u64 = 1 << 12;
/// Groups in a table take about this many times the bytes of their exported form.
const TABLE_FACTOR: u64 = 4;

/// The final groups of a range of buckets, in batches of keys and aggregates, in no useful order.
///
/// # Errors
/// None at once; the source reports damaged spill files, overflowing sums, and too little memory
/// for a single group.
pub fn merge_buckets(
    spec: &AggregateSpec,
    input: &SchemaRef,
    buckets: Range<usize>,
    inputs: &[Arc<Partition>],
    run: &Arc<RunContext>,
) -> Result<Box<dyn Source>> {
    let layout = Arc::new(Layout::new(spec, input));
    // A small partition keeps all its groups in its first bucket. If another one is split, its
    // groups have to be dealt out again.
    let split = inputs.iter().any(|p| p.buckets[1..].iter().any(|b| b.rows > 0));
    let passes = Vec::new();
    Ok(Box::new(Merge {
        layout,
        inputs: inputs.to_vec(),
        todo: if split {
            buckets
        } else {
            0..usize::from(buckets.start == 0)
        },
        split,
        passes,
        ready: None,
        reservation: run.budget.reservation("merging groups"),
        run: run.clone(),
    }))
}

struct Merge {
    layout: Arc<Layout>,
    inputs: Vec<Arc<Partition>>,
    todo: Range<usize>,
    split: bool,
    /// Passes left: bucket, mask and value of the hash bits below the bucket's.
    passes: Vec<(usize, u64, u64)>,
    ready: Option<(Groups, usize)>,
    reservation: Reservation,
    run: Arc<RunContext>,
}

impl Source for Merge {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            cx.check()?;
            if let Some((groups, from)) = &mut self.ready {
                let n = groups.table.groups();
                if *from < n {
                    let to = (*from + Batch::TARGET_ROWS).min(n);
                    let columns = output(groups, *from..to)?;
                    let batch = Batch::new(columns, to - *from, (cx.part as u64) << 40 | *from as u64);
                    *from = to;
                    return Ok(Some(batch));
                }
                self.ready = None;
                self.reservation.free();
            }
            let Some((bucket, mask, value)) = self.next_pass() else {
                return Ok(None);
            };
            match self.merge(bucket, mask, value) {
                Ok(groups) => self.ready = Some((groups, 0)),
                Err(e) if e.kind() == Kind::Limit && mask < MAX_PASSES => {
                    self.reservation.free();
                    let next = mask << 1 | 1;
                    self.passes.push((bucket, next, value));
                    self.passes.push((bucket, next, value | (mask + 1)));
                }
                Err(e) => return Err(e),
            }
        }
    }
}

impl Merge {
    fn next_pass(&mut self) -> Option<(usize, u64, u64)> {
        if let Some(p) = self.passes.pop() {
            return Some(p);
        }
        let bucket = self.todo.next()?;
        let bytes: u64 = self
            .inputs
            .iter()
            .map(|p| p.buckets.get(bucket).map_or(0, |b| b.bytes))
            .sum();
        let share = (self.run.budget.limit() / (2 * self.run.threads.max(1))).max(1) as u64;
        let passes = (bytes * TABLE_FACTOR / share + 1)
            .next_power_of_two()
            .min(MAX_PASSES);
        self.passes.extend((1..passes).map(|v| (bucket, passes - 1, v)));
        Some((bucket, passes - 1, 0))
    }

    fn merge(&mut self, bucket: usize, mask: u64, value: u64) -> Result<Groups> {
        let mut groups = Groups::new(self.layout.clone());
        if self.layout.spec.keys.is_empty() {
            groups.single(0);
        }
        for p in self.inputs.clone() {
            if let Some(b) = p.buckets.get(bucket) {
                for batch in &b.batches {
                    self.take(&mut groups, &batch.columns, bucket, mask, value)?;
                }
                for (file, block) in &b.spilled {
                    self.take(&mut groups, file.read(block)?.columns(), bucket, mask, value)?;
                }
            }
            // Groups of a small partition, not dealt out yet.
            if self.split && bucket > 0 && p.buckets[1..].iter().all(|b| b.rows == 0) {
                for batch in &p.buckets[0].batches {
                    self.take(&mut groups, &batch.columns, bucket, mask, value)?;
                }
                for (file, block) in &p.buckets[0].spilled {
                    self.take(&mut groups, file.read(block)?.columns(), bucket, mask, value)?;
                }
            }
        }
        groups.settle();
        Ok(groups)
    }

    /// Merges those rows that belong to this bucket and pass.
    fn take(
        &mut self,
        groups: &mut Groups,
        columns: &[ArrayRef],
        bucket: usize,
        mask: u64,
        value: u64,
    ) -> Result<()> {
        let filtered;
        let mut columns = columns;
        if mask > 0 || self.split {
            let bits = |h: u64| (h >> (56 - 12)) & mask;
            let wanted = |h: u64| (!self.split || bucket_of(h) == bucket) && bits(h) == value;
            let keep: BooleanArray = hashes(&columns[0]).into_iter().map(|h| Some(wanted(h))).collect();
            if keep.true_count() < keep.len() {
                filtered = columns
                    .iter()
                    .map(|c| compute::filter(c, &keep))
                    .collect::<Result<Vec<_>, _>>()?;
                columns = &filtered;
            }
        }
        let rows = columns[0].len();
        if rows == 0 {
            return Ok(());
        }
        let lists: usize = columns.iter().map(|c| c.get_array_memory_size()).sum();
        self.reservation
            .try_resize(groups.bytes() + groups.growth(rows) + lists)?;
        groups.merge(columns)
    }
}

const _: () = assert!(BUCKETS == 256, "bucket_of takes the highest eight bits");
