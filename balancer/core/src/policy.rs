//! The policy as routing uses it: checked, and in whole numbers.
//!
//! ```text
//! score = 0.4 load + 0.3 specialty + 0.2 time + 0.1 distance        every term in [0, 1]
//!   load      = free places / capacity
//!   specialty = pieces of the order in the kitchen's specialties / all pieces
//!   time      = 1 / (1 + average cooking time / time scale)
//!   distance  = 1 / (1 + km between the zones / distance scale)
//! ```
//!
//! Terms are parts of [`ONE`] and weights parts of [`WEIGHT_SUM`], so sums are exact: scan, index and every machine agree
//! to the last bit. Floats would round `a + b` and `a + c` to the same sum and break a tie in one of them only.

use protocol::api::{PolicyView, Weights};
use protocol::bounds;

/// A term of 1: 20 bits, so that the largest weighted sum (2^20 * 10^4) is far from overflow in 64 bits.
pub const ONE: u64 = 1 << 20;

/// What the weights add up to, but for rounding.
pub const WEIGHT_SUM: u64 = 10_000;

/// A weighted sum of terms.
pub type Score = u64;

/// Weights as shares of [`WEIGHT_SUM`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a factor of the score")]
pub struct Shares {
    pub load: u64,
    pub specialty: u64,
    pub time: u64,
    pub distance: u64,
}

impl From<Weights> for Shares {
    fn from(weights: Weights) -> Self {
        let sum = weights.load + weights.specialty + weights.time + weights.distance;
        let share = |weight: f64| ratio(weight, sum, WEIGHT_SUM);
        Self {
            load: share(weights.load),
            specialty: share(weights.specialty),
            time: share(weights.time),
            distance: share(weights.distance),
        }
    }
}

/// `part / whole` in units of `1 / unit`, rounded; 0 when the whole is 0.
fn ratio(part: f64, whole: f64, unit: u64) -> u64 {
    if whole > 0.0 { (part / whole * unit as f64).round() as u64 } else { 0 }
}

/// Free places as a term.
#[must_use]
pub fn load_term(free: u32, capacity: u32) -> u64 {
    (u64::from(free) * ONE / u64::from(capacity.max(1))).min(ONE)
}

/// The share of an order's pieces as a term.
#[must_use]
pub fn specialty_term(good: u32, all: u32) -> u64 {
    u64::from(good) * ONE / u64::from(all.max(1))
}

/// A time against its scale, both in milliseconds, as a term.
#[must_use]
pub fn time_term(avg_ms: u32, scale_ms: u64) -> u64 {
    let scale = scale_ms.max(1);
    ONE * scale / (scale + u64::from(avg_ms))
}

/// A distance against its scale as a term.
#[must_use]
pub fn distance_term(km: f64, scale_km: f64) -> u64 {
    let metres = (km * 1_000.0).round() as u64;
    let scale = ((scale_km * 1_000.0).round() as u64).max(1);
    ONE * scale / (scale + metres)
}

/// Checks what an operator wants to set.
///
/// # Errors
/// Says which field cannot be and what would be right.
pub fn check(policy: &PolicyView) -> Result<(), String> {
    let weights = policy.weights;
    let each = [weights.load, weights.specialty, weights.time, weights.distance];
    if each.iter().any(|weight| bounds::WEIGHT.check(*weight).is_err()) || each.iter().sum::<f64>() <= 0.0 {
        return Err("weights must be 0 to 1000000, and at least one above 0".into());
    }
    let ratios = [
        ("overload_threshold", policy.overload_threshold),
        ("calm_threshold", policy.calm_threshold),
        ("available_threshold", policy.available_threshold),
    ];
    if let Some((name, _)) = ratios.iter().find(|(_, ratio)| bounds::RATIO.check(*ratio).is_err()) {
        return Err(format!("{name} must be 0 to 1"));
    }
    if !(policy.available_threshold <= policy.calm_threshold && policy.calm_threshold <= policy.overload_threshold) {
        return Err("thresholds must rise: available_threshold, calm_threshold, overload_threshold".into());
    }
    if let Err(bound) = bounds::DISTANCE_SCALE.check(policy.distance_scale_km) {
        return Err(format!("distance_scale_km must be {bound}"));
    }
    if policy.time_scale_ms.is_some_and(|scale| !(1..=86_400_000).contains(&scale)) {
        return Err("time_scale_ms must be 1 to 86400000, or null for the fleet's median".into());
    }
    if !(50..=3_600_000).contains(&policy.cycle_ms) {
        return Err("cycle_ms must be 50 to 3600000".into());
    }
    if policy.min_stay_ms > 3_600_000 || policy.max_hops > 100 || policy.max_migrations_per_cycle > 1_000 {
        return Err("min_stay_ms is at most 3600000, max_hops 100, max_migrations_per_cycle 1000".into());
    }
    if policy.max_wait_ms > 3_600_000 || policy.handover_max_wait_ms > 60_000 {
        return Err("max_wait_ms is at most 3600000, and 0 for no limit; handover_max_wait_ms is at most 60000".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_span_zero_to_one_and_weights_are_shares() {
        assert_eq!(load_term(0, 10), 0);
        assert_eq!(load_term(10, 10), ONE);
        assert_eq!(time_term(0, 1_000), ONE);
        assert_eq!(time_term(1_000, 1_000), ONE / 2);
        assert_eq!(distance_term(5.0, 5.0), ONE / 2);
        assert_eq!(specialty_term(1, 2), ONE / 2);
        let doubled = Weights { load: 0.8, specialty: 0.6, time: 0.4, distance: 0.2 };
        assert_eq!(Shares::from(doubled), Shares::from(Weights::default()));
        assert_eq!(
            Shares::from(Weights::default()),
            Shares { load: 4_000, specialty: 3_000, time: 2_000, distance: 1_000 }
        );
    }

    #[test]
    fn impossible_policies_are_refused_with_the_field() {
        let bad = |change: fn(&mut PolicyView)| {
            let mut policy = PolicyView::default();
            change(&mut policy);
            check(&policy).expect_err("refused")
        };
        assert!(check(&PolicyView::default()).is_ok());
        assert!(bad(|policy| policy.weights.load = f64::NAN).contains("weights"));
        assert!(bad(|policy| policy.overload_threshold = 1.5).contains("overload_threshold"));
        assert!(bad(|policy| policy.available_threshold = 0.8).contains("must rise"));
        assert!(bad(|policy| policy.cycle_ms = 0).contains("cycle_ms"));
        assert!(bad(|policy| policy.max_wait_ms = 3_600_001).contains("max_wait_ms"));
        assert!(bad(|policy| policy.handover_max_wait_ms = 60_001).contains("handover_max_wait_ms"));
    }
}
