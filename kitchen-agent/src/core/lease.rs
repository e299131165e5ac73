//! Leases in hand: taking an order, giving it back, stopping it, and the fence that ends it without a word.
//!
//! Owns which orders are held and until when. Never starts a stage; never judges whether a finished order still counts:
//! the balancer does, by the token.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::time::Duration;

use protocol::city::Stage;
use protocol::link::{AgentMessage, Cook, DeclineReason, KeepReason, LeaseName, places};
use protocol::{OrderId, Priority};

use super::beat::millis;
use super::outbox::Trail;
use super::{Agent, Effect, UNSETTLED_MAX};

/// Leases given back on one connection that are remembered: far more than one kitchen holds.
const GIVEN_BACK_MAX: usize = 16_384;

/// An order that is held and not finished.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) cook: Cook,
    pub(super) plan: Vec<Stage>,
    /// The first stage that is not done.
    pub(super) stage: u8,
    /// From this moment on it must not be cooked here.
    pub(super) fence: Duration,
    pub(super) place: Place,
    /// From this moment on it ranks with high priority.
    pub(super) aged: Duration,
    pub(super) started: Option<Duration>,
    pub(super) stage_began: Duration,
    /// The end of the running stage, if its time is simulated; the moment from which a command takes too long.
    pub(super) due: Option<Duration>,
    pub(super) trail: Trail,
}

/// Where in this kitchen an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In `waiting`.
    InLine,
    /// In `ahead`: the next free station is its own.
    Ahead,
    /// Being cooked.
    Station,
    /// Being cooked until the next checkpoint, where it is paused; at this time its stage is broken off.
    Leaving(Duration),
    /// Not being cooked, for a handover; at this time it goes on here.
    Paused(Duration),
}

impl Place {
    pub(super) fn is_station(self) -> bool {
        match self {
            Self::Station | Self::Leaving(_) => true,
            Self::InLine | Self::Ahead | Self::Paused(_) => false,
        }
    }
}

/// How an offered order stands to what the agent has of the same order.
enum Known {
    Nothing,
    Same,
    Newer,
    Older,
}

impl Agent {
    pub(super) fn cook(&mut self, now: Duration, seen: u64, cook: Cook) {
        let lease = cook.lease;
        match self.known(lease) {
            Known::Nothing => {}
            Known::Same => return,
            Known::Newer => {
                self.stop(lease.order);
                self.reports.remove(&lease.order);
            }
            Known::Older => {
                self.counters.outdated += 1;
                return;
            }
        }
        if self.given_back.get(&lease.order) == Some(&lease.token) {
            return self.decline(lease, DeclineReason::Late);
        }
        let until = self.beats.sent_at(seen).map(|at| at + self.fence()).filter(|&until| until > now);
        let Some(fence) = until else { return self.decline(lease, DeclineReason::Late) };
        if self.closing.is_some() {
            return self.decline(lease, DeclineReason::Closing);
        }
        let reserved = self.take_reservation(now, lease.order);
        if !reserved && !self.has_place(now) || self.reports.len() >= UNSETTLED_MAX {
            return self.decline(lease, DeclineReason::Full);
        }
        self.hold(now, fence, cook, if reserved { Place::Ahead } else { Place::InLine });
    }

    /// Whether one more order fits beside those that are held and those that a place is kept for.
    pub(super) fn has_place(&mut self, now: Duration) -> bool {
        self.held.len() + self.count_reserved(now) < places(self.config.capacity, self.config.stations) as usize
    }

    fn known(&self, lease: LeaseName) -> Known {
        let held = self.held.get(&lease.order).map(|held| held.cook.lease.token);
        let Some(token) = held.or_else(|| self.reports.get(&lease.order).map(|report| report.token)) else {
            return Known::Nothing;
        };
        match lease.token.cmp(&token) {
            std::cmp::Ordering::Equal => Known::Same,
            std::cmp::Ordering::Greater => Known::Newer,
            std::cmp::Ordering::Less => Known::Older,
        }
    }

    /// Says that an order is no longer held. It must stay true: the same lease is not taken again, should the balancer have
    /// told of it anew meanwhile.
    pub(super) fn give_back(&mut self, lease: LeaseName, why: DeclineReason) {
        if self.given_back.len() >= GIVEN_BACK_MAX {
            self.given_back.pop_first();
        }
        self.given_back.insert(lease.order, lease.token);
        self.send(AgentMessage::Declined { lease, why });
    }

    fn decline(&mut self, lease: LeaseName, why: DeclineReason) {
        self.counters.declined += 1;
        self.send(AgentMessage::Declined { lease, why });
    }

    fn hold(&mut self, now: Duration, fence: Duration, cook: Cook, place: Place) {
        // Without a city nothing was welcomed, so nothing can be asked; an empty plan would count as cooked.
        let Some(city) = &self.city else { return };
        let order = cook.lease.order;
        let plan = protocol::link::stages(city, &cook.items);
        self.fences.insert((fence, order));
        let (priority, stage, trail) = (cook.priority, cook.from_stage, Trail::default());
        let aged = now + millis(cook.ages_in_ms);
        let held = Held { cook, plan, stage, fence, place, aged, started: None, stage_began: now, due: None, trail };
        self.held.insert(order, held);
        self.enter(order, priority, place);
    }

    /// Moves a held order to another place and keeps the indexes in step.
    pub(super) fn place(&mut self, order: OrderId, place: Place) {
        let Some(held) = self.held.get_mut(&order) else { return };
        let (before, priority) = (std::mem::replace(&mut held.place, place), held.cook.priority);
        self.leave(order, priority, before);
        self.enter(order, priority, place);
    }

    fn enter(&mut self, order: OrderId, priority: Priority, place: Place) {
        self.cooking += u32::from(place.is_station());
        match place {
            Place::InLine => _ = self.waiting.insert((Reverse(priority), order)),
            Place::Ahead => _ = self.ahead.insert(order),
            Place::Station => {}
            Place::Leaving(at) | Place::Paused(at) => _ = self.leaving.insert((at, order)),
        }
    }

    fn leave(&mut self, order: OrderId, priority: Priority, place: Place) {
        self.cooking -= u32::from(place.is_station());
        match place {
            Place::InLine => _ = self.waiting.remove(&(Reverse(priority), order)),
            Place::Ahead => _ = self.ahead.remove(&order),
            Place::Station => {}
            Place::Leaving(at) | Place::Paused(at) => _ = self.leaving.remove(&(at, order)),
        }
    }

    /// Gives back what is not started; compare-and-set on token and not started.
    pub(super) fn release(&mut self, lease: LeaseName) {
        let held = self.held.get(&lease.order).filter(|held| held.cook.lease == lease);
        let why = match held {
            Some(held) if held.started.is_none() => {
                self.stop(lease.order);
                return self.send(AgentMessage::Released { lease });
            }
            Some(_) => KeepReason::Started,
            None if self.has_report(lease) => KeepReason::Finished,
            None => KeepReason::Unknown,
        };
        self.send(AgentMessage::ReleaseRefused { lease, why });
    }

    /// Stops and forgets whatever has this token, finished or not; tells nobody.
    pub(super) fn stop_and_forget(&mut self, lease: LeaseName) {
        self.stop_lost(lease);
        if self.has_report(lease) {
            self.reports.remove(&lease.order);
        }
    }

    /// Stops and drops the unfinished order with this token.
    pub(super) fn stop_lost(&mut self, lease: LeaseName) {
        if self.held.get(&lease.order).is_some_and(|held| held.cook.lease == lease) {
            self.stop(lease.order);
        }
    }

    pub(super) fn move_fence(&mut self, lease: LeaseName, until: Duration) {
        let Some(held) = self.held.get_mut(&lease.order).filter(|held| held.cook.lease == lease) else { return };
        if until > held.fence {
            self.fences.remove(&(held.fence, lease.order));
            self.fences.insert((until, lease.order));
            held.fence = until;
        }
    }

    /// Drops everything past its fence. The balancer is not told: it sees that nobody names the lease any more.
    ///
    /// Simulated food cooks by the clock: what was done before the fence is done, also if this process was stopped then
    /// and looks only now. Such a late result is reported, and the balancer refuses it if the order went elsewhere.
    pub(super) fn fence_overdue(&mut self, now: Duration) {
        while let Some(&(at, order)) = self.fences.first()
            && at <= now
        {
            self.end_due_stages(at.saturating_sub(Duration::from_nanos(1)));
            if self.fences.remove(&(at, order)) {
                self.counters.fenced += 1;
                let lease = self.held.get(&order).map(|held| held.cook.lease);
                self.stop(order);
                // Where only the way to this kitchen is cut, its orders need not wait for their leases to run out.
                if let Some(lease) = lease.filter(|_| self.connected()) {
                    self.give_back(lease, DeclineReason::Late);
                }
            }
        }
    }

    /// Takes the order out and ends its stage, if one runs.
    pub(super) fn stop(&mut self, order: OrderId) {
        let Some(held) = self.take_out(order) else { return };
        if held.place.is_station() && self.config.cooking.is_commands() {
            self.outbox.push(Effect::KillStage { lease: held.cook.lease });
        }
    }

    /// Removes the order from every index it is in.
    pub(super) fn take_out(&mut self, order: OrderId) -> Option<Held> {
        let Entry::Occupied(entry) = self.held.entry(order) else { return None };
        let held = entry.remove();
        self.fences.remove(&(held.fence, order));
        self.leave(order, held.cook.priority, held.place);
        if let Some(due) = held.due {
            self.due.remove(&(due, order));
        }
        Some(held)
    }
}
