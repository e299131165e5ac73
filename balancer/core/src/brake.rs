//! Doubt about ourselves: when most kitchens fall silent at once, or this process stood still, the silence may be ours.
//!
//! - **Mass suspicion**: more than half of at least [`limits::BRAKE_KITCHENS`] living kitchens silent within one lease
//!   puts the brake on: then only a tenth of them (at least one) is given up in each lease time, until most are heard
//!   again or none is left to wait for. It is shown all the while.
//! - **Own lag**: called much later than planned (stopped, suspended, starved), what agents said in the gap has not been
//!   read. Every lease counts as renewed and every living kitchen as heard, as after a takeover.
//!
//! Giving an order up later is always safe: its kitchen stops by its own fence. Giving it up earlier never is.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::WallTime;

use crate::dispatcher::Core;
use crate::event::KitchenNo;
use crate::input::Now;
use crate::limits;

/// The brake is on: so many kitchens are silent that it may be this balancer that hears nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// Since when.
    pub since: WallTime,
    /// Silent now, or given up since.
    pub silent: u32,
    /// Of so many.
    pub of: u32,
}

/// What the brake remembers.
#[derive(Debug, Default)]
pub(crate) struct BrakeState {
    on: Option<Brake>,
    /// When the kitchens were counted last: once for each moment, however many are given up in it.
    counted: Option<Duration>,
    /// Given up for silence within the last lease; while the brake is on, since it came on.
    given_up: VecDeque<(Duration, KitchenNo)>,
    /// How many may still be given up before `window`, which begins when the first one would have been.
    budget: u32,
    window: Option<Duration>,
}

impl BrakeState {
    pub(crate) fn is_on(&self) -> bool {
        self.on.is_some()
    }
}

impl Core {
    /// Whether most kitchens are silent at once, and how many.
    #[must_use]
    pub fn brake(&self) -> Option<Brake> {
        self.soft.brake.on
    }

    /// Whether a kitchen that is silent for a lease may be given up now; counts it if so.
    pub(crate) fn may_give_up(&mut self, now: Now, number: KitchenNo) -> bool {
        self.look_at_brake(now);
        let lease = self.lease_time();
        let brake = &mut self.soft.brake;
        if let Some(on) = brake.on {
            let window = *brake.window.get_or_insert(now.mono + lease);
            if now.mono >= window {
                brake.window = Some(now.mono + lease);
                brake.budget = (on.of / limits::BRAKE_SHARE).max(1);
            }
            if brake.budget == 0 {
                return false;
            }
            brake.budget -= 1;
        }
        brake.given_up.retain(|(_, known)| *known != number);
        brake.given_up.push_back((now.mono, number));
        true
    }

    /// The silence of this kitchen may be ours, so its leases wait.
    pub(crate) fn is_braked(&self, now: Now, number: KitchenNo) -> bool {
        self.soft.brake.on.is_some() && self.is_silent(now, number)
    }

    /// Puts the brake on or takes it off; at every tick, and before any kitchen is given up.
    pub(crate) fn look_at_brake(&mut self, now: Now) {
        if self.soft.brake.counted == Some(now.mono) {
            return;
        }
        self.soft.brake.counted = Some(now.mono);
        let lease = self.lease_time();
        if self.soft.brake.on.is_none() {
            self.soft.brake.given_up.retain(|(at, _)| now.mono < *at + lease);
        }
        let (mut living, mut silent) = (0_u32, 0_u32);
        for number in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            if self.state.kitchen(number).alive {
                living += 1;
                silent += u32::from(self.is_silent(now, number));
            }
        }
        let gone = self.soft.brake.given_up.iter().filter(|(_, number)| !self.state.kitchen(*number).alive).count();
        let gone = u32::try_from(gone).unwrap_or(u32::MAX);
        let (all_silent, of) = (silent + gone, living + gone);
        let most = silent > 0 && of >= limits::BRAKE_KITCHENS && all_silent * 2 > of;
        let brake = &mut self.soft.brake;
        let since = brake.on.map_or(now.wall, |on| on.since);
        let was_on = brake.is_on();
        if !was_on {
            (brake.budget, brake.window) = (0, None);
        }
        brake.on = most.then_some(Brake { since, silent: all_silent, of });
        if was_on && !most {
            self.wait_for_the_rest(now);
        }
    }

    /// Most are heard again: the frames of the others may be the next to be read. Too short a wait for a kitchen that comes
    /// and goes to keep the dead alive.
    fn wait_for_the_rest(&mut self, now: Now) {
        let heard = (now.mono + self.heartbeat_time() * 2).saturating_sub(self.lease_time());
        for (kitchen, link) in self.state.kitchens.iter().zip(&mut self.soft.links) {
            if kitchen.alive {
                link.heard = link.heard.max(Some(heard));
            }
        }
    }

    /// Silent for longer than two heartbeats can be late.
    fn is_silent(&self, now: Now, number: KitchenNo) -> bool {
        let suspect = self.heartbeat_time().mul_f64(limits::SUSPECT_HEARTBEATS);
        self.soft.link(number).heard.is_none_or(|heard| now.mono >= heard + suspect)
    }

    /// Notices that this process stood still, by the time at which it had to be called at the latest.
    pub(crate) fn notice_own_lag(&mut self, now: Now) {
        let Some(planned) = self.soft.planned.filter(|_| self.soft.leads) else { return };
        if now.mono > planned + self.heartbeat_time() * limits::LAG_HEARTBEATS {
            self.soft.stages.excuse(now.mono - planned);
            self.forgive_silence(now);
        }
    }

    /// Every lease counts as renewed, and every living kitchen as heard: what was said in the meantime was not read, or
    /// could not be acted on.
    pub(crate) fn forgive_silence(&mut self, now: Now) {
        self.soft.leases.renew_all(now.mono);
        for (kitchen, link) in self.state.kitchens.iter().zip(&mut self.soft.links) {
            if kitchen.alive {
                link.heard = Some(now.mono);
                link.pace.touch(now.mono);
            }
        }
        for one in self.soft.moves.values_mut() {
            one.until = one.until.max(now.mono + limits::RELEASE_TIMEOUT);
        }
        // An open stream of orders does not make up for a time in which nobody was here.
        if let Some(next) = &mut self.soft.rush_next {
            *next = (*next).max(now.mono);
        }
    }

    pub(crate) fn lease_time(&self) -> Duration {
        Duration::from_millis(u64::from(self.soft.timing.lease_ms))
    }

    pub(crate) fn heartbeat_time(&self) -> Duration {
        Duration::from_millis(u64::from(self.soft.timing.heartbeat_ms))
    }
}
