//! Handover: an order that is being cooked goes on in another kitchen, from its last checkpoint.
//!
//! ```text
//! Reserve -> target    Reserved            the target keeps a place
//! Handover -> source   Paused              nobody cooks the order; the source still has it
//! Leased{Handover}     Stop -> source, Cook{from_stage} -> target
//! Started              HandedOver          how long nobody cooked it
//! ```
//!
//! Whatever is refused or comes late ends the move: the target's place is given back and the source goes on, told or by
//! itself. A new leader knows nothing of it, and need not: reservation and pause end by themselves.
//!
//! Invariants:
//! - the target gets the lease only while the source has paused and the source's own lease still stands;
//! - an answer is never taken for that to a later question: after a pause that may still be on its way the order is not
//!   asked for again for a lease;
//! - each move in flight holds exactly one reserved place.

use std::time::Duration;

use protocol::link::{BalancerMessage, DeclineReason, LeaseName, StayReason};
use protocol::{OrderId, OrderState};

use crate::dispatcher::{Core, Guard};
use crate::event::{Cause, Event, KitchenNo, MoveReason};
use crate::input::{Now, RequestId};
use crate::limits;
use crate::migration::{Failure, PANIC};
use crate::soft::{Move, Stay, Step};
use crate::state::Order;

/// Why an order that is being cooked need not be asked for: its kitchen would refuse. The agent judges by itself, too.
pub(crate) fn stays(order: &Order) -> Option<StayReason> {
    if order.stages_done + 1 >= order.stages {
        return Some(StayReason::NearlyDone);
    }
    order.in_the_oven.then_some(StayReason::InTheOven)
}

impl Core {
    /// Begins to hand an order to the best kitchen with a free station, if there is one and it may be moved. One that would
    /// only wait for a station elsewhere is better off where it is.
    pub(crate) fn hand_over_anywhere(&mut self, now: Now, id: OrderId, from: KitchenNo, reason: MoveReason) -> bool {
        let Some(order) = self.state.order(id).filter(|order| order.state == OrderState::Cooking) else { return false };
        if let Some(why) = self.no_handover(order) {
            self.soft.skip(now, from, why);
            return false;
        }
        if !self.may_ask(id, from) || self.stays_for_now(now, id) {
            return false;
        }
        let fits = |to: KitchenNo| to != from && self.idle_stations(to) > 0;
        let best = self.soft.routing.best_by_scan(&order.items, order.zone, fits);
        let Some(to) = best.and_then(|best| u32::try_from(best).ok()).map(KitchenNo) else {
            self.soft.skip(now, from, "no other kitchen has a free station");
            return false;
        };
        self.ask_handover(now, id, (from, to), reason, None);
        true
    }

    fn no_handover(&self, order: &Order) -> Option<&'static str> {
        if self.state.policy.as_ref().is_some_and(|policy| !policy.handover) {
            return Some("handover is switched off");
        }
        if self.is_panicking() {
            return Some(PANIC);
        }
        match stays(order)? {
            StayReason::InTheOven => Some("an order is in the oven and finishes in place"),
            StayReason::NearlyDone => Some("an order is nearly done and finishes in place"),
            StayReason::Finished | StayReason::NotStarted | StayReason::Unknown => None,
        }
    }

    /// Asks the target to keep a place.
    pub(crate) fn ask_handover(
        &mut self,
        now: Now,
        id: OrderId,
        way: (KitchenNo, KitchenNo),
        reason: MoveReason,
        request: Option<RequestId>,
    ) {
        self.begin_move(now, id, way, reason, (Step::Reserve, limits::RESERVE_TIMEOUT), request);
        let lasts = limits::RESERVE_TIMEOUT + self.max_wait() + limits::PAUSE_TIMEOUT + limits::RESERVED_BEYOND;
        self.tell(way.1, BalancerMessage::Reserve { order: id, for_ms: millis(lasts) });
    }

    /// The target keeps a place: the source may pause.
    pub(crate) fn reserved(&mut self, now: Now, number: KitchenNo, id: OrderId) {
        let asked = |one: &&mut Move| one.to == number && one.step == Step::Reserve;
        let max_wait = self.max_wait();
        let Some(one) = self.soft.moves.get_mut(&id).filter(asked) else {
            if self.soft.moves.get(&id).is_none_or(|one| one.to != number) {
                self.tell(number, BalancerMessage::Unreserve { order: id });
            }
            return;
        };
        one.step = Step::Pause;
        one.until = now.mono + max_wait + limits::PAUSE_TIMEOUT;
        let from = one.from;
        if self.without(Guard::PauseFirst) {
            return self.commit(now, id);
        }
        let Some(order) = self.state.order(id) else { return };
        let lease = LeaseName { order: id, token: order.token };
        self.tell(from, BalancerMessage::Handover { lease, max_wait_ms: millis(max_wait) });
    }

    /// The target keeps none, or keeps it no longer.
    pub(crate) fn reserve_refused(&mut self, now: Now, number: KitchenNo, id: OrderId, why: DeclineReason) {
        let asked = |one: &&Move| one.to == number && one.step != Step::Release;
        if self.soft.moves.get(&id).filter(asked).is_none() {
            return;
        }
        let why = match why {
            DeclineReason::Late | DeclineReason::Full | DeclineReason::TimedOut => "full",
            DeclineReason::Closing => "closing",
        };
        self.fail_move(now, id, Failure::Target(why));
    }

    /// The source has paused: the order is the target's, if it can still take it.
    pub(crate) fn paused(&mut self, now: Now, number: KitchenNo, lease: LeaseName, stages_done: u8) {
        let id = lease.order;
        if !self.is_current(number, lease) {
            return self.tell(number, BalancerMessage::Stop(lease));
        }
        self.note_stages(now, lease, stages_done);
        let asked = self.soft.moves.get(&id).copied().filter(|one| one.from == number && one.step == Step::Pause);
        let Some(one) = asked else {
            self.was_paused(now, id);
            return self.tell(number, BalancerMessage::Resume(lease));
        };
        match self.unfit_target(&one) {
            Some(unfit) => self.fail_move(now, id, Failure::Target(unfit.word())),
            None => self.commit(now, id),
        }
    }

    /// The checkpoint is the ledger's from here on, also if the reports of its stages were lost with a connection.
    fn note_stages(&mut self, now: Now, lease: LeaseName, stages_done: u8) {
        let (id, token) = (lease.order, lease.token);
        let Some((known, last)) = self.state.order(id).map(|order| (order.stages_done, order.stages)) else { return };
        for stage in known..stages_done.min(last) {
            self.emit(now, Event::StageDone { order: id, token, stage });
        }
    }

    fn commit(&mut self, now: Now, id: OrderId) {
        let Some(one) = self.take_move(id) else { return };
        let Some(order) = self.state.order(id) else { return };
        let old = LeaseName { order: id, token: order.token };
        let plan = protocol::order::plan(&order.items, &self.state.city.menu);
        let saved = plan.iter().take(usize::from(order.stages_done)).map(|stage| u64::from(stage.ms)).sum::<u64>();
        let saved_ms = u32::try_from(saved).unwrap_or(u32::MAX);
        self.lease(now, id, one.to, Cause::Handover { from: one.from, reason: one.reason, saved_ms }, &[]);
        self.soft.pauses.insert(id, now.mono);
        self.tell(one.from, BalancerMessage::Stop(old));
        self.moved(id, &one);
    }

    /// The target cooks, or has cooked for so long already.
    pub(crate) fn cooked_again(&mut self, now: Now, id: OrderId, cooked_ms: u32) {
        let Some(since) = self.soft.pauses.remove(&id) else { return };
        let Some(token) = self.state.order(id).map(|order| order.token) else { return };
        let cooked = Duration::from_millis(u64::from(cooked_ms));
        let pause_ms = millis(now.mono.saturating_sub(since).saturating_sub(cooked));
        self.emit(now, Event::HandedOver { order: id, token, pause_ms });
    }

    /// The source cooks on.
    pub(crate) fn handover_refused(&mut self, now: Now, number: KitchenNo, lease: LeaseName, why: StayReason) {
        let asked = |one: &&Move| one.from == number && one.step == Step::Pause;
        if self.soft.moves.get(&lease.order).filter(asked).is_some() && self.is_current(number, lease) {
            self.fail_move(now, lease.order, Failure::Stays(why));
        }
    }

    /// After a move that failed: the target's place is free, and the source goes on if it was asked to pause.
    pub(crate) fn call_off(&mut self, now: Now, id: OrderId, one: &Move, failure: Failure) {
        self.tell(one.to, BalancerMessage::Unreserve { order: id });
        let Some((token, stages_done)) = self.state.order(id).map(|order| (order.token, order.stages_done)) else {
            return;
        };
        let lease = Duration::from_millis(u64::from(self.soft.timing.lease_ms));
        let stay = match failure {
            // The lease is over: there is nothing to go on with, and whatever is still said about it is stale.
            Failure::Overtaken(_) => return,
            Failure::Stays(_) | Failure::Started => {
                Stay { until: now.mono + limits::HANDOVER_RETRY, stages_done: Some(stages_done) }
            }
            Failure::Silent | Failure::Target(_) if one.step == Step::Pause => {
                self.tell(one.from, BalancerMessage::Resume(LeaseName { order: id, token }));
                self.was_paused(now, id);
                Stay { until: now.mono + lease, stages_done: None }
            }
            Failure::Silent | Failure::Target(_) => {
                Stay { until: now.mono + limits::HANDOVER_RETRY, stages_done: Some(stages_done) }
            }
        };
        self.soft.stays.insert(id, stay);
    }

    /// Whether an order was refused a moment ago, at this very stage.
    fn stays_for_now(&self, now: Now, id: OrderId) -> bool {
        let Some(stay) = self.soft.stays.get(&id).filter(|stay| now.mono < stay.until) else { return false };
        let stages_done = self.state.order(id).map(|order| order.stages_done);
        stay.stages_done.is_none() || stay.stages_done == stages_done
    }

    /// Whether an answer to a question that was given up may still be on its way.
    pub(crate) fn answer_may_come(&self, now: Now, id: OrderId) -> bool {
        self.soft.stays.get(&id).is_some_and(|stay| stay.stages_done.is_none() && now.mono < stay.until)
    }

    fn max_wait(&self) -> Duration {
        Duration::from_millis(self.state.policy.as_ref().map_or(0, |policy| policy.handover_max_wait_ms))
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
