//! Columns from folder names: `data/Year=2024/Month=1/x.parquet` has `Year` and `Month`.

use std::path::{Component, Path};

use arrow::datatypes::DataType;

use crate::kernel::Scalar;
use crate::kernel::types::TEXT;

/// What writers put for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The `(name, value)` pairs of a file's folders, outermost first.
pub(super) fn pairs(path: &Path) -> Vec<(String, Option<String>)> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    folders
        .filter_map(|c| match c {
            Component::Normal(name) => name.to_str()?.split_once('='),
            _ => None,
        })
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| {
            let value = percent_decoded(value);
            (percent_decoded(name), (value != NULL).then_some(value))
        })
        .collect()
}

/// The narrowest type that holds all values: int64 where each is written as an int would be
/// (`01` is text), date, else text.
pub(super) fn type_of<'a>(values: impl Iterator<Item = &'a str> + Clone) -> DataType {
    if values.clone().all(|v| int(v).is_some()) {
        DataType::Int64
    } else if values.clone().all(|v| date(v).is_some()) {
        DataType::Date32
    } else {
        TEXT
    }
}

/// A value in a type of [`type_of`].
pub(super) fn scalar(value: Option<&str>, ty: &DataType) -> Scalar {
    let Some(text) = value else { return Scalar::Null };
    match ty {
        DataType::Int64 => int(text).map_or(Scalar::Null, Scalar::Int),
        DataType::Date32 => date(text).map_or(Scalar::Null, Scalar::Date),
        _ => Scalar::Text(text.to_string()),
    }
}

fn int(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|n| n.to_string() == text)
}

fn date(text: &str) -> Option<i32> {
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (day.to_string() == text).then(|| chrono::Datelike::num_days_from_ce(&day) - 719_163)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        let code = hex.and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        out.push(code.unwrap_or(bytes[i]));
        i += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_columns() {
        let p = pairs(Path::new("/a/Year=2024/City=S%C3%A3o%20P/x=1.parquet"));
        assert_eq!(
            p,
            [
                ("Year".into(), Some("2024".into())),
                ("City".into(), Some("São P".into()))
            ]
        );
        assert_eq!(
            pairs(Path::new("k=__HIVE_DEFAULT_PARTITION__/x")),
            [("k".into(), None)]
        );
    }

    #[test]
    fn types_are_strict() {
        assert_eq!(type_of(["1", "-2"].into_iter()), DataType::Int64);
        assert_eq!(type_of(["01", "2"].into_iter()), TEXT);
        assert_eq!(type_of(["2024-01-02"].into_iter()), DataType::Date32);
        assert_eq!(scalar(Some("1970-01-02"), &DataType::Date32), Scalar::Date(1));
    }
}
