//! Placing an order: the form, and what came of it.
//!
//! Owns the orders that were sent and not yet confirmed, and the order that actions are about where no page is open. Never
//! draws a key: it is the session's, with a number.
//!
//! - What was sent and not confirmed goes under the same key when it is sent again, whatever was sent in between.
//! - It is not confirmed until a balancer has said yes, or has read it and said no. Silence is neither.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::OrderId;
use protocol::api::{PlaceOrder, Receipt};
use ratatui::layout::Rect;

use super::dialog::Dialog;
use super::door::Asked;
use super::order_form::{OrderForm, Wish};
use super::page::{OrderPage, Page};
use super::{App, Effects, Screen, Sound, TOAST, refusal};
use crate::console::actions::ActionId;
use crate::console::link::Request;
use crate::console::view::layout;

/// The most orders without a good answer that are remembered: more than a person sends before looking why.
const UNPLACED: usize = 8;

/// An order that was sent and has no good answer yet.
#[derive(Debug, Clone)]
struct Unplaced {
    order: PlaceOrder,
    /// How often it was sent, so that it may have arrived.
    sent: u32,
}

/// What the console knows of orders it placed.
#[derive(Debug, Clone, Default)]
pub(super) struct Placing {
    /// Sent, without a good answer yet; the last one sent stands last.
    unplaced: VecDeque<Unplaced>,
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
        let before: Vec<PlaceOrder> = self.placing.unplaced.iter().map(|one| one.order.clone()).collect();
        let again = before.last().map(Wish::from).filter(|_| *wish == Wish::default());
        let form = OrderForm::new(self.city(), again.as_ref().unwrap_or(wish), before, key);
        self.dialog = Some(Dialog::Order(Box::new(form)));
        effects.dirty = true;
    }

    /// An order is about to leave, if anything may: until it is confirmed, it can be sent again as it is.
    pub(super) fn note_sent(&mut self, request: &Request) {
        let Request::Place(order) = request else { return };
        if self.off().is_some() {
            return;
        }
        let unplaced = &mut self.placing.unplaced;
        let known = unplaced.iter().position(|one| one.order.key == order.key).and_then(|at| unplaced.remove(at));
        if unplaced.len() == UNPLACED {
            unplaced.pop_front();
        }
        unplaced.push_back(Unplaced { order: (**order).clone(), sent: known.map_or(0, |one| one.sent) + 1 });
    }

    /// An order got no good answer, and why.
    pub(super) fn not_placed(&mut self, asked: &Asked, why: &str) {
        let Request::Place(order) = &asked.request else { return };
        if refusal::is_definite(why) {
            return self.settle_order(order);
        }
        let Some(one) = self.placing.unplaced.iter_mut().find(|one| one.order.key == order.key) else { return };
        one.sent -= u32::from(why == refusal::NOT_SENT);
        if one.sent == 0 {
            self.settle_order(order);
        }
    }

    /// Nothing is open about an order any more; a form that is open says so too.
    fn settle_order(&mut self, order: &PlaceOrder) {
        self.placing.unplaced.retain(|one| one.order.key != order.key);
        if let Some(Dialog::Order(form)) = &mut self.dialog {
            form.settle(order);
        }
    }

    /// An order is placed; it becomes the one that actions are about.
    pub(super) fn placed(&mut self, asked: &Asked, receipt: &Receipt, replayed: bool, effects: &mut Effects) {
        if let Request::Place(order) = &asked.request {
            self.settle_order(order);
        }
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
            None => self.line_shown().or_else(|| self.chosen_order()),
        }
    }

    /// The order whose line the ledger's screen shows.
    fn line_shown(&self) -> Option<OrderId> {
        let body = layout::body(Rect::new(0, 0, self.size.0, self.size.1));
        let shown = self.screen == Screen::Ledger && layout::ledger(body, self.ledger.pane).line.is_some();
        self.ledger.order.as_ref().filter(|_| shown).map(|page| page.id)
    }

    /// The order that was placed here last.
    pub(super) fn chosen_order(&self) -> Option<OrderId> {
        self.placing.chosen
    }
}
