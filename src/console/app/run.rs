//! The palette at work, repetition and undo: ways to an action that are not its key.
//!
//! Owns what a command leads to. What changes anything goes through [`App::propose`], as a key does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::OrderId;

use super::command::{self, Command};
use super::dialog::{Dialog, edit};
use super::page::{OrderView, Page};
use super::palette::{self, Palette, Things};
use super::rows::Sort;
use super::undo::Inverse;
use super::{App, Effects, Screen, Sound};
use crate::console::actions::{self, ActionId};
use crate::console::theme::Theme;

/// What `.` does again.
#[derive(Debug, Clone)]
pub(super) enum Again {
    /// An action on what is selected then.
    Act(ActionId),
    /// The same line.
    Line(String),
}

impl App {
    pub(super) fn open_palette(&mut self) {
        self.dialog = Some(Dialog::Palette(Palette::default()));
    }

    /// What the line in the palette could become.
    #[must_use]
    pub fn candidates(&self, palette: &Palette) -> Vec<palette::Candidate> {
        let city = self.city();
        palette::candidates(palette.stem(), &Things { city, orders: self.orders_seen() })
    }

    /// Orders that were seen here, each once.
    fn orders_seen(&self) -> Vec<OrderId> {
        let mut seen: Vec<OrderId> = Vec::new();
        let on_pages = self.pages.iter().rev().flat_map(|page| match page {
            Page::Order(page) => vec![page.id],
            Page::Kitchen(page) => {
                let all = page.orders.iter().flat_map(|orders| &orders.orders).map(|order| order.id);
                page.selected.into_iter().chain(all).collect()
            }
        });
        let chosen = self.ledger.order.as_ref().map(|page| page.id);
        for id in on_pages.chain(chosen).chain(self.chosen_order()).chain(self.city().moves.orders()).take(300) {
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        seen
    }

    /// A key while a command is typed.
    pub(super) fn palette_key(&mut self, key: KeyEvent, effects: &mut Effects) {
        let Some(Dialog::Palette(mut palette)) = self.dialog.take() else { return };
        effects.dirty = true;
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Backspace if palette.input.value().is_empty() => return,
            KeyCode::Enter => return self.enter_line(palette, effects),
            KeyCode::Tab | KeyCode::BackTab => {
                let candidates = self.candidates(&palette);
                palette.turn(&candidates, key.code == KeyCode::Tab);
            }
            KeyCode::Up => palette.recall(&self.lines, true),
            KeyCode::Down => palette.recall(&self.lines, false),
            KeyCode::Char('p') if key.modifiers.contains(KeyModifiers::CONTROL) => palette.recall(&self.lines, true),
            KeyCode::Char('n') if key.modifiers.contains(KeyModifiers::CONTROL) => palette.recall(&self.lines, false),
            _ => {
                if edit(&mut palette.input, key) {
                    palette.edited();
                }
            }
        }
        self.dialog = Some(Dialog::Palette(palette));
    }

    /// Runs the line, or takes the best candidate of a line that is none.
    fn enter_line(&mut self, mut palette: Palette, effects: &mut Effects) {
        let line = palette.input.value().trim().to_owned();
        if line.is_empty() {
            return;
        }
        let why = match command::parse(&line) {
            Ok(command) => return self.run_line(&line, command, effects),
            Err(why) => why,
        };
        let first = line.split(' ').next().unwrap_or_default();
        let best = self.candidates(&palette).into_iter().next().filter(|_| actions::named(first).is_none());
        match best {
            Some(best) if best.whole => match command::parse(&best.line) {
                Ok(command) => return self.run_line(&best.line, command, effects),
                Err(why) => palette.error = Some(why),
            },
            Some(best) => {
                palette.put(&best.line);
                palette.edited();
            }
            None => palette.error = Some(why),
        }
        self.dialog = Some(Dialog::Palette(palette));
    }

    fn run_line(&mut self, line: &str, command: Command, effects: &mut Effects) {
        if self.lines.last().is_none_or(|last| last != line) {
            if self.lines.len() == palette::REMEMBERED {
                self.lines.remove(0);
            }
            self.lines.push(line.to_owned());
        }
        let repeats = matches!(command, Command::Act(ActionId::Repeat | ActionId::Undo | ActionId::Palette));
        if !repeats {
            self.last = Some(Again::Line(line.to_owned()));
        }
        self.run(command, effects);
    }

    fn run(&mut self, command: Command, effects: &mut Effects) {
        effects.dirty = true;
        match command {
            Command::Act(id) => self.again(id, effects),
            Command::Change { request, reason } => self.propose(request, reason, effects),
            Command::Rush { rate, for_s, zone, reason } => {
                if let Some(why) = self.off() {
                    return self.say(Sound::Bad, &format!("rush is off: {why}"), effects);
                }
                self.open_rush(rate, for_s, zone.as_deref(), reason.as_deref());
            }
            Command::MigrateFrom(order) => {
                if let Some(why) = self.off() {
                    return self.say(Sound::Bad, &format!("migrate is off: {why}"), effects);
                }
                let from = self.order_seen(order).and_then(|order| order.kitchen.clone());
                self.choose_target(order, from.as_ref(), None, effects);
            }
            Command::Kitchen(id) => {
                if self.city().kitchen(&id).is_none() {
                    return self.say(Sound::Bad, &format!("no kitchen {id} in the picture"), effects);
                }
                self.pages.push(Page::kitchen(id));
            }
            Command::Place(wish) => self.open_order_form(&wish, effects),
            Command::Show(id) => self.open_order(id, OrderView::Facts),
            Command::Explain(id) => self.open_order(id, OrderView::Why),
            Command::Line(id) => self.open_order(id, OrderView::Line),
            Command::Filter(text) => self.run_filter(&text, effects),
            Command::Zone(name) => {
                self.show(Screen::Fleet);
                let word = name.to_lowercase().replace(' ', "*");
                self.run_filter(&format!("zone={word}"), effects);
            }
            Command::Sort(word) => match Sort::named(&word) {
                Some(sort) => {
                    self.rows.sort = sort;
                    self.rebuild_rows();
                }
                None => self.say(Sound::Bad, "sort by load, name, queue or health", effects),
            },
            Command::Theme(name) => match Theme::load(&name, self.setup.depth, self.setup.symbols) {
                Ok(theme) => self.wear(theme, effects),
                Err(bad) => self.say(Sound::Bad, &bad.brief(), effects),
            },
        }
    }

    fn run_filter(&mut self, text: &str, effects: &mut Effects) {
        let outcome = if self.screen == Screen::Ledger && self.pages.is_empty() {
            self.set_event_filter(text)
        } else {
            self.set_filter(text)
        };
        if let Err(why) = outcome {
            self.say(Sound::Bad, &why, effects);
        }
    }

    /// Opens an order's page, or turns the one that is open.
    pub(super) fn open_order(&mut self, id: OrderId, view: OrderView) {
        match self.pages.last_mut() {
            Some(Page::Order(page)) if page.id == id => page.view = view,
            _ => {
                let mut page = super::page::OrderPage::new(id);
                page.view = view;
                self.pages.push(Page::Order(Box::new(page)));
            }
        }
    }

    /// An action by its name: a cordon is a cordon, not the other way round as its key may be.
    fn again(&mut self, id: ActionId, effects: &mut Effects) {
        if id == ActionId::Cordon && self.off().is_none() {
            self.cordon(effects);
        } else {
            self.act(actions::get(id), effects);
        }
    }

    /// Remembers what `.` does again.
    pub(super) fn remember(&mut self, id: ActionId) {
        self.last = Some(Again::Act(id));
    }

    pub(super) fn repeat(&mut self, effects: &mut Effects) {
        match self.last.clone() {
            None => self.say(Sound::Plain, "nothing to repeat yet", effects),
            Some(Again::Act(id)) => self.again(id, effects),
            Some(Again::Line(line)) => match command::parse(&line) {
                Ok(command) => self.run(command, effects),
                Err(why) => self.say(Sound::Bad, &why, effects),
            },
        }
    }

    pub(super) fn take_back(&mut self, effects: &mut Effects) {
        let Some(undo) = self.undo.take() else {
            let text = self.too_late();
            return self.say(Sound::Plain, &text, effects);
        };
        match undo.inverse.at(self.live.at) {
            Inverse::Is(request) if self.is_overtaken(&request) => {
                self.say(Sound::Plain, &format!("{}: {}", undo.what, super::undo::OVERTAKEN), effects);
            }
            Inverse::Is(request) => self.send(*request, Some(format!("undo: {}", undo.what)), effects),
            Inverse::Rush { .. } => {}
            Inverse::None(why) => self.say(Sound::Plain, &format!("{}: {why}", undo.what), effects),
        }
    }
}
