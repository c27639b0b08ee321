//! The writers from outside.
