//! Many runs: seeds over threads, sums, the printing of a failure, and the hunt for mutants.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::checker::Violation;
use crate::checker::ledger::Tally;
use crate::mutants::Mutant;
use crate::params::{Params, Scenario};
use crate::queue::{SECOND, Time};
use crate::world::{self, Outcome};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The first seed.
    pub seed: u64,
    /// How many.
    pub runs: u64,
    /// Which faults.
    pub scenario: Scenario,
    /// What is taken away.
    pub mutant: Option<Mutant>,
    /// Each seed is run twice and must give the same.
    pub twice: bool,
    /// Ends at the first violation.
    pub stop_at_first: bool,
    /// An order that is leased more often than this is a violation; any number will do if absent.
    pub leases_max: Option<u32>,
    /// Side by side.
    pub threads: usize,
}

/// Sums over many runs.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub runs: u64,
    pub simulated: Time,
    pub steps: u64,
    pub inputs: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub tally: Tally,
    pub replies: u64,
    pub retries: u64,
    pub conflicts: u64,
    pub drain_overlap: Time,
    pub slowest_drain: (Time, u64),
    /// Leases of the order that had most, and its seed.
    pub most_leased: (u32, u64),
    /// Exclusive-or of all fingerprints: two equal summaries saw equal runs.
    pub fingerprint: u64,
    pub failed: Vec<Outcome>,
    pub wall: Duration,
}

/// Runs one seed; a panic is a violation.
#[must_use]
pub fn one(seed: u64, scenario: Scenario, mutant: Option<Mutant>) -> Outcome {
    let run = || world::run(Params::draw(seed, scenario, mutant), false);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words");
        let violation = Violation { at: 0, rule: "panic", what: text.to_owned() };
        Outcome { seed, violations: vec![violation], ..Outcome::default() }
    })
}

fn one_checked(plan: &Plan, seed: u64) -> Outcome {
    let mut first = one(seed, plan.scenario, plan.mutant);
    let most = first.tally.attempts_max;
    if plan.leases_max.is_some_and(|limit| most > limit) {
        first.violations.push(Violation { at: 0, rule: "churn", what: format!("one order was leased {most} times") });
    }
    if plan.twice {
        let again = one(seed, plan.scenario, plan.mutant);
        if (again.stats.fingerprint, again.steps) != (first.stats.fingerprint, first.steps) {
            let what = format!("{:?} and then {:?}", first.stats.fingerprint, again.stats.fingerprint);
            first.violations.push(Violation { at: 0, rule: "determinism", what });
        }
    }
    first
}

/// Runs all seeds of a plan.
#[must_use]
pub fn run(plan: &Plan) -> Summary {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= plan.runs || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = one_checked(plan, plan.seed + index);
                    if plan.stop_at_first && !outcome.violations.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(outcome);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.failed.sort_by_key(|outcome| outcome.seed);
    summary.wall = began.elapsed();
    summary
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        self.steps += outcome.steps;
        self.inputs += outcome.stats.inputs;
        for (name, count) in &outcome.stats.faults {
            *self.faults.entry(name).or_default() += count;
        }
        let (sum, one) = (&mut self.tally, &outcome.tally);
        sum.events += one.events;
        sum.accepted += one.accepted;
        sum.completed += one.completed;
        sum.cancelled += one.cancelled;
        sum.dead_lettered += one.dead_lettered;
        sum.moves += one.moves;
        sum.handovers += one.handovers;
        sum.requeued += one.requeued;
        sum.drained += one.drained;
        sum.exited += one.exited;
        sum.moves_failed += one.moves_failed;
        sum.recovered += one.recovered;
        sum.stale_refused += one.stale_refused;
        sum.declined += one.declined;
        sum.attempts_max = sum.attempts_max.max(one.attempts_max);
        self.most_leased = self.most_leased.max((one.attempts_max, outcome.seed));
        self.replies += outcome.stats.replies;
        self.retries += outcome.stats.retries;
        self.conflicts += outcome.stats.conflicts;
        self.drain_overlap = self.drain_overlap.max(outcome.drain_overlap);
        self.slowest_drain = self.slowest_drain.max((outcome.drained_in, outcome.seed));
        self.fingerprint ^= outcome.stats.fingerprint.0.wrapping_mul(outcome.seed | 1);
        if !outcome.violations.is_empty() {
            self.failed.push(outcome);
        }
    }

    /// Prints the sums.
    pub fn print(&self) {
        let hours = self.simulated as f64 / 3.6e9;
        let wall = self.wall.as_secs_f64();
        let tally = &self.tally;
        println!("runs {}, simulated {hours:.1} h in {wall:.1} s ({:.1} h a minute)", self.runs, hours * 60.0 / wall);
        println!("steps {}, inputs of the core {}, events {}", self.steps, self.inputs, tally.events);
        println!(
            "orders {}, completed {}, cancelled {}, dead-lettered {}, recovered {}",
            tally.accepted, tally.completed, tally.cancelled, tally.dead_lettered, tally.recovered
        );
        println!(
            "moves {} done, {} failed; stale refusals {}; leases declined {}, most leases of one order {} (seed {})",
            tally.moves,
            tally.moves_failed,
            tally.stale_refused,
            tally.declined,
            self.most_leased.0,
            self.most_leased.1
        );
        println!(
            "handed over {}, drained {}, released from quarantine {}, deaths believed {}",
            tally.handovers, tally.drained, tally.requeued, tally.exited
        );
        println!("replies {}, retries {}, key conflicts {}", self.replies, self.retries, self.conflicts);
        let faults: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        println!("faults {}: {}", self.faults.values().sum::<u64>(), faults.join(", "));
        println!(
            "slowest drain {:.1} s (seed {}); longest overlap after a drain's deadline {} ms",
            self.slowest_drain.0 as f64 / SECOND as f64,
            self.slowest_drain.1,
            self.drain_overlap / 1_000
        );
        println!("fingerprint {:016x}; seeds with violations: {}", self.fingerprint, self.failed.len());
    }
}

/// Prints a failing seed: what was drawn, what is wrong, and how to see it again.
pub fn print_failure(plan: &Plan, outcome: &Outcome) {
    println!("FAILED {}", Params::draw(outcome.seed, plan.scenario, plan.mutant));
    for violation in &outcome.violations {
        println!("  at {:.6} s: {}: {}", violation.at as f64 / SECOND as f64, violation.rule, violation.what);
    }
    let scenario = clap::ValueEnum::to_possible_value(&plan.scenario).map(|value| value.get_name().to_owned());
    let mutant = plan.mutant.map(|mutant| format!(" --mutant {}", mutant.name())).unwrap_or_default();
    println!(
        "  again: cargo run --release -p sim -- --seed {} --runs 1 --scenario {}{mutant}",
        outcome.seed,
        scenario.unwrap_or_default()
    );
}

/// Whether each mutant is found, with the first seed that shows it; prints a table.
#[must_use]
pub fn hunt(plan: &Plan) -> bool {
    println!("{:<16} {:>10}  {:<12} violation", "mutant", "seed", "rule");
    let mut all = true;
    for mutant in Mutant::ALL {
        let summary = run(&Plan { mutant: Some(mutant), stop_at_first: true, ..*plan });
        let found = summary.failed.first().map(|outcome| (outcome.seed, &outcome.violations[0]));
        match found {
            Some((seed, violation)) => {
                let what: String = violation.what.chars().take(90).collect();
                println!("{:<16} {seed:>10}  {:<12} {what}", mutant.name(), violation.rule);
            }
            None => {
                all = false;
                println!("{:<16} {:>10}  {:<12} in {} seeds", mutant.name(), "-", "NOT FOUND", plan.runs);
            }
        }
    }
    all
}
