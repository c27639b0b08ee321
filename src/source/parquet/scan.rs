//! The source of one task: the row groups of a partition, filtered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::{FilterBuilder, concat, prep_null_mask_filter};
use parquet::arrow::arrow_reader::RowSelection;

use super::file::FileReader;
use super::flat::FlatGroup;
use super::footer::FileFooter;
use super::held::{Held, Slot};
use super::index::{self, Rows};
use super::layout::ColumnFrom;
use super::reader::GroupReader;
use super::{ParquetDataset, prune};
use crate::error::Result;
use crate::kernel::Batch;
use crate::pipeline::{Source, TaskContext};
use crate::source::{KnownCodes, RowFilter, ScanRequest};

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
    /// The parts of the filter, each with its columns among `decoded`.
    tests: Vec<Part>,
    file: Option<FileReader>,
    /// The memory of the decoders, from the first row group on, and of a window of rows.
    held: Option<(Arc<Held>, Slot)>,
    /// Rows of a window.
    window_rows: usize,
    group: usize,
    reader: Option<Reading>,
    /// Rows before the current row group.
    group_row: u64,
    /// Rows of the current row group that were handed out, or decoded.
    row: u64,
    rows_out: u64,
    /// Rows that were looked at and not counted yet.
    looked: u64,
}

/// A part of a filter.
struct Part {
    columns: Vec<usize>,
    known: KnownCodes,
    /// Rows of the current row group that it saw, and those that passed: one that leaves out few is
    /// given up, where it may.
    seen: usize,
    passed: usize,
}

/// Rows after which a test that need not be made is judged,
const JUDGED_ROWS: usize = 16 << 10;
/// and given up if it leaves out fewer than one row in so many.
const WORTH: usize = 8;

/// About what a value takes that is decoded.
const VALUE_BYTES: usize = 16;
/// The part of a thread's memory that a window takes, and one of rows decoded by the general reader,
const WINDOW_SHARE: usize = 16;
const BATCH_SHARE: usize = 8;
/// which have at least so many rows, or bytes, whatever the memory, and at most.
const LEAST_ROWS: usize = 512;
const LEAST_BATCH_BYTES: usize = 1 << 20;
const BATCH_BYTES: usize = 32 << 20;

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
        let tests = request.filter.as_ref().map_or(&[][..], |f| f.tests());
        let tests = tests.iter().map(|t| Part {
            columns: t.columns().iter().map(at).collect(),
            known: KnownCodes::default(),
            seen: 0,
            passed: 0,
        });
        Scan {
            tests: tests.collect(),
            group: dataset.parts[part].groups.start,
            dataset,
            part,
            request: request.clone(),
            filters: filter.len(),
            decoded,
            output_at,
            file: None,
            held: None,
            window_rows: BATCH_ROWS,
            reader: None,
            group_row: 0,
            row: 0,
            rows_out: 0,
            looked: 0,
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
            let lists = filter.as_ref().map_or(&[][..], |f| f.lists());
            let group = (part.file, self.group);
            if !prune::group_is_empty(&dataset, group, bounds) && !prune::group_lacks(&dataset, group, lists)
            {
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
        for test in &mut self.tests {
            (test.seen, test.passed) = (0, 0);
        }
    }

    /// A reader of the current row group; `None` where the filter keeps nothing of it.
    fn open_group(&mut self, cx: &TaskContext) -> Result<Option<Reading>> {
        let dataset = self.dataset.clone();
        let part = &dataset.parts[self.part];
        let file = match &self.file {
            Some(f) => f.clone(),
            None => FileReader::open(&dataset.files[part.file].path, &dataset.options.retries)?,
        };
        self.file = Some(file.clone());
        let at = (part.file, self.group);
        let (held, most) = self.memory(cx);
        if let Some(flat) = FlatGroup::open(&dataset, &file, at, &self.decoded, &held)? {
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
            let mut probe = GroupReader::open(&dataset, &file, at, first, None, (&held, most))?;
            match select(&mut probe, filter.as_ref(), &dataset.files[part.file], cx)? {
                Selected::None(rows) => {
                    self.looked += rows as u64;
                    return Ok(None);
                }
                Selected::Some(kept, selection, rows) => {
                    self.looked += rows as u64;
                    let others =
                        GroupReader::open(&dataset, &file, at, others, Some(selection), (&held, most))?;
                    return Ok(Some(Reading::Late { kept, others }));
                }
                Selected::Many => {
                    dataset.habits.unselective.fetch_add(1, Relaxed);
                }
            }
        }
        let all = GroupReader::open(&dataset, &file, at, &self.decoded, None, (&held, most))?;
        Ok(Some(Reading::Together(all)))
    }

    /// What the decoders' memory is counted in, and about how much the rows may take that are decoded at a
    /// time: windows have fewer rows where many columns meet little memory.
    fn memory(&mut self, cx: &TaskContext) -> (Arc<Held>, usize) {
        let share = cx.run.budget.limit() / cx.run.threads.max(1);
        if self.held.is_none() {
            let held = Held::new(&cx.run.budget);
            let slot = held.slot();
            self.held = Some((held, slot));
            let row = VALUE_BYTES * self.decoded.len().max(1);
            self.window_rows = (share / WINDOW_SHARE / row).clamp(LEAST_ROWS, BATCH_ROWS);
        }
        let held = self.held.as_ref().map(|(held, _)| held.clone());
        let most = (share / BATCH_SHARE).clamp(LEAST_BATCH_BYTES, BATCH_BYTES);
        (held.unwrap_or_else(|| Held::new(&cx.run.budget)), most)
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
                self.looked += rows as u64;
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
        let rows = (range.end - self.row).min(self.window_rows as u64) as usize;
        if let Some((_, window)) = &self.held {
            window.hold_anyway(rows * VALUE_BYTES * self.decoded.len());
        }
        self.row += rows as u64;
        self.looked += rows as u64;
        if self.row == range.end {
            wanted.pop();
        }
        let all = self.decoded.len();
        let Some(filter) = &self.request.filter else {
            let batch = Batch::new(group.read(footer, 0..all, rows)?, rows, position);
            return Ok(Some(batch.select(&self.output_at)));
        };
        let mut window = Window {
            group,
            footer,
            rows,
            left: None,
            columns: vec![None; all],
            position,
        };
        let mut whole = [Part {
            columns: (0..self.filters).collect(),
            known: KnownCodes::default(),
            seen: 0,
            passed: 0,
        }];
        let tests = filter.tests();
        let parts = match tests.is_empty() {
            true => &mut whole[..],
            false => &mut self.tests[..],
        };
        for i in 0..parts.len() {
            let part = &parts[i];
            let optional = tests.get(i).is_some_and(|t| t.is_optional());
            if optional && part.seen >= JUDGED_ROWS && (part.seen - part.passed) * WORTH < part.seen {
                continue;
            }
            let batch = window.batch(&part.columns)?;
            let mask = match tests.get(i) {
                Some(test) => test.mask(&batch, &mut parts[i].known)?,
                None => filter.mask(&batch)?,
            };
            let later = parts[i + 1..].iter().flat_map(|p| &p.columns);
            let needed: Vec<usize> = later.chain(&self.output_at).copied().collect();
            let passed = window.keep(&mask, &needed)?;
            parts[i].seen += batch.rows;
            parts[i].passed += passed;
            if passed == 0 {
                break;
            }
        }
        window.finish(&self.output_at).map(Some)
    }

    fn done(&mut self) {
        (self.reader, self.file, self.held) = (None, None, None);
        self.group = self.dataset.parts[self.part].groups.end;
    }

    fn count(&mut self, cx: &TaskContext) {
        let progress = &cx.run.progress;
        if let Some(file) = &self.file {
            progress.add_read(file.take_bytes_read());
        }
        progress.add_rows(std::mem::take(&mut self.looked));
    }
}

/// Some thousand rows of a flat group while they are filtered: each column is decoded once, for the rows
/// that are left when it is first needed.
struct Window<'a> {
    group: &'a mut FlatGroup,
    footer: &'a FileFooter,
    rows: usize,
    /// The rows that are left, ascending; none while all are.
    left: Option<Vec<u32>>,
    /// The columns decoded so far, of the rows that are left (or nothing, where nobody needs them).
    columns: Vec<Option<ArrayRef>>,
    position: u64,
}

impl Window<'_> {
    fn rows_left(&self) -> usize {
        self.left.as_ref().map_or(self.rows, Vec::len)
    }

    /// These columns, of the rows that are left.
    fn batch(&mut self, columns: &[usize]) -> Result<Batch> {
        let mut arrays = Vec::with_capacity(columns.len());
        for &c in columns {
            arrays.push(match &self.columns[c] {
                Some(array) => array.clone(),
                None => {
                    let array = self
                        .group
                        .read_one(self.footer, c, self.rows, self.left.as_deref())?;
                    self.columns[c].insert(array).clone()
                }
            });
        }
        Ok(Batch::new(arrays, self.rows_left(), self.position))
    }

    /// Keeps the rows that pass, and of what is decoded the columns that are `needed` later. The number
    /// of rows left.
    fn keep(&mut self, mask: &BooleanArray, needed: &[usize]) -> Result<usize> {
        let mask = match mask.null_count() {
            0 => mask.clone(),
            _ => prep_null_mask_filter(mask),
        };
        let passed = mask.true_count();
        if passed == mask.len() {
            return Ok(passed);
        }
        let predicate = FilterBuilder::new(&mask).optimize().build();
        for (c, column) in self.columns.iter_mut().enumerate() {
            if let Some(array) = column {
                *array = match needed.contains(&c) {
                    true => predicate.filter(array)?,
                    false => array.slice(0, 0),
                };
            }
        }
        let passing = mask.values().set_indices();
        self.left = Some(match &self.left {
            None => passing.map(|i| i as u32).collect(),
            Some(left) => passing.map(|i| left[i]).collect(),
        });
        Ok(passed)
    }

    /// The columns to hand out; the others are passed over.
    fn finish(mut self, output: &[usize]) -> Result<Batch> {
        let none = self.rows_left() == 0;
        for c in 0..self.columns.len() {
            if self.columns[c].is_none() && (none || !output.contains(&c)) {
                self.group.skip(c..c + 1, self.rows);
            }
        }
        match none {
            true => Ok(Batch::new(Vec::new(), 0, self.position)),
            false => self.batch(output),
        }
    }
}

enum Selected {
    /// No row of so many passes.
    None(usize),
    /// Few rows pass: the filter's columns of them, which they are, and of how many.
    Some(Vec<ArrayRef>, RowSelection, usize),
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
        return Ok(Selected::None(rows));
    };
    let columns = (0..first.columns.len()).map(|i| {
        let parts: Vec<&dyn Array> = kept.iter().map(|b| b.columns[i].as_ref()).collect();
        concat(&parts)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(Selected::Some(columns, RowSelection::from_filters(&masks), rows))
}

impl Source for Scan {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        self.next_batch(cx).map_err(|e| {
            let file = &self.dataset.files[self.dataset.parts[self.part].file];
            file.or_encrypted(e, &self.dataset.options.retries)
        })
    }
}

impl Scan {
    fn next_batch(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        loop {
            cx.check()?;
            let full = self.request.limit.is_some_and(|l| self.rows_out >= l);
            if full || !self.advance(cx)? {
                self.count(cx);
                self.done();
                return Ok(None);
            }
            let Some(mut batch) = self.next_of_group()? else {
                self.leave_group();
                continue;
            };
            if let Some(limit) = self.request.limit {
                self.looked = match self.request.filter {
                    None => self.looked.min(limit - self.rows_out),
                    Some(_) => self.looked,
                };
                let left = (limit - self.rows_out).min(batch.rows as u64) as usize;
                batch = batch.slice(0, left);
            }
            self.count(cx);
            if batch.rows > 0 {
                self.rows_out += batch.rows as u64;
                return Ok(Some(batch));
            }
        }
    }
}
