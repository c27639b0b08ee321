//! How rows are cut so that a memory limit is kept.

use std::sync::Arc;

use super::super::plan::Plan;
use super::super::state::State;
use super::spread::Sizes;
use crate::memory::SpillParts;
use crate::pipeline::RunContext;

/// Ranges at most, so that pieces do not become too small.
const MOST_RANGES: usize = 1024;
/// Rows on disk are spread in up to so many times larger portions: pieces of ranges are read one by
/// one later.
const LARGER: usize = 8;
/// What is remembered of the pieces on disk may take this part of the memory.
const INDEX_SHARE: usize = 8;
/// A range may take so many rounds; with more, hashing is the better way.
const MOST_ROUNDS: usize = 4;
/// Where rows are wide, portions and ranges may have as few as this.
const LEAST_ROWS: usize = 4 << 10;
/// What grouping takes for each row, besides keys and states.
const BESIDES: usize = 64;

/// How rows are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Rows that are spread at once.
    pub(super) spread: usize,
    /// Ranges of codes.
    pub(super) ranges: usize,
    /// Rows of a range that may be grouped at once.
    pub(super) at_once: usize,
    /// Bytes that grouping takes for a row,
    pub(super) a_row_to_group: usize,
    /// and spreading it.
    pub(super) a_row_to_spread: usize,
    /// Bytes of what is remembered of the pieces on disk.
    pub(super) index: usize,
}

impl Room {
    /// For rows with codes of so many bits; `row_bytes` for each if they lie on disk. None where
    /// they are too many for the memory that is left beside `held` bytes.
    pub(super) fn new(
        rows: usize,
        plan: &Plan,
        bits: u32,
        row_bytes: Option<usize>,
        held: usize,
        sizes: Sizes,
        run: &Arc<RunContext>,
    ) -> Option<Room> {
        let limit = run.budget.limit();
        let share = limit.saturating_sub(held) / run.threads.max(1) / 2;
        let code = if bits <= 64 { 8 } else { 16 };
        let states = plan.states.iter().map(|&(kind, _)| State::new(kind).bytes().0);
        let a_row_to_group = states.sum::<usize>() + 3 * code + row_bytes.unwrap_or(0) + BESIDES;
        let range = (share / a_row_to_group / 2).clamp(sizes.range.min(LEAST_ROWS), sizes.range);
        let at_once = (share / a_row_to_group).max(2 * range);
        let ranges = (rows / range).clamp(1, MOST_RANGES);
        let mut room = Room {
            spread: sizes.spread,
            ranges,
            at_once,
            a_row_to_group,
            a_row_to_spread: 0,
            index: 0,
        };
        if let Some(row_bytes) = row_bytes {
            // read, as columns, spread, and written; code, range, place
            room.a_row_to_spread = 4 * row_bytes + 3 * code + 12;
            let least = sizes.spread.min(LEAST_ROWS);
            room.spread = (share / room.a_row_to_spread).clamp(least, LARGER * sizes.spread);
            let an_index = rows.div_ceil(room.spread) * SpillParts::ENTRY;
            room.ranges = ranges.min(limit / INDEX_SHARE / an_index.max(1)).max(1);
            room.index = room.ranges * an_index;
            if rows / room.ranges > MOST_ROUNDS * at_once {
                return None;
            }
        }
        Some(room)
    }
}
