//! Every kitchen as one cell, by zone: where it is full, and where it is dead, at one look. With few kitchens a cell has room for
//! the short name and the load, and a bar below.
//!
//! ```text
//! ─ every kitchen ────────────── 1 000 of 1 000, 12 hot, 2 DEAD ─
//!  Downtown     ░▒░▒░▒▓▒▒▓▒░▓▒░▒▒░▒▒▒▒▓▒▒▒▓▒▒▒░▒░░░▓▓▒▓▒▒▒░▒▒▓▒▓▒▒▒▒▒▒
//!  Harbor       ▓█▓▓▓██▓▒▓▓▓▓▓▒▓▒▓▓▓▓▓▓▓▓▓▓▒▓▒▓✕✕▒▓▒▓▓▓▒▓▓█▒▓▓▓▒▓▒▒▓▓▓▓▓
//!  · empty ░▒▓█ full ▲ hot ◌ suspected ◐ cordoned ✕ dead
//!  k0412 Harbor  84 %  3 waiting, 5 cooking of 10  ● alive
//! ```
//!
//! Owns shades, signs and their legend. Never moves the cursor.

use protocol::api::{Health, Schedulable};
use ratatui::layout::Rect;

use super::fleet::{cut, load_role, state};
use super::layout;
use super::pen::{Pen, level};
use super::text::{percent, thousands, whole_percent};
use crate::console::app::App;
use crate::console::app::city::{CALM, City, Kitchen};
use crate::console::app::heat::{self, CellLine, Size};
use crate::console::theme::Role;

/// Shades of load; the first is an empty kitchen.
const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];

/// Draws every kitchen, whatever the filter says, without a cursor.
pub fn all(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let city = app.city();
    let panels = layout::heat_in(area, true);
    let figures = format!("{} hot, {} DEAD", thousands(city.hot.into()), thousands(city.health.dead.into()));
    let inside = pen.panel(area, true, "every kitchen", &figures);
    let everyone: Vec<usize> = (0..city.kitchens.len()).collect();
    if everyone.len() <= usize::from(panels.cells.height) {
        // Few enough for a line each: a cell alone would say less.
        for (kitchen, y) in heat::by_zone(city, &everyone).into_iter().zip(panels.cells.y..) {
            row(pen, city, &city.kitchens[kitchen], Rect { y, height: 1, ..inside });
        }
        return legend(pen, &panels, (0, 0, 0));
    }
    let order = heat::by_zone(city, &everyone);
    let size = heat::size(city, &order, (panels.cells.width, panels.cells.height));
    let lines = heat::lines(city, &order, panels.cells.width / size.columns);
    cells(pen, city, &lines, 0, (&panels, inside.x + 1, size), None);
    legend(pen, &panels, (lines.len(), (panels.cells.height / size.rows).into(), 0));
}

/// Draws the screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let city = app.city();
    let panels = layout::heat(area);
    let filter = if app.rows.filter_text.is_empty() { String::new() } else { format!("/ {}  ", app.rows.filter_text) };
    let shown = thousands(app.rows.shown.len() as u64);
    let right = format!(
        "{}{shown} of {}, {} hot, {} DEAD",
        crate::console::untrusted::Untrusted::new(&filter).fit(40),
        thousands(city.kitchens.len() as u64),
        thousands(city.hot.into()),
        thousands(city.health.dead.into())
    );
    let inside = pen.panel(area, panels.framed, "every kitchen", &right);
    if app.rows.shown.is_empty() {
        let text = if city.known { "no kitchen passes the filter" } else { "waiting for the first picture" };
        pen.put(inside.x + 2, inside.y, inside.width.saturating_sub(2), text, Role::Dim);
        return;
    }
    let lines = app.cell_lines();
    let cursor = app.cursor_cell();
    let at = cursor.and_then(|kitchen| heat::find(&lines, kitchen));
    let size = app.cell_size();
    let room = usize::from(panels.cells.height / size.rows);
    let top = heat::top(lines.len(), at.map_or(0, |(line, _)| line), room);
    cells(pen, city, &lines, top, (&panels, inside.x + 1, size), cursor);
    legend(pen, &panels, (lines.len(), room, top));
    if let Some(kitchen) = cursor.and_then(|at| city.kitchens.get(at)) {
        detail(pen, city, kitchen, panels.detail);
    }
}

/// The cells from a line on, each zone's name at its first.
fn cells(
    pen: &mut Pen<'_>,
    city: &City,
    lines: &[CellLine],
    top: usize,
    (panels, names, size): (&layout::Heat, u16, Size),
    cursor: Option<usize>,
) {
    let rows = (panels.cells.y..panels.cells.bottom()).step_by(size.rows.into());
    for ((index, line), y) in lines.iter().enumerate().skip(top).zip(rows) {
        if line.first || index == top {
            let name = &city.zones[line.zone].name;
            pen.name(names, y, heat::LABEL, name, Role::Dim);
        }
        let columns = (panels.cells.x..panels.cells.right()).step_by(size.columns.into());
        for (at, x) in line.cells.iter().zip(columns) {
            let height = size.rows.min(panels.cells.bottom() - y);
            // Words need a gap between them; shades are one picture.
            let gap = u16::from(size.name > 0);
            let area = Rect::new(x, y, (size.columns - gap).max(1), height);
            one(pen, city, &city.kitchens[*at], area, size);
            if cursor == Some(*at) {
                pen.wash(Rect { height: 1, ..area }, Role::Selected);
            }
        }
    }
}

/// A cell: its sign, and what else there is room for.
fn one(pen: &mut Pen<'_>, city: &City, kitchen: &Kitchen, area: Rect, size: Size) {
    let (glyph, role) = cell(city, kitchen);
    let x = pen.put(area.x, area.y, 1, glyph, role);
    if size.name > 0 {
        pen.put(x, area.y, size.name, &heat::short(kitchen.id.as_str()), role);
    } else if SHADES[1..].contains(&glyph) {
        (x..area.right()).for_each(|x| {
            pen.put(x, area.y, 1, glyph, role);
        });
    }
    let silent = kitchen.row.is_none_or(|row| row.health == Health::Dead);
    if !size.figure || silent {
        return;
    }
    let load = kitchen.load();
    pen.put_right(area.right(), area.y, 4, &format!("{}%", whole_percent(load)), role);
    if area.height > 1 {
        pen.bar(area.x, area.y + 1, area.width, load, Some(city.threshold), load_role(kitchen, city.threshold));
    }
}

/// One kitchen: what is wrong with it, else how full it is.
fn cell(city: &City, kitchen: &Kitchen) -> (&'static str, Role) {
    let load = kitchen.load();
    match kitchen.row.map(|row| (row.health, row.schedulable)) {
        None => ("○", Role::Dim),
        Some((Health::Dead, _)) => ("✕", Role::Bad),
        Some((Health::Suspected, _)) => ("◌", Role::Warn),
        Some((Health::Alive, Schedulable::Cordoned | Schedulable::Draining)) => ("◐", Role::Warn),
        Some((Health::Alive, Schedulable::Retired)) => ("○", Role::Dim),
        Some((Health::Alive, Schedulable::Open)) if kitchen.hot => ("▲", Role::Hot),
        // What has little to do is not coloured, so that a map tells calm from busy from hot.
        Some((Health::Alive, Schedulable::Open)) if load <= CALM / 2.0 => (SHADES[level(load, 1.0, 4)], Role::Text),
        Some((Health::Alive, Schedulable::Open)) => (SHADES[level(load, 1.0, 4)], load_role(kitchen, city.threshold)),
    }
}

fn legend(pen: &mut Pen<'_>, panels: &layout::Heat, (lines, room, top): (usize, usize, usize)) {
    let y = panels.cells.bottom();
    let area = panels.detail;
    let right = area.right().saturating_sub(1);
    let text = if area.width >= 74 {
        "· empty ░▒▓█ full  ▲ hot  ◌ suspected  ◐ cordoned or draining  ✕ dead"
    } else {
        "· empty ░▒▓█ full ▲ hot ◌ suspected ◐ cordoned ✕ dead"
    };
    let x = pen.put(area.x + 1, y, right.saturating_sub(area.x + 1), text, Role::Dim);
    if lines > room {
        let note = format!("lines {}-{} of {lines}", top + 1, (top + room).min(lines));
        pen.put_right(right, y, right.saturating_sub(x + 1), &note, Role::Accent);
    }
}

/// A kitchen in a line of its own: cell, id, zone, load, state.
fn row(pen: &mut Pen<'_>, city: &City, kitchen: &Kitchen, area: Rect) {
    let (x, y, right) = (area.x + 1, area.y, area.right().saturating_sub(1));
    let (glyph, role) = cell(city, kitchen);
    pen.put(x, y, 1, glyph, role);
    pen.put(x + 2, y, 14, &cut(kitchen.id.as_str(), 14), Role::Strong);
    pen.name(x + 17, y, 12, city.zone_of(kitchen), Role::Text);
    let (bar, load) = (12, kitchen.load());
    if kitchen.row.is_some_and(|row| row.health != Health::Dead) {
        pen.bar(x + 30, y, bar, load, Some(city.threshold), load_role(kitchen, city.threshold));
        pen.put_right(x + 30 + bar + 7, y, 6, &percent(load), Role::Text);
    }
    let (word, role) = state(kitchen);
    let at = x + 30 + bar + 9;
    pen.put(at, y, right.saturating_sub(at), &word, role);
}

fn detail(pen: &mut Pen<'_>, city: &City, kitchen: &Kitchen, area: Rect) {
    let (y, right) = (area.y, area.right().saturating_sub(1));
    let room = |x: u16| right.saturating_sub(x);
    let x = pen.put(area.x + 1, y, 32, kitchen.id.as_str(), Role::Strong) + 1;
    let x = pen.name(x, y, 16.min(room(x)), city.zone_of(kitchen), Role::Text) + 2;
    let (word, role) = state(kitchen);
    let x = pen.put(x, y, room(x), &word, role) + 2;
    let Some(row) = kitchen.row.filter(|row| row.health != Health::Dead) else { return };
    let figures =
        format!("{}  {} waiting, {} cooking of {}", percent(kitchen.load()), row.queued, row.cooking, kitchen.capacity);
    let x = pen.put(x, y, room(x), &figures, Role::Text) + 2;
    pen.name(x, y, room(x), &kitchen.name, Role::Dim);
}
