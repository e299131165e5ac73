//! Cooking: which order gets a free station, and how it goes from stage to stage to its end.
//!
//! Owns the stations, and how long a command may run: one that takes longer is killed, and its order given back. Never asks whether the lease still stands: fences were checked before ([`super::lease`]).

use std::cmp::Reverse;
use std::time::Duration;

use protocol::link::{AgentMessage, DeclineReason, LeaseName};
use protocol::{OrderId, Priority};

use super::beat::millis;
use super::lease::{Held, Place};
use super::report::{Outcome, Report};
use super::{Agent, Cooking, Effect};

impl Agent {
    /// Gives each free station the next order: what goes ahead of the line, then high priority and what has waited its share,
    /// the older order first, then the others.
    pub(super) fn fill_stations(&mut self, now: Duration) {
        while self.cooking < self.config.stations
            && let Some(order) = self.next_in_line(now)
        {
            self.place(order, Place::Station);
            self.begin(now, order);
        }
    }

    fn next_in_line(&self, now: Duration) -> Option<OrderId> {
        let ahead = self.ahead.first().copied();
        let first = || self.waiting.first().map(|&(_, order)| self.aged_before(now, order).unwrap_or(order));
        ahead.or_else(first)
    }

    /// A normal order that is older than this high one and has waited its share. The oldest ages first, so one look is enough.
    fn aged_before(&self, now: Duration, first: OrderId) -> Option<OrderId> {
        let normal = (Reverse(Priority::Normal), OrderId(0))..(Reverse(Priority::Normal), first);
        let (_, oldest) = self.waiting.range(normal).next()?;
        self.held.get(oldest).filter(|held| held.aged <= now).map(|_| *oldest)
    }

    fn begin(&mut self, now: Duration, order: OrderId) {
        let connected = self.connected();
        let Some(held) = self.held.get_mut(&order) else { return };
        if held.started.is_some() {
            return self.next_stage(now, now, order); // it was paused, and goes on
        }
        held.started = Some(now);
        if connected {
            let started = AgentMessage::Started { lease: held.cook.lease, stage: held.cook.from_stage };
            self.outbox.push_progress(&mut held.trail, started);
        }
        match self.unknown_dish(order) {
            Some(output) => self.fail(now, order, output),
            None => self.next_stage(now, now, order),
        }
    }

    /// A dish that this kitchen has never heard of has no stages; cooked it is not.
    fn unknown_dish(&self, order: OrderId) -> Option<String> {
        let (held, city) = (self.held.get(&order)?, self.city.as_ref()?);
        let unknown = held.cook.items.iter().find(|item| city.menu.dish(item.dish).is_none())?;
        Some(format!("dish number {} is not on the menu this kitchen was welcomed with", unknown.dish.0))
    }

    /// Starts the first stage that is not done, at `from`, and ends all that are over by `now`.
    fn next_stage(&mut self, now: Duration, mut from: Duration, order: OrderId) {
        while let Some(held) = self.held.get_mut(&order) {
            let Some(stage) = held.plan.get(usize::from(held.stage)) else { return self.complete(now, order) };
            if matches!(held.place, Place::Leaving(_)) {
                return self.pause(order);
            }
            held.stage_began = from;
            if let Cooking::Commands { stage_timeout_ms } = self.config.cooking {
                return self.run_command(now + millis(stage_timeout_ms), order);
            }
            let end = from + simulated(stage.ms, self.config.speed);
            if end > now {
                held.due = Some(end);
                self.due.insert((end, order));
                return;
            }
            from = end;
            self.stage_done(end, order);
        }
    }

    /// Asks for the command of the stage, which may run until `until`.
    fn run_command(&mut self, until: Duration, order: OrderId) {
        let Some(held) = self.held.get_mut(&order) else { return };
        held.due = Some(until);
        self.due.insert((until, order));
        self.outbox.push(Effect::RunStage {
            lease: held.cook.lease,
            attempt: held.cook.attempt,
            stage: held.stage,
            cook: held.cook.clone(),
        });
    }

    /// Ends simulated stages whose time has come; the next one begins where the last ended, so a late call adds nothing.
    /// Where stages are commands, what is due has taken too long.
    pub(super) fn end_due_stages(&mut self, now: Duration) {
        while let Some(&(at, order)) = self.due.first()
            && at <= now
        {
            self.due.pop_first();
            if let Some(held) = self.held.get_mut(&order) {
                held.due = None;
            }
            if self.config.cooking.is_commands() {
                self.time_out(order);
                continue;
            }
            self.stage_done(at, order);
            self.next_stage(now, at, order);
        }
    }

    /// Kills the command and gives the order back: no result, so nothing to repeat. What that says of this kitchen, and
    /// where the order goes, is the balancer's to judge. If nobody hears it, the lease ends because no heartbeat names it.
    fn time_out(&mut self, order: OrderId) {
        let Some(lease) = self.held.get(&order).map(|held| held.cook.lease) else { return };
        self.counters.timed_out += 1;
        self.stop(order);
        if self.connected() {
            self.give_back(lease, DeclineReason::TimedOut);
        }
    }

    pub(super) fn command_ended(&mut self, now: Duration, lease: LeaseName, stage: u8, outcome: Result<(), String>) {
        let running = |held: &&Held| held.cook.lease == lease && held.place.is_station() && held.stage == stage;
        if self.held.get(&lease.order).filter(running).is_none() {
            return;
        }
        self.no_longer_due(lease.order);
        match outcome {
            Ok(()) => {
                self.stage_done(now, lease.order);
                self.next_stage(now, now, lease.order);
            }
            Err(output) => self.fail(now, lease.order, output),
        }
    }

    /// The stage in hand has no end any more.
    pub(super) fn no_longer_due(&mut self, order: OrderId) {
        if let Some(due) = self.held.get_mut(&order).and_then(|held| held.due.take()) {
            self.due.remove(&(due, order));
        }
    }

    /// Counts the stage and, unless it was the last, tells the checkpoint.
    fn stage_done(&mut self, at: Duration, order: OrderId) {
        let connected = self.connected();
        let Some(held) = self.held.get_mut(&order) else { return };
        let done = held.stage;
        if let Some(stage) = held.plan.get(usize::from(done)) {
            self.counters.stage_done(&stage.name, at.saturating_sub(held.stage_began));
        }
        held.stage += 1;
        if connected && usize::from(held.stage) < held.plan.len() {
            let message = AgentMessage::StageDone { lease: held.cook.lease, stage: done };
            self.outbox.push_progress(&mut held.trail, message);
        }
    }

    fn complete(&mut self, now: Duration, order: OrderId) {
        let Some(held) = self.take_out(order) else { return };
        self.counters.completed += 1;
        self.outbox.supersede(held.trail);
        let cooked = now.saturating_sub(held.started.unwrap_or(now)).as_millis();
        let cooked_ms = u32::try_from(cooked).unwrap_or(u32::MAX);
        self.report(now, order, Report::new(held.cook.lease.token, Outcome::Completed { cooked_ms }));
    }

    /// Ends the attempt; the stages done before stay told, because they are checkpoints.
    fn fail(&mut self, now: Duration, order: OrderId, output: String) {
        let Some(held) = self.take_out(order) else { return };
        self.counters.failed += 1;
        self.report(now, order, Report::new(held.cook.lease.token, Outcome::failed(held.stage, output)));
    }

    /// Says again how far each order has come: what was said on an earlier connection may never have arrived.
    pub(super) fn repeat_progress(&mut self) {
        for held in self.held.values_mut().filter(|held| held.started.is_some()) {
            let (lease, from) = (held.cook.lease, held.cook.from_stage);
            self.outbox.push_progress(&mut held.trail, AgentMessage::Started { lease, stage: from });
            for stage in from..held.stage {
                self.outbox.push_progress(&mut held.trail, AgentMessage::StageDone { lease, stage });
            }
        }
    }
}

/// How long a stage of `ms` takes at this speed.
fn simulated(ms: u32, speed: f64) -> Duration {
    if ms == 0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(f64::from(ms) / 1_000.0 / speed).unwrap_or(Duration::MAX / 4)
}
