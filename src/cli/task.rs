//! `ddf __task`: one task of a task graph in a process of its own.

use crate::error::{Error, Result};

/// Runs the task described on standard input.
pub fn run() -> Result<()> {
    Err(Error::usage("no task graph was given"))
}
