//! CSV files as one table: schema united by name, partitions, and the second look at types.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::json;

use super::columns::Reading;
use super::file::{CsvFile, FileInfo, Found};
use super::flow::{self, Flow};
use super::header::{self, Note};
use super::infer;
use super::lines::Counter;
use super::numbers::NumberStyle;
use super::places::Places;
use super::read::CsvSource;
use super::sniff::{marks, sniff};
use super::values::Kinds;
use super::windows::{Pool, STREAM, Windows, window_bytes};
use super::{ragged, reject};
use crate::error::{Error, Kind, Result, no_column, visible};
use crate::kernel::types;
use crate::memory::{CopyDir, Live};
use crate::observe::Warning;
use crate::pipeline::{RunContext, Source};
use crate::source::options::parse_type;
use crate::source::stdin::Once;
use crate::source::{
    ALL_COLUMNS, Dataset, OnBadRow, ReadOptions, Sample, ScanRequest, TypesOf, Union, Values, as_written,
    of_file,
};
use crate::source::{hive, stdin};

/// Files whose first bytes are sampled for types; the others' headers are read only.
const SAMPLED_FILES: usize = 16;
/// Sizes of partitions. Below, a task's start shows; above, balance suffers.
const MIN_BLOCK: u64 = 1 << 20;
const MAX_BLOCK: u64 = 4 << 20;
/// Partitions of a middling table. The number of threads has no say: the row groups of a Parquet
/// file that is written follow the partitions, and its bytes should not depend on the machine.
const USUAL_PARTS: u64 = 64;
/// What is taken for the size of an input that nobody knows the end of.
const UNKNOWN_BYTES: u64 = 1 << 30;
/// The smallest that may be asked for (tests do).
const LEAST_BLOCK: u64 = 64;

/// Where a column comes from in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldOf {
    Missing,
    Field(usize),
    FileName,
    /// What its folders say, as in `Year=2024/x.csv`.
    Folder,
}

/// A table of CSV files.
#[derive(Debug)]
pub struct CsvDataset {
    pub(crate) schema: SchemaRef,
    pub(crate) types: Vec<DataType>,
    pub(crate) options: ReadOptions,
    pub(crate) files: Vec<Arc<CsvFile>>,
    pub(crate) pool: Arc<Pool>,
    /// For each file, where each column of the schema is.
    fields: Vec<Vec<FieldOf>>,
    readings: Vec<Reading>,
    /// The number of partitions before each file, and in all.
    before: Vec<usize>,
    /// Columns whose type the user made law.
    law: Vec<bool>,
    misfit: AtomicBool,
    warnings: Vec<Warning>,
    /// What a record takes in the samples, on average; 0: unknown.
    record_bytes: u64,
    /// Other processes read the other partitions.
    alone: bool,
    /// Some records, once a guess was made of them.
    places: OnceLock<Option<Places>>,
    /// What its tasks read together, where it can be read only once.
    flow: Option<Arc<Flow>>,
}

impl CsvDataset {
    /// Sniffs the files and unites their columns.
    ///
    /// `copies` is where one of standard input goes (path `-`).
    ///
    /// # Errors
    /// Files that cannot be read, `--types` of unknown columns or types, and with
    /// [`Union::Strict`] files with other columns.
    pub fn open(paths: &[PathBuf], options: &ReadOptions, copies: &CopyDir) -> Result<Arc<Self>> {
        options.check()?;
        let mut infos = Vec::with_capacity(paths.len());
        let mut samples = Vec::new();
        let (mut warnings, mut notes) = (Vec::new(), BTreeMap::new());
        let (mut sampled, mut records) = (0u64, 0u64);
        let step = paths.len().div_ceil(SAMPLED_FILES).max(1);
        let may_flow = paths.len() == 1 && !matches!(options.on_bad_row, OnBadRow::Reject(_));
        for (i, path) in paths.iter().enumerate() {
            let mut once = stdin::once(path, copies)?;
            if let (Some(Once::Live(live)), false) = (&once, may_flow) {
                once = Some(Once::Kept(live.whole(&copies.cancelled)?));
            }
            let sniffed = sniff(path, once.as_ref(), options)?;
            for Note { kind, text } in sniffed.notes {
                let same: &mut (String, usize) = notes.entry(kind).or_insert((text, 0));
                same.1 += 1;
            }
            if i % step == 0 || i + 1 == paths.len() {
                sampled += sniffed.sample.len() as u64;
                records += memchr::memchr2_iter(b'\n', b'\r', &sniffed.sample).count() as u64;
                samples.push((i, sniffed.sample));
            }
            infos.push(Found {
                info: sniffed.info,
                once,
                begin: sniffed.begin,
            });
        }
        warnings.extend(notes.into_iter().map(|(kind, (text, files))| match files {
            1 => note(&kind, &text),
            2 => note(&kind, &format!("{text} (as in one other file)")),
            n => note(&kind, &format!("{text} (as in {} other files)", n - 1)),
        }));
        let names = unite_names(&infos, options, &mut warnings)?;
        let places: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let mut kinds = vec![Kinds::default(); names.len()];
        for (i, sample) in samples {
            let info = &infos[i].info;
            let reading = reading(options, info.delimiter);
            let found = infer::sample(&sample, info.names.len(), &reading, &options.on_bad_row);
            for (name, kind) in info.names.iter().zip(found) {
                if let Some(&c) = places.get(name.as_str()) {
                    kinds[c] = kinds[c].and(kind);
                }
            }
        }
        let mut fields: Vec<Field> = names
            .iter()
            .zip(kinds)
            .map(|(name, k)| Field::new(name, k.data_type(), true))
            .collect();
        fields.extend(folder_fields(paths, &places));
        let every = options.types.iter().rfind(|(n, _)| n == ALL_COLUMNS);
        if let (Some((_, ty)), None) = (every, named(&fields, ALL_COLUMNS)) {
            let ty = parse_type(ty)?;
            let typed = |f: Field| f.with_data_type(ty.clone());
            fields = fields.into_iter().map(typed).collect();
        }
        if let Some(name) = &options.filename_col {
            fields.push(Field::new(name, types::TEXT, true));
        }
        for (name, ty) in options.widened.iter().chain(&options.types) {
            let ty = parse_type(ty)?;
            match named(&fields, name) {
                Some(i) => fields[i] = Field::new(fields[i].name(), ty, true),
                None if options.known_elsewhere.contains(name) => {}
                None if name == ALL_COLUMNS || options.types_of != TypesOf::EachTable => {}
                None => return Err(no_column(name, fields.iter().map(|f| f.name().as_str()))),
            }
        }
        let mut dataset = Self::assemble(infos, Arc::new(Schema::new(fields)), options.clone(), warnings);
        dataset.record_bytes = sampled.checked_div(records).unwrap_or(0);
        Ok(Arc::new(dataset))
    }

    fn assemble(infos: Vec<Found>, schema: SchemaRef, options: ReadOptions, warnings: Vec<Warning>) -> Self {
        let sizes = infos.iter().map(|f| match &f.once {
            // whoever reads it waits for the others, so that it goes to tasks in small parts
            Some(Once::Live(_)) => 0,
            _ => f.info.size,
        });
        let chosen = (sizes.sum::<u64>() / USUAL_PARTS).clamp(MIN_BLOCK, MAX_BLOCK);
        let block = options
            .blocksize
            .map_or(chosen, |b| b.clamp(LEAST_BLOCK, 32 << 20));
        let files = infos
            .into_iter()
            .map(|found| CsvFile::new(found, marks(&options, b','), block))
            .map(|file| Arc::new(file.with_retries(&options.retries)))
            .collect();
        Self::of_files(files, schema, options, warnings)
    }

    fn of_files(
        files: Vec<Arc<CsvFile>>,
        schema: SchemaRef,
        options: ReadOptions,
        warnings: Vec<Warning>,
    ) -> Self {
        let mut before = vec![0];
        for file in &files {
            // A file without a header has no rows either.
            let parts = if file.info.names.is_empty() {
                0
            } else {
                file.parts()
            };
            before.push(before.last().copied().unwrap_or(0) + parts);
        }
        let field_of = |file: &Arc<CsvFile>| {
            let places: HashMap<&str, usize> = file
                .info
                .names
                .iter()
                .enumerate()
                .map(|(i, n)| (n.as_str(), i))
                .collect();
            let place = |name: &str| places.get(name).or_else(|| places.get(of_file(name)));
            let of = |f: &Arc<Field>| match place(f.name()) {
                Some(&i) => FieldOf::Field(i),
                None if options.filename_col.as_ref() == Some(f.name()) => FieldOf::FileName,
                None if file.folder(of_file(f.name())).is_some() => FieldOf::Folder,
                None => FieldOf::Missing,
            };
            schema.fields().iter().map(of).collect()
        };
        let is_all = |(n, _): &(String, String)| n == ALL_COLUMNS;
        let every = options.types.iter().any(is_all) && schema.index_of(ALL_COLUMNS).is_err();
        CsvDataset {
            fields: files.iter().map(field_of).collect(),
            readings: files
                .iter()
                .map(|f| reading(&options, f.info.delimiter))
                .collect(),
            types: schema.fields().iter().map(|f| f.data_type().clone()).collect(),
            law: schema
                .fields()
                .iter()
                .map(|f| every || (options.types.iter()).any(|(n, _)| is_column(n, f.name(), &schema)))
                .collect(),
            schema,
            options,
            flow: match &files[..] {
                [one] => one.live().map(|live| Arc::new(Flow::new(live))),
                _ => None,
            },
            files,
            pool: Arc::new(Pool::default()),
            before,
            misfit: AtomicBool::new(false),
            warnings,
            record_bytes: 0,
            alone: false,
            places: OnceLock::new(),
        }
    }

    /// The same files as part of a larger table: columns that they lack are null, the others are
    /// read in the types of `schema`, which must hold all that was sampled.
    pub(in crate::source) fn declared(&self, schema: SchemaRef) -> CsvDataset {
        let (options, warnings) = (self.options.clone(), self.warnings.clone());
        CsvDataset {
            record_bytes: self.record_bytes,
            alone: self.alone,
            ..Self::of_files(self.files.clone(), schema, options, warnings)
        }
    }

    /// The number of partitions of each file.
    pub(in crate::source) fn parts_of_files(&self) -> Vec<usize> {
        self.before.windows(2).map(|w| w[1] - w[0]).collect()
    }

    /// [`Dataset::refine`], as CSV.
    pub(in crate::source) fn refined(
        self: &Arc<Self>,
        columns: &[usize],
        run: &RunContext,
    ) -> Result<Arc<CsvDataset>> {
        let own = match self.flow.is_some() && self.misfit.load(Relaxed) && self.may_widen(columns) {
            true => self.over_copy(&run.cancelled)?,
            false => self.clone(),
        };
        own.files.iter().for_each(|f| f.use_budget(&run.budget));
        let (dataset, warnings) = own.widened(columns, run.threads)?;
        warnings.into_iter().for_each(|w| run.warn(w.key, w.text));
        Ok(dataset)
    }

    /// Facts for the user that opening brought up.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// After an error of kind [`Kind::Replan`]: the dataset to ask again.
    ///
    /// If a value did not fit its column, all values of `columns` are looked at once, by
    /// `threads` threads, and the new dataset has the types that hold them unchanged; one
    /// warning for each column names the first value in file order. If quotes turned out to
    /// stand within fields, the dataset knows by now and reads those files exactly.
    ///
    /// # Errors
    /// As reading does.
    pub fn widened(
        self: &Arc<Self>,
        columns: &[usize],
        threads: usize,
    ) -> Result<(Arc<CsvDataset>, Vec<Warning>)> {
        if !self.misfit.swap(false, Relaxed) || self.flow.is_some() {
            return Ok((self.clone(), Vec::new()));
        }
        let columns: Vec<usize> = columns.iter().copied().filter(|c| !self.law[*c]).collect();
        let mut found = infer::everything(self, &columns, threads);
        for _ in 0..self.files.len() {
            if !matches!(&found, Err(e) if e.kind() == Kind::Replan) {
                break;
            }
            found = infer::everything(self, &columns, threads);
        }
        let mut fields: Vec<Field> = self.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut options = self.options.clone();
        let mut warnings = Vec::new();
        for (&column, (kinds, first)) in columns.iter().zip(found?) {
            let ty = kinds.and(Kinds::of_type(&self.types[column])).data_type();
            let Some(first) = first.filter(|_| ty != self.types[column]) else {
                continue;
            };
            let name = self.schema.field(column).name().clone();
            let file = &self.files[self.locate(first.part).0];
            let (new, old) = (types::name(&ty), types::name(&self.types[column]));
            let place = format!(
                "{}:{} has '{}'",
                file.info.path.display(),
                file.line_column(first.offset).0,
                excerpt(&first.value),
            );
            // of a kind are columns of the same two types, and each is told with its own place
            let kind = format!("widened-from-{old}-to-{new}").replace(' ', "");
            let text = format!("column '{name}' is {new}, not {old}: {place}");
            warnings.push(note(&format!("{kind} {name} ({place})"), &text));
            options.widened.retain(|(n, _)| *n != name);
            options.widened.push((name.clone(), types::name(&ty)));
            fields[column] = Field::new(name, ty, true);
        }
        let schema = Arc::new(Schema::new(fields));
        let new = CsvDataset {
            record_bytes: self.record_bytes,
            alone: self.alone,
            ..Self::of_files(self.files.clone(), schema, options, self.warnings.clone())
        };
        Ok((Arc::new(new), warnings))
    }

    /// What to say about a value that does not fit its column's type.
    pub(crate) fn misfit(&self, column: usize, file: &Arc<CsvFile>, offset: u64, value: &[u8]) -> Error {
        let name = self.schema.field(column).name();
        let what = format!(
            "column '{name}' is {}, but here is '{}'",
            types::name(&self.types[column]),
            excerpt(value)
        );
        if self.law[column] || self.options.strict_types {
            let quote = self.options.quote.as_slice();
            let bare = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
            return file.error_at(what, offset).excerpt(value).help(format!(
                "use --types {name}=text, or if it means null, --null '{}'",
                excerpt(bare.unwrap_or(value))
            ));
        }
        self.misfit.store(true, Relaxed);
        Error::new(Kind::Replan, what)
    }

    /// The number of partitions.
    pub(crate) fn parts(&self) -> usize {
        self.before.last().copied().unwrap_or(0)
    }

    /// The file of a partition, and the partition's number within it.
    pub(crate) fn locate(&self, part: usize) -> (usize, usize) {
        let file = self
            .before
            .partition_point(|b| *b <= part)
            .saturating_sub(1)
            .min(self.files.len().saturating_sub(1));
        (file, part - self.before[file])
    }

    /// The records of a partition; `alone` if those before it are not read by others.
    pub(crate) fn windows(&self, part: usize, alone: bool) -> Result<Windows> {
        let (file, within) = self.locate(part);
        if let Some(flow) = &self.flow {
            let (file, pool) = (&self.files[file], &self.pool);
            return Ok(Windows::shared(file, flow, within, self.record_bytes, pool));
        }
        Windows::partition(
            &self.files[file],
            within,
            alone || self.alone,
            self.record_bytes,
            &self.pool,
        )
    }

    /// Whether everything holds that tasks guessed of where records start.
    pub(in crate::source) fn guesses_hold(&self) -> Result<bool> {
        let mut hold = true;
        for file in &self.files {
            hold &= file.guesses_hold()?;
        }
        Ok(hold)
    }

    /// Where a column is in a file.
    pub(super) fn field_in(&self, file: usize, column: usize) -> FieldOf {
        self.fields[file][column]
    }

    /// The same table over a copy of what can be read only once.
    ///
    /// # Errors
    /// No copy can be made any more.
    pub(in crate::source) fn over_copy(
        self: &Arc<Self>,
        cancelled: &Arc<AtomicBool>,
    ) -> Result<Arc<CsvDataset>> {
        let [file] = &self.files[..] else {
            return Ok(self.clone());
        };
        let Some(live) = file.live() else {
            return Ok(self.clone());
        };
        let copy = live.whole(cancelled)?;
        let size = (copy.file().metadata())
            .map_err(|e| Error::io("read", live.name(), &e))?
            .len();
        let found = Found {
            info: FileInfo {
                size,
                ..file.info.clone()
            },
            once: Some(Once::Kept(copy)),
            begin: Counter::default(),
        };
        let (schema, options) = (self.schema.clone(), self.options.clone());
        Ok(Arc::new(CsvDataset {
            record_bytes: self.record_bytes,
            alone: self.alone,
            misfit: AtomicBool::new(self.misfit.load(Relaxed)),
            ..Self::assemble(vec![found], schema, options, self.warnings.clone())
        }))
    }

    /// Some records, and how they are read.
    fn places(&self) -> Option<(&Places, &Reading)> {
        if self.flow.is_some() {
            return None; // who looks at what comes takes it away
        }
        let places = self.places.get_or_init(|| {
            let packed = self.files.iter().filter(|f| f.info.streamed());
            let packed = packed.map(|f| self.rows_in(plain_bytes(f))).sum();
            Places::of(&self.files, self.record_bytes, packed)
        });
        Some((places.as_ref()?, self.readings.first()?))
    }

    /// About how many records so many bytes are.
    fn rows_in(&self, bytes: u64) -> u64 {
        let guess = 8 * self.schema.fields().len().max(1) as u64;
        match self.record_bytes {
            0 => bytes / guess,
            known => bytes / known,
        }
    }

    /// Where a column is in a partition's file.
    pub(crate) fn field_of(&self, part: usize, column: usize) -> FieldOf {
        self.fields[self.locate(part).0][column]
    }

    /// How the fields of a file are read.
    pub(crate) fn reading(&self, file: usize) -> &Reading {
        &self.readings[file]
    }

    /// Rebuilds a dataset from [`Dataset::to_json`], without sniffing.
    ///
    /// # Errors
    /// Of kind `Input`, if it is not what `to_json` gave, or a file has changed its size since.
    pub fn from_json(value: &serde_json::Value) -> Result<Arc<Self>> {
        let wrong = |what: &str| Error::input(format!("a dataset's description is wrong: {what}"));
        let part = |key: &str| value.get(key).cloned().unwrap_or_default();
        let files: Vec<FileInfo> =
            serde_json::from_value(part("files")).map_err(|e| wrong(&e.to_string()))?;
        let columns: Vec<(String, serde_json::Value)> =
            serde_json::from_value(part("columns")).map_err(|e| wrong(&e.to_string()))?;
        let options: ReadOptions =
            serde_json::from_value(part("options")).map_err(|e| wrong(&e.to_string()))?;
        let mut infos = Vec::with_capacity(files.len());
        for info in files {
            let size = std::fs::metadata(&info.path)
                .map_err(|e| Error::io("read", &info.path, &e))?
                .len();
            if size != info.size {
                return Err(Error::input(format!(
                    "{} has changed since the query was planned",
                    info.path.display()
                )));
            }
            infos.push(Found {
                info,
                once: None,
                begin: Counter::default(),
            });
        }
        let fields = columns
            .iter()
            .map(|(n, t)| {
                let ty = t.as_str().and_then(|t| parse_type(t).ok());
                let ty = ty.map_or_else(|| serde_json::from_value(t.clone()), Ok);
                Ok(Field::new(n, ty.map_err(|e| wrong(&e.to_string()))?, true))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(CsvDataset {
            alone: true,
            ..Self::assemble(infos, Arc::new(Schema::new(fields)), options, Vec::new())
        }))
    }
}

impl Dataset for CsvDataset {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        self.parts()
    }
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> Result<Box<dyn Source>> {
        if part >= self.parts() {
            return Err(Error::defect(format!("there is no partition {part}")));
        }
        Ok(Box::new(CsvSource::new(self, part, request)))
    }
    fn bytes(&self) -> u64 {
        self.files.iter().map(stored_bytes).sum()
    }
    fn live(&self) -> Option<&Arc<Live>> {
        self.flow.as_ref()?;
        self.files.first()?.live()
    }
    fn kept(self: Arc<Self>, cancelled: &Arc<AtomicBool>) -> Result<Option<Arc<dyn Dataset>>> {
        Ok(match self.flow {
            Some(_) => Some(self.over_copy(cancelled)?),
            None => None,
        })
    }
    fn ends_before(&self, part: usize) -> bool {
        self.flow.as_ref().is_some_and(|f| f.ends_before(part))
    }
    fn is_idle(&self) -> bool {
        self.flow.as_ref().is_some_and(|f| f.is_idle())
    }
    fn may_widen(&self, columns: &[usize]) -> bool {
        columns
            .iter()
            .any(|&c| !self.law[c] && self.types[c] != types::TEXT)
    }
    fn with_written(self: Arc<Self>, columns: &[usize]) -> Option<Arc<dyn Dataset>> {
        if self.options.strict_types || columns.iter().any(|&c| self.law[c]) {
            return None;
        }
        let hidden = |n: &String| of_file(n) != n.as_str();
        if self.files.iter().any(|f| f.info.names.iter().any(hidden)) {
            return None; // a column of the file's own would be taken for another one's text
        }
        let known: HashSet<&String> = self.schema.fields().iter().map(|f| f.name()).collect();
        let mut fields = self.schema.fields().to_vec();
        for &column in columns {
            let name = as_written(self.schema.field(column).name());
            if !known.contains(&name) {
                fields.push(Arc::new(Field::new(name, types::TEXT, true)));
            }
        }
        Some(Arc::new(self.declared(Arc::new(Schema::new(fields)))))
    }
    fn estimated_rows(&self) -> u64 {
        self.rows_in(self.files.iter().map(plain_bytes).sum())
    }
    fn sample(&self, columns: &[usize]) -> Option<Sample> {
        let (places, reading) = self.places()?;
        let column = |&c: &usize| places.column(self, reading, c);
        Some(Sample {
            columns: columns.iter().map(column).collect::<Option<_>>()?,
            places: places.places.clone(),
            of: places.of,
        })
    }
    fn values(&self, column: usize) -> Option<Values> {
        let (places, reading) = self.places()?;
        places.values(self, reading, column)
    }
    fn block_bytes(&self, _columns: &[usize]) -> u64 {
        // a window and what its last record leaves over, and once more where views of the one before still live
        let of = |f: &Arc<CsvFile>| match f.info.streamed() {
            true => STREAM as u64,
            false => f.blocksize().min(window_bytes(self.record_bytes) as u64),
        };
        2 * self.files.iter().map(of).max().unwrap_or(0)
    }
    fn guesses_hold(&self) -> Result<bool> {
        self.guesses_hold()
    }
    fn describe(&self, part: usize) -> String {
        let (file, within) = self.locate(part);
        let file = &self.files[file];
        match file.info.streamed() {
            true => file.info.path.display().to_string(),
            false => format!(
                "{}, bytes {} to {}",
                file.info.path.display(),
                file.bound(within),
                file.bound(within + 1)
            ),
        }
    }
    fn doubt(&self) {
        self.misfit.store(true, Relaxed);
    }
    fn refine(self: Arc<Self>, columns: &[usize], run: &RunContext) -> Result<Arc<dyn Dataset>> {
        Ok(self.refined(columns, run)?)
    }
    fn first_value(&self, column: usize, test: &dyn Fn(&str) -> bool) -> Result<Option<(String, String)>> {
        super::witness::first(self, column, test)
    }
    fn set_aside(&self, run: &RunContext) -> Result<Option<PathBuf>> {
        let OnBadRow::Reject(path) = &self.options.on_bad_row else {
            return Ok(None);
        };
        reject::complete(self, run)?;
        Ok(Some(path.clone()))
    }
    fn warnings(&self) -> Vec<Warning> {
        let met = ragged::notes(&self.files, &self.options.on_bad_row);
        let met = met.iter().map(|text| note(text, text));
        let retried = self.options.retries.warning();
        self.warnings.iter().cloned().chain(met).chain(retried).collect()
    }
    fn better_header(&self) -> Option<String> {
        let mut found = self.files.iter().map(|f| (f, f.info.lines_before_header));
        let (file, lines) = found.find(|(_, lines)| lines.is_some())?;
        Some(header::better_line(&file.info.path, lines?))
    }
    fn retries(&self) -> u64 {
        self.options.retries.made()
    }
    fn to_json(&self) -> serde_json::Value {
        let columns: Vec<_> = self
            .schema
            .fields()
            .iter()
            .map(|f| (f.name(), type_json(f.data_type())))
            .collect();
        let files: Vec<_> = self.files.iter().map(|f| &f.info).collect();
        json!({ "format": "csv", "files": files, "columns": columns, "options": self.options })
    }
}

/// The bytes of a file; of one that nobody knows the end of a guess.
fn stored_bytes(file: &Arc<CsvFile>) -> u64 {
    match file.info.size {
        flow::UNKNOWN => UNKNOWN_BYTES,
        known => known,
    }
}

/// About the bytes of a file's text; packed text becomes several times as long.
fn plain_bytes(file: &Arc<CsvFile>) -> u64 {
    stored_bytes(file) * if file.info.streamed() { 4 } else { 1 }
}

/// A type by its name; one that only Parquet has (the column is null here) as Arrow writes it.
fn type_json(ty: &DataType) -> serde_json::Value {
    let name = types::name(ty);
    match parse_type(&name) {
        Ok(_) => name.into(),
        Err(_) => serde_json::to_value(ty).unwrap_or_default(),
    }
}

/// The columns of folders, as in `Year=2024/x.csv`, that no file has.
fn folder_fields(paths: &[PathBuf], known: &HashMap<&str, usize>) -> Vec<Field> {
    let pairs: Vec<_> = paths.iter().flat_map(|p| hive::pairs(p)).collect();
    let mut fields: Vec<Field> = Vec::new();
    for (name, _) in &pairs {
        if known.contains_key(name.as_str()) || fields.iter().any(|f| f.name() == name) {
            continue;
        }
        let own = pairs.iter().filter(|(n, _)| n == name);
        let ty = hive::type_of(own.filter_map(|(_, v)| v.as_deref()));
        fields.push(Field::new(name, ty, true));
    }
    fields
}

/// The field of that name: exactly, or the only one that differs by case.
fn named(fields: &[Field], name: &str) -> Option<usize> {
    crate::expr::column_named(name, fields.iter().map(|f| f.name().as_str()))
}

/// Whether a name that was typed is that of a column.
fn is_column(typed: &str, name: &str, schema: &Schema) -> bool {
    let found = crate::expr::column_named(typed, schema.fields().iter().map(|f| f.name().as_str()));
    found.is_some_and(|i| schema.field(i).name() == name)
}

fn reading(options: &ReadOptions, delimiter: u8) -> Reading {
    Reading {
        style: NumberStyle::new(options.decimal_comma, options.thousands),
        marks: marks(options, delimiter),
        nulls: options.nulls.iter().map(|n| n.as_bytes().to_vec()).collect(),
    }
}

fn note(key: &str, text: &str) -> Warning {
    Warning {
        key: key.to_owned(),
        text: text.to_owned(),
    }
}

/// At most forty bytes of a value, for messages.
fn excerpt(value: &[u8]) -> String {
    visible(&String::from_utf8_lossy(&value[..value.len().min(40)])).into_owned()
}

/// The columns of all files, in order of first appearance.
fn unite_names(infos: &[Found], options: &ReadOptions, warnings: &mut Vec<Warning>) -> Result<Vec<String>> {
    let (mut names, mut known) = (Vec::new(), std::collections::HashSet::new());
    for Found { info, .. } in infos {
        for name in &info.names {
            if known.insert(name.clone()) {
                names.push(name.clone());
            }
        }
    }
    for Found { info, .. } in infos.iter().filter(|f| !f.info.names.is_empty()) {
        let own: std::collections::HashSet<&String> = info.names.iter().collect();
        for name in names.iter().filter(|n| !own.contains(n)) {
            let text = format!(
                "column '{name}' is not in {}, where it is null",
                info.path.display()
            );
            if options.union == Union::Strict {
                return Err(
                    Error::input(format!("column '{name}' is not in {}", info.path.display()))
                        .help("use --union by-name to take it as null there"),
                );
            }
            warnings.push(note(&format!("missing {name}"), &text));
        }
    }
    Ok(names)
}
