//! The blast radius: what a kill or a drain would touch, in words, before the key is taken.
//!
//! Owns the sentences. They are computed from the picture shown, with each draw; the dialog says its age if it is old.
//! Never asks anybody and never decides whether it may be done.

use protocol::api::{Health, Schedulable};

use super::city::{City, Kitchen};
use crate::console::view::text::{percent, plural};

/// A sentence about what would be touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What.
    pub text: String,
    /// It speaks against the wish: it comes first where not all fit.
    pub grave: bool,
}

impl Sentence {
    /// A plain one.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), grave: false }
    }

    /// One that speaks against the wish.
    #[must_use]
    pub fn grave(text: impl Into<String>) -> Self {
        Self { text: text.into(), grave: true }
    }
}

/// What killing or draining this kitchen touches.
#[must_use]
pub fn radius(city: &City, kitchen: &Kitchen, drain: bool) -> Vec<Sentence> {
    let mut lines = vec![who(city, kitchen, drain)];
    if kitchen.health() == Some(Health::Dead) {
        return lines;
    }
    let held = kitchen.held();
    let (cooking, oven) = kitchen.row.map_or((0, 0), |row| (row.cooking, row.in_the_oven));
    let fate = if drain { "handed over or finished in place" } else { "cook again" };
    let waiting = plural(held.saturating_sub(u64::from(cooking)), "order moves", "orders move");
    lines.push(Sentence::plain(format!("{waiting}, {cooking} {fate} ({oven} in the oven)")));
    lines.extend(capacity(city, kitchen));
    let free: u64 = city.kitchens.iter().filter(|other| other.id != kitchen.id && other.is_open()).map(free).sum();
    lines.push(if free < held {
        Sentence::grave(format!("NOT ENOUGH ROOM elsewhere: {free} free for {held}"))
    } else {
        Sentence::plain(format!("room elsewhere: {free} free for {held}"))
    });
    lines
}

/// One of how many, or why there is nothing left to do with it.
fn who(city: &City, kitchen: &Kitchen, drain: bool) -> Sentence {
    let alive = city.kitchens.iter().filter(|other| other.health() == Some(Health::Alive)).count();
    let schedulable = kitchen.row.map(|row| row.schedulable);
    match kitchen.health() {
        Some(Health::Dead) if drain => {
            Sentence::grave("it is dead: nothing to drain, its orders are recovered elsewhere")
        }
        Some(Health::Dead) => Sentence::grave("it is dead already: its orders are recovered elsewhere"),
        Some(Health::Alive) if drain && schedulable == Some(Schedulable::Draining) => {
            Sentence::grave("it is being drained already: a new drain has a new deadline")
        }
        Some(Health::Alive) => {
            let verb = if drain { "drains" } else { "kills" };
            Sentence::plain(format!("{verb} 1 of {alive} alive, zone {}", city.zone_of(kitchen).fit(24)))
        }
        Some(Health::Suspected) | None => {
            let verb = if drain { "drains" } else { "kills" };
            Sentence::plain(format!("{verb} 1 kitchen that is not alive now"))
        }
    }
}

fn capacity(city: &City, kitchen: &Kitchen) -> Option<Sentence> {
    let places = city.places();
    let own = if kitchen.health() == Some(Health::Alive) { u64::from(kitchen.capacity) } else { 0 };
    let left = places.saturating_sub(own);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 places")]
    let share = left as f64 / places as f64;
    (places > 0).then(|| Sentence::plain(format!("capacity left {}: {left} of {places} places", percent(share))))
}

/// Places for more orders.
#[must_use]
pub fn free(kitchen: &Kitchen) -> u64 {
    u64::from(kitchen.capacity).saturating_sub(kitchen.held())
}
