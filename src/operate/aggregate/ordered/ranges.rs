//! The groups of one range: codes sorted, equal neighbours united.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array};
use arrow::compute;
use arrow::datatypes::DataType;

use super::super::column::{self, Col};
use super::super::finals::Finals;
use super::super::plan::Plan;
use super::super::state::{Arg, State};
use super::chunk::Slice;
use super::kept::array_of;
use super::numbers::Numbered;
use super::spread::{Lanes, Ordered, Spread};
use super::stored::Stored;
use super::wide;
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::Reservation;
use crate::operate::sort::cells::Cells;
use crate::operate::sort::packing::Code;
use crate::pipeline::{Source, TaskContext};

/// Texts of a dictionary that is handed on as such; what comes after may look at all of them.
const MOST_TEXTS: usize = 32_000;

/// The groups of one range, in order.
pub struct OrderedSource {
    ordered: Arc<Ordered>,
    range: usize,
    ready: Option<Ready>,
    /// The number of the first group that is ready: among those of the range, or among all.
    before: u64,
    held: Reservation,
}

/// Finished groups.
struct Ready {
    codes: Codes,
    states: Vec<State>,
    at: usize,
    /// Whether the range may have more of them.
    more: bool,
}

/// Codes in their order, the states of their groups, and whether there may be more.
pub(super) type Grouped<C> = (Vec<C>, Vec<State>, bool);

/// The code of each group.
enum Codes {
    Short(Vec<u64>),
    Long(Vec<u128>),
}

impl OrderedSource {
    /// The groups of the `range`-th range; all rows must be spread.
    pub fn new(ordered: &Arc<Ordered>, range: usize) -> Self {
        OrderedSource {
            held: ordered.run.budget.reservation("grouping in order"),
            ordered: ordered.clone(),
            range,
            before: 0,
            ready: None,
        }
    }

    /// The groups behind those of `last`.
    fn group(&mut self, last: Option<&Codes>) -> Result<Ready> {
        let ordered = self.ordered.clone();
        let (codes, states, more) = match &ordered.lanes {
            Lanes::Short(s) => {
                let after = last.and_then(|l| if let Codes::Short(c) = l { c.last() } else { None });
                let (codes, states, more) = self.group_of(s, after.copied())?;
                (Codes::Short(codes), states, more)
            }
            Lanes::Long(s) => {
                let after = last.and_then(|l| if let Codes::Long(c) = l { c.last() } else { None });
                let (codes, states, more) = self.group_of(s, after.copied())?;
                (Codes::Long(codes), states, more)
            }
        };
        Ok(Ready {
            codes,
            states,
            at: 0,
            more,
        })
    }

    fn group_of<C: Entry>(&mut self, spread: &Spread<C>, after: Option<C>) -> Result<Grouped<C>> {
        let (room, range) = (self.ordered.room, self.range);
        let (chunks, rows) = spread.of_range(range)?;
        self.held
            .resize_anyway(rows.min(room.at_once) * room.a_row_to_group);
        let numbered = after.is_none() && self.ordered.numbered.load(Relaxed);
        if rows > room.at_once {
            if numbered {
                self.before = spread.before(range, &room, &self.ordered.run.budget)?;
            }
            return wide::group(&self.ordered.plan, &chunks, range, after, room.at_once);
        }
        let slices = chunks
            .iter()
            .map(|c| c.slice(range))
            .collect::<Result<Vec<_>>>()?;
        let by_group = spread.known[range].take(&slices, rows);
        let (codes, states) = group(&self.ordered.plan, slices, by_group)?;
        if numbered {
            self.before = spread.before(range, &room, &self.ordered.run.budget)?;
        }
        Ok((codes, states, false))
    }

    /// A key column of some groups.
    fn key<C: Code>(&self, k: usize, codes: &[C]) -> Result<ArrayRef> {
        let ordered = &self.ordered;
        let place = ordered.keys.iter().position(|key| key.column == k);
        let place = place.ok_or_else(|| Error::defect("a key that is not in the order"))?;
        let ty = &ordered.plan.key_types[k];
        if let (DataType::Decimal128(..), _) | (_, None) = (ty, ordered.packing.longs(place, &codes[..0])) {
            let values = codes.iter().map(|c| ordered.packing.unpack(c.wide())[place]);
            let values: Vec<Option<i128>> = values.collect();
            let valid = values.iter().map(Option::is_some).collect();
            let values = values.into_iter().map(Option::unwrap_or_default);
            return match ty {
                DataType::Decimal128(..) => column::decimals(ty, values.collect(), valid),
                _ => column::from_ints(ty, values.map(|v| v as i64).collect(), valid),
            };
        }
        let (values, nulls) =
            (ordered.packing.longs(place, codes)).ok_or_else(|| Error::defect("a code of another width"))?;
        let Some(texts) = &ordered.unions[k] else {
            return column::from_longs(ty, values, nulls);
        };
        let mut ranks: Vec<i32> = values.into_iter().map(|v| v as i32).collect();
        if let Some(nulls) = &nulls {
            (ranks.iter_mut().zip(nulls.iter())).for_each(|(r, valid)| *r = if valid { *r } else { 0 });
        }
        let ranks = Int32Array::new(ranks.into(), nulls);
        Ok(match texts.len() > MOST_TEXTS || texts.is_empty() {
            true => compute::take(texts.as_ref(), &ranks, None)?,
            false => Arc::new(DictionaryArray::try_new(ranks, texts.clone())?),
        })
    }

    fn batch(&self, ready: &Ready, groups: Range<usize>) -> Result<Batch> {
        let plan = &self.ordered.plan;
        let keys = (0..plan.keys.len()).map(|k| match &ready.codes {
            Codes::Short(codes) => self.key(k, &codes[groups.clone()]),
            Codes::Long(codes) => self.key(k, &codes[groups.clone()]),
        });
        let mut columns = keys.collect::<Result<Vec<_>>>()?;
        let mut finals = Finals {
            lists: Vec::new(),
            counts: Vec::new(),
            heavy: Vec::new(),
        };
        for last in &plan.finals {
            columns.push(finals.column(last, &ready.states, groups.clone())?);
        }
        let range = match self.ordered.numbered.load(Relaxed) {
            true => 0,
            false => (self.range as u64) << 40,
        };
        let position = range + self.before + groups.start as u64;
        Ok(Batch::new(columns, groups.len(), position))
    }
}

impl Source for OrderedSource {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        let mut ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.group(None)?,
        };
        while ready.at == ready.codes.len() && ready.more {
            cx.check()?;
            self.before += ready.at as u64;
            let Ready { codes, .. } = ready;
            ready = self.group(Some(&codes))?;
        }
        let end = (ready.at + Batch::TARGET_ROWS).min(ready.codes.len());
        let batch = match ready.at < end {
            true => Some(self.batch(&ready, ready.at..end)?),
            false => None,
        };
        ready.at = end;
        self.ready = Some(ready);
        Ok(batch)
    }
}

impl Codes {
    fn len(&self) -> usize {
        match self {
            Codes::Short(codes) => codes.len(),
            Codes::Long(codes) => codes.len(),
        }
    }
}

/// All groups of some rows.
fn group<C: Entry>(
    plan: &Plan,
    slices: Vec<Slice<'_, C>>,
    by_group: Numbered<C>,
) -> Result<(Vec<C>, Vec<State>)> {
    let columns = (0..plan.types.len()).map(|c| {
        let parts: Vec<(&Cells, Range<usize>)> =
            slices.iter().map(|s| (&s.values[c], s.rows.clone())).collect();
        Cells::concat_ranges(&parts)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    drop(slices);
    let mut states = new_states(plan, by_group.codes.len());
    update(plan, &mut states, &columns, &by_group.ids)?;
    Ok((by_group.codes, states))
}

/// Empty states of so many groups.
pub(super) fn new_states(plan: &Plan, groups: usize) -> Vec<State> {
    let mut states: Vec<State> = plan.states.iter().map(|&(kind, _)| State::new(kind)).collect();
    states.iter_mut().for_each(|s| s.resize(groups));
    states
}

/// Adds rows with so numbered groups.
pub(super) fn update(plan: &Plan, states: &mut [State], columns: &[Cells], ids: &[u32]) -> Result<()> {
    let columns = columns.iter().zip(&plan.types);
    let columns = columns.map(|(cells, ty)| Col::new(&array_of(cells, ty)?));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let args: Vec<Arg> = (columns.iter().enumerate())
        .map(|(c, column)| Arg::new(column, ids, 0, plan.needs(c)))
        .collect();
    for (state, &(_, c)) in states.iter_mut().zip(&plan.states) {
        state.update(args.get(c), ids);
    }
    Ok(())
}

/// The different codes in their order, and for each row the number of its code.
pub(super) fn number<'a, C: Entry + 'a>(
    parts: impl Iterator<Item = &'a [C]>,
    rows: usize,
) -> (Vec<C>, Vec<u32>) {
    let mut sorted: Vec<C::Pair> = Vec::with_capacity(rows);
    for part in parts {
        sorted.extend(
            part.iter()
                .zip(sorted.len() as u32..)
                .map(|(&c, row)| c.with(row)),
        );
    }
    sorted.sort_unstable();
    let (mut codes, mut ids) = (Vec::with_capacity(rows), vec![0u32; rows]);
    for &pair in &sorted {
        let (code, row) = C::split(pair);
        if codes.last() != Some(&code) {
            codes.push(code);
        }
        ids[row as usize] = codes.len() as u32 - 1;
    }
    (codes, ids)
}

/// A code with the place of its row, in the order of codes, then places.
pub(super) trait Entry: Code + Stored {
    type Pair: Ord + Copy;
    fn with(self, row: u32) -> Self::Pair;
    fn split(pair: Self::Pair) -> (Self, u32);
}

impl Entry for u64 {
    type Pair = u128;
    #[inline(always)]
    fn with(self, row: u32) -> u128 {
        (self as u128) << 32 | row as u128
    }
    #[inline(always)]
    fn split(pair: u128) -> (u64, u32) {
        ((pair >> 32) as u64, pair as u32)
    }
}

impl Entry for u128 {
    type Pair = (u128, u32);
    fn with(self, row: u32) -> (u128, u32) {
        (self, row)
    }
    fn split(pair: (u128, u32)) -> (u128, u32) {
        pair
    }
}
