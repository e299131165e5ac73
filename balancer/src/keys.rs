//! The book of keys: answers the idempotency keys of orders that memory has forgotten, until their time is over.
//!
//! ```text
//! open orders, and the last that ended       the core's state                          balancer-core
//! what it has forgotten since the last snapshot    notes in memory (Book), or in the hands of a follower (Notes)
//! what it had forgotten before               volumes on the disk behind filters        shelf, volume, filter
//!
//! core -> forgotten order -> note -> Book           the thread that decides: no file is touched
//! journal -> snapshot thread's own replay -> Scribe -> volume, synced -> Shelf -> the Book drops its notes up to there
//! ```
//!
//! - An order leaves memory only as a note in the book, in the same turn: there is no moment in which its key is unknown.
//! - Notes leave the book only when a synced volume has them; a volume is written before the snapshot of its position, so
//!   a start from a snapshot finds in volumes what came before it, and makes anew in its replay what came after.
//! - A key that a filter does not know is new, without a look at the disk; one that it may know waits for the disk.
//! - While something is missing (an older release wrote the ledger, a volume has rotted) it is read from the journal, and
//!   a key that is found nowhere gets "come back later"; never a second order.
//!
//! Never decides whether an order is taken, and never holds a key itself: 16 bytes of its hash stand for it.

mod filter;
#[doc(hidden)]
pub mod measure;
mod note;
mod scribe;
mod shelf;
#[cfg(test)]
pub(crate) mod tests;
mod volume;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use balancer_core::State;
use balancer_core::state::{KeyTerm, Order};
use protocol::{Position, WallTime};

pub use note::{Fingerprint, Note, body_of};
pub(crate) use scribe::Scribe;
pub(crate) use shelf::{Contents, Shelf};

use crate::background::Pace;
use crate::ledger::{Journal, OpenError};
use crate::numbered::Numbered;
use crate::recovery;

/// Notes in memory, about 250 MB: three times what gathers between two snapshots at 40,000 orders a second. Beyond it no
/// order with a new key is taken; those that are in go on.
pub(crate) const NOTES_MAX: usize = 2_000_000;
/// Notes on the disk, 14 GB of it and 400 MB of filters: an hour at 55,000 orders a second.
pub(crate) const VOLUMES_NOTES_MAX: u64 = 200_000_000;
/// Notes between two looks of a follower at what is on the disk by now.
const TRIM_EVERY: usize = 100_000;

/// By when the orders had been accepted that a state has forgotten; none if it never forgot one.
pub(crate) fn accepted_before(state: &State) -> Option<WallTime> {
    state.oldest_remembered().map(|order| order.ended_at.unwrap_or(order.placed_at))
}

/// What a replay made memory forget, for whoever will lead.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: VecDeque<(Position, Note)>,
    /// Everything that was forgotten behind this position is here.
    pub(crate) from: Position,
    /// By when everything before had been accepted.
    before: Option<WallTime>,
    since_trim: usize,
    pub(crate) now: WallTime,
}

impl Notes {
    /// Of a replay that begins with this state.
    pub(crate) fn behind(state: &State) -> Self {
        Self { from: state.position(), before: accepted_before(state), ..Self::default() }
    }

    /// Takes what a row made the state forget.
    pub(crate) fn row(&mut self, state: &State, forgotten: Vec<Order>, now: WallTime) {
        self.now = now;
        let (term, position) = (state.key_term(), state.position());
        let notes = forgotten.iter().filter(|order| !term.is_over(order.placed_at, now)).filter_map(Note::of);
        let before = self.notes.len();
        self.notes.extend(notes.map(|note| (position, note)));
        self.since_trim += self.notes.len() - before;
        while self.notes.pop_front_if(|(_, note)| term.is_over(note.placed_at, now)).is_some() {}
        // Too many for memory: they are in volumes, or will be read from the journal again.
        while self.notes.len() > NOTES_MAX {
            let oldest = self.notes.front().map_or(position, |(at, _)| *at);
            self.drop_to(oldest, now);
        }
    }

    /// Lets go of what a leader has written to the disk meanwhile; looks there now and then.
    pub(crate) fn trim(&mut self, dir: &Path) {
        if self.since_trim < TRIM_EVERY {
            return;
        }
        self.since_trim = 0;
        if let Some(end) = volume::newest_end(dir).filter(|end| *end > self.from) {
            self.drop_to(end.min(self.notes.back().map_or(self.from, |(at, _)| *at)), self.now);
        }
    }

    fn drop_to(&mut self, position: Position, now: WallTime) {
        while self.notes.pop_front_if(|(at, _)| *at <= position).is_some() {}
        (self.from, self.before) = (position.max(self.from), Some(now));
    }
}

/// What is known of a key that the core does not know.
#[derive(Debug)]
pub(crate) enum Known {
    /// It is new.
    New,
    /// It belongs to this order.
    Old(Note),
    /// The disk may know it.
    Ask(Arc<Contents>),
    /// It is new, and there is no room for one more; the oldest ends after this time.
    Full(Duration),
}

/// The book, on the thread that decides.
#[derive(Debug)]
pub struct Book {
    notes: VecDeque<(Position, Note)>,
    /// By key, the number of its newest note; the first in `notes` has number `first`.
    index: Numbered<Fingerprint, u64>,
    first: u64,
    shelf: Arc<Shelf>,
    contents: Arc<Contents>,
    on_disk: u64,
}

impl Book {
    /// With what a replay has found, in front of what is on the disk.
    pub(crate) fn open(dir: &Path, found: Notes, window: Duration, now: WallTime) -> Result<Self, OpenError> {
        let reader = Journal::reader(dir)?;
        let now = now.max(found.now);
        let shelf = Shelf::open(dir, &reader, (found.from, found.before), window, now);
        Ok(Self::before(Arc::new(shelf), found))
    }

    /// With nothing behind it.
    pub(crate) fn empty() -> Self {
        let shelf = Shelf::default();
        shelf.completed();
        Self::before(Arc::new(shelf), Notes::default())
    }

    fn before(shelf: Arc<Shelf>, found: Notes) -> Self {
        let contents = shelf.contents();
        let on_disk = contents.count();
        let mut book = Self { notes: VecDeque::new(), index: Numbered::default(), first: 0, shelf, contents, on_disk };
        found.notes.into_iter().for_each(|(position, note)| book.add(position, note));
        book
    }

    /// Takes an order that the core has forgotten up to this position.
    pub(crate) fn forgotten(&mut self, position: Position, order: &Order) {
        if let Some(note) = Note::of(order) {
            self.add(position, note);
        }
    }

    fn add(&mut self, position: Position, note: Note) {
        self.index.insert(note.key, self.first + self.notes.len() as u64);
        self.notes.push_back((position, note));
    }

    /// Lets go of what is out of its time, and of what the disk has by now.
    pub(crate) fn tidy(&mut self, term: KeyTerm, now: WallTime) {
        self.look();
        let reached = self.contents.reached;
        while let Some((_, note)) =
            self.notes.pop_front_if(|(at, note)| *at <= reached || term.is_over(note.placed_at, now))
        {
            if self.index.get(&note.key) == Some(&self.first) {
                self.index.remove(&note.key);
            }
            self.first += 1;
        }
    }

    /// What is known of a key, without touching the disk.
    pub(crate) fn known(&mut self, key: &Fingerprint, term: KeyTerm, now: WallTime) -> Known {
        self.look();
        let number = self.index.get(key).and_then(|number| usize::try_from(number - self.first).ok());
        if let Some((_, note)) = number.and_then(|number| self.notes.get(number))
            && note.is_fresh(term, now)
        {
            return Known::Old(*note);
        }
        if self.contents.may_have(key) {
            return Known::Ask(Arc::clone(&self.contents));
        }
        self.full(term, now).map_or(Known::New, Known::Full)
    }

    /// Until the oldest key is out of its time, if there is no room for a new one.
    pub(crate) fn full(&self, term: KeyTerm, now: WallTime) -> Option<Duration> {
        if self.notes.len() < NOTES_MAX && self.on_disk < VOLUMES_NOTES_MAX {
            return None;
        }
        let memory = self.notes.front().map(|(_, note)| note.placed_at).filter(|_| self.notes.len() >= NOTES_MAX);
        let oldest = memory.or_else(|| self.contents.oldest())?;
        Some(term.left(oldest, now))
    }

    /// Keys of old orders: in memory, and on the disk.
    #[must_use]
    pub fn counts(&self) -> (usize, u64) {
        (self.notes.len(), self.on_disk)
    }

    /// Whether old keys are still being read from the journal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.contents.complete
    }

    /// What it stands in front of.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf)
    }

    fn look(&mut self) {
        if self.shelf.version() != self.contents.version {
            self.contents = self.shelf.contents();
            self.on_disk = self.contents.count();
        }
    }
}

/// Reads the filters back after a start; and where keys are missing, the journal.
pub(crate) fn catch_up(shelf: &Arc<Shelf>, pace: &Pace) {
    shelf.read_filters(|| !pace.is_over());
    let contents = shelf.contents();
    if contents.complete || pace.is_over() {
        return;
    }
    tracing::warn!(up_to = %contents.reached, "keys of old orders are missing: they are read from the ledger, and orders with keys wait meanwhile");
    match recovery::write_keys(shelf, contents.reached, || !pace.is_over()) {
        Ok(true) => {
            shelf.completed();
            tracing::info!(keys = shelf.contents().count(), "the keys of old orders are complete");
        }
        Ok(false) => {}
        Err(error) => {
            tracing::error!(%error, "the keys of old orders cannot be read: orders with new keys are refused")
        }
    }
}
