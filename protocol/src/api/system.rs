//! Bodies about the whole: rush, proof, key figures, status.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, Position};
use crate::time::WallTime;

/// `POST /rush`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRush {
    /// Orders a second, 0.1 to 100,000; arrivals are a Poisson stream and wait for nobody.
    pub rate: f64,
    /// Seconds, 1 to 3,600.
    pub for_s: u64,
    /// All zones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// `GET /rush`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RushView {
    /// Orders a second.
    pub rate: f64,
    /// Where; all zones if absent.
    pub zone: Option<String>,
    /// How long it still lasts.
    pub left_ms: u64,
    /// Orders it has made.
    pub placed: u64,
    /// Orders of it that were shed.
    pub shed: u64,
}

/// `GET /proof`: one fold of the ledger at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proof {
    /// Folded up to here.
    pub position: Position,
    /// Under this leader.
    pub epoch: Epoch,
    /// Orders acknowledged, ever.
    pub accepted: u64,
    /// Orders in the table that are not ended: counted there, not computed from the others.
    pub open: u64,
    /// Ended by cooking.
    pub completed: u64,
    /// Ended by cancelling.
    pub cancelled: u64,
    /// Set aside.
    pub dead_lettered: u64,
    /// accepted - open - completed - cancelled - dead_lettered: must be 0.
    pub lost: i64,
    /// Completions beyond the first of an order: must be 0.
    pub twice: u64,
    /// Late results refused.
    pub stale_refused: u64,
}

impl Proof {
    /// Whether the promise holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lost == 0 && self.twice == 0
    }
}

/// Kitchens by health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is a health")]
pub struct HealthCounts {
    pub alive: u32,
    pub suspected: u32,
    pub dead: u32,
}

/// Key figures; rates and percentiles over the last 10 s.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Kpi {
    /// Accepted orders a second.
    pub accepted_per_s: f64,
    /// Completed orders a second.
    pub completed_per_s: f64,
    /// Median time from acceptance to completion; absent if none completed.
    pub p50_ms: Option<u64>,
    /// 99 in 100 were faster.
    pub p99_ms: Option<u64>,
    /// Mean / maximum utilisation over the open kitchens; absent when all are empty.
    pub load_balance_efficiency: Option<f64>,
    /// Migrations done / tried since the ledger began; absent before the first.
    pub migration_success_ratio: Option<f64>,
    /// Alive capacity / all capacity.
    pub availability: f64,
}

/// A balancer as it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerView {
    /// Its id.
    pub id: String,
    /// `leader` or `standby`.
    pub role: String,
    /// Its process.
    pub pid: u32,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How far a standby has followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// Something that an operator must know now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `disk_full`, `disk_slow`, `mass_suspicion`, `panic`, `clock_stepped`, `ledger_damaged`, `kitchen_stuck`,
    /// `kitchen_ejected`, `quarantine`.
    #[serde(alias = "code")] // as recordings of earlier releases have it
    pub name: String,
    /// For people: what, how much, and what to do.
    pub text: String,
    /// Since when.
    pub since: WallTime,
}

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The city's name.
    pub city: String,
    /// The leader.
    pub leader: BalancerView,
    /// The others.
    pub standbys: Vec<BalancerView>,
    /// The leader's reign.
    pub epoch: Epoch,
    /// The ledger's end.
    pub position: Position,
    /// Of the leader's process.
    pub uptime_ms: u64,
    /// By health.
    pub kitchens: HealthCounts,
    /// The proof at this position.
    pub proof: Proof,
    /// Key figures.
    pub kpi: Kpi,
    /// The rush that runs.
    pub rush: Option<RushView>,
    /// Of the balancer.
    pub version: String,
    /// How long an idempotency key is remembered, from its order's acceptance on.
    #[serde(default)]
    pub key_window_ms: u64,
    /// What is wrong now, worst first.
    #[serde(default)]
    pub alerts: Vec<Alert>,
}
