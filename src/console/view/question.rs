//! Questions before something changes: what would be touched, the reason, and what acts.
//!
//! ```text
//!  ╭─ Kill kitchen_2 ──────────────────────────╮
//!  │ kills 1 of 4 alive, zone Harbor           │
//!  │ 3 orders move, 4 cook again (2 in the     │
//!  │ oven)                                     │
//!  │ type kitchen_2 to arm: kitch_             │
//!  │ reason (tab): oven check                  │
//!  │ esc = do nothing                          │
//!  ╰───────────────────────────────────────────╯
//! ```
//! Lines wrap while there is room. On a small screen they give way from the last one on, never the field and never what
//! speaks against the wish.

use ratatui::layout::{Position, Rect};
use tui_input::Input;

use super::dialog::{buttons, field, open, reason};
use super::pen::Pen;
use super::text::wrapped;
use crate::console::app::App;
use crate::console::app::blast::Sentence;
use crate::console::app::question::{Focus, Question};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Columns of the box, and those its frame takes.
const WIDTH: u16 = 64;
const FRAME: u16 = 4;

/// A line of the ground, as wide as the box; grave ones first if not all fit.
type Line = (String, bool);

/// The lines of the ground, wrapped, and as many of them as leave `below` rows under them.
fn ground(app: &App, question: &Question, body: Rect, below: u16) -> Vec<Line> {
    let width = usize::from(WIDTH.min(body.width).saturating_sub(FRAME));
    let room = usize::from(body.height.saturating_sub(below + 2));
    let mut sentences = app.ground(&question.request);
    let wrap = |it: &Sentence| wrapped(&Untrusted::new(&it.text), width);
    let whole = sentences.iter().map(|it| wrap(it).len()).sum::<usize>() <= room;
    if !whole {
        sentences.sort_by_key(|sentence| !sentence.grave);
    }
    // Where not all fit, what speaks against the wish is read in full, and the rest is a line each.
    let lines = sentences.iter().flat_map(|it| {
        let lines = if whole || it.grave { wrap(it) } else { vec![Untrusted::new(&it.text).fit(width)] };
        lines.into_iter().map(|line| (line, it.grave))
    });
    lines.take(room).collect()
}

/// Opens the box with its ground; returns the inside and the row below the ground.
fn begin(pen: &mut Pen<'_>, app: &App, question: &Question, body: Rect, below: u16) -> (Rect, u16) {
    let lines = ground(app, question, body, below);
    let count = u16::try_from(lines.len()).unwrap_or(0);
    let inside = open(pen, body, (WIDTH, count + below + 2), &question.title, Role::Danger);
    for ((line, grave), y) in lines.iter().zip(inside.y..inside.bottom()) {
        let role = if *grave { Role::Bad } else { Role::Text };
        pen.name(inside.x, y, inside.width, &Untrusted::new(line), role);
    }
    (inside, inside.y + count)
}

/// Draws a question with two buttons; returns where the cursor stands, if text is typed.
pub fn confirm(pen: &mut Pen<'_>, app: &App, question: &Question, body: Rect) -> Option<Position> {
    // A blank row stands above the reason, if that takes no line from the ground.
    let with_blank = ground(app, question, body, 3).len() == ground(app, question, body, 2).len();
    let (inside, _) = begin(pen, app, question, body, if with_blank { 3 } else { 2 });
    let row = Rect { y: inside.bottom().saturating_sub(2), height: 1, ..inside };
    let cursor = reason(pen, &question.reason, question.focus == Focus::Reason, row);
    buttons(pen, inside, Some(question.focus == Focus::Cancel), question.verb, question.focus == Focus::Go);
    cursor
}

/// Draws a question that wants the name typed; returns where the cursor stands.
pub fn typed(
    pen: &mut Pen<'_>,
    app: &App,
    question: &Question,
    (word, input, missed): (&str, &Input, bool),
    body: Rect,
) -> Option<Position> {
    let (inside, y) = begin(pen, app, question, body, 3);
    let on = question.focus != Focus::Reason;
    let ask = format!("type {word} to arm: ");
    let x = pen.put(inside.x, y, inside.width, &ask, if on { Role::Strong } else { Role::Dim });
    let cursor = field(pen, x, y, inside.right().saturating_sub(x), input).filter(|_| on);
    let cursor = cursor.or(reason(pen, &question.reason, !on, Rect { y: y + 1, height: 1, ..inside }));
    let (note, role) = if input.value() == word {
        (format!("ARMED: enter = {}, esc = do nothing", question.verb), Role::Danger)
    } else if missed {
        (format!("not armed: `{}` is not {word}; esc = do nothing", Untrusted::new(input.value()).fit(20)), Role::Bad)
    } else {
        ("esc = do nothing".to_owned(), Role::Dim)
    };
    pen.name(inside.x, y + 2, inside.width, &Untrusted::new(&note), role);
    cursor
}
