//! What can go wrong with a ledger, each with its cause and its mend.
//!
//! Owns the words only; never decides what to do about an error.

use std::io;
use std::path::{Path, PathBuf};

use protocol::{Epoch, Position};

use super::Holder;

/// What is wrong at one position of a ledger.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A position is missing or comes twice.
    #[error("expected position {expected}, found {found}")]
    Gap {
        /// What should have come.
        expected: Position,
        /// What is there.
        found: Position,
    },
    /// A row that holds nothing.
    #[error("the row holds no events")]
    NoEvents,
    /// A row of an older leader behind one of a newer.
    #[error("the epoch falls from {from} to {to}")]
    EpochFell {
        /// Epoch of the row before.
        from: Epoch,
        /// Epoch of this row.
        to: Epoch,
    },
    /// The row, or one before it, is not what was written.
    #[error("the chain value does not fit the row")]
    Chain,
    /// The database cannot give the row.
    #[error("the database cannot be read there: {0}")]
    Unreadable(#[source] rusqlite::Error),
    /// The database ends before what was recorded as durable.
    #[error("events were lost up to position {until}: HEAD records them as durable, the database ends before them")]
    Lost {
        /// The last lost position.
        until: Position,
    },
    /// A repair was broken off between its renames: the old files are aside, and the new ones not in place.
    #[error("a repair was broken off in the middle: run the same `chef repair` again")]
    RepairBrokenOff,
    /// The database holds other rows than those HEAD was written for.
    #[error("HEAD records another chain value or epoch than the database holds")]
    HeadDisagrees,
    /// Nothing says whether the database is complete.
    #[error("the database holds events, but the file HEAD that says where it must end is missing")]
    HeadMissing,
    /// Nothing trustworthy says whether the database is complete.
    #[error("the database holds events, but both slots of the file HEAD that says where it must end are damaged")]
    HeadDamaged,
}

/// A ledger that is not what was written, with the first position that cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[error("the ledger in {} is damaged at position {position}: {fault}", dir.display())]
pub struct Damage {
    /// The data directory.
    pub dir: PathBuf,
    /// The first position that cannot be trusted.
    pub position: Position,
    /// What is wrong there.
    #[source]
    pub fault: Fault,
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or used.
    #[error(
        "cannot use {} as data directory: {source}; name a directory that this user may write with --data-dir",
        dir.display()
    )]
    Directory {
        /// The data directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes this ledger.
    #[error(
        "the ledger in {} is in use by {holder}; stop that process, or name another directory with --data-dir",
        dir.display()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Who holds the lock.
        holder: Holder,
    },
    /// The directory, or the ledger in it, is not there any more, or another one lies in its place.
    #[error(
        "the ledger that was in {} is not there any more: put the directory back; nothing is made in its place. A new \
         ledger begins with `--new-ledger`",
        dir.display()
    )]
    Gone {
        /// The data directory.
        dir: PathBuf,
    },
    /// There is no ledger, but what an older one left behind.
    #[error(
        "there was a ledger here ({}), and there is none: put `ledger.db` and its WAL back, or begin a new one beside them \
         with --new-ledger; the directory is {}",
        traces.join(", "),
        dir.display()
    )]
    Traces {
        /// The data directory.
        dir: PathBuf,
        /// The files that say so.
        traces: Vec<String>,
    },
    /// The ledger is older than something beside it.
    #[error(
        "the ledger ends at position {position} in epoch {epoch}, but {newer}: put the newer ledger back, or go on with this \
         one with --accept-older-ledger; the directory is {}",
        dir.display()
    )]
    Older {
        /// The data directory.
        dir: PathBuf,
        /// Where it ends.
        position: Position,
        /// Its last epoch.
        epoch: Epoch,
        /// What knows of more.
        newer: String,
    },
    /// The ledger is not the one that was followed, nor goes on from it.
    #[error(
        "the ledger in {} is not the one that was followed up to position {position}: put that one back, or start this \
         balancer again to go on with what lies there",
        dir.display()
    )]
    Another {
        /// The data directory.
        dir: PathBuf,
        /// How far the other was followed.
        position: Position,
    },
    /// There is no ledger to read.
    #[error("there is no ledger in {}; a balancer with this --data-dir makes one", dir.display())]
    Missing {
        /// The data directory.
        dir: PathBuf,
    },
    /// The file is of another program.
    #[error(
        "{} is not a ledger of Distributed Chef ({found}); name another directory with --data-dir, or restore the file",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// The file was written by a later version.
    #[error(
        "{} has ledger format {found}, this program reads up to {known}; start the version that wrote it or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format number.
        found: i64,
        /// The newest that this program reads.
        known: i64,
    },
    /// The ledger is not what was written. Nothing was changed.
    #[error(
        "{damage}; nothing was changed: run `chef verify --data-dir {}` to see what is whole",
        dir(.0),
        damage = .0
    )]
    Damaged(#[from] Damage),
    /// A file of the ledger cannot be read or written.
    #[error("cannot {doing} {}: {source}; check its owner, its mode and the space on the disk", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot {doing} {}: {source}; check its owner, its mode and the space on the disk", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// Why an append failed. But for [`AppendError::Full`] the caller must stop: whether the row is durable is unknown.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The row does not follow the last one: a bug of the caller; nothing was written.
    #[error("the row does not follow the ledger: {0}; this is a defect of the program, please report it")]
    DoesNotFollow(#[source] Fault),
    /// There is no space, and the row is certainly not there: it may be appended again.
    #[error("no space for position {position} of {}; free some on its disk: it goes on by itself", path.display())]
    Full {
        /// First position of the row.
        position: Position,
        /// The database.
        path: PathBuf,
    },
    /// The commit failed, and may yet be found after a restart.
    #[error(
        "cannot append at position {position} of {}: {source}; check the disk and its space, then start again",
        path.display()
    )]
    Database {
        /// First position of the row.
        position: Position,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The row is durable, but HEAD does not name it.
    #[error("cannot write {}: {source}; check the disk and its space, then start again", path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The row is durable in files that the path does not lead to any more, and the process is told to end.
    #[error("the ledger was moved away from {}: what it took last is in the moved files, and was not acknowledged", path.display())]
    Moved {
        /// The database, where it was.
        path: PathBuf,
    },
    /// An earlier append failed; nothing was written.
    #[error("an earlier append failed, so nothing more is written; start again")]
    AfterFailure,
}

/// Why a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be opened.
    #[error(transparent)]
    Open(OpenError),
    /// It is not what was written.
    #[error("{0}; restore the directory from a copy, or keep it and start with an empty one")]
    Damaged(#[from] Damage),
    /// The caller is ahead of the ledger, so it followed another one.
    #[error("asked for what follows position {after}, but the ledger in {} ends at {last}", dir.display())]
    Beyond {
        /// The data directory.
        dir: PathBuf,
        /// What was asked for.
        after: Position,
        /// Where the ledger ends.
        last: Position,
    },
    /// SQLite refused, and not for damage.
    #[error("cannot read {}: {source}; check the disk, then try again", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl From<OpenError> for ReadError {
    /// Damage is damage, whoever found it.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged(damage) => Self::Damaged(damage),
            other => Self::Open(other),
        }
    }
}

/// For messages of a variant without field names.
fn dir(damage: &Damage) -> std::path::Display<'_> {
    damage.dir.display()
}

impl OpenError {
    pub(super) fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), doing, source }
    }
}
