//! The screen of recordings, and the scrubber under every screen while one plays.
//!
//! ```text
//! ▶ REPLAY x4  ├──────────▲───●───────────▲────┤ 12:41:07  00:42 / 03:10        under every screen
//! trail        what the operator did and what became of the link, up to this moment
//! recording    the file: length, speed, keyframes, damage
//! ```
//!
//! Owns the trail and the scrubber. Never reads a file.

use ratatui::layout::Rect;

use super::layout;
use super::pen::Pen;
use super::text::{plural, thousands};
use crate::console::app::App;
use crate::console::replay::Replay;
use crate::console::tape::Trail;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Columns of the scrubber's words on both sides; below this only the words are shown.
const NARROW: u16 = 60;

/// `01:02:03`, or `02:03` below an hour.
fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours:02}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// The same with milliseconds, for steps from frame to frame.
fn precise(ms: u64) -> String {
    format!("{}.{:03}", clock(ms), ms % 1_000)
}

fn speed(quarters: u32) -> String {
    match quarters {
        1 => "x1/4".to_owned(),
        2 => "x1/2".to_owned(),
        quarters => format!("x{}", quarters / 4),
    }
}

/// The scrubber, in one row.
pub fn scrubber(pen: &mut Pen<'_>, replay: &Replay, area: Rect) {
    let state = if replay.paused { "PAUSED " } else { "▶ plays" };
    let left = format!(" {state} {:<4} ", speed(replay.quarters));
    // Who steps wants to see the step; what plays would only flicker.
    let at = if replay.paused { precise(replay.at) } else { clock(replay.at) };
    let right = format!(" {}  {at} / {} ", &replay.wall.clock()[..8], clock(replay.length));
    let x = pen.put(area.x, area.y, area.width, &left, Role::Accent);
    if area.width < NARROW {
        pen.put(x, area.y, area.right().saturating_sub(x), &right, Role::Strong);
        return;
    }
    let end = pen.put_right(area.right(), area.y, area.width, &right, Role::Strong);
    if end > x + 4 {
        line(pen, replay, Rect { x, y: area.y, width: end - x, height: 1 });
    }
}

/// The line itself: `▲` where something bad happened, `◆` where the link or the leader was lost, `●` where we are.
fn line(pen: &mut Pen<'_>, replay: &Replay, area: Rect) {
    let inner = u64::from(area.width - 2);
    pen.put(area.x, area.y, 1, "├", Role::Rule);
    pen.put(area.x + 1, area.y, area.width - 2, &"─".repeat(usize::from(area.width - 2)), Role::Rule);
    pen.put(area.right() - 1, area.y, 1, "┤", Role::Rule);
    let place =
        |t: u64| area.x + 1 + u16::try_from(t.min(replay.length) * (inner - 1) / replay.length.max(1)).unwrap_or(0);
    for pair in replay.keys.windows(2).filter(|pair| pair[1].bad > 0) {
        // It happened between the two keyframes.
        pen.put(place(pair[0].t.midpoint(pair[1].t)), area.y, 1, "▲", Role::Bad);
    }
    for lost in replay.notes.trail.iter().filter(|line| line.kind.is("link") && line.text.contains("lost")) {
        pen.put(place(lost.t), area.y, 1, "◆", Role::Warn);
    }
    pen.put(place(replay.at), area.y, 1, "●", Role::Accent);
}

/// The screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let framed = layout::is_framed(area);
    let Some(replay) = &app.replay else {
        let inside = pen.panel(area, framed, "recordings", "");
        return explain(pen, inside);
    };
    let mut facts = facts(replay);
    facts.insert(
        2,
        ("position", format!("{}, epoch {}", thousands(app.city().position.0), app.city().epoch), Role::Text),
    );
    let height = (facts.len() as u16 + if framed { 2 } else { 1 }).min(area.height);
    let upper = Rect { height: area.height - height, ..area };
    let lower = Rect { y: upper.bottom(), height, ..area };
    let inside = pen.panel(upper, framed, "trail", &format!("{} lines", thousands(replay.notes.added)));
    trail(pen, replay, inside);
    let inside = pen.panel(lower, framed, "recording", "");
    for ((name, value, role), y) in facts.iter().zip(inside.y..inside.bottom()) {
        let x = pen.put(inside.x + 1, y, inside.width.saturating_sub(1), &format!("{name:<10}"), Role::Dim);
        pen.put(x, y, inside.right().saturating_sub(x), value, *role);
    }
}

fn facts(replay: &Replay) -> Vec<(&'static str, String, Role)> {
    let bad: u64 = replay.keys.iter().map(|key| key.bad).sum();
    let mut facts = vec![
        ("file", replay.name.fit(80), Role::Strong),
        ("at", format!("{} of {}, {}", precise(replay.at), clock(replay.length), speed(replay.quarters)), Role::Text),
        (
            "keyframes",
            format!("{}, {} between them", replay.keys.len(), plural(bad, "bad event", "bad events")),
            Role::Text,
        ),
    ];
    if let Some(damage) = &replay.damage {
        facts.push(("damage", damage.clone(), Role::Warn));
    }
    facts
}

/// The trail, oldest first; letters typed one after the other are one line (`typed kitchen_1`), and so is a key that was
/// repeated (`j ×12`).
fn folded(replay: &Replay) -> Vec<Trail> {
    let lines: Vec<&Trail> = replay.notes.trail.iter().collect();
    let runs = lines.chunk_by(|one, other| letter(one).is_some() && letter(other).is_some());
    runs.flat_map(fold).collect()
}

/// A letter of a word: what opens something by itself, as `K` does, begins no word and ends none.
fn letter(line: &Trail) -> Option<char> {
    let text = line.text.fit(8);
    let mut letters = text.chars();
    let one = letters.next().filter(|c| line.kind.is("key") && !c.is_uppercase());
    one.filter(|_| letters.next().is_none())
}

fn fold(run: &[&Trail]) -> Vec<Trail> {
    let typed: String = run.iter().filter_map(|line| letter(line)).collect();
    let first = run[0].clone();
    if run.len() < 3 {
        return run.iter().map(|line| (*line).clone()).collect();
    }
    let same = typed.chars().all(|c| typed.starts_with(c));
    let key = if same { first.text.fit(8) } else { String::new() };
    let text = if same { format!("{key} ×{}", run.len()) } else { format!("typed {typed}") };
    vec![Trail { text: Untrusted::new(&text), ..first }]
}

fn trail(pen: &mut Pen<'_>, replay: &Replay, area: Rect) {
    if replay.notes.trail.is_empty() {
        pen.put(area.x + 1, area.y, area.width.saturating_sub(1), "nothing yet", Role::Dim);
        return;
    }
    for (line, y) in folded(replay).into_iter().rev().zip(area.y..area.bottom()) {
        let role = if line.kind.is("gap") || line.kind.is("link") { Role::Warn } else { Role::Text };
        let head = format!("{:>8}  ", clock(line.t));
        let x = pen.put(area.x + 1, y, area.width.saturating_sub(1), &head, Role::Dim);
        let x = pen.name(x, y, 8.min(area.right().saturating_sub(x)), &line.kind, Role::Dim).max(x + 8) + 1;
        pen.name(x, y, area.right().saturating_sub(x), &line.text, role);
    }
}

fn explain(pen: &mut Pen<'_>, area: Rect) {
    let lines = [
        "No recording is played here: this is the living city.",
        "",
        "chef record FILE            records everything the feed carries",
        "chef console --record FILE  records this console, with your keys",
        "chef replay FILE            plays it on these screens",
    ];
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        pen.put(area.x + 1, y, area.width.saturating_sub(1), line, Role::Text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_short_as_they_can_be() {
        assert_eq!(clock(62_999), "01:02");
        assert_eq!(clock(3_723_000), "01:02:03");
        assert_eq!((speed(1), speed(4), speed(256)), ("x1/4".into(), "x1".into(), "x64".into()));
    }

    #[test]
    fn letters_typed_in_a_row_are_a_word() {
        let one = |text: &str| Trail { t: 7, kind: Untrusted::new("key"), text: Untrusted::new(text) };
        let keys: Vec<Trail> = ["K", "k", "i", "t", "enter", "j", "j", "j", "s"].map(one).to_vec();
        let lines: Vec<&Trail> = keys.iter().collect();
        let runs = lines.chunk_by(|one, other| letter(one).is_some() && letter(other).is_some());
        let texts: Vec<String> = runs.flat_map(fold).map(|line| line.text.fit(20)).collect();
        assert_eq!(texts, ["K", "typed kit", "enter", "typed jjjs"]);
        assert_eq!(fold(&[&one("j"), &one("j"), &one("j")])[0].text.fit(20), "j ×3");
        assert_eq!(precise(79_240), "01:19.240");
    }
}
