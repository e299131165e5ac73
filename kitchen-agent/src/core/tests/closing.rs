//! Stories about the graceful end.

use super::*;

#[test]
fn an_idle_agent_says_goodbye_and_ends() {
    let mut story = Story::welcomed(config());
    story.input(Input::Close);
    story.expect(&["goodbye", "closed"]);
    assert_eq!(story.agent.next_deadline(), None);
    story.input(Input::Connected);
    story.expect(&[]);
}

#[test]
fn a_closing_agent_hands_back_what_waits_takes_nothing_and_finishes_what_cooks() {
    let mut story = Story::welcomed(config());
    for order in 1..=3 {
        story.cook(order, order, SOUP);
    }
    story.trace.clear();
    story.input(Input::Close);
    story.cook(4, 4, SOUP);
    story.expect(&["declined o3@3: Closing", "declined o4@4: Closing"]);
    story.until(1_300);
    story.trace.drain(..4);
    story.expect(&["completed o1@1 in 300", "completed o2@2 in 300"]);
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: false });
    story.expect(&[]);
    story.hear(BalancerMessage::Settled { lease: lease(2, 2), stale: false });
    story.expect(&["goodbye", "closed"]);
}

#[test]
fn after_the_grace_what_still_cooks_is_stopped() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.trace.clear();
    story.input(Input::Close);
    story.until_answered(5_999);
    story.expect(&[]);
    story.until_answered(6_000);
    story.expect(&["kill o1@1", "goodbye", "closed"]);
}

#[test]
fn a_second_close_ends_at_once_also_without_a_connection() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.input(Input::Disconnected);
    story.trace.clear();
    story.input(Input::Close);
    story.expect(&[]);
    story.input(Input::Close);
    story.expect(&["kill o1@1", "closed"]);
}

#[test]
fn a_closing_agent_waits_for_a_connection_to_report_what_it_finished() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, INSTANT);
    story.input(Input::Disconnected);
    story.input(Input::Close);
    story.until(3_000);
    story.trace.clear();
    story.connect();
    story.expect(&["hello k1", "completed o1@1 in 0"]);
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: false });
    story.expect(&["goodbye", "closed"]);
}
