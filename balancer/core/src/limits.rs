//! Every bound of the core in one place: name, unit, default and reason.
//!
//! Beyond a bound the answer is a refusal with a time to come back, never silence and never an acknowledgement.

use std::time::Duration;

/// Orders that are not ended. A million take about 0.4 GB, and a restart replays them in a second.
pub const OPEN_ORDERS_MAX: usize = 1_000_000;

/// Orders that wait at the balancer for a free place. At 1,000 completions a second the last one waits 200 s: beyond
/// that an honest "come back later" helps more than a longer line.
pub const QUEUE_MAX: usize = 200_000;

/// The share of [`QUEUE_MAX`], in percent, that normal orders may fill; the rest is for high priority.
pub const QUEUE_NORMAL_PERCENT: usize = 90;

/// What a shed client is told to wait: about the time in which a full line moves on noticeably.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Ended orders that stay in memory, for their page and for their idempotency key. About 50 MB; older ones are in the
/// ledger only.
pub const CLOSED_KEPT: usize = 100_000;

/// Kitchens in one city, alive or not: what routing, feed and screens are measured with.
pub const KITCHENS_MAX: usize = 10_000;

/// Hops of one order that are kept for its page; later ones are counted in its attempt and stand in the ledger.
pub const HOPS_KEPT: usize = 16;

/// Moves, done and failed, that `GET /migrations` can show.
pub const MIGRATIONS_KEPT: usize = 1_000;

/// Skipped moves that are remembered with their reason.
pub const SKIPS_KEPT: usize = 256;

/// The same skip of the same kitchen is said again after this long.
pub const SKIP_REPEAT: Duration = Duration::from_secs(5);

/// Decisions that can still be explained, by order id. 16,384 of 0.3 kB each.
pub const DECISIONS_KEPT: usize = 16_384;

/// Candidates and excluded kitchens in one explanation: what fits on a page.
pub const EXPLAINED_MAX: usize = 8;

/// Failed or lost attempts after which an order is set aside: two can be bad luck, the third is the order.
pub const STRIKES_MAX: u8 = 3;

/// Moves that wait for their source at one time.
pub const MOVES_IN_FLIGHT_MAX: usize = 256;

/// A source that has not answered a release by now keeps the order. Far above a round trip, below a lease.
pub const RELEASE_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Between two looks at silent kitchens, waiting stations and unanswered releases: a third of a heartbeat.
pub const TICK: Duration = Duration::from_millis(100);

/// Silence after which a kitchen is shown as suspected: two missed heartbeats and half of the next.
pub const SUSPECT_HEARTBEATS: f64 = 2.5;

/// From this many kitchens on the index beats the scan (40 ns against 92 ns at 100 kitchens, and it stays flat).
pub const INDEX_FROM: usize = 100;

/// Waiting orders that a free station looks at, per dish, before it gives up until the next tick.
pub const STEAL_LOOKS: usize = 8;

/// Orders that a rush makes in one turn; what is due beyond that is made in the next.
pub const RUSH_BURST_MAX: usize = 1_000;

/// A drain without a deadline of its own recovers what is left after this long.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);
