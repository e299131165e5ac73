//! A kitchen as the ledger knows it: what it is, and what it holds. Never whether it was heard a moment ago.

use std::collections::BTreeSet;

use protocol::api::Schedulable;
use protocol::city::{DishNo, ZoneNo};
use protocol::{Item, KitchenId, OrderId, WallTime};
use serde::{Deserialize, Serialize};

use crate::event::{LossCause, Registered};

/// One kitchen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kitchen {
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
    /// Dishes it is good at, sorted.
    pub specialties: Vec<DishNo>,
    /// The agent process that registered last.
    pub session: u64,
    /// Whether it may be given orders.
    pub schedulable: Schedulable,
    /// Registered and not lost since.
    pub alive: bool,
    /// When `alive` changed last.
    pub since: WallTime,
    /// Why it was lost last.
    pub lost: Option<LossCause>,
    /// Leased and not started.
    pub waiting: BTreeSet<OrderId>,
    /// Being cooked.
    pub cooking: BTreeSet<OrderId>,
    /// Of those, in a stage that cannot be broken off.
    pub in_the_oven: u32,
    /// Since the ledger began.
    pub completed: u64,
    /// Failed attempts since the ledger began.
    pub failed: u64,
    /// Leases lost here since the ledger began.
    pub lost_leases: u64,
    /// Average cooking time in milliseconds; 0 before the first completion.
    pub avg_ms: u32,
    /// Cooking time that was lost here, in milliseconds, since the ledger began.
    pub wasted_ms: u64,
    /// While it is draining: since when, and for how long at most.
    pub drain: Option<DrainTerms>,
}

/// What was asked for when a drain began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainTerms {
    /// When.
    pub since: WallTime,
    /// After so long the rest is recovered elsewhere.
    pub deadline_ms: u64,
}

impl Kitchen {
    pub(super) fn new(registered: &Registered, at: WallTime) -> Self {
        let mut kitchen = Self {
            id: registered.id.clone(),
            name: String::new(),
            zone: registered.zone,
            capacity: 0,
            stations: 0,
            specialties: Vec::new(),
            session: 0,
            schedulable: Schedulable::Open,
            alive: false,
            since: at,
            lost: None,
            waiting: BTreeSet::new(),
            cooking: BTreeSet::new(),
            in_the_oven: 0,
            completed: 0,
            failed: 0,
            lost_leases: 0,
            avg_ms: 0,
            wasted_ms: 0,
            drain: None,
        };
        kitchen.register(registered, at);
        kitchen
    }

    pub(super) fn register(&mut self, registered: &Registered, at: WallTime) {
        self.name.clone_from(&registered.name);
        self.zone = registered.zone;
        self.capacity = registered.capacity;
        self.stations = registered.stations;
        self.specialties.clone_from(&registered.specialties);
        self.session = registered.session;
        self.alive = true;
        self.since = at;
        if self.schedulable == Schedulable::Retired {
            self.schedulable = Schedulable::Open;
        }
    }

    /// Orders in hand.
    #[must_use]
    pub fn held(&self) -> u32 {
        u32::try_from(self.waiting.len() + self.cooking.len()).unwrap_or(u32::MAX)
    }

    /// Held / capacity.
    #[must_use]
    pub fn load(&self) -> f64 {
        f64::from(self.held()) / f64::from(self.capacity.max(1))
    }

    /// Pieces of the order in the kitchen's specialties, and all pieces.
    #[must_use]
    pub fn specialty_share(&self, items: &[Item]) -> (u32, u32) {
        items.iter().fold((0, 0), |(good, all), item| {
            let pieces = u32::from(item.quantity);
            let known = self.specialties.binary_search(&item.dish).is_ok();
            (if known { good + pieces } else { good }, all + pieces)
        })
    }

    /// Moves the average an eighth of the way to a new cooking time: a change of speed shows after some ten orders.
    pub(super) fn learn(&mut self, cooked_ms: u32) {
        self.avg_ms = match self.avg_ms {
            0 => cooked_ms.max(1),
            avg => {
                let sum = u64::from(avg) * 7 + u64::from(cooked_ms);
                u32::try_from(sum.div_ceil(8)).unwrap_or(u32::MAX).max(1)
            }
        };
    }
}
