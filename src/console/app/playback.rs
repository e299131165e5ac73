//! A recording in place of a link: another moment becomes the picture, and the keys of the deck.
//!
//! Owns what the model does while a recording plays. Never reads a file: the deck ([`crate::console::replay`]) does.
//!
//! - The model's time is the recording's time, so it may go back; nothing else lets it.
//! - Everything that would leave the console is off.

use std::time::Duration;

use super::{App, Effects, Link, Screen, Sound};
use crate::console::actions::{Action, ActionId, Context};
use crate::console::keymap::Found;
use crate::console::replay::{Replay, Steer};
use crate::console::tape::{Fold, Line, Told};
use crate::console::untrusted::Untrusted;

/// On the screen of recordings these move along the scrubber, elsewhere the cursor; but the ends of a recording that stands still
/// are the ends everywhere.
const CURSOR: [&str; 6] = ["left", "right", "home", "end", "pageup", "pagedown"];

impl App {
    /// Takes a recording at its first moment.
    pub fn load(&mut self, fold: Fold, replay: Replay) {
        self.size.1 = self.size.1.saturating_sub(1);
        self.replay = Some(replay);
        self.rewind(fold, &mut Effects::default());
        self.show_all_told(&mut Effects::default());
    }

    /// Rows that the scrubber takes.
    #[must_use]
    pub fn deck_rows(&self) -> u16 {
        u16::from(self.replay.is_some())
    }

    /// Another moment becomes the picture.
    pub(super) fn rewind(&mut self, fold: Fold, effects: &mut Effects) {
        let ms = Duration::from_millis;
        self.now = ms(fold.t);
        self.link = match &fold.line {
            Line::Live => Link::Live,
            Line::Connecting(url) => Link::Connecting { url: url.clone() },
            Line::Lost(why, retry_at) => Link::Lost { why: why.clone(), retry_at: ms(*retry_at) },
            Line::None => Link::Connecting { url: Untrusted::default() },
        };
        self.heard = fold.heard.map(|(at, age_ms)| (ms(at), age_ms));
        (self.live, self.frozen, self.toast) = (fold.city, None, None);
        self.answers = fold.answers;
        self.rows.forget_times();
        self.rows.rebuild(&self.live, self.now);
        self.relayout();
        (effects.dirty, effects.urgent) = (true, true);
    }

    /// A page was told something when this was recorded.
    pub(super) fn recall(&mut self, told: Told) {
        self.answers.take(self.live.at, told);
    }

    /// What pages were told up to this moment stands on the pages that are open; says whether one looks different. The balancer
    /// can not be asked.
    pub(super) fn recall_pages(&mut self) -> bool {
        if self.replay.is_none() {
            return false;
        }
        let answers = &self.answers;
        let changed = self.pages.iter_mut().map(|page| page.recall(answers)).fold(false, |any, one| any | one);
        changed | self.ledger.order.as_mut().is_some_and(|order| order.recall(answers))
    }

    /// The deck moved.
    pub(super) fn follow_deck(&mut self, replay: Replay, effects: &mut Effects) {
        let before = self.replay.as_ref();
        // The scrubber and the clock show seconds, and milliseconds to somebody who steps.
        let shown = |replay: &Replay| {
            let at = if replay.paused { replay.at } else { replay.at / 1_000 };
            (at, replay.quarters, replay.paused, replay.notes.added, replay.damage.is_some())
        };
        effects.dirty |= before.is_none_or(|before| shown(before) != shown(&replay));
        self.replay = Some(replay);
        self.show_all_told(effects);
    }

    /// Where a recording stands still nothing comes that rows could wait for, so they are shown as they were told.
    fn show_all_told(&mut self, effects: &mut Effects) {
        if !self.replay.as_ref().is_some_and(|replay| replay.paused) {
            return;
        }
        if self.live.catch_up_at().is_some() {
            effects.dirty |= self.live.catch_up(self.now);
        }
        if self.frozen.is_none() {
            self.rows.rebuild(&self.live, self.now);
        }
    }

    /// What a key means to the deck, if a recording plays.
    pub(super) fn transport(&self, key: &str) -> Option<Steer> {
        self.replay.as_ref()?;
        let here = self.screen == Screen::Replay && self.pages.is_empty();
        let ends = matches!(key, "home" | "end") && self.replay.as_ref().is_some_and(|replay| replay.paused);
        if CURSOR.contains(&key) && !here && !ends {
            return None;
        }
        match self.setup.keys.find(Context::Tape, None, key) {
            Found::Action(Action { id: ActionId::Deck(steer), .. }) => Some(*steer),
            Found::Action(_) | Found::Prefix | Found::Nothing => None,
        }
    }

    /// Asks the deck.
    pub(super) fn steer(&mut self, steer: Steer, effects: &mut Effects) {
        if self.replay.is_none() {
            self.say(Sound::Bad, "no recording is played: chef replay FILE", effects);
            return;
        }
        // The model's time may stand still, so a message goes with the next key.
        effects.dirty |= self.toast.take().is_some();
        effects.steer = Some(steer);
    }
}
