//! The binary: reads settings, starts logging and runs one kitchen. Decides nothing else.

use std::process::ExitCode;

use clap::Parser;
use kitchen_agent::{AgentError, Args, logging, run};

fn main() -> color_eyre::Result<ExitCode> {
    color_eyre::install()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(start(Args::parse()));
    drop(runtime); // with it every command that still runs
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kitchen-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    })
}

async fn start(args: Args) -> Result<(), AgentError> {
    let config = args.resolve()?;
    logging::start(&config);
    run(config).await
}
