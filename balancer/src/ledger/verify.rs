//! The full check: every row of a ledger, from the first to the last, against the chain and HEAD.
//!
//! Owns `chef verify`'s answer about bytes. Never changes anything, and never looks into a body: give it a closure
//! that does.

use std::ops::ControlFlow;
use std::path::Path;

use protocol::{Epoch, Position};

use super::reader::classify;
use super::{Chain, OpenError, ReadError, Row, Tip, head, sqlite, walk};

/// A ledger that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many rows, which is group commits.
    pub rows: u64,
    /// How many events.
    pub events: u64,
    /// Position of the last event.
    pub last: Position,
    /// Epoch of the last event.
    pub epoch: Epoch,
    /// Chain value at the end: two ledgers with the same one are the same.
    pub chain: Chain,
}

/// Walks the whole ledger in `dir`, also while it is written, and gives each row that is whole to `each`.
///
/// # Errors
/// The first position that cannot be trusted and what is wrong there, or why the ledger cannot be read.
pub fn verify(dir: &Path, mut each: impl FnMut(&Row)) -> Result<Verified, ReadError> {
    let each = |row: &Row| {
        each(row);
        ControlFlow::Continue(())
    };
    Ok(walk_all(dir, each)?.expect("only `each` breaks off, and it never does"))
}

/// The same, but that `each` may break off; then nothing is said of the rest.
///
/// # Errors
/// As [`verify`].
pub fn walk_all(dir: &Path, mut each: impl FnMut(&Row) -> ControlFlow<()>) -> Result<Option<Verified>, ReadError> {
    let head = head::read(dir)?; // before the database: a writer beside us only adds to that
    walk::present(dir, &head)?;
    let db = sqlite::open_reader(dir).map_err(|error| match (error, walk::reached(dir, &Tip::genesis(), &head)) {
        (OpenError::Missing { .. }, Err(damage)) => ReadError::Damaged(damage),
        (other, _) => other.into(),
    })?;
    let (mut tip, mut rows, mut events) = (Tip::genesis(), 0, 0);
    let count = |row: Row| {
        rows += 1;
        events += u64::from(row.count);
        each(&row)
    };
    if walk::walk(dir, &db, &mut tip, count).map_err(|damage| classify(dir, damage))?.is_break() {
        return Ok(None);
    }
    walk::reached(dir, &tip, &head)?;
    walk::agree(dir, &db, &head).map_err(|damage| classify(dir, damage))?;
    Ok(Some(Verified { rows, events, last: tip.position, epoch: tip.epoch, chain: tip.chain }))
}
