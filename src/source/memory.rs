//! A table of constants: the rows of `VALUES`, and the one row of a query that reads no file.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::json;

use super::options::parse_type;
use super::{Dataset, RowFilter, Sample, ScanRequest};
use crate::error::{Error, Result};
use crate::expr::cast;
use crate::kernel::{Batch, Scalar, types};
use crate::pipeline::{RunContext, Source, TaskContext};

/// So many rows are looked at for guesses.
const SAMPLED: usize = 4096;

/// Rows that lie in memory, one partition of them.
#[derive(Debug)]
pub struct MemoryDataset {
    schema: SchemaRef,
    rows: usize,
    columns: Vec<ArrayRef>,
}

impl MemoryDataset {
    /// A table of named and typed columns; each row has a value for each, cast to its type.
    ///
    /// # Errors
    /// A row of another length, or a value that does not fit its column.
    pub fn new(columns: &[(String, DataType)], rows: Vec<Vec<Scalar>>) -> Result<Self> {
        if rows.iter().any(|r| r.len() != columns.len()) {
            return Err(Error::query("the rows of VALUES have different lengths"));
        }
        let fields = columns.iter().map(|(n, t)| Field::new(n, t.clone(), true));
        let arrays = columns.iter().enumerate().map(|(i, (_, ty))| {
            let cells = rows
                .iter()
                .map(|r| cast::array(&cast::scalar_array(&r[i]), ty, false));
            let cells = cells.collect::<Result<Vec<_>>>()?;
            let cells: Vec<_> = cells.iter().map(|c| c.as_ref()).collect();
            match cells.is_empty() {
                true => Ok(new_empty_array(ty)),
                false => Ok(concat(&cells)?),
            }
        });
        Ok(MemoryDataset {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            columns: arrays.collect::<Result<_>>()?,
            rows: rows.len(),
        })
    }

    /// A table of columns that are there already, of the types of `schema`.
    ///
    /// # Errors
    /// They are of other types or lengths.
    pub fn of_columns(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<Self> {
        let fits = |(f, c): (&Arc<Field>, &ArrayRef)| f.data_type() == c.data_type() && c.len() == rows;
        if schema.fields().len() != columns.len() || !schema.fields().iter().zip(&columns).all(fits) {
            return Err(Error::defect("columns that are not those of their table"));
        }
        Ok(MemoryDataset {
            schema,
            rows,
            columns,
        })
    }

    /// What [`Dataset::to_json`] made.
    ///
    /// # Errors
    /// It is no such JSON.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::usage(format!("no table of constants: {e}"));
        let columns: Vec<(String, String)> = serde_json::from_value(value["columns"].clone()).map_err(bad)?;
        let rows = serde_json::from_value(value["rows"].clone()).map_err(bad)?;
        let typed = |t: &str| types::rare_of_name(t).map_or_else(|| parse_type(t), Ok);
        let columns = columns.into_iter().map(|(n, t)| Ok((n, typed(&t)?)));
        MemoryDataset::new(&columns.collect::<Result<Vec<_>>>()?, rows)
    }
}

impl Dataset for MemoryDataset {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        1
    }
    fn open(self: Arc<Self>, _part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        Ok(Box::new(Rows {
            columns: request.columns.clone(),
            filter: request.filter.clone(),
            data: self,
            next: 0,
        }))
    }
    fn bytes(&self) -> u64 {
        self.columns
            .iter()
            .map(|c| c.get_array_memory_size() as u64)
            .sum()
    }
    fn exact_rows(&self) -> Option<u64> {
        Some(self.rows as u64)
    }
    fn sample(&self, columns: &[usize]) -> Option<Sample> {
        let rows = self.rows.min(SAMPLED);
        let column = |&c: &usize| Some(self.columns.get(c)?.slice(0, rows));
        Some(Sample {
            columns: columns.iter().map(column).collect::<Option<_>>()?,
            places: (0..rows as u32).collect(),
            of: self.rows as f64,
        })
    }
    fn describe(&self, _part: usize) -> String {
        format!("{} constant rows", self.rows)
    }
    fn refine(self: Arc<Self>, _: &[usize], _: &RunContext) -> Result<Arc<dyn Dataset>> {
        Ok(self)
    }
    fn to_json(&self) -> serde_json::Value {
        let columns = self.schema.fields().iter();
        let columns: Vec<_> = columns.map(|f| (f.name(), types::name(f.data_type()))).collect();
        let row = |i| self.columns.iter().map(|c| cast::array_scalar(c, i)).collect();
        let rows: Vec<Vec<Scalar>> = (0..self.rows).map(row).collect();
        json!({"format": "values", "columns": columns, "rows": rows})
    }
}

/// The rows, some thousand at a time.
struct Rows {
    data: Arc<MemoryDataset>,
    columns: Vec<usize>,
    filter: Option<Arc<dyn RowFilter>>,
    next: usize,
}

impl Source for Rows {
    fn next(&mut self, _cx: &TaskContext) -> Result<Option<Batch>> {
        let left = self.data.rows - self.next;
        if left == 0 {
            return Ok(None);
        }
        let rows = left.min(Batch::TARGET_ROWS);
        let all = Batch::new(self.data.columns.clone(), self.data.rows, 0);
        let batch = all.slice(self.next, rows);
        self.next += rows;
        let kept = match &self.filter {
            Some(f) => {
                let mask = f.mask(&batch.select(f.columns()))?;
                batch.filter(&mask)?
            }
            None => batch,
        };
        Ok(Some(kept.select(&self.columns)))
    }
}
