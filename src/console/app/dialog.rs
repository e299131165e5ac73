//! What lies over a screen: help, filter, theme, rush, target, and the two questions before something changes.
//!
//! Owns what the keys do while it lies there. A dialog never sends: it hands a [`Verdict`] back, and [`super::App`] sends.
//!
//! - A question starts on Cancel; a reason may be given with it, and is recorded with the change.
//! - What destroys is armed only by typing the target's name; a paste does not count.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::{KitchenId, OrderId};
use tui_input::{Input, InputRequest};

use super::order_form::{Field, OrderForm};
use super::palette::Palette;
use crate::console::link::Request;
use crate::console::theme::Theme;
use crate::console::untrusted::Untrusted;

/// What lies over the screen.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// Keys and what they do.
    Help {
        /// Only lines with this.
        search: Input,
        /// First line shown.
        top: usize,
    },
    /// A command, as it is typed.
    Palette(Palette),
    /// The filter, as it is typed.
    Filter {
        /// Of what.
        of: FilterOf,
        /// The text.
        input: Input,
        /// What cannot be read.
        error: Option<String>,
        /// For esc.
        before: String,
    },
    /// The themes.
    Themes {
        /// Their names.
        names: Vec<String>,
        /// The one shown.
        at: usize,
        /// For esc.
        before: Box<Theme>,
    },
    /// Yes or no.
    Confirm(Question),
    /// Type the name.
    Typed {
        /// What would happen.
        question: Question,
        /// The name.
        word: String,
        /// What was typed.
        input: Input,
        /// Enter was pressed with another word in the field.
        missed: bool,
    },
    /// A new rush.
    Rush(RushForm),
    /// A new order.
    Order(Box<OrderForm>),
    /// To which kitchen.
    Target {
        /// Which order.
        order: OrderId,
        /// Kitchens that can take it, the emptiest first.
        kitchens: Vec<KitchenId>,
        /// The one selected.
        at: usize,
        /// What will happen with an order that is being cooked.
        note: Option<String>,
        /// Why, if it was said before.
        reason: Option<String>,
    },
}

/// What a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOf {
    /// The kitchens' table.
    Kitchens,
    /// Events and audit.
    Events,
}

/// What has the focus in a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// Do nothing.
    #[default]
    Cancel,
    /// Do it; where a name is asked for, its field.
    Go,
    /// The reason.
    Reason,
}

/// What would happen, and what is sent on yes.
#[derive(Debug, Clone)]
pub struct Question {
    /// `Drain kitchen_1?`
    pub title: String,
    /// The blast radius.
    pub lines: Vec<String>,
    /// What is sent.
    pub request: Request,
    /// The word on the button.
    pub verb: &'static str,
    /// What has the focus.
    pub focus: Focus,
    /// Why it is done.
    pub reason: Input,
}

/// The form of a rush.
#[derive(Debug, Clone)]
pub struct RushForm {
    /// Orders a second.
    pub rate: Input,
    /// Seconds.
    pub seconds: Input,
    /// Zones: shown and sent; the first is all.
    pub zones: Vec<(Untrusted, Option<String>)>,
    /// Which zone.
    pub zone: usize,
    /// Why.
    pub reason: Input,
    /// 0 rate, 1 seconds, 2 zone, 3 reason, 4 Cancel, 5 Start.
    pub focus: usize,
    /// What cannot be sent.
    pub error: Option<&'static str>,
}

/// What a key in a dialog led to.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Nothing changed.
    Ignored,
    /// Draw again.
    Changed,
    /// Close.
    Close,
    /// Close and send, with the reason.
    Send(Request, Option<String>),
    /// The filter reads like this.
    Filter(FilterOf, String),
    /// Close with this filter.
    FilterDone(FilterOf, String),
    /// Show this theme.
    Preview(String),
    /// Close with the theme of before.
    ThemeBack(Box<Theme>),
}

impl Dialog {
    /// What a key does.
    pub fn key(&mut self, key: KeyEvent) -> Verdict {
        match self {
            Self::Help { search, top } => help_key(search, top, key),
            // The model itself: what a line could become depends on the picture.
            Self::Palette(_) => Verdict::Ignored,
            Self::Filter { of, input, before, .. } => filter_key(*of, input, before, key),
            Self::Themes { names, at, before } => theme_key(names, at, before, key),
            Self::Confirm(question) => question.key(key),
            Self::Typed { question, word, input, missed } => typed_key(question, word, input, missed, key),
            Self::Rush(form) => form.key(key),
            Self::Order(form) => form.key(key),
            Self::Target { order, kitchens, at, reason, .. } => {
                target_key(*order, kitchens, at, reason.as_deref(), key)
            }
        }
    }

    /// Pasted text goes into a field, but never arms anything.
    pub fn paste(&mut self, text: &str) -> Verdict {
        let input = match self {
            Self::Help { search, .. } => search,
            Self::Filter { input, .. } => input,
            Self::Palette(palette) => {
                palette.edited();
                &mut palette.input
            }
            Self::Confirm(question) | Self::Typed { question, .. } if question.focus == Focus::Reason => {
                &mut question.reason
            }
            Self::Order(form) if form.focus == Field::Customer => &mut form.customer,
            Self::Themes { .. }
            | Self::Confirm(_)
            | Self::Typed { .. }
            | Self::Rush(_)
            | Self::Order(_)
            | Self::Target { .. } => return Verdict::Ignored,
        };
        for character in text.chars().filter(|c| !protocol::text::is_hidden(*c)).take(100) {
            input.handle(InputRequest::InsertChar(character));
        }
        match self {
            Self::Filter { of, input, .. } => Verdict::Filter(*of, input.value().to_owned()),
            Self::Help { .. }
            | Self::Palette(_)
            | Self::Themes { .. }
            | Self::Confirm(_)
            | Self::Typed { .. }
            | Self::Rush(_)
            | Self::Order(_)
            | Self::Target { .. } => Verdict::Changed,
        }
    }
}

fn changed(yes: bool) -> Verdict {
    if yes { Verdict::Changed } else { Verdict::Ignored }
}

/// Up is -1, down is 1.
fn step(key: KeyEvent) -> Option<isize> {
    match key.code {
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => Some(-1),
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => Some(1),
        _ => None,
    }
}

fn help_key(search: &mut Input, top: &mut usize, key: KeyEvent) -> Verdict {
    match key.code {
        KeyCode::Esc | KeyCode::Enter => Verdict::Close,
        KeyCode::Char('?') if search.value().is_empty() => Verdict::Close,
        KeyCode::Up => {
            *top = top.saturating_sub(1);
            Verdict::Changed
        }
        KeyCode::Down => {
            *top = (*top + 1).min(crate::console::actions::ACTIONS.len());
            Verdict::Changed
        }
        _ => {
            *top = 0;
            changed(edit(search, key))
        }
    }
}

fn filter_key(of: FilterOf, input: &mut Input, before: &str, key: KeyEvent) -> Verdict {
    match key.code {
        KeyCode::Esc => Verdict::FilterDone(of, before.to_owned()),
        KeyCode::Enter => Verdict::FilterDone(of, input.value().to_owned()),
        _ if edit(input, key) => Verdict::Filter(of, input.value().to_owned()),
        _ => Verdict::Ignored,
    }
}

fn theme_key(names: &[String], at: &mut usize, before: &Theme, key: KeyEvent) -> Verdict {
    if let Some(by) = step(key).or((key.code == KeyCode::Char('t')).then_some(1)) {
        let count = names.len().cast_signed().max(1);
        *at = (at.cast_signed() + by).rem_euclid(count).cast_unsigned();
        return names.get(*at).map_or(Verdict::Ignored, |name| Verdict::Preview(name.clone()));
    }
    match key.code {
        KeyCode::Enter => Verdict::Close,
        KeyCode::Esc | KeyCode::Char('q') => Verdict::ThemeBack(Box::new(before.clone())),
        _ => Verdict::Ignored,
    }
}

fn target_key(order: OrderId, kitchens: &[KitchenId], at: &mut usize, reason: Option<&str>, key: KeyEvent) -> Verdict {
    if let Some(by) = step(key) {
        *at = at.saturating_add_signed(by).min(kitchens.len().saturating_sub(1));
        return Verdict::Changed;
    }
    match (key.code, kitchens.get(*at)) {
        (KeyCode::Enter, Some(to)) => {
            Verdict::Send(Request::Migrate { order, to: to.clone() }, reason.map(str::to_owned))
        }
        (KeyCode::Esc | KeyCode::Char('q'), _) => Verdict::Close,
        _ => Verdict::Ignored,
    }
}

/// The name arms, and only typed; tab goes to the reason and back.
fn typed_key(question: &mut Question, word: &str, input: &mut Input, missed: &mut bool, key: KeyEvent) -> Verdict {
    match key.code {
        KeyCode::Esc => Verdict::Close,
        KeyCode::Enter if input.value() == word => question.send(),
        KeyCode::Enter => {
            *missed = true;
            question.focus = Focus::Go;
            Verdict::Changed
        }
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            question.focus = if question.focus == Focus::Reason { Focus::Go } else { Focus::Reason };
            Verdict::Changed
        }
        _ if question.focus == Focus::Reason => changed(edit(&mut question.reason, key)),
        _ => {
            let edited = edit(input, key);
            *missed &= !edited;
            changed(edited)
        }
    }
}

impl Question {
    /// A question that starts on Cancel.
    #[must_use]
    pub fn new(title: String, lines: Vec<String>, request: Request, verb: &'static str, reason: Option<&str>) -> Self {
        let reason = Input::new(reason.unwrap_or_default().to_owned());
        Self { title, lines, request, verb, focus: Focus::Cancel, reason }
    }

    fn key(&mut self, key: KeyEvent) -> Verdict {
        let typing = self.focus == Focus::Reason;
        match key.code {
            KeyCode::Esc => return Verdict::Close,
            KeyCode::Char('q' | 'n') if !typing => return Verdict::Close,
            KeyCode::Tab | KeyCode::Down => self.focus = self.focus.next(),
            KeyCode::BackTab | KeyCode::Up => self.focus = self.focus.next().next(),
            KeyCode::Enter if self.focus == Focus::Go => return self.send(),
            KeyCode::Enter if typing => self.focus = Focus::Cancel,
            KeyCode::Enter => return Verdict::Close,
            _ if typing => return changed(edit(&mut self.reason, key)),
            KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l') => {
                self.focus = if self.focus == Focus::Go { Focus::Cancel } else { Focus::Go };
            }
            _ => return Verdict::Ignored,
        }
        Verdict::Changed
    }

    fn send(&self) -> Verdict {
        Verdict::Send(self.request.clone(), said(&self.reason))
    }
}

impl Focus {
    fn next(self) -> Self {
        match self {
            Self::Cancel => Self::Go,
            Self::Go => Self::Reason,
            Self::Reason => Self::Cancel,
        }
    }
}

/// What was typed as a reason, if anything.
fn said(reason: &Input) -> Option<String> {
    let reason = reason.value().trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

impl RushForm {
    fn key(&mut self, key: KeyEvent) -> Verdict {
        match key.code {
            KeyCode::Esc => return Verdict::Close,
            KeyCode::Up | KeyCode::BackTab => self.focus = (self.focus + 5) % 6,
            KeyCode::Down | KeyCode::Tab => self.focus = (self.focus + 1) % 6,
            KeyCode::Left | KeyCode::Right if self.focus >= 4 => self.focus = 9 - self.focus,
            KeyCode::Left | KeyCode::Right if self.focus == 2 => self.turn(key.code == KeyCode::Right),
            KeyCode::Enter => match self.focus {
                4 => return Verdict::Close,
                5 => return self.send(),
                2 | 3 => self.focus = 5,
                _ => self.focus += 1,
            },
            _ => return changed(self.type_in(key)),
        }
        Verdict::Changed
    }

    fn turn(&mut self, right: bool) {
        let count = self.zones.len().max(1);
        self.zone = if right { (self.zone + 1) % count } else { (self.zone + count - 1) % count };
    }

    fn type_in(&mut self, key: KeyEvent) -> bool {
        self.error = None;
        let digits = !matches!(key.code, KeyCode::Char(c) if !c.is_ascii_digit() && c != '.');
        match self.focus {
            0 if digits => edit(&mut self.rate, key),
            1 if digits => edit(&mut self.seconds, key),
            3 => edit(&mut self.reason, key),
            _ => false,
        }
    }

    fn send(&mut self) -> Verdict {
        let rate = self.rate.value().parse::<f64>().ok().filter(|rate| (0.1..=100_000.0).contains(rate));
        let seconds = self.seconds.value().parse::<u64>().ok().filter(|seconds| (1..=3_600).contains(seconds));
        let (Some(rate), Some(for_s)) = (rate, seconds) else {
            self.focus = usize::from(rate.is_some());
            self.error = Some(if rate.is_none() { "0.1 to 100 000 orders a second" } else { "1 to 3 600 seconds" });
            return Verdict::Changed;
        };
        let zone = self.zones.get(self.zone).and_then(|zone| zone.1.clone());
        Verdict::Send(Request::Rush { rate, for_s, zone }, said(&self.reason))
    }
}

/// The longest that is typed, in bytes: a policy with all its options is 330.
pub(super) const TYPED: usize = 400;

/// Edits a field; says whether anything changed.
pub(super) fn edit(input: &mut Input, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match key.code {
        KeyCode::Char('u') if control => InputRequest::DeleteFromStart,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return false,
        KeyCode::Char(character) if !protocol::text::is_hidden(character) && input.value().len() < TYPED => {
            InputRequest::InsertChar(character)
        }
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return false,
    };
    input.handle(request).is_some()
}
