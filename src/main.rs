//! ddf
fn main() {}
