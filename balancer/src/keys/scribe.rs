//! The scribe: writes what a replay of the ledger makes memory forget onto the shelf.
//!
//! Owns the cutting of a stretch of the ledger into volumes. Runs wherever the journal is read back anyway (for a
//! snapshot), and where keys are missing; never on the thread that decides.

use std::path::PathBuf;
use std::sync::Arc;

use balancer_core::State;
use balancer_core::state::{KeyTerm, Order};
use protocol::{Position, WallTime};

use super::note::Note;
use super::shelf::Shelf;
use super::volume::{self, Title, Volume};
use crate::ledger::{Journal, OpenError, ReadError, Reader};

/// Notes of one volume at most, about: 35 MB of memory while it is made.
const VOLUME_NOTES: usize = 500_000;

/// Why keys could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotWrite {
    /// The ledger could not be opened beside.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The ledger could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A volume could not be written.
    #[error("old keys cannot be written to {}: {source}; check the space on the disk", dir.display())]
    Volume {
        /// Where.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Follows a replay from one position on.
pub(crate) struct Scribe {
    reader: Reader,
    shelf: Arc<Shelf>,
    /// How long keys are remembered, and from when at the earliest one looks back; absent, as the ledger says it.
    looks_back: Option<(KeyTerm, WallTime)>,
    from: Position,
    began: WallTime,
    notes: Vec<Note>,
    failed: Option<CannotWrite>,
}

impl Scribe {
    /// One that begins with this state, as it is before the replay.
    pub(crate) fn start(shelf: &Arc<Shelf>, state: &State) -> Result<Self, CannotWrite> {
        let (dir, from) = (shelf.dir(), state.position());
        let before = volume::names(dir).into_iter().filter(|(_, to)| *to == from);
        let before = before.filter_map(|(path, _)| Volume::open(path).ok()).map(|volume| volume.title.newest).max();
        let began = before.unwrap_or_else(|| super::accepted_before(state).unwrap_or_default());
        let (reader, shelf) = (Journal::reader(dir)?, Arc::clone(shelf));
        Ok(Self { reader, shelf, looks_back: None, from, began, notes: Vec::new(), failed: None })
    }

    /// One that begins with the ledger, and leaves out what was out of its time when the leader began.
    pub(crate) fn for_all(shelf: &Arc<Shelf>, state: &State) -> Result<Self, CannotWrite> {
        let term = KeyTerm { window: shelf.window, begun: WallTime(0) };
        Ok(Self { looks_back: Some((term, shelf.opened)), ..Self::start(shelf, state)? })
    }

    /// Takes what a row made the state forget.
    pub(crate) fn row(&mut self, state: &State, forgotten: Vec<Order>, now: WallTime) {
        let (term, from) = self.looks_back.unwrap_or((state.key_term(), now));
        let now = now.max(from);
        let fresh = forgotten.iter().filter(|order| !term.is_over(order.placed_at, now));
        self.notes.extend(fresh.filter_map(Note::of));
        if self.notes.len() >= VOLUME_NOTES && self.failed.is_none() {
            self.failed = self.write(state.position()).err();
        }
    }

    /// Writes the rest, up to the end of the last row.
    ///
    /// # Errors
    /// What could not be written; keys stay in memory until they can be.
    pub(crate) fn finish(mut self, state: &State) -> Result<(), CannotWrite> {
        match self.failed.take() {
            Some(error) => Err(error),
            None if self.from == state.position() => Ok(()),
            None => self.write(state.position()),
        }
    }

    fn write(&mut self, to: Position) -> Result<(), CannotWrite> {
        let Some(chain) = self.reader.chain_at(to)? else { return Ok(()) };
        let title = Title { from: self.from, to, chain, began: self.began, newest: self.began, count: 0 };
        let dir = self.shelf.dir().to_owned();
        let failed = |source| CannotWrite::Volume { dir: dir.clone(), source };
        let volume = volume::write(&dir, title, &mut self.notes).map_err(failed)?;
        (self.from, self.began) = (to, volume.title.newest);
        self.notes.clear();
        self.shelf.put(volume).map_err(failed)
    }
}
