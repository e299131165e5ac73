//! Every error as RFC 9457: the one place that gives a refusal its status and its stable code.

use std::time::Duration;

use balancer_core::Refused;
use balancer_core::limits;
use hyper::Method;
use protocol::KitchenId;
use protocol::api::Problem;
use protocol::text::clean;

use crate::hub::{NoAnswer, NoKey};

fn problem(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Problem {
    Problem {
        kind: "about:blank".into(),
        status,
        code: code.into(),
        title: title.into(),
        detail: detail.into(),
        retry_after_ms: None,
    }
}

/// Up to as long again is drawn on top, so that those who were refused together do not come back together.
fn later(mut problem: Problem, wait: Duration) -> Problem {
    let spread = wait.mul_f64(1.0 + fastrand::f64());
    problem.retry_after_ms = u64::try_from(spread.as_millis()).ok();
    problem
}

/// When something ends is known: not before then, and soon after.
fn exactly(mut problem: Problem, wait: Duration) -> Problem {
    let spread = wait + limits::RETRY_AFTER.mul_f64(fastrand::f64());
    problem.retry_after_ms = u64::try_from(spread.as_millis()).ok();
    problem
}

/// A refusal of the core.
pub(super) fn refused(why: &Refused) -> Problem {
    let detail = why.to_string();
    let is = |status, code, title| problem(status, code, title, detail.clone());
    match why {
        Refused::QueueFull { .. } => later(is(503, "queue_full", "The line is full"), limits::RETRY_AFTER),
        Refused::TooManyOpen { .. } => later(is(503, "too_many_open", "Too many open orders"), limits::RETRY_AFTER),
        Refused::IdempotencyConflict { .. } => is(422, "idempotency_conflict", "The key belongs to another order"),
        Refused::NoSuchOrder(_) => is(404, "no_such_order", "No such order"),
        Refused::NoSuchKitchen(_) => is(404, "no_such_kitchen", "No such kitchen"),
        Refused::AlreadyEnded { .. } => is(409, "already_ended", "The order has ended"),
        Refused::NotInAKitchen { .. } => is(409, "not_in_a_kitchen", "The order is in no kitchen"),
        Refused::AlreadyThere { .. } => is(409, "already_there", "The order is there already"),
        Refused::AlreadyCooking { .. } => is(409, "already_cooking", "The order is being cooked"),
        Refused::MoveInFlight { .. } => is(409, "move_in_flight", "The order is being moved"),
        Refused::TooManyMoves { .. } => later(is(429, "too_many_moves", "Too many moves"), limits::RELEASE_TIMEOUT),
        Refused::TargetUnfit { .. } => is(409, "target_unfit", "The target cannot take it"),
        Refused::SourceSilent { .. } => is(409, "source_silent", "The source does not answer"),
        Refused::TargetSilent { .. } => is(409, "target_silent", "The target does not answer"),
        Refused::Overtaken { .. } => is(409, "overtaken", "Something else came first"),
        Refused::NoRoomToDrain { .. } => is(409, "no_room_to_drain", "No room elsewhere"),
        Refused::NothingToChange { .. } => is(409, "nothing_to_change", "Nothing to change"),
        Refused::NoRush => is(404, "no_rush", "No rush is running"),
        Refused::LineTooLong { wait_ms, .. } => {
            let wait = Duration::from_millis((*wait_ms).min(5_000)).max(limits::RETRY_AFTER);
            later(is(503, "line_too_long", "The line is too long"), wait)
        }
        Refused::NobodyCooks { .. } => later(is(503, "line_too_long", "The line is too long"), Duration::from_secs(5)),
        Refused::DiskFull => later(is(503, "disk_full", "The ledger's disk is full"), limits::RETRY_AFTER),
        Refused::LedgerOlder => later(is(503, "ledger_older", "The ledger is an older copy"), limits::RETRY_AFTER),
        Refused::LedgerMoved => later(is(503, "ledger_moved", "The ledger was moved away"), limits::RETRY_AFTER),
        Refused::DiskSlow => later(is(503, "disk_slow", "The ledger's disk does not answer"), limits::RETRY_AFTER),
        Refused::NotInQuarantine { .. } => is(409, "not_in_quarantine", "The order is not in quarantine"),
        Refused::FinishesInPlace { .. } => is(409, "finishes_in_place", "The order finishes in place"),
        Refused::Panic => is(409, "panic", "Too little capacity is alive"),
        Refused::NotThatProcess { .. } => is(409, "not_that_process", "Another process cooks there"),
        Refused::BadPolicy(_) => is(422, "bad_policy", "The policy cannot be"),
    }
}

/// The key of an order that may be an old one: never a second order, so nothing was done.
pub(super) fn no_key(why: NoKey) -> Problem {
    match why {
        NoKey::Full(wait) => {
            let detail = "as many idempotency keys are remembered as there is room for: orders with new keys are taken once the oldest have ended";
            exactly(problem(503, "keys_full", "No room for another key", detail), wait)
        }
        NoKey::Behind => {
            let detail = "the keys of old orders are being read from the ledger: ask again with the same key";
            later(problem(503, "keys_behind", "Old keys are being read", detail), limits::RETRY_AFTER)
        }
        NoKey::Unreadable(error) => {
            let detail = format!(
                "the keys of old orders cannot be read ({}): ask again with the same key",
                clean(&error.to_string(), 200)
            );
            later(problem(503, "keys_unreadable", "Old keys cannot be read", detail), Duration::from_secs(5))
        }
        NoKey::NoAnswer(why) => no_answer(why),
    }
}

/// Why there is no answer.
pub(super) fn no_answer(why: NoAnswer) -> Problem {
    match why {
        NoAnswer::Stopping => stopping(),
        NoAnswer::Disk(why) => refused(&why),
    }
}

/// A body that is not JSON, or not of the right shape.
pub(super) fn malformed(error: &serde_json::Error) -> Problem {
    problem(400, "malformed_json", "The body cannot be read", clean(&error.to_string(), 200))
}

/// A web page, or a name that this balancer does not know as its own.
pub(super) fn foreign_origin(detail: impl Into<String>) -> Problem {
    problem(403, "foreign_origin", "Not from here", detail)
}

/// No host is named, or two are.
pub(super) fn bad_host(why: &str) -> Problem {
    problem(400, "bad_host", "The host cannot be read", format!("the header `host` {why}"))
}

/// A body of another kind: web pages may send those without being asked.
pub(super) fn not_json() -> Problem {
    let detail = "the body must be JSON and say so: curl needs -H 'content-type: application/json'";
    problem(415, "not_json", "Not JSON", detail)
}

/// A body where none is read.
pub(super) fn unexpected_body() -> Problem {
    problem(400, "unexpected_body", "No body is read here", "this path takes no body: it would be left out")
}

/// A query that is not read, or says something twice.
pub(super) fn bad_query(detail: impl Into<String>) -> Problem {
    invalid("bad_query", detail)
}

/// One key for many orders.
pub(super) fn key_on_batch() -> Problem {
    let detail = "a batch has no key of its own: give each order its own field `key`";
    problem(400, "idempotency_key_on_batch", "A key belongs to one order", detail)
}

/// Two keys for one order.
pub(super) fn key_twice(detail: &str) -> Problem {
    problem(400, "idempotency_key_twice", "Two keys for one order", detail)
}

/// A key where none is kept.
pub(super) fn key_misplaced() -> Problem {
    let detail = "only orders have an idempotency key: this request may be done twice, so look before you repeat it";
    problem(400, "idempotency_key_misplaced", "No key is kept here", detail)
}

/// A body over its limit.
pub(super) fn too_large(limit: usize) -> Problem {
    problem(
        413,
        "body_too_large",
        "The body is too large",
        format!("at most {limit} bytes: send fewer or smaller orders"),
    )
}

/// A body that did not arrive.
pub(super) fn body_timeout() -> Problem {
    problem(408, "body_timeout", "The body did not arrive", "the whole body must come within 10 s")
}

/// A connection that broke in the middle of a body.
pub(super) fn body_broken() -> Problem {
    problem(400, "body_broken", "The body broke off", "the connection ended before the body did")
}

/// A dish that is not on the menu.
pub(super) fn unknown_dish(name: &str) -> Problem {
    let detail = format!("`{}` is not on the menu of this city", clean(name, 48));
    problem(422, "unknown_dish", "Unknown dish", detail)
}

/// A zone that is not in the city.
pub(super) fn unknown_zone(name: &str) -> Problem {
    problem(422, "unknown_zone", "Unknown zone", format!("`{}` is not a zone of this city", clean(name, 48)))
}

/// A field with an impossible value.
pub(super) fn invalid(code: &str, detail: impl Into<String>) -> Problem {
    problem(422, code, "A value cannot be", detail)
}

/// Somebody speaks of others and does not share the data directory.
pub(super) fn not_shared() -> Problem {
    let detail =
        "only a process that shares this balancer's data directory may say so; it proves it with the secret there";
    problem(403, "not_shared", "Not of this directory", detail)
}

/// A death is told of a process whose connection is open.
pub(super) fn still_connected(kitchen: &KitchenId, pid: u32) -> Problem {
    let detail =
        format!("process {pid} of {kitchen} is said to have ended, and its connection is open: that is believed");
    problem(409, "kitchen_connected", "The kitchen is connected", detail)
}

/// An id that cannot be read.
pub(super) fn bad_id(error: &protocol::ids::BadId) -> Problem {
    problem(404, "bad_id", "Not an id", error.to_string())
}

/// An order whose decision is no longer remembered, or was never made.
pub(super) fn no_decision(detail: impl Into<String>) -> Problem {
    problem(404, "no_decision", "No decision to explain", detail)
}

/// No such path.
pub(super) fn not_found(path: &str) -> Problem {
    problem(404, "not_found", "Nothing here", format!("there is nothing at {}", clean(path, 100)))
}

/// The path is right, the method is not.
pub(super) fn method_not_allowed(method: &Method) -> Problem {
    problem(
        405,
        "method_not_allowed",
        "Not with this method",
        format!("{} does not apply here", clean(method.as_str(), 20)),
    )
}

/// A WebSocket path asked for without an upgrade.
pub(super) fn upgrade_required() -> Problem {
    problem(
        426,
        "upgrade_required",
        "A WebSocket is needed",
        "send HTTP/1.1 with `Upgrade: websocket`, a `Sec-WebSocket-Key` and `Sec-WebSocket-Version: 13`",
    )
}

/// The daemon is going down.
pub(super) fn stopping() -> Problem {
    let detail = "the balancer is shutting down; ask again with the same idempotency key";
    later(problem(503, "stopping", "Shutting down", detail), limits::RETRY_AFTER)
}

/// Nobody leads, and nobody came to lead while the request was parked; nothing was done.
pub(super) fn no_leader() -> Problem {
    let detail = "no balancer leads at the moment: nothing was done, ask again";
    later(problem(503, "no_leader", "Nobody leads", detail), limits::RETRY_AFTER)
}

/// The leader ended with a request under way that may not be done twice.
pub(super) fn unknown_outcome() -> Problem {
    let detail = "the leader ended before it answered; look whether it was done before you ask again";
    later(problem(503, "unknown_outcome", "The outcome is not known", detail), limits::RETRY_AFTER)
}

/// An old order that the projection does not show yet: it exists, so it must not be denied.
pub(super) fn history_behind(id: protocol::OrderId) -> Problem {
    let detail = format!("{id} was accepted; the history of old orders is being brought up to date");
    later(problem(503, "history_behind", "History is behind", detail), Duration::from_secs(5))
}

/// The table of what operators did cannot be read yet.
pub(super) fn actions_behind() -> Problem {
    let detail = "what operators did is in the ledger; the table of it is being brought up to date";
    later(problem(503, "history_behind", "History is behind", detail), Duration::from_secs(5))
}

/// As many connections bring orders as may.
pub(super) fn too_many_connections() -> Problem {
    let detail = "too many connections are open; this one takes operators' requests only";
    later(problem(503, "too_many_connections", "Too many connections", detail), limits::RETRY_AFTER)
}

/// There is no room in memory for a large body or answer.
pub(super) fn no_room() -> Problem {
    let detail = "too many large bodies and answers are on their way; ask for less, or later";
    later(problem(503, "no_room", "No room for it now", detail), limits::RETRY_AFTER)
}

/// As many pages are being made, and wait to be made, as may.
pub(super) fn too_many_pages() -> Problem {
    let detail = "too many pages are asked for at once; nothing was done, ask again";
    later(problem(503, "too_many_pages", "Too many pages", detail), limits::RETRY_AFTER)
}

/// A standby holds as many requests as it may.
pub(super) fn too_many_parked() -> Problem {
    let detail = "this standby holds as many requests for the leader as it may";
    later(problem(503, "too_many_parked", "Too many requests wait", detail), limits::RETRY_AFTER)
}

/// The ledger could not be read back for a page.
pub(super) fn unreadable(error: &impl std::fmt::Display) -> Problem {
    problem(500, "ledger_unreadable", "The ledger could not be read", clean(&error.to_string(), 300))
}
