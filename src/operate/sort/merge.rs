//! The second half of a sort: the rows of one key range, merged from all runs.
//!
//! ```text
//!   run 0 ─ block ─ cursor ─┐
//!   run 1 ─ block ─ cursor ─┼─ tree of losers ─► 8192 places ─► column by column ─► batch
//!   run 2 ─ block ─ cursor ─┘
//! ```
//!
//! In a tree of losers (Knuth, TAOCP 3, 5.4.1) each inner node remembers who lost there, so that
//! the next winner costs one comparison a level.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::SortSpec;
use super::cells::Block;
use super::gather::{Slot, column};
use super::keys::compare;
use super::plan::{KeyTexts, MergePlan, block_of, plan};
use super::sink::Mark;
use crate::error::{Error, Result};
use crate::kernel::{Batch, row_bytes};
use crate::memory::Reservation;
use crate::pipeline::{Partition, RunContext, Source, TaskContext};

/// Head and order of a row that comes after all.
const END: (u128, u64) = (u128::MAX, u64::MAX);

/// The rows of range `range`, in order; all ranges in order are the sorted rows. With a limit, no
/// range gives more rows than that. A batch's position is its place among all sorted rows, however
/// they were cut into ranges. `inputs` are those the plan was made for.
pub fn merge_range(
    spec: &SortSpec,
    schema: &SchemaRef,
    plan: &Arc<MergePlan>,
    range: usize,
    inputs: &[Arc<Partition>],
    run: &Arc<RunContext>,
) -> Result<Box<dyn Source>> {
    Ok(Box::new(Merge::new(spec, schema, plan, range, inputs, run)?))
}

/// The rows of all runs of `input`, in order, as blocks that need no dictionary: many runs become
/// one of the next level.
pub(super) fn merge_blocks(
    spec: &SortSpec,
    schema: &SchemaRef,
    input: Partition,
    run: &Arc<RunContext>,
) -> Result<Blocks> {
    let inputs = [Arc::new(input)];
    let plan = Arc::new(plan(spec, schema, &inputs, u64::MAX, KeyTexts::Spelled, run)?);
    let mut merge = Merge::new(spec, schema, &plan, 0, &inputs, run)?;
    merge.plain = true;
    Ok(Blocks(merge))
}

/// What [`merge_blocks`] gives.
pub(super) struct Blocks(Merge);

impl Blocks {
    /// The next `most` rows, fewer at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Block>> {
        match self.0.choose(most)? {
            0 => Ok(None),
            rows => self.0.take_block(rows).map(Some),
        }
    }
}

impl Merge {
    fn new(
        spec: &SortSpec,
        schema: &SchemaRef,
        plan: &Arc<MergePlan>,
        range: usize,
        inputs: &[Arc<Partition>],
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let places: Vec<(usize, usize)> = inputs
            .iter()
            .enumerate()
            .flat_map(|(i, p)| (0..p.buckets.len()).map(move |b| (i, b)))
            .collect();
        if range >= plan.ranges() || places.len() != plan.runs.len() {
            return Err(Error::defect("a merge that its plan does not know"));
        }
        let (low, high) = plan.bounds(range);
        let mut before = 0;
        let cursors = places.iter().enumerate().map(|(r, &place)| {
            let mut cursor = Cursor::new(r, place);
            let runs = &plan.runs[r];
            let last = inputs[place.0].buckets[place.1].batches.len()
                + inputs[place.0].buckets[place.1].spilled.len();
            (cursor.next_block, cursor.end_block) = (runs.skip, last);
            if let Some(firsts) = &runs.firsts {
                if let Some(low) = low {
                    let skipped = firsts.partition_point(|f| *f < low).saturating_sub(1);
                    cursor.next_block += skipped;
                    before += runs.rows[..skipped].iter().map(|&n| u64::from(n)).sum::<u64>();
                }
                if let Some(high) = high {
                    cursor.end_block = runs.skip + firsts.partition_point(|f| *f < high);
                }
            }
            cursor
        });
        let cursors = cursors.collect();
        Ok(Merge {
            cursors,
            plan: plan.clone(),
            schema: schema.clone(),
            inputs: inputs.to_vec(),
            low,
            high,
            current: vec![END; places.len()],
            losers: Vec::new(),
            slots: Vec::new(),
            left: spec.limit.unwrap_or(u64::MAX),
            position: before,
            reservation: run.budget.reservation("merging sorted runs"),
            row_bytes: row_bytes(schema),
            batch_bytes: run.batch_bytes(),
            plain: false,
        })
    }
}

/// Where the merge is in a run.
struct Cursor {
    run: usize,
    /// Input and bucket.
    place: (usize, usize),
    next_block: usize,
    end_block: usize,
    block: Option<Arc<Block>>,
    heads: Vec<u128>,
    row: usize,
    end: usize,
    slot: usize,
    bytes: usize,
    /// Bytes of a row of the block, on the average.
    row_bytes: usize,
}

impl Cursor {
    fn new(run: usize, place: (usize, usize)) -> Self {
        Cursor {
            run,
            place,
            next_block: 0,
            end_block: 0,
            block: None,
            heads: Vec::new(),
            row: 0,
            end: 0,
            slot: 0,
            bytes: 0,
            row_bytes: 0,
        }
    }
}

struct Merge {
    cursors: Vec<Cursor>,
    plan: Arc<MergePlan>,
    schema: SchemaRef,
    inputs: Vec<Arc<Partition>>,
    low: Option<Mark>,
    high: Option<Mark>,
    /// Head and order of each cursor's row.
    current: Vec<(u128, u64)>,
    /// `losers[0]` is the winner; node `n` has the children `2n` and `2n + 1`, cursor `c` is leaf
    /// `c + cursors`.
    losers: Vec<usize>,
    /// Blocks that the batch in the making takes rows of.
    slots: Vec<Slot>,
    left: u64,
    /// The next row's place among all sorted rows: the rows before the range are counted as its
    /// start is looked for.
    position: u64,
    reservation: Reservation,
    /// About what a row of the result takes, whatever its texts are.
    row_bytes: usize,
    /// Bytes of rows that are handed on together.
    batch_bytes: usize,
    /// Whether blocks are to stand without dictionaries.
    plain: bool,
}

impl Merge {
    /// Loads the next block with rows of the range into cursor `c`.
    fn load(&mut self, c: usize) -> Result<()> {
        let cursor = &mut self.cursors[c];
        // The batch in the making still needs the old block, but never more than one such for each
        // run in the long run; what it takes is given back with the batch.
        cursor.block = None;
        while cursor.next_block < cursor.end_block {
            let bucket = &self.inputs[cursor.place.0].buckets[cursor.place.1];
            let in_memory = cursor.next_block < bucket.batches.len();
            let Some(arrays) = block_of(bucket, cursor.next_block)? else {
                break;
            };
            cursor.next_block += 1;
            let block = Block::from_arrays(&arrays, &self.plan.other)?;
            let (mut block, heads) = self.plan.heads(block, cursor.run)?;
            if self.plain {
                self.plan.spell(&mut block, cursor.run);
            }
            // Within equal exact heads the orders ascend, so that marks are sorted as well.
            let below = |bound: Mark| {
                let from = heads.partition_point(|&h| h < bound.0);
                let to = heads.partition_point(|&h| h <= bound.0);
                match bound.0 & 1 {
                    1 => from,
                    _ => from + block.orders[from..to].partition_point(|&o| o < bound.1),
                }
            };
            let from = self.low.map_or(0, below);
            if self.losers.is_empty() {
                self.position += from as u64;
            }
            let end = self.high.map_or(heads.len(), below);
            if from >= end {
                continue;
            }
            let bytes = heads.len() * 16 + if in_memory { 0 } else { block.bytes() };
            self.reservation.grow_anyway(bytes);
            cursor.bytes = bytes;
            cursor.row_bytes = self.row_bytes.max(block.bytes() / block.rows().max(1));
            cursor.slot = self.slots.len();
            let block = Arc::new(block);
            self.slots.push(Slot {
                run: cursor.run,
                block: block.clone(),
                start: from,
                to: Vec::new(),
            });
            self.current[c] = (heads[from], block.orders[from]);
            (cursor.block, cursor.heads, cursor.row, cursor.end) = (Some(block), heads, from, end);
            return Ok(());
        }
        cursor.heads = Vec::new();
        self.current[c] = END;
        Ok(())
    }

    /// Whether the row of cursor `a` comes before that of `b`.
    #[inline]
    fn before(&self, a: usize, b: usize) -> bool {
        let (x, y) = (self.current[a], self.current[b]);
        if x.0 != y.0 {
            return x.0 < y.0;
        }
        if x.0 & 1 == 1 {
            let (p, q) = (&self.cursors[a], &self.cursors[b]);
            if let (Some(m), Some(n)) = (&p.block, &q.block) {
                let order = compare(self.plan.keys_behind(), m, p.row, n, q.row);
                if order.is_ne() {
                    return order.is_lt();
                }
            }
        }
        x.1 < y.1
    }

    fn start(&mut self) -> Result<()> {
        let k = self.cursors.len();
        for c in 0..k {
            self.load(c)?;
        }
        let mut winners = vec![0; 2 * k];
        self.losers = vec![0; k];
        for n in (1..2 * k).rev() {
            if n >= k {
                winners[n] = n - k;
                continue;
            }
            let (a, b) = (winners[2 * n], winners[2 * n + 1]);
            let first = self.before(a, b);
            winners[n] = if first { a } else { b };
            self.losers[n] = if first { b } else { a };
        }
        self.losers[0] = winners[1];
        Ok(())
    }

    /// Moves the winner on and finds the next one.
    #[inline]
    fn advance(&mut self) -> Result<()> {
        let mut w = self.losers[0];
        let cursor = &mut self.cursors[w];
        cursor.row += 1;
        if cursor.row < cursor.end {
            if let Some(block) = &cursor.block {
                self.current[w] = (cursor.heads[cursor.row], block.orders[cursor.row]);
            }
        } else {
            self.load(w)?;
        }
        let mut n = (w + self.losers.len()) / 2;
        while n > 0 {
            let l = self.losers[n];
            if self.before(l, w) {
                self.losers[n] = w;
                w = l;
            }
            n /= 2;
        }
        self.losers[0] = w;
        Ok(())
    }

    /// The batch of the rows in the slots; afterwards only blocks with rows left have slots.
    fn take(&mut self, rows: usize) -> Result<Batch> {
        let types = self.schema.fields().iter().enumerate();
        let columns = types.map(|(c, f)| column(&self.plan, &self.slots, c, f.data_type(), rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.let_go();
        let batch = Batch::new(columns, rows, self.position);
        self.position += rows as u64;
        Ok(batch)
    }

    /// The same rows as a block.
    fn take_block(&mut self, rows: usize) -> Result<Block> {
        let mut at = vec![(0, 0); rows];
        for (i, slot) in self.slots.iter().enumerate() {
            for (row, &to) in slot.to.iter().enumerate() {
                at[to as usize] = (i as u32, (slot.start + row) as u32);
            }
        }
        let parts: Vec<Block> = self.slots.iter().map(|s| s.block.as_ref().clone()).collect();
        let block = Block::gather(&parts, &at)?;
        drop(parts);
        self.let_go();
        Ok(block)
    }

    /// Forgets the blocks without rows left.
    fn let_go(&mut self) {
        self.slots.clear();
        let mut held = 0;
        for cursor in &mut self.cursors {
            let Some(block) = &cursor.block else {
                continue;
            };
            held += cursor.bytes;
            cursor.slot = self.slots.len();
            self.slots.push(Slot {
                run: cursor.run,
                block: block.clone(),
                start: cursor.row,
                to: Vec::new(),
            });
        }
        self.reservation
            .shrink(self.reservation.bytes().saturating_sub(held));
    }

    /// Puts the next rows, at most so many, into the slots; tells how many.
    fn choose(&mut self, most: usize) -> Result<usize> {
        if self.losers.is_empty() {
            if self.cursors.is_empty() {
                return Ok(0);
            }
            self.start()?;
        }
        let most = self.left.min(most as u64) as usize;
        let (mut rows, mut bytes) = (0, 0);
        while rows < most && bytes < self.batch_bytes {
            let w = self.losers[0];
            if self.cursors[w].block.is_none() {
                break;
            }
            let slot = self.cursors[w].slot;
            self.slots[slot].to.push(rows as u32);
            rows += 1;
            bytes += self.cursors[w].row_bytes;
            self.advance()?;
        }
        self.left -= rows as u64;
        Ok(rows)
    }
}

impl Source for Merge {
    fn next(&mut self, _cx: &TaskContext) -> Result<Option<Batch>> {
        match self.choose(Batch::TARGET_ROWS)? {
            0 => Ok(None),
            rows => self.take(rows).map(Some),
        }
    }
}
