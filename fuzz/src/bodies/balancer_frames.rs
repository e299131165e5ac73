//! What comes from a balancer: a frame that can be read is one that can be written, and the agent survives what it says.

use std::time::Duration;

use kitchen_agent::core::{Agent, AgentConfig, Cooking, Input};
use protocol::city::{City, DishNo};
use protocol::link::{self, BalancerMessage, Cook, Refusal, Timing, Welcome};
use protocol::{Epoch, Item, OrderId, Priority};

use super::lease;

/// Any bytes.
pub fn body(bytes: &[u8]) {
    let Ok(messages) = link::decode::<BalancerMessage>(bytes) else { return };
    let frame = link::encode(&messages);
    let again: Vec<BalancerMessage> = link::decode(&frame).expect("a frame reads back");
    // Bytes, not values: a city may hold a number that is not equal to itself.
    assert_eq!(link::encode(&again), frame, "a frame reads back as written");
    listen(messages);
}

/// Lets an agent hear all of it, and time pass.
fn listen(messages: Vec<BalancerMessage>) {
    let mut agent = Agent::new(AgentConfig {
        kitchen: "k0".parse().expect("a sound id"),
        name: "kitchen".into(),
        zone: "Downtown".into(),
        capacity: 3,
        stations: 2,
        specialties: Vec::new(),
        session: 7,
        pid: 7,
        version: "fuzz".into(),
        speed: 1.0,
        cooking: Cooking::Simulated,
    });
    let mut now = Duration::from_secs(9);
    agent.handle(now, Input::Connected);
    agent.handle(now, Input::Message(welcome()));
    for message in messages {
        now += Duration::from_millis(40);
        agent.handle(now, Input::Message(message));
        agent.handle(now, Input::Wake);
        agent.drain_effects().for_each(drop);
        assert!(agent.cooking() <= 2 && agent.holding() <= 4, "it never takes more than it has room for");
    }
}

fn welcome() -> BalancerMessage {
    let city = City { kitchens: Vec::new(), ..City::built_in() };
    BalancerMessage::Welcome(Box::new(Welcome { epoch: Epoch(1), timing: Timing::DEFAULT, city }))
}

fn cook(number: u64) -> BalancerMessage {
    let items = vec![Item { dish: DishNo(0), quantity: 1 }];
    let cook =
        Cook { lease: lease(number), attempt: 1, from_stage: 0, priority: Priority::Normal, ages_in_ms: 60_000, items };
    BalancerMessage::Cook { seen: 0, cook }
}

/// One frame of each message, and a day's conversation.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let day = vec![
        cook(1),
        cook(2),
        BalancerMessage::Renewed { seq: 1, lost: vec![lease(2)] },
        BalancerMessage::Release(lease(2)),
        BalancerMessage::Stop(lease(2)),
        BalancerMessage::Reserve { order: OrderId(3), for_ms: 1_000 },
        cook(3),
        BalancerMessage::Unreserve { order: OrderId(3) },
        BalancerMessage::Handover { lease: lease(1), max_wait_ms: 100 },
        BalancerMessage::Resume(lease(1)),
        BalancerMessage::Settled { lease: lease(1), stale: false },
        BalancerMessage::Refused(Refusal::NotLeader),
        welcome(),
    ];
    let mut seeds: Vec<Vec<u8>> = day.iter().map(|message| link::encode(std::slice::from_ref(message))).collect();
    seeds.push(link::encode(&day));
    seeds
}
