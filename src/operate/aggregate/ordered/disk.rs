//! What a sink keeps once memory is refused: its rows on disk, as they came.
//!
//! ```text
//!   blocks ─► 64k rows: widths │ column │ column │ …   one write
//!          └► every 256th row's keys stay in memory, to place ranges by
//! ```
//!
//! Ids of texts mean what they mean in the sink's dictionaries, which stay in memory.

use std::sync::Arc;

use super::kept::Block;
use super::stored::{get, put};
use crate::error::{Error, Result};
use crate::memory::{SpillBlock, SpillFile, SpillWriter};
use crate::operate::sort::cells::{Cells, Width};
use crate::pipeline::RunContext;

/// Rows that are written at once, about; fewer where they are wide.
const WRITE_ROWS: usize = 64 << 10;
/// The sample holds at most twice so many rows; then every other one goes.
const SAMPLE_ROWS: usize = 32 << 10;

/// Rows on disk.
#[derive(Debug)]
pub(super) struct Disk {
    file: SpillWriter,
    pub(super) written: Vec<SpillBlock>,
    /// Keys of every [`Disk::step`]-th row.
    pub(super) sample: Vec<Block>,
    sampled: usize,
    /// Every so many rows there is one in the sample.
    step: usize,
    row_bytes: usize,
    /// Bytes that are written at once, about.
    write_bytes: usize,
}

impl Disk {
    pub(super) fn new(run: &RunContext, step: usize) -> Result<Disk> {
        Ok(Disk {
            file: run.spill.create()?,
            written: Vec::new(),
            sample: Vec::new(),
            sampled: 0,
            step,
            row_bytes: 0,
            write_bytes: run.batch_bytes(),
        })
    }

    /// Writes blocks, of which the first `keys` columns are keys; each is freed once it is written.
    pub(super) fn write(&mut self, blocks: Vec<Block>, keys: usize) -> Result<()> {
        let mut together: Vec<Block> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        for block in blocks {
            self.look(&block, keys)?;
            rows += block.rows;
            bytes += block.columns.iter().map(Cells::bytes).sum::<usize>();
            together.push(block);
            if rows >= WRITE_ROWS || bytes >= self.write_bytes {
                self.write_one(&std::mem::take(&mut together), std::mem::take(&mut rows))?;
                bytes = 0;
            }
        }
        match rows {
            0 => Ok(()),
            _ => self.write_one(&together, rows),
        }
    }

    fn write_one(&mut self, blocks: &[Block], rows: usize) -> Result<()> {
        let columns = blocks.first().map_or(0, |b| b.columns.len());
        let width = |c: usize| blocks.iter().map(|b| b.columns[c].width()).max().unwrap_or(1);
        let mut bytes: Vec<u8> = (0..columns).map(width).collect();
        let row: usize = bytes.iter().map(|&w| w as usize).sum();
        bytes.reserve_exact(rows * row);
        for c in 0..columns {
            let width = bytes[c];
            blocks
                .iter()
                .try_for_each(|b| put(&b.columns[c], 0..b.rows, width, &mut bytes))?;
        }
        self.row_bytes = self.row_bytes.max(row);
        let rows = u32::try_from(rows).map_err(|_| Error::defect("a block of too many rows"))?;
        self.written.push(self.file.write_bytes(&bytes, rows)?);
        Ok(())
    }

    fn look(&mut self, block: &Block, keys: usize) -> Result<()> {
        let some = every(block, keys, self.step)?;
        self.sampled += some.rows;
        self.sample.push(some);
        match self.sampled > 2 * SAMPLE_ROWS {
            true => self.thin(2 * self.step, keys),
            false => Ok(()),
        }
    }

    /// Leaves only every `step`-th row in the sample, a multiple of what it was.
    pub(super) fn thin(&mut self, step: usize, keys: usize) -> Result<()> {
        if step == self.step {
            return Ok(());
        }
        let blocks = self.sample.iter().map(|b| every(b, keys, step / self.step));
        self.sample = blocks.collect::<Result<_>>()?;
        self.sampled = self.sample.iter().map(|b| b.rows).sum();
        self.step = step;
        Ok(())
    }

    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// Bytes of the widest row.
    pub(super) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    pub(super) fn file(&self) -> Arc<SpillFile> {
        self.file.file()
    }

    /// What stays in memory.
    pub(super) fn bytes(&self) -> usize {
        let sample = self.sample.iter().flat_map(|b| &b.columns).map(Cells::bytes);
        sample.sum::<usize>() + self.written.capacity() * size_of::<SpillBlock>()
    }
}

/// The keys of every `step`-th row.
pub(super) fn every(block: &Block, keys: usize, step: usize) -> Result<Block> {
    let at: Vec<(u32, u32)> = (0..block.rows as u32).step_by(step).map(|r| (0, r)).collect();
    let columns = block.columns[..keys].iter().map(|c| Cells::gather(&[c], &at));
    Ok(Block {
        columns: columns.collect::<Result<_>>()?,
        rows: at.len(),
    })
}

/// Reads rows of `columns` columns that a [`Disk`] wrote.
pub(super) fn read(file: &SpillFile, block: &SpillBlock, columns: usize) -> Result<Block> {
    let bytes = file.read_bytes(block)?;
    let rows = block.rows as usize;
    let broken = || Error::defect("kept rows came back broken");
    let (widths, mut rest): (&[Width], _) = bytes.split_at_checked(columns).ok_or_else(broken)?;
    let column = |&width: &Width| {
        let (column, behind) = rest.split_at_checked(rows * width as usize).ok_or_else(broken)?;
        rest = behind;
        Ok(get(column, width))
    };
    let columns = widths.iter().map(column).collect::<Result<_>>()?;
    Ok(Block { rows, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(from: i64, rows: i64, wide: bool) -> Block {
        let narrow = (from..from + rows).map(|i| (i % 100) as i8).collect::<Vec<_>>();
        let long = (from..from + rows).map(|i| if i % 7 == 0 { i64::MIN } else { i });
        let second = match wide {
            true => Cells::I64(long.collect::<Vec<_>>().into()),
            false => Cells::I16(
                (from..from + rows)
                    .map(|i| (i % 7) as i16)
                    .collect::<Vec<_>>()
                    .into(),
            ),
        };
        Block {
            rows: rows as usize,
            columns: vec![Cells::I8(narrow.into()), second],
        }
    }

    fn ints(cells: &Cells) -> Vec<Option<i128>> {
        (0..cells.len()).map(|r| cells.int(r)).collect()
    }

    #[test]
    fn blocks_of_several_widths_come_back_and_the_sample_stays_small() {
        let run = RunContext::of_test(1 << 20, 1);
        let mut disk = Disk::new(&run, 2).unwrap();
        let many = 40;
        let all = || (0..many).map(|b| block(b * 5000, 5000, b % 3 == 0));
        disk.write(all().take(15).collect(), 1).unwrap();
        disk.write(all().skip(15).collect(), 1).unwrap();
        let file = disk.file();
        let read: Vec<Block> = disk.written.iter().map(|b| read(&file, b, 2).unwrap()).collect();
        assert!(read.len() > 2 && read.len() < 6, "{} writes", read.len());
        for c in 0..2 {
            let ours: Vec<_> = read.iter().flat_map(|b| ints(&b.columns[c])).collect();
            let theirs: Vec<_> = all().flat_map(|b| ints(&b.columns[c])).collect();
            assert!(ours == theirs, "column {c}");
        }
        let rows: usize = disk.sample.iter().map(|b| b.rows).sum();
        assert!(disk.step() > 2 && disk.step().is_power_of_two());
        assert!(rows <= 2 * SAMPLE_ROWS && rows > SAMPLE_ROWS / 2, "{rows} rows");
        assert!(disk.sample.iter().all(|b| b.columns.len() == 1));
    }
}
