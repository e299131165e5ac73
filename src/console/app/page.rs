//! The pages of one kitchen and of one order: what they ask for, and what came back.
//!
//! Owns the answers while a page is open. A page asks again every two seconds; what it shows says from when it is.

use std::time::Duration;

use protocol::{KitchenId, OrderId, WallTime, api};

use crate::console::link::{Answer, Request};
use crate::console::tape::Answers;
use crate::console::untrusted::Untrusted;

/// Between two askings of an open page.
pub const REFRESH: Duration = Duration::from_secs(2);

/// A page over a screen.
#[derive(Debug, Clone)]
pub enum Page {
    /// A kitchen's.
    Kitchen(Box<KitchenPage>),
    /// An order's.
    Order(Box<OrderPage>),
}

/// One kitchen.
#[derive(Debug, Clone)]
pub struct KitchenPage {
    /// Which.
    pub id: KitchenId,
    /// What the feed does not tell.
    pub view: Option<api::KitchenView>,
    /// Its orders.
    pub orders: Option<api::OrderPage>,
    /// The selected order.
    pub selected: Option<OrderId>,
    /// Its row.
    pub at: usize,
    /// Why nothing came.
    pub error: Option<Untrusted>,
    /// In a recording: when the newest of it was asked for, by the balancer's clock.
    pub told: Option<WallTime>,
    asked: Option<Duration>,
}

/// What of an order is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderView {
    /// What it is, why it is here, its hops and its history.
    #[default]
    Facts,
    /// Why it is here, all of it.
    Why,
    /// Its line in space and time, above its history.
    Line,
}

impl OrderView {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Facts => Self::Line,
            Self::Line => Self::Why,
            Self::Why => Self::Facts,
        }
    }
}

/// One order.
#[derive(Debug, Clone)]
pub struct OrderPage {
    /// Which.
    pub id: OrderId,
    /// The order.
    pub order: Option<api::OrderView>,
    /// Why it is where it is.
    pub explain: Option<api::ExplainView>,
    /// Its events.
    pub history: Option<api::History>,
    /// First line of its history shown, from the end.
    pub back: usize,
    /// What of it is shown.
    pub view: OrderView,
    /// Why nothing came.
    pub error: Option<Untrusted>,
    /// In a recording: when the newest of it was asked for, by the balancer's clock.
    pub told: Option<WallTime>,
    asked: Option<Duration>,
}

impl Page {
    /// A kitchen's page.
    #[must_use]
    pub fn kitchen(id: KitchenId) -> Self {
        let page =
            KitchenPage { id, view: None, orders: None, selected: None, at: 0, error: None, told: None, asked: None };
        Self::Kitchen(Box::new(page))
    }

    /// An order's page.
    #[must_use]
    pub fn order(id: OrderId) -> Self {
        Self::Order(Box::new(OrderPage::new(id)))
    }

    /// When it wants to ask again.
    #[must_use]
    pub fn due(&self) -> Duration {
        match self {
            Self::Kitchen(page) => due(page.asked),
            Self::Order(page) => page.due(),
        }
    }

    /// What it asks for.
    pub fn ask(&mut self, now: Duration) -> Vec<Request> {
        match self {
            Self::Kitchen(page) => {
                page.asked = Some(now);
                vec![Request::Kitchen(page.id.clone()), Request::OrdersOf(page.id.clone())]
            }
            Self::Order(page) => page.ask(now),
        }
    }

    /// Shows what was recorded of it; says whether it looks different.
    pub fn recall(&mut self, answers: &Answers) -> bool {
        match self {
            Self::Kitchen(page) => page.recall(answers),
            Self::Order(page) => page.recall(answers),
        }
    }

    /// Takes an answer if it is for this page; says whether it was and anything changed.
    pub fn take(&mut self, request: &Request, outcome: &Result<Answer, String>) -> bool {
        match (self, outcome) {
            (Self::Kitchen(page), Ok(Answer::Kitchen(view))) if view.id == page.id => replace(&mut page.view, view),
            (Self::Kitchen(page), Ok(Answer::Orders(orders))) if *request == Request::OrdersOf(page.id.clone()) => {
                // What it holds now comes first; the newest first within each.
                let mut orders = orders.clone();
                orders.orders.sort_by_key(|order| !order.state.is_open());
                let changed = replace(&mut page.orders, &orders);
                page.find_selected();
                changed
            }
            (Self::Kitchen(page), Err(why)) if *request == Request::Kitchen(page.id.clone()) => {
                complain(&mut page.error, why)
            }
            (Self::Order(page), _) => page.take(request, outcome),
            (Self::Kitchen(_), _) => false,
        }
    }
}

/// When to ask again.
fn due(asked: Option<Duration>) -> Duration {
    asked.map_or(Duration::ZERO, |asked| asked + REFRESH)
}

impl OrderPage {
    /// An order's page.
    #[must_use]
    pub fn new(id: OrderId) -> Self {
        let (order, explain, history) = (None, None, None);
        Self { id, order, explain, history, back: 0, view: OrderView::Facts, error: None, told: None, asked: None }
    }

    /// When it wants to ask again.
    #[must_use]
    pub fn due(&self) -> Duration {
        due(self.asked)
    }

    /// What it asks for.
    pub fn ask(&mut self, now: Duration) -> Vec<Request> {
        self.asked = Some(now);
        vec![Request::Order(self.id), Request::Explain(self.id), Request::History(self.id)]
    }

    /// Takes an answer if it is for this page; says whether it was and anything changed.
    pub fn take(&mut self, request: &Request, outcome: &Result<Answer, String>) -> bool {
        match outcome {
            Ok(Answer::Order(order)) if order.id == self.id => replace(&mut self.order, order),
            Ok(Answer::Explain(view)) if view.id == self.id => replace(&mut self.explain, view),
            Ok(Answer::History(view)) if view.id == self.id => replace(&mut self.history, view),
            // An order that was never dispatched has no explanation; the page says so by its absence.
            Err(why) if *request == Request::Order(self.id) => complain(&mut self.error, why),
            Ok(_) | Err(_) => false,
        }
    }

    /// Shows what was recorded of it; says whether it looks different.
    pub fn recall(&mut self, answers: &Answers) -> bool {
        let (order, explain, history) = (answers.order(self.id), answers.explain(self.id), answers.history(self.id));
        self.told =
            [order.as_ref().map(at), explain.as_ref().map(at), history.as_ref().map(at)].into_iter().flatten().max();
        put(&mut self.order, order) | put(&mut self.explain, explain) | put(&mut self.history, history)
    }

    /// Scrolls the history; down is towards the newest.
    pub fn scroll(&mut self, by: isize) {
        let count = self.history.as_ref().map_or(0, |history| history.events.len());
        self.back = self.back.saturating_add_signed(by.saturating_neg()).min(count.saturating_sub(1));
    }
}

impl KitchenPage {
    /// Moves the selection among the orders.
    pub fn go(&mut self, by: isize) {
        let count = self.orders.as_ref().map_or(0, |page| page.orders.len());
        self.at = self.at.saturating_add_signed(by).min(count.saturating_sub(1));
        self.selected = self.orders.as_ref().and_then(|page| page.orders.get(self.at)).map(|order| order.id);
    }

    fn recall(&mut self, answers: &Answers) -> bool {
        let (view, orders) = (answers.kitchen(&self.id), answers.orders_of(&self.id));
        self.told = [view.as_ref().map(at), orders.as_ref().map(at)].into_iter().flatten().max();
        let sorted = orders.map(|(at, mut page)| {
            page.orders.sort_by_key(|order| !order.state.is_open());
            (at, page)
        });
        let changed = put(&mut self.view, view) | put(&mut self.orders, sorted);
        self.find_selected();
        changed
    }

    fn find_selected(&mut self) {
        let Some(page) = &self.orders else { return };
        match page.orders.iter().position(|order| Some(order.id) == self.selected) {
            Some(at) => self.at = at,
            None => self.go(0),
        }
    }
}

fn replace<T: Clone + PartialEq>(place: &mut Option<T>, with: &T) -> bool {
    let changed = place.as_ref() != Some(with);
    if changed {
        *place = Some(with.clone());
    }
    changed
}

fn at<T>(told: &(WallTime, T)) -> WallTime {
    told.0
}

/// What is known now, or that nothing is.
fn put<T: PartialEq>(place: &mut Option<T>, told: Option<(WallTime, T)>) -> bool {
    let told = told.map(|(_, told)| told);
    let changed = *place != told;
    *place = told;
    changed
}

fn complain(place: &mut Option<Untrusted>, why: &str) -> bool {
    replace(place, &Untrusted::new(why))
}
