//! The judge outside: reads the durable rows, the replies and the wire, and nothing else.
//!
//! - [`ledger`] folds the rows (I2 to I5), [`promises`] compares what was said with them (I1, I6), [`deadlines`] minds
//!   the time.
//! - [`Checker::overlaps`] says whether a kitchen works on an order that another one has been given.
//!
//! Not judged here: I7 and I8 (screens), I9 (bounds: the limits are far above what a run reaches), I11 (damage), I12, I13.

pub mod deadlines;
pub mod ledger;
pub mod promises;

use std::collections::BTreeMap;

use balancer_core::event::LossCause;
use balancer_core::input::{ConnectionId, NewOrder};
use balancer_core::{Effect, Reply};
use protocol::OrderId;
use protocol::link::{AgentMessage, BalancerMessage, LeaseName};

use crate::disk::Row;
use crate::queue::{MS, SECOND, Time};
use deadlines::Deadlines;
use ledger::{Claims, Ledger, Phase};
use promises::Promises;

/// After the deadline of a drain the rest is recovered at once: its old kitchen may go on until it is told, or fenced.
const DRAIN_OVERLAP_MAX: Time = 2 * SECOND + 500 * MS;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// Which rule.
    pub rule: &'static str,
    /// What.
    pub what: String,
}

/// The judge.
#[derive(Debug, Default)]
pub struct Checker {
    /// The fold.
    pub ledger: Ledger,
    /// What was promised.
    pub promises: Promises,
    deadlines: Deadlines,
    /// Heartbeats that are not answered, by connection and number, with the leases that were over when they came.
    beats: BTreeMap<(u64, u64), Vec<LeaseName>>,
    /// What is wrong, first to last; the first of a rule matters, so few are kept.
    pub violations: Vec<Violation>,
    /// Kitchens that went on for a while after a drain's deadline; longest, in microseconds.
    pub drain_overlap: Time,
}

impl Checker {
    /// A row has become durable; gives what it claims.
    pub fn durable(&mut self, now: Time, row: &Row) -> Claims {
        let claims = self.ledger.take(now, row);
        self.deadlines.tried_again(&mut self.ledger, now, &claims.tried_again);
        self.gather(now);
        claims
    }

    /// The balancer has opened the ledger again: all is read anew, and compared with every promise.
    pub fn reopened(&mut self, now: Time, rows: &[Row]) {
        let old = std::mem::take(&mut self.ledger);
        self.beats.clear();
        for row in rows {
            self.ledger.take(now, row);
        }
        for (line, before) in self.ledger.lines_mut().zip(old.lines()) {
            line.accepted_at = before.accepted_at;
            line.sign = now;
        }
        self.promises.compare(&mut self.ledger);
        self.gather(now);
    }

    /// A reply to a client is released.
    pub fn answered(&mut self, now: Time, asked: &NewOrder, reply: &Reply) {
        self.promises.answered(&mut self.ledger, asked, reply);
        self.gather(now);
    }

    /// "Cancelled" is released.
    pub fn cancelled(&mut self, now: Time, order: OrderId) {
        self.promises.cancelled(&mut self.ledger, order);
        self.gather(now);
    }

    /// An effect for an agent is released.
    pub fn released(&mut self, now: Time, effect: &Effect) {
        if let Effect::Tell(ConnectionId(conn), message) | Effect::TellNow(ConnectionId(conn), message) = effect {
            Promises::told(&mut self.ledger, message);
            if let BalancerMessage::Renewed { seq, lost } = message {
                self.renewed((*conn, *seq), lost);
            }
            self.gather(now);
        }
    }

    /// A renewal answers a heartbeat that was heard on this connection, and renews nothing that was over by then.
    fn renewed(&mut self, beat: (u64, u64), lost: &[LeaseName]) {
        let Some(over) = self.beats.remove(&beat) else {
            return self.ledger.object("renewal", format!("heartbeat {beat:?} is answered and was not heard"));
        };
        if let Some(lease) = over.iter().find(|lease| !lost.contains(lease)) {
            let what = format!("{} under {} is renewed although it was over", lease.order, lease.token);
            self.ledger.object("renewal", what);
        }
    }

    /// A message of an agent reaches the balancer.
    pub fn heard(&mut self, now: Time, (actor, conn): (usize, u64), message: &AgentMessage) {
        self.deadlines.heard(actor, now);
        match message {
            AgentMessage::Heartbeat { seq, held } => {
                let over = held.iter().filter(|lease| !self.stands(actor, **lease)).copied().collect();
                self.beats.insert((conn, *seq), over);
                for lease in held {
                    if let Some(line) = self.ledger.line_mut(lease.order)
                        && line.token <= lease.token
                    {
                        line.sign = now;
                    }
                }
            }
            AgentMessage::Hello(_) => {
                self.deadlines.greeted(actor, now);
                let kitchen = self.ledger.kitchens.iter().position(|kitchen| kitchen.actor == actor);
                let told_again =
                    |line: &&mut ledger::Line| line.phase == Phase::Leased && Some(line.kitchen) == kitchen;
                self.ledger.lines_mut().filter(told_again).for_each(|line| line.sign = now);
            }
            _ => {}
        }
    }

    /// Whether the ledger has this lease as the newest, with this kitchen of the simulation.
    fn stands(&self, actor: usize, lease: LeaseName) -> bool {
        self.ledger.line(lease.order).is_some_and(|line| {
            let holder = self.ledger.kitchens.get(line.kitchen).map(|kitchen| kitchen.actor);
            line.phase.is_held() && line.token == lease.token && holder == Some(actor)
        })
    }

    /// Looks at the deadlines; `resting` says of each kitchen whether orders are kept from it for a shown reason, `limit` how
    /// long an order's stage in hand may take.
    pub fn audit(&mut self, now: Time, steady: Time, resting: &[bool], limit: impl Fn(&Ledger, &ledger::Line) -> Time) {
        self.deadlines.audit(&mut self.ledger, now, steady, resting);
        self.deadlines.stages(&mut self.ledger, now, steady, limit);
        self.gather(now);
    }

    /// A running agent works on `lease`: wrong if the ledger has given the order to another kitchen since.
    pub fn overlaps(&mut self, now: Time, actor: usize, lease: LeaseName) {
        let Some(line) = self.ledger.line(lease.order) else { return };
        let elsewhere = line.phase.is_held()
            && line.token > lease.token
            && self.ledger.kitchens.get(line.kitchen).is_some_and(|kitchen| kitchen.actor != actor);
        if !elsewhere {
            return;
        }
        let (since, token, cause) = (line.since, line.token, line.lost_by);
        let lasts = now.saturating_sub(since);
        if cause == Some(LossCause::DrainDeadline) && lasts <= DRAIN_OVERLAP_MAX {
            self.drain_overlap = self.drain_overlap.max(lasts);
            return;
        }
        let order = lease.order;
        let what = format!("k{actor} works on {order} under {}, another has {token} (after {cause:?})", lease.token);
        self.violate(now, "overlap", what);
    }

    /// Adds a violation that was found elsewhere.
    pub fn violate(&mut self, at: Time, rule: &'static str, what: String) {
        let same = self.violations.iter().filter(|known| known.rule == rule).count();
        if same < 3 {
            self.violations.push(Violation { at, rule, what });
        }
    }

    /// How many orders are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.ledger.lines().iter().filter(|line| line.phase.is_open()).count()
    }

    fn gather(&mut self, now: Time) {
        for (rule, what) in std::mem::take(&mut self.ledger.problems) {
            self.violate(now, rule, what);
        }
    }
}
