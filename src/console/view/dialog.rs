//! Dialogs, in the middle of the body; a filter and a command are typed just above the footer.
//!
//! On a small screen the lines of a question give way from the last one on, never the field and never the warning.
//!
//! ```text
//!  ╭─ Kill kitchen_2 ──────────────────────────╮
//!  │ kills 1 of 4 alive, zone Harbor           │
//!  │ 3 orders move, 4 cook again (2 in the oven)│
//!  │ capacity left 81 %: 38 of 52 places       │
//!  │ type kitchen_2 to arm: kitch_             │
//!  │ reason (tab): oven check                  │
//!  │ esc = do nothing                          │
//!  ╰───────────────────────────────────────────╯
//! ```

use ratatui::layout::{Position, Rect};
use tui_input::Input;

use super::pen::Pen;
use super::text::percent;
use crate::console::actions::{ACTIONS, key_rows};
use crate::console::app::App;
use crate::console::app::dialog::{Dialog, FilterOf, Focus, Question, RushForm};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws a dialog; returns where the cursor stands, if text is typed.
pub fn render(pen: &mut Pen<'_>, app: &App, dialog: &Dialog, body: Rect) -> Option<Position> {
    match dialog {
        Dialog::Help { search, top } => help(pen, app, search, *top, body),
        Dialog::Palette(palette) => super::palette::render(pen, app, palette, body),
        Dialog::Filter { of, input, error, .. } => filter(pen, *of, input, error.as_deref(), body),
        Dialog::Themes { names, at, .. } => {
            themes(pen, names, *at, body);
            None
        }
        Dialog::Confirm(question) => confirm(pen, question, body),
        Dialog::Typed { question, word, input, missed } => typed(pen, question, (word, input, *missed), body),
        Dialog::Rush(form) => rush(pen, form, body),
        Dialog::Order(form) => super::order_form::render(pen, form, body),
        Dialog::Target { order, kitchens, at, note, .. } => {
            let title = format!("migrate {order} to");
            let inside = open(
                pen,
                body,
                (72, u16::try_from(kitchens.len()).unwrap_or(u16::MAX).saturating_add(3 + u16::from(note.is_some()))),
                &title,
                Role::Border,
            );
            targets(pen, app, (kitchens, *at), note.as_deref(), inside);
            None
        }
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
    let inside = open(pen, body, (78, height), "help", Role::Border);
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
        pen.put(inside.x + 27, y, inside.width.saturating_sub(27), &what, if off { Role::Dim } else { Role::Text });
    }
    let note = format!("{} of {}   up, down scroll   esc closes", rows.len(), ACTIONS.len());
    pen.put(inside.x, inside.bottom().saturating_sub(1), inside.width, &note, Role::Dim);
    cursor
}

fn filter(pen: &mut Pen<'_>, of: FilterOf, input: &Input, error: Option<&str>, body: Rect) -> Option<Position> {
    let y = body.bottom().saturating_sub(1);
    let hint = match of {
        FilterOf::Kitchens => "zone=Harbor load>0.8 state=hot !alive text",
        FilterOf::Events => "kind=migrated subject=o42 by=ada tone=bad !text",
    };
    // What is wrong has a line of its own: it must be read in full.
    let area = Rect { y: y.saturating_sub(1), height: 2.min(body.height), ..body };
    pen.clear(area);
    let (text, role) = error.map_or((hint, Role::Dim), |error| (error, Role::Bad));
    pen.name(area.x + 1, area.y, area.width.saturating_sub(2), &Untrusted::new(text), role);
    let x = pen.put(area.x, y, area.width, " filter / ", Role::Accent);
    field(pen, x, y, area.right().saturating_sub(x + 1), input)
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

/// The blast radius, as many of its lines as leave `below` rows; returns the next row.
fn lines(pen: &mut Pen<'_>, question: &Question, inside: Rect, below: u16) -> u16 {
    let room = usize::from(inside.height.saturating_sub(below));
    // A warning goes first where not all fit.
    let mut lines: Vec<&String> = question.lines.iter().collect();
    if lines.len() > room {
        lines.sort_by_key(|line| !line.contains("NOT ENOUGH"));
    }
    for (line, y) in lines.iter().take(room).zip(inside.y..) {
        let role = if line.contains("NOT ENOUGH") { Role::Bad } else { Role::Text };
        pen.name(inside.x, y, inside.width, &Untrusted::new(line), role);
    }
    inside.y + u16::try_from(lines.len().min(room)).unwrap_or(0)
}

/// The reason's line; returns the cursor if it has the focus.
fn reason(pen: &mut Pen<'_>, question: &Question, inside: Rect, y: u16) -> Option<Position> {
    let on = question.focus == Focus::Reason;
    let x = pen.put(inside.x, y, inside.width, "reason (tab): ", if on { Role::Strong } else { Role::Dim });
    let cursor = field(pen, x, y, inside.right().saturating_sub(x), &question.reason);
    cursor.filter(|_| on)
}

fn confirm(pen: &mut Pen<'_>, question: &Question, body: Rect) -> Option<Position> {
    let height = u16::try_from(question.lines.len()).unwrap_or(0) + 5;
    let inside = open(pen, body, (64, height), &question.title, Role::Danger);
    let y = lines(pen, question, inside, 2);
    let y = y.max(inside.bottom().saturating_sub(3)).min(inside.bottom().saturating_sub(2));
    let cursor = reason(pen, question, inside, y);
    let cancel = Some(question.focus == Focus::Cancel);
    buttons(pen, inside, cancel, question.verb, question.focus == Focus::Go);
    cursor
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

fn typed(
    pen: &mut Pen<'_>,
    question: &Question,
    (word, input, missed): (&str, &Input, bool),
    body: Rect,
) -> Option<Position> {
    let height = u16::try_from(question.lines.len()).unwrap_or(0) + 5;
    let inside = open(pen, body, (64, height), &question.title, Role::Danger);
    let y = lines(pen, question, inside, 3);
    let armed = input.value() == word;
    let ask = format!("type {word} to arm: ");
    let on = question.focus != Focus::Reason;
    let x = pen.put(inside.x, y, inside.width, &ask, if on { Role::Strong } else { Role::Dim });
    let cursor = field(pen, x, y, inside.right().saturating_sub(x), input).filter(|_| on);
    let cursor = cursor.or(reason(pen, question, inside, y + 1));
    let (note, role) = if armed {
        (format!("ARMED: enter = {}, esc = do nothing", question.verb), Role::Danger)
    } else if missed {
        (format!("not armed: `{}` is not {word}; esc = do nothing", Untrusted::new(input.value()).fit(20)), Role::Bad)
    } else {
        ("esc = do nothing".to_owned(), Role::Dim)
    };
    pen.name(inside.x, y + 2, inside.width, &Untrusted::new(&note), role);
    cursor
}

fn rush(pen: &mut Pen<'_>, form: &RushForm, body: Rect) -> Option<Position> {
    let inside = open(pen, body, (56, 9), "rush", Role::Border);
    // On a small screen what has the focus and the buttons stay.
    let room = usize::from(inside.height.saturating_sub(2)).max(1);
    let first = (form.focus.min(3) + 1).saturating_sub(room);
    let zone = form.zones.get(form.zone).map_or_else(String::new, |zone| zone.0.fit(20));
    let mut cursor = None;
    for (at, label) in ["orders a second", "seconds", "zone", "reason"].into_iter().enumerate().skip(first).take(room) {
        let y = inside.y + u16::try_from(at - first).unwrap_or(0);
        let on = form.focus == at;
        pen.put(inside.x, y, 2, if on { "> " } else { "  " }, Role::Accent);
        pen.put(inside.x + 2, y, 16, label, Role::Text);
        let x = inside.x + 20;
        let place = match at {
            0 => field(pen, x, y, 12, &form.rate),
            1 => field(pen, x, y, 12, &form.seconds),
            3 => field(pen, x, y, inside.right().saturating_sub(x), &form.reason),
            _ => {
                pen.put(x, y, inside.right().saturating_sub(x), &format!("< {zone} >"), Role::Input);
                None
            }
        };
        cursor = if on { place } else { cursor };
    }
    let note = form.error.unwrap_or("up, down, enter next; left, right choose");
    pen.put(
        inside.x,
        inside.bottom().saturating_sub(2),
        inside.width,
        note,
        if form.error.is_some() { Role::Bad } else { Role::Dim },
    );
    buttons(pen, inside, Some(form.focus == 4), "Start", form.focus == 5);
    cursor
}

fn targets(
    pen: &mut Pen<'_>,
    app: &App,
    (kitchens, at): (&[protocol::KitchenId], usize),
    note: Option<&str>,
    mut inside: Rect,
) {
    if let Some(note) = note {
        pen.name(inside.x, inside.y, inside.width, &Untrusted::new(note), Role::Warn);
        (inside.y, inside.height) = (inside.y + 1, inside.height.saturating_sub(1));
    }
    let room = usize::from(inside.height.saturating_sub(1)).max(1);
    let top = at.saturating_sub(room - 1);
    for ((index, id), y) in kitchens.iter().enumerate().skip(top).zip(inside.y..inside.bottom().saturating_sub(1)) {
        let selected = index == at;
        pen.put(inside.x, y, 1, if selected { ">" } else { " " }, Role::Accent);
        pen.put(
            inside.x + 2,
            y,
            20,
            &super::fleet::cut(id.as_str(), 20),
            if selected { Role::Strong } else { Role::Text },
        );
        if let Some(kitchen) = app.city().kitchen(id) {
            pen.name(inside.x + 23, y, 12, app.city().zone_of(kitchen), Role::Text);
            let threshold = app.city().threshold;
            pen.bar(inside.x + 36, y, 12, kitchen.load(), Some(threshold), super::fleet::load_role(kitchen, threshold));
            pen.put_right(inside.right(), y, 6, &percent(kitchen.load()), Role::Text);
        }
    }
    pen.put(inside.x, inside.bottom().saturating_sub(1), inside.width, "enter migrates, esc does nothing", Role::Dim);
}
