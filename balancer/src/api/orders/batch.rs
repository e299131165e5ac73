//! Many orders in one request: each is checked and answered by itself, all are decided in one go.
//!
//! Owns the sequence: room for the answer first, then the turn on the thread that decides, then the wait for the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use balancer_core::input::{NewOrder, RequestId};
use balancer_core::{Input, Reply};
use hyper::StatusCode;
use hyper::body::Incoming;
use protocol::api::{BatchResult, BatchResults};
use protocol::order::BATCH_MAX;
use serde::Deserialize;

use super::{Placed, check, read};
use crate::api::answer::Answer;
use crate::api::{pages, problem, room};
use crate::hub::{Asked, Hub};

/// The body of a batch, in bytes.
const BATCH_BODY_MAX: usize = 4 * 1024 * 1024;
/// The shortest order that is one, in bytes.
const ORDER_MIN: usize = 24;
/// A receipt, or why there is none, in bytes.
const RECEIPT_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlacedBatch<'a> {
    #[serde(borrow)]
    orders: Vec<Placed<'a>>,
}

pub(in crate::api) async fn place_batch(hub: &Arc<Hub>, body: &mut Incoming) -> Answer {
    let body = match read(body, BATCH_BODY_MAX).await {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    // Before anything is placed: what has been placed must be told.
    let most = BATCH_MAX.min(body.len() / ORDER_MIN + 1);
    let Some(room) = room::outgoing(most * RECEIPT_MAX).await else { return problem::no_room().into() };
    let turn = pages::turn(body.len()).await;
    let batch: PlacedBatch<'_> = match serde_json::from_slice(&body) {
        Ok(batch) => batch,
        Err(error) => return problem::malformed(&error).into(),
    };
    let count = batch.orders.len();
    if count == 0 || count > BATCH_MAX {
        let detail = format!("a batch holds 1 to {BATCH_MAX} orders, this one {count}");
        return problem::invalid("batch_size", detail).into();
    }
    let mut entries = Entries::new(hub, batch.orders);
    entries.answer_old(hub).await;
    let Entries { orders, mut decided } = entries;
    let wishes = orders.into_iter().flatten().map(|order| move |request: RequestId| Input::Submit { request, order });
    let mut asking = std::pin::pin!(hub.ask_all(wishes));
    // Decided now, durable later.
    let asked = futures_util::poll!(asking.as_mut());
    turn.end().await;
    let replies = match asked {
        Poll::Ready(replies) => replies,
        Poll::Pending => asking.await,
    };
    let replies = match replies {
        Ok(replies) => replies,
        Err(stopping) => return stopping.into(),
    };
    let mut replies = replies.into_iter();
    let results = (0..count).map(|place| decided.remove(&place).unwrap_or_else(|| result(replies.next().flatten())));
    Answer::json_of(StatusCode::OK, &BatchResults { results: results.collect() }, count).held_in(room)
}

/// The orders of a batch on their way.
struct Entries {
    /// In the sequence of the request; none for what is decided.
    orders: Vec<Option<NewOrder>>,
    /// What the core is not asked about, by its place.
    decided: BTreeMap<usize, BatchResult>,
}

impl Entries {
    fn new(hub: &Hub, placed: Vec<Placed<'_>>) -> Self {
        let inner = hub.lock();
        let mut decided = BTreeMap::new();
        let orders = placed.into_iter().enumerate().map(|(place, placed)| match check(&inner.names, placed) {
            Ok(order) => Some(order),
            Err(problem) => {
                decided.insert(place, BatchResult::Refused(problem));
                None
            }
        });
        Self { orders: orders.collect(), decided }
    }

    /// Answers the orders whose keys belong to old ones; once more after each wait for the disk, so that all that is left
    /// goes to the core as it was last seen.
    async fn answer_old(&mut self, hub: &Arc<Hub>) {
        let mut asked: BTreeMap<usize, Asked> = BTreeMap::new();
        loop {
            let mut waited = false;
            for (place, entry) in self.orders.iter_mut().enumerate() {
                let Some(order) = entry.as_ref().filter(|order| order.key.is_some()) else { continue };
                let mut known = asked.remove(&place).unwrap_or_default();
                let old = hub.old_order(order, &mut known).await;
                if known.waited {
                    waited = true;
                    asked.insert(place, known);
                }
                let decided = match old {
                    Ok(None) => continue,
                    Ok(Some(reply)) => result(Some(reply)),
                    Err(why) => BatchResult::Refused(problem::no_key(why)),
                };
                self.decided.insert(place, decided);
                *entry = None;
            }
            if !waited {
                return;
            }
        }
    }
}

fn result(reply: Option<Reply>) -> BatchResult {
    match reply {
        Some(Reply::Placed(receipt) | Reply::Replayed(receipt)) => BatchResult::Placed(receipt),
        Some(Reply::Refused(why)) => BatchResult::Refused(problem::refused(&why)),
        Some(Reply::Done(_)) | None => BatchResult::Refused(problem::stopping()),
    }
}
