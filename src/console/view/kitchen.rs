//! One kitchen: its facts, as the feed and the balancer tell them, and the orders it holds.
//!
//! ```text
//! ─ kitchen_1 ─────────────────────────────────────────────── Downtown Oven, Downtown ─
//!  ● alive   load ████████████▋··┃·  84 %   3 waiting, 5 cooking (2 in the oven) of 10
//!  stations 5 · pizza, pasta, burger · completed 412 · avg 3.2 s
//!  last sign of life 300 ms ago, leases 2.7 s left · alive and open since 12:03:07
//!  draining: 2 waiting, 3 cooking (1 in the oven), 24 s left · slow: 4.2 times the fleet
//!  0 failed attempts · 0 lost leases
//! ─ orders ──────────────────────────────────────── 8 open, 2 ended, at position 9 812 ─
//!   ORDER    STATE    STAGE        ITEMS                        PLACED    TRIES
//! > o812     cooking  cook 2/3     2 pizza, 1 salad             12:41:02      1
//! ```

use protocol::api::{DrainView, Health, ItemBody, KitchenView, OrderView};
use ratatui::layout::Rect;

use super::fleet::{load_role, state};
use super::layout;
use super::pen::Pen;
use super::recall::{self, ABSENT, TITLE};
use super::text::{ms, percent, plural, thousands};
use crate::console::app::App;
use crate::console::app::city::Kitchen;
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
        let text = format!(
            " {}  {} waiting, {} cooking ({} in the oven) of {}",
            percent(kitchen.load()),
            row.queued,
            row.cooking,
            row.in_the_oven,
            kitchen.capacity
        );
        pen.put(at + bar, y, right.saturating_sub(at + bar), &text, Role::Text);
    }
    let dishes: Vec<String> = kitchen.specialties.iter().map(|dish| dish.fit(16)).collect();
    let mut line = vec![format!("{} stations", kitchen.stations), dishes.join(", ")];
    if let Some(row) = kitchen.row {
        line.push(format!("completed {}", thousands(row.completed)));
        if row.avg_ms > 0 {
            line.push(format!("avg {}", ms(row.avg_ms.into())));
        }
    }
    pen.put(x, y + 1, right.saturating_sub(x), &line.join(" · "), Role::Text);
    if view.is_none() && app.replay.is_some() {
        let next = pen.put(x, y + 2, right.saturating_sub(x), "load, last minute ", Role::Dim);
        let next = pen.spark(next, y + 2, kitchen.spark.steps(), 1.0, Role::Spark);
        pen.put(next + 1, y + 2, right.saturating_sub(next + 1), "6 s a column", Role::Dim);
        let text = format!("signs of life, leases, failures: {ABSENT}");
        pen.put(x, y + 3, right.saturating_sub(x), &text, Role::Dim);
    }
    if let Some(view) = view {
        pen.put(x, y + 2, right.saturating_sub(x), &evidence(view), Role::Dim);
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

/// What the liveness rests on.
fn evidence(view: &KitchenView) -> String {
    let heard = view.last_heard_ms.map_or_else(
        || "never heard under this leader".to_owned(),
        |heard| format!("last sign of life {} ago", ms(heard)),
    );
    let lease = view.lease_left_ms.map_or_else(String::new, |left| format!(", leases {} left", ms(left)));
    let word = view.health.word();
    format!("{heard}{lease} · {word} and {} since {}", view.schedulable.word(), view.since.clock())
}

fn orders(pen: &mut Pen<'_>, page: &KitchenPage, area: Rect, framed: bool) {
    let right = page.orders.as_ref().map_or_else(String::new, |orders| {
        let open = orders.orders.iter().filter(|order| order.state.is_open()).count();
        let (ended, more) = (orders.orders.len() - open, if orders.next.is_some() { " or more" } else { "" });
        format!("{open} open, {ended}{more} ended, at position {}", thousands(orders.position.0))
    });
    let inside = pen.panel(area, framed, "orders", &right);
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
    let rows = usize::from(inside.height.saturating_sub(1)).max(1);
    let top = page.at.saturating_sub(rows.saturating_sub(1));
    for ((at, order), y) in orders.orders.iter().enumerate().skip(top).zip(inside.y + 1..inside.bottom()) {
        row(pen, order, &columns, y, at == page.at);
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

fn row(pen: &mut Pen<'_>, order: &OrderView, columns: &[(u16, u16); 6], y: u16, selected: bool) {
    let stage = if order.state.is_open() {
        format!(
            "{} {}/{}",
            Untrusted::new(&order.stage.name).fit(7),
            order.stage.done.saturating_add(1).min(order.stage.of),
            order.stage.of
        )
    } else {
        String::new()
    };
    let texts = [
        order.id.to_string(),
        order.state.word().to_owned(),
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
