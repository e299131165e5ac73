//! What must happen in time: a lease without a sign of life ends, a stage that takes too long ends, and an order that waits
//! goes to a free place; one that failed to another kitchen than those where it did.
//!
//! Judged from the wire and the ledger, and only while the balancer could act: not while it is down, stands still, or
//! its disk stalls, nor until one lease after that.

use protocol::OrderId;
use protocol::api::Schedulable;
use protocol::link::Timing;

use super::ledger::{Ledger, Line, Phase};
use crate::queue::{MS, SECOND, Time};

/// How often the deadlines are looked at.
pub const EVERY: Time = 250 * MS;
/// Beyond a lease: the balancer's tick of 100 ms, a sync and scheduling, and a clock that is a tenth slow.
const MARGIN: Time = 100 * MS + 250 * MS + 150 * MS;
/// A kitchen counts as heard if its last heartbeat came within this; below what makes it suspected (750 ms).
const HEARD: Time = 500 * MS;
/// A kitchen that declined may be closing for so long: the agent's grace, and a second.
const CLOSING: Time = 6 * SECOND;
/// An order may wait this long although a kitchen has been free all the time: a handover may keep its place for 5 s.
const QUEUE_PATIENCE: Time = 8 * SECOND;

/// A stage is looked at when its lease goes on, each 1.5 s: first within a lease, and the limit is noticed within another
/// one. Commands have two seconds of grace.
const STAGE_LATE: Time = 2 * SECOND + 2 * LEASE + MARGIN;
/// Nothing is looked at within a lease after a hello.
const LEASE: Time = 1_500 * MS;
/// What an order that stayed after a handover was called off has to wait for a station, in limits.
const STAYED_TIMES: Time = 4;
/// A kitchen that has had room for so long could have been given an order that failed elsewhere.
const ROOM_SINCE: Time = 2_500 * MS;
/// Places beyond the last that a handover may have kept.
const ROOM_PLACES: u32 = 3;

/// Since when each kitchen (by its number in the ledger) could have taken an order.
#[derive(Debug, Default)]
pub struct Deadlines {
    heard: Vec<Time>,
    /// Since when each has been heard without a gap, and on the same connection.
    constant: Vec<Time>,
    free_since: Vec<Option<Time>>,
    /// At the last look.
    steady: Time,
    /// When that was.
    looked: Time,
}

impl Deadlines {
    /// A message of this actor reached the balancer.
    pub fn heard(&mut self, actor: usize, now: Time) {
        if self.heard.len() <= actor {
            self.heard.resize(actor + 1, 0);
            self.constant.resize(actor + 1, 0);
        }
        if now > self.heard[actor] + HEARD {
            self.constant[actor] = now;
        }
        self.heard[actor] = now;
    }

    /// It said hello; judged is only what it does after that.
    pub fn greeted(&mut self, actor: usize, now: Time) {
        self.constant[actor] = now;
    }

    /// Orders that failed were leased again: to another kitchen, if one had room.
    pub fn tried_again(&self, ledger: &mut Ledger, now: Time, orders: &[OrderId]) {
        for id in orders {
            let Some(line) = ledger.line(*id).filter(|line| line.failed_in.contains(&line.kitchen)) else { continue };
            let roomy = |(number, since): (usize, &Option<Time>)| {
                let kitchen = &ledger.kitchens[number];
                let long = since.is_some_and(|since| now > since.max(self.steady) + ROOM_SINCE);
                // Since the last look it may have been closed, or found to be failing, stuck or full.
                let failed = kitchen.failed.is_some_and(|failed| failed >= self.looked);
                let open = kitchen.alive && kitchen.schedulable == Schedulable::Open && !failed;
                long && open && kitchen.held + ROOM_PLACES <= kitchen.places && !line.failed_in.contains(&number)
            };
            let other = self.free_since.iter().enumerate().find(|one| roomy(*one)).map(|(number, _)| number);
            if let Some(other) = other {
                let what = format!("{id} goes back to kitchen {}, where it failed; {other} has room", line.kitchen);
                ledger.object("elsewhere", what);
            }
        }
    }

    /// A stage that takes longer than it may ends.
    pub fn stages(&self, ledger: &mut Ledger, now: Time, steady: Time, limit: impl Fn(&Ledger, &Line) -> Time) {
        let late = |line: &&Line| {
            let actor = ledger.kitchens[line.kitchen].actor;
            let heard = self.heard.get(actor).is_some_and(|heard| now <= heard + HEARD);
            let greeted = self.constant.get(actor).copied().unwrap_or(now);
            let begins = line.stage_since.max(steady).max(greeted);
            let unseen = if begins == greeted { LEASE } else { 0 };
            let times = if line.stayed { STAYED_TIMES } else { 1 };
            // The balancer's clock may be a tenth slow.
            heard && now > begins + limit(ledger, line) * times * 11 / 10 + unseen + STAGE_LATE
        };
        let cooking = ledger.lines().iter().filter(|line| line.phase == Phase::Cooking);
        let Some(line) = { cooking }.find(late) else { return };
        let (id, kitchen, lasts) = (line.accepted.order, line.kitchen, (now - line.stage_since) / MS);
        ledger.object("deadline", format!("{id} has been in one stage in kitchen {kitchen} for {lasts} ms"));
        // Said once is enough.
        if let Some(line) = ledger.line_mut(id) {
            line.stage_since = now;
        }
    }

    /// Looks at all deadlines; `steady` is since when the balancer has been able to act.
    pub fn audit(&mut self, ledger: &mut Ledger, now: Time, steady: Time, resting: &[bool]) {
        (self.steady, self.looked) = (steady, now);
        self.leases(ledger, now, steady);
        self.free_places(ledger, now, resting);
        let Some(waits) = oldest_waiting(ledger) else { return };
        let since = |kitchen: &Option<Time>| kitchen.map(|since| since.max(steady));
        let idle =
            self.free_since.iter().position(|kitchen| since(kitchen).is_some_and(|at| now > at + QUEUE_PATIENCE));
        if let Some(kitchen) = idle
            && let Some(line) = ledger.line(waits)
            && now > line.since + QUEUE_PATIENCE
        {
            let waited = (now - line.since) / MS;
            ledger.object(
                "deadline",
                format!("{waits} waits for {waited} ms and kitchen {kitchen} has had a free place"),
            );
        }
    }

    fn leases(&self, ledger: &mut Ledger, now: Time, steady: Time) {
        let limit = u64::from(Timing::DEFAULT.lease_ms) * MS + MARGIN;
        let late = |line: &&Line| line.phase.is_held() && now > line.sign.max(steady) + limit;
        let Some(line) = ledger.lines().iter().find(late) else { return };
        let (id, token, silent) = (line.accepted.order, line.token, (now - line.sign) / MS);
        ledger.object("deadline", format!("the lease {token} of {id} stands {silent} ms after its last sign of life"));
        // Said once is enough.
        if let Some(line) = ledger.line_mut(id) {
            line.sign = now;
        }
    }

    fn free_places(&mut self, ledger: &Ledger, now: Time, resting: &[bool]) {
        self.free_since.resize(ledger.kitchens.len(), None);
        for (number, (kitchen, since)) in ledger.kitchens.iter().zip(&mut self.free_since).enumerate() {
            let rests = resting.get(number).copied().unwrap_or(false);
            let heard = self.heard.get(kitchen.actor).is_some_and(|heard| now <= heard + HEARD);
            let open = kitchen.alive && kitchen.schedulable == Schedulable::Open;
            let free = kitchen.held < kitchen.places;
            let willing = kitchen.declined.is_none_or(|declined| now > declined + CLOSING);
            *since = if heard && open && free && willing && !rests { Some(since.unwrap_or(now)) } else { None };
        }
    }
}

fn oldest_waiting(ledger: &Ledger) -> Option<OrderId> {
    let waits = ledger.lines().iter().filter(|line| line.phase == Phase::Queued);
    waits.min_by_key(|line| line.since).map(|line| line.accepted.order)
}
