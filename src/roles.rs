//! One binary, every role: `chef balancer` and `chef kitchen` are the daemons' own entry points.
//!
//! The only file here that sees code of a balancer or of a kitchen agent. Never adds behaviour: what a role does is the
//! same under its own small binary.

use std::path::Path;

pub use balancer::config::Args as BalancerArgs;
pub use kitchen_agent::Args as KitchenArgs;

use crate::cli::Failure;
use crate::output::{self, Format, pairs};

/// Runs a balancer until it is stopped.
///
/// # Errors
/// It cannot start, or its ledger failed.
pub fn balancer(args: BalancerArgs) -> Result<(), Failure> {
    Ok(balancer::main(args)?)
}

/// Runs a kitchen agent until it is stopped.
///
/// # Errors
/// It cannot start, or must not go on.
pub fn kitchen(args: KitchenArgs) -> Result<(), Failure> {
    let told =
        |error: kitchen_agent::AgentError| Failure { code: error.exit_code(), ..Failure::failed(error.to_string()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = args.resolve().map_err(|error| Failure::usage(error.to_string()))?;
        kitchen_agent::logging::start(&config);
        kitchen_agent::run(config).await.map_err(told)
    })
}

/// Walks the ledger in a data directory and prints what it found.
///
/// # Errors
/// It cannot be read, or names the first record that is wrong.
pub fn verify(dir: &Path, format: Format) -> Result<(), Failure> {
    let report = balancer::verify::run(dir).map_err(|error| Failure::failed(error.to_string()))?;
    output::show(format, &report, |report| {
        pairs(&[
            ("ledger", format!("sound: {} events in {} rows", report.events, report.rows)),
            ("position", format!("{}, epoch {}", report.position, report.epoch)),
            ("accepted", report.accepted.to_string()),
            ("completed", report.completed.to_string()),
            ("cancelled", report.cancelled.to_string()),
            ("dead-lettered", report.dead_lettered.to_string()),
            ("open", report.open.to_string()),
            ("stale refused", report.stale_refused.to_string()),
            ("chain", report.chain.clone()),
        ])
    })?;
    Ok(())
}
