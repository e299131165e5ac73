//! The core against a small reference: random inputs, and after each one the two must agree.
//!
//! The reference (`model/reference.rs`) says of each order how far it is, its newest token and who holds it, of each key
//! its order, and of each kitchen whether it may be given anything. It knows no leases' times and chooses no kitchen: which
//! of the allowed things happens is the core's business, that nothing else happens is this test's.
//!
//! `PROPTEST_CASES=5000 cargo test -p balancer-core --test model` runs longer than the usual
//! 256 stories, which take about three seconds.

mod model {
    pub mod bench;
    pub mod command;
    pub mod expect;
    pub mod reference;
}

use model::bench::Bench;
use model::command::{Command, story};
use proptest::prelude::*;

/// Inputs in one story: enough for three strikes of one order and two restarts.
const INPUTS: usize = 80;

fn tell(story: &[Command]) {
    let mut bench = Bench::new();
    for command in story {
        bench.step(command);
    }
    bench.drain();
}

proptest! {
    // What fails is printed shrunk, as a story that reads; nothing is kept in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_in_the_core_does_only_what_the_reference_allows(story in story(INPUTS)) {
        tell(&story);
    }
}

#[test]
fn the_bench_reaches_every_state_and_most_events() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..90 {
        let story = story(2 * INPUTS).new_tree(&mut runner).expect("a story").current();
        let mut bench = Bench::new();
        story.iter().for_each(|command| bench.step(command));
        seen.extend(bench.seen().iter().copied());
    }
    // A test that no longer reaches something says nothing about it.
    for word in [
        "accepted",
        "leased",
        "started",
        "stage_done",
        "completed",
        "attempt_failed",
        "lease_lost",
        "cancelled",
        "dead_lettered",
        "requeued",
        "stale_refused",
        "kitchen_lost",
        "kitchen_returned",
        "kitchen_scheduling",
        "drained",
        "move_failed",
        "policy_changed",
        "move_ordered",
        "handed_over",
        "drain_started",
        "epoch_started",
    ] {
        assert!(seen.contains(word), "no story reached {word}: {seen:?}");
    }
}
