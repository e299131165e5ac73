//! Taking a change back: what would, and for how long it is offered.
//!
//! Owns which change has an inverse. The inverse is found before the change is sent, because it needs what was true then;
//! it is offered only after the balancer has said that the change is done.
//! Never sends it by itself.

use std::time::Duration;

use protocol::WallTime;
use protocol::api::{PolicyChange, PolicyView, Schedulable};

use super::city::City;
use crate::console::link::Request;

/// How long a change can be taken back.
pub const OFFERED: Duration = Duration::from_secs(10);

/// The balancer ends a drain with a cordon and with an uncordon.
const DRAIN_ENDED: &str = "it ended a drain, and a drain is not begun again by itself";
/// Only a kitchen that registers anew makes its number of before retired.
const RETIRED: &str = "a retired kitchen can not be made so again";
/// Why a change of the policy is not taken back after another one.
pub const OVERTAKEN: &str = "the policy was changed by somebody else meanwhile; look at it first";

/// What would take a change back.
#[derive(Debug, Clone, PartialEq)]
pub enum Inverse {
    /// This.
    Is(Box<Request>),
    /// This rush for what is left of it until then, by the balancer's clock; behind that, the other.
    Rush {
        /// Orders a second.
        rate: f64,
        /// Where; absent: everywhere.
        zone: Option<String>,
        /// When it would have ended.
        until: WallTime,
        /// What takes the change back then.
        over: Box<Inverse>,
    },
    /// Nothing, and why.
    None(&'static str),
}

impl Inverse {
    /// What it is at a time of the balancer's clock.
    #[must_use]
    pub fn at(self, now: WallTime) -> Self {
        match self {
            Self::Rush { over, until, .. } if until <= now => *over,
            Self::Rush { rate, zone, until, .. } => {
                let for_s = until.ms_since(now).div_ceil(1_000).clamp(1, 3_600);
                Self::Is(Box::new(Request::Rush { rate, for_s, zone }))
            }
            Self::Is(_) | Self::None(_) => self,
        }
    }
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
        Request::Cordon(id) => match was(id) {
            Some(Schedulable::Open) => is(Request::Uncordon(id.clone())),
            Some(Schedulable::Draining) => Inverse::None(DRAIN_ENDED),
            Some(Schedulable::Retired) => Inverse::None(RETIRED),
            Some(Schedulable::Cordoned) => Inverse::None("it changed nothing"),
            None => Inverse::None("what it was before is not known"),
        },
        Request::Drain { kitchen: id, .. } => match was(id) {
            Some(Schedulable::Open) => is(Request::Uncordon(id.clone())),
            Some(Schedulable::Cordoned) => is(Request::Cordon(id.clone())),
            Some(Schedulable::Retired) => Inverse::None(RETIRED),
            Some(Schedulable::Draining) => Inverse::None("it changed nothing"),
            None => Inverse::None("what it was before is not known"),
        },
        Request::Uncordon(id) => match was(id) {
            Some(Schedulable::Cordoned) => is(Request::Cordon(id.clone())),
            Some(Schedulable::Draining) => Inverse::None(DRAIN_ENDED),
            Some(Schedulable::Retired) => Inverse::None(RETIRED),
            Some(Schedulable::Open) => Inverse::None("it changed nothing"),
            None => Inverse::None("what it was before is not known"),
        },
        Request::Rush { .. } => running(city, is(Request::StopRush)).unwrap_or_else(|| is(Request::StopRush)),
        Request::StopRush => {
            let over = Inverse::None("the rush that was stopped would be over by now");
            running(city, over).unwrap_or(Inverse::None("no rush was running"))
        }
        Request::SetPolicy(change) => match policy {
            Some(before) => is(Request::SetPolicy(Box::new(back(before, change)))),
            None => Inverse::None("what was set before is not known"),
        },
        Request::Place(_) => Inverse::None("a placed order is called off with cancel"),
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
        | Request::Actions { .. }
        | Request::Policy
        | Request::Supervisor => Inverse::None("nothing was changed"),
    }
}

/// The rush that runs, for the rest of its time; `over` once that is over.
fn running(city: &City, over: Inverse) -> Option<Inverse> {
    let rush = city.rush()?;
    let until = WallTime(city.at.0.saturating_add(rush.left_ms));
    Some(Inverse::Rush { rate: rush.rate, zone: city.rush_zone(), until, over: Box::new(over) })
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

/// The policy after a change.
#[must_use]
pub fn applied(before: &PolicyView, change: &PolicyChange) -> PolicyView {
    PolicyView {
        algorithm: change.algorithm.unwrap_or(before.algorithm),
        weights: change.weights.unwrap_or(before.weights),
        time_scale_ms: change.time_scale_ms.unwrap_or(before.time_scale_ms),
        distance_scale_km: change.distance_scale_km.unwrap_or(before.distance_scale_km),
        overload_threshold: change.overload_threshold.unwrap_or(before.overload_threshold),
        calm_threshold: change.calm_threshold.unwrap_or(before.calm_threshold),
        available_threshold: change.available_threshold.unwrap_or(before.available_threshold),
        max_migrations_per_cycle: change.max_migrations_per_cycle.unwrap_or(before.max_migrations_per_cycle),
        cycle_ms: change.cycle_ms.unwrap_or(before.cycle_ms),
        min_stay_ms: change.min_stay_ms.unwrap_or(before.min_stay_ms),
        max_hops: change.max_hops.unwrap_or(before.max_hops),
        migrate: change.migrate.unwrap_or(before.migrate),
        steal: change.steal.unwrap_or(before.steal),
        handover: change.handover.unwrap_or(before.handover),
        handover_max_wait_ms: change.handover_max_wait_ms.unwrap_or(before.handover_max_wait_ms),
        max_wait_ms: change.max_wait_ms.unwrap_or(before.max_wait_ms),
    }
}

/// A policy in words, each with its name: all of it, in the sequence of the arguments.
fn told(policy: &PolicyView) -> [(&'static str, String); 16] {
    let ms = crate::console::view::text::ms;
    let w = policy.weights;
    [
        ("algorithm", policy.algorithm.to_string()),
        ("weights", format!("{},{},{},{}", w.load, w.specialty, w.time, w.distance)),
        ("time scale", policy.time_scale_ms.map_or_else(|| "the fleet's median".to_owned(), ms)),
        ("distance scale", format!("{} km", policy.distance_scale_km)),
        ("overload threshold", policy.overload_threshold.to_string()),
        ("calm threshold", policy.calm_threshold.to_string()),
        ("available threshold", policy.available_threshold.to_string()),
        ("migrations a cycle", policy.max_migrations_per_cycle.to_string()),
        ("cycle", ms(policy.cycle_ms)),
        ("shortest stay", ms(policy.min_stay_ms)),
        ("most hops", policy.max_hops.to_string()),
        ("migrate", policy.migrate.to_string()),
        ("steal", policy.steal.to_string()),
        ("handover", policy.handover.to_string()),
        ("longest handover", ms(policy.handover_max_wait_ms)),
        ("longest wait", ms(policy.max_wait_ms)),
    ]
}

/// What a change of the policy changes, a line each: `algorithm: weighted-score -> round-robin`. What it names and leaves as
/// it is, is said too.
#[must_use]
pub fn differences(before: &PolicyView, change: &PolicyChange) -> Vec<String> {
    let after = told(&applied(before, change));
    let named = named(change);
    let lines = told(before).into_iter().zip(after).zip(named).filter(|(_, named)| *named);
    lines
        .map(|(((name, before), (_, after)), _)| {
            if before == after { format!("{name}: {before}, as it is") } else { format!("{name}: {before} -> {after}") }
        })
        .collect()
}

/// Which values a change names, in the sequence of [`told`].
fn named(change: &PolicyChange) -> [bool; 16] {
    [
        change.algorithm.is_some(),
        change.weights.is_some(),
        change.time_scale_ms.is_some(),
        change.distance_scale_km.is_some(),
        change.overload_threshold.is_some(),
        change.calm_threshold.is_some(),
        change.available_threshold.is_some(),
        change.max_migrations_per_cycle.is_some(),
        change.cycle_ms.is_some(),
        change.min_stay_ms.is_some(),
        change.max_hops.is_some(),
        change.migrate.is_some(),
        change.steal.is_some(),
        change.handover.is_some(),
        change.handover_max_wait_ms.is_some(),
        change.max_wait_ms.is_some(),
    ]
}

#[cfg(test)]
mod tests {
    use protocol::api::{Algorithm, Weights};

    use super::*;

    #[test]
    fn a_change_of_everything_is_told_and_taken_back_to_the_letter() {
        let before = PolicyView { time_scale_ms: Some(900), ..PolicyView::default() };
        let change = PolicyChange {
            algorithm: Some(Algorithm::RoundRobin),
            weights: Some(Weights { load: 1.0, specialty: 0.0, time: 0.0, distance: 0.0 }),
            time_scale_ms: Some(None),
            distance_scale_km: Some(7.5),
            overload_threshold: Some(0.81),
            calm_threshold: Some(0.61),
            available_threshold: Some(0.41),
            max_migrations_per_cycle: Some(9),
            cycle_ms: Some(777),
            min_stay_ms: Some(333),
            max_hops: Some(8),
            migrate: Some(false),
            steal: Some(false),
            handover: Some(false),
            handover_max_wait_ms: Some(4_321),
            max_wait_ms: Some(12_345),
        };
        let after = applied(&before, &change);
        let lines = differences(&before, &change);
        assert_eq!(lines.len(), 16);
        assert!(lines.iter().all(|line| line.contains(" -> ")), "{lines:#?}");
        assert_eq!(applied(&after, &back(&before, &change)), before);
        let one = PolicyChange { cycle_ms: Some(before.cycle_ms), ..PolicyChange::default() };
        assert_eq!(differences(&before, &one), ["cycle: 500 ms, as it is"]);
    }

    #[test]
    fn a_rush_that_is_put_back_ends_when_it_would_have_ended() {
        let over = Box::new(Inverse::None("over"));
        let back = Inverse::Rush { rate: 50.0, zone: None, until: WallTime(20_000), over };
        let for_s = |now| match back.clone().at(WallTime(now)) {
            Inverse::Is(request) => match *request {
                Request::Rush { for_s, .. } => Some(for_s),
                _ => None,
            },
            Inverse::Rush { .. } | Inverse::None(_) => None,
        };
        assert_eq!([for_s(2_000), for_s(11_500), for_s(20_000)], [Some(18), Some(9), None]);
    }
}
