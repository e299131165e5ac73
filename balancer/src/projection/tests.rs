//! The projection against the core's own fold, and against whatever may happen to its file.

use balancer_core::event::{Accepted, Cause, Event, LossCause, MoveReason, Registered};
use balancer_core::input::Operator;
use balancer_core::{KitchenNo, Recorded, State};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, FencingToken, Item, OrderId, Position, Priority, WallTime};

use super::*;
use crate::ledger::Row;
use crate::{notable, views};

fn token(counter: u64) -> FencingToken {
    FencingToken { epoch: Epoch(1), counter }
}

fn registered(number: u32) -> Event {
    Event::KitchenRegistered(Box::new(Registered {
        kitchen: KitchenNo(number),
        id: format!("kitchen_{}", number + 1).parse().expect("an id"),
        name: "Kitchen".into(),
        zone: ZoneNo(1),
        capacity: 10,
        stations: 5,
        specialties: Vec::new(),
        session: 1,
    }))
}

fn accepted(order: u64) -> Event {
    Event::Accepted(Box::new(Accepted {
        order: OrderId(order),
        items: vec![Item { dish: DishNo(0), quantity: 2 }, Item { dish: DishNo(2), quantity: 1 }],
        zone: ZoneNo(0),
        customer: Some("ada".into()),
        priority: Priority::High,
        key: Some(format!("k{order}").into()),
        stages: 3,
        rush: false,
    }))
}

/// A short day with every way that an order can go.
fn day() -> Vec<Event> {
    let leased = |order, kitchen, counter, cause| Event::Leased {
        order: OrderId(order),
        kitchen: KitchenNo(kitchen),
        token: token(counter),
        cause,
    };
    let started = |order, counter| Event::Started { order: OrderId(order), token: token(counter), stage: 0 };
    let stage = |order, counter, stage| Event::StageDone { order: OrderId(order), token: token(counter), stage };
    let done = |order, counter| Event::Completed { order: OrderId(order), token: token(counter), cooked_ms: 9 };
    let lost = |order, counter| Event::LeaseLost {
        order: OrderId(order),
        token: token(counter),
        cause: LossCause::KitchenSilent,
    };
    let by = Operator::default;
    let ann = || Operator { name: "ann".into(), reason: "a party, by the look of it".into() };
    let moved = Cause::Reassign { from: KitchenNo(0), reason: MoveReason::Overload, pause_ms: 4 };
    let handed = Cause::Handover { from: KitchenNo(0), reason: MoveReason::Drain, saved_ms: 7 };
    let again = Cause::Recover { from: KitchenNo(1), cause: LossCause::KitchenSilent };
    let output = "burnt\nthe pan".into();
    let mut events = vec![
        Event::EpochStarted { epoch: Epoch(1) },
        Event::CityChanged { city: Box::new(City::built_in()) },
        registered(0),
        registered(1),
    ];
    events.extend((1..=5).map(accepted));
    events.extend((1..=4).map(|order| leased(order, 0, order, Cause::Dispatch)));
    events.extend([
        started(1, 1),
        stage(1, 1, 0),
        leased(2, 1, 5, moved),
        leased(1, 1, 6, handed),
        started(1, 6),
        Event::HandedOver { order: OrderId(1), token: token(6), pause_ms: 30 },
        started(2, 5),
        lost(2, 5),
        leased(2, 0, 7, again),
        Event::AttemptFailed { order: OrderId(3), token: token(3), stage: 0, output },
        Event::DeadLettered { order: OrderId(3), strikes: 1 },
        done(1, 6),
        Event::Requeued { order: OrderId(3), by: by() },
        leased(3, 1, 8, Cause::Release),
        Event::Cancelled { order: OrderId(5), by: by() },
        Event::StaleRefused { order: OrderId(2), kitchen: KitchenNo(1), token: token(5) },
        Event::DrainStarted { kitchen: KitchenNo(0), deadline_ms: 9, by: by() },
        Event::RushStarted { rate_milli: 500, zone: Some(ZoneNo(1)), lasts_ms: 2_000, by: ann() },
        Event::RushEnded { by: by() },
        done(2, 7),
        Event::MoveOrdered { order: OrderId(4), to: KitchenNo(1), by: ann() },
    ]);
    events
}

pub(crate) fn recorded() -> Vec<Recorded> {
    day().into_iter().zip(1..).map(|(event, second)| Recorded { at: WallTime(second * 1_000), event }).collect()
}

/// Appends events in rows of so many.
pub(crate) fn write(journal: &mut Journal, events: &[Recorded], a_row: usize) {
    for events in events.chunks(a_row) {
        let body = events.iter().fold(Vec::new(), |body, event| postcard::to_extend(event, body).expect("plain data"));
        let first = Position(journal.last().0 + 1);
        let count = u32::try_from(events.len()).expect("few");
        journal.append(&Row { first, epoch: Epoch(1), count, body }).expect("append");
    }
}

pub(crate) fn state_of(events: &[Recorded]) -> State {
    events.iter().fold(State::default(), |mut state, event| {
        state.apply(event);
        state
    })
}

fn project(dir: &Path) -> Projector {
    let mut projector = Projector::open(dir).expect("open");
    while projector.step().expect("step") > 0 {}
    projector
}

/// Looks at the projection of the events, written in batches of each size.
fn in_batches(events: &[Recorded], look: impl Fn(&Path)) {
    for batch in 1..=events.len() {
        let dir = tempfile::tempdir().expect("dir");
        let mut journal = Journal::open(dir.path()).expect("open");
        for part in events.chunks(batch) {
            write(&mut journal, part, 3);
            project(dir.path());
        }
        look(dir.path());
    }
}

/// Every order of `state` reads the same in the projection.
fn assert_same(dir: &Path, state: &State) {
    let archive = Archive::reach(dir, state.position()).expect("open");
    assert_eq!(archive.position, state.position());
    for order in state.orders().iter() {
        let found = find(dir, order.id, state.position()).expect("readable");
        let mut view = views::order(state, order);
        view.stays = None; // a word about this very moment
        assert_eq!(found.order, Some(view), "{}", order.id);
        assert_eq!(found.events.first().map(|event| event.position), Some(order.position));
        assert_eq!(found.events.last().map(|event| event.position), Some(order.last));
    }
}

#[test]
fn every_order_reads_as_in_memory_however_the_batches_fall() {
    let events = recorded();
    in_batches(&events, |dir| assert_same(dir, &state_of(&events)));
}

#[test]
fn what_the_projection_has_not_come_to_is_read_from_the_journal() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let events = recorded();
    write(&mut journal, &events[..12], 4);
    drop(project(dir.path()));
    write(&mut journal, &events[12..], 4);
    let state = state_of(&events);
    let view = |id: u64| views::order(&state, state.order(OrderId(id)).expect("known"));
    for id in 1..=5 {
        let found = find(dir.path(), OrderId(id), state.position()).expect("readable");
        assert_eq!(found.order, Some(view(id)));
        assert_eq!(found.position, state.position());
    }
    assert_eq!(find(dir.path(), OrderId(9), state.position()).expect("readable").order, None);
}

#[test]
fn a_projection_that_is_gone_broken_or_of_another_ledger_is_rebuilt() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let events = recorded();
    let state = state_of(&events);
    write(&mut Journal::open(dir.path()).expect("open"), &events, 5);
    write(&mut Journal::open(other.path()).expect("open"), &events[..events.len() - 2], 7);
    drop(project(dir.path()));
    assert_same(dir.path(), &state);

    store::remove(dir.path());
    drop(project(dir.path()));
    assert_same(dir.path(), &state);

    std::fs::write(store::path(dir.path()), "a shopping list".repeat(999)).expect("write");
    drop(project(dir.path()));
    assert_same(dir.path(), &state);

    drop(project(other.path()));
    store::remove(dir.path());
    std::fs::copy(store::path(other.path()), store::path(dir.path())).expect("copy");
    drop(project(dir.path()));
    assert_same(dir.path(), &state);
}

/// The lines of the feed that tell what an operator did, newest first.
fn told(events: &[Recorded]) -> Vec<protocol::feed::FeedEvent> {
    let mut state = State::default();
    let mut lines = Vec::new();
    for event in events {
        state.apply(event);
        lines.extend(notable::operator(&event.event).and_then(|_| notable::event(&state, state.position(), event)));
    }
    lines.reverse();
    lines
}

fn assert_acts(dir: &Path, events: &[Recorded]) {
    let end = Position(events.len() as u64);
    let page = actions(dir, Position(u64::MAX), 100, end).expect("readable");
    assert_eq!((page.position, page.next), (end, None));
    let lines = page.actions.iter().map(|act| (act.position, act.at, &act.kind, act.tone, &act.subject, &act.text));
    let told = told(events);
    assert!(lines.eq(told.iter().map(|line| (
        line.position,
        line.at,
        &line.kind,
        line.tone,
        &line.subject,
        &line.text
    ))));
}

#[test]
fn what_operators_did_reads_as_the_feed_told_it_however_the_batches_fall() {
    let events = recorded();
    in_batches(&events, |dir| assert_acts(dir, &events));
    let kinds: Vec<String> = told(&events).into_iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["move_ordered", "rush_started", "drain_started", "cancelled", "requeued"], "no rush that ends");
}

#[test]
fn what_operators_did_is_read_from_the_journal_where_the_projection_has_not_come_to() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let events = recorded();
    write(&mut journal, &events[..4], 4);
    drop(project(dir.path()));
    write(&mut journal, &events[4..], 4);
    assert_acts(dir.path(), &events);
}

#[test]
fn what_operators_did_comes_in_pages_without_a_gap_or_a_repetition() {
    let dir = tempfile::tempdir().expect("dir");
    let events = recorded();
    let mut journal = Journal::open(dir.path()).expect("open");
    // The last one is still behind the projection.
    let (past, rest) = events.split_at(events.len() - 1);
    write(&mut journal, past, 5);
    drop(project(dir.path()));
    write(&mut journal, rest, 1);
    for limit in 1..=6 {
        let (mut before, mut seen, mut pages) = (Position(u64::MAX), Vec::new(), 0);
        loop {
            let page = actions(dir.path(), before, limit, Position(events.len() as u64)).expect("readable");
            assert!(page.actions.len() <= limit);
            pages += 1;
            seen.extend(page.actions.into_iter().map(|act| act.position));
            let Some(next) = page.next else { break };
            before = next;
        }
        assert_eq!(seen, told(&events).into_iter().map(|line| line.position).collect::<Vec<_>>());
        assert_eq!(pages, 5_usize.div_ceil(limit));
    }
}

#[test]
fn a_projection_of_an_earlier_release_gets_the_table_of_what_operators_did() {
    let dir = tempfile::tempdir().expect("dir");
    let events = recorded();
    write(&mut Journal::open(dir.path()).expect("open"), &events, 5);
    drop(project(dir.path()));
    let db = rusqlite::Connection::open(store::path(dir.path())).expect("open");
    db.execute_batch("DROP TABLE actions; PRAGMA user_version = 1").expect("as it was");
    drop(db);
    drop(project(dir.path()));
    assert_acts(dir.path(), &events);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let events = recorded();
    write(&mut journal, &events[..8], 4);
    let (mut one, mut two) = (project(dir.path()), project(dir.path()));
    write(&mut journal, &events[8..], 4);
    assert!(one.step().expect("step") > 0);
    assert!(matches!(two.step(), Err(Trouble::Overtaken)));
    assert_same(dir.path(), &state_of(&events));
}

#[test]
fn old_orders_are_listed_newest_first_by_state_and_kitchen() {
    let dir = tempfile::tempdir().expect("dir");
    write(&mut Journal::open(dir.path()).expect("open"), &recorded(), 5);
    drop(project(dir.path()));
    let archive = Archive::reach(dir.path(), Position(1)).expect("open");
    let all = Filter { from: OrderId(1), below: OrderId(u64::MAX), state: None, kitchen: None, limit: 10 };
    let ids = |filter: &Filter| -> Vec<u64> {
        archive.list(filter).expect("readable").iter().map(|order| order.id.0).collect()
    };
    assert_eq!(ids(&all), [5, 2, 1], "ended ones; the others are in memory");
    assert_eq!(ids(&Filter { below: OrderId(5), limit: 1, ..all.clone() }), [2]);
    assert_eq!(ids(&Filter { state: Some(protocol::OrderState::Cancelled), ..all.clone() }), [5]);
    assert_eq!(ids(&Filter { kitchen: Some("kitchen_2".parse().expect("id")), ..all }), [1]);
}
