//! Rows as they came, in columns of narrow integers, until all have been seen.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, StringViewArray};
use arrow::datatypes::DataType;

use super::super::column;
use super::super::plan::Plan;
use super::Order;
use super::disk::{self, Disk};
use super::spread::{Left, SAMPLE, regroup};
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::kernel::hash::mix;
use crate::memory::Reservation;
use crate::operate::sort::cells::{Cells, Int, ints, min_max};
use crate::operate::sort::encode::cells;
use crate::operate::sort::packing::{Range, union};
use crate::operate::sort::texts::KeyTexts;
use crate::pipeline::{Partition, RunContext};

/// Bytes the dictionaries of key texts may take,
const MOST_TEXT_BYTES: usize = 128 << 20;
/// and how many eighths of a thread's share of the memory.
const TEXT_EIGHTHS: usize = 4;
/// Every so many blocks one is looked at for keys that repeat.
const LOOK: usize = 16;
/// Bits of the map that distinct keys are counted with.
const MAP_BITS: usize = 1 << 20;
/// What spreading needs for each row besides its values: a code.
const CODE_BYTES: usize = 16;

/// Some rows: key columns, then the columns that states look at.
#[derive(Debug)]
pub struct Block {
    pub(super) rows: usize,
    pub(super) columns: Vec<Cells>,
}

/// The rows that one sink kept.
#[derive(Debug)]
pub struct Kept {
    pub(super) plan: Arc<Plan>,
    pub(super) blocks: Vec<Block>,
    /// The dictionaries of text keys.
    pub(super) texts: Vec<Option<KeyTexts>>,
    /// Least and greatest value of each key that is no text.
    pub(super) spans: Vec<Range>,
    pub(super) order: Order,
    pub(super) run: Arc<RunContext>,
    pub(super) held: Reservation,
    /// Bytes of the dictionaries that are reserved, and how many they may have.
    text_bytes: usize,
    most_text_bytes: usize,
    /// Where the first rows lie, once memory was refused.
    disk: Option<Disk>,
    rows: usize,
    /// Batches.
    pushed: usize,
    seen: Seen,
}

/// Keys of a sample of the rows, counted by linear counting (Whang and others, 1990).
#[derive(Debug, Default)]
struct Seen {
    rows: usize,
    bits: Vec<u64>,
    set: usize,
}

impl Seen {
    fn see(&mut self, hashes: &[u64]) {
        self.bits.resize(MAP_BITS / 64, 0);
        self.rows += hashes.len();
        for &hash in hashes {
            let at = (hash >> 40) as usize % MAP_BITS;
            let word = &mut self.bits[at / 64];
            self.set += (*word >> (at % 64) & 1 == 0) as usize;
            *word |= 1 << (at % 64);
        }
    }

    /// Whether each key has come four times among `all` rows, as far as the sample tells.
    fn repeats(&self, all: usize) -> bool {
        let map = MAP_BITS as f64;
        let empty = (map - self.set as f64) / map;
        let distinct = -map * empty.max(1e-6).ln();
        // with a quarter of the rows as keys, the sample would have so many
        let keys = all as f64 / 4.0;
        distinct < keys * -(-(self.rows as f64) / keys).exp_m1()
    }
}

impl Kept {
    /// Keeps nothing yet; none where the plan does not allow it.
    pub fn new(plan: &Arc<Plan>, order: &Order, run: &Arc<RunContext>) -> Option<Kept> {
        if !order.fits(plan) {
            return None;
        }
        let share = run.budget.limit() / run.threads.max(1);
        let most_text_bytes = MOST_TEXT_BYTES.min(share / 8 * TEXT_EIGHTHS);
        let text = |ty: &DataType| (*ty == DataType::Utf8View).then(|| KeyTexts::new(most_text_bytes));
        Some(Kept {
            plan: plan.clone(),
            blocks: Vec::new(),
            texts: plan.key_types.iter().map(text).collect(),
            spans: vec![None; plan.keys.len()],
            order: order.clone(),
            run: run.clone(),
            held: run.budget.reservation("keeping rows"),
            text_bytes: 0,
            most_text_bytes,
            disk: None,
            rows: 0,
            pushed: 0,
            seen: Seen::default(),
        })
    }

    /// Rows kept.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Keeps a batch, on disk if memory is refused. False, and the batch is not kept, where the sink
    /// had better group: another one does, texts are too many, or keys repeat.
    pub fn push(&mut self, batch: &Batch) -> Result<bool> {
        let looked = self.pushed > 0 && self.pushed.is_multiple_of(LOOK);
        if self.order.pays.load(Relaxed) || looked && self.seen.repeats(self.rows) {
            return Ok(false);
        }
        let keys = self.plan.keys.len();
        let mut columns = Vec::with_capacity(keys + self.plan.columns.len());
        for k in 0..keys {
            let array = &batch.columns[self.plan.keys[k]];
            let cells = match &mut self.texts[k] {
                Some(texts) => match texts.encode(array, 0) {
                    Some(ids) => ids,
                    None => return Ok(false),
                },
                None => {
                    let cells = cells(array, &self.plan.key_types[k], 0)?;
                    self.spans[k] = union(self.spans[k], span(&cells));
                    cells
                }
            };
            columns.push(cells);
        }
        for (&c, ty) in self.plan.columns.iter().zip(&self.plan.types) {
            columns.push(cells(&batch.columns[c], ty, 0)?);
        }
        let values: usize = columns[keys..].iter().map(|c| c.width() as usize).sum();
        // what spreading takes is asked for beforehand, so that it cannot fail
        let bytes = columns.iter().map(Cells::bytes).sum::<usize>() + batch.rows * (values + CODE_BYTES);
        let texts = self.texts.iter().flatten().map(KeyTexts::bytes).sum::<usize>();
        if texts > self.most_text_bytes {
            return Ok(false);
        }
        let more = bytes + texts.saturating_sub(self.text_bytes);
        if self.held.try_grow(more).is_err() {
            self.spill()?;
            // what others hold is theirs: one batch at least finds room
            self.held.grow_anyway(more);
        }
        self.text_bytes = self.text_bytes.max(texts);
        if self.pushed % LOOK == LOOK - 1 {
            self.seen.see(&hashes(&columns[..keys], batch.rows));
        }
        self.pushed += 1;
        self.rows += batch.rows;
        self.blocks.push(Block {
            rows: batch.rows,
            columns,
        });
        Ok(true)
    }

    /// Lets all sinks of the stage know that grouping early pays.
    pub fn pays(&self) {
        self.order.pays.store(true, Relaxed);
    }

    /// Whether a sink has found that grouping early does not pay.
    pub fn never_pays(&self) -> bool {
        self.order.never_pays.load(Relaxed)
    }

    /// Lets all sinks know that it does not.
    pub fn set_never_pays(&self) {
        self.order.never_pays.store(true, Relaxed);
    }

    /// A partition for [`super::plan`]; hashed groups where another sink left such.
    pub fn leave(mut self) -> Result<Partition> {
        if self.order.pays.load(Relaxed) {
            return regroup(self);
        }
        // sorting the texts is work for this thread
        self.texts.iter_mut().flatten().for_each(|t| t.rank(true));
        Ok(Partition {
            rows: self.rows as u64,
            local: Some(Arc::new(Left::new(self))),
            ..Partition::default()
        })
    }

    /// Whether memory was refused.
    pub(super) fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Writes the rows in memory to disk.
    pub(super) fn spill(&mut self) -> Result<()> {
        if self.blocks.is_empty() && self.disk.is_some() {
            return Ok(());
        }
        let disk = match &mut self.disk {
            Some(disk) => disk,
            none => none.insert(Disk::new(&self.run, SAMPLE)?),
        };
        disk.write(std::mem::take(&mut self.blocks), self.plan.keys.len())?;
        self.held.resize_anyway(self.text_bytes + disk.bytes());
        Ok(())
    }

    /// What lies on disk, once all does.
    pub(super) fn disk(&mut self) -> Option<&mut Disk> {
        self.disk.as_mut()
    }

    /// Gives the rows back as batches of the keys and columns of the plan, at their places, freeing
    /// them on the way.
    pub fn give_back(mut self, mut take: impl FnMut(Batch) -> Result<()>) -> Result<()> {
        let dictionaries: Vec<Option<ArrayRef>> = self
            .texts
            .iter()
            .map(|t| t.as_ref().map(|t| by_id(t)).transpose())
            .collect::<Result<_>>()?;
        let columns = self.plan.keys.len() + self.plan.columns.len();
        if let Some(disk) = &self.disk {
            let file = disk.file();
            for block in &disk.written {
                let block = disk::read(&file, block, columns)?;
                take(self.batch(&block, &dictionaries)?)?;
            }
        }
        let blocks = std::mem::take(&mut self.blocks);
        let share = self.held.bytes().saturating_sub(self.text_bytes) / blocks.len().max(1);
        for block in blocks {
            take(self.batch(&block, &dictionaries)?)?;
            self.held.shrink(share);
        }
        Ok(())
    }

    fn batch(&self, block: &Block, dictionaries: &[Option<ArrayRef>]) -> Result<Batch> {
        let plan = &self.plan;
        let width = plan.keys.iter().chain(&plan.columns).max().map_or(0, |c| c + 1);
        let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(block.rows));
        let mut columns = vec![nothing; width];
        let keys = plan.keys.iter().zip(&plan.key_types);
        let values = plan.columns.iter().zip(&plan.types);
        for (i, ((&to, ty), cells)) in keys.chain(values).zip(&block.columns).enumerate() {
            columns[to] = match dictionaries.get(i).and_then(Option::as_ref) {
                Some(texts) => Arc::new(DictionaryArray::try_new(ids(cells), texts.clone())?),
                None => array_of(cells, ty)?,
            };
        }
        Ok(Batch::new(columns, block.rows, 0))
    }
}

fn span(cells: &Cells) -> Range {
    ints!(cells, v => {
        let (low, high) = min_max(v);
        (low <= high).then_some((low, high))
    }, _ => None)
}

/// Hashes of keys that mean something within one sink only.
fn hashes(keys: &[Cells], rows: usize) -> Vec<u64> {
    let mut out = vec![0u64; rows];
    for cells in keys {
        ints!(cells, v => {
            for (h, x) in out.iter_mut().zip(v.iter()) {
                *h = mix(*h ^ x.wide() as u64 ^ 0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f);
            }
        }, _ => {});
    }
    out
}

/// The texts of a dictionary by id.
fn by_id(texts: &KeyTexts) -> Result<ArrayRef> {
    let texts = (0..texts.len()).map(|id| utf8(texts.text(id)));
    Ok(Arc::new(StringViewArray::from_iter_values(
        texts.collect::<Result<Vec<_>>>()?,
    )))
}

pub(super) fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|_| Error::defect("a kept text is not UTF-8"))
}

fn ids(cells: &Cells) -> Int32Array {
    ints!(cells, v => Int32Array::from_iter(v.iter().map(|x| (x.long() >= 0).then_some(x.long() as i32))),
        _ => Int32Array::from(Vec::<i32>::new()))
}

/// Cells of a column that is no text as an array of their type.
pub(super) fn array_of(cells: &Cells, ty: &DataType) -> Result<ArrayRef> {
    if let DataType::Decimal128(..) = ty {
        return ints!(cells, v => {
            let valid = v.iter().map(|x| x.wide() != i128::MIN).collect();
            let values = v.iter().map(|x| if x.wide() == i128::MIN { 0 } else { x.wide() }).collect();
            column::decimals(ty, values, valid)
        }, _ => Err(Error::defect("a kept column came back in another form")));
    }
    ints!(cells, v => {
        let nulls = v.contains(&nothing(v)).then(|| v.iter().map(|x| x.wide() != i128::MIN).collect());
        let longs = v.iter().map(|x| if x.wide() == i128::MIN { 0 } else { x.wide() as i64 }).collect();
        column::from_longs(ty, longs, nulls)
    }, _ => Err(Error::defect("a kept column came back in another form")))
}

fn nothing<T: Int>(_: &[T]) -> T {
    T::NULL
}

/// The dictionary of a text key by rank, and the rank of each id.
pub(super) fn ranked(texts: &mut KeyTexts) -> (BinaryArray, Vec<i32>) {
    texts.rank(true);
    (texts.sorted(), texts.ranks().to_vec())
}
