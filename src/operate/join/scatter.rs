//! Rows spread over buckets by the hash of their key, on disk: for joins that do not fit into memory.
//!
//! ```text
//!   batches ─► waiting rows (some MiB) ─► sorted by bucket ─► 64 blocks in one spill file
//!                                          6 bits of the hash a level
//! ```
//!
//! Each row takes its place in the input along, as a hidden column, so that what comes out of the
//! buckets can be put in order again. A sink serves tasks of ascending numbers; so within a bucket
//! of its partition the places ascend.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::build::{encoder, key_columns};
use super::{AsOfSpec, JoinSpec};
use crate::error::Result;
use crate::kernel::Batch;
use crate::memory::{Reservation, SpillBlock, SpillFile, SpillWriter};
use crate::operate::aggregate::KeyEncoder;
use crate::pipeline::{Bucket, Flow, Partition, RunContext, Sink, TaskContext};

/// Buckets of a level.
pub const BUCKETS: usize = 64;
/// Bits of the hash that choose among them.
const BITS: u32 = 6;
/// How often rows can be spread: the lower 32 bits of the hash serve for it.
pub(super) const LEVELS: u32 = 5;
/// The name of the hidden column with a row's place.
pub const ORDER: &str = "\u{0}order";
/// Rows wait until they are so many bytes, where memory allows: a block has a 64th of them.
const MOST_WAITING: usize = 16 << 20;
/// At least so many, whatever the limit says.
const LEAST_WAITING: usize = 256 << 10;
/// The part of a thread's share of the memory in which rows wait.
const WAITING_SHARE: usize = 8;

/// A block of rows on disk.
pub(super) type Piece = (Arc<SpillFile>, SpillBlock);

/// Numbers rows by task and place within the task, which is the order of the input.
#[derive(Debug, Default)]
pub(super) struct Places {
    next: Option<(u32, u64)>,
}

impl Places {
    /// The place of the first of the next `rows` rows of the task `part`.
    pub(super) fn take(&mut self, part: u32, rows: usize) -> u64 {
        let at = match self.next {
            Some((p, at)) if p == part => at,
            _ => u64::from(part) << 40,
        };
        self.next = Some((part, at + rows as u64));
        at
    }
}

/// A column of the places of a batch's rows.
pub(super) fn places_of(batch: &Batch) -> ArrayRef {
    let first = batch.position as i64;
    Arc::new(Int64Array::from_iter_values(first..first + batch.rows as i64))
}

/// `schema` with the hidden column at the end.
pub(super) fn with_order(schema: &Schema) -> SchemaRef {
    insert_order(schema, schema.fields().len())
}

fn insert_order(schema: &Schema, at: usize) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.insert(at, Arc::new(Field::new(ORDER, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

/// The join of left rows that have their place as the last column that comes out.
pub(super) fn ordered_left(spec: &JoinSpec, left: &Schema) -> (JoinSpec, SchemaRef) {
    let at = spec.left_columns;
    let moved = |k: &usize| if *k < at { *k } else { *k + 1 };
    let mut unused = spec.unused.clone();
    if unused.len() > at {
        unused.insert(at, false);
    }
    let ordered = JoinSpec {
        unused,
        left_keys: spec.left_keys.iter().map(moved).collect(),
        asof: spec.asof.map(|a| AsOfSpec {
            left: moved(&a.left),
            ..a
        }),
        left_columns: at + 1,
        ..spec.clone()
    };
    (ordered, insert_order(left, at))
}

/// What becomes of rows whose key is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// They match nothing and yield nothing.
    Drop,
    /// They match nothing, but may come out.
    Keep,
}

/// How rows without any key are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyless {
    /// All into the first bucket.
    First,
    /// Batch by batch over all buckets.
    Around,
}

/// Spreads rows over buckets.
pub(super) struct Scatter {
    run: Arc<RunContext>,
    keys: Vec<usize>,
    encoder: KeyEncoder,
    nulls: Nulls,
    keyless: Keyless,
    level: u32,
    waiting: Vec<Batch>,
    /// The bucket of each waiting row.
    of_row: Vec<u8>,
    bytes: usize,
    most: usize,
    turn: usize,
    writer: Option<SpillWriter>,
    buckets: Vec<Bucket>,
    _held: Reservation,
}

impl Scatter {
    /// Spreads rows of `schema` by the `level`-th bits of the hash of their keys.
    pub(super) fn new(
        keys: &[usize],
        schema: &Schema,
        (nulls, keyless): (Nulls, Keyless),
        level: u32,
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let share = run.budget.limit() / run.threads.max(1) / WAITING_SHARE;
        let most = share.clamp(LEAST_WAITING, MOST_WAITING);
        // without it nothing could be spilled at all
        let mut held = run.budget.reservation("spreading the rows of a join");
        held.grow_anyway(2 * most);
        Ok(Scatter {
            run: run.clone(),
            keys: keys.to_vec(),
            encoder: encoder(keys, schema)?,
            nulls,
            keyless,
            level,
            waiting: Vec::new(),
            of_row: Vec::new(),
            bytes: 0,
            most,
            turn: 0,
            writer: None,
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
            _held: held,
        })
    }

    /// Takes a batch that has its places as a column.
    pub(super) fn push(&mut self, batch: Batch) -> Result<()> {
        let mut batch = batch.compacted()?;
        if self.nulls == Nulls::Drop {
            for c in &self.keys {
                if batch.columns[*c].logical_null_count() == 0 {
                    continue;
                }
                if let Some(valid) = batch.columns[*c].logical_nulls() {
                    batch = batch.filter(&BooleanArray::new(valid.into_inner(), None))?;
                }
            }
        }
        if batch.rows == 0 {
            return Ok(());
        }
        if self.keys.is_empty() {
            let bucket = match self.keyless {
                Keyless::First => 0,
                Keyless::Around => self.turn % BUCKETS,
            };
            self.turn += 1;
            self.of_row.resize(self.of_row.len() + batch.rows, bucket as u8);
        } else {
            let keys = key_columns(&batch.columns, &self.keys)?;
            self.encoder.encode(&keys, batch.rows);
            let shift = BITS * self.level;
            let bucket = |h: &u64| (h >> shift) as u8 & (BUCKETS - 1) as u8;
            self.of_row.extend(self.encoder.hashes.iter().map(bucket));
        }
        self.bytes += batch.own_bytes() + batch.rows;
        self.waiting.push(batch);
        match self.bytes >= self.most {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes what waits: one block for each bucket.
    fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let of_row = std::mem::take(&mut self.of_row);
        self.bytes = 0;
        let Some(first) = waiting.first() else {
            return Ok(());
        };
        let mut ends = [0u32; BUCKETS + 1];
        of_row.iter().for_each(|&b| ends[b as usize + 1] += 1);
        for b in 0..BUCKETS {
            ends[b + 1] += ends[b];
        }
        let (mut next, mut rows) = (ends, vec![0u32; of_row.len()]);
        for (row, &b) in of_row.iter().enumerate() {
            rows[next[b as usize] as usize] = row as u32;
            next[b as usize] += 1;
        }
        let rows = UInt32Array::from(rows);
        let columns = (0..first.columns.len()).map(|c| {
            let parts: Vec<&dyn Array> = waiting.iter().map(|b| b.columns[c].as_ref()).collect();
            Ok(take(&concat(&parts)?, &rows, None)?)
        });
        let sorted = Batch::new(columns.collect::<Result<_>>()?, of_row.len(), 0);
        drop(waiting);
        for b in 0..BUCKETS {
            let (from, to) = (ends[b] as usize, ends[b + 1] as usize);
            if from < to {
                self.write(b, sorted.slice(from, to - from).compacted()?)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, bucket: usize, batch: Batch) -> Result<()> {
        let writer = match &mut self.writer {
            Some(w) => w,
            none => none.insert(self.run.spill.create()?),
        };
        let block = writer.write(&batch.record()?)?;
        let bucket = &mut self.buckets[bucket];
        bucket.rows += batch.rows as u64;
        bucket.bytes += batch.own_bytes() as u64;
        bucket.spilled.push((writer.file(), block));
        Ok(())
    }

    /// The buckets, all on disk.
    pub(super) fn finish(mut self) -> Result<Partition> {
        self.flush()?;
        Ok(Partition {
            rows: self.buckets.iter().map(|b| b.rows).sum(),
            buckets: self.buckets,
            ..Partition::default()
        })
    }
}

/// Spreads the left rows of a join that does not fit into memory.
pub struct ScatterSink {
    scatter: Scatter,
    /// Where the places stand among the columns.
    at: usize,
    places: Places,
}

impl ScatterSink {
    /// A sink for the left rows, of `schema`, of the join `spec`.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on.
    pub fn new(spec: &JoinSpec, schema: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        let (ordered, schema) = ordered_left(spec, schema);
        // what must be put in order for each bucket had better be one
        let keyless = match spec.asof {
            Some(_) => Keyless::First,
            None => Keyless::Around,
        };
        let how = (spec.left_nulls(), keyless);
        Ok(ScatterSink {
            scatter: Scatter::new(&ordered.left_keys, &schema, how, 0, run)?,
            at: spec.left_columns,
            places: Places::default(),
        })
    }
}

impl Sink for ScatterSink {
    fn push(&mut self, mut batch: Batch, cx: &TaskContext) -> Result<Flow> {
        batch.position = self.places.take(cx.part, batch.rows);
        batch.columns.insert(self.at, places_of(&batch));
        self.scatter.push(batch)?;
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        self.scatter.finish()
    }
}

/// The rows of several lists of blocks, in the order of their places, which ascend in each list.
pub(super) struct InOrder {
    lists: Vec<Cursor>,
    /// The column of the places.
    column: usize,
}

struct Cursor {
    pieces: std::vec::IntoIter<Piece>,
    batch: Option<Batch>,
}

impl InOrder {
    pub(super) fn new(lists: Vec<Vec<Piece>>, column: usize) -> Result<Self> {
        let mut all = InOrder {
            lists: Vec::new(),
            column,
        };
        for list in lists {
            let mut cursor = Cursor {
                pieces: list.into_iter(),
                batch: None,
            };
            cursor.load()?;
            all.lists.push(cursor);
        }
        Ok(all)
    }

    /// The next rows, as many as come from one block.
    pub(super) fn next(&mut self) -> Result<Option<Batch>> {
        let (mut first, mut second) = (None::<(i64, usize)>, i64::MAX);
        for (i, list) in self.lists.iter().enumerate() {
            let Some(batch) = &list.batch else { continue };
            let head = order_of(batch, self.column).value(0);
            match first {
                Some((least, _)) if least < head => second = second.min(head),
                Some((least, _)) => (first, second) = (Some((head, i)), least),
                None => first = Some((head, i)),
            }
        }
        let Some((_, i)) = first else { return Ok(None) };
        let list = &mut self.lists[i];
        let Some(batch) = list.batch.take() else {
            return Ok(None);
        };
        let rows = order_of(&batch, self.column)
            .values()
            .partition_point(|&o| o < second);
        if rows < batch.rows {
            list.batch = Some(batch.slice(rows, batch.rows - rows));
            return Ok(Some(batch.slice(0, rows)));
        }
        list.load()?;
        Ok(Some(batch))
    }
}

fn order_of(batch: &Batch, column: usize) -> Int64Array {
    use arrow::array::AsArray;
    batch.columns[column]
        .as_primitive::<arrow::datatypes::Int64Type>()
        .clone()
}

impl Cursor {
    fn load(&mut self) -> Result<()> {
        self.batch = match self.pieces.next() {
            Some(piece) => Some(read(&piece)?),
            None => None,
        };
        Ok(())
    }
}

/// The rows of a block.
pub(super) fn read((file, block): &Piece) -> Result<Batch> {
    let record = file.read(block)?;
    Ok(Batch::new(record.columns().to_vec(), block.rows as usize, 0))
}
