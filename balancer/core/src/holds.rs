//! The line at the balancer: which waiting order is next, and which ones are kept back for a while. Never chooses a kitchen.
//!
//! Who waits is in the ledger ([`State::queue`](crate::state::State)); who may not go yet is forgotten by a restart. An order
//! that is kept back blocks nobody: those behind it go first. High priority goes first, but a normal order that has waited
//! its share ranks with high ones, and among equals the older goes first.
//!
//! Bound: a normal order that waits behind `n` others when it is accepted goes after its share and `n` turns at the latest,
//! however many high ones come later; with the `n` that admission allows, within 1.5 times the wait of the policy.
//!
//! While nobody is kept back the next one of a priority is simply the first, and otherwise each one that is kept back is
//! passed over once, not at every look.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{OrderId, Priority};

/// A place in the line: the most urgent and then the oldest first.
pub(crate) type Place = (Reverse<Priority>, OrderId);

/// Orders of the line that may not go yet.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    held: BTreeMap<Place, Duration>,
    ends: BTreeSet<(Duration, Place)>,
    /// Of each priority, everything in the line before this is kept back: high, normal.
    from: [Option<Place>; 2],
    /// Orders that look for another kitchen than those where they failed, and until when they do.
    elsewhere: BTreeMap<OrderId, Duration>,
}

impl Holds {
    /// Keeps a waiting order back; a later moment goes before an earlier one.
    pub(crate) fn hold(&mut self, place: Place, until: Duration) {
        let known = self.held.get(&place).copied();
        if known.is_some_and(|known| known >= until) {
            return;
        }
        if let Some(known) = known {
            self.ends.remove(&(known, place));
        }
        self.held.insert(place, until);
        self.ends.insert((until, place));
    }

    /// Lets go whose time has come.
    pub(crate) fn let_go(&mut self, now: Duration) {
        while let Some((until, place)) = self.ends.first().copied()
            && until <= now
        {
            self.ends.remove(&(until, place));
            self.held.remove(&place);
            self.joined(place);
        }
    }

    /// An order is in the line, and may go.
    pub(crate) fn joined(&mut self, place: Place) {
        let from = &mut self.from[class(place.0.0)];
        *from = from.map(|from| from.min(place));
    }

    /// An order has left the line.
    pub(crate) fn left(&mut self, place: Place) {
        if !self.elsewhere.is_empty() {
            self.elsewhere.remove(&place.1);
        }
        if !self.held.is_empty()
            && let Some(until) = self.held.remove(&place)
        {
            self.ends.remove(&(until, place));
        }
    }

    /// The first that may go; `is_aged` says which normal orders have waited their share.
    pub(crate) fn next(&mut self, queue: &BTreeSet<Place>, is_aged: impl Fn(OrderId) -> bool) -> Option<Place> {
        let first = *queue.first()?;
        if self.held.is_empty() && first.0.0 == Priority::Normal {
            self.from = [None; 2];
            return Some(first);
        }
        let high = self.first_of(queue, Priority::High);
        // The oldest normal order ages first, so one look is enough.
        let Some(high) = high else { return self.first_of(queue, Priority::Normal) };
        let normal = self.first_of(queue, Priority::Normal);
        normal.filter(|normal| normal.1 < high.1 && is_aged(normal.1)).or(Some(high))
    }

    fn first_of(&mut self, queue: &BTreeSet<Place>, priority: Priority) -> Option<Place> {
        let (first, last) = ((Reverse(priority), OrderId(0)), (Reverse(priority), OrderId(u64::MAX)));
        let from = &mut self.from[class(priority)];
        if self.held.is_empty() {
            *from = None;
            return queue.range(first..=last).next().copied();
        }
        let next = queue.range(from.unwrap_or(first)..=last).find(|place| !self.held.contains_key(place)).copied();
        // Behind the last one there is nobody, until somebody joins.
        *from = Some(next.unwrap_or(last));
        next
    }

    /// When somebody may go again.
    pub(crate) fn next_end(&self) -> Option<Duration> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Until when the order looks for another kitchen, counted from its first look.
    pub(crate) fn elsewhere_until(&mut self, id: OrderId, now: Duration, patience: Duration) -> Duration {
        *self.elsewhere.entry(id).or_insert(now + patience)
    }
}

fn class(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn place(id: u64) -> Place {
        (Reverse(Priority::Normal), OrderId(id))
    }

    fn urgent(id: u64) -> Place {
        (Reverse(Priority::High), OrderId(id))
    }

    #[test]
    fn who_is_kept_back_blocks_nobody_and_comes_first_again() {
        let mut queue: BTreeSet<Place> = (1..=4).map(place).collect();
        let mut holds = Holds::default();
        assert_eq!(holds.next(&queue, |_| false), Some(place(1)));
        holds.hold(place(1), S);
        holds.hold(place(2), S * 2);
        holds.hold(place(2), S);
        assert_eq!((holds.next(&queue, |_| false), holds.next_end()), (Some(place(3)), Some(S)));
        queue.remove(&place(3));
        holds.left(place(3));
        assert_eq!(holds.next(&queue, |_| false), Some(place(4)));
        queue.insert(urgent(5));
        holds.joined(urgent(5));
        assert_eq!(holds.next(&queue, |_| false), Some(urgent(5)));
        queue.remove(&urgent(5));
        holds.left(urgent(5));
        holds.let_go(S);
        assert_eq!(holds.next(&queue, |_| false), Some(place(1)), "its time has come");
        queue.clear();
        assert_eq!(holds.next(&queue, |_| false), None);
    }

    #[test]
    fn a_normal_order_that_has_waited_its_share_goes_before_the_high_ones_that_came_later() {
        let queue: BTreeSet<Place> = [urgent(2), place(3), place(4), urgent(5)].into();
        let mut holds = Holds::default();
        assert_eq!(holds.next(&queue, |_| false), Some(urgent(2)));
        assert_eq!(holds.next(&queue, |_| true), Some(urgent(2)), "it is older");
        holds.hold(urgent(2), S);
        assert_eq!(holds.next(&queue, |_| false), Some(urgent(5)));
        assert_eq!(holds.next(&queue, |_| true), Some(place(3)));
        holds.hold(place(3), S);
        assert_eq!(holds.next(&queue, |id| id == OrderId(4)), Some(place(4)));
        holds.let_go(S);
        assert_eq!(holds.next(&queue, |_| true), Some(urgent(2)));
    }

    #[test]
    fn a_line_of_orders_that_are_all_kept_back_has_no_next_one() {
        let mut queue: BTreeSet<Place> = (1..=3).map(place).collect();
        let mut holds = Holds::default();
        (1..=3).for_each(|id| holds.hold(place(id), S * id as u32));
        assert_eq!((holds.next(&queue, |_| false), holds.next(&queue, |_| false)), (None, None));
        queue.insert(place(4));
        holds.joined(place(4));
        assert_eq!(holds.next(&queue, |_| false), Some(place(4)));
        holds.let_go(S * 2);
        assert_eq!(holds.next(&queue, |_| false), Some(place(1)));
    }
}
