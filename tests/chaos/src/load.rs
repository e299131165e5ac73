//! The customers: orders leave at even distances whoever answers (open model), each with a key of its own.
//!
//! Owns the pace. A latency counts from the time an order was *due*, so that a stalled city cannot hide its stall by
//! slowing its customers down. What was measured is read from the record afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Order, Outcome};
use crate::clock;
use crate::record::{Line, Recorder};
use crate::town::{DISHES, ZONES};

/// Requests under way at once; beyond it orders leave late, and their latency says so.
const AT_ONCE: usize = 4_096;

/// How much, and from whom.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Begins every key.
    pub prefix: String,
    /// Orders a second.
    pub rate: f64,
    /// The same seed asks for the same.
    pub seed: u64,
    /// An order is tried so long; none: once.
    pub patience: Duration,
}

impl Plan {
    /// The order of this number, the same whenever it is asked for.
    #[must_use]
    pub fn order(&self, number: u32) -> Order {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number.into()));
        let (dish, zone) = (DISHES[random.usize(..DISHES.len())], ZONES[random.usize(..ZONES.len())]);
        Order::new(format!("{}-{number}", self.prefix), dish, zone)
    }
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    placed: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Load {
    /// Begins at once.
    #[must_use]
    pub fn start(plan: Plan, client: Client, recorder: Recorder) -> Self {
        let (stop, placed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn(run(plan, client, recorder, stop.clone(), placed.clone()));
        Self { stop, placed, task }
    }

    /// Orders that are in.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    /// Sends no further order, and waits until every one under way is answered or given up.
    pub async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.task.await;
        self.placed.load(Ordering::Relaxed)
    }
}

async fn run(plan: Plan, client: Client, recorder: Recorder, stop: Arc<AtomicBool>, placed: Arc<AtomicU64>) {
    let (began, began_ms) = (Instant::now(), clock::now());
    let (places, mut under_way) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for number in 0_u32.. {
        let offset = Duration::from_secs_f64(f64::from(number) / plan.rate);
        sleep_until(began + offset).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let order = plan.order(number);
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (client, recorder, placed, patience) = (client.clone(), recorder.clone(), placed.clone(), plan.patience);
        under_way.spawn(async move {
            let outcome = client.place(&order, number as usize, patience, &recorder).await;
            let is_placed = matches!(outcome, Outcome::Placed { .. });
            placed.fetch_add(u64::from(is_placed), Ordering::Relaxed);
            let took_us = u64::try_from((began + offset).elapsed().as_micros()).unwrap_or(u64::MAX);
            let due = began_ms + u64::try_from(offset.as_millis()).unwrap_or(0);
            recorder.write(&Line::Ended { at: clock::now(), key: order.key, due, took_us, placed: is_placed });
            drop(place);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}
