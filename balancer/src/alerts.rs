//! What an operator must know now, in words. Reads and phrases; decides nothing.

use balancer_core::{DiskHealth, KitchenNo, Trouble, limits};
use protocol::api::Alert;
use protocol::feed::{FeedEvent, Tone};
use protocol::{OrderId, OrderState, WallTime};

use crate::hub::Inner;

/// An order in quarantine is an alert for ten minutes, and a figure of the proof for ever.
const QUARANTINE_MS: u64 = 600_000;

/// Kitchens that are named in one alert; the others are counted.
const NAMED_MAX: usize = 3;
/// What is wrong with a stuck kitchen, and what to do.
const STUCK: &str = "holds orders and cooks none: its orders go elsewhere, and it is tried with one at a time; look at its \
                     agent and its cooking command";
/// The same of an ejected one.
const EJECTED: &str = "fails most orders and is left out, but for a probe now and then: look at its cooking command";

/// Everything that is wrong now, worst first. `known` are the alerts of the last look: what goes on keeps its beginning.
pub(crate) fn now(inner: &Inner, known: &[Alert], at: WallTime) -> Vec<Alert> {
    let (stuck, ejected) = troubled(inner);
    let found = [
        damage(inner),
        disk(inner),
        brake(inner),
        panic(inner),
        named(inner, &stuck, "kitchen_stuck", STUCK),
        named(inner, &ejected, "kitchen_ejected", EJECTED),
        clock(inner),
        quarantine(inner, at),
        keys_full(inner, at),
        keys_behind(inner),
        quarantine_full(inner),
    ];
    let since = |name: &str| known.iter().find(|alert| alert.name == name).map_or(at, |alert| alert.since);
    let alerts = found.into_iter().flatten();
    alerts.map(|(name, text)| Alert { name: name.into(), text, since: since(name) }).collect()
}

/// The events that tell of what began and what ended between two looks.
pub(crate) fn changes(inner: &Inner, before: &[Alert], after: &[Alert], at: WallTime) -> Vec<FeedEvent> {
    let has = |alerts: &[Alert], name: &str| alerts.iter().any(|alert| alert.name == name);
    let line = |alert: &Alert, tone, text: &str| FeedEvent {
        position: inner.core.state().position(),
        at,
        kind: "alert".into(),
        tone,
        subject: alert.name.clone(),
        text: text.into(),
        count: 1,
    };
    let begun = after.iter().filter(|alert| !has(before, &alert.name)).map(|alert| line(alert, Tone::Bad, &alert.text));
    let over = before.iter().filter(|alert| !has(after, &alert.name)).map(|alert| line(alert, Tone::Good, "over"));
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
        DiskHealth::Older => Some((
            "ledger_older",
            "the ledger is an older copy, for a standby has followed a longer one: put that one back, or start this balancer \
             with --accept-older-ledger and the standby anew"
                .into(),
        )),
        DiskHealth::Moved => Some((
            "ledger_moved",
            "the ledger was moved away: nothing is accepted until its directory is back; kitchens cook on".into(),
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

/// Kitchens that are stuck, and kitchens that are ejected.
fn troubled(inner: &Inner) -> (Vec<KitchenNo>, Vec<KitchenNo>) {
    let (mut stuck, mut ejected) = (Vec::new(), Vec::new());
    for (number, trouble) in inner.core.troubled() {
        match trouble {
            Trouble::Stuck => stuck.push(number),
            Trouble::Failing => ejected.push(number),
            Trouble::Slow => {}
        }
    }
    (stuck, ejected)
}

fn named(inner: &Inner, kitchens: &[KitchenNo], name: &'static str, what: &str) -> Found {
    let ids = kitchens.iter().take(NAMED_MAX).map(|number| inner.core.state().kitchen(*number).id.to_string());
    let ids: Vec<String> = ids.collect();
    let more = kitchens.len() - ids.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!kitchens.is_empty()).then(|| (name, format!("{}{more} {what}", ids.join(", "))))
}

fn clock(inner: &Inner) -> Found {
    let ahead = inner.clock.stepped_ms()?;
    let by = ahead.unsigned_abs() / 1_000;
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!(
        "the wall clock is {by} s {way} the ledger's time: somebody stepped it; durations are right, times of day are the ledger's"
    );
    Some(("clock_stepped", text))
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

/// Orders in quarantine take the place of open ones.
fn quarantine_full(inner: &Inner) -> Found {
    let count = inner.core.state().quarantined();
    let text = format!(
        "{count} orders are in quarantine, and {} orders at most are open or there: release or cancel them",
        limits::OPEN_ORDERS_MAX
    );
    (count >= limits::QUARANTINE_ALERT).then_some(("quarantine_full", text))
}

fn keys_full(inner: &Inner, at: WallTime) -> Found {
    let wait = inner.book.full(inner.core.state().key_term(), at)?;
    let text = format!(
        "as many idempotency keys are remembered as there is room for: new ones are taken in {} s; look at the space on the disk, or shorten --key-window",
        wait.as_secs()
    );
    Some(("keys_full", text))
}

fn keys_behind(inner: &Inner) -> Found {
    let text = "the keys of old orders are being read from the ledger: orders with new keys wait until then";
    (!inner.book.is_complete()).then(|| ("keys_behind", text.into()))
}
