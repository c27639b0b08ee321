//! The types of columns: from samples first, from all bytes when a sample misled.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arrow::datatypes::DataType;

use super::columns::{Reading, Span};
use super::dataset::{CsvDataset, FieldOf};
use super::exact::{self, Marks};
use super::rows::{self, Bad, Rows};
use super::values::Kinds;
use crate::error::Result;
use crate::source::OnBadRow;

/// The kinds of values in a sample (whole records) of a file of `fields` columns. Rows that are left out have no
/// say.
pub(crate) fn sample(bytes: &[u8], fields: usize, reading: &Reading, policy: &OnBadRow) -> Vec<Kinds> {
    let mut kinds = vec![Kinds::default(); fields];
    let mut side = Vec::new();
    records(bytes, &reading.marks, |record| {
        let surplus = record
            .iter()
            .skip(fields)
            .any(|field| !reading.marks.is_empty(bytes, *field));
        if *policy != OnBadRow::Pad && (record.len() < fields || surplus) {
            return;
        }
        for (&(start, end), kind) in record.iter().zip(&mut kinds) {
            let field = &bytes[start as usize..end as usize];
            *kind = kind.and(kind_of(field, reading, &mut side));
        }
    });
    kinds
}

/// Calls `take` with the fields of each record of a sample (whole records) that is no comment and not blank.
pub(crate) fn records(bytes: &[u8], marks: &Marks, mut take: impl FnMut(&[Span])) {
    let (mut ends, mut record) = (Vec::new(), Vec::new());
    exact::scan(bytes, 0, marks, &mut ends);
    let (mut start, mut first) = (0, 0);
    for end in ends {
        record.push(marks.trimmed(bytes, rows::span(bytes, start, end)));
        start = end + 1;
        if !matches!(bytes[end as usize], b'\n' | b'\r') {
            continue;
        }
        let blank = matches!(record[..], [(from, to)] if from == to);
        if !blank && !marks.is_comment(&bytes[first as usize..]) {
            take(&record);
        }
        record.clear();
        first = start;
    }
}

fn kind_of(field: &[u8], reading: &Reading, side: &mut Vec<u8>) -> Kinds {
    if reading.is_null(field) {
        return Kinds::default();
    }
    let quoted = reading.is_quoted(field);
    reading.with_text(field, side, |text| match quoted && reading.means_null(text) {
        // null in columns of another type; where there is nothing else it is text
        true => Kinds::QUOTED_EMPTY,
        false => reading.kind_of_text(text),
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
        // rows that are padded are rows; of an error it will be told when they are read
        let bad = match dataset.options.on_bad_row {
            OnBadRow::Pad => Bad::Pad,
            _ => Bad::Drop,
        };
        let rows = Rows::of(&windows, fields, &file.marks, |_| bad);
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
                    ty if kind == Kinds::QUOTED_EMPTY => *ty != DataType::Null,
                    DataType::Decimal128(p, s) => {
                        reading.with_text(field, &mut side, |t| reading.decimal(t, *p, *s).is_some())
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
