//! The agent's state machine: which leases this kitchen holds, what it cooks, and what it still has to report.
//!
//! Owns every decision of the agent. Never reads a clock, opens a socket, starts a process or draws a random number:
//! time comes in with each [`Input`], and what should happen outside goes out as [`Effect`]s. So the daemon and the
//! simulator drive the same code.
//!
//! ```text
//! shell:  agent.handle(now, input)                  each input, and Input::Wake at next_deadline()
//!         for effect in agent.drain_effects()       send, run, kill
//! ```
//!
//! What keeps an order from being cooked in two kitchens at once:
//! - every held lease has a fence: the moment the last answered heartbeat that named it was *sent*, plus `fence_ms`;
//! - at every input, before anything else, what is past its fence is stopped and dropped (`core/lease.rs`);
//! - a finished order is no longer cooked, so it has no fence: its report is repeated until it is settled, and the
//!   balancer refuses it if the lease went elsewhere (`core/report.rs`);
//! - an order that is to be handed over is paused before anybody else may have it, and by the time it goes on by itself
//!   its fence has come unless it is still this kitchen's (`core/handover.rs`).

mod beat;
mod close;
mod counters;
mod handover;
mod lease;
mod outbox;
mod report;
mod reserve;
mod stage;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::city::City;
use protocol::link::{AgentMessage, BalancerMessage, Cook, Hello, LeaseName, Refusal, Timing};
use protocol::{FencingToken, KitchenId, OrderId, Priority};

use beat::Beats;
pub use close::GRACE;
pub use counters::{Counters, StageTotal};
use lease::Held;
use outbox::Outbox;
use report::Report;
pub use report::UNSETTLED_MAX;

/// Who this agent is and how it cooks.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// Which kitchen.
    pub kitchen: KitchenId,
    /// What people call it.
    pub name: String,
    /// The zone's name.
    pub zone: String,
    /// How many orders it may hold, waiting and cooking.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Names of dishes it is good at.
    pub specialties: Vec<String>,
    /// Chosen at random when the process starts.
    pub session: u64,
    /// The process id, for people.
    pub pid: u32,
    /// The agent's code version, for people.
    pub version: String,
    /// A simulated stage takes its time divided by this.
    pub speed: f64,
    /// What a stage is.
    pub cooking: Cooking,
}

impl AgentConfig {
    fn hello(&self) -> Hello {
        Hello {
            kitchen: self.kitchen.clone(),
            name: self.name.clone(),
            zone: self.zone.clone(),
            capacity: self.capacity,
            stations: self.stations,
            specialties: self.specialties.clone(),
            session: self.session,
            pid: self.pid,
            version: self.version.clone(),
            speed_milli: milli(self.speed),
            stage_timeout_ms: match self.cooking {
                Cooking::Simulated => None,
                Cooking::Commands { stage_timeout_ms } => Some(stage_timeout_ms),
            },
        }
    }
}

/// In thousandths, at least one: the settings allow 0.001 to a million.
fn milli(speed: f64) -> u32 {
    (speed * 1_000.0).round().clamp(1.0, f64::from(u32::MAX)) as u32
}

/// What a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cooking {
    /// Time passes, by the core's own deadlines; a stage of 0 ms ends in the call that starts it.
    Simulated,
    /// The shell runs a process for each stage and answers with [`Input::StageEnded`].
    Commands {
        /// How long one may run.
        stage_timeout_ms: u32,
    },
}

impl Cooking {
    /// How long the command of a stage may run unless `--stage-timeout` says otherwise, in milliseconds: a minute is far
    /// above what a script of a demonstration takes, and a customer still waits.
    pub const STAGE_TIMEOUT_MS: u32 = 60_000;

    /// Whether stages are commands.
    #[must_use]
    pub fn is_commands(self) -> bool {
        matches!(self, Self::Commands { .. })
    }
}

/// What happened outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A connection to a balancer is open; nothing was said on it yet.
    Connected,
    /// The connection is gone, with everything that was on its way.
    Disconnected,
    /// The balancer said something.
    Message(BalancerMessage),
    /// A stage that [`Effect::RunStage`] asked for ended by itself.
    StageEnded {
        /// Which lease.
        lease: LeaseName,
        /// Which stage.
        stage: u8,
        /// Success, or what the command printed.
        outcome: Result<(), String>,
    },
    /// [`Agent::next_deadline`] has come; earlier or later is harmless.
    Wake,
    /// End gracefully; a second time: at once.
    Close,
}

/// What the shell should do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send this; messages leave in the sequence of the effects.
    Send(AgentMessage),
    /// Start the command for one stage.
    RunStage {
        /// Which lease.
        lease: LeaseName,
        /// Which try this is.
        attempt: u16,
        /// Which stage.
        stage: u8,
        /// The order as it came.
        cook: Cook,
    },
    /// Kill the command of this lease; no [`Input::StageEnded`] is awaited any more.
    KillStage {
        /// Which lease.
        lease: LeaseName,
    },
    /// End the connection once what was sent is out; nothing more that comes on it counts.
    HangUp,
    /// The balancer does not let this agent in.
    Refused(Refusal),
    /// The agent has ended; it reacts to nothing more.
    Closed,
}

/// How far the conversation with a balancer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Cut,
    Greeting,
    Welcomed,
}

/// The agent.
///
/// - An order is in `held` or in `reports`, never in both.
/// - `fences` has one entry for each of `held`; `due` has those whose stage is running.
/// - Each of `held` is in `waiting`, in `ahead`, on a station or paused, as its [`Place`](lease::Place) says; `leaving` has
///   those whose place has a time at which it changes by itself.
/// - `cooking` is the number of those on a station, at most `stations`.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    link: Link,
    timing: Timing,
    city: Option<City>,
    beats: Beats,
    held: BTreeMap<OrderId, Held>,
    fences: BTreeSet<(Duration, OrderId)>,
    waiting: BTreeSet<(Reverse<Priority>, OrderId)>,
    /// Before all others in line: handed over to this kitchen, or paused and not handed over after all.
    ahead: BTreeSet<OrderId>,
    leaving: BTreeSet<(Duration, OrderId)>,
    due: BTreeSet<(Duration, OrderId)>,
    cooking: u32,
    /// Places kept for orders that may come from another kitchen, and until when.
    reserved: BTreeMap<OrderId, Duration>,
    /// When the input in hand came: what is caught up on may be earlier.
    now: Duration,
    reports: BTreeMap<OrderId, Report>,
    /// Leases of which this connection was told that they are not held any more.
    given_back: BTreeMap<OrderId, FencingToken>,
    /// When the grace of a graceful end is over.
    closing: Option<Duration>,
    closed: bool,
    counters: Counters,
    outbox: Outbox,
}

impl Agent {
    /// An agent that holds nothing and is not connected.
    #[must_use]
    pub fn new(config: AgentConfig) -> Self {
        Self {
            config,
            link: Link::Cut,
            timing: Timing::DEFAULT,
            city: None,
            beats: Beats::default(),
            held: BTreeMap::new(),
            fences: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ahead: BTreeSet::new(),
            leaving: BTreeSet::new(),
            due: BTreeSet::new(),
            cooking: 0,
            reserved: BTreeMap::new(),
            now: Duration::ZERO,
            reports: BTreeMap::new(),
            given_back: BTreeMap::new(),
            closing: None,
            closed: false,
            counters: Counters::default(),
            outbox: Outbox::default(),
        }
    }

    /// Takes one input at `now`, a monotonic time from any fixed origin that includes suspend.
    ///
    /// Fences come first: an answer that arrives after the fence comes too late, whatever it says.
    pub fn handle(&mut self, now: Duration, input: Input) {
        if self.closed {
            return;
        }
        self.now = now;
        self.fence_overdue(now);
        match input {
            Input::Connected => self.greet(now),
            Input::Disconnected => self.cut_off(),
            Input::Message(message) => self.hear(now, message),
            Input::StageEnded { lease, stage, outcome } => self.command_ended(now, lease, stage, outcome),
            Input::Wake => {}
            Input::Close => self.close(now),
        }
        if self.closed {
            return;
        }
        self.end_due_stages(now);
        self.end_waits(now);
        self.fill_stations(now);
        self.end_if_deaf(now);
        self.beat_when_due(now);
        self.end_when_empty(now);
    }

    fn hear(&mut self, now: Duration, message: BalancerMessage) {
        if self.link == Link::Cut {
            return; // said on a connection that is gone; whoever said it will see that nothing came of it
        }
        match message {
            BalancerMessage::Welcome(welcome) => self.welcome(now, *welcome),
            BalancerMessage::Refused(refusal) => self.outbox.push(Effect::Refused(refusal)),
            BalancerMessage::Cook { seen, cook } => self.cook(now, seen, cook),
            BalancerMessage::Release(lease) => self.release(lease),
            BalancerMessage::Stop(lease) => self.stop_and_forget(lease),
            BalancerMessage::Renewed { seq, lost } => self.renewed(now, seq, &lost),
            BalancerMessage::Settled { lease, stale } => self.settled(lease, stale),
            BalancerMessage::Reserve { order, for_ms } => self.reserve(now, order, for_ms),
            BalancerMessage::Unreserve { order } => self.unreserve(order),
            BalancerMessage::Handover { lease, max_wait_ms } => self.hand_over(now, lease, max_wait_ms),
            BalancerMessage::Resume(lease) => self.resume(lease),
        }
    }

    /// When to call [`handle`](Self::handle) with [`Input::Wake`], if nothing comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.closed {
            return None;
        }
        let fence = self.fences.first().map(|&(at, _)| at);
        let stage = self.due.first().map(|&(at, _)| at);
        let leaving = self.leaving.first().map(|&(at, _)| at);
        let beat = self.connected().then(|| self.beats.due());
        [fence, stage, leaving, beat, self.deaf_at(), self.closing].into_iter().flatten().min()
    }

    /// Takes out what should be done now, in sequence.
    pub fn drain_effects(&mut self) -> impl Iterator<Item = Effect> {
        self.outbox.drain()
    }

    /// How many orders it holds and has not finished.
    #[must_use]
    pub fn holding(&self) -> usize {
        self.held.len()
    }

    /// How many of them it is cooking.
    #[must_use]
    pub fn cooking(&self) -> usize {
        self.cooking as usize
    }

    /// How many finished orders are not settled yet.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.reports.len()
    }

    /// Whether a balancer has let it in and the connection stands.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.link == Link::Welcomed
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The city of the last welcome.
    #[must_use]
    pub fn city(&self) -> Option<&City> {
        self.city.as_ref()
    }

    /// Every unfinished lease, oldest order first: its name, whether it is being cooked now, and its fence.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseName, bool, Duration)> + '_ {
        self.held.values().map(|held| (held.cook.lease, held.place.is_station(), held.fence))
    }

    /// The connection is gone: nobody waits for a pause that has not come, and no place is kept for anybody. What is
    /// paused stays so: that may have been heard.
    fn cut_off(&mut self) {
        self.link = Link::Cut;
        self.reserved.clear();
        self.stay_on_stations();
    }

    fn send(&mut self, message: AgentMessage) {
        self.outbox.push(Effect::Send(message));
    }
}
