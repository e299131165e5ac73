//! What pages were told: answers of the balancer that were recorded, so that a page can show them at their time.
//!
//! Owns the newest answer about each of the last few orders and kitchens. Never asks, and never guesses: what was not asked
//! while it was recorded is not here.

use std::collections::VecDeque;

use protocol::{KitchenId, OrderId, WallTime, api};
use serde::{Deserialize, Serialize};

use crate::console::link::Answer;

/// The most answers kept: what an operator looked at in the last minutes. They are in every keyframe.
const KEPT: usize = 24;

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// One order.
    Order(Box<api::OrderView>),
    /// Why it was where it was.
    Explain(Box<api::ExplainView>),
    /// Its events.
    History(Box<api::History>),
    /// One kitchen.
    Kitchen(Box<api::KitchenView>),
    /// The orders of one kitchen.
    Orders(KitchenId, Box<api::OrderPage>),
}

impl Told {
    /// The answer, if a page can show it again.
    #[must_use]
    pub fn from(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Order(view) => Some(Self::Order(view.clone())),
            Answer::Explain(view) => Some(Self::Explain(view.clone())),
            Answer::History(view) => Some(Self::History(view.clone())),
            Answer::Kitchen(view) => Some(Self::Kitchen(view.clone())),
            Answer::Orders(page) => whose(page).map(|kitchen| Self::Orders(kitchen, page.clone())),
            Answer::Done(_)
            | Answer::Placed { .. }
            | Answer::Migrations(_)
            | Answer::Policy(_)
            | Answer::Supervisor(_)
            | Answer::Actions(_) => None,
        }
    }

    /// Whether it answers the same question.
    fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Order(one), Self::Order(other)) => one.id == other.id,
            (Self::Explain(one), Self::Explain(other)) => one.id == other.id,
            (Self::History(one), Self::History(other)) => one.id == other.id,
            (Self::Kitchen(one), Self::Kitchen(other)) => one.id == other.id,
            (Self::Orders(one, _), Self::Orders(other, _)) => one == other,
            (Self::Order(_) | Self::Explain(_) | Self::History(_) | Self::Kitchen(_) | Self::Orders(..), _) => false,
        }
    }
}

/// The kitchen of a page of orders: the answer does not name it, but all its orders do. An empty page is nobody's.
fn whose(page: &api::OrderPage) -> Option<KitchenId> {
    let first = page.orders.first()?.kitchen.clone()?;
    page.orders.iter().all(|order| order.kitchen.as_ref() == Some(&first)).then_some(first)
}

/// The newest answers, each with the balancer's clock when it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    told: VecDeque<(WallTime, Told)>,
}

impl Answers {
    /// Takes an answer; says whether it is another one than before.
    pub fn take(&mut self, at: WallTime, told: Told) -> bool {
        let before = self.told.iter().position(|(_, known)| known.is_about_the_same(&told));
        let before = before.and_then(|at| self.told.remove(at));
        let other = before.is_none_or(|(_, before)| before != told);
        if self.told.len() >= KEPT {
            self.told.pop_front();
        }
        self.told.push_back((at, told));
        other
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    fn find<T>(&self, wanted: impl Fn(&Told) -> Option<T>) -> Option<(WallTime, T)> {
        self.told.iter().find_map(|(at, told)| Some((*at, wanted(told)?)))
    }

    /// An order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<(WallTime, api::OrderView)> {
        self.find(|told| if let Told::Order(view) = told { (view.id == id).then(|| (**view).clone()) } else { None })
    }

    /// Why an order was where it was.
    #[must_use]
    pub fn explain(&self, id: OrderId) -> Option<(WallTime, api::ExplainView)> {
        self.find(|told| if let Told::Explain(view) = told { (view.id == id).then(|| (**view).clone()) } else { None })
    }

    /// An order's events.
    #[must_use]
    pub fn history(&self, id: OrderId) -> Option<(WallTime, api::History)> {
        self.find(|told| if let Told::History(view) = told { (view.id == id).then(|| (**view).clone()) } else { None })
    }

    /// A kitchen.
    #[must_use]
    pub fn kitchen(&self, id: &KitchenId) -> Option<(WallTime, api::KitchenView)> {
        self.find(|told| if let Told::Kitchen(view) = told { (view.id == *id).then(|| (**view).clone()) } else { None })
    }

    /// A kitchen's orders.
    #[must_use]
    pub fn orders_of(&self, id: &KitchenId) -> Option<(WallTime, api::OrderPage)> {
        self.find(|told| if let Told::Orders(of, page) = told { (of == id).then(|| (**page).clone()) } else { None })
    }
}
