//! What comes from an agent: a frame that can be read is one that can be written, and the core survives what it says.

use std::time::Duration;

use balancer_core::input::{ConnectionId, NewOrder, RequestId};
use balancer_core::{Core, Input, Now, Settings, State, invariants};
use protocol::api::PolicyView;
use protocol::city::{City, DishNo, ZoneNo};
use protocol::link::{self, AgentMessage, DeclineReason, Hello, KeepReason, StayReason};
use protocol::{Item, OrderId, Priority, WallTime};

use super::lease;

/// Messages between two ticks of the core.
const TICK_EVERY: usize = 4;

/// Any bytes.
pub fn body(bytes: &[u8]) {
    let Ok(messages) = link::decode::<AgentMessage>(bytes) else { return };
    let again = link::decode::<AgentMessage>(&link::encode(&messages));
    assert_eq!(again.as_ref(), Ok(&messages), "a frame reads back as written");
    say(messages);
}

/// Says all of it to a core with two kitchens and five orders, on the connection of the first kitchen.
fn say(messages: Vec<AgentMessage>) {
    let (mut core, mut now) = town();
    let mut folded = core.state().clone();
    for (number, message) in messages.into_iter().enumerate() {
        core.handle(now, Input::Agent { connection: ConnectionId(0), message });
        if number % TICK_EVERY == 0 {
            now.mono += Duration::from_millis(150);
            core.handle(now, Input::Tick);
        }
        core.take_events().iter().for_each(|event| drop(folded.apply(event)));
        core.take_effects();
        invariants::check(core.state()).expect("the invariants hold whatever an agent says");
    }
    assert_eq!(&folded, core.state(), "the events alone give the same state");
}

fn town() -> (Core, Now) {
    let mut core = Core::new(State::default(), Settings::default());
    let now = Now { mono: Duration::from_secs(9), wall: WallTime(1) };
    core.handle(now, Input::Lead { city: Box::new(City::built_in()), policy: Box::new(PolicyView::default()) });
    for number in 0..2 {
        core.handle(now, Input::Join { connection: ConnectionId(number), hello: Box::new(hello(number)) });
    }
    for number in 0..5 {
        let order = NewOrder {
            items: vec![Item { dish: DishNo(0), quantity: 1 }],
            zone: ZoneNo(0),
            customer: None,
            priority: Priority::Normal,
            key: None,
        };
        core.handle(now, Input::Submit { request: RequestId(number), order });
    }
    core.take_events();
    core.take_effects();
    (core, now)
}

fn hello(number: u64) -> Hello {
    let zone = City::built_in().zones[0].name.clone();
    Hello {
        kitchen: format!("k{number}").parse().expect("a sound id"),
        name: "kitchen".into(),
        zone,
        capacity: 2,
        stations: 1,
        specialties: vec!["pizza".into()],
        session: 7,
        pid: 7,
        version: "fuzz".into(),
        speed_milli: 1_000,
        stage_timeout_ms: None,
    }
}

/// One frame of each message, and a day's conversation.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let day = vec![
        AgentMessage::Heartbeat { seq: 1, held: vec![lease(1), lease(2), lease(3)] },
        AgentMessage::Started { lease: lease(1), stage: 0 },
        AgentMessage::StageDone { lease: lease(1), stage: 0 },
        AgentMessage::Paused { lease: lease(1), stages_done: 1 },
        AgentMessage::Completed { lease: lease(1), cooked_ms: 900 },
        AgentMessage::Started { lease: lease(3), stage: 0 },
        AgentMessage::Failed { lease: lease(3), stage: 0, output: "burnt\u{1b}[2J\n".into() },
        AgentMessage::Released { lease: lease(2) },
        AgentMessage::ReleaseRefused { lease: lease(2), why: KeepReason::Unknown },
        AgentMessage::Declined { lease: lease(4), why: DeclineReason::Closing },
        AgentMessage::Declined { lease: lease(5), why: DeclineReason::TimedOut },
        AgentMessage::Reserved { order: OrderId(4) },
        AgentMessage::ReserveRefused { order: OrderId(4), why: DeclineReason::Full },
        AgentMessage::HandoverRefused { lease: lease(1), why: StayReason::InTheOven },
        AgentMessage::Hello(Box::new(hello(2))),
        AgentMessage::Goodbye,
        AgentMessage::Deaf,
    ];
    let mut seeds: Vec<Vec<u8>> = day.iter().map(|message| link::encode(std::slice::from_ref(message))).collect();
    seeds.push(link::encode(&day));
    seeds
}
