//! A stretch of sorted rows: the columns that calls look at, and where partitions and peers begin.
//!
//! Rows are counted through a task from 0 on. A row's *level* is 0 for the first of all, else one more
//! than the place of the first key in which it differs from the row before, so that a row opens a group
//! of those that agree in `n` keys if its level is at most `n`.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::DataType;

use crate::error::{Error, Result};
use crate::kernel::types;
use crate::operate::aggregate::Col;

/// The end of a group that may go on.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// Groups of neighbouring rows that agree in some leading keys.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Rows that agree in so many keys are of one group.
    pub keys: usize,
    /// Where each group starts; the first one may have started before the stretch.
    pub starts: Vec<u64>,
    /// The group of each row of the stretch.
    index: Vec<u32>,
    base: u64,
    /// Where the last group ends.
    last_end: u64,
    /// Where the group of the first row started.
    carried: u64,
}

impl Spans {
    fn build(&mut self, levels: &[u16], base: u64, last_end: u64) {
        (self.base, self.last_end) = (base, last_end);
        self.starts.clear();
        self.index.clear();
        for (i, &level) in levels.iter().enumerate() {
            if usize::from(level) <= self.keys {
                self.starts.push(base + i as u64);
            } else if i == 0 {
                self.starts.push(self.carried);
            }
            self.index.push(self.starts.len() as u32 - 1);
        }
    }

    /// The place of a row's group among `starts`.
    pub fn group(&self, row: u64) -> usize {
        self.index[(row - self.base) as usize] as usize
    }

    /// Where the group of a row starts.
    pub fn start(&self, row: u64) -> u64 {
        self.starts[self.group(row)]
    }

    /// Where it ends, if that is known.
    pub fn end(&self, row: u64) -> u64 {
        self.end_of(self.group(row))
    }

    fn end_of(&self, group: usize) -> u64 {
        self.starts.get(group + 1).copied().unwrap_or(self.last_end)
    }

    /// Start of the last group, none without rows.
    pub fn last(&self) -> Option<(u64, u64)> {
        self.starts.last().map(|&s| (s, self.last_end))
    }

    fn trim(&mut self, to: u64) {
        let i = (to - self.base) as usize;
        if let Some(&start) = self
            .index
            .get(i)
            .map_or(self.starts.last(), |&g| self.starts.get(g as usize))
        {
            self.carried = start;
        }
    }
}

/// The stretch.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The number of its first row.
    pub base: u64,
    /// The number behind its last row.
    pub end: u64,
    /// The columns that calls look at.
    pub columns: Vec<ArrayRef>,
    /// The partitions.
    pub parts: Spans,
    /// Peers, for each number of keys that calls have.
    pub peers: Vec<Spans>,
    /// Where the last partition ends, if known before its rows are there.
    pub known_end: Option<u64>,
    levels: Vec<u16>,
    fresh: Vec<Vec<ArrayRef>>,
    last: Option<Vec<ArrayRef>>,
}

impl Rows {
    pub fn new(partition: usize, mut peers: Vec<usize>) -> Rows {
        peers.sort_unstable();
        peers.dedup();
        let spans = |keys: usize| Spans {
            keys,
            ..Spans::default()
        };
        Rows {
            parts: spans(partition),
            peers: peers.into_iter().map(spans).collect(),
            ..Rows::default()
        }
    }

    pub fn len(&self) -> u64 {
        self.end - self.base
    }

    /// A row's place within the columns.
    pub fn at(&self, row: u64) -> usize {
        (row - self.base) as usize
    }

    /// Whether a row opens a partition.
    pub fn opens(&self, level: u16) -> bool {
        usize::from(level) <= self.parts.keys
    }

    /// The levels of rows that follow the last ones that were looked at.
    pub fn levels(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u16>> {
        let mut levels = vec![keys.len() as u16 + 1; rows];
        for (k, key) in keys.iter().enumerate().rev() {
            let level = k as u16 + 1;
            differing(&Col::new(key)?, |i| levels[i] = level);
            if let Some(last) = &self.last {
                let both = compute::concat(&[last[k].as_ref(), key.slice(0, 1).as_ref()])?;
                differing(&Col::new(&both)?, |_| levels[0] = level);
            }
        }
        if self.last.is_none() {
            levels[0] = 0;
        }
        self.last = Some(keys.iter().map(|k| k.slice(rows - 1, 1)).collect());
        Ok(levels)
    }

    /// The keys of the last row that was looked at, to be put back after a detour.
    pub fn swap_last(&mut self, last: Option<Vec<ArrayRef>>) -> Option<Vec<ArrayRef>> {
        std::mem::replace(&mut self.last, last)
    }

    /// Adds rows at the end.
    pub fn push(&mut self, columns: Vec<ArrayRef>, levels: &[u16]) {
        self.end += levels.len() as u64;
        self.levels.extend_from_slice(levels);
        self.fresh.push(columns);
    }

    /// Makes ready to be looked at; `complete` if the last partition ends here.
    pub fn settle(&mut self, complete: bool) -> Result<()> {
        if !self.fresh.is_empty() {
            let fresh = std::mem::take(&mut self.fresh);
            let mut columns = Vec::new();
            for c in 0..fresh[0].len() {
                let parts: Vec<&dyn Array> = (self.columns.get(c).into_iter())
                    .chain(fresh.iter().map(|f| &f[c]))
                    .map(|a| a.as_ref())
                    .filter(|a| !a.is_empty())
                    .collect();
                columns.push(match parts.as_slice() {
                    [] => fresh[0][c].clone(),
                    parts => compute::concat(parts)?,
                });
            }
            self.columns = columns;
        }
        let here = if complete { self.end } else { UNKNOWN };
        let part_end = self.known_end.unwrap_or(here);
        let peer_end = if part_end == self.end { self.end } else { UNKNOWN };
        self.parts.build(&self.levels, self.base, part_end);
        for p in &mut self.peers {
            p.build(&self.levels, self.base, peer_end);
        }
        Ok(())
    }

    /// Forgets the rows before `to`.
    pub fn trim(&mut self, to: u64) {
        self.parts.trim(to);
        self.peers.iter_mut().for_each(|p| p.trim(to));
        let gone = self.at(to);
        self.levels.drain(..gone);
        for c in &mut self.columns {
            *c = c.slice(gone, c.len() - gone);
        }
        self.base = to;
    }

    /// Forgets all rows; they will come again.
    pub fn rewind(&mut self) {
        let (base, last) = (self.base, self.last.take());
        self.end = base;
        self.levels.clear();
        self.fresh.clear();
        self.columns.clear();
        self.last = last;
    }

    /// The peers of calls that have so many keys.
    pub fn peers_of(&self, keys: usize) -> Result<&Spans> {
        let found = self.peers.iter().find(|p| p.keys == keys);
        found.ok_or_else(|| Error::defect("a window without its peers"))
    }
}

/// A column in the form in which all batches have it.
pub(super) fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let ty = column.data_type();
    Ok(match ty {
        DataType::Dictionary(..) => compute::cast(column, &types::logical(ty))?,
        _ => column.clone(),
    })
}

/// Calls `mark` for each row that differs from the one before.
fn differing(column: &Col, mut mark: impl FnMut(usize)) {
    let nulls = column.nulls();
    match column {
        Col::Null(..) => {}
        Col::Dec(a) => neighbours(a.len(), nulls, |i| a.value(i) != a.value(i - 1), &mut mark),
        Col::Text(a) => neighbours(a.len(), nulls, |i| a.value(i) != a.value(i - 1), &mut mark),
        _ => {
            let v = column.ints();
            neighbours(v.len(), nulls, |i| v[i] != v[i - 1], &mut mark);
        }
    }
}

fn neighbours(
    rows: usize,
    nulls: Option<&NullBuffer>,
    differ: impl Fn(usize) -> bool,
    mark: &mut impl FnMut(usize),
) {
    for i in 1..rows {
        let new = match nulls {
            None => differ(i),
            Some(n) => match (n.is_valid(i - 1), n.is_valid(i)) {
                (true, true) => differ(i),
                (a, b) => a != b,
            },
        };
        if new {
            mark(i);
        }
    }
}
