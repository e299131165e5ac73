//! Handovers as stories: an order goes on elsewhere from its checkpoint, and whatever fails on the way loses nothing.
//!
//! After each step the town checks that every move in flight holds one reserved place, and no place is held for nothing.

mod town;

use balancer_core::input::ConnectionId;
use balancer_core::{Guard, Input, Refused, Reply};
use protocol::api::{HopKind, PolicyView};
use protocol::link::{AgentMessage, BalancerMessage, DeclineReason, KeepReason, LeaseName, StayReason};
use protocol::{OrderId, OrderState};
use town::{Town, by};

const O1: OrderId = OrderId(1);

/// k1 cooks stew o1, k2 is idle; nothing is stolen.
fn cooking() -> Town {
    cooking_with(PolicyView { steal: false, ..PolicyView::default() }, None)
}

fn cooking_with(policy: PolicyView, without: Option<Guard>) -> Town {
    let mut town = Town::with(policy, without);
    town.open("k1", 4, 1, &["stew"]);
    town.stew();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    town.advance(300);
    town.news();
    town.effects.clear();
    town
}

fn migrate(town: &mut Town, order: u64, to: &str) {
    let (request, to) = (town.request(), town.kitchen(to));
    town.input(Input::Migrate { request, order: OrderId(order), to, by: by("ann") });
}

fn cordon_k1(town: &mut Town) {
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Cordon { request, kitchen, by: by("ann") });
}

fn reserved(town: &mut Town) {
    assert!(town.told("k2", &BalancerMessage::Reserve { order: O1, for_ms: 5_000 }), "{}", town.trace());
    town.says("k2", AgentMessage::Reserved { order: O1 });
}

/// The move is as far as it comes before the source pauses.
fn pausing() -> (Town, LeaseName) {
    let mut town = cooking();
    let lease = town.lease("k1", 1);
    migrate(&mut town, 1, "k2");
    reserved(&mut town);
    assert!(town.told("k1", &BalancerMessage::Handover { lease, max_wait_ms: 2_000 }));
    town.news();
    (town, lease)
}

fn state(town: &Town) -> OrderState {
    town.core.state().order(O1).expect("known").state
}

/// The move has ended without a trace but in the ledger; the source cooks on, and the order can be completed there.
fn goes_on_in_k1(mut town: Town) {
    assert_eq!(town.core.moves_in_flight().count(), 0);
    assert!(town.told("k2", &BalancerMessage::Unreserve { order: O1 }), "{}", town.trace());
    assert_eq!(state(&town), OrderState::Cooking);
    town.completes("k1", 1);
    assert_eq!(state(&town), OrderState::Completed);
    let counts = town.core.state().counts();
    assert_eq!((counts.moves_failed, counts.moves_done, counts.stale_refused), (1, 0, 0));
}

#[test]
fn an_operator_hands_an_order_over_and_it_goes_on_from_its_checkpoint() {
    let mut town = cooking();
    let lease = town.lease("k1", 1);
    town.stage_done("k1", 1, 0);
    migrate(&mut town, 1, "k2");
    reserved(&mut town);
    assert!(town.told("k1", &BalancerMessage::Handover { lease, max_wait_ms: 2_000 }));
    let kind = town.core.moves_in_flight().next().map(|one| one.kind);
    assert_eq!(kind, Some(HopKind::Handover));
    town.advance(500);
    town.stage_done("k1", 1, 1);
    assert!(town.answer().is_none(), "the source has not paused yet");
    town.says("k1", AgentMessage::Paused { lease, stages_done: 2 });
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
    assert!(town.told("k1", &BalancerMessage::Stop(lease)));
    assert_eq!(town.cook("k2", 1).from_stage, 2);
    town.drops("k1", 1);
    town.advance(100);
    town.starts("k2", 1);
    assert_eq!(
        town.news(),
        "done o1 stage 0\nmove o1 to k2\ndone o1 stage 1\nleased o1 to k2 by 2 (handover)\nstarted o1 at 2\n\
         handed over o1 to 2 after 100 ms"
    );
    let moved = *town.core.state().migrations().back().expect("recorded");
    assert_eq!((moved.kind, moved.pause_ms, moved.reason.word()), (HopKind::Handover, Some(100), "operator"));
    assert_eq!(town.core.state().counts().saved_ms, 3_000, "prep and cook by the menu");
    assert_eq!(town.core.state().order(O1).expect("known").hops.last().expect("one").pause_ms, Some(100));
    town.completes("k2", 1);
    assert_eq!(town.core.state().proof().completed, 1);
    assert_eq!(town.core.state().order(O1).expect("known").strikes(), 0, "a handover is no strike");
}

#[test]
fn a_checkpoint_that_was_never_reported_comes_with_the_pause() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert_eq!(town.news(), "done o1 stage 0\nleased o1 to k2 by 2 (handover)");
    assert_eq!(town.cook("k2", 1).from_stage, 1);
    assert_eq!(town.core.state().counts().saved_ms, 1_000);
}

#[test]
fn a_target_that_is_done_before_it_says_that_it_began_ends_the_pause_too() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    town.drops("k1", 1);
    town.advance(1_200);
    town.news();
    town.completes("k2", 1); // cooked for a second
    assert_eq!(town.news(), "handed over o1 to 2 after 200 ms\ncompleted o1 by 2");
}

#[test]
fn a_late_result_of_the_source_is_refused() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    town.completes("k1", 1);
    assert_eq!(town.settled_as_stale(lease), Some(true));
    town.completes("k2", 1);
    assert_eq!((town.core.state().proof().completed, town.core.state().proof().twice), (1, 0));
}

#[test]
fn a_drain_hands_over_what_is_being_cooked() {
    let mut town = cooking();
    let lease = town.lease("k1", 1);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen, deadline: None, force: false, by: by("ann") });
    town.advance(100);
    reserved(&mut town);
    town.stage_done("k1", 1, 0);
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    town.drops("k1", 1);
    town.advance(600);
    let news = town.news();
    assert!(news.contains("done o1 stage 0\nleased o1 to k2 by 2 (handover)"), "{news}");
    assert!(news.ends_with("drained k1"), "{news}");
    assert_eq!(town.core.state().migrations().back().expect("recorded").reason.word(), "drain");
}

#[test]
fn a_drain_hands_nothing_over_where_no_station_is_free_or_the_policy_says_no() {
    let mut town = cooking();
    cordon_k1(&mut town);
    town.stew();
    town.starts("k2", 2);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen, deadline: None, force: false, by: by("ann") });
    town.advance(300);
    assert_eq!(town.core.moves_in_flight().count(), 0);
    assert!(town.core.skips().any(|skip| skip.why.contains("free station")));
    let mut town = cooking_with(PolicyView { steal: false, handover: false, ..PolicyView::default() }, None);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen, deadline: None, force: false, by: by("ann") });
    town.advance(300);
    assert_eq!(town.core.moves_in_flight().count(), 0);
    assert!(town.core.skips().any(|skip| skip.why == "handover is switched off"));
}

#[test]
fn a_refused_handover_is_not_asked_for_again_before_a_second_or_the_next_stage() {
    let mut town = cooking();
    let lease = town.lease("k1", 1);
    let (request, kitchen) = (town.request(), town.kitchen("k1"));
    town.input(Input::Drain { request, kitchen, deadline: None, force: false, by: by("ann") });
    town.advance(100);
    reserved(&mut town);
    town.says("k1", AgentMessage::HandoverRefused { lease, why: StayReason::InTheOven });
    town.advance(900);
    assert_eq!(town.core.moves_in_flight().count(), 0, "not yet");
    town.stage_done("k1", 1, 0);
    town.advance(100);
    assert_eq!(town.core.moves_in_flight().count(), 1, "its stage has changed");
    town.effects.clear();
    town.says("k2", AgentMessage::ReserveRefused { order: O1, why: DeclineReason::Full });
    town.advance(900);
    assert_eq!(town.core.moves_in_flight().count(), 0);
    town.advance(200);
    assert_eq!(town.core.moves_in_flight().count(), 1, "a second has passed");
}

#[test]
fn what_is_in_the_oven_or_nearly_done_finishes_in_place_and_is_not_even_asked() {
    let mut town = Town::new();
    town.open("k1", 4, 2, &["pizza"]);
    town.pizza();
    town.starts("k1", 1);
    town.open("k2", 4, 1, &[]);
    let kitchen = town.kitchen("k1");
    for (stage, why) in [(0, "in_the_oven"), (1, "nearly_done")] {
        town.stage_done("k1", 1, stage);
        migrate(&mut town, 1, "k2");
        assert_eq!(town.refusal(), &Refused::FinishesInPlace { order: O1, kitchen: kitchen.clone(), why });
    }
    assert!(!town.trace().contains("move o1"), "what is refused at once was not tried");
}

#[test]
fn the_source_knows_better_and_the_operator_hears_why() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::HandoverRefused { lease, why: StayReason::NearlyDone });
    let kitchen = town.kitchen("k1");
    assert_eq!(town.refusal(), &Refused::FinishesInPlace { order: O1, kitchen, why: "nearly_done" });
    assert_eq!(town.news(), "not moved o1 (operator): refused");
    assert!(!town.told("k1", &BalancerMessage::Resume(lease)), "it never paused");
    goes_on_in_k1(town);
}

#[test]
fn a_target_without_room_ends_the_move() {
    let mut town = cooking();
    migrate(&mut town, 1, "k2");
    town.says("k2", AgentMessage::ReserveRefused { order: O1, why: DeclineReason::Full });
    assert_eq!(town.refusal(), &Refused::TargetUnfit { kitchen: town.kitchen("k2"), why: "full" });
    assert!(town.told_like("k1", |message| matches!(message, BalancerMessage::Handover { .. })).is_none());
    goes_on_in_k1(town);
}

#[test]
fn a_target_that_closes_while_the_source_pauses_ends_the_move() {
    let (mut town, lease) = pausing();
    town.says("k2", AgentMessage::ReserveRefused { order: O1, why: DeclineReason::Closing });
    assert_eq!(town.refusal(), &Refused::TargetUnfit { kitchen: town.kitchen("k2"), why: "closing" });
    assert!(town.told("k1", &BalancerMessage::Resume(lease)));
    goes_on_in_k1(town);
}

#[test]
fn a_target_that_does_not_answer_ends_the_move_and_its_late_yes_is_given_back() {
    let mut town = cooking();
    migrate(&mut town, 1, "k2");
    town.advance(1_000);
    assert_eq!(town.refusal(), &Refused::TargetSilent { kitchen: town.kitchen("k2") });
    assert_eq!(town.news(), "move o1 to k2\nnot moved o1 (operator): timed_out");
    town.effects.clear();
    town.says("k2", AgentMessage::Reserved { order: O1 });
    goes_on_in_k1(town);
}

#[test]
fn a_source_that_does_not_pause_in_time_is_told_to_go_on_and_its_late_pause_moves_nothing() {
    let (mut town, lease) = pausing();
    town.advance(2_900);
    assert_eq!(town.core.moves_in_flight().count(), 1, "the longest wait, and a second");
    town.advance(100);
    assert_eq!(town.refusal(), &Refused::SourceSilent { kitchen: town.kitchen("k1") });
    assert!(town.told("k1", &BalancerMessage::Resume(lease)));
    migrate(&mut town, 1, "k2");
    assert_eq!(town.refusal(), &Refused::MoveInFlight { order: O1 }, "its answer may still be on its way");
    town.effects.clear();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert!(town.told("k1", &BalancerMessage::Resume(lease)), "and is not taken for that to a new question");
    town.advance(1_500);
    migrate(&mut town, 1, "k2");
    assert!(town.told("k2", &BalancerMessage::Reserve { order: O1, for_ms: 5_000 }));
    assert_eq!(state(&town), OrderState::Cooking);
}

#[test]
fn a_target_that_became_unfit_before_the_pause_lets_the_source_go_on() {
    let (mut town, lease) = pausing();
    let (request, kitchen) = (town.request(), town.kitchen("k2"));
    town.input(Input::Cordon { request, kitchen, by: by("ann") });
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert_eq!(town.news(), "cordoned k2\ndone o1 stage 0\nnot moved o1 (operator): refused");
    assert!(town.told("k1", &BalancerMessage::Resume(lease)));
    goes_on_in_k1(town);
}

#[test]
fn a_target_that_dies_ends_the_move_before_the_source_has_to_wait() {
    let (mut town, lease) = pausing();
    town.kill("k2");
    town.advance(100);
    assert_eq!(town.news(), "not moved o1 (operator): refused");
    assert!(town.told("k1", &BalancerMessage::Resume(lease)));
    assert_eq!(town.core.moves_in_flight().count(), 0);
    town.completes("k1", 1);
    assert_eq!(state(&town), OrderState::Completed);
}

#[test]
fn a_target_whose_reservation_fills_it_is_still_fit() {
    let mut town = cooking();
    cordon_k1(&mut town);
    (0..3).for_each(|_| town.stew());
    assert_eq!(town.core.state().kitchens()[1].held(), 3, "one place is left");
    let lease = town.lease("k1", 1);
    migrate(&mut town, 1, "k2");
    reserved(&mut town);
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert!(town.news().ends_with("leased o1 to k2 by 5 (handover)"), "{}", town.trace());
}

#[test]
fn a_source_that_dies_ends_the_move_and_the_order_is_recovered() {
    let (mut town, _) = pausing();
    town.stage_done("k1", 1, 0);
    town.kill("k1");
    town.advance(2_000);
    let news = town.news();
    assert!(news.contains("not moved o1 (operator): refused\nlost o1: kitchen_silent"), "{news}");
    assert!(news.contains("leased o1 to k2 by 2 (recover)"), "{news}");
    assert_eq!(town.refusal(), &Refused::Overtaken { order: O1, what: "its kitchen lost it" });
    assert_eq!(town.cook("k2", 1).from_stage, 1);
    assert_eq!(town.core.moves_in_flight().count(), 0);
    assert!(town.told("k2", &BalancerMessage::Unreserve { order: O1 }));
}

#[test]
fn cancel_completion_and_failure_in_the_middle_end_the_move() {
    let (mut town, lease) = pausing();
    let migration = town.request().0 - 1;
    let request = town.request();
    town.input(Input::Cancel { request, order: O1, by: by("ann") });
    assert!(
        town.told("k1", &BalancerMessage::Stop(lease)) && town.told("k2", &BalancerMessage::Unreserve { order: O1 })
    );
    let what = "it is cancelled";
    assert!(town.effects.iter().any(|effect| {
        matches!(effect, balancer_core::Effect::Reply(to, Reply::Refused(Refused::Overtaken { what: told, .. }))
            if to.0 == migration && *told == what)
    }));
    assert_eq!(town.news(), "not moved o1 (operator): refused\ncancelled o1");

    let (mut town, _) = pausing();
    town.completes("k1", 1);
    assert_eq!(town.refusal(), &Refused::Overtaken { order: O1, what: "it is done" });
    assert_eq!(town.news(), "not moved o1 (operator): refused\ncompleted o1 by 1");
    assert!(town.told("k2", &BalancerMessage::Unreserve { order: O1 }));

    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Failed { lease, stage: 0, output: "burnt".into() });
    assert_eq!(town.refusal(), &Refused::Overtaken { order: O1, what: "its attempt failed" });
    assert!(town.told("k2", &BalancerMessage::Unreserve { order: O1 }));
}

#[test]
fn a_target_that_loses_the_order_again_leaves_no_pause_behind() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    town.drops("k1", 1);
    let lease = town.lease("k2", 1);
    town.drops("k2", 1);
    town.says("k2", AgentMessage::Declined { lease, why: DeclineReason::Full });
    town.starts("k1", 1);
    assert!(
        town.news().ends_with("lost o1: declined\nleased o1 to k1 by 3 (recover)\nstarted o1 at 1"),
        "{}",
        town.trace()
    );
}

#[test]
fn a_new_leader_knows_nothing_of_a_handover_and_lets_the_source_go_on() {
    let (mut town, lease) = pausing();
    let session = town.session("k1");
    town.restart();
    town.hello("k1", ConnectionId(900), session, 4, 1, &["stew"]);
    town.effects.clear();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert!(town.told("k1", &BalancerMessage::Resume(lease)));
    assert_eq!(state(&town), OrderState::Cooking);
    assert_eq!(town.core.state().order(O1).expect("known").stages_done, 1, "the checkpoint is kept all the same");
}

#[test]
fn a_leader_that_dies_after_the_commit_leaves_the_order_with_the_target() {
    let (mut town, lease) = pausing();
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    let (first, second) = (town.session("k1"), town.session("k2"));
    town.restart();
    town.hello("k1", ConnectionId(900), first, 4, 1, &["stew"]);
    town.hello("k2", ConnectionId(901), second, 4, 1, &[]);
    town.effects.clear();
    town.says("k1", AgentMessage::Heartbeat { seq: 1, held: vec![lease] });
    let lost = |message: &BalancerMessage| matches!(message, BalancerMessage::Renewed { lost, .. } if *lost == [lease]);
    assert!(town.told_like("k1", lost).is_some());
    town.starts("k2", 1);
    assert!(town.news().ends_with("started o1 at 1"), "how long the pause was is not known any more");
}

#[test]
fn an_order_that_is_started_while_it_is_asked_back_is_handed_over_instead() {
    let mut town = Town::with(PolicyView { steal: false, ..PolicyView::default() }, None);
    town.open("k1", 4, 1, &["stew"]);
    town.stew();
    town.open("k2", 4, 1, &[]);
    migrate(&mut town, 1, "k2");
    assert!(town.asked_to_release("k1", 1));
    town.starts("k1", 1);
    let lease = town.lease("k1", 1);
    town.says("k1", AgentMessage::ReleaseRefused { lease, why: KeepReason::Started });
    reserved(&mut town);
    town.says("k1", AgentMessage::Paused { lease, stages_done: 0 });
    assert!(matches!(town.answer(), Some(Reply::Done(_))));
}

#[test]
fn with_less_than_half_of_the_capacity_alive_nothing_is_moved() {
    let mut town = cooking();
    town.open("k3", 4, 1, &[]);
    town.kill("k2");
    town.kill("k3");
    town.advance(2_000);
    migrate(&mut town, 1, "k2");
    assert_eq!(town.refusal(), &Refused::Panic);
}

#[test]
fn without_waiting_for_the_pause_two_kitchens_would_cook_at_once() {
    let policy = PolicyView { steal: false, ..PolicyView::default() };
    let mut town = cooking_with(policy, Some(Guard::PauseFirst));
    migrate(&mut town, 1, "k2");
    reserved(&mut town);
    assert!(town.news().ends_with("leased o1 to k2 by 2 (handover)"), "the guard is what makes it wait");
}

#[test]
fn without_the_checkpoint_the_target_would_begin_anew() {
    let policy = PolicyView { steal: false, ..PolicyView::default() };
    let mut town = cooking_with(policy, Some(Guard::Checkpoint));
    let lease = town.lease("k1", 1);
    migrate(&mut town, 1, "k2");
    reserved(&mut town);
    town.says("k1", AgentMessage::Paused { lease, stages_done: 1 });
    assert_eq!(town.core.state().order(O1).expect("known").stages_done, 1);
    assert_eq!(town.cook("k2", 1).from_stage, 0, "the ledger says otherwise");
}
