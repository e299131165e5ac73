//! The only place where durable state changes.
//!
//! Applying decides nothing: an event that cannot be (a second completion, say) is still applied and counted, so that a
//! faulty ledger shows in the proof instead of being smoothed over.

use std::cmp::Reverse;

use protocol::api::{HopKind, MoveResult, Schedulable};
use protocol::{FencingToken, OrderId, OrderState, Position, WallTime};

use super::{DrainTerms, Hop, Kitchen, Migration, Order, Rush, State};
use crate::event::{Accepted, Cause, Event, KitchenNo, LossCause, MoveReason, Recorded, Registered};
use crate::limits;

impl State {
    /// Applies the next event of the ledger, and hands out the ended order that it made memory forget: whoever promises
    /// something of old orders (their keys are remembered for longer) takes it from here.
    pub fn apply(&mut self, recorded: &Recorded) -> Option<Order> {
        let mut forgotten = None;
        self.position = Position(self.position.0 + 1);
        let at = recorded.at;
        self.last_at = self.last_at.max(at);
        self.end_ordered_move(&recorded.event);
        match &recorded.event {
            Event::EpochStarted { epoch } => {
                self.epoch = *epoch;
                self.reign_at = at;
            }
            Event::CityChanged { city } => self.city.clone_from(city),
            Event::PolicyChanged { policy, .. } => self.policy = Some(policy.as_ref().into()),
            Event::PolicySet { policy, .. } => self.policy = Some(policy.as_ref().clone()),
            Event::KitchenRegistered(registered) => self.registered(registered, at),
            Event::KitchenLost { kitchen, cause, .. } => {
                let kitchen = &mut self.kitchens[kitchen.index()];
                kitchen.alive = false;
                kitchen.since = at;
                kitchen.lost = Some(*cause);
                // What an operator has set stays until an operator changes it.
                if *cause == LossCause::AgentLeft && kitchen.schedulable == Schedulable::Open {
                    kitchen.schedulable = Schedulable::Retired;
                }
            }
            Event::KitchenReturned { kitchen } => {
                let kitchen = &mut self.kitchens[kitchen.index()];
                kitchen.alive = true;
                kitchen.since = at;
            }
            Event::KitchenScheduling { kitchen, schedulable, .. } => self.schedule(*kitchen, *schedulable, None),
            Event::DrainStarted { kitchen, deadline_ms, .. } => {
                let terms = DrainTerms { since: at, deadline_ms: *deadline_ms };
                self.schedule(*kitchen, Schedulable::Draining, Some(terms));
            }
            Event::Drained { kitchen } => self.schedule(*kitchen, Schedulable::Cordoned, None),
            Event::Accepted(accepted) => self.accepted(accepted, at),
            Event::Leased { order, kitchen, token, cause } => self.leased(*order, *kitchen, *token, *cause, at),
            Event::Started { order, stage, .. } => self.started(*order, *stage, at),
            Event::StageDone { order, stage, .. } => self.stage_done(*order, *stage, at),
            Event::HandedOver { order, token, pause_ms } => self.handed_over(*order, *token, *pause_ms),
            Event::Requeued { order, .. } => self.requeued(*order),
            Event::MoveOrdered { order, to, .. } => {
                self.touch(*order);
                self.ordered.insert(*order, *to);
            }
            Event::Completed { order, cooked_ms, .. } => forgotten = self.completed(*order, *cooked_ms, at),
            Event::AttemptFailed { order, token, output, .. } => self.attempt_failed(*order, *token, output),
            Event::LeaseLost { order, cause, .. } => self.lease_lost(*order, *cause, at),
            Event::MoveFailed { order, from, to, reason, result } => {
                self.counts.moves_failed += 1;
                // What an idle station or an overload moves has not been started, or had not when it was asked for.
                let reassign = matches!(reason, MoveReason::IdleStation | MoveReason::Overload);
                let kind = match self.touch(*order).map(|order| order.state) {
                    Some(OrderState::Cooking) if !reassign => HopKind::Handover,
                    _ => HopKind::Reassign,
                };
                self.remember_move(Migration {
                    kind,
                    at,
                    order: *order,
                    from: *from,
                    to: *to,
                    reason: *reason,
                    pause_ms: None,
                    result: *result,
                });
            }
            Event::Cancelled { order, .. } => forgotten = self.end(*order, OrderState::Cancelled, at),
            Event::DeadLettered { order, .. } => forgotten = self.end(*order, OrderState::DeadLettered, at),
            Event::StaleRefused { order, token, .. } => {
                self.counts.stale_refused += 1;
                if let Some(order) = self.touch(*order) {
                    order.refused = *token;
                }
            }
            Event::RushStarted { rate_milli, zone, lasts_ms, .. } => {
                let placed = self.rush.map_or(0, |rush| rush.placed);
                self.rush = Some(Rush { rate_milli: *rate_milli, zone: *zone, lasts_ms: *lasts_ms, since: at, placed });
            }
            Event::RushEnded { .. } => self.rush = None,
            Event::KeyWindowSet { window_ms } => self.key_window_ms = Some(*window_ms),
        }
        forgotten
    }

    /// An ordered move ends with the next lease of its order, with its failure, or with the order itself.
    fn end_ordered_move(&mut self, event: &Event) {
        if self.ordered.is_empty() {
            return;
        }
        if let Event::Leased { order, .. }
        | Event::MoveFailed { order, .. }
        | Event::Completed { order, .. }
        | Event::AttemptFailed { order, .. }
        | Event::LeaseLost { order, .. }
        | Event::Cancelled { order, .. }
        | Event::DeadLettered { order, .. } = event
        {
            self.ordered.remove(order);
        }
    }

    fn registered(&mut self, registered: &Registered, at: WallTime) {
        match self.kitchens.get_mut(registered.kitchen.index()) {
            Some(known) => known.register(registered, at),
            None => self.kitchens.push(Kitchen::new(registered, at)),
        }
    }

    fn accepted(&mut self, accepted: &Accepted, at: WallTime) {
        let id = accepted.order;
        self.last_order = id;
        self.counts.accepted += 1;
        if let (true, Some(rush)) = (accepted.rush, self.rush.as_mut()) {
            rush.placed += 1;
        }
        if let Some(key) = &accepted.key {
            self.keys.insert(key.clone(), id);
        }
        self.queue.insert((Reverse(accepted.priority), id));
        self.orders.insert(Order {
            id,
            state: OrderState::Queued,
            priority: accepted.priority,
            zone: accepted.zone,
            stages_done: 0,
            stages: accepted.stages,
            attempt: 0,
            half_strikes: 0,
            moves: 0,
            kitchen: None,
            token: FencingToken::default(),
            refused: FencingToken::default(),
            placed_at: at,
            leased_at: at,
            ended_at: None,
            position: self.position,
            last: self.position,
            items: accepted.items.clone(),
            hops: Vec::new(),
            next_cause: Cause::Dispatch,
            customer: accepted.customer.clone(),
            key: accepted.key.clone(),
            failure: None,
            stage_since: at,
            wasted_ms: 0,
            in_the_oven: false,
        });
    }

    fn leased(&mut self, id: OrderId, kitchen: KitchenNo, token: FencingToken, cause: Cause, at: WallTime) {
        self.leave_place(id);
        self.last_token = self.last_token.max(token);
        self.counts.leased += 1;
        self.kitchens[kitchen.index()].waiting.insert(id);
        let moved = match cause {
            Cause::Reassign { from, reason, pause_ms } => Some((from, reason, Some(pause_ms))),
            Cause::Handover { from, reason, saved_ms } => {
                self.counts.handovers += 1;
                self.counts.saved_ms += u64::from(saved_ms);
                Some((from, reason, None))
            }
            Cause::Dispatch | Cause::Recover { .. } | Cause::Retry | Cause::Release => None,
        };
        let pause_ms = moved.and_then(|(_, _, pause_ms)| pause_ms);
        if let Some((from, reason, pause_ms)) = moved {
            self.counts.moves_done += 1;
            let (kind, result) = (cause.kind(), MoveResult::Done);
            self.remember_move(Migration { at, order: id, from, to: kitchen, kind, reason, pause_ms, result });
        }
        if matches!(cause, Cause::Recover { .. }) {
            self.counts.recovered += 1;
        }
        let Some(order) = self.touch(id) else { return };
        order.state = OrderState::Leased;
        order.kitchen = Some(kitchen);
        order.token = token;
        order.attempt = order.attempt.saturating_add(1);
        order.leased_at = at;
        order.next_cause = Cause::Dispatch;
        if matches!(cause, Cause::Reassign { reason: MoveReason::Overload | MoveReason::IdleStation, .. }) {
            order.moves = order.moves.saturating_add(1);
        }
        if order.hops.len() < limits::HOPS_KEPT {
            // Most orders go one way: a vector of its own accord would make room for four.
            order.hops.reserve_exact(1);
            order.hops.push(Hop { kitchen, token, cause, at, pause_ms });
        }
    }

    fn schedule(&mut self, kitchen: KitchenNo, schedulable: Schedulable, drain: Option<DrainTerms>) {
        let kitchen = &mut self.kitchens[kitchen.index()];
        kitchen.schedulable = schedulable;
        kitchen.drain = drain;
    }

    fn handed_over(&mut self, id: OrderId, token: FencingToken, pause_ms: u32) {
        let newest = self.touch(id).and_then(|order| order.hops.last_mut());
        if let Some(hop) = newest.filter(|hop| hop.token == token) {
            hop.pause_ms = Some(pause_ms);
        }
        let newest = self.migrations.iter_mut().rev().find(|one| one.order == id);
        if let Some(newest) = newest.filter(|one| one.kind == HopKind::Handover) {
            newest.pause_ms = Some(pause_ms);
        }
    }

    /// Out of quarantine: open again, with a clean record.
    fn requeued(&mut self, id: OrderId) {
        let Some(order) = self.touch(id) else { return };
        if order.state != OrderState::DeadLettered {
            return;
        }
        order.half_strikes = 0;
        order.ended_at = None;
        order.next_cause = Cause::Release;
        self.wait_again(id);
        self.orders.mark_open(id);
        self.counts.dead_lettered -= 1;
        self.counts.requeued += 1;
    }

    fn started(&mut self, id: OrderId, stage: u8, at: WallTime) {
        let oven = self.is_in_the_oven(id, stage);
        let Some(order) = self.touch(id) else { return };
        if order.state != OrderState::Leased {
            return;
        }
        order.state = OrderState::Cooking;
        order.stage_since = at;
        order.in_the_oven = oven;
        let Some(number) = order.kitchen else { return };
        self.counts.leased -= 1;
        self.counts.cooking += 1;
        let kitchen = &mut self.kitchens[number.index()];
        kitchen.waiting.remove(&id);
        kitchen.cooking.insert(id);
        kitchen.in_the_oven += u32::from(oven);
    }

    fn stage_done(&mut self, id: OrderId, stage: u8, at: WallTime) {
        let after = self.is_in_the_oven(id, stage.saturating_add(1));
        let Some(order) = self.touch(id) else { return };
        order.stages_done = order.stages_done.max(stage.saturating_add(1)).min(order.stages);
        order.stage_since = at;
        if let (OrderState::Cooking, Some(number)) = (order.state, order.kitchen) {
            let before = std::mem::replace(&mut order.in_the_oven, after);
            let oven = &mut self.kitchens[number.index()].in_the_oven;
            *oven = (*oven + u32::from(after)).saturating_sub(u32::from(before));
        }
    }

    fn completed(&mut self, id: OrderId, cooked_ms: u32, at: WallTime) -> Option<Order> {
        let order = self.orders.get(id)?;
        if order.state == OrderState::Completed {
            self.counts.twice += 1;
            return None;
        }
        if let Some(number) = order.kitchen {
            let kitchen = &mut self.kitchens[number.index()];
            kitchen.completed += 1;
            kitchen.learn(cooked_ms);
        }
        let forgotten = self.end(id, OrderState::Completed, at);
        if let Some(order) = self.orders.get_mut(id) {
            order.stages_done = order.stages;
        }
        forgotten
    }

    fn attempt_failed(&mut self, id: OrderId, token: FencingToken, output: &str) {
        self.leave_place(id);
        let Some(order) = self.touch(id) else { return };
        order.half_strikes = order.half_strikes.saturating_add(2);
        order.failure = Some(output.into());
        // The same report repeated is no late result.
        order.refused = token;
        order.next_cause = Cause::Retry;
        let kitchen = order.kitchen;
        self.wait_again(id);
        if let Some(number) = kitchen {
            self.kitchens[number.index()].failed += 1;
        }
    }

    fn lease_lost(&mut self, id: OrderId, cause: LossCause, at: WallTime) {
        self.leave_place(id);
        let Some(order) = self.touch(id) else { return };
        let kitchen = order.kitchen;
        let mut wasted = 0;
        if order.state == OrderState::Cooking {
            order.half_strikes = order.half_strikes.saturating_add(if may_be_the_reason(cause) { 2 } else { 0 });
            // By the wall clock, as everything shown from the ledger: a step of it must not become a day of cooking.
            let cooked = at.ms_since(order.stage_since).min(limits::WASTED_MAX_MS);
            wasted = u32::try_from(cooked).unwrap_or(u32::MAX);
            order.wasted_ms = order.wasted_ms.saturating_add(wasted);
        } else if is_death(cause) {
            order.half_strikes = order.half_strikes.saturating_add(1);
        }
        if let Some(from) = kitchen {
            order.next_cause = Cause::Recover { from, cause };
        }
        self.wait_again(id);
        if let Some(number) = kitchen {
            self.counts.wasted_ms += u64::from(wasted);
            let kitchen = &mut self.kitchens[number.index()];
            kitchen.lost_leases += 1;
            kitchen.wasted_ms += u64::from(wasted);
        }
    }

    /// Puts an order that is nowhere back in the line.
    fn wait_again(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.state = OrderState::Queued;
        self.queue.insert((Reverse(order.priority), id));
    }

    fn end(&mut self, id: OrderId, how: OrderState, at: WallTime) -> Option<Order> {
        self.leave_place(id);
        let order = self.touch(id)?;
        if !order.state.is_open() {
            return None;
        }
        order.state = how;
        order.ended_at = Some(at);
        self.orders.mark_ended();
        match how {
            OrderState::Completed => self.counts.completed += 1,
            OrderState::Cancelled => self.counts.cancelled += 1,
            OrderState::DeadLettered => self.counts.dead_lettered += 1,
            OrderState::Queued | OrderState::Leased | OrderState::Cooking => {}
        }
        if how == OrderState::DeadLettered {
            return None; // it waits for a person, however many orders end meanwhile
        }
        self.closed.push_back(id);
        if self.closed.len() > limits::CLOSED_KEPT { self.forget_oldest() } else { None }
    }

    fn forget_oldest(&mut self) -> Option<Order> {
        let order = self.closed.pop_front().and_then(|id| self.orders.remove(id))?;
        // A key whose time was over may be a younger order's by now.
        if let Some(key) = &order.key
            && self.keys.get(key) == Some(&order.id)
        {
            self.keys.remove(key);
        }
        Some(order)
    }

    /// Takes an open order out of the line or the kitchen it is in, and out of the count of its state.
    fn leave_place(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let (state, priority, kitchen) = (order.state, order.priority, order.kitchen);
        let oven = std::mem::take(&mut order.in_the_oven);
        match (state, kitchen) {
            (OrderState::Queued, _) => {
                self.queue.remove(&(Reverse(priority), id));
            }
            (OrderState::Leased, Some(number)) => {
                self.counts.leased -= 1;
                self.kitchens[number.index()].waiting.remove(&id);
            }
            (OrderState::Cooking, Some(number)) => {
                self.counts.cooking -= 1;
                let kitchen = &mut self.kitchens[number.index()];
                kitchen.cooking.remove(&id);
                kitchen.in_the_oven = kitchen.in_the_oven.saturating_sub(u32::from(oven));
            }
            (OrderState::Leased | OrderState::Cooking, None) => {}
            (OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered, _) => {}
        }
    }

    /// Whether this stage of the order cannot be broken off, by the menu.
    #[must_use]
    pub fn is_in_the_oven(&self, id: OrderId, stage: u8) -> bool {
        let Some(order) = self.orders.get(id) else { return false };
        order.items.iter().any(|item| {
            let dish = self.city.menu.dish(item.dish);
            dish.and_then(|dish| dish.stages.get(usize::from(stage))).is_some_and(|stage| !stage.interruptible)
        })
    }

    fn touch(&mut self, id: OrderId) -> Option<&mut Order> {
        let position = self.position;
        let order = self.orders.get_mut(id)?;
        order.last = position;
        Some(order)
    }

    fn remember_move(&mut self, migration: Migration) {
        if self.migrations.len() == limits::MIGRATIONS_KEPT {
            self.migrations.pop_front();
        }
        self.migrations.push_back(migration);
    }
}

/// Whether an order that was being cooked may be why its kitchen lost it. Not if the kitchen lives and gave it back, or was
/// told to let it go: behind a slow disk or a cut link every order is lost so, and again in the next kitchen. In a kitchen
/// that hangs only the order that showed it may be the reason.
fn may_be_the_reason(cause: LossCause) -> bool {
    match cause {
        LossCause::LeaseExpired
        | LossCause::KitchenSilent
        | LossCause::AgentRestarted
        | LossCause::ProcessExited
        | LossCause::StageTimeout => true,
        LossCause::AgentLeft
        | LossCause::Returned
        | LossCause::Declined
        | LossCause::DrainDeadline
        | LossCause::KitchenStuck => false,
    }
}

/// The kitchen's process ended, or seems to have: an order that it was about to begin may have been the reason.
fn is_death(cause: LossCause) -> bool {
    match cause {
        LossCause::AgentRestarted | LossCause::KitchenSilent | LossCause::ProcessExited => true,
        LossCause::LeaseExpired
        | LossCause::AgentLeft
        | LossCause::Returned
        | LossCause::Declined
        | LossCause::DrainDeadline
        | LossCause::StageTimeout
        | LossCause::KitchenStuck => false,
    }
}
