//! Wall-clock milliseconds, as the ledger of a city on this machine has them, and percentiles.
//!
//! Record and ledger are compared by these times, so they come from one clock. Never used to decide an order's fate.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub type Ms = u64;

/// Now.
#[must_use]
pub fn now() -> Ms {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

/// Reads RFC 3339; none if it is no time.
#[must_use]
pub fn parse(text: &str) -> Option<Ms> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// What a set of measured values looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Half are at most this.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// All are.
    pub max: u64,
}

impl Spread {
    /// Of any values; all zero for none.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        Self {
            count: values.len(),
            p50: rank(&values, 50),
            p99: rank(&values, 99),
            max: values.last().copied().unwrap_or(0),
        }
    }
}

/// The nearest-rank percentile: a value that was measured, never one in between.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count == 0 {
            return f.write_str("none");
        }
        write!(f, "p50 {} p99 {} max {} (n {})", self.p50, self.p99, self.max, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let spread = Spread::of((1..=200).rev().collect());
        assert_eq!(spread, Spread { count: 200, p50: 100, p99: 198, max: 200 });
        assert_eq!(Spread::of(vec![7]), Spread { count: 1, p50: 7, p99: 7, max: 7 });
        assert_eq!(Spread::of(Vec::new()).to_string(), "none");
    }

    #[test]
    fn times_of_the_ledger_are_read_to_the_millisecond() {
        assert_eq!(parse("1970-01-01T00:00:01.250Z"), Some(1_250));
        assert_eq!(parse("yesterday"), None);
    }
}
