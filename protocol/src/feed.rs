//! The live feed: a snapshot at a position, then deltas, at most 20 a second however many events there are.
//!
//! JSON text frames over a WebSocket. A frame holds only what changed, as it is *now*: a reader that was slow has missed
//! nothing but the steps in between, and the counts say how many. Kitchens are rows of numbers, because a thousand of
//! them change twenty times a second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{Alert, BalancerView, DrainView, Health, HopKind, Kpi, MoveResult, Proof, RushView, Schedulable};
use crate::city::Zone;
use crate::ids::{Epoch, KitchenId, OrderId, Position};
use crate::time::WallTime;

/// The shortest time between two frames, in milliseconds.
pub const TICK_MS: u64 = 50;
/// A frame comes at least this often, in milliseconds, so that a reader can tell silence from calm.
pub const KEEPALIVE_MS: u64 = 1_000;
/// The shortest time between two remarks about one kitchen, in milliseconds.
pub const REMARK_MS: u64 = 1_000;
/// The most single events in a frame; more are only counted.
pub const EVENTS_MAX: usize = 64;

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Present in the first frame of a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<Snapshot>>,
    /// The leader's reign.
    pub epoch: Epoch,
    /// Everything here is the fold of the ledger up to this position, which is durable.
    pub position: Position,
    /// How old the figures were when the frame was sent.
    pub age_ms: u64,
    /// The balancer's wall clock.
    pub at: WallTime,
    /// The proof; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The flow; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// Kitchens that are new or were registered anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<KitchenInfo>,
    /// Kitchens whose figures changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kitchens: Vec<KitchenRow>,
    /// What is to be said of a kitchen beyond its figures, where that changed; at most once in [`REMARK_MS`] for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<KitchenRemark>,
    /// Notable events, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<FeedEvent>,
    /// Events that are only counted, by kind (`accepted`, `leased`, `completed`, ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub collapsed: BTreeMap<String, u64>,
    /// Notable events that did not fit in this frame.
    #[serde(default)]
    pub dropped: u64,
    /// Moves that began or ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<FeedMove>,
    /// What is wrong now; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Alert>>,
    /// The balancers, leader first; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancers: Option<Vec<BalancerView>>,
}

impl Frame {
    /// A frame that says nothing but where the ledger is.
    #[must_use]
    pub fn empty(epoch: Epoch, position: Position, at: WallTime) -> Self {
        Self {
            snapshot: None,
            epoch,
            position,
            age_ms: 0,
            at,
            proof: None,
            flow: None,
            registered: Vec::new(),
            kitchens: Vec::new(),
            remarks: Vec::new(),
            events: Vec::new(),
            collapsed: BTreeMap::new(),
            dropped: 0,
            moves: Vec::new(),
            alerts: None,
            balancers: None,
        }
    }
}

/// What does not change with every order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The city's name.
    pub city: String,
    /// Its zones.
    pub zones: Vec<Zone>,
    /// The dishes on offer, for the console's order form.
    pub dishes: Vec<String>,
    /// The leader's id.
    pub leader: String,
    /// A kitchen above this is hot.
    pub overload_threshold: f64,
}

/// What a kitchen is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitchenInfo {
    /// Its number in the rows.
    pub no: u32,
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
}

/// How a kitchen is; written as an array of its fields in this sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KitchenRow {
    /// Which, as in [`KitchenInfo::no`].
    pub no: u32,
    /// What the signs of life say.
    pub health: Health,
    /// Whether it may be given orders.
    pub schedulable: Schedulable,
    /// Held and not started.
    pub queued: u32,
    /// Being cooked.
    pub cooking: u32,
    /// Of those, in a stage that cannot be broken off.
    pub in_the_oven: u32,
    /// Since the ledger began.
    pub completed: u64,
    /// Average time from the start of an attempt to completion; 0 before the first.
    pub avg_ms: u32,
    /// Since the last sign of life, in steps of 100 ms; 0 while it is alive.
    pub silent_ms: u64,
}

type RawRow = (u32, Health, Schedulable, u32, u32, u32, u64, u32, u64);

impl Serialize for KitchenRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { no, health, schedulable, queued, cooking, in_the_oven, completed, avg_ms, silent_ms } = *self;
        let raw: RawRow = (no, health, schedulable, queued, cooking, in_the_oven, completed, avg_ms, silent_ms);
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KitchenRow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawRow::deserialize(deserializer)?;
        let (no, health, schedulable, queued, cooking, in_the_oven, completed, avg_ms, silent_ms) = raw;
        Ok(Self { no, health, schedulable, queued, cooking, in_the_oven, completed, avg_ms, silent_ms })
    }
}

/// What is to be said of a kitchen beyond its figures; with neither part the last remark is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitchenRemark {
    /// Which, as in [`KitchenInfo::no`].
    pub no: u32,
    /// Why it gets fewer orders than it has places for, for people: `slow: 4.2 times the usual`, `warming up: 40 % ...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What its drain still has to do, and how long it may take, as of the frame's `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainView>,
}

/// The pipeline of orders.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Flow {
    /// Waiting at the balancer.
    pub queued: u64,
    /// In a kitchen, not started.
    pub leased: u64,
    /// Being cooked, by the name of the stage, in the menu's sequence.
    pub stages: Vec<(String, u64)>,
    /// Age of the oldest open order, in seconds; absent when there is none.
    pub oldest_s: Option<u64>,
    /// Refused at the door, ever (under this leader).
    pub shed: u64,
    /// Leased again after a kitchen was lost, ever.
    pub recovered: u64,
    /// Migrations done, ever.
    pub moves_done: u64,
    /// Migrations refused or timed out, ever.
    pub moves_failed: u64,
    /// Key figures.
    pub kpi: Kpi,
    /// The rush that runs.
    pub rush: Option<RushView>,
    /// How a kitchen is chosen.
    pub algorithm: String,
}

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// For the record.
    Info,
    /// Something got better.
    Good,
    /// Something to watch.
    Warn,
    /// Something is lost or broken.
    Bad,
}

/// A notable event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    /// Where in the ledger.
    pub position: Position,
    /// When.
    pub at: WallTime,
    /// `kitchen_lost`, `recovered`, `migrated`, `cordoned`, `rush_started`, ...
    pub kind: String,
    /// How loud.
    pub tone: Tone,
    /// The kitchen or order it is about.
    pub subject: String,
    /// The rest, for people; untrusted text may be in it.
    pub text: String,
    /// How many like it were folded into this one; 1 for a single event.
    pub count: u32,
}

/// A move that began or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedMove {
    /// When it began or ended.
    pub at: WallTime,
    /// The order.
    pub order: OrderId,
    /// The source's number.
    pub from: u32,
    /// The target's number.
    pub to: u32,
    /// Reassign, handover or recover.
    pub kind: HopKind,
    /// `overload`, `idle_station`, `operator`, `drain`, `lease_expired`, ...
    pub reason: String,
    /// How it ended, or in flight.
    pub result: MoveResult,
    /// How long nobody had the order.
    pub pause_ms: Option<u64>,
}
