//! CSV and Parquet files in one table.
//!
//! ```text
//!   a.csv  b.parquet  c.csv      both formats get one schema: columns by name, types united
//!   │0│1│  │0│1│2│    │2│        partitions of either stay as they are, numbered in the order
//!    0 1    2 3 4      5         of the files
//! ```
//!
//! Each format's dataset is *declared* to have the common schema: it hands out nulls for columns
//! that it lacks, and reads the others in the common types. So a request (columns, filter, bounds
//! for pruning) goes through to it unchanged, and all that is left to do here is to count
//! partitions. When a CSV column turns out wider than sampled, the Parquet side follows.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::json;

use super::csv::CsvDataset;
use super::options::parse_type;
use super::parquet::ParquetDataset;
use super::{Dataset, Format, ScanRequest, Union};
use crate::error::{Error, Result};
use crate::kernel::{Batch, Width, types};
use crate::observe::Warning;
use crate::pipeline::{RunContext, Source, TaskContext};

/// Files of both formats as one table.
pub struct UnionDataset {
    csv: Arc<CsvDataset>,
    parquet: Arc<ParquetDataset>,
    /// The format of each file, in their common order; each dataset has its own files in that order.
    order: Vec<Format>,
    runs: Vec<Run>,
    warnings: Vec<Warning>,
}

/// Neighbouring partitions of one format.
#[derive(Debug, Clone, Copy)]
struct Run {
    format: Format,
    /// Partitions of the union before it.
    before: usize,
    /// The number of its first partition within its dataset.
    first: usize,
}

impl UnionDataset {
    /// Unites the two; `order` has the format of each file, `how` and `filename_col` are the
    /// user's.
    ///
    /// # Errors
    /// Types that nothing unites, and with [`Union::Strict`] columns that one side lacks.
    pub fn new(
        csv: &CsvDataset,
        parquet: &ParquetDataset,
        order: Vec<Format>,
        how: Union,
        filename_col: Option<&str>,
    ) -> Result<UnionDataset> {
        let csv_first = order.first() != Some(&Format::Parquet);
        let (a, b) = match csv_first {
            true => (csv.schema(), parquet.schema()),
            false => (parquet.schema(), csv.schema()),
        };
        let mut warnings = Vec::new();
        for (schema, other, files) in [
            (csv.schema(), parquet.schema(), "the CSV files"),
            (parquet.schema(), csv.schema(), "the Parquet files"),
        ] {
            for field in other.fields() {
                if schema.index_of(field.name()).is_ok() {
                    continue;
                }
                let text = format!("column '{}' is not in {files}", field.name());
                if how == Union::Strict {
                    return Err(Error::input(text).help("use --union by-name to take it as null there"));
                }
                warnings.push(Warning {
                    key: text.clone(),
                    text: text + ", where it is null",
                });
            }
        }
        let schema = Arc::new(unite(a, b, filename_col)?);
        let mut union = Self::assemble(
            Arc::new(csv.declared(schema.clone())),
            Arc::new(parquet.declared(schema)?),
            order,
        );
        union.warnings = warnings;
        Ok(union)
    }

    fn assemble(csv: Arc<CsvDataset>, parquet: Arc<ParquetDataset>, order: Vec<Format>) -> Self {
        let mut csv_files = csv.parts_of_files().into_iter();
        let mut parquet_files = parquet.parts_of_files().into_iter();
        let mut runs: Vec<Run> = Vec::new();
        let (mut before, mut csv_parts, mut parquet_parts) = (0, 0, 0);
        for &format in &order {
            let (files, first): (&mut dyn Iterator<Item = usize>, _) = match format {
                Format::Csv => (&mut csv_files, &mut csv_parts),
                Format::Parquet => (&mut parquet_files, &mut parquet_parts),
            };
            let parts = files.next().unwrap_or(0);
            if parts == 0 {
                continue;
            }
            if runs.last().is_none_or(|r| r.format != format) {
                runs.push(Run {
                    format,
                    before,
                    first: *first,
                });
            }
            before += parts;
            *first += parts;
        }
        UnionDataset {
            csv,
            parquet,
            order,
            runs,
            warnings: Vec::new(),
        }
    }

    /// The format of a partition and its number within that format's dataset.
    fn locate(&self, part: usize) -> Option<(Format, usize)> {
        let run = self.runs.partition_point(|r| r.before <= part).checked_sub(1)?;
        let run = self.runs.get(run)?;
        Some((run.format, part - run.before + run.first))
    }

    /// Opens what [`Dataset::to_json`] described.
    ///
    /// # Errors
    /// It is no such description, or a file has changed.
    pub fn from_json(value: &serde_json::Value) -> Result<UnionDataset> {
        let part = |key: &str| value.get(key).cloned().unwrap_or_default();
        let order = serde_json::from_value(part("order"))
            .map_err(|e| Error::input(format!("a dataset's description is wrong: {e}")))?;
        Ok(Self::assemble(
            CsvDataset::from_json(&part("csv"))?,
            Arc::new(ParquetDataset::from_json(&part("parquet"))?),
            order,
        ))
    }
}

/// The columns of both, those of `a` first, the column of file names last.
fn unite(a: &Schema, b: &Schema, filename_col: Option<&str>) -> Result<Schema> {
    let mut fields: Vec<Field> = Vec::new();
    for field in a.fields().iter().chain(b.fields()) {
        match fields.iter_mut().find(|f| f.name() == field.name()) {
            None => fields.push(field.as_ref().clone()),
            Some(f) if f.data_type() == field.data_type() => {
                if Width::of_field(f) != Width::of_field(field) {
                    *f = Width::noted(None, f.clone());
                }
            }
            Some(f) => {
                let nested = [f.data_type(), field.data_type()]
                    .into_iter()
                    .find(|t| !is_plain(t));
                if let Some(ty) = nested {
                    return Err(Error::input(format!(
                        "column '{}' is {} in the Parquet files, which no CSV file can hold",
                        field.name(),
                        types::name(ty)
                    ))
                    .help("leave the CSV files out, or ask them in a query of their own"));
                }
                let ty = types::unite(f.data_type(), field.data_type());
                *f = Width::noted(None, f.clone().with_data_type(ty));
            }
        }
    }
    if let Some(at) = fields
        .iter()
        .position(|f| Some(f.name().as_str()) == filename_col)
    {
        let names = fields.remove(at);
        fields.push(names);
    }
    Ok(Schema::new(fields))
}

/// Whether a field of CSV can be read as it.
fn is_plain(ty: &DataType) -> bool {
    parse_type(&types::name(ty)).is_ok()
}

/// A source whose rows are placed among those of all files.
struct Placed {
    inner: Box<dyn Source>,
    part: u64,
}

impl Source for Placed {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        let batch = self.inner.next(cx)?;
        Ok(batch.map(|mut b| {
            b.position = (self.part << 40) | (b.position & ((1 << 40) - 1));
            b
        }))
    }
}

impl Dataset for UnionDataset {
    fn schema(&self) -> &SchemaRef {
        self.csv.schema()
    }
    fn partitions(&self) -> usize {
        self.csv.partitions() + self.parquet.partitions()
    }
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        let inner = match self.locate(part) {
            Some((Format::Csv, p)) => self.csv.clone().open(p, request)?,
            Some((Format::Parquet, p)) => self.parquet.clone().open(p, request)?,
            None => return Err(Error::defect(format!("there is no partition {part}"))),
        };
        Ok(Box::new(Placed {
            inner,
            part: part as u64,
        }))
    }
    fn bytes(&self) -> u64 {
        self.csv.bytes() + self.parquet.bytes()
    }
    fn may_widen(&self, columns: &[usize]) -> bool {
        self.csv.may_widen(columns)
    }
    fn describe(&self, part: usize) -> String {
        match self.locate(part) {
            Some((Format::Csv, p)) => self.csv.describe(p),
            Some((Format::Parquet, p)) => self.parquet.describe(p),
            None => format!("partition {part}"),
        }
    }
    fn doubt(&self) {
        self.csv.doubt();
    }
    fn refine(self: Arc<Self>, columns: &[usize], run: &RunContext) -> Result<Arc<dyn Dataset>> {
        // A type only ever grows to one that holds the declared one's values too, so that what the
        // CSV side found is the type of both.
        let csv = self.csv.refined(columns, run)?;
        let parquet = match csv.schema() == self.parquet.schema() {
            true => self.parquet.clone(),
            false => Arc::new(self.parquet.declared(csv.schema().clone())?),
        };
        Ok(Arc::new(UnionDataset {
            csv,
            parquet,
            order: self.order.clone(),
            runs: self.runs.clone(),
            warnings: self.warnings.clone(),
        }))
    }
    fn set_aside(&self, run: &RunContext) -> Result<Option<PathBuf>> {
        self.csv.set_aside(run)
    }
    fn block_bytes(&self, columns: &[usize]) -> u64 {
        let csv = Dataset::block_bytes(&*self.csv, columns);
        csv.max(self.parquet.block_bytes(columns))
    }
    fn guesses_hold(&self) -> Result<bool> {
        self.csv.guesses_hold()
    }
    fn retries(&self) -> u64 {
        // both count in the same place
        self.csv.retries().max(self.parquet.retries())
    }
    fn warnings(&self) -> Vec<Warning> {
        let mut all = self.warnings.clone();
        all.extend(Dataset::warnings(&*self.csv));
        all.extend(self.parquet.warnings());
        all
    }
    fn to_json(&self) -> serde_json::Value {
        json!({
            "format": "union",
            "order": self.order,
            "csv": self.csv.to_json(),
            "parquet": self.parquet.to_json(),
        })
    }
}
