//! Stories about leases: fences, renewals, tokens, releases and stops.

use super::*;

#[test]
fn an_unanswered_agent_stops_exactly_a_fence_after_the_heartbeat_the_lease_was_given_by() {
    let mut story = Story::with_commands();
    story.cook_seen(1, 1, 1, SOUP); // heartbeat 1 was sent at 1 s
    story.trace.clear();
    story.until(2_199);
    story.expect(&[]);
    assert_eq!(story.agent.leases().next(), Some((lease(1, 1), true, ms(2_200))));
    story.until(2_200);
    story.expect(&["kill o1@1", "declined o1@1: Late", "deaf", "hang up"]);
    assert_eq!((story.agent.holding(), story.agent.counters().fenced), (0, 1));
}

#[test]
fn a_stage_that_would_end_at_the_fence_does_not_count() {
    let mut story = Story::welcomed(AgentConfig { speed: 0.25, ..config() });
    story.cook_seen(0, 1, 1, SOUP); // three stages of 400 ms: done at 2.2 s, the very moment of the fence
    story.until(2_200);
    story.expect(&[
        "started o1@1 stage 0",
        "stage_done o1@1 stage 0",
        "stage_done o1@1 stage 1",
        "declined o1@1: Late",
        "deaf",
        "hang up",
    ]);
    assert_eq!(story.agent.counters().fenced, 1);
}

#[test]
fn after_a_pause_what_would_have_ended_past_the_fence_does_not_count_whatever_comes_first() {
    let mut story = Story::welcomed(AgentConfig { speed: 0.25, ..config() });
    story.cook_seen(0, 1, 1, SOUP); // done at 2.2 s, the very moment of the fence
    story.trace.clear();
    story.now = ms(9_000);
    story.hear(BalancerMessage::Renewed { seq: 1, lost: Vec::new() });
    assert_eq!((story.agent.counters().fenced, story.agent.counters().completed), (1, 0));
}

#[test]
fn after_a_pause_what_was_done_before_the_fence_is_reported_late_and_the_balancer_judges() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP); // done at 1.3 s, its fence is at 2.2 s
    story.trace.clear();
    story.now = ms(9_000);
    story.input(Input::Wake);
    assert_eq!((story.agent.counters().fenced, story.agent.counters().completed), (0, 1));
    assert!(story.trace.iter().any(|line| line.starts_with("completed o1@1")), "{:?}", story.trace);
}

#[test]
fn an_answered_heartbeat_moves_the_fence_by_the_time_it_was_sent() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.until(1_600); // heartbeats 2 and 3 were sent at 1.3 s and 1.6 s
    story.hear(BalancerMessage::Renewed { seq: 3, lost: Vec::new() });
    story.hear(BalancerMessage::Renewed { seq: 2, lost: Vec::new() }); // an older answer never lowers it
    assert_eq!(story.agent.leases().next(), Some((lease(1, 1), true, ms(2_800))));
}

#[test]
fn an_answer_renews_only_what_its_heartbeat_named() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.until(1_300); // heartbeat 2 names o1 only
    story.cook_seen(1, 2, 2, SOUP);
    story.hear(BalancerMessage::Renewed { seq: 2, lost: Vec::new() });
    let fences: Vec<_> = story.agent.leases().map(|(_, _, fence)| fence).collect();
    assert_eq!(fences, [ms(2_500), ms(2_200)]);
}

#[test]
fn a_newer_token_is_not_renewed_by_a_heartbeat_that_named_the_older() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.until(1_300);
    story.cook_seen(1, 1, 2, SOUP);
    story.hear(BalancerMessage::Renewed { seq: 2, lost: Vec::new() });
    assert_eq!(story.agent.leases().next(), Some((lease(1, 2), true, ms(2_200))));
}

#[test]
fn what_an_answer_calls_lost_is_stopped() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.until(1_300);
    story.trace.clear();
    story.hear(BalancerMessage::Renewed { seq: 2, lost: vec![lease(1, 1), lease(2, 9)] });
    story.expect(&["kill o1@1"]);
    assert_eq!(story.agent.holding(), 1);
}

#[test]
fn answered_heartbeats_keep_an_order_for_ever() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.until_answered(60_000);
    assert_eq!((story.agent.holding(), story.agent.counters().fenced), (1, 0));
}

#[test]
fn an_order_that_arrives_after_its_fence_is_declined_as_late() {
    let mut story = Story::welcomed(config());
    story.until_answered(2_199);
    story.cook_seen(1, 1, 1, SOUP);
    story.until(2_200);
    story.cook_seen(1, 2, 2, SOUP);
    story.cook_seen(0, 3, 3, SOUP);
    story.cook_seen(99, 4, 4, SOUP); // a heartbeat that was never sent
    story.expect(&[
        "started o1@1 stage 0",
        "declined o1@1: Late",
        "declined o2@2: Late",
        "declined o3@3: Late",
        "declined o4@4: Late",
    ]);
}

#[test]
fn the_same_offer_twice_is_one_order() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP);
    story.cook(1, 1, SOUP);
    story.expect(&["started o1@1 stage 0"]);
    story.until(1_300);
    story.trace.clear();
    story.cook(1, 1, SOUP); // finished and not settled: still the same
    story.expect(&[]);
}

#[test]
fn a_higher_token_replaces_the_order_from_its_own_checkpoint() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.input(Input::StageEnded { lease: lease(1, 1), stage: 0, outcome: Ok(()) });
    story.trace.clear();
    story.cook(1, 2, SOUP);
    story.expect(&["kill o1@1", "started o1@2 stage 0", "run o1@2 try 1 stage 0"]);
}

#[test]
fn a_higher_token_replaces_a_report_too() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, INSTANT);
    story.cook(1, 2, SOUP);
    story.expect(&["completed o1@1 in 0", "started o1@2 stage 0"]);
    assert_eq!(story.agent.unsettled(), 0);
}

#[test]
fn a_lower_token_is_ignored() {
    let mut story = Story::welcomed(config());
    story.cook(1, 5, SOUP);
    story.cook(1, 4, SOUP);
    story.hear(BalancerMessage::Stop(lease(1, 4)));
    story.expect(&["started o1@5 stage 0"]);
    assert_eq!((story.agent.holding(), story.agent.counters().outdated), (1, 1));
}

#[test]
fn a_release_takes_only_what_is_not_started() {
    let mut story = Story::welcomed(config());
    for order in 1..=3 {
        story.cook(order, order, SOUP);
    }
    story.trace.clear();
    story.hear(BalancerMessage::Release(lease(3, 9))); // not this token
    story.hear(BalancerMessage::Release(lease(3, 3)));
    story.hear(BalancerMessage::Release(lease(3, 3)));
    story.hear(BalancerMessage::Release(lease(1, 1)));
    story.expect(&["keeps o3@9: Unknown", "released o3@3", "keeps o3@3: Unknown", "keeps o1@1: Started"]);
    story.until(1_300);
    story.trace.clear();
    story.hear(BalancerMessage::Release(lease(1, 1)));
    story.expect(&["keeps o1@1: Finished"]);
}

#[test]
fn a_release_that_loses_the_race_to_a_station_is_refused() {
    let mut story = Story::welcomed(AgentConfig { stations: 1, ..config() });
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.until(1_300); // o1 ends, and in the same moment o2 begins
    story.hear(BalancerMessage::Release(lease(2, 2)));
    story.trace.drain(..3);
    story.expect(&["completed o1@1 in 300", "started o2@2 stage 0", "keeps o2@2: Started"]);
}

#[test]
fn a_stop_ends_cooking_frees_the_station_and_forgets_a_report() {
    let mut story = Story::with_commands();
    for order in 1..=3 {
        story.cook(order, order, SOUP);
    }
    story.trace.clear();
    story.hear(BalancerMessage::Stop(lease(1, 1)));
    story.expect(&["kill o1@1", "started o3@3 stage 0", "run o3@3 try 1 stage 0"]);
    story.input(Input::StageEnded { lease: lease(2, 2), stage: 0, outcome: Err("burnt".into()) });
    assert_eq!(story.agent.unsettled(), 1);
    story.hear(BalancerMessage::Stop(lease(2, 2)));
    assert_eq!(story.agent.unsettled(), 0);
}
