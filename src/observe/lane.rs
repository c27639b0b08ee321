//! What one thread did, in bounded memory.
//!
//! ```text
//!   task │a│b│c│   long task   │d│e│ …        neighbours of the same stage are united once the rows
//!   row  └─ 3 ─┘└────── 1 ─────┘└─ 2 ┘ …      become too many: first those that are shorter together
//! ```
//!
//! Rows remember how much the thread had done *before* them; what a row did is the difference to the
//! next. So uniting is dropping a row's start, nothing is lost from sums, and a reader who has seen a
//! part of a row can be given the rest of it.

use super::model::{SlowTask, TaskRow};

/// The most rows of a lane.
pub(super) const CAP: usize = 2048;
/// The slowest tasks that a lane remembers.
const SLOWEST: usize = 10;
/// Rows are never united across a pause longer than this part of what they would span together.
const PAUSE_SHARE: u64 = 4;

/// Totals of a thread at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Tasks and what closed stages.
    pub spans: u64,
    pub tasks: u64,
    pub rows: u64,
    pub bytes: u64,
    /// When the last of it ended, in microseconds.
    pub end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    stage: u32,
    part: u32,
    begin: u64,
    end: u64,
    before: Done,
}

/// What a thread did for one stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StageSum {
    pub tasks: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Microseconds.
    pub busy: u64,
}

/// A task that is over, with times in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub stage: usize,
    pub part: usize,
    pub begin: u64,
    pub end: u64,
    pub rows: u64,
    pub bytes: u64,
    pub closing: bool,
}

/// The tasks of one thread, in order.
#[derive(Debug, Default)]
pub(super) struct Lane {
    rows: Vec<Row>,
    total: Done,
    /// Neighbours are united while they are not longer than this together.
    grain: u64,
    sums: Vec<StageSum>,
    slowest: Vec<SlowTask>,
}

impl Lane {
    /// Adds a task that ended after all that were added before.
    pub fn add(&mut self, span: &Span) {
        if self.sums.len() <= span.stage {
            self.sums.resize(span.stage + 1, StageSum::default());
        }
        let sum = &mut self.sums[span.stage];
        let took = span.end.saturating_sub(span.begin);
        sum.tasks += u64::from(!span.closing);
        sum.rows += span.rows;
        sum.bytes += span.bytes;
        sum.busy += took;
        if !span.closing {
            self.remember(span, took);
        }
        let row = Row {
            stage: span.stage as u32,
            part: span.part as u32,
            begin: span.begin,
            end: span.end,
            before: self.total,
        };
        self.total.spans += 1;
        self.total.tasks += u64::from(!span.closing);
        self.total.rows += span.rows;
        self.total.bytes += span.bytes;
        self.total.end = span.end;
        match self.rows.last_mut() {
            Some(last) if self.grain > 0 && unites(last, &row, self.grain) => last.end = row.end,
            _ => self.rows.push(row),
        }
        while self.rows.len() >= CAP {
            self.shrink();
        }
    }

    fn remember(&mut self, span: &Span, took: u64) {
        let seconds = took as f64 / 1e6;
        let full = self.slowest.len() == SLOWEST;
        if full && self.slowest.last().is_some_and(|s| s.seconds >= seconds) {
            return;
        }
        self.slowest.truncate(SLOWEST - 1);
        let at = self.slowest.partition_point(|s| s.seconds >= seconds);
        let slow = SlowTask {
            stage: span.stage,
            part: span.part as u64,
            seconds,
            rows: span.rows,
            ..SlowTask::default()
        };
        self.slowest.insert(at, slow);
    }

    /// Unites neighbours, at first only short ones.
    fn shrink(&mut self) {
        self.grain = match self.grain {
            0 => (self.total.end / CAP as u64).max(1),
            n => n.saturating_mul(2),
        };
        // stages that alternate thousands of times: every other row goes, whatever it is
        let forced = self.grain > u64::MAX / 4;
        let mut kept: Vec<Row> = Vec::with_capacity(CAP);
        for (i, row) in self.rows.iter().enumerate() {
            match kept.last_mut() {
                Some(last) if (forced && i % 2 == 1) || unites(last, row, self.grain) => last.end = row.end,
                _ => kept.push(*row),
            }
        }
        if forced {
            self.grain = 1;
        }
        self.rows = kept;
    }

    /// By stage.
    pub fn sums(&self) -> &[StageSum] {
        &self.sums
    }

    /// The slowest tasks, slowest first.
    pub fn slowest(&self) -> &[SlowTask] {
        &self.slowest
    }

    /// The rows that a reader has not seen who has `seen` so much of the thread's work; notes that it
    /// has seen them. A row that has grown since comes again with what it grew by.
    pub fn since(&self, thread: usize, seen: &mut Done, out: &mut Vec<TaskRow>) {
        // the last row that begins within what was seen may have grown
        let first = self.rows.partition_point(|r| r.before.spans < seen.spans);
        for (i, row) in self.rows.iter().enumerate().skip(first.saturating_sub(1)) {
            let after = self.rows.get(i + 1).map_or(self.total, |next| next.before);
            if after.spans <= seen.spans {
                continue;
            }
            let begun = row.before.spans < seen.spans;
            let before = if begun { *seen } else { row.before };
            out.push(TaskRow {
                thread: thread as u32,
                stage: row.stage,
                part: row.part,
                begin_us: if begun { row.begin.max(seen.end) } else { row.begin },
                end_us: row.end,
                rows: after.rows.saturating_sub(before.rows),
                bytes: after.bytes.saturating_sub(before.bytes),
                count: after.tasks.saturating_sub(before.tasks),
            });
        }
        *seen = self.total;
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Whether two neighbours make one row.
fn unites(a: &Row, b: &Row, grain: u64) -> bool {
    let together = b.end.saturating_sub(a.begin);
    let pause = b.begin.saturating_sub(a.end);
    a.stage == b.stage && together <= grain && (pause <= (together / PAUSE_SHARE).max(2) || grain > b.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let one = (0usize..4, 0u64..3000, 0u64..50, 0u64..9, 0u64..9, 0u32..40);
        prop::collection::vec(one, 0..9000).prop_map(|all| {
            let (mut now, mut stage) = (0, 0);
            let each = all.into_iter().enumerate();
            let each = each.map(|(part, (next, took, pause, rows, bytes, close))| {
                if part % 500 == 0 {
                    stage = next;
                }
                let begin = now + pause;
                now = begin + took;
                let closing = close == 0;
                Span {
                    stage,
                    part,
                    begin,
                    end: now,
                    rows,
                    bytes,
                    closing,
                }
            });
            each.collect()
        })
    }

    fn sum(rows: &[TaskRow]) -> (u64, u64, u64) {
        let add = |s: (u64, u64, u64), r: &TaskRow| (s.0 + r.count, s.1 + r.rows, s.2 + r.bytes);
        rows.iter().fold((0, 0, 0), add)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn memory_is_bounded_and_sums_stay(spans in spans(), looks in prop::collection::vec(0usize..9000, 0..5)) {
            let (mut lane, mut seen, mut streamed) = (Lane::default(), Done::default(), Vec::new());
            for (i, span) in spans.iter().enumerate() {
                lane.add(span);
                prop_assert!(lane.len() < CAP);
                if looks.contains(&i) {
                    lane.since(3, &mut seen, &mut streamed);
                }
            }
            lane.since(3, &mut seen, &mut streamed);
            let mut whole = Vec::new();
            lane.since(3, &mut Done::default(), &mut whole);
            let tasks = spans.iter().filter(|s| !s.closing).count() as u64;
            let want = (tasks, spans.iter().map(|s| s.rows).sum(), spans.iter().map(|s| s.bytes).sum());
            prop_assert_eq!(sum(&whole), want);
            prop_assert_eq!(sum(&streamed), want);
            for rows in [&whole, &streamed] {
                prop_assert!(rows.iter().all(|r| r.begin_us <= r.end_us && r.thread == 3));
                prop_assert!(rows.windows(2).all(|w| w[0].end_us <= w[1].begin_us));
            }
            for stage in 0..4 {
                let of = |s: &&Span| s.stage == stage && !s.closing;
                let count = spans.iter().filter(of).count() as u64;
                prop_assert_eq!(lane.sums().get(stage).map_or(0, |s| s.tasks), count);
                let rows = whole.iter().filter(|r| r.stage as usize == stage);
                prop_assert_eq!(rows.map(|r| r.count).sum::<u64>(), count);
            }
            let slowest = spans.iter().filter(|s| !s.closing).map(|s| s.end - s.begin).max();
            prop_assert_eq!(lane.slowest().first().map(|s| s.seconds), slowest.map(|s| s as f64 / 1e6));
        }
    }

    #[test]
    fn few_tasks_stay_as_they_are() {
        let mut lane = Lane::default();
        for part in 0..CAP as u64 - 1 {
            let (begin, end) = (part * 10, part * 10 + 9);
            lane.add(&Span {
                part: part as usize,
                begin,
                end,
                rows: 1,
                ..Span::default()
            });
        }
        assert_eq!(lane.len(), CAP - 1);
        let mut rows = Vec::new();
        lane.since(0, &mut Done::default(), &mut rows);
        assert_eq!(
            (rows[5].part, rows[5].begin_us, rows[5].count, rows[5].rows),
            (5, 50, 1, 1)
        );
    }
}
