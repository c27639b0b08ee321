//! The structural scan of CSV: where do fields and records end?
//!
//! Sixty-four bytes at a time become four bit masks (quote, delimiter, LF, CR). A running xor over
//! the quote mask (one carry-less multiplication) tells which bytes lie inside quotes, and what
//! remains of the other masks are the ends of fields:
//!
//! ```text
//! bytes    a , " x , y " " z " , 7 \n
//! quotes   . . 1 . . . 1 1 . 1 . . .
//! inside   . . 1 1 1 1 . 1 1 . . . .      running xor of quotes
//! ends     . 1 . . . . . . . . 1 . 1      (delimiters | newlines) & !inside
//! ```
//!
//! A quote that opens elsewhere than at the start of a field, or closes elsewhere than at its end,
//! makes the window [`Scanned::irregular`]: what the masks say is then not to be trusted, and the
//! caller reads such a window with its slow, exact reader.
//!
//! **Record ends.** LF, CRLF (one end, at the LF; the field's bytes include the CR, see
//! [`crate::kernel::parse::Column`], which trims it) and a CR that no LF follows. A CR that is the
//! window's very last byte is *not* reported, since its LF may come next: the flag
//! [`Scanned::ends_in_cr`] is set, and the record stays open. In the middle of a file the caller
//! carries the open record over to the next window anyway; at the end of the file the rest of the
//! window is the last record, less that CR.
//!
//! **Windows** begin at the start of a record, or anywhere when the caller knows whether that is
//! inside quotes; whether a quote is regular is then judged as if a record began there.
//!
//! Three versions (AVX-512 with VBMI2, AVX2, portable) give the same answers; [`Isa::best`] is
//! chosen once for each process.

use std::sync::OnceLock;

use crate::kernel::raw::{scan_avx2, scan_avx512, scan_portable};

/// How fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between two fields of a record.
    pub delimiter: u8,
    /// Around fields that hold delimiters or newlines; doubled within them.
    pub quote: Option<u8>,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            delimiter: b',',
            quote: Some(b'"'),
        }
    }
}

/// What [`scan`] saw besides the ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Whether the window ends inside quotes.
    pub inside: bool,
    /// Record ends outside quotes (all of them are also among the field ends).
    pub newlines: usize,
    /// Quote characters.
    pub quotes: usize,
    /// A quote opens or closes where it should not.
    pub irregular: bool,
    /// There is a CR outside quotes.
    pub carriage_returns: bool,
    /// The last byte is a CR outside quotes; it is not among the ends.
    pub ends_in_cr: bool,
    /// There is a byte above 127, so that UTF-8 must be checked.
    pub non_ascii: bool,
}

/// What [`count`] saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Record ends outside quotes.
    pub newlines: usize,
    /// Delimiters outside quotes.
    pub delimiters: usize,
    /// Quote characters.
    pub quotes: usize,
    /// Whether the window ends inside quotes.
    pub inside: bool,
    /// A quote opens or closes where it should not.
    pub irregular: bool,
    /// Record ends with nothing (but a CR) between them and the record end before, or the
    /// window's start if that is outside quotes.
    pub blank_lines: usize,
    /// There is a CR outside quotes.
    pub carriage_returns: bool,
    /// The last byte is a CR outside quotes; it is not counted as a record end.
    pub ends_in_cr: bool,
    /// There is a byte above 127.
    pub non_ascii: bool,
}

/// A version of the scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain 64-bit arithmetic, for every processor.
    Portable,
    /// AVX2 with PCLMULQDQ, BMI and POPCNT.
    Avx2,
    /// AVX-512 BW and VBMI2 with PCLMULQDQ, BMI and POPCNT.
    Avx512,
}

impl Isa {
    /// The versions that this processor can run, slowest first.
    pub fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        if scan_avx2::supported() {
            all.push(Isa::Avx2);
        }
        if scan_avx512::supported() {
            all.push(Isa::Avx512);
        }
        all
    }

    /// The fastest version that this processor can run; found out once.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Isa::available().last().copied().unwrap_or(Isa::Portable))
    }
}

/// Appends to `ends` the place of every field end in `bytes`: each delimiter and each record end
/// outside quotes, as `base` + offset. `inside` says whether the window begins inside quotes.
///
/// # Panics
/// If `base + bytes.len()` does not fit 32 bits: windows are far smaller.
pub fn scan(bytes: &[u8], base: u32, dialect: &Dialect, inside: bool, ends: &mut Vec<u32>) -> Scanned {
    scan_with(Isa::best(), bytes, base, dialect, inside, ends)
}

/// [`scan`] by a given version; one that the processor lacks is replaced by the portable one.
pub fn scan_with(
    isa: Isa,
    bytes: &[u8],
    base: u32,
    dialect: &Dialect,
    inside: bool,
    ends: &mut Vec<u32>,
) -> Scanned {
    assert!(
        bytes.len() <= (u32::MAX - base) as usize,
        "a window's offsets fit 32 bits"
    );
    match isa {
        Isa::Avx512 if scan_avx512::supported() => scan_avx512::scan(bytes, base, dialect, inside, ends),
        Isa::Avx2 if scan_avx2::supported() => scan_avx2::scan(bytes, base, dialect, inside, ends),
        _ => scan_portable::scan(bytes, base, dialect, inside, ends),
    }
}

/// Counts record ends, delimiters, quotes and blank lines without their places.
pub fn count(bytes: &[u8], dialect: &Dialect, inside: bool) -> Counted {
    count_with(Isa::best(), bytes, dialect, inside)
}

/// [`count`] by a given version; one that the processor lacks is replaced by the portable one.
pub fn count_with(isa: Isa, bytes: &[u8], dialect: &Dialect, inside: bool) -> Counted {
    match isa {
        Isa::Avx512 if scan_avx512::supported() => scan_avx512::count(bytes, dialect, inside),
        Isa::Avx2 if scan_avx2::supported() => scan_avx2::count(bytes, dialect, inside),
        _ => scan_portable::count(bytes, dialect, inside),
    }
}

/// How often `byte` occurs, as fast as memory allows; the parity of quotes is all that chaining
/// windows needs.
pub fn count_byte(bytes: &[u8], byte: u8) -> usize {
    memchr::memchr_iter(byte, bytes).count()
}

/// The number of complete records if all of them have exactly `fields` fields, else `None`.
///
/// `ends` and `newlines` are what one [`scan`] of `bytes` with base `base` gave. An open record
/// at the end (fewer than `fields` ends after the last record end) is allowed and not counted:
/// the ends of the complete ones are `ends[..records * fields]`.
pub fn regular(bytes: &[u8], base: u32, ends: &[u32], fields: usize, newlines: usize) -> Option<usize> {
    if fields == 0 || ends.len() / fields != newlines {
        return None;
    }
    // As many record ends as there are records, one at the end of each: then no other end is one.
    let is_record_end = |&end: &u32| matches!(bytes.get((end - base) as usize), Some(b'\n' | b'\r'));
    let all = ends
        .chunks_exact(fields)
        .all(|record| record.last().is_some_and(is_record_end));
    all.then_some(newlines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A byte at a time, as one would explain it.
    fn reference(
        bytes: &[u8],
        base: u32,
        d: &Dialect,
        mut inside: bool,
        ends: &mut Vec<u32>,
    ) -> (Scanned, Counted) {
        let (mut s, mut c) = (Scanned::default(), Counted::default());
        let mut record_start = if inside { None } else { Some(0) };
        let is_end = |b: u8| b == d.delimiter || b == b'\n' || b == b'\r' || Some(b) == d.quote;
        for (i, &b) in bytes.iter().enumerate() {
            s.non_ascii |= b > 127;
            if Some(b) == d.quote {
                s.quotes += 1;
                let neighbour = if inside {
                    bytes.get(i + 1)
                } else {
                    i.checked_sub(1).map(|j| &bytes[j])
                };
                s.irregular |= neighbour.is_some_and(|&n| !is_end(n));
                inside = !inside;
            } else if !inside {
                let mut record_end = b == b'\n';
                if b == b'\r' {
                    s.carriage_returns = true;
                    match bytes.get(i + 1) {
                        None => s.ends_in_cr = true,
                        Some(b'\n') => {}
                        Some(_) => record_end = true,
                    }
                }
                if record_end {
                    s.newlines += 1;
                    let from = record_start.unwrap_or(usize::MAX);
                    let blank =
                        from == i || (b == b'\n' && from.wrapping_add(1) == i && bytes[from] == b'\r');
                    c.blank_lines += usize::from(blank);
                    record_start = Some(i + 1);
                }
                if record_end || b == d.delimiter {
                    ends.push(base + i as u32);
                }
            }
        }
        s.inside = inside;
        c.newlines = s.newlines;
        c.delimiters = ends.len() - s.newlines;
        (c.quotes, c.inside, c.irregular) = (s.quotes, s.inside, s.irregular);
        (c.carriage_returns, c.ends_in_cr, c.non_ascii) = (s.carriage_returns, s.ends_in_cr, s.non_ascii);
        (s, c)
    }

    fn check(bytes: &[u8], base: u32, dialect: &Dialect, inside: bool) {
        let mut expected = vec![];
        let (s, c) = reference(bytes, base, dialect, inside, &mut expected);
        for isa in Isa::available() {
            let mut ends = vec![77];
            assert_eq!(
                scan_with(isa, bytes, base, dialect, inside, &mut ends),
                s,
                "{isa:?}"
            );
            assert_eq!(ends[0], 77);
            assert_eq!(ends[1..], expected, "{isa:?}");
            assert_eq!(count_with(isa, bytes, dialect, inside), c, "{isa:?}");
        }
    }

    fn csv_like() -> impl Strategy<Value = Vec<u8>> {
        let dense = prop::sample::select(b"a,\"\n\r\"\xe9;\"\0".to_vec());
        let sparse = prop::sample::select(b"abcdefghijklmnopqrstuvwxyz0123,\n".to_vec());
        let crlf = prop::sample::select(b"abcdef,\r\n\r\n".to_vec());
        prop_oneof![
            prop::collection::vec(dense, 0..300),
            prop::collection::vec(sparse, 0..600),
            prop::collection::vec(crlf, 0..300),
            prop::collection::vec(any::<u8>(), 0..300),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn all_versions_agree_with_the_reference(
            bytes in csv_like(), base in 0u32..1000, inside: bool, quoted: bool, semicolon: bool,
        ) {
            let delimiter = if semicolon { b';' } else { b',' };
            check(&bytes, base, &Dialect { delimiter, quote: quoted.then_some(b'"') }, inside && quoted);
        }

        #[test]
        fn bytes_are_counted(bytes in csv_like(), byte: u8) {
            prop_assert_eq!(count_byte(&bytes, byte), bytes.iter().filter(|b| **b == byte).count());
        }
    }

    #[test]
    fn a_long_dense_window_grows_the_offsets() {
        check(&[b','; 100_001], 5, &Dialect::default(), false);
        check(&b"\r\n".repeat(50_000), 0, &Dialect::default(), false);
        check(&b"\r".repeat(128), 0, &Dialect::default(), false);
    }

    #[test]
    fn quotes_across_blocks() {
        for pad in 0..140 {
            let text = [&vec![b'x'; pad][..], b",\"a,\"\"\nb\",\"\"\n\"q\"z,\"open"].concat();
            check(&text, 0, &Dialect::default(), false);
            let regular = [&vec![b'x'; pad][..], b",\"a,\"\"\nb\",\"\"\n\"q\"\n"].concat();
            let seen = scan(&regular, 0, &Dialect::default(), false, &mut vec![]);
            assert!(!seen.irregular && seen.newlines == 2 && !seen.inside);
        }
    }

    #[test]
    fn regular_windows() {
        let check = |text: &[u8], fields| {
            let mut ends = vec![];
            let seen = scan(text, 9, &Dialect::default(), false, &mut ends);
            regular(text, 9, &ends, fields, seen.newlines)
        };
        assert_eq!(check(b"a,b\nc,d\n", 2), Some(2));
        assert_eq!(check(b"a,b\nc,d\ne", 2), Some(2));
        assert_eq!(check(b"a,b\r\nc,d\re,", 2), Some(2));
        assert_eq!(check(b"a,b\nc,d\ne,f,", 2), None);
        assert_eq!(check(b"a,b,c\nd\n", 2), None);
        assert_eq!(check(b"a,b\nc\nd\n", 2), None);
        assert_eq!(check(b"a\n\nb\n", 1), Some(3));
        assert_eq!(check(b"", 3), Some(0));
    }
}
