//! The pages of a column chunk, cut into levels and body, with all sizes checked.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::super::checked::{Checked, LastHeader};
use super::super::file::FileReader;
use super::super::held::Slot;
use super::decompress::decompressed;
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

/// A column chunk of a file.
pub(super) struct Chunk {
    pub file: FileReader,
    pub metadata: Arc<ParquetMetaData>,
    pub group: usize,
    pub leaf: usize,
    /// Where its memory is counted.
    pub slot: Arc<Slot>,
}

impl Chunk {
    fn rows(&self) -> usize {
        self.metadata.row_group(self.group).num_rows().max(0) as usize
    }

    fn column(&self) -> &ColumnChunkMetaData {
        self.metadata.row_group(self.group).column(self.leaf)
    }

    /// Whether its pages are decompressed here: each reader of pages would have a decoder of its own, which takes
    /// 100 kB, more than the pages of a table with many columns.
    fn is_zstd(&self) -> bool {
        matches!(self.column().compression(), Compression::ZSTD(_))
    }

    /// Its pages from a place on, and what is known of their headers.
    fn pages(&self, from: Option<PagePlace>) -> Result<(Reader, Arc<LastHeader>), ParquetError> {
        let whole = self.column();
        let checked = Checked::new(&self.file, std::iter::once((whole, self.slot.clone())));
        let header = checked.header();
        let mut rest = whole.clone().into_builder();
        if self.is_zstd() {
            rest = rest.set_compression(Compression::UNCOMPRESSED);
        }
        if let Some(place) = from {
            let (start, length) = whole.byte_range();
            let left = (start + length).saturating_sub(place.offset);
            rest = rest
                .set_dictionary_page_offset(None)
                .set_data_page_offset(place.offset as i64)
                .set_total_compressed_size(left as i64);
        }
        let reader = SerializedPageReader::new(Arc::new(checked), &rest.build()?, self.rows(), None)?;
        Ok((reader, header))
    }
}

/// Where a data page lies: its header, and its first row.
#[derive(Debug, Clone, Copy)]
pub(super) struct PagePlace {
    offset: u64,
    pub row: usize,
}

type Reader = SerializedPageReader<Checked>;

/// The pages of a chunk, in order.
pub(super) struct Pages {
    chunk: Chunk,
    reader: Reader,
    header: Arc<LastHeader>,
    nullable: bool,
    /// Rows of pages to come.
    rows_left: usize,
    /// The last data page that was read.
    place: Option<PagePlace>,
}

impl Pages {
    pub(super) fn new(chunk: Chunk) -> Result<Pages, ParquetError> {
        let (reader, header) = chunk.pages(None)?;
        Ok(Pages {
            reader,
            header,
            nullable: chunk.column().column_descr().max_def_level() > 0,
            rows_left: chunk.rows(),
            place: None,
            chunk,
        })
    }

    /// The place of the data page that was read last.
    pub(super) fn place(&self) -> Option<PagePlace> {
        self.place
    }

    /// What the column's memory is counted in.
    pub(super) fn slot(&self) -> &Slot {
        &self.chunk.slot
    }

    /// The next page is the one there, or the first.
    pub(super) fn go_to(&mut self, place: Option<PagePlace>) -> Result<(), ParquetError> {
        (self.reader, self.header) = self.chunk.pages(place)?;
        self.rows_left = self.chunk.rows().saturating_sub(place.map_or(0, |p| p.row));
        self.place = place;
        Ok(())
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
        let Some(mut page) = self.reader.get_next_page()? else {
            return Err(wrong(format!("it ends with {left} rows missing")));
        };
        if self.chunk.is_zstd() {
            page = decompressed(page, self.header.plain())?;
        }
        // what it was made of is gone
        self.chunk.slot.hold_anyway(page.buffer().len());
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
        self.place = Some(PagePlace {
            offset: self.header.start(),
            row: self.chunk.rows().saturating_sub(self.rows_left),
        });
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
