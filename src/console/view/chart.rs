//! Orders a second over the last five minutes, as counted by this console from the proof.
//!
//! ```text
//! ─ orders/s ───────────── max 50 ─
//!   50 ▂▃▅▆▇▇▆▇▂▃▅▆▇▇▆▇
//!    0 ██████████████████   (-5 min .. now)
//! ```

use ratatui::layout::Rect;

use super::pen::{Pen, level};
use super::text::{nice_ceil, rate, short};
use crate::console::app::App;
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
    let bottom = inside.y + height - 1;
    pen.put_right(inside.x + 5, inside.y, 5, &label, Role::Dim);
    if height > 1 {
        pen.put_right(inside.x + 5, bottom, 5, "0", Role::Dim);
    }
    let left = inside.x + 6;
    for (x, sample) in (left..).zip(&samples) {
        let eighths = sample.map_or(0, |value| level(value, top, usize::from(height) * 8));
        pen.column(x, bottom, height, eighths, Role::Spark);
    }
    if axis == 1 {
        let y = bottom + 1;
        pen.put(left, y, inside.width, "-5 min", Role::Dim);
        let right = left + u16::try_from(columns).unwrap_or(0);
        pen.put_right(right, y, 3, "now", Role::Dim);
    }
}
