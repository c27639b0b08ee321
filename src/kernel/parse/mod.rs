//! From the bytes of a field to a value, strictly: what is not plainly a value of the type is
//! `None`, and nothing is rounded that need not be.
//!
//! ```text
//! scan.rs ── ends ──► Column (bounds of one column's fields) ──► columns.rs ──► values + validity
//!                                                                   │            + misfits (rows)
//!                                               int, float, time ◄──┘
//! ```
//!
//! The drivers in [`columns`] parse one column of a window in a tight loop. A field that does not
//! parse is null and its row is kept in a short list, which the caller compares with the null
//! tokens: never is a token looked for in a field that parses.

mod column;
mod columns;
mod float;
mod int;
pub mod lanes;
mod time;

pub use column::{Bounds, Column, Spans, Text, Trimmed, Validity, trim_quotes};
pub use columns::{bools, dates, floats, ints, timestamps, view, views};
pub use float::{float, float_at};
pub use int::{int, int_at};
pub use time::{date, timestamp};

/// `true` or `false` in any case of letters.
#[inline]
pub fn bool(bytes: &[u8]) -> Option<bool> {
    if bytes.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if bytes.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}
