//! Bodies about decisions: how a kitchen is chosen, by which policy, and why.

use serde::{Deserialize, Serialize};

use crate::ids::{KitchenId, OrderId};
use crate::time::WallTime;

/// One kitchen in a decision; each factor is in 0..1, and the score is their weighted sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateView {
    /// Which.
    pub kitchen: KitchenId,
    /// Weighted sum.
    pub score: f64,
    /// Free places / capacity.
    pub load: f64,
    /// Share of the order's pieces in its specialties.
    pub specialty: f64,
    /// 1 / (1 + average completion time / time scale).
    pub time: f64,
    /// 1 / (1 + km / distance scale).
    pub distance: f64,
}

/// A kitchen that could not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedView {
    /// Which.
    pub kitchen: KitchenId,
    /// `dead`, `suspected`, `cordoned`, `draining`, `full`, `slow`, `held_down`, `stuck`, `ejected`, `failed_before`.
    pub why: String,
}

/// What another rule would have chosen from the same facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternativeView {
    /// `load only`, `distance only`, ...
    pub rule: String,
    /// Its choice.
    pub kitchen: KitchenId,
}

/// `GET /orders/{id}/explain`: the newest decision about the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The order.
    pub id: OrderId,
    /// When it was decided.
    pub at: WallTime,
    /// By which rule.
    pub algorithm: Algorithm,
    /// What was chosen.
    pub chosen: KitchenId,
    /// Best first; the best 8.
    pub candidates: Vec<CandidateView>,
    /// How many more could have been chosen.
    pub more_candidates: u32,
    /// The first 8 that could not.
    pub excluded: Vec<ExcludedView>,
    /// How many more could not.
    pub more_excluded: u32,
    /// What each single factor would have chosen among the candidates shown.
    pub alternatives: Vec<AlternativeView>,
    /// The weights that were used.
    pub weights: Weights,
}

/// How a kitchen is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The score of four factors.
    #[default]
    WeightedScore,
    /// One after the other.
    RoundRobin,
    /// One after the other, each as often as its capacity says (smooth).
    WeightedRoundRobin,
    /// The fewest orders in hand, by capacity.
    LeastConnections,
    /// The less loaded of two drawn at random.
    PowerOfTwoChoices,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::WeightedScore,
        Self::RoundRobin,
        Self::WeightedRoundRobin,
        Self::LeastConnections,
        Self::PowerOfTwoChoices,
    ];

    /// The word in JSON, flags and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WeightedScore => "weighted-score",
            Self::RoundRobin => "round-robin",
            Self::WeightedRoundRobin => "weighted-round-robin",
            Self::LeastConnections => "least-connections",
            Self::PowerOfTwoChoices => "power-of-two-choices",
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.word() == text);
        let known = || Self::ALL.map(Self::word).join(", ");
        found.ok_or_else(|| format!("`{}` is not a policy: {}", crate::text::clean(text, 30), known()))
    }
}

/// The weights of the four factors; any non-negative numbers, used as shares of their sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Free places.
    pub load: f64,
    /// Specialty.
    pub specialty: f64,
    /// Completion time.
    pub time: f64,
    /// Distance.
    pub distance: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { load: 0.4, specialty: 0.3, time: 0.2, distance: 0.1 }
    }
}

/// `GET /policy`: everything that can be tuned while orders flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyView {
    /// How a kitchen is chosen.
    pub algorithm: Algorithm,
    /// For the weighted score.
    pub weights: Weights,
    /// The time scale; absent: the fleet's median completion time.
    pub time_scale_ms: Option<u64>,
    /// The distance scale.
    pub distance_scale_km: f64,
    /// A kitchen above this gives orders away ...
    pub overload_threshold: f64,
    /// ... until it is below this.
    pub calm_threshold: f64,
    /// Only kitchens below this are targets.
    pub available_threshold: f64,
    /// Orders per source and cycle.
    pub max_migrations_per_cycle: u32,
    /// Between two looks at the thresholds.
    pub cycle_ms: u64,
    /// An order stays this long before it is moved.
    pub min_stay_ms: u64,
    /// An order is moved automatically at most so often.
    pub max_hops: u32,
    /// Whether overload moves orders.
    pub migrate: bool,
    /// Whether an idle station takes waiting orders from elsewhere.
    pub steal: bool,
    /// Whether a drain hands over orders that are being cooked.
    pub handover: bool,
    /// The source of a handover runs to its next checkpoint, or so long.
    pub handover_max_wait_ms: u64,
    /// An order that would wait longer than this for a station is refused at the door; high priority: twice as long.
    /// 0: the line is bounded only by its length.
    pub max_wait_ms: u64,
}

impl Default for PolicyView {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::WeightedScore,
            weights: Weights::default(),
            time_scale_ms: None,
            distance_scale_km: 5.0,
            overload_threshold: 0.9,
            calm_threshold: 0.7,
            available_threshold: 0.5,
            max_migrations_per_cycle: 2,
            cycle_ms: 500,
            min_stay_ms: 500,
            max_hops: 3,
            migrate: true,
            steal: true,
            handover: true,
            handover_max_wait_ms: 2_000,
            max_wait_ms: 4_000,
        }
    }
}

/// `PUT /policy`: what is named changes, the rest stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is the field of the same name in PolicyView")]
pub struct PolicyChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// `null` for the median.
    #[serde(skip_serializing_if = "Option::is_none", with = "double")]
    pub time_scale_ms: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_scale_km: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overload_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calm_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_migrations_per_cycle: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_stay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steal: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover_max_wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait_ms: Option<u64>,
}

/// Tells an absent field from `null`.
mod double {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Option<u64>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.flatten().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
        Option::<u64>::deserialize(deserializer).map(Some)
    }
}
