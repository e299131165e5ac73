//! What a restart forgets: connections, signs of life, lease clocks, reservations, moves in flight, explanations.
//!
//! Nothing here is a promise: after a takeover it starts empty, every lease counts as renewed, and the agents tell the
//! rest. Deterministic all the same: it follows only from inputs, and its chance is seeded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::api::{HopKind, MoveResult, Weights};
use protocol::city::DishNo;
use protocol::link::Timing;
use protocol::{OrderId, WallTime};

use crate::brake::BrakeState;
use crate::event::{KitchenNo, MoveReason};
use crate::freed::Freed;
use crate::grey::{Pace, Typical};
use crate::holds::Holds;
use crate::input::{ConnectionId, DiskHealth, RequestId};
use crate::lease::LeaseClock;
use crate::limits;
use crate::outcomes::Outcomes;
use crate::random::Random;
use crate::routing::Routing;
use crate::stages::Stages;
use crate::vitals::Vitals;
use crate::warmup::Steadiness;

/// A kitchen's connection and signs of life.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    /// The connection that counts, if there is one.
    pub(crate) connection: Option<ConnectionId>,
    /// The last sign of life under this leader.
    pub(crate) heard: Option<Duration>,
    /// The newest heartbeat of the session.
    pub(crate) seq: u64,
    /// The process, for people.
    pub(crate) pid: u32,
    /// How fast it cooks by its own word, in thousandths; 0 before its hello to this leader.
    pub(crate) speed_milli: u32,
    /// How long one of its commands may take, in milliseconds; none where cooking is simulated.
    pub(crate) stage_timeout_ms: Option<u32>,
    /// Shown as suspected.
    pub(crate) suspected: bool,
    /// The agent has said that it ends; nothing new until it says hello again.
    pub(crate) closing: bool,
    /// Its last heartbeat named nothing.
    pub(crate) empty: bool,
    /// Above the overload threshold, and not yet calm.
    pub(crate) hot: bool,
    /// Orders wait here while every station is busy.
    pub(crate) crowded: bool,
    /// Places promised to orders that are on their way.
    pub(crate) reserved: u32,
    /// When its drain gives up waiting.
    pub(crate) drain_until: Option<Duration>,
    /// Until then the agent may still hold an order that ended here without its word, so its emptiness proves nothing.
    pub(crate) unproven_until: Duration,
    /// When it was lost, if it is dead.
    pub(crate) lost_at: Option<Duration>,
    /// For how long it had been dead when this leader began.
    pub(crate) lost_before: Duration,
    /// Slow start and hold-down.
    pub(crate) steadiness: Steadiness,
    /// How fast it cooks.
    pub(crate) pace: Pace,
    /// At the last tick nothing spoke against giving it orders.
    pub(crate) sound: bool,
    /// Nothing that it does not do counts before this moment: what it had to tell may not have been read.
    pub(crate) judged_from: Duration,
    /// Since when orders wait in it while a station is free, in time that counts.
    pub(crate) unstarted_since: Option<Duration>,
    /// How its last attempts ended.
    pub(crate) outcomes: Outcomes,
}

impl Link {
    /// For how long it has been dead, if it is.
    pub(crate) fn lost_for(&self, now: Duration) -> Option<Duration> {
        self.lost_at.map(|at| now.saturating_sub(at) + self.lost_before)
    }
}

/// What a move waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A reassign: that the source lets the order go.
    Release,
    /// A handover: that the target keeps a place.
    Reserve,
    /// A handover: that the source has paused.
    Pause,
}

impl Step {
    pub(crate) fn kind(self) -> HopKind {
        match self {
            Self::Release => HopKind::Reassign,
            Self::Reserve | Self::Pause => HopKind::Handover,
        }
    }
}

/// A move in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub(crate) from: KitchenNo,
    pub(crate) to: KitchenNo,
    pub(crate) reason: MoveReason,
    pub(crate) step: Step,
    pub(crate) since: Duration,
    /// When the answer that it waits for is late.
    pub(crate) until: Duration,
    /// Since when the order waits in the source.
    pub(crate) waits_since: Duration,
    pub(crate) asked_at: WallTime,
    pub(crate) request: Option<RequestId>,
}

/// Why an order is not asked for again yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    pub(crate) until: Duration,
    /// The number of finished stages with which a refusal ends sooner; none: whatever the source has said may still be on
    /// its way, and must not be taken for the answer to a new question.
    pub(crate) stages_done: Option<u8>,
}

/// A move as the feed tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveAsked {
    /// Which order.
    pub order: OrderId,
    /// The source.
    pub from: KitchenNo,
    /// The target.
    pub to: KitchenNo,
    /// Not started, or with its checkpoint.
    pub kind: HopKind,
    /// Why.
    pub reason: MoveReason,
    /// When the first of the two was asked.
    pub at: WallTime,
}

/// A move that was considered and not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// When.
    pub at: WallTime,
    /// The source.
    pub from: KitchenNo,
    /// Why not.
    pub why: &'static str,
    /// How the move would have ended: always skipped.
    pub result: MoveResult,
}

/// A kitchen in a decision: terms as parts of [`crate::policy::ONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a factor of the score")]
pub struct Candidate {
    pub kitchen: KitchenNo,
    pub score: u64,
    pub load: u32,
    pub specialty: u32,
    pub time: u32,
    pub distance: u32,
}

/// Why a kitchen could not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Unfit {
    Dead,
    Suspected,
    Cordoned,
    Draining,
    Full,
    Slow,
    HeldDown,
    Stuck,
    Ejected,
    /// An attempt of this very order went wrong there, and others come first.
    FailedBefore,
}

impl Unfit {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Suspected => "suspected",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Slow => "slow",
            Self::HeldDown => "held_down",
            Self::Stuck => "stuck",
            Self::Ejected => "ejected",
            Self::FailedBefore => "failed_before",
        }
    }
}

/// The newest decision about an order.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Which order.
    pub order: OrderId,
    /// When.
    pub at: WallTime,
    /// By which rule.
    pub algorithm: protocol::api::Algorithm,
    /// With which weights.
    pub weights: Weights,
    /// What was chosen.
    pub chosen: KitchenNo,
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// How many could have been chosen beyond those.
    pub more_candidates: u32,
    /// Who could not.
    pub excluded: Vec<(KitchenNo, Unfit)>,
    /// How many more could not.
    pub more_excluded: u32,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Soft {
    pub(crate) timing: Timing,
    pub(crate) links: Vec<Link>,
    pub(crate) connections: BTreeMap<ConnectionId, KitchenNo>,
    pub(crate) leases: LeaseClock,
    pub(crate) moves: BTreeMap<OrderId, Move>,
    /// Orders that stay for now: their handover was refused at this stage, or its answer may still come.
    pub(crate) stays: BTreeMap<OrderId, Stay>,
    /// Who waits at the balancer and may not go yet.
    pub(crate) holds: Holds,
    /// How long orders have been in their stages.
    pub(crate) stages: Stages,
    /// Handed over and not begun again: since when nobody cooks them.
    pub(crate) pauses: BTreeMap<OrderId, Duration>,
    /// Not started, not being moved, by main dish, with the time of the lease: what an idle station may take.
    pub(crate) stealable: BTreeMap<DishNo, BTreeMap<OrderId, Duration>>,
    /// How many kitchens are crowded.
    pub(crate) crowded: usize,
    /// Kitchens in which a place or a station has just become free.
    pub(crate) freed: Freed,
    pub(crate) routing: Routing,
    pub(crate) random: Random,
    pub(crate) decisions: Vec<Option<Decision>>,
    pub(crate) skips: VecDeque<Skip>,
    pub(crate) said: BTreeMap<(KitchenNo, &'static str), Duration>,
    pub(crate) next_tick: Duration,
    pub(crate) next_cycle: Duration,
    pub(crate) rush_next: Option<Duration>,
    pub(crate) rush_ends: Option<Duration>,
    pub(crate) rush_shed: u64,
    pub(crate) shed: u64,
    pub(crate) moves_asked: Vec<MoveAsked>,
    pub(crate) leads: bool,
    pub(crate) disk: DiskHealth,
    /// How many orders may wait, by the time that they would.
    pub(crate) line_limit: Option<usize>,
    pub(crate) brake: BrakeState,
    pub(crate) vitals: Vitals,
    /// What is typical of the fleet's cooking, once enough was cooked.
    pub(crate) typical: Option<Typical>,
    pub(crate) next_pace: Duration,
    /// Grey kitchens whose probe is due: each gets the next normal order.
    pub(crate) probes: BTreeSet<KitchenNo>,
    /// When the core had to be called at the latest, as of the last call.
    pub(crate) planned: Option<Duration>,
    /// Why the configured city was not taken over.
    pub(crate) city_refused: Option<String>,
}

impl Soft {
    pub(crate) fn new(timing: Timing, seed: u64) -> Self {
        Self {
            timing,
            links: Vec::new(),
            connections: BTreeMap::new(),
            leases: LeaseClock::new(Duration::from_millis(u64::from(timing.lease_ms))),
            moves: BTreeMap::new(),
            stays: BTreeMap::new(),
            holds: Holds::default(),
            stages: Stages::default(),
            pauses: BTreeMap::new(),
            stealable: BTreeMap::new(),
            crowded: 0,
            freed: Freed::default(),
            routing: Routing::default(),
            random: Random::new(seed),
            decisions: vec![None; limits::DECISIONS_KEPT],
            skips: VecDeque::new(),
            said: BTreeMap::new(),
            next_tick: Duration::ZERO,
            next_cycle: Duration::ZERO,
            rush_next: None,
            rush_ends: None,
            rush_shed: 0,
            shed: 0,
            moves_asked: Vec::new(),
            leads: false,
            disk: DiskHealth::Fine,
            line_limit: None,
            brake: BrakeState::default(),
            vitals: Vitals::default(),
            typical: None,
            next_pace: Duration::ZERO,
            probes: BTreeSet::new(),
            planned: None,
            city_refused: None,
        }
    }

    pub(crate) fn link(&self, kitchen: KitchenNo) -> &Link {
        &self.links[kitchen.index()]
    }

    pub(crate) fn link_mut(&mut self, kitchen: KitchenNo) -> &mut Link {
        &mut self.links[kitchen.index()]
    }

    /// Remembers that a move was considered, once in a while for the same kitchen and reason.
    pub(crate) fn skip(&mut self, now: crate::input::Now, from: KitchenNo, why: &'static str) {
        if self.said.get(&(from, why)).is_some_and(|last| now.mono < *last + limits::SKIP_REPEAT) {
            return;
        }
        self.said.insert((from, why), now.mono);
        if self.skips.len() == limits::SKIPS_KEPT {
            self.skips.pop_front();
        }
        self.skips.push_back(Skip { at: now.wall, from, why, result: MoveResult::Skipped });
    }
}
