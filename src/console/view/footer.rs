//! The last row: the keys that apply here, or a message for a few seconds.
//!
//! Reads the action table. Where not all fit, looks go before changes, and kill, help and quit never go.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use crate::console::actions::{ACTIONS, Action, ActionId};
use crate::console::app::{App, Sound};
use crate::console::theme::Role;

/// The first to go when the row is short.
const DISPENSABLE: [ActionId; 9] = [
    ActionId::Theme,
    ActionId::Freeze,
    ActionId::Sort,
    ActionId::Inspect,
    ActionId::Filter,
    ActionId::Rush,
    ActionId::Migrate,
    ActionId::Cordon,
    ActionId::Drain,
];

/// Draws the row.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    if let Some(toast) = &app.toast {
        let (glyph, role) = match toast.sound {
            Sound::Good => ("✓ ", Role::ToneGood),
            Sound::Plain => ("· ", Role::Text),
            Sound::Bad => ("✕ ", Role::ToneBad),
        };
        let x = pen.put(area.x + 1, area.y, 2, glyph, role);
        pen.name(x, area.y, area.right().saturating_sub(x), &toast.text, role);
        return;
    }
    let mut shown: Vec<&Action> = ACTIONS
        .iter()
        .filter(|action| !action.hint.is_empty() && action.contexts.contains(&app.context()))
        .filter(|action| !action.changes || app.off().is_none())
        .collect();
    let off = app.off().map_or_else(String::new, |why| format!("{why}: actions off"));
    let prefix = app.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix} …"));
    let note = if prefix.is_empty() { off } else { prefix };
    let room = usize::from(area.width).saturating_sub(if note.is_empty() { 1 } else { note.width() + 3 });
    for gone in DISPENSABLE {
        if columns(&shown) > room {
            shown.retain(|action| action.id != gone);
        }
    }
    let gap = if columns(&shown) + shown.len() <= room { 2 } else { 1 };
    let mut x = area.x + 1;
    for action in shown {
        x = pen.put(x, area.y, area.right().saturating_sub(x), action.keys[0], Role::Key) + 1;
        x = pen.put(x, area.y, area.right().saturating_sub(x), action.hint, Role::Dim) + gap;
    }
    if !note.is_empty() {
        pen.put_right(area.right().saturating_sub(1), area.y, area.width, &note, Role::Warn);
    }
}

fn columns(actions: &[&Action]) -> usize {
    actions.iter().map(|action| action.keys[0].len() + 1 + action.hint.len() + 1).sum()
}
