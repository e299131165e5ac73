//! Notable events, newest first; what the feed only counted is one line.
//!
//! ```text
//! ─ events ────────────────────────────────── 23 418 seen, 0 dropped ─
//!  12:41:07 ✕ kitchen_lost  kitchen_3  silent for a lease
//!  12:41:06 · ×9 771        accepted 4 102, leased 4 100, completed 1 569
//! ```

use protocol::feed::Tone;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::thousands;
use crate::console::app::App;
use crate::console::app::events::{Body, Line};
use crate::console::theme::Role;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let events = &app.city().events;
    let right = format!("{} seen, {} dropped", thousands(events.seen), thousands(events.dropped));
    let inside = pen.panel(area, framed, "events", &right);
    for (line, y) in events.newest().zip(inside.y..inside.bottom()) {
        draw(pen, line, Rect { y, height: 1, ..inside });
    }
}

/// Draws one line.
pub fn draw(pen: &mut Pen<'_>, line: &Line, area: Rect) {
    let wide = area.width >= 90;
    let clock = line.at.clock();
    let (glyph, role) = tone(line.tone);
    let y = area.y;
    let x = pen.put(area.x + 1, y, 12, if wide { &clock } else { &clock[..8] }, Role::Dim) + 1;
    let x = pen.put(x, y, 1, glyph, role) + 1;
    let (kind_width, subject_width) = if wide { (18, 16) } else { (14, 11) };
    let right = area.right().saturating_sub(1);
    let room = |x: u16| right.saturating_sub(x);
    match &line.body {
        Body::Event { kind, subject, text, .. } => {
            pen.name(x, y, kind_width.min(room(x)), kind, role);
            let mut x = x + kind_width + 1;
            if !subject.is_empty() {
                pen.name(x, y, subject_width.min(room(x)), subject, Role::Text);
                x += subject_width + 1;
            }
            if line.count > 1 {
                x = pen.put(x, y, room(x), &format!("×{} ", thousands(line.count)), Role::Strong);
            }
            pen.name(x, y, room(x), text, Role::Text);
        }
        Body::Collapsed(kinds) => {
            pen.put(x, y, kind_width.min(room(x)), &format!("×{}", thousands(line.count)), Role::Dim);
            let mut x = x + kind_width + 1;
            for (at, (kind, count)) in kinds.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                let piece = format!("{comma}{} {}", kind.fit(20), thousands(*count));
                if u16::try_from(piece.width()).unwrap_or(u16::MAX) > room(x) {
                    break;
                }
                x = pen.put(x, y, room(x), &piece, Role::Dim);
            }
        }
    }
}

/// The glyph beside the word, and the look.
pub fn tone(tone: Tone) -> (&'static str, Role) {
    match tone {
        Tone::Info => ("·", Role::ToneInfo),
        Tone::Good => ("✓", Role::ToneGood),
        Tone::Warn => ("▲", Role::ToneWarn),
        Tone::Bad => ("✕", Role::ToneBad),
    }
}
