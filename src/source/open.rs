//! From what people type to a dataset: globs are expanded, each file goes to its format, and two
//! formats unite.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::CsvDataset;
use super::foreign;
use super::glob::{self, Files};
use super::parquet::{ParquetDataset, ParquetOptions};
use super::stdin::is_pipe;
use super::{Dataset, Format, OnBadRow, OnePartition, ReadOptions, TypesOf, Union, UnionDataset};
use crate::error::{Error, Result};
use crate::memory::CopyDir;
use crate::observe::Warning;

/// Opens `inputs` (paths, globs, folders, lists, `-`) as one table. `threads` read footers;
/// `memory` is the limit of the run to come, `copies` where one of standard input goes. Besides the table:
/// what to tell the user about the names.
///
/// # Errors
/// Nothing is found, a file cannot be opened, or its header or footer makes no sense.
pub fn open(
    inputs: &[OsString],
    options: &ReadOptions,
    threads: usize,
    memory: usize,
    copies: &CopyDir,
) -> Result<(Arc<dyn Dataset>, Vec<Warning>)> {
    let Files { paths, repeated } = glob::expand(inputs)?;
    if let OnBadRow::Reject(file) = &options.on_bad_row {
        check_reject(file, &paths)?;
    }
    let mut notes: Vec<String> = repeated
        .iter()
        .map(|path| format!("{} is named more than once, but read once", path.display()))
        .collect();
    // who names each file knows what they are
    if paths.len() > inputs.len() {
        notes.extend(glob::copies(&paths));
    }
    let notes = notes.into_iter().map(|text| Warning {
        key: text.clone(),
        text,
    });
    let options = ReadOptions {
        threads,
        memory: Some(memory),
        retries: options.retries.fresh(),
        ..options.clone()
    };
    Ok((open_files(&paths, &options, copies)?, notes.collect()))
}

/// An error where rejected rows would take the place of a file that is read.
fn check_reject(file: &Path, paths: &[PathBuf]) -> Result<()> {
    let Ok(target) = file.canonicalize() else {
        return Ok(()); // not there yet
    };
    match paths.iter().find(|p| p.canonicalize().is_ok_and(|p| p == target)) {
        Some(path) => {
            let what = format!(
                "{} is read, so rejected rows cannot be written there",
                path.display()
            );
            Err(Error::usage(what).help("--on-bad-row reject=FILE with another file"))
        }
        None => Ok(()),
    }
}

fn open_files(paths: &[PathBuf], options: &ReadOptions, copies: &CopyDir) -> Result<Arc<dyn Dataset>> {
    let formats = paths
        .iter()
        .map(|p| format_of(p, options))
        .collect::<Result<Vec<_>>>()?;
    let of = |wanted: Format| {
        let these = paths.iter().zip(&formats).filter(|(_, f)| **f == wanted);
        these.map(|(p, _)| p.clone()).collect::<Vec<_>>()
    };
    let (csv, parquet) = (of(Format::Csv), of(Format::Parquet));
    let mut csv_options = options.clone();
    if parquet.is_empty() {
        return Ok(CsvDataset::open(&csv, &csv_options, copies)?);
    }
    let parquet_options = ParquetOptions {
        strict: options.union == Union::Strict,
        filename_column: options.filename_col.clone(),
        threads: options.threads,
        retries: csv_options.retries.clone(),
        types: options.types.clone(),
        binary_as_text: options.binary_as_text,
        ..ParquetOptions::default()
    };
    let parquet = ParquetDataset::open(&parquet, &parquet_options)?;
    if csv.is_empty() {
        if options.types_of == TypesOf::EachTable {
            options.find_typed(parquet.schema().fields().iter().map(|f| f.name().as_str()))?;
        }
        return Ok(Arc::new(parquet));
    }
    let names = parquet.schema().fields().iter().map(|f| f.name().clone());
    csv_options.known_elsewhere = names.collect();
    let csv = CsvDataset::open(&csv, &csv_options, copies)?.over_copy(&copies.cancelled)?;
    let filename_col = options.filename_col.as_deref();
    let union = UnionDataset::new(&csv, &parquet, formats, options.union, filename_col)?;
    Ok(Arc::new(union))
}

/// A dataset from the JSON that [`Dataset::to_json`] made.
///
/// # Errors
/// It is no such JSON, or the files have changed.
pub fn from_json(value: &serde_json::Value) -> Result<Arc<dyn Dataset>> {
    match value.get("format").and_then(|f| f.as_str()) {
        Some("parquet") => Ok(Arc::new(ParquetDataset::from_json(value)?)),
        Some("series") => Ok(Arc::new(super::SeriesDataset::from_json(value)?)),
        Some("values") => Ok(Arc::new(super::MemoryDataset::from_json(value)?)),
        Some("partition") => Ok(Arc::new(OnePartition::from_json(value)?)),
        Some("union") => Ok(Arc::new(UnionDataset::from_json(value)?)),
        _ => Ok(CsvDataset::from_json(value)?),
    }
}

/// By option, or the first bytes, whatever the name says; a name of Parquet is taken at its word, so that damage
/// to such a file is told by who knows the format.
fn format_of(path: &PathBuf, options: &ReadOptions) -> Result<Format> {
    if let Some(f) = options.format {
        return Ok(f);
    }
    if let Some("parquet" | "pq" | "parq") = foreign::ending(path).as_deref() {
        return Ok(Format::Parquet);
    }
    if path.as_os_str() == "-" || is_pipe(path) {
        return Ok(Format::Csv);
    }
    let mut first = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read(&mut f, &mut first));
    let n = read.map_err(|e| Error::io("read", path, &e))?;
    Ok(match foreign::is_parquet(&first[..n]) {
        true => Format::Parquet,
        false => Format::Csv,
    })
}
