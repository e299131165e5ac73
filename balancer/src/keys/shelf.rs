//! The shelf: the volumes on the disk, and the filters in front of them.
//!
//! Owns which volumes there are. One thread puts them there and takes them away; the thread that decides looks at the
//! filters, and whoever may wait for the disk looks into the volumes. Never decides what a key means.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use balancer_core::state::KeyTerm;
use protocol::{Position, WallTime};

use super::filter::Filter;
use super::note::{Fingerprint, Note};
use super::volume::{self, Volume};
use crate::ledger::Reader;

/// Keys of the smallest filter: 128 kB.
const FILTER_MIN: u64 = 1 << 16;
/// Keys of the largest: 32 MB. An hour at 40,000 orders a second fills nine of them, and a look at all costs as much as
/// one or two, for they are independent.
const FILTER_MAX: u64 = 1 << 24;

/// Volumes that share a filter.
#[derive(Debug, Clone)]
struct Row {
    /// None while it is being read from the disk: then every key is asked of its volumes.
    filter: Option<Arc<Filter>>,
    room: u64,
    keys: u64,
    volumes: Vec<Arc<Volume>>,
}

/// What stands on the shelf at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// Oldest first.
    rows: Vec<Row>,
    /// Every position up to here whose keys are still in their time is covered; what is behind is in memory.
    pub(super) reached: Position,
    /// Nothing is missing; until then a key that is not found is not known to be new.
    pub(super) complete: bool,
    /// Grows with each change.
    pub(super) version: u64,
}

impl Contents {
    /// Whether the disk may have a key; a look into memory only.
    pub(super) fn may_have(&self, key: &Fingerprint) -> bool {
        !self.complete || self.rows.iter().any(|row| row.filter.as_ref().is_none_or(|filter| filter.may_have(key)))
    }

    /// The newest order with this key. Reads the disk: never on the thread that decides.
    ///
    /// # Errors
    /// A volume cannot be read, or is not what was written: then nobody knows.
    pub(crate) fn find(&self, key: &Fingerprint) -> io::Result<Option<Note>> {
        let mut newest: Option<Note> = None;
        let asked = |row: &&Row| row.filter.as_ref().is_none_or(|filter| filter.may_have(key));
        for volume in self.rows.iter().filter(asked).flat_map(|row| &row.volumes) {
            let found = volume.find(key)?;
            newest = newest.into_iter().chain(found).max_by_key(|note| note.order);
        }
        Ok(newest)
    }

    /// Which contents these are.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether a key that is not found is known to be new.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    fn volumes(&self) -> impl Iterator<Item = &Arc<Volume>> {
        self.rows.iter().flat_map(|row| &row.volumes)
    }

    /// Notes on the disk.
    pub(crate) fn count(&self) -> u64 {
        self.volumes().map(|volume| volume.title.count).sum()
    }

    /// Bytes on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.volumes().map(|volume| volume.bytes()).sum()
    }

    /// Memory of the filters.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.rows.iter().filter_map(|row| row.filter.as_ref()).map(|filter| filter.bytes()).sum()
    }

    /// When the volume that ends first was filled last.
    pub(super) fn oldest(&self) -> Option<WallTime> {
        self.volumes().map(|volume| volume.title.newest).min()
    }

    /// The row that takes so many keys more.
    fn row_for(&mut self, keys: u64, with_filter: bool) -> &mut Row {
        let fits =
            self.rows.last().is_some_and(|row| row.room - row.keys >= keys && row.filter.is_some() == with_filter);
        if !fits {
            let room = self.rows.last().map_or(FILTER_MIN, |row| (2 * row.room).min(FILTER_MAX)).max(keys);
            let filter = with_filter.then(|| Arc::new(Filter::new(usize::try_from(room).unwrap_or(usize::MAX))));
            self.rows.push(Row { filter, room, keys: 0, volumes: Vec::new() });
        }
        self.rows.last_mut().expect("one was pushed")
    }

    /// From where on there is no hole up to `reached`; 0 when nothing can be missing.
    fn covered_from(&self, window: Duration, now: WallTime) -> Position {
        let mut need = self.reached;
        loop {
            let covers = |volume: &&Arc<Volume>| volume.title.from < need && need <= volume.title.to;
            let Some(next) = self.volumes().filter(covers).min_by_key(|volume| volume.title.from) else { return need };
            if next.title.from == Position(0) || is_over(next.title.began, window, now) {
                return Position(0);
            }
            need = next.title.from;
        }
    }
}

/// Whether what was accepted then may have been taken away by an earlier leader.
fn is_over(accepted: WallTime, window: Duration, now: WallTime) -> bool {
    KeyTerm { window, begun: WallTime(0) }.is_over(accepted, now)
}

/// The shelf as its users share it.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    dir: PathBuf,
    /// Of the leader that opened it, and when that was.
    pub(super) window: Duration,
    pub(super) opened: WallTime,
    contents: Mutex<Arc<Contents>>,
    version: AtomicU64,
    writing: Mutex<()>,
}

impl Shelf {
    /// Reads which volumes there are, and takes away those of another ledger. Memory begins at `reached`; `before` is by when
    /// the orders had been accepted that were forgotten before it, if there are any.
    pub(crate) fn open(
        dir: &Path,
        reader: &Reader,
        (reached, before): (Position, Option<WallTime>),
        window: Duration,
        now: WallTime,
    ) -> Self {
        let mut volumes: Vec<Volume> =
            volume::names(dir).into_iter().filter_map(|(path, _)| belongs(path, reader)).collect();
        volumes.sort_by_key(|volume| (volume.title.to, std::cmp::Reverse(volume.title.from)));
        let mut contents = Contents { reached, version: 1, ..Contents::default() };
        for volume in volumes {
            let row = contents.row_for(volume.title.count, false);
            row.keys += volume.title.count;
            row.volumes.push(Arc::new(volume));
        }
        let nothing_before = before.is_none_or(|before| is_over(before, window, now));
        contents.complete = nothing_before || contents.covered_from(window, now) == Position(0);
        Self {
            dir: dir.to_owned(),
            window,
            opened: now,
            contents: Mutex::new(Arc::new(contents)),
            version: AtomicU64::new(1),
            writing: Mutex::default(),
        }
    }

    /// All volumes of a directory, of whatever ledger: only for measuring.
    pub(super) fn of(dir: &Path) -> Self {
        let mut contents = Contents::default();
        for volume in volume::names(dir).into_iter().filter_map(|(path, _)| Volume::open(path).ok()) {
            let row = contents.row_for(volume.title.count, false);
            row.keys += volume.title.count;
            row.volumes.push(Arc::new(volume));
        }
        Self { contents: Mutex::new(Arc::new(contents)), ..Self::default() }
    }

    /// Where the volumes are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What stands there now.
    pub(crate) fn contents(&self) -> Arc<Contents> {
        Arc::clone(&self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Grows with each change of the contents.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Puts a volume there, in place of those that it covers.
    pub(super) fn put(&self, volume: Volume) -> io::Result<()> {
        let writing = self.writing();
        let mut contents = Contents::clone(&self.contents());
        let title = volume.title;
        let covered = |other: &Volume| title.from <= other.title.from && other.title.to <= title.to;
        let mut gone = contents.take(covered);
        gone.retain(|other| other.path != volume.path);
        let row = contents.row_for(title.count, true);
        if let Some(filter) = &row.filter {
            volume.each_key(|key| filter.add(key))?;
        }
        row.keys += title.count;
        row.volumes.push(Arc::new(volume));
        if title.from <= contents.reached {
            contents.reached = contents.reached.max(title.to);
        }
        self.set(&writing, contents);
        remove(gone);
        Ok(())
    }

    /// Takes away what is out of its time.
    pub(crate) fn expire(&self, term: KeyTerm, now: WallTime) {
        let writing = self.writing();
        let mut contents = Contents::clone(&self.contents());
        let gone = contents.take(|volume| term.is_over(volume.title.newest, now));
        if !gone.is_empty() {
            self.set(&writing, contents);
            remove(gone);
        }
    }

    /// Reads the filters of volumes that were there at the start. A volume that is not what was written is taken away, and
    /// then something is missing.
    pub(super) fn read_filters(&self, goes_on: impl Fn() -> bool) {
        while goes_on() {
            let writing = self.writing();
            let mut contents = Contents::clone(&self.contents());
            let Some(row) = contents.rows.iter_mut().find(|row| row.filter.is_none()) else { return };
            let filter = Filter::new(usize::try_from(row.room).unwrap_or(usize::MAX));
            let is_bad = |volume: &&Arc<Volume>| {
                let read = volume.each_key(|key| filter.add(key));
                read.inspect_err(|error| tracing::warn!(%error, "keys are read from the ledger again")).is_err()
            };
            let bad: Vec<PathBuf> = row.volumes.iter().filter(is_bad).map(|volume| volume.path.clone()).collect();
            row.filter = Some(Arc::new(filter));
            contents.complete &= bad.is_empty();
            let gone = contents.take(|volume| bad.contains(&volume.path));
            self.set(&writing, contents);
            remove(gone);
        }
    }

    /// Says that nothing is missing any more.
    pub(super) fn completed(&self) {
        let writing = self.writing();
        let contents = Contents { complete: true, ..Contents::clone(&self.contents()) };
        self.set(&writing, contents);
    }

    fn set(&self, _writing: &MutexGuard<'_, ()>, mut contents: Contents) {
        let mut current = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.version = current.version + 1;
        let version = contents.version;
        *current = Arc::new(contents);
        drop(current);
        self.version.store(version, Release);
    }

    /// Those who change the contents do so one after another; whoever looks waits for none of them.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn take(&mut self, which: impl Fn(&Volume) -> bool) -> Vec<Arc<Volume>> {
        let mut taken = Vec::new();
        for row in &mut self.rows {
            taken.extend(row.volumes.extract_if(.., |volume| which(volume)));
        }
        self.rows.retain(|row| !row.volumes.is_empty());
        taken
    }
}

/// A reader that has one open still reads it.
fn remove(volumes: Vec<Arc<Volume>>) {
    for volume in volumes {
        if let Err(error) = std::fs::remove_file(&volume.path) {
            tracing::warn!(path = %volume.path.display(), %error, "old keys are not removed");
        }
    }
}

fn belongs(path: PathBuf, reader: &Reader) -> Option<Volume> {
    let volume = Volume::open(path.clone());
    let ours = volume.and_then(|volume| match reader.chain_at(volume.title.to) {
        Ok(chain) if chain == Some(volume.title.chain) => Ok(volume),
        Ok(_) => Err(io::Error::other("it is of another ledger")),
        Err(error) => Err(io::Error::other(error)),
    });
    match ours {
        Ok(volume) => Some(volume),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "keys on the disk are not used");
            let _ = std::fs::remove_file(path); // if it stays, it is met again
            None
        }
    }
}
