//! What the balancer does, as stories: a few steps, and the facts that follow, line by line.

mod town;

use std::time::Duration;

use balancer_core::input::ConnectionId;
use balancer_core::{Effect, Guard, Input, Refused, Reply};
use protocol::api::{Algorithm, PolicyView, Proof};
use protocol::link::{AgentMessage, BalancerMessage, DeclineReason, KeepReason, Refusal};
use protocol::{OrderId, OrderState, Priority};
use town::{Town, by};

fn state(town: &Town, order: u64) -> OrderState {
    town.core.state().order(OrderId(order)).expect("known").state
}

#[test]
fn an_order_goes_its_whole_way() {
    let mut town = Town::new();
    town.open("k1", 2, 1, &["pizza"]);
    town.pizza();
    assert_eq!(town.receipt().state, OrderState::Leased);
    town.starts("k1", 1);
    town.stage_done("k1", 1, 0);
    town.stage_done("k1", 1, 1);
    town.completes("k1", 1);
    assert_eq!(
        town.news(),
        "opened k1\naccepted o1\nleased o1 to k1 by 1 (dispatch)\nstarted o1 at 0\ndone o1 stage 0\ndone o1 stage 1\ncompleted o1 by 1"
    );
    let proof = town.core.state().proof();
    assert_eq!((proof.accepted, proof.completed, proof.open, proof.lost), (1, 1, 0, 0));
}

#[test]
fn without_a_kitchen_orders_wait_and_go_out_by_urgency_then_age() {
    let mut town = Town::new();
    town.pizza();
    town.pizza();
    town.order(0, Priority::High, None);
    assert_eq!(state(&town, 1), OrderState::Queued);
    town.open("k1", 2, 1, &[]);
    assert_eq!(
        town.news(),
        "accepted o1\naccepted o2\naccepted o3\nopened k1\nleased o3 to k1 by 1 (dispatch)\nleased o1 to k1 by 2 (dispatch)"
    );
    town.completes("k1", 3);
    assert_eq!(town.news(), "completed o3 by 1\nleased o2 to k1 by 3 (dispatch)");
}

#[test]
fn a_dead_kitchens_orders_are_elsewhere_within_three_seconds_from_their_checkpoint() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["pizza"]);
    town.open("k2", 4, 2, &[]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.stage_done("k1", 1, 0);
    town.advance(1_000);
    town.news();
    town.kill("k1");
    town.advance(3_000);
    let news = town.news();
    assert_eq!(
        news,
        "gone k1: kitchen_silent\nlost o1: kitchen_silent\nlost o2: kitchen_silent\nleased o1 to k2 by 3 (recover)\nleased o2 to k2 by 4 (recover)"
    );
    assert_eq!(town.cook("k2", 1).from_stage, 1, "prep is not done again");
    assert_eq!(town.cook("k2", 1).attempt, 2);
}

#[test]
fn silence_is_shown_before_it_is_acted_on() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.open("k2", 4, 2, &[]);
    town.advance(300);
    town.freeze("k1");
    town.advance(900);
    town.news();
    let signs = town.core.signs(Duration::from_millis(100_000 + 1_200), balancer_core::KitchenNo(0));
    assert_eq!(signs.health, protocol::api::Health::Suspected);
    assert!(signs.lease_left.expect("still leased") > Duration::ZERO);
    town.pizza();
    assert!(town.news().contains("leased o1 to k2"), "a suspected kitchen gets nothing new");
    town.thaw("k1");
    town.advance(300);
    assert_eq!(town.news(), "", "and nothing was taken from it");
}

#[test]
fn a_thawed_kitchens_late_result_is_refused_and_counted() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["soup"]);
    town.open("k2", 4, 2, &[]);
    town.soup();
    town.starts("k1", 1);
    town.freeze("k1");
    town.advance(3_000);
    let late = town.lease("k1", 1);
    town.news();
    town.thaw("k1");
    town.completes("k1", 1);
    assert_eq!(town.settled_as_stale(late), Some(true));
    town.completes("k2", 1);
    assert_eq!(town.news(), "refused o1 of k1 by 1\ncompleted o1 by 2");
    let proof = town.core.state().proof();
    assert_eq!((proof.completed, proof.twice, proof.stale_refused), (1, 0, 1));
}

#[test]
fn without_the_fencing_check_the_late_result_would_be_taken() {
    let mut town = Town::with(PolicyView::default(), Some(Guard::Fencing));
    town.open("k1", 4, 2, &["soup"]);
    town.open("k2", 4, 2, &[]);
    town.soup();
    town.freeze("k1");
    town.advance(3_000);
    town.thaw("k1");
    town.completes("k1", 1);
    assert!(town.news().ends_with("completed o1 by 1"), "the guard is what refuses it");
}

#[test]
fn a_result_that_comes_twice_is_settled_twice_and_counted_once() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    let lease = town.lease("k1", 1);
    town.completes("k1", 1);
    town.effects.clear();
    town.says("k1", AgentMessage::Completed { lease, cooked_ms: 5 });
    assert_eq!(town.settled_as_stale(lease), Some(false));
    assert_eq!(town.core.state().proof().completed, 1);
}

#[test]
fn an_order_lost_on_the_wire_is_not_renewed_by_heartbeats_that_do_not_name_it() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    town.lose_message("k1", 1);
    town.advance(1_600);
    assert!(town.news().ends_with("lost o1: lease_expired\nleased o1 to k1 by 2 (recover)"), "{}", town.trace());
}

#[test]
fn a_restarted_agent_loses_its_orders_at_once() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    town.kill("k1");
    town.news();
    town.open("k1", 4, 2, &[]);
    assert_eq!(town.news(), "lost o1: agent_restarted\nopened k1\nleased o1 to k1 by 2 (recover)");
}

#[test]
fn the_same_process_keeps_its_orders_over_a_reconnect() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    town.starts("k1", 1);
    let (session, lease) = (town.session("k1"), town.lease("k1", 1));
    town.news();
    let connection = town.connection("k1");
    town.input(Input::Left { connection });
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    town.beat();
    town.says("k1", AgentMessage::Completed { lease, cooked_ms: 5 });
    assert_eq!(town.news(), "completed o1 by 1");
}

#[test]
fn a_closing_kitchen_is_given_nothing_more_and_its_orders_do_not_bounce() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["soup"]);
    town.soup();
    let lease = town.lease("k1", 1);
    town.news();
    town.says("k1", AgentMessage::Declined { lease, why: DeclineReason::Closing });
    assert_eq!(town.news(), "lost o1: declined");
    town.advance(600);
    assert_eq!(town.news(), "", "also after its next heartbeats");
    town.open("k2", 4, 2, &[]);
    assert_eq!(town.news(), "opened k2\nleased o1 to k2 by 2 (recover)");
}

#[test]
fn a_kitchen_that_declines_for_want_of_room_is_asked_again_after_its_next_heartbeat() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["soup"]);
    town.soup();
    let lease = town.lease("k1", 1);
    town.says("k1", AgentMessage::Declined { lease, why: DeclineReason::Full });
    assert_eq!(state(&town, 1), OrderState::Queued);
    town.advance(300);
    assert_eq!(state(&town, 1), OrderState::Leased);
}

#[test]
fn a_kitchen_that_does_not_hear_loses_its_connection_and_gets_nothing_until_it_says_hello() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["soup"]);
    town.soup();
    town.soup();
    town.starts("k1", 1);
    let connection = town.connection("k1");
    town.news();
    town.effects.clear();
    town.says("k1", AgentMessage::Deaf);
    assert_eq!(town.news(), "lost o1: declined\nlost o2: declined", "begun, or still on its way");
    assert!(town.effects.contains(&Effect::Close(connection)));
    town.says("k1", AgentMessage::Heartbeat { seq: 9, held: Vec::new() });
    town.advance(100);
    assert_eq!(town.news(), "", "a heartbeat says that it speaks, not that it hears");
    town.hello("k1", ConnectionId(901), 1, 4, 2, &["soup"]);
    assert_eq!(state(&town, 1), OrderState::Leased);
}

#[test]
fn a_second_agent_with_a_living_id_is_refused_and_harms_nothing() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.advance(300);
    town.effects.clear();
    let first = town.connection("k1");
    town.hello("k1", ConnectionId(900), 77, 4, 2, &[]);
    let refused = town.effects.iter().any(|effect| {
        matches!(effect, Effect::Tell(to, BalancerMessage::Refused(Refusal::Alive { .. })) if *to == ConnectionId(900))
    });
    assert!(refused);
    town.effects.clear();
    town.pizza();
    assert!(
        town.effects.iter().any(|effect| matches!(effect, Effect::Tell(to, _) if *to == first)),
        "the first still cooks"
    );
}

#[test]
fn three_strikes_set_an_order_aside_with_its_output() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    for attempt in 1..=3 {
        town.advance(1_000);
        town.starts("k1", 1);
        let lease = town.lease("k1", 1);
        town.says("k1", AgentMessage::Failed { lease, stage: 0, output: format!("burnt {attempt}\u{1b}[2J") });
    }
    assert!(town.news().ends_with("failed o1: burnt 3␛[2J\nset aside o1 after 3"), "{}", town.trace());
    let order = town.core.state().order(OrderId(1)).expect("known");
    assert_eq!(order.failure.as_deref(), Some("burnt 3␛[2J"));
}

#[test]
fn a_failure_that_is_reported_again_is_settled_and_not_counted_as_late() {
    let mut town = Town::new();
    town.open("k1", 1, 1, &[]);
    town.soup();
    let lease = town.lease("k1", 1);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Cordon { request, kitchen, by: by("ann") });
    for _ in 0..2 {
        town.says("k1", AgentMessage::Failed { lease, stage: 255, output: "burnt".into() });
    }
    assert!(town.settled_as_stale(lease).is_some());
    assert_eq!(town.core.state().proof().stale_refused, 0);
}

#[test]
fn losing_its_kitchen_before_it_was_started_is_no_strike() {
    let mut town = Town::new();
    for _ in 0..5 {
        town.open("k1", 4, 2, &[]);
        if town.core.state().last_order() == OrderId(0) {
            town.soup();
        }
        town.kill("k1");
        town.advance(2_000);
    }
    assert_eq!(state(&town, 1), OrderState::Queued);
    assert_eq!(town.core.state().order(OrderId(1)).expect("known").attempt, 5);
}

#[test]
fn the_same_key_is_the_same_order_and_another_body_is_refused() {
    let mut town = Town::new();
    town.order(0, Priority::Normal, Some("a"));
    let first = town.receipt().id;
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == first));
    town.order(1, Priority::Normal, Some("a"));
    assert_eq!(town.refusal(), &Refused::IdempotencyConflict { order: first });
    assert_eq!(town.core.state().proof().accepted, 1);
}

#[test]
fn a_key_survives_a_restart() {
    let mut town = Town::new();
    town.order(0, Priority::Normal, Some("a"));
    town.restart();
    town.order(0, Priority::Normal, Some("a"));
    assert!(matches!(town.answer(), Some(Reply::Replayed(receipt)) if receipt.id == OrderId(1)));
}

#[test]
fn after_a_restart_nothing_expires_for_one_lease_and_agents_go_on() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.open("k2", 4, 2, &[]);
    town.soup();
    town.soup();
    let (lease, session) = (town.lease("k1", 1), town.session("k1"));
    town.news();
    town.restart();
    town.advance(1_000);
    assert_eq!(town.news(), "epoch 2", "one lease of grace");
    town.hello("k1", ConnectionId(900), session, 4, 2, &[]);
    town.beat();
    town.says("k1", AgentMessage::Completed { lease, cooked_ms: 5 });
    town.advance(1_000);
    let news = town.news();
    assert!(news.starts_with("completed o1 by 1\n"), "a lease of the old epoch is still good: {news}");
    assert!(
        news.contains("gone k2: kitchen_silent\nlost o2: kitchen_silent\nleased o2 to k1 by 3 (recover)"),
        "{news}"
    );
}

#[test]
fn a_cancelled_order_is_stopped_and_its_late_result_refused() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &[]);
    town.soup();
    town.starts("k1", 1);
    let request = town.request();
    town.input(Input::Cancel { request, order: OrderId(1), by: by("ann") });
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
    let lease = town.lease("k1", 1);
    assert!(
        town.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Tell(_, BalancerMessage::Stop(stopped)) if *stopped == lease))
    );
    town.completes("k1", 1);
    assert!(town.news().ends_with("cancelled o1\nrefused o1 of k1 by 1"));
    let request = town.request();
    town.input(Input::Cancel { request, order: OrderId(1), by: by("ann") });
    assert_eq!(town.refusal(), &Refused::AlreadyEnded { order: OrderId(1), state: "cancelled" });
}

#[test]
fn a_cordoned_kitchen_gets_nothing_new_and_keeps_what_it_has() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["pizza"]);
    town.pizza();
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Cordon { request, kitchen: kitchen.clone(), by: by("ann") });
    town.pizza();
    town.news();
    assert_eq!(state(&town, 2), OrderState::Queued);
    let request = town.request();
    town.input(Input::Uncordon { request, kitchen: kitchen.clone(), by: by("ann") });
    assert_eq!(town.news(), "open k1\nleased o2 to k1 by 2 (dispatch)");
    let request = town.request();
    town.input(Input::Uncordon { request, kitchen, by: by("ann") });
    assert!(matches!(town.refusal(), Refused::NothingToChange { .. }));
}

#[test]
fn a_drain_moves_what_waits_lets_the_rest_finish_and_ends_when_the_agent_says_empty() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    town.news();
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen, deadline: None, force: false, by: by("ann") });
    assert!(town.asked_to_release("k1", 2));
    town.releases("k1", 2);
    assert_eq!(town.news(), "draining k1\nleased o2 to k2 by 3 (reassign)");
    town.advance(1_000);
    assert_eq!(town.news(), "", "it still cooks");
    town.completes("k1", 1);
    town.advance(600);
    assert_eq!(town.news(), "completed o1 by 1\ndrained k1");
}

#[test]
fn a_drain_without_room_elsewhere_is_refused_unless_forced() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["pizza"]);
    (0..3).for_each(|_| town.pizza());
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen: kitchen.clone(), deadline: None, force: false, by: by("ann") });
    assert_eq!(town.refusal(), &Refused::NoRoomToDrain { kitchen: kitchen.clone(), needs: 3, free: 0 });
    let (request, deadline) = (town.request(), Some(Duration::from_secs(2)));
    town.input(Input::Drain { request, kitchen, deadline, force: true, by: by("ann") });
    town.news();
    town.advance(2_100);
    assert_eq!(town.news(), "lost o1: drain_deadline\nlost o2: drain_deadline\nlost o3: drain_deadline");
}

#[test]
fn an_idle_station_takes_the_oldest_waiting_order_it_is_a_specialist_for() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.soup();
    town.pizza();
    town.starts("k1", 1);
    town.news();
    town.open("k2", 4, 1, &["pizza"]);
    assert!(town.asked_to_release("k1", 3), "o2 is older, but soup is not its specialty");
    assert!(!town.asked_to_release("k1", 2));
    town.releases("k1", 3);
    assert_eq!(town.news(), "opened k2\nleased o3 to k2 by 4 (reassign)");
    let moved = town.core.state().migrations().back().expect("recorded");
    assert_eq!(moved.reason.word(), "idle_station");
}

#[test]
fn an_order_that_waits_longer_than_patience_is_taken_by_anyone() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["soup"]);
    town.soup();
    town.soup();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &["pizza"]);
    town.advance(1_500);
    assert!(!town.asked_to_release("k1", 2));
    town.advance(1_000);
    assert!(town.asked_to_release("k1", 2), "two mean cooking times of one second have passed");
}

#[test]
fn a_source_that_has_begun_keeps_the_order() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &["pizza"]);
    town.news();
    let lease = town.lease("k1", 2);
    town.says("k1", AgentMessage::ReleaseRefused { lease, why: KeepReason::Started });
    town.starts("k1", 2);
    assert!(town.news().starts_with("not moved o2 (idle_station): refused\nstarted o2 at 0"));
}

#[test]
fn a_source_that_does_not_answer_keeps_the_order_and_its_late_yes_loses_nothing() {
    let mut town = Town::new();
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &["pizza"]);
    let request = town.request();
    let to = town.kitchen("k2");
    town.input(Input::Migrate { request, order: OrderId(2), to, by: by("ann") });
    assert_eq!(town.refusal(), &Refused::MoveInFlight { order: OrderId(2) });
    town.news();
    town.advance(1_000);
    assert!(town.news().starts_with("not moved o2 (idle_station): timed_out"), "{}", town.trace());
    town.releases("k1", 2);
    assert!(state(&town, 2).is_open());
    town.advance(2_000);
    assert_eq!(town.core.state().proof(), Proof { accepted: 2, open: 2, ..town.core.state().proof() });
}

#[test]
fn an_operator_moves_an_order_and_hears_when_it_is_there() {
    let policy = PolicyView { steal: false, ..PolicyView::default() };
    let mut town = Town::with(policy, None);
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    let to = town.kitchen("k2");
    let request = town.request();
    town.input(Input::Migrate { request, order: OrderId(2), to, by: by("ann") });
    assert!(town.answer().is_none(), "the source has not answered yet");
    town.releases("k1", 2);
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
}

#[test]
fn a_move_that_an_operator_ordered_of_a_leader_that_ended_is_said_to_have_failed() {
    let policy = PolicyView { steal: false, ..PolicyView::default() };
    let mut town = Town::with(policy, None);
    town.open("k1", 4, 1, &["pizza"]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    let (to, request) = (town.kitchen("k2"), town.request());
    town.input(Input::Migrate { request, order: OrderId(2), to, by: by("ann") });
    town.restart();
    let news = town.news();
    assert!(news.contains("leader_lost"), "{news}");
    town.restart();
    assert!(!town.news().contains("leader_lost"), "once");
}

#[test]
fn an_overloaded_kitchen_gives_two_a_cycle_to_one_below_half_until_it_is_calm() {
    let policy = PolicyView { steal: false, min_stay_ms: 0, ..PolicyView::default() };
    let mut town = Town::with(policy, None);
    town.open("k1", 10, 2, &["pizza"]);
    (0..10).for_each(|_| town.pizza());
    town.starts("k1", 1);
    town.starts("k1", 2);
    town.open("k2", 10, 5, &[]);
    town.news();
    town.effects.clear();
    town.advance(500);
    assert!(town.asked_to_release("k1", 10) && town.asked_to_release("k1", 9), "the newest wait longest");
    assert!(!town.asked_to_release("k1", 8), "two a cycle");
    town.releases("k1", 10);
    town.releases("k1", 9);
    town.advance(500);
    assert!(town.asked_to_release("k1", 8), "80 % is still above calm");
    town.releases("k1", 8);
    town.releases("k1", 7);
    town.effects.clear();
    town.advance(1_000);
    assert!(!town.asked_to_release("k1", 6), "60 % is calm");
}

#[test]
fn a_skipped_migration_says_why() {
    let policy = PolicyView { steal: false, min_stay_ms: 0, ..PolicyView::default() };
    let mut town = Town::with(policy, None);
    town.open("k1", 2, 1, &[]);
    town.pizza();
    town.pizza();
    town.starts("k1", 1);
    town.advance(1_000);
    let skips: Vec<&str> = town.core.skips().map(|skip| skip.why).collect();
    assert_eq!(skips, ["no kitchen is below the available threshold"], "once, not every cycle");
}

#[test]
fn a_rush_makes_about_as_many_orders_as_it_says_and_ends_by_itself() {
    let mut town = Town::with(PolicyView { max_wait_ms: 0, ..PolicyView::default() }, None);
    let (request, lasts) = (town.request(), Duration::from_secs(10));
    town.input(Input::StartRush { request, rate: 20.0, lasts, zone: None, by: by("ann") });
    town.advance(12_000);
    let accepted = town.core.state().proof().accepted;
    assert!((150..250).contains(&accepted), "{accepted}");
    assert!(town.news().ends_with("rush over"));
    let request = town.request();
    town.input(Input::StopRush { request, by: by("ann") });
    assert_eq!(town.refusal(), &Refused::NoRush);
}

#[test]
fn a_rush_goes_on_under_the_next_leader_for_what_is_left_of_its_time() {
    let mut town = Town::with(PolicyView { max_wait_ms: 0, ..PolicyView::default() }, None);
    let (request, lasts) = (town.request(), Duration::from_secs(10));
    town.input(Input::StartRush { request, rate: 20.0, lasts, zone: None, by: by("ann") });
    town.advance(4_000);
    town.sleep(1_000);
    town.restart();
    assert_eq!(town.core.rush_left(town.mono()), Some(Duration::from_secs(5)));
    let before = town.core.state().proof().accepted;
    town.advance(4_900);
    assert!((50..150).contains(&(town.core.state().proof().accepted - before)));
    assert!(!town.news().contains("rush over"));
    town.advance(200);
    assert!(town.news().ends_with("rush over"), "to the moment");
}

#[test]
fn a_rush_whose_time_is_over_when_the_next_leader_comes_is_ended_by_it() {
    let mut town = Town::new();
    let (request, lasts) = (town.request(), Duration::from_secs(10));
    town.input(Input::StartRush { request, rate: 20.0, lasts, zone: None, by: by("ann") });
    town.sleep(60_000);
    town.restart();
    assert!(town.news().ends_with("epoch 2\nrush over"));
    town.restart();
    assert!(town.news().ends_with("epoch 3"), "once");
}

#[test]
fn every_policy_completes_everything() {
    for algorithm in Algorithm::ALL {
        let mut town = Town::with(PolicyView { algorithm, ..PolicyView::default() }, None);
        town.open("k1", 3, 3, &["pizza"]);
        town.open("k2", 2, 2, &["soup"]);
        (0..5).for_each(|_| town.pizza());
        assert_eq!(town.core.state().queued(), 0, "{algorithm}");
    }
}

#[test]
fn a_decision_can_be_explained_with_who_was_out_and_why() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["pizza"]);
    town.open("k2", 4, 2, &[]);
    town.open("k3", 4, 2, &[]);
    let (request, kitchen) = (town.request(), town.kitchen("k3"));
    town.input(Input::Cordon { request, kitchen, by: by("ann") });
    town.pizza();
    let decision = town.core.decision(OrderId(1)).expect("remembered");
    let order: Vec<u32> = decision.candidates.iter().map(|candidate| candidate.kitchen.0).collect();
    assert_eq!(order, [0, 1], "best first");
    assert_eq!(decision.excluded, [(balancer_core::KitchenNo(2), balancer_core::routing::Unfit::Cordoned)]);
    assert!(decision.candidates[0].specialty > decision.candidates[1].specialty);
}
