//! The source's side of a handover: pausing an order at a checkpoint so that another kitchen can go on with it.
//!
//! Owns when an order leaves its station for a handover and when it comes back. Never gives the order away: it stays held,
//! is named in heartbeats and keeps its fence, until `Stop` says that another kitchen has it.
//!
//! A paused order may go on here without a word from the balancer, because the balancer may be gone. Nobody else can have
//! it by then: the heartbeat that moved its fence last was sent before the pause (an answer to a later one would say that
//! the lease is lost), so if the order went elsewhere its fence comes a fence after the pause at the latest, and the pause
//! lasts no shorter than that. The pause is counted from when it is told, also when it was caught up on late.

use std::time::Duration;

use protocol::OrderId;
use protocol::link::{AgentMessage, LeaseName, PAUSE_MAX_MS, StayReason};

use super::beat::millis;
use super::lease::{Held, Place};
use super::{Agent, Effect};

impl Agent {
    /// Pauses the order at its next checkpoint, at most so much later; or says why not.
    pub(super) fn hand_over(&mut self, now: Duration, lease: LeaseName, max_wait_ms: u32) {
        let held = self.held.get(&lease.order).filter(|held| held.cook.lease == lease);
        let stays = match held {
            Some(held) => stays(held),
            None if self.has_report(lease) => Some(StayReason::Finished),
            None => Some(StayReason::Unknown),
        };
        if let Some(why) = stays {
            return self.send(AgentMessage::HandoverRefused { lease, why });
        }
        match held.map(|held| held.place) {
            Some(Place::Station) => self.place(lease.order, Place::Leaving(now + millis(max_wait_ms))),
            // At a checkpoint already: after another balancer asked, or back in line for a station.
            Some(Place::Paused(_) | Place::Ahead) => self.pause(lease.order),
            Some(Place::Leaving(_) | Place::InLine) | None => {}
        }
    }

    /// Takes the order off its station and tells how far it is.
    pub(super) fn pause(&mut self, order: OrderId) {
        let until = self.now + millis(PAUSE_MAX_MS).max(self.fence());
        self.place(order, Place::Paused(until));
        let Some(held) = self.held.get(&order) else { return };
        let (lease, stages_done) = (held.cook.lease, held.stage);
        self.send(AgentMessage::Paused { lease, stages_done });
    }

    /// The handover does not happen.
    pub(super) fn resume(&mut self, lease: LeaseName) {
        let Some(held) = self.held.get(&lease.order).filter(|held| held.cook.lease == lease) else { return };
        match held.place {
            Place::Leaving(_) => self.place(lease.order, Place::Station),
            Place::Paused(_) => self.place(lease.order, Place::Ahead),
            Place::InLine | Place::Ahead | Place::Station => {}
        }
    }

    /// Breaks off what has been waited for long enough, and goes on with what has been paused long enough.
    pub(super) fn end_waits(&mut self, now: Duration) {
        while let Some(&(at, order)) = self.leaving.first()
            && at <= now
        {
            match self.held.get(&order).map(|held| held.place) {
                Some(Place::Leaving(_)) => self.break_off(order),
                Some(Place::Paused(_)) => self.place(order, Place::Ahead),
                Some(Place::InLine | Place::Ahead | Place::Station) | None => _ = self.leaving.pop_first(),
            }
        }
    }

    /// Ends the running stage without a result; what counts is the last one that is done.
    fn break_off(&mut self, order: OrderId) {
        let Some(lease) = self.held.get(&order).map(|held| held.cook.lease) else { return };
        self.no_longer_due(order);
        if self.config.cooking.is_commands() {
            self.outbox.push(Effect::KillStage { lease });
        }
        self.pause(order);
    }

    /// Nobody waits for a pause any more.
    pub(super) fn stay_on_stations(&mut self) {
        let leaving = |held: &&Held| matches!(held.place, Place::Leaving(_));
        let orders: Vec<OrderId> = self.held.values().filter(leaving).map(|held| held.cook.lease.order).collect();
        orders.into_iter().for_each(|order| self.place(order, Place::Station));
    }
}

/// Why an order finishes here.
fn stays(held: &Held) -> Option<StayReason> {
    if held.started.is_none() {
        return Some(StayReason::NotStarted);
    }
    if usize::from(held.stage) + 1 >= held.plan.len() {
        return Some(StayReason::NearlyDone);
    }
    let oven = held.plan.get(usize::from(held.stage)).is_some_and(|stage| !stage.interruptible);
    (oven && held.place.is_station()).then_some(StayReason::InTheOven)
}
