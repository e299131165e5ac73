//! The agent's clock: monotonic, and it goes on while the machine sleeps.
//!
//! Owns the reading of time. A laptop that slept through its leases must know it when it wakes, so on Linux this is
//! `CLOCK_BOOTTIME`; elsewhere it is the monotonic clock, which may stand still during sleep.

use std::time::Duration;

/// A clock with an arbitrary origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    #[cfg(not(target_os = "linux"))]
    origin: std::time::Instant,
}

impl Clock {
    #[cfg(target_os = "linux")]
    pub(crate) fn start() -> Self {
        Self {}
    }

    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "the other clock has an origin")]
    pub(crate) fn now(self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or_default())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn now(self) -> Duration {
        self.origin.elapsed()
    }

    /// Waits for `deadline`; for ever without one. After a sleep of the machine it may come late by what was left of it,
    /// which is at most a heartbeat, and every input checks the fences first.
    pub(crate) async fn sleep_until(self, deadline: Option<Duration>) {
        match deadline {
            Some(at) => tokio::time::sleep(at.saturating_sub(self.now())).await,
            None => std::future::pending().await,
        }
    }
}
