//! Dialogs, in the middle of the body; a filter and a command are typed just above the footer.
//!
//! Never draws a question (`question.rs`), the palette or the form of an order.

use ratatui::layout::{Position, Rect};
use tui_input::Input;

use super::pen::Pen;
use super::question;
use super::text::wrapped;
use crate::console::actions::{ACTIONS, key_rows};
use crate::console::app::dialog::{Dialog, FilterOf};
use crate::console::app::rush_form::{Line, RushForm};
use crate::console::app::target::TargetForm;
use crate::console::app::{App, blast};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws a dialog; returns where the cursor stands, if text is typed.
pub fn render(pen: &mut Pen<'_>, app: &App, dialog: &Dialog, body: Rect) -> Option<Position> {
    match dialog {
        Dialog::Help { search, top } => help(pen, app, search, *top, body),
        Dialog::Palette(palette) => super::palette::render(pen, app, palette, body),
        Dialog::Filter { of, input, selected, error } => filter(pen, *of, (input, *selected), error.as_deref(), body),
        Dialog::Themes { names, at, .. } => {
            themes(pen, names, *at, body);
            None
        }
        Dialog::Confirm(question) => question::confirm(pen, app, question, body),
        Dialog::Typed { question, word, input, missed } => {
            question::typed(pen, app, question, (word, input, *missed), body)
        }
        Dialog::Rush(form) => rush(pen, form, body),
        Dialog::Order(form) => super::order_form::render(pen, form, body),
        Dialog::Target(form) => targets(pen, app, form, body),
    }
}

/// Empties and frames the middle of the body; returns the inside.
pub(super) fn open(pen: &mut Pen<'_>, body: Rect, (width, height): (u16, u16), title: &str, border: Role) -> Rect {
    let (width, height) = (width.min(body.width), height.min(body.height));
    let x = body.x + (body.width - width) / 2;
    let y = body.y + (body.height - height) / 2;
    let area = Rect { x, y, width, height };
    pen.clear(area);
    pen.frame(area, border);
    pen.put(area.x + 2, area.y, area.width.saturating_sub(4), &format!(" {title} "), Role::Title);
    Rect { x: area.x + 2, y: area.y + 1, width: area.width.saturating_sub(4), height: area.height.saturating_sub(2) }
}

/// A line of typed text with its cursor.
pub(super) fn field(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, input: &Input) -> Option<Position> {
    let scroll = input.visual_scroll(usize::from(width.saturating_sub(1)));
    let text: String = input.value().chars().skip(scroll).collect();
    pen.name(x, y, width, &Untrusted::new(&text), Role::Input);
    let cursor = u16::try_from(input.visual_cursor().saturating_sub(scroll)).unwrap_or(0);
    Some(Position { x: x + cursor.min(width.saturating_sub(1)), y })
}

fn help(pen: &mut Pen<'_>, app: &App, search: &Input, top: usize, body: Rect) -> Option<Position> {
    let here = app.context().word();
    let wanted = search.value().to_lowercase();
    let fits = |text: &str| text.to_lowercase().contains(&wanted);
    let mut rows = key_rows(&app.setup.keys);
    rows.retain(|row| fits(row.name) || fits(row.description) || fits(&row.keys));
    rows.sort_by_key(|row| !(row.screens == "everywhere" || row.screens.contains(here)));
    let height = u16::try_from(rows.len()).unwrap_or(0).saturating_add(4).max(8);
    let inside = open(pen, body, (104, height), "help", Role::Border);
    let x = pen.put(inside.x, inside.y, inside.width, "search: ", Role::Dim);
    let cursor = field(pen, x, inside.y, inside.right().saturating_sub(x), search);
    let room = usize::from(inside.height.saturating_sub(2));
    let top = top.min(rows.len().saturating_sub(room));
    for (row, y) in rows.iter().skip(top).zip(inside.y + 1..inside.bottom().saturating_sub(1)) {
        pen.put(inside.x, y, 15, &row.keys, Role::Key);
        pen.put(inside.x + 16, y, 10, row.name, Role::Strong);
        let what = if row.guard.is_empty() {
            row.description.to_owned()
        } else {
            format!("{} ({})", row.description, row.guard)
        };
        let off = !(row.screens == "everywhere" || row.screens.contains(here));
        let room = inside.width.saturating_sub(27);
        let role = if off { Role::Dim } else { Role::Text };
        pen.put(inside.x + 27, y, room, &Untrusted::new(&what).fit(room.into()), role);
    }
    let note = format!("{} of {}   up, down scroll   esc closes", rows.len(), ACTIONS.len());
    pen.put(inside.x, inside.bottom().saturating_sub(1), inside.width, &note, Role::Dim);
    cursor
}

/// The line is the footer's row; above it stands what is wrong, or what can be typed.
fn filter(
    pen: &mut Pen<'_>,
    of: FilterOf,
    (input, selected): (&Input, bool),
    error: Option<&str>,
    body: Rect,
) -> Option<Position> {
    let y = body.bottom();
    let hint = match of {
        FilterOf::Kitchens if body.width < 76 => "zone=harbor load>0.8 !alive dead hot",
        FilterOf::Kitchens => "zone=harbor load>0.8 !alive, or a word: dead hot suspected draining cordoned",
        FilterOf::Events => "kind=migrated subject=o42 by=ada tone=bad !text",
    };
    let (text, role) = error.map_or((hint, Role::Dim), |error| (error, Role::Bad));
    let above = wrapped(&Untrusted::new(text), usize::from(body.width.saturating_sub(2)));
    let rows = u16::try_from(above.len()).unwrap_or(1).min(body.height);
    pen.clear(Rect { y: y - rows, height: rows + 1, ..body });
    for (line, y) in above.iter().zip(y - rows..y) {
        pen.name(body.x + 1, y, body.width.saturating_sub(2), &Untrusted::new(line), role);
    }
    let keys = match (selected, body.width >= 76) {
        (true, true) => "letters replace it, esc clears it",
        (false, true) => "enter keeps it, esc clears it",
        (_, false) => "enter, esc clears",
    };
    let right = pen.put_right(body.right().saturating_sub(1), y, body.width / 2, keys, Role::Dim);
    let x = pen.put(body.x, y, body.width, " / ", Role::Accent);
    let width = right.saturating_sub(x + 1);
    if selected { chosen(pen, x, y, width, input) } else { field(pen, x, y, width, input) }
}

/// A field whose text is replaced by what is typed.
fn chosen(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, input: &Input) -> Option<Position> {
    let end = pen.name(x, y, width, &Untrusted::new(input.value()), Role::Selected);
    Some(Position { x: end.min(x + width.saturating_sub(1)), y })
}

fn themes(pen: &mut Pen<'_>, names: &[String], at: usize, body: Rect) {
    let height = u16::try_from(names.len()).unwrap_or(0) + 3;
    let inside = open(pen, body, (32, height), "theme", Role::Border);
    let room = usize::from(inside.height.saturating_sub(1)).max(1);
    let top = at.saturating_sub(room - 1);
    for ((index, name), y) in names.iter().enumerate().skip(top).zip(inside.y..inside.bottom().saturating_sub(1)) {
        pen.put(inside.x, y, 1, if index == at { ">" } else { " " }, Role::Accent);
        pen.put(
            inside.x + 2,
            y,
            inside.width.saturating_sub(2),
            name,
            if index == at { Role::Strong } else { Role::Text },
        );
    }
    pen.put(inside.x, inside.bottom().saturating_sub(1), inside.width, "enter keeps, esc goes back", Role::Dim);
}

/// The line of a reason; returns the cursor if it has the focus.
pub(super) fn reason(pen: &mut Pen<'_>, input: &Input, on: bool, row: Rect) -> Option<Position> {
    let label = if on { "reason: " } else { "reason (tab): " };
    let x = pen.put(row.x, row.y, row.width, label, if on { Role::Strong } else { Role::Dim });
    field(pen, x, row.y, row.right().saturating_sub(x), input).filter(|_| on)
}

/// Cancel and the verb; the one with the focus is in brackets.
pub(super) fn buttons(pen: &mut Pen<'_>, inside: Rect, cancel: Option<bool>, verb: &str, go: bool) {
    let y = inside.bottom().saturating_sub(1);
    let label = |text: &str, on: bool| if on { format!("[ {text} ]") } else { format!("  {text}  ") };
    let on = cancel == Some(true);
    let x = pen.put(inside.x, y, inside.width, &label("Cancel", on), if on { Role::Selected } else { Role::Text });
    pen.put(
        x + 2,
        y,
        inside.right().saturating_sub(x + 2),
        &label(verb, go),
        if go { Role::Selected } else { Role::Text },
    );
}

fn rush(pen: &mut Pen<'_>, form: &RushForm, body: Rect) -> Option<Position> {
    let inside = open(pen, body, (56, 9), "rush", Role::Border);
    // On a small screen what has the focus and the buttons stay.
    let room = usize::from(inside.height.saturating_sub(2)).max(1);
    let at = Line::ALL.iter().position(|line| *line == form.focus).unwrap_or(0);
    let first = (at.min(3) + 1).saturating_sub(room);
    let mut cursor = None;
    for (line, y) in Line::ALL.into_iter().take(4).skip(first).take(room).zip(inside.y..) {
        let row = Rect { y, height: 1, ..inside };
        cursor = cursor.or(rush_line(pen, form, line, row));
    }
    if let Some(error) = form.error {
        pen.put(inside.x, inside.bottom().saturating_sub(2), inside.width, error, Role::Bad);
    }
    buttons(pen, inside, Some(form.focus == Line::Cancel), "Start", form.focus == Line::Start);
    cursor
}

/// A line of the form; returns the cursor if it has the focus and text is typed there.
fn rush_line(pen: &mut Pen<'_>, form: &RushForm, line: Line, row: Rect) -> Option<Position> {
    let on = form.focus == line;
    pen.put(row.x, row.y, 2, if on { "> " } else { "  " }, Role::Accent);
    let (label, input) = match line {
        Line::Rate => ("orders a second", Some(&form.rate)),
        Line::Seconds => ("seconds", Some(&form.seconds)),
        Line::Reason => ("reason", Some(&form.reason)),
        Line::Zone => ("where", None),
        Line::Cancel | Line::Start => return None,
    };
    pen.put(row.x + 2, row.y, row.width.saturating_sub(2), label, if on { Role::Strong } else { Role::Text });
    let x = row.x + 19;
    let width = row.right().saturating_sub(x);
    match input {
        Some(input) if on && form.selected => chosen(pen, x, row.y, width, input),
        Some(input) => field(pen, x, row.y, width, input).filter(|_| on),
        None => {
            let zone = form.zones.get(form.zone).map_or_else(String::new, |zone| zone.0.fit(20));
            let end = pen.put(x, row.y, width, &format!("< {zone} >"), Role::Input) + 2;
            let next = form.zones.get(1).filter(|_| form.zone == 0 && on);
            if let Some((next, _)) = next {
                let next = format!("right: {}", next.fit(20));
                pen.put(end, row.y, row.right().saturating_sub(end), &next, Role::Dim);
            }
            None
        }
    }
}

/// Rows of the choice below its list: the reason, and how it is used.
const BELOW: u16 = 2;

fn targets(pen: &mut Pen<'_>, app: &App, form: &TargetForm, body: Rect) -> Option<Position> {
    let fate = app.fate(form);
    let rows = u16::try_from(form.kitchens.len()).unwrap_or(u16::MAX);
    let height = rows.saturating_add(2 + BELOW + u16::from(fate.is_some()));
    let mut inside = open(pen, body, (72, height), &format!("migrate {} to", form.order), Role::Border);
    let foot = Rect { y: inside.bottom().saturating_sub(BELOW), height: 1, ..inside };
    inside.height = inside.height.saturating_sub(BELOW);
    if let Some(fate) = fate {
        pen.name(inside.x, inside.y, inside.width, &Untrusted::new(&fate), Role::Warn);
        (inside.y, inside.height) = (inside.y + 1, inside.height.saturating_sub(1));
    }
    let room = usize::from(inside.height).max(1);
    let top = form.at.saturating_sub(room - 1);
    for (at, y) in (top..form.kitchens.len()).zip(inside.y..inside.bottom()) {
        target(pen, app, form, at, Rect { y, height: 1, ..inside });
    }
    let cursor = reason(pen, &form.reason, form.typing, foot);
    let note = "most free places first; enter moves it, esc does nothing";
    pen.put(foot.x, foot.y + 1, foot.width, note, Role::Dim);
    cursor
}

/// A kitchen: its load and free places, or why it cannot take the order.
fn target(pen: &mut Pen<'_>, app: &App, form: &TargetForm, at: usize, row: Rect) {
    let Some(id) = form.kitchens.get(at) else { return };
    let (selected, unfit) = (at == form.at, app.unfit(form, id));
    pen.put(row.x, row.y, 1, if selected { ">" } else { " " }, Role::Accent);
    let role = match (unfit, selected) {
        (Some(_), _) => Role::Dim,
        (None, true) => Role::Strong,
        (None, false) => Role::Text,
    };
    pen.put(row.x + 2, row.y, 20.min(row.width / 2), &super::fleet::cut(id.as_str(), 20), role);
    let Some(kitchen) = app.city().kitchen(id) else { return };
    if row.width >= 60 {
        pen.name(row.x + 23, row.y, 12, app.city().zone_of(kitchen), role);
    }
    if let Some(why) = unfit {
        pen.put_right(row.right(), row.y, row.width / 2, why, Role::Dim);
        return;
    }
    if row.width >= 60 {
        let threshold = app.city().threshold;
        let load = super::fleet::load_role(kitchen, threshold);
        pen.bar(row.x + 36, row.y, 12, kitchen.load(), Some(threshold), load);
    }
    let free = format!("{} of {} free", blast::free(kitchen), kitchen.capacity);
    pen.put_right(row.right(), row.y, row.width / 2, &free, role);
}
