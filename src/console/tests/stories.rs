//! Stories: frames and keys in, and what the operator then sees and sends.

use std::time::Duration;

use protocol::api::{Health, Schedulable};
use protocol::feed::{KitchenRow, Tone};
use protocol::{Epoch, OrderId};

use super::fixture::{
    answer, app, app_with, balancer, busy, event, feed, four, frame, many, proof, row, rush, screen, setup, snapshot,
    type_keys, type_text,
};
use crate::console::app::rows::Sort;
use crate::console::app::{App, Effects, Input};
use crate::console::link::{Request, Signal};

fn at(app: &mut App, ms: u64) -> Effects {
    app.update(Input::Tick, Duration::from_millis(ms))
}

fn lose(app: &mut App, ms: u64) -> Effects {
    let lost = Signal::Lost { why: "reset by peer".to_owned(), retry_in: Duration::from_secs(2) };
    app.update(Input::Signal(lost), Duration::from_millis(ms))
}

fn calm(size: (u16, u16)) -> App {
    let mut app = app(size);
    feed(&mut app, snapshot(9_000, four()), 0);
    app
}

fn ids(app: &App) -> Vec<String> {
    app.rows.shown.iter().map(|at| app.city().kitchens[*at].id.to_string()).collect()
}

#[test]
fn a_keep_alive_changes_nothing_and_draws_nothing() {
    let mut app = calm((80, 24));
    for second in 1..=10 {
        assert!(!feed(&mut app, frame(9_000 + second, second * 1_000), second * 1_000).dirty, "{second}");
    }
    assert!(!feed(&mut app, frame(9_011, 10_500), 10_500).dirty);
    let same = snapshot(9_012, four());
    let mut again = frame(9_012, 10_600);
    (again.proof, again.flow, again.kitchens) = (same.proof, same.flow, same.kitchens);
    assert!(!feed(&mut app, again, 10_600).dirty, "figures that did not change");
}

#[test]
fn the_age_shows_beyond_a_second_and_the_picture_is_stale_beyond_three() {
    let mut app = calm((80, 24));
    assert!(!at(&mut app, 1_000).dirty);
    assert!(at(&mut app, 1_300).dirty);
    assert!(screen(&app).contains("live 1 s old"), "{}", screen(&app));
    assert!(!at(&mut app, 1_400).dirty, "it ticks once a second");
    assert!(at(&mut app, 3_100).dirty);
    assert!(screen(&app).contains("STALE 3 s old"));
    assert!(screen(&app).contains("kitchen_1"), "the picture stays");
    assert!(feed(&mut app, frame(9_001, 3_200), 3_200).dirty);
    assert!(screen(&app).contains("● live Larder"));
}

#[test]
fn a_lost_link_is_drawn_at_once_counts_down_and_turns_changes_off() {
    let mut app = calm((80, 24));
    assert!(lose(&mut app, 500).urgent);
    assert!(screen(&app).contains("LOST 0 s old, retry 2 s"), "{}", screen(&app));
    assert!(at(&mut app, 1_600).dirty);
    for key in ["C", "d", "K", "r", "m"] {
        assert!(type_keys(&mut app, &[key]).is_empty() && app.dialog.is_none(), "{key}");
    }
    assert!(screen(&app).contains("is off: no link"));
    assert!(type_keys(&mut app, &["q"]).is_empty());
}

#[test]
fn a_frame_that_goes_back_is_ignored_and_counted_and_a_new_epoch_is_taken() {
    let mut app = calm((80, 24));
    let mut old = frame(8_999, 100);
    old.proof = Some(proof(1, 1));
    assert!(!feed(&mut app, old, 100).dirty);
    assert_eq!((app.city().ignored, app.city().proof.map(|proof| proof.accepted)), (1, Some(1_204)));
    let mut deposed = frame(9_900, 200);
    deposed.epoch = Epoch(2);
    feed(&mut app, deposed, 200);
    assert_eq!(app.city().ignored, 2);
    let mut newer = snapshot(9_001, four());
    newer.epoch = Epoch(4);
    feed(&mut app, newer, 300);
    assert_eq!((app.city().epoch, app.city().ignored), (Epoch(4), 2));
    assert!(screen(&app).contains("epoch 3 -> 4"), "{}", screen(&app));
}

#[test]
fn a_snapshot_from_before_is_what_is_true_now_and_said_in_red() {
    let mut app = calm((80, 24));
    feed(&mut app, snapshot(5, four()), 100);
    assert!(screen(&app).contains("went_back"), "{}", screen(&app));
    assert_eq!(app.city().position.0, 5);
}

#[test]
fn a_reconnection_tells_no_event_twice() {
    let mut app = calm((80, 24));
    let told = event(9_001, 100, "cordoned", Tone::Warn, "kitchen_1", "by ada");
    let mut first = frame(9_001, 100);
    first.events = vec![told.clone()];
    feed(&mut app, first, 100);
    let mut again = snapshot(9_002, four());
    again.events = vec![told, event(9_002, 200, "drained", Tone::Good, "kitchen_2", "empty")];
    feed(&mut app, again, 200);
    assert_eq!(app.city().events.len(), 2);
}

#[test]
fn hot_stays_hot_until_it_is_calm() {
    let mut app = calm((80, 24));
    let step = |app: &mut App, position: u64, queued: u32| {
        let mut change = frame(position, position);
        change.kitchens = vec![row(1, queued, 7)];
        let urgent = feed(app, change, position).urgent;
        (urgent, app.city().by_no(1).expect("kitchen_2").hot)
    };
    assert_eq!(step(&mut app, 9_001, 6), (true, true), "13 of 14 is above 0.9");
    assert_eq!(step(&mut app, 9_002, 4), (false, true), "11 of 14 is above 0.7");
    assert_eq!(step(&mut app, 9_003, 2), (false, false), "9 of 14 is calm");
    assert_eq!(step(&mut app, 9_004, 5), (false, false), "12 of 14 is not above 0.9");
}

#[test]
fn a_lost_kitchen_is_urgent_and_its_age_is_a_frame_a_second() {
    let mut app = calm((80, 24));
    let silent = |ms: u64| KitchenRow { health: Health::Dead, silent_ms: ms, ..row(1, 0, 0) };
    let mut draws = 0;
    for tenth in 30..60 {
        let mut change = frame(9_000 + tenth, tenth * 100);
        change.kitchens = vec![silent(tenth * 100)];
        let effects = feed(&mut app, change, tenth * 100);
        assert_eq!(effects.urgent, tenth == 30, "{tenth}");
        draws += u32::from(effects.dirty);
    }
    assert!(draws <= 8, "{draws}");
    // Figures are shown at most four times a second: the newest waits for its turn.
    at(&mut app, 6_150);
    assert!(screen(&app).contains("✕ DEAD 5.9 s"), "{}", screen(&app));
}

#[test]
fn the_selection_follows_the_kitchen_and_rows_rest_under_the_hands() {
    let mut app = calm((80, 24));
    assert_eq!(ids(&app), ["kitchen_1", "kitchen_2", "kitchen_3", "kitchen_4"]);
    type_keys(&mut app, &["j"]);
    let mut change = frame(9_001, 500);
    change.kitchens = vec![row(3, 10, 10), row(1, 0, 0)];
    feed(&mut app, change, 500);
    at(&mut app, 2_000);
    assert_eq!(ids(&app)[1], "kitchen_2", "frozen while the hands move");
    assert!(at(&mut app, 4_000).dirty);
    assert_eq!(ids(&app), ["kitchen_1", "kitchen_4", "kitchen_3", "kitchen_2"]);
    assert_eq!(app.rows.selected.as_ref().map(ToString::to_string).as_deref(), Some("kitchen_2"));
    assert_eq!(app.rows.at, 3);
    type_keys(&mut app, &["s"]);
    assert_eq!(app.rows.sort, Sort::Name);
    assert_eq!((ids(&app)[1].as_str(), app.rows.at), ("kitchen_2", 1));
}

#[test]
fn g_g_and_capital_g_go_to_the_ends_and_the_table_follows() {
    let mut app = app((80, 24));
    feed(&mut app, snapshot(9_000, many(1_000)), 0);
    type_keys(&mut app, &["G"]);
    assert_eq!((app.rows.at, app.rows.top), (999, 1_000 - app.rows.page));
    type_keys(&mut app, &["g"]);
    assert!(screen(&app).contains(" g g first row"), "{}", screen(&app));
    type_keys(&mut app, &["g"]);
    assert_eq!((app.rows.at, app.rows.top), (0, 0));
}

#[test]
fn the_filter_narrows_while_it_is_typed_and_esc_goes_back() {
    let mut app = busy((80, 24));
    for (filter, wanted) in [
        ("zone=Har*", vec!["kitchen_2"]),
        ("load>0.8", vec!["kitchen_1"]),
        ("load<50%", vec!["kitchen_3", "kitchen_4"]),
        ("!alive", vec!["kitchen_3", "kitchen_2"]),
        ("state=draining", vec!["kitchen_4"]),
        ("state!=dead zone!=Harbor", vec!["kitchen_1", "kitchen_4"]),
        ("grill", vec!["kitchen_3"]),
        ("queue>4 hot", vec!["kitchen_1"]),
    ] {
        type_keys(&mut app, &["/"]);
        type_text(&mut app, filter);
        assert_eq!(ids(&app), wanted, "{filter}");
        type_keys(&mut app, &["esc"]);
        assert_eq!(ids(&app).len(), 4, "{filter}");
    }
    type_keys(&mut app, &["/"]);
    type_text(&mut app, "loa");
    assert_eq!(ids(&app).len(), 4, "a word that may become a key hides nothing");
    type_text(&mut app, "d>much");
    assert!(screen(&app).contains("`much` is not a number"));
    type_keys(&mut app, &["enter"]);
    assert!(screen(&app).contains("`much` is not a number"));
}

#[test]
fn a_frozen_picture_stays_and_says_how_far_it_is_behind() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["space"]);
    let before = screen(&app);
    let mut change = frame(9_001, 500);
    change.kitchens = vec![row(0, 0, 1)];
    change.collapsed.insert("accepted".to_owned(), 1_204);
    feed(&mut app, change, 500);
    let frozen = screen(&app);
    assert!(frozen.contains("FROZEN 0 s, 1 204 events behind"), "{frozen}");
    assert_eq!(before.lines().nth(3), frozen.lines().nth(3));
    type_keys(&mut app, &["space"]);
    assert_ne!(before.lines().nth(3), screen(&app).lines().nth(3));
}

#[test]
fn a_kill_is_sent_only_after_the_whole_name() {
    let mut app = busy((80, 24));
    assert!(type_keys(&mut app, &["K", "enter"]).is_empty());
    assert!(screen(&app).contains("kills 1 of 2 alive"));
    assert!(screen(&app).contains("5 orders move, 5 cook again (2 in the oven)"));
    assert!(screen(&app).contains("capacity left 66 %"));
    app.update(Input::Paste("kitchen_1".to_owned()), app.now);
    assert!(type_keys(&mut app, &["enter"]).is_empty(), "a paste does not arm");
    type_text(&mut app, "kitchen_");
    assert!(type_keys(&mut app, &["enter"]).is_empty());
    let sent = [type_text(&mut app, "1"), type_keys(&mut app, &["enter"])].concat();
    assert_eq!(sent, [Request::Kill("kitchen_1".parse().expect("an id"))]);
    assert!(app.dialog.is_none());
}

#[test]
fn a_drain_asks_and_starts_on_cancel_and_cordon_turns_round() {
    let mut app = busy((80, 24));
    assert!(type_keys(&mut app, &["d", "enter"]).is_empty());
    let id = "kitchen_1".parse().expect("an id");
    assert_eq!(type_keys(&mut app, &["d", "right", "enter"]), [Request::drain(id)]);
    assert_eq!(type_keys(&mut app, &["C"]), [Request::Cordon("kitchen_1".parse().expect("an id"))]);
    assert_eq!(app.city().by_no(3).and_then(|k| k.row).map(|row| row.schedulable), Some(Schedulable::Draining));
    assert_eq!(type_keys(&mut app, &["j", "j", "C"]), [Request::Uncordon("kitchen_4".parse().expect("an id"))]);
}

#[test]
fn a_rush_is_a_form_and_a_running_one_is_offered_to_stop() {
    let mut app = calm((80, 24));
    let sent = type_keys(
        &mut app,
        &["r", "backspace", "backspace", "8", "0", "down", "down", "right", "down", "down", "down", "enter"],
    );
    assert_eq!(sent, [Request::Rush { rate: 80.0, for_s: 30, zone: Some("Downtown".to_owned()) }]);
    let mut running = frame(9_001, 100);
    running.flow = Some(protocol::feed::Flow { rush: Some(rush()), ..super::fixture::flow(6, 8) });
    feed(&mut app, running, 100);
    assert!(type_keys(&mut app, &["r", "enter"]).is_empty());
    assert_eq!(type_keys(&mut app, &["r", "right", "enter"]), [Request::StopRush]);
}

#[test]
fn an_order_is_chosen_and_migrated_to_an_open_kitchen() {
    let mut app = calm((80, 24));
    let asked = type_keys(&mut app, &["m"]);
    let id = "kitchen_1".parse::<protocol::KitchenId>().expect("an id");
    assert_eq!(asked, [Request::Kitchen(id.clone()), Request::OrdersOf(id)]);
    answer(&mut app, balancer);
    type_keys(&mut app, &["j", "m"]);
    assert!(screen(&app).contains("in the oven: it finishes in place"), "{}", screen(&app));
    let sent = type_keys(&mut app, &["enter"]);
    let to = "kitchen_4".parse().expect("an id");
    assert_eq!(sent, [Request::Migrate { order: OrderId(812), to }], "the emptiest first");
    let asked = type_keys(&mut app, &["enter"]);
    assert_eq!(asked, [Request::Order(OrderId(812)), Request::Explain(OrderId(812)), Request::History(OrderId(812))]);
    answer(&mut app, |asked| matches!(asked, Request::Explain(_)).then(|| balancer(asked)).flatten());
    assert!(screen(&app).contains("excluded: kitchen_3 dead"));
    assert!(type_keys(&mut app, &["esc", "esc"]).is_empty());
    assert!(app.pages.is_empty());
}

#[test]
fn an_answer_to_a_page_that_is_gone_is_forgotten_and_a_refusal_is_shown() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["enter", "esc"]);
    answer(&mut app, balancer);
    type_keys(&mut app, &["C"]);
    answer(&mut app, |_| Some(Err("409: it is\u{1b}[2J draining".to_owned())));
    assert!(screen(&app).contains("✕ 409: it is␛[2J draining"), "{}", screen(&app));
}

#[test]
fn read_only_says_so_and_sends_no_change() {
    let mut app = app_with(crate::console::app::Setup { read_only: true, ..setup() }, (80, 24));
    feed(&mut app, snapshot(9_000, four()), 0);
    assert!(type_keys(&mut app, &["C", "d", "K", "r", "m"]).is_empty());
    assert!(app.dialog.is_none());
    assert!(screen(&app).contains("is off: read-only"));
    at(&mut app, 10_000);
    assert!(!screen(&app).contains("K kill"));
}

#[test]
fn a_broken_proof_is_loud() {
    let mut app = calm((80, 24));
    let mut bad = frame(9_001, 100);
    bad.proof = Some(protocol::api::Proof { lost: 1, ..proof(1_204, 1_173) });
    feed(&mut app, bad, 100);
    assert!(screen(&app).contains("✕ BROKEN") && screen(&app).contains("lost 1"), "{}", screen(&app));
}
