//! `chef repair`: what a cut at a position would lose, in words of orders; then the cut itself.
//!
//! Owns the account of what is dropped. The bytes are `ledger::Rebuild`'s; which position, a person says.

use std::fmt;
use std::path::{Path, PathBuf};

use balancer_core::Event;
use protocol::{Epoch, OrderId, Position, WallTime};
use serde::Serialize;

use crate::leadership::Leader;
use crate::ledger::{Rebuild, RebuildError, Row, Survey};
use crate::verify::{self, Unsound};
use crate::{private, projection, recovery};

/// Orders that are named; the rest is counted.
const NAMED: usize = 10;

/// Why a repair did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It cannot be done so.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The new ledger is in place and whole, but not sound.
    #[error("the new ledger is in place, but its events are not sound: {0}")]
    Unsound(#[from] Unsound),
}

/// What is behind the position, as far as it can still be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Positions that are given up, readable or not.
    pub events: u64,
    /// Of those, events that can still be read.
    pub readable: u64,
    /// Orders whose acknowledgement is given up, as far as it can be read.
    pub accepted: u64,
    /// The first of them.
    pub first: Vec<OrderId>,
    /// Orders that are kept but lose their completion.
    pub completions: u64,
}

/// A repair that was looked at and not yet carried out; holds the ledger's lock.
#[derive(Debug)]
pub struct Plan {
    rebuild: Rebuild,
    survey: Survey,
    /// What it would give up.
    pub dropped: Dropped,
}

/// A repair that was carried out.
#[derive(Debug, Serialize)]
pub struct Repaired {
    /// The last position now.
    pub position: Position,
    /// The last reign now.
    pub epoch: Epoch,
    /// What was given up.
    pub dropped: Dropped,
    /// The old files, under their new names.
    pub kept: Vec<PathBuf>,
    /// Snapshots of what is no more, removed.
    pub removed: Vec<PathBuf>,
    /// The judgement of the new ledger.
    pub verified: verify::Report,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tip, dropped) = (&self.survey.tip, &self.dropped);
        match &self.survey.damage {
            Some(damage) => writeln!(f, "{damage}")?,
            None => writeln!(f, "the ledger is whole: this repair would cut off a sound end")?,
        }
        writeln!(f, "kept:    {} rows up to position {}, epoch {}", self.survey.rows, tip.position, tip.epoch)?;
        writeln!(f, "dropped: {} events up to position {}", dropped.events, self.survey.last)?;
        if dropped.readable < dropped.events {
            writeln!(
                f,
                "         {} of them cannot be read: what they were is not known",
                dropped.events - dropped.readable
            )?;
        }
        let named: Vec<String> = dropped.first.iter().map(ToString::to_string).collect();
        let more = if dropped.accepted > named.len() as u64 { ", ..." } else { "" };
        let named = if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
        writeln!(f, "         {} acknowledged orders{named}", dropped.accepted)?;
        writeln!(f, "         {} completions of orders that stay, which will be cooked again", dropped.completions)
    }
}

/// Takes the lock and says what a cut behind `to` would lose. Changes nothing.
///
/// # Errors
/// The ledger is in use, there are not as many whole rows, or `to` is not the end of one.
pub fn plan(dir: &Path, to: Position) -> Result<Plan, RepairError> {
    let rebuild = Rebuild::begin(dir)?;
    let mut dropped = Dropped::default();
    let survey = rebuild.survey(to, |row| dropped.add(row))?;
    dropped.events = survey.last.0.saturating_sub(to.0);
    Ok(Plan { rebuild, survey, dropped })
}

impl Plan {
    /// Carries it out and judges the new ledger.
    ///
    /// # Errors
    /// Something cannot be written or moved, or the new ledger is not sound.
    pub fn carry_out(self, dir: &Path) -> Result<Repaired, RepairError> {
        let Self { rebuild, survey, dropped } = self;
        let stamp = WallTime::now().to_string().replace([':', '.'], "-");
        private::from_now_on();
        let rebuilt = rebuild.carry_out(&survey, &stamp)?;
        // Both tell of what was cut off: the tables are folded anew, and whoever leads next says so.
        projection::forget(dir);
        Leader::remove(dir);
        let verified = verify::run(dir)?;
        let (position, epoch) = (rebuilt.tip.position, rebuilt.tip.epoch);
        Ok(Repaired { position, epoch, dropped, kept: rebuilt.kept, removed: rebuilt.removed, verified })
    }
}

impl Dropped {
    fn add(&mut self, row: &Row) {
        self.readable += u64::from(row.count);
        for recorded in recovery::decode(row).unwrap_or_default() {
            match recorded.event {
                Event::Accepted(accepted) => {
                    self.accepted += 1;
                    if self.first.len() < NAMED {
                        self.first.push(accepted.order);
                    }
                }
                Event::Completed { order, .. } if self.first.first().is_none_or(|first| order < *first) => {
                    self.completions += 1;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
