//! A query's filter, as a scan sees it: the columns it needs, a mask, and bounds for pruning.

use arrow::array::BooleanArray;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::{Bound, RowFilter};
use crate::error::Result;
use crate::expr::{self, CastType, Evaluator, Expr};
use crate::kernel::{Batch, Scalar};

/// An expression over a dataset's columns.
pub struct ExprFilter {
    columns: Vec<usize>,
    condition: Evaluator,
    bounds: Vec<Bound>,
}

impl ExprFilter {
    /// Binds `filter` to a dataset with `schema`.
    pub fn new(filter: &Expr, schema: &SchemaRef) -> Result<Self> {
        let mut columns = filter
            .columns()
            .iter()
            .map(|c| Ok(schema.index_of(c)?))
            .collect::<Result<Vec<_>>>()?;
        columns.sort_unstable();
        let fields: Vec<_> = columns.iter().map(|&i| schema.field(i).clone()).collect();
        let condition = Evaluator::bind(filter, &Schema::new(fields))?;
        let mut bounds = Vec::new();
        for part in filter.clone().conjuncts() {
            if let Some((name, op, value)) = part.as_comparison() {
                let column = schema.index_of(&name)?;
                if let Some(value) = as_column_type(value, schema.field(column).data_type()) {
                    bounds.push(Bound { column, op, value });
                }
            }
        }
        Ok(ExprFilter {
            columns,
            condition,
            bounds,
        })
    }
}

/// The value as the column's type, where that is exact: dates are compared with their text.
fn as_column_type(value: Scalar, ty: &DataType) -> Option<Scalar> {
    let to = match (ty, &value) {
        (DataType::Date32, Scalar::Text(_)) => CastType::Date,
        (DataType::Timestamp(_, None), Scalar::Text(_)) => CastType::Timestamp,
        (DataType::Timestamp(_, Some(_)), Scalar::Text(_)) => CastType::TimestampUtc,
        _ => return Some(value),
    };
    expr::cast::scalar(&value, to).ok()
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
