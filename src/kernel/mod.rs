//! Tight loops over bytes and arrays, and the few types that every room above shares.

pub mod batch;
pub mod raw;
pub mod scalar;
pub mod types;

pub use batch::Batch;
pub use scalar::Scalar;
