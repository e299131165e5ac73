//! Stories about handing an order over: pausing, going on, and keeping a place for one that comes.

use super::*;

fn hand_over(order: u64, max_wait_ms: u32) -> BalancerMessage {
    BalancerMessage::Handover { lease: lease(order, order), max_wait_ms }
}

fn resume(order: u64) -> BalancerMessage {
    BalancerMessage::Resume(lease(order, order))
}

/// Cooks o1 at 1 s, with nothing in the trace.
fn cooking(config: AgentConfig) -> Story {
    let mut story = Story::welcomed(config);
    story.cook(1, 1, SOUP);
    story.trace.clear();
    story
}

#[test]
fn a_handover_pauses_at_the_next_checkpoint_and_goes_on_there_when_told() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 2_000));
    story.expect(&[]);
    story.until(1_100);
    story.expect(&["stage_done o1@1 stage 0", "paused o1@1 after 1"]);
    assert_eq!((story.agent.holding(), story.agent.cooking()), (1, 0));
    story.until(1_200);
    story.hear(resume(1));
    story.expect(&[]);
    story.until(1_400);
    story.expect(&["stage_done o1@1 stage 1", "completed o1@1 in 400"]);
}

#[test]
fn after_the_longest_wait_a_stage_is_broken_off_and_begins_anew() {
    let mut story = cooking(AgentConfig { speed: 0.5, ..config() });
    story.until(1_250); // stages of 200 ms: the second is under way
    story.trace.clear();
    story.hear(hand_over(1, 100));
    story.until(1_350);
    story.expect(&["paused o1@1 after 1"]);
    story.hear(resume(1));
    story.until(1_549);
    story.expect(&[]);
    story.until(1_550);
    story.expect(&["stage_done o1@1 stage 1"]);
}

#[test]
fn a_paused_order_is_named_keeps_its_place_and_lends_its_station() {
    let mut story = cooking(AgentConfig { stations: 1, capacity: 2, ..config() });
    story.cook(2, 2, SOUP);
    story.hear(hand_over(1, 0));
    story.expect(&["paused o1@1 after 0", "started o2@2 stage 0"]);
    story.cook(3, 3, SOUP);
    story.expect(&["declined o3@3: Full"]);
    story.beats = true;
    story.until(1_300);
    story.trace.retain(|line| line.starts_with("heartbeat"));
    story.expect(&["heartbeat 2 [o1@1]"]); // o2 is done in the same moment
}

#[test]
fn a_resumed_order_waits_for_a_station_but_goes_before_all_others() {
    let mut story = cooking(AgentConfig { stations: 1, ..config() });
    story.hear(hand_over(1, 0));
    story.cook(2, 2, SOUP);
    let BalancerMessage::Cook { seen, mut cook } = offer(story.newest(), 3, 3, SOUP) else { unreachable!() };
    cook.priority = Priority::High;
    story.hear(BalancerMessage::Cook { seen, cook });
    story.trace.clear();
    story.hear(resume(1));
    story.until(1_300);
    story.trace.drain(..2);
    story.expect(&["completed o2@2 in 300"]);
    story.until(1_400);
    story.expect(&["stage_done o1@1 stage 0"]);
}

#[test]
fn without_a_word_it_goes_on_by_itself_if_its_lease_is_renewed() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 0));
    story.until_answered(2_499);
    story.expect(&["paused o1@1 after 0"]);
    story.until_answered(2_600);
    story.expect(&["stage_done o1@1 stage 0"]);
}

#[test]
fn without_a_word_and_without_renewal_the_fence_comes_before_it_would_go_on() {
    let mut story = cooking(config());
    story.until_answered(1_050); // its fence is at 2.2 s
    story.hear(hand_over(1, 0));
    story.until(9_000);
    story.expect(&["paused o1@1 after 0", "declined o1@1: Late", "deaf", "hang up"]);
    assert_eq!((story.agent.holding(), story.agent.counters().fenced), (0, 1));
}

#[test]
fn a_pause_that_was_caught_up_on_late_is_counted_from_when_it_is_told() {
    let mut story = cooking(AgentConfig { speed: 0.1, ..config() });
    story.until_answered(1_900); // its fence is at 3 s, that of its newest beat
    story.cook_seen(1, 2, 2, SOUP); // and o2's at 2.2 s
    story.hear(hand_over(1, 5_000));
    story.trace.clear();
    story.now = ms(2_950); // stopped meanwhile; o1's stage ended at 2 s, before o2's fence
    story.input(Input::Wake);
    assert!(story.trace.contains(&"paused o1@1 after 1".to_owned()), "{:?}", story.trace);
    story.hear(BalancerMessage::Renewed { seq: story.newest(), lost: Vec::new() });
    story.until_answered(4_449);
    assert_eq!(story.agent.cooking(), 0, "2.2 s and the longest pause are over, but it was told at 2.95 s");
    story.until_answered(4_450);
    assert_eq!(story.agent.cooking(), 1);
}

#[test]
fn what_cannot_be_handed_over_says_why() {
    let mut story = Story::welcomed(AgentConfig { stations: 1, ..config() });
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.until(1_250);
    story.trace.clear();
    for message in [hand_over(1, 0), hand_over(2, 0), hand_over(9, 0)] {
        story.hear(message);
    }
    story.hear(BalancerMessage::Handover { lease: lease(1, 9), max_wait_ms: 0 });
    story.expect(&[
        "cooks on o1@1: NearlyDone",
        "cooks on o2@2: NotStarted",
        "cooks on o9@9: Unknown",
        "cooks on o1@9: Unknown",
    ]);
    story.until(1_300);
    story.trace.clear();
    story.hear(hand_over(1, 0));
    story.expect(&["cooks on o1@1: Finished"]);
}

#[test]
fn in_the_oven_it_stays() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, ROAST);
    story.until(1_100);
    story.trace.clear();
    story.hear(hand_over(1, 0));
    story.expect(&["cooks on o1@1: InTheOven"]);
}

#[test]
fn it_pauses_before_the_oven_but_never_in_it() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, ROAST);
    story.hear(hand_over(1, 2_000));
    story.trace.clear();
    story.until(1_100);
    story.expect(&["stage_done o1@1 stage 0", "paused o1@1 after 1"]);
}

#[test]
fn a_paused_order_is_not_given_back() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 0));
    story.trace.clear();
    story.hear(BalancerMessage::Release(lease(1, 1)));
    story.expect(&["keeps o1@1: Started"]);
    story.hear(resume(1));
    story.hear(BalancerMessage::Release(lease(1, 1)));
    story.expect(&["keeps o1@1: Started"]);
}

#[test]
fn a_stop_ends_the_pause_and_nothing_is_left() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 0));
    story.hear(BalancerMessage::Stop(lease(1, 1)));
    story.trace.clear();
    story.until_answered(9_000);
    story.expect(&[]);
    assert_eq!((story.agent.holding(), story.agent.cooking(), story.agent.unsettled()), (0, 0, 0));
}

#[test]
fn a_second_question_is_answered_again_and_the_pause_begins_anew() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 0));
    story.until_answered(2_000);
    story.hear(hand_over(1, 0));
    story.expect(&["paused o1@1 after 0", "paused o1@1 after 0"]);
    story.until_answered(3_499);
    assert_eq!(story.agent.cooking(), 0);
    story.until_answered(3_500);
    assert_eq!(story.agent.cooking(), 1);
}

#[test]
fn a_lost_connection_ends_a_pause_that_has_not_come_but_not_one_that_was_told() {
    let mut story = cooking(config());
    story.cook(2, 2, SOUP);
    story.hear(hand_over(1, 2_000));
    story.hear(hand_over(2, 0));
    story.input(Input::Disconnected);
    story.until(1_150);
    assert_eq!(story.agent.cooking(), 1, "o1 cooks on, o2 stays paused");
}

#[test]
fn a_resume_that_comes_before_the_checkpoint_ends_the_wait() {
    let mut story = cooking(config());
    story.hear(hand_over(1, 50));
    story.hear(resume(1));
    story.until(1_300);
    story.expect(&["stage_done o1@1 stage 0", "stage_done o1@1 stage 1", "completed o1@1 in 300"]);
}

#[test]
fn a_command_runs_to_its_end_or_is_killed_and_its_late_end_changes_nothing() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.trace.clear();
    story.hear(hand_over(1, 100));
    story.hear(hand_over(2, 100));
    story.input(Input::StageEnded { lease: lease(1, 1), stage: 0, outcome: Ok(()) });
    story.expect(&["stage_done o1@1 stage 0", "paused o1@1 after 1"]);
    story.until(1_100);
    story.expect(&["kill o2@2", "paused o2@2 after 0"]);
    story.input(Input::StageEnded { lease: lease(2, 2), stage: 0, outcome: Ok(()) });
    story.expect(&[]);
    story.hear(resume(2));
    story.expect(&["run o2@2 try 1 stage 0"]);
    story.hear(BalancerMessage::Stop(lease(1, 1)));
    story.expect(&[]); // nothing runs, so nothing is killed
}

#[test]
fn a_command_that_fails_while_a_pause_is_awaited_fails_the_order() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.trace.clear();
    story.hear(hand_over(1, 100));
    story.input(Input::StageEnded { lease: lease(1, 1), stage: 0, outcome: Err("burnt".into()) });
    story.expect(&["failed o1@1 stage 0: burnt"]);
    story.until(1_200);
    story.expect(&[]);
}

#[test]
fn a_kept_place_counts_until_it_is_used_given_back_or_over() {
    let mut story = Story::welcomed(AgentConfig { capacity: 3, ..config() });
    let reserve = |order: u64| BalancerMessage::Reserve { order: OrderId(order), for_ms: 400 };
    story.hear(reserve(7));
    story.hear(reserve(7)); // asked again: still one place
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.cook(3, 3, SOUP);
    story.hear(reserve(8));
    story.expect(&[
        "reserved o7",
        "reserved o7",
        "started o1@1 stage 0",
        "started o2@2 stage 0",
        "declined o3@3: Full",
        "no place for o8: Full",
    ]);
    story.hear(BalancerMessage::Unreserve { order: OrderId(7) });
    story.hear(reserve(8));
    story.until(1_399);
    story.trace.clear();
    story.hear(reserve(9));
    story.expect(&["reserved o9"]); // o1 and o2 are done
    story.until(1_800);
    for order in 11..=13 {
        story.cook(order, order, SOUP);
    }
    assert_eq!(story.agent.holding(), 3, "both reservations are over");
}

#[test]
fn an_order_with_a_kept_place_goes_before_those_that_wait() {
    let mut story = Story::welcomed(AgentConfig { stations: 1, ..config() });
    story.hear(BalancerMessage::Reserve { order: OrderId(9), for_ms: 5_000 });
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.cook(9, 9, SOUP);
    story.until(1_300);
    assert_eq!(story.trace.last().map(String::as_str), Some("started o9@9 stage 0"));
}

#[test]
fn a_closing_kitchen_keeps_no_place_and_a_lost_connection_frees_it() {
    let mut story = cooking(AgentConfig { capacity: 3, ..config() });
    let reserve = |order: u64| BalancerMessage::Reserve { order: OrderId(order), for_ms: 5_000 };
    story.hear(reserve(7));
    story.hear(reserve(8));
    story.input(Input::Disconnected);
    story.connect();
    story.trace.clear();
    story.hear(reserve(9));
    story.input(Input::Close);
    story.hear(reserve(10));
    story.expect(&["reserved o9", "no place for o9: Closing", "no place for o10: Closing"]);
}

#[test]
fn a_closing_kitchen_still_hands_over_what_it_cooks() {
    let mut story = cooking(config());
    story.input(Input::Close);
    story.hear(hand_over(1, 0));
    story.hear(BalancerMessage::Stop(lease(1, 1)));
    story.expect(&["paused o1@1 after 0", "goodbye", "closed"]);
}
