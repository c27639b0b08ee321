//! Tight loops over bytes and arrays, and the few types that every room above shares.
//!
//! ```text
//!   bytes ── scan ──► field ends ── parse ──► arrays ──► Batch ── hash, group ──► group numbers
//!            │ raw: AVX-512, AVX2, portable
//! ```
//!
//! What lives here knows nothing of files, queries or memory limits: a function gets slices and
//! fills vectors. [`scan`] finds the structure of CSV, [`parse`] turns fields into values without
//! allocating, [`hash`] and [`group`] number keys, [`batch`], [`types`] and [`scalar`] are what the
//! rooms above speak in ([`mod@width`], [`carry`] and [`show`] for the rarer types), [`keyset`] leaves rows out before a join, [`bits`] and [`hybrid`] unpack Parquet. [`raw`] is the only place with `unsafe`: SIMD whose processor features
//! were checked, and text views whose UTF-8 was. Each fast loop has a readable twin in its tests.

pub mod batch;
pub mod bits;
pub mod carry;
pub mod direct;
pub mod group;
pub mod hash;
pub mod hybrid;
pub mod keyset;
pub mod names;
pub mod parse;
pub mod raw;
pub mod scalar;
pub mod scan;
pub mod show;
pub mod types;
pub mod width;

pub use batch::{Batch, row_bytes};
pub use keyset::KeySet;
pub use scalar::Scalar;
pub use width::Width;
