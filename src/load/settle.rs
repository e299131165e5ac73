//! Waiting until orders have ended, with few questions.
//!
//! Owns the question which of our orders are still open. Orders end roughly in the sequence in which they were accepted,
//! so only the oldest open ones are asked for: a few at a time while they cook, many at once when they have all ended.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use hdrhistogram::Histogram;
use protocol::OrderId;
use protocol::api::OrderView;
use protocol::order::OrderState;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::tally::{Percentiles, histogram, record};
use crate::client::{Client, ClientError};

/// Orders asked for at once, at the least and at the most.
const WAVE_MIN: usize = 4;
const WAVE_MAX: usize = 256;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// Between two looks at orders that are still open.
const LOOK: Duration = Duration::from_millis(100);

/// How orders ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outcome {
    /// Cooked.
    pub completed: u64,
    /// Called off.
    pub cancelled: u64,
    /// Set aside.
    pub dead_lettered: u64,
    /// Ended so long ago that the balancer has forgotten them (it keeps the newest 100,000 that ended).
    pub forgotten: u64,
    /// Still open when the wait was over.
    pub open: u64,
    /// From the first request until the last had ended.
    #[serde(rename = "all_ended_s")]
    pub seconds: f64,
    /// From acceptance to the end.
    #[serde(rename = "order_time")]
    pub time: Option<Percentiles>,
}

impl Outcome {
    /// Whether every order ended, and none badly. That none was lost is for the proof to say.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.dead_lettered == 0 && self.open == 0
    }

    pub(super) fn words(&self) -> String {
        let mut words =
            format!("{} completed, {} cancelled, {} dead-lettered", self.completed, self.cancelled, self.dead_lettered);
        if self.forgotten > 0 {
            words.push_str(&format!(", {} ended and forgotten", self.forgotten));
        }
        if self.open > 0 {
            words.push_str(&format!(", {} still open", self.open));
        }
        words
    }
}

/// Waits until all of `orders` have ended or the time is over; `tell` hears how many have ended.
///
/// # Errors
/// No balancer answered for as long as the client is patient.
pub async fn settle(
    client: &Client,
    mut orders: Vec<OrderId>,
    at_most: Duration,
    tell: impl Fn(u64),
) -> Result<Outcome, ClientError> {
    let until = Instant::now() + at_most;
    orders.sort_unstable();
    let mut waiting: VecDeque<OrderId> = orders.into();
    let mut times = histogram();
    let mut outcome = Outcome::default();
    let mut wave = WAVE_MIN;
    while !waiting.is_empty() && Instant::now() < until {
        let asked: Vec<OrderId> = waiting.drain(..wave.min(waiting.len())).collect();
        let count = asked.len();
        let answers: Vec<_> =
            iter(asked).map(|id| async move { (id, client.order(id).await) }).buffered(AT_ONCE).collect().await;
        let mut open = Vec::new();
        for (id, answer) in answers {
            match answer {
                Ok(view) if view.state.is_open() => open.push(id),
                Ok(view) => outcome.count(&view, &mut times),
                Err(ClientError::Refused(problem)) if problem.status == 404 => outcome.forgotten += 1,
                Err(error) => return Err(error),
            }
        }
        let ended = count - open.len();
        open.into_iter().rev().for_each(|id| waiting.push_front(id));
        tell(outcome.ended());
        if ended == count {
            wave = (wave * 2).min(WAVE_MAX);
        } else {
            wave = ended.max(WAVE_MIN);
            sleep(LOOK).await;
        }
    }
    outcome.open = waiting.len() as u64;
    outcome.time = Percentiles::of(&times);
    Ok(outcome)
}

impl Outcome {
    fn ended(&self) -> u64 {
        self.completed + self.cancelled + self.dead_lettered + self.forgotten
    }

    fn count(&mut self, view: &OrderView, times: &mut Histogram<u64>) {
        match view.state {
            OrderState::Completed => self.completed += 1,
            OrderState::Cancelled => self.cancelled += 1,
            OrderState::DeadLettered => self.dead_lettered += 1,
            OrderState::Queued | OrderState::Leased | OrderState::Cooking => {}
        }
        if let Some(end) = view.completed_at {
            record(times, Duration::from_millis(end.ms_since(view.placed_at)));
        }
    }
}
