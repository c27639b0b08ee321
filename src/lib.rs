//! `ddf`: questions of CSV and Parquet files that are larger than memory.

pub mod error;
pub mod expr;
pub mod kernel;
pub mod memory;
pub mod observe;
pub mod operate;
pub mod pipeline;
pub mod source;
pub mod write;

pub use error::{Error, Result};
