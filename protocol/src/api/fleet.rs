//! Bodies about kitchens: what they are, how they are, and what moved between them.

use serde::{Deserialize, Serialize};

use super::HopKind;
use crate::ids::{KitchenId, OrderId, Position};
use crate::time::WallTime;

/// Whether a kitchen may be given orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedulable {
    /// Yes.
    #[default]
    Open,
    /// No new ones.
    Cordoned,
    /// No new ones, and what it holds leaves.
    Draining,
    /// It said goodbye.
    Retired,
}

impl Schedulable {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }
}

/// What the signs of life say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Heard within two heartbeats.
    Alive,
    /// Silent, its leases not yet over.
    Suspected,
    /// Silent for a lease, or its process is known to have ended.
    Dead,
}

impl Health {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspected => "suspected",
            Self::Dead => "dead",
        }
    }
}

/// `GET /kitchens/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KitchenView {
    /// Its id.
    pub id: KitchenId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub zone: String,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Dishes it is good at.
    pub specialties: Vec<String>,
    /// Whether it may be given orders.
    pub schedulable: Schedulable,
    /// What the signs of life say.
    pub health: Health,
    /// Since the last sign of life; absent if it was never heard under this leader.
    pub last_heard_ms: Option<u64>,
    /// Until its leases are over if it stays silent; absent when dead.
    pub lease_left_ms: Option<u64>,
    /// Held / capacity.
    pub load: f64,
    /// Held and not started.
    pub queued: u32,
    /// Being cooked.
    pub cooking: u32,
    /// Of those, in a stage that cannot be broken off.
    pub in_the_oven: u32,
    /// Since the ledger began.
    pub completed: u64,
    /// Failed attempts since the ledger began.
    pub failed: u64,
    /// Leases that ran out here since the ledger began.
    pub lost_leases: u64,
    /// Average time from the start of an attempt to completion; absent before the first.
    pub avg_ms: Option<u64>,
    /// When its health last changed for good (registered, or lost).
    pub since: WallTime,
    /// Why it gets fewer orders than it has places for, or none: `slow: 4.2 times the fleet`, `stuck`,
    /// `ejected: 5 of its last 5 attempts failed`, `held down 12 s`, `warming up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What its drain still has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainView>,
}

/// A drain under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainView {
    /// Not started: they move.
    pub waiting: u32,
    /// Being cooked: handed over at the next checkpoint, or finished in place.
    pub cooking: u32,
    /// Of those, in a stage that cannot be broken off: they finish in place.
    pub in_the_oven: u32,
    /// After this the rest is recovered elsewhere.
    pub deadline_left_ms: u64,
}

/// `POST /kitchens/{id}/gone`: whoever owns the process saw it end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The process that ended.
    pub pid: u32,
}

/// `GET /kitchens`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kitchens {
    /// By number of registration.
    pub kitchens: Vec<KitchenView>,
    /// Ledger position of this picture.
    pub position: Position,
}

/// How a move ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveResult {
    /// The source has been asked.
    InFlight,
    /// Done.
    Done,
    /// The source had begun; the order stays.
    Refused,
    /// No answer in time; the order stays.
    TimedOut,
    /// Not tried, with its reason.
    Skipped,
    /// The leader that had asked for it ended; the order stays.
    LeaderLost,
}

impl MoveResult {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
            Self::LeaderLost => "leader_lost",
        }
    }
}

/// One migration, or one that was considered and skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationView {
    /// When it ended, began, or was skipped.
    pub at: WallTime,
    /// The order; absent where a skip concerns a whole kitchen.
    pub order: Option<OrderId>,
    /// The source.
    pub from: KitchenId,
    /// The target; absent where none was found.
    pub to: Option<KitchenId>,
    /// Reassign or handover.
    pub kind: HopKind,
    /// `overload`, `idle_station`, `operator`, `drain`, and for a skip why.
    pub reason: String,
    /// How long nobody had the order.
    pub pause_ms: Option<u64>,
    /// How it ended.
    pub result: MoveResult,
}

/// `GET /migrations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// Newest first.
    pub migrations: Vec<MigrationView>,
}

/// `POST /kitchens/{id}/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// After this the rest is recovered elsewhere; 30 s if absent.
    pub deadline_ms: Option<u64>,
    /// Also when the rest of the fleet has no room.
    pub force: bool,
}
