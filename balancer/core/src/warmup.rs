//! Kitchens that were lost and are back: a slow start, and a hold-down for one that keeps falling.
//!
//! - **Slow start**: its free places grow from a tenth to all of them over [`limits::WARM_UP`], so that a kitchen that
//!   falls again takes few orders with it, and the others are not robbed of all their waiting ones at once.
//! - **Hold-down**: lost [`limits::FLAPS`] times within [`limits::FLAP_WINDOW`], it gets nothing new until it has been
//!   steady for a time that doubles with each relapse.
//!
//! Neither applies when no other kitchen is sound, and no slow start while less than half of the capacity is alive: a shaky
//! kitchen is better than none. Never takes an order away, and never touches a kitchen that left on purpose or is here
//! for the first time. Losses are forgotten at a takeover.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::link::places;

use crate::dispatcher::Core;
use crate::event::{KitchenNo, LossCause};
use crate::input::Now;
use crate::limits;

/// How often a kitchen was lost, and what follows from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steadiness {
    /// When it was lost, the last [`limits::FLAPS`] times.
    losses: VecDeque<Duration>,
    /// It was lost and is not back yet.
    down: bool,
    /// Hold-downs in a row.
    holds: u32,
    held_until: Option<Duration>,
    /// A loss before this moment is a relapse.
    relapse_until: Duration,
    warm_since: Option<Duration>,
    /// How much of its places it may fill; absent when all.
    percent: Option<u32>,
}

impl Steadiness {
    /// As a new leader finds a kitchen; only the ledger knows how it was lost, if it was.
    pub(crate) fn found(alive: bool, lost: Option<LossCause>) -> Self {
        let down = !alive && lost.is_some_and(|cause| cause != LossCause::AgentLeft);
        Self { down, ..Self::default() }
    }

    /// Nothing new for now.
    pub(crate) fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Until when it is held down.
    pub(crate) fn held_until(&self) -> Option<Duration> {
        self.held_until
    }

    /// How much of its places it may fill, if not all.
    pub(crate) fn percent(&self) -> Option<u32> {
        self.percent
    }

    fn lost(&mut self, now: Duration) {
        if self.losses.len() == limits::FLAPS {
            self.losses.pop_front();
        }
        self.losses.push_back(now);
        self.down = true;
        (self.held_until, self.warm_since, self.percent) = (None, None, None);
    }

    fn returned(&mut self, now: Duration) {
        if !std::mem::take(&mut self.down) {
            return;
        }
        let last = self.losses.back().copied().unwrap_or_default();
        let relapsed = self.holds > 0 && last < self.relapse_until;
        let first = self.losses.front().copied().unwrap_or_default();
        let flaps = self.losses.len() == limits::FLAPS && last.saturating_sub(first) <= limits::FLAP_WINDOW;
        if !relapsed && !flaps {
            self.holds = 0;
            return self.warm(now);
        }
        let hold = limits::HOLD_DOWN.saturating_mul(1 << self.holds.min(16)).min(limits::HOLD_DOWN_MAX);
        self.holds += 1;
        self.held_until = Some(now + hold);
        self.relapse_until = now + hold + limits::FLAP_WINDOW;
    }

    fn warm(&mut self, now: Duration) {
        self.warm_since = Some(now);
        self.percent = Some(limits::WARM_UP_FROM_PERCENT);
    }

    /// Goes with time; says whether anything changed.
    fn look(&mut self, now: Duration) -> bool {
        if self.held_until.is_some_and(|until| now >= until) {
            self.held_until = None;
            self.warm(now);
            return true;
        }
        let Some(since) = self.warm_since else { return false };
        let from = limits::WARM_UP_FROM_PERCENT;
        let (gone, all) = (now.saturating_sub(since).as_millis(), limits::WARM_UP.as_millis());
        let grown = u32::try_from(u128::from(100 - from) * gone / all).unwrap_or(100);
        let percent = Some(from + grown).filter(|percent| *percent < 100);
        if percent.is_none() {
            self.warm_since = None;
        }
        std::mem::replace(&mut self.percent, percent) != percent
    }
}

impl Core {
    /// A kitchen was lost.
    pub(crate) fn remember_loss(&mut self, now: Now, number: KitchenNo, cause: LossCause) {
        let link = self.soft.link_mut(number);
        link.lost_at = Some(now.mono);
        link.lost_before = Duration::ZERO;
        if cause != LossCause::AgentLeft {
            link.steadiness.lost(now.mono);
        }
    }

    /// A kitchen that was lost is back, as the same process or as another one.
    pub(crate) fn came_back(&mut self, now: Now, number: KitchenNo) {
        let link = self.soft.link_mut(number);
        link.lost_at = None;
        link.pace = crate::grey::Pace::new(now.mono);
        link.steadiness.returned(now.mono);
        self.refresh(number);
    }

    /// Lets places grow and holds end; at every tick.
    pub(crate) fn look_at_steadiness(&mut self, now: Now) {
        for number in (0..self.soft.links.len()).map(|number| KitchenNo(number as u32)) {
            if self.soft.link_mut(number).steadiness.look(now.mono) {
                self.refresh(number);
            }
        }
    }

    /// How many orders a kitchen may have in hand now.
    pub(crate) fn allowed(&self, number: KitchenNo) -> u32 {
        let kitchen = self.state.kitchen(number);
        let all = places(kitchen.capacity, kitchen.stations);
        let percent = self.soft.link(number).steadiness.percent();
        match percent.filter(|_| self.others_are_sound(number) && !self.is_panicking()) {
            Some(percent) => u32::try_from(u64::from(all) * u64::from(percent) / 100).unwrap_or(all).max(1),
            None => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn places_grow_to_all_of_them() {
        let mut kitchen = Steadiness::default();
        kitchen.lost(10 * S);
        kitchen.returned(12 * S);
        assert_eq!(kitchen.percent(), Some(limits::WARM_UP_FROM_PERCENT));
        assert!(kitchen.look(12 * S + limits::WARM_UP / 2));
        assert_eq!(kitchen.percent(), Some(55));
        assert!(kitchen.look(12 * S + limits::WARM_UP));
        assert_eq!((kitchen.percent(), kitchen.look(20 * S)), (None, false));
    }

    #[test]
    fn each_relapse_doubles_the_hold_up_to_a_bound_and_a_steady_time_forgets_it() {
        let mut kitchen = Steadiness::default();
        let mut now = 100 * S;
        let mut fall = |now: &mut Duration, wait: Duration| {
            *now += wait;
            kitchen.lost(*now);
            kitchen.returned(*now);
            let held = kitchen.held_until().map(|until| until - *now);
            if let Some(held) = held {
                *now += held;
                kitchen.look(*now);
            }
            held
        };
        assert_eq!((fall(&mut now, S), fall(&mut now, S)), (None, None));
        let holds: Vec<_> = (0..6).filter_map(|_| fall(&mut now, S)).map(|held| held.as_secs()).collect();
        assert_eq!(holds, [5, 10, 20, 40, 60, 60]);
        assert_eq!(fall(&mut now, 2 * limits::FLAP_WINDOW), None, "once in a while is no flapping");
    }

    #[test]
    fn three_losses_in_more_than_a_minute_are_no_flapping() {
        let mut kitchen = Steadiness::default();
        for at in [0, 31, 62] {
            kitchen.lost((100 + at) * S);
            kitchen.returned((101 + at) * S);
            assert!(!kitchen.is_held());
        }
    }
}
