//! What each action does, and what a dialog's verdict leads to.
//!
//! Owns the way from a key to an effect. The guard for what changes stands once, in [`App::act`], and reads the table.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::api::Schedulable;
use protocol::{KitchenId, OrderId};
use tui_input::Input as Field;

use super::dialog::{Dialog, Question, RushForm, Verdict};
use super::page::Page;
use super::{App, Effects, Screen, Sound, blast};
use crate::console::actions::{self, Action, ActionId, Found};
use crate::console::link::Request;
use crate::console::theme::{self, Theme};
use crate::console::untrusted::Untrusted;
use crate::console::view::text::{percent, setpoint};

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
        if let Some(dialog) = &mut self.dialog {
            let verdict = dialog.key(key);
            self.settle_dialog(verdict, effects);
            return;
        }
        let Some(name) = actions::key_name(key) else { return };
        effects.dirty |= self.prefix.is_some();
        match actions::find(self.context(), self.prefix.take().as_deref(), &name) {
            Found::Action(action) => self.act(action, effects),
            Found::Prefix => {
                self.prefix = Some(name);
                effects.dirty = true;
            }
            Found::Nothing => {}
        }
    }

    fn act(&mut self, action: &Action, effects: &mut Effects) {
        if action.changes
            && let Some(why) = self.off()
        {
            self.say(Sound::Bad, &format!("{} is off: {why}", action.name), effects);
            return;
        }
        effects.dirty = true;
        match action.id {
            ActionId::Fleet => self.show(Screen::Fleet),
            ActionId::Flow => self.show(Screen::Flow),
            ActionId::Down => self.go(1),
            ActionId::Up => self.go(-1),
            ActionId::PageDown => self.go(self.rows.page.max(1).cast_signed()),
            ActionId::PageUp => self.go(-self.rows.page.max(1).cast_signed()),
            ActionId::Top => self.go(isize::MIN),
            ActionId::Bottom => self.go(isize::MAX),
            ActionId::Inspect => self.inspect(),
            ActionId::Back => self.back(),
            ActionId::Filter => self.open_filter(),
            ActionId::Sort => self.next_sort(),
            ActionId::Freeze => self.freeze(),
            ActionId::Help => self.dialog = Some(Dialog::Help { search: Field::default(), top: 0 }),
            ActionId::Theme => self.open_themes(),
            ActionId::Migrate => self.migrate(effects),
            ActionId::Rush => self.rush(),
            ActionId::Cordon => self.cordon(effects),
            ActionId::Drain => self.drain(effects),
            ActionId::Kill => self.kill(effects),
            ActionId::Cancel => self.cancel(),
            ActionId::Redraw => effects.redraw = true,
            ActionId::Quit => effects.quit = true,
        }
    }

    pub(super) fn settle_dialog(&mut self, verdict: Verdict, effects: &mut Effects) {
        effects.dirty |= !matches!(verdict, Verdict::Ignored);
        match verdict {
            Verdict::Ignored | Verdict::Changed => {}
            Verdict::Close => self.dialog = None,
            Verdict::Send(request) => {
                self.dialog = None;
                self.send(request, effects);
            }
            Verdict::Filter(text) => {
                let outcome =
                    super::filter::Filter::parse_unfinished(&text).map(|filter| self.rows.filter = filter).err();
                if outcome.is_none() {
                    text.clone_into(&mut self.rows.filter_text);
                    self.rebuild_rows();
                }
                if let Some(Dialog::Filter { error, .. }) = &mut self.dialog {
                    *error = outcome;
                }
            }
            Verdict::FilterDone(text) => {
                self.dialog = None;
                if let Err(why) = self.set_filter(&text) {
                    self.say(Sound::Bad, &why, effects);
                }
            }
            Verdict::Preview(name) => {
                if let Ok(theme) = Theme::load(name, self.setup.depth, self.setup.ascii) {
                    self.theme = theme;
                }
            }
            Verdict::ThemeBack(theme) => {
                self.dialog = None;
                self.theme = *theme;
            }
        }
    }

    fn show(&mut self, screen: Screen) {
        self.pages.clear();
        self.screen = screen;
    }

    fn go(&mut self, by: isize) {
        let now = self.now;
        match self.pages.last_mut() {
            Some(Page::Kitchen(page)) => page.go(by),
            Some(Page::Order(page)) => page.scroll(by),
            None if self.screen == Screen::Fleet => {
                let city = self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0);
                self.rows.go(city, by, now);
            }
            None => {}
        }
    }

    fn inspect(&mut self) {
        match self.pages.last() {
            Some(Page::Kitchen(page)) => {
                if let Some(order) = page.selected {
                    self.pages.push(Page::order(order));
                }
            }
            Some(Page::Order(_)) => {}
            None => {
                if let Some(id) = self.rows.selected.clone() {
                    self.pages.push(Page::kitchen(id));
                }
            }
        }
    }

    fn back(&mut self) {
        if self.pages.pop().is_some() {
            return;
        }
        if !self.rows.filter_text.is_empty() {
            // An empty filter can always be read.
            let _ = self.set_filter("");
        } else if self.frozen.is_some() {
            self.freeze();
        }
    }

    fn freeze(&mut self) {
        match self.frozen.take() {
            Some(_) => {
                let city = &self.live;
                self.rows.rebuild(city, self.now);
                self.relayout();
            }
            None => self.frozen = Some(Box::new((self.live.clone(), self.live.events.seen))),
        }
    }

    fn open_filter(&mut self) {
        let before = self.rows.filter_text.clone();
        self.dialog = Some(Dialog::Filter { input: Field::new(before.clone()), error: None, before });
    }

    fn set_filter(&mut self, text: &str) -> Result<(), String> {
        self.rows.filter = super::filter::Filter::parse(text)?;
        text.clone_into(&mut self.rows.filter_text);
        self.rebuild_rows();
        Ok(())
    }

    fn next_sort(&mut self) {
        self.rows.sort = self.rows.sort.next();
        self.rebuild_rows();
    }

    fn rebuild_rows(&mut self) {
        let city = self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0);
        self.rows.rebuild(city, self.now);
    }

    fn open_themes(&mut self) {
        let names = theme::names();
        let at = names.iter().position(|name| *name == self.theme.name).unwrap_or(0);
        self.dialog = Some(Dialog::Themes { names, at, before: Box::new(self.theme.clone()) });
    }

    /// The kitchen that actions are about.
    fn subject(&self) -> Option<KitchenId> {
        match self.pages.last() {
            Some(Page::Kitchen(page)) => Some(page.id.clone()),
            Some(Page::Order(_)) => None,
            None => self.rows.selected.clone(),
        }
    }

    fn migrate(&mut self, effects: &mut Effects) {
        let (order, from) = match self.pages.last() {
            Some(Page::Kitchen(page)) => (page.selected, Some(page.id.clone())),
            Some(Page::Order(page)) => (Some(page.id), page.order.as_ref().and_then(|order| order.kitchen.clone())),
            None => {
                if let Some(id) = self.rows.selected.clone() {
                    self.pages.push(Page::kitchen(id));
                    self.say(Sound::Plain, "choose an order, then m again", effects);
                }
                return;
            }
        };
        match order {
            Some(order) => self.choose_target(order, from.as_ref(), effects),
            None => self.say(Sound::Bad, "no order to migrate here", effects),
        }
    }

    fn choose_target(&mut self, order: OrderId, from: Option<&KitchenId>, effects: &mut Effects) {
        let city = self.city();
        let mut open: Vec<_> = city.kitchens.iter().filter(|k| k.is_open() && Some(&k.id) != from).collect();
        open.sort_by(|a, b| a.load().total_cmp(&b.load()).then_with(|| a.id.cmp(&b.id)));
        let kitchens: Vec<_> = open.into_iter().map(|kitchen| kitchen.id.clone()).collect();
        if kitchens.is_empty() {
            self.say(Sound::Bad, "no other kitchen is open", effects);
        } else {
            self.dialog = Some(Dialog::Target { order, kitchens, at: 0 });
        }
    }

    fn rush(&mut self) {
        if let Some(rush) = self.city().rush() {
            let left = rush.left_ms / 1_000;
            let lines = vec![
                format!("{} orders/s, {left} s left", setpoint(rush.rate)),
                format!("placed {}, shed {}", rush.placed, rush.shed),
            ];
            let title = "Stop the rush?".to_owned();
            self.dialog = Some(Dialog::Confirm(Question {
                title,
                lines,
                request: Request::StopRush,
                verb: "Stop it",
                go: false,
            }));
            return;
        }
        let mut zones = vec![(Untrusted::new("all zones"), None)];
        zones.extend(self.city().zones.iter().map(|zone| (zone.name.clone(), Some(zone.raw.clone()))));
        let (rate, seconds) = (Field::new("50".to_owned()), Field::new("30".to_owned()));
        self.dialog = Some(Dialog::Rush(RushForm { rate, seconds, zones, zone: 0, focus: 0, error: None }));
    }

    fn cordon(&mut self, effects: &mut Effects) {
        let Some(id) = self.subject() else { return self.say(Sound::Bad, "no kitchen selected", effects) };
        let schedulable = self.city().kitchen(&id).and_then(|kitchen| kitchen.row).map(|row| row.schedulable);
        let request = match schedulable {
            Some(Schedulable::Cordoned | Schedulable::Draining) => Request::Uncordon(id),
            Some(Schedulable::Open | Schedulable::Retired) | None => Request::Cordon(id),
        };
        self.send(request, effects);
    }

    fn drain(&mut self, effects: &mut Effects) {
        let Some(id) = self.subject() else { return self.say(Sound::Bad, "no kitchen selected", effects) };
        let lines = self.radius(&id, "drains");
        let title = format!("Drain {id}?");
        let request = Request::Drain(id);
        self.dialog = Some(Dialog::Confirm(Question { title, lines, request, verb: "Drain it", go: false }));
    }

    fn kill(&mut self, effects: &mut Effects) {
        let Some(id) = self.subject() else { return self.say(Sound::Bad, "no kitchen selected", effects) };
        let lines = self.radius(&id, "kills");
        let (title, word) = (format!("Kill {id}"), id.to_string());
        let question = Question { title, lines, request: Request::Kill(id), verb: "Kill it", go: false };
        self.dialog = Some(Dialog::Typed { question, word, input: Field::default() });
    }

    fn cancel(&mut self) {
        let Some(Page::Order(page)) = self.pages.last() else { return };
        let id = page.id;
        let state = page.order.as_ref().map_or("unknown", |order| order.state.word());
        let lines =
            vec![format!("1 order, now {state}"), "it stops being cooked, and a late result is refused".to_owned()];
        let (title, word) = (format!("Cancel {id}"), id.to_string());
        let question = Question { title, lines, request: Request::Cancel(id), verb: "Cancel it", go: false };
        self.dialog = Some(Dialog::Typed { question, word, input: Field::default() });
    }

    fn radius(&self, id: &KitchenId, verb: &str) -> Vec<String> {
        let city = self.city();
        let mut lines = city.kitchen(id).map_or_else(Vec::new, |kitchen| blast::radius(city, kitchen, verb));
        if self.frozen.is_some() {
            lines.push("from the frozen picture".to_owned());
        } else if let Some(age) = self.age_shown() {
            lines.push(format!("from a picture {} s old", age.as_secs()));
        }
        if let Some(efficiency) = city.kpi().map(|kpi| kpi.availability).filter(|share| *share < 1.0) {
            lines.push(format!("availability now {}", percent(efficiency)));
        }
        lines
    }
}
