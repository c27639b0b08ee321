//! Where rows come from: folders of CSV and Parquet become one table in partitions.
//!
//! ```text
//!  'data/**/*.csv' ─ glob ─► files ─ sniff, footers ─► one schema, united by name ─► Dataset
//!                                                                                     │ open(part, request)
//!                         byte ranges of CSV, row groups of Parquet  ◄── partitions ──┘──► Source ──► batches
//! ```
//!
//! A [`Dataset`] is immutable and shared by all tasks. A [`ScanRequest`] says what of it a query
//! needs; the source hands out just those columns, of just the rows that pass its filter.

pub mod csv;
mod filter;
mod foreign;
pub mod glob;
mod hive;
mod key_mask;
mod memory;
mod open;
pub mod options;
pub mod parquet;
mod partition;
mod paths;
pub mod sample;
mod series;
mod stdin;
mod union;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::BooleanArray;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::kernel::{Batch, Scalar};
use crate::observe::Warning;
use crate::pipeline::RunContext;
use crate::pipeline::Source;

pub use crate::expr::CompareOp as Compare;
pub use crate::memory::{Live, Retries, Stop};
pub use filter::{ColumnKeys, ExprFilter, Test};
pub use key_mask::KnownCodes;
pub use memory::MemoryDataset;
pub use open::{from_json, open};
pub use options::{ALL_COLUMNS, Format, OnBadRow, ReadOptions, TypesOf, Union};
pub use partition::OnePartition;
pub use sample::{Sample, Values};
pub use series::SeriesDataset;
pub use stdin::stdin_has_statements;
pub use union::UnionDataset;

/// What stands before the name of a column whose fields are read as they are written.
const WRITTEN: &str = "\u{1}written ";

/// The name of the column that has the fields of `column` as they are written.
pub fn as_written(column: &str) -> String {
    format!("{WRITTEN}{column}")
}

/// The name of the column of the file.
fn of_file(column: &str) -> &str {
    column.strip_prefix(WRITTEN).unwrap_or(column)
}

/// One conjunct of a filter, `column op value`: where statistics prove it false for all rows of a
/// row group or page, those need not be read.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Index in the dataset's schema.
    pub column: usize,
    /// The comparison.
    pub op: Compare,
    /// The other side.
    pub value: Scalar,
}

/// `column IN (values)`, of the column's type.
#[derive(Debug, Clone)]
pub struct AnyOf {
    /// Index in the dataset's schema.
    pub column: usize,
    /// The values.
    pub values: Vec<Scalar>,
}

/// A filter that a source applies while it scans.
pub trait RowFilter: Send + Sync {
    /// The columns it looks at: indices in the dataset's schema, ascending.
    fn columns(&self) -> &[usize];
    /// The rows to keep, given a batch of just [`RowFilter::columns`].
    fn mask(&self, batch: &Batch) -> Result<BooleanArray>;
    /// Conjuncts that are implied by the filter, for pruning.
    fn bounds(&self) -> &[Bound];
    /// Lists of which the filter implies that a column has one of the values, for pruning.
    fn lists(&self) -> &[AnyOf] {
        &[]
    }
    /// The same filter in parts, for sources that decode column by column: what passes all of them
    /// passes the filter. Empty where it is one whole.
    fn tests(&self) -> &[Test] {
        &[]
    }
}

/// What a query needs of a dataset.
#[derive(Clone, Default)]
pub struct ScanRequest {
    /// The columns to hand out, in this order: indices in the dataset's schema.
    pub columns: Vec<usize>,
    /// Rows to keep.
    pub filter: Option<Arc<dyn RowFilter>>,
    /// At most this many rows are needed of each partition.
    pub limit: Option<u64>,
    /// Nobody reads the partitions before this one to their ends, so that nothing may be left for them to check.
    pub alone: bool,
    /// Which tasks need not go on, so that they do not wait for an input that is yet to come.
    pub stop: Arc<Stop>,
}

/// One table made of files, in partitions; immutable, shared by all tasks.
pub trait Dataset: Send + Sync {
    /// Names and logical types of all columns, united over the files.
    fn schema(&self) -> &SchemaRef;
    /// The number of partitions.
    fn partitions(&self) -> usize;
    /// Opens one partition.
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> Result<Box<dyn Source>>;
    /// Bytes of the files.
    fn bytes(&self) -> u64;
    /// The exact number of rows, where metadata tell it without reading (Parquet).
    fn exact_rows(&self) -> Option<u64> {
        None
    }
    /// The input, where it can be read only once and is read as it comes: the number of partitions is not known then,
    /// and each can be opened once, behind those before it.
    fn live(&self) -> Option<&Arc<Live>> {
        None
    }
    /// The same table over a copy of its input, where that can be read only once; none where it needs no copy.
    /// Waits for all of it, until `cancelled`.
    ///
    /// # Errors
    /// No copy can be made, or not any more.
    fn kept(self: Arc<Self>, _cancelled: &Arc<AtomicBool>) -> Result<Option<Arc<dyn Dataset>>> {
        Ok(None)
    }
    /// Whether a partition, and whatever is behind it, turned out not to be there.
    fn ends_before(&self, _part: usize) -> bool {
        false
    }
    /// Whether all that came so far was read, and more may come.
    fn is_idle(&self) -> bool {
        false
    }
    /// Whether rows may be left out by the keys of a join without anyone seeing it: not where the values
    /// that are read decide the types.
    fn takes_keys(&self) -> bool {
        false
    }
    /// Whether a value of these columns may not fit, since their types were taken from a sample: then a scan
    /// ends with an error of kind `Replan`. What is read as text always fits.
    fn may_widen(&self, _columns: &[usize]) -> bool {
        false
    }
    /// The same table with further columns: the fields of those given as they are written in the file, as text,
    /// under the name that [`as_written`] gives them. None where these columns have no such text.
    fn with_written(self: Arc<Self>, _columns: &[usize]) -> Option<Arc<dyn Dataset>> {
        None
    }
    /// About how many rows there are; exact where metadata tell it.
    fn estimated_rows(&self) -> u64 {
        // a guess at what a value takes as text
        const VALUE_BYTES: u64 = 8;
        let fields = self.schema().fields().len().max(1) as u64;
        self.exact_rows().unwrap_or(self.bytes() / (fields * VALUE_BYTES))
    }
    /// The least and the greatest value of a column, where metadata tell them (Parquet).
    fn range(&self, _column: usize) -> Option<(Scalar, Scalar)> {
        None
    }
    /// Some rows of it, with these columns: for guesses.
    fn sample(&self, _columns: &[usize]) -> Option<Sample> {
        None
    }
    /// What the values of a column are like, as a sample has it.
    fn values(&self, _column: usize) -> Option<Values> {
        None
    }
    /// About the most bytes that a task holds of the partition that it reads, for these columns.
    fn block_bytes(&self, _columns: &[usize]) -> u64 {
        self.bytes() / self.partitions().max(1) as u64
    }
    /// What a partition is, for messages, profiles and graphs: `FILE, bytes a to b` (`b` excluded), `FILE,
    /// row group n`, or just the file where it is read as a whole.
    fn describe(&self, part: usize) -> String;
    /// Says that the types may not hold, though no value was seen that does not fit: what is asked for makes no
    /// sense with them. [`Dataset::refine`] then looks at all values.
    fn doubt(&self) {}
    /// After an error of kind `Replan`: the same files with types that hold all values of `columns`. Leaves a
    /// warning in `run` for each column that became wider.
    ///
    /// # Errors
    /// As reading does.
    fn refine(self: Arc<Self>, columns: &[usize], run: &RunContext) -> Result<Arc<dyn Dataset>>;
    /// Called when a run is over, before its result is shown: completes what the tasks put into
    /// [`RunContext::aside`] by what the partitions hold that they did not (wholly) read. The file
    /// that wants it, if there is one.
    ///
    /// # Errors
    /// As reading does.
    fn set_aside(&self, _run: &RunContext) -> Result<Option<PathBuf>> {
        Ok(None)
    }
    /// Called when a run ended with an error: whether everything holds that its tasks took for granted before it
    /// could be known. If not, the error may come of that, and the query must be run again.
    ///
    /// # Errors
    /// As reading does.
    fn guesses_hold(&self) -> Result<bool> {
        Ok(true)
    }
    /// Which line looks more like the header than what was taken for it, in words.
    fn better_header(&self) -> Option<String> {
        None
    }
    /// How often reads were tried again so far.
    fn retries(&self) -> u64 {
        0
    }
    /// The first value of a column that is not null and for which a test holds, and where it stands (`FILE:LINE`), for
    /// messages; none where nothing near the start of the input is such a value, or places have no names.
    ///
    /// # Errors
    /// As reading does.
    fn first_value(&self, _column: usize, _test: &dyn Fn(&str) -> bool) -> Result<Option<(String, String)>> {
        Ok(None)
    }
    /// Facts for the user that opening and reading the files brought up.
    fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
    /// The partition as plain data, from which another process can open the same.
    fn to_json(&self) -> serde_json::Value;
}
