//! The core's one way in: decides the order of steps and keeps events, effects and soft state in step.
//!
//! `handle` = the input's own policy (admission, fleet, reports, migration, rush), then whatever time has made due, then
//! the settling: waiting orders go to free places, idle stations take waiting orders. Policies never call one another
//! except through here, and change durable state only by [`Core::emit`].

use std::time::Duration;

use protocol::api::{PolicyView, Receipt};
use protocol::city::{self, City};
use protocol::link::{BalancerMessage, Timing};
use protocol::{Epoch, OrderId};

use crate::effect::{Effect, Refused, Reply};
use crate::event::{Event, KitchenNo, Recorded};
use crate::input::{Input, Now, Operator, RequestId};
use crate::limits;
use crate::soft::{Decision, MoveAsked, Skip, Soft};
use crate::state::{Order, State};
use crate::{disk, fleet};

/// A guard that a simulator can take away, to show that it would notice. Never reachable from a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Results need the newest token.
    Fencing,
    /// Lost leases are given to another kitchen.
    Reassignment,
    /// A heartbeat renews only the leases it names.
    NamedRenewal,
    /// The same key is the same order.
    Idempotency,
    /// An order that failed or lost its kitchen three times is set aside; without it a poison order goes round for ever.
    Quarantine,
    /// A drain is complete only when nothing is left in the kitchen and its agent says so; without it what is being
    /// cooked there does not count.
    DrainProof,
    /// A handover leases to the target only after the source has paused; without it two kitchens cook at once.
    PauseFirst,
    /// A normal order that has waited its share ranks with high ones; without it a stream of those keeps it for ever.
    Ageing,
    /// A kitchen is told to go on from the checkpoint in the ledger; without it every attempt begins at the first stage.
    Checkpoint,
    /// A stage that takes far too long ends, with all that its kitchen holds; without it a hung kitchen keeps its orders.
    StageLimit,
    /// After an attempt that went wrong an order goes to another kitchen first.
    Elsewhere,
}

/// What the core is told once.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The rhythm of leases.
    pub timing: Timing,
    /// For everything left to chance.
    pub seed: u64,
    /// How long a key is remembered from its order's acceptance on.
    pub key_window: Duration,
    /// For the simulator only.
    pub without: Option<Guard>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timing: Timing::DEFAULT, seed: 1, key_window: limits::KEY_WINDOW, without: None }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    pub(crate) state: State,
    pub(crate) soft: Soft,
    pub(crate) effects: Vec<Effect>,
    settings: Settings,
    events: Vec<Recorded>,
    forgotten: Vec<Order>,
}

impl Core {
    /// A core on top of what the ledger says; it decides nothing until [`Input::Lead`].
    #[must_use]
    pub fn new(state: State, settings: Settings) -> Self {
        let soft = Soft::new(settings.timing, settings.seed);
        Self { state, soft, effects: Vec::new(), settings, events: Vec::new(), forgotten: Vec::new() }
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.notice_own_lag(now);
        match disk::wish(&input).zip(self.disk_refusal()) {
            Some((request, why)) => self.refuse(request, why),
            None => self.take(now, input),
        }
        self.due(now);
        self.settle(now);
        self.soft.planned = self.next_deadline().map(|planned| planned.max(now.mono));
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Lead { city, policy } => self.lead(now, &city, *policy),
            Input::Submit { request, order } => self.submit(now, request, order),
            Input::Cancel { request, order, by } => self.cancel(now, request, order, by),
            Input::Migrate { request, order, to, by } => self.migrate(now, request, order, &to, by),
            Input::Cordon { request, kitchen, by } => self.cordon(now, request, &kitchen, by),
            Input::Uncordon { request, kitchen, by } => self.uncordon(now, request, &kitchen, by),
            Input::Drain { request, kitchen, deadline, force, by } => {
                self.drain(now, request, &kitchen, deadline, force, by);
            }
            Input::SetPolicy { request, policy, by } => self.set_policy(now, request, *policy, by),
            Input::StartRush { request, rate, lasts, zone, by } => {
                self.start_rush(now, request, (rate, lasts, zone), by)
            }
            Input::StopRush { request, by } => self.stop_rush(now, request, by),
            Input::Join { connection, hello } => self.join(now, connection, *hello),
            Input::Agent { connection, message } => self.agent_says(now, connection, message),
            Input::Left { connection } => self.left(connection),
            Input::Gone { request, kitchen, pid } => self.gone(now, request, &kitchen, pid),
            Input::Release { request, order, by } => self.release(now, request, order, by),
            Input::Disk(health) => self.disk_is(now, health),
            Input::Tick => {}
        }
    }

    /// When [`Input::Tick`] is wanted at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.soft.leads {
            return None;
        }
        let tick = Some(self.soft.next_tick).filter(|_| !self.state.kitchens.is_empty());
        if self.is_disk_stalled() {
            return tick;
        }
        let holds = self.soft.holds.next_end().filter(|_| !self.state.kitchens.is_empty());
        [tick, self.soft.leases.next(), holds, self.soft.rush_next, self.soft.rush_ends].into_iter().flatten().min()
    }

    /// Events since the last call, in the sequence of the ledger.
    pub fn take_events(&mut self) -> Vec<Recorded> {
        take_all(&mut self.events)
    }

    /// Effects since the last call; none may be released before the events of the same call are durable.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        take_all(&mut self.effects)
    }

    /// Orders that the state has forgotten since the last call, oldest first: their keys are the caller's to remember.
    pub fn take_forgotten(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.forgotten)
    }

    /// Whether there is anything to take.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.events.is_empty() && self.effects.is_empty()
    }

    /// The truth, including events that are not durable yet.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Events that are not taken yet.
    #[must_use]
    pub fn pending_events(&self) -> &[Recorded] {
        &self.events
    }

    /// The newest decision about an order, while it is remembered.
    #[must_use]
    pub fn decision(&self, order: OrderId) -> Option<&Decision> {
        self.soft.decisions[decision_slot(order)].as_ref().filter(|decision| decision.order == order)
    }

    /// Moves that wait for their source or their target.
    pub fn moves_in_flight(&self) -> impl Iterator<Item = MoveAsked> {
        self.soft.moves.iter().map(|(order, one)| MoveAsked {
            order: *order,
            from: one.from,
            to: one.to,
            kind: one.step.kind(),
            reason: one.reason,
            at: one.asked_at,
        })
    }

    /// Moves asked for since the last call, for the feed.
    pub fn take_moves_asked(&mut self) -> Vec<MoveAsked> {
        std::mem::take(&mut self.soft.moves_asked)
    }

    /// Moves that were considered and skipped, newest last.
    pub fn skips(&self) -> impl DoubleEndedIterator<Item = &Skip> {
        self.soft.skips.iter()
    }

    /// Orders refused at the door under this leader: all, and those of the running rush.
    #[must_use]
    pub fn shed(&self) -> (u64, u64) {
        (self.soft.shed, self.soft.rush_shed)
    }

    /// Why the configured city was not taken over, if it was not: the one in the ledger is in force.
    #[must_use]
    pub fn city_refused(&self) -> Option<&str> {
        self.soft.city_refused.as_deref()
    }

    /// How long the rush still lasts.
    #[must_use]
    pub fn rush_left(&self, now: Duration) -> Option<Duration> {
        self.state.rush?;
        self.soft.rush_ends.map(|ends| ends.saturating_sub(now))
    }

    /// The time scale of the score in force, in milliseconds.
    #[must_use]
    pub fn time_scale_ms(&self) -> u64 {
        self.soft.routing.scale_ms()
    }

    fn lead(&mut self, now: Now, city: &City, policy: PolicyView) {
        self.soft.leads = true;
        self.emit(now, Event::EpochStarted { epoch: Epoch(self.state.epoch.0 + 1) });
        let merged = City {
            name: city.name.clone(),
            zones: city::merged_zones(&self.state.city.zones, &city.zones),
            menu: self.state.city.menu.merged(&city.menu),
            kitchens: Vec::new(),
        };
        if merged != self.state.city {
            match fleet::fits_a_frame(&merged) {
                Ok(()) => self.emit(now, Event::CityChanged { city: Box::new(merged) }),
                Err(why) => self.soft.city_refused = Some(why),
            }
        }
        if self.state.policy.is_none() {
            self.emit(now, Event::PolicySet { policy: Box::new(policy), by: Operator::default() });
        }
        let window_ms = u64::try_from(self.settings.key_window.as_millis()).unwrap_or(u64::MAX);
        if self.state.key_window_ms != Some(window_ms) {
            self.emit(now, Event::KeyWindowSet { window_ms });
        }
        self.adopt(now);
    }

    fn due(&mut self, now: Now) {
        if !self.soft.leads {
            return;
        }
        let ticks = now.mono >= self.soft.next_tick;
        if ticks {
            self.soft.next_tick = now.mono + limits::TICK;
            self.measure_fleet(now);
            self.measure_line();
        }
        if self.is_disk_stalled() {
            return;
        }
        self.expire_leases(now);
        self.soft.holds.let_go(now.mono);
        self.rush_due(now);
        if ticks {
            self.watch_kitchens(now);
            self.time_out_moves(now);
            self.drain_step(now);
            self.look_at_steadiness(now);
            self.probe_grey(now);
            self.steal_everywhere();
        }
        if now.mono >= self.soft.next_pace {
            self.soft.next_pace = now.mono + limits::PACE_EVERY;
            self.look_at_pace(now);
        }
        if now.mono >= self.soft.next_cycle {
            self.soft.next_cycle = now.mono + Duration::from_millis(self.state.policy().cycle_ms);
            self.rescale();
            self.relieve(now);
        }
    }

    fn settle(&mut self, now: Now) {
        if self.is_disk_stalled() {
            return;
        }
        self.dispatch_waiting(now);
        self.steal(now);
    }

    /// Tells a kitchen, if it is connected.
    pub(crate) fn tell(&mut self, kitchen: KitchenNo, message: BalancerMessage) {
        if let Some(connection) = self.soft.link(kitchen).connection {
            self.effects.push(Effect::Tell(connection, message));
        }
    }

    /// Tells a kitchen, if it is connected, what follows from no event.
    pub(crate) fn tell_now(&mut self, kitchen: KitchenNo, message: BalancerMessage) {
        if let Some(connection) = self.soft.link(kitchen).connection {
            self.effects.push(Effect::TellNow(connection, message));
        }
    }

    /// Records a fact: applies it, and keeps the soft state in step.
    pub(crate) fn emit(&mut self, now: Now, event: Event) {
        let recorded = Recorded { at: now.wall, event };
        if let Some(order) = self.state.apply(&recorded)
            && order.key.is_some()
        {
            self.forgotten.push(order);
        }
        self.follow(now, &recorded.event);
        self.events.push(recorded);
    }

    pub(crate) fn without(&self, guard: Guard) -> bool {
        self.settings.without == Some(guard)
    }

    pub(crate) fn reply(&mut self, request: RequestId, reply: Reply) {
        self.effects.push(Effect::Reply(request, reply));
    }

    pub(crate) fn refuse(&mut self, request: RequestId, why: Refused) {
        self.reply(request, Reply::Refused(why));
    }

    pub(crate) fn receipt(&self, id: OrderId) -> Option<Receipt> {
        let order = self.state.orders.get(id)?;
        Some(Receipt {
            id,
            state: order.state,
            kitchen: order.kitchen.map(|number| self.state.kitchen(number).id.clone()),
            attempt: order.attempt,
            token: order.kitchen.map(|_| order.token),
            placed_at: order.placed_at,
            position: order.position,
        })
    }
}

/// All of them; the next call will find about as many, so those have room from the start.
fn take_all<T>(gathered: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(gathered.len().min(64));
    std::mem::replace(gathered, room)
}

pub(crate) fn decision_slot(order: OrderId) -> usize {
    (order.0 % limits::DECISIONS_KEPT as u64) as usize
}
