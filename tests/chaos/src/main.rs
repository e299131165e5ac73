//! The command line of `chaos`. Owns arguments and exit codes; each command has a file in `subcommand/`.
//!
//! Exit codes: 0 everything held, 1 a violation or a run that could not be judged, 2 usage.

use std::process::ExitCode;

use chaos::Result;
use chaos::subcommand::{drain, leaders, overload, poison, run, soak, zombies};
use clap::{Parser, Subcommand};
use color_eyre::eyre::eyre;
use tokio::signal::unix::{SignalKind, signal};

/// Breaks a real city on purpose and judges it from outside: replies against the ledger.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Leaders(leaders::Leaders),
    Zombies(zombies::Zombies),
    Overload(overload::Overload),
    Drain(drain::Drain),
    Poison(poison::Poison),
    Soak(soak::Soak),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Broken off: everything that was started or stopped is ended or resumed by its guard.
    let outcome = tokio::select! {
        outcome = run(Cli::parse().command) => outcome,
        () = broken_off() => Err(eyre!("broken off")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, or somebody's SIGTERM: a time limit around this process, say.
async fn broken_off() {
    let Ok(mut ended) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = ended.recv() => {}
    }
}

async fn run(command: Command) -> Result<bool> {
    match command {
        Command::Run(command) => command.run().await,
        Command::Leaders(command) => command.run().await,
        Command::Zombies(command) => command.run().await,
        Command::Overload(command) => command.run().await,
        Command::Drain(command) => command.run().await,
        Command::Poison(command) => command.run().await,
        Command::Soak(command) => command.run().await,
    }
}
