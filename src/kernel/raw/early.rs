//! What must be done before `main`: the runtime's first allocation already fills a page of 2 MiB with
//! zeros, a tenth of the time that a question of a small file takes.
//!
//! A part of the program, not of the library, which leaves the process that it is linked into alone.
#![allow(unsafe_code)]

/// Called by the loader, before the runtime is there; so it may neither allocate nor panic.
// SAFETY: `.init_array` holds pointers to functions without result, which is what this is.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    // a store and a system call
    ddf::kernel::raw::allocator::expect_little();
}
