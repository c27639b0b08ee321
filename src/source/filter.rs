//! A query's filter, as a scan sees it: the columns it needs, a mask, and bounds for pruning.

use arrow::array::BooleanArray;
use arrow::datatypes::{Schema, SchemaRef};

use super::{Bound, Compare, RowFilter};
use crate::error::Result;
use crate::expr::{CompareOp, Evaluator, Expr};
use crate::kernel::Batch;

/// An expression over a dataset's columns.
pub struct ExprFilter {
    columns: Vec<usize>,
    condition: Evaluator,
    bounds: Vec<Bound>,
}

impl ExprFilter {
    /// Binds `filter` to a dataset with `schema`.
    pub fn new(filter: &Expr, schema: &SchemaRef) -> Result<Self> {
        let mut columns = filter.columns().iter().map(|c| Ok(schema.index_of(c)?)).collect::<Result<Vec<_>>>()?;
        columns.sort_unstable();
        let fields: Vec<_> = columns.iter().map(|&i| schema.field(i).clone()).collect();
        let condition = Evaluator::bind(filter, &Schema::new(fields))?;
        let mut bounds = Vec::new();
        for part in filter.clone().conjuncts() {
            if let Some((name, op, value)) = part.as_comparison() {
                bounds.push(Bound { column: schema.index_of(&name)?, op: compare(op), value });
            }
        }
        Ok(ExprFilter { columns, condition, bounds })
    }
}

impl RowFilter for ExprFilter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }
    fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
        self.condition.eval_mask(batch)
    }
    fn bounds(&self) -> &[Bound] {
        &self.bounds
    }
}
