//! The `ddf` program: a thin shell around the library's command line.

#[cfg(target_os = "linux")]
#[path = "kernel/raw/early.rs"]
mod early;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    ddf::cli::main()
}
