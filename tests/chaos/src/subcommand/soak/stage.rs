//! What all lanes of a soak share: the city, the record, the time, and chance of their own from one seed.
//!
//! Lanes go on side by side and never wait for each other, so what meets what is not planned; what each of them does is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep_until};

use crate::record::Recorder;
use crate::world::World;

/// See the head of this file.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) recorder: &'a Recorder,
    pub(super) began: Instant,
    until: Instant,
    seed: u64,
    faults: AtomicU32,
}

/// Who draws; each has numbers of its own, so that no lane changes another's plan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    Kitchens,
    Balancers,
    Links,
    Disk,
    Clock,
    Crowd,
    Hostile,
    Rushes,
    Drains,
    Policies,
    Cancels,
    Late,
    Twins,
}

impl<'a> Stage<'a> {
    pub(super) fn new(world: &'a World, recorder: &'a Recorder, seed: u64, lasts: Duration) -> Self {
        let began = Instant::now();
        Self { world, recorder, began, until: began + lasts, seed, faults: AtomicU32::new(0) }
    }

    pub(super) fn seed(&self, lane: Lane) -> u64 {
        self.seed.wrapping_mul(1_000).wrapping_add(lane as u64)
    }

    pub(super) fn random(&self, lane: Lane) -> Rng {
        Rng::with_seed(self.seed(lane))
    }

    /// The number of the next fault of any lane.
    pub(super) fn number(&self) -> u32 {
        self.faults.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits for a while that is drawn; false once the time is over.
    pub(super) async fn pause(&self, random: &mut Rng, from_ms: u64, to_ms: u64) -> bool {
        self.wait(Duration::from_millis(random.u64(from_ms..to_ms))).await
    }

    /// Waits; false once the time is over.
    pub(super) async fn wait(&self, lasts: Duration) -> bool {
        sleep_until(self.until.min(Instant::now() + lasts)).await;
        Instant::now() < self.until
    }

    /// One of the balancers, whatever it is at the moment.
    pub(super) fn balancer(&self, random: &mut Rng) -> Option<SocketAddr> {
        let urls = &self.world.city.urls;
        urls[random.usize(..urls.len())].trim_start_matches("http://").trim_end_matches('/').parse().ok()
    }
}
