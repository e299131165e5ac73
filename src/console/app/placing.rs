//! Placing an order: the form, and what came of it.
//!
//! Owns the order that was sent and not yet confirmed, and the order that actions are about where no page is open. Never
//! draws a key: it is the session's, with a number.

use std::time::Duration;

use protocol::OrderId;
use protocol::api::{PlaceOrder, Receipt};

use super::dialog::Dialog;
use super::door::Asked;
use super::order_form::{OrderForm, Wish};
use super::page::{OrderPage, Page};
use super::{App, Effects, Sound, TOAST};
use crate::console::actions::ActionId;
use crate::console::link::Request;

/// What the console knows of orders it placed.
#[derive(Debug, Clone, Default)]
pub(super) struct Placing {
    /// Sent, without a good answer yet.
    unplaced: Option<PlaceOrder>,
    /// The order that actions are about where no page is open.
    chosen: Option<OrderId>,
    /// Just placed: until then, what opens things opens it.
    fresh: Option<(OrderId, Duration)>,
    /// Keys drawn.
    keys: u64,
}

impl App {
    /// Opens the form. Without a wish, what was sent last without a good answer stands in it.
    pub(super) fn open_order_form(&mut self, wish: &Wish, effects: &mut Effects) {
        if let Some(why) = self.off() {
            return self.say(Sound::Bad, &format!("order is off: {why}"), effects);
        }
        if self.city().dishes.is_empty() || self.city().zones.is_empty() {
            return self.say(Sound::Bad, "the menu is not known yet", effects);
        }
        self.placing.keys += 1;
        let key = format!("{}-{}", self.session, self.placing.keys);
        let before = self.placing.unplaced.clone();
        let again = before.as_ref().map(Wish::from).filter(|_| *wish == Wish::default());
        let form = OrderForm::new(self.city(), again.as_ref().unwrap_or(wish), before, key);
        self.dialog = Some(Dialog::Order(Box::new(form)));
        effects.dirty = true;
    }

    /// An order leaves: until it is confirmed, it can be sent again as it is.
    pub(super) fn note_sent(&mut self, request: &Request) {
        if let Request::Place(order) = request {
            self.placing.unplaced = Some((**order).clone());
        }
    }

    /// An order is placed; it becomes the one that actions are about.
    pub(super) fn placed(&mut self, asked: &Asked, receipt: &Receipt, replayed: bool, effects: &mut Effects) {
        let same = |order: &PlaceOrder| matches!(&asked.request, Request::Place(sent) if sent.key == order.key);
        self.placing.unplaced.take_if(|order| same(order));
        let id = receipt.id;
        self.placing.chosen = Some(id);
        self.placing.fresh = Some((id, self.now + TOAST));
        self.ledger.order = Some(Box::new(OrderPage::new(id)));
        let done = if replayed { "was placed before, under the same key" } else { "is placed" };
        let at = receipt.kitchen.as_ref().map_or_else(String::new, |kitchen| format!(" at {kitchen}"));
        let key = self.setup.keys.shown(ActionId::Inspect);
        let text = format!("{id} {done}: {}{at}; {key} opens it", receipt.state.word());
        self.say(Sound::Good, &text, effects);
        self.offer_undo(asked);
    }

    /// The order that was placed a moment ago, once: another action forgets it.
    pub(super) fn take_fresh(&mut self) -> Option<OrderId> {
        let (id, until) = self.placing.fresh.take()?;
        (until > self.now).then_some(id)
    }

    /// The order that actions are about.
    #[must_use]
    pub fn order_subject(&self) -> Option<OrderId> {
        match self.pages.last() {
            Some(Page::Kitchen(page)) => page.selected,
            Some(Page::Order(page)) => Some(page.id),
            None => self.chosen_order(),
        }
    }

    /// The order that was placed here last.
    pub(super) fn chosen_order(&self) -> Option<OrderId> {
        self.placing.chosen
    }
}
