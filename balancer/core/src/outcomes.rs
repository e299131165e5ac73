//! Outcomes: a kitchen whose attempts fail. Without this the one that fails at once is always empty, and wins most orders.
//!
//! A kitchen is *ejected* when most of its last [`limits::OUTCOMES`] attempts failed, at least
//! [`limits::EJECT_FAILURES`] of them, and not those of all others: what fails everywhere is not this kitchen's fault. It
//! then gets a probe now and then, and the first order that it completes brings it back ([`crate::grey`]). Never decides about
//! an order: where that goes next is [`crate::dispatch`]'s.
//!
//! At most half of the living, open kitchens are out at a time, whatever the others do: beyond that it is likelier that the
//! orders are bad than that the city is, and the rest could not carry the load (the panic limit of outlier ejection
//! elsewhere). So a city's only kitchen is never ejected, and a poison order is still set aside there.

use protocol::OrderId;
use protocol::api::Schedulable;

use crate::dispatcher::Core;
use crate::event::KitchenNo;
use crate::grey::Trouble;
use crate::input::Now;
use crate::limits;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
}

/// The last attempts of a kitchen under this leader, a bit each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcomes {
    failed: u32,
    known: u32,
}

impl Outcomes {
    fn learn(&mut self, outcome: Outcome) {
        let window = (1 << limits::OUTCOMES) - 1;
        self.failed = (self.failed << 1 | u32::from(outcome == Outcome::Failed)) & window;
        self.known = (self.known + 1).min(limits::OUTCOMES);
    }

    /// Failed ones, and all.
    pub(crate) fn counts(self) -> (u32, u32) {
        (self.failed.count_ones(), self.known)
    }

    fn mostly_fails(self) -> bool {
        let (failed, known) = self.counts();
        failed * 2 > known
    }

    fn is_bad(self) -> bool {
        self.failed.count_ones() >= limits::EJECT_FAILURES && self.mostly_fails()
    }
}

impl Core {
    /// An attempt ended in the kitchen that has the order, or had it last.
    pub(crate) fn learn_outcome(&mut self, now: Now, id: OrderId, outcome: Outcome) {
        let Some(number) = self.state.order(id).and_then(|order| order.kitchen) else { return };
        let link = self.soft.link_mut(number);
        link.outcomes.learn(outcome);
        let (bad, ejected) = (link.outcomes.is_bad(), link.pace.trouble() == Some(Trouble::Failing));
        match outcome {
            Outcome::Failed if bad && self.may_eject(number) => self.distrust(now, number, Trouble::Failing),
            Outcome::Done if ejected => {
                self.soft.link_mut(number).outcomes = Outcomes::default();
                self.trust(number);
            }
            Outcome::Done | Outcome::Failed => {}
        }
    }

    /// Whether some other does better, and the city can do without it.
    fn may_eject(&self, number: KitchenNo) -> bool {
        let (mut open, mut out, mut others, mut bad) = (0, 0, 0, 0);
        for (index, (kitchen, link)) in self.state.kitchens.iter().zip(&self.soft.links).enumerate() {
            if !kitchen.alive || kitchen.schedulable != Schedulable::Open {
                continue;
            }
            open += 1;
            if index == number.index() {
                continue;
            }
            out += u32::from(matches!(link.pace.trouble(), Some(Trouble::Failing | Trouble::Stuck)));
            if link.outcomes.counts().1 > 0 {
                others += 1;
                bad += u32::from(link.outcomes.mostly_fails());
            }
        }
        (out + 1) * 2 <= open && (others == 0 || bad < others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fails_more_often_than_not_is_bad() {
        let mut outcomes = Outcomes::default();
        (0..4).for_each(|_| outcomes.learn(Outcome::Failed));
        assert!(!outcomes.is_bad(), "four can be chance");
        outcomes.learn(Outcome::Failed);
        assert!(outcomes.is_bad());
        (0..5).for_each(|_| outcomes.learn(Outcome::Done));
        assert!(!outcomes.is_bad(), "half of ten");
        outcomes.learn(Outcome::Done);
        assert_eq!(outcomes.counts(), (4, 10), "the oldest falls out");
    }
}
