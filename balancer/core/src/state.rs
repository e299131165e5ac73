//! The durable truth: a fold of events, nothing else.
//!
//! [`State::apply`] (in `state/apply.rs`) is the only place where it changes. Never holds what a restart forgets:
//! connections, clocks and reservations are in `soft`.
//!
//! Invariants, checked by [`crate::invariants`]:
//! - an order is in `queue` exactly when it is `Queued`, and in its kitchen's `waiting` or `cooking` exactly when it is
//!   `Leased` or `Cooking`;
//! - the counts by state add up to all accepted orders;
//! - tokens of an order only grow.

mod apply;
pub mod kitchens;
pub mod orders;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::api::{HopKind, MoveResult, PolicyView, Proof};
use protocol::city::{City, Zone, ZoneNo};
use protocol::{Epoch, FencingToken, KitchenId, OrderId, OrderState, Position, Priority, WallTime};
use serde::{Deserialize, Serialize};

use crate::event::{KitchenNo, MoveReason};
use crate::limits;
pub use kitchens::{DrainTerms, Kitchen};
pub use orders::{Hop, Order, OrderTable};

/// Everything that a replay of the ledger gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) position: Position,
    pub(crate) epoch: Epoch,
    pub(crate) last_order: OrderId,
    pub(crate) last_token: FencingToken,
    pub(crate) city: City,
    pub(crate) policy: Option<PolicyView>,
    pub(crate) orders: OrderTable,
    pub(crate) closed: VecDeque<OrderId>,
    pub(crate) keys: BTreeMap<Box<str>, OrderId>,
    pub(crate) queue: BTreeSet<(Reverse<Priority>, OrderId)>,
    pub(crate) kitchens: Vec<Kitchen>,
    pub(crate) counts: Counts,
    pub(crate) rush: Option<Rush>,
    pub(crate) migrations: VecDeque<Migration>,
    // Behind what the release before wrote, so that its snapshots can be read.
    /// Moves that an operator ordered and that have not ended, with their target.
    pub(crate) ordered: BTreeMap<OrderId, KitchenNo>,
    pub(crate) last_at: WallTime,
    pub(crate) key_window_ms: Option<u64>,
    pub(crate) reign_at: WallTime,
}

/// Orders by state, and what happened to them, since the ledger began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is a word of the contract")]
pub struct Counts {
    pub accepted: u64,
    pub leased: u64,
    pub cooking: u64,
    pub completed: u64,
    pub cancelled: u64,
    pub dead_lettered: u64,
    pub twice: u64,
    pub stale_refused: u64,
    pub recovered: u64,
    pub moves_done: u64,
    pub moves_failed: u64,
    pub handovers: u64,
    pub saved_ms: u64,
    pub wasted_ms: u64,
    pub requeued: u64,
}

/// The time of a key. It runs from its order's acceptance, or from when the leader began if that is later: between two
/// reigns a wall clock may have been stepped by a day, and that must not let go of a key that is minutes old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTerm {
    /// How long it is.
    pub window: Duration,
    /// It begins here at the earliest.
    pub begun: WallTime,
}

impl KeyTerm {
    /// Whether the time of an order's key is over; that of one that is open or in quarantine never is.
    #[must_use]
    pub fn is_over(&self, accepted: WallTime, now: WallTime) -> bool {
        u128::from(now.ms_since(accepted.max(self.begun))) >= self.window.as_millis()
    }

    /// How long it still lasts.
    #[must_use]
    pub fn left(&self, accepted: WallTime, now: WallTime) -> Duration {
        self.window.saturating_sub(Duration::from_millis(now.ms_since(accepted.max(self.begun))))
    }
}

/// A running rush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rush {
    /// Thousandths of an order a second.
    pub rate_milli: u64,
    /// Where; all zones if absent.
    pub zone: Option<ZoneNo>,
    /// How long it was to last when it began or was changed.
    pub lasts_ms: u64,
    /// When that was.
    pub since: WallTime,
    /// Orders it has made.
    pub placed: u64,
}

/// A move that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// When.
    pub at: WallTime,
    /// What.
    pub order: OrderId,
    /// The source.
    pub from: KitchenNo,
    /// The target.
    pub to: KitchenNo,
    /// Not started, or with its checkpoint.
    pub kind: HopKind,
    /// Why.
    pub reason: MoveReason,
    /// How long nobody had it.
    pub pause_ms: Option<u32>,
    /// How it ended.
    pub result: MoveResult,
}

impl Default for State {
    fn default() -> Self {
        let city = City {
            name: String::new(),
            zones: Vec::new(),
            menu: protocol::city::Menu::default(),
            kitchens: Vec::new(),
        };
        Self {
            position: Position(0),
            last_at: WallTime::default(),
            epoch: Epoch(0),
            last_order: OrderId(0),
            last_token: FencingToken::default(),
            city,
            policy: None,
            orders: OrderTable::default(),
            closed: VecDeque::new(),
            keys: BTreeMap::new(),
            queue: BTreeSet::new(),
            kitchens: Vec::new(),
            counts: Counts::default(),
            rush: None,
            ordered: BTreeMap::new(),
            migrations: VecDeque::new(),
            key_window_ms: None,
            reign_at: WallTime::default(),
        }
    }
}

impl State {
    /// The position of the last event that was applied.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The latest time of an event so far: what comes next is never before it.
    #[must_use]
    pub fn last_at(&self) -> WallTime {
        self.last_at
    }

    /// The leader's reign.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The city as numbered in the ledger.
    #[must_use]
    pub fn city(&self) -> &City {
        &self.city
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> PolicyView {
        self.policy.clone().unwrap_or_default()
    }

    /// Open orders, and the last ended ones.
    #[must_use]
    pub fn orders(&self) -> &OrderTable {
        &self.orders
    }

    /// The order with this id, unless it ended long ago.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The newest order's id.
    #[must_use]
    pub fn last_order(&self) -> OrderId {
        self.last_order
    }

    /// All kitchens by number.
    #[must_use]
    pub fn kitchens(&self) -> &[Kitchen] {
        &self.kitchens
    }

    /// The kitchen with this number.
    ///
    /// # Panics
    /// Never for a number that came from this state.
    #[must_use]
    pub fn kitchen(&self, number: KitchenNo) -> &Kitchen {
        &self.kitchens[number.index()]
    }

    /// The number of the kitchen with this id.
    #[must_use]
    pub fn find_kitchen(&self, id: &KitchenId) -> Option<KitchenNo> {
        let index = self.kitchens.iter().position(|kitchen| kitchen.id == *id)?;
        u32::try_from(index).ok().map(KitchenNo)
    }

    /// The zone with this number.
    #[must_use]
    pub fn zone(&self, number: ZoneNo) -> Option<&Zone> {
        self.city.zones.get(usize::from(number.0))
    }

    /// How many orders wait for a place.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The running rush.
    #[must_use]
    pub fn rush(&self) -> Option<&Rush> {
        self.rush.as_ref()
    }

    /// Moves that ended, newest last.
    #[must_use]
    pub fn migrations(&self) -> &VecDeque<Migration> {
        &self.migrations
    }

    /// How long a key is remembered, and from when at the earliest that time runs.
    #[must_use]
    pub fn key_term(&self) -> KeyTerm {
        let window = self.key_window_ms.map_or(limits::KEY_WINDOW, Duration::from_millis);
        KeyTerm { window, begun: self.reign_at }
    }

    /// The order in memory with this key, whether or not the key's time is over.
    #[must_use]
    pub fn keyed(&self, key: &str) -> Option<&Order> {
        self.keys.get(key).and_then(|id| self.orders.get(*id))
    }

    /// Orders in quarantine: each stays in memory until it is released or cancelled.
    #[must_use]
    pub fn quarantined(&self) -> usize {
        self.orders.len() - self.orders.open() - self.closed.len()
    }

    /// The ended order that is forgotten next; none as long as nothing was ever forgotten.
    #[must_use]
    pub fn oldest_remembered(&self) -> Option<&Order> {
        let full = self.closed.len() >= limits::CLOSED_KEPT;
        self.closed.front().filter(|_| full).and_then(|id| self.orders.get(*id))
    }

    /// As the release before key windows wrote it: orders in quarantine stood among those that are forgotten by count.
    #[must_use]
    pub fn with_quarantine_kept(mut self) -> Self {
        let Self { closed, orders, .. } = &mut self;
        closed.retain(|id| orders.get(*id).is_none_or(|order| order.state != OrderState::DeadLettered));
        self
    }

    /// The oldest open order.
    #[must_use]
    pub fn oldest_open(&self) -> Option<&Order> {
        self.orders.oldest_open()
    }

    /// The proof at this position. `open` is counted in the table itself, so that a wrong fold shows as `lost`.
    #[must_use]
    pub fn proof(&self) -> Proof {
        let counts = &self.counts;
        let open = self.orders.open() as u64;
        let ended = counts.completed + counts.cancelled + counts.dead_lettered;
        let lost = counts.accepted.cast_signed() - (open + ended).cast_signed();
        Proof {
            position: self.position,
            epoch: self.epoch,
            accepted: counts.accepted,
            open,
            completed: counts.completed,
            cancelled: counts.cancelled,
            dead_lettered: counts.dead_lettered,
            lost,
            twice: counts.twice,
            stale_refused: counts.stale_refused,
        }
    }

    /// How many orders are in this state now, or have ended so.
    #[must_use]
    pub fn count(&self, state: OrderState) -> u64 {
        match state {
            OrderState::Queued => self.queue.len() as u64,
            OrderState::Leased => self.counts.leased,
            OrderState::Cooking => self.counts.cooking,
            OrderState::Completed => self.counts.completed,
            OrderState::Cancelled => self.counts.cancelled,
            OrderState::DeadLettered => self.counts.dead_lettered,
        }
    }
}
