//! HTTP bodies under `/api/v1`, as both sides see them.
//!
//! Times are RFC 3339 UTC, durations `*_ms`, ratios 0 to 1. A field that is absent is unknown or does not apply.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, FencingToken, KitchenId, OrderId, Position};
use crate::order::{OrderState, Priority};
use crate::time::WallTime;

/// The prefix of every path here.
pub const PREFIX: &str = "/api/v1";
/// The header of an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header, `true`, of an answer that repeats an earlier one.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// The header with the operator's name, recorded with every operator action.
pub const OPERATOR: &str = "chef-operator";
/// The header with the operator's reason.
pub const REASON: &str = "chef-reason";

/// So many of one dish, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemBody {
    /// The dish's name.
    pub dish: String,
    /// 1 to 100; 1 if absent.
    #[serde(default = "one")]
    pub quantity: u16,
}

fn one() -> u16 {
    1
}

/// `POST /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// 1 to 16 dishes.
    pub items: Vec<ItemBody>,
    /// Where it goes.
    pub zone: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How urgent.
    #[serde(default)]
    pub priority: Priority,
    /// The idempotency key; in a batch here, for a single order in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `POST /orders/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceBatch {
    /// At most 1,000.
    pub orders: Vec<PlaceOrder>,
}

/// The answer to an accepted order: what was true when it became durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The order.
    pub id: OrderId,
    /// Queued or already leased; for a repeated request, as it is now.
    pub state: OrderState,
    /// Who has it.
    pub kitchen: Option<KitchenId>,
    /// The number of the try; 0 while it has had none.
    pub attempt: u16,
    /// The newest right.
    pub token: Option<FencingToken>,
    /// When it was accepted.
    pub placed_at: WallTime,
    /// Where its acceptance stands in the ledger.
    pub position: Position,
}

/// One entry of a batch's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchResult {
    /// It is in.
    Placed(Receipt),
    /// It is not.
    Refused(Problem),
}

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResults {
    /// In the sequence of the request.
    pub results: Vec<BatchResult>,
}

/// RFC 9457, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs: `unknown_dish`, `idempotency_conflict`, ...
    pub code: String,
    /// For people: the kind of problem.
    pub title: String,
    /// For people: the cause and the mend.
    pub detail: String,
    /// When it is worth trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// How an order came to a kitchen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    /// First choice.
    Dispatch,
    /// Moved before it was started.
    Reassign,
    /// Moved in mid-cooking, with its checkpoint.
    Handover,
    /// Its kitchen was lost.
    Recover,
    /// Its attempt failed and it is tried again.
    Retry,
}

impl HopKind {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Reassign => "reassign",
            Self::Handover => "handover",
            Self::Recover => "recover",
            Self::Retry => "retry",
        }
    }
}

/// One kitchen on an order's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopView {
    /// Where.
    pub kitchen: KitchenId,
    /// With which right.
    pub token: FencingToken,
    /// How it came there.
    pub kind: HopKind,
    /// `overload`, `idle_station`, `operator`, `drain`, `lease_expired`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long nobody had it, for a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// When.
    pub at: WallTime,
}

/// Where in its stages an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageView {
    /// How many are done.
    pub done: u8,
    /// How many there are.
    pub of: u8,
    /// The stage being cooked or next; the last one when all are done.
    pub name: String,
    /// Whether it may be broken off.
    pub interruptible: bool,
}

/// `GET /orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// The order.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// Who has it, or had it last.
    pub kitchen: Option<KitchenId>,
    /// The number of the try.
    pub attempt: u16,
    /// The newest right.
    pub token: Option<FencingToken>,
    /// When it was accepted.
    pub placed_at: WallTime,
    /// Where its acceptance stands in the ledger.
    pub position: Position,
    /// What was asked for.
    pub items: Vec<ItemBody>,
    /// Where it goes.
    pub zone: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How urgent.
    pub priority: Priority,
    /// Its progress.
    pub stage: StageView,
    /// Its way, oldest first; the first 16.
    pub hops: Vec<HopView>,
    /// When it ended, in whichever way.
    pub completed_at: Option<WallTime>,
    /// Output of the last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// `GET /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPage {
    /// Newest first.
    pub orders: Vec<OrderView>,
    /// Pass as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
    /// Ledger position of this page.
    pub position: Position,
}

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Where in the ledger.
    pub position: Position,
    /// Under which leader.
    pub epoch: Epoch,
    /// When.
    pub at: WallTime,
    /// `accepted`, `leased`, `started`, `stage_done`, `completed`, ...
    pub event: String,
    /// The rest of it, for people.
    pub detail: String,
}

/// `GET /orders/{id}/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The order.
    pub id: OrderId,
    /// Oldest first.
    pub events: Vec<HistoryEvent>,
}

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
    /// `dead`, `suspected`, `cordoned`, `draining`, `full`, `lost_it_before`.
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

/// Whether a kitchen may be given orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedulable {
    /// Yes.
    #[default]
    Open,
    /// No new ones.
    Cordoned,
    /// No new ones, and what it holds leaves.
    Draining,
    /// It said goodbye.
    Retired,
}

impl Schedulable {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }
}

/// What the signs of life say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Heard within two heartbeats.
    Alive,
    /// Silent, its leases not yet over.
    Suspected,
    /// Silent for a lease, or its process is known to have ended.
    Dead,
}

impl Health {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspected => "suspected",
            Self::Dead => "dead",
        }
    }
}

/// `GET /kitchens/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KitchenView {
    /// Its id.
    pub id: KitchenId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub zone: String,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Dishes it is good at.
    pub specialties: Vec<String>,
    /// Whether it may be given orders.
    pub schedulable: Schedulable,
    /// What the signs of life say.
    pub health: Health,
    /// Since the last sign of life; absent if it was never heard under this leader.
    pub last_heard_ms: Option<u64>,
    /// Until its leases are over if it stays silent; absent when dead.
    pub lease_left_ms: Option<u64>,
    /// Held / capacity.
    pub load: f64,
    /// Held and not started.
    pub queued: u32,
    /// Being cooked.
    pub cooking: u32,
    /// Of those, in a stage that cannot be broken off.
    pub in_the_oven: u32,
    /// Since the ledger began.
    pub completed: u64,
    /// Failed attempts since the ledger began.
    pub failed: u64,
    /// Leases that ran out here since the ledger began.
    pub lost_leases: u64,
    /// Average time from the start of an attempt to completion; absent before the first.
    pub avg_ms: Option<u64>,
    /// When its health last changed for good (registered, or lost).
    pub since: WallTime,
}

/// `GET /kitchens`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kitchens {
    /// By number of registration.
    pub kitchens: Vec<KitchenView>,
    /// Ledger position of this picture.
    pub position: Position,
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

/// How a move ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveResult {
    /// The source has been asked.
    InFlight,
    /// Done.
    Done,
    /// The source had begun; the order stays.
    Refused,
    /// No answer in time; the order stays.
    TimedOut,
    /// Not tried, with its reason.
    Skipped,
}

impl MoveResult {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
        }
    }
}

/// One migration, or one that was considered and skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationView {
    /// When it ended, began, or was skipped.
    pub at: WallTime,
    /// The order; absent where a skip concerns a whole kitchen.
    pub order: Option<OrderId>,
    /// The source.
    pub from: KitchenId,
    /// The target; absent where none was found.
    pub to: Option<KitchenId>,
    /// Reassign or handover.
    pub kind: HopKind,
    /// `overload`, `idle_station`, `operator`, `drain`, and for a skip why.
    pub reason: String,
    /// How long nobody had the order.
    pub pause_ms: Option<u64>,
    /// How it ended.
    pub result: MoveResult,
}

/// `GET /migrations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// Newest first.
    pub migrations: Vec<MigrationView>,
}

/// `POST /orders/{id}/migrate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrateTo {
    /// The target.
    pub to: KitchenId,
}

/// `POST /kitchens/{id}/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// After this the rest is recovered elsewhere; 30 s if absent.
    pub deadline_ms: Option<u64>,
    /// Also when the rest of the fleet has no room.
    pub force: bool,
}

/// `POST /rush`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRush {
    /// Orders a second, 0.1 to 100,000; arrivals are a Poisson stream and wait for nobody.
    pub rate: f64,
    /// Seconds, 1 to 3,600.
    pub for_s: u64,
    /// All zones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// `GET /rush`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RushView {
    /// Orders a second.
    pub rate: f64,
    /// Where; all zones if absent.
    pub zone: Option<String>,
    /// How long it still lasts.
    pub left_ms: u64,
    /// Orders it has made.
    pub placed: u64,
    /// Orders of it that were shed.
    pub shed: u64,
}

/// `GET /proof`: one fold of the ledger at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proof {
    /// Folded up to here.
    pub position: Position,
    /// Under this leader.
    pub epoch: Epoch,
    /// Orders acknowledged, ever.
    pub accepted: u64,
    /// Orders in the table that are not ended: counted there, not computed from the others.
    pub open: u64,
    /// Ended by cooking.
    pub completed: u64,
    /// Ended by cancelling.
    pub cancelled: u64,
    /// Set aside.
    pub dead_lettered: u64,
    /// accepted - open - completed - cancelled - dead_lettered: must be 0.
    pub lost: i64,
    /// Completions beyond the first of an order: must be 0.
    pub twice: u64,
    /// Late results refused.
    pub stale_refused: u64,
}

impl Proof {
    /// Whether the promise holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lost == 0 && self.twice == 0
    }
}

/// Kitchens by health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is a health")]
pub struct HealthCounts {
    pub alive: u32,
    pub suspected: u32,
    pub dead: u32,
}

/// Key figures; rates and percentiles over the last 10 s.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Kpi {
    /// Accepted orders a second.
    pub accepted_per_s: f64,
    /// Completed orders a second.
    pub completed_per_s: f64,
    /// Median time from acceptance to completion; absent if none completed.
    pub p50_ms: Option<u64>,
    /// 99 in 100 were faster.
    pub p99_ms: Option<u64>,
    /// Mean / maximum utilisation over the open kitchens; absent when all are empty.
    pub load_balance_efficiency: Option<f64>,
    /// Migrations done / tried since the ledger began; absent before the first.
    pub migration_success_ratio: Option<f64>,
    /// Alive capacity / all capacity.
    pub availability: f64,
}

/// A balancer as it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerView {
    /// Its id.
    pub id: String,
    /// `leader` or `standby`.
    pub role: String,
    /// Its process.
    pub pid: u32,
}

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The city's name.
    pub city: String,
    /// The leader.
    pub leader: BalancerView,
    /// The others.
    pub standbys: Vec<BalancerView>,
    /// The leader's reign.
    pub epoch: Epoch,
    /// The ledger's end.
    pub position: Position,
    /// Of the leader's process.
    pub uptime_ms: u64,
    /// By health.
    pub kitchens: HealthCounts,
    /// The proof at this position.
    pub proof: Proof,
    /// Key figures.
    pub kpi: Kpi,
    /// The rush that runs.
    pub rush: Option<RushView>,
    /// Of the balancer.
    pub version: String,
}
