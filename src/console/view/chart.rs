//! The last five minutes: orders a second, as counted by this console from the proof, and how long orders took.
//!
//! ```text
//! ─ orders/s ───────────── max 50 ─
//!   50 ▂▃▅▆▇▇▆▇▂▃▅▆▇▇▆▇
//!    0 ██████████████████   (-5 min .. now)
//! ```

use ratatui::layout::Rect;

use super::pen::{Pen, level};
use super::text::{ms, nice_ceil, rate, short};
use crate::console::app::App;
use crate::console::app::city::City;
use crate::console::app::incidents::Lost;
use crate::console::app::series::{SECONDS, Second};
use crate::console::theme::Role;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let columns = usize::from(area.width.saturating_sub(if framed { 9 } else { 7 })).min(150);
    let samples = city.series.rate(columns);
    let highest = samples.iter().flatten().copied().fold(0.0, f64::max);
    let right = if highest > 0.0 { format!("max {}", rate(highest)) } else { String::new() };
    let inside = pen.panel(area, framed, "orders/s, 5 min", &right);
    let axis = u16::from(inside.height >= 5);
    let height = inside.height.saturating_sub(axis);
    if height == 0 || columns == 0 {
        return;
    }
    let top = nice_ceil(highest);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a nice number above zero")]
    let label = if top < 10.0 && top.fract() > 0.0 { format!("{top:.1}") } else { short(top as u64) };
    let rows = Rect { height, ..inside };
    bars(pen, rows, &samples, (top, &label));
    if axis == 1 {
        self::axis(pen, Rect { y: inside.y + height, height: 1, ..inside }, columns);
    }
}

/// How long 99 of 100 orders took over the last five minutes, the worst of each column, and what happened meanwhile.
pub fn p99(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let columns = usize::from(area.width.saturating_sub(if framed { 9 } else { 7 })).min(SECONDS);
    let worst = |step: &Vec<Option<&Second>>| step.iter().flatten().filter_map(|second| second.p99_ms).max();
    let steps: Vec<Vec<Option<&Second>>> = city.series.steps(columns).collect();
    #[expect(clippy::cast_precision_loss, reason = "shown in eighths")]
    let samples: Vec<Option<f64>> = steps.iter().map(|step| worst(step).map(|p99| p99 as f64)).collect();
    let highest = steps.iter().filter_map(worst).max();
    let right = highest.map_or_else(|| "no order has ended".to_owned(), |highest| format!("max {}", ms(highest)));
    let inside = pen.panel(area, framed, "p99 of orders, 5 min", &right);
    if inside.height < 3 || columns == 0 {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "shown in eighths")]
    let top = nice_ceil(highest.unwrap_or(0) as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a nice number above zero")]
    let label = if highest.is_some() { ms(top as u64) } else { String::new() };
    bars(pen, Rect { height: inside.height - 2, ..inside }, &samples, (top, &label));
    let y = inside.bottom() - 2;
    marks(pen, city, (inside.x + 6, y), &steps);
    axis(pen, Rect { y: y + 1, height: 1, ..inside }, columns);
    let legend = "✕ lost  ▲ rush  ◆ new leader";
    if columns > 60 {
        pen.put(inside.x + 6 + u16::try_from(columns / 2).unwrap_or(0) - 14, y + 1, 30, legend, Role::Dim);
    }
}

/// Losses, rushes and new leaders, in the column of their time.
fn marks(pen: &mut Pen<'_>, city: &City, (left, y): (u16, u16), steps: &[Vec<Option<&Second>>]) {
    let mut before = false;
    for (x, step) in (left..).zip(steps) {
        let runs = step.iter().flatten().any(|second| second.rush);
        if runs {
            pen.put(x, y, 1, if before { "─" } else { "▲" }, Role::Accent);
        }
        before = runs;
        if step.iter().flatten().any(|second| second.lost > 0) {
            pen.put(x, y, 1, "✕", Role::Bad);
        }
    }
    for incident in city.incidents.newest().filter(|incident| matches!(incident.what, Lost::Leader(..))) {
        let back = usize::try_from(city.at.ms_since(incident.at) / 1_000).unwrap_or(usize::MAX);
        if let Some(second) = (SECONDS - 1).checked_sub(back) {
            let column = u16::try_from(second * steps.len() / SECONDS).unwrap_or(0);
            pen.put(left + column, y, 1, "◆", Role::Warn);
        }
    }
}

/// Columns over all rows of an area, beside the labels of top and bottom.
fn bars(pen: &mut Pen<'_>, area: Rect, samples: &[Option<f64>], (top, label): (f64, &str)) {
    let bottom = area.bottom().saturating_sub(1);
    pen.put_right(area.x + 5, area.y, 5, label, Role::Dim);
    if area.height > 1 {
        pen.put_right(area.x + 5, bottom, 5, "0", Role::Dim);
    }
    for (x, sample) in (area.x + 6..).zip(samples) {
        let eighths = sample.map_or(0, |value| level(value, top, usize::from(area.height) * 8));
        pen.column(x, bottom, area.height, eighths, Role::Spark);
    }
}

fn axis(pen: &mut Pen<'_>, area: Rect, columns: usize) {
    let left = area.x + 6;
    pen.put(left, area.y, area.width.saturating_sub(6), "-5 min", Role::Dim);
    pen.put_right(left + u16::try_from(columns).unwrap_or(0), area.y, 3, "now", Role::Dim);
}
