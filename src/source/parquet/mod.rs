//! Parquet files as a table: footers read once, row groups as partitions, only the columns and
//! rows that a query needs.
//!
//! ```text
//!   files ─ footers (parallel, checked) ─► schema united by name ─► partitions = row groups
//!
//!   open(part):  row group ─ statistics, Bloom filters ─► skip it, or
//!                          ─ page index ─► ranges of rows ─► windows of 8192 rows:
//!                               filter columns ─► mask ─► (a row passes?) the other columns
//! ```
//!
//! - `footer` reads and checks metadata (`mend` and `writer` know what some writers get wrong), `layout` unites files to one schema,
//!   `meaning` says what bytes of fixed length are,
//!   `hive` takes columns from folder names, `convert` turns what a file holds into the logical
//!   types, `prune` proves row groups empty, `index` pages, `flat` decodes common columns and
//!   `reader` the others, `scan` is the source of a task.
//! - Text that a file keeps as a dictionary stays one (`Dictionary<Int32, Utf8View>`), and batches
//!   of one row group share it.
//! - Nothing that a file says is trusted: sizes are checked against the file's length, and a panic
//!   inside a decoder becomes an error that names file and row group.
//! - A file is open only while a task reads it.

mod checked;
mod convert;
mod file;
mod flat;
mod footer;
mod guard;
mod held;
mod index;
mod layout;
mod meaning;
mod mend;
mod prune;
mod reader;
mod scan;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use self::footer::FileFooter;
use self::layout::{ColumnFrom, Layout};
use super::{Dataset, ScanRequest};
use crate::error::{Error, Result};
use crate::kernel::Scalar;
use crate::memory::Retries;
use crate::observe::Warning;
use crate::pipeline::{RunContext, Source};

/// How files become one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParquetOptions {
    /// Files must agree in their columns (`--union strict`).
    pub strict: bool,
    /// Folders like `Year=2024/` are columns.
    pub hive: bool,
    /// A column of this name holds the file each row came from.
    pub filename_column: Option<String>,
    /// Threads that read footers.
    pub threads: usize,
    /// How often a read that failed for a moment is tried again.
    pub retries: Retries,
    /// Types that are law: (column, type).
    pub types: Vec<(String, String)>,
    /// Columns of bytes that nothing is said about are text.
    pub binary_as_text: bool,
    /// The table's columns, where these files are only a part of it; they hold what the files do.
    pub declared: Option<SchemaRef>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        ParquetOptions {
            strict: false,
            hive: true,
            filename_column: None,
            threads: 4,
            retries: Retries::default(),
            types: Vec::new(),
            binary_as_text: false,
            declared: None,
        }
    }
}

/// Row groups with fewer rows than this are read together with their neighbours.
const SMALL_ROWS: u64 = 128 << 10;

/// Parquet files as one table.
pub struct ParquetDataset {
    files: Arc<Vec<FileFooter>>,
    layout: Layout,
    parts: Vec<Part>,
    options: ParquetOptions,
    /// Whether filters have proved selective so far; steers how, never what is read.
    habits: scan::Habits,
}

/// Neighbouring row groups of one file.
#[derive(Debug, Clone)]
struct Part {
    file: usize,
    groups: std::ops::Range<usize>,
    rows: u64,
}

impl ParquetDataset {
    /// Reads the footers of `paths`, which keep their order.
    ///
    /// # Errors
    /// A file cannot be opened, is not Parquet, or is damaged; with `strict`, files disagree.
    pub fn open(paths: &[PathBuf], options: &ParquetOptions) -> Result<ParquetDataset> {
        if paths.is_empty() {
            return Err(Error::input("no Parquet files"));
        }
        Self::of_files(Arc::new(footer::read_all(paths, options)?), options)
    }

    /// The same files as part of a larger table: columns that they lack are null, the others are
    /// handed out in the types of `schema`.
    ///
    /// # Errors
    /// None that opening them did not have.
    pub(in crate::source) fn declared(&self, schema: SchemaRef) -> Result<ParquetDataset> {
        let options = ParquetOptions {
            declared: Some(schema),
            ..self.options.clone()
        };
        Self::of_files(self.files.clone(), &options)
    }

    /// The number of partitions of each file.
    pub(in crate::source) fn parts_of_files(&self) -> Vec<usize> {
        let mut counts = vec![0; self.files.len()];
        self.parts.iter().for_each(|p| counts[p.file] += 1);
        counts
    }

    fn of_files(files: Arc<Vec<FileFooter>>, options: &ParquetOptions) -> Result<ParquetDataset> {
        let layout = layout::unite_files(&files, options)?;
        let parts = partitions(&files);
        Ok(ParquetDataset {
            files,
            layout,
            parts,
            options: options.clone(),
            habits: scan::Habits::default(),
        })
    }

    /// Opens what [`Dataset::to_json`] described.
    ///
    /// # Errors
    /// As for [`ParquetDataset::open`], or the text is not such a description.
    pub fn from_json(value: &serde_json::Value) -> Result<ParquetDataset> {
        let wrong = |e: serde_json::Error| Error::defect(format!("not a Parquet dataset: {e}"));
        let plain: Plain = serde_json::from_value(value.clone()).map_err(wrong)?;
        Self::open(&plain.files, &plain.options)
    }

    /// Facts for the user: columns that are missing in some files.
    pub fn notes(&self) -> &[String] {
        &self.layout.notes
    }

    fn column(&self, file: usize, column: usize) -> &ColumnFrom {
        &self.layout.files[file][column]
    }
}

/// A dataset as plain data.
#[derive(Serialize, Deserialize)]
struct Plain {
    format: String,
    files: Vec<PathBuf>,
    options: ParquetOptions,
}

fn partitions(files: &[FileFooter]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (file, footer) in files.iter().enumerate() {
        let first = parts.len();
        for group in 0..footer.metadata.num_row_groups() {
            let rows = footer.rows(group);
            match parts[first..].last_mut() {
                Some(last) if last.rows + rows <= SMALL_ROWS => {
                    last.groups.end = group + 1;
                    last.rows += rows;
                }
                _ => parts.push(Part {
                    file,
                    groups: group..group + 1,
                    rows,
                }),
            }
        }
    }
    parts
}

impl Dataset for ParquetDataset {
    fn schema(&self) -> &SchemaRef {
        &self.layout.schema
    }
    fn partitions(&self) -> usize {
        self.parts.len()
    }
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        if part >= self.parts.len() {
            return Err(Error::defect(format!("partition {part} of {}", self.parts.len())));
        }
        Ok(Box::new(scan::Scan::new(self, part, request)))
    }
    fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }
    fn exact_rows(&self) -> Option<u64> {
        Some(self.parts.iter().map(|p| p.rows).sum())
    }
    fn range(&self, column: usize) -> Option<(Scalar, Scalar)> {
        prune::range_of_all(self, column)
    }
    fn takes_keys(&self) -> bool {
        true
    }
    fn block_bytes(&self, columns: &[usize]) -> u64 {
        let group = |file: usize, group: usize| {
            let footer = &self.files[file];
            let stored = |c: &usize| match self.column(file, *c) {
                ColumnFrom::File(root) => {
                    let leaves = footer.leaves[*root].clone();
                    let of = |leaf| {
                        footer
                            .metadata
                            .row_group(group)
                            .column(leaf)
                            .compressed_size()
                            .max(0) as u64
                    };
                    leaves.map(of).sum()
                }
                ColumnFrom::Constant(_) => 0u64,
            };
            columns.iter().map(stored).sum::<u64>()
        };
        let of_file = |file: usize| {
            let groups = self.files[file].metadata.num_row_groups();
            (0..groups).map(|g| group(file, g)).max().unwrap_or(0)
        };
        (0..self.files.len()).map(of_file).max().unwrap_or(0)
    }
    fn describe(&self, part: usize) -> String {
        match self.parts.get(part) {
            Some(p) => {
                let file = self.files[p.file].path.display();
                match p.groups.len() {
                    1 => format!("{file}, row group {}", p.groups.start),
                    _ => format!("{file}, row groups {} to {}", p.groups.start, p.groups.end - 1),
                }
            }
            None => format!("partition {part}"),
        }
    }
    fn refine(self: Arc<Self>, _columns: &[usize], _run: &RunContext) -> Result<Arc<dyn Dataset>> {
        Ok(self) // the files say what their types are
    }
    fn warnings(&self) -> Vec<Warning> {
        self.notes()
            .iter()
            .map(|n| Warning {
                key: n.clone(),
                text: n.clone(),
            })
            .chain(self.options.retries.warning())
            .collect()
    }
    fn retries(&self) -> u64 {
        self.options.retries.made()
    }
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "format": "parquet",
            "files": self.files.iter().map(|f| &f.path).collect::<Vec<_>>(),
            "options": self.options,
        })
    }
}
