//! `--on-bad-row reject=FILE`: all rows of too few or too many fields, in input order and once.
//!
//! Tasks set aside what they meet on their way. A query that needs only some rows does not read
//! everything, and how far it gets depends on threads; so what is missing then is looked up
//! afterwards, and the file holds the same whatever was asked.

use super::dataset::CsvDataset;
use super::rows::{Bad, BadRow, Rows};
use super::windows::Windows;
use crate::error::{Error, Kind, Result};
use crate::pipeline::RunContext;

/// The bytes of some records of a window, each as a line.
pub(super) fn lines(windows: &Windows, rows: &[BadRow]) -> Vec<u8> {
    let mut text = Vec::new();
    for row in rows {
        text.extend_from_slice(&windows.data[row.start as usize..row.end as usize]);
        text.push(b'\n');
    }
    text
}

/// Sets aside what partitions hold that the run did not read to their end.
pub(super) fn complete(dataset: &CsvDataset, run: &RunContext) -> Result<()> {
    // Each file may turn out to need the exact reader, once.
    for _ in 0..=dataset.files.len() {
        let outcome = run
            .aside
            .unfinished(dataset.parts())
            .into_iter()
            .try_for_each(|part| partition(dataset, part, run));
        match outcome {
            Err(e) if e.kind() == Kind::Replan => {}
            other => return other,
        }
    }
    Err(Error::defect("the structure of the input would not settle"))
}

fn partition(dataset: &CsvDataset, part: usize, run: &RunContext) -> Result<()> {
    let (file, _) = dataset.locate(part);
    let file = &dataset.files[file];
    let mut windows = dataset.windows(part, true)?;
    while windows.next()? {
        if run.cancelled.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        let mut bad = Vec::new();
        Rows::of(&windows, file.info.names.len(), &file.marks, |row| {
            bad.push(row);
            Bad::Drop
        });
        run.aside.add(&run.spill, part, &lines(&windows, &bad))?;
    }
    run.aside.finished(part);
    Ok(())
}
