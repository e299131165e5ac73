//! The blast radius: what a kill or a drain would touch, in words, before the key is taken.
//!
//! Owns the sentences. They are computed from the picture shown; the dialog says its age if it is old.

use protocol::api::Health;

use super::city::{City, Kitchen};
use crate::console::view::text::{percent, plural};

/// What killing or draining this kitchen touches.
#[must_use]
pub fn radius(city: &City, kitchen: &Kitchen, verb: &str) -> Vec<String> {
    let row = kitchen.row;
    let oven = row.map_or(0, |row| row.in_the_oven);
    let held = kitchen.held();
    let alive = city.kitchens.iter().filter(|other| other.health() == Some(Health::Alive)).count();
    let mut lines = Vec::new();
    if kitchen.health() == Some(Health::Alive) {
        lines.push(format!("{verb} 1 of {alive} alive, zone {}", city.zone_of(kitchen).fit(24)));
    } else {
        lines.push(format!("{verb} 1 kitchen that is not alive now"));
    }
    let cooking = row.map_or(0, |row| row.cooking);
    let fate = if verb.starts_with("drain") { "handed over or finished in place" } else { "cook again" };
    let waiting = held.saturating_sub(u64::from(cooking));
    lines.push(format!("{}, {cooking} {fate} ({oven} in the oven)", plural(waiting, "order moves", "orders move")));
    let places = city.places();
    let own = if kitchen.health() == Some(Health::Alive) { u64::from(kitchen.capacity) } else { 0 };
    let left = places.saturating_sub(own);
    let free: u64 = city.kitchens.iter().filter(|other| other.id != kitchen.id && other.is_open()).map(free).sum();
    if places > 0 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 places")]
        let share = left as f64 / places as f64;
        lines.push(format!("capacity left {}: {left} of {places} places", percent(share)));
    }
    let room = if free < held { "NOT ENOUGH ROOM" } else { "room" };
    lines.push(format!("{room} elsewhere: {free} free for {held}"));
    lines
}

fn free(kitchen: &Kitchen) -> u64 {
    u64::from(kitchen.capacity).saturating_sub(kitchen.held())
}
