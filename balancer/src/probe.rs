//! The feed under load without sockets, disk or waiting, for its bench and its tests: kitchens that cook, readers that take.
//!
//! Owns virtual time and what a tick costs, part by part. Nothing of a running balancer uses it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use balancer_core::input::{ConnectionId, NewOrder, RequestId};
use balancer_core::{Core, Effect, Input, Now, Settings, State};
use protocol::api::PolicyView;
use protocol::city::{City, DishNo, ZoneNo};
use protocol::feed::TICK_MS;
use protocol::link::{AgentMessage, BalancerMessage, Hello, LeaseName, Timing};
use protocol::{Item, Position, Priority, WallTime};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;

use crate::clock::LedgerClock;
use crate::feed::Parcel;
use crate::hub::{Batch, Hub};
use crate::keys::Book;
use crate::leadership::Peers;
use crate::ledger::{self, AppendError, LedgerHandle, Row, Store};

/// Orders in hand of each kitchen, about.
const IN_HAND: usize = 8;
/// Ticks between two heartbeats of an agent.
const BEAT_TICKS: u64 = Timing::DEFAULT.heartbeat_ms as u64 / TICK_MS;

/// A store that keeps nothing: the ledger's thread has nothing to do here.
struct Nowhere;

impl Store for Nowhere {
    fn last(&self) -> Position {
        Position(0)
    }

    fn append(&mut self, _: &Row) -> Result<(), AppendError> {
        Ok(())
    }

    fn close(self) -> Result<(), AppendError> {
        Ok(())
    }
}

/// What one tick cost the thread that decides, and what came of it.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Taking in the events since the last tick.
    pub observe: Duration,
    /// Looking at the kitchens and building the frames.
    pub build: Duration,
    /// Making the text of a delta and handing it to every reader.
    pub send: Duration,
    /// Frames that became text.
    pub encodes: u64,
    /// Bytes of those, each counted once.
    pub bytes: u64,
    /// Making the text of a snapshot, on another thread.
    pub elsewhere: Duration,
}

impl Cost {
    /// All that the thread that decides does for the feed.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.observe + self.build + self.send
    }
}

/// An order that is cooked.
struct Job {
    connection: ConnectionId,
    lease: LeaseName,
    stages: u8,
    done: Option<u8>,
}

/// A hub with kitchens and readers.
pub struct Probe {
    hub: Hub,
    now: Now,
    ticks: u64,
    kitchens: u64,
    requests: u64,
    jobs: VecDeque<Job>,
    readers: Vec<(u64, mpsc::Receiver<Parcel>)>,
    runtime: Runtime,
}

impl Probe {
    /// A leader with so many kitchens, all alive, and no reader.
    ///
    /// # Panics
    /// The system gives no thread.
    #[must_use]
    pub fn new(kitchens: u32) -> Self {
        let ledger: LedgerHandle<Batch, _> =
            ledger::spawn(Nowhere, |_| {}, |error| panic!("{error}")).expect("a thread for the ledger");
        let core = Core::new(State::default(), Settings::default());
        let peers = Peers::new("b1".into(), "http://127.0.0.1:1".into());
        let clock = LedgerClock::begin(WallTime(0), None);
        let hub = Hub::new(core, Book::empty(), ledger, "b1".into(), std::env::temp_dir(), peers, clock);
        let now = Now { mono: crate::clock::mono(), wall: WallTime::now() };
        let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
        let (jobs, readers) = (VecDeque::new(), Vec::new());
        let kitchens = u64::from(kitchens);
        let mut probe = Self { hub, now, ticks: 0, kitchens, requests: 0, jobs, readers, runtime };
        let policy = Box::new(PolicyView { max_wait_ms: 0, migrate: false, steal: false, ..PolicyView::default() });
        probe.input(Input::Lead { city: Box::new(City::built_in()), policy });
        for number in 1..=kitchens {
            let hello = Box::new(hello(number));
            probe.input(Input::Join { connection: ConnectionId(number), hello });
        }
        probe.observe();
        probe
    }

    /// So many readers come.
    pub fn join(&mut self, readers: usize) {
        let mut inner = self.hub.lock();
        self.readers.extend((0..readers).filter_map(|_| inner.feed.join()));
    }

    /// So many ticks, each with so many events, to which nobody listens.
    pub fn run(&mut self, ticks: usize, events: usize) {
        for _ in 0..ticks {
            self.tick(events);
        }
    }

    /// All readers go.
    pub fn leave(&mut self) {
        let mut inner = self.hub.lock();
        self.readers.drain(..).for_each(|(number, _)| inner.feed.leave(number));
    }

    /// A tick, after which every reader takes what there is for it.
    pub fn tick_and_read(&mut self, events: usize) -> Cost {
        let before = self.counts();
        let cost = self.tick(events);
        let elsewhere = self.read();
        let after = self.counts();
        Cost { elsewhere, encodes: after.0 - before.0, bytes: after.1 - before.1, ..cost }
    }

    /// So many events happen, a tick's time passes, and the feed is told. The readers take nothing.
    pub fn tick(&mut self, events: usize) -> Cost {
        self.now.mono += Duration::from_millis(TICK_MS);
        self.now.wall.0 += TICK_MS;
        self.ticks += 1;
        if self.ticks.is_multiple_of(BEAT_TICKS) {
            self.beat();
        }
        let mut happened = 0;
        while happened < events {
            happened += self.step();
        }
        self.input(Input::Tick);
        let mut cost = Cost { observe: self.observe(), ..Cost::default() };
        let mut inner = self.hub.lock();
        let began = Instant::now();
        inner.feed_tick(&self.hub, self.now);
        cost.build = began.elapsed();
        let frames = inner.take_frames();
        let began = Instant::now();
        for frame in frames {
            inner.feed.send(frame);
        }
        cost.send = began.elapsed();
        cost
    }

    fn counts(&self) -> (u64, u64) {
        let inner = self.hub.lock();
        (inner.feed.encodes(), inner.feed.bytes())
    }

    /// A kitchen is drained, and finishes what it cooks in its own time.
    pub fn drain(&mut self, number: u64) {
        let request = self.request();
        let kitchen = hello(number).kitchen;
        let (deadline, by) = (Some(Duration::from_secs(30)), balancer_core::input::Operator::default());
        self.input(Input::Drain { request, kitchen, deadline, force: true, by });
    }

    /// The texts that wait for a reader, oldest first.
    pub fn texts(&mut self, reader: usize) -> Vec<String> {
        let Some((_, frames)) = self.readers.get_mut(reader) else { return Vec::new() };
        let parcels: Vec<Parcel> = std::iter::from_fn(|| frames.try_recv().ok()).collect();
        parcels.into_iter().map(|parcel| self.runtime.block_on(parcel.text()).to_string()).collect()
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Every reader takes what there is; the time for it beyond the pointers is the text of a snapshot.
    fn read(&mut self) -> Duration {
        let began = Instant::now();
        for (_, frames) in &mut self.readers {
            while let Ok(parcel) = frames.try_recv() {
                self.runtime.block_on(parcel.text());
            }
        }
        began.elapsed()
    }

    /// One order goes a step further, or a new one is placed; returns how many events that was.
    fn step(&mut self) -> usize {
        let wanted = usize::try_from(self.kitchens).unwrap_or(usize::MAX) * IN_HAND;
        let next = if self.jobs.len() < wanted { None } else { self.jobs.pop_front() };
        let Some(mut job) = next else {
            let request = self.request();
            let items = vec![Item { dish: DishNo(0), quantity: 1 }];
            let zone = ZoneNo(u16::try_from(self.requests % 6).unwrap_or(0));
            let order = NewOrder { items, zone, customer: None, priority: Priority::Normal, key: None };
            return self.input(Input::Submit { request, order }).max(1);
        };
        let (connection, lease) = (job.connection, job.lease);
        let message = match job.done {
            None => AgentMessage::Started { lease, stage: 0 },
            Some(done) if done + 1 < job.stages => AgentMessage::StageDone { lease, stage: done },
            Some(_) => AgentMessage::Completed { lease, cooked_ms: 900 },
        };
        let ends = matches!(message, AgentMessage::Completed { .. });
        job.done = Some(job.done.map_or(0, |done| done + 1));
        if !ends {
            self.jobs.push_back(job);
        }
        self.input(Input::Agent { connection, message }).max(1)
    }

    /// Every agent says what it holds.
    fn beat(&mut self) {
        let mut held: BTreeMap<ConnectionId, Vec<LeaseName>> = BTreeMap::new();
        for job in &self.jobs {
            held.entry(job.connection).or_default().push(job.lease);
        }
        for connection in (1..=self.kitchens).map(ConnectionId) {
            let held = held.remove(&connection).unwrap_or_default();
            self.input(Input::Agent { connection, message: AgentMessage::Heartbeat { seq: self.ticks, held } });
        }
    }

    fn input(&mut self, input: Input) -> usize {
        let mut inner = self.hub.lock();
        let before = inner.core.pending_events().len();
        inner.core.handle(self.now, input);
        for effect in inner.core.take_effects() {
            if let Effect::Tell(connection, BalancerMessage::Cook { cook, .. }) = effect {
                self.jobs.push_back(Job { connection, lease: cook.lease, stages: 3, done: None });
            }
        }
        inner.core.pending_events().len() - before
    }

    /// Gives the feed what has happened.
    fn observe(&mut self) -> Duration {
        let mut guard = self.hub.lock();
        let inner = &mut *guard;
        let (events, moves) = (inner.core.take_events(), inner.core.take_moves_asked());
        let began = Instant::now();
        let before = inner.core.state().position().0 - events.len() as u64;
        for (event, position) in events.iter().zip(before + 1..) {
            inner.feed.observe(inner.core.state(), event, Position(position));
        }
        inner.feed.moves_asked(&moves);
        began.elapsed()
    }
}

fn hello(number: u64) -> Hello {
    Hello {
        kitchen: format!("kitchen_{number}").parse().expect("an id"),
        name: format!("Kitchen number {number}"),
        zone: "Downtown".into(),
        capacity: 20,
        stations: 10,
        specialties: vec!["pizza".into(), "pasta".into()],
        session: number,
        pid: 1,
        version: crate::VERSION.into(),
        speed_milli: 1_000,
        stage_timeout_ms: None,
    }
}
