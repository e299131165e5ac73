//! The embedded ledger: an append-only, chained journal in one directory, durable before anyone is told.
//!
//! Owns the files of a data directory and what makes them trustworthy. Knows positions, epochs, counts and opaque
//! bodies; never knows what an event means.
//!
//! ```text
//! ledger.db            one row a group commit, each chained by hash to the row before       sqlite, walk
//! HEAD                 where the chain ended last, in two checksummed slots                  head
//! LOCK                 held by the one writer, with its pid                                  lock
//! snapshot-<pos>.bin   state at a position, so that a start need not replay everything       snapshot
//!
//! core -> Turn -> [ledger thread: encode, one row, one sync] -> Durable -> replies           writer, journal
//! ```
//!
//! - Positions are gapless, epochs never fall, and a row's chain value covers every byte before it.
//! - A row is durable, and HEAD names it, before [`Journal::append`] returns.
//! - Opening refuses a database that ends before HEAD or whose chain differs there: SQLite drops a damaged tail of its
//!   WAL without a word, and says `integrity_check: ok` afterwards.
//! - Whoever finds damage changes nothing: the evidence, and what could be saved, stay as they are.
//!
//! Not here: encryption, compression and deletion of old rows. A power loss may leave HEAD up to a second older than the
//! database (it is synced by a thread of its own, scrub.rs); rows after HEAD are guarded by their chain, but not against
//! a dropped tail: docs/decisions/0006-head-is-synced-once-a-second.md.

mod chain;
mod error;
mod head;
mod health;
mod journal;
mod lock;
mod place;
mod reader;
mod rebuild;
mod snapshot;
mod sqlite;
mod terms;
#[cfg(test)]
mod tests;
mod traces;
mod verify;
mod walk;
mod writer;

use std::path::Path;

use protocol::{Epoch, Position};

pub use chain::{Chain, Tip};
pub use error::{AppendError, Damage, Fault, OpenError, ReadError};
pub use head::sync_head;
pub use health::{Health, SLOW_AFTER};
pub use journal::Journal;
pub use lock::{Holder, lock_file};
pub use place::{FileId, Place};
pub use reader::Reader;
pub use rebuild::{Rebuild, RebuildError, Rebuilt, Survey};
pub use snapshot::{SnapshotError, newest_snapshot, write_snapshot};
pub use terms::{Founding, Terms};
pub use verify::{Verified, verify, walk_all};
pub use writer::{BACKLOG_TURNS, Durable, Encode, LedgerHandle, ROW_BYTES, ROW_EVENTS, Stopped, Store, Turn, spawn};

/// One group commit: `count` events from position `first`, all of one epoch, as the bytes the caller gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Position of its first event.
    pub first: Position,
    /// The reign that wrote it.
    pub epoch: Epoch,
    /// How many events it holds, at least 1.
    pub count: u32,
    /// The events, encoded by the caller.
    pub body: Vec<u8>,
}

impl Row {
    /// Position of its last event.
    #[must_use]
    pub fn last(&self) -> Position {
        Position(self.first.0.saturating_add(u64::from(self.count)).saturating_sub(1))
    }
}

/// Makes renames and new files in `dir` survive a power loss.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
