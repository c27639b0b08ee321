//! Partitions that do not fit into memory, for calls that must see the end before they can say anything.
//!
//! ```text
//!   first:  rows ─► disk, and past the calls: totals, counts, the last value, the best one
//!   then:   disk ─► rows, as if they came for the first time, but where they end is known
//! ```

use std::sync::Arc;

use super::pass::Window;
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::{SpillBlock, SpillFile, SpillWriter};
use crate::pipeline::{Emit, RunContext, TaskContext};

/// The rows of a partition on disk.
pub(super) struct Spool {
    writer: Option<SpillWriter>,
    blocks: Vec<(Arc<SpillFile>, SpillBlock, u64)>,
    /// The partition's first row, and how many there are.
    start: u64,
    rows: u64,
}

impl Spool {
    pub fn write(&mut self, batch: &Batch, run: &Arc<RunContext>) -> Result<()> {
        let writer = match &mut self.writer {
            Some(w) => w,
            none => none.insert(run.spill.create()?),
        };
        let position = batch.position;
        self.rows += batch.rows as u64;
        let block = writer.write(&batch.clone().compacted()?.record()?)?;
        self.blocks.push((writer.file(), block, position));
        Ok(())
    }
}

impl Window {
    /// Puts the rows of the last partition, which have become too many, on disk.
    ///
    /// # Errors
    /// Nothing would be gained by it: a call needs all these rows at once.
    pub(super) fn start_spool(&mut self, cx: &TaskContext) -> Result<()> {
        let wide = |call: String| {
            Error::limit(format!(
                "{call} over a window needs more rows at once than the memory limit holds"
            ))
            .help("raise --memory, partition by more columns, or make the frame smaller")
        };
        let start = self.rows.parts.last().map_or(self.next, |(start, _)| start);
        if let Some(call) = self.calls.iter().find(|c| !c.can_see_all()) {
            return Err(wide(call.name()));
        }
        let untouched = start == self.next && self.rows.base == self.next && self.rows.known_end.is_none();
        if !untouched || !self.calls.iter().any(|c| c.waits_for_all()) {
            let name = self.calls.first().map_or(String::new(), |c| c.name());
            return Err(wide(name));
        }
        let mut spool = Spool {
            writer: None,
            blocks: Vec::new(),
            start,
            rows: 0,
        };
        let batches = self.surrender();
        self.rows.rewind();
        for batch in batches {
            cx.check()?;
            spool.write(&batch, &self.run)?;
            self.see_at(&batch, start, start + spool.rows - batch.rows as u64)?;
        }
        self.spool = Some(spool);
        Ok(())
    }

    /// Lets the calls see rows that were just written.
    pub(super) fn see(&mut self, batch: &Batch) -> Result<()> {
        let Some(spool) = &self.spool else { return Ok(()) };
        let (start, end) = (spool.start, spool.start + spool.rows);
        self.see_at(batch, start, end - batch.rows as u64)
    }

    fn see_at(&mut self, batch: &Batch, start: u64, from: u64) -> Result<()> {
        let arguments = self.arguments(batch)?;
        for call in &mut self.calls {
            call.see(start, from, &arguments, batch.rows)?;
        }
        Ok(())
    }

    /// Reads the partition again, and computes it.
    pub(super) fn replay(&mut self, emit: &mut Emit, cx: &TaskContext) -> Result<()> {
        let Some(spool) = self.spool.take() else {
            return Ok(());
        };
        self.rows.known_end = Some(spool.start + spool.rows);
        // the rows that follow were compared with the last one of these already
        let after = self.rows.swap_last(None);
        for (file, block, position) in &spool.blocks {
            cx.check()?;
            let (record, rows) = (file.read(block)?, block.rows as usize);
            let batch = Batch::new(record.columns().to_vec(), rows, *position);
            let levels = self.levels(&batch)?;
            self.append(batch, &levels, emit, cx)?;
        }
        self.flush(true, emit)?;
        self.rows.known_end = None;
        self.rows.swap_last(after);
        self.calls.iter_mut().for_each(|c| c.forget());
        Ok(())
    }
}
