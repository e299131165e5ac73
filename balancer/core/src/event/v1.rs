//! Shapes that older releases wrote into the ledger, and how they are read today. Never written any more.

use protocol::api::{Algorithm, PolicyView, Weights};
use serde::{Deserialize, Serialize};

/// The policy before handover and the bound on waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the field of the same name in PolicyView")]
pub struct PolicyV1 {
    pub algorithm: Algorithm,
    pub weights: Weights,
    pub time_scale_ms: Option<u64>,
    pub distance_scale_km: f64,
    pub overload_threshold: f64,
    pub calm_threshold: f64,
    pub available_threshold: f64,
    pub max_migrations_per_cycle: u32,
    pub cycle_ms: u64,
    pub min_stay_ms: u64,
    pub max_hops: u32,
    pub migrate: bool,
    pub steal: bool,
}

impl From<&PolicyV1> for PolicyView {
    fn from(old: &PolicyV1) -> Self {
        Self {
            algorithm: old.algorithm,
            weights: old.weights,
            time_scale_ms: old.time_scale_ms,
            distance_scale_km: old.distance_scale_km,
            overload_threshold: old.overload_threshold,
            calm_threshold: old.calm_threshold,
            available_threshold: old.available_threshold,
            max_migrations_per_cycle: old.max_migrations_per_cycle,
            cycle_ms: old.cycle_ms,
            min_stay_ms: old.min_stay_ms,
            max_hops: old.max_hops,
            migrate: old.migrate,
            steal: old.steal,
            ..Self::default()
        }
    }
}
