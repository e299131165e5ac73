//! Going about: screens, pages, cursors, filters, and what is copied of them.
//!
//! Owns where the operator is. Never changes anything in the system.

use super::dialog::{Dialog, FilterOf};
use super::heat::{self, CellLine};
use super::ledger::{Behind, EventFilter, Pane};
use super::page::Page;
use super::{App, Copied, Effects, Screen, Sound};
use crate::console::view::{self, layout};
use ratatui::layout::Rect;
use tui_input::Input as Field;

impl App {
    pub(super) fn show(&mut self, screen: Screen) {
        self.pages.clear();
        self.screen = screen;
    }

    /// The ledger; from an order's page, with that order's line.
    pub(super) fn show_ledger(&mut self) {
        if let Some(Page::Order(page)) = self.pages.last() {
            self.ledger.order = Some(page.clone());
            self.ledger.pane = Pane::Line;
        }
        self.show(Screen::Ledger);
    }

    pub(super) fn turn_heat(&mut self) {
        self.heat = !self.heat;
        self.show(Screen::Fleet);
    }

    pub(super) fn next_pane(&mut self) {
        match self.pages.last_mut() {
            Some(Page::Order(page)) => page.view = page.view.next(),
            Some(Page::Kitchen(_)) => {}
            None => self.ledger.pane = self.ledger.pane.next(),
        }
    }

    /// Down and up: rows, or lines of cells.
    pub(super) fn go_down(&mut self, by: isize) {
        if self.is_heat() { self.go_cell(0, by) } else { self.go(by) }
    }

    pub(super) fn go_left(&mut self) {
        if self.is_heat() { self.go_cell(-1, 0) } else { self.back() }
    }

    pub(super) fn go_right(&mut self) {
        if self.is_heat() { self.go_cell(1, 0) } else { self.inspect() }
    }

    fn is_heat(&self) -> bool {
        self.heat && self.screen == Screen::Fleet && self.pages.is_empty()
    }

    /// Rows down or up, wherever the cursor is.
    pub(super) fn go(&mut self, by: isize) {
        let now = self.now;
        let city = self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0);
        match (self.pages.last_mut(), self.screen) {
            (Some(Page::Kitchen(page)), _) => page.go(by),
            (Some(Page::Order(page)), _) => page.scroll(by),
            (None, Screen::Fleet) if self.heat => self.go_cell(0, by),
            (None, Screen::Fleet) => self.rows.go(city, by, now),
            (None, Screen::Ledger) => self.ledger.go(city, by),
            (None, Screen::Flow | Screen::Drill | Screen::Replay) => {}
        }
    }

    /// The lines of cells as they are on the screen.
    #[must_use]
    pub fn cell_lines(&self) -> Vec<CellLine> {
        let width = layout::heat(layout::body(Rect::new(0, 0, self.size.0, self.size.1))).cells.width;
        let city = self.city();
        heat::lines(city, &heat::by_zone(city, &self.rows.shown), width / self.cell_size().columns)
    }

    /// The kitchen under the cursor, as an index into the city's.
    #[must_use]
    pub fn cursor_cell(&self) -> Option<usize> {
        self.rows.shown.get(self.rows.at).copied()
    }

    fn go_cell(&mut self, cells: isize, down: isize) {
        let lines = self.cell_lines();
        let next = match (self.cursor_cell(), down) {
            (_, isize::MIN) => lines.first().and_then(|line| line.cells.first().copied()),
            (_, isize::MAX) => lines.last().and_then(|line| line.cells.last().copied()),
            (Some(from), down) => heat::step(&lines, from, cells, down),
            (None, _) => None,
        };
        if let Some(next) = next {
            self.select(next);
        }
    }

    pub(super) fn select(&mut self, kitchen: usize) {
        let city = self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0);
        self.rows.select(city, kitchen, self.now);
    }

    pub(super) fn inspect(&mut self) {
        match (self.pages.last(), self.screen) {
            (Some(Page::Kitchen(page)), _) => {
                if let Some(order) = page.selected {
                    self.pages.push(Page::order(order));
                }
            }
            (Some(Page::Order(_)), _) => {}
            (None, Screen::Fleet) => {
                if let Some(id) = self.rows.selected.clone() {
                    self.pages.push(Page::kitchen(id));
                }
            }
            (None, Screen::Ledger) => match self.ledger.selected(self.city()) {
                Some(Behind::Order(id)) => self.pages.push(Page::order(id)),
                Some(Behind::Kitchen(id)) => self.pages.push(Page::kitchen(id)),
                None => {}
            },
            (None, Screen::Flow | Screen::Drill | Screen::Replay) => {}
        }
    }

    pub(super) fn back(&mut self) {
        if self.pages.pop().is_some() {
            return;
        }
        let filtered = match self.screen {
            Screen::Fleet => !self.rows.filter_text.is_empty(),
            Screen::Ledger => !self.ledger.filter_text.is_empty(),
            Screen::Flow | Screen::Drill | Screen::Replay => false,
        };
        if filtered {
            // An empty filter can always be read.
            let _ = if self.screen == Screen::Fleet { self.set_filter("") } else { self.set_event_filter("") };
        } else if self.screen == Screen::Fleet && self.heat {
            self.turn_heat();
        } else if self.frozen.is_some() {
            self.freeze();
        }
    }

    pub(super) fn freeze(&mut self) {
        match self.frozen.take() {
            Some(_) => {
                let city = &self.live;
                self.rows.rebuild(city, self.now);
                self.relayout();
            }
            None => self.frozen = Some(Box::new((self.live.clone(), self.live.events.seen))),
        }
    }

    pub(super) fn open_filter(&mut self) {
        let of = if self.screen == Screen::Ledger { FilterOf::Events } else { FilterOf::Kitchens };
        let text = match of {
            FilterOf::Kitchens => self.rows.filter_text.clone(),
            FilterOf::Events => self.ledger.filter_text.clone(),
        };
        let selected = !text.is_empty();
        self.dialog = Some(Dialog::Filter { of, input: Field::new(text), selected, error: None });
    }

    /// Keeps a filter; one that cannot be read stays open with what is wrong.
    pub(super) fn end_filter(&mut self, of: FilterOf, text: &str) {
        let read = match of {
            FilterOf::Kitchens => super::filter::Filter::parse(text).map(|_| ()),
            FilterOf::Events => EventFilter::parse(text).map(|_| ()),
        };
        match (read, &mut self.dialog) {
            (Err(why), Some(Dialog::Filter { error, .. })) => *error = Some(why),
            (Ok(()) | Err(_), _) => {
                self.dialog = None;
                // What nothing passes is said by the empty table.
                let _ = match of {
                    FilterOf::Kitchens => self.set_filter(text),
                    FilterOf::Events => self.set_event_filter(text),
                };
            }
        }
    }

    /// The filter as it is typed: what can be read so far already holds.
    pub(super) fn preview_filter(&mut self, of: FilterOf, text: &str) {
        let outcome = match of {
            FilterOf::Kitchens => super::filter::Filter::parse_unfinished(text).map(|filter| {
                self.rows.filter = filter;
                text.clone_into(&mut self.rows.filter_text);
                self.rebuild_rows();
            }),
            FilterOf::Events => EventFilter::parse(text).map(|filter| {
                self.ledger.filter = filter;
                text.clone_into(&mut self.ledger.filter_text);
                (self.ledger.audit_at, self.ledger.events_at) = (0, 0);
            }),
        };
        let nothing = of == FilterOf::Kitchens && self.rows.shown.is_empty() && !self.city().kitchens.is_empty();
        let doubt = if nothing { self.rows.filter.doubt() } else { None };
        if let Some(Dialog::Filter { error, .. }) = &mut self.dialog {
            *error = outcome.err().or(doubt);
        }
    }

    pub(super) fn set_filter(&mut self, text: &str) -> Result<(), String> {
        self.rows.filter = super::filter::Filter::parse(text)?;
        text.clone_into(&mut self.rows.filter_text);
        self.rebuild_rows();
        let doubt = self.rows.filter.doubt().filter(|_| self.rows.shown.is_empty() && !self.city().kitchens.is_empty());
        doubt.map_or(Ok(()), Err)
    }

    pub(super) fn set_event_filter(&mut self, text: &str) -> Result<(), String> {
        self.ledger.filter = EventFilter::parse(text)?;
        text.clone_into(&mut self.ledger.filter_text);
        (self.ledger.audit_at, self.ledger.events_at) = (0, 0);
        Ok(())
    }

    pub(super) fn next_sort(&mut self) {
        self.rows.sort = self.rows.sort.next();
        self.rebuild_rows();
    }

    pub(super) fn rebuild_rows(&mut self) {
        let city = self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0);
        self.rows.rebuild(city, self.now);
    }

    pub(super) fn turn_mouse(&mut self, effects: &mut Effects) {
        self.mouse = !self.mouse;
        effects.mouse = Some(self.mouse);
        let text = if self.mouse {
            "mouse on: click selects, wheel scrolls; with shift the terminal marks text"
        } else {
            "mouse off: the terminal marks text again"
        };
        self.say(Sound::Plain, text, effects);
    }

    /// The id of what is selected.
    fn selected_id(&self) -> Option<String> {
        match (self.pages.last(), self.screen) {
            (Some(Page::Kitchen(page)), _) => {
                Some(page.selected.map_or_else(|| page.id.to_string(), |id| id.to_string()))
            }
            (Some(Page::Order(page)), _) => Some(page.id.to_string()),
            (None, Screen::Fleet) => self.rows.selected.as_ref().map(ToString::to_string),
            (None, Screen::Ledger) => self.ledger.selected(self.city()).map(|behind| match behind {
                Behind::Order(id) => id.to_string(),
                Behind::Kitchen(id) => id.to_string(),
            }),
            (None, Screen::Flow | Screen::Drill | Screen::Replay) => None,
        }
    }

    pub(super) fn copy(&mut self, effects: &mut Effects) {
        match self.selected_id() {
            Some(id) => effects.copy = Some(Copied { what: id.clone(), text: id }),
            None => self.say(Sound::Bad, "nothing is selected here", effects),
        }
    }

    /// The selected row of a table, or the page as it is drawn.
    pub(super) fn copy_all(&mut self, effects: &mut Effects) {
        let row = match (self.pages.is_empty(), self.screen) {
            (true, Screen::Fleet) => self.cursor_cell().and_then(|at| self.city().row_text(at)),
            (true, Screen::Ledger) => self.ledger.row(self.city()),
            (true, Screen::Flow | Screen::Drill | Screen::Replay) | (false, _) => None,
        };
        effects.copy = Some(match row {
            Some(text) => Copied { what: "the row".to_owned(), text },
            None => Copied { what: "the page".to_owned(), text: view::text_of(self) },
        });
    }

    /// What became of a copy.
    pub fn copied(&mut self, outcome: &Result<String, String>, now: std::time::Duration) -> Effects {
        let mut effects = Effects { urgent: true, ..Effects::default() };
        self.now = self.now.max(now);
        match outcome {
            Ok(text) => self.say(Sound::Good, text, &mut effects),
            Err(why) => self.say(Sound::Bad, why, &mut effects),
        }
        effects
    }
}
