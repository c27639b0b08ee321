//! The source of one task: the row groups of a partition, filtered.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::footer::FileReader;
use super::reader::GroupReader;
use super::{ParquetDataset, prune};
use crate::error::Result;
use crate::kernel::Batch;
use crate::observe::Progress;
use crate::pipeline::{Source, TaskContext};
use crate::source::ScanRequest;

/// Rows of a decoded batch.
pub(super) const BATCH_ROWS: usize = Batch::TARGET_ROWS;

/// How selective filters have been, over all tasks of a dataset. Only speed hangs on it.
#[derive(Debug, Default)]
pub(super) struct Habits {
    #[allow(dead_code)]
    pub seen: AtomicU64,
}

/// Reads one partition.
pub(super) struct Scan {
    dataset: Arc<ParquetDataset>,
    part: usize,
    request: ScanRequest,
    /// The columns to decode: those of the filter, then the others.
    decoded: Vec<usize>,
    /// Where the filter's and the requested columns are among `decoded`.
    filter_at: Vec<usize>,
    output_at: Vec<usize>,
    file: Option<FileReader>,
    group: usize,
    reader: Option<GroupReader>,
    row: u64,
    rows_out: u64,
}

impl Scan {
    pub(super) fn new(dataset: Arc<ParquetDataset>, part: usize, request: &ScanRequest) -> Scan {
        let filter: &[usize] = request.filter.as_ref().map_or(&[], |f| f.columns());
        let mut decoded: Vec<usize> = filter.to_vec();
        for &c in &request.columns {
            if !decoded.contains(&c) {
                decoded.push(c);
            }
        }
        let at = |c: &usize| decoded.iter().position(|d| d == c).unwrap_or(0);
        let (filter_at, output_at) = (
            filter.iter().map(at).collect(),
            request.columns.iter().map(at).collect(),
        );
        Scan {
            group: dataset.parts[part].groups.start,
            dataset,
            part,
            request: request.clone(),
            decoded,
            filter_at,
            output_at,
            file: None,
            reader: None,
            row: 0,
            rows_out: 0,
        }
    }

    /// The reader of the current row group, after those that need not be read.
    fn reader(&mut self) -> Result<Option<&mut GroupReader>> {
        if self.reader.is_none() {
            let part = &self.dataset.parts[self.part];
            let bounds = self.request.filter.as_ref().map_or(&[][..], |f| f.bounds());
            while self.group < part.groups.end {
                if !prune::group_is_empty(&self.dataset, part.file, self.group, bounds) {
                    break;
                }
                self.row += self.dataset.files[part.file].rows(self.group);
                self.group += 1;
            }
            if self.group >= part.groups.end {
                return Ok(None);
            }
            let file = match &self.file {
                Some(f) => f.clone(),
                None => FileReader::open(&self.dataset.files[part.file].path)?,
            };
            let at = (part.file, self.group);
            self.reader = Some(GroupReader::open(&self.dataset, &file, at, &self.decoded, None)?);
            self.file = Some(file);
        }
        Ok(self.reader.as_mut())
    }

    fn done(&mut self) {
        (self.reader, self.file) = (None, None);
        self.group = self.dataset.parts[self.part].groups.end;
    }

    fn count(&self, cx: &TaskContext, rows: usize) {
        let progress = &cx.run.progress;
        if let Some(file) = &self.file {
            Progress::add(&progress.bytes_read, file.take_bytes_read());
        }
        Progress::add(&progress.rows_read, rows as u64);
    }

    fn filtered(&self, batch: Batch) -> Result<Batch> {
        let Some(filter) = &self.request.filter else {
            return Ok(batch.select(&self.output_at));
        };
        let mask = filter.mask(&batch.select(&self.filter_at))?;
        let output = batch.select(&self.output_at);
        match mask.true_count() == batch.rows {
            true => Ok(output),
            false => output.filter(&mask),
        }
    }
}

impl Source for Scan {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            cx.check()?;
            if self.request.limit.is_some_and(|l| self.rows_out >= l) {
                self.done();
                return Ok(None);
            }
            let dataset = self.dataset.clone();
            let footer = &dataset.files[dataset.parts[self.part].file];
            let Some(reader) = self.reader()? else {
                self.done();
                return Ok(None);
            };
            let Some((columns, rows)) = reader.next(footer)? else {
                self.reader = None;
                self.group += 1;
                continue;
            };
            let batch = Batch::new(columns, rows, (self.part as u64) << 40 | self.row);
            self.row += rows as u64;
            let mut batch = self.filtered(batch)?;
            if let Some(limit) = self.request.limit {
                let left = (limit - self.rows_out).min(batch.rows as u64) as usize;
                batch = batch.slice(0, left);
            }
            self.count(cx, batch.rows);
            if batch.rows > 0 {
                self.rows_out += batch.rows as u64;
                return Ok(Some(batch));
            }
        }
    }
}
