//! The bench: hands commands to a real core, and holds what comes out against the reference.
//!
//! After each input: every event is one that the reference allows, the proof is the reference's, the invariants hold, a
//! state folded from the events alone equals the live one, and each request is answered once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use balancer_core::input::{ConnectionId, Operator, RequestId};
use balancer_core::{
    Core, DiskHealth, Effect, Event, Input, Now, Recorded, Refused, Reply, Settings, State, invariants,
};
use protocol::api::PolicyView;
use protocol::city::City;
use protocol::link::{AgentMessage, BalancerMessage, DeclineReason, Hello, KeepReason, LeaseName, StayReason};
use protocol::{FencingToken, KitchenId, OrderId, WallTime};

use super::command::{Command, KITCHENS, Name};
use super::reference::{Phase, Reference};

const CITY: &str = r#"
name = "Bench"
zone = [{ name = "Centre", x_km = 0.0, y_km = 0.0 }]
[[dish]]
name = "pizza"
stages = [{ name = "prep", ms = 400 }, { name = "cook", ms = 600, interruptible = false }, { name = "plate", ms = 200 }]
[[dish]]
name = "soup"
stages = [{ name = "cook", ms = 500 }]
"#;

/// Places and stations of the kitchens: one that holds a single order, one that never has a line.
const SIZES: [(u32, u32); KITCHENS] = [(2, 1), (3, 2), (1, 1), (4, 4)];
/// A healthy city is done with any story's orders in this time, even after the longest hold-down of a kitchen.
const DRAINED: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(100);

/// A kitchen's agent as the bench plays it.
#[derive(Debug, Default, Clone)]
pub struct Actor {
    pub connection: Option<ConnectionId>,
    old: Option<ConnectionId>,
    session: u64,
    seq: u64,
    /// What the balancer has asked it and it has not answered.
    asked: VecDeque<BalancerMessage>,
}

/// What one input led to.
#[derive(Debug)]
pub struct Out {
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
}

impl Out {
    pub fn count(&self, what: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| what(event)).count()
    }

    pub fn told(&self, what: impl Fn(&BalancerMessage) -> bool) -> bool {
        self.effects.iter().any(|effect| match effect {
            Effect::Tell(_, message) | Effect::TellNow(_, message) => what(message),
            Effect::Reply(..) | Effect::Close(_) => false,
        })
    }

    fn reply(&self, request: RequestId) -> Option<&Reply> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Reply(to, reply) if *to == request => Some(reply),
            _ => None,
        })
    }
}

/// Core, reference, and the agents between them.
pub struct Bench {
    core: Core,
    folded: State,
    pub reference: Reference,
    pub actors: Vec<Actor>,
    pub disk: DiskHealth,
    now: Now,
    pending: BTreeSet<RequestId>,
    connections: BTreeMap<ConnectionId, usize>,
    seen: BTreeSet<&'static str>,
    next: u64,
}

impl Bench {
    pub fn new() -> Self {
        let mut bench = Self {
            core: Core::new(State::default(), Settings::default()),
            folded: State::default(),
            reference: Reference::default(),
            actors: vec![Actor::default(); KITCHENS],
            disk: DiskHealth::Fine,
            now: Now { mono: Duration::from_secs(50), wall: WallTime(1_000_000) },
            pending: BTreeSet::new(),
            connections: BTreeMap::new(),
            seen: BTreeSet::new(),
            next: 0,
        };
        bench.lead();
        (0..KITCHENS as u8).for_each(|kitchen| bench.join(kitchen, true));
        bench
    }

    /// Kinds of events so far.
    pub fn seen(&self) -> &BTreeSet<&'static str> {
        &self.seen
    }

    /// No bound on waiting: whatever comes while the disk is fine is taken.
    pub fn policy() -> PolicyView {
        PolicyView { max_wait_ms: 0, ..PolicyView::default() }
    }

    fn lead(&mut self) {
        let city = Box::new(City::parse(CITY).expect("the bench's city"));
        self.give(Input::Lead { city, policy: Box::new(Self::policy()) });
    }

    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Hands in one input, and holds everything against the reference.
    pub fn give(&mut self, input: Input) -> Out {
        let words = format!("{input:?}");
        self.core.handle(self.now, input);
        let recorded = self.core.take_events();
        let effects = self.core.take_effects();
        for Recorded { event, .. } in &recorded {
            self.seen.insert(event.word());
            let followed = self.reference.follow(event);
            followed.unwrap_or_else(|why| panic!("{words}\nled to {event:?}\nwhich cannot be: {why}"));
        }
        recorded.iter().for_each(|event| drop(self.folded.apply(event)));
        assert_eq!(&self.folded, self.core.state(), "the fold of the events is not the live state after {words}");
        let state = self.core.state();
        invariants::check(state).unwrap_or_else(|why| panic!("{why} after {words}"));
        assert_eq!(state.proof(), self.reference.proof(), "the proof after {words}");
        self.reference.nothing_is_overdue().unwrap_or_else(|why| panic!("{why} after {words}"));
        for effect in &effects {
            match effect {
                Effect::Reply(request, reply) => {
                    assert!(self.pending.remove(request), "{request:?} is answered {reply:?} and did not wait");
                }
                Effect::Close(connection) => self.forget(*connection),
                Effect::Tell(connection, message) | Effect::TellNow(connection, message) => {
                    self.told(*connection, message);
                }
            }
        }
        Out { events: recorded.into_iter().map(|one| one.event).collect(), effects }
    }

    /// What is told must be true already.
    fn told(&mut self, connection: ConnectionId, message: &BalancerMessage) {
        let Some(actor) = self.connections.get(&connection).copied() else { return };
        match message {
            BalancerMessage::Cook { cook, .. } => {
                assert!(self.reference.is_current(actor, cook.lease), "told to cook without a right: {cook:?}");
                let done = self.reference.order(cook.lease.order).map(|order| order.stages_done);
                assert_eq!(Some(cook.from_stage), done, "not from the checkpoint: {cook:?}");
            }
            BalancerMessage::Stop(lease) => {
                assert!(!self.reference.is_current(actor, *lease), "told to stop what it holds: {lease:?}");
            }
            BalancerMessage::Release(_) | BalancerMessage::Reserve { .. } | BalancerMessage::Handover { .. } => {
                if let Some(actor) = self.actors.get_mut(actor) {
                    actor.asked.push_back(message.clone());
                }
            }
            BalancerMessage::Welcome(_)
            | BalancerMessage::Refused(_)
            | BalancerMessage::Renewed { .. }
            | BalancerMessage::Settled { .. }
            | BalancerMessage::Unreserve { .. }
            | BalancerMessage::Resume(_) => {}
        }
    }

    /// Answers the oldest question.
    pub fn answer(&mut self, kitchen: u8, good: bool) {
        let Some(actor) = self.actors.get_mut(usize::from(kitchen)) else { return };
        let Some(asked) = actor.asked.pop_front() else { return };
        let message = match asked {
            BalancerMessage::Release(lease) if good => AgentMessage::Released { lease },
            BalancerMessage::Release(lease) => AgentMessage::ReleaseRefused { lease, why: KeepReason::Started },
            BalancerMessage::Reserve { order, .. } if good => AgentMessage::Reserved { order },
            BalancerMessage::Reserve { order, .. } => AgentMessage::ReserveRefused { order, why: DeclineReason::Full },
            BalancerMessage::Handover { lease, .. } if good => {
                let done = self.reference.order(lease.order).map_or(0, |order| order.stages_done);
                AgentMessage::Paused { lease, stages_done: done.max(1) }
            }
            BalancerMessage::Handover { lease, .. } => {
                AgentMessage::HandoverRefused { lease, why: StayReason::InTheOven }
            }
            _ => return,
        };
        self.says(kitchen, message);
    }

    fn forget(&mut self, connection: ConnectionId) {
        for actor in &mut self.actors {
            if actor.connection == Some(connection) {
                (actor.connection, actor.old) = (None, Some(connection));
            }
        }
    }

    /// A request; unless it may wait for somebody, its answer is there at once.
    pub fn ask(&mut self, input: impl FnOnce(RequestId) -> Input) -> (Out, Option<Reply>) {
        let request = RequestId(self.number());
        self.pending.insert(request);
        let out = self.give(input(request));
        let reply = out.reply(request).cloned();
        (out, reply)
    }

    /// A request that is always answered at once; a refusal as an error.
    pub fn ask_now(&mut self, input: impl FnOnce(RequestId) -> Input) -> (Out, Result<Reply, Refused>) {
        let (out, reply) = self.ask(input);
        match reply.expect("an answer at once") {
            Reply::Refused(why) => (out, Err(why)),
            done => (out, Ok(done)),
        }
    }

    pub fn id(kitchen: u8) -> KitchenId {
        format!("k{kitchen}").parse().expect("an id")
    }

    pub fn by() -> Operator {
        Operator::default()
    }

    /// The n-th order of all; one that does not exist for one n in so many.
    pub fn pick(&self, n: u8) -> OrderId {
        OrderId(u64::from(n) % (self.reference.orders.len() as u64 + 1) + 1)
    }

    pub fn resolve(&self, actor: usize, name: Name) -> LeaseName {
        let newest = |order: OrderId| {
            let token = self.reference.order(order).map_or_else(FencingToken::default, super::reference::Order::newest);
            LeaseName { order, token }
        };
        match name {
            Name::Held(n) => {
                let held = self.reference.held_by(actor);
                let order = held.get(usize::from(n) % held.len().max(1)).copied();
                newest(order.unwrap_or_else(|| self.pick(n)))
            }
            Name::Newest(n) => newest(self.pick(n)),
            Name::Old(n) => {
                let order = self.pick(n);
                let tokens = self.reference.order(order).map_or(&[][..], |order| &order.tokens);
                let token = tokens.get(usize::from(n) % tokens.len().max(1)).copied();
                LeaseName { order, token: token.unwrap_or_default() }
            }
            Name::Invented(order, counter) => {
                let token = FencingToken { epoch: protocol::Epoch(9), counter };
                LeaseName { order: OrderId(order), token }
            }
        }
    }

    /// An agent connects; a new process has a new session.
    pub fn join(&mut self, kitchen: u8, new: bool) {
        let (capacity, stations) = SIZES.get(usize::from(kitchen)).copied().unwrap_or((1, 1));
        let session = self.number();
        let known = self.actors.get(usize::from(kitchen)).map_or(0, |actor| actor.session);
        let session = if new || known == 0 { session } else { known };
        let connection = ConnectionId(self.number());
        let hello = Hello {
            kitchen: Self::id(kitchen),
            name: "bench".into(),
            zone: if usize::from(kitchen) < KITCHENS { "Centre" } else { "Atlantis" }.into(),
            capacity,
            stations,
            specialties: vec!["soup".into()],
            session,
            pid: session as u32,
            version: "test".into(),
            speed_milli: 1_000,
            stage_timeout_ms: None,
        };
        self.connections.insert(connection, usize::from(kitchen));
        let out = self.give(Input::Join { connection, hello: Box::new(hello) });
        let welcome = out.told(|message| matches!(message, BalancerMessage::Welcome(_)));
        let refused = out.told(|message| matches!(message, BalancerMessage::Refused(_)));
        assert!(welcome != refused, "a hello is answered once");
        let stalled = self.disk != DiskHealth::Fine;
        let Some(actor) = self.actors.get_mut(usize::from(kitchen)) else {
            return assert!(refused, "a kitchen outside the city was let in");
        };
        assert!(
            welcome || stalled || actor.connection.is_some(),
            "nobody else is connected as k{kitchen}, and it was refused"
        );
        if welcome {
            (actor.session, actor.connection) = (session, Some(connection));
        }
    }

    /// The process that the balancer knows.
    pub fn pid(&self, kitchen: u8) -> u32 {
        self.actors.get(usize::from(kitchen)).map_or(0, |actor| actor.session as u32)
    }

    pub fn leave(&mut self, kitchen: u8) {
        let Some(connection) = self.actors.get(usize::from(kitchen)).and_then(|actor| actor.connection) else { return };
        self.forget(connection);
        self.give(Input::Left { connection });
    }

    /// On its connection, or on one that has ended, or on one that never was.
    pub fn says(&mut self, kitchen: u8, message: AgentMessage) -> (bool, Out) {
        let actor = self.actors.get(usize::from(kitchen)).cloned().unwrap_or_default();
        let connection = actor.connection.or(actor.old).unwrap_or(ConnectionId(u64::MAX));
        let out = self.give(Input::Agent { connection, message });
        (actor.connection.is_some(), out)
    }

    /// A heartbeat; what it names without a right comes back as lost, and nothing else does.
    pub fn beat(&mut self, kitchen: u8, all: bool) {
        let Some(actor) = self.actors.get_mut(usize::from(kitchen)) else { return };
        actor.seq += 1;
        let seq = actor.seq;
        let actor = usize::from(kitchen);
        let mut held: Vec<LeaseName> = Vec::new();
        if all {
            held.extend(self.reference.held_by(actor).into_iter().map(|order| LeaseName {
                order,
                token: self.reference.order(order).map_or_else(FencingToken::default, super::reference::Order::newest),
            }));
            held.push(self.resolve(actor, Name::Old(seq as u8)));
        }
        let expected: Vec<LeaseName> =
            held.iter().filter(|lease| !self.reference.is_current(actor, **lease)).copied().collect();
        let (connected, out) = self.says(kitchen, AgentMessage::Heartbeat { seq, held });
        let renewed = |message: &BalancerMessage| *message == BalancerMessage::Renewed { seq, lost: expected.clone() };
        assert_eq!(out.told(renewed), connected, "a heartbeat is answered with what is lost: {expected:?}");
    }

    pub fn pass(&mut self, ms: u16, beats: bool) {
        let until = self.now.mono + Duration::from_millis(u64::from(ms));
        while self.now.mono < until {
            self.tick(beats);
        }
    }

    fn tick(&mut self, beats: bool) {
        self.now.mono += STEP;
        self.now.wall.0 += STEP.as_millis() as u64;
        for kitchen in 0..KITCHENS as u8 {
            if beats && self.actors[usize::from(kitchen)].connection.is_some() {
                self.beat(kitchen, true);
            }
        }
        self.give(Input::Tick);
    }

    /// Another process takes over with what the ledger says.
    pub fn restart(&mut self) {
        self.core = Core::new(self.folded.clone(), Settings::default());
        self.pending.clear();
        self.disk = DiskHealth::Fine;
        for actor in &mut self.actors {
            (actor.old, actor.connection) = (actor.connection.take().or(actor.old), None);
        }
        self.lead();
    }

    /// Everything heals, and everything ends.
    pub fn drain(&mut self) {
        self.step(&Command::Disk(0));
        self.ask_now(|request| Input::SetPolicy { request, policy: Box::new(Self::policy()), by: Self::by() })
            .1
            .expect("a policy");
        for kitchen in 0..KITCHENS as u8 {
            self.join(kitchen, false);
        }
        let until = self.now.mono + DRAINED;
        while !self.pending.is_empty() || self.reference.orders.iter().any(|order| order.phase.open()) {
            let open = || self.reference.orders.iter().enumerate().filter(|(_, order)| order.phase.open());
            assert!(self.now.mono < until, "{:?} unanswered, open: {:?}", self.pending, open().collect::<Vec<_>>());
            self.tick(true);
            (0..KITCHENS as u8).for_each(|kitchen| self.cook_all(kitchen));
        }
    }

    fn cook_all(&mut self, kitchen: u8) {
        let shut = |state| state != protocol::api::Schedulable::Open;
        if self.reference.kitchen(usize::from(kitchen)).is_some_and(|(_, known)| shut(known.schedulable)) {
            self.step(&Command::Uncordon(kitchen));
        }
        for order in self.reference.held_by(usize::from(kitchen)) {
            let Some(known) = self.reference.order(order).filter(|order| order.phase.held()) else { continue };
            let (lease, stage, phase) = (LeaseName { order, token: known.newest() }, known.stages_done, known.phase);
            if phase == Phase::Leased {
                self.says(kitchen, AgentMessage::Started { lease, stage });
            }
            self.says(kitchen, AgentMessage::Completed { lease, cooked_ms: 500 });
        }
    }
}
