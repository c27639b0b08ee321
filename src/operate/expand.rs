//! Makes several rows of each: one for each of some lists of expressions (the sets of GROUP BY
//! ROLLUP, each with other keys left out), or as many copies as a number says (INTERSECT ALL).
//!
//! ```text
//!   a b │ lists (a, b, 0), (a, null, 1)  ─►  1 2 0
//!   1 2 │                                    1 ∅ 1
//! ```

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Int64Type, Schema, SchemaRef};

use super::project::Project;
use crate::error::{Error, Result};
use crate::expr::{Evaluator, Expr};
use crate::kernel::Batch;
use crate::pipeline::{Emit, Flow, TaskContext, Transform};

/// See the module.
pub struct Expand {
    lists: Vec<Project>,
    times: Option<Evaluator>,
    /// Rows put out in this task: they number the batches that come out.
    emitted: u64,
}

impl Expand {
    /// Rows of `schema` become one row for each of `lists`, and of these `times` copies (none for
    /// less than one, or null).
    ///
    /// # Errors
    /// An expression does not fit the columns, or there is no list.
    pub fn new(lists: &[Vec<(String, Expr)>], times: Option<&Expr>, schema: &Schema) -> Result<Self> {
        if lists.is_empty() {
            return Err(Error::defect("rows are to become nothing"));
        }
        let lists = lists.iter().map(|l| Project::new(l, schema));
        Ok(Expand {
            lists: lists.collect::<Result<_>>()?,
            times: times.map(|t| Evaluator::bind(t, schema)).transpose()?,
            emitted: 0,
        })
    }

    /// Names and types of what comes out.
    pub fn schema(&self) -> &SchemaRef {
        self.lists[0].schema()
    }

    /// A batch through all lists.
    fn each_list(&mut self, batch: &Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let emitted = &mut self.emitted;
        let mut numbered = |mut b: Batch| {
            b.position = u64::from(cx.part) << 40 | *emitted;
            *emitted += b.rows as u64;
            emit(b)
        };
        for list in &mut self.lists {
            if list.push(batch.clone(), &mut numbered, cx)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }
}

impl Transform for Expand {
    fn push(&mut self, batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let Some(times) = &self.times else {
            return self.each_list(&batch, emit, cx);
        };
        let times = times.eval(&batch)?;
        let times = times.as_primitive::<Int64Type>().clone();
        let mut rows: Vec<u32> = Vec::with_capacity(Batch::TARGET_ROWS);
        for row in (0..batch.rows).filter(|&r| times.is_valid(r)) {
            // a single number may be huge: never more than a batch of rows at once
            let mut left = times.value(row).max(0) as u64;
            while left > 0 {
                let n = left.min((Batch::TARGET_ROWS - rows.len()) as u64);
                rows.resize(rows.len() + n as usize, row as u32);
                left -= n;
                if rows.len() == Batch::TARGET_ROWS {
                    cx.check()?;
                    let some = taken(&batch, std::mem::take(&mut rows))?;
                    if self.each_list(&some, emit, cx)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
            }
        }
        match rows.is_empty() {
            true => Ok(Flow::More),
            false => self.each_list(&taken(&batch, rows)?, emit, cx),
        }
    }
}

fn taken(batch: &Batch, rows: Vec<u32>) -> Result<Batch> {
    let n = rows.len();
    let rows = UInt32Array::from(rows);
    let columns = batch.columns.iter().map(|c| Ok(take(c, &rows, None)?));
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    Ok(Batch::new(columns, n, batch.position))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Scalar;
    use crate::pipeline::RunContext;
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn context() -> TaskContext {
        TaskContext {
            run: RunContext::of_test(1 << 20, 1),
            part: 3,
        }
    }

    proptest! {
        #[test]
        fn each_row_comes_so_many_times_through_each_list(
            values in prop::collection::vec(prop::option::of(-3i64..20_000), 0..12),
            lists in 1usize..4,
        ) {
            let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
            let list = |i: i64| vec![
                ("n".to_string(), Expr::column("n")),
                ("list".to_string(), Expr::Literal(Scalar::Int(i))),
            ];
            let lists: Vec<_> = (0..lists as i64).map(list).collect();
            let mut expand = Expand::new(&lists, Some(&Expr::column("n")), &schema).unwrap();
            let batch = Batch::new(vec![Arc::new(Int64Array::from(values.clone()))], values.len(), 0);
            let (mut counts, mut next, cx) = (vec![vec![0i64; values.len()]; lists.len()], 3 << 40, context());
            let mut emit = |b: Batch| {
                assert!(b.rows <= Batch::TARGET_ROWS);
                assert_eq!(b.position, next);
                next += b.rows as u64;
                let list = b.columns[1].as_primitive::<Int64Type>().value(0) as usize;
                for &v in b.columns[0].as_primitive::<Int64Type>().values() {
                    let at = values.iter().position(|x| *x == Some(v)).unwrap();
                    counts[list][at] += 1;
                }
                Ok(Flow::More)
            };
            expand.push(batch, &mut emit, &cx).unwrap();
            for list in &counts {
                for (i, v) in values.iter().enumerate() {
                    let first = values.iter().position(|x| x == v) == Some(i);
                    let same = values.iter().filter(|x| *x == v).count() as i64;
                    let want = if first { v.unwrap_or(0).max(0) * same } else { 0 };
                    prop_assert_eq!(list[i], want);
                }
            }
        }
    }
}
