//! Every kitchen as one cell, by zone: where it is full, and where it is dead, at one look.
//!
//! ```text
//! ─ every kitchen ────────────── 1 000 of 1 000, 12 hot, 2 DEAD ─
//!  Downtown     ░▒░▒░▒▓▒▒▓▒░▓▒░▒▒░▒▒▒▒▓▒▒▒▓▒▒▒░▒░░░▓▓▒▓▒▒▒░▒▒▓▒▓▒▒▒▒▒▒
//!  Harbor       ▓█▓▓▓██▓▒▓▓▓▓▓▒▓▒▓▓▓▓▓▓▓▓▓▓▒▓▒▓✕✕▒▓▒▓▓▓▒▓▓█▒▓▓▓▒▓▒▒▓▓▓▓▓
//!  · empty ░▒▓█ full ▲ hot ◌ suspected ◐ cordoned ✕ dead
//!  k0412 Harbor  84 %  3 waiting, 5 cooking of 10  ● alive
//! ```

use protocol::api::{Health, Schedulable};
use ratatui::layout::Rect;

use super::fleet::{load_role, state};
use super::layout;
use super::pen::{Pen, level};
use super::text::{percent, thousands};
use crate::console::app::App;
use crate::console::app::city::{City, Kitchen};
use crate::console::app::heat;
use crate::console::theme::Role;

/// Shades of load; the first is an empty kitchen.
const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];

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
    let room = usize::from(panels.cells.height);
    let top = heat::top(lines.len(), at.map_or(0, |(line, _)| line), room);
    let rows = panels.cells.y..panels.cells.bottom();
    for ((index, line), y) in lines.iter().enumerate().skip(top).zip(rows) {
        if line.first || index == top {
            let name = &city.zones[line.zone].name;
            pen.name(inside.x + 1, y, heat::LABEL, name, Role::Dim);
        }
        for (kitchen, x) in line.cells.iter().zip(panels.cells.x..panels.cells.right()) {
            let (glyph, role) = cell(city, &city.kitchens[*kitchen]);
            pen.put(x, y, 1, glyph, role);
            if cursor == Some(*kitchen) {
                pen.wash(Rect::new(x, y, 1, 1), Role::Selected);
            }
        }
    }
    legend(pen, &panels, (lines.len(), room, top));
    if let Some(kitchen) = cursor.and_then(|at| city.kitchens.get(at)) {
        detail(pen, city, kitchen, panels.detail);
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
        Some((Health::Alive, Schedulable::Open)) => (SHADES[level(load, 1.0, 4)], load_role(kitchen, city.threshold)),
    }
}

fn legend(pen: &mut Pen<'_>, panels: &layout::Heat, (lines, room, top): (usize, usize, usize)) {
    let y = panels.cells.bottom();
    let area = panels.detail;
    let right = area.right().saturating_sub(1);
    let text = "· empty ░▒▓█ full  ▲ hot  ◌ suspected  ◐ cordoned or draining  ✕ dead";
    let x = pen.put(area.x + 1, y, right.saturating_sub(area.x + 1), text, Role::Dim);
    if lines > room {
        let note = format!("lines {}-{} of {lines}", top + 1, (top + room).min(lines));
        pen.put_right(right, y, right.saturating_sub(x + 1), &note, Role::Accent);
    }
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
