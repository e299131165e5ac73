//! The fleet as a whole, measured once a tick: how much of it is alive, and how fast it cooks.
//!
//! Owns the panic rule: with less than half of the capacity alive, moving orders about only adds load to kitchens that
//! have too much already, so orders are recovered and not moved. Never decides about a single order or kitchen.

use std::time::Duration;

use protocol::api::Schedulable;

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
    /// Orders a second that they can cook, in thousandths; the last known one while none is alive. Absent before
    /// anything was cooked.
    pub(crate) rate_milli: Option<u64>,
    /// How many orders all of them may hold.
    pub(crate) places: u64,
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
        let (mut alive, mut all, mut sound, mut places) = (0_u64, 0_u64, 0, 0);
        let mut rate = Rate::default();
        for (kitchen, link) in self.state.kitchens.iter().zip(&mut self.soft.links) {
            link.sound = false;
            if kitchen.alive || is_missed(kitchen, link.lost_for(now.mono)) {
                all += u64::from(kitchen.capacity);
            }
            if !kitchen.alive {
                continue;
            }
            alive += u64::from(kitchen.capacity);
            if kitchen.schedulable == Schedulable::Open {
                places += u64::from(kitchen.capacity);
                rate.add(kitchen);
                let heard = link.connection.is_some() && !link.suspected && !link.closing;
                link.sound = heard && !link.pace.is_open() && !link.steadiness.is_held();
                sound += u32::from(link.sound);
            }
        }
        let before = self.soft.vitals;
        let rate_milli = rate.milli().or(before.rate_milli);
        let places = if places == 0 { before.places } else { places };
        // Under the brake most of it may be gone; until that is clear, nothing is moved either.
        let panicking = alive * 2 < all || self.soft.brake.is_on();
        self.soft.vitals = Vitals { panicking, sound, rate_milli, places };
    }
}

/// A dead kitchen that still counts as a part of the fleet.
fn is_missed(kitchen: &Kitchen, lost_for: Option<Duration>) -> bool {
    kitchen.schedulable != Schedulable::Retired && lost_for.is_some_and(|lost| lost < limits::MISSED_FOR)
}

/// Stations over average cooking times; a kitchen that has cooked nothing yet counts as the others do on average.
#[derive(Debug, Default)]
struct Rate {
    milli: u64,
    known: u64,
    unknown: u64,
}

impl Rate {
    fn add(&mut self, kitchen: &Kitchen) {
        let stations = u64::from(kitchen.stations);
        if kitchen.avg_ms == 0 {
            self.unknown += stations;
        } else {
            self.known += stations;
            self.milli += stations * 1_000_000 / u64::from(kitchen.avg_ms);
        }
    }

    fn milli(&self) -> Option<u64> {
        (self.known > 0).then(|| {
            let all = u128::from(self.milli) * u128::from(self.known + self.unknown) / u128::from(self.known);
            u64::try_from(all).unwrap_or(u64::MAX)
        })
    }
}
