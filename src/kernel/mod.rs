//! Tight loops over bytes and arrays, and the few types that every room above shares.

pub mod batch;
pub mod exact;
pub mod group;
pub mod hash;
pub mod parse;
pub mod raw;
pub mod scalar;
pub mod scan;
pub mod types;

pub use batch::Batch;
pub use scalar::Scalar;
