//! How long orders take, from acceptance to end, as the ledger has it. Never judges.

use std::collections::BTreeMap;

use crate::clock::{Ms, Spread};
use crate::dump::Row;

/// A second is normal again by the orders accepted in it.
const BUCKET: Ms = 1_000;

/// Folds a dump.
#[derive(Debug, Default)]
pub struct Sojourns {
    orders: BTreeMap<u64, Sojourn>,
}

/// One order's time in the city.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sojourn {
    /// Its key.
    pub key: Option<String>,
    /// When.
    pub accepted: Ms,
    /// When it was cooked.
    pub completed: Option<Ms>,
    /// When it was set aside.
    pub dead_lettered: Option<Ms>,
    /// Leases that it had.
    pub leases: u32,
}

impl Sojourns {
    /// Takes the next row.
    pub fn row(&mut self, row: &Row) {
        let Some(order) = row.order else { return };
        match row.event.as_str() {
            "accepted" => {
                let sojourn = Sojourn { key: row.key.clone(), accepted: row.at, ..Sojourn::default() };
                self.orders.insert(order, sojourn);
            }
            "leased" => self.change(order, |sojourn| sojourn.leases += 1),
            "completed" => self.change(order, |sojourn| sojourn.completed = Some(row.at)),
            "dead_lettered" => self.change(order, |sojourn| sojourn.dead_lettered = Some(row.at)),
            _ => {}
        }
    }

    fn change(&mut self, order: u64, change: impl FnOnce(&mut Sojourn)) {
        if let Some(sojourn) = self.orders.get_mut(&order) {
            change(sojourn);
        }
    }

    /// All orders.
    pub fn all(&self) -> impl Iterator<Item = &Sojourn> {
        self.orders.values()
    }

    /// Times of the completed orders that were accepted in this span.
    #[must_use]
    pub fn accepted_between(&self, from: Ms, to: Ms) -> Vec<u64> {
        let inside = self.all().filter(|order| (from..to).contains(&order.accepted));
        inside.filter_map(|order| Some(order.completed?.saturating_sub(order.accepted))).collect()
    }

    /// How many were completed in this span.
    #[must_use]
    pub fn ended_between(&self, from: Ms, to: Ms) -> usize {
        self.all().filter(|order| order.completed.is_some_and(|at| (from..to).contains(&at))).count()
    }

    /// Milliseconds from `from` to the first whole second from which on every second's p99 is at most `limit`.
    #[must_use]
    pub fn normal_from(&self, from: Ms, to: Ms, limit: u64) -> Option<Ms> {
        let slow = |second: Ms| Spread::of(self.accepted_between(second, second + BUCKET)).p99 > limit;
        normal_from(from, to, slow)
    }
}

/// Milliseconds from `from` to the first whole second that is not slow, and none after it is.
pub(super) fn normal_from(from: Ms, to: Ms, slow: impl Fn(Ms) -> bool) -> Option<Ms> {
    let seconds: Vec<Ms> = (from..to.saturating_sub(BUCKET)).step_by(BUCKET as usize).collect();
    match seconds.iter().rposition(|second| slow(*second)) {
        None => Some(0),
        Some(last) => seconds.get(last + 1).map(|second| second - from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_normal_again_after_the_last_slow_one() {
        let mut sojourns = Sojourns::default();
        for (order, (accepted, took)) in [(10_000, 900), (11_500, 100), (12_500, 800), (13_500, 90)].iter().enumerate()
        {
            let row = |event: &str, at| Row { event: event.into(), order: Some(order as u64), at, ..Row::default() };
            sojourns.row(&row("accepted", *accepted));
            sojourns.row(&row("completed", accepted + took));
        }
        assert_eq!(sojourns.normal_from(10_000, 15_000, 100), Some(3_000));
        assert_eq!(sojourns.normal_from(10_000, 15_000, 900), Some(0));
        assert_eq!(sojourns.normal_from(10_000, 14_000, 50), None);
        assert_eq!(sojourns.accepted_between(11_000, 13_000), [100, 800]);
        assert_eq!(sojourns.ended_between(10_900, 11_600), 1);
    }
}
