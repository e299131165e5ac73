//! Group commit: a thread that writes and syncs whatever has gathered while the last sync ran.
//!
//! Owns the thread, the queue in front of it, the size of a row, and the wait for space on a full disk: there the commit
//! has certainly not happened, so the same row is tried again until it has. There is no other timer: the sync in progress
//! is the gathering window. Never reorders, and never goes on after any other failure.
//!
//! ```text
//! core ── send(Turn{epoch, events, after}) ──> queue ──> encode all into one Row ── append ──> Durable{.., after}
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use protocol::{Epoch, Position};

use super::health::Pulse;
use super::{AppendError, Health, Journal, Row};

/// Most bytes of a row; the turn that reaches it is its last. Bounds the time of one sync and the size of the WAL.
pub const ROW_BYTES: usize = 4 << 20;
/// Most events of a row, but for a single turn that has more.
pub const ROW_EVENTS: u32 = 65_536;
/// Most turns that wait for the thread, and most of one row. [`LedgerHandle::send`] blocks beyond it, so the sender
/// should shed work well before, by [`LedgerHandle::backlog`]; a sync that stalls for seconds fills it.
pub const BACKLOG_TURNS: usize = 4_096;
/// Between two tries of a row on a full disk: soon enough to be unnoticed once there is space, and no load until then.
const FULL_RETRY: Duration = Duration::from_millis(200);

/// Between two looks for a ledger that was moved away.
const MOVED_RETRY: Duration = Duration::from_millis(50);

/// What the thread writes to.
pub trait Store: Send + 'static {
    /// Position of the last event.
    fn last(&self) -> Position;
    /// Adds one row; durable on return.
    ///
    /// # Errors
    /// [`AppendError::Full`]: the row is not there, and may be appended again. Any other: whether the row is durable is
    /// unknown, and nothing more may be appended.
    fn append(&mut self, row: &Row) -> Result<(), AppendError>;
    /// Whether the files lie where they did. Looked at after each append and before anybody hears of it, so that nothing
    /// is acknowledged which is in no ledger that can be found.
    ///
    /// # Errors
    /// They do not: the row is durable in files that were moved away.
    fn in_place(&self) -> Result<(), AppendError> {
        Ok(())
    }
    /// Ends the work in good order.
    ///
    /// # Errors
    /// What could not be tidied up; the rows are durable all the same.
    fn close(self) -> Result<(), AppendError>;
}

impl Store for Journal {
    fn last(&self) -> Position {
        Self::last(self)
    }

    fn append(&mut self, row: &Row) -> Result<(), AppendError> {
        Self::append(self, row)
    }

    fn in_place(&self) -> Result<(), AppendError> {
        Self::in_place(self)
    }

    fn close(self) -> Result<(), AppendError> {
        Self::close(self)
    }
}

/// Events of a turn, not yet bytes: they become such on the ledger's thread.
pub trait Encode: Send + 'static {
    /// How many there are.
    fn events(&self) -> u32;
    /// Puts them behind what is in `out`, so that the turns of a row can be read one after another.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What one step of the core decided, and what may be done once that is durable.
#[derive(Debug)]
pub struct Turn<E, T> {
    /// The reign that decided; of no matter when there are no events.
    pub epoch: Epoch,
    /// What was decided; with no events the turn only keeps its place in the order.
    pub events: E,
    /// Given back when everything up to this turn is durable.
    pub after: T,
}

/// Turns that are durable now.
#[derive(Debug)]
pub struct Durable<T> {
    /// Position of the last durable event.
    pub position: Position,
    /// How many events were appended; with 0 there was nothing to append.
    pub events: u32,
    /// How many bytes they were.
    pub bytes: usize,
    /// How long the append took, sync included.
    pub took: Duration,
    /// What the turns wanted done, in order.
    pub after: Vec<T>,
}

/// The thread has ended, after a failure that it reported, or by a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger's thread has stopped; the process must not go on, start it again")]
pub struct Stopped;

/// The sending end. Dropped without [`LedgerHandle::close`], the thread still writes what was sent, but unawaited.
#[derive(Debug)]
pub struct LedgerHandle<E, T> {
    turns: SyncSender<Turn<E, T>>,
    backlog: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
    thread: JoinHandle<Result<(), Stopped>>,
}

/// Starts the thread. It calls `on_durable` for each commit; on a failure `on_failure`, once, and ends: state ahead of
/// its ledger must not live on, so `on_failure` is the place to abort the process.
///
/// # Errors
/// The system gives no thread.
pub fn spawn<S: Store, E: Encode, T: Send + 'static>(
    store: S,
    on_durable: impl FnMut(Durable<T>) + Send + 'static,
    on_failure: impl FnOnce(AppendError) + Send + 'static,
) -> io::Result<LedgerHandle<E, T>> {
    let (turns, queue) = sync_channel(BACKLOG_TURNS);
    let backlog = Arc::new(AtomicUsize::new(0));
    let pulse = Arc::new(Pulse::default());
    let writer = Writer {
        store,
        queue,
        backlog: Arc::clone(&backlog),
        pulse: Arc::clone(&pulse),
        carried: None,
        row: Row::default(),
    };
    let run = move || {
        writer.run(on_durable).map_err(|error| {
            on_failure(error);
            Stopped
        })
    };
    let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(run)?;
    Ok(LedgerHandle { turns, backlog, pulse, thread })
}

impl<E, T> LedgerHandle<E, T> {
    /// Puts a turn in the queue; waits while [`BACKLOG_TURNS`] are there.
    ///
    /// # Errors
    /// The thread has stopped, and the turn will never be durable.
    pub fn send(&self, turn: Turn<E, T>) -> Result<(), Stopped> {
        self.backlog.fetch_add(1, Relaxed);
        self.turns.send(turn).map_err(|_| Stopped)
    }

    /// How many turns wait for the thread to take them.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.backlog.load(Relaxed)
    }

    /// Whether the disk answers; from any thread, without a lock.
    #[must_use]
    pub fn health(&self) -> Health {
        self.pulse.health()
    }

    /// Writes what was sent, waits for it, and closes the store. On a full disk it does not wait for space: what was not
    /// durable was never acknowledged.
    ///
    /// # Errors
    /// The thread had stopped before, or the store could not be closed; `on_failure` was told why.
    pub fn close(self) -> Result<(), Stopped> {
        self.pulse.stop();
        self.thread.thread().unpark();
        drop(self.turns);
        self.thread.join().unwrap_or(Err(Stopped))
    }
}

/// What lives on the thread.
struct Writer<S, E, T> {
    store: S,
    queue: Receiver<Turn<E, T>>,
    backlog: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
    /// A turn that did not fit in the last row.
    carried: Option<Turn<E, T>>,
    /// The row being made; one buffer for all of them.
    row: Row,
}

impl<S: Store, E: Encode, T> Writer<S, E, T> {
    fn run(mut self, mut on_durable: impl FnMut(Durable<T>)) -> Result<(), AppendError> {
        while let Some(first) = self.next() {
            let after = self.gather(first);
            let took = self.commit()?;
            let (events, bytes) = (self.row.count, self.row.body.len());
            on_durable(Durable { position: self.store.last(), events, bytes, took, after });
        }
        self.store.close()
    }

    /// Waits for a turn; none when the other end is gone and all is written.
    fn next(&mut self) -> Option<Turn<E, T>> {
        self.carried.take().or_else(|| self.received(self.queue.recv().ok()))
    }

    /// Makes a row of `first` and of what else has come and fits.
    fn gather(&mut self, first: Turn<E, T>) -> Vec<T> {
        self.row.first = Position(self.store.last().0 + 1);
        self.row.count = 0;
        self.row.body.clear();
        let mut after = Vec::new();
        self.add(first, &mut after);
        while self.has_room() && after.len() < BACKLOG_TURNS {
            let Some(turn) = self.received(self.queue.try_recv().ok()) else { break };
            if !self.fits(&turn) {
                self.carried = Some(turn);
                break;
            }
            self.add(turn, &mut after);
        }
        after
    }

    fn add(&mut self, turn: Turn<E, T>, after: &mut Vec<T>) {
        let events = turn.events.events();
        if events > 0 {
            self.row.epoch = turn.epoch;
            self.row.count += events;
            turn.events.encode(&mut self.row.body);
        }
        after.push(turn.after);
    }

    fn has_room(&self) -> bool {
        self.row.count < ROW_EVENTS && self.row.body.len() < ROW_BYTES
    }

    /// A row has one epoch, and no more events than it may, but for a single turn.
    fn fits(&self, turn: &Turn<E, T>) -> bool {
        let events = turn.events.events();
        let joins = turn.epoch == self.row.epoch && events <= ROW_EVENTS - self.row.count;
        events == 0 || self.row.count == 0 || joins
    }

    fn commit(&mut self) -> Result<Duration, AppendError> {
        if self.row.count == 0 {
            return Ok(Duration::ZERO);
        }
        let began = Instant::now();
        self.pulse.begins();
        let appended = self.append().and_then(|()| self.until_in_place());
        self.pulse.ends();
        appended.map(|()| began.elapsed())
    }

    /// Tries the same row until there is space for it, or the process is told to end.
    fn append(&mut self) -> Result<(), AppendError> {
        loop {
            match self.store.append(&self.row) {
                Err(full @ AppendError::Full { .. }) if self.pulse.is_stopping() => return Err(full),
                Err(full @ AppendError::Full { .. }) => {
                    if self.pulse.is_full_now() {
                        tracing::error!(error = %full, "nothing is acknowledged until there is space");
                    }
                    std::thread::park_timeout(FULL_RETRY);
                }
                other => {
                    if self.pulse.is_full_no_more() {
                        tracing::info!(position = %self.row.last(), "there is space again");
                    }
                    return other;
                }
            }
        }
    }

    /// Holds back what is durable for as long as it cannot be found, or until the process is told to end.
    fn until_in_place(&self) -> Result<(), AppendError> {
        loop {
            match self.store.in_place() {
                Err(moved) if self.pulse.is_stopping() => return Err(moved),
                Err(moved) => {
                    if self.pulse.is_moved_now() {
                        tracing::error!(error = %moved, "nothing is acknowledged until it is back");
                    }
                    std::thread::park_timeout(MOVED_RETRY);
                }
                Ok(()) => {
                    if self.pulse.is_back() {
                        tracing::info!(position = %self.row.last(), "the ledger is back in its place");
                    }
                    return Ok(());
                }
            }
        }
    }

    fn received(&self, turn: Option<Turn<E, T>>) -> Option<Turn<E, T>> {
        if turn.is_some() {
            self.backlog.fetch_sub(1, Relaxed);
        }
        turn
    }
}
