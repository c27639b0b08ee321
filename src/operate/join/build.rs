//! The build side: all right rows, and the index from keys to them.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, NullArray};
use arrow::compute::{concat, sort_to_indices, take};
use arrow::datatypes::{Schema, SchemaRef};

use super::JoinSpec;
use super::collect::is_scattered;
use super::index::{self, Index, Rows};
use super::scatter::{places_of, read};
use crate::error::{Error, Result};
use crate::kernel::group::NONE;
use crate::kernel::{Batch, KeySet, keyset, types};
use crate::memory::Reservation;
use crate::operate::aggregate::{Col, KeyEncoder};
use crate::pipeline::{Partition, RunContext};

/// What the index takes for each row, about.
pub(super) const TABLE_BYTES: usize = 48;

/// An encoder for the key columns of a side.
pub(super) fn encoder(keys: &[usize], schema: &Schema) -> Result<KeyEncoder> {
    KeyEncoder::new(
        keys.iter()
            .map(|&k| types::logical(schema.field(k).data_type()))
            .collect(),
    )
}

/// The key columns of a batch.
pub(super) fn key_columns(columns: &[ArrayRef], keys: &[usize]) -> Result<Vec<Col>> {
    keys.iter().map(|&k| Col::new(&columns[k])).collect()
}

/// How the index and the columns are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    /// At the same time; for a while the columns are there twice.
    Quick,
    /// One after the other, and each column goes as it is made.
    Slim,
}

/// The finished build side, shared by all probes.
#[derive(Debug)]
pub struct BuildSide {
    index: Index,
    columns: Vec<ArrayRef>,
    /// Names and types of the right columns, with the computed keys at the end.
    pub(super) schema: SchemaRef,
    _held: Mutex<Option<Reservation>>,
}

impl BuildSide {
    /// The bytes that a build side over these partitions takes on top of what they hold; none where
    /// some of them lie on disk already.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn more_bytes(
        spec: &JoinSpec,
        schema: &Schema,
        partitions: &[Arc<Partition>],
    ) -> Result<Option<usize>> {
        if partitions.iter().any(|p| is_scattered(p)) {
            return Ok(None);
        }
        let (_, bytes) = size(partitions);
        let batches: Vec<&Batch> = partitions
            .iter()
            .flat_map(|p| p.buckets.iter().flat_map(|b| &b.batches))
            .collect();
        Ok(Some(index::bytes(spec, schema, &batches)? + bytes / 4))
    }

    /// Builds the index over the rows that the sinks of a stage left.
    ///
    /// # Errors
    /// It does not fit the memory limit, or has more than 2^32 - 2 rows.
    pub fn new(
        spec: &JoinSpec,
        schema: &SchemaRef,
        partitions: Vec<Arc<Partition>>,
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let mut held = run.budget.reservation("the build side of a join");
        let (rows, bytes) = size(&partitions);
        let scattered = partitions.iter().any(|p| is_scattered(p));
        let index = match BuildSide::more_bytes(spec, schema, &partitions)? {
            Some(more) => more.saturating_sub(bytes / 4),
            None => rows * TABLE_BYTES,
        };
        let wanted = index + if scattered { 2 * bytes } else { bytes / 4 };
        match rows {
            // there is nothing that could lie on disk instead
            0 => held.grow_anyway(wanted),
            _ => held.try_grow(wanted)?,
        }
        let batches = match scattered {
            true => gathered(&partitions)?,
            false => batches_of(partitions),
        };
        let how = match run.threads > 1 && run.budget.used() + bytes <= run.budget.limit() / 2 {
            true => Build::Quick,
            false => Build::Slim,
        };
        let mut side = BuildSide::of(spec, schema, batches, how)?;
        // what the partitions held is free again
        let wanted = index + bytes;
        let more = wanted.saturating_sub(held.bytes());
        held.grow_anyway(more);
        held.shrink(held.bytes() - wanted);
        side._held = Mutex::new(Some(held));
        Ok(side)
    }

    /// Builds the index over batches, in the order of the input; reserves nothing.
    pub(super) fn of(
        spec: &JoinSpec,
        schema: &SchemaRef,
        mut batches: Vec<Batch>,
        how: Build,
    ) -> Result<Self> {
        let rows: usize = batches.iter().map(|b| b.rows).sum();
        if rows >= NONE as usize - 1 {
            return Err(Error::query(format!(
                "the right side of a join has {rows} rows, which is too many"
            ))
            .help("put the smaller table on the right"));
        }
        let wanted = match spec.kind.yields_right() || spec.filter.is_some() {
            true => spec.right_columns,
            false => 0,
        };
        let (index, columns) = match how {
            Build::Slim => {
                let index = Index::new(spec, schema, &batches)?;
                let none: ArrayRef = Arc::new(NullArray::new(0));
                // each part goes as soon as its column is whole
                let columns = (0..wanted).map(|c| {
                    let take = |b: &mut Batch| std::mem::replace(&mut b.columns[c], none.clone());
                    let parts: Vec<ArrayRef> = batches.iter_mut().map(take).collect();
                    whole(&parts, spec, schema, c)
                });
                (index, columns.collect::<Result<_>>()?)
            }
            Build::Quick => std::thread::scope(|s| {
                let index = s.spawn(|| Index::new(spec, schema, &batches));
                let columns = (0..wanted).map(|c| {
                    let parts: Vec<ArrayRef> = batches.iter().map(|b| b.columns[c].clone()).collect();
                    whole(&parts, spec, schema, c)
                });
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let index = index
                    .join()
                    .map_err(|_| Error::defect("a join lost its index"))??;
                Ok::<_, Error>((index, columns))
            })?,
        };
        Ok(BuildSide {
            index,
            columns,
            schema: schema.clone(),
            _held: Mutex::new(None),
        })
    }

    /// What finds the rows of a key.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The rows of a group, in the order of the input.
    #[inline]
    pub(super) fn rows(&self, group: u32) -> Rows<'_> {
        self.index.rows(group)
    }

    /// The columns, each as one array.
    pub(super) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }
}

/// The keys that a build side has in a column; none where some of its rows lie on disk.
///
/// # Errors
/// They are of a type that nothing is joined on.
pub fn key_set(key: usize, partitions: &[Arc<Partition>]) -> Result<Option<KeySet>> {
    if partitions.iter().any(|p| is_scattered(p)) {
        return Ok(None);
    }
    let batches = partitions
        .iter()
        .flat_map(|p| p.buckets.iter().flat_map(|b| &b.batches));
    let columns = batches
        .map(|b| Col::new(&b.columns[key]))
        .collect::<Result<Vec<_>>>()?;
    let values: Vec<_> = columns.iter().map(|c| (integers(c), c.nulls())).collect();
    let values: Vec<_> = values.iter().map(|(v, nulls)| (&v[..], *nulls)).collect();
    Ok(Some(KeySet::new(&values)))
}

/// Keys as a [`KeySet`] has them.
fn integers(column: &Col) -> Cow<'_, [i64]> {
    match column {
        // a null's view may be anything, but it lies within its buffer all the same
        Col::Text(texts) => Cow::Owned(texts.bytes_iter().map(keyset::of_text).collect()),
        _ => column.ints(),
    }
}

/// One array of many, its texts in one buffer.
fn whole(parts: &[ArrayRef], spec: &JoinSpec, schema: &Schema, column: usize) -> Result<ArrayRef> {
    if spec.is_unused(spec.left_columns + column) {
        return Ok(Arc::new(NullArray::new(0)));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
    if parts.is_empty() {
        let ty = types::logical(schema.field(column).data_type());
        return Ok(arrow::array::new_empty_array(&ty));
    }
    let all = concat(&parts)?;
    Ok(match all.as_string_view_opt() {
        Some(text) if text.data_buffers().len() > 1 => Arc::new(text.gc()),
        _ => all,
    })
}

/// Rows and bytes of partitions.
fn size(partitions: &[Arc<Partition>]) -> (usize, usize) {
    let rows: u64 = partitions.iter().map(|p| p.rows).sum();
    let bytes: u64 = partitions.iter().map(|p| p.bytes()).sum();
    (rows as usize, bytes as usize)
}

/// The batches of partitions in memory, in the order of the input.
fn batches_of(partitions: Vec<Arc<Partition>>) -> Vec<Batch> {
    let mut batches = Vec::new();
    for partition in partitions {
        match Arc::try_unwrap(partition) {
            Ok(p) => batches.extend(p.buckets.into_iter().flat_map(|b| b.batches)),
            Err(p) => batches.extend(p.buckets.iter().flat_map(|b| b.batches.iter().cloned())),
        }
    }
    batches.sort_by_key(|b| b.position);
    batches
}

/// The rows of partitions of which some lie on disk, in the order of the input: for tasks in
/// processes of their own, where a join is never taken apart.
fn gathered(partitions: &[Arc<Partition>]) -> Result<Vec<Batch>> {
    let mut all: Vec<Batch> = Vec::new();
    for bucket in partitions.iter().flat_map(|p| &p.buckets) {
        for batch in &bucket.batches {
            let mut batch = batch.clone();
            batch.columns.push(places_of(&batch));
            all.push(batch);
        }
        for piece in &bucket.spilled {
            all.push(read(piece)?);
        }
    }
    let Some(first) = all.first() else {
        return Ok(all);
    };
    let columns = (0..first.columns.len()).map(|c| {
        let parts: Vec<&dyn Array> = all.iter().map(|b| b.columns[c].as_ref()).collect();
        Ok(concat(&parts)?)
    });
    let mut columns = columns.collect::<Result<Vec<_>>>()?;
    let Some(order) = columns.pop() else {
        return Ok(Vec::new());
    };
    let rows = sort_to_indices(&order, None, None)?;
    let columns = columns.iter().map(|c| Ok(take(c, &rows, None)?));
    Ok(vec![Batch::new(columns.collect::<Result<_>>()?, rows.len(), 0)])
}
