//! The pages of a column chunk, cut into levels and body, with all sizes checked.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::super::file::{FileReader, HeaderReader};
use super::wrong;
use crate::kernel::bits::BitVec;
use crate::kernel::hybrid::Hybrid;

/// A page of a flat column.
pub(super) enum FlatPage {
    /// Plain values that codes refer to, and their number.
    Dictionary(Bytes, usize),
    Data(DataPage),
}

/// Rows of a column.
pub(super) struct DataPage {
    pub rows: usize,
    /// A bit for each row, set where there is a value; `None`: there are values everywhere.
    pub levels: Option<Levels>,
    pub encoding: Encoding,
    /// The values that are there.
    pub body: Bytes,
}

/// Where the values are.
pub(super) enum Levels {
    Hybrid(Hybrid),
    /// Of the oldest writers.
    Bits(BitVec, usize),
}

impl Levels {
    /// Appends the next `n` bits and gives the number of ones; `None`: there are fewer.
    pub(super) fn read(&mut self, out: &mut BitVec, n: usize) -> Option<usize> {
        match self {
            Levels::Hybrid(h) => h.read_bits(out, n),
            Levels::Bits(bits, at) => {
                let end = *at + n;
                let mut ones = 0;
                while *at < end {
                    let now = (end - *at).min(64);
                    let word = bits.word(*at) & crate::kernel::bits::low(now);
                    ones += word.count_ones() as usize;
                    out.push(word, now);
                    *at += now;
                }
                (end <= bits.len()).then_some(ones)
            }
        }
    }
}

/// What comes next in a chunk.
pub(super) enum Next {
    End,
    /// A data page of that many rows.
    Data(usize),
    Other,
}

/// The pages of a chunk, in order.
pub(super) struct Pages {
    reader: SerializedPageReader<Checked>,
    nullable: bool,
    /// Rows of pages to come.
    rows_left: usize,
}

impl Pages {
    pub(super) fn new(
        reader: &FileReader,
        group: &RowGroupMetaData,
        leaf: usize,
    ) -> Result<Pages, ParquetError> {
        let chunk = group.column(leaf);
        let rows = group.num_rows().max(0) as usize;
        let reader = Arc::new(Checked {
            reader: reader.clone(),
            most: most_expansion(chunk),
        });
        Ok(Pages {
            reader: SerializedPageReader::new(reader, chunk, rows, None)?,
            nullable: chunk.column_descr().max_def_level() > 0,
            rows_left: rows,
        })
    }

    /// Looks at the next page without reading more than its header.
    pub(super) fn peek(&mut self) -> Result<Next, ParquetError> {
        Ok(match self.reader.peek_next_page()? {
            None => Next::End,
            Some(PageMetadata { is_dict: true, .. }) => Next::Other,
            Some(PageMetadata { num_levels, .. }) => match num_levels {
                Some(rows) => Next::Data(self.checked_rows(rows)?),
                None => Next::Other,
            },
        })
    }

    fn checked_rows(&self, rows: usize) -> Result<usize, ParquetError> {
        match rows <= self.rows_left {
            true => Ok(rows),
            false => Err(wrong(format!(
                "a page has {rows} rows where {} are left",
                self.rows_left
            ))),
        }
    }

    /// Passes over the data page that [`Pages::peek`] saw.
    pub(super) fn skip(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.rows_left = self.rows_left.saturating_sub(rows);
        self.reader.skip_next_page()
    }

    /// Reads the next page; an error at the end of the chunk.
    pub(super) fn next(&mut self) -> Result<FlatPage, ParquetError> {
        let left = self.rows_left;
        let Some(page) = self.reader.get_next_page()? else {
            return Err(wrong(format!("it ends with {left} rows missing")));
        };
        let (rows, encoding, levels, body) = match page {
            Page::DictionaryPage {
                buf,
                num_values,
                encoding,
                ..
            } => {
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(wrong(format!("its dictionary is encoded as {encoding}")));
                }
                return Ok(FlatPage::Dictionary(buf, num_values as usize));
            }
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                ..
            } => {
                let rows = self.checked_rows(num_values as usize)?;
                let (levels, body) = match self.nullable {
                    true => first_version(buf, rows, def_level_encoding)?,
                    false => (None, buf),
                };
                (rows, encoding, levels, body)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                num_rows,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let rows = self.checked_rows(num_values as usize)?;
                if num_rows != num_values {
                    return Err(wrong(format!(
                        "a page has {num_values} values for {num_rows} rows"
                    )));
                }
                let start = rep_levels_byte_len as usize;
                let end = start + def_levels_byte_len as usize;
                if end > buf.len() {
                    return Err(wrong(format!(
                        "the levels of a page take {end} of {} bytes",
                        buf.len()
                    )));
                }
                let levels = match self.nullable {
                    true => Hybrid::new(buf.slice(start..end), 1).map(Levels::Hybrid),
                    false => None,
                };
                (rows, encoding, levels, buf.slice(end..))
            }
        };
        self.rows_left -= rows;
        Ok(FlatPage::Data(DataPage {
            rows,
            levels,
            encoding,
            body,
        }))
    }
}

/// Levels and body of a page of version 1.
fn first_version(
    buf: Bytes,
    rows: usize,
    encoding: Encoding,
) -> Result<(Option<Levels>, Bytes), ParquetError> {
    #[expect(deprecated, reason = "files of old writers have it")]
    let old = encoding == Encoding::BIT_PACKED;
    let short = |n: usize| wrong(format!("the levels of a page take {n} of {} bytes", buf.len()));
    if old {
        let bytes = rows.div_ceil(8);
        let packed = buf.get(..bytes).ok_or_else(|| short(bytes))?;
        let mut bits = BitVec::with_capacity(rows);
        for (i, byte) in packed.iter().enumerate() {
            bits.push(byte.reverse_bits() as u64, (rows - i * 8).min(8));
        }
        return Ok((Some(Levels::Bits(bits, 0)), buf.slice(bytes..)));
    }
    if encoding != Encoding::RLE {
        return Err(wrong(format!("the levels of a page are encoded as {encoding}")));
    }
    let head = buf.first_chunk::<4>().ok_or_else(|| short(4))?;
    let end = u32::from_le_bytes(*head) as usize + 4;
    if end > buf.len() {
        return Err(short(end));
    }
    let levels = Hybrid::new(buf.slice(4..end), 1).map(Levels::Hybrid);
    Ok((levels, buf.slice(end..)))
}

/// How many bytes a compressed byte can become, by the nature of the codec.
fn most_expansion(chunk: &ColumnChunkMetaData) -> u64 {
    match chunk.compression() {
        Compression::UNCOMPRESSED => 1,
        Compression::SNAPPY => 22, // 64 bytes from 3
        Compression::LZ4 | Compression::LZ4_RAW => 256,
        Compression::GZIP(_) => 1040,
        _ => 1 << 17, // a zstd block of one byte repeated: 128 KiB from 4 bytes
    }
}

/// A file whose page headers cannot make anyone allocate more than their bytes can become.
struct Checked {
    reader: FileReader,
    most: u64,
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.reader.len()
    }
}

impl ChunkReader for Checked {
    type T = CheckedHeader;

    fn get_read(&self, start: u64) -> Result<CheckedHeader, ParquetError> {
        Ok(CheckedHeader {
            inner: self.reader.get_read(start)?,
            most: self.most,
            fresh: true,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.reader.get_bytes(start, length)
    }
}

/// Reads a header whose sizes are looked at before anybody else does.
struct CheckedHeader {
    inner: HeaderReader,
    most: u64,
    fresh: bool,
}

/// Bytes besides those of the codec's own expansion.
const SLACK: u64 = 4096;

impl Read for CheckedHeader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.fresh) {
            let head = self.inner.fill()?;
            if let Some((plain, stored)) = sizes(head)
                && plain > stored.saturating_mul(self.most) + SLACK
            {
                return Err(io::Error::other(format!(
                    "a page claims that {stored} bytes become {plain}"
                )));
            }
        }
        self.inner.read(out)
    }
}

/// Uncompressed and compressed size from the front of a page header in Thrift's compact protocol:
/// fields 2 and 3, after the type of page, all 32-bit integers. `None` if it does not begin so.
fn sizes(head: &[u8]) -> Option<(u64, u64)> {
    let mut at = 0;
    let mut field = || {
        const NEXT_I32: u8 = 0x15;
        if *head.get(at)? != NEXT_I32 {
            return None;
        }
        at += 1;
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = *head.get(at)?;
            at += 1;
            value |= ((byte & 0x7f) as u64) << shift;
            shift += 7;
            if byte < 0x80 {
                return Some(value >> 1); // zigzag: what is negative is refused elsewhere
            }
            if shift > 35 {
                return None;
            }
        }
    };
    field()?;
    Some((field()?, field()?))
}
