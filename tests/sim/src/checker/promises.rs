//! What left the balancer: each reply and each agent message must follow from the durable ledger (I1, I2, I6).
//!
//! A promise is kept for ever: after each crash all of them are compared with what the disk still has.

use std::collections::BTreeMap;

use balancer_core::input::NewOrder;
use balancer_core::{Refused, Reply};
use protocol::OrderId;
use protocol::api::Receipt;
use protocol::link::{BalancerMessage, LeaseName};

use super::ledger::{Ledger, Phase};

/// An order that a client was told about.
#[derive(Debug)]
struct Placed {
    order: OrderId,
    position: u64,
    key: Option<Box<str>>,
}

/// Everything promised.
#[derive(Debug, Default)]
pub struct Promises {
    placed: Vec<Placed>,
    cancelled: Vec<OrderId>,
    by_key: BTreeMap<Box<str>, OrderId>,
}

impl Promises {
    /// A reply to a client leaves.
    pub fn answered(&mut self, ledger: &mut Ledger, asked: &NewOrder, reply: &Reply) {
        match reply {
            Reply::Placed(receipt) | Reply::Replayed(receipt) => self.placed(ledger, asked, receipt),
            Reply::Refused(Refused::IdempotencyConflict { order }) => {
                let known =
                    ledger.line(*order).map(|line| (line.accepted.key.clone(), same_body(&line.accepted, asked)));
                match known {
                    Some((key, false)) if key == asked.key => {}
                    other => {
                        ledger.object("I2", format!("a conflict with {order} is claimed, the ledger has {other:?}"))
                    }
                }
            }
            Reply::Refused(why) if why.is_at_the_door() => {}
            Reply::Done(_) | Reply::Refused(_) => {
                ledger.object("I1", format!("a client was answered {reply:?}"));
            }
        }
    }

    fn placed(&mut self, ledger: &mut Ledger, asked: &NewOrder, receipt: &Receipt) {
        let id = receipt.id;
        let Some(line) = ledger.line(id) else {
            return ledger.object("I6", format!("{id} is acknowledged and not durable"));
        };
        let fits = line.position == receipt.position.0 && line.accepted.key == asked.key;
        let (position, same) = (line.position, same_body(&line.accepted, asked));
        if !fits || !same {
            ledger.object("I1", format!("{id} is acknowledged at {}, and is another order", receipt.position));
        }
        if let Some(key) = &asked.key
            && *self.by_key.entry(key.clone()).or_insert(id) != id
        {
            ledger.object("I2", format!("key {key} was answered with two orders, {id} is one"));
        }
        self.placed.push(Placed { order: id, position, key: asked.key.clone() });
    }

    /// "It is cancelled" leaves.
    pub fn cancelled(&mut self, ledger: &mut Ledger, id: OrderId) {
        if ledger.line(id).is_none_or(|line| line.phase != Phase::Cancelled) {
            ledger.object("I6", format!("{id} is called cancelled and is not, durably"));
        }
        self.cancelled.push(id);
    }

    /// A message to an agent leaves.
    pub fn told(ledger: &mut Ledger, message: &BalancerMessage) {
        match message {
            BalancerMessage::Cook { cook, .. } => {
                let lease = cook.lease;
                let known = ledger.line(lease.order).map(|line| (line.token, line.stages_at_lease, line.stages_done));
                // Told again after a stall, it may be as old as the lease; never older.
                if let Some((token, least, done)) = known
                    && token == lease.token
                    && !(least..=done).contains(&cook.from_stage)
                {
                    let from = cook.from_stage;
                    ledger
                        .object("checkpoint", format!("{} goes on from stage {from}, {least} were done", lease.order));
                }
                if ledger.line(lease.order).is_none_or(|line| line.token < lease.token) {
                    ledger.object("I6", format!("{} is told under {}, which is not durable", lease.order, lease.token));
                }
            }
            BalancerMessage::Settled { lease, stale: false } => {
                let settled = |line: &super::ledger::Line| {
                    line.completed == Some(lease.token) || line.failed.contains(&lease.token)
                };
                if !ledger.line(lease.order).is_some_and(settled) {
                    ledger.object("I6", format!("{} is settled under {} and not durable", lease.order, lease.token));
                }
            }
            BalancerMessage::Renewed { lost, .. } => {
                if let Some(lease) = lost.iter().find(|lease| is_current(ledger, **lease)) {
                    ledger.object("lease", format!("{} under {} is called lost and stands", lease.order, lease.token));
                }
            }
            BalancerMessage::Stop(lease) => {
                if is_current(ledger, *lease) {
                    ledger.object("lease", format!("{} under {} is stopped and stands", lease.order, lease.token));
                }
            }
            BalancerMessage::Welcome(_)
            | BalancerMessage::Refused(_)
            | BalancerMessage::Release(_)
            | BalancerMessage::Reserve { .. }
            | BalancerMessage::Unreserve { .. }
            | BalancerMessage::Handover { .. }
            | BalancerMessage::Resume(_)
            | BalancerMessage::Settled { stale: true, .. } => {}
        }
    }

    /// After a crash: whether the ledger still has all that was promised.
    pub fn compare(&self, ledger: &mut Ledger) {
        for one in &self.placed {
            let kept = |line: &super::ledger::Line| line.position == one.position && line.accepted.key == one.key;
            if !ledger.line(one.order).is_some_and(kept) {
                ledger.object("I1", format!("{} was acknowledged at {} and is gone", one.order, one.position));
            }
        }
        for id in &self.cancelled {
            if ledger.line(*id).is_none_or(|line| line.phase != Phase::Cancelled) {
                ledger.object("I1", format!("{id} was called cancelled and is not"));
            }
        }
    }

    /// How many orders were acknowledged, counted once for each reply.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.placed.len() as u64
    }
}

fn is_current(ledger: &Ledger, lease: LeaseName) -> bool {
    ledger.line(lease.order).is_some_and(|line| line.phase.is_held() && line.token == lease.token)
}

fn same_body(accepted: &balancer_core::event::Accepted, asked: &NewOrder) -> bool {
    accepted.items == asked.items
        && accepted.zone == asked.zone
        && accepted.customer == asked.customer
        && accepted.priority == asked.priority
}
