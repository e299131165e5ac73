//! What memory forgets when very many orders have ended, and what it must not.

mod town;

use std::time::Duration;

use balancer_core::event::Accepted;
use balancer_core::input::{NewOrder, Operator, RequestId};
use balancer_core::{Core, Effect, Event, Input, Now, Recorded, Refused, Reply, Settings, State};
use balancer_core::{invariants, limits};
use protocol::city::{DishNo, ZoneNo};
use protocol::{Epoch, Item, OrderId, OrderState, Priority, WallTime};
use town::Town;

/// Folds events, each a millisecond after the one before.
struct Fold {
    state: State,
    at: WallTime,
    forgotten: Vec<OrderId>,
}

impl Fold {
    fn new() -> Self {
        let mut fold = Self { state: State::default(), at: WallTime(1_000_000), forgotten: Vec::new() };
        fold.say(Event::EpochStarted { epoch: Epoch(1) });
        fold
    }

    fn say(&mut self, event: Event) {
        self.at.0 += 1;
        let forgotten = self.state.apply(&Recorded { at: self.at, event });
        self.forgotten.extend(forgotten.map(|order| order.id));
    }

    fn accept(&mut self, key: &str) -> OrderId {
        let order = OrderId(self.state.last_order().0 + 1);
        let key = Some(key.into());
        let items = vec![Item { dish: DishNo(0), quantity: 1 }];
        let (zone, priority) = (ZoneNo(0), Priority::Normal);
        let accepted = Accepted { order, items, zone, customer: None, priority, key, stages: 1, rush: false };
        self.say(Event::Accepted(Box::new(accepted)));
        order
    }

    /// So many others come and go.
    fn others(&mut self, count: usize) {
        for _ in 0..count {
            let order = self.accept(&format!("other-{}", self.at.0));
            self.say(Event::Cancelled { order, by: Operator::default() });
        }
    }
}

fn order(key: &str) -> NewOrder {
    let items = vec![Item { dish: DishNo(0), quantity: 1 }];
    NewOrder { items, zone: ZoneNo(0), customer: None, priority: Priority::Normal, key: Some(key.into()) }
}

fn answer(core: &mut Core, at: WallTime, input: Input) -> Reply {
    core.handle(Now { mono: Duration::from_secs(1), wall: at }, input);
    let reply = core.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Reply(_, reply) => Some(reply),
        Effect::Tell(..) | Effect::TellNow(..) | Effect::Close(_) => None,
    });
    reply.expect("an answer")
}

#[test]
fn an_order_in_quarantine_stays_however_many_end_after_it() {
    let mut fold = Fold::new();
    let poison = fold.accept("poison");
    fold.say(Event::DeadLettered { order: poison, strikes: 3 });
    let done = fold.accept("done");
    fold.say(Event::Cancelled { order: done, by: Operator::default() });
    fold.others(limits::CLOSED_KEPT + 5);
    assert_eq!(fold.forgotten[0], done, "what has ended is handed out when it is forgotten");
    assert_eq!(fold.forgotten.len(), 6);
    assert_eq!(fold.state.order(poison).map(|order| order.state), Some(OrderState::DeadLettered));
    assert_eq!(fold.state.quarantined(), 1);
    invariants::check(&fold.state).expect("sound");

    let mut core = Core::new(fold.state, Settings::default());
    let request = RequestId(1);
    let again = answer(&mut core, fold.at, Input::Submit { request, order: order("poison") });
    assert!(matches!(again, Reply::Replayed(receipt) if receipt.id == poison), "its key is remembered with it");
    let released = answer(&mut core, fold.at, Input::Release { request, order: poison, by: Operator::default() });
    assert!(matches!(released, Reply::Done(_)), "{released:?}");
    assert_eq!(core.state().oldest_open().map(|order| order.id), Some(poison));
    invariants::check(core.state()).expect("sound");
}

#[test]
fn an_order_in_quarantine_can_be_called_off() {
    let mut fold = Fold::new();
    let poison = fold.accept("poison");
    fold.say(Event::DeadLettered { order: poison, strikes: 3 });
    let mut core = Core::new(fold.state, Settings::default());
    let request = RequestId(1);
    let cancelled = answer(&mut core, fold.at, Input::Cancel { request, order: poison, by: Operator::default() });
    assert!(matches!(cancelled, Reply::Done(_)), "{cancelled:?}");
    let proof = core.state().proof();
    assert_eq!((proof.cancelled, proof.dead_lettered, core.state().quarantined()), (1, 0, 0));
    invariants::check(core.state()).expect("sound");
}

#[test]
fn orders_in_quarantine_take_the_place_of_open_ones() {
    let mut fold = Fold::new();
    for number in 0..limits::OPEN_ORDERS_MAX {
        let order = fold.accept(&format!("poison-{number}"));
        fold.say(Event::DeadLettered { order, strikes: 3 });
    }
    let mut core = Core::new(fold.state, Settings::default());
    let refused = answer(&mut core, fold.at, Input::Submit { request: RequestId(1), order: order("one more") });
    assert!(matches!(refused, Reply::Refused(Refused::TooManyOpen { .. })), "{refused:?}");
}

#[test]
fn a_key_comes_again_as_a_new_order_only_when_its_order_has_ended_and_its_time_is_over() {
    let mut town = Town::new();
    town.order(0, Priority::Normal, Some("a"));
    let first = town.receipt().id;
    let window = limits::KEY_WINDOW;
    town.now.wall.0 += u64::try_from(window.as_millis()).expect("short") + 1;
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == first), "it is open");
    let request = town.request();
    town.input(Input::Cancel { request, order: first, by: town::by("b") });
    town.order(0, Priority::Normal, Some("a"));
    let second = town.receipt().id;
    assert_ne!(second, first, "an hour ago, and ended");
    let request = town.request();
    town.input(Input::Cancel { request, order: second, by: town::by("b") });
    town.now.wall.0 += u64::try_from(window.as_millis()).expect("short") - 1;
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == second), "not yet an hour");
    town.restart();
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == second), "nor after a restart");
}

#[test]
fn a_clock_that_was_stepped_while_nobody_led_lets_go_of_no_key() {
    let mut town = Town::new();
    town.order(0, Priority::Normal, Some("a"));
    let first = town.receipt().id;
    let request = town.request();
    town.input(Input::Cancel { request, order: first, by: town::by("b") });
    town.now.wall.0 += 86_400_000;
    town.restart();
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == first), "a day of nobody's time");
}

#[test]
fn the_key_of_a_younger_order_is_not_forgotten_with_an_older_one() {
    let mut fold = Fold::new();
    let first = fold.accept("a");
    fold.say(Event::Cancelled { order: first, by: Operator::default() });
    let second = fold.accept("a");
    fold.others(limits::CLOSED_KEPT + 1);
    assert!(fold.state.order(first).is_none());
    assert_eq!(fold.state.keyed("a").map(|order| order.id), Some(second));
}

#[test]
fn few_orders_that_wait_among_very_many_that_ended_cost_little_and_are_found() {
    let mut fold = Fold::new();
    let mut waiting = Vec::new();
    for number in 0..2_000 {
        let order = fold.accept(&format!("poison-{number}"));
        fold.say(Event::DeadLettered { order, strikes: 3 });
        waiting.push(order);
        fold.others(100);
    }
    let table = fold.state.orders();
    assert!(waiting.iter().all(|id| table.get(*id).is_some_and(|order| order.id == *id)));
    let listed: Vec<OrderId> = table.iter().map(|order| order.id).filter(|id| waiting.contains(id)).collect();
    assert_eq!(listed, waiting, "in the sequence of their ids");
    let below: Vec<OrderId> = table.below(waiting[3]).map(|order| order.id).take(3).collect();
    assert_eq!(below, [waiting[2], waiting[1], waiting[0]]);
    assert!(table.places() < 2 * table.len() + 1_000, "{} places for {} orders", table.places(), table.len());
    fold.accept("open");
    let read = postcard::from_bytes::<State>(&postcard::to_allocvec(&fold.state).expect("plain data"));
    assert!(read.as_ref() == Ok(&fold.state), "a snapshot gives the same state");
}
