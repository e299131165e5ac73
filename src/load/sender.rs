//! One request of a load test, and what its answers count as.
//!
//! Owns what is sent again when a part of a batch was shed. Never decides when a request leaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::ProgressBar;
use protocol::api::{BatchResult, PlaceOrder, Problem};
use tokio::time::{Instant, sleep};

use super::tally::Tally;
use super::{PATIENCE, lock};
use crate::client::Client;

/// Sends requests and counts their answers.
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) bar: ProgressBar,
}

impl Sender {
    /// `meant`: when it was meant to be sent.
    pub(super) async fn send(&self, orders: Vec<PlaceOrder>, meant: Instant) {
        let count = orders.len() as u64;
        match <[PlaceOrder; 1]>::try_from(orders) {
            Ok([order]) => self.send_one(order, meant).await,
            Err(orders) => self.send_batch(orders, meant).await,
        }
        self.bar.inc(count);
    }

    async fn send_one(&self, order: PlaceOrder, meant: Instant) {
        let answer = self.client.place(&order, None).await;
        let mut tally = lock(&self.tally);
        match answer {
            Ok(placed) => tally.accepted(placed.receipt.id, meant.elapsed()),
            Err(error) => tally.failed(error.code()),
        }
    }

    /// Orders of a batch that were shed are sent again together, as long as the budget and the patience last.
    async fn send_batch(&self, mut orders: Vec<PlaceOrder>, meant: Instant) {
        let until = Instant::now() + PATIENCE;
        while !orders.is_empty() {
            let results = match self.client.place_batch(orders.clone()).await {
                Ok(answer) => answer.results,
                Err(error) => return orders.iter().for_each(|_| lock(&self.tally).failed(error.code())),
            };
            let shed = self.count(orders, results, meant);
            let pause = shed.iter().filter_map(|(_, problem)| problem.retry_after_ms).max().unwrap_or(100);
            let pause = Duration::from_millis(pause).mul_f64(1.0 + fastrand::f64() / 4.0);
            if !shed.is_empty() && (Instant::now() + pause > until || !self.client.may_repeat()) {
                return shed.iter().for_each(|(_, problem)| lock(&self.tally).failed(&problem.code));
            }
            orders = shed.into_iter().map(|(order, _)| order).collect();
            if !orders.is_empty() {
                sleep(pause).await;
            }
        }
    }

    /// Counts the answers of a batch and gives back what was shed.
    fn count(&self, orders: Vec<PlaceOrder>, results: Vec<BatchResult>, meant: Instant) -> Vec<(PlaceOrder, Problem)> {
        let mut tally = lock(&self.tally);
        let missing = orders.len().saturating_sub(results.len());
        (0..missing).for_each(|_| tally.failed("no_answer_in_batch"));
        let mut shed = Vec::new();
        for (order, result) in orders.into_iter().zip(results) {
            match result {
                BatchResult::Placed(receipt) => tally.accepted(receipt.id, meant.elapsed()),
                BatchResult::Refused(problem) if matches!(problem.status, 429 | 503) => {
                    tally.shed += 1;
                    shed.push((order, problem));
                }
                BatchResult::Refused(problem) => tally.failed(&problem.code),
            }
        }
        shed
    }
}
