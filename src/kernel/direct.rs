//! Writing a large file past the page cache.
//!
//! ```text
//!   bytes ──► buffer of 1 MiB, page-aligned ──► the first 16 MiB as usual, then O_DIRECT ──► the rest as usual
//! ```
//!
//! A large result that goes through the page cache drives out the files it was made of, and costs
//! the kernel fresh pages, which were up to a second of processor time for 400 MiB where memory is
//! lent by a host. Where the file system knows no direct writes, all go the usual way.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memmap2::MmapMut;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Bytes written at once; a multiple of any disk's block.
const BUFFER: usize = 1 << 20;
/// Files smaller than this are written as usual: they are likely to be read again soon.
const USUAL: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    NotYet,
    Direct,
    Refused,
}

/// Appends to a file, from its start.
#[derive(Debug)]
pub struct DirectWriter {
    buffer: MmapMut,
    filled: usize,
    /// Where the buffer belongs in the file.
    at: u64,
    way: Way,
    usual: u64,
}

impl DirectWriter {
    /// A writer for an empty file.
    ///
    /// # Errors
    /// The system gives no memory for the buffer.
    pub fn new() -> io::Result<Self> {
        Ok(DirectWriter {
            buffer: MmapMut::map_anon(BUFFER)?,
            filled: 0,
            at: 0,
            way: Way::NotYet,
            usual: USUAL,
        })
    }

    /// Appends bytes to `file`, always the same one.
    ///
    /// # Errors
    /// Those of the file system; some bytes may have been written.
    pub fn write(&mut self, file: &File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = bytes.len().min(BUFFER - self.filled);
            let (now, later) = bytes.split_at(n);
            self.buffer[self.filled..self.filled + n].copy_from_slice(now);
            (self.filled, bytes) = (self.filled + n, later);
            if self.filled == BUFFER {
                self.flush(file)?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// As for [`DirectWriter::write`].
    pub fn finish(&mut self, file: &File) -> io::Result<()> {
        if self.way == Way::Direct {
            switch(file, false)?;
            self.way = Way::Refused;
        }
        self.flush(file)
    }

    fn flush(&mut self, file: &File) -> io::Result<()> {
        if self.way == Way::NotYet && self.at >= self.usual {
            self.way = if switch(file, true).is_ok() {
                Way::Direct
            } else {
                Way::Refused
            };
        }
        let bytes = &self.buffer[..self.filled];
        match file.write_all_at(bytes, self.at) {
            // also after a short write, as on a full disk: then the usual way tells what is wrong
            Err(e) if self.way == Way::Direct && e.kind() == io::ErrorKind::InvalidInput => {
                switch(file, false)?;
                self.way = Way::Refused;
                file.write_all_at(bytes, self.at)?;
            }
            other => other?,
        }
        self.at += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}

fn switch(file: &File, direct: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there() {
        for usual in [0, 1 << 20, 3 << 20, u64::MAX] {
            let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
            let mut writer = DirectWriter {
                usual,
                ..DirectWriter::new().unwrap()
            };
            let bytes: Vec<u8> = (0..5_000_003u32).map(|i| (i / 7 % 251) as u8).collect();
            let mut rest = bytes.as_slice();
            for n in [1, 4096, 0, 1_048_575, 2_500_000, 17].into_iter().cycle() {
                let (now, later) = rest.split_at(n.min(rest.len()));
                writer.write(&file, now).unwrap();
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            writer.finish(&file).unwrap();
            let mut back = vec![0; bytes.len()];
            file.read_exact_at(&mut back, 0).unwrap();
            assert!(back == bytes && file.metadata().unwrap().len() == bytes.len() as u64);
        }
    }
}
