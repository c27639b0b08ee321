//! Values of fixed size: integers, floats, days and times.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, Date32Array, Decimal128Array, Float64Array, Int64Array, PrimitiveArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;

use super::column::{Piece, Values, Wanted};
use super::wrong;
use crate::kernel::bits::{BitVec, low};
use crate::kernel::hybrid::Hybrid;

/// A type as it is stored, and the one it becomes.
pub(super) trait Stored: Send + 'static {
    /// Bytes of a plain value.
    const BYTES: usize;
    type Out: Copy + Default + Send;
    /// The value of exactly [`Stored::BYTES`] bytes.
    fn value(bytes: &[u8]) -> Self::Out;
    /// The array of a column whose Arrow type in the file is `ty`.
    fn array(values: Vec<Self::Out>, nulls: Option<NullBuffer>, ty: &DataType) -> ArrayRef;
}

/// Days since 1970.
pub(super) struct Days;

#[inline(always)]
fn le<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(values.into(), nulls)
}

/// Narrow integers are stored in 32 bits, of which the lower ones count.
macro_rules! stored_in_i32 {
    ($($ty:ty)*) => {
        $(impl Stored for $ty {
            const BYTES: usize = 4;
            type Out = i64;
            #[inline(always)]
            fn value(bytes: &[u8]) -> i64 {
                i32::from_le_bytes(le(bytes)) as $ty as i64
            }
            fn array(values: Vec<i64>, nulls: Option<NullBuffer>, _: &DataType) -> ArrayRef {
                let array: Int64Array = primitive(values, nulls);
                Arc::new(array)
            }
        })*
    };
}
stored_in_i32!(i8 i16 i32 u8 u16 u32);

impl Stored for Days {
    const BYTES: usize = 4;
    type Out = i32;
    #[inline(always)]
    fn value(bytes: &[u8]) -> i32 {
        i32::from_le_bytes(le(bytes))
    }
    fn array(values: Vec<i32>, nulls: Option<NullBuffer>, _: &DataType) -> ArrayRef {
        let array: Date32Array = primitive(values, nulls);
        Arc::new(array)
    }
}

impl Stored for i64 {
    const BYTES: usize = 8;
    type Out = i64;
    #[inline(always)]
    fn value(bytes: &[u8]) -> i64 {
        i64::from_le_bytes(le(bytes))
    }
    fn array(values: Vec<i64>, nulls: Option<NullBuffer>, ty: &DataType) -> ArrayRef {
        match ty {
            DataType::Timestamp(unit, zone) => {
                let zone = zone.clone();
                match unit {
                    TimeUnit::Nanosecond => {
                        let array: TimestampNanosecondArray = primitive(values, nulls);
                        Arc::new(array.with_timezone_opt(zone))
                    }
                    TimeUnit::Millisecond => {
                        let array: TimestampMillisecondArray = primitive(values, nulls);
                        Arc::new(array.with_timezone_opt(zone))
                    }
                    _ => {
                        let array: TimestampMicrosecondArray = primitive(values, nulls);
                        Arc::new(array.with_timezone_opt(zone))
                    }
                }
            }
            _ => {
                let array: Int64Array = primitive(values, nulls);
                Arc::new(array)
            }
        }
    }
}

macro_rules! floats {
    ($($ty:ty, $bytes:literal)*) => {
        $(impl Stored for $ty {
            const BYTES: usize = $bytes;
            type Out = f64;
            #[inline(always)]
            fn value(bytes: &[u8]) -> f64 {
                <$ty>::from_le_bytes(le(bytes)) as f64
            }
            fn array(values: Vec<f64>, nulls: Option<NullBuffer>, _: &DataType) -> ArrayRef {
                let array: Float64Array = primitive(values, nulls);
                Arc::new(array)
            }
        })*
    };
}
floats!(f32, 4 f64, 8);

/// Decimals, stored as integers of 32 or 64 bits.
pub(super) struct Decimal<T>(std::marker::PhantomData<T>);

macro_rules! decimals {
    ($($ty:ty, $bytes:literal)*) => {
        $(impl Stored for Decimal<$ty> {
            const BYTES: usize = $bytes;
            type Out = i128;
            #[inline(always)]
            fn value(bytes: &[u8]) -> i128 {
                <$ty>::from_le_bytes(le(bytes)) as i128
            }
            fn array(values: Vec<i128>, nulls: Option<NullBuffer>, ty: &DataType) -> ArrayRef {
                let array: Decimal128Array = primitive(values, nulls);
                Arc::new(array.with_data_type(crate::kernel::types::logical(ty)))
            }
        })*
    };
}
decimals!(i32, 4 i64, 8);

/// The values of a page that are not yet read.
enum Body {
    None,
    Plain(Bytes),
    Codes(Hybrid),
}

/// The decoder of a type.
struct Fixed<S: Stored> {
    ty: DataType,
    dictionary: Option<Vec<S::Out>>,
    body: Body,
    out: Vec<S::Out>,
    codes: Vec<i32>,
}

/// The decoder of a column of the Arrow type `ty`.
pub(super) fn values<S: Stored>(ty: &DataType) -> Box<dyn Values> {
    Box::new(Fixed::<S> {
        ty: ty.clone(),
        dictionary: None,
        body: Body::None,
        out: Vec::new(),
        codes: Vec::new(),
    })
}

/// Codes of a page: the bits of each, then the stream.
pub(super) fn codes(body: &Bytes) -> Result<Hybrid, ParquetError> {
    let width = match body.first() {
        Some(&w) => w as u32,
        None => 0, // a page of nulls only
    };
    let bytes = body.slice(body.len().min(1)..);
    Hybrid::new(bytes, width).ok_or_else(|| wrong(format!("dictionary codes of {width} bits")))
}

/// The error for a page in an encoding that the chunk's header does not list.
pub(super) fn unlisted(encoding: Encoding) -> ParquetError {
    wrong(format!("a page is encoded as {encoding}, which its chunk denies"))
}

/// The error for a page that ends before its values do.
pub(super) fn short() -> ParquetError {
    wrong("a page has fewer values than it claims")
}

/// The next `n` codes, all of which are below `entries`.
fn read_codes(
    stream: &mut Hybrid,
    codes: &mut Vec<i32>,
    n: usize,
    entries: usize,
) -> Result<(), ParquetError> {
    codes.clear();
    stream.read(codes, n).ok_or_else(short)?;
    let greatest = codes.iter().fold(0, |m, &c| m.max(c as u32));
    if n > 0 && greatest as usize >= entries {
        return Err(wrong(format!(
            "code {greatest} of a dictionary of {entries} values"
        )));
    }
    Ok(())
}

impl<S: Stored> Fixed<S> {
    /// Appends the values of a piece, `at(k)` being the k-th one there is, and defaults for nulls.
    #[inline(always)]
    fn place(out: &mut Vec<S::Out>, piece: &Piece, gaps: &BitVec, at: impl Fn(usize) -> S::Out) {
        let mut k = 0;
        let start = out.len();
        out.resize(start + piece.rows, S::Out::default());
        for (i, to) in out[start..].chunks_mut(64).enumerate() {
            let word = gaps.word(piece.start + i * 64) & low(to.len());
            if word == low(to.len()) {
                to.iter_mut().enumerate().for_each(|(j, to)| *to = at(k + j));
                k += to.len();
            } else {
                let mut word = word;
                for to in to {
                    // no branch on the bit, which nobody can foresee; beyond the last value, `at` pads
                    let value = at(k);
                    let here = (word & 1) as usize;
                    *to = if here == 1 { value } else { S::Out::default() };
                    k += here;
                    word >>= 1;
                }
            }
        }
    }
}

impl<S: Stored> Values for Fixed<S> {
    fn dictionary_bytes(&self, bytes: &Bytes, _: usize) -> usize {
        bytes.len() / S::BYTES * size_of::<S::Out>()
    }

    fn reset(&mut self) {
        self.body = Body::None;
        self.out.clear();
    }

    fn dictionary(&mut self, bytes: Bytes, count: usize) -> Result<(), ParquetError> {
        let end = count.checked_mul(S::BYTES);
        let Some(all) = end.and_then(|e| bytes.get(..e)) else {
            return Err(wrong(format!(
                "a dictionary of {count} values has {} bytes",
                bytes.len()
            )));
        };
        self.dictionary = Some(all.chunks_exact(S::BYTES).map(S::value).collect());
        Ok(())
    }

    fn page(&mut self, body: Bytes, encoding: Encoding) -> Result<(), ParquetError> {
        self.body = match encoding {
            Encoding::PLAIN => Body::Plain(body),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => Body::Codes(codes(&body)?),
            other => return Err(unlisted(other)),
        };
        Ok(())
    }

    fn read(&mut self, piece: &Piece) -> Result<(), ParquetError> {
        match &mut self.body {
            Body::None => Err(short()),
            Body::Plain(bytes) => {
                let size = piece.values * S::BYTES;
                if size > bytes.len() {
                    return Err(short());
                }
                let now = bytes.split_to(size);
                let value = |k: usize| {
                    let bytes = now.get(k * S::BYTES..(k + 1) * S::BYTES);
                    bytes.map_or(S::Out::default(), S::value)
                };
                match piece.gaps() {
                    None => self.out.extend(now.chunks_exact(S::BYTES).map(S::value)),
                    Some(gaps) => Self::place(&mut self.out, piece, gaps, value),
                }
                Ok(())
            }
            Body::Codes(stream) => {
                // pages of nulls only need none
                let dictionary = self.dictionary.as_deref().unwrap_or_default();
                read_codes(stream, &mut self.codes, piece.values, dictionary.len())?;
                let look = |c: i32| dictionary.get(c as u32 as usize).copied().unwrap_or_default();
                match piece.gaps() {
                    None => self.out.extend(self.codes.iter().map(|&c| look(c))),
                    Some(gaps) => {
                        self.codes.push(0);
                        let codes = &self.codes;
                        let at = |k: usize| codes.get(k).map_or(S::Out::default(), |&c| look(c));
                        Self::place(&mut self.out, piece, gaps, at);
                    }
                }
                Ok(())
            }
        }
    }

    fn read_some(&mut self, piece: &Piece, wanted: &Wanted, _: Option<&BitVec>) -> Result<(), ParquetError> {
        if piece.gaps().is_some() {
            let start = self.out.len();
            self.read(piece)?;
            wanted.keep(&mut self.out, start);
            return Ok(());
        }
        match &mut self.body {
            Body::None => Err(short()),
            Body::Plain(bytes) => {
                let size = piece.values * S::BYTES;
                if size > bytes.len() {
                    return Err(short());
                }
                let now = bytes.split_to(size);
                let value = |k: usize| {
                    let bytes = now.get(k * S::BYTES..(k + 1) * S::BYTES);
                    bytes.map_or(S::Out::default(), S::value)
                };
                self.out.extend(wanted.places().map(value));
                Ok(())
            }
            Body::Codes(stream) => {
                let dictionary = self.dictionary.as_deref().unwrap_or_default();
                read_codes(stream, &mut self.codes, piece.values, dictionary.len())?;
                let codes = &self.codes;
                let look = |k: usize| {
                    let code = codes.get(k).copied().unwrap_or_default();
                    dictionary.get(code as u32 as usize).copied().unwrap_or_default()
                };
                self.out.extend(wanted.places().map(look));
                Ok(())
            }
        }
    }

    fn skip(&mut self, values: usize) -> Result<(), ParquetError> {
        match &mut self.body {
            Body::None => return Err(short()),
            Body::Plain(bytes) => {
                let size = values.saturating_mul(S::BYTES);
                if size > bytes.len() {
                    return Err(short());
                }
                let _ = bytes.split_to(size);
            }
            Body::Codes(stream) => stream.skip(values).ok_or_else(short)?,
        }
        Ok(())
    }

    fn finish(&mut self, rows: usize, valid: Option<BitVec>) -> Result<ArrayRef, ParquetError> {
        let room = Vec::with_capacity(self.out.len());
        let values = std::mem::replace(&mut self.out, room);
        debug_assert_eq!(values.len(), rows);
        Ok(S::array(values, valid.and_then(BitVec::nulls), &self.ty))
    }
}
