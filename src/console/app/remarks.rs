//! What is not in a kitchen's row: alarms, balancers, and what is to be said of drains, slowness and warm-ups.
//!
//! Owns these shapes and how long a remark holds. The feed tells them; a kitchen's own page, asked more often, goes over it.
//! Never asks for them: the feed tells.

use std::time::Duration;

use protocol::api::{DrainView, Health, KitchenView, Schedulable};
use protocol::feed::Frame;
use protocol::{KitchenId, Position, WallTime};
use serde::{Deserialize, Serialize};

use super::city::City;
use crate::console::untrusted::Untrusted;

/// Something that an operator must know now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// `disk_full`, ...
    pub name: Untrusted,
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

/// What is to be said of a kitchen beyond its row.
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

    /// Takes the feed's remarks; says whether anything looks different.
    pub(super) fn take_remarks(&mut self, frame: &Frame, now: Duration) -> bool {
        let told = now.saturating_sub(Duration::from_millis(frame.age_ms));
        let mut changed = false;
        for remark in &frame.remarks {
            // A kitchen that was never registered here is of another city.
            let Some(id) = self.by_no(remark.no).map(|kitchen| kitchen.id.clone()) else { continue };
            changed |= self.put(id, remark.note.as_deref(), remark.drain.as_ref(), (told, now));
        }
        changed
    }

    /// Takes what a kitchen's own page says; says whether it looks different.
    pub fn remark(&mut self, view: &KitchenView, now: Duration) -> bool {
        self.put(view.id.clone(), view.note.as_deref(), view.drain.as_ref(), (now, now))
    }

    fn put(
        &mut self,
        id: KitchenId,
        note: Option<&str>,
        drain: Option<&DrainView>,
        (told, now): (Duration, Duration),
    ) -> bool {
        if note.is_none() && drain.is_none() {
            return self.remarks.remove(&id).is_some();
        }
        let remark = Remark { note: note.map(Untrusted::new), drain: drain.cloned(), told };
        let shown = |remark: &Remark| {
            let left = remark.drain.as_ref().map(|drain| (drain.waiting, drain.cooking, drain.in_the_oven));
            (left, remark.drain_left_s(now))
        };
        let before = self.remarks.insert(id, remark.clone());
        before.is_none_or(|before| before.note != remark.note || shown(&before) != shown(&remark))
    }
}

#[cfg(test)]
mod tests {
    use protocol::feed::{KitchenRemark, KitchenRow};

    use super::*;
    use crate::console::tests::fixture::{app, feed, four, frame, row, screen, snapshot};

    #[test]
    fn the_feed_tells_of_drains_and_slowness_and_when_they_are_over() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let drain = Some(DrainView { waiting: 2, cooking: 3, in_the_oven: 1, deadline_left_ms: 24_000 });
        let mut told = frame(9_001, 100);
        told.kitchens = vec![KitchenRow { schedulable: Schedulable::Draining, ..row(0, 2, 3) }];
        told.remarks = vec![
            KitchenRemark { no: 0, note: None, drain },
            KitchenRemark { no: 1, note: Some("slow\u{1b}[2J: 4.2 times the usual".to_owned()), drain: None },
            KitchenRemark { no: 77, note: Some("of no kitchen here".to_owned()), drain: None },
        ];
        assert!(feed(&mut app, told, 100).dirty);
        let shown = screen(&app);
        assert!(shown.contains("draining 5, 24 s") && shown.contains("alive slow␛[2J"), "{shown}");
        feed(&mut app, frame(9_002, 2_100), 2_100);
        assert!(screen(&app).contains("draining 5, 22 s"), "{}", screen(&app));
        let mut over = frame(9_003, 3_000);
        over.remarks = vec![KitchenRemark { no: 1, note: None, drain: None }];
        assert!(feed(&mut app, over, 3_000).dirty);
        assert!(!screen(&app).contains("slow"), "{}", screen(&app));
        feed(&mut app, snapshot(9_100, four()), 4_000);
        assert!(app.city().remarks.is_empty(), "a snapshot tells all that there is");
    }

    #[test]
    fn a_frame_of_an_older_balancer_has_no_remarks_and_is_read() {
        let text = r#"{"epoch":1,"position":2,"age_ms":0,"at":"2026-08-29T10:40:00.000Z"}"#;
        let frame: Frame = serde_json::from_str(text).expect("a frame");
        assert!(frame.remarks.is_empty());
    }
}
