//! One binary, every role: `chef balancer` and `chef kitchen` are the daemons' own entry points.
//!
//! The only file here that sees code of a balancer or of a kitchen agent. Never adds behaviour: what a role does is the
//! same under its own small binary.

use std::path::Path;

pub use balancer::config::Args as BalancerArgs;
pub use kitchen_agent::Args as KitchenArgs;

use protocol::Position;

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
            ("recovered", report.recovered.to_string()),
            ("reassigned", report.reassigned.to_string()),
            ("handed over", report.handovers.to_string()),
            ("requeued", report.requeued.to_string()),
            ("chain", report.chain.clone()),
        ])
    })?;
    Ok(())
}

/// Prints the events of a ledger, one a line.
///
/// # Errors
/// It is damaged or cannot be read; what is whole was printed.
pub fn dump(dir: &Path, from: u64, to: u64) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let range = (Position(from), Position(to));
    match balancer::dump::run(dir, range, &mut out) {
        Ok(_) => Ok(()),
        Err(balancer::dump::DumpError::Write(error)) => Err(error.into()),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// Cuts a stopped ledger behind a position, if `sure` agrees to what it would lose.
///
/// # Errors
/// It cannot be done so, or `sure` does not agree.
pub fn repair(
    dir: &Path,
    to: u64,
    format: Format,
    sure: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: balancer::repair::RepairError| Failure::failed(error.to_string());
    let plan = balancer::repair::plan(dir, Position(to)).map_err(failed)?;
    sure(&plan.to_string())?;
    let repaired = plan.carry_out(dir).map_err(failed)?;
    output::show(format, &repaired, |repaired| {
        let names = |paths: &[std::path::PathBuf]| {
            let names =
                paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
            names.collect::<Vec<_>>().join(", ")
        };
        pairs(&[
            ("repaired", format!("sound up to position {}, epoch {}", repaired.position, repaired.epoch)),
            (
                "dropped",
                format!("{} events, {} acknowledged orders", repaired.dropped.events, repaired.dropped.accepted),
            ),
            ("kept", names(&repaired.kept)),
            ("removed", names(&repaired.removed)),
            ("open", repaired.verified.open.to_string()),
            ("chain", repaired.verified.chain.clone()),
        ])
    })?;
    Ok(())
}
