//! The hybrid of runs and bit packing in which Parquet keeps dictionary codes and levels, decoded.
//!
//! ```text
//!   repeated:  varint(count << 1)          value, ⌈width / 8⌉ bytes
//!   packed:    varint(groups << 1 | 1)     8 × groups values of `width` bits, lowest bit first
//! ```
//!
//! [`Hybrid`] reads a stream of them in pieces of any length. Packed groups of eight values are
//! unpacked by code made for each width (Lemire and Boytsov, "Decoding billions of integers per
//! second through vectorization", 2015, on why: all shifts become constants).
//!
//! Nothing that the bytes say is trusted: asking for more values than there are gives `None`.

use bytes::Bytes;

use super::bits::BitVec;

/// A stream of runs.
#[derive(Debug, Default)]
pub struct Hybrid {
    bytes: Bytes,
    at: usize,
    width: u32,
    run: Run,
    /// What is left of a group of eight: the last `spare` ones.
    group: [i32; 8],
    spare: usize,
}

#[derive(Debug, Default, Clone, Copy)]
enum Run {
    #[default]
    None,
    Repeated {
        value: u32,
        left: usize,
    },
    /// The values still packed, at `Hybrid::at`.
    Packed {
        left: usize,
    },
}

impl Hybrid {
    /// A stream of values of `width` bits; `None` for more than 32.
    pub fn new(bytes: Bytes, width: u32) -> Option<Hybrid> {
        (width <= 32).then(|| Hybrid {
            bytes,
            width,
            ..Hybrid::default()
        })
    }

    /// Reads the head of the next run that is not empty.
    fn next_run(&mut self) -> Option<()> {
        loop {
            let head = self.varint()?;
            let count = usize::try_from(head >> 1).ok()?;
            self.run = if head & 1 == 0 {
                let n = self.width.div_ceil(8) as usize;
                let mut value = [0; 4];
                value[..n].copy_from_slice(self.bytes.get(self.at..self.at + n)?);
                self.at += n;
                Run::Repeated {
                    value: u32::from_le_bytes(value),
                    left: count,
                }
            } else {
                // the last group may be cut where its values end
                let stored = (self.bytes.len() - self.at) * 8 / self.width as usize;
                Run::Packed {
                    left: count.saturating_mul(8).min(stored),
                }
            };
            match self.run {
                Run::Repeated { left: 0, .. } | Run::Packed { left: 0 } => {}
                _ => return Some(()),
            }
        }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= ((byte & 0x7f) as u64) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Appends the next `n` values. `None`: there are fewer; `out` is in an undefined state then.
    pub fn read(&mut self, out: &mut Vec<i32>, n: usize) -> Option<()> {
        let end = out.len() + n;
        if self.width == 0 {
            out.resize(end, 0);
            return Some(());
        }
        while out.len() < end {
            let want = end - out.len();
            if self.spare > 0 {
                let now = want.min(self.spare);
                out.extend_from_slice(&self.group[8 - self.spare..][..now]);
                self.spare -= now;
                continue;
            }
            match &mut self.run {
                Run::Repeated { value, left } if *left > 0 => {
                    let now = want.min(*left);
                    out.resize(out.len() + now, *value as i32);
                    *left -= now;
                }
                Run::Packed { left } if *left > 0 => {
                    let left = *left;
                    let groups = (want / 8).min(left / 8);
                    if groups > 0 {
                        let start = out.len();
                        out.resize(start + groups * 8, 0);
                        let bytes = &self.bytes[self.at..];
                        unpack(bytes, self.width, &mut out[start..]);
                        self.advance(groups);
                    } else {
                        self.fill_group(left);
                    }
                }
                _ => self.next_run()?,
            }
        }
        Some(())
    }

    /// Moves over whole groups.
    fn advance(&mut self, groups: usize) {
        self.at += groups * self.width as usize;
        if let Run::Packed { left } = &mut self.run {
            *left -= groups * 8;
        }
    }

    /// Unpacks one group, perhaps a cut one, into the spare values.
    fn fill_group(&mut self, left: usize) {
        let mut group = [0; 8];
        unpack(&self.bytes[self.at..], self.width, &mut group);
        let now = left.min(8);
        self.group = [0; 8];
        self.group[8 - now..].copy_from_slice(&group[..now]);
        self.spare = now;
        self.at = (self.at + self.width as usize).min(self.bytes.len());
        if let Run::Packed { left } = &mut self.run {
            *left -= now;
        }
    }

    /// Passes over the next `n` values; `None` where there are fewer.
    pub fn skip(&mut self, mut n: usize) -> Option<()> {
        if self.width == 0 {
            return Some(());
        }
        while n > 0 {
            if self.spare > 0 {
                let now = n.min(self.spare);
                (self.spare, n) = (self.spare - now, n - now);
                continue;
            }
            match &mut self.run {
                Run::Repeated { left, .. } if *left > 0 => {
                    let now = n.min(*left);
                    (*left, n) = (*left - now, n - now);
                }
                Run::Packed { left } if *left > 0 => {
                    let left = *left;
                    let groups = (n / 8).min(left / 8);
                    match groups {
                        0 => self.fill_group(left),
                        _ => self.advance(groups),
                    }
                    n -= groups * 8;
                }
                _ => self.next_run()?,
            }
        }
        Some(())
    }

    /// Appends the next `n` values of one bit each and gives the number of ones.
    pub fn read_bits(&mut self, out: &mut BitVec, mut n: usize) -> Option<usize> {
        debug_assert_eq!(self.width, 1);
        let mut ones = 0;
        while n > 0 {
            if self.spare > 0 {
                let now = n.min(self.spare);
                let bits = self.group[8 - self.spare..][..now].iter().rev();
                let bits = bits.fold(0, |w, &b| w << 1 | b as u64);
                out.push(bits, now);
                ones += bits.count_ones() as usize;
                (self.spare, n) = (self.spare - now, n - now);
                continue;
            }
            match &mut self.run {
                Run::Repeated { value, left } if *left > 0 => {
                    let now = n.min(*left);
                    out.fill(*value & 1 == 1, now);
                    ones += if *value & 1 == 1 { now } else { 0 };
                    (*left, n) = (*left - now, n - now);
                }
                Run::Packed { left } if *left > 0 => {
                    let left = *left;
                    let groups = (n / 8).min(left / 8).min(8);
                    if groups == 0 {
                        self.fill_group(left);
                        continue;
                    }
                    let mut word = [0; 8];
                    word[..groups].copy_from_slice(&self.bytes[self.at..self.at + groups]);
                    let word = u64::from_le_bytes(word);
                    out.push(word, groups * 8);
                    ones += word.count_ones() as usize;
                    self.advance(groups);
                    n -= groups * 8;
                }
                _ => self.next_run()?,
            }
        }
        Some(ones)
    }
}

/// Bytes that a group's unpacking looks at, whatever its width.
const WINDOW: usize = 40;

#[inline(always)]
fn unpack_group<const W: usize>(window: &[u8; WINDOW], out: &mut [i32; 8]) {
    let mask = ((1u64 << W) - 1) as u32;
    macro_rules! value {
        ($j:literal) => {{
            let word = window[$j * W / 8..].first_chunk::<8>();
            let word = word.map_or(0, |w| u64::from_le_bytes(*w));
            ((word >> ($j * W % 8)) as u32 & mask) as i32
        }};
    }
    // written out, since loops and closures over constants were seen to stay calls
    *out = [
        value!(0),
        value!(1),
        value!(2),
        value!(3),
        value!(4),
        value!(5),
        value!(6),
        value!(7),
    ];
}

fn unpack_width<const W: usize>(bytes: &[u8], out: &mut [i32]) {
    let mut at = 0;
    for out in out.as_chunks_mut::<8>().0 {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.first_chunk::<WINDOW>() {
            Some(window) => unpack_group::<W>(window, out),
            None => {
                let mut window = [0; WINDOW];
                window[..rest.len()].copy_from_slice(rest);
                unpack_group::<W>(&window, out);
            }
        }
        at += W;
    }
}

/// Unpacks whole groups of eight values of `width` (1 to 32) bits; what lies beyond `bytes` is zero.
fn unpack(bytes: &[u8], width: u32, out: &mut [i32]) {
    macro_rules! by_width {
        ($($w:literal)*) => {
            match width {
                $($w => unpack_width::<$w>(bytes, out),)*
                _ => out.fill(0),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put_varint(mut v: u64, out: &mut Vec<u8>) {
        while v >= 0x80 {
            out.push(v as u8 | 0x80);
            v >>= 7;
        }
        out.push(v as u8);
    }

    /// One run after another, written bit by bit.
    fn encode(runs: &[(bool, Vec<u32>)], width: u32) -> (Vec<u8>, Vec<i32>) {
        let mask = ((1u64 << width) - 1) as u32;
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        for (packed, run) in runs {
            let run: Vec<u32> = run.iter().map(|v| v & mask).collect();
            if !packed {
                put_varint((run.len() as u64) << 1, &mut bytes);
                bytes.extend_from_slice(&run[0].to_le_bytes()[..width.div_ceil(8) as usize]);
                values.extend(std::iter::repeat_n(run[0] as i32, run.len()));
                continue;
            }
            let whole = run.len().div_ceil(8) * 8;
            put_varint((whole as u64 / 8) << 1 | 1, &mut bytes);
            let mut bits = vec![0u8; whole * width as usize / 8];
            for (i, v) in run.iter().enumerate() {
                for b in 0..width as usize {
                    let at = i * width as usize + b;
                    bits[at / 8] |= ((v >> b & 1) as u8) << (at % 8);
                }
            }
            bytes.extend(bits);
            values.extend(run.iter().map(|v| *v as i32));
            values.extend(std::iter::repeat_n(0, whole - run.len()));
        }
        (bytes, values)
    }

    fn runs() -> impl Strategy<Value = Vec<(bool, Vec<u32>)>> {
        let run = (any::<bool>(), prop::collection::vec(any::<u32>(), 1..90));
        prop::collection::vec(run, 0..6)
    }

    proptest! {
        /// Read and skipped in pieces, the values are those written.
        #[test]
        fn pieces_are_the_values(runs in runs(), width in 1u32..33, steps in prop::collection::vec((any::<bool>(), 1usize..40), 1..40)) {
            let (bytes, values) = encode(&runs, width);
            let mut stream = Hybrid::new(bytes.into(), width).unwrap();
            let mut at = 0;
            for (skip, n) in steps {
                let n = n.min(values.len() - at);
                if skip {
                    stream.skip(n).unwrap();
                } else {
                    let mut got = vec![7];
                    stream.read(&mut got, n).unwrap();
                    prop_assert_eq!(&got[1..], &values[at..at + n]);
                }
                at += n;
            }
            let rest = values.len() - at;
            prop_assert!(stream.read(&mut Vec::new(), rest + 1).is_none());
        }

        /// Bits are values of width one.
        #[test]
        fn bits_are_values(runs in runs(), steps in prop::collection::vec(1usize..200, 1..9)) {
            let (bytes, values) = encode(&runs, 1);
            let mut stream = Hybrid::new(bytes.into(), 1).unwrap();
            let (mut bits, mut ones, mut at) = (BitVec::default(), 0, 0);
            for n in steps {
                let n = n.min(values.len() - at);
                ones += stream.read_bits(&mut bits, n).unwrap();
                at += n;
            }
            let want: Vec<bool> = values[..at].iter().map(|v| *v == 1).collect();
            prop_assert_eq!(ones, want.iter().filter(|b| **b).count());
            prop_assert_eq!(bits.finish().iter().collect::<Vec<_>>(), want);
        }

        /// Any bytes end, sooner or later, without a panic.
        #[test]
        fn noise_is_harmless(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0u32..34, n in 0usize..3000) {
            if let Some(mut stream) = Hybrid::new(bytes.clone().into(), width) {
                let mut out = Vec::new();
                let all = stream.read(&mut out, n).is_some();
                prop_assert!(!all || out.len() == n);
                let mut stream = Hybrid::new(bytes.into(), width).unwrap();
                prop_assert_eq!(stream.skip(n).is_some(), all);
            }
        }
    }

    #[test]
    fn a_last_group_may_be_cut() {
        // eight values of three bits are promised, two bytes (five values) are there
        let mut stream = Hybrid::new(vec![3, 0b1000_1000, 0b0100_0110].into(), 3).unwrap();
        let mut out = Vec::new();
        assert!(stream.read(&mut out, 5).is_some());
        assert_eq!(out, [0, 1, 2, 3, 4]);
        assert!(stream.read(&mut out, 1).is_none());
    }
}
