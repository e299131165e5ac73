//! Moves: pairs of kitchens over the last ten seconds, and single ones in flight and ended.
//!
//! ```text
//! ─ moves, 10 s ──────────── 2 in flight ─   ─ migrations ─────────────────── 41 done, 0 failed ─
//!  kitchen_1 ━━━━━━━▶ kitchen_2       12      o812 kitchen_1 ▶ kitchen_2 reassign   3 ms …
//!  kitchen_3 ╌╌╌╌▶    kitchen_4        7      o810 kitchen_1 ▶ kitchen_4 reassign  41 ms overload
//! ```
//! A dashed line is a recovery, which is not a migration.
//!
//! Owns arrows and their legend. Never counts.

use protocol::api::{HopKind, MoveResult};
use ratatui::layout::Rect;

use super::fleet::cut;
use super::pen::{Pen, level};
use super::text::{age, ms, thousands};
use crate::console::app::App;
use crate::console::app::city::City;
use crate::console::app::moves::Move;
use crate::console::symbols::HEAD;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws pairs of kitchens.
pub fn pairs(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let legend = match area.width {
        70.. => "━ migrated  ╌ recovered  length: share of the busiest  ",
        56.. => "━ migrated  ╌ recovered  ",
        48.. => "━ migr. ╌ recov.  ",
        _ => "",
    };
    let right = format!("{legend}{} in flight", thousands(city.moves.flying() as u64));
    let inside = pen.panel(area, framed, "moves, 10 s", &right);
    let pairs = city.moves.pairs();
    if pairs.is_empty() {
        pen.put(inside.x + 1, inside.y, inside.width.saturating_sub(1), "none", Role::Dim);
        return;
    }
    let busiest = pairs.first().map_or(1, |(_, counts)| counts.total().max(1));
    let name = 12.min(inside.width / 3);
    let line = inside.width.saturating_sub(2 * name + 9);
    let hidden = pairs.len().saturating_sub(usize::from(inside.height));
    for (at, (((from, to), counts), y)) in pairs.iter().zip(inside.y..inside.bottom()).enumerate() {
        if hidden > 0 && at + 1 == usize::from(inside.height) && inside.height > 1 {
            pen.put(inside.x + 1, y, inside.width, &format!("{} more pairs", hidden + 1), Role::Dim);
            break;
        }
        let x = inside.x + 1;
        pen.put(x, y, name, &id(city, *from, name), Role::Text);
        let dashes = level(f64::from(counts.total()), f64::from(busiest), usize::from(line.max(1)));
        let glyph = if counts.migrated() >= counts.recovered() { "━" } else { "╌" };
        let end = pen.put(x + name + 1, y, line, &glyph.repeat(dashes), Role::Flow);
        pen.put(end, y, 1, HEAD, Role::Flow);
        pen.put(x + name + 1 + line + 2, y, name, &id(city, *to, name), Role::Text);
        pen.put_right(
            inside.right().saturating_sub(1),
            y,
            5,
            &super::text::short(u64::from(counts.total())),
            Role::Text,
        );
    }
}

/// Draws single moves.
pub fn singles(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let right = city.flow.as_ref().map_or_else(String::new, |flow| {
        format!("{} done, {} failed", thousands(flow.raw.moves_done), thousands(flow.raw.moves_failed))
    });
    // An event calls both migrated; here it matters which of the two it was.
    let words = if area.width >= 90 { "reassign: before it is cooked  handover: while it is  " } else { "" };
    let inside = pen.panel(area, framed, "migrations", &format!("{words}{right}"));
    let flying = city.moves.in_flight(app.now);
    let room = usize::from(inside.height);
    // In flight above, but never all of the panel: what just ended tells more than a long list.
    let shown = flying.len().min(room.saturating_sub(room / 3).max(1));
    let mut y = inside.y;
    for (moved, taken) in flying.iter().take(shown) {
        draw(pen, city, moved, &format!("{} …", age(*taken)), Rect { y, height: 1, ..inside });
        y += 1;
    }
    for (moved, y) in city.moves.ended().zip(y..inside.bottom()) {
        let pause = moved.pause_ms.map_or_else(|| "—".to_owned(), ms);
        draw(pen, city, moved, &pause, Rect { y, height: 1, ..inside });
    }
    if flying.is_empty() && city.moves.ended().next().is_none() {
        pen.put(inside.x + 1, inside.y, inside.width.saturating_sub(1), "none yet", Role::Dim);
    }
}

fn draw(pen: &mut Pen<'_>, city: &City, moved: &Move, time: &str, area: Rect) {
    let (y, right) = (area.y, area.right().saturating_sub(1));
    let name = (area.width.saturating_sub(9 + 3 + 10) / 2).min(12);
    let x = pen.put(area.x + 1, y, 8, &format!("{:<7}", moved.order.to_string()), Role::Text) + 1;
    pen.put(x, y, name, &id(city, moved.from, name), Role::Text);
    let x = x + name + 1;
    pen.put(x, y, 1, HEAD, Role::Flow);
    pen.put(x + 2, y, name, &id(city, moved.to, name), Role::Text);
    let x = x + 2 + name + 1;
    let (word, role) = outcome(moved);
    let tail = 9;
    let failed = matches!(
        moved.result,
        MoveResult::Refused | MoveResult::TimedOut | MoveResult::LeaderLost | MoveResult::Skipped
    );
    let (time, look) = if failed { (word, role) } else { (time, Role::Dim) };
    let word = if failed { moved.kind.word() } else { word };
    pen.put_right(right, y, tail, time, look);
    let room = right.saturating_sub(tail + 1).saturating_sub(x);
    let used =
        if room >= 8 { pen.put(x, y, room, word, if failed { Role::Dim } else { role }).saturating_sub(x) } else { 0 };
    if room > used + 4 {
        pen.name(x + used + 1, y, room - used - 1, &moved.reason, Role::Dim);
    }
}

/// The word for a move: how it goes, or how it failed.
fn outcome(moved: &Move) -> (&'static str, Role) {
    match (moved.result, moved.kind) {
        (MoveResult::Refused, _) => ("refused", Role::Warn),
        (MoveResult::TimedOut, _) => ("timed out", Role::Warn),
        (MoveResult::LeaderLost, _) => ("broken off", Role::Warn),
        (MoveResult::Skipped, _) => ("skipped", Role::Dim),
        (MoveResult::Done | MoveResult::InFlight, HopKind::Recover) => ("recover", Role::Warn),
        (MoveResult::Done | MoveResult::InFlight, kind) => (kind.word(), Role::Text),
    }
}

fn id(city: &City, no: u32, width: u16) -> String {
    city.by_no(no)
        .map_or_else(|| Untrusted::new(&format!("#{no}")).fit(width.into()), |kitchen| cut(kitchen.id.as_str(), width))
}
