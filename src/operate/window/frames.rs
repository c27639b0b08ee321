//! Where the frame of each row starts and ends.
//!
//! Within a partition both only move forward: edges are so many rows or groups away, or where the key
//! reaches a value that grows with the row's own key.

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;

use super::rows::{Rows, Spans, UNKNOWN};
use super::{Edge, FrameSpec};
use crate::error::{Error, Result};
use crate::expr::Exclude;
use crate::operate::aggregate::Col;

/// The frames of some rows, each from `start` to below `end`.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The first of the rows.
    pub from: u64,
    /// Where the frame of each starts.
    pub start: Vec<u64>,
    /// Where it ends.
    pub end: Vec<u64>,
}

impl Frames {
    /// Start and end of a row's frame.
    #[inline(always)]
    pub fn of(&self, row: u64) -> (u64, u64) {
        let i = (row - self.from) as usize;
        (self.start[i], self.end[i])
    }

    /// The first row whose frame is not known.
    pub fn ready(&self) -> u64 {
        self.from + self.start.len() as u64
    }
}

/// Values that compare as those of a column; null where that is.
struct Values {
    wide: Vec<i128>,
    nulls: Option<NullBuffer>,
}

impl Values {
    fn new(column: &ArrayRef) -> Result<Values> {
        let col = Col::new(column)?;
        let wide = match &col {
            Col::Dec(a) => a.values().to_vec(),
            _ => col.ints().iter().map(|&x| i128::from(x)).collect(),
        };
        let nulls = col.nulls().cloned();
        Ok(Values { wide, nulls })
    }

    fn get(&self, i: usize) -> Option<i128> {
        let valid = self.nulls.as_ref().is_none_or(|n| n.is_valid(i));
        valid.then(|| self.wide[i])
    }
}

/// A key and the bounds that it is compared with.
struct Measure {
    key: Values,
    descending: bool,
    nulls_first: bool,
}

impl Measure {
    /// Whether the row at `i` lies before the edge `bound`; `through` if the edge itself is within.
    fn before(&self, i: usize, bound: i128, through: bool) -> bool {
        match self.key.get(i) {
            None => self.nulls_first,
            Some(k) if k == bound => through,
            Some(k) => (k < bound) != self.descending,
        }
    }
}

/// The columns that an edge needs, by their slots among the rows' columns.
pub(super) struct Slots<'a> {
    /// From a column of the input to a slot.
    pub slot: &'a dyn Fn(usize) -> Option<usize>,
}

impl Slots<'_> {
    fn values(&self, rows: &Rows, column: usize) -> Result<Values> {
        let slot = (self.slot)(column).and_then(|s| rows.columns.get(s));
        Values::new(slot.ok_or_else(|| Error::defect("a frame without its column"))?)
    }
}

/// The frames of the rows from `from` on, as far as they are known. Where all rows of the partition
/// were seen before (`total`), a frame may end behind the rows that are here.
pub(super) fn frames(
    frame: &FrameSpec,
    rows: &Rows,
    peers: &Spans,
    slots: &Slots,
    from: u64,
    total: bool,
) -> Result<Frames> {
    let mut out = Frames {
        from,
        ..Frames::default()
    };
    let bound = |e: Edge| match e {
        Edge::Value(column) => slots.values(rows, column).map(Some),
        _ => Ok(None),
    };
    let (low, high) = (bound(frame.start)?, bound(frame.end)?);
    let measure = match frame.key {
        Some(k) if low.is_some() || high.is_some() => Some(Measure {
            key: slots.values(rows, k)?,
            descending: frame.descending,
            nulls_first: frame.nulls_first,
        }),
        _ => None,
    };
    let mut finder = Finder {
        rows,
        peers,
        measure,
        part: UNKNOWN,
        at: [0, 0],
    };
    let by_peers = matches!(frame.exclude, Exclude::Group | Exclude::Ties);
    for row in from..rows.end {
        finder.enter(row);
        let start = finder.edge(frame.start, low.as_ref(), row, false);
        let end = finder.edge(frame.end, high.as_ref(), row, true);
        let (Some(start), Some(end)) = (start, end) else {
            break;
        };
        let start = start.min(end);
        let beyond = end > rows.end && !(total && frame.end == Edge::Unbounded);
        if beyond || start > rows.end || by_peers && peers.end(row) == UNKNOWN {
            break;
        }
        out.start.push(start);
        out.end.push(end);
    }
    Ok(out)
}

struct Finder<'a> {
    rows: &'a Rows,
    peers: &'a Spans,
    measure: Option<Measure>,
    /// Start of the partition.
    part: u64,
    /// Where the search by value has got to, for either edge.
    at: [u64; 2],
}

impl Finder<'_> {
    fn enter(&mut self, row: u64) {
        let part = self.rows.parts.start(row);
        if part != self.part {
            self.part = part;
            self.at = [part.max(self.rows.base); 2];
        }
    }

    /// The place of an edge; none if it is not known yet.
    fn edge(&mut self, edge: Edge, bound: Option<&Values>, row: u64, is_end: bool) -> Option<u64> {
        let (first, last) = (self.part, self.rows.parts.end(row));
        let known = last != UNKNOWN;
        match edge {
            Edge::Unbounded if is_end => known.then_some(last),
            Edge::Unbounded => Some(first),
            Edge::Row(n) => {
                let at = (row as i64).saturating_add(n).saturating_add(is_end as i64);
                let at = at.max(first as i64) as u64;
                match at.min(last) {
                    at if at > self.rows.end && !known => None,
                    at => Some(at),
                }
            }
            Edge::Group(n) => {
                let group = (self.peers.group(row) as i64).saturating_add(n);
                let group = group.saturating_add(is_end as i64);
                match usize::try_from(group).map(|g| self.peers.starts.get(g)) {
                    Err(_) => Some(first),
                    Ok(Some(&start)) => Some(start.clamp(first, last)),
                    // a group that has not come yet, or that there will not be
                    Ok(None) => {
                        let open = self.peers.last().is_some_and(|(_, end)| end == UNKNOWN);
                        (known && !open).then_some(last)
                    }
                }
            }
            Edge::Value(_) => self.by_value(bound?, row, is_end),
        }
    }

    fn by_value(&mut self, bound: &Values, row: u64, is_end: bool) -> Option<u64> {
        let last = self.rows.parts.end(row);
        let measure = self.measure.as_ref()?;
        let i = self.rows.at(row);
        let bound = match (measure.key.get(i), bound.get(i)) {
            (Some(_), Some(b)) => b,
            // rows without a key see their like
            _ if is_end => {
                let end = self.peers.end(row);
                return (end != UNKNOWN).then_some(end);
            }
            _ => return Some(self.peers.start(row)),
        };
        let at = &mut self.at[is_end as usize];
        let limit = last.min(self.rows.end);
        while *at < limit && measure.before(self.rows.at(*at), bound, is_end) {
            *at += 1;
        }
        (*at < limit || limit == last).then_some(*at)
    }
}
