//! The soft state in step with the ledger: what each event changes in it. Decides nothing.

use protocol::OrderId;

use crate::dispatch;
use crate::dispatcher::Core;
use crate::event::{Cause, Event, KitchenNo, LossCause};
use crate::input::Now;
use crate::outcomes::Outcome;
use crate::soft::Link;

impl Core {
    /// What an event changes in what is only known while this leader lives.
    pub(crate) fn follow(&mut self, now: Now, event: &Event) {
        match event {
            Event::Leased { order, kitchen, token, cause } => {
                self.soft.leases.give(now.mono, *order, token.counter);
                self.soft.stays.remove(order);
                self.soft.pauses.remove(order);
                self.left_the_line(*order);
                self.stealable(*order, now.mono);
                self.load_changed(*kitchen);
                self.given(*kitchen);
                self.probed(now, *kitchen);
                if let Cause::Reassign { from, .. } | Cause::Handover { from, .. } = cause {
                    self.soft.link_mut(*from).empty = false;
                    self.freed(*from);
                }
            }
            Event::Started { order, .. } => {
                self.not_stealable(*order);
                self.progressed(now, *order);
                self.stage_began(now, *order);
                if let Some(kitchen) = self.state.orders.get(*order).and_then(|order| order.kitchen) {
                    self.load_changed(kitchen);
                }
            }
            Event::StageDone { order, .. } => {
                self.progressed(now, *order);
                self.cooked_on(*order);
                self.stage_began(now, *order);
            }
            Event::Completed { order, cooked_ms, .. } => {
                self.progressed(now, *order);
                self.cooked_on(*order);
                self.learn_pace(*order, *cooked_ms);
                self.learn_outcome(now, *order, Outcome::Done);
                self.left_its_kitchen(*order);
            }
            Event::AttemptFailed { order, .. } => {
                self.progressed(now, *order);
                self.left_its_kitchen(*order);
                self.joined_the_line(*order);
                self.learn_outcome(now, *order, Outcome::Failed);
            }
            Event::LeaseLost { order, cause, .. } => {
                if leaves_doubt(*cause) {
                    self.unproven(now, *order);
                }
                self.left_its_kitchen(*order);
                self.joined_the_line(*order);
                if *cause == LossCause::LeaseExpired {
                    self.learn_outcome(now, *order, Outcome::Failed);
                }
            }
            Event::Cancelled { order, .. } => {
                self.unproven(now, *order);
                self.left_the_line(*order);
                self.left_its_kitchen(*order);
            }
            Event::DeadLettered { order, .. } => {
                self.left_the_line(*order);
                self.left_its_kitchen(*order);
            }
            Event::Requeued { order, .. } => self.joined_the_line(*order),
            Event::Accepted(accepted) => {
                self.soft.holds.joined((std::cmp::Reverse(accepted.priority), accepted.order));
            }
            Event::KitchenRegistered(registered) => {
                if registered.kitchen.index() == self.soft.links.len() {
                    self.soft.links.push(Link::default());
                }
                self.refresh(registered.kitchen);
                self.freed(registered.kitchen);
            }
            Event::KitchenLost { kitchen, cause, .. } => {
                self.remember_loss(now, *kitchen, *cause);
                self.refresh(*kitchen);
            }
            Event::KitchenReturned { kitchen }
            | Event::KitchenScheduling { kitchen, .. }
            | Event::DrainStarted { kitchen, .. }
            | Event::Drained { kitchen } => self.refresh(*kitchen),
            Event::CityChanged { .. } | Event::PolicyChanged { .. } | Event::PolicySet { .. } => {
                self.configure_routing()
            }
            Event::MoveFailed { .. }
            | Event::StaleRefused { .. }
            | Event::EpochStarted { .. }
            | Event::MoveOrdered { .. }
            | Event::HandedOver { .. }
            | Event::KeyWindowSet { .. }
            | Event::RushStarted { .. }
            | Event::RushEnded { .. } => {}
        }
    }

    fn left_its_kitchen(&mut self, id: OrderId) {
        self.soft.leases.end(id);
        self.soft.stays.remove(&id);
        self.soft.pauses.remove(&id);
        self.soft.stages.remove(id);
        self.not_stealable(id);
        if let Some(kitchen) = self.state.orders.get(id).and_then(|order| order.kitchen) {
            self.soft.link_mut(kitchen).empty = false;
            self.freed(kitchen);
        }
    }

    /// The order may go to a kitchen again.
    fn joined_the_line(&mut self, id: OrderId) {
        if let Some(order) = self.state.orders.get(id) {
            self.soft.holds.joined(dispatch::place(order));
        }
    }

    fn left_the_line(&mut self, id: OrderId) {
        if let Some(order) = self.state.orders.get(id) {
            self.soft.holds.left(dispatch::place(order));
        }
    }

    /// The kitchen was given an order.
    fn given(&mut self, number: KitchenNo) {
        let first = self.state.kitchen(number).waiting.len() == 1;
        let link = self.soft.link_mut(number);
        link.empty = false;
        if first {
            link.unstarted_since = None;
        }
    }

    /// The order ended without its agent's word, so the agent may hold it until its fence.
    fn unproven(&mut self, now: Now, id: OrderId) {
        let until = now.mono + self.lease_time();
        if let Some(kitchen) = self.state.orders.get(id).and_then(|order| order.kitchen) {
            self.soft.link_mut(kitchen).unproven_until = until;
        }
    }

    fn freed(&mut self, kitchen: KitchenNo) {
        self.load_changed(kitchen);
        self.soft.freed.insert(kitchen);
    }
}

/// Whether the agent may still hold an order that was lost in this way.
fn leaves_doubt(cause: LossCause) -> bool {
    match cause {
        LossCause::LeaseExpired | LossCause::DrainDeadline | LossCause::StageTimeout | LossCause::KitchenStuck => true,
        LossCause::KitchenSilent
        | LossCause::AgentRestarted
        | LossCause::AgentLeft
        | LossCause::Returned
        | LossCause::Declined
        | LossCause::ProcessExited => false,
    }
}
