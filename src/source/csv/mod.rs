//! CSV: text files of records, read in parallel from anywhere, with the answer of a single pass.
//!
//! ```text
//!  sniff ─ infer ─► CsvDataset ─ open(part) ─► CsvSource: windows ─► rows ─► columns ─► Batch
//!                        ▲                        │
//!                        └── widened() ◄── Replan ┘  a sample misled: look at all values, ask again
//! ```
//!
//! A file is cut into byte ranges; a partition owns the records that start in its range. Where
//! records start depends on whether the range begins inside quotes, which [`chain`] knows from the
//! parities of the quotes before it, once they are read; until then it is guessed, and checked. [`windows`] reads a range and finds the ends of fields,
//! [`rows`] knows which is whose, [`columns`] parses them with the strict parsers of [`values`].
//! [`exact`] is the readable scanner, for whatever the parities cannot tell.

mod chain;
mod columns;
mod dataset;
mod exact;
mod file;
mod flow;
mod header;
mod infer;
mod lines;
mod met;
mod numbers;
mod places;
mod ragged;
mod read;
mod reject;
mod rows;
mod sniff;
mod starts;
mod values;
mod walk;
mod windows;
mod witness;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

pub use dataset::CsvDataset;
