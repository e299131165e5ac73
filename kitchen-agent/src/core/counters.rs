//! What the agent has done since it started, for metrics and for the simulator.
//!
//! Owns the numbers. Nothing is ever decided by them.

use std::collections::BTreeMap;
use std::time::Duration;

/// The most stage names counted apart; a menu has a handful, and a metric must not grow with hostile names.
const STAGE_NAMES_MAX: usize = 64;
/// Stands for every name beyond [`STAGE_NAMES_MAX`].
const OTHER: &str = "other";

/// Sums since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Orders cooked to the end here.
    pub completed: u64,
    /// Orders whose cooking failed here.
    pub failed: u64,
    /// Commands that took too long and were killed.
    pub timed_out: u64,
    /// Leases dropped at their fence.
    pub fenced: u64,
    /// Reports that were refused because the lease had gone elsewhere.
    pub stale: u64,
    /// Orders not taken: late, full or closing.
    pub declined: u64,
    /// Orders that came with a token older than the one in hand.
    pub outdated: u64,
    /// Time spent, by the name of the stage.
    pub stages: BTreeMap<String, StageTotal>,
}

/// How often a stage was done, and how long it took in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTotal {
    /// How often.
    pub count: u64,
    /// The sum.
    pub time: Duration,
}

impl Counters {
    pub(super) fn stage_done(&mut self, name: &str, took: Duration) {
        let known = self.stages.contains_key(name) || self.stages.len() < STAGE_NAMES_MAX;
        let name = if known { name } else { OTHER };
        let total = match self.stages.get_mut(name) {
            Some(total) => total,
            None => self.stages.entry(name.to_owned()).or_default(),
        };
        total.count += 1;
        total.time += took;
    }
}
