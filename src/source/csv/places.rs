//! Some records from many places of the files, for guesses about their values. Read when the first guess is
//! made; a file that cannot be read here makes none, and is an error when the query reads it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow::array::ArrayRef;
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

use super::columns::{MISSING, Reading, Span};
use super::dataset::{CsvDataset, FieldOf};
use super::exact;
use super::file::{CsvFile, stream};
use super::values;
use crate::error::Result;
use crate::kernel::hash::hash_bytes;
use crate::source::sample::{Values, distinct};

/// So many places are looked at,
const PLACES: u64 = 64;
/// and of each so many bytes, or this many records where they are long,
const PLACE_BYTES: u64 = 8 << 10;
const PLACE_RECORDS: u64 = 8;
/// but not more than this.
const MOST_BYTES: u64 = 64 << 10;

/// Records of a dataset.
#[derive(Debug)]
pub(super) struct Places {
    data: Buffer,
    /// The spans of all fields, record after record.
    spans: Vec<Span>,
    /// The file of each record, and where its spans begin.
    records: Vec<(u32, u32)>,
    pub places: Arc<[u32]>,
    /// About how many records all files have.
    pub of: f64,
    columns: Mutex<HashMap<usize, ArrayRef>>,
    values: Mutex<HashMap<usize, Values>>,
}

/// Places while they are read.
#[derive(Default)]
struct Taken {
    data: Vec<u8>,
    spans: Vec<Span>,
    records: Vec<(u32, u32)>,
    places: Vec<u32>,
    /// Bytes of whole records.
    bytes: u64,
    place: u32,
    /// Whether something was left out.
    partly: bool,
}

impl Taken {
    /// The whole records of some bytes of a file that begin at the start of a record.
    fn records_of(&mut self, n: usize, file: &CsvFile, bytes: &[u8]) {
        let fields = file.info.names.len();
        let base = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        let mut ends = Vec::new();
        exact::scan(bytes, 0, &file.marks, &mut ends);
        let (mut start, mut record, mut first) = (0, 0, self.spans.len());
        for end in ends {
            let newline = matches!(bytes[end as usize], b'\n' | b'\r');
            let text = &bytes[start as usize..end as usize];
            let cut = u32::from(bytes[end as usize] == b'\n' && text.last() == Some(&b'\r'));
            self.spans.push((base + start, base + end - cut));
            start = end + 1;
            if !newline {
                continue;
            }
            match self.spans.len() - first == fields {
                true => {
                    self.records.push((n as u32, first as u32));
                    self.places.push(self.place);
                    self.bytes += u64::from(start - record);
                }
                // bad rows, comments, blank lines
                false => self.spans.truncate(first),
            }
            (record, first) = (start, self.spans.len());
        }
        self.spans.truncate(first);
        self.place += 1;
    }

    /// A file of which `step` bytes stand for one place of `size`.
    fn file(&mut self, n: usize, file: &CsvFile, step: u64, size: u64) -> Result<()> {
        let (from, to) = (file.info.data_start, file.info.size);
        let whole = step <= size;
        let handle = file.handle()?;
        let mut at = from;
        while at < to {
            let want = if whole { to - at } else { size.min(to - at) };
            let mut bytes = vec![0; want as usize];
            let got = handle.read_at(&mut bytes, at).unwrap_or(0);
            bytes.truncate(got);
            if whole && bytes.last().is_some_and(|b| *b != b'\n') {
                bytes.push(b'\n');
            }
            let begin = match at == from {
                true => Some(0),
                false => memchr::memchr(b'\n', &bytes).map(|i| i + 1),
            };
            if let Some(begin) = begin {
                self.records_of(n, file, &bytes[begin..]);
            }
            at += if whole { want } else { step };
        }
        self.partly |= !whole;
        Ok(())
    }

    /// The first bytes of a file that is packed.
    fn head(&mut self, n: usize, file: &CsvFile) -> Result<()> {
        use std::io::Read;
        let info = &file.info;
        let mut from = stream(file.handle()?, info.packing, info.encoding.as_deref())?;
        let mut bytes = Vec::new();
        let most = info.data_start + MOST_BYTES;
        if from.by_ref().take(most).read_to_end(&mut bytes).is_ok() {
            let begin = bytes.len().min(info.data_start as usize);
            self.partly |= bytes.len() as u64 == most;
            self.records_of(n, file, &bytes[begin..]);
        }
        Ok(())
    }
}

impl Places {
    /// Looks at the files; `record` is what a record takes, as far as that is known.
    pub(super) fn of(files: &[Arc<CsvFile>], record: u64, packed_rows: u64) -> Option<Places> {
        let plain = || files.iter().filter(|f| !f.info.streamed());
        let data = |f: &Arc<CsvFile>| f.info.size.saturating_sub(f.info.data_start);
        let bytes: u64 = plain().map(data).sum();
        let size = PLACE_BYTES.max(record * PLACE_RECORDS).min(MOST_BYTES);
        let step = (bytes / PLACES).max(1);
        let mut taken = Taken::default();
        // of very many files some
        let some = files.len().div_ceil(PLACES as usize).max(1);
        for (n, file) in files.iter().enumerate().step_by(some) {
            if file.info.names.is_empty() {
                continue;
            }
            let read = match file.info.streamed() {
                true => taken.head(n, file),
                false => taken.file(n, file, step, size),
            };
            read.ok()?;
        }
        let rows = taken.records.len() as f64;
        let of = match (taken.partly || some > 1, taken.bytes) {
            (false, _) => rows,
            (true, 0) => return None,
            (true, seen) => rows * bytes as f64 / seen as f64 + packed_rows as f64,
        };
        Some(Places {
            data: taken.data.into(),
            spans: taken.spans,
            records: taken.records,
            places: taken.places.into(),
            of: of.max(rows),
            columns: Mutex::default(),
            values: Mutex::default(),
        })
    }

    /// The fields of a column.
    fn fields(&self, dataset: &CsvDataset, column: usize) -> Vec<Span> {
        let field = |&(file, first): &(u32, u32)| match dataset.field_in(file as usize, column) {
            FieldOf::Field(i) => self.spans.get(first as usize + i).copied().unwrap_or(MISSING),
            FieldOf::Missing | FieldOf::FileName | FieldOf::Folder => MISSING,
        };
        self.records.iter().map(field).collect()
    }

    /// A column in its type; as text, should a value not fit.
    pub(super) fn column(&self, dataset: &CsvDataset, reading: &Reading, column: usize) -> Option<ArrayRef> {
        if let Some(known) = self.columns.lock().ok()?.get(&column) {
            return Some(known.clone());
        }
        let spans = self.fields(dataset, column);
        let built = reading.build(&dataset.types[column], &self.data, &spans, 0..self.data.len());
        let array = built.ok()?.ok()?;
        self.columns.lock().ok()?.insert(column, array.clone());
        Some(array)
    }

    /// What its values are like.
    pub(super) fn values(&self, dataset: &CsvDataset, reading: &Reading, column: usize) -> Option<Values> {
        if let Some(known) = self.values.lock().ok()?.get(&column) {
            return Some(*known);
        }
        let spans = self.fields(dataset, column);
        let texts = || {
            let text = |s: &Span| self.data.get(s.0 as usize..s.1 as usize);
            spans.iter().map(move |s| text(s).filter(|t| !reading.is_null(t)))
        };
        let hashes = texts().map(|t| t.map(hash_bytes));
        let ty = &dataset.types[column];
        let numbers = texts().flatten().filter_map(|t| number(t, ty));
        let span = numbers.fold(None, |all: Option<(f64, f64)>, n| {
            Some(all.map_or((n, n), |(a, b)| (a.min(n), b.max(n))))
        });
        let values = Values {
            distinct: distinct(hashes, &self.places, self.of),
            span,
        };
        self.values.lock().ok()?.insert(column, values);
        Some(values)
    }
}

fn number(text: &[u8], ty: &DataType) -> Option<f64> {
    match ty {
        DataType::Int64 => values::int(text).map(|n| n as f64),
        DataType::Float64 => values::float(text),
        DataType::Date32 => values::date(text).map(f64::from),
        DataType::Timestamp(..) => values::timestamp(text).map(|(t, _)| t as f64),
        _ => None,
    }
}
