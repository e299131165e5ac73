//! The agents' shells in virtual time: one real agent core each, its clock, its connection and its commands.
//!
//! Imitates `kitchen-agent/src/run.rs` and `link`: connect, back off, notice a half-open link, run stages. Decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use kitchen_agent::core::{Agent, AgentConfig, Cooking, Effect, Input};
use protocol::OrderId;
use protocol::link::{AgentMessage, BalancerMessage, LeaseName, Refusal};

use crate::balancer::Waits;
use crate::mutants::Mutant;
use crate::params::KitchenParams;
use crate::queue::{Heal, MS, SECOND, Time, What};
use crate::world::World;

/// For a handshake that nobody answers.
const CONNECT: Time = 2 * SECOND;
/// Twice the fence: without an answer for so long the link counts as half open.
const SILENCE: Time = 2_400 * MS;
/// The customer of an order that kills its kitchen.
pub const KILLER: &str = "killer";
/// What an agent that never ends a command by itself waits for.
const NEVER_MS: u32 = 86_400_000;
/// How long an id may be in use before the agent gives up.
const IN_USE_PATIENCE: Time = 4 * SECOND;

/// A kitchen with its agent, or without.
#[derive(Debug)]
pub struct Kitchen {
    /// What was drawn.
    pub params: KitchenParams,
    /// The real thing; none while it is down.
    pub agent: Option<Agent>,
    /// Grows with each start.
    pub process: u64,
    /// Stopped by a signal.
    pub paused: bool,
    /// It will never start again.
    pub dead: bool,
    /// Nothing reaches the balancer.
    pub cut_up: bool,
    /// Nothing comes from the balancer.
    pub cut_down: bool,
    /// Frames take up to so much longer.
    pub slow: Time,
    /// It cooks so many times slower; a core that simulates its stages does so from its next start.
    pub grey: f64,
    /// The speed that its process was started with, and says: of the menu's times.
    pub started_at_speed: f64,
    /// Its commands make no progress, and its heartbeats go on.
    pub stuck: bool,
    /// Its commands fail at once.
    pub burns: bool,
    conn: Option<usize>,
    wake_at: Option<Time>,
    connect_missed: bool,
    /// It may run again after a stop, and has not done so yet: whatever it holds, it works on nothing.
    still: bool,
    failures: u32,
    in_use_since: Option<Time>,
    runs: BTreeMap<LeaseName, u64>,
    run_count: u64,
}

impl Kitchen {
    /// A kitchen that has not been started.
    #[must_use]
    pub fn new(params: KitchenParams) -> Self {
        Self {
            params,
            agent: None,
            process: 0,
            paused: false,
            dead: false,
            cut_up: false,
            cut_down: false,
            slow: 0,
            grey: 1.0,
            started_at_speed: 1.0,
            stuck: false,
            burns: false,
            conn: None,
            wake_at: None,
            connect_missed: false,
            still: false,
            failures: 0,
            in_use_since: None,
            runs: BTreeMap::new(),
            run_count: 0,
        }
    }

    /// The agent's own clock, which counts from the start of the simulation at its own rate.
    fn clock(&self, now: Time) -> Duration {
        Duration::from_nanos((now as f64 * 1_000.0 * self.params.clock_rate) as u64) + Duration::from_secs(1_000)
    }

    /// The true time at which its clock shows `at`.
    fn true_time(&self, at: Duration) -> Time {
        let shown = at.saturating_sub(Duration::from_secs(1_000)).as_nanos() as f64;
        (shown / 1_000.0 / self.params.clock_rate).ceil() as Time
    }

    /// The number of its running process.
    #[must_use]
    pub fn pid(&self, number: usize) -> u32 {
        (number as u64 * 10_000 + self.process) as u32
    }

    /// The session of its running process.
    #[must_use]
    pub fn session(&self, number: usize) -> u64 {
        (number as u64) << 32 | self.process
    }

    /// The connection it has open.
    #[must_use]
    pub fn connection(&self) -> Option<usize> {
        self.conn
    }
}

impl World {
    /// Starts a new process in this kitchen.
    pub fn start_agent(&mut self, number: usize) {
        let city = &self.params.city;
        let kitchen = &mut self.kitchens[number];
        if kitchen.agent.is_some() || kitchen.dead {
            return;
        }
        kitchen.process += 1;
        kitchen.started_at_speed = kitchen.params.speed / kitchen.grey;
        let params = &kitchen.params;
        let id = format!("k{number}");
        let config = AgentConfig {
            kitchen: id.parse().expect("a sound id"),
            name: id,
            zone: city.zones[params.zone].name.clone(),
            capacity: params.capacity,
            stations: params.stations,
            specialties: params.specialties.iter().map(|dish| city.menu.dishes[*dish].name.clone()).collect(),
            session: kitchen.session(number),
            pid: kitchen.pid(number),
            version: "sim".into(),
            speed: kitchen.started_at_speed,
            cooking: if params.commands {
                let stage_timeout_ms = if params.negligent { NEVER_MS } else { params.stage_timeout_ms };
                Cooking::Commands { stage_timeout_ms }
            } else {
                Cooking::Simulated
            },
        };
        kitchen.agent = Some(Agent::new(config));
        kitchen.paused = false;
        kitchen.conn = None;
        kitchen.wake_at = None;
        kitchen.connect_missed = false;
        kitchen.still = false;
        kitchen.failures = 0;
        kitchen.in_use_since = None;
        kitchen.runs.clear();
        let process = kitchen.process;
        self.queue.at(self.now + self.net.between(1, 5 * MS), What::Connect { kitchen: number, process });
    }

    /// The process is gone; `notice`: its machine lives on and closes its connection.
    pub fn kill_agent(&mut self, number: usize, notice: bool) {
        let kitchen = &mut self.kitchens[number];
        kitchen.agent = None;
        kitchen.paused = false;
        let Some(conn) = kitchen.conn.take() else { return };
        self.conns[conn].agent_end = false;
        if notice {
            self.push_end(conn, true);
        }
    }

    /// Hands the agent one input and carries out what it wants.
    pub fn agent_input(&mut self, number: usize, input: Input) {
        let kitchen = &mut self.kitchens[number];
        let now = kitchen.clock(self.now);
        kitchen.still = false;
        let Some(agent) = &mut kitchen.agent else { return };
        agent.handle(now, input);
        let effects: Vec<Effect> = agent.drain_effects().collect();
        let mut messages: Vec<AgentMessage> = Vec::new();
        let (mut closed, mut hang_up, mut refused) = (false, false, None);
        for effect in effects {
            self.say(|| format!("k{number} {effect:?}"));
            match effect {
                Effect::Send(mut message) => {
                    if let AgentMessage::Hello(hello) = &mut message
                        && let Some(told_ms) = &mut hello.stage_timeout_ms
                    {
                        *told_ms = self.kitchens[number].params.stage_timeout_ms;
                    }
                    self.killed_by(number, &message);
                    messages.push(message);
                }
                Effect::RunStage { lease, stage, cook, .. } => {
                    self.run_stage(number, lease, stage, cook.items[0].dish.0)
                }
                Effect::KillStage { lease } => _ = self.kitchens[number].runs.remove(&lease),
                Effect::HangUp => hang_up = true,
                Effect::Refused(refusal) => refused = Some(refusal),
                Effect::Closed => closed = true,
            }
        }
        if let (Some(conn), false) = (self.kitchens[number].conn, messages.is_empty()) {
            self.send_up(conn, messages);
        }
        if closed || refused.is_some_and(|refusal| self.gives_up(number, &refusal)) {
            self.kill_agent(number, true);
            return self.queue.at(self.now + self.net.between(SECOND / 2, 3 * SECOND), What::Heal(Heal::Start(number)));
        }
        self.schedule_wake(number);
        self.judge_agent(number);
        if let Some(conn) = self.kitchens[number].conn.filter(|_| hang_up) {
            self.stats.fault("deaf");
            self.push_end(conn, true);
            self.agent_loses(conn);
        }
    }

    /// Some orders kill whoever begins to cook them, a little later.
    fn killed_by(&mut self, number: usize, message: &AgentMessage) {
        let AgentMessage::Started { lease, .. } = message else { return };
        let customer = self.checker.ledger.line(lease.order).and_then(|line| line.accepted.customer.as_deref());
        if customer.is_some_and(|customer| customer.starts_with(KILLER)) {
            self.stats.fault("killer-order");
            let process = self.kitchens[number].process;
            let at = self.now + self.work.between(MS, 400 * MS);
            self.queue.at(at, What::Heal(Heal::Kill { kitchen: number, process }));
        }
    }

    /// A supervisor says that a process has ended; it may be mistaken about which.
    pub fn report_gone(&mut self, number: usize, pid: u32) {
        if self.balancer.core.is_none() || self.balancer.paused {
            return;
        }
        let wrong_pid = self.params.mutant == Some(Mutant::WrongPid);
        let pid = if wrong_pid { self.kitchens[number].pid(number) } else { pid };
        let kitchen = format!("k{number}").parse().expect("a sound id");
        self.ask(Waits::Operator, |request| balancer_core::Input::Gone { request, kitchen, pid });
    }

    /// Whether this refusal is borne no longer, as the agent's `Patience` has it.
    fn gives_up(&mut self, number: usize, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Alive { .. } => {
                let since = *self.kitchens[number].in_use_since.get_or_insert(self.now);
                self.now >= since + IN_USE_PATIENCE
            }
            other => !other.is_retryable(),
        }
    }

    fn run_stage(&mut self, number: usize, lease: LeaseName, stage: u8, dish: u16) {
        let dishes = &self.params.city.menu.dishes;
        let poison = self.params.poison && usize::from(dish) + 1 == dishes.len();
        let fails = poison || self.work.chance(self.params.failures);
        let ms = dishes.get(usize::from(dish)).and_then(|dish| dish.stages.get(usize::from(stage))).map_or(0, |s| s.ms);
        let kitchen = &mut self.kitchens[number];
        kitchen.run_count += 1;
        let run = kitchen.run_count;
        kitchen.runs.insert(lease, run);
        let takes = f64::from(ms) * 1_000.0 / kitchen.params.speed * kitchen.grey;
        let fails = fails || kitchen.burns;
        let takes = if kitchen.burns { 0 } else { takes as Time } + self.work.between(100, 3_000);
        let process = kitchen.process;
        self.queue.at(self.now + takes, What::StageEnds { kitchen: number, process, lease, stage, run, fails });
    }

    /// A command ends, unless it was killed; a process that stands still learns of it when it goes on.
    pub fn stage_ends(&mut self, (number, process): (usize, u64), lease: LeaseName, stage: u8, run: u64, fails: bool) {
        let kitchen = &mut self.kitchens[number];
        if kitchen.process != process || kitchen.runs.get(&lease) != Some(&run) {
            return;
        }
        if kitchen.paused || kitchen.stuck {
            let what = What::StageEnds { kitchen: number, process, lease, stage, run, fails };
            return self.queue.at(self.now + 50 * MS, what);
        }
        kitchen.runs.remove(&lease);
        let outcome = if fails { Err("burnt\u{1b}[2J".to_owned()) } else { Ok(()) };
        self.agent_input(number, Input::StageEnded { lease, stage, outcome });
    }

    fn schedule_wake(&mut self, number: usize) {
        let kitchen = &mut self.kitchens[number];
        let Some(deadline) = kitchen.agent.as_ref().and_then(Agent::next_deadline) else { return };
        let at = kitchen.true_time(deadline).max(self.now) + 10;
        if kitchen.wake_at.is_none_or(|known| at < known) {
            kitchen.wake_at = Some(at);
            self.queue.at(at, What::Wake { kitchen: number, process: kitchen.process });
        }
    }

    /// The agent's timer fires.
    pub fn wake(&mut self, number: usize, process: u64) {
        let kitchen = &mut self.kitchens[number];
        if kitchen.process != process || kitchen.paused || kitchen.wake_at.is_none_or(|at| at > self.now) {
            return;
        }
        kitchen.wake_at = None;
        self.agent_input(number, Input::Wake);
    }

    /// The process goes on after a stop: its timer and its inbox come in any sequence.
    pub fn resume_agent(&mut self, number: usize) {
        let kitchen = &mut self.kitchens[number];
        if !std::mem::take(&mut kitchen.paused) {
            return;
        }
        kitchen.still = true;
        let at = self.now + self.net.between(0, 20 * MS);
        let process = kitchen.process;
        kitchen.wake_at = Some(at);
        self.queue.at(at, What::Wake { kitchen: number, process });
        if std::mem::take(&mut kitchen.connect_missed) {
            self.queue.at(self.now, What::Connect { kitchen: number, process });
        }
        self.unblock(Some(number));
    }

    /// The agent tries to connect.
    pub fn connect(&mut self, number: usize, process: u64) {
        let kitchen = &mut self.kitchens[number];
        if kitchen.process != process || kitchen.agent.is_none() || kitchen.conn.is_some() {
            return;
        }
        if kitchen.paused {
            kitchen.connect_missed = true;
            return;
        }
        let cut = kitchen.cut_up || kitchen.cut_down;
        if cut || self.balancer.core.is_none() || self.balancer.paused {
            let hangs = cut || self.balancer.paused;
            return self.connect_again(number, false, false, if hangs { CONNECT } else { MS });
        }
        let (low, high) = self.params.delay;
        let takes = self.net.between(low, high) * 3;
        let balancer = self.balancer.process;
        self.queue.at(self.now + takes, What::Connected { kitchen: number, process, balancer });
    }

    /// The handshake is done, if both are still there.
    pub fn connected(&mut self, number: usize, process: u64, balancer: u64) {
        let kitchen = &self.kitchens[number];
        if kitchen.process != process || kitchen.agent.is_none() || kitchen.conn.is_some() {
            return;
        }
        let there = balancer == self.balancer.process && self.balancer.core.is_some() && !self.balancer.paused;
        if !there || kitchen.paused || kitchen.cut_up || kitchen.cut_down {
            return self.connect_again(number, false, false, CONNECT);
        }
        let conn = self.open_connection(number);
        self.kitchens[number].conn = Some(conn);
        self.queue.at(self.now + SILENCE, What::AgentSilence { conn });
        self.agent_input(number, Input::Connected);
    }

    fn connect_again(&mut self, number: usize, welcomed: bool, in_use: bool, after: Time) {
        let kitchen = &mut self.kitchens[number];
        kitchen.failures = if welcomed { 0 } else { kitchen.failures + 1 };
        let most = ((100 * MS) << kitchen.failures.min(16)).min(if in_use { 400 * MS } else { 5 * SECOND });
        let wait = self.net.between(0, most);
        self.queue.at(self.now + after + wait, What::Connect { kitchen: number, process: kitchen.process });
    }

    /// Messages reach the agent.
    pub fn agent_hears(&mut self, conn: usize, messages: Vec<BalancerMessage>) {
        let number = self.conns[conn].kitchen;
        for mut message in messages {
            match &mut message {
                BalancerMessage::Welcome(welcome) => {
                    self.conns[conn].welcomed = true;
                    self.conns[conn].answered = self.now;
                    self.kitchens[number].in_use_since = None;
                    if self.params.mutant == Some(Mutant::AgentFence) {
                        welcome.timing.fence_ms = 3_600_000;
                    }
                }
                BalancerMessage::Renewed { .. } => self.conns[conn].answered = self.now,
                BalancerMessage::Refused(refusal) => self.conns[conn].in_use = matches!(refusal, Refusal::Alive { .. }),
                _ => {}
            }
            self.say(|| format!("k{number} <- conn {conn} {message:?}"));
            self.agent_input(number, Input::Message(message));
        }
    }

    /// The connection has ended for the agent.
    pub fn agent_loses(&mut self, conn: usize) {
        if !std::mem::take(&mut self.conns[conn].agent_end) {
            return;
        }
        let number = self.conns[conn].kitchen;
        self.kitchens[number].conn = None;
        let (welcomed, in_use) = (self.conns[conn].welcomed, self.conns[conn].in_use);
        self.agent_input(number, Input::Disconnected);
        self.connect_again(number, welcomed, in_use, 0);
    }

    /// The agent's shell looks whether its heartbeats are answered.
    pub fn agent_silence(&mut self, conn: usize) {
        let one = &self.conns[conn];
        if !one.agent_end {
            return;
        }
        let over = one.answered + SILENCE;
        if over > self.now || self.kitchens[one.kitchen].paused {
            return self.queue.at(over.max(self.now + 10 * MS), What::AgentSilence { conn });
        }
        self.push_end(conn, true);
        self.agent_loses(conn);
    }

    /// Whether this agent works on anything that another kitchen has been given.
    fn judge_agent(&mut self, number: usize) {
        let kitchen = &self.kitchens[number];
        let Some(agent) = kitchen.agent.as_ref().filter(|agent| !kitchen.paused && agent.cooking() > 0) else { return };
        for (lease, ..) in agent.leases().filter(|(_, started, _)| *started) {
            self.checker.overlaps(self.now, number, lease);
        }
    }

    /// An order was leased: whether another kitchen still works on it.
    pub fn judge_overlap(&mut self, order: OrderId) {
        for (number, kitchen) in self.kitchens.iter().enumerate() {
            let Some(agent) = kitchen.agent.as_ref().filter(|_| !kitchen.paused && !kitchen.still) else { continue };
            for (lease, ..) in agent.leases().filter(|(lease, started, _)| *started && lease.order == order) {
                self.checker.overlaps(self.now, number, lease);
            }
        }
    }
}
