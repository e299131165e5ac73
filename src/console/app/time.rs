//! Time: what it alone changes, when the model wants to be woken, and how old the picture is.
//!
//! Owns ages and deadlines. Never reads a clock: `now` is the caller's.

use std::time::Duration;

use super::series::Moved;
use super::{App, Effects, Link};
use crate::console::actions::Context;
use crate::console::view::layout;

/// A figure's age is shown from here: the feed's keep-alive second and some jitter are not an age.
const AGE_SHOWN: Duration = Duration::from_millis(1_250);
/// The picture is greyed and called stale from here.
const STALE: Duration = Duration::from_secs(3);

/// How old figures were when they came, by the balancer's own clock: the worst of a second, told with the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    second: u64,
    worst: u64,
    told: Option<u64>,
}

impl Lag {
    /// Takes the age of a frame; says whether another figure is shown.
    pub(super) fn note(&mut self, now: Duration, age_ms: u64) -> bool {
        let age = age_ms / 100;
        let before = self.told;
        if before.is_some() && self.second == now.as_secs() {
            self.worst = self.worst.max(age);
        } else {
            let told = if before.is_some() { self.worst } else { age };
            *self = Self { second: now.as_secs(), worst: age, told: Some(told) };
        }
        self.told != before
    }

    /// For people, in tenths of a second: what is less is neither seen nor worth a change of the screen each second.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        self.told.map(|tenths| match tenths {
            0 => "<0.1 s".to_owned(),
            _ => format!("{}.{} s", tenths / 10, tenths % 10),
        })
    }
}

impl App {
    /// What time alone changes.
    pub(super) fn pass_time(&mut self, effects: &mut Effects) {
        let linked = self.is_linked();
        let moved = self.live.advance(self.now, linked);
        if moved.rows {
            self.rows.outdate();
        }
        if self.frozen.is_none() {
            effects.dirty |= self.shows(moved);
            let city = &self.live;
            effects.dirty |= self.rows.settle(city, self.now);
        }
        if self.toast.as_ref().is_some_and(|toast| toast.until <= self.now) {
            self.toast = None;
            effects.dirty = true;
        }
        if self.undo.as_ref().is_some_and(|undo| undo.until <= self.now) {
            self.lapsed = self.undo.take();
            effects.dirty = true;
        }
        if self.prefix.is_some() && self.prefix_until <= self.now {
            self.prefix = None;
            effects.dirty = true;
        }
        let retry = self.retry_in().map_or(0, |left| left.as_secs());
        let counted = if self.frozen.is_none() { self.undo_left().unwrap_or(0) + self.drains_left() } else { 0 };
        let clock = (self.age_shown().map_or(0, |age| age.as_secs().max(1)), retry, self.is_stale(), counted);
        effects.dirty |= clock != self.clock;
        self.clock = clock;
        if linked {
            for request in self.page_asks() {
                self.send(request, None, effects);
            }
        }
    }

    /// When [`Input::Tick`] is wanted, if nothing else comes; absent: never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let next_second = Duration::from_secs(self.now.as_secs() + 1);
        let counting = self.age_shown().is_some() || self.retry_in().is_some() || self.is_stale();
        let moving = self.frozen.is_none() && (self.shows(self.live.ages()) || self.rows.is_stale());
        let age = match (self.heard, counting) {
            (Some((at, age_ms)), false) => Some(at + AGE_SHOWN.saturating_sub(Duration::from_millis(age_ms))),
            (Some(_) | None, _) => None,
        };
        let page = self.page_due().filter(|_| self.is_linked());
        let behind = self.behind_due().filter(|_| self.is_linked());
        let counting = counting || self.undo.is_some() || (self.frozen.is_none() && self.drains_left() > 0);
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let prefix = self.prefix.is_some().then_some(self.prefix_until);
        let rows = self.live.catch_up_at().filter(|_| self.frozen.is_none());
        let second = (counting || moving).then_some(next_second);
        [age, page, behind, toast, prefix, rows, second].into_iter().flatten().min()
    }

    /// Whether a chart that moved is on the screen.
    pub(super) fn shows(&self, moved: Moved) -> bool {
        let here = match self.context() {
            Context::Fleet => moved.pairs || (moved.sparks && layout::has_sparks(self.size)),
            Context::Flow => moved.pairs || moved.timeline,
            Context::Drill => moved.timeline,
            Context::Heat | Context::Replay | Context::Tape | Context::Ledger | Context::Kitchen | Context::Order => {
                false
            }
        };
        moved.rate || moved.rows || here
    }

    /// How old the picture is; absent before the first frame.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.heard.map(|(at, age_ms)| self.now.saturating_sub(at) + Duration::from_millis(age_ms))
    }

    /// The age, if it is worth showing.
    #[must_use]
    pub fn age_shown(&self) -> Option<Duration> {
        self.age().filter(|age| *age >= AGE_SHOWN)
    }

    /// Whether the picture is too old to act on without a second look.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age().is_some_and(|age| age >= STALE)
    }

    /// How much older the frozen picture is than what came since.
    #[must_use]
    pub fn frozen_for(&self) -> Option<Duration> {
        self.frozen.as_ref().map(|frozen| Duration::from_millis(self.live.at.ms_since(frozen.0.at)))
    }

    /// Whether there is a picture, and nothing that keeps it true.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.heard.is_some() && !self.is_linked()
    }

    /// Until the next try.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match &self.link {
            Link::Lost { retry_at, .. } => Some(retry_at.saturating_sub(self.now)),
            Link::Connecting { .. } | Link::Live => None,
        }
    }
}
