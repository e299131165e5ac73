//! What is not in a kitchen's row: alarms, balancers, and what a kitchen's own page tells of drains and slowness.
//!
//! Owns these shapes and how long a remark holds. Never asks for them (`background.rs` does).

use std::time::Duration;

use protocol::api::{DrainView, Health, KitchenView, Schedulable};
use protocol::{KitchenId, Position, WallTime};
use serde::{Deserialize, Serialize};

use super::city::City;
use crate::console::untrusted::Untrusted;

/// Something that an operator must know now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// `disk_full`, ...
    pub code: Untrusted,
    /// What, how much, and what to do.
    pub text: Untrusted,
    /// Since when.
    pub since: WallTime,
}

/// A balancer that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancer {
    /// Its id.
    pub id: Untrusted,
    /// Where it answers.
    pub url: Untrusted,
    /// How far it had followed when it was told.
    pub position: Option<Position>,
}

/// What the feed does not tell of a kitchen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Why it gets fewer orders than it has places for.
    pub note: Option<Untrusted>,
    /// What its drain still has to do.
    pub drain: Option<DrainView>,
    /// When it was told.
    pub told: Duration,
}

impl Remark {
    /// Seconds until the deadline of its drain, as of now.
    #[must_use]
    pub fn drain_left_s(&self, now: Duration) -> Option<u64> {
        let passed = u64::try_from(now.saturating_sub(self.told).as_millis()).unwrap_or(u64::MAX);
        self.drain.as_ref().map(|drain| drain.deadline_left_ms.saturating_sub(passed).div_ceil(1_000))
    }
}

impl City {
    /// What is left of a kitchen's drain, if it is still being drained.
    #[must_use]
    pub fn drain(&self, id: &KitchenId, now: Duration) -> Option<(&DrainView, u64)> {
        let remark = self.remarks.get(id)?;
        let row = self.kitchen(id)?.row.filter(|row| row.health != Health::Dead)?;
        let left = remark.drain_left_s(now).filter(|_| row.schedulable == Schedulable::Draining)?;
        remark.drain.as_ref().map(|drain| (drain, left))
    }

    /// Takes what the feed does not tell of a kitchen; says whether it looks different.
    pub fn remark(&mut self, view: &KitchenView, now: Duration) -> bool {
        if view.note.is_none() && view.drain.is_none() {
            return self.remarks.remove(&view.id).is_some();
        }
        let note = view.note.as_ref().map(|note| Untrusted::new(note));
        let remark = Remark { note, drain: view.drain.clone(), told: now };
        let before = self.remarks.insert(view.id.clone(), remark.clone());
        before.is_none_or(|before| {
            let same_drain = before.drain_left_s(now) == remark.drain_left_s(now);
            before.note != remark.note || !same_drain || before.drain.is_some() != remark.drain.is_some()
        })
    }
}
