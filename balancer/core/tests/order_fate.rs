//! What becomes of an order whose kitchen does not do its part: it hangs, never starts, fails at once, or says more than can
//! be. As stories.

mod town;

use balancer_core::input::ConnectionId;
use balancer_core::routing::Unfit;
use balancer_core::{DiskHealth, Guard, Input, KitchenNo, Note, limits};
use protocol::api::PolicyView;
use protocol::link::{AgentMessage, BalancerMessage, DeclineReason};
use protocol::{OrderId, OrderState, Priority};
use town::{Town, by};

fn quiet() -> PolicyView {
    PolicyView { steal: false, migrate: false, handover: false, ..PolicyView::default() }
}

/// As many kitchens as said, `k1` and on, each with four places and two stations.
fn town_of(kitchens: usize) -> Town {
    let mut town = Town::with(quiet(), None);
    (1..=kitchens).for_each(|number| town.open(&format!("k{number}"), 4, 2, &[]));
    town.advance(300);
    town.news();
    town
}

fn note(town: &Town, number: u32) -> Option<Note> {
    town.core.note(town.mono(), KitchenNo(number))
}

/// A kitchen cooks everything that it has.
fn cooks_all(town: &mut Town, id: &str) {
    let number = town.core.state().find_kitchen(&town.kitchen(id)).expect("known");
    let kitchen = town.core.state().kitchen(number);
    let held: Vec<OrderId> = kitchen.cooking.iter().chain(&kitchen.waiting).copied().collect();
    held.into_iter().for_each(|order| town.completes(id, order.0));
}

fn state(town: &Town, order: u64) -> OrderState {
    town.core.state().order(OrderId(order)).expect("known").state
}

#[test]
fn a_kitchen_that_starts_and_never_ends_loses_all_it_holds_to_others() {
    let mut town = town_of(1);
    (0..4).for_each(|_| town.soup());
    (1..=2).for_each(|order| town.starts("k1", order));
    town.open("k2", 4, 4, &[]);
    town.advance(9_900);
    assert!(!town.news().contains("lost"), "ten seconds are always granted");
    town.advance(3_200);
    let news = town.news();
    assert!(news.contains("lost o1: stage_timeout") && news.contains("lost o3: kitchen_stuck"), "{news}");
    assert_eq!(note(&town, 0), Some(Note::Stuck));
    let strikes = |order| town.core.state().order(OrderId(order)).expect("known").strikes();
    assert_eq!([strikes(1), strikes(2), strikes(3)], [1, 0, 0], "who showed it may be the reason, the others are not");
    assert!(!news.contains("leased o1"), "nobody else begins before the fence has come where it was");
    town.advance(1_600);
    (1..=4).for_each(|order| town.completes("k2", order));
    assert!((1..=4).all(|order| state(&town, order) == OrderState::Completed), "{}", town.trace());
}

#[test]
fn an_order_that_living_kitchens_give_back_in_mid_cooking_is_not_set_aside() {
    let mut town = town_of(3);
    town.soup();
    for _ in 0..3 {
        let number = town.core.state().order(OrderId(1)).and_then(|order| order.kitchen).expect("leased");
        let id = format!("k{}", number.0 + 1);
        town.starts(&id, 1);
        town.says(&id, AgentMessage::Deaf);
    }
    assert!(town.news().contains("lost o1: declined"));
    assert_eq!(town.core.state().order(OrderId(1)).expect("known").strikes(), 0, "{}", town.trace());
    assert_eq!(state(&town, 1), OrderState::Queued, "no kitchen hears, and none is the worse for it");
}

#[test]
fn a_kitchen_that_beats_and_never_starts_loses_all_it_holds() {
    let mut town = town_of(1);
    (0..4).for_each(|_| town.soup());
    town.open("k2", 4, 4, &[]);
    town.advance(15_000);
    (1..=4).for_each(|order| town.completes("k2", order));
    assert!((1..=4).all(|order| state(&town, order) == OrderState::Completed), "{}", town.trace());
}

#[test]
fn a_hung_kitchen_is_told_to_stop_and_gets_one_order_at_a_time_until_a_stage_of_one_ends() {
    let mut town = town_of(1);
    (0..4).for_each(|_| town.soup());
    let leases: Vec<_> = (1..=4).map(|order| town.lease("k1", order)).collect();
    town.starts("k1", 1);
    town.effects.clear();
    town.advance(13_000);
    assert!(leases.iter().all(|lease| town.told("k1", &BalancerMessage::Stop(*lease))));
    assert_eq!((town.core.state().queued(), note(&town, 0)), (4, Some(Note::Stuck)), "in a city of one, too");
    (1..=4).for_each(|order| town.drops("k1", order));
    town.advance(5_200);
    let held = |town: &Town| town.core.state().kitchen(KitchenNo(0)).held();
    assert_eq!(held(&town), 1, "it is tried: {}", town.trace());
    let probe = town.core.state().kitchen(KitchenNo(0)).waiting.first().expect("one").0;
    town.starts("k1", probe);
    town.advance(3_000);
    assert_eq!((held(&town), note(&town, 0)), (1, Some(Note::Stuck)), "that it starts shows nothing");
    town.completes("k1", probe);
    assert_eq!((held(&town), note(&town, 0)), (3, None));
}

#[test]
fn a_probe_that_hangs_is_followed_by_a_later_one_and_an_urgent_order_may_be_it() {
    let mut town = town_of(1);
    town.order(1, Priority::High, None);
    town.starts("k1", 1);
    town.advance(13_000);
    town.drops("k1", 1);
    town.advance(6_000);
    town.starts("k1", 1);
    town.advance(13_000);
    town.drops("k1", 1);
    assert_eq!(town.core.state().order(OrderId(1)).expect("known").strikes(), 2);
    town.advance(20_000);
    town.starts("k1", 1);
    town.advance(13_000);
    assert_eq!(state(&town, 1), OrderState::DeadLettered, "three strikes: {}", town.trace());
}

#[test]
fn the_limit_follows_the_menu_and_the_speed_and_each_stage_has_its_own() {
    let mut town = Town::with(quiet(), None);
    town.speed_milli = 100;
    town.open("k1", 4, 2, &[]);
    town.stew();
    town.starts("k1", 1);
    town.advance(25_000);
    town.stage_done("k1", 1, 0);
    town.advance(58_000);
    assert!(!town.news().contains("lost"), "two seconds at a tenth of the speed, three times: a minute");
    town.advance(5_000);
    assert!(town.news().contains("lost o1: stage_timeout"));
}

#[test]
fn a_command_has_the_time_that_its_agent_said_and_a_little_for_the_agent_to_end_it() {
    let mut town = Town::with(quiet(), None);
    town.stage_timeout_ms = Some(20_000);
    town.open("k1", 4, 2, &[]);
    town.pizza();
    town.starts("k1", 1);
    town.advance(21_500);
    assert!(!town.news().contains("lost"));
    town.advance(3_800);
    assert!(town.news().contains("lost o1: stage_timeout"));
}

#[test]
fn an_agent_that_ended_a_command_itself_says_so_once_and_the_rest_goes_at_once() {
    let mut town = Town::with(quiet(), None);
    town.stage_timeout_ms = Some(20_000);
    town.open("k1", 4, 2, &[]);
    (0..3).for_each(|_| town.pizza());
    town.starts("k1", 1);
    town.advance(1_000);
    let lease = town.lease("k1", 1);
    town.news();
    (0..2).for_each(|_| town.says("k1", AgentMessage::Declined { lease, why: DeclineReason::TimedOut }));
    assert_eq!(town.news(), "lost o1: stage_timeout\nlost o2: kitchen_stuck\nlost o3: kitchen_stuck");
    assert_eq!(town.core.state().order(OrderId(1)).expect("known").strikes(), 1, "counted once");
}

#[test]
fn a_new_leader_judges_only_who_has_said_hello_and_from_then_on() {
    let mut town = town_of(1);
    town.soup();
    town.starts("k1", 1);
    town.advance(9_000);
    let (session, lease) = (town.session("k1"), town.lease("k1", 1));
    town.restart();
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    town.news();
    town.advance(9_000);
    assert!(town.is_held("k1", lease), "it may have told the old leader how far it was");
    town.advance(6_000);
    assert!(town.news().contains("lost o1: stage_timeout"), "{}", town.trace());
}

#[test]
fn the_time_in_which_the_disk_or_the_balancer_stood_still_is_nobodys_fault() {
    let mut town = town_of(1);
    (0..3).for_each(|_| town.soup());
    town.starts("k1", 1);
    town.advance(5_000);
    town.input(Input::Disk(DiskHealth::Slow));
    town.advance(30_000);
    town.input(Input::Disk(DiskHealth::Fine));
    town.sleep(30_000);
    town.advance(4_000);
    assert!(!town.news().contains("stage_timeout"), "{}", town.trace());
    town.advance(5_000);
    assert!(town.news().contains("lost o1: stage_timeout"), "it counts what was seen before: {}", town.trace());
}

#[test]
fn a_stage_that_ends_in_time_or_an_order_that_starts_begins_the_count_anew() {
    let mut town = town_of(1);
    (0..3).for_each(|_| town.stew());
    (1..=2).for_each(|order| town.starts("k1", order));
    for stage in 0..2 {
        town.advance(9_000);
        (1..=2).for_each(|order| town.stage_done("k1", order, stage));
    }
    town.advance(9_000);
    (1..=2).for_each(|order| town.completes("k1", order));
    town.advance(9_000);
    town.starts("k1", 3);
    town.advance(9_000);
    assert!(!town.news().contains("lost"), "{}", town.trace());
}

#[test]
fn orders_that_wait_behind_busy_stations_are_no_sign() {
    let mut town = Town::with(quiet(), None);
    town.speed_milli = 100;
    town.open("k1", 4, 2, &[]);
    (0..4).for_each(|_| town.stew());
    (1..=2).for_each(|order| town.starts("k1", order));
    town.advance(28_000);
    assert!(!town.news().contains("lost"));
}

#[test]
fn a_paused_order_that_stays_may_wait_for_a_station() {
    let mut town = Town::with(PolicyView { handover: true, ..quiet() }, None);
    town.open("k1", 4, 1, &[]);
    town.stew();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    let lease = town.lease("k1", 1);
    town.advance(3_000);
    town.drain("k1", None, true);
    town.says("k2", AgentMessage::Reserved { order: OrderId(1) });
    town.says("k2", AgentMessage::ReserveRefused { order: OrderId(1), why: DeclineReason::Full });
    assert!(town.told("k1", &BalancerMessage::Resume(lease)), "{}", town.trace());
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Uncordon { request, kitchen, by: by("ann") });
    town.advance(38_000);
    assert!(!town.news().contains("lost"), "four times as long: {}", town.trace());
    town.advance(5_000);
    assert!(town.news().contains("lost o1: stage_timeout"), "and not for ever: {}", town.trace());
}

#[test]
fn without_the_limit_a_hung_kitchen_keeps_its_orders_for_ever() {
    let mut town = Town::with(quiet(), Some(Guard::StageLimit));
    town.open("k1", 4, 2, &[]);
    (0..2).for_each(|_| town.soup());
    town.starts("k1", 1);
    town.advance(110_000);
    assert!(!town.trace().contains("lost"));
}

#[test]
fn after_a_failure_the_next_attempt_is_elsewhere_and_not_at_once() {
    let mut town = town_of(2);
    town.soup();
    town.fails("k1", 1);
    assert_eq!(state(&town, 1), OrderState::Queued, "{}", town.trace());
    town.advance(200);
    assert_eq!(state(&town, 1), OrderState::Queued, "{}", town.trace());
    town.advance(400);
    assert!(town.news().ends_with("leased o1 to k2 by 2 (retry)"), "{}", town.trace());
    assert!(town.core.decision(OrderId(1)).expect("kept").excluded.contains(&(KitchenNo(0), Unfit::FailedBefore)));
    town.fails("k2", 1);
    town.open("k3", 4, 2, &[]);
    town.advance(1_100);
    assert!(town.news().ends_with("leased o1 to k3 by 3 (retry)"), "neither of the two: {}", town.trace());
}

#[test]
fn who_waits_after_a_failure_blocks_nobody_and_two_of_them_wait_unequally_long() {
    let mut town = town_of(1);
    (0..4).for_each(|_| town.soup());
    (1..=4).for_each(|order| town.fails("k1", order));
    town.soup();
    assert_eq!(town.core.state().kitchen(KitchenNo(0)).waiting.first(), Some(&OrderId(5)), "{}", town.trace());
    let mut came = Vec::new();
    for _ in 0..12 {
        town.advance(50);
        came.push(town.news().matches("(retry)").count());
    }
    assert_eq!(came.iter().sum::<usize>(), 3, "the fourth has no place: {}", town.trace());
    assert!(came.iter().all(|at_once| *at_once < 3), "not all at once: {came:?}");
}

#[test]
fn an_order_waits_a_while_for_another_kitchen_and_no_longer() {
    let mut town = town_of(1);
    town.open("k2", 2, 1, &[]);
    (0..3).for_each(|_| town.soup());
    while town.core.state().kitchen(KitchenNo(1)).held() < 2 {
        town.soup();
    }
    let failed = *town.core.state().kitchen(KitchenNo(0)).waiting.first().expect("one");
    town.news();
    town.fails("k1", failed.0);
    town.advance(4_000);
    assert_eq!(state(&town, failed.0), OrderState::Queued, "the other one is full: {}", town.trace());
    town.advance(2_000);
    assert!(town.news().contains(&format!("leased {failed} to k1")), "{}", town.trace());
}

#[test]
fn a_poison_order_is_set_aside_after_three_kitchens_and_in_a_city_of_one_after_three_attempts() {
    for kitchens in [1, 3] {
        let mut town = town_of(kitchens);
        town.soup();
        for _ in 0..3 {
            town.advance(1_100);
            let order = town.core.state().order(OrderId(1)).expect("known");
            let holder = town.core.state().kitchen(order.kitchen.expect("one")).id.to_string();
            town.fails(&holder, 1);
        }
        assert_eq!(state(&town, 1), OrderState::DeadLettered);
        assert!((0..kitchens as u32).all(|number| note(&town, number).is_none()), "no kitchen's fault");
    }
}

#[test]
fn a_kitchen_that_fails_at_once_is_left_out_and_comes_back_with_its_first_good_order() {
    let mut town = town_of(2);
    let mut failed = 0;
    for _ in 0..20 {
        town.soup();
        while let Some(order) = town.core.state().kitchen(KitchenNo(0)).waiting.first().copied() {
            town.fails("k1", order.0);
            failed += 1;
        }
        town.advance(600);
        cooks_all(&mut town, "k2");
    }
    assert!(matches!(note(&town, 0), Some(Note::Ejected { .. })), "{}", town.trace());
    assert!(failed <= 8, "five, and a probe now and then: {failed}");
    assert_eq!(town.core.state().proof().dead_lettered, 0);
    town.soup();
    let newest = town.core.state().last_order();
    assert!(town.core.decision(newest).expect("kept").excluded.contains(&(KitchenNo(0), Unfit::Ejected)));
    cooks_all(&mut town, "k2");
    town.advance(40_000);
    town.soup();
    cooks_all(&mut town, "k1");
    assert_eq!(note(&town, 0), None, "{}", town.trace());
}

#[test]
fn at_most_half_of_the_city_is_left_out() {
    let mut town = town_of(4);
    for _ in 0..40 {
        (0..4).for_each(|_| town.soup());
        for number in 0..3 {
            while let Some(order) = town.core.state().kitchen(KitchenNo(number)).waiting.first().copied() {
                town.fails(&format!("k{}", number + 1), order.0);
            }
        }
        cooks_all(&mut town, "k4");
        town.advance(700);
    }
    let out = (0..4).filter(|number| matches!(note(&town, *number), Some(Note::Ejected { .. }))).count();
    assert!((1..=2).contains(&out), "{out}");
}

#[test]
fn what_fails_everywhere_is_no_kitchens_fault() {
    let mut town = town_of(4);
    for _ in 0..15 {
        (0..4).for_each(|_| town.soup());
        for number in 0..4 {
            while let Some(order) = town.core.state().kitchen(KitchenNo(number)).waiting.first().copied() {
                town.fails(&format!("k{}", number + 1), order.0);
            }
        }
        town.advance(1_100);
    }
    assert!((0..4).all(|number| note(&town, number).is_none()), "{}", town.trace());
    assert!(town.core.state().proof().dead_lettered > 10);
}

#[test]
fn a_kitchen_that_takes_orders_and_forgets_them_is_no_better_than_one_that_fails() {
    let mut town = town_of(2);
    for order in 1..=8 {
        town.soup();
        if town.core.state().kitchen(KitchenNo(0)).waiting.contains(&OrderId(order)) {
            town.lose_message("k1", order);
        }
        town.advance(1_700);
        assert_ne!(
            town.core.state().order(OrderId(order)).expect("known").kitchen,
            Some(KitchenNo(0)),
            "its lease ran out there: elsewhere first"
        );
        cooks_all(&mut town, "k2");
    }
    assert!(matches!(note(&town, 0), Some(Note::Ejected { .. })), "{}", town.trace());
}

#[test]
fn an_order_that_is_turned_away_goes_elsewhere_first() {
    let mut town = town_of(2);
    town.soup();
    let lease = town.lease("k1", 1);
    town.drops("k1", 1);
    town.beat();
    town.says("k1", AgentMessage::Declined { lease, why: DeclineReason::Full });
    town.beat();
    assert!(town.news().ends_with("leased o1 to k2 by 2 (recover)"), "{}", town.trace());
}

#[test]
fn without_elsewhere_a_failed_order_goes_back_to_where_it_failed() {
    let mut town = Town::with(quiet(), Some(Guard::Elsewhere));
    town.open("k1", 4, 2, &["soup"]);
    town.open("k2", 4, 2, &[]);
    town.soup();
    town.fails("k1", 1);
    town.advance(600);
    assert!(town.news().ends_with("leased o1 to k1 by 2 (retry)"), "{}", town.trace());
}

#[test]
fn what_a_kitchen_says_of_its_time_is_bounded_by_what_was_seen() {
    let mut town = town_of(1);
    town.soup();
    town.advance(2_000);
    let lease = town.lease("k1", 1);
    town.drops("k1", 1);
    town.says("k1", AgentMessage::Completed { lease, cooked_ms: u32::MAX });
    assert_eq!(town.core.state().kitchens()[0].avg_ms, 2_000);
    assert!(town.core.line().wait < 60 * std::time::Duration::from_secs(1));
}

#[test]
fn what_was_cooked_under_an_earlier_leader_counts() {
    let mut town = town_of(1);
    town.stew();
    town.starts("k1", 1);
    town.advance(4_000);
    let (session, lease) = (town.session("k1"), town.lease("k1", 1));
    town.restart();
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    town.advance(200);
    town.drops("k1", 1);
    town.says("k1", AgentMessage::Completed { lease, cooked_ms: u32::MAX });
    assert_eq!(town.core.state().kitchens()[0].avg_ms, 4_200);
}

#[test]
fn no_stage_is_beyond_the_orders_own() {
    let mut town = town_of(1);
    town.pizza();
    let lease = town.lease("k1", 1);
    town.says("k1", AgentMessage::Started { lease, stage: 255 });
    town.says("k1", AgentMessage::StageDone { lease, stage: 255 });
    town.says("k1", AgentMessage::Paused { lease, stages_done: 255 });
    assert_eq!(town.news().lines().next_back(), Some("done o1 stage 2"));
    town.says("k1", AgentMessage::Failed { lease, stage: 255, output: "burnt".into() });
    let trace = town.trace();
    assert!(trace.contains("started o1 at 0") && !trace.contains("255"), "{trace}");
}

#[test]
fn who_is_kept_back_for_long_is_within_the_patience_of_others() {
    // The longest that an order can wait although some kitchen is free: its back-off, and its look for another one.
    let longest =
        limits::BACK_OFF * (1 << (limits::STRIKES_MAX - 2)) + limits::ELSEWHERE_FIRST + limits::ELSEWHERE_AGAIN;
    assert!(longest < std::time::Duration::from_secs(7), "{longest:?}");
}
