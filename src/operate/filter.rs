//! Keeps the rows where a condition is true.

use crate::error::Result;
use crate::expr::Evaluator;
use crate::kernel::Batch;
use crate::pipeline::{Emit, Flow, TaskContext, Transform};

/// See the module.
pub struct Filter {
    condition: Evaluator,
}

impl Filter {
    /// Keeps rows where `condition` is true; false and null rows go.
    pub fn new(condition: Evaluator) -> Self {
        Filter { condition }
    }
}

impl Transform for Filter {
    fn push(&mut self, batch: Batch, emit: &mut Emit, _cx: &TaskContext) -> Result<Flow> {
        let mask = self.condition.eval_mask(&batch)?;
        match mask.true_count() {
            0 => Ok(Flow::More),
            n if n == batch.rows => emit(batch),
            _ => emit(batch.filter(&mask)?),
        }
    }
}
