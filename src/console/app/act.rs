//! What each action does, and what a dialog's verdict leads to.
//!
//! Owns the way from a key to an effect. The guard for what changes stands once, in [`App::act`], and reads the table;
//! what is asked before a request stands in `propose.rs`.
//! Never opens a connection: what it wants leaves through the one door, `App::send`.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::api::Schedulable;
use protocol::{KitchenId, OrderId};
use tui_input::Input as Field;

use super::dialog::{Dialog, Verdict};
use super::order_form::Wish;
use super::page::{OrderView, Page};
use super::{App, Effects, Screen, Sound};
use crate::console::actions::{Action, ActionId};
use crate::console::keymap::{self, Found};
use crate::console::link::Request;
use crate::console::theme::{self, Theme};
use crate::console::view;

/// A sequence waits so long for its next key.
const SEQUENCE: Duration = Duration::from_secs(2);

impl App {
    pub(super) fn key(&mut self, key: KeyEvent, effects: &mut Effects) {
        effects.urgent = true;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => {
                effects.quit = true;
                return;
            }
            KeyCode::Char('z') if control => {
                effects.suspend = true;
                return;
            }
            _ => {}
        }
        if !view::fits(self.size) {
            return self.leave_only(key, effects);
        }
        match &mut self.dialog {
            Some(Dialog::Palette(_)) => return self.palette_key(key, effects),
            Some(dialog) => {
                let verdict = dialog.key(key);
                return self.settle_dialog(verdict, effects);
            }
            None => {}
        }
        let Some(name) = keymap::key_name(key) else { return };
        if let Some(steer) = self.transport(&name) {
            self.steer(steer, effects);
            return;
        }
        effects.dirty |= self.prefix.is_some();
        let before = self.prefix.take().filter(|_| self.now < self.prefix_until);
        let found = self.setup.keys.find(self.context(), before.as_deref(), &name);
        // A key that does not go on with the sequence means what it means alone.
        let (before, found) = match (before, found) {
            (Some(_), Found::Nothing) => (None, self.setup.keys.find(self.context(), None, &name)),
            (before, found) => (before, found),
        };
        match found {
            Found::Action(action) => {
                let before = self.toast.take();
                self.act(action, effects);
                // A dialog that opens takes the row of the message before.
                self.toast = self.toast.take().or(before.filter(|_| self.dialog.is_none()));
            }
            Found::Prefix => {
                self.prefix = Some(before.map_or_else(|| name.clone(), |before| format!("{before} {name}")));
                self.prefix_until = self.now + SEQUENCE;
                effects.dirty = true;
            }
            Found::Nothing => {}
        }
    }

    /// Nothing can be read, so nothing can be meant but to leave.
    fn leave_only(&self, key: KeyEvent, effects: &mut Effects) {
        let found = keymap::key_name(key).map(|name| self.setup.keys.find(self.context(), None, &name));
        effects.quit = matches!(found, Some(Found::Action(action)) if action.id == ActionId::Quit);
    }

    pub(super) fn act(&mut self, action: &Action, effects: &mut Effects) {
        if action.changes
            && let Some(why) = self.off()
        {
            self.say(Sound::Bad, &format!("{} is off: {why}", action.name), effects);
            return;
        }
        let fresh = self.take_fresh();
        if action.changes && action.id != ActionId::Undo {
            self.remember(action.id);
        }
        effects.dirty = true;
        match action.id {
            ActionId::Fleet => self.show(Screen::Fleet),
            ActionId::Flow => self.show(Screen::Flow),
            ActionId::Drill => self.show(Screen::Drill),
            ActionId::Replay => self.show(Screen::Replay),
            ActionId::Ledger => self.show_ledger(),
            ActionId::Heat => self.turn_heat(),
            ActionId::Down => self.go_down(1),
            ActionId::Up => self.go_down(-1),
            ActionId::Left => self.go_left(),
            ActionId::Right => self.go_right(),
            ActionId::PageDown => self.go(self.rows.page.max(1).cast_signed()),
            ActionId::PageUp => self.go(-self.rows.page.max(1).cast_signed()),
            ActionId::Top => self.go(isize::MIN),
            ActionId::Bottom => self.go(isize::MAX),
            ActionId::NextPane => self.next_pane(),
            ActionId::Inspect => match fresh {
                Some(id) => self.open_order(id, OrderView::Facts),
                None => self.inspect(),
            },
            ActionId::Back => self.back(),
            ActionId::Filter => self.open_filter(),
            ActionId::Sort => self.next_sort(),
            ActionId::Freeze => self.freeze(),
            ActionId::Help => self.dialog = Some(Dialog::Help { search: Field::default(), top: 0 }),
            ActionId::Palette => self.open_palette(),
            ActionId::Repeat => self.repeat(effects),
            ActionId::Undo => self.take_back(effects),
            ActionId::Copy => self.copy(effects),
            ActionId::CopyAll => self.copy_all(effects),
            ActionId::Mouse => self.turn_mouse(effects),
            ActionId::Theme => self.open_themes(),
            ActionId::Migrate => self.migrate(effects),
            ActionId::Release => self.on_order(Request::Release, effects),
            ActionId::Cancel => self.on_order(Request::Cancel, effects),
            ActionId::Explain => self.turn_order(OrderView::Why, effects),
            ActionId::Line => self.turn_order(OrderView::Line, effects),
            ActionId::Order => self.open_order_form(&Wish::default(), effects),
            ActionId::Rush => self.rush(effects),
            ActionId::Cordon => self.turn_cordon(effects),
            ActionId::Uncordon => self.on_kitchen(Request::Uncordon, effects),
            ActionId::Drain => self.on_kitchen(Request::drain, effects),
            ActionId::Kill => self.on_kitchen(Request::Kill, effects),
            ActionId::Policy | ActionId::Show | ActionId::Kitchen | ActionId::Zone => {
                let text = format!("{} is a command: {} and what is to be", action.name, action.name);
                self.say(Sound::Plain, &text, effects);
            }
            ActionId::Deck(steer) => self.steer(steer, effects),
            ActionId::Redraw => effects.redraw = true,
            ActionId::Quit => effects.quit = true,
        }
    }

    pub(super) fn settle_dialog(&mut self, verdict: Verdict, effects: &mut Effects) {
        effects.dirty |= !matches!(verdict, Verdict::Ignored);
        match verdict {
            Verdict::Ignored | Verdict::Changed => {}
            Verdict::Close => self.dialog = None,
            Verdict::Send(request, reason) => {
                if let Some(why) = self.refused_target(&request) {
                    return self.say(Sound::Bad, &why, effects);
                }
                self.dialog = None;
                self.note_sent(&request);
                self.send(request, reason, effects);
            }
            Verdict::Filter(of, text) => self.preview_filter(of, &text),
            Verdict::FilterDone(of, text) => self.end_filter(of, &text),
            Verdict::Preview(name) => match Theme::load(&name, self.setup.depth, self.setup.symbols) {
                Ok(theme) => self.wear(theme, effects),
                Err(bad) => self.say(Sound::Bad, &bad.brief(), effects),
            },
            Verdict::ThemeBack(theme) => {
                self.dialog = None;
                self.theme = *theme;
            }
        }
    }

    /// Takes a theme; what is unknown in its file is said.
    pub(super) fn wear(&mut self, theme: Theme, effects: &mut Effects) {
        if let Some(first) = theme.warnings.first() {
            let more = theme.warnings.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.say(Sound::Plain, &format!("theme `{}`: {first}{more}", theme.name), effects);
        }
        self.theme = theme;
        effects.dirty = true;
    }

    fn open_themes(&mut self) {
        let names = theme::names();
        let at = names.iter().position(|name| *name == self.theme.name).unwrap_or(0);
        self.dialog = Some(Dialog::Themes { names, at, before: Box::new(self.theme.clone()) });
    }

    /// The kitchen that actions are about.
    pub(super) fn subject(&self) -> Option<KitchenId> {
        match self.pages.last() {
            Some(Page::Kitchen(page)) => Some(page.id.clone()),
            Some(Page::Order(_)) => None,
            None => self.rows.selected.clone(),
        }
    }

    fn on_kitchen(&mut self, make: impl Fn(KitchenId) -> Request, effects: &mut Effects) {
        match self.subject() {
            Some(id) => self.propose(make(id), None, effects),
            None => self.say(Sound::Bad, "no kitchen selected", effects),
        }
    }

    fn on_order(&mut self, make: impl Fn(OrderId) -> Request, effects: &mut Effects) {
        match self.order_subject() {
            Some(id) => self.propose(make(id), None, effects),
            None => self.say(Sound::Bad, "no order selected; name it, or open one", effects),
        }
    }

    fn turn_order(&mut self, view: OrderView, effects: &mut Effects) {
        let turned = match self.pages.last() {
            Some(Page::Order(page)) if page.view == view => OrderView::Facts,
            Some(Page::Order(_) | Page::Kitchen(_)) | None => view,
        };
        match self.order_subject() {
            Some(id) => self.open_order(id, turned),
            None => self.say(Sound::Bad, "no order selected; name it, or open one", effects),
        }
    }

    /// Gives no new orders, or again; what it did is what `.` does elsewhere.
    fn turn_cordon(&mut self, effects: &mut Effects) {
        let row = self.subject().and_then(|id| self.city().kitchen(&id).and_then(|kitchen| kitchen.row));
        match row.map(|row| row.schedulable) {
            Some(Schedulable::Cordoned | Schedulable::Draining) => {
                self.remember(ActionId::Uncordon);
                self.on_kitchen(Request::Uncordon, effects);
            }
            Some(Schedulable::Open | Schedulable::Retired) | None => self.on_kitchen(Request::Cordon, effects),
        }
    }

    /// As the command of that name: never the other way round.
    pub(super) fn cordon(&mut self, effects: &mut Effects) {
        self.on_kitchen(Request::Cordon, effects);
    }

    fn migrate(&mut self, effects: &mut Effects) {
        let (order, from) = match self.pages.last() {
            Some(Page::Kitchen(page)) => (page.selected, Some(page.id.clone())),
            Some(Page::Order(page)) => (Some(page.id), page.order.as_ref().and_then(|order| order.kitchen.clone())),
            None => {
                if let Some(id) = self.rows.selected.clone() {
                    self.pages.push(Page::kitchen(id));
                    let key = self.setup.keys.shown(ActionId::Migrate).to_owned();
                    self.say(Sound::Plain, &format!("choose an order, then {key} again"), effects);
                }
                return;
            }
        };
        match order {
            Some(order) => self.choose_target(order, from.as_ref(), None, effects),
            None => self.say(Sound::Bad, "no order to migrate here", effects),
        }
    }

    fn rush(&mut self, effects: &mut Effects) {
        if self.city().rush().is_some() {
            self.propose(Request::StopRush, None, effects);
        } else {
            self.open_rush(None, None, None, None);
        }
    }
}
