//! The balancer's shell in virtual time: one real core, turns, group commit, and the release of what is durable.
//!
//! Imitates `balancer/src/hub.rs` and its ledger thread: inputs of one round share a turn, turns that gather during a sync
//! share the next, and no effect leaves before its turn is durable. Decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use balancer_core::input::{ConnectionId, RequestId};
use balancer_core::{Core, DiskHealth, Effect, Input, Now, Reply, Settings, State, invariants};
use protocol::api::PolicyView;
use protocol::link::{AgentMessage, BalancerMessage};
use protocol::{Epoch, OrderId, WallTime};

use kitchen_agent::core::Agent;

use crate::checker::ledger::Claims;
use crate::disk::{Row, Unsynced};
use crate::kitchens::Kitchen;
use crate::mutants::Mutant;
use crate::queue::{MS, SECOND, Time, What};
use crate::world::World;

/// A sync longer than this is a stall: deadlines are not judged until a lease after it.
const STALL: Time = 60 * MS;
/// A sync longer than this is told to the core as slow, as `ledger/health.rs` has it.
const SLOW: Time = 500 * MS;
/// A disk without space is tried again after this long.
const FULL_RETRY: Time = 50 * MS;

/// Who waits for a reply.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Waits {
    Client(usize),
    Cancel(OrderId),
    Operator,
}

#[derive(Debug)]
struct Turn {
    epoch: Epoch,
    count: u32,
    body: Vec<u8>,
    effects: Vec<Effect>,
}

/// The process, or its absence.
#[derive(Debug, Default)]
pub struct Balancer {
    /// The real thing; none while it is down.
    pub core: Option<Core>,
    /// Grows with each start.
    pub process: u64,
    /// Stopped by a signal.
    pub paused: bool,
    /// Who waits for which answer.
    pub waits: BTreeMap<u64, Waits>,
    /// Since when it has been able to act without a break.
    pub steady: Time,
    /// Steps of the wall clock so far, in milliseconds.
    pub wall_step: i64,
    /// The steps that the ledger's time has taken over: those before the reign began, as the real shell's clock does.
    ledger_step: i64,
    requests: u64,
    mono_origin: Duration,
    tick_at: Option<Time>,
    flush_due: bool,
    turns: VecDeque<Turn>,
    syncing: Option<(Row, Vec<Effect>, Time)>,
    held_back: Vec<Effect>,
    /// The append of a leader that is no more, still on its way to the ledger.
    late: Option<Row>,
    inputs: u64,
}

impl Balancer {
    /// Whether a sync has been running for too long.
    #[must_use]
    pub fn is_stalled(&self, now: Time) -> bool {
        self.syncing.as_ref().is_some_and(|(.., began)| now - began > STALL)
    }

    /// How many inputs this process has taken.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }
}

impl World {
    /// Starts a process: opens the ledger, replays it, leads.
    pub fn start_balancer(&mut self) {
        if self.balancer.core.is_none() {
            self.disk.open();
            let state = self.disk.replay();
            self.lead(state);
        }
    }

    /// The standby leads, unless somebody does.
    pub fn take_over(&mut self) {
        if self.balancer.core.is_none() {
            self.stats.fault("takeover");
            self.disk.open();
            let state = self.followed();
            self.lead(state);
        }
    }

    fn lead(&mut self, state: Result<State, String>) {
        let rows = self.disk.rows().len();
        let state = match state {
            Ok(state) => state,
            Err(why) => return self.checker.violate(self.now, "replay", why),
        };
        self.checker.reopened(self.now, &self.disk.rows()[..rows]);
        let without = self.params.mutant.and_then(Mutant::guard);
        let behind = state.last_at().0.cast_signed() - self.plain_wall();
        let settings = Settings { seed: self.params.seed, without, ..Settings::default() };
        let old = std::mem::take(&mut self.balancer);
        self.balancer = Balancer {
            core: Some(Core::new(state, settings)),
            process: old.process + 1,
            steady: self.now,
            wall_step: old.wall_step,
            ledger_step: old.wall_step.max(behind),
            requests: old.requests,
            mono_origin: Duration::from_micros(self.net.between(1, 1_000 * SECOND)),
            late: old.late,
            ..Balancer::default()
        };
        let (city, policy) = (Box::new(self.params.city.clone()), Box::new(self.policy.clone()));
        self.balancer_input(Input::Lead { city, policy });
        if self.params.mutant == Some(Mutant::TakeoverGrace) {
            // In steps that the core does not take for a pause of its own: it would forgive the silence.
            for _ in 0..6 {
                self.balancer.mono_origin += Duration::from_millis(500);
                self.balancer_input(Input::Tick);
            }
        }
    }

    fn balancer_now(&self) -> Now {
        let wall = self.plain_wall() + self.balancer.ledger_step;
        let mono = Duration::from_nanos((self.now as f64 * 1_000.0 * self.params.balancer_rate) as u64);
        Now { mono: self.balancer.mono_origin + mono, wall: WallTime(wall.cast_unsigned()) }
    }

    /// What a wall clock would say that was never stepped.
    fn plain_wall(&self) -> i64 {
        1_800_000_000_000 + (self.now / MS).cast_signed()
    }

    /// The monotonic time of the core.
    #[must_use]
    pub fn balancer_mono(&self) -> Duration {
        self.balancer_now().mono
    }

    /// Hands the core one input.
    pub fn balancer_input(&mut self, input: Input) {
        let now = self.balancer_now();
        let Some(core) = &mut self.balancer.core else { return };
        core.handle(now, input);
        if core.brake().is_some() {
            // Leases stand for longer on purpose, and the core says so.
            self.balancer.steady = self.now;
        }
        self.balancer.inputs += 1;
        let every = self.params.inside_every;
        if every > 0
            && self.balancer.inputs.is_multiple_of(every)
            && let Err(why) = invariants::check(core.state())
        {
            self.checker.violate(self.now, "inside", why);
        }
        if !core.is_quiet() && !self.balancer.flush_due {
            self.balancer.flush_due = true;
            let at = self.now + self.net.between(5, 60);
            self.queue.at(at, What::Flush { process: self.balancer.process });
        }
        self.schedule_tick();
    }

    /// A request with its number; the answer comes back through [`Waits`].
    pub fn ask(&mut self, waits: Waits, input: impl FnOnce(RequestId) -> Input) {
        self.balancer.requests += 1;
        let number = self.balancer.requests;
        self.balancer.waits.insert(number, waits);
        self.balancer_input(input(RequestId(number)));
    }

    fn schedule_tick(&mut self) {
        let Some(deadline) = self.balancer.core.as_ref().and_then(Core::next_deadline) else { return };
        let due = deadline.saturating_sub(self.balancer.mono_origin).as_nanos() as f64;
        let at = ((due / 1_000.0 / self.params.balancer_rate).ceil() as Time).max(self.now) + 20;
        if self.balancer.tick_at.is_none_or(|known| at < known) {
            self.balancer.tick_at = Some(at);
            self.queue.at(at, What::Tick { process: self.balancer.process });
        }
    }

    /// The timer fires.
    pub fn tick(&mut self, process: u64) {
        if process != self.balancer.process
            || self.balancer.paused
            || self.balancer.tick_at.is_none_or(|at| at > self.now)
        {
            return;
        }
        self.balancer.tick_at = None;
        self.balancer_input(Input::Tick);
    }

    /// The round is over: what was decided becomes a turn.
    pub fn flush(&mut self, process: u64) {
        if process != self.balancer.process || self.balancer.paused || !self.balancer.flush_due {
            return;
        }
        self.balancer.flush_due = false;
        let Some(core) = &mut self.balancer.core else { return };
        let (events, mut effects) = (core.take_events(), core.take_effects());
        core.take_moves_asked();
        let epoch = core.state().epoch();
        if self.params.mutant == Some(Mutant::ToldEarly) {
            self.release(std::mem::take(&mut effects));
        }
        let idle = self.balancer.syncing.is_none() && self.balancer.turns.is_empty();
        if events.is_empty() && idle {
            return self.release(effects);
        }
        // What follows from no event does not wait for the disk.
        let at_once = |effect: &Effect| match effect {
            Effect::TellNow(..) => true,
            Effect::Reply(_, Reply::Refused(why)) => why.is_at_the_door(),
            Effect::Reply(..) | Effect::Tell(..) | Effect::Close(_) => false,
        };
        let (now, effects): (Vec<Effect>, Vec<Effect>) = effects.into_iter().partition(at_once);
        self.release(now);
        let mut body = Vec::with_capacity(events.len() * 32);
        for event in &events {
            body = postcard::to_extend(event, body).expect("events are plain data");
        }
        self.balancer.turns.push_back(Turn { epoch, count: events.len() as u32, body, effects });
        self.begin_sync();
    }

    /// Writes all that has gathered, if the last sync is over.
    fn begin_sync(&mut self) {
        if self.balancer.syncing.is_some() {
            return;
        }
        while let Some(first) = self.balancer.turns.pop_front() {
            let Turn { epoch, mut count, mut body, mut effects } = first;
            while let Some(turn) = self.balancer.turns.pop_front() {
                count += turn.count;
                body.extend_from_slice(&turn.body);
                effects.extend(turn.effects);
            }
            if count == 0 {
                self.release(effects);
                continue;
            }
            let row = Row::new(self.disk.last().0 + 1, epoch, count, body);
            let (low, high) = self.params.sync;
            let stall =
                !self.calm && (self.disk_dice.chance(self.params.stall) || std::mem::take(&mut self.stall_next));
            let takes = if stall {
                self.stats.fault("fsync-stall");
                self.disk_dice.between(50 * MS, 3 * SECOND)
            } else {
                self.disk_dice.between(low, high)
            };
            self.balancer.syncing = Some((row, effects, self.now));
            let process = self.balancer.process;
            if takes > SLOW {
                self.queue.at(self.now + SLOW + 1, What::DiskLook { process });
            }
            return self.queue.at(self.now + takes, What::Synced { process });
        }
    }

    /// The sync returns: the row is durable, and what waited for it may leave.
    pub fn synced(&mut self, process: u64) {
        if process != self.balancer.process {
            return;
        }
        if self.now < self.disk_full_until {
            self.queue.at(self.now + FULL_RETRY, What::Synced { process });
            return self.look_at_disk(process);
        }
        let Some((row, effects, began)) = self.balancer.syncing.take() else { return };
        if std::mem::take(&mut self.fail_next) {
            return self.sync_failed(row, effects, began);
        }
        if self.now - began > STALL {
            self.balancer.steady = self.now;
        }
        self.store(row);
        self.late_append();
        self.look_at_disk(process);
        if self.balancer.paused {
            // The kernel has finished; the process will learn of it when it goes on.
            self.balancer.held_back = effects;
            return;
        }
        self.release(effects);
        self.begin_sync();
    }

    /// A failed sync is an unknown commit: the process ends, and the next one reads what is there.
    fn sync_failed(&mut self, row: Row, effects: Vec<Effect>, began: Time) {
        self.stats.fault("sync-failed");
        if self.params.mutant == Some(Mutant::FailedSync) {
            self.release(effects);
            return self.begin_sync();
        }
        self.balancer.syncing = Some((row, effects, began));
        self.leader_dies();
    }

    /// What an old leader had sent to the ledger arrives after the new one's first row: its epoch is over.
    fn late_append(&mut self) {
        let Some(late) = self.balancer.late.take() else { return };
        if self.params.mutant == Some(Mutant::EpochFence) {
            self.store(late);
        } else {
            self.stats.fault("late-append-refused");
        }
    }

    /// Tells the core how its disk is, when that has changed.
    pub fn look_at_disk(&mut self, process: u64) {
        if process != self.balancer.process || self.balancer.paused {
            return;
        }
        let Some(core) = &self.balancer.core else { return };
        let health = match &self.balancer.syncing {
            Some(_) if self.now < self.disk_full_until => DiskHealth::Full,
            Some((.., began)) if self.now > began + SLOW => DiskHealth::Slow,
            Some(_) | None => DiskHealth::Fine,
        };
        if core.disk() != health {
            // While it stalled nothing could be decided, however short the last sync was.
            self.balancer.steady = self.now;
            self.balancer_input(Input::Disk(health));
        }
    }

    /// Holds against the world what a row claims about it.
    fn judge_claims(&mut self, claims: &Claims) {
        for order in &claims.leased {
            self.judge_overlap(*order);
        }
        for (number, session) in &claims.exited {
            let Some(kitchen) = self.running(*number, *session) else { continue };
            let actor = self.checker.ledger.kitchens[*number].actor;
            let process = kitchen.process;
            self.checker.violate(self.now, "gone", format!("process {process} of k{actor} lives and is called dead"));
        }
        for number in &claims.drained {
            let known = &self.checker.ledger.kitchens[*number];
            let (alive, session) = (known.alive, known.session);
            let held =
                self.running(*number, session).and_then(|kitchen| kitchen.agent.as_ref()).map_or(0, Agent::holding);
            if alive && held > 0 {
                self.checker.violate(
                    self.now,
                    "drain",
                    format!("kitchen {number} is drained, and its agent holds {held}"),
                );
            }
        }
    }

    /// The kitchen with this number in the ledger, if this process of it still runs.
    fn running(&self, number: usize, session: u64) -> Option<&Kitchen> {
        let actor = self.checker.ledger.kitchens.get(number)?.actor;
        let kitchen = self.kitchens.get(actor)?;
        (kitchen.agent.is_some() && kitchen.session(actor) == session).then_some(kitchen)
    }

    fn store(&mut self, row: Row) {
        self.stats.fingerprint.add(&row.body);
        if self.trace {
            for event in row.events().unwrap_or_default() {
                self.say(|| format!("ledger {:?}", event.event));
            }
        }
        let claims = self.checker.durable(self.now, &row);
        self.disk.append(row);
        self.judge_claims(&claims);
    }

    fn release(&mut self, effects: Vec<Effect>) {
        let mut outboxes: Vec<(usize, Vec<BalancerMessage>)> = Vec::new();
        let mut closing = Vec::new();
        for effect in effects {
            self.checker.released(self.now, &effect);
            match effect {
                Effect::Reply(RequestId(number), reply) => self.deliver(number, reply),
                Effect::Tell(ConnectionId(number), message) | Effect::TellNow(ConnectionId(number), message) => {
                    let conn = number as usize;
                    match outboxes.iter_mut().find(|outbox| outbox.0 == conn) {
                        Some(outbox) => outbox.1.push(message),
                        None => outboxes.push((conn, vec![message])),
                    }
                }
                Effect::Close(ConnectionId(number)) => closing.push(number as usize),
            }
        }
        for (conn, messages) in outboxes {
            self.send_down(conn, messages);
        }
        for conn in closing {
            self.push_end(conn, false);
            self.balancer_loses(conn);
        }
    }

    fn deliver(&mut self, number: u64, reply: Reply) {
        self.stats.reply(number, &reply);
        match self.balancer.waits.remove(&number) {
            Some(Waits::Client(client)) => self.answer(client, reply),
            Some(Waits::Cancel(order)) if matches!(reply, Reply::Done(_)) => self.checker.cancelled(self.now, order),
            Some(Waits::Cancel(_) | Waits::Operator) => {}
            None => {
                self.checker.violate(self.now, "reply", format!("request {number} is answered and was not waiting"))
            }
        }
    }

    /// A frame of an agent is read.
    pub fn balancer_hears(&mut self, conn: usize, messages: Vec<AgentMessage>) {
        let actor = self.conns[conn].kitchen;
        for message in messages {
            self.checker.heard(self.now, (actor, conn as u64), &message);
            self.say(|| format!("balancer <- k{actor} conn {conn} {message:?}"));
            self.balancer_input(Input::Agent { connection: ConnectionId(conn as u64), message });
        }
    }

    /// A connection has ended for the balancer.
    pub fn balancer_loses(&mut self, conn: usize) {
        if std::mem::take(&mut self.conns[conn].balancer_end) {
            self.balancer_input(Input::Left { connection: ConnectionId(conn as u64) });
        }
    }

    /// The process dies: all but the disk is gone.
    pub fn crash_balancer(&mut self) {
        self.say(|| "balancer crashes".into());
        if self.balancer.core.take().is_none() {
            return;
        }
        self.stats.add_inputs(std::mem::take(&mut self.balancer.inputs));
        let mut row = self.balancer.syncing.take().map(|(row, ..)| row);
        if self.disk_dice.chance(0.5) {
            self.balancer.late = row.take();
        }
        let how = [Unsynced::Lost, Unsynced::Lost, Unsynced::Kept, Unsynced::Torn][self.disk_dice.below(4)];
        if let (Some(row), Unsynced::Kept) = (&row, how) {
            self.stats.fingerprint.add(&row.body);
        }
        self.disk.crash(row, how);
        if self.params.mutant == Some(Mutant::LyingDisk) {
            self.disk.lie();
        }
        self.balancer.paused = false;
        self.balancer.turns.clear();
        self.balancer.waits.clear();
        self.parked.clear();
        for conn in 0..self.conns.len() {
            if std::mem::take(&mut self.conns[conn].balancer_end) {
                if self.net.chance(0.5) {
                    self.lose_frames(conn, false);
                }
                self.push_end(conn, false);
            }
        }
    }

    /// The process goes on after a stop.
    pub fn resume_balancer(&mut self) {
        if !std::mem::take(&mut self.balancer.paused) {
            return;
        }
        self.balancer.steady = self.now;
        let process = self.balancer.process;
        let effects = std::mem::take(&mut self.balancer.held_back);
        self.release(effects);
        self.begin_sync();
        self.look_at_disk(process);
        let (early, late) = (self.net.between(0, 200), self.net.between(0, 2_000));
        self.queue.at(self.now + early, What::Flush { process });
        self.balancer.tick_at = Some(self.now + late);
        self.queue.at(self.now + late, What::Tick { process });
        self.unblock(None);
        for client in std::mem::take(&mut self.parked) {
            self.queue.at(self.now + self.net.between(0, 3_000), What::Request { client });
        }
    }

    /// The policy a new ledger gets.
    #[must_use]
    pub fn first_policy() -> PolicyView {
        PolicyView::default()
    }
}
