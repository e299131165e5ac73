//! The palette, repetition, undo, reasons, other keys, copies and the mouse: what an operator types, and what is sent.

use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use protocol::api::{
    Algorithm, DrainView, KitchenView, MigrationView, Migrations, MoveResult, PolicyChange, Schedulable,
};
use protocol::feed::KitchenRow;
use protocol::{OrderId, WallTime};

use super::fixture::{
    NOON, answer, app, app_with, at, balancer, busy, calm, command, feed, four, frame, id, kitchen_view, many, moved,
    order, row, rush, screen, setup, snapshot, type_keys, type_text,
};
use crate::console::app::{App, Effects, Input, Screen, Setup};
use crate::console::keymap::Keymap;
use crate::console::link::{Answer, Request, Sent, Signal};

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> Effects {
    let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    let now = app.now;
    app.update(Input::Mouse(event), now)
}

#[test]
fn a_command_does_what_its_key_does_and_says_what_is_wrong() {
    let mut app = calm((80, 24));
    assert_eq!(command(&mut app, "cordon kitchen_3"), [Request::Cordon(id("kitchen_3"))]);
    assert!(command(&mut app, "drian kitchen_3").is_empty());
    assert!(screen(&app).contains("no action is called `drian`; is it `drain`?"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    command(&mut app, "drain kitchen_3 --dedline 3s");
    assert!(screen(&app).contains("is it `--deadline`?"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    command(&mut app, "kitchen_2");
    assert!(screen(&app).contains("kitchen kitchen_2"), "{}", screen(&app));
    let asked = command(&mut app, "show o42");
    assert_eq!(asked[0], Request::Order(OrderId(42)));
    command(&mut app, "sort queue");
    command(&mut app, "zone Harbor");
    assert_eq!((app.rows.shown.len(), app.pages.len()), (1, 0));
    command(&mut app, "theme nord");
    assert_eq!(app.theme.name, "nord");
}

#[test]
fn tab_completes_and_up_brings_the_line_before() {
    let mut app = calm((120, 36));
    type_keys(&mut app, &[":"]);
    type_text(&mut app, "unc");
    type_keys(&mut app, &["tab"]);
    assert!(screen(&app).contains(" : uncordon\n"), "{}", screen(&app));
    type_text(&mut app, "ki");
    type_keys(&mut app, &["tab", "tab"]);
    assert!(screen(&app).contains(" : uncordon kitchen_2"), "{}", screen(&app));
    assert_eq!(type_keys(&mut app, &["enter"]), [Request::Uncordon(id("kitchen_2"))]);
    type_keys(&mut app, &[":", "up"]);
    assert!(screen(&app).contains(" : uncordon kitchen_2"));
}

#[test]
fn dangerous_commands_meet_the_same_guards() {
    let mut app = calm((80, 24));
    assert!(command(&mut app, "kill kitchen_2 --reason it smokes").is_empty());
    assert!(type_keys(&mut app, &["enter"]).is_empty());
    assert!(screen(&app).contains("is not kitchen_2"), "{}", screen(&app));
    let sent = [type_text(&mut app, "kitchen_2"), type_keys(&mut app, &["enter"])].concat();
    assert_eq!(sent, [Request::Kill(id("kitchen_2"))]);
    assert!(command(&mut app, "drain kitchen_2 --deadline 5s").is_empty());
    assert!(screen(&app).contains("what is left after 5.0 s is recovered elsewhere"), "{}", screen(&app));
    let drain = Request::Drain { kitchen: id("kitchen_2"), deadline_ms: Some(5_000), force: false };
    assert_eq!(type_keys(&mut app, &["right", "enter"]), [drain]);
    assert!(command(&mut app, "cancel o7").is_empty());
    assert!(screen(&app).contains("type o7 to arm"));
    type_keys(&mut app, &["esc"]);
    assert!(command(&mut app, "release o7").is_empty());
    assert_eq!(type_keys(&mut app, &["right", "enter"]), [Request::Release(OrderId(7))]);
    assert!(command(&mut app, "rush --rate 80 --zone harbor").is_empty());
    let sent = type_keys(&mut app, &["down", "down", "down", "down", "down", "enter"]);
    assert_eq!(sent, [Request::Rush { rate: 80.0, for_s: 30, zone: Some("Harbor".to_owned()) }]);
}

#[test]
fn a_reason_is_sent_with_the_change_and_shown_in_the_audit_when_refused() {
    let mut app = calm((120, 36));
    type_keys(&mut app, &["d", "tab"]);
    type_text(&mut app, "oven check");
    let mut sent: Vec<Sent> = Vec::new();
    for key in ["enter", "enter"] {
        let now = app.now;
        sent.extend(app.update(Input::Key(super::fixture::key(key)), now).send);
    }
    assert_eq!(sent.len(), 1);
    assert_eq!((&sent[0].request, sent[0].reason.as_deref()), (&Request::drain(id("kitchen_1")), Some("oven check")));
    answer(&mut app, |asked| asked.is_change().then(|| Err("409: no room elsewhere".to_owned())));
    type_keys(&mut app, &["5"]);
    let shown = screen(&app);
    assert!(shown.contains("this console") && shown.contains("refused: 409: no room elsewhere"), "{shown}");
    assert!(shown.contains("oven check"), "{shown}");
}

#[test]
fn a_cordon_can_be_taken_back_for_ten_seconds_and_a_kill_cannot() {
    let mut app = calm((80, 24));
    at(&mut app, 1_000);
    type_keys(&mut app, &["C"]);
    assert!(app.undo_left().is_none(), "not before the balancer has said that it is done");
    answer(&mut app, balancer);
    assert!(screen(&app).contains("u undo cordon kitchen_1 10 s"), "{}", screen(&app));
    feed(&mut app, frame(9_001, 3_500), 3_500);
    assert!(screen(&app).contains("u undo cordon kitchen_1 8 s"), "{}", screen(&app));
    assert_eq!(type_keys(&mut app, &["u"]), [Request::Uncordon(id("kitchen_1"))]);
    assert!(type_keys(&mut app, &["u"]).is_empty());
    answer(&mut app, balancer);
    at(&mut app, 60_000);
    assert!(type_keys(&mut app, &["u"]).is_empty(), "its time is over");
    feed(&mut app, frame(9_002, 60_100), 60_100);
    type_keys(&mut app, &["K"]);
    type_text(&mut app, "kitchen_1");
    type_keys(&mut app, &["enter"]);
    answer(&mut app, balancer);
    assert!(type_keys(&mut app, &["u"]).is_empty());
    assert!(screen(&app).contains("a kill has no undo"), "{}", screen(&app));
}

#[test]
fn undo_knows_what_was_before() {
    let mut app = calm((80, 24));
    let mut running = frame(9_001, 100);
    running.flow = Some(protocol::feed::Flow { rush: Some(rush()), ..super::fixture::flow(6, 8) });
    let draining = KitchenRow { schedulable: Schedulable::Draining, ..row(3, 0, 8) };
    let cordoned = KitchenRow { schedulable: Schedulable::Cordoned, ..row(2, 0, 4) };
    running.kitchens = vec![draining, cordoned];
    feed(&mut app, running, 100);
    let before = Request::Rush { rate: 50.0, for_s: 18, zone: Some("Harbor".to_owned()) };
    for (line, keys, back) in [
        ("rush stop", &["right", "enter"][..], Some(before.clone())),
        ("rush --rate 90", &["down", "down", "down", "down", "down", "enter"], Some(before)),
        ("uncordon kitchen_3", &[], Some(Request::Cordon(id("kitchen_3")))),
        ("drain kitchen_2", &["right", "enter"], Some(Request::Uncordon(id("kitchen_2")))),
        ("drain kitchen_3", &["right", "enter"], Some(Request::Cordon(id("kitchen_3")))),
        ("uncordon kitchen_4", &[], None),
        ("migrate o812 kitchen_2", &[], None),
        ("release o812", &["right", "enter"], None),
    ] {
        let sent = [command(&mut app, line), type_keys(&mut app, keys)].concat();
        assert_eq!(sent.len(), 1, "{line}: {sent:?}");
        answer(&mut app, balancer);
        assert_eq!(type_keys(&mut app, &["u"]), Vec::from_iter(back), "{line}");
        answer(&mut app, balancer);
        app.undo = None;
    }
}

#[test]
fn a_policy_is_asked_for_shown_with_what_changes_and_put_back() {
    let mut app = calm((80, 24));
    assert_eq!(command(&mut app, "policy --algorithm round-robin --steal false"), [Request::Policy]);
    answer(&mut app, balancer);
    let shown = screen(&app);
    assert!(
        shown.contains("algorithm: weighted-score -> round-robin") && shown.contains("steal: true -> false"),
        "{shown}"
    );
    let (algorithm, steal) = (Some(Algorithm::RoundRobin), Some(false));
    let change = PolicyChange { algorithm, steal, ..PolicyChange::default() };
    assert_eq!(type_keys(&mut app, &["right", "enter"]), [Request::SetPolicy(Box::new(change))]);
    answer(&mut app, balancer);
    let (algorithm, steal) = (Some(Algorithm::WeightedScore), Some(true));
    let back = PolicyChange { algorithm, steal, ..PolicyChange::default() };
    assert_eq!(type_keys(&mut app, &["u"]), [Request::SetPolicy(Box::new(back))]);
}

#[test]
fn a_dot_repeats_the_last_action_where_the_cursor_is() {
    let mut app = calm((80, 24));
    assert!(type_keys(&mut app, &["."]).is_empty());
    assert_eq!(type_keys(&mut app, &["C"]), [Request::Cordon(id("kitchen_1"))]);
    assert_eq!(type_keys(&mut app, &["j", "."]), [Request::Cordon(id("kitchen_2"))]);
    command(&mut app, "cordon kitchen_4");
    assert_eq!(type_keys(&mut app, &["."]), [Request::Cordon(id("kitchen_4"))], "what was named stays named");
    assert!(type_keys(&mut app, &["K", "esc", "."]).is_empty());
    assert!(screen(&app).contains("type kitchen_2 to arm"), "a repetition is guarded, too");
}

#[test]
fn read_only_sends_no_change_by_key_palette_repetition_or_undo() {
    let mut app = app_with(Setup { read_only: true, ..setup() }, (80, 24));
    feed(&mut app, snapshot(9_000, four()), 0);
    for line in [
        "cordon kitchen_1",
        "uncordon kitchen_1",
        "drain kitchen_1 --force",
        "kill kitchen_1",
        "cancel o1",
        "release o1",
        "migrate o1 kitchen_2",
        "migrate o1",
        "rush --rate 5",
        "rush stop",
        "policy --steal false",
        "undo",
    ] {
        let sent = [command(&mut app, line), type_keys(&mut app, &["tab", "enter", ".", "u", "esc"])].concat();
        assert!(sent.iter().all(|request| !request.is_change()), "{line}: {sent:?}");
        assert!(app.dialog.is_none(), "{line}");
        command(&mut app, line);
        assert!(screen(&app).contains("is off: read-only"), "{line}\n{}", screen(&app));
    }
}

#[test]
fn keys_can_be_others_and_the_footer_and_the_help_say_so() {
    let keys = Keymap::parse("[keys]\nkill = \"z k\"\nquit = \"Q\"\n", "f").expect("keys");
    let mut app = app_with(Setup { keys, ..setup() }, (120, 36));
    feed(&mut app, snapshot(9_000, four()), 0);
    assert!(screen(&app).contains("z k kill") && screen(&app).contains("Q quit"), "{}", screen(&app));
    type_keys(&mut app, &["K"]);
    assert!(app.dialog.is_none());
    type_keys(&mut app, &["z", "k"]);
    assert!(screen(&app).contains("Kill kitchen_1"));
}

#[test]
fn what_happens_with_an_order_that_is_cooked_is_said() {
    let mut app = calm((120, 36));
    command(&mut app, "show o812");
    let cooked = |interruptible: bool, done: u8| {
        let mut order = order(812);
        (order.stage.interruptible, order.stage.done) = (interruptible, done);
        order
    };
    for (order, wanted) in [
        (cooked(false, 1), "in the oven: it finishes in place"),
        (cooked(true, 1), "handed over at its next checkpoint"),
        (cooked(true, 2), "nearly done (last stage): it finishes in place"),
    ] {
        let later = app.now + Duration::from_secs(2);
        at(&mut app, u64::try_from(later.as_millis()).expect("small"));
        answer(&mut app, |asked| match asked {
            Request::Order(_) => Some(Ok(Answer::Order(Box::new(order.clone())))),
            _ => None,
        });
        type_keys(&mut app, &["m"]);
        assert!(screen(&app).contains(wanted), "{wanted}\n{}", screen(&app));
        type_keys(&mut app, &["esc"]);
        let now = u64::try_from(app.now.as_millis()).expect("small");
        feed(&mut app, frame(9_100, now), now);
    }
}

#[test]
fn the_migrations_of_before_are_asked_for_once_and_a_handover_gets_its_pause() {
    let mut app = app((120, 36));
    let effects = feed(&mut app, snapshot(9_000, four()), 0);
    assert!(effects.send.iter().any(|sent| sent.request == Request::Migrations));
    let older = MigrationView {
        at: WallTime(NOON - 5_000),
        order: Some(OrderId(700)),
        from: id("kitchen_1"),
        to: Some(id("kitchen_2")),
        kind: protocol::api::HopKind::Handover,
        reason: "drain".to_owned(),
        pause_ms: Some(38),
        result: MoveResult::Done,
    };
    answer(&mut app, |asked| match asked {
        Request::Migrations => Some(Ok(Answer::Migrations(Box::new(Migrations { migrations: vec![older.clone()] })))),
        _ => None,
    });
    type_keys(&mut app, &["2"]);
    let shown = screen(&app);
    assert!(shown.contains("o700") && shown.contains("handover") && shown.contains("38 ms"), "{shown}");
    let mut begun = frame(9_001, 100);
    begun.moves = vec![moved(801, 0, 1, protocol::api::HopKind::Handover, MoveResult::Done)];
    begun.moves[0].pause_ms = None;
    let mut ended = frame(9_002, 200);
    ended.moves = vec![moved(801, 0, 1, protocol::api::HopKind::Handover, MoveResult::Done)];
    feed(&mut app, begun, 100);
    feed(&mut app, ended, 200);
    assert_eq!(app.city().moves.ended().count(), 2, "the pause completes the move");
    assert!(screen(&app).contains("41 ms"));
}

#[test]
fn a_drain_counts_down_and_a_slow_kitchen_says_so() {
    let mut app = calm((120, 36));
    let mut draining = frame(9_001, 100);
    draining.kitchens = vec![KitchenRow { schedulable: Schedulable::Draining, ..row(0, 2, 3) }];
    feed(&mut app, draining, 100);
    let drain = Some(DrainView { waiting: 2, cooking: 3, in_the_oven: 1, deadline_left_ms: 24_000 });
    let view = KitchenView { drain, note: Some("slow: 4.2 times the fleet".to_owned()), ..kitchen_view() };
    type_keys(&mut app, &["enter"]);
    answer(&mut app, |asked| match asked {
        Request::Kitchen(_) => Some(Ok(Answer::Kitchen(Box::new(view.clone())))),
        _ => None,
    });
    let line = "draining: 2 waiting, 3 cooking (1 in the oven), 24 s left · slow: 4.2 times the fleet";
    assert!(screen(&app).contains(line), "{}", screen(&app));
    feed(&mut app, frame(9_002, 2_100), 2_100);
    assert!(screen(&app).contains("23 s left"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    assert!(screen(&app).contains("draining 5, 22"), "{}", screen(&app));
}

#[test]
fn what_is_copied_is_the_id_the_row_or_the_page() {
    let mut app = calm((80, 24));
    let copy = |app: &mut App, key: &str| {
        let now = app.now;
        app.update(Input::Key(super::fixture::key(key)), now).copy.expect("a copy")
    };
    assert_eq!(copy(&mut app, "y").text, "kitchen_1");
    assert!(copy(&mut app, "Y").text.starts_with("kitchen_1\tDowntown Oven\tDowntown\t100 %"));
    type_keys(&mut app, &["enter"]);
    let page = copy(&mut app, "Y");
    assert!(page.what == "the page" && page.text.contains("kitchen kitchen_1"), "{}", page.text);
    type_keys(&mut app, &["5"]);
    assert!(app.update(Input::Key(super::fixture::key("y")), app.now).copy.is_none());
}

#[test]
fn the_mouse_is_off_and_on_it_selects_and_scrolls_but_never_acts() {
    let mut app = app((80, 24));
    feed(&mut app, snapshot(9_000, many(100)), 0);
    let click = MouseEventKind::Down(MouseButton::Left);
    assert!(!mouse(&mut app, click, 10, 6).dirty);
    assert_eq!(type_keys(&mut app, &["M"]), []);
    assert!(app.mouse);
    mouse(&mut app, click, 10, 6);
    assert_eq!(app.rows.at, 3, "the table begins in the third row, below its heads");
    mouse(&mut app, MouseEventKind::ScrollDown, 10, 6);
    assert_eq!(app.rows.at, 6);
    for (x, wanted) in [(9, Screen::Flow), (30, Screen::Ledger), (2, Screen::Fleet)] {
        mouse(&mut app, click, x, 1);
        assert_eq!(app.screen, wanted);
    }
    type_keys(&mut app, &["H"]);
    for (x, y) in (0..80).flat_map(|x| (0..24).map(move |y| (x, y))) {
        let effects = mouse(&mut app, click, x, y);
        assert!(effects.send.iter().all(|sent| !sent.request.is_change()));
    }
}

#[test]
fn a_ledger_line_opens_what_it_is_about_and_keeps_its_place() {
    let mut app = busy((120, 36));
    type_keys(&mut app, &["5", "tab"]);
    let asked = type_keys(&mut app, &["enter"]);
    assert!(asked.contains(&Request::Kitchen(id("kitchen_4"))), "{asked:?}");
    type_keys(&mut app, &["esc", "j"]);
    let before = app.ledger.row(app.city());
    let mut news = frame(9_800, 61_000);
    news.events =
        vec![super::fixture::event(9_799, 61_000, "drained", protocol::feed::Tone::Good, "kitchen_4", "empty")];
    feed(&mut app, news, 61_000);
    assert_eq!(app.ledger.row(app.city()), before);
    type_keys(&mut app, &["/"]);
    type_text(&mut app, "knd=x");
    assert!(screen(&app).contains("is it `kind`?"), "{}", screen(&app));
    type_keys(&mut app, &["esc", "/"]);
    type_text(&mut app, "kind=drained");
    assert_eq!(app.ledger.events(app.city()).count(), 1);
}

#[test]
fn the_ledger_shows_the_line_of_the_order_it_came_from() {
    let mut app = busy((120, 36));
    command(&mut app, "show o812");
    answer(&mut app, balancer);
    type_keys(&mut app, &["5"]);
    assert!(screen(&app).contains("order o812 in space and time"), "{}", screen(&app));
    assert!(screen(&app).contains("recover kitchen_3 -> kitchen_1"), "{}", screen(&app));
    let due = app.now + Duration::from_secs(3);
    let asked = app.update(Input::Tick, due).send;
    assert!(asked.iter().any(|sent| sent.request == Request::History(OrderId(812))));
}

#[test]
fn a_typo_in_a_filter_is_named() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["/"]);
    type_text(&mut app, "alvie");
    assert!(screen(&app).contains("has `alvie` in it; is it `alive`?"), "{}", screen(&app));
    type_keys(&mut app, &["esc", "/"]);
    type_text(&mut app, "zoen=Harbor ");
    assert!(screen(&app).contains("`zoen` is not known; is it `zone`?"), "{}", screen(&app));
}

#[test]
fn p99_stays_on_a_narrow_screen_in_trouble() {
    let shown = screen(&busy((80, 24)));
    let top = shown.lines().next().unwrap_or_default();
    assert!(top.contains("p99 4.1 s") && top.contains("rush 50/s") && top.contains("1 DEAD"), "{top}");
}

#[test]
fn a_refused_request_is_not_offered_to_be_undone() {
    let mut app = calm((80, 24));
    type_keys(&mut app, &["C"]);
    let refused = app.waiting().into_iter().find(|(_, request)| request.is_change()).expect("a change").0;
    let outcome = Err("409".to_owned());
    app.update(Input::Signal(Signal::Answer { request: refused, outcome }), app.now);
    assert!(app.undo.is_none());
}
