//! Where the panels are, for any size.
//!
//! Pure functions of the size and of how many kitchens and zones there are, so that the model can ask how many rows fit.
//! Below 100x28 panels are parted by rules; from there they have boxes.
//!
//! Owns rectangles. Never draws and never knows a figure.

use ratatui::layout::Rect;

use crate::console::app::Screen;
use crate::console::app::ledger::Pane;

/// The rows between the top and the footer.
#[must_use]
pub fn body(area: Rect) -> Rect {
    Rect { y: area.y + 2.min(area.height), height: area.height.saturating_sub(3), ..area }
}

/// Whether panels have boxes.
#[must_use]
pub fn is_framed(body: Rect) -> bool {
    body.width >= 100 && body.height >= 25
}

/// Whether Fleet has room for the kitchens' sparks.
#[must_use]
pub fn has_sparks(size: (u16, u16)) -> bool {
    is_framed(body(Rect::new(0, 0, size.0, size.1)))
}

/// The panels of Fleet; each with its title line, or box.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fleet {
    /// Whether they have boxes.
    pub framed: bool,
    /// Kitchens, with the heads of the columns.
    pub table: Rect,
    /// Zones.
    pub zones: Option<Rect>,
    /// Orders a second.
    pub chart: Option<Rect>,
    /// Moves.
    pub moves: Option<Rect>,
    /// Events.
    pub events: Option<Rect>,
}

/// The rows of the kitchens' table on a screen of this size.
#[must_use]
pub fn table_rows(size: (u16, u16), kitchens: usize, zones: usize) -> usize {
    let layout = fleet(body(Rect::new(0, 0, size.0, size.1)), kitchens, zones);
    usize::from(layout.table.height.saturating_sub(if layout.framed { 3 } else { 1 }))
}

/// Fleet.
#[must_use]
pub fn fleet(body: Rect, kitchens: usize, zones: usize) -> Fleet {
    let kitchens = u16::try_from(kitchens).unwrap_or(u16::MAX);
    let zones = u16::try_from(zones).unwrap_or(u16::MAX).min(8);
    if is_framed(body) { framed_fleet(body, kitchens, zones) } else { compact_fleet(body, kitchens) }
}

fn compact_fleet(body: Rect, kitchens: u16) -> Fleet {
    let height = body.height;
    // Heads and rows; a strip of a rule and two lines; a rule and at least three events.
    let (strip, events) = match height {
        0..9 => (0, 0),
        9..16 => (0, 4),
        16.. => (3, 4),
    };
    let most = height.saturating_sub(1 + strip + events);
    let rows = if events == 0 { most } else { kitchens.clamp(3, most.max(3)) };
    let [table, rest] = cut_rows(body, 1 + rows);
    let [middle, events_area] = cut_rows(rest, strip);
    let [chart, moves] = halves(middle);
    Fleet {
        framed: false,
        table,
        zones: None,
        chart: (strip > 0).then_some(chart),
        moves: (strip > 0).then_some(moves),
        events: (events > 0).then_some(events_area),
    }
}

fn framed_fleet(body: Rect, kitchens: u16, zones: u16) -> Fleet {
    let side = (body.width * 3 / 10).clamp(34, 64);
    let zones_height = zones + 2;
    let upper = kitchens.saturating_add(3).max(zones_height + 14).max(body.height * 3 / 5).min(body.height - 8);
    let [upper, events] = cut_rows(body, upper);
    let [table, right] = cut_columns(upper, upper.width - side);
    let [zones_area, rest] = cut_rows(right, zones_height);
    let moves_height = (rest.height / 3).max(5);
    let [chart, moves] = cut_rows(rest, rest.height.saturating_sub(moves_height));
    Fleet { framed: true, table, zones: Some(zones_area), chart: Some(chart), moves: Some(moves), events: Some(events) }
}

/// The panels of Flow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow {
    /// Whether they have boxes.
    pub framed: bool,
    /// The pipeline.
    pub pipeline: Rect,
    /// Pairs of kitchens.
    pub moves: Option<Rect>,
    /// Single moves.
    pub migrations: Option<Rect>,
    /// The last minutes.
    pub timeline: Option<Rect>,
}

/// Flow.
#[must_use]
pub fn flow(body: Rect) -> Flow {
    let framed = is_framed(body);
    let (pipeline, timeline) = match (framed, body.height) {
        (true, _) => (10, 8),
        (false, 19..) => (7, 7),
        (false, 12..19) => (7, 0),
        (false, ..12) => (body.height, 0),
    };
    let [pipeline, rest] = cut_rows(body, pipeline);
    let [middle, timeline_area] = cut_rows(rest, rest.height.saturating_sub(timeline));
    let [moves, migrations] = match (framed, body.width) {
        (true, _) => cut_columns(middle, body.width / 2),
        // Side by side neither could be read.
        (false, ..72) => [Rect { height: 0, ..middle }, middle],
        (false, 72..) => halves(middle),
    };
    let some = |area: Rect| (area.height > 1).then_some(area);
    Flow { framed, pipeline, moves: some(moves), migrations: some(migrations), timeline: some(timeline_area) }
}

/// Two halves with a column between them for a divider.
fn halves(area: Rect) -> [Rect; 2] {
    let [left, right] = cut_columns(area, area.width / 2);
    [Rect { width: left.width.saturating_sub(1), ..left }, right]
}

/// The upper `height` rows, and the rest.
#[must_use]
pub fn cut_rows(area: Rect, height: u16) -> [Rect; 2] {
    let height = height.min(area.height);
    [Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area }]
}

/// The left `width` columns, and the rest.
#[must_use]
pub fn cut_columns(area: Rect, width: u16) -> [Rect; 2] {
    let width = width.min(area.width);
    [Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area }]
}

/// The screens in the tab row, with their numbers.
const TABS: [(Screen, &str, &str); 5] = [
    (Screen::Fleet, "1", "Fleet"),
    (Screen::Flow, "2", "Flow"),
    (Screen::Drill, "3", "Drill"),
    (Screen::Replay, "4", "Replay"),
    (Screen::Ledger, "5", "Ledger"),
];

/// The tab row: screens, labels, and where each begins. Narrow screens name only the one that is shown.
#[must_use]
pub fn tabs(width: u16, shown: Screen) -> Vec<(Screen, String, u16)> {
    let mut x = 1;
    let gap = if width >= 100 { 2 } else { 1 };
    TABS.into_iter()
        .map(|(screen, number, name)| {
            let label = match width {
                100.. => format!("{number} {name}"),
                _ if screen == shown || width >= 76 => format!("{number}{name}"),
                _ => number.to_owned(),
            };
            let at = x;
            x += u16::try_from(label.len()).unwrap_or(0) + gap;
            (screen, label, at)
        })
        .collect()
}

/// Which screen's tab is at a column.
#[must_use]
pub fn tab_at(size: (u16, u16), shown: Screen, x: u16) -> Option<Screen> {
    let inside =
        |(_, label, at): &(Screen, String, u16)| (*at..*at + u16::try_from(label.len()).unwrap_or(0)).contains(&x);
    tabs(size.0, shown).into_iter().find(inside).map(|(screen, ..)| screen)
}

/// The panels of Drill.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drill {
    /// Whether they have boxes.
    pub framed: bool,
    /// What was lost.
    pub incidents: Rect,
    /// The drill that runs.
    pub steps: Option<Rect>,
    /// Every kitchen.
    pub heat: Option<Rect>,
    /// How long orders took.
    pub curve: Option<Rect>,
}

/// Drill: on small screens the incidents and the curve.
#[must_use]
pub fn drill(body: Rect) -> Drill {
    let framed = is_framed(body);
    let curve = match (framed, body.height) {
        (true, height) => (height / 3).clamp(8, 16),
        (false, 16..) => 8,
        (false, ..16) => 0,
    };
    let [upper, lower] = cut_rows(body, body.height - curve);
    let curve = (curve > 0).then_some(lower);
    if !framed {
        return Drill { framed, incidents: upper, curve, ..Drill::default() };
    }
    let [left, right] = cut_columns(upper, (body.width * 2 / 5).max(48));
    let [incidents, steps] = cut_rows(left, left.height.saturating_sub(5));
    Drill { framed, incidents, steps: Some(steps), heat: Some(right), curve }
}

/// The cells of every kitchen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heat {
    /// Whether the panel has a box.
    pub framed: bool,
    /// The panel.
    pub panel: Rect,
    /// The cells, beside their zones' names.
    pub cells: Rect,
    /// What is known of the kitchen under the cursor.
    pub detail: Rect,
}

/// The cells of every kitchen.
#[must_use]
pub fn heat(body: Rect) -> Heat {
    heat_in(body, is_framed(body))
}

/// The cells of every kitchen in a panel.
#[must_use]
pub fn heat_in(body: Rect, framed: bool) -> Heat {
    let inside = inside(body, framed);
    let detail = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    let label = (crate::console::app::heat::LABEL + 2).min(inside.width);
    let cells = Rect {
        x: inside.x + label,
        width: inside.width.saturating_sub(label + 1),
        height: inside.height.saturating_sub(2),
        ..inside
    };
    Heat { framed, panel: body, cells, detail }
}

/// What a panel leaves inside its box, or below its rule.
fn inside(area: Rect, framed: bool) -> Rect {
    let edge = u16::from(framed);
    Rect {
        x: area.x + edge,
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(2 * edge),
        height: area.height.saturating_sub(1 + edge),
    }
}

/// The panels of the ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ledger {
    /// Whether they have boxes.
    pub framed: bool,
    /// The proof.
    pub proof: Rect,
    /// What is wrong now, and the balancers.
    pub now: Option<Rect>,
    /// What operators did.
    pub audit: Option<Rect>,
    /// Events.
    pub events: Option<Rect>,
    /// An order's line.
    pub line: Option<Rect>,
}

/// The ledger. What does not fit beside the pane with the hands is left out; tab brings it.
#[must_use]
pub fn ledger(body: Rect, pane: Pane) -> Ledger {
    let framed = is_framed(body);
    let height = match (framed, body.height) {
        (true, _) => 10,
        (false, 16..) => 9,
        (false, _) => 2,
    };
    let [upper, lists] = cut_rows(body, height);
    let (proof, now) = if height > 2 {
        let [left, right] = if framed { cut_columns(upper, body.width / 2) } else { halves(upper) };
        (left, Some(right))
    } else {
        (upper, None)
    };
    let one = |wanted: Pane| (pane == wanted).then_some(lists);
    let mut panels =
        Ledger { framed, proof, now, audit: one(Pane::Audit), events: one(Pane::Events), line: one(Pane::Line) };
    if !framed {
        return panels;
    }
    let tall = lists.height >= 36;
    // A line has room for ten places; the rest is for the lists.
    let [upper, line] = cut_rows(lists, if tall { lists.height - 14 } else { lists.height });
    if body.width >= 160 && tall {
        let [audit, events] = cut_columns(upper, body.width / 2);
        (panels.audit, panels.events, panels.line) = (Some(audit), Some(events), Some(line));
        return panels;
    }
    let [audit, rest] = cut_rows(upper, upper.height * 2 / 5);
    panels.audit = Some(audit);
    (panels.events, panels.line) = match (tall, pane) {
        (true, _) => (Some(rest), Some(line)),
        (false, Pane::Line) => (None, Some(rest)),
        (false, Pane::Audit | Pane::Events) => (Some(rest), None),
    };
    panels
}

/// The first line of a list so that the selected one shows.
#[must_use]
pub fn list_top(at: usize, room: usize) -> usize {
    (at + 1).saturating_sub(room.max(1))
}

/// A kitchen's page: its facts, and its orders.
#[must_use]
pub fn kitchen(body: Rect) -> [Rect; 2] {
    cut_rows(body, if is_framed(body) { 7 } else { 6 }.min(body.height))
}

/// The rows of the orders on a kitchen's page.
#[must_use]
pub fn kitchen_orders(body: Rect) -> Rect {
    let inside = inside(kitchen(body)[1], is_framed(body));
    Rect { y: inside.y + 1.min(inside.height), height: inside.height.saturating_sub(1), ..inside }
}
