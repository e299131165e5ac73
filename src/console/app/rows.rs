//! Which kitchens the table shows, in which order, and which one is selected.
//!
//! - The selection is a kitchen, not a line: it stays on the id wherever the row goes.
//! - Nothing is sorted again within [`CALM_HANDS`] of a cursor key, and at most once a second; while that holds an order
//!   back, [`Rows::is_held`] says so.
//! - What no longer passes the filter by the figures that are drawn is not drawn, whether or not rows are sorted.
//! - When rows move, the selected one keeps its line on the screen as far as the list allows. As long as nobody has
//!   chosen a row, the view stays at the top, where the worst is.

use std::cmp::Ordering;
use std::time::Duration;

use protocol::KitchenId;
use protocol::api::Health;

use super::city::{City, Kitchen};
use super::filter::Filter;

/// Rows stay in place for so long after a cursor key.
const CALM_HANDS: Duration = Duration::from_secs(2);
/// Rows are sorted at most so often.
const SORT_EVERY: Duration = Duration::from_secs(1);

/// What the rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What is not alive first, then the fullest.
    #[default]
    Load,
    /// By id, with numbers in it as numbers.
    Name,
    /// The most waiting first.
    Queue,
    /// What needs a look first.
    Health,
}

impl Sort {
    /// The word on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Name => "name",
            Self::Queue => "queue",
            Self::Health => "health",
        }
    }

    /// Which way it goes down the list.
    #[must_use]
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Name => "▲",
            Self::Load | Self::Queue | Self::Health => "▼",
        }
    }

    /// By its word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Load, Self::Name, Self::Queue, Self::Health].into_iter().find(|sort| sort.word() == word)
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Load => Self::Name,
            Self::Name => Self::Queue,
            Self::Queue => Self::Health,
            Self::Health => Self::Load,
        }
    }

    fn compare(self, one: &Kitchen, other: &Kitchen) -> Ordering {
        let by = match self {
            Self::Load => silence(other).cmp(&silence(one)).then(other.load().total_cmp(&one.load())),
            Self::Name => Ordering::Equal,
            Self::Queue => waiting(other).cmp(&waiting(one)),
            Self::Health => urgency(other).cmp(&urgency(one)).then(other.load().total_cmp(&one.load())),
        };
        by.then_with(|| natural(one.id.as_str(), other.id.as_str()))
    }
}

fn silence(kitchen: &Kitchen) -> u8 {
    match kitchen.health() {
        Some(Health::Dead) => 2,
        Some(Health::Suspected) => 1,
        Some(Health::Alive) | None => 0,
    }
}

fn waiting(kitchen: &Kitchen) -> u32 {
    kitchen.row.map_or(0, |row| row.queued)
}

fn urgency(kitchen: &Kitchen) -> u8 {
    match (kitchen.health(), kitchen.hot, kitchen.is_open()) {
        (Some(Health::Dead), _, _) => 4,
        (Some(Health::Suspected), _, _) => 3,
        (Some(Health::Alive), true, _) => 2,
        (Some(Health::Alive), false, false) | (None, _, _) => 1,
        (Some(Health::Alive), false, true) => 0,
    }
}

/// `kitchen_2` before `kitchen_10`. Allocates nothing: ten thousand rows are compared a hundred thousand times a second.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let split = |text: &'_ str| text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let ((head, number), (other_head, other_number)) = (one.split_at(split(one)), other.split_at(split(other)));
    let (number, other_number) = (number.trim_start_matches('0'), other_number.trim_start_matches('0'));
    let by_value = number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number));
    head.cmp(other_head).then(by_value).then_with(|| one.cmp(other))
}

/// The table's rows.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Indexes into the city's kitchens.
    pub shown: Vec<usize>,
    /// The selected kitchen.
    pub selected: Option<KitchenId>,
    /// Its row.
    pub at: usize,
    /// The first row on the screen.
    pub top: usize,
    /// How many rows fit.
    pub page: usize,
    /// By what.
    pub sort: Sort,
    /// Which.
    pub filter: Filter,
    /// As it was typed.
    pub filter_text: String,
    sorted_at: Duration,
    sorted_by: Sort,
    touched_at: Option<Duration>,
    /// Whether somebody has moved the cursor: before that the first row is as good as any.
    chosen: bool,
    stale: bool,
    held: bool,
}

impl Rows {
    /// The figures changed.
    pub fn outdate(&mut self) {
        self.stale = true;
    }

    /// Whether a sort is due later.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether figures changed and the order does not follow them, because of the hands.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Sorts if figures changed, the hands are still, and it is time; says whether anything looks different.
    pub fn settle(&mut self, city: &City, now: Duration) -> bool {
        let touched = self.touched_at.is_some_and(|at| now.saturating_sub(at) < CALM_HANDS);
        let early = now.saturating_sub(self.sorted_at) < SORT_EVERY;
        let held = self.stale && touched;
        let turned = held != self.held;
        self.held = held;
        if !self.stale {
            return turned;
        }
        if touched || early {
            return self.sift(city) || turned;
        }
        let before = self.shown.clone();
        self.rebuild(city, now);
        before != self.shown || turned
    }

    /// Takes out what does not pass the filter any more; says whether there was any. The selected row waits for the hands.
    fn sift(&mut self, city: &City) -> bool {
        if self.filter.is_empty() {
            return false;
        }
        let before = self.shown.len();
        let (filter, selected, held) = (&self.filter, &self.selected, self.held);
        self.shown.retain(|at| {
            let kitchen = &city.kitchens[*at];
            filter.passes(kitchen, city) || (held && Some(&kitchen.id) == selected.as_ref())
        });
        let sifted = self.shown.len() < before;
        if sifted {
            self.find_selected(city);
        }
        sifted
    }

    /// Time may have gone back: what was measured against it is forgotten.
    pub fn forget_times(&mut self) {
        (self.stale, self.held, self.sorted_at, self.touched_at) = (true, false, Duration::ZERO, None);
    }

    /// Filters and sorts now.
    pub fn rebuild(&mut self, city: &City, now: Duration) {
        (self.stale, self.held, self.sorted_at) = (false, false, now);
        let passes = |at: &usize| self.filter.passes(&city.kitchens[*at], city);
        self.shown = (0..city.kitchens.len()).filter(passes).collect();
        let sort = self.sort;
        self.shown.sort_by(|one, other| sort.compare(&city.kitchens[*one], &city.kitchens[*other]));
        self.find_selected(city);
        if std::mem::replace(&mut self.sorted_by, sort) != sort {
            self.show_selected(city);
        }
    }

    /// The row that was chosen in the middle of the view, or else the top.
    fn show_selected(&mut self, city: &City) {
        if self.chosen {
            self.top = self.at.saturating_sub(self.page / 2);
        } else {
            self.put_on(city, 0);
            self.top = 0;
        }
        self.scroll();
    }

    fn put_on(&mut self, city: &City, at: usize) {
        self.at = at.min(self.shown.len().saturating_sub(1));
        self.selected = self.shown.get(self.at).map(|at| city.kitchens[*at].id.clone());
    }

    fn find_selected(&mut self, city: &City) {
        let line = self.at.saturating_sub(self.top);
        let found = self.selected.as_ref().and_then(|id| self.shown.iter().position(|at| city.kitchens[*at].id == *id));
        match found {
            Some(at) if !self.chosen && at >= self.page.max(1) => {
                self.top = 0;
                self.put_on(city, 0);
            }
            Some(at) => {
                self.at = at;
                if self.top > 0 {
                    self.top = at.saturating_sub(line);
                }
            }
            None => self.put_on(city, self.at),
        }
        self.scroll();
    }

    /// Moves the selection.
    pub fn go(&mut self, city: &City, by: isize, now: Duration) {
        (self.touched_at, self.chosen) = (Some(now), true);
        self.put_on(city, self.at.saturating_add_signed(by));
        self.scroll();
    }

    /// Selects a kitchen of the city, wherever its row is.
    pub fn select(&mut self, city: &City, kitchen: usize, now: Duration) {
        if let Some(at) = self.shown.iter().position(|shown| *shown == kitchen) {
            self.at = at;
            self.go(city, 0, now);
        }
    }

    /// How many rows fit.
    pub fn fit(&mut self, page: usize) {
        self.page = page;
        self.scroll();
    }

    fn scroll(&mut self) {
        let page = self.page.max(1);
        let lowest = (self.at + 1).saturating_sub(page);
        let last_page = self.shown.len().saturating_sub(page);
        self.top = self.top.clamp(lowest, self.at.max(lowest)).min(last_page);
    }
}

#[cfg(test)]
mod tests {
    use protocol::feed::{Frame, KitchenRow};

    use super::*;
    use crate::console::app::{App, Input};
    use crate::console::tests::fixture::{
        app, dead, feed, four, frame, key, many, row, screen, snapshot, type_keys, type_text,
    };

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = ["kitchen_10", "kitchen_2", "bar", "kitchen_1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["bar", "kitchen_1", "kitchen_2", "kitchen_10"]);
    }

    fn ids(app: &App) -> Vec<&str> {
        app.rows.shown.iter().map(|at| app.city().kitchens[*at].id.as_str()).collect()
    }

    /// Rows for kitchen_4 and kitchen_2, and ticks until they are drawn and sorted.
    fn change(app: &mut App, position: u64, at_ms: u64, rows: Vec<KitchenRow>) {
        feed(app, Frame { kitchens: rows, ..frame(position, at_ms) }, at_ms);
        for ms in (at_ms + 50..=at_ms + 1_500).step_by(50) {
            app.update(Input::Tick, Duration::from_millis(ms));
        }
    }

    #[test]
    fn figures_that_are_drawn_late_are_sorted_too() {
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, four()), 0);
        feed(&mut app, Frame { kitchens: vec![row(2, 0, 4)], ..frame(9_001, 1_000) }, 1_000);
        change(&mut app, 9_002, 1_100, vec![row(3, 9, 8)]);
        assert_eq!(ids(&app), ["kitchen_1", "kitchen_4", "kitchen_2", "kitchen_3"]);
    }

    #[test]
    fn the_hands_hold_the_order_for_two_seconds_and_the_title_says_so() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let before = ids(&app).join(" ");
        app.update(Input::Key(key("j")), Duration::from_millis(5_000));
        change(&mut app, 9_002, 5_100, vec![row(3, 10, 8)]);
        assert_eq!(ids(&app).join(" "), before);
        assert!(screen(&app).contains("order held"), "{}", screen(&app));
        app.update(Input::Tick, Duration::from_millis(7_001));
        assert_ne!(ids(&app).join(" "), before);
        assert!(!screen(&app).contains("order held"));
    }

    #[test]
    fn what_is_not_alive_is_first_by_load_and_another_sort_shows_what_was_chosen() {
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, many(300)), 0);
        let top = app.rows.selected.clone();
        change(&mut app, 9_001, 1_000, vec![dead(row(7, 0, 0), 3_000)]);
        assert_eq!(ids(&app)[0], "k0007");
        assert_eq!(
            (app.rows.top, app.rows.selected.clone()),
            (0, top),
            "it stays on its kitchen while that is in sight"
        );
        assert!(screen(&app).contains("LOAD▼") && screen(&app).contains("k0007"));
        type_keys(&mut app, &["s"]);
        assert!(screen(&app).contains("KITCHEN▲"), "{}", screen(&app));
        assert_eq!((app.rows.top, app.rows.selected.as_ref().map(KitchenId::as_str)), (0, Some("k0000")));
        type_keys(&mut app, &["j", "j", "s"]);
        assert_eq!(app.rows.selected.as_ref().map(KitchenId::as_str), Some("k0002"));
        assert!(screen(&app).contains("> k0002"), "{}", screen(&app));
    }

    #[test]
    fn a_filter_holds_for_the_figures_that_are_drawn() {
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, four()), 0);
        type_keys(&mut app, &["/"]);
        type_text(&mut app, "load>0.55");
        type_keys(&mut app, &["enter"]);
        assert_eq!(ids(&app), ["kitchen_1", "kitchen_2", "kitchen_3"]);
        change(&mut app, 9_001, 5_000, vec![row(1, 0, 1), row(3, 5, 9)]);
        assert_eq!(ids(&app), ["kitchen_1", "kitchen_4", "kitchen_3"]);
    }
}
