//! A small town for stories: a core, kitchens that answer by hand, and a trace of what was decided.
//!
//! Time moves only by [`Town::advance`]; heartbeats are sent for every kitchen that is not silent. After each step the
//! invariants are checked and a replay of all events must give the same state.

#![allow(dead_code, reason = "each story uses its own part of the town")]
#![allow(missing_docs, reason = "the names say it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use balancer_core::input::{ConnectionId, NewOrder, Operator, RequestId};
use balancer_core::{Core, Effect, Event, Guard, Input, Now, Recorded, Refused, Reply, Settings, State, invariants};
use protocol::api::{PolicyView, Receipt};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::link::{AgentMessage, BalancerMessage, Cook, Hello, LeaseName};
use protocol::{Item, KitchenId, OrderId, Priority, WallTime};

const CITY: &str = r#"
name = "Town"
zone = [{ name = "Centre", x_km = 0.0, y_km = 0.0 }, { name = "Edge", x_km = 5.0, y_km = 0.0 }]
[[dish]]
name = "pizza"
stages = [{ name = "prep", ms = 1000 }, { name = "cook", ms = 2000, interruptible = false }, { name = "plate", ms = 500 }]
[[dish]]
name = "soup"
stages = [{ name = "cook", ms = 1000 }]
[[dish]]
name = "stew"
stages = [{ name = "prep", ms = 1000 }, { name = "cook", ms = 2000 }, { name = "plate", ms = 500 }]
"#;

pub struct Town {
    pub core: Core,
    pub now: Now,
    all: Vec<Recorded>,
    told: usize,
    pub effects: Vec<Effect>,
    connections: BTreeMap<String, ConnectionId>,
    sessions: BTreeMap<String, u64>,
    silent: BTreeSet<String>,
    held: BTreeMap<String, BTreeMap<OrderId, Cook>>,
    told_at: BTreeMap<(String, OrderId), WallTime>,
    seq: u64,
    next: u64,
    settings: Settings,
    /// What kitchens that say hello from now on say of their speed, in thousandths.
    pub speed_milli: u32,
    /// And of their commands.
    pub stage_timeout_ms: Option<u32>,
}

pub fn by(name: &str) -> Operator {
    Operator { name: name.into(), reason: String::new() }
}

impl Town {
    pub fn new() -> Self {
        Self::with(PolicyView::default(), None)
    }

    pub fn with(policy: PolicyView, without: Option<Guard>) -> Self {
        let settings = Settings { seed: 7, without, ..Settings::default() };
        let mut town = Self {
            core: Core::new(State::default(), settings),
            now: Now { mono: Duration::from_secs(100), wall: WallTime(1_000_000) },
            all: Vec::new(),
            told: 0,
            effects: Vec::new(),
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            silent: BTreeSet::new(),
            held: BTreeMap::new(),
            told_at: BTreeMap::new(),
            seq: 0,
            next: 0,
            settings,
            speed_milli: 1_000,
            stage_timeout_ms: None,
        };
        town.input(Input::Lead { city: Box::new(City::parse(CITY).expect("the town")), policy: Box::new(policy) });
        town.told = town.all.len();
        town
    }

    pub fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.all.extend(self.core.take_events());
        let sound = invariants::check(self.core.state()).and_then(|()| invariants::check_reserved(&self.core));
        sound.unwrap_or_else(|why| panic!("{why}\n{}", self.trace()));
        let effects = self.core.take_effects();
        for effect in &effects {
            if let Effect::Tell(connection, BalancerMessage::Cook { cook, .. }) = effect
                && let Some((kitchen, _)) = self.connections.iter().find(|(_, known)| *known == connection)
            {
                self.held.entry(kitchen.clone()).or_default().insert(cook.lease.order, cook.clone());
                self.told_at.insert((kitchen.clone(), cook.lease.order), self.now.wall);
            }
        }
        self.effects.extend(effects);
    }

    pub fn request(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    /// The answer to the last request.
    pub fn answer(&self) -> Option<&Reply> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Reply(request, reply) if request.0 == self.next => Some(reply),
            _ => None,
        })
    }

    pub fn refusal(&self) -> &Refused {
        match self.answer() {
            Some(Reply::Refused(why)) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub fn receipt(&self) -> &Receipt {
        match self.answer() {
            Some(Reply::Placed(receipt) | Reply::Replayed(receipt)) => receipt,
            other => panic!("not placed: {other:?}"),
        }
    }

    /// A kitchen in the centre comes, as a new process.
    pub fn open(&mut self, id: &str, capacity: u32, stations: u32, specialties: &[&str]) {
        self.next += 1;
        let (session, connection) = (self.next, ConnectionId(self.next));
        self.sessions.insert(id.into(), session);
        self.hello(id, connection, session, capacity, stations, specialties);
    }

    pub fn hello(
        &mut self,
        id: &str,
        connection: ConnectionId,
        session: u64,
        capacity: u32,
        stations: u32,
        specialties: &[&str],
    ) {
        self.silent.remove(id);
        self.connections.insert(id.into(), connection);
        self.held.entry(id.into()).or_default();
        let hello = Hello {
            kitchen: id.parse().expect("an id"),
            name: id.into(),
            zone: "Centre".into(),
            capacity,
            stations,
            specialties: specialties.iter().map(|dish| (*dish).to_owned()).collect(),
            session,
            pid: 1,
            version: "test".into(),
            speed_milli: self.speed_milli,
            stage_timeout_ms: self.stage_timeout_ms,
        };
        self.input(Input::Join { connection, hello: Box::new(hello) });
    }

    pub fn connection(&self, id: &str) -> ConnectionId {
        self.connections[id]
    }

    pub fn session(&self, id: &str) -> u64 {
        self.sessions[id]
    }

    /// The connection breaks and nothing more is heard.
    pub fn kill(&mut self, id: &str) {
        self.silent.insert(id.into());
        self.held.insert(id.into(), BTreeMap::new());
        let connection = self.connections[id];
        self.input(Input::Left { connection });
    }

    /// Nothing more is heard, though the connection stands.
    pub fn freeze(&mut self, id: &str) {
        self.silent.insert(id.into());
    }

    pub fn thaw(&mut self, id: &str) {
        self.silent.remove(id);
    }

    pub fn order(&mut self, dish: u16, priority: Priority, key: Option<&str>) {
        let request = self.request();
        let order = NewOrder {
            items: vec![Item { dish: DishNo(dish), quantity: 1 }],
            zone: ZoneNo(0),
            customer: None,
            priority,
            key: key.map(Into::into),
        };
        self.input(Input::Submit { request, order });
    }

    pub fn pizza(&mut self) {
        self.order(0, Priority::Normal, None);
    }

    pub fn soup(&mut self) {
        self.order(1, Priority::Normal, None);
    }

    /// Time passes in steps of 50 ms; every kitchen that is not silent beats each 300 ms and names what it holds.
    pub fn advance(&mut self, ms: u64) {
        for _ in 0..ms / 50 {
            self.now.mono += Duration::from_millis(50);
            self.now.wall.0 += 50;
            if self.now.wall.0 % 300 < 50 {
                self.beat();
            }
            self.input(Input::Tick);
        }
    }

    /// Time passes, and nobody calls the balancer: it is stopped, suspended or starved.
    pub fn sleep(&mut self, ms: u64) {
        self.now.mono += Duration::from_millis(ms);
        self.now.wall.0 += ms;
    }

    /// Somebody sets the wall clock.
    pub fn set_wall_clock(&mut self, by_ms: i64) {
        self.now.wall.0 = self.now.wall.0.saturating_add_signed(by_ms);
    }

    pub fn mono(&self) -> Duration {
        self.now.mono
    }

    pub fn drain(&mut self, id: &str, deadline: Option<Duration>, force: bool) {
        let (request, kitchen) = (self.request(), self.kitchen(id));
        self.input(Input::Drain { request, kitchen, deadline, force, by: by("ann") });
    }

    pub fn beat(&mut self) {
        for id in self.connections.keys().cloned().collect::<Vec<_>>() {
            if !self.silent.contains(&id) {
                let held = self.held[&id].values().map(|cook| cook.lease).collect();
                self.seq += 1;
                let seq = self.seq;
                self.says(&id, AgentMessage::Heartbeat { seq, held });
            }
        }
    }

    pub fn says(&mut self, id: &str, message: AgentMessage) {
        let connection = self.connections[id];
        self.input(Input::Agent { connection, message });
    }

    /// The lease by which a kitchen was last told to cook an order.
    pub fn lease(&self, id: &str, order: u64) -> LeaseName {
        self.held[id]
            .get(&OrderId(order))
            .unwrap_or_else(|| panic!("{id} was never told of o{order}\n{}", self.trace()))
            .lease
    }

    /// Whether the ledger has the order under this very lease in this kitchen.
    pub fn is_held(&self, id: &str, lease: LeaseName) -> bool {
        let order = self.core.state().order(lease.order).expect("known");
        let holder = order.kitchen.map(|number| self.core.state().kitchen(number).id.to_string());
        order.token == lease.token && holder.as_deref() == Some(id) && order.state != protocol::OrderState::Queued
    }

    pub fn cook(&self, id: &str, order: u64) -> &Cook {
        &self.held[id][&OrderId(order)]
    }

    /// The order that a kitchen begins next, by its agent's rule: high priority and what has waited its share, the older
    /// first, then the others. Only for a kitchen that begins and completes one after another.
    pub fn next_in(&self, id: &str) -> u64 {
        let aged = |cook: &Cook| {
            let age = self.now.wall.ms_since(self.told_at[&(id.to_owned(), cook.lease.order)]);
            cook.priority == Priority::High || age >= u64::from(cook.ages_in_ms)
        };
        let next = self.held[id].values().min_by_key(|cook| (!aged(cook), cook.lease.order));
        next.unwrap_or_else(|| panic!("{id} holds nothing\n{}", self.trace())).lease.order.0
    }

    pub fn starts(&mut self, id: &str, order: u64) {
        let (lease, stage) = (self.lease(id, order), self.cook(id, order).from_stage);
        self.says(id, AgentMessage::Started { lease, stage });
    }

    pub fn stage_done(&mut self, id: &str, order: u64, stage: u8) {
        let lease = self.lease(id, order);
        self.says(id, AgentMessage::StageDone { lease, stage });
    }

    pub fn completes(&mut self, id: &str, order: u64) {
        let lease = self.lease(id, order);
        self.held.get_mut(id).expect("known").remove(&OrderId(order));
        self.says(id, AgentMessage::Completed { lease, cooked_ms: 1_000 });
    }

    /// The cooking command failed.
    pub fn fails(&mut self, id: &str, order: u64) {
        let lease = self.lease(id, order);
        self.held.get_mut(id).expect("known").remove(&OrderId(order));
        self.says(id, AgentMessage::Failed { lease, stage: 0, output: "burnt".into() });
    }

    pub fn releases(&mut self, id: &str, order: u64) {
        let lease = self.lease(id, order);
        self.held.get_mut(id).expect("known").remove(&OrderId(order));
        self.says(id, AgentMessage::Released { lease });
    }

    /// Cooks three stages that can all be broken off.
    pub fn stew(&mut self) {
        self.order(2, Priority::Normal, None);
    }

    /// Whether a kitchen was told this since the effects were cleared last.
    pub fn told(&self, id: &str, message: &BalancerMessage) -> bool {
        let connection = self.connections[id];
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Tell(to, told) if *to == connection && told == message))
    }

    /// What a kitchen was told first of this kind since the effects were cleared last.
    pub fn told_like(&self, id: &str, kind: impl Fn(&BalancerMessage) -> bool) -> Option<&BalancerMessage> {
        let connection = self.connections[id];
        self.effects.iter().find_map(|effect| match effect {
            Effect::Tell(to, message) if *to == connection && kind(message) => Some(message),
            _ => None,
        })
    }

    /// The kitchen drops an order, as after a `Stop`.
    pub fn drops(&mut self, id: &str, order: u64) {
        self.held.get_mut(id).expect("known").remove(&OrderId(order));
    }

    /// Forgets an order as if the message had been lost on the wire.
    pub fn lose_message(&mut self, id: &str, order: u64) {
        self.held.get_mut(id).expect("known").remove(&OrderId(order));
    }

    pub fn asked_to_release(&self, id: &str, order: u64) -> bool {
        let connection = self.connections[id];
        self.effects.iter().any(|effect| {
            matches!(effect, Effect::Tell(to, BalancerMessage::Release(lease)) if *to == connection && lease.order == OrderId(order))
        })
    }

    pub fn settled_as_stale(&self, lease: LeaseName) -> Option<bool> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Tell(_, BalancerMessage::Settled { lease: settled, stale }) if *settled == lease => Some(*stale),
            _ => None,
        })
    }

    pub fn kitchen(&self, id: &str) -> KitchenId {
        id.parse().expect("an id")
    }

    /// What was decided since the last call, a line each.
    pub fn news(&mut self) -> String {
        let text = self.text(self.told);
        self.told = self.all.len();
        text
    }

    pub fn trace(&self) -> String {
        self.text(0)
    }

    fn text(&self, from: usize) -> String {
        let state = self.core.state();
        let name = |number: balancer_core::KitchenNo| state.kitchen(number).id.to_string();
        let lines = self.all[from..].iter().map(|recorded| match &recorded.event {
            Event::Accepted(accepted) => format!("accepted {}", accepted.order),
            Event::Leased { order, kitchen, token, cause } => {
                format!("leased {order} to {} by {} ({})", name(*kitchen), token.counter, cause.kind().word())
            }
            Event::Started { order, stage, .. } => format!("started {order} at {stage}"),
            Event::StageDone { order, stage, .. } => format!("done {order} stage {stage}"),
            Event::Completed { order, token, .. } => format!("completed {order} by {}", token.counter),
            Event::AttemptFailed { order, output, .. } => format!("failed {order}: {output}"),
            Event::LeaseLost { order, cause, .. } => format!("lost {order}: {}", cause.word()),
            Event::MoveFailed { order, result, reason, .. } => {
                format!("not moved {order} ({}): {}", reason.word(), result.word())
            }
            Event::Cancelled { order, .. } => format!("cancelled {order}"),
            Event::DeadLettered { order, strikes } => format!("set aside {order} after {strikes}"),
            Event::StaleRefused { order, kitchen, token } => {
                format!("refused {order} of {} by {}", name(*kitchen), token.counter)
            }
            Event::KitchenRegistered(kitchen) => format!("opened {}", kitchen.id),
            Event::KitchenLost { kitchen, cause, .. } => format!("gone {}: {}", name(*kitchen), cause.word()),
            Event::KitchenReturned { kitchen } => format!("back {}", name(*kitchen)),
            Event::KitchenScheduling { kitchen, schedulable, .. } => {
                format!("{} {}", schedulable.word(), name(*kitchen))
            }
            Event::Drained { kitchen } => format!("drained {}", name(*kitchen)),
            Event::EpochStarted { epoch } => format!("epoch {epoch}"),
            Event::CityChanged { .. } => "city".into(),
            Event::PolicyChanged { .. } | Event::PolicySet { .. } => "policy".into(),
            Event::DrainStarted { kitchen, .. } => format!("draining {}", name(*kitchen)),
            Event::MoveOrdered { order, to, .. } => format!("move {order} to {}", name(*to)),
            Event::HandedOver { order, token, pause_ms } => {
                format!("handed over {order} to {} after {pause_ms} ms", token.counter)
            }
            Event::Requeued { order, .. } => format!("released {order}"),
            Event::RushStarted { .. } => "rush".into(),
            Event::RushEnded { .. } => "rush over".into(),
            Event::KeyWindowSet { window_ms } => format!("keys for {window_ms} ms"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The balancer dies and another process replays the ledger: connections and clocks are gone.
    pub fn restart(&mut self) {
        let mut state = State::default();
        self.all.iter().for_each(|event| drop(state.apply(event)));
        assert_eq!(&state, self.core.state(), "a replay gives the same state");
        self.core = Core::new(state, self.settings);
        self.connections.clear();
        self.input(Input::Lead {
            city: Box::new(City::parse(CITY).expect("the town")),
            policy: Box::new(PolicyView::default()),
        });
    }
}
