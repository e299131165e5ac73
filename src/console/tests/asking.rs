//! Dialogs, the filter's line, sequences and the footer: where each key goes, and what the operator reads meanwhile.

use std::time::Duration;

use protocol::api::{Health, Schedulable};
use protocol::feed::KitchenRow;
use protocol::{OrderId, OrderState};

use super::fixture::{
    answer, at, balancer, busy, calm, command, dead, feed, flow, frame, id, key, order, row, rush, screen, type_keys,
    type_text,
};
use crate::console::app::{App, Input};
use crate::console::link::{Answer, Request};

fn rows(app: &mut App, position: u64, rows: Vec<KitchenRow>) {
    let ms = u64::try_from(app.now.as_millis()).expect("small") + 100;
    let mut change = frame(position, ms);
    change.kitchens = rows;
    feed(app, change, ms);
}

fn last_row(app: &App) -> String {
    screen(app).lines().last().unwrap_or_default().to_owned()
}

/// Types a reason, ends the dialog as a person would, and returns what was sent with which reason.
fn reasoned(app: &mut App, keys: &[&str]) -> Option<(Request, Option<String>)> {
    let mut sent = Vec::new();
    for name in keys {
        let now = app.now;
        sent.extend(app.update(Input::Key(key(name)), now).send);
    }
    sent.into_iter().find(|sent| sent.request.is_change()).map(|sent| (sent.request, sent.reason))
}

const NIGHT: [&str; 5] = ["q", "n", "i", "K", "y"];

#[test]
fn letters_on_a_button_are_the_reason_and_never_a_command() {
    for opening in [&["d"][..], &["d", "right"], &["d", "tab"]] {
        let mut app = calm((80, 24));
        type_keys(&mut app, opening);
        let sent = reasoned(&mut app, &[&NIGHT[..], &["enter", "enter"]].concat());
        assert_eq!(sent, Some((Request::drain(id("kitchen_1")), Some("qniKy".to_owned()))), "{opening:?}");
    }
}

#[test]
fn every_dialog_with_a_reason_takes_letters_alike() {
    let stop = |app: &mut App| {
        let mut running = frame(9_001, 100);
        running.flow = Some(protocol::feed::Flow { rush: Some(rush()), ..flow(6, 8) });
        feed(app, running, 100);
        type_keys(app, &["r"]);
    };
    let policy = |app: &mut App| {
        command(app, "policy --steal false");
        answer(app, balancer);
    };
    let migrate = |app: &mut App| drop(command(app, "migrate o812"));
    let form = |app: &mut App| drop(type_keys(app, &["r", "up"]));
    let openings: [&dyn Fn(&mut App); 4] = [&stop, &policy, &migrate, &form];
    for (no, open) in openings.iter().enumerate() {
        let mut app = calm((80, 24));
        open(&mut app);
        let sent = reasoned(&mut app, &[&NIGHT[..], &["enter", "enter"]].concat());
        assert_eq!(sent.map(|(_, reason)| reason), Some(Some("qniKy".to_owned())), "{no}");
        assert!(app.dialog.is_none(), "{no}");
    }
}

#[test]
fn tab_goes_to_the_reason_then_to_what_acts_then_to_cancel() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["d"]);
    assert!(screen(&app).contains("[ Cancel ]") && screen(&app).contains("reason (tab):"), "{}", screen(&app));
    type_keys(&mut app, &["tab"]);
    assert!(screen(&app).contains(" reason: ") && !screen(&app).contains('['), "{}", screen(&app));
    type_keys(&mut app, &["tab"]);
    assert!(screen(&app).contains("[ Drain it ]"));
    type_keys(&mut app, &["tab"]);
    assert!(screen(&app).contains("[ Cancel ]"));
    assert!(type_keys(&mut app, &["enter"]).is_empty() && app.dialog.is_none(), "it starts on Cancel, and means it");
}

#[test]
fn enter_in_the_reason_of_a_kill_goes_to_the_name_and_never_kills() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["K"]);
    type_text(&mut app, "kitchen_1");
    assert!(type_keys(&mut app, &["tab", "h", "o", "t", "enter"]).is_empty());
    let sent = reasoned(&mut app, &["enter"]);
    assert_eq!(sent, Some((Request::Kill(id("kitchen_1")), Some("hot".to_owned()))));
}

#[test]
fn what_is_typed_over_a_prefilled_figure_takes_its_place() {
    let mut app = calm((80, 24));
    let sent = type_keys(&mut app, &["r", "2", "0", "tab", "9", "enter", "enter", "enter", "enter"]);
    assert_eq!(sent, [Request::Rush { rate: 20.0, for_s: 9, zone: None }], "and without a choice it is the whole city");
    let sent = type_keys(&mut app, &["r", "end", "0", "up", "enter"]);
    assert_eq!(sent, [Request::Rush { rate: 500.0, for_s: 30, zone: None }], "a cursor key keeps what stands there");
}

#[test]
fn the_zone_of_the_selected_kitchen_is_the_next_choice_of_a_rush() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["j", "r", "tab", "tab"]);
    assert!(screen(&app).contains("< whole city >  right: Harbor"), "{}", screen(&app));
    type_keys(&mut app, &["right"]);
    assert!(screen(&app).contains("< Harbor >"), "{}", screen(&app));
    type_keys(&mut app, &["u"]);
    assert!(screen(&app).contains("< Uptown >"), "a letter is the zone that begins with it: {}", screen(&app));
}

#[test]
fn the_figures_of_a_question_are_those_of_now() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["d"]);
    assert!(screen(&app).contains("5 orders move, 5 handed over"), "{}", screen(&app));
    assert!(screen(&app).contains("what is left after 30 s (the usual deadline)"), "{}", screen(&app));
    rows(&mut app, 9_001, vec![row(0, 1, 2)]);
    at(&mut app, 1_000);
    assert!(screen(&app).contains("1 order moves, 2 handed over"), "{}", screen(&app));
    rows(&mut app, 9_002, vec![dead(row(0, 0, 0), 3_000)]);
    assert!(screen(&app).contains("it is dead: nothing to drain"), "{}", screen(&app));
}

#[test]
fn a_question_says_when_there_is_nothing_left_to_ask_about() {
    let mut app = calm((80, 24));
    let mut running = frame(9_001, 100);
    running.flow = Some(protocol::feed::Flow { rush: Some(rush()), ..flow(6, 8) });
    feed(&mut app, running, 100);
    type_keys(&mut app, &["r"]);
    assert!(screen(&app).contains("50 orders/s, 18 s left"), "{}", screen(&app));
    let mut over = frame(9_002, 300);
    over.flow = Some(flow(6, 8));
    feed(&mut app, over, 300);
    assert!(screen(&app).contains("no rush runs: there is nothing to stop"), "{}", screen(&app));
}

#[test]
fn long_lines_wrap_where_there_is_room() {
    let mut app = busy((50, 24));
    type_keys(&mut app, &["d"]);
    let shown = screen(&app);
    assert!(shown.contains("place (2 in the oven)") && shown.contains("is recovered elsewhere"), "{shown}");
    assert!(!shown.lines().filter(|line| line.contains('│')).any(|line| line.contains('…')), "{shown}");
}

#[test]
fn a_kill_that_nobody_here_can_carry_out_is_said_before_the_name_is_typed() {
    let mut app = calm((80, 24));
    let nobody = "no supervisor at /tmp/elsewhere: give --data-dir of the chef up that runs the city";
    let refuse = |asked: &Request| (*asked == Request::Supervisor).then(|| Err(nobody.to_owned()));
    answer(&mut app, refuse);
    assert_eq!(type_keys(&mut app, &["K"]), [Request::Supervisor], "it is asked again: it may have come");
    assert!(app.dialog.is_none());
    let shown = screen(&app).replace("\n   ", " ");
    assert!(
        shown.contains("no supervisor at /tmp/elsewhere: give --data-dir of the chef up that runs the city"),
        "{shown}"
    );
    answer(&mut app, refuse);
    assert!(app.dialog.is_none());
    type_keys(&mut app, &["K"]);
    answer(&mut app, balancer);
    assert!(screen(&app).contains("type kitchen_1 to arm"), "it has come: {}", screen(&app));
    assert!(screen(&app).contains("its supervisor starts it again, 5.0 s later at the earliest"), "{}", screen(&app));
}

#[test]
fn the_filter_has_a_line_at_once_and_esc_clears_it() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["/"]);
    assert!(last_row(&app).starts_with(" / ") && last_row(&app).contains("esc clears it"), "{}", screen(&app));
    for word in ["zone=harbor", "load>0.8", "!alive", "dead", "hot", "suspected", "draining"] {
        assert!(screen(&app).contains(word), "{word}: {}", screen(&app));
    }
    type_text(&mut app, "load>0.8");
    type_keys(&mut app, &["enter", "/"]);
    assert!(last_row(&app).contains("/ load>0.8"), "{}", screen(&app));
    type_text(&mut app, "open");
    assert_eq!(app.rows.filter_text, "open", "what is typed takes the place of the filter before");
    type_keys(&mut app, &["enter", "/", "end", "space", "h"]);
    assert_eq!(app.rows.filter_text, "open h", "after a cursor key it is edited");
    type_keys(&mut app, &["esc"]);
    assert!(app.rows.filter_text.is_empty() && app.rows.shown.len() == 4);
}

#[test]
fn a_filter_that_cannot_be_read_stays_open_and_its_error_goes_with_it() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["/"]);
    type_text(&mut app, "load>much");
    type_keys(&mut app, &["enter"]);
    assert!(app.dialog.is_some() && screen(&app).contains("`much` is not a number"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    assert!(app.dialog.is_none() && !screen(&app).contains("not a number"), "{}", screen(&app));
}

#[test]
fn a_filter_that_hides_everything_says_how_to_end_it() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["/"]);
    type_text(&mut app, "dead");
    type_keys(&mut app, &["enter"]);
    assert!(screen(&app).contains("the filter hides all: esc clears it"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    assert!(!screen(&app).contains("hides all"));
}

#[test]
fn a_migration_offers_what_is_free_and_says_why_the_rest_is_not() {
    let mut app = calm((80, 24));
    let cordoned = KitchenRow { schedulable: Schedulable::Cordoned, ..row(1, 0, 0) };
    rows(&mut app, 9_001, vec![row(3, 10, 10), row(2, 4, 0), cordoned, dead(row(0, 0, 0), 9_000)]);
    command(&mut app, "migrate o812");
    let shown = screen(&app);
    let line = |id: &str| shown.lines().position(|line| line.contains(&format!("{id}  ")) && line.contains('│'));
    assert!(shown.contains("> kitchen_3"), "{shown}");
    for (kitchen, why) in [("kitchen_1", "dead"), ("kitchen_2", "cordoned"), ("kitchen_4", "full")] {
        let at = line(kitchen).unwrap_or_else(|| panic!("{kitchen}: {shown}"));
        assert!(
            Some(at) > line("kitchen_3") && shown.lines().nth(at).is_some_and(|line| line.contains(why)),
            "{shown}"
        );
    }
    assert!(type_keys(&mut app, &["down", "enter"]).is_empty() && app.dialog.is_some());
    assert!(last_row(&app).contains("choose another"), "{}", screen(&app));
    let sent = type_keys(&mut app, &["up", "enter"]);
    assert_eq!(sent, [Request::Migrate { order: OrderId(812), to: id("kitchen_3") }]);
}

#[test]
fn an_order_that_has_ended_is_not_moved_and_not_offered_to_be() {
    let mut app = calm((80, 24));
    command(&mut app, "show o812");
    let ended = |asked: &Request| match asked {
        Request::Order(_) => {
            let done = protocol::api::OrderView { state: OrderState::Completed, ..order(812) };
            Some(Ok(Answer::Order(Box::new(done))))
        }
        _ => None,
    };
    answer(&mut app, ended);
    let foot = last_row(&app);
    assert!(!foot.contains("migrate") && !foot.contains("cancel") && !foot.contains("release"), "{foot}");
    type_keys(&mut app, &["m"]);
    assert!(app.dialog.is_none());
    assert!(last_row(&app).contains("o812 is completed: there is nothing to move"), "{}", screen(&app));
}

#[test]
fn a_sequence_shows_what_it_waits_for_ends_by_itself_and_swallows_no_key() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["g"]);
    assert!(last_row(&app).contains("g g first row"), "{}", screen(&app));
    let wake = app.wake_at().expect("it ends");
    assert!(wake <= app.now + Duration::from_secs(2));
    at(&mut app, 2_100);
    assert!(app.prefix.is_none() && !last_row(&app).contains("first row"));
    type_keys(&mut app, &["g", "j"]);
    assert_eq!((app.rows.at, app.prefix.is_none()), (1, true), "a key that does not go on means what it means");
}

#[test]
fn under_a_dialog_the_footer_has_the_dialogs_keys() {
    for (keys, wanted) in [
        (&["d"][..], "tab reason"),
        (&["K"], "esc do nothing"),
        (&["r"], "digits replace"),
        (&["o"], "right, digits how many"),
        (&[":"], "tab take"),
        (&["?"], "up, down scroll"),
        (&["t"], "enter keep"),
    ] {
        let mut app = calm((80, 24));
        type_keys(&mut app, keys);
        assert!(last_row(&app).contains(wanted) && !last_row(&app).contains("K kill"), "{keys:?}: {}", last_row(&app));
    }
}

#[test]
fn the_footer_keeps_what_opens_and_explains_and_offers_only_what_can_be_done() {
    let mut app = calm((80, 24));
    assert!(last_row(&app).contains("enter open"), "{}", last_row(&app));
    type_keys(&mut app, &["enter"]);
    answer(&mut app, balancer);
    for wanted in ["enter open", "e why", "w line", "m migrate", "K kill"] {
        assert!(last_row(&app).contains(wanted), "{wanted}: {}", last_row(&app));
    }
    assert!(!last_row(&app).contains("release"), "nothing is in quarantine: {}", last_row(&app));
    let small = calm((40, 10));
    assert!(last_row(&small).contains("enter open"), "{}", last_row(&small));
}

#[test]
fn a_message_that_the_picture_contradicts_is_replaced() {
    let mut app = calm((80, 24));
    at(&mut app, 1_000);
    type_keys(&mut app, &["d", "right", "enter"]);
    answer(&mut app, balancer);
    assert!(last_row(&app).contains("done: drain kitchen_1"), "{}", last_row(&app));
    rows(&mut app, 9_001, vec![KitchenRow { schedulable: Schedulable::Draining, ..row(0, 0, 2) }]);
    assert!(last_row(&app).contains("done: drain kitchen_1"), "{}", last_row(&app));
    rows(&mut app, 9_002, vec![KitchenRow { schedulable: Schedulable::Cordoned, ..row(0, 0, 0) }]);
    assert!(last_row(&app).contains("kitchen_1 is drained: empty, and cordoned"), "{}", last_row(&app));
}

#[test]
fn a_drain_of_a_cordoned_kitchen_is_not_taken_for_its_end() {
    let mut app = calm((80, 24));
    rows(&mut app, 9_001, vec![KitchenRow { schedulable: Schedulable::Cordoned, ..row(0, 2, 2) }]);
    type_keys(&mut app, &["d", "right", "enter"]);
    answer(&mut app, balancer);
    rows(&mut app, 9_002, vec![KitchenRow { schedulable: Schedulable::Cordoned, ..row(0, 1, 2) }]);
    assert!(last_row(&app).contains("done: drain kitchen_1"), "the row is older than the answer: {}", last_row(&app));
}

#[test]
fn an_undo_that_comes_too_late_names_the_key_that_does_the_same() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["C"]);
    answer(&mut app, balancer);
    at(&mut app, 10_500);
    feed(&mut app, frame(9_001, 10_600), 10_600);
    assert!(type_keys(&mut app, &["u"]).is_empty());
    assert!(
        last_row(&app).contains("too late to undo cordon kitchen_1 (10 s): C to uncordon kitchen_1"),
        "{}",
        last_row(&app)
    );
}

#[test]
fn what_is_dead_is_not_offered_to_be_killed() {
    let mut app = calm((120, 36));
    assert!(last_row(&app).contains("K kill"), "{}", last_row(&app));
    let gone = KitchenRow { health: Health::Dead, silent_ms: 9_000, ..row(0, 0, 0) };
    rows(&mut app, 9_001, vec![gone]);
    assert!(!last_row(&app).contains("K kill") && !last_row(&app).contains("d drain"), "{}", last_row(&app));
}
