//! The rows of a recursive query as a table, which makes them as they are read.
//!
//! ```text
//!   reader ─► rows 0, rows 1, … made before ─► none left: plan and run the next step over the last rows
//!   another reader ─┘                          (one at a time; what it leaves is there for all)
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use sqlparser::ast::SetExpr;

use super::scope::Rel;
use super::{Cte, Planner, Sql, recursive};
use crate::error::{Error, Result};
use crate::frame::{Frame, Settings};
use crate::kernel::Batch;
use crate::pipeline::{RunContext, Source, TaskContext};
use crate::plan::Table;
use crate::source::{Dataset, RowFilter, ScanRequest};

/// The most steps: a recursion that does not end would go on for ever.
const MOST_STEPS: usize = 100_000;
/// The rows may take this part of the memory limit; what reads them needs some as well.
const SHARE: usize = 4;
/// The least memory that a step is run in.
const LEAST_MEMORY: usize = 24 << 20;
/// A guess at the rows, before they are known: too many for a run without threads, which nobody could interrupt.
const SOME_ROWS: u64 = 25_000;

/// A recursive query, and the rows it has had so far.
pub(super) struct Recursion {
    schema: SchemaRef,
    cte: Cte,
    step: SetExpr,
    /// Whether a row that was there before is left out: UNION.
    once: bool,
    /// What the steps are planned in.
    sql: Sql,
    text: String,
    ctes: Vec<Cte>,
    opened: HashMap<String, Frame>,
    notes: Vec<Frame>,
    computed: HashMap<String, Table>,
    made: Mutex<Made>,
}

/// The rows that there are.
#[derive(Default)]
struct Made {
    /// The first rows, before they are run.
    base: Option<Rel>,
    steps: Vec<RecordBatch>,
    bytes: usize,
    ended: bool,
}

impl Recursion {
    /// The query `cte`, which adds `step` to `base`, where `planner` is.
    pub(super) fn new(
        planner: &Planner,
        cte: &Cte,
        step: &SetExpr,
        schema: SchemaRef,
        once: bool,
        base: Rel,
    ) -> Recursion {
        Recursion {
            schema,
            cte: cte.clone(),
            step: step.clone(),
            once,
            sql: planner.sql.clone(),
            text: planner.text.to_string(),
            ctes: planner.ctes.clone(),
            opened: planner.opened.clone(),
            notes: planner.notes.clone(),
            computed: planner.computed.clone(),
            made: Mutex::new(Made {
                base: Some(base),
                ..Made::default()
            }),
        }
    }

    /// The rows of a step; none behind the last.
    fn rows(&self, step: usize, memory: usize) -> Result<Option<RecordBatch>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        while !made.ended && made.steps.len() <= step {
            self.go_on(&mut made, memory)?;
        }
        Ok(made.steps.get(step).cloned())
    }

    /// Runs one more step.
    fn go_on(&self, made: &mut Made, memory: usize) -> Result<()> {
        let name = &self.cte.name;
        if made.steps.len() > MOST_STEPS {
            let what = format!("the recursive query \"{name}\" does not end within {MOST_STEPS} steps");
            let help = "give its second SELECT a condition that fails some time, or use UNION";
            return Err(Error::limit(what).help(help));
        }
        let mut planner = Planner::new(&self.sql, &self.text);
        planner.ctes.clone_from(&self.ctes);
        planner.opened.clone_from(&self.opened);
        planner.notes.clone_from(&self.notes);
        planner.computed.clone_from(&self.computed);
        let settings = Settings {
            memory: memory.clamp(LEAST_MEMORY, self.sql.settings.memory().max(LEAST_MEMORY)),
            ..self.sql.settings.clone()
        };
        let rows = self.step(&mut planner, made, settings);
        let rows = rows.map_err(|e| planner.shown(e))?;
        made.ended = rows.num_rows() == 0;
        made.bytes += rows.get_array_memory_size();
        made.steps.push(rows);
        let most = self.sql.settings.memory() / SHARE;
        if made.bytes > most {
            let what = format!("the rows of the recursive query \"{name}\" take more than {most} bytes");
            return Err(Error::limit(what).help("a larger --memory, or a condition that ends it earlier"));
        }
        Ok(())
    }

    fn step(&self, planner: &mut Planner, made: &mut Made, settings: Settings) -> Result<RecordBatch> {
        let how = (self.once, settings);
        let (Some(last), None) = (made.steps.last(), &made.base) else {
            let base = made.base.take();
            let base = base.ok_or_else(|| Error::defect("a recursion without a beginning"))?;
            return planner.run(base, &self.schema, None, how);
        };
        let next = planner.step(&self.cte, &self.step, last)?;
        let before = match self.once {
            true => Some(concat_batches(&self.schema, &made.steps)?),
            false => None,
        };
        planner.run(next, &self.schema, before.as_ref(), how)
    }
}

impl Dataset for Recursion {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        1
    }
    fn open(self: Arc<Self>, _part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        Ok(Box::new(Steps {
            columns: request.columns.clone(),
            filter: request.filter.clone(),
            recursion: self,
            step: 0,
            at: 0,
            before: 0,
        }))
    }
    /// Nobody knows before they are made. The lock must not be taken: a thread that makes a step, and waits for
    /// the threads of that run, may meanwhile begin another task of its own run, which asks this.
    fn bytes(&self) -> u64 {
        0
    }
    fn estimated_rows(&self) -> u64 {
        SOME_ROWS
    }
    fn describe(&self, _part: usize) -> String {
        format!("the rows of \"{}\"", self.cte.name)
    }
    fn refine(self: Arc<Self>, _: &[usize], _: &RunContext) -> Result<Arc<dyn Dataset>> {
        Ok(self)
    }
    fn to_json(&self) -> serde_json::Value {
        // another process gets the rows
        let mut steps = Vec::new();
        while let Ok(Some(rows)) = self.rows(steps.len(), self.sql.settings.memory()) {
            steps.push(rows);
        }
        let all = concat_batches(&self.schema, &steps).map_err(Error::from);
        let table = all.and_then(|all| recursive::table(&self.cte.name, &all));
        table.map_or(serde_json::Value::Null, |t| t.dataset.to_json())
    }
}

/// The rows, step after step.
struct Steps {
    recursion: Arc<Recursion>,
    columns: Vec<usize>,
    filter: Option<Arc<dyn RowFilter>>,
    step: usize,
    /// The next row of the step,
    at: usize,
    /// and those of the steps before it.
    before: usize,
}

impl Source for Steps {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            cx.check()?;
            let Some(rows) = self.recursion.rows(self.step, cx.run.budget.available())? else {
                return Ok(None);
            };
            let left = rows.num_rows() - self.at;
            if left == 0 {
                self.before += rows.num_rows();
                (self.step, self.at) = (self.step + 1, 0);
                continue;
            }
            let taken = left.min(Batch::TARGET_ROWS);
            let all = Batch::new(rows.columns().to_vec(), rows.num_rows(), self.before as u64);
            let batch = all.slice(self.at, taken);
            self.at += taken;
            let kept = match &self.filter {
                Some(f) => {
                    let mask = f.mask(&batch.select(f.columns()))?;
                    batch.filter(&mask)?
                }
                None => batch,
            };
            if kept.rows > 0 {
                return Ok(Some(kept.select(&self.columns)));
            }
        }
    }
}
