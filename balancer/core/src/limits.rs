//! Every bound of the core in one place: name, unit, default and reason.
//!
//! Beyond a bound the answer is a refusal with a time to come back, never silence and never an acknowledgement.

use std::time::Duration;

/// Orders that are not ended, and orders in quarantine: both stay in memory until somebody ends them. A million take about
/// 0.4 GB, and a restart replays them in a second.
pub const OPEN_ORDERS_MAX: usize = 1_000_000;

/// Orders that wait at the balancer for a free place. At 1,000 completions a second the last one waits 200 s: beyond
/// that an honest "come back later" helps more than a longer line.
pub const QUEUE_MAX: usize = 200_000;

/// The share of [`QUEUE_MAX`], in percent, that normal orders may fill; the rest is for high priority.
pub const QUEUE_NORMAL_PERCENT: usize = 90;

/// What a shed client is told to wait: about the time in which a full line moves on noticeably.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Completed and cancelled orders that stay in memory, for their page: about 50 MB. The page of an older one comes from the
/// projection, and its key from the book of keys; nothing that is promised rests on this number.
pub const CLOSED_KEPT: usize = 100_000;

/// How long a key is remembered from its order's acceptance on, unless the leader is told otherwise: longer than any client
/// should try the same request again.
pub const KEY_WINDOW: Duration = Duration::from_secs(3_600);

/// Orders in quarantine from which on it is an alert that they fill the place of open ones: a tenth of it.
pub const QUARANTINE_ALERT: usize = OPEN_ORDERS_MAX / 10;

/// Kitchens in one city, alive or not: what routing, feed and screens are measured with.
pub const KITCHENS_MAX: usize = 10_000;

/// A kitchen that has been lost for so long no longer counts towards [`KITCHENS_MAX`]: autoscaling gives each new one a
/// name of its own, and its numbers are never reused.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// Kitchens in one ledger, however long they have been lost: about 100 MB, and what every tick looks at.
pub const KITCHENS_KEPT: usize = 4 * KITCHENS_MAX;

/// Hops of one order that are kept for its page; later ones are counted in its attempt and stand in the ledger.
pub const HOPS_KEPT: usize = 16;

/// The most cooking time that one lost attempt counts as wasted, in milliseconds: no stage is longer than an hour.
pub const WASTED_MAX_MS: u64 = 3_600_000;

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

/// Moves that wait for their source or their target at one time.
pub const MOVES_IN_FLIGHT_MAX: usize = 256;

/// A source that has not answered a release by now keeps the order. Far above a round trip, below a lease.
pub const RELEASE_TIMEOUT: Duration = Duration::from_millis(1_000);

/// A target that has not answered by now keeps no place: as long as a release may take.
pub const RESERVE_TIMEOUT: Duration = RELEASE_TIMEOUT;

/// A source that has not paused so long after it had to breaks its order off no more: as long as a release may take.
pub const PAUSE_TIMEOUT: Duration = RELEASE_TIMEOUT;

/// A target keeps the place so much longer than the balancer waits for everybody's answer: for the sync of the new lease.
pub const RESERVED_BEYOND: Duration = Duration::from_millis(1_000);

/// An order whose handover was refused is asked for again after this long, or once its stage has changed.
pub const HANDOVER_RETRY: Duration = Duration::from_millis(1_000);

/// What a move costs the order in waiting, in milliseconds: a round trip to the source and one to the target, with a sync
/// between them. A gain below that is none.
pub const MOVE_COST_MS: u64 = 50;

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

/// The longest deadline of a drain: a day. Beyond it a kitchen is not being emptied.
pub const DRAIN_DEADLINE_MAX: Duration = Duration::from_secs(86_400);

/// Orders that are on their way for drains at one time, in the whole fleet: a drain must not make an ordinary evening a
/// storm of moves, and 16 at a round trip each empty the largest kitchen in seconds.
pub const DRAIN_MOVES_MAX: usize = 16;

/// With fewer living kitchens than this, most of them silent at once is no coincidence worth doubting ourselves for.
pub const BRAKE_KITCHENS: u32 = 3;

/// While the brake is on, one in so many kitchens is given up in each lease time.
pub const BRAKE_SHARE: u32 = 10;

/// Called so many heartbeats later than planned, the core takes the silence for its own. Below that heartbeats that were
/// not read in time cannot add up to a lease: 0.3 s to the last one, 0.6 s, and 0.6 s to spare.
pub const LAG_HEARTBEATS: u32 = 2;

/// A dead kitchen counts as a part of the fleet for so long: after ten minutes nobody waits for it any more.
pub const MISSED_FOR: Duration = Duration::from_secs(600);

/// In which the places of a returning kitchen grow to all of them: about one order's cooking time.
pub const WARM_UP: Duration = Duration::from_secs(3);

/// With how much of them it begins.
pub const WARM_UP_FROM_PERCENT: u32 = 10;

/// Losses within [`FLAP_WINDOW`] that make a flapping kitchen: two can be a restart and its mishap.
pub const FLAPS: usize = 3;

/// See [`FLAPS`].
pub const FLAP_WINDOW: Duration = Duration::from_secs(60);

/// How long a flapping kitchen must be steady; each relapse doubles it.
pub const HOLD_DOWN: Duration = Duration::from_secs(5);

/// The longest hold-down.
pub const HOLD_DOWN_MAX: Duration = Duration::from_secs(60);

/// Between two looks at how fast kitchens cook: a breaker is no matter of milliseconds, and the medians cost a sort.
pub const PACE_EVERY: Duration = Duration::from_secs(1);

/// Completed orders after which a kitchen's pace says something, and over which it is averaged.
pub const PACE_ORDERS: u32 = 8;

/// Kitchens with a known pace below which there is no typical one.
pub const PACE_KITCHENS: usize = 3;

/// A kitchen is slow at so many times the typical pace: the built-in kitchens differ by less than two.
pub const SLOW_TIMES: u64 = 3;

/// And only if it costs an order so much, in milliseconds: below it a ratio is noise.
pub const SLOW_MIN_MS: u64 = 500;

/// An order cooked in less than so many times the typical pace closes the breaker.
pub const NORMAL_TIMES: u64 = 2;

/// Plans below this, in milliseconds, are not compared with: "0 ms" means that the menu does not know.
pub const PLANNED_MIN_MS: u64 = 50;

/// A kitchen is stuck when all it cooks has stood still for so many times a whole order's time ...
pub const STUCK_TIMES: u64 = 5;

/// ... and for at least so long.
pub const STUCK_MIN: Duration = Duration::from_secs(10);

/// Orders of a kitchen that are asked for their planned time, when it may be stuck.
pub const STUCK_LOOKS: usize = 16;

/// Waiting orders that leave a slow kitchen at one look.
pub const UNLOAD_ORDERS: usize = 4;

/// A slow kitchen gets a probe after this long; the wait doubles with each probe that does not close the breaker.
pub const PROBE_AFTER: Duration = Duration::from_secs(5);

/// The longest wait between two probes.
pub const PROBE_AFTER_MAX: Duration = Duration::from_secs(60);

/// While nobody cooks, the door goes on at the last rate for so long: a restart of all kitchens takes less, and what is
/// accepted beyond it may wait for nobody knows how long.
pub const OUTAGE: Duration = Duration::from_secs(10);

/// Where the line is bounded only by its length, a normal order ranks with high ones after so long: no time was promised,
/// but a stream of urgent orders must not keep it for ever.
pub const AGED_AFTER: Duration = Duration::from_secs(30);

/// The line may always be this long: below it a limit by waiting time would refuse what any small city takes in a moment.
/// Before the first kitchen, and after [`OUTAGE`] without any, it may not be longer.
pub const LINE_MIN: usize = 64;

/// A simulated stage may take so many times the menu's time at its kitchen's speed: above what two clocks can differ by.
pub const STAGE_TIMES: u64 = 3;

/// No stage has to be done sooner, and no order has to be started sooner where a station is free: a stop of a process or a
/// collection of garbage is no hang.
pub const STAGE_LIMIT_MIN: Duration = Duration::from_secs(10);

/// The longest limit, whatever an agent says of its speed or its commands: a day. Beyond it nobody waits for a dinner.
pub const STAGE_LIMIT_MAX: Duration = Duration::from_secs(86_400);

/// How much longer than its agent the balancer waits for a command: the agent ends it and says so first.
pub const STAGE_GRACE: Duration = Duration::from_secs(2);

/// A stage that was asked to pause for a handover which then did not happen may take so many times longer: the order may
/// have to wait for a station until another one is done.
pub const PAUSED_TIMES: u32 = 4;

/// What an order waits for after its first failed attempt, at most; half of it at least. Noticeably above a round trip, so
/// that whatever was wrong can pass, and below what a customer notices.
pub const BACK_OFF: Duration = Duration::from_millis(500);

/// How often that doubles: with each strike but the first. There are never more than [`STRIKES_MAX`].
pub const BACK_OFF_DOUBLINGS: u8 = STRIKES_MAX;

/// For so long an order looks for a kitchen in which no attempt of it went wrong, though another one is free: longer than
/// most orders take, so that a place may become free elsewhere.
pub const ELSEWHERE_FIRST: Duration = Duration::from_secs(5);

/// How often it looks.
pub const ELSEWHERE_AGAIN: Duration = Duration::from_millis(250);

/// The last attempts of a kitchen that count.
pub const OUTCOMES: u32 = 10;

/// With fewer failures among them no kitchen is ejected: fewer can be chance, or the orders.
pub const EJECT_FAILURES: u32 = 5;
