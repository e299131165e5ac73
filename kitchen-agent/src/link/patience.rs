//! When to try again, and when to stop trying.
//!
//! Owns the two rules. Reads no clock and no global randomness: time and seed are arguments.

use std::time::Duration;

use protocol::link::Refusal;

/// The longest first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait ever: a city that comes back is full again in that time.
const LONGEST: Duration = Duration::from_secs(1);
/// The longest wait while another process still has this kitchen's id: it has probably just died.
const IN_USE: Duration = Duration::from_millis(400);
/// The longest wait after a standby sent this kitchen on: the leader is at another address, or will be within seconds.
/// Hundreds of kitchens that look for it together make some thousand short connections a second, for that long.
const SENT_ON: Duration = Duration::from_millis(200);
/// How long a kitchen's id may be in use: two leases and a takeover. Then somebody else really has it.
const IN_USE_PATIENCE: Duration = Duration::from_secs(4);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The kitchen had been let in.
    Welcomed,
    /// It was refused because its id is in use.
    InUse,
    /// It was refused because that balancer does not lead.
    SentOn,
    /// Anything else.
    Failed,
}

/// Exponential backoff with full jitter: many agents that lost the same balancer do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: usize,
    random: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed | 1 }
    }

    /// How long to wait after a connection that ended so; the wait grows with each round through all `addresses` that
    /// brought nothing. A standby's refusal is something: the city lives, and its leader is being replaced.
    pub(super) fn after(&mut self, end: End, addresses: usize) -> Duration {
        self.failures = match end {
            End::Welcomed => 0,
            End::SentOn => self.failures,
            End::InUse | End::Failed => self.failures + 1,
        };
        let round = (self.failures / addresses.max(1)).min(16);
        let longest = match end {
            End::Welcomed | End::Failed => LONGEST,
            End::InUse => IN_USE,
            End::SentOn => SENT_ON,
        };
        FIRST.saturating_mul(1 << round).min(longest).mul_f64(self.unit())
    }

    /// xorshift64*, in [0, 1).
    fn unit(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(1_u32 << 24)
    }
}

/// How long a refusal is borne; a welcome begins it anew.
#[derive(Debug, Default)]
pub(super) struct Patience {
    in_use_since: Option<Duration>,
}

impl Patience {
    /// Whether to try again after this refusal at `now`.
    pub(super) fn bears(&mut self, now: Duration, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Alive { .. } => now < *self.in_use_since.get_or_insert(now) + IN_USE_PATIENCE,
            Refusal::NotLeader | Refusal::Full(_) | Refusal::Version { .. } | Refusal::Hello(_) => {
                refusal.is_retryable()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_begin_anew_after_a_welcome() {
        let mut backoff = Backoff::new(42);
        let waits: Vec<Duration> = (0..2_000).map(|_| backoff.after(End::Failed, 1)).collect();
        assert!(waits[0] < Duration::from_millis(200));
        assert!(waits.iter().all(|&wait| wait < LONGEST));
        let late = &waits[100..];
        assert!(late.iter().any(|&wait| wait > LONGEST.mul_f64(0.95)), "full jitter reaches the top");
        assert!(late.iter().any(|&wait| wait < LONGEST.mul_f64(0.05)), "full jitter reaches the bottom");
        assert!(backoff.after(End::Welcomed, 1) < FIRST);
    }

    #[test]
    fn every_address_is_tried_before_waits_grow() {
        let mut backoff = Backoff::new(42);
        assert!((0..9).all(|_| backoff.after(End::Failed, 10) < FIRST));
    }

    #[test]
    fn a_kitchen_that_is_sent_on_looks_again_soon_for_as_long_as_it_takes() {
        let mut backoff = Backoff::new(42);
        assert!((0..1_000).all(|_| backoff.after(End::SentOn, 1) < SENT_ON));
        assert!(backoff.after(End::Failed, 1) < FIRST * 2, "and is no worse off for it");
    }

    #[test]
    fn an_id_in_use_is_asked_for_often_and_for_four_seconds() {
        let mut backoff = Backoff::new(42);
        assert!((0..100).all(|_| backoff.after(End::InUse, 1) < IN_USE));
        let mut patience = Patience::default();
        let alive = Refusal::Alive { kitchen: "k1".parse().expect("an id"), pid: 7 };
        let start = Duration::from_secs(100);
        assert!(patience.bears(start, &alive));
        assert!(patience.bears(start + IN_USE_PATIENCE - Duration::from_millis(1), &alive));
        assert!(!patience.bears(start + IN_USE_PATIENCE, &alive));
    }

    #[test]
    fn what_only_a_person_can_mend_is_not_tried_again() {
        let mut patience = Patience::default();
        assert!(patience.bears(Duration::ZERO, &Refusal::NotLeader));
        assert!(patience.bears(Duration::ZERO, &Refusal::Full(3)));
        assert!(!patience.bears(Duration::ZERO, &Refusal::Version { theirs: 1, ours: 2 }));
        assert!(!patience.bears(Duration::ZERO, &Refusal::Hello("no zone".into())));
    }
}
