//! Key figures of the last seconds: rates and percentiles, folded from events as they happen. Decides nothing.

use std::cell::Cell;

use hdrhistogram::Histogram;
use protocol::WallTime;

/// The window of every rate and percentile, in seconds.
pub const WINDOW_S: u64 = 10;
/// The longest time that is told apart, in milliseconds: an hour.
const LONGEST_MS: u64 = 3_600_000;

#[derive(Debug)]
struct Second {
    number: u64,
    accepted: u64,
    completed: u64,
    sojourn_ms: Histogram<u32>,
}

/// The last [`WINDOW_S`] whole seconds and the one that runs.
#[derive(Debug)]
pub struct Rolling {
    seconds: Vec<Second>,
    began: WallTime,
    /// The figures as of a second: they do not change within it, and adding up the histograms takes long for every tick.
    known: Cell<Option<(u64, Rates)>>,
}

/// Rates a second and percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    pub accepted_per_s: f64,
    pub completed_per_s: f64,
    pub p50_ms: Option<u64>,
    pub p99_ms: Option<u64>,
}

impl Rolling {
    /// Nothing yet.
    #[must_use]
    pub fn new(began: WallTime) -> Self {
        let second = || Second { number: 0, accepted: 0, completed: 0, sojourn_ms: histogram() };
        Self { seconds: (0..=WINDOW_S).map(|_| second()).collect(), began, known: Cell::new(None) }
    }

    /// An order was accepted.
    pub fn accepted(&mut self, at: WallTime) {
        self.second(at).accepted += 1;
    }

    /// An order was completed, so long after it was placed.
    pub fn completed(&mut self, at: WallTime, sojourn_ms: u64) {
        let second = self.second(at);
        second.completed += 1;
        second.sojourn_ms.saturating_record(sojourn_ms.clamp(1, LONGEST_MS));
    }

    /// The figures of the last whole seconds; less than [`WINDOW_S`] of them after a start.
    #[must_use]
    pub fn rates(&self, now: WallTime) -> Rates {
        let current = now.0 / 1_000;
        if let Some((_, rates)) = self.known.get().filter(|(second, _)| *second == current) {
            return rates;
        }
        let rates = self.add_up(current);
        self.known.set(Some((current, rates)));
        rates
    }

    fn add_up(&self, current: u64) -> Rates {
        let mut all = histogram();
        let (mut accepted, mut completed) = (0, 0);
        for second in
            self.seconds.iter().filter(|second| second.number < current && second.number + WINDOW_S >= current)
        {
            accepted += second.accepted;
            completed += second.completed;
            // Same bounds, so adding cannot fail.
            let _ = all.add(&second.sojourn_ms);
        }
        let span = current.saturating_sub(self.began.0 / 1_000).clamp(1, WINDOW_S) as f64;
        let percentile = |quantile| (!all.is_empty()).then(|| all.value_at_quantile(quantile));
        Rates {
            accepted_per_s: accepted as f64 / span,
            completed_per_s: completed as f64 / span,
            p50_ms: percentile(0.5),
            p99_ms: percentile(0.99),
        }
    }

    fn second(&mut self, at: WallTime) -> &mut Second {
        let number = at.0 / 1_000;
        // An event of a second that was counted already: the clock was set back.
        if self.known.get().is_some_and(|(current, _)| number < current) {
            self.known.set(None);
        }
        let len = self.seconds.len() as u64;
        let second = &mut self.seconds[(number % len) as usize];
        if second.number != number {
            (second.number, second.accepted, second.completed) = (number, 0, 0);
            second.sojourn_ms.reset();
        }
        second
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_MS, 2).expect("the bounds are constants that the histogram accepts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_cover_the_last_whole_seconds_only() {
        let mut rolling = Rolling::new(WallTime(0));
        for ms in 0..1_000 {
            rolling.accepted(WallTime(50_000 + ms));
            rolling.completed(WallTime(50_000 + ms), 40);
        }
        assert_eq!(rolling.rates(WallTime(50_999)), Rates::default(), "the second still runs");
        let rates = rolling.rates(WallTime(51_000));
        assert_eq!((rates.accepted_per_s, rates.completed_per_s), (100.0, 100.0));
        assert_eq!((rates.p50_ms, rates.p99_ms), (Some(40), Some(40)));
        rolling.accepted(WallTime(50_500));
        assert_eq!(rolling.rates(WallTime(51_500)).accepted_per_s, 100.1, "a late one counts");
        assert_eq!(rolling.rates(WallTime(61_000)).p99_ms, None, "it has left the window");
    }
}
