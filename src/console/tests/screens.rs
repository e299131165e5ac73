//! Screens as text, at the four sizes that are promised.

use protocol::feed::Tone;

use super::fixture::{
    NOON, answer, app, balancer, busy, dead, event, feed, frame, many, row, screen, snapshot, tell_all, travelled,
    type_keys, type_text,
};

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 36), (200, 60)];

/// A name that does not depend on the crate or module it is compiled in.
fn check(name: &str, picture: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, picture));
}

#[test]
fn fleet_reads_at_every_size() {
    for (columns, rows) in SIZES {
        check(&format!("fleet_{columns}x{rows}"), &screen(&busy((columns, rows))));
    }
}

#[test]
fn flow_reads_at_every_size() {
    for (columns, rows) in SIZES {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &["2"]);
        check(&format!("flow_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn the_ledger_reads_at_every_size_and_in_every_pane() {
    for (columns, rows) in SIZES {
        let mut app = busy((columns, rows));
        tell_all(&mut app);
        type_keys(&mut app, &["5", "j"]);
        check(&format!("ledger_{columns}x{rows}"), &screen(&app));
        type_keys(&mut app, &["tab", "j"]);
        check(&format!("ledger_events_{columns}x{rows}"), &screen(&app));
        type_keys(&mut app, &["tab"]);
        type_keys(&mut app, &[":"]);
        type_text(&mut app, "line o812");
        type_keys(&mut app, &["enter"]);
        answer(&mut app, balancer);
        check(&format!("line_{columns}x{rows}"), &screen(&app));
        type_keys(&mut app, &["5"]);
        check(&format!("ledger_line_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn what_was_lost_and_made_good_reads_at_every_size() {
    for (columns, rows) in SIZES {
        let mut app = busy((columns, rows));
        let mut back = frame(9_750, 63_000);
        let returned = event(9_750, 62_900, "kitchen_returned", Tone::Good, "kitchen_3", "heard again");
        (back.kitchens, back.events) = (vec![row(2, 1, 1)], vec![returned]);
        feed(&mut app, back, 63_000);
        let mut next = snapshot(9_800, super::fixture::four());
        (next.epoch, next.at) = (protocol::Epoch(4), protocol::WallTime(NOON + 66_200));
        feed(&mut app, next, 66_200);
        // The running second is over.
        app.update(crate::console::app::Input::Tick, std::time::Duration::from_millis(67_000));
        type_keys(&mut app, &["3"]);
        check(&format!("drill_{columns}x{rows}"), &screen(&app));
    }
    let mut calm = app((120, 36));
    feed(&mut calm, snapshot(9_000, super::fixture::four()), 0);
    type_keys(&mut calm, &["3"]);
    assert!(screen(&calm).contains("nothing was lost since this console began"));
    assert!(screen(&calm).contains("no `chef drill`"));
}

#[test]
fn the_order_form_fits_every_size() {
    for (columns, rows) in [(40, 10), (80, 24)] {
        let mut app = app((columns, rows));
        feed(&mut app, snapshot(9_000, super::fixture::four()), 0);
        type_keys(&mut app, &["o", "2", "down", "down"]);
        check(&format!("dialog_order_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn a_handover_a_reassign_and_a_failure_have_their_place_in_the_line() {
    for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &[":"]);
        type_text(&mut app, "line o900");
        type_keys(&mut app, &["enter"]);
        answer(&mut app, travelled);
        check(&format!("line_travelled_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn why_an_order_is_where_it_is_has_a_page() {
    for (columns, rows) in [(80, 24), (120, 36)] {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &[":"]);
        type_text(&mut app, "explain o812");
        type_keys(&mut app, &["enter"]);
        answer(&mut app, balancer);
        check(&format!("why_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn every_kitchen_is_a_cell() {
    for (columns, rows) in SIZES {
        let mut app = app((columns, rows));
        feed(&mut app, snapshot(9_000, many(1_000)), 0);
        let mut change = frame(9_001, 100);
        change.kitchens = vec![dead(row(7, 0, 0), 12_000), dead(row(8, 0, 0), 12_000)];
        feed(&mut app, change, 100);
        type_keys(&mut app, &["H", "j", "l", "l"]);
        check(&format!("heat_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn the_palette_offers_and_helps() {
    for (columns, rows) in SIZES {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &[":"]);
        type_text(&mut app, "dra");
        check(&format!("palette_{columns}x{rows}"), &screen(&app));
        type_text(&mut app, "in kitchen_2 --");
        check(&format!("palette_args_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn dialogs_fit_the_smallest_screen() {
    for (name, keys) in [
        ("kill", vec!["K", "k", "i", "t"]),
        ("drain", vec!["d"]),
        ("filter", vec!["/", "z", "o", "e", "n", "=", "H", " "]),
        ("target", vec![":", "m", "i", "g", "r", "a", "t", "e", " ", "o", "1", "enter"]),
    ] {
        let mut app = busy((40, 10));
        type_keys(&mut app, &keys);
        check(&format!("dialog_{name}_40x10"), &screen(&app));
    }
    let mut app = app((40, 10));
    feed(&mut app, snapshot(9_000, super::fixture::four()), 0);
    type_keys(&mut app, &["r", "down", "down", "down"]);
    check("dialog_rush_40x10", &screen(&app));
}

#[test]
fn a_thousand_kitchens_are_windowed() {
    for size in [(80, 24), (120, 36)] {
        let mut app = app(size);
        feed(&mut app, snapshot(9_000, many(1_000)), 0);
        type_keys(&mut app, &["j", "j", "j"]);
        check(&format!("fleet_1000_{}x{}", size.0, size.1), &screen(&app));
    }
}

#[test]
fn a_kitchen_and_an_order_have_pages() {
    for (columns, rows) in [(80, 24), (120, 36)] {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &["enter"]);
        answer(&mut app, balancer);
        check(&format!("kitchen_{columns}x{rows}"), &screen(&app));
        type_keys(&mut app, &["j", "enter"]);
        answer(&mut app, balancer);
        check(&format!("order_{columns}x{rows}"), &screen(&app));
    }
}

#[test]
fn dialogs_lie_over_the_picture() {
    for (name, keys) in [
        ("kill", vec!["K", "k", "i", "t"]),
        ("drain", vec!["d"]),
        ("help", vec!["?"]),
        ("filter", vec!["/", "l", "o", "a", "d", ">"]),
        ("theme", vec!["t", "j"]),
    ] {
        let mut app = busy((80, 24));
        type_keys(&mut app, &keys);
        check(&format!("dialog_{name}"), &screen(&app));
    }
    let mut app = app((80, 24));
    feed(&mut app, snapshot(9_000, super::fixture::four()), 0);
    type_keys(&mut app, &["r"]);
    check("dialog_rush", &screen(&app));
}

#[test]
fn a_lost_link_keeps_the_picture() {
    use crate::console::app::Input;
    use crate::console::link::Signal;
    use std::time::Duration;
    let mut app = busy((80, 24));
    let lost = Signal::Lost { why: "connection reset".to_owned(), retry_in: Duration::from_secs(2) };
    app.update(Input::Signal(lost), Duration::from_millis(60_500));
    app.update(Input::Tick, Duration::from_millis(64_900));
    check("lost_80x24", &screen(&app));
}

#[test]
fn ascii_has_every_word() {
    let mut setup = super::fixture::setup();
    setup.symbols = crate::console::symbols::Symbols::Ascii;
    let mut app = super::fixture::app_with(setup, (120, 36));
    super::fixture::trouble(&mut app);
    let picture = screen(&app);
    assert!(picture.is_ascii());
    check("ascii_120x36", &picture);
}
