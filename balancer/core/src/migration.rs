//! Migration: the table of moves in flight, an operator's wish to move an order, and the **reassign** of one that waits.
//! Never touches an order being cooked: that is a handover, in [`crate::handover`], which shares the table. What is moved
//! without being asked for is decided in [`crate::triggers`].
//!
//! A reassign asks the source to give the order back; only its "released" lets the order go, so a source that has begun
//! keeps it and nothing is cooked twice. The target's place is reserved meanwhile.
//!
//! Orders that wait at the balancer go to free places directly; that is dispatch, not migration. While less than half of
//! the capacity is alive nothing is moved at all: every order would go to the same few kitchens.

use std::time::Duration;

use protocol::api::MoveResult;
use protocol::link::{BalancerMessage, KeepReason, LeaseName, StayReason};
use protocol::{KitchenId, OrderId, OrderState};

use crate::dispatcher::Core;
use crate::effect::{Refused, Reply};
use crate::event::{Cause, Event, KitchenNo, LossCause, MoveReason};
use crate::handover::stays;
use crate::input::{Now, Operator, RequestId};
use crate::limits;
use crate::routing::Unfit;
use crate::soft::{Move, MoveAsked, Step};

/// Why nothing is moved while less than half of the capacity is alive.
pub(crate) const PANIC: &str = "less than half of the capacity is alive: orders are only recovered";

/// Why a move did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The one whose turn it was did not answer.
    Silent,
    /// The source keeps it: it is being cooked.
    Started,
    /// The source keeps it: it finishes in place.
    Stays(StayReason),
    /// The target cannot take it.
    Target(&'static str),
    /// The lease ended otherwise.
    Overtaken(&'static str),
}

impl Core {
    /// An operator moves an order; the answer comes when it is there, or when it is known why it stays.
    pub(crate) fn migrate(&mut self, now: Now, request: RequestId, id: OrderId, to: &KitchenId, by: Operator) {
        let (from, to) = match self.check_migrate(now, id, to) {
            Ok(way) => way,
            Err(why) => return self.refuse(request, why),
        };
        self.emit(now, Event::MoveOrdered { order: id, to, by });
        if self.state.order(id).is_some_and(|order| order.state == OrderState::Cooking) {
            self.ask_handover(now, id, (from, to), MoveReason::Operator, Some(request));
        } else {
            self.ask(now, id, (from, to), MoveReason::Operator, Some(request));
        }
    }

    fn check_migrate(&self, now: Now, id: OrderId, to: &KitchenId) -> Result<(KitchenNo, KitchenNo), Refused> {
        let order = self.state.order(id).ok_or(Refused::NoSuchOrder(id))?;
        let target = self.state.find_kitchen(to).ok_or_else(|| Refused::NoSuchKitchen(to.clone()))?;
        let from = match (order.state, order.kitchen) {
            (OrderState::Leased | OrderState::Cooking, Some(from)) => from,
            (state, _) if !state.is_open() => return Err(Refused::AlreadyEnded { order: id, state: state.word() }),
            _ => return Err(Refused::NotInAKitchen { order: id }),
        };
        let kitchen = || self.state.kitchen(from).id.clone();
        if from == target {
            return Err(Refused::AlreadyThere { order: id, kitchen: to.clone() });
        }
        if self.is_panicking() {
            return Err(Refused::Panic);
        }
        if self.soft.moves.contains_key(&id) || self.answer_may_come(now, id) {
            return Err(Refused::MoveInFlight { order: id });
        }
        if self.soft.moves.len() >= limits::MOVES_IN_FLIGHT_MAX {
            return Err(Refused::TooManyMoves { limit: limits::MOVES_IN_FLIGHT_MAX });
        }
        if let Some(unfit) = self.soft.routing.unfit(target) {
            return Err(Refused::TargetUnfit { kitchen: to.clone(), why: unfit.word() });
        }
        if self.soft.link(from).connection.is_none() {
            return Err(Refused::SourceSilent { kitchen: kitchen() });
        }
        if let Some(why) = stays(order).filter(|_| order.state == OrderState::Cooking) {
            return Err(Refused::FinishesInPlace { order: id, kitchen: kitchen(), why: why.word() });
        }
        Ok((from, target))
    }

    /// Asks the source to give an order back, and reserves the place at the target.
    pub(crate) fn ask(
        &mut self,
        now: Now,
        id: OrderId,
        (from, to): (KitchenNo, KitchenNo),
        reason: MoveReason,
        request: Option<RequestId>,
    ) {
        let Some(order) = self.state.order(id) else { return };
        let lease = LeaseName { order: id, token: order.token };
        self.begin_move(now, id, (from, to), reason, (Step::Release, limits::RELEASE_TIMEOUT), request);
        self.tell(from, BalancerMessage::Release(lease));
    }

    /// Notes a move, and reserves the place at the target.
    pub(crate) fn begin_move(
        &mut self,
        now: Now,
        id: OrderId,
        (from, to): (KitchenNo, KitchenNo),
        reason: MoveReason,
        (step, patience): (Step, Duration),
        request: Option<RequestId>,
    ) {
        let waits_since = self.not_stealable(id).unwrap_or(now.mono);
        let (since, until, asked_at) = (now.mono, now.mono + patience, now.wall);
        let one = Move { from, to, reason, step, since, until, waits_since, asked_at, request };
        self.soft.moves.insert(id, one);
        self.soft.moves_asked.push(MoveAsked { order: id, from, to, kind: step.kind(), reason, at: now.wall });
        self.soft.link_mut(to).reserved += 1;
        self.load_changed(to);
    }

    /// Whether a move may begin: not too many, not moving, and the source can hear us.
    pub(crate) fn may_ask(&self, id: OrderId, from: KitchenNo) -> bool {
        self.soft.moves.len() < limits::MOVES_IN_FLIGHT_MAX
            && !self.soft.moves.contains_key(&id)
            && self.soft.link(from).connection.is_some()
            && !self.soft.link(from).suspected
    }

    /// Ends a move, whatever its outcome, and gives the reserved place back.
    pub(crate) fn take_move(&mut self, id: OrderId) -> Option<Move> {
        let one = self.soft.moves.remove(&id)?;
        let link = self.soft.link_mut(one.to);
        link.reserved = link.reserved.saturating_sub(1);
        self.load_changed(one.to);
        Some(one)
    }

    /// The order's lease ended while it was being moved: there is nothing left to move.
    pub(crate) fn drop_move(&mut self, now: Now, id: OrderId, what: &'static str) {
        if self.soft.moves.contains_key(&id) {
            self.fail_move(now, id, Failure::Overtaken(what));
        }
    }

    pub(crate) fn fail_move(&mut self, now: Now, id: OrderId, failure: Failure) {
        let Some(one) = self.take_move(id) else { return };
        let result = if failure == Failure::Silent { MoveResult::TimedOut } else { MoveResult::Refused };
        let Move { from, to, reason, .. } = one;
        self.emit(now, Event::MoveFailed { order: id, from, to, reason, result });
        match one.step {
            Step::Release => self.stealable(id, one.waits_since),
            Step::Reserve | Step::Pause => self.call_off(now, id, &one, failure),
        }
        if let Some(request) = one.request {
            self.refuse(request, self.why_not_moved(id, &one, failure));
        }
    }

    fn why_not_moved(&self, order: OrderId, one: &Move, failure: Failure) -> Refused {
        let (from, to) = (self.state.kitchen(one.from).id.clone(), self.state.kitchen(one.to).id.clone());
        match (failure, one.step) {
            (Failure::Silent, Step::Reserve) => Refused::TargetSilent { kitchen: to },
            (Failure::Silent, Step::Release | Step::Pause) => Refused::SourceSilent { kitchen: from },
            (Failure::Started, _) => Refused::AlreadyCooking { order, kitchen: from },
            (Failure::Stays(why), _) => Refused::FinishesInPlace { order, kitchen: from, why: why.word() },
            (Failure::Target(why), _) => Refused::TargetUnfit { kitchen: to, why },
            (Failure::Overtaken(what), _) => Refused::Overtaken { order, what },
        }
    }

    /// The source has let the order go.
    pub(crate) fn released(&mut self, now: Now, number: KitchenNo, lease: LeaseName) {
        if !self.is_current(number, lease) {
            return;
        }
        let id = lease.order;
        let asked = self.soft.moves.get(&id).copied().filter(|one| one.step == Step::Release);
        let Some(one) = asked else {
            // An answer that came after the time-out: the source has it no more, so it waits again.
            return self.lose(now, id, LossCause::Returned);
        };
        if let Some(unfit) = self.unfit_target(&one) {
            self.fail_move(now, id, Failure::Target(unfit.word()));
            return self.lose(now, id, LossCause::Returned);
        }
        self.take_move(id);
        let pause = now.mono.saturating_sub(one.since).as_millis();
        let pause_ms = u32::try_from(pause).unwrap_or(u32::MAX);
        self.lease(now, id, one.to, Cause::Reassign { from: one.from, reason: one.reason, pause_ms }, &[]);
        self.moved(id, &one);
    }

    /// Tells the operator, if there is one, that the order is there.
    pub(crate) fn moved(&mut self, id: OrderId, one: &Move) {
        if let Some(request) = one.request {
            let to = &self.state.kitchen(one.to).id;
            self.reply(request, Reply::Done(format!("{id} is in {to} now")));
        }
    }

    /// Why the target cannot take the order any more; that it is full does not matter, one of its places is reserved.
    pub(crate) fn unfit_target(&self, one: &Move) -> Option<Unfit> {
        self.soft.routing.unfit(one.to).filter(|unfit| *unfit != Unfit::Full)
    }

    pub(crate) fn release_refused(&mut self, now: Now, number: KitchenNo, lease: LeaseName, why: KeepReason) {
        let id = lease.order;
        let asked = self.soft.moves.get(&id).copied().filter(|one| one.from == number && one.step == Step::Release);
        let Some(one) = asked.filter(|_| self.is_current(number, lease)) else { return };
        let cooking = self.state.order(id).filter(|order| order.state == OrderState::Cooking);
        let stays = cooking.map(stays);
        if why == KeepReason::Started && stays == Some(None) && one.request.is_some() {
            // It was started while the operator's wish was on its way: then it is handed over.
            self.take_move(id);
            return self.ask_handover(now, id, (one.from, one.to), one.reason, one.request);
        }
        let failure = match why {
            KeepReason::Started => stays.flatten().map_or(Failure::Started, Failure::Stays),
            KeepReason::Finished => Failure::Stays(StayReason::Finished),
            KeepReason::Unknown => Failure::Overtaken("its kitchen does not have it"),
        };
        self.fail_move(now, id, failure);
        if why == KeepReason::Unknown {
            self.lose(now, id, LossCause::Returned);
        }
    }

    /// Ends moves whose answer is late, and handovers whose target has become unfit.
    pub(crate) fn time_out_moves(&mut self, now: Now) {
        let fails = |one: &Move| {
            let unfit = if one.step == Step::Release { None } else { self.unfit_target(one) };
            let late = (now.mono >= one.until).then_some(Failure::Silent);
            unfit.map(|unfit| Failure::Target(unfit.word())).or(late)
        };
        let moves = self.soft.moves.iter();
        let over: Vec<(OrderId, Failure)> = moves.filter_map(|(id, one)| fails(one).map(|why| (*id, why))).collect();
        over.into_iter().for_each(|(id, failure)| self.fail_move(now, id, failure));
    }
}
