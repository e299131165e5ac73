//! Bodies about orders: placing them, their way, and their history.

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::ids::{Epoch, FencingToken, KitchenId, OrderId, Position};
use crate::order::{OrderState, Priority};
use crate::time::WallTime;

/// So many of one dish, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemBody {
    /// The dish's name.
    pub dish: String,
    /// 1 to 100; 1 if absent.
    #[serde(default = "one")]
    pub quantity: u16,
}

fn one() -> u16 {
    1
}

/// `POST /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// 1 to 16 dishes.
    pub items: Vec<ItemBody>,
    /// Where it goes.
    pub zone: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How urgent.
    #[serde(default)]
    pub priority: Priority,
    /// The idempotency key; in a batch here, for a single order in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `POST /orders/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceBatch {
    /// At most 1,000.
    pub orders: Vec<PlaceOrder>,
}

/// The answer to an accepted order: what was true when it became durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The order.
    pub id: OrderId,
    /// Queued or already leased; for a repeated request, as it is now.
    pub state: OrderState,
    /// Who has it.
    pub kitchen: Option<KitchenId>,
    /// The number of the try; 0 while it has had none.
    pub attempt: u16,
    /// The newest right.
    pub token: Option<FencingToken>,
    /// When it was accepted.
    pub placed_at: WallTime,
    /// Where its acceptance stands in the ledger.
    pub position: Position,
}

/// One entry of a batch's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchResult {
    /// It is in.
    Placed(Receipt),
    /// It is not.
    Refused(Problem),
}

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResults {
    /// In the sequence of the request.
    pub results: Vec<BatchResult>,
}

/// How an order came to a kitchen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    /// First choice.
    Dispatch,
    /// Moved before it was started.
    Reassign,
    /// Moved in mid-cooking, with its checkpoint.
    Handover,
    /// Its kitchen was lost.
    Recover,
    /// Its attempt failed and it is tried again.
    Retry,
    /// An operator took it out of quarantine.
    Release,
}

impl HopKind {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Reassign => "reassign",
            Self::Handover => "handover",
            Self::Recover => "recover",
            Self::Retry => "retry",
            Self::Release => "release",
        }
    }
}

/// One kitchen on an order's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopView {
    /// Where.
    pub kitchen: KitchenId,
    /// With which right.
    pub token: FencingToken,
    /// How it came there.
    pub kind: HopKind,
    /// `overload`, `idle_station`, `operator`, `drain`, `lease_expired`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long nobody had it, for a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// When.
    pub at: WallTime,
}

/// Where in its stages an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageView {
    /// How many are done.
    pub done: u8,
    /// How many there are.
    pub of: u8,
    /// The stage being cooked or next; the last one when all are done.
    pub name: String,
    /// Whether it may be broken off.
    pub interruptible: bool,
}

/// `GET /orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// The order.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// Who has it, or had it last.
    pub kitchen: Option<KitchenId>,
    /// The number of the try.
    pub attempt: u16,
    /// The newest right.
    pub token: Option<FencingToken>,
    /// When it was accepted.
    pub placed_at: WallTime,
    /// Where its acceptance stands in the ledger.
    pub position: Position,
    /// What was asked for.
    pub items: Vec<ItemBody>,
    /// Where it goes.
    pub zone: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How urgent.
    pub priority: Priority,
    /// Its progress.
    pub stage: StageView,
    /// Its way, oldest first; the first 16.
    pub hops: Vec<HopView>,
    /// When it ended, in whichever way.
    pub completed_at: Option<WallTime>,
    /// Output of the last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Cooking time that was lost with its kitchens, in milliseconds.
    #[serde(default)]
    pub wasted_ms: u64,
    /// Why it finishes in its kitchen although that is being drained: `in_the_oven`, `nearly_done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

/// `GET /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPage {
    /// Newest first.
    pub orders: Vec<OrderView>,
    /// Pass as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
    /// Ledger position of this page.
    pub position: Position,
}

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Where in the ledger.
    pub position: Position,
    /// Under which leader.
    pub epoch: Epoch,
    /// When.
    pub at: WallTime,
    /// `accepted`, `leased`, `started`, `stage_done`, `completed`, ...
    pub event: String,
    /// The rest of it, for people.
    pub detail: String,
}

/// `GET /orders/{id}/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The order.
    pub id: OrderId,
    /// Oldest first.
    pub events: Vec<HistoryEvent>,
}

/// `POST /orders/{id}/migrate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrateTo {
    /// The target.
    pub to: KitchenId,
}
