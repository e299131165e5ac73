//! HTTP bodies under `/api/v1`, as both sides see them.
//!
//! Times are RFC 3339 UTC, durations `*_ms`, ratios 0 to 1. A field that is absent is unknown or does not apply.

mod actions;
mod decisions;
mod fleet;
mod orders;
mod system;

use serde::{Deserialize, Serialize};

pub use actions::*;
pub use decisions::*;
pub use fleet::*;
pub use orders::*;
pub use system::*;

/// The prefix of every path here.
pub const PREFIX: &str = "/api/v1";
/// The header of an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header, `true`, of an answer that repeats an earlier one.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// The header with the operator's name, recorded with every operator action.
pub const OPERATOR: &str = "chef-operator";
/// The header with the operator's reason.
pub const REASON: &str = "chef-reason";

/// RFC 9457, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs: `unknown_dish`, `idempotency_conflict`, ...
    pub code: String,
    /// For people: the kind of problem.
    pub title: String,
    /// For people: the cause and the mend.
    pub detail: String,
    /// When it is worth trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
