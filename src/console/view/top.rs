//! The two upper rows: what must be true at a glance.
//!
//! ```text
//!  chef ● live Larder  3/4 alive 1 hot 1 DEAD   12.4/s ▂▃▅▆▇▇▆▇  p99 4.1 s  lag <0.1 s  drop 0
//!  1 Fleet  2 Flow  3 Drill … ✓ 1 204 = 1 180+2+0+22 · lost 0 · twice 0 · stale 3
//! ```
//! What does not fit is left out from the least important on; the link and the proof stay.

use protocol::api::Proof;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::layout;
use super::pen::{Pen, level};
use super::text::{age, ms, nice_ceil, rate, setpoint, thousands};
use crate::console::app::remarks::Alarm;
use crate::console::app::{App, Link};
use crate::console::symbols::SPARK;
use crate::console::theme::Role;

type Piece = (String, Role);

/// Draws both rows.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    facts(pen, app, area);
    tabs(pen, app, Rect { y: area.y + 1, height: 1, ..area });
}

fn facts(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let wide = area.width >= 110;
    let separator = if wide { " │ " } else { "  " };
    // In the sequence of the row, each with its rank: what does not fit beside what ranks before it is left out.
    let parts = [
        (0, link(app)),
        (5, name(app)),
        (1, kitchens(app, area.width)),
        (2, flow(app, wide)),
        (8, spark(app, wide)),
        (3, latency(app)),
        (7, lag(app)),
        (6, dropped(app)),
        (4, rush(app, wide)),
        (9, reign(app)),
    ];
    let mut shown = [false; 10];
    let mut left = usize::from(area.width) + separator.width();
    for wanted in 0..10 {
        for (rank, pieces) in parts.iter().filter(|(rank, pieces)| *rank == wanted && !pieces.is_empty()) {
            let columns: usize = pieces.iter().map(|piece| piece.0.width()).sum::<usize>()
                + if matches!(*rank, 5 | 8) { 1 } else { separator.width() };
            shown[*rank] = columns <= left || *rank == 0;
            left = left.saturating_sub(if shown[*rank] { columns } else { 0 });
        }
    }
    let parts: Vec<_> = parts.into_iter().filter(|(rank, _)| shown[*rank]).collect();
    let mut x = area.x;
    for (at, (rank, pieces)) in parts.iter().enumerate() {
        if at > 0 {
            let gap = if matches!(*rank, 5 | 8) { " " } else { separator };
            x = pen.put(x, area.y, area.right().saturating_sub(x), gap, Role::Rule);
        }
        for (text, role) in pieces {
            x = pen.put(x, area.y, area.right().saturating_sub(x), text, *role);
        }
    }
}

/// The last seconds of the five minutes, a column each five seconds.
fn spark(app: &App, wide: bool) -> Vec<Piece> {
    if app.city().kpi().is_none() {
        return Vec::new();
    }
    let samples = app.city().series.rate(60).split_off(if wide { 48 } else { 52 });
    let top = nice_ceil(samples.iter().flatten().copied().fold(0.0, f64::max));
    let line: String = samples.iter().map(|sample| SPARK[sample.map_or(0, |value| level(value, top, 8))]).collect();
    vec![(line, Role::Spark)]
}

fn link(app: &App) -> Vec<Piece> {
    let mut pieces = vec![(" chef ".to_owned(), Role::Strong)];
    let old = app.age().map_or_else(|| "no picture yet".to_owned(), |old| format!("{} old", age(old)));
    if let Some(replay) = &app.replay {
        let gap = if app.link == Link::Live && !app.is_stale() { "" } else { ", then " };
        pieces.push((format!("▶ REPLAY {}{gap}", &replay.wall.clock()[..8]), Role::Accent));
    }
    match &app.link {
        Link::Live if app.replay.is_some() && !app.is_stale() => {}
        Link::Live if app.is_stale() => pieces.push((format!("◌ STALE {old}"), Role::Lost)),
        Link::Live => {
            pieces.push(("● live".to_owned(), Role::Live));
            if let Some(old) = app.age_shown() {
                pieces.push((format!(" {} old", age(old)), Role::Warn));
            }
        }
        Link::Connecting { url } => {
            let to = if url.is_empty() { String::new() } else { format!(" to {}", url.fit(30)) };
            pieces.push((format!("◌ connecting{to}"), Role::Warn));
            if app.age().is_some() {
                pieces.push((format!(", {}{old}", stale(app)), Role::Lost));
            }
        }
        Link::Lost { why, .. } => {
            let retry = app.retry_in().map_or(0, |left| left.as_secs());
            // Only a recording is lost for good: where it is damaged.
            let retry = match retry {
                0 => "retry now".to_owned(),
                1..=1_000_000 => format!("retry {retry} s"),
                _ => why.fit(60),
            };
            pieces.push((format!("✕ LOST {}{old}, {retry}", stale(app)), Role::Lost));
            if !app.city().known {
                pieces.push((format!(": {}", why.fit(60)), Role::Dim));
            }
        }
    }
    if let Some(banner) = &app.setup.banner {
        pieces.push((format!(" {banner}"), Role::Accent));
    }
    if app.setup.read_only {
        pieces.push((" read-only".to_owned(), Role::Dim));
    }
    pieces
}

/// The city's name; the first to go beside what is wrong.
fn name(app: &App) -> Vec<Piece> {
    if app.city().known { vec![(app.city().name.fit(16), Role::Text)] } else { Vec::new() }
}

fn stale(app: &App) -> &'static str {
    if app.is_stale() { "STALE " } else { "" }
}

fn kitchens(app: &App, width: u16) -> Vec<Piece> {
    let city = app.city();
    if !city.known {
        return Vec::new();
    }
    let suspected = if width >= 110 { "suspected" } else { "susp." };
    // On the smallest screens the words of what is wrong need the room.
    let alive = if width >= 60 { " alive" } else { "" };
    let mut pieces = vec![(
        format!("{}/{}{alive}", thousands(city.health.alive.into()), thousands(city.kitchens.len() as u64)),
        Role::Text,
    )];
    for (count, word, role) in [
        (city.hot, "hot", Role::Hot),
        (city.health.suspected, suspected, Role::Warn),
        (city.health.dead, "DEAD", Role::Bad),
    ] {
        if count > 0 {
            pieces.push((format!(" {} {word}", thousands(u64::from(count))), role));
        }
    }
    pieces
}

fn flow(app: &App, wide: bool) -> Vec<Piece> {
    let unit = if wide { " orders/s" } else { "/s" };
    app.city().kpi().map_or_else(Vec::new, |kpi| vec![(format!("{:>5}{unit}", rate(kpi.accepted_per_s)), Role::Text)])
}

fn latency(app: &App) -> Vec<Piece> {
    let Some(kpi) = app.city().kpi() else { return Vec::new() };
    let p99 = kpi.p99_ms.map_or_else(|| "—".to_owned(), ms);
    vec![(format!("p99 {p99:>5}"), Role::Text)]
}

/// How old figures are when they come; a recording's are as old as it says.
fn lag(app: &App) -> Vec<Piece> {
    let lag = if app.replay.is_some() { None } else { app.lag.words() };
    lag.map_or_else(Vec::new, |lag| vec![(format!("lag {lag}"), Role::Text)])
}

fn dropped(app: &App) -> Vec<Piece> {
    let city = app.city();
    if !city.known {
        return Vec::new();
    }
    let role = if city.events.dropped > 0 { Role::Warn } else { Role::Text };
    vec![(format!("drop {}", thousands(city.events.dropped)), role)]
}

fn rush(app: &App, wide: bool) -> Vec<Piece> {
    let Some(rush) = app.city().rush() else { return Vec::new() };
    let left = if wide { format!(" {} s", rush.left_ms / 1_000) } else { String::new() };
    vec![(format!("rush {}/s{left}", setpoint(rush.rate)), Role::Warn)]
}

fn reign(app: &App) -> Vec<Piece> {
    let city = app.city();
    if !city.known {
        return Vec::new();
    }
    let standbys = match city.standbys.len() {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    vec![(format!("leader {}{standbys} epoch {}", city.leader.fit(12), city.epoch), Role::Dim)]
}

/// The worst of what is wrong now: its code always, its text where the proof leaves room.
fn alert(pen: &mut Pen<'_>, app: &App, x: u16, area: Rect) -> u16 {
    let alerts = &app.city().alerts;
    let Some(Alarm { code, text, .. }) = alerts.first() else { return x };
    let more = if alerts.len() > 1 { format!(" +{}", alerts.len() - 1) } else { String::new() };
    let room = area.right().saturating_sub(x);
    let next = pen.put(x, area.y, room, &format!("! {}{more}", code.fit(20)), Role::Bad);
    let proof = app.city().proof.as_ref().map_or(0, |proof| proofs(proof).first().map_or(0, |text| text.width() + 4));
    let free = usize::from(area.right().saturating_sub(next)).saturating_sub(proof);
    if free < 24 {
        return next + 2;
    }
    pen.put(next, area.y, area.right().saturating_sub(next), &format!(": {}", text.fit(free - 2)), Role::Warn) + 2
}

fn tabs(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let mut x = area.x + 1;
    for (screen, label, at) in layout::tabs(area.width, app.screen) {
        let role = if app.screen == screen { Role::Tab } else { Role::Dim };
        let gap = if area.width >= 100 { 2 } else { 1 };
        let at = area.x + at;
        x = pen.put(at, area.y, area.right().saturating_sub(at), &label, role) + gap;
    }
    x += u16::from(area.width < 100);
    if let Some(behind) = app.behind() {
        let text = format!("FROZEN, {} behind", thousands(behind));
        x = pen.put(x, area.y, area.right().saturating_sub(x), &text, Role::Warn) + 2;
    }
    x = alert(pen, app, x, area);
    let room = usize::from(area.right().saturating_sub(x + 1));
    if let Some(proof) = &app.city().proof {
        let role = if proof.holds() { Role::Ok } else { Role::Bad };
        let text = proofs(proof).into_iter().find(|text| text.width() <= room);
        pen.put_right(area.right() - 1, area.y, area.width, &text.unwrap_or_default(), role);
    }
}

/// The proof, the longest form first.
fn proofs(proof: &Proof) -> [String; 5] {
    let mark = if proof.holds() { "✓" } else { "✕ BROKEN" };
    let (accepted, completed) = (thousands(proof.accepted), thousands(proof.completed));
    let (cancelled, dead, open) = (thousands(proof.cancelled), thousands(proof.dead_lettered), thousands(proof.open));
    let verdict = format!("lost {} · twice {} · stale {}", proof.lost, proof.twice, thousands(proof.stale_refused));
    [
        format!(
            "{mark} accepted {accepted} = completed {completed} + cancelled {cancelled} + dead-lettered {dead} + open {open} · {verdict}"
        ),
        format!(
            "{mark} accepted {accepted} = completed {completed} + cancelled {cancelled} + dead {dead} + open {open} · {verdict}"
        ),
        format!("{mark} accepted {accepted} = {completed}+{cancelled}+{dead} + open {open} · {verdict}"),
        format!("{mark} {accepted} = {completed}+{cancelled}+{dead}+{open} · {verdict}"),
        format!("{mark} lost {} twice {}", proof.lost, proof.twice),
    ]
}
