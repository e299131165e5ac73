//! Dispatch: which waiting order goes next, and the lease that it gets. The kitchen is chosen by [`crate::routing`].
//!
//! An order whose attempt went wrong in a kitchen that lives (it failed, hung, was turned away or forgotten there) waits
//! for a moment that grows with each strike, and then goes to another kitchen first. It goes back only when nobody else
//! could ever take it, or nobody did for [`limits::ELSEWHERE_FIRST`]. Which kitchens those are follows from the ledger, so
//! a new leader knows them too; how long the order has looked for another does not, and begins anew.

use std::cmp::Reverse;
use std::time::Duration;

use protocol::link::{BalancerMessage, Cook, LeaseName};
use protocol::{FencingToken, OrderId, OrderState, Priority};

use crate::dispatcher::{Core, Guard, decision_slot};
use crate::effect::Effect;
use crate::event::{Cause, Event, KitchenNo, LossCause};
use crate::holds::Place;
use crate::input::Now;
use crate::limits;
use crate::state::Order;

/// Where an order may go now.
enum Choice {
    To(KitchenNo),
    /// Not now: another kitchen may have room in a moment.
    Later,
    /// No kitchen has room for anybody.
    Nowhere,
}

impl Core {
    /// Gives waiting orders to free places: high priority and who has waited its share before the others, the oldest first.
    pub(crate) fn dispatch_waiting(&mut self, now: Now) {
        while self.soft.leads && !self.is_disk_stalled() && self.soft.routing.open_places() > 0 {
            let (share, orders) = (self.aged_after(), &self.state.orders);
            let is_aged = |id| orders.get(id).is_some_and(|order| age(now, order) >= share);
            let Some(first) = self.soft.holds.next(&self.state.queue, is_aged) else { return };
            let id = first.1;
            let Some(order) = self.state.orders.get(id) else { return };
            if self.without(Guard::Reassignment) && order.attempt > 0 {
                return;
            }
            let cause = order.next_cause;
            let avoid = if self.without(Guard::Elsewhere) { Vec::new() } else { went_wrong_in(order) };
            let kitchen = match self.choose(now, id, &avoid) {
                Choice::To(kitchen) => kitchen,
                Choice::Later => {
                    self.soft.holds.hold(first, now.mono + limits::ELSEWHERE_AGAIN);
                    continue;
                }
                Choice::Nowhere => return,
            };
            self.lease(now, id, kitchen, cause, &avoid);
            // Only a ledger that contradicts itself leaves it there: better a standing line than a leader that spins.
            if self.state.queue.contains(&first) {
                return;
            }
        }
    }

    /// After so many milliseconds a normal order ranks with high ones: half of what it may wait.
    fn aged_after(&self) -> u64 {
        match self.max_wait_ms() {
            _ if self.without(Guard::Ageing) => u64::MAX,
            0 => u64::try_from(limits::AGED_AFTER.as_millis()).unwrap_or(u64::MAX),
            max_wait_ms => max_wait_ms / 2,
        }
    }

    fn choose(&mut self, now: Now, id: OrderId, avoid: &[KitchenNo]) -> Choice {
        let Some(order) = self.state.orders.get(id) else { return Choice::Nowhere };
        let priority = order.priority;
        if avoid.is_empty() {
            let chosen = self.soft.routing.choose(&order.items, order.zone, &mut self.soft.random);
            return self.probe_for(priority).or(chosen).map_or(Choice::Nowhere, Choice::To);
        }
        if let Some(other) = self.soft.routing.choose_other(&order.items, order.zone, avoid) {
            return Choice::To(other);
        }
        let patient = now.mono < self.soft.holds.elsewhere_until(id, now.mono, limits::ELSEWHERE_FIRST);
        if patient && self.soft.routing.is_another(avoid) {
            return Choice::Later;
        }
        let anywhere = self.soft.routing.choose(&order.items, order.zone, &mut self.soft.random);
        anywhere.map_or(Choice::Nowhere, Choice::To)
    }

    /// Keeps an order back whose attempt failed: twice as long after each strike, and never two orders equally long.
    pub(crate) fn back_off(&mut self, now: Now, id: OrderId) {
        let Some(order) = self.state.orders.get(id).filter(|order| order.state == OrderState::Queued) else { return };
        let place = place(order);
        let doublings = order.strikes().saturating_sub(1).min(limits::BACK_OFF_DOUBLINGS);
        let longest = limits::BACK_OFF * (1 << doublings);
        let wait = longest.mul_f64(0.5 + self.soft.random.unit() / 2.0);
        self.soft.holds.hold(place, now.mono + wait);
    }

    /// Keeps an order back that was taken from a kitchen which may still be at it, until its fence has come there.
    pub(crate) fn wait_for_the_fence(&mut self, now: Duration, id: OrderId) {
        let Some(order) = self.state.orders.get(id).filter(|order| order.state == OrderState::Queued) else { return };
        self.soft.holds.hold(place(order), now + self.lease_time());
    }

    /// Gives a kitchen the right to cook an order, and tells it.
    pub(crate) fn lease(&mut self, now: Now, id: OrderId, kitchen: KitchenNo, cause: Cause, avoided: &[KitchenNo]) {
        let Some(order) = self.state.orders.get(id) else { return };
        let weights = self.state.policy.as_ref().map(|policy| policy.weights).unwrap_or_default();
        let slot = &mut self.soft.decisions[decision_slot(id)];
        self.soft.routing.explain(slot, (id, kitchen, now.wall), weights, (&order.items, order.zone), avoided);
        let token = FencingToken { epoch: self.state.epoch, counter: self.state.last_token.counter + 1 };
        self.emit(now, Event::Leased { order: id, kitchen, token, cause });
        self.tell_cook(now, id, kitchen);
    }

    pub(crate) fn tell_cook(&mut self, now: Now, id: OrderId, kitchen: KitchenNo) {
        let link = self.soft.link(kitchen);
        let (Some(connection), Some(order)) = (link.connection, self.state.orders.get(id)) else { return };
        let ages_in_ms = match order.priority {
            Priority::High => 0,
            Priority::Normal => self.aged_after().saturating_sub(age(now, order)),
        };
        let cook = Cook {
            lease: LeaseName { order: id, token: order.token },
            attempt: order.attempt,
            from_stage: if self.without(Guard::Checkpoint) { 0 } else { order.stages_done },
            priority: order.priority,
            ages_in_ms: u32::try_from(ages_in_ms).unwrap_or(u32::MAX),
            items: order.items.clone(),
        };
        self.effects.push(Effect::Tell(connection, BalancerMessage::Cook { seen: link.seq, cook }));
    }
}

/// For how long the order has been accepted, in milliseconds.
fn age(now: Now, order: &Order) -> u64 {
    now.wall.ms_since(order.placed_at)
}

/// The order's place in the line.
pub(crate) fn place(order: &Order) -> Place {
    (Reverse(order.priority), order.id)
}

/// Living kitchens in which an attempt of this order went wrong: the last one, and those of earlier attempts that failed.
/// None for most orders, and then nothing is allocated.
fn went_wrong_in(order: &Order) -> Vec<KitchenNo> {
    let mut kitchens = Vec::new();
    if !went_wrong(order.next_cause) {
        return kitchens;
    }
    kitchens.extend(order.kitchen);
    let later = order.hops.iter().skip(1);
    // The failure that set it aside is one as well: the hop after it is its release.
    let failed = order.hops.iter().zip(later).filter(|(_, next)| matches!(next.cause, Cause::Retry | Cause::Release));
    kitchens.extend(failed.map(|(hop, _)| hop.kitchen));
    kitchens
}

/// Whether the attempt before ended by a fault of its kitchen, which is here all the same.
fn went_wrong(next: Cause) -> bool {
    match next {
        Cause::Retry => true,
        Cause::Recover { cause, .. } => match cause {
            LossCause::LeaseExpired | LossCause::Declined | LossCause::StageTimeout | LossCause::KitchenStuck => true,
            LossCause::KitchenSilent
            | LossCause::AgentRestarted
            | LossCause::AgentLeft
            | LossCause::Returned
            | LossCause::DrainDeadline
            | LossCause::ProcessExited => false,
        },
        Cause::Dispatch | Cause::Reassign { .. } | Cause::Handover { .. } | Cause::Release => false,
    }
}
