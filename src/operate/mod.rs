//! What is done to rows between their source and the result: operators as transforms and sinks.
//!
//! ```text
//!   Transform (row by row, holds little)      limit
//!   Sink      (must see everything first)     sort   (sorted runs, later merged by key range)
//! ```
//!
//! An operator reserves memory before it keeps rows, and spills itself when refused.

pub mod aggregate;
pub mod expand;
pub mod filter;
pub mod join;
pub mod limit;
pub mod project;
pub mod sort;
pub mod window;
