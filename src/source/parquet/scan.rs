//! The source of one task: the row groups of a partition, filtered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::{concat, prep_null_mask_filter};
use parquet::arrow::arrow_reader::RowSelection;

use super::flat::FlatGroup;
use super::footer::{FileFooter, FileReader};
use super::index::{self, Rows};
use super::layout::ColumnFrom;
use super::reader::GroupReader;
use super::{ParquetDataset, prune};
use crate::error::Result;
use crate::kernel::Batch;
use crate::observe::Progress;
use crate::pipeline::{Source, TaskContext};
use crate::source::{RowFilter, ScanRequest};

/// Rows of a decoded batch.
pub(super) const BATCH_ROWS: usize = Batch::TARGET_ROWS;

/// A filter that keeps more than one row in this many is not worth two passes.
const SELECTIVE: usize = 8;
/// Rows after which a filter is judged.
const PROBE_ROWS: usize = 64 << 10;

/// How selective filters have been, over all tasks of a dataset. Only speed hangs on it.
#[derive(Debug, Default)]
pub(super) struct Habits {
    asked: AtomicU64,
    unselective: AtomicU64,
}

impl Habits {
    /// Whether to try two passes: always at first, seldom once that was in vain.
    fn probe(&self) -> bool {
        let n = self.asked.fetch_add(1, Relaxed);
        self.unselective.load(Relaxed) < 2 || n.is_multiple_of(32)
    }
}

/// Reads one partition.
pub(super) struct Scan {
    dataset: Arc<ParquetDataset>,
    part: usize,
    request: ScanRequest,
    /// The columns to decode: those of the filter, then the others.
    decoded: Vec<usize>,
    filters: usize,
    /// Where the requested columns are among `decoded`.
    output_at: Vec<usize>,
    file: Option<FileReader>,
    group: usize,
    reader: Option<Reading>,
    /// Rows before the current row group.
    group_row: u64,
    /// Rows of the current row group that were handed out, or decoded.
    row: u64,
    rows_out: u64,
}

/// How the current row group is read.
enum Reading {
    /// Window by window: the filter's columns, then, unless no row passes, the others. Only of
    /// the rows that the page index left possible.
    Flat(FlatGroup, Rows),
    /// By the general reader: all columns together, then the mask.
    Together(GroupReader),
    /// By the general reader: the mask first; `others` decodes only the rows that passed.
    Late {
        /// The filter's columns of the rows that passed.
        kept: Vec<ArrayRef>,
        others: GroupReader,
    },
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
        let output_at = request.columns.iter().map(at).collect();
        Scan {
            group: dataset.parts[part].groups.start,
            dataset,
            part,
            request: request.clone(),
            filters: filter.len(),
            decoded,
            output_at,
            file: None,
            reader: None,
            group_row: 0,
            row: 0,
            rows_out: 0,
        }
    }

    /// Moves to the next row group that may hold rows; false at the end.
    fn advance(&mut self, cx: &TaskContext) -> Result<bool> {
        let dataset = self.dataset.clone();
        let part = &dataset.parts[self.part];
        let filter = self.request.filter.clone();
        let bounds = filter.as_ref().map_or(&[][..], |f| f.bounds());
        while self.reader.is_none() {
            if self.group >= part.groups.end {
                return Ok(false);
            }
            if !prune::group_is_empty(&dataset, part.file, self.group, bounds) {
                self.reader = self.open_group(cx)?;
            }
            if self.reader.is_none() {
                self.leave_group();
            }
        }
        Ok(true)
    }

    fn leave_group(&mut self) {
        let part = &self.dataset.parts[self.part];
        self.group_row += self.dataset.files[part.file].rows(self.group);
        self.group += 1;
        self.row = 0;
        self.reader = None;
    }

    /// A reader of the current row group; `None` where the filter keeps nothing of it.
    fn open_group(&mut self, cx: &TaskContext) -> Result<Option<Reading>> {
        let dataset = self.dataset.clone();
        let part = &dataset.parts[self.part];
        let file = match &self.file {
            Some(f) => f.clone(),
            None => FileReader::open(&dataset.files[part.file].path)?,
        };
        self.file = Some(file.clone());
        let at = (part.file, self.group);
        if let Some(flat) = FlatGroup::open(&dataset, &file, at, &self.decoded)? {
            let bounds = self.request.filter.as_ref().map_or(&[][..], |f| f.bounds());
            let mut wanted = index::wanted_rows(&dataset, &file, at, bounds);
            wanted.reverse(); // the next one last
            return Ok((!wanted.is_empty()).then_some(Reading::Flat(flat, wanted)));
        }
        let (first, others) = self.decoded.split_at(self.filters);
        let stored = others
            .iter()
            .any(|&c| matches!(dataset.column(part.file, c), ColumnFrom::File(_)));
        if let (Some(filter), true) = (&self.request.filter, stored && dataset.habits.probe()) {
            let mut probe = GroupReader::open(&dataset, &file, at, first, None)?;
            match select(&mut probe, filter.as_ref(), &dataset.files[part.file], cx)? {
                Selected::None => return Ok(None),
                Selected::Some(kept, selection) => {
                    let others = GroupReader::open(&dataset, &file, at, others, Some(selection))?;
                    return Ok(Some(Reading::Late { kept, others }));
                }
                Selected::Many => {
                    dataset.habits.unselective.fetch_add(1, Relaxed);
                }
            }
        }
        let all = GroupReader::open(&dataset, &file, at, &self.decoded, None)?;
        Ok(Some(Reading::Together(all)))
    }

    /// The next rows of the current row group; `None` at its end, and batches may be empty.
    fn next_of_group(&mut self) -> Result<Option<Batch>> {
        let dataset = self.dataset.clone();
        let footer = &dataset.files[dataset.parts[self.part].file];
        let position = (self.part as u64) << 40 | (self.group_row + self.row);
        let (batch, filter) = match &mut self.reader {
            None => return Ok(None),
            Some(Reading::Flat(..)) => return self.next_window(),
            Some(Reading::Together(reader)) => {
                let Some((columns, rows)) = reader.next(footer)? else {
                    return Ok(None);
                };
                (Batch::new(columns, rows, position), self.request.filter.clone())
            }
            Some(Reading::Late { kept, others }) => {
                let Some((columns, rows)) = others.next(footer)? else {
                    return Ok(None);
                };
                let kept = kept.iter().map(|c| c.slice(self.row as usize, rows));
                (Batch::new(kept.chain(columns).collect(), rows, position), None)
            }
        };
        self.row += batch.rows as u64;
        let output = batch.select(&self.output_at);
        let Some(filter) = filter else {
            return Ok(Some(output));
        };
        let mut filtered = Batch::new(batch.columns, batch.rows, position);
        filtered.columns.truncate(self.filters);
        let mask = filter.mask(&filtered)?;
        match mask.true_count() == batch.rows {
            true => Ok(Some(output)),
            false => output.filter(&mask).map(Some),
        }
    }

    /// The next window of rows of a flat group.
    fn next_window(&mut self) -> Result<Option<Batch>> {
        let dataset = self.dataset.clone();
        let footer = &dataset.files[dataset.parts[self.part].file];
        let Some(Reading::Flat(group, wanted)) = &mut self.reader else {
            return Ok(None);
        };
        let Some(range) = wanted.last().cloned() else {
            return Ok(None);
        };
        if range.start > self.row {
            group.skip(0..self.decoded.len(), (range.start - self.row) as usize);
            self.row = range.start;
        }
        let position = (self.part as u64) << 40 | (self.group_row + self.row);
        let rows = (range.end - self.row).min(BATCH_ROWS as u64) as usize;
        self.row += rows as u64;
        if self.row == range.end {
            wanted.pop();
        }
        let (all, others) = (self.decoded.len(), self.filters..self.decoded.len());
        let Some(filter) = &self.request.filter else {
            let batch = Batch::new(group.read(footer, 0..all, rows)?, rows, position);
            return Ok(Some(batch.select(&self.output_at)));
        };
        let mut batch = Batch::new(group.read(footer, 0..self.filters, rows)?, rows, position);
        let mask = filter.mask(&batch)?;
        let mask = match mask.null_count() {
            0 => mask,
            _ => prep_null_mask_filter(&mask),
        };
        let passes = |row: &usize| mask.value(*row);
        let (Some(first), Some(last)) = ((0..rows).find(passes), (0..rows).rfind(passes)) else {
            group.skip(others, rows);
            return Ok(Some(Batch::new(Vec::new(), 0, position)));
        };
        let span = last + 1 - first;
        group.skip(others.clone(), first);
        batch = batch.slice(first, span);
        batch.columns.extend(group.read(footer, others.clone(), span)?);
        group.skip(others, rows - last - 1);
        let (mask, output) = (mask.slice(first, span), batch.select(&self.output_at));
        match mask.true_count() == span {
            true => Ok(Some(output)),
            false => output.filter(&mask).map(Some),
        }
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
}

enum Selected {
    /// No row passes.
    None,
    /// Few rows pass: the filter's columns of them, and which they are.
    Some(Vec<ArrayRef>, RowSelection),
    /// Too many rows pass for two passes to pay.
    Many,
}

/// Decodes only the filter's columns, and judges after some rows.
fn select(
    reader: &mut GroupReader,
    filter: &dyn RowFilter,
    footer: &FileFooter,
    cx: &TaskContext,
) -> Result<Selected> {
    let mut masks: Vec<BooleanArray> = Vec::new();
    let mut kept: Vec<Batch> = Vec::new();
    let (mut rows, mut passed) = (0, 0);
    while let Some((columns, n)) = reader.next(footer)? {
        cx.check()?;
        let batch = Batch::new(columns, n, 0);
        let mask = filter.mask(&batch)?;
        let mask = match mask.null_count() {
            0 => mask,
            _ => prep_null_mask_filter(&mask),
        };
        let count = mask.true_count();
        rows += n;
        passed += count;
        if rows >= PROBE_ROWS && passed > rows / SELECTIVE {
            return Ok(Selected::Many);
        }
        if count > 0 {
            kept.push(batch.filter(&mask)?);
        }
        masks.push(mask);
    }
    if passed > rows / SELECTIVE {
        return Ok(Selected::Many);
    }
    let Some(first) = kept.first() else {
        return Ok(Selected::None);
    };
    let columns = (0..first.columns.len()).map(|i| {
        let parts: Vec<&dyn Array> = kept.iter().map(|b| b.columns[i].as_ref()).collect();
        concat(&parts)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(Selected::Some(columns, RowSelection::from_filters(&masks)))
}

impl Source for Scan {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            cx.check()?;
            let full = self.request.limit.is_some_and(|l| self.rows_out >= l);
            if full || !self.advance(cx)? {
                self.count(cx, 0);
                self.done();
                return Ok(None);
            }
            let Some(mut batch) = self.next_of_group()? else {
                self.leave_group();
                continue;
            };
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
