//! One run: virtual time, the actors, and what became of them. One seed is one run, to the bit.

use std::collections::BTreeMap;

use balancer_core::{Reply, invariants};
use kitchen_agent::core::Agent;
use protocol::api::PolicyView;
use protocol::link::places;

use crate::balancer::Balancer;
use crate::checker::deadlines;
use crate::checker::ledger::{Ledger, Line, Tally};
use crate::checker::{Checker, Violation};
use crate::dice::{Dice, Fingerprint};
use crate::disk::Disk;
use crate::kitchens::Kitchen;
use crate::network::Conn;
use crate::params::{KitchenParams, Params};
use crate::queue::{MS, Queue, SECOND, Time, What};
use crate::standby::Standby;
use crate::workload::Client;

/// What is counted on the way.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub faults: BTreeMap<&'static str, u64>,
    pub retries: u64,
    pub conflicts: u64,
    pub replies: u64,
    pub inputs: u64,
    /// Over all durable bytes and all replies, in their sequence.
    pub fingerprint: Fingerprint,
}

impl Stats {
    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    pub(crate) fn add_inputs(&mut self, inputs: u64) {
        self.inputs += inputs;
    }

    pub(crate) fn reply(&mut self, number: u64, reply: &Reply) {
        self.replies += 1;
        self.fingerprint.add_number(number);
        match reply {
            Reply::Placed(receipt) => self.fingerprint.add_number(receipt.id.0),
            Reply::Replayed(receipt) => self.fingerprint.add_number(receipt.id.0 | 1 << 62),
            Reply::Done(text) => self.fingerprint.add(text.as_bytes()),
            Reply::Refused(why) => self.fingerprint.add(why.to_string().as_bytes()),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Outcome {
    pub seed: u64,
    pub simulated: Time,
    /// From the end of the faults until everything had drained.
    pub drained_in: Time,
    pub steps: u64,
    pub stats: Stats,
    pub tally: Tally,
    pub drain_overlap: Time,
    pub violations: Vec<Violation>,
}

/// Everything.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct World {
    pub now: Time,
    pub queue: Queue,
    pub params: Params,
    pub policy: PolicyView,
    pub net: Dice,
    pub work: Dice,
    pub nemesis: Dice,
    pub disk_dice: Dice,
    pub balancer: Balancer,
    pub kitchens: Vec<Kitchen>,
    pub conns: Vec<Conn>,
    pub clients: Vec<Client>,
    /// Requests that wait in the socket of a balancer that stands still.
    pub parked: Vec<usize>,
    pub disk: Disk,
    pub stall_next: bool,
    /// The next sync fails.
    pub fail_next: bool,
    /// The disk has no space until then.
    pub disk_full_until: Time,
    /// The process that follows.
    pub standby: Standby,
    pub checker: Checker,
    pub stats: Stats,
    pub calm: bool,
    pub calm_since: Time,
    pub give_up_at: Time,
    pub next_opening: Time,
    /// Prints what happens; the run itself stays the same.
    pub trace: bool,
    finished: bool,
}

/// Runs one seed from its beginning to its end.
#[must_use]
pub fn run(params: Params, trace: bool) -> Outcome {
    let mut world = World::new(params, World::first_policy());
    world.trace = trace;
    world.start();
    world.run_to_end();
    world.outcome()
}

impl World {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new(params: Params, policy: PolicyView) -> Self {
        let dice = |concern| Dice::new(params.seed, concern);
        Self {
            now: 0,
            queue: Queue::default(),
            policy,
            net: dice(2),
            work: dice(3),
            nemesis: dice(4),
            disk_dice: dice(5),
            balancer: Balancer::default(),
            kitchens: params.kitchens.iter().cloned().map(Kitchen::new).collect(),
            conns: Vec::new(),
            clients: Vec::new(),
            parked: Vec::new(),
            disk: Disk::default(),
            stall_next: false,
            fail_next: false,
            disk_full_until: 0,
            standby: Standby::default(),
            checker: Checker::default(),
            stats: Stats::default(),
            calm: false,
            calm_since: 0,
            give_up_at: Time::MAX,
            next_opening: 0,
            trace: false,
            finished: false,
            params,
        }
    }

    /// Puts the first entries into the queue.
    pub fn start(&mut self) {
        self.start_balancer();
        (0..self.kitchens.len()).for_each(|number| self.start_agent(number));
        self.queue.at(SECOND / 2, What::NewClient);
        self.queue.at(SECOND, What::Follow);
        self.queue.at(2 * SECOND, What::Fault);
        if self.params.operate_every > 0 {
            self.queue.at(3 * SECOND, What::Operate);
        }
        self.queue.at(deadlines::EVERY, What::Audit);
        self.queue.at(self.params.safety, What::Calm);
    }

    /// Takes entries until the run is over.
    pub fn run_to_end(&mut self) {
        while !self.finished
            && !self.is_noticed()
            && let Some((at, what)) = self.queue.pop()
        {
            self.now = at;
            self.step(what);
        }
    }

    /// A missing guard was noticed: what a core does with a ledger that contradicts itself is no use, and may have no end.
    fn is_noticed(&self) -> bool {
        self.params.mutant.is_some() && !self.checker.violations.is_empty()
    }

    /// Takes entries up to a time; false when the run is over.
    pub fn run_until(&mut self, until: Time) -> bool {
        while !self.finished
            && self.queue.next_at().is_some_and(|at| at <= until)
            && let Some((at, what)) = self.queue.pop()
        {
            self.now = at;
            self.step(what);
        }
        !self.finished
    }

    /// One line of the trace.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.6} {}", self.now as f64 / SECOND as f64, what());
        }
    }

    fn step(&mut self, what: What) {
        match what {
            What::Tick { process } => self.tick(process),
            What::Flush { process } => self.flush(process),
            What::Synced { process } => self.synced(process),
            What::Wake { kitchen, process } => self.wake(kitchen, process),
            What::Arrive { conn, up } => self.arrive(conn, up),
            What::Connect { kitchen, process } => self.connect(kitchen, process),
            What::Connected { kitchen, process, balancer } => self.connected(kitchen, process, balancer),
            What::AgentSilence { conn } => self.agent_silence(conn),
            What::BalancerSilence { conn } => self.balancer_silence(conn),
            What::StageEnds { kitchen, process, lease, stage, run, fails } => {
                self.stage_ends((kitchen, process), lease, stage, run, fails);
            }
            What::NewClient => self.new_client(),
            What::Send { client } => self.send(client),
            What::Request { client } => self.request(client),
            What::Impatient { client, attempt } => self.impatient(client, attempt),
            What::Answer { client, reply } => self.answered(client, &reply),
            What::Operate => self.operate(),
            What::Fault => self.fault(),
            What::Heal(heal) => self.end_fault(heal),
            What::Follow => self.follow(),
            What::DiskLook { process } => self.look_at_disk(process),
            What::Gone { kitchen, pid } => self.report_gone(kitchen, pid),
            What::Audit => self.audit(),
            What::Calm => self.calm_down(),
        }
    }

    /// Kitchens that the core keeps orders from for a reason that it shows: flapping ones, slow ones, and those that come
    /// back.
    fn resting_kitchens(&self) -> Vec<bool> {
        let Some(core) = &self.balancer.core else { return Vec::new() };
        let numbers = (0..core.state().kitchens().len()).filter_map(|number| u32::try_from(number).ok());
        let mono = self.balancer_mono();
        numbers.map(|number| core.note(mono, balancer_core::KitchenNo(number)).is_some()).collect()
    }

    fn audit(&mut self) {
        self.queue.at(self.now + deadlines::EVERY, What::Audit);
        if self.balancer.core.is_some() && !self.balancer.paused {
            let steady = if self.balancer.is_stalled(self.now) { self.now } else { self.balancer.steady };
            let resting = self.resting_kitchens();
            let (kitchens, menu) = (&self.kitchens, &self.params.city.menu);
            let limit =
                |ledger: &Ledger, line: &Line| stage_limit(&kitchens[ledger.kitchens[line.kitchen].actor], line, menu);
            self.checker.audit(self.now, steady, &resting, limit);
        }
        if !self.calm {
            return;
        }
        self.open_all();
        if self.is_drained() {
            self.finished = true;
        } else if self.now > self.give_up_at {
            self.finished = true;
            let (open, busy) = (self.checker.open(), self.busy_agents());
            let deaf = self.clients.iter().filter(|client| !client.answered).count();
            let what = format!("{open} orders open, {deaf} clients unanswered, agents hold or report {busy}");
            self.checker.violate(self.now, "I1 drain", what);
        }
    }

    fn is_drained(&self) -> bool {
        self.checker.open() == 0 && self.clients.iter().all(|client| client.answered) && self.busy_agents() == 0
    }

    fn busy_agents(&self) -> usize {
        let busy = |agent: &Agent| agent.holding() + agent.unsettled();
        self.kitchens.iter().filter_map(|kitchen| kitchen.agent.as_ref()).map(busy).sum()
    }

    /// How long the liveness phase may last: thrice the open work on all living stations, and as often the way there and
    /// back through each place (a dish may cook in no time at all), the fullest line in front of the slowest kitchen
    /// (without stealing nobody helps it), and a fixed part for leases, reconnects (backoff up to 5 s after a hang of 2 s)
    /// and clients.
    #[must_use]
    pub fn time_to_drain(&self) -> Time {
        let menu = &self.params.city.menu;
        let open = self.checker.ledger.lines().iter().filter(|line| line.phase.is_open());
        let outside = self.clients.iter().filter(|client| !client.answered);
        let items = open.map(|line| &line.accepted.items).chain(outside.map(|client| &client.order.items));
        let (mut count, turn) = (0_u64, 2 * (self.params.delay.1 + self.params.sync.1));
        let items = items.inspect(|_| count += 1);
        let work =
            items.map(|items| protocol::order::plan(items, menu).iter().map(|stage| u64::from(stage.ms)).sum::<u64>());
        let (sum, largest) = work.fold((0, 0), |(sum, largest), one| (sum + one, largest.max(one)));
        let living = || self.kitchens.iter().filter(|kitchen| !kitchen.dead).map(|kitchen| &kitchen.params);
        let speed = |one: &KitchenParams| f64::from(one.stations) * one.speed;
        let together: f64 = living().map(speed).sum();
        let line = |one: &KitchenParams| f64::from(places(one.capacity, one.stations)) * largest as f64 / speed(one);
        let longest = living().map(line).fold(0.0, f64::max);
        let rooms: u64 = living().map(|one| u64::from(places(one.capacity, one.stations))).sum();
        let ways = 3 * count * turn / rooms.max(1);
        // The longest hold-down of a flapping kitchen, and three deaths by each killer.
        120 * SECOND + ways + ((sum as f64 * 3.0 / together.max(0.1) + longest) * 1e3) as Time
    }

    /// The last checks, and the sums.
    #[must_use]
    pub fn outcome(mut self) -> Outcome {
        if let Some(core) = self.balancer.core.take() {
            if let Err(why) = invariants::check(core.state()) {
                self.checker.violate(self.now, "inside", why);
            }
            match self.disk.replay() {
                Err(why) => self.checker.violate(self.now, "replay", why),
                Ok(state) if state.position() == core.state().position() && state != *core.state() => {
                    self.checker.violate(self.now, "replay", "the replayed state differs from the live one".into());
                }
                Ok(_) => {}
            }
        }
        let rows = self.disk.rows().to_vec();
        self.checker.reopened(self.now, &rows);
        self.stats.inputs += self.balancer.inputs();
        Outcome {
            seed: self.params.seed,
            simulated: self.now,
            drained_in: self.now.saturating_sub(self.calm_since),
            steps: self.queue.made(),
            stats: self.stats,
            tally: self.checker.ledger.tally,
            drain_overlap: self.checker.drain_overlap,
            violations: self.checker.violations,
        }
    }
}

/// How long the stage in hand may take in this kitchen, as the outside has it: what it says of its commands, or three times
/// the menu's time at the speed that it says, and at least ten seconds.
fn stage_limit(kitchen: &Kitchen, line: &Line, menu: &protocol::city::Menu) -> Time {
    if kitchen.params.commands {
        return Time::from(kitchen.params.stage_timeout_ms) * MS;
    }
    let plan = protocol::order::plan(&line.accepted.items, menu);
    let ms = plan.get(usize::from(line.stages_done)).map_or(0, |stage| stage.ms);
    ((f64::from(ms) * 3.0 / kitchen.started_at_speed) as Time * MS).max(10 * SECOND)
}
