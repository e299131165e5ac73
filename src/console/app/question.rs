//! A question before something changes: its reason, its buttons, and the name that arms.
//!
//! Owns what the keys do in it. Never sends: it hands a [`Verdict`] back; never knows the picture: what would be touched is
//! read anew with each draw (`ground.rs`).
//!
//! - It starts on Cancel. Tab goes to the reason, and from there to the button that acts.
//! - What is typed on a button is the beginning of the reason: no letter is lost, and none is a command.
//! - What destroys is armed only by typing the target's name; a paste does not count.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::dialog::{Verdict, changed, edit, is_text};
use crate::console::link::Request;

/// What has the focus in a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// Do nothing.
    #[default]
    Cancel,
    /// The reason.
    Reason,
    /// Do it; where a name is asked for, its field.
    Go,
}

/// What would happen, and what is sent on yes.
#[derive(Debug, Clone)]
pub struct Question {
    /// `Drain kitchen_1?`
    pub title: String,
    /// What is sent.
    pub request: Request,
    /// The word on the button.
    pub verb: &'static str,
    /// What has the focus.
    pub focus: Focus,
    /// Why it is done.
    pub reason: Input,
}

impl Question {
    /// A question that starts on Cancel.
    #[must_use]
    pub fn new(title: String, request: Request, verb: &'static str, reason: Option<&str>) -> Self {
        let reason = Input::new(reason.unwrap_or_default().to_owned());
        Self { title, request, verb, focus: Focus::Cancel, reason }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Verdict {
        match (key.code, self.focus) {
            (KeyCode::Esc, _) | (KeyCode::Enter, Focus::Cancel) => return Verdict::Close,
            (KeyCode::Enter, Focus::Go) => return self.send(),
            (KeyCode::Enter, Focus::Reason) => self.focus = Focus::Go,
            (KeyCode::Tab | KeyCode::Down, focus) => self.focus = focus.next(),
            (KeyCode::BackTab | KeyCode::Up, focus) => self.focus = focus.next().next(),
            (KeyCode::Left | KeyCode::Right, Focus::Cancel) => self.focus = Focus::Go,
            (KeyCode::Left | KeyCode::Right, Focus::Go) => self.focus = Focus::Cancel,
            (_, Focus::Reason) => return changed(edit(&mut self.reason, key)),
            (_, Focus::Cancel | Focus::Go) if !is_text(key) => return Verdict::Ignored,
            (_, Focus::Cancel | Focus::Go) => {
                self.focus = Focus::Reason;
                edit(&mut self.reason, key);
            }
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
            Self::Cancel => Self::Reason,
            Self::Reason => Self::Go,
            Self::Go => Self::Cancel,
        }
    }
}

/// What was typed as a reason, if anything.
pub(super) fn said(reason: &Input) -> Option<String> {
    let reason = reason.value().trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

/// The name arms, and only typed; tab goes to the reason and back.
pub(super) fn typed_key(
    question: &mut Question,
    word: &str,
    input: &mut Input,
    missed: &mut bool,
    key: KeyEvent,
) -> Verdict {
    let in_reason = question.focus == Focus::Reason;
    match key.code {
        KeyCode::Esc => return Verdict::Close,
        KeyCode::Enter if in_reason => question.focus = Focus::Go,
        KeyCode::Enter if input.value() == word => return question.send(),
        KeyCode::Enter => *missed = true,
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            question.focus = if in_reason { Focus::Go } else { Focus::Reason };
        }
        _ if in_reason => return changed(edit(&mut question.reason, key)),
        _ => {
            let edited = edit(input, key);
            *missed &= !edited;
            return changed(edited);
        }
    }
    Verdict::Changed
}
