//! Integers as bytes of a spill file, as this machine has them in memory.

use std::ops::Range;

use arrow::datatypes::{ArrowNativeType, ToByteSlice};

use crate::error::{Error, Result};
use crate::operate::sort::cells::{Cells, Int, Width, ints};
use crate::operate::sort::packing::Code;

/// An integer of a fixed number of bytes.
pub(super) trait Stored: ArrowNativeType + ToByteSlice {
    /// The integers that lie in `bytes` one after the other.
    fn append(bytes: &[u8], to: &mut Vec<Self>);
}

macro_rules! impl_stored {
    ($($t:ty),*) => {$(
        impl Stored for $t {
            fn append(bytes: &[u8], to: &mut Vec<$t>) {
                let (whole, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
                to.extend(whole.iter().map(|&b| <$t>::from_ne_bytes(b)));
            }
        }
    )*};
}
impl_stored!(i8, i16, i32, i64, i128, u64, u128);

/// Appends codes.
pub(super) fn put_codes<C: Code + Stored>(codes: &[C], to: &mut Vec<u8>) {
    to.extend_from_slice(codes.to_byte_slice());
}

/// Appends some integers of a column, made as wide as `width`.
pub(super) fn put(cells: &Cells, rows: Range<usize>, width: Width, to: &mut Vec<u8>) -> Result<()> {
    macro_rules! widened {
        ($v:expr, $t:ty) => {{
            let wide = |x: i128| if x == i128::MIN { <$t>::MIN } else { x as $t };
            $v[rows]
                .iter()
                .for_each(|x| to.extend_from_slice(&wide(x.wide()).to_ne_bytes()))
        }};
    }
    let same = cells.width() == width;
    ints!(cells, v => match width {
        _ if same => to.extend_from_slice(v[rows].to_byte_slice()),
        1 => widened!(v, i8),
        2 => widened!(v, i16),
        4 => widened!(v, i32),
        8 => widened!(v, i64),
        _ => widened!(v, i128),
    }, _ => return Err(Error::defect("a kept column is no integers")));
    Ok(())
}

/// The integers of a column that [`put`] wrote.
pub(super) fn get(bytes: &[u8], width: Width) -> Cells {
    macro_rules! read {
        ($variant:ident, $t:ty) => {{
            let mut all: Vec<$t> = Vec::with_capacity(bytes.len() / size_of::<$t>());
            Stored::append(bytes, &mut all);
            Cells::$variant(all.into())
        }};
    }
    match width {
        1 => read!(I8, i8),
        2 => read!(I16, i16),
        4 => read!(I32, i32),
        8 => read!(I64, i64),
        _ => read!(I128, i128),
    }
}
