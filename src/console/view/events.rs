//! Notable events, newest first; what the feed only counted is a figure in the title.
//!
//! ```text
//! ─ events ─────────────────────── 9 771 routine in 10 s  23 418 seen ─
//!  12:41:07 ✕ kitchen_lost  kitchen_3  silent for a lease
//!  12:41:06 · migrated      ×12        idle_station
//! ```
//! Owns which lines a small panel keeps. Never folds what is loud.

use protocol::WallTime;
use protocol::feed::Tone;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::thousands;
use crate::console::app::App;
use crate::console::app::events::{Body, Events, Line};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// What is loud keeps its row for so long.
const LOUD_MS: u64 = 60_000;
/// Calm events of one kind in the same so many milliseconds of the clock are one line.
const FOLD_MS: u64 = 10_000;
/// The most lines looked at for a panel.
const SCANNED: usize = 400;
/// Columns of a text that are compared.
const WORDS: usize = 256;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let leader = if framed || !city.known || area.width < 72 { String::new() } else { leader(app) };
    let height = usize::from(area.height.saturating_sub(if framed { 2 } else { 1 }));
    let (rows, gone) = folded(&city.events, city.at, height);
    let hidden = if gone > 0 { format!("{gone} calm hidden  ") } else { String::new() };
    let inside = pen.panel(area, framed, "events", &format!("{leader}{hidden}{}", counts(&city.events)));
    for (line, y) in rows.iter().zip(inside.y..inside.bottom()) {
        draw(pen, line, Rect { y, height: 1, ..inside });
    }
}

/// `175 routine in 10 s  2 103 seen`: what is not in the list, and what could not be told.
pub fn counts(events: &Events) -> String {
    let lost = if events.dropped > 0 { format!("  feed lost {}", thousands(events.dropped)) } else { String::new() };
    format!("{} routine in 10 s  {} seen{lost}", thousands(events.routine()), thousands(events.seen))
}

/// Who decides, where the header has no room for it.
fn leader(app: &App) -> String {
    let city = app.city();
    let gone = if app.is_cut_off() { " gone" } else { "" };
    format!("leader {}{gone}  ", city.leader.fit(12))
}

/// Lines for so many rows, newest first, and how many calm ones had to make room for loud ones: calm events of one kind in the
/// same ten seconds of the clock are one line (`×12 migrated`), so a line of the past never changes, and what is loud keeps its
/// row for a minute.
fn folded(events: &Events, now: WallTime, rows: usize) -> (Vec<Line>, usize) {
    let mut lines: Vec<Line> = Vec::new();
    for line in events.newest().take(SCANNED) {
        match lines.iter_mut().find(|known| folds(known, line)) {
            Some(known) => fold(known, line),
            None => lines.push(line.clone()),
        }
    }
    // The oldest calm ones make room first, then the oldest.
    let is_loud = |line: &Line| matches!(line.tone, Tone::Warn | Tone::Bad) && now.ms_since(line.at) <= LOUD_MS;
    let mut gone: Vec<WallTime> = Vec::new();
    while let Some(calm) = lines.iter().rposition(|line| !is_loud(line)).filter(|_| lines.len() > rows) {
        gone.push(lines.remove(calm).at);
    }
    lines.truncate(rows);
    // What is older than all that is shown is simply further down.
    let oldest = lines.last().map_or(now, |line| line.at);
    (lines, gone.into_iter().filter(|at| *at > oldest).count())
}

fn is_calm(line: &Line) -> bool {
    matches!(line.tone, Tone::Info | Tone::Good)
}

fn folds(known: &Line, line: &Line) -> bool {
    let (Body::Event { kind: one, .. }, Body::Event { kind: other, .. }) = (&known.body, &line.body) else {
        return false;
    };
    is_calm(known) && is_calm(line) && one == other && known.at.0 / FOLD_MS == line.at.0 / FOLD_MS
}

/// Takes an older one in: what both say stays.
fn fold(known: &mut Line, older: &Line) {
    known.count = known.count.saturating_add(older.count);
    let (Body::Event { kind, subject, text, .. }, Body::Event { subject: other_subject, text: other_text, .. }) =
        (&mut known.body, &older.body)
    else {
        return;
    };
    if subject != other_subject {
        *subject = Untrusted::default();
    }
    if text != other_text {
        // A move ends in its reason; of any other text half would be the remains of a sentence.
        let moved = ["migrated", "recovered"].contains(&kind.fit(WORDS).as_str());
        let (one, other) = (text.fit(WORDS), other_text.fit(WORDS));
        let reason = one.rsplit(' ').next().filter(|reason| moved && other.rsplit(' ').next() == Some(reason));
        *text = Untrusted::new(reason.unwrap_or_default());
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
            // Of several subjects there is none to name: how many there are stands in its place.
            if line.count > 1 && subject.is_empty() {
                pen.put(x, y, subject_width.min(room(x)), &format!("×{}", thousands(line.count)), Role::Strong);
                x += subject_width + 1;
            } else if line.count > 1 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{NOON, event};

    #[test]
    fn a_flood_of_calm_events_is_one_line_and_what_is_loud_stays_for_a_minute() {
        let mut events = Events::default();
        events.note(&event(1, 1_000, "kitchen_lost", Tone::Bad, "kitchen_3", "silent for 1.2 s"));
        for n in 0..90_u64 {
            let (at, from) = (2_000 + n * 500, format!("kitchen_{}", n % 3));
            events.note(&event(
                2 + n,
                at,
                "migrated",
                Tone::Info,
                &from,
                &format!("-> kitchen_{} idle_station", n % 5),
            ));
        }
        let show = |ms: u64| folded(&events, WallTime(NOON + ms), 4);
        let (lines, hidden) = show(50_000);
        assert_eq!((lines.len(), hidden), (4, 2), "three calm lines, and two more before the loud one");
        assert_eq!((lines[0].count, lines[1].count), (14, 20), "46.5 back to 40, and the ten seconds before");
        let growing = (2..=90).map(|n| n * 500 + 2_000).filter(|at| at / 10_000 == 3).count() as u64;
        assert_eq!(lines[1].count, growing, "what is past stays as it was");
        let Body::Event { subject, text, .. } = &lines[0].body else { panic!("an event") };
        assert_eq!((subject.is_empty(), text.fit(40)), (true, "idle_station".to_owned()));
        assert_eq!(lines[3].tone, Tone::Bad, "it is not pushed out");
        assert!(show(61_500).0.iter().all(|line| line.tone == Tone::Info), "its minute is over");
    }
}
