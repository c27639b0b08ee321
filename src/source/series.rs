//! A table of numbers at equal distances, made while it is read: `generate_series` and `range`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::json;

use super::{Dataset, RowFilter, ScanRequest};
use crate::error::{Error, Result};
use crate::kernel::{Batch, Scalar};
use crate::pipeline::{RunContext, Source, TaskContext};

/// Rows of a partition, unless there would be too many partitions.
const PART: u64 = 1 << 20;
/// The most partitions.
const MOST_PARTS: u64 = 1 << 12;

/// The numbers `start`, `start + step`, …
#[derive(Debug)]
pub struct SeriesDataset {
    schema: SchemaRef,
    start: i64,
    step: i64,
    rows: u64,
}

impl SeriesDataset {
    /// The numbers from `start` to `stop`, which is one of them where `closed`, in a column called `name`.
    ///
    /// # Errors
    /// A step of nothing, or more numbers than rows can be counted.
    pub fn new(name: &str, start: i64, stop: i64, step: i64, closed: bool) -> Result<SeriesDataset> {
        let (from, to) = (i128::from(start), i128::from(stop));
        let way = if step > 0 { to - from } else { from - to };
        let step_size = i128::from(step.unsigned_abs());
        if step_size == 0 {
            return Err(Error::query(format!("{name} with a step of 0")).help("a step must not be 0"));
        }
        let rows = match (way, closed) {
            (..0, _) => 0,
            (way, true) => way / step_size + 1,
            (way, false) => (way + step_size - 1) / step_size,
        };
        let rows = u64::try_from(rows).ok().filter(|&n| n < 1 << 50);
        let rows = rows.ok_or_else(|| {
            Error::query(format!("{name} of {start} to {stop} has too many rows")).help("take a larger step")
        })?;
        Ok(SeriesDataset::of_rows(name, start, step, rows))
    }

    fn of_rows(name: &str, start: i64, step: i64, rows: u64) -> SeriesDataset {
        let field = Field::new(name, DataType::Int64, true);
        SeriesDataset {
            schema: Arc::new(Schema::new(vec![field])),
            start,
            step,
            rows,
        }
    }

    /// What [`Dataset::to_json`] made.
    ///
    /// # Errors
    /// It is no such JSON.
    pub(super) fn from_json(value: &serde_json::Value) -> Result<SeriesDataset> {
        let bad = || Error::usage("no series of numbers");
        let name = value["name"].as_str().ok_or_else(bad)?;
        let start = value["start"].as_i64().ok_or_else(bad)?;
        let step = value["step"].as_i64().ok_or_else(bad)?;
        let rows = value["rows"].as_u64().ok_or_else(bad)?;
        Ok(SeriesDataset::of_rows(name, start, step, rows))
    }

    /// The number of rows.
    pub fn count(&self) -> i64 {
        self.rows as i64
    }

    /// Rows of each partition but the last.
    fn part(&self) -> u64 {
        PART.max(self.rows.div_ceil(MOST_PARTS))
    }

    /// The number of a row. Of rows that are there none overflows.
    fn value(&self, row: u64) -> i64 {
        self.start.wrapping_add(self.step.wrapping_mul(row as i64))
    }
}

impl Dataset for SeriesDataset {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        self.rows.div_ceil(self.part()).max(1) as usize
    }
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        let first = (part as u64).saturating_mul(self.part()).min(self.rows);
        Ok(Box::new(Numbers {
            first,
            next: first,
            end: self.rows.min(first + self.part()),
            place: (part as u64) << 40,
            columns: request.columns.clone(),
            filter: request.filter.clone(),
            data: self,
        }))
    }
    fn bytes(&self) -> u64 {
        self.rows.saturating_mul(8)
    }
    fn exact_rows(&self) -> Option<u64> {
        Some(self.rows)
    }
    fn range(&self, _column: usize) -> Option<(Scalar, Scalar)> {
        let last = self.value(self.rows.checked_sub(1)?);
        let (low, high) = (self.start.min(last), self.start.max(last));
        Some((Scalar::Int(low), Scalar::Int(high)))
    }
    fn describe(&self, part: usize) -> String {
        let first = (part as u64 * self.part()).min(self.rows);
        let end = self.rows.min(first + self.part());
        format!("{} rows from {} on", end - first, self.value(first))
    }
    fn refine(self: Arc<Self>, _: &[usize], _: &RunContext) -> Result<Arc<dyn Dataset>> {
        Ok(self)
    }
    fn to_json(&self) -> serde_json::Value {
        json!({"format": "series", "name": self.schema.field(0).name(), "start": self.start, "step": self.step,
            "rows": self.rows})
    }
}

/// The numbers of a partition, some thousand at a time.
struct Numbers {
    data: Arc<SeriesDataset>,
    first: u64,
    next: u64,
    end: u64,
    /// Where the partition's rows begin in the order of all.
    place: u64,
    columns: Vec<usize>,
    filter: Option<Arc<dyn RowFilter>>,
}

impl Source for Numbers {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        if self.next == self.end {
            return Ok(None);
        }
        cx.check()?;
        let to = self.end.min(self.next + Batch::TARGET_ROWS as u64);
        let rows = (to - self.next) as usize;
        let wanted = !self.columns.is_empty() || self.filter.is_some();
        let columns: Vec<ArrayRef> = match wanted {
            true => {
                let values = (self.next..to).map(|row| self.data.value(row));
                vec![Arc::new(Int64Array::from_iter_values(values))]
            }
            false => Vec::new(),
        };
        let batch = Batch::new(columns, rows, self.place | (self.next - self.first));
        self.next = to;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rows(start: i64, stop: i64, step: i64, closed: bool) -> u64 {
        SeriesDataset::new("n", start, stop, step, closed).unwrap().rows
    }

    #[test]
    fn the_end_counts_where_it_is_said() {
        assert_eq!(rows(1, 10, 1, true), 10);
        assert_eq!(rows(1, 10, 1, false), 9);
        assert_eq!(rows(1, 10, 4, true), 3);
        assert_eq!(rows(1, 9, 4, true), 3);
        assert_eq!(rows(1, 9, 4, false), 2);
        assert_eq!(rows(10, 1, -3, true), 4);
        assert_eq!(rows(10, 1, 3, true), 0);
        assert_eq!(rows(5, 5, 1, false), 0);
        assert_eq!(rows(5, 5, 1, true), 1);
    }

    #[test]
    fn nothing_overflows() {
        let far = SeriesDataset::new("n", i64::MIN, i64::MAX, i64::MAX, true).unwrap();
        assert_eq!(far.rows, 3);
        assert_eq!(far.value(2), i64::MAX - 1);
        assert!(SeriesDataset::new("n", i64::MIN, i64::MAX, 1, true).is_err());
        assert!(SeriesDataset::new("n", 1, 2, 0, true).is_err());
    }

    #[test]
    fn a_thousand_million_rows_are_no_burden() {
        let all = SeriesDataset::new("n", 0, 1_000_000_000, 1, false).unwrap();
        assert_eq!((all.rows, all.partitions()), (1_000_000_000, 954));
        let back = SeriesDataset::from_json(&all.to_json()).unwrap();
        assert_eq!((back.start, back.step, back.rows), (0, 1, 1_000_000_000));
    }
}
