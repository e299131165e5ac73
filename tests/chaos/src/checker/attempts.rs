//! What an order went through before it was set aside: counted by this checker's own rule, from the ledger alone.
//!
//! An attempt counts whole if it failed or was lost in mid-cooking, and half if it was lost before it was begun. It does
//! not count if a kitchen that lives gave it back: then nobody was hurt by the order. Three are needed. Never asks for more
//! than that: a release may be more patient, but not less.

use crate::dump::Row;

/// Attempts that an order is owed, in halves.
const HALVES_MIN: u32 = 6;

/// Losses that are nothing against the order: its kitchen lives and says so, or was told to let go of it.
const GIVEN_BACK: [&str; 5] = ["declined", "returned", "drain_deadline", "agent_left", "kitchen_stuck"];

/// Of one order, since its acceptance or its last release.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    halves: u32,
    begun: bool,
}

impl Attempts {
    /// Takes an event of this order.
    pub(super) fn row(&mut self, row: &Row) {
        match row.event.as_str() {
            "leased" => self.begun = false,
            "started" => self.begun = true,
            "attempt_failed" => self.halves += 2,
            "lease_lost" if row.cause.as_deref().is_some_and(|cause| GIVEN_BACK.contains(&cause)) => {}
            "lease_lost" => self.halves += if self.begun { 2 } else { 1 },
            "requeued" => self.halves = 0,
            _ => {}
        }
    }

    /// Why the order may not be set aside by this event, if it may not.
    pub(super) fn not_enough(&self, row: &Row) -> Option<String> {
        let (whole, half) = (self.halves / 2, if self.halves.is_multiple_of(2) { "" } else { " and a half" });
        if self.halves < HALVES_MIN {
            return Some(format!("is set aside after {whole}{half} attempts"));
        }
        let said = row.strikes?;
        (said > whole).then(|| format!("is set aside for {said} attempts, the ledger shows {whole}{half}"))
    }
}
