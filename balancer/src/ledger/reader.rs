//! Reading a ledger from any point on, while another process or thread writes it.
//!
//! Owns a read-only connection and the point it has come to. Never takes the lock and never looks at HEAD, so a
//! standby can follow; a row is given only if it follows the row before.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use protocol::Position;
use rusqlite::Connection;

use super::{Chain, Damage, Fault, OpenError, ReadError, Row, Tip, sqlite, walk};

/// The reading end of a ledger.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    dir: PathBuf,
    /// The end of the last row that was given: who goes on from there needs no other row to check the next.
    tip: Tip,
}

impl Reader {
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { db: sqlite::open_reader(dir)?, dir: dir.to_owned(), tip: Tip::genesis() })
    }

    /// The end of the ledger at this moment, as stored; the genesis when it is empty.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tip(&self) -> Result<Tip, ReadError> {
        let end = sqlite::end(&self.db).map_err(|source| self.unreadable(Position(1), source))?;
        Ok(end.unwrap_or_else(Tip::genesis))
    }

    /// The end of the last row that was given.
    #[must_use]
    pub fn reached(&self) -> Tip {
        self.tip
    }

    /// The chain value at `position`, if a row ends there; that before the first row at 0.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn chain_at(&self, position: Position) -> Result<Option<Chain>, ReadError> {
        if position == Position(0) {
            return Ok(Some(Tip::genesis().chain));
        }
        let row = sqlite::row_at(&self.db, position).map_err(|source| self.unreadable(position, source))?;
        Ok(row.filter(|(_, tip)| tip.position == position).map(|(_, tip)| tip.chain))
    }

    /// Gives every row that holds a position behind `after`, in order, up to the end of the ledger at this moment or
    /// until `each` breaks off. Returns where the next call may go on, or what `each` broke off with.
    ///
    /// When `after` is not the end of a row, the row that holds it comes first. The first row is checked against the
    /// chain value stored before it, each further one against the one before.
    ///
    /// ```text
    /// let next = match reader.rows_from(after, |row| ...)? { Continue(position) => position, Break(why) => ... };
    /// ```
    ///
    /// # Errors
    /// Damage, with its first position; `after` lies behind the end; or the database cannot be read.
    pub fn rows_from<B>(
        &mut self,
        after: Position,
        each: impl FnMut(Row) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, Position>, ReadError> {
        if after != self.tip.position {
            self.tip = self.seek(after)?;
        }
        let walked = walk::walk(&self.dir, &self.db, &mut self.tip, each).map_err(|damage| self.classify(damage))?;
        Ok(match walked {
            ControlFlow::Break(value) => ControlFlow::Break(value),
            ControlFlow::Continue(()) => ControlFlow::Continue(self.tip.position),
        })
    }

    /// The end of the row before the first that holds a position behind `after`.
    fn seek(&self, after: Position) -> Result<Tip, ReadError> {
        if after == Position(0) {
            return Ok(Tip::genesis());
        }
        let last = self.tip()?.position;
        if after > last {
            return Err(ReadError::Beyond { dir: self.dir.clone(), after, last });
        }
        let row = sqlite::row_at(&self.db, after).map_err(|source| self.unreadable(after, source))?;
        match row {
            Some((_, tip)) if tip.position == after => Ok(tip),
            Some(_) | None => walk::before(&self.dir, &self.db, after).map_err(|damage| self.classify(damage)),
        }
    }

    fn unreadable(&self, position: Position, source: rusqlite::Error) -> ReadError {
        self.classify(Damage { dir: self.dir.clone(), position, fault: Fault::Unreadable(source) })
    }

    fn classify(&self, damage: Damage) -> ReadError {
        classify(&self.dir, damage)
    }
}

/// Tells a file that is wrong from one that cannot be reached.
pub(super) fn classify(dir: &Path, damage: Damage) -> ReadError {
    match damage.fault {
        Fault::Unreadable(source) if !sqlite::is_damage(&source) => {
            ReadError::Database { path: sqlite::path(dir), source }
        }
        fault => ReadError::Damaged(Damage { fault, ..damage }),
    }
}
