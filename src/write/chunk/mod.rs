//! Column chunks of the commonest types, encoded at once from all batches of a row group: a few
//! tight loops over a column, where the general writer hashes value by value.
//!
//! ```text
//!   arrays of a column ─► values without nulls ─► dictionary? ─► codes  ─► pages ─► zstd ─► chunk
//!                                                       └──────► values ─┘
//! ```
//!
//! Nullable top-level integers, dates, times and text only; [`encode`] leaves the rest, and other
//! codecs than zstd and none, to the general writer.

mod hybrid;
mod ints;
#[cfg(test)]
mod tests;
mod texts;

use arrow::array::BooleanBufferBuilder;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use self::texts::{Interner, Texts};
use crate::error::{Error, Result};

/// Rows of a page, at most.
const PAGE_ROWS: usize = 1 << 16;
/// Bytes of a page of plain text, about at most.
const PAGE_BYTES: usize = 1 << 20;
/// Longer texts are left out of the statistics.
const STATISTICS_BYTES: usize = 64;

/// A finished column chunk.
pub(super) struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

/// Compresses pages; its state is reused from chunk to chunk.
pub(super) struct Compressor {
    codec: Compression,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Compressor {
    /// `None` for codecs that are left to the general writer.
    pub(super) fn new(codec: Compression) -> Result<Option<Compressor>> {
        let zstd = match codec {
            Compression::UNCOMPRESSED => None,
            Compression::ZSTD(level) => {
                let failed = |e| Error::defect(format!("cannot start the zstd encoder: {e}"));
                Some(zstd::bulk::Compressor::new(level.compression_level()).map_err(failed)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Compressor { codec, zstd }))
    }

    fn compress(&mut self, raw: Vec<u8>) -> Result<Vec<u8>> {
        match &mut self.zstd {
            None => Ok(raw),
            Some(z) => z
                .compress(&raw)
                .map_err(|e| Error::defect(format!("cannot compress a Parquet page: {e}"))),
        }
    }
}

/// Whether the arrays of a column, of a type as written, can be encoded here.
pub(super) fn takes(array: &ArrayRef, descriptor: &ColumnDescPtr) -> bool {
    use arrow::datatypes::{DataType as D, TimeUnit};
    let flat = descriptor.max_rep_level() == 0 && descriptor.max_def_level() == 1;
    let text = |t: &D| matches!(t, D::Utf8 | D::Utf8View | D::LargeUtf8);
    flat && match (array.data_type(), descriptor.physical_type()) {
        (D::Int64, Type::INT64) | (D::Int32 | D::Date32, Type::INT32) => true,
        // of the unsigned ones those that 32 bits with a sign hold, by which statistics are ordered
        (D::Int16 | D::Int8 | D::UInt16 | D::UInt8, Type::INT32) => true,
        (D::Timestamp(unit, _), Type::INT64) => *unit != TimeUnit::Second,
        (D::Dictionary(_, v), Type::BYTE_ARRAY) => text(v) && **v != D::LargeUtf8,
        (t, Type::BYTE_ARRAY) => text(t),
        _ => false,
    }
}

/// Encodes one column of a row group. Its arrays have types that [`takes`] takes.
///
/// # Errors
/// None that a user can cause, beyond a text of gigabytes.
pub(super) fn encode(
    arrays: &[ArrayRef],
    descriptor: &ColumnDescPtr,
    with: &mut Compressor,
) -> Result<Chunk> {
    let rows = arrays.iter().map(|a| a.len()).sum();
    let valid = validity(arrays, rows);
    let nulls = valid.as_ref().map_or(0, |v| rows - v.count_set_bits());
    let mut pages = Pages::new(descriptor.clone(), rows, valid, with);
    let wrong = || Error::defect("a column of another type than its row group");
    let statistics = match descriptor.physical_type() {
        Type::BYTE_ARRAY => {
            let columns = arrays
                .iter()
                .map(|a| Texts::of(a)?.ok_or_else(wrong))
                .collect::<Result<Vec<_>>>()?;
            let range = text_pages(&columns, rows - nulls, &mut pages)?;
            let (min, max) = range.unzip();
            let fits = |t: &Vec<u8>| t.len() <= STATISTICS_BYTES;
            let bytes = |t: Option<Vec<u8>>| t.filter(fits).map(ByteArray::from);
            Statistics::from(ValueStatistics::new(
                bytes(min),
                bytes(max),
                None,
                Some(nulls as u64),
                false,
            ))
        }
        physical => {
            let values = ints::gather(arrays, rows).ok_or_else(wrong)?;
            let (min, max) = ints::min_max(&values).unzip();
            let small = physical == Type::INT32;
            int_pages(&values, min.zip(max), if small { 4 } else { 8 }, &mut pages)?;
            let nulls = Some(nulls as u64);
            match small {
                true => {
                    let (min, max) = (min.map(|v| v as i32), max.map(|v| v as i32));
                    Statistics::from(ValueStatistics::new(min, max, None, nulls, false))
                }
                false => Statistics::from(ValueStatistics::new(min, max, None, nulls, false)),
            }
        }
    };
    pages.finish(statistics)
}

/// Which rows have a value; `None` where all have.
fn validity(arrays: &[ArrayRef], rows: usize) -> Option<BooleanBuffer> {
    if arrays.iter().all(|a| a.logical_null_count() == 0) {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    for array in arrays {
        match array.logical_nulls() {
            Some(n) => bits.append_buffer(n.inner()),
            None => bits.append_n(array.len(), true),
        }
    }
    Some(bits.finish())
}

fn int_pages(values: &[i64], range: Option<(i64, i64)>, width: usize, pages: &mut Pages) -> Result<()> {
    match range.and_then(|r| ints::dictionary(values, r)) {
        Some(d) => {
            let mut plain = Vec::new();
            ints::plain(&d.values, width, &mut plain);
            pages.coded(plain, d.values.len(), &d.codes)
        }
        None => {
            let mut at = 0;
            pages.spans(|n, out| {
                ints::plain(&values[at..at + n], width, out);
                at += n;
            })
        }
    }
}

/// Writes the pages; answers the least and the greatest text.
fn text_pages(columns: &[Texts], values: usize, pages: &mut Pages) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut interner = Interner::default();
    if values > 0 && interner.take_all(columns) {
        let count = interner.starts.len();
        let all = || (0..count).map(|c| interner.text(c));
        let range = all().min().zip(all().max());
        let range = range.map(|(a, b)| (a.to_vec(), b.to_vec()));
        pages.coded(interner.plain, count, &interner.codes)?;
        return Ok(range);
    }
    drop(interner);
    let (mut plain, mut ends) = (Vec::new(), Vec::with_capacity(values));
    let mut range: Option<(Vec<u8>, Vec<u8>)> = None;
    for column in columns {
        column.each(|t| {
            texts::plain(t, &mut plain);
            ends.push(plain.len());
            match &mut range {
                None => range = Some((t.to_vec(), t.to_vec())),
                Some((min, _)) if t < min.as_slice() => *min = t.to_vec(),
                Some((_, max)) if t > max.as_slice() => *max = t.to_vec(),
                Some(_) => {}
            }
            true
        });
    }
    let average = plain.len() / ends.len().max(1);
    pages.rows_per_page = (PAGE_BYTES / average.max(1))
        .clamp(1, PAGE_ROWS)
        .next_multiple_of(8);
    let (mut at, mut from) = (0, 0);
    pages.spans(|n, out| {
        at += n;
        let to = at.checked_sub(1).map_or(0, |last| ends[last]);
        out.extend_from_slice(&plain[from..to]);
        from = to;
    })?;
    Ok(range)
}

/// The pages of a chunk, on their way into a buffer.
struct Pages<'a> {
    descriptor: ColumnDescPtr,
    rows: usize,
    valid: Option<BooleanBuffer>,
    rows_per_page: usize,
    with: &'a mut Compressor,
    sink: TrackedWrite<Vec<u8>>,
    uncompressed: usize,
    dictionary: bool,
    /// Where the first page of data begins.
    data_at: usize,
    data_pages: i32,
}

impl<'a> Pages<'a> {
    fn new(
        descriptor: ColumnDescPtr,
        rows: usize,
        valid: Option<BooleanBuffer>,
        with: &'a mut Compressor,
    ) -> Self {
        Pages {
            descriptor,
            rows,
            valid,
            rows_per_page: PAGE_ROWS,
            with,
            sink: TrackedWrite::new(Vec::new()),
            uncompressed: 0,
            dictionary: false,
            data_at: 0,
            data_pages: 0,
        }
    }

    /// A dictionary of `count` values, and pages of codes.
    fn coded(&mut self, plain: Vec<u8>, count: usize, codes: &[u32]) -> Result<()> {
        let size = plain.len();
        let page = Page::DictionaryPage {
            buf: self.with.compress(plain)?.into(),
            num_values: count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.write(page, size)?;
        self.dictionary = true;
        self.data_at = self.sink.bytes_written();
        let width = hybrid::width_of(count);
        let mut at = 0;
        self.spans(|n, out| {
            out.push(width as u8);
            hybrid::encode(&codes[at..at + n], width, out);
            at += n;
        })
    }

    /// Pages of data: `fill` appends the next so many values to a page.
    fn spans(&mut self, mut fill: impl FnMut(usize, &mut Vec<u8>)) -> Result<()> {
        let mut start = 0;
        while start < self.rows {
            let rows = self.rows_per_page.min(self.rows - start);
            let valid = self.valid.as_ref().map(|v| v.slice(start, rows));
            let values = valid.as_ref().map_or(rows, |v| v.count_set_bits());
            let mut page = Vec::new();
            hybrid::levels(valid.as_ref().filter(|_| values < rows), rows, &mut page);
            fill(values, &mut page);
            let size = page.len();
            let page = Page::DataPage {
                buf: self.with.compress(page)?.into(),
                num_values: rows as u32,
                encoding: self.encoding(),
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            self.write(page, size)?;
            self.data_pages += 1;
            start += rows;
        }
        Ok(())
    }

    fn encoding(&self) -> Encoding {
        match self.dictionary {
            true => Encoding::RLE_DICTIONARY,
            false => Encoding::PLAIN,
        }
    }

    fn write(&mut self, page: Page, size: usize) -> Result<()> {
        if size > i32::MAX as usize {
            return Err(Error::query("a text is too long for a page of a Parquet file"));
        }
        let page = CompressedPage::new(page, size);
        let written = SerializedPageWriter::new(&mut self.sink)
            .write_page(page)
            .map_err(cannot)?;
        self.uncompressed += written.uncompressed_size;
        Ok(())
    }

    fn finish(self, statistics: Statistics) -> Result<Chunk> {
        let mut encodings = vec![Encoding::PLAIN, Encoding::RLE];
        let mut stats = Vec::new();
        if self.dictionary {
            encodings.push(Encoding::RLE_DICTIONARY);
            stats.push(PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN,
                count: 1,
            });
        }
        stats.push(PageEncodingStats {
            page_type: PageType::DATA_PAGE,
            encoding: self.encoding(),
            count: self.data_pages,
        });
        let bytes = self.sink.into_inner().map_err(cannot)?;
        let metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_compression(self.with.codec)
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(self.data_at as i64)
            .set_dictionary_page_offset(self.dictionary.then_some(0))
            .set_statistics(statistics)
            .build()
            .map_err(cannot)?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Chunk {
            bytes: bytes.into(),
            close,
        })
    }
}

fn cannot(e: ParquetError) -> Error {
    super::parquet::cannot(e)
}
