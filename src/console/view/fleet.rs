//! Fleet: every kitchen as a line, with only the visible lines drawn.
//!
//! ```text
//!   KITCHEN    ZONE      LOAD             90┃   %  WAIT COOK AVG s  STATE
//! > kitchen_1  Downtown  ████████████████▋·┃·  84     3    5   3.2  ● alive
//!   kitchen_3  Uptown    no sign of life        —     —    —   2.9  ✕ DEAD 12 s
//! ```
//! Narrow screens lose columns from the least needed on (spark, average, zone, counts); the state never goes.

use protocol::api::{Health, Schedulable};
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::Pen;
use super::text::{short, silence, whole_percent};
use super::{chart, events, layout, moves, zones};
use crate::console::app::App;
use crate::console::app::city::{CALM, City, Kitchen};
use crate::console::theme::Role;

/// Draws the screen.
pub fn render(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let city = app.city();
    let panels = layout::fleet(area, city.kitchens.len(), city.zones.len());
    table(pen, app, panels.table, panels.framed);
    if let Some(area) = panels.zones {
        zones::render(pen, app, area);
    }
    if let Some(area) = panels.chart {
        chart::render(pen, app, area, panels.framed);
    }
    if let Some(area) = panels.moves {
        moves::pairs(pen, app, area, panels.framed);
        if !panels.framed {
            pen.divider(area);
        }
    }
    if let Some(area) = panels.events {
        events::render(pen, app, area, panels.framed);
    }
}

fn table(pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
    let rows = &app.rows;
    let city = app.city();
    let inside = if framed {
        let last = (rows.top + rows.page).min(rows.shown.len());
        let first = (rows.top + 1).min(last);
        let (held, sort) = (held(app), rows.sort);
        let sort = format!("{held}sort {} {}", sort.word(), sort.arrow());
        let right = format!("{} {sort}  {first}-{last} of {}", filter_note(app), rows.shown.len());
        pen.panel(area, true, "kitchens", &right)
    } else {
        area
    };
    let columns = Columns::fit(city, inside, framed);
    columns.heads(pen, app, inside, framed);
    if !city.known {
        return pen_note(pen, inside, "waiting for the first picture");
    }
    if rows.shown.is_empty() {
        let note =
            if city.kitchens.is_empty() { "no kitchen has registered yet" } else { "no kitchen passes the filter" };
        return pen_note(pen, inside, note);
    }
    let visible = rows.shown.iter().enumerate().skip(rows.top);
    for ((row, at), y) in visible.zip(inside.y + 1..inside.bottom()) {
        if let Some(kitchen) = city.kitchens.get(*at) {
            columns.row(pen, app, kitchen, y, row == rows.at);
        }
    }
}

fn pen_note(pen: &mut Pen<'_>, area: Rect, text: &str) {
    pen.put(area.x + 2, area.y + 1, area.width.saturating_sub(2), text, Role::Dim);
}

/// Why rows do not stand where their figures say.
fn held(app: &App) -> &'static str {
    if app.rows.is_held() { "order held  " } else { "" }
}

fn filter_note(app: &App) -> String {
    let text = &app.rows.filter_text;
    if text.is_empty() { String::new() } else { format!(" / {} ", text.chars().take(30).collect::<String>()) }
}

/// Where each column begins and how wide it is; a width of 0 is a column left out.
struct Columns {
    id: (u16, u16),
    name: (u16, u16),
    zone: (u16, u16),
    bar: (u16, u16),
    percent: u16,
    spark: u16,
    wait: u16,
    cook: u16,
    oven: u16,
    average: u16,
    done: u16,
    state: (u16, u16),
}

impl Columns {
    fn fit(city: &City, area: Rect, framed: bool) -> Self {
        let width = area.width;
        let longest = |lengths: &mut dyn Iterator<Item = usize>| u16::try_from(lengths.max().unwrap_or(0)).unwrap_or(0);
        let wide = width >= 100;
        let id = longest(&mut city.kitchens.iter().take(2_000).map(|k| k.id.as_str().len()))
            .clamp(8, if wide { 20 } else { 12 });
        let zone = longest(&mut city.zones.iter().map(|z| z.name.columns())).clamp(4, if wide { 14 } else { 9 });
        let on = |yes: bool, columns: u16| if yes { columns } else { 0 };
        let name = on(width >= 120, 20);
        let zone = on(width >= 56, zone);
        let (wait, cook) = (on(width >= 48, 5), on(width >= 52, 5));
        let (average, spark) = (on(width >= 70, 6), on(framed, 11));
        let (oven, done) = (on(wide, 5), on(wide, 8));
        // Beside a frame the longest state keeps a column of distance.
        let state = if width >= 64 { 17 + u16::from(framed) } else { 13 };
        // The column beside the frame is taken from the gap before, where there is no other.
        let apart = if framed && !wide { 1 } else { 2 };
        let gap = |columns: u16| if columns > 0 { columns + 1 } else { 0 };
        let fixed =
            2 + gap(id) + gap(name) + gap(zone) + 4 + spark + wait + cook + oven + average + done + apart + state;
        let bar = width.saturating_sub(fixed).clamp(4, 40);
        let mut x = area.x + 2;
        let mut next = |columns: u16, gap: u16| {
            let at = x;
            x += columns + if columns > 0 { gap } else { 0 };
            at
        };
        let (id, name) = ((next(id, 1), id), (next(name, 1), name));
        let (zone, bar) = ((next(zone, 1), zone), (next(bar, 0), bar));
        // Right-aligned figures keep their right edge; 0 says the column is not there.
        let mut edge = |columns: u16| {
            let at = next(columns, 0) + columns;
            if columns > 0 { at } else { 0 }
        };
        let (percent, spark, wait, cook) = (edge(4), edge(spark), edge(wait), edge(cook));
        let (oven, average, done) = (edge(oven), edge(average), edge(done));
        Self {
            id,
            name,
            zone,
            bar,
            percent,
            spark,
            wait,
            cook,
            oven,
            average,
            done,
            state: (next(apart, 0) + apart, state),
        }
    }

    fn heads(&self, pen: &mut Pen<'_>, app: &App, area: Rect, framed: bool) {
        let y = area.y;
        let sorted = |word: &str| if app.rows.sort.word() == word { app.rows.sort.arrow() } else { "" };
        pen.put(self.id.0, y, self.id.1, &format!("KITCHEN{}", sorted("name")), Role::Dim);
        pen.put(self.name.0, y, self.name.1, "NAME", Role::Dim);
        pen.put(self.zone.0, y, self.zone.1, "ZONE", Role::Dim);
        pen.put(self.bar.0, y, self.bar.1, &format!("LOAD{}", sorted("load")), Role::Dim);
        let limit = whole_percent(app.city().threshold).to_string();
        if app.city().known && self.bar.1 >= 8 {
            let tick = self.bar.0 + tick_column(app.city().threshold, self.bar.1);
            pen.put_right(tick, y, 3, &limit, Role::Dim);
            pen.put(tick, y, 1, "┃", Role::BarTick);
        }
        pen.put_right(self.percent, y, 3, "%", Role::Dim);
        let heads = [
            (self.wait, format!("{}WAIT", sorted("queue"))),
            (self.cook, "COOK".to_owned()),
            (self.oven, "OVEN".to_owned()),
        ];
        for (right, head) in heads.iter().chain(&[(self.average, "AVG s".to_owned()), (self.done, "DONE".to_owned())]) {
            if *right > 0 {
                pen.put_right(*right, y, 7, head, Role::Dim);
            }
        }
        if self.spark > 0 {
            pen.put(self.spark - 10, y, 10, "60 s", Role::Dim);
        }
        pen.put(self.state.0, y, self.state.1, &format!("STATE{}", sorted("health")), Role::Dim);
        if !framed {
            let note = filter_note(app);
            let room = area.right().saturating_sub(self.state.0 + 7);
            let text = if note.is_empty() { more(app) } else { format!("{note}{}", app.rows.shown.len()) };
            let text = if app.rows.is_held() { format!("held {text}") } else { text };
            if text.width() <= usize::from(room) {
                pen.put_right(area.right(), y, room, &text, Role::Accent);
            }
        }
    }

    fn row(&self, pen: &mut Pen<'_>, app: &App, kitchen: &Kitchen, y: u16, selected: bool) {
        let city = app.city();
        let x = self.id.0 - 2;
        if selected {
            pen.put(x, y, 1, ">", Role::Accent);
        }
        pen.put(self.id.0, y, self.id.1, &cut(kitchen.id.as_str(), self.id.1), Role::Text);
        pen.name(self.name.0, y, self.name.1, &kitchen.name, Role::Dim);
        pen.name(self.zone.0, y, self.zone.1, city.zone_of(kitchen), Role::Text);
        self.load(pen, city, kitchen, y);
        let (mut state, role) = remarked(app, kitchen);
        if state.width() > usize::from(self.state.1) {
            state = state.replacen("suspected", "susp.", 1);
        }
        pen.put(self.state.0, y, self.state.1, &state, role);
        if selected {
            let names = Rect::new(self.id.0, y, self.bar.0 - self.id.0 - 1, 1);
            pen.wash(names, Role::Selected);
        }
    }

    fn load(&self, pen: &mut Pen<'_>, city: &City, kitchen: &Kitchen, y: u16) {
        let figures = kitchen.row.filter(|row| row.health != Health::Dead);
        match figures {
            Some(_) => {
                let load = kitchen.load();
                pen.bar(self.bar.0, y, self.bar.1, load, Some(city.threshold), load_role(kitchen, city.threshold));
                pen.put_right(self.percent, y, 4, &whole_percent(load).to_string(), Role::Text);
            }
            None => {
                let words =
                    if kitchen.row.is_some() { ["no sign of life", "silent"] } else { ["not heard yet", "new"] };
                let text = words[usize::from(self.bar.1 < 15)];
                pen.put(self.bar.0, y, self.bar.1, &cut(text, self.bar.1), Role::Dim);
                pen.put_right(self.percent, y, 4, "—", Role::Dim);
            }
        }
        if self.spark > 0 {
            pen.spark(self.spark - 10, y, kitchen.spark.steps(), 1.0, Role::Spark);
        }
        let row = kitchen.row;
        let count = |count: fn(&protocol::feed::KitchenRow) -> u32| {
            figures.as_ref().map_or_else(|| "—".to_owned(), |row| short(u64::from(count(row))))
        };
        let average = row.filter(|row| row.avg_ms > 0).map_or_else(|| "—".to_owned(), |row| seconds(row.avg_ms));
        let done = row.map_or_else(|| "—".to_owned(), |row| short(row.completed));
        let cells = [
            (self.wait, count(|row| row.queued)),
            (self.cook, count(|row| row.cooking)),
            (self.oven, count(|row| row.in_the_oven)),
            (self.average, average),
            (self.done, done),
        ];
        for (right, text) in cells {
            if right > 0 {
                pen.put_right(right, y, 6, &text, Role::Text);
            }
        }
    }
}

/// How many rows are not on the screen.
fn more(app: &App) -> String {
    let hidden = app.rows.shown.len().saturating_sub(app.rows.page);
    if hidden == 0 { String::new() } else { format!("{}/{}", app.rows.at + 1, app.rows.shown.len()) }
}

fn tick_column(threshold: f64, width: u16) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bar")]
    let at = (threshold.clamp(0.0, 1.0) * f64::from(width)).round() as u16;
    at.min(width.saturating_sub(1))
}

fn seconds(avg_ms: u32) -> String {
    let seconds = f64::from(avg_ms) / 1_000.0;
    if seconds < 99.95 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}

/// An id, which is ASCII, cut to a width: before its number, which tells it from its neighbours.
pub fn cut(text: &str, width: u16) -> String {
    let width = usize::from(width);
    let number = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if text.len() <= width {
        return text.to_owned();
    }
    let tail = if number + 2 <= width { number } else { 0 };
    let head = text.chars().take(width.saturating_sub(1 + tail));
    head.chain(['…']).chain(text[text.len() - tail..].chars()).collect()
}

/// One colour a bar: what the load means.
pub fn load_role(kitchen: &Kitchen, threshold: f64) -> Role {
    if kitchen.hot || kitchen.load() > threshold {
        Role::BarBad
    } else if kitchen.load() > CALM {
        Role::BarWarn
    } else {
        Role::BarOk
    }
}

/// The state, with what the feed does not tell: seconds until a drain's deadline, or that it is slow.
fn remarked(app: &App, kitchen: &Kitchen) -> (String, Role) {
    let (text, role) = state(kitchen);
    let alive = kitchen.health() == Some(Health::Alive);
    let Some(remark) = app.city().remarks.get(&kitchen.id).filter(|_| alive) else { return (text, role) };
    if let Some((_, left)) = app.city().drain(&kitchen.id, app.now) {
        return (format!("{text}, {left} s"), role);
    }
    match &remark.note {
        // The word before the figures: the page has the rest.
        Some(note) if kitchen.is_open() => {
            let word = note.fit(24);
            let word = word.split([':', ',']).next().unwrap_or_default().to_owned();
            (format!("{text} {word}"), Role::Warn)
        }
        Some(_) | None => (text, role),
    }
}

/// Glyph, word and evidence. Health comes first, then whether it may be given orders, then heat.
pub fn state(kitchen: &Kitchen) -> (String, Role) {
    let Some(row) = kitchen.row else { return ("○ unknown".to_owned(), Role::Dim) };
    let hot = if kitchen.hot { " HOT" } else { "" };
    match (row.health, row.schedulable) {
        (Health::Dead, _) => (format!("✕ DEAD {}", silence(row.silent_ms)), Role::Bad),
        (Health::Suspected, _) => (format!("◌ suspected {}", silence(row.silent_ms)), Role::Warn),
        (Health::Alive, Schedulable::Open) if kitchen.hot => ("▲ HOT".to_owned(), Role::Hot),
        (Health::Alive, Schedulable::Open) => ("● alive".to_owned(), Role::Ok),
        (Health::Alive, Schedulable::Cordoned) => (format!("◐ cordoned{hot}"), Role::Warn),
        (Health::Alive, Schedulable::Draining) => (format!("◑ draining {}", kitchen.held()), Role::Warn),
        (Health::Alive, Schedulable::Retired) => ("○ retired".to_owned(), Role::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn an_id_is_cut_before_its_number() {
        assert_eq!(
            [cut("kitchen_13", 9), cut("kitchen_13", 4), cut("kitchen_13", 10)],
            ["kitche…13", "k…13", "kitchen_13"]
        );
        assert_eq!([cut("no sign of life", 7), cut("k1234567", 4)], ["no sig…", "k12…"]);
    }
}
