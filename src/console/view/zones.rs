//! Zones: the mean load of the alive kitchens of each, with the lowest and the highest.
//!
//! ```text
//! ╭─ zones ───────── mean  low-high ─╮
//! │Downtown  2 ██████████▋··  62  40-97 │
//! ╰──────────────────────────────────╯
//! ```
//!
//! Owns its lines. Never sums: the city does.

use ratatui::layout::Rect;

use super::pen::Pen;
use super::text::whole_percent;
use crate::console::app::App;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let city = app.city();
    let inside = pen.panel(area, true, "zones", "mean load %, low-high");
    let name =
        u16::try_from(city.zones.iter().map(|zone| zone.name.columns()).max().unwrap_or(0)).unwrap_or(0).clamp(4, 10);
    // Zones without a kitchen say nothing by themselves: they share the last line.
    let (used, unused): (Vec<_>, Vec<_>) = city.zones.iter().partition(|zone| zone.kitchens > 0);
    let list = Rect { height: inside.height.saturating_sub(u16::from(!unused.is_empty())), ..inside };
    // The fullest zones first where not all fit; else the city's own sequence, which never moves.
    let mut zones = used;
    let shown = zones.len().min(list.height.into());
    if zones.len() > usize::from(list.height) {
        zones.sort_by(|a, b| mean(b).unwrap_or(-1.0).total_cmp(&mean(a).unwrap_or(-1.0)));
    }
    for (zone, y) in zones.into_iter().zip(list.y..list.bottom()) {
        let x = inside.x + 1;
        pen.name(x, y, name, &zone.name, Role::Text);
        let count = x + name + 4;
        pen.put_right(count, y, 4, &zone.kitchens.to_string(), Role::Dim);
        let right = inside.right().saturating_sub(1);
        let bar = right.saturating_sub(count + 13);
        match mean(zone) {
            Some(mean) => {
                let role = if mean > city.threshold { Role::BarBad } else { Role::BarOk };
                pen.bar(count + 1, y, bar, mean, None, role);
                pen.put_right(right - 8, y, 3, &whole_percent(mean).to_string(), Role::Text);
                pen.put_right(
                    right,
                    y,
                    7,
                    &format!("{}-{}", whole_percent(zone.low), whole_percent(zone.high)),
                    Role::Dim,
                );
            }
            None => {
                pen.put(count + 1, y, bar + 11, "✕ none alive", Role::Bad);
            }
        }
    }
    if !unused.is_empty() && inside.height > 0 {
        let names: Vec<String> = unused.iter().map(|zone| zone.name.fit(14)).collect();
        let text = Untrusted::new(&format!("no kitchen: {}", names.join(", ")));
        let y = list.y + u16::try_from(shown).unwrap_or(0);
        pen.name(inside.x + 1, y, inside.width.saturating_sub(2), &text, Role::Dim);
    }
}

fn mean(zone: &crate::console::app::city::ZoneStats) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 orders")]
    let share = zone.held as f64 / zone.places.max(1) as f64;
    (zone.living > 0).then_some(share)
}
