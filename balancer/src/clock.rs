//! The one place where the balancer reads clocks. Never waits, never decides.
//!
//! The ledger's time is the wall clock's when a reign begins, plus what the monotonic clock has counted since: so no
//! duration between two rows is ever what somebody did to the wall clock. It never falls behind the last row. A standby that
//! followed goes on with the old leader's time, if the wall clock was stepped meanwhile. A step is an alert for as long as
//! the two differ.

use std::time::Duration;

use balancer_core::Now;
use protocol::WallTime;
use rustix::time::{ClockId, clock_gettime};

/// The wall clock and the ledger's time differ when they differ by more than this, in milliseconds: a second is what a leap
/// second or a slow first synchronisation brings, and no one is misled by it.
const STEP_MS: i64 = 1_500;

/// The ledger's time: the monotonic clock with a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerClock {
    /// What is added to the monotonic clock, in milliseconds.
    offset_ms: i64,
}

impl LedgerClock {
    /// Begins a reign behind a row of `last`. `followed` is the offset of the reign before it, if this process saw it.
    #[must_use]
    pub fn begin(last: WallTime, followed: Option<i64>) -> Self {
        Self::at(mono(), WallTime::now(), last, followed)
    }

    fn at(mono: Duration, wall: WallTime, last: WallTime, followed: Option<i64>) -> Self {
        let by_wall = offset_ms(wall, mono);
        let offset_ms = followed.filter(|known| by_wall.abs_diff(*known) > STEP_MS.unsigned_abs()).unwrap_or(by_wall);
        Self { offset_ms: offset_ms.max(self::offset_ms(last, mono)) }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(self) -> Now {
        self.when(mono())
    }

    fn when(self, mono: Duration) -> Now {
        Now { mono, wall: self.time_at(mono) }
    }

    /// The ledger's time at a moment of the monotonic clock.
    #[must_use]
    pub fn time_at(self, mono: Duration) -> WallTime {
        WallTime(u64::try_from(ms(mono).saturating_add(self.offset_ms)).unwrap_or(0))
    }

    /// How far the wall clock is ahead of the ledger's time, in milliseconds, if that is more than no one is misled by.
    #[must_use]
    pub fn stepped_ms(self) -> Option<i64> {
        self.stepped_at(mono(), WallTime::now())
    }

    fn stepped_at(self, mono: Duration, wall: WallTime) -> Option<i64> {
        Some(offset_ms(wall, mono).saturating_sub(self.offset_ms)).filter(|ahead| ahead.abs() > STEP_MS)
    }
}

/// What must be added to the monotonic clock to come to `wall`, in milliseconds.
#[must_use]
pub fn offset_ms(wall: WallTime, mono: Duration) -> i64 {
    i64::try_from(wall.0).unwrap_or(i64::MAX).saturating_sub(ms(mono))
}

fn ms(mono: Duration) -> i64 {
    i64::try_from(mono.as_millis()).unwrap_or(i64::MAX)
}

/// Time since an arbitrary point, including suspend where the system can tell: a machine that slept knows its leases are over.
#[must_use]
pub fn mono() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_760_000_000_000;
    const HOUR: u64 = 3_600_000;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_step_of_the_wall_clock_is_told_and_moves_no_time_of_the_ledger() {
        let clock = LedgerClock::at(at(100), WallTime(NOON), WallTime(0), None);
        assert_eq!(clock.when(at(100)).wall, WallTime(NOON));
        assert_eq!(clock.when(at(160)).wall, WallTime(NOON + 60_000));
        assert_eq!(clock.stepped_at(at(160), WallTime(NOON + 60_900)), None, "slewed, not stepped");
        assert_eq!(clock.stepped_at(at(160), WallTime(NOON + 60_000 + HOUR)), Some(HOUR as i64));
        assert_eq!(clock.stepped_at(at(160), WallTime(NOON + 60_000 - HOUR)), Some(-(HOUR as i64)));
        assert_eq!(clock.stepped_at(at(170), WallTime(NOON + 70_000)), None, "set right again");
    }

    #[test]
    fn a_reign_never_begins_before_the_last_row() {
        let clock = LedgerClock::at(at(5), WallTime(NOON - HOUR), WallTime(NOON), None);
        assert_eq!(clock.when(at(5)).wall, WallTime(NOON));
        assert_eq!(clock.when(at(6)).wall, WallTime(NOON + 1_000));
        assert_eq!(clock.stepped_at(at(6), WallTime(NOON - HOUR + 1_000)), Some(-(HOUR as i64)));
    }

    #[test]
    fn a_standby_that_followed_goes_on_with_the_time_of_the_reign_before() {
        let before = LedgerClock::at(at(100), WallTime(NOON), WallTime(0), None);
        let wall = WallTime(NOON + 20_000 + HOUR);
        let after = LedgerClock::at(at(120), wall, WallTime(NOON + 19_000), Some(before.offset_ms));
        assert_eq!(after, before, "stepped in between: 20 s have passed, and not an hour");
        let slewed = LedgerClock::at(at(120), WallTime(NOON + 20_400), WallTime(NOON), Some(before.offset_ms));
        assert_eq!(slewed.when(at(120)).wall, WallTime(NOON + 20_400), "otherwise a reign begins with the wall clock");
    }
}
