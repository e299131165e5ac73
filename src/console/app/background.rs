//! What is asked for behind the picture, and what runs out with time: pages, older moves, older acts, the undo.
//!
//! Owns when the console asks by itself. Never asks for anything that changes, and never on a key: an operator's request
//! is not delayed by one of these.

use std::time::Duration;

use protocol::api::ActionPage;

use super::ledger::Pane;
use super::page::Page;
use super::undo::{self, Inverse, Undo};
use super::{App, Asked, Effects, Screen};
use crate::console::link::Request;

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
        self.wants_acts().map(|(_, due)| due.max(self.now))
    }

    /// The page of operators' acts that the ledger screen needs: the newest when it is first shown, an older one when the
    /// selection has come to the end of what is known; and from when on.
    fn wants_acts(&self) -> Option<(Request, Duration)> {
        if self.frozen.is_some() || !self.pages.is_empty() || self.screen != Screen::Ledger {
            return None;
        }
        let last = || self.ledger.audit(&self.live).count().saturating_sub(1);
        let at_the_end = || self.ledger.pane == Pane::Audit && self.ledger.audit_at >= last();
        let (before, due) = self.live.audit.wants(at_the_end)?;
        Some((Request::Actions { before }, due))
    }

    /// Asks for what the feed does not tell, if it is time.
    pub(super) fn ask_behind(&mut self, effects: &mut Effects) {
        if !self.is_linked() || self.behind_due().is_none_or(|due| due > self.now) {
            return;
        }
        if !self.history_asked {
            self.history_asked = true;
            self.send(Request::Migrations, None, effects);
            self.send(Request::Supervisor, None, effects);
        } else if let Some((request, _)) = self.wants_acts() {
            self.live.audit.asked(self.live.position);
            self.send(request, None, effects);
        }
    }

    /// Takes a page of acts; the selection stays on its line.
    pub(super) fn take_acts(&mut self, page: &ActionPage, effects: &mut Effects) {
        let at = self.ledger.audit_at;
        let selected = self.ledger.audit(&self.live).nth(at).cloned().filter(|_| at > 0 && self.frozen.is_none());
        let before = self.live.audit.missing();
        let new = self.live.audit.fill(page, self.now) || before != self.live.audit.missing();
        effects.dirty |= new && self.frozen.is_none();
        let place = selected.and_then(|line| self.ledger.audit(&self.live).position(|entry| *entry == line));
        self.ledger.audit_at = place.unwrap_or(at);
    }

    /// No page of acts came.
    pub(super) fn miss_acts(&mut self, why: &str, effects: &mut Effects) {
        self.live.audit.failed(why, self.now);
        effects.dirty |= self.screen == Screen::Ledger && self.frozen.is_none();
    }

    /// A change is done: from now on it can be taken back, if it can.
    pub(super) fn offer_undo(&mut self, asked: &Asked) {
        if asked.request.is_change() {
            let (what, inverse) = (asked.request.words(), asked.inverse.clone());
            self.undo = Some(Undo { what, inverse, until: self.now + undo::OFFERED });
        }
    }

    /// Whether this would put back a policy that somebody else has changed since: of the changes behind the moment at which the
    /// policy was known, one is that which is taken back.
    pub(super) fn is_overtaken(&self, request: &Request) -> bool {
        matches!(request, Request::SetPolicy(_)) && self.live.audit.policy_changes_after(self.policy_at) > 1
    }

    /// Whole seconds for which the last change can still be taken back; absent if it cannot.
    #[must_use]
    pub fn undo_left(&self) -> Option<u64> {
        let undo =
            self.undo.as_ref().filter(|undo| !matches!(undo.inverse.clone().at(self.live.at), Inverse::None(_)))?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::api::{ActionPage, ActionView};
    use protocol::feed::Tone;
    use protocol::{Epoch, Position, WallTime};

    use crate::console::app::{App, Input};
    use crate::console::link::{Answer, Request};
    use crate::console::tests::fixture::{NOON, answer, app, feed, four, screen, snapshot, type_keys};

    /// Acts of the ledger, newest first, and where the next page begins.
    fn page(positions: std::ops::RangeInclusive<u64>, next: Option<u64>) -> Answer {
        let action = |position| ActionView {
            position: Position(position),
            epoch: Epoch(2),
            at: WallTime(NOON - 86_400_000 + position),
            operator: "ada\u{1b}[2J".to_owned(),
            reason: "the customer left".to_owned(),
            kind: "cancelled".to_owned(),
            tone: Tone::Info,
            subject: format!("o{position}"),
            text: "cancelled by ada: the customer left".to_owned(),
        };
        let actions = positions.rev().map(action).collect();
        Answer::Actions(Box::new(ActionPage { actions, next: next.map(Position), position: Position(9_000) }))
    }

    /// What is asked for behind the picture in so many milliseconds, but for older moves.
    fn asked(app: &mut App, ms: u64) -> Vec<Request> {
        let until = app.now + Duration::from_millis(ms);
        let mut sent = Vec::new();
        while app.now < until {
            let now = app.now + Duration::from_millis(50);
            sent.extend(app.update(Input::Tick, now).send.into_iter().map(|sent| sent.request));
        }
        sent.retain(|request| *request != Request::Migrations);
        sent
    }

    fn reply(app: &mut App, page: &Result<Answer, String>) {
        answer(app, |asked| matches!(asked, Request::Actions { .. }).then(|| page.clone()));
    }

    #[test]
    fn the_ledger_is_asked_when_it_is_looked_at_and_again_at_the_end_of_what_is_known() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        assert_eq!(asked(&mut app, 9_000), [], "nothing is asked for on the fleet's screen");
        type_keys(&mut app, &["5"]);
        assert_eq!(asked(&mut app, 500), [Request::Actions { before: None }]);
        reply(&mut app, &Ok(page(801..=804, Some(801))));
        let shown = screen(&app);
        assert!(
            shown.contains("o804") && shown.contains("ada␛[2J") && shown.contains("why: the customer left"),
            "{shown}"
        );
        assert_eq!(asked(&mut app, 500), [], "the selection is at the newest");
        type_keys(&mut app, &["G"]);
        assert_eq!(asked(&mut app, 500), [Request::Actions { before: Some(Position(801)) }]);
        let selected = app.ledger.row(app.city());
        reply(&mut app, &Ok(page(7..=9, None)));
        assert_eq!(app.ledger.row(app.city()), selected, "older ones come below");
        type_keys(&mut app, &["G"]);
        assert!(app.ledger.row(app.city()).is_some_and(|row| row.contains("o7")));
        assert_eq!(asked(&mut app, 500), [], "that is all there is");
    }

    #[test]
    fn a_balancer_that_does_not_know_the_page_is_asked_once_and_nothing_is_said() {
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, four()), 0);
        type_keys(&mut app, &["5"]);
        assert_eq!(asked(&mut app, 500).len(), 1);
        reply(&mut app, &Err("there is nothing at /actions (not_found)".to_owned()));
        assert_eq!(asked(&mut app, 2_000), []);
        assert!(app.toast.is_none());
        feed(&mut app, snapshot(9_100, four()), 12_000);
        assert_eq!(asked(&mut app, 500).len(), 1, "the next leader may know it");
    }

    #[test]
    fn a_page_that_is_behind_is_asked_for_again_and_the_panel_says_how_far_it_was_read() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_001, four()), 0);
        type_keys(&mut app, &["5"]);
        assert_eq!(asked(&mut app, 500).len(), 1);
        reply(&mut app, &Ok(page(801..=804, None)));
        assert!(screen(&app).contains("read up to position 9000"), "{}", screen(&app));
        assert_eq!(asked(&mut app, 4_000), []);
        assert_eq!(asked(&mut app, 2_000), [Request::Actions { before: None }]);
        reply(&mut app, &Err("the table is being brought up to date (history_behind)".to_owned()));
        assert_eq!(asked(&mut app, 6_000).len(), 1);
    }

    #[test]
    fn a_kill_stands_in_the_audit_under_the_name_that_the_supervisor_wrote_down() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let done = "kitchen_1 is killed (pid 7) by ada: it smokes";
        app.live.audit.done(app.live.at, "kill", "kitchen_1", done, Some("it smokes"));
        type_keys(&mut app, &["5"]);
        let shown = screen(&app);
        let line = shown.lines().find(|line| line.contains("kill ")).unwrap_or_default();
        assert!(line.contains("ada") && line.contains("is killed (pid 7) why: it smokes"), "{shown}");
    }
}
