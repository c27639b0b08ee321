//! Computes columns from columns.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

use crate::error::Result;
use crate::expr::{self, Evaluator, Expr};
use crate::kernel::{Batch, names};
use crate::pipeline::{Emit, Flow, TaskContext, Transform};

/// See the module.
pub struct Project {
    exprs: Vec<Step>,
    schema: SchemaRef,
}

enum Step {
    Take(usize),
    Compute(Evaluator),
}

impl Project {
    /// Computes `exprs` (name, expression) over rows of `schema`.
    pub fn new(exprs: &[(String, Expr)], schema: &Schema) -> Result<Self> {
        let mut steps = Vec::with_capacity(exprs.len());
        let mut fields = Vec::with_capacity(exprs.len());
        for (name, e) in exprs {
            fields.push(expr::field(name, e, schema)?);
            steps.push(match e {
                Expr::Column(c) if let Some(at) = names::place(schema, c) => Step::Take(at),
                _ => Step::Compute(Evaluator::bind(e, schema)?),
            });
        }
        Ok(Project {
            exprs: steps,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// Names and types of the computed columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Transform for Project {
    fn push(&mut self, batch: Batch, emit: &mut Emit, _cx: &TaskContext) -> Result<Flow> {
        let columns = self.exprs.iter().map(|s| match s {
            Step::Take(i) => Ok(batch.columns[*i].clone()),
            Step::Compute(e) => e.eval(&batch),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        emit(Batch::new(columns, batch.rows, batch.position))
    }
}
