//! What was told and is true no longer: a message that the picture contradicts, and a change whose undo is over.
//!
//! Owns these corrections. Never changes the city.

use protocol::KitchenId;
use protocol::api::Schedulable;

use super::door::Asked;
use super::undo::Inverse;
use super::{App, Sound, TOAST, Toast};
use crate::console::actions::{self, ActionId};
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;

/// What a message tells of a kitchen.
#[derive(Debug, Clone)]
pub(super) struct About {
    kitchen: KitchenId,
    told: Schedulable,
    /// Whether it was seen to be so: from then on, another state contradicts.
    seen: bool,
}

impl App {
    /// The message that stands there tells what this change made of a kitchen.
    pub(super) fn tell_of(&mut self, asked: &Asked) {
        let told = match asked.request.action() {
            Some(ActionId::Drain) => Schedulable::Draining,
            Some(ActionId::Cordon) => Schedulable::Cordoned,
            Some(ActionId::Uncordon) => Schedulable::Open,
            Some(_) | None => return,
        };
        let Ok(kitchen) = asked.request.subject().parse() else { return };
        // A row may be older than the answer; of an open kitchen, a cordon can only be the end of its drain.
        let was_open = matches!(&asked.inverse, Inverse::Is(back) if back.action() == Some(ActionId::Uncordon));
        let seen = told == Schedulable::Draining && was_open;
        if let Some(toast) = &mut self.toast {
            toast.about = Some(About { kitchen, told, seen });
        }
        self.check_toast();
    }

    /// Replaces a message that the picture contradicts; says whether it did.
    pub(super) fn check_toast(&mut self) -> bool {
        let Some(about) = self.toast.as_mut().and_then(|toast| toast.about.as_mut()) else { return false };
        let row = self.live.kitchen(&about.kitchen).and_then(|kitchen| kitchen.row);
        let Some(now) = row.map(|row| row.schedulable) else { return false };
        about.seen |= now == about.told;
        let begins = about.told == Schedulable::Draining && now == Schedulable::Open;
        if now == about.told || !about.seen || begins {
            return false;
        }
        let id = &about.kitchen;
        let text = if about.told == Schedulable::Draining && now == Schedulable::Cordoned {
            format!("{id} is drained: empty, and cordoned")
        } else {
            format!("{id} is {} now", now.word())
        };
        let until = self.now + TOAST;
        self.toast = Some(Toast { text: Untrusted::new(&text), sound: Sound::Plain, until, about: None });
        true
    }

    /// Why nothing can be taken back now, and what would do the same.
    pub(super) fn too_late(&self) -> String {
        let Some(lapsed) = &self.lapsed else {
            return "nothing to undo: a change can be taken back for 10 s".to_owned();
        };
        let what = &lapsed.what;
        match &lapsed.inverse.clone().at(self.live.at) {
            Inverse::Is(request) => format!("too late to undo {what} (10 s): {}", self.by_hand(request)),
            Inverse::Rush { .. } => format!("too late to undo {what} (10 s)"),
            Inverse::None(why) => format!("{what}: {why}"),
        }
    }

    /// How a person asks for a request: the key, or the command.
    fn by_hand(&self, request: &Request) -> String {
        let id = match request.action() {
            // The key that cordons turns a cordon round.
            Some(ActionId::Uncordon) => ActionId::Cordon,
            Some(id) => id,
            None => return request.words(),
        };
        let (key, name) = (self.setup.keys.shown(id), actions::get(id).name);
        let key = if key.is_empty() { format!(":{name}") } else { key.to_owned() };
        format!("{key} to {}", request.words())
    }
}
