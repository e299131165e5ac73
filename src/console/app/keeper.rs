//! Who can kill processes from here: the supervisor of a city on this machine, if there is one.
//!
//! Owns what is known of it. It is asked when the picture begins, and again when a kill is wanted and none was there, so a
//! person learns before the name is typed whether a kill can go anywhere. Never kills.

use protocol::KitchenId;

use super::blast::Sentence;
use super::{App, Effects, Sound};
use crate::console::link::{Answer, Request};

/// What is known of the supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Keeper {
    /// Not answered yet.
    #[default]
    Unknown,
    /// It answers, and keeps these processes.
    Keeps(Vec<String>),
    /// None answers; the words say what to do.
    Nobody(String),
}

/// A kill that waits for a supervisor: whom, and why.
pub(super) type Wanted = (KitchenId, Option<String>);

impl App {
    /// Says that nobody could kill, and asks once more; false if somebody may.
    pub(super) fn nobody_kills(&mut self, request: &Request, reason: Option<&str>, effects: &mut Effects) -> bool {
        let (Request::Kill(kitchen), Keeper::Nobody(why)) = (request, &self.keeper) else { return false };
        let why = why.clone();
        self.kill_wanted = Some((kitchen.clone(), reason.map(str::to_owned)));
        self.say(Sound::Bad, &why, effects);
        self.send(Request::Supervisor, None, effects);
        true
    }

    /// The supervisor answered, or none did.
    pub(super) fn heard_keeper(&mut self, outcome: Result<Answer, String>, effects: &mut Effects) {
        self.keeper = match outcome {
            Ok(Answer::Supervisor(ids)) => Keeper::Keeps(ids),
            Ok(_) => Keeper::Unknown,
            Err(why) => Keeper::Nobody(why),
        };
        effects.dirty |= self.dialog.is_some();
        let Some((kitchen, reason)) = self.kill_wanted.take() else { return };
        if self.dialog.is_none() && matches!(self.keeper, Keeper::Keeps(_)) {
            self.toast = None;
            self.propose(Request::Kill(kitchen), reason, effects);
        }
    }

    /// What the supervisor does about a kill, if that is known.
    pub(super) fn keeper_says(&self, kitchen: &KitchenId, hold: &str) -> Option<Sentence> {
        match &self.keeper {
            Keeper::Unknown => None,
            Keeper::Keeps(ids) if ids.iter().any(|id| id == kitchen.as_str()) => {
                Some(Sentence::plain(format!("its supervisor starts it again, {hold} later at the earliest")))
            }
            Keeper::Keeps(_) => {
                Some(Sentence::grave("the supervisor here does not keep it: it cannot be killed from here"))
            }
            Keeper::Nobody(why) => Some(Sentence::grave(why.clone())),
        }
    }
}
