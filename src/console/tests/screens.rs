//! Screens as text, at the four sizes that are promised.

use super::fixture::{app, busy, feed, many, screen, snapshot, type_keys};

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
fn a_thousand_kitchens_are_windowed() {
    for size in [(80, 24), (120, 36)] {
        let mut app = app(size);
        feed(&mut app, snapshot(9_000, many(1_000)), 0);
        type_keys(&mut app, &["j", "j", "j"]);
        check(&format!("fleet_1000_{}x{}", size.0, size.1), &screen(&app));
    }
}

fn ask(app: &mut crate::console::app::App, answers: Vec<crate::console::link::Answer>) {
    use crate::console::app::Input;
    use crate::console::link::Signal;
    // Requests are numbered from 1 in the sequence the page asks.
    for (request, answer) in (1..).zip(answers) {
        app.update(Input::Signal(Signal::Answer { request, outcome: Ok(answer) }), app.now);
    }
}

#[test]
fn a_kitchen_and_an_order_have_pages() {
    use super::fixture::{explain, history, kitchen_view, order, order_page};
    use crate::console::link::Answer;
    for (columns, rows) in [(80, 24), (120, 36)] {
        let mut app = busy((columns, rows));
        type_keys(&mut app, &["enter"]);
        ask(&mut app, vec![Answer::Kitchen(Box::new(kitchen_view())), Answer::Orders(Box::new(order_page()))]);
        check(&format!("kitchen_{columns}x{rows}"), &screen(&app));
        type_keys(&mut app, &["j", "enter"]);
        let mut padded = vec![Answer::Done(String::new()); 2];
        padded.extend([
            Answer::Order(Box::new(order(812))),
            Answer::Explain(Box::new(explain())),
            Answer::History(Box::new(history())),
        ]);
        ask(&mut app, padded);
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
    setup.ascii = true;
    let mut app = super::fixture::app_with(setup, (120, 36));
    super::fixture::trouble(&mut app);
    let picture = screen(&app);
    assert!(picture.is_ascii());
    check("ascii_120x36", &picture);
}
