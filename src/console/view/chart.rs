//! The last five minutes: orders a second, as counted by this console from the proof, and how long orders took.
//!
//! ```text
//! ─ orders/s ───────────── max 50 ─
//!   50 ▂▃▅▆▇▇▆▇▂▃▅▆▇▇▆▇
//!    0 ··████████████████   (-5 min .. now)
//! ```
//! A column is whole: it begins at a multiple of its width and does not change once it has ended.
//!
//! Owns columns and scales. Never counts anything: the series does.

use ratatui::layout::Rect;

use super::pen::{Pen, level};
use super::text::{ms, nice_ceil, rate, short};
use crate::console::app::App;
use crate::console::app::city::City;
use crate::console::app::series::{Bucket, SECONDS, Second};
use crate::console::theme::Role;

/// Draws the panel.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let buckets = city.series.buckets(columns(area, framed, 150));
    let highest = buckets.iter().map(Bucket::sure_rate).fold(0.0, f64::max);
    let right = if highest > 0.0 { format!("max {}", rate(highest)) } else { String::new() };
    let inside = pen.panel(area, framed, "orders/s, 5 min", &right);
    let axis = u16::from(inside.height >= 5);
    let height = inside.height.saturating_sub(axis);
    if height == 0 || buckets.is_empty() {
        return;
    }
    let top = nice_ceil(highest);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a nice number above zero")]
    let label = if top < 10.0 && top.fract() > 0.0 { format!("{top:.1}") } else { short(top as u64) };
    let samples: Vec<Sample> = buckets.iter().map(|bucket| Sample::of(bucket, bucket.rate())).collect();
    let rows = Rect { height, ..inside };
    bars(pen, rows, &samples, (top, &label));
    absent(pen, city, rows, &samples);
    if axis == 1 {
        self::axis(pen, Rect { y: inside.y + height, height: 1, ..inside }, samples.len());
    }
}

/// The first column of so many, which end at the right edge: whole buckets rarely fill all that there is.
fn first(area: Rect, count: usize) -> u16 {
    let room = area.width.saturating_sub(7);
    area.x + 6 + room.saturating_sub(u16::try_from(count).unwrap_or(room))
}

/// How many columns a chart has beside its labels.
fn columns(area: Rect, framed: bool, most: usize) -> usize {
    usize::from(area.width.saturating_sub(if framed { 9 } else { 7 })).min(most)
}

/// How long 99 of 100 orders took over the last five minutes, the worst of each column, and what happened meanwhile.
pub fn p99(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let worst = |bucket: &Bucket<'_>| bucket.seconds.iter().flatten().filter_map(|second| second.p99_ms).max();
    let buckets = city.series.buckets(columns(area, framed, SECONDS));
    #[expect(clippy::cast_precision_loss, reason = "shown in eighths")]
    let sample = |bucket: &Bucket<'_>| Sample::of(bucket, worst(bucket).map(|p99| p99 as f64));
    let samples: Vec<Sample> = buckets.iter().map(sample).collect();
    let highest = buckets.iter().filter_map(worst).max();
    let right = highest.map_or_else(|| "no order has ended".to_owned(), |highest| format!("max {}", ms(highest)));
    let inside = pen.panel(area, framed, "p99 of orders, 5 min", &right);
    if inside.height < 3 || buckets.is_empty() {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "shown in eighths")]
    let top = nice_ceil(highest.unwrap_or(0) as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a nice number above zero")]
    let label = if highest.is_some() { ms(top as u64) } else { String::new() };
    let rows = Rect { height: inside.height - 2, ..inside };
    bars(pen, rows, &samples, (top, &label));
    absent(pen, city, rows, &samples);
    let y = inside.bottom() - 2;
    marks(pen, (first(inside, samples.len()), y), &buckets);
    axis(pen, Rect { y: y + 1, height: 1, ..inside }, samples.len());
    let legend = "✕ died  ▲ rush  ◆ new leader";
    if samples.len() > 60 {
        let middle = first(inside, samples.len()) + u16::try_from(samples.len() / 2).unwrap_or(0);
        pen.put(middle - 14, y + 1, 30, legend, Role::Dim);
    }
}

/// Losses of kitchens, rushes and new leaders, in the column of their time.
fn marks(pen: &mut Pen<'_>, (left, y): (u16, u16), buckets: &[Bucket<'_>]) {
    let mut before = false;
    for (x, bucket) in (left..).zip(buckets) {
        let any = |is: fn(&Second) -> bool| bucket.seconds.iter().flatten().any(|second| is(second));
        let runs = any(|second| second.rush);
        if runs {
            pen.put(x, y, 1, if before { "─" } else { "▲" }, Role::Accent);
        }
        before = runs;
        if any(|second| second.lost > 0) {
            pen.put(x, y, 1, "✕", Role::Bad);
        }
        if any(|second| second.new_leader) {
            pen.put(x, y, 1, "◆", Role::Warn);
        }
    }
}

/// A column: how high, and whether anything is known of its time.
struct Sample {
    value: Option<f64>,
    known: bool,
}

impl Sample {
    fn of(bucket: &Bucket<'_>, value: Option<f64>) -> Self {
        Self { value, known: bucket.is_known() }
    }
}

/// Columns over all rows of an area, beside the labels of top and bottom. A dot is a time of which nothing is known.
fn bars(pen: &mut Pen<'_>, area: Rect, samples: &[Sample], (top, label): (f64, &str)) {
    let bottom = area.bottom().saturating_sub(1);
    pen.put_right(area.x + 5, area.y, 5, label, Role::Dim);
    if area.height > 1 {
        pen.put_right(area.x + 5, bottom, 5, "0", Role::Dim);
    }
    for (x, sample) in (first(area, samples.len())..).zip(samples) {
        let eighths = sample.value.map_or(0, |value| level(value, top, usize::from(area.height) * 8));
        pen.column(x, bottom, area.height, eighths, Role::Spark);
        if !sample.known {
            pen.put(x, bottom, 1, "·", Role::Dim);
        }
    }
}

/// Since when there is anything to see, where the empty columns leave room for it.
fn absent(pen: &mut Pen<'_>, city: &City, area: Rect, samples: &[Sample]) {
    let empty = samples.iter().take_while(|sample| !sample.known).count();
    let Some(since) = city.seen_since(SECONDS) else { return };
    let clock = &since.clock()[..8];
    let words = [format!("no data before {clock}"), format!("none before {clock}"), format!("from {clock}")];
    let text = words.iter().find(|text| text.len() + 1 < empty);
    if let Some(text) = text.filter(|_| area.height > 1) {
        let x = first(area, samples.len());
        pen.put(x, area.bottom().saturating_sub(2), area.right().saturating_sub(x), text, Role::Dim);
    }
}

fn axis(pen: &mut Pen<'_>, area: Rect, columns: usize) {
    let left = first(area, columns);
    pen.put(left, area.y, area.right().saturating_sub(left), "-5 min", Role::Dim);
    pen.put_right(left + u16::try_from(columns).unwrap_or(0), area.y, 3, "now", Role::Dim);
}
