//! The retry budget: a client in trouble must not become the trouble.
//!
//! Owns how many requests may be sent a second time. Never sleeps, never reads a clock: time is an argument.
//!
//! Each request pays in a tenth of a retry, so that in the long run at most 10 % are sent again; on top of that a
//! reserve lets a client that sends little survive a short outage. The reserve is full at the start and refills in 10 s.
//! A try that never reached a balancer (connection refused) costs the other side nothing and is not counted here.

use std::time::Duration;

/// What each request adds, in retries.
const SHARE: f64 = 0.1;
/// How long an empty reserve takes to refill.
const REFILL: Duration = Duration::from_secs(10);

/// How many retries there are left, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    reserve: f64,
    tokens: f64,
    seen: Duration,
}

impl Budget {
    /// A full one, for a client that has `reserve` requests at risk at once.
    #[must_use]
    pub fn new(reserve: u32) -> Self {
        Self { reserve: reserve.into(), tokens: reserve.into(), seen: Duration::ZERO }
    }

    /// A request was sent for the first time.
    pub fn deposit(&mut self, now: Duration) {
        self.refill(now);
        self.tokens = (self.tokens + SHARE).min(self.reserve);
    }

    /// Whether a request may be sent again.
    #[must_use]
    pub fn withdraw(&mut self, now: Duration) -> bool {
        self.refill(now);
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.seen);
        self.seen = self.seen.max(now);
        self.tokens = (self.tokens + self.reserve * passed.as_secs_f64() / REFILL.as_secs_f64()).min(self.reserve);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn retries(budget: &mut Budget, now: Duration) -> u32 {
        (0..10_000).take_while(|_| budget.withdraw(now)).count() as u32
    }

    #[test]
    fn the_reserve_is_all_there_is_at_the_start() {
        assert_eq!(retries(&mut Budget::new(5), START), 5);
    }

    #[test]
    fn a_thousand_requests_that_all_fail_are_retried_a_hundred_times_and_the_reserve() {
        let mut budget = Budget::new(5);
        let mut sent_again = 0;
        for _ in 0..1_000 {
            budget.deposit(START);
            sent_again += u32::from(budget.withdraw(START));
        }
        assert!((100..=105).contains(&sent_again), "{sent_again}");
    }

    #[test]
    fn calm_requests_do_not_save_up_for_a_storm() {
        let mut budget = Budget::new(5);
        (0..1_000).for_each(|_| budget.deposit(START));
        assert_eq!(retries(&mut budget, START), 5);
    }

    #[test]
    fn an_empty_reserve_is_full_again_after_ten_seconds_and_a_clock_that_goes_back_adds_nothing() {
        let mut budget = Budget::new(4);
        assert_eq!(retries(&mut budget, START), 4);
        assert_eq!(retries(&mut budget, Duration::from_secs(5)), 2);
        assert_eq!(retries(&mut budget, Duration::from_secs(1)), 0);
        assert_eq!(retries(&mut budget, Duration::from_secs(60)), 4);
    }
}
