//! A file of which page headers are looked at before any decoder believes them.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::file::{FileReader, HeaderReader};
use super::held::{REFUSED, Slot};

/// How many bytes a compressed byte can become, by the nature of the codec.
fn most_expansion(chunk: &ColumnChunkMetaData) -> u64 {
    match chunk.compression() {
        Compression::UNCOMPRESSED => 1,
        Compression::SNAPPY => 22, // 64 bytes from 3
        Compression::LZ4 | Compression::LZ4_RAW => 256,
        Compression::GZIP(_) => 1040,
        Compression::BROTLI(_) => u64::MAX, // a gigabyte from 1.6 KB was seen: only the budget bounds it
        _ => 1 << 17,                       // a zstd block of one byte repeated: 128 KiB from 4 bytes
    }
}

/// A file whose page headers cannot make anyone allocate more than their bytes can become, nor more
/// than the memory that there is.
pub(super) struct Checked {
    reader: FileReader,
    chunks: Vec<Chunk>,
    header: Arc<LastHeader>,
}

/// What is known of the page header that was read last.
#[derive(Debug, Default)]
pub(super) struct LastHeader {
    start: AtomicU64,
    plain: AtomicU64,
}

impl LastHeader {
    /// Where it begins.
    pub(super) fn start(&self) -> u64 {
        self.start.load(Relaxed)
    }

    /// Bytes of its page once that is decompressed.
    pub(super) fn plain(&self) -> usize {
        self.plain.load(Relaxed) as usize
    }
}

/// A column chunk that is read.
#[derive(Clone)]
struct Chunk {
    bytes: Range<u64>,
    most: u64,
    slot: Arc<Slot>,
}

impl Checked {
    /// The file, of which these chunks are read, each with where its memory is counted.
    pub(super) fn new<'a>(
        reader: &FileReader,
        chunks: impl Iterator<Item = (&'a ColumnChunkMetaData, Arc<Slot>)>,
    ) -> Checked {
        let chunks = chunks.map(|(chunk, slot)| {
            let (start, length) = chunk.byte_range();
            Chunk {
                bytes: start..start.saturating_add(length),
                most: most_expansion(chunk),
                slot,
            }
        });
        Checked {
            reader: reader.clone(),
            chunks: chunks.collect(),
            header: Arc::default(),
        }
    }

    /// The last header that was read, kept up to date.
    pub(super) fn header(&self) -> Arc<LastHeader> {
        self.header.clone()
    }
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.reader.len()
    }
}

impl ChunkReader for Checked {
    type T = CheckedHeader;

    fn get_read(&self, start: u64) -> Result<CheckedHeader, ParquetError> {
        let chunk = self.chunks.iter().find(|c| c.bytes.contains(&start));
        // a reader may look for the place behind the last page
        let chunk = chunk.or(self.chunks.first()).cloned();
        Ok(CheckedHeader {
            inner: self.reader.get_read(start)?,
            chunk: chunk.ok_or_else(|| ParquetError::General("it has no chunk".into()))?,
            header: self.header.clone(),
            fresh: Some(start),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.reader.get_bytes(start, length)
    }
}

/// Reads a header whose sizes are looked at before anybody else does.
pub(super) struct CheckedHeader {
    inner: HeaderReader,
    chunk: Chunk,
    header: Arc<LastHeader>,
    /// Where the header begins, until it is read.
    fresh: Option<u64>,
}

/// Bytes besides those of the codec's own expansion.
const SLACK: u64 = 4096;

impl CheckedHeader {
    fn check(&mut self) -> io::Result<()> {
        let Some(sizes) = sizes(self.inner.fill()?) else {
            return Err(io::Error::other("a page header makes no sense"));
        };
        let (plain, stored) = (sizes.plain, sizes.stored);
        if plain > stored.saturating_mul(self.chunk.most).saturating_add(SLACK) {
            let what = format!("a page claims that {stored} bytes become {plain}");
            return Err(io::Error::other(what));
        }
        // what cannot be read is not asked for, either
        let stored = stored.min(self.inner.bytes_left());
        let wanted = plain.saturating_add(stored).try_into().unwrap_or(usize::MAX);
        let fits = match sizes.dictionary {
            // the page, and what is made of it
            true => self.chunk.slot.page(wanted) && self.chunk.slot.dictionary(plain as usize),
            false => self.chunk.slot.page(wanted),
        };
        self.header.plain.store(plain, Relaxed);
        fits.then_some(()).ok_or_else(|| io::Error::other(REFUSED))
    }
}

impl Read for CheckedHeader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(start) = self.fresh.take() {
            self.header.start.store(start, Relaxed);
            self.check()?;
        }
        self.inner.read(out)
    }
}

/// What a page header says of its page.
#[derive(Debug, PartialEq)]
struct Sizes {
    plain: u64,
    stored: u64,
    dictionary: bool,
}

/// The sizes from the front of a page header in Thrift's compact protocol: fields 1 to 3, the type of
/// the page and its bytes plain and stored, all 32-bit integers. `None` if it does not begin with them.
fn sizes(head: &[u8]) -> Option<Sizes> {
    const I32: u8 = 5;
    const DICTIONARY: u64 = 2;
    let mut at = 0;
    let mut varint = |long: bool| {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = *head.get(at)?;
            at += 1;
            if !long {
                return Some(u64::from(byte));
            }
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return Some(value);
            }
            if shift > 35 {
                return None;
            }
        }
    };
    let mut found = [None; 3];
    let mut last = 0;
    while found.contains(&None) {
        let head = varint(false)?;
        if head as u8 & 0x0f != I32 {
            return None;
        }
        last = match head >> 4 {
            0 => varint(true)? >> 1,
            delta => last + delta,
        };
        let value = varint(true)? >> 1; // zigzag: what is negative is refused elsewhere
        *found.get_mut((last as usize).checked_sub(1)?)? = Some(value);
    }
    Some(Sizes {
        plain: found[1]?,
        stored: found[2]?,
        dictionary: found[0]? == DICTIONARY,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_the_short_and_the_long_form() {
        let of = |plain, stored, dictionary| {
            Some(Sizes {
                plain,
                stored,
                dictionary,
            })
        };
        assert_eq!(sizes(&[0x15, 0, 0x15, 20, 0x15, 0x80, 2, 0]), of(10, 128, false));
        assert_eq!(sizes(&[0x15, 4, 0x15, 2, 0x15, 4]), of(1, 2, true));
        // field numbers written out, and in another order
        assert_eq!(sizes(&[0x05, 6, 4, 0x05, 4, 2, 0x05, 2, 0]), of(1, 2, false));
        for bad in [
            &[][..],
            &[0x15],
            &[0x15, 0, 0x15, 20],
            &[0x15, 0, 0x28, 20, 0x15, 2],
            &[0; 9],
        ] {
            assert_eq!(sizes(bad), None, "{bad:?}");
        }
    }
}
