//! Stories about greeting, heartbeats, lost connections and what is said again after them.

use protocol::link::{HEARTBEAT_LEASES_MAX, Refusal};

use super::*;

#[test]
fn it_says_hello_and_once_welcomed_names_what_it_holds() {
    let mut story = Story::new(config());
    story.beats = true;
    story.input(Input::Connected);
    story.expect(&["hello k1"]);
    assert!(!story.agent.connected());
    story.connect();
    story.expect(&["hello k1", "heartbeat 1 []"]);
    assert!(story.agent.connected());
    story.until(1_600);
    story.expect(&["heartbeat 2 []", "heartbeat 3 []"]);
}

#[test]
fn a_large_kitchen_sends_a_heartbeat_in_parts_each_renewed_by_itself() {
    let many = HEARTBEAT_LEASES_MAX as u64 + 1;
    let mut story = Story::welcomed(AgentConfig { capacity: 10_000, stations: 0, ..config() });
    for order in 1..=many {
        story.cook_seen(1, order, order, SOUP);
    }
    story.agent.handle(ms(1_300), Input::Wake);
    let parts: Vec<(u64, usize)> = story
        .agent
        .drain_effects()
        .filter_map(|effect| match effect {
            Effect::Send(AgentMessage::Heartbeat { seq, held }) => Some((seq, held.len())),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [(2, HEARTBEAT_LEASES_MAX), (3, 1)]);
    story.now = ms(1_300);
    story.hear(BalancerMessage::Renewed { seq: 3, lost: Vec::new() });
    let renewed: Vec<_> = story.agent.leases().filter(|&(_, _, fence)| fence == ms(2_500)).collect();
    assert_eq!(renewed, [(lease(many, many), false, ms(2_500))]);
}

#[test]
fn what_was_finished_while_cut_off_is_reported_after_the_next_welcome() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.trace.clear();
    story.now = ms(1_050);
    story.input(Input::Disconnected);
    story.until(5_000);
    story.expect(&[]);
    assert_eq!((story.agent.unsettled(), story.agent.counters().fenced), (2, 0));
    story.beats = true;
    story.connect();
    story.expect(&["hello k1", "heartbeat 2 []", "completed o1@1 in 300", "completed o2@2 in 300"]);
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: false });
    story.hear(BalancerMessage::Settled { lease: lease(2, 2), stale: true });
    assert_eq!((story.agent.unsettled(), story.agent.counters().stale), (0, 1));
}

#[test]
fn while_cut_off_it_goes_on_cooking_and_after_the_welcome_tells_how_far_it_is() {
    let mut story = Story::welcomed(AgentConfig { stations: 1, speed: 0.5, ..config() });
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.input(Input::Disconnected);
    story.until(1_450);
    story.trace.clear();
    story.beats = true;
    story.connect();
    story.expect(&[
        "hello k1",
        "heartbeat 2 [o1@1 o2@2]",
        "started o1@1 stage 0",
        "stage_done o1@1 stage 0",
        "stage_done o1@1 stage 1",
    ]);
}

#[test]
fn what_is_not_finished_at_the_fence_of_a_cut_off_agent_is_dropped_without_a_word() {
    let mut story = Story::welcomed(AgentConfig { speed: 0.1, ..config() });
    story.cook(1, 1, SOUP);
    story.input(Input::Disconnected);
    story.until(2_200);
    assert_eq!((story.agent.holding(), story.agent.counters().fenced), (0, 1));
    assert_eq!(story.agent.next_deadline(), None);
}

#[test]
fn an_unsettled_report_is_repeated_once_a_lease_until_it_is_settled() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, INSTANT);
    story.until_answered(2_499);
    story.expect(&["completed o1@1 in 0"]);
    story.until_answered(2_500);
    story.expect(&["completed o1@1 in 0"]);
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: false });
    story.until_answered(9_000);
    story.expect(&[]);
}

#[test]
fn a_settlement_of_another_token_settles_nothing() {
    let mut story = Story::welcomed(config());
    story.cook(1, 2, INSTANT);
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: true });
    assert_eq!((story.agent.unsettled(), story.agent.counters().stale), (1, 0));
}

#[test]
fn a_hello_on_a_new_connection_gives_leases_their_time_anew() {
    let mut story = Story::welcomed(config());
    story.input(Input::Disconnected);
    story.until(9_000);
    story.connect();
    story.trace.clear();
    story.cook_seen(0, 1, 1, SOUP);
    assert_eq!(story.agent.leases().next(), Some((lease(1, 1), true, ms(10_200))));
}

#[test]
fn a_refusal_is_handed_on_and_a_word_on_a_dead_connection_is_ignored() {
    let mut story = Story::new(config());
    story.input(Input::Connected);
    story.trace.clear();
    story.hear(BalancerMessage::Refused(Refusal::NotLeader));
    story.expect(&["refused: this balancer does not lead now: try another"]);
    story.input(Input::Disconnected);
    story.cook_seen(0, 1, 1, SOUP);
    story.expect(&[]);
    assert_eq!(story.agent.holding(), 0);
}

#[test]
fn who_hears_nothing_for_a_fence_says_so_hangs_up_and_takes_nothing_more_on_that_connection() {
    let mut story = Story::welcomed(config());
    story.until_answered(1_400); // the last answer came at 1.3 s
    story.cook(1, 1, INSTANT);
    story.trace.clear();
    story.until(2_499);
    story.expect(&[]);
    story.until(2_500);
    story.expect(&["deaf", "hang up"]);
    assert!(!story.agent.connected());
    story.cook(2, 2, SOUP);
    story.until(9_000);
    story.expect(&[]);
    assert_eq!((story.agent.holding(), story.agent.unsettled()), (0, 1));
    story.input(Input::Disconnected);
    story.connect();
    story.expect(&["hello k1", "completed o1@1 in 0"]);
}

#[test]
fn a_balancer_that_answers_late_is_heard() {
    let mut story = Story::welcomed(config());
    for at in (1_000..20_000).step_by(300) {
        story.until(at + 1_100);
        story.hear(BalancerMessage::Renewed { seq: (at - 1_000) / 300 + 1, lost: Vec::new() });
    }
    story.expect(&[]);
    assert!(story.agent.connected());
}

#[test]
fn a_process_that_was_stopped_asks_anew_before_it_hangs_up() {
    let mut story = Story::welcomed(config());
    story.until_answered(1_300);
    story.now = ms(60_000);
    story.input(Input::Wake);
    story.until_answered(70_000);
    story.expect(&[]);
    story.now = ms(90_000);
    story.input(Input::Wake);
    story.until(91_000);
    story.expect(&["deaf", "hang up"]);
}
