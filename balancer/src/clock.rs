//! The one place where the balancer reads clocks. Never waits, never decides.

use std::time::Duration;

use balancer_core::Now;
use protocol::WallTime;
use rustix::time::{ClockId, clock_gettime};

/// Both clocks now. The monotonic one includes suspend, so that a machine that slept knows its leases are over.
#[must_use]
pub fn now() -> Now {
    Now { mono: mono(), wall: WallTime::now() }
}

/// Time since an arbitrary point, including suspend where the system can tell.
#[must_use]
pub fn mono() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
