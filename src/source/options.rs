//! How inputs are to be read: everything that flags say about files, as plain data.

use std::path::PathBuf;

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, no_column};
use crate::kernel::types;
use crate::memory::Retries;

/// What to do with a row that has too few or too many fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadRow {
    /// Fail, naming the first three places and the count.
    #[default]
    Error,
    /// Leave the row out.
    Skip,
    /// Missing fields are null, surplus fields are dropped.
    Pad,
    /// Leave the row out; this file gets the bytes of all such rows of the inputs, in their order.
    Reject(PathBuf),
}

/// How files with different columns become one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Union {
    /// Columns are matched by name; a missing one is null.
    #[default]
    ByName,
    /// A missing column is an error.
    Strict,
}

/// What a file is, where its name does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Comma-separated text and its relatives.
    Csv,
    /// Parquet.
    Parquet,
}

/// How inputs are to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// Between fields; none: by extension and header.
    pub delimiter: Option<u8>,
    /// Around fields; none: no quoting at all.
    pub quote: Option<u8>,
    /// Makes the next byte literal (`\`); none: quotes are doubled.
    pub escape: Option<u8>,
    /// Lines that begin with it are skipped; at most 15 bytes.
    pub comment: Option<String>,
    /// Blanks around fields, also around their quotes, are no part of them.
    pub trim: bool,
    /// In numbers, a comma is what others have a point for.
    pub decimal_comma: bool,
    /// What stands between groups of digits.
    pub thousands: Option<char>,
    /// Physical lines to skip at the start of each file.
    pub skip_rows: u64,
    /// Whether the first row names the columns; none: it does.
    pub header: Option<bool>,
    /// Names and number of the columns, whatever the header says.
    pub names: Option<Vec<String>>,
    /// A label that `encoding_rs` knows, or `utf8-lossy`; none: UTF-8, or what a BOM says.
    pub encoding: Option<String>,
    /// Texts that mean null, in every type; empty: the usual ones, in columns that are not text.
    pub nulls: Vec<String>,
    /// Types that are law: (column, type); the column [`ALL_COLUMNS`] stands for those that are not named.
    pub types: Vec<(String, String)>,
    /// Which tables must have the columns that `types` names.
    #[serde(skip)]
    pub types_of: TypesOf,
    /// Parquet columns of bytes that nothing is said about are text, which they must be.
    pub binary_as_text: bool,
    /// A value that does not fit the sampled type is an error.
    pub strict_types: bool,
    /// What happens to rows with too few or too many fields.
    pub on_bad_row: OnBadRow,
    /// How files with different columns are united.
    pub union: Union,
    /// The name of a column that holds each row's file.
    pub filename_col: Option<String>,
    /// What the files are, whatever their names say.
    pub format: Option<Format>,
    /// Bytes of a partition; none: chosen.
    pub blocksize: Option<u64>,
    /// How often a read that failed for a moment is tried again.
    pub retries: Retries,
    /// Types found by an exact pass: (column, type).
    pub widened: Vec<(String, String)>,
    /// Worker threads, which read headers.
    pub threads: usize,
    /// Columns that files of another format have, so that `types` may name them.
    #[serde(skip)]
    pub known_elsewhere: Vec<String>,
    /// The memory limit of the run to come.
    #[serde(skip)]
    pub memory: Option<usize>,
}

/// In [`ReadOptions::types`], all columns that it does not name.
pub const ALL_COLUMNS: &str = "*";

/// Which of several tables that are read with the same options must have the columns whose types are law.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TypesOf {
    /// Each that is read.
    #[default]
    EachTable,
    /// One of them; whoever reads them asks [`ReadOptions::find_typed`].
    AnyTable,
    /// One that a later statement may read.
    LaterTable,
}

impl ReadOptions {
    /// Looks for the columns whose types are law.
    ///
    /// # Errors
    /// One is not among `columns`.
    pub fn find_typed<'a>(&self, columns: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
        let missing = |(name, _): &&(String, String)| {
            name != ALL_COLUMNS && crate::expr::column_named(name, columns.clone()).is_none()
        };
        match self.types.iter().find(missing) {
            Some((name, _)) => Err(no_column(name, columns)),
            None => Ok(()),
        }
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            delimiter: None,
            quote: Some(b'"'),
            escape: None,
            comment: None,
            trim: false,
            decimal_comma: false,
            thousands: None,
            skip_rows: 0,
            header: None,
            names: None,
            encoding: None,
            nulls: Vec::new(),
            types: Vec::new(),
            types_of: TypesOf::EachTable,
            binary_as_text: false,
            strict_types: false,
            on_bad_row: OnBadRow::Error,
            union: Union::ByName,
            filename_col: None,
            format: None,
            blocksize: None,
            retries: Retries::default(),
            widened: Vec::new(),
            threads: 2,
            known_elsewhere: Vec::new(),
            memory: None,
        }
    }
}

impl ReadOptions {
    /// An error where options contradict each other.
    ///
    /// # Errors
    /// Of kind `Usage`.
    pub fn check(&self) -> Result<()> {
        if let Some(prefix) = self.comment.as_ref().filter(|p| p.is_empty() || p.len() > 15) {
            return Err(Error::usage(format!("comments cannot begin with {prefix:?}"))
                .help("1 to 15 bytes, such as '#' or '##'"));
        }
        let point = if self.decimal_comma { ',' } else { '.' };
        match self.thousands {
            Some(mark)
                if mark == point || mark.is_ascii_alphanumeric() || matches!(mark, '-' | '+' | '"') =>
            {
                Err(
                    Error::usage(format!("{mark:?} cannot stand between groups of digits"))
                        .help("with --decimal-comma it is often '.', else ','"),
                )
            }
            _ => Ok(()),
        }
    }
}

/// The type that people mean by a name, as [`types::name`] writes it or a common short form.
///
/// # Errors
/// Of kind `Usage`, when nobody could mean a type by it.
pub fn parse_type(name: &str) -> Result<DataType> {
    let lower = name.trim().to_ascii_lowercase();
    Ok(match lower.as_str() {
        "null" => DataType::Null,
        "bool" | "boolean" => DataType::Boolean,
        "int" | "int64" | "integer" | "bigint" | "i64" => DataType::Int64,
        "float" | "float64" | "double" | "f64" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" | "datetime" => types::timestamp(),
        "timestamp (utc)" | "timestamptz" | "timestamp_utc" => types::timestamp_utc(),
        "text" | "string" | "str" | "utf8" | "varchar" => types::TEXT,
        "decimal" => DataType::Decimal128(38, 0),
        other => return parse_decimal(other).ok_or_else(|| unknown_type(name)),
    })
}

fn parse_decimal(text: &str) -> Option<DataType> {
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (p, s) = inner.split_once(',').unwrap_or((inner, "0"));
    let (p, s): (u8, i8) = (p.trim().parse().ok()?, s.trim().parse().ok()?);
    ((1..=38).contains(&p) && (0..=p as i8).contains(&s)).then_some(DataType::Decimal128(p, s))
}

fn unknown_type(name: &str) -> Error {
    Error::usage(format!("there is no type '{name}'"))
        .help("the types are bool, int64, float64, decimal(p,s), date, timestamp, timestamp_utc and text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_read_back() {
        for ty in [
            DataType::Null,
            DataType::Boolean,
            DataType::Int64,
            DataType::Float64,
            DataType::Decimal128(12, 2),
            DataType::Date32,
            types::timestamp(),
            types::timestamp_utc(),
            types::TEXT,
        ] {
            assert_eq!(parse_type(&types::name(&ty)).unwrap(), ty);
        }
        assert!(parse_type("decimal(99,1)").is_err());
        assert!(parse_type("colour").is_err());
    }
}
