//! The failure detector: silence becomes suspicion, and a lease's length of silence becomes death.
//!
//! Suspicion is shown, and keeps new orders away; it never takes an order away. Only what is over ends: a lease, or the
//! time in which a kitchen could still have one. A broken connection alone is a suspicion, not a death.

use std::time::Duration;

use protocol::api::Health;

use crate::dispatcher::Core;
use crate::event::{Event, KitchenNo, LossCause};
use crate::grey::Trouble;
use crate::input::Now;
use crate::limits;

/// What the signs of life of one kitchen say, with their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs {
    /// The verdict.
    pub health: Health,
    /// Since the last sign under this leader.
    pub silent: Option<Duration>,
    /// Until its leases are over if the silence goes on.
    pub lease_left: Option<Duration>,
    /// Whether it is connected.
    pub connected: bool,
}

/// Why a kitchen that is alive gets fewer orders than it has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Far slower than the others, or with no progress: nothing new but a probe now and then.
    Slow {
        /// How many times slower than usual, in tenths.
        tenths: u32,
    },
    /// It holds orders and cooks none: one order at a time until one comes on.
    Stuck,
    /// Most of its attempts fail: nothing new but a probe now and then.
    Ejected {
        /// Of its last attempts.
        failed: u32,
        /// How many those are.
        of: u32,
    },
    /// It keeps falling: nothing new until it has been steady for a while.
    HeldDown {
        /// For how long still.
        left: Duration,
    },
    /// It was lost and is back: its places grow.
    WarmingUp {
        /// How much of them it may fill.
        percent: u32,
    },
}

impl Core {
    /// What is to be said about a living kitchen, beyond its health.
    #[must_use]
    pub fn note(&self, now: Duration, number: KitchenNo) -> Option<Note> {
        let link = self.soft.links.get(number.index()).filter(|_| self.state.kitchen(number).alive)?;
        let held = link.steadiness.held_until().map(|until| Note::HeldDown { left: until.saturating_sub(now) });
        let trouble = link.pace.trouble().map(|trouble| match trouble {
            Trouble::Slow => Note::Slow { tenths: link.pace.tenths() },
            Trouble::Stuck => Note::Stuck,
            Trouble::Failing => {
                let (failed, of) = link.outcomes.counts();
                Note::Ejected { failed, of }
            }
        });
        let warming = link.steadiness.percent().map(|percent| Note::WarmingUp { percent });
        held.or(trouble).or(warming)
    }

    /// The signs of life of a kitchen.
    #[must_use]
    pub fn signs(&self, now: Duration, number: KitchenNo) -> Signs {
        let lease = self.lease_time();
        let alive = self.state.kitchen(number).alive;
        let Some(link) = self.soft.links.get(number.index()) else {
            let health = if alive { Health::Suspected } else { Health::Dead };
            return Signs { health, silent: None, lease_left: None, connected: false };
        };
        let silent = link.heard.map(|heard| now.saturating_sub(heard));
        let health = match (alive, link.suspected) {
            (false, _) => Health::Dead,
            (true, true) => Health::Suspected,
            (true, false) => Health::Alive,
        };
        let lease_left = silent.filter(|_| alive).map(|silent| lease.saturating_sub(silent));
        Signs { health, silent, lease_left, connected: link.connection.is_some() }
    }

    /// Looks at every living kitchen's silence.
    pub(crate) fn watch_kitchens(&mut self, now: Now) {
        self.look_at_brake(now);
        let suspect = self.heartbeat_time().mul_f64(limits::SUSPECT_HEARTBEATS);
        for number in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            if !self.state.kitchen(number).alive || self.lost_if_silent(now, number) {
                continue;
            }
            let link = self.soft.link_mut(number);
            if !link.suspected && link.heard.is_none_or(|heard| now.mono >= heard + suspect) {
                link.suspected = true;
                self.refresh(number);
            }
        }
    }

    /// A living kitchen that has been silent for a lease is lost, with everything it held.
    pub(crate) fn lost_if_silent(&mut self, now: Now, number: KitchenNo) -> bool {
        let lease = self.lease_time();
        let alive = self.state.kitchen(number).alive;
        let link = self.soft.link_mut(number);
        let silent = now.mono.saturating_sub(*link.heard.get_or_insert(now.mono));
        let lost = alive && silent >= lease && self.may_give_up(now, number);
        if lost {
            self.lost(now, number, silent);
        }
        lost
    }

    /// A sign of life on the kitchen's connection.
    pub(crate) fn heard(&mut self, now: Now, number: KitchenNo) {
        let alive = self.state.kitchen(number).alive;
        let stalled = self.is_disk_stalled();
        let link = self.soft.link_mut(number);
        link.heard = Some(now.mono);
        // That it is back is an event: it is said again with the next heartbeat, once something can become durable.
        if alive && !link.suspected || !alive && stalled {
            return;
        }
        if link.suspected {
            link.pace.touch(now.mono);
        }
        link.suspected = false;
        self.returned(now, number);
        self.refresh(number);
    }

    fn lost(&mut self, now: Now, number: KitchenNo, silent: Duration) {
        let silent_ms = u32::try_from(silent.as_millis()).unwrap_or(u32::MAX);
        self.soft.link_mut(number).suspected = true;
        self.emit(now, Event::KitchenLost { kitchen: number, cause: LossCause::KitchenSilent, silent_ms });
        self.lose_all(now, number, LossCause::KitchenSilent);
    }
}
