//! The `ddf` program: a thin shell around the library's command line.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    ddf::cli::main()
}
