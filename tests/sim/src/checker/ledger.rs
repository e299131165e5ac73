//! What an outsider reads in the ledger: a fold of its own over the decoded rows, made to object.
//!
//! Shares no state with the product. Knows the words (events) and the rules I2 to I5; everything it finds wrong goes
//! into `problems`, and it reads on.

use std::collections::BTreeMap;

use balancer_core::event::{Accepted, Cause, LossCause};
use balancer_core::{Event, Recorded};
use protocol::api::Schedulable;
use protocol::link::places;
use protocol::{FencingToken, OrderId};

use crate::disk::Row;
use crate::queue::Time;

/// How far an order has come, as the ledger tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the ledger")]
pub enum Phase {
    Queued,
    Leased,
    Cooking,
    Completed,
    Cancelled,
    DeadLettered,
}

impl Phase {
    /// Whether anything more is to come.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Leased | Self::Cooking)
    }

    /// Whether a kitchen has it.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Leased | Self::Cooking)
    }
}

/// An order in the ledger.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "read the fold")]
pub struct Line {
    pub accepted: Accepted,
    pub position: u64,
    pub phase: Phase,
    /// When this phase became durable.
    pub since: Time,
    pub accepted_at: Time,
    pub started_at: Time,
    pub ended_at: Time,
    pub token: FencingToken,
    pub kitchen: usize,
    pub half_strikes: u8,
    pub stages_done: u8,
    /// The checkpoint from which the newest lease goes on.
    pub stages_at_lease: u8,
    /// How often it was taken out of quarantine.
    pub requeued: u32,
    pub attempts: u32,
    pub lost_by: Option<LossCause>,
    pub completed: Option<FencingToken>,
    pub failed: Vec<FencingToken>,
    /// Where those attempts were, by the ledger's numbers.
    pub failed_in: Vec<usize>,
    /// Since when the stage in hand is cooked.
    pub stage_since: Time,
    /// It was asked to pause under this lease, and stayed: it may have waited for a station since.
    pub stayed: bool,
    /// The last heartbeat or greeting that speaks for its lease.
    pub sign: Time,
}

/// A kitchen in the ledger.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "read the fold")]
pub struct KitchenLine {
    /// Which kitchen of the simulation.
    pub actor: usize,
    /// The process that registered last.
    pub session: u64,
    pub alive: bool,
    pub schedulable: Schedulable,
    pub places: u32,
    pub stations: u32,
    pub held: u32,
    /// When it declined an order last: it may be closing, and is given nothing new then.
    pub declined: Option<Time>,
    /// When an attempt ended in it last that did not end well.
    pub failed: Option<Time>,
    /// Time its stations were busy with orders that are done, in microseconds.
    pub busy: u64,
}

/// What happened, counted.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "each is an event")]
pub struct Tally {
    pub events: u64,
    pub accepted: u64,
    pub completed: u64,
    pub cancelled: u64,
    pub dead_lettered: u64,
    pub moves: u64,
    pub handovers: u64,
    pub requeued: u64,
    pub drained: u64,
    pub exited: u64,
    pub moves_failed: u64,
    pub recovered: u64,
    pub stale_refused: u64,
    pub declined: u64,
    /// The most leases of one order.
    pub attempts_max: u32,
}

/// What a row says that the world can be held against.
#[derive(Debug, Default)]
pub struct Claims {
    /// Orders that were leased.
    pub leased: Vec<OrderId>,
    /// Those of them that were leased again after they had failed.
    pub tried_again: Vec<OrderId>,
    /// Kitchens, by number, that are empty.
    pub drained: Vec<usize>,
    /// Kitchens, by number, and the session that has ended.
    pub exited: Vec<(usize, u64)>,
}

/// The fold.
#[derive(Debug, Default)]
pub struct Ledger {
    position: u64,
    epoch: u32,
    newest: FencingToken,
    lines: Vec<Line>,
    keys: BTreeMap<Box<str>, OrderId>,
    /// By their number in the ledger.
    pub kitchens: Vec<KitchenLine>,
    /// What is wrong: rule and words.
    pub problems: Vec<(&'static str, String)>,
    /// What happened.
    pub tally: Tally,
}

impl Ledger {
    /// The order with this id.
    #[must_use]
    pub fn line(&self, id: OrderId) -> Option<&Line> {
        self.lines.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    pub(super) fn line_mut(&mut self, id: OrderId) -> Option<&mut Line> {
        self.lines.get_mut(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// All orders, by id.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        self.lines.iter_mut()
    }

    /// The last position.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes a durable row in; gives what it claims.
    pub fn take(&mut self, now: Time, row: &Row) -> Claims {
        if row.first != self.position + 1 {
            self.object("I5", format!("a row begins at {} after {}", row.first, self.position));
        }
        let events = match row.events() {
            Ok(events) => events,
            Err(why) => {
                self.object("I5", why);
                return Claims::default();
            }
        };
        let mut claims = Claims::default();
        for event in &events {
            self.position += 1;
            self.tally.events += 1;
            self.fold(now, event, &mut claims);
        }
        if row.epoch.0 != self.epoch {
            self.object("I5", format!("a row of epoch {} in epoch {}", row.epoch, self.epoch));
        }
        claims
    }

    pub(super) fn object(&mut self, rule: &'static str, what: String) {
        self.problems.push((rule, what));
    }

    fn fold(&mut self, now: Time, recorded: &Recorded, claims: &mut Claims) {
        match &recorded.event {
            Event::EpochStarted { epoch } => {
                if epoch.0 != self.epoch + 1 {
                    self.object("I5", format!("epoch {epoch} after {}", self.epoch));
                }
                self.epoch = epoch.0;
            }
            Event::Accepted(accepted) => self.accepted(now, accepted),
            Event::Leased { order, kitchen, token, cause } => {
                self.leased(now, *order, kitchen.index(), *token, *cause);
                claims.leased.push(*order);
                if *cause == Cause::Retry {
                    claims.tried_again.push(*order);
                }
            }
            Event::Started { order, token, .. } => self.started(now, *order, *token),
            Event::StageDone { order, token, stage } => {
                if let Some(line) = self.held(*order, *token, "stage done") {
                    line.stages_done = line.stages_done.max(stage + 1).min(line.accepted.stages);
                    line.stage_since = now;
                }
            }
            Event::Completed { order, token, .. } => self.completed(now, *order, *token),
            Event::AttemptFailed { order, token, .. } => self.ended_without(now, *order, *token, None),
            Event::LeaseLost { order, token, cause } => self.ended_without(now, *order, *token, Some(*cause)),
            Event::Cancelled { order, .. } => {
                self.tally.cancelled += 1;
                self.end(now, *order, Phase::Cancelled);
            }
            Event::DeadLettered { order, .. } => {
                self.tally.dead_lettered += 1;
                let strikes = self.line(*order).map_or(0, |line| line.half_strikes / 2);
                if strikes < 3 {
                    self.object("I1", format!("{order} is set aside after {strikes} strikes"));
                }
                self.end(now, *order, Phase::DeadLettered);
            }
            Event::StaleRefused { order, kitchen, token } => {
                self.tally.stale_refused += 1;
                let current =
                    |line: &Line| line.phase.is_held() && line.token == *token && line.kitchen == kitchen.index();
                if self.line(*order).is_some_and(current) {
                    self.object("I3", format!("{order}: a result under the current token {token} was refused"));
                }
            }
            Event::MoveFailed { order, .. } => {
                self.tally.moves_failed += 1;
                if let Some(line) = self.line_mut(*order) {
                    line.stayed = true;
                }
            }
            Event::KitchenRegistered(one) => {
                let known = self.kitchens.get(one.kitchen.index());
                let schedulable = match known.map(|kitchen| kitchen.schedulable) {
                    None | Some(Schedulable::Retired) => Schedulable::Open,
                    Some(other) => other,
                };
                let line = KitchenLine {
                    actor: one.id.as_str()[1..].parse().unwrap_or(usize::MAX),
                    session: one.session,
                    alive: true,
                    schedulable,
                    places: places(one.capacity, one.stations),
                    stations: one.stations,
                    held: known.map_or(0, |kitchen| kitchen.held),
                    declined: None,
                    failed: None,
                    busy: known.map_or(0, |kitchen| kitchen.busy),
                };
                match self.kitchens.get_mut(one.kitchen.index()) {
                    Some(old) => *old = line,
                    None => self.kitchens.push(line),
                }
            }
            Event::KitchenLost { kitchen, cause, .. } => {
                if *cause == LossCause::ProcessExited {
                    self.tally.exited += 1;
                    claims.exited.push((kitchen.index(), self.kitchens[kitchen.index()].session));
                }
                let kitchen = &mut self.kitchens[kitchen.index()];
                kitchen.alive = false;
                if *cause == LossCause::AgentLeft && kitchen.schedulable == Schedulable::Open {
                    kitchen.schedulable = Schedulable::Retired;
                }
            }
            Event::KitchenReturned { kitchen } => self.kitchens[kitchen.index()].alive = true,
            Event::KitchenScheduling { kitchen, schedulable, .. } => {
                self.kitchens[kitchen.index()].schedulable = *schedulable;
            }
            Event::DrainStarted { kitchen, .. } => self.kitchens[kitchen.index()].schedulable = Schedulable::Draining,
            Event::Drained { kitchen } => {
                self.tally.drained += 1;
                claims.drained.push(kitchen.index());
                let held = self.kitchens[kitchen.index()].held;
                if held > 0 {
                    self.object("drain", format!("kitchen {} is drained and holds {held}", kitchen.index()));
                }
                self.kitchens[kitchen.index()].schedulable = Schedulable::Cordoned;
            }
            Event::Requeued { order, .. } => self.requeued(now, *order),
            Event::HandedOver { order, token, .. } => _ = self.held(*order, *token, "handed over"),
            Event::CityChanged { .. }
            | Event::PolicySet { .. }
            | Event::MoveOrdered { .. }
            | Event::KeyWindowSet { .. }
            | Event::PolicyChanged { .. }
            | Event::RushStarted { .. }
            | Event::RushEnded { .. } => {}
        }
    }

    fn accepted(&mut self, now: Time, accepted: &Accepted) {
        self.tally.accepted += 1;
        if accepted.order.0 != self.lines.len() as u64 + 1 {
            self.object("I1", format!("{} is accepted after {} orders", accepted.order, self.lines.len()));
        }
        if let Some(key) = &accepted.key
            && let Some(first) = self.keys.insert(key.clone(), accepted.order)
        {
            self.object("I2", format!("key {key} is accepted as {first} and as {}", accepted.order));
        }
        self.lines.push(Line {
            accepted: accepted.clone(),
            position: self.position,
            phase: Phase::Queued,
            since: now,
            accepted_at: now,
            started_at: 0,
            ended_at: 0,
            token: FencingToken::default(),
            kitchen: 0,
            half_strikes: 0,
            stages_done: 0,
            stages_at_lease: 0,
            requeued: 0,
            attempts: 0,
            lost_by: None,
            completed: None,
            failed: Vec::new(),
            failed_in: Vec::new(),
            stage_since: now,
            stayed: false,
            sign: now,
        });
    }

    fn leased(&mut self, now: Time, id: OrderId, kitchen: usize, token: FencingToken, cause: Cause) {
        self.tally.recovered += u64::from(matches!(cause, Cause::Recover { .. }));
        if token.epoch.0 != self.epoch || token <= self.newest {
            self.object("I4", format!("{id}: token {token} after {} in epoch {}", self.newest, self.epoch));
        }
        self.newest = token;
        let Some(line) = self.line(id) else { return self.object("I1", format!("{id} is leased and unknown")) };
        let (phase, from) = (line.phase, line.kitchen);
        let half_strikes = line.half_strikes;
        let fits = match cause {
            Cause::Dispatch | Cause::Recover { .. } | Cause::Retry | Cause::Release => phase == Phase::Queued,
            Cause::Reassign { from: source, .. } => {
                self.tally.moves += 1;
                phase == Phase::Leased && source.index() == from
            }
            Cause::Handover { from: source, .. } => {
                self.tally.handovers += 1;
                phase == Phase::Cooking && source.index() == from
            }
        };
        if half_strikes >= 6 {
            self.object("quarantine", format!("{id} is leased again after {half_strikes} half strikes"));
        }
        if !fits {
            self.object("I3", format!("{id} is leased ({cause:?}) while {phase:?}"));
        }
        if phase.is_held() {
            self.kitchens[from].held -= 1;
        }
        let target = &mut self.kitchens[kitchen];
        target.held += 1;
        let (alive, schedulable, held, places) = (target.alive, target.schedulable, target.held, target.places);
        if !alive || schedulable != Schedulable::Open || held > places {
            let state = format!("alive {alive}, {schedulable:?}, holds {held} of {places}");
            self.object("lease", format!("{id} is leased to kitchen {kitchen}: {state}"));
        }
        if let Some(line) = self.line_mut(id) {
            line.phase = Phase::Leased;
            line.stayed = false;
            line.stages_at_lease = line.stages_done;
            line.since = now;
            line.sign = now;
            line.token = token;
            line.kitchen = kitchen;
            line.attempts += 1;
            let attempts = line.attempts;
            self.tally.attempts_max = self.tally.attempts_max.max(attempts);
        }
    }

    /// The line if this lease is the order's current one.
    fn held(&mut self, id: OrderId, token: FencingToken, what: &str) -> Option<&mut Line> {
        let found = self.line(id).map(|line| (line.phase, line.token));
        if let Some((phase, newest)) = found
            && phase.is_held()
            && newest == token
        {
            return self.line_mut(id);
        }
        self.object("I3", format!("{id}: {what} under {token}, but the ledger has {found:?}"));
        None
    }

    fn started(&mut self, now: Time, id: OrderId, token: FencingToken) {
        let Some(line) = self.held(id, token, "started") else { return };
        if line.phase == Phase::Leased {
            line.phase = Phase::Cooking;
            line.since = now;
            line.started_at = now;
            line.stage_since = now;
        }
    }

    fn completed(&mut self, now: Time, id: OrderId, token: FencingToken) {
        self.tally.completed += 1;
        if self.line(id).is_some_and(|line| line.completed.is_some()) {
            self.object("I3", format!("{id} is completed twice"));
        }
        let Some(line) = self.held(id, token, "completed") else { return };
        line.completed = Some(token);
        let (busy, kitchen) = (now.saturating_sub(line.started_at), line.kitchen);
        if line.phase == Phase::Cooking {
            self.kitchens[kitchen].busy += busy;
        }
        self.end(now, id, Phase::Completed);
    }

    fn ended_without(&mut self, now: Time, id: OrderId, token: FencingToken, lost: Option<LossCause>) {
        self.tally.declined += u64::from(lost == Some(LossCause::Declined));
        let Some(line) = self.held(id, token, "an attempt ended") else { return };
        if lost.is_none() {
            line.failed.push(token);
            line.failed_in.push(line.kitchen);
        }
        let death =
            matches!(lost, Some(LossCause::AgentRestarted | LossCause::KitchenSilent | LossCause::ProcessExited));
        let let_go = matches!(
            lost,
            Some(LossCause::AgentLeft | LossCause::Returned | LossCause::Declined | LossCause::DrainDeadline)
        );
        line.half_strikes = line.half_strikes.saturating_add(match line.phase {
            // The order that showed it has its own word; the others in a kitchen that hangs are not to blame.
            _ if lost == Some(LossCause::KitchenStuck) => 0,
            // A kitchen that lives gave it back, or was told to let it go.
            _ if let_go => 0,
            Phase::Cooking => 2,
            _ if lost.is_none() => 2,
            _ => u8::from(death),
        });
        line.lost_by = lost;
        line.phase = Phase::Queued;
        line.since = now;
        let kitchen = line.kitchen;
        self.kitchens[kitchen].held -= 1;
        self.kitchens[kitchen].failed = Some(now);
        if lost == Some(LossCause::Declined) {
            self.kitchens[kitchen].declined = Some(now);
        }
    }

    fn requeued(&mut self, now: Time, id: OrderId) {
        self.tally.requeued += 1;
        let found = self.line(id).map(|line| line.phase);
        if found != Some(Phase::DeadLettered) {
            return self.object("quarantine", format!("{id} is released and was {found:?}"));
        }
        if let Some(line) = self.line_mut(id) {
            line.phase = Phase::Queued;
            line.since = now;
            line.half_strikes = 0;
            line.requeued += 1;
            // What set it aside counts as a failure there, whichever way it ended.
            line.failed_in.push(line.kitchen);
        }
    }

    fn end(&mut self, now: Time, id: OrderId, phase: Phase) {
        let before = self.line(id).map(|line| (line.phase, line.kitchen));
        match before {
            Some((old, kitchen)) if old.is_held() => self.kitchens[kitchen].held -= 1,
            Some((Phase::Queued, _)) => {}
            other => self.object("I1", format!("{id} becomes {phase:?} from {other:?}")),
        }
        if let Some(line) = self.line_mut(id) {
            line.phase = phase;
            line.since = now;
            line.ended_at = now;
        }
    }
}
