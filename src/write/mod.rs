//! Results on their way out: batches become text or Parquet, in order, and reach their target
//! whole or not at all.
//!
//! ```text
//!   task 0: batches ─► Encoder ─► Encoded ─┐            (parallel: formatting, compression of pages)
//!   task 1: batches ─► Encoder ─► Encoded ─┼─► Output::append, in partition order ─► Output::finish
//!   task 2: batches ─► Encoder ─► Encoded ─┘            (one thread: concatenates)       │
//!                                                                  stdout ◄── or ── temporary file, renamed
//! ```
//!
//! An [`Encoder`] is made for each partition and does the costly part inside the parallel tasks:
//! values to text, or columns to compressed Parquet pages. The [`Output`] belongs to the
//! coordinator and only puts pieces behind one another. A file target is written under a
//! temporary name beside the target, synced and renamed by [`Output::finish`]; an `Output` that is
//! dropped before leaves nothing and the old file untouched. So reading and writing the same file
//! is safe.
//!
//! The bytes of text formats hang on the rows alone. Parquet row groups also follow the boundaries
//! of partitions; of sorted rows, whose partitions hang on threads and memory, their numbers.

mod arrow_file;
mod cells;
mod chunk;
mod csv;
mod destination;
mod format;
mod json;
mod markup;
mod numbers;
mod output;
mod parquet;
mod rare;
mod table;
#[cfg(test)]
mod tests;

pub use destination::{can_write, write_whole};
pub use format::{Compression, Format, WriteOptions};
pub use output::{Encoded, Encoder, EncoderMaker, Output, Summary, Target};
