//! The build side: all right rows, and the table from keys to them.

use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::JoinSpec;
use crate::error::{Error, Result};
use crate::kernel::group::{KeyTable, NONE};
use crate::kernel::{Batch, types};
use crate::memory::Reservation;
use crate::operate::aggregate::{Col, KeyEncoder};
use crate::pipeline::{Flow, Partition, RunContext, Sink, TaskContext};

/// Keeps the rows of a build side, compacted.
pub struct BuildSink {
    batches: Vec<Batch>,
    held: Reservation,
}

impl BuildSink {
    /// A sink for the right side of `spec`.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn new(spec: &JoinSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        encoder(&spec.right_keys, schema)?;
        Ok(BuildSink {
            batches: Vec::new(),
            held: run.budget.reservation("the build side of a join"),
        })
    }
}

impl Sink for BuildSink {
    fn push(&mut self, mut batch: Batch, _cx: &TaskContext) -> Result<Flow> {
        for column in &mut batch.columns {
            *column = compacted(column)?;
        }
        self.held.try_grow(batch.bytes())?;
        self.batches.push(batch);
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        let mut p = Partition::in_memory(self.batches);
        p.buckets[0].reservation = Some(self.held);
        Ok(p)
    }
}

/// Plain text instead of a dictionary, and without the bytes of the file around it.
fn compacted(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::Dictionary(..) => Arc::new(cast(column, &types::TEXT)?.as_string_view().gc()),
        _ => column.clone(),
    })
}

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

/// Where the rows of a group lie.
#[derive(Debug)]
enum Places {
    /// Each group is one row.
    Single(Vec<u32>),
    /// Group `g` is `rows[starts[g]..starts[g + 1]]`.
    Lists { starts: Vec<u32>, rows: Vec<u32> },
}

/// The finished build side, shared by all probes.
#[derive(Debug)]
pub struct BuildSide {
    table: KeyTable,
    places: Places,
    columns: Vec<ArrayRef>,
    /// Names and types of the right columns, with the computed keys at the end.
    pub(super) schema: SchemaRef,
    _held: Mutex<Reservation>,
}

impl BuildSide {
    /// Builds the table over the rows that the [`BuildSink`]s of a stage left.
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
        let buckets = partitions.iter().flat_map(|p| &p.buckets);
        let mut batches: Vec<&Batch> = buckets.flat_map(|b| &b.batches).collect();
        // which worker took which task is a matter of luck; the order of the input is not
        batches.sort_by_key(|b| b.position);
        let rows: usize = batches.iter().map(|b| b.rows).sum();
        if rows >= NONE as usize {
            return Err(Error::query(format!(
                "the right side of a join has {rows} rows, which is too many"
            ))
            .help("put the smaller table on the right"));
        }
        let bytes: usize = batches.iter().map(|b| b.bytes()).sum();
        held.try_grow(bytes + rows * 40)?;
        let (table, groups) = group(spec, schema, &batches)?;
        let columns = (0..schema.fields().len()).map(|c| {
            let parts: Vec<&dyn Array> = batches.iter().map(|b| b.columns[c].as_ref()).collect();
            match parts.is_empty() {
                true => Ok(arrow::array::new_empty_array(&types::logical(
                    schema.field(c).data_type(),
                ))),
                false => Ok(concat(&parts)?),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let places = places(table.len(), &groups);
        let (schema, _held) = (schema.clone(), Mutex::new(held));
        Ok(BuildSide {
            table,
            places,
            columns,
            schema,
            _held,
        })
    }

    /// Finds the groups of encoded keys; [`NONE`] where there is none.
    pub(super) fn find(&self, e: &KeyEncoder, out: &mut Vec<u32>) {
        self.table.find_all(&e.keys, &e.hashes, &e.scratch, out);
    }

    /// The rows of a group, in the order of the input.
    #[inline]
    pub(super) fn rows(&self, group: u32) -> &[u32] {
        let g = group as usize;
        match &self.places {
            Places::Single(rows) => &rows[g..g + 1],
            Places::Lists { starts, rows } => &rows[starts[g] as usize..starts[g + 1] as usize],
        }
    }

    /// The columns, each as one array.
    pub(super) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }
}

/// The keys of all rows in a table, and each row's group ([`NONE`] for null keys).
fn group(spec: &JoinSpec, schema: &Schema, batches: &[&Batch]) -> Result<(KeyTable, Vec<u32>)> {
    let mut encoder = encoder(&spec.right_keys, schema)?;
    let (mut table, mut groups, mut ids) = (KeyTable::default(), Vec::new(), Vec::new());
    for batch in batches {
        let keys = key_columns(&batch.columns, &spec.right_keys)?;
        encoder.encode(&keys, batch.rows);
        table.groups(&encoder.keys, &encoder.hashes, &encoder.scratch, &mut ids);
        for nulls in keys.iter().filter_map(Col::nulls) {
            ids.iter_mut()
                .zip(nulls.iter())
                .filter(|(_, valid)| !valid)
                .for_each(|(id, _)| *id = NONE);
        }
        groups.extend_from_slice(&ids);
    }
    Ok((table, groups))
}

fn places(groups: usize, of_row: &[u32]) -> Places {
    let mut starts = vec![0u32; groups + 1];
    let known = || of_row.iter().enumerate().filter(|(_, g)| **g != NONE);
    known().for_each(|(_, &g)| starts[g as usize + 1] += 1);
    if starts[1..].iter().all(|&n| n == 1) {
        let mut rows = vec![0; groups];
        known().for_each(|(row, &g)| rows[g as usize] = row as u32);
        return Places::Single(rows);
    }
    for g in 0..groups {
        starts[g + 1] += starts[g];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; starts[groups] as usize];
    for (row, &g) in known() {
        let at = &mut next[g as usize];
        rows[*at as usize] = row as u32;
        *at += 1;
    }
    Places::Lists { starts, rows }
}
