//! Bodies of journal rows: bytes that are not what was written are refused, never misread, and never ask for much memory.
//!
//! The first four bytes are the count that the row claims. Whether a row belongs where it stands is the chain's business
//! (`balancer/src/ledger`), so what can be read here is not applied: only rows that were chained are.

use balancer_core::event::row;
use balancer_core::event::{Accepted, Cause, KitchenNo, LossCause};
use balancer_core::input::Operator;
use balancer_core::{Event, Recorded};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, Item, Priority, WallTime};

use super::lease;

/// Any bytes.
pub fn body(bytes: &[u8]) {
    let Some((count, rest)) = bytes.split_first_chunk() else { return };
    let count = u32::from_le_bytes(*count);
    let Ok(events) = row::read(rest, count) else { return };
    assert_eq!(events.len(), count as usize);
    let written = write(&events);
    let again = row::read(&written, count).expect("what was read can be written and read");
    assert_eq!(write(&again), written, "a row reads back as written");
}

fn write(events: &[Recorded]) -> Vec<u8> {
    events.iter().fold(Vec::new(), |body, event| postcard::to_extend(event, body).expect("plain data"))
}

fn seed(events: &[Event]) -> Vec<u8> {
    let events: Vec<Recorded> =
        events.iter().map(|event| Recorded { at: WallTime(1_800_000_000_000), event: event.clone() }).collect();
    let mut seed = (events.len() as u32).to_le_bytes().to_vec();
    seed.extend(write(&events));
    seed
}

/// The first rows of a ledger, and an order's way.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let (order, token, kitchen) = (lease(1).order, lease(1).token, KitchenNo(0));
    let accepted = Accepted {
        order,
        items: vec![Item { dish: DishNo(0), quantity: 1 }],
        zone: ZoneNo(0),
        customer: Some("Ada".into()),
        priority: Priority::High,
        key: Some("key".into()),
        stages: 3,
        rush: false,
    };
    let by = Operator { name: "ada".into(), reason: "tea".into() };
    let way = [
        Event::Accepted(Box::new(accepted)),
        Event::Leased { order, kitchen, token, cause: Cause::Dispatch },
        Event::Started { order, token, stage: 0 },
        Event::StageDone { order, token, stage: 0 },
        Event::LeaseLost { order, token, cause: LossCause::KitchenSilent },
        Event::AttemptFailed { order, token, stage: 1, output: "burnt".into() },
        Event::Completed { order, token, cooked_ms: 9 },
        Event::Cancelled { order, by: by.clone() },
        Event::DrainStarted { kitchen, deadline_ms: 30_000, by },
    ];
    let first = [Event::EpochStarted { epoch: Epoch(1) }, Event::CityChanged { city: Box::new(City::built_in()) }];
    vec![seed(&way), seed(&first), seed(&way[..2]), seed(&[])]
}
