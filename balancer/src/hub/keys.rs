//! Keys of orders that the core has forgotten: asked before an order goes to the core, on the disk if need be.
//!
//! Owns the way from a key to "this is an old order", "go on to the core" or "come back later". The core itself answers
//! the keys of the orders that it holds; it never hears of an old one. Nothing is awaited between the last look into the
//! book and the core, so that no key slips through between them.

use std::sync::Arc;
use std::time::Duration;

use balancer_core::input::NewOrder;
use balancer_core::{Now, Refused, Reply};
use protocol::WallTime;
use protocol::api::Receipt;

use super::{Hub, Inner, NoAnswer};
use crate::keys::{Fingerprint, Known, Note, body_of};

/// Keys that are asked of the disk at one time: as many as keep two cores and a disk busy.
pub(super) const LOOKUPS_MAX: usize = 8;

/// Why a key gets no answer; nothing was done.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// As many keys are remembered as there is room for; the first is let go after this time.
    Full(Duration),
    /// The keys of old orders are still being read.
    Behind,
    /// They cannot be read.
    Unreadable(std::io::Error),
    /// What could be said is not durable.
    NoAnswer(NoAnswer),
}

/// What the disk said of one key, and of which contents that holds.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    version: Option<u64>,
    found: Option<Note>,
    /// The disk had to be waited for; whoever looks at several keys looks once more.
    pub(crate) waited: bool,
}

impl Inner {
    /// Takes over from the core what it has forgotten.
    pub(super) fn remember_forgotten(&mut self, now: Now) {
        let forgotten = self.core.take_forgotten();
        if forgotten.is_empty() {
            return;
        }
        let state = self.core.state();
        let (position, term) = (state.position(), state.key_term());
        forgotten.iter().for_each(|order| self.book.forgotten(position, order));
        self.book.tidy(term, now.wall);
    }

    /// The time of this round, or now; kept for nobody, because no flush may follow that lets go of it.
    fn wall(&self) -> WallTime {
        self.now.unwrap_or_else(|| self.clock.now()).wall
    }

    /// What is known of an order's key beside the core.
    fn known(&mut self, key: &str, print: &Fingerprint) -> Known {
        let now = self.wall();
        let known = self.book.known(print, self.core.state().key_term(), now);
        match known {
            Known::New => Known::New,
            // The core's order is younger than any in the book.
            Known::Old(_) | Known::Ask(_) | Known::Full(_) if self.core.state().keyed(key).is_some() => Known::New,
            Known::Old(_) | Known::Ask(_) | Known::Full(_) => known,
        }
    }
}

impl Hub {
    /// The answer to an order whose key belongs to one that the core has forgotten; none when it is the core's to answer.
    pub(crate) async fn old_order(&self, order: &NewOrder, asked: &mut Asked) -> Result<Option<Reply>, NoKey> {
        let Some(key) = order.key.as_deref() else { return Ok(None) };
        let print = Fingerprint::of(key);
        asked.waited = false;
        loop {
            let (known, term, now) = {
                let mut inner = self.lock();
                let known = inner.known(key, &print);
                (known, inner.core.state().key_term(), inner.wall())
            };
            let contents = match known {
                Known::New => return Ok(None),
                Known::Old(note) => return self.answer_old(note, order).await.map(Some),
                Known::Full(wait) => return Err(NoKey::Full(wait)),
                Known::Ask(contents) => contents,
            };
            if asked.version == Some(contents.version()) {
                return match asked.found.filter(|note| note.is_fresh(term, now)) {
                    Some(note) => self.answer_old(note, order).await.map(Some),
                    None if !contents.is_complete() => Err(NoKey::Behind),
                    None => match self.lock().book.full(term, now) {
                        Some(wait) => Err(NoKey::Full(wait)),
                        None => Ok(None),
                    },
                };
            }
            asked.waited = true;
            asked.version = Some(contents.version());
            asked.found = self.ask_disk(print, contents).await?;
        }
    }

    async fn ask_disk(&self, print: Fingerprint, contents: Arc<crate::keys::Contents>) -> Result<Option<Note>, NoKey> {
        // The semaphore is never closed; without a permit one look more would do no harm.
        let _permit = self.lookups.acquire().await;
        let found = tokio::task::spawn_blocking(move || contents.find(&print)).await;
        let found = found.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        found.map_err(|error| {
            tracing::error!(%error, "a key of an old order cannot be looked up");
            NoKey::Unreadable(error)
        })
    }

    /// The same order once more, once what is said of it is durable.
    async fn answer_old(&self, note: Note, order: &NewOrder) -> Result<Reply, NoKey> {
        if note.body != body_of(order) {
            return Ok(Reply::Refused(Refused::IdempotencyConflict { order: note.order }));
        }
        let receipt = self.read(|inner, _| receipt(inner, &note)).await.map_err(NoKey::NoAnswer)?;
        Ok(Reply::Replayed(receipt))
    }
}

fn receipt(inner: &Inner, note: &Note) -> Receipt {
    let kitchens = inner.core.state().kitchens();
    Receipt {
        id: note.order,
        state: note.state,
        kitchen: note.kitchen.and_then(|number| kitchens.get(number.index())).map(|kitchen| kitchen.id.clone()),
        attempt: note.attempt,
        token: note.kitchen.map(|_| note.token),
        placed_at: note.placed_at,
        position: note.position,
    }
}
