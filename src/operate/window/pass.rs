//! The operator: sorted rows in, the same rows with the columns of window functions out.
//!
//! ```text
//!   rows kept for frames │ rows to be computed next │ rows that wait for more
//!   base ────────────────┴ next ────────────────────┴ ready ─────────────── end
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::ArrayRef;

use super::WindowSpec;
use super::call::Call;
use super::rows::{Rows, plain};
use super::spool::Spool;
use crate::error::{Error, Result};
use crate::kernel::{Batch, types};
use crate::memory::Reservation;
use crate::pipeline::{Emit, Flow, RunContext, TaskContext, Transform};

/// Rows that may always be held: less would be no progress.
const LEAST_BYTES: usize = 1 << 20;

/// Computes window functions over rows that come in the order of their window, whole partitions in a
/// task.
pub struct Window {
    pub(super) spec: Arc<WindowSpec>,
    /// The columns that calls look at.
    needed: Vec<usize>,
    pub(super) rows: Rows,
    /// Made of the first batch, which tells the types.
    pub(super) calls: Vec<Call>,
    /// The rows from `next` on as they came, with their bytes.
    passing: VecDeque<(Batch, usize)>,
    /// Rows of the first of these that have gone out.
    gone: usize,
    pub(super) next: u64,
    /// Nothing is tried before so many rows are there.
    try_at: u64,
    row_bytes: usize,
    held: Reservation,
    pub(super) spool: Option<Spool>,
    flow: Flow,
    pub(super) run: Arc<RunContext>,
}

impl Window {
    /// A pass over the rows of one task.
    ///
    /// # Errors
    /// The spec does not hold together.
    pub fn new(spec: &WindowSpec, run: &Arc<RunContext>) -> Result<Self> {
        let mut needed = Vec::new();
        for call in &spec.calls {
            let edges = [call.frame.start, call.frame.end].map(|e| match e {
                super::Edge::Value(c) => Some(c),
                _ => None,
            });
            let all = [call.arg, call.default, call.frame.key].into_iter().chain(edges);
            for c in all.flatten() {
                if !needed.contains(&c) {
                    needed.push(c);
                }
            }
        }
        if spec.partition > spec.keys.len() {
            return Err(Error::defect("a window with more partition keys than keys"));
        }
        Ok(Window {
            rows: Rows::new(spec.partition, spec.calls.iter().map(|c| c.peers).collect()),
            spec: Arc::new(spec.clone()),
            needed,
            calls: Vec::new(),
            passing: VecDeque::new(),
            gone: 0,
            next: 0,
            try_at: Batch::TARGET_ROWS as u64,
            row_bytes: 0,
            held: run.budget.reservation("window functions"),
            spool: None,
            flow: Flow::More,
            run: run.clone(),
        })
    }

    fn columns(&self, batch: &Batch, of: &[usize]) -> Result<Vec<ArrayRef>> {
        of.iter()
            .map(|&c| {
                let column = batch.columns.get(c);
                plain(column.ok_or_else(|| Error::defect("a window beyond the columns"))?)
            })
            .collect()
    }

    /// The columns that calls look at.
    pub(super) fn arguments(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        self.columns(batch, &self.needed)
    }

    pub(super) fn levels(&mut self, batch: &Batch) -> Result<Vec<u16>> {
        let keys = self.columns(batch, &self.spec.keys)?;
        self.rows.levels(&keys, batch.rows)
    }

    fn start(&mut self, batch: &Batch) {
        let slots: Vec<(usize, usize)> = self.needed.iter().copied().zip(0..).collect();
        let ty = |c: usize| batch.columns.get(c).map(|a| types::logical(a.data_type()));
        let calls = self.spec.calls.iter();
        self.calls = calls
            .map(|c| Call::new(c, slots.clone(), c.arg.and_then(ty).as_ref()))
            .collect();
    }

    /// Takes rows that belong to those before them, or follow them.
    pub(super) fn append(
        &mut self,
        batch: Batch,
        levels: &[u16],
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<()> {
        let arguments = self.arguments(&batch)?;
        let own = |columns: &[ArrayRef]| {
            let some = Batch::new(columns.to_vec(), batch.rows, 0);
            own_bytes(&some)
        };
        // once as they came, once more side by side, and again while these are put together
        let bytes = own_bytes(&batch) + 2 * own(&arguments) + batch.rows * (16 + 24 * self.calls.len());
        self.row_bytes = self.row_bytes.max(bytes / batch.rows.max(1));
        let refused = self.held.try_grow(bytes).is_err();
        if refused {
            self.held.grow_anyway(bytes);
        }
        self.rows.push(arguments, levels);
        self.passing.push_back((batch, bytes));
        if refused {
            self.flush(false, emit)?;
            if self.run.budget.used() > self.run.budget.limit() && self.held.bytes() > LEAST_BYTES {
                return self.start_spool(cx);
            }
            return Ok(());
        }
        if self.rows.end >= self.try_at {
            self.flush(false, emit)?;
        }
        Ok(())
    }

    /// Computes what can be computed, hands it on, and forgets what nobody needs any more.
    pub(super) fn flush(&mut self, complete: bool, emit: &mut Emit) -> Result<()> {
        if self.rows.end == self.next && !complete {
            return Ok(());
        }
        self.rows.settle(complete)?;
        let mut ready = self.rows.end;
        for call in &mut self.calls {
            ready = ready.min(call.prepare(&self.rows, self.next)?);
        }
        if complete && ready < self.rows.end {
            return Err(Error::defect("a window function waits for rows that do not come"));
        }
        if ready > self.next {
            let of = self.next..ready;
            let columns = self.calls.iter_mut().map(|c| c.eval(&self.rows, of.clone()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            self.hand_on(&columns, (ready - self.next) as usize, emit)?;
            self.next = ready;
        }
        let mut keep = self.next;
        for call in &self.calls {
            keep = keep.min(call.keep(&self.rows, self.next, complete)?);
        }
        for call in &mut self.calls {
            call.hold(&self.rows, keep)?;
        }
        self.rows.trim(keep);
        self.try_at = self.rows.end + self.rows.len().max(Batch::TARGET_ROWS as u64);
        let passing: usize = self.passing.iter().map(|p| p.1).sum();
        let before = (self.next - self.rows.base) as usize * self.row_bytes;
        let states: usize = self.calls.iter().map(Call::bytes).sum();
        self.held.resize_anyway(passing + before + states);
        Ok(())
    }

    fn hand_on(&mut self, columns: &[ArrayRef], rows: usize, emit: &mut Emit) -> Result<()> {
        let mut done = 0;
        while done < rows {
            let Some((batch, _)) = self.passing.front() else {
                return Err(Error::defect("a window function with more results than rows"));
            };
            let n = (batch.rows - self.gone).min(rows - done);
            let mut piece = batch.slice(self.gone, n);
            piece.columns.truncate(self.spec.kept);
            piece.columns.extend(columns.iter().map(|c| c.slice(done, n)));
            self.gone += n;
            done += n;
            if self.gone == batch.rows {
                self.passing.pop_front();
                self.gone = 0;
            }
            if self.flow == Flow::More {
                self.flow = emit(piece)?;
            }
        }
        Ok(())
    }

    /// The rows that have not gone out, to be put elsewhere.
    pub(super) fn surrender(&mut self) -> Vec<Batch> {
        let gone = std::mem::take(&mut self.gone);
        let mut all: Vec<Batch> = self.passing.drain(..).map(|(b, _)| b).collect();
        if let Some(first) = all.first_mut() {
            *first = first.slice(gone, first.rows - gone);
        }
        self.held.free();
        all
    }
}

impl Transform for Window {
    fn push(&mut self, batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        if batch.rows == 0 || self.flow == Flow::Enough {
            return Ok(self.flow);
        }
        if self.calls.is_empty() {
            self.start(&batch);
        }
        let levels = self.levels(&batch)?;
        let Some(spool) = &mut self.spool else {
            self.append(batch, &levels, emit, cx)?;
            return Ok(self.flow);
        };
        // rows of the partition that lies on disk, then those of the next ones
        let opens = levels.iter().position(|&l| self.rows.opens(l));
        let cut = opens.unwrap_or(batch.rows);
        if cut > 0 {
            let head = batch.slice(0, cut);
            spool.write(&head, &self.run)?;
            self.see(&head)?;
        }
        if cut < batch.rows {
            self.replay(emit, cx)?;
            let rest = batch.slice(cut, batch.rows - cut);
            self.append(rest, &levels[cut..], emit, cx)?;
        }
        Ok(self.flow)
    }

    fn finish(&mut self, emit: &mut Emit, cx: &TaskContext) -> Result<()> {
        if self.flow == Flow::Enough || self.calls.is_empty() {
            return Ok(());
        }
        if self.spool.is_some() {
            self.replay(emit, cx)?;
        }
        self.flush(true, emit)
    }
}

/// The bytes of just these rows; dictionaries that many batches share do not count.
fn own_bytes(batch: &Batch) -> usize {
    let own = |c: &ArrayRef| match c.data_type() {
        arrow::datatypes::DataType::Dictionary(..) => 4 * batch.rows,
        _ => Batch::new(vec![c.clone()], batch.rows, 0).own_bytes(),
    };
    batch.columns.iter().map(own).sum()
}
