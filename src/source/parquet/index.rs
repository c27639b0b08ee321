//! Which rows of a row group may pass a filter, by its page index; and what Bloom filters deny.
//!
//! Both are optional, and only save work: what is missing, damaged or makes no sense proves nothing.
//! The rules of proof are those of [`super::prune`].

use std::ops::Range;

use arrow::datatypes::DataType;
use parquet::basic::Type as Physical;
use parquet::bloom_filter::Sbbf;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData as Index;
use parquet::file::page_index::index_reader::{decode_column_index, decode_offset_index};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::ParquetDataset;
use super::file::FileReader;
use super::guard::guarded;
use super::layout::ColumnFrom;
use super::prune::{disproves, known};
use crate::kernel::{Scalar, types};
use crate::source::{Bound, Compare};

/// Ranges of rows, ascending and apart.
pub(super) type Rows = Vec<Range<u64>>;

/// The rows of a row group that page indexes and Bloom filters leave possible.
pub(super) fn wanted_rows(
    dataset: &ParquetDataset,
    reader: &FileReader,
    (file, group): (usize, usize),
    bounds: &[Bound],
) -> Rows {
    let footer = &dataset.files[file];
    let rows = footer.rows(group);
    let mut wanted: Rows = std::iter::once(0..rows).filter(|r| !r.is_empty()).collect();
    for bound in bounds {
        if wanted.is_empty() {
            break;
        }
        let ColumnFrom::File(root) = dataset.column(file, bound.column) else {
            continue;
        };
        let chunk = footer
            .metadata
            .row_group(group)
            .columns()
            .get(footer.leaves[*root].start);
        let Some(chunk) = chunk.filter(|c| c.column_descr().max_rep_level() == 0) else {
            continue;
        };
        let what = format!("the page index of row group {group}");
        let pages = guarded(&footer.path, &what, || pages(chunk, reader, rows));
        if let Ok(Some((index, starts))) = pages {
            let possible = |page: &usize| {
                let rows = starts[*page + 1] - starts[*page];
                let statistics = of_page(&index, *page, rows);
                let known = known(
                    dataset,
                    (file, group),
                    (*root, bound.column),
                    statistics.as_ref(),
                    rows,
                );
                !known.is_some_and(|k| disproves(&k, bound))
            };
            let kept = (0..starts.len() - 1).filter(possible);
            wanted = both(&wanted, kept.map(|p| starts[p]..starts[p + 1]));
        }
        let ty = footer.schema.field(*root).data_type();
        let same = types::logical(ty) == *dataset.layout.schema.field(bound.column).data_type();
        if same && bound.op == Compare::Eq && !wanted.is_empty() {
            let what = format!("a Bloom filter of row group {group}");
            let denied = guarded(&footer.path, &what, || denied(chunk, ty, reader, &bound.value));
            if let Ok(true) = denied {
                wanted.clear();
            }
        }
    }
    wanted
}

/// What is in both; all ranges ascending.
fn both(a: &Rows, b: impl Iterator<Item = Range<u64>>) -> Rows {
    let mut out = Rows::new();
    for b in b {
        for a in a {
            let (start, end) = (a.start.max(b.start), a.end.min(b.end));
            match out.last_mut() {
                _ if start >= end => {}
                Some(last) if last.end == start => last.end = end,
                _ => out.push(start..end),
            }
        }
    }
    out
}

/// The index of a chunk's pages and the row each begins with (and that after the last); `None` if
/// there is none, or it cannot be that of `rows` rows.
fn pages(
    chunk: &ColumnChunkMetaData,
    reader: &FileReader,
    rows: u64,
) -> Result<Option<(Index, Vec<u64>)>, ParquetError> {
    let (Some(index), Some(offsets)) = (chunk.column_index_range(), chunk.offset_index_range()) else {
        return Ok(None);
    };
    let read = |range: Range<u64>| {
        let inside = range.start <= range.end && range.end <= reader.len();
        let length = if inside { range.end - range.start } else { u64::MAX };
        let length = usize::try_from(length).map_err(|e| ParquetError::General(e.to_string()))?;
        reader.get_bytes(range.start, length)
    };
    let index = decode_column_index(&read(index)?, chunk.column_type())?;
    let offsets = decode_offset_index(&read(offsets)?)?;
    let first = |l: &PageLocation| u64::try_from(l.first_row_index).unwrap_or(u64::MAX);
    let mut starts: Vec<u64> = offsets.page_locations().iter().map(first).collect();
    starts.push(rows);
    let sound = starts.first() == Some(&0)
        && starts.windows(2).all(|w| w[0] <= w[1])
        && index.num_pages() == starts.len() as u64 - 1;
    Ok(sound.then_some((index, starts)))
}

/// What the index says of a page of `rows` rows, as if of a chunk.
fn of_page(index: &Index, page: usize, rows: u64) -> Option<Statistics> {
    let nulls = index.null_count(page).and_then(|n| u64::try_from(n).ok());
    if index.is_null_page(page) {
        return Some(Statistics::boolean(None, None, None, Some(rows), false));
    }
    macro_rules! number {
        ($index:expr, $new:ident) => {{
            let (min, max) = ($index.min_value(page), $index.max_value(page));
            let all = ValueStatistics::new(min.copied(), max.copied(), None, nulls, false);
            let nan = index.nan_count(page).and_then(|n| u64::try_from(n).ok());
            Statistics::$new(all.with_nan_count(nan))
        }};
    }
    Some(match index {
        Index::INT32(i) => number!(i, Int32),
        Index::INT64(i) => number!(i, Int64),
        Index::FLOAT(i) => number!(i, Float),
        Index::DOUBLE(i) => number!(i, Double),
        Index::BYTE_ARRAY(i) => {
            let text = |b: Option<&[u8]>| b.map(|b| ByteArray::from(b.to_vec()));
            let (min, max) = (text(i.min_value(page)), text(i.max_value(page)));
            // often cut, and nothing says whether
            let all = ValueStatistics::new(min, max, None, nulls, false);
            Statistics::ByteArray(all.with_min_is_exact(false).with_max_is_exact(false))
        }
        _ => return None,
    })
}

/// Whether the chunk's Bloom filter denies that it has the value.
fn denied(
    chunk: &ColumnChunkMetaData,
    ty: &DataType,
    reader: &FileReader,
    value: &Scalar,
) -> Result<bool, ParquetError> {
    let small;
    let probe: &dyn Fn(&Sbbf) -> bool = match (chunk.column_type(), ty, value) {
        (Physical::INT32, DataType::Int32, Scalar::Int(v)) => {
            let Ok(v) = i32::try_from(*v) else {
                return Ok(false);
            };
            small = move |f: &Sbbf| f.check(&v);
            &small
        }
        (Physical::INT64, DataType::Int64, Scalar::Int(v)) => &|f: &Sbbf| f.check(v),
        (Physical::BYTE_ARRAY, ty, Scalar::Text(t)) if types::logical(ty) == types::TEXT => {
            &|f: &Sbbf| f.check(t.as_str())
        }
        // floats have two zeros and many NaN, each with a hash of its own
        _ => return Ok(false),
    };
    Ok(Sbbf::read_from_column_chunk(chunk, reader)?.is_some_and(|f| f.num_blocks() > 0 && !probe(&f)))
}
