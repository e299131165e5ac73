//! One order in space and time: a lane for each kitchen, a column for each step of time.
//!
//! ```text
//! ─ order o812 in space and time ─────────────────────────── 20 s, 12:41:02 .. now ─
//!  balancer   ··         ·
//!  kitchen_3    ──1▒▒▒▒▒✕
//!  kitchen_1              ─1██████2███████████
//!            └12:41:02   └+5 s   └+10 s
//!  12:41:10 recover kitchen_3 -> kitchen_1   lease_expired, 3.2 s of cooking lost, gap 2.1 s
//! ```
//! `·` waits, `─` is held, a number begins a stage, `█` cooks, `▒` was cooked and lost. Where one column is longer than a
//! span, the later one is drawn: the axis is true, not every span.
//!
//! Owns lanes and ticks. Never reads a clock.

use protocol::api::HopKind;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::{fit, ms};
use crate::console::app::page::OrderPage;
use crate::console::app::spacetime::{Doing, End, Mark, Span, Turn, Way, way};
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;
use protocol::WallTime;

/// What the signs mean; a digit begins the stage of that number.
const LEGEND: &str = "· waits  ─ held  1█ cooks stage 1  ▒ cooked, lost  ▶ moved  ✕ lost  ▲ failed  ✓ done";
/// Columns of a lane's name.
const NAMES: u16 = 13;

/// Draws the panel; `now` is the balancer's clock.
pub fn render(pen: &mut Pen<'_>, page: &OrderPage, now: WallTime, area: Rect, framed: bool, title: &str) {
    let (Some(order), Some(history)) = (&page.order, &page.history) else {
        let inside = pen.panel(area, framed, title, "");
        let (text, role) =
            page.error.as_ref().map_or((Untrusted::new("asking"), Role::Dim), |why| (why.clone(), Role::Bad));
        pen.name(inside.x + 1, inside.y, inside.width.saturating_sub(2), &text, role);
        return;
    };
    let way = way(order, &history.events, now);
    let lasts = way.to.ms_since(way.from);
    let end = if order.state.is_open() { "now".to_owned() } else { way.to.clock()[..8].to_owned() };
    let wasted = if order.wasted_ms > 0 { format!("{} of cooking lost, ", ms(order.wasted_ms)) } else { String::new() };
    let right = format!("{wasted}{}, {} .. {end}", ms(lasts), &way.from.clock()[..8]);
    let inside = pen.panel(area, framed, title, &right);
    let names = NAMES.min(inside.width / 4);
    let line = Rect { x: inside.x + 1 + names, width: inside.width.saturating_sub(names + 2), ..inside };
    if inside.height == 0 {
        return;
    }
    // Lanes first, then the axis, and one sentence where there is one and four rows.
    let sentences = u16::from(!way.turns.is_empty() && inside.height >= 5);
    let lanes = inside.height.saturating_sub(sentences + u16::from(inside.height > 1));
    let hidden = way.lanes.len().saturating_sub(usize::from(lanes));
    // The newest lanes: where the order is now matters most.
    let first = hidden;
    for ((lane, name), y) in way.lanes.iter().enumerate().skip(first).zip(inside.y..inside.y + lanes) {
        pen.name(inside.x + 1, y, names.saturating_sub(1), name, Role::Text);
        self::lane(pen, &way, lane, Rect { y, height: 1, ..line });
    }
    let shown = u16::try_from(way.lanes.len() - first).unwrap_or(lanes).min(lanes);
    let y = inside.y + shown;
    if y >= inside.bottom() {
        return;
    }
    axis(pen, &way, Rect { y, height: 1, ..line });
    if hidden > 0 {
        pen.put(inside.x + 1, y, names, &format!("+{hidden} before"), Role::Dim);
    }
    let room = usize::from(inside.bottom().saturating_sub(y + 1));
    let skip = way.turns.len().saturating_sub(room);
    for (turn, y) in way.turns.iter().skip(skip).zip(y + 1..inside.bottom()) {
        sentence(pen, turn, Rect { y, height: 1, ..inside });
    }
    // What the signs mean, where a row is left.
    if way.turns.len() < room {
        let last = inside.bottom() - 1;
        let room = inside.width.saturating_sub(2);
        let stages = order.stage.of;
        let legend = format!("{LEGEND}  1-{stages} stages, now {}", order.stage.done.saturating_add(1).min(stages));
        let text = if legend.width() <= room.into() && order.state.is_open() { &legend } else { LEGEND };
        pen.put(inside.x + 1, last, room, &fit(text, room.into()), Role::Dim);
    }
}

/// The column of a moment.
fn column(way: &Way, at: WallTime, width: u16) -> u16 {
    let whole = u128::from(way.to.ms_since(way.from).max(1));
    let last = width.saturating_sub(1);
    let column = u128::from(at.ms_since(way.from)) * u128::from(last) / whole;
    u16::try_from(column).unwrap_or(last).min(last)
}

fn lane(pen: &mut Pen<'_>, way: &Way, lane: usize, area: Rect) {
    for span in way.spans.iter().filter(|span| span.lane == lane) {
        draw(pen, way, span, area);
    }
    for Mark { at, end, .. } in way.marks.iter().filter(|mark| mark.lane == lane) {
        let (glyph, role) = match end {
            End::Completed => ("✓", Role::Ok),
            End::Moved => ("▶", Role::Flow),
            End::Lost => ("✕", Role::Bad),
            End::Failed => ("▲", Role::Warn),
            End::Stopped => ("○", Role::Dim),
        };
        pen.put(area.x + column(way, *at, area.width), area.y, 1, glyph, role);
    }
}

fn draw(pen: &mut Pen<'_>, way: &Way, span: &Span, area: Rect) {
    let (from, to) = (column(way, span.from, area.width), column(way, span.to, area.width).max(1));
    let width = usize::from(to.saturating_sub(from).max(1));
    let (glyph, role, stage) = match span.doing {
        Doing::Waits => ("·", Role::Warn, None),
        Doing::Held => ("─", Role::Dim, None),
        Doing::Cooks(stage) => ("█", Role::BarOk, Some(stage)),
        Doing::Wasted(stage) => ("▒", Role::BarBad, Some(stage)),
    };
    pen.put(area.x + from, area.y, area.width.saturating_sub(from), &glyph.repeat(width), role);
    if let Some(stage) = stage {
        pen.put(area.x + from, area.y, 1, &(stage % 10).to_string(), Role::Strong);
    }
}

/// When it began, and then how much later each 12 columns or so is: in steps that can be read off.
fn axis(pen: &mut Pen<'_>, way: &Way, area: Rect) {
    let whole = way.to.ms_since(way.from);
    let clock = way.from.clock();
    let begin = format!("└{}", if whole < 20_000 { &clock[..10.min(clock.len())] } else { &clock[..8] });
    let mut free = pen.put(area.x, area.y, area.width, &begin, Role::Dim) + 1;
    let step = tick(whole, u64::from(area.width / 12).max(1));
    for after in (1..).map(|n| n * step).take_while(|after| *after <= whole) {
        let x = area.x + column(way, WallTime(way.from.0 + after), area.width);
        let text = format!("└{}", later(after));
        let columns = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        if x >= free && x + columns <= area.right() {
            free = pen.put(x, area.y, columns, &text, Role::Dim) + 1;
        }
    }
}

/// The smallest round step of which at most `most` fit into a time.
fn tick(whole: u64, most: u64) -> u64 {
    const STEPS: [u64; 14] =
        [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];
    let hours = (whole / most / 3_600_000 + 1) * 3_600_000;
    STEPS.into_iter().find(|step| whole / step <= most).unwrap_or(hours)
}

/// `+0.5 s`, `+12 s`, `+5 min`.
fn later(after: u64) -> String {
    match after {
        60_000.. if after.is_multiple_of(60_000) => format!("+{} min", after / 60_000),
        1_000.. if after.is_multiple_of(1_000) => format!("+{} s", after / 1_000),
        _ => format!("+{}.{} s", after / 1_000, after / 100 % 10),
    }
}

fn sentence(pen: &mut Pen<'_>, turn: &Turn, area: Rect) {
    let role = match turn.kind {
        HopKind::Recover | HopKind::Retry => Role::Warn,
        HopKind::Dispatch | HopKind::Reassign | HopKind::Handover | HopKind::Release => Role::Text,
    };
    let right = area.right().saturating_sub(1);
    let x = pen.put(area.x + 1, area.y, 12, &turn.at.clock(), Role::Dim) + 1;
    let x = pen.name(x, area.y, right.saturating_sub(x), &turn.what, role) + 2;
    pen.name(x, area.y, right.saturating_sub(x), &turn.cost, Role::Dim);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_say_how_much_later() {
        assert_eq!([tick(1_900, 4), tick(20_000, 8), tick(0, 4), tick(400_000_000, 5)], [500, 5_000, 100, 82_800_000]);
        assert_eq!([later(500), later(1_500), later(12_000), later(300_000)], ["+0.5 s", "+1.5 s", "+12 s", "+5 min"]);
    }
}
