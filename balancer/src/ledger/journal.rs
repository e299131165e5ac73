//! The journal: the one writer of a data directory.
//!
//! Owns the order of things: lock, check, append, HEAD, checkpoint. Never batches and never retries (writer.rs): an
//! append that failed may or may not be durable, and only a restart can tell; but for a full disk, where it is not.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use protocol::{Epoch, Position};
use rusqlite::Connection;

use super::head::{self, Found, Head};
use super::lock::{self, Lock};
use super::{
    AppendError, Damage, Fault, Founding, OpenError, Place, Reader, Row, Terms, Tip, rebuild, sqlite, traces, walk,
};

/// The writing end of a ledger. Dropping it is safe; [`Journal::close`] also says what went wrong.
#[derive(Debug)]
pub struct Journal {
    // Dropped in this order: the lock must be the last to go.
    db: Connection,
    head: Head,
    place: Place,
    _lock: Lock,
    path: PathBuf,
    tip: Tip,
    failed: bool,
    /// Pages in the WAL since the last checkpoint, about.
    wal_pages: u64,
    /// HEAD or a checkpoint found no space: said once, and tried again with each row.
    short_of_space: bool,
}

impl Journal {
    /// Opens the ledger in `dir` to write, and makes both if there is none.
    ///
    /// Checks it against HEAD, and the chain from the row before HEAD's to the end: the cost does not grow with the
    /// ledger. Older rows are checked when they are read, and all of them by [`super::verify`].
    ///
    /// # Errors
    /// The directory is unusable or in use, the file is of another program or a newer one, or events are lost or
    /// changed. A ledger that is refused is left as it is.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_on(dir, Terms::default())
    }

    /// The same, on `terms`.
    ///
    /// # Errors
    /// As [`Journal::open`], and what the terms do not allow. A ledger that is refused is left as it is.
    pub fn open_on(dir: &Path, terms: Terms) -> Result<Self, OpenError> {
        let lock = Lock::take(dir, terms.founding != Founding::Never, terms.file)?;
        if !sqlite::exists(dir) && !rebuild::is_broken_off(dir) {
            may_found(dir, terms.founding)?;
        }
        let found = head::read(dir)?;
        walk::present(dir, &found)?;
        let db = sqlite::open_writer(dir, || Ok(walk::reached(dir, &Tip::genesis(), &found)?))?;
        let tip = check_tail(dir, &db, &found).map_err(|damage| refusal(dir, damage))?;
        is_wanted(dir, &db, &tip, terms)?;
        settle(dir, &db)?;
        let head = Head::open(dir, found, &tip)?;
        let path = sqlite::path(dir);
        let place = Place::of(sqlite::files(dir).into_iter().chain([lock::lock_file(dir), head.path().to_owned()]))
            .map_err(|source| OpenError::Directory { dir: dir.to_owned(), source })?;
        if let Err(source) = sqlite::allow_checkpoint_on_close(&db, true) {
            return Err(OpenError::Database { path, doing: "set up", source });
        }
        Ok(Self { db, head, place, _lock: lock, path, tip, failed: false, wal_pages: 0, short_of_space: false })
    }

    /// A second connection to the ledger in `dir` that only reads, also while a writer runs.
    ///
    /// # Errors
    /// There is no ledger, or it is of another program or a newer one.
    pub fn reader(dir: &Path) -> Result<Reader, OpenError> {
        Reader::open(dir)
    }

    /// Where its files lie.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Position of the last event; 0 when there is none.
    #[must_use]
    pub fn last(&self) -> Position {
        self.tip.position
    }

    /// Epoch of the last event; 0 when there is none.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.tip.epoch
    }

    /// The end of the ledger, with its chain value.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// Adds one row; durable on return.
    ///
    /// # Errors
    /// The row does not follow, or there is no space for it: nothing was written, and another append may follow. Or the
    /// disk failed: then the row may be durable or not, every later append is refused, and the caller must stop the
    /// process.
    pub fn append(&mut self, row: &Row) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::AfterFailure);
        }
        let tip = self.tip.extend(row).map_err(AppendError::DoesNotFollow)?;
        if let Err(source) = sqlite::insert(&self.db, row, &tip.chain) {
            return Err(self.refused(row, source));
        }
        self.tip = tip;
        self.record_head()?;
        self.checkpoint(row)
    }

    /// Whether the path still leads to the files that were opened.
    ///
    /// # Errors
    /// It does not.
    pub fn in_place(&self) -> Result<(), AppendError> {
        if self.place.is_here() { Ok(()) } else { Err(AppendError::Moved { path: self.path.clone() }) }
    }

    /// SQLite reports a full disk before the last frame of a commit is written: the row is not there. What it reports from
    /// a sync is another error, and then nobody knows.
    fn refused(&mut self, row: &Row, source: rusqlite::Error) -> AppendError {
        if sqlite::is_full(&source) && sqlite::roll_back(&self.db).is_ok() {
            return AppendError::Full { position: row.first, path: self.path.clone() };
        }
        self.give_up();
        AppendError::Database { position: row.first, path: self.path.clone(), source }
    }

    /// HEAD that cannot be written for want of space stays behind the database, which is allowed, until the next row.
    fn record_head(&mut self) -> Result<(), AppendError> {
        match self.head.record(&self.tip) {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => {
                self.no_space("HEAD");
                Ok(())
            }
            Err(source) => {
                self.give_up();
                Err(self.head_error(source))
            }
        }
    }

    /// Moves the WAL into the database now and then; in line, so that the WAL is bounded, and by our own call, because an
    /// error of SQLite's automatic one is told to nobody. For want of space it waits for the next row.
    fn checkpoint(&mut self, row: &Row) -> Result<(), AppendError> {
        self.wal_pages += sqlite::pages(row);
        if self.wal_pages < sqlite::CHECKPOINT_PAGES {
            return Ok(());
        }
        match sqlite::checkpoint(&self.db) {
            Ok(()) => {
                self.wal_pages = 0;
                self.short_of_space = false;
                Ok(())
            }
            Err(error) if sqlite::is_full(&error) => {
                self.no_space("the database");
                Ok(())
            }
            Err(source) => {
                self.give_up();
                Err(AppendError::Database { position: row.first, path: self.path.clone(), source })
            }
        }
    }

    fn no_space(&mut self, what: &str) {
        if !self.short_of_space {
            tracing::warn!(path = %self.path.display(), "no space to bring {what} up to date: it is tried again");
        }
        self.short_of_space = true;
    }

    /// Syncs HEAD, moves the WAL into the database and lets the lock go.
    ///
    /// # Errors
    /// HEAD cannot be synced, or the WAL not moved; the rows are durable all the same.
    pub fn close(mut self) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::AfterFailure);
        }
        self.head.sync().map_err(|source| self.head_error(source))?;
        match sqlite::checkpoint(&self.db) {
            Ok(()) => {
                // Then the database alone is the ledger. A reader elsewhere may still need the WAL: it stays, for the next start.
                let _ = sqlite::checkpoint_all(&self.db);
                Ok(())
            }
            Err(error) if sqlite::is_full(&error) => Ok(()), // the WAL stays, for the next start
            Err(source) => {
                self.give_up();
                Err(AppendError::Database { position: self.tip.position, path: self.path.clone(), source })
            }
        }
    }

    /// After an error the WAL stays for the next start to judge.
    fn give_up(&mut self) {
        self.failed = true;
        let _ = sqlite::allow_checkpoint_on_close(&self.db, false);
    }

    fn head_error(&self, source: std::io::Error) -> AppendError {
        AppendError::Head { path: self.head.path().to_owned(), source }
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Connection {
        &self.db
    }
}

fn may_found(dir: &Path, founding: Founding) -> Result<(), OpenError> {
    let traces = traces::of_an_older(dir);
    match founding {
        Founding::Never => Err(OpenError::Gone { dir: dir.to_owned() }),
        Founding::OnFreshGround if traces.is_empty() => Ok(()),
        Founding::OnFreshGround => {
            let known = |name: String| match head::read(dir) {
                Ok(Found::At(tip, _)) if name == head::HEAD => format!("{name} of position {}", tip.position),
                _ => name,
            };
            Err(OpenError::Traces { dir: dir.to_owned(), traces: traces.into_iter().map(known).collect() })
        }
        Founding::BesideTraces => make_room(dir, &traces),
    }
}

/// Sets aside what tells of another ledger, as an operator has said.
fn make_room(dir: &Path, names: &[String]) -> Result<(), OpenError> {
    if names.is_empty() {
        return Ok(());
    }
    let aside = traces::set_aside(dir, names).map_err(OpenError::file(dir, "set aside files in"))?;
    tracing::warn!(files = names.join(", "), aside = %aside.display(), "set aside, as was asked for");
    Ok(())
}

/// Whether a whole ledger is the one that the terms name, and nothing beside it knows of more.
fn is_wanted(dir: &Path, db: &Connection, tip: &Tip, terms: Terms) -> Result<(), OpenError> {
    if let Some(followed) = terms.follows.filter(|followed| followed.position > Position(0)) {
        let unreadable = |source| OpenError::Database { path: sqlite::path(dir), doing: "read", source };
        let there = sqlite::row_at(db, followed.position).map_err(unreadable)?.map(|(_, tip)| tip);
        if there != Some(followed) {
            return Err(OpenError::Another { dir: dir.to_owned(), position: followed.position });
        }
    }
    let Some(newer) = traces::newer_than(dir, tip) else { return Ok(()) };
    if terms.accept_older {
        let snapshots = traces::snapshots_behind(dir, tip);
        let names = traces::that_know_more().map(str::to_owned).chain(snapshots).collect::<Vec<_>>();
        return make_room(dir, &names);
    }
    Err(OpenError::Older { dir: dir.to_owned(), position: tip.position, epoch: tip.epoch, newer })
}

/// The two ways in which a system says that there is no space.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Where the ledger ends, if it is whole from the row before HEAD's on.
fn check_tail(dir: &Path, db: &Connection, head: &Found) -> Result<Tip, Damage> {
    walk::agree(dir, db, head)?;
    let mut tip = match head {
        Found::At(head, _) if head.position > Position(0) => walk::before(dir, db, head.position)?,
        Found::At(..) | Found::Missing | Found::Damaged => Tip::genesis(),
    };
    let _: ControlFlow<()> = walk::walk(dir, db, &mut tip, |_| ControlFlow::Continue(()))?;
    walk::reached(dir, &tip, head)?;
    Ok(tip)
}

/// Makes durable what was read: after a kill between a write and its sync, the last rows are in the page cache only, and HEAD
/// must not name them before they are on the disk. A checkpoint syncs the WAL before it copies it.
fn settle(dir: &Path, db: &Connection) -> Result<(), OpenError> {
    match sqlite::checkpoint(db) {
        Ok(()) => Ok(()),
        Err(error) if sqlite::is_full(&error) => {
            tracing::warn!("no space to move the WAL into the database; it stays as it is");
            Ok(())
        }
        Err(source) => Err(OpenError::Database { path: sqlite::path(dir), doing: "settle", source }),
    }
}

/// Tells a file that is wrong from one that cannot be reached.
fn refusal(dir: &Path, damage: Damage) -> OpenError {
    match damage.fault {
        Fault::Unreadable(source) if !sqlite::is_damage(&source) => {
            OpenError::Database { path: sqlite::path(dir), doing: "read", source }
        }
        fault => OpenError::Damaged(Damage { fault, ..damage }),
    }
}
