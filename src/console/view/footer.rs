//! The last row: the keys that apply here, or a message for a few seconds.
//!
//! Reads the action table. For ten seconds after a change the way back stands on the right. Under a dialog stand the
//! dialog's keys; after the beginning of a sequence, what it can go on with.
//!
//! Where not all fit, looks go before changes, and opening what is selected goes last; help and quit never go. What went
//! wrong is read in full: it takes rows of the body if it must.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::wrapped;
use crate::console::actions::{ACTIONS, Action, ActionId, Context};
use crate::console::app::dialog::Dialog;
use crate::console::app::order_form::Field;
use crate::console::app::question::Focus;
use crate::console::app::rush_form::Line;
use crate::console::app::{App, Screen, Sound, Toast};
use crate::console::keymap::Keymap;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// The first to go when the row is short.
const DISPENSABLE: [ActionId; 20] = [
    ActionId::Theme,
    ActionId::Copy,
    ActionId::Freeze,
    ActionId::Heat,
    ActionId::Order,
    ActionId::Sort,
    ActionId::NextPane,
    ActionId::Rush,
    ActionId::Palette,
    ActionId::Filter,
    ActionId::Cordon,
    ActionId::Line,
    ActionId::Explain,
    ActionId::Migrate,
    ActionId::Drain,
    ActionId::Release,
    ActionId::Cancel,
    ActionId::Kill,
    ActionId::Inspect,
    ActionId::Back,
];
/// In a list of kitchens a migration begins with opening one, so its key goes before those that act there.
const DISPENSABLE_IN_LISTS: [ActionId; 8] = [
    ActionId::Theme,
    ActionId::Copy,
    ActionId::Freeze,
    ActionId::Heat,
    ActionId::Order,
    ActionId::Sort,
    ActionId::Line,
    ActionId::Migrate,
];
/// Rows a message takes at most.
const MESSAGE: usize = 3;

/// Draws the row.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    match (&app.toast, &app.dialog, &app.prefix) {
        (Some(toast), ..) => message(pen, app, toast, area),
        (None, Some(dialog), _) => hints(pen, &of_dialog(dialog), area),
        (None, None, Some(prefix)) => {
            let next = app.setup.keys.continuations(app.context(), prefix);
            let next: Vec<Hint> = next.into_iter().map(|(keys, action)| (keys, action.description)).collect();
            hints(pen, &next, area);
        }
        (None, None, None) => actions(pen, app, area),
    }
}

/// A key and what it does.
type Hint<'a> = (&'a str, &'a str);

/// The keys that fit: the way out goes last.
fn hints(pen: &mut Pen<'_>, hints: &[Hint<'_>], area: Rect) {
    let columns = |hints: &[Hint<'_>]| hints.iter().map(|(key, word)| key.len() + word.len() + 3).sum::<usize>();
    let mut shown = hints.to_vec();
    while shown.len() > 1 && columns(&shown) > usize::from(area.width) + 1 {
        let out = shown.last().is_some_and(|(key, _)| *key == "esc");
        shown.remove(shown.len() - if out { 2 } else { 1 });
    }
    let mut x = area.x + 1;
    for (key, word) in shown {
        x = pen.put(x, area.y, area.right().saturating_sub(x), key, Role::Key) + 1;
        x = pen.put(x, area.y, area.right().saturating_sub(x), word, Role::Dim) + 2;
    }
}

/// The keys of a dialog, as they are where its focus is.
fn of_dialog(dialog: &Dialog) -> Vec<Hint<'_>> {
    let nothing = ("esc", "do nothing");
    match dialog {
        Dialog::Help { .. } => vec![("type", "to search"), ("up, down", "scroll"), ("esc", "close")],
        Dialog::Palette(_) => vec![("tab", "take"), ("enter", "run"), ("up", "before"), ("esc", "close")],
        // Its line takes the row.
        Dialog::Filter { .. } => Vec::new(),
        Dialog::Themes { .. } => vec![("up, down", "choose"), ("enter", "keep"), ("esc", "go back")],
        Dialog::Confirm(question) => match question.focus {
            Focus::Cancel => vec![("enter", "do nothing"), ("tab", "reason"), ("right", question.verb)],
            Focus::Reason => vec![("enter", "to the button"), nothing],
            Focus::Go => vec![("enter", question.verb), ("tab", "Cancel"), nothing],
        },
        Dialog::Typed { question, .. } => match question.focus {
            Focus::Reason => vec![("enter", "to the name"), nothing],
            Focus::Cancel | Focus::Go => vec![("type", "the name"), ("tab", "reason"), nothing],
        },
        Dialog::Rush(form) => match form.focus {
            Line::Rate | Line::Seconds => vec![("digits", "replace"), ("enter", "next"), nothing],
            Line::Zone => vec![("left, right", "choose"), ("enter", "next"), nothing],
            Line::Reason => vec![("enter", "to Start"), nothing],
            Line::Cancel => vec![("enter", "do nothing"), ("right", "Start")],
            Line::Start => vec![("enter", "start it"), nothing],
        },
        Dialog::Order(form) => match form.focus {
            Field::Dish(_) => vec![("right, digits", "how many"), ("enter", "where to"), nothing],
            Field::Zone | Field::Priority => vec![("left, right", "choose"), ("enter", "next"), nothing],
            Field::Customer => vec![("type", "a name"), ("enter", "next"), nothing],
            Field::Cancel => vec![("enter", "do nothing"), ("right", "Place")],
            Field::Place => vec![("enter", "place it"), nothing],
        },
        Dialog::Target(form) if form.typing => vec![("enter", "to the list"), nothing],
        Dialog::Target(_) => vec![("up, down", "choose"), ("enter", "move it"), ("tab", "reason"), nothing],
    }
}

/// A message, and the way back if both fit.
fn message(pen: &mut Pen<'_>, app: &App, toast: &Toast, area: Rect) {
    let undo = undo(app, &app.setup.keys);
    let (glyph, role) = match toast.sound {
        Sound::Good => ("✓ ", Role::ToneGood),
        Sound::Plain => ("· ", Role::Text),
        Sound::Bad => ("✕ ", Role::ToneBad),
    };
    let room = usize::from(area.width).saturating_sub(4);
    // What went well may be cut for the way back; the rest is read in full.
    let beside = toast.text.columns() + undo.width() + 4 <= usize::from(area.width);
    let cut = toast.sound == Sound::Good && undo.width() < 30;
    let undo = if beside || cut { undo } else { String::new() };
    if !undo.is_empty() || toast.text.columns() <= room {
        let x = pen.put(area.x + 1, area.y, 2, glyph, role);
        let right = area.right().saturating_sub(1);
        let edge =
            if undo.is_empty() { right + 1 } else { pen.put_right(right, area.y, area.width, &undo, Role::Warn) };
        pen.name(x, area.y, edge.saturating_sub(x + 1), &toast.text, role);
        return;
    }
    let lines = wrapped(&toast.text, room);
    let count = lines.len().min(MESSAGE);
    let first = (area.y + 1).saturating_sub(u16::try_from(count).unwrap_or(1));
    pen.clear(Rect { y: first, height: area.bottom() - first, ..area });
    pen.put(area.x + 1, first, 2, glyph, role);
    for (line, y) in lines.iter().take(count).zip(first..) {
        pen.name(area.x + 3, y, area.width.saturating_sub(4), &Untrusted::new(line), role);
    }
}

/// Whether its keys mean it here; while a recording plays, the deck takes the key of freezing.
fn applies(app: &App, action: &Action) -> bool {
    let played = app.replay.is_some();
    let here = action.contexts.contains(&app.context()) || (played && action.contexts.contains(&Context::Tape));
    here && !(played && action.id == ActionId::Freeze)
}

fn actions(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let keys = &app.setup.keys;
    let offered = ACTIONS
        .iter()
        .filter(|action| !action.hint.is_empty() && applies(app, action) && app.offers(action))
        .filter(|action| !keys.of(action.id).is_empty())
        .filter(|action| !action.changes || app.off().is_none());
    let mut shown: Vec<(ActionId, Hint)> =
        offered.map(|action| (action.id, (keys.shown(action.id), app.hint(action)))).collect();
    let note = note(app);
    let room = usize::from(area.width).saturating_sub(if note.is_empty() { 1 } else { note.width() + 3 });
    let listed = matches!(app.context(), Context::Fleet | Context::Heat);
    let first = if listed { DISPENSABLE_IN_LISTS.as_slice() } else { &[] };
    for gone in first.iter().chain(&DISPENSABLE) {
        if columns(&shown) > room {
            shown.retain(|(id, _)| id != gone);
        }
    }
    let gap = if columns(&shown) + shown.len() <= room { 2 } else { 1 };
    let mut x = area.x + 1;
    for (_, (key, hint)) in shown {
        x = pen.put(x, area.y, area.right().saturating_sub(x), key, Role::Key) + 1;
        x = pen.put(x, area.y, area.right().saturating_sub(x), hint, Role::Dim) + gap;
    }
    if !note.is_empty() {
        pen.put_right(area.right().saturating_sub(1), area.y, area.width, &note, Role::Warn);
    }
}

/// On the right: why nothing can be changed, a filter that hides everything, or the way back.
fn note(app: &App) -> String {
    let off = app.off().map_or_else(String::new, |why| format!("{why}: actions off"));
    let hides = app.pages.is_empty() && app.screen == Screen::Fleet && app.rows.shown.is_empty();
    let hides = hides && !app.rows.filter_text.is_empty() && !app.city().kitchens.is_empty();
    let back = app.setup.keys.shown(ActionId::Back);
    let hides = if hides { format!("the filter hides all: {back} clears it") } else { String::new() };
    let undo = undo(app, &app.setup.keys);
    [off, hides, undo].into_iter().find(|note| !note.is_empty()).unwrap_or_default()
}

/// The way back, while there is one.
fn undo(app: &App, keys: &Keymap) -> String {
    let undo = app.undo.as_ref().zip(app.undo_left());
    undo.map_or_else(String::new, |(undo, left)| {
        format!("{} undo {} {left} s", keys.shown(ActionId::Undo), Untrusted::new(&undo.what).fit(30))
    })
}

fn columns(hints: &[(ActionId, Hint<'_>)]) -> usize {
    hints.iter().map(|(_, (key, word))| key.len() + 1 + word.len() + 1).sum()
}
