//! What lies over a screen: help, filter, theme, rush, target, and the two questions before something changes.
//!
//! Owns what the keys do while it lies there. A dialog never sends: it hands a [`Verdict`] back, and [`super::App`] sends.
//!
//! - A dialog takes every key: what it has no use for is dropped, and never a command of the screen below.
//! - Where a reason can be given, letters typed on a button or a list begin it; enter in it goes to what acts.
//! - What destroys is armed only by typing the target's name; a paste does not count.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::order_form::{Field, OrderForm};
use super::palette::Palette;
use super::question::{Focus, Question, typed_key};
use super::rush_form::{Line, RushForm};
use super::target::TargetForm;
use crate::console::link::Request;
use crate::console::theme::Theme;

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
        /// Whether what is typed takes the place of the text.
        selected: bool,
        /// What cannot be read.
        error: Option<String>,
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
    Target(TargetForm),
}

/// What a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOf {
    /// The kitchens' table.
    Kitchens,
    /// Events and audit.
    Events,
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
            Self::Filter { of, input, selected, .. } => filter_key(*of, input, selected, key),
            Self::Themes { names, at, before } => theme_key(names, at, before, key),
            Self::Confirm(question) => question.key(key),
            Self::Typed { question, word, input, missed } => typed_key(question, word, input, missed, key),
            Self::Rush(form) => form.key(key),
            Self::Order(form) => form.key(key),
            Self::Target(form) => form.key(key),
        }
    }

    /// Pasted text goes into a field, but never arms anything.
    pub fn paste(&mut self, text: &str) -> Verdict {
        let Some(input) = self.pasted_into() else { return Verdict::Ignored };
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
            | Self::Target(_) => Verdict::Changed,
        }
    }

    /// The field a paste goes to; none where it would arm, or where figures are wanted.
    fn pasted_into(&mut self) -> Option<&mut Input> {
        match self {
            Self::Help { search, .. } => Some(search),
            Self::Filter { input, selected, .. } => {
                if std::mem::take(selected) {
                    input.reset();
                }
                Some(input)
            }
            Self::Palette(palette) => {
                palette.edited();
                Some(&mut palette.input)
            }
            Self::Confirm(question) => {
                question.focus = Focus::Reason;
                Some(&mut question.reason)
            }
            Self::Typed { question, .. } => (question.focus == Focus::Reason).then_some(&mut question.reason),
            Self::Rush(form) => (form.focus == Line::Reason).then_some(&mut form.reason),
            Self::Order(form) => (form.focus == Field::Customer).then_some(&mut form.customer),
            Self::Target(form) => {
                form.typing = true;
                Some(&mut form.reason)
            }
            Self::Themes { .. } => None,
        }
    }
}

/// Draw again, if so.
pub(super) fn changed(yes: bool) -> Verdict {
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

fn filter_key(of: FilterOf, input: &mut Input, selected: &mut bool, key: KeyEvent) -> Verdict {
    match key.code {
        KeyCode::Esc => Verdict::FilterDone(of, String::new()),
        KeyCode::Enter => Verdict::FilterDone(of, input.value().to_owned()),
        _ if edit_over(input, selected, key) => Verdict::Filter(of, input.value().to_owned()),
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

/// Whether a key is the beginning of a text: a character that shows.
pub(super) fn is_text(key: KeyEvent) -> bool {
    let chord = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    matches!(key.code, KeyCode::Char(character) if character != ' ' && !protocol::text::is_hidden(character)) && !chord
}

/// Edits a field whose text may be selected as a whole: what is typed then takes its place, and a cursor key keeps it.
pub(super) fn edit_over(input: &mut Input, selected: &mut bool, key: KeyEvent) -> bool {
    let erases = matches!(key.code, KeyCode::Backspace | KeyCode::Delete);
    let moves = matches!(key.code, KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End);
    if !*selected {
        return edit(input, key);
    }
    *selected = !(erases || moves || is_text(key));
    if moves {
        edit(input, key);
        return true;
    }
    if *selected {
        return false;
    }
    input.reset();
    erases || edit(input, key)
}
