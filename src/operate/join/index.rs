//! From a key to the rows of the build side that have it.
//!
//! ```text
//!   integers close together   key - least ─► slot ─► group      no hash, no comparison
//!   all other keys            hash ─► KeyTable ─► group
//!   group ─► its row (keys are unique: the group *is* the row) or its list of rows
//! ```

use arrow::datatypes::{DataType, Schema};

use super::JoinSpec;
use super::asof::{self, Nearest};
use super::build::{TABLE_BYTES, encoder, key_columns};
use crate::error::Result;
use crate::expr::AsOfOp;
use crate::kernel::group::{KeyTable, NONE};
use crate::kernel::{Batch, types};
use crate::operate::aggregate::{Col, KeyEncoder};

/// Integers are indexed directly if their span is at most so many times their number,
const SPARSE: u64 = 8;
/// or at most this.
const SMALL_SPAN: u64 = 1 << 12;

/// How keys become groups.
#[derive(Debug)]
enum Find {
    /// The group of key `least + i` is `groups[i]`, [`NONE`] where there is none.
    Direct { least: i64, groups: Vec<u32> },
    /// By hash.
    Table(KeyTable),
}

/// Where the rows of a group lie.
#[derive(Debug)]
enum Lists {
    /// Group `g` is row `g`.
    Same,
    /// Each group is one row.
    Single(Vec<u32>),
    /// Group `g` is `rows[starts[g]..starts[g + 1]]`.
    Many { starts: Vec<u32>, rows: Vec<u32> },
    /// Of each group one row comes out, the nearest.
    Nearest(Nearest),
}

/// The index of a build side.
#[derive(Debug)]
pub(super) struct Index {
    find: Find,
    lists: Lists,
}

/// The rows of one group.
pub(super) enum Rows<'a> {
    One(u32),
    Many(&'a [u32]),
}

impl Index {
    /// Indexes the keys of all rows; null keys are left out.
    pub(super) fn new(spec: &JoinSpec, schema: &Schema, batches: &[Batch]) -> Result<Self> {
        if let [key] = spec.right_keys[..]
            && let Some(index) = direct(spec, key, schema, batches)?
        {
            return Ok(index);
        }
        let mut encoder = encoder(&spec.right_keys, schema)?;
        let (mut table, mut groups, mut ids) = (KeyTable::default(), Vec::new(), Vec::new());
        for batch in batches {
            let keys = key_columns(&batch.columns, &spec.right_keys)?;
            encoder.encode(&keys, batch.rows);
            table.groups(&encoder.keys, &encoder.hashes, &encoder.scratch, &mut ids);
            drop_nulls(&keys, &mut ids);
            groups.extend_from_slice(&ids);
        }
        let lists = lists(spec, table.len(), groups, batches)?;
        Ok(Index {
            find: Find::Table(table),
            lists,
        })
    }

    /// The groups of a batch's keys, [`NONE`] where there is none.
    pub(super) fn find(&self, keys: &[Col], rows: usize, encoder: &mut KeyEncoder, out: &mut Vec<u32>) {
        match &self.find {
            Find::Direct { least, groups } => {
                out.clear();
                let slot = |v: &i64| groups.get(v.wrapping_sub(*least) as u64 as usize).copied();
                out.extend(keys[0].ints().iter().map(|v| slot(v).unwrap_or(NONE)));
            }
            Find::Table(table) => {
                encoder.encode(keys, rows);
                table.find_all(&encoder.keys, &encoder.hashes, &encoder.scratch, out);
            }
        }
        drop_nulls(keys, out);
    }

    /// Makes rows of groups, where each row of `column` meets only the nearest of its group's.
    pub(super) fn nearest(&self, op: AsOfOp, column: &Col, groups: &mut [u32]) {
        if let Lists::Nearest(nearest) = &self.lists {
            nearest.find(op, column, groups);
        }
    }

    /// Makes rows of groups, if no key has several rows.
    pub(super) fn unique(&self, groups: &mut [u32]) -> bool {
        match &self.lists {
            // groups are rows already
            Lists::Same | Lists::Nearest(_) => true,
            Lists::Single(rows) => {
                groups
                    .iter_mut()
                    .for_each(|g| *g = rows.get(*g as usize).copied().unwrap_or(NONE));
                true
            }
            Lists::Many { .. } => false,
        }
    }

    /// The rows of a group, in the order of the input.
    #[inline]
    pub(super) fn rows(&self, group: u32) -> Rows<'_> {
        let g = group as usize;
        match &self.lists {
            Lists::Same | Lists::Nearest(_) => Rows::One(group),
            Lists::Single(rows) => Rows::One(rows[g]),
            Lists::Many { starts, rows } => Rows::Many(&rows[starts[g] as usize..starts[g + 1] as usize]),
        }
    }
}

fn drop_nulls(keys: &[Col], groups: &mut [u32]) {
    for nulls in keys.iter().filter_map(Col::nulls) {
        let rows = groups.iter_mut().zip(nulls.iter());
        rows.filter(|(_, valid)| !valid).for_each(|(g, _)| *g = NONE);
    }
}

/// The index of an integer key whose values lie close together.
fn direct(spec: &JoinSpec, key: usize, schema: &Schema, batches: &[Batch]) -> Result<Option<Index>> {
    if !is_integer(schema, key) {
        return Ok(None);
    }
    let columns = batches.iter().map(|b| Col::new(&b.columns[key]));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows: u64 = batches.iter().map(|b| b.rows as u64).sum();
    let Some((least, span)) = dense(&columns, rows) else {
        return Ok(None);
    };
    let mut groups = vec![NONE; span as usize];
    let (mut first, mut unique) = (0u32, true);
    for (column, batch) in columns.iter().zip(batches) {
        each(column, &mut |row, v| {
            let slot = &mut groups[v.abs_diff(least) as usize];
            unique &= *slot == NONE;
            *slot = first + row as u32;
        });
        first += batch.rows as u32;
    }
    if unique && spec.asof.is_none() {
        return Ok(Some(Index {
            find: Find::Direct { least, groups },
            lists: Lists::Same,
        }));
    }
    groups.fill(NONE);
    let (mut known, mut of_row) = (0, Vec::with_capacity(rows as usize));
    for (column, batch) in columns.iter().zip(batches) {
        let start = of_row.len();
        of_row.resize(start + batch.rows, NONE);
        each(column, &mut |row, v| {
            let slot = &mut groups[v.abs_diff(least) as usize];
            if *slot == NONE {
                (*slot, known) = (known, known + 1);
            }
            of_row[start + row] = *slot;
        });
    }
    Ok(Some(Index {
        find: Find::Direct { least, groups },
        lists: lists(spec, known as usize, of_row, batches)?,
    }))
}

/// The least value and the span of integers that lie close together.
fn dense(columns: &[Col], rows: u64) -> Option<(i64, u64)> {
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for column in columns {
        each(column, &mut |_, v| (least, most) = (least.min(v), most.max(v)));
    }
    let span = match least <= most {
        true => most.abs_diff(least).saturating_add(1),
        false => 0,
    };
    (span <= SMALL_SPAN || span <= rows.saturating_mul(SPARSE)).then_some((least, span))
}

/// The bytes that an index of these rows takes while it is made, at most.
pub(super) fn bytes(spec: &JoinSpec, schema: &Schema, batches: &[&Batch]) -> Result<usize> {
    let rows: usize = batches.iter().map(|b| b.rows).sum();
    let by_hash = rows * (TABLE_BYTES + asof::row_bytes(spec));
    let [key] = spec.right_keys[..] else {
        return Ok(by_hash);
    };
    if !is_integer(schema, key) {
        return Ok(by_hash);
    }
    let columns = batches.iter().map(|b| Col::new(&b.columns[key]));
    let span = dense(&columns.collect::<Result<Vec<_>>>()?, rows as u64);
    // slots, and for keys that repeat their groups and lists
    let lists = 12 + asof::row_bytes(spec);
    Ok(span.map_or(by_hash, |(_, span)| by_hash.min(4 * span as usize + lists * rows)))
}

fn is_integer(schema: &Schema, key: usize) -> bool {
    use DataType::*;
    let ty = types::logical(schema.field(key).data_type());
    matches!(ty, Boolean | Int64 | Date32 | Timestamp(..))
}

/// Calls `see` with each row and its value, nulls left out.
#[inline]
fn each(column: &Col, see: &mut impl FnMut(usize, i64)) {
    let values = column.ints();
    match column.nulls() {
        None => values.iter().enumerate().for_each(|(i, &v)| see(i, v)),
        Some(nulls) => nulls.valid_indices().for_each(|i| see(i, values[i])),
    }
}

fn lists(spec: &JoinSpec, groups: usize, of_row: Vec<u32>, batches: &[Batch]) -> Result<Lists> {
    match spec.asof {
        Some(asof) => Ok(Lists::Nearest(Nearest::new(asof.right, groups, of_row, batches)?)),
        None => Ok(lists_of(groups, &of_row)),
    }
}

/// The rows of each group in the order of the input: group `g` is `rows[starts[g]..starts[g + 1]]`.
pub(super) fn grouped(groups: usize, of_row: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; groups + 1];
    let known = || of_row.iter().enumerate().filter(|(_, g)| **g != NONE);
    known().for_each(|(_, &g)| starts[g as usize + 1] += 1);
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
    (starts, rows)
}

fn lists_of(groups: usize, of_row: &[u32]) -> Lists {
    if groups == of_row.len() {
        return Lists::Same; // groups are numbered as they are first seen
    }
    let (starts, rows) = grouped(groups, of_row);
    match starts.windows(2).all(|w| w[1] - w[0] <= 1) {
        false => Lists::Many { starts, rows },
        true => {
            let row = |w: &[u32]| rows[w[0] as usize..w[1] as usize].first().copied();
            Lists::Single(starts.windows(2).map(|w| row(w).unwrap_or(NONE)).collect())
        }
    }
}
