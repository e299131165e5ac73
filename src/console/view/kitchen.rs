//! One kitchen: its facts, as the feed and the balancer tell them, and the orders it holds.
//!
//! ```text
//! ─ kitchen_1 ─────────────────────────────────────────────── Downtown Oven, Downtown ─
//!  ● alive   load ████████████▋··┃·  84 %   3 waiting, 5 cooking (2 in the oven) of 10
//!  stations 5 · pizza, pasta, burger · completed 412 · avg 3.2 s
//!  last heard 300 ms ago, leases 2.7 s left · alive and open since 12:03:07
//!  draining: 2 waiting, 3 cooking (1 in the oven), 24 s left · slow: 4.2 times the fleet
//!  0 failed attempts · 0 lost leases
//! ─ orders ─────────────────────── ▲ 23 above, g g  8 open, 2 ended, at position 9 812 ─
//!   ORDER    STATE    STAGE        ITEMS                        PLACED    TRY
//! > o812     cooking  cook 2/3     2 pizza, 1 salad             12:41:02      1
//! ```
//!
//! Owns how a page reads. Never asks for what is not there: it says so.

use protocol::api::{DrainView, Health, ItemBody, KitchenView, OrderView};
use ratatui::layout::Rect;

use super::fleet::{load_role, state};
use super::layout;
use super::pen::Pen;
use super::recall::{self, ABSENT, TITLE};
use super::text::{fit, ms, percent, plural, silence, thousands};
use crate::console::app::App;
use crate::console::app::city::{CALM, Kitchen};
use crate::console::app::page::KitchenPage;
use crate::console::app::recall::of_kitchen;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws the page.
pub fn render(pen: &mut Pen<'_>, app: &App, page: &KitchenPage, area: Rect) {
    let framed = layout::is_framed(area);
    let kitchen = app.city().kitchen(&page.id);
    let told = page.told.map_or_else(String::new, |at| format!(", asked {}", &at.clock()[..8]));
    let place = kitchen.map_or_else(String::new, |kitchen| {
        format!("{}, {}{told}", kitchen.name.fit(30), app.city().zone_of(kitchen).fit(16))
    });
    let [upper, lower] = layout::kitchen(area);
    let inside = pen.panel(upper, framed, &format!("kitchen {}", page.id), &place);
    match kitchen {
        Some(kitchen) => facts(pen, app, kitchen, page.view.as_ref(), inside),
        None => {
            pen.put(inside.x + 1, inside.y, inside.width, "gone: not in the newest picture", Role::Warn);
        }
    }
    match kitchen.filter(|_| app.replay.is_some() && page.orders.is_none()) {
        Some(kitchen) => recall::render(pen, &of_kitchen(app.city(), kitchen), (TITLE, "its orders"), lower, framed),
        None => orders(pen, page, lower, framed),
    }
}

fn facts(pen: &mut Pen<'_>, app: &App, kitchen: &Kitchen, view: Option<&KitchenView>, area: Rect) {
    let (x, y, right) = (area.x + 1, area.y, area.right());
    let (word, role) = state(kitchen);
    let at = pen.put(x, y, right.saturating_sub(x), &word, role) + 2;
    let living = kitchen.row.filter(|row| row.health != Health::Dead);
    if let Some(row) = living {
        let bar = (area.width / 4).clamp(6, 30);
        pen.bar(at, y, bar, kitchen.load(), Some(app.city().threshold), load_role(kitchen, app.city().threshold));
        // Below the mark the word alone would look wrong.
        let limit = CALM.min(app.city().threshold);
        let cools = kitchen.hot && kitchen.load() <= app.city().threshold;
        let until = if cools { format!(" · hot until below {}", percent(limit)) } else { String::new() };
        let text = format!(
            " {}  {} waiting, {} cooking ({} in the oven) of {}{until}",
            percent(kitchen.load()),
            row.queued,
            row.cooking,
            row.in_the_oven,
            kitchen.capacity
        );
        let room = right.saturating_sub(at + bar);
        pen.put(at + bar, y, room, &fit(&text, room.into()), Role::Text);
    }
    let dishes: Vec<String> = kitchen.specialties.iter().map(|dish| dish.fit(16)).collect();
    let mut line = vec![format!("{} stations", kitchen.stations), dishes.join(", ")];
    if let Some(row) = kitchen.row {
        line.push(format!("completed {}", thousands(row.completed)));
        if row.avg_ms > 0 {
            line.push(format!("avg {}", ms(row.avg_ms.into())));
        }
    }
    let room = right.saturating_sub(x);
    pen.put(x, y + 1, room, &fit(&line.join(" · "), room.into()), Role::Text);
    if view.is_none() && app.replay.is_some() {
        let next = pen.put(x, y + 2, right.saturating_sub(x), "load, last minute ", Role::Dim);
        let next = pen.spark(next, y + 2, kitchen.spark.steps(), 1.0, Role::Spark);
        pen.put(next + 1, y + 2, right.saturating_sub(next + 1), "6 s a column", Role::Dim);
        let text = format!("signs of life, leases, failures: {ABSENT}");
        pen.put(x, y + 3, right.saturating_sub(x), &text, Role::Dim);
    }
    if let Some(view) = view {
        pen.put(x, y + 2, room, &fit(&evidence(app, kitchen, view), room.into()), Role::Dim);
        let failures = format!(
            "{} · {}",
            plural(view.failed, "failed attempt", "failed attempts"),
            plural(view.lost_leases, "lost lease", "lost leases")
        );
        // What is going on comes before what went wrong once; both where there is room.
        let said = remark(app, kitchen);
        let y = if said.is_empty() || area.height < 5 { y + 3 } else { y + 4 };
        if !said.is_empty() {
            pen.name(x, area.y + 3, right.saturating_sub(x + 1), &Untrusted::new(&said), Role::Warn);
        }
        if said.is_empty() || area.height >= 5 {
            pen.put(x, y, right.saturating_sub(x), &failures, Role::Dim);
        }
    }
}

/// What its drain still has to do, and why it gets fewer orders than it has places for.
fn remark(app: &App, kitchen: &Kitchen) -> String {
    let Some(remark) = app.city().remarks.get(&kitchen.id) else { return String::new() };
    let drain = app.city().drain(&kitchen.id, app.now).map(|(drain, left)| {
        let DrainView { waiting, cooking, in_the_oven, .. } = drain;
        let left = if left == 0 { "its time is over".to_owned() } else { format!("{left} s left") };
        format!("draining: {waiting} waiting, {cooking} cooking ({in_the_oven} in the oven), {left}")
    });
    let note = remark.note.as_ref().map(|note| note.fit(60));
    drain.into_iter().chain(note).collect::<Vec<_>>().join(" · ")
}

/// What the liveness rests on. The feed says how it is; the balancer's page adds since when, if it speaks of the same state.
fn evidence(app: &App, kitchen: &Kitchen, view: &KitchenView) -> String {
    let row = kitchen.row.filter(|row| row.health != Health::Alive);
    let health = kitchen.health().unwrap_or(view.health);
    let heard = row.map(|row| row.silent_ms).or(view.last_heard_ms);
    let heard = heard
        .map_or_else(|| "never heard under this leader".to_owned(), |ms| format!("last heard {} ago", silence(ms)));
    let since = (health == view.health).then_some(view.since);
    if health == Health::Dead {
        let since = since.map_or_else(
            || "dead".to_owned(),
            |at| format!("dead since {} ({})", &at.clock()[..8], ms(app.city().at.ms_since(at))),
        );
        return format!("{since}, {heard}");
    }
    let lease = view.lease_left_ms.map_or_else(String::new, |left| format!(", leases {} left", ms(left)));
    let since = since.map_or_else(String::new, |at| format!(" since {}", &at.clock()[..8]));
    let schedulable = kitchen.row.map_or(view.schedulable, |row| row.schedulable);
    format!("{heard}{lease} · {} and {}{since}", health.word(), schedulable.word())
}

fn orders(pen: &mut Pen<'_>, page: &KitchenPage, area: Rect, framed: bool) {
    let right = page.orders.as_ref().map_or_else(String::new, |orders| {
        let here = || orders.orders.iter().filter(|order| Some(order.id) != page.left);
        let open = here().filter(|order| order.state.is_open()).count();
        let (ended, more) = (here().count() - open, if orders.next.is_some() { " or more" } else { "" });
        format!("{open} open, {ended}{more} ended, at position {}", thousands(orders.position.0))
    });
    let rows = usize::from(area.height.saturating_sub(if framed { 3 } else { 2 })).max(1);
    let top = page.at.saturating_sub(rows.saturating_sub(1));
    let above = if top > 0 { format!("▲ {} above, g g  ", thousands(top as u64)) } else { String::new() };
    let inside = pen.panel(area, framed, "orders", &format!("{above}{right}"));
    if let Some(error) = &page.error {
        pen.name(inside.x + 1, inside.y + 1, inside.width.saturating_sub(2), error, Role::Bad);
    }
    let Some(orders) = &page.orders else {
        if page.error.is_none() {
            pen.put(inside.x + 1, inside.y, inside.width, "asking", Role::Dim);
        }
        return;
    };
    let columns = columns(inside);
    for ((x, width), head) in columns.iter().zip(["ORDER", "STATE", "STAGE", "ITEMS", "PLACED", "TRY"]) {
        pen.put(*x, inside.y, *width, head, Role::Dim);
    }
    for ((at, order), y) in orders.orders.iter().enumerate().skip(top).zip(inside.y + 1..inside.bottom()) {
        row(pen, order, &columns, y, (at == page.at, Some(order.id) == page.left));
    }
    if orders.orders.is_empty() && page.error.is_none() {
        pen.put(inside.x + 2, inside.y + 1, inside.width, "no order was ever here", Role::Dim);
    }
}

fn columns(area: Rect) -> [(u16, u16); 6] {
    let items = area.width.saturating_sub(2 + 10 + 14 + 13 + 10 + 5);
    let mut x = area.x + 2;
    [9, 13, 12, items.saturating_sub(1), 9, 4].map(|width| {
        let at = x;
        x += width + 1;
        (at, width)
    })
}

fn row(pen: &mut Pen<'_>, order: &OrderView, columns: &[(u16, u16); 6], y: u16, (selected, left): (bool, bool)) {
    let stage = if order.state.is_open() {
        format!(
            "{} {}/{}",
            Untrusted::new(&order.stage.name).fit(7),
            order.stage.done.saturating_add(1).min(order.stage.of),
            order.stage.of
        )
    } else {
        // How long it took stands where its stage stood.
        order.completed_at.map_or_else(String::new, |at| format!("after {}", ms(at.ms_since(order.placed_at))))
    };
    // It is in another kitchen, or older than what the list holds; its page knows.
    let state = if left { "left" } else { order.state.word() };
    let texts = [
        order.id.to_string(),
        state.to_owned(),
        stage,
        items(&order.items, columns[3].1),
        order.placed_at.clock()[..8].to_owned(),
        order.attempt.to_string(),
    ];
    if selected {
        pen.put(columns[0].0 - 2, y, 1, ">", Role::Accent);
    }
    for ((x, width), text) in columns.iter().zip(&texts) {
        pen.put(*x, y, *width, text, Role::Text);
    }
    if selected {
        pen.wash(Rect::new(columns[0].0, y, columns[0].1, 1), Role::Selected);
    }
}

/// `2 pizza, 1 salad`, in at most so many columns.
pub fn items(items: &[ItemBody], width: u16) -> String {
    let all: Vec<String> = items.iter().map(|item| format!("{} {}", item.quantity, item.dish)).collect();
    Untrusted::new(&all.join(", ")).fit(width.into())
}

#[cfg(test)]
mod tests {
    use protocol::api::{Health, KitchenView};
    use protocol::feed::Frame;

    use crate::console::link::{Answer, Request};
    use crate::console::tests::fixture::{
        NOON, answer, app, dead, feed, four, frame, kitchen_view, row, screen, snapshot, type_keys,
    };
    use protocol::WallTime;

    #[test]
    fn a_dead_kitchen_is_dead_since_and_never_open() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        feed(&mut app, Frame { kitchens: vec![dead(row(0, 0, 0), 74_000)], ..frame(9_001, 72_000) }, 72_000);
        type_keys(&mut app, &["enter"]);
        let since = WallTime(NOON);
        let view = KitchenView {
            health: Health::Dead,
            since,
            last_heard_ms: Some(74_900),
            lease_left_ms: None,
            ..kitchen_view()
        };
        answer(&mut app, |asked| {
            matches!(asked, Request::Kitchen(_)).then(|| Ok(Answer::Kitchen(Box::new(view.clone()))))
        });
        let shown = screen(&app);
        assert!(
            shown.contains("DEAD 74 s") && shown.contains("dead since 10:40:00 (72 s), last heard 74 s ago"),
            "{shown}"
        );
        assert!(!shown.contains("and open"), "{shown}");
    }
}
