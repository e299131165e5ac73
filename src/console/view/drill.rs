//! Drill: what there is to say while no drill runs here.
//!
//! Owns one calm page. Nothing in this build runs drills, and the page says so instead of showing an empty one.

use ratatui::layout::Rect;

use super::layout;
use super::pen::Pen;
use crate::console::theme::Role;

/// Draws the page.
pub fn render(pen: &mut Pen<'_>, area: Rect) {
    let inside = pen.panel(area, layout::is_framed(area), "drill", "");
    let lines = [
        ("This build has no `chef drill` yet, so there is nothing to run or to show here.", Role::Text),
        ("A single kill can be tried by hand: K on a kitchen, then 5 for the proof.", Role::Dim),
    ];
    for ((line, role), y) in lines.into_iter().zip(inside.y..inside.bottom()) {
        pen.put(inside.x + 1, y, inside.width.saturating_sub(2), line, role);
    }
}
