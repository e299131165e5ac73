//! Migration: moving orders that wait in one kitchen to another, by **reassign**. Never touches an order being cooked.
//!
//! A move asks the source to give the order back; only its "released" lets the order go, so a source that has begun
//! keeps it and nothing is cooked twice. The target's place is reserved meanwhile. Two triggers, both with a reason:
//!
//! - `idle_station`: a station with nothing to do takes the oldest waiting order it is a specialist for, or the oldest
//!   that has waited longer than a patience of two mean cooking times. This is what brings any policy close to one
//!   central queue; taking just any order costs more in cooking time than it saves in waiting.
//! - `overload`: a kitchen above 90 % gives orders to kitchens below 50 % until it is below 70 %, at most two a cycle,
//!   only where the predicted wait gets shorter. Near full load nobody is below 50 %, and then this one rests.
//!
//! Orders that wait at the balancer go to free places directly; that is dispatch, not migration.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::api::MoveResult;
use protocol::link::{BalancerMessage, KeepReason, LeaseName};
use protocol::{KitchenId, OrderId, OrderState};

use crate::dispatcher::Core;
use crate::effect::{Refused, Reply};
use crate::event::{Cause, Event, KitchenNo, LossCause, MoveReason};
use crate::input::{Now, Operator, RequestId};
use crate::limits;
use crate::soft::{Move, MoveAsked};

impl Core {
    /// An operator moves an order; the answer comes when the source has answered.
    pub(crate) fn migrate(&mut self, now: Now, request: RequestId, id: OrderId, to: &KitchenId, _by: &Operator) {
        match self.check_migrate(id, to) {
            Err(why) => self.refuse(request, why),
            Ok((from, to)) => self.ask(now, id, (from, to), MoveReason::Operator, Some(request)),
        }
    }

    fn check_migrate(&self, id: OrderId, to: &KitchenId) -> Result<(KitchenNo, KitchenNo), Refused> {
        let order = self.state.order(id).ok_or(Refused::NoSuchOrder(id))?;
        let target = self.state.find_kitchen(to).ok_or_else(|| Refused::NoSuchKitchen(to.clone()))?;
        let from = match (order.state, order.kitchen) {
            (OrderState::Leased, Some(from)) => from,
            (OrderState::Cooking, Some(from)) => {
                return Err(Refused::AlreadyCooking { order: id, kitchen: self.state.kitchen(from).id.clone() });
            }
            (state, _) if !state.is_open() => return Err(Refused::AlreadyEnded { order: id, state: state.word() }),
            _ => return Err(Refused::NotInAKitchen { order: id }),
        };
        if from == target {
            return Err(Refused::AlreadyThere { order: id, kitchen: to.clone() });
        }
        if self.soft.moves.contains_key(&id) {
            return Err(Refused::MoveInFlight { order: id });
        }
        if self.soft.moves.len() >= limits::MOVES_IN_FLIGHT_MAX {
            return Err(Refused::TooManyMoves { limit: limits::MOVES_IN_FLIGHT_MAX });
        }
        if let Some(unfit) = self.soft.routing.unfit(target) {
            return Err(Refused::TargetUnfit { kitchen: to.clone(), why: unfit.word() });
        }
        if self.soft.link(from).connection.is_none() {
            return Err(Refused::SourceSilent { kitchen: self.state.kitchen(from).id.clone() });
        }
        Ok((from, target))
    }

    /// Asks the source to give an order back, and reserves the place at the target.
    fn ask(
        &mut self,
        now: Now,
        id: OrderId,
        (from, to): (KitchenNo, KitchenNo),
        reason: MoveReason,
        request: Option<RequestId>,
    ) {
        let Some(order) = self.state.order(id) else { return };
        let lease = LeaseName { order: id, token: order.token };
        let waits_since = self.not_stealable(id).unwrap_or(now.mono);
        let one = Move { from, to, reason, since: now.mono, waits_since, asked_at: now.wall, request };
        self.soft.moves.insert(id, one);
        self.soft.moves_asked.push(MoveAsked { order: id, from, to, reason, at: now.wall });
        self.soft.link_mut(to).reserved += 1;
        self.load_changed(to);
        self.tell(from, BalancerMessage::Release(lease));
    }

    /// Whether a move may begin: not too many, not moving, and the source can hear us.
    fn may_ask(&self, id: OrderId, from: KitchenNo) -> bool {
        self.soft.moves.len() < limits::MOVES_IN_FLIGHT_MAX
            && !self.soft.moves.contains_key(&id)
            && self.soft.link(from).connection.is_some()
            && !self.soft.link(from).suspected
    }

    /// Ends a move, whatever its outcome, and gives the reserved place back.
    fn take_move(&mut self, id: OrderId) -> Option<Move> {
        let one = self.soft.moves.remove(&id)?;
        let link = self.soft.link_mut(one.to);
        link.reserved = link.reserved.saturating_sub(1);
        self.load_changed(one.to);
        Some(one)
    }

    /// The order's lease ended while it was being moved: there is nothing left to move.
    pub(crate) fn drop_move(&mut self, now: Now, id: OrderId) {
        if self.soft.moves.contains_key(&id) {
            self.fail_move(now, id, MoveResult::Refused);
        }
    }

    fn fail_move(&mut self, now: Now, id: OrderId, result: MoveResult) {
        let Some(Move { from, to, reason, request, waits_since, .. }) = self.take_move(id) else { return };
        self.emit(now, Event::MoveFailed { order: id, from, to, reason, result });
        self.stealable(id, waits_since);
        if let Some(request) = request {
            let kitchen = self.state.kitchen(from).id.clone();
            let why = if result == MoveResult::TimedOut {
                Refused::SourceSilent { kitchen }
            } else {
                Refused::AlreadyCooking { order: id, kitchen }
            };
            self.refuse(request, why);
        }
    }

    /// The source has let the order go.
    pub(crate) fn released(&mut self, now: Now, number: KitchenNo, lease: LeaseName) {
        if !self.is_current(number, lease) {
            return;
        }
        let id = lease.order;
        let Some(one) = self.take_move(id) else {
            // An answer that came after the time-out: the source has it no more, so it waits again.
            return self.lose(now, id, LossCause::Returned);
        };
        if self.soft.routing.unfit(one.to).is_some() {
            self.emit(
                now,
                Event::MoveFailed {
                    order: id,
                    from: one.from,
                    to: one.to,
                    reason: one.reason,
                    result: MoveResult::Refused,
                },
            );
            self.lose(now, id, LossCause::Returned);
            if let Some(request) = one.request {
                let kitchen = self.state.kitchen(one.to).id.clone();
                self.refuse(request, Refused::TargetUnfit { kitchen, why: "it became unfit during the move" });
            }
            return;
        }
        let pause = now.mono.saturating_sub(one.since).as_millis();
        let pause_ms = u32::try_from(pause).unwrap_or(u32::MAX);
        self.lease(now, id, one.to, Cause::Reassign { from: one.from, reason: one.reason, pause_ms });
        if let Some(request) = one.request {
            let to = &self.state.kitchen(one.to).id;
            self.reply(request, Reply::Done(format!("{id} is in {to} now")));
        }
    }

    pub(crate) fn release_refused(&mut self, now: Now, number: KitchenNo, lease: LeaseName, why: KeepReason) {
        let asked = self.soft.moves.get(&lease.order).is_some_and(|one| one.from == number);
        if !asked || !self.is_current(number, lease) {
            return;
        }
        self.fail_move(now, lease.order, MoveResult::Refused);
        if why == KeepReason::Unknown {
            self.lose(now, lease.order, LossCause::Returned);
        }
    }

    pub(crate) fn time_out_moves(&mut self, now: Now) {
        let moves = &self.soft.moves;
        let late = |one: &Move| now.mono >= one.since + limits::RELEASE_TIMEOUT;
        let over: Vec<OrderId> = moves.iter().filter(|(_, one)| late(one)).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.fail_move(now, id, MoveResult::TimedOut));
    }

    /// The order waits in a kitchen since `since`: an idle station may take it.
    pub(crate) fn stealable(&mut self, id: OrderId, since: Duration) {
        let Some(order) = self.state.order(id).filter(|order| order.state == OrderState::Leased) else { return };
        let Some(dish) = order.main_dish() else { return };
        self.soft.stealable.entry(dish).or_default().insert(id, since);
    }

    /// It no longer waits, or is being moved; says since when it waited.
    pub(crate) fn not_stealable(&mut self, id: OrderId) -> Option<Duration> {
        let dish = self.state.order(id)?.main_dish()?;
        self.soft.stealable.get_mut(&dish)?.remove(&id)
    }

    /// Stations that became free look for work elsewhere.
    pub(crate) fn steal(&mut self, now: Now) {
        if self.soft.crowded == 0 || !self.state.policy.as_ref().is_none_or(|policy| policy.steal) {
            return self.soft.freed.clear();
        }
        while let Some(number) = self.soft.freed.pop_first() {
            while self.idle_stations(number) > 0 {
                let Some((id, from)) = self.find_for(now.mono, number) else { break };
                self.ask(now, id, (from, number), MoveReason::IdleStation, None);
            }
        }
    }

    /// At every tick, all kitchens look once more: an order may have become old enough.
    pub(crate) fn steal_everywhere(&mut self) {
        if self.soft.crowded > 0 {
            self.soft.freed.extend((0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)));
        }
    }

    fn idle_stations(&self, number: KitchenNo) -> u32 {
        if self.soft.routing.unfit(number).is_some() || self.soft.moves.len() >= limits::MOVES_IN_FLIGHT_MAX {
            return 0;
        }
        let kitchen = self.state.kitchen(number);
        kitchen.stations.saturating_sub(kitchen.held() + self.soft.link(number).reserved)
    }

    fn find_for(&self, now: Duration, number: KitchenNo) -> Option<(OrderId, KitchenNo)> {
        let kitchen = self.state.kitchen(number);
        let own = kitchen.specialties.iter().filter_map(|dish| self.soft.stealable.get(dish));
        let specialist = own.filter_map(|waiting| self.first_takeable(number, waiting)).min();
        let patience = Duration::from_millis(2 * self.soft.routing.scale_ms());
        let found = specialist.or_else(|| {
            let all = self.soft.stealable.values();
            let oldest = all.filter_map(|waiting| self.first_takeable(number, waiting)).min();
            oldest.filter(|(_, since)| now >= *since + patience)
        });
        let (id, _) = found?;
        self.state.order(id)?.kitchen.map(|from| (id, from))
    }

    /// The first of these orders that waits behind busy stations elsewhere and may still be moved.
    fn first_takeable(&self, number: KitchenNo, waiting: &BTreeMap<OrderId, Duration>) -> Option<(OrderId, Duration)> {
        let max_hops = self.state.policy.as_ref().map_or(3, |policy| policy.max_hops);
        let looked_at = waiting.iter().take(limits::STEAL_LOOKS).map(|(id, since)| (*id, *since));
        looked_at.filter(|(id, _)| self.takeable(*id, number, max_hops)).min()
    }

    fn takeable(&self, id: OrderId, number: KitchenNo, max_hops: u32) -> bool {
        let Some(order) = self.state.order(id) else { return false };
        let Some(from) = order.kitchen else { return false };
        from != number && self.soft.link(from).crowded && u32::from(order.moves) < max_hops && self.may_ask(id, from)
    }

    /// One look at the thresholds.
    pub(crate) fn relieve(&mut self, now: Now) {
        let policy = self.state.policy();
        for from in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            let kitchen = self.state.kitchen(from);
            let load = kitchen.load();
            let link = self.soft.link_mut(from);
            link.hot = if link.hot { load >= policy.calm_threshold } else { load > policy.overload_threshold };
            if !link.hot || !kitchen.alive || !policy.migrate {
                continue;
            }
            self.relieve_one(now, from, &policy);
        }
    }

    fn relieve_one(&mut self, now: Now, from: KitchenNo, policy: &protocol::api::PolicyView) {
        let mut moved = 0;
        let waiting: Vec<OrderId> = self.state.kitchen(from).waiting.iter().rev().copied().collect();
        if waiting.is_empty() {
            return self.soft.skip(now, from, "everything in it is being cooked");
        }
        // The newest waits longest if it stays, so it gains most.
        for (behind, id) in waiting.iter().enumerate() {
            if moved == policy.max_migrations_per_cycle {
                return self.soft.skip(now, from, "the limit of this cycle is reached");
            }
            let Some(order) = self.state.order(*id) else { continue };
            let line = order.main_dish().and_then(|dish| self.soft.stealable.get(&dish));
            let since = line.and_then(|line| line.get(id)).copied().unwrap_or(now.mono);
            if now.mono < since + Duration::from_millis(policy.min_stay_ms) {
                self.soft.skip(now, from, "its newest orders have only just come");
            } else if u32::from(order.moves) >= policy.max_hops {
                self.soft.skip(now, from, "an order has been moved as often as it may");
            } else if !self.may_ask(*id, from) {
                self.soft.skip(now, from, "moves are in flight, or the kitchen is not heard");
            } else if let Some(to) = self.relief_for(*id, from, policy.available_threshold) {
                let ahead = waiting.len() - behind;
                if self.wait_at(from, ahead) > self.wait_at(to, self.state.kitchen(to).held() as usize + 1) {
                    self.ask(now, *id, (from, to), MoveReason::Overload, None);
                    moved += 1;
                } else {
                    return self.soft.skip(now, from, "no target would start it sooner");
                }
            } else {
                return self.soft.skip(now, from, "no kitchen is below the available threshold");
            }
        }
    }

    fn relief_for(&self, id: OrderId, from: KitchenNo, below: f64) -> Option<KitchenNo> {
        let order = self.state.order(id)?;
        let fits = |to: KitchenNo| to != from && self.state.kitchen(to).load() < below;
        let best = self.soft.routing.best_by_scan(&order.items, order.zone, fits)?;
        u32::try_from(best).ok().map(KitchenNo)
    }

    /// Predicted wait in milliseconds of the order that is `place`-th in line at a kitchen: orders ahead that need a
    /// station, times the cooking time, over the stations.
    fn wait_at(&self, number: KitchenNo, place: usize) -> u64 {
        let kitchen = self.state.kitchen(number);
        let stations = u64::from(kitchen.stations.max(1));
        let busy = kitchen.cooking.len() as u64;
        let ahead = (place as u64 + busy.min(stations)).saturating_sub(stations);
        let avg = if kitchen.avg_ms > 0 { u64::from(kitchen.avg_ms) } else { self.soft.routing.scale_ms() };
        ahead * avg / stations
    }

    /// Moves an order to the best fit kitchen, if there is one.
    pub(crate) fn move_anywhere(&mut self, now: Now, id: OrderId, from: KitchenNo, reason: MoveReason) {
        if !self.may_ask(id, from) {
            return;
        }
        if let Some(to) = self.relief_for(id, from, f64::INFINITY) {
            self.ask(now, id, (from, to), reason, None);
        }
    }
}
