//! What all sinks kept, spread over ranges of codes: between two barriers, in parallel.

use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::{Array, ArrayRef, BinaryArray, StringViewArray};

use super::super::partial::PartialAggregate;
use super::super::plan::Plan;
use super::kept::{Block, Kept, ranked, utf8};
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::Reservation;
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

/// Codes and places of rows that are spread, and the states of a range's groups, stay in the
/// second-level cache.
const SIZES: Sizes = Sizes {
    spread: 64 << 10,
    range: 32 << 10,
    sample: 256,
};
/// Ranges at most, so that pieces do not become too small.
const MOST_RANGES: usize = 1024;
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
    _held: Vec<Reservation>,
}

/// Blocks that are spread together, and their sink.
#[derive(Debug)]
struct Work {
    sink: usize,
    blocks: Vec<Block>,
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
}

/// Rows in the order of their ranges.
#[derive(Debug)]
pub(super) struct Chunk<C> {
    pub(super) codes: Vec<C>,
    pub(super) values: Vec<Cells>,
    /// Where each range begins, and the end.
    pub(super) starts: Vec<u32>,
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
    /// Takes the rows if their keys fit codes.
    fn new(all: &mut Vec<Option<Kept>>, sizes: Sizes) -> Result<Option<Ordered>> {
        let rows: usize = all.iter().flatten().map(Kept::rows).sum();
        let Some(first) = all.iter().flatten().next() else {
            return Ok(None);
        };
        if rows > u32::MAX as usize {
            return Ok(None);
        }
        let (plan, run) = (first.plan.clone(), first.run.clone());
        let keys: Vec<KeyColumn> = (first.order.keys.iter())
            .map(|k| KeyColumn {
                column: k.column,
                descending: k.descending,
                nulls_first: k.nulls_first,
                float: plan.key_types[k.column] == arrow::datatypes::DataType::Float64,
            })
            .collect();
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
        let (work, held) = cut(all, sizes.spread);
        let mut ordered = Ordered {
            plan,
            packing,
            keys,
            unions,
            ranks,
            work,
            lanes: Lanes::Long(Spread::default()),
            run,
            rows: rows as u64,
            _held: held,
        };
        let ranges = (rows / sizes.range).clamp(1, MOST_RANGES);
        let (bits, chunks) = (ordered.packing.bits(), ordered.work.len());
        ordered.lanes = match bits <= 64 {
            true => Lanes::Short(Spread::new(ordered.sample(sizes.sample)?, ranges, bits, chunks)),
            false => Lanes::Long(Spread::new(ordered.sample(sizes.sample)?, ranges, bits, chunks)),
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

    /// The codes of some rows of each block.
    fn sample<C: Code>(&self, step: usize) -> Result<Vec<C>> {
        let mut out = Vec::new();
        for work in &self.work {
            let Ok(work) = work.lock() else { continue };
            let Some(work) = work.as_ref() else { continue };
            for block in &work.blocks {
                let at: Vec<(u32, u32)> = (0..block.rows as u32).step_by(step).map(|r| (0, r)).collect();
                let keys = &block.columns[..self.plan.keys.len()];
                let few = keys.iter().map(|c| Cells::gather(&[c], &at));
                self.codes(work.sink, &few.collect::<Result<Vec<_>>>()?, at.len(), &mut out)?;
            }
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

    fn spread_into<C: Code>(&self, task: usize, spread: &Spread<C>) -> Result<()> {
        let work = self.work[task].lock().ok().and_then(|mut w| w.take());
        let work = work.ok_or_else(|| Error::defect("rows were spread twice"))?;
        let rows = work.blocks.iter().map(|b| b.rows).sum();
        let mut codes: Vec<C> = Vec::with_capacity(rows);
        for block in &work.blocks {
            self.codes(work.sink, &block.columns, block.rows, &mut codes)?;
        }
        let ranges: Vec<u16> = codes.iter().map(|&c| spread.range_of(c)).collect();
        let mut starts = vec![0u32; spread.ranges() + 1];
        ranges.iter().for_each(|&r| starts[r as usize + 1] += 1);
        (1..starts.len()).for_each(|r| starts[r] += starts[r - 1]);
        let mut next = starts.clone();
        let mut at = vec![(0, 0); rows];
        let mut sorted = vec![C::default(); rows];
        let places = (work.blocks.iter().zip(0..)).flat_map(|(b, p)| (0..b.rows as u32).map(move |r| (p, r)));
        for ((place, &code), &range) in places.zip(&codes).zip(&ranges) {
            let to = &mut next[range as usize];
            sorted[*to as usize] = code;
            at[*to as usize] = place;
            *to += 1;
        }
        let keys = self.plan.keys.len();
        let values = (keys..keys + self.plan.columns.len()).map(|c| {
            let parts: Vec<&Cells> = work.blocks.iter().map(|b| &b.columns[c]).collect();
            Cells::gather(&parts, &at)
        });
        let chunk = Chunk {
            values: values.collect::<Result<_>>()?,
            codes: sorted,
            starts,
        };
        let again = spread.chunks[task].set(chunk).is_err();
        match again {
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

/// By sink and key: the rank of each id among all texts of the key.
type Ranks = Vec<Vec<Option<Vec<i32>>>>;

/// The texts of each text key, by rank, and what the ids of each sink are among them.
fn unite_all(all: &mut [Option<Kept>], keys: usize) -> Result<(Vec<Option<ArrayRef>>, Ranks)> {
    let mut unions = Vec::with_capacity(keys);
    let mut ranks: Ranks = all.iter().map(|_| Vec::new()).collect();
    for k in 0..keys {
        let mut lists = Vec::new();
        for (kept, ranks) in all.iter_mut().zip(&mut ranks) {
            let texts = kept.as_mut().and_then(|kept| kept.texts[k].as_mut()).map(ranked);
            let (list, of_ids) = texts.unzip();
            lists.extend(list);
            ranks.push(of_ids);
        }
        unions.push(unite(&lists, ranks.iter_mut().filter_map(|r| r[k].as_mut()))?);
    }
    Ok((unions, ranks))
}

/// The blocks of all sinks, in pieces of about so many rows, and what keeps their memory reserved.
fn cut(all: &mut Vec<Option<Kept>>, size: usize) -> (Vec<Mutex<Option<Work>>>, Vec<Reservation>) {
    let (mut work, mut held) = (Vec::new(), Vec::new());
    for (sink, kept) in all.drain(..).enumerate() {
        let Some(kept) = kept else { continue };
        held.push(kept.held);
        let (mut blocks, mut rows) = (Vec::new(), 0);
        for block in kept.blocks {
            rows += block.rows;
            blocks.push(block);
            if rows >= size {
                rows = 0;
                let blocks = std::mem::take(&mut blocks);
                work.push(Mutex::new(Some(Work { sink, blocks })));
            }
        }
        if !blocks.is_empty() {
            work.push(Mutex::new(Some(Work { sink, blocks })));
        }
    }
    (work, held)
}

/// Unites sorted lists of texts; turns the ranks of ids within their list into ranks among all.
fn unite<'a>(
    lists: &[BinaryArray],
    ranks: impl Iterator<Item = &'a mut Vec<i32>>,
) -> Result<Option<ArrayRef>> {
    if lists.is_empty() {
        return Ok(None);
    }
    let mut all: Vec<(&[u8], usize)> = Vec::with_capacity(lists.iter().map(|l| l.len()).sum());
    for (i, list) in lists.iter().enumerate() {
        all.extend((0..list.len()).map(|rank| (list.value(rank), i)));
    }
    // the standard stable sort merges runs that are sorted already
    all.sort();
    let mut texts: Vec<&str> = Vec::new();
    let mut maps: Vec<Vec<i32>> = lists.iter().map(|l| Vec::with_capacity(l.len())).collect();
    for (i, &(text, list)) in all.iter().enumerate() {
        if i == 0 || all[i - 1].0 != text {
            texts.push(utf8(text)?);
        }
        maps[list].push(texts.len() as i32 - 1);
    }
    for (ranks, map) in ranks.zip(maps) {
        ranks.iter_mut().for_each(|r| *r = map[*r as usize]);
    }
    Ok(Some(Arc::new(StringViewArray::from_iter_values(texts))))
}

/// One task of spreading; it gives no rows.
pub struct Spreading(pub Arc<Ordered>);

impl Source for Spreading {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        self.0.spread(cx.part as usize).map(|()| None)
    }
}
