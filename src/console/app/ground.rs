//! The ground a question stands on: what a request would touch, by the picture as it is now.
//!
//! Owns these sentences. Read anew with each draw, so that a question never shows figures of a minute ago, and says it
//! when there is nothing left to ask about. Never sends.

use protocol::api::OrderView;
use protocol::{KitchenId, OrderId, OrderState};

use super::blast::{self, Sentence};
use super::page::Page;
use super::{App, undo};
use crate::console::link::{KILL_HOLD, Request};
use crate::console::view::text::{age, ms, percent, setpoint};

/// The deadline of a drain that names none, as the balancer's API says.
const DRAIN_DEADLINE_MS: u64 = 30_000;

impl App {
    /// What this request would touch.
    #[must_use]
    pub fn ground(&self, request: &Request) -> Vec<Sentence> {
        match request {
            Request::Drain { kitchen, deadline_ms, force } => self.ground_of_drain(kitchen, *deadline_ms, *force),
            Request::Kill(kitchen) => self.ground_of_kill(kitchen),
            Request::Cancel(id) => self.ground_of_cancel(*id),
            Request::Release(id) => self.ground_of_release(*id),
            Request::StopRush => self.ground_of_stop(),
            Request::SetPolicy(change) => {
                let lines = self.policy.as_ref().map(|policy| undo::differences(policy, change));
                lines.into_iter().flatten().map(Sentence::plain).collect()
            }
            Request::Order(_)
            | Request::Explain(_)
            | Request::History(_)
            | Request::Kitchen(_)
            | Request::OrdersOf(_)
            | Request::Migrations
            | Request::Actions { .. }
            | Request::Policy
            | Request::Supervisor
            | Request::Cordon(_)
            | Request::Uncordon(_)
            | Request::Migrate { .. }
            | Request::Place(_)
            | Request::Rush { .. } => Vec::new(),
        }
    }

    fn ground_of_drain(&self, kitchen: &KitchenId, deadline_ms: Option<u64>, force: bool) -> Vec<Sentence> {
        let mut lines = self.radius(kitchen, true);
        let usual = if deadline_ms.is_none() { " (the usual deadline)" } else { "" };
        let limit = ms(deadline_ms.unwrap_or(DRAIN_DEADLINE_MS));
        lines.push(Sentence::plain(format!("what is left after {limit}{usual} is recovered elsewhere")));
        lines.extend(force.then(|| Sentence::plain("also if the rest of the fleet has no room")));
        lines
    }

    fn ground_of_kill(&self, kitchen: &KitchenId) -> Vec<Sentence> {
        let mut lines = self.radius(kitchen, false);
        lines.extend(self.keeper_says(kitchen, &age(KILL_HOLD)));
        lines
    }

    fn ground_of_cancel(&self, id: OrderId) -> Vec<Sentence> {
        let seen = self.order_seen(id);
        if let Some(order) = seen.filter(|order| is_over(order)) {
            return vec![Sentence::grave(format!("it is {}: there is nothing to cancel", order.state.word()))];
        }
        let state = seen.map_or("not seen here yet", |order| order.state.word());
        let fate = "it stops being cooked, and a late result is refused";
        vec![Sentence::plain(format!("1 order, now {state}")), Sentence::plain(fate)]
    }

    fn ground_of_release(&self, id: OrderId) -> Vec<Sentence> {
        let seen = self.order_seen(id);
        if let Some(order) = seen.filter(|order| order.state != OrderState::DeadLettered) {
            return vec![Sentence::grave(format!("it is {}, not in quarantine", order.state.word()))];
        }
        let mut lines = vec![Sentence::plain("it is tried again, with a clean record")];
        let failure = seen.and_then(|order| order.failure.as_ref());
        lines.extend(failure.map(|failure| Sentence::plain(format!("it was set aside after: {failure}"))));
        lines
    }

    fn ground_of_stop(&self) -> Vec<Sentence> {
        let Some(rush) = self.city().rush() else {
            return vec![Sentence::grave("no rush runs: there is nothing to stop")];
        };
        let left = format!("{} orders/s, {} s left", setpoint(rush.rate), rush.left_ms / 1_000);
        vec![Sentence::plain(left), Sentence::plain(format!("placed {}, shed {}", rush.placed, rush.shed))]
    }

    /// An order as a page here shows it.
    pub(super) fn order_seen(&self, id: OrderId) -> Option<&OrderView> {
        let on_pages = self.pages.iter().rev().find_map(|page| match page {
            Page::Order(page) => page.order.as_ref().filter(|order| order.id == id),
            Page::Kitchen(page) => {
                page.orders.as_ref().and_then(|orders| orders.orders.iter().find(|order| order.id == id))
            }
        });
        let chosen = || self.ledger.order.as_ref().and_then(|page| page.order.as_ref()).filter(|order| order.id == id);
        on_pages.or_else(chosen)
    }

    fn radius(&self, id: &KitchenId, drain: bool) -> Vec<Sentence> {
        let city = self.city();
        let Some(kitchen) = city.kitchen(id) else { return vec![Sentence::grave("no such kitchen in the picture")] };
        let mut lines = blast::radius(city, kitchen, drain);
        if self.frozen.is_some() {
            lines.push(Sentence::grave("from the frozen picture"));
        } else if let Some(age) = self.age_shown() {
            lines.push(Sentence::grave(format!("from a picture {} s old", age.as_secs())));
        }
        if let Some(share) = city.kpi().map(|kpi| kpi.availability).filter(|share| *share < 1.0) {
            lines.push(Sentence::plain(format!("availability now {}", percent(share))));
        }
        lines
    }
}

/// Whether nothing more happens with an order by itself.
pub(super) fn is_over(order: &OrderView) -> bool {
    match order.state {
        OrderState::Completed | OrderState::Cancelled => true,
        OrderState::Queued | OrderState::Leased | OrderState::Cooking | OrderState::DeadLettered => false,
    }
}
