//! One order: what it is, its way through the kitchens, why it is where it is, and its events in the ledger.
//!
//! ```text
//! ─ order o812 ─────────────────────────────────────────── cooking, try 2, token 3.1042 ─
//!  2 pizza, 1 salad for Ada, to Harbor, placed 12:41:02.120 at position 9 801
//!  prep ███ cook ███ plate ··· : 2 of 3 done
//! ─ why here ──────────────────────────────────────────────────────── weighted-score ─
//!   KITCHEN      SCORE  load 0.40  special 0.30  time 0.20  dist 0.10
//! > kitchen_2    0.812       0.64          1.00       0.55       0.71
//!   excluded: kitchen_3 dead, kitchen_5 full        by load only: kitchen_4
//! ─ hops ────────────────────────────────────────────────────────────────────────────
//!  12:41:05 recover    kitchen_2  token 3.1042  lease_expired   gap 2.1 s
//! ─ history ─────────────────────────────────────────────────────────────────────────
//!     9 801  12:41:02.120  accepted   ...
//! ```
//!
//! Owns how a page reads. Never asks for what is not there: it says so.

use protocol::OrderState;
use protocol::api::{ExplainView, HistoryEvent, HopKind, HopView, OrderView};
use ratatui::layout::Rect;

use super::fleet::cut;
use super::kitchen::items;
use super::layout::{self, cut_rows};
use super::pen::Pen;
use super::recall::{self, ABSENT, TITLE};
use super::spacetime;
use super::text::{fit, ms, thousands, whole_percent};
use crate::console::app::App;
use crate::console::app::page::{OrderPage, OrderView as View};
use crate::console::app::recall::of_order;
use crate::console::theme::Role;
use crate::console::untrusted::Untrusted;

/// Draws the page.
pub fn render(pen: &mut Pen<'_>, app: &App, page: &OrderPage, area: Rect) {
    let framed = layout::is_framed(area);
    let edge = u16::from(framed) + 1;
    let [upper, rest] = cut_rows(area, 3 + edge);
    head(pen, page, upper, framed, app.replay.is_some());
    // While a recording plays nobody can be asked: the feed's events and moves stand for what was not asked then.
    let absent = match (page.view, page.order.is_some() && page.history.is_some(), page.explain.is_some()) {
        _ if app.replay.is_none() => None,
        (View::Facts | View::Line, true, _) | (View::Why, _, true) => None,
        (View::Facts, false, _) => Some("why it is here, its hops, its history"),
        (View::Line, false, _) => Some("its line in space and time"),
        (View::Why, _, false) => Some("why it is where it is"),
    };
    if let Some(absent) = absent {
        return recall::render(pen, &of_order(app.city(), page.id), (TITLE, absent), rest, framed);
    }
    match page.view {
        View::Facts => {}
        View::Why => return explain(pen, page, rest, framed, 8),
        View::Line => {
            let lanes = page.order.as_ref().map_or(0, |order| order.hops.len() * 2);
            let height = u16::try_from(lanes).unwrap_or(8).clamp(4, (rest.height / 2).max(4)) + 2 + edge;
            // On the smallest screens the line has all of it.
            let height = if rest.height < 8 { rest.height } else { height };
            let [line, history_area] = cut_rows(rest, height);
            spacetime::render(pen, page, app.city().at, line, framed, "in space and time");
            return history(pen, page, history_area, framed);
        }
    }
    let candidates = page.explain.as_ref().map_or(0, |explain| explain.candidates.len());
    let most = if rest.height >= 22 { 8 } else { 3 };
    let why = u16::try_from(candidates.min(most)).unwrap_or(3) + 3 + edge;
    let hops = page.order.as_ref().map_or(0, |order| order.hops.len());
    let hops = u16::try_from(hops.min(if rest.height >= 22 { 8 } else { 3 })).unwrap_or(3).max(1) + edge;
    let [why_area, rest] = cut_rows(rest, why);
    let [hops_area, history_area] = cut_rows(rest, hops);
    explain(pen, page, why_area, framed, most);
    way(pen, page, hops_area, framed);
    history(pen, page, history_area, framed);
}

fn head(pen: &mut Pen<'_>, page: &OrderPage, area: Rect, framed: bool, recorded: bool) {
    let right = page.order.as_ref().map_or_else(String::new, |order| {
        let token = order.token.map_or_else(String::new, |token| format!(", token {token}"));
        let told = page.told.map_or_else(String::new, |at| format!(", asked {}", &at.clock()[..8]));
        format!("{}, try {}{token}{told}", order.state.word(), order.attempt)
    });
    let inside = pen.panel(area, framed, &format!("order {}", page.id), &right);
    let (x, room) = (inside.x + 1, inside.width.saturating_sub(2));
    match (&page.order, &page.error) {
        (Some(order), _) => facts(pen, order, inside),
        (None, Some(error)) => {
            pen.name(x, inside.y, room, error, Role::Bad);
        }
        (None, None) => {
            let text =
                if recorded { format!("what was ordered, and how far it is: {ABSENT}") } else { "asking".to_owned() };
            pen.put(x, inside.y, room, &text, Role::Dim);
        }
    }
}

fn facts(pen: &mut Pen<'_>, order: &OrderView, area: Rect) {
    let (x, y, room) = (area.x + 1, area.y, area.width.saturating_sub(2));
    let customer =
        order.customer.as_ref().map_or_else(String::new, |name| format!(" for {}", Untrusted::new(name).fit(24)));
    let zone = Untrusted::new(&order.zone).fit(16);
    let line = format!("{}{customer}, to {zone}", items(&order.items, room / 2));
    pen.put(x, y, room, &fit(&line, room.into()), Role::Text);
    let kitchen = order.kitchen.as_ref().map_or_else(|| "no kitchen".to_owned(), |kitchen| format!("in {kitchen}"));
    let ended = order
        .completed_at
        .map_or_else(String::new, |at| format!(", ended {} after {}", at.clock(), ms(at.ms_since(order.placed_at))));
    let placed =
        format!("placed {} at position {}, {kitchen}{ended}", order.placed_at.clock(), thousands(order.position.0));
    pen.put(x, y + 1, room, &fit(&placed, room.into()), Role::Dim);
    let stage = &order.stage;
    let bar = room.min(24);
    let (done, of) = (stage.done.min(stage.of), stage.of.max(1));
    pen.bar(x, y + 2, bar, f64::from(done) / f64::from(of), None, Role::BarOk);
    let broken = if stage.interruptible { "" } else { " (cannot be broken off)" };
    let text = match order.state {
        OrderState::Cooking => {
            format!(" {} of {}, now {}{broken}", stage.done, stage.of, Untrusted::new(&stage.name).fit(12))
        }
        OrderState::Queued | OrderState::Leased => {
            format!(" {} of {}, next {}", stage.done, stage.of, Untrusted::new(&stage.name).fit(12))
        }
        OrderState::Completed => format!(" {} of {} stages", stage.done, stage.of),
        OrderState::Cancelled | OrderState::DeadLettered => format!(" stopped after {} of {}", stage.done, stage.of),
    };
    let beside = room.saturating_sub(bar);
    let next = pen.put(x + bar, y + 2, beside, &fit(&text, beside.into()), Role::Text);
    let mut next = next;
    if let Some(stays) = &order.stays {
        let text = format!("finishes in place: {}", stays.replace('_', " "));
        next = pen.name(next + 2, y + 2, area.right().saturating_sub(next + 2), &Untrusted::new(&text), Role::Warn);
    }
    if order.wasted_ms > 0 {
        let text = format!("{} of cooking lost", ms(order.wasted_ms));
        next = pen.put(next + 2, y + 2, area.right().saturating_sub(next + 2), &text, Role::Warn);
    }
    if let Some(failure) = &order.failure {
        pen.name(next + 2, y + 2, area.right().saturating_sub(next + 2), &Untrusted::new(failure), Role::Bad);
    }
}

fn explain(pen: &mut Pen<'_>, page: &OrderPage, area: Rect, framed: bool, most: usize) {
    let right =
        page.explain.as_ref().map_or_else(String::new, |view| format!("{} at {}", view.algorithm, view.at.clock()));
    let inside = pen.panel(area, framed, "why here", &right);
    let Some(view) = &page.explain else {
        pen.put(inside.x + 1, inside.y, inside.width, "no decision known", Role::Dim);
        return;
    };
    let name = (inside.width / 5).clamp(9, 20);
    let weights = view.weights;
    let sum = weights.load + weights.specialty + weights.time + weights.distance;
    let share = |weight: f64| if sum > 0.0 { weight / sum } else { 0.0 };
    let factors =
        [("load", weights.load), ("special", weights.specialty), ("time", weights.time), ("dist", weights.distance)];
    let edge = |at: usize| inside.x + 2 + name + 8 + 13 * u16::try_from(at + 1).unwrap_or(1);
    pen.put(inside.x + 2, inside.y, name, "KITCHEN", Role::Dim);
    pen.put_right(inside.x + 2 + name + 8, inside.y, 7, "SCORE", Role::Dim);
    for (at, (word, weight)) in factors.iter().enumerate() {
        if edge(at) <= inside.right() {
            pen.put_right(edge(at), inside.y, 12, &format!("{word} {:.2}", share(*weight)), Role::Dim);
        }
    }
    let mut y = inside.y + 1;
    for candidate in view.candidates.iter().take(most) {
        let chosen = candidate.kitchen == view.chosen;
        let role = if chosen { Role::Strong } else { Role::Text };
        if chosen {
            pen.put(inside.x, y, 1, ">", Role::Accent);
        }
        pen.put(inside.x + 2, y, name, &cut(candidate.kitchen.as_str(), name), role);
        pen.put_right(inside.x + 2 + name + 8, y, 7, &format!("{:.3}", candidate.score), role);
        for (at, value) in [candidate.load, candidate.specialty, candidate.time, candidate.distance].iter().enumerate()
        {
            if edge(at) <= inside.right() {
                pen.put_right(edge(at), y, 12, &format!("{value:.2}"), role);
            }
        }
        y += 1;
    }
    if page.view == View::Why {
        return whole(pen, view, Rect { y: y + 1, height: inside.bottom().saturating_sub(y + 1), ..inside });
    }
    for line in reasons(view, most) {
        if y < inside.bottom() {
            pen.name(inside.x + 2, y, inside.width.saturating_sub(3), &Untrusted::new(&line), Role::Dim);
            y += 1;
        }
    }
}

/// Who was excluded and why, a line each, and what the other rules would have chosen.
fn whole(pen: &mut Pen<'_>, view: &ExplainView, area: Rect) {
    let mut lines: Vec<String> = Vec::new();
    if view.more_candidates > 0 {
        lines.push(format!("{} more could have been chosen", view.more_candidates));
    }
    lines.extend(view.excluded.iter().map(|out| format!("not {}: {}", out.kitchen, out.why)));
    if view.more_excluded > 0 {
        lines.push(format!("and {} more could not", view.more_excluded));
    }
    lines.extend(view.alternatives.iter().map(|other| format!("by {} it would be {}", other.rule, other.kitchen)));
    let best = view.candidates.first().map(|best| best.score);
    let ties: Vec<&str> =
        view.candidates.iter().filter(|one| Some(one.score) == best).map(|one| one.kitchen.as_str()).collect();
    if ties.len() > 1 {
        lines.push(format!("equal scores: {}: such kitchens take turns", ties.join(", ")));
    }
    if let Some(chosen) = view.candidates.iter().find(|one| one.kitchen == view.chosen) {
        let full = whole_percent(1.0 - chosen.load);
        lines.push(format!("load score {:.2} of {} ({full} % full then)", chosen.load, chosen.kitchen));
    }
    lines.push("score = load x its weight + special x … + time x … + dist x …; each factor is 0 to 1".to_owned());
    lines.push("load is the share of free places: 1.00 is an empty kitchen".to_owned());
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        pen.name(area.x + 2, y, area.width.saturating_sub(3), &Untrusted::new(line), Role::Dim);
    }
}

/// Who was excluded and why, and who else would have been chosen.
fn reasons(view: &ExplainView, most: usize) -> [String; 2] {
    let mut excluded: Vec<String> = view.excluded.iter().map(|out| format!("{} {}", out.kitchen, out.why)).collect();
    if view.more_excluded > 0 {
        excluded.push(format!("{} more", view.more_excluded));
    }
    let excluded = if excluded.is_empty() { "nobody".to_owned() } else { excluded.join(", ") };
    let unseen = view.candidates.len().saturating_sub(most) + usize::try_from(view.more_candidates).unwrap_or(0);
    let more = if unseen > 0 { format!("{unseen} more could have · ") } else { String::new() };
    let others: Vec<String> =
        view.alternatives.iter().map(|other| format!("{}: {}", other.rule, other.kitchen)).collect();
    let others = if others.is_empty() { String::new() } else { format!(" · other rules: {}", others.join(", ")) };
    [format!("{more}excluded: {excluded}"), others.trim_start_matches(" · ").to_owned()]
}

fn way(pen: &mut Pen<'_>, page: &OrderPage, area: Rect, framed: bool) {
    let inside = pen.panel(area, framed, "hops", "");
    let hops = page.order.as_ref().map_or(&[][..], |order| &order.hops);
    if hops.is_empty() {
        pen.put(inside.x + 1, inside.y, inside.width, "none yet", Role::Dim);
    }
    let skip = hops.len().saturating_sub(usize::from(inside.height));
    for (hop, y) in hops.iter().skip(skip).zip(inside.y..inside.bottom()) {
        pen.put(inside.x + 1, y, inside.width.saturating_sub(2), &line(hop), Role::Text);
    }
}

fn line(hop: &HopView) -> String {
    let reason = hop.reason.as_ref().map_or_else(String::new, |reason| format!(" {}", Untrusted::new(reason).fit(20)));
    let word = if hop.kind == HopKind::Recover { "gap" } else { "pause" };
    let pause = hop.pause_ms.map_or_else(String::new, |pause| format!(" {word} {}", ms(pause)));
    let kitchen = hop.kitchen.as_str();
    format!("{} {:<8} {kitchen:<12} token {:<8}{reason}{pause}", hop.at.clock(), hop.kind.word(), hop.token.to_string())
}

fn history(pen: &mut Pen<'_>, page: &OrderPage, area: Rect, framed: bool) {
    let events: &[HistoryEvent] = page.history.as_ref().map_or(&[], |history| &history.events);
    let inside = pen.panel(area, framed, "history", &format!("{} events", events.len()));
    let room = usize::from(inside.height);
    let last = events.len().saturating_sub(page.back).max(room.min(events.len()));
    let shown = &events[last.saturating_sub(room)..last];
    for (event, y) in shown.iter().zip(inside.y..inside.bottom()) {
        let x = inside.x + 1;
        pen.put_right(x + 9, y, 9, &thousands(event.position.0), Role::Dim);
        pen.put(x + 11, y, 12, &event.at.clock(), Role::Dim);
        pen.name(x + 25, y, 14, &Untrusted::new(&event.event), Role::Text);
        let at = x + 40;
        pen.name(at, y, inside.right().saturating_sub(at + 1), &Untrusted::new(&event.detail), Role::Dim);
    }
}
