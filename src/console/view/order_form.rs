//! The form of a new order.
//!
//! ```text
//!  ╭─ order ─────────────────────────────────────────────────╮
//!  │ > pizza              < 2 >                               │
//!  │   salad                0                                 │
//!  │   zone               < Harbor >                          │
//!  │   customer           Ada                                 │
//!  │   priority           < normal >                          │
//!  │ 1 dish   right, left or digits: how many                 │
//!  │   Cancel    [ Place ]                                    │
//!  ╰──────────────────────────────────────────────────────────╯
//! ```
//! On a small screen what has the focus and the buttons stay.
//!
//! Owns its lines and the cursor in them. Never checks what was typed: the form does.

use ratatui::layout::{Position, Rect};

use super::dialog::{buttons, field, open};
use super::pen::Pen;
use super::text::plural;
use crate::console::app::order_form::{Field, OrderForm};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Columns of the labels.
const LABELS: u16 = 22;

/// Draws it; returns where the cursor stands, if text is typed.
pub fn render(pen: &mut Pen<'_>, form: &OrderForm, body: Rect) -> Option<Position> {
    let lines = form.picks.len() + 3;
    let inside =
        open(pen, body, (64, u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(4)), "order", Role::Border);
    let room = usize::from(inside.height.saturating_sub(2)).max(1);
    let at = focus(form);
    let first = (at.min(lines - 1) + 1).saturating_sub(room);
    let mut cursor = None;
    for (line, y) in (first..lines).take(room).zip(inside.y..) {
        pen.put(inside.x, y, 2, if line == at { "> " } else { "  " }, Role::Accent);
        let row = Rect { y, height: 1, ..inside };
        let place = self::line(pen, form, line, row);
        cursor = if line == at { place } else { cursor };
    }
    note(pen, form, Rect { y: inside.bottom().saturating_sub(2), height: 1, ..inside });
    buttons(pen, inside, Some(form.focus == Field::Cancel), "Place", form.focus == Field::Place);
    cursor
}

/// The line that has the focus; behind the last one: a button.
fn focus(form: &OrderForm) -> usize {
    let dishes = form.picks.len();
    match form.focus {
        Field::Dish(at) => at,
        Field::Zone => dishes,
        Field::Customer => dishes + 1,
        Field::Priority => dishes + 2,
        Field::Cancel | Field::Place => dishes + 3,
    }
}

fn line(pen: &mut Pen<'_>, form: &OrderForm, line: usize, row: Rect) -> Option<Position> {
    let (label, x) = (LABELS.min(row.width / 2), row.x + LABELS.min(row.width / 2) + 1);
    let room = row.right().saturating_sub(x);
    if let Some(pick) = form.picks.get(line) {
        let role = if pick.quantity > 0 { Role::Strong } else { Role::Text };
        pen.name(row.x + 2, row.y, label.saturating_sub(2), &pick.dish.name, role);
        let on = form.focus == Field::Dish(line);
        let count = if on { format!("< {} >", pick.quantity) } else { format!("  {}", pick.quantity) };
        pen.put(x, row.y, room, &count, if pick.quantity > 0 || on { Role::Input } else { Role::Dim });
        return None;
    }
    let mut choice = |word: &str, value: &str| {
        pen.put(row.x + 2, row.y, label.saturating_sub(2), word, Role::Text);
        pen.put(x, row.y, room, &format!("< {value} >"), Role::Input);
    };
    match line - form.picks.len() {
        0 => {
            let zone = form.zones.get(form.zone).map_or_else(String::new, |zone| zone.name.fit(20));
            choice("zone", &zone);
            None
        }
        1 => {
            pen.put(row.x + 2, row.y, label.saturating_sub(2), "customer", Role::Text);
            field(pen, x, row.y, room, &form.customer)
        }
        _ => {
            choice("priority", if form.high { "high" } else { "normal" });
            None
        }
    }
}

/// What is wrong, that it is sent again, or how the form is used.
fn note(pen: &mut Pen<'_>, form: &OrderForm, row: Rect) {
    let (text, role) = match &form.error {
        Some(why) => (why.clone(), Role::Bad),
        None if form.is_again() => {
            (Untrusted::new("not confirmed yet: sent as it is, it is placed only once"), Role::Warn)
        }
        None => {
            let dishes = plural(form.chosen() as u64, "dish", "dishes");
            (Untrusted::new(&format!("{dishes}   up, down; left, right or digits: how many")), Role::Dim)
        }
    };
    pen.name(row.x, row.y, row.width, &text, role);
}
