//! The standby: a second process that folds the rows of the ledger as they come, a little behind, and takes over.
//!
//! Holds a state of its own, never the leader's. At a takeover the leader has been killed; the standby reads the tail that
//! it has not seen, and leads.

use balancer_core::State;

use crate::disk::{Disk, Row};
use crate::mutants::Mutant;
use crate::queue::{MS, What};
use crate::world::World;

/// A process that follows.
#[derive(Debug, Default)]
pub struct Standby {
    state: State,
    rows: usize,
}

impl Standby {
    /// Folds what has been written since, up to a row that is not whole.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn follow(&mut self, disk: &Disk) -> Result<(), String> {
        if self.rows > disk.rows().len() {
            *self = Self::default();
        }
        let new: Vec<&Row> = disk.rows()[self.rows..].iter().take_while(|row| row.is_whole()).collect();
        for row in new {
            row.events()?.iter().for_each(|event| drop(self.state.apply(event)));
            self.rows += 1;
        }
        Ok(())
    }
}

impl World {
    /// The standby looks at the ledger, and comes again a little later.
    pub fn follow(&mut self) {
        let again = self.disk_dice.between(20 * MS, 400 * MS);
        self.queue.at(self.now + again, What::Follow);
        if let Err(why) = self.standby.follow(&self.disk) {
            self.checker.violate(self.now, "replay", why);
        }
    }

    /// The state with which the standby takes over; another process follows from the beginning then.
    pub(crate) fn followed(&mut self) -> Result<State, String> {
        let mut standby = std::mem::take(&mut self.standby);
        if self.params.mutant != Some(Mutant::StaleStandby) {
            standby.follow(&self.disk)?;
        }
        if self.params.mutant.is_none() && standby.state != self.disk.replay()? {
            return Err("the standby's state differs from a replay".into());
        }
        Ok(standby.state)
    }
}
