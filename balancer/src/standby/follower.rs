//! The follower: a thread that applies to a state of its own what the leader writes into the journal.
//!
//! Owns that state until it is handed over at a takeover. Never takes the lock and never writes; whatever it cannot read
//! it reads again from the start, and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use balancer_core::State;
use protocol::{Epoch, Position};
use tokio::sync::watch;

use crate::clock;
use crate::keys::Notes;
use crate::ledger::{Journal, ReadError, Reader, Tip};
use crate::recovery::{self, BadLedger, Replayed};

/// Between two looks at the journal. A look that finds nothing is one indexed query of some 20 us, so this costs a
/// thousandth of a core, and a takeover has at most so much to read.
const LOOK: Duration = Duration::from_millis(15);
/// After something could not be read: nothing is there yet, or it is damaged.
const AGAIN: Duration = Duration::from_millis(200);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// The last event that was applied.
    pub(crate) position: Position,
    /// Its epoch.
    pub(crate) epoch: Epoch,
    /// The end of the journal was reached at least once.
    pub(crate) caught_up: bool,
    /// The end of the last row that was applied: what this balancer takes over holds it, or is another ledger.
    pub(crate) tip: Option<Tip>,
}

/// A state at the end of a journal, and the means to follow it on.
pub(crate) struct Followed {
    /// The fold of everything up to its position.
    pub(crate) state: State,
    /// Where the newest snapshot stood when the following began.
    pub(crate) snapshot: Position,
    /// The offset of the ledger's time in the reign that was followed, as [`LedgerClock`](crate::clock::LedgerClock) has it;
    /// none before a row of it was read as it came. A row is read late and never early, so the greatest is the nearest.
    pub(crate) offset_ms: Option<i64>,
    /// The keys of what was forgotten since, but for what is in volumes.
    pub(crate) notes: Notes,
    dir: PathBuf,
    reader: Reader,
}

impl Followed {
    /// Reads the whole ledger of `dir`, from its newest snapshot on.
    pub(crate) fn begin(dir: &Path) -> Result<Self, BadLedger> {
        let Replayed { state, snapshot, notes } = recovery::replay(dir)?;
        let reader = Journal::reader(dir).map_err(ReadError::from)?;
        let mut followed = Self { state, snapshot, offset_ms: None, notes, dir: dir.to_owned(), reader };
        // Where the reader stands is known once it has read on from there.
        recovery::fold(&mut followed.reader, &mut followed.state, &mut followed.notes)?;
        Ok(followed)
    }

    /// Applies what has been written since.
    pub(crate) fn catch_up(&mut self) -> Result<(), BadLedger> {
        let (position, epoch) = (self.state.position(), self.state.epoch());
        recovery::fold(&mut self.reader, &mut self.state, &mut self.notes)?;
        self.notes.trim(&self.dir);
        if self.state.position() > position {
            let known = self.offset_ms.filter(|_| self.state.epoch() == epoch);
            let read = clock::offset_ms(self.state.last_at(), clock::mono());
            self.offset_ms = Some(known.map_or(read, |known| known.max(read)));
        }
        Ok(())
    }

    fn seen(&self) -> Seen {
        let position = self.state.position();
        let tip = Some(self.reader.reached()).filter(|tip| tip.position == position);
        Seen { position, epoch: self.state.epoch(), caught_up: true, tip }
    }
}

/// The thread at work.
pub(super) struct Follower {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Option<Followed>>,
}

impl Follower {
    /// Begins to follow the journal in `dir`, and says in `seen` how far it is.
    pub(super) fn start(dir: PathBuf, seen: watch::Sender<Seen>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || follow(&dir, &stopped, &seen);
        let thread = std::thread::Builder::new().name("follower".into()).spawn(run)?;
        Ok(Self { stop, thread })
    }

    /// Ends it and takes its state; none if it could not read the ledger. Waits for a replay in progress.
    pub(super) fn finish(self) -> Option<Followed> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().ok().flatten()
    }
}

fn follow(dir: &Path, stop: &AtomicBool, seen: &watch::Sender<Seen>) -> Option<Followed> {
    let mut following: Option<Followed> = None;
    let mut told = String::new();
    while !stop.load(Ordering::Relaxed) {
        let read = match following.take() {
            Some(mut followed) => followed.catch_up().map(|()| followed),
            None => Followed::begin(dir),
        };
        let pause = match read {
            Ok(followed) => {
                let now = followed.seen();
                seen.send_if_modified(|seen| std::mem::replace(seen, now) != now);
                following = Some(followed);
                LOOK
            }
            Err(error) => {
                let why = error.to_string();
                if why != told {
                    tracing::warn!(%error, "the journal cannot be followed; trying again");
                    told = why;
                }
                AGAIN
            }
        };
        std::thread::park_timeout(pause);
    }
    following
}
