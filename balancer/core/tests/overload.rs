//! Overload and a stalled disk, as stories: what is refused, what goes on, and what is never lost.

mod town;

use std::time::Duration;

use balancer_core::input::ConnectionId;
use balancer_core::{DiskHealth, Effect, Guard, Input, KitchenNo, Refused, Reply, limits};
use protocol::api::{Health, PolicyView};
use protocol::link::{AgentMessage, BalancerMessage, Refusal};
use protocol::{OrderId, OrderState, Priority};
use town::{Town, by};

/// One kitchen with two stations that takes a second for an order, so two orders a second.
fn town() -> Town {
    town_with(PolicyView::default())
}

fn town_with(policy: PolicyView) -> Town {
    let mut town = Town::with(policy, None);
    town.open("k1", 4, 2, &[]);
    town.soup();
    town.advance(1_000);
    town.completes("k1", 1);
    town.advance(300);
    town.news();
    town.effects.clear();
    town
}

fn fill(town: &mut Town, orders: usize) -> usize {
    (0..orders)
        .filter(|_| {
            town.soup();
            matches!(town.answer(), Some(Reply::Placed(_)))
        })
        .count()
}

fn state(town: &Town, order: u64) -> OrderState {
    town.core.state().order(OrderId(order)).expect("known").state
}

#[test]
fn who_would_wait_too_long_is_told_at_the_door() {
    let mut town = town();
    assert_eq!(fill(&mut town, 100), limits::LINE_MIN, "2 a second for 8 s would be 16: any city takes more at once");
    assert_eq!(town.refusal(), &Refused::LineTooLong { waiting: 64, wait_ms: 32_000 });
    town.order(1, Priority::High, None);
    assert!(matches!(town.answer(), Some(Reply::Placed(_))), "high priority may wait twice as long");
    let line = town.core.line();
    assert_eq!((line.limit, line.wait), (64, Duration::from_millis(32_500)));
    assert_eq!(town.core.shed(), (36, 0));
    town.completes("k1", 2);
    town.completes("k1", 3);
    town.soup();
    assert!(matches!(town.answer(), Some(Reply::Placed(_))), "the line has moved on");
}

#[test]
fn a_larger_patience_is_a_longer_line_and_none_is_no_limit() {
    let mut town = town_with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() });
    assert_eq!(town.core.line().limit, 120);
    assert_eq!(fill(&mut town, 200), 120);
    let (request, policy) = (town.request(), Box::new(PolicyView { max_wait_ms: 0, ..PolicyView::default() }));
    town.input(Input::SetPolicy { request, policy, by: by("ann") });
    assert_eq!(fill(&mut town, 200), 200, "at once");
}

#[test]
fn before_the_first_kitchen_the_door_takes_what_any_city_takes() {
    let mut town = Town::new();
    assert_eq!(fill(&mut town, 5_000), limits::LINE_MIN);
    assert_eq!(town.refusal(), &Refused::NobodyCooks { waiting: 64 });
    town.order(1, Priority::High, None);
    assert!(matches!(town.answer(), Some(Reply::Placed(_))), "high priority has its double here, too");
    let mut queue = Town::with(PolicyView { max_wait_ms: 0, ..PolicyView::default() }, None);
    assert_eq!(
        fill(&mut queue, 5_000),
        5_000,
        "a line that is bounded by its length only is filled before kitchens come"
    );
}

#[test]
fn before_anything_was_cooked_the_menu_and_the_speed_say_how_fast_the_fleet_is() {
    let mut town = Town::with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() }, None);
    town.open("k1", 40, 30, &[]);
    town.advance(300);
    // Pizza 3.5 s, soup 1 s, stew 3.5 s: 8 s for three dishes, so 30 stations cook 11.25 orders a second.
    assert_eq!(town.core.line().limit, 675);
    assert_eq!(fill(&mut town, 5_000), 675, "who is in the kitchen and has not begun waits, too");
    town.speed_milli = 2_000;
    town.open("k2", 40, 30, &[]);
    town.advance(300);
    assert_eq!(town.core.line().limit, 3 * 675, "the second is twice as fast");
}

#[test]
fn a_kitchen_with_an_average_counts_by_it_beside_one_that_is_new() {
    let mut town = town_with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() });
    assert_eq!(town.core.line().limit, 120, "two stations, a second for an order");
    town.open("k2", 40, 32, &[]);
    town.advance(300);
    assert_eq!(town.core.line().limit, 120 + 720, "and 32 that take 2.667 s by the menu");
}

#[test]
fn a_new_leader_knows_how_fast_the_fleet_is_before_the_first_agent_says_hello() {
    let policy = PolicyView { max_wait_ms: 60_000, ..PolicyView::default() };
    let mut town = town_with(policy.clone());
    town.restart();
    assert_eq!(town.core.line().limit, 120, "by the average in the ledger");
    let mut fresh = Town::with(policy, None);
    fresh.speed_milli = 2_000;
    fresh.open("k1", 40, 30, &[]);
    fresh.advance(300);
    assert_eq!(fresh.core.line().limit, 1_350);
    fresh.restart();
    assert_eq!(fresh.core.line().limit, 675, "by the menu alone, until the agent has said its speed again");
    let session = fresh.session("k1");
    fresh.hello("k1", ConnectionId(900), session, 40, 30, &[]);
    fresh.advance(300);
    assert_eq!(fresh.core.line().limit, 1_350);
    let mut lost = town_with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() });
    lost.kill("k1");
    lost.advance(3_000);
    lost.restart();
    assert_eq!(lost.core.line().limit, 120, "its kitchen was lost a moment ago");
    lost.advance(9_000);
    lost.restart();
    assert_eq!(lost.core.line().limit, limits::LINE_MIN, "and now it is not");
}

#[test]
fn an_outage_refuses_nothing_that_was_fine_before_it_for_ten_seconds() {
    let mut town = town_with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() });
    town.kill("k1");
    town.advance(3_000);
    assert_eq!(town.core.signs(town.mono(), KitchenNo(0)).health, Health::Dead);
    assert_eq!(town.core.line().limit, 120, "as it was while somebody cooked");
    assert_eq!(fill(&mut town, 200), 120);
    town.advance(10_000);
    assert_eq!(town.core.line().limit, limits::LINE_MIN, "nobody knows when somebody will");
    town.soup();
    assert_eq!(town.refusal(), &Refused::NobodyCooks { waiting: 120 });
    assert_eq!(town.core.state().proof().open, 120, "what was taken stays");
}

#[test]
fn the_orders_of_a_rush_pass_the_same_door_before_the_first_kitchen() {
    let mut town = Town::new();
    let (request, lasts) = (town.request(), Duration::from_secs(10));
    town.input(Input::StartRush { request, rate: 100.0, lasts, zone: None, by: by("ann") });
    town.advance(5_000);
    assert_eq!(town.core.state().queued(), limits::LINE_MIN);
}

#[test]
fn what_was_taken_is_never_shed_even_when_the_fleet_shrinks() {
    let mut town = town_with(PolicyView { max_wait_ms: 60_000, ..PolicyView::default() });
    town.open("k2", 40, 20, &[]);
    town.advance(300);
    assert!(fill(&mut town, 500) > 400);
    let open = town.core.state().proof().open;
    town.kill("k2");
    town.advance(2_000);
    assert_eq!(town.core.state().proof().open, open);
    assert!(town.core.state().queued() > town.core.line().limit);
    town.soup();
    assert!(matches!(town.refusal(), Refused::LineTooLong { .. }));
}

/// How long each normal order waited to be begun, under four high ones a second in a kitchen that cooks two a second; the line
/// is filled first.
fn waits_under_a_stream_of_high_ones(without: Option<Guard>) -> Vec<u64> {
    let policy = PolicyView { max_wait_ms: 32_000, ..PolicyView::default() };
    let mut town = Town::with(policy, without);
    town.open("k1", 4, 2, &["soup"]);
    let normal = fill(&mut town, 100) as u64;
    let mut begun = Vec::new();
    for turn in 0..200 {
        town.advance(500);
        (0..2).for_each(|_| town.order(1, Priority::High, None));
        let next = town.next_in("k1");
        town.starts("k1", next);
        town.completes("k1", next);
        if next <= normal {
            begun.push((turn + 1) * 500);
        }
    }
    begun
}

#[test]
fn a_stream_of_high_ones_keeps_no_normal_order_beyond_what_it_was_accepted_for() {
    let waits = waits_under_a_stream_of_high_ones(None);
    assert_eq!(waits.len(), 64, "all of them");
    let longest = waits.last().copied().expect("some");
    assert!(longest <= 16_000 + 32_000, "half of the wait, and the line that was there: {waits:?}");
    let starved = waits_under_a_stream_of_high_ones(Some(Guard::Ageing));
    assert!(starved.len() < 10, "without ageing only those go that were in the kitchen already: {starved:?}");
}

#[test]
fn where_no_time_was_promised_a_normal_order_goes_in_half_a_minute_all_the_same() {
    let mut town = town_with(PolicyView { max_wait_ms: 0, ..PolicyView::default() });
    fill(&mut town, 6);
    (0..100).for_each(|_| town.order(1, Priority::High, None));
    assert_eq!(town.cook("k1", 2).ages_in_ms, 30_000);
    let goes_next = |town: &mut Town, ms| {
        town.advance(ms);
        let next = town.next_in("k1");
        town.starts("k1", next);
        town.completes("k1", next);
        next
    };
    let early: Vec<u64> = (0..9).map(|_| goes_next(&mut town, 3_000)).collect();
    assert_eq!(early, [2, 8, 9, 10, 11, 12, 13, 14, 15], "the first place that is free goes to a high one");
    town.advance(3_000);
    let late: Vec<u64> = (0..6).map(|_| goes_next(&mut town, 0)).collect();
    assert_eq!(late, [3, 4, 5, 6, 7, 16], "and then the oldest");
}

#[test]
fn the_orders_of_a_rush_wait_no_longer_than_others() {
    let mut town = town();
    let (request, lasts) = (town.request(), Duration::from_secs(10));
    town.input(Input::StartRush { request, rate: 100.0, lasts, zone: None, by: by("ann") });
    town.advance(5_000);
    let waiting = town.core.state().count(OrderState::Queued) + town.core.state().count(OrderState::Leased);
    assert_eq!(waiting, limits::LINE_MIN as u64);
    assert!(town.core.shed().1 > 300, "{:?}", town.core.shed());
}

#[test]
fn while_the_disk_stalls_nothing_new_is_decided_and_leases_go_on() {
    for (health, why) in [
        (DiskHealth::Slow, Refused::DiskSlow),
        (DiskHealth::Full, Refused::DiskFull),
        (DiskHealth::Moved, Refused::LedgerMoved),
        (DiskHealth::Older, Refused::LedgerOlder),
    ] {
        let mut town = town();
        town.order(1, Priority::Normal, Some("known"));
        fill(&mut town, 10);
        town.open("k2", 4, 2, &[]);
        town.freeze("k2");
        town.news();
        town.input(Input::Disk(health));
        assert_eq!(town.core.disk(), health);
        town.soup();
        assert_eq!(town.refusal(), &why);
        town.order(1, Priority::Normal, Some("known"));
        assert!(matches!(town.answer(), Some(Reply::Replayed(_))), "it was safe before");
        town.drain("k1", None, true);
        assert_eq!(town.refusal(), &why);
        let request = town.request();
        town.input(Input::Cancel { request, order: OrderId(2), by: by("ann") });
        assert_eq!(town.refusal(), &why);
        town.effects.clear();
        town.advance(10_000);
        assert_eq!(town.news(), "", "nobody is given up, nothing dispatched, moved or expired");
        let renewed = town.effects.iter().filter(
            |effect| matches!(effect, Effect::TellNow(_, BalancerMessage::Renewed { lost, .. }) if lost.is_empty()),
        );
        assert!(renewed.count() > 30);
        // What an agent reports is taken: it is bounded by what the agent holds.
        town.starts("k1", 2);
        town.completes("k1", 2);
        assert_eq!(town.news(), "started o2 at 0\ncompleted o2 by 2");
        town.input(Input::Disk(DiskHealth::Fine));
        assert!(town.news().starts_with("leased o"), "the place that became free is given at once");
        town.advance(1_400);
        assert!(!town.news().contains("gone k2"), "its silence counts from here on");
        town.advance(200);
        assert!(town.news().contains("gone k2: kitchen_silent"));
    }
}

#[test]
fn a_kitchen_that_was_here_can_reconnect_while_the_disk_stalls_and_another_one_later() {
    let mut town = town();
    town.soup();
    let (session, lease) = (town.session("k1"), town.lease("k1", 2));
    town.input(Input::Disk(DiskHealth::Slow));
    town.effects.clear();
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    assert!(
        matches!(&town.effects[..], [.., Effect::TellNow(_, BalancerMessage::Welcome(_)), _]),
        "{:?}",
        town.effects
    );
    town.says("k1", AgentMessage::Heartbeat { seq: 1, held: vec![lease] });
    town.hello("k2", ConnectionId(901), 77, 4, 2, &[]);
    assert!(town.effects.contains(&Effect::TellNow(ConnectionId(901), BalancerMessage::Refused(Refusal::NotLeader))));
    assert!(Refusal::NotLeader.is_retryable());
    assert_eq!(town.core.state().kitchens().len(), 1);
    assert_eq!(town.core.signs(town.mono(), KitchenNo(0)).health, Health::Alive);
    town.input(Input::Disk(DiskHealth::Fine));
    town.hello("k2", ConnectionId(902), 77, 4, 2, &[]);
    assert_eq!(town.core.state().kitchens().len(), 2);
    assert_eq!(state(&town, 2), OrderState::Leased);
}

#[test]
fn a_dead_kitchen_comes_back_after_the_stall() {
    let mut town = town();
    town.freeze("k1");
    town.advance(2_000);
    town.input(Input::Disk(DiskHealth::Slow));
    town.thaw("k1");
    town.news();
    town.advance(1_000);
    assert_eq!(town.news(), "");
    town.input(Input::Disk(DiskHealth::Fine));
    town.advance(300);
    assert_eq!(town.news(), "back k1");
}

#[test]
fn a_rush_does_not_make_up_for_a_stall() {
    let mut town = town_with(PolicyView { max_wait_ms: 0, ..PolicyView::default() });
    let (request, lasts) = (town.request(), Duration::from_secs(60));
    town.input(Input::StartRush { request, rate: 100.0, lasts, zone: None, by: by("ann") });
    town.advance(1_000);
    let before = town.core.state().proof().accepted;
    town.input(Input::Disk(DiskHealth::Slow));
    town.advance(10_000);
    town.input(Input::Disk(DiskHealth::Fine));
    town.advance(1_000);
    let made = town.core.state().proof().accepted - before;
    assert!((50..200).contains(&made), "{made}");
    assert!(town.core.next_deadline().is_some_and(|next| next >= town.mono()), "it never asks to be woken in the past");
}
