//! The binary `chef`: hands the arguments to the library, and its answer to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    chef::cli::main()
}
