//! What all sinks kept, spread over ranges of codes: between two barriers, in parallel.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::ArrayRef;

use super::super::partial::PartialAggregate;
use super::super::plan::Plan;
use super::chunk::Chunk;
use super::disk::{every, read};
use super::kept::{Block, Kept};
use super::numbers::Known;
use super::room::Room;
use super::stored::Stored;
use super::unite::{Ranks, unite_all};
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::{Reservation, SpillBlock, SpillFile};
use crate::operate::sort::cells::Cells;
use crate::operate::sort::packing::{Code, KeyColumn, Packing, union};
use crate::pipeline::{Partition, RunContext, Sink, Source, TaskContext};

/// How rows are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Rows that are spread at once.
    pub(super) spread: usize,
    /// Rows of a range.
    pub(super) range: usize,
    /// Every so many rows one is looked at to place the splitters.
    pub(super) sample: usize,
}

/// Every so many rows of a block one is looked at.
pub(super) const SAMPLE: usize = 256;
/// Codes and places of rows that are spread, and the states of a range's groups, stay in the
/// second-level cache.
const SIZES: Sizes = Sizes {
    spread: 64 << 10,
    range: 32 << 10,
    sample: SAMPLE,
};
/// Bits of the table that leads from a code's first bits to its range.
const TABLE_BITS: u32 = 12;

/// A sink's rows, in the partition that it leaves.
#[derive(Debug)]
pub struct Left(Mutex<Option<Kept>>);

impl Left {
    pub(super) fn new(kept: Kept) -> Self {
        Left(Mutex::new(Some(kept)))
    }

    fn take(&self) -> Option<Kept> {
        self.0.lock().ok()?.take()
    }
}

/// Rows on their way to groups in order.
#[derive(Debug)]
pub struct Ordered {
    pub(super) plan: Arc<Plan>,
    pub(super) packing: Packing,
    pub(super) keys: Vec<KeyColumn>,
    /// The texts of each text key, by rank.
    pub(super) unions: Vec<Option<ArrayRef>>,
    ranks: Ranks,
    work: Vec<Mutex<Option<Work>>>,
    pub(super) lanes: Lanes,
    pub(super) run: Arc<RunContext>,
    /// Rows, before equal keys meet.
    rows: u64,
    pub(super) room: Room,
    /// Set if somebody wants the numbers of groups among all groups.
    pub(super) numbered: AtomicBool,
    /// Where rows are spread to, if not in memory.
    file: Option<Arc<SpillFile>>,
    _held: Vec<Reservation>,
}

/// Rows that are spread together, and their sink.
#[derive(Debug)]
struct Work {
    sink: usize,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Here(Vec<Block>),
    OnDisk(Arc<SpillFile>, Vec<SpillBlock>),
}

/// The spread rows, by the width of their codes.
#[derive(Debug)]
pub(super) enum Lanes {
    Short(Spread<u64>),
    Long(Spread<u128>),
}

/// Where the ranges lie, and the rows.
#[derive(Debug)]
pub(super) struct Spread<C> {
    splitters: Vec<C>,
    /// By a code's first bits: the number of splitters with lesser ones.
    table: Vec<u32>,
    bits: u32,
    shift: u32,
    pub(super) chunks: Vec<OnceLock<Chunk<C>>>,
    /// Of each range.
    pub(super) known: Vec<Known<C>>,
}

/// Partitions of hashed groups, or instead of them rows to be spread.
pub type Planned = (Vec<Arc<Partition>>, Option<Arc<Ordered>>);

/// Decides what becomes of kept rows, if any sink of a stage left such. They are spread if all rows
/// are kept and their keys fit codes; otherwise they are grouped now, and the partitions are those
/// of hashed groups.
pub fn plan(partitions: Vec<Arc<Partition>>) -> Result<Planned> {
    plan_with(partitions, SIZES)
}

/// As [`plan`], cut to other sizes.
pub(super) fn plan_with(partitions: Vec<Arc<Partition>>, sizes: Sizes) -> Result<Planned> {
    let left = |p: &Arc<Partition>| p.local.as_ref().and_then(|l| l.downcast_ref::<Left>()?.take());
    let mut kept: Vec<Option<Kept>> = partitions.iter().map(left).collect();
    if kept.iter().all(Option::is_none) {
        return Ok((partitions, None));
    }
    let all = partitions
        .iter()
        .zip(&kept)
        .all(|(p, k)| k.is_some() || p.rows == 0);
    if all && let Some(ordered) = Ordered::new(&mut kept, sizes)? {
        return Ok((Vec::new(), Some(Arc::new(ordered))));
    }
    let mut out = Vec::with_capacity(partitions.len());
    for (partition, kept) in partitions.into_iter().zip(kept) {
        out.push(match kept {
            None => partition,
            Some(kept) => Arc::new(regroup(kept)?),
        });
    }
    Ok((out, None))
}

/// Kept rows as hashed groups.
pub(super) fn regroup(kept: Kept) -> Result<Partition> {
    let mut sink = Box::new(PartialAggregate::of(kept.plan.clone(), &kept.run)?);
    let cx = TaskContext {
        run: kept.run.clone(),
        part: 0,
    };
    kept.give_back(|batch| sink.push(batch, &cx).map(|_| ()))?;
    sink.finish(&cx)
}

impl Ordered {
    /// Takes the rows if their keys fit codes, and there is room for it.
    fn new(all: &mut Vec<Option<Kept>>, sizes: Sizes) -> Result<Option<Ordered>> {
        let rows: usize = all.iter().flatten().map(Kept::rows).sum();
        let Some(first) = all.iter().flatten().next() else {
            return Ok(None);
        };
        let (plan, run) = (first.plan.clone(), first.run.clone());
        let keys: Vec<KeyColumn> = (first.order.keys.iter())
            .map(|k| KeyColumn {
                column: k.column,
                descending: k.descending,
                nulls_first: k.nulls_first,
                float: plan.key_types[k.column] == arrow::datatypes::DataType::Float64,
            })
            .collect();
        let on_disk = all.iter().flatten().any(Kept::is_on_disk);
        if on_disk {
            // all or nothing: what is spread lies in one place
            all.iter_mut().flatten().try_for_each(Kept::spill)?;
        }
        let (unions, ranks) = unite_all(all, plan.keys.len())?;
        let spans: Vec<_> = (keys.iter())
            .map(|key| match &unions[key.column] {
                Some(texts) => texts.len().checked_sub(1).map(|last| (0, last as i128)),
                None => (all.iter().flatten()).fold(None, |s, kept| union(s, kept.spans[key.column])),
            })
            .collect();
        let Some(packing) = Packing::new(&keys, &spans) else {
            return Ok(None);
        };
        let row_bytes = all
            .iter_mut()
            .flatten()
            .filter_map(|k| Some(k.disk()?.row_bytes()));
        let row_bytes = row_bytes.max();
        let texts = unions.iter().flatten().map(|u| u.get_array_memory_size());
        let ids = ranks.iter().flatten().flatten().map(|r| 4 * r.len());
        let held: usize = texts.chain(ids).sum();
        let Some(room) = Room::new(rows, &plan, packing.bits(), row_bytes, held, sizes, &run) else {
            return Ok(None);
        };
        let sample = sampled(all, plan.keys.len(), sizes.sample)?;
        let (work, mut reserved) = cut(all, room.spread);
        if on_disk {
            let mut own = run.budget.reservation("grouping in order");
            own.grow_anyway(held + room.index);
            reserved = vec![own];
        }
        let (bits, chunks, ranges) = (packing.bits(), work.len(), room.ranges);
        let mut ordered = Ordered {
            plan,
            packing,
            keys,
            unions,
            ranks,
            work,
            lanes: Lanes::Long(Spread::default()),
            file: match on_disk {
                true => Some(run.spill.create()?.file()),
                false => None,
            },
            run,
            rows: rows as u64,
            room,
            numbered: AtomicBool::new(false),
            _held: reserved,
        };
        ordered.lanes = match bits <= 64 {
            true => Lanes::Short(Spread::new(ordered.sample(&sample)?, ranges, bits, chunks)),
            false => Lanes::Long(Spread::new(ordered.sample(&sample)?, ranges, bits, chunks)),
        };
        Ok(Some(ordered))
    }

    /// The number of tasks that spread rows.
    pub fn tasks(&self) -> usize {
        self.work.len()
    }

    /// The number of ranges.
    pub fn ranges(&self) -> usize {
        match &self.lanes {
            Lanes::Short(s) => s.ranges(),
            Lanes::Long(s) => s.ranges(),
        }
    }

    /// From now on the positions of groups are their numbers, from 0 on.
    pub fn number_groups(&self) {
        self.numbered.store(true, Relaxed);
    }

    /// Leaves it to the next stage.
    pub fn partition(self: &Arc<Self>) -> Partition {
        Partition {
            rows: self.rows,
            local: Some(self.clone()),
            ..Partition::default()
        }
    }

    /// What [`Ordered::partition`] left.
    pub fn of(partitions: &[Arc<Partition>]) -> Option<Arc<Ordered>> {
        let [only] = partitions else { return None };
        only.local.clone()?.downcast().ok()
    }

    fn codes<C: Code>(&self, sink: usize, columns: &[Cells], rows: usize, out: &mut Vec<C>) -> Result<()> {
        let map = |k: usize| self.ranks[sink][k].as_deref();
        (self.packing.append_codes(columns, rows, map, out))
            .ok_or_else(|| Error::defect("a kept key is no integer"))
    }

    /// The codes of a sample of the rows, in order.
    fn sample<C: Code>(&self, sample: &[(usize, Block)]) -> Result<Vec<C>> {
        let mut out = Vec::new();
        for (sink, keys) in sample {
            self.codes(*sink, &keys.columns, keys.rows, &mut out)?;
        }
        out.sort_unstable();
        Ok(out)
    }

    fn spread(&self, task: usize) -> Result<()> {
        match &self.lanes {
            Lanes::Short(s) => self.spread_into(task, s),
            Lanes::Long(s) => self.spread_into(task, s),
        }
    }

    fn spread_into<C: Code + Stored>(&self, task: usize, spread: &Spread<C>) -> Result<()> {
        let work = self.work[task].lock().ok().and_then(|mut w| w.take());
        let work = work.ok_or_else(|| Error::defect("rows were spread twice"))?;
        let mut held = self.run.budget.reservation("grouping in order");
        let columns = self.plan.keys.len() + self.plan.columns.len();
        let blocks = match work.rows {
            Rows::Here(blocks) => blocks,
            Rows::OnDisk(file, written) => {
                let rows: usize = written.iter().map(|b| b.rows as usize).sum();
                held.grow_anyway(rows * self.room.a_row_to_spread);
                let blocks = written.iter().map(|b| read(&file, b, columns));
                blocks.collect::<Result<_>>()?
            }
        };
        let rows = blocks.iter().map(|b| b.rows).sum();
        let mut codes: Vec<C> = Vec::with_capacity(rows);
        for block in &blocks {
            self.codes(work.sink, &block.columns, block.rows, &mut codes)?;
        }
        let ranges: Vec<u16> = codes.iter().map(|&c| spread.range_of(c)).collect();
        let mut starts = vec![0u32; spread.ranges() + 1];
        ranges.iter().for_each(|&r| starts[r as usize + 1] += 1);
        (1..starts.len()).for_each(|r| starts[r] += starts[r - 1]);
        let mut next = starts.clone();
        let mut at = vec![(0, 0); rows];
        let mut sorted = vec![C::default(); rows];
        let places = (blocks.iter().zip(0..)).flat_map(|(b, p)| (0..b.rows as u32).map(move |r| (p, r)));
        for ((place, &code), &range) in places.zip(&codes).zip(&ranges) {
            let to = &mut next[range as usize];
            sorted[*to as usize] = code;
            at[*to as usize] = place;
            *to += 1;
        }
        drop((codes, ranges));
        let values = (self.plan.keys.len()..columns).map(|c| {
            let parts: Vec<&Cells> = blocks.iter().map(|b| &b.columns[c]).collect();
            Cells::gather(&parts, &at)
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        drop((blocks, at));
        let chunk = match &self.file {
            Some(file) => Chunk::store(&sorted, &values, &starts, file)?,
            None => Chunk::Here {
                codes: sorted,
                values,
                starts,
            },
        };
        match spread.chunks[task].set(chunk).is_err() {
            true => Err(Error::defect("rows were spread twice")),
            false => Ok(()),
        }
    }
}

impl<C> Default for Spread<C> {
    fn default() -> Self {
        Spread {
            splitters: Vec::new(),
            table: Vec::new(),
            bits: 0,
            shift: 0,
            chunks: Vec::new(),
            known: Vec::new(),
        }
    }
}

impl<C: Code> Spread<C> {
    /// Splitters that cut a sorted sample evenly.
    fn new(sample: Vec<C>, ranges: usize, bits: u32, chunks: usize) -> Self {
        let mut splitters: Vec<C> = (1..ranges)
            .filter_map(|r| sample.get(r * sample.len() / ranges).copied())
            .collect();
        splitters.dedup();
        let shift = bits.saturating_sub(TABLE_BITS);
        let first = |c: &C| c.field(shift, bits - shift);
        let table = (0..=1u64 << (bits - shift)).map(|b| splitters.partition_point(|s| first(s) < b) as u32);
        Spread {
            table: table.collect(),
            known: (0..=splitters.len()).map(|_| Known::default()).collect(),
            splitters,
            bits,
            shift,
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
        }
    }

    pub(super) fn ranges(&self) -> usize {
        self.splitters.len() + 1
    }

    /// The number of splitters that are not greater than the code.
    fn range_of(&self, code: C) -> u16 {
        let first = code.field(self.shift, self.bits - self.shift) as usize;
        let (low, high) = (self.table[first] as usize, self.table[first + 1] as usize);
        let among = self.splitters[low..high].partition_point(|s| *s <= code);
        (low + among) as u16
    }
}

/// The keys of every `step`-th row of each block, with their sinks; of fewer where the sinks looked
/// at fewer.
fn sampled(all: &mut [Option<Kept>], keys: usize, step: usize) -> Result<Vec<(usize, Block)>> {
    let mut disks = all.iter_mut().flatten().filter_map(Kept::disk);
    let common = disks.by_ref().map(|d| d.step()).max();
    let mut sample = Vec::new();
    for (sink, kept) in all.iter_mut().enumerate() {
        let Some(kept) = kept else { continue };
        let blocks = match (kept.disk(), common) {
            (Some(disk), Some(common)) => {
                disk.thin(common, keys)?;
                std::mem::take(&mut disk.sample)
            }
            _ => (kept.blocks.iter().map(|b| every(b, keys, step))).collect::<Result<_>>()?,
        };
        sample.extend(blocks.into_iter().map(|b| (sink, b)));
    }
    Ok(sample)
}

/// The rows of all sinks, in pieces of about so many, and what keeps their memory reserved.
fn cut(all: &mut Vec<Option<Kept>>, size: usize) -> (Vec<Mutex<Option<Work>>>, Vec<Reservation>) {
    let (mut work, mut held) = (Vec::new(), Vec::new());
    for (sink, kept) in all.drain(..).enumerate() {
        let Some(mut kept) = kept else { continue };
        let mut add = |rows| work.push(Mutex::new(Some(Work { sink, rows })));
        if let Some(disk) = kept.disk() {
            let rows = |b: &SpillBlock| b.rows as usize;
            for written in pieces(std::mem::take(&mut disk.written), rows, size) {
                add(Rows::OnDisk(disk.file(), written));
            }
        }
        for blocks in pieces(kept.blocks, |b| b.rows, size) {
            add(Rows::Here(blocks));
        }
        held.push(kept.held);
    }
    (work, held)
}

/// Cuts a list where `size` rows or more are together.
fn pieces<T>(all: Vec<T>, rows: impl Fn(&T) -> usize, size: usize) -> Vec<Vec<T>> {
    let (mut pieces, mut sum) = (Vec::new(), size);
    for item in all {
        if sum >= size {
            pieces.push(Vec::new());
            sum = 0;
        }
        sum += rows(&item);
        if let Some(last) = pieces.last_mut() {
            last.push(item);
        }
    }
    pieces
}

/// One task of spreading; it gives no rows.
pub struct Spreading(pub Arc<Ordered>);

impl Source for Spreading {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        self.0.spread(cx.part as usize).map(|()| None)
    }
}
