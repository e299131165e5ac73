//! Requests about the whole: policy, migrations, rush, proof, status, metrics.

use std::sync::Arc;
use std::time::Duration;

use balancer_core::{DiskHealth, Input, Now, Refused};
use hyper::HeaderMap;
use hyper::body::Incoming;
use protocol::api::{Migrations, PolicyChange, PolicyView, StartRush, Status};
use protocol::bounds;

use super::answer::Answer;
use super::orders::{answer, json, operator, pairs};
use super::{pages, problem};
use crate::hub::{Hub, Inner, NoAnswer};
use crate::{VERSION, metrics, views};

fn seen<T: serde::Serialize>(seen: Result<T, NoAnswer>) -> Answer {
    match seen {
        Ok(body) => Answer::json(&body),
        Err(stopping) => stopping.into(),
    }
}

pub(super) async fn policy(hub: &Arc<Hub>) -> Answer {
    seen(hub.read(|inner, _| inner.core.state().policy()).await)
}

pub(super) async fn set_policy(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming) -> Answer {
    let by = match operator(headers) {
        Ok(by) => by,
        Err(problem) => return problem.into(),
    };
    let change: PolicyChange = match json(body).await {
        Ok(change) => change,
        Err(problem) => return problem.into(),
    };
    let policy = Box::new(changed(hub.lock().core.state().policy(), change));
    let after = (*policy).clone();
    match hub.ask(|request| Input::SetPolicy { request, policy, by }).await {
        Ok(balancer_core::Reply::Done(_)) => Answer::json(&after),
        replied => answer(replied),
    }
}

fn changed(old: PolicyView, change: PolicyChange) -> PolicyView {
    PolicyView {
        algorithm: change.algorithm.unwrap_or(old.algorithm),
        weights: change.weights.unwrap_or(old.weights),
        time_scale_ms: change.time_scale_ms.unwrap_or(old.time_scale_ms),
        distance_scale_km: change.distance_scale_km.unwrap_or(old.distance_scale_km),
        overload_threshold: change.overload_threshold.unwrap_or(old.overload_threshold),
        calm_threshold: change.calm_threshold.unwrap_or(old.calm_threshold),
        available_threshold: change.available_threshold.unwrap_or(old.available_threshold),
        max_migrations_per_cycle: change.max_migrations_per_cycle.unwrap_or(old.max_migrations_per_cycle),
        cycle_ms: change.cycle_ms.unwrap_or(old.cycle_ms),
        min_stay_ms: change.min_stay_ms.unwrap_or(old.min_stay_ms),
        max_hops: change.max_hops.unwrap_or(old.max_hops),
        migrate: change.migrate.unwrap_or(old.migrate),
        steal: change.steal.unwrap_or(old.steal),
        handover: change.handover.unwrap_or(old.handover),
        handover_max_wait_ms: change.handover_max_wait_ms.unwrap_or(old.handover_max_wait_ms),
        max_wait_ms: change.max_wait_ms.unwrap_or(old.max_wait_ms),
    }
}

pub(super) async fn migrations(hub: &Arc<Hub>, query: &str) -> Answer {
    let pairs = match pairs(query) {
        Ok(pairs) => pairs,
        Err(problem) => return problem.into(),
    };
    let mut limit = 100;
    for (name, value) in pairs {
        match (name, value.parse()) {
            ("limit", Ok(wanted @ 1..=2_000)) => limit = wanted,
            _ => return problem::bad_query("only limit, 1 to 2000").into(),
        }
    }
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    match hub.read(|inner, _| views::migrations(inner, limit)).await {
        Ok(migrations) => place.json(move || Migrations { migrations }).await,
        Err(stopping) => stopping.into(),
    }
}

pub(super) async fn rush(hub: &Arc<Hub>) -> Answer {
    // `null` when none runs: that is no error.
    seen(hub.read(|inner, now| views::rush(inner, now.mono)).await)
}

pub(super) async fn start_rush(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming) -> Answer {
    let by = match operator(headers) {
        Ok(by) => by,
        Err(problem) => return problem.into(),
    };
    let StartRush { rate, for_s, zone } = match json(body).await {
        Ok(rush) => rush,
        Err(problem) => return problem.into(),
    };
    if let Err(bound) = bounds::RUSH_RATE.check(rate) {
        return problem::invalid("rate", format!("rate is {bound}")).into();
    }
    if !(1..=3_600).contains(&for_s) {
        return problem::invalid("for_s", "for_s is 1 to 3600 seconds").into();
    }
    let zone = match zone {
        None => None,
        Some(name) => match hub.lock().names.zone(&name) {
            Some(zone) => Some(zone),
            None => return problem::unknown_zone(&name).into(),
        },
    };
    let lasts = Duration::from_secs(for_s);
    answer(hub.ask(|request| Input::StartRush { request, rate, lasts, zone, by }).await)
}

pub(super) async fn stop_rush(hub: &Arc<Hub>, headers: &HeaderMap) -> Answer {
    let by = match operator(headers) {
        Ok(by) => by,
        Err(problem) => return problem.into(),
    };
    answer(hub.ask(|request| Input::StopRush { request, by }).await)
}

pub(super) async fn proof(hub: &Arc<Hub>) -> Answer {
    seen(hub.read(|inner, _| inner.core.state().proof()).await)
}

/// A leader that can acknowledge nothing for as long as nobody puts its ledger back is not ready; a disk that is full or slow
/// comes back by itself.
pub(super) fn ready(hub: &Hub) -> Answer {
    match hub.lock().core.disk() {
        DiskHealth::Moved => problem::refused(&Refused::LedgerMoved).into(),
        DiskHealth::Older => problem::refused(&Refused::LedgerOlder).into(),
        DiskHealth::Fine | DiskHealth::Slow | DiskHealth::Full => Answer::text("leading\n"),
    }
}

pub(super) async fn status(hub: &Arc<Hub>) -> Answer {
    let look = |inner: &Inner, now: Now| views::status(hub, inner, now);
    match hub.read(look).await {
        // What is wrong must be seen while it is: as of the last durable position, like the metrics.
        Err(NoAnswer::Disk(_)) => {
            let inner = hub.lock();
            let status = look(&inner, inner.clock.now());
            Answer::json(&Status { position: inner.durable_position(), proof: inner.durable_proof(), ..status })
        }
        answer => seen(answer),
    }
}

/// Counters promise nothing to anybody, so a disk that takes nothing does not hide them: that is when they are looked at.
pub(super) async fn metrics(hub: &Arc<Hub>) -> Answer {
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    let look = |inner: &Inner, now: Now| metrics::look(inner, now.mono);
    let look = match hub.read(look).await {
        Ok(look) => look,
        Err(NoAnswer::Disk(_)) => {
            let inner = hub.lock();
            look(&inner, inner.clock.now())
        }
        Err(stopping @ NoAnswer::Stopping) => return stopping.into(),
    };
    place.text(move || look.page(VERSION)).await
}
