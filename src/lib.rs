//! `ddf`: questions of CSV and Parquet files that are larger than memory.
//!
//! A [`Frame`] is a lazy table over a glob of files. It is built step by step, planned,
//! optimised, lowered to a graph of tasks and run on all processors within a memory limit.
//!
//! ```
//! use ddf::Frame;
//! let busiest = Frame::read("testdata/nycflights/*.csv")?
//!     .groupby(["UniqueCarrier"])?
//!     .agg(["count()", "mean(ArrDelay)"])?
//!     .sort(["count:desc"])?
//!     .limit(0, Some(3))?
//!     .collect()?;
//! assert_eq!(busiest.rows(), 3);
//! # Ok::<(), ddf::Error>(())
//! ```
//!
//! Functions of your own run beside frames, on the same kind of graph: [`graph::TaskGraph`].
//!
//! The modules are rooms on one way: files come in through [`source`], are worked on inside a
//! `pipeline` by what `operate` holds, and leave through `write`; `plan`, `optimize`,
//! [`graph`] and [`schedule`] decide what happens when.

pub mod cli;
pub mod dashboard;
pub mod error;
pub mod expr;
pub mod frame;
pub mod graph;
pub mod kernel;
pub mod memory;
pub mod observe;
pub mod operate;
pub mod optimize;
pub mod pipeline;
pub mod plan;
pub mod schedule;
pub mod source;
pub mod sql;
pub mod tasks;
pub mod write;

pub use error::{Error, Result};
pub use frame::{AsOf, Direction, Frame, How, Settings};
pub use sql::Sql;
