//! Links the program at a fixed address on Linux.
//!
//! A position-independent executable of this size has 70,000 addresses to be relocated when it starts, which touches
//! and copies 400 pages: a millisecond, a fifth of the time of a question of a small file.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|v| v == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
