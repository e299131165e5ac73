//! Ledger: the proof term by term, who changed what and why, every notable event, and one order's line.
//!
//! ```text
//! ─ proof ✓ ────────────── position 9 812, epoch 3 ┬ now ───────────────────────────
//!  accepted       1 204  acknowledged, ever        │ leader  b1
//!  = completed    1 180  ended by cooking          │ standby b2 follows, last told 9 810
//!  ...                                             │ ! disk_full since 12:41:07 ...
//! ─ audit ────────────────────────────────────────────────────── 12 entries, tab ─
//! > 12:41:06  9 695 ada    kitchen_scheduling kitchen_4  draining   why: oven check
//! ```
//!
//! Owns the panels of that screen. Never adds the proof up: it is shown as it was told.

use protocol::api::{Health, Proof};
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::{percent, plural, rate, silence, thousands};
use super::{events, layout, recall, spacetime};
use crate::console::app::App;
use crate::console::app::audit::Entry;
use crate::console::app::city::{CALM, Kitchen};
use crate::console::app::ledger::Pane;
use crate::console::app::recall::of_order;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// The most kitchens of a condition that are named.
const NAMED: usize = 3;

/// Draws the screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let panels = layout::ledger(area, app.ledger.pane);
    proof(pen, app, panels.proof, panels.framed);
    if let Some(area) = panels.now {
        now(pen, app, area, panels.framed);
        if !panels.framed {
            pen.divider(area);
        }
    }
    if let Some(area) = panels.audit {
        audit(pen, app, area, panels.framed);
    }
    if let Some(area) = panels.events {
        told(pen, app, area, panels.framed);
    }
    if let Some(area) = panels.line {
        line(pen, app, area, panels.framed);
    }
}

/// A list's title: the one with the hands is marked.
fn title(app: &App, pane: Pane, name: &str) -> String {
    if app.ledger.pane == pane { format!("▶ {name}") } else { name.to_owned() }
}

fn proof(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let Some(proof) = &app.city().proof else {
        let inside = pen.panel(area, framed, "proof", "");
        pen.put(inside.x + 1, inside.y, inside.width, "not told yet", Role::Dim);
        return;
    };
    // The feed sends the proof only when its figures change; they hold up to the picture's position.
    let city = app.city();
    let right = format!("position {}, epoch {}", thousands(city.position.0), city.epoch);
    let mark = if proof.holds() { "proof ✓ holds" } else { "proof ✕ BROKEN" };
    let inside = pen.panel(area, framed, mark, &right);
    if inside.height < 8 {
        let role = if proof.holds() { Role::Ok } else { Role::Bad };
        pen.put(inside.x + 1, inside.y, inside.width.saturating_sub(1), &short(proof), role);
        return;
    }
    let lost = proof.lost.unsigned_abs();
    let zero = |count: u64| if count == 0 { Role::Ok } else { Role::Bad };
    let terms = [
        ("accepted", proof.accepted, ["acknowledged", "acknowledged to a customer, ever"], Role::Text),
        ("= completed", proof.completed, ["cooked, once", "ended by cooking, each once"], Role::Text),
        ("+ cancelled", proof.cancelled, ["called off", "called off"], Role::Text),
        ("+ dead-lettered", proof.dead_lettered, ["quarantined", "set aside in quarantine"], Role::Text),
        ("+ open", proof.open, ["in the table", "in the table, counted there"], Role::Text),
        ("lost", lost, ["must be 0", "in none of these: must be 0"], zero(lost)),
        ("twice", proof.twice, ["must be 0", "completed again: must be 0"], zero(proof.twice)),
        ("stale refused", proof.stale_refused, ["turned away", "late results turned away"], Role::Text),
    ];
    for ((name, count, meanings, role), y) in terms.into_iter().zip(inside.y..inside.bottom()) {
        let right = inside.right().saturating_sub(1);
        pen.put(inside.x + 1, y, 16, name, role);
        let edge = inside.x + 25;
        pen.put_right(edge, y, 9, &thousands(count), role);
        let room = right.saturating_sub(edge + 1);
        let meaning = meanings[usize::from(usize::from(room) >= meanings[1].len())];
        pen.put(edge + 1, y, room, meaning, Role::Dim);
    }
}

fn short(proof: &Proof) -> String {
    format!(
        "{} = {}+{}+{}+{} lost {} twice {}",
        thousands(proof.accepted),
        thousands(proof.completed),
        thousands(proof.cancelled),
        thousands(proof.dead_lettered),
        thousands(proof.open),
        proof.lost,
        proof.twice
    )
}

/// The balancers with their positions, and what is wrong in full.
fn now(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let (alerts, wrong) = (city.alerts.len() as u64, conditions(app));
    let conditions = plural(wrong.len() as u64, "condition", "conditions");
    let right = match (alerts, wrong.len()) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, _) => conditions,
        (_, 0) => plural(alerts, "alert", "alerts"),
        (_, _) => format!("{}, {conditions}", plural(alerts, "alert", "alerts")),
    };
    let right = if city.known { format!("leader {}, {right}", city.leader.fit(12)) } else { String::new() };
    let inside = pen.panel(area, framed, "now", &right);
    let (x, room) = (inside.x + 1, inside.width.saturating_sub(2));
    let mut lines: Vec<(String, Role)> = Vec::new();
    for alert in &city.alerts {
        let head = format!("! {} since {}: ", alert.name.fit(20), &alert.since.clock()[..8]);
        let text = format!("{head}{}", alert.text.fit(256));
        lines.push((text, Role::Bad));
    }
    lines.extend(wrong);
    if city.known {
        let url = if city.leader_url.is_empty() { String::new() } else { format!(" {}", city.leader_url.fit(40)) };
        let position = thousands(city.position.0);
        lines.push((format!("leader  {} at {position}{url}", city.leader.fit(16)), Role::Text));
    }
    for standby in &city.standbys {
        let at = standby.position.map_or_else(
            || ", position not told".to_owned(),
            |position| format!(" follows, last told {}", thousands(position.0)),
        );
        let url = if standby.url.is_empty() { String::new() } else { format!(" {}", standby.url.fit(40)) };
        lines.push((format!("standby {}{at}{url}", standby.id.fit(16)), Role::Text));
    }
    if city.known && city.standbys.is_empty() {
        lines.push(("no standby: if the leader dies, nothing is decided until it is back".to_owned(), Role::Dim));
    }
    let wrap = |(text, role): &(String, Role)| -> Vec<(String, Role)> {
        wrapped(text, usize::from(room)).into_iter().map(|line| (line, *role)).collect()
    };
    for ((text, role), y) in lines.iter().flat_map(wrap).zip(inside.y..inside.bottom()) {
        pen.name(x, y, room, &Untrusted::new(&text), role);
    }
}

/// What is not as it should be by the picture, whether or not the balancer calls it an alert.
fn conditions(app: &App) -> Vec<(String, Role)> {
    let city = app.city();
    let mut lines = Vec::new();
    if app.is_cut_off() {
        lines.push((format!("✕ no link: leader {} gone", city.leader.fit(16)), Role::Bad));
    }
    for (health, word, glyph, role) in
        [(Health::Dead, "DEAD", "✕", Role::Bad), (Health::Suspected, "suspected", "◌", Role::Warn)]
    {
        let mut who: Vec<(&Kitchen, u64)> =
            city.kitchens.iter().filter_map(|kitchen| silent(kitchen, health)).collect();
        // The newest first: it is the one to look at.
        who.sort_by_key(|(_, silent_ms)| *silent_ms);
        let names: Vec<String> =
            who.iter().take(NAMED).map(|(kitchen, ms)| format!("{} for {}", kitchen.id, silence(*ms))).collect();
        let more = if who.len() > NAMED { ", …" } else { "" };
        if !who.is_empty() {
            let count = plural(who.len() as u64, "kitchen", "kitchens");
            lines.push((format!("{glyph} {count} {word}: {}{more}", names.join(", ")), role));
        }
    }
    if city.hot > 0 {
        let text = format!("▲ {} hot: until below {}", thousands(city.hot.into()), percent(CALM.min(city.threshold)));
        lines.push((text, Role::Hot));
    }
    let refused = city.series.refused_per_s();
    if refused > 0.0 {
        lines.push((format!("▲ refusing orders: {}/s", rate(refused)), Role::Warn));
    }
    if let Some(queued) = city.flow.as_ref().map(|flow| flow.raw.queued).filter(|queued| *queued > 0) {
        let text = format!("▲ {} at the balancer", plural(queued, "order queued", "orders queued"));
        lines.push((text, Role::Warn));
    }
    lines
}

/// How long a kitchen of this health has been silent.
fn silent(kitchen: &Kitchen, health: Health) -> Option<(&Kitchen, u64)> {
    kitchen.row.filter(|row| row.health == health).map(|row| (kitchen, row.silent_ms))
}

/// A text in lines of so many columns, cut between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn filter_note(app: &App) -> String {
    let text = &app.ledger.filter_text;
    if text.is_empty() { String::new() } else { format!("/ {}  ", Untrusted::new(text).fit(30)) }
}

fn audit(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let since =
        city.audit.newest().last().map_or_else(String::new, |entry| format!(" since {}", &entry.at.clock()[..8]));
    let missing = city.audit.missing().map_or_else(String::new, |missing| format!(", {missing}"));
    let entries = plural(city.audit.len() as u64, "entry", "entries");
    let right = format!("{}{entries}{since}{missing}", filter_note(app));
    let inside = pen.panel(area, framed, &title(app, Pane::Audit, "audit: who, what, why"), &right);
    let on = app.ledger.pane == Pane::Audit;
    let inside = if on { detail(pen, app, inside) } else { inside };
    let mut drawn = 0;
    let at = if on { app.ledger.audit_at } else { 0 };
    let top = layout::list_top(at, inside.height.into());
    for ((row, entry), y) in app.ledger.audit(city).enumerate().skip(top).zip(inside.y..inside.bottom()) {
        draw(pen, entry, Rect { y, height: 1, ..inside }, on && row == at);
        drawn += 1;
    }
    if drawn == 0 {
        let text = match app.ledger.filter.is_empty() {
            true if app.replay.is_some() => "nobody has acted in what was recorded up to here",
            true => city.audit.emptiness(),
            false => "nothing passes the filter",
        };
        pen.put(inside.x + 2, inside.y, inside.width.saturating_sub(2), text, Role::Dim);
    }
}

/// The selected line in full, at the foot of its list; returns what is left for the list.
fn detail(pen: &mut Pen<'_>, app: &App, area: Rect) -> Rect {
    let Some(row) = app.ledger.row(app.city()).filter(|_| area.height >= 6) else { return area };
    let text = row.split('\t').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    let lines = wrapped(&text, usize::from(area.width.saturating_sub(2)));
    let height = u16::try_from(lines.len()).unwrap_or(2).min(2);
    let list = Rect { height: area.height - height, ..area };
    for (line, y) in lines.iter().zip(list.bottom()..area.bottom()) {
        pen.name(area.x + 1, y, area.width.saturating_sub(2), &Untrusted::new(line), Role::Accent);
    }
    list
}

fn draw(pen: &mut Pen<'_>, entry: &Entry, area: Rect, selected: bool) {
    let (y, right) = (area.y, area.right().saturating_sub(1));
    let wide = area.width >= 110;
    let (glyph, role) = events::tone(entry.tone);
    if selected {
        pen.put(area.x, y, 1, ">", Role::Accent);
    }
    let x = pen.put(area.x + 1, y, 8, &entry.at.clock()[..8], Role::Dim) + 1;
    let x = if wide {
        let position = entry.position.map_or_else(|| "—".to_owned(), |position| thousands(position.0));
        pen.put_right(x + 9, y, 9, &position, Role::Dim);
        x + 10
    } else {
        x
    };
    let x = pen.put(x, y, 1, glyph, role) + 1;
    let (who, what, subject) = if wide { (14, 20, 14) } else { (9, 14, 10) };
    let room = |x: u16| right.saturating_sub(x);
    pen.name(x, y, who.min(room(x)), &entry.who, Role::Strong);
    let x = x + who + 1;
    pen.name(x, y, what.min(room(x)), &entry.what, role);
    let x = x + what + 1;
    pen.name(x, y, subject.min(room(x)), &entry.subject, Role::Text);
    if selected {
        pen.wash(Rect::new(x, y, subject.min(room(x)), 1), Role::Selected);
    }
    let mut x = x + subject + 1;
    if !entry.text.is_empty() {
        x = pen.name(x, y, room(x), &entry.text, Role::Text) + 1;
    }
    if !entry.why.is_empty() {
        x = pen.put(x, y, room(x), "why: ", Role::Dim);
        pen.name(x, y, room(x), &entry.why, Role::Text);
    }
}

fn told(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let events = &app.city().events;
    let right = format!("{}{}", filter_note(app), events::counts(events));
    let inside = pen.panel(area, framed, &title(app, Pane::Events, "events"), &right);
    let on = app.ledger.pane == Pane::Events;
    let inside = if on { detail(pen, app, inside) } else { inside };
    let at = if on { app.ledger.events_at } else { 0 };
    let top = layout::list_top(at, inside.height.into());
    let mut drawn = 0;
    for ((row, line), y) in app.ledger.events(app.city()).enumerate().skip(top).zip(inside.y..inside.bottom()) {
        events::draw(pen, line, Rect { y, height: 1, ..inside });
        if on && row == at {
            pen.put(inside.x, y, 1, ">", Role::Accent);
        }
        drawn += 1;
    }
    if drawn == 0 {
        let text = if app.ledger.filter.is_empty() { "nothing yet" } else { "nothing passes the filter" };
        pen.put(inside.x + 2, inside.y, inside.width.saturating_sub(2), text, Role::Dim);
    }
}

fn line(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let Some(page) = &app.ledger.order else {
        let inside = pen.panel(area, framed, &title(app, Pane::Line, "an order in space and time"), "");
        let text = "choose one: :line o42, or 5 on an order's page";
        pen.put(inside.x + 2, inside.y, inside.width.saturating_sub(2), text, Role::Dim);
        return;
    };
    let title = title(app, Pane::Line, &format!("order {} in space and time", page.id));
    if app.replay.is_some() && (page.order.is_none() || page.history.is_none()) {
        let words = (title.as_str(), "its line in space and time");
        return recall::render(pen, &of_order(app.city(), page.id), words, area, framed);
    }
    spacetime::render(pen, page, app.city().at, area, framed, &title);
}
