//! The two upper rows: what must be true at a glance.
//!
//! ```text
//!  chef ● live Larder  3/4 alive 1 hot 1 DEAD   12.4/s ▂▃▅▆▇▇▆▇  p99 4.1 s  queued 114  refused 1 937 (23/s)  lag <0.1 s
//!  1 Fleet  2 Flow  3 Drill … ✓ 1 204 = 1 180+2+0+22 · lost 0 · twice 0 · stale 3
//! ```
//! What does not fit is left out from the least important on; the link and the proof stay. Without a link all but the link is
//! dimmed.
//!
//! Owns which piece goes first when there is no room. Never computes a figure.

use protocol::api::Proof;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::layout;
use super::pen::{Pen, level};
use super::text::{counted, ms, nice_ceil, plural, rate, setpoint, thousands};
use crate::console::app::remarks::Alarm;
use crate::console::app::series::Bucket;
use crate::console::app::{App, Link};
use crate::console::symbols::SPARK;
use crate::console::theme::Role;

type Piece = (String, Role);

/// Ranks of pieces that stand beside the one before, without a separator, and of those that a lost link leaves bright.
const CLOSE: [usize; 2] = [NAME, LINE];
const BRIGHT: [usize; 2] = [0, REIGN];
const NAME: usize = 8;
const LINE: usize = 11;
const REIGN: usize = 10;

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
        (NAME, name(app)),
        (1, kitchens(app, area.width)),
        (2, flow(app, wide)),
        (LINE, spark(app, wide)),
        (3, latency(app)),
        (4, refused(app)),
        (6, queued(app)),
        (5, rush(app, wide)),
        (9, lag(app)),
        (7, feed_lost(app)),
        (REIGN, reign(app)),
    ];
    let mut shown = [false; 12];
    let mut left = usize::from(area.width) + separator.width();
    // Who has gone comes right after what is left of the picture.
    let sequence: Vec<usize> =
        if app.is_cut_off() { [0, REIGN].into_iter().chain(1..REIGN).collect() } else { (0..12).collect() };
    for wanted in sequence {
        for (rank, pieces) in parts.iter().filter(|(rank, pieces)| *rank == wanted && !pieces.is_empty()) {
            let columns: usize = pieces.iter().map(|piece| piece.0.width()).sum::<usize>()
                + if CLOSE.contains(rank) { 1 } else { separator.width() };
            shown[*rank] = columns <= left || *rank == 0;
            left = left.saturating_sub(if shown[*rank] { columns } else { 0 });
        }
    }
    let parts: Vec<_> = parts.into_iter().filter(|(rank, _)| shown[*rank]).collect();
    let mut x = area.x;
    for (at, (rank, pieces)) in parts.iter().enumerate() {
        if at > 0 {
            let gap = if CLOSE.contains(rank) { " " } else { separator };
            x = pen.put(x, area.y, area.right().saturating_sub(x), gap, Role::Rule);
        }
        for (text, role) in pieces {
            let role = if app.is_cut_off() && !BRIGHT.contains(rank) { Role::Stale } else { *role };
            x = pen.put(x, area.y, area.right().saturating_sub(x), text, role);
        }
    }
}

/// The last seconds of the five minutes, a column each five seconds, against the highest of the five minutes.
fn spark(app: &App, wide: bool) -> Vec<Piece> {
    if app.city().kpi().is_none() {
        return Vec::new();
    }
    let buckets = app.city().series.buckets(60);
    let top = nice_ceil(buckets.iter().map(Bucket::sure_rate).fold(0.0, f64::max));
    let shown = &buckets[if wide { 48 } else { 52 }..];
    let line: String = shown.iter().map(|one| SPARK[one.rate().map_or(0, |value| level(value, top, 8))]).collect();
    vec![(line, Role::Spark)]
}

fn link(app: &App) -> Vec<Piece> {
    let mut pieces = vec![(" chef ".to_owned(), Role::Strong)];
    let old = app.age().map_or_else(|| "no picture yet".to_owned(), |old| format!("{} old", counted(old)));
    if let Some(replay) = &app.replay {
        let gap = if app.link == Link::Live && !app.is_stale() { "" } else { ", then " };
        let word = if replay.paused { "PAUSED REPLAY" } else { "▶ REPLAY" };
        pieces.push((format!("{word} {}{gap}", &replay.wall.clock()[..8]), Role::Accent));
    }
    match &app.link {
        Link::Live if app.replay.is_some() && !app.is_stale() => {}
        Link::Live if app.is_stale() => pieces.push((format!("◌ STALE {old}"), Role::Lost)),
        Link::Live => {
            pieces.push(frozen(app).unwrap_or_else(|| ("● live".to_owned(), Role::Live)));
            if let Some(old) = app.age_shown() {
                pieces.push((format!(" {} old", counted(old)), Role::Warn));
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

/// What stands in place of `live` while the picture is held.
fn frozen(app: &App) -> Option<Piece> {
    let (behind, age) = (app.behind()?, app.frozen_for()?);
    Some((format!("FROZEN {}, {} behind", counted(age), plural(behind, "event", "events")), Role::Warn))
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
    let Some(kpi) = app.city().kpi() else { return Vec::new() };
    let rate = if app.city().counts_yet(kpi.accepted_per_s) { rate(kpi.accepted_per_s) } else { "—".to_owned() };
    vec![(format!("{rate:>5}{unit}"), Role::Text)]
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

/// A count that is only worth its columns above zero.
fn above_zero(count: u64, words: impl FnOnce(&str) -> String) -> Vec<Piece> {
    if count == 0 { Vec::new() } else { vec![(words(&thousands(count)), Role::Warn)] }
}

/// Notable events that the feed could not carry: of the picture, never of orders.
fn feed_lost(app: &App) -> Vec<Piece> {
    above_zero(app.city().events.dropped, |count| format!("feed lost {count}"))
}

/// Orders that wait at the balancer, because no kitchen has a place.
fn queued(app: &App) -> Vec<Piece> {
    above_zero(app.city().flow.as_ref().map_or(0, |flow| flow.raw.queued), |count| format!("queued {count}"))
}

/// Orders refused at the door under this leader, and how many a second now.
fn refused(app: &App) -> Vec<Piece> {
    let city = app.city();
    let now = city.series.refused_per_s();
    let now = if now > 0.0 { format!(" ({}/s)", rate(now)) } else { String::new() };
    above_zero(city.flow.as_ref().map_or(0, |flow| flow.raw.shed), |count| format!("refused {count}{now}"))
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
    if app.is_cut_off() {
        return vec![(format!("leader {} gone", city.leader.fit(12)), Role::Lost)];
    }
    vec![(format!("leader {}{standbys} epoch {}", city.leader.fit(12), city.epoch), Role::Dim)]
}

/// The worst of what is wrong now: its name always, its text where the proof leaves room.
fn alert(pen: &mut Pen<'_>, app: &App, x: u16, area: Rect) -> u16 {
    let alerts = &app.city().alerts;
    let Some(Alarm { name, text, .. }) = alerts.first() else { return x };
    let more = if alerts.len() > 1 { format!(" +{}", alerts.len() - 1) } else { String::new() };
    let room = area.right().saturating_sub(x);
    let next = pen.put(x, area.y, room, &format!("! {}{more}", name.fit(20)), Role::Bad);
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
    x = alert(pen, app, x, area);
    let room = usize::from(area.right().saturating_sub(x + 1));
    if let Some(proof) = &app.city().proof {
        let cut_off = app.is_cut_off();
        let role = if proof.holds() { if cut_off { Role::Stale } else { Role::Ok } } else { Role::Bad };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::feed::{Flow, Frame};
    use protocol::{Epoch, WallTime};

    use crate::console::app::{App, Input};
    use crate::console::link::Signal;
    use crate::console::tests::fixture::{NOON, app, feed, flow, four, frame, screen, snapshot, type_keys};

    fn calm() -> App {
        let mut app = app((200, 60));
        feed(&mut app, snapshot(9_000, four()), 0);
        app
    }

    fn top(app: &App) -> String {
        screen(app).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_waits_is_refused_or_was_not_told_is_in_the_header_only_above_zero() {
        let mut app = calm();
        for (second, shed) in [(1, 1_900), (2, 1_937)] {
            let flow = Some(Flow { shed, ..flow(114, 8) });
            feed(&mut app, Frame { flow, dropped: 3, ..frame(9_000 + second, second * 1_000) }, second * 1_000);
        }
        app.update(Input::Tick, Duration::from_secs(3));
        let shown = top(&app);
        assert!(shown.contains("queued 114") && shown.contains("refused 1 937 ("), "{shown}");
        assert!(shown.contains("feed lost 6"), "{shown}");
        type_keys(&mut app, &["5"]);
        assert!(screen(&app).contains("refusing orders: ") && screen(&app).contains("1 hot: until below 70 %"));
        let mut app = calm();
        feed(&mut app, Frame { flow: Some(flow(0, 8)), ..frame(9_001, 100) }, 100);
        let shown = top(&app);
        assert!(["queued", "refused", "feed lost", "drop"].iter().all(|word| !shown.contains(word)), "{shown}");
    }

    #[test]
    fn a_new_leader_has_no_rate_until_its_window_is_filled() {
        let mut app = calm();
        let idle = || {
            let mut idle = flow(0, 8);
            (idle.kpi.accepted_per_s, idle.kpi.completed_per_s) = (0.0, 0.0);
            Some(idle)
        };
        let mut next = Frame { flow: idle(), epoch: Epoch(4), at: WallTime(NOON + 5_000), ..snapshot(9_100, four()) };
        if let Some(snapshot) = &mut next.snapshot {
            snapshot.leader = "b2".to_owned();
        }
        feed(&mut app, next, 5_000);
        assert!(top(&app).contains("— orders/s"), "{}", top(&app));
        assert!(screen(&app).contains("b1 -> b2, epoch 3 -> 4"), "{}", screen(&app));
        let late = Frame { flow: idle(), epoch: Epoch(4), ..frame(9_200, 15_000) };
        feed(&mut app, late, 15_000);
        assert!(top(&app).contains("0.0 orders/s"), "{}", top(&app));
        type_keys(&mut app, &["2"]);
        assert!(screen(&app).contains('◆'), "the timeline has a mark");
    }

    #[test]
    fn a_lost_link_counts_and_says_who_is_gone() {
        let mut app = calm();
        let lost = Signal::Lost { why: "connection reset".to_owned(), retry_in: Duration::from_secs(900) };
        app.update(Input::Signal(lost), Duration::from_millis(500));
        for (at, age) in
            [(2_600, "2 s old"), (4_000, "4 s old"), (130_000, "2 min 10 s old"), (131_000, "2 min 11 s old")]
        {
            assert!(app.wake_at().is_some_and(|wake| wake <= Duration::from_millis(at)));
            assert!(app.update(Input::Tick, Duration::from_millis(at)).dirty);
            assert!(top(&app).contains(age) && top(&app).contains("leader b1 gone"), "{}", top(&app));
        }
    }

    #[test]
    fn what_is_frozen_is_not_called_live() {
        let mut app = calm();
        type_keys(&mut app, &["space"]);
        feed(&mut app, frame(9_001, 12_000), 12_000);
        let shown = top(&app);
        assert!(shown.contains("FROZEN 12 s, 0 events behind") && !shown.contains("● live"), "{shown}");
    }
}
