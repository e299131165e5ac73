//! The last row: the keys that apply here, or a message for a few seconds.
//!
//! Reads the action table. For ten seconds after a change the way back stands on the right.
//!
//! Where not all fit, looks go before changes, and kill, help and quit never go.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use crate::console::actions::{ACTIONS, Action, ActionId, Context};
use crate::console::app::{App, Sound};
use crate::console::keymap::Keymap;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// The first to go when the row is short.
const DISPENSABLE: [ActionId; 18] = [
    ActionId::Theme,
    ActionId::Copy,
    ActionId::Freeze,
    ActionId::Heat,
    ActionId::Order,
    ActionId::NextPane,
    ActionId::Explain,
    ActionId::Line,
    ActionId::Sort,
    ActionId::Inspect,
    ActionId::Filter,
    ActionId::Rush,
    ActionId::Migrate,
    ActionId::Cordon,
    ActionId::Drain,
    ActionId::Release,
    ActionId::Cancel,
    ActionId::Palette,
];

/// Whether its keys mean it here; while a recording plays, the deck takes the key of freezing.
fn applies(app: &App, action: &Action) -> bool {
    let played = app.replay.is_some();
    let here = action.contexts.contains(&app.context()) || (played && action.contexts.contains(&Context::Tape));
    // These are about an order: where none is meant, they are no help.
    let of_order = matches!(action.id, ActionId::Line | ActionId::Explain);
    here && !(played && action.id == ActionId::Freeze) && !(of_order && app.order_subject().is_none())
}

/// Draws the row.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let keys = &app.setup.keys;
    let undo = undo(app, keys);
    if let Some(toast) = &app.toast {
        let (glyph, role) = match toast.sound {
            Sound::Good => ("✓ ", Role::ToneGood),
            Sound::Plain => ("· ", Role::Text),
            Sound::Bad => ("✕ ", Role::ToneBad),
        };
        let x = pen.put(area.x + 1, area.y, 2, glyph, role);
        // What went wrong is read in full; what went well may be cut for the way back.
        let wanted = toast.text.columns() + undo.width() + 4;
        let fits = wanted <= usize::from(area.width) || (toast.sound == Sound::Good && undo.width() < 30);
        let undo = if fits { undo } else { String::new() };
        let right = area.right().saturating_sub(1);
        let edge =
            if undo.is_empty() { right + 1 } else { pen.put_right(right, area.y, area.width, &undo, Role::Warn) };
        pen.name(x, area.y, edge.saturating_sub(x + 1), &toast.text, role);
        return;
    }
    let mut shown: Vec<&Action> = ACTIONS
        .iter()
        .filter(|action| !action.hint.is_empty() && applies(app, action))
        .filter(|action| !keys.of(action.id).is_empty())
        .filter(|action| !action.changes || app.off().is_none())
        .collect();
    let off = app.off().map_or_else(String::new, |why| format!("{why}: actions off"));
    let prefix = app.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix} …"));
    let note = [prefix, off, undo].into_iter().find(|note| !note.is_empty()).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(if note.is_empty() { 1 } else { note.width() + 3 });
    for gone in DISPENSABLE {
        if columns(&shown, keys) > room {
            shown.retain(|action| action.id != gone);
        }
    }
    let gap = if columns(&shown, keys) + shown.len() <= room { 2 } else { 1 };
    let mut x = area.x + 1;
    for action in shown {
        x = pen.put(x, area.y, area.right().saturating_sub(x), keys.shown(action.id), Role::Key) + 1;
        x = pen.put(x, area.y, area.right().saturating_sub(x), action.hint, Role::Dim) + gap;
    }
    if !note.is_empty() {
        pen.put_right(area.right().saturating_sub(1), area.y, area.width, &note, Role::Warn);
    }
}

/// The way back, while there is one.
fn undo(app: &App, keys: &Keymap) -> String {
    let undo = app.undo.as_ref().zip(app.undo_left());
    undo.map_or_else(String::new, |(undo, left)| {
        format!("{} undo {} {left} s", keys.shown(ActionId::Undo), Untrusted::new(&undo.what).fit(30))
    })
}

fn columns(actions: &[&Action], keys: &Keymap) -> usize {
    actions.iter().map(|action| keys.shown(action.id).len() + 1 + action.hint.len() + 1).sum()
}
