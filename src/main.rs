//! The binary `chef`: hands the arguments to the library, and its answer to the shell.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    chef::cli::main()
}
