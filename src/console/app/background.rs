//! What is asked for behind the picture, and what runs out with time: pages, remarks, older moves, the undo.
//!
//! Owns when the console asks by itself. Never asks for anything that changes, and never on a key: an operator's request
//! is not delayed by one of these.

use std::time::Duration;

use protocol::api::{Health, Schedulable};

use super::page::Page;
use super::undo::{self, Inverse, Undo};
use super::{App, Asked, Effects, Screen};
use crate::console::link::Request;

/// Between two askings for what the feed does not tell of kitchens.
const REMARKS: Duration = Duration::from_secs(3);
/// Up to so many kitchens all are asked for at once (40 kB); beyond, only those that drain.
const ALL_AT_ONCE: usize = 100;
/// The most kitchens asked for one by one.
const ONE_BY_ONE: usize = 4;

impl App {
    /// When the page that is shown wants to ask again.
    pub(super) fn page_due(&self) -> Option<Duration> {
        match self.pages.last() {
            Some(page) => Some(page.due()),
            None if self.screen == Screen::Ledger => self.ledger.order.as_ref().map(|order| order.due()),
            None => None,
        }
    }

    /// What the page that is shown asks for, if it is time.
    pub(super) fn page_asks(&mut self) -> Vec<Request> {
        let now = self.now;
        if self.page_due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        match self.pages.last_mut() {
            Some(page) => page.ask(now),
            None => self.ledger.order.as_mut().map_or_else(Vec::new, |order| order.ask(now)),
        }
    }

    /// When to ask behind the picture; absent if there is nothing to ask.
    pub(super) fn behind_due(&self) -> Option<Duration> {
        if !self.live.known {
            return None;
        }
        if !self.history_asked {
            return Some(self.now);
        }
        self.wants_remarks().then(|| self.remarks_asked.map_or(self.now, |asked| asked + REMARKS))
    }

    /// Whether a kitchen is drained or otherwise not plain, so that the feed's row does not tell all.
    fn wants_remarks(&self) -> bool {
        let shown = self.pages.is_empty() && self.screen == Screen::Fleet;
        shown && (self.live.kitchens.len() <= ALL_AT_ONCE || self.draining().next().is_some())
    }

    fn draining(&self) -> impl Iterator<Item = &super::city::Kitchen> {
        let drains =
            |row: &protocol::feed::KitchenRow| row.schedulable == Schedulable::Draining && row.health != Health::Dead;
        self.live.kitchens.iter().filter(move |kitchen| kitchen.row.as_ref().is_some_and(drains))
    }

    /// Asks for what the feed does not tell, if it is time.
    pub(super) fn ask_behind(&mut self, effects: &mut Effects) {
        if !self.is_linked() || self.behind_due().is_none_or(|due| due > self.now) {
            return;
        }
        if !self.history_asked {
            self.history_asked = true;
            self.send(Request::Migrations, None, effects);
            return;
        }
        self.remarks_asked = Some(self.now);
        if self.live.kitchens.len() <= ALL_AT_ONCE {
            self.send(Request::Kitchens, None, effects);
            return;
        }
        let ids: Vec<_> = self.draining().take(ONE_BY_ONE).map(|kitchen| kitchen.id.clone()).collect();
        for id in ids {
            self.send(Request::Kitchen(id), None, effects);
        }
    }

    /// A change is done: from now on it can be taken back, if it can.
    pub(super) fn offer_undo(&mut self, asked: &Asked) {
        if asked.request.is_change() {
            let (what, inverse) = (asked.request.words(), asked.inverse.clone());
            self.undo = Some(Undo { what, inverse, until: self.now + undo::OFFERED });
        }
    }

    /// Whole seconds for which the last change can still be taken back; absent if it cannot.
    #[must_use]
    pub fn undo_left(&self) -> Option<u64> {
        let undo = self.undo.as_ref().filter(|undo| matches!(undo.inverse, Inverse::Is(_)))?;
        Some(undo.until.saturating_sub(self.now).as_millis().div_ceil(1_000).try_into().unwrap_or(0))
    }

    /// The seconds left of all drains on the screen, added up: when it changes, a figure on the screen does.
    pub(super) fn drains_left(&self) -> u64 {
        let on_page = match self.pages.last() {
            Some(Page::Kitchen(page)) => Some(&page.id),
            Some(Page::Order(_)) => return 0,
            None if self.screen == Screen::Fleet => None,
            None => return 0,
        };
        let city = self.city();
        let shown = city.remarks.keys().filter(|id| on_page.is_none_or(|page| page == *id));
        shown.filter_map(|id| city.drain(id, self.now)).map(|(_, left)| left).sum()
    }
}
