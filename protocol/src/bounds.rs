//! Numbers that a person may set and that are no whole numbers: each range with its unit, once, for flags, bodies and forms.
//!
//! Owns ranges and the sentence that says them. Never decides what a number is for.

/// What a number may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Of what, in words.
    pub unit: &'static str,
}

/// A rush. Below a tenth of an order a second nothing is rushing; above 100,000 one balancer only refuses.
pub const RUSH_RATE: Bound = Bound { low: 0.1, high: 100_000.0, unit: "orders a second" };
/// A load test in the open model: from one order in a quarter of an hour to more than one client can send.
pub const LOAD_RATE: Bound = Bound { low: 0.001, high: 1_000_000.0, unit: "orders a second" };
/// The steady flow of a city; 0 is none.
pub const FLOW_RATE: Bound = Bound { low: 0.0, high: 100_000.0, unit: "orders a second" };
/// How fast a kitchen cooks: beyond it a stage would outlast a day or be shorter than a timer's tick.
pub const SPEED: Bound = Bound { low: 0.001, high: 1_000_000.0, unit: "times the menu's speed" };
/// How long an idempotency key is remembered. Below a second a client that is told to come back would be taken for a new
/// one; a week at a thousand orders a second is more keys than are kept.
pub const KEY_WINDOW: Bound = Bound { low: 1.0, high: 604_800.0, unit: "s" };
/// How fast a recording plays.
pub const REPLAY_SPEED: Bound = Bound { low: 0.25, high: 64.0, unit: "times as fast as it was" };
/// A share of a whole.
pub const RATIO: Bound = Bound { low: 0.0, high: 1.0, unit: "of the whole" };
/// A weight of the score: only its share of all four counts.
pub const WEIGHT: Bound = Bound { low: 0.0, high: 1_000_000.0, unit: "as a weight" };
/// The distance at which the score's distance term is a half.
pub const DISTANCE_SCALE: Bound = Bound { low: 0.001, high: 10_000.0, unit: "km" };
/// A duration in seconds: a year, so that a moment plus a duration is always a moment.
pub const SECONDS: Bound = Bound { low: 0.0, high: 31_536_000.0, unit: "s" };

impl Bound {
    /// The number, if it is one and within the range.
    ///
    /// # Errors
    /// Says the range and its unit.
    pub fn read(&self, text: &str) -> Result<f64, String> {
        text.trim().parse().map_err(|_| self.to_string()).and_then(|number| self.check(number))
    }

    /// The number, if it is within the range; what is no number is in none.
    ///
    /// # Errors
    /// Says the range and its unit.
    pub fn check(&self, number: f64) -> Result<f64, String> {
        if (self.low..=self.high).contains(&number) { Ok(number) } else { Err(self.to_string()) }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a number from {} to {} {}", self.low, self.high, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for bound in [RUSH_RATE, LOAD_RATE, FLOW_RATE, SPEED, REPLAY_SPEED, RATIO, WEIGHT, DISTANCE_SCALE, SECONDS] {
            for text in ["nan", "inf", "-inf", "-1", "1e19", "1e-300x", "", "many"] {
                assert_eq!(bound.read(text), Err(bound.to_string()), "{text}");
            }
            assert_eq!(bound.check(bound.low), Ok(bound.low));
            assert_eq!(bound.check(bound.high), Ok(bound.high));
        }
        assert_eq!(LOAD_RATE.read("1e-300"), Err("a number from 0.001 to 1000000 orders a second".into()));
    }
}
