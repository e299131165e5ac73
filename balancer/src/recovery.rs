//! From the ledger to the state and back to snapshots. Replays what was decided; decides nothing.
//!
//! A snapshot is made by replaying the journal on a thread of its own, from the snapshot before: the core never stops for
//! it, and each one reads back and checks the chain of everything that has been written since.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use balancer_core::state::Order;
use balancer_core::{Recorded, State};
use protocol::{Position, WallTime};

use crate::keys::{Notes, Scribe, Shelf};
use crate::ledger::{self, Journal, ReadError, Reader, Row, Tip};

/// Events between two snapshots: a restart replays about so many, in about half a second.
pub(crate) const SNAPSHOT_EVERY: u64 = 1_000_000;

/// Between two snapshots at the highest rates: folding all events a second time would cost a fifth of the whole.
const SNAPSHOT_GAP: Duration = Duration::from_secs(15);

/// The layout of [`State`] in a snapshot; a snapshot of another layout is passed over and the journal replayed.
const LAYOUT: u8 = 5;
/// That of the release before, which can still be read.
const LAYOUT_BEFORE_WINDOWS: u8 = 2;

/// The ledger cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum BadLedger {
    /// Its rows cannot be read, or are damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row is whole but not made of events.
    #[error(
        "the row at position {0} holds something that is not an event of this release: {1}; was it written by a newer one?"
    )]
    Row(Position, String),
}

/// The events of a row.
///
/// # Errors
/// The row holds something else, or another number of them.
pub fn decode(row: &Row) -> Result<Vec<Recorded>, String> {
    balancer_core::event::row::read(&row.body, row.count)
}

/// The state of the newest snapshot, or the empty one.
fn begin(dir: &Path, reader: &Reader) -> State {
    let newest = ledger::newest_snapshot(dir, reader).and_then(|(tip, body)| read_snapshot(tip, &body));
    newest.unwrap_or_default()
}

/// What a replay comes to.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The fold of everything.
    pub(crate) state: State,
    /// Where the newest snapshot stands.
    pub(crate) snapshot: Position,
    /// The keys of what was forgotten since.
    pub(crate) notes: Notes,
}

/// The state at the end of the ledger.
///
/// # Errors
/// Damage, with its position.
pub(crate) fn replay(dir: &Path) -> Result<Replayed, BadLedger> {
    let mut reader = Journal::reader(dir).map_err(ReadError::from)?;
    let mut state = begin(dir, &reader);
    let (snapshot, mut notes) = (state.position(), Notes::behind(&state));
    fold(&mut reader, &mut state, &mut notes)?;
    Ok(Replayed { state, snapshot, notes })
}

/// Applies the rows behind a state; who starts again after an error starts from a new state.
pub(crate) fn fold(reader: &mut Reader, state: &mut State, notes: &mut Notes) -> Result<(), BadLedger> {
    fold_rows(reader, state, |state, forgotten, at| {
        notes.row(state, forgotten, at);
        true
    })
}

/// The same; `each` is given the state after each row, what the row made it forget, and its time, and says whether to go on.
fn fold_rows(
    reader: &mut Reader,
    state: &mut State,
    mut each: impl FnMut(&State, Vec<Order>, WallTime) -> bool,
) -> Result<(), BadLedger> {
    let stopped = reader.rows_from(state.position(), |row| match decode(&row) {
        Ok(events) => {
            let forgotten = events.iter().filter_map(|event| state.apply(event)).collect();
            let at = events.last().map_or(WallTime(0), |last| last.at);
            if each(state, forgotten, at) { ControlFlow::Continue(()) } else { ControlFlow::Break(None) }
        }
        Err(why) => ControlFlow::Break(Some((row.first, why))),
    })?;
    match stopped {
        ControlFlow::Break(Some((position, why))) => Err(BadLedger::Row(position, why)),
        ControlFlow::Break(None) | ControlFlow::Continue(_) => Ok(()),
    }
}

/// Reads the whole journal up to `to` for the keys of forgotten orders that are still in their time. Says whether it came
/// to its end.
///
/// # Errors
/// The journal cannot be read, or the keys not be written.
pub(crate) fn write_keys(
    shelf: &Arc<Shelf>,
    to: Position,
    goes_on: impl Fn() -> bool,
) -> Result<bool, Box<dyn std::error::Error>> {
    let mut reader = Journal::reader(shelf.dir()).map_err(ReadError::from)?;
    let mut state = State::default();
    let mut scribe = Scribe::for_all(shelf, &state)?;
    fold_rows(&mut reader, &mut state, |state, forgotten, at| {
        scribe.row(state, forgotten, at);
        state.position() < to && goes_on()
    })?;
    let whole = state.position() >= to;
    scribe.finish(&state)?;
    Ok(whole)
}

fn read_snapshot(tip: Tip, body: &[u8]) -> Option<State> {
    let (layout, rest) = body.split_first()?;
    let read = match *layout {
        LAYOUT => postcard::from_bytes::<State>(rest),
        // It ends before ordered moves, the time of the last event, the key window and the beginning of the reign; absent, each is
        // a zero.
        LAYOUT_BEFORE_WINDOWS => {
            postcard::from_bytes::<State>(&[rest, &[0; 4]].concat()).map(State::with_quarantine_kept)
        }
        layout => {
            tracing::warn!(layout, "the snapshot has another layout: replaying the journal instead");
            return None;
        }
    };
    match read {
        Ok(state) if state.position() == tip.position => Some(state),
        Ok(state) => {
            tracing::warn!(position = %tip.position, holds = %state.position(), "the snapshot holds another position: not used");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "the snapshot cannot be read: replaying the journal instead");
            None
        }
    }
}

/// Keys first: a snapshot that is there means that those of everything before it are, too.
pub(crate) fn make_snapshot(dir: &Path, shelf: &Arc<Shelf>) -> Result<Position, BadLedger> {
    let mut reader = Journal::reader(dir).map_err(ReadError::from)?;
    let mut state = begin(dir, &reader);
    let mut scribe = match Scribe::start(shelf, &state) {
        Ok(scribe) => scribe,
        Err(error) => return Ok(no_snapshot(&error, &state)),
    };
    let mut now = WallTime(0);
    fold_rows(&mut reader, &mut state, |state, forgotten, at| {
        now = at;
        scribe.row(state, forgotten, at);
        true
    })?;
    if let Err(error) = scribe.finish(&state) {
        return Ok(no_snapshot(&error, &state));
    }
    shelf.expire(state.key_term(), now);
    let position = state.position();
    let Some(chain) = reader.chain_at(position)? else { return Ok(position) };
    let body = postcard::to_extend(&state, vec![LAYOUT]).expect("the state is plain data");
    match ledger::write_snapshot(dir, &Tip { position, epoch: state.epoch(), chain }, &body) {
        Ok(_) => tracing::info!(%position, bytes = body.len(), "snapshot written"),
        Err(error) => _ = no_snapshot(&error, &state),
    }
    Ok(position)
}

fn no_snapshot(error: &dyn std::error::Error, state: &State) -> Position {
    tracing::warn!(%error, "no snapshot: the next start replays more, and keys of old orders stay in memory");
    state.position()
}

/// The thread that makes snapshots.
pub(crate) struct Snapshots {
    wanted: Sender<()>,
    thread: JoinHandle<()>,
    next: Position,
    last: Instant,
}

impl Snapshots {
    /// Starts it; `from` is where the newest snapshot stands.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(dir: PathBuf, from: Position, shelf: Arc<Shelf>) -> std::io::Result<Self> {
        let (wanted, queue) = channel();
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || work(&dir, &shelf, &queue))?;
        Ok(Self { wanted, thread, next: Position(from.0 + SNAPSHOT_EVERY), last: Instant::now() })
    }

    /// Says how far the ledger is durable.
    pub(crate) fn reached(&mut self, position: Position) {
        if position >= self.next && self.last.elapsed() >= SNAPSHOT_GAP {
            self.last = Instant::now();
            self.next = Position(position.0 + SNAPSHOT_EVERY);
            // A thread that has ended said why; without it a start only takes longer.
            let _ = self.wanted.send(());
        }
    }

    /// Makes a last one if much has happened since, and ends.
    pub(crate) fn finish(self, position: Position) {
        if position.0 + SNAPSHOT_EVERY >= self.next.0 + 1_000 {
            let _ = self.wanted.send(());
        }
        drop(self.wanted);
        if self.thread.join().is_err() {
            tracing::warn!("the snapshot thread had panicked: the next start replays more");
        }
    }
}

fn work(dir: &Path, shelf: &Arc<Shelf>, queue: &Receiver<()>) {
    while queue.recv().is_ok() {
        while queue.try_recv().is_ok() {}
        if let Err(error) = make_snapshot(dir, shelf) {
            tracing::error!(%error, "the journal could not be read back: run `chef verify --data-dir {}`", dir.display());
        }
    }
}

#[cfg(test)]
mod tests;
