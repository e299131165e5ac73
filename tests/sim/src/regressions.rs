//! Seeds that once showed a defect, and what it was. They run with the others (`tests/seeds.rs`).
//!
//! A seed means the same run only until what is drawn changes; then it is one more seed, and the words remain.

use crate::params::Scenario;

/// Scenario, seed, and what was wrong.
pub const REGRESSIONS: [(Scenario, u64, &str); 3] = [
    (Scenario::All, 1535, "a report of the death of process 0 was believed by a new leader, which knew no process yet"),
    (
        Scenario::All,
        1698,
        "a kitchen gave an order back at its fence and took the same lease again, told anew meanwhile",
    ),
    (
        Scenario::All,
        10,
        "an order went back to where it had failed because the other kitchens had not found the new leader yet",
    ),
];
