//! The seeds that every change must pass, and the mutants that they must catch.
//!
//! Tens of seeds here, thousands with `cargo run --release -p sim -- --runs 2000`.

use sim::mutants::Mutant;
use sim::params::Scenario;
use sim::regressions::REGRESSIONS;
use sim::runner::{self, Plan};

fn plan(scenario: Scenario, runs: u64) -> Plan {
    Plan { seed: 1, runs, scenario, mutant: None, twice: false, stop_at_first: false, leases_max: None, threads: 2 }
}

#[track_caller]
fn expect_none(scenario: Scenario, runs: u64) {
    let plan = plan(scenario, runs);
    let summary = runner::run(&plan);
    for outcome in &summary.failed {
        runner::print_failure(&plan, outcome);
    }
    assert!(summary.failed.is_empty(), "{} of {runs} seeds show a violation", summary.failed.len());
    assert!(summary.tally.completed > runs * 20, "too little happened: {} completions", summary.tally.completed);
}

#[test]
fn no_rule_breaks_when_anything_may_fail() {
    expect_none(Scenario::All, 24);
}

#[test]
fn no_rule_breaks_without_faults() {
    expect_none(Scenario::Calm, 6);
}

#[test]
fn no_rule_breaks_under_one_kind_of_fault() {
    for scenario in [Scenario::Network, Scenario::Crash, Scenario::Pause, Scenario::Death] {
        expect_none(scenario, 5);
    }
}

#[test]
fn what_was_once_wrong_stays_right() {
    for (scenario, seed, what) in REGRESSIONS {
        let outcome = runner::one(seed, scenario, None);
        assert!(outcome.violations.is_empty(), "{what}: {:?}", outcome.violations);
    }
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    let summary = runner::run(&Plan { twice: true, seed: 500, ..plan(Scenario::All, 4) });
    assert!(summary.failed.is_empty(), "{:?}", summary.failed.first().map(|outcome| &outcome.violations));
}

#[test]
fn every_missing_guard_is_noticed() {
    for mutant in Mutant::ALL {
        let summary = runner::run(&Plan { mutant: Some(mutant), stop_at_first: true, ..plan(Scenario::All, 40) });
        assert!(!summary.failed.is_empty(), "nobody noticed that {} is missing", mutant.name());
    }
}
