//! The formats that results can be written in, and what may be chosen about them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, did_you_mean};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table for people: aligned, with a frame.
    Table,
    /// Comma-separated values (RFC 4180, but lines end with LF).
    Csv,
    /// Tab-separated values, quoted like CSV.
    Tsv,
    /// Values separated by `|`, quoted like CSV.
    Psv,
    /// One JSON array of objects, a row a line.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// A Markdown (GitHub) table.
    Markdown,
    /// An HTML `<table>`.
    Html,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC: the file format in files, the stream format on standard output.
    Arrow,
}

const NAMES: &[(&str, Format)] = &[
    ("table", Format::Table),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("psv", Format::Psv),
    ("json", Format::Json),
    ("jsonl", Format::JsonLines),
    ("md", Format::Markdown),
    ("html", Format::Html),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("tab", Format::Tsv),
    ("ndjson", Format::JsonLines),
    ("jsonlines", Format::JsonLines),
    ("markdown", Format::Markdown),
    ("htm", Format::Html),
    ("pq", Format::Parquet),
    ("parq", Format::Parquet),
    ("ipc", Format::Arrow),
    ("feather", Format::Arrow),
    ("txt", Format::Table),
];

impl Format {
    /// The format of that name (`csv`, `jsonl`, `md`, …; case does not matter).
    ///
    /// # Errors
    /// Kind `Usage`, with a suggestion, for an unknown name.
    pub fn from_name(name: &str) -> Result<Format> {
        let lower = name.to_lowercase();
        if let Some((_, f)) = NAMES.iter().find(|(n, _)| *n == lower) {
            return Ok(*f);
        }
        let e = Error::usage(format!("unknown output format {name:?}"));
        Err(match did_you_mean(name, NAMES.iter().map(|(n, _)| *n)) {
            Some(near) => e.help(format!("did you mean {near:?}?")),
            None => e.help("use table, csv, tsv, psv, json, jsonl, md, html, parquet or arrow"),
        })
    }

    /// The format that a file's extension tells, looking below `.gz` and `.zst`; `None` for an
    /// unknown or missing extension.
    pub fn from_path(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = match Compression::from_path(path) {
            Compression::None => name.as_str(),
            _ => name.rsplit_once('.')?.0,
        };
        let (_, extension) = name.rsplit_once('.')?;
        NAMES.iter().find(|(n, _)| *n == extension).map(|(_, f)| *f)
    }

    /// The name of the format, as [`Format::from_name`] takes it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, f)| *f == self).map_or("csv", |(n, _)| n)
    }

    /// Whether fields of a CSV file can stand in it as they are.
    pub fn is_delimited(self) -> bool {
        matches!(self, Format::Csv | Format::Tsv | Format::Psv)
    }

    /// Whether the bytes are for programs only and should not go to a terminal.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }
}

/// Compression of a whole text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// gzip, for `.gz`.
    Gzip,
    /// Zstandard, for `.zst`.
    Zstd,
}

impl Compression {
    /// What a file's extension asks for.
    pub fn from_path(path: &Path) -> Compression {
        let extension = path
            .extension()
            .map(|e| e.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        match extension.as_str() {
            "gz" | "gzip" => Compression::Gzip,
            "zst" | "zstd" => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

/// What may be chosen about a result; the default is right for files and pipes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteOptions {
    /// Parquet: `zstd` (default), `zstd:LEVEL`, `snappy`, `gzip`, `lz4`, `brotli` or `none`.
    /// Text: `gzip`, `zstd` or `none` instead of what the extension says.
    pub compression: Option<String>,
    /// Digits after the point of floats, instead of the shortest text that reads back the same.
    pub float_format: Option<usize>,
    /// Columns of CSV files that go to CSV as they are are written as their values are, not as the file has them.
    pub normalize: bool,
    /// Rows that a table shows (its head and tail); the rest is counted in the footer.
    pub max_table_rows: Option<usize>,
    /// Columns of the terminal: a table leaves out columns that do not fit, and says so.
    pub table_width: Option<usize>,
    /// ANSI colours and weights in tables.
    pub color: bool,
    /// What stands for null: empty in CSV and Markdown, `NULL` in tables if not given. JSON always has `null`.
    pub null: Option<String>,
    /// Leave out the line of column names in CSV, TSV and PSV.
    pub no_header: bool,
    /// Bytes of rows that an encoder may gather for a Parquet row group; as many as are good for
    /// readers if not given. A run sets it by its memory limit.
    pub encoder_bytes: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions() {
        assert_eq!(Format::from_name("CSV").unwrap(), Format::Csv);
        assert!(
            Format::from_name("parqet")
                .unwrap_err()
                .help_text()
                .unwrap()
                .contains("parquet")
        );
        assert_eq!(Format::from_path(Path::new("a/b.csv.gz")), Some(Format::Csv));
        assert_eq!(Format::from_path(Path::new("b.PARQUET")), Some(Format::Parquet));
        assert_eq!(Format::from_path(Path::new("b")), None);
        assert_eq!(Format::from_path(Path::new("x.gz")), None);
        for (_, f) in NAMES {
            assert_eq!(Format::from_name(f.name()).unwrap(), *f);
        }
    }
}
