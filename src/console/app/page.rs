//! The pages of one kitchen and of one order: what they ask for, and what came back.
//!
//! Owns the answers while a page is open. A page asks again every second; what it shows says from when it is.
//! Never sends: the model does.

use std::time::Duration;

use protocol::{KitchenId, OrderId, WallTime, api};

use crate::console::link::{Answer, Request};
use crate::console::tape::Answers;
use crate::console::untrusted::Untrusted;

/// Between two askings of an open page.
pub const REFRESH: Duration = Duration::from_secs(1);

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
    /// The selected order if it is in the list no more: it keeps its row, so that a key meant for it meets no other one.
    pub left: Option<OrderId>,
    /// Whether the operator has chosen an order; until then the newest is selected.
    pub chosen: bool,
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
        let (view, orders, selected, left, error, told, asked) = (None, None, None, None, None, None, None);
        let page = KitchenPage { id, view, orders, selected, at: 0, left, chosen: false, error, told, asked };
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
                let orders = page.listed((**orders).clone());
                let changed = page.orders.as_ref() != Some(&orders);
                page.orders = Some(orders);
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
    /// Moves the selection among the orders; the very top follows the newest again.
    pub fn go(&mut self, by: isize) {
        self.chosen = by != isize::MIN;
        self.put_on(by);
    }

    fn put_on(&mut self, by: isize) {
        let count = self.orders.as_ref().map_or(0, |page| page.orders.len());
        self.at = self.at.saturating_add_signed(by).min(count.saturating_sub(1));
        self.selected = self.orders.as_ref().and_then(|page| page.orders.get(self.at)).map(|order| order.id);
    }

    fn recall(&mut self, answers: &Answers) -> bool {
        let (view, orders) = (answers.kitchen(&self.id), answers.orders_of(&self.id));
        self.told = [view.as_ref().map(at), orders.as_ref().map(at)].into_iter().flatten().max();
        let sorted = orders.map(|(at, page)| (at, self.listed(page)));
        let changed = put(&mut self.view, view) | put(&mut self.orders, sorted);
        self.find_selected();
        changed
    }

    fn find_selected(&mut self) {
        let Some(page) = &self.orders else { return };
        let at = page.orders.iter().position(|order| Some(order.id) == self.selected);
        match at.filter(|_| self.chosen) {
            Some(at) => self.at = at,
            None => self.put_on(if self.chosen { 0 } else { isize::MIN }),
        }
    }

    /// A list as it is shown: what the kitchen holds now comes first, the newest first within each; the chosen order stays where
    /// it was, if it has left the list.
    fn listed(&mut self, mut page: api::OrderPage) -> api::OrderPage {
        page.orders.sort_by_key(|order| !order.state.is_open());
        let chosen = self.selected.filter(|_| self.chosen);
        let here = page.orders.iter().any(|order| Some(order.id) == chosen);
        let before = self.orders.as_ref().map_or(&[][..], |orders| &orders.orders);
        let gone = before.iter().find(|order| Some(order.id) == chosen).filter(|_| !here).cloned();
        self.left = gone.as_ref().map(|order| order.id);
        if let Some(gone) = gone {
            page.orders.insert(self.at.min(page.orders.len()), gone);
        }
        page
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

#[cfg(test)]
mod tests {
    use protocol::OrderState;

    use super::*;
    use crate::console::app::App;
    use crate::console::tests::fixture::{answer, busy, order_page, screen, type_keys};

    fn orders(app: &mut App, ids: &[u64]) {
        let one = order_page().orders[0].clone();
        let list = ids.iter().map(|id| api::OrderView { id: OrderId(*id), ..one.clone() }).collect();
        let page = Answer::Orders(Box::new(api::OrderPage { orders: list, ..order_page() }));
        app.update(crate::console::app::Input::Tick, app.now + REFRESH);
        answer(app, |asked| matches!(asked, Request::OrdersOf(_)).then(|| Ok(page.clone())));
    }

    fn selected(app: &App) -> Option<u64> {
        match app.pages.last() {
            Some(Page::Kitchen(page)) => page.selected.map(|id| id.0),
            Some(Page::Order(_)) | None => None,
        }
    }

    #[test]
    fn the_newest_order_is_followed_until_one_is_chosen_and_that_one_is_never_swapped() {
        let mut app = busy((80, 24));
        type_keys(&mut app, &["enter"]);
        orders(&mut app, &[3, 2, 1]);
        orders(&mut app, &[4, 3, 2, 1]);
        assert_eq!(selected(&app), Some(4));
        type_keys(&mut app, &["j", "j"]);
        orders(&mut app, &[6, 5, 4, 3, 2, 1]);
        assert_eq!(selected(&app), Some(2));
        orders(&mut app, &[7, 6, 5, 4, 3, 1]);
        assert_eq!(selected(&app), Some(2), "it has left the list, and the cursor stays on it");
        let shown = screen(&app);
        let line = shown.lines().find(|line| line.starts_with('>')).unwrap_or_default();
        assert!(line.contains("o2") && line.contains("left"), "{shown}");
        orders(&mut app, &[8, 7, 6, 5, 4, 3, 1]);
        assert_eq!(selected(&app), Some(2));
        type_keys(&mut app, &["g", "g"]);
        orders(&mut app, &[9, 8]);
        assert_eq!(selected(&app), Some(9));
        assert!(OrderState::Cooking.is_open() && !screen(&app).contains(" left "));
    }
}
