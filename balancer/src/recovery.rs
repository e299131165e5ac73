//! From the ledger to the state and back to snapshots. Replays what was decided; decides nothing.
//!
//! A snapshot is made by replaying the journal on a thread of its own, from the snapshot before: the core never stops for
//! it, and each one reads back and checks the chain of everything that has been written since.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use balancer_core::{Recorded, State};
use protocol::Position;

use crate::ledger::{self, Journal, ReadError, Reader, Row, Tip};

/// Events between two snapshots: a restart replays about so many, in about half a second.
pub(crate) const SNAPSHOT_EVERY: u64 = 1_000_000;

/// Between two snapshots at the highest rates: folding all events a second time would cost a fifth of the whole.
const SNAPSHOT_GAP: Duration = Duration::from_secs(15);

/// The layout of [`State`] in a snapshot; a snapshot of another layout is passed over and the journal replayed.
const LAYOUT: u8 = 4;

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

/// The state at the end of the ledger, and where the newest snapshot stands.
///
/// # Errors
/// Damage, with its position.
pub(crate) fn replay(dir: &Path) -> Result<(State, Position), BadLedger> {
    let mut reader = Journal::reader(dir).map_err(ReadError::from)?;
    let (mut state, from) =
        match ledger::newest_snapshot(dir, &reader).and_then(|(tip, body)| read_snapshot(tip, &body)) {
            Some(state) => {
                let position = state.position();
                (state, position)
            }
            None => (State::default(), Position(0)),
        };
    fold(&mut reader, from, &mut state)?;
    Ok((state, from))
}

/// Applies the rows behind `after`; who starts again after an error starts from a new state.
pub(crate) fn fold(reader: &mut Reader, after: Position, state: &mut State) -> Result<(), BadLedger> {
    let stopped = reader.rows_from(after, |row| match decode(&row) {
        Ok(events) => {
            events.iter().for_each(|event| state.apply(event));
            ControlFlow::Continue(())
        }
        Err(why) => ControlFlow::Break((row.first, why)),
    })?;
    match stopped {
        ControlFlow::Break((position, why)) => Err(BadLedger::Row(position, why)),
        ControlFlow::Continue(_) => Ok(()),
    }
}

fn read_snapshot(tip: Tip, body: &[u8]) -> Option<State> {
    let (layout, rest) = body.split_first()?;
    if *layout != LAYOUT {
        tracing::warn!(layout, "the snapshot has another layout: replaying the journal instead");
        return None;
    }
    match postcard::from_bytes::<State>(rest) {
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

fn make_snapshot(dir: &Path) -> Result<Position, BadLedger> {
    let (state, _) = replay(dir)?;
    let reader = Journal::reader(dir).map_err(ReadError::from)?;
    let position = state.position();
    let Some(chain) = reader.chain_at(position)? else { return Ok(position) };
    let body = postcard::to_extend(&state, vec![LAYOUT]).expect("the state is plain data");
    match ledger::write_snapshot(dir, &Tip { position, epoch: state.epoch(), chain }, &body) {
        Ok(_) => tracing::info!(%position, bytes = body.len(), "snapshot written"),
        Err(error) => tracing::warn!(%error, "no snapshot: the next start replays more"),
    }
    Ok(position)
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
    pub(crate) fn start(dir: PathBuf, from: Position) -> std::io::Result<Self> {
        let (wanted, queue) = channel();
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || work(&dir, &queue))?;
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

fn work(dir: &Path, queue: &Receiver<()>) {
    while queue.recv().is_ok() {
        while queue.try_recv().is_ok() {}
        if let Err(error) = make_snapshot(dir) {
            tracing::error!(%error, "the journal could not be read back: run `chef verify --data-dir {}`", dir.display());
        }
    }
}

#[cfg(test)]
mod tests;
