//! Drill: what was lost and made good, every kitchen, and how long orders took meanwhile.
//!
//! ```text
//! ─ incidents ──────────────── seen here: 1 ─┬─ every kitchen ────────────────────────
//!  10:40:55 ✕ kitchen_3      detected 3.0 s  │ Downtown     ▓
//!    5 orders, 5 again after 2.1 s           │ Harbor       ▒
//! ─ drill ───────────────────────────────────┤
//!  no drill runs: there is none yet          │ · empty ░▒▓█ full ▲ hot ✕ dead
//! ─ p99, 5 min ──────────────────────────────┴──────────────────────── max 4.1 s ─
//!   5.0 s       ▂▃▅▆▇▇▆▇
//!     0 ✕ lost  ██████████   ▲ rush  ◆ new leader
//! ```
//! Owns no figure: what the feed did not tell is a dash. On small screens the incidents and the curve stay.

use ratatui::layout::Rect;

use super::pen::Pen;
use super::text::{ms, plural, thousands};
use super::{chart, heat, layout};
use crate::console::app::App;
use crate::console::app::incidents::{Incident, Lost};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// From here a loss is one line of a table.
const TABLE: u16 = 72;
/// Right edges of the table's figures, after the name.
const FIGURES: [(&str, u16); 6] =
    [("DETECTED", 9), ("HELD", 6), ("AGAIN", 7), ("RECOVERED", 11), ("GAP", 8), ("BACK", 9)];

/// Draws the screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let panels = layout::drill(area);
    incidents(pen, app, panels.incidents, panels.framed);
    if let Some(area) = panels.steps {
        steps(pen, area, panels.framed);
    }
    if let Some(area) = panels.heat {
        heat::all(pen, app, area);
    }
    if let Some(area) = panels.curve {
        chart::p99(pen, app, area, panels.framed);
    }
}

fn incidents(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let all = &app.city().incidents;
    let right = format!("seen here: {}", thousands(all.len() as u64));
    let inside = pen.panel(area, framed, "incidents", &right);
    if all.is_empty() {
        for (text, y) in ["nothing was lost since this console began", NO_DRILL].iter().zip(inside.y..inside.bottom()) {
            pen.put(inside.x + 1, y, inside.width.saturating_sub(2), text, Role::Dim);
        }
        return;
    }
    if inside.width >= TABLE { table(pen, app, inside) } else { list(pen, app, inside) }
}

/// What is said while no drill runs.
const NO_DRILL: &str = "no drill runs: there is no `chef drill` yet";

fn steps(pen: &mut Pen<'_>, area: Rect, framed: bool) {
    let inside = pen.panel(area, framed, "drill", "");
    let lines = [NO_DRILL, "by hand: K kills a kitchen, r starts a rush,", "5 has the proof"];
    for (line, y) in lines.into_iter().zip(inside.y..inside.bottom()) {
        pen.put(inside.x + 1, y, inside.width.saturating_sub(2), line, Role::Dim);
    }
}

fn or_dash(figure: Option<u64>, say: impl Fn(u64) -> String) -> String {
    figure.map_or_else(|| "—".to_owned(), say)
}

/// What was lost: glyph, words, look.
fn what(incident: &Incident) -> (&'static str, String, Role) {
    match &incident.what {
        Lost::Kitchen(id) if incident.back_at.is_some() => ("✓", id.to_string(), Role::Text),
        Lost::Kitchen(id) => ("✕", id.to_string(), Role::Bad),
        Lost::Leader(_, to) => ("◆", format!("leader, epoch {to}"), Role::Warn),
    }
}

fn table(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let name = area.width.saturating_sub(13 + FIGURES.iter().map(|(_, width)| width).sum::<u16>()).clamp(8, 24);
    pen.put(area.x + 1, area.y, 8, "DIED", Role::Dim);
    let first = area.x + 12 + name;
    let mut right = first;
    for (head, width) in FIGURES {
        right += width;
        pen.put_right(right, area.y, width, head, Role::Dim);
    }
    let legend = [
        "DETECTED after so much silence; of a leader: so long nothing was heard here",
        "AGAIN leased elsewhere, the last of them RECOVERED so long after the loss",
        "GAP the longest time nobody had an order; BACK heard again; all by the feed",
    ];
    // Seven rows leave room for the words below the figures.
    let notes = if area.height >= 7 { legend.len() as u16 } else { 0 };
    let last = area.bottom().saturating_sub(notes);
    for (incident, y) in app.city().incidents.newest().zip(area.y + 1..last) {
        let (glyph, words, role) = what(incident);
        pen.put(area.x + 1, y, 8, &incident.at.clock()[..8], Role::Dim);
        pen.put(area.x + 10, y, 1, glyph, role);
        pen.put(area.x + 12, y, name, &super::fleet::cut(&words, name), role);
        let figures = [
            or_dash(incident.silent_ms, ms),
            or_dash(incident.held, thousands),
            or_dash(incident.again, thousands),
            or_dash(incident.recovered_ms(), ms),
            or_dash(incident.gap_ms, ms),
            or_dash(incident.back_ms(), ms),
        ];
        let mut right = first;
        for (figure, (_, width)) in figures.iter().zip(FIGURES) {
            right += width;
            pen.put_right(right, y, width, figure, Role::Text);
        }
    }
    for (line, y) in legend.into_iter().take(notes.into()).zip(last..) {
        pen.put(area.x + 1, y, area.width.saturating_sub(2), line, Role::Dim);
    }
}

/// Two lines a loss.
fn list(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let room = area.width.saturating_sub(2);
    let mut y = area.y;
    for incident in app.city().incidents.newest() {
        if y >= area.bottom() {
            return;
        }
        let (glyph, words, role) = what(incident);
        let words = words.trim_start_matches("leader, ");
        let x = pen.put(area.x + 1, y, room, &incident.at.clock()[..8], Role::Dim) + 1;
        let x = pen.put(x, y, 1, glyph, role) + 1;
        let right = area.right().saturating_sub(1);
        let x = pen.put(x, y, right.saturating_sub(x), words, role) + 2;
        let silent = or_dash(incident.silent_ms, ms);
        let silence = match &incident.what {
            Lost::Kitchen(_) => format!("detected {silent}"),
            Lost::Leader(..) => format!("unheard {silent}"),
        };
        pen.put(x, y, right.saturating_sub(x), &silence, Role::Text);
        if let Lost::Kitchen(_) = incident.what {
            if y + 1 < area.bottom() {
                let fate = Untrusted::new(&fate(incident));
                pen.name(area.x + 2, y + 1, area.right().saturating_sub(area.x + 2), &fate, Role::Dim);
            }
            y += 1;
        }
        y += 1;
    }
}

/// What became of its orders, and of it.
fn fate(incident: &Incident) -> String {
    let held = or_dash(incident.held, |held| plural(held, "order", "orders"));
    let again = or_dash(incident.again, thousands);
    let after = incident.recovered_ms().map_or_else(String::new, |after| format!(" after {}", ms(after)));
    let back = incident.back_ms().map_or_else(String::new, |back| format!(", back {}", ms(back)));
    format!("{held}, {again} again{after}{back}")
}
