//! Many orders in one request: each is checked and answered by itself, all are decided in one go.
//!
//! Owns the sequence: room for the answer first, then the turn on the thread that decides, then the wait for the disk.

use std::sync::Arc;
use std::task::Poll;

use balancer_core::input::{NewOrder, RequestId};
use balancer_core::{Input, Reply};
use hyper::body::Incoming;
use protocol::api::{BatchResult, BatchResults, Problem};
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
    if batch.orders.is_empty() || batch.orders.len() > BATCH_MAX {
        let detail = format!("a batch holds 1 to {BATCH_MAX} orders, this one {}", batch.orders.len());
        return problem::invalid("batch_size", detail).into();
    }
    let checked: Vec<Result<NewOrder, Problem>> = {
        let inner = hub.lock();
        batch.orders.into_iter().map(|placed| check(&inner.names, placed)).collect()
    };
    let mut entries: Vec<Entry> = checked.into_iter().map(Entry::new).collect();
    old_orders(hub, &mut entries).await;
    let mut wishes = Vec::with_capacity(entries.len());
    let answered: Vec<Option<BatchResult>> = entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Decided(result) => Some(result),
            Entry::New(order, _) => {
                wishes.push(move |request: RequestId| Input::Submit { request, order });
                None
            }
        })
        .collect();
    let mut asking = std::pin::pin!(hub.ask_all(wishes));
    // Decided now, durable later.
    let decided = futures_util::poll!(asking.as_mut());
    turn.end().await;
    let replies = match decided {
        Poll::Ready(replies) => replies,
        Poll::Pending => asking.await,
    };
    let replies = match replies {
        Ok(replies) => replies,
        Err(stopping) => return stopping.into(),
    };
    let mut replies = replies.into_iter();
    let results = answered.into_iter().map(|answered| answered.unwrap_or_else(|| result(replies.next().flatten())));
    Answer::json(&BatchResults { results: results.collect() }).held_in(room)
}

/// One order of a batch on its way.
enum Entry {
    /// For the core.
    New(NewOrder, Asked),
    Decided(BatchResult),
}

impl Entry {
    fn new(checked: Result<NewOrder, Problem>) -> Self {
        match checked {
            Ok(order) => Self::New(order, Asked::default()),
            Err(problem) => Self::Decided(BatchResult::Refused(problem)),
        }
    }
}

/// Answers the entries whose keys belong to old orders; once more after each wait for the disk, so that all that is left
/// goes to the core as it was last seen.
async fn old_orders(hub: &Arc<Hub>, entries: &mut [Entry]) {
    loop {
        let mut waited = false;
        for entry in entries.iter_mut() {
            let Entry::New(order, asked) = entry else { continue };
            let old = hub.old_order(order, asked).await;
            waited |= asked.waited;
            match old {
                Ok(None) => {}
                Ok(Some(reply)) => *entry = Entry::Decided(result(Some(reply))),
                Err(why) => *entry = Entry::Decided(BatchResult::Refused(problem::no_key(why))),
            }
        }
        if !waited {
            return;
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
