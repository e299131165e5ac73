//! Flow: the way of the orders, with what waits at each step, and what was moved on the way.
//!
//! ```text
//! ─ order flow ─────────────────────────────────────────────── weighted-score ─
//!  queued ━━━▶ leased ━━━▶ prep ━━━━━▶ cook ━━━━━▶ plate ━━━━▶ completed
//!       6          12        31          18           4          1 180
//!  ▋·········  █▋········  ████▌·····  ██▍·······  ▌·········
//!  in 12.4/s                                                   out 12.1/s
//!  oldest open order 4 s · refused 0 · recovered 7 · migrated 41, failed 0
//!  rush 50/s in Harbor, 18 s left, 412 placed · places alive 100 % · balance 83 % (mean/max load)
//! ```
//! Rates between the steps are not in the feed, so they are not here. The balancer's rates and percentiles are of its last ten
//! seconds, and the title says so.
//!
//! Owns the places of the stages. Never computes a figure that the feed does not carry.

use ratatui::layout::Rect;

use super::pen::Pen;
use super::text::{fit, ms, percent, rate, setpoint, thousands};
use super::{layout, moves, timeline};
use crate::console::app::App;
use crate::console::app::city::{City, Pipeline};
use crate::console::symbols::HEAD;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws the screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let panels = layout::flow(area);
    pipeline(pen, app, panels.pipeline, panels.framed);
    if let Some(area) = panels.moves {
        moves::pairs(pen, app, area, panels.framed);
    }
    if let Some(area) = panels.migrations {
        moves::singles(pen, app, area, panels.framed);
        if !panels.framed && panels.moves.is_some() {
            pen.divider(area);
        }
    }
    if let Some(area) = panels.timeline {
        timeline::render(pen, app, area, panels.framed);
    }
}

/// One step of the way.
struct Step {
    name: Untrusted,
    count: u64,
    /// Share of the open orders; absent where it is no depth.
    depth: Option<f64>,
    rate: Option<String>,
}

fn pipeline(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let city = app.city();
    let algorithm = city
        .flow
        .as_ref()
        .map_or_else(String::new, |flow| format!("rates and p99 of 10 s · {}", flow.algorithm.fit(24)));
    let steps = city.flow.as_ref().map_or_else(Vec::new, |flow| steps(city, flow));
    // At least 9 columns a step; what does not fit is cut on the right, and the title says so.
    let most = usize::from(area.width.saturating_sub(2) / 9).max(1);
    let shown = steps.len().min(most);
    let hidden = if shown < steps.len() { format!("{} steps hidden", steps.len() - shown) } else { algorithm };
    let inside = pen.panel(area, framed, "order flow", &hidden);
    let Some(flow) = &city.flow else {
        pen.put(inside.x + 1, inside.y, inside.width, "no figures yet", Role::Dim);
        return;
    };
    let width = inside.width.saturating_sub(1) / u16::try_from(shown.max(1)).unwrap_or(1);
    for (at, step) in steps.iter().take(shown).enumerate() {
        let x = inside.x + 1 + width * u16::try_from(at).unwrap_or(0);
        let cell = Rect { x, width: width.min(inside.right().saturating_sub(x)), ..inside };
        draw(pen, step, cell, framed, at + 1 < shown);
    }
    let lines = facts(city, flow, inside.width);
    let first = inside.y + if framed { 6 } else { 4 };
    for (line, y) in lines.iter().zip(first..inside.bottom()) {
        let room = inside.width.saturating_sub(1);
        pen.put(inside.x + 1, y, room, &fit(line, room.into()), Role::Text);
    }
}

fn draw(pen: &mut Pen<'_>, step: &Step, cell: Rect, framed: bool, more: bool) {
    let count = thousands(step.count);
    let inner = cell.width.saturating_sub(if more { 2 } else { 1 });
    let y = if framed {
        let card = Rect {
            width: cell.width.saturating_sub(if more { 5 } else { 1 }).max(4),
            height: 4.min(cell.height),
            ..cell
        };
        if card.height >= 4 {
            pen.frame(card, Role::Rule);
        }
        pen.name(card.x + 2, card.y + 1, card.width.saturating_sub(3), &step.name, Role::Strong);
        pen.put_right(card.right().saturating_sub(2), card.y + 2, card.width, &count, Role::Text);
        if more {
            let arrow = format!("{}{HEAD}", "━".repeat(usize::from(cell.right().saturating_sub(card.right() + 1))));
            pen.put(card.right(), card.y + 2, cell.right().saturating_sub(card.right()), &arrow, Role::Flow);
        }
        cell.y + 4
    } else {
        let x = pen.name(cell.x, cell.y, inner, &step.name, Role::Strong);
        let room = cell.right().saturating_sub(x + 1);
        if more && room > 2 {
            let arrow = format!("{}{HEAD}", "━".repeat(usize::from(room - 2)));
            pen.put(x + 1, cell.y, room, &arrow, Role::Flow);
        }
        pen.put_right(cell.x + inner.min(10), cell.y + 1, inner, &count, Role::Text);
        cell.y + 2
    };
    let width = if framed { cell.width.saturating_sub(if more { 5 } else { 1 }) } else { inner.min(10) };
    if let Some(depth) = step.depth {
        pen.bar(cell.x, y, width, depth, None, Role::Spark);
    }
    if let Some(rate) = &step.rate {
        pen.put(cell.x, y + 1, inner, rate, Role::Dim);
    }
}

fn steps(city: &City, flow: &Pipeline) -> Vec<Step> {
    let raw = &flow.raw;
    let inside: u64 = raw.queued + raw.leased + flow.stages.iter().map(|(_, count)| count).sum::<u64>();
    #[expect(clippy::cast_precision_loss, reason = "a share is shown in eighths of a column")]
    let share = |count: u64| Some(count as f64 / inside.max(1) as f64);
    let step = |name: &Untrusted, count: u64| Step { name: name.clone(), count, depth: share(count), rate: None };
    let counted = |per_second: f64| if city.counts_yet(per_second) { rate(per_second) } else { "—".to_owned() };
    let mut steps = vec![
        Step {
            rate: Some(format!("in {}/s", counted(raw.kpi.accepted_per_s))),
            ..step(&Untrusted::new("queued"), raw.queued)
        },
        step(&Untrusted::new("leased"), raw.leased),
    ];
    steps.extend(flow.stages.iter().map(|(name, count)| step(name, *count)));
    let completed = city.proof.map_or(0, |proof| proof.completed);
    let out = Some(format!("out {}/s", counted(raw.kpi.completed_per_s)));
    steps.push(Step { depth: None, rate: out, ..step(&Untrusted::new("completed"), completed) });
    steps
}

fn facts(city: &City, flow: &Pipeline, width: u16) -> [String; 2] {
    let raw = &flow.raw;
    let oldest =
        raw.oldest_s.map_or_else(|| "no open order".to_owned(), |s| format!("oldest open order {}", ms(s * 1_000)));
    let ratio = raw.kpi.migration_success_ratio.map_or_else(String::new, |ratio| format!(" ({})", percent(ratio)));
    let whole = format!(
        "{oldest} · refused {} under this leader · recovered {} · migrated {}, failed {}{ratio}",
        thousands(raw.shed),
        thousands(raw.recovered),
        thousands(raw.moves_done),
        thousands(raw.moves_failed)
    );
    // The share is the first to go; the counts tell it too.
    let first = if whole.chars().count() + 1 > usize::from(width) {
        whole.strip_suffix(&ratio).unwrap_or(&whole).to_owned()
    } else {
        whole
    };
    let latency = |name: &str, value: Option<u64>| format!("{name} {}", value.map_or_else(|| "—".to_owned(), ms));
    let mut wanted = Vec::new();
    if let Some(rush) = city.rush() {
        let zone = flow.rush_zone.as_ref().map_or_else(String::new, |zone| format!(" in {}", zone.fit(12)));
        let (left, placed) = (rush.left_ms / 1_000, thousands(rush.placed));
        wanted.push(format!("rush {}/s{zone}, {left} s left, {placed} placed", setpoint(rush.rate)));
    }
    wanted.push(format!("places alive {}", percent(raw.kpi.availability)));
    wanted.push(latency("p50", raw.kpi.p50_ms));
    wanted.push(latency("p99", raw.kpi.p99_ms));
    wanted.extend(raw.kpi.load_balance_efficiency.map(|share| format!("balance {} (mean/max load)", percent(share))));
    let mut left = usize::from(width);
    let mut fits = |text: &String| {
        let columns = text.chars().count() + 3;
        let fits = columns <= left + 2;
        left = left.saturating_sub(columns);
        fits
    };
    let second: Vec<String> = wanted.into_iter().take_while(|text| fits(text)).collect();
    [first, second.join(" · ")]
}
