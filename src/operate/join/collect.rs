//! The sink of a build side: rows in memory, or spread over buckets on disk once that is refused.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::JoinSpec;
use super::build::{TABLE_BYTES, encoder};
use super::scatter::{BUCKETS, Keyless, Nulls, Places, Scatter, places_of, with_order};
use crate::error::Result;
use crate::kernel::Batch;
use crate::memory::Reservation;
use crate::pipeline::{Flow, Partition, RunContext, Sink, TaskContext};

/// Rows of build sides are kept in memory up to this part of the limit: their table comes on top.
const ROWS_SHARE: usize = 2;

/// Keeps the rows of a build side, compacted.
pub struct BuildSink {
    spec: JoinSpec,
    schema: SchemaRef,
    run: Arc<RunContext>,
    batches: Vec<Batch>,
    held: Reservation,
    places: Places,
    scatter: Option<Scatter>,
}

impl BuildSink {
    /// A sink for the right side of `spec`.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn new(spec: &JoinSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        encoder(&spec.right_keys, schema)?;
        Ok(BuildSink {
            spec: spec.clone(),
            schema: schema.clone(),
            run: run.clone(),
            batches: Vec::new(),
            held: run.budget.reservation("the build side of a join"),
            places: Places::default(),
            scatter: None,
        })
    }
}

impl Sink for BuildSink {
    fn push(&mut self, mut batch: Batch, cx: &TaskContext) -> Result<Flow> {
        if batch.rows == 0 {
            return Ok(Flow::More);
        }
        // which worker takes which task is a matter of luck; the order of the input is not
        batch.position = self.places.take(cx.part, batch.rows);
        if let Some(scatter) = &mut self.scatter {
            push(scatter, batch)?;
            return Ok(Flow::More);
        }
        let batch = batch.compacted()?;
        let (bytes, budget) = (batch.own_bytes(), &self.run.budget);
        let fits = budget.used() + bytes + batch.rows * TABLE_BYTES <= budget.limit() / ROWS_SHARE;
        self.batches.push(batch);
        if fits && self.held.try_grow(bytes).is_ok() {
            return Ok(Flow::More);
        }
        let mut scatter = right_scatter(&self.spec, &self.schema, &self.run)?;
        for batch in std::mem::take(&mut self.batches) {
            self.held.shrink(batch.own_bytes());
            push(&mut scatter, batch)?;
        }
        self.held.free();
        self.scatter = Some(scatter);
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        if let Some(scatter) = self.scatter {
            return scatter.finish();
        }
        let mut p = Partition::in_memory(self.batches);
        p.buckets[0].bytes = self.held.bytes() as u64;
        p.buckets[0].reservation = Some(self.held);
        Ok(p)
    }
}

fn right_scatter(spec: &JoinSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Scatter> {
    let how = (Nulls::Drop, Keyless::First);
    Scatter::new(&spec.right_keys, &with_order(schema), how, 0, run)
}

fn push(scatter: &mut Scatter, mut batch: Batch) -> Result<()> {
    batch.columns.push(places_of(&batch));
    scatter.push(batch)
}

/// Whether a build side's rows have been spread over buckets.
pub fn is_scattered(partition: &Partition) -> bool {
    partition.buckets.len() == BUCKETS
}

/// Spreads the rows that a [`BuildSink`] left in memory over buckets on disk.
///
/// # Errors
/// The spill files cannot be written.
pub fn scatter_build(
    spec: &JoinSpec,
    schema: &SchemaRef,
    partition: Arc<Partition>,
    run: &Arc<RunContext>,
) -> Result<Arc<Partition>> {
    if is_scattered(&partition) {
        return Ok(partition);
    }
    let mut scatter = right_scatter(spec, schema, run)?;
    // the only owner lets go of each batch as it is written
    match Arc::try_unwrap(partition) {
        Ok(partition) => {
            for bucket in partition.buckets {
                bucket
                    .batches
                    .into_iter()
                    .try_for_each(|b| push(&mut scatter, b))?;
            }
        }
        Err(shared) => {
            let batches = shared.buckets.iter().flat_map(|b| &b.batches);
            batches.cloned().try_for_each(|b| push(&mut scatter, b))?;
        }
    }
    Ok(Arc::new(scatter.finish()?))
}
