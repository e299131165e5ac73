//! The steady flow of orders that a city makes by itself, through HTTP like any other client.
//!
//! Owns the pace. Arrivals are a Poisson stream and wait for nobody; each order has its idempotency key, so that a
//! restart of the balancer delays orders and doubles none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::journal::Journal;
use crate::client::Client;
use crate::load::demand::Demand;

/// Orders that may wait for an answer at once; when an outage fills them, further ones are skipped and counted.
const AT_ONCE: usize = 1_024;
/// How long an order is tried.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two lines in the log, while something goes wrong.
const REPORT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Trouble {
    failed: AtomicU64,
    skipped: AtomicU64,
}

/// Places `rate` orders a second until it is aborted.
pub(super) async fn run(client: Client, mut demand: Demand, rate: f64, journal: Arc<Journal>) {
    let client = client.with_patience(PATIENCE, AT_ONCE as u32);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let trouble = Arc::new(Trouble::default());
    let mut due = Instant::now();
    let mut report = due + REPORT;
    loop {
        due += demand.gap(rate);
        sleep_until(due).await;
        let order = demand.order();
        match places.clone().try_acquire_owned() {
            Ok(place) => {
                let (client, trouble) = (client.clone(), trouble.clone());
                tokio::spawn(async move {
                    if client.place(&order, None).await.is_err() {
                        trouble.failed.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(place);
                });
            }
            Err(_) => _ = trouble.skipped.fetch_add(1, Ordering::Relaxed),
        }
        if due >= report {
            report = due + REPORT;
            trouble.tell(&journal);
        }
    }
}

impl Trouble {
    fn tell(&self, journal: &Journal) {
        let (failed, skipped) = (self.failed.swap(0, Ordering::Relaxed), self.skipped.swap(0, Ordering::Relaxed));
        if failed + skipped > 0 {
            journal.note(&format!("steady flow: {failed} orders failed, {skipped} were not sent"));
        }
    }
}
