//! The only module with `unsafe`.

pub mod text_views;
