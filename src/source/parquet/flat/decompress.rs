//! Pages of zstd, decompressed by the one decoder that a thread has for all columns.

use std::cell::RefCell;
use std::io::Cursor;

use bytes::Bytes;
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use zstd::bulk::Decompressor;

use super::wrong;

thread_local! {
    static DECODER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The page as it was before it was compressed, when it had `plain` bytes.
pub(super) fn decompressed(page: Page, plain: usize) -> Result<Page, ParquetError> {
    Ok(match page {
        Page::DictionaryPage {
            buf,
            num_values,
            encoding,
            is_sorted,
        } => Page::DictionaryPage {
            buf: behind(&buf, 0, plain)?,
            num_values,
            encoding,
            is_sorted,
        },
        Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding,
            rep_level_encoding,
            statistics,
        } => Page::DataPage {
            buf: behind(&buf, 0, plain)?,
            num_values,
            encoding,
            def_level_encoding,
            rep_level_encoding,
            statistics,
        },
        Page::DataPageV2 {
            buf,
            num_values,
            encoding,
            num_nulls,
            num_rows,
            def_levels_byte_len,
            rep_levels_byte_len,
            is_compressed: true,
            statistics,
        } => Page::DataPageV2 {
            // levels are never compressed
            buf: behind(
                &buf,
                def_levels_byte_len as usize + rep_levels_byte_len as usize,
                plain,
            )?,
            num_values,
            encoding,
            num_nulls,
            num_rows,
            def_levels_byte_len,
            rep_levels_byte_len,
            is_compressed: false,
            statistics,
        },
        plain @ Page::DataPageV2 { .. } => plain,
    })
}

/// The first bytes as they are, and what the others decompress to: `plain` bytes in all.
fn behind(stored: &Bytes, first: usize, plain: usize) -> Result<Bytes, ParquetError> {
    let Some(compressed) = stored.get(first..).filter(|_| first <= plain) else {
        return Err(wrong(format!(
            "the levels of a page take {first} of {} bytes",
            stored.len().min(plain)
        )));
    };
    let mut out = Vec::with_capacity(plain);
    out.extend_from_slice(&stored[..first]);
    // a page without values may have no frame
    if plain > first {
        DECODER.with_borrow_mut(|decoder| {
            let decoder = match decoder {
                Some(decoder) => decoder,
                none => none.insert(Decompressor::new()?),
            };
            let mut to = Cursor::new(&mut out);
            to.set_position(first as u64);
            decoder.decompress_to_buffer(compressed, &mut to)
        })?;
    }
    if out.len() != plain {
        return Err(wrong(format!(
            "a page has {} bytes where {plain} are meant",
            out.len()
        )));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stay_and_what_follows_is_decompressed() {
        let packed = zstd::bulk::compress(&[7; 1000], 1).unwrap();
        let stored: Bytes = [&[1, 2, 3][..], &packed].concat().into();
        let page = behind(&stored, 3, 1003).unwrap();
        assert_eq!((&page[..3], &page[3..]), (&[1, 2, 3][..], &[7; 1000][..]));
        assert_eq!(behind(&stored, 3, 3).unwrap(), &[1, 2, 3][..]);
        for (first, plain) in [(3, 1002), (3, 1004), (0, 1003), (3, 2), (stored.len() + 1, 5000)] {
            assert!(behind(&stored, first, plain).is_err(), "{first} {plain}");
        }
        // an error leaves the decoder of the thread fit for the next page
        assert_eq!(behind(&stored, 3, 1003).unwrap().len(), 1003);
    }
}
