//! What a recording tells of one kitchen or one order, where nobody can be asked.
//!
//! ```text
//! ─ what the feed told of it ─────────────────────────────────────────────── 3 lines ─
//!  12:41:07.311 ✕ kitchen_lost  kitchen_3   lease_expired, silent for 3.0 s
//!  12:41:07.298 · recover       o812        kitchen_3 -> kitchen_1: lease_expired, gap 2.1 s
//!  its orders are asked of the balancer: not in the recording
//! ```
//! Never blank: what is not in the recording is said to be not in it.

use ratatui::layout::Rect;

use super::events::tone;
use super::pen::Pen;
use super::text::plural;
use crate::console::app::recall::Telling;
use crate::console::theme::Role;

/// The usual title.
pub const TITLE: &str = "what the feed told of it";
/// What is said of what only the balancer knows.
pub const ABSENT: &str = "not in the recording";

/// Draws the panel; `absent` is what else the page would show.
pub fn render(pen: &mut Pen<'_>, tellings: &[Telling], (title, absent): (&str, &str), area: Rect, framed: bool) {
    let right = plural(tellings.len() as u64, "line", "lines");
    let inside = pen.panel(area, framed, title, &right);
    let room = inside.height.saturating_sub(1);
    for (telling, y) in tellings.iter().zip(inside.y..inside.y + room) {
        line(pen, telling, Rect { y, height: 1, ..inside });
    }
    let shown = u16::try_from(tellings.len()).unwrap_or(room).min(room);
    let note =
        if tellings.is_empty() { format!("nothing yet; {absent}: {ABSENT}") } else { format!("{absent}: {ABSENT}") };
    if inside.height > 0 {
        pen.put(inside.x + 1, inside.y + shown, inside.width.saturating_sub(2), &note, Role::Dim);
    }
}

fn line(pen: &mut Pen<'_>, telling: &Telling, area: Rect) {
    let (y, right) = (area.y, area.right().saturating_sub(1));
    let room = |x: u16| right.saturating_sub(x);
    let clock = telling.at.clock();
    let (glyph, role) = tone(telling.tone);
    let x = pen.put(area.x + 1, y, room(area.x + 1), &clock, Role::Dim) + 1;
    let x = pen.put(x, y, room(x).min(1), glyph, role) + 1;
    let (word, subject) = if area.width >= 90 { (18, 14) } else { (13, 10) };
    pen.name(x, y, room(x).min(word), &telling.word, role);
    let x = x + word + 1;
    pen.name(x, y, room(x).min(subject), &telling.subject, Role::Text);
    let x = x + subject + 1;
    pen.name(x, y, room(x), &telling.text, Role::Text);
}
