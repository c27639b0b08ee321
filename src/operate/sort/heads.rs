//! Keys as numbers: 128 bits of each row that compare as its keys do, for values that are known to lie
//! within bounds.
//!
//! ```text
//!   head of a row:  | code of key 0 | code of key 1 | …            | inexact |
//!   integer code:     2 + ((value - least) >> shift)                 set where a code was cut
//!   text code:        bytes behind the common prefix, then their number (at most one more than taken)
//! ```
//!
//! Each key takes the bits that its values need, the first ones first; the key that finds too few left
//! is cut, and those behind it have none. A value beyond the bounds becomes the code below or above all
//! others. Descending codes are complemented; a null is the least or greatest code. Once a code of a
//! row is cut, the codes behind it are zero; a code is cut in all rows that have it or in none, lest
//! what is behind it decide between different values. So different heads always tell the order, and
//! equal heads need a look at the values (`keys::compare`) only if their inexact bit is
//! set, and only at the keys from [`Heads::whole_keys`] on.

use arrow::array::{Array, BinaryArray};
use arrow::datatypes::DataType;

use super::cells::{Block, Cells, Int, ints, min_max};
use super::keys::{Key, Kind, MINUS_ZERO, kind};
use super::packing::{Range, union};

/// The code bits of all keys together; one more says inexact.
const BITS: u32 = 127;
/// A code narrower than this tells too little.
const LEAST_BITS: u32 = 4;
/// Bits of a text code that hold the length.
const LENGTH_BITS: u32 = 5;
/// The length of what comes behind all texts; a length of ones is the null.
const ABOVE: u128 = 30;
/// Bytes of a text that a head may hold.
const MOST_TEXT: usize = ((BITS - LENGTH_BITS) / 8) as usize;
/// A common prefix is remembered so far.
const MOST_PREFIX: usize = 256;

/// Bounds of the values of a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Values {
    /// There is none but null.
    #[default]
    None,
    /// Integers, least and greatest.
    Ints(i128, i128),
    /// Texts: what all begin with, and the length of the longest.
    Texts(Vec<u8>, usize),
}

impl Values {
    /// The values in a column of cells.
    pub(super) fn of(cells: &Cells) -> Values {
        if let Cells::Bytes(texts) = cells {
            return Values::of_texts(texts);
        }
        let (min, max) = ints!(cells, v => min_max(v), _ => (i128::MAX, i128::MIN));
        match min <= max {
            true => Values::Ints(min, max),
            false => Values::None,
        }
    }

    /// The values of some texts.
    pub(super) fn of_texts(texts: &BinaryArray) -> Values {
        let mut all = texts.iter().flatten();
        let Some(first) = all.next() else {
            return Values::None;
        };
        let mut prefix = first;
        let mut longest = first.len();
        for text in all {
            longest = longest.max(text.len());
            if !text.starts_with(prefix) {
                prefix = &prefix[..common(prefix, text)];
            }
        }
        Values::Texts(prefix.to_vec(), longest)
    }

    /// What a column of this type may hold, if nothing else is known.
    pub(super) fn any(ty: &DataType) -> Values {
        match (kind(ty), ty) {
            (Kind::Int, DataType::Null | DataType::Boolean) => Values::Ints(0, 1),
            (Kind::Int, DataType::Date32) => Values::Ints(i32::MIN.into(), i32::MAX.into()),
            (Kind::Int, DataType::Decimal128(..)) => Values::Ints(i128::MIN + 1, i128::MAX),
            (Kind::Int, _) => Values::Ints(i64::MIN.into(), i64::MAX.into()),
            _ => Values::Texts(Vec::new(), usize::MAX),
        }
    }

    /// The bounds of both.
    pub(super) fn with(self, other: Values) -> Values {
        match (self, other) {
            (Values::None, v) | (v, Values::None) => v,
            (Values::Ints(a, b), Values::Ints(c, d)) => Values::Ints(a.min(c), b.max(d)),
            (Values::Texts(mut p, m), Values::Texts(q, n)) => {
                p.truncate(common(&p, &q));
                Values::Texts(p, m.max(n))
            }
            // no key is kept in two ways at once
            (v, _) => v,
        }
    }

    /// Bounds that take little memory.
    pub(super) fn brief(mut self) -> Values {
        if let Values::Texts(prefix, _) = &mut self {
            prefix.truncate(MOST_PREFIX);
        }
        self
    }

    /// Bounds that values to come will hardly leave.
    pub(super) fn widened(self) -> Values {
        match self {
            Values::Ints(min, max) => {
                let more = max.saturating_sub(min).saturating_add(1).saturating_mul(2);
                Values::Ints(min.saturating_sub(more), max.saturating_add(more))
            }
            Values::Texts(_, longest) => Values::Texts(Vec::new(), longest),
            Values::None => Values::None,
        }
    }

    /// As integers, if they are; none where there is no value.
    pub(super) fn range(&self) -> Option<Range> {
        match self {
            Values::None => Some(None),
            Values::Ints(min, max) => Some(union(None, Some((*min, *max)))),
            Values::Texts(..) => None,
        }
    }
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// How the values of a key become a code.
#[derive(Debug, Clone)]
enum Code {
    /// Nulls have one, nothing else.
    Null,
    /// `2 + ((value - min) >> shift)` up to `2 + most`.
    Ints { min: i128, max: i128, shift: u32 },
    /// So many bytes behind the first `skip`, and how many there are.
    Texts { skip: usize, bytes: usize },
}

#[derive(Debug, Clone)]
struct Coded {
    key: Key,
    /// Zero if it has no place in the head.
    bits: u32,
    /// Whether the code tells all of every value.
    whole: bool,
    code: Code,
}

/// How rows become heads.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    keys: Vec<Coded>,
}

impl Heads {
    /// Heads for keys of these values.
    pub(super) fn new(keys: &[Key], values: &[Values]) -> Heads {
        let mut left = BITS;
        let coded = keys.iter().zip(values).map(|(key, values)| {
            let (code, bits, whole) = match values {
                _ if left < LEAST_BITS => (Code::Null, 0, false),
                Values::None => (Code::Null, 2, true),
                // minus zero counts as zero
                &Values::Ints(min, MINUS_ZERO) if key.float => ints_code(min, 0, left),
                &Values::Ints(min, max) => ints_code(min, max, left),
                Values::Texts(prefix, longest) => texts_code(prefix.len(), *longest, left),
            };
            left = if whole { left - bits } else { 0 };
            Coded {
                key: key.clone(),
                bits,
                whole,
                code,
            }
        });
        Heads {
            keys: coded.collect(),
        }
    }

    /// Bits of a head, short of the last one, behind those of the first `keys`.
    pub(super) fn bits_behind(&self, keys: usize) -> u32 {
        self.keys.iter().skip(keys).map(|k| k.bits).sum()
    }

    /// Rows of equal heads agree in so many keys.
    pub(super) fn whole_keys(&self) -> usize {
        self.keys.iter().take_while(|k| k.whole).count()
    }

    /// The heads of all rows.
    pub(super) fn of(&self, block: &Block) -> Vec<u128> {
        let mut heads = vec![0u128; block.rows()];
        // 1 where a code of the row was cut.
        let mut cut = vec![0u8; block.rows()];
        for key in &self.keys {
            if key.bits == 0 {
                cut.fill(1);
                break;
            }
            key.append_cells(&block.columns[key.key.column], &mut heads, &mut cut);
        }
        for (h, c) in heads.iter_mut().zip(&cut) {
            *h = (*h << 1) | *c as u128;
        }
        heads
    }
}

/// Integers of which the last bits are left out if need be.
fn ints_code(min: i128, max: i128, left: u32) -> (Code, u32, bool) {
    let span = max.wrapping_sub(min) as u128;
    // nulls, and what is below and above the bounds, have codes of their own
    let bits = |shift: u32| 128 - (span >> shift).saturating_add(4).leading_zeros();
    let mut shift = 0;
    while bits(shift) > left {
        shift += 1;
    }
    (Code::Ints { min, max, shift }, bits(shift), shift == 0)
}

fn texts_code(skip: usize, longest: usize, left: u32) -> (Code, u32, bool) {
    if left < LENGTH_BITS {
        return (Code::Null, 0, false);
    }
    let behind = longest.saturating_sub(skip);
    let bytes = behind.min(((left - LENGTH_BITS) / 8) as usize).min(MOST_TEXT);
    let bits = LENGTH_BITS + 8 * bytes as u32;
    (Code::Texts { skip, bytes }, bits, bytes == behind)
}

impl Coded {
    fn append_cells(&self, cells: &Cells, heads: &mut [u128], cut: &mut [u8]) {
        match (&self.code, cells) {
            (&Code::Texts { skip, bytes }, Cells::Bytes(a)) => {
                self.append(heads, cut, |i| {
                    a.is_valid(i).then(|| text_code(a.value(i), skip, bytes))
                });
            }
            (&Code::Ints { min, max, shift }, cells) if cells.width() > 0 => {
                let inexact = shift > 0;
                let above = 3 + (max.wrapping_sub(min) as u128 >> shift);
                ints!(cells, v => self.append(heads, cut, |i| {
                    let x = v[i].wide();
                    let x = if self.key.float && x == MINUS_ZERO { 0 } else { x };
                    match x {
                        i128::MIN => None,
                        _ if x < min => Some((1, true)),
                        _ if x > max => Some((above, true)),
                        _ => Some((2 + (x.wrapping_sub(min) as u128 >> shift), inexact)),
                    }
                }), _ => cut.fill(1));
            }
            (_, Cells::Bytes(a)) => self.append(heads, cut, |i| a.is_valid(i).then_some((1, true))),
            (_, cells) => self.append(heads, cut, |i| cells.int(i).map(|_| (1, true))),
        }
    }

    /// Appends the code of each row, none for null, and whether it was cut.
    fn append(&self, heads: &mut [u128], cut: &mut [u8], code: impl Fn(usize) -> Option<(u128, bool)>) {
        let all = (1u128 << self.bits) - 1;
        let null_code = if self.key.nulls_first { 0 } else { all };
        let flip = if self.key.descending { all } else { 0 };
        for (i, (h, c)) in heads.iter_mut().zip(cut).enumerate() {
            let (code, cut_now) = match code(i) {
                None => (null_code, false),
                Some((code, cut_now)) => (code ^ flip, cut_now),
            };
            let code = if *c == 0 { code } else { 0 };
            *h = (*h << self.bits) | code;
            *c |= cut_now as u8;
        }
    }
}

/// `n` bytes behind the first `skip`, and the length, and whether bytes were cut.
#[inline]
fn text_code(text: &[u8], skip: usize, n: usize) -> (u128, bool) {
    let Some(text) = text.get(skip..) else {
        return (ABOVE, true); // no text is shorter than what all begin with
    };
    let mut first = [0u8; 16];
    let m = text.len().min(n);
    first[16 - n..16 - n + m].copy_from_slice(&text[..m]);
    let length = text.len().min(n + 1) as u128 + 1;
    (
        (u128::from_be_bytes(first) << LENGTH_BITS) | length,
        text.len() > n,
    )
}

/// A text of which no head, whatever the values of others, sees more.
pub(super) fn shortened(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_PREFIX + MOST_TEXT + 1)]
}
