//! The line at the balancer: which waiting order is next, and which ones are kept back for a while. Never chooses a kitchen.
//!
//! Who waits is in the ledger ([`State::queue`](crate::state::State)); who may not go yet is forgotten by a restart. An order
//! that is kept back blocks nobody: those behind it go first. While nobody is kept back the next one is simply the first,
//! and otherwise each one that is kept back is passed over once, not at every look.

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
    /// Everything in the line before this is kept back.
    from: Option<Place>,
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
        self.from = self.from.map(|from| from.min(place));
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

    /// The first that may go.
    pub(crate) fn next(&mut self, queue: &BTreeSet<Place>) -> Option<Place> {
        if self.held.is_empty() {
            self.from = None;
            return queue.first().copied();
        }
        let from = self.from.or_else(|| queue.first().copied())?;
        let next = queue.range(from..).find(|place| !self.held.contains_key(place)).copied();
        // Behind the last one there is nobody, until somebody joins.
        self.from = next.or_else(|| queue.last().copied());
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
        assert_eq!(holds.next(&queue), Some(place(1)));
        holds.hold(place(1), S);
        holds.hold(place(2), S * 2);
        holds.hold(place(2), S);
        assert_eq!((holds.next(&queue), holds.next_end()), (Some(place(3)), Some(S)));
        queue.remove(&place(3));
        holds.left(place(3));
        assert_eq!(holds.next(&queue), Some(place(4)));
        queue.insert(urgent(5));
        holds.joined(urgent(5));
        assert_eq!(holds.next(&queue), Some(urgent(5)));
        queue.remove(&urgent(5));
        holds.left(urgent(5));
        holds.let_go(S);
        assert_eq!(holds.next(&queue), Some(place(1)), "its time has come");
        queue.clear();
        assert_eq!(holds.next(&queue), None);
    }

    #[test]
    fn a_line_of_orders_that_are_all_kept_back_has_no_next_one() {
        let mut queue: BTreeSet<Place> = (1..=3).map(place).collect();
        let mut holds = Holds::default();
        (1..=3).for_each(|id| holds.hold(place(id), S * id as u32));
        assert_eq!((holds.next(&queue), holds.next(&queue)), (None, None));
        queue.insert(place(4));
        holds.joined(place(4));
        assert_eq!(holds.next(&queue), Some(place(4)));
        holds.let_go(S * 2);
        assert_eq!(holds.next(&queue), Some(place(1)));
    }
}
