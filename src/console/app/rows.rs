//! Which kitchens the table shows, in which order, and which one is selected.
//!
//! - The selection is a kitchen, not a line: it stays on the id wherever the row goes.
//! - Nothing is sorted again within [`CALM_HANDS`] of a cursor key, and at most once a second.
//! - When rows move, the selected one keeps its line on the screen as far as the list allows.

use std::cmp::Ordering;
use std::time::Duration;

use protocol::KitchenId;
use protocol::api::Health;

use super::city::{City, Kitchen};
use super::filter::Filter;

/// Rows stay in place for so long after a cursor key.
const CALM_HANDS: Duration = Duration::from_secs(3);
/// Rows are sorted at most so often.
const SORT_EVERY: Duration = Duration::from_secs(1);

/// What the rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// The fullest first.
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
            Self::Load => alive(other).cmp(&alive(one)).then(other.load().total_cmp(&one.load())),
            Self::Name => Ordering::Equal,
            Self::Queue => waiting(other).cmp(&waiting(one)),
            Self::Health => urgency(other).cmp(&urgency(one)).then(other.load().total_cmp(&one.load())),
        };
        by.then_with(|| natural(one.id.as_str(), other.id.as_str()))
    }
}

fn alive(kitchen: &Kitchen) -> bool {
    kitchen.health() != Some(Health::Dead)
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
    touched_at: Option<Duration>,
    stale: bool,
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

    /// Sorts if figures changed, the hands are still, and it is time; says whether a row moved.
    pub fn settle(&mut self, city: &City, now: Duration) -> bool {
        let touched = self.touched_at.is_some_and(|at| now.saturating_sub(at) < CALM_HANDS);
        let early = now.saturating_sub(self.sorted_at) < SORT_EVERY;
        if !self.stale || touched || early {
            return false;
        }
        let before = self.shown.clone();
        self.rebuild(city, now);
        before != self.shown
    }

    /// Time may have gone back: what was measured against it is forgotten.
    pub fn forget_times(&mut self) {
        (self.stale, self.sorted_at, self.touched_at) = (true, Duration::ZERO, None);
    }

    /// Filters and sorts now.
    pub fn rebuild(&mut self, city: &City, now: Duration) {
        (self.stale, self.sorted_at) = (false, now);
        let passes = |at: &usize| self.filter.passes(&city.kitchens[*at], city);
        self.shown = (0..city.kitchens.len()).filter(passes).collect();
        let sort = self.sort;
        self.shown.sort_by(|one, other| sort.compare(&city.kitchens[*one], &city.kitchens[*other]));
        self.find_selected(city);
    }

    fn find_selected(&mut self, city: &City) {
        let line = self.at.saturating_sub(self.top);
        let found = self.selected.as_ref().and_then(|id| self.shown.iter().position(|at| city.kitchens[*at].id == *id));
        match found {
            Some(at) => {
                self.at = at;
                if self.top > 0 {
                    self.top = at.saturating_sub(line);
                }
            }
            None => {
                self.at = self.at.min(self.shown.len().saturating_sub(1));
                self.selected = self.shown.get(self.at).map(|at| city.kitchens[*at].id.clone());
            }
        }
        self.scroll();
    }

    /// Moves the selection.
    pub fn go(&mut self, city: &City, by: isize, now: Duration) {
        self.touched_at = Some(now);
        self.at = self.at.saturating_add_signed(by).min(self.shown.len().saturating_sub(1));
        self.selected = self.shown.get(self.at).map(|at| city.kitchens[*at].id.clone());
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
    use super::*;

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = ["kitchen_10", "kitchen_2", "bar", "kitchen_1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["bar", "kitchen_1", "kitchen_2", "kitchen_10"]);
    }
}
