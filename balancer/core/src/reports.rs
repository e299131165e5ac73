//! What agents report: signs of life, progress, results. Every report is measured against the newest token.
//!
//! Invariants:
//! - a result is committed only under the order's newest token, from the kitchen that holds it, while it holds it;
//! - a result that comes again under the token that was committed is settled again and changes nothing;
//! - any other late result is refused, counted once, and settled so that the agent forgets it.

use std::time::Duration;

use protocol::link::{AgentMessage, BalancerMessage, DeclineReason, LeaseName};
use protocol::{OrderId, OrderState};

use crate::dispatcher::{Core, Guard};
use crate::effect::Effect;
use crate::event::{Event, KitchenNo, LossCause};
use crate::input::{ConnectionId, Now};
use crate::lease::Due;
use crate::limits;
use crate::state::Order;

/// How a lease that an agent names stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is the newest, and this kitchen has it.
    Current(OrderState),
    /// The order was completed under this very token.
    Settled,
    /// Anything else.
    Stale,
}

impl Core {
    pub(crate) fn agent_says(&mut self, now: Now, connection: ConnectionId, message: AgentMessage) {
        if let AgentMessage::Hello(hello) = message {
            // One hello a connection: a second one would leave the first kitchen with a connection that is not its own.
            if !self.soft.connections.contains_key(&connection) {
                self.join(now, connection, *hello);
            }
            return;
        }
        // Whatever an old connection still says is repeated on the new one.
        let Some(number) = self.soft.connections.get(&connection).copied() else { return };
        match message {
            AgentMessage::Hello(_) => {}
            AgentMessage::Heartbeat { seq, held } => self.heartbeat(now, number, seq, &held),
            AgentMessage::Started { lease, stage: _ } => self.started(now, number, lease),
            AgentMessage::StageDone { lease, stage } => self.stage_done(now, number, lease, stage),
            AgentMessage::Completed { lease, cooked_ms } => self.completed(now, number, lease, cooked_ms),
            AgentMessage::Failed { lease, stage, output } => self.failed(now, number, lease, stage, &output),
            AgentMessage::Released { lease } => self.released(now, number, lease),
            AgentMessage::ReleaseRefused { lease, why } => self.release_refused(now, number, lease, why),
            AgentMessage::Declined { lease, why } => self.declined(now, number, lease, why),
            AgentMessage::Goodbye => self.goodbye(now, number),
            AgentMessage::Reserved { order } => self.reserved(now, number, order),
            AgentMessage::ReserveRefused { order, why } => self.reserve_refused(now, number, order, why),
            AgentMessage::Paused { lease, stages_done } => self.paused(now, number, lease, stages_done),
            AgentMessage::HandoverRefused { lease, why } => self.handover_refused(now, number, lease, why),
            AgentMessage::Deaf => self.deaf(now, number, connection),
        }
    }

    fn heartbeat(&mut self, now: Now, number: KitchenNo, seq: u64, held: &[LeaseName]) {
        self.heard(now, number);
        let link = self.soft.link_mut(number);
        link.seq = link.seq.max(seq);
        link.empty = held.is_empty() && now.mono >= link.unproven_until;
        let mut lost = Vec::new();
        for lease in held {
            match self.standing(number, *lease) {
                Standing::Current(_) => self.soft.leases.renew(now.mono, lease.order, lease.token.counter),
                Standing::Settled | Standing::Stale => lost.push(*lease),
            }
        }
        if self.without(Guard::NamedRenewal) {
            self.renew_everything(now, number);
        }
        // A renewal follows from no event and waits for no disk. That a lease is lost does: it may not be durable yet.
        if lost.is_empty() {
            self.tell_now(number, BalancerMessage::Renewed { seq, lost });
        } else {
            self.tell(number, BalancerMessage::Renewed { seq, lost });
        }
    }

    fn renew_everything(&mut self, now: Now, number: KitchenNo) {
        let kitchen = self.state.kitchen(number);
        let held: Vec<OrderId> = kitchen.waiting.iter().chain(&kitchen.cooking).copied().collect();
        for order in held {
            let counter = self.state.order(order).map_or(0, |order| order.token.counter);
            self.soft.leases.renew(now.mono, order, counter);
        }
    }

    fn started(&mut self, now: Now, number: KitchenNo, lease: LeaseName) {
        match self.standing(number, lease) {
            Standing::Current(OrderState::Leased) => {
                // It was told where to begin, so this is known better here.
                let stage = self.state.order(lease.order).map_or(0, |order| order.stages_done);
                self.emit(now, Event::Started { order: lease.order, token: lease.token, stage });
                self.cooked_again(now, lease.order, 0);
            }
            Standing::Current(_) | Standing::Settled => {}
            Standing::Stale => self.tell(number, BalancerMessage::Stop(lease)),
        }
    }

    fn stage_done(&mut self, now: Now, number: KitchenNo, lease: LeaseName, stage: u8) {
        match self.standing(number, lease) {
            Standing::Current(_) => {
                let order = self.state.order(lease.order);
                if order.is_some_and(|order| stage >= order.stages_done && stage < order.stages) {
                    self.emit(now, Event::StageDone { order: lease.order, token: lease.token, stage });
                }
            }
            Standing::Settled => {}
            Standing::Stale => self.tell(number, BalancerMessage::Stop(lease)),
        }
    }

    fn completed(&mut self, now: Now, number: KitchenNo, lease: LeaseName, cooked_ms: u32) {
        let stale = match self.standing(number, lease) {
            Standing::Current(_) => {
                self.drop_move(now, lease.order, "it is done");
                let cooked_ms = self.bounded(now, lease, cooked_ms);
                self.cooked_again(now, lease.order, cooked_ms);
                self.emit(now, Event::Completed { order: lease.order, token: lease.token, cooked_ms });
                false
            }
            Standing::Settled => false,
            Standing::Stale => self.refuse_stale(now, number, lease),
        };
        self.tell(number, BalancerMessage::Settled { lease, stale });
    }

    /// An attempt cannot have taken longer than its lease has stood here, whatever the agent says.
    fn bounded(&self, now: Now, lease: LeaseName, cooked_ms: u32) -> u32 {
        let given = self.soft.leases.given_at(lease.order, lease.token.counter);
        let stood = given.map_or(Duration::ZERO, |given| now.mono.saturating_sub(given));
        cooked_ms.min(u32::try_from(stood.as_millis()).unwrap_or(u32::MAX))
    }

    fn failed(&mut self, now: Now, number: KitchenNo, lease: LeaseName, stage: u8, output: &str) {
        let stale = match self.standing(number, lease) {
            Standing::Current(_) => {
                self.drop_move(now, lease.order, "its attempt failed");
                let output = keep(output).into_boxed_str();
                let last = self.state.order(lease.order).map_or(0, |order| order.stages.saturating_sub(1));
                let stage = stage.min(last);
                self.emit(now, Event::AttemptFailed { order: lease.order, token: lease.token, stage, output });
                self.set_aside_if_poison(now, lease.order);
                self.back_off(now, lease.order);
                false
            }
            Standing::Settled => false,
            Standing::Stale => self.refuse_stale(now, number, lease),
        };
        self.tell(number, BalancerMessage::Settled { lease, stale });
    }

    /// A command that took too long says so of its kitchen. Any other order waits again, and the kitchen gets nothing new for a while: until its next heartbeat, or if it closes
    /// until its next hello. Otherwise the same order would go to and fro as fast as the wire carries it.
    fn declined(&mut self, now: Now, number: KitchenNo, lease: LeaseName, why: DeclineReason) {
        let Standing::Current(_) = self.standing(number, lease) else { return };
        if why == DeclineReason::TimedOut {
            return self.hangs(now, number, Some(lease.order));
        }
        let link = self.soft.link_mut(number);
        link.suspected = true;
        link.closing |= why == DeclineReason::Closing;
        self.refresh(number);
        self.lose(now, lease.order, LossCause::Declined);
    }

    /// The agent does not hear what it is told: it has stopped whatever it held, and what was on its way it will not take.
    /// So all of it can go elsewhere now, instead of when its leases run out; it comes back on a new connection.
    fn deaf(&mut self, now: Now, number: KitchenNo, connection: ConnectionId) {
        self.lose_all(now, number, LossCause::Declined);
        self.effects.push(Effect::Close(connection));
        self.left(connection);
    }

    /// Counts a late result, once however often it is repeated; an order that only the ledger knows is not counted.
    fn refuse_stale(&mut self, now: Now, number: KitchenNo, lease: LeaseName) -> bool {
        if self.state.order(lease.order).is_some_and(|order| order.refused != lease.token) {
            self.emit(now, Event::StaleRefused { order: lease.order, kitchen: number, token: lease.token });
        }
        true
    }

    /// A lease ended without a result: the order waits again, or is set aside.
    pub(crate) fn lose(&mut self, now: Now, id: OrderId, cause: LossCause) {
        let Some(order) = self.state.order(id) else { return };
        let token = order.token;
        self.drop_move(now, id, "its kitchen lost it");
        self.emit(now, Event::LeaseLost { order: id, token, cause });
        self.set_aside_if_poison(now, id);
    }

    fn set_aside_if_poison(&mut self, now: Now, id: OrderId) {
        let strikes = self.state.order(id).map_or(0, Order::strikes);
        if strikes >= limits::STRIKES_MAX && !self.without(Guard::Quarantine) {
            self.emit(now, Event::DeadLettered { order: id, strikes });
        }
    }

    pub(crate) fn expire_leases(&mut self, now: Now) {
        loop {
            let state = &self.state;
            let stands = |id: OrderId, counter: u64| {
                let order = state.order(id);
                order.is_some_and(|order| {
                    order.token.counter == counter && matches!(order.state, OrderState::Leased | OrderState::Cooking)
                })
            };
            let id = match self.soft.leases.pop_due(now.mono, stands) {
                Some(Due::Over(id)) => id,
                Some(Due::GoesOn(id)) => {
                    self.look_at_stage(now, id);
                    continue;
                }
                None => return,
            };
            let Some(order) = self.state.order(id) else { continue };
            let (kitchen, token) = (order.kitchen, order.token);
            if kitchen.is_some_and(|kitchen| self.lost_if_silent(now, kitchen)) {
                continue;
            }
            if kitchen.is_some_and(|kitchen| self.is_braked(now, kitchen)) {
                self.soft.leases.put_off(now.mono, id, token.counter);
                continue;
            }
            self.lose(now, id, LossCause::LeaseExpired);
            if let Some(kitchen) = kitchen {
                self.tell(kitchen, BalancerMessage::Stop(LeaseName { order: id, token }));
            }
        }
    }

    pub(crate) fn is_current(&self, number: KitchenNo, lease: LeaseName) -> bool {
        matches!(self.standing(number, lease), Standing::Current(_))
    }

    fn standing(&self, number: KitchenNo, lease: LeaseName) -> Standing {
        let Some(order) = self.state.order(lease.order) else { return Standing::Stale };
        if self.without(Guard::Fencing) && order.state.is_open() {
            return Standing::Current(order.state);
        }
        if order.token != lease.token || order.kitchen != Some(number) {
            return Standing::Stale;
        }
        match order.state {
            OrderState::Leased | OrderState::Cooking => Standing::Current(order.state),
            OrderState::Completed => Standing::Settled,
            OrderState::Queued | OrderState::Cancelled | OrderState::DeadLettered => Standing::Stale,
        }
    }
}

/// An output as it is kept: readable lines, nothing that a terminal would obey.
fn keep(output: &str) -> String {
    let lines: Vec<String> = output.lines().map(|line| protocol::text::clean(line, 200)).collect();
    let mut kept = lines.join("\n");
    let cut = (0..=protocol::link::OUTPUT_MAX.min(kept.len())).rev().find(|at| kept.is_char_boundary(*at)).unwrap_or(0);
    kept.truncate(cut);
    kept
}
