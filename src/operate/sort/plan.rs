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
use super::keys::{Codec, Kind, kind};
use super::packing::{Packing, Range, union};
use super::sink::{Mark, Notes, RunIndex};
use crate::error::{Error, Result};
use crate::pipeline::{Bucket, Partition};

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
    /// How the keys of all runs fit codes, if they do; the texts of keys by their ranks in `unions`.
    packing: Option<Packing>,
    /// For each column whether it is a key.
    keys: Vec<bool>,
    /// Columns that cells keep as they are.
    pub(super) other: Vec<bool>,
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
        let run = &self.runs[run];
        if let Some(packing) = &self.packing {
            let map = |c: usize| self.unions.get(c)?.as_ref().map(|_| run.to_union[c].as_slice());
            let mut heads = packing
                .codes(&block, map)
                .ok_or_else(|| Error::defect("sort: a key came back in another form"))?;
            heads.iter_mut().for_each(|h| *h <<= 1);
            return Ok((block, heads));
        }
        let dictionaries = run.dictionaries.iter().zip(&self.keys).enumerate();
        for (c, (dictionary, &key)) in dictionaries {
            if let (Some(dictionary), true) = (dictionary, key && block.columns[c].width() > 0) {
                block.columns[c] = block.columns[c].spelled(dictionary);
            }
        }
        let heads = self.codec.heads(&block, 0, block.rows());
        Ok((block, heads))
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
) -> Result<MergePlan> {
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
                Some(arrays) if is_header(&arrays, block_columns) => (1, read_header(&arrays, columns)?),
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
        if texts(c) {
            unite(&mut runs, c, keys[c])
        } else {
            Ok(None)
        }
    });
    let mut unions = unions.collect::<Result<Vec<_>>>()?;
    let indices: Option<Vec<&RunIndex>> = indices.into_iter().collect();
    let packing = indices.as_ref().and_then(|i| packing(&codec, i, &unions));
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
    let mut marks = Vec::new();
    for (run, index) in runs.iter_mut().zip(indices.iter().flatten()) {
        let firsts = match &packing {
            Some(packing) => packed_marks(packing, index, run, &codec)?,
            None => index.firsts.clone(),
        };
        marks.extend(firsts.iter().copied().zip(index.rows.iter().copied()));
        (run.firsts, run.rows) = (Some(firsts), index.rows.clone());
    }
    let ranges = match indices {
        Some(_) => bytes.div_ceil(target_bytes.max(1)).min(marks.len() as u64).max(1),
        None => 1,
    };
    if let Some(keys) = spec.whole {
        let behind = packing
            .as_ref()
            .map_or_else(|| codec.bits_behind(keys), |p| p.bits_behind(keys));
        marks
            .iter_mut()
            .for_each(|(mark, _)| *mark = start_of(*mark, behind + 1));
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
        packing,
        keys,
    })
}

/// How the keys of all runs fit codes: if each run has its own, and all texts are united.
fn packing(codec: &Codec, indices: &[&RunIndex], unions: &[Option<ArrayRef>]) -> Option<Packing> {
    let keys = codec.key_columns();
    let mut ranges: Vec<Range> = vec![None; keys.len()];
    for index in indices {
        let (packing, _) = index.packed.as_ref()?;
        for (all, own) in ranges.iter_mut().zip(packing.ranges()) {
            *all = union(*all, own);
        }
    }
    for (range, key) in ranges.iter_mut().zip(&keys) {
        if let Some(union) = unions.get(key.column)?.as_ref() {
            *range = Some((0, union.len() as i128));
        }
    }
    Packing::new(&keys, &ranges)
}

/// The marks of a run by the codes of the merge.
fn packed_marks(packing: &Packing, index: &RunIndex, run: &RunPlan, codec: &Codec) -> Result<Vec<Mark>> {
    let Some((own, codes)) = &index.packed else {
        return Err(Error::defect("sort: a run without codes"));
    };
    let keys = codec.key_columns();
    let marks = codes.iter().map(|&(code, order)| {
        let mut values = own.unpack(code);
        for (value, key) in values.iter_mut().zip(&keys) {
            let map = &run.to_union[key.column];
            if !map.is_empty() {
                *value = value
                    .and_then(|rank| map.get(rank as usize))
                    .map(|&rank| rank as i128);
            }
        }
        (packing.pack(&values) << 1, order)
    });
    Ok(marks.collect())
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
