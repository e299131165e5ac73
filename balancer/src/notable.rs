//! Which events are worth a line on a screen, and how the line reads. Everything else is only counted.
//!
//! The feed tells a line when it happens, and the projection keeps those of operators: the same words for both.

use balancer_core::event::Cause;
use balancer_core::input::Operator;
use balancer_core::{Event, KitchenNo, Recorded, State};
use protocol::Position;
use protocol::api::{Algorithm, Schedulable};
use protocol::city::ZoneNo;
use protocol::feed::{FeedEvent, Tone};
use protocol::text::clean;

/// Who knows the names behind the numbers in an event.
pub(crate) trait Named {
    /// A kitchen's id.
    fn kitchen(&self, number: KitchenNo) -> String;
    /// A zone's name.
    fn zone(&self, number: ZoneNo) -> Option<&str>;
}

impl Named for State {
    fn kitchen(&self, number: KitchenNo) -> String {
        self.kitchen(number).id.to_string()
    }

    fn zone(&self, number: ZoneNo) -> Option<&str> {
        self.zone(number).map(|zone| zone.name.as_str())
    }
}

/// Who did it, if an operator did: a request without a name counts, what the balancer does by itself does not.
pub(crate) fn operator(event: &Event) -> Option<&Operator> {
    match event {
        Event::KitchenScheduling { by, .. }
        | Event::DrainStarted { by, .. }
        | Event::MoveOrdered { by, .. }
        | Event::Requeued { by, .. }
        | Event::Cancelled { by, .. }
        | Event::RushStarted { by, .. } => Some(by),
        // A new ledger's first policy is nobody's, and a rush ends by itself.
        Event::PolicyChanged { by, .. } | Event::PolicySet { by, .. } | Event::RushEnded { by } => {
            Some(by).filter(|by| !by.name.is_empty())
        }
        Event::EpochStarted { .. }
        | Event::CityChanged { .. }
        | Event::KitchenRegistered(_)
        | Event::KitchenLost { .. }
        | Event::KitchenReturned { .. }
        | Event::Accepted(_)
        | Event::Leased { .. }
        | Event::Started { .. }
        | Event::StageDone { .. }
        | Event::Completed { .. }
        | Event::AttemptFailed { .. }
        | Event::LeaseLost { .. }
        | Event::MoveFailed { .. }
        | Event::DeadLettered { .. }
        | Event::StaleRefused { .. }
        | Event::Drained { .. }
        | Event::KeyWindowSet { .. }
        | Event::HandedOver { .. } => None,
    }
}

/// The line of an event at `position`, if it has one. `names` are as of just after the event.
pub(crate) fn event(names: &impl Named, position: Position, recorded: &Recorded) -> Option<FeedEvent> {
    let name = |number: KitchenNo| names.kitchen(number);
    let by = |operator: &Operator| {
        let who = if operator.name.is_empty() { "somebody".into() } else { clean(&operator.name, 40) };
        if operator.reason.is_empty() {
            format!("by {who}")
        } else {
            format!("by {who}: {}", clean(&operator.reason, 80))
        }
    };
    let (tone, subject, text) = match &recorded.event {
        Event::EpochStarted { epoch } => (Tone::Good, format!("epoch {epoch}"), "a leader begins its reign".into()),
        Event::CityChanged { city } => (Tone::Info, clean(&city.name, 40), "the city was brought up to date".into()),
        Event::PolicyChanged { policy, by: operator } => policy_line(policy.algorithm, operator, &by(operator)),
        Event::PolicySet { policy, by: operator } => policy_line(policy.algorithm, operator, &by(operator)),
        Event::KitchenRegistered(registered) => {
            let zone = names.zone(registered.zone).unwrap_or_default();
            let text = format!(
                "{} in {zone}: {} places, {} stations",
                registered.name, registered.capacity, registered.stations
            );
            (Tone::Good, registered.id.to_string(), text)
        }
        Event::KitchenLost { kitchen, cause, silent_ms } => {
            let seconds = f64::from(*silent_ms) / 1e3;
            (Tone::Bad, name(*kitchen), format!("{}, silent for {seconds:.1} s", cause.word()))
        }
        Event::KitchenReturned { kitchen } => (Tone::Good, name(*kitchen), "heard again".into()),
        Event::KitchenScheduling { kitchen, schedulable, by: operator } => {
            let tone = if *schedulable == Schedulable::Open { Tone::Good } else { Tone::Warn };
            (tone, name(*kitchen), format!("{} {}", schedulable.word(), by(operator)))
        }
        Event::DrainStarted { kitchen, deadline_ms, by: operator } => {
            let text = format!("draining for at most {} s {}", deadline_ms / 1_000, by(operator));
            (Tone::Warn, name(*kitchen), text)
        }
        Event::MoveOrdered { order, to, by: operator } => {
            (Tone::Info, order.to_string(), format!("to be moved to {} {}", name(*to), by(operator)))
        }
        Event::Requeued { order, by: operator } => {
            (Tone::Good, order.to_string(), format!("released from quarantine {}", by(operator)))
        }
        Event::Drained { kitchen } => (Tone::Good, name(*kitchen), "drained: the agent reports empty".into()),
        Event::Leased { kitchen, cause: Cause::Reassign { from, reason, .. }, .. } => {
            return line(
                position,
                recorded,
                "migrated",
                Tone::Info,
                name(*from),
                format!("-> {} {}", name(*kitchen), reason.word()),
            );
        }
        Event::Leased { kitchen, cause: Cause::Handover { from, reason, saved_ms }, .. } => {
            let saved = f64::from(*saved_ms) / 1e3;
            let text = format!("-> {} {}, {saved:.1} s of cooking kept", name(*kitchen), reason.word());
            return line(position, recorded, "handed_over", Tone::Info, name(*from), text);
        }
        Event::Leased { kitchen, cause: Cause::Recover { from, cause }, .. } => {
            return line(
                position,
                recorded,
                "recovered",
                Tone::Good,
                name(*from),
                format!("-> {} {}", name(*kitchen), cause.word()),
            );
        }
        Event::MoveFailed { from, to, reason, result, .. } => {
            (Tone::Warn, name(*from), format!("-> {} {}: {}", name(*to), reason.word(), result.word()))
        }
        Event::AttemptFailed { order, stage, output, .. } => {
            let said = output.lines().next_back().unwrap_or_default();
            (Tone::Warn, order.to_string(), format!("stage {} failed: {}", stage.saturating_add(1), clean(said, 80)))
        }
        Event::DeadLettered { order, strikes } => {
            (Tone::Bad, order.to_string(), format!("set aside after {strikes} attempts"))
        }
        Event::StaleRefused { kitchen, .. } => (Tone::Warn, name(*kitchen), "late result refused".into()),
        Event::Cancelled { order, by: operator } => {
            (Tone::Info, order.to_string(), format!("cancelled {}", by(operator)))
        }
        Event::RushStarted { rate_milli, zone, lasts_ms, by: operator } => {
            let zone = zone.and_then(|zone| names.zone(zone)).unwrap_or("the whole city");
            let rate = *rate_milli as f64 / 1e3;
            (Tone::Warn, zone.to_owned(), format!("{rate} orders/s for {} s {}", lasts_ms / 1_000, by(operator)))
        }
        Event::RushEnded { by: operator } => {
            let text = if operator.name.is_empty() { "its time is over".into() } else { by(operator) };
            (Tone::Info, "rush".into(), text)
        }
        Event::Accepted(_)
        | Event::Leased { .. }
        | Event::Started { .. }
        | Event::StageDone { .. }
        | Event::Completed { .. }
        | Event::HandedOver { .. }
        | Event::KeyWindowSet { .. }
        | Event::LeaseLost { .. } => return None,
    };
    line(position, recorded, recorded.event.word(), tone, subject, text)
}

fn policy_line(algorithm: Algorithm, operator: &Operator, by: &str) -> (Tone, String, String) {
    let text = if operator.name.is_empty() { "in force".into() } else { format!("in force {by}") };
    (Tone::Info, algorithm.word().into(), text)
}

fn line(
    position: Position,
    recorded: &Recorded,
    kind: &str,
    tone: Tone,
    subject: String,
    text: String,
) -> Option<FeedEvent> {
    Some(FeedEvent { position, at: recorded.at, kind: kind.into(), tone, subject, text, count: 1 })
}

/// An event's details for an order's history.
pub(crate) fn detail(kitchens: &[String], event: &Event) -> String {
    let name = |number: KitchenNo| kitchens.get(number.index()).map_or("a kitchen", String::as_str);
    match event {
        Event::Accepted(accepted) => {
            let dishes: u64 = accepted.items.iter().map(|item| u64::from(item.quantity)).sum();
            let dish = if dishes == 1 { "dish" } else { "dishes" };
            let stage = if accepted.stages == 1 { "stage" } else { "stages" };
            format!("{dishes} {dish}, {} {stage}", accepted.stages)
        }
        Event::Leased { kitchen, token, cause, .. } => match cause {
            Cause::Dispatch => format!("to {} with token {token}", name(*kitchen)),
            Cause::Reassign { from, reason, pause_ms } => {
                format!("{} -> {} with token {token}: {}, {pause_ms} ms", name(*from), name(*kitchen), reason.word())
            }
            Cause::Recover { from, cause } => {
                format!("recovered from {} to {} with token {token}: {}", name(*from), name(*kitchen), cause.word())
            }
            Cause::Handover { from, reason, saved_ms } => {
                let (from, to, reason) = (name(*from), name(*kitchen), reason.word());
                format!("handed over from {from} to {to} with token {token}: {reason}, {saved_ms} ms of cooking kept")
            }
            Cause::Release => format!("out of quarantine, to {} with token {token}", name(*kitchen)),
            Cause::Retry => format!("again, to {} with token {token}", name(*kitchen)),
        },
        Event::Started { stage, token, .. } => format!("at stage {} under {token}", stage.saturating_add(1)),
        Event::StageDone { stage, token, .. } => format!("stage {} under {token}", stage.saturating_add(1)),
        Event::Completed { token, cooked_ms, .. } => format!("under {token}, cooked in {cooked_ms} ms"),
        Event::AttemptFailed { stage, output, .. } => format!("in stage {}: {output}", stage.saturating_add(1)),
        Event::LeaseLost { token, cause, .. } => format!("{token}: {}", cause.word()),
        Event::MoveFailed { from, to, reason, result, .. } => {
            format!("{} -> {} for {}: {}", name(*from), name(*to), reason.word(), result.word())
        }
        Event::Cancelled { by, .. } => format!("by {}", if by.name.is_empty() { "somebody" } else { &by.name }),
        Event::DeadLettered { strikes, .. } => format!("after {strikes} failed or lost attempts"),
        Event::StaleRefused { kitchen, token, .. } => format!("late result of {} under {token}", name(*kitchen)),
        Event::MoveOrdered { to, by, .. } => format!("to {} by {}", name(*to), by.name),
        Event::HandedOver { token, pause_ms, .. } => format!("cooked again under {token} after {pause_ms} ms"),
        Event::Requeued { by, .. } => format!("by {}", if by.name.is_empty() { "somebody" } else { &by.name }),
        Event::EpochStarted { .. }
        | Event::PolicySet { .. }
        | Event::DrainStarted { .. }
        | Event::CityChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::KitchenRegistered(_)
        | Event::KitchenLost { .. }
        | Event::KitchenReturned { .. }
        | Event::KitchenScheduling { .. }
        | Event::Drained { .. }
        | Event::KeyWindowSet { .. }
        | Event::RushStarted { .. }
        | Event::RushEnded { .. } => String::new(),
    }
}
