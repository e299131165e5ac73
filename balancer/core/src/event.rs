//! Facts, past tense, in the sequence of the ledger. Never a wish, and never anything that a replay would have to decide.
//!
//! A journal row is a run of [`Recorded`] in postcard. Variants are only ever added at the end, and a variant's fields never
//! change: rows of an older release must read back as they were written. A body that grows gets a variant of its own, and
//! the old shape stays beside it (`event/v1.rs`).

pub mod row;
mod v1;

use protocol::api::{HopKind, MoveResult, PolicyView, Schedulable};
use protocol::city::{City, ZoneNo};
use protocol::{Epoch, FencingToken, Item, KitchenId, OrderId, Priority, WallTime};
use serde::{Deserialize, Serialize};

use crate::input::Operator;
pub use v1::PolicyV1;

/// A kitchen by its place in the ledger: given at its first registration, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KitchenNo(pub u32);

impl KitchenNo {
    /// Its place in a `Vec` over all kitchens.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An event with its wall time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When, for people.
    pub at: WallTime,
    /// What.
    pub event: Event,
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its number: one more than the last.
    pub order: OrderId,
    /// What was asked for.
    pub items: Vec<Item>,
    /// Where it goes.
    pub zone: ZoneNo,
    /// Who asked.
    pub customer: Option<Box<str>>,
    /// How urgent.
    pub priority: Priority,
    /// The idempotency key.
    pub key: Option<Box<str>>,
    /// How many stages it has.
    pub stages: u8,
    /// Made by a rush.
    pub rush: bool,
}

/// A kitchen as it registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its number.
    pub kitchen: KitchenNo,
    /// Its id.
    pub id: KitchenId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub zone: ZoneNo,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Dishes it is good at, by number.
    pub specialties: Vec<protocol::city::DishNo>,
    /// The agent process.
    pub session: u64,
}

/// Why an order was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words say it")]
pub enum MoveReason {
    Overload,
    IdleStation,
    Operator,
    Drain,
    SlowKitchen,
    EjectedKitchen,
}

impl MoveReason {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::IdleStation => "idle_station",
            Self::Operator => "operator",
            Self::Drain => "drain",
            Self::SlowKitchen => "slow_kitchen",
            Self::EjectedKitchen => "ejected_kitchen",
        }
    }
}

/// Why a lease ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words say it")]
pub enum LossCause {
    LeaseExpired,
    KitchenSilent,
    AgentRestarted,
    AgentLeft,
    Returned,
    Declined,
    DrainDeadline,
    ProcessExited,
    /// The order stood in one stage for too long.
    StageTimeout,
    /// Another order did, or nothing was started: the kitchen hangs, and this order is not to blame.
    KitchenStuck,
}

impl LossCause {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LeaseExpired => "lease_expired",
            Self::KitchenSilent => "kitchen_silent",
            Self::AgentRestarted => "agent_restarted",
            Self::AgentLeft => "agent_left",
            Self::Returned => "returned",
            Self::Declined => "declined",
            Self::DrainDeadline => "drain_deadline",
            Self::ProcessExited => "process_exited",
            Self::StageTimeout => "stage_timeout",
            Self::KitchenStuck => "kitchen_stuck",
        }
    }
}

/// How an order came to the kitchen that gets the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// First choice.
    Dispatch,
    /// Moved before it was started.
    Reassign {
        /// The source.
        from: KitchenNo,
        /// Why.
        reason: MoveReason,
        /// How long nobody had it.
        pause_ms: u32,
    },
    /// Its kitchen was lost, or gave it back.
    Recover {
        /// Who had it.
        from: KitchenNo,
        /// Why.
        cause: LossCause,
    },
    /// Its attempt failed.
    Retry,
    /// Moved in mid-cooking, with its checkpoint.
    Handover {
        /// The source.
        from: KitchenNo,
        /// Why.
        reason: MoveReason,
        /// Cooking time, by the menu, that the checkpoint carries over.
        saved_ms: u32,
    },
    /// An operator took it out of quarantine.
    Release,
}

impl Cause {
    /// The kind of hop.
    #[must_use]
    pub fn kind(self) -> HopKind {
        match self {
            Self::Dispatch => HopKind::Dispatch,
            Self::Reassign { .. } => HopKind::Reassign,
            Self::Recover { .. } => HopKind::Recover,
            Self::Retry => HopKind::Retry,
            Self::Handover { .. } => HopKind::Handover,
            Self::Release => HopKind::Release,
        }
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A leader began its reign. A rush goes on under it, or is ended by an event of its own.
    EpochStarted {
        /// One more than the last.
        epoch: Epoch,
    },
    /// The city as numbered from here on.
    CityChanged {
        /// All of it; the kitchens of the file are not kept.
        city: Box<City>,
    },
    /// The policy from here on, as releases before handover wrote it.
    PolicyChanged {
        /// All of it.
        policy: Box<PolicyV1>,
        /// By whom.
        by: Operator,
    },
    /// A kitchen is here, new or again.
    KitchenRegistered(Box<Registered>),
    /// A kitchen was silent for a lease, or said goodbye.
    KitchenLost {
        /// Which.
        kitchen: KitchenNo,
        /// Why.
        cause: LossCause,
        /// How long it was silent.
        silent_ms: u32,
    },
    /// A kitchen that was lost is heard again, the same process.
    KitchenReturned {
        /// Which.
        kitchen: KitchenNo,
    },
    /// An operator changed whether it may be given orders, or a drain ended.
    KitchenScheduling {
        /// Which.
        kitchen: KitchenNo,
        /// To what.
        schedulable: Schedulable,
        /// By whom.
        by: Operator,
    },
    /// An order was acknowledged.
    Accepted(Box<Accepted>),
    /// A kitchen has the right to cook it.
    Leased {
        /// Which order.
        order: OrderId,
        /// Which kitchen.
        kitchen: KitchenNo,
        /// The right.
        token: FencingToken,
        /// Why there.
        cause: Cause,
    },
    /// Cooking began.
    Started {
        /// Which order.
        order: OrderId,
        /// Under which right.
        token: FencingToken,
        /// At which stage.
        stage: u8,
    },
    /// A stage ended.
    StageDone {
        /// Which order.
        order: OrderId,
        /// Under which right.
        token: FencingToken,
        /// Which stage.
        stage: u8,
    },
    /// Cooked.
    Completed {
        /// Which order.
        order: OrderId,
        /// Under which right.
        token: FencingToken,
        /// The attempt's time by the agent's clock, never longer than the balancer saw the lease stand.
        cooked_ms: u32,
    },
    /// The attempt failed; the order waits again.
    AttemptFailed {
        /// Which order.
        order: OrderId,
        /// Under which right.
        token: FencingToken,
        /// In which stage.
        stage: u8,
        /// What the cooking command said.
        output: Box<str>,
    },
    /// The lease ended without a result; the order waits again.
    LeaseLost {
        /// Which order.
        order: OrderId,
        /// Under which right.
        token: FencingToken,
        /// Why.
        cause: LossCause,
    },
    /// A move was tried and did not happen; the order stays.
    MoveFailed {
        /// Which order.
        order: OrderId,
        /// The source.
        from: KitchenNo,
        /// The target.
        to: KitchenNo,
        /// Why it was tried.
        reason: MoveReason,
        /// How it ended.
        result: MoveResult,
    },
    /// Called off.
    Cancelled {
        /// Which order.
        order: OrderId,
        /// By whom.
        by: Operator,
    },
    /// Set aside.
    DeadLettered {
        /// Which order.
        order: OrderId,
        /// Failed or lost attempts.
        strikes: u8,
    },
    /// A late result was refused.
    StaleRefused {
        /// Which order.
        order: OrderId,
        /// Who reported it.
        kitchen: KitchenNo,
        /// The old right.
        token: FencingToken,
    },
    /// A rush began or changed.
    RushStarted {
        /// Thousandths of an order a second.
        rate_milli: u64,
        /// Where; all zones if absent.
        zone: Option<ZoneNo>,
        /// How long.
        lasts_ms: u64,
        /// By whom.
        by: Operator,
    },
    /// A rush ended.
    RushEnded {
        /// By whom; nobody when its time was over.
        by: Operator,
    },
    /// The drain's last order left, and the agent said so.
    Drained {
        /// Which.
        kitchen: KitchenNo,
    },
    /// The policy from here on.
    PolicySet {
        /// All of it.
        policy: Box<PolicyView>,
        /// By whom.
        by: Operator,
    },
    /// An operator asked a kitchen to become empty.
    DrainStarted {
        /// Which.
        kitchen: KitchenNo,
        /// After so long the rest is recovered elsewhere.
        deadline_ms: u64,
        /// By whom.
        by: Operator,
    },
    /// An operator asked for an order to be moved; how it ended is an event of its own.
    MoveOrdered {
        /// Which order.
        order: OrderId,
        /// Where to.
        to: KitchenNo,
        /// By whom.
        by: Operator,
    },
    /// The target of a handover has begun: the pause is over.
    HandedOver {
        /// Which order.
        order: OrderId,
        /// The target's right.
        token: FencingToken,
        /// How long nobody cooked it.
        pause_ms: u32,
    },
    /// An operator took an order out of quarantine; it waits again, with a clean record.
    Requeued {
        /// Which order.
        order: OrderId,
        /// By whom.
        by: Operator,
    },
    /// How long keys are remembered from here on; said when a leader begins with another time than before.
    KeyWindowSet {
        /// From an order's acceptance on, in milliseconds.
        window_ms: u64,
    },
}

impl Event {
    /// The order it is about.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::Accepted(accepted) => Some(accepted.order),
            Self::Leased { order, .. }
            | Self::Started { order, .. }
            | Self::StageDone { order, .. }
            | Self::Completed { order, .. }
            | Self::AttemptFailed { order, .. }
            | Self::LeaseLost { order, .. }
            | Self::MoveFailed { order, .. }
            | Self::Cancelled { order, .. }
            | Self::DeadLettered { order, .. }
            | Self::StaleRefused { order, .. }
            | Self::MoveOrdered { order, .. }
            | Self::HandedOver { order, .. }
            | Self::Requeued { order, .. } => Some(*order),
            Self::EpochStarted { .. }
            | Self::CityChanged { .. }
            | Self::PolicyChanged { .. }
            | Self::KitchenRegistered(_)
            | Self::KitchenLost { .. }
            | Self::KitchenReturned { .. }
            | Self::KitchenScheduling { .. }
            | Self::RushStarted { .. }
            | Self::RushEnded { .. }
            | Self::Drained { .. }
            | Self::PolicySet { .. }
            | Self::KeyWindowSet { .. }
            | Self::DrainStarted { .. } => None,
        }
    }

    /// Its name in JSON, in `snake_case`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::EpochStarted { .. } => "epoch_started",
            Self::CityChanged { .. } => "city_changed",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::KitchenRegistered(_) => "kitchen_registered",
            Self::KitchenLost { .. } => "kitchen_lost",
            Self::KitchenReturned { .. } => "kitchen_returned",
            Self::KitchenScheduling { .. } => "kitchen_scheduling",
            Self::Accepted(_) => "accepted",
            Self::Leased { .. } => "leased",
            Self::Started { .. } => "started",
            Self::StageDone { .. } => "stage_done",
            Self::Completed { .. } => "completed",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::LeaseLost { .. } => "lease_lost",
            Self::MoveFailed { .. } => "move_failed",
            Self::Cancelled { .. } => "cancelled",
            Self::DeadLettered { .. } => "dead_lettered",
            Self::StaleRefused { .. } => "stale_refused",
            Self::RushStarted { .. } => "rush_started",
            Self::RushEnded { .. } => "rush_ended",
            Self::Drained { .. } => "drained",
            Self::PolicySet { .. } => "policy_changed",
            Self::DrainStarted { .. } => "drain_started",
            Self::MoveOrdered { .. } => "move_ordered",
            Self::HandedOver { .. } => "handed_over",
            Self::Requeued { .. } => "requeued",
            Self::KeyWindowSet { .. } => "key_window_set",
        }
    }
}
