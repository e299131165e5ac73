//! Placing an order and tuning the policy: forms and questions, what is sent, and what is sent again.

use protocol::OrderId;

use super::fixture::{
    answer, app, app_with, balancer, event, feed, four, frame, screen, setup, snapshot, type_keys, type_text,
};
use crate::console::app::page::OrderPage;
use crate::console::app::{App, Input, Setup};
use crate::console::link::{Answer, Request, Signal};

fn calm(size: (u16, u16)) -> App {
    let mut app = app(size);
    feed(&mut app, snapshot(9_000, four()), 0);
    app
}

fn command(app: &mut App, line: &str) -> Vec<Request> {
    let mut sent = type_keys(app, &[":"]);
    sent.extend(type_text(app, line));
    sent.extend(type_keys(app, &["enter"]));
    sent
}

fn placed(sent: &[Request]) -> &protocol::api::PlaceOrder {
    let [Request::Place(order)] = sent else { panic!("{sent:?}") };
    order
}

#[test]
fn an_order_is_a_form_and_becomes_the_one_that_keys_are_about() {
    let mut app = calm((80, 24));
    assert!(type_keys(&mut app, &["o", "2", "down", "right", "right", "left", "enter", "right", "enter"]).is_empty());
    type_text(&mut app, "Ada");
    assert!(screen(&app).contains("2 dishes"), "{}", screen(&app));
    let sent = type_keys(&mut app, &["enter", "right", "enter", "enter"]);
    let order = placed(&sent);
    let items: Vec<_> = order.items.iter().map(|item| (item.dish.as_str(), item.quantity)).collect();
    assert_eq!((items, order.zone.as_str()), (vec![("pizza", 2), ("pasta", 1)], "Harbor"));
    assert_eq!((order.customer.as_deref(), order.priority), (Some("Ada"), protocol::Priority::High));
    answer(&mut app, balancer);
    assert!(screen(&app).contains("o901 is placed: leased at kitchen_2; enter opens it"), "{}", screen(&app));
    let asked = type_keys(&mut app, &["enter"]);
    assert_eq!(asked[0], Request::Order(OrderId(901)));
    // Later, enter opens the kitchen again, and w the order's line.
    type_keys(&mut app, &["esc", "j", "enter"]);
    assert!(screen(&app).contains("kitchen kitchen_2"), "{}", screen(&app));
    type_keys(&mut app, &["esc", "w"]);
    assert!(screen(&app).contains("order o901 in space and time") || screen(&app).contains("order o901"));
}

#[test]
fn an_order_without_an_answer_is_sent_again_under_its_key_and_a_changed_one_is_not() {
    let mut app = calm((80, 24));
    command(&mut app, "order pizza:2 --zone harbor");
    let first = type_keys(&mut app, &["enter"]);
    let key = placed(&first).key.clone();
    assert!(key.is_some());
    let timed_out = |asked: &Request| asked.is_change().then(|| Err("no answer within 10 s".to_owned()));
    answer(&mut app, timed_out);
    type_keys(&mut app, &["o"]);
    assert!(screen(&app).contains("sent as it is, it is placed only once"), "{}", screen(&app));
    let again = type_keys(&mut app, &["enter"]);
    assert_eq!(placed(&again), placed(&first));
    answer(&mut app, timed_out);
    let other = type_keys(&mut app, &["o", "tab", "tab", "right", "up", "up", "up", "enter"]);
    assert!(other.is_empty(), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    command(&mut app, "order pizza:3 --zone Harbor");
    let other = type_keys(&mut app, &["enter"]);
    assert_ne!(placed(&other).key, key, "another order has another key");
    answer(&mut app, balancer);
    type_keys(&mut app, &["o"]);
    assert!(screen(&app).contains("not confirmed yet"), "the first still is not: {}", screen(&app));
    assert_eq!(placed(&type_keys(&mut app, &["enter"])), placed(&first));
    answer(&mut app, balancer);
    type_keys(&mut app, &["o"]);
    assert!(screen(&app).contains("0 dishes"), "what is placed is done with: {}", screen(&app));
}

fn silence(asked: &Request) -> Option<Result<Answer, String>> {
    asked.is_change().then(|| Err("no balancer reachable at http://a: no answer in time".to_owned()))
}

#[test]
fn each_order_without_an_answer_keeps_its_key_though_others_were_sent_since() {
    let mut app = calm((80, 24));
    let mut send = |line: &str| {
        command(&mut app, line);
        let sent = type_keys(&mut app, &["enter"]);
        answer(&mut app, silence);
        placed(&sent).clone()
    };
    let first = send("order pizza:2 --zone Harbor");
    let second = send("order pasta:1 --zone Harbor");
    assert_ne!(first.key, second.key);
    assert_eq!(send("order pizza:2 --zone Harbor"), first);
    assert_eq!(send("order pasta:1 --zone Harbor"), second);
}

#[test]
fn an_order_that_a_balancer_refused_or_that_never_left_is_another_order_next_time() {
    for why in ["`Mars` is not a zone of this city (unknown_zone)", "not sent: the link is busy or gone"] {
        let mut app = calm((80, 24));
        command(&mut app, "order pizza:2 --zone Harbor");
        let first = type_keys(&mut app, &["enter"]);
        answer(&mut app, |asked| asked.is_change().then(|| Err(why.to_owned())));
        type_keys(&mut app, &["o"]);
        assert!(!screen(&app).contains("not confirmed yet"), "{}", screen(&app));
        type_keys(&mut app, &["esc"]);
        command(&mut app, "order pizza:2 --zone Harbor");
        assert_ne!(placed(&type_keys(&mut app, &["enter"])).key, placed(&first).key);
    }
}

#[test]
fn an_order_that_may_have_arrived_before_keeps_its_key_though_it_was_not_sent_again() {
    let mut app = calm((80, 24));
    command(&mut app, "order pizza:2 --zone Harbor");
    let first = type_keys(&mut app, &["enter"]);
    answer(&mut app, silence);
    type_keys(&mut app, &["o", "enter"]);
    answer(&mut app, |asked| asked.is_change().then(|| Err("not sent: the link is busy or gone".to_owned())));
    let again = type_keys(&mut app, &["o", "enter"]);
    assert_eq!(placed(&again), placed(&first));
}

#[test]
fn an_open_form_says_not_confirmed_only_until_the_answer_is_there() {
    let mut app = calm((80, 24));
    command(&mut app, "order pizza:2 --zone Harbor");
    let first = type_keys(&mut app, &["enter"]);
    type_keys(&mut app, &["o"]);
    assert!(screen(&app).contains("not confirmed yet"), "{}", screen(&app));
    answer(&mut app, balancer);
    assert!(!screen(&app).contains("not confirmed yet"), "{}", screen(&app));
    assert_ne!(placed(&type_keys(&mut app, &["enter"])).key, placed(&first).key, "one more of the same");
}

#[test]
fn an_order_that_could_not_leave_is_not_remembered_as_sent() {
    let mut app = calm((80, 24));
    command(&mut app, "order pizza:2 --zone Harbor");
    let lost = Signal::Lost { why: "reset".to_owned(), retry_in: std::time::Duration::from_secs(1) };
    app.update(Input::Signal(lost), app.now);
    assert!(type_keys(&mut app, &["enter"]).is_empty());
    feed(&mut app, snapshot(9_100, four()), 2_000);
    type_keys(&mut app, &["o"]);
    assert!(screen(&app).contains("0 dishes"), "{}", screen(&app));
}

#[test]
fn on_the_ledger_keys_are_about_the_order_whose_line_is_shown() {
    let mut app = calm((120, 50));
    command(&mut app, "order pizza:2 --zone Harbor");
    type_keys(&mut app, &["enter"]);
    answer(&mut app, balancer);
    app.ledger.order = Some(Box::new(OrderPage::new(OrderId(77))));
    assert_eq!(app.order_subject(), Some(OrderId(901)));
    type_keys(&mut app, &["5", "tab", "tab"]);
    assert_eq!(app.order_subject(), Some(OrderId(77)));
}

#[test]
fn a_digit_takes_the_place_of_a_number_that_stood_there() {
    let mut app = calm((80, 24));
    command(&mut app, "order pizza:2");
    type_keys(&mut app, &["up", "up", "up", "up", "3", "0"]);
    assert!(screen(&app).contains("< 30 >"), "{}", screen(&app));
}

#[test]
fn an_order_that_can_not_be_is_not_sent() {
    let mut app = calm((80, 24));
    command(&mut app, "order soap --zone Harbor");
    assert!(screen(&app).contains("no dish is called `soap`"), "{}", screen(&app));
    assert!(type_keys(&mut app, &["esc", "o", "up", "enter"]).is_empty());
    assert!(screen(&app).contains("nothing chosen"), "{}", screen(&app));
    type_keys(&mut app, &["esc"]);
    command(&mut app, "order pizza --zone Mars");
    assert!(screen(&app).contains("no zone is called `Mars`"), "{}", screen(&app));
    let mut read_only = app_with(Setup { read_only: true, ..setup() }, (80, 24));
    feed(&mut read_only, snapshot(9_000, four()), 0);
    type_keys(&mut read_only, &["o"]);
    assert!(read_only.dialog.is_none() && screen(&read_only).contains("order is off: read-only"));
}

#[test]
fn every_option_of_the_policy_can_be_set_and_taken_back() {
    let mut app = calm((120, 36));
    let line = "policy --algorithm round-robin --weights 1,0,0,0 --time-scale 3s --distance-scale-km 7.5 \
        --overload-threshold 0.8 --calm-threshold 0.6 --available-threshold 0.4 --max-migrations-per-cycle 9 --cycle 1s \
        --min-stay 2s";
    assert_eq!(command(&mut app, line), [Request::Policy]);
    answer(&mut app, balancer);
    let sent = type_keys(&mut app, &["right", "enter"]);
    let [Request::SetPolicy(change)] = &sent[..] else { panic!("{sent:?}\n{}", screen(&app)) };
    assert_eq!(
        (change.time_scale_ms, change.min_stay_ms, change.cycle_ms),
        (Some(Some(3_000)), Some(2_000), Some(1_000))
    );
    answer(&mut app, balancer);
    let undone = type_keys(&mut app, &["u"]);
    let [Request::SetPolicy(back)] = &undone[..] else { panic!("{undone:?}") };
    let before = protocol::api::PolicyView::default();
    assert_eq!(
        (back.time_scale_ms, back.min_stay_ms, back.cycle_ms),
        (Some(None), Some(before.min_stay_ms), Some(before.cycle_ms))
    );
    answer(&mut app, balancer);
    assert_eq!(type_keys(&mut app, &["u"]), sent, "taking back the taking back is the change again");
}

/// Tunes the cycle, with events of the feed between the question and its yes.
fn tuned(app: &mut App, between: Vec<protocol::feed::FeedEvent>) -> Vec<Request> {
    command(app, "policy --cycle 1s");
    answer(app, balancer);
    tell(app, 9_010, between);
    let sent = type_keys(app, &["right", "enter"]);
    assert!(matches!(sent[..], [Request::SetPolicy(_)]), "{sent:?}");
    answer(app, balancer);
    sent
}

fn tell(app: &mut App, position: u64, events: Vec<protocol::feed::FeedEvent>) {
    let mut frame = frame(position, 1_000);
    frame.events = events;
    feed(app, frame, u64::try_from(app.now.as_millis()).unwrap_or(0));
}

fn policy_changed(position: u64, who: &str) -> protocol::feed::FeedEvent {
    event(position, 1_000, "policy_changed", protocol::feed::Tone::Warn, "", &format!("the policy is changed by {who}"))
}

#[test]
fn a_policy_that_somebody_else_changed_meanwhile_is_not_put_back() {
    let mut mine = calm((120, 36));
    tuned(&mut mine, Vec::new());
    tell(&mut mine, 9_020, vec![policy_changed(9_020, "me")]);
    assert_eq!(type_keys(&mut mine, &["u"]).len(), 1, "{}", screen(&mine));
    let mut before = calm((120, 36));
    tuned(&mut before, vec![policy_changed(9_010, "bob")]);
    assert!(type_keys(&mut before, &["u"]).is_empty());
    assert!(screen(&before).contains("changed by somebody else"), "{}", screen(&before));
    let mut after = calm((120, 36));
    tuned(&mut after, Vec::new());
    tell(&mut after, 9_030, vec![policy_changed(9_020, "me"), policy_changed(9_030, "bob")]);
    assert!(type_keys(&mut after, &["u"]).is_empty());
    assert!(screen(&after).contains("changed by somebody else"), "{}", screen(&after));
}
