//! Taking a change back: what would, and for how long it is offered.
//!
//! Owns which change has an inverse. The inverse is found before the change is sent, because it needs what was true then;
//! it is offered only after the balancer has said that the change is done.

use std::time::Duration;

use protocol::api::{PolicyChange, PolicyView, Schedulable};

use super::city::City;
use crate::console::link::Request;

/// How long a change can be taken back.
pub const OFFERED: Duration = Duration::from_secs(10);

/// What would take a change back.
#[derive(Debug, Clone, PartialEq)]
pub enum Inverse {
    /// This.
    Is(Box<Request>),
    /// Nothing, and why.
    None(&'static str),
}

/// A change that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// What was done: `cordon kitchen_2`.
    pub what: String,
    /// What takes it back.
    pub inverse: Inverse,
    /// Until then.
    pub until: Duration,
}

/// What would take a request back, as things are now.
#[must_use]
pub fn inverse(city: &City, policy: Option<&PolicyView>, request: &Request) -> Inverse {
    let is = |request: Request| Inverse::Is(Box::new(request));
    let was = |id| city.kitchen(id).and_then(|kitchen| kitchen.row).map(|row| row.schedulable);
    match request {
        Request::Cordon(id) | Request::Drain { kitchen: id, .. } => match was(id) {
            Some(Schedulable::Open) => is(Request::Uncordon(id.clone())),
            Some(Schedulable::Cordoned) => is(Request::Cordon(id.clone())),
            Some(Schedulable::Draining | Schedulable::Retired) | None => Inverse::None("it changed nothing"),
        },
        Request::Uncordon(id) => match was(id) {
            Some(Schedulable::Cordoned) => is(Request::Cordon(id.clone())),
            Some(Schedulable::Draining) => Inverse::None("a drain that was ended is not begun again by itself"),
            Some(Schedulable::Open | Schedulable::Retired) | None => Inverse::None("it changed nothing"),
        },
        Request::Rush { .. } => running(city).map_or_else(|| is(Request::StopRush), is),
        Request::StopRush => running(city).map_or(Inverse::None("no rush was running"), is),
        Request::SetPolicy(change) => match policy {
            Some(before) => is(Request::SetPolicy(Box::new(back(before, change)))),
            None => Inverse::None("what was set before is not known"),
        },
        Request::Migrate { .. } => Inverse::None("a migration is not taken back; migrate it once more"),
        Request::Release(_) => Inverse::None("a release has no undo: the order is on its way again"),
        Request::Cancel(_) => Inverse::None("a cancelled order has ended; it cannot come back"),
        Request::Kill(_) => Inverse::None("a kill has no undo; the kitchen starts again by itself"),
        Request::Order(_)
        | Request::Explain(_)
        | Request::History(_)
        | Request::Kitchen(_)
        | Request::OrdersOf(_)
        | Request::Migrations
        | Request::Kitchens
        | Request::Policy => Inverse::None("nothing was changed"),
    }
}

/// The rush that runs, for the rest of its time.
fn running(city: &City) -> Option<Request> {
    let rush = city.rush()?;
    let for_s = rush.left_ms.div_ceil(1_000).clamp(1, 3_600);
    Some(Request::Rush { rate: rush.rate, for_s, zone: city.rush_zone() })
}

/// What puts back each value that a change names.
fn back(before: &PolicyView, change: &PolicyChange) -> PolicyChange {
    PolicyChange {
        algorithm: change.algorithm.map(|_| before.algorithm),
        weights: change.weights.map(|_| before.weights),
        time_scale_ms: change.time_scale_ms.map(|_| before.time_scale_ms),
        distance_scale_km: change.distance_scale_km.map(|_| before.distance_scale_km),
        overload_threshold: change.overload_threshold.map(|_| before.overload_threshold),
        calm_threshold: change.calm_threshold.map(|_| before.calm_threshold),
        available_threshold: change.available_threshold.map(|_| before.available_threshold),
        max_migrations_per_cycle: change.max_migrations_per_cycle.map(|_| before.max_migrations_per_cycle),
        cycle_ms: change.cycle_ms.map(|_| before.cycle_ms),
        min_stay_ms: change.min_stay_ms.map(|_| before.min_stay_ms),
        max_hops: change.max_hops.map(|_| before.max_hops),
        migrate: change.migrate.map(|_| before.migrate),
        steal: change.steal.map(|_| before.steal),
        handover: change.handover.map(|_| before.handover),
        handover_max_wait_ms: change.handover_max_wait_ms.map(|_| before.handover_max_wait_ms),
        max_wait_ms: change.max_wait_ms.map(|_| before.max_wait_ms),
    }
}

/// What a change of the policy changes, a line each: `algorithm  weighted-score -> round-robin`.
#[must_use]
pub fn differences(before: &PolicyView, change: &PolicyChange) -> Vec<String> {
    let weights = |w: &protocol::api::Weights| format!("{},{},{},{}", w.load, w.specialty, w.time, w.distance);
    let line = |name: &str, before: String, after: Option<String>| {
        after.map(|after| {
            if before == after { format!("{name}: {before}, as it is") } else { format!("{name}: {before} -> {after}") }
        })
    };
    let ms = crate::console::view::text::ms;
    [
        line("algorithm", before.algorithm.to_string(), change.algorithm.map(|new| new.to_string())),
        line("weights", weights(&before.weights), change.weights.as_ref().map(weights)),
        line(
            "overload threshold",
            before.overload_threshold.to_string(),
            change.overload_threshold.map(|n| n.to_string()),
        ),
        line("calm threshold", before.calm_threshold.to_string(), change.calm_threshold.map(|n| n.to_string())),
        line(
            "available threshold",
            before.available_threshold.to_string(),
            change.available_threshold.map(|n| n.to_string()),
        ),
        line(
            "migrations a cycle",
            before.max_migrations_per_cycle.to_string(),
            change.max_migrations_per_cycle.map(|n| n.to_string()),
        ),
        line("most hops", before.max_hops.to_string(), change.max_hops.map(|n| n.to_string())),
        line("longest wait", ms(before.max_wait_ms), change.max_wait_ms.map(ms)),
        line("migrate", before.migrate.to_string(), change.migrate.map(|on| on.to_string())),
        line("steal", before.steal.to_string(), change.steal.map(|on| on.to_string())),
        line("handover", before.handover.to_string(), change.handover.map(|on| on.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}
