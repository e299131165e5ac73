//! What a line of the palette means, once its words are taken apart.
//!
//! Owns how values are written: durations, ratios, dishes, ids. Never knows the picture: whether there is such a kitchen or
//! such a dish is seen by what runs the command.

use std::time::Duration;

use protocol::api::{Algorithm, ItemBody, PolicyChange, Weights};
use protocol::bounds::{self, Bound};
use protocol::order::QUANTITY_MAX;
use protocol::{KitchenId, OrderId};

use super::{Command, Said, show};
use crate::console::actions::{Action, ActionId};
use crate::console::app::order_form::Wish;
use crate::console::link::Request;

/// What a line's words mean.
pub(super) fn command(action: &Action, said: &Said) -> Result<Command, String> {
    let place = |at: usize| said.places.get(at).map(String::as_str);
    let reason = said.reason();
    let most = |count: usize| match said.places.get(count) {
        Some(extra) => Err(format!("{} takes nothing like `{}` here", action.name, show(extra))),
        None => Ok(()),
    };
    let change = |request: Request| Ok(Command::Change { request, reason: reason.clone() });
    let on_kitchen = |make: &dyn Fn(KitchenId) -> Request| match place(0) {
        Some(word) => change(make(kitchen(word)?)),
        None => Ok(Command::Act(action.id)),
    };
    let on_order = |make: &dyn Fn(OrderId) -> Command| match place(0) {
        Some(word) => Ok(make(order(word)?)),
        None => Ok(Command::Act(action.id)),
    };
    match action.id {
        ActionId::Filter => Ok(place(0).map_or(Command::Act(action.id), |_| Command::Filter(said.places.join(" ")))),
        ActionId::Zone if place(0).is_some() => Ok(Command::Zone(said.places.join(" "))),
        ActionId::Kitchen | ActionId::Show | ActionId::Zone if place(0).is_none() => {
            Err(format!("{} {}: which one?", action.name, action.args))
        }
        ActionId::Migrate => {
            most(2)?;
            match (place(0), place(1)) {
                (Some(id), Some(to)) => change(Request::Migrate { order: order(id)?, to: kitchen(to)? }),
                (Some(id), None) => Ok(Command::MigrateFrom(order(id)?)),
                (None, _) => Ok(Command::Act(action.id)),
            }
        }
        ActionId::Order => wish(said),
        ActionId::Drain => {
            most(1)?;
            let deadline_ms = said.option("--deadline").map(millis).transpose()?;
            let force = said.option("--force").is_some();
            if place(0).is_none() && (deadline_ms.is_some() || force) {
                return Err("drain KITCHEN --deadline 30s: which kitchen?".to_owned());
            }
            on_kitchen(&|kitchen| Request::Drain { kitchen, deadline_ms, force })
        }
        _ => {
            most(1)?;
            match action.id {
                ActionId::Cordon => on_kitchen(&Request::Cordon),
                ActionId::Uncordon => on_kitchen(&Request::Uncordon),
                ActionId::Kill => on_kitchen(&Request::Kill),
                ActionId::Cancel => {
                    on_order(&|id| Command::Change { request: Request::Cancel(id), reason: said.reason() })
                }
                ActionId::Release => {
                    on_order(&|id| Command::Change { request: Request::Release(id), reason: said.reason() })
                }
                ActionId::Explain => on_order(&Command::Explain),
                ActionId::Line => on_order(&Command::Line),
                ActionId::Show => on_order(&Command::Show),
                ActionId::Kitchen => Ok(Command::Kitchen(kitchen(place(0).unwrap_or_default())?)),
                ActionId::Sort => Ok(place(0).map_or(Command::Act(action.id), |word| Command::Sort(word.to_owned()))),
                ActionId::Theme => Ok(place(0).map_or(Command::Act(action.id), |name| Command::Theme(name.to_owned()))),
                ActionId::Rush => rush(said),
                ActionId::Policy => change(Request::SetPolicy(Box::new(policy(said)?))),
                other => {
                    most(0)?;
                    Ok(Command::Act(other))
                }
            }
        }
    }
}

fn rush(said: &Said) -> Result<Command, String> {
    let reason = said.reason();
    match said.places.first().map(String::as_str) {
        Some("stop") => return Ok(Command::Change { request: Request::StopRush, reason }),
        Some(other) => return Err(format!("rush takes `stop` or options, not `{}`", show(other))),
        None => {}
    }
    let rate = said.option("--rate").map(|word| number(word, bounds::RUSH_RATE)).transpose()?;
    let for_s = said.option("--for").map(millis).transpose()?.map(|ms| ms.div_ceil(1_000));
    if for_s.is_some_and(|seconds| !(1..=3_600).contains(&seconds)) {
        return Err("--for is 1 s to 1 h".to_owned());
    }
    Ok(Command::Rush { rate, for_s, zone: said.option("--zone").map(str::to_owned), reason })
}

/// A new order: dishes, and what else was said of it.
fn wish(said: &Said) -> Result<Command, String> {
    if let Some(id) = said.places.iter().find(|word| word.parse::<OrderId>().is_ok()) {
        return Err(format!("{} is an order that is there; its page: show {0}", show(id)));
    }
    let high = match said.option("--priority") {
        None => None,
        Some("normal") => Some(false),
        Some("high") => Some(true),
        Some(other) => return Err(format!("--priority is normal or high, not `{}`", show(other))),
    };
    let own = |name: &str| said.option(name).map(str::to_owned);
    let items = said.places.iter().map(|word| item(word)).collect::<Result<_, _>>()?;
    Ok(Command::Place(Box::new(Wish { items, zone: own("--zone"), customer: own("--customer"), high })))
}

/// `pizza` or `pizza:2`.
fn item(word: &str) -> Result<ItemBody, String> {
    let (dish, quantity) = match word.rsplit_once(':') {
        None => (word, Some(1)),
        Some((dish, number)) => (dish, number.parse().ok().filter(|n| (1..=QUANTITY_MAX).contains(n))),
    };
    let quantity = quantity.ok_or_else(|| format!("`{}`: how many is 1 to {QUANTITY_MAX}", show(word)))?;
    Ok(ItemBody { dish: dish.to_owned(), quantity })
}

fn policy(said: &Said) -> Result<PolicyChange, String> {
    let ratio = |name: &str| said.option(name).map(|word| number(word, bounds::RATIO)).transpose();
    let switch = |name: &str| said.option(name).map(yes_or_no).transpose();
    let time = |name: &str| said.option(name).map(millis).transpose();
    let count = |name: &str| {
        let wanted = |word: &str| word.parse::<u32>().map_err(|_| format!("{name} is a whole number"));
        said.option(name).map(wanted).transpose()
    };
    let change = PolicyChange {
        algorithm: said.option("--algorithm").map(str::parse::<Algorithm>).transpose()?,
        weights: said.option("--weights").map(weights).transpose()?,
        time_scale_ms: said.option("--time-scale").map(time_scale).transpose()?,
        distance_scale_km: said
            .option("--distance-scale-km")
            .map(|word| number(word, bounds::DISTANCE_SCALE))
            .transpose()?,
        overload_threshold: ratio("--overload-threshold")?,
        calm_threshold: ratio("--calm-threshold")?,
        available_threshold: ratio("--available-threshold")?,
        max_migrations_per_cycle: count("--max-migrations-per-cycle")?,
        cycle_ms: time("--cycle")?,
        min_stay_ms: time("--min-stay")?,
        max_hops: count("--max-hops")?,
        migrate: switch("--migrate")?,
        steal: switch("--steal")?,
        handover: switch("--handover")?,
        handover_max_wait_ms: time("--handover-max-wait")?,
        max_wait_ms: time("--max-wait")?,
    };
    if change == PolicyChange::default() {
        return Err("policy: what is to change? for instance --algorithm round-robin".to_owned());
    }
    Ok(change)
}

/// The scale of the time term; none is the fleet's median.
fn time_scale(text: &str) -> Result<Option<u64>, String> {
    if text == "median" {
        return Ok(None);
    }
    millis(text).map(Some).map_err(|why| format!("{why}, or median"))
}

fn weights(text: &str) -> Result<Weights, String> {
    let parts: Vec<f64> = text.split(',').map_while(|part| number(part, bounds::WEIGHT).ok()).collect();
    match (parts.as_slice(), text.split(',').count()) {
        ([load, specialty, time, distance], 4) => {
            Ok(Weights { load: *load, specialty: *specialty, time: *time, distance: *distance })
        }
        _ => Err("--weights are four numbers: load, specialty, time, distance, like 0.4,0.3,0.2,0.1".to_owned()),
    }
}

fn number(text: &str, bound: Bound) -> Result<f64, String> {
    bound.read(text).map_err(|bound| format!("`{}` is not {bound}", show(text)))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{}` is neither true nor false", show(text)))
}

fn millis(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is no duration; written like 30s, 2m or 500ms", show(text));
    let duration = match text.parse::<f64>() {
        Ok(seconds) => bounds::SECONDS.check(seconds).map(Duration::from_secs_f64).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    u64::try_from(duration.as_millis()).map_err(|_| wrong())
}

fn kitchen(word: &str) -> Result<KitchenId, String> {
    word.parse().map_err(|_| format!("`{}` is no kitchen id: 1 to 32 of a-z A-Z 0-9 _ - .", show(word)))
}

fn order(word: &str) -> Result<OrderId, String> {
    word.parse().map_err(|_| format!("`{}` is no order id: an o and a number, like o42", show(word)))
}
