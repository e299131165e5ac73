//! The fleet as a whole, measured once a tick: how much of it is alive, and how fast it cooks.
//!
//! How fast: stations over the average cooking time of each kitchen. Before a kitchen has cooked anything its speed and the
//! menu's times are the estimate, so that the door is never open only because nobody knows yet. With nobody who cooks,
//! the last rate stands for [`limits::OUTAGE`].
//!
//! Owns the panic rule: with less than half of the capacity alive, moving orders about only adds load to kitchens that
//! have too much already, so orders are recovered and not moved. Never decides about a single order or kitchen.

use std::time::Duration;

use protocol::api::Schedulable;
use protocol::city::Menu;

use crate::dispatcher::Core;
use crate::event::KitchenNo;
use crate::input::Now;
use crate::limits;
use crate::state::Kitchen;

/// What was measured at the last tick.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Vitals {
    panicking: bool,
    /// Kitchens that would be given orders if they had room: open, alive, heard, neither slow nor held down.
    pub(crate) sound: u32,
    /// Orders a second that the open living kitchens can cook, in thousandths; the last one for [`limits::OUTAGE`] while
    /// there is none. Absent after that, and before the first kitchen.
    pub(crate) rate_milli: Option<u64>,
    /// How many orders all of them may hold.
    pub(crate) places: u64,
    /// When the rate was measured last; absent before the first measure.
    rated_at: Option<Duration>,
}

impl Core {
    /// Whether less than half of the capacity is alive, or may be: orders are only recovered then, not moved.
    #[must_use]
    pub fn panicking(&self) -> bool {
        self.is_panicking()
    }

    /// The same for policies; costs nothing.
    pub(crate) fn is_panicking(&self) -> bool {
        self.soft.vitals.panicking
    }

    /// Whether another kitchen is sound, so that this one may be treated with caution.
    pub(crate) fn others_are_sound(&self, number: KitchenNo) -> bool {
        self.soft.vitals.sound > u32::from(self.soft.link(number).sound)
    }

    /// Measures the fleet; at every tick, and when a leader begins.
    pub(crate) fn measure_fleet(&mut self, now: Now) {
        let before = self.soft.vitals.sound;
        self.measure(now);
        // With the first sound kitchen the shaky ones can rest, and with the last one gone they must do.
        if (before == 0) != (self.soft.vitals.sound == 0) {
            (0..self.soft.links.len()).for_each(|number| self.refresh(KitchenNo(number as u32)));
        }
    }

    fn measure(&mut self, now: Now) {
        let (mut alive, mut all, mut sound) = (0_u64, 0_u64, 0);
        let (mut cooks, mut cooked) = (Rate::default(), Rate::default());
        let mut lost_for = limits::OUTAGE;
        for (kitchen, link) in self.state.kitchens.iter().zip(&mut self.soft.links) {
            link.sound = false;
            if kitchen.alive || is_missed(kitchen, link.lost_for(now.mono)) {
                all += u64::from(kitchen.capacity);
            }
            if !kitchen.alive {
                if let Some(lost) = link.lost_for(now.mono).filter(|lost| *lost < limits::OUTAGE) {
                    cooked.add(kitchen, link.speed_milli);
                    lost_for = lost_for.min(lost);
                }
                continue;
            }
            alive += u64::from(kitchen.capacity);
            if kitchen.schedulable == Schedulable::Open {
                cooks.add(kitchen, link.speed_milli);
                let heard = link.connection.is_some() && !link.suspected && !link.closing;
                link.sound = heard && !link.pace.is_open() && !link.steadiness.is_held();
                sound += u32::from(link.sound);
            }
        }
        let before = self.soft.vitals;
        let menu = &self.state.city.menu;
        let (rate_milli, places, rated_at) = match (cooks.milli(menu), before.rated_at) {
            (Some(rate), _) => (Some(rate), cooks.places, now.mono),
            // A new leader that finds nobody takes the rate of those who were lost a moment ago.
            (None, None) => (cooked.milli(menu), cooked.places, now.mono.saturating_sub(lost_for)),
            (None, Some(at)) if now.mono < at + limits::OUTAGE => (before.rate_milli, before.places, at),
            (None, Some(at)) => (None, 0, at),
        };
        // Under the brake most of it may be gone; until that is clear, nothing is moved either.
        let panicking = alive * 2 < all || self.soft.brake.is_on();
        self.soft.vitals = Vitals { panicking, sound, rate_milli, places, rated_at: Some(rated_at) };
    }
}

/// A dead kitchen that still counts as a part of the fleet.
fn is_missed(kitchen: &Kitchen, lost_for: Option<Duration>) -> bool {
    kitchen.schedulable != Schedulable::Retired && lost_for.is_some_and(|lost| lost < limits::MISSED_FOR)
}

/// How fast kitchens cook together.
#[derive(Debug, Default)]
struct Rate {
    places: u64,
    /// Of those that have cooked something, by their averages.
    milli: u64,
    known: u64,
    /// Stations of those that have not, times their speed; and as many stations.
    speed_milli: u64,
    new: u64,
    /// Stations of those that have cooked nothing and have said nothing under this leader yet.
    silent: u64,
}

impl Rate {
    fn add(&mut self, kitchen: &Kitchen, speed_milli: u32) {
        let stations = u64::from(kitchen.stations);
        self.places += u64::from(kitchen.capacity);
        match (kitchen.avg_ms, speed_milli) {
            (0, 0) => self.silent += stations,
            (0, speed) => {
                self.new += stations;
                self.speed_milli = self.speed_milli.saturating_add(stations * u64::from(speed));
            }
            (avg_ms, _) => {
                self.known += stations;
                self.milli += stations * 1_000_000 / u64::from(avg_ms);
            }
        }
    }

    /// Orders a second in thousandths; none without a station. Whoever has said nothing counts as the others do on
    /// average, and if all are silent, as cooking at the menu's own speed.
    fn milli(&self, menu: &Menu) -> Option<u64> {
        let heard = self.known + self.new;
        if heard + self.silent == 0 {
            return None;
        }
        if heard == 0 {
            return Some(at_speed(self.silent.saturating_mul(1_000), menu));
        }
        let new = if self.new > 0 { at_speed(self.speed_milli, menu) } else { 0 };
        let cooked = u128::from(self.milli.saturating_add(new));
        let all = cooked * u128::from(heard + self.silent) / u128::from(heard);
        Some(u64::try_from(all).unwrap_or(u64::MAX))
    }
}

/// What stations cook by the menu, given the sum of their speeds: an order is an average dish of those on offer.
fn at_speed(speed_milli: u64, menu: &Menu) -> u64 {
    let offered = menu.dishes.iter().filter(|dish| !dish.withdrawn);
    let times = offered.map(|dish| dish.stages.iter().map(|stage| u64::from(stage.ms)).sum::<u64>());
    let (dishes, ms) = times.fold((0_u64, 0_u64), |(dishes, all), ms| (dishes + 1, all.saturating_add(ms)));
    // A menu of dishes that take no time says nothing but "fast".
    let rate = u128::from(speed_milli) * 1_000 * u128::from(dishes.max(1)) / u128::from(ms.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}
