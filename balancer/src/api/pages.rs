//! Long answers, beside the thread that decides: a few are made at one time, and the rest wait or are told to come later.
//!
//! ```text
//! place()     one of AT_ONCE, or a wait of PATIENCE among WAITING_MAX, or 503
//! look        on the thread that decides: figures are copied, at one position of the ledger
//! words       on a thread of its own: names, JSON, what the disk knows of the past
//! room        memory for the answer until it is taken
//! ```
//! So whoever asks for pages shares two threads with the others who do, and no order, heartbeat or probe waits for a page.
//! The bound: a look copies at most 1,000 orders out of 20,000 that it passes, or the figures of all kitchens.

use std::time::Duration;

use protocol::api::Problem;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Answer;
use super::{problem, room};

/// Pages that are made at one time: with two processors one is left for what decides and for the ledger.
const AT_ONCE: usize = 2;
/// Requests that wait for their turn: half a second of pages.
const WAITING_MAX: usize = 256;
/// For so long they wait.
const PATIENCE: Duration = Duration::from_secs(5);

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);
static QUEUE: Semaphore = Semaphore::const_new(AT_ONCE + WAITING_MAX);

/// The right to make one page.
pub(super) struct Place {
    _place: SemaphorePermit<'static>,
    _queue: SemaphorePermit<'static>,
}

/// Waits for one.
///
/// # Errors
/// Too many wait already, or it took too long.
pub(super) async fn place() -> Result<Place, Problem> {
    let queue = QUEUE.try_acquire().map_err(|_| problem::too_many_pages())?;
    match tokio::time::timeout(PATIENCE, PLACES.acquire()).await {
        Ok(Ok(place)) => Ok(Place { _place: place, _queue: queue }),
        Ok(Err(_)) | Err(_) => Err(problem::too_many_pages()),
    }
}

impl Place {
    /// A JSON body, made elsewhere.
    pub(super) async fn json<B: Serialize>(self, words: impl FnOnce() -> B + Send + 'static) -> Answer {
        self.answer(move || Answer::json(&words())).await
    }

    /// A text, made elsewhere.
    pub(super) async fn text(self, words: impl FnOnce() -> String + Send + 'static) -> Answer {
        self.answer(move || Answer::text(words())).await
    }

    /// An answer, made elsewhere; it keeps its place until there is room for it.
    async fn answer(self, words: impl FnOnce() -> Answer + Send + 'static) -> Answer {
        // It fails only when the process ends, or by a defect that has been told on its thread.
        let Ok(answer) = tokio::task::spawn_blocking(words).await else { return problem::stopping().into() };
        match room::outgoing(answer.len()).await {
            Some(room) => answer.held_in(room),
            None => problem::no_room().into(),
        }
    }
}

/// A body from here on is a large piece of work, in bytes: 150 full orders, or 900 of the shortest. Smaller batches share a turn
/// of the core and so a commit: taking turns from 8 KiB on doubled the syncs and cost 40 % more an order.
const LARGE: usize = 40 * 1024;

/// One large piece of work between two looks at the sockets.
static TURN: Semaphore = Semaphore::const_new(1);

/// The right to hold the thread that decides for some milliseconds; none is needed for a small body.
pub(super) struct Turn(Option<SemaphorePermit<'static>>);

/// Waits for one: a batch of 1,000 orders takes several milliseconds, and hundreds may come in the same moment.
pub(super) async fn turn(bytes: usize) -> Turn {
    Turn(if bytes < LARGE { None } else { TURN.acquire().await.ok() })
}

impl Turn {
    /// Whoever has come meanwhile with a small wish is heard before the next large one.
    pub(super) async fn end(self) {
        if self.0.is_some() {
            tokio::task::yield_now().await;
        }
    }
}
