//! What an operator must know now, in words. Reads and phrases; decides nothing.

use balancer_core::DiskHealth;
use protocol::api::Alert;
use protocol::feed::{FeedEvent, Tone};
use protocol::{OrderId, OrderState, WallTime};

use crate::hub::Inner;

/// An order in quarantine is an alert for ten minutes, and a figure of the proof for ever.
const QUARANTINE_MS: u64 = 600_000;

/// Everything that is wrong now, worst first. `known` are the alerts of the last look: what goes on keeps its beginning.
pub(crate) fn now(inner: &Inner, known: &[Alert], at: WallTime) -> Vec<Alert> {
    let found = [damage(inner), disk(inner), brake(inner), panic(inner), quarantine(inner, at)];
    let since = |code: &str| known.iter().find(|alert| alert.code == code).map_or(at, |alert| alert.since);
    let alerts = found.into_iter().flatten();
    alerts.map(|(code, text)| Alert { code: code.into(), text, since: since(code) }).collect()
}

/// The events that tell of what began and what ended between two looks.
pub(crate) fn changes(inner: &Inner, before: &[Alert], after: &[Alert], at: WallTime) -> Vec<FeedEvent> {
    let has = |alerts: &[Alert], code: &str| alerts.iter().any(|alert| alert.code == code);
    let line = |alert: &Alert, tone, text: &str| FeedEvent {
        position: inner.core.state().position(),
        at,
        kind: "alert".into(),
        tone,
        subject: alert.code.clone(),
        text: text.into(),
        count: 1,
    };
    let begun = after.iter().filter(|alert| !has(before, &alert.code)).map(|alert| line(alert, Tone::Bad, &alert.text));
    let over = before.iter().filter(|alert| !has(after, &alert.code)).map(|alert| line(alert, Tone::Good, "over"));
    begun.chain(over).collect()
}

type Found = Option<(&'static str, String)>;

fn damage(inner: &Inner) -> Found {
    let damage = inner.metrics.scrub.look().damage?;
    Some(("ledger_damaged", format!("{}: stop, `chef verify`, then restore or `chef repair`", damage.text)))
}

fn disk(inner: &Inner) -> Found {
    match inner.core.disk() {
        DiskHealth::Fine => None,
        DiskHealth::Full => Some((
            "disk_full",
            "the ledger's disk is full: read-only until there is space; what was accepted is safe, kitchens cook on"
                .into(),
        )),
        DiskHealth::Slow => Some((
            "disk_slow",
            "the ledger's disk does not answer: nothing is accepted until it does; kitchens cook on".into(),
        )),
    }
}

fn brake(inner: &Inner) -> Found {
    let brake = inner.core.brake()?;
    let text = format!(
        "{} of {} kitchens fell silent at once: the fault may be here, so they are given up one by one",
        brake.silent, brake.of
    );
    Some(("mass_suspicion", text))
}

fn panic(inner: &Inner) -> Found {
    let text = "less than half of the capacity is alive: orders are recovered, nothing is moved";
    inner.core.panicking().then(|| ("panic", text.into()))
}

fn quarantine(inner: &Inner, at: WallTime) -> Found {
    let state = inner.core.state();
    let waits = |id: &OrderId| state.order(*id).is_some_and(|order| order.state == OrderState::DeadLettered);
    let fresh = |(_, when): &&(OrderId, WallTime)| at.ms_since(*when) < QUARANTINE_MS;
    let orders: Vec<OrderId> =
        inner.set_aside.iter().rev().take_while(fresh).map(|(id, _)| *id).filter(waits).collect();
    let newest = orders.first()?;
    let count = if orders.len() == 1 { "1 order".to_owned() } else { format!("{} orders", orders.len()) };
    Some((
        "quarantine",
        format!("{count} set aside after three failed attempts: `chef show {newest}`, `chef release {newest}`"),
    ))
}
