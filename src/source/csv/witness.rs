//! The first value of a column that is not as it should be, for messages.

use super::dataset::{CsvDataset, FieldOf};
use super::rows::{Bad, Rows};
use super::windows::Windows;
use crate::error::Result;
use crate::source::Dataset;

/// So many partitions are looked at: a message must not take as long as the query.
const MOST: usize = 16;

/// Of what comes so many bytes are looked at: they are there.
const LIVE_BYTES: u64 = 64 << 10;

/// The first value that is not null and for which `wanted` holds, and its place: file and line.
pub(super) fn first(
    dataset: &CsvDataset,
    column: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Option<(String, String)>> {
    let mut side = Vec::new();
    // a message must not take away what comes, nor wait for it
    let live = dataset.live();
    if live.is_some_and(|live| !live.is_untouched()) {
        return Ok(None);
    }
    for part in 0..dataset.parts().min(if live.is_some() { 1 } else { MOST }) {
        let (number, _) = dataset.locate(part);
        let (reading, file) = (dataset.reading(number), &dataset.files[number]);
        let FieldOf::Field(c) = dataset.field_of(part, column) else {
            continue;
        };
        let fields = file.info.names.len();
        let mut windows = match live {
            Some(_) => Windows::whole(file)?,
            None => dataset.windows(part, true)?,
        };
        let mut spans = Vec::new();
        while windows.next()? && (live.is_none() || windows.base < LIVE_BYTES) {
            let rows = Rows::of(&windows, fields, &file.marks, |_| Bad::Drop);
            rows.spans(&windows, fields, c, 0..rows.len(fields), &mut spans);
            for &(start, end) in &spans {
                let field = windows.data.get(start as usize..end as usize).unwrap_or_default();
                if reading.is_null(field) {
                    continue;
                }
                let value = reading.with_text(field, &mut side, |text| {
                    std::str::from_utf8(text)
                        .ok()
                        .filter(|t| wanted(t))
                        .map(str::to_string)
                });
                if let Some(value) = value {
                    let line = file.line_column(windows.base + u64::from(start)).0;
                    return Ok(Some((format!("{}:{line}", file.info.path.display()), value)));
                }
            }
        }
    }
    Ok(None)
}
