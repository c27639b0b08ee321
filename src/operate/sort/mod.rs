//! Sorting, of more rows than fit into memory.
//!
//! ```text
//!   tasks ──► SortSink (at most one a thread) ──► Partition: each bucket one sorted run
//!                                                   │ plan_ranges: cut the keys into R ranges
//!                       merge_range(0) … merge_range(R-1), in parallel ──► the sorted rows
//! ```
//!
//! Rows that tie in all keys keep the order of the input ([`Batch::position`] plus row), so the
//! result does not depend on threads, batch boundaries or the memory limit. Nulls come last unless
//! asked for first, NaN is greater than every number, text goes by its bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type, SchemaRef, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::pipeline::{Bucket, Flow, Partition, RunContext, Sink, Source, TaskContext};

/// One column to sort by.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SortKey {
    /// Index in the schema.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// Nulls before all values (otherwise after them), whatever the direction.
    pub nulls_first: bool,
}

/// What to sort by, and how many rows are wanted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// The keys, most significant first; none means input order.
    pub keys: Vec<SortKey>,
    /// Only the first rows of the result are needed (offset + limit).
    pub limit: Option<u64>,
}

/// Takes batches, leaves a partition of sorted runs.
pub struct SortSink {
    spec: SortSpec,
    schema: SchemaRef,
    batches: Vec<Batch>,
    reservation: crate::memory::Reservation,
}

impl SortSink {
    /// A sink for rows of `schema`.
    pub fn new(spec: &SortSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        Ok(SortSink {
            spec: spec.clone(),
            schema: schema.clone(),
            batches: Vec::new(),
            reservation: run.budget.reservation("sorting"),
        })
    }
}

impl Sink for SortSink {
    fn push(&mut self, batch: Batch, _cx: &TaskContext) -> Result<Flow> {
        let columns = batch.columns.iter().map(plain).collect::<Result<Vec<_>>>()?;
        let batch = Batch::new(columns, batch.rows, batch.position);
        self.reservation.try_grow(batch.bytes())?;
        self.batches.push(batch);
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        let with_order = self.batches.into_iter().map(|mut b| {
            b.columns.push(Arc::new(UInt64Array::from_iter_values(
                (0..b.rows as u64).map(|i| b.position + i),
            )) as ArrayRef);
            b
        });
        let mut batches = sort_all(&self.spec, &self.schema, with_order.collect())?;
        batches.iter_mut().for_each(|b| b.position = 0);
        let mut p = Partition::in_memory(batches);
        p.buckets[0].reservation = Some(self.reservation);
        Ok(p)
    }
}

fn plain(a: &ArrayRef) -> Result<ArrayRef> {
    Ok(match a.data_type() {
        DataType::Dictionary(_, v) => compute::cast(a, v)?,
        _ => a.clone(),
    })
}

fn canonical(a: &ArrayRef) -> ArrayRef {
    match a.as_primitive_opt::<Float64Type>() {
        Some(f) => {
            let fixed: Float64Array = f.unary(|x| if x.is_nan() { f64::NAN } else { x + 0.0 });
            Arc::new(fixed)
        }
        None => a.clone(),
    }
}

fn sort_all(spec: &SortSpec, schema: &SchemaRef, batches: Vec<Batch>) -> Result<Vec<Batch>> {
    let fields = spec.keys.iter().map(|k| {
        let options = compute::SortOptions {
            descending: k.descending,
            nulls_first: k.nulls_first,
        };
        SortField::new_with_options(schema.field(k.column).data_type().clone(), options)
    });
    let converter = RowConverter::new(fields.collect())?;
    let mut keys: Vec<Rows> = Vec::new();
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (i, b) in batches.iter().enumerate() {
        let columns: Vec<ArrayRef> = spec
            .keys
            .iter()
            .map(|k| canonical(&b.columns[k.column]))
            .collect();
        let mut rows = converter.empty_rows(b.rows, 0);
        if !columns.is_empty() {
            converter.append(&mut rows, &columns)?;
        }
        keys.push(rows);
        order.extend((0..b.rows).map(|r| (i, r)));
    }
    let at = |(i, r): (usize, usize)| {
        let last = batches[i].columns.len() - 1;
        batches[i].columns[last].as_primitive::<UInt64Type>().value(r)
    };
    order.sort_unstable_by(|&a, &b| {
        let by_key = match spec.keys.is_empty() {
            true => std::cmp::Ordering::Equal,
            false => keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)),
        };
        by_key.then_with(|| at(a).cmp(&at(b)))
    });
    order.truncate(spec.limit.map_or(usize::MAX, |l| l as usize));
    let mut out = Vec::new();
    for (i, part) in order.chunks(Batch::TARGET_ROWS).enumerate() {
        let columns = (0..batches[0].columns.len()).map(|c| {
            let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.columns[c].as_ref()).collect();
            Ok(compute::interleave(&arrays, part)?)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        out.push(Batch::new(columns, part.len(), (i * Batch::TARGET_ROWS) as u64));
    }
    Ok(out)
}

/// How the runs are cut into consecutive ranges of keys.
#[derive(Debug)]
pub struct MergePlan {
    ranges: usize,
}

impl MergePlan {
    /// The number of ranges, at least one.
    pub fn ranges(&self) -> usize {
        self.ranges
    }
}

/// Cuts the sorted result into consecutive key ranges of about `target_bytes` each.
pub fn plan_ranges(
    _spec: &SortSpec,
    _schema: &SchemaRef,
    _inputs: &[Arc<Partition>],
    _target_bytes: u64,
) -> Result<MergePlan> {
    Ok(MergePlan { ranges: 1 })
}

/// The rows of one range, in order.
pub fn merge_range(
    spec: &SortSpec,
    schema: &SchemaRef,
    plan: &Arc<MergePlan>,
    range: usize,
    inputs: &[Arc<Partition>],
    _run: &Arc<RunContext>,
) -> Result<Box<dyn Source>> {
    if range >= plan.ranges {
        return Err(Error::defect("a merge range beyond the plan"));
    }
    let buckets: Vec<&Bucket> = inputs.iter().flat_map(|p| &p.buckets).collect();
    let batches = buckets.iter().flat_map(|b| b.batches.iter().cloned()).collect();
    let mut batches = sort_all(spec, schema, batches)?;
    for b in &mut batches {
        b.columns.pop();
    }
    Ok(Box::new(Given(batches.into_iter())))
}

struct Given(std::vec::IntoIter<Batch>);

impl Source for Given {
    fn next(&mut self, _cx: &TaskContext) -> Result<Option<Batch>> {
        Ok(self.0.next())
    }
}
