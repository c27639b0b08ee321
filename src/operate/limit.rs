//! `LIMIT` and `OFFSET`: passes on a window of the rows that come by.
//!
//! ```text
//!   rows  0 … skip-1 | skip … skip+take-1 | …
//!         dropped    | passed on          | Flow::Enough
//! ```

use crate::error::Result;
use crate::kernel::Batch;
use crate::pipeline::{Emit, Flow, TaskContext, Transform};

/// Drops the first `skip` rows, passes on the next `take`, and then has [`Flow::Enough`].
#[derive(Debug, Clone)]
pub struct Limit {
    skip: u64,
    take: u64,
}

impl Limit {
    /// The rows `skip .. skip + take`; no `take` means all that follow.
    pub fn new(skip: u64, take: Option<u64>) -> Self {
        Limit {
            skip,
            take: take.unwrap_or(u64::MAX),
        }
    }
}

impl Transform for Limit {
    fn push(&mut self, batch: Batch, emit: &mut Emit, _cx: &TaskContext) -> Result<Flow> {
        let rows = batch.rows as u64;
        let skipped = self.skip.min(rows);
        self.skip -= skipped;
        let passed = self.take.min(rows - skipped);
        if self.take != u64::MAX {
            self.take -= passed;
        }
        let mut flow = Flow::More;
        if passed == rows {
            flow = emit(batch)?;
        } else if passed > 0 {
            flow = emit(batch.slice(skipped as usize, passed as usize))?;
        }
        Ok(if self.take == 0 { Flow::Enough } else { flow })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::RunContext;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn context() -> TaskContext {
        TaskContext {
            run: RunContext::of_test(1 << 20, 1),
            part: 0,
        }
    }

    proptest! {
        #[test]
        fn passes_the_window(
            sizes in prop::collection::vec(0usize..20, 0..10),
            skip in 0u64..60,
            take in prop::option::of(0u64..60),
        ) {
            let cx = context();
            let mut limit = Limit::new(skip, take);
            let (mut start, mut out, mut enough) = (0i64, Vec::new(), false);
            for n in sizes {
                let column = Int64Array::from_iter_values(start..start + n as i64);
                let batch = Batch::new(vec![Arc::new(column)], n, start as u64);
                start += n as i64;
                if enough {
                    continue;
                }
                let mut emit = |b: Batch| {
                    out.extend_from_slice(b.columns[0].as_primitive::<Int64Type>().values());
                    Ok(Flow::More)
                };
                enough = limit.push(batch, &mut emit, &cx).unwrap() == Flow::Enough;
            }
            let want: Vec<i64> =
                (0..start).skip(skip as usize).take(take.map_or(usize::MAX, |t| t as usize)).collect();
            prop_assert_eq!(&out, &want);
            prop_assert_eq!(enough && take.is_none(), false);
        }
    }
}
