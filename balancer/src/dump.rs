//! `chef dump`: the ledger as lines of JSON, one an event, for outside checkers and people.
//!
//! Owns the words: numbers of kitchens, dishes and zones become the names they had at that position. Checks the chain of
//! all rows on the way, and keeps one row and the names in memory. Never judges an event (verify.rs).

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use balancer_core::event::{Accepted, Cause, Registered};
use balancer_core::input::Operator;
use balancer_core::{Event, KitchenNo, Recorded};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, Position};
use serde_json::{Map, Value, json};

use crate::ledger::{self, ReadError};
use crate::recovery;

/// Why a dump ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The ledger cannot be read, or is damaged; what is whole was printed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row is whole but not made of events.
    #[error("the row at position {0} holds something that is not an event of this release: {1}")]
    Row(Position, String),
    /// The reader of the lines has gone, or has no space.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes the events from position `first` to `last`, one a line, and gives their number.
///
/// # Errors
/// After writing all that is whole: the damage.
pub fn run(dir: &Path, (first, last): (Position, Position), out: &mut impl Write) -> Result<u64, DumpError> {
    let (mut names, mut lines, mut failed) = (Names::default(), 0, None);
    let walked = ledger::walk_all(dir, |row| {
        if row.first > last {
            return ControlFlow::Break(());
        }
        let written = recovery::decode(row).map_err(|why| DumpError::Row(row.first, why)).and_then(|events| {
            for (recorded, at) in events.iter().zip(row.first.0..) {
                names.learn(&recorded.event);
                if (first.0..=last.0).contains(&at) {
                    line(out, &names, Position(at), row.epoch, recorded)?;
                    lines += 1;
                }
            }
            Ok(())
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    out.flush()?;
    if let Some(error) = failed {
        return Err(error);
    }
    walked?;
    Ok(lines)
}

fn line(
    out: &mut impl Write,
    names: &Names,
    position: Position,
    epoch: Epoch,
    recorded: &Recorded,
) -> Result<(), DumpError> {
    let mut fields = Map::new();
    fields.insert("position".into(), json!(position));
    fields.insert("epoch".into(), json!(epoch));
    fields.insert("at".into(), json!(recorded.at));
    fields.insert("event".into(), json!(recorded.event.word()));
    if let Some(order) = recorded.event.order() {
        fields.insert("order".into(), json!(order));
    }
    if let Value::Object(more) = names.fields(&recorded.event) {
        // `epoch` of a reign that begins is the line's own.
        fields.extend(more);
    }
    serde_json::to_writer(&mut *out, &fields).map_err(io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// What numbers stand for, at the position that was come to.
#[derive(Default)]
struct Names {
    city: Option<Box<City>>,
    kitchens: Vec<String>,
}

impl Names {
    fn learn(&mut self, event: &Event) {
        match event {
            Event::CityChanged { city } => self.city = Some(city.clone()),
            Event::KitchenRegistered(registered) => {
                let index = registered.kitchen.index();
                if index == self.kitchens.len() {
                    self.kitchens.push(registered.id.to_string());
                }
            }
            _ => {}
        }
    }

    fn kitchen(&self, number: KitchenNo) -> Value {
        self.kitchens.get(number.index()).map_or_else(|| json!(number.0), |name| json!(name))
    }

    fn zone(&self, number: ZoneNo) -> Value {
        let zone = self.city.as_ref().and_then(|city| city.zones.get(usize::from(number.0)));
        zone.map_or_else(|| json!(number.0), |zone| json!(zone.name))
    }

    fn dish(&self, number: DishNo) -> Value {
        let dish = self.city.as_ref().and_then(|city| city.menu.dish(number));
        dish.map_or_else(|| json!(number.0), |dish| json!(dish.name))
    }

    /// Everything of an event but its order.
    fn fields(&self, event: &Event) -> Value {
        match event {
            Event::EpochStarted { epoch } => json!({ "epoch": epoch }),
            Event::CityChanged { city } => json!({ "city": city }),
            Event::PolicyChanged { policy, by } => with(json!({ "policy": policy }), by),
            Event::PolicySet { policy, by } => with(json!({ "policy": policy }), by),
            Event::KitchenRegistered(registered) => self.registered(registered),
            Event::KitchenLost { kitchen, cause, silent_ms } => {
                json!({ "kitchen": self.kitchen(*kitchen), "cause": cause.word(), "silent_ms": silent_ms })
            }
            Event::KitchenReturned { kitchen } | Event::Drained { kitchen } => {
                json!({ "kitchen": self.kitchen(*kitchen) })
            }
            Event::KitchenScheduling { kitchen, schedulable, by } => {
                with(json!({ "kitchen": self.kitchen(*kitchen), "schedulable": schedulable }), by)
            }
            Event::DrainStarted { kitchen, deadline_ms, by } => {
                with(json!({ "kitchen": self.kitchen(*kitchen), "deadline_ms": deadline_ms }), by)
            }
            Event::Accepted(accepted) => self.accepted(accepted),
            Event::Leased { kitchen, token, cause, .. } => {
                let mut fields = self.cause(*cause);
                fields["kitchen"] = self.kitchen(*kitchen);
                fields["token"] = json!(token);
                fields
            }
            Event::Started { token, stage, .. } | Event::StageDone { token, stage, .. } => {
                json!({ "token": token, "stage": stage })
            }
            Event::Completed { token, cooked_ms, .. } => json!({ "token": token, "cooked_ms": cooked_ms }),
            Event::AttemptFailed { token, stage, output, .. } => {
                json!({ "token": token, "stage": stage, "output": output })
            }
            Event::LeaseLost { token, cause, .. } => json!({ "token": token, "cause": cause.word() }),
            Event::MoveFailed { from, to, reason, result, .. } => json!({
                "from": self.kitchen(*from), "to": self.kitchen(*to), "reason": reason.word(), "result": result.word()
            }),
            Event::MoveOrdered { to, by, .. } => with(json!({ "to": self.kitchen(*to) }), by),
            Event::Cancelled { by, .. } | Event::Requeued { by, .. } | Event::RushEnded { by } => with(json!({}), by),
            Event::DeadLettered { strikes, .. } => json!({ "strikes": strikes }),
            Event::StaleRefused { kitchen, token, .. } => json!({ "kitchen": self.kitchen(*kitchen), "token": token }),
            Event::KeyWindowSet { window_ms } => json!({ "window_ms": window_ms }),
            Event::HandedOver { token, pause_ms, .. } => json!({ "token": token, "pause_ms": pause_ms }),
            Event::RushStarted { rate_milli, zone, lasts_ms, by } => with(
                json!({
                    "rate": *rate_milli as f64 / 1e3, "zone": zone.map(|zone| self.zone(zone)), "lasts_ms": lasts_ms
                }),
                by,
            ),
        }
    }

    fn accepted(&self, accepted: &Accepted) -> Value {
        let items =
            accepted.items.iter().map(|item| json!({ "dish": self.dish(item.dish), "quantity": item.quantity }));
        json!({
            "items": items.collect::<Vec<_>>(), "zone": self.zone(accepted.zone), "customer": accepted.customer,
            "priority": accepted.priority, "key": accepted.key, "stages": accepted.stages, "rush": accepted.rush
        })
    }

    fn registered(&self, registered: &Registered) -> Value {
        let specialties = registered.specialties.iter().map(|dish| self.dish(*dish));
        json!({
            "kitchen": registered.id, "name": registered.name, "zone": self.zone(registered.zone),
            "capacity": registered.capacity, "stations": registered.stations,
            "specialties": specialties.collect::<Vec<_>>(), "session": registered.session
        })
    }

    fn cause(&self, cause: Cause) -> Value {
        let kind = cause.kind().word();
        match cause {
            Cause::Dispatch | Cause::Retry | Cause::Release => json!({ "kind": kind }),
            Cause::Reassign { from, reason, pause_ms } => {
                json!({ "kind": kind, "from": self.kitchen(from), "reason": reason.word(), "pause_ms": pause_ms })
            }
            Cause::Recover { from, cause } => {
                json!({ "kind": kind, "from": self.kitchen(from), "cause": cause.word() })
            }
            Cause::Handover { from, reason, saved_ms } => {
                json!({ "kind": kind, "from": self.kitchen(from), "reason": reason.word(), "saved_ms": saved_ms })
            }
        }
    }
}

fn with(mut fields: Value, by: &Operator) -> Value {
    fields["by"] = json!(by.name);
    fields["why"] = json!(by.reason);
    fields
}

#[cfg(test)]
mod tests;
