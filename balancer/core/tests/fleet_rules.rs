//! Rules about the fleet, as stories: drains, certain deaths, doubt about ourselves, kitchens that come back shaky or slow.

mod town;

use std::time::Duration;

use balancer_core::input::{ConnectionId, RequestId};
use balancer_core::routing::Unfit;
use balancer_core::{Effect, Guard, Input, KitchenNo, Note, Refused, Reply, limits};
use protocol::api::{Health, PolicyView, Schedulable};
use protocol::link::AgentMessage;
use protocol::{OrderId, OrderState};
use town::{Town, by};

const S: Duration = Duration::from_secs(1);

fn quiet() -> PolicyView {
    PolicyView { steal: false, migrate: false, handover: false, ..PolicyView::default() }
}

/// As many kitchens as said, `k1` and on, each with four places and two stations.
fn town_of(kitchens: usize, policy: PolicyView) -> Town {
    let mut town = Town::with(policy, None);
    (1..=kitchens).for_each(|number| town.open(&format!("k{number}"), 4, 2, &[]));
    town.advance(300);
    town.news();
    town
}

fn health(town: &Town, number: u32) -> Health {
    town.core.signs(town.mono(), KitchenNo(number)).health
}

fn schedulable(town: &Town, number: u32) -> Schedulable {
    town.core.state().kitchen(KitchenNo(number)).schedulable
}

fn gone(town: &mut Town, id: &str, pid: u32) -> RequestId {
    let (request, kitchen) = (town.request(), town.kitchen(id));
    town.input(Input::Gone { request, kitchen, pid });
    request
}

fn cook_in(town: &mut Town, id: &str, cooked_ms: u32) -> bool {
    let number = town.core.state().find_kitchen(&town.kitchen(id)).expect("known");
    let Some(order) = town.core.state().kitchen(number).waiting.first().copied() else { return false };
    let lease = town.lease(id, order.0);
    town.drops(id, order.0);
    town.says(id, AgentMessage::Completed { lease, cooked_ms });
    true
}

/// Rounds of soups, two for each kitchen; the kitchens take the given times for each.
fn cook_rounds(town: &mut Town, rounds: usize, times: &[u32]) {
    for _ in 0..rounds {
        (0..times.len() * 2).for_each(|_| town.soup());
        cook_all(town, times);
        town.advance(300);
    }
}

/// Everything that waits is cooked, the fastest kitchen's first.
fn cook_all(town: &mut Town, times: &[u32]) {
    let mut by_time: Vec<(u32, usize)> = times.iter().copied().zip(1..).collect();
    by_time.sort_unstable();
    let mut passed = 0;
    for (cooked_ms, kitchen) in by_time {
        let step = u64::from(cooked_ms.saturating_sub(passed)).next_multiple_of(50);
        town.advance(step);
        passed += step as u32;
        while cook_in(town, &format!("k{kitchen}"), cooked_ms) {}
    }
}

#[test]
fn a_drain_goes_on_after_a_takeover_with_what_is_left_of_its_deadline() {
    for step in [0, 86_400_000, -86_400_000_i64] {
        let mut town = town_of(2, quiet());
        town.open("k3", 1, 1, &["pizza"]);
        town.pizza();
        town.starts("k3", 1);
        town.drain("k3", Some(4 * S), false);
        town.advance(1_000);
        let session = town.session("k3");
        town.set_wall_clock(step);
        town.restart();
        town.news();
        town.hello("k3", ConnectionId(900), session, 1, 1, &["pizza"]);
        let left = if step == 0 {
            3_000
        } else if step > 0 {
            1_500 // the grace of a takeover, also when the clock says that the deadline is long over
        } else {
            4_000 // never more than it had
        };
        town.advance(left - 100);
        assert!(!town.news().contains("drain_deadline"), "{step}");
        town.advance(200);
        assert!(town.news().contains("lost o1: drain_deadline"), "{step}\n{}", town.trace());
    }
}

#[test]
fn a_drain_is_complete_only_when_the_agent_itself_says_empty_after_it_began() {
    let mut town = town_of(2, quiet());
    town.advance(300);
    town.drain("k1", None, false);
    assert_eq!(town.news(), "draining k1", "what it said before says nothing about now");
    town.beat();
    town.advance(100);
    assert_eq!(town.news(), "drained k1");
    assert_eq!(schedulable(&town, 0), Schedulable::Cordoned);
    assert_eq!(town.core.state().kitchen(KitchenNo(0)).drain, None);
}

#[test]
fn a_heartbeat_from_before_the_order_arrived_proves_nothing() {
    let mut town = Town::with(quiet(), None);
    town.open("k1", 4, 2, &[]);
    town.advance(300);
    town.pizza();
    town.drain("k1", None, true);
    let request = town.request();
    town.input(Input::Cancel { request, order: OrderId(1), by: by("ann") });
    // The cook is still on the wire, and so is a heartbeat that was sent before it.
    let cook = town.lease("k1", 1);
    town.drops("k1", 1);
    town.beat();
    town.advance(200);
    assert!(!town.news().contains("drained"));
    // It arrives, and the stop is lost: the next heartbeat names it, until its fence.
    town.says("k1", AgentMessage::Heartbeat { seq: 900, held: vec![cook] });
    town.advance(1_000);
    assert!(!town.news().contains("drained"));
    town.advance(600);
    assert_eq!(town.news(), "drained k1", "a lease after the order ended nobody can cook it");
}

#[test]
fn an_order_that_came_and_went_between_two_heartbeats_does_not_leave_an_old_proof() {
    let mut town = Town::with(quiet(), None);
    town.open("k1", 4, 2, &[]);
    town.advance(300);
    town.drain("k1", None, true);
    town.beat();
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Uncordon { request, kitchen, by: by("ann") });
    town.pizza();
    town.drain("k1", None, true);
    town.completes("k1", 1);
    town.news();
    town.advance(50);
    assert_eq!(town.news(), "");
    town.advance(400);
    assert_eq!(town.news(), "drained k1");
}

#[test]
fn a_dead_kitchen_that_holds_nothing_is_drained() {
    let mut town = town_of(2, quiet());
    town.drain("k1", None, false);
    town.freeze("k1");
    town.advance(1_700);
    assert!(town.news().ends_with("gone k1: kitchen_silent\ndrained k1"), "{}", town.trace());
}

#[test]
fn without_its_proof_a_drain_would_be_called_complete_with_an_order_in_hand() {
    for (without, early) in [(None, false), (Some(Guard::DrainProof), true)] {
        let mut town = Town::with(quiet(), without);
        town.open("k1", 4, 2, &[]);
        town.pizza();
        town.starts("k1", 1);
        town.drain("k1", None, false);
        town.advance(1_000);
        assert_eq!(town.news().contains("drained"), early);
    }
}

#[test]
fn several_drains_share_one_bound_and_none_is_the_target_of_another() {
    let mut town = Town::with(quiet(), None);
    for kitchen in ["k1", "k2"] {
        town.open(kitchen, 20, 1, &[]);
    }
    (0..40).for_each(|_| town.pizza());
    town.open("k3", 100, 1, &[]);
    town.drain("k1", None, false);
    town.drain("k2", None, false);
    town.advance(200);
    let moves: Vec<_> = town.core.moves_in_flight().collect();
    assert_eq!(moves.len(), limits::DRAIN_MOVES_MAX);
    assert!(moves.iter().all(|one| one.to == KitchenNo(2)));
}

#[test]
fn a_drain_counts_the_places_that_another_drain_still_needs() {
    let mut town = Town::with(quiet(), None);
    town.open("k1", 20, 1, &[]);
    (0..20).for_each(|_| town.pizza());
    town.open("k2", 10, 1, &[]);
    (0..10).for_each(|_| town.pizza());
    town.open("k3", 28, 1, &[]);
    town.drain("k1", None, false);
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
    town.drain("k2", None, false);
    let kitchen = town.kitchen("k2");
    assert_eq!(town.refusal(), &Refused::NoRoomToDrain { kitchen, needs: 10, free: 8 });
    assert_eq!(town.refusal().to_string(), "k2 needs 10 places elsewhere and 8 are free: use force, or drain it later");
}

#[test]
fn a_certain_death_waits_for_nothing() {
    let mut town = town_of(2, quiet());
    town.pizza();
    let holder = town.core.state().order(OrderId(1)).and_then(|order| order.kitchen).expect("leased");
    let id = format!("k{}", holder.0 + 1);
    let (lease, connection) = (town.lease(&id, 1), town.connection(&id));
    town.news();
    town.effects.clear();
    gone(&mut town, &id, 77);
    assert_eq!(town.refusal(), &Refused::NotThatProcess { kitchen: town.kitchen(&id), pid: 77 });
    gone(&mut town, &id, 1);
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
    assert!(town.effects.contains(&Effect::Close(connection)));
    let news = town.news();
    assert!(news.starts_with(&format!("gone {id}: process_exited\nlost o1: process_exited\nleased o1 to ")), "{news}");
    // A frame that the dead process had sent.
    town.says(&id, AgentMessage::Completed { lease, cooked_ms: 5 });
    town.says(&id, AgentMessage::Heartbeat { seq: 9, held: vec![lease] });
    assert_eq!(town.news(), "");
    assert_eq!(health(&town, holder.0), Health::Dead);
    gone(&mut town, &id, 1);
    assert!(matches!(town.refusal(), Refused::NotThatProcess { .. }), "dead already");
    town.open(&id, 4, 2, &[]);
    assert_eq!(town.news(), format!("opened {id}"), "the same id is in again at once");
}

#[test]
fn a_new_leader_believes_no_death_of_a_process_that_it_has_not_met() {
    let mut town = town_of(2, quiet());
    town.restart();
    for pid in [0, 1] {
        gone(&mut town, "k1", pid);
        assert_eq!(town.refusal(), &Refused::NotThatProcess { kitchen: town.kitchen("k1"), pid });
    }
}

#[test]
fn half_of_the_kitchens_falling_silent_are_given_up_at_once() {
    let mut town = town_of(4, quiet());
    ["k1", "k2"].into_iter().for_each(|kitchen| town.freeze(kitchen));
    town.advance(1_600);
    assert_eq!(town.core.brake(), None);
    assert_eq!((health(&town, 0), health(&town, 1)), (Health::Dead, Health::Dead));
}

#[test]
fn when_most_kitchens_fall_silent_the_brake_gives_them_up_one_by_one_and_says_so() {
    let mut town = town_of(4, quiet());
    (0..4).for_each(|_| town.pizza());
    town.news();
    ["k1", "k2", "k3"].into_iter().for_each(|kitchen| town.freeze(kitchen));
    town.advance(1_600);
    let brake = town.core.brake().expect("on");
    assert_eq!((brake.silent, brake.of), (3, 4));
    assert!(town.core.panicking(), "nothing is moved meanwhile");
    assert_eq!(town.news(), "", "nobody is given up in the first lease time");
    let dead = |town: &Town| (0..4).filter(|number| health(town, *number) == Health::Dead).count();
    let mut seen = Vec::new();
    for _ in 0..4 {
        town.advance(1_500);
        seen.push(dead(&town));
    }
    assert_eq!(seen, [1, 2, 3, 3], "one in each lease time");
    assert_eq!(town.core.brake(), None, "nobody is left to wait for");
}

#[test]
fn the_brake_comes_off_when_the_kitchens_are_heard_again_and_nothing_was_lost() {
    let mut town = town_of(5, quiet());
    (0..10).for_each(|_| town.pizza());
    town.news();
    let all = ["k1", "k2", "k3", "k4", "k5"];
    all.into_iter().for_each(|kitchen| town.freeze(kitchen));
    town.advance(2_000);
    assert_eq!(town.core.brake().map(|brake| (brake.silent, brake.of)), Some((5, 5)));
    all.into_iter().for_each(|kitchen| town.thaw(kitchen));
    town.advance(500);
    assert_eq!(town.core.brake(), None);
    town.advance(2_000);
    assert_eq!(town.news(), "", "not one lease was lost");
}

#[test]
fn a_lost_order_is_found_out_under_the_brake_too() {
    let mut town = town_of(4, quiet());
    town.open("k5", 4, 2, &["soup"]);
    town.soup();
    ["k1", "k2", "k3"].into_iter().for_each(|kitchen| town.freeze(kitchen));
    town.lose_message("k5", 1);
    town.advance(1_700);
    assert!(town.core.brake().is_some());
    assert!(town.trace().contains("lost o1: lease_expired"), "its kitchen is heard and does not have it");
}

#[test]
fn a_balancer_that_stood_still_blames_itself_and_not_the_agents() {
    for asleep in [1_000, 10_000, 3_600_000] {
        let mut town = town_of(3, quiet());
        (0..6).for_each(|_| town.pizza());
        town.news();
        town.sleep(asleep);
        town.input(Input::Tick);
        town.input(Input::Tick);
        assert_eq!(town.news(), "", "the frames of {asleep} ms have not been read yet");
        town.freeze("k2");
        town.advance(1_400);
        assert_eq!(town.news(), "");
        town.advance(200);
        assert!(town.news().starts_with("gone k2: kitchen_silent"), "one lease later silence counts again");
    }
}

#[test]
fn less_than_half_of_the_capacity_is_a_panic_until_the_missing_are_given_up_for_good() {
    let mut town = town_of(2, quiet());
    town.open("k3", 9, 2, &[]);
    town.kill("k3");
    town.advance(1_700);
    assert!(town.core.panicking(), "8 of 17");
    town.pizza();
    let holder = town.core.state().order(OrderId(1)).and_then(|order| order.kitchen).expect("leased");
    let id = format!("k{}", holder.0 + 1);
    town.drain(&id, None, false);
    assert_eq!(town.refusal(), &Refused::Panic);
    town.drain(&id, None, true);
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
    town.advance(600_000);
    assert!(!town.core.panicking(), "after ten minutes nobody waits for it");
}

#[test]
fn a_returning_kitchen_starts_slowly_and_a_new_one_does_not() {
    let mut town = Town::with(quiet(), None);
    town.open("k1", 40, 2, &[]);
    town.open("k2", 40, 2, &[]);
    town.advance(300);
    assert_eq!(town.core.note(town.mono(), KitchenNo(1)), None, "first time here");
    town.kill("k2");
    town.advance(1_700);
    (0..60).for_each(|_| town.pizza());
    assert_eq!(town.core.state().queued(), 20);
    town.open("k2", 40, 2, &[]);
    let held = |town: &Town| town.core.state().kitchen(KitchenNo(1)).held();
    assert_eq!(held(&town), 4, "a tenth");
    assert_eq!(town.core.note(town.mono(), KitchenNo(1)), Some(Note::WarmingUp { percent: 10 }));
    town.advance(1_000);
    assert!((12..=20).contains(&held(&town)), "{}", held(&town));
    town.advance(2_100);
    assert_eq!((held(&town), town.core.note(town.mono(), KitchenNo(1))), (20, None));
}

#[test]
fn a_new_leader_lets_a_lost_kitchen_start_slowly_too() {
    let mut town = town_of(2, quiet());
    town.kill("k2");
    town.advance(1_700);
    let session = town.session("k1");
    town.restart();
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    town.advance(300);
    town.open("k2", 4, 2, &[]);
    assert_eq!(town.core.note(town.mono(), KitchenNo(1)), Some(Note::WarmingUp { percent: 10 }));
    assert_eq!(town.core.note(town.mono(), KitchenNo(0)), None, "it was here all the time");
}

#[test]
fn who_left_on_purpose_is_trusted_at_once() {
    let mut town = town_of(2, quiet());
    for _ in 0..4 {
        town.says("k2", AgentMessage::Goodbye);
        town.advance(300);
        town.open("k2", 4, 2, &[]);
        assert_eq!(town.core.note(town.mono(), KitchenNo(1)), None);
    }
}

#[test]
fn an_only_kitchen_is_never_held_back() {
    let mut town = Town::with(quiet(), None);
    for _ in 0..5 {
        town.open("k1", 4, 2, &[]);
        town.kill("k1");
        town.advance(2_000);
    }
    town.open("k1", 4, 2, &[]);
    (0..4).for_each(|_| town.pizza());
    assert_eq!(town.core.state().kitchen(KitchenNo(0)).held(), 4);
}

#[test]
fn a_flapping_kitchen_gets_nothing_until_it_has_been_steady() {
    let mut town = town_of(2, quiet());
    for _ in 0..3 {
        town.open("k2", 4, 2, &["pizza"]);
        town.advance(300);
        town.kill("k2");
        town.advance(1_700);
    }
    town.open("k2", 4, 2, &["pizza"]);
    assert_eq!(town.core.note(town.mono(), KitchenNo(1)), Some(Note::HeldDown { left: limits::HOLD_DOWN }));
    town.pizza();
    assert_eq!(town.core.state().kitchen(KitchenNo(1)).held(), 0);
    let excluded = &town.core.decision(OrderId(1)).expect("remembered").excluded;
    assert_eq!(excluded, &[(KitchenNo(1), Unfit::HeldDown)]);
    (0..5).for_each(|_| town.pizza());
    assert_eq!(town.core.state().queued(), 2, "also while orders wait");
    town.kill("k1");
    town.advance(1_700);
    assert!(town.core.state().kitchen(KitchenNo(1)).held() > 0, "but a shaky kitchen is better than none");
}

#[test]
fn a_grey_kitchen_gets_only_probes_until_it_is_normal_again() {
    let mut town = town_of(4, PolicyView { migrate: true, ..quiet() });
    while town.core.state().kitchen(KitchenNo(3)).completed < 8 {
        cook_rounds(&mut town, 1, &[1_000, 950, 1_050, 5_000]);
    }
    town.advance(1_100);
    let Some(Note::Slow { tenths }) = town.core.note(town.mono(), KitchenNo(3)) else {
        panic!("it is five times slower")
    };
    assert!((40..=60).contains(&tenths), "{tenths}");
    assert!((0..3).all(|number| town.core.note(town.mono(), KitchenNo(number)).is_none()));
    (0..3).for_each(|_| town.soup());
    assert_eq!(town.core.state().kitchen(KitchenNo(3)).held(), 0);
    let placed = town.core.state().last_order();
    assert!(town.core.decision(placed).expect("kept").excluded.contains(&(KitchenNo(3), Unfit::Slow)));
    // Half open: one order, and not another before its result is known.
    town.advance(5_000);
    (0..3).for_each(|_| town.soup());
    assert_eq!(town.core.state().kitchen(KitchenNo(3)).held(), 1, "one probe");
    town.advance(1_000);
    assert!(cook_in(&mut town, "k4", 1_000));
    assert_eq!(town.core.note(town.mono(), KitchenNo(3)), None, "the probe was normal");
    town.soup();
    assert_eq!(town.core.state().kitchen(KitchenNo(3)).held(), 1);
}

#[test]
fn a_slow_kitchen_still_takes_the_overflow() {
    let mut town = town_of(3, quiet());
    while town.core.state().kitchen(KitchenNo(2)).completed < 8 {
        cook_rounds(&mut town, 1, &[1_000, 950, 5_000]);
    }
    town.advance(1_100);
    assert!(matches!(town.core.note(town.mono(), KitchenNo(2)), Some(Note::Slow { .. })));
    (0..10).for_each(|_| town.soup());
    assert_eq!(town.core.state().queued(), 2, "the others are full");
    town.advance(300);
    assert_eq!(town.core.state().kitchen(KitchenNo(2)).held(), 2, "as many as it has stations");
}

#[test]
fn what_waits_in_a_grey_kitchen_is_moved_away() {
    let mut town = town_of(4, PolicyView { migrate: true, ..quiet() });
    while town.core.state().kitchen(KitchenNo(3)).completed < 7 {
        (0..6).for_each(|_| town.soup());
        cook_all(&mut town, &[1_000, 950, 1_050]);
        town.advance(3_950);
        cook_in(&mut town, "k4", 5_000);
    }
    while town.core.state().kitchen(KitchenNo(3)).waiting.len() < 3 {
        town.soup();
    }
    town.advance(5_000);
    cook_in(&mut town, "k4", 5_000);
    ["k1", "k2", "k3"].into_iter().for_each(|kitchen| while cook_in(&mut town, kitchen, 1_000) {});
    town.advance(1_200);
    assert!(matches!(town.core.note(town.mono(), KitchenNo(3)), Some(Note::Slow { .. })));
    let moved = town.core.moves_in_flight().find(|one| one.from == KitchenNo(3)).expect("one at least");
    assert_eq!(moved.reason.word(), "slow_kitchen");
}

#[test]
fn a_kitchen_whose_commands_stand_still_is_stuck_long_before_their_limit() {
    let mut town = Town::with(quiet(), None);
    town.stage_timeout_ms = Some(60_000);
    (1..=4).for_each(|number| town.open(&format!("k{number}"), 4, 2, &[]));
    cook_rounds(&mut town, 6, &[3_000, 3_000, 3_000, 3_000]);
    (0..4).for_each(|_| town.stew());
    let order = *town.core.state().kitchen(KitchenNo(0)).waiting.first().expect("each has one");
    for number in 0..4 {
        let waits = *town.core.state().kitchen(KitchenNo(number)).waiting.first().expect("each has one");
        town.starts(&format!("k{}", number + 1), waits.0);
    }
    town.advance(14_000);
    assert_eq!(town.core.note(town.mono(), KitchenNo(0)), None, "five times as long is not over yet");
    town.advance(40_000);
    assert_eq!(town.core.note(town.mono(), KitchenNo(0)), Some(Note::Stuck), "heartbeats go on, cooking does not");
    assert_eq!(town.core.state().kitchen(KitchenNo(0)).held(), 1, "its command may still end");
    town.stage_done("k1", order.0, 0);
    assert_eq!(town.core.note(town.mono(), KitchenNo(0)), None);
}

#[test]
fn fast_kitchens_and_commands_that_ignore_the_menu_never_trip() {
    let mut town = town_of(4, quiet());
    cook_rounds(&mut town, 10, &[1, 2, 9, 40]);
    town.advance(2_000);
    assert!(
        (0..4).all(|number| town.core.note(town.mono(), KitchenNo(number)).is_none()),
        "40 times as slow, by 40 ms"
    );
    // A soup takes a second by the menu and a pizza 3.5; the commands take four seconds for either.
    let mut town = town_of(4, quiet());
    for _ in 0..10 {
        (0..6).for_each(|_| town.pizza());
        cook_all(&mut town, &[4_000, 4_000, 4_000, 4_000]);
        town.soup();
        cook_all(&mut town, &[4_000, 4_000, 4_000, 4_000]);
        town.advance(1_100);
    }
    assert!((0..4).all(|number| town.core.note(town.mono(), KitchenNo(number)).is_none()));
}

#[test]
fn a_poison_order_is_set_aside_and_comes_back_only_by_hand() {
    let mut town = town_of(1, quiet());
    town.soup();
    for _ in 0..3 {
        town.starts("k1", 1);
        town.fails("k1", 1);
        town.advance(1_000);
    }
    let release = |town: &mut Town| {
        let request = town.request();
        town.input(Input::Release { request, order: OrderId(1), by: by("ann") });
    };
    let state = |town: &Town| town.core.state().order(OrderId(1)).expect("known").state;
    assert_eq!(state(&town), OrderState::DeadLettered);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Cordon { request, kitchen: kitchen.clone(), by: by("ann") });
    town.news();
    release(&mut town);
    assert_eq!((town.news().as_str(), state(&town)), ("released o1", OrderState::Queued));
    release(&mut town);
    assert_eq!(town.refusal(), &Refused::NotInQuarantine { order: OrderId(1), state: "queued" });
    let proof = town.core.state().proof();
    assert_eq!((proof.accepted, proof.open, proof.dead_lettered, proof.lost), (1, 1, 0, 0));
    assert_eq!(town.core.state().oldest_open().map(|order| order.id), Some(OrderId(1)));
    let request = town.request();
    town.input(Input::Uncordon { request, kitchen, by: by("ann") });
    assert!(town.news().ends_with("(release)"), "{}", town.trace());
    town.restart();
    town.open("k1", 4, 2, &[]);
    for strike in 1..=3 {
        town.advance(1_000);
        town.starts("k1", 1);
        town.fails("k1", 1);
        assert_eq!(state(&town) == OrderState::DeadLettered, strike == 3, "its record was clean");
    }
    release(&mut town);
    let request = town.request();
    town.input(Input::Release { request, order: OrderId(9), by: by("ann") });
    assert_eq!(town.refusal(), &Refused::NoSuchOrder(OrderId(9)));
}

#[test]
fn without_quarantine_a_poison_order_goes_round_for_ever() {
    let mut town = Town::with(quiet(), Some(Guard::Quarantine));
    town.open("k1", 4, 2, &[]);
    town.soup();
    for _ in 0..6 {
        town.starts("k1", 1);
        town.fails("k1", 1);
        town.advance(4_000);
    }
    assert!(!town.trace().contains("set aside"));
}

#[test]
fn a_city_that_outgrows_a_frame_is_not_taken_over() {
    let city = |letter: char| {
        let dish =
            |number: u32| format!("[[dish]]\nname = \"{letter}{number:043}\"\nstages = [{{ name = \"s\", ms = 1 }}]\n");
        let dishes: String = (0..900).map(dish).collect();
        protocol::city::City::parse(&format!(
            "name = \"T\"\nzone = [{{ name = \"Z\", x_km = 0.0, y_km = 0.0 }}]\n{dishes}"
        ))
        .expect("each fits by itself")
    };
    let settings = balancer_core::Settings::default();
    let mut core = balancer_core::Core::new(balancer_core::State::default(), settings);
    let lead = |letter| Input::Lead { city: Box::new(city(letter)), policy: Box::new(PolicyView::default()) };
    core.handle(balancer_core::Now::default(), lead('a'));
    assert_eq!(core.city_refused(), None);
    let mut next = balancer_core::Core::new(core.state().clone(), settings);
    next.handle(balancer_core::Now::default(), lead('b'));
    assert!(next.city_refused().is_some_and(|why| why.contains("1800 dishes")), "{:?}", next.city_refused());
    assert_eq!(next.state().city(), core.state().city(), "agents can still be welcomed");
}
