//! The drivers: one column of a window into values, 64 rows at a time.
//!
//! An empty field is null. A field that does not parse is null too, and its row (counted from
//! the start of `out`) goes to `misfits`; quoted numbers parse like bare ones, while `""` is a
//! misfit, since it is the empty text.

use super::int::load8;
use super::lanes::{Block, ROWS};
use super::{Bounds, Spans, Trimmed, Validity, date, float_at, int_at, timestamp, trim_quotes};
use crate::kernel::raw::lanes;

/// Parses each span with `parse(buf, start, end)`.
#[inline(always)]
fn drive<T: Copy + Default>(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    out: &mut Vec<T>,
    valid: &mut Validity,
    misfits: &mut Vec<u32>,
    parse: impl Fn(&[u8], usize, usize) -> Option<T>,
) {
    let (rows, before) = (spans.len(), out.len());
    out.resize(before + rows, T::default());
    for (block, to) in out[before..].chunks_mut(64).enumerate() {
        let mut bits = 0u64;
        for (i, slot) in to.iter_mut().enumerate() {
            let (start, end) = spans.span(block * 64 + i);
            if start == end {
                continue;
            }
            match parse(buf, start, end).or_else(|| within_quotes(buf, start, end, quote, &parse)) {
                Some(value) => {
                    *slot = value;
                    bits |= 1 << i;
                }
                None => misfits.push((before + block * 64 + i) as u32),
            }
        }
        valid.push_bits(bits, to.len());
    }
}

#[cold]
#[inline(never)]
fn within_quotes<T>(
    buf: &[u8],
    start: usize,
    end: usize,
    quote: Option<u8>,
    parse: &impl Fn(&[u8], usize, usize) -> Option<T>,
) -> Option<T> {
    match trim_quotes(buf, start, end, quote?) {
        Trimmed::Quoted(start, end) if start < end => parse(buf, start, end),
        _ => None,
    }
}

/// What makes vectors of longer fields: a block, the eight bytes after each word, and the values.
type Long<T> = fn(&Block, &[u64; ROWS], &mut [T; ROWS]) -> u64;
/// A block with so many rows too long for `vector` (an eighth) makes `long` worth its while.
const MANY_LONG: u32 = 8;

/// As [`drive`], for numbers that are mostly short: blocks of 64 rows go through `vector`, or `long`
/// once a block had many rows of more than eight bytes, and only the rows left through `parse`.
#[inline(always)]
fn drive_short<T: Copy + Default>(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    (out, valid, misfits): (&mut Vec<T>, &mut Validity, &mut Vec<u32>),
    vector: impl Fn(&Block, &mut [T; ROWS]) -> u64,
    long: Option<Long<T>>,
    parse: impl Fn(&[u8], usize, usize) -> Option<T>,
) {
    let (rows, before) = (spans.len(), out.len());
    out.reserve(rows);
    let mut block = Block::default();
    let mut values = [T::default(); ROWS];
    let mut are_long = false;
    for first in (0..rows).step_by(ROWS) {
        let n = ROWS.min(rows - first);
        let bounds = &mut block.bounds;
        spans.block(first, n, bounds);
        bounds.empty_from(n);
        load(buf, &bounds.starts[..n], 0, &mut block.words);
        let mut good = match are_long {
            true => 0,
            false => vector(&block, &mut values),
        };
        let bounds = &block.bounds;
        let mut others = lanes::present(bounds) & !good;
        if let Some(long) = long
            && (are_long || others.count_ones() >= MANY_LONG)
        {
            let mut next = [0; ROWS];
            load(buf, &bounds.starts[..n], 8, &mut next);
            good = long(&block, &next, &mut values);
            others &= !good;
            are_long = true;
        }
        while others != 0 {
            let i = others.trailing_zeros() as usize;
            others &= others - 1;
            let (start, end) = (bounds.starts[i] as usize, bounds.ends[i] as usize);
            match parse(buf, start, end).or_else(|| within_quotes(buf, start, end, quote, &parse)) {
                Some(value) => {
                    values[i] = value;
                    good |= 1 << i;
                }
                None => misfits.push((before + first + i) as u32),
            }
        }
        if good != !0 >> (ROWS - n) {
            let mut null = !good & (!0 >> (ROWS - n));
            while null != 0 {
                values[null.trailing_zeros() as usize] = T::default();
                null &= null - 1;
            }
        }
        out.extend_from_slice(&values[..n]);
        valid.push_bits(good, n);
    }
}

/// The eight bytes from `ahead` bytes after each start on.
#[inline(always)]
fn load(buf: &[u8], starts: &[u32], ahead: usize, words: &mut [u64; ROWS]) {
    for (word, &start) in words.iter_mut().zip(starts) {
        let at = start as usize + ahead;
        *word = load8(buf, at).unwrap_or_else(|| load_last(buf, at));
    }
}

/// The fewer than eight bytes at the end of the buffer.
#[cold]
#[inline(never)]
fn load_last(buf: &[u8], start: usize) -> u64 {
    let rest = buf.get(start..).unwrap_or_default();
    rest.iter()
        .take(8)
        .rev()
        .fold(0, |word, &b| word << 8 | u64::from(b))
}

/// Integers by `super::int`.
pub fn ints(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    out: &mut Vec<i64>,
    valid: &mut Validity,
    misfits: &mut Vec<u32>,
) {
    drive_short(
        buf,
        spans,
        quote,
        (out, valid, misfits),
        lanes::ints,
        None,
        int_at,
    )
}

/// Floats by `super::float`.
pub fn floats(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    out: &mut Vec<f64>,
    valid: &mut Validity,
    misfits: &mut Vec<u32>,
) {
    let long = Some(lanes::long_floats as Long<f64>);
    drive_short(
        buf,
        spans,
        quote,
        (out, valid, misfits),
        lanes::floats,
        long,
        float_at,
    )
}

macro_rules! driver {
    ($(#[$doc:meta])* $name:ident, $ty:ty, $parse:expr) => {
        $(#[$doc])*
        pub fn $name(
            buf: &[u8],
            spans: &(impl Spans + ?Sized),
            quote: Option<u8>,
            out: &mut Vec<$ty>,
            valid: &mut Validity,
            misfits: &mut Vec<u32>,
        ) {
            drive(buf, spans, quote, out, valid, misfits, $parse)
        }
    };
}

driver!(
    /// Truth values by [`super::bool`].
    bools, bool, |buf, start, end| super::bool(buf.get(start..end)?));
driver!(
    /// Dates by [`super::date`], in days.
    dates, i32, |buf, start, end| date(buf.get(start..end)?));

/// Timestamps by [`super::timestamp`], in microseconds: those with an offset (and so in UTC) if
/// `offset`, else those without; the others are misfits.
pub fn timestamps(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    offset: bool,
    out: &mut Vec<i64>,
    valid: &mut Validity,
    misfits: &mut Vec<u32>,
) {
    let parse = |buf: &[u8], start: usize, end: usize| {
        let (micros, has_offset) = timestamp(buf.get(start..end)?)?;
        (has_offset == offset).then_some(micros)
    };
    drive(buf, spans, quote, out, valid, misfits, parse)
}

/// The low `n` bytes of 16, for the texts that a view holds itself.
const LOW_BYTES: [u128; 13] = {
    let mut masks = [0; 13];
    let mut n = 0;
    while n < 13 {
        masks[n] = (1u128 << (8 * n)) - 1;
        n += 1;
    }
    masks
};

/// Which bytes of a view are text, by its length; the last entry is that of longer ones.
static VIEW_BYTES: [u128; 14] = {
    let mut masks = [0xffff_ffffu128 << 32; 14];
    let mut n = 0;
    while n < 13 {
        masks[n] = LOW_BYTES[n] << 32;
        n += 1;
    }
    masks
};

/// The 16 bytes at `start`, zeros after the end of the buffer.
#[inline(always)]
fn load16(buf: &[u8], start: usize) -> u128 {
    match buf.get(start..start + 16) {
        Some(bytes) => bytes.try_into().map_or(0, u128::from_le_bytes),
        None => {
            let mut padded = [0u8; 16];
            let n = (buf.len() - start).min(16);
            padded[..n].copy_from_slice(&buf[start..start + n]);
            u128::from_le_bytes(padded)
        }
    }
}

/// The Arrow view of `buf[start..end]`: up to 12 bytes inline, else the first four and the place.
/// The view's place is `start + offset` in buffer `index` of the array.
#[inline(always)]
pub fn view(buf: &[u8], start: usize, end: usize, index: u32, offset: u32) -> u128 {
    view_of(load16(buf, start), start, end - start, index, offset)
}

#[inline(always)]
fn view_of(first: u128, start: usize, len: usize, index: u32, offset: u32) -> u128 {
    match LOW_BYTES.get(len) {
        Some(mask) => (first & mask) << 32 | len as u128,
        None => {
            let place = u128::from(start as u32 + offset) << 96 | u128::from(index) << 64;
            place | (first & 0xffff_ffff) << 32 | u128::from(len as u32)
        }
    }
}

/// Text as Arrow views into the window's buffer: `buf` is bytes `offset..` of buffer `index` of
/// the array to come. Quotes around a field are left out. Rows with doubled quotes inside, or text
/// after the closing quote (their view is empty and valid) go to `escaped`: the caller unquotes them
/// elsewhere and replaces the view. Empty unquoted fields are null, `""` is the empty text.
pub fn views(
    buf: &[u8],
    spans: &(impl Spans + ?Sized),
    quote: Option<u8>,
    (index, offset): (u32, u32),
    out: &mut Vec<u128>,
    valid: &mut Validity,
    escaped: &mut Vec<u32>,
) {
    let (rows, before) = (spans.len(), out.len());
    out.reserve(rows);
    // what no byte is equal to, where there are no quotes
    let quoted = quote.map_or(u128::MAX, u128::from);
    let mut bounds = Bounds::default();
    let mut made = [0u128; ROWS];
    for first_row in (0..rows).step_by(ROWS) {
        let n = ROWS.min(rows - first_row);
        spans.block(first_row, n, &mut bounds);
        let mut special = 0u64;
        for (i, slot) in made[..n].iter_mut().enumerate() {
            let start = bounds.starts[i] as usize;
            let len = bounds.ends[i].wrapping_sub(bounds.starts[i]) as usize;
            let Some(around) = start.checked_sub(4).and_then(|at| buf.get(at..at + 16)) else {
                let first = load16(buf, start);
                special |= u64::from(first as u8 as u128 == quoted) << i;
                *slot = view_of(first, start, len, index, offset);
                continue;
            };
            // four bytes from before the text leave room for its length
            let around = around.try_into().map_or(0, u128::from_le_bytes);
            special |= u64::from((around >> 32) as u8 as u128 == quoted) << i;
            let place = u64::from(start as u32 + offset) << 32 | u64::from(index);
            let elsewhere = u64::from(len > 12).wrapping_neg();
            let view = around & VIEW_BYTES[len.min(13)] | len as u128;
            *slot = view | u128::from(place & elsewhere) << 64;
        }
        bounds.empty_from(n);
        let present = lanes::present(&bounds);
        special &= present;
        while special != 0 {
            let i = special.trailing_zeros() as usize;
            special &= special - 1;
            let (start, end) = (bounds.starts[i] as usize, bounds.ends[i] as usize);
            made[i] = match trim_quotes(buf, start, end, quoted as u8) {
                Trimmed::Bare => made[i],
                Trimmed::Quoted(start, end) => view(buf, start, end, index, offset),
                Trimmed::Escaped => {
                    escaped.push((before + first_row + i) as u32);
                    0
                }
            };
        }
        out.extend_from_slice(&made[..n]);
        valid.push_bits(present, n);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;
    use crate::kernel::scan::{Dialect, regular, scan};
    use arrow::array::{Array, StringViewArray};
    use arrow::buffer::{Buffer, ScalarBuffer};
    use proptest::prelude::*;

    fn columns(text: &[u8], fields: usize) -> (Vec<u32>, usize) {
        let mut ends = vec![];
        let seen = scan(text, 0, &Dialect::default(), false, &mut ends);
        assert!(!seen.irregular);
        let records = regular(text, 0, &ends, fields, seen.newlines).unwrap();
        (ends, records)
    }

    #[test]
    fn a_small_window() {
        let text = b"1,2.5,short\r\n\"2\",,\"a \"\"q\"\" b\"\r\nNA,1e3,\"\"\r\n,7,a text that is too long\n\"\",x,\n";
        let (ends, records) = columns(text, 3);
        assert_eq!(records, 5);
        let column = |i| Column::new(text, &ends, 0, 3, i);
        let (mut out, mut valid, mut misfits) = (vec![9], Validity::default(), vec![]);
        valid.push(true);
        ints(text, &column(0), Some(b'"'), &mut out, &mut valid, &mut misfits);
        assert_eq!((out, misfits), (vec![9, 1, 2, 0, 0, 0], vec![3, 5]));
        assert_eq!(
            (0..6).map(|i| valid.get(i)).collect::<Vec<_>>(),
            [true, true, true, false, false, false]
        );
        assert_eq!(valid.nulls(), 3);
        let (mut out, mut valid, mut misfits) = (vec![], Validity::default(), vec![]);
        floats(text, &column(1), Some(b'"'), &mut out, &mut valid, &mut misfits);
        assert_eq!(
            (out, misfits, valid.nulls()),
            (vec![2.5, 0.0, 1000.0, 7.0, 0.0], vec![4], 2)
        );
        let (mut out, mut valid, mut escaped) = (vec![], Validity::default(), vec![]);
        views(
            text,
            &column(2),
            Some(b'"'),
            (0, 0),
            &mut out,
            &mut valid,
            &mut escaped,
        );
        assert_eq!(escaped, [1]);
        let buffers = vec![Buffer::from_slice_ref(text)];
        let array = StringViewArray::try_new(ScalarBuffer::from(out), buffers, valid.into_nulls()).unwrap();
        let got: Vec<_> = array.iter().collect();
        assert_eq!(
            got,
            [
                Some("short"),
                Some(""),
                Some(""),
                Some("a text that is too long"),
                None
            ]
        );
    }

    proptest! {
        #[test]
        fn views_are_what_arrow_makes(
            rows in prop::collection::vec("[a-zé]{0,20}", 0..200), offset in 0u32..50,
        ) {
            let mut whole = vec![b'#'; offset as usize];
            rows.iter().for_each(|r| whole.extend(format!("{r},\"{r}\"\n").as_bytes()));
            let text = &whole[offset as usize..];
            let (ends, _) = columns(text, 2);
            for index in 0..2 {
                let column = Column::new(text, &ends, 0, 2, index);
                let (mut out, mut valid) = (vec![], Validity::default());
                views(text, &column, Some(b'"'), (0, offset), &mut out, &mut valid, &mut vec![]);
                prop_assert_eq!(valid.len(), rows.len());
                let nulls = valid.into_nulls();
                let buffers = vec![Buffer::from_slice_ref(&whole)];
                let array = StringViewArray::try_new(ScalarBuffer::from(out), buffers, nulls).unwrap();
                for (i, row) in rows.iter().enumerate() {
                    prop_assert_eq!(array.is_null(i), row.is_empty() && index == 0);
                    prop_assert_eq!(array.value(i), row);
                }
            }
        }

        #[test]
        fn validity_is_a_list_of_bits(runs in prop::collection::vec((any::<u64>(), 1usize..65), 0..40)) {
            let mut valid = Validity::default();
            let mut expected = vec![];
            for (bits, n) in runs {
                let bits = if n == 64 { bits } else { bits & ((1 << n) - 1) };
                valid.push_bits(bits, n);
                expected.extend((0..n).map(|i| bits >> i & 1 == 1));
            }
            prop_assert_eq!(valid.len(), expected.len());
            prop_assert_eq!(valid.nulls(), expected.iter().filter(|v| !**v).count());
            prop_assert!(expected.iter().enumerate().all(|(i, v)| valid.get(i) == *v));
        }
    }
}
