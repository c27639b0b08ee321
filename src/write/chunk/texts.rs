//! Text: a dictionary in the order of first appearance where it makes the chunk smaller.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use crate::error::Result;

/// Distinct values of a dictionary, at most.
const MOST_DISTINCT: usize = 1 << 16;
/// Bytes of a dictionary, at most.
const MOST_BYTES: usize = 1 << 20;
/// Values after which a dictionary must have proved smaller.
const PROBE: usize = 8192;
/// Views of at most this many bytes hold the text themselves.
const INLINE: u32 = 12;

/// A text column in one of two shapes.
pub(super) enum Texts {
    Plain(StringViewArray),
    /// Codes, and what they stand for.
    Coded(ArrayRef),
}

impl Texts {
    /// `None` where the type is another.
    pub(super) fn of(array: &ArrayRef) -> Result<Option<Texts>> {
        Ok(Some(match array.data_type() {
            DataType::Utf8View => Texts::Plain(array.as_string_view().clone()),
            DataType::Utf8 | DataType::LargeUtf8 => {
                Texts::Plain(cast(array, &DataType::Utf8View)?.as_string_view().clone())
            }
            DataType::Dictionary(k, v) if **k == DataType::Int32 && **v == DataType::Utf8View => {
                Texts::Coded(array.clone())
            }
            DataType::Dictionary(_, v) if matches!(**v, DataType::Utf8View | DataType::Utf8) => {
                Texts::Plain(cast(array, &DataType::Utf8View)?.as_string_view().clone())
            }
            _ => return Ok(None),
        }))
    }

    /// Calls `take` with each text that is not null, until it answers false.
    pub(super) fn each(&self, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Texts::Plain(a) => a.iter().flatten().all(|t| take(t.as_bytes())),
            Texts::Coded(a) => match a.as_dictionary::<Int32Type>().downcast_dict::<StringViewArray>() {
                Some(a) => a.into_iter().flatten().all(|t| take(t.as_bytes())),
                None => false,
            },
        }
    }
}

/// Gives texts numbers.
#[derive(Default)]
pub(super) struct Interner {
    /// Open addressing; short texts, and their code plus one.
    short: Vec<(u128, u32)>,
    shorts: usize,
    long: HashMap<Vec<u8>, u32, foldhash::fast::RandomState>,
    /// The distinct texts in the plain encoding, and where each begins.
    pub plain: Vec<u8>,
    pub starts: Vec<usize>,
    pub codes: Vec<u32>,
}

fn mix(view: u128) -> usize {
    let (low, high) = (
        view as u64 ^ 0x9e37_79b9_7f4a_7c15,
        (view >> 64) as u64 ^ 0xd6e8_feb8_6659_fd93,
    );
    let wide = u128::from(low) * u128::from(high);
    (wide as u64 ^ (wide >> 64) as u64) as usize
}

impl Interner {
    /// Takes all values; false where the dictionary does not pay.
    pub(super) fn take_all(&mut self, columns: &[Texts]) -> bool {
        self.short = vec![(0, 0); 1024];
        columns.iter().all(|c| match c {
            Texts::Plain(a) => self.take_views(a),
            Texts::Coded(a) => self.take_coded(a),
        })
    }

    /// The text of a code.
    pub(super) fn text(&self, code: usize) -> &[u8] {
        let end = self.starts.get(code + 1).copied().unwrap_or(self.plain.len());
        &self.plain[self.starts[code] + 4..end]
    }

    fn pays(&self) -> bool {
        let n = self.starts.len();
        n <= MOST_DISTINCT
            && self.plain.len() <= MOST_BYTES
            && (self.codes.len() < PROBE || 2 * n <= self.codes.len())
    }

    fn take_views(&mut self, array: &StringViewArray) -> bool {
        let views = array.views();
        self.codes.reserve(array.len());
        let nulls = array.nulls().filter(|n| n.null_count() > 0);
        for (i, &view) in views.iter().enumerate() {
            if nulls.is_some_and(|n| n.is_null(i)) {
                continue;
            }
            let code = match view as u32 <= INLINE {
                true => self.short_code(view),
                false => self.long_code(array.value(i).as_bytes()),
            };
            self.codes.push(code);
        }
        self.pays()
    }

    fn take_coded(&mut self, array: &ArrayRef) -> bool {
        let array = array.as_dictionary::<Int32Type>();
        let Some(values) = array.values().as_string_view_opt() else {
            return false;
        };
        let mut known = vec![u32::MAX; values.len()];
        for key in array.keys().iter().flatten() {
            let key = key as usize;
            if values.is_null(key) {
                continue;
            }
            if known[key] == u32::MAX {
                let view = values.views()[key];
                known[key] = match view as u32 <= INLINE {
                    true => self.short_code(view),
                    false => self.long_code(values.value(key).as_bytes()),
                };
            }
            self.codes.push(known[key]);
        }
        self.pays()
    }

    #[inline]
    fn short_code(&mut self, view: u128) -> u32 {
        let mask = self.short.len() - 1;
        let mut at = mix(view) & mask;
        loop {
            let (key, code) = self.short[at];
            if code == 0 {
                break;
            }
            if key == view {
                return code - 1;
            }
            at = (at + 1) & mask;
        }
        let bytes = view.to_le_bytes();
        let code = self.new_code(&bytes[4..4 + view as u32 as usize]);
        self.short[at] = (view, code + 1);
        self.shorts += 1;
        if 2 * self.shorts > self.short.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.short);
        self.short = vec![(0, 0); 4 * old.len()];
        let mask = self.short.len() - 1;
        for (key, code) in old.into_iter().filter(|(_, c)| *c != 0) {
            let mut at = mix(key) & mask;
            while self.short[at].1 != 0 {
                at = (at + 1) & mask;
            }
            self.short[at] = (key, code);
        }
    }

    fn long_code(&mut self, text: &[u8]) -> u32 {
        if let Some(code) = self.long.get(text) {
            return *code;
        }
        let code = self.new_code(text);
        self.long.insert(text.to_vec(), code);
        code
    }

    fn new_code(&mut self, text: &[u8]) -> u32 {
        self.starts.push(self.plain.len());
        plain(text, &mut self.plain);
        self.starts.len() as u32 - 1
    }
}

/// One text in the plain encoding.
pub(super) fn plain(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}
