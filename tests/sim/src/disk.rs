//! The disk under the ledger: what was synced stays, all else is lost with the process that wrote it.
//!
//! Owns rows as bytes, one for each group commit, each with its checksum; opening stops at the first row that is torn.
//! Never interprets an event but to replay it into a fresh state.

use balancer_core::{Recorded, State};
use protocol::{Epoch, Position};

use crate::dice::Fingerprint;

/// One group commit.
#[derive(Debug, Clone)]
pub struct Row {
    /// Position of its first event.
    pub first: u64,
    /// The reign that wrote it.
    pub epoch: Epoch,
    /// How many events.
    pub count: u32,
    /// The events, one after another in postcard.
    pub body: Vec<u8>,
    /// Over the body.
    pub checksum: u64,
}

impl Row {
    /// A whole row.
    #[must_use]
    pub fn new(first: u64, epoch: Epoch, count: u32, body: Vec<u8>) -> Self {
        let checksum = checksum(&body);
        Self { first, epoch, count, body, checksum }
    }

    /// Whether its bytes are what was written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        checksum(&self.body) == self.checksum
    }

    /// Its events.
    ///
    /// # Errors
    /// The bytes are not what was written.
    pub fn events(&self) -> Result<Vec<Recorded>, String> {
        balancer_core::event::row::read(&self.body, self.count)
            .map_err(|why| format!("the row at {}: {why}", self.first))
    }
}

fn checksum(body: &[u8]) -> u64 {
    let mut sum = Fingerprint::default();
    sum.add(body);
    sum.0
}

/// How a crash treats the row that was being synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// It had not reached the disk.
    Lost,
    /// It had, but nobody was told.
    Kept,
    /// A part of it had.
    Torn,
}

/// The disk.
#[derive(Debug, Default)]
pub struct Disk {
    rows: Vec<Row>,
}

impl Disk {
    /// Position of the last event.
    #[must_use]
    pub fn last(&self) -> Position {
        Position(self.rows.last().map_or(0, |row| row.first + u64::from(row.count) - 1))
    }

    /// Adds a row that is synced.
    pub fn append(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// What becomes of a row whose sync had not returned when the process died.
    pub fn crash(&mut self, row: Option<Row>, how: Unsynced) {
        let Some(mut row) = row else { return };
        match how {
            Unsynced::Lost => {}
            Unsynced::Kept => self.rows.push(row),
            Unsynced::Torn => {
                row.body.truncate(row.body.len() / 2);
                self.rows.push(row);
            }
        }
    }

    /// Forgets the last synced row: a disk that lies. For a mutant only.
    pub fn lie(&mut self) {
        self.rows.pop();
    }

    /// Cuts a torn tail off, and gives what is left.
    pub fn open(&mut self) -> &[Row] {
        let whole = self.rows.iter().take_while(|row| row.is_whole()).count();
        self.rows.truncate(whole);
        &self.rows
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The state that the rows fold to.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn replay(&self) -> Result<State, String> {
        let mut state = State::default();
        for row in &self.rows {
            row.events()?.iter().for_each(|event| drop(state.apply(event)));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_row_is_cut_off_and_a_kept_one_stays() {
        let row = |first| Row::new(first, Epoch(1), 2, vec![1, 2, 3, 4]);
        let mut disk = Disk::default();
        disk.append(row(1));
        disk.crash(Some(row(3)), Unsynced::Torn);
        assert_eq!(disk.open().len(), 1);
        disk.crash(Some(row(3)), Unsynced::Lost);
        assert_eq!(disk.open().len(), 1);
        disk.crash(Some(row(3)), Unsynced::Kept);
        assert_eq!(disk.open().len(), 2);
        assert_eq!(disk.last(), Position(4));
    }
}
