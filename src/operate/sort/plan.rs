//! Between the halves of a sort: where to cut the keys so that ranges are merged in parallel.
//!
//! ```text
//!   run 0   |b0 |b1 |b2 |b3 |          the first row of each block, weighted with its rows,
//!   run 1   |b0  |b1  |b2  |    ──►    tells where 1/R, 2/R, … of all rows lie
//!   range       0   |   1   |  2
//! ```
//!
//! The dictionaries of all runs are united here too, once for all ranges.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, StringViewArray};
use arrow::datatypes::SchemaRef;

use super::SortSpec;
use super::cells::Block;
use super::encode::{is_header, read_header};
use super::heads::{Heads, Values};
use super::keys::{Codec, Key, Kind, kind};
use super::packing::{Packing, Range, union};
use super::sink::{Mark, Notes, RunIndex, mark};
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::pipeline::{Bucket, Partition, RunContext};

/// How sorted runs are merged: in consecutive ranges of keys.
#[derive(Debug)]
pub struct MergePlan {
    /// Range `i` has the rows from `splitters[i - 1]` to below `splitters[i]`.
    splitters: Vec<Mark>,
    pub(super) codec: Codec,
    /// For each run, in the order of inputs and buckets.
    pub(super) runs: Vec<RunPlan>,
    /// For each column, if all runs keep it by dictionary: the united dictionary.
    pub(super) unions: Vec<Option<ArrayRef>>,
    rows: RowHeads,
    /// Columns that cells keep as they are.
    pub(super) other: Vec<bool>,
    /// The dictionaries of the runs on disk, and the united ones.
    _held: Reservation,
}

/// How rows of any run become heads.
#[derive(Debug)]
struct RowHeads {
    /// How the keys of all runs fit codes, if they do; the texts of keys by their ranks in the union.
    packing: Option<Packing>,
    /// Where they do not, by their bounds.
    heads: Heads,
    /// For each column whether it is a key, and whether the ids of runs are mapped to united ones.
    keys: Vec<bool>,
    united: Vec<bool>,
}

impl RowHeads {
    /// The heads of a block's rows; texts of keys that have no united ids are written out.
    fn of(&self, block: &mut Block, run: &RunPlan) -> Result<Vec<u128>> {
        if let Some(packing) = &self.packing {
            let map = |c: usize| self.united.get(c)?.then(|| run.to_union[c].as_slice());
            let heads = packing.codes(block, map);
            let mut heads = heads.ok_or_else(|| Error::defect("sort: a key came back in another form"))?;
            heads.iter_mut().for_each(|h| *h <<= 1);
            return Ok(heads);
        }
        let dictionaries = run.dictionaries.iter().zip(&self.keys).enumerate();
        for (c, (dictionary, &key)) in dictionaries {
            if let (Some(dictionary), true) = (dictionary, key && block.columns[c].width() > 0) {
                block.columns[c] = block.columns[c].spelled(dictionary);
            }
        }
        Ok(self.heads.of(block))
    }

    /// Bits of a head behind those of the first `keys`.
    fn bits_behind(&self, keys: usize) -> u32 {
        match &self.packing {
            Some(packing) => packing.bits_behind(keys) + 1,
            None => self.heads.bits_behind(keys) + 1,
        }
    }
}

/// What merging needs to know of a run.
#[derive(Debug)]
pub(super) struct RunPlan {
    /// The first rows of its blocks, if known, and how many rows they have.
    pub(super) firsts: Option<Vec<Mark>>,
    pub(super) rows: Vec<u32>,
    /// 1 if the run opens with a header.
    pub(super) skip: usize,
    /// Each column's dictionary, if it has one.
    pub(super) dictionaries: Vec<Option<BinaryArray>>,
    /// Ids of the run to those of the united dictionary, where there is one.
    pub(super) to_union: Vec<Vec<i32>>,
}

impl MergePlan {
    /// The number of ranges, at least one.
    pub fn ranges(&self) -> usize {
        self.splitters.len() + 1
    }

    /// A block of a run and the heads of its rows.
    pub(super) fn heads(&self, mut block: Block, run: usize) -> Result<(Block, Vec<u128>)> {
        let heads = self.rows.of(&mut block, &self.runs[run])?;
        Ok((block, heads))
    }

    /// The keys that rows of equal heads may differ in.
    pub(super) fn keys_behind(&self) -> &[Key] {
        &self.codec.keys[self.rows.heads.whole_keys()..]
    }

    /// Writes out the texts that a block of a run has by their ids.
    pub(super) fn spell(&self, block: &mut Block, run: usize) {
        for (cells, dictionary) in block.columns.iter_mut().zip(&self.runs[run].dictionaries) {
            if let (Some(dictionary), true) = (dictionary, cells.width() > 0) {
                *cells = cells.spelled(dictionary);
            }
        }
    }

    /// The marks between which a range lies.
    pub(super) fn bounds(&self, range: usize) -> (Option<Mark>, Option<Mark>) {
        let low = range.checked_sub(1).and_then(|i| self.splitters.get(i)).copied();
        (low, self.splitters.get(range).copied())
    }
}

/// The arrays of the `i`-th block of a run, header included.
pub(super) fn block_of(bucket: &Bucket, i: usize) -> Result<Option<Vec<ArrayRef>>> {
    if let Some(batch) = bucket.batches.get(i) {
        return Ok(Some(batch.columns.clone()));
    }
    match bucket.spilled.get(i - bucket.batches.len()) {
        Some((file, block)) => Ok(Some(file.read(block)?.columns().to_vec())),
        None => Ok(None),
    }
}

/// Cuts the merged result of `inputs` into consecutive key ranges of about `target_bytes` each;
/// into one where the samples are missing. `inputs` are what sinks of the same `spec` and `schema`
/// left, and must be given to [`super::merge_range`] in the same order.
pub fn plan_ranges(
    spec: &SortSpec,
    schema: &SchemaRef,
    inputs: &[Arc<Partition>],
    target_bytes: u64,
    run: &RunContext,
) -> Result<MergePlan> {
    plan(spec, schema, inputs, target_bytes, KeyTexts::United, run)
}

/// How a merge has the texts of keys that all runs keep by dictionaries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum KeyTexts {
    /// As ids of one dictionary.
    United,
    /// Written out.
    Spelled,
}

/// See [`plan_ranges`].
pub(super) fn plan(
    spec: &SortSpec,
    schema: &SchemaRef,
    inputs: &[Arc<Partition>],
    target_bytes: u64,
    key_texts: KeyTexts,
    run: &RunContext,
) -> Result<MergePlan> {
    let mut held = run.budget.reservation("the dictionaries of sorted runs");
    let codec = Codec::new(spec, schema)?;
    let columns = schema.fields().len();
    let block_columns = columns + codec.hidden.len() + 1;
    let (mut runs, mut indices, mut bytes) = (Vec::new(), Vec::new(), 0);
    for input in inputs {
        let notes = input.notes.as_ref().and_then(|n| n.downcast_ref::<Notes>());
        for (i, bucket) in input.buckets.iter().enumerate() {
            bytes += bucket.bytes;
            indices.push(notes.and_then(|n| n.runs.get(i)));
            let (skip, dictionaries) = match block_of(bucket, 0)? {
                Some(arrays) if is_header(&arrays, block_columns) => {
                    // one that lies in memory is counted there; of one on disk all arrays share its bytes
                    let read = bucket.spilled.first().filter(|_| bucket.batches.is_empty());
                    held.grow_anyway(read.map_or(0, |(_, block)| block.bytes()));
                    (1, read_header(&arrays, columns)?)
                }
                _ => (0, vec![None; columns]),
            };
            runs.push(RunPlan {
                firsts: None,
                rows: Vec::new(),
                skip,
                dictionaries,
                to_union: vec![Vec::new(); columns],
            });
        }
    }
    let keys: Vec<bool> = (0..columns)
        .map(|c| spec.keys.iter().any(|k| k.column == c))
        .collect();
    let texts = |c: usize| kind(schema.field(c).data_type()) == Kind::Text;
    let unions = (0..columns).map(|c| {
        if texts(c) && (!keys[c] || key_texts == KeyTexts::United) {
            unite(&mut runs, c, keys[c])
        } else {
            Ok(None)
        }
    });
    let mut unions = unions.collect::<Result<Vec<_>>>()?;
    held.grow_anyway(unions.iter().flatten().map(|u| u.get_array_memory_size()).sum());
    let indices: Option<Vec<&RunIndex>> = indices.into_iter().collect();
    let packing = indices.as_ref().and_then(|i| packing(&codec, schema, i, &unions));
    let values = codec.keys.iter().enumerate().map(|(k, key)| match &indices {
        Some(indices) => bounds(k, key, indices, &runs),
        None => Values::any(schema.field(spec.keys[k].column).data_type()),
    });
    let heads = Heads::new(&codec.keys, &values.collect::<Vec<_>>());
    for c in 0..columns {
        if !keys[c] || unions[c].is_none() {
            continue;
        }
        match packing {
            // The united dictionary stands for them.
            Some(_) => runs.iter_mut().for_each(|r| r.dictionaries[c] = None),
            None => unions[c] = None,
        }
    }
    let rows = RowHeads {
        packing,
        heads,
        keys,
        united: unions.iter().map(Option::is_some).collect(),
    };
    let mut marks = Vec::new();
    for (run, index) in runs.iter_mut().zip(indices.iter().flatten()) {
        let mut firsts = Vec::with_capacity(index.firsts.len());
        for first in &index.firsts {
            let heads = rows.of(&mut first.clone(), run)?;
            firsts.extend(
                heads
                    .into_iter()
                    .zip(first.orders.iter())
                    .map(|(h, &o)| mark(h, o)),
            );
        }
        marks.extend(firsts.iter().copied().zip(index.rows.iter().copied()));
        (run.firsts, run.rows) = (Some(firsts), index.rows.clone());
    }
    let ranges = match indices {
        Some(_) => bytes.div_ceil(target_bytes.max(1)).min(marks.len() as u64).max(1),
        None => 1,
    };
    if let Some(keys) = spec.whole {
        let behind = rows.bits_behind(keys);
        marks
            .iter_mut()
            .for_each(|(mark, _)| *mark = start_of(*mark, behind));
    }
    Ok(MergePlan {
        splitters: splitters(marks, ranges),
        other: schema
            .fields()
            .iter()
            .map(|f| kind(f.data_type()) == Kind::Other)
            .collect(),
        codec,
        runs,
        unions,
        rows,
        _held: held,
    })
}

/// How the keys of all runs fit codes: if all are integers, or texts of united dictionaries.
fn packing(
    codec: &Codec,
    schema: &SchemaRef,
    indices: &[&RunIndex],
    unions: &[Option<ArrayRef>],
) -> Option<Packing> {
    let keys = codec.key_columns();
    let mut ranges: Vec<Range> = vec![None; keys.len()];
    for (k, (range, key)) in ranges.iter_mut().zip(&keys).enumerate() {
        if let Some(union) = unions.get(key.column)?.as_ref() {
            *range = Some((0, union.len() as i128));
            continue;
        }
        if kind(schema.field(key.column).data_type()) != Kind::Int {
            return None; // bytes, or ids of one run, which mean nothing in another
        }
        for index in indices.iter().filter(|i| !i.rows.is_empty()) {
            *range = union(*range, index.values.get(k)?.range()?);
        }
    }
    Packing::new(&keys, &ranges)
}

/// The bounds of a key over all runs; of texts that are ids the bounds are those of the dictionary.
fn bounds(k: usize, key: &Key, indices: &[&RunIndex], runs: &[RunPlan]) -> Values {
    let own = indices.iter().zip(runs).map(|(index, run)| {
        let dictionary = run.dictionaries.get(key.column).and_then(Option::as_ref);
        match (dictionary, index.values.get(k)) {
            (Some(texts), Some(Values::Ints(..))) => Values::of_texts(texts).brief(),
            (_, values) => values.cloned().unwrap_or_default(),
        }
    });
    own.fold(Values::None, Values::with)
}

/// The least mark of the rows that share a mark's leading keys, as far as heads tell these apart.
fn start_of((head, _): Mark, bits_behind: u32) -> Mark {
    let above = head.checked_shr(bits_behind).unwrap_or(0);
    (above.checked_shl(bits_behind).unwrap_or(0), 0)
}

/// The marks that cut the rows into so many ranges of similar size; fewer where keys repeat.
fn splitters(mut marks: Vec<(Mark, u32)>, ranges: u64) -> Vec<Mark> {
    marks.sort_unstable();
    let all: u64 = marks.iter().map(|m| m.1 as u64).sum();
    let (mut seen, mut out) = (0, Vec::new());
    for (mark, rows) in marks {
        let next = (out.len() as u64 + 1) * all / ranges;
        if seen >= next && seen > 0 && (out.len() as u64) < ranges - 1 && out.last() != Some(&mark) {
            out.push(mark);
        }
        seen += rows as u64;
    }
    out
}

/// Unites the dictionaries of a column, if each run has one; `sorted` by bytes for a key.
fn unite(runs: &mut [RunPlan], column: usize, sorted: bool) -> Result<Option<ArrayRef>> {
    if runs.is_empty() || runs.iter().any(|r| r.dictionaries[column].is_none()) {
        return Ok(None);
    }
    let mut ids: HashMap<Vec<u8>, i32, foldhash::fast::FixedState> = HashMap::default();
    let mut texts: Vec<String> = Vec::new();
    for run in runs.iter_mut() {
        let Some(dictionary) = &run.dictionaries[column] else {
            continue;
        };
        let mut map = Vec::with_capacity(dictionary.len());
        for text in dictionary.iter().map(Option::unwrap_or_default) {
            let id = match ids.get(text) {
                Some(&id) => id,
                None => {
                    let id = texts.len() as i32;
                    let text = std::str::from_utf8(text)
                        .map_err(|_| Error::defect("sort: a dictionary text that is not UTF-8"))?;
                    texts.push(text.to_owned());
                    ids.insert(text.as_bytes().to_vec(), id);
                    id
                }
            };
            map.push(id);
        }
        run.to_union[column] = map;
    }
    if sorted {
        drop(ids);
        let mut by_rank: Vec<u32> = (0..texts.len() as u32).collect();
        by_rank.sort_unstable_by(|&a, &b| texts[a as usize].as_bytes().cmp(texts[b as usize].as_bytes()));
        let mut ranks = vec![0; texts.len()];
        for (rank, &id) in by_rank.iter().enumerate() {
            ranks[id as usize] = rank as i32;
        }
        for id in runs.iter_mut().flat_map(|r| &mut r.to_union[column]) {
            *id = ranks[*id as usize];
        }
        let texts = by_rank.iter().map(|&id| texts[id as usize].as_str());
        return Ok(Some(Arc::new(StringViewArray::from_iter_values(texts))));
    }
    Ok(Some(Arc::new(StringViewArray::from_iter_values(texts))))
}
