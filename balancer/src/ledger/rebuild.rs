//! The last resort: a new ledger from the whole rows of a damaged one, up to a position that a person names.
//!
//! Owns the copy and the exchange of files. Never edits in place: the rows are copied into a directory of their own, which
//! is verified before it takes the place of the old files, and those stay under another name. Never chooses the position.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use protocol::Position;
use rusqlite::Connection;

use super::head::{self, Found, Head};
use super::lock::Lock;
use super::{Damage, OpenError, ReadError, Row, Tip, reader, snapshot, sqlite, sync_dir, verify, walk};

/// Where the new files are made.
pub(super) const DRAFT: &str = "repair.tmp";

/// Whether a repair was broken off between its renames: the new database lies in its draft.
pub(super) fn is_broken_off(dir: &Path) -> bool {
    sqlite::path(&dir.join(DRAFT)).exists()
}
/// Rows in one transaction of the copy.
const ROWS_AT_ONCE: usize = 1_000;
/// The files that are put aside; the first one first, because nothing can be opened without it.
const DATABASE: [&str; 3] = ["ledger.db", "ledger.db-wal", "ledger.db-shm"];
const HEAD: &str = "HEAD";

/// Why a ledger cannot be rebuilt. Nothing was changed but for [`RebuildError::File`], which says where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// In use, or no ledger.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The position lies in the middle of a group commit, which is kept or dropped as one.
    #[error(
        "position {position} is in the middle of a row: take {before}, the end of the row before, or {after}, its own end"
    )]
    Straddles {
        /// What was asked for.
        position: Position,
        /// The last position before the row.
        before: Position,
        /// The last position of the row.
        after: Position,
    },
    /// There are fewer whole rows.
    #[error("the ledger is whole only up to position {last}{}: nothing was changed", why(.damage))]
    Short {
        /// The end of the last whole row.
        last: Position,
        /// What comes then, if it is not simply the end.
        damage: Option<String>,
    },
    /// A file could not be made or moved.
    #[error("cannot {doing} {}: {source}; the old files are kept beside it, run the same command again", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused to write the copy.
    #[error("cannot write the copy: {0}; nothing was changed: check the space on the disk")]
    Copy(#[source] rusqlite::Error),
}

fn why(damage: &Option<String>) -> String {
    damage.as_ref().map_or_else(String::new, |damage| format!(" ({damage})"))
}

/// What a ledger holds on both sides of a position.
#[derive(Debug)]
pub struct Survey {
    /// The end of the rows that would be kept.
    pub tip: Tip,
    /// How many rows that are.
    pub rows: u64,
    /// The last position that was ever acknowledged or can be read: what lies behind `tip` is dropped.
    pub last: Position,
    /// The first position that cannot be trusted, and why.
    pub damage: Option<Damage>,
}

/// What was done.
#[derive(Debug)]
pub struct Rebuilt {
    /// The end of the new ledger.
    pub tip: Tip,
    /// The old files, under their new names.
    pub kept: Vec<PathBuf>,
    /// Snapshots of what is no more.
    pub removed: Vec<PathBuf>,
}

/// The right to rebuild one stopped ledger.
#[derive(Debug)]
pub struct Rebuild {
    dir: PathBuf,
    _lock: Lock,
}

impl Rebuild {
    /// Takes the lock of the ledger in `dir`.
    ///
    /// # Errors
    /// It is in use, or there is none.
    pub fn begin(dir: &Path) -> Result<Self, RebuildError> {
        if !sqlite::path(dir).exists() && !dir.join(DRAFT).exists() {
            return Err(OpenError::Missing { dir: dir.to_owned() }.into());
        }
        Ok(Self { _lock: Lock::take(dir, false, None)?, dir: dir.to_owned() })
    }

    /// Walks the ledger and gives each whole row behind `to` to `dropped`.
    ///
    /// # Errors
    /// There are not as many whole rows, or `to` is not the end of one.
    pub fn survey(&self, to: Position, mut dropped: impl FnMut(&Row)) -> Result<Survey, RebuildError> {
        let dir = self.source();
        let db = sqlite::open_reader(&dir)?;
        let (mut tip, mut at, mut rows, mut straddles) = (Tip::genesis(), None, 0, None);
        let mut before = Tip::genesis();
        if to == Position(0) {
            at = Some(before);
        }
        let walked = walk::walk(&dir, &db, &mut tip, |row| {
            if row.first > to {
                dropped(&row);
            } else if row.last() > to {
                let before = Position(row.first.0 - 1);
                straddles = Some(RebuildError::Straddles { position: to, before, after: row.last() });
                return ControlFlow::Break(());
            } else {
                rows += 1;
                // The walk has checked that it follows.
                before = before.extend(&row).unwrap_or(before);
                at = (before.position == to).then_some(before).or(at);
            }
            ControlFlow::Continue(())
        });
        if let Some(straddles) = straddles {
            return Err(straddles);
        }
        let damage = match walked.map_err(|damage| reader::classify(&dir, damage)) {
            Ok(_) => walk::reached(&dir, &tip, &head::read(&dir)?).err(),
            Err(ReadError::Damaged(damage)) => Some(damage),
            Err(other) => return Err(other.into()),
        };
        let Some(at) = at else {
            let damage = damage.map(|damage| damage.to_string());
            return Err(RebuildError::Short { last: tip.position, damage });
        };
        let recorded = match head::read(&dir)? {
            Found::At(head, _) => head.position,
            Found::Missing | Found::Damaged => Position(0),
        };
        Ok(Survey { tip: at, rows, last: tip.position.max(recorded).max(to), damage })
    }

    /// Makes the new ledger of what `survey` keeps and puts it in the place of the old one; `stamp` marks the old files.
    ///
    /// # Errors
    /// Something cannot be written or moved. A second call goes on where this one stopped.
    pub fn carry_out(self, survey: &Survey, stamp: &str) -> Result<Rebuilt, RebuildError> {
        let draft = self.dir.join(DRAFT);
        if self.source() == self.dir {
            if draft.exists() {
                fs::remove_dir_all(&draft).map_err(file(&draft, "remove"))?;
            }
            copy(&self.dir, &draft, survey)?;
        }
        let kept = self.exchange(&draft, stamp)?;
        let removed = snapshot::remove_behind(&self.dir, survey.tip.position);
        Ok(Rebuilt { tip: survey.tip, kept, removed })
    }

    /// The draft, when an exchange was broken off after the old database had been put aside.
    fn source(&self) -> PathBuf {
        if sqlite::path(&self.dir).exists() { self.dir.clone() } else { self.dir.join(DRAFT) }
    }

    /// The old database leaves first and the new one comes last. In between there is none, but always a HEAD that says
    /// how much there must be, so that no start takes the directory for an empty one.
    fn exchange(&self, draft: &Path, stamp: &str) -> Result<Vec<PathBuf>, RebuildError> {
        let mut kept = Vec::new();
        for name in DATABASE {
            let (old, aside) = (self.dir.join(name), self.aside(name, stamp));
            if old.exists() {
                fs::rename(&old, &aside).map_err(file(&old, "move"))?;
                kept.push(aside);
            }
        }
        let (old, new) = (self.dir.join(HEAD), draft.join(HEAD));
        if new.exists() {
            if old.exists() {
                let aside = self.aside(HEAD, stamp);
                fs::copy(&old, &aside).map_err(file(&old, "copy"))?;
                kept.push(aside);
            }
            fs::rename(&new, &old).map_err(file(&new, "move"))?;
        }
        let database = sqlite::path(draft);
        fs::rename(&database, sqlite::path(&self.dir)).map_err(file(&database, "move"))?;
        sync_dir(&self.dir).map_err(file(&self.dir, "sync"))?;
        fs::remove_dir_all(draft).map_err(file(draft, "remove"))?;
        Ok(kept)
    }

    fn aside(&self, name: &str, stamp: &str) -> PathBuf {
        self.dir.join(format!("{name}.damaged-{stamp}"))
    }
}

/// Writes the rows up to the survey's end into a ledger of its own, durably, and reads all of it back.
fn copy(from: &Path, draft: &Path, survey: &Survey) -> Result<(), RebuildError> {
    fs::create_dir_all(draft).map_err(file(draft, "create"))?;
    let source = sqlite::open_reader(from)?;
    let target = sqlite::open_writer(draft, || Ok(()))?;
    let copied = copy_rows(from, &source, &target, survey);
    copied.and_then(|()| sqlite::checkpoint_all(&target)).map_err(RebuildError::Copy)?;
    drop(target);
    let database = sqlite::path(draft);
    File::open(&database).and_then(|database| database.sync_all()).map_err(file(&database, "sync"))?;
    for left in ["ledger.db-wal", "ledger.db-shm"] {
        // Emptied by the checkpoint; a later open makes them again.
        let _ = fs::remove_file(draft.join(left));
    }
    drop(Head::open(draft, Found::Missing, &survey.tip)?);
    sync_dir(draft).map_err(file(draft, "sync"))?;
    let verified = verify(draft, |_| ())?;
    if verified.chain == survey.tip.chain {
        Ok(())
    } else {
        Err(RebuildError::Short { last: verified.last, damage: Some("the copy ends with another chain value".into()) })
    }
}

fn copy_rows(from: &Path, source: &Connection, target: &Connection, survey: &Survey) -> rusqlite::Result<()> {
    let mut copy = Copied { target, end: Tip::genesis(), open: 0 };
    let (mut tip, mut outcome) = (Tip::genesis(), Ok(()));
    let walked = walk::walk(from, source, &mut tip, |row| {
        if row.last() > survey.tip.position {
            return ControlFlow::Break(());
        }
        outcome = copy.put(&row);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    drop(walked); // the survey has walked the same rows; what lies behind them may well be damaged
    outcome?;
    copy.commit()
}

/// A copy in the making; rows share a transaction, for a sync each would take hours.
struct Copied<'a> {
    target: &'a Connection,
    end: Tip,
    open: usize,
}

impl Copied<'_> {
    fn put(&mut self, row: &Row) -> rusqlite::Result<()> {
        if self.open == 0 {
            self.target.execute_batch("BEGIN IMMEDIATE")?;
        }
        self.open += 1;
        // A row that does not follow is not copied, and then the end differs from the survey's.
        if let Ok(end) = self.end.extend(row) {
            sqlite::insert(self.target, row, &end.chain)?;
            self.end = end;
        }
        if self.open == ROWS_AT_ONCE { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        if self.open > 0 {
            self.open = 0;
            self.target.execute_batch("COMMIT")?;
            sqlite::checkpoint(self.target)?;
        }
        Ok(())
    }
}

fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> RebuildError {
    move |source| RebuildError::File { path: path.to_owned(), doing, source }
}
