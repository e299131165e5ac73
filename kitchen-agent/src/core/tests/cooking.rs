//! Stories about stations, stages, priorities and commands.

use super::*;

#[test]
fn an_order_goes_through_its_stages_and_is_reported() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP);
    story.expect(&["started o1@1 stage 0"]);
    story.until(1_299);
    story.expect(&["stage_done o1@1 stage 0", "stage_done o1@1 stage 1"]);
    story.until(1_300);
    story.expect(&["completed o1@1 in 300"]);
    assert_eq!((story.agent.holding(), story.agent.unsettled()), (0, 1));
    story.hear(BalancerMessage::Settled { lease: lease(1, 1), stale: false });
    assert_eq!((story.agent.unsettled(), story.agent.counters().stale), (0, 0));
    assert_eq!(story.agent.counters().stages["cook"].time, ms(100));
}

#[test]
fn stages_of_no_time_end_at_once_and_only_the_completion_is_sent() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, INSTANT);
    story.expect(&["completed o1@1 in 0"]);
    assert_eq!(story.agent.counters().stages["plate"].count, 1);
}

#[test]
fn a_completion_supersedes_progress_that_has_not_left_yet_but_not_that_of_others() {
    let mut story = Story::welcomed(config());
    story.agent.handle(story.now, Input::Message(offer(0, 1, 1, SOUP)));
    story.agent.handle(ms(1_050), Input::Message(offer(0, 2, 2, SOUP)));
    story.agent.handle(ms(1_300), Input::Wake);
    story.now = ms(1_300);
    story.input(Input::Wake);
    story.expect(&[
        "started o2@2 stage 0",
        "completed o1@1 in 300",
        "stage_done o2@2 stage 0",
        "stage_done o2@2 stage 1",
    ]);
    story.until(1_350);
    story.expect(&["completed o2@2 in 300"]);
}

#[test]
fn a_completion_takes_back_nothing_of_others_after_its_own_progress_has_left() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP);
    story.until(1_299);
    story.trace.clear();
    story.now = ms(1_300);
    story.hear(BalancerMessage::Release(lease(9, 9))); // waits where o1's progress had waited
    story.expect(&["keeps o9@9: Unknown", "completed o1@1 in 300"]);
}

#[test]
fn a_late_wake_adds_nothing_to_later_stages() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, SOUP);
    story.now = ms(1_150);
    story.input(Input::Wake);
    story.expect(&["started o1@1 stage 0", "stage_done o1@1 stage 0"]);
    story.until(1_200);
    story.expect(&["stage_done o1@1 stage 1"]);
}

#[test]
fn a_faster_kitchen_takes_less_time() {
    let mut story = Story::welcomed(AgentConfig { speed: 10.0, ..config() });
    story.cook(1, 1, SOUP);
    story.until(1_030);
    story.expect(&[
        "started o1@1 stage 0",
        "stage_done o1@1 stage 0",
        "stage_done o1@1 stage 1",
        "completed o1@1 in 30",
    ]);
}

#[test]
fn an_order_goes_on_from_its_checkpoint() {
    let mut story = Story::welcomed(config());
    let BalancerMessage::Cook { seen, mut cook } = offer(0, 1, 1, SOUP) else { unreachable!() };
    cook.from_stage = 2;
    story.hear(BalancerMessage::Cook { seen, cook: cook.clone() });
    story.expect(&["started o1@1 stage 2"]);
    story.until(1_100);
    story.expect(&["completed o1@1 in 100"]);
    cook.from_stage = 3;
    cook.lease = lease(2, 2);
    story.hear(BalancerMessage::Cook { seen, cook });
    story.expect(&["completed o2@2 in 0"]);
}

#[test]
fn a_dish_this_kitchen_never_heard_of_fails_instead_of_counting_as_cooked() {
    let mut story = Story::welcomed(config());
    story.cook(1, 1, 9);
    story.expect(&[
        "started o1@1 stage 0",
        "failed o1@1 stage 0: dish number 9 is not on the menu this kitchen was welcomed with",
    ]);
}

#[test]
fn stations_take_high_priority_first_and_then_the_older_order() {
    let mut story = Story::welcomed(config());
    story.cook(5, 5, SOUP);
    story.cook(6, 6, SOUP);
    story.cook(4, 8, SOUP);
    let BalancerMessage::Cook { seen, mut cook } = offer(0, 9, 9, SOUP) else { unreachable!() };
    cook.priority = Priority::High;
    story.hear(BalancerMessage::Cook { seen, cook });
    story.expect(&["started o5@5 stage 0", "started o6@6 stage 0"]);
    assert_eq!((story.agent.holding(), story.agent.cooking()), (4, 2));
    story.hear(BalancerMessage::Stop(lease(5, 5)));
    story.expect(&["started o9@9 stage 0"]);
    story.hear(BalancerMessage::Stop(lease(6, 6)));
    story.expect(&["started o4@8 stage 0"]);
}

#[test]
fn a_stream_of_high_priority_keeps_no_order_beyond_its_share() {
    let mut story = Story::welcomed(AgentConfig { stations: 1, ..config() });
    let offer_high = |story: &mut Story, order| {
        let BalancerMessage::Cook { seen, mut cook } = offer(story.newest(), order, order, SOUP) else {
            unreachable!()
        };
        (cook.priority, cook.ages_in_ms) = (Priority::High, 0);
        story.hear(BalancerMessage::Cook { seen, cook });
    };
    offer_high(&mut story, 1);
    let BalancerMessage::Cook { seen, mut cook } = offer(story.newest(), 2, 2, SOUP) else { unreachable!() };
    cook.ages_in_ms = 500;
    story.hear(BalancerMessage::Cook { seen, cook });
    let mut begun = Vec::new();
    for order in 3..8 {
        offer_high(&mut story, order);
        let until = 1_000 + (order - 2) * 300;
        story.until_answered(until);
        begun.extend(story.trace.drain(..).filter(|line| line.starts_with("started")));
    }
    let lines = ["o1@1", "o3@3", "o2@2", "o4@4", "o5@5", "o6@6"].map(|order| format!("started {order} stage 0"));
    assert_eq!(begun, lines);
}

#[test]
fn beyond_its_capacity_an_order_is_declined() {
    let mut story = Story::welcomed(config());
    for order in 1..=5 {
        story.cook(order, order, SOUP);
    }
    story.expect(&["started o1@1 stage 0", "started o2@2 stage 0", "declined o5@5: Full"]);
    assert_eq!(story.agent.counters().declined, 1);
}

#[test]
fn with_too_many_unsettled_reports_an_order_is_declined_and_none_is_dropped() {
    let mut story = Story::welcomed(config());
    for order in 1..=10_000 {
        story.cook(order, order, INSTANT);
    }
    story.trace.clear();
    story.cook(10_001, 10_001, INSTANT);
    story.expect(&["declined o10001@10001: Full"]);
    story.hear(BalancerMessage::Settled { lease: lease(3, 3), stale: false });
    story.cook(10_002, 10_002, INSTANT);
    story.expect(&["completed o10002@10002 in 0"]);
}

#[test]
fn commands_run_stage_by_stage() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.expect(&["started o1@1 stage 0", "run o1@1 try 1 stage 0"]);
    for stage in 0..2 {
        story.input(Input::StageEnded { lease: lease(1, 1), stage, outcome: Ok(()) });
    }
    story.expect(&[
        "stage_done o1@1 stage 0",
        "run o1@1 try 1 stage 1",
        "stage_done o1@1 stage 1",
        "run o1@1 try 1 stage 2",
    ]);
    story.input(Input::StageEnded { lease: lease(1, 1), stage: 2, outcome: Ok(()) });
    story.expect(&["completed o1@1 in 0"]);
}

#[test]
fn a_failing_command_fails_the_order_with_the_end_of_its_output() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    let output = format!("{}{}", "ä".repeat(protocol::link::OUTPUT_MAX), "burnt");
    story.agent.handle(story.now, Input::StageEnded { lease: lease(1, 1), stage: 0, outcome: Err(output) });
    let failed = story.agent.drain_effects().last();
    let Some(Effect::Send(AgentMessage::Failed { stage: 0, output, .. })) = failed else { panic!("{failed:?}") };
    assert!(output.len() <= protocol::link::OUTPUT_MAX && output.ends_with("äburnt"), "{output}");
    assert_eq!(story.agent.counters().failed, 1);
}

#[test]
fn an_ended_command_of_an_older_token_or_another_stage_changes_nothing() {
    let mut story = Story::with_commands();
    story.cook(1, 1, SOUP);
    story.cook(1, 2, SOUP);
    story.trace.clear();
    story.input(Input::StageEnded { lease: lease(1, 1), stage: 0, outcome: Ok(()) });
    story.input(Input::StageEnded { lease: lease(1, 2), stage: 1, outcome: Ok(()) });
    story.expect(&[]);
}

#[test]
fn a_command_that_takes_too_long_is_killed_and_its_order_given_back_once() {
    let mut story = Story::welcomed(AgentConfig { cooking: Cooking::Commands { stage_timeout_ms: 2_000 }, ..config() });
    story.cook(1, 1, SOUP);
    story.cook(2, 2, SOUP);
    story.cook(3, 3, SOUP);
    story.trace.clear();
    story.until_answered(2_500);
    let (first, stage) = (lease(1, 1), 0);
    story.input(Input::StageEnded { lease: first, stage, outcome: Ok(()) });
    story.expect(&["stage_done o1@1 stage 0", "run o1@1 try 1 stage 1"]);
    story.until_answered(2_999);
    story.expect(&[]);
    story.until_answered(3_000);
    story.expect(&["kill o2@2", "declined o2@2: TimedOut", "started o3@3 stage 0", "run o3@3 try 1 stage 0"]);
    assert_eq!((story.agent.counters().timed_out, story.agent.counters().failed, story.agent.unsettled()), (1, 0, 0));
    // What the dead command would have said, and the same lease once more, change nothing.
    story.input(Input::StageEnded { lease: lease(2, 2), stage: 0, outcome: Err("killed".into()) });
    story.cook(2, 2, SOUP);
    story.until_answered(4_499);
    assert!(
        !story.trace.iter().any(|line| line.contains("o2@2") && !line.starts_with("declined")),
        "{:?}",
        story.trace
    );
    story.trace.clear();
    story.until_answered(4_500);
    story.expect(&["kill o1@1", "declined o1@1: TimedOut"]);
}

#[test]
fn a_simulated_stage_is_never_too_long_by_the_agents_own_clock() {
    let mut story = Story::welcomed(AgentConfig { speed: 0.001, ..config() });
    story.cook(1, 1, SOUP);
    story.until_answered(200_000);
    assert_eq!((story.agent.cooking(), story.agent.counters().timed_out), (1, 0));
}
