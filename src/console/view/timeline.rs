//! The last minutes, one column a second, so that cause and effect stand above each other.
//!
//! ```text
//! ─ timeline, 1 column = 1 s ─────────────────────────────────────────── -60 s .. now ─
//!  rush            ▲──────────────────────
//!  died                                  ✕ ◆
//!  hot             ▂▂▄▄▅▅▅
//!  moves  ▁ ▁▁  ▁▁▂▂▃▃▅▅▆▆
//!  p99    ▂▂▂▂▂▂▃▃▃▄▄▅▅▅▆▆               max 4.1 s
//! ```
//!
//! Owns its rows and marks. Never counts: the series does.

use ratatui::layout::Rect;

use super::pen::Pen;
use super::text::{ms, nice_ceil, thousands};
use crate::console::app::App;
use crate::console::app::series::{SECONDS, Second};
use crate::console::theme::Role;

/// Columns of the labels on the left, and of the highest figures on the right.
const LABELS: u16 = 8;
const TOPS: u16 = 12;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let margin = LABELS + TOPS + if framed { 3 } else { 1 };
    let columns = usize::from(area.width.saturating_sub(margin)).min(SECONDS);
    let legend = if area.width >= 100 { "▲ rush  ✕ died  ◆ new leader  · not seen  " } else { "" };
    let right = format!("{legend}-{columns} s .. now");
    let inside = pen.panel(area, framed, "timeline, 1 column = 1 s", &right);
    let seconds: Vec<Option<&Second>> = app.city().series.last(columns).collect();
    let drawers: [(&str, Drawer); 5] = [("rush", rush), ("died", died), ("hot", hot), ("moves", moves), ("p99", p99)];
    for ((label, drawer), y) in drawers.into_iter().zip(inside.y..inside.bottom()) {
        pen.put(inside.x + 1, y, LABELS - 1, label, Role::Dim);
        let top = drawer(pen, inside.x + LABELS, y, &seconds);
        pen.put_right(inside.right().saturating_sub(1), y, TOPS - 1, &top, Role::Dim);
    }
    if inside.height > 5 {
        axis(pen, inside.x + LABELS, inside.y + 5, u16::try_from(columns).unwrap_or(0));
    }
}

/// A mark each 30 seconds, counted from now.
fn axis(pen: &mut Pen<'_>, left: u16, y: u16, columns: u16) {
    for back in (30..=columns).step_by(30) {
        pen.put(left + columns - back, y, 8, &format!("└ -{back} s"), Role::Dim);
    }
}

/// Draws a row and says its highest figure.
type Drawer = fn(&mut Pen<'_>, u16, u16, &[Option<&Second>]) -> String;

fn rush(pen: &mut Pen<'_>, x: u16, y: u16, seconds: &[Option<&Second>]) -> String {
    let mut before = false;
    for (x, second) in (x..).zip(seconds) {
        let runs = second.is_some_and(|second| second.rush);
        if runs {
            pen.put(x, y, 1, if before { "─" } else { "▲" }, Role::Accent);
        }
        before = runs;
    }
    String::new()
}

/// Kitchens that died, and `◆` where another leader was heard.
fn died(pen: &mut Pen<'_>, x: u16, y: u16, seconds: &[Option<&Second>]) -> String {
    for (x, second) in (x..).zip(seconds) {
        if second.is_some_and(|second| second.lost > 0) {
            pen.put(x, y, 1, "✕", Role::Bad);
        }
        if second.is_some_and(|second| second.new_leader) {
            pen.put(x, y, 1, "◆", Role::Warn);
        }
    }
    let lost: u64 = seconds.iter().flatten().map(|second| u64::from(second.lost)).sum();
    if lost > 0 { format!("{} died", thousands(lost)) } else { String::new() }
}

fn hot(pen: &mut Pen<'_>, x: u16, y: u16, seconds: &[Option<&Second>]) -> String {
    let top = figures(pen, (x, y), seconds, Role::Hot, |second| f64::from(second.hot));
    if top > 0.0 { format!("max {top:.0}") } else { String::new() }
}

fn moves(pen: &mut Pen<'_>, x: u16, y: u16, seconds: &[Option<&Second>]) -> String {
    let top = figures(pen, (x, y), seconds, Role::Spark, |second| f64::from(second.moves + second.recovered));
    if top > 0.0 { format!("max {top:.0}/s") } else { String::new() }
}

fn p99(pen: &mut Pen<'_>, x: u16, y: u16, seconds: &[Option<&Second>]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown in eighths")]
    let top = figures(pen, (x, y), seconds, Role::Spark, |second| second.p99_ms.unwrap_or(0) as f64);
    for (x, _) in (x..).zip(seconds).filter(|(_, second)| second.is_none_or(|second| !second.known)) {
        pen.put(x, y, 1, "·", Role::Dim);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds, above zero")]
    let highest = top as u64;
    if highest > 0 { format!("max {}", ms(highest)) } else { String::new() }
}

fn figures(
    pen: &mut Pen<'_>,
    (x, y): (u16, u16),
    seconds: &[Option<&Second>],
    role: Role,
    figure: fn(&Second) -> f64,
) -> f64 {
    let highest = seconds.iter().flatten().map(|second| figure(second)).fold(0.0, f64::max);
    pen.spark(x, y, seconds.iter().map(|second| second.map(figure)), nice_ceil(highest), role);
    highest
}
