//! Rows that the tasks of a scan set aside for another file (`--on-bad-row reject=FILE`).
//!
//! ```text
//!   task 3 ──► "row\nrow\n" ─┐                               ┌─ partition 0
//!   task 0 ──► "row\n" ──────┼─► one spill file + places ──► ├─ partition 3    when the run is over
//!   task 7 ──► "row\n" ──────┘                               └─ partition 7
//! ```
//!
//! Tasks end in any order and may not run at all (enough rows were found, or the run is done
//! again): so what they set aside belongs to one run, is kept by partition, and is put in order at
//! the end. The bytes lie in a spill file; only their places are in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::memory::{SpillBlock, SpillDir, SpillWriter};

/// What the tasks of one run set aside.
#[derive(Debug, Default)]
pub struct Aside(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    writer: Option<SpillWriter>,
    /// Partitions and what each set aside, in the order in which it did.
    pieces: Vec<(usize, SpillBlock)>,
    whole: BTreeSet<usize>,
}

impl Aside {
    /// Keeps `bytes` of partition `part`, behind what the same partition set aside before.
    ///
    /// # Errors
    /// The spill file cannot be written.
    pub fn add(&self, spill: &Arc<SpillDir>, part: usize, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut inner = self.0.lock().map_err(|_| Error::defect("a worker died"))?;
        let writer = match &mut inner.writer {
            Some(w) => w,
            none => none.insert(spill.create()?),
        };
        let block = writer.write_bytes(bytes, 0)?;
        inner.pieces.push((part, block));
        Ok(())
    }

    /// Notes that all of partition `part` was seen.
    pub fn finished(&self, part: usize) {
        if let Ok(mut inner) = self.0.lock() {
            inner.whole.insert(part);
        }
    }

    /// The partitions among the first `parts` that were not seen to their end; what they set aside
    /// so far is forgotten.
    pub fn unfinished(&self, parts: usize) -> Vec<usize> {
        let Ok(mut inner) = self.0.lock() else {
            return Vec::new();
        };
        let Inner { pieces, whole, .. } = &mut *inner;
        pieces.retain(|(part, _)| whole.contains(part));
        (0..parts).filter(|p| !whole.contains(p)).collect()
    }

    /// Hands all of it to `take`, in the order of the partitions.
    ///
    /// # Errors
    /// Those of `take`, and of reading the spill file.
    pub fn in_order(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut inner = self.0.lock().map_err(|_| Error::defect("a worker died"))?;
        inner.pieces.sort_by_key(|(part, _)| *part); // stable: each partition's own stay in order
        let Some(writer) = &inner.writer else {
            return Ok(());
        };
        let file = writer.file();
        for (_, block) in &inner.pieces {
            take(&file.read_bytes(block)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_in_order_and_only_whole_ones() {
        let spill = SpillDir::new(std::env::temp_dir(), u64::MAX, Arc::default());
        let aside = Aside::default();
        for (part, text) in [(2, "e"), (0, "a"), (1, "x"), (0, "b"), (2, "f")] {
            aside.add(&spill, part, text.as_bytes()).unwrap();
        }
        aside.finished(0);
        aside.finished(2);
        assert_eq!(aside.unfinished(4), [1, 3]);
        aside.add(&spill, 3, b"g").unwrap();
        aside.add(&spill, 1, b"c").unwrap();
        let mut all = Vec::new();
        aside
            .in_order(&mut |bytes| {
                all.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        assert_eq!(all, b"abcefg");
    }
}
