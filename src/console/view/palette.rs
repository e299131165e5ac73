//! The palette: the line at the foot of the body, what it takes, and above it what it could become.
//!
//! ```text
//! ─ command ──────────────────────────────────── tab takes, enter runs, up: before ─
//!  drain [KITCHEN] [--deadline 30s] ...     cordon, and move or finish its orders
//!  theme deuteranopia                       theme
//!  drain [KITCHEN] [--deadline 30s] [--force] [--reason TEXT]   asks first
//!  : drain kit
//! ```
//!
//! Owns its rows. Never runs a line.

use ratatui::layout::{Position, Rect};

use super::dialog::field;
use super::pen::Pen;
use crate::console::actions::{self, Danger};
use crate::console::app::App;
use crate::console::app::palette::Palette;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// The most candidates shown.
const SHOWN: usize = 10;

/// Draws it; returns where the cursor stands.
pub fn render(pen: &mut Pen<'_>, app: &App, palette: &Palette, body: Rect) -> Option<Position> {
    let candidates = app.candidates(palette);
    let most = usize::from(body.height.saturating_sub(3)).min(SHOWN);
    let shown = candidates.len().min(most);
    let height = u16::try_from(shown).unwrap_or(0) + 3;
    let height = height.min(body.height);
    let area = Rect { y: body.bottom() - height, height, ..body };
    pen.clear(area);
    let right = if area.width >= 60 { "tab takes, enter runs, up before, esc closes" } else { "tab, enter, esc" };
    pen.rule(area, "command", right);
    let taken = palette.cycle.as_ref().map(|(_, at)| *at);
    let top = taken.map_or(0, |at| (at + 1).saturating_sub(shown));
    let label = (area.width / 2).max(20).saturating_sub(2);
    for ((at, candidate), y) in candidates.iter().enumerate().skip(top).take(shown).zip(area.y + 1..) {
        let on = taken == Some(at);
        pen.put(area.x, y, 1, if on { ">" } else { " " }, Role::Accent);
        pen.name(area.x + 1, y, label, &candidate.label, if on { Role::Selected } else { Role::Text });
        let x = area.x + 1 + label + 1;
        pen.name(x, y, area.right().saturating_sub(x + 1), &candidate.note, Role::Dim);
    }
    let y = area.bottom().saturating_sub(2);
    let (note, role) = note(app, palette, candidates.is_empty());
    pen.name(area.x + 1, y, area.width.saturating_sub(2), &Untrusted::new(&note), role);
    let y = area.bottom().saturating_sub(1);
    let x = pen.put(area.x, y, 3, " : ", Role::Accent);
    field(pen, x, y, area.right().saturating_sub(x + 1), &palette.input)
}

/// What is wrong, else what the command takes.
fn note(app: &App, palette: &Palette, nothing: bool) -> (String, Role) {
    if let Some(error) = &palette.error {
        return (error.clone(), Role::Bad);
    }
    let line = palette.input.value();
    let first = line.split(' ').next().unwrap_or_default();
    let Some(action) = actions::named(first) else {
        let text = if nothing { "nothing is called like that" } else { "actions, kitchens, orders, zones, themes" };
        return (text.to_owned(), Role::Dim);
    };
    let guard = match (action.changes, app.off(), action.danger) {
        (true, Some(why), _) => format!("   off: {why}"),
        (_, _, Danger::Typed) => "   asks for the name".to_owned(),
        (_, _, Danger::Confirm) => "   asks first".to_owned(),
        (_, _, Danger::None) => String::new(),
    };
    let args = if action.args.is_empty() { String::new() } else { format!(" {}", action.args) };
    let off = action.changes && app.off().is_some();
    (format!("{}{args}{guard}", action.name), if off { Role::Warn } else { Role::Dim })
}
