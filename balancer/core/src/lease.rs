//! Leases: who may cook an order, and until when. Never chooses a kitchen; never reads a clock.
//!
//! Invariants:
//! - a lease is over `lease` after it was given or last renewed by *name* (order and token);
//! - a lease that is over is never renewed again; one whose end was put off is not over yet.
//!
//! Renewals are not in the ledger: a new leader calls every lease renewed and waits for one full lease.
//! Almost all leases end by completion long before their time, so the clock is lazy: one entry in a queue for each
//! lease, looked at once its time is up. A heap that is corrected at each renewal costs ten times as much.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use protocol::OrderId;

/// The clock of all leases.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    lasts: Duration,
    /// Given, in sequence of time: all leases last equally long.
    given: VecDeque<(Duration, OrderId, u64)>,
    /// Seen at the end of their time with a renewal that carried them on.
    carried: BinaryHeap<Reverse<(Duration, OrderId, u64)>>,
    /// The newest renewal of a lease, if it had one.
    renewed: BTreeMap<OrderId, (u64, Duration)>,
    /// Every lease was renewed at once, so none ends before this.
    none_before: Duration,
}

impl LeaseClock {
    pub(crate) fn new(lasts: Duration) -> Self {
        Self {
            lasts,
            given: VecDeque::new(),
            carried: BinaryHeap::new(),
            renewed: BTreeMap::new(),
            none_before: Duration::ZERO,
        }
    }

    /// A lease begins now; `counter` is its token's.
    pub(crate) fn give(&mut self, now: Duration, order: OrderId, counter: u64) {
        self.given.push_back((now + self.lasts, order, counter));
    }

    /// A heartbeat named the lease.
    pub(crate) fn renew(&mut self, now: Duration, order: OrderId, counter: u64) {
        self.renewed.insert(order, (counter, now + self.lasts));
    }

    /// All leases count as renewed now: whatever was given or renewed before lasts for a lease from here.
    pub(crate) fn renew_all(&mut self, now: Duration) {
        self.none_before = now + self.lasts;
    }

    /// Puts the end of a lease off that [`Self::pop_over`] has just given, by one lease time.
    pub(crate) fn put_off(&mut self, now: Duration, order: OrderId, counter: u64) {
        self.carried.push(Reverse((now + self.lasts, order, counter)));
    }

    /// The lease ended otherwise.
    pub(crate) fn end(&mut self, order: OrderId) {
        if !self.renewed.is_empty() {
            self.renewed.remove(&order);
        }
    }

    /// When to look next.
    pub(crate) fn next(&self) -> Option<Duration> {
        let given = self.given.front().map(|entry| entry.0);
        let carried = self.carried.peek().map(|entry| entry.0.0);
        given.into_iter().chain(carried).min().map(|next| next.max(self.none_before))
    }

    /// A lease whose time is up without a renewal that carries it on; the caller knows whether it still stands.
    pub(crate) fn pop_over(&mut self, now: Duration, stands: impl Fn(OrderId, u64) -> bool) -> Option<OrderId> {
        if now < self.none_before {
            return None;
        }
        while let Some((order, counter)) = self.pop_due(now) {
            if !stands(order, counter) {
                continue;
            }
            match self.renewed.get(&order) {
                Some((renewed, until)) if *renewed == counter && *until > now => {
                    self.carried.push(Reverse((*until, order, counter)));
                }
                _ => return Some(order),
            }
        }
        None
    }

    fn pop_due(&mut self, now: Duration) -> Option<(OrderId, u64)> {
        if self.given.front().is_some_and(|entry| entry.0 <= now) {
            return self.given.pop_front().map(|(_, order, counter)| (order, counter));
        }
        if self.carried.peek().is_some_and(|entry| entry.0.0 <= now) {
            return self.carried.pop().map(|Reverse((_, order, counter))| (order, counter));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_is_over_exactly_when_its_last_renewal_is() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        clock.give(Duration::ZERO, OrderId(2), 11);
        clock.renew(S / 2, OrderId(1), 10);
        assert_eq!(clock.pop_over(S, |_, _| true), Some(OrderId(2)));
        assert_eq!(clock.pop_over(S, |_, _| true), None);
        assert_eq!(clock.next(), Some(S * 3 / 2));
        assert_eq!(clock.pop_over(S * 3 / 2 - Duration::from_millis(1), |_, _| true), None);
        assert_eq!(clock.pop_over(S * 3 / 2, |_, _| true), Some(OrderId(1)));
        assert_eq!(clock.next(), None);
    }

    #[test]
    fn an_older_token_renews_nothing() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 11);
        clock.renew(S / 2, OrderId(1), 10);
        assert_eq!(clock.pop_over(S, |_, _| true), Some(OrderId(1)));
    }

    #[test]
    fn a_lease_that_no_longer_stands_is_passed_over() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        assert_eq!(clock.pop_over(S, |_, counter| counter != 10), None);
        assert_eq!(clock.next(), None);
    }

    #[test]
    fn all_leases_renewed_at_once_last_for_one_more_and_a_later_renewal_still_counts() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        clock.give(Duration::ZERO, OrderId(2), 11);
        clock.renew_all(S * 5);
        assert_eq!((clock.next(), clock.pop_over(S * 5, |_, _| true)), (Some(S * 6), None));
        clock.renew(S * 11 / 2, OrderId(1), 10);
        assert_eq!(clock.pop_over(S * 6, |_, _| true), Some(OrderId(2)));
        assert_eq!(clock.pop_over(S * 6, |_, _| true), None);
        clock.put_off(S * 6, OrderId(2), 11);
        assert_eq!(clock.pop_over(S * 7, |_, _| true), Some(OrderId(1)));
        assert_eq!(clock.pop_over(S * 7, |_, _| true), Some(OrderId(2)));
    }
}
