//! The first end: a sink that groups what many tasks feed it, one after the other.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::AggregateSpec;
use super::groups::Groups;
use super::ordered::{Kept, Order};
use super::plan::Plan;
use super::rows::BucketWriter;
use crate::error::Result;
use crate::kernel::Batch;
use crate::memory::Reservation;
use crate::pipeline::{Flow, Partition, RunContext, Sink, TaskContext};

/// Groups from which on it is asked whether grouping early pays: about where the table leaves L2.
const MANY: usize = 128 << 10;
/// It is asked earlier where a thread's share of the memory has not so many bytes for each of them;
const BYTES_A_GROUP: usize = 512;
/// but not before so many.
const FEW: usize = 4 << 10;
/// Grouping is put off when more than 19 of 20 rows open a new group.
const NEW_OF_20: usize = 19;

/// A sink that groups and leaves a partition of [`super::BUCKETS`] buckets.
///
/// It is *parked*: one instance is fed by many tasks, one after the other. It spills itself when
/// the budget refuses it more memory.
pub struct PartialAggregate {
    groups: Groups,
    out: BucketWriter,
    held: Reservation,
    /// Rows and groups at the last check of whether grouping pays.
    mark: (usize, usize),
    rows: usize,
    /// Set while rows are not grouped: what is known of them.
    passed: Option<Passed>,
    /// Grouping was taken up again; it will not be given up a second time.
    settled: bool,
    /// Rows kept as they are, for groups in order.
    kept: Option<Kept>,
    /// Set once rows are kept only, and no longer grouped besides.
    pub(super) only_kept: bool,
    /// [`MANY`], but for tests.
    pub(super) many: usize,
}

/// Rows that went by ungrouped, and a bitmap of their hashes from which the number of distinct
/// keys is estimated (linear counting: Whang and others, 1990).
struct Passed {
    rows: usize,
    bits: Vec<u64>,
    set: usize,
}

impl Passed {
    /// Bits of the map: enough to tell up to about 2^24 keys.
    const BITS: usize = 1 << 22;

    fn new() -> Self {
        Passed {
            rows: 0,
            bits: vec![0; Self::BITS / 64],
            set: 0,
        }
    }

    fn see(&mut self, hashes: &[u64]) {
        self.rows += hashes.len();
        for &hash in hashes {
            let at = (hash >> 20) as usize & (Self::BITS - 1);
            let word = &mut self.bits[at / 64];
            self.set += (*word >> (at % 64) & 1 == 0) as usize;
            *word |= 1 << (at % 64);
        }
    }

    /// Whether each key has come four times: then a table will be smaller than the rows.
    fn repeats(&self) -> bool {
        let empty = (Self::BITS - self.set) as f64 / Self::BITS as f64;
        let distinct = -(Self::BITS as f64) * empty.max(1e-9).ln();
        self.rows as f64 > 4.0 * distinct
    }
}

impl PartialAggregate {
    /// A sink for `spec` over batches of `input`; a query error where they do not fit.
    pub fn new(spec: &AggregateSpec, input: &SchemaRef, run: &Arc<RunContext>) -> Result<Self> {
        Self::of(Arc::new(Plan::new(spec, input)?), run)
    }

    /// The same for groups that are wanted in order: it may leave rows that only
    /// [`super::plan_ordered`] understands.
    pub fn in_order(
        spec: &AggregateSpec,
        input: &SchemaRef,
        order: &Order,
        run: &Arc<RunContext>,
    ) -> Result<Self> {
        let mut sink = Self::new(spec, input, run)?;
        sink.kept = Kept::new(&sink.groups.plan, order, run);
        let share = run.budget.limit() / run.threads.max(1);
        sink.many = (share / BYTES_A_GROUP).clamp(FEW, MANY);
        Ok(sink)
    }

    /// A sink for a resolved plan.
    pub(super) fn of(plan: Arc<Plan>, run: &Arc<RunContext>) -> Result<Self> {
        Ok(PartialAggregate {
            groups: Groups::new(&plan)?,
            out: BucketWriter::new(run, 0),
            held: run.budget.reservation("grouping"),
            mark: (0, 0),
            rows: 0,
            passed: None,
            settled: false,
            kept: None,
            only_kept: false,
            many: MANY,
        })
    }

    /// Keeps a batch if rows are kept. True where it need not be grouped.
    fn keep(&mut self, batch: &Batch) -> Result<bool> {
        let Some(kept) = &mut self.kept else {
            return Ok(false);
        };
        if self.only_kept {
            let kept = kept.push(batch)?;
            if !kept {
                self.group_kept()?;
            }
            return Ok(kept);
        }
        // at first rows are grouped too, to see whether that pays
        let never = kept.never_pays();
        // of those since memory was refused, if it was
        let pays = !never && self.groups.len() * 20 < (self.rows - self.mark.0) * NEW_OF_20;
        if pays || !kept.push(batch)? {
            self.forget_kept();
        } else if never || self.groups.len() >= self.many {
            kept.set_never_pays();
            self.forget_groups();
            return Ok(true);
        }
        Ok(false)
    }

    /// From now on rows are only kept: groups of those that are must go, also such as memory had to
    /// be made free of, or taking up grouping again would count them twice.
    fn forget_groups(&mut self) {
        self.groups.clear();
        self.held.free();
        self.out = self.out.anew();
        (self.only_kept, self.rows, self.mark) = (true, 0, (0, 0));
    }

    /// From now on rows are grouped.
    fn forget_kept(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.pays();
        }
    }

    /// Groups all rows kept so far, and those to come.
    fn group_kept(&mut self) -> Result<()> {
        self.only_kept = false;
        let Some(kept) = self.kept.take() else {
            return Ok(());
        };
        kept.pays();
        kept.give_back(|batch| self.group(&batch))
    }

    /// Writes all groups into buckets and begins anew.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.groups.export(&mut self.out)?;
        self.groups.clear();
        self.held.free();
        self.mark = (self.rows, 0);
        Ok(())
    }

    /// Makes room for a batch, spilling if need be.
    fn make_room(&mut self, rows: usize, long: usize) -> Result<()> {
        let need = |g: &Groups| g.bytes() + g.growth(rows, long);
        if self.held.try_resize(need(&self.groups)).is_ok() {
            return Ok(());
        }
        self.out.spill()?;
        if self.groups.len() > 0 {
            self.flush()?;
        }
        let least = need(&self.groups);
        if self.held.try_resize(least).is_err() {
            // one batch must fit: nothing can be done with less
            self.held.grow_anyway(least.saturating_sub(self.held.bytes()));
        }
        Ok(())
    }

    /// Groups the rows of a batch, or sends them on as groups of one row.
    fn group(&mut self, batch: &Batch) -> Result<()> {
        let long = self.groups.encode(batch, self.passed.is_some())?;
        if let Some(passed) = &mut self.passed {
            passed.see(self.groups.hashes());
            let again = passed.repeats();
            self.groups.pass_through(batch, &mut self.out)?;
            if again {
                self.groups.clear();
                (self.passed, self.settled) = (None, true);
            }
            return Ok(());
        }
        self.make_room(batch.rows, long)?;
        self.groups.update(batch)?;
        self.rows += batch.rows;
        self.check_gain()
    }

    fn check_gain(&mut self) -> Result<()> {
        let groups = self.groups.len();
        if self.settled || self.kept.is_some() || groups < self.many || groups < 2 * self.mark.1 {
            return Ok(());
        }
        let (new, rows) = (groups - self.mark.1, self.rows - self.mark.0);
        if new * 20 > rows * NEW_OF_20 {
            self.flush()?;
            self.held.grow_anyway(Passed::BITS / 8);
            self.passed = Some(Passed::new());
        }
        self.mark = (self.rows, groups);
        Ok(())
    }
}

impl Sink for PartialAggregate {
    fn push(&mut self, batch: Batch, _cx: &TaskContext) -> Result<Flow> {
        // what arrays of other sizes come in is cut, so that one batch's needs stay small
        let mut from = 0;
        while from < batch.rows {
            let n = (batch.rows - from).min(2 * Batch::TARGET_ROWS);
            let part = if n == batch.rows {
                batch.clone()
            } else {
                batch.slice(from, n)
            };
            from += n;
            if !self.keep(&part)? {
                self.group(&part)?;
            }
        }
        Ok(Flow::More)
    }

    fn finish(mut self: Box<Self>, _cx: &TaskContext) -> Result<Partition> {
        match self.kept.take() {
            Some(kept) if self.only_kept => kept.leave(),
            _ => {
                self.flush()?;
                self.out.finish()
            }
        }
    }
}
