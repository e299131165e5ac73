//! The `balancer` binary: one role, for a container.

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The balancer of Distributed Chef: makes each order durable, picks a kitchen for it, and moves orders when load is uneven
#[derive(Parser)]
#[command(name = "balancer", version)]
struct Cli {
    #[command(flatten)]
    args: balancer::config::Args,
}

fn main() -> std::process::ExitCode {
    match balancer::main(Cli::parse().args) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
