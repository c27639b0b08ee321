//! The source of one partition: windows become batches of just the wanted columns and rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray, UInt32Array, new_null_array};
use arrow::compute;

use super::columns::{Misfit, Span};
use super::dataset::{CsvDataset, FieldOf};
use super::file::CsvFile;
use super::met::Oddities;
use super::rows::{Bad, BadRow, Rows};
use super::windows::Windows;
use super::{ragged, reject};
use crate::error::{Error, Kind, Result};
use crate::expr::cast;
use crate::kernel::Batch;
use crate::memory::Waits;
use crate::pipeline::{Source, TaskContext};
use crate::source::{KnownCodes, OnBadRow, RowFilter, ScanRequest, of_file};

/// Reads one partition of a [`CsvDataset`].
pub(crate) struct CsvSource {
    dataset: Arc<CsvDataset>,
    file: Arc<CsvFile>,
    part: usize,
    file_index: usize,
    request: ScanRequest,
    state: Option<Open>,
    rows_before: u64,
    emitted: u64,
    spans: Vec<Span>,
    /// What it met so far, in which reading of the file.
    odd: Oddities,
    reading: u64,
}

/// The window being handed out.
struct Open {
    windows: Windows,
    rows: Rows,
    at: usize,
    /// The row behind the last one that has too few or too many fields.
    bad: Option<BadRow>,
}

/// A value that does not fit its column.
struct Odd {
    column: usize,
    /// The row of the window.
    row: usize,
    misfit: Misfit,
}

/// What became of some rows. Whether one that does not fit matters is for the caller to say: it may lie
/// behind the last row that is wanted, or be none that the filter keeps.
type Built<T> = Result<std::result::Result<T, Odd>>;

impl CsvSource {
    pub(crate) fn new(dataset: Arc<CsvDataset>, part: usize, request: &ScanRequest) -> Self {
        let (file_index, _) = dataset.locate(part);
        let file = dataset.files[file_index].clone();
        CsvSource {
            reading: file.met.reading(),
            file,
            dataset,
            part,
            file_index,
            request: request.clone(),
            state: None,
            rows_before: 0,
            emitted: 0,
            spans: Vec::new(),
            odd: Oddities::default(),
        }
    }
}

impl CsvSource {
    /// Goes to the next window; false when there is none.
    fn advance(&mut self, cx: &TaskContext) -> Result<bool> {
        cx.check()?;
        let mut windows = match self.state.take() {
            Some(open) => open.windows,
            None if self.is_left_out()? => return Ok(false),
            None => {
                self.file.use_budget(&cx.run.budget);
                let opened = self.dataset.windows(self.part, self.request.alone);
                let mut windows = opened.map_err(|e| self.suspect(e))?;
                windows.waits = Waits {
                    cancelled: cx.run.cancelled.clone(),
                    stop: self.request.stop.clone(),
                    part: cx.part as usize,
                };
                windows
            }
        };
        let more = windows.next().map_err(|e| self.suspect(e))?;
        cx.run.progress.add_read(std::mem::take(&mut windows.bytes_read));
        if !more {
            if let OnBadRow::Reject(_) = self.dataset.options.on_bad_row {
                cx.run.aside.finished(self.part);
            }
            self.tell(windows.base + windows.pos as u64);
            return Ok(false);
        }
        let (mut failed, mut rejected) = (None, Vec::new());
        let policy = &self.dataset.options.on_bad_row;
        let odd = &mut self.odd;
        let lines = self.file.live().map(|_| &self.file.lines);
        for at in &windows.joined {
            odd.joined.add(windows.base + u64::from(*at));
            if let Some(lines) = lines {
                lines.remember(windows.base + u64::from(*at));
            }
        }
        let fields = self.file.info.names.len();
        let rows = Rows::of(&windows, fields, &self.file.marks, |row| {
            if *policy == OnBadRow::Error {
                failed = Some(row);
                return Bad::Stop;
            }
            odd.bad.add(windows.base + u64::from(row.start));
            if let Some(lines) = lines {
                lines.remember(windows.base + u64::from(row.start));
            }
            odd.cut += row.cut as u64;
            odd.missing += fields.saturating_sub(row.fields) as u64;
            match policy {
                OnBadRow::Pad => return Bad::Pad,
                OnBadRow::Reject(_) => rejected.push(row),
                _ => {}
            }
            Bad::Drop
        });
        if !rejected.is_empty() {
            let run = &cx.run;
            run.aside
                .add(&run.spill, self.part, &reject::lines(&windows, &rejected))?;
        }
        if self.odd != Oddities::default() {
            self.tell(windows.base + windows.pos as u64);
        }
        self.state = Some(Open {
            windows,
            rows,
            at: 0,
            bad: failed,
        });
        Ok(true)
    }

    /// Tells the file what was met in the partition up to an offset.
    fn tell(&self, upto: u64) {
        let (_, part) = self.dataset.locate(self.part);
        self.file.met.put(self.reading, part, upto, &self.odd);
    }

    /// An error may come of quotes that made us start in the wrong place: then plan again.
    fn suspect(&self, error: Error) -> Error {
        let of_structure = matches!(error.kind(), Kind::Input | Kind::Limit);
        if !of_structure || self.file.is_irregular() || !self.file.is_cut_by_tasks() {
            return error;
        }
        match self.file.check_quotes() {
            Ok(true) => error,
            Ok(false) => {
                self.file.set_irregular();
                Error::new(Kind::Replan, "quotes within fields")
            }
            Err(e) => e,
        }
    }

    /// The columns of the given rows of the window, or of all rows of the range if none are given.
    fn build(&mut self, columns: &[usize], rows: &[usize], range: (usize, usize)) -> Built<Vec<ArrayRef>> {
        let Some(open) = &self.state else {
            return Err(Error::defect("no window"));
        };
        let fields = self.file.info.names.len();
        let (w, part) = (&open.windows, self.part);
        let text = w.first..w.ends.last().map_or(w.first, |e| *e as usize);
        let mut arrays = Vec::with_capacity(columns.len());
        let len = if rows.is_empty() {
            range.1 - range.0
        } else {
            rows.len()
        };
        for &column in columns {
            let ty = &self.dataset.types[column];
            let array = match self.dataset.field_of(part, column) {
                FieldOf::Missing => new_null_array(ty, len),
                FieldOf::FileName => {
                    let name = self.file.info.path.to_string_lossy();
                    Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(
                        name.as_ref(),
                        len,
                    ))) as ArrayRef
                }
                FieldOf::Folder => self.folder(column, len)?,
                FieldOf::Field(c) => {
                    let reading = self.dataset.reading(self.file_index);
                    let regular = match rows {
                        [] => open.rows.column(w, fields, c, range.0..range.1),
                        _ => None,
                    };
                    if let Some(Ok(array)) =
                        regular.and_then(|column| reading.build_regular(ty, &w.data, &column))
                    {
                        arrays.push(array);
                        continue;
                    }
                    // Otherwise, and to say where a misfit is, the spans are written down.
                    if rows.is_empty() {
                        open.rows.spans(w, fields, c, range.0..range.1, &mut self.spans);
                    } else {
                        open.rows
                            .spans(w, fields, c, rows.iter().copied(), &mut self.spans);
                    }
                    let built = reading.build(ty, &w.data, &self.spans, text.clone())?;
                    match built {
                        Ok(array) => array,
                        Err(misfit) => {
                            let (Misfit::Type(i) | Misfit::Encoding(i)) = misfit;
                            let row = rows.get(i).copied().unwrap_or(range.0 + i);
                            return Ok(Err(Odd { column, row, misfit }));
                        }
                    }
                }
            };
            arrays.push(array);
        }
        Ok(Ok(arrays))
    }

    /// A column that the file's folders give.
    fn folder(&self, column: usize, len: usize) -> Result<ArrayRef> {
        let (ty, name) = (
            &self.dataset.types[column],
            self.dataset.schema.field(column).name(),
        );
        let value = self.file.folder(of_file(name)).flatten();
        let text: ArrayRef = Arc::new(StringViewArray::from_iter([value]));
        let one = cast::array(&text, ty, false)?;
        Ok(compute::take(&one, &UInt32Array::from_value(0, len), None)?)
    }

    /// Whether what the folders give proves that the filter keeps no row.
    fn is_left_out(&self) -> Result<bool> {
        let Some(filter) = &self.request.filter else {
            return Ok(false);
        };
        let of_folder = |c: &usize| self.dataset.field_of(self.part, *c) == FieldOf::Folder;
        for test in filter.tests() {
            if test.columns().is_empty() || !test.columns().iter().all(of_folder) {
                continue;
            }
            let values = test.columns().iter().map(|c| self.folder(*c, 1));
            let row = Batch::new(values.collect::<Result<_>>()?, 1, 0);
            // an error is for the rows to tell
            if let Ok(mask) = test.mask(&row, &mut KnownCodes::default())
                && !mask.value(0)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The error for a value that does not fit its column; of kind `Replan` if the column may be widened.
    fn misfit(&self, column: usize, misfit: &Misfit) -> Error {
        let (Misfit::Type(i) | Misfit::Encoding(i)) = misfit;
        let Some(open) = &self.state else {
            return Error::defect("no window");
        };
        let (start, end) = self.spans[*i];
        let value = open
            .windows
            .data
            .get(start as usize..end as usize)
            .unwrap_or_default();
        let offset = open.windows.base + u64::from(start);
        let name = of_file(self.dataset.schema.field(column).name());
        if let Misfit::Encoding(_) = misfit {
            return self
                .file
                .error_at(format!("column '{name}' is not UTF-8 here"), offset)
                .excerpt(value)
                .help("name its encoding with --encoding, such as latin1 or utf8-lossy");
        }
        self.dataset.misfit(column, &self.file, offset, value)
    }

    /// The rows `range` of the window that pass the filter, as a batch. Of the other rows only the columns
    /// that the filter looks at must fit.
    fn filtered(
        &mut self,
        filter: &dyn RowFilter,
        range: (usize, usize),
        position: u64,
    ) -> Built<Option<Batch>> {
        let first = match self.build(filter.columns(), &[], range)? {
            Ok(first) => first,
            Err(odd) => return Ok(Err(odd)),
        };
        let mask = filter.mask(&Batch::new(first.clone(), range.1 - range.0, position))?;
        let mask = match mask.null_count() {
            0 => mask,
            _ => compute::prep_null_mask_filter(&mask),
        };
        let kept = mask.true_count();
        if kept == 0 {
            return Ok(Ok(None));
        }
        let columns = self.request.columns.clone();
        let others: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|c| !filter.columns().contains(c))
            .collect();
        let all = kept == range.1 - range.0;
        let late = !all && kept * 2 < range.1 - range.0;
        let whole = match late {
            true => None,
            false => self.build(&others, &[], range)?.ok(),
        };
        let built = match whole {
            Some(whole) => Ok(keep(whole, &mask, all)?),
            // also where a value did not fit: its row may be none of those
            None => {
                let rows: Vec<usize> = mask.values().set_indices().map(|i| range.0 + i).collect();
                self.build(&others, &rows, range)?
            }
        };
        let mut built = match built {
            Ok(built) => built.into_iter(),
            Err(odd) => return Ok(Err(odd)),
        };
        let mut arrays = Vec::with_capacity(columns.len());
        for c in &columns {
            arrays.push(match filter.columns().iter().position(|f| f == c) {
                Some(i) if all => first[i].clone(),
                Some(i) => compute::filter(&first[i], &mask)?,
                None => built
                    .next()
                    .ok_or_else(|| Error::defect("a column was not built"))?,
            });
        }
        Ok(Ok(Some(Batch::new(arrays, kept, position))))
    }

    /// The rows `range` of the window, as far as they are asked for.
    fn rows(&mut self, range: (usize, usize), position: u64) -> Built<Option<Batch>> {
        if let Some(filter) = self.request.filter.clone() {
            return self.filtered(&*filter, range, position);
        }
        let columns = std::mem::take(&mut self.request.columns);
        let arrays = self.build(&columns, &[], range);
        self.request.columns = columns;
        Ok(arrays?.map(|arrays| Some(Batch::new(arrays, range.1 - range.0, position))))
    }
}

/// The rows of the arrays where the mask is true.
fn keep(arrays: Vec<ArrayRef>, mask: &BooleanArray, all: bool) -> Result<Vec<ArrayRef>> {
    if all {
        return Ok(arrays);
    }
    arrays.iter().map(|a| Ok(compute::filter(a, mask)?)).collect()
}

impl Source for CsvSource {
    fn next(&mut self, cx: &TaskContext) -> Result<Option<Batch>> {
        let limit = self.request.limit.unwrap_or(u64::MAX);
        let fields = self.file.info.names.len();
        loop {
            if self.emitted >= limit {
                self.state = None;
                return Ok(None);
            }
            let rows = self.state.as_ref().map_or(0, |s| s.rows.len(fields));
            let at = self.state.as_ref().map_or(0, |s| s.at);
            if at >= rows {
                if let Some(open) = &self.state
                    && let Some(bad) = open.bad
                {
                    return Err(self.suspect(ragged::error(&self.file, &open.windows, bad)));
                }
                if !self.advance(cx)? {
                    return Ok(None);
                }
                continue;
            }
            let counting = self.request.columns.is_empty() && self.request.filter.is_none();
            let mut stop = if counting {
                rows
            } else {
                // batches of one size rather than a small last one
                let batches = (rows - at).div_ceil(Batch::TARGET_ROWS);
                at + (rows - at).div_ceil(batches)
            };
            let position = (self.part as u64) << 40 | self.rows_before;
            let batch = loop {
                match self.rows((at, stop), position)? {
                    Ok(batch) => break batch,
                    // the rows before it may be all that are wanted; if not, it comes again
                    Err(odd) if odd.row > at => stop = odd.row,
                    Err(odd) => return Err(self.suspect(self.misfit(odd.column, &odd.misfit))),
                }
            };
            if let Some(s) = &mut self.state {
                s.at = stop;
            }
            self.rows_before += (stop - at) as u64;
            if let Some(mut batch) = batch {
                let left = usize::try_from(limit - self.emitted).unwrap_or(usize::MAX);
                if batch.rows > left {
                    batch = batch.slice(0, left);
                }
                self.emitted += batch.rows as u64;
                let looked = match self.request.filter {
                    None => batch.rows,
                    Some(_) => stop - at,
                };
                cx.run.progress.add_rows(looked as u64);
                return Ok(Some(batch));
            }
            cx.run.progress.add_rows((stop - at) as u64);
        }
    }
}
