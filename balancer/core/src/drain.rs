//! Drains: a kitchen is cordoned, its orders move, are handed over or finish in place, and the agent says that it is empty.
//!
//! Invariants:
//! - a drain is complete only when the ledger gives the kitchen nothing and its agent has said so, in a heartbeat that it
//!   cannot have sent before it heard of an order; or when it is dead and holds nothing;
//! - at the deadline the rest is recovered elsewhere, never sooner;
//! - [`limits::DRAIN_MOVES_MAX`] orders are on their way for drains in all, however many kitchens drain.
//!
//! Whoever drains is cordoned by the same event, so of several drains none is the target of another.

use std::time::Duration;

use protocol::api::Schedulable;
use protocol::link::{BalancerMessage, LeaseName};
use protocol::{KitchenId, OrderId, OrderState};

use crate::dispatcher::{Core, Guard};
use crate::effect::{Refused, Reply};
use crate::event::{Event, KitchenNo, LossCause, MoveReason};
use crate::input::{Now, Operator, RequestId};
use crate::limits;
use crate::state::DrainTerms;

impl Core {
    pub(crate) fn drain(
        &mut self,
        now: Now,
        request: RequestId,
        id: &KitchenId,
        deadline: Option<Duration>,
        force: bool,
        by: Operator,
    ) {
        let number = match self.check_drain(id, force) {
            Ok(number) => number,
            Err(why) => return self.refuse(request, why),
        };
        let deadline = deadline.unwrap_or(limits::DRAIN_DEADLINE).min(limits::DRAIN_DEADLINE_MAX);
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.emit(now, Event::DrainStarted { kitchen: number, deadline_ms, by });
        let link = self.soft.link_mut(number);
        link.drain_until = Some(now.mono + deadline);
        // What it said before says nothing about now.
        link.empty = false;
        let kitchen = self.state.kitchen(number);
        let (waiting, cooking) = (kitchen.waiting.len(), kitchen.cooking.len());
        self.reply(
            request,
            Reply::Done(format!(
                "{id} is draining: {waiting} orders move, {cooking} are handed over or finish in place"
            )),
        );
        self.drain_step(now);
    }

    fn check_drain(&self, id: &KitchenId, force: bool) -> Result<KitchenNo, Refused> {
        let number = self.state.find_kitchen(id).ok_or_else(|| Refused::NoSuchKitchen(id.clone()))?;
        if self.state.kitchen(number).schedulable == Schedulable::Draining {
            return Err(Refused::NothingToChange { kitchen: id.clone(), state: "draining" });
        }
        if force {
            return Ok(number);
        }
        let needs = self.state.kitchen(number).waiting.len() as u64;
        if needs > 0 && self.is_panicking() {
            return Err(Refused::Panic);
        }
        let own = if self.soft.routing.unfit(number).is_none() { u64::from(self.free(number)) } else { 0 };
        let free = (self.soft.routing.open_places() - own).saturating_sub(self.claimed_by_drains());
        if needs > free {
            return Err(Refused::NoRoomToDrain { kitchen: id.clone(), needs, free });
        }
        Ok(number)
    }

    /// Places that running drains still need and have not reserved.
    fn claimed_by_drains(&self) -> u64 {
        let draining = self.state.kitchens.iter().filter(|kitchen| kitchen.schedulable == Schedulable::Draining);
        let waiting = draining.flat_map(|kitchen| &kitchen.waiting);
        waiting.filter(|id| !self.soft.moves.contains_key(id)).count() as u64
    }

    /// Takes the drains of the ledger over: each goes on with what is left of its deadline. The wall clock may have been
    /// set meanwhile, so it can neither end a drain within the grace of a takeover nor give it more than it had.
    pub(crate) fn drain_left(&self, now: Now, terms: DrainTerms) -> Duration {
        let left = terms.deadline_ms.saturating_sub(now.wall.ms_since(terms.since));
        Duration::from_millis(left).max(self.lease_time())
    }

    /// Goes on with every drain: moves, recovers what is left at the deadline, and notices who is empty.
    pub(crate) fn drain_step(&mut self, now: Now) {
        for number in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            if self.state.kitchen(number).schedulable != Schedulable::Draining {
                continue;
            }
            if self.is_drained(number) {
                self.soft.link_mut(number).drain_until = None;
                self.emit(now, Event::Drained { kitchen: number });
            } else if self.soft.link(number).drain_until.is_some_and(|until| now.mono >= until) {
                self.recover_rest(now, number);
            } else {
                self.move_out(now, number);
            }
        }
    }

    fn is_drained(&self, number: KitchenNo) -> bool {
        let kitchen = self.state.kitchen(number);
        if self.without(Guard::DrainProof) {
            return kitchen.waiting.is_empty();
        }
        kitchen.held() == 0 && (self.soft.link(number).empty || !kitchen.alive)
    }

    fn recover_rest(&mut self, now: Now, number: KitchenNo) {
        let kitchen = self.state.kitchen(number);
        let held: Vec<OrderId> = kitchen.cooking.iter().chain(&kitchen.waiting).copied().collect();
        for id in held {
            let token = self.state.order(id).map(|order| order.token).unwrap_or_default();
            self.lose(now, id, LossCause::DrainDeadline);
            self.tell(number, BalancerMessage::Stop(LeaseName { order: id, token }));
        }
    }

    /// Asks for what waits, then for what is being cooked, as far as the fleet's bound goes.
    fn move_out(&mut self, now: Now, number: KitchenNo) {
        let kitchen = self.state.kitchen(number);
        let held: Vec<OrderId> = kitchen.waiting.iter().chain(&kitchen.cooking).copied().collect();
        let mut left = limits::DRAIN_MOVES_MAX.saturating_sub(self.drain_moves());
        for id in held {
            if left == 0 {
                return;
            }
            let before = self.soft.moves.len();
            match self.state.order(id).map(|order| order.state) {
                Some(OrderState::Leased) => self.move_anywhere(now, id, number, MoveReason::Drain),
                Some(OrderState::Cooking) => _ = self.hand_over_anywhere(now, id, number, MoveReason::Drain),
                Some(OrderState::Queued | OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered)
                | None => {}
            }
            left -= usize::from(self.soft.moves.len() > before);
        }
    }

    /// Orders on their way for drains, in the whole fleet.
    fn drain_moves(&self) -> usize {
        self.soft.moves.values().filter(|one| one.reason == MoveReason::Drain).count()
    }
}
