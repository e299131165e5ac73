//! What was said last of each kitchen of which there is something to say, and when it may be said anew.
//!
//! Owns the pace: one remark about a kitchen in [`REMARK_MS`], because a warm-up and a hold-down change with every look.
//! Costs nothing for a kitchen that has none. Never decides what is worth saying: `views` reads that from the core.

use std::collections::BTreeMap;
use std::time::Duration;

use balancer_core::Now;
use protocol::WallTime;
use protocol::feed::{KitchenRemark, REMARK_MS};

use crate::views::Remark;

/// By the kitchen's number.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    told: BTreeMap<u32, Said>,
}

/// The last word about a kitchen; none: that the one before is over.
#[derive(Debug)]
struct Said {
    remark: Option<Remark>,
    at: Duration,
}

impl Remarks {
    /// What is to be said now; from here on it counts as said. `current` has all that there is, by number.
    pub(super) fn due(&mut self, current: &[(u32, Remark)], now: Now) -> Vec<KitchenRemark> {
        if current.is_empty() && self.told.is_empty() {
            return Vec::new();
        }
        let may = |said: &Said| now.mono >= said.at + Duration::from_millis(REMARK_MS);
        let mut due = Vec::new();
        for (no, remark) in current {
            let said = self.told.get(no);
            if said.is_none_or(|said| said.remark != Some(*remark) && may(said)) {
                due.push(remark.view(*no, now.wall));
                self.told.insert(*no, Said { remark: Some(*remark), at: now.mono });
            }
        }
        self.told.retain(|no, said| {
            if current.binary_search_by_key(no, |(no, _)| *no).is_ok() || !may(said) {
                return true;
            }
            if said.remark.is_some() {
                due.push(KitchenRemark { no: *no, note: None, drain: None });
            }
            // It stays for a while, so that what comes and goes is not said more often than the rest.
            let ends = said.remark.take().is_some();
            said.at = now.mono;
            ends
        });
        due
    }

    /// The last word about each, for a new reader.
    pub(super) fn all(&self, now: WallTime) -> Vec<KitchenRemark> {
        self.told.iter().filter_map(|(no, said)| said.remark.map(|remark| remark.view(*no, now))).collect()
    }
}
