//! The plan that yields no row.

use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::datatypes::SchemaRef;

use super::{LogicalPlan, Table};
use crate::error::Result;
use crate::source::MemoryDataset;

impl LogicalPlan {
    /// No row of these columns.
    ///
    /// # Errors
    /// None.
    pub fn nothing(schema: &SchemaRef) -> Result<LogicalPlan> {
        let columns = schema.fields().iter().map(|f| new_empty_array(f.data_type()));
        let none = MemoryDataset::of_columns(schema.clone(), columns.collect(), 0)?;
        Ok(LogicalPlan::scan(Table {
            name: "nothing".to_string(),
            dataset: Arc::new(none),
        }))
    }

    /// Whether it is known to yield no row, since its table has none.
    pub fn is_nothing(&self) -> bool {
        matches!(self, LogicalPlan::Scan { table, .. } if table.dataset.exact_rows() == Some(0))
    }
}
