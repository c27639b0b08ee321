//! The only module with `unsafe`.
#![allow(unsafe_code)]

pub mod allocator;
pub mod fd;
pub mod lanes;
pub mod prefetch;
pub mod scan_avx2;
pub mod scan_avx512;
pub mod scan_portable;
pub mod scan_walk;

pub mod text_views;
