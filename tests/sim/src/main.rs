//! The simulator's command line. Owns arguments and exit codes, nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sim::mutants::Mutant;
use sim::params::{Params, Scenario};
use sim::runner::{self, Plan};

/// Simulates a city in virtual time over the real cores, with faults, and judges from outside.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    experiment: Option<Experiment>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    runs: u64,
    /// Which faults.
    #[arg(long, value_enum, default_value_t = Scenario::All)]
    scenario: Scenario,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
    /// Takes a guard away; exit 0 if that is noticed.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
    /// Does so with each guard, and prints a table.
    #[arg(long, conflicts_with = "mutant")]
    mutants: bool,
    /// Calls it a violation if one order is leased more often than this.
    #[arg(long)]
    leases_max: Option<u32>,
    /// Prints everything that happens in the first seed.
    #[arg(long)]
    trace: bool,
    /// Side by side.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Without faults: how good the policies are.
#[derive(Debug, Subcommand)]
enum Experiment {
    /// Sojourn times of each policy against one central queue, on the same orders.
    Policies {
        /// Offered work / all stations' work.
        #[arg(long, default_value_t = 0.9)]
        load: f64,
        /// How many unlike kitchens.
        #[arg(long, default_value_t = 20)]
        kitchens: usize,
        /// How many orders.
        #[arg(long, default_value_t = 20_000)]
        orders: usize,
        /// Of city and orders.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Load balance efficiency of the weighted score and of round robin in the built-in city, on the same orders.
    Balance {
        /// Of the orders.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many orders at each load.
        #[arg(long, default_value_t = 5_000)]
        orders: usize,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.experiment {
        Some(Experiment::Policies { load, kitchens, orders, seed }) => {
            return exit(sim::experiments::policies(load, kitchens, orders, seed));
        }
        Some(Experiment::Balance { seed, orders }) => return exit(sim::experiments::balance(seed, orders)),
        None => {}
    }
    let plan = Plan {
        seed: args.seed,
        runs: args.runs,
        scenario: args.scenario,
        mutant: args.mutant,
        twice: args.twice,
        stop_at_first: args.mutant.is_some(),
        leases_max: args.leases_max,
        threads: args.threads,
    };
    if args.mutants {
        return exit(runner::hunt(&plan));
    }
    if args.trace {
        let outcome = sim::world::run(Params::draw(args.seed, args.scenario, args.mutant), true);
        runner::print_failure(&plan, &outcome);
        return exit(outcome.violations.is_empty() == args.mutant.is_none());
    }
    let summary = runner::run(&plan);
    for outcome in summary.failed.iter().take(5) {
        runner::print_failure(&plan, outcome);
    }
    summary.print();
    exit(summary.failed.is_empty() == args.mutant.is_none())
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
