//! To which kitchen an order goes: the choice, and why a kitchen is none.
//!
//! Owns the list as it was when it was opened: nothing is sorted again under the cursor. Whether a kitchen can take the
//! order is read from the picture with each draw and again on enter. Never sends.
//!
//! The balancer's own scores are not known here, so the most free places come first; what cannot take the order is below.

use crossterm::event::{KeyCode, KeyEvent};
use protocol::api::{Health, OrderView, Schedulable};
use protocol::{KitchenId, OrderId, OrderState};
use tui_input::Input;

use super::blast;
use super::city::{City, Kitchen};
use super::dialog::{Dialog, Verdict, changed, edit, is_text};
use super::question::said;
use super::{App, Effects, Sound};
use crate::console::link::Request;

/// The choice.
#[derive(Debug, Clone)]
pub struct TargetForm {
    /// Which order.
    pub order: OrderId,
    /// Where it is, if that is known.
    pub from: Option<KitchenId>,
    /// Every kitchen; those that can take it first, by free places.
    pub kitchens: Vec<KitchenId>,
    /// The one selected.
    pub at: usize,
    /// Why.
    pub reason: Input,
    /// Whether the reason has the focus.
    pub typing: bool,
}

impl TargetForm {
    /// Arrows choose, letters are the reason.
    pub(super) fn key(&mut self, key: KeyEvent) -> Verdict {
        match key.code {
            KeyCode::Esc => return Verdict::Close,
            KeyCode::Up => self.go(-1),
            KeyCode::Down => self.go(1),
            KeyCode::Tab | KeyCode::BackTab => self.typing = !self.typing,
            KeyCode::Enter if self.typing => self.typing = false,
            KeyCode::Enter => return self.send(),
            _ if !self.typing && !is_text(key) => return Verdict::Ignored,
            _ => {
                self.typing = true;
                return changed(edit(&mut self.reason, key));
            }
        }
        Verdict::Changed
    }

    fn go(&mut self, by: isize) {
        self.typing = false;
        self.at = self.at.saturating_add_signed(by).min(self.kitchens.len().saturating_sub(1));
    }

    fn send(&self) -> Verdict {
        let Some(to) = self.kitchens.get(self.at) else { return Verdict::Ignored };
        Verdict::Send(Request::Migrate { order: self.order, to: to.clone() }, said(&self.reason))
    }
}

impl App {
    /// Opens the choice, unless the order cannot be moved at all or nowhere.
    pub(super) fn choose_target(
        &mut self,
        order: OrderId,
        from: Option<&KitchenId>,
        reason: Option<String>,
        effects: &mut Effects,
    ) {
        if let Some(why) = self.order_seen(order).and_then(stays) {
            return self.say(Sound::Bad, &format!("{order} {why}"), effects);
        }
        let city = self.city();
        let mut all: Vec<&Kitchen> = city.kitchens.iter().collect();
        all.sort_by_key(|kitchen| (unfit(kitchen, from).is_some(), std::cmp::Reverse(blast::free(kitchen))));
        if all.first().is_none_or(|best| unfit(best, from).is_some()) {
            return self.say(Sound::Bad, "no other kitchen is open and has a place", effects);
        }
        let kitchens = all.into_iter().map(|kitchen| kitchen.id.clone()).collect();
        let reason = Input::new(reason.unwrap_or_default());
        let form = TargetForm { order, from: from.cloned(), kitchens, at: 0, reason, typing: false };
        self.dialog = Some(Dialog::Target(form));
        effects.dirty = true;
    }

    /// Why a kitchen cannot take the order of this choice now.
    #[must_use]
    pub fn unfit(&self, form: &TargetForm, id: &KitchenId) -> Option<&'static str> {
        match self.city().kitchen(id) {
            Some(kitchen) => unfit(kitchen, form.from.as_ref()),
            None => Some("gone"),
        }
    }

    /// What a migration of this order will be, as far as it is known.
    #[must_use]
    pub fn fate(&self, form: &TargetForm) -> Option<String> {
        self.order_seen(form.order).and_then(|order| fate(order, form.from.as_ref(), self.city()))
    }

    /// Why the choice that stands there is none.
    pub(super) fn refused_target(&self, request: &Request) -> Option<String> {
        let (Some(Dialog::Target(form)), Request::Migrate { order, to }) = (&self.dialog, request) else { return None };
        if let Some(why) = self.order_seen(*order).and_then(stays) {
            return Some(format!("{order} {why}"));
        }
        self.unfit(form, to).map(|why| format!("{to}: {why}; choose another"))
    }
}

fn unfit(kitchen: &Kitchen, from: Option<&KitchenId>) -> Option<&'static str> {
    if Some(&kitchen.id) == from {
        return Some("it is there now");
    }
    let Some(row) = kitchen.row else { return Some("not heard of yet") };
    match (row.health, row.schedulable) {
        (Health::Dead, _) => Some("dead"),
        (Health::Suspected, _) => Some("suspected"),
        (Health::Alive, Schedulable::Cordoned) => Some("cordoned"),
        (Health::Alive, Schedulable::Draining) => Some("draining"),
        (Health::Alive, Schedulable::Retired) => Some("retired"),
        (Health::Alive, Schedulable::Open) => (blast::free(kitchen) == 0).then_some("full"),
    }
}

/// Why an order cannot be moved by anybody.
pub(super) fn stays(order: &OrderView) -> Option<String> {
    match order.state {
        OrderState::Leased | OrderState::Cooking => None,
        OrderState::Queued => Some("waits at the balancer: it can be moved when a kitchen has it".to_owned()),
        OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered => {
            Some(format!("is {}: there is nothing to move", order.state.word()))
        }
    }
}

/// What a migration of an order that is being cooked will be, or why it will be none.
fn fate(order: &OrderView, from: Option<&KitchenId>, city: &City) -> Option<String> {
    let draining = from.and_then(|id| city.kitchen(id)).and_then(|kitchen| kitchen.row);
    let draining = draining.is_some_and(|row| row.schedulable == Schedulable::Draining);
    let last = order.stage.done + 1 >= order.stage.of;
    match order.state {
        OrderState::Leased => Some("not started: it moves as it is".to_owned()),
        OrderState::Cooking if last => {
            Some("nearly done (last stage): it finishes in place, a move is refused".to_owned())
        }
        OrderState::Cooking if !order.stage.interruptible => {
            Some("in the oven: it finishes in place, a move is refused".to_owned())
        }
        OrderState::Cooking => {
            let by_itself = if draining { "; the drain does so by itself" } else { "" };
            let (done, of) = (order.stage.done, order.stage.of);
            Some(format!("being cooked, {done} of {of} done: handed over at its next checkpoint{by_itself}"))
        }
        OrderState::Queued | OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered => {
            stays(order).map(|why| format!("it {why}"))
        }
    }
}
