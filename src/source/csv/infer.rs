//! The types of columns: from samples first, from all bytes when a sample misled.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arrow::datatypes::DataType;

use super::columns::{Reading, Span};
use super::dataset::{CsvDataset, FieldOf};
use super::exact;
use super::rows::{Bad, Rows};
use super::values::{self, Kinds};
use crate::error::Result;

/// The kinds of values in a sample (whole records) of a file of `fields` columns.
pub(crate) fn sample(bytes: &[u8], fields: usize, reading: &Reading) -> Vec<Kinds> {
    let mut kinds = vec![Kinds::default(); fields];
    let (mut ends, mut side) = (Vec::new(), Vec::new());
    exact::scan(bytes, 0, &reading.marks, &mut ends);
    let (mut start, mut column, mut comment) = (0, 0, false);
    for end in ends {
        let end = end as usize;
        if column == 0 {
            comment = reading.marks.comment.is_some() && bytes.get(start).copied() == reading.marks.comment;
        }
        let newline = matches!(bytes[end], b'\n' | b'\r');
        let mut field = &bytes[start..end];
        if bytes[end] == b'\n' {
            field = field.strip_suffix(b"\r").unwrap_or(field);
        }
        if let (Some(kind), false) = (kinds.get_mut(column), comment) {
            *kind = kind.and(kind_of(field, reading, &mut side));
        }
        column = if newline { 0 } else { column + 1 };
        start = end + 1;
    }
    kinds
}

fn kind_of(field: &[u8], reading: &Reading, side: &mut Vec<u8>) -> Kinds {
    if reading.is_null(field) {
        return Kinds::default();
    }
    reading.with_text(field, side, |text| {
        if text.is_empty() {
            Kinds::QUOTED_EMPTY
        } else {
            Kinds::of(text)
        }
    })
}

/// The first value of a partition that does not fit the present type.
#[derive(Debug, Clone)]
pub(crate) struct First {
    pub part: usize,
    pub offset: u64,
    pub value: Vec<u8>,
}

/// What all values of some columns are.
pub(crate) type Found = Vec<(Kinds, Option<First>)>;

/// Looks at every value of the columns, with some threads.
pub(crate) fn everything(dataset: &Arc<CsvDataset>, columns: &[usize], threads: usize) -> Result<Found> {
    let next = AtomicUsize::new(0);
    let all: Mutex<Result<Found>> = Mutex::new(Ok(vec![(Kinds::default(), None); columns.len()]));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, dataset.parts().max(1)) {
            scope.spawn(|| {
                loop {
                    let part = next.fetch_add(1, Relaxed);
                    if part >= dataset.parts() {
                        return;
                    }
                    let one = partition(dataset, part, columns);
                    let failed = one.is_err();
                    if let Ok(mut all) = all.lock() {
                        match (&mut *all, one) {
                            (Ok(all), Ok(one)) => merge(all, one),
                            (all @ Ok(_), Err(e)) => *all = Err(e),
                            (Err(_), _) => return,
                        }
                    }
                    if failed {
                        return;
                    }
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn merge(all: &mut Found, one: Found) {
    for (a, b) in all.iter_mut().zip(one) {
        a.0 = a.0.and(b.0);
        if let Some(first) = b.1
            && a.1.as_ref().is_none_or(|f| first.part < f.part)
        {
            a.1 = Some(first);
        }
    }
}

fn partition(dataset: &CsvDataset, part: usize, columns: &[usize]) -> Result<Found> {
    let (file, _) = dataset.locate(part);
    let (reading, file) = (dataset.reading(file), &dataset.files[file]);
    let fields = file.info.names.len();
    let mut windows = dataset.windows(part, false)?;
    let mut found: Found = vec![(Kinds::default(), None); columns.len()];
    let (mut spans, mut side): (Vec<Span>, _) = (Vec::new(), Vec::new());
    while windows.next()? {
        let rows = Rows::of(&windows, fields, &file.marks, |_| Bad::Drop);
        for (&column, (kinds, first)) in columns.iter().zip(&mut found) {
            let FieldOf::Field(c) = dataset.field_of(part, column) else {
                continue;
            };
            rows.spans(&windows, fields, c, 0..rows.len(fields), &mut spans);
            let ty = &dataset.types[column];
            let now = Kinds::of_type(ty);
            for &(start, end) in &spans {
                let field = windows.data.get(start as usize..end as usize).unwrap_or_default();
                let kind = kind_of(field, reading, &mut side);
                *kinds = kinds.and(kind);
                if kind == Kinds::default() || first.is_some() {
                    continue;
                }
                let fits = match ty {
                    DataType::Decimal128(p, s) => {
                        reading.with_text(field, &mut side, |t| values::decimal(t, *p, *s).is_some())
                    }
                    _ => now.and(kind).data_type() == *ty,
                };
                if !fits {
                    *first = Some(First {
                        part,
                        offset: windows.base + u64::from(start),
                        value: field.to_vec(),
                    });
                }
            }
        }
    }
    Ok(found)
}
