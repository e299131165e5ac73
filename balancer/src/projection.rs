//! The projection: the journal folded into tables, for the history of orders that memory has forgotten, and for SQL.
//!
//! Owns `projection.db` and the one thread that writes it. Never asked by anything that decides: it lags, says its
//! position, and can be deleted at any time, which rebuilds it from the journal.
//!
//! ```text
//! projection      position and chain value of the last folded row      store
//! orders          an order's last state; `view` is what GET /orders/{id} answers
//! order_events    every event of every order
//! kitchens, city  as at the position
//! actions         what operators did, in the feed's words
//!
//! journal -> batch of rows -> Fold (only the last state of each order is kept) -> one transaction         fold
//! ```
//!
//! A file of its own, because SQLite has one writer a file: in ledger.db an acknowledgement would wait for these
//! transactions. Only the holder of the ledger's lock runs the thread, and each transaction begins where the last one
//! ended or is refused, so there are never two writers.

mod archive;
mod fold;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) use archive::{Archive, Filter, Found, actions, find};
use fold::Fold;
use store::Store;

use crate::background::{Background, Pace};
use crate::ledger::{Journal, OpenError, ReadError, Reader};
use crate::recovery;

/// Events of one transaction, about: more make it cheaper an order, and longer until it is seen.
const BATCH_EVENTS: usize = 20_000;
/// Between two looks when nothing has come.
const IDLE: Duration = Duration::from_millis(100);
/// After a transaction the thread rests so many times as long as it worked: it never takes more than a quarter of a core.
const REST: u32 = 3;
/// After an error.
const RETRY: Duration = Duration::from_secs(5);

/// Why the projection does not go on.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The journal cannot be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// A row is whole but not made of events.
    #[error("a row is not made of events: {0}")]
    Row(String),
    /// The file cannot be used; it is deleted when it is damaged.
    #[error("projection.db: {0}")]
    Store(#[from] rusqlite::Error),
    /// Another process has written to it.
    #[error("projection.db was changed by somebody else")]
    Overtaken,
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Takes the tables away; the next leader folds them anew.
pub(crate) fn forget(dir: &Path) {
    store::remove(dir);
}

/// Starts the thread; `position` is kept at what is folded.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn start(dir: PathBuf, position: Arc<AtomicU64>) -> io::Result<Background> {
    Background::start("projection", move |pace| run(&dir, &position, pace))
}

/// The lag grows under load and shrinks after it; a full disk or a damaged file only makes it grow.
fn run(dir: &Path, position: &AtomicU64, pace: &Pace) {
    let mut told = false;
    while !pace.is_over() {
        let Err(trouble) = Projector::open(dir).and_then(|mut projector| {
            position.store(projector.store.position().0, Relaxed);
            projector.follow(position, pace, &mut told)
        }) else {
            return;
        };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(error = %trouble, "the projection waits: history of old orders is behind");
        }
        if matches!(&trouble, Trouble::Store(error) if store::is_damaged(error)) {
            store::remove(dir);
        }
        pace.wait(RETRY);
    }
}

/// The thread's two ends.
struct Projector {
    reader: Reader,
    store: Store,
}

impl Projector {
    /// Opens both, and begins anew when the file is of another layout or of another ledger.
    fn open(dir: &Path) -> Result<Self, Trouble> {
        let reader = Journal::reader(dir)?;
        let store = match Store::open(dir) {
            Ok(store) if reader.chain_at(store.position())? == Some(store.chain()) => store,
            Ok(store) => {
                tracing::info!(position = %store.position(), "projection.db is of another ledger: rebuilt");
                drop(store);
                store::remove(dir);
                Store::open(dir)?
            }
            Err(error) if store::is_damaged(&error) => {
                tracing::info!(%error, "projection.db cannot be used: rebuilt");
                store::remove(dir);
                Store::open(dir)?
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { reader, store })
    }

    fn follow(&mut self, position: &AtomicU64, pace: &Pace, told: &mut bool) -> Result<(), Trouble> {
        while !pace.is_over() {
            let began = Instant::now();
            let folded = self.step()?;
            *told = false;
            position.store(self.store.position().0, Relaxed);
            pace.wait(if folded == 0 { IDLE } else { (began.elapsed() * REST).max(IDLE) });
        }
        Ok(())
    }

    /// Folds the next batch, and says how many events that were.
    fn step(&mut self) -> Result<usize, Trouble> {
        let after = self.store.position();
        let (mut rows, mut events) = (Vec::new(), 0);
        let walked = self.reader.rows_from(after, |row| match recovery::decode(&row) {
            Ok(recorded) => {
                events += recorded.len();
                rows.push((row.first, row.epoch, recorded));
                if events < BATCH_EVENTS { ControlFlow::Continue(()) } else { ControlFlow::Break(None) }
            }
            Err(why) => ControlFlow::Break(Some(why)),
        })?;
        if let ControlFlow::Break(Some(why)) = walked {
            return Err(Trouble::Row(why));
        }
        if events == 0 {
            return Ok(0);
        }
        let end = self.reader.reached();
        let mut fold = Fold::new(self.store.city()?, self.store.kitchens()?);
        for (first, epoch, recorded) in &rows {
            fold.row(*first, *epoch, recorded, |order| self.store.order(order))?;
        }
        if self.store.write(&fold, end)? { Ok(events) } else { Err(Trouble::Overtaken) }
    }
}
