//! Stories about the agent in virtual time: what comes in, and the trace of what goes out.
//!
//! Owns the little language of the stories. Never asserts on inner state: only on effects and public accessors.

mod closing;
mod cooking;
mod fencing;
mod handover;
mod link;

use std::time::Duration;

use protocol::city::{City, DishNo};
use protocol::link::{AgentMessage, BalancerMessage, Cook, LeaseName, Timing, Welcome};
use protocol::{Epoch, FencingToken, Item, OrderId, Priority};

use super::{Agent, AgentConfig, Cooking, Effect, Input};

const SOUP: u16 = 0;
const INSTANT: u16 = 1;
const ROAST: u16 = 2;

/// Soup: three stages of 100 ms. Instant: three stages of 0 ms. Roast: 100 ms, 400 ms in the oven, 100 ms.
fn city() -> City {
    let dish = |name: &str, ms: u32| {
        format!(
            "[[dish]]\nname = \"{name}\"\nstages = [{{ name = \"prep\", ms = {ms} }}, {{ name = \"cook\", ms = {ms} }}, \
             {{ name = \"plate\", ms = {ms} }}]\n"
        )
    };
    let zone = "name = \"Test\"\n[[zone]]\nname = \"Downtown\"\nx_km = 0.0\ny_km = 0.0\n";
    let roast = "[[dish]]\nname = \"roast\"\nstages = [{ name = \"prep\", ms = 100 }, \
                 { name = \"cook\", ms = 400, interruptible = false }, { name = \"plate\", ms = 100 }]\n";
    City::parse(&format!("{zone}{}{}{roast}", dish("soup", 100), dish("instant", 0))).expect("a sound city")
}

fn config() -> AgentConfig {
    AgentConfig {
        kitchen: "k1".parse().expect("an id"),
        name: "k1".into(),
        zone: "Downtown".into(),
        capacity: 4,
        stations: 2,
        specialties: vec!["soup".into()],
        session: 7,
        pid: 1,
        version: "test".into(),
        speed: 1.0,
        cooking: Cooking::Simulated,
    }
}

fn lease(order: u64, token: u64) -> LeaseName {
    LeaseName { order: OrderId(order), token: FencingToken { epoch: Epoch(1), counter: token } }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An agent, the time, and the trace since it was last looked at.
struct Story {
    agent: Agent,
    now: Duration,
    trace: Vec<String>,
    /// Heartbeats are noise in most stories.
    beats: bool,
}

impl Story {
    fn new(config: AgentConfig) -> Self {
        Self { agent: Agent::new(config), now: ms(1_000), trace: Vec::new(), beats: false }
    }

    /// Welcomed at 1 s, with nothing in the trace.
    fn welcomed(config: AgentConfig) -> Self {
        let mut story = Self::new(config);
        story.connect();
        story.trace.clear();
        story
    }

    /// Welcomed, and its commands run outside.
    fn with_commands() -> Self {
        Self::welcomed(AgentConfig {
            cooking: Cooking::Commands { stage_timeout_ms: Cooking::STAGE_TIMEOUT_MS },
            ..config()
        })
    }

    fn connect(&mut self) {
        self.input(Input::Connected);
        let timing = Timing::DEFAULT;
        self.hear(BalancerMessage::Welcome(Box::new(Welcome { epoch: Epoch(1), timing, city: city() })));
    }

    fn input(&mut self, input: Input) {
        self.agent.handle(self.now, input);
        let beats = self.beats;
        let lines = self.agent.drain_effects().map(|effect| line(&effect));
        self.trace.extend(lines.filter(|line| beats || !line.starts_with("heartbeat")));
        assert!(self.agent.next_deadline().is_none_or(|at| at > self.now), "a deadline that is over stays");
    }

    fn hear(&mut self, message: BalancerMessage) {
        self.input(Input::Message(message));
    }

    fn cook_seen(&mut self, seen: u64, order: u64, token: u64, dish: u16) {
        self.hear(offer(seen, order, token, dish));
    }

    /// An order under a fresh lease: the balancer has seen the newest heartbeat.
    fn cook(&mut self, order: u64, token: u64, dish: u16) {
        self.cook_seen(self.newest(), order, token, dish);
    }

    /// The number of the newest heartbeat: one at each welcome and one each 300 ms after.
    fn newest(&self) -> u64 {
        self.agent.beats.seq
    }

    /// Lets the time pass to `at` milliseconds, waking the agent exactly when it wants to be woken.
    fn until(&mut self, at: u64) {
        while let Some(due) = self.agent.next_deadline().filter(|&due| due <= ms(at)) {
            self.now = due;
            self.input(Input::Wake);
        }
        self.now = ms(at);
    }

    /// As [`until`](Self::until), with a balancer that answers every heartbeat at once.
    fn until_answered(&mut self, at: u64) {
        while let Some(due) = self.agent.next_deadline().filter(|&due| due <= ms(at)) {
            self.now = due;
            let before = self.newest();
            self.input(Input::Wake);
            for seq in before + 1..=self.newest() {
                self.hear(BalancerMessage::Renewed { seq, lost: Vec::new() });
            }
        }
        self.now = ms(at);
    }

    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.trace), lines);
    }
}

fn offer(seen: u64, order: u64, token: u64, dish: u16) -> BalancerMessage {
    let items = vec![Item { dish: DishNo(dish), quantity: 1 }];
    let cook = Cook {
        lease: lease(order, token),
        attempt: 1,
        from_stage: 0,
        priority: Priority::Normal,
        ages_in_ms: 60_000,
        items,
    };
    BalancerMessage::Cook { seen, cook }
}

fn named(lease: LeaseName) -> String {
    format!("{}@{}", lease.order, lease.token.counter)
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::Send(message) => said(message),
        Effect::RunStage { lease, attempt, stage, .. } => format!("run {} try {attempt} stage {stage}", named(*lease)),
        Effect::KillStage { lease } => format!("kill {}", named(*lease)),
        Effect::HangUp => "hang up".into(),
        Effect::Refused(refusal) => format!("refused: {refusal}"),
        Effect::Closed => "closed".into(),
    }
}

fn said(message: &AgentMessage) -> String {
    match message {
        AgentMessage::Hello(hello) => format!("hello {}", hello.kitchen),
        AgentMessage::Heartbeat { seq, held } => {
            let held: Vec<String> = held.iter().map(|&lease| named(lease)).collect();
            format!("heartbeat {seq} [{}]", held.join(" "))
        }
        AgentMessage::Started { lease, stage } => format!("started {} stage {stage}", named(*lease)),
        AgentMessage::StageDone { lease, stage } => format!("stage_done {} stage {stage}", named(*lease)),
        AgentMessage::Completed { lease, cooked_ms } => format!("completed {} in {cooked_ms}", named(*lease)),
        AgentMessage::Failed { lease, stage, output } => {
            format!("failed {} stage {stage}: {output}", named(*lease))
        }
        AgentMessage::Released { lease } => format!("released {}", named(*lease)),
        AgentMessage::ReleaseRefused { lease, why } => format!("keeps {}: {why:?}", named(*lease)),
        AgentMessage::Declined { lease, why } => format!("declined {}: {why:?}", named(*lease)),
        AgentMessage::Goodbye => "goodbye".into(),
        AgentMessage::Deaf => "deaf".into(),
        AgentMessage::Reserved { order } => format!("reserved {order}"),
        AgentMessage::ReserveRefused { order, why } => format!("no place for {order}: {why:?}"),
        AgentMessage::Paused { lease, stages_done } => format!("paused {} after {stages_done}", named(*lease)),
        AgentMessage::HandoverRefused { lease, why } => format!("cooks on {}: {why:?}", named(*lease)),
    }
}
