//! The judge, on short ledgers that are sound or wrong in one way.

use balancer_core::event::{LossCause, MoveReason, Registered};
use balancer_core::input::Operator;
use protocol::Priority;
use protocol::city::ZoneNo;

use super::*;

fn token(counter: u64) -> FencingToken {
    FencingToken { epoch: Epoch(1), counter }
}

fn accepted(order: u64, key: Option<&str>) -> Event {
    Event::Accepted(Box::new(Accepted {
        order: OrderId(order),
        items: Vec::new(),
        zone: ZoneNo(0),
        customer: None,
        priority: Priority::Normal,
        key: key.map(Into::into),
        stages: 2,
        rush: false,
    }))
}

fn leased(order: u64, kitchen: u32, counter: u64, cause: Cause) -> Event {
    Event::Leased { order: OrderId(order), kitchen: KitchenNo(kitchen), token: token(counter), cause }
}

fn judge(events: Vec<Event>) -> Result<(), String> {
    let mut judge = Judge::default();
    let begin = Event::EpochStarted { epoch: Epoch(1) };
    let kitchens = (0..2).map(|number| {
        Event::KitchenRegistered(Box::new(Registered {
            kitchen: KitchenNo(number),
            id: format!("kitchen_{}", number + 1).parse().expect("an id"),
            name: String::new(),
            zone: ZoneNo(0),
            capacity: 1,
            stations: 1,
            specialties: Vec::new(),
            session: 1,
        }))
    });
    std::iter::once(begin).chain(kitchens).chain(events).try_for_each(|event| judge.event(Epoch(1), WallTime(0), event))
}

#[test]
fn a_key_comes_again_only_after_its_time_and_after_its_order() {
    let ledger = |again_at: u64, end: Event| {
        let mut judge = Judge::default();
        let events = [
            (0, Event::EpochStarted { epoch: Epoch(1) }),
            (0, Event::KeyWindowSet { window_ms: 1_000 }),
            (10, accepted(1, Some("a"))),
            (20, end),
            (again_at, accepted(2, Some("a"))),
        ];
        events.into_iter().try_for_each(|(at, event)| judge.event(Epoch(1), WallTime(at), event))
    };
    let cancelled = || Event::Cancelled { order: OrderId(1), by: Operator::default() };
    assert_eq!(ledger(1_010, cancelled()), Ok(()));
    assert!(ledger(1_009, cancelled()).expect_err("too soon").contains("under the key of o1"));
    assert!(ledger(9_999, accepted(2, None)).is_err(), "it is still open");
}

#[test]
fn two_kitchens_at_once_are_unsound_unless_the_first_gave_it_back() {
    let twice = vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), leased(1, 1, 2, Cause::Retry)];
    assert!(judge(twice).expect_err("two holders").contains("while another kitchen holds it"));
    let moved = Cause::Reassign { from: KitchenNo(0), reason: MoveReason::Overload, pause_ms: 1 };
    assert_eq!(judge(vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), leased(1, 1, 2, moved)]), Ok(()));
    let lost = Event::LeaseLost { order: OrderId(1), token: token(1), cause: LossCause::LeaseExpired };
    let again = leased(1, 1, 2, Cause::Recover { from: KitchenNo(0), cause: LossCause::LeaseExpired });
    assert_eq!(judge(vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), lost, again]), Ok(()));
}

#[test]
fn a_completion_under_an_old_token_a_second_one_and_a_reused_key_are_unsound() {
    let done = |counter| Event::Completed { order: OrderId(1), token: token(counter), cooked_ms: 1 };
    let start = || vec![accepted(1, Some("k")), leased(1, 0, 1, Cause::Dispatch)];
    let with = |more: Vec<Event>| judge(start().into_iter().chain(more).collect());
    assert_eq!(with(vec![done(1)]), Ok(()));
    assert!(with(vec![done(1), done(1)]).expect_err("twice").contains("has ended already"));
    assert!(with(vec![done(7)]).expect_err("another token").contains("not the newest lease"));
    assert!(with(vec![accepted(2, Some("k"))]).expect_err("the same key").contains("under the key of o1"));
}

#[test]
fn a_pause_ends_once_and_only_after_a_handover_of_what_was_begun() {
    let handover = Cause::Handover { from: KitchenNo(0), reason: MoveReason::Drain, saved_ms: 1 };
    let started = |counter| Event::Started { order: OrderId(1), token: token(counter), stage: 0 };
    let over = |counter| Event::HandedOver { order: OrderId(1), token: token(counter), pause_ms: 3 };
    let with = |more: Vec<Event>| {
        let start = vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch)];
        judge(start.into_iter().chain(more).collect())
    };
    assert_eq!(with(vec![started(1), leased(1, 1, 2, handover), started(2), over(2)]), Ok(()));
    let text = |more| with(more).expect_err("unsound");
    assert!(text(vec![leased(1, 1, 2, handover)]).contains("as if it were begun"));
    assert!(text(vec![started(1), over(1)]).contains("which came by"));
    assert!(text(vec![started(1), leased(1, 1, 2, handover), over(2), over(2)]).contains("twice"));
    assert!(text(vec![started(1), started(1)]).contains("begun twice"));
}

#[test]
fn an_order_is_set_aside_for_what_happened_and_released_once() {
    let failed =
        |counter| Event::AttemptFailed { order: OrderId(1), token: token(counter), stage: 0, output: "".into() };
    let aside = |strikes| Event::DeadLettered { order: OrderId(1), strikes };
    let released = || Event::Requeued { order: OrderId(1), by: Operator::default() };
    let start = || vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), failed(1)];
    let with = |more: Vec<Event>| judge(start().into_iter().chain(more).collect());
    assert_eq!(with(vec![aside(1), released(), leased(1, 1, 2, Cause::Release)]), Ok(()));
    assert!(with(vec![aside(2)]).expect_err("too many").contains("but 1 ended"));
    assert!(with(vec![aside(1), released(), released()]).expect_err("twice").contains("not in quarantine"));
    assert!(with(vec![aside(1), released(), leased(1, 1, 2, Cause::Retry)]).expect_err("cause").contains("was due"));
    assert!(with(vec![released()]).expect_err("open").contains("not in quarantine"));
}

#[test]
fn kitchens_and_stages_that_never_were_are_unsound() {
    let done = |stage| Event::StageDone { order: OrderId(1), token: token(1), stage };
    let with = |more: Vec<Event>| {
        let start = vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch)];
        judge(start.into_iter().chain(more).collect())
    };
    assert_eq!(with(vec![done(0), done(1)]), Ok(()));
    assert!(with(vec![done(2)]).expect_err("beyond").contains("stage 2"));
    assert!(with(vec![done(0), done(0)]).expect_err("again").contains("stage 0"));
    let nobody = judge(vec![accepted(1, None), leased(1, 7, 1, Cause::Dispatch)]);
    assert!(nobody.expect_err("unknown").contains("never registered"));
}
