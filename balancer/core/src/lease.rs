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

/// A lease that lasts longer than it was given for.
#[derive(Debug, Clone, Copy)]
struct Renewal {
    counter: u64,
    until: Duration,
    /// When the lease was given, if that is known.
    given: Option<Duration>,
}

/// A lease whose time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is over.
    Over(OrderId),
    /// It was renewed, and goes on.
    GoesOn(OrderId),
}

/// The clock of all leases.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    lasts: Duration,
    /// Given, in sequence of time: all leases last equally long.
    given: VecDeque<(Duration, OrderId, u64)>,
    /// Seen at the end of their time with a renewal that carried them on.
    carried: BinaryHeap<Reverse<(Duration, OrderId, u64)>>,
    /// The newest renewal of a lease, if it had one.
    renewed: BTreeMap<OrderId, Renewal>,
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

    /// A lease that another leader gave, so long ago, begins anew.
    pub(crate) fn adopt(&mut self, now: Duration, order: OrderId, counter: u64, age: Duration) {
        self.give(now, order, counter);
        let given = Some(now.saturating_sub(age));
        self.renewed.insert(order, Renewal { counter, until: now + self.lasts, given });
    }

    /// A heartbeat named the lease.
    pub(crate) fn renew(&mut self, now: Duration, order: OrderId, counter: u64) {
        let until = now + self.lasts;
        match self.renewed.get_mut(&order) {
            Some(renewal) if renewal.counter == counter => renewal.until = until,
            Some(_) | None => {
                let given = self.given_lately(order, counter);
                self.renewed.insert(order, Renewal { counter, until, given });
            }
        }
    }

    /// When the lease was given; unknown for one that has ended.
    pub(crate) fn given_at(&self, order: OrderId, counter: u64) -> Option<Duration> {
        let renewed = self.renewed.get(&order).filter(|renewal| renewal.counter == counter);
        renewed.map_or_else(|| self.given_lately(order, counter), |renewal| renewal.given)
    }

    /// The same of one that was given within a lease time: this leader's counters have no gaps, so its place in the queue
    /// follows from the last one.
    fn given_lately(&self, order: OrderId, counter: u64) -> Option<Duration> {
        let behind = usize::try_from(self.given.back()?.2.checked_sub(counter)?).ok()?;
        let entry = self.given.get(self.given.len().checked_sub(behind + 1)?)?;
        (entry.1 == order && entry.2 == counter).then(|| entry.0.saturating_sub(self.lasts))
    }

    /// All leases count as renewed now: whatever was given or renewed before lasts for a lease from here.
    pub(crate) fn renew_all(&mut self, now: Duration) {
        self.none_before = now + self.lasts;
    }

    /// Puts the end of a lease off that [`Self::pop_due`] has just given, by one lease time.
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

    /// The next lease whose time is up, and whether a renewal carries it on; the caller knows whether it still stands.
    pub(crate) fn pop_due(&mut self, now: Duration, stands: impl Fn(OrderId, u64) -> bool) -> Option<Due> {
        if now < self.none_before {
            return None;
        }
        while let Some((order, counter)) = self.pop_ended(now) {
            if !stands(order, counter) {
                continue;
            }
            let renewed = self.renewed.get(&order).filter(|one| one.counter == counter && one.until > now);
            let Some(renewal) = renewed else { return Some(Due::Over(order)) };
            self.carried.push(Reverse((renewal.until, order, counter)));
            return Some(Due::GoesOn(order));
        }
        None
    }

    fn pop_ended(&mut self, now: Duration) -> Option<(OrderId, u64)> {
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

    /// The next lease that is over.
    fn pop_over(clock: &mut LeaseClock, now: Duration, stands: impl Fn(OrderId, u64) -> bool) -> Option<OrderId> {
        loop {
            match clock.pop_due(now, &stands)? {
                Due::Over(order) => return Some(order),
                Due::GoesOn(_) => {}
            }
        }
    }

    #[test]
    fn a_lease_is_over_exactly_when_its_last_renewal_is() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        clock.give(Duration::ZERO, OrderId(2), 11);
        clock.renew(S / 2, OrderId(1), 10);
        assert_eq!(pop_over(&mut clock, S, |_, _| true), Some(OrderId(2)));
        assert_eq!(pop_over(&mut clock, S, |_, _| true), None);
        assert_eq!(clock.next(), Some(S * 3 / 2));
        assert_eq!(pop_over(&mut clock, S * 3 / 2 - Duration::from_millis(1), |_, _| true), None);
        assert_eq!(pop_over(&mut clock, S * 3 / 2, |_, _| true), Some(OrderId(1)));
        assert_eq!(clock.next(), None);
    }

    #[test]
    fn an_older_token_renews_nothing() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 11);
        clock.renew(S / 2, OrderId(1), 10);
        assert_eq!(pop_over(&mut clock, S, |_, _| true), Some(OrderId(1)));
    }

    #[test]
    fn a_lease_that_no_longer_stands_is_passed_over() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        assert_eq!(pop_over(&mut clock, S, |_, counter| counter != 10), None);
        assert_eq!(clock.next(), None);
    }

    #[test]
    fn all_leases_renewed_at_once_last_for_one_more_and_a_later_renewal_still_counts() {
        let mut clock = LeaseClock::new(S);
        clock.give(Duration::ZERO, OrderId(1), 10);
        clock.give(Duration::ZERO, OrderId(2), 11);
        clock.renew_all(S * 5);
        assert_eq!(clock.next(), Some(S * 6));
        assert_eq!(pop_over(&mut clock, S * 5, |_, _| true), None);
        clock.renew(S * 11 / 2, OrderId(1), 10);
        assert_eq!(pop_over(&mut clock, S * 6, |_, _| true), Some(OrderId(2)));
        assert_eq!(pop_over(&mut clock, S * 6, |_, _| true), None);
        clock.put_off(S * 6, OrderId(2), 11);
        assert_eq!(pop_over(&mut clock, S * 7, |_, _| true), Some(OrderId(1)));
        assert_eq!(pop_over(&mut clock, S * 7, |_, _| true), Some(OrderId(2)));
    }

    #[test]
    fn when_a_lease_was_given_is_known_until_it_ends() {
        let mut clock = LeaseClock::new(S);
        clock.adopt(S * 10, OrderId(7), 3, S * 4);
        (0..5).for_each(|n| clock.give(S * 10 + S * n / 10, OrderId(u64::from(n)), u64::from(n) + 20));
        assert_eq!(clock.given_at(OrderId(2), 22), Some(S * 10 + S / 5));
        assert_eq!(clock.given_at(OrderId(7), 3), Some(S * 6), "by another leader");
        clock.renew(S * 21 / 2, OrderId(2), 22);
        while clock.pop_due(S * 11, |_, _| true).is_some() {}
        assert_eq!(clock.given_at(OrderId(2), 22), Some(S * 10 + S / 5), "also once it lasts longer");
        assert_eq!((clock.given_at(OrderId(2), 21), clock.given_at(OrderId(9), 90)), (None, None));
    }
}
