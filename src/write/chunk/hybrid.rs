//! The hybrid of runs and bit packing that Parquet writes levels and dictionary codes in.
//!
//! ```text
//!   repeated:  varint(count << 1)          value, ⌈width / 8⌉ bytes
//!   packed:    varint(groups << 1 | 1)     8 × groups values of `width` bits, lowest bit first
//! ```

use arrow::buffer::BooleanBuffer;

fn varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// The bits needed for codes below `count`; at least one, which every reader understands.
pub(super) fn width_of(count: usize) -> u32 {
    (usize::BITS - count.saturating_sub(1).leading_zeros()).max(1)
}

/// Writes codes of at most `width` (1 to 32) bits: as runs where those are shorter, else packed.
pub(super) fn encode(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    let Some((&first, rest)) = codes.split_first() else {
        return;
    };
    let runs = 1 + codes.iter().zip(rest).filter(|(a, b)| a != b).count();
    let value_bytes = width.div_ceil(8) as usize;
    let packed = codes.len() * width as usize / 8;
    if runs * (value_bytes + 2) < packed {
        let (mut value, mut start) = (first, 0);
        for (i, &c) in codes.iter().enumerate() {
            if c != value {
                run(value, i - start, value_bytes, out);
                (value, start) = (c, i);
            }
        }
        run(value, codes.len() - start, value_bytes, out);
    } else {
        varint((codes.len().div_ceil(8) as u64) << 1 | 1, out);
        out.reserve(packed + 64);
        pack(codes, width, out);
    }
}

fn run(value: u32, count: usize, value_bytes: usize, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..value_bytes]);
}

/// Bit packing, the last group of eight filled up with zeros.
pub(super) fn pack(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut eights = codes.chunks_exact(8);
    for eight in &mut eights {
        pack_eight(eight, width, out);
    }
    let rest = eights.remainder();
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        pack_eight(&last, width, out);
    }
}

#[inline]
fn pack_eight(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    if width <= 16 {
        // two halves of four codes, each at most 64 bits
        let half = |c: &[u32]| {
            u64::from(c[0])
                | u64::from(c[1]) << width
                | u64::from(c[2]) << (2 * width)
                | u64::from(c[3]) << (3 * width)
        };
        let all = u128::from(half(&codes[..4])) | u128::from(half(&codes[4..])) << (4 * width);
        out.extend_from_slice(&all.to_le_bytes()[..width as usize]);
        return;
    }
    let (mut bits, mut held) = (0u64, 0);
    for &c in codes {
        bits |= u64::from(c) << held;
        held += width;
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
}

/// Definition levels of a page of a nullable column: which of its rows have a value.
pub(super) fn levels(valid: Option<&BooleanBuffer>, rows: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match valid {
        None => run(1, rows, 1, out),
        Some(valid) => {
            // Arrow's bitmaps are packed as Parquet wants it
            varint((rows.div_ceil(8) as u64) << 1 | 1, out);
            let bits = valid.sliced();
            out.extend_from_slice(&bits.as_slice()[..rows.div_ceil(8)]);
        }
    }
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}
